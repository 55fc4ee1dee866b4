#include "codec/rewrite.h"

#define HTTP_PORT 80
#define HTTPS_PORT 443

static struct sp_slice skip(struct sp_slice s, size_t n)
{
	return n > 0 ? sp_slice_make(s.p + n, s.n - n) : s;
}

static bool begins(struct sp_slice s, const char *lower)
{
	size_t n = strlen(lower);

	return s.n >= n && sp_slice_eq_str_nocase(sp_slice_make(s.p, n), lower);
}

/* ---- locations ----------------------------------------------------------------------------------------------------- */

static bool has_port(struct sp_slice authority)
{
	size_t i = authority.n;

	while (i > 0 && authority.p[i - 1] >= '0' && authority.p[i - 1] <= '9')
		i--;
	return i < authority.n && i > 0 && authority.p[i - 1] == ':';
}

static bool is_ours(const struct sp_rewrite *r, struct sp_slice authority, bool https)
{
	struct sp_authority a;
	struct sp_slice host;

	if (sp_authority_parse(authority, https ? HTTPS_PORT : HTTP_PORT, &a) < 0)
		return false;
	host = sp_slice_str(a.host);
	if (a.port == r->internal->port && sp_slice_eq_str_nocase(host, r->internal->host))
		return true;
	/* Host has no port where it is the default one: systems then write what their own scheme says. */
	return sp_slice_eq_str_nocase(host, r->virtual->host) && (a.port == r->virtual->port || !has_port(authority));
}

static int append_virtual(const struct sp_rewrite *r, struct sp_buf *out)
{
	char text[SP_AUTHORITY_SIZE], *colon;

	sp_authority_text(r->virtual, text);
	colon = strrchr(text, ':');
	if (colon && r->virtual->port == HTTP_PORT)
		*colon = '\0';
	return sp_buf_append_str(out, text);
}

int sp_rewrite_location(const struct sp_rewrite *r, struct sp_slice value, struct sp_buf *out)
{
	bool http = begins(value, "http://"), https = begins(value, "https://"), network = begins(value, "//");
	struct sp_slice rest = skip(value, http ? 7 : https ? 8 : network ? 2 : 0);
	size_t n = 0;
	int err;

	if (!http && !https && !network)
		return 0;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
		n++;
	if (!is_ours(r, sp_slice_make(rest.p, n), https || (network && r->secure)))
		return 0;
	err = sp_buf_append_str(out, network ? "//" : "http://");
	if (err == 0)
		err = append_virtual(r, out);
	if (err == 0)
		err = sp_buf_append_slice(out, skip(rest, n));
	return err < 0 ? err : 1;
}

/* ---- cookies ------------------------------------------------------------------------------------------------------- */

/* Is it the internal host, or one above it? */
static bool covers_internal(const struct sp_rewrite *r, struct sp_slice domain)
{
	struct sp_slice host = sp_slice_str(r->internal->host);

	if (domain.n > 0 && domain.p[0] == '.')
		domain = skip(domain, 1);
	if (domain.n == 0 || domain.n > host.n || !sp_slice_eq_nocase(domain, skip(host, host.n - domain.n)))
		return false;
	return domain.n == host.n || (!r->internal->ipv6 && host.p[host.n - domain.n - 1] == '.');
}

/* One attribute with the ";" before it. *changed is set when it is not as it was. */
static int append_attribute(const struct sp_rewrite *r, struct sp_slice a, bool *changed, struct sp_buf *out)
{
	const uint8_t *eq = a.n > 0 ? memchr(a.p, '=', a.n) : NULL;
	struct sp_slice name = sp_slice_trim(eq ? sp_slice_make(a.p, (size_t)(eq - a.p)) : a);
	struct sp_slice value = eq ? sp_slice_trim(skip(a, (size_t)(eq - a.p) + 1)) : SP_SLICE_NONE;
	int err;

	if (r->secure && sp_slice_eq_str_nocase(name, "secure")) {
		*changed = true;
		return 0;
	}
	err = sp_buf_append_str(out, ";");
	if (err < 0)
		return err;
	if (!sp_slice_eq_str_nocase(name, "domain") || !value.p || !covers_internal(r, value))
		return sp_buf_append_slice(out, a);
	*changed = true;
	return sp_buf_printf(out, " Domain=%s", r->virtual->host);
}

int sp_rewrite_cookie(const struct sp_rewrite *r, struct sp_slice value, struct sp_buf *out)
{
	const uint8_t *semicolon = value.n > 0 ? memchr(value.p, ';', value.n) : NULL;
	struct sp_slice pair = semicolon ? sp_slice_make(value.p, (size_t)(semicolon - value.p)) : value, rest = skip(value, pair.n);
	size_t before = out->len;
	bool changed = false;
	int err = sp_buf_append_slice(out, pair);

	while (rest.n > 0 && err == 0) {
		struct sp_slice a = skip(rest, 1);

		semicolon = a.n > 0 ? memchr(a.p, ';', a.n) : NULL;
		if (semicolon)
			a.n = (size_t)(semicolon - a.p);
		rest = skip(rest, a.n + 1);
		err = append_attribute(r, a, &changed, out);
	}
	if (err < 0 || !changed)
		out->len = before;
	return err < 0 ? err : changed;
}
