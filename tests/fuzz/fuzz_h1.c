/* One HTTP/1.1 exchange, both roles. The first bytes say who does what: role, method, how the reader takes and how the
 * io is written to and closed; the rest is what the other side of the connection says, in pieces. Checked against a
 * decoder that is simpler and more lenient: payload is what it finds, in order; an end is told where it sees one; a
 * carrier that is called reusable stands exactly there; what was sent can be read back. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/must.h"
#include "h1/h1.h"
#include "net/loop_int.h"

#define HEAD_MAX 2048
#define SCRIPT_BYTES 6
#define TURNS_MAX 10000

enum { TAKES_ALL, TAKES_HALF, STOPS_INSIDE, TAKES_SOME };

static struct sp_loop *loop;
static struct sp_stream *peer, *owner, *io;
static struct sp_h1 *h1;
static struct sp_buf said, got, rest, payload, written;
static bool is_server, head_method, peer_closed, owner_closed, io_closed, io_eof, failed, over, answered;
static unsigned takes, closes_in;
static enum sp_close how;
static int framing; /* of what the io gives; -1: no head yet */
static uint64_t length;
static size_t head_end; /* in said: where the body begins */
static struct sp_h1_options opt = { .body = { .payload_bytes = 100000 },
				    .head = { .head_bytes = HEAD_MAX, .line_bytes = HEAD_MAX, .fields = 20 } };

static const struct sp_stream_events io_events;
static bool may_switch, has_request;

/* ---- the simple decoder ------------------------------------------------------------------------------------------ */

struct plain {
	struct sp_buf payload;
	size_t end; /* bytes of the message, when it is complete */
	bool complete;
};

static const uint8_t *find_crlf(struct sp_slice in, size_t at)
{
	const uint8_t *lf = at < in.n ? memchr(in.p + at, '\n', in.n - at) : NULL;

	return lf && lf > in.p + at && lf[-1] == '\r' ? lf + 1 : NULL;
}

static void plain_chunks(struct sp_slice in, struct plain *out)
{
	size_t at = 0;

	for (;;) {
		const uint8_t *next = find_crlf(in, at);
		char line[32] = "";
		unsigned long long n;
		char *end;

		if (at < in.n)
			memcpy(line, in.p + at, in.n - at < 31 ? in.n - at : 31);
		n = strtoull(line, &end, 16);
		if (!next || end == line)
			return;
		at = (size_t)(next - in.p);
		if (n == 0)
			break;
		n = n < in.n - at ? n : in.n - at;
		fuzz_must(sp_buf_append(&out->payload, in.p + at, (size_t)n) == 0);
		at += (size_t)n;
		if (in.n - at < 2 || in.p[at] != '\r' || in.p[at + 1] != '\n')
			return;
		at += 2;
	}
	for (;;) {
		const uint8_t *next = find_crlf(in, at);
		size_t line = at;

		if (!next)
			return;
		at = (size_t)(next - in.p);
		if (at - line == 2)
			break;
	}
	out->end = at;
	out->complete = true;
}

static void plain_decode(struct sp_slice in, int how_framed, uint64_t bytes, bool ended, struct plain *out)
{
	size_t n = in.n;

	*out = (struct plain){ .complete = false };
	switch (how_framed) {
	case SP_BODY_NONE:
		out->complete = true;
		return;
	case SP_BODY_CHUNKED:
		plain_chunks(in, out);
		return;
	case SP_BODY_LENGTH:
		n = bytes < n ? (size_t)bytes : n;
		out->complete = n == bytes;
		break;
	case SP_BODY_UNTIL_CLOSE:
	case SP_BODY_TUNNEL:
		out->complete = ended;
		break;
	}
	fuzz_must(sp_buf_append(&out->payload, in.p, n) == 0);
	out->end = n;
}

static bool begins(const struct sp_buf *b, const struct sp_buf *with)
{
	return with->len <= b->len && (with->len == 0 || memcmp(sp_buf_data(b).p, sp_buf_data(with).p, with->len) == 0);
}

/* ---- the three parties ------------------------------------------------------------------------------------------- */

static size_t on_peer_data(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg, (void)n;
	fuzz_must(sp_buf_append_slice(&got, v[0]) == 0);
	return v[0].n;
}

static void on_flag(void *arg, const struct sp_cause *cause)
{
	(void)cause;
	fuzz_must(!*(bool *)arg);
	*(bool *)arg = true;
}

static const struct sp_stream_events peer_events = { .on_data = on_peer_data, .on_closed = on_flag };

static size_t on_owner_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct sp_http_request r;
	long used;

	(void)arg, (void)n;
	if (!is_server || has_request) {
		fuzz_must(sp_buf_append_slice(&rest, v[0]) == 0);
		return v[0].n;
	}
	used = sp_http_request_parse(v[0], HEAD_MAX, &r);
	if (used <= 0 || sp_h1_serve(owner, &r, &opt, &h1) < 0)
		return 0;
	has_request = true;
	head_method = sp_slice_eq_str(r.method, "HEAD");
	may_switch = sp_http_upgrade(&r).p != NULL;
	framing = r.body;
	length = r.content_length;
	head_end = (size_t)used;
	io = sp_h1_io(h1);
	io_eof = sp_h1_ended(h1);
	sp_stream_attach(io, &io_events, NULL);
	sp_stream_read_start(io);
	return (size_t)used;
}

static const struct sp_stream_events owner_events = { .on_data = on_owner_data, .on_closed = on_flag };

static void check_upcall(unsigned which)
{
	fuzz_must(!io_closed);
	fuzz_must(io != NULL);
	if (closes_in == which)
		sp_stream_close(io, how);
}

static size_t on_io_data(void *arg, const struct sp_slice *v, unsigned n)
{
	size_t took = v[0].n;

	(void)arg, (void)n;
	fuzz_must(!io_eof && v[0].n > 0);
	if (takes == TAKES_HALF || takes == STOPS_INSIDE)
		took = (took + 1) / 2;
	if (takes == TAKES_SOME)
		took = payload.len % 3 < took ? payload.len % 3 : took;
	if (takes == TAKES_SOME && took == 0 && v[0].n > 3)
		took = v[0].n;
	if (takes == STOPS_INSIDE)
		sp_stream_read_stop(io);
	fuzz_must(sp_buf_append(&payload, v[0].p, took) == 0);
	check_upcall(1);
	return took;
}

static void on_io_eof(void *arg)
{
	(void)arg;
	fuzz_must(!io_eof);
	io_eof = true;
	check_upcall(2);
}

static void on_io_trailers(void *arg, const struct sp_fields *f)
{
	(void)arg;
	fuzz_must(f->count > 0 && !io_eof);
	check_upcall(3);
}

static void on_io_closed(void *arg, const struct sp_cause *cause)
{
	(void)arg;
	fuzz_must(!io_closed);
	io_closed = true;
	failed = cause != NULL;
	io = NULL;
}

static const struct sp_stream_events io_events = {
	.on_data = on_io_data,
	.on_eof = on_io_eof,
	.on_trailers = on_io_trailers,
	.on_closed = on_io_closed,
};

static void on_interim(void *arg, unsigned status, const struct sp_fields *f)
{
	(void)arg, (void)f;
	fuzz_must(status >= 100 && status < 200 && status != 101 && framing < 0);
	check_upcall(4);
}

static void on_response(void *arg, const struct sp_http_response *r)
{
	(void)arg;
	fuzz_must(framing < 0);
	framing = head_method || r->status == 204 || r->status == 304 ? SP_BODY_NONE
		  : r->status == 101				      ? SP_BODY_TUNNEL
								      : (int)r->body;
	length = r->content_length;
	check_upcall(5);
	sp_stream_read_start(io);
}

static void on_over(void *arg)
{
	(void)arg;
	fuzz_must(io_closed && !over);
	over = true;
}

static const struct sp_h1_client_events client_events = { on_interim, on_response, on_over };

/* ---- the play ---------------------------------------------------------------------------------------------------- */

static bool turned(void *arg)
{
	return sp_loop_turn(loop) >= *(uint64_t *)arg;
}

static void on_spin(uv_idle_t *i)
{
	(void)i;
}

/* Without waiting for anything. */
static void turns(unsigned n)
{
	uint64_t until = sp_loop_turn(loop) + n;
	static uv_idle_t spin;

	if (!spin.loop)
		uv_idle_init(sp_loop_uv(loop), &spin);
	uv_idle_start(&spin, on_spin);
	(void)sp_loop_run_until(loop, turned, &until, 10000);
	uv_idle_stop(&spin);
}

static void ask(uint8_t script)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "POST" };
	struct sp_msg_request r = { .method = sp_slice_str(methods[script & 3]), .path = SP_SLICE("/") };
	struct sp_buf b = { 0 };

	r.has_body = (script & 3) >= 2;
	r.has_length = (script & 3) == 3;
	r.length = 10;
	if ((script & 3) == 0 && script & 4)
		r.protocol = SP_SLICE("x");
	may_switch = r.protocol.p != NULL;
	head_method = (script & 3) == 1;
	fuzz_must(sp_msg_request_write(&r, SP_SLICE("a"), &r.fields, &b) == 0);
	fuzz_must(sp_h1_request(owner, &r, sp_buf_data(&b), script & 8, &opt, &client_events, NULL, &h1) == 0);
	sp_buf_deinit(&b);
	io = sp_h1_io(h1);
	sp_stream_attach(io, &io_events, NULL);
}

static void answer(uint8_t script)
{
	static const unsigned statuses[] = { 200, 204, 304, 404 };
	struct sp_msg_response r = { .status = statuses[script & 3] };
	struct sp_fields none = { 0 };

	r.has_length = script & 4;
	r.length = 10;
	r.ended = (script & 24) == 24;
	r.switched = may_switch && script & 32;
	if (script & 64)
		(void)sp_h1_inform(h1, 103, &none);
	if (sp_h1_respond(h1, &r, SP_SLICE("x"), script & 128) == 0) {
		answered = true;
		if (r.switched)
			framing = SP_BODY_TUNNEL;
		if (!io_eof && sp_h1_ended(h1))
			io_eof = true;
	}
}

static void write_some(unsigned n)
{
	static const uint8_t bytes[10000];

	if (io && n > 0 && sp_stream_write(io, bytes, n) >= 0)
		fuzz_must(sp_buf_append(&written, bytes, n) == 0);
}

/* The pieces of what the peer says; how long each is, depends on what was said. */
static void talk(const uint8_t *data, size_t n, const uint8_t *script)
{
	unsigned seed = script[1], piece = 0;
	size_t at = 0;

	while (at < n) {
		size_t size = 1 + (seed = seed * 1103515245 + 12345) / 65536 % (1u + script[1] % 64);

		size = size < n - at ? size : n - at;
		fuzz_must(sp_buf_append(&said, data + at, size) == 0);
		if (sp_stream_write(peer, data + at, size) < 0)
			break;
		at += size;
		turns(2);
		if (io && takes != TAKES_ALL)
			sp_stream_read_start(io);
		if (io && is_server && !answered && ++piece > script[2] % 8u)
			answer(script[3]);
		if (io && piece % 4 == 3)
			write_some(script[4] % 5);
	}
}

static void check(enum sp_h1_left left, bool ended)
{
	struct sp_slice all = said.len > 0 ? sp_buf_data(&said) : SP_SLICE(""), body;
	struct plain p;

	if (!is_server) { /* find the head of the final response */
		struct sp_http_response r;
		long used;

		head_end = 0;
		do {
			struct sp_slice in = sp_slice_make(all.p + head_end, all.n - head_end);

			used = in.n > 0 ? sp_http_response_read(in, &opt.head, &r) : 0;
			head_end += used > 0 ? (size_t)used : 0;
		} while (used > 0 && r.status < 200 && r.status != 101);
		fuzz_must(framing < 0 || used > 0);
	}
	if (framing < 0) {
		fuzz_must(payload.len == 0 && !io_eof && (is_server || left == SP_H1_ABORT));
		return;
	}
	body = sp_slice_make(all.p + head_end, all.n - head_end);
	plain_decode(body, framing, length, ended, &p);
	fuzz_must(begins(&p.payload, &payload));
	if (io_eof) {
		fuzz_must(p.complete);
		fuzz_must(p.payload.len == payload.len);
	}
	if (left == SP_H1_REUSABLE && owner) {
		fuzz_must(p.complete && p.payload.len == payload.len && framing != SP_BODY_TUNNEL);
		turns(4);
		fuzz_must(rest.len == body.n - p.end); /* exactly what follows the message */
		fuzz_must(rest.len == 0 || memcmp(sp_buf_data(&rest).p, body.p + p.end, rest.len) == 0);
		fuzz_must(is_server || rest.len == 0);
	}
	sp_buf_deinit(&p.payload);
}

/* What we sent is whole, when it is called so. */
static void check_sent(enum sp_h1_left left, bool ended)
{
	struct sp_slice all = got.len > 0 ? sp_buf_data(&got) : SP_SLICE("");
	int framed = SP_BODY_NONE;
	uint64_t bytes = 0;
	struct plain p;
	long used;

	if (left == SP_H1_ABORT || peer_closed || owner_closed || (is_server && !answered))
		return;
	if (is_server) {
		struct sp_http_response r;

		do {
			used = sp_http_response_parse(all, HEAD_MAX, &r);
			fuzz_must(used > 0);
			all = sp_slice_make(all.p + used, all.n - (size_t)used);
		} while (r.status < 200 && r.status != 101);
		framed = sp_http_response_framing(&r, head_method ? SP_SLICE("HEAD") : SP_SLICE("GET"));
		bytes = r.content_length;
	} else {
		struct sp_http_request r;

		used = sp_http_request_parse(all, HEAD_MAX, &r);
		fuzz_must(used > 0);
		all = sp_slice_make(all.p + used, all.n - (size_t)used);
		framed = framing == SP_BODY_TUNNEL ? SP_BODY_TUNNEL : (int)r.body;
		bytes = r.content_length;
	}
	(void)ended;
	plain_decode(all, framed, bytes, true, &p);
	fuzz_must(p.complete && p.end == all.n);
	fuzz_must(p.payload.len == written.len);
	sp_buf_deinit(&p.payload);
}

static void finish(const uint8_t *script)
{
	enum sp_h1_left left = SP_H1_ABORT;
	bool ended = script[5] & 1, dies = (script[5] & 6) == 6;
	unsigned i;

	if (dies)
		sp_stream_close(peer, SP_CLOSE_ABORT);
	else if (ended)
		sp_stream_shutdown_write(peer);
	turns(3);
	for (i = 0; io && !io_eof && i < 40; i++) {
		sp_stream_read_start(io);
		turns(2);
	}
	if (io && is_server && !answered && script[5] & 8)
		answer(script[3]);
	if (io && script[5] & 16)
		write_some(script[4] * 37u);
	if (io && script[5] & 32)
		sp_stream_shutdown_write(io);
	turns(2);
	if (io)
		sp_stream_close(io, how);
	for (i = 0; h1 && !io_closed && i < TURNS_MAX; i++)
		turns(1);
	fuzz_must(!h1 || io_closed);
	if (h1) {
		fuzz_must(is_server || over);
		owner = sp_h1_release(&h1, &left);
		if (!owner)
			owner_closed = true;
		if (owner) {
			sp_stream_attach(owner, &owner_events, &owner_closed);
			sp_stream_read_start(owner);
		}
		turns(3);
		check(left, ended || dies);
		if (!dies)
			check_sent(left, ended);
	}
}

static void close_all(void)
{
	struct sp_buf *all[] = { &said, &got, &rest, &payload, &written };

	if (!owner_closed)
		sp_stream_close(owner, SP_CLOSE_ABORT);
	if (!peer_closed)
		sp_stream_close(peer, SP_CLOSE_ABORT);
	turns(4);
	fuzz_must(owner_closed && peer_closed);
	for (unsigned i = 0; i < SP_COUNT_OF(all); i++)
		sp_buf_deinit(all[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < SCRIPT_BYTES)
		return 0;
	if (!loop)
		fuzz_must(sp_loop_new(&loop) == 0);
	fuzz_must(sp_stream_pair(loop, &peer, &owner) == 0);
	is_server = data[0] & 1;
	takes = data[0] >> 1 & 3;
	closes_in = data[0] >> 3 & 7;
	how = data[0] & 64 ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH;
	peer_closed = owner_closed = io_closed = io_eof = failed = over = answered = has_request = may_switch =
	    head_method = false;
	framing = -1;
	length = 0;
	head_end = 0;
	h1 = NULL;
	io = NULL;
	sp_stream_attach(peer, &peer_events, &peer_closed);
	sp_stream_attach(owner, &owner_events, &owner_closed);
	sp_stream_read_start(peer);
	sp_stream_read_start(owner);
	if (!is_server)
		ask(data[3]);
	talk(data + SCRIPT_BYTES, n - SCRIPT_BYTES, data);
	finish(data);
	close_all();
	return 0;
}
