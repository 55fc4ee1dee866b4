/* Reading service keys: see service_key.h for what they hold. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "auth/service_key_int.h"
#include "base/alloc.h"
#include "base/must.h"
#include "base/secret.h"
#include "base/text.h"
#include "conf/conf.h"

#define FILE_MAX_BYTES (256u * 1024) /* certificate chains are long */
#define JSON_DEPTH 16
#define UNWRAP_MOST 4 /* a binding that holds credentials that are a string that holds uaa */
#define NAME_MAX_BYTES 1024
#define TOKEN_PATH "/oauth/token"
#define HTTPS "https://"

struct reading {
	const char *name; /* the file's */
	struct json_object *o;
	struct sp_service_key *k;
	struct sp_cause *cause;
};

static int bad(const struct reading *rd, const char *what)
{
	return sp_cause_set(rd->cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "%s: %s", rd->name, what);
}

static int bad_member(const struct reading *rd, const char *member, const char *what)
{
	return sp_cause_set(rd->cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "%s: %s %s", rd->name, member, what);
}

/* ---- JSON ----------------------------------------------------------------------- */

static struct json_object *parse(const char *text)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *o;

	sp_must(tok != NULL);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, text, (int)strlen(text) + 1); /* with the NUL, which ends it */
	if (json_tokener_get_error(tok) != json_tokener_success) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(tok);
	return o;
}

static struct json_object *member_of(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, name, &v) ? v : NULL;
}

/* The object that holds the client, wherever the binding has put it. A new reference, or NULL with cause. */
static struct json_object *unwrap(const struct reading *rd, struct json_object *root)
{
	struct json_object *o = json_object_get(root), *inner;

	for (unsigned i = 0; i < UNWRAP_MOST; i++) {
		if (json_object_is_type(o, json_type_string)) {
			inner = parse(json_object_get_string(o));
		} else if (json_object_is_type(o, json_type_object)) {
			inner = member_of(o, "credentials");
			if (!inner && !member_of(o, "clientid") && !member_of(o, "client_id"))
				inner = member_of(o, "uaa");
			if (!inner)
				return o;
			json_object_get(inner);
		} else {
			break;
		}
		json_object_put(o);
		o = inner;
	}
	json_object_put(o);
	bad(rd, "not a JSON object with the client's credentials");
	return NULL;
}

/* The string a, else b (may be NULL); *out stays NULL where there is neither. Lent. */
static int get(const struct reading *rd, const char *a, const char *b, size_t max, const char **out)
{
	const char *name = a;
	struct json_object *v = member_of(rd->o, a);
	struct sp_slice s;

	if (!v && b) {
		name = b;
		v = member_of(rd->o, b);
	}
	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_string))
		return bad_member(rd, name, "must be a string");
	s = sp_slice_make(json_object_get_string(v), (size_t)json_object_get_string_len(v));
	if (s.n == 0)
		return bad_member(rd, name, "is empty");
	if (s.n > max)
		return bad_member(rd, name, "is too long");
	if (memchr(s.p, '\0', s.n))
		return bad_member(rd, name, "holds a NUL character");
	*out = (const char *)s.p;
	return 0;
}

/* One line of text. */
static int get_line(const struct reading *rd, const char *a, const char *b, char **out)
{
	const char *text = NULL;
	int err = get(rd, a, b, NAME_MAX_BYTES, &text);

	if (!err && text && !sp_utf8_is_printable(sp_slice_str(text)))
		err = bad_member(rd, member_of(rd->o, a) ? a : b, "holds control characters");
	if (!err)
		*out = sp_strdup(text);
	return err;
}

/* Whether keys fit and certificates parse is seen where they are used; here only that they can be PEM. An encrypted key would make
 * OpenSSL ask for its passphrase on the terminal. */
static int get_pem(const struct reading *rd, const char *name, const char *what, char **out)
{
	const char *text = NULL;
	int err = get(rd, name, NULL, FILE_MAX_BYTES, &text);

	if (err || !text)
		return err;
	if (strncmp(text, "-----BEGIN ", 11) != 0 || !strstr(text, what) || !strchr(text, '\n'))
		return bad_member(rd, name, "is not PEM");
	if (strstr(text, "ENCRYPTED"))
		return bad_member(rd, name, "is encrypted: only keys without a passphrase can be used");
	*out = sp_strdup(text);
	return 0;
}

/* ---- the address ------------------------------------------------------------------- */

static size_t placeholder(const char *p, struct sp_service_key *k)
{
	static const char tenant[] = "{tenant}", subdomain[] = "{subdomain}";

	if (strncmp(p, tenant, sizeof(tenant) - 1) == 0) {
		k->has_tenant = true;
		return sizeof(tenant) - 1;
	}
	if (strncmp(p, subdomain, sizeof(subdomain) - 1) == 0) {
		k->has_subdomain = true;
		return sizeof(subdomain) - 1;
	}
	return 0;
}

static bool host_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(".-_:[]", c));
}

/* Notes the placeholders too. */
static int check_url(const struct reading *rd, const char *name, const char *url)
{
	const char *p, *host = url + sizeof(HTTPS) - 1;
	bool in_host = true;
	size_t n;

	if (strncmp(url, HTTPS, sizeof(HTTPS) - 1) != 0)
		return bad_member(rd, name, "must begin with " HTTPS);
	if (*host == '\0' || strchr("/?:", *host))
		return bad_member(rd, name, "names no host");
	for (p = host; *p; p += n) {
		n = *p == '{' ? placeholder(p, rd->k) : 1;
		if (n == 0)
			return bad_member(rd, name, "has a placeholder that is neither {tenant} nor {subdomain}");
		in_host = in_host && *p != '/' && *p != '?';
		if (in_host && n == 1 && !host_character(*p))
			return bad_member(rd, name, "has a character in its host that does not belong there");
		if (*p <= ' ' || *p > '~' || strchr("\"#<>\\^`|}", *p))
			return bad_member(rd, name, "has a character that must be percent-encoded, or a fragment");
	}
	return 0;
}

static char *with_path(const char *base)
{
	const char *end = base + sizeof(HTTPS) - 1 + strcspn(base + sizeof(HTTPS) - 1, "/?");
	struct sp_buf b = { 0 };
	char *url;

	if (*end != '\0' && strcmp(end, "/") != 0)
		return sp_strdup(base);
	sp_buf_append(&b, base, (size_t)(end - base));
	sp_buf_append_str(&b, TOKEN_PATH);
	url = sp_strdup(sp_buf_str(&b));
	sp_buf_deinit(&b);
	return url;
}

static int read_url(const struct reading *rd)
{
	static const char *const names[] = { "token_url", "certurl", "token_service_url", "url" };
	const char *text = NULL;
	int err;

	for (unsigned i = 0; i < SP_COUNT_OF(names); i++) {
		if (i == 1 && rd->k->auth != SP_CLIENT_TLS)
			continue;
		err = get(rd, names[i], NULL, NAME_MAX_BYTES, &text);
		if (!err && text)
			err = check_url(rd, names[i], text);
		if (err)
			return err;
		if (!text)
			continue;
		rd->k->url = i == 0 ? sp_strdup(text) : with_path(text);
		return 0;
	}
	return bad(rd, "no token_url, token_service_url or url");
}

/* ---- how the client proves itself ---------------------------------------------------- */

static int need(const struct reading *rd, enum sp_client_auth auth)
{
	const struct sp_service_key *k = rd->k;

	switch (auth) {
	case SP_CLIENT_SECRET_BASIC:
	case SP_CLIENT_SECRET_POST:
		return k->client_secret ? 0 : bad(rd, "no clientsecret");
	case SP_CLIENT_PRIVATE_KEY_JWT:
		return k->private_key ? 0 : bad(rd, "no private_key");
	case SP_CLIENT_TLS:
		return k->cert ? 0 : bad(rd, "no certificate");
	}
	return SP_EINVAL;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int choose(const struct reading *rd)
{
	static const char *const methods[] = { "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth" };
	enum sp_client_auth secret = member_of(rd->o, "clientsecret") ? SP_CLIENT_SECRET_POST : SP_CLIENT_SECRET_BASIC;
	struct sp_service_key *k = rd->k;
	const char *method = NULL, *type = NULL;
	unsigned i = 0;
	int err = get(rd, "auth_method", NULL, NAME_MAX_BYTES, &method);

	if (!err)
		err = get(rd, "credential-type", NULL, NAME_MAX_BYTES, &type);
	if (err)
		return err;
	if (method) {
		while (i < SP_COUNT_OF(methods) && strcmp(method, methods[i]) != 0)
			i++;
		if (i == SP_COUNT_OF(methods))
			return bad_member(rd, "auth_method",
					  "must be client_secret_basic, client_secret_post, private_key_jwt or tls_client_auth");
		k->auth = (enum sp_client_auth)i;
	} else if (type && strcmp(type, "x509") == 0) {
		k->auth = SP_CLIENT_TLS;
	} else if (type && ends_with(type, "-secret")) {
		k->auth = secret;
	} else {
		k->auth = k->cert ? SP_CLIENT_TLS : k->private_key ? SP_CLIENT_PRIVATE_KEY_JWT : secret;
		if (!k->cert && !k->private_key && !k->client_secret)
			return bad(rd, "no clientsecret, no certificate and no private_key: nothing proves who the client is");
	}
	return need(rd, k->auth);
}

/* By one signature: a key of no use is found at load, not by the first exchange. */
static int try_key(const struct reading *rd)
{
	struct sp_cause cause = { 0 };
	char *assertion = NULL;
	int err = sp_assertion_sign(rd->k, rd->k->url, &assertion, &cause);

	sp_secret_free(&assertion);
	return err ? sp_cause_set(rd->cause, err, cause.domain, cause.raw, "%s: private_key: %s", rd->name, cause.text) : 0;
}

static int read_members(const struct reading *rd)
{
	struct sp_service_key *k = rd->k;
	int err = get_line(rd, "clientid", "client_id", &k->client_id);

	if (!err && !k->client_id)
		err = bad(rd, "no clientid");
	if (!err)
		err = get_line(rd, "clientsecret", "client_secret", &k->client_secret);
	if (!err)
		err = get_pem(rd, "certificate", "-----END CERTIFICATE-----", &k->cert);
	if (!err)
		err = get_pem(rd, "key", "PRIVATE KEY-----", &k->cert_key);
	if (!err && !k->cert != !k->cert_key)
		err = bad(rd, k->cert ? "certificate is there, but its key is not" : "key is there, but its certificate is not");
	if (!err)
		err = get_pem(rd, "private_key", "PRIVATE KEY-----", &k->private_key);
	if (!err)
		err = get_line(rd, "key_id", "kid", &k->key_id);
	if (!err)
		err = get_line(rd, "scope", NULL, &k->scope);
	if (!err)
		err = choose(rd);
	if (!err)
		err = read_url(rd);
	if (!err && k->auth == SP_CLIENT_PRIVATE_KEY_JWT)
		err = try_key(rd);
	return err;
}

int sp_service_key_parse(const char *name, const char *text, struct sp_service_key **out, struct sp_cause *cause)
{
	struct reading rd = { .name = name, .cause = cause, .k = SP_NEW(struct sp_service_key) };
	struct json_object *root = parse(text);
	int err = SP_EINVAL;

	if (!root) {
		bad(&rd, "not JSON");
	} else if ((rd.o = unwrap(&rd, root)) != NULL) {
		err = read_members(&rd);
		json_object_put(rd.o);
	}
	json_object_put(root);
	if (err)
		sp_service_key_free(&rd.k);
	else
		*out = rd.k;
	return err;
}

int sp_service_key_load(const char *file, struct sp_service_key **out, struct sp_cause *cause)
{
	struct sp_service_key *k = NULL;
	char *text = NULL;
	int err = sp_conf_read_secret(file, FILE_MAX_BYTES, &text, cause);

	if (!err)
		err = sp_service_key_parse(file, text, &k, cause);
	if (err) {
		sp_secret_free(&text);
		return err;
	}
	k->text = text;
	*out = k;
	return 0;
}

void sp_service_key_free(struct sp_service_key **kp)
{
	struct sp_service_key *k = *kp;

	*kp = NULL;
	if (!k)
		return;
	sp_secret_free(&k->text);
	sp_secret_free(&k->client_secret);
	sp_secret_free(&k->cert_key);
	sp_secret_free(&k->private_key);
	free(k->client_id);
	free(k->cert);
	free(k->key_id);
	free(k->scope);
	free(k->url);
	free(k);
}

bool sp_service_key_shared(const struct sp_service_key *k)
{
	return !k->has_tenant && !k->has_subdomain;
}
