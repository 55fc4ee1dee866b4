/* What the host does for plugins on a loop besides taking answers: HTTPS requests and alarms. A plugin's callback runs inside
 * sp_auth_call_begin() and _end(), so that its log lines name it and a slow one is seen. It cannot close the worker: what it
 * answers is handled later. */
#include <stdlib.h>

#include "auth/internal.h"
#include "base/alloc.h"
#include "net/fetch.h"

#define FETCH_BYTES_MOST (16u << 20)
#define FETCH_MS_MOST (10u * 60 * 1000)

struct fetch {
	struct sp_list node; /* w->fetches */
	struct sp_auth_worker *w;
	const struct sp_auth_instance *in;
	struct sp_fetch *fetch;
	sp_fetch_cb *cb;
	void *arg;
};

struct alarm {
	struct sp_list node; /* w->alarms */
	struct sp_auth_worker *w;
	const struct sp_auth_instance *in;
	struct sp_timer timer;
	sp_alarm_cb *cb;
	void *arg;
};

static struct sp_auth_worker *worker_of(sp_worker *w)
{
	struct sp_auth_worker *worker = (struct sp_auth_worker *)(void *)w;

	sp_loop_assert(worker->loop);
	return worker;
}

/* ---- HTTPS ---- */

static void fetch_forget(struct fetch *f)
{
	sp_list_remove(&f->node);
	sp_fetch_cancel(&f->fetch);
	free(f);
}

static void on_fetched(void *arg, int status, struct sp_slice body, int64_t fresh_until, const struct sp_cause *cause)
{
	struct fetch *f = arg;
	struct sp_auth_call call = sp_auth_call_begin(f->in, f->w, "fetch");
	sp_fetch_cb *cb = f->cb;
	void *cb_arg = f->arg;
	sp_str why = { 0 };

	f->fetch = NULL;
	fetch_forget(f);
	if (cause)
		why = (sp_str){ cause->text, strlen(cause->text) };
	cb(cb_arg, status > 0 ? status : 0, (sp_str){ (const char *)body.p, body.n }, fresh_until, why);
	sp_auth_call_end(&call);
}

static char *text_of(sp_str s)
{
	return s.p && !memchr(s.p, 0, s.n) ? sp_slice_dup(sp_slice_make(s.p, s.n)) : NULL;
}

sp_fetch *sp_auth_host_fetch(sp_worker *worker, const sp_fetch_get *theirs, sp_fetch_cb *cb, void *arg)
{
	struct sp_auth_worker *w = worker_of(worker);
	sp_fetch_get get = { 0 };
	struct sp_fetch_request r;
	struct fetch *f;
	char *url, *ca_file;
	int err = 0;

	memcpy(&get, theirs, theirs->size < sizeof(get) ? theirs->size : sizeof(get));
	url = text_of(get.url);
	ca_file = text_of(get.ca_file);
	if (!url || (get.ca_file.p && !ca_file)) {
		free(url);
		free(ca_file);
		return NULL;
	}
	r = (struct sp_fetch_request){ .url = url, .ca_file = ca_file,
				       .max_bytes = get.max_bytes < FETCH_BYTES_MOST ? get.max_bytes : FETCH_BYTES_MOST,
				       .timeout_ms = get.timeout_ms && get.timeout_ms < FETCH_MS_MOST ? get.timeout_ms : FETCH_MS_MOST };
	f = SP_NEW(struct fetch);
	*f = (struct fetch){ .w = w, .in = sp_auth_calling(), .cb = cb, .arg = arg };
	if (!w->fetcher)
		err = sp_fetcher_new(w->loop, &w->fetcher);
	if (err == 0)
		err = sp_fetch_start(w->fetcher, &r, on_fetched, f, &f->fetch);
	free(url);
	free(ca_file);
	if (err < 0) {
		free(f);
		return NULL;
	}
	sp_list_append(&w->fetches, &f->node);
	return (sp_fetch *)(void *)f;
}

void sp_auth_host_fetch_cancel(sp_fetch *f)
{
	fetch_forget((struct fetch *)(void *)f);
}

/* ---- alarms ---- */

static void alarm_forget(struct alarm *a)
{
	sp_list_remove(&a->node);
	sp_timer_stop(a->w->loop, &a->timer);
	free(a);
}

static void on_alarm(struct sp_timer *t)
{
	struct alarm *a = SP_CONTAINER_OF(t, struct alarm, timer);
	struct sp_auth_call call = sp_auth_call_begin(a->in, a->w, "alarm");
	sp_alarm_cb *cb = a->cb;
	void *arg = a->arg;

	alarm_forget(a);
	cb(arg);
	sp_auth_call_end(&call);
}

sp_alarm *sp_auth_host_alarm(sp_worker *worker, uint32_t after_ms, sp_alarm_cb *cb, void *arg)
{
	struct sp_auth_worker *w = worker_of(worker);
	struct alarm *a = SP_NEW(struct alarm);

	*a = (struct alarm){ .w = w, .in = sp_auth_calling(), .cb = cb, .arg = arg };
	sp_list_append(&w->alarms, &a->node);
	sp_timer_start(w->loop, &a->timer, after_ms, on_alarm);
	return (sp_alarm *)(void *)a;
}

void sp_auth_host_alarm_cancel(sp_alarm *a)
{
	alarm_forget((struct alarm *)(void *)a);
}

/* ---- the end ---- */

static void say_left(const struct sp_auth_instance *in, const char *what)
{
	sp_log(SP_LOG_ERROR, SP_EV_PLUGIN, "the plugin closed on a worker and left something running",
	       SP_KV_STR("plugin", in ? in->conf->name : NULL), SP_KV_STR("what", what));
}

void sp_auth_host_close(struct sp_auth_worker *w)
{
	while (!sp_list_empty(&w->fetches)) {
		struct fetch *f = SP_CONTAINER_OF(w->fetches.next, struct fetch, node);

		say_left(f->in, "fetch");
		fetch_forget(f);
	}
	while (!sp_list_empty(&w->alarms)) {
		struct alarm *a = SP_CONTAINER_OF(w->alarms.next, struct alarm, node);

		say_left(a->in, "alarm");
		alarm_forget(a);
	}
	sp_fetcher_free(&w->fetcher);
}
