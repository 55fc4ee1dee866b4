#include "conf/check.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/http1.h"
#include "conf/load.h"

static void pair(struct sp_load *ld, const struct sp_conf_at *at, const char *path, const char *cert, const char *key)
{
	if (!cert != !key)
		sp_report_add(ld->report, at, "%s: cert_file and key_file go together, \"%s\" is missing", path,
			      cert ? "key_file" : "cert_file");
}

static bool is_set(const struct sp_load *ld, const char *name)
{
	return config_setting_get_member(ld->checked, name) != NULL;
}

void sp_check_limits(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	struct sp_conf *c = base;

	/* One of the two is enough to write: the other follows where its default would contradict. */
	if (!is_set(ld, "head") && c->limits.head_bytes < 2 * c->limits.head_line_bytes)
		c->limits.head_bytes = 2 * c->limits.head_line_bytes;
	if (!is_set(ld, "head_line") && c->limits.head_bytes < c->limits.head_line_bytes)
		c->limits.head_line_bytes = c->limits.head_bytes;
	if (c->limits.head_bytes < c->limits.head_line_bytes)
		sp_report_add(ld->report, at, "%s: \"head\" is smaller than \"head_line\", a single line of it", path);
	if (c->limits.connection_window_bytes < c->limits.stream_window_bytes)
		sp_report_add(ld->report, at, "%s: connection_window is smaller than stream_window", path);
}

void sp_check_listener(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	const struct sp_conf_listener *l = base;

	if (l->protocol != SP_PROTOCOL_TUNNEL)
		return;
	if (l->chain == SP_CHAIN_ABSENT && l->connectors == SP_CHAIN_ABSENT)
		sp_report_add(ld->report, at, "%s: nobody may use it: name a chain in \"auth\" (for proxies), in \"connectors\", or both",
			      path);
	if (l->speaks_for_any && l->chain == SP_CHAIN_ABSENT)
		sp_report_add(ld->report, at, "%s: \"speaks_for_any\" is about proxies, but no chain in \"auth\" admits them", path);
}

void sp_check_upstream(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	const struct sp_conf_upstream *u = base;

	pair(ld, at, path, u->cert_file, u->key_file);
	if (u->token_file && u->service_key_file)
		sp_report_add(ld->report, at, "%s: \"token\" or \"service_key\", not both: each says who the proxy is", path);
}

void sp_check_region(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	const struct sp_conf_region *r = base;

	if (!sp_http_is_token(sp_slice_str(r->id)))
		sp_report_add(ld->report, at, "%s.id = \"%s\": must be letters, digits, \"-\", \".\" or \"_\"", path, r->id);
	if (r->upstream.kind != SP_UPSTREAM_GATEWAY)
		sp_report_add(ld->report, &r->upstream.at, "%s.upstream.kind: must be \"gateway\" in a region", path);
}

void sp_check_connector(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	struct sp_conf_connector *c = &((struct sp_conf *)base)->connector;

	if (c->url_count == 0)
		sp_report_add(ld->report, at, "%s: \"url\" (or \"urls\") is missing", path);
	pair(ld, at, path, c->cert_file, c->key_file);
	if (!c->cert_file && !c->key_file && !c->token_file)
		sp_report_add(ld->report, at, "%s: nothing says who the connector is: set cert_file and key_file, or token", path);
	if (c->id[0] == '\0' && gethostname(c->id, sizeof(c->id) - 1) < 0)
		c->id[0] = '\0'; /* too long a name: it is the operator's to choose a short one */
	if (!sp_http_is_token(sp_slice_str(c->id)))
		sp_report_add(ld->report, at, "%s.id = \"%s\": must be letters, digits, \"-\", \".\" or \"_\" (it is the host name if absent)",
			      path, c->id);
}

/* As systems read names: letters' case aside, and "-" and "_" are one (CGI). */
static bool is_same_header(struct sp_slice name, const char *other)
{
	return name.n == strlen(other) && sp_field_name_begins(name, other);
}

/* A rule and a header are found by these names: a second one of the same name would decide nothing, or be another's word. */
static void check_named_once(struct sp_load *ld, const char *path, const struct sp_conf_expose *e)
{
	for (unsigned i = 0; i < e->path_count; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(e->paths[i].path, e->paths[j].path) == 0)
				sp_report_add(ld->report, &e->paths[i].at, "%s.paths[%u]: the path \"%s\" is that of paths[%u]", path, i,
					      e->paths[i].path, j);
	for (unsigned i = 0; i < e->claim_count; i++) {
		for (unsigned j = 0; j < i; j++) {
			const struct sp_conf_claim *a = &e->claims[i], *b = &e->claims[j];

			if (is_same_header(sp_slice_str(a->header), b->header))
				sp_report_add(ld->report, &a->at, "%s.principal_header[%u]: the header \"%s\" is that of "
					      "principal_header[%u]", path, i, a->header, j);
			if (strcmp(a->claim, b->claim) == 0)
				sp_report_add(ld->report, &a->at, "%s.principal_header[%u]: the claim \"%s\" is that of "
					      "principal_header[%u]", path, i, a->claim, j);
		}
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

void sp_check_expose(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	struct sp_conf_expose *e = base;
	unsigned ports = e->last_port - e->first_port, inside = e->internal_last_port - e->internal_first_port;
	struct sp_authority name;

	e->internal_same_offset = inside > 0;
	if (inside > 0 && inside != ports)
		sp_report_add(ld->report, at, "%s: \"virtual\" has %u ports, \"internal\" has %u: write as many, or one internal port",
			      path, ports + 1, inside + 1);
	if (e->protocol != SP_EXPOSE_TCP && ports > 0)
		sp_report_add(ld->report, at, "%s: a range of ports goes with protocol = \"tcp\" only", path);
	pair(ld, at, path, e->cert_file, e->key_file);
	if (e->server_name && sp_authority_make(sp_slice_str(e->server_name), 443, &name) < 0)
		sp_report_add(ld->report, at, "%s.server_name = \"%s\": must be the name of a host", path, e->server_name);
	check_named_once(ld, path, e);
}

/* What any reader may read in one way only: sp_paths_check() compares with it. */
void sp_check_path(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	const struct sp_conf_path *p = base;
	struct sp_slice v = sp_slice_str(p->path);

	if (v.n == 0 || v.p[0] != '/' || strpbrk(p->path, "%?#\\;") || strstr(p->path, "//") || strstr(p->path, "/./") ||
	    strstr(p->path, "/../") || ends_with(p->path, "/.") || ends_with(p->path, "/..") || !sp_utf8_is_printable(v))
		sp_report_add(ld->report, at, "%s.path = \"%s\": must begin with \"/\" and be plain: no \"%%\", \"?\", \"#\", \";\", "
			      "\"\\\", no empty and no dot segments", path, p->path);
	for (char **m = p->methods; m && *m; m++)
		if (!sp_http_is_token(sp_slice_str(*m)))
			sp_report_add(ld->report, at, "%s.methods: \"%s\" is no method", path, *m);
}

/* Headers that steer messages, or that the proxy's own hops speak in. */
static bool is_reserved(const char *name)
{
	static const char *const exact[] = { "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade",
					     "keep-alive", "expect", "via", "authorization", "cookie", "x-forwarded-host", NULL };
	static const char *const prefixes[] = { "proxy-", "sallyport-", "sap-connectivity-", "sap-cp-connectivity-", NULL };
	struct sp_slice v = sp_slice_str(name);

	for (const char *const *p = exact; *p; p++)
		if (is_same_header(v, *p))
			return true;
	for (const char *const *p = prefixes; *p; p++)
		if (sp_field_name_begins(v, *p))
			return true;
	return false;
}

void sp_check_claim(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base)
{
	const struct sp_conf_claim *c = base;

	if (!sp_http_is_token(sp_slice_str(c->header)))
		sp_report_add(ld->report, at, "%s.header = \"%s\": is no name of a header", path, c->header);
	else if (is_reserved(c->header))
		sp_report_add(ld->report, at, "%s.header = \"%s\": has a meaning of its own already", path, c->header);
}

/* ---- the whole file ---------------------------------------------------------- */

static bool same_address(const struct sp_addr *a, const struct sp_addr *b)
{
	if (a->sa.sa_family == AF_UNIX && b->sa.sa_family == AF_UNIX)
		return strcmp(a->un.sun_path, b->un.sun_path) == 0;
	/* Port 0 is a free one, another for each. */
	return a->len > 0 && a->len == b->len && sp_addr_port(a) != 0 && memcmp(&a->ss, &b->ss, a->len) == 0;
}

/* Two listeners would share the address (SO_REUSEPORT), and the kernel would choose whose chain a client meets. */
static void check_addresses(struct sp_load *ld)
{
	const struct sp_conf *c = ld->conf;

	for (unsigned i = 0; i < c->listener_count; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (!same_address(&c->listeners[i].address, &c->listeners[j].address))
				continue;
			sp_report_add(ld->report, &c->listeners[i].at, "listeners[%u]: the address %s is that of listeners[%u], %s:%u", i,
				      c->listeners[i].address_text, j, c->listeners[j].at.file, c->listeners[j].at.line);
			break;
		}
	}
}

static bool in_list(char **list, const char *text)
{
	for (; list && *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

/* A region's name and an issuer lead to one gateway. */
static void check_regions(struct sp_load *ld)
{
	const struct sp_conf *c = ld->conf;

	for (unsigned i = 0; i < c->region_count; i++) {
		const struct sp_conf_region *r = &c->regions[i];

		for (unsigned j = 0; j < i; j++) {
			const struct sp_conf_region *other = &c->regions[j];

			if (r->id && other->id && strcmp(r->id, other->id) == 0)
				sp_report_add(ld->report, &r->at, "regions[%u]: id \"%s\" is that of regions[%u], %s:%u", i, r->id, j,
					      other->at.file, other->at.line);
			for (char **s = r->issuers; s && *s; s++)
				if (in_list(other->issuers, *s))
					sp_report_add(ld->report, &r->at, "regions[%u]: the issuer \"%s\" is in regions[%u] already, %s:%u", i,
						      *s, j, other->at.file, other->at.line);
		}
	}
	if (c->region_count > 0 && c->upstream.kind != SP_UPSTREAM_GATEWAY)
		sp_report_add(ld->report, &c->regions[0].at,
			      "regions: go with upstream.kind = \"gateway\", which is where exchanges of no region go");
}

static void check_overlaps(struct sp_load *ld)
{
	const struct sp_conf *c = ld->conf;

	for (unsigned i = 0; i < c->expose_count; i++) {
		for (unsigned j = 0; j < i; j++) {
			const struct sp_conf_expose *a = &c->exposes[i], *b = &c->exposes[j];

			if (a->virtual_host[0] == '\0' || strcmp(a->virtual_host, b->virtual_host) != 0 ||
			    a->first_port > b->last_port || b->first_port > a->last_port)
				continue;
			sp_report_add(ld->report, &a->at, "expose[%u]: ports of \"%s\" are in expose[%u] already, %s:%u", i,
				      a->virtual_host, j, b->at.file, b->at.line);
			break;
		}
	}
}

void sp_check_file(struct sp_load *ld)
{
	switch (ld->conf->kind) {
	case SP_CONF_PROXY:
		check_addresses(ld);
		check_regions(ld);
		break;
	case SP_CONF_CONNECTOR:
		check_overlaps(ld);
		break;
	}
}
