/* See origin.h. */
#include <stdlib.h>

#include "back/origin_internal.h"
#include "base/must.h"
#include "net/tcp.h"

enum call_state { DIALLING, HANDSHAKE, ASKED, ANSWERED, FAILED };

struct sp_origin_call {
	struct sp_list node;
	struct sp_origins *os;
	enum call_state state;
	struct sp_exchange *x; /* NULL: called back, or cancelled */
	struct sp_origin_plan plan;
	sp_back_cb *cb;
	void *arg;
	struct sp_defer start;
	struct sp_timer timer; /* the response's deadline */
	struct sp_dial *dial;
	struct sp_stream *carrier; /* HANDSHAKE */
	struct sp_h1 *h1;	   /* ASKED, ANSWERED */
	bool reused, repeated;
	bool repeat;		   /* once the connection is given back */
	bool handed;		   /* the stream is the receiver's */
	struct sp_reap reap;
};

/* ---- the end ------------------------------------------------------------------------------------------------------- */

static void on_closed_later(struct sp_timer *t);

static void maybe_closed(struct sp_origins *os)
{
	if (os->on_closed && sp_list_empty(&os->calls))
		sp_timer_start(os->loop, &os->closed, 0, on_closed_later);
}

static void on_call_reap(struct sp_reap *r)
{
	struct sp_origin_call *c = SP_CONTAINER_OF(r, struct sp_origin_call, reap);

	sp_buf_wipe(&c->plan.head);
	free(c);
}

static void forget(struct sp_origin_call *c)
{
	sp_timer_stop(c->os->loop, &c->timer);
	sp_defer_cancel(&c->start);
	sp_dial_cancel(&c->dial);
	if (c->carrier)
		sp_origin_drop(c->carrier, SP_CLOSE_ABORT);
	c->carrier = NULL;
	sp_list_remove(&c->node);
	sp_reap(c->os->loop, &c->reap, on_call_reap);
	maybe_closed(c->os);
}

static void call_back(struct sp_origin_call *c, struct sp_stream *s, enum sp_outcome outcome, const struct sp_cause *cause)
{
	sp_timer_stop(c->os->loop, &c->timer);
	if (!c->x)
		return;
	c->x = NULL;
	c->cb(c->arg, s, outcome, cause);
}

/* Nothing was sent, or nobody has the stream. */
static void fail(struct sp_origin_call *c, const struct sp_cause *cause)
{
	call_back(c, NULL, sp_outcome_of_cause(cause), cause);
	forget(c);
}

/* ---- asked --------------------------------------------------------------------------------------------------------- */

/* RFC 9110 section 9.2.2 */
static bool is_idempotent(struct sp_slice method)
{
	static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" };

	for (size_t i = 0; i < SP_COUNT_OF(methods); i++)
		if (sp_slice_eq_str(method, methods[i]))
			return true;
	return false;
}

static bool may_repeat(const struct sp_origin_call *c)
{
	return !c->repeated && !c->handed && is_idempotent(c->x->request->method);
}

/* The system hung up in place of an answer: what that means differs from a tunnel's loss. */
static enum sp_outcome outcome_of(const struct sp_cause *cause)
{
	if (cause && (cause->err == SP_ETOOBIG || cause->err == SP_EPROTO || cause->err == SP_ECLOSED || cause->err == SP_ERETRY))
		return SP_OUTCOME_PROTOCOL;
	return sp_outcome_of_cause(cause);
}

static size_t take_nothing(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg, (void)v, (void)n;
	return 0;
}

/* Before the response: nobody else hears it. */
static void on_io_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_origin_call *c = arg;
	struct sp_cause none = { 0 };

	if (!c->x)
		return;
	if (cause && cause->err == SP_ERETRY && may_repeat(c)) {
		c->repeat = true;
		return;
	}
	sp_cause_set(&none, SP_ECLOSED, SP_DOMAIN_SELF, 0, "the system closed the connection");
	cause = cause ? cause : &none;
	call_back(c, NULL, outcome_of(cause), cause);
}

static const struct sp_stream_events waiting = { .on_data = take_nothing, .on_closed = on_io_closed };

static void on_interim(void *arg, unsigned status, const struct sp_fields *fields)
{
	struct sp_origin_call *c = arg;

	if (c->x)
		c->x->ev->on_interim(c->x->ev_arg, status, fields);
}

/* The response will not be told. The stream is closed by whoever has it. */
static void refuse(struct sp_origin_call *c, enum sp_outcome outcome, int err, const char *why)
{
	struct sp_cause cause = { 0 };
	bool ours = !c->handed;

	sp_cause_set(&cause, err, SP_DOMAIN_SELF, 0, "the system's response: %s", why);
	call_back(c, NULL, outcome, &cause);
	if (ours)
		sp_origin_drop(sp_h1_io(c->h1), SP_CLOSE_ABORT);
}

static bool switched_well(const struct sp_origin_call *c, struct sp_fields *f)
{
	bool well = !c->plan.accept[0] || (sp_fields_count(f, "sec-websocket-accept") == 1 &&
					   sp_slice_eq_str(sp_fields_get(f, "sec-websocket-accept"), c->plan.accept));

	sp_fields_remove(f, "sec-websocket-accept");
	return well;
}

static void on_response(void *arg, const struct sp_http_response *head)
{
	struct sp_origin_call *c = arg;
	struct sp_buf scratch = { 0 };
	struct sp_msg_response r;
	int err;

	if (!c->x)
		return;
	err = sp_msg_response_from_http1(head, c->x->request->method, &r);
	if (err == 0 && c->plan.amend)
		err = c->plan.amend(c->x, c->plan.amend_arg, &r, &scratch);
	if (err < 0) {
		refuse(c, SP_OUTCOME_PROTOCOL, err, "fields that cannot be sent on");
	} else if (r.status == 407) {
		refuse(c, SP_OUTCOME_PROTOCOL, SP_EPROTO, "407, which is not a system's to say");
	} else if (r.switched && !switched_well(c, &r.fields)) {
		refuse(c, SP_OUTCOME_PROTOCOL, SP_EPROTO, "a wrong Sec-WebSocket-Accept");
	} else {
		c->state = ANSWERED;
		c->x->response = &r;
		call_back(c, sp_h1_io(c->h1), SP_OUTCOME_OK, NULL);
	}
	sp_buf_deinit(&scratch);
}

static void dial(struct sp_origin_call *c);

static void on_over(void *arg)
{
	struct sp_origin_call *c = arg;
	enum sp_h1_left left;
	struct sp_stream *carrier = sp_h1_release(&c->h1, &left);

	if (carrier && left == SP_H1_REUSABLE)
		sp_origin_park(c->os, &c->plan, carrier);
	else if (carrier)
		sp_origin_drop(carrier, left == SP_H1_FLUSH ? SP_CLOSE_FLUSH : SP_CLOSE_ABORT);
	if (c->repeat && c->x) {
		c->repeat = false;
		c->repeated = true;
		sp_timer_stop(c->os->loop, &c->timer);
		dial(c);
		return;
	}
	/* The stream's receiver has heard of the failure, and cancels: now, or later. */
	if (c->x)
		c->state = FAILED;
	else
		forget(c);
}

static const struct sp_h1_client_events h1_events = { .on_interim = on_interim, .on_response = on_response, .on_over = on_over };

static void on_late(struct sp_timer *t)
{
	struct sp_origin_call *c = SP_CONTAINER_OF(t, struct sp_origin_call, timer);
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "no response in time");
	call_back(c, NULL, SP_OUTCOME_TIMEOUT, &cause);
	if (!c->handed)
		sp_origin_drop(sp_h1_io(c->h1), SP_CLOSE_ABORT);
}

static void ask(struct sp_origin_call *c, struct sp_stream *carrier)
{
	const struct sp_msg_request *r = c->x->request;
	struct sp_h1_options opt = { .head = { .head_bytes = c->plan.head_max_bytes, .line_bytes = c->plan.head_line_max_bytes,
					       .fields = c->os->conf->limits.fields },
				     .send_max_bytes = c->plan.body_max_bytes };
	struct sp_cause cause = { 0 };

	if (sp_h1_request(carrier, r, sp_buf_data(&c->plan.head), c->reused, &opt, &h1_events, c, &c->h1) < 0) {
		sp_origin_drop(carrier, SP_CLOSE_ABORT);
		sp_cause_set(&cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "request: out of memory");
		fail(c, &cause);
		return;
	}
	c->state = ASKED;
	c->handed = r->has_body;
	sp_stream_attach(sp_h1_io(c->h1), &waiting, c);
	if (c->plan.response_ms && !c->handed)
		sp_timer_start(c->os->loop, &c->timer, c->plan.response_ms, on_late);
	c->x->ev->on_sent(c->x->ev_arg, c->handed ? sp_h1_io(c->h1) : NULL);
}

/* ---- connecting ---------------------------------------------------------------------------------------------------- */

static void on_tls(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct sp_origin_call *c = arg;
	struct sp_stream *carrier = c->carrier;

	c->carrier = NULL;
	if (peer) {
		ask(c, carrier);
		return;
	}
	sp_origin_drop(carrier, SP_CLOSE_ABORT); /* it closes itself */
	fail(c, cause);
}

static void on_carrier_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_origin_call *c = arg;

	c->carrier = NULL;
	fail(c, cause);
}

static void on_dial(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	static const struct sp_stream_events shaking = { .on_data = take_nothing, .on_closed = on_carrier_closed };
	struct sp_origin_call *c = arg;
	struct sp_cause why = { 0 };
	int err;

	c->dial = NULL;
	if (!s) {
		fail(c, cause);
		return;
	}
	if (!c->plan.tls) {
		ask(c, s);
		return;
	}
	c->state = HANDSHAKE;
	err = sp_tls_open(c->plan.tls, s, c->plan.server_name, c->os->conf->timeouts.dial_ms, on_tls, c, &c->carrier);
	if (err == 0) {
		sp_stream_attach(c->carrier, &shaking, c);
		return;
	}
	sp_cause_set(&why, err, SP_DOMAIN_SELF, 0, "TLS: %s", sp_err_word(err));
	fail(c, &why);
}

static void dial(struct sp_origin_call *c)
{
	const struct sp_conf *conf = c->os->conf;
	struct sp_cause cause = { 0 };
	int err;

	c->reused = false;
	c->state = DIALLING;
	err = sp_dial_open(c->os->loop, c->plan.host, c->plan.port, conf->timeouts.dial_ms, on_dial, c, &c->dial);
	if (err == 0)
		return;
	sp_cause_set(&cause, err, SP_DOMAIN_SELF, 0, "dial: %s", sp_err_word(err));
	fail(c, &cause);
}

/* Room for one more connection: an idle one gives way. It is idle for too long for this request, or it would have been taken. */
static bool has_room(struct sp_origin_call *c)
{
	unsigned n = 0;

	for (struct sp_list *l = c->os->calls.next; l != &c->os->calls; l = l->next) {
		const struct sp_origin_plan *p = &SP_CONTAINER_OF(l, struct sp_origin_call, node)->plan;

		n += p->port == c->plan.port && p->tls == c->plan.tls && strcmp(p->host, c->plan.host) == 0;
	}
	if (n > c->plan.calls_max) /* it is one of them */
		return false;
	if (n + sp_origin_idle_count(c->os, &c->plan) > c->plan.calls_max)
		sp_origin_evict(c->os, &c->plan);
	return true;
}

static void on_start(struct sp_defer *d)
{
	struct sp_origin_call *c = SP_CONTAINER_OF(d, struct sp_origin_call, start);
	bool repeatable = is_idempotent(c->x->request->method) && !c->x->request->has_body;
	struct sp_stream *carrier = sp_origin_unpark(c->os, &c->plan, repeatable ? UINT64_MAX : SP_ORIGIN_FRESH_MS);
	struct sp_cause cause = { 0 };

	if (!carrier && c->plan.calls_max && !has_room(c)) {
		sp_cause_set(&cause, SP_ELIMIT, SP_DOMAIN_SELF, 0, "as many requests are at the system as \"connections\" allows");
		fail(c, &cause);
		return;
	}
	if (!carrier) {
		dial(c);
		return;
	}
	c->reused = true;
	ask(c, carrier);
}

/* ---- from the backs ------------------------------------------------------------------------------------------------ */

struct sp_origin_call *sp_origin_ask(struct sp_origins *os, struct sp_exchange *x, struct sp_origin_plan *plan, sp_back_cb *cb, void *arg)
{
	struct sp_origin_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->os = os;
	c->x = x;
	c->plan = *plan;
	plan->head = (struct sp_buf){ 0 };
	c->cb = cb;
	c->arg = arg;
	sp_list_append(&os->calls, &c->node);
	sp_defer(os->loop, &c->start, on_start);
	return c;
}

void sp_origin_cancel(struct sp_origin_call **cp)
{
	struct sp_origin_call *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	c->x = NULL;
	sp_timer_stop(c->os->loop, &c->timer);
	if (c->state == DIALLING || c->state == HANDSHAKE || c->state == FAILED)
		forget(c);
	else if (!c->handed && c->state == ASKED)
		sp_origin_drop(sp_h1_io(c->h1), SP_CLOSE_ABORT);
}

int sp_origins_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_origins **out)
{
	struct sp_origins *os = calloc(1, sizeof(*os));

	if (!os)
		return SP_ENOMEM;
	os->loop = loop;
	os->conf = sp_conf_ref(conf);
	sp_list_init(&os->calls);
	sp_list_init(&os->idle);
	*out = os;
	return 0;
}

void sp_origins_drain(struct sp_origins *os)
{
	os->draining = true;
	sp_origin_idle_close(os);
}

static void on_reap(struct sp_reap *r)
{
	struct sp_origins *os = SP_CONTAINER_OF(r, struct sp_origins, reap);

	sp_conf_unref(&os->conf);
	free(os);
}

static void on_closed_later(struct sp_timer *t)
{
	struct sp_origins *os = SP_CONTAINER_OF(t, struct sp_origins, closed);

	sp_reap(os->loop, &os->reap, on_reap);
	os->on_closed(os->arg);
}

void sp_origins_close(struct sp_origins *os, void (*on_closed)(void *arg), void *arg)
{
	sp_must(!os->on_closed);
	os->on_closed = on_closed;
	os->arg = arg;
	sp_origin_idle_close(os);
	maybe_closed(os);
}
