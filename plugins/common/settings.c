/* Settings of a plugin: see settings.h. */
#include "settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strictjson.h"

#define SETTINGS_DEPTH 8

/* RFC 6901 section 3: "~" is "~0", "/" is "~1". */
static void pointer_write(char *dst, size_t size, const char *key, int index)
{
	size_t n = 0;

	if (!key) {
		dst[0] = '\0';
		return;
	}
	dst[n++] = '/';
	for (; *key && n + 3 < size; key++) {
		if (*key == '~' || *key == '/') {
			dst[n++] = '~';
			dst[n++] = *key == '~' ? '0' : '1';
		} else {
			dst[n++] = *key;
		}
	}
	dst[n] = '\0';
	if (index >= 0)
		snprintf(dst + n, size - n, "/%d", index);
}

int pc_fail(sp_error *err, const char *key, int index, const char *fmt, ...)
{
	va_list ap;

	if (!err || !SP_HAS(sp_error, err, msg))
		return -1;
	pointer_write(err->path, sizeof(err->path), key, index);
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return -1;
}

/* Levenshtein distance of two short words. */
static unsigned distance(const char *a, const char *b)
{
	enum { MOST = 32 };
	unsigned row[MOST + 1];
	size_t n = strlen(b);

	if (n > MOST || strlen(a) > MOST)
		return MOST;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[n];
}

static int unknown(sp_error *err, const char *key, const char *const *known)
{
	const char *nearest = NULL;
	unsigned best = 4;

	for (; *known; known++) {
		unsigned d = distance(key, *known);

		if (d < best) {
			best = d;
			nearest = *known;
		}
	}
	if (nearest)
		return pc_fail(err, key, -1, "unknown setting; did you mean \"%s\"?", nearest);
	return pc_fail(err, key, -1, "unknown setting");
}

static bool listed(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

int pc_known(json_object *o, const char *const *known, sp_error *err)
{
	struct json_object_iterator it = json_object_iter_begin(o), end = json_object_iter_end(o);

	for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
		if (!listed(known, json_object_iter_peek_name(&it)))
			return unknown(err, json_object_iter_peek_name(&it), known);
	return 0;
}

int pc_fail_within(sp_error *err, const char *key, int index)
{
	char inner[sizeof(err->path)];
	size_t n;

	if (!err || !SP_HAS(sp_error, err, msg))
		return -1;
	memcpy(inner, err->path, sizeof(inner));
	pointer_write(err->path, sizeof(err->path), key, index);
	n = strlen(err->path);
	snprintf(err->path + n, sizeof(err->path) - n, "%s", inner);
	return -1;
}

json_object *pc_settings(const char *json, const char *const *known, sp_error *err)
{
	const char *why = NULL;
	json_object *o = pc_json_parse(json, strlen(json), SETTINGS_DEPTH, &why);

	if (!o) {
		pc_fail(err, NULL, -1, "the settings are not JSON: %s", why);
		return NULL;
	}
	if (!json_object_is_type(o, json_type_object)) {
		pc_fail(err, NULL, -1, "the settings are not a JSON object");
		json_object_put(o);
		return NULL;
	}
	if (pc_known(o, known, err) < 0) {
		json_object_put(o);
		return NULL;
	}
	return o;
}

int pc_string(json_object *o, const char *key, const char **out, sp_error *err)
{
	json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	if (!json_object_is_type(v, json_type_string))
		return pc_fail(err, key, -1, "must be a string");
	if (json_object_get_string_len(v) == 0)
		return pc_fail(err, key, -1, "must not be empty");
	*out = json_object_get_string(v);
	return 0;
}

int pc_bool(json_object *o, const char *key, bool *out, sp_error *err)
{
	json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	if (!json_object_is_type(v, json_type_boolean))
		return pc_fail(err, key, -1, "must be true or false");
	*out = json_object_get_boolean(v);
	return 0;
}

int pc_int(json_object *o, const char *key, int64_t least, int64_t most, int64_t *out, sp_error *err)
{
	json_object *v;
	int64_t n;

	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	if (!json_object_is_type(v, json_type_int))
		return pc_fail(err, key, -1, "must be an integer");
	n = json_object_get_int64(v);
	if (n < least || n > most)
		return pc_fail(err, key, -1, "must be from %lld to %lld", (long long)least, (long long)most);
	*out = n;
	return 0;
}

static int element(json_object *v, const char *key, int index, char **out, sp_error *err)
{
	if (!json_object_is_type(v, json_type_string))
		return pc_fail(err, key, index, "must be a string");
	if (json_object_get_string_len(v) == 0)
		return pc_fail(err, key, index, "must not be empty");
	*out = strdup(json_object_get_string(v));
	return *out ? 0 : pc_fail(err, key, index, "out of memory");
}

int pc_strings(json_object *o, const char *key, char ***out, sp_error *err)
{
	json_object *v;
	char **list;
	size_t n = 1;
	bool many;
	int rc = 0;

	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	many = json_object_is_type(v, json_type_array);
	if (!many && !json_object_is_type(v, json_type_string))
		return pc_fail(err, key, -1, "must be a string or a list of strings");
	if (many)
		n = json_object_array_length(v);
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return pc_fail(err, key, -1, "out of memory");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = element(many ? json_object_array_get_idx(v, i) : v, key, many ? (int)i : -1, &list[i], err);
	if (rc < 0) {
		pc_strings_free(&list);
		return rc;
	}
	pc_strings_free(out);
	*out = list;
	return 0;
}

char **pc_strings_of(const char *const *from)
{
	size_t n = 0;
	char **list;

	while (from[n])
		n++;
	list = calloc(n + 1, sizeof(*list));
	for (size_t i = 0; list && i < n; i++) {
		list[i] = strdup(from[i]);
		if (!list[i])
			pc_strings_free(&list);
	}
	return list;
}

void pc_strings_free(char ***list)
{
	if (!*list)
		return;
	for (char **s = *list; *s; s++)
		free(*s);
	free(*list);
	*list = NULL;
}

size_t pc_strings_count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

bool pc_strings_have(char *const *list, const char *p, size_t n)
{
	for (; list && *list; list++)
		if (strlen(*list) == n && memcmp(*list, p, n) == 0)
			return true;
	return false;
}

sp_str pc_str(const char *s)
{
	return (sp_str){ s, s ? strlen(s) : 0 };
}
