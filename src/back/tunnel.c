/* See tunnel.h. Every change of state passes through enter(), which knows the legal edges. */
#include "back/tunnel.h"

#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"

#define EXPIRY_MAX_S (365 * 86400ll) /* keeps the arithmetic of timers sane, whatever a credential says */
#define NO_GRACE_LIMIT_MS (EXPIRY_MAX_S * 1000u)

#define EDGE(s) (1u << SP_TUNNEL_##s)

static const unsigned legal[] = {
	[SP_TUNNEL_CONNECTING] = EDGE(TLS) | EDGE(CLOSING) | EDGE(CLOSED),
	[SP_TUNNEL_TLS] = EDGE(SETTINGS) | EDGE(CLOSING) | EDGE(CLOSED),
	[SP_TUNNEL_SETTINGS] = EDGE(READY) | EDGE(CLOSING) | EDGE(CLOSED),
	[SP_TUNNEL_READY] = EDGE(DRAINING) | EDGE(CLOSING) | EDGE(CLOSED),
	[SP_TUNNEL_DRAINING] = EDGE(CLOSING) | EDGE(CLOSED),
	[SP_TUNNEL_CLOSING] = EDGE(CLOSED),
	[SP_TUNNEL_CLOSED] = 0,
};

const char *sp_tunnel_state_word(enum sp_tunnel_state s)
{
	static const char *const words[] = { "connecting", "tls", "settings", "ready", "draining", "closing", "closed" };

	return words[s];
}

static void enter(struct sp_tunnel *t, enum sp_tunnel_state to)
{
	sp_must(legal[t->state] & (1u << to));
	sp_log(SP_LOG_DEBUG, SP_EV_TUNNEL, "state", SP_KV_INT("tunnel", t->number), SP_KV_STR("from", sp_tunnel_state_word(t->state)),
	       SP_KV_STR("to", sp_tunnel_state_word(to)));
	t->state = to;
}

static void hello_free(struct sp_connector_hello **hp)
{
	struct sp_connector_hello *h = *hp;

	*hp = NULL;
	if (!h)
		return;
	free((char *)(uintptr_t)h->tenant);
	free((char *)(uintptr_t)h->location);
	free((char *)(uintptr_t)h->connector_id);
	free((char *)(uintptr_t)h->instance);
	free((char *)(uintptr_t)h->version);
	free((char *)(uintptr_t)h->peer);
	free(h);
}

static struct sp_connector_hello *hello_copy(const struct sp_connector_hello *from)
{
	struct sp_connector_hello *h = SP_NEW(struct sp_connector_hello);

	*h = (struct sp_connector_hello){ .tenant = sp_strdup(from->tenant), .location = sp_strdup(from->location),
					  .connector_id = sp_strdup(from->connector_id), .instance = sp_strdup(from->instance),
					  .version = sp_strdup(from->version), .peer = sp_strdup(from->peer),
					  .index = from->index, .expires_at = from->expires_at };
	return h;
}

static void tunnel_free(struct sp_reap *r)
{
	struct sp_tunnel *t = SP_CONTAINER_OF(r, struct sp_tunnel, reap);

	hello_free(&t->hello);
	sp_tls_ctx_unref(&t->ctx);
	sp_conf_unref(&t->conf);
	free(t);
}

/* Nothing of it is open any more. */
static void closed(struct sp_tunnel *t, const struct sp_cause *cause)
{
	if (t->state == SP_TUNNEL_CLOSED)
		return;
	enter(t, SP_TUNNEL_CLOSED);
	sp_timer_stop(t->loop, &t->timer);
	if (!t->cause.err && cause)
		t->cause = *cause;
	t->ev->on_closed(t->arg, t, t->was_ready, t->cause.err ? &t->cause : NULL);
	sp_reap(t->loop, &t->reap, tunnel_free);
}

static void start_closing(struct sp_tunnel *t)
{
	if (t->state >= SP_TUNNEL_CLOSING)
		return;
	enter(t, SP_TUNNEL_CLOSING);
	if (t->h2) {
		sp_h2_close(t->h2);
	} else if (t->tls) {
		sp_stream_close(t->tls, SP_CLOSE_ABORT);
	} else {
		sp_dial_cancel(&t->dial);
		closed(t, NULL);
	}
}

static void drain(struct sp_tunnel *t, uint64_t grace_ms)
{
	if (t->state < SP_TUNNEL_READY) {
		start_closing(t);
		return;
	}
	if (t->state != SP_TUNNEL_READY)
		return;
	enter(t, SP_TUNNEL_DRAINING);
	sp_timer_stop(t->loop, &t->timer);
	sp_h2_drain(t->h2, grace_ms);
	t->ev->on_draining(t->arg, t);
}

static void on_settings_timeout(struct sp_timer *timer)
{
	struct sp_tunnel *t = SP_CONTAINER_OF(timer, struct sp_tunnel, timer);

	sp_cause_set(&t->cause, SP_ETIMEOUT, SP_DOMAIN_H2, 0, "the peer sent no SETTINGS in time");
	start_closing(t);
}

/* Open streams finish, however long they take; the connector comes back with another credential for the next ones. */
static void on_expired(struct sp_timer *timer)
{
	struct sp_tunnel *t = SP_CONTAINER_OF(timer, struct sp_tunnel, timer);

	sp_log(SP_LOG_NOTICE, SP_EV_TUNNEL, "the connector's credential expired: draining", SP_KV_INT("tunnel", t->number));
	drain(t, NO_GRACE_LIMIT_MS);
}

/* ---- HTTP/2 --------------------------------------------------------------------------- */

static uint64_t left_ms(int64_t expires_at)
{
	int64_t now = (int64_t)time(NULL);

	if (expires_at <= now)
		return 0;
	return (uint64_t)(expires_at - now < EXPIRY_MAX_S ? expires_at - now : EXPIRY_MAX_S) * 1000;
}

static void on_h2_ready(void *arg)
{
	struct sp_tunnel *t = arg;

	if (t->state != SP_TUNNEL_SETTINGS)
		return;
	enter(t, SP_TUNNEL_READY);
	t->was_ready = true;
	t->had_room = sp_h2_room(t->h2) > 0;
	t->ready_mono_ms = t->idle_since_mono_ms = sp_loop_now_ms(t->loop);
	sp_timer_stop(t->loop, &t->timer);
	if (t->expires_at)
		sp_timer_start(t->loop, &t->timer, left_ms(t->expires_at), on_expired);
	t->ev->on_ready(t->arg, t);
}

static void on_h2_room(void *arg)
{
	struct sp_tunnel *t = arg;

	t->had_room = true;
	if (t->state == SP_TUNNEL_READY)
		t->ev->on_room(t->arg, t);
}

static void on_h2_idle(void *arg)
{
	struct sp_tunnel *t = arg;

	t->idle_since_mono_ms = sp_loop_now_ms(t->loop);
	if (t->state == SP_TUNNEL_READY)
		t->ev->on_idle(t->arg, t);
	else if (t->state == SP_TUNNEL_DRAINING)
		start_closing(t);
}

static void on_h2_goaway(void *arg, uint32_t code)
{
	struct sp_tunnel *t = arg;

	sp_log(SP_LOG_DEBUG, SP_EV_TUNNEL, "goaway", SP_KV_INT("tunnel", t->number), SP_KV_INT("code", code));
	if (t->state != SP_TUNNEL_READY)
		return;
	enter(t, SP_TUNNEL_DRAINING);
	t->ev->on_draining(t->arg, t);
	if (t->state == SP_TUNNEL_DRAINING && sp_h2_stream_count(t->h2) == 0)
		start_closing(t);
}

static void on_h2_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_tunnel *t = arg;

	t->h2 = NULL;
	closed(t, cause);
}

static const struct sp_h2_events h2_events = {
	.on_ready = on_h2_ready,
	.on_room = on_h2_room,
	.on_idle = on_h2_idle,
	.on_goaway = on_h2_goaway,
	.on_closed = on_h2_closed,
};

/* The carrier is taken over. */
static int start_h2(struct sp_tunnel *t, struct sp_stream *carrier)
{
	const struct sp_conf *c = t->conf;
	struct sp_h2_options opt = {
		.stream_window_bytes = c->limits.stream_window_bytes,
		.connection_window_bytes = c->limits.connection_window_bytes,
		.max_streams = c->limits.streams_per_tunnel,
		.max_head_bytes = sp_conf_tunnel_head_bytes(c),
		.ping_after_ms = c->tunnels.ping_after_ms,
		.ping_timeout_ms = c->tunnels.ping_timeout_ms,
	};
	int err = sp_h2_new(t->loop, carrier, SP_H2_CLIENT, &opt, &h2_events, t, &t->h2);

	if (err == 0)
		sp_timer_start(t->loop, &t->timer, c->timeouts.handshake_ms, on_settings_timeout);
	return err;
}

/* ---- dialling ------------------------------------------------------------------------------ */

static void on_tls_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_tunnel *t = arg;

	t->tls = NULL;
	closed(t, cause);
}

static const struct sp_stream_events tls_events = { .on_closed = on_tls_closed };

static void on_tls_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct sp_tunnel *t = arg;
	struct sp_stream *carrier = t->tls;

	if (!peer) {
		if (cause && !t->cause.err)
			t->cause = *cause;
		return; /* on_tls_closed follows */
	}
	if (t->state != SP_TUNNEL_TLS)
		return;
	if (strcmp(peer->alpn, "h2") != 0) {
		sp_cause_set(&t->cause, SP_ETLS, SP_DOMAIN_TLS, 0, "the gateway does not speak HTTP/2 (ALPN \"%s\")", peer->alpn);
		start_closing(t);
		return;
	}
	enter(t, SP_TUNNEL_SETTINGS);
	if (start_h2(t, carrier) == 0)
		t->tls = NULL;
	else
		start_closing(t);
}

static void on_dialled(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct sp_tunnel *t = arg;

	t->dial = NULL;
	if (!s) {
		closed(t, cause);
		return;
	}
	enter(t, SP_TUNNEL_TLS);
	sp_tcp_tune_tunnel(s);
	if (sp_tls_open(t->ctx, s, t->upstream->url.host, t->conf->timeouts.handshake_ms, on_tls_ready, t, &t->tls) < 0) {
		sp_cause_set(&t->cause, SP_ENOMEM, SP_DOMAIN_TLS, 0, "TLS could not be started");
		closed(t, NULL);
		return;
	}
	sp_stream_attach(t->tls, &tls_events, t);
}

/* Because: workers share nothing else, but two tunnels of one name in one log help nobody. */
static uint64_t next_number(void)
{
	static uint64_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static struct sp_tunnel *tunnel_new(struct sp_loop *loop, struct sp_conf *conf, const struct sp_tunnel_events *ev, void *arg)
{
	struct sp_tunnel *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->loop = loop;
	t->conf = sp_conf_ref(conf);
	t->number = next_number();
	t->ev = ev;
	t->arg = arg;
	return t;
}

struct sp_tunnel *sp_tunnel_dial(struct sp_loop *loop, struct sp_conf *conf, const struct sp_conf_upstream *upstream,
				 struct sp_tls_ctx *ctx, const struct sp_tunnel_events *ev, void *arg)
{
	struct sp_tunnel *t = tunnel_new(loop, conf, ev, arg);

	if (!t)
		return NULL;
	t->upstream = upstream;
	t->ctx = sp_tls_ctx_ref(ctx);
	if (sp_dial_open(loop, upstream->url.host, upstream->url.port, conf->timeouts.dial_ms, on_dialled, t, &t->dial) == 0)
		return t;
	tunnel_free(&t->reap);
	return NULL;
}

struct sp_tunnel *sp_tunnel_attach(struct sp_loop *loop, struct sp_conf *conf, struct sp_stream *carrier,
				   const struct sp_connector_hello *hello, const struct sp_tunnel_events *ev, void *arg)
{
	static const struct sp_stream_events nobody = { 0 };
	struct sp_tunnel *t = tunnel_new(loop, conf, ev, arg);

	if (t) {
		t->hello = hello_copy(hello);
		t->expires_at = hello->expires_at;
		t->state = SP_TUNNEL_SETTINGS;
		sp_tcp_tune_tunnel(carrier);
		if (start_h2(t, carrier) == 0)
			return t;
		tunnel_free(&t->reap);
	}
	sp_stream_attach(carrier, &nobody, NULL);
	sp_stream_close(carrier, SP_CLOSE_ABORT);
	return NULL;
}

/* ---- use ------------------------------------------------------------------------------------- */

unsigned sp_tunnel_room(const struct sp_tunnel *t)
{
	return t->state == SP_TUNNEL_READY ? sp_h2_room(t->h2) : 0;
}

/* HTTP/2 tells that it has failed by the ends of its streams only. */
bool sp_tunnel_is_dead(const struct sp_tunnel *t)
{
	return t->state == SP_TUNNEL_READY && t->had_room && sp_h2_room(t->h2) == 0 && sp_h2_stream_count(t->h2) == 0;
}

unsigned sp_tunnel_streams(const struct sp_tunnel *t)
{
	return t->h2 ? sp_h2_stream_count(t->h2) : 0;
}

void sp_tunnel_probe(struct sp_tunnel *t)
{
	if (t->h2)
		sp_h2_probe(t->h2);
}

void sp_tunnel_drain(struct sp_tunnel *t)
{
	drain(t, t->conf->timeouts.drain_ms);
}

void sp_tunnel_close(struct sp_tunnel *t)
{
	start_closing(t);
}
