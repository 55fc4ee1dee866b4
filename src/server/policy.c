/* What must hold before anything starts, and the text of `-t`. */
#include "server/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sallyport/plugin.h>

#include "auth/service_key.h"
#include "base/secret.h"
#include "net/tls.h"

#define TOKEN_FILE_MAX_BYTES (64u * 1024)

static const char *chain_name(const struct sp_conf *c, int chain)
{
	return chain >= 0 ? c->chains[chain].name : "none";
}

static bool is_private(const struct sp_conf_listener *l)
{
	return sp_addr_is_local(&l->address) || l->trusted_network;
}

/* A chain that lets unproven callers in must not be reachable from a network, unless the operator says that it is trusted. */
static void check_trust(const struct sp_conf *c, const struct sp_auth *auth, const struct sp_conf_listener *l, int chain,
			struct sp_report *r)
{
	if (chain < 0 || (sp_auth_traits(auth, (unsigned)chain) & SP_TRAIT_VERIFIES) || is_private(l))
		return;
	sp_report_add(r, &l->at,
		      "%s is reachable from the network but chain \"%s\" verifies nobody; listen on loopback or a Unix "
		      "socket, add a plugin that verifies callers, or say trusted_network = true",
		      l->address_text, chain_name(c, chain));
}

static void check_tenant(const struct sp_conf *c, const struct sp_auth *auth, const struct sp_conf_listener *l, int chain,
			 struct sp_report *r)
{
	if (chain >= 0 && !sp_auth_mode(sp_auth_traits(auth, (unsigned)chain)))
		sp_report_add(r, &l->at, "chain \"%s\" can resolve no tenant; add static-tenant, or a plugin that takes the tenant "
			      "from the caller's credential", chain_name(c, chain));
}

static void check_listener(const struct sp_conf *c, const struct sp_auth *auth, const struct sp_conf_listener *l,
			   struct sp_report *r)
{
	check_trust(c, auth, l, l->chain, r);
	check_trust(c, auth, l, l->connectors, r);
	check_tenant(c, auth, l, l->connectors, r);
	if (l->protocol != SP_PROTOCOL_TUNNEL || !l->speaks_for_any)
		check_tenant(c, auth, l, l->chain, r);
	if (l->protocol == SP_PROTOCOL_FORWARD && l->chain >= 0 &&
	    (sp_auth_traits(auth, (unsigned)l->chain) & SP_TRAIT_WANTS_TOKEN))
		sp_report_add(r, &l->at, "a forward listener carries no credential, but chain \"%s\" needs one",
			      chain_name(c, l->chain));
	if (l->connectors >= 0 && c->upstream.kind != SP_UPSTREAM_CONNECTORS)
		sp_report_add(r, &l->at, "connectors may dial in here, but upstream.kind is not \"connectors\"");
}

int sp_server_policy(const struct sp_conf *c, const struct sp_auth *auth, struct sp_report *r)
{
	unsigned before = r->count;
	bool connectors = false;

	for (unsigned i = 0; i < c->listener_count; i++) {
		check_listener(c, auth, &c->listeners[i], r);
		connectors = connectors || c->listeners[i].connectors >= 0;
	}
	if (c->kind != SP_CONF_PROXY)
		return r->count == before ? 0 : SP_EINVAL;
	if (c->upstream.kind == SP_UPSTREAM_CONNECTORS && !connectors)
		sp_report_add(r, &c->upstream.at, "upstream.kind = \"connectors\", but no listener of protocol \"tunnel\" says "
			      "which chain admits them (connectors = \"...\")");
	if (c->upstream.kind == SP_UPSTREAM_CONNECTORS && c->workers > 1)
		sp_report_add(r, &c->upstream.at, "workers = %u: where connectors dial in, this version runs one worker", c->workers);
	return r->count == before ? 0 : SP_EINVAL;
}

uint64_t sp_server_memory_bound(const struct sp_conf *c)
{
	/* A stream holds at most its receive window undelivered, and each of its two write queues the high mark plus one read. */
	const uint64_t read_bytes = SP_STREAM_KEEP;
	uint64_t exchange = (uint64_t)c->limits.stream_window_bytes + 2 * ((uint64_t)SP_STREAM_HIGH + read_bytes);
	uint64_t client = (uint64_t)c->limits.head_bytes + c->limits.token_bytes + 1024;

	return c->limits.exchanges * exchange + c->limits.clients * client;
}

/* ---- files of credentials ------------------------------------------------------- */

static void check_token(const char *file, const struct sp_conf_at *at, struct sp_report *r)
{
	struct sp_cause cause = { 0 };
	char *token = NULL;

	if (!file)
		return;
	if (sp_conf_read_secret(file, TOKEN_FILE_MAX_BYTES, &token, &cause) < 0)
		sp_report_add(r, at, "token: %s", cause.text);
	sp_secret_free(&token);
}

static void try_tls(struct sp_tls_config *cfg, const struct sp_conf_at *at, struct sp_report *r)
{
	static const char *const alpn[] = { "h2", NULL };
	struct sp_tls_ctx *ctx = NULL;
	struct sp_cause cause = { 0 };

	cfg->alpn = alpn;
	if (sp_tls_ctx_new(cfg, &ctx, &cause) < 0)
		sp_report_add(r, at, "%s", cause.text);
	sp_tls_ctx_unref(&ctx);
}

static void check_service_key(const struct sp_conf_upstream *u, struct sp_report *r)
{
	struct sp_service_key *key = NULL;
	struct sp_cause cause = { 0 };

	if (!u->service_key_file)
		return;
	if (sp_service_key_load(u->service_key_file, &key, &cause) < 0)
		sp_report_add(r, &u->at, "service_key: %s", cause.text);
	sp_service_key_free(&key);
	if (u->service_key_ca_file)
		try_tls(&(struct sp_tls_config){ .ca_file = u->service_key_ca_file }, &u->at, r);
}

static void check_upstream(const struct sp_conf_upstream *u, struct sp_report *r)
{
	if (u->kind != SP_UPSTREAM_GATEWAY)
		return;
	check_token(u->token_file, &u->at, r);
	check_service_key(u, r);
	try_tls(&(struct sp_tls_config){ .cert_file = u->cert_file, .key_file = u->key_file, .ca_file = u->ca_file }, &u->at, r);
}

int sp_server_files(const struct sp_conf *c, struct sp_report *r)
{
	struct sp_cause cause = { 0 };
	unsigned before = r->count;

	if (sp_audit_check(c, &cause) < 0)
		sp_report_add(r, &c->audit.at, "%s", cause.text);
	for (unsigned i = 0; i < c->listener_count; i++) {
		const struct sp_conf_listener *l = &c->listeners[i];

		if (l->protocol == SP_PROTOCOL_TUNNEL)
			try_tls(&(struct sp_tls_config){ .server = true, .cert_file = l->cert_file, .key_file = l->key_file,
							 .ca_file = l->client_ca_file }, &l->at, r);
	}
	if (c->kind == SP_CONF_PROXY)
		check_upstream(&c->upstream, r);
	for (unsigned i = 0; i < c->region_count; i++)
		check_upstream(&c->regions[i].upstream, r);
	if (c->kind == SP_CONF_CONNECTOR) {
		check_token(c->connector.token_file, &c->connector.at, r);
		try_tls(&(struct sp_tls_config){ .cert_file = c->connector.cert_file, .key_file = c->connector.key_file,
						 .ca_file = c->connector.ca_file }, &c->connector.at, r);
	}
	for (unsigned i = 0; i < c->expose_count; i++) {
		const struct sp_conf_expose *e = &c->exposes[i];

		if (e->protocol == SP_EXPOSE_HTTPS)
			try_tls(&(struct sp_tls_config){ .cert_file = e->cert_file, .key_file = e->key_file, .ca_file = e->ca_file }, &e->at, r);
	}
	return r->count == before ? 0 : SP_EINVAL;
}

/* ---- -t ------------------------------------------------------------------------ */

static void print_listener(FILE *out, const struct sp_conf *c, const struct sp_auth *auth, const struct sp_conf_listener *l)
{
	static const char *const words[] = { "socks5", "http", "forward", "tunnel" };
	const char *mode = l->chain >= 0 ? sp_auth_mode(sp_auth_traits(auth, (unsigned)l->chain)) : NULL;

	fprintf(out, "%-7s %s: ", words[l->protocol], l->address_text);
	if (l->protocol != SP_PROTOCOL_TUNNEL) {
		fprintf(out, "%s (chain \"%s\")", mode, chain_name(c, l->chain));
	} else {
		if (l->chain >= 0)
			fprintf(out, "proxies by chain \"%s\"", chain_name(c, l->chain));
		if (l->connectors >= 0)
			fprintf(out, "%sconnectors by chain \"%s\"", l->chain >= 0 ? ", " : "", chain_name(c, l->connectors));
	}
	if (l->trusted_network)
		fputs(", on a network that is said to be trusted", out);
	fputc('\n', out);
}

static void print_place(FILE *out, const char *host, unsigned first, unsigned last)
{
	bool ipv6 = strchr(host, ':') != NULL;

	fprintf(out, "%s%s%s:%u", ipv6 ? "[" : "", host, ipv6 ? "]" : "", first);
	if (last > first)
		fprintf(out, "-%u", last);
}

static void print_path(FILE *out, const struct sp_conf_path *p)
{
	bool all = strcmp(p->path, "/") == 0 && p->sub_paths;

	fprintf(out, "  %s%s: ", all ? "everything" : p->path, p->sub_paths && !all ? " and below" : "");
	if (p->suspended)
		fputs("suspended", out);
	else if (!p->methods)
		fputs("any method", out);
	for (char **m = p->methods; m && *m && !p->suspended; m++)
		fprintf(out, "%s%s", m == p->methods ? "" : ", ", *m);
	fputc('\n', out);
}

static void print_expose(FILE *out, const struct sp_conf_expose *e)
{
	static const char *const schemes[] = { "", "http://", "https://" };

	fputs("exposes ", out);
	print_place(out, e->virtual_host, e->first_port, e->last_port);
	fprintf(out, " as %s", schemes[e->protocol]);
	print_place(out, e->internal_host, e->internal_first_port, e->internal_last_port);
	if (e->protocol == SP_EXPOSE_TCP)
		fputs(", tcp: whatever is sent", out);
	if (e->host_internal)
		fputs(", which hears its own name", out);
	if (e->upgrade)
		fputs(", which may switch protocols: what is sent then passes unseen", out);
	if (e->suspended)
		fputs(", suspended", out);
	fputc('\n', out);
	for (unsigned i = 0; i < e->path_count; i++)
		print_path(out, &e->paths[i]);
	for (unsigned i = 0; i < e->claim_count; i++)
		fprintf(out, "  told of its callers: claim %s, as %s\n", e->claims[i].claim, e->claims[i].header);
}

static void print_upstream(FILE *out, const struct sp_conf *c)
{
	char text[SP_AUTHORITY_SIZE];

	if (c->kind == SP_CONF_CONNECTOR) {
		for (unsigned i = 0; i < c->connector.url_count; i++)
			fprintf(out, "gateway https://%s, %u tunnels, location \"%s\"\n",
				sp_authority_text(&c->connector.urls[i], text), c->connector.tunnels, c->connector.location);
		for (unsigned i = 0; i < c->expose_count; i++)
			print_expose(out, &c->exposes[i]);
		return;
	}
	switch (c->upstream.kind) {
	case SP_UPSTREAM_DIRECT:
		fputs("upstream direct: targets are reached from this machine\n", out);
		break;
	case SP_UPSTREAM_GATEWAY:
		fprintf(out, "upstream gateway https://%s\n", sp_authority_text(&c->upstream.url, text));
		for (unsigned i = 0; i < c->region_count; i++)
			fprintf(out, "region \"%s\": gateway https://%s\n", c->regions[i].id,
				sp_authority_text(&c->regions[i].upstream.url, text));
		break;
	case SP_UPSTREAM_CONNECTORS:
		fputs("upstream connectors: through the tunnels of connectors that dial in\n", out);
		break;
	}
}

static void print_audit(FILE *out, const struct sp_conf *c)
{
	bool on_stdout = c->audit.file && strcmp(c->audit.file, "-") == 0;

	if (c->audit.file)
		fprintf(out, "audit trail in %s, format %s; when it cannot be written: %s\n", on_stdout ? "standard output" : c->audit.file,
			c->audit.sap ? "sap" : "json", c->audit.deny ? "deny" : "continue");
	else
		fputs("no audit trail\n", out);
}

int sp_server_load(const char *file, enum sp_conf_kind kind, const char *plugin_dir, struct sp_conf **out, struct sp_report *r)
{
	int err = sp_conf_load(file, kind, out, r);
	char *absolute;

	if (err < 0 || !plugin_dir)
		return err;
	absolute = realpath(plugin_dir, NULL);
	if (!absolute) {
		sp_report_add(r, NULL, "--plugin-dir %s: %s", plugin_dir, strerror(errno));
		sp_conf_unref(out);
		return SP_EINVAL;
	}
	free((*out)->plugin_dir); /* nobody else has seen the snapshot yet */
	(*out)->plugin_dir = absolute;
	return 0;
}

int sp_server_test(const char *file, enum sp_conf_kind kind, const char *plugin_dir, FILE *out)
{
	struct sp_report r = { 0 };
	struct sp_conf *c = NULL;
	struct sp_auth *auth = NULL;
	int code = SP_EXIT_CONFIG;

	sp_log_setup(SP_LOG_WARN, false);
	if (sp_server_load(file, kind, plugin_dir, &c, &r) == 0) {
		if (kind == SP_CONF_CONNECTOR || (sp_auth_open(c, true, &auth, &r) == 0 && sp_server_policy(c, auth, &r) == 0))
			(void)sp_server_files(c, &r);
		if (r.count == 0) {
			for (unsigned i = 0; i < c->listener_count; i++)
				print_listener(out, c, auth, &c->listeners[i]);
			print_upstream(out, c);
			print_audit(out, c);
			fprintf(out, "memory bound: %llu MiB of buffers per worker (%u exchanges, %u clients), %u worker%s\n",
				(unsigned long long)(sp_server_memory_bound(c) >> 20), c->limits.exchanges, c->limits.clients,
				c->workers, c->workers == 1 ? "" : "s");
			fprintf(out, "%s: ok\n", file);
			code = SP_EXIT_OK;
		}
	}
	if (r.count)
		fprintf(stderr, "%s\n", r.text);
	sp_auth_close(&auth);
	sp_conf_unref(&c);
	sp_report_deinit(&r);
	return code;
}
