/* What HTTP messages have beyond a head and a body: no body at all, interim responses, trailers, extended CONNECT. */
#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

struct watch {
	struct side *e;
	unsigned interims, trailers;
	unsigned status[8];
	char text[256]; /* the last fields: "name: value|" */
};

static struct watch at_client, at_server;

static void write_fields(struct watch *w, const struct sp_fields *f)
{
	w->text[0] = '\0';
	for (unsigned i = 0; i < f->count; i++) {
		size_t n = strlen(w->text);

		snprintf(w->text + n, sizeof(w->text) - n, "%.*s: %.*s|", (int)f->v[i].name.n, (const char *)f->v[i].name.p,
			 (int)f->v[i].value.n, (const char *)f->v[i].value.p);
	}
}

static void on_interim(void *arg, unsigned status, const struct sp_fields *head)
{
	struct watch *w = arg;

	ck_assert_uint_eq(w->e->heads, 0);
	w->status[w->interims++] = status;
	write_fields(w, head);
}

static void on_trailers(struct side *e, const struct sp_fields *trailers)
{
	struct watch *w = e->user;

	ck_assert_uint_eq(e->eof, 0);
	w->trailers++;
	write_fields(w, trailers);
}


static void watch(struct watch *w, struct side *e)
{
	*w = (struct watch){ .e = e };
	e->on_trailers = on_trailers;
	e->user = w;
	ck_assert_int_eq(sp_h2_watch_interim(e->h2, on_interim, w), 0);
}

static struct side *request(const char *method)
{
	struct sp_fields f;
	struct side *e;

	head_request(&f, method, "/x");
	e = side_open(&client, &f);
	watch(&at_client, e);
	return e;
}

static struct sp_fields fields(const char *name, const char *value)
{
	struct sp_fields f = { 0 };

	sp_fields_add(&f, sp_slice_str(name), sp_slice_str(value));
	return f;
}

/* Keeps the request for the test to answer. */
static void hold(struct side *e, const struct sp_fields *head)
{
	(void)head;
	e->collect = true;
	watch(&at_server, e);
	sp_stream_read_start(e->s);
}

static bool seen_body;

static void see_body(struct side *e, const struct sp_fields *head)
{
	seen_body = sp_h2_stream_has_body(e->h2);
	hold(e, head);
}

/* Whether a body follows is known with the head: in both directions, and without a byte. */
START_TEST(no_body)
{
	struct sp_fields f;
	struct side *a, *b;

	server.on_request = see_body;
	conns_open(KIND_PAIR);
	head_request(&f, "GET", "/x");
	a = side_open_end(&client, &f);
	await(&server.requests, 1);
	b = side_last(&server);
	ck_assert(!seen_body);
	await(&b->eof, 1);
	ck_assert_int_eq(sp_stream_write(a->s, "x", 1), SP_ECLOSED);
	ck_assert_int_eq(sp_h2_respond(b->h2, 204, NULL, true), 0);
	await(&a->heads, 1);
	ck_assert_uint_eq(a->status, 204);
	await(&a->eof, 1);
	side_close(a, SP_CLOSE_FLUSH);
	side_close(b, SP_CLOSE_FLUSH);
	await(&a->closed, 1);
	await(&b->closed, 1);
	ck_assert(!a->has_cause && !b->has_cause);
}
END_TEST

START_TEST(a_body_is_announced)
{
	struct side *a;

	server.on_request = see_body;
	conns_open(KIND_PAIR);
	a = request("POST");
	await(&server.requests, 1);
	ck_assert(seen_body);
	side_close(a, SP_CLOSE_ABORT);
}
END_TEST

/* Both directions, with and without a body before them; the receiver has them before its eof. */
START_TEST(trailers)
{
	struct sp_fields up = fields("x-sum", "12"), down = fields("grpc-status", "0");
	struct side *a, *b;

	server.on_request = hold;
	conns_open(_i & 1 ? KIND_TLS13 : KIND_PAIR);
	a = request("POST");
	if (_i & 2)
		side_write(a, "ping");
	ck_assert_int_eq(sp_stream_trailers(a->s, &up), 0);
	sp_stream_shutdown_write(a->s);
	ck_assert_int_eq(sp_stream_trailers(a->s, &up), SP_ECLOSED);
	await(&server.requests, 1);
	b = side_last(&server);
	await(&b->eof, 1);
	ck_assert_uint_eq(at_server.trailers, 1);
	ck_assert_str_eq(at_server.text, "x-sum: 12|");
	ck_assert_str_eq(sp_buf_str(&b->in), _i & 2 ? "ping" : "");
	ck_assert_int_eq(sp_h2_respond(b->h2, 200, NULL, false), 0);
	if (_i & 2)
		side_write(b, "pong");
	ck_assert_int_eq(sp_stream_trailers(b->s, &down), 0);
	side_close(b, SP_CLOSE_FLUSH);
	await(&a->eof, 1);
	ck_assert_uint_eq(at_client.trailers, 1);
	ck_assert_str_eq(at_client.text, "grpc-status: 0|");
	side_close(a, SP_CLOSE_FLUSH);
	await(&a->closed, 1);
	await(&b->closed, 1);
	ck_assert(!a->has_cause && !b->has_cause);
	ck_assert_uint_eq(at_client.interims + at_server.interims, 0);
}
END_TEST

/* Who does not watch hears nothing of them, and the bytes are right. */
START_TEST(unwatched)
{
	struct sp_fields f, t = fields("x", "y");
	struct side *a, *b;

	server.on_request = hold;
	conns_open(KIND_PAIR);
	head_request(&f, "POST", "/x");
	a = side_open(&client, &f);
	await(&server.requests, 1);
	b = side_last(&server);
	ck_assert_int_eq(sp_h2_inform(b->h2, 103, &t), 0);
	ck_assert_int_eq(sp_h2_respond(b->h2, 200, NULL, false), 0);
	ck_assert_int_eq(sp_stream_trailers(b->s, &t), 0);
	side_write(b, "body");
	sp_stream_shutdown_write(b->s);
	await(&a->eof, 1);
	ck_assert_uint_eq(a->status, 200);
	ck_assert_uint_eq(a->in_bytes, 4);
	side_close(a, SP_CLOSE_FLUSH);
}
END_TEST

START_TEST(interim_responses)
{
	struct sp_fields hint = fields("link", "</style.css>");
	struct side *a, *b;

	server.on_request = hold;
	conns_open(KIND_PAIR);
	a = request("POST");
	await(&server.requests, 1);
	b = side_last(&server);
	ck_assert_int_eq(sp_h2_inform(b->h2, 103, &hint), 0);
	await(&at_client.interims, 1);
	ck_assert_str_eq(at_client.text, ":status: 103|link: </style.css>|");
	ck_assert_int_eq(sp_h2_inform(b->h2, 100, NULL), 0);
	await(&at_client.interims, 2);
	ck_assert_uint_eq(at_client.status[0], 103);
	ck_assert_uint_eq(at_client.status[1], 100);
	side_write(a, "after 100");
	side_await_text(b, "after 100");
	/* The last one and the final response in one batch. */
	ck_assert_int_eq(sp_h2_inform(b->h2, 102, NULL), 0);
	ck_assert_int_eq(sp_h2_respond(b->h2, 200, NULL, false), 0);
	await(&a->heads, 1);
	ck_assert_uint_eq(at_client.interims, 3);
	ck_assert_uint_eq(at_client.status[2], 102);
	ck_assert_int_eq(sp_h2_inform(b->h2, 103, NULL), SP_EINVAL);
	side_close(a, SP_CLOSE_ABORT);
}
END_TEST

START_TEST(no_interim_responses)
{
	static const unsigned bad[] = { 0, 99, 101, 200, 404 };
	struct side *a;

	server.on_request = hold;
	conns_open(KIND_PAIR);
	a = request("GET");
	await(&server.requests, 1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(sp_h2_inform(side_last(&server)->h2, bad[i], NULL), SP_EINVAL);
	side_close(a, SP_CLOSE_ABORT);
}
END_TEST

/* They count as a head does; what is too large is not sent, and what comes too large fails the stream. */
START_TEST(trailers_too_large)
{
	static char text[3000];
	struct sp_fields t;
	struct side *a, *b;

	memset(text, 'x', sizeof(text) - 1);
	t = fields("x-large", text);
	client.opt = server.opt = usual_options;
	client.opt.max_head_bytes = _i ? usual_options.max_head_bytes : 2048;
	server.opt.max_head_bytes = _i ? 2048 : usual_options.max_head_bytes;
	server.on_request = hold;
	conns_open(KIND_PAIR);
	a = request("POST");
	await(&server.requests, 1);
	b = side_last(&server);
	ck_assert_int_eq(sp_stream_trailers(a->s, &t), _i ? 0 : SP_ETOOBIG);
	sp_stream_shutdown_write(a->s);
	if (_i) {
		await(&b->closed, 1);
		ck_assert_int_eq(b->cause.err, SP_ETOOBIG);
		ck_assert_uint_eq(at_server.trailers + b->eof, 0);
	} else {
		await(&b->eof, 1);
		ck_assert_uint_eq(at_server.trailers, 0);
		side_close(b, SP_CLOSE_ABORT);
	}
}
END_TEST

static char protocol[32];

static void see_protocol(struct side *e, const struct sp_fields *head)
{
	(void)sp_slice_copy(sp_fields_get(head, ":protocol"), protocol, sizeof(protocol));
	e->collect = true;
	ck_assert_int_eq(sp_h2_respond(e->h2, 200, NULL, false), 0);
	sp_stream_read_start(e->s);
}

/* RFC 8441: a request head, and then a tunnel. */
START_TEST(extended_connect)
{
	struct sp_fields f;
	struct side *a;

	server.on_request = see_protocol;
	conns_open(KIND_PAIR);
	ck_assert(sp_h2_extended_connect(client.h));
	ck_assert(!sp_h2_extended_connect(server.h));
	head_request(&f, "CONNECT", "/chat");
	sp_fields_add(&f, SP_SLICE(":protocol"), SP_SLICE("websocket"));
	a = side_open(&client, &f);
	a->collect = true;
	side_write(a, "early"); /* waits for the answer, as with any CONNECT */
	await(&a->heads, 1);
	ck_assert_str_eq(protocol, "websocket");
	side_await_text(side_last(&server), "early");
	side_write(side_last(&server), "back");
	side_await_text(a, "back");
	side_close(a, SP_CLOSE_FLUSH);
	await(&side_last(&server)->eof, 1);
}
END_TEST

Suite *sp_suite_h2_messages(void)
{
	Suite *s = suite_create("h2_messages");
	TCase *tc = tcase_create("messages");

	tcase_add_checked_fixture(tc, h2_setup, h2_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, no_body);
	tcase_add_test(tc, a_body_is_announced);
	tcase_add_loop_test(tc, trailers, 0, 4);
	tcase_add_test(tc, unwatched);
	tcase_add_test(tc, interim_responses);
	tcase_add_test(tc, no_interim_responses);
	tcase_add_loop_test(tc, trailers_too_large, 0, 2);
	tcase_add_test(tc, extended_connect);
	suite_add_tcase(s, tc);
	return s;
}
