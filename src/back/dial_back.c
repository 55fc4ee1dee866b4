/* The backs that dial TCP from here: direct (whatever the target says) and exposed (what a connector's file lists). */
#include <stdio.h>
#include <stdlib.h>

#include "back/back.h"
#include "net/tcp.h"

struct dial_back {
	struct sp_back back;
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_list opens;
};

struct dial_open {
	struct sp_back_open open;
	struct sp_list node;
	struct sp_dial *dial;
	struct sp_exchange *x;
	sp_back_cb *cb;
	void *arg;
	struct sp_cause denied; /* exposed: set when the target is not listed */
	struct sp_defer defer;	/* failures come later, never inside open() */
};

static struct dial_back *of(struct sp_back *b)
{
	return SP_CONTAINER_OF(b, struct dial_back, back);
}

static void open_free(struct dial_open *o)
{
	sp_list_remove(&o->node);
	sp_defer_cancel(&o->defer);
	sp_dial_cancel(&o->dial);
	free(o);
}

static void finish(struct dial_open *o, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause)
{
	sp_back_cb *cb = o->cb;
	void *arg = o->arg;
	struct sp_cause copy = cause ? *cause : (struct sp_cause){ 0 };

	open_free(o);
	cb(arg, s, outcome, copy.err ? &copy : NULL);
}

static void on_dialled(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct dial_open *o = arg;

	o->dial = NULL;
	finish(o, s, s ? SP_OUTCOME_OK : sp_outcome_of_cause(cause), cause);
}

static void on_refused(struct sp_defer *d)
{
	struct dial_open *o = SP_CONTAINER_OF(d, struct dial_open, defer);

	finish(o, NULL, o->denied.err == SP_EDENIED ? SP_OUTCOME_NOT_EXPOSED : sp_outcome_of_cause(&o->denied), &o->denied);
}

static struct sp_back_open *start(struct dial_back *b, struct sp_exchange *x, const char *host, uint16_t port, sp_back_cb *cb,
				  void *arg)
{
	struct dial_open *o = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return NULL;
	o->open.back = &b->back;
	o->x = x;
	o->cb = cb;
	o->arg = arg;
	sp_list_append(&b->opens, &o->node);
	snprintf(x->via, sizeof(x->via), "%s", b->back.ops->name);
	if (!host) {
		char text[SP_AUTHORITY_SIZE];

		sp_cause_set(&o->denied, SP_EDENIED, SP_DOMAIN_SELF, 0, "%s is not exposed", sp_authority_text(&x->target, text));
		sp_defer(b->loop, &o->defer, on_refused);
		return &o->open;
	}
	err = sp_dial_open(b->loop, host, port, b->conf->timeouts.dial_ms, on_dialled, o, &o->dial);
	if (err < 0) {
		sp_cause_set(&o->denied, err, SP_DOMAIN_SELF, 0, "dial: %s", sp_err_word(err));
		sp_defer(b->loop, &o->defer, on_refused);
	}
	return &o->open;
}

static struct sp_back_open *open_direct(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	return start(of(b), x, x->target.host, x->target.port, cb, arg);
}

static struct sp_back_open *open_exposed(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	const struct sp_conf *c = of(b)->conf;
	uint16_t port = x->target.port;

	for (unsigned i = 0; i < c->expose_count; i++) {
		const struct sp_conf_expose *e = &c->exposes[i];

		if (port < e->first_port || port > e->last_port ||
		    !sp_slice_eq_nocase(sp_slice_str(e->virtual_host), sp_slice_str(x->target.host)))
			continue;
		port = e->internal_same_offset ? (uint16_t)(e->internal_first_port + (port - e->first_port)) : e->internal_first_port;
		return start(of(b), x, e->internal_host, port, cb, arg);
	}
	return start(of(b), x, NULL, 0, cb, arg);
}

static void cancel(struct sp_back_open *open)
{
	open_free(SP_CONTAINER_OF(open, struct dial_open, open));
}

static void drain(struct sp_back *b)
{
	(void)b; /* nothing is kept between exchanges */
}

static void close_back(struct sp_back *b, void (*on_closed)(void *arg), void *arg)
{
	struct dial_back *d = of(b);
	struct sp_cause cause = { 0 };
	struct sp_list *n;

	sp_cause_set(&cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "shutting down");
	while (!sp_list_empty(&d->opens)) {
		n = d->opens.next;
		finish(SP_CONTAINER_OF(n, struct dial_open, node), NULL, SP_OUTCOME_SHUTDOWN, &cause);
	}
	sp_conf_unref(&d->conf);
	free(d);
	on_closed(arg);
}

static int new_back(struct sp_loop *loop, struct sp_conf *conf, const struct sp_back_ops *ops, struct sp_back **out)
{
	struct dial_back *b = calloc(1, sizeof(*b));

	if (!b)
		return SP_ENOMEM;
	b->back.ops = ops;
	b->loop = loop;
	b->conf = sp_conf_ref(conf);
	sp_list_init(&b->opens);
	*out = &b->back;
	return 0;
}

int sp_back_direct_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out)
{
	static const struct sp_back_ops ops = { "direct", open_direct, cancel, drain, close_back };

	return new_back(loop, conf, &ops, out);
}

int sp_back_exposed_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out)
{
	static const struct sp_back_ops ops = { "exposed", open_exposed, cancel, drain, close_back };

	return new_back(loop, conf, &ops, out);
}
