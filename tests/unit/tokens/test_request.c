/* Token requests: the address, the form, the password's encoding, the assertion. */
#include "suites.h"

#include <json-c/json.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "base/text.h"
#include "fixture.h"

static struct sp_token_request request;
static struct sp_cause why;

static int make(const struct sp_service_key *k, const char *tenant, const char *subdomain)
{
	int err;

	sp_token_request_wipe(&request);
	why = (struct sp_cause){ 0 };
	err = sp_token_request_make(k, tenant, subdomain, &request, &why);
	ck_assert_int_eq(err, why.err);
	return err;
}

static void done(void)
{
	sp_token_request_wipe(&request);
}

/* ---- the address -------------------------------------------------------------------- */

static const struct { const char *pattern, *tenant, *subdomain, *url; } urls[] = {
	{ "https://h/t", NULL, NULL, "https://h/t" },
	{ "https://h/t", "a", "b", "https://h/t" },
	{ "https://{subdomain}.h/t", NULL, "acme-1", "https://acme-1.h/t" },
	{ "https://{tenant}.h/{tenant}?z={tenant}", "0a-B9", NULL, "https://0a-B9.h/0a-B9?z=0a-B9" },
	{ "https://h/{tenant}/{subdomain}/t", "a", "b", "https://h/a/b/t" },
	{ "https://h/{tenant}/t", "a/../b?c#d%2f e&f=\xc3\xa4", NULL, "https://h/a%2F..%2Fb%3Fc%23d%252f%20e%26f%3D%C3%A4/t" },
	{ "https://h/{tenant}", "a.b_c-d~e", NULL, "https://h/a.b_c-d~e" },
	{ "https://h/{tenant}", "...", NULL, "https://h/..." },
	{ "https://h?{tenant}", "a.b", NULL, "https://h?a.b" },
	{ "https://h/{tenant}", "{subdomain}", "x", "https://h/%7Bsubdomain%7D" },
};

START_TEST(addresses)
{
	struct sp_service_key k = { .auth = SP_CLIENT_TLS, .client_id = sp_strdup("c"), .url = sp_strdup(urls[_i].pattern) };

	ck_assert_msg(make(&k, urls[_i].tenant, urls[_i].subdomain) == 0, "%s", why.text);
	ck_assert_str_eq(sp_buf_str(&request.url), urls[_i].url);
	free(k.client_id);
	free(k.url);
}
END_TEST

#define LABEL63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NEEDS(what) "the address of the token server needs {" what "}, which "
static const struct { const char *pattern, *tenant, *subdomain, *text; } bad_urls[] = {
	{ "https://h/{tenant}", NULL, "x", NEEDS("tenant") "is not known" },
	{ "https://h/{tenant}", "", "x", NEEDS("tenant") "is not known" },
	{ "https://{subdomain}.h", "x", NULL, NEEDS("subdomain") "is not known" },
	{ "https://{subdomain}.h", "x", "", NEEDS("subdomain") "is not known" },
	{ "https://h/{tenant}/t", ".", NULL, NEEDS("tenant") "is a dot segment" },
	{ "https://h/{tenant}/t", "..", NULL, NEEDS("tenant") "is a dot segment" },
	{ "https://{tenant}.h", "a.b", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "a/b", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "a@b", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "a:1", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "a#", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "a%2f", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "\xc3\xa4", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "-a", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", "a-", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://{tenant}.h", LABEL63 "a", NULL, NEEDS("tenant") "is no label of a host name" },
	{ "https://h/{tenant}", LABEL63 LABEL63 LABEL63 LABEL63 "abcde", NULL, NEEDS("tenant") "is too long" },
};

START_TEST(addresses_refused)
{
	struct sp_service_key k = { .auth = SP_CLIENT_TLS, .client_id = sp_strdup("c"), .url = sp_strdup(bad_urls[_i].pattern) };

	ck_assert_int_eq(make(&k, bad_urls[_i].tenant, bad_urls[_i].subdomain), SP_EINVAL);
	ck_assert_str_eq(why.text, bad_urls[_i].text);
	free(k.client_id);
	free(k.url);
}
END_TEST

/* ---- passwords -------------------------------------------------------------------------- */

static const struct { const char *id, *secret, *basic, *form; } secrets[] = {
	/* RFC 6749 section 2.3.1 */
	{ "s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", "czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3",
	  "&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw" },
	/* "1PpG%2FQ+1:z%2FtZ9VwFZqApmIQ%2BZH1I5pLk%2FuB4ud%3AX2" */
	{ "1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2", "MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMg==",
	  "&client_id=1PpG%2FQ+1&client_secret=z%2FtZ9VwFZqApmIQ%2BZH1I5pLk%2FuB4ud%3AX2" },
	/* "sb-x%21b1%7Cy:*-._%7E%C3%A4" */
	{ "sb-x!b1|y", "*-._~\xc3\xa4", "c2IteCUyMWIxJTdDeToqLS5fJTdFJUMzJUE0",
	  "&client_id=sb-x%21b1%7Cy&client_secret=*-._%7E%C3%A4" },
};

START_TEST(passwords)
{
	struct sp_service_key k = { .auth = SP_CLIENT_SECRET_BASIC, .client_id = sp_strdup(secrets[_i].id),
				    .client_secret = sp_strdup(secrets[_i].secret), .url = sp_strdup("https://h") };
	char want[256];

	ck_assert_int_eq(make(&k, NULL, NULL), 0);
	snprintf(want, sizeof(want), "Basic %s", secrets[_i].basic);
	ck_assert_str_eq(sp_buf_str(&request.authorization), want);
	ck_assert_str_eq(sp_buf_str(&request.form), "grant_type=client_credentials");
	k.auth = SP_CLIENT_SECRET_POST;
	k.scope = sp_strdup("a b");
	ck_assert_int_eq(make(&k, NULL, NULL), 0);
	snprintf(want, sizeof(want), "grant_type=client_credentials%s&scope=a+b", secrets[_i].form);
	ck_assert_str_eq(sp_buf_str(&request.form), want);
	ck_assert_uint_eq(request.authorization.len, 0);
	free(k.client_id);
	free(k.client_secret);
	free(k.scope);
	free(k.url);
}
END_TEST

/* ---- assertions ---------------------------------------------------------------------------- */

#ifdef SP_WITH_JWT

static EVP_PKEY *new_key(const char *what)
{
	return strcmp(what, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(what);
}

static char *pem_of(EVP_PKEY *pkey, bool traditional)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *p, *out;
	long n;

	if (traditional)
		ck_assert_int_eq(PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	else
		ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &p);
	out = sp_slice_dup(sp_slice_make(p, (size_t)n));
	BIO_free(bio);
	return out;
}

/* RFC 7515 section 5.2, RFC 7518 section 3.4. */
static bool verifies(EVP_PKEY *pkey, struct sp_slice input, const uint8_t *sig, size_t n, const EVP_MD *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	int len = (int)n;
	bool ok;

	if (EVP_PKEY_is_a(pkey, "EC")) {
		ECDSA_SIG *es = ECDSA_SIG_new();

		ck_assert_uint_eq(n, 2 * (size_t)((EVP_PKEY_get_bits(pkey) + 7) / 8));
		ECDSA_SIG_set0(es, BN_bin2bn(sig, (int)n / 2, NULL), BN_bin2bn(sig + n / 2, (int)n / 2, NULL));
		len = i2d_ECDSA_SIG(es, &der);
		ECDSA_SIG_free(es);
	}
	ok = EVP_DigestVerifyInit(ctx, NULL, md, NULL, pkey) == 1 &&
	     EVP_DigestVerify(ctx, der ? der : sig, (size_t)len, input.p, input.n) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	return ok;
}

static struct json_object *decoded(const char *p, size_t n)
{
	uint8_t text[4096];
	struct json_object *o;
	size_t len;

	ck_assert_int_eq(sp_base64url_decode(sp_slice_make(p, n), text, sizeof(text) - 1, &len), 0);
	text[len] = '\0';
	o = json_tokener_parse((char *)text);
	ck_assert_ptr_nonnull(o);
	return o;
}

static const char *str(struct json_object *o, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(o, name, &v) ? json_object_get_string(v) : NULL;
}

static int64_t num(struct json_object *o, const char *name)
{
	struct json_object *v;

	ck_assert(json_object_object_get_ex(o, name, &v) && json_object_is_type(v, json_type_int));
	return json_object_get_int64(v);
}

static void check_assertion(const char *jwt, EVP_PKEY *pkey, const char *alg, const char *kid, char jti[64])
{
	const char *dot = strchr(jwt, '.'), *dot2 = strrchr(jwt, '.');
	struct json_object *head = decoded(jwt, (size_t)(dot - jwt)), *claims = decoded(dot + 1, (size_t)(dot2 - dot - 1));
	int64_t now = (int64_t)time(NULL);
	uint8_t sig[1024];
	size_t n;

	ck_assert_str_eq(str(head, "alg"), alg);
	if (kid)
		ck_assert_str_eq(str(head, "kid"), kid);
	else
		ck_assert_ptr_null(str(head, "kid"));
	ck_assert_str_eq(str(claims, "iss"), "the client");
	ck_assert_str_eq(str(claims, "sub"), "the client");
	ck_assert_str_eq(str(claims, "aud"), "https://h/a%2Fb");
	ck_assert_int_le(num(claims, "iat"), now);
	ck_assert_int_gt(num(claims, "exp"), now);
	ck_assert_int_le(num(claims, "exp"), now + 300);
	ck_assert_ptr_nonnull(str(claims, "jti"));
	ck_assert_uint_eq(strlen(str(claims, "jti")), 32);
	(void)sp_slice_copy(sp_slice_str(str(claims, "jti")), jti, 64);
	ck_assert_int_eq(sp_base64url_decode(sp_slice_str(dot2 + 1), sig, sizeof(sig), &n), 0);
	ck_assert(verifies(pkey, sp_slice_make(jwt, (size_t)(dot2 - jwt)), sig, n, alg[2] == '2' ? EVP_sha256() : EVP_sha384()));
	json_object_put(head);
	json_object_put(claims);
}

static const struct { const char *key; bool traditional; const char *kid, *alg; } signers[] = {
	{ "RSA", false, "k1", "RS256" }, { "RSA", true, NULL, "RS256" }, { "P-256", false, "k\"2", "ES256" },
	{ "P-256", true, NULL, "ES256" }, { "P-384", false, "k3", "ES384" },
};

START_TEST(assertions)
{
	static const char start[] = "grant_type=client_credentials&client_id=the+client&client_assertion_type="
				    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=";
	EVP_PKEY *pkey = new_key(signers[_i].key);
	struct sp_service_key k = { .auth = SP_CLIENT_PRIVATE_KEY_JWT, .client_id = sp_strdup("the client"),
				    .url = sp_strdup("https://h/{tenant}"), .private_key = pem_of(pkey, signers[_i].traditional),
				    .key_id = sp_strdup(signers[_i].kid) };
	char jti[2][64];

	for (unsigned i = 0; i < 2; i++) {
		ck_assert_msg(make(&k, "a/b", NULL) == 0, "%s", why.text);
		ck_assert_uint_eq(request.authorization.len, 0);
		ck_assert_int_eq(strncmp(sp_buf_str(&request.form), start, sizeof(start) - 1), 0);
		check_assertion(sp_buf_str(&request.form) + sizeof(start) - 1, pkey, signers[_i].alg, signers[_i].kid, jti[i]);
	}
	ck_assert_str_ne(jti[0], jti[1]);
	free(k.client_id);
	free(k.url);
	sp_secret_free(&k.private_key);
	free(k.key_id);
	EVP_PKEY_free(pkey);
}
END_TEST

/* A key that cannot sign is refused when it is read. */
START_TEST(unfit_keys)
{
	static const char *const kinds[] = { "P-521", "Ed25519", NULL };

	for (unsigned i = 0; i < SP_COUNT_OF(kinds); i++) {
		EVP_PKEY *pkey = !kinds[i]	       ? NULL :
				 strcmp(kinds[i], "Ed25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") :
								       EVP_EC_gen(kinds[i]);
		char *pem = pkey ? pem_of(pkey, false) : sp_strdup("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
		struct json_object *o = json_object_new_object();
		struct sp_service_key *key = NULL;
		struct sp_cause cause = { 0 };
		int err;

		json_object_object_add(o, "client_id", json_object_new_string("c"));
		json_object_object_add(o, "token_url", json_object_new_string("https://h"));
		json_object_object_add(o, "private_key", json_object_new_string(pem));
		err = sp_service_key_parse("k.json", json_object_to_json_string(o), &key, &cause);
		ck_assert_msg(err == SP_EINVAL, "%s", kinds[i] ? kinds[i] : "garbage");
		ck_assert_str_eq(cause.text, "k.json: private_key: not a private key of RSA, P-256 or P-384 without a passphrase");
		json_object_put(o);
		free(pem);
		EVP_PKEY_free(pkey);
	}
}
END_TEST

#else

START_TEST(no_assertions)
{
	struct sp_service_key *key = NULL;
	struct sp_cause cause = { 0 };
	static const char text[] = "{\"client_id\":\"c\",\"token_url\":\"https://h\","
				   "\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n\"}";

	ck_assert_int_eq(sp_service_key_parse("k.json", text, &key, &cause), SP_EUNSUPPORTED);
	ck_assert_str_eq(cause.text,
			 "k.json: private_key: private_key_jwt needs libjwt, which this sallyport was built without");
}
END_TEST

#endif

Suite *suite_tokens_request(void)
{
	Suite *s = suite_create("token request");
	TCase *tc = tcase_create("request");

	tcase_add_checked_fixture(tc, NULL, done);
	tcase_add_loop_test(tc, addresses, 0, SP_COUNT_OF(urls));
	tcase_add_loop_test(tc, addresses_refused, 0, SP_COUNT_OF(bad_urls));
	tcase_add_loop_test(tc, passwords, 0, SP_COUNT_OF(secrets));
#ifdef SP_WITH_JWT
	tcase_add_loop_test(tc, assertions, 0, SP_COUNT_OF(signers));
	tcase_add_test(tc, unfit_keys);
#else
	tcase_add_test(tc, no_assertions);
#endif
	suite_add_tcase(s, tc);
	return s;
}
