/* Pieces of a token: see token.h. */
#include "token.h"

#include <stdlib.h>
#include <string.h>

#include "strictjson.h"

#define TOKEN_JSON_DEPTH 16

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

long pc_base64url(sp_str text, uint8_t *dst, size_t size)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (text.n % 4 == 1)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		int v = sextet(text.p[i]);

		if (v < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)v) & 0xFFFFFF;
		have += 6;
		if (have >= 8) {
			if (n == size)
				return -1;
			have -= 8;
			dst[n++] = (uint8_t)(bits >> have);
		}
	}
	if (bits & ((1u << have) - 1))
		return -1;
	return (long)n;
}

int pc_token_split(sp_str token, sp_str parts[3])
{
	const char *one, *two, *end = token.p + token.n;

	one = token.n ? memchr(token.p, '.', token.n) : NULL;
	two = one ? memchr(one + 1, '.', (size_t)(end - one - 1)) : NULL;
	if (!two || memchr(two + 1, '.', (size_t)(end - two - 1)))
		return -1;
	parts[0] = (sp_str){ token.p, (size_t)(one - token.p) };
	parts[1] = (sp_str){ one + 1, (size_t)(two - one - 1) };
	parts[2] = (sp_str){ two + 1, (size_t)(end - two - 1) };
	return 0;
}

json_object *pc_token_json(sp_str part, char **text_out, size_t *n_out, const char **why_out)
{
	size_t size = part.n / 4 * 3 + 3;
	char *text = malloc(size);
	json_object *o = NULL;
	long n;

	if (!text) {
		*why_out = "out of memory";
		return NULL;
	}
	n = pc_base64url(part, (uint8_t *)text, size);
	if (n < 0) {
		*why_out = "not base64url";
	} else {
		o = pc_json_parse(text, (size_t)n, TOKEN_JSON_DEPTH, why_out);
		if (o && !json_object_is_type(o, json_type_object)) {
			*why_out = "not a JSON object";
			json_object_put(o);
			o = NULL;
		}
	}
	if (o && text_out) {
		*text_out = text;
		*n_out = (size_t)n;
	} else {
		free(text);
	}
	return o;
}

/* The object whose name is the longest beginning of the path that ends at a dot; *rest is what follows. */
static json_object *step(json_object *o, const char *path, const char **rest)
{
	char name[256];

	for (size_t n = strlen(path); n-- > 0;) {
		json_object *v;

		if (path[n] != '.' || n >= sizeof(name))
			continue;
		memcpy(name, path, n);
		name[n] = '\0';
		if (!json_object_object_get_ex(o, name, &v) || !json_object_is_type(v, json_type_object))
			continue;
		*rest = path + n + 1;
		return v;
	}
	return NULL;
}

json_object *pc_claim(json_object *claims, const char *path)
{
	while (claims) {
		json_object *v;

		if (json_object_object_get_ex(claims, path, &v))
			return v;
		claims = step(claims, path, &path);
	}
	return NULL;
}

int pc_claim_string(json_object *claims, char *const *paths, sp_str *out)
{
	for (; paths && *paths; paths++) {
		json_object *v = pc_claim(claims, *paths);

		if (!v)
			continue;
		if (json_object_is_type(v, json_type_array) && json_object_array_length(v) == 1)
			v = json_object_array_get_idx(v, 0);
		if (!json_object_is_type(v, json_type_string))
			return -1;
		if (json_object_get_string_len(v) == 0)
			continue;
		*out = (sp_str){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
		return 1;
	}
	return 0;
}
