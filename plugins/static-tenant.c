/* static-tenant: everything belongs to one configured tenant. It verifies nobody; after a plugin that does, it refuses
 * callers who were found to belong to another tenant.
 *
 * Settings:
 *   tenant   required */
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"

struct pinned {
	const sp_host *host;
	char *tenant;
};

static int settings_read(const char *json, char **tenant, sp_error *err)
{
	static const char *const known[] = { "tenant", NULL };
	json_object *o = pc_settings(json, known, err);
	const char *name = NULL;
	int rc;

	if (!o)
		return -1;
	rc = pc_string(o, "tenant", &name, err);
	if (rc == 0 && !name)
		rc = pc_fail(err, "tenant", -1, "is required");
	if (rc == 0 && tenant) {
		*tenant = strdup(name);
		rc = *tenant ? 0 : pc_fail(err, "tenant", -1, "out of memory");
	}
	json_object_put(o);
	return rc;
}

static int pinned_check(const char *json, uint32_t *traits, sp_error *err)
{
	if (settings_read(json, NULL, err) < 0)
		return -1;
	*traits = SP_TRAIT_PINS;
	return 0;
}

static int pinned_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct pinned *s = calloc(1, sizeof(*s));

	(void)prev;
	if (!s)
		return pc_fail(err, NULL, -1, "out of memory");
	s->host = h;
	if (settings_read(json, &s->tenant, err) < 0) {
		free(s);
		return -1;
	}
	*inst = s;
	return 0;
}

static int pinned_worker_open(void *inst, sp_worker *w, void **wctx, sp_error *err)
{
	(void)w;
	(void)err;
	*wctx = inst;
	return 0;
}

static void pinned_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	const struct pinned *s = wctx;
	sp_answer a = { .size = sizeof(a), .verdict = SP_ALLOW, .tenant = pc_str(s->tenant) };

	(void)slot;
	if (r->tenant.p && (r->tenant.n != a.tenant.n || memcmp(r->tenant.p, a.tenant.p, a.tenant.n) != 0)) {
		a = (sp_answer){ .size = sizeof(a), .verdict = SP_DENY, .why = SP_WHY_TENANT_CONFLICT };
		a.detail = pc_str("the caller belongs to another tenant than the configured one");
	}
	s->host->answer(t, &a);
}

static void pinned_finish(void *wctx, void *slot, int end)
{
	(void)wctx;
	(void)slot;
	(void)end;
}

static void pinned_worker_close(void *wctx)
{
	(void)wctx;
}

static void pinned_close(void *inst)
{
	struct pinned *s = inst;

	free(s->tenant);
	free(s);
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "static-tenant",
	.version = "1",
	.check = pinned_check,
	.open = pinned_open,
	.worker_open = pinned_worker_open,
	.request = pinned_request,
	.finish = pinned_finish,
	.worker_close = pinned_worker_close,
	.close = pinned_close,
};

SP_PLUGIN_EXPORT(static_tenant, plugin)
