/* Composing the token request: RFC 6749 sections 2.3.1 and 4.4.2, RFC 7521 section 4.2, RFC 8705 section 2. */
#include "auth/service_key_int.h"
#include "base/secret.h"
#include "base/text.h"

#define VALUE_MAX_BYTES 256 /* of a tenant or a subdomain */
#define LABEL_MAX_BYTES 63  /* RFC 1035 section 2.3.4 */
#define HTTPS_BYTES 8

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

void sp_percent_encode(struct sp_buf *b, const char *s, bool form)
{
	for (; *s; s++) {
		if (is_alnum(*s) || strchr("-._", *s) || *s == (form ? '*' : '~'))
			sp_buf_append(b, s, 1);
		else if (form && *s == ' ')
			sp_buf_append_str(b, "+");
		else
			sp_buf_printf(b, "%%%02X", (unsigned char)*s);
	}
}

/* ---- the address ------------------------------------------------------------------- */

static bool is_label(const char *s)
{
	size_t n = strlen(s);

	if (n > LABEL_MAX_BYTES || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (; *s; s++)
		if (!is_alnum(*s) && *s != '-')
			return false;
	return true;
}

/* "." and ".." would be taken for path segments, whatever encoding they come in. */
static int append_value(struct sp_buf *url, const char *what, const char *v, bool in_host, struct sp_cause *cause)
{
	const char *why = NULL;

	if (!v || !*v)
		why = "is not known";
	else if (strlen(v) > VALUE_MAX_BYTES)
		why = "is too long";
	else if (in_host && !is_label(v))
		why = "is no label of a host name";
	else if (strcmp(v, ".") == 0 || strcmp(v, "..") == 0)
		why = "is a dot segment";
	if (why)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "the address of the token server needs {%s}, which %s", what, why);
	sp_percent_encode(url, v, false);
	return 0;
}

static int make_url(const struct sp_service_key *k, const char *tenant, const char *subdomain, struct sp_buf *url,
		    struct sp_cause *cause)
{
	bool in_host = true;
	int err = 0;

	for (const char *p = k->url; *p && !err; p++) {
		if (p - k->url >= HTTPS_BYTES && (*p == '/' || *p == '?'))
			in_host = false;
		if (*p != '{') {
			sp_buf_append(url, p, 1);
			continue;
		}
		err = p[1] == 't' ? append_value(url, "tenant", tenant, in_host, cause) :
				    append_value(url, "subdomain", subdomain, in_host, cause);
		p = strchr(p, '}');
	}
	return err;
}

/* ---- who asks ------------------------------------------------------------------------ */

static void field(struct sp_buf *form, const char *name, const char *value)
{
	sp_buf_printf(form, "&%s=", name);
	sp_percent_encode(form, value, true);
}

/* RFC 6749 section 2.3.1: both are form-encoded before they are joined, so a ":" in one is none between them. */
static int basic(const struct sp_service_key *k, struct sp_buf *out)
{
	struct sp_buf pair = { 0 };
	uint8_t *dst;
	size_t size;
	int err;

	sp_percent_encode(&pair, k->client_id, true);
	sp_buf_append_str(&pair, ":");
	sp_percent_encode(&pair, k->client_secret, true);
	size = (pair.len + 2) / 3 * 4 + 1;
	err = sp_buf_append_str(out, "Basic ");
	if (!err)
		err = sp_buf_reserve(out, size, &dst);
	if (!err)
		err = sp_base64_encode(sp_buf_data(&pair), (char *)dst, size);
	if (!err)
		sp_buf_commit(out, size - 1);
	sp_buf_wipe(&pair);
	return err;
}

static int assertion(const struct sp_service_key *k, struct sp_token_request *r, struct sp_cause *cause)
{
	char *signed_text = NULL;
	int err = sp_assertion_sign(k, sp_buf_str(&r->url), &signed_text, cause);

	if (err)
		return err;
	field(&r->form, "client_id", k->client_id);
	field(&r->form, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
	field(&r->form, "client_assertion", signed_text);
	sp_secret_free(&signed_text);
	return 0;
}

int sp_token_request_make(const struct sp_service_key *k, const char *tenant, const char *subdomain, struct sp_token_request *r,
			  struct sp_cause *cause)
{
	int err = make_url(k, tenant, subdomain, &r->url, cause);

	if (err)
		return err;
	sp_buf_append_str(&r->form, "grant_type=client_credentials");
	switch (k->auth) {
	case SP_CLIENT_SECRET_BASIC:
		err = basic(k, &r->authorization);
		break;
	case SP_CLIENT_SECRET_POST:
		field(&r->form, "client_id", k->client_id);
		field(&r->form, "client_secret", k->client_secret);
		break;
	case SP_CLIENT_PRIVATE_KEY_JWT:
		err = assertion(k, r, cause);
		break;
	case SP_CLIENT_TLS:
		field(&r->form, "client_id", k->client_id);
		break;
	}
	if (!err && k->scope)
		field(&r->form, "scope", k->scope);
	if (err)
		sp_cause_set(cause, err, SP_DOMAIN_SELF, 0, "out of memory for a token request");
	return err;
}

void sp_token_request_wipe(struct sp_token_request *r)
{
	sp_buf_wipe(&r->url);
	sp_buf_wipe(&r->form);
	sp_buf_wipe(&r->authorization);
}
