/* Verified tokens, remembered. The cache never looks into a token, so here they are just words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt/cache.h"
#include "mint.h"
#include "suites.h"

#define NOW 1700000000
#define ANY_BYTES 1000000u

static EVP_PKEY *ec, *ec384;
static struct jwt_keyset *both, *both_again, *one;
static int source, other_source;

static struct jwt_keyset *import(char *set)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";

	ck_assert_msg(jwt_keyset_import(set, strlen(set), &ks, why, sizeof(why)) == 0, "%s", why);
	free(set);
	return ks;
}

static void setup(void)
{
	ec = mint_ec("P-256");
	ec384 = mint_ec("P-384");
	both = import(mint_set((char *const[]){ mint_jwk(ec, "a", ""), mint_jwk(ec384, "b", ""), NULL }));
	both_again = import(mint_set((char *const[]){ mint_jwk(ec384, "b", ""), mint_jwk(ec, "a", ""), NULL }));
	one = import(mint_set((char *const[]){ mint_jwk(ec384, "b", ""), NULL }));
}

static void teardown(void)
{
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ec384);
	jwt_keyset_free(&both);
	jwt_keyset_free(&both_again);
	jwt_keyset_free(&one);
}

static sp_str str(const char *s)
{
	return (sp_str){ s, strlen(s) };
}

static bool is(sp_str s, const char *text)
{
	return text ? s.n == strlen(text) && memcmp(s.p, text, s.n) == 0 : s.p == NULL;
}

/* Verified by key 0 of both. */
static void add(struct jwt_cache *c, const char *token, const char *tenant, int64_t expires_at)
{
	char text[] = "{\"a\":1}";
	struct jwt_claims claims = { .text = text, .text_bytes = strlen(text), .tenant = str(tenant), .principal = str("p"),
				     .subdomain = str("s"), .issuer = str("i"), .expires_at = expires_at, .key = &both->keys[0] };

	jwt_cache_add(c, str(token), &claims, both, &source);
	memset(text, 'x', sizeof(text)); /* it has a copy */
}

static bool has(struct jwt_cache *c, const char *token, const char *tenant)
{
	const struct jwt_cached *e = jwt_cache_find(c, str(token), NOW);

	ck_assert(!e || is(e->tenant, tenant));
	return e != NULL;
}

START_TEST(found_again)
{
	struct jwt_cache *c = jwt_cache_new(10, ANY_BYTES);
	const struct jwt_cached *e;

	ck_assert(!has(c, "token", "acme"));
	add(c, "token", "acme", NOW + 1);
	e = jwt_cache_find(c, str("token"), NOW);
	ck_assert_ptr_nonnull(e);
	ck_assert(is(e->tenant, "acme") && is(e->principal, "p") && is(e->client, NULL) && is(e->subdomain, "s") && is(e->issuer, "i"));
	ck_assert(is(e->claims, "{\"a\":1}"));
	ck_assert_int_eq(e->expires_at, NOW + 1);
	ck_assert_ptr_eq(e->source, &source);
	ck_assert(!has(c, "toke", "acme"));
	ck_assert(!has(c, "token.", "acme"));
	ck_assert(!has(c, "", "acme"));
	add(c, "token", "other", NOW + 1); /* the later one */
	ck_assert(has(c, "token", "other"));
	jwt_cache_free(&c);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(dies_at_expiry)
{
	struct jwt_cache *c = jwt_cache_new(10, ANY_BYTES);

	add(c, "token", "acme", NOW + 1);
	ck_assert_ptr_nonnull(jwt_cache_find(c, str("token"), NOW));
	ck_assert_ptr_null(jwt_cache_find(c, str("token"), NOW + 1));
	ck_assert_ptr_null(jwt_cache_find(c, str("token"), NOW)); /* for good */
	jwt_cache_free(&c);
}
END_TEST

START_TEST(dies_with_its_key)
{
	struct jwt_cache *c = jwt_cache_new(10, ANY_BYTES);
	const struct jwt_cached *e;

	add(c, "token", "acme", NOW + 1);
	e = jwt_cache_find(c, str("token"), NOW);
	ck_assert(jwt_cache_holds(c, e, both));
	ck_assert(jwt_cache_holds(c, e, both_again)); /* another set, the same key */
	ck_assert(jwt_cache_holds(c, e, both_again));
	ck_assert(jwt_cache_holds(c, e, both));
	ck_assert(!jwt_cache_holds(c, e, one));
	ck_assert(!has(c, "token", "acme"));
	add(c, "token", "acme", NOW + 1);
	ck_assert(!jwt_cache_holds(c, jwt_cache_find(c, str("token"), NOW), NULL)); /* no set that may be used */
	ck_assert(!has(c, "token", "acme"));
	jwt_cache_free(&c);
}
END_TEST

START_TEST(dies_with_its_source)
{
	struct jwt_cache *c = jwt_cache_new(10, ANY_BYTES);

	add(c, "one", "acme", NOW + 1);
	add(c, "two", "acme", NOW + 1);
	jwt_cache_forget(c, &other_source);
	ck_assert(has(c, "one", "acme") && has(c, "two", "acme"));
	jwt_cache_forget(c, &source);
	ck_assert(!has(c, "one", "acme") && !has(c, "two", "acme"));
	add(c, "one", "acme", NOW + 1);
	ck_assert(has(c, "one", "acme"));
	jwt_cache_free(&c);
}
END_TEST

/* What is asked for stays; of the rest some must go. */
START_TEST(bounded_entries)
{
	struct jwt_cache *c = jwt_cache_new(100, ANY_BYTES);
	unsigned found = 0;
	char token[16];

	add(c, "busy", "acme", NOW + 1);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(token, sizeof(token), "t%u", i);
		add(c, token, token, NOW + 1);
		if (i % 10 == 0)
			ck_assert(has(c, token, token));
		ck_assert_msg(has(c, "busy", "acme"), "gone after %u others", i);
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(token, sizeof(token), "t%u", i);
		found += has(c, token, token);
	}
	ck_assert_uint_eq(found, 99);
	jwt_cache_free(&c);
}
END_TEST

START_TEST(bounded_bytes)
{
	struct jwt_cache *c = jwt_cache_new(100, 1000);
	char tenant[2000], token[16];
	unsigned found = 0;

	memset(tenant, 'x', sizeof(tenant));
	tenant[200] = '\0';
	for (unsigned i = 0; i < 10; i++) {
		snprintf(token, sizeof(token), "t%u", i);
		add(c, token, tenant, NOW + 1);
		ck_assert(has(c, token, tenant));
	}
	for (unsigned i = 0; i < 10; i++) {
		snprintf(token, sizeof(token), "t%u", i);
		found += has(c, token, tenant);
	}
	ck_assert_uint_eq(found, 4); /* of a bit more than 200 bytes each */
	tenant[200] = 'x';
	tenant[1200] = '\0';
	add(c, "big", tenant, NOW + 1); /* never fits, and throws nothing out */
	ck_assert(!has(c, "big", tenant));
	tenant[200] = '\0';
	ck_assert(has(c, "t9", tenant));
	jwt_cache_free(&c);
}
END_TEST

START_TEST(none_at_all)
{
	struct jwt_cache *c = jwt_cache_new(0, ANY_BYTES);

	ck_assert_ptr_null(c);
	add(c, "token", "acme", NOW + 1);
	ck_assert(!has(c, "token", "acme"));
	jwt_cache_forget(c, &source);
	jwt_cache_free(&c);
	c = jwt_cache_new(1, ANY_BYTES);
	add(c, "one", "acme", NOW + 1);
	add(c, "two", "acme", NOW + 1);
	ck_assert(!has(c, "one", "acme"));
	ck_assert(has(c, "two", "acme"));
	jwt_cache_free(&c);
}
END_TEST

/* Anything in any order, against a plain list of what may be there. */
START_TEST(anything)
{
	struct jwt_cache *c = jwt_cache_new(8, 4000);
	int64_t expires[32] = { 0 };
	unsigned seed = 12345, hits = 0;
	char token[16];

	for (unsigned i = 0; i < 50000; i++) {
		unsigned which, what;

		seed = seed * 1103515245u + 12345u;
		which = seed >> 16 & 31;
		what = seed >> 22 & 7;
		snprintf(token, sizeof(token), "t%u", which);
		if (what < 4) {
			const struct jwt_cached *e = jwt_cache_find(c, str(token), NOW + i);

			ck_assert(!e || (expires[which] > NOW + i && e->expires_at == expires[which] && is(e->tenant, token)));
			hits += e != NULL;
			if (e && what == 0 && !jwt_cache_holds(c, e, seed & 1 << 25 ? one : both_again))
				expires[which] = 0;
		} else if (what < 7) {
			expires[which] = NOW + i + 1 + (seed >> 20 & 63);
			add(c, token, token, expires[which]);
		} else if (which == 0) {
			jwt_cache_forget(c, &source);
			memset(expires, 0, sizeof(expires));
		}
	}
	ck_assert_uint_gt(hits, 1000);
	jwt_cache_free(&c);
}
END_TEST

Suite *suite_jwt_cache(void)
{
	const TTest *const tests[] = { found_again, dies_at_expiry, dies_with_its_key, dies_with_its_source,
				       bounded_entries, bounded_bytes, none_at_all, anything };
	Suite *s = suite_create("jwt/cache");
	TCase *tc = tcase_create("cache");

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
