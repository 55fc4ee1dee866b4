/* Pools of tunnels of connectors that dialled in. */
#include "suites.h"

#include <string.h>
#include <time.h>

#include "gate.h"

#define TUNNELS_MOST 64 /* of one tenant and location */

static struct sp_back *back;

static void setup(void)
{
	gate_setup();
	ck_assert_int_eq(sp_back_connectors_new(loop, conf, &back), 0);
}

static void teardown(void)
{
	if (back)
		back_close(&back);
	gate_teardown();
}

static struct sp_connector_hello hello(const char *tenant, const char *location)
{
	return (struct sp_connector_hello){ .tenant = tenant, .location = location, .connector_id = "", .instance = "", .version = "",
					    .peer = "test" };
}

static bool last_is_ready(void *arg)
{
	struct sp_pool *p = arg;

	return SP_CONTAINER_OF(p->tunnels.prev, struct sp_tunnel, node)->state == SP_TUNNEL_READY;
}

/* The turned connection; ready on both sides. */
static struct far *dial_in(const struct sp_connector_hello *h)
{
	struct sp_stream *near, *far_end;
	struct far *f;

	ck_assert_int_eq(sp_stream_pair(loop, &near, &far_end), 0);
	f = far_over(far_end, 0);
	ck_assert_int_eq(sp_connectors_attach(back, near, h), 0);
	run_until(last_is_ready, pool_of(back, h->tenant, h->location));
	return f;
}


static bool is_retired(void *arg)
{
	(void)arg;
	return pool_of(back, "t", "") == NULL;
}

START_TEST(tells_the_connector_no_secrets)
{
	struct sp_connector_hello h = hello("t", "plant");
	struct call c;

	dial_in(&h);
	call_start(&c, back, "t", "plant");
	await_asked(1);
	ck_assert_str_eq(asked[0].authority, "sys.virtual:7");
	ck_assert_str_eq(asked[0].exchange, c.x.id);
	ck_assert_str_eq(asked[0].tenant, "");
	ck_assert_str_eq(asked[0].location, "");
	ck_assert_str_eq(asked[0].credential, "");
	answer(&asked[0], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	call_check(&c, &asked[0]);
	call_end(&c);
	ck_assert_ptr_nonnull(strstr(log_text, "connected tenant=t location=plant"));
}
END_TEST

/* A verdict of the connector is about the exchange, never about a credential of ours. */
START_TEST(a_connectors_refusal_is_about_the_exchange)
{
	struct sp_connector_hello h = hello("t", "");
	struct call c;

	dial_in(&h);
	call_start(&c, back, "t", "");
	await_asked(1);
	answer(&asked[0], 403, "c; error=http_request_denied; details=\"not_exposed\"");
	call_expect(&c, SP_OUTCOME_NOT_EXPOSED);
	call_end(&c);
	ck_assert_ptr_null(strstr(log_text, "credential"));
}
END_TEST

START_TEST(who_was_never_there_is_not_waited_for)
{
	struct sp_connector_hello h = hello("t", "");
	static const char *const others[][2] = { { "u", "" }, { "t", "plant" }, { "", "" } };
	struct call c;

	dial_in(&h);
	for (unsigned i = 0; i < SP_COUNT_OF(others); i++) {
		call_start(&c, back, others[i][0], others[i][1]);
		call_expect(&c, SP_OUTCOME_NO_CONNECTOR);
		call_end(&c);
		ck_assert_uint_eq(sp_connectors_ready(back, others[i][0], others[i][1]), 0);
	}
	ck_assert_uint_eq(asked_count, 0);
}
END_TEST

START_TEST(who_was_there_a_moment_ago_is_waited_for)
{
	struct sp_connector_hello h = hello("t", "");
	struct call c;

	far_abort(dial_in(&h));
	run_turns(5);
	call_start(&c, back, "t", "");
	run_turns(5);
	ck_assert_uint_eq(c.done, 0);
	dial_in(&h);
	await_asked(1);
	answer(&asked[0], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	call_end(&c);
}
END_TEST

START_TEST(but_not_for_ever)
{
	struct sp_connector_hello h = hello("t", "");
	struct call c;

	far_abort(dial_in(&h));
	run_turns(5);
	skew_ms += 30000;
	call_start(&c, back, "t", "");
	call_expect(&c, SP_OUTCOME_NO_CONNECTOR);
	ck_assert_ptr_nonnull(strstr(c.cause.text, "tenant \"t\" and location \"\""));
	call_end(&c);
	fire(&pool_of(back, "t", "")->idle);
	run_until(is_retired, NULL);
}
END_TEST

START_TEST(never_longer_than_an_exchange_may_wait)
{
	struct sp_connector_hello h = hello("t", "");
	struct call c;

	far_abort(dial_in(&h));
	run_turns(5);
	conf->tunnels.wait_ms = 1;
	call_start(&c, back, "t", "");
	call_expect(&c, SP_OUTCOME_NO_CONNECTOR);
	call_end(&c);
}
END_TEST

/* Nothing may be dialled: the way into the private network is the connector's. */
START_TEST(several_tunnels_share_the_load)
{
	struct sp_connector_hello h = hello("t", "");
	struct far *one = dial_in(&h), *two = dial_in(&h);
	struct call c[4];
	unsigned of[2] = { 0, 0 };

	ck_assert_uint_eq(sp_connectors_ready(back, "t", ""), 2);
	for (unsigned i = 0; i < 4; i++) {
		call_open(&c[i], back, "t", "");
		of[asked[i].far == two]++;
		ck_assert(asked[i].far == one || asked[i].far == two);
	}
	ck_assert_uint_eq(of[0], 2);
	ck_assert_uint_eq(of[1], 2);
	for (unsigned i = 0; i < 4; i++)
		call_end(&c[i]);
}
END_TEST

/* ---- who may come in ----------------------------------------------------------------------- */

START_TEST(one_location_has_so_many_tunnels_and_no_more)
{
	struct sp_connector_hello h = hello("t", ""), other = hello("t", "plant");
	struct sp_stream *near, *far_end;
	struct peer p = { 0 };

	for (unsigned i = 0; i < TUNNELS_MOST; i++) {
		ck_assert_int_eq(sp_connectors_may_attach(back, &h), 0);
		dial_in(&h);
	}
	ck_assert_int_eq(sp_connectors_may_attach(back, &h), SP_ELIMIT);
	ck_assert_int_eq(sp_connectors_may_attach(back, &other), 0);
	/* Who comes in all the same is closed. */
	ck_assert_int_eq(sp_stream_pair(loop, &near, &far_end), 0);
	peer_attach(&p, far_end);
	ck_assert_int_eq(sp_connectors_attach(back, near, &h), SP_ELIMIT);
	peer_await_closed(&p);
	ck_assert_uint_eq(p.in_bytes, 0);
	peer_end(&p);
	far_abort(&fars[0]);
	run_turns(5);
	ck_assert_int_eq(sp_connectors_may_attach(back, &h), 0);
}
END_TEST

START_TEST(nobody_comes_in_any_more_when_we_drain)
{
	struct sp_connector_hello h = hello("t", "");
	struct sp_stream *near, *far_end;
	struct peer p = { 0 };

	back->ops->drain(back);
	ck_assert_int_eq(sp_connectors_may_attach(back, &h), SP_ECLOSED);
	ck_assert_int_eq(sp_stream_pair(loop, &near, &far_end), 0);
	peer_attach(&p, far_end);
	ck_assert_int_eq(sp_connectors_attach(back, near, &h), SP_ECLOSED);
	peer_await_closed(&p);
	peer_end(&p);
}
END_TEST

/* The same instance is back, so its old connection is dead or will be; its streams may still live. Another one under the same id,
 * or another index, has nothing to do with it. */
START_TEST(who_comes_back_replaces_its_old_tunnel)
{
	static const struct { const char *id, *instance; unsigned index; bool replaced; } cases[] = {
		{ "c1", "boot1", 0, true }, { "c1", "boot1", 1, false }, { "c1", "boot2", 0, false },
		{ "c2", "boot1", 0, false }, { "", "boot1", 0, false },	 { "c1", "", 0, false },
	};
	struct sp_connector_hello h = hello("t", "");
	struct far *old;
	struct call c;

	h.connector_id = "c1";
	h.instance = "boot1";
	old = dial_in(&h);
	call_open(&c, back, "t", "");
	h.connector_id = cases[_i].id;
	h.instance = cases[_i].instance;
	h.index = cases[_i].index;
	dial_in(&h);
	run_turns(10);
	ck_assert_uint_eq(old->goaway, cases[_i].replaced);
	call_check(&c, &asked[0]);
	call_end(&c);
	if (cases[_i].replaced)
		await_count(&old->closed, 1);
}
END_TEST

/* ---- credentials that expire --------------------------------------------------------------------- */

/* No new streams; the open ones finish, however long they take. */
START_TEST(a_tunnel_whose_credential_expires_is_drained)
{
	struct sp_connector_hello h = hello("t", "");
	struct far *f;
	struct call c, d;

	conf->timeouts.drain_ms = 0; /* that is for our own end */
	h.expires_at = time(NULL) + 3600;
	f = dial_in(&h);
	call_open(&c, back, "t", "");
	ck_assert_uint_ge(tunnel_at(pool_of(back, "t", ""), 0)->timer.due_mono_ms - sp_loop_now_ms(loop), 3500000);
	fire(&tunnel_at(pool_of(back, "t", ""), 0)->timer);
	await_count(&f->goaway, 1);
	ck_assert_uint_eq(sp_connectors_ready(back, "t", ""), 0);
	call_start(&d, back, "t", ""); /* waits for the connector's next tunnel */
	run_turns(20);
	ck_assert_uint_eq(d.done, 0);
	call_check(&c, &asked[0]);
	h.expires_at = 0;
	dial_in(&h);
	await_asked(2);
	ck_assert_ptr_ne(asked[1].far, f);
	answer(&asked[1], 200, NULL);
	call_expect(&d, SP_OUTCOME_OK);
	call_check(&c, &asked[0]);
	call_end(&c);
	await_count(&f->closed, 1);
	ck_assert_uint_eq(f->cause.err, 0);
	call_check(&d, &asked[1]);
	call_end(&d);
}
END_TEST

/* Whatever a credential says, time is not turned round. */
START_TEST(odd_times_of_expiry)
{
	static const int64_t times[] = { INT64_MAX, 1, -1, INT64_MIN };
	struct sp_connector_hello h = hello("t", "");
	struct sp_stream *near, *far_end;
	struct far *f;

	h.expires_at = times[_i];
	ck_assert_int_eq(sp_stream_pair(loop, &near, &far_end), 0);
	f = far_over(far_end, 0);
	ck_assert_int_eq(sp_connectors_attach(back, near, &h), 0);
	await_count(&f->ready, 1);
	if (_i == 0) {
		run_turns(10);
		ck_assert_uint_eq(f->goaway, 0);
		ck_assert_uint_eq(sp_connectors_ready(back, "t", ""), 1);
	} else {
		await_count(&f->closed, 1);
		ck_assert_uint_eq(f->goaway, 1);
	}
}
END_TEST

/* ---- far ends that misbehave ---------------------------------------------------------------------- */

START_TEST(a_connection_without_settings_is_given_up)
{
	struct sp_connector_hello h = hello("t", "");
	struct sp_stream *near, *far_end;
	struct peer p = { 0 };

	conf->timeouts.handshake_ms = 1;
	ck_assert_int_eq(sp_stream_pair(loop, &near, &far_end), 0);
	peer_attach(&p, far_end);
	ck_assert_int_eq(sp_connectors_attach(back, near, &h), 0);
	peer_await_eof(&p);
	peer_end(&p);
	run_until(is_retired, NULL);
	ck_assert_ptr_nonnull(strstr(log_text, "lost before it was ready"));
	ck_assert_ptr_nonnull(strstr(log_text, "the peer sent no SETTINGS in time"));
}
END_TEST

START_TEST(refused_streams_are_tried_once_on_its_other_tunnel)
{
	struct sp_connector_hello h = hello("t", "");
	struct call c;

	dial_in(&h);
	call_start(&c, back, "t", "");
	await_asked(1);
	dial_in(&h);
	refuse_stream(&asked[0]);
	await_asked(2);
	ck_assert_ptr_ne(asked[1].far, asked[0].far);
	refuse_stream(&asked[1]);
	call_expect(&c, SP_OUTCOME_TUNNEL_LOST);
	run_turns(10);
	ck_assert_uint_eq(asked_count, 2);
	call_end(&c);
}
END_TEST

START_TEST(tunnels_of_connectors_are_not_drained_for_idling)
{
	struct sp_connector_hello h = hello("t", "");
	struct far *f;
	struct call c;

	conf->tunnels.idle_ms = 1;
	f = dial_in(&h);
	call_open(&c, back, "t", "");
	call_end(&c);
	skew_ms += 3600000;
	run_turns(20);
	ck_assert_uint_eq(f->goaway, 0);
	ck_assert_uint_eq(sp_connectors_ready(back, "t", ""), 1);
}
END_TEST

Suite *sp_suite_connectors(void)
{
	Suite *s = suite_create("back/connectors");
	TCase *t = tcase_create("connectors");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, tells_the_connector_no_secrets);
	tcase_add_test(t, a_connectors_refusal_is_about_the_exchange);
	tcase_add_test(t, who_was_never_there_is_not_waited_for);
	tcase_add_test(t, who_was_there_a_moment_ago_is_waited_for);
	tcase_add_test(t, but_not_for_ever);
	tcase_add_test(t, never_longer_than_an_exchange_may_wait);
	tcase_add_test(t, several_tunnels_share_the_load);
	tcase_add_test(t, one_location_has_so_many_tunnels_and_no_more);
	tcase_add_test(t, nobody_comes_in_any_more_when_we_drain);
	tcase_add_loop_test(t, who_comes_back_replaces_its_old_tunnel, 0, 6);
	tcase_add_test(t, a_tunnel_whose_credential_expires_is_drained);
	tcase_add_loop_test(t, odd_times_of_expiry, 0, 4);
	tcase_add_test(t, a_connection_without_settings_is_given_up);
	tcase_add_test(t, refused_streams_are_tried_once_on_its_other_tunnel);
	tcase_add_test(t, tunnels_of_connectors_are_not_drained_for_idling);
	suite_add_tcase(s, t);
	return s;
}
