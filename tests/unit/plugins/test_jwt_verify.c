/* Tokens, right and wrong, against both steps of verification. Times are relative to NOW, the clock of the tests. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt_both.h"
#include "mint.h"
#include "suites.h"

#define NOW 1700000000
#define ISS "https://idp.example"
#define GOOD_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}"
#define GOOD_PAYLOAD \
	"{\"iss\":\"" ISS "\",\"sub\":\"app\",\"aud\":\"sallyport\",\"azp\":\"client\",\"tenant\":\"acme\",\"exp\":1700000600," \
	"\"iat\":1699999990,\"nbf\":1699999990}"
/* exp far enough for whoever is not about dates */
#define CLAIMS(rest) "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1700000600" rest "}"

static EVP_PKEY *rsa, *rsa2, *ec, *ec384, *ed, *foreign;
static struct jwt_keyset *keys;

static struct jwt_keyset *import(char *set)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";
	int rc = jwt_keyset_import(set, strlen(set), &ks, why, sizeof(why));

	ck_assert_msg(rc == 0, "%s", why);
	free(set);
	return ks;
}

static void setup(void)
{
	rsa = mint_rsa(2048);
	rsa2 = mint_rsa(2048);
	foreign = mint_rsa(2048);
	ec = mint_ec("P-256");
	ec384 = mint_ec("P-384");
	ed = mint_ed();
	keys = import(mint_set((char *const[]){ mint_jwk(rsa, "rsa", ""), mint_jwk(rsa2, "ps-only", "\"alg\":\"PS256\","),
						mint_jwk(ec, "ec", "\"use\":\"sig\","), mint_jwk(ec384, "ec384", ""),
						mint_jwk(ed, "ed", "\"key_ops\":[\"verify\"],"), NULL }));
}

static void teardown(void)
{
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(rsa2);
	EVP_PKEY_free(foreign);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ec384);
	EVP_PKEY_free(ed);
	jwt_keyset_free(&keys);
}

static struct jwt_policy policy(const char *more)
{
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };
	char json[1024];
	int rc;

	snprintf(json, sizeof(json), "{\"issuer\":\"" ISS "\",\"jwks_file\":\"k\",\"audience\":\"sallyport\"%s}", more);
	rc = jwt_policy_read(json, &p, &err);
	ck_assert_msg(rc == 0, "%s: %s", err.path, err.msg);
	return p;
}

/* Takes the token over. */
static int verify_with(char *token, const struct jwt_keyset *ks, const char *settings, struct jwt_claims *c, struct jwt_refusal *no)
{
	struct jwt_policy p = policy(settings);
	size_t n = strlen(token);
	char *exact = malloc(n); /* no byte behind its end may be read */
	int rc;

	memcpy(exact, token, n);
	free(token);
	*c = (struct jwt_claims){ 0 };
	rc = jwt_both((sp_str){ exact, n }, ks, &p, NOW, c, no);
	free(exact);
	jwt_policy_deinit(&p);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	return rc;
}

static void accepted(char *token, const char *settings)
{
	struct jwt_claims c;
	struct jwt_refusal no;
	int rc = verify_with(token, keys, settings, &c, &no);

	ck_assert_msg(rc == 0, "refused: %s", no.text);
	jwt_claims_deinit(&c);
}

static void refused_with(char *token, const struct jwt_keyset *ks, const char *settings, uint32_t why, const char *text)
{
	struct jwt_claims c;
	struct jwt_refusal no;
	int rc = verify_with(token, ks, settings, &c, &no);

	ck_assert_msg(rc < 0, "accepted, but: %s", text);
	ck_assert_msg(strstr(no.text, text) != NULL, "\"%s\" is not in: %s", text, no.text);
	ck_assert_uint_eq(no.why, why);
	ck_assert_ptr_null(c.root);
	ck_assert_ptr_null(c.text);
}

static void refused(char *token, const char *text)
{
	refused_with(token, keys, "", SP_WHY_BAD_CREDENTIAL, text);
}

static char *good(void)
{
	return mint_token(rsa, "RS256", GOOD_HEADER, GOOD_PAYLOAD);
}

/* ---- what is accepted ---- */

static const struct { const char *alg, *kid; EVP_PKEY **key; } by_alg[] = {
	{ "RS256", "rsa", &rsa }, { "RS384", "rsa", &rsa }, { "RS512", "rsa", &rsa }, { "PS256", "rsa", &rsa },
	{ "PS384", "rsa", &rsa }, { "PS512", "rsa", &rsa }, { "ES256", "ec", &ec },   { "ES384", "ec384", &ec384 },
	{ "EdDSA", "ed", &ed },	  { "PS256", "ps-only", &rsa2 },
};

START_TEST(every_algorithm)
{
	char header[128];
	struct jwt_claims c;
	struct jwt_refusal no;

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", by_alg[_i].alg, by_alg[_i].kid);
	ck_assert_int_eq(verify_with(mint_token(*by_alg[_i].key, by_alg[_i].alg, header, GOOD_PAYLOAD), keys, "", &c, &no), 0);
	ck_assert_int_eq(strncmp(c.tenant.p, "acme", c.tenant.n), 0);
	ck_assert_int_eq(strncmp(c.principal.p, "app", c.principal.n), 0);
	ck_assert_int_eq(strncmp(c.client.p, "client", c.client.n), 0);
	ck_assert_int_eq(c.expires_at, NOW + 600 + 60);
	ck_assert_uint_eq(c.text_bytes, strlen(GOOD_PAYLOAD));
	ck_assert_int_eq(memcmp(c.text, GOOD_PAYLOAD, c.text_bytes), 0);
	jwt_claims_deinit(&c);
}
END_TEST

/* The same algorithms, signed by another implementation. */
START_TEST(signed_by_libjwt)
{
	static const unsigned algs[] = { 0, 1, 2, 6, 7 };
	unsigned i = algs[_i];

	accepted(mint_token_libjwt(*by_alg[i].key, by_alg[i].alg, by_alg[i].kid, GOOD_PAYLOAD), "");
}
END_TEST

static const char *const good_headers[] = {
	"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
	"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"jwt\"}",
	"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}",
	"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"application/at+jwt\"}",
	"{\"kid\":\"rsa\",\"jku\":\"https://evil.example/keys\",\"x5u\":\"https://evil.example\",\"alg\":\"RS256\"}",
	" { \"alg\" : \"RS256\" , \"kid\" : \"r\\u0073a\" } ",
};

START_TEST(accepted_header)
{
	accepted(mint_token(rsa, "RS256", good_headers[_i], GOOD_PAYLOAD), "");
}
END_TEST

static const char *const good_payloads[] = {
	CLAIMS(""),
	CLAIMS(",\"tenant\":null"),
	CLAIMS(",\"iat\":1700000060,\"nbf\":1700000060"), /* at the edge of the skew */
	"{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1699999941}",
	"{\"iss\":\"" ISS "\",\"aud\":[\"other\",\"sallyport\"],\"exp\":1700000600}",
	CLAIMS(",\"deep\":[[[[[[[[{}]]]]]]]],\"text\":\"\\ud83d\\ude00 \xc3\xa4\""),
};

START_TEST(accepted_payload)
{
	accepted(mint_token(rsa, "RS256", GOOD_HEADER, good_payloads[_i]), "");
}
END_TEST

/* ---- headers ---- */

static const struct { const char *header, *text; } bad_headers[] = {
	{ "{\"alg\":\"none\",\"kid\":\"rsa\"}", "algorithm \"none\" is never accepted" },
	{ "{\"alg\":\"NoNe\",\"kid\":\"rsa\"}", "\"NoNe\" is never accepted" },
	{ "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "HS256 is not among those" },
	{ "{\"alg\":\"rs256\",\"kid\":\"rsa\"}", "\"rs256\" is never accepted" },
	{ "{\"alg\":\"RS256 \",\"kid\":\"rsa\"}", "is never accepted" },
	{ "{\"alg\":\"\",\"kid\":\"rsa\"}", "is never accepted" },
	{ "{\"alg\":\"ES256K\",\"kid\":\"ec\"}", "is never accepted" },
	{ "{\"kid\":\"rsa\"}", "names no algorithm" },
	{ "{\"alg\":null,\"kid\":\"rsa\"}", "names no algorithm" },
	{ "{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", "names no algorithm" },
	{ "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", "two members of the same name" },
	{ "{\"alg\":\"RS256\",\"\\u0061lg\":\"RS256\",\"kid\":\"rsa\"}", "two members of the same name" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"]}", "(crit)" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[],\"b64\":false}", "(crit)" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":null}", "(crit)" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWE\"}", "type \"JWE\"" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"dpop+jwt\"}", "type \"dpop+jwt\"" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":5}", "not a string" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":null}", "not a string" },
	{ "{\"alg\":\"RS256\",\"kid\":7}", "(kid) is not a string" },
	{ "{\"alg\":\"RS256\",\"kid\":\"\"}", "(kid) is not a string" },
	{ "{\"alg\":\"RS256\",\"kid\":null}", "(kid) is not a string" },
	{ "{\"alg\":\"RS256\",\"kid\":\"ras\"}", "no key \"ras\" for RS256" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000\"}", "NUL in a string" },
	{ "{\"alg\":\"RS256\"}", "not the key's" }, /* one key fits, "rsa", but signed by another: see below */
	{ "{\"alg\":\"PS256\"}", "several keys fit PS256" },
	{ "{\"alg\":\"RS256\",\"kid\":\"ps-only\"}", "no key \"ps-only\" for RS256" }, /* bound to PS256 */
	{ "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", "no key \"rsa\" for ES256" },	       /* bound to the type */
	{ "{\"alg\":\"ES256\",\"kid\":\"ec384\"}", "no key \"ec384\" for ES256" },     /* and to the curve */
	{ "{\"alg\":\"RS256\",\"kid\":\"ec\"}", "no key \"ec\" for RS256" },
	{ "[1]", "not a JSON object" },
	{ "null", "header cannot be read" },
	{ "", "header cannot be read" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\"}x", "something follows" },
	{ "{'alg':'RS256','kid':'rsa'}", "header cannot be read" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",}", "header cannot be read" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\n\"}", "control character" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}", "invalid UTF-8" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":NaN}", "not a JSON value" },
	{ "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "too deeply" },
};

START_TEST(refused_header)
{
	/* Signed with a key that is not in the set where the header would be accepted. */
	EVP_PKEY *key = strcmp(bad_headers[_i].text, "not the key's") == 0 ? foreign : rsa;

	refused(mint_token(key, "RS256", bad_headers[_i].header, GOOD_PAYLOAD), bad_headers[_i].text);
}
END_TEST

/* ---- payloads ---- */

static const struct { const char *payload; uint32_t why; const char *text; } bad_payloads[] = {
	{ "{\"aud\":\"sallyport\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "names no issuer" },
	{ "{\"iss\":[\"" ISS "\"],\"aud\":\"sallyport\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "names no issuer" },
	{ "{\"iss\":\"" ISS "/\",\"aud\":\"sallyport\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "issuer \"" ISS "/\" is not" },
	{ "{\"iss\":\"HTTPS://IDP.EXAMPLE\",\"aud\":\"sallyport\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "is not a configured one" },
	{ "{\"iss\":\"" ISS "\\u0000x\",\"aud\":\"sallyport\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "NUL in a string" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\"}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":null}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":\"1700000600\"}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1700000600.5}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1.7e9}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":-1}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":99999999999999999999999}", SP_WHY_BAD_CREDENTIAL, "no end (exp)" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1699999940}", SP_WHY_EXPIRED, "expired 60 s ago" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":0}", SP_WHY_EXPIRED, "expired" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1600000000,\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "same name" },
	{ CLAIMS(",\"nbf\":1700000061"), SP_WHY_BAD_CREDENTIAL, "not valid before 61 s" },
	{ CLAIMS(",\"nbf\":\"soon\""), SP_WHY_BAD_CREDENTIAL, "(nbf) is not a whole number" },
	{ CLAIMS(",\"iat\":1700000061"), SP_WHY_BAD_CREDENTIAL, "61 s in the future" },
	{ CLAIMS(",\"iat\":1.5"), SP_WHY_BAD_CREDENTIAL, "(iat) is not a whole number" },
	{ "{\"iss\":\"" ISS "\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "names no audience" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sallyport2\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "another audience" },
	{ "{\"iss\":\"" ISS "\",\"aud\":\"sally\",\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "another audience" },
	{ "{\"iss\":\"" ISS "\",\"aud\":[],\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "another audience" },
	{ "{\"iss\":\"" ISS "\",\"aud\":[[\"sallyport\"]],\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "neither a string nor" },
	{ "{\"iss\":\"" ISS "\",\"aud\":[\"sallyport\",1],\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "neither a string nor" },
	{ "{\"iss\":\"" ISS "\",\"aud\":{\"sallyport\":1},\"exp\":1700000600}", SP_WHY_BAD_CREDENTIAL, "neither a string nor" },
	{ CLAIMS(",\"tenant\":5"), SP_WHY_BAD_CREDENTIAL, "tenant is not a string" },
	{ CLAIMS(",\"tenant\":[\"a\",\"b\"]"), SP_WHY_BAD_CREDENTIAL, "tenant is not a string" },
	{ CLAIMS(",\"tenant\":\"a\",\"tenant\":\"b\""), SP_WHY_BAD_CREDENTIAL, "same name" },
	{ CLAIMS(",\"x\":{\"y\":1,\"y\":2}"), SP_WHY_BAD_CREDENTIAL, "same name" },
	{ CLAIMS(",\"sub\":7"), SP_WHY_BAD_CREDENTIAL, "principal is not a string" },
	{ CLAIMS(",\"azp\":7"), SP_WHY_BAD_CREDENTIAL, "client is not a string" },
	{ "[" GOOD_PAYLOAD "]", SP_WHY_BAD_CREDENTIAL, "not a JSON object" },
	{ "", SP_WHY_BAD_CREDENTIAL, "payload cannot be read" },
	{ "eyJhbGciOiJSUzI1NiJ9.e30.AA", SP_WHY_BAD_CREDENTIAL, "payload cannot be read" }, /* nested */
};

START_TEST(refused_payload)
{
	refused_with(mint_token(rsa, "RS256", GOOD_HEADER, bad_payloads[_i].payload), keys, "", bad_payloads[_i].why, bad_payloads[_i].text);
}
END_TEST

/* ---- signatures ---- */

/* Every single character of a good token matters. */
START_TEST(any_character_changed)
{
	char *token = good();
	struct jwt_policy p = policy("");
	size_t n = strlen(token);

	for (size_t i = 0; i < n; i++) {
		struct jwt_claims c;
		struct jwt_refusal no;
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		ck_assert_int_eq(jwt_both((sp_str){ token, n }, keys, &p, NOW, &c, &no), -1);
		token[i] = was;
		ck_assert_int_eq(jwt_both((sp_str){ token, i }, keys, &p, NOW, &c, &no), -1); /* cut */
	}
	jwt_policy_deinit(&p);
	free(token);
}
END_TEST

/* EC and Ed25519 have signatures with spare bits in their last character, and DER forms: none of them is another spelling. */
START_TEST(one_spelling)
{
	static const struct { const char *alg, *kid; EVP_PKEY **key; } all[] = { { "ES256", "ec", &ec },
										 { "EdDSA", "ed", &ed },
										 { "RS256", "rsa", &rsa } };
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char header[64], *token;
	struct jwt_policy p = policy("");
	unsigned ok = 0;
	size_t n;

	snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}", all[_i].alg, all[_i].kid);
	token = mint_token(*all[_i].key, all[_i].alg, header, GOOD_PAYLOAD);
	n = strlen(token);
	for (const char *d = digits; *d; d++) {
		struct jwt_claims c = { 0 };
		struct jwt_refusal no;

		token[n - 1] = *d;
		ok += jwt_both((sp_str){ token, n }, keys, &p, NOW, &c, &no) == 0;
		jwt_claims_deinit(&c);
	}
	ck_assert_uint_eq(ok, 1);
	jwt_policy_deinit(&p);
	free(token);
}
END_TEST

static char *joined(const char *a, const char *b)
{
	char *s = malloc(strlen(a) + strlen(b) + 1);

	strcpy(s, a);
	strcat(s, b);
	return s;
}

START_TEST(shape)
{
	static const char *const tails[] = { "=", "==", ".", ".x", ".e30", " ", "\n", "A", "AA", "AAAA", "\xff" };
	char *token = good(), *dot = strrchr(token, '.');

	for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		refused(joined(token, tails[i]), "");
	refused(joined(" ", token), "header cannot be read");
	refused(joined("Bearer ", token), "header cannot be read");
	refused(strdup(""), "three parts");
	refused(strdup("."), "three parts");
	refused(strdup(".."), "header cannot be read");
	refused(strdup("a.b.c.d.e"), "three parts");
	refused(strdup("secret"), "three parts");
	dot[1] = '\0';
	refused(strdup(token), "signature is empty");
	dot[0] = '\0';
	refused(token, "three parts");
}
END_TEST

START_TEST(wrong_signer)
{
	char ec_header[] = "{\"alg\":\"ES256\",\"kid\":\"ec\"}";
	EVP_PKEY *other = mint_ec("P-256");

	refused(mint_token(foreign, "RS256", GOOD_HEADER, GOOD_PAYLOAD), "not the key's");
	refused(mint_token(rsa, "RS384", GOOD_HEADER, GOOD_PAYLOAD), "not the key's"); /* another digest than the header says */
	refused(mint_token(rsa, "PS256", GOOD_HEADER, GOOD_PAYLOAD), "not the key's"); /* another padding */
	refused(mint_token(rsa, "PS256:0", "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", GOOD_PAYLOAD), "not the key's"); /* RFC 7518 section 3.5 */
	refused(mint_token(other, "ES256", ec_header, GOOD_PAYLOAD), "not the key's");
	refused(mint_token(ec384, "ES384", ec_header, GOOD_PAYLOAD), "not the length");
	refused(mint_token(rsa, "RS256", ec_header, GOOD_PAYLOAD), "not the length");
	EVP_PKEY_free(other);
}
END_TEST

/* The classic forgery: the RSA public key, as PEM text, as HMAC secret. */
START_TEST(public_key_as_secret)
{
	char header[] = "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", *h = mint_base64url(header, strlen(header));
	char *p = mint_base64url(GOOD_PAYLOAD, strlen(GOOD_PAYLOAD)), *s, *pem, *dotted, *body, *tail;
	unsigned char mac[64];
	unsigned mac_len;
	BIO *bio = BIO_new(BIO_s_mem());
	long n;

	PEM_write_bio_PUBKEY(bio, rsa);
	n = BIO_get_mem_data(bio, &pem);
	dotted = joined(h, ".");
	body = joined(dotted, p);
	ck_assert_ptr_nonnull(HMAC(EVP_sha256(), pem, (int)n, (unsigned char *)body, strlen(body), mac, &mac_len));
	s = mint_base64url(mac, mac_len);
	tail = joined(".", s);
	refused(joined(body, tail), "HS256 is not among those");
	free(h);
	free(p);
	free(s);
	free(dotted);
	free(body);
	free(tail);
	BIO_free(bio);
}
END_TEST

/* r = s = 0, the signature that a broken verifier took for everybody's ("psychic"). */
START_TEST(zero_signature)
{
	char header[] = "{\"alg\":\"ES256\",\"kid\":\"ec\"}", *token = mint_token(ec, "ES256", header, GOOD_PAYLOAD);

	memset(strrchr(token, '.') + 1, 'A', 86);
	refused(token, "not the key's");
}
END_TEST

/* ---- keys ---- */

START_TEST(single_key_without_kid)
{
	struct jwt_keyset *one = import(mint_set((char *const[]){ mint_jwk(rsa, NULL, ""), NULL }));
	struct jwt_claims c;
	struct jwt_refusal no;

	ck_assert_int_eq(verify_with(mint_token(rsa, "RS256", "{\"alg\":\"RS256\"}", GOOD_PAYLOAD), one, "", &c, &no), 0);
	jwt_claims_deinit(&c);
	ck_assert_int_eq(verify_with(good(), one, "", &c, &no), -1); /* a name that no key has */
	ck_assert(no.unknown_key);
	ck_assert_int_eq(verify_with(mint_token(ec, "ES256", "{\"alg\":\"ES256\"}", GOOD_PAYLOAD), one, "", &c, &no), -1);
	ck_assert(no.unknown_key);
	jwt_keyset_free(&one);
	ck_assert_int_eq(verify_with(mint_token(foreign, "RS256", GOOD_HEADER, GOOD_PAYLOAD), keys, "", &c, &no), -1);
	ck_assert(!no.unknown_key);
}
END_TEST

/* ---- policy ---- */

START_TEST(algorithms_configured)
{
	refused_with(good(), keys, ",\"algorithms\":[\"ES256\",\"EdDSA\"]", SP_WHY_BAD_CREDENTIAL, "RS256 is not among those");
	accepted(good(), ",\"algorithms\":\"RS256\"");
}
END_TEST

START_TEST(too_long)
{
	char *token = good();
	char settings[64];

	snprintf(settings, sizeof(settings), ",\"max_token_bytes\":%zu", strlen(token));
	accepted(strdup(token), settings);
	snprintf(settings, sizeof(settings), ",\"max_token_bytes\":%zu", strlen(token) - 1);
	refused_with(token, keys, settings, SP_WHY_BAD_CREDENTIAL, "too long");
}
END_TEST

START_TEST(skew)
{
	const char *payload = "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1699999999}";

	accepted(mint_token(rsa, "RS256", GOOD_HEADER, payload), "");
	refused_with(mint_token(rsa, "RS256", GOOD_HEADER, payload), keys, ",\"clock_skew_s\":0", SP_WHY_EXPIRED, "expired 1 s ago");
	accepted(mint_token(rsa, "RS256", GOOD_HEADER, "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1699999701}"),
		 ",\"clock_skew_s\":300");
}
END_TEST

START_TEST(clients)
{
	char *other = mint_token(rsa, "RS256", GOOD_HEADER, CLAIMS(",\"client_id\":\"other\"")),
	     *unnamed = mint_token(rsa, "RS256", GOOD_HEADER, CLAIMS(""));

	accepted(good(), ",\"allowed_clients\":[\"one\",\"client\"]");
	refused_with(other, keys, ",\"allowed_clients\":\"client\"", SP_WHY_FORBIDDEN, "client \"other\" is not");
	refused_with(unnamed, keys, ",\"allowed_clients\":\"client\"", SP_WHY_FORBIDDEN, "names no client");
}
END_TEST

START_TEST(audiences)
{
	struct jwt_claims c;
	struct jwt_refusal no;
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };
	char *token = mint_token(rsa, "RS256", GOOD_HEADER, "{\"iss\":\"" ISS "\",\"exp\":1700000600}");

	/* Not configured: not asked for. */
	ck_assert_int_eq(jwt_policy_read("{\"issuer\":\"" ISS "\",\"jwks_file\":\"k\"}", &p, &err), 0);
	ck_assert_int_eq(jwt_both((sp_str){ token, strlen(token) }, keys, &p, NOW, &c, &no), 0);
	jwt_claims_deinit(&c);
	jwt_policy_deinit(&p);
	free(token);
	ck_assert_int_eq(jwt_policy_read("{\"issuer\":\"" ISS "\",\"jwks_file\":\"k\",\"audience\":[\"a\",\"sallyport\"]}", &p, &err), 0);
	token = good();
	ck_assert_int_eq(jwt_both((sp_str){ token, strlen(token) }, keys, &p, NOW, &c, &no), 0);
	jwt_claims_deinit(&c);
	jwt_policy_deinit(&p);
	free(token);
}
END_TEST

static void claims_are(const char *settings, const char *payload, const char *tenant, const char *principal, const char *client)
{
	struct jwt_claims c;
	struct jwt_refusal no;
	int rc = verify_with(mint_token(rsa, "RS256", GOOD_HEADER, payload), keys, settings, &c, &no);
	const char *want[] = { tenant, principal, client };
	sp_str got[] = { c.tenant, c.principal, c.client };

	ck_assert_msg(rc == 0, "%s", no.text);
	for (unsigned i = 0; i < 3; i++) {
		if (!want[i])
			ck_assert_msg(!got[i].p, "claim %u is there", i);
		else
			ck_assert_msg(got[i].p && got[i].n == strlen(want[i]) && memcmp(got[i].p, want[i], got[i].n) == 0,
				      "claim %u is not \"%s\"", i, want[i]);
	}
	jwt_claims_deinit(&c);
}

START_TEST(which_claims)
{
	claims_are("", CLAIMS(",\"tenant\":\"t\",\"sub\":\"s\",\"azp\":\"a\",\"client_id\":\"c\""), "t", "s", "a");
	claims_are("", CLAIMS(",\"client_id\":\"c\""), NULL, "c", "c");
	claims_are("", CLAIMS(",\"tenant\":\"\""), NULL, NULL, NULL);
	claims_are(",\"profile\":\"xsuaa\"", CLAIMS(",\"app_tid\":\"second\",\"zid\":\"first\",\"sub\":\"s\""), "first", "s", "sallyport");
	claims_are(",\"profile\":\"xsuaa\"", CLAIMS(",\"zone_uuid\":\"third\",\"azp\":\"a\""), "third", "a", "a");
	claims_are(",\"profile\":\"xsuaa\"",
		   "{\"iss\":\"" ISS "\",\"aud\":[\"x\",\"sallyport\"],\"cid\":\"cid\",\"exp\":1700000600}", NULL, "cid", "cid");
	claims_are(",\"profile\":\"xsuaa\"",
		   "{\"iss\":\"" ISS "\",\"aud\":[\"sallyport\"],\"cid\":\"cid\",\"exp\":1700000600}", NULL, "sallyport", "sallyport");
	claims_are(",\"tenant_claims\":[\"none\",\"ext_attr.zdn\"]", CLAIMS(",\"ext_attr\":{\"zdn\":\"sub\"}"), "sub", NULL, NULL);
	claims_are(",\"tenant_claims\":[\"https://example.com/tenant\"]", CLAIMS(",\"https://example.com/tenant\":\"ns\""), "ns", NULL, NULL);
	claims_are(",\"tenant_claims\":[],\"principal_claims\":[],\"client_claims\":[]", CLAIMS(",\"tenant\":\"t\",\"sub\":\"s\""), NULL, NULL,
		   NULL);
	refused_with(mint_token(rsa, "RS256", GOOD_HEADER, CLAIMS("")), keys, ",\"tenant_required\":true", SP_WHY_TENANT_UNKNOWN,
		     "names no tenant");
}
END_TEST

/* ---- the two steps ---- */

static struct jwt_policy per_tenant(void)
{
	sp_error err = { .size = sizeof(err) };
	struct jwt_policy p;

	ck_assert_int_eq(jwt_policy_read("{\"issuers\":[{\"issuer\":\"j\",\"jwks_file\":\"f\"},{\"issuer\":\"" ISS
					 "\",\"jwks\":\"https://i/k\"}],\"profile\":\"xsuaa\"}", &p, &err), 0);
	return p;
}

/* What the first step tells is enough to find the keys. */
START_TEST(opened)
{
	char *token = mint_token(rsa, "PS384", "{\"alg\":\"PS384\",\"kid\":\"rsa\"}", CLAIMS(",\"zid\":\"a.B-1_~\""));
	struct jwt_policy p = per_tenant();
	struct jwt_refusal no;
	struct jwt_claims c;
	struct jwt_token t;

	ck_assert_int_eq(jwt_token_open((sp_str){ token, strlen(token) }, &p, NOW, &t, &no), 0);
	ck_assert_uint_eq(t.group, 1);
	ck_assert_str_eq(jwt_algs[t.alg].name, "PS384");
	ck_assert(t.kid.n == 3 && memcmp(t.kid.p, "rsa", 3) == 0);
	ck_assert(t.issuer.n == strlen(ISS) && memcmp(t.issuer.p, ISS, t.issuer.n) == 0);
	ck_assert(t.tenant.n == 7 && memcmp(t.tenant.p, "a.B-1_~", 7) == 0);
	ck_assert_int_eq(t.expires_at, NOW + 660);
	jwt_token_deinit(&t);
	jwt_token_deinit(&t);
	/* Without a kid. */
	free(token);
	token = mint_token(rsa, "RS256", "{\"alg\":\"RS256\"}", CLAIMS(",\"zid\":\"a\""));
	ck_assert_int_eq(jwt_token_open((sp_str){ token, strlen(token) }, &p, NOW, &t, &no), 0);
	ck_assert_ptr_null(t.kid.p);
	ck_assert_int_eq(jwt_token_verify(&t, keys, &p, NOW, &c, &no), 0);
	ck_assert_ptr_nonnull(c.key);
	jwt_token_deinit(&t); /* the claims are no longer its own */
	ck_assert_int_eq(memcmp(c.tenant.p, "a", c.tenant.n), 0);
	ck_assert(c.issuer.n == strlen(ISS) && memcmp(c.issuer.p, ISS, c.issuer.n) == 0);
	jwt_claims_deinit(&c);
	jwt_policy_deinit(&p);
	free(token);
}
END_TEST

/* Another set, another try; and the clock goes on meanwhile. */
START_TEST(tried_again)
{
	struct jwt_keyset *old = import(mint_set((char *const[]){ mint_jwk(rsa2, "old", ""), NULL }));
	struct jwt_policy p = policy("");
	char *token = good();
	struct jwt_refusal no;
	struct jwt_claims c;
	struct jwt_token t;

	ck_assert_int_eq(jwt_token_open((sp_str){ token, strlen(token) }, &p, NOW, &t, &no), 0);
	ck_assert_int_eq(jwt_token_verify(&t, old, &p, NOW, &c, &no), -1);
	ck_assert(no.unknown_key);
	ck_assert_int_eq(jwt_token_verify(&t, keys, &p, NOW + 660, &c, &no), -1);
	ck_assert_uint_eq(no.why, SP_WHY_EXPIRED);
	ck_assert(!no.unknown_key);
	ck_assert_int_eq(jwt_token_verify(&t, keys, &p, NOW, &c, &no), 0);
	jwt_claims_deinit(&c);
	jwt_token_deinit(&t);
	jwt_keyset_free(&old);
	jwt_policy_deinit(&p);
	free(token);
}
END_TEST

/* The tenant goes into the URL of the keys: it must not be able to say anything else there. */
START_TEST(tenants_of_urls)
{
	static const struct { const char *claims, *reason; } all[] = {
		{ "", "names no tenant" },
		{ ",\"zid\":\"\"", "names no tenant" },
		{ ",\"zid\":5", "not a string" },
		{ ",\"zid\":\"a&b=c\"", "tenant \"a&b=c\" cannot be" },
		{ ",\"zid\":\"a#\"", "cannot be" },
		{ ",\"zid\":\"a/../b\"", "cannot be" },
		{ ",\"zid\":\"a b\"", "tenant \"a\\x20b\" cannot be" },
		{ ",\"zid\":\"a\\r\\nb\"", "tenant \"a\\x0d\\x0ab\" cannot be" },
		{ ",\"zid\":\"%2e\"", "cannot be" },
		{ ",\"zid\":\"\xc3\xa4\"", "cannot be" },
		{ ",\"zid\":\"00000000001111111111222222222233333333334444444444555555555566666666667777777777888888888899999999990000000000"
		  "111111111122222222\"", NULL },
		{ ",\"zid\":\"00000000001111111111222222222233333333334444444444555555555566666666667777777777888888888899999999990000000000"
		  "1111111111222222222\"", "cannot be" },
	};
	char payload[512], *token;
	struct jwt_policy p = per_tenant();
	struct jwt_refusal no;
	struct jwt_token t;
	int rc;

	snprintf(payload, sizeof(payload), "{\"iss\":\"" ISS "\",\"exp\":1700000600%s}", all[_i].claims);
	token = mint_token(rsa, "RS256", GOOD_HEADER, payload);
	rc = jwt_token_open((sp_str){ token, strlen(token) }, &p, NOW, &t, &no);
	ck_assert_int_eq(rc, all[_i].reason ? -1 : 0);
	if (rc == 0) {
		jwt_token_deinit(&t);
	} else {
		ck_assert_uint_eq(no.why, SP_WHY_BAD_CREDENTIAL);
		ck_assert_msg(strstr(no.text, all[_i].reason) != NULL, "%s", no.text);
	}
	jwt_policy_deinit(&p);
	free(token);
}
END_TEST

START_TEST(subdomains)
{
	struct jwt_claims c;
	struct jwt_refusal no;

	ck_assert_int_eq(verify_with(mint_token(rsa, "RS256", GOOD_HEADER, CLAIMS(",\"ext_attr\":{\"zdn\":\"acme\"}")), keys,
				     ",\"profile\":\"xsuaa\"", &c, &no), 0);
	ck_assert(c.subdomain.n == 4 && memcmp(c.subdomain.p, "acme", 4) == 0);
	jwt_claims_deinit(&c);
	ck_assert_int_eq(verify_with(good(), keys, ",\"profile\":\"xsuaa\"", &c, &no), 0);
	ck_assert_ptr_null(c.subdomain.p);
	jwt_claims_deinit(&c);
	refused_with(mint_token(rsa, "RS256", GOOD_HEADER, CLAIMS(",\"sd\":1")), keys, ",\"subdomain_claims\":\"sd\"",
		     SP_WHY_BAD_CREDENTIAL, "subdomain is not a string");
}
END_TEST

Suite *suite_jwt_verify(void)
{
	const TTest *const tests[] = { any_character_changed, shape, wrong_signer, public_key_as_secret, zero_signature,
				       single_key_without_kid, algorithms_configured, too_long, skew, clients, audiences, which_claims,
				       opened, tried_again, subdomains };
	Suite *s = suite_create("jwt/verify");
	TCase *tc = tcase_create("verify");

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, every_algorithm, 0, sizeof(by_alg) / sizeof(by_alg[0]));
	tcase_add_loop_test(tc, signed_by_libjwt, 0, 5);
	tcase_add_loop_test(tc, accepted_header, 0, sizeof(good_headers) / sizeof(good_headers[0]));
	tcase_add_loop_test(tc, accepted_payload, 0, sizeof(good_payloads) / sizeof(good_payloads[0]));
	tcase_add_loop_test(tc, refused_header, 0, sizeof(bad_headers) / sizeof(bad_headers[0]));
	tcase_add_loop_test(tc, refused_payload, 0, sizeof(bad_payloads) / sizeof(bad_payloads[0]));
	tcase_add_loop_test(tc, one_spelling, 0, 3);
	tcase_add_loop_test(tc, tenants_of_urls, 0, 12);
	suite_add_tcase(s, tc);
	return s;
}
