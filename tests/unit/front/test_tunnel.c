/* Tunnels end to end: near side, gateway, connector, origin. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "world.h"

static void usual(void)
{
	world_open(WORLD_USUAL, "");
}

START_TEST(carries_bytes_both_ways_to_the_end)
{
	size_t n = 8u << 20;
	uint8_t *bytes = malloc(n);
	struct call c;

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i ^ (i >> 8) ^ (i >> 16) * 7);
	usual();
	far_open("t1", "", "one", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_open(&c, "t1", "", "one");
	ck_assert_uint_eq(world.book.exchanges, 1);
	peer_send(&c.p, bytes, n);
	sp_stream_shutdown_write(c.p.s);
	peer_expect(&c.p, bytes, n);
	peer_await_eof(&c.p);
	ck_assert_uint_eq(c.p.in.len, 0);
	ck_assert_ptr_eq(strstr(c.x.via, "tunnel "), c.x.via);
	sp_stream_close(c.p.s, SP_CLOSE_FLUSH);
	peer_await_closed(&c.p);
	call_end(&c);
	near_close();
	far_close(&world.far[0]);
	await_book_empty(&world.book);
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_OK], 1);
	ck_assert_uint_eq(world.book.bytes_up, n);
	ck_assert_uint_eq(world.book.bytes_down, n + 3);
	ck_assert_uint_eq(world.far[0].book.ended[SP_OUTCOME_OK], 1);
	world_close();
	free(bytes);
}
END_TEST

START_TEST(refuses_what_is_not_exposed)
{
	struct call c;

	usual();
	far_open("t1", "", "one", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_start(&c, "t1", "", "echo.virtual:8");
	call_await(&c);
	ck_assert_str_eq(sp_outcome_row(c.outcome)->word, "not_exposed");
	ck_assert_ptr_nonnull(strstr(c.x.proxy_status, "sallyport-connector; error="));
	ck_assert_ptr_nonnull(strstr(c.x.proxy_status, "sallyport-gateway; error="));
	ck_assert_ptr_null(strstr(c.x.proxy_status, "127.0.0.1"));
	call_end(&c);
	world_close();
}
END_TEST

/* Nobody waits for a tenant that was never seen: tunnels.wait is longer than this test may take. */
START_TEST(knows_at_once_that_nobody_is_there)
{
	usual();
	far_open("t1", "", "one", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_expect("t2", "", "echo.virtual:7", SP_OUTCOME_NO_CONNECTOR);
	call_expect("t1", "elsewhere", "echo.virtual:7", SP_OUTCOME_NO_CONNECTOR);
	world_close();
}
END_TEST

START_TEST(keeps_tenants_and_locations_apart)
{
	static const struct { const char *tenant, *location, *banner; } all[] = {
		{ "t1", "", "t1-none" }, { "t1", "a", "t1-a" }, { "t2", "", "t2-none" }, { "t2", "a", "t2-a" },
	};
	struct call c[SP_COUNT_OF(all)];

	usual();
	for (unsigned i = 0; i < SP_COUNT_OF(all); i++)
		far_open(all[i].tenant, all[i].location, all[i].banner, 1, "");
	near_open(NULL, "");
	for (unsigned i = 0; i < SP_COUNT_OF(all); i++)
		await_ready(all[i].tenant, all[i].location, 1);
	for (unsigned i = 0; i < SP_COUNT_OF(all); i++)
		call_open(&c[i], all[i].tenant, all[i].location, all[i].banner);
	for (unsigned i = 0; i < SP_COUNT_OF(all); i++)
		call_end(&c[i]);
	/* One goes: its callers are not served by another. */
	far_close(&world.far[1]);
	await_ready("t1", "a", 0);
	call_start(&c[0], "t1", "a", "echo.virtual:7");
	call_open(&c[1], "t1", "", "t1-none");
	call_open(&c[2], "t2", "a", "t2-a");
	ck_assert_uint_eq(c[0].done, 0);
	for (unsigned i = 0; i < 3; i++)
		call_end(&c[i]);
	world_close();
}
END_TEST

START_TEST(lets_only_chosen_principals_name_the_tenant)
{
	world_open("auth = \"fixed\"; connectors = \"connectors\"; speaks_for_any = [ \"CN=someone-else\" ];", "");
	far_open("t1", "", "t1", 1, "");
	far_open("t2", "", "t2", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	await_ready("t2", "", 1);
	/* A verdict against the proxy's own credential is not the application's to hear. */
	call_expect("t2", "", "echo.virtual:7", SP_OUTCOME_GATEWAY_AUTH);
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_TENANT_CONFLICT], 1);
	struct call c;
	call_open(&c, "t1", "", "t1"); /* its own tenant it may name */
	call_end(&c);
	world_close();
}
END_TEST

/* An application's credential, passed on, goes without the field that names the tenant. */
START_TEST(asks_for_some_tenant)
{
	struct call c;

	usual();
	far_open("t1", "", "t1", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_start(&c, "t1", "", "echo.virtual:7");
	c.x.identity.upstream_auth = strdup("Bearer whatever");
	call_await(&c);
	ck_assert_str_eq(sp_outcome_row(c.outcome)->word, "tenant_unknown");
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_TENANT_UNKNOWN], 1);
	call_end(&c);
	world_close();
}
END_TEST

START_TEST(fails_what_runs_when_the_connector_is_lost)
{
	struct call c;

	usual();
	far_open("t1", "", "t1", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_open(&c, "t1", "", "t1");
	far_close(&world.far[0]);
	peer_await_closed(&c.p);
	ck_assert_int_ne(c.p.cause.err, 0);
	ck_assert_uint_eq(c.p.eof, 0);
	call_end(&c);
	near_close();
	await_book_empty(&world.book);
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_OK], 0);
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_TUNNEL_LOST], 1);
	world_close();
}
END_TEST

START_TEST(a_client_that_leaves_frees_everything)
{
	struct call c;

	usual();
	far_open("t1", "", "t1", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_open(&c, "t1", "", "t1");
	ck_assert_uint_eq(world.far[0].book.exchanges, 1);
	call_end(&c); /* a reset */
	near_close();
	await_book_empty(&world.book);
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_CLIENT_GONE], 1);
	far_close(&world.far[0]);
	ck_assert_uint_eq(world.far[0].book.ended[SP_OUTCOME_CLIENT_GONE], 1);
	world_close();
}
END_TEST

START_TEST(answers_probes_of_its_health)
{
	static const struct { const char *method, *path, *status, *content; } cases[] = {
		{ "GET", "/healthcheck", "200 OK", "ok\n" },
		{ "HEAD", "/healthcheck", "200 OK", "" },
		{ "HEAD", "/elsewhere", "404 Not Found", "" },
		{ "POST", "/healthcheck", "404 Not Found", "Nothing is here. Connectors ask for /.well-known/sallyport/tunnel.\n" },
	};
	char text[200];
	struct raw r;

	usual();
	for (unsigned i = 0; i < SP_COUNT_OF(cases); i++) {
		raw_open(&r, NULL, "http/1.1");
		snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", cases[i].method, cases[i].path);
		peer_send_str(&r.p, text);
		peer_await_eof(&r.p);
		ck_assert_int_eq(sp_buf_append(&r.p.in, "", 1), 0);
		snprintf(text, sizeof(text), "HTTP/1.1 %s\r\n", cases[i].status);
		ck_assert_ptr_eq(strstr((const char *)sp_buf_data(&r.p.in).p, text), sp_buf_data(&r.p.in).p);
		snprintf(text, sizeof(text), "\r\n\r\n%s", cases[i].content);
		ck_assert_str_eq(strstr((const char *)sp_buf_data(&r.p.in).p, "\r\n\r\n"), text);
		peer_end(&r.p);
	}
	world_close();
}
END_TEST

/* Cancelled at once, after some turns, and at every later moment until it is open. */
START_TEST(an_open_may_be_cancelled_at_any_time)
{
	struct call c;
	bool opened = false;

	usual();
	far_open("t1", "", "t1", 1, "");
	await_ready("t1", "", 1);
	for (unsigned turns = 0; !opened; turns++) {
		near_open(NULL, "");
		call_start(&c, "t1", "", "echo.virtual:7");
		if (turns > 0)
			run_turns(turns);
		opened = c.done > 0;
		call_end(&c);
		if (turns % 2)
			call_expect("t1", "", "echo.virtual:9", SP_OUTCOME_NOT_EXPOSED);
		near_close();
		sp_conf_unref(&world.near_conf);
	}
	await_book_empty(&world.book);
	world_close();
}
END_TEST

static int64_t expires_at;

static bool has_expired(void *arg)
{
	(void)arg;
	return time(NULL) >= expires_at;
}

/* A certificate of one second, or on a slow machine so many that it was of use. */
static void make_brief(const char *cn, const char *sans, int seconds)
{
	certs_make_brief(&(struct cert_spec){ "brief", "ca", cn, sans, false, 0 }, seconds);
	expires_at = time(NULL) + seconds;
}

static bool is_open_or_expired(void *arg)
{
	return ((struct call *)arg)->done > 0 || has_expired(NULL);
}

/* A proxy's connection outlives its certificate: what is open finishes, and each further request is refused. */
START_TEST(a_proxy_whose_certificate_expires)
{
	struct call c;

	usual();
	far_open("t1", "", "t1", 1, "");
	await_ready("t1", "", 1);
	for (int seconds = 2;; seconds *= 2) {
		make_brief("proxy", NULL, seconds);
		near_open("ca_file = \"ca.pem\"; cert_file = \"brief.pem\"; key_file = \"brief.key\";", "");
		call_start(&c, "t1", "", "echo.virtual:7");
		run_until(is_open_or_expired, &c);
		if (c.done && c.outcome == SP_OUTCOME_OK)
			break;
		call_end(&c);
		near_close();
		sp_conf_unref(&world.near_conf);
	}
	peer_expect_str(&c.p, "t1");
	run_until_clock(expires_at);
	call_expect("t1", "", "echo.virtual:7", SP_OUTCOME_GATEWAY_AUTH);
	ck_assert_uint_eq(world.book.ended[SP_OUTCOME_EXPIRED_CREDENTIAL], 1);
	peer_send_str(&c.p, "still here");
	peer_expect_str(&c.p, "still here");
	call_end(&c);
	world_close();
}
END_TEST

static bool is_ready_or_expired(void *arg)
{
	(void)arg;
	return sp_connectors_ready(world.env.connectors, "t1", "") > 0 || has_expired(NULL);
}

/* A connector's connection does: its tunnel is drained. */
START_TEST(a_connector_whose_certificate_expires)
{
	struct call c;

	usual();
	near_open(NULL, "");
	for (int seconds = 1;; seconds *= 4) {
		make_brief("connector 1", "URI:spiffe://corp.test/tenant/t1/x", seconds);
		far_open("brief", "", "t1", 1, "");
		run_until(is_ready_or_expired, NULL);
		if (sp_connectors_ready(world.env.connectors, "t1", "") > 0) {
			call_start(&c, "t1", "", "echo.virtual:7");
			run_until(is_open_or_expired, &c);
			if (c.done && c.outcome == SP_OUTCOME_OK)
				break;
			call_end(&c);
		}
		far_close(&world.far[world.far_count - 1]);
	}
	peer_expect_str(&c.p, "t1");
	await_ready("t1", "", 0);
	ck_assert_ptr_nonnull(strstr(world.log, "the connector's credential expired: draining"));
	peer_send_str(&c.p, "still here");
	peer_expect_str(&c.p, "still here");
	call_end(&c);
	world_close();
}
END_TEST

static bool has_ended(void *arg)
{
	const struct peer *p = arg;

	return p->eof > 0 || p->closed > 0;
}

/* timeouts.handshake is for all of it: TLS, and then the first words, whatever protocol was agreed. */
START_TEST(silent_after_tls)
{
	static const char *const alpn[] = { "h2", "http/1.1", NULL };
	struct raw r;

	world_open(WORLD_USUAL, "timeouts = { handshake = \"300ms\"; };");
	raw_open(&r, "proxy", alpn[_i]);
	run_until(has_ended, &r.p);
	await_book_empty(&world.book);
	peer_end(&r.p);
	world_close();
}
END_TEST

/* ... and not for more than that. */
START_TEST(stays_after_the_handshake)
{
	struct call c;

	world_open(WORLD_USUAL, "timeouts = { handshake = \"1s\"; };");
	far_open("t1", "", "t1", 1, "");
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_open(&c, "t1", "", "t1");
	ck_assert(!run_for(has_ended, &c.p, 1500));
	peer_send_str(&c.p, "still here");
	peer_expect_str(&c.p, "still here");
	call_end(&c);
	world_close();
}
END_TEST

Suite *sp_suite_tunnel(void)
{
	Suite *s = suite_create("tunnel");
	TCase *tc = tcase_create("end to end");

	tcase_add_unchecked_fixture(tc, world_certs_make, certs_teardown);
	tcase_add_test(tc, carries_bytes_both_ways_to_the_end);
	tcase_add_test(tc, refuses_what_is_not_exposed);
	tcase_add_test(tc, knows_at_once_that_nobody_is_there);
	tcase_add_test(tc, keeps_tenants_and_locations_apart);
	tcase_add_test(tc, lets_only_chosen_principals_name_the_tenant);
	tcase_add_test(tc, asks_for_some_tenant);
	tcase_add_test(tc, fails_what_runs_when_the_connector_is_lost);
	tcase_add_test(tc, a_client_that_leaves_frees_everything);
	tcase_add_test(tc, answers_probes_of_its_health);
	tcase_add_test(tc, an_open_may_be_cancelled_at_any_time);
	tcase_add_test(tc, a_proxy_whose_certificate_expires);
	tcase_add_test(tc, a_connector_whose_certificate_expires);
	tcase_add_loop_test(tc, silent_after_tls, 0, 3);
	tcase_add_test(tc, stays_after_the_handshake);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	return s;
}
