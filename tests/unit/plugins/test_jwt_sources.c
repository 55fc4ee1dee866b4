/* Where keys come from, by a clock that the test turns and a host that it answers for: one fetch at a time, ahead of need, and what is
 * used while fetching fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "mint.h"
#include "suites.h"

#define MINUTE_MS 60000
#define FIXED "{\"issuer\":\"https://idp\",\"jwks\":\"https://idp/keys\",\"keys_max_stale_s\":3600}"
#define TENANTS "{\"issuer\":\"https://idp\",\"jwks\":\"https://idp/keys\",\"profile\":\"xsuaa\",\"audience\":\"a\"}"

static struct jwt_policy policy;
static struct jwt_sources *sources;
static struct jwt_sources_limits limits;
static char *set_a, *set_b;
static unsigned woken, forgotten;

static char *a_set(const char *kid)
{
	EVP_PKEY *key = mint_ec("P-256");
	char *set = mint_set((char *const[]){ mint_jwk(key, kid, ""), NULL });

	EVP_PKEY_free(key);
	return set;
}

static void on_forget(void *arg, const struct jwt_source *src)
{
	(void)arg;
	(void)src;
	forgotten++;
}

static void open_with(const char *json)
{
	struct jwt_sources_env env = fake_env();
	sp_error err = { .size = sizeof(err) };

	env.forget = on_forget;
	ck_assert_msg(jwt_policy_read(json, &policy, &err) == 0, "%s: %s", err.path, err.msg);
	ck_assert_int_eq(jwt_sources_new(&policy, NULL, &env, &limits, &sources), 0);
}

static void setup(void)
{
	set_a = a_set("a");
	set_b = a_set("b");
	woken = forgotten = 0;
	limits = jwt_sources_limits_default;
	fake_open();
}

static void teardown(void)
{
	jwt_sources_free(&sources);
	jwt_policy_deinit(&policy);
	fake_close();
	free(set_a);
	free(set_b);
}

static struct jwt_source *find(const char *tenant)
{
	const char *why = NULL;

	return jwt_sources_find(sources, 0, (sp_str){ "https://idp", 11 }, tenant ? (sp_str){ tenant, strlen(tenant) } : (sp_str){ 0 }, &why);
}

static enum jwt_ready get(struct jwt_source *src)
{
	struct jwt_keyset *ks = NULL;
	enum jwt_ready r = jwt_source_get(src, &ks);

	ck_assert((r == JWT_READY) == (ks != NULL));
	return r;
}

static const char *kid_of(struct jwt_source *src)
{
	struct jwt_keyset *ks = jwt_source_keys(src);

	return ks ? ks->keys[0].kid : "";
}

static void on_woken(void *arg, struct jwt_source *src)
{
	(void)arg;
	(void)src;
	woken++;
}

/* The first fetch begins at the start, once; who comes meanwhile waits for it. */
START_TEST(one_fetch_for_all)
{
	struct jwt_source *src;
	struct jwt_wait *gone;

	open_with(FIXED);
	ck_assert_uint_eq(fake_fetches(), 1);
	ck_assert_str_eq(fake_url(0), "https://idp/keys");
	ck_assert_uint_eq(fake_said("being fetched"), 1);
	src = find(NULL);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(get(src), JWT_READY_SOON);
		ck_assert_ptr_nonnull(jwt_source_wait(src, 5000, on_woken, NULL));
	}
	gone = jwt_source_wait(src, 5000, on_woken, NULL);
	jwt_wait_cancel(gone);
	ck_assert_uint_eq(fake_fetches(), 1);
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(woken, 5);
	ck_assert_int_eq(get(src), JWT_READY);
	ck_assert_str_eq(kid_of(src), "a");
	ck_assert_uint_eq(fake_fetches(), 1);
}
END_TEST

START_TEST(waiting_is_bounded)
{
	struct jwt_source *src;

	limits.waits = 2;
	open_with(FIXED);
	src = find(NULL);
	ck_assert_ptr_nonnull(jwt_source_wait(src, 1000, on_woken, NULL));
	ck_assert_ptr_nonnull(jwt_source_wait(src, 2000, on_woken, NULL));
	ck_assert_ptr_null(jwt_source_wait(src, 1000, on_woken, NULL));
	fake_pass(1500);
	ck_assert_uint_eq(woken, 1); /* its time is over, the fetch's is not */
	ck_assert_str_eq(kid_of(src), "");
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(woken, 2);
}
END_TEST

/* How long keys are good: what Cache-Control says between a minute and a day, 10 minutes if it says nothing. With dice of 0 the
 * refresh comes at 75 %. */
static const struct { int64_t life_s, refresh_ms; } lives[] = {
	{ -1, 450000 }, { 1, 45000 }, { 60, 45000 }, { 1000, 750000 }, { 86400, 64800000 }, { 864000, 64800000 },
};

START_TEST(refreshed_ahead)
{
	int64_t half = lives[_i].refresh_ms / 2;
	struct jwt_source *src;

	open_with(FIXED);
	fake_answer(200, set_a, lives[_i].life_s);
	src = find(NULL);
	fake_pass(half);
	ck_assert_int_eq(get(src), JWT_READY); /* in use */
	fake_pass(lives[_i].refresh_ms - half - 1000);
	ck_assert_uint_eq(fake_fetches(), 1);
	fake_pass(2000);
	ck_assert_uint_eq(fake_fetches(), 2); /* by itself */
	ck_assert_int_eq(get(src), JWT_READY); /* and nobody waits */
	fake_answer(200, set_b, -1);
	ck_assert_str_eq(kid_of(src), "b");
}
END_TEST

START_TEST(not_refreshed_without_use)
{
	open_with(FIXED);
	fake_answer(200, set_a, -1);
	fake_pass(24 * 60 * MINUTE_MS);
	ck_assert_uint_eq(fake_fetches(), 1);
}
END_TEST

/* Old keys are used while they cannot be refreshed, but not beyond keys_max_stale_s. */
START_TEST(stale_within_bounds)
{
	struct jwt_source *src;

	open_with(FIXED); /* 10 minutes and one hour */
	fake_answer(200, set_a, -1);
	src = find(NULL);
	for (int64_t t = 0; t < 70 * MINUTE_MS - 1000; t += 30000) {
		ck_assert_int_eq(get(src), JWT_READY);
		while (fake_pending())
			fake_answer(500, "no", -1);
		fake_pass(30000);
	}
	fake_pass(1000);
	while (fake_pending())
		fake_answer(500, "no", -1);
	ck_assert_int_ne(get(src), JWT_READY);
	ck_assert_str_eq(kid_of(src), "");
	ck_assert_uint_ge(fake_said("too old to be used"), 1);
}
END_TEST

/* 1 s, 2 s, 4 s ... 5 min between attempts (dice of 0: 75 % of that, at least 1 s); askers meanwhile are answered at once. */
START_TEST(backoff)
{
	struct jwt_source *src;
	unsigned before;
	char why[256];

	open_with(FIXED);
	src = find(NULL);
	fake_answer(0, "connection refused", -1);
	ck_assert_int_eq(get(src), JWT_NOT_READY);
	jwt_source_trouble(src, why, sizeof(why));
	ck_assert_ptr_nonnull(strstr(why, "connection refused"));
	ck_assert_uint_eq(fake_fetches(), 1);
	fake_pass(1001);
	ck_assert_uint_eq(fake_fetches(), 2); /* by itself: it has no keys at all */
	fake_answer(0, "x", -1);
	fake_pass(1400);
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_pass(200);
	ck_assert_uint_eq(fake_fetches(), 3);
	for (int i = 0; i < 12; i++) {
		fake_answer(0, "x", -1);
		fake_pass(5 * MINUTE_MS);
	}
	before = fake_fetches();
	fake_answer(0, "x", -1);
	for (int i = 0; i < 200; i++) {
		fake_pass(1000);
		ck_assert_int_eq(get(src), JWT_NOT_READY);
	}
	ck_assert_uint_eq(fake_fetches(), before); /* the pause is some minutes by now */
	fake_pass(5 * MINUTE_MS);
	fake_answer(200, set_a, -1);
	ck_assert_int_eq(get(src), JWT_READY);
	ck_assert_uint_ge(fake_said("after failures for"), 1);
}
END_TEST

static const struct { int status; const char *body; } bad[] = {
	{ 200, "<html>" }, { 200, "{\"keys\":[]}" }, { 200, "" }, { 302, "" }, { 404, "{}" }, { 500, "{}" }, { 0, "exceeds 1048576 bytes" },
};

START_TEST(bad_answers_replace_nothing)
{
	struct jwt_source *src;

	open_with(FIXED);
	fake_answer(200, set_a, -1);
	src = find(NULL);
	ck_assert_int_eq(get(src), JWT_READY);
	fake_pass(8 * MINUTE_MS);
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_answer(bad[_i].status, bad[_i].body, -1);
	ck_assert_int_eq(get(src), JWT_READY);
	ck_assert_str_eq(kid_of(src), "a");
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_WARN, "are used for at most"), 1);
}
END_TEST

/* A key that the set has not is looked for once in 30 s. */
START_TEST(unknown_key)
{
	struct jwt_source *src;

	open_with(FIXED);
	fake_answer(200, set_a, -1);
	src = find(NULL);
	ck_assert_int_eq(get(src), JWT_READY);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON); /* the same fetch */
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_answer(200, set_a, -1);
	for (int i = 0; i < 29; i++) {
		ck_assert_int_eq(jwt_source_unknown_key(src), JWT_NOT_READY);
		fake_pass(1000);
	}
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_pass(1000);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON);
	ck_assert_uint_eq(fake_fetches(), 3);
	fake_answer(200, set_b, -1);
	ck_assert_str_eq(kid_of(src), "b");
}
END_TEST

/* Names out of tokens that nobody has verified: percent-encoded, bounded in number and in the fetches that they cause. */
START_TEST(made_up_tenants)
{
	struct jwt_source *good, *src;
	unsigned found = 0;
	char name[32];

	limits.unproven = 8;
	limits.burst = 20;
	limits.per_s = 1;
	open_with(TENANTS);
	ck_assert_uint_eq(fake_fetches(), 0);
	good = find("a b&c");
	ck_assert_ptr_nonnull(good);
	ck_assert_int_eq(get(good), JWT_READY_SOON);
	ck_assert_str_eq(fake_url(0), "https://idp/keys?zid=a%20b%26c");
	fake_answer(200, set_a, -1);
	jwt_source_prove(good);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "made-up-%d", i);
		src = find(name);
		if (src && get(src) == JWT_READY_SOON)
			found++;
		while (fake_pending())
			fake_answer(404, "{}", -1);
	}
	ck_assert_uint_eq(found, 19); /* the burst but for the good one's */
	ck_assert_uint_eq(fake_fetches(), 20);
	fake_pass(3000);
	for (int i = 500; i < 600; i++) {
		snprintf(name, sizeof(name), "made-up-%d", i);
		src = find(name);
		found += src && get(src) == JWT_READY_SOON;
		while (fake_pending())
			fake_answer(404, "{}", -1);
	}
	ck_assert_uint_eq(found, 22);
	ck_assert_ptr_eq(find("a b&c"), good); /* was not driven out */
	ck_assert_int_eq(get(good), JWT_READY);
	ck_assert_uint_eq(forgotten, 0);
}
END_TEST

/* A source that has verified tokens tells so when it goes. */
START_TEST(whoever_remembered_is_told)
{
	struct jwt_source *src;

	limits.proven = 1;
	limits.unproven = 1;
	open_with(TENANTS);
	for (int i = 0; i < 3; i++) {
		src = find((const char *const[]){ "t0", "t1", "t2" }[i]);
		ck_assert_ptr_nonnull(src);
		ck_assert_int_eq(get(src), JWT_READY_SOON);
		fake_answer(200, set_a, -1);
		jwt_source_prove(src);
		ck_assert_uint_eq(forgotten, i > 0 ? (unsigned)i : 0);
	}
	jwt_sources_free(&sources);
	ck_assert_uint_eq(forgotten, 3);
}
END_TEST

/* Also one that found no room among the proven ones, because they are being fetched. */
START_TEST(whoever_remembered_is_told_without_room)
{
	struct jwt_source *first, *second;

	limits.proven = 1;
	limits.unproven = 1;
	open_with(TENANTS);
	first = find("t0");
	ck_assert_int_eq(get(first), JWT_READY_SOON);
	fake_answer(200, set_a, -1);
	jwt_source_prove(first);
	ck_assert_int_eq(jwt_source_unknown_key(first), JWT_READY_SOON);
	second = find("t1");
	ck_assert_int_eq(get(second), JWT_READY_SOON);
	fake_answer_url("zid=t1", 200, set_b, -1);
	jwt_source_prove(second);
	ck_assert_uint_eq(forgotten, 0);
	ck_assert_ptr_nonnull(find("t2")); /* in the place of t1 */
	ck_assert_uint_eq(forgotten, 1);
	fake_answer(200, set_a, -1);
	ck_assert_ptr_eq(find("t0"), first);
}
END_TEST

Suite *suite_jwt_sources(void)
{
	Suite *s = suite_create("jwt_sources");
	TCase *t = tcase_create("sources");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_fetch_for_all);
	tcase_add_test(t, waiting_is_bounded);
	tcase_add_loop_test(t, refreshed_ahead, 0, (int)(sizeof(lives) / sizeof(lives[0])));
	tcase_add_test(t, not_refreshed_without_use);
	tcase_add_test(t, stale_within_bounds);
	tcase_add_test(t, backoff);
	tcase_add_loop_test(t, bad_answers_replace_nothing, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, unknown_key);
	tcase_add_test(t, made_up_tenants);
	tcase_add_test(t, whoever_remembered_is_told);
	tcase_add_test(t, whoever_remembered_is_told_without_room);
	suite_add_tcase(s, t);
	return s;
}
