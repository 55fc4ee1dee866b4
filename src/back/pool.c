/* See pool.h. Time in a pool: an open waits at most tunnels.wait. Dials follow demand: at once, then with full jitter up to a
 * bound that doubles with each failure; an open that waited through a failed dial is answered with its cause, so nobody waits for
 * a gateway that was just seen to be down. */
#include "back/pool.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/secret.h"
#include "codec/upgrade.h"

#define BACKOFF_FIRST_MS 250u
#define STABLE_MS 60000u	  /* a tunnel that lived so long resets the backoff */
#define RETURN_MS 30000u	  /* for so long after a loss, opens wait for the connector to come back */
#define TOKEN_MAX_BYTES (64u * 1024)

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

static void maybe_retire(struct sp_pool *p)
{
	struct sp_pools *ps = p->set;
	bool recent = !ps->closing && !ps->draining && p->lost_mono_ms && sp_timer_running(&p->idle);

	if (!sp_list_linked(&p->node) || !sp_list_empty(&p->tunnels) || !sp_list_empty(&p->waiting) ||
	    !sp_list_empty(&p->asking) || sp_timer_running(&p->backoff) || recent)
		return;
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
	maybe_retire(p);
}

/* The outcome of having no tunnel, as the caller's client sees it: "refused" and its like speak of the target, not of us. */
static enum sp_outcome outcome_without_tunnel(const struct sp_pool *p, const struct sp_cause *c)
{
	if (!p->set->ctx)
		return SP_OUTCOME_NO_CONNECTOR;
	switch (c->err) {
	case SP_ETLS:
		return SP_OUTCOME_TLS;
	case SP_ECERT:
		return SP_OUTCOME_TLS_CERTIFICATE;
	default:
		return SP_OUTCOME_TUNNEL_LOST;
	}
}

static void fail_waiting(struct sp_pool_open *o)
{
	struct sp_pool *p = o->pool;
	struct sp_cause c = { 0 };

	if (!p->set->ctx)
		sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_SELF, 0, "no connector of tenant \"%s\" and location \"%s\" is connected", p->tenant,
			     p->location);
	else if (p->last_cause.err)
		c = p->last_cause;
	else
		sp_cause_set(&c, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "no tunnel got ready in time");
	sp_pool_open_finish(o, NULL, outcome_without_tunnel(p, &c), &c);
}

static void on_wait_over(struct sp_timer *t)
{
	struct sp_pool_open *o = SP_CONTAINER_OF(t, struct sp_pool_open, wait);

	o->pool->waiting_count--;
	fail_waiting(o);
}

/* ---- tunnels ---------------------------------------------------------------------------------------------- */

static const struct sp_tunnel_events tunnel_events;

static void read_bearer(struct sp_pools *ps)
{
	struct sp_cause cause = { 0 };
	struct sp_buf b = { 0 };
	char *token = NULL;

	if (!ps->conf->upstream.token_file)
		return;
	if (sp_conf_read_secret(ps->conf->upstream.token_file, TOKEN_MAX_BYTES, &token, &cause) < 0) {
		sp_log(SP_LOG_ERROR, SP_EV_POOL, "the token file cannot be used", SP_KV_CAUSE(&cause));
		return; /* the last good one stays */
	}
	sp_buf_append_str(&b, "Bearer ");
	sp_buf_append_str(&b, token);
	sp_secret_free(&ps->bearer);
	ps->bearer = sp_strdup(sp_buf_str(&b));
	sp_buf_wipe(&b);
	sp_secret_free(&token);
}

static bool may_dial(const struct sp_pool *p)
{
	return p->set->ctx && !p->set->draining && !p->set->closing && !sp_timer_running(&p->backoff) && p->connecting == 0;
}

static void dial(struct sp_pool *p)
{
	struct sp_tunnel *t;

	read_bearer(p->set);
	p->dialled_mono_ms = sp_loop_now_ms(p->set->loop);
	t = sp_tunnel_dial(p->set->loop, p->set->conf, p->set->ctx, ++p->set->last_number, &tunnel_events, p);
	if (!t)
		return; /* waiting opens time out with what is known */
	p->connecting++;
	sp_list_append(&p->tunnels, &t->node);
}

static unsigned tunnel_count(const struct sp_pool *p)
{
	unsigned n = 0;

	for (struct sp_list *i = p->tunnels.next; i != &p->tunnels; i = i->next)
		n++;
	return n;
}

static struct sp_tunnel *least_loaded(struct sp_pool *p)
{
	struct sp_tunnel *best = NULL;

	for (struct sp_list *n = p->tunnels.next; n != &p->tunnels; n = n->next) {
		struct sp_tunnel *t = tunnel_of(n);

		if (sp_tunnel_room(t) > 0 && (!best || sp_tunnel_streams(t) < sp_tunnel_streams(best)))
			best = t;
	}
	return best;
}

static void on_backoff(struct sp_timer *t)
{
	struct sp_pool *p = SP_CONTAINER_OF(t, struct sp_pool, backoff);

	sp_pool_dispatch_soon(p);
}

/* Connectors: an open waits only where one was a moment ago, or is just coming in. */
static bool worth_waiting(const struct sp_pool *p)
{
	if (p->set->ctx || !sp_list_empty(&p->tunnels))
		return true;
	return p->lost_mono_ms && sp_loop_now_ms(p->set->loop) - p->lost_mono_ms < RETURN_MS;
}

static void on_dispatch(struct sp_defer *d)
{
	struct sp_pool *p = SP_CONTAINER_OF(d, struct sp_pool, dispatch_later);
	struct sp_tunnel *t = NULL;

	while (!sp_list_empty(&p->waiting) && (t = least_loaded(p)) != NULL) {
		struct sp_pool_open *o = open_of(p->waiting.next);

		if (sp_pool_ask(o, t) < 0)
			break;
		sp_timer_stop(p->set->loop, &o->wait);
		p->waiting_count--;
		sp_list_remove(&o->node);
		sp_list_append(&p->asking, &o->node);
	}
	if (!sp_list_empty(&p->waiting) && !worth_waiting(p)) {
		while (!sp_list_empty(&p->waiting))
			fail_waiting(open_of(p->waiting.next));
		return;
	}
	t = least_loaded(p);
	if (may_dial(p) && ((!t && !sp_list_empty(&p->waiting)) || (t && sp_tunnel_streams(t) >= p->set->conf->tunnels.streams_mark)) &&
	    tunnel_count(p) < p->set->conf->tunnels.max_per_pool)
		dial(p);
	maybe_retire(p);
}

void sp_pool_dispatch_soon(struct sp_pool *p)
{
	sp_defer(p->set->loop, &p->dispatch_later, on_dispatch);
}

static void on_pool_idle(struct sp_timer *timer)
{
	struct sp_pool *p = SP_CONTAINER_OF(timer, struct sp_pool, idle);
	struct sp_list *n, *tmp;

	if (p->set->ctx) {
		SP_LIST_EACH(n, &p->tunnels, tmp) {
			if (sp_tunnel_streams(tunnel_of(n)) == 0)
				sp_tunnel_drain(tunnel_of(n));
		}
	}
	maybe_retire(p);
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
	p->stable_since_mono_ms = sp_loop_now_ms(p->set->loop);
	log_connector(p, t, "connected", NULL);
	if (!t->hello)
		sp_log(SP_LOG_NOTICE, SP_EV_TUNNEL, "ready", SP_KV_INT("tunnel", t->number), SP_KV_STR("tenant", p->tenant),
		       SP_KV_STR("location", p->location[0] ? p->location : NULL));
	sp_pool_dispatch_soon(p);
	if (p->set->ctx)
		sp_timer_start(p->set->loop, &p->idle, p->set->conf->tunnels.idle_ms, on_pool_idle);
}

static void on_tunnel_room(void *arg, struct sp_tunnel *t)
{
	(void)t;
	sp_pool_dispatch_soon(arg);
}

static void on_tunnel_idle(void *arg, struct sp_tunnel *t)
{
	struct sp_pool *p = arg;

	(void)t;
	if (p->set->ctx)
		sp_timer_start(p->set->loop, &p->idle, p->set->conf->tunnels.idle_ms, on_pool_idle);
}

static void on_tunnel_draining(void *arg, struct sp_tunnel *t)
{
	(void)t;
	sp_pool_dispatch_soon(arg);
}

/* Who began to wait before this dial did has seen it fail. */
static void dial_failed(struct sp_pool *p, const struct sp_cause *cause)
{
	struct sp_list *n, *tmp;
	uint64_t bound = (uint64_t)BACKOFF_FIRST_MS << (p->failures < 10 ? p->failures : 10);

	if (cause) {
		if (p->failures == 0 || p->last_cause.err != cause->err)
			sp_log(SP_LOG_WARN, SP_EV_POOL, "the gateway cannot be reached", SP_KV_STR("tenant", p->tenant), SP_KV_CAUSE(cause));
		p->last_cause = *cause;
	}
	p->failures++;
	bound = bound < p->set->conf->tunnels.backoff_max_ms ? bound : p->set->conf->tunnels.backoff_max_ms;
	sp_timer_start(p->set->loop, &p->backoff, 1 + sp_random_below(bound + 1), on_backoff);
	if (least_loaded(p))
		return;
	SP_LIST_EACH(n, &p->waiting, tmp) {
		if (open_of(n)->since_mono_ms <= p->dialled_mono_ms)
			fail_waiting(open_of(n));
	}
}

static void on_tunnel_closed(void *arg, struct sp_tunnel *t, bool was_ready, const struct sp_cause *cause)
{
	struct sp_pool *p = arg;
	uint64_t now = sp_loop_now_ms(p->set->loop);

	sp_list_remove(&t->node);
	if (!was_ready)
		p->connecting--;
	else
		log_connector(p, t, "lost", cause);
	if (was_ready && now - p->stable_since_mono_ms >= STABLE_MS)
		p->failures = 0;
	if (t->hello && was_ready) {
		p->lost_mono_ms = now;
		if (!p->set->closing)
			sp_timer_start(p->set->loop, &p->idle, RETURN_MS, on_pool_idle);
	}
	if (p->set->ctx && !was_ready && !p->set->closing)
		dial_failed(p, cause);
	if (!p->set->closing)
		sp_pool_dispatch_soon(p);
	else
		maybe_retire(p);
}

static const struct sp_tunnel_events tunnel_events = {
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
	if (o->cause.err)
		sp_list_remove(&o->node), sp_list_append(&p->asking, &o->node); /* dispatch leaves it alone */
	else
		sp_pool_dispatch_soon(p);
	return &o->open;
}

void sp_pool_open_retry(struct sp_pool_open *o)
{
	struct sp_pool *p = o->pool;

	o->retried = true;
	o->tunnel = NULL;
	sp_list_remove(&o->node);
	sp_list_prepend(&p->waiting, &o->node);
	p->waiting_count++;
	sp_timer_start(p->set->loop, &o->wait, p->set->conf->tunnels.wait_ms, on_wait_over);
	sp_pool_dispatch_soon(p);
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
	maybe_retire(p);
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
	maybe_retire(p);
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
	ps->ctx = ctx;
	for (unsigned i = 0; i < SP_POOL_BUCKETS; i++)
		sp_list_init(&ps->buckets[i]);
	*out = &ps->back;
	return 0;
}

/* ---- the two kinds ------------------------------------------------------------------------------------------------ */

int sp_back_gateway_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out, struct sp_cause *cause)
{
	static const char *const alpn[] = { SP_ALPN_H2, NULL };
	const struct sp_conf_upstream *u = &conf->upstream;
	struct sp_tls_config cfg = { .cert_file = u->cert_file, .key_file = u->key_file, .ca_file = u->ca_file, .alpn = alpn };
	struct sp_tls_ctx *ctx = NULL;
	int err = sp_tls_ctx_new(&cfg, &ctx, cause);

	if (err < 0)
		return err;
	err = sp_pools_new(loop, conf, ctx, out);
	if (err < 0)
		sp_tls_ctx_unref(&ctx);
	return err;
}

int sp_back_connectors_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out)
{
	return sp_pools_new(loop, conf, NULL, out);
}

/* The same connector came back before we noticed that it was gone: its old tunnel is of no use. Another instance under the same
 * id: the old one must show that it lives. */
static void meet_older(struct sp_pool *p, const struct sp_connector_hello *hello)
{
	struct sp_list *n, *tmp;

	SP_LIST_EACH(n, &p->tunnels, tmp) {
		struct sp_tunnel *t = tunnel_of(n);

		if (!t->hello || !t->h2 || !hello->connector_id[0] || strcmp(t->hello->connector_id, hello->connector_id) != 0 ||
		    t->hello->index != hello->index)
			continue;
		if (hello->instance[0] && strcmp(t->hello->instance, hello->instance) == 0)
			sp_tunnel_drain(t);
		else
			sp_h2_probe(t->h2);
	}
}

int sp_connectors_attach(struct sp_back *back, struct sp_stream *carrier, const struct sp_connector_hello *hello)
{
	static const struct sp_stream_events nobody = { 0 };
	struct sp_pools *ps = sp_pools_of(back);
	struct sp_pool *p;
	struct sp_tunnel *t;

	if (ps->draining || ps->closing) {
		sp_stream_attach(carrier, &nobody, NULL);
		sp_stream_close(carrier, SP_CLOSE_ABORT);
		return SP_ECLOSED;
	}
	p = sp_pools_get(ps, hello->tenant, hello->location, true);
	meet_older(p, hello);
	t = sp_tunnel_attach(ps->loop, ps->conf, carrier, ++ps->last_number, hello, &tunnel_events, p);
	if (!t) {
		maybe_retire(p);
		return SP_ENOMEM;
	}
	p->connecting++;
	sp_list_append(&p->tunnels, &t->node);
	return 0;
}

unsigned sp_connectors_ready(struct sp_back *back, const char *tenant, const char *location)
{
	struct sp_pool *p = sp_pools_get(sp_pools_of(back), tenant, location, false);
	unsigned n = 0;

	for (struct sp_list *i = p ? p->tunnels.next : NULL; p && i != &p->tunnels; i = i->next)
		n += sp_tunnel_room(tunnel_of(i)) > 0;
	return n;
}
