/* The first byte chooses the program, the rest is its configuration file. */
#include "fuzz.h"

#include <unistd.h>

#include "base/error.h"
#include "conf/conf.h"

static char folder[] = "/tmp/sallyport-fuzz-XXXXXX", file[sizeof(folder) + 16];

/* libconfig 1.5 loses 64 bytes on some syntax errors (strbuf_append). */
__attribute__((visibility("default"), used)) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static void clean_up(void)
{
	unlink(file);
	rmdir(folder);
}

static void write_file(const uint8_t *data, size_t n)
{
	FILE *f;

	if (file[0] == '\0') {
		fuzz_must(mkdtemp(folder) != NULL);
		snprintf(file, sizeof(file), "%s/main.conf", folder);
		atexit(clean_up);
	}
	f = fopen(file, "w");
	fuzz_must(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
}

/* As many lines as were counted, each one printable. */
static void check_report(const struct sp_report *r)
{
	unsigned lines = 1;

	fuzz_must(r->count > 0 && r->text);
	for (const char *p = r->text; *p; p++) {
		lines += *p == '\n';
		fuzz_must(*p == '\n' || ((unsigned char)*p >= 0x20 && *p != 0x7f));
	}
	fuzz_must(lines == r->count);
}

static void check_chains(const struct sp_conf *c)
{
	for (unsigned i = 0; i < c->chain_count; i++) {
		fuzz_must(c->chains[i].plugin_count > 0);
		for (unsigned j = 0; j < c->chains[i].plugin_count; j++) {
			const struct sp_conf_plugin *p = &c->chains[i].plugins[j];

			fuzz_must(p->name && p->json && p->json[0] == '{' && p->json[strlen(p->json) - 1] == '}');
			fuzz_must(p->at.line > 0 && sp_conf_plugin_at(p, "/none") == &p->at);
			for (unsigned k = 0; k < p->line_count; k++)
				fuzz_must(sp_conf_plugin_at(p, p->lines[k].pointer)->line == p->lines[k].at.line);
		}
	}
}

static void check_listener(const struct sp_conf *c, const struct sp_conf_listener *l)
{
	fuzz_must(l->address.len > 0 && l->address_text);
	fuzz_must(l->chain >= -1 && l->chain < (int)c->chain_count && l->connectors >= -1 && l->connectors < (int)c->chain_count);
	if (l->protocol == SP_PROTOCOL_TUNNEL)
		fuzz_must((l->chain >= 0 || l->connectors >= 0) && l->cert_file[0] == '/' && l->key_file[0] == '/');
	else
		fuzz_must(l->chain >= 0 && l->connectors == -1 && !l->cert_file && !l->speaks_for_any);
	fuzz_must((l->protocol == SP_PROTOCOL_FORWARD) == (l->target.port != 0));
}

static void check_web(const struct sp_conf_expose *e)
{
	fuzz_must(e->path_count > 0 && e->first_port == e->last_port && e->connections > 0 && e->head_max_bytes >= 1024);
	for (unsigned i = 0; i < e->path_count; i++) {
		const struct sp_conf_path *p = &e->paths[i];

		fuzz_must(p->at.line > 0 && p->path[0] == '/' && !strpbrk(p->path, "?#%;\\") && !strstr(p->path, "//"));
		fuzz_must(!p->methods || p->methods[0]);
	}
	for (unsigned i = 0; i < e->claim_count; i++)
		fuzz_must(e->claims[i].claim[0] && e->claims[i].header[0] && !strpbrk(e->claims[i].header, " :\"/"));
	fuzz_must(!e->cert_file == !e->key_file);
	if (e->protocol == SP_EXPOSE_HTTP)
		fuzz_must(!e->ca_file && !e->cert_file && !e->server_name);
}

static void check_expose(const struct sp_conf_expose *e)
{
	fuzz_must(e->first_port > 0 && e->first_port <= e->last_port && e->internal_first_port > 0);
	fuzz_must(!e->internal_same_offset || e->internal_last_port - e->internal_first_port == e->last_port - e->first_port);
	if (e->protocol == SP_EXPOSE_TCP)
		fuzz_must(!e->paths && !e->claims && !e->upgrade && !e->host_internal && !e->ca_file && !e->server_name);
	else
		check_web(e);
}

static void check_snapshot(const struct sp_conf *c)
{
	fuzz_must(c->refs == 1 && c->workers >= 1 && c->workers <= 64 && c->plugin_dir[0] == '/');
	fuzz_must(c->timeouts.handshake_ms && c->timeouts.auth_ms && c->timeouts.open_ms && c->timeouts.dial_ms);
	fuzz_must(c->limits.exchanges && c->limits.clients && c->limits.token_bytes && c->limits.head_bytes);
	fuzz_must(c->limits.connection_window_bytes >= c->limits.stream_window_bytes);
	fuzz_must(c->limits.head_line_bytes >= 1024 && c->limits.head_bytes >= c->limits.head_line_bytes);
	fuzz_must(c->limits.fields >= 10 && c->limits.fields <= 110);
	fuzz_must(c->timeouts.response_ms && c->timeouts.body_ms && c->timeouts.keep_alive_ms);
	if (c->kind == SP_CONF_PROXY) {
		fuzz_must(c->listener_count > 0 && c->expose_count == 0);
		for (unsigned i = 0; i < c->listener_count; i++)
			check_listener(c, &c->listeners[i]);
		fuzz_must((c->upstream.kind == SP_UPSTREAM_GATEWAY) == (c->upstream.url.port != 0));
		check_chains(c);
		return;
	}
	fuzz_must(c->listener_count == 0 && c->connector.url_count > 0 && c->connector.id[0]);
	fuzz_must(c->connector.token_file || c->connector.cert_file);
	for (unsigned i = 0; i < c->expose_count; i++)
		check_expose(&c->exposes[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_report r = { 0 };
	struct sp_conf *c = NULL;
	int err;

	if (n == 0)
		return 0;
	write_file(data + 1, n - 1);
	err = sp_conf_load(file, data[0] % 2 ? SP_CONF_CONNECTOR : SP_CONF_PROXY, &c, &r);
	if (err == 0) {
		fuzz_must(c && r.count == 0 && !r.text);
		check_snapshot(c);
	} else {
		fuzz_must(err == SP_EINVAL && !c);
		check_report(&r);
	}
	sp_conf_unref(&c);
	sp_report_deinit(&r);
	return 0;
}
