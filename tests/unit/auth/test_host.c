/* What the host does for plugins: HTTPS requests and alarms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../net/certs.h"
#include "../net/web.h"
#include "fixture.h"
#include "suites.h"

static const struct sp_auth_request none;
static struct web *web;
static bool silent;
static char *captured;

static char *answer(void *arg, const struct web_request *r)
{
	(void)arg;
	if (silent)
		return NULL;
	return web_reply(strcmp(r->path, "/500") == 0 ? "500 Oops" : "200 OK", "Cache-Control: max-age=900\r\n", "claus", 5);
}

static void capture(void *arg, const char *line)
{
	(void)arg;
	if (!strstr(line, "plugin"))
		return;
	free(captured);
	captured = strdup(line);
}

static void setup(void)
{
	certs_setup();
	certs_make_usual();
	silent = false;
	web = web_start("server", NULL, answer, NULL);
	sp_log_setup(SP_LOG_DEBUG, false);
	sp_log_capture(capture, NULL);
}

static void teardown(void)
{
	sp_log_capture(NULL, NULL);
	free(captured);
	captured = NULL;
	web_stop(&web);
	certs_teardown();
}

static void open_with(struct fixture *f, const char *path, const char *more)
{
	static char json[1024];

	snprintf(json, sizeof(json), "{\"url\":\"%s\",\"ca_file\":\"%s\"%s}", web_url(web, path), CERT("ca"), more);
	fixture_open(f, (const struct fixture_plugin[]){ { "fetching", json }, { NULL, NULL } });
}

START_TEST(fetched)
{
	struct fixture f;
	struct end e;

	open_with(&f, "/", "");
	fixture_run(&f, &none, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.principal, "claus");
	ck_assert_int_gt(e.id.expires_at, (int64_t)time(NULL) + 300);
	ck_has(captured, "plugin=fetching");
	ck_has(captured, "fetched: 200");
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

/* Statuses and failures come as they are. */
START_TEST(not_fetched)
{
	struct fixture f;
	struct end e;

	open_with(&f, _i ? "/" : "/500", _i ? ",\"max_bytes\":4" : "");
	fixture_run(&f, &none, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_UNAVAILABLE);
	if (_i)
		ck_has(e.cause.text, "exceeds 4 bytes");
	ck_has(captured, _i ? "fetched: 0" : "fetched: 500");
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(no_https_url)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, (const struct fixture_plugin[]){ { "fetching", "{\"url\":\"http://127.0.0.1/\"}" }, { NULL, NULL } });
	fixture_run(&f, &none, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_UNAVAILABLE);
	ck_has(e.cause.text, "the host refused");
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(rang)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, (const struct fixture_plugin[]){ { "fetching", "{\"alarm_ms\":1}" }, { NULL, NULL } });
	fixture_run(&f, &none, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.principal, "rang");
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

/* The run's budget ends it while the answer is awaited; finish() cancels, and nothing is left to be said at the end. */
START_TEST(cancelled_in_finish)
{
	struct fixture f;
	struct end e = { 0 };

	silent = true;
	if (_i)
		open_with(&f, "/", "");
	else
		fixture_open(&f, (const struct fixture_plugin[]){ { "fetching", "{\"alarm_ms\":3600000}" }, { NULL, NULL } });
	ck_assert_ptr_nonnull(sp_auth_start(f.worker, 0, &none, true, 50, on_end, &e));
	ck_assert(fixture_wait(&f, &e));
	ck_assert_int_eq(e.outcome, SP_OUTCOME_UNAVAILABLE);
	end_deinit(&e);
	free(captured);
	captured = NULL;
	fixture_close(&f);
	ck_assert(!captured || !strstr(captured, "left something running"));
}
END_TEST

START_TEST(left_running)
{
	struct fixture f;

	silent = true;
	open_with(&f, "/", _i ? ",\"leave\":\"fetch\"" : ",\"leave\":\"alarm\"");
	fixture_close(&f);
	ck_has(captured, "left something running");
	ck_has(captured, "plugin=fetching");
	ck_has(captured, _i ? "what=fetch" : "what=alarm");
}
END_TEST

Suite *suite_auth_host(void)
{
	Suite *s = suite_create("auth_host");
	TCase *t = tcase_create("host");

	tcase_add_unchecked_fixture(t, fixture_folder_make, fixture_folder_remove);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, fetched);
	tcase_add_loop_test(t, not_fetched, 0, 2);
	tcase_add_test(t, no_https_url);
	tcase_add_test(t, rang);
	tcase_add_loop_test(t, cancelled_in_finish, 0, 2);
	tcase_add_loop_test(t, left_running, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
