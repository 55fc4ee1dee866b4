/* What an issuer says of itself: believed or not. */
#include <stdlib.h>
#include <string.h>

#include "jwt/discovery.h"
#include "suites.h"

#define ISS "https://idp.example/a"

static const struct { const char *issuer, *url; } urls[] = {
	{ "https://idp.example", "https://idp.example/.well-known/openid-configuration" },
	{ "https://idp.example/", "https://idp.example/.well-known/openid-configuration" },
	{ "https://idp.example/a/b", "https://idp.example/a/b/.well-known/openid-configuration" },
	{ "https://idp.example/a/", "https://idp.example/a/.well-known/openid-configuration" },
};

START_TEST(where)
{
	char *url = jwt_discovery_url(urls[_i].issuer, strlen(urls[_i].issuer));

	ck_assert_str_eq(url, urls[_i].url);
	free(url);
}
END_TEST

#define URI "\"jwks_uri\":\"https://keys.example:8443/set\""
static const struct { const char *text, *why; } documents[] = {
	{ "{\"issuer\":\"" ISS "\"," URI "}", NULL },
	{ "{\"response_types_supported\":[\"code\"]," URI ",\"x\":{\"y\":[{}]},\"issuer\":\"" ISS "\"}", NULL },
	{ "{\"issuer\":\"https:\\/\\/idp.example\\/a\"," URI "}", NULL },
	{ "", "not JSON" },
	{ "<html>", "not JSON" },
	{ "[]", "not a JSON object" },
	{ "5", "not a JSON object" },
	{ "{}", "names no issuer" },
	{ "{" URI "}", "names no issuer" },
	{ "{\"issuer\":[\"" ISS "\"]," URI "}", "names no issuer" },
	{ "{\"issuer\":null," URI "}", "names no issuer" },
	{ "{\"issuer\":\"" ISS "/\"," URI "}", "another issuer's" },
	{ "{\"issuer\":\"https://idp.example/A\"," URI "}", "another issuer's" },
	{ "{\"issuer\":\"https://idp.example/\"," URI "}", "another issuer's" },
	{ "{\"issuer\":\"" ISS " \"," URI "}", "another issuer's" },
	{ "{\"issuer\":\"" ISS "\\u200b\"," URI "}", "another issuer's" },
	{ "{\"issuer\":\"" ISS "\"," URI ",\"issuer\":\"" ISS "\"}", "same name" },
	{ "{\"issuer\":\"" ISS "\"}", "names no jwks_uri" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":7}", "names no jwks_uri" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"http://keys.example/set\"}", "not an https URL" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"/set\"}", "not an https URL" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"file:///etc/passwd\"}", "not an https URL" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://u@keys.example/\"}", "not an https URL" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://keys.example/ x\"}", "not an https URL" },
	{ "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://keys.example/\\n\"}", "not an https URL" },
	{ "{\"issuer\":\"" ISS "\"," URI "} trailing", "not JSON" },
};

START_TEST(read)
{
	size_t n = strlen(documents[_i].text);
	char *exact = malloc(n ? n : 1), *uri = NULL, why[128] = "";
	int rc;

	memcpy(exact, documents[_i].text, n);
	rc = jwt_discovery_read(exact, n, ISS, strlen(ISS), &uri, why, sizeof(why));
	if (documents[_i].why) {
		ck_assert_int_eq(rc, -1);
		ck_assert_ptr_null(uri);
		ck_assert_msg(strstr(why, documents[_i].why) != NULL, "%s: %s", documents[_i].text, why);
	} else {
		ck_assert_msg(rc == 0, "%s: %s", documents[_i].text, why);
		ck_assert_str_eq(uri, "https://keys.example:8443/set");
	}
	free(uri);
	free(exact);
}
END_TEST

START_TEST(too_long)
{
	char text[4096] = "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://keys.example/", *uri = NULL, why[128] = "";
	size_t n = strlen(text);

	memset(text + n, 'a', JWT_DISCOVERY_URL_BYTES_MOST);
	strcpy(text + n + JWT_DISCOVERY_URL_BYTES_MOST, "\"}");
	ck_assert_int_eq(jwt_discovery_read(text, strlen(text), ISS, strlen(ISS), &uri, why, sizeof(why)), -1);
	ck_assert_str_eq(why, "its jwks_uri is too long");
}
END_TEST

Suite *suite_jwt_discovery(void)
{
	Suite *s = suite_create("jwt_discovery");
	TCase *tc = tcase_create("jwt_discovery");

	tcase_add_loop_test(tc, where, 0, sizeof(urls) / sizeof(urls[0]));
	tcase_add_loop_test(tc, read, 0, sizeof(documents) / sizeof(documents[0]));
	tcase_add_test(tc, too_long);
	suite_add_tcase(s, tc);
	return s;
}
