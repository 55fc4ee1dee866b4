#define _GNU_SOURCE /* memmem */
#include "asks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct sp_back *back;
struct sp_listener *listener;
struct sp_addr at;
unsigned backs_closed;
struct sp_authority target;
const char *claims, *path = "/x";

struct peer system_end[SYSTEMS_MAX];
unsigned accepted;

static void on_accept(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	(void)arg, (void)peer;
	ck_assert_uint_lt(accepted, SYSTEMS_MAX);
	peer_attach(&system_end[accepted++], s);
}

void on_back_closed(void *arg)
{
	(void)arg;
	backs_closed++;
}

void asks_setup(void)
{
	struct sp_addr any;
	struct sp_cause cause = { 0 };

	loop_setup();
	memset(system_end, 0, sizeof(system_end));
	accepted = backs_closed = 0;
	skew_ms = 0;
	conf = SP_NEW(struct sp_conf);
	conf->refs = 1;
	conf->timeouts.dial_ms = conf->timeouts.keep_alive_ms = conf->timeouts.response_ms = PEER_WAIT_MS;
	conf->limits.fields = 64;
	ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &any), 0);
	ck_assert_int_eq(sp_listener_open(loop, &any, false, on_accept, NULL, &listener, &cause), 0);
	sp_listener_addr(listener, &at);
	ck_assert_int_eq(sp_authority_make(SP_SLICE("127.0.0.1"), (uint16_t)sp_addr_port(&at), &target), 0);
	claims = NULL;
	path = "/x";
	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
}

void asks_teardown(void)
{
	if (backs_closed == 0)
		back->ops->close(back, on_back_closed, NULL);
	await_count(&backs_closed, 1);
	for (unsigned i = 0; i < accepted; i++)
		peer_end(&system_end[i]);
	if (listener)
		sp_listener_close(&listener);
	loop_teardown();
	sp_conf_unref(&conf);
	skew_ms = 0;
}

/* The system as an entry of a connector's file, under its own name; in place of the direct back. */
struct sp_conf_expose *expose_all(uint64_t response_ms)
{
	struct sp_conf_expose *e = SP_NEW(struct sp_conf_expose);
	struct sp_cause cause = { 0 };

	back->ops->close(back, on_back_closed, NULL);
	await_count(&backs_closed, 1);
	backs_closed = 0;
	*e = (struct sp_conf_expose){ .protocol = SP_EXPOSE_HTTP, .response_ms = response_ms, .head_max_bytes = 8192, .path_count = 1,
				      .virtual_host = "127.0.0.1", .internal_host = "127.0.0.1" };
	e->first_port = e->last_port = e->internal_first_port = e->internal_last_port = (uint16_t)sp_addr_port(&at);
	e->paths = SP_NEW(struct sp_conf_path);
	e->paths->path = sp_strdup("/");
	e->paths->sub_paths = true;
	conf->exposes = e;
	conf->expose_count = 1;
	ck_assert_int_eq(sp_back_exposed_new(loop, conf, &back, &cause), 0);
	return e;
}

/* ---- asking ------------------------------------------------------------------------------------------------------- */

static void on_sent(void *arg, struct sp_stream *s)
{
	struct ask *a = arg;

	a->sent++;
	if (s)
		peer_attach(&a->io, s);
}

static void on_interim(void *arg, unsigned status, const struct sp_fields *fields)
{
	struct ask *a = arg;

	(void)fields;
	ck_assert_uint_eq(status, 103);
	a->interims++;
}

static void on_open(void *arg, struct sp_stream *s, enum sp_outcome o, const struct sp_cause *cause)
{
	struct ask *a = arg;

	a->open = NULL;
	a->done++;
	a->outcome = o;
	ck_assert_int_eq(s != NULL, o == SP_OUTCOME_OK);
	if (cause)
		a->cause = *cause;
	if (!s)
		return;
	a->status = a->x.response->status;
	for (unsigned i = 0; i < a->x.response->fields.count; i++) {
		const struct sp_field *f = &a->x.response->fields.v[i];
		size_t n = strlen(a->fields);

		snprintf(a->fields + n, sizeof(a->fields) - n, "%.*s: %.*s\n", (int)f->name.n, (const char *)f->name.p, (int)f->value.n,
			 (const char *)f->value.p);
	}
	if (a->io.s)
		ck_assert_ptr_eq(a->io.s, s);
	else
		peer_attach(&a->io, s);
}

static const struct sp_exchange_events events = { .on_sent = on_sent, .on_interim = on_interim };

void begin(struct ask *a, const char *method, const char *more)
{
	struct sp_http_request r;
	char text[2048];

	memset(a, 0, sizeof(*a));
	a->x.target = target;
	a->x.claims = sp_strdup(claims);
	snprintf(text, sizeof(text), "%s http://127.0.0.1:%u%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", method, sp_addr_port(&at), path, more);
	ck_assert_int_gt(sp_http_request_parse(sp_slice_str(text), sizeof(text), &r), 0);
	ck_assert_int_eq(sp_msg_request_from_http1(&r, &a->x.request), 0);
	a->x.ev = &events;
	a->x.ev_arg = a;
	a->open = sp_back_open(back, &a->x, on_open, a);
	ck_assert_ptr_nonnull(a->open);
	ck_assert_uint_eq(a->done + a->sent, 0); /* never inside */
}

void begin_tunnel(struct ask *a)
{
	memset(a, 0, sizeof(*a));
	a->x.target = target;
	a->open = sp_back_open(back, &a->x, on_open, a);
	ck_assert_ptr_nonnull(a->open);
}

void leave(struct ask *a)
{
	sp_back_cancel(&a->open);
	peer_end(&a->io);
	sp_msg_request_free(&a->x.request);
	free(a->x.claims);
	a->x.claims = NULL;
}

static bool has_head(void *arg)
{
	const struct peer *p = arg;

	return p->in.len >= 4 && memmem(sp_buf_data(&p->in).p, p->in.len, "\r\n\r\n", 4);
}

/* The next request at connection i, waited for and taken. */
const char *request_at(unsigned i)
{
	static char text[4096];
	struct peer *p = &system_end[i];
	const char *start;
	size_t n;

	await_count(&accepted, i + 1);
	run_until(has_head, p);
	start = (const char *)sp_buf_data(&p->in).p;
	n = (size_t)((const char *)memmem(start, p->in.len, "\r\n\r\n", 4) - start) + 4;
	ck_assert_uint_lt(n, sizeof(text));
	memcpy(text, start, n);
	text[n] = '\0';
	sp_buf_consume(&p->in, n);
	return text;
}

void await_done(struct ask *a)
{
	await_count(&a->done, 1);
	run_turns(3);
	ck_assert_uint_eq(a->done, 1);
}

void expect_failure(struct ask *a, enum sp_outcome o)
{
	await_done(a);
	ck_assert_msg(a->outcome == o, "%d: %s", a->outcome, a->cause.text);
	leave(a);
}

void close_io(struct ask *a)
{
	if (a->io.s)
		sp_stream_close(a->io.s, SP_CLOSE_FLUSH);
	peer_await_closed(&a->io);
	leave(a);
}

/* A whole call on connection i. */
void call_at(unsigned i, const char *method, const char *answer)
{
	struct ask a;

	begin(&a, method, strcmp(method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
	request_at(i);
	peer_send_str(&system_end[i], answer);
	await_done(&a);
	ck_assert_msg(a.outcome == SP_OUTCOME_OK, "%s", a.cause.text);
	peer_expect_str(&a.io, "ok");
	peer_await_eof(&a.io);
	close_io(&a);
}
