/* Identities that expire while something is under way. They live a second or so: what is waited for is their end. On a machine so
 * slow that one ended before it was of use, a longer one is tried. */
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define B(literal) (literal), sizeof(literal) - 1
#define REPLY(rep) "\x05" rep "\x00\x01\x00\x00\x00\x00\x00\x00"
#define CONNECT_NAME "\x05\x01\x00\x03\x0b" "erp.virtual" "\x1f\x40"
#define CLOSE "on_expiry = \"close\"; " FX_AUDIT

static struct peer client;
static int64_t expires_at;

static void begin(const char *listener, const char *extra, int64_t lives_s)
{
	fixture_open(listener, extra);
	memset(&client, 0, sizeof(client));
	client_open(&client);
	expires_at = time(NULL) + lives_s;
}

static void ask_http(struct peer *c)
{
	char text[256];

	snprintf(text, sizeof(text), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Bearer good/%lld\r\n\r\n", (long long)expires_at);
	peer_send_str(c, text);
}

static void say_token(void)
{
	char secret[32];
	int n = snprintf(secret, sizeof(secret), "good/%lld", (long long)expires_at);

	peer_send(&client, B("\x05\x01\x80\x01\x00\x00\x00"));
	peer_send(&client, &(uint8_t){ (uint8_t)n }, 1);
	peer_send(&client, secret, (size_t)n);
	peer_send(&client, "", 1);
}

static void echo_both_ways(void)
{
	peer_send_str(&client, "ping");
	peer_expect_str(&fx.fake.origin, "ping");
	peer_send_str(&fx.fake.origin, "pong");
	peer_expect_str(&client, "pong");
}

static void finish(void)
{
	peer_end(&client);
	fixture_close();
}

/* Is this what the client gets, in whole? Refusals are as long or longer. */
static bool gets(const char *bytes, size_t n)
{
	bool same;

	peer_await_bytes(&client, client.in_bytes - client.in.len + n);
	same = memcmp(sp_buf_data(&client.in).p, bytes, n) == 0;
	if (same)
		sp_buf_consume(&client.in, n);
	return same;
}

#define OK_200 "HTTP/1.1 200 Connection established\r\n\r\n"

static void open_http(const char *extra)
{
	for (int64_t lives_s = 1;; lives_s *= 2) {
		begin("protocol = \"http\"; auth = \"asks\";", extra, lives_s);
		ask_http(&client);
		if (gets(B(OK_200)))
			return;
		finish();
	}
}

/* To the verdict on the credential; with a request, to the reply. */
static void open_socks5(const char *extra, bool request)
{
	for (int64_t lives_s = 1;; lives_s *= 2) {
		begin("protocol = \"socks5\"; auth = \"asks\";", extra, lives_s);
		say_token();
		if (gets(B("\x05\x80\x01\x00"))) {
			if (!request)
				return;
			peer_send(&client, B(CONNECT_NAME));
			if (gets(B(REPLY("\x00"))))
				return;
		}
		finish();
	}
}

/* "close": the client's connection and the far side end; log and trail say so in a word of its own. */
START_TEST(closes_what_is_open)
{
	struct timespec now;

	if (_i)
		open_http(CLOSE);
	else
		open_socks5(CLOSE, true);
	peer_await_closed(&client);
	peer_await_closed(&fx.fake.origin);
	clock_gettime(CLOCK_REALTIME, &now);
	ck_assert_int_ge(now.tv_sec, expires_at); /* time() may be some ms behind */
	ck_assert_int_eq(client.cause.err, SP_ERESET);
	ck_assert_int_eq(fx.fake.origin.cause.err, SP_ERESET);
	await_alone();
	expect_line(0, " outcome=identity_expired ");
	expect_line(0, "the caller's identity has expired");
	expect_trail(2, 1, "\"event\":\"exchange\",\"decision\":\"ended\",\"outcome\":\"identity_expired\"");
	ck_assert_uint_eq(fx.book.ended[SP_OUTCOME_IDENTITY_EXPIRED], 1);
	finish();
}
END_TEST

/* An exchange that ends before its identity does leaves no timer behind; one whose identity never expires has none. */
START_TEST(ends_before)
{
	begin("protocol = \"http\"; auth = \"asks\";", CLOSE, 3600);
	if (_i)
		expires_at = 0;
	ask_http(&client);
	peer_expect_str(&client, OK_200);
	echo_both_ways();
	peer_end(&client);
	await_alone();
	expect_line(0, " outcome=client_gone ");
	finish();
}
END_TEST

/* "finish": it goes on, but nothing new comes in. */
START_TEST(finishes_what_is_open)
{
	struct peer second = { 0 };

	open_http(FX_AUDIT);
	run_until_clock(expires_at);
	client_open(&second);
	ask_http(&second);
	peer_expect_str(&second, "HTTP/1.1 407 ");
	peer_end(&second);
	echo_both_ways();
	peer_end(&client);
	await_alone();
	expect_line(0, "outcome=expired_credential");
	expect_trail(2, 1, "\"event\":\"identity\",\"decision\":\"denied\",\"outcome\":\"expired_credential\"");
	finish();
}
END_TEST

/* A connection that stays is no identity that stays: each attempt is judged anew. */
START_TEST(a_kept_connection_is_judged_anew)
{
	begin("protocol = \"http\"; auth = \"asks\";", "", 1);
	peer_send_str(&client, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Bearer bad\r\n\r\n");
	peer_expect_str(&client, "HTTP/1.1 407 ");
	run_until_clock(expires_at);
	ask_http(&client);
	await_count(&fx.line_count, 2);
	expect_line(0, "outcome=bad_credential");
	expect_line(1, "outcome=expired_credential");
	ck_assert_uint_eq(fx.seen->requests, 2);
	ck_assert_uint_eq(fx.fake.opens, 0);
	finish();
}
END_TEST

/* SOCKS5 knows the caller before the target: the identity must still hold when the target is named, whatever on_expiry says. */
START_TEST(expires_before_the_request)
{
	open_socks5(_i ? CLOSE : FX_AUDIT, false);
	run_until_clock(expires_at);
	peer_send(&client, B(CONNECT_NAME));
	peer_expect(&client, B(REPLY("\x05")));
	client_expect_end(&client);
	await_alone();
	ck_assert_uint_eq(fx.fake.opens, 0);
	expect_line(0, "outcome=expired_credential");
	expect_trail(1, 0, "\"event\":\"identity\",\"decision\":\"denied\",\"outcome\":\"expired_credential\"");
	finish();
}
END_TEST

static bool is_opening_or_over(void *arg)
{
	(void)arg;
	return fx.fake.opens > 0 || fx.line_count > 0;
}

/* It expires while the back is at work: what was admitted is opened and finishes, or is not opened. */
START_TEST(expires_while_opening)
{
	for (int64_t lives_s = 1;; lives_s *= 2) {
		begin("protocol = \"http\"; auth = \"asks\";", _i ? CLOSE : FX_AUDIT, lives_s);
		fx.fake.mode = FAKE_HOLD;
		ask_http(&client);
		run_until(is_opening_or_over, NULL);
		if (fx.fake.opens > 0)
			break;
		finish();
	}
	run_until_clock(expires_at);
	fake_release();
	peer_expect_str(&client, _i ? "HTTP/1.1 407 " : "HTTP/1.1 200 Connection established\r\n\r\n");
	if (_i) {
		await_idle();
		expect_line(0, "outcome=expired_credential");
		expect_trail(2, 1, "\"event\":\"exchange\",\"decision\":\"denied\",\"outcome\":\"expired_credential\"");
	} else {
		echo_both_ways();
	}
	finish();
}
END_TEST

Suite *sp_suite_expiry(void)
{
	Suite *s = suite_create("expiry");
	TCase *t = tcase_create("expiry");

	tcase_add_unchecked_fixture(t, fixture_folder_make, fixture_folder_remove);
	tcase_add_loop_test(t, closes_what_is_open, 0, 2);
	tcase_add_loop_test(t, ends_before, 0, 2);
	tcase_add_test(t, finishes_what_is_open);
	tcase_add_test(t, a_kept_connection_is_judged_anew);
	tcase_add_loop_test(t, expires_before_the_request, 0, 2);
	tcase_add_loop_test(t, expires_while_opening, 0, 2);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
