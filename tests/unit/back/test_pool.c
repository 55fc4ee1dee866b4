/* Pools of tunnels that we dial to gateways. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "gate.h"

static struct sp_back *back;

static void setup(void)
{
	gate_setup();
	gate_open(&gate[0]);
	back = back_towards(&gate[0], NULL);
}

static void teardown(void)
{
	if (back)
		back_close(&back);
	gate_teardown();
}

static void end_all(struct call *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		call_end(&c[i]);
}

static bool is_retired(void *arg)
{
	(void)arg;
	return pool_of(back, "t", "") == NULL;
}

/* ---- asking ------------------------------------------------------------------------ */

START_TEST(asks_for_its_exchange)
{
	struct call c;

	call_start(&c, back, "t", "plant");
	await_asked(1);
	ck_assert_str_eq(asked[0].authority, "sys.virtual:7");
	ck_assert_str_eq(asked[0].tenant, "t");
	ck_assert_str_eq(asked[0].location, "plant");
	ck_assert_str_eq(asked[0].exchange, c.x.id);
	ck_assert_str_eq(asked[0].credential, "");
	answer(&asked[0], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	ck_assert_ptr_eq(strstr(c.x.via, "tunnel "), c.x.via);
	call_check(&c, &asked[0]);
	call_end(&c);
}
END_TEST

START_TEST(passes_on_what_was_answered)
{
	struct call c;

	call_start(&c, back, "t", "");
	await_asked(1);
	answer(&asked[0], 503, "gw; error=destination_unavailable; details=\"no_connector\"");
	call_expect(&c, SP_OUTCOME_NO_CONNECTOR);
	ck_assert_str_eq(c.x.proxy_status, "gw; error=destination_unavailable; details=\"no_connector\"");
	ck_assert_str_eq(c.cause.text, "answered 503 Service Unavailable");
	call_end(&c);
}
END_TEST

START_TEST(keeps_tenants_and_locations_on_tunnels_of_their_own)
{
	struct call c[4];

	call_open(&c[0], back, "t", "");
	call_open(&c[1], back, "t", "x");
	call_open(&c[2], back, "u", "");
	call_open(&c[3], back, "t", "");
	ck_assert_uint_eq(gate[0].accepted, 3);
	ck_assert_ptr_eq(asked[3].far, asked[0].far);
	end_all(c, 4);
}
END_TEST

/* Two backs in one loop, as for regions. */
START_TEST(two_gateways_are_two_gateways)
{
	struct sp_back *other;
	struct call c, d;

	gate_open(&gate[1]);
	other = back_towards(&gate[1], NULL);
	call_open(&c, back, "t", "");
	call_open(&d, other, "t", "");
	ck_assert_ptr_eq(asked[0].far->gate, &gate[0]);
	ck_assert_ptr_eq(asked[1].far->gate, &gate[1]);
	ck_assert_str_ne(c.x.via, d.x.via); /* names of tunnels are the process's */
	call_end(&c);
	call_end(&d);
	back_close(&other);
}
END_TEST

/* ---- how many tunnels ------------------------------------------------------------------- */

START_TEST(shares_a_tunnel_until_it_is_loaded)
{
	struct call c[5];

	conf->tunnels.streams_mark = 2;
	conf->tunnels.max_per_pool = 2;
	call_open(&c[0], back, "t", "");
	call_open(&c[1], back, "t", "");
	await_tunnels(pool_of(back, "t", ""), 2); /* two streams are the mark */
	call_open(&c[2], back, "t", "");
	call_open(&c[3], back, "t", "");
	call_open(&c[4], back, "t", "");
	ck_assert_ptr_eq(asked[1].far, asked[0].far);
	ck_assert_ptr_ne(asked[2].far, asked[0].far);
	ck_assert_ptr_eq(asked[3].far, asked[2].far); /* the least loaded */
	ck_assert_uint_eq(gate[0].accepted, 2);	      /* no more than max_per_pool */
	end_all(c, 5);
}
END_TEST

START_TEST(waits_for_room)
{
	struct call c[2];

	gate[0].max_streams = 1;
	conf->tunnels.max_per_pool = 1;
	call_open(&c[0], back, "t", "");
	call_start(&c[1], back, "t", "");
	run_turns(10);
	ck_assert_uint_eq(asked_count, 1);
	call_end(&c[0]);
	await_asked(2);
	answer(&asked[1], 200, NULL);
	call_expect(&c[1], SP_OUTCOME_OK);
	call_end(&c[1]);
}
END_TEST

START_TEST(waits_for_room_only_so_long)
{
	struct call c[2];

	gate[0].max_streams = 1;
	conf->tunnels.max_per_pool = 1;
	call_open(&c[0], back, "t", "");
	conf->tunnels.wait_ms = 1;
	call_start(&c[1], back, "t", "");
	call_expect(&c[1], SP_OUTCOME_LIMIT);
	ck_assert_str_eq(c[1].cause.text, "the far ends of all tunnels allow no more streams");
	ck_assert_uint_eq(asked_count, 1);
	end_all(c, 2);
}
END_TEST

START_TEST(waits_for_a_tunnel_only_so_long)
{
	struct call c;

	gate[0].silent = true;
	conf->tunnels.wait_ms = 1;
	call_start(&c, back, "t", "");
	call_expect(&c, SP_OUTCOME_TIMEOUT);
	call_end(&c);
}
END_TEST

START_TEST(lets_only_so_many_wait)
{
	struct call c[4];

	gate[0].silent = true;
	conf->tunnels.waiting = 2;
	call_start(&c[0], back, "t", "");
	call_start(&c[1], back, "t", "");
	call_start(&c[2], back, "t", "");
	call_expect(&c[2], SP_OUTCOME_LIMIT);
	ck_assert_int_eq(c[2].cause.err, SP_ELIMIT);
	ck_assert_uint_eq(c[0].done + c[1].done, 0);
	call_end(&c[0]);
	call_start(&c[3], back, "t", ""); /* there is a place again */
	run_turns(5);
	ck_assert_uint_eq(c[3].done, 0);
	end_all(c + 1, 3);
}
END_TEST

START_TEST(who_is_refused_may_leave_before_hearing_it)
{
	struct call c[2];

	gate[0].silent = true;
	conf->tunnels.waiting = 1;
	call_start(&c[0], back, "t", "");
	call_start(&c[1], back, "t", "");
	call_end(&c[1]); /* cancelled before it heard that it is refused */
	run_turns(5);
	ck_assert_uint_eq(c[1].done, 0);
	call_end(&c[0]);
}
END_TEST

/* ---- a gateway that is not there ------------------------------------------------------------- */

START_TEST(who_waited_through_a_failed_dial_hears_its_cause)
{
	struct call c[3];
	struct sp_pool *p;

	sp_listener_close(&gate[0].listener);
	run_turns(5);
	call_start(&c[0], back, "t", "");
	call_expect(&c[0], SP_OUTCOME_TUNNEL_LOST); /* not "refused": that would be said of the target */
	ck_assert_int_eq(c[0].cause.err, SP_EREFUSED);
	p = pool_of(back, "t", "");
	ck_assert_ptr_nonnull(p); /* it remembers */
	ck_assert(sp_timer_running(&p->backoff));

	/* The next dial is too late for it: it need not wait. */
	conf->tunnels.wait_ms = 1;
	p->backoff.due_mono_ms += PEER_WAIT_MS;
	call_start(&c[1], back, "t", "");
	call_expect(&c[1], SP_OUTCOME_TUNNEL_LOST);
	ck_assert_int_eq(c[1].cause.err, SP_EREFUSED);

	/* The next dial is soon: it waits for it. */
	conf->tunnels.wait_ms = PEER_WAIT_MS;
	p->backoff.due_mono_ms -= PEER_WAIT_MS;
	gate_open(&gate[0]);
	call_start(&c[2], back, "t", "");
	fire(&p->backoff);
	await_asked(1);
	answer(&asked[0], 200, NULL);
	call_expect(&c[2], SP_OUTCOME_OK);
	ck_assert_int_eq(p->last_cause.err, 0);
	end_all(c, 3);
}
END_TEST

static uint64_t backoff_after(struct sp_pool *p)
{
	return p->backoff.due_mono_ms - (sp_loop_now_ms(loop) - skew_ms);
}

/* Twice as long each time, at random below that, never beyond the bound. */
START_TEST(dials_ever_more_seldom)
{
	struct call c;
	struct sp_pool *p;

	conf->tunnels.backoff_max_ms = 3000;
	sp_listener_close(&gate[0].listener);
	run_turns(5);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t bound = 500u << i < 3000 ? 500u << i : 3000;

		call_start(&c, back, "t", "");
		if ((p = pool_of(back, "t", "")) != NULL && sp_timer_running(&p->backoff))
			fire(&p->backoff);
		call_expect(&c, SP_OUTCOME_TUNNEL_LOST);
		call_end(&c);
		p = pool_of(back, "t", "");
		ck_assert_uint_eq(p->failures, i + 1);
		ck_assert(sp_timer_running(&p->backoff));
		ck_assert_uint_le(backoff_after(p), bound + 1);
	}
	/* And without anybody who asks, it is forgotten. */
	fire(&p->backoff);
	run_until(is_retired, NULL);
}
END_TEST

/* What flaps goes on backing off; what held for a while begins anew. */
START_TEST(forgets_failures_after_a_stable_tunnel)
{
	struct call c[3];
	struct sp_pool *p;

	conf->tunnels.streams_mark = 1;
	for (unsigned i = 0; i < 3; i++) {
		call_open(&c[i], back, "t", "");
		p = pool_of(back, "t", "");
		await_tunnels(p, i + 2);
	}
	p->failures = 5;
	far_abort(asked[2].far);
	await_count(&c[2].p.closed, 1);
	ck_assert_uint_eq(p->failures, 5);
	skew_ms += 60000;
	far_abort(asked[1].far);
	await_count(&c[1].p.closed, 1);
	ck_assert_uint_eq(p->failures, 0);
	call_check(&c[0], &asked[0]);
	end_all(c, 3);
}
END_TEST

START_TEST(a_gateway_of_another_name_gets_nothing)
{
	struct call c;

	strcpy(conf->regions[0].upstream.url.host, "localhost"); /* the certificate says 127.0.0.1 */
	call_start(&c, back, "t", "");
	call_expect(&c, SP_OUTCOME_TLS_CERTIFICATE);
	ck_assert_uint_eq(asked_count, 0);
	call_end(&c);
}
END_TEST

/* ---- second chances ------------------------------------------------------------------------------ */

START_TEST(refused_streams_are_tried_once_elsewhere)
{
	struct call c;

	call_start(&c, back, "t", "");
	await_asked(1);
	refuse_stream(&asked[0]);
	await_asked(2);
	ck_assert_ptr_ne(asked[1].far, asked[0].far);
	ck_assert_str_eq(asked[1].exchange, asked[0].exchange);
	ck_assert_uint_eq(c.done, 0);
	if (_i == 0) {
		answer(&asked[1], 200, NULL);
		call_expect(&c, SP_OUTCOME_OK);
	} else {
		refuse_stream(&asked[1]);
		call_expect(&c, SP_OUTCOME_TUNNEL_LOST);
		ck_assert_int_eq(c.cause.err, SP_ERETRY);
		run_turns(20);
		ck_assert_uint_eq(asked_count, 2);
	}
	call_end(&c);
}
END_TEST

/* Where there can be no other tunnel, the same one is asked again. */
START_TEST(refused_streams_are_tried_again_where_there_is_one_tunnel_only)
{
	struct call c;

	conf->tunnels.max_per_pool = 1;
	call_start(&c, back, "t", "");
	await_asked(1);
	refuse_stream(&asked[0]);
	await_asked(2);
	ck_assert_ptr_eq(asked[1].far, asked[0].far);
	answer(&asked[1], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	call_end(&c);
}
END_TEST

START_TEST(streams_beyond_goaway_are_tried_once_elsewhere)
{
	struct call c;

	call_start(&c, back, "t", "");
	await_asked(1);
	go_away(&fars[0]);
	await_asked(2);
	ck_assert_ptr_ne(asked[1].far, asked[0].far);
	answer(&asked[1], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	call_end(&c);
}
END_TEST

START_TEST(a_lost_tunnel_fails_who_was_asked_and_no_one_else)
{
	struct call c[2];

	call_start(&c[0], back, "t", "");
	await_asked(1);
	far_abort(&fars[0]);
	call_expect(&c[0], SP_OUTCOME_TUNNEL_LOST);
	call_open(&c[1], back, "t", "");
	ck_assert_ptr_eq(asked[1].far, &fars[1]);
	end_all(c, 2);
}
END_TEST

/* The far end does not see our last words: the connection stays for a while, the tunnel must not count as one. */
START_TEST(a_tunnel_that_broke_the_protocol_is_replaced_at_once)
{
	struct call c[2];

	conf->tunnels.max_per_pool = 1;
	call_start(&c[0], back, "t", "");
	await_asked(1);
	sp_stream_read_stop(fars[0].carrier);
	break_protocol(&fars[0]);
	call_expect(&c[0], SP_OUTCOME_PROTOCOL);
	ck_assert_int_eq(c[0].cause.err, SP_EPROTO);
	ck_assert_uint_gt(strlen(c[0].cause.text), 0);
	call_open(&c[1], back, "t", "");
	ck_assert_ptr_eq(asked[1].far, &fars[1]);
	ck_assert(sp_tunnel_is_dead(tunnel_at(pool_of(back, "t", ""), 0))); /* there it still is */
	sp_stream_read_start(fars[0].carrier);
	end_all(c, 2);
}
END_TEST

/* But not as fast as it lets them break. */
START_TEST(a_gateway_that_breaks_the_protocol_is_not_dialled_without_end)
{
	struct call c[3];

	conf->tunnels.max_per_pool = 1;
	for (unsigned i = 0; i < 2; i++) {
		call_start(&c[i], back, "t", "");
		await_asked(i + 1);
		sp_stream_read_stop(fars[i].carrier);
		break_protocol(&fars[i]);
		call_expect(&c[i], SP_OUTCOME_PROTOCOL);
	}
	call_start(&c[2], back, "t", "");
	run_turns(20);
	ck_assert_uint_eq(gate[0].accepted, 2);
	sp_stream_read_start(fars[0].carrier);
	sp_stream_read_start(fars[1].carrier);
	await_asked(3);
	answer(&asked[2], 200, NULL);
	call_expect(&c[2], SP_OUTCOME_OK);
	end_all(c, 3);
}
END_TEST

/* It waited before them. */
START_TEST(second_chances_come_before_those_who_wait)
{
	struct call c[2];

	conf->tunnels.max_per_pool = 1;
	gate[0].max_streams = 1;
	call_start(&c[0], back, "t", "");
	await_asked(1);
	call_start(&c[1], back, "t", "");
	refuse_stream(&asked[0]);
	await_asked(2);
	ck_assert_str_eq(asked[1].exchange, c[0].x.id);
	end_all(c, 2);
}
END_TEST

/* ---- idle tunnels ------------------------------------------------------------------------------------ */

START_TEST(idle_tunnels_are_drained_busy_ones_are_not)
{
	struct call c[2];

	conf->tunnels.idle_ms = 1;
	call_open(&c[0], back, "t", "");
	call_open(&c[1], back, "t", "");
	skew_ms += 1000;
	run_turns(20);
	call_check(&c[0], &asked[0]);
	ck_assert_uint_eq(fars[0].goaway, 0);
	call_end(&c[0]);
	call_check(&c[1], &asked[1]);
	call_end(&c[1]);
	await_count(&fars[0].goaway, 1);
	await_count(&fars[0].closed, 1);
	run_until(is_retired, NULL);
}
END_TEST

static bool has_rtt(void *arg)
{
	return sp_h2_rtt_us(arg) > 0;
}

/* It may have died unseen. */
START_TEST(a_tunnel_is_probed_before_it_is_used_after_a_silence)
{
	struct call c;
	struct sp_h2 *h2;

	call_open(&c, back, "t", "");
	call_end(&c);
	call_open(&c, back, "t", "");
	call_end(&c);
	h2 = tunnel_at(pool_of(back, "t", ""), 0)->h2;
	run_turns(20);
	ck_assert_uint_eq(sp_h2_rtt_us(h2), 0);
	skew_ms += conf->tunnels.ping_after_ms;
	call_open(&c, back, "t", "");
	run_until(has_rtt, h2);
	call_end(&c);
}
END_TEST

/* ---- the end -------------------------------------------------------------------------------------------- */

START_TEST(drains)
{
	struct call c[3];

	conf->tunnels.max_per_pool = 1;
	gate[0].max_streams = 1;
	call_open(&c[0], back, "t", "");
	call_start(&c[1], back, "t", ""); /* waits for room */
	run_turns(5);
	back->ops->drain(back);
	ck_assert_uint_eq(c[1].done, 0); /* not inside */
	call_expect(&c[1], SP_OUTCOME_SHUTDOWN);
	call_start(&c[2], back, "t", "");
	call_expect(&c[2], SP_OUTCOME_SHUTDOWN);
	call_check(&c[0], &asked[0]); /* goes on */
	ck_assert_uint_eq(fars[0].goaway, 1);
	call_end(&c[0]);
	await_count(&fars[0].closed, 1);
	run_until(is_retired, NULL);
	end_all(c + 1, 2);
}
END_TEST

START_TEST(closes_whatever_is_open)
{
	struct call c[4];

	conf->tunnels.max_per_pool = 1;
	gate[0].max_streams = 2;
	call_open(&c[0], back, "t", "");
	call_start(&c[1], back, "t", ""); /* asked */
	await_asked(2);
	call_start(&c[2], back, "t", ""); /* waits for room */
	call_start(&c[3], back, "u", ""); /* waits for a tunnel */
	run_turns(2);
	back_close(&back);
	for (unsigned i = 1; i < 4; i++) {
		ck_assert_uint_eq(c[i].done, 1);
		ck_assert_str_eq(sp_outcome_row(c[i].outcome)->word, "shutdown");
	}
	await_count(&c[0].p.closed, 1);
	end_all(c, 4);
}
END_TEST

#define MANY 200 /* so that some share a bucket */

static struct one_of_many {
	struct sp_exchange x;
	struct sp_back_open *open;
	struct one_of_many *next; /* in its bucket; NULL: none */
	unsigned calls;
} many[MANY];

static void on_one_of_many(void *arg, struct sp_stream *s, enum sp_outcome o, const struct sp_cause *cause)
{
	struct one_of_many *m = arg;

	(void)cause;
	ck_assert_ptr_null(s);
	ck_assert_int_eq(o, SP_OUTCOME_SHUTDOWN);
	m->calls++;
	m->open = NULL;
	if (m->next)
		sp_back_cancel(&m->next->open);
}

/* Who hears that its open is over may end another one, in whatever pool that is. */
START_TEST(closes_though_callbacks_cancel)
{
	unsigned cancelled = 0;
	char name[16];

	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		many[i].x.identity.tenant = strdup(name);
		many[i].open = sp_back_open(back, &many[i].x, on_one_of_many, &many[i]);
	}
	for (unsigned i = 0; i < MANY; i++)
		for (unsigned j = 0; j < MANY; j++)
			if (pool_of(back, many[i].x.identity.tenant, "")->node.next == &pool_of(back, many[j].x.identity.tenant, "")->node)
				many[i].next = &many[j];
	back_close(&back);
	for (unsigned i = 0; i < MANY; i++) {
		cancelled += many[i].calls == 0;
		ck_assert_ptr_null(many[i].open);
		sp_identity_deinit(&many[i].x.identity);
	}
	ck_assert_uint_gt(cancelled, 0);
}
END_TEST

/* Cancelled at every moment until it is open. */
START_TEST(may_be_cancelled_at_any_time)
{
	bool opened = false;
	struct call c;

	for (unsigned turns = 0; !opened; turns++) {
		struct sp_back *b = back_towards(&gate[0], NULL);
		unsigned n = asked_count;

		call_start(&c, b, "t", "");
		if (turns > 0)
			run_turns(turns);
		if (asked_count > n) {
			answer(&asked[n], 200, NULL);
			opened = true;
		}
		call_end(&c);
		ck_assert_uint_eq(c.done, 0);
		back_close(&b);
	}
}
END_TEST

Suite *sp_suite_pool(void)
{
	Suite *s = suite_create("back/pool");
	TCase *t = tcase_create("pool");

	tcase_add_unchecked_fixture(t, gate_certs, certs_teardown);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, asks_for_its_exchange);
	tcase_add_test(t, passes_on_what_was_answered);
	tcase_add_test(t, keeps_tenants_and_locations_on_tunnels_of_their_own);
	tcase_add_test(t, two_gateways_are_two_gateways);
	tcase_add_test(t, shares_a_tunnel_until_it_is_loaded);
	tcase_add_test(t, waits_for_room);
	tcase_add_test(t, waits_for_room_only_so_long);
	tcase_add_test(t, waits_for_a_tunnel_only_so_long);
	tcase_add_test(t, lets_only_so_many_wait);
	tcase_add_test(t, who_is_refused_may_leave_before_hearing_it);
	tcase_add_test(t, who_waited_through_a_failed_dial_hears_its_cause);
	tcase_add_test(t, dials_ever_more_seldom);
	tcase_add_test(t, forgets_failures_after_a_stable_tunnel);
	tcase_add_test(t, a_gateway_of_another_name_gets_nothing);
	tcase_add_loop_test(t, refused_streams_are_tried_once_elsewhere, 0, 2);
	tcase_add_test(t, refused_streams_are_tried_again_where_there_is_one_tunnel_only);
	tcase_add_test(t, streams_beyond_goaway_are_tried_once_elsewhere);
	tcase_add_test(t, a_lost_tunnel_fails_who_was_asked_and_no_one_else);
	tcase_add_test(t, a_tunnel_that_broke_the_protocol_is_replaced_at_once);
	tcase_add_test(t, a_gateway_that_breaks_the_protocol_is_not_dialled_without_end);
	tcase_add_test(t, second_chances_come_before_those_who_wait);
	tcase_add_test(t, idle_tunnels_are_drained_busy_ones_are_not);
	tcase_add_test(t, a_tunnel_is_probed_before_it_is_used_after_a_silence);
	tcase_add_test(t, drains);
	tcase_add_test(t, closes_whatever_is_open);
	tcase_add_test(t, closes_though_callbacks_cancel);
	tcase_add_test(t, may_be_cancelled_at_any_time);
	suite_add_tcase(s, t);
	return s;
}
