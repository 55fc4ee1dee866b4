/* What a connector's file lets requests do at a system. */
#define _GNU_SOURCE /* strcasestr */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asks.h"
#include "back/origin_internal.h"
#include "base/alloc.h"
#include "net/websocket.h"

static struct sp_conf_expose *entry;
static char internal[64]; /* the system, as it is called there */

static void setup(void)
{
	asks_setup();
	entry = expose_all(0);
	snprintf(entry->virtual_host, sizeof(entry->virtual_host), "erp.virtual");
	entry->first_port = entry->last_port = 8000;
	ck_assert_int_eq(sp_authority_make(SP_SLICE("erp.virtual"), 8000, &target), 0);
	snprintf(internal, sizeof(internal), "127.0.0.1:%u", sp_addr_port(&at));
}

static void expect_denied(struct ask *a, enum sp_outcome o, const char *why)
{
	await_done(a);
	ck_assert_msg(strstr(a->cause.text, why) != NULL, "%s", a->cause.text);
	ck_assert_int_eq(a->cause.err, SP_EDENIED);
	expect_failure(a, o);
	ck_assert_uint_eq(accepted, 0);
}

/* ---- what may be asked for ---------------------------------------------------------------------------------------- */

static struct sp_conf_path *path_rule(const char *at_path, bool sub_paths)
{
	struct sp_conf_path *p = entry->paths;

	free(p->path);
	p->path = sp_strdup(at_path);
	p->sub_paths = sub_paths;
	return p;
}

/* The rules are read at the start. */
static void restart(void)
{
	struct sp_cause cause = { 0 };

	back->ops->close(back, on_back_closed, NULL);
	await_count(&backs_closed, 1);
	backs_closed = 0;
	ck_assert_int_eq(sp_back_exposed_new(loop, conf, &back, &cause), 0);
}

static void other_name(void)
{
	ck_assert_int_eq(sp_authority_make(SP_SLICE("other.virtual"), 8000, &target), 0);
}

static void other_port(void)
{
	target.port = 8001;
}

static void internal_name(void)
{
	ck_assert_int_eq(sp_authority_make(SP_SLICE("127.0.0.1"), (uint16_t)sp_addr_port(&at), &target), 0);
}

static void suspended(void)
{
	entry->suspended = true;
}

static void for_tunnels(void)
{
	entry->protocol = SP_EXPOSE_TCP;
}

static void below(void)
{
	path_rule("/x", true);
	path = "/xy";
}

static void only_itself(void)
{
	path_rule("/x", false);
	path = "/x/y?z";
}

static void two_readings(void)
{
	path_rule("/x", true);
	path = "/x/%2e%2e/y";
}

static void path_suspended(void)
{
	path_rule("/", true)->suspended = true;
}

static void other_method(void)
{
	struct sp_conf_path *p = path_rule("/", true);

	p->methods = sp_calloc(2, sizeof(*p->methods));
	p->methods[0] = sp_strdup("HEAD");
}

static void nothing(void)
{
	path_rule("/nothing-of-this", false);
}

static const struct {
	void (*prepare)(void);
	enum sp_outcome outcome;
	const char *why;
} denials[] = {
	{ other_name, SP_OUTCOME_NOT_EXPOSED, "other.virtual:8000 is not exposed" },
	{ other_port, SP_OUTCOME_NOT_EXPOSED, "is not exposed" },
	{ internal_name, SP_OUTCOME_NOT_EXPOSED, "is not exposed" },
	{ suspended, SP_OUTCOME_NOT_EXPOSED, "erp.virtual:8000 is suspended" },
	{ for_tunnels, SP_OUTCOME_NOT_EXPOSED, "for tunnels only" },
	{ below, SP_OUTCOME_PATH_DENIED, "does not expose this resource" },
	{ only_itself, SP_OUTCOME_PATH_DENIED, "does not expose this resource" },
	{ nothing, SP_OUTCOME_PATH_DENIED, "does not expose this resource" },
	{ two_readings, SP_OUTCOME_PATH_DENIED, "two ways" },
	{ path_suspended, SP_OUTCOME_PATH_DENIED, "suspended this resource" },
	{ other_method, SP_OUTCOME_PATH_DENIED, "does not allow this method" },
};

START_TEST(denied)
{
	struct ask a;

	denials[_i].prepare();
	restart();
	begin(&a, "GET", "");
	expect_denied(&a, denials[_i].outcome, denials[_i].why);
}
END_TEST

START_TEST(allowed)
{
	path_rule("/x", _i == 1);
	path = _i == 1 ? "/x/y?z" : "/x";
	restart();
	call_at(0, "GET", ANSWER);
}
END_TEST

START_TEST(no_tunnels)
{
	struct ask a;

	begin_tunnel(&a);
	expect_denied(&a, SP_OUTCOME_NOT_EXPOSED, "for HTTP requests only");
}
END_TEST

START_TEST(too_long_a_body)
{
	struct ask a;

	entry->body_max_bytes = 4;
	begin(&a, "POST", "Content-Length: 5\r\n");
	expect_denied(&a, SP_OUTCOME_BODY_TOO_LARGE, "no body of this length");
	begin(&a, "POST", "Content-Length: 4\r\n");
	request_at(0);
	leave(&a);
	begin(&a, "POST", "Transfer-Encoding: chunked\r\n"); /* it is seen when it comes */
	request_at(1);
	peer_send_str(&a.io, "12345");
	peer_await_closed(&a.io);
	ck_assert_int_eq(a.io.cause.err, SP_ETOOBIG);
	leave(&a);
}
END_TEST

/* ---- names -------------------------------------------------------------------------------------------------------- */

static void expect_line(const char *head, const char *name, const char *value)
{
	char line[256];

	snprintf(line, sizeof(line), "\r\n%s: %s\r\n", name, value);
	ck_assert_msg(strstr(head, line) != NULL, "%s", head);
	snprintf(line, sizeof(line), "\r\n%s:", name);
	ck_assert_msg(strcasestr(strcasestr(head, line) + 1, line) == NULL, "twice: %s", head);
}

START_TEST(names_of_the_system)
{
	struct ask a;
	const char *head;
	char answer[512];

	entry->host_internal = _i == 1;
	begin(&a, "GET", "X-Forwarded-Host: liar\r\n");
	head = request_at(0);
	expect_line(head, "Host", _i == 1 ? internal : "erp.virtual:8000");
	expect_line(head, "X-Forwarded-Host", _i == 1 ? "erp.virtual:8000" : "liar");
	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 302 There\r\nLocation: http://%s/y\r\nContent-Location: http://%s/z\r\nX-Mine: http://%s/\r\n"
		 "Set-Cookie: a=b; Domain=127.0.0.1; Path=/\r\nContent-Length: 0\r\n\r\n", internal, internal, internal);
	peer_send_str(&system_end[0], answer);
	await_done(&a);
	ck_assert_msg(strstr(a.fields, "Location: http://erp.virtual:8000/y\n") != NULL, "%s", a.fields);
	ck_assert_msg(strstr(a.fields, "Content-Location: http://erp.virtual:8000/z\n") != NULL, "%s", a.fields);
	snprintf(answer, sizeof(answer), "X-Mine: http://%s/\n", internal);
	ck_assert_ptr_nonnull(strstr(a.fields, answer));
	ck_assert_ptr_null(strstr(a.fields, "Domain=127"));
	leave(&a);
}
END_TEST

START_TEST(claims_become_headers)
{
	struct ask a;
	const char *head;

	entry->claims = sp_calloc(2, sizeof(*entry->claims));
	entry->claim_count = 2;
	entry->claims[0] = (struct sp_conf_claim){ .claim = sp_strdup("user_name"), .header = sp_strdup("X-User") };
	entry->claims[1] = (struct sp_conf_claim){ .claim = sp_strdup("groups"), .header = sp_strdup("X-Groups") };
	claims = _i == 0 ? "{\"user_name\":\"ada\",\"groups\":[\"a\",\"b\"]}" : _i == 1 ? "{\"user_name\":\"a\\u000d\\u000ab\"}" : NULL;
	begin(&a, "GET", "X-User: liar\r\nx_user: liar\r\nX-GROUPS: liar\r\n");
	head = request_at(0);
	ck_assert_msg(strstr(head, "liar") == NULL, "%s", head);
	if (_i == 0) {
		expect_line(head, "X-User", "ada");
		expect_line(head, "X-Groups", "a,b");
	} else {
		ck_assert_ptr_null(strcasestr(head, "x-user"));
		ck_assert_ptr_null(strcasestr(head, "x-groups"));
	}
	leave(&a);
}
END_TEST

/* ---- switching protocols ------------------------------------------------------------------------------------------ */

#define WEBSOCKET "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"

START_TEST(not_switched)
{
	struct ask a;

	begin(&a, "GET", WEBSOCKET);
	ck_assert_ptr_null(strcasestr(request_at(0), "upgrade"));
	peer_send_str(&system_end[0], "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	expect_failure(&a, SP_OUTCOME_PROTOCOL);
}
END_TEST

START_TEST(switched)
{
	struct ask a;
	char answer[256], accept[SP_WEBSOCKET_ACCEPT_SIZE];
	const char *head, *key;

	entry->upgrade = true;
	begin(&a, "GET", WEBSOCKET);
	head = request_at(0);
	expect_line(head, "Upgrade", "websocket");
	key = strcasestr(head, "\r\nSec-WebSocket-Key: ");
	ck_assert_ptr_nonnull(key);
	ck_assert_int_eq(sp_websocket_accept(sp_slice_make(key + strlen("\r\nSec-WebSocket-Key: "), SP_WEBSOCKET_KEY_SIZE - 1), accept), 0);
	snprintf(answer, sizeof(answer), "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s%s\r\n\r\nhi",
		 _i == 2 ? "X: " : "Sec-WebSocket-Accept: ", _i == 1 ? "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" : accept);
	peer_send_str(&system_end[0], answer);
	if (_i > 0) {
		expect_failure(&a, SP_OUTCOME_PROTOCOL);
		return;
	}
	await_done(&a);
	ck_assert_uint_eq(a.status, 101);
	ck_assert_ptr_null(strcasestr(a.fields, "sec-websocket-accept"));
	peer_expect_str(&a.io, "hi");
	peer_send_str(&a.io, "you");
	peer_expect_str(&system_end[0], "you");
	leave(&a);
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------------------------------- */

START_TEST(connections_in_bounds)
{
	struct ask a, b;

	entry->connections = 1;
	call_at(0, "GET", ANSWER);
	begin(&a, "GET", "");
	request_at(0);
	begin(&b, "GET", "");
	expect_failure(&b, SP_OUTCOME_LIMIT);
	peer_send_str(&system_end[0], ANSWER);
	await_done(&a);
	peer_await_eof(&a.io);
	close_io(&a);
	run_turns(5);
	ck_assert_uint_eq(system_end[0].eof, 0);
	skew_ms = SP_ORIGIN_FRESH_MS + 1;
	call_at(1, "POST", ANSWER); /* not on one that was idle for long; which counts, and so gives way */
	await_count(&system_end[0].eof, 1);
	ck_assert_uint_eq(accepted, 2);
}
END_TEST

START_TEST(too_long_a_head)
{
	struct ask a;
	char filler[1024];

	entry->head_max_bytes = 1024;
	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	begin(&a, "GET", "");
	request_at(0);
	peer_send_str(&system_end[0], "HTTP/1.1 200 OK\r\nX: ");
	peer_send_str(&system_end[0], filler);
	expect_failure(&a, SP_OUTCOME_PROTOCOL);
}
END_TEST

Suite *sp_suite_exposed(void)
{
	Suite *s = suite_create("back/exposed");
	TCase *t = tcase_create("exposed");

	tcase_add_checked_fixture(t, setup, asks_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, denied, 0, SP_COUNT_OF(denials));
	tcase_add_loop_test(t, allowed, 0, 2);
	tcase_add_test(t, no_tunnels);
	tcase_add_test(t, too_long_a_body);
	tcase_add_loop_test(t, names_of_the_system, 0, 2);
	tcase_add_loop_test(t, claims_become_headers, 0, 3);
	tcase_add_test(t, not_switched);
	tcase_add_loop_test(t, switched, 0, 3);
	tcase_add_test(t, connections_in_bounds);
	tcase_add_test(t, too_long_a_head);
	suite_add_tcase(s, t);
	return s;
}
