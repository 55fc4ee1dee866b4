/* See worker.h. */
#include "server/worker.h"

#include <signal.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/must.h"

enum state { STARTING, RUNNING, DRAINING, CLOSING, ENDED };

struct sp_worker {
	struct sp_worker_options opt;
	enum state state; /* the worker's thread only */
	uv_thread_t thread;
	uv_sem_t started, released; /* released: the main thread will post to the loop no more */
	int start_err;
	struct sp_report report; /* of a failed start; read by the main thread after `started` */
	struct sp_loop *loop;
	struct sp_book book;
	struct sp_front_env env;
	struct sp_front **fronts;
	unsigned front_count;
	struct sp_uplinks *uplinks;
	struct sp_timer drain_timer;
};

static void report_cause(struct sp_worker *w, const struct sp_conf_at *at, const struct sp_cause *cause)
{
	sp_report_add(&w->report, at, "%s", cause->text);
}

/* ---- closing ---------------------------------------------------------------- */

static void on_back_closed(void *arg)
{
	struct sp_worker *w = arg;

	w->env.back = NULL;
	if (w->env.auth_worker)
		sp_auth_worker_close(&w->env.auth_worker);
	w->state = ENDED; /* the loop runs dry now */
}

static void close_back(struct sp_worker *w)
{
	w->book.on_empty = NULL;
	if (w->env.back)
		w->env.back->ops->close(w->env.back, on_back_closed, w);
	else
		on_back_closed(w);
}

static void on_book_empty(void *arg)
{
	struct sp_worker *w = arg;

	if (w->state == CLOSING)
		close_back(w);
}

static void start_closing(struct sp_worker *w)
{
	if (w->state >= CLOSING)
		return;
	w->state = CLOSING;
	w->book.draining = true;
	sp_timer_stop(w->loop, &w->drain_timer);
	for (unsigned i = 0; i < w->front_count; i++)
		sp_front_close(&w->fronts[i]);
	if (w->uplinks)
		sp_uplinks_close(&w->uplinks);
	if (w->book.clients == 0 && w->book.exchanges == 0)
		close_back(w);
	else
		w->book.on_empty = on_book_empty;
}

static void on_drained(void *arg)
{
	start_closing(arg);
}

static void on_drain_timeout(struct sp_timer *t)
{
	struct sp_worker *w = SP_CONTAINER_OF(t, struct sp_worker, drain_timer);

	sp_log(SP_LOG_WARN, SP_EV_STOP, "drain time is over, closing what is left", SP_KV_INT("exchanges", w->book.exchanges),
	       SP_KV_INT("clients", w->book.clients));
	start_closing(w);
}

static void start_draining(struct sp_worker *w)
{
	if (w->state >= DRAINING)
		return;
	w->state = DRAINING;
	w->book.draining = true;
	w->book.on_empty = on_drained;
	w->book.arg = w;
	sp_timer_start(w->loop, &w->drain_timer, w->opt.conf->timeouts.drain_ms, on_drain_timeout);
	for (unsigned i = 0; i < w->front_count; i++)
		sp_front_drain(w->fronts[i]);
	if (w->uplinks)
		sp_uplinks_drain(w->uplinks);
	if (w->book.clients == 0 && w->book.exchanges == 0)
		start_closing(w);
}

/* ---- starting --------------------------------------------------------------- */

static int open_back(struct sp_worker *w)
{
	struct sp_conf *c = w->opt.conf;
	struct sp_cause cause = { 0 };
	int err;

	if (c->kind == SP_CONF_CONNECTOR) {
		err = sp_back_exposed_new(w->loop, c, &w->env.back, &cause);
		if (err < 0)
			report_cause(w, &c->connector.at, &cause);
		return err;
	}
	switch (c->upstream.kind) {
	case SP_UPSTREAM_DIRECT:
		return sp_back_direct_new(w->loop, c, &w->env.back);
	case SP_UPSTREAM_GATEWAY:
		if (c->region_count > 0)
			err = sp_back_regions_new(w->loop, c, &w->env.back, &cause);
		else
			err = sp_back_gateway_new(w->loop, c, &c->upstream, &w->env.back, &cause);
		if (err < 0)
			report_cause(w, &c->upstream.at, &cause);
		return err;
	case SP_UPSTREAM_CONNECTORS:
		err = sp_back_connectors_new(w->loop, c, &w->env.back);
		if (err == 0)
			w->env.connectors = w->env.back;
		return err;
	}
	return SP_EINVAL;
}

static int open_listener(struct sp_worker *w, unsigned i)
{
	struct sp_conf_listener at = w->opt.conf->listeners[i]; /* the snapshot stays as it is; only the address may differ */
	struct sp_addr *shared = &w->opt.addresses[i];
	struct sp_cause cause = { 0 };
	char text[SP_ADDR_TEXT_SIZE];
	int err;

	if (w->opt.index > 0)
		at.address = *shared;
	err = sp_front_open(&w->env, w->opt.index > 0 ? &at : &w->opt.conf->listeners[i], &w->fronts[i], &cause);
	if (err < 0) {
		report_cause(w, &at.at, &cause);
		return err;
	}
	w->front_count = i + 1;
	if (w->opt.index == 0) {
		static const char *const words[] = { "socks5", "http", "forward", "tunnel" };

		sp_front_addr(w->fronts[i], shared);
		sp_log(SP_LOG_NOTICE, SP_EV_LISTEN, "listening", SP_KV_STR("protocol", words[at.protocol]),
		       SP_KV_STR("address", sp_addr_text(shared, text)));
	}
	return 0;
}

static int open_all(struct sp_worker *w)
{
	struct sp_conf *c = w->opt.conf;
	struct sp_cause cause = { 0 };
	int err = 0;

	w->env = (struct sp_front_env){ .loop = w->loop, .conf = c, .auth = w->opt.auth, .book = &w->book,
					.audit = w->opt.audit };
	w->book.clients_max = c->limits.clients;
	w->book.exchanges_max = c->limits.exchanges;
	w->fronts = sp_calloc(c->listener_count + 1, sizeof(w->fronts[0]));
	if (w->opt.auth && (err = sp_auth_worker_open(w->opt.auth, w->loop, &w->env.auth_worker, &w->report)) < 0)
		return err;
	if ((err = open_back(w)) < 0)
		return err;
	for (unsigned i = 0; i < c->listener_count && err == 0; i++)
		err = open_listener(w, i);
	if (err == 0 && c->kind == SP_CONF_CONNECTOR) {
		err = sp_uplinks_open(&w->env, &w->uplinks, &cause);
		if (err < 0)
			report_cause(w, &c->connector.at, &cause);
	}
	return err;
}

static void post_ended(void *arg)
{
	struct sp_worker *w = arg;

	w->opt.on_ended(w->opt.arg);
}

static void thread_main(void *arg)
{
	struct sp_worker *w = arg;
	sigset_t all;
	int err;

	/* Signals are the main thread's, and so for the threads that are started from here. */
	sigfillset(&all);
	sp_must(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
	err = sp_loop_new(&w->loop);
	if (err < 0) {
		w->start_err = err;
		uv_sem_post(&w->started);
		return;
	}
	w->book.arg = w;
	w->start_err = open_all(w);
	if (w->start_err < 0) {
		start_closing(w);
		sp_loop_run(w->loop);
		free(w->fronts);
		sp_loop_free(&w->loop);
		uv_sem_post(&w->started);
		return;
	}
	w->state = RUNNING;
	uv_sem_post(&w->started);
	sp_loop_run(w->loop);
	sp_must(w->state == ENDED);
	free(w->fronts);
	sp_must(sp_loop_post(w->opt.main_loop, post_ended, w) == 0);
	uv_sem_wait(&w->released);
	sp_loop_free(&w->loop);
}

int sp_worker_start(const struct sp_worker_options *opt, struct sp_worker **out, struct sp_report *r)
{
	struct sp_worker *w = SP_NEW(struct sp_worker);
	int err;

	w->opt = *opt;
	sp_must(uv_sem_init(&w->started, 0) == 0 && uv_sem_init(&w->released, 0) == 0);
	sp_must(uv_thread_create(&w->thread, thread_main, w) == 0);
	uv_sem_wait(&w->started);
	uv_sem_destroy(&w->started);
	err = w->start_err;
	if (err == 0) {
		*out = w;
		return 0;
	}
	sp_must(uv_thread_join(&w->thread) == 0);
	uv_sem_destroy(&w->released);
	sp_report_add(r, NULL, "%s", w->report.count ? w->report.text : "a worker could not start");
	sp_report_deinit(&w->report);
	free(w);
	return err;
}

/* ---- from the main thread --------------------------------------------------- */

static void do_drain(void *arg)
{
	start_draining(arg);
}

static void do_close(void *arg)
{
	start_closing(arg);
}

void sp_worker_drain(struct sp_worker *w)
{
	sp_must(sp_loop_post(w->loop, do_drain, w) == 0);
}

void sp_worker_close(struct sp_worker *w)
{
	sp_must(sp_loop_post(w->loop, do_close, w) == 0);
}

void sp_worker_free(struct sp_worker **wp)
{
	struct sp_worker *w = *wp;

	*wp = NULL;
	uv_sem_post(&w->released);
	sp_must(uv_thread_join(&w->thread) == 0);
	uv_sem_destroy(&w->released);
	sp_report_deinit(&w->report);
	free(w);
}
