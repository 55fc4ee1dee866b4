#include "ends.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "certs.h"
#include "net/loop_int.h"
#include "net/tcp_int.h"
#include "net/tls_int.h"

struct sp_loop *loop;
uint64_t linger_ms;

void __real_sp_timer_start(struct sp_loop *l, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t));
void __wrap_sp_timer_start(struct sp_loop *l, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t));

void __wrap_sp_timer_start(struct sp_loop *l, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t))
{
	__real_sp_timer_start(l, t, linger_ms && ms == SP_STREAM_LINGER_MS ? linger_ms : ms, fn);
}

uint64_t hash_add(uint64_t h, const uint8_t *p, size_t n)
{
	for (; n > 0; n--)
		h = (h ^ *p++) * 1099511628211u;
	return h;
}

unsigned rnd(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) & 0x7fff;
}

void pattern(uint64_t offset, uint8_t *dst, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t at = offset + i;

		dst[i] = (uint8_t)(at ^ (at >> 8) ^ (at >> 16) * 7);
	}
}

/* ---- events ------------------------------------------------------------------ */

static void check_upcall(const struct end *e)
{
	ck_assert_msg(!e->in_call, "an upcall inside a call");
	ck_assert_msg(e->s != NULL && e->closed == 0, "an upcall after on_closed");
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct end *e = arg;
	size_t took;

	check_upcall(e);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_gt(v[0].n, 0);
	ck_assert_uint_eq(e->eof, 0);
	e->data++;
	e->seen = v[0].n;
	took = e->take ? e->take(e, v[0].p, v[0].n) : v[0].n;
	ck_assert_uint_le(took, v[0].n);
	if (e->collect)
		ck_assert_int_eq(sp_buf_append(&e->in, v[0].p, took), 0);
	e->in_hash = hash_add(e->in_hash, v[0].p, took);
	e->in_bytes += took;
	return took;
}

static void on_eof(void *arg)
{
	struct end *e = arg;

	check_upcall(e);
	e->eof++;
	if (e->on_eof)
		e->on_eof(e);
}

static void on_drain(void *arg)
{
	struct end *e = arg;

	check_upcall(e);
	e->drain++;
	if (e->on_drain)
		e->on_drain(e);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct end *e = arg;

	check_upcall(e);
	e->closed++;
	e->s = NULL;
	e->has_cause = cause != NULL;
	if (cause)
		e->cause = *cause;
}

const struct sp_stream_events end_events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_closed,
};

/* ---- running ------------------------------------------------------------------- */

struct goal {
	const unsigned *counter;
	const uint64_t *bytes;
	uint64_t n;
};

static bool reached(void *arg)
{
	struct goal *g = arg;

	return g->counter ? *g->counter >= g->n : *g->bytes >= g->n;
}

void run_until_count(const unsigned *counter, unsigned n)
{
	struct goal g = { .counter = counter, .n = n };

	ck_assert_msg(sp_loop_run_until(loop, reached, &g, GRACE_MS), "waited for %u, got %u", n, *counter);
}

void run_until_bytes(const uint64_t *counter, uint64_t n)
{
	struct goal g = { .bytes = counter, .n = n };

	ck_assert_msg(sp_loop_run_until(loop, reached, &g, GRACE_MS), "waited for %llu bytes, got %llu",
		      (unsigned long long)n, (unsigned long long)*counter);
}

static bool turned(void *arg)
{
	return sp_loop_turn(loop) >= *(uint64_t *)arg;
}

static void on_nothing(struct sp_timer *t)
{
	sp_timer_start(loop, t, 0, on_nothing);
}

void run_turns(unsigned n)
{
	struct sp_timer spin = { 0 };
	uint64_t until = sp_loop_turn(loop) + n;

	sp_timer_start(loop, &spin, 0, on_nothing);
	ck_assert(sp_loop_run_until(loop, turned, &until, GRACE_MS));
	sp_timer_stop(loop, &spin);
}

size_t fill(struct end *e)
{
	static uint8_t zeros[16384];
	size_t total = 0;
	ssize_t queued;

	e->in_call = true;
	do {
		queued = sp_stream_write(e->s, zeros, sizeof(zeros));
		ck_assert_int_ge(queued, 0);
		total += sizeof(zeros);
		ck_assert_uint_le(total, 256u << 20);
	} while (queued < SP_STREAM_HIGH);
	e->in_call = false;
	return total;
}

/* ---- opening ---------------------------------------------------------------------- */

struct meeting {
	struct sp_stream *dialled, *accepted;
	unsigned done;
};

static void on_accept(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	struct meeting *m = arg;

	ck_assert_ptr_null(m->accepted);
	ck_assert(sp_addr_is_local(peer));
	m->accepted = s;
	m->done++;
}

static void on_dialled(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct meeting *m = arg;

	ck_assert_msg(s != NULL, "%s", cause ? cause->text : "?");
	m->dialled = s;
	m->done++;
}

static void open_tcp(struct meeting *m)
{
	struct sp_listener *l;
	struct sp_dial *d;
	struct sp_addr at;

	ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &at), 0);
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, m, &l, NULL), 0);
	sp_listener_addr(l, &at);
	ck_assert_int_eq(sp_dial_open(loop, "127.0.0.1", (uint16_t)sp_addr_port(&at), GRACE_MS, on_dialled, m, &d), 0);
	run_until_count(&m->done, 2);
	sp_listener_close(&l);
}

/* Nothing here dials Unix sockets: connect by hand, and let a listener accept. */
static void open_unix(struct meeting *m)
{
	char dir[] = "/tmp/sp-net-XXXXXX", text[64];
	struct sp_listener *l;
	struct sp_addr at;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(text, sizeof(text), "unix:%s/s", dir);
	ck_assert_int_eq(sp_addr_parse(text, &at), 0);
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, m, &l, NULL), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, &at.sa, at.len), 0);
	ck_assert_int_eq(sp_tcp_adopt(loop, fd, true, &m->dialled, NULL), 0);
	run_until_count(&m->done, 1);
	sp_listener_close(&l);
	ck_assert_int_eq(rmdir(dir), 0); /* the socket file is gone */
}

void end_attach(struct end *e, struct sp_stream *s)
{
	e->s = s;
	e->in_hash = HASH_START;
	sp_stream_attach(s, &end_events, e);
}

void ends_connect(enum kind kind, struct sp_stream **a, struct sp_stream **b)
{
	struct meeting m = { 0 };

	switch (kind) {
	case KIND_PAIR:
	case KIND_TLS_PAIR:
		ck_assert_int_eq(sp_stream_pair(loop, &m.dialled, &m.accepted), 0);
		break;
	case KIND_TCP:
	case KIND_TLS13:
	case KIND_TLS12:
		open_tcp(&m);
		break;
	case KIND_UNIX:
		open_unix(&m);
		break;
	case KIND_COUNT:
		break;
	}
	*a = m.dialled;
	*b = m.accepted;
}

static unsigned ready;

static void on_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	(void)arg;
	ck_assert_msg(peer != NULL, "%s", cause ? cause->text : "?");
	ready++;
}

static void wrap_tls(enum kind kind, struct end *a, struct end *b)
{
	struct sp_tls_config server = { .server = true }, client = { 0 };
	struct sp_tls_ctx *cs, *cc;
	struct sp_stream *s;

	certs_setup();
	certs_make_usual();
	server.cert_file = CERT("server");
	server.key_file = KEY("server");
	client.ca_file = CERT("ca");
	ck_assert_int_eq(sp_tls_ctx_new(&server, &cs, NULL), 0);
	ck_assert_int_eq(sp_tls_ctx_new(&client, &cc, NULL), 0);
	certs_teardown();
	if (kind == KIND_TLS12)
		SSL_CTX_set_max_proto_version(sp_tls_ctx_ssl(cc), TLS1_2_VERSION);
	ready = 0;
	ck_assert_int_eq(sp_tls_open(cc, a->s, "gateway.test", GRACE_MS, on_ready, NULL, &s), 0);
	end_attach(a, s);
	ck_assert_int_eq(sp_tls_open(cs, b->s, NULL, GRACE_MS, on_ready, NULL, &s), 0);
	end_attach(b, s);
	sp_tls_ctx_unref(&cc);
	sp_tls_ctx_unref(&cs);
	run_until_count(&ready, 2);
	ck_assert_str_eq(sp_tls_peer(a->s)->version, kind == KIND_TLS12 ? "TLSv1.2" : "TLSv1.3");
}

void end_open(struct end *e, struct sp_stream *s)
{
	*e = (struct end){ .collect = true, .seed = 1 };
	end_attach(e, s);
}

void ends_open(enum kind kind, struct end *a, struct end *b)
{
	struct sp_stream *sa, *sb;

	ends_connect(kind, &sa, &sb);
	*a = (struct end){ .collect = true, .other = b, .seed = 1 };
	*b = (struct end){ .collect = true, .other = a, .seed = 2 };
	end_attach(a, sa);
	end_attach(b, sb);
	if (kind >= KIND_TLS13)
		wrap_tls(kind, a, b);
}

void end_free(struct end *e)
{
	ck_assert_uint_eq(e->closed, 1);
	ck_assert_ptr_null(e->s);
	sp_buf_deinit(&e->in);
}

void ends_close(struct end *a, struct end *b)
{
	if (a->s)
		sp_stream_close(a->s, SP_CLOSE_ABORT);
	if (b->s)
		sp_stream_close(b->s, SP_CLOSE_ABORT);
	run_until_count(&a->closed, 1);
	run_until_count(&b->closed, 1);
	end_free(a);
	end_free(b);
}

void ends_setup(void)
{
	linger_ms = 0;
	ck_assert_int_eq(sp_loop_new(&loop), 0);
}

void ends_teardown(void)
{
	sp_loop_run(loop); /* what lingers */
	sp_loop_free(&loop);
}
