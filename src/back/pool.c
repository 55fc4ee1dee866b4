/* Pools and their tunnels (pool.h). Time in a pool: an open waits at most tunnels.wait. Dials follow demand: at once, then with full
 * jitter up to a bound that doubles with each failure; an open that waited through a failed dial is answered with its cause, so
 * nobody waits for a gateway that was just seen to be down. */
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
	for (unsigned i = 0; i < SP_OPEN_STATES; i++)
		sp_list_init(&p->opens[i]);
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
	sp_credential_free(&ps->credential);
	free(ps);
	on_closed(arg);
}

static bool has_opens(const struct sp_pool *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SP_OPEN_STATES; i++)
		n += p->open_count[i];
	return n > 0;
}

void sp_pool_maybe_retire(struct sp_pool *p)
{
	struct sp_pools *ps = p->set;
	bool remembers = sp_timer_running(&p->backoff) || (p->lost_mono_ms && sp_timer_running(&p->idle));

	if (ps->walking || !sp_list_linked(&p->node) || !sp_list_empty(&p->tunnels) || has_opens(p) ||
	    (remembers && !ps->closing && !ps->draining))
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

/* ---- what there is --------------------------------------------------------------------------------- */

static bool is_usable(const struct sp_tunnel *t)
{
	return t->state < SP_TUNNEL_DRAINING && !sp_tunnel_is_dead(t);
}

static unsigned usable_tunnels(const struct sp_pool *p)
{
	unsigned n = 0;

	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next)
		n += is_usable(tunnel_of(i));
	return n;
}

bool sp_pool_has_ready(const struct sp_pool *p)
{
	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next)
		if (tunnel_of(i)->state == SP_TUNNEL_READY && !sp_tunnel_is_dead(tunnel_of(i)))
			return true;
	return false;
}

/* Moved here first: what a callback cancels leaves the list by itself. */
static void give_up_all(struct sp_list *hopeless)
{
	while (!sp_list_empty(hopeless))
		sp_pool_open_give_up(open_of(hopeless->next));
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
	if (sp_pool_has_ready(p))
		return;
	sp_list_init(&hopeless);
	SP_LIST_EACH(n, &p->opens[SP_OPEN_TUNNEL], tmp) {
		if (open_of(n)->waiting_mono_ms > p->dialled_mono_ms)
			continue;
		sp_list_remove(n);
		sp_list_append(&hopeless, n);
	}
	give_up_all(&hopeless);
}

/* The dead ones count a little: else a gateway could make us dial as fast as it lets tunnels die. */
static bool may_dial(const struct sp_pool *p)
{
	unsigned max = p->set->conf->tunnels.max_per_pool, usable = 0, dead = 0;

	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next) {
		usable += is_usable(tunnel_of(i));
		dead += sp_tunnel_is_dead(tunnel_of(i));
	}
	return p->set->upstream && !p->set->draining && !p->set->closing && !sp_timer_running(&p->backoff) && p->connecting == 0 &&
	       usable < max && dead <= max;
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

	p->dialled_mono_ms = sp_loop_now_ms(ps->loop);
	t = sp_tunnel_dial(ps->loop, ps->conf, ps->upstream, ps->ctx, &sp_pool_tunnel_events, p);
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

static bool has_dying(const struct sp_pool *p)
{
	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next)
		if (tunnel_of(i)->state != SP_TUNNEL_DRAINING)
			return true;
	return false;
}

/* Can a tunnel come before o's time is over? For a gateway: unless the next dial is later. For connectors: where one is just
 * coming in, is just being lost, or was there a moment ago. */
static bool worth_waiting(const struct sp_pool *p, const struct sp_pool_open *o)
{
	if (p->set->draining)
		return false;
	if (usable_tunnels(p) > 0)
		return true;
	if (p->set->upstream)
		return !sp_timer_running(&p->backoff) || p->backoff.due_mono_ms < o->wait.due_mono_ms;
	return has_dying(p) || (p->lost_mono_ms && sp_loop_now_ms(p->set->loop) - p->lost_mono_ms < RETURN_MS);
}

/* Those that still wait for a credential will want a tunnel, too: the first is dialled meanwhile. */
static void maybe_grow(struct sp_pool *p)
{
	const struct sp_tunnel *t = least_loaded(p, 0);
	bool loaded = t && sp_tunnel_streams(t) >= p->set->conf->tunnels.streams_mark;
	bool expected = p->open_count[SP_OPEN_CREDENTIAL] > 0 && usable_tunnels(p) == 0;

	if ((loaded || expected || !sp_list_empty(&p->opens[SP_OPEN_TUNNEL])) && may_dial(p))
		dial(p);
}

static void on_dispatch(struct sp_defer *d)
{
	struct sp_pool *p = SP_CONTAINER_OF(d, struct sp_pool, dispatch_later);
	struct sp_list *n, *tmp, hopeless;

	sp_list_init(&hopeless);
	SP_LIST_EACH(n, &p->opens[SP_OPEN_TUNNEL], tmp) {
		struct sp_pool_open *o = open_of(n);
		struct sp_tunnel *t = pick(p, o);

		if (t) {
			sp_pool_open_hand_over(o, t);
		} else if (!worth_waiting(p, o)) {
			sp_list_remove(n);
			sp_list_append(&hopeless, n);
		}
	}
	give_up_all(&hopeless);
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

	if (p->set->upstream) {
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
	if (p->set->upstream && !sp_timer_running(&p->idle))
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

/* For so long, opens wait for the connector to come back. */
static void note_loss(struct sp_pool *p)
{
	p->lost_mono_ms = sp_loop_now_ms(p->set->loop);
	sp_timer_start(p->set->loop, &p->idle, RETURN_MS, on_pool_idle);
}

static void on_tunnel_draining(void *arg, struct sp_tunnel *t)
{
	struct sp_pool *p = arg;

	if (t->hello)
		note_loss(p);
	sp_pool_dispatch_soon(p);
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
	if (t->hello && was_ready)
		note_loss(p);
	if (ps->upstream && !was_ready && !ps->draining)
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

/* Callbacks may end anything, so no pool leaves before all were seen. */
static void each_pool(struct sp_pools *ps, void (*fn)(struct sp_pool *p))
{
	for (unsigned i = 0; i < SP_POOL_BUCKETS; i++) {
		struct sp_list *n, *tmp;

		SP_LIST_EACH(n, &ps->buckets[i], tmp)
			fn(SP_CONTAINER_OF(n, struct sp_pool, node));
	}
}

static void walk(struct sp_pools *ps, void (*fn)(struct sp_pool *p))
{
	sp_must(!ps->walking);
	ps->walking = true;
	each_pool(ps, fn);
	ps->walking = false;
	each_pool(ps, sp_pool_maybe_retire);
}

static void drain_pool(struct sp_pool *p)
{
	struct sp_list *n, *tmp;

	SP_LIST_EACH(n, &p->tunnels, tmp)
		sp_tunnel_drain(tunnel_of(n));
	sp_pool_opens_drain(p);
}

static void drain(struct sp_back *b)
{
	struct sp_pools *ps = sp_pools_of(b);

	ps->draining = true;
	walk(ps, drain_pool);
}

static void close_pool(struct sp_pool *p)
{
	struct sp_list *n, *tmp;

	sp_timer_stop(p->set->loop, &p->backoff);
	sp_timer_stop(p->set->loop, &p->idle);
	sp_defer_cancel(&p->dispatch_later);
	sp_pool_opens_close(p);
	SP_LIST_EACH(n, &p->tunnels, tmp)
		sp_tunnel_close(tunnel_of(n));
}

static void close_set(struct sp_back *b, void (*on_closed)(void *arg), void *arg)
{
	struct sp_pools *ps = sp_pools_of(b);

	sp_must(!ps->closing);
	ps->closing = true;
	ps->on_closed = on_closed;
	ps->on_closed_arg = arg;
	walk(ps, close_pool);
	if (ps->pool_count == 0)
		sp_defer(ps->loop, &ps->closed_later, on_set_closed);
}

int sp_pools_new(const struct sp_pools_options *opt, struct sp_back **out)
{
	static const struct sp_back_ops gateway = { "gateway", sp_pool_open_new, sp_pool_open_cancel, drain, close_set };
	static const struct sp_back_ops connectors = { "connectors", sp_pool_open_new, sp_pool_open_cancel, drain, close_set };
	struct sp_pools *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return SP_ENOMEM;
	ps->back.ops = opt->upstream ? &gateway : &connectors;
	ps->loop = opt->loop;
	ps->conf = sp_conf_ref(opt->conf);
	ps->upstream = opt->upstream;
	ps->ctx = opt->ctx;
	ps->credential = opt->credential;
	for (unsigned i = 0; i < SP_POOL_BUCKETS; i++)
		sp_list_init(&ps->buckets[i]);
	*out = &ps->back;
	return 0;
}
