/* See scripted.h. */
#include "scripted.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/settings.h"

#define HELD_MOST 4096

struct script {
	const sp_host *host;
	json_object *o;
	const char *how;
};

struct worker {
	struct script *s;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	sp_ticket *queue;
	unsigned head, tail;
	bool stop;
};

struct pending {
	struct worker *w;
	sp_ticket t;
};

static struct scripted_stats stats;
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct script *s;
	sp_ticket t;
} held[HELD_MOST];
static unsigned held_count;

__attribute__((visibility("default"))) struct scripted_stats *scripted_stats(void);
struct scripted_stats *scripted_stats(void)
{
	return &stats;
}

static const char *text(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static int64_t number(json_object *o, const char *key, int64_t otherwise)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : otherwise;
}

/* With its length, so that "\u0000" inside is kept. */
static sp_str str(json_object *o, const char *key)
{
	json_object *v;

	if (!json_object_object_get_ex(o, key, &v))
		return (sp_str){ 0 };
	return (sp_str){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
}

static void answer(const struct script *s, sp_ticket t)
{
	sp_answer a = { .size = sizeof(a) };
	int64_t expires = number(s->o, "expires_in_s", INT64_MAX);
	char *big = NULL;

	a.verdict = (uint32_t)number(s->o, "verdict", SP_ALLOW);
	a.why = (uint32_t)number(s->o, "why", 0);
	if (expires != INT64_MAX)
		a.expires_at = time(NULL) + expires;
	a.tenant = str(s->o, "tenant");
	a.principal = str(s->o, "principal");
	a.upstream_auth = str(s->o, "upstream_auth");
	a.claims = str(s->o, "claims");
	a.detail = str(s->o, "detail");
	a.client = str(s->o, "client");
	a.issuer = str(s->o, "issuer");
	a.subdomain = str(s->o, "subdomain");
	if (number(s->o, "big", 0)) {
		big = calloc(1, (size_t)2 << 20);
		a.detail = (sp_str){ big, (size_t)2 << 20 };
	}
	s->host->answer(t, strcmp(s->how, "null") == 0 ? NULL : &a);
	free(big);
}

__attribute__((visibility("default"))) unsigned scripted_release(void);
unsigned scripted_release(void)
{
	unsigned n;

	pthread_mutex_lock(&held_lock);
	n = held_count;
	for (unsigned i = 0; i < n; i++)
		answer(held[i].s, held[i].t);
	pthread_mutex_unlock(&held_lock);
	return n;
}

static int script_check(const char *json, uint32_t *traits, sp_error *err)
{
	json_object *o = json_tokener_parse(json);
	const char *fail = text(o, "fail");
	bool refused = fail && strcmp(fail, "check") == 0;

	*traits = (uint32_t)number(o, "traits", 0);
	json_object_put(o);
	return refused ? pc_fail(err, "fail", -1, "was asked to refuse") : 0;
}

static int script_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct script *s = calloc(1, sizeof(*s));
	const char *fail;

	(void)prev;
	s->host = h;
	s->o = json_tokener_parse(json);
	s->how = text(s->o, "how") ? text(s->o, "how") : "request";
	fail = text(s->o, "fail");
	if (fail && strcmp(fail, "open") == 0) {
		json_object_put(s->o);
		free(s);
		return pc_fail(err, NULL, -1, "the identity provider's key is gone");
	}
	if (fail && strcmp(fail, "silently") == 0) {
		json_object_put(s->o);
		free(s);
		return -1;
	}
	h->log(SP_LEVEL_DEBUG, (sp_ticket){ 0 }, "open, fetch %s", SP_HAS(sp_host, h, fetch) ? "yes" : "no");
	stats.opened++;
	*inst = s;
	return 0;
}

static void *answer_queue(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->head == w->tail && !w->stop)
			pthread_cond_wait(&w->more, &w->lock);
		if (w->head == w->tail)
			break;
		sp_ticket t = w->queue[w->head++];
		pthread_mutex_unlock(&w->lock);
		answer(w->s, t);
		stats.answered_by_threads++;
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int script_worker_open(void *inst, sp_worker *worker, void **wctx, sp_error *err)
{
	struct script *s = inst;
	const char *fail = text(s->o, "fail");
	struct worker *w;

	(void)worker;
	if (fail && strcmp(fail, "worker_open") == 0)
		return pc_fail(err, NULL, -1, "no threads left");
	w = calloc(1, sizeof(*w));
	w->s = s;
	if (strcmp(s->how, "thread") == 0) {
		w->queue = calloc(HELD_MOST, sizeof(*w->queue));
		pthread_mutex_init(&w->lock, NULL);
		pthread_cond_init(&w->more, NULL);
		pthread_create(&w->thread, NULL, answer_queue, w);
	}
	stats.workers_opened++;
	*wctx = w;
	return 0;
}

static bool seen(json_object *expect, const char *key, sp_str is)
{
	const char *want = text(expect, key);

	return !want || (is.p && strlen(want) == is.n && memcmp(want, is.p, is.n) == 0) || (!is.p && strcmp(want, "absent") == 0);
}

static bool as_expected(const struct script *s, const sp_request *r)
{
	json_object *e;

	if (!json_object_object_get_ex(s->o, "expect", &e))
		return true;
	return seen(e, "tenant", r->tenant) && seen(e, "principal", r->principal) && seen(e, "claims", r->claims) &&
	       seen(e, "user", r->user) && seen(e, "secret", r->secret) && seen(e, "target_host", r->target_host) &&
	       seen(e, "listener", r->listener) && seen(e, "client_addr", r->client_addr) && seen(e, "location", r->location) &&
	       seen(e, "cert_subject", r->cert_subject) && seen(e, "cert_sans", r->cert_sans) &&
	       seen(e, "cert_sha256", r->cert_sha256) && seen(e, "region", r->region) &&
	       seen(e, "service_token", r->service_token) &&
	       number(e, "stage", r->stage) == r->stage && number(e, "conn_id", (int64_t)r->conn_id) == (int64_t)r->conn_id;
}

static void busy(int64_t ms)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
}

static void hold(struct worker *w, sp_ticket t)
{
	pthread_mutex_lock(&held_lock);
	if (held_count < HELD_MOST) {
		held[held_count].s = w->s;
		held[held_count++].t = t;
	}
	pthread_mutex_unlock(&held_lock);
}

static void enqueue(struct worker *w, sp_ticket t)
{
	pthread_mutex_lock(&w->lock);
	w->queue[w->tail++ % HELD_MOST] = t;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

static void script_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	struct worker *w = wctx;
	struct pending *p = calloc(1, sizeof(*p));
	const char *how = w->s->how;

	stats.requests++;
	*p = (struct pending){ w, t };
	*slot = p; /* finish() frees it: a leak or a second finish() would be seen */
	busy(number(w->s->o, "busy_ms", 0));
	if (!as_expected(w->s, r)) {
		sp_answer a = { .size = sizeof(a), .verdict = SP_FAIL, .detail = pc_str("the request is not as expected") };

		w->s->host->answer(t, &a);
	} else if (strcmp(how, "thread") == 0) {
		enqueue(w, t);
	} else if (strcmp(how, "hold") == 0) {
		hold(w, t);
	} else if (strcmp(how, "twice") == 0) {
		answer(w->s, t);
		answer(w->s, t);
	} else if (strcmp(how, "never") != 0) {
		answer(w->s, t);
	}
}

static void script_finish(void *wctx, void *slot, int end)
{
	struct worker *w = wctx;
	struct pending *p = slot;

	stats.finishes++;
	stats.ended[end]++;
	if (strcmp(w->s->how, "finish") == 0)
		answer(w->s, p->t);
	free(p);
}

static void script_worker_close(void *wctx)
{
	struct worker *w = wctx;

	if (w->queue) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_signal(&w->more);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
		pthread_mutex_destroy(&w->lock);
		pthread_cond_destroy(&w->more);
		free(w->queue);
	}
	free(w);
	stats.workers_closed++;
}

static void script_close(void *inst)
{
	struct script *s = inst;

	json_object_put(s->o);
	free(s);
	stats.closed++;
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "scripted",
	.version = "1",
	.check = script_check,
	.open = script_open,
	.worker_open = script_worker_open,
	.request = script_request,
	.finish = script_finish,
	.worker_close = script_worker_close,
	.close = script_close,
};

SP_PLUGIN_EXPORT(scripted, plugin)
