/* A TCP or Unix-socket connection as a stream.
 *
 * Reads go into memory lent by the loop; idle connections own none. Writes are tried at once; what the socket does not
 * take is queued, and at most one write request is under way.
 *
 *   OPEN -> BROKEN    a write failed; what the peer sent before is still delivered, then the cause
 *   OPEN -> FLUSHING  our FLUSH: queue, FIN, then input is swallowed until its end, so that no RST destroys what we
 * sent any  -> CLOSING   the handle is closing; on_closed is told from its callback */
#include "net/tcp_int.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "net/loop_int.h"
#include "net/stream_int.h"

/* Input per stream and turn; then the others get theirs. */
#define TURN_BYTES_MAX (1024u * 1024)

enum tcp_state { ST_OPEN, ST_BROKEN, ST_FLUSHING, ST_CLOSING };

struct tcp {
	struct sp_stream s;
	struct sp_rx rx;
	enum tcp_state state;
	bool is_unix, reading, shut, owes_drain;
	enum { FIN_NONE, FIN_SENDING, FIN_SENT } fin;
	union {
		uv_handle_t h;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} uv;
	union { /* never both: FIN follows the last write */
		uv_write_t write;
		uv_shutdown_t shutdown;
	} req;
	uint8_t *lent; /* for the read under way */
	uint8_t *bulk; /* lent memory that the write under way sends; NULL: it sends from inflight */
	bool writing;
	struct sp_buf inflight, queue;
	uint64_t turn;
	size_t turn_bytes; /* read in that turn */
	struct sp_timer linger;
	struct sp_cause cause;
	struct sp_reap reap;
};

static const struct sp_stream_ops tcp_ops;

static struct tcp *tcp_of(struct sp_stream *s)
{
	struct tcp *t = SP_CONTAINER_OF(s, struct tcp, s);

	sp_must(s->ops == &tcp_ops);
	sp_loop_assert(s->loop);
	return t;
}

bool sp_tcp_is(const struct sp_stream *s)
{
	return s->ops == &tcp_ops;
}

static int tcp_fd(const struct tcp *t)
{
	uv_os_fd_t fd;

	return uv_fileno(&t->uv.h, &fd) ? -1 : fd;
}

/* ---- the end ---------------------------------------------------------------- */

static void on_reap(struct sp_reap *r)
{
	struct tcp *t = SP_CONTAINER_OF(r, struct tcp, reap);

	sp_rx_deinit(&t->s, &t->rx);
	sp_buf_deinit(&t->inflight);
	sp_buf_deinit(&t->queue);
	free(t);
}

static void on_closed(uv_handle_t *h)
{
	struct tcp *t = h->data;

	sp_loop_mem_give(t->s.loop, SP_MEM_BULK, t->bulk);
	t->bulk = NULL;
	sp_up_closed(&t->s, t->cause.err ? &t->cause : NULL);
	sp_reap(t->s.loop, &t->reap, on_reap);
}

static void finish(struct tcp *t, enum sp_close how)
{
	struct linger reset = { .l_onoff = 1 };

	if (t->state == ST_CLOSING)
		return;
	t->state = ST_CLOSING;
	sp_rx_close(&t->s, &t->rx);
	sp_timer_stop(t->s.loop, &t->linger);
	/* Because: uv_tcp_close_reset() refuses after uv_shutdown(). */
	if (how == SP_CLOSE_ABORT && !t->is_unix)
		(void)setsockopt(tcp_fd(t), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	uv_close(&t->uv.h, on_closed);
}

static void fail(struct tcp *t, int uv_err, const char *what)
{
	if (t->state == ST_OPEN || t->state == ST_BROKEN)
		sp_uv_cause(&t->cause, uv_err, what);
	finish(t, SP_CLOSE_ABORT);
}

/* FLUSH is done when our end is sent and the peer's has come. */
static void flush_check(struct tcp *t)
{
	if (t->state == ST_FLUSHING && t->fin == FIN_SENT && t->s.input_ended)
		finish(t, SP_CLOSE_FLUSH);
}

static void on_linger(struct sp_timer *timer)
{
	struct tcp *t = SP_CONTAINER_OF(timer, struct tcp, linger);

	finish(t, t->fin == FIN_SENT && t->state == ST_FLUSHING ? SP_CLOSE_FLUSH : SP_CLOSE_ABORT);
}

/* ---- reading ------------------------------------------------------------------- */

static void update_reading(struct tcp *t);

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct tcp *t = h->data;

	(void)suggested;
	*buf = uv_buf_init(NULL, 0); /* libuv then says UV_ENOBUFS and asks again in the next turn */
	if (t->turn != sp_loop_turn(t->s.loop)) {
		t->turn = sp_loop_turn(t->s.loop);
		t->turn_bytes = 0;
	}
	if (t->turn_bytes >= TURN_BYTES_MAX)
		return;
	t->lent = sp_loop_mem_take(t->s.loop, SP_MEM_BULK);
	if (t->lent)
		*buf = uv_buf_init((char *)t->lent, SP_MEM_BULK_BYTES);
}

/* libuv shows a reset that comes together with data as an ordinary end (POLLHUP after a short read); the socket knows.
 */
static int pending_error(struct tcp *t)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(tcp_fd(t), SOL_SOCKET, SO_ERROR, &err, &len))
		return 0;
	return -err;
}

static void on_input_end(struct tcp *t, int uv_err)
{
	t->reading = false;
	if (uv_err == UV_EOF) {
		uv_err = pending_error(t);
		if (uv_err == 0 && t->state != ST_BROKEN) {
			sp_rx_end(&t->s, &t->rx);
			flush_check(t);
			return;
		}
	}
	sp_rx_run(&t->s, &t->rx);
	fail(t, uv_err, "read"); /* BROKEN: the write's cause came first and stays */
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct tcp *t = h->data;
	uint8_t *mem = t->lent;

	t->lent = NULL;
	if (n == UV_ENOBUFS && buf->base == NULL) {
		if (t->turn_bytes < TURN_BYTES_MAX)
			fail(t, UV_ENOMEM, "read");
		return;
	}
	if (n > 0) {
		t->turn_bytes += (size_t)n;
		if (sp_rx_push(&t->s, &t->rx, mem, (size_t)n))
			fail(t, UV_ENOMEM, "read");
		else
			update_reading(t);
	} else if (n < 0) {
		on_input_end(t, (int)n);
	}
	sp_loop_mem_give(t->s.loop, SP_MEM_BULK, mem);
}

static void update_reading(struct tcp *t)
{
	bool want =
	    t->state != ST_CLOSING && !t->s.input_ended && (t->state == ST_FLUSHING || sp_rx_wants(&t->s, &t->rx));
	int err;

	if (want == t->reading || t->state == ST_CLOSING)
		return;
	t->reading = want;
	if (!want) {
		uv_read_stop(&t->uv.stream);
		return;
	}
	err = uv_read_start(&t->uv.stream, on_alloc, on_read);
	if (err)
		fail(t, err, "read");
}

static void on_later(struct sp_timer *timer)
{
	struct tcp *t = SP_CONTAINER_OF(timer, struct tcp, rx.later);

	sp_rx_run(&t->s, &t->rx);
	update_reading(t);
}

/* ---- writing --------------------------------------------------------------------- */

static void write_next(struct tcp *t);

static size_t queued(const struct tcp *t)
{
	return (t->writing ? t->uv.stream.write_queue_size : 0) + t->queue.len;
}

static void write_failed(struct tcp *t, int uv_err)
{
	sp_buf_deinit(&t->queue);
	if (t->state == ST_OPEN && t->rx.started && !t->s.input_ended) {
		/* What the peer sent before it went away is still in the socket; its end or error follows soon. */
		sp_uv_cause(&t->cause, uv_err, "write");
		t->state = ST_BROKEN;
		sp_timer_start(t->s.loop, &t->linger, SP_STREAM_LINGER_MS, on_linger);
		return;
	}
	fail(t, uv_err, "write");
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct tcp *t = req->data;

	(void)status; /* the socket is gone already: as good as sent */
	t->fin = FIN_SENT;
	flush_check(t);
}

/* FIN once everything is out. */
static void fin_check(struct tcp *t)
{
	if (!t->shut || t->fin != FIN_NONE || t->writing || t->state == ST_CLOSING)
		return;
	t->fin = FIN_SENDING;
	t->req.shutdown.data = t;
	if (uv_shutdown(&t->req.shutdown, &t->uv.stream, on_shutdown) == 0)
		return;
	t->fin = FIN_SENT;
	flush_check(t);
}

static void on_written(uv_write_t *req, int status)
{
	struct tcp *t = req->data;

	t->writing = false;
	sp_loop_mem_give(t->s.loop, SP_MEM_BULK, t->bulk);
	t->bulk = NULL;
	sp_buf_deinit(&t->inflight);
	if (t->state == ST_CLOSING)
		return;
	if (status) {
		write_failed(t, status);
		return;
	}
	write_next(t);
	if (t->owes_drain && queued(t) < SP_STREAM_LOW) {
		t->owes_drain = false;
		if (t->state == ST_OPEN && !t->shut)
			sp_up_drain(&t->s);
	}
	fin_check(t);
}

static void write_start(struct tcp *t, uint8_t *p, size_t n)
{
	uv_buf_t buf = uv_buf_init((char *)p, (unsigned)n);
	int err;

	t->req.write.data = t;
	t->writing = true;
	err = uv_write(&t->req.write, &t->uv.stream, &buf, 1, on_written);
	if (!err)
		return;
	t->writing = false;
	write_failed(t, err);
}

static void write_next(struct tcp *t)
{
	struct sp_slice v;

	if (t->writing || t->queue.len == 0)
		return;
	t->inflight = t->queue;
	sp_buf_init(&t->queue);
	v = sp_buf_data(&t->inflight);
	write_start(t, (uint8_t *)v.p, v.n);
}

/* Tries to send at once, which is right unless something is queued. Bytes sent, 0, or -1: failed. */
static ssize_t write_now(struct tcp *t, const struct sp_slice *v, unsigned n)
{
	int sent;

	/* One layout: pointer, length. */
	_Static_assert(sizeof(uv_buf_t) == sizeof(struct sp_slice), "uv_buf_t");
	_Static_assert(offsetof(uv_buf_t, base) == offsetof(struct sp_slice, p), "uv_buf_t");
	_Static_assert(offsetof(uv_buf_t, len) == offsetof(struct sp_slice, n), "uv_buf_t");
	if (t->writing || t->queue.len > 0)
		return 0;
	sent = uv_try_write(&t->uv.stream, (const uv_buf_t *)v, n);
	if (sent >= 0)
		return sent;
	if (sent == UV_EAGAIN)
		return 0;
	write_failed(t, sent);
	return -1;
}

static ssize_t write_done(struct tcp *t)
{
	size_t n = queued(t);

	if (n >= SP_STREAM_HIGH)
		t->owes_drain = true;
	return (ssize_t)n;
}

static bool writable(const struct tcp *t)
{
	return t->state == ST_OPEN && !t->shut;
}

static ssize_t tcp_writev(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	struct tcp *t = tcp_of(s);
	size_t total = 0, skip;
	ssize_t sent;
	unsigned i;

	if (!writable(t))
		return SP_ECLOSED;
	for (i = 0; i < n; i++)
		total += v[i].n;
	if (total == 0)
		return (ssize_t)queued(t);
	s->bytes_out += total;
	sent = write_now(t, v, n);
	if (sent < 0)
		return 0; /* on_closed follows */
	for (i = 0, skip = (size_t)sent; i < n; i++) {
		size_t gone = skip < v[i].n ? skip : v[i].n;

		skip -= gone;
		if (sp_buf_append(&t->queue, v[i].p + gone, v[i].n - gone)) {
			fail(t, UV_ENOMEM, "write");
			return 0;
		}
	}
	write_next(t);
	return write_done(t);
}

ssize_t sp_tcp_write_bulk(struct sp_stream *s, uint8_t *mem, size_t n)
{
	struct tcp *t = tcp_of(s);
	struct sp_slice v = { mem, n };
	ssize_t sent;

	if (!writable(t) || t->writing || t->queue.len > 0 || n == 0) {
		sent = tcp_writev(s, &v, 1);
		sp_loop_mem_give(s->loop, SP_MEM_BULK, mem);
		return sent;
	}
	s->bytes_out += n;
	sent = write_now(t, &v, 1);
	if (sent < 0 || (size_t)sent == n) {
		sp_loop_mem_give(s->loop, SP_MEM_BULK, mem);
		return 0;
	}
	t->bulk = mem;
	write_start(t, mem + sent, n - (size_t)sent);
	return write_done(t);
}

static void tcp_shutdown_write(struct sp_stream *s)
{
	struct tcp *t = tcp_of(s);

	if (!writable(t))
		return;
	t->shut = true;
	fin_check(t);
}

/* ---- the rest of the stream's operations ---------------------------------------------- */

static void tcp_read_start(struct sp_stream *s)
{
	struct tcp *t = tcp_of(s);

	sp_rx_start(s, &t->rx);
	update_reading(t);
}

static void tcp_read_stop(struct sp_stream *s)
{
	struct tcp *t = tcp_of(s);

	sp_rx_stop(s, &t->rx);
	update_reading(t);
}

static void tcp_close(struct sp_stream *s, enum sp_close how)
{
	struct tcp *t = tcp_of(s);

	if (t->state == ST_CLOSING)
		return;
	if (how == SP_CLOSE_ABORT || t->state == ST_BROKEN) {
		t->cause = (struct sp_cause){ 0 };
		finish(t, SP_CLOSE_ABORT);
		return;
	}
	if (t->state == ST_FLUSHING)
		return;
	t->state = ST_FLUSHING;
	t->shut = true;
	sp_rx_close(s, &t->rx);
	sp_timer_start(s->loop, &t->linger, SP_STREAM_LINGER_MS, on_linger);
	fin_check(t);
	flush_check(t);
	update_reading(t);
}

static const struct sp_stream_ops tcp_ops = {
	.writev = tcp_writev,
	.shutdown_write = tcp_shutdown_write,
	.read_start = tcp_read_start,
	.read_stop = tcp_read_stop,
	.close = tcp_close,
};

/* ---- making one -------------------------------------------------------------------------- */

static struct tcp *tcp_alloc(struct sp_loop *loop, bool is_unix)
{
	struct tcp *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->s.ops = &tcp_ops;
	t->s.loop = loop;
	t->rx.on_later = on_later;
	t->is_unix = is_unix;
	if (is_unix)
		sp_must(uv_pipe_init(sp_loop_uv(loop), &t->uv.pipe, 0) == 0);
	else
		sp_must(uv_tcp_init(sp_loop_uv(loop), &t->uv.tcp) == 0);
	t->uv.h.data = t;
	return t;
}

int sp_tcp_new(struct sp_loop *loop, struct sp_stream **out)
{
	struct tcp *t = tcp_alloc(loop, false);

	if (!t)
		return SP_ENOMEM;
	*out = &t->s;
	return 0;
}

uv_tcp_t *sp_tcp_handle(struct sp_stream *s)
{
	return &tcp_of(s)->uv.tcp;
}

int sp_tcp_adopt(struct sp_loop *loop, int fd, bool is_unix, struct sp_stream **out, struct sp_cause *cause)
{
	struct tcp *t = tcp_alloc(loop, is_unix);
	int err, one = 1;

	if (!t) {
		close(fd);
		return sp_uv_cause(cause, UV_ENOMEM, "accept");
	}
	err = is_unix ? uv_pipe_open(&t->uv.pipe, fd) : uv_tcp_open(&t->uv.tcp, fd);
	if (err) {
		close(fd);
		finish(t, SP_CLOSE_FLUSH);
		return sp_uv_cause(cause, err, "accept");
	}
	if (!is_unix)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*out = &t->s;
	return 0;
}

void sp_tcp_tune_tunnel(struct sp_stream *s)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 30 * 1000 }, /* ms: a dead path is noticed while bytes are under way */
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 30 }, /* s */
		{ IPPROTO_TCP, TCP_KEEPINTVL, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		/* Bytes: what waits in the kernel delays every other stream of the tunnel. */
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 32 * 1024 },
	};
	struct tcp *t;
	size_t i;

	if (!sp_tcp_is(s))
		return;
	t = tcp_of(s);
	for (i = 0; !t->is_unix && i < SP_COUNT_OF(options); i++)
		(void)setsockopt(tcp_fd(t), options[i].level, options[i].name, &options[i].value, sizeof(int));
}

int sp_tcp_peer(const struct sp_stream *s, struct sp_addr *out)
{
	const struct tcp *t = SP_CONTAINER_OF(s, struct tcp, s);
	struct sp_addr a = { .len = sizeof(a.ss) };

	if (!sp_tcp_is(s) || getpeername(tcp_fd(t), &a.sa, &a.len))
		return SP_EINVAL;
	*out = a;
	return 0;
}
