/* A plugin that asks the host for HTTPS requests and alarms. Settings:
 *   url, ca_file, max_bytes   request() fetches this and answers with the body as principal, or FAIL with why as detail
 *   alarm_ms       request() answers when an alarm has rung
 *   leave          "fetch" | "alarm": starts one in worker_open() and forgets it, which is a fault */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"
#include "sallyport/plugin.h"

struct worker {
	const sp_host *host;
	sp_worker *w;
	json_object *o;
};

struct pending {
	struct worker *w;
	sp_ticket t;
	sp_fetch *fetch;
	sp_alarm *alarm;
};

static const sp_host *the_host;
static char *settings;

static const char *text(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static uint32_t number(json_object *o, const char *key, uint32_t otherwise)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? (uint32_t)json_object_get_int64(v) : otherwise;
}

static void on_left_alarm(void *arg)
{
	(void)arg;
	abort();
}

static void on_left_fetch(void *arg, int status, sp_str body, int64_t fresh_until, sp_str why)
{
	(void)status, (void)body, (void)fresh_until, (void)why;
	on_left_alarm(arg);
}

static void on_fetched(void *arg, int status, sp_str body, int64_t fresh_until, sp_str why)
{
	struct pending *p = arg;
	sp_answer a = { .size = sizeof(a), .verdict = status == 200 ? SP_ALLOW : SP_FAIL };

	p->fetch = NULL;
	a.tenant = pc_str("t");
	a.principal = body;
	a.detail = why;
	a.expires_at = fresh_until;
	p->w->host->log(SP_LEVEL_DEBUG, p->t, "fetched: %d", status);
	p->w->host->answer(p->t, &a);
}

static void on_alarm(void *arg)
{
	struct pending *p = arg;
	sp_answer a = { .size = sizeof(a), .verdict = SP_ALLOW, .tenant = pc_str("t"), .principal = pc_str("rang") };

	p->alarm = NULL;
	p->w->host->answer(p->t, &a);
}

static sp_fetch *fetch(struct worker *w, sp_fetch_cb *cb, void *arg)
{
	sp_fetch_get get = { .size = sizeof(get), .max_bytes = number(w->o, "max_bytes", 1000), .timeout_ms = 20000 };

	get.url = pc_str(text(w->o, "url"));
	if (text(w->o, "ca_file"))
		get.ca_file = pc_str(text(w->o, "ca_file"));
	return w->host->fetch(w->w, &get, cb, arg);
}

static int f_check(const char *json, uint32_t *traits, sp_error *err)
{
	(void)json, (void)err;
	*traits = SP_TRAIT_RESOLVES;
	return 0;
}

static int f_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	(void)prev, (void)inst, (void)err;
	the_host = h;
	settings = strdup(json);
	return SP_HAS(sp_host, h, alarm_cancel) ? 0 : -1;
}

static int f_worker_open(void *inst, sp_worker *sw, void **wctx, sp_error *err)
{
	struct worker *w = calloc(1, sizeof(*w));
	const char *leave;

	(void)inst, (void)err;
	*w = (struct worker){ the_host, sw, json_tokener_parse(settings) };
	leave = text(w->o, "leave");
	if (leave && strcmp(leave, "fetch") == 0)
		fetch(w, on_left_fetch, w);
	if (leave && strcmp(leave, "alarm") == 0)
		w->host->alarm(sw, 3600000, on_left_alarm, w);
	*wctx = w;
	return 0;
}

static void f_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	struct worker *w = wctx;
	struct pending *p = calloc(1, sizeof(*p));
	sp_answer refused = { .size = sizeof(refused), .verdict = SP_FAIL, .detail = pc_str("the host refused") };

	(void)r;
	*p = (struct pending){ .w = w, .t = t };
	*slot = p;
	if (text(w->o, "url"))
		p->fetch = fetch(w, on_fetched, p);
	else
		p->alarm = w->host->alarm(w->w, number(w->o, "alarm_ms", 0), on_alarm, p);
	if (!p->fetch && !p->alarm)
		w->host->answer(t, &refused);
}

static void f_finish(void *wctx, void *slot, int end)
{
	struct pending *p = slot;

	(void)wctx, (void)end;
	if (p->fetch)
		p->w->host->fetch_cancel(p->fetch);
	if (p->alarm)
		p->w->host->alarm_cancel(p->alarm);
	free(p);
}

static void f_worker_close(void *wctx)
{
	struct worker *w = wctx;

	json_object_put(w->o);
	free(w);
}

static void f_close(void *inst)
{
	(void)inst;
	free(settings);
	settings = NULL;
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "fetching",
	.version = "1",
	.check = f_check,
	.open = f_open,
	.worker_open = f_worker_open,
	.request = f_request,
	.finish = f_finish,
	.worker_close = f_worker_close,
	.close = f_close,
};

SP_PLUGIN_EXPORT(fetching, plugin)
