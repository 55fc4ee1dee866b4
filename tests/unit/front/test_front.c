/* Listeners, clients, the book; and sessions where a front's protocol does not show everything. */
#include "suites.h"

#include <string.h>

#define SOCKS "protocol = \"socks5\"; auth = \"anyone\";"
#define ASK "\x05\x01\x00\x05\x01\x00\x03\x01" "a\x00\x50"
#define ANSWER "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define B(literal) (literal), sizeof(literal) - 1

START_TEST(over_tcp)
{
	struct peer client = { 0 };
	char text[SP_ADDR_TEXT_SIZE];
	struct sp_addr at;

	fixture_open(SOCKS, _i == 0 ? "" : "workers = 2;");
	sp_front_addr(fx.front, &at);
	ck_assert_uint_ne(sp_addr_port(&at), 0);
	client_open_tcp(&client);
	peer_send(&client, B(ASK));
	peer_expect(&client, B(ANSWER));
	ck_assert_str_eq(fx.seen->listener, sp_addr_text(&at, text));
	ck_assert_ptr_nonnull(strstr(fx.seen->client, "127.0.0.1:"));
	ck_assert_uint_eq(fx.book.clients, 1);
	ck_assert_uint_eq(fx.book.exchanges, 1);
	peer_end(&client);
	await_alone();
	expect_line(0, text);
	fixture_close();
}
END_TEST

/* Two workers listen at one address; two fronts of one worker that does not share do not. */
START_TEST(address_in_use)
{
	struct sp_conf_listener l;
	struct sp_front *second = NULL;
	struct sp_cause cause = { 0 };
	int err;

	fixture_open(SOCKS, _i == 0 ? "" : "workers = 2;");
	l = fx.conf->listeners[0];
	sp_front_addr(fx.front, &l.address);
	err = sp_front_open(&fx.env, &l, &second, &cause);
	if (_i == 0) {
		ck_assert_int_lt(err, 0);
		ck_assert_ptr_null(second);
		ck_assert_ptr_nonnull(strstr(cause.text, "bind 127.0.0.1:"));
	} else {
		ck_assert_int_eq(err, 0);
		sp_front_close(&second);
	}
	fixture_close();
}
END_TEST

static void get_in(struct peer *c)
{
	client_open_tcp(c);
	peer_send(c, B("\x05\x01\x00"));
	peer_expect(c, B("\x05\x00"));
}

/* Said when it begins, not for every client. */
START_TEST(too_many_clients)
{
	fixture_open(SOCKS, "limits = { clients = 1; };");
	for (unsigned round = 1; round <= 2; round++) {
		struct peer first = { 0 }, second = { 0 }, third = { 0 };

		get_in(&first);
		client_open_tcp(&second);
		client_expect_reset(&second);
		client_open_tcp(&third);
		client_expect_reset(&third);
		ck_assert_uint_eq(fx.book.clients, 1);
		ck_assert_uint_eq(fx.refusals, round);
		peer_end(&first);
		await_alone();
	}
	fixture_close();
}
END_TEST

/* After drain nobody connects any more; a relay goes on; the book tells when it is empty. */
START_TEST(drain)
{
	struct peer busy = { 0 }, idle = { 0 };
	struct sp_addr at;

	fixture_open(SOCKS, "");
	sp_front_addr(fx.front, &at);
	client_open_tcp(&busy);
	peer_send(&busy, B(ASK));
	peer_expect(&busy, B(ANSWER));
	client_open_tcp(&idle);
	peer_send(&idle, B("\x05\x01\x00"));
	peer_expect(&idle, B("\x05\x00"));
	fx.book.draining = true;
	sp_front_drain(fx.front);
	client_expect_end(&idle);
	peer_send_str(&busy, "still");
	peer_expect_str(&fx.fake.origin, "still");
	ck_assert_uint_eq(fx.empties, 0);
	sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
	peer_await_eof(&busy);
	sp_stream_close(busy.s, SP_CLOSE_FLUSH);
	await_alone();
	ck_assert_uint_eq(fx.empties, 1);
	sp_front_close(&fx.front);
	fixture_close();
}
END_TEST

START_TEST(close_with_clients_in_all_states)
{
	struct peer c[12] = { 0 };

	fixture_open(SOCKS, "");
	for (unsigned i = 0; i < SP_COUNT_OF(c); i++) {
		fx.fake.mode = i % 4 == 3 ? FAKE_HOLD : FAKE_OPEN;
		client_open(&c[i]);
		peer_send(&c[i], ASK, i % 4 == 0 ? 1 : i % 4 == 1 ? 5 : sizeof(ASK) - 1);
		run_turns(6);
		if (i % 4 == 2) {
			peer_expect(&c[i], B(ANSWER));
			peer_end(&fx.fake.origin);
		}
	}
	sp_front_close(&fx.front);
	for (unsigned i = 0; i < SP_COUNT_OF(c); i++)
		peer_end(&c[i]);
	await_alone();
	ck_assert_uint_eq(fx.empties, 1);
	fixture_close();
}
END_TEST

/* ---- sessions ---------------------------------------------------------------------- */

static struct {
	struct sp_session session;
	unsigned identified, opened, failed, ended;
	enum sp_session_state state_when_failed;
} t;

static void on_identified(struct sp_session *s)
{
	ck_assert_ptr_eq(s, &t.session);
	t.identified++;
}

static void on_opened(struct sp_session *s)
{
	ck_assert_int_eq(s->state, SP_SESSION_OPENED);
	t.opened++;
}

static void on_failed(struct sp_session *s, struct sp_stream *given_back)
{
	ck_assert_ptr_null(given_back);
	t.state_when_failed = s->state;
	t.failed++;
}

static void on_ended(struct sp_session *s)
{
	ck_assert_int_eq(s->state, SP_SESSION_ENDED);
	t.ended++;
}

static const struct sp_session_events session_events = {
	.on_identified = on_identified, .on_opened = on_opened, .on_failed = on_failed, .on_ended = on_ended,
};

static void session_begin(const char *id)
{
	fixture_open(SOCKS, "timeouts = { open = \"10s\"; };");
	memset(&t, 0, sizeof(t));
	ck_assert_int_eq(sp_session_begin(&t.session, &fx.env, &session_events, "test", "listener", "client", 9, sp_slice_str(id)), 0);
	t.session.x.target.port = 1;
	strcpy(t.session.x.target.host, "a");
}

static void expect_calls(unsigned identified, unsigned opened, unsigned failed, unsigned ended)
{
	ck_assert_uint_eq(t.identified, identified);
	ck_assert_uint_eq(t.opened, opened);
	ck_assert_uint_eq(t.failed, failed);
	ck_assert_uint_eq(t.ended, ended);
}

static const struct id_case {
	const char *given;
	bool kept;
} ids[] = {
	{ "0123456789abcdef", true },	{ "0123456789ABCDEF", false }, { "0123456789abcde", false },
	{ "0123456789abcdef0", false }, { "", false },		       { "0123456789abcde\n", false },
};

START_TEST(exchange_ids)
{
	session_begin(ids[_i].given);
	ck_assert_int_eq(strcmp(t.session.x.id, ids[_i].given) == 0, ids[_i].kept);
	ck_assert_uint_eq(strlen(t.session.x.id), 16);
	sp_session_fail(&t.session, SP_OUTCOME_BAD_REQUEST, NULL);
	sp_session_fail(&t.session, SP_OUTCOME_TIMEOUT, NULL);
	sp_session_abort(&t.session, NULL);
	expect_calls(0, 0, 0, 0);
	expect_line(0, "outcome=bad_request");
	ck_assert_uint_eq(fx.line_count, 1);
	fixture_close();
}
END_TEST

START_TEST(known_caller)
{
	struct sp_stream *a, *b;
	struct peer client = { 0 };

	session_begin(NULL);
	sp_session_identified(&t.session, "t9", NULL);
	sp_session_open(&t.session);
	expect_calls(0, 0, 0, 0);
	await_count(&t.opened, 1);
	ck_assert_str_eq(fx.fake.tenant, "t9");
	ck_assert_int_eq(sp_stream_pair(loop, &a, &b), 0);
	peer_attach(&client, a);
	sp_session_relay(&t.session, b, false);
	peer_send_str(&client, "x");
	peer_expect_str(&fx.fake.origin, "x");
	sp_session_abort(&t.session, NULL);
	expect_calls(0, 1, 0, 0); /* on_ended comes when both streams are gone */
	sp_session_abort(&t.session, NULL);
	await_count(&t.ended, 1);
	peer_await_closed(&client);
	expect_calls(0, 1, 0, 1);
	expect_line(0, "tenant=t9 ");
	expect_line(0, "outcome=client_gone up=1 ");
	ck_assert_uint_eq(fx.line_count, 1);
	fixture_close();
}
END_TEST

/* Opened, but the front takes its time: the far side may go away meanwhile, or the client. */
START_TEST(opened_and_waiting)
{
	session_begin(NULL);
	sp_session_identified(&t.session, "t9", NULL);
	sp_session_open(&t.session);
	await_count(&t.opened, 1);
	if (_i == 0) {
		sp_stream_close(fx.fake.origin.s, SP_CLOSE_ABORT);
		/* A stream that nobody reads sees a reset when it writes. */
		sp_stream_read_start(t.session.upstream);
		await_count(&t.failed, 1);
		ck_assert_int_eq(t.state_when_failed, SP_SESSION_ENDED);
		expect_calls(0, 1, 1, 0);
		expect_line(0, "outcome=tunnel_lost");
	} else {
		sp_session_abort(&t.session, NULL);
		peer_await_closed(&fx.fake.origin);
		ck_assert_int_eq(fx.fake.origin.cause.err, SP_ERESET);
		expect_calls(0, 1, 0, 0);
		expect_line(0, "outcome=client_gone");
	}
	ck_assert_uint_eq(fx.book.exchanges, 0);
	fixture_close();
}
END_TEST

/* No chain: closed, and not at once. */
START_TEST(no_chain)
{
	struct sp_auth_request req = { 0 };

	session_begin(NULL);
	sp_session_identify(&t.session, -1, &req, true);
	expect_calls(0, 0, 0, 0);
	if (_i == 0) {
		await_count(&t.failed, 1);
		expect_line(0, "outcome=forbidden");
	} else {
		sp_session_abort(&t.session, NULL);
		run_turns(10);
		expect_calls(0, 0, 0, 0);
	}
	ck_assert_uint_eq(fx.line_count, 1);
	fixture_close();
}
END_TEST

START_TEST(one_after_the_other)
{
	struct sp_auth_request req = { 0 };

	session_begin("0123456789abcdef");
	sp_session_identify(&t.session, 2, &req, true);
	await_count(&t.failed, 1);
	ck_assert_int_eq(sp_session_begin(&t.session, &fx.env, &session_events, "test", "listener", "client", 9, SP_SLICE_NONE), 0);
	ck_assert_str_ne(t.session.x.id, "0123456789abcdef");
	ck_assert_int_eq(t.session.x.outcome, SP_OUTCOME_UNKNOWN);
	sp_session_identify(&t.session, 1, &req, true);
	await_count(&t.identified, 1);
	ck_assert_str_eq(t.session.x.identity.tenant, "t1");
	sp_session_abort(&t.session, NULL);
	expect_calls(1, 0, 1, 0);
	ck_assert_uint_eq(fx.line_count, 2);
	fixture_close();
}
END_TEST

Suite *sp_suite_front(void)
{
	Suite *s = suite_create("front/front");
	TCase *tc = tcase_create("front");

	tcase_add_unchecked_fixture(tc, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, over_tcp, 0, 2);
	tcase_add_loop_test(tc, address_in_use, 0, 2);
	tcase_add_test(tc, too_many_clients);
	tcase_add_test(tc, drain);
	tcase_add_test(tc, close_with_clients_in_all_states);
	tcase_add_loop_test(tc, exchange_ids, 0, SP_COUNT_OF(ids));
	tcase_add_test(tc, known_caller);
	tcase_add_loop_test(tc, opened_and_waiting, 0, 2);
	tcase_add_loop_test(tc, no_chain, 0, 2);
	tcase_add_test(tc, one_after_the_other);
	suite_add_tcase(s, tc);
	return s;
}
