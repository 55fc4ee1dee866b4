/* One source of keys: what is fetched when, what is kept how long, who waits for it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"
#include "mint.h"
#include "suites.h"

#define URL "https://idp.example/keys"
#define FIXED "{\"issuer\":\"i\",\"jwks\":\"" URL "\",\"ca_file\":\"/ca.pem\"}"
#define ISS "https://idp.example/a"
#define DISCOVERY "{\"issuer\":\"" ISS "\",\"discovery\":true}"
#define CONFIGURATION ISS "/.well-known/openid-configuration"
#define KEYS_AT "https://keys.example/set"
#define DOCUMENT "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"" KEYS_AT "?v=1\"}"
#define S INT64_C(1000)
#define HOUR (3600 * S)

static char *set_a, *set_b;
static struct jwt_policy policy;
static struct jwt_sources *sources;
static struct jwt_source *src;
static unsigned woken;

static char *a_set(const char *kid)
{
	EVP_PKEY *key = mint_ec("P-256");
	char *set = mint_set((char *const[]){ mint_jwk(key, kid, ""), NULL });

	EVP_PKEY_free(key);
	return set;
}

static void setup(void)
{
	set_a = a_set("a");
	set_b = a_set("b");
	fake_open();
	woken = 0;
}

static void finish(void)
{
	jwt_sources_free(&sources);
	jwt_policy_deinit(&policy);
	src = NULL;
}

static void teardown(void)
{
	finish();
	fake_close();
	free(set_a);
	free(set_b);
}

static void start_limited(const char *json, const struct jwt_file *files, const struct jwt_sources_limits *limits)
{
	struct jwt_sources_env env = fake_env();
	sp_error err = { .size = sizeof(err) };
	const char *why = NULL;

	ck_assert_msg(jwt_policy_read(json, &policy, &err) == 0, "%s %s", err.path, err.msg);
	ck_assert_int_eq(jwt_sources_new(&policy, files, &env, limits, &sources), 0);
	src = jwt_sources_find(sources, 0, (sp_str){ ISS, strlen(ISS) }, (sp_str){ 0 }, &why);
	ck_assert_ptr_nonnull(src);
}

static void start(const char *json)
{
	start_limited(json, NULL, &jwt_sources_limits_default);
}

/* With the keys of set a, good for life_s (-1: nothing said). */
static void start_good(const char *json, int64_t life_s)
{
	start(json);
	fake_answer(200, set_a, life_s);
	fake_forget_log();
}

static enum jwt_ready get(void)
{
	struct jwt_keyset *ks = NULL;
	enum jwt_ready r = jwt_source_get(src, &ks);

	ck_assert((r == JWT_READY) == (ks != NULL));
	return r;
}

/* The name of the key that is used now; "": none. */
static const char *key(void)
{
	struct jwt_keyset *ks = jwt_source_keys(src);

	return ks ? ks->keys[0].kid : "";
}

static void on_woken(void *arg, struct jwt_source *s)
{
	ck_assert_ptr_eq(s, src);
	woken++;
	if (arg)
		*(unsigned *)arg = woken;
}

/* ---- the first keys ---- */

START_TEST(starts_without_provider)
{
	start(FIXED);
	ck_assert_uint_eq(fake_pending(), 1);
	ck_assert_str_eq(fake_url(0), URL);
	ck_assert_str_eq(fake_ca_file(0), "/ca.pem");
	ck_assert_uint_eq(fake_max_bytes(0), JWT_KEYSET_BYTES_MOST);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_NOTICE, "keys of " URL ": being fetched"), 1);
	ck_assert_int_eq(get(), JWT_READY_SOON);
	fake_answer(0, "connection refused", -1);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_ERROR, "keys of " URL ": connection refused; failing for 0 s, attempt 1; next try in 1 s"), 1);
	/* It goes on without anybody asking. */
	fake_pass(1 * S);
	ck_assert_uint_eq(fake_pending(), 1);
	fake_answer(0, NULL, -1);
	ck_assert_uint_eq(fake_said("no answer; failing for 1 s, attempt 2; next try in 2 s"), 1);
	fake_pass(2 * S);
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_NOTICE, "keys of " URL ": 1 fetched, after failures for 3 s; good for 600 s"), 1);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_str_eq(key(), "a");
}
END_TEST

START_TEST(skipped_keys_are_said)
{
	EVP_PKEY *rsa = mint_rsa(2048), *ec = mint_ec("P-256");
	char *set = mint_set((char *const[]){ mint_jwk(rsa, "1", "\"use\":\"enc\","), mint_jwk(ec, "2", ""), NULL });

	start(FIXED);
	fake_answer(200, set, -1);
	ck_assert_uint_eq(fake_said("1 fetched; others skipped (keys/0: it is not for verifying signatures)"), 1);
	free(set);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}
END_TEST

START_TEST(several_wait_for_one_fetch)
{
	unsigned order[3] = { 0 };
	struct jwt_wait *w[3];

	start(FIXED);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(get(), JWT_READY_SOON);
		w[i] = jwt_source_wait(src, 5000, on_woken, &order[i]);
		ck_assert_ptr_nonnull(w[i]);
	}
	ck_assert_uint_eq(fake_fetches(), 1);
	jwt_wait_cancel(w[1]); /* its client is gone */
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(woken, 2);
	ck_assert_uint_eq(order[0], 1);
	ck_assert_uint_eq(order[1], 0);
	ck_assert_uint_eq(order[2], 2);
	ck_assert_uint_eq(fake_alarms(), 1); /* the refresh; none of the waits */
}
END_TEST

START_TEST(waits_are_bounded)
{
	struct jwt_sources_limits limits = jwt_sources_limits_default;
	struct jwt_wait *first;

	limits.waits = 2;
	start_limited(FIXED, NULL, &limits);
	first = jwt_source_wait(src, 5000, on_woken, NULL);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(jwt_source_wait(src, 5000, on_woken, NULL));
	ck_assert_ptr_null(jwt_source_wait(src, 5000, on_woken, NULL));
	jwt_wait_cancel(first);
	ck_assert_ptr_nonnull(jwt_source_wait(src, 5000, on_woken, NULL));
	fake_answer(500, "", -1);
	ck_assert_uint_eq(woken, 2);
}
END_TEST

START_TEST(waits_end_in_time)
{
	start(FIXED);
	jwt_source_wait(src, 300, on_woken, NULL);
	jwt_source_wait(src, 900, on_woken, NULL);
	fake_pass(299);
	ck_assert_uint_eq(woken, 0);
	fake_pass(1);
	ck_assert_uint_eq(woken, 1);
	ck_assert_str_eq(key(), "");
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(woken, 2);
}
END_TEST

/* Woken, each waits again: for the next fetch, not for the one that has just ended. */
static void on_woken_again(void *arg, struct jwt_source *s)
{
	woken++;
	ck_assert_int_eq(jwt_source_unknown_key(s), JWT_READY_SOON);
	ck_assert_ptr_nonnull(jwt_source_wait(s, 5000, on_woken, arg));
}

START_TEST(waits_again)
{
	start(FIXED);
	jwt_source_wait(src, 5000, on_woken_again, NULL);
	jwt_source_wait(src, 5000, on_woken_again, NULL);
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(woken, 2);
	ck_assert_uint_eq(fake_pending(), 1); /* for both */
	fake_answer(200, set_b, -1);
	ck_assert_uint_eq(woken, 4);
	ck_assert_str_eq(key(), "b");
}
END_TEST

/* Who is answered may take others with him. */
static struct jwt_wait *victim;

static void on_woken_kills(void *arg, struct jwt_source *s)
{
	(void)arg;
	(void)s;
	woken++;
	jwt_wait_cancel(victim);
}

START_TEST(cancelled_while_waking)
{
	start(FIXED);
	jwt_source_wait(src, 5000, on_woken_kills, NULL);
	victim = jwt_source_wait(src, 5000, on_woken, NULL);
	jwt_source_wait(src, 5000, on_woken, NULL);
	fake_answer(200, set_a, -1);
	ck_assert_uint_eq(woken, 2);
}
END_TEST

START_TEST(closed_while_fetching)
{
	start(FIXED);
	ck_assert_uint_eq(fake_pending(), 1);
	finish();
	ck_assert_uint_eq(fake_pending(), 0);
	start_good(FIXED, -1);
	ck_assert_uint_eq(fake_alarms(), 1);
	finish();
	ck_assert_uint_eq(fake_alarms(), 0);
}
END_TEST

START_TEST(fetch_refused_by_host)
{
	fake_refuses = true;
	start(FIXED);
	ck_assert_uint_eq(fake_said("the request could not be made"), 1);
	ck_assert_int_eq(get(), JWT_NOT_READY);
	fake_refuses = false;
	fake_pass(1 * S);
	fake_answer(200, set_a, -1);
	ck_assert_int_eq(get(), JWT_READY);
}
END_TEST

/* ---- how long keys live ---- */

static const struct { int64_t said_s, life_s; } lives[] = {
	{ -1, 600 }, { 0, 60 }, { 5, 60 }, { 60, 60 }, { 3600, 3600 }, { 86400, 86400 }, { 86401, 86400 }, { 31536000, 86400 },
};

/* Refreshed ahead, at 75 % with these dice. */
START_TEST(refreshed_ahead)
{
	int64_t ahead = lives[_i].life_s * S * 75 / 100;

	start_good(FIXED, lives[_i].said_s);
	fake_pass(ahead - 1);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_uint_eq(fake_pending(), 0);
	fake_pass(1);
	ck_assert_uint_eq(fake_pending(), 1);
	ck_assert_int_eq(get(), JWT_READY); /* meanwhile the old ones */
	ck_assert_str_eq(key(), "a");
	fake_answer(200, set_b, lives[_i].said_s);
	ck_assert_str_eq(key(), "b");
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_NOTICE, "1 fetched; good for"), 1);
	fake_pass(ahead);
	ck_assert_uint_eq(fake_pending(), 1);
}
END_TEST

START_TEST(refreshed_with_jitter)
{
	fake_dice = 10; /* of 0 to 10 */
	start_good(FIXED, 1000);
	get();
	fake_pass(850 * S - 1);
	ck_assert_uint_eq(fake_pending(), 0);
	fake_pass(1);
	ck_assert_uint_eq(fake_pending(), 1);
}
END_TEST

START_TEST(not_refreshed_when_idle)
{
	start_good(FIXED, 100);
	get();
	fake_pass(75 * S);
	fake_answer(200, set_a, 100);
	fake_pass(75 * S); /* used 150 s ago */
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_pass(48 * HOUR);
	ck_assert_uint_eq(fake_fetches(), 2);
	ck_assert_uint_eq(fake_alarms(), 0);
}
END_TEST

/* Idle, used again while its keys are fresh: minds itself again. */
START_TEST(minds_itself_again)
{
	start_good(FIXED, 100);
	fake_pass(75 * S);
	ck_assert_uint_eq(fake_alarms(), 0);
	ck_assert_int_eq(get(), JWT_READY); /* due, so it is fetched */
	fake_answer(200, set_a, 100);
	fake_pass(75 * S);
	ck_assert_uint_eq(fake_pending(), 1);
}
END_TEST

START_TEST(same_set_is_not_imported_again)
{
	uint64_t serial;

	start_good(FIXED, 100);
	get();
	serial = jwt_source_keys(src)->serial;
	fake_pass(75 * S);
	fake_answer(200, set_a, 100);
	ck_assert_uint_eq(jwt_source_keys(src)->serial, serial);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_DEBUG, "the same as before"), 1);
	ck_assert_uint_eq(fake_lines(), 1);
	get();
	fake_pass(75 * S); /* and it lives on */
	ck_assert_uint_eq(fake_pending(), 1);
	fake_answer(200, set_b, 100);
	ck_assert_uint_ne(jwt_source_keys(src)->serial, serial);
}
END_TEST

START_TEST(stale_while_revalidated)
{
	start_good(FIXED, 100);
	fake_pass(150 * S);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_uint_eq(fake_pending(), 1);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_answer(200, set_b, 100);
	ck_assert_str_eq(key(), "b");
}
END_TEST

/* After a long time without any attempt: first one is made. What it does not bring is used as it is. */
START_TEST(long_idle_waits_for_an_attempt)
{
	start_good(FIXED, 100);
	fake_pass(200 * S);
	ck_assert_int_eq(get(), JWT_READY_SOON);
	ck_assert_ptr_nonnull(jwt_source_wait(src, 5000, on_woken, NULL));
	ck_assert_str_eq(key(), "a"); /* for those who cannot wait longer */
	fake_answer(503, "", -1);
	ck_assert_uint_eq(woken, 1);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_str_eq(key(), "a");
}
END_TEST

/* 100 s and the hard bound of 1000 s. */
START_TEST(hard_bound)
{
	start("{\"issuer\":\"i\",\"jwks\":\"" URL "\",\"keys_max_stale_s\":1000}");
	fake_answer(200, set_a, 100);
	for (unsigned s = 0; s < 1099; s++) {
		fake_pass(1 * S);
		while (fake_pending())
			fake_answer(500, "", -1);
		ck_assert_int_eq(get(), JWT_READY);
	}
	fake_forget_log();
	fake_pass(1 * S);
	while (fake_pending())
		fake_answer(500, "", -1);
	ck_assert_str_eq(key(), "");
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_ERROR, "keys of " URL ": fetched 1100 s ago, too old to be used (keys_max_stale_s)"), 1);
	ck_assert_int_ne(get(), JWT_READY);
	ck_assert_uint_eq(fake_said("too old"), 1); /* once */
	fake_pass(400 * S);
	get();
	fake_answer(200, set_a, 100);
	ck_assert_int_eq(get(), JWT_READY);
}
END_TEST

START_TEST(hard_bound_default)
{
	start_good(FIXED, 600);
	fake_pass(24 * HOUR + 600 * S - 1);
	ck_assert_str_eq(key(), "a");
	fake_pass(1);
	ck_assert_str_eq(key(), "");
}
END_TEST

START_TEST(no_stale_use_at_all)
{
	start("{\"issuer\":\"i\",\"jwks\":\"" URL "\",\"keys_max_stale_s\":0}");
	fake_answer(200, set_a, 100);
	fake_pass(100 * S - 1);
	ck_assert_str_eq(key(), "a");
	fake_pass(1);
	ck_assert_str_eq(key(), "");
}
END_TEST

START_TEST(a_set_in_use_is_kept)
{
	struct jwt_keyset *ks = NULL;

	start_good(FIXED, 100);
	ck_assert_int_eq(jwt_source_get(src, &ks), JWT_READY);
	jwt_keyset_ref(ks);
	fake_pass(75 * S);
	fake_answer(200, set_b, 100);
	finish();
	ck_assert_str_eq(ks->keys[0].kid, "a");
	ck_assert_int_gt(EVP_PKEY_get_bits(ks->keys[0].pkey), 0);
	jwt_keyset_free(&ks);
	ck_assert_ptr_null(ks);
}
END_TEST

/* ---- failures ---- */

/* 1 s, 2 s, ... 5 min; nobody who asks meanwhile causes a fetch. */
START_TEST(backoff)
{
	int64_t wait_ms = 1000;

	fake_dice = 25; /* of 0 to 50: neither more nor less */
	start(FIXED);
	for (unsigned i = 0; i < 14; i++) {
		fake_answer(500, "", -1);
		ck_assert_int_eq(get(), JWT_NOT_READY);
		fake_pass(wait_ms - 1);
		ck_assert_int_eq(get(), JWT_NOT_READY);
		ck_assert_int_eq(jwt_source_unknown_key(src), JWT_NOT_READY);
		ck_assert_uint_eq(fake_fetches(), i + 1);
		fake_pass(1);
		ck_assert_uint_eq(fake_pending(), 1);
		ck_assert_int_eq(get(), JWT_READY_SOON);
		wait_ms = wait_ms * 2 > 300000 ? 300000 : wait_ms * 2;
	}
	ck_assert_uint_eq(fake_said("failing for 0 s, attempt 1; next try in 1 s"), 1);
	ck_assert_uint_eq(fake_said("failing for 1 s, attempt 2; next try in 2 s"), 1);
	ck_assert_uint_eq(fake_said("attempt 14; next try in 300 s"), 1);
	fake_answer(200, set_a, 100);
	/* A new row of failures begins small again. */
	get();
	fake_pass(80 * S);
	fake_answer(500, "", -1);
	ck_assert_uint_eq(fake_said("attempt 1; next try in 1 s"), 2);
}
END_TEST

START_TEST(backoff_has_jitter)
{
	fake_dice = 50 * 51 + 50; /* 125 % */
	start(FIXED);
	fake_answer(500, "", -1);
	fake_pass(1000);
	fake_dice = 0;
	ck_assert_uint_eq(fake_pending(), 0);
	fake_pass(250);
	ck_assert_uint_eq(fake_pending(), 1);
	fake_answer(500, "", -1); /* 75 % of 2 s */
	fake_pass(1500);
	ck_assert_uint_eq(fake_pending(), 1);
}
END_TEST

START_TEST(trouble_is_told)
{
	char text[512];

	start(FIXED);
	jwt_source_trouble(src, text, sizeof(text));
	ck_assert_str_eq(text, URL ": the fetch under way has not ended yet");
	fake_answer(502, "", -1);
	fake_pass(500);
	jwt_source_trouble(src, text, sizeof(text));
	ck_assert_str_eq(text, URL ": HTTP status 502; failing for 1 s; next try in 1 s");
	fake_pass(500);
	fake_answer(200, set_a, -1);
	jwt_source_trouble(src, text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

static const struct { int status; const char *body, *why; } garbage[] = {
	{ 500, "{\"keys\":[]}", "HTTP status 500" },
	{ 301, "", "HTTP status 301" },
	{ 204, "", "HTTP status 204" },
	{ 404, "<html>", "HTTP status 404" },
	{ 200, "", "the key set is no good: not JSON" },
	{ 200, "<html>Sign in</html>", "the key set is no good: not JSON" },
	{ 200, "{}", "the key set is no good: not a JWK set" },
	{ 200, "{\"keys\":[]}", "the key set is no good: no key in it" },
	{ 200, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", "the key set is no good: keys/0: a shared secret" },
	{ 0, "the answer is larger than 1048576 bytes", "the answer is larger than 1048576 bytes" },
	{ 0, NULL, "no answer" },
};

START_TEST(garbage_replaces_nothing)
{
	uint64_t serial;
	char text[256];

	start_good(FIXED, 100);
	get();
	serial = jwt_source_keys(src)->serial;
	fake_pass(75 * S);
	fake_answer(garbage[_i].status, garbage[_i].body, 50000);
	ck_assert_uint_eq(jwt_source_keys(src)->serial, serial);
	ck_assert_int_eq(get(), JWT_READY);
	snprintf(text, sizeof(text), "keys of " URL ": %s", garbage[_i].why);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_WARN, text), 1);
	ck_assert_uint_eq(fake_said("the keys fetched 75 s ago are used for at most 86425 s more"), 1);
	fake_pass(1 * S);
	ck_assert_uint_eq(fake_pending(), 1);
	fake_answer(200, set_b, 100);
	ck_assert_str_eq(key(), "b");
	ck_assert_uint_eq(fake_said("1 fetched, after failures for 1 s"), 1);
}
END_TEST

START_TEST(garbage_first)
{
	start(FIXED);
	jwt_source_wait(src, 5000, on_woken, NULL);
	fake_answer(garbage[_i].status, garbage[_i].body, 50000);
	ck_assert_uint_eq(woken, 1);
	ck_assert_str_eq(key(), "");
	ck_assert_int_eq(get(), JWT_NOT_READY);
	ck_assert_uint_eq(fake_fetches(), 1);
}
END_TEST

/* ---- keys that a token names and the set has not ---- */

START_TEST(unknown_key)
{
	start_good(FIXED, 3600);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON);
	jwt_source_wait(src, 5000, on_woken, NULL);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON); /* the same fetch */
	ck_assert_uint_eq(fake_fetches(), 2);
	fake_answer(200, set_b, 3600);
	ck_assert_uint_eq(woken, 1);
	ck_assert_str_eq(key(), "b");
	/* At most every 30 s. */
	fake_pass(30 * S - 1);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_NOT_READY);
	fake_pass(1);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON);
	fake_answer(200, set_b, 3600);
}
END_TEST

START_TEST(flood_of_unknown_keys)
{
	start_good(FIXED, 86400);
	for (unsigned s = 0; s < 600; s++) {
		for (unsigned i = 0; i < 100; i++)
			jwt_source_unknown_key(src);
		get();
		while (fake_pending())
			fake_answer(200, set_a, 86400);
		fake_pass(1 * S);
	}
	ck_assert_uint_eq(fake_fetches(), 1 + 600 / 30);
}
END_TEST

/* The fetch for it fails: the good keys stay, and there is no rush. */
START_TEST(unknown_key_and_failure)
{
	start_good(FIXED, 3600);
	get();
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON);
	fake_answer(500, "", -1);
	ck_assert_str_eq(key(), "a");
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_NOT_READY);
	fake_pass(60 * S);
	ck_assert_uint_eq(fake_fetches(), 2);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_READY_SOON);
	fake_answer(200, set_b, 3600);
	ck_assert_str_eq(key(), "b");
}
END_TEST

/* ---- discovery ---- */

START_TEST(discovery)
{
	start(DISCOVERY);
	ck_assert_str_eq(fake_url(0), CONFIGURATION);
	jwt_source_wait(src, 5000, on_woken, NULL);
	fake_answer(200, DOCUMENT, 50);
	ck_assert_uint_eq(woken, 0);
	ck_assert_int_eq(get(), JWT_READY_SOON);
	ck_assert_str_eq(fake_url(0), KEYS_AT "?v=1");
	fake_answer(200, set_a, 200);
	ck_assert_uint_eq(woken, 1);
	ck_assert_str_eq(key(), "a");
	ck_assert_uint_eq(fake_said("keys of " ISS ": 1 fetched; good for 200 s"), 1);
	/* Both again: the keys may have moved. */
	fake_pass(150 * S);
	ck_assert_str_eq(fake_url(0), CONFIGURATION);
	fake_answer(200, "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://moved.example/\"}", 50);
	ck_assert_str_eq(fake_url(0), "https://moved.example/");
	fake_answer(200, set_b, 200);
	ck_assert_str_eq(key(), "b");
}
END_TEST

static const struct { const char *document, *why; } documents[] = {
	{ "<html>", "the issuer's configuration is no good: not JSON" },
	{ "{\"issuer\":\"" ISS "/\",\"jwks_uri\":\"" KEYS_AT "\"}", "the issuer's configuration is no good: it is another issuer's" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"http://keys.example/set\"}", "its jwks_uri is not an https URL" },
	{ "{\"issuer\":\"" ISS "\"}", "it names no jwks_uri" },
};

START_TEST(discovery_garbage)
{
	start(DISCOVERY);
	fake_answer(200, DOCUMENT, -1);
	fake_answer(200, set_a, 100);
	get();
	fake_pass(75 * S);
	jwt_source_wait(src, 5000, on_woken, NULL);
	fake_answer(200, documents[_i].document, 100);
	ck_assert_uint_eq(fake_pending(), 0);
	ck_assert_uint_eq(woken, 1);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_WARN, documents[_i].why), 1);
	ck_assert_str_eq(key(), "a");
}
END_TEST

START_TEST(discovery_fails)
{
	start(DISCOVERY);
	fake_answer(404, DOCUMENT, -1);
	ck_assert_uint_eq(fake_said("keys of " ISS ": HTTP status 404; failing"), 1);
	fake_pass(1 * S);
	fake_answer(200, DOCUMENT, -1);
	fake_answer(404, set_a, -1);
	/* Not the query: it is nobody's business. */
	ck_assert_uint_eq(fake_said("keys of " ISS ": HTTP status 404 from " KEYS_AT "; failing"), 1);
	fake_pass(2 * S);
	ck_assert_str_eq(fake_url(0), CONFIGURATION);
	fake_answer(200, DOCUMENT, -1);
	fake_answer(0, "name not found", -1);
	ck_assert_uint_eq(fake_said("name not found, from " KEYS_AT), 1);
	fake_pass(4 * S);
	fake_answer(200, DOCUMENT, -1);
	ck_assert_uint_eq(fake_pending(), 1);
	finish(); /* between the two */
}
END_TEST

START_TEST(discovery_second_refused_by_host)
{
	start(DISCOVERY);
	jwt_source_wait(src, 5000, on_woken, NULL);
	fake_refuses = true;
	fake_answer(200, DOCUMENT, -1);
	ck_assert_uint_eq(woken, 1);
	ck_assert_int_eq(get(), JWT_NOT_READY);
	fake_refuses = false;
	fake_pass(1 * S);
	ck_assert_str_eq(fake_url(0), CONFIGURATION);
}
END_TEST

/* ---- files ---- */

static char path[] = "/tmp/sp-jwtsource-XXXXXX";

static void put(const char *text)
{
	char aside[sizeof(path) + 4];
	FILE *f;

	snprintf(aside, sizeof(aside), "%s.new", path);
	f = fopen(aside, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(aside, 0600), 0);
	ck_assert_int_eq(rename(aside, path), 0);
}

static void start_file(const char *setting, const char *text)
{
	struct jwt_file files[1] = { { 0 } };
	struct jwt_group g = { .from = strcmp(setting, "secret_file") == 0 ? JWT_KEYS_SECRET : JWT_KEYS_FILE, .where = path };
	char json[256];
	int fd;

	strcpy(path, "/tmp/sp-jwtsource-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	put(text);
	g.algs = g.from == JWT_KEYS_SECRET ? JWT_ALG_SHARED : JWT_ALG_PUBLIC;
	ck_assert_int_eq(jwt_file_look(&files[0], &g, fake_wall()), JWT_FILE_GOOD);
	snprintf(json, sizeof(json), "{\"issuer\":\"i\",\"%s\":\"%s\"}", setting, path);
	start_limited(json, files, &jwt_sources_limits_default);
	ck_assert_ptr_eq(jwt_source_keys(src), files[0].keys); /* shared, not read again */
	jwt_file_deinit(&files[0]);
}

START_TEST(file_is_watched)
{
	start_file("jwks_file", set_a);
	ck_assert_int_eq(get(), JWT_READY);
	put(set_b);
	fake_pass(999);
	get();
	ck_assert_str_eq(key(), "a"); /* once a second */
	fake_pass(1);
	get();
	ck_assert_str_eq(key(), "b");
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_NOTICE, "the file has changed; 1 keys in it"), 1);
	ck_assert_uint_eq(fake_alarms(), 0);
	ck_assert_uint_eq(fake_fetches(), 0);
	unlink(path);
}
END_TEST

START_TEST(bad_file_keeps_keys)
{
	start_file("jwks_file", set_a);
	put("{\"keys\":[]}");
	for (unsigned i = 0; i < 10; i++) {
		fake_pass(1 * S);
		ck_assert_int_eq(get(), JWT_READY);
	}
	ck_assert_str_eq(key(), "a");
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_ERROR, "is no good: no key in it; failing for 0 s; THE OLD KEYS STAY IN USE"), 1);
	ck_assert_uint_eq(fake_lines(), 1);
	ck_assert_int_eq(jwt_source_unknown_key(src), JWT_NOT_READY);
	put(set_b);
	fake_pass(1 * S);
	get();
	ck_assert_str_eq(key(), "b");
	unlink(path);
	fake_pass(48 * HOUR);
	ck_assert_int_eq(get(), JWT_READY); /* no bound: nobody else can take the keys away */
	ck_assert_uint_eq(fake_said("No such file or directory"), 1);
}
END_TEST

START_TEST(secret_is_watched)
{
	start_file("secret_file", "0123456789abcdef0123456789abcdef");
	put("fedcba9876543210fedcba9876543210fedcba98");
	fake_pass(1 * S);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_uint_eq(jwt_source_keys(src)->keys[0].secret_bytes, 40);
	chmod(path, 0644);
	fake_pass(1 * S);
	ck_assert_int_eq(get(), JWT_READY);
	ck_assert_uint_eq(fake_said_at(SP_LEVEL_ERROR, "everybody may read or write it"), 1);
	ck_assert_uint_eq(fake_said("0123456789"), 0);
	ck_assert_uint_eq(fake_said("fedcba98"), 0);
	unlink(path);
}
END_TEST

static void add_fetching(TCase *tc)
{
	tcase_add_test(tc, starts_without_provider);
	tcase_add_test(tc, skipped_keys_are_said);
	tcase_add_test(tc, several_wait_for_one_fetch);
	tcase_add_test(tc, waits_are_bounded);
	tcase_add_test(tc, waits_end_in_time);
	tcase_add_test(tc, waits_again);
	tcase_add_test(tc, cancelled_while_waking);
	tcase_add_test(tc, closed_while_fetching);
	tcase_add_test(tc, fetch_refused_by_host);
	tcase_add_test(tc, unknown_key);
	tcase_add_test(tc, flood_of_unknown_keys);
	tcase_add_test(tc, unknown_key_and_failure);
}

static void add_lives(TCase *tc)
{
	tcase_add_loop_test(tc, refreshed_ahead, 0, sizeof(lives) / sizeof(lives[0]));
	tcase_add_test(tc, refreshed_with_jitter);
	tcase_add_test(tc, not_refreshed_when_idle);
	tcase_add_test(tc, minds_itself_again);
	tcase_add_test(tc, same_set_is_not_imported_again);
	tcase_add_test(tc, stale_while_revalidated);
	tcase_add_test(tc, long_idle_waits_for_an_attempt);
	tcase_add_test(tc, hard_bound);
	tcase_add_test(tc, hard_bound_default);
	tcase_add_test(tc, no_stale_use_at_all);
	tcase_add_test(tc, a_set_in_use_is_kept);
	tcase_add_test(tc, backoff);
	tcase_add_test(tc, backoff_has_jitter);
	tcase_add_test(tc, trouble_is_told);
	tcase_add_loop_test(tc, garbage_replaces_nothing, 0, sizeof(garbage) / sizeof(garbage[0]));
	tcase_add_loop_test(tc, garbage_first, 0, sizeof(garbage) / sizeof(garbage[0]));
}

Suite *suite_jwt_source(void)
{
	Suite *s = suite_create("jwt_source");
	TCase *tc = tcase_create("jwt_source");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_fetching(tc);
	add_lives(tc);
	tcase_add_test(tc, discovery);
	tcase_add_loop_test(tc, discovery_garbage, 0, sizeof(documents) / sizeof(documents[0]));
	tcase_add_test(tc, discovery_fails);
	tcase_add_test(tc, discovery_second_refused_by_host);
	tcase_add_test(tc, file_is_watched);
	tcase_add_test(tc, bad_file_keeps_keys);
	tcase_add_test(tc, secret_is_watched);
	suite_add_tcase(s, tc);
	return s;
}
