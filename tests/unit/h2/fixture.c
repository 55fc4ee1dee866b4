#include "fixture.h"

#include <stdlib.h>

#include "net/loop_int.h"

#define FEED_SLICES 3

struct conn client, server;
uint64_t skew_ms;

static struct side *all[SIDES_MAX * 2];
static unsigned all_count;

const struct sp_h2_options usual_options = {
	.stream_window_bytes = 256 * 1024,
	.connection_window_bytes = 4 * 1024 * 1024,
	.max_streams = 10000,
	.max_head_bytes = 16384,
	.ping_after_ms = 60000,
	.ping_timeout_ms = 60000,
};

uint64_t __real_sp_loop_now_ms(struct sp_loop *l);
uint64_t __wrap_sp_loop_now_ms(struct sp_loop *l);

uint64_t __wrap_sp_loop_now_ms(struct sp_loop *l)
{
	return __real_sp_loop_now_ms(l) + skew_ms;
}

void await(const unsigned *counter, unsigned n)
{
	run_until_count(counter, n);
}

/* ---- one end of a stream --------------------------------------------------------------------- */

static void check_upcall(const struct side *e)
{
	ck_assert_msg(!e->in_call, "an upcall inside a call");
	ck_assert_msg(e->closed == 0, "an upcall after on_closed");
	ck_assert_msg(e->conn->closed == 0 || e->s->input_ended, "an upcall after the connection's on_closed");
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct side *e = arg;
	size_t total = 0, taken, left;

	check_upcall(e);
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_eq(e->eof, 0);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_gt(v[i].n, 0);
		total += v[i].n;
	}
	e->data++;
	e->slices_max = n > e->slices_max ? n : e->slices_max;
	taken = e->take ? e->take(e, v, n, total) : total;
	ck_assert_uint_le(taken, total);
	left = taken;
	for (unsigned i = 0; i < n && left > 0; i++) {
		size_t part = v[i].n < left ? v[i].n : left;

		if (e->collect)
			ck_assert_int_eq(sp_buf_append(&e->in, v[i].p, part), 0);
		e->in_hash = hash_add(e->in_hash, v[i].p, part);
		left -= part;
	}
	e->in_bytes += taken;
	return taken;
}

static void on_eof(void *arg)
{
	struct side *e = arg;

	check_upcall(e);
	ck_assert(e->s->input_ended);
	ck_assert_uint_eq(e->eof++, 0);
	if (e->on_eof)
		e->on_eof(e);
}

static void feed(struct side *e)
{
	static uint8_t chunk[256 * 1024];

	while (e->fed_bytes < e->feed_bytes) {
		size_t max = e->chunk_max, n = 1 + (rnd(&e->seed) * 32768u + rnd(&e->seed)) % max, cut;
		struct sp_slice v[FEED_SLICES];
		ssize_t queued;

		n = n < e->feed_bytes - e->fed_bytes ? n : (size_t)(e->feed_bytes - e->fed_bytes);
		pattern(e->fed_bytes, chunk, n);
		cut = n / FEED_SLICES;
		for (unsigned i = 0; i < FEED_SLICES; i++)
			v[i] = sp_slice_make(chunk + i * cut, i == FEED_SLICES - 1 ? n - i * cut : cut);
		e->in_call = true;
		queued = sp_stream_writev(e->s, v, FEED_SLICES);
		e->in_call = false;
		ck_assert_int_ge(queued, 0);
		e->fed_bytes += n;
		e->fed_hash = hash_add(e->fed_hash, chunk, n);
		memset(chunk, 0xee, n); /* lent for the call only */
		if (queued >= SP_STREAM_HIGH)
			return; /* on_drain goes on */
	}
	if (e->shut_after)
		sp_stream_shutdown_write(e->s);
	e->shut_after = false;
}

static void on_drain(void *arg)
{
	struct side *e = arg;

	check_upcall(e);
	e->drain++;
	if (e->on_drain)
		e->on_drain(e);
	else if (e->feed_bytes > 0)
		feed(e);
}

static void on_trailers(void *arg, const struct sp_fields *trailers)
{
	struct side *e = arg;

	check_upcall(e);
	if (e->on_trailers)
		e->on_trailers(e, trailers);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct side *e = arg;

	check_upcall(e);
	e->closed++;
	e->has_cause = cause != NULL;
	if (cause)
		e->cause = *cause;
	e->s = NULL;
	e->h2 = NULL;
	if (e->on_closed)
		e->on_closed(e);
}

static const struct sp_stream_events side_events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_closed,
	.on_trailers = on_trailers,
};

static struct side *side_new(struct conn *c)
{
	struct side *e = calloc(1, sizeof(*e));

	ck_assert_ptr_nonnull(e);
	ck_assert_uint_lt(all_count, SP_COUNT_OF(all));
	all[all_count++] = e;
	e->conn = c;
	e->in_hash = e->fed_hash = HASH_START;
	e->seed = all_count;
	return e;
}

void side_attach(struct side *e, struct sp_h2_stream *s)
{
	e->h2 = s;
	e->s = sp_h2_stream_io(s);
	sp_stream_attach(e->s, &side_events, e);
}

static void on_response(void *arg, struct sp_h2_stream *s, unsigned status, const struct sp_fields *head)
{
	struct side *e = arg;

	check_upcall(e);
	ck_assert_ptr_eq(s, e->h2);
	ck_assert(sp_fields_get(head, ":status").p != NULL);
	ck_assert_uint_eq(e->heads++, 0);
	ck_assert_uint_eq(e->data, 0);
	e->status = status;
	if (e->on_head)
		e->on_head(e);
}

static struct side *open_side(struct conn *c, const struct sp_fields *head, bool end)
{
	struct side *e = side_new(c);
	struct sp_h2_stream *s;

	ck_assert_int_eq(sp_h2_open(c->h, head, end, on_response, e, &s), 0);
	side_attach(e, s);
	sp_stream_read_start(e->s);
	return e;
}

struct side *side_open(struct conn *c, const struct sp_fields *head)
{
	return open_side(c, head, false);
}

struct side *side_open_end(struct conn *c, const struct sp_fields *head)
{
	return open_side(c, head, true);
}

struct side *side_connect(struct conn *c)
{
	struct sp_fields f;

	head_connect(&f, "host.test:1");
	return side_open(c, &f);
}

struct side *side_tunnel(struct conn *c)
{
	struct side *e = side_connect(c);
	unsigned requests = server.requests;

	await(&e->heads, 1);
	ck_assert_uint_eq(e->status, 200);
	if (server.h)
		ck_assert_uint_eq(server.requests, requests + 1);
	return e;
}

struct side *side_last(struct conn *c)
{
	ck_assert_uint_gt(c->requests, 0);
	return c->sides[c->requests - 1];
}

void side_feed(struct side *e, uint64_t n, size_t chunk_max, bool shut_after)
{
	ck_assert_uint_le(chunk_max, 256 * 1024);
	e->feed_bytes = e->fed_bytes + n;
	e->shut_after = shut_after;
	e->chunk_max = chunk_max;
	feed(e);
}

void side_write(struct side *e, const char *text)
{
	e->in_call = true;
	ck_assert_int_ge(sp_stream_write(e->s, text, strlen(text)), 0);
	e->in_call = false;
}

void side_await(struct side *e, uint64_t in_bytes)
{
	run_until_bytes(&e->in_bytes, in_bytes);
}

void side_await_text(struct side *e, const char *text)
{
	side_await(e, strlen(text));
	ck_assert_uint_eq(e->in_bytes, strlen(text));
	ck_assert_str_eq(sp_buf_str(&e->in), text);
}

void side_close(struct side *e, enum sp_close how)
{
	e->in_call = true;
	sp_stream_close(e->s, how);
	e->in_call = false;
}

/* ---- connections -------------------------------------------------------------------------------- */

static void on_ready(void *arg)
{
	struct conn *c = arg;

	ck_assert_uint_eq(c->closed, 0);
	ck_assert_uint_eq(c->ready++, 0);
	if (c->on_ready)
		c->on_ready(c);
}

static void on_request(void *arg, struct sp_h2_stream *s, const struct sp_fields *head)
{
	struct conn *c = arg;
	struct side *e = side_new(c);

	ck_assert_uint_eq(c->closed, 0);
	ck_assert_uint_lt(c->requests, SIDES_MAX);
	c->sides[c->requests++] = e;
	side_attach(e, s);
	if (c->on_request) {
		c->on_request(e, head);
		return;
	}
	ck_assert_int_eq(sp_h2_respond(s, 200, NULL, false), 0);
	sp_stream_read_start(e->s);
}

static void on_room(void *arg)
{
	struct conn *c = arg;

	ck_assert_uint_eq(c->closed, 0);
	ck_assert_uint_gt(sp_h2_room(c->h), 0);
	c->room++;
	if (c->on_room)
		c->on_room(c);
}

static void on_idle(void *arg)
{
	struct conn *c = arg;

	ck_assert_uint_eq(c->closed, 0);
	ck_assert_uint_eq(sp_h2_stream_count(c->h), 0);
	c->idle++;
	if (c->on_idle)
		c->on_idle(c);
}

static void on_goaway(void *arg, uint32_t code)
{
	struct conn *c = arg;

	ck_assert_uint_eq(c->closed, 0);
	c->goaway++;
	c->goaway_code = code;
	if (c->on_goaway)
		c->on_goaway(c);
}

static void on_conn_closed(void *arg, const struct sp_cause *cause)
{
	struct conn *c = arg;

	ck_assert_uint_eq(c->closed++, 0);
	c->has_cause = cause != NULL;
	if (cause)
		c->cause = *cause;
	c->h = NULL;
	for (unsigned i = 0; i < all_count; i++)
		ck_assert_msg(all[i]->conn != c || all[i]->closed || all[i]->s->input_ended, "a stream outlives its connection");
}

static const struct sp_h2_events conn_events = {
	.on_ready = on_ready,
	.on_request = on_request,
	.on_room = on_room,
	.on_idle = on_idle,
	.on_goaway = on_goaway,
	.on_closed = on_conn_closed,
};

void conn_start(struct conn *c, struct sp_stream *carrier, enum sp_h2_role role)
{
	if (c->opt.stream_window_bytes == 0)
		c->opt = usual_options;
	ck_assert_int_eq(sp_h2_new(loop, carrier, role, &c->opt, &conn_events, c, &c->h), 0);
}

void conns_open(enum kind kind)
{
	struct end a, b;

	ends_open(kind, &a, &b);
	conn_start(&client, a.s, SP_H2_CLIENT);
	conn_start(&server, b.s, SP_H2_SERVER);
	await(&client.ready, 1);
	await(&server.ready, 1);
}

void head_connect(struct sp_fields *f, const char *authority)
{
	f->count = 0;
	sp_fields_add(f, SP_SLICE(":method"), SP_SLICE("CONNECT"));
	sp_fields_add(f, SP_SLICE(":authority"), sp_slice_str(authority));
}

void head_request(struct sp_fields *f, const char *method, const char *path)
{
	f->count = 0;
	sp_fields_add(f, SP_SLICE(":method"), sp_slice_str(method));
	sp_fields_add(f, SP_SLICE(":scheme"), SP_SLICE("http"));
	sp_fields_add(f, SP_SLICE(":authority"), SP_SLICE("origin.test"));
	sp_fields_add(f, SP_SLICE(":path"), sp_slice_str(path));
}

void h2_setup(void)
{
	ends_setup();
	memset(&client, 0, sizeof(client));
	memset(&server, 0, sizeof(server));
	all_count = 0;
	skew_ms = 0;
}

void h2_teardown(void)
{
	struct conn *both[] = { &client, &server };

	linger_ms = 1;
	for (unsigned i = 0; i < 2; i++)
		if (both[i]->h)
			sp_h2_close(both[i]->h);
	for (unsigned i = 0; i < all_count; i++)
		if (all[i]->s)
			sp_stream_close(all[i]->s, SP_CLOSE_ABORT);
	for (unsigned i = 0; i < 2; i++)
		if (both[i]->h)
			await(&both[i]->closed, 1);
	for (unsigned i = 0; i < all_count; i++) {
		if (!all[i]->closed)
			await(&all[i]->closed, 1);
		sp_buf_deinit(&all[i]->in);
		free(all[i]);
	}
	ends_teardown();
}
