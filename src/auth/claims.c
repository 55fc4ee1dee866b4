#include "auth/claims.h"

#include <json-c/json.h>

#include "base/error.h"
#include "base/text.h"

#define JSON_DEPTH 32

static struct json_object *parse(const char *text)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *o;

	if (!tok)
		return NULL;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, text, (int)strlen(text) + 1); /* with the NUL, which ends it */
	if (json_tokener_get_error(tok) != json_tokener_success) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(tok);
	return o;
}

static int append_one(struct json_object *o, bool in_list, struct sp_buf *out)
{
	struct sp_slice text;

	switch (json_object_get_type(o)) {
	case json_type_string:
		text = sp_slice_make(json_object_get_string(o), (size_t)json_object_get_string_len(o));
		if (!sp_utf8_is_printable(text) || sp_slice_trim(text).n != text.n || (in_list && text.n > 0 && memchr(text.p, ',', text.n)))
			return SP_EINVAL; /* what the system would read must be what was verified */
		return sp_buf_append_slice(out, text);
	case json_type_int:
	case json_type_boolean:
		return sp_buf_append_str(out, json_object_get_string(o));
	case json_type_null:
	case json_type_double:
	case json_type_object:
	case json_type_array:
		break;
	}
	return SP_EINVAL;
}

static int append(struct json_object *o, struct sp_buf *out)
{
	size_t n;
	int err = 0;

	if (!json_object_is_type(o, json_type_array))
		return append_one(o, false, out);
	n = json_object_array_length(o);
	for (size_t i = 0; i < n && err == 0; i++) {
		if (i > 0)
			err = sp_buf_append_str(out, ",");
		if (err == 0)
			err = append_one(json_object_array_get_idx(o, i), true, out);
	}
	return err;
}

int sp_claims_text(const char *claims, const char *name, struct sp_buf *out)
{
	struct json_object *all = claims ? parse(claims) : NULL, *one;
	size_t before = out->len;
	int err = SP_EINVAL;

	if (json_object_is_type(all, json_type_object) && json_object_object_get_ex(all, name, &one))
		err = append(one, out);
	if (err == 0 && out->len == before)
		err = SP_EINVAL; /* an empty name is nobody's */
	if (err < 0)
		out->len = before;
	json_object_put(all);
	return err;
}
