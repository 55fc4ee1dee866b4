#include "suites.h"

#include <string.h>

#define FORWARD(chain) "protocol = \"forward\"; auth = \"" chain "\"; target = \"db.virtual:5432\"; location = \"north\";"

static struct peer client;

static void begin(const char *chain, enum fake_mode mode)
{
	fixture_open(chain, "");
	memset(&client, 0, sizeof(client));
	fx.fake.mode = mode;
}

static void finish(void)
{
	peer_end(&client);
	fixture_close();
}

START_TEST(there_and_back)
{
	begin(FORWARD("anyone"), FAKE_OPEN);
	client_open_tcp(&client);
	peer_send_str(&client, "select 1");
	await_count(&fx.fake.opens, 1);
	peer_expect_str(&fx.fake.origin, "select 1");
	ck_assert_str_eq(fx.fake.target.host, "db.virtual");
	ck_assert_uint_eq(fx.fake.target.port, 5432);
	ck_assert_str_eq(fx.fake.location, "north");
	ck_assert_str_eq(fx.seen->location, "north");
	ck_assert_str_eq(fx.seen->cred, "none");
	ck_assert_str_eq(fx.seen->target_host, "db.virtual");
	ck_assert_uint_eq(fx.seen->target_port, 5432);
	peer_send_str(&fx.fake.origin, "1");
	peer_expect_str(&client, "1");
	sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
	peer_await_eof(&client);
	sp_stream_close(client.s, SP_CLOSE_FLUSH);
	await_alone();
	expect_line(0, " front=forward ");
	expect_line(0, " target=db.virtual:5432 location=north via=fake outcome=ok up=8 down=1 ");
	finish();
}
END_TEST

/* Nothing can be said to such a client: a reset, never an orderly end that looks like an empty answer. */
START_TEST(failure_is_a_reset)
{
	begin(_i == 0 ? FORWARD("nobody") : FORWARD("anyone"), FAKE_FAIL);
	fx.fake.outcome = SP_OUTCOME_REFUSED;
	client_open_tcp(&client);
	client_expect_reset(&client);
	await_alone();
	expect_line(0, _i == 0 ? "outcome=no_credential" : "outcome=refused");
	finish();
}
END_TEST

START_TEST(limit_is_a_reset)
{
	begin(FORWARD("anyone"), FAKE_OPEN);
	fx.book.exchanges_max = 0;
	client_open_tcp(&client);
	client_expect_reset(&client);
	await_alone();
	expect_line(0, "outcome=limit");
	finish();
}
END_TEST

/* A client that only listens may end its side at once, before the target is connected. */
START_TEST(half_close_before_connected)
{
	begin(FORWARD("anyone"), FAKE_OPEN);
	client_open(&client);
	if (_i == 1)
		peer_send_str(&client, "question");
	sp_stream_shutdown_write(client.s);
	await_count(&fx.fake.opens, 1);
	run_turns(4);
	peer_await_eof(&fx.fake.origin);
	if (_i == 1)
		peer_expect_str(&fx.fake.origin, "question");
	peer_send_str(&fx.fake.origin, "banner");
	sp_stream_close(fx.fake.origin.s, SP_CLOSE_FLUSH);
	peer_expect_str(&client, "banner");
	peer_await_eof(&client);
	await_alone();
	expect_line(0, "outcome=ok");
	finish();
}
END_TEST

START_TEST(client_resets_while_opening)
{
	begin(FORWARD("anyone"), FAKE_HOLD);
	client_open_tcp(&client);
	if (_i == 1)
		peer_send_str(&client, "question");
	await_count(&fx.fake.opens, 1);
	sp_stream_close(client.s, SP_CLOSE_ABORT);
	await_alone();
	ck_assert_uint_eq(fx.fake.cancels, 1);
	expect_line(0, "outcome=client_gone");
	finish();
}
END_TEST

START_TEST(front_closes)
{
	begin(FORWARD("anyone"), _i == 0 ? FAKE_HOLD : FAKE_OPEN);
	client_open(&client);
	await_count(&fx.fake.opens, 1);
	run_turns(5);
	sp_front_close(&fx.front);
	peer_await_closed(&client);
	await_alone();
	expect_line(0, "outcome=shutdown");
	finish();
}
END_TEST

Suite *sp_suite_forward(void)
{
	Suite *s = suite_create("front/forward");
	TCase *t = tcase_create("forward");

	tcase_add_unchecked_fixture(t, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, there_and_back);
	tcase_add_loop_test(t, failure_is_a_reset, 0, 2);
	tcase_add_test(t, limit_is_a_reset);
	tcase_add_loop_test(t, half_close_before_connected, 0, 2);
	tcase_add_loop_test(t, client_resets_while_opening, 0, 2);
	tcase_add_loop_test(t, front_closes, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
