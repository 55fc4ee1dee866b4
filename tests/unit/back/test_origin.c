/* Requests that leave by HTTP/1.1: connections kept and not kept, repeated and not repeated, cancelled and closed. */
#define _GNU_SOURCE /* strcasestr */
#include "suites.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asks.h"
#include "back/origin_internal.h"

/* ---- one call ----------------------------------------------------------------------------------------------------- */

START_TEST(what_a_system_gets)
{
	struct ask a;
	char host[64];
	const char *head;

	begin(&a, "GET", "Proxy-Authorization: Bearer t\r\nSAP-Connectivity-Authentication: Bearer u\r\nsallyport-tenant: x\r\n"
			 "SAP_Connectivity_Authentication: v\r\nX-Mine: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n");
	head = request_at(0);
	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", sp_addr_port(&at));
	ck_assert_ptr_eq(strstr(head, "GET /x HTTP/1.1\r\n"), head);
	ck_assert_ptr_nonnull(strstr(head, host));
	ck_assert_ptr_nonnull(strstr(head, "\r\nX-Mine: 1\r\n"));
	ck_assert_ptr_null(strcasestr(head, "proxy-"));
	ck_assert_ptr_null(strcasestr(head, "sap"));
	ck_assert_ptr_null(strcasestr(head, "sallyport-"));
	ck_assert_ptr_null(strcasestr(head, "x-hop"));
	ck_assert_uint_eq(a.sent, 1);
	ck_assert_str_eq(a.x.via, "direct");
	peer_send_str(&system_end[0], "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	await_count(&a.interims, 1);
	ck_assert_uint_eq(a.done, 0);
	peer_send_str(&system_end[0], "HTTP/1.1 404 No\r\nContent-Length: 1\r\nKeep-Alive: x\r\nProxy-Status: liar\r\nX-Its: 2\r\n\r\nz");
	await_done(&a);
	ck_assert_uint_eq(a.status, 404);
	ck_assert_ptr_nonnull(strstr(a.fields, "X-Its: 2\n"));
	ck_assert_ptr_null(strcasestr(a.fields, "keep-alive"));
	ck_assert_ptr_null(strcasestr(a.fields, "liar"));
	peer_expect_str(&a.io, "z");
	peer_await_eof(&a.io);
	close_io(&a);
}
END_TEST

START_TEST(body_goes_while_the_answer_is_due)
{
	struct ask a;

	begin(&a, "POST", "Content-Length: 5\r\n");
	ck_assert_ptr_nonnull(strstr(request_at(0), "Content-Length: 5\r\n"));
	ck_assert_ptr_nonnull(a.io.s);
	peer_send_str(&a.io, "hello");
	sp_stream_shutdown_write(a.io.s);
	peer_expect_str(&system_end[0], "hello");
	peer_send_str(&system_end[0], ANSWER);
	await_done(&a);
	peer_expect_str(&a.io, "ok");
	peer_await_eof(&a.io);
	close_io(&a);
	call_at(0, "GET", ANSWER); /* both messages were whole */
}
END_TEST

static const struct { const char *text; bool end; } bad_answers[] = {
	{ "nonsense\r\n\r\n", false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false },
	{ "HTTP/1.1 407 Give it\r\nContent-Length: 0\r\n\r\n", false },
	{ "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", false }, /* nobody asked */
	{ "", true },
	{ "HTTP/1.1 200", true },
};

START_TEST(bad_answer)
{
	struct ask a;

	begin(&a, "GET", "");
	request_at(0);
	peer_send_str(&system_end[0], bad_answers[_i].text);
	if (bad_answers[_i].end)
		sp_stream_shutdown_write(system_end[0].s);
	expect_failure(&a, SP_OUTCOME_PROTOCOL);
	ck_assert_uint_eq(accepted, 1); /* a fresh connection: not repeated */
	if (_i != 2) /* that one was whole, and the connection is as good as before */
		await_count(&system_end[0].closed, 1);
}
END_TEST

START_TEST(refused)
{
	struct ask a;

	sp_listener_close(&listener);
	run_turns(5);
	begin(&a, "GET", "");
	expect_failure(&a, SP_OUTCOME_REFUSED);
}
END_TEST

/* ---- connections that are kept ------------------------------------------------------------------------------------ */

START_TEST(kept)
{
	call_at(0, "GET", ANSWER);
	call_at(0, "POST", ANSWER); /* it was idle for a moment only */
	call_at(0, "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
	call_at(0, "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
	call_at(1, "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
	call_at(2, "GET", ANSWER);
	ck_assert_uint_eq(accepted, 3);
}
END_TEST

START_TEST(a_body_until_the_end)
{
	struct ask a;

	begin(&a, "GET", "");
	request_at(0);
	peer_send_str(&system_end[0], "HTTP/1.1 200 OK\r\n\r\nok");
	sp_stream_shutdown_write(system_end[0].s);
	await_done(&a);
	peer_expect_str(&a.io, "ok");
	peer_await_eof(&a.io);
	close_io(&a);
	call_at(1, "GET", ANSWER);
}
END_TEST

START_TEST(a_body_cut_short)
{
	struct ask a;

	begin(&a, "GET", "");
	request_at(0);
	peer_send_str(&system_end[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
	sp_stream_shutdown_write(system_end[0].s);
	await_done(&a);
	peer_await_closed(&a.io);
	ck_assert_int_eq(a.io.cause.err, SP_ECLOSED);
	leave(&a);
	call_at(1, "GET", ANSWER);
}
END_TEST

START_TEST(a_body_that_nobody_wants)
{
	struct ask a;

	begin(&a, "GET", "");
	request_at(0);
	peer_send_str(&system_end[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
	await_done(&a);
	leave(&a);
	await_count(&system_end[0].closed, 1);
	call_at(1, "GET", ANSWER);
}
END_TEST

START_TEST(the_system_ends_an_idle_one)
{
	call_at(0, "GET", ANSWER);
	if (_i == 0)
		sp_stream_close(system_end[0].s, SP_CLOSE_ABORT);
	else if (_i == 1)
		sp_stream_shutdown_write(system_end[0].s);
	else
		peer_send_str(&system_end[0], "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); /* nobody asked */
	await_count(_i == 1 ? &system_end[0].eof : &system_end[0].closed, 1);
	run_turns(10);
	call_at(1, "GET", ANSWER);
	ck_assert_uint_eq(accepted, 2);
}
END_TEST

START_TEST(idle_too_long_for_a_body)
{
	struct ask a;

	call_at(0, "GET", ANSWER);
	skew_ms = SP_ORIGIN_FRESH_MS + 1;
	begin(&a, "PUT", "Content-Length: 1\r\n"); /* idempotent, but the body is gone when it is sent */
	request_at(1);
	leave(&a);
}
END_TEST

START_TEST(idle_too_long)
{
	call_at(0, "GET", ANSWER);
	skew_ms = SP_ORIGIN_FRESH_MS + 1;
	call_at(1, "POST", ANSWER); /* must not be sent twice: not on a connection that may be gone */
	call_at(1, "GET", ANSWER);
	ck_assert_uint_eq(accepted, 2);
}
END_TEST

START_TEST(kept_for_a_while)
{
	conf->timeouts.keep_alive_ms = 1;
	call_at(0, "GET", ANSWER);
	await_count(&system_end[0].eof, 1);
}
END_TEST

START_TEST(kept_in_bounds)
{
	enum { MANY = SP_ORIGIN_IDLE_MAX_EACH + 2 };
	static struct ask a[MANY];
	unsigned ended = 0;

	for (unsigned i = 0; i < MANY; i++)
		begin(&a[i], "GET", "");
	for (unsigned i = 0; i < MANY; i++) {
		request_at(i);
		peer_send_str(&system_end[i], ANSWER);
	}
	for (unsigned i = 0; i < MANY; i++) {
		await_done(&a[i]);
		peer_await_eof(&a[i].io);
		close_io(&a[i]);
	}
	run_turns(20);
	for (unsigned i = 0; i < MANY; i++)
		ended += system_end[i].eof;
	ck_assert_uint_eq(ended, 2);
}
END_TEST

/* ---- repeated ----------------------------------------------------------------------------------------------------- */

START_TEST(repeated_once)
{
	struct ask a;
	char first[4096];

	call_at(0, "GET", ANSWER);
	begin(&a, "GET", "X-Mine: 1\r\n");
	snprintf(first, sizeof(first), "%s", request_at(0));
	sp_stream_shutdown_write(system_end[0].s);
	ck_assert_str_eq(request_at(1), first);
	if (_i == 0) {
		peer_send_str(&system_end[1], ANSWER);
		await_done(&a);
		ck_assert_uint_eq(a.status, 200);
		peer_await_eof(&a.io);
		close_io(&a);
	} else {
		sp_stream_shutdown_write(system_end[1].s);
		expect_failure(&a, SP_OUTCOME_PROTOCOL);
	}
	ck_assert_uint_eq(accepted, 2);
}
END_TEST

static const struct { const char *method, *more, *answer; } not_repeated[] = {
	{ "POST", "Content-Length: 0\r\n", "" },
	{ "PATCH", "", "" },
	{ "GET", "", "HTTP" }, /* it has answered, a bit */
};

START_TEST(never_repeated)
{
	struct ask a;

	call_at(0, "GET", ANSWER);
	begin(&a, not_repeated[_i].method, not_repeated[_i].more);
	request_at(0);
	peer_send_str(&system_end[0], not_repeated[_i].answer);
	sp_stream_shutdown_write(system_end[0].s);
	expect_failure(&a, SP_OUTCOME_PROTOCOL);
	run_turns(10);
	ck_assert_uint_eq(accepted, 1);
}
END_TEST

START_TEST(never_repeated_with_a_body)
{
	struct ask a;

	call_at(0, "GET", ANSWER);
	begin(&a, "PUT", "Content-Length: 5\r\n");
	request_at(0);
	sp_stream_shutdown_write(system_end[0].s);
	peer_await_closed(&a.io); /* its receiver hears it, and cancels: then, or later */
	run_turns(5);
	leave(&a);
	run_turns(10);
	ck_assert_uint_eq(accepted, 1);
}
END_TEST

/* A port where connecting takes for ever: its queue is full. */
static void stall(int *fds, unsigned n)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)sp_addr_port(&at)),
					.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1;

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_eq(setsockopt(fds[0], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(fds[0], (const struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(listen(fds[0], 0), 0);
	for (unsigned i = 1; i < n; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ck_assert_int_ge(fds[i], 0);
		(void)connect(fds[i], (const struct sockaddr *)&to, sizeof(to));
	}
}

/* The deadline of the response does not run while the second connection is made: that has one of its own. */
START_TEST(repeated_where_nobody_answers)
{
	int fds[4];
	struct ask a;

	conf->timeouts.dial_ms = 600;
	expose_all(300);
	call_at(0, "GET", ANSWER);
	sp_listener_close(&listener);
	run_turns(10);
	stall(fds, SP_COUNT_OF(fds));
	begin(&a, "GET", "");
	request_at(0);
	sp_stream_shutdown_write(system_end[0].s);
	expect_failure(&a, SP_OUTCOME_TIMEOUT);
	for (unsigned i = 0; i < SP_COUNT_OF(fds); i++)
		close(fds[i]);
}
END_TEST

START_TEST(no_answer_in_time)
{
	struct ask a;

	expose_all(50);
	begin(&a, "GET", "");
	request_at(0);
	expect_failure(&a, SP_OUTCOME_TIMEOUT);
	await_count(&system_end[0].closed, 1);
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------------------------------ */

/* How far a call has come. */
enum stage { OPENED, SENT, BODY, ANSWERED, STAGES };

static void bring(struct ask *a, enum stage stage)
{
	begin(a, stage == BODY ? "POST" : "GET", stage == BODY ? "Content-Length: 5\r\n" : "");
	if (stage == OPENED)
		return;
	request_at(0);
	if (stage == ANSWERED) {
		peer_send_str(&system_end[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
		await_done(a);
	}
}

START_TEST(cancelled)
{
	struct ask a;

	bring(&a, (enum stage)_i);
	leave(&a);
	run_turns(10);
	ck_assert_uint_eq(a.done, _i == ANSWERED);
	if (_i != OPENED)
		await_count(&system_end[0].closed, 1);
	else
		ck_assert_uint_eq(accepted, 0);
}
END_TEST

START_TEST(closed)
{
	struct ask a;

	bring(&a, (enum stage)_i);
	back->ops->close(back, on_back_closed, NULL);
	await_done(&a);
	ck_assert_int_eq(a.outcome, _i == ANSWERED ? SP_OUTCOME_OK : SP_OUTCOME_SHUTDOWN);
	run_turns(10);
	ck_assert_uint_eq(backs_closed, _i == OPENED || _i == SENT); /* streams that somebody has are waited for */
	leave(&a);
	await_count(&backs_closed, 1);
}
END_TEST

START_TEST(drained)
{
	struct ask a, late;

	call_at(0, "GET", ANSWER);
	bring(&a, SENT);
	begin(&late, "GET", ""); /* on a connection of its own */
	request_at(1);
	peer_send_str(&system_end[1], ANSWER);
	await_done(&late);
	peer_await_eof(&late.io);
	close_io(&late);
	run_turns(5);
	ck_assert_uint_eq(system_end[1].eof, 0);
	back->ops->drain(back);
	await_count(&system_end[1].eof, 1); /* idle */
	peer_send_str(&system_end[0], ANSWER);
	await_done(&a);
	ck_assert_int_eq(a.outcome, SP_OUTCOME_OK);
	peer_await_eof(&a.io);
	close_io(&a);
	await_count(&system_end[0].eof, 1); /* and not kept */
	begin(&late, "GET", "");
	expect_failure(&late, SP_OUTCOME_SHUTDOWN);
}
END_TEST

Suite *sp_suite_origin(void)
{
	Suite *s = suite_create("back/origin");
	TCase *t = tcase_create("origin");

	tcase_add_checked_fixture(t, asks_setup, asks_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_a_system_gets);
	tcase_add_test(t, body_goes_while_the_answer_is_due);
	tcase_add_loop_test(t, bad_answer, 0, SP_COUNT_OF(bad_answers));
	tcase_add_test(t, refused);
	tcase_add_test(t, kept);
	tcase_add_test(t, a_body_until_the_end);
	tcase_add_test(t, a_body_cut_short);
	tcase_add_test(t, a_body_that_nobody_wants);
	tcase_add_loop_test(t, the_system_ends_an_idle_one, 0, 3);
	tcase_add_test(t, idle_too_long);
	tcase_add_test(t, idle_too_long_for_a_body);
	tcase_add_test(t, kept_for_a_while);
	tcase_add_test(t, kept_in_bounds);
	tcase_add_loop_test(t, repeated_once, 0, 2);
	tcase_add_loop_test(t, never_repeated, 0, SP_COUNT_OF(not_repeated));
	tcase_add_test(t, never_repeated_with_a_body);
	tcase_add_test(t, repeated_where_nobody_answers);
	tcase_add_test(t, no_answer_in_time);
	tcase_add_loop_test(t, cancelled, 0, STAGES);
	tcase_add_loop_test(t, closed, 0, STAGES);
	tcase_add_test(t, drained);
	suite_add_tcase(s, t);
	return s;
}
