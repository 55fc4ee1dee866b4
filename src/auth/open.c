/* struct sp_auth: from a snapshot's chains to open plugin instances. */
#include <stdlib.h>

#include "auth/internal.h"
#include "base/alloc.h"
#include "base/secret.h"

static void report(const struct sp_auth_instance *in, struct sp_report *r, const sp_error *e, const char *unsaid)
{
	const struct sp_conf_at *at = sp_conf_plugin_at(in->conf, e->path);

	sp_report_add(r, at, "plugin \"%s\": %s%s%s", in->conf->name, e->path, e->path[0] ? ": " : "", e->msg[0] ? e->msg : unsaid);
}

/* A plugin's strings may miss their NUL. */
static sp_error error_make(void)
{
	return (sp_error){ .size = sizeof(sp_error) };
}

static void error_close(sp_error *e)
{
	e->path[sizeof(e->path) - 1] = '\0';
	e->msg[sizeof(e->msg) - 1] = '\0';
}

static void check_instance(struct sp_auth *a, struct sp_auth_instance *in, struct sp_report *r)
{
	sp_error e = error_make();
	struct sp_auth_call call;
	int rc;

	in->module = sp_auth_module_load(a->conf->plugin_dir, in->conf, r);
	if (!in->module)
		return;
	call = sp_auth_call_begin(in, NULL, "check");
	rc = in->module->plugin.check(in->conf->json, &in->traits, &e);
	sp_auth_call_end(&call);
	error_close(&e);
	if (rc != 0)
		report(in, r, &e, "its settings were refused");
}

static void check_chain(struct sp_auth *a, struct sp_auth_chain *ch, const struct sp_conf_chain *conf, struct sp_report *r)
{
	ch->name = conf->name;
	ch->count = conf->plugin_count;
	ch->instances = sp_calloc(ch->count + 1, sizeof(*ch->instances));
	if (ch->count == 0)
		sp_report_add(r, &conf->at, "chain \"%s\" has no plugin", conf->name);
	for (unsigned i = 0; i < ch->count; i++) {
		struct sp_auth_instance *in = &ch->instances[i];

		in->conf = &conf->plugins[i];
		in->index = a->instance_count++;
		check_instance(a, in, r);
		ch->traits |= in->traits;
	}
}

static void open_instance(struct sp_auth *a, struct sp_auth_instance *in, struct sp_report *r)
{
	const struct sp_plugin *p = &in->module->plugin;
	sp_error e = error_make();
	struct sp_auth_call call;
	int rc = 0;

	if (p->open) {
		call = sp_auth_call_begin(in, NULL, "open");
		rc = p->open(&a->host, in->conf->json, NULL, &in->inst, &e);
		sp_auth_call_end(&call);
	}
	error_close(&e);
	in->open = rc == 0;
	if (rc != 0)
		report(in, r, &e, "it did not open");
}

int sp_auth_open(struct sp_conf *c, bool check_only, struct sp_auth **out, struct sp_report *r)
{
	struct sp_auth *a = SP_NEW(struct sp_auth);
	unsigned before = r->count;

	a->conf = sp_conf_ref(c);
	a->check_only = check_only;
	a->host = (struct sp_host){ .size = sizeof(a->host), .minor = SP_ABI_MINOR,
				    .answer = sp_auth_host_answer, .log = sp_auth_host_log,
				    .fetch = sp_auth_host_fetch, .fetch_cancel = sp_auth_host_fetch_cancel,
				    .alarm = sp_auth_host_alarm, .alarm_cancel = sp_auth_host_alarm_cancel };
	a->chain_count = c->chain_count;
	a->chains = sp_calloc(c->chain_count + 1, sizeof(*a->chains));
	for (unsigned i = 0; i < a->chain_count; i++)
		check_chain(a, &a->chains[i], &c->chains[i], r);
	for (unsigned i = 0; i < a->chain_count && !check_only && r->count == before; i++)
		for (unsigned j = 0; j < a->chains[i].count; j++)
			open_instance(a, &a->chains[i].instances[j], r);
	if (r->count != before) {
		sp_auth_close(&a);
		return SP_EINVAL;
	}
	*out = a;
	return 0;
}

void sp_auth_close(struct sp_auth **ap)
{
	struct sp_auth *a = *ap;

	if (!a)
		return;
	sp_must(atomic_load(&a->workers) == 0);
	for (unsigned i = 0; i < a->chain_count; i++) {
		for (unsigned j = 0; j < a->chains[i].count; j++) {
			struct sp_auth_instance *in = &a->chains[i].instances[j];

			if (in->open && in->module->plugin.close) {
				struct sp_auth_call call = sp_auth_call_begin(in, NULL, "close");

				in->module->plugin.close(in->inst);
				sp_auth_call_end(&call);
			}
		}
		free(a->chains[i].instances);
	}
	free(a->chains);
	sp_conf_unref(&a->conf);
	free(a);
	*ap = NULL;
}

uint32_t sp_auth_traits(const struct sp_auth *a, unsigned chain)
{
	sp_must(chain < a->chain_count);
	return a->chains[chain].traits;
}

const char *sp_auth_mode(uint32_t traits)
{
	bool verifies = traits & SP_TRAIT_VERIFIES;

	if (traits & SP_TRAIT_PINS)
		return verifies ? "single-tenant, non-trusted environment" : "single-tenant, trusted environment";
	if (traits & SP_TRAIT_RESOLVES)
		return verifies ? "multi-tenant, non-trusted environment" : "multi-tenant, trusted environment";
	return NULL;
}

void sp_identity_deinit(struct sp_identity *id)
{
	free(id->tenant);
	free(id->principal);
	sp_secret_free(&id->upstream_auth);
	sp_secret_free(&id->claims);
	free(id->client);
	free(id->issuer);
	free(id->subdomain);
	*id = (struct sp_identity){ 0 };
}

int sp_identity_copy(const struct sp_identity *from, struct sp_identity *to)
{
	struct sp_identity id = { .plugin = from->plugin, .expires_at = from->expires_at };
	const char *const src[] = { from->tenant, from->principal, from->upstream_auth, from->claims, from->client, from->issuer, from->subdomain };
	char **const dst[] = { &id.tenant, &id.principal, &id.upstream_auth, &id.claims, &id.client, &id.issuer,
				&id.subdomain };

	for (unsigned i = 0; i < SP_COUNT_OF(src); i++) {
		*dst[i] = src[i] ? strdup(src[i]) : NULL;
		if (src[i] && !*dst[i]) {
			sp_identity_deinit(&id);
			return SP_ENOMEM;
		}
	}
	*to = id;
	return 0;
}
