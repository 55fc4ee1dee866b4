/* A strict scan in front of json-c: see strictjson.h. */
#include "strictjson.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct scan {
	const unsigned char *p, *end;
	size_t members;
	unsigned depth;
	const char *why;
};

static bool fail(struct scan *s, const char *why)
{
	s->why = why;
	return false;
}

static bool at(const struct scan *s, unsigned char c)
{
	return s->p < s->end && *s->p == c;
}

static bool digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

/* ws = *( %x20 / %x09 / %x0A / %x0D ) */
static void space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return fail(s, "not a JSON value");
	s->p += n;
	return true;
}

/* One multi-byte character of RFC 3629 section 4. */
static bool utf8(struct scan *s)
{
	unsigned char c = *s->p, low = 0x80, high = 0xBF;
	unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;

	if (c < 0xC2 || c > 0xF4 || (size_t)(s->end - s->p) <= more)
		return fail(s, "invalid UTF-8");
	if (c == 0xE0)
		low = 0xA0;
	else if (c == 0xED)
		high = 0x9F;
	else if (c == 0xF0)
		low = 0x90;
	else if (c == 0xF4)
		high = 0x8F;
	for (s->p++; more > 0; more--, s->p++, low = 0x80, high = 0xBF)
		if (*s->p < low || *s->p > high)
			return fail(s, "invalid UTF-8");
	return true;
}

static bool escape(struct scan *s)
{
	unsigned value = 0;

	s->p++;
	if (s->p == s->end || !memchr("\"\\/bfnrtu", *s->p, 9))
		return fail(s, "unknown escape in a string");
	if (*s->p++ != 'u')
		return true;
	for (int i = 0; i < 4; i++, s->p++) {
		if (s->p == s->end)
			return fail(s, "unfinished string");
		unsigned char c = *s->p, l = c | 0x20;
		bool is_digit = c >= '0' && c <= '9';

		if (!is_digit && !(l >= 'a' && l <= 'f'))
			return fail(s, "unknown escape in a string");
		value = value * 16 + (unsigned)(is_digit ? c - '0' : l - 'a' + 10);
	}
	/* json-c would cut a member's name there, and C strings end there. */
	return value != 0 || fail(s, "NUL in a string");
}

static bool string(struct scan *s)
{
	if (!at(s, '"'))
		return fail(s, "a string must follow");
	s->p++;
	while (s->p < s->end && *s->p != '"') {
		if (*s->p < 0x20)
			return fail(s, "control character in a string");
		if (*s->p == '\\') {
			if (!escape(s))
				return false;
		} else if (*s->p < 0x80) {
			s->p++;
		} else if (!utf8(s)) {
			return false;
		}
	}
	if (s->p == s->end)
		return fail(s, "unfinished string");
	s->p++;
	return true;
}

static bool digits(struct scan *s)
{
	if (!digit(s))
		return fail(s, "malformed number");
	while (digit(s))
		s->p++;
	return true;
}

/* number = [ minus ] int [ frac ] [ exp ] */
static bool number(struct scan *s)
{
	if (at(s, '-'))
		s->p++;
	if (at(s, '0')) {
		s->p++;
		if (digit(s))
			return fail(s, "malformed number");
	} else if (!digits(s)) {
		return false;
	}
	if (at(s, '.')) {
		s->p++;
		if (!digits(s))
			return false;
	}
	if (at(s, 'e') || at(s, 'E')) {
		s->p++;
		if (at(s, '+') || at(s, '-'))
			s->p++;
		return digits(s);
	}
	return true;
}

static bool value(struct scan *s);

static bool member(struct scan *s)
{
	s->members++;
	space(s);
	if (!string(s))
		return false;
	space(s);
	if (!at(s, ':'))
		return fail(s, "\":\" must follow a member's name");
	s->p++;
	return value(s);
}

static bool list(struct scan *s, unsigned char closing, bool (*each)(struct scan *s))
{
	if (s->depth-- == 0)
		return fail(s, "nested too deeply");
	s->p++;
	space(s);
	if (!at(s, closing)) {
		for (;;) {
			if (!each(s))
				return false;
			space(s);
			if (!at(s, ','))
				break;
			s->p++;
		}
		if (!at(s, closing))
			return fail(s, "unfinished object or array");
	}
	s->p++;
	s->depth++;
	return true;
}

static bool value(struct scan *s)
{
	space(s);
	if (s->p == s->end)
		return fail(s, "unfinished");
	switch (*s->p) {
	case '{':
		return list(s, '}', member);
	case '[':
		return list(s, ']', value);
	case '"':
		return string(s);
	case 't':
		return word(s, "true");
	case 'f':
		return word(s, "false");
	case 'n':
		return word(s, "null");
	default:
		return (*s->p == '-' || digit(s)) ? number(s) : fail(s, "not a JSON value");
	}
}

const char *pc_json_scan(const char *text, size_t n, unsigned depth, size_t *members_out)
{
	struct scan s = { (const unsigned char *)text, (const unsigned char *)text + n, 0, depth, NULL };

	if (!value(&s))
		return s.why;
	space(&s);
	if (s.p != s.end)
		return "something follows the value";
	*members_out = s.members;
	return NULL;
}

/* Recursion is bounded by the depth that was scanned. */
static size_t members(json_object *o)
{
	size_t n = 0;

	if (json_object_is_type(o, json_type_object)) {
		struct json_object_iterator it = json_object_iter_begin(o), end = json_object_iter_end(o);

		for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
			n += 1 + members(json_object_iter_peek_value(&it));
	} else if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			n += members(json_object_array_get_idx(o, i));
	}
	return n;
}

json_object *pc_json_parse(const char *text, size_t n, unsigned depth, const char **why_out)
{
	struct json_tokener *tok;
	json_object *o;
	size_t counted = 0;

	*why_out = n > INT_MAX ? "too long" : pc_json_scan(text, n, depth, &counted);
	if (*why_out)
		return NULL;
	/* json-c counts the scalar inside the innermost array as a level of its own. */
	tok = json_tokener_new_ex((int)depth + 2);
	if (!tok) {
		*why_out = "out of memory";
		return NULL;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, text, (int)n);
	/* A bare number is complete only when its end is seen; the NUL says so. */
	if (!o && json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, "", 1);
	json_tokener_free(tok);
	if (!o) {
		*why_out = "not accepted by json-c";
		return NULL;
	}
	/* json-c keeps the last of duplicate members: then fewer are left than were written. */
	if (members(o) != counted) {
		*why_out = "an object has two members of the same name";
		json_object_put(o);
		return NULL;
	}
	return o;
}
