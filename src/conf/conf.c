/* The snapshot: loading as a whole, references, release. */
#include "conf/conf.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/must.h"
#include "conf/check.h"
#include "conf/load.h"

int sp_conf_load(const char *file, enum sp_conf_kind kind, struct sp_conf **out, struct sp_report *r)
{
	struct sp_load ld = { .conf = SP_NEW(struct sp_conf), .report = r, .report_before = r->count };
	config_t tree;

	ld.conf->refs = 1;
	ld.conf->file = sp_strdup(file);
	ld.conf->kind = kind;
	config_init(&tree);
	if (sp_source_read(&ld, &tree) == 0) {
		sp_walk_group(&ld, sp_conf_keys, config_root_setting(&tree), "", ld.conf);
		sp_check_file(&ld);
	}
	config_destroy(&tree);
	free(ld.folder);
	if (r->count > ld.report_before) {
		sp_conf_unref(&ld.conf);
		return SP_EINVAL;
	}
	*out = ld.conf;
	return 0;
}

struct sp_conf *sp_conf_ref(struct sp_conf *c)
{
	sp_must(__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED) > 0);
	return c;
}

static void free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

static void free_chain(struct sp_conf_chain *chain)
{
	for (unsigned i = 0; i < chain->plugin_count; i++) {
		struct sp_conf_plugin *p = &chain->plugins[i];

		free(p->name);
		free(p->json);
		for (unsigned j = 0; j < p->line_count; j++)
			free(p->lines[j].pointer);
		free(p->lines);
	}
	free(chain->plugins);
	free(chain->name);
}

static void free_listener(struct sp_conf_listener *l)
{
	free(l->address_text);
	free(l->location);
	free(l->cert_file);
	free(l->key_file);
	free(l->client_ca_file);
	free_strings(l->speaks_for_any);
}

static void free_upstream(struct sp_conf_upstream *u)
{
	free(u->ca_file);
	free(u->cert_file);
	free(u->key_file);
	free(u->token_file);
	free(u->service_key_file);
	free(u->service_key_ca_file);
}

static void free_region(struct sp_conf_region *r)
{
	free(r->id);
	free_strings(r->issuers);
	free_strings(r->allowed_clients);
	free_upstream(&r->upstream);
}

static void free_connector(struct sp_conf_connector *c)
{
	free(c->urls);
	free(c->ca_file);
	free(c->cert_file);
	free(c->key_file);
	free(c->token_file);
}

static void free_expose(struct sp_conf_expose *e)
{
	for (unsigned i = 0; i < e->path_count; i++) {
		free(e->paths[i].path);
		free_strings(e->paths[i].methods);
	}
	free(e->paths);
	for (unsigned i = 0; i < e->claim_count; i++) {
		free(e->claims[i].claim);
		free(e->claims[i].header);
	}
	free(e->claims);
	free(e->ca_file);
	free(e->cert_file);
	free(e->key_file);
	free(e->server_name);
}

void sp_conf_unref(struct sp_conf **c)
{
	struct sp_conf *old = *c;
	unsigned left;

	*c = NULL;
	if (!old)
		return;
	left = __atomic_fetch_sub(&old->refs, 1, __ATOMIC_ACQ_REL);
	sp_must(left > 0);
	if (left > 1)
		return;
	for (unsigned i = 0; i < old->chain_count; i++)
		free_chain(&old->chains[i]);
	for (unsigned i = 0; i < old->listener_count; i++)
		free_listener(&old->listeners[i]);
	for (unsigned i = 0; i < old->include_count; i++)
		free(old->includes[i]);
	for (unsigned i = 0; i < old->region_count; i++)
		free_region(&old->regions[i]);
	free_upstream(&old->upstream);
	free_connector(&old->connector);
	free(old->regions);
	free(old->includes);
	free(old->chains);
	free(old->listeners);
	for (unsigned i = 0; i < old->expose_count; i++)
		free_expose(&old->exposes[i]);
	free(old->exposes);
	free(old->plugin_dir);
	free(old->audit.file);
	free(old->file);
	free(old);
}
