/* mtls: callers prove who they are by a TLS client certificate, which the listener has verified against its client CA. Callers
 * without one are left to the other plugins of the chain.
 *
 * Settings:
 *   tenant           the tenant of all callers; or
 *   tenant_from      where the certificate names it: "subject:O", "san:URI:spiffe://trust/tenant/{tenant}/..." (names.h).
 *                    Neither: the certificate only says who calls
 *   allowed_subjects a list: the subject must be one of them, as RFC 2253 text ("CN=app,O=acme"). Absent: any
 *   allowed_sha256   a list: the certificate's SHA-256 must be one of them, in hexadecimal. Absent: any
 * An identity lasts as long as its certificate is valid, whatever the age of the connection.
 * Of the two lists, each that is there must be satisfied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "names.h"

#define SHA256_HEX 64u
#define TENANT_SIZE 256u

struct mtls {
	const sp_host *host;
	char *tenant;
	struct names_source from;
	char **allowed_subjects, **allowed_sha256; /* NULL: any */
};

static void settings_deinit(struct mtls *m)
{
	free(m->tenant);
	names_source_deinit(&m->from);
	pc_strings_free(&m->allowed_subjects);
	pc_strings_free(&m->allowed_sha256);
}

/* "AB:CD..." and "abcd..." become the form of sp_request.cert_sha256. */
static bool fingerprint_normalize(char *s)
{
	size_t n = 0;

	for (const char *p = s; *p; p++) {
		char c = *p >= 'A' && *p <= 'F' ? (char)(*p + ('a' - 'A')) : *p;

		if (c == ':')
			continue;
		if (n == SHA256_HEX || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		s[n++] = c;
	}
	s[n] = '\0';
	return n == SHA256_HEX;
}

static int read_lists(json_object *o, struct mtls *m, sp_error *err)
{
	static const char empty[] = "must not be an empty list; leave it out to accept any";

	if (pc_strings(o, "allowed_subjects", &m->allowed_subjects, err) < 0 ||
	    pc_strings(o, "allowed_sha256", &m->allowed_sha256, err) < 0)
		return -1;
	if (m->allowed_subjects && !*m->allowed_subjects)
		return pc_fail(err, "allowed_subjects", -1, empty);
	if (m->allowed_sha256 && !*m->allowed_sha256)
		return pc_fail(err, "allowed_sha256", -1, empty);
	for (int i = 0; m->allowed_sha256 && m->allowed_sha256[i]; i++)
		if (!fingerprint_normalize(m->allowed_sha256[i]))
			return pc_fail(err, "allowed_sha256", i, "is not a SHA-256 in hexadecimal (64 digits, with or without colons)");
	return 0;
}

static int read_tenant(json_object *o, struct mtls *m, sp_error *err)
{
	const char *tenant = NULL, *from = NULL, *why;

	if (pc_string(o, "tenant", &tenant, err) < 0 || pc_string(o, "tenant_from", &from, err) < 0)
		return -1;
	if (tenant && from)
		return pc_fail(err, "tenant_from", -1, "goes not together with tenant");
	why = from ? names_source_parse(from, &m->from) : NULL;
	if (why)
		return pc_fail(err, "tenant_from", -1, "%s", why);
	m->tenant = tenant ? strdup(tenant) : NULL;
	return tenant && !m->tenant ? pc_fail(err, "tenant", -1, "out of memory") : 0;
}

static int settings_read(const char *json, struct mtls *m, sp_error *err)
{
	static const char *const known[] = { "tenant", "tenant_from", "allowed_subjects", "allowed_sha256", NULL };
	json_object *o = pc_settings(json, known, err);
	int rc;

	if (!o)
		return -1;
	rc = read_tenant(o, m, err);
	if (rc == 0)
		rc = read_lists(o, m, err);
	json_object_put(o);
	return rc;
}

static int mtls_check(const char *json, uint32_t *traits, sp_error *err)
{
	struct mtls m = { 0 };
	int rc = settings_read(json, &m, err);

	if (rc == 0)
		*traits = SP_TRAIT_VERIFIES | (m.tenant ? SP_TRAIT_PINS : 0) | (m.from.type ? SP_TRAIT_RESOLVES : 0);
	settings_deinit(&m);
	return rc;
}

static void mtls_close(void *inst)
{
	struct mtls *m = inst;

	settings_deinit(m);
	free(m);
}

static int mtls_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct mtls *m = calloc(1, sizeof(*m));

	(void)prev;
	if (!m)
		return pc_fail(err, NULL, -1, "out of memory");
	m->host = h;
	if (settings_read(json, m, err) < 0) {
		mtls_close(m);
		return -1;
	}
	*inst = m;
	return 0;
}

static int mtls_worker_open(void *inst, sp_worker *w, void **wctx, sp_error *err)
{
	(void)w;
	(void)err;
	*wctx = inst;
	return 0;
}

static void mtls_worker_close(void *wctx)
{
	(void)wctx;
}

static void deny(sp_answer *a, uint32_t why, const char *detail)
{
	*a = (sp_answer){ .size = sizeof(*a), .verdict = SP_DENY, .why = why, .detail = pc_str(detail) };
}

/* The subject; certificates of SPIFFE have none, then the first of the other names. */
static sp_str principal(const sp_request *r)
{
	const char *end;

	if (r->cert_subject.n > 0)
		return r->cert_subject;
	if (r->cert_sans.n == 0)
		return r->cert_sha256;
	end = memchr(r->cert_sans.p, '\n', r->cert_sans.n);
	return (sp_str){ r->cert_sans.p, end ? (size_t)(end - r->cert_sans.p) : r->cert_sans.n };
}

static void judge(const struct mtls *m, const sp_request *r, char tenant[TENANT_SIZE], sp_answer *a)
{
	size_t n = 0;

	a->principal = principal(r);
	a->expires_at = SP_HAS(sp_request, r, cert_not_after) ? r->cert_not_after : 0;
	a->tenant = pc_str(m->tenant);
	if (m->allowed_subjects && !pc_strings_have(m->allowed_subjects, r->cert_subject.p, r->cert_subject.n)) {
		deny(a, SP_WHY_FORBIDDEN, "the certificate's subject is not among allowed_subjects");
		return;
	}
	if (m->allowed_sha256 && !pc_strings_have(m->allowed_sha256, r->cert_sha256.p, r->cert_sha256.n)) {
		deny(a, SP_WHY_FORBIDDEN, "the certificate is not among allowed_sha256");
		return;
	}
	if (!m->from.type)
		return;
	switch (names_source_find(&m->from, r, tenant, TENANT_SIZE, &n)) {
	case NAMES_ONE:
		a->tenant = (sp_str){ tenant, n };
		break;
	case NAMES_NONE:
		deny(a, SP_WHY_TENANT_UNKNOWN, "the certificate does not name the tenant as tenant_from says");
		break;
	case NAMES_SEVERAL:
		deny(a, SP_WHY_TENANT_UNKNOWN, "the certificate names several tenants");
		break;
	case NAMES_MALFORMED:
		deny(a, SP_WHY_TENANT_UNKNOWN, "the certificate's name of the tenant is not text, or too long");
		break;
	}
}

static void mtls_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	const struct mtls *m = wctx;
	sp_answer a = { .size = sizeof(a), .verdict = SP_ALLOW };
	char tenant[TENANT_SIZE];

	(void)slot;
	if (!SP_HAS(sp_request, r, cert_sha256) || !r->cert_sha256.p)
		a.verdict = SP_DECLINE;
	else
		judge(m, r, tenant, &a);
	m->host->answer(t, &a);
}

static void mtls_finish(void *wctx, void *slot, int end)
{
	(void)wctx;
	(void)slot;
	(void)end;
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "mtls",
	.version = "1",
	.check = mtls_check,
	.open = mtls_open,
	.worker_open = mtls_worker_open,
	.request = mtls_request,
	.finish = mtls_finish,
	.worker_close = mtls_worker_close,
	.close = mtls_close,
};

SP_PLUGIN_EXPORT(mtls, plugin)
