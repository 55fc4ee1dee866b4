/* JWK sets: what is imported, skipped, refused. */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt/keyset.h"
#include "mint.h"
#include "suites.h"

static EVP_PKEY *rsa, *ec, *ec384, *ed;

static void setup(void)
{
	rsa = mint_rsa(2048);
	ec = mint_ec("P-256");
	ec384 = mint_ec("P-384");
	ed = mint_ed();
}

static void teardown(void)
{
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
	EVP_PKEY_free(ec384);
	EVP_PKEY_free(ed);
}

static struct jwt_keyset *imported(char *set)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";

	ck_assert_msg(jwt_keyset_import(set, strlen(set), &ks, why, sizeof(why)) == 0, "%s", why);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	free(set);
	return ks;
}

static void refused(char *set, const char *text)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";

	ck_assert_int_eq(jwt_keyset_import(set, strlen(set), &ks, why, sizeof(why)), -1);
	ck_assert_ptr_null(ks);
	ck_assert_msg(strstr(why, text) != NULL, "\"%s\" is not in: %s", text, why);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	free(set);
}

static char *set_of(char *jwk)
{
	return mint_set((char *const[]){ jwk, NULL });
}

#define LITERAL(members) strdup("{\"keys\":[{" members "}]}")

START_TEST(bound_to_algorithms)
{
	struct jwt_keyset *ks = imported(mint_set((char *const[]){ mint_jwk(rsa, "a", ""), mint_jwk(rsa, "b", "\"alg\":\"PS384\","),
								    mint_jwk(ec, "c", ""), mint_jwk(ec384, "d", ""), mint_jwk(ed, "e", ""),
								    NULL }));
	const uint32_t rs = JWT_ALG_BIT(0) | JWT_ALG_BIT(1) | JWT_ALG_BIT(2), ps = JWT_ALG_BIT(3) | JWT_ALG_BIT(4) | JWT_ALG_BIT(5);

	ck_assert_uint_eq(ks->count, 5);
	ck_assert_uint_eq(ks->keys[0].algs, rs | ps);
	ck_assert_uint_eq(ks->keys[1].algs, JWT_ALG_BIT(jwt_alg_find("PS384")));
	ck_assert_uint_eq(ks->keys[2].algs, JWT_ALG_BIT(jwt_alg_find("ES256")));
	ck_assert_uint_eq(ks->keys[3].algs, JWT_ALG_BIT(jwt_alg_find("ES384")));
	ck_assert_uint_eq(ks->keys[4].algs, JWT_ALG_BIT(jwt_alg_find("EdDSA")));
	jwt_keyset_free(&ks);
	ck_assert_ptr_null(ks);
}
END_TEST

START_TEST(found_by_kid)
{
	EVP_PKEY *other = mint_ec("P-256");
	struct jwt_keyset *ks = imported(mint_set((char *const[]){ mint_jwk(rsa, "x", ""), mint_jwk(ec, "x", ""), mint_jwk(other, "y", ""),
								    NULL }));
	unsigned es256 = (unsigned)jwt_alg_find("ES256"), rs256 = (unsigned)jwt_alg_find("RS256"), ed25519 = (unsigned)jwt_alg_find("EdDSA");
	const struct jwt_key *k = NULL;

	/* The same name for two types: the algorithm tells them apart. */
	ck_assert_int_eq(jwt_keyset_find(ks, rs256, (sp_str){ "x", 1 }, &k), JWT_FOUND);
	ck_assert_ptr_eq(k, &ks->keys[0]);
	ck_assert_int_eq(jwt_keyset_find(ks, es256, (sp_str){ "x", 1 }, &k), JWT_FOUND);
	ck_assert_ptr_eq(k, &ks->keys[1]);
	ck_assert_int_eq(jwt_keyset_find(ks, es256, (sp_str){ "y", 1 }, &k), JWT_FOUND);
	ck_assert_int_eq(jwt_keyset_find(ks, es256, (sp_str){ "z", 1 }, &k), JWT_FOUND_NONE);
	ck_assert_int_eq(jwt_keyset_find(ks, es256, (sp_str){ "xx", 2 }, &k), JWT_FOUND_NONE);
	ck_assert_int_eq(jwt_keyset_find(ks, es256, (sp_str){ 0 }, &k), JWT_FOUND_SEVERAL);
	ck_assert_int_eq(jwt_keyset_find(ks, rs256, (sp_str){ 0 }, &k), JWT_FOUND);
	ck_assert_int_eq(jwt_keyset_find(ks, ed25519, (sp_str){ 0 }, &k), JWT_FOUND_NONE);
	jwt_keyset_free(&ks);
	EVP_PKEY_free(other);
}
END_TEST

/* Sets hold keys for other purposes and of later kinds: they are not errors (RFC 7517 section 5). */
START_TEST(skipped)
{
	char *encryption = mint_jwk(rsa, "1", "\"use\":\"enc\","), *wrap = mint_jwk(rsa, "2", "\"key_ops\":[\"wrapKey\"],");
	char *oaep = mint_jwk(rsa, "3", "\"alg\":\"RSA-OAEP\","), *odd = strdup("{\"kty\":\"AKP\",\"kid\":\"4\"}");
	char *curve = strdup("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}");
	struct jwt_keyset *ks = imported(mint_set((char *const[]){ encryption, mint_jwk(ec, "good", ""), wrap, oaep, odd, curve, NULL }));

	ck_assert_uint_eq(ks->count, 1);
	ck_assert_uint_eq(ks->skipped, 5);
	ck_assert_str_eq(ks->keys[0].kid, "good");
	ck_assert_ptr_nonnull(strstr(ks->skip_why, "keys/0: it is not for verifying"));
	jwt_keyset_free(&ks);
}
END_TEST

START_TEST(nothing_usable)
{
	refused(strdup("{\"keys\":[]}"), "no key in it");
	refused(set_of(mint_jwk(rsa, "1", "\"use\":\"enc\",")), "no key in it can verify tokens");
}
END_TEST

START_TEST(duplicates)
{
	EVP_PKEY *other = mint_ec("P-256");
	struct jwt_keyset *ks;

	refused(mint_set((char *const[]){ mint_jwk(ec, "x", ""), mint_jwk(other, "x", ""), NULL }), "keys/1: another key has the same \"kid\"");
	ks = imported(mint_set((char *const[]){ mint_jwk(ec, "x", ""), mint_jwk(ec, "x", ""), NULL })); /* the same key twice */
	ck_assert_uint_eq(ks->count, 1);
	jwt_keyset_free(&ks);
	/* Without names they may stand beside each other; only a token without a name cannot choose. */
	ks = imported(mint_set((char *const[]){ mint_jwk(ec, NULL, ""), mint_jwk(other, NULL, ""), NULL }));
	ck_assert_uint_eq(ks->count, 2);
	jwt_keyset_free(&ks);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(not_public)
{
	char *private = mint_jwk(ec, "x", "\"d\":\"AAAA\",");

	refused(set_of(private), "keys/0: a private key");
	refused(LITERAL("\"kty\":\"oct\",\"k\":\"c2VjcmV0\",\"alg\":\"HS256\""), "keys/0: a shared secret");
	refused(mint_set((char *const[]){ mint_jwk(ec, "x", ""), strdup("{\"kty\":\"oct\",\"k\":\"AA\"}"), NULL }), "keys/1: a shared secret");
}
END_TEST

START_TEST(malformed)
{
	static const struct { const char *set, *text; } all[] = {
		{ "", "not JSON" },
		{ "[]", "not a JWK set" },
		{ "{}", "not a JWK set" },
		{ "{\"keys\":{}}", "not a JWK set" },
		{ "{\"keys\":[],\"keys\":[]}", "same name" },
		{ "{\"keys\":[5]}", "keys/0: not an object" },
		{ "{\"keys\":[null]}", "keys/0: not an object" },
		{ "{\"keys\":[{}]}", "\"kty\" is missing" },
		{ "{\"keys\":[{\"kty\":7}]}", "\"kty\" is missing" },
		{ "{\"keys\":[{\"kty\":\"RSA\"}]}", "\"n\" or \"e\"" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"\"}]}", "\"n\" or \"e\"" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"A=\",\"e\":\"AQAB\"}]}", "\"n\" or \"e\"" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":5,\"e\":\"AQAB\"}]}", "\"n\" or \"e\"" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}", "an RSA key of" },
		{ "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"gQ\",\"e\":\"AQAB\"}]}", "an RSA key of 8 bits" },
		{ "{\"keys\":[{\"kty\":\"EC\"}]}", "\"crv\" is missing" },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQ\",\"y\":\"AQ\"}]}", "not 32 bytes long" },
		{ "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
		  "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}", "keys/0: " }, /* not on the curve */
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQ\"}]}", "not 32 bytes long" },
		{ "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AQ\"}]}", "no key in it can verify" },
	};

	refused(strdup(all[_i].set), all[_i].text);
}
END_TEST

START_TEST(contradictory)
{
	refused(set_of(mint_jwk(rsa, "x", "\"alg\":\"ES256\",")), "does not go with its type");
	refused(set_of(mint_jwk(ec384, "x", "\"alg\":\"ES256\",")), "does not go with its type");
	refused(set_of(mint_jwk(ec, "x", "\"alg\":5,")), "\"alg\" is not a string");
	refused(set_of(mint_jwk(ec, "", "")), "\"kid\" is not a string of 1");
	refused(set_of(mint_jwk(ec, NULL, "\"kid\":5,")), "\"kid\" is not a string of 1");
}
END_TEST

START_TEST(weak_rsa)
{
	EVP_PKEY *small = mint_rsa(1024);
	char set[512], *even;
	unsigned char n[256];

	memset(n, 0xfe, sizeof(n));
	even = mint_base64url(n, sizeof(n));
	snprintf(set, sizeof(set), "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}]}", even);
	free(even);
	refused(strdup(set), "OpenSSL's check");
	refused(set_of(mint_jwk(small, "x", "")), "an RSA key of 1024 bits");
	EVP_PKEY_free(small);
}
END_TEST

START_TEST(too_many)
{
	char *jwks[JWT_KEYS_MOST + 2] = { 0 }, kid[16];
	struct jwt_keyset *ks;

	for (unsigned i = 0; i < JWT_KEYS_MOST; i++) {
		snprintf(kid, sizeof(kid), "k%u", i);
		jwks[i] = mint_jwk(ec, kid, "");
	}
	ks = imported(mint_set(jwks));
	ck_assert_uint_eq(ks->count, JWT_KEYS_MOST);
	jwt_keyset_free(&ks);
	for (unsigned i = 0; i <= JWT_KEYS_MOST; i++) {
		snprintf(kid, sizeof(kid), "k%u", i);
		jwks[i] = mint_jwk(ec, kid, "");
	}
	refused(mint_set(jwks), "101 keys; 100 are accepted");
}
END_TEST

/* The same key is the same in every set; with another name, for another algorithm it is not. */
START_TEST(identity)
{
	struct jwt_keyset *a = imported(mint_set((char *const[]){ mint_jwk(rsa, "a", ""), mint_jwk(ec, "e", ""), NULL })),
			  *again = imported(mint_set((char *const[]){ mint_jwk(ec, "e", ""), mint_jwk(rsa, "a", ""), NULL })),
			  *renamed = imported(mint_set((char *const[]){ mint_jwk(rsa, "b", ""), mint_jwk(ec, NULL, ""), NULL })),
			  *bound = imported(set_of(mint_jwk(rsa, "a", "\"alg\":\"RS256\",")));

	ck_assert_uint_ne(a->serial, again->serial);
	ck_assert(jwt_keyset_has(again, a->keys[0].id) && jwt_keyset_has(again, a->keys[1].id));
	ck_assert(!jwt_keyset_has(renamed, a->keys[0].id) && !jwt_keyset_has(renamed, a->keys[1].id));
	ck_assert(!jwt_keyset_has(bound, a->keys[0].id));
	jwt_keyset_free(&a);
	jwt_keyset_free(&again);
	jwt_keyset_free(&renamed);
	jwt_keyset_free(&bound);
}
END_TEST

static struct jwt_keyset *secret(const char *bytes, size_t n, uint32_t algs)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";

	ck_assert_int_eq(jwt_keyset_import_secret(bytes, n, algs, &ks, why, sizeof(why)), ks ? 0 : -1);
	ck_assert(ks || strstr(why, "a secret of"));
	return ks;
}

/* A secret is for the digests that are not longer than itself. */
START_TEST(secrets)
{
	static char big[JWT_SECRET_BYTES_MOST + 2];
	const uint32_t hs256 = JWT_ALG_BIT(jwt_alg_find("HS256")), hs384 = JWT_ALG_BIT(jwt_alg_find("HS384"));
	const struct { size_t n; uint32_t algs; } all[] = { { 32, hs256 }, { 47, hs256 }, { 48, hs256 | hs384 }, { 63, hs256 | hs384 },
							   { 64, JWT_ALG_SHARED }, { JWT_SECRET_BYTES_MOST, JWT_ALG_SHARED } };
	const struct jwt_key *key;
	struct jwt_keyset *ks, *other;

	memset(big, 's', sizeof(big));
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		ks = secret(big, all[i].n, JWT_ALG_SHARED);
		ck_assert_ptr_nonnull(ks);
		ck_assert_uint_eq(ks->keys[0].algs, all[i].algs);
		jwt_keyset_free(&ks);
	}
	ck_assert_ptr_null(secret(big, 0, JWT_ALG_SHARED));
	ck_assert_ptr_null(secret("\n", 1, JWT_ALG_SHARED));
	ck_assert_ptr_null(secret(big, 31, JWT_ALG_SHARED));
	ck_assert_ptr_null(secret(big, 47, hs384));
	ck_assert_ptr_null(secret(big, JWT_SECRET_BYTES_MOST + 1, JWT_ALG_SHARED));
	ck_assert_ptr_null(secret(big, 64, JWT_ALG_PUBLIC));
	big[32] = '\n';
	ks = secret(big, 33, JWT_ALG_SHARED);
	ck_assert_uint_eq(ks->keys[0].secret_bytes, 32);
	ck_assert_int_eq(jwt_keyset_find(ks, (unsigned)jwt_alg_find("HS256"), (sp_str){ "any", 3 }, &key), JWT_FOUND);
	ck_assert_int_eq(jwt_keyset_find(ks, (unsigned)jwt_alg_find("HS256"), (sp_str){ 0 }, &key), JWT_FOUND);
	ck_assert_int_eq(jwt_keyset_find(ks, (unsigned)jwt_alg_find("RS256"), (sp_str){ 0 }, &key), JWT_FOUND_NONE);
	big[32] = '\r';
	big[33] = '\n';
	other = secret(big, 34, JWT_ALG_SHARED);
	ck_assert(jwt_keyset_has(other, ks->keys[0].id));
	jwt_keyset_free(&other);
	big[31] = 't';
	other = secret(big, 34, JWT_ALG_SHARED);
	ck_assert(!jwt_keyset_has(other, ks->keys[0].id));
	jwt_keyset_free(&other);
	jwt_keyset_free(&ks);
}
END_TEST

Suite *suite_jwt_keyset(void)
{
	const TTest *const tests[] = { bound_to_algorithms, found_by_kid, skipped, nothing_usable, duplicates,
				       not_public, contradictory, weak_rsa, too_many, identity, secrets };
	Suite *s = suite_create("jwt/keyset");
	TCase *tc = tcase_create("keyset");

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, malformed, 0, 20);
	suite_add_tcase(s, tc);
	return s;
}
