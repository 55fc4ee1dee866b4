/* Exchanges that leave by TCP from here: tunnels by themselves, requests by origin.h. Names are resolved
 * here; net/ tries the addresses in turn within timeouts.dial.
 *
 *   open: REFUSED (the map says no, or we drain) or DIALLING -> callback -> reaped
 *   back: OPEN -> DRAINING -> CLOSING (pending opens fail) -> on_closed -> reaped */
#include "back/direct.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/must.h"
#include "net/tcp.h"

#define RESPONSE_HEAD_MAX_BYTES (64 * 1024) /* where nothing else is configured */

enum direct_state { OPEN, DRAINING, CLOSING };

struct direct {
	struct sp_back back;
	enum direct_state state;
	const struct sp_direct_kind *kind;
	void *kind_arg;
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_origins *origins; /* NULL: closed */
	struct sp_list opens;
	void (*on_closed)(void *arg);
	void *arg;
	struct sp_timer closed; /* on_closed never comes inside close() */
	struct sp_reap reap;
};

struct opening {
	struct sp_back_open open;
	struct direct *d;
	struct sp_list node;
	struct sp_dial *dial; /* NULL: refused, or a request */
	struct sp_origin_call *call;
	sp_back_cb *cb;
	void *arg;
	struct sp_timer refused; /* a failure that is known at once is told in the next turn */
	enum sp_outcome outcome;
	struct sp_cause cause;
	struct sp_reap reap;
};

static struct direct *direct_of(struct sp_back *b)
{
	struct direct *d = SP_CONTAINER_OF(b, struct direct, back);

	sp_loop_assert(d->loop);
	return d;
}

/* ---- the end of an open ------------------------------------------------------- */

static void on_open_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct opening, reap));
}

static void on_closed(struct sp_timer *t);

static void maybe_closed(struct direct *d)
{
	if (d->state == CLOSING && !d->origins && sp_list_empty(&d->opens))
		sp_timer_start(d->loop, &d->closed, 0, on_closed);
}

static void forget(struct opening *o)
{
	struct direct *d = o->d;

	sp_dial_cancel(&o->dial);
	sp_origin_cancel(&o->call);
	sp_timer_stop(d->loop, &o->refused);
	sp_list_remove(&o->node);
	sp_reap(d->loop, &o->reap, on_open_reap);
	maybe_closed(d);
}

static void on_refused(struct sp_timer *t)
{
	struct opening *o = SP_CONTAINER_OF(t, struct opening, refused);

	forget(o);
	o->cb(o->arg, NULL, o->outcome, &o->cause);
}

static void refuse(struct opening *o, enum sp_outcome outcome)
{
	sp_dial_cancel(&o->dial);
	sp_origin_cancel(&o->call);
	o->outcome = outcome;
	sp_timer_start(o->d->loop, &o->refused, 0, on_refused);
}

static void on_dial(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct opening *o = arg;

	o->dial = NULL;
	forget(o);
	o->cb(o->arg, s, s ? SP_OUTCOME_OK : sp_outcome_of_cause(cause), cause);
}

static void on_call(void *arg, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause)
{
	struct opening *o = arg;

	o->call = NULL;
	forget(o);
	o->cb(o->arg, s, outcome, cause);
}

static void start_request(struct opening *o, struct sp_exchange *x)
{
	struct direct *d = o->d;
	struct sp_origin_plan plan = { .head_max_bytes = RESPONSE_HEAD_MAX_BYTES, .head_line_max_bytes = RESPONSE_HEAD_MAX_BYTES };
	enum sp_outcome outcome = d->kind->plan(d->conf, d->kind_arg, x, &plan, &o->cause);

	if (outcome == SP_OUTCOME_OK) {
		o->call = sp_origin_ask(d->origins, x, &plan, on_call, o);
		if (!o->call) {
			sp_cause_set(&o->cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "request: out of memory");
			outcome = SP_OUTCOME_LIMIT;
		}
	}
	sp_buf_wipe(&plan.head);
	if (outcome != SP_OUTCOME_OK)
		refuse(o, outcome);
}

/* ---- the operations -------------------------------------------------------------- */

static void start(struct opening *o, struct sp_exchange *x)
{
	struct direct *d = o->d;
	char host[SP_HOST_SIZE];
	uint16_t port;
	enum sp_outcome outcome;
	int err;

	if (d->state != OPEN) {
		sp_cause_set(&o->cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "no new connections: draining");
		refuse(o, SP_OUTCOME_SHUTDOWN);
		return;
	}
	if (x->request) {
		start_request(o, x);
		return;
	}
	outcome = d->kind->map(d->conf, d->kind_arg, &x->target, host, &port, &o->cause);
	if (outcome != SP_OUTCOME_OK) {
		refuse(o, outcome);
		return;
	}
	err = sp_dial_open(d->loop, host, port, d->conf->timeouts.dial_ms, on_dial, o, &o->dial);
	if (err < 0) {
		sp_cause_set(&o->cause, err, SP_DOMAIN_SELF, 0, "dial: %s", sp_err_word(err));
		refuse(o, sp_outcome_of_cause(&o->cause));
	}
}

static struct sp_back_open *direct_open(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	struct direct *d = direct_of(b);
	struct opening *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->open.back = b;
	o->d = d;
	o->cb = cb;
	o->arg = arg;
	sp_list_append(&d->opens, &o->node);
	snprintf(x->via, sizeof(x->via), "%s", d->kind->name);
	start(o, x);
	return &o->open;
}

static void direct_cancel(struct sp_back_open *open)
{
	forget(SP_CONTAINER_OF(open, struct opening, open));
}

static void direct_drain(struct sp_back *b)
{
	struct direct *d = direct_of(b);

	if (d->state != OPEN)
		return;
	d->state = DRAINING;
	sp_origins_drain(d->origins);
}

static void on_reap(struct sp_reap *r)
{
	struct direct *d = SP_CONTAINER_OF(r, struct direct, reap);

	if (d->kind->free)
		d->kind->free(d->kind_arg);
	sp_conf_unref(&d->conf);
	free(d);
}

static void on_closed(struct sp_timer *t)
{
	struct direct *d = SP_CONTAINER_OF(t, struct direct, closed);

	sp_reap(d->loop, &d->reap, on_reap);
	d->on_closed(d->arg);
}

static void on_origins_closed(void *arg)
{
	struct direct *d = arg;

	d->origins = NULL;
	maybe_closed(d);
}

static void direct_close(struct sp_back *b, void (*cb)(void *arg), void *arg)
{
	struct direct *d = direct_of(b);
	struct sp_list *n, *tmp;

	sp_must(d->state != CLOSING);
	d->state = CLOSING;
	d->on_closed = cb;
	d->arg = arg;
	SP_LIST_EACH(n, &d->opens, tmp) {
		struct opening *o = SP_CONTAINER_OF(n, struct opening, node);

		sp_cause_set(&o->cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "stopped");
		refuse(o, SP_OUTCOME_SHUTDOWN);
	}
	sp_origins_close(d->origins, on_origins_closed, d);
}

static const struct sp_back_ops direct_ops = {
	.name = "direct",
	.open = direct_open,
	.cancel = direct_cancel,
	.drain = direct_drain,
	.close = direct_close,
};

int sp_direct_new(struct sp_loop *loop, struct sp_conf *conf, const struct sp_direct_kind *kind, void *arg, struct sp_back **out)
{
	struct direct *d = SP_NEW(struct direct);
	int err = sp_origins_new(loop, conf, &d->origins);

	if (err < 0) {
		free(d);
		return err;
	}
	d->back.ops = &direct_ops;
	d->kind = kind;
	d->kind_arg = arg;
	d->loop = loop;
	d->conf = sp_conf_ref(conf);
	sp_list_init(&d->opens);
	*out = &d->back;
	return 0;
}

/* ---- any target ------------------------------------------------------------------------- */

static enum sp_outcome map_any(const struct sp_conf *conf, void *arg, const struct sp_authority *target, char *host, uint16_t *port,
			       struct sp_cause *cause)
{
	(void)conf, (void)arg, (void)cause;
	memcpy(host, target->host, SP_HOST_SIZE);
	*port = target->port;
	return SP_OUTCOME_OK;
}

static enum sp_outcome plan_any(const struct sp_conf *conf, void *arg, struct sp_exchange *x, struct sp_origin_plan *plan,
				struct sp_cause *cause)
{
	struct sp_fields f;
	int err = sp_origin_plan_fields(x, &f);

	(void)conf, (void)arg;
	memcpy(plan->host, x->target.host, SP_HOST_SIZE);
	plan->port = x->target.port;
	if (err == 0)
		err = sp_origin_plan_write(plan, x, &x->target, &f);
	if (err == 0)
		return SP_OUTCOME_OK;
	sp_cause_set(cause, err, SP_DOMAIN_SELF, 0, "a request that cannot be sent on: %s", sp_err_word(err));
	return SP_OUTCOME_BAD_REQUEST;
}

int sp_back_direct_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out)
{
	static const struct sp_direct_kind kind = { .name = "direct", .map = map_any, .plan = plan_any };

	return sp_direct_new(loop, conf, &kind, NULL, out);
}
