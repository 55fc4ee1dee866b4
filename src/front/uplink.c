/* The connector's connections: dialled, turned, served (front.h). A slot is one of the tunnels that shall exist towards one gateway;
 * a link is one connection of a slot. A slot whose gateway says GOAWAY dials its next link while the old one drains.
 *
 *   slot: WAITING -(timer)-> DIALLING -> ... link SERVING -(lost)-> WAITING
 *   link: CONNECTING -> TLS -> UPGRADING -> SERVING -> CLOSED        (with only a client certificate, UPGRADING is left out) */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "codec/upgrade.h"
#include "config.h"
#include "front/serve.h"
#include "net/tcp.h"

#define CONNECTOR_NAME "sallyport-connector"
#define BACKOFF_FIRST_MS 500u
#define STABLE_MS 60000u	/* a link that served so long resets the backoff */
#define DENIED_MIN_MS 60000u	/* a credential that was refused will not be better in a second */
#define RETRY_AFTER_MAX_S 3600u /* no answer may send us away for longer */
#define STAGGER_MS 1000u
#define TOKEN_MAX_BYTES (64u * 1024)

enum link_state { CONNECTING, TLS, UPGRADING, SERVING };

struct slot;
struct link {
	struct sp_list node;	 /* the uplinks' */
	struct sp_uplinks *all;	 /* NULL after sp_uplinks_close() */
	struct sp_front_env *env;
	struct slot *slot;	 /* NULL: the slot has gone on without it */
	enum link_state state;
	const struct sp_authority *gateway;
	unsigned index;
	struct sp_dial *dial;
	struct sp_stream *tls;
	struct sp_serve *serve;
	struct sp_timer deadline;
	uint64_t serving_mono_ms;
	uint64_t conn_id;
	char peer[SP_AUTHORITY_SIZE];
	unsigned status, retry_after_s; /* of a refused upgrade */
	bool ready;
	struct sp_cause cause;
	struct sp_reap reap;
};

struct slot {
	struct sp_uplinks *all;
	const struct sp_authority *gateway;
	unsigned index;
	struct link *link; /* NULL: waiting */
	struct sp_timer timer;
	unsigned failures, last_status;
	int last_err;
};

struct sp_uplinks {
	struct sp_front_env *env;
	struct sp_tls_ctx *ctx_upgrade, *ctx_reverse;
	bool reverse; /* turn at once, by ALPN */
	char instance[SP_ID_SIZE];
	struct slot *slots;
	unsigned slot_count;
	struct sp_list links;
	bool draining;
};

static void dial(struct slot *s);

/* ---- backoff ------------------------------------------------------------------------------------ */

static void on_slot_timer(struct sp_timer *t)
{
	dial(SP_CONTAINER_OF(t, struct slot, timer));
}

/* Full jitter, on top of what the gateway asked for. */
static uint64_t backoff_ms(const struct slot *s, const struct link *l)
{
	uint64_t max = s->all->env->conf->tunnels.backoff_max_ms;
	uint64_t bound = (uint64_t)BACKOFF_FIRST_MS << (s->failures < 16 ? s->failures : 16);
	unsigned after_s = l->retry_after_s < RETRY_AFTER_MAX_S ? l->retry_after_s : RETRY_AFTER_MAX_S;
	uint64_t least = (uint64_t)after_s * 1000;

	if ((l->status == 401 || l->status == 403) && least < DENIED_MIN_MS)
		least = DENIED_MIN_MS;
	return least + sp_random_below((bound < max ? bound : max) + 1);
}

/* The slot has no link (any more): the next one is dialled later. */
static void dial_later(struct slot *s, const struct link *l)
{
	if (l->ready && sp_loop_now_ms(l->env->loop) - l->serving_mono_ms >= STABLE_MS)
		s->failures = 0;
	sp_timer_start(l->env->loop, &s->timer, backoff_ms(s, l), on_slot_timer);
	s->failures++;
}

static const char *what_to_do(unsigned status)
{
	switch (status) {
	case 401:
		return "the gateway does not accept the credential: check gateway.token or gateway.cert_file";
	case 403:
		return "the gateway does not admit this connector: check its tenant and location there";
	case 404:
		return "there is no tunnel listener at this address: check gateway.url";
	default:
		return "the gateway refused the tunnel";
	}
}

/* Once per change, not per attempt. */
static void log_failure(struct slot *s, const struct link *l)
{
	if (s->failures > 0 && s->last_status == l->status && s->last_err == l->cause.err)
		return;
	s->last_status = l->status;
	s->last_err = l->cause.err;
	sp_log(SP_LOG_WARN, SP_EV_TUNNEL, l->status ? what_to_do(l->status) : "no tunnel to the gateway, trying again",
	       SP_KV_STR("gateway", l->peer), SP_KV_INT("index", l->index), SP_KV_INT("status", l->status), SP_KV_CAUSE(&l->cause));
}

static void slot_lost(struct slot *s, const struct link *l)
{
	s->link = NULL;
	if (s->all->draining)
		return;
	if (l->ready)
		sp_log(SP_LOG_WARN, SP_EV_TUNNEL, "lost", SP_KV_STR("gateway", l->peer), SP_KV_INT("index", l->index), SP_KV_CAUSE(&l->cause));
	else
		log_failure(s, l);
	dial_later(s, l);
}

/* ---- a link's end --------------------------------------------------------------------------------- */

static void link_free(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct link, reap));
}

static void link_closed(struct link *l, const struct sp_cause *cause)
{
	struct sp_book *book = l->env->book;

	if (cause && !l->cause.err)
		l->cause = *cause;
	sp_timer_stop(l->env->loop, &l->deadline);
	sp_list_remove(&l->node);
	if (l->slot)
		slot_lost(l->slot, l);
	sp_reap(l->env->loop, &l->reap, link_free);
	sp_book_client_leave(book);
}

static void link_abort(struct link *l)
{
	if (l->serve)
		sp_serve_close(l->serve);
	else if (l->tls)
		sp_stream_close(l->tls, SP_CLOSE_ABORT);
	else if (l->dial) {
		sp_dial_cancel(&l->dial);
		link_closed(l, NULL);
	}
}

static void on_deadline(struct sp_timer *t)
{
	struct link *l = SP_CONTAINER_OF(t, struct link, deadline);

	sp_cause_set(&l->cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "the gateway did not answer in time");
	link_abort(l);
}

/* ---- serving ----------------------------------------------------------------------------------------- */

static void on_serve_ready(void *arg)
{
	struct link *l = arg;

	l->ready = true;
	l->serving_mono_ms = sp_loop_now_ms(l->env->loop);
	sp_timer_stop(l->env->loop, &l->deadline);
	if (l->slot)
		l->slot->last_status = 0, l->slot->last_err = 0;
	sp_log(SP_LOG_NOTICE, SP_EV_TUNNEL, "ready", SP_KV_STR("gateway", l->peer), SP_KV_INT("index", l->index));
}

/* Make before break: at once, unless the gateway sends away whom it has just let in. */
static void on_serve_goaway(void *arg)
{
	struct link *l = arg;
	struct slot *s = l->slot;

	l->slot = NULL;
	sp_log(SP_LOG_NOTICE, SP_EV_TUNNEL, "the gateway drains", SP_KV_STR("gateway", l->peer), SP_KV_INT("index", l->index));
	if (!s)
		return;
	s->link = NULL;
	if (s->all->draining)
		return;
	if (sp_loop_now_ms(l->env->loop) - l->serving_mono_ms < STABLE_MS) {
		dial_later(s, l);
		return;
	}
	s->failures = 0;
	dial(s);
}

static void on_serve_closed(void *arg, const struct sp_cause *cause)
{
	struct link *l = arg;

	l->serve = NULL;
	link_closed(l, cause);
}

static void serve(struct link *l)
{
	struct sp_serve_options opt = { .env = l->env, .listener = l->peer, .peer = l->peer, .name = CONNECTOR_NAME, .conn_id = l->conn_id,
					.chain = -1, .on_ready = on_serve_ready, .on_goaway = on_serve_goaway,
					.on_closed = on_serve_closed, .arg = l };
	struct sp_stream *carrier = l->tls;

	l->state = SERVING;
	if (sp_serve_start(&opt, carrier, &l->serve) < 0)
		sp_stream_close(carrier, SP_CLOSE_ABORT);
	else
		l->tls = NULL;
}

/* ---- the upgrade ---------------------------------------------------------------------------------------- */

static int write_upgrade(struct link *l)
{
	const struct sp_conf_connector *c = &l->env->conf->connector;
	struct sp_upgrade u = { .index = l->index, .version = CONNECTOR_NAME "/" PACKAGE_VERSION };
	struct sp_buf b = { 0 };
	char *token = NULL, host[SP_AUTHORITY_SIZE];
	int err = 0;

	(void)sp_slice_copy(sp_slice_str(c->location), u.location, sizeof(u.location));
	(void)sp_slice_copy(sp_slice_str(c->id), u.connector_id, sizeof(u.connector_id));
	(void)sp_slice_copy(sp_slice_str(l->all->instance), u.instance, sizeof(u.instance));
	if (c->token_file)
		err = sp_conf_read_secret(c->token_file, TOKEN_MAX_BYTES, &token, &l->cause);
	if (err == 0)
		err = sp_upgrade_request_write(&b, sp_authority_text(l->gateway, host), &u, sp_slice_str(token));
	if (err == 0)
		(void)sp_stream_write(l->tls, b.mem + b.off, b.len);
	sp_buf_wipe(&b);
	sp_secret_free(&token);
	return err;
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct link *l = arg;
	struct sp_slice proxy_status;
	unsigned status = 0, retry = 0;
	long used;

	(void)n;
	if (l->state != UPGRADING)
		return 0;
	used = sp_upgrade_answer_parse(v[0], &status, &retry, &proxy_status);
	if (used == 0)
		return 0;
	if (used > 0 && status == 101) {
		serve(l);
		return (size_t)used;
	}
	if (used > 0) {
		l->status = status;
		l->retry_after_s = retry;
		sp_cause_set(&l->cause, SP_EDENIED, SP_DOMAIN_SELF, status, "answered %u %s", status, sp_http_reason(status));
	} else {
		sp_cause_set(&l->cause, SP_EPROTO, SP_DOMAIN_SELF, 0, "the answer to the upgrade is not HTTP: %s", sp_http_parse_detail());
	}
	sp_stream_close(l->tls, SP_CLOSE_ABORT);
	return v[0].n;
}

static void on_eof(void *arg)
{
	struct link *l = arg;

	sp_cause_set(&l->cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "the gateway closed the connection");
	sp_stream_close(l->tls, SP_CLOSE_ABORT);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct link *l = arg;

	l->tls = NULL;
	link_closed(l, cause);
}

static const struct sp_stream_events events = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

/* ---- dialling ---------------------------------------------------------------------------------------------- */

static void on_tls_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct link *l = arg;
	const char *want;

	if (!peer) {
		if (cause && !l->cause.err)
			l->cause = *cause;
		return; /* on_closed follows */
	}
	if (!l->all)
		return;
	want = l->all->reverse ? SP_ALPN_REVERSE : SP_ALPN_HTTP1;
	if (strcmp(peer->alpn, want) != 0) {
		sp_cause_set(&l->cause, SP_ETLS, SP_DOMAIN_TLS, 0, "the gateway does not offer ALPN \"%s\"", want);
		sp_stream_close(l->tls, SP_CLOSE_ABORT);
	} else if (l->all->reverse) {
		serve(l);
	} else {
		l->state = UPGRADING;
		if (write_upgrade(l) < 0)
			sp_stream_close(l->tls, SP_CLOSE_ABORT);
		else
			sp_stream_read_start(l->tls);
	}
}

static void on_dialled(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct link *l = arg;
	struct sp_tls_ctx *ctx;

	l->dial = NULL;
	if (!s) {
		link_closed(l, cause);
		return;
	}
	l->state = TLS;
	ctx = l->all->reverse ? l->all->ctx_reverse : l->all->ctx_upgrade;
	sp_tcp_tune_tunnel(s);
	if (sp_tls_open(ctx, s, l->gateway->host, l->env->conf->timeouts.handshake_ms, on_tls_ready, l, &l->tls) < 0) {
		sp_cause_set(&l->cause, SP_ENOMEM, SP_DOMAIN_TLS, 0, "TLS could not be started");
		link_closed(l, NULL);
		return;
	}
	sp_stream_attach(l->tls, &events, l);
	sp_timer_start(l->env->loop, &l->deadline, l->env->conf->timeouts.handshake_ms, on_deadline);
}

static void dial(struct slot *s)
{
	struct sp_uplinks *u = s->all;
	struct link *l;

	if (u->draining)
		return;
	if (!sp_book_client_enter(u->env->book)) {
		sp_log(SP_LOG_WARN, SP_EV_TUNNEL, "limits.clients is reached: a tunnel is not dialled for now", SP_KV_INT("index", s->index));
		sp_timer_start(u->env->loop, &s->timer, u->env->conf->tunnels.backoff_max_ms, on_slot_timer);
		return;
	}
	l = SP_NEW(struct link);
	l->all = u;
	l->env = u->env;
	l->slot = s;
	l->gateway = s->gateway;
	l->index = s->index;
	l->conn_id = ++u->env->book->last_conn;
	sp_authority_text(s->gateway, l->peer);
	sp_list_append(&u->links, &l->node);
	s->link = l;
	if (sp_dial_open(u->env->loop, s->gateway->host, s->gateway->port, u->env->conf->timeouts.dial_ms, on_dialled, l, &l->dial) < 0) {
		sp_cause_set(&l->cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "dial: out of memory");
		link_closed(l, NULL);
	}
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

/* Is there anything that only the upgrade request can say? ALPN rh2 carries the certificate and no more. An id that is only the host
 * name was not chosen by anybody: there the certificate names the connector. */
static bool certificate_says_all(const struct sp_conf_connector *c)
{
	char host[sizeof(c->id)] = "";

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	return c->cert_file && !c->token_file && !c->location[0] && strcmp(c->id, host) == 0;
}

static int make_contexts(struct sp_uplinks *u, struct sp_cause *cause)
{
	static const char *const http1[] = { SP_ALPN_HTTP1, NULL }, *const reverse[] = { SP_ALPN_REVERSE, NULL };
	const struct sp_conf_connector *c = &u->env->conf->connector;
	struct sp_tls_config cfg = { .cert_file = c->cert_file, .key_file = c->key_file, .ca_file = c->ca_file };

	u->reverse = certificate_says_all(c);
	cfg.alpn = u->reverse ? reverse : http1;
	return sp_tls_ctx_new(&cfg, u->reverse ? &u->ctx_reverse : &u->ctx_upgrade, cause);
}

int sp_uplinks_open(struct sp_front_env *env, struct sp_uplinks **out, struct sp_cause *cause)
{
	const struct sp_conf_connector *c = &env->conf->connector;
	struct sp_uplinks *u = SP_NEW(struct sp_uplinks);
	int err;

	u->env = env;
	sp_list_init(&u->links);
	sp_id_make(u->instance);
	err = make_contexts(u, cause);
	if (err < 0) {
		free(u);
		return err;
	}
	u->slot_count = c->url_count * c->tunnels;
	u->slots = sp_calloc(u->slot_count, sizeof(u->slots[0]));
	for (unsigned i = 0; i < u->slot_count; i++) {
		struct slot *s = &u->slots[i];

		*s = (struct slot){ .all = u, .gateway = &c->urls[i / c->tunnels], .index = i % c->tunnels };
		sp_timer_start(env->loop, &s->timer, (uint64_t)s->index * STAGGER_MS, on_slot_timer);
	}
	*out = u;
	return 0;
}

unsigned sp_uplinks_ready(const struct sp_uplinks *u)
{
	unsigned n = 0;

	for (unsigned i = 0; i < u->slot_count; i++)
		n += u->slots[i].link && u->slots[i].link->ready;
	return n;
}

static void stop_slots(struct sp_uplinks *u)
{
	u->draining = true;
	for (unsigned i = 0; i < u->slot_count; i++)
		sp_timer_stop(u->env->loop, &u->slots[i].timer);
}

void sp_uplinks_drain(struct sp_uplinks *u)
{
	struct sp_list *n, *tmp;

	stop_slots(u);
	SP_LIST_EACH(n, &u->links, tmp) {
		struct link *l = SP_CONTAINER_OF(n, struct link, node);

		if (l->serve)
			sp_serve_drain(l->serve);
		else
			link_abort(l);
	}
}

void sp_uplinks_close(struct sp_uplinks **up)
{
	struct sp_uplinks *u = *up;
	struct sp_list *n, *tmp;

	*up = NULL;
	stop_slots(u);
	SP_LIST_EACH(n, &u->links, tmp) {
		struct link *l = SP_CONTAINER_OF(n, struct link, node);

		l->slot = NULL;
		l->all = NULL;
		sp_list_remove(&l->node);
		link_abort(l);
	}
	sp_tls_ctx_unref(&u->ctx_upgrade);
	sp_tls_ctx_unref(&u->ctx_reverse);
	free(u->slots);
	free(u);
}
