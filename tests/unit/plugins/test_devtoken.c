/* Developer's keys and tokens: what sallyportctl makes, the jwt plugin accepts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devtoken/devtoken.h"
#include "jwt_both.h"
#include "suites.h"

#define NOW 1700000000

static struct sp_devtoken_why why;
#define works(call) ck_assert_msg((call) == 0, "%s", why.text)

static struct jwt_keyset *import(const char *set)
{
	struct jwt_keyset *ks = NULL;
	char text[256] = "";

	ck_assert_msg(jwt_keyset_import(set, strlen(set), &ks, text, sizeof(text)) == 0, "%s", text);
	return ks;
}

static const char *const algs[] = { "RS256", "ES256", "ES384" };

START_TEST(round_trip)
{
	static const struct sp_devtoken_claim claims[] = { { "iss", "i", false }, { "exp", "1700000600", true },
							   { "tenant", "a\"c\\m\te", false }, { "roles", "[\"x\",{\"y\":1}]", true } };
	EVP_PKEY *key, *again;
	struct jwt_keyset *ks;
	struct jwt_policy p;
	struct jwt_claims c;
	struct jwt_refusal no = { .text = "" };
	sp_error err = { .size = sizeof(err) };
	char kid[SP_DEVTOKEN_KID_SIZE], *set, *token, path[] = "/tmp/sp-devtoken-XXXXXX";

	works(sp_devtoken_key_new(algs[_i], &key, &why));
	ck_assert_str_eq(sp_devtoken_alg(key), algs[_i]);
	works(sp_devtoken_kid(key, kid, &why));
	works(sp_devtoken_set(key, kid, &set, &why));
	close(mkstemp(path));
	unlink(path);
	works(sp_devtoken_key_write(key, path, &why));
	works(sp_devtoken_key_read(path, &again, &why));
	unlink(path);
	works(sp_devtoken_sign(again, kid, claims, 4, &token, &why));

	ks = import(set);
	ck_assert_int_eq(jwt_policy_read("{\"issuer\":\"i\",\"jwks_file\":\"f\"}", &p, &err), 0);
	ck_assert_msg(jwt_both((sp_str){ token, strlen(token) }, ks, &p, NOW, &c, &no) == 0, "%s", no.text);
	ck_assert_int_eq(c.expires_at, NOW + 660);
	ck_assert_uint_eq(c.tenant.n, 7);
	ck_assert_int_eq(memcmp(c.tenant.p, "a\"c\\m\te", 7), 0);
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(c.root), "{ \"y\": 1 }"));
	jwt_claims_deinit(&c);
	jwt_policy_deinit(&p);
	jwt_keyset_free(&ks);
	free(token);
	free(set);
	EVP_PKEY_free(key);
	EVP_PKEY_free(again);
}
END_TEST

/* RFC 7638 section 3.1 */
START_TEST(thumbprint)
{
	struct jwt_keyset *ks = import("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z"
				       "wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4Qy"
				       "Q5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTW"
				       "hAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\"}]}");
	char kid[SP_DEVTOKEN_KID_SIZE];

	works(sp_devtoken_kid(ks->keys[0].pkey, kid, &why));
	ck_assert_str_eq(kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
	jwt_keyset_free(&ks);
}
END_TEST

START_TEST(files)
{
	char folder[] = "/tmp/sp-devtoken-XXXXXX", path[64];
	EVP_PKEY *key, *other = NULL;
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f", folder);
	works(sp_devtoken_key_new("ES256", &key, &why));
	works(sp_devtoken_key_write(key, path, &why));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(sp_devtoken_key_write(key, path, &why), -1); /* nothing is overwritten */
	ck_assert_ptr_nonnull(strstr(why.text, "File exists"));
	ck_assert_int_eq(sp_devtoken_set_write("{}", path, &why), -1);
	unlink(path);
	umask(077);
	works(sp_devtoken_set_write("{}", path, &why));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(sp_devtoken_key_read(path, &other, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "not a private key"));
	ck_assert_ptr_null(other);
	unlink(path);
	rmdir(folder);
	ck_assert_int_eq(sp_devtoken_key_read(path, &other, &why), -1);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(refusals)
{
	static const struct sp_devtoken_claim twice[] = { { "a", "b", false }, { "a", "1", true } }, not_json = { "a", "[", true },
					      not_text = { "a", "\xff", false };
	EVP_PKEY *key = NULL;
	char *out = NULL;

	ck_assert_int_eq(sp_devtoken_key_new("HS256", &key, &why), -1);
	works(sp_devtoken_key_new("ES256", &key, &why));
	ck_assert_int_eq(sp_devtoken_sign(key, "k", twice, 2, &out, &why), -1);
	ck_assert_str_eq(why.text, "claim \"a\" is given twice");
	ck_assert_int_eq(sp_devtoken_sign(key, "k", &not_json, 1, &out, &why), -1);
	ck_assert_str_eq(why.text, "claim \"a\": its value is not JSON");
	ck_assert_int_eq(sp_devtoken_sign(key, "k", &not_text, 1, &out, &why), -1);
	ck_assert_int_eq(sp_devtoken_set(key, "a\"b", &out, &why), -1);
	ck_assert_ptr_null(out);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(durations)
{
	static const struct { const char *text; int64_t s; } all[] = { { "90s", 90 }, { "15m", 900 }, { "8h", 28800 }, { "30d", 2592000 },
								       { "-5m", -300 }, { "0s", 0 } };
	static const char *const bad[] = { "", "5", "m", "-", "-m", "--5m", "5 m", "5ms", "+5m", "1000001d" };
	int64_t s;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		works(sp_devtoken_duration(all[i].text, &s, &why));
		ck_assert_int_eq(s, all[i].s);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(sp_devtoken_duration(bad[i], &s, &why) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(lists)
{
	char *out;

	works(sp_devtoken_list((const char *const[]){ "a", "b\"\n" }, 2, &out, &why));
	ck_assert_str_eq(out, "[\"a\",\"b\\\"\\u000a\"]");
	free(out);
}
END_TEST

Suite *suite_devtoken(void)
{
	Suite *s = suite_create("devtoken");
	TCase *tc = tcase_create("devtoken");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, round_trip, 0, 3);
	tcase_add_test(tc, thumbprint);
	tcase_add_test(tc, files);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, durations);
	tcase_add_test(tc, lists);
	suite_add_tcase(s, tc);
	return s;
}
