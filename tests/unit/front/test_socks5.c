#include "suites.h"

#include <stdio.h>
#include <string.h>

#define SOCKS(chain) "protocol = \"socks5\"; auth = \"" chain "\";"

/* Bytes as text: "\x05\x01\x00". */
#define B(literal) (literal), sizeof(literal) - 1

#define USERPASS(password) "\x05\x01\x02" "\x01\x03" "tom\x04" password
#define TOKEN(token4, coded_n, coded) "\x05\x01\x80" "\x01\x00\x00\x00\x04" token4 coded_n coded
#define CONNECT_NAME "\x05\x01\x00\x03\x0b" "erp.virtual" "\x1f\x40"
#define CONNECT_IPV4 "\x05\x01\x00\x01\x0a\x01\x02\x03\x00\x50"
#define CONNECT_IPV6 "\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb"
#define REPLY(rep) "\x05" rep "\x00\x01\x00\x00\x00\x00\x00\x00"
#define OK REPLY("\x00")

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

/* ---- whole conversations --------------------------------------------------------- */

static const struct conversation {
	const char *listener;
	const char *bytes;
	size_t n;
	const char *answer;
	size_t answer_n;
	const char *host;
	unsigned port;
	const char *location;
	const char *cred;
	const char *secret;
} conversations[] = {
	{ SOCKS("anyone"), B("\x05\x01\x00" CONNECT_NAME), B("\x05\x00" OK), "erp.virtual", 8000, "", "none", "absent" },
	{ SOCKS("anyone"), B("\x05\x02\x00\x01" CONNECT_NAME), B("\x05\x00" OK), "erp.virtual", 8000, "", "none", "absent" },
	{ SOCKS("anyone"), B("\x05\x01\x00" CONNECT_IPV4), B("\x05\x00" OK), "10.1.2.3", 80, "", "none", "absent" },
	{ SOCKS("anyone"), B("\x05\x01\x00" CONNECT_IPV6), B("\x05\x00" OK), "2001:db8::1", 443, "", "none", "absent" },
	{ SOCKS("anyone"), B(USERPASS("good") CONNECT_NAME), B("\x05\x02\x01\x00" OK), "erp.virtual", 8000, "", "userpass", "good" },
	{ SOCKS("anyone"), B("\x05\x01\x80\x01\x00\x00\x00\x00\x08" "bm9ydGg=" CONNECT_NAME), B("\x05\x80\x01\x00" OK),
	  "erp.virtual", 8000, "north", "none", "absent" },
	{ SOCKS("asks"), B(USERPASS("good") CONNECT_NAME), B("\x05\x02\x01\x00" OK), "erp.virtual", 8000, "", "userpass", "good" },
	{ SOCKS("asks"), B(TOKEN("good", "\x00", "") CONNECT_NAME), B("\x05\x80\x01\x00" OK), "erp.virtual", 8000, "", "bearer",
	  "good" },
	{ SOCKS("asks"), B(TOKEN("good", "\x08", "bm9ydGg=") CONNECT_IPV4), B("\x05\x80\x01\x00" OK), "10.1.2.3", 80, "north",
	  "bearer", "good" },
};

static void check_opened(const struct conversation *c)
{
	peer_expect(&client, c->answer, c->answer_n);
	ck_assert_uint_eq(fx.fake.opens, 1);
	ck_assert_str_eq(fx.fake.target.host, c->host);
	ck_assert_uint_eq(fx.fake.target.port, c->port);
	ck_assert_str_eq(fx.fake.location, c->location);
	ck_assert_str_eq(fx.fake.tenant, "t1");
	ck_assert_str_eq(fx.fake.principal, "app!1");
	ck_assert_uint_eq(fx.seen->requests, 1);
	ck_assert_str_eq(fx.seen->cred, c->cred);
	ck_assert_str_eq(fx.seen->secret, c->secret);
	ck_assert_str_eq(fx.seen->location, c->location[0] ? c->location : "absent");
	ck_assert_str_eq(fx.seen->client, "10.9.8.7:6543");
	peer_expect_str(&fx.fake.origin, "payload");
	peer_send_str(&fx.fake.origin, "answer");
	peer_expect_str(&client, "answer");
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&fx.fake.origin);
	sp_stream_shutdown_write(fx.fake.origin.s);
	peer_await_eof(&client);
	await_alone();
	ck_assert_uint_eq(fx.line_count, 1);
	expect_line(0, " front=socks5 ");
	expect_line(0, " client=10.9.8.7:6543 ");
	expect_line(0, " via=fake outcome=ok up=7 down=6 ");
}

static const char payload[] = "payload";

/* Everything in one segment, the payload too. */
START_TEST(in_one_segment)
{
	const struct conversation *c = &conversations[_i];
	struct sp_slice v[2] = { { (const uint8_t *)c->bytes, c->n }, SP_SLICE("payload") };

	begin(c->listener, "");
	(void)sp_stream_writev(client.s, v, 2);
	check_opened(c);
	finish();
}
END_TEST

/* One message cut in two at every place; the second part comes when the first one was dealt with. */
START_TEST(cut_anywhere)
{
	const struct conversation *c = &conversations[_i];

	for (size_t cut = 1; cut < c->n; cut++) {
		begin(c->listener, "");
		peer_send(&client, c->bytes, cut);
		run_turns(4);
		peer_send(&client, c->bytes + cut, c->n - cut);
		run_turns(4);
		peer_send_str(&client, payload);
		check_opened(c);
		finish();
	}
}
END_TEST

START_TEST(byte_by_byte)
{
	const struct conversation *c = &conversations[_i];

	begin(c->listener, "");
	for (size_t i = 0; i < c->n; i++) {
		peer_send(&client, c->bytes + i, 1);
		run_turns(3);
	}
	for (size_t i = 0; i < 7; i++) {
		peer_send(&client, payload + i, 1);
		run_turns(1);
	}
	check_opened(c);
	finish();
}
END_TEST

/* The client ends its side at once: it still gets its answer. */
START_TEST(early_payload_and_half_close)
{
	const struct conversation *c = &conversations[_i];

	begin(c->listener, "");
	peer_send(&client, c->bytes, c->n);
	peer_send_str(&client, payload);
	sp_stream_shutdown_write(client.s);
	peer_expect(&client, c->answer, c->answer_n);
	peer_expect_str(&fx.fake.origin, payload);
	peer_await_eof(&fx.fake.origin);
	peer_send_str(&fx.fake.origin, "a late answer");
	sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
	peer_expect_str(&client, "a late answer");
	peer_await_eof(&client);
	await_alone();
	expect_line(0, " outcome=ok up=7 down=13 ");
	finish();
}
END_TEST

/* ---- methods ------------------------------------------------------------------------ */

static const struct method_case {
	const char *listener;
	const char *greeting;
	size_t n;
	const char *answer; /* 2 bytes */
} method_cases[] = {
	{ SOCKS("asks"), B("\x05\x01\x00"), "\x05\xff" },
	{ SOCKS("asks"), B("\x05\x02\x00\x01"), "\x05\xff" },
	{ SOCKS("asks"), B("\x05\x00"), "\x05\xff" },
	{ SOCKS("asks"), B("\x05\x03\x00\x01\x02"), "\x05\x02" },
	{ SOCKS("asks"), B("\x05\x02\x00\x80"), "\x05\x80" },
	{ SOCKS("asks"), B("\x05\x04\x00\x01\x02\x80"), "\x05\x80" },
	{ SOCKS("asks"), B("\x05\x01\x80"), "\x05\x80" },
	{ SOCKS("asks"), B("\x05\x02\x01\x03"), "\x05\xff" },
	{ SOCKS("anyone"), B("\x05\x01\x00"), "\x05\x00" },
	{ SOCKS("anyone"), B("\x05\x03\x00\x02\x80"), "\x05\x80" },
	{ SOCKS("anyone"), B("\x05\x02\x02\x80"), "\x05\x80" },
	{ SOCKS("anyone"), B("\x05\x02\x02\x00"), "\x05\x00" },
	{ SOCKS("anyone"), B("\x05\x01\x02"), "\x05\x02" },
	{ SOCKS("anyone"), B("\x05\x01\x80"), "\x05\x80" },
	{ SOCKS("anyone"), B("\x05\x01\x01"), "\x05\xff" },
	{ SOCKS("anyone"), B("\x05\x00"), "\x05\xff" },
};

START_TEST(method_choice)
{
	const struct method_case *m = &method_cases[_i];

	begin(m->listener, "");
	peer_send(&client, m->greeting, m->n);
	peer_expect(&client, m->answer, 2);
	if ((uint8_t)m->answer[1] == 0xff) {
		client_expect_end(&client);
		await_alone();
		expect_line(0, " outcome=no_credential ");
	}
	ck_assert_uint_eq(fx.seen->requests, 0);
	finish();
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------ */

/* What the client sends, what it gets before the connection ends, and the outcome. No open ever gets to the back. */
static const struct refusal {
	const char *listener;
	const char *bytes;
	size_t n;
	const char *answer;
	size_t answer_n;
	const char *line;
	const char *extra;
} refusals[] = {
	/* not SOCKS5 */
	{ SOCKS("anyone"), B("GET / HTTP/1.1\r\n\r\n"), B(""), "outcome=bad_request", NULL },
	{ SOCKS("anyone"), B("\x04\x01\x00\x50"), B(""), "outcome=bad_request", NULL },
	/* credentials */
	{ SOCKS("asks"), B(USERPASS("bad!")), B("\x05\x02\x01\x01"), "outcome=bad_credential", NULL },
	{ SOCKS("asks"), B("\x05\x01\x02\x01\x01u\x07" "expired"), B("\x05\x02\x01\x01"), "outcome=expired_credential", NULL },
	{ SOCKS("asks"), B("\x05\x01\x02\x01\x01u\x09" "forbidden"), B("\x05\x02\x01\x01"), "outcome=forbidden", NULL },
	{ SOCKS("asks"), B("\x05\x01\x02\x01\x01u\x07" "unknown"), B("\x05\x02\x01\x01"), "outcome=tenant_unknown", NULL },
	{ SOCKS("asks"), B("\x05\x01\x02\x01\x01u\x05" "quota"), B("\x05\x02\x01\x01"), "outcome=limit", NULL },
	{ SOCKS("asks"), B("\x05\x01\x02\x01\x01u\x04" "down"), B("\x05\x02\x01\x01"), "outcome=auth_unavailable", NULL },
	{ SOCKS("asks"), B("\x05\x01\x80\x01\x00\x00\x00\x03" "bad\x00"), B("\x05\x80\x01\x01"), "outcome=bad_credential", NULL },
	{ SOCKS("asks"), B("\x05\x01\x80\x01\x00\x00\x00\x00\x00"), B("\x05\x80\x01\x01"), "outcome=no_credential", NULL },
	{ SOCKS("nobody"), B("\x05\x01\x00" CONNECT_NAME), B("\x05\x00" REPLY("\x05")), "outcome=no_credential", NULL },
	/* malformed sub-negotiation */
	{ SOCKS("asks"), B("\x05\x01\x02\x05\x03" "tom\x04good"), B("\x05\x02\x01\x01"), "outcome=bad_request", NULL },
	{ SOCKS("asks"), B("\x05\x01\x80\x05"), B("\x05\x80\x01\x01"), "outcome=bad_request", NULL },
	{ SOCKS("asks"), B("\x05\x01\x80\x01\xff\xff\xff\xff"), B("\x05\x80\x01\x01"), "outcome=bad_credential", NULL },
	{ SOCKS("asks"), B("\x05\x01\x80\x01\x00\x00\x01\x01"), B("\x05\x80\x01\x01"), "outcome=bad_credential",
	  "limits = { token = \"256\"; };" },
	{ SOCKS("asks"), B(TOKEN("good", "\x08", "bm9ydGg")), B("\x05\x80"), NULL, NULL }, /* one short: waits */
	{ SOCKS("asks"), B(TOKEN("good", "\x08", "bm9ydGg!")), B("\x05\x80\x01\x01"), "outcome=bad_request", NULL },
	{ SOCKS("asks"), B(TOKEN("good", "\x04", "AAo=")), B("\x05\x80\x01\x01"), "outcome=bad_request", NULL }, /* NUL, LF */
	/* requests */
	{ SOCKS("anyone"), B("\x05\x01\x00\x05\x02\x00\x03\x0b" "erp.virtual\x1f\x40"), B("\x05\x00" REPLY("\x07")),
	  "target=erp.virtual:8000 outcome=command_unsupported", NULL },
	{ SOCKS("anyone"), B("\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"), B("\x05\x00" REPLY("\x07")),
	  "outcome=command_unsupported", NULL },
	{ SOCKS("anyone"), B("\x05\x01\x00\x05\x01\x00\x02"), B("\x05\x00" REPLY("\x08")), "outcome=address_type_unsupported", NULL },
	{ SOCKS("anyone"), B("\x05\x01\x00\x05\x01\x00\x03\x00\x00\x50"), B("\x05\x00" REPLY("\x01")), "outcome=bad_request", NULL },
	{ SOCKS("anyone"), B("\x05\x01\x00\x05\x01\x00\x03\x03" "a b\x00\x50"), B("\x05\x00" REPLY("\x01")), "outcome=bad_request",
	  NULL },
	{ SOCKS("anyone"), B("\x05\x01\x00\x05\x01\x00\x03\x01" "a\x00\x00"), B("\x05\x00" REPLY("\x01")), "outcome=bad_request", NULL },
	{ SOCKS("anyone"), B("\x05\x01\x00\x04\x01\x00\x01"), B("\x05\x00" REPLY("\x01")), "outcome=bad_request", NULL },
	{ SOCKS("asks"), B(USERPASS("good") "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x01"), B("\x05\x02\x01\x00" REPLY("\x07")),
	  "tenant=t1 principal=app!1 ", NULL },
};

static void check_refusal(const struct refusal *r)
{
	peer_expect(&client, r->answer, r->answer_n);
	if (!r->line) {
		run_turns(20);
		ck_assert_uint_eq(client.eof, 0);
		ck_assert_uint_eq(client.in.len, 0);
		return;
	}
	client_expect_end(&client);
	await_alone();
	ck_assert_uint_eq(fx.line_count, 1);
	expect_line(0, r->line);
	ck_assert_uint_eq(fx.fake.opens, 0);
}

START_TEST(refused)
{
	const struct refusal *r = &refusals[_i];

	begin(r->listener, r->extra ? r->extra : "");
	peer_send(&client, r->bytes, r->n);
	check_refusal(r);
	finish();
}
END_TEST

START_TEST(refused_byte_by_byte)
{
	const struct refusal *r = &refusals[_i];

	begin(r->listener, r->extra ? r->extra : "");
	for (size_t i = 0; i < r->n && client.eof == 0; i++) {
		peer_send(&client, r->bytes + i, 1);
		run_turns(3);
	}
	check_refusal(r);
	finish();
}
END_TEST

/* Whatever the back says, in the bytes of the table. */
START_TEST(every_outcome)
{
	enum sp_outcome o = (enum sp_outcome)_i;
	const struct sp_outcome_row *row = sp_outcome_row(o);
	uint8_t reply[10] = { 5, row->socks_reply, 0, 1 };

	begin(SOCKS("anyone"), "");
	fx.fake.mode = FAKE_FAIL;
	fx.fake.outcome = o;
	peer_send(&client, B("\x05\x01\x00" CONNECT_NAME));
	peer_expect(&client, B("\x05\x00"));
	if (o == SP_OUTCOME_OK)
		reply[1] = 1; /* "ok" without a stream is no success */
	ck_assert_uint_ne(reply[1], 0);
	peer_expect(&client, reply, sizeof(reply));
	client_expect_end(&client);
	await_alone();
	expect_line(0, o == SP_OUTCOME_OK ? "unknown" : row->word);
	ck_assert_uint_eq(fx.book.ended[o == SP_OUTCOME_OK ? SP_OUTCOME_UNKNOWN : o], 1);
	finish();
}
END_TEST

/* ---- leaving ------------------------------------------------------------------------------ */

/* How far the client gets before it leaves, and what must have been undone. */
static const struct stage {
	const char *listener;
	const char *bytes;
	size_t n;
	size_t answer_n;
	enum fake_mode mode;
	bool line;    /* an exchange had begun */
	bool owes;    /* the client must send something */
	bool partial; /* ... and has begun to */
} stages[] = {
	{ SOCKS("asks"), B(""), 0, FAKE_OPEN, false, true, false },
	{ SOCKS("asks"), B("\x05"), 0, FAKE_OPEN, false, true, true },
	{ SOCKS("asks"), B("\x05\x01\x02"), 2, FAKE_OPEN, false, true, false },
	{ SOCKS("asks"), B("\x05\x01\x02\x01\x03to"), 2, FAKE_OPEN, false, true, true },
	{ SOCKS("asks"), B(USERPASS("hold")), 2, FAKE_OPEN, true, false, false },
	{ SOCKS("asks"), B(USERPASS("good")), 4, FAKE_OPEN, true, true, false },
	{ SOCKS("asks"), B(USERPASS("good") "\x05\x01"), 4, FAKE_OPEN, true, true, true },
	{ SOCKS("anyone"), B("\x05\x01\x00" CONNECT_NAME), 2, FAKE_HOLD, true, false, false },
	{ SOCKS("anyone"), B("\x05\x01\x00" CONNECT_NAME), 12, FAKE_OPEN, true, false, false },
};

/* Longer than any test waits: no deadline does a test's work. */
#define PATIENT "timeouts = { handshake = \"10m\"; };"

static void go_to_stage(const struct stage *g)
{
	begin(g->listener, PATIENT);
	fx.fake.mode = g->mode;
	if (g->n > 0)
		peer_send(&client, g->bytes, g->n);
	peer_await_bytes(&client, g->answer_n);
	run_turns(10);
	ck_assert_uint_eq(client.in_bytes, g->answer_n);
	ck_assert_uint_eq(fx.book.clients, 1);
	ck_assert_uint_eq(fx.book.exchanges, g->line);
}

static void check_undone(const struct stage *g)
{
	await_alone();
	ck_assert_uint_eq(fx.line_count, g->line);
	ck_assert_uint_eq(fx.fake.cancels, g->mode == FAKE_HOLD);
	ck_assert_uint_eq(fx.seen->requests, fx.seen->finishes);
	ck_assert_uint_eq(fx.empties, 1);
}

START_TEST(client_resets)
{
	const struct stage *g = &stages[_i];

	go_to_stage(g);
	sp_stream_close(client.s, SP_CLOSE_ABORT);
	check_undone(g);
	if (g->line)
		expect_line(0, " outcome=client_gone ");
	if (strstr(g->bytes, "hold"))
		ck_assert_uint_eq(fx.seen->gone, 1);
	finish();
}
END_TEST

/* An end instead of what the client owes is its leaving. */
START_TEST(client_ends_and_owes)
{
	const struct stage *g = &stages[_i];

	if (!g->owes || g->partial)
		return; /* an end behind untaken bytes is for the deadline: stalls_in_a_message */
	go_to_stage(g);
	sp_stream_shutdown_write(client.s);
	peer_await_eof(&client);
	ck_assert_uint_eq(client.in_bytes, g->answer_n);
	peer_end(&client);
	check_undone(g);
	if (g->line)
		expect_line(0, " outcome=client_gone ");
	finish();
}
END_TEST

/* A client that has nothing to send but its request may end its side right after it. */
START_TEST(client_ends_after_its_request)
{
	begin(_i == 0 ? SOCKS("anyone") : SOCKS("asks"), "");
	fx.fake.mode = _i == 2 ? FAKE_FAIL : FAKE_OPEN;
	fx.fake.outcome = SP_OUTCOME_REFUSED;
	if (_i == 0)
		peer_send(&client, B("\x05\x01\x00" CONNECT_NAME));
	else
		peer_send(&client, B(USERPASS("good") CONNECT_NAME));
	sp_stream_shutdown_write(client.s);
	if (_i == 2) {
		peer_expect(&client, B("\x05\x02\x01\x00" REPLY("\x04")));
		client_expect_end(&client);
	} else {
		peer_expect_str(&client, _i == 0 ? "\x05" : "\x05\x02\x01");
		peer_await_bytes(&client, _i == 0 ? 12 : 14);
		peer_await_eof(&fx.fake.origin);
		peer_send_str(&fx.fake.origin, "banner");
		sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
		peer_await_bytes(&client, _i == 0 ? 18 : 20);
	}
	await_alone();
	expect_line(0, _i == 2 ? " outcome=refused " : " outcome=ok up=0 down=6 ");
	finish();
}
END_TEST

START_TEST(front_closes)
{
	const struct stage *g = &stages[_i];

	go_to_stage(g);
	sp_front_close(&fx.front);
	ck_assert_ptr_null(fx.front);
	peer_await_closed(&client);
	ck_assert_int_eq(client.cause.err, SP_ERESET);
	check_undone(g);
	if (g->line)
		expect_line(0, " outcome=shutdown ");
	finish();
}
END_TEST

/* Draining ends those who have no exchange; the others finish. */
START_TEST(front_drains)
{
	const struct stage *g = &stages[_i];

	go_to_stage(g);
	fx.book.draining = true;
	sp_front_drain(fx.front);
	run_turns(20);
	ck_assert_uint_eq(client.eof, !g->line);
	ck_assert_uint_eq(fx.book.exchanges, g->line);
	peer_end(&client);
	check_undone(g);
	finish();
}
END_TEST

/* ---- time --------------------------------------------------------------------------------- */

#define IMPATIENT "timeouts = { handshake = \"30ms\"; };"

/* A client that stops in the middle of what it must send is let go, without a word. */
START_TEST(stalls_in_a_message)
{
	const struct stage *g = &stages[_i];

	begin(g->listener, IMPATIENT);
	fx.fake.mode = g->mode;
	if (g->n > 0)
		peer_send(&client, g->bytes, g->n);
	if (!g->owes) {
		/* The chain's and the back's time is not the client's. */
		peer_await_bytes(&client, g->answer_n);
		ck_assert(!run_for(is_alone, NULL, 120));
		ck_assert_uint_eq(client.eof, 0);
		peer_end(&client);
	} else {
		peer_await_eof(&client);
		ck_assert_uint_eq(client.in_bytes, g->answer_n);
		peer_end(&client);
	}
	check_undone(g);
	if (g->line)
		expect_line(0, " outcome=client_gone ");
	finish();
}
END_TEST

START_TEST(back_takes_too_long)
{
	begin(SOCKS("anyone"), "timeouts = { open = \"20ms\"; };");
	fx.fake.mode = FAKE_HOLD;
	peer_send(&client, B("\x05\x01\x00" CONNECT_NAME));
	peer_expect(&client, B("\x05\x00" REPLY("\x04")));
	client_expect_end(&client);
	await_alone();
	ck_assert_uint_eq(fx.fake.cancels, 1);
	expect_line(0, " outcome=timeout ");
	finish();
}
END_TEST

START_TEST(chain_takes_too_long)
{
	begin(SOCKS("asks"), "timeouts = { auth = \"20ms\"; };");
	peer_send(&client, B(USERPASS("hold")));
	peer_expect(&client, B("\x05\x02\x01\x01"));
	client_expect_end(&client);
	await_alone();
	expect_line(0, " outcome=auth_unavailable ");
	finish();
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

START_TEST(too_many_exchanges)
{
	struct peer second = { 0 };

	begin(SOCKS("anyone"), "limits = { exchanges = 1; };");
	peer_send(&client, B("\x05\x01\x00" CONNECT_NAME));
	peer_expect(&client, B("\x05\x00" OK));
	client_open(&second);
	if (_i == 0) {
		peer_send(&second, B("\x05\x01\x00" CONNECT_NAME));
		peer_expect(&second, B("\x05\x00" REPLY("\x01")));
	} else {
		peer_send(&second, B(USERPASS("good")));
		peer_expect(&second, B("\x05\x02\x01\x01"));
	}
	client_expect_end(&second);
	expect_line(0, " outcome=limit ");
	peer_send_str(&client, "still here");
	peer_expect_str(&fx.fake.origin, "still here");
	finish();
}
END_TEST

/* A new exchange during draining, from a client that was there before. */
START_TEST(new_exchange_while_draining)
{
	begin(SOCKS("anyone"), "");
	fx.book.draining = true; /* another front of the worker is draining already */
	peer_send(&client, B("\x05\x01\x00" CONNECT_NAME));
	peer_expect(&client, B("\x05\x00" REPLY("\x01")));
	client_expect_end(&client);
	await_alone();
	expect_line(0, " outcome=shutdown ");
	finish();
}
END_TEST

static const struct token_case {
	const char *limit;
	size_t n;
	bool fits;
} token_cases[] = {
	{ "256", 256, true },
	{ "256", 257, false },
	{ "256KiB", SP_STREAM_KEEP - 1024, true },
	{ "256KiB", SP_STREAM_KEEP - 1023, false }, /* it could not pile up in the stream */
};

/* The longest token goes through, also where the limit is all that the configuration allows; a longer one is refused at its
 * length, before it is sent. */
START_TEST(long_token)
{
	static uint8_t message[8 + SP_STREAM_KEEP];
	const struct token_case *c = &token_cases[_i];
	char limits[64];

	snprintf(limits, sizeof(limits), "limits = { token = \"%s\"; };", c->limit);
	begin(SOCKS("asks"), limits);
	memset(message, 'x', sizeof(message));
	memcpy(message, "\x05\x01\x80\x01\x00", 5);
	message[5] = (uint8_t)(c->n >> 16);
	message[6] = (uint8_t)(c->n >> 8);
	message[7] = (uint8_t)c->n;
	memcpy(message + 8, "good", 4);
	message[8 + c->n] = 0;
	peer_send(&client, message, c->fits ? 8 + c->n + 1 : 8);
	if (c->fits) {
		peer_expect(&client, B("\x05\x80\x01\x00"));
	} else {
		peer_expect(&client, B("\x05\x80\x01\x01"));
		client_expect_end(&client);
	}
	finish();
}
END_TEST

/* The far side goes away between "connected" and the relay's first byte, and later. */
START_TEST(origin_resets)
{
	begin(SOCKS("anyone"), "");
	peer_send(&client, B("\x05\x01\x00" CONNECT_NAME));
	peer_expect(&client, B("\x05\x00" OK));
	sp_stream_close(fx.fake.origin.s, SP_CLOSE_ABORT);
	client_expect_reset(&client);
	await_alone();
	expect_line(0, " outcome=tunnel_lost ");
	finish();
}
END_TEST

Suite *sp_suite_socks5(void)
{
	Suite *s = suite_create("front/socks5");
	TCase *t = tcase_create("socks5");

	tcase_add_unchecked_fixture(t, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, in_one_segment, 0, SP_COUNT_OF(conversations));
	tcase_add_loop_test(t, cut_anywhere, 0, SP_COUNT_OF(conversations));
	tcase_add_loop_test(t, byte_by_byte, 0, SP_COUNT_OF(conversations));
	tcase_add_loop_test(t, early_payload_and_half_close, 0, SP_COUNT_OF(conversations));
	tcase_add_loop_test(t, method_choice, 0, SP_COUNT_OF(method_cases));
	tcase_add_loop_test(t, refused, 0, SP_COUNT_OF(refusals));
	tcase_add_loop_test(t, refused_byte_by_byte, 0, SP_COUNT_OF(refusals));
	tcase_add_loop_test(t, every_outcome, 0, SP_OUTCOME_COUNT);
	tcase_add_loop_test(t, client_resets, 0, SP_COUNT_OF(stages));
	tcase_add_loop_test(t, client_ends_and_owes, 0, SP_COUNT_OF(stages));
	tcase_add_loop_test(t, client_ends_after_its_request, 0, 3);
	tcase_add_loop_test(t, front_closes, 0, SP_COUNT_OF(stages));
	tcase_add_loop_test(t, front_drains, 0, SP_COUNT_OF(stages));
	tcase_add_loop_test(t, stalls_in_a_message, 0, SP_COUNT_OF(stages));
	tcase_add_test(t, back_takes_too_long);
	tcase_add_test(t, chain_takes_too_long);
	tcase_add_loop_test(t, too_many_exchanges, 0, 2);
	tcase_add_test(t, new_exchange_while_draining);
	tcase_add_loop_test(t, long_token, 0, SP_COUNT_OF(token_cases));
	tcase_add_test(t, origin_resets);
	suite_add_tcase(s, t);
	return s;
}
