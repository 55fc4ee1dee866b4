/* See session.h. */
#include "front/session.h"

#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/must.h"
#include "front/front_internal.h"
#include "front/trail.h"
#include <sallyport/plugin.h>

#define EXPIRED_MEANWHILE "the caller's identity has expired since it was established"

/* ---- the end ------------------------------------------------------------------ */

static size_t take_nothing(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg;
	(void)v;
	(void)n;
	return 0;
}

static void let_close(void *arg, const struct sp_cause *cause)
{
	(void)arg;
	(void)cause;
}

static void drop_upstream(struct sp_session *s)
{
	static const struct sp_stream_events none = { .on_data = take_nothing, .on_closed = let_close };
	struct sp_stream *up = s->upstream;

	s->upstream = NULL;
	if (!up)
		return;
	sp_stream_attach(up, &none, NULL);
	sp_stream_close(up, SP_CLOSE_ABORT);
}

static void stop_all(struct sp_session *s)
{
	sp_timer_stop(s->env->loop, &s->timer);
	sp_auth_cancel(&s->run);
	sp_back_cancel(&s->opening);
	drop_upstream(s);
	s->state = SP_SESSION_ENDED;
}

static void tell_failed(struct sp_session *s, struct sp_stream *given_back)
{
	enum sp_session_state from = s->state;

	stop_all(s);
	sp_trail_ended(s, from);
	s->ev->on_failed(s, given_back);
	sp_exchange_end(&s->x, s->env->loop);
}

static void fail(struct sp_session *s, enum sp_outcome o, const struct sp_cause *cause)
{
	sp_exchange_fail(&s->x, o, cause);
	if (!s->relay) {
		tell_failed(s, NULL);
		return;
	}
	/* A request on its way: the relay gives the client's stream back. */
	sp_timer_stop(s->env->loop, &s->timer);
	sp_back_cancel(&s->opening);
	sp_relay_abort(s->relay, cause);
}

static void on_fail_later(struct sp_timer *t)
{
	struct sp_session *s = SP_CONTAINER_OF(t, struct sp_session, timer);

	fail(s, s->x.outcome, NULL); /* recorded already */
}

static void fail_later(struct sp_session *s, enum sp_outcome o, int err, const char *text)
{
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, err, SP_DOMAIN_SELF, 0, "%s", text);
	sp_exchange_fail(&s->x, o, &cause);
	sp_timer_start(s->env->loop, &s->timer, 0, on_fail_later);
}

void sp_session_fail(struct sp_session *s, enum sp_outcome o, const struct sp_cause *cause)
{
	enum sp_session_state from;

	if (!sp_session_active(s))
		return;
	sp_exchange_fail(&s->x, o, cause);
	if (s->relay) {
		sp_back_cancel(&s->opening);
		sp_relay_release(s->relay, 0);
		sp_relay_abort(s->relay, cause);
		return;
	}
	if (s->state == SP_SESSION_RELAYING)
		return; /* the relay could not start; on_ended is on its way */
	from = s->state;
	stop_all(s);
	sp_trail_ended(s, from);
	sp_exchange_end(&s->x, s->env->loop);
}

void sp_session_abort(struct sp_session *s, const struct sp_cause *cause)
{
	sp_session_fail(s, SP_OUTCOME_CLIENT_GONE, cause);
}

/* ---- begin ---------------------------------------------------------------------- */

static bool is_exchange_id(struct sp_slice id)
{
	size_t i;

	for (i = 0; i < id.n; i++)
		if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f')))
			return false;
	return id.n == SP_ID_SIZE - 1;
}

int sp_session_begin(struct sp_session *s, struct sp_front_env *env, const struct sp_session_events *ev, const char *front,
		     const char *listener, const char *client, uint64_t conn_id, struct sp_slice exchange_id)
{
	int err;

	sp_must(!sp_session_active(s) && !s->x.book);
	*s = (struct sp_session){ .env = env, .ev = ev };
	s->x.front = front;
	s->x.listener = listener;
	s->x.conn_id = conn_id;
	(void)sp_slice_copy(sp_slice_str(client), s->x.client, sizeof(s->x.client));
	if (is_exchange_id(exchange_id))
		(void)sp_slice_copy(exchange_id, s->x.id, sizeof(s->x.id));
	err = sp_exchange_begin(&s->x, env->book, env->loop);
	if (err == 0) {
		/* Awaits identify or identified; in this state already active. */
		s->state = SP_SESSION_BEGUN;
		return 0;
	}
	s->state = SP_SESSION_ENDED;
	sp_exchange_end(&s->x, env->loop);
	return err;
}

/* ---- identity --------------------------------------------------------------------- */

static void on_auth(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause)
{
	struct sp_session *s = arg;

	s->run = NULL;
	s->x.identity = *id;
	*id = (struct sp_identity){ 0 };
	if (outcome != SP_OUTCOME_OK) {
		fail(s, outcome, cause);
		return;
	}
	s->state = SP_SESSION_IDENTIFIED;
	s->ev->on_identified(s);
}

void sp_session_identify(struct sp_session *s, int chain, const struct sp_auth_request *req, bool need_tenant)
{
	struct sp_auth_request r = *req;

	sp_must(s->state == SP_SESSION_BEGUN);
	s->state = SP_SESSION_IDENTIFYING;
	r.conn_id = s->x.conn_id;
	r.listener = s->x.listener;
	r.client_addr = s->x.client;
	if (chain >= 0 && (unsigned)chain < s->env->conf->chain_count)
		s->chain = s->env->conf->chains[chain].name;
	if (chain < 0 || !s->env->auth_worker) {
		fail_later(s, SP_OUTCOME_FORBIDDEN, SP_EDENIED, "this listener has no chain");
		return;
	}
	s->run = sp_auth_start(s->env->auth_worker, (unsigned)chain, &r, need_tenant, s->env->conf->timeouts.auth_ms, on_auth, s);
	if (!s->run)
		fail_later(s, SP_OUTCOME_UNAVAILABLE, SP_ENOMEM, "the chain could not start");
}

void sp_session_identified(struct sp_session *s, const char *tenant, const char *principal)
{
	sp_must(s->state == SP_SESSION_BEGUN);
	s->x.identity.tenant = sp_strdup(tenant);
	s->x.identity.principal = sp_strdup(principal);
	s->state = SP_SESSION_IDENTIFIED;
}

void sp_front_claims(const struct sp_front_env *env, int chain, struct sp_exchange *x)
{
	bool verified = chain >= 0 && env->auth && (sp_auth_traits(env->auth, (unsigned)chain) & SP_TRAIT_VERIFIES);

	free(x->claims);
	x->claims = verified ? sp_strdup(x->identity.claims) : NULL;
}

/* ---- expiry ------------------------------------------------------------------------- */

#define EXPIRY_LOOK_MS (5 * 60 * 1000u) /* the clock on the wall may be set: how long that may go unnoticed */

/* How long the identity still holds; 0: it has expired. Never: UINT64_MAX. */
static uint64_t identity_left_ms(const struct sp_session *s)
{
	int64_t expires_at = s->x.identity.expires_at, now_ms;
	struct timespec now;

	if (!expires_at)
		return UINT64_MAX;
	clock_gettime(CLOCK_REALTIME, &now);
	if (expires_at <= now.tv_sec)
		return 0;
	if (expires_at - now.tv_sec > EXPIRY_LOOK_MS)
		return EXPIRY_LOOK_MS; /* no overflow below, whatever a credential says */
	now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	return (uint64_t)(expires_at * 1000 - now_ms);
}

static void watch_expiry(struct sp_session *s);

static void on_expiry(struct sp_timer *t)
{
	struct sp_session *s = SP_CONTAINER_OF(t, struct sp_session, timer);
	struct sp_cause cause = { 0 };

	if (identity_left_ms(s) > 0) {
		watch_expiry(s);
		return;
	}
	sp_cause_set(&cause, SP_EDENIED, SP_DOMAIN_SELF, 0, "the caller's identity has expired, and on_expiry is \"close\"");
	sp_session_fail(s, SP_OUTCOME_IDENTITY_EXPIRED, &cause);
}

/* One timer per exchange, of which the bytes that pass know nothing. */
static void watch_expiry(struct sp_session *s)
{
	uint64_t left = identity_left_ms(s);

	if (s->env->conf->close_on_expiry && left != UINT64_MAX)
		sp_timer_start(s->env->loop, &s->timer, left < EXPIRY_LOOK_MS ? left : EXPIRY_LOOK_MS, on_expiry);
}

/* ---- open --------------------------------------------------------------------------- */

static void on_upstream_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_session *s = arg;

	s->upstream = NULL;
	fail(s, sp_outcome_of_cause(cause), cause);
}

/* May it go on? Else it has failed. */
static bool may_open(struct sp_session *s)
{
	struct sp_cause why = { 0 };

	if (s->env->conf->close_on_expiry && identity_left_ms(s) == 0) {
		sp_cause_set(&why, SP_EDENIED, SP_DOMAIN_SELF, 0, EXPIRED_MEANWHILE);
		fail(s, SP_OUTCOME_EXPIRED_CREDENTIAL, &why);
		return false;
	}
	if (sp_trail_opened(s) < 0) {
		sp_cause_set(&why, SP_ESYS, SP_DOMAIN_SELF, 0, SP_TRAIL_UNRECORDED);
		fail(s, SP_OUTCOME_UNAVAILABLE, &why);
		return false;
	}
	return true;
}

static void on_back(void *arg, struct sp_stream *stream, enum sp_outcome outcome, const struct sp_cause *cause)
{
	static const struct sp_stream_events waiting = { .on_data = take_nothing, .on_closed = on_upstream_closed };
	struct sp_session *s = arg;

	s->opening = NULL;
	if (!stream) {
		fail(s, outcome == SP_OUTCOME_OK ? SP_OUTCOME_UNKNOWN : outcome, cause);
		return;
	}
	sp_timer_stop(s->env->loop, &s->timer);
	if (s->relay && sp_relay_failed(s->relay) != SP_RELAY_NONE)
		return; /* the client has gone meanwhile; the relay's end is on its way */
	if (!s->relay && !s->upstream) {
		s->upstream = stream;
		sp_stream_attach(stream, &waiting, s);
	}
	if (!may_open(s))
		return;
	s->x.opened_mono_ms = sp_loop_now_ms(s->env->loop);
	s->x.outcome = SP_OUTCOME_OK;
	if (s->x.response) {
		s->x.outcome = s->x.response->outcome;
		s->x.status = s->x.response->status;
	}
	s->state = SP_SESSION_OPENED;
	s->ev->on_opened(s);
}

/* ---- requests ----------------------------------------------------------------------- */

static void on_response_timeout(struct sp_timer *t)
{
	struct sp_session *s = SP_CONTAINER_OF(t, struct sp_session, timer);
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "no response in time");
	fail(s, SP_OUTCOME_TIMEOUT, &cause);
}

static uint64_t response_ms(const struct sp_session *s)
{
	return s->x.response_ms ? s->x.response_ms : s->env->conf->timeouts.response_ms;
}

static void on_sent(void *arg, struct sp_stream *stream)
{
	static const struct sp_stream_events waiting = { .on_data = take_nothing, .on_closed = on_upstream_closed };
	struct sp_session *s = arg;

	if (stream) {
		sp_timer_stop(s->env->loop, &s->timer); /* from here on the relay knows the deadlines */
		s->upstream = stream;
		sp_stream_attach(stream, &waiting, s);
	} else {
		sp_timer_start(s->env->loop, &s->timer, response_ms(s), on_response_timeout);
	}
	s->ev->on_sent(s, stream != NULL);
}

static void on_interim(void *arg, unsigned status, const struct sp_fields *fields)
{
	struct sp_session *s = arg;

	if (!s->relay || sp_relay_failed(s->relay) == SP_RELAY_NONE)
		s->ev->on_interim(s, status, fields);
}

static const struct sp_exchange_events exchange_events = { .on_sent = on_sent, .on_interim = on_interim };

static void on_open_timeout(struct sp_timer *t)
{
	struct sp_session *s = SP_CONTAINER_OF(t, struct sp_session, timer);
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "not open within timeouts.open");
	fail(s, SP_OUTCOME_TIMEOUT, &cause);
}

void sp_session_open(struct sp_session *s)
{
	struct sp_front_env *env = s->env;

	sp_must(s->state == SP_SESSION_IDENTIFIED);
	if (identity_left_ms(s) == 0) { /* SOCKS5 clients may take their time between credential and request */
		s->state = SP_SESSION_OPENING;
		fail_later(s, SP_OUTCOME_EXPIRED_CREDENTIAL, SP_EDENIED, EXPIRED_MEANWHILE);
		return;
	}
	if (sp_trail_identified(s) < 0) {
		s->state = SP_SESSION_OPENING;
		fail_later(s, SP_OUTCOME_UNAVAILABLE, SP_ESYS, SP_TRAIL_UNRECORDED);
		return;
	}
	s->state = SP_SESSION_OPENING;
	s->x.ev = &exchange_events;
	s->x.ev_arg = s;
	s->opening = sp_back_open(env->back, &s->x, on_back, s);
	if (s->opening)
		sp_timer_start(env->loop, &s->timer, env->conf->timeouts.open_ms, on_open_timeout);
	else
		fail_later(s, SP_OUTCOME_LIMIT, SP_ENOMEM, "open: out of memory");
}

/* ---- relay ---------------------------------------------------------------------------- */

static void end(struct sp_session *s)
{
	sp_timer_stop(s->env->loop, &s->timer);
	sp_back_cancel(&s->opening);
	s->state = SP_SESSION_ENDED;
	sp_trail_ended(s, SP_SESSION_RELAYING);
	sp_exchange_end(&s->x, s->env->loop);
	s->ev->on_ended(s);
}

/* A client that breaks the rules of its protocol is told so, if it can be. */
static enum sp_outcome outcome_of_client(const struct sp_cause *cause)
{
	switch (cause->err) {
	case SP_EPROTO:
		return SP_OUTCOME_BAD_REQUEST;
	case SP_ETOOBIG:
		return SP_OUTCOME_BODY_TOO_LARGE;
	case SP_ETIMEOUT:
		return SP_OUTCOME_REQUEST_TIMEOUT;
	default:
		return SP_OUTCOME_CLIENT_GONE;
	}
}

/* Whose failure it was decides: a client's leaving is no fault of the far side. */
static enum sp_outcome outcome_of_relay(const struct sp_relay *r, bool request, const struct sp_cause *cause)
{
	switch (sp_relay_failed(r)) {
	case SP_RELAY_NONE:
		return SP_OUTCOME_OK;
	case SP_RELAY_A:
		return outcome_of_client(cause);
	case SP_RELAY_B:
		return request && cause->err == SP_ETOOBIG ? SP_OUTCOME_BODY_TOO_LARGE : sp_outcome_of_cause(cause);
	case SP_RELAY_SELF:
		return cause->err == SP_ETIMEOUT ? SP_OUTCOME_TIMEOUT : SP_OUTCOME_SHUTDOWN;
	}
	return SP_OUTCOME_UNKNOWN;
}

static void on_relay_done(void *arg, const struct sp_cause *cause, uint64_t up_bytes, uint64_t down_bytes)
{
	struct sp_session *s = arg;
	struct sp_stream *given_back = sp_relay_take_a(s->relay);

	if (cause)
		sp_exchange_fail(&s->x, outcome_of_relay(s->relay, s->x.request != NULL, cause), cause);
	s->relay = NULL;
	s->x.bytes_up = up_bytes;
	s->x.bytes_down = down_bytes;
	if (given_back) {
		tell_failed(s, given_back);
		return;
	}
	end(s);
}

static void on_end_later(struct sp_timer *t)
{
	end(SP_CONTAINER_OF(t, struct sp_session, timer));
}

void sp_session_relay(struct sp_session *s, struct sp_stream *client, bool client_ended)
{
	const struct sp_conf *conf = s->env->conf;
	bool opened = s->state == SP_SESSION_OPENED;
	struct sp_relay_options opt = { .half_closed_ms = opened ? conf->timeouts.half_closed_ms : response_ms(s),
					.idle_ms = conf->timeouts.idle_ms, .a_ended = client_ended, .hold = !opened };
	struct sp_cause cause = { 0 };

	sp_must((opened || s->state == SP_SESSION_OPENING) && s->upstream);
	if (opened)
		s->state = SP_SESSION_RELAYING;
	if (sp_relay_start(client, s->upstream, &opt, on_relay_done, s, &s->relay) < 0) {
		sp_cause_set(&cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "relay: out of memory");
		sp_exchange_fail(&s->x, SP_OUTCOME_LIMIT, &cause);
		sp_timer_start(s->env->loop, &s->timer, 0, on_end_later);
		s->state = SP_SESSION_RELAYING; /* on_ended is on its way */
	} else if (opened) {
		watch_expiry(s);
	}
	s->upstream = NULL;
}

void sp_session_answered(struct sp_session *s)
{
	sp_must(s->state == SP_SESSION_OPENED && s->relay);
	s->state = SP_SESSION_RELAYING;
	sp_relay_release(s->relay, s->env->conf->timeouts.half_closed_ms);
	watch_expiry(s);
}
