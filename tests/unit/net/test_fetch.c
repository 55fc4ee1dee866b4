/* HTTPS requests against a server of the test's own. */
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certs.h"
#include "net/fetch.h"
#include "web.h"

#define WAIT_MS 20000

struct seen { /* what the server got, and what it shall say */
	char method[16], path[256], head[4096], body[512], client[64];
	const char *status, *extra, *text;
	size_t n; /* 0: strlen(text) */
	bool silent;
};

static struct seen seen;
static struct web *web;
static struct sp_loop *loop;
static struct sp_fetcher *fetcher;

static char *answer(void *arg, const struct web_request *r)
{
	struct seen *s = arg;

	snprintf(s->method, sizeof(s->method), "%s", r->method);
	snprintf(s->path, sizeof(s->path), "%s", r->path);
	snprintf(s->head, sizeof(s->head), "%s", r->head);
	snprintf(s->body, sizeof(s->body), "%s", r->body);
	snprintf(s->client, sizeof(s->client), "%s", r->client);
	if (s->silent)
		return NULL;
	return web_reply(s->status ? s->status : "200 OK", s->extra ? s->extra : "", s->text ? s->text : "hello",
			 s->n ? s->n : strlen(s->text ? s->text : "hello"));
}

struct got {
	unsigned calls;
	int status;
	char body[512];
	size_t n;
	int64_t fresh_until;
	struct sp_cause cause;
	bool free_fetcher;
};

static void on_got(void *arg, int status, struct sp_slice body, int64_t fresh_until, const struct sp_cause *cause)
{
	struct got *g = arg;

	g->calls++;
	g->status = status;
	g->n = body.n;
	(void)sp_slice_copy(body, g->body, sizeof(g->body));
	g->fresh_until = fresh_until;
	if (cause)
		g->cause = *cause;
	if (g->free_fetcher)
		sp_fetcher_free(&fetcher);
}

static bool is_done(void *arg)
{
	return ((struct got *)arg)->calls > 0;
}

static void setup(void)
{
	certs_setup();
	certs_make_usual();
	certs_make(&(struct cert_spec){ .name = "other", .cn = "other", .ca = true, .days = 1 });
	certs_make(&(struct cert_spec){ .name = "elsewhere", .issuer = "ca", .cn = "x", .sans = "DNS:elsewhere.test", .days = 1 });
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(sp_loop_new(&loop), 0);
	ck_assert_int_eq(sp_fetcher_new(loop, &fetcher), 0);
}

static void teardown(void)
{
	sp_fetcher_free(&fetcher);
	sp_loop_free(&loop);
	web_stop(&web);
	certs_teardown();
}

static struct sp_fetch_request usual(const char *path)
{
	return (struct sp_fetch_request){ .url = web_url(web, path), .ca_file = CERT("ca"), .max_bytes = 400, .timeout_ms = WAIT_MS };
}

static void run(const struct sp_fetch_request *r, struct got *g)
{
	struct sp_fetch *f = NULL;

	ck_assert_int_eq(sp_fetch_start(fetcher, r, on_got, g, &f), 0);
	ck_assert_uint_eq(g->calls, 0);
	ck_assert(sp_loop_run_until(loop, is_done, g, WAIT_MS * 2));
	ck_assert_uint_eq(g->calls, 1);
}

START_TEST(get)
{
	struct got g = { 0 };
	struct sp_fetch_request r;

	web = web_start("server", NULL, answer, &seen);
	seen.extra = "Cache-Control: public, max-age=600\r\nAge: 100\r\n";
	r = usual("/keys?zid=a%20b");
	run(&r, &g);
	ck_assert_int_eq(g.status, 200);
	ck_assert_str_eq(g.body, "hello");
	ck_assert_str_eq(seen.method, "GET");
	ck_assert_str_eq(seen.path, "/keys?zid=a%20b");
	ck_assert_ptr_null(strstr(seen.head, "uthorization"));
	ck_assert_int_le(g.fresh_until, (int64_t)time(NULL) + 500);
	ck_assert_int_ge(g.fresh_until, (int64_t)time(NULL) + 500 - WAIT_MS / 1000);
}
END_TEST

START_TEST(post_with_client_certificate)
{
	static char pem[2][16384];
	struct got g = { 0 };
	struct sp_fetch_request r;
	size_t n[2];

	web = web_start("server", "ca", answer, &seen);
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(i ? KEY("client") : CERT("client"), "r");

		n[i] = fread(pem[i], 1, sizeof(pem[i]), f);
		fclose(f);
	}
	r = usual("/token");
	r.body = "grant_type=client_credentials&x=%26";
	r.authorization = "Basic YTpi";
	r.cert_pem = sp_slice_make(pem[0], n[0]);
	r.key_pem = sp_slice_make(pem[1], n[1]);
	run(&r, &g);
	ck_assert_int_eq(g.status, 200);
	ck_assert_str_eq(seen.method, "POST");
	ck_assert_str_eq(seen.body, "grant_type=client_credentials&x=%26");
	ck_assert_ptr_nonnull(strstr(seen.head, "Authorization: Basic YTpi\r\n"));
	ck_assert_ptr_nonnull(strstr(seen.head, "Content-Type: application/x-www-form-urlencoded\r\n"));
	ck_assert_str_ne(seen.client, "");
	ck_assert_int_eq(g.fresh_until, 0);
}
END_TEST

/* A redirect is an answer like others, and its target is not asked. */
START_TEST(statuses_are_handed_on)
{
	static const struct { const char *status, *extra; int code; } rows[] = {
		{ "302 Found", "Location: /elsewhere\r\nCache-Control: max-age=60\r\n", 302 },
		{ "404 Not Found", "", 404 },
		{ "503 Service Unavailable", "Retry-After: 1\r\n", 503 },
	};
	struct got g = { 0 };
	struct sp_fetch_request r;

	web = web_start("server", NULL, answer, &seen);
	seen.status = rows[_i].status;
	seen.extra = rows[_i].extra;
	r = usual("/first");
	run(&r, &g);
	ck_assert_int_eq(g.status, rows[_i].code);
	ck_assert_str_eq(seen.path, "/first");
	ck_assert_uint_eq(web_requests(web), 1);
}
END_TEST

START_TEST(the_last_byte_that_fits)
{
	static char text[500];
	struct got g = { 0 };
	struct sp_fetch_request r;

	memset(text, 'x', sizeof(text) - 1);
	web = web_start("server", NULL, answer, &seen);
	seen.text = text;
	seen.n = _i ? 401 : 400;
	r = usual("/");
	run(&r, &g);
	ck_assert_int_eq(g.status, _i ? SP_ETOOBIG : 200);
	ck_assert_uint_eq(g.n, _i ? 0 : 400);
	ck_assert_int_eq(g.cause.err, _i ? SP_ETOOBIG : 0);
}
END_TEST

/* Who the server is, is always verified: by our CA only, and by its name. */
START_TEST(strangers)
{
	static const struct { const char *cert, *ca; } rows[] = { { "server", "other" }, { "elsewhere", "ca" }, { "server", NULL } };
	struct got g = { 0 };
	struct sp_fetch_request r;

	web = web_start(rows[_i].cert, NULL, answer, &seen);
	r = usual("/");
	r.ca_file = rows[_i].ca ? CERT(rows[_i].ca) : NULL;
	run(&r, &g);
	ck_assert_int_eq(g.status, SP_ECERT);
	ck_assert_int_eq(g.cause.err, SP_ECERT);
	ck_assert_str_ne(g.cause.text, "");
	ck_assert_uint_eq(web_requests(web), 0);
}
END_TEST

START_TEST(a_missing_ca_file_fails)
{
	struct got g = { 0 };
	struct sp_fetch_request r;

	web = web_start("server", NULL, answer, &seen);
	r = usual("/");
	r.ca_file = "/nonexistent/ca.pem";
	run(&r, &g);
	ck_assert_int_eq(g.status, SP_ECERT);
	ck_assert_uint_eq(web_requests(web), 0);
}
END_TEST

START_TEST(silence_ends_in_time)
{
	struct got g = { 0 };
	struct sp_fetch_request r;

	web = web_start("server", NULL, answer, &seen);
	seen.silent = true;
	r = usual("/");
	r.timeout_ms = 200;
	run(&r, &g);
	ck_assert_int_eq(g.status, SP_ETIMEOUT);
}
END_TEST

START_TEST(nobody_listens)
{
	struct got g = { 0 };
	struct sp_fetch_request r = { .url = "https://127.0.0.1:1/", .max_bytes = 100, .timeout_ms = WAIT_MS };

	run(&r, &g);
	ck_assert_int_eq(g.status, SP_EREFUSED);
}
END_TEST

/* The environment's proxies are not for us: this one would be asked for every URL. */
START_TEST(no_proxy_of_the_environment)
{
	struct got g = { 0 };
	struct sp_fetch_request r;

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("HTTPS_PROXY", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	web = web_start("server", NULL, answer, &seen);
	r = usual("/");
	run(&r, &g);
	ck_assert_int_eq(g.status, 200);
}
END_TEST

START_TEST(only_https)
{
	static const char *const urls[] = { "http://127.0.0.1/", "file:///etc/passwd", "HTTPS:/x", "", "ftp://x/" };
	struct sp_fetch_request r = { .url = urls[_i], .max_bytes = 100, .timeout_ms = WAIT_MS };
	struct sp_fetch *f = NULL;
	struct got g = { 0 };

	ck_assert_int_eq(sp_fetch_start(fetcher, &r, on_got, &g, &f), SP_EINVAL);
	ck_assert_ptr_null(f);
}
END_TEST

START_TEST(cancelled)
{
	struct got gone = { 0 }, g = { 0 };
	struct sp_fetch_request r;
	struct sp_fetch *f = NULL;

	web = web_start("server", NULL, answer, &seen);
	r = usual("/gone");
	ck_assert_int_eq(sp_fetch_start(fetcher, &r, on_got, &gone, &f), 0);
	sp_fetch_cancel(&f);
	ck_assert_ptr_null(f);
	sp_fetch_cancel(&f);
	r = usual("/stays");
	run(&r, &g);
	ck_assert_int_eq(g.status, 200);
	ck_assert_uint_eq(gone.calls, 0);
}
END_TEST

/* In the callback of one of several; the others' never come. */
START_TEST(fetcher_freed_in_a_callback)
{
	struct got g[3] = { 0 };
	struct sp_fetch_request r;
	struct sp_fetch *f;
	unsigned calls = 0;

	web = web_start("server", NULL, answer, &seen);
	for (int i = 0; i < 3; i++) {
		g[i].free_fetcher = true;
		r = usual("/");
		ck_assert_int_eq(sp_fetch_start(fetcher, &r, on_got, &g[i], &f), 0);
	}
	while (fetcher)
		uv_run(sp_loop_uv(loop), UV_RUN_ONCE);
	sp_loop_run(loop);
	for (int i = 0; i < 3; i++)
		calls += g[i].calls;
	ck_assert_uint_eq(calls, 1);
}
END_TEST

Suite *sp_suite_fetch(void)
{
	Suite *s = suite_create("fetch");
	TCase *t = tcase_create("fetch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, get);
	tcase_add_test(t, post_with_client_certificate);
	tcase_add_loop_test(t, statuses_are_handed_on, 0, 3);
	tcase_add_loop_test(t, the_last_byte_that_fits, 0, 2);
	tcase_add_loop_test(t, strangers, 0, 3);
	tcase_add_test(t, a_missing_ca_file_fails);
	tcase_add_test(t, silence_ends_in_time);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, no_proxy_of_the_environment);
	tcase_add_loop_test(t, only_https, 0, 5);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, fetcher_freed_in_a_callback);
	suite_add_tcase(s, t);
	return s;
}
