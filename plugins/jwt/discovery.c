/* Provider configuration: see discovery.h. */
#include "discovery.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strictjson.h"
#include "issuer.h"

#define DEPTH 16u

char *jwt_discovery_url(const char *issuer, size_t n)
{
	static const char tail[] = "/.well-known/openid-configuration";
	char *url;

	if (n > 0 && issuer[n - 1] == '/')
		n--;
	url = malloc(n + sizeof(tail));
	if (!url)
		return NULL;
	memcpy(url, issuer, n);
	memcpy(url + n, tail, sizeof(tail));
	return url;
}

static const char *member(json_object *o, const char *name, size_t *n_out)
{
	json_object *v;

	if (!json_object_object_get_ex(o, name, &v) || !json_object_is_type(v, json_type_string))
		return NULL;
	*n_out = (size_t)json_object_get_string_len(v);
	return json_object_get_string(v);
}

/* NULL with *uri_out (borrowed), or why not. */
static const char *read_members(json_object *o, const char *issuer, size_t issuer_n, const char **uri_out)
{
	const char *named, *uri;
	size_t n = 0;

	if (!json_object_is_type(o, json_type_object))
		return "it is not a JSON object";
	named = member(o, "issuer", &n);
	if (!named)
		return "it names no issuer";
	if (n != issuer_n || memcmp(named, issuer, n) != 0)
		return "it is another issuer's";
	uri = member(o, "jwks_uri", &n);
	if (!uri)
		return "it names no jwks_uri";
	if (n > JWT_DISCOVERY_URL_BYTES_MOST)
		return "its jwks_uri is too long";
	if (jwt_url_check(uri) != NULL)
		return "its jwks_uri is not an https URL";
	*uri_out = uri;
	return NULL;
}

int jwt_discovery_read(const char *text, size_t n, const char *issuer, size_t issuer_n, char **jwks_uri_out, char *why, size_t why_size)
{
	const char *failed = NULL, *uri = NULL;
	json_object *o = pc_json_parse(text, n, DEPTH, &failed);
	char *copy = NULL;

	if (!o) {
		snprintf(why, why_size, "not JSON: %s", failed);
		return -1;
	}
	failed = read_members(o, issuer, issuer_n, &uri);
	if (!failed) {
		copy = strdup(uri);
		if (!copy)
			failed = "out of memory";
	}
	json_object_put(o);
	if (failed) {
		snprintf(why, why_size, "%s", failed);
		return -1;
	}
	*jwks_uri_out = copy;
	return 0;
}
