/* The first byte chooses: JSON, a token, a subject, alternative names. */
#include "fuzz.h"

#include "common/strictjson.h"
#include "common/token.h"
#include "jwt/verify.h"
#include "mtls/names.h"

#define JSON_DEPTH 16

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
		fuzz_must(jwt_policy_read("{\"issuer\":\"i\",\"jwks_file\":\"f\"}", &p, &err) == 0);
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

/* Nobody has signed anything with these keys. */
static void token(const char *p, size_t n)
{
	struct jwt_claims c;
	struct jwt_refusal no;
	struct jwt_token t;

	if (jwt_token_open((sp_str){ p, n }, policy(), 1700000000, &t, &no) == 0) {
		fuzz_must(t.group < policy()->group_count && policy()->groups[t.group].algs & JWT_ALG_BIT(t.alg));
		fuzz_must(jwt_token_verify(&t, keys(), policy(), 1700000000, &c, &no) == -1);
		jwt_token_deinit(&t);
	}
	fuzz_must(no.text[0] != '\0' && memchr(no.text, '\0', sizeof(no.text)));
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
	static void (*const what[])(const char *p, size_t n) = { json, token, subject, alternative };
	char *exact;

	if (n == 0)
		return 0;
	exact = malloc(n > 1 ? n - 1 : 1);
	memcpy(exact, data + 1, n - 1);
	what[data[0] % 4](exact, n - 1);
	free(exact);
	return 0;
}
