/* The first byte, a digit, chooses: JSON, a token, a subject, alternative names, a signed payload, a key set, an issuer's name and an
 * issuer, settings, a claim by its path. */
#include "fuzz.h"

#include <openssl/hmac.h>

#include "common/strictjson.h"
#include "common/token.h"
#include "jwt/cache.h"
#include "jwt/issuer.h"
#include "mtls/names.h"

#define JSON_DEPTH 16
#define NOW 1700000000
#define SECRET "0123456789abcdef0123456789abcdef"

/* Numbers beyond json-c's range, or with a fraction or an exponent, are written in a form of its own. */
static int odd_number(const char *p, size_t n)
{
	size_t digits = 0;

	for (size_t i = 0; i < n; i++) {
		int digit = p[i] >= '0' && p[i] <= '9';

		if (digits && strchr(".eE", p[i]) && p[i])
			return 1;
		digits = digit ? digits + 1 : 0;
		if (digits > 18)
			return 1;
	}
	return 0;
}

/* What passes the strict scan means the same to json-c: written out and read again it is the same. */
static void json(const char *p, size_t n)
{
	const char *why = NULL, *text;
	size_t len;
	json_object *o = pc_json_parse(p, n, JSON_DEPTH, &why), *again;

	fuzz_must((o == NULL) == (why != NULL));
	if (!o)
		return;
	text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len);
	again = pc_json_parse(text, len, JSON_DEPTH, &why);
	/* json-c keeps no surrogates without a partner either. */
	if (!memchr(p, '\\', n) && !odd_number(p, n))
		fuzz_must(again && json_object_equal(o, again));
	json_object_put(again);
	json_object_put(o);
}

/* A policy and a key, made once. */
static const struct jwt_policy *policy(void)
{
	static struct jwt_policy p;
	static int made;
	sp_error err = { .size = sizeof(err) };

	if (!made)
		fuzz_must(jwt_policy_read("{\"issuers\":[{\"issuer\":[\"i\",\"https://*.a.example/x\"],\"jwks_file\":\"f\"},"
					  "{\"issuer\":\"s\",\"secret_file\":\"s\"},"
					  "{\"issuer\":\"t\",\"jwks\":\"https://k\",\"jwks_per_tenant\":true}],"
					  "\"audience\":\"a\",\"allowed_clients\":\"c\",\"required_scopes\":[\"s\",\"t\"],"
					  "\"tenant_claims\":[\"z.t\",\"t\"],\"subdomain_claims\":\"z.d\"}",
					  &p, &err) == 0);
	made = 1;
	return &p;
}

static const struct jwt_keyset *keys(void)
{
	/* RFC 7517 appendix A.1, and RFC 8037 appendix A.2 */
	static const char set[] =
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
		"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\",\"kid\":\"e\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
		"\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
	static struct jwt_keyset *ks;
	char why[256];

	if (!ks)
		fuzz_must(jwt_keyset_import(set, sizeof(set) - 1, &ks, why, sizeof(why)) == 0);
	return ks;
}

static void refused(const struct jwt_refusal *no)
{
	fuzz_must(no->text[0] != '\0' && memchr(no->text, '\0', sizeof(no->text)));
	for (const char *t = no->text; *t; t++)
		fuzz_must(*t >= 0x20 && *t < 0x7f); /* it goes into logs */
}

static void opened(const struct jwt_token *t)
{
	const struct jwt_group *g = &policy()->groups[t->group];

	fuzz_must(t->group < policy()->group_count && g->algs & JWT_ALG_BIT(t->alg) && t->expires_at > NOW);
	fuzz_must(jwt_policy_group(policy(), t->issuer) == (int)t->group);
	for (size_t i = 0; g->per_tenant && i < t->tenant.n; i++)
		fuzz_must(!strchr("/?&#%= ", t->tenant.p[i]));
	fuzz_must(!g->per_tenant || (t->tenant.n > 0 && t->tenant.n <= 128));
}

/* Nobody has signed anything with these keys. */
static void token(const char *p, size_t n)
{
	struct jwt_claims c;
	struct jwt_refusal no;
	struct jwt_token t;

	if (jwt_token_open((sp_str){ p, n }, policy(), NOW, &t, &no) == 0) {
		opened(&t);
		fuzz_must(jwt_token_verify(&t, keys(), policy(), NOW, &c, &no) == -1);
		jwt_token_deinit(&t);
	}
	refused(&no);
}

static size_t base64url(const void *from, size_t n, char *dst)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *s = from;
	unsigned bits = 0, have = 0;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | s[i];
		for (have += 8; have >= 6; have -= 6)
			dst[len++] = digits[bits >> (have - 6) & 63];
	}
	if (have)
		dst[len++] = digits[bits << (6 - have) & 63];
	return len;
}

/* What was verified is found again as it was, and not after its time. */
static void cached(sp_str token_, const struct jwt_claims *c, const struct jwt_keyset *ks)
{
	struct jwt_cache *cache = jwt_cache_new(2, 100000);
	const struct jwt_cached *e;

	jwt_cache_add(cache, token_, c, ks, NULL);
	e = jwt_cache_find(cache, token_, NOW);
	fuzz_must(e && jwt_cache_holds(cache, e, ks) && e->tenant.n == c->tenant.n && e->claims.n == c->text_bytes);
	fuzz_must(c->tenant.n == 0 || memcmp(e->tenant.p, c->tenant.p, c->tenant.n) == 0);
	fuzz_must(!jwt_cache_find(cache, token_, c->expires_at));
	jwt_cache_free(&cache);
}

/* Any payload, with the signature that belongs to it: the claims decide. */
static void payload(const char *p, size_t n)
{
	static const char header[] = "{\"alg\":\"HS256\"}";
	static struct jwt_keyset *ks;
	char *text = malloc(n * 4 / 3 + 200), why[256];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_bytes = 0;
	struct jwt_claims c;
	struct jwt_refusal no;
	struct jwt_token t;
	size_t len;

	fuzz_must(ks || jwt_keyset_import_secret(SECRET, strlen(SECRET), JWT_ALG_SHARED, &ks, why, sizeof(why)) == 0);
	len = base64url(header, strlen(header), text);
	text[len++] = '.';
	len += base64url(p, n, text + len);
	fuzz_must(HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (const uint8_t *)text, len, mac, &mac_bytes) != NULL);
	text[len++] = '.';
	len += base64url(mac, mac_bytes, text + len);
	if (jwt_token_open((sp_str){ text, len }, policy(), NOW, &t, &no) < 0) {
		refused(&no);
		free(text);
		return;
	}
	opened(&t);
	fuzz_must(t.group == 1); /* the others are not for HMAC */
	if (jwt_token_verify(&t, ks, policy(), NOW, &c, &no) == 0) {
		fuzz_must(c.text_bytes == n && memcmp(c.text, p, n) == 0 && c.client.n == 1 && c.client.p[0] == 'c');
		cached((sp_str){ text, len }, &c, ks);
		jwt_claims_deinit(&c);
	} else {
		refused(&no);
	}
	jwt_token_deinit(&t);
	free(text);
}

static void key_set(const char *p, size_t n)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";

	if (jwt_keyset_import(p, n, &ks, why, sizeof(why)) < 0) {
		fuzz_must(!ks && why[0] != '\0');
		return;
	}
	fuzz_must(ks->count > 0);
	for (unsigned i = 0; i < ks->count; i++) {
		fuzz_must(ks->keys[i].algs && ks->keys[i].pkey && !(ks->keys[i].algs & ~JWT_ALG_PUBLIC));
		fuzz_must(jwt_keyset_has(ks, ks->keys[i].id));
	}
	jwt_keyset_free(&ks);
}

static unsigned dots(const char *p, size_t n)
{
	unsigned count = 0;

	while (n > 0)
		count += p[--n] == '.';
	return count;
}

/* A name, a line end, an issuer. What fits a template has a host of as many labels, and what follows the host is the same. */
static void issuer(const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n), *iss;
	size_t name_bytes = end ? (size_t)(end - p) : 0, host, iss_host;
	char *name, *text;

	if (!end || memchr(p, '\0', n))
		return;
	name = strndup(p, name_bytes);
	text = strndup(end + 1, n - name_bytes - 1);
	iss = strstr(text, "://");
	if (jwt_issuer_check(name) == NULL && jwt_issuer_matches(name, end + 1, n - name_bytes - 1)) {
		if (!jwt_issuer_is_template(name)) {
			fuzz_must(strcmp(name, text) == 0);
		} else {
			const char *star = strchr(name, '*'), *begin = strstr(name, "://") + 3;

			fuzz_must(iss && iss + 3 - text == begin - name && !strchr(text, '*'));
			host = strcspn(begin, "/:?#@\\");
			iss_host = strcspn(iss + 3, "/:?#@\\");
			fuzz_must(star < begin + host && dots(begin, host) == dots(iss + 3, iss_host));
			fuzz_must(strcmp(begin + host, iss + 3 + iss_host) == 0 && !strchr(iss + 3, '\n'));
		}
	}
	free(text);
	free(name);
}

static void settings(const char *p, size_t n)
{
	char *json_text = strndup(p, n);
	sp_error err = { .size = sizeof(err) };
	struct jwt_policy got;

	if (jwt_policy_read(json_text, &got, &err) < 0) {
		fuzz_must(err.msg[0] != '\0' && memchr(err.path, '\0', sizeof(err.path)));
	} else {
		fuzz_must(got.group_count > 0);
		for (unsigned i = 0; i < got.group_count; i++) {
			const struct jwt_group *g = &got.groups[i];

			fuzz_must(g->issuers[0] && g->algs && !(g->algs & JWT_ALG_PUBLIC && g->algs & JWT_ALG_SHARED));
			fuzz_must((g->from == JWT_KEYS_SECRET) == ((g->algs & JWT_ALG_SHARED) != 0));
			fuzz_must((g->from == JWT_KEYS_DISCOVERY) == (g->where == NULL));
		}
		jwt_policy_deinit(&got);
	}
	free(json_text);
}

/* A path, a line end, claims. */
static void claim(const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n), *why;
	json_object *o = end ? pc_json_parse(end + 1, n - (size_t)(end + 1 - p), JSON_DEPTH, &why) : NULL;
	sp_str s = { 0 };
	char *path;

	if (!o)
		return;
	path = strndup(p, (size_t)(end - p));
	if (pc_claim_string(o, (char *const[]){ path, NULL }, &s) == 1)
		fuzz_must(s.p && s.n > 0);
	else
		fuzz_must(!s.p);
	free(path);
	json_object_put(o);
}

static void subject(const char *p, size_t n)
{
	char value[64];
	size_t len = 0;

	if (names_attribute((sp_str){ p, n }, "O", value, sizeof(value), &len) == NAMES_ONE)
		fuzz_must(len < sizeof(value) && strlen(value) == len);
}

static void alternative(const char *p, size_t n)
{
	static const char *const texts[] = { "san:URI:a/{tenant}/*", "san:DNS:{tenant}.x", "san:EMAIL:{tenant}@x" };
	sp_request r = { .size = sizeof(r), .cert_sans = { p, n } };
	struct names_source s;
	char tenant[16];
	size_t len = 0;

	for (unsigned i = 0; i < 3; i++) {
		fuzz_must(names_source_parse(texts[i], &s) == NULL);
		if (names_source_find(&s, &r, tenant, sizeof(tenant), &len) == NAMES_ONE)
			fuzz_must(len > 0 && strlen(tenant) == len && !strpbrk(tenant, "/@*\n:"));
		names_source_deinit(&s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const what[])(const char *p, size_t n) = { json,	  token,  subject,  alternative, payload,
								 key_set, issuer, settings, claim };
	char *exact;

	if (n == 0)
		return 0;
	exact = malloc(n > 1 ? n - 1 : 1);
	memcpy(exact, data + 1, n - 1);
	what[(uint8_t)(data[0] - '0') % (sizeof(what) / sizeof(what[0]))](exact, n - 1);
	free(exact);
	return 0;
}
