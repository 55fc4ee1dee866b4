/* One open of a pool, from the request to its callback (pool.h).
 *
 *   CREDENTIAL -> TUNNEL -> ANSWER -> (called back)
 *   ANSWER -> TUNNEL       (not processed: elsewhere)
 *   ANSWER -> CREDENTIAL   (our credential was refused: with another one)
 *   any -> REFUSED -> (called back), or called back at once where no caller of ours is on the stack */
#include "back/pool.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/secret.h"

static void enter(struct sp_pool_open *o, enum sp_open_state to)
{
	struct sp_pool *p = o->pool;
	bool again = o->retried || o->renewed; /* it was here before those who wait now */

	sp_timer_stop(p->set->loop, &o->wait);
	sp_list_remove(&o->node);
	p->open_count[o->state]--;
	o->state = to;
	p->open_count[to]++;
	if (again)
		sp_list_prepend(&p->opens[to], &o->node);
	else
		sp_list_append(&p->opens[to], &o->node);
}

static void release(struct sp_pool_open *o)
{
	struct sp_pool *p = o->pool;

	sp_timer_stop(p->set->loop, &o->wait);
	sp_credential_cancel(&o->asker);
	sp_pool_unask(o);
	sp_list_remove(&o->node);
	p->open_count[o->state]--;
	sp_secret_free(&o->credential);
	free(o);
}

void sp_pool_open_finish(struct sp_pool_open *o, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause)
{
	struct sp_pool *p = o->pool;
	struct sp_cause copy = cause ? *cause : (struct sp_cause){ 0 };
	sp_back_cb *cb = o->cb;
	void *arg = o->arg;

	release(o);
	cb(arg, s, outcome, copy.err ? &copy : NULL);
	sp_pool_maybe_retire(p);
}

static void on_refused(struct sp_timer *t)
{
	struct sp_pool_open *o = SP_CONTAINER_OF(t, struct sp_pool_open, wait);

	sp_pool_open_finish(o, NULL, o->outcome, &o->cause);
}

/* In the next turn. */
static void refuse(struct sp_pool_open *o, enum sp_outcome outcome, int err, const char *why)
{
	o->outcome = outcome;
	o->cause = (struct sp_cause){ 0 };
	sp_cause_set(&o->cause, err, SP_DOMAIN_SELF, 0, "%s", why);
	enter(o, SP_OPEN_REFUSED);
	sp_timer_start(o->pool->set->loop, &o->wait, 0, on_refused);
}

/* ---- waiting for a tunnel ------------------------------------------------------------------------- */

/* The outcome of waiting in vain, as the caller's client sees it: "refused" and its like would speak of the target, not of us. */
static enum sp_outcome outcome_in_vain(const struct sp_pool *p, struct sp_cause *c)
{
	if (p->set->draining || p->set->closing) {
		sp_cause_set(c, SP_ECLOSED, SP_DOMAIN_SELF, 0, "shutting down");
		return SP_OUTCOME_SHUTDOWN;
	}
	if (sp_pool_has_ready(p)) {
		sp_cause_set(c, SP_ELIMIT, SP_DOMAIN_SELF, 0, "the far ends of all tunnels allow no more streams");
		return SP_OUTCOME_LIMIT;
	}
	if (!p->set->upstream) {
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

void sp_pool_open_give_up(struct sp_pool_open *o)
{
	struct sp_cause c = { 0 };
	enum sp_outcome outcome = outcome_in_vain(o->pool, &c);

	sp_pool_open_finish(o, NULL, outcome, &c);
}

static void on_wait_over(struct sp_timer *t)
{
	sp_pool_open_give_up(SP_CONTAINER_OF(t, struct sp_pool_open, wait));
}

static void await_tunnel(struct sp_pool_open *o)
{
	struct sp_pools *ps = o->pool->set;

	enter(o, SP_OPEN_TUNNEL);
	o->waiting_mono_ms = sp_loop_now_ms(ps->loop);
	sp_timer_start(ps->loop, &o->wait, ps->conf->tunnels.wait_ms, on_wait_over);
	sp_pool_dispatch_soon(o->pool);
}

/* ---- waiting for the credential ---------------------------------------------------------------------- */

static void no_credential(struct sp_pool_open *o, const struct sp_cause *cause)
{
	struct sp_cause c = { 0 };

	if (cause)
		c = *cause;
	sp_cause_set(&c, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "no credential for the gateway within timeouts.open");
	sp_pool_open_finish(o, NULL, SP_OUTCOME_NO_GATEWAY_CREDENTIAL, &c);
}

static void on_credential(void *arg, struct sp_slice value, const struct sp_cause *cause)
{
	struct sp_pool_open *o = arg;

	o->asker = NULL;
	if (!value.p) {
		no_credential(o, cause);
		return;
	}
	if (o->credential && sp_slice_eq_str(value, o->credential)) { /* the one that was refused */
		sp_pool_note_verdict(o->pool, o->outcome, o->cause.raw);
		sp_pool_open_finish(o, NULL, o->outcome, &o->cause);
		return;
	}
	sp_secret_free(&o->credential);
	o->credential = sp_slice_dup(value);
	await_tunnel(o);
}

static void on_credential_late(struct sp_timer *t)
{
	no_credential(SP_CONTAINER_OF(t, struct sp_pool_open, wait), NULL);
}

/* Started before the caller's own deadline of the same length, this one is heard first and tells what was waited for. */
static void await_credential(struct sp_pool_open *o)
{
	struct sp_pools *ps = o->pool->set;
	uint64_t open_ms = ps->conf->timeouts.open_ms, passed_ms = sp_loop_now_ms(ps->loop) - o->began_mono_ms;

	enter(o, SP_OPEN_CREDENTIAL);
	o->asker = sp_credential_get(ps->credential, &o->x->identity, on_credential, o);
	if (!o->asker) {
		refuse(o, SP_OUTCOME_LIMIT, SP_ENOMEM, "credential: out of memory");
		return;
	}
	sp_timer_start(ps->loop, &o->wait, passed_ms < open_ms ? open_ms - passed_ms : 0, on_credential_late);
	sp_pool_dispatch_soon(o->pool); /* a tunnel may be dialled meanwhile */
}

/* ---- asked ---------------------------------------------------------------------------------------------- */

void sp_pool_open_hand_over(struct sp_pool_open *o, struct sp_tunnel *t)
{
	struct sp_pools *ps = o->pool->set;
	bool was_idle = sp_tunnel_streams(t) == 0;
	int err = sp_pool_ask(o, t);

	if (err == SP_ETOOBIG)
		refuse(o, SP_OUTCOME_HEAD_TOO_LARGE, err, "more fields than a head may have");
	if (err < 0)
		return;
	if (was_idle && sp_loop_now_ms(ps->loop) - t->idle_since_mono_ms >= ps->conf->tunnels.ping_after_ms)
		sp_tunnel_probe(t);
	enter(o, SP_OPEN_ANSWER);
	sp_pool_tell_sent(o);
}

bool sp_pool_open_retry(struct sp_pool_open *o)
{
	struct sp_pools *ps = o->pool->set;

	if (o->retried || ps->draining || ps->closing)
		return false;
	o->retried = true;
	await_tunnel(o);
	return true;
}

bool sp_pool_open_renew(struct sp_pool_open *o, enum sp_outcome outcome, const struct sp_cause *cause)
{
	struct sp_pools *ps = o->pool->set;

	if (o->renewed || o->handed || !o->credential || ps->draining || ps->closing)
		return false;
	o->renewed = true;
	o->outcome = outcome;
	o->cause = *cause;
	sp_pool_unask(o);
	sp_credential_refused(ps->credential, &o->x->identity, sp_slice_str(o->credential));
	await_credential(o);
	return true;
}

/* ---- its beginning and its end --------------------------------------------------------------------------- */

static void begin(struct sp_pool_open *o)
{
	struct sp_pool *p = o->pool;
	struct sp_pools *ps = p->set;

	if (ps->draining || ps->closing)
		refuse(o, SP_OUTCOME_SHUTDOWN, SP_ECLOSED, "shutting down");
	else if (p->open_count[SP_OPEN_CREDENTIAL] + p->open_count[SP_OPEN_TUNNEL] >= ps->conf->tunnels.waiting)
		refuse(o, SP_OUTCOME_LIMIT, SP_ELIMIT, "as many exchanges wait already as tunnels.waiting allows");
	else if (ps->credential && !o->x->identity.upstream_auth)
		await_credential(o);
	else
		await_tunnel(o);
}

struct sp_back_open *sp_pool_open_new(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	struct sp_pools *ps = sp_pools_of(b);
	struct sp_pool_open *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->open.back = b;
	o->pool = sp_pools_get(ps, x->identity.tenant ? x->identity.tenant : "", x->location, true);
	o->x = x;
	o->cb = cb;
	o->arg = arg;
	o->began_mono_ms = sp_loop_now_ms(ps->loop);
	o->state = SP_OPEN_REFUSED; /* until it begins */
	o->pool->open_count[o->state]++;
	begin(o);
	return &o->open;
}

void sp_pool_open_cancel(struct sp_back_open *open)
{
	struct sp_pool_open *o = SP_CONTAINER_OF(open, struct sp_pool_open, open);
	struct sp_pool *p = o->pool;

	release(o);
	sp_pool_maybe_retire(p);
}

static struct sp_pool_open *first_of(struct sp_list *list)
{
	return SP_CONTAINER_OF(list->next, struct sp_pool_open, node);
}

void sp_pool_opens_drain(struct sp_pool *p)
{
	while (!sp_list_empty(&p->opens[SP_OPEN_CREDENTIAL])) {
		struct sp_pool_open *o = first_of(&p->opens[SP_OPEN_CREDENTIAL]);

		sp_credential_cancel(&o->asker);
		await_tunnel(o);
	}
	sp_pool_dispatch_soon(p); /* which gives them up */
}

/* What callbacks begin meanwhile is refused in the next turn; what they cancel leaves the list by itself. */
void sp_pool_opens_close(struct sp_pool *p)
{
	struct sp_list all, *n;
	struct sp_cause c = { 0 };

	sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_SELF, 0, "shutting down");
	sp_list_init(&all);
	for (unsigned s = 0; s < SP_OPEN_STATES; s++)
		while ((n = sp_list_pop(&p->opens[s])) != NULL)
			sp_list_append(&all, n);
	while (!sp_list_empty(&all))
		sp_pool_open_finish(first_of(&all), NULL, SP_OUTCOME_SHUTDOWN, &c);
}
