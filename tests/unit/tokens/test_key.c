/* Service keys: what is understood, what is refused, and in which words. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "fixture.h"

#define CERT_PEM "-----BEGIN CERTIFICATE-----\\nCERTCANARY\\n-----END CERTIFICATE-----\\n"
#define KEY_PEM "-----BEGIN PRIVATE KEY-----\\nKEYCANARY\\n-----END PRIVATE KEY-----\\n"
#define X509 "'certificate':'" CERT_PEM "','key':'" KEY_PEM "'"

static struct sp_service_key *key;
static struct sp_cause why;

/* With ' for ". */
static int parse(const char *json)
{
	char *text = sp_strdup(json);
	int err;

	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	sp_service_key_free(&key);
	why = (struct sp_cause){ 0 };
	err = sp_service_key_parse("k.json", text, &key, &why);
	ck_assert((err == 0) == (key != NULL));
	ck_assert_int_eq(err, why.err);
	free(text);
	return err;
}

static void good(const char *json)
{
	ck_assert_msg(parse(json) == 0, "%s: %s", json, why.text);
}

static void bad(const char *json, const char *text)
{
	ck_assert_msg(parse(json) == SP_EINVAL, "%s", json);
	ck_assert_str_eq(why.text, text);
}

static void done(void)
{
	sp_service_key_free(&key);
}

START_TEST(names)
{
	good("{'clientid':'c','clientsecret':'s','url':'https://h'}");
	ck_assert_str_eq(key->client_id, "c");
	ck_assert_str_eq(key->client_secret, "s");
	ck_assert_str_eq(key->url, "https://h/oauth/token");
	ck_assert(sp_service_key_shared(key));
	good("{'client_id':'c2','client_secret':'s2','token_url':'https://h','scope':'a b'}");
	ck_assert_str_eq(key->client_id, "c2");
	ck_assert_str_eq(key->client_secret, "s2");
	ck_assert_str_eq(key->url, "https://h");
	ck_assert_str_eq(key->scope, "a b");
	ck_assert_ptr_null(key->cert);
	ck_assert_ptr_null(key->private_key);
	ck_assert_ptr_null(key->key_id);
}
END_TEST

static const struct { const char *members, *url; } urls[] = {
	{ "'url':'https://h/'", "https://h/oauth/token" },
	{ "'url':'https://h:8443'", "https://h:8443/oauth/token" },
	{ "'url':'https://h/x'", "https://h/x" },
	{ "'url':'https://h?x=1'", "https://h?x=1" },
	{ "'url':'https://[::1]:1'", "https://[::1]:1/oauth/token" },
	{ "'token_service_url':'https://t','url':'https://u'", "https://t/oauth/token" },
	{ "'token_service_url':'https://t/oauth/token','url':'https://u'", "https://t/oauth/token" },
	{ "'token_url':'https://a/b','token_service_url':'https://t','url':'https://u'", "https://a/b" },
	{ "'certurl':'https://c','url':'https://u'", "https://u/oauth/token" }, /* no certificate is used */
	{ "'token_url':'https://{subdomain}.h/{tenant}?z={tenant}'", "https://{subdomain}.h/{tenant}?z={tenant}" },
	{ "'url':'https://{subdomain}.h'", "https://{subdomain}.h/oauth/token" },
};

START_TEST(addresses)
{
	char text[512];

	snprintf(text, sizeof(text), "{'clientid':'c','clientsecret':'s',%s}", urls[_i].members);
	good(text);
	ck_assert_str_eq(key->url, urls[_i].url);
	ck_assert(key->has_tenant == (strstr(key->url, "{tenant}") != NULL));
	ck_assert(key->has_subdomain == (strstr(key->url, "{subdomain}") != NULL));
	ck_assert(sp_service_key_shared(key) == !strchr(key->url, '{'));
}
END_TEST

static const struct { const char *url, *why; } bad_urls[] = {
	{ "http://h", "must begin with https://" },
	{ "HTTPS://h", "must begin with https://" },
	{ "ftp://h", "must begin with https://" },
	{ "h", "must begin with https://" },
	{ "https://", "names no host" },
	{ "https:///x", "names no host" },
	{ "https://:1", "names no host" },
	{ "https://u:p@h", "has a character in its host that does not belong there" },
	{ "https://h\\\\x", "has a character in its host that does not belong there" },
	{ "https://h#f", "has a character in its host that does not belong there" },
	{ "https://h/#f", "has a character that must be percent-encoded, or a fragment" },
	{ "https://h/a b", "has a character that must be percent-encoded, or a fragment" },
	{ "https://h/\\u00e4", "has a character that must be percent-encoded, or a fragment" },
	{ "https://h/a\\nb", "has a character that must be percent-encoded, or a fragment" },
	{ "https://h/{zone}", "has a placeholder that is neither {tenant} nor {subdomain}" },
	{ "https://h/{tenant", "has a placeholder that is neither {tenant} nor {subdomain}" },
	{ "https://h/tenant}", "has a character that must be percent-encoded, or a fragment" },
	{ "", "is empty" },
};

START_TEST(addresses_refused)
{
	static const char *const members[] = { "token_url", "token_service_url", "url" };
	char text[512], want[256];

	for (size_t i = 0; i < SP_COUNT_OF(members); i++) {
		snprintf(text, sizeof(text), "{'clientid':'c','clientsecret':'s','%s':'%s'}", members[i], bad_urls[_i].url);
		snprintf(want, sizeof(want), "k.json: %s %s", members[i], bad_urls[_i].why);
		bad(text, want);
	}
	snprintf(text, sizeof(text), "{'clientid':'c'," X509 ",'certurl':'%s','url':'https://h'}", bad_urls[_i].url);
	snprintf(want, sizeof(want), "k.json: certurl %s", bad_urls[_i].why);
	bad(text, want);
}
END_TEST

START_TEST(methods)
{
	static const struct { const char *members; enum sp_client_auth auth; } rows[] = {
		{ "'clientid':'c','clientsecret':'s'", SP_CLIENT_SECRET_POST }, /* as SAP names it */
		{ "'client_id':'c','client_secret':'s'", SP_CLIENT_SECRET_BASIC },
		{ "'clientid':'c','clientsecret':'s','auth_method':'client_secret_basic'", SP_CLIENT_SECRET_BASIC },
		{ "'client_id':'c','client_secret':'s','auth_method':'client_secret_post'", SP_CLIENT_SECRET_POST },
		{ "'client_id':'c'," X509, SP_CLIENT_TLS },
		{ "'client_id':'c','client_secret':'s'," X509, SP_CLIENT_TLS },
		{ "'client_id':'c','credential-type':'x509'," X509, SP_CLIENT_TLS },
		{ "'clientid':'c','clientsecret':'s','credential-type':'binding-secret'," X509, SP_CLIENT_SECRET_POST },
		{ "'clientid':'c','clientsecret':'s','credential-type':'instance-secret'", SP_CLIENT_SECRET_POST },
		{ "'client_id':'c','client_secret':'s','credential-type':'something'", SP_CLIENT_SECRET_BASIC },
		{ "'client_id':'c','client_secret':'s','auth_method':'client_secret_post'," X509, SP_CLIENT_SECRET_POST },
		{ "'client_id':'c','client_secret':'s','auth_method':'tls_client_auth'," X509, SP_CLIENT_TLS },
	};
	char text[1024];

	for (size_t i = 0; i < SP_COUNT_OF(rows); i++) {
		snprintf(text, sizeof(text), "{%s,'url':'https://u','certurl':'https://c'}", rows[i].members);
		good(text);
		ck_assert_msg(key->auth == rows[i].auth, "%s", text);
		ck_assert_str_eq(key->url, key->auth == SP_CLIENT_TLS ? "https://c/oauth/token" : "https://u/oauth/token");
	}
}
END_TEST

START_TEST(certificate)
{
	good("{'clientid':'c'," X509 ",'url':'https://u'}");
	ck_assert_str_eq(key->cert, "-----BEGIN CERTIFICATE-----\nCERTCANARY\n-----END CERTIFICATE-----\n");
	ck_assert_str_eq(key->cert_key, "-----BEGIN PRIVATE KEY-----\nKEYCANARY\n-----END PRIVATE KEY-----\n");
	ck_assert_str_eq(key->url, "https://u/oauth/token");
}
END_TEST

/* Bindings put it where they like. */
START_TEST(wrapped)
{
	static const char *const texts[] = {
		"{'name':'n','credentials':{'clientid':'c','clientsecret':'s','url':'https://h'}}",
		"{'credentials':'{\\'clientid\\':\\'c\\',\\'clientsecret\\':\\'s\\',\\'url\\':\\'https://h\\'}'}",
		"'{\\'clientid\\':\\'c\\',\\'clientsecret\\':\\'s\\',\\'url\\':\\'https://h\\'}'",
		"{'url':'http://service','uaa':{'clientid':'c','clientsecret':'s','url':'https://h'}}",
		"{'credentials':{'uaa':{'clientid':'c','clientsecret':'s','url':'https://h'}}}",
		" \n{'clientid':'c','clientsecret':'s','url':'https://h','uaa':{'clientid':'x'},'connectivity_service':{'url':'https://x'}} \n",
	};

	for (size_t i = 0; i < SP_COUNT_OF(texts); i++) {
		good(texts[i]);
		ck_assert_str_eq(key->client_id, "c");
		ck_assert_str_eq(key->url, "https://h/oauth/token");
	}
}
END_TEST

static const struct { const char *json, *text; } refused[] = {
	{ "", "k.json: not JSON" },
	{ "{", "k.json: not JSON" },
	{ "{'clientid':'c'} x", "k.json: not JSON" },
	{ "{clientid:'c'}", "k.json: not JSON" },
	{ "{'clientid':'\xff'}", "k.json: not JSON" },
	{ "[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]", "k.json: not JSON" },
	{ "[]", "k.json: not a JSON object with the client's credentials" },
	{ "7", "k.json: not a JSON object with the client's credentials" },
	{ "null", "k.json: not JSON" },
	{ "''", "k.json: not a JSON object with the client's credentials" },
	{ "'x'", "k.json: not a JSON object with the client's credentials" },
	{ "{'credentials':null}", "k.json: no clientid" },
	{ "{'credentials':[]}", "k.json: not a JSON object with the client's credentials" },
	{ "{'credentials':'{'}", "k.json: not a JSON object with the client's credentials" },
	{ "{'credentials':{'credentials':{'credentials':{'credentials':{'clientid':'c'}}}}}",
	  "k.json: not a JSON object with the client's credentials" },
	{ "{}", "k.json: no clientid" },
	{ "{'clientid':7}", "k.json: clientid must be a string" },
	{ "{'client_id':['c']}", "k.json: client_id must be a string" },
	{ "{'clientid':''}", "k.json: clientid is empty" },
	{ "{'clientid':'a\\u0000b'}", "k.json: clientid holds a NUL character" },
	{ "{'client_id':'a\\nb'}", "k.json: client_id holds control characters" },
	{ "{'clientid':'c'}", "k.json: no clientsecret, no certificate and no private_key: nothing proves who the client is" },
	{ "{'clientid':'c','clientsecret':''}", "k.json: clientsecret is empty" },
	{ "{'clientid':'c','clientsecret':false}", "k.json: clientsecret must be a string" },
	{ "{'clientid':'c','clientsecret':'s'}", "k.json: no token_url, token_service_url or url" },
	{ "{'clientid':'c','clientsecret':'s','url':7}", "k.json: url must be a string" },
	{ "{'clientid':'c','certificate':'" CERT_PEM "'}", "k.json: certificate is there, but its key is not" },
	{ "{'clientid':'c','key':'" KEY_PEM "'}", "k.json: key is there, but its certificate is not" },
	{ "{'clientid':'c','certificate':'x','key':'" KEY_PEM "'}", "k.json: certificate is not PEM" },
	{ "{'clientid':'c','certificate':'" KEY_PEM "','key':'" KEY_PEM "'}", "k.json: certificate is not PEM" },
	{ "{'clientid':'c','certificate':'" CERT_PEM "','key':'" CERT_PEM "'}", "k.json: key is not PEM" },
	{ "{'clientid':'c','key':'-----BEGIN ENCRYPTED PRIVATE KEY-----\\nx\\n-----END ENCRYPTED PRIVATE KEY-----'}",
	  "k.json: key is encrypted: only keys without a passphrase can be used" },
	{ "{'clientid':'c','private_key':'-----BEGIN RSA PRIVATE KEY-----\\nProc-Type: 4,ENCRYPTED\\n-----END RSA PRIVATE KEY-----'}",
	  "k.json: private_key is encrypted: only keys without a passphrase can be used" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','auth_method':'none'}",
	  "k.json: auth_method must be client_secret_basic, client_secret_post, private_key_jwt or tls_client_auth" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','auth_method':'tls_client_auth'}", "k.json: no certificate" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','auth_method':'private_key_jwt'}", "k.json: no private_key" },
	{ "{'clientid':'c'," X509 ",'url':'https://h','auth_method':'client_secret_post'}", "k.json: no clientsecret" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','credential-type':'x509'}", "k.json: no certificate" },
	{ "{'clientid':'c'," X509 ",'url':'https://h','credential-type':'binding-secret'}", "k.json: no clientsecret" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','credential-type':7}", "k.json: credential-type must be a string" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','key_id':''}", "k.json: key_id is empty" },
	{ "{'clientid':'c','clientsecret':'s','url':'https://h','scope':[]}", "k.json: scope must be a string" },
};

START_TEST(refusals)
{
	bad(refused[_i].json, refused[_i].text);
}
END_TEST

START_TEST(too_long)
{
	char text[2048], a[1200];

	memset(a, 'a', sizeof(a) - 1);
	a[sizeof(a) - 1] = '\0';
	snprintf(text, sizeof(text), "{'clientid':'%s'}", a);
	bad(text, "k.json: clientid is too long");
	snprintf(text, sizeof(text), "{'clientid':'%.1024s','clientsecret':'s','url':'https://h'}", a);
	good(text);
}
END_TEST

/* Whatever is wrong: values are not told. */
START_TEST(no_values)
{
	static const char *const texts[] = {
		"{'clientid':'c','clientsecret':'CANARY','url':'http://h'}",
		"{'clientid':'c','clientsecret':'CANARY\\n','url':'https://h'}",
		"{'clientid':'c','certificate':'CANARY','key':'CANARY'}",
		"{'clientid':'c','private_key':'-----BEGIN PRIVATE KEY-----\\nCANARY\\n-----END PRIVATE KEY-----\\n','url':'https://h'}",
		"{'clientid':'c','clientsecret':'CANARY','url':'https://h','auth_method':'CANARY'}",
	};

	for (size_t i = 0; i < SP_COUNT_OF(texts); i++) {
		ck_assert_int_ne(parse(texts[i]), 0);
		ck_has_not(why.text, "CANARY");
	}
}
END_TEST

/* ---- the file ------------------------------------------------------------------- */

static int load(void)
{
	sp_service_key_free(&key);
	why = (struct sp_cause){ 0 };
	return sp_service_key_load(fx_key_file, &key, &why);
}

START_TEST(file)
{
	fx_write_key(KEY_SHARED);
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(key->client_secret, "s1");
	ck_assert_int_eq(chmod(fx_key_file, 0604), 0);
	ck_assert_int_eq(load(), SP_EDENIED);
	ck_has(why.text, fx_key_file);
	ck_assert_int_eq(chmod(fx_key_file, 0640), 0); /* a group is a deployment's business */
	ck_assert_int_eq(load(), 0);
	fx_write_key("{");
	ck_assert_int_eq(load(), SP_EINVAL);
	ck_has(why.text, "service-key.json: not JSON");
	ck_assert_int_eq(unlink(fx_key_file), 0);
	ck_assert_int_eq(load(), SP_ESYS);
	ck_has(why.text, fx_key_file);
}
END_TEST

/* ---- the samples of conf/ ------------------------------------------------------------- */

static int load_sample(const char *name)
{
	char path[512], *text;
	struct sp_buf b = { 0 };
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/conf/service-key.%s.json", SP_SRCDIR, name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	while ((c = fgetc(f)) != EOF)
		sp_buf_append(&b, &(char){ (char)c }, 1);
	fclose(f);
	text = sp_strdup(sp_buf_str(&b));
	sp_buf_deinit(&b);
	sp_service_key_free(&key);
	why = (struct sp_cause){ 0 };
	c = sp_service_key_parse(name, text, &key, &why);
	free(text);
	return c;
}

START_TEST(samples)
{
	ck_assert_msg(load_sample("secret") == 0, "%s", why.text);
	ck_assert_int_eq(key->auth, SP_CLIENT_SECRET_BASIC);
	ck_assert(!sp_service_key_shared(key));
	ck_assert_msg(load_sample("sap") == 0, "%s", why.text);
	ck_assert_int_eq(key->auth, SP_CLIENT_SECRET_POST);
	ck_assert_str_eq(key->url, "https://acme.authentication.example/oauth/token");
	ck_assert_msg(load_sample("certificate") == 0, "%s", why.text);
	ck_assert_int_eq(key->auth, SP_CLIENT_TLS);
	ck_assert_str_eq(key->url, "https://acme.authentication.cert.example/oauth/token");
	/* All but the key itself, which nobody should take from a sample. */
	ck_assert_int_ne(load_sample("private-key"), 0);
#ifdef SP_WITH_JWT
	ck_assert_str_eq(why.text, "private-key: private_key: not a private key of RSA, P-256 or P-384 without a passphrase");
#endif
}
END_TEST

Suite *suite_tokens_key(void)
{
	Suite *s = suite_create("service key");
	TCase *tc = tcase_create("text");

	tcase_add_unchecked_fixture(tc, NULL, done);
	tcase_add_checked_fixture(tc, NULL, done);
	tcase_add_test(tc, names);
	tcase_add_loop_test(tc, addresses, 0, SP_COUNT_OF(urls));
	tcase_add_loop_test(tc, addresses_refused, 0, SP_COUNT_OF(bad_urls));
	tcase_add_test(tc, methods);
	tcase_add_test(tc, certificate);
	tcase_add_test(tc, wrapped);
	tcase_add_loop_test(tc, refusals, 0, SP_COUNT_OF(refused));
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, no_values);
	tcase_add_test(tc, samples);
	suite_add_tcase(s, tc);
	tc = tcase_create("file");
	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_add_checked_fixture(tc, NULL, done);
	tcase_add_test(tc, file);
	suite_add_tcase(s, tc);
	return s;
}
