/* The cache while all goes well: who shares what, how long, and who asks anew. Its clock is the test's. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define S 1000u /* TOKEN_BODY lives 1000 s, and is handed out for 990 of them */

START_TEST(kept)
{
	struct asker a = { 0 }, b = { 0 };

	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	fx_ask(&a, "a");
	fx_ask(&b, "a");
	fx_wait(&a);
	fx_wait(&b);
	ck_assert_str_eq(a.bearer, "Bearer t1/t/a");
	ck_assert_str_eq(b.bearer, "Bearer t1/t/a");
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(b.calls, 1);
	ck_assert_uint_eq(fx_asked(), 1);
	asker_deinit(&a);
	asker_deinit(&b);
}
END_TEST

/* Where the address tells tenants apart so does the cache, else not. */
START_TEST(tenants)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_str_eq(fx_token("b"), "t2/t/b");
	ck_assert_str_eq(fx_token("A"), "t3/t/A");
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_str_eq(fx_token("b"), "t2/t/b");
	sp_tokens_free(&fx_tokens);
	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token("a"), "t4/t");
	ck_assert_str_eq(fx_token("b"), "t4/t");
	ck_assert_str_eq(fx_token(NULL), "t4/t");
	ck_assert_uint_eq(fx_asked(), 4);
}
END_TEST

/* What tenant and subdomain are is told apart too. */
START_TEST(no_confusion)
{
	struct asker a = { 0 };
	static const char *const pairs[][2] = { { "ab", "c" }, { "a", "bc" }, { "a", "b" }, { "b", "a" } };

	fx_open("{'client_id':'c','client_secret':'s','token_url':'@/{tenant}/{subdomain}'}");
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 4; i++) {
			char want[64];

			fx_ask_from(&a, pairs[i][0], pairs[i][1]);
			fx_wait(&a);
			snprintf(want, sizeof(want), "Bearer t%u/%s/%s", i + 1, pairs[i][0], pairs[i][1]);
			ck_assert_str_eq(a.bearer, want);
		}
	asker_deinit(&a);
}
END_TEST

/* Whatever they share in the table. */
START_TEST(many)
{
	struct asker a = { 0 };
	char subdomain[16], want[64];

	fx_open("{'client_id':'c','client_secret':'s','token_url':'@/{tenant}/{subdomain}'}");
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 1; i <= 400; i++) {
			snprintf(subdomain, sizeof(subdomain), "s%u", i);
			fx_ask_from(&a, "a", subdomain);
			fx_wait(&a);
			snprintf(want, sizeof(want), "Bearer t%u/a/s%u", i, i);
			ck_assert_str_eq(a.bearer, want);
		}
	ck_assert_uint_eq(fx_asked(), 400);
	asker_deinit(&a);
}
END_TEST

START_TEST(single_flight)
{
	struct asker askers[20] = { 0 }, other = { 0 };

	fx_open(KEY_TENANTS);
	fx_hold();
	for (unsigned i = 0; i < 10; i++)
		fx_ask(&askers[i], "a");
	fx_wait_asked(1);
	for (unsigned i = 10; i < 20; i++)
		fx_ask(&askers[i], "a");
	fx_ask(&other, "b");
	fx_release();
	for (unsigned i = 0; i < 20; i++)
		fx_wait(&askers[i]);
	fx_wait(&other);
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_str_eq(askers[i].bearer, "Bearer t1/t/a");
		ck_assert_uint_eq(askers[i].calls, 1);
		asker_deinit(&askers[i]);
	}
	ck_assert_str_eq(other.bearer, "Bearer t2/t/b");
	ck_assert_uint_eq(fx_asked(), 2);
	asker_deinit(&other);
}
END_TEST

/* ---- time ---------------------------------------------------------------------- */

static const struct { const char *expires; uint64_t renew_s, usable_s; } lives[] = {
	{ ",\"expires_in\":1000", 750, 990 }, { ",\"expires_in\":240", 180, 230 }, { ",\"expires_in\":200", 140, 190 },
	{ ",\"expires_in\":120", 60, 110 },   { ",\"expires_in\":100", 50, 90 },   { ",\"expires_in\":60", 30, 54 },
	{ ",\"expires_in\":2", 1, 0 },	      { "", 225, 290 },			   { ",\"expires_in\":99999999", 64800, 86390 },
};

static void open_with_life(unsigned i)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"access_token\":\"t%%u\",\"token_type\":\"bearer\"%s}", lives[i].expires);
	fx_answer("200 OK", body);
	fx_open(KEY_SHARED);
	ck_assert_str_eq(fx_token(NULL), "t1");
}

/* A tenant in use: three quarters through, or with a minute left, but not in the first half. */
START_TEST(renewed)
{
	open_with_life((unsigned)_i);
	clock_turn(lives[_i].renew_s * S - 1);
	ck_assert_str_eq(fx_token(NULL), "t1");
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 1);
	clock_turn(1);
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 2); /* nobody had to ask */
	ck_assert_str_eq(fx_token(NULL), "t2");
}
END_TEST

/* The old one is used on while the new one is fetched. */
START_TEST(renewed_behind)
{
	open_with_life(0);
	clock_turn(700 * S);
	ck_assert_str_eq(fx_token(NULL), "t1");
	fx_hold();
	clock_turn(50 * S);
	fx_wait_asked(2);
	clock_turn(200 * S);
	ck_assert_str_eq(fx_token(NULL), "t1");
	fx_release();
	fx_settle();
	ck_assert_str_eq(fx_token(NULL), "t2");
	ck_assert_uint_eq(fx_asked(), 2);
}
END_TEST

/* Renewed again and again, as long as it is used, and then no more. */
START_TEST(renewed_while_used)
{
	char want[16];

	open_with_life(0);
	for (unsigned i = 1; i < 6; i++) {
		clock_turn(600 * S);
		snprintf(want, sizeof(want), "t%u", i);
		ck_assert_str_eq(fx_token(NULL), want);
		clock_turn(150 * S);
		fx_settle();
		ck_assert_uint_eq(fx_asked(), i + 1);
	}
	clock_turn(100000 * S);
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 6);
	ck_assert_uint_eq(clock_timers(), 0);
	ck_assert_str_eq(fx_token(NULL), "t7");
}
END_TEST

/* Not used lately: it is not renewed for nobody, but by the next one who asks, who need not wait. */
START_TEST(idle)
{
	open_with_life(0);
	clock_turn(249 * S);
	ck_assert_str_eq(fx_token(NULL), "t1");
	clock_turn(501 * S);
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 1);
	clock_turn(100 * S);
	fx_hold();
	ck_assert_str_eq(fx_token(NULL), "t1");
	fx_release();
	fx_settle();
	ck_assert_uint_eq(fx_asked(), 2);
	ck_assert_str_eq(fx_token(NULL), "t2");
}
END_TEST

START_TEST(expired)
{
	open_with_life((unsigned)_i);
	if (lives[_i].usable_s == 0)
		return;
	fx_answer("500 Oops", ""); /* no renewal */
	clock_turn(lives[_i].usable_s * S - 1);
	ck_assert_str_eq(fx_token(NULL), "t1");
	fx_settle();
	fx_answer("200 OK", TOKEN_BODY);
	clock_turn(1);
	clock_turn(120 * S); /* whatever the backoff */
	ck_has(fx_token(NULL), "/t");
}
END_TEST

/* Its life is over before it has come: whoever waited gets it, whoever comes later does not. */
START_TEST(expired_on_the_way)
{
	struct asker a = { 0 };

	fx_answer("200 OK", "{\"access_token\":\"t%u\",\"token_type\":\"bearer\",\"expires_in\":5}");
	fx_open(KEY_SHARED);
	fx_hold();
	fx_ask(&a, NULL);
	fx_wait_asked(1);
	clock_turn(60 * S);
	fx_release();
	fx_wait(&a);
	ck_assert_str_eq(a.bearer, "Bearer t1");
	clock_turn(1);
	ck_assert_str_eq(fx_token(NULL), "t2");
	asker_deinit(&a);
}
END_TEST

/* ---- the gateway's verdict ----------------------------------------------------------- */

START_TEST(refused)
{
	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	ck_assert_str_eq(fx_token("b"), "t2/t/b");
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("b"), "t2/t/b");
	ck_assert_str_eq(fx_token("a"), "t3/t/a");
	/* Fresh ones are refused too: not more than one per backoff. */
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t3/t/a");
	clock_turn(999);
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t3/t/a");
	clock_turn(1001);
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t4/t/a");
	clock_turn(1999); /* twice as long now */
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t4/t/a");
	clock_turn(2001);
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t5/t/a");
	/* Long ago. */
	clock_turn(120 * S);
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t6/t/a");
	clock_turn(2000);
	sp_tokens_refused(fx_tokens, "a", NULL);
	ck_assert_str_eq(fx_token("a"), "t7/t/a");
	ck_assert_uint_eq(fx_asked(), 7);
}
END_TEST

/* For a minute at most between two. */
START_TEST(refused_for_long)
{
	unsigned n = 1;

	fx_open(KEY_SHARED);
	ck_assert_ptr_nonnull(fx_token(NULL));
	for (unsigned i = 0; i < 12; i++) {
		clock_turn(60 * S);
		sp_tokens_refused(fx_tokens, NULL, NULL);
		ck_assert_ptr_nonnull(fx_token(NULL));
		ck_assert_uint_eq(fx_asked(), ++n);
	}
}
END_TEST

START_TEST(refused_nothing)
{
	struct asker a = { 0 };

	fx_open(KEY_TENANTS);
	sp_tokens_refused(fx_tokens, "a", NULL);
	sp_tokens_refused(fx_tokens, NULL, NULL);
	fx_hold();
	fx_ask(&a, "a");
	fx_wait_asked(1);
	sp_tokens_refused(fx_tokens, "a", NULL); /* of one that it has no more */
	fx_release();
	fx_wait(&a);
	ck_assert_str_eq(a.bearer, "Bearer t1/t/a");
	ck_assert_uint_eq(fx_asked(), 1);
	asker_deinit(&a);
}
END_TEST

/* In the turn in which another one asked. */
START_TEST(refused_meanwhile)
{
	struct asker a = { 0 };

	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("a"), "t1/t/a");
	fx_ask(&a, "a");
	sp_tokens_refused(fx_tokens, "a", NULL);
	fx_wait(&a);
	ck_assert_str_eq(a.bearer, "Bearer t2/t/a");
	asker_deinit(&a);
}
END_TEST

/* ---- askers ---------------------------------------------------------------------------- */

START_TEST(cancelled)
{
	struct asker a = { 0 }, b = { 0 };
	struct sp_token_wait *none = NULL;

	sp_tokens_cancel(&none);
	fx_open(KEY_TENANTS);
	fx_hold();
	fx_ask(&a, "a");
	fx_ask(&b, "a");
	fx_wait_asked(1);
	sp_tokens_cancel(&a.wait);
	ck_assert_ptr_null(a.wait);
	sp_tokens_cancel(&b.wait);
	fx_release();
	fx_settle();
	ck_assert_str_eq(fx_token("a"), "t1/t/a"); /* it was worth fetching all the same */
	fx_ask(&a, "a");
	sp_tokens_cancel(&a.wait); /* in the same turn */
	fx_settle();
	ck_assert_uint_eq(a.calls + b.calls, 0);
	ck_assert_uint_eq(fx_asked(), 1);
}
END_TEST

static void cancel_other(struct asker *a)
{
	struct asker *other = a->arg;

	sp_tokens_cancel(&other->wait);
}

static void free_cache(struct asker *a)
{
	ck_assert_ptr_nonnull(a->bearer);
	sp_tokens_free(&fx_tokens);
}

static void ask_again(struct asker *a)
{
	a->then = NULL;
	sp_tokens_refused(fx_tokens, "a", NULL);
	fx_ask(a, "a");
}

START_TEST(inside_cancel)
{
	struct asker b = { 0 }, a = { .then = cancel_other, .arg = &b };

	fx_open(KEY_TENANTS);
	fx_ask(&a, "a");
	fx_ask(&b, "a");
	fx_wait(&a);
	fx_settle();
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(b.calls, 0);
	asker_deinit(&a);
}
END_TEST

START_TEST(inside_free)
{
	struct asker a = { .then = free_cache }, b = { 0 }, c = { 0 };

	fx_open(KEY_TENANTS);
	fx_ask(&a, "a");
	fx_ask(&b, "a");
	fx_ask(&c, "b");
	fx_wait(&a);
	ck_assert_ptr_null(fx_tokens);
	fx_settle();
	ck_assert_uint_eq(b.calls + c.calls, 0);
	b.wait = c.wait = NULL;
	asker_deinit(&a);
}
END_TEST

START_TEST(inside_ask)
{
	struct asker a = { .then = ask_again }, b = { 0 };

	fx_open(KEY_TENANTS);
	fx_ask(&a, "a");
	fx_ask(&b, "a");
	fx_wait(&b);
	ck_assert_str_eq(b.bearer, "Bearer t1/t/a"); /* lent to all, though one has it refused */
	fx_wait(&a);
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_str_eq(a.bearer, "Bearer t2/t/a");
	asker_deinit(&a);
	asker_deinit(&b);
}
END_TEST

START_TEST(freed_while_waiting)
{
	struct asker a = { 0 }, b = { 0 };

	fx_open(KEY_TENANTS);
	ck_assert_str_eq(fx_token("b"), "t1/t/b");
	fx_hold();
	fx_ask(&a, "a");
	fx_wait_asked(2);
	fx_ask(&b, "b");
	sp_tokens_free(&fx_tokens);
	fx_release();
	fx_settle();
	ck_assert_uint_eq(a.calls + b.calls, 0);
	sp_tokens_free(&fx_tokens);
}
END_TEST

/* ---- bounds ------------------------------------------------------------------------------ */

#define WAITING_MOST 1024u
#define TENANTS_MOST 1024u

START_TEST(waiting_bounded)
{
	static struct asker askers[WAITING_MOST + 1];
	struct asker *last = &askers[WAITING_MOST], other = { 0 };

	fx_open(KEY_TENANTS);
	fx_hold();
	for (unsigned i = 0; i <= WAITING_MOST; i++)
		fx_ask(&askers[i], "a");
	fx_wait(last);
	ck_assert_ptr_null(last->bearer);
	ck_assert_int_eq(last->cause.err, SP_ELIMIT);
	ck_assert_str_eq(last->cause.text, "too many wait for the token of this tenant");
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), 1);
	fx_ask(last, "a");
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), 2);
	sp_tokens_cancel(&last->wait); /* of a refused one */
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), 1);
	fx_ask(&other, "b");
	fx_release();
	fx_wait(&other);
	ck_assert_ptr_nonnull(other.bearer);
	for (unsigned i = 0; i < WAITING_MOST; i++) {
		fx_wait(&askers[i]);
		ck_assert_str_eq(askers[i].bearer, "Bearer t1/t/a");
		asker_deinit(&askers[i]);
	}
	ck_assert_str_eq(fx_token("a"), "t1/t/a"); /* there is room again */
	ck_assert_uint_eq(fx_asked(), 2);
	asker_deinit(last);
	asker_deinit(&other);
}
END_TEST

/* Tenants whose subdomain is missing: entries that cost no request. */
static void fill(unsigned n)
{
	struct asker a = { 0 };
	char tenant[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(tenant, sizeof(tenant), "x%u", i);
		fx_ask(&a, tenant);
		fx_wait(&a);
		ck_assert_int_eq(a.cause.err, SP_EINVAL);
	}
	asker_deinit(&a);
}

static const char *ask_ab(struct asker *a, const char *tenant)
{
	fx_ask_from(a, tenant, "s");
	fx_wait(a);
	return a->bearer;
}

/* Who was here longest ago is forgotten. */
START_TEST(tenants_bounded)
{
	struct asker a = { 0 };

	fx_open("{'client_id':'c','client_secret':'s','token_url':'@/{tenant}/{subdomain}'}");
	ck_assert_str_eq(ask_ab(&a, "a"), "Bearer t1/a/s");
	ck_assert_str_eq(ask_ab(&a, "b"), "Bearer t2/b/s");
	fill(TENANTS_MOST - 2);
	ck_assert_str_eq(ask_ab(&a, "a"), "Bearer t1/a/s");
	ck_assert_str_eq(ask_ab(&a, "c"), "Bearer t3/c/s");
	ck_assert_str_eq(ask_ab(&a, "a"), "Bearer t1/a/s"); /* was used since */
	ck_assert_str_eq(ask_ab(&a, "b"), "Bearer t4/b/s"); /* was not */
	ck_assert_uint_eq(sp_tokens_count(fx_tokens), TENANTS_MOST);
	asker_deinit(&a);
}
END_TEST

/* Those that somebody waits for stay. */
START_TEST(tenants_waited_for)
{
	static struct asker askers[TENANTS_MOST];
	struct asker one_more = { 0 };
	char tenant[16];

	fx_timeout_ms = FX_WAIT_MS; /* the last one waits for all others, on a slow machine perhaps */
	fx_open(KEY_TENANTS);
	fx_hold();
	for (unsigned i = 0; i < TENANTS_MOST; i++) {
		snprintf(tenant, sizeof(tenant), "x%u", i);
		fx_ask(&askers[i], tenant);
	}
	fx_ask(&one_more, "a");
	fx_wait(&one_more);
	ck_assert_int_eq(one_more.cause.err, SP_ELIMIT);
	ck_assert_str_eq(one_more.cause.text, "tokens of too many tenants are waited for");
	sp_tokens_cancel(&askers[7].wait);
	fx_ask(&one_more, "a");
	fx_release();
	fx_wait(&one_more);
	ck_has(one_more.bearer, "/t/a");
	asker_deinit(&one_more);
	sp_tokens_free(&fx_tokens);
	for (unsigned i = 0; i < TENANTS_MOST; i++) {
		askers[i].wait = NULL;
		asker_deinit(&askers[i]);
	}
}
END_TEST

Suite *suite_tokens_cache(void)
{
	Suite *s = suite_create("tokens");
	TCase *tc = tcase_create("cache");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_test(tc, kept);
	tcase_add_test(tc, tenants);
	tcase_add_test(tc, no_confusion);
	tcase_add_test(tc, many);
	tcase_add_test(tc, single_flight);
	tcase_add_loop_test(tc, renewed, 0, SP_COUNT_OF(lives));
	tcase_add_test(tc, renewed_behind);
	tcase_add_test(tc, renewed_while_used);
	tcase_add_test(tc, idle);
	tcase_add_loop_test(tc, expired, 0, SP_COUNT_OF(lives));
	tcase_add_test(tc, expired_on_the_way);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, refused_for_long);
	tcase_add_test(tc, refused_nothing);
	tcase_add_test(tc, refused_meanwhile);
	tcase_add_test(tc, cancelled);
	tcase_add_test(tc, inside_cancel);
	tcase_add_test(tc, inside_free);
	tcase_add_test(tc, inside_ask);
	tcase_add_test(tc, freed_while_waiting);
	tcase_add_test(tc, waiting_bounded);
	tcase_add_test(tc, tenants_bounded);
	tcase_add_test(tc, tenants_waited_for);
	suite_add_tcase(s, tc);
	return s;
}
