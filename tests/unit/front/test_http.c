#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"

#define HTTP(chain) "protocol = \"http\"; auth = \"" chain "\";"
#define CONNECT "CONNECT erp.virtual:8000 HTTP/1.1\r\nHost: erp.virtual:8000\r\n"
#define OK "HTTP/1.1 200 Connection established\r\n\r\n"
/* Longer than any test waits: no deadline does a test's work. */
#define PATIENT "timeouts = { handshake = \"10m\"; };"
#define GOOD "Proxy-Authorization: Bearer good\r\n"

static struct peer client;

static void begin(const char *listener, const char *extra)
{
	fixture_open(listener, extra);
	memset(&client, 0, sizeof(client));
	client_open(&client);
}

static void finish(void)
{
	peer_end(&client);
	fixture_close();
}

/* A whole answer: head and as much content as it says. Valid until the next one. */
static const char *answer;
static size_t answer_n;

static bool has_answer(void *arg)
{
	struct peer *c = arg;
	const char *text = sp_buf_str(&c->in), *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");

	if (!end || !length || length > end)
		return false;
	answer = text;
	answer_n = (size_t)(end + 4 - text) + (size_t)atoi(length + 16);
	return c->in.len >= answer_n;
}

static void expect_answer(struct peer *c, const char *status_line)
{
	ck_assert_msg(run_for(has_answer, c, PEER_WAIT_MS), "no answer: %s", sp_buf_str(&c->in));
	ck_assert_msg(strncmp(answer, status_line, strlen(status_line)) == 0, "%s is not %s", answer, status_line);
}

static void drop_answer(struct peer *c)
{
	sp_buf_consume(&c->in, answer_n);
	answer = NULL;
}

static void expect_part(const char *part)
{
	ck_assert_msg(strstr(answer, part), "\"%s\" is not in: %s", part, answer);
}

static void expect_no(const char *part)
{
	ck_assert_msg(!strstr(answer, part), "\"%s\" is in: %s", part, answer);
}

/* The answer that ends the connection. */
static void expect_last(struct peer *c, const char *status_line)
{
	expect_answer(c, status_line);
	expect_part("\r\nConnection: close\r\n");
	peer_await_eof(c);
	ck_assert_uint_eq(c->in.len, answer_n);
}

/* ---- success --------------------------------------------------------------------- */

static const struct head {
	const char *chain, *text;
	const char *host;
	unsigned port;
	const char *cred, *user, *secret, *location, *region, *service_token;
} heads[] = {
	{ HTTP("anyone"), CONNECT "\r\n", "erp.virtual", 8000, "none", "absent", "absent", "absent", "absent", "absent" },
	{ HTTP("anyone"), "CONNECT [2001:DB8::1]:443 HTTP/1.0\r\n\r\n", "2001:db8::1", 443, "none", "absent", "absent", "absent",
	  "absent", "absent" },
	{ HTTP("anyone"), CONNECT "Proxy-Authorization: Negotiate abc\r\n\r\n", "erp.virtual", 8000, "none", "absent", "absent",
	  "absent", "absent", "absent" },
	{ HTTP("asks"), CONNECT "proxy-authorization: bearer good.token\r\n\r\n", "erp.virtual", 8000, "bearer", "absent",
	  "good.token", "absent", "absent", "absent" },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Basic dG9tOmdvb2Q=\r\n\r\n", "erp.virtual", 8000, "userpass", "tom", "good",
	  "absent", "absent", "absent" },
	{ HTTP("asks"),
	  CONNECT GOOD "SAP-Connectivity-SCC-Location_ID: north\r\nSAP-Connectivity-Region-Configuration-Id: eu10\r\n"
		       "SAP-CP-Connectivity-Service-Token: Bearer second\r\n\r\n",
	  "erp.virtual", 8000, "bearer", "absent", "good", "north", "eu10", "second" },
	{ HTTP("asks"), CONNECT GOOD "sallyport-location: north\r\nSAP-CP-Connectivity-Service-Token: second\r\n\r\n", "erp.virtual",
	  8000, "bearer", "absent", "good", "north", "absent", "second" },
	{ HTTP("asks"), CONNECT GOOD "sallyport-location: north\r\nSAP-Connectivity-SCC-Location_ID: north\r\n\r\n", "erp.virtual",
	  8000, "bearer", "absent", "good", "north", "absent", "absent" },
};

static void check_opened(const struct head *h)
{
	bool located = strcmp(h->location, "absent") != 0;

	peer_expect_str(&client, OK);
	ck_assert_str_eq(fx.fake.target.host, h->host);
	ck_assert_uint_eq(fx.fake.target.port, h->port);
	ck_assert_str_eq(fx.fake.location, located ? h->location : "");
	ck_assert_str_eq(fx.fake.tenant, "t1");
	ck_assert_str_eq(fx.seen->cred, h->cred);
	ck_assert_str_eq(fx.seen->user, h->user);
	ck_assert_str_eq(fx.seen->secret, h->secret);
	ck_assert_str_eq(fx.seen->location, h->location);
	ck_assert_str_eq(fx.seen->region, h->region);
	ck_assert_str_eq(fx.seen->service_token, h->service_token);
	ck_assert_str_eq(fx.seen->target_host, h->host);
	ck_assert_uint_eq(fx.seen->target_port, h->port);
	peer_expect_str(&fx.fake.origin, "payload");
	peer_send_str(&fx.fake.origin, "answer");
	peer_expect_str(&client, "answer");
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&fx.fake.origin);
	sp_stream_shutdown_write(fx.fake.origin.s);
	await_alone();
	ck_assert_uint_eq(fx.line_count, 1);
	expect_line(0, " front=http ");
	expect_line(0, " outcome=ok up=7 down=6 ");
}

START_TEST(in_one_segment)
{
	const struct head *h = &heads[_i];
	struct sp_slice v[2] = { sp_slice_str(h->text), SP_SLICE("payload") };

	begin(h->chain, "");
	(void)sp_stream_writev(client.s, v, 2);
	check_opened(h);
	finish();
}
END_TEST

START_TEST(cut_anywhere)
{
	const struct head *h = &heads[_i];
	size_t n = strlen(h->text);

	for (size_t cut = 1; cut < n; cut++) {
		begin(h->chain, "");
		peer_send(&client, h->text, cut);
		run_turns(3);
		peer_send_str(&client, h->text + cut);
		run_turns(3);
		peer_send_str(&client, "payload");
		check_opened(h);
		finish();
	}
}
END_TEST

START_TEST(byte_by_byte)
{
	const struct head *h = &heads[_i];

	begin(h->chain, "");
	for (const char *p = h->text; *p; p++) {
		peer_send(&client, p, 1);
		run_turns(2);
	}
	peer_send_str(&client, "payload");
	check_opened(h);
	finish();
}
END_TEST

START_TEST(early_payload_and_half_close)
{
	begin(HTTP("asks"), "");
	peer_send_str(&client, CONNECT GOOD "\r\npayload");
	sp_stream_shutdown_write(client.s);
	peer_expect_str(&client, OK);
	peer_expect_str(&fx.fake.origin, "payload");
	peer_await_eof(&fx.fake.origin);
	peer_send_str(&fx.fake.origin, "late");
	sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
	peer_expect_str(&client, "late");
	peer_await_eof(&client);
	finish();
}
END_TEST

/* ---- the answer, byte by byte --------------------------------------------------------------- */

START_TEST(whole_answer)
{
	char expected[1024], content[256], id[17] = { 0 };

	begin(HTTP("anyone"), "");
	fx.fake.mode = FAKE_FAIL;
	fx.fake.outcome = SP_OUTCOME_NO_CONNECTOR;
	fx.fake.proxy_status = "far.example; error=destination_unavailable; details=\"no_connector\"";
	peer_send_str(&client, CONNECT "sallyport-location: north\r\n\r\n");
	expect_last(&client, "HTTP/1.1 503 Service Unavailable\r\n");
	expect_part("Sallyport-Exchange: ");
	memcpy(id, strstr(answer, "Sallyport-Exchange: ") + 20, 16);
	snprintf(content, sizeof(content), "no_connector: No connector is connected for tenant t1, location north.\nexchange %s\n", id);
	snprintf(expected, sizeof(expected),
		 "HTTP/1.1 503 Service Unavailable\r\n"
		 "Proxy-Status: far.example; error=destination_unavailable; details=\"no_connector\", "
		 "sallyport; error=destination_unavailable; details=\"no_connector\"\r\n"
		 "Retry-After: 5\r\n"
		 "Sallyport-Exchange: %s\r\n"
		 "Content-Type: text/plain; charset=utf-8\r\n"
		 "Content-Length: %zu\r\n"
		 "Connection: close\r\n"
		 "\r\n%s",
		 id, strlen(content), content);
	ck_assert_str_eq(answer, expected);
	await_idle();
	expect_line(0, id);
	expect_line(0, " tenant=t1 ");
	expect_line(0, " location=north ");
	finish();
}
END_TEST

/* Every outcome of the back: the table's status and words, and none of the cause's. */
START_TEST(every_outcome)
{
	enum sp_outcome o = (enum sp_outcome)_i, told = o == SP_OUTCOME_OK ? SP_OUTCOME_UNKNOWN : o;
	const struct sp_outcome_row *row = sp_outcome_row(told);
	char text[160];

	begin(HTTP("anyone"), "");
	fx.fake.mode = FAKE_FAIL;
	fx.fake.outcome = o;
	peer_send_str(&client, CONNECT "Connection: close\r\n\r\n");
	snprintf(text, sizeof(text), "HTTP/1.1 %u %s\r\n", row->http_status, sp_http_reason(row->http_status));
	expect_last(&client, text);
	snprintf(text, sizeof(text), "\r\n\r\n%s: ", row->word);
	expect_part(text);
	if (row->proxy_error) {
		snprintf(text, sizeof(text), "\r\nProxy-Status: sallyport; error=%s; details=\"%s\"\r\n", row->proxy_error, row->word);
		expect_part(text);
	} else {
		expect_no("Proxy-Status");
	}
	ck_assert_int_eq(strstr(answer, "\r\nProxy-Authenticate: Bearer ") != NULL, row->http_status == 407);
	ck_assert_int_eq(strstr(answer, "\r\nRetry-After: ") != NULL, row->http_status == 429 || row->http_status == 503);
	expect_no("10.66.66.66");
	expect_no("operator");
	await_idle();
	expect_line(0, "only-for-the-operator");
	finish();
}
END_TEST

/* Words of other hops that are no clean field value would be a way into our answer. */
START_TEST(far_words_are_no_fields)
{
	begin(HTTP("anyone"), "");
	fx.fake.mode = FAKE_FAIL;
	fx.fake.outcome = SP_OUTCOME_REFUSED;
	fx.fake.proxy_status = _i == 0 ? "x\r\nSet-Cookie: a=b" : "x\x7f";
	peer_send_str(&client, CONNECT "\r\n");
	expect_last(&client, "HTTP/1.1 502 ");
	expect_no("Set-Cookie");
	expect_part("\r\nProxy-Status: sallyport; error=connection_refused");
	finish();
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------------------ */

static const struct refusal {
	const char *chain, *text, *status, *part, *line, *extra;
} refusals[] = {
	{ HTTP("asks"), CONNECT "\r\n", "407 Proxy Authentication Required", "Proxy-Authenticate: Bearer realm=\"sallyport\"\r\n",
	  "outcome=no_credential", NULL },
	{ HTTP("asks"), CONNECT "\r\n", "407 ", "Proxy-Authenticate: Basic realm=\"sallyport\", charset=\"UTF-8\"\r\n",
	  "outcome=no_credential", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Negotiate abc\r\n\r\n", "407 ", "This proxy needs a credential",
	  "outcome=no_credential", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer bad\r\n\r\n", "407 ",
	  "Proxy-Authenticate: Bearer realm=\"sallyport\", error=\"invalid_token\"\r\n", "outcome=bad_credential", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer expired\r\n\r\n", "407 ", "error=\"invalid_token\"",
	  "outcome=expired_credential", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer \r\n\r\n", "407 ", "error=\"invalid_token\"", "outcome=bad_credential", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Basic ====\r\n\r\n", "407 ", "invalid_token", "outcome=bad_credential", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer forbidden\r\n\r\n", "403 Forbidden", "forbidden: ", "outcome=forbidden", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer unknown\r\n\r\n", "403 Forbidden", "tenant_unknown: ",
	  "outcome=tenant_unknown", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer quota\r\n\r\n", "429 Too Many Requests", "\r\nRetry-After: 1\r\n",
	  "outcome=limit", NULL },
	{ HTTP("asks"), CONNECT "Proxy-Authorization: Bearer down\r\n\r\n", "503 Service Unavailable", "\r\nRetry-After: 5\r\n",
	  "outcome=auth_unavailable", NULL },
	{ HTTP("asks"), CONNECT GOOD GOOD "\r\n", "400 Bad Request", "bad_request: ", "outcome=bad_request", NULL },
	{ HTTP("asks"), CONNECT GOOD "sallyport-location: a\r\nSAP-Connectivity-SCC-Location_ID: b\r\n\r\n", "400 ", "bad_request: ",
	  "outcome=bad_request", NULL },
	{ HTTP("asks"), CONNECT GOOD "sallyport-location: a\r\nsallyport-location: a\r\n\r\n", "400 ", "bad_request: ",
	  "outcome=bad_request", NULL },
	{ HTTP("asks"), CONNECT GOOD "sallyport-location: \xff\r\n\r\n", "400 ", "bad_request: ", "outcome=bad_request", NULL },
	{ HTTP("anyone"), "GET https://erp.virtual/x HTTP/1.1\r\nHost: erp.virtual\r\n\r\n", "405 Method Not Allowed",
	  "use CONNECT host:port", "target=erp.virtual:443 outcome=command_unsupported", NULL },
	{ HTTP("anyone"), "POST wss://erp.virtual/ HTTP/1.1\r\nHost: erp.virtual\r\nContent-Length: 5\r\n\r\nhello", "405 ", "CONNECT",
	  "outcome=command_unsupported", NULL },
	{ HTTP("anyone"), "GET ftp://erp.virtual:21/ HTTP/1.1\r\nHost: erp.virtual\r\n\r\n", "400 ", "bad_request: ",
	  "outcome=bad_request", NULL },
	{ HTTP("anyone"), "GET / HTTP/1.1\r\nHost: localhost:20003\r\n\r\n", "400 Bad Request", "This is a proxy, not a web server",
	  "outcome=bad_request", NULL },
	{ HTTP("anyone"), "OPTIONS * HTTP/1.1\r\nHost: localhost:20003\r\n\r\n", "400 ", "This is a proxy", "outcome=bad_request", NULL },
	{ HTTP("anyone"), "CONNECT erp.virtual HTTP/1.1\r\nHost: erp.virtual\r\n\r\n", "400 ", "bad_request: The request is not valid.",
	  "outcome=bad_request", NULL },
	{ HTTP("anyone"), CONNECT "Content-Length: 5\r\n\r\nhello", "400 ", "bad_request: ", "outcome=bad_request", NULL },
	{ HTTP("anyone"), "CONNECT a:1 HTTP/1.1\nHost: a:1\n\n", "400 ", "bad_request: ", "outcome=bad_request", NULL },
	{ HTTP("anyone"), "CONNECT a:1 HTTP/2.0\r\n\r\n", "400 ", "bad_request: ", "outcome=bad_request", NULL },
	{ HTTP("anyone"), "\x16\x03\x01\x02", "400 ", "bad_request: ", "outcome=bad_request", NULL },
	{ HTTP("anyone"), "\x05\x01\x00", "400 ", "bad_request: ", "outcome=bad_request", NULL },
};

START_TEST(refused)
{
	const struct refusal *r = &refusals[_i];
	char status_line[80];

	begin(r->chain, r->extra ? r->extra : "");
	peer_send_str(&client, r->text);
	sp_stream_shutdown_write(client.s);
	snprintf(status_line, sizeof(status_line), "HTTP/1.1 %s", r->status);
	expect_answer(&client, status_line);
	expect_part(r->part);
	expect_no("operator");
	peer_await_eof(&client);
	await_alone();
	ck_assert_uint_eq(fx.line_count, 1);
	expect_line(0, r->line);
	ck_assert_uint_eq(fx.fake.opens, 0);
	finish();
}
END_TEST

START_TEST(no_content_for_head)
{
	begin(HTTP("anyone"), "");
	peer_send_str(&client, "HEAD https://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
	peer_await_eof(&client);
	ck_assert_ptr_nonnull(strstr(sp_buf_str(&client.in), "HTTP/1.1 405 "));
	ck_assert_str_eq(strstr(sp_buf_str(&client.in), "\r\n\r\n"), "\r\n\r\n");
	finish();
}
END_TEST

/* ---- sizes ------------------------------------------------------------------------------------------- */

static void send_many(char c, size_t n)
{
	static char many[4096];

	ck_assert_uint_le(n, sizeof(many));
	memset(many, c, n);
	peer_send(&client, many, n);
}

static const struct size_case {
	const char *before, *after;
	size_t n; /* how often 'x' stands between */
	const char *status, *line;
} size_cases[] = {
	{ "CONNECT ", "", 1100, "414 URI Too Long", "outcome=uri_too_long" },
	{ "\r\nCONNECT ", "", 1100, "414 URI Too Long", "outcome=uri_too_long" },
	{ CONNECT "X: ", "", 1100, "431 Request Header Fields Too Large", "outcome=head_too_large" },
	{ CONNECT "X: ", "\r\n\r\n", 1024 - (sizeof(CONNECT) - 1) - 3 - 4 + 1, "431 ", "outcome=head_too_large" },
	{ CONNECT "X: ", "\r\n\r\n", 1024 - (sizeof(CONNECT) - 1) - 3 - 4, "200 ", NULL }, /* exactly the limit */
};

START_TEST(head_sizes)
{
	const struct size_case *z = &size_cases[_i];
	char status_line[80];

	begin(HTTP("anyone"), "limits = { head = \"1KiB\"; };");
	peer_send_str(&client, z->before);
	send_many('x', z->n);
	peer_send_str(&client, z->after);
	if (!z->line) {
		peer_expect_str(&client, OK);
		finish();
		return;
	}
	snprintf(status_line, sizeof(status_line), "HTTP/1.1 %s", z->status);
	expect_last(&client, status_line);
	await_idle();
	expect_line(0, z->line);
	finish();
}
END_TEST

START_TEST(too_many_fields)
{
	begin(HTTP("anyone"), "");
	peer_send_str(&client, CONNECT);
	for (int i = 0; i < SP_FIELDS_MAX; i++)
		peer_send_str(&client, "X: y\r\n");
	peer_send_str(&client, "\r\n");
	expect_last(&client, "HTTP/1.1 431 ");
	finish();
}
END_TEST

START_TEST(credential_above_the_limit)
{
	begin(HTTP("asks"), "limits = { token = \"256\"; };");
	peer_send_str(&client, CONNECT);
	peer_send_str(&client, _i == 0 ? "Proxy-Authorization: Bearer good" : GOOD "SAP-CP-Connectivity-Service-Token: good");
	send_many('x', _i == 2 ? 252 : 253);
	peer_send_str(&client, "\r\n\r\n");
	if (_i == 2) {
		peer_expect_str(&client, OK);
	} else {
		expect_answer(&client, "HTTP/1.1 407 ");
		expect_part("invalid_token");
	}
	ck_assert_uint_eq(fx.seen->requests, _i == 2);
	finish();
}
END_TEST

/* ---- another attempt ------------------------------------------------------------------------------------- */

START_TEST(second_attempt_on_the_same_connection)
{
	begin(HTTP("asks"), "");
	peer_send_str(&client, CONNECT "\r\n");
	expect_answer(&client, "HTTP/1.1 407 ");
	expect_no("Connection: close");
	drop_answer(&client);
	peer_send_str(&client, CONNECT "Proxy-Authorization: Bearer bad\r\n\r\n");
	expect_answer(&client, "HTTP/1.1 407 ");
	drop_answer(&client);
	peer_send_str(&client, CONNECT GOOD "\r\n");
	peer_expect_str(&client, OK);
	peer_send_str(&client, "hello");
	peer_expect_str(&fx.fake.origin, "hello");
	ck_assert_uint_eq(fx.line_count, 2);
	expect_line(0, "outcome=no_credential");
	expect_line(1, "outcome=bad_credential");
	ck_assert_ptr_eq(strstr(fx.lines[0].text, "target=erp.virtual:8000") != NULL ? fx.lines : NULL, fx.lines);
	finish();
	ck_assert_uint_eq(fx.line_count, 3);
}
END_TEST

/* What follows a refused head could be payload that a third party chose: it is never read as a request. */
START_TEST(no_second_attempt_after_early_bytes)
{
	static const char smuggled[] = CONNECT GOOD "\r\n";

	begin(HTTP("asks"), "");
	if (_i == 0) {
		peer_send_str(&client, CONNECT "\r\n");
		peer_send_str(&client, smuggled);
	} else {
		peer_send_str(&client, CONNECT "Proxy-Authorization: Bearer bad\r\n\r\nx");
	}
	expect_last(&client, "HTTP/1.1 407 ");
	await_idle();
	ck_assert_uint_eq(fx.fake.opens, 0);
	ck_assert_uint_eq(fx.line_count, 1);
	finish();
}
END_TEST

static const char *const last_attempts[] = {
	CONNECT "Connection: close\r\n\r\n",
	CONNECT "Proxy-Connection: Close\r\n\r\n",
	CONNECT "Connection: x, close\r\n\r\n",
	"CONNECT erp.virtual:8000 HTTP/1.0\r\n\r\n",
};

START_TEST(no_second_attempt_when_the_client_says_so)
{
	begin(HTTP("asks"), "");
	peer_send_str(&client, last_attempts[_i]);
	expect_last(&client, "HTTP/1.1 407 ");
	finish();
}
END_TEST

/* Guessing costs a connection now and then. */
START_TEST(attempts_are_limited)
{
	unsigned n = 0;

	begin(HTTP("asks"), "");
	while (client.eof == 0 && n < 100) {
		peer_send_str(&client, CONNECT "Proxy-Authorization: Bearer bad\r\n\r\n");
		expect_answer(&client, "HTTP/1.1 407 ");
		n++;
		if (strstr(answer, "Connection: close"))
			peer_await_eof(&client);
		drop_answer(&client);
	}
	ck_assert_uint_gt(n, 2);
	ck_assert_uint_lt(n, 20);
	finish();
}
END_TEST

START_TEST(idle_after_407)
{
	begin(HTTP("asks"), _i == 0 ? "timeouts = { handshake = \"20ms\"; };" : "");
	peer_send_str(&client, CONNECT "\r\n");
	expect_answer(&client, "HTTP/1.1 407 ");
	drop_answer(&client);
	if (_i == 1) {
		fx.book.draining = true;
		sp_front_drain(fx.front);
	}
	client_expect_end(&client);
	await_alone();
	ck_assert_uint_eq(fx.line_count, 1);
	finish();
}
END_TEST

/* ---- leaving ------------------------------------------------------------------------------------------------ */

static const struct stage {
	const char *text;
	enum fake_mode mode;
	bool line, answered;
} stages[] = {
	{ "", FAKE_OPEN, false, false },
	{ "CONN", FAKE_OPEN, false, false },
	{ CONNECT "Proxy-Authorization: Bearer hold\r\n\r\n", FAKE_OPEN, true, false },
	{ CONNECT GOOD "\r\n", FAKE_HOLD, true, false },
	{ CONNECT GOOD "\r\nearly", FAKE_HOLD, true, false },
	{ CONNECT GOOD "\r\n", FAKE_OPEN, true, true },
};

static void go_to_stage(const struct stage *g)
{
	begin(HTTP("asks"), PATIENT);
	fx.fake.mode = g->mode;
	peer_send_str(&client, g->text);
	if (g->answered)
		peer_expect_str(&client, OK);
	run_turns(10);
	ck_assert_uint_eq(fx.book.exchanges, g->line);
	ck_assert_uint_eq(fx.fake.opens, strstr(g->text, "good") != NULL);
}

static void check_undone(const struct stage *g, const char *line)
{
	await_alone();
	ck_assert_uint_eq(fx.line_count, g->line);
	if (g->line)
		expect_line(0, line);
	ck_assert_uint_eq(fx.fake.cancels, g->mode == FAKE_HOLD);
	ck_assert_uint_eq(fx.seen->gone, strstr(g->text, "hold") != NULL);
}

START_TEST(client_resets)
{
	go_to_stage(&stages[_i]);
	sp_stream_close(client.s, SP_CLOSE_ABORT);
	check_undone(&stages[_i], "outcome=client_gone");
	finish();
}
END_TEST

/* An end instead of a request. One behind untaken bytes is for the deadline. */
START_TEST(client_ends_and_owes)
{
	begin(HTTP("asks"), PATIENT);
	if (_i == 1) {
		peer_send_str(&client, CONNECT "\r\n");
		expect_answer(&client, "HTTP/1.1 407 ");
		drop_answer(&client);
	}
	sp_stream_shutdown_write(client.s);
	client_expect_end(&client);
	await_alone();
	ck_assert_uint_eq(fx.line_count, _i);
	finish();
}
END_TEST

/* A pipe into a plain TCP client ends its side with the request, and wants the answer. */
START_TEST(client_ends_after_its_request)
{
	begin(HTTP("asks"), PATIENT);
	peer_send_str(&client, _i == 0 ? CONNECT GOOD "\r\n" : CONNECT "\r\n");
	sp_stream_shutdown_write(client.s);
	if (_i == 0) {
		peer_expect_str(&client, OK);
		peer_await_eof(&fx.fake.origin);
		peer_send_str(&fx.fake.origin, "banner");
		sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
		peer_expect_str(&client, "banner");
	} else {
		expect_answer(&client, "HTTP/1.1 407 ");
		drop_answer(&client);
	}
	client_expect_end(&client);
	await_alone();
	ck_assert_uint_eq(fx.line_count, 1);
	finish();
}
END_TEST

START_TEST(front_closes)
{
	go_to_stage(&stages[_i]);
	sp_front_close(&fx.front);
	peer_await_closed(&client);
	ck_assert_int_eq(client.cause.err, SP_ERESET);
	await_alone();
	if (stages[_i].line)
		expect_line(0, "outcome=shutdown");
	finish();
}
END_TEST

Suite *sp_suite_http(void)
{
	Suite *s = suite_create("front/http");
	TCase *t = tcase_create("http");

	tcase_add_unchecked_fixture(t, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, in_one_segment, 0, SP_COUNT_OF(heads));
	tcase_add_loop_test(t, cut_anywhere, 0, SP_COUNT_OF(heads));
	tcase_add_loop_test(t, byte_by_byte, 0, SP_COUNT_OF(heads));
	tcase_add_test(t, early_payload_and_half_close);
	tcase_add_test(t, whole_answer);
	tcase_add_loop_test(t, every_outcome, 0, SP_OUTCOME_COUNT);
	tcase_add_loop_test(t, far_words_are_no_fields, 0, 2);
	tcase_add_loop_test(t, refused, 0, SP_COUNT_OF(refusals));
	tcase_add_test(t, no_content_for_head);
	tcase_add_loop_test(t, head_sizes, 0, SP_COUNT_OF(size_cases));
	tcase_add_test(t, too_many_fields);
	tcase_add_loop_test(t, credential_above_the_limit, 0, 3);
	tcase_add_test(t, second_attempt_on_the_same_connection);
	tcase_add_loop_test(t, no_second_attempt_after_early_bytes, 0, 2);
	tcase_add_loop_test(t, no_second_attempt_when_the_client_says_so, 0, SP_COUNT_OF(last_attempts));
	tcase_add_test(t, attempts_are_limited);
	tcase_add_loop_test(t, idle_after_407, 0, 2);
	tcase_add_loop_test(t, client_resets, 0, SP_COUNT_OF(stages));
	tcase_add_loop_test(t, client_ends_and_owes, 0, 2);
	tcase_add_loop_test(t, client_ends_after_its_request, 0, 2);
	tcase_add_loop_test(t, front_closes, 0, SP_COUNT_OF(stages));
	suite_add_tcase(s, t);
	return s;
}
