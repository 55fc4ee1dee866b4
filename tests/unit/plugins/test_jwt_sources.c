/* Sources that tokens name: tenants and issuers nobody has verified. What somebody makes up costs little and drives nobody out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "mint.h"
#include "suites.h"

#define URL "https://idp.example/token_keys"
#define PER_TENANT "{\"issuer\":\"i\",\"jwks\":\"" URL "\",\"jwks_per_tenant\":true}"
#define S INT64_C(1000)

static char *set;
static struct jwt_policy policy;
static struct jwt_sources *sources;
static unsigned forgotten;
static const struct jwt_source *forgotten_last;
static const struct jwt_sources_limits small = { .proven = 2, .unproven = 4, .waits = 100, .burst = 1000, .per_s = 5 };

static void on_forget(void *arg, const struct jwt_source *src)
{
	(void)arg;
	forgotten++;
	forgotten_last = src;
}

static void setup(void)
{
	EVP_PKEY *key = mint_ec("P-256");

	set = mint_set((char *const[]){ mint_jwk(key, "a", ""), NULL });
	EVP_PKEY_free(key);
	fake_open();
	forgotten = 0;
}

static void teardown(void)
{
	jwt_sources_free(&sources);
	jwt_policy_deinit(&policy);
	fake_close();
	free(set);
}

static void start(const char *json, const struct jwt_sources_limits *limits)
{
	struct jwt_sources_env env = fake_env();
	sp_error err = { .size = sizeof(err) };

	env.forget = on_forget;
	ck_assert_msg(jwt_policy_read(json, &policy, &err) == 0, "%s %s", err.path, err.msg);
	ck_assert_int_eq(jwt_sources_new(&policy, NULL, &env, limits ? limits : &jwt_sources_limits_default, &sources), 0);
}

static sp_str str(const char *s)
{
	return (sp_str){ s, strlen(s) };
}

static struct jwt_source *find(const char *tenant)
{
	const char *why = NULL;
	struct jwt_source *src = jwt_sources_find(sources, 0, str("i"), str(tenant), &why);

	ck_assert((src == NULL) == (why != NULL));
	return src;
}

static struct jwt_source *find_number(unsigned i)
{
	char tenant[32];

	snprintf(tenant, sizeof(tenant), "t%u", i);
	return find(tenant);
}

static enum jwt_ready get(struct jwt_source *src)
{
	struct jwt_keyset *ks = NULL;

	return src ? jwt_source_get(src, &ks) : JWT_NOT_READY;
}

static void answer_all(int status, const char *body)
{
	while (fake_pending())
		fake_answer(status, body, 600);
}

/* With keys that have verified a token. */
static struct jwt_source *proven(const char *tenant)
{
	struct jwt_source *src = find(tenant);

	ck_assert_ptr_nonnull(src);
	ck_assert_int_eq(get(src), JWT_READY_SOON);
	answer_all(200, set);
	ck_assert_int_eq(get(src), JWT_READY);
	jwt_source_prove(src);
	return src;
}

/* ---- names and URLs ---- */

static const struct { const char *base, *tenant, *url; } urls[] = {
	{ URL, "0a-B.c_d~e", URL "?zid=0a-B.c_d~e" },
	{ URL "?x=1", "t", URL "?x=1&zid=t" },
	{ URL, "a/../b?c&d=e#f%20 \xc3\xa4\r\n", URL "?zid=a%2F..%2Fb%3Fc%26d%3De%23f%2520%20%C3%A4%0D%0A" },
};

START_TEST(url_per_tenant)
{
	char json[256];

	snprintf(json, sizeof(json), "{\"issuer\":\"i\",\"jwks\":\"%s\",\"profile\":\"xsuaa\"}", urls[_i].base);
	start(json, NULL);
	ck_assert_uint_eq(fake_fetches(), 0); /* nobody has asked */
	ck_assert_int_eq(get(find(urls[_i].tenant)), JWT_READY_SOON);
	ck_assert_str_eq(fake_url(0), urls[_i].url);
}
END_TEST

START_TEST(label_is_harmless)
{
	start(PER_TENANT, NULL);
	get(find("a\nb \x1b[31m"));
	fake_answer(500, "", -1);
	ck_assert_uint_eq(fake_said("keys of " URL " for tenant a?b??[31m: HTTP status 500"), 1);
}
END_TEST

START_TEST(each_tenant_has_its_own)
{
	struct jwt_source *a, *b;

	start(PER_TENANT, NULL);
	a = proven("a");
	b = find("b");
	ck_assert_ptr_ne(a, b);
	ck_assert_ptr_eq(find("a"), a);
	ck_assert_ptr_eq(find("b"), b);
	ck_assert_ptr_null(jwt_source_keys(b));
	ck_assert_ptr_ne(find("A"), a);
	ck_assert_ptr_ne(find(""), a);
}
END_TEST

START_TEST(groups_share_nothing)
{
	const char *why = NULL;
	struct jwt_source *s[3];

	start("{\"issuers\":[{\"issuer\":\"i\",\"jwks\":\"" URL "\"},{\"issuer\":\"j\",\"jwks\":\"" URL "\"},"
	      "{\"issuer\":[\"https://a.example\",\"https://*.b.example\"],\"discovery\":true}]}", NULL);
	ck_assert_uint_eq(fake_fetches(), 3); /* the template names nobody */
	for (unsigned i = 0; i < 3; i++)
		s[i] = jwt_sources_find(sources, i, str("https://a.example"), str("t"), &why);
	ck_assert_ptr_ne(s[0], s[1]);
	ck_assert_ptr_ne(s[1], s[2]);
	get(jwt_sources_find(sources, 2, str("https://x.b.example"), str("t"), &why));
	ck_assert_uint_eq(fake_fetches(), 4);
	ck_assert_str_eq(fake_url(3), "https://x.b.example/.well-known/openid-configuration");
	get(jwt_sources_find(sources, 2, str("https://y.b.example"), str("t"), &why));
	ck_assert_uint_eq(fake_fetches(), 5);
	/* Its document must be its own. */
	fake_answer_url("https://x.b", 200, "{\"issuer\":\"https://y.b.example\",\"jwks_uri\":\"https://k\"}", -1);
	ck_assert_uint_eq(fake_said("another issuer's"), 1);
	ck_assert_uint_eq(fake_fetches(), 5);
}
END_TEST

/* ---- floods ---- */

/* Names that nobody has: 100 a second for ten minutes. */
START_TEST(flood_of_names)
{
	unsigned refused = 0, asked = 0;

	start(PER_TENANT, NULL);
	for (unsigned s = 0; s < 600; s++) {
		for (unsigned i = 0; i < 100; i++) {
			struct jwt_source *src = find_number(asked++);

			refused += !src;
			get(src);
		}
		answer_all(404, "");
		fake_pass(1 * S);
	}
	ck_assert_uint_le(fake_fetches(), jwt_sources_limits_default.burst + 600 * jwt_sources_limits_default.per_s);
	ck_assert_uint_ge(fake_fetches(), 600 * jwt_sources_limits_default.per_s - 10);
	ck_assert_uint_eq(refused, asked - fake_fetches());
	/* Every 10 s a line, and each says how many are missing. */
	ck_assert_uint_le(fake_lines(), 61);
	ck_assert_uint_ge(fake_said("such lines left out"), 59);
	ck_assert_uint_eq(fake_alarms(), 0); /* nobody comes back to them unasked */
}
END_TEST

/* The same, and the provider has keys for everybody: no proven source goes, and all stay usable. */
START_TEST(flood_that_succeeds)
{
	struct jwt_source *mine[3];
	unsigned asked = 0;

	start(PER_TENANT, NULL);
	mine[0] = proven("m0");
	mine[1] = proven("m1");
	mine[2] = proven("m2");
	for (unsigned s = 0; s < 900; s++) {
		for (unsigned i = 0; i < 20; i++)
			get(find_number(asked++));
		answer_all(200, set);
		fake_pass(1 * S);
		answer_all(200, set);
		for (unsigned i = 0; i < 2; i++)
			ck_assert_int_eq(get(mine[i]), JWT_READY);
	}
	ck_assert_ptr_eq(find("m0"), mine[0]);
	ck_assert_ptr_eq(find("m1"), mine[1]);
	ck_assert_ptr_eq(find("m2"), mine[2]); /* though idle */
	ck_assert_uint_eq(forgotten, 0);
}
END_TEST

/* Proven ones are refreshed and fetched for new keys while names are short. */
START_TEST(proven_ones_go_first)
{
	struct jwt_source *mine;
	unsigned asked = 0;

	start(PER_TENANT, NULL);
	mine = proven("m");
	while (get(find_number(asked)) != JWT_NOT_READY)
		asked++;
	answer_all(404, "");
	ck_assert_ptr_null(find_number(asked + 1));
	ck_assert_int_eq(jwt_source_unknown_key(mine), JWT_READY_SOON);
	answer_all(200, set);
	ck_assert_int_eq(get(mine), JWT_READY);
	while (fake_pending() == 0)
		fake_pass(1 * S);
	ck_assert_str_eq(fake_url(0), URL "?zid=m"); /* by itself */
}
END_TEST

/* Made-up keys of many tenants: rationed, and apart from names. */
START_TEST(flood_of_unknown_keys)
{
	struct jwt_sources_limits limits = jwt_sources_limits_default;
	struct jwt_source *src[100];
	char tenant[16];
	unsigned before;

	limits.burst = 200;
	start(PER_TENANT, &limits);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(tenant, sizeof(tenant), "m%u", i);
		src[i] = proven(tenant);
	}
	fake_pass(31 * S);
	before = fake_fetches();
	for (unsigned s = 0; s < 300; s++) {
		for (unsigned i = 0; i < 100; i++)
			for (unsigned k = 0; k < 3; k++)
				jwt_source_unknown_key(src[i]);
		answer_all(200, set);
		fake_pass(1 * S);
	}
	ck_assert_uint_le(fake_fetches() - before, 200 + 300 * limits.per_s);
	ck_assert_uint_le(fake_fetches() - before, 100 * 300 / 30 + 100);
	ck_assert_ptr_nonnull(find("new")); /* names have a ration of their own */
	ck_assert_int_eq(get(find("new")), JWT_READY_SOON);
}
END_TEST

START_TEST(ration_comes_back)
{
	struct jwt_sources_limits limits = jwt_sources_limits_default;

	limits.burst = 3;
	limits.per_s = 2;
	start(PER_TENANT, &limits);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(get(find_number(i)), JWT_READY_SOON);
	ck_assert_ptr_null(find_number(3));
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_WARN, "too many new names"), 1);
	fake_pass(499);
	ck_assert_ptr_null(find_number(3));
	fake_pass(1);
	ck_assert_int_eq(get(find_number(3)), JWT_READY_SOON);
	ck_assert_ptr_null(find_number(4));
	fake_pass(3600 * S);
	answer_all(404, "");
	for (unsigned i = 10; i < 13; i++)
		ck_assert_int_eq(get(find_number(i)), JWT_READY_SOON);
	ck_assert_ptr_null(find_number(13)); /* no more than the burst is saved up */
}
END_TEST

/* ---- who goes ---- */

START_TEST(never_successful_go_first)
{
	struct jwt_source *good;

	start(PER_TENANT, &small);
	good = find("good"); /* the least recently used of all */
	get(good);
	answer_all(200, set);
	for (unsigned i = 0; i < 3; i++)
		get(find_number(i));
	answer_all(404, "");
	for (unsigned i = 10; i < 40; i++) {
		get(find_number(i));
		answer_all(404, "");
	}
	ck_assert_ptr_eq(find("good"), good);
	ck_assert_ptr_nonnull(jwt_source_keys(good));
	ck_assert_uint_eq(forgotten, 0); /* nobody remembers any of them */
}
END_TEST

START_TEST(least_recently_used_goes)
{
	unsigned before;

	start(PER_TENANT, &small);
	for (unsigned i = 0; i < 4; i++) {
		get(find_number(i));
		answer_all(200, set);
	}
	get(find_number(0));
	get(find_number(4)); /* in place of 1 */
	answer_all(200, set);
	before = fake_fetches();
	ck_assert_int_eq(get(find_number(0)), JWT_READY);
	ck_assert_int_eq(get(find_number(2)), JWT_READY);
	ck_assert_int_eq(get(find_number(3)), JWT_READY);
	ck_assert_uint_eq(fake_fetches(), before);
	ck_assert_int_eq(get(find_number(1)), JWT_READY_SOON);
}
END_TEST

static void on_woken(void *arg, struct jwt_source *src)
{
	(void)src;
	++*(unsigned *)arg;
}

START_TEST(awaited_ones_stay)
{
	struct jwt_source *src[4];
	unsigned woken = 0;

	start(PER_TENANT, &small);
	for (unsigned i = 0; i < 4; i++) {
		src[i] = find_number(i);
		ck_assert_int_eq(get(src[i]), JWT_READY_SOON);
		ck_assert_ptr_nonnull(jwt_source_wait(src[i], 5000, on_woken, &woken));
	}
	ck_assert_ptr_null(find_number(4));
	ck_assert_uint_eq(fake_said("are being fetched"), 1);
	answer_all(200, set);
	ck_assert_uint_eq(woken, 4);
	ck_assert_ptr_nonnull(find_number(4));
}
END_TEST

/* A callback that makes room: not by the source that it was called for. */
static void on_woken_finds(void *arg, struct jwt_source *src)
{
	++*(unsigned *)arg;
	for (unsigned i = 100; i < 110; i++)
		find_number(i);
	ck_assert_ptr_nonnull(jwt_source_keys(src));
}

START_TEST(waking_one_stays)
{
	unsigned woken = 0;
	struct jwt_source *src;

	start(PER_TENANT, &small);
	src = find("m");
	get(src);
	jwt_source_wait(src, 5000, on_woken_finds, &woken);
	jwt_source_wait(src, 5000, on_woken_finds, &woken);
	answer_all(200, set);
	ck_assert_uint_eq(woken, 2);
}
END_TEST

START_TEST(proven_make_room_for_proven)
{
	struct jwt_source *a, *b, *c;

	start(PER_TENANT, &small);
	a = proven("a");
	b = proven("b");
	get(a);
	c = proven("c");
	ck_assert_uint_eq(forgotten, 1);
	ck_assert_ptr_eq(forgotten_last, b); /* before it went: tokens that it has verified are forgotten */
	ck_assert_ptr_eq(find("a"), a);
	ck_assert_ptr_eq(find("c"), c);
	ck_assert_int_eq(get(find("b")), JWT_READY_SOON);
	jwt_source_prove(c); /* again: nothing */
	ck_assert_uint_eq(forgotten, 1);
}
END_TEST

/* All proven ones are being fetched: the new one stays unproven, and who goes then is forgotten all the same. */
START_TEST(verified_without_room)
{
	struct jwt_source *a, *b, *c;

	start(PER_TENANT, &small);
	a = proven("a");
	b = proven("b");
	ck_assert_int_eq(jwt_source_unknown_key(a), JWT_READY_SOON);
	ck_assert_int_eq(jwt_source_unknown_key(b), JWT_READY_SOON);
	c = find("c");
	get(c);
	fake_answer_url("zid=c", 200, set, 600);
	jwt_source_prove(c);
	ck_assert_uint_eq(forgotten, 0);
	for (unsigned i = 0; i < 4; i++) {
		get(find_number(i));
		fake_answer_url("zid=t", 200, set, 600);
	}
	ck_assert_uint_eq(forgotten, 1);
	ck_assert_ptr_eq(forgotten_last, c);
}
END_TEST

/* Failures of an unproven name: not tried again before its time, and never by itself. */
START_TEST(unproven_only_when_asked)
{
	struct jwt_source *src;

	start(PER_TENANT, NULL);
	src = find("t");
	get(src);
	fake_answer(404, "", -1);
	ck_assert_uint_eq(fake_said("next try in 1 s, if it is needed"), 1);
	ck_assert_int_eq(get(src), JWT_NOT_READY);
	fake_pass(3600 * S);
	ck_assert_uint_eq(fake_fetches(), 1);
	ck_assert_int_eq(get(src), JWT_READY_SOON);
	fake_answer(200, set, 600);
	get(src);
	fake_pass(500 * S);
	ck_assert_uint_eq(fake_fetches(), 2); /* no refresh ahead */
	jwt_source_prove(src);
	get(src);
	ck_assert_uint_eq(fake_pending(), 1);
	fake_answer(200, set, 600);
	fake_pass(500 * S);
	ck_assert_uint_eq(fake_pending(), 1); /* now it minds itself */
}
END_TEST

START_TEST(closed_in_the_middle)
{
	start(PER_TENANT, NULL);
	proven("a");
	get(find("b"));
	get(find("c"));
	ck_assert_uint_eq(fake_pending(), 2);
	jwt_sources_free(&sources);
	ck_assert_uint_eq(forgotten, 1);
	ck_assert_uint_eq(fake_pending(), 0);
}
END_TEST

Suite *suite_jwt_sources(void)
{
	Suite *s = suite_create("jwt_sources");
	TCase *tc = tcase_create("jwt_sources");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, url_per_tenant, 0, sizeof(urls) / sizeof(urls[0]));
	tcase_add_test(tc, label_is_harmless);
	tcase_add_test(tc, each_tenant_has_its_own);
	tcase_add_test(tc, groups_share_nothing);
	tcase_add_test(tc, flood_of_names);
	tcase_add_test(tc, flood_that_succeeds);
	tcase_add_test(tc, proven_ones_go_first);
	tcase_add_test(tc, flood_of_unknown_keys);
	tcase_add_test(tc, ration_comes_back);
	tcase_add_test(tc, never_successful_go_first);
	tcase_add_test(tc, least_recently_used_goes);
	tcase_add_test(tc, awaited_ones_stay);
	tcase_add_test(tc, waking_one_stays);
	tcase_add_test(tc, proven_make_room_for_proven);
	tcase_add_test(tc, verified_without_room);
	tcase_add_test(tc, unproven_only_when_asked);
	tcase_add_test(tc, closed_in_the_middle);
	suite_add_tcase(s, tc);
	return s;
}
