/* How many tokens one core verifies: distinct ones by algorithm, and such as were verified before (the token cache).
 *
 *   make tests/bench/bench_jwt && tests/bench/bench_jwt [SECONDS of each row, default 2]
 *
 * The time is the thread's own (CLOCK_THREAD_CPUTIME_ID): other load of the machine counts little. Build without sanitizers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jwt/cache.h"
#include "mint.h"

#define NOW 1700000000
#define TOKENS 1024u
#define ISS "https://acme.authentication.example/oauth/token"

#define must(expr) ((expr) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expr), exit(1)))

struct work {
	struct jwt_policy policy;
	struct jwt_keyset *keys;
	struct jwt_cache *cache;
	char *tokens[TOKENS];
	size_t token_bytes;
};

static const char secret[] = "a secret of the benchmark, as long as the longest digest: 64 bytes and more";

static double now_s(void)
{
	struct timespec ts;

	must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) == 0);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A token like those of cloud identity providers. */
static char *payload(unsigned i)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		 "{\"sub\":\"6a5b1c1e-0f0b-4e0c-9c52-%012u\",\"iss\":\"" ISS "\",\"exp\":1700003600,\"iat\":1700000000,"
		 "\"authorities\":[\"uaa.resource\",\"connectivity!b17.proxy\"],\"scope\":[\"uaa.resource\",\"connectivity!b17.proxy\"],"
		 "\"ext_attr\":{\"enhancer\":\"XSUAA\",\"subaccountid\":\"0d5b1c1e-1111-4e0c-9c52-000000000001\",\"zdn\":\"acme\","
		 "\"serviceinstanceid\":\"1d5b1c1e-2222-4e0c-9c52-000000000002\"},\"client_id\":\"sb-clone-1234!b5678|connectivity!b17\","
		 "\"cid\":\"sb-clone-1234!b5678|connectivity!b17\",\"azp\":\"sb-clone-1234!b5678|connectivity!b17\","
		 "\"grant_type\":\"client_credentials\",\"rev_sig\":\"5a2b3c4d\",\"jti\":\"%032u\",\"zid\":\"tenant-%u\","
		 "\"aud\":[\"uaa\",\"sb-clone-1234!b5678|connectivity!b17\",\"connectivity!b17\"]}", i, i, i % 100);
	return text;
}

static char *settings(bool shared)
{
	static char text[512];

	snprintf(text, sizeof(text), "{\"issuer\":\"https://*.authentication.example/oauth/token\",\"%s\":\"f\",\"profile\":\"xsuaa\","
		 "\"audience\":\"connectivity!b17\",\"required_scopes\":\"connectivity!b17.proxy\"}", shared ? "secret_file" : "jwks_file");
	return text;
}

static void prepare(struct work *w, const char *alg, EVP_PKEY *key)
{
	sp_error err = { .size = sizeof(err) };
	char header[64], why[256], *set;

	must(jwt_policy_read(settings(!key), &w->policy, &err) == 0);
	if (key) {
		set = mint_set((char *const[]){ mint_jwk(key, "key-id-1", ""), NULL });
		must(jwt_keyset_import(set, strlen(set), &w->keys, why, sizeof(why)) == 0);
		free(set);
	} else {
		must(jwt_keyset_import_secret(secret, strlen(secret), JWT_ALG_SHARED, &w->keys, why, sizeof(why)) == 0);
	}
	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"key-id-1\",\"typ\":\"JWT\"}", alg);
	for (unsigned i = 0; i < TOKENS; i++)
		w->tokens[i] = key ? mint_token(key, alg, header, payload(i)) :
				     mint_token_mac(secret, strlen(secret), alg, header, payload(i));
	w->token_bytes = strlen(w->tokens[0]);
	w->cache = jwt_cache_new(TOKENS, JWT_CACHE_BYTES_MOST);
	must(w->cache);
}

static void forget(struct work *w)
{
	for (unsigned i = 0; i < TOKENS; i++)
		free(w->tokens[i]);
	jwt_cache_free(&w->cache);
	jwt_keyset_free(&w->keys);
	jwt_policy_deinit(&w->policy);
}

static void step_open(struct work *w, sp_str token)
{
	struct jwt_refusal no;
	struct jwt_token t;

	must(jwt_token_open(token, &w->policy, NOW, &t, &no) == 0);
	jwt_token_deinit(&t);
}

static void step_verify(struct work *w, sp_str token)
{
	struct jwt_refusal no;
	struct jwt_claims c;
	struct jwt_token t;

	must(jwt_token_open(token, &w->policy, NOW, &t, &no) == 0);
	must(jwt_token_verify(&t, w->keys, &w->policy, NOW, &c, &no) == 0);
	jwt_token_deinit(&t);
	jwt_claims_deinit(&c);
}

static void step_cached(struct work *w, sp_str token)
{
	const struct jwt_cached *hit = jwt_cache_find(w->cache, token, NOW);
	struct jwt_refusal no;
	struct jwt_claims c;
	struct jwt_token t;

	if (hit && jwt_cache_holds(w->cache, hit, w->keys))
		return;
	must(jwt_token_open(token, &w->policy, NOW, &t, &no) == 0);
	must(jwt_token_verify(&t, w->keys, &w->policy, NOW, &c, &no) == 0);
	jwt_cache_add(w->cache, token, &c, w->keys, NULL);
	jwt_token_deinit(&t);
	jwt_claims_deinit(&c);
}

/* A round over all tokens first, which does not count. */
static double per_second(struct work *w, void (*step)(struct work *w, sp_str token), double seconds)
{
	unsigned long n = 0;
	double begin = 0, end;

	do {
		for (unsigned i = 0; i < TOKENS; i++)
			step(w, (sp_str){ w->tokens[i], strlen(w->tokens[i]) });
		end = now_s();
		if (begin == 0)
			begin = end;
		else
			n += TOKENS;
	} while (n == 0 || end - begin < seconds);
	return (double)n / (end - begin);
}

static void row(const char *alg, EVP_PKEY *key, double seconds)
{
	struct work w = { 0 };

	prepare(&w, alg, key);
	printf("%-8s%10zu", alg, w.token_bytes);
	printf("%14.0f", per_second(&w, step_open, seconds));
	printf("%14.0f", per_second(&w, step_verify, seconds));
	printf("%14.0f\n", per_second(&w, step_cached, seconds));
	fflush(stdout);
	forget(&w);
	EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;

	must(seconds > 0);
	printf("verifications per second of one core; the key of RS and PS has 2048 bits\n");
	printf("%-8s%10s%14s%14s%14s\n", "alg", "bytes", "parsed only", "distinct", "cached");
	row("RS256", mint_rsa(2048), seconds);
	row("PS256", mint_rsa(2048), seconds);
	row("ES256", mint_ec("P-256"), seconds);
	row("EdDSA", mint_ed(), seconds);
	row("HS256", NULL, seconds);
	return 0;
}
