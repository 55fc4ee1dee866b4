/* The token server's answer: RFC 6749 sections 5.1 and 5.2. */
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>

#include "auth/service_key_int.h"
#include "base/must.h"
#include "base/text.h"

#define JSON_DEPTH 16
#define LIFE_DEFAULT_S 300
#define LIFE_MOST_S (24u * 3600) /* whoever says more gets asked once a day all the same */
#define ERROR_WORD_MOST 64
#define BEARER "Bearer "

/* The whole body is one object, or NULL. */
static struct json_object *parse(struct sp_slice body)
{
	struct json_tokener *tok;
	struct json_object *o;
	bool good;

	if (!body.p || body.n > INT_MAX || memchr(body.p, '\0', body.n))
		return NULL;
	tok = json_tokener_new_ex(JSON_DEPTH);
	sp_must(tok != NULL);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, (const char *)body.p, (int)body.n);
	good = json_tokener_get_error(tok) == json_tokener_success && json_object_is_type(o, json_type_object);
	json_tokener_free(tok);
	if (!good) {
		json_object_put(o);
		o = NULL;
	}
	return o;
}

static struct sp_slice string_of(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	if (!json_object_object_get_ex(o, name, &v) || !json_object_is_type(v, json_type_string))
		return SP_SLICE_NONE;
	return sp_slice_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

/* ---- refusals --------------------------------------------------------------------- */

/* The word of RFC 6749 section 5.2; others are taken if they look like one. error_description is anybody's prose and stays out. */
static struct sp_slice error_word(struct json_object *o)
{
	struct sp_slice s = o ? string_of(o, "error") : SP_SLICE_NONE;

	if (!s.p || s.n == 0 || s.n > ERROR_WORD_MOST)
		return SP_SLICE_NONE;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= 'A' && s.p[i] <= 'Z') && !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    s.p[i] != '_' && s.p[i] != '-')
			return SP_SLICE_NONE;
	return s;
}

static int refused(int status, struct sp_slice body, struct sp_cause *cause)
{
	bool ours = status >= 400 && status < 500 && status != 408 && status != 429;
	struct json_object *o = status >= 400 ? parse(body) : NULL;
	struct sp_slice word = error_word(o);
	int err = ours ? SP_EDENIED : SP_EPROTO;

	if (word.p)
		sp_cause_set(cause, err, SP_DOMAIN_AUTH, status, "the token server answered %d %.*s", status, SP_SLICE_ARG(word));
	else
		sp_cause_set(cause, err, SP_DOMAIN_AUTH, status, "the token server answered %d", status);
	json_object_put(o);
	return err;
}

/* ---- tokens ------------------------------------------------------------------------ */

static int bad(struct sp_cause *cause, const char *what)
{
	return sp_cause_set(cause, SP_EPROTO, SP_DOMAIN_AUTH, 200, "the token server's answer: %s", what);
}

/* A number of seconds; some servers write it as a string. */
static int life(struct json_object *o, uint32_t *out, struct sp_cause *cause)
{
	struct json_object *v = NULL;
	uint64_t s = 0;

	if (!json_object_object_get_ex(o, "expires_in", &v)) {
		s = LIFE_DEFAULT_S;
	} else if (json_object_is_type(v, json_type_string)) {
		if (sp_text_u64(string_of(o, "expires_in"), INT64_MAX, &s) < 0)
			s = 0;
	} else if (json_object_is_type(v, json_type_int) && json_object_get_int64(v) > 0) {
		s = (uint64_t)json_object_get_int64(v);
	}
	if (s == 0)
		return bad(cause, "expires_in is not a number of seconds above 0");
	*out = s < LIFE_MOST_S ? (uint32_t)s : LIFE_MOST_S;
	return 0;
}

static int token(struct json_object *o, char **out, struct sp_cause *cause)
{
	struct sp_slice t = string_of(o, "access_token");
	char *bearer;

	if (!t.p || t.n == 0)
		return bad(cause, "no access_token");
	if (t.n > SP_TOKEN_MAX_BYTES)
		return bad(cause, "access_token is too long");
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] <= ' ' || t.p[i] > '~')
			return bad(cause, "access_token holds more than visible ASCII");
	bearer = malloc(sizeof(BEARER) + t.n);
	if (!bearer)
		return sp_cause_set(cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "out of memory for a token");
	memcpy(bearer, BEARER, sizeof(BEARER) - 1);
	memcpy(bearer + sizeof(BEARER) - 1, t.p, t.n);
	bearer[sizeof(BEARER) - 1 + t.n] = '\0';
	*out = bearer;
	return 0;
}

int sp_token_answer_parse(int status, struct sp_slice body, struct sp_token_answer *out, struct sp_cause *cause)
{
	struct json_object *o;
	int err;

	if (status != 200)
		return refused(status, body, cause);
	o = parse(body);
	if (!o)
		return bad(cause, "not a JSON object");
	if (!string_of(o, "token_type").p)
		err = bad(cause, "no token_type");
	else if (!sp_slice_eq_str_nocase(string_of(o, "token_type"), "Bearer"))
		err = bad(cause, "token_type is not Bearer");
	else
		err = life(o, &out->life_s, cause);
	if (!err)
		err = token(o, &out->bearer, cause);
	json_object_put(o);
	return err;
}
