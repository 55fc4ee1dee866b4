/* See pool.h. Time in a pool: an open waits at most tunnels.wait. Dials follow demand: at once, then with full jitter up to a
 * bound that doubles with each failure; an open that waited through a failed dial is answered with its cause, so nobody waits for
 * a gateway that was just seen to be down. */
#include "back/pool.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/secret.h"

#define BACKOFF_FIRST_MS 500u
#define STABLE_MS 60000u	  /* a tunnel that lived so long resets the backoff */
#define RETURN_MS 30000u	  /* for so long after a loss, opens wait for the connector to come back */

static struct sp_pool_open *open_of(struct sp_list *n)
{
	return SP_CONTAINER_OF(n, struct sp_pool_open, node);
}

static struct sp_tunnel *tunnel_of(struct sp_list *n)
{
	return SP_CONTAINER_OF(n, struct sp_tunnel, node);
}

/* ---- pools and their set ------------------------------------------------------------------------- */

/* FNV-1a */
static unsigned hash(const char *tenant, const char *location)
{
	uint64_t h = 14695981039346656037u;

	for (; *tenant; tenant++)
		h = (h ^ (uint8_t)*tenant) * 1099511628211u;
	h = (h ^ 0xff) * 1099511628211u;
	for (; *location; location++)
		h = (h ^ (uint8_t)*location) * 1099511628211u;
	return (unsigned)(h ^ (h >> 32)) % SP_POOL_BUCKETS;
}

struct sp_pool *sp_pools_get(struct sp_pools *ps, const char *tenant, const char *location, bool create)
{
	struct sp_list *bucket = &ps->buckets[hash(tenant, location)], *n, *tmp;
	struct sp_pool *p;

	SP_LIST_EACH(n, bucket, tmp) {
		p = SP_CONTAINER_OF(n, struct sp_pool, node);
		if (strcmp(p->tenant, tenant) == 0 && strcmp(p->location, location) == 0)
			return p;
	}
	if (!create)
		return NULL;
	p = SP_NEW(struct sp_pool);
	p->set = ps;
	p->tenant = sp_strdup(tenant);
	p->location = sp_strdup(location);
	sp_list_init(&p->tunnels);
	sp_list_init(&p->waiting);
	sp_list_init(&p->asking);
	sp_list_append(bucket, &p->node);
	ps->pool_count++;
	return p;
}

static void pool_free(struct sp_reap *r)
{
	struct sp_pool *p = SP_CONTAINER_OF(r, struct sp_pool, reap);

	free(p->tenant);
	free(p->location);
	free(p);
}

static void on_set_closed(struct sp_defer *d)
{
	struct sp_pools *ps = SP_CONTAINER_OF(d, struct sp_pools, closed_later);
	void (*on_closed)(void *arg) = ps->on_closed;
	void *arg = ps->on_closed_arg;

	sp_tls_ctx_unref(&ps->ctx);
	sp_conf_unref(&ps->conf);
	sp_secret_free(&ps->bearer);
	free(ps);
	on_closed(arg);
}

void sp_pool_maybe_retire(struct sp_pool *p)
{
	struct sp_pools *ps = p->set;
	bool remembers = sp_timer_running(&p->backoff) || (p->lost_mono_ms && sp_timer_running(&p->idle));

	if (!sp_list_linked(&p->node) || !sp_list_empty(&p->tunnels) || !sp_list_empty(&p->waiting) ||
	    !sp_list_empty(&p->asking) || (remembers && !ps->closing && !ps->draining))
		return;
	sp_timer_stop(ps->loop, &p->backoff);
	sp_timer_stop(ps->loop, &p->idle);
	sp_defer_cancel(&p->dispatch_later);
	sp_list_remove(&p->node);
	ps->pool_count--;
	sp_reap(ps->loop, &p->reap, pool_free);
	if (ps->closing && ps->pool_count == 0)
		sp_defer(ps->loop, &ps->closed_later, on_set_closed);
}

/* ---- finishing opens --------------------------------------------------------------------------------- */

void sp_pool_open_finish(struct sp_pool_open *o, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause)
{
	struct sp_pool *p = o->pool;
	struct sp_cause copy = cause ? *cause : (struct sp_cause){ 0 };
	sp_back_cb *cb = o->cb;
	void *arg = o->arg;

	if (sp_timer_running(&o->wait)) {
		sp_timer_stop(p->set->loop, &o->wait);
		p->waiting_count--;
	}
	sp_list_remove(&o->node);
	free(o);
	cb(arg, s, outcome, copy.err ? &copy : NULL);
	sp_pool_maybe_retire(p);
}

static bool is_usable(const struct sp_tunnel *t)
{
	return t->state < SP_TUNNEL_DRAINING;
}

static unsigned usable_tunnels(const struct sp_pool *p)
{
	unsigned n = 0;

	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next)
		n += is_usable(tunnel_of(i));
	return n;
}

static bool has_ready(const struct sp_pool *p)
{
	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next)
		if (tunnel_of(i)->state == SP_TUNNEL_READY)
			return true;
	return false;
}

/* The outcome of waiting in vain, as the caller's client sees it: "refused" and its like would speak of the target, not of us. */
static enum sp_outcome outcome_in_vain(const struct sp_pool *p, struct sp_cause *c)
{
	if (p->set->draining || p->set->closing) {
		sp_cause_set(c, SP_ECLOSED, SP_DOMAIN_SELF, 0, "shutting down");
		return SP_OUTCOME_SHUTDOWN;
	}
	if (has_ready(p)) {
		sp_cause_set(c, SP_ELIMIT, SP_DOMAIN_SELF, 0, "the far ends of all tunnels allow no more streams");
		return SP_OUTCOME_LIMIT;
	}
	if (!p->set->ctx) {
		sp_cause_set(c, SP_ECLOSED, SP_DOMAIN_SELF, 0, "no connector of tenant \"%s\" and location \"%s\" is connected", p->tenant,
			     p->location);
		return SP_OUTCOME_NO_CONNECTOR;
	}
	*c = p->last_cause;
	sp_cause_set(c, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "no tunnel got ready in time");
	switch (c->err) {
	case SP_ETLS:
		return SP_OUTCOME_TLS;
	case SP_ECERT:
		return SP_OUTCOME_TLS_CERTIFICATE;
	case SP_ETIMEOUT:
		return SP_OUTCOME_TIMEOUT;
	default:
		return SP_OUTCOME_TUNNEL_LOST;
	}
}

static void fail_waiting(struct sp_pool_open *o)
{
	struct sp_cause c = { 0 };
	enum sp_outcome outcome = outcome_in_vain(o->pool, &c);

	sp_pool_open_finish(o, NULL, outcome, &c);
}

/* Moved here first: what a callback cancels leaves the list by itself. */
static void fail_all(struct sp_list *hopeless)
{
	while (!sp_list_empty(hopeless))
		fail_waiting(open_of(hopeless->next));
}

static void on_wait_over(struct sp_timer *t)
{
	struct sp_pool_open *o = SP_CONTAINER_OF(t, struct sp_pool_open, wait);

	o->pool->waiting_count--;
	fail_waiting(o);
}

/* ---- dialling ---------------------------------------------------------------------------------------------- */

static void on_backoff(struct sp_timer *t)
{
	sp_pool_dispatch_soon(SP_CONTAINER_OF(t, struct sp_pool, backoff));
}

static void forgive(struct sp_pool *p, const struct sp_tunnel *t)
{
	if (t->was_ready && sp_loop_now_ms(p->set->loop) - t->ready_mono_ms >= STABLE_MS)
		p->failures = 0;
}

/* Who began to wait before this dial did has seen it fail. */
static void dial_failed(struct sp_pool *p, const struct sp_cause *cause)
{
	struct sp_list *n, *tmp, hopeless;
	uint64_t bound;

	SP_LIST_EACH(n, &p->tunnels, tmp)
		forgive(p, tunnel_of(n));
	if (cause) {
		if (p->failures == 0 || p->last_cause.err != cause->err)
			sp_log(SP_LOG_WARN, SP_EV_POOL, "the gateway cannot be reached", SP_KV_STR("tenant", p->tenant), SP_KV_CAUSE(cause));
		p->last_cause = *cause;
	}
	bound = (uint64_t)BACKOFF_FIRST_MS << (p->failures < 16 ? p->failures : 16);
	bound = bound < p->set->conf->tunnels.backoff_max_ms ? bound : p->set->conf->tunnels.backoff_max_ms;
	p->failures++;
	sp_timer_start(p->set->loop, &p->backoff, 1 + sp_random_below(bound + 1), on_backoff);
	if (has_ready(p))
		return;
	sp_list_init(&hopeless);
	SP_LIST_EACH(n, &p->waiting, tmp) {
		if (open_of(n)->since_mono_ms > p->dialled_mono_ms)
			continue;
		sp_list_remove(n);
		sp_list_append(&hopeless, n);
	}
	fail_all(&hopeless);
}

static bool may_dial(const struct sp_pool *p)
{
	return p->set->ctx && !p->set->draining && !p->set->closing && !sp_timer_running(&p->backoff) && p->connecting == 0 &&
	       usable_tunnels(p) < p->set->conf->tunnels.max_per_pool;
}

void sp_pool_add_tunnel(struct sp_pool *p, struct sp_tunnel *t)
{
	p->connecting++;
	sp_list_append(&p->tunnels, &t->node);
}

static void dial(struct sp_pool *p)
{
	struct sp_pools *ps = p->set;
	struct sp_cause c = { 0 };
	struct sp_tunnel *t;

	sp_pools_read_bearer(ps);
	p->dialled_mono_ms = sp_loop_now_ms(ps->loop);
	t = sp_tunnel_dial(ps->loop, ps->conf, ps->ctx, ++ps->last_number, &sp_pool_tunnel_events, p);
	if (t) {
		sp_pool_add_tunnel(p, t);
		return;
	}
	sp_cause_set(&c, SP_ENOMEM, SP_DOMAIN_SELF, 0, "dial: out of memory");
	dial_failed(p, &c);
}

/* ---- handing out ------------------------------------------------------------------------------------------- */

static struct sp_tunnel *least_loaded(const struct sp_pool *p, uint64_t but_number)
{
	struct sp_tunnel *best = NULL;

	for (struct sp_list *n = p->tunnels.next; n != &p->tunnels; n = n->next) {
		struct sp_tunnel *t = tunnel_of(n);

		if (t->number != but_number && sp_tunnel_room(t) > 0 && (!best || sp_tunnel_streams(t) < sp_tunnel_streams(best)))
			best = t;
	}
	return best;
}

/* The tunnel that has just refused it is asked again only where there is and will be no other. */
static struct sp_tunnel *pick(struct sp_pool *p, const struct sp_pool_open *o)
{
	struct sp_tunnel *t = least_loaded(p, o->tunnel_number);

	if (t || o->tunnel_number == 0 || p->connecting > 0 || may_dial(p))
		return t;
	return least_loaded(p, 0);
}

static void hand_over(struct sp_pool_open *o, struct sp_tunnel *t)
{
	struct sp_pool *p = o->pool;
	bool was_idle = sp_tunnel_streams(t) == 0;

	if (sp_pool_ask(o, t) < 0)
		return; /* goes on waiting */
	if (was_idle && sp_loop_now_ms(p->set->loop) - t->idle_since_mono_ms >= p->set->conf->tunnels.ping_after_ms)
		sp_tunnel_probe(t);
	sp_timer_stop(p->set->loop, &o->wait);
	p->waiting_count--;
	sp_list_remove(&o->node);
	sp_list_append(&p->asking, &o->node);
}

/* Can a tunnel come before o's time is over? For a gateway: unless the next dial is later. For connectors: where one is just
 * coming in, or was there a moment ago. */
static bool worth_waiting(const struct sp_pool *p, const struct sp_pool_open *o)
{
	if (p->set->draining)
		return false;
	if (usable_tunnels(p) > 0)
		return true;
	if (p->set->ctx)
		return !sp_timer_running(&p->backoff) || p->backoff.due_mono_ms < o->wait.due_mono_ms;
	return !sp_list_empty(&p->tunnels) ||
	       (p->lost_mono_ms && sp_loop_now_ms(p->set->loop) - p->lost_mono_ms < RETURN_MS);
}

static void maybe_grow(struct sp_pool *p)
{
	const struct sp_tunnel *t = least_loaded(p, 0);
	bool loaded = t && sp_tunnel_streams(t) >= p->set->conf->tunnels.streams_mark;

	if ((loaded || !sp_list_empty(&p->waiting)) && may_dial(p))
		dial(p);
}

static void on_dispatch(struct sp_defer *d)
{
	struct sp_pool *p = SP_CONTAINER_OF(d, struct sp_pool, dispatch_later);
	struct sp_list *n, *tmp, hopeless;

	sp_list_init(&hopeless);
	SP_LIST_EACH(n, &p->waiting, tmp) {
		struct sp_pool_open *o = open_of(n);
		struct sp_tunnel *t = pick(p, o);

		if (t) {
			hand_over(o, t);
		} else if (!worth_waiting(p, o)) {
			sp_list_remove(n);
			sp_list_append(&hopeless, n);
		}
	}
	fail_all(&hopeless);
	maybe_grow(p);
	sp_pool_maybe_retire(p);
}

void sp_pool_dispatch_soon(struct sp_pool *p)
{
	if (sp_list_linked(&p->node))
		sp_defer(p->set->loop, &p->dispatch_later, on_dispatch);
}

/* ---- what happens to tunnels ---------------------------------------------------------------------------------- */

/* Drains what has been idle for long enough, and waits for the next. */
static void on_pool_idle(struct sp_timer *timer)
{
	struct sp_pool *p = SP_CONTAINER_OF(timer, struct sp_pool, idle);
	uint64_t now = sp_loop_now_ms(p->set->loop), limit = p->set->conf->tunnels.idle_ms, next = 0;
	struct sp_list *n, *tmp;

	if (p->set->ctx) {
		SP_LIST_EACH(n, &p->tunnels, tmp) {
			struct sp_tunnel *t = tunnel_of(n);
			uint64_t idle = now - t->idle_since_mono_ms;

			if (t->state != SP_TUNNEL_READY || sp_tunnel_streams(t) > 0)
				continue;
			if (idle >= limit)
				sp_tunnel_drain(t);
			else if (next == 0 || limit - idle < next)
				next = limit - idle;
		}
	}
	if (next > 0)
		sp_timer_start(p->set->loop, &p->idle, next, on_pool_idle);
	sp_pool_maybe_retire(p);
}

static void watch_idle(struct sp_pool *p)
{
	if (p->set->ctx && !sp_timer_running(&p->idle))
		sp_timer_start(p->set->loop, &p->idle, p->set->conf->tunnels.idle_ms, on_pool_idle);
}

static void log_connector(const struct sp_pool *p, const struct sp_tunnel *t, const char *what, const struct sp_cause *cause)
{
	if (t->hello)
		sp_log(SP_LOG_NOTICE, SP_EV_CONNECTOR, what, SP_KV_STR("tenant", p->tenant), SP_KV_STR("location", p->location),
		       SP_KV_STR("connector", t->hello->connector_id), SP_KV_INT("index", t->hello->index),
		       SP_KV_STR("peer", t->hello->peer), SP_KV_INT("tunnel", t->number), SP_KV_CAUSE(cause));
}

static void on_tunnel_ready(void *arg, struct sp_tunnel *t)
{
	struct sp_pool *p = arg;

	p->connecting--;
	p->last_cause = (struct sp_cause){ 0 };
	log_connector(p, t, "connected", NULL);
	if (!t->hello)
		sp_log(SP_LOG_NOTICE, SP_EV_TUNNEL, "ready", SP_KV_INT("tunnel", t->number), SP_KV_STR("tenant", p->tenant),
		       SP_KV_STR("location", p->location[0] ? p->location : NULL));
	sp_pool_dispatch_soon(p);
	watch_idle(p);
}

static void on_tunnel_room(void *arg, struct sp_tunnel *t)
{
	(void)t;
	sp_pool_dispatch_soon(arg);
}

static void on_tunnel_idle(void *arg, struct sp_tunnel *t)
{
	(void)t;
	watch_idle(arg);
}

static void on_tunnel_draining(void *arg, struct sp_tunnel *t)
{
	(void)t;
	sp_pool_dispatch_soon(arg);
}

static void on_tunnel_closed(void *arg, struct sp_tunnel *t, bool was_ready, const struct sp_cause *cause)
{
	struct sp_pool *p = arg;
	struct sp_pools *ps = p->set;

	sp_list_remove(&t->node);
	forgive(p, t);
	log_connector(p, t, was_ready ? "lost" : "lost before it was ready", cause);
	if (!was_ready)
		p->connecting--;
	if (ps->closing) {
		sp_pool_maybe_retire(p);
		return;
	}
	if (t->hello && was_ready) {
		p->lost_mono_ms = sp_loop_now_ms(ps->loop);
		sp_timer_start(ps->loop, &p->idle, RETURN_MS, on_pool_idle);
	}
	if (ps->ctx && !was_ready && !ps->draining)
		dial_failed(p, cause);
	sp_pool_dispatch_soon(p);
}

const struct sp_tunnel_events sp_pool_tunnel_events = {
	.on_ready = on_tunnel_ready,
	.on_room = on_tunnel_room,
	.on_idle = on_tunnel_idle,
	.on_draining = on_tunnel_draining,
	.on_closed = on_tunnel_closed,
};

/* ---- the back's operations ------------------------------------------------------------------------------------ */

struct sp_pools *sp_pools_of(struct sp_back *b)
{
	return SP_CONTAINER_OF(b, struct sp_pools, back);
}

static void on_refused(struct sp_timer *t)
{
	struct sp_pool_open *o = SP_CONTAINER_OF(t, struct sp_pool_open, wait);

	o->pool->waiting_count--;
	sp_pool_open_finish(o, NULL, o->cause.err == SP_ELIMIT ? SP_OUTCOME_LIMIT : SP_OUTCOME_SHUTDOWN, &o->cause);
}

static struct sp_back_open *open_exchange(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	struct sp_pools *ps = sp_pools_of(b);
	struct sp_pool_open *o = calloc(1, sizeof(*o));
	struct sp_pool *p;

	if (!o)
		return NULL;
	p = sp_pools_get(ps, x->identity.tenant ? x->identity.tenant : "", x->location, true);
	o->open.back = b;
	o->pool = p;
	o->x = x;
	o->cb = cb;
	o->arg = arg;
	o->since_mono_ms = sp_loop_now_ms(ps->loop);
	sp_list_append(&p->waiting, &o->node);
	if (ps->draining || ps->closing)
		sp_cause_set(&o->cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "shutting down");
	else if (p->waiting_count >= ps->conf->tunnels.waiting)
		sp_cause_set(&o->cause, SP_ELIMIT, SP_DOMAIN_SELF, 0, "tunnels.waiting = %u exchanges wait already", ps->conf->tunnels.waiting);
	p->waiting_count++;
	sp_timer_start(ps->loop, &o->wait, o->cause.err ? 0 : ps->conf->tunnels.wait_ms, o->cause.err ? on_refused : on_wait_over);
	if (o->cause.err) {
		sp_list_remove(&o->node);
		sp_list_append(&p->asking, &o->node); /* dispatch leaves it alone */
	} else {
		sp_pool_dispatch_soon(p);
	}
	return &o->open;
}

bool sp_pool_open_retry(struct sp_pool_open *o)
{
	struct sp_pool *p = o->pool;

	if (o->retried || p->set->draining || p->set->closing)
		return false;
	o->retried = true;
	sp_list_remove(&o->node);
	sp_list_prepend(&p->waiting, &o->node);
	p->waiting_count++;
	sp_timer_start(p->set->loop, &o->wait, p->set->conf->tunnels.wait_ms, on_wait_over);
	sp_pool_dispatch_soon(p);
	return true;
}

static void cancel(struct sp_back_open *open)
{
	struct sp_pool_open *o = SP_CONTAINER_OF(open, struct sp_pool_open, open);
	struct sp_pool *p = o->pool;

	if (sp_timer_running(&o->wait)) {
		sp_timer_stop(p->set->loop, &o->wait);
		p->waiting_count--;
	}
	sp_pool_unask(o);
	sp_list_remove(&o->node);
	free(o);
	sp_pool_maybe_retire(p);
}

static void each_pool(struct sp_pools *ps, void (*fn)(struct sp_pool *p))
{
	for (unsigned i = 0; i < SP_POOL_BUCKETS; i++) {
		struct sp_list *n, *tmp;

		SP_LIST_EACH(n, &ps->buckets[i], tmp)
			fn(SP_CONTAINER_OF(n, struct sp_pool, node));
	}
}

static void drain_pool(struct sp_pool *p)
{
	struct sp_list *n, *tmp;

	SP_LIST_EACH(n, &p->tunnels, tmp)
		sp_tunnel_drain(tunnel_of(n));
	sp_pool_dispatch_soon(p); /* tells those who wait, or retires */
}

static void drain(struct sp_back *b)
{
	struct sp_pools *ps = sp_pools_of(b);

	ps->draining = true;
	each_pool(ps, drain_pool);
}

static void close_pool(struct sp_pool *p)
{
	struct sp_list *n, *tmp;
	struct sp_cause c = { 0 };

	sp_timer_stop(p->set->loop, &p->backoff);
	sp_timer_stop(p->set->loop, &p->idle);
	sp_defer_cancel(&p->dispatch_later);
	sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_SELF, 0, "shutting down");
	while (!sp_list_empty(&p->waiting))
		sp_pool_open_finish(open_of(p->waiting.next), NULL, SP_OUTCOME_SHUTDOWN, &c);
	while (!sp_list_empty(&p->asking)) {
		struct sp_pool_open *o = open_of(p->asking.next);

		sp_pool_unask(o);
		sp_pool_open_finish(o, NULL, SP_OUTCOME_SHUTDOWN, &c);
	}
	SP_LIST_EACH(n, &p->tunnels, tmp)
		sp_tunnel_close(tunnel_of(n));
	sp_pool_maybe_retire(p);
}

static void close_set(struct sp_back *b, void (*on_closed)(void *arg), void *arg)
{
	struct sp_pools *ps = sp_pools_of(b);

	sp_must(!ps->closing);
	ps->closing = true;
	ps->on_closed = on_closed;
	ps->on_closed_arg = arg;
	each_pool(ps, close_pool);
	if (ps->pool_count == 0)
		sp_defer(ps->loop, &ps->closed_later, on_set_closed);
}

int sp_pools_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_tls_ctx *ctx, struct sp_back **out)
{
	static const struct sp_back_ops gateway = { "gateway", open_exchange, cancel, drain, close_set };
	static const struct sp_back_ops connectors = { "connectors", open_exchange, cancel, drain, close_set };
	struct sp_pools *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return SP_ENOMEM;
	ps->back.ops = ctx ? &gateway : &connectors;
	ps->loop = loop;
	ps->conf = sp_conf_ref(conf);
	ps->ctx = ctx; /* may be NULL */
	for (unsigned i = 0; i < SP_POOL_BUCKETS; i++)
		sp_list_init(&ps->buckets[i]);
	*out = &ps->back;
	return 0;
}
