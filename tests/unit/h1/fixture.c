#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 4096

struct side x;
struct end peer, owner;
struct sp_h1_options opt;
bool serving;
int served;
unsigned requests;

/* ---- the io's reader --------------------------------------------------------------------------------------------- */

static void check_upcall(const struct side *e)
{
	ck_assert_msg(!e->in_call, "an upcall inside a call");
	ck_assert_msg(e->closed == 0, "an upcall after on_closed");
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	int left = allocations_fail_after(-1);
	struct side *e = arg;
	size_t took;

	check_upcall(e);
	ck_assert(!e->stopped);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_gt(v[0].n, 0);
	ck_assert_uint_eq(e->eof + e->trailers, 0);
	e->data++;
	e->seen = v[0].n;
	e->ended_when_lent = e->s->input_ended;
	took = e->take ? e->take(e, v[0]) : v[0].n;
	ck_assert_int_eq(sp_buf_append(&e->in, v[0].p, took), 0);
	allocations_fail_after(left);
	return took;
}

static void on_eof(void *arg)
{
	int left = allocations_fail_after(-1);
	struct side *e = arg;

	check_upcall(e);
	ck_assert(!e->stopped);
	ck_assert(e->s->input_ended);
	ck_assert_uint_eq(e->eof++, 0);
	if (e->on_eof)
		e->on_eof(e);
	allocations_fail_after(left);
}

static void on_trailers(void *arg, const struct sp_fields *f)
{
	int left = allocations_fail_after(-1);
	struct side *e = arg;

	check_upcall(e);
	ck_assert_uint_eq(e->eof, 0);
	ck_assert_uint_eq(e->trailers++, 0);
	for (unsigned i = 0; i < f->count; i++) {
		size_t at = strlen(e->trailer);

		snprintf(e->trailer + at, sizeof(e->trailer) - at, "%.*s=%.*s,", SP_SLICE_ARG(f->v[i].name),
			 SP_SLICE_ARG(f->v[i].value));
	}
	if (e->on_trailers)
		e->on_trailers(e);
	allocations_fail_after(left);
}

static void on_drain(void *arg)
{
	struct side *e = arg;

	check_upcall(e);
	e->drain++;
	if (e->on_drain)
		e->on_drain(e);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	int left = allocations_fail_after(-1);
	struct side *e = arg;

	check_upcall(e);
	e->closed++;
	e->has_cause = cause != NULL;
	if (cause)
		e->cause = *cause;
	e->s = NULL;
	if (e->release_at_end)
		give_back();
	allocations_fail_after(left);
}

static const struct sp_stream_events io_events = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drain = on_drain,
	.on_closed = on_closed,
	.on_trailers = on_trailers,
};

void attach(void)
{
	x.s = sp_h1_io(x.h);
	sp_stream_attach(x.s, &io_events, &x);
}

/* ---- the server's side ------------------------------------------------------------------------------------------- */

static size_t take_head(struct end *e, const uint8_t *p, size_t n)
{
	struct sp_http_request r;
	long used;

	if (!serving)
		return n;
	used = sp_http_request_parse(sp_slice_make(p, n), HEAD_MAX, &r);
	ck_assert_int_ge(used, 0);
	if (used == 0)
		return 0;
	serving = false;
	/* As owners do that let upgrades through. */
	served = sp_h1_serve(e->s, &r, &opt, &x.h);
	requests++;
	if (served == 0) {
		owner.s = NULL;
		attach();
		x.in_call = true;
		sp_stream_read_start(x.s);
		x.in_call = false;
	}
	return (size_t)used;
}

void serve(const char *head)
{
	unsigned before = requests;

	serving = true;
	if (head)
		say(head);
	run_until_count(&requests, before + 1);
}

int try_respond(unsigned status, const char *more)
{
	struct sp_msg_response r = { .status = status };
	const char *length = strstr(more, "length=");
	int err;

	r.ended = strstr(more, "ended") != NULL;
	r.switched = strstr(more, "switched") != NULL;
	r.has_length = length != NULL;
	r.length = length ? strtoull(length + 7, NULL, 10) : 0;
	x.in_call = true;
	err = sp_h1_respond(x.h, &r, r.switched ? SP_SLICE("websocket") : SP_SLICE_NONE, strstr(more, "close") != NULL);
	x.in_call = false;
	return err;
}

void respond(unsigned status, const char *more)
{
	ck_assert_int_eq(try_respond(status, more), 0);
	ck_assert(sp_h1_answered(x.h));
}

/* ---- the client's side ------------------------------------------------------------------------------------------- */

static void on_interim(void *arg, unsigned status, const struct sp_fields *fields)
{
	struct side *e = arg;

	(void)fields;
	check_upcall(e);
	ck_assert_uint_eq(e->responses, 0);
	e->interims++;
	e->status = status;
	if (e->on_interim)
		e->on_interim(e);
}

static void on_response(void *arg, const struct sp_http_response *r)
{
	struct side *e = arg;

	check_upcall(e);
	ck_assert_uint_eq(e->responses++, 0);
	ck_assert_uint_eq(e->data, 0);
	e->status = r->status;
	if (e->on_response)
		e->on_response(e);
	if (!e->idle)
		sp_stream_read_start(e->s);
}

static void on_over(void *arg)
{
	struct side *e = arg;

	ck_assert_uint_eq(e->closed, 1);
	ck_assert_uint_eq(e->over++, 0);
}

static const struct sp_h1_client_events client_events = {
	.on_interim = on_interim,
	.on_response = on_response,
	.on_over = on_over,
};

static int request_of(const char *method, const char *more, struct sp_msg_request *r, struct sp_buf *b)
{
	const char *length = strstr(more, "length=");

	*r = (struct sp_msg_request){ .method = sp_slice_str(method), .path = SP_SLICE("/") };
	r->has_length = length != NULL;
	r->length = length ? strtoull(length + 7, NULL, 10) : 0;
	r->has_body = strstr(more, "body") || r->length > 0;
	if (strstr(more, "protocol"))
		r->protocol = SP_SLICE("websocket");
	return sp_msg_request_write(r, SP_SLICE("s.test"), &r->fields, b);
}

void ask(const char *method, const char *more)
{
	struct sp_buf b = { 0 };
	struct sp_msg_request r;
	struct sp_stream *carrier = owner.s;

	ck_assert_int_eq(request_of(method, more, &r, &b), 0);
	ck_assert_int_eq(
	    sp_h1_request(carrier, &r, sp_buf_data(&b), strstr(more, "reused") != NULL, &opt, &client_events, &x, &x.h),
	    0);
	sp_buf_deinit(&b);
	owner.s = NULL;
	attach();
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

void say_n(const char *p, size_t n)
{
	peer.in_call = true;
	ck_assert_int_ge(sp_stream_write(peer.s, p, n), 0);
	peer.in_call = false;
}

void say(const char *text)
{
	say_n(text, strlen(text));
}

void heard(const char *text)
{
	run_until_bytes(&peer.in_bytes, strlen(text));
	run_turns(2);
	ck_assert_str_eq(peer.in.len ? sp_buf_str(&peer.in) : "", text);
}

void body(const char *text)
{
	uint64_t n = strlen(text);

	for (unsigned i = 0; x.in.len < n && i < 100; i++)
		run_turns(1);
	run_turns(2);
	ck_assert_str_eq(x.in.len ? sp_buf_str(&x.in) : "", text);
}

void put(const char *text)
{
	x.in_call = true;
	ck_assert_int_ge(sp_stream_write(x.s, text, strlen(text)), 0);
	x.in_call = false;
}

void end(void)
{
	x.in_call = true;
	sp_stream_shutdown_write(x.s);
	x.in_call = false;
}

void shut(enum sp_close how)
{
	x.in_call = true;
	sp_stream_close(x.s, how);
	sp_stream_close(x.s, how);
	x.in_call = false;
}

void ended(int err)
{
	run_until_count(&x.closed, 1);
	run_turns(3);
	ck_assert_uint_eq(x.closed, 1);
	ck_assert_msg(x.has_cause == (err != 0), "%s", x.has_cause ? x.cause.text : "no cause");
	if (err)
		ck_assert_msg(x.cause.err == err, "%d: %s", x.cause.err, x.cause.text);
}

enum sp_h1_left give_back(void)
{
	enum sp_h1_left left;
	struct sp_stream *carrier = sp_h1_release(&x.h, &left);

	ck_assert_ptr_null(x.h);
	owner.closed = 0;
	sp_buf_deinit(&owner.in); /* the head */
	owner.in_bytes = 0;
	if (carrier) {
		owner.s = carrier;
		owner.in_hash = HASH_START;
		sp_stream_attach(carrier, &end_events, &owner);
		sp_stream_read_start(carrier);
	} else {
		owner.closed = 1;
	}
	return left;
}

void peer_dies(void)
{
	sp_stream_close(peer.s, SP_CLOSE_ABORT);
	run_until_count(&peer.closed, 1);
}

static unsigned passed;

static void on_passed(struct sp_timer *t)
{
	(void)t;
	passed = 1;
}

void pass_ms(unsigned ms)
{
	struct sp_timer t = { 0 };

	passed = 0;
	sp_timer_start(loop, &t, ms, on_passed);
	run_until_count(&passed, 1);
}

void fresh(void)
{
	ends_open(KIND_PAIR, &peer, &owner);
	owner.take = take_head;
	sp_stream_read_start(peer.s);
	sp_stream_read_start(owner.s);
	memset(&x, 0, sizeof(x));
	serving = false;
	served = 1;
}

void done(void)
{
	enum sp_h1_left left;

	linger_ms = 1;
	if (x.h && x.s) {
		sp_stream_close(x.s, SP_CLOSE_ABORT);
		run_until_count(&x.closed, 1);
	}
	if (x.h && x.over == 0 && x.responses)
		run_turns(1);
	if (x.h) {
		left = give_back();
		ck_assert_uint_le(left, SP_H1_ABORT);
	}
	ends_close(&peer, &owner);
	sp_buf_deinit(&x.in);
}

void h1_setup(void)
{
	ends_setup();
	opt = (struct sp_h1_options){ .head = { .head_bytes = HEAD_MAX, .line_bytes = HEAD_MAX, .fields = 50 } };
	requests = 0;
	fresh();
}

void h1_teardown(void)
{
	done();
	ends_teardown();
}
