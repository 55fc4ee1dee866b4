/* The tunnel listener: TLS, then by ALPN
 *
 *   h2        a proxy: its requests become exchanges (serve.c)
 *   rh2       a connector with a client certificate: identified, then its connection is turned at once
 *   http/1.1  a connector's upgrade request, identified by token or certificate, answered 101, then turned; or GET /healthcheck
 *
 *   HANDSHAKE -> HEAD -> IDENTIFYING -> ANSWERING        (http/1.1; ANSWERING: the last words are on their way)
 *   HANDSHAKE -> IDENTIFYING                             (rh2)
 *   HANDSHAKE -> SERVING                                 (h2) */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "codec/upgrade.h"
#include "front/front_internal.h"
#include "front/serve.h"
#include "front/trail.h"

#define SERVER_NAME "sallyport-gateway"
#define NO_PROXIES "this listener names no chain for proxies (auth)"

enum state { HANDSHAKE, HEAD, IDENTIFYING, SERVING, ANSWERING };

struct tunnel_client {
	struct sp_client client; /* first */
	enum state state;
	struct sp_stream *tls; /* NULL: gone or handed over */
	const struct sp_tls_peer *peer;
	struct sp_serve *serve;
	struct sp_auth_run *run;
	struct sp_upgrade upgrade;
	bool upgrading; /* asked by HTTP/1.1: 101 is due */
	bool head_only; /* HEAD: no content */
	struct sp_timer deadline;
	struct sp_reap reap;
};

static void client_free(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct tunnel_client, reap));
}

/* Nothing of it is left. */
static void leave(struct tunnel_client *t)
{
	sp_timer_stop(t->client.env->loop, &t->deadline);
	sp_auth_cancel(&t->run);
	sp_reap(t->client.env->loop, &t->reap, client_free);
	sp_client_leave(&t->client);
}

static void refused_line(const struct tunnel_client *t, const char *why, const struct sp_cause *cause)
{
	sp_log(SP_LOG_WARN, SP_EV_CONNECTOR, why, SP_KV_INT("conn", t->client.conn_id), SP_KV_STR("peer", t->client.peer),
	       SP_KV_STR("listener", t->client.front->addr_text), SP_KV_CAUSE(cause));
}

/* For the audit trail: who may dial in, and who may not. id: NULL = not known. 0, or SP_ESYS: it must not go on. */
static int record(const struct tunnel_client *t, enum sp_audit_event event, enum sp_audit_decision decision, enum sp_outcome o,
		  const char *reason, const struct sp_identity *id)
{
	const struct sp_front *f = t->client.front;
	const struct sp_conf *c = t->client.env->conf;
	int chain = event == SP_AUDIT_CONNECTOR ? f->conf.connectors : -1;
	struct sp_audit_entry e = { .event = event, .decision = decision, .outcome = o, .front = f->ops->name, .listener = f->addr_text,
				    .from = t->client.peer, .conn = t->client.conn_id, .chain = chain >= 0 ? c->chains[chain].name : NULL,
				    .reason = reason, .location = t->upgrade.location, .connector_id = t->upgrade.connector_id,
				    .instance = t->upgrade.instance, .version = t->upgrade.version, .identity = id };

	return sp_audit_write(t->client.env->audit, &e);
}

/* ---- answers in HTTP/1.1 ------------------------------------------------------------------------ */

static void answer(struct tunnel_client *t, unsigned status, const char *fields, const char *text)
{
	char head[768];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %u %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s%s",
			 status, sp_http_reason(status), fields, strlen(text) + 1, t->head_only ? "" : text, t->head_only ? "" : "\n");

	sp_must(n > 0 && (size_t)n < sizeof(head));
	t->state = ANSWERING;
	(void)sp_stream_write(t->tls, head, (size_t)n);
	sp_stream_close(t->tls, SP_CLOSE_FLUSH);
}

/* With Proxy-Status, as for every other refusal. */
static void refuse_with(struct tunnel_client *t, unsigned status, enum sp_outcome o, const char *fields, const char *text)
{
	char member[128] = "", all[384];

	(void)sp_proxy_status_write(SERVER_NAME, o, member, sizeof(member));
	snprintf(all, sizeof(all), "%s%s%s%s", fields, member[0] ? "Proxy-Status: " : "", member, member[0] ? "\r\n" : "");
	answer(t, status, all, text);
}

/* A connector that may not come in: an honest answer, no detail. */
static void refuse_connector(struct tunnel_client *t, enum sp_outcome o, const struct sp_cause *cause, const struct sp_identity *id)
{
	refused_line(t, "connector refused", cause);
	(void)record(t, SP_AUDIT_CONNECTOR, SP_AUDIT_DENIED, o, cause ? cause->text : NULL, id);
	if (!t->upgrading) {
		t->state = ANSWERING;
		sp_stream_close(t->tls, SP_CLOSE_ABORT);
		return;
	}
	switch (sp_outcome_row(o)->http_status) {
	case 407:
		refuse_with(t, 401, o, o == SP_OUTCOME_NO_CREDENTIAL ? "WWW-Authenticate: Bearer realm=\"sallyport\"\r\n"
								      : "WWW-Authenticate: Bearer realm=\"sallyport\", error=\"invalid_token\"\r\n",
			    o == SP_OUTCOME_EXPIRED_CREDENTIAL ? "The credential has expired." : "A valid credential is needed.");
		break;
	case 403:
		refuse_with(t, 403, o, "", "The credential does not admit a connector here.");
		break;
	case 429:
		refuse_with(t, 429, o, "Retry-After: 5\r\n", "A limit is reached.");
		break;
	default:
		refuse_with(t, 503, o, "Retry-After: 5\r\n", "The connector cannot be admitted at the moment.");
		break;
	}
}

/* ---- connectors ------------------------------------------------------------------------------------ */

static enum sp_outcome may_turn(struct tunnel_client *t, const struct sp_connector_hello *hello)
{
	switch (sp_connectors_may_attach(t->client.env->connectors, hello)) {
	case 0:
		return SP_OUTCOME_OK;
	case SP_ELIMIT:
		return SP_OUTCOME_LIMIT;
	default:
		return SP_OUTCOME_SHUTDOWN;
	}
}

/* The connection changes hands: from here on it is a tunnel of the pool. */
static void turn(struct tunnel_client *t, const struct sp_identity *id)
{
	/* By ALPN rh2 there is only a certificate to say which one it is. */
	const char *name = t->upgrade.connector_id[0] || !id->principal ? t->upgrade.connector_id : id->principal;
	struct sp_connector_hello hello = { .tenant = id->tenant, .location = t->upgrade.location, .connector_id = name,
					    .instance = t->upgrade.instance, .version = t->upgrade.version, .peer = t->client.peer,
					    .index = t->upgrade.index, .expires_at = id->expires_at };
	enum sp_outcome outcome = may_turn(t, &hello);
	struct sp_stream *carrier = t->tls;
	struct sp_cause unrecorded = { 0 };
	struct sp_buf b = { 0 };

	if (outcome == SP_OUTCOME_OK && record(t, SP_AUDIT_CONNECTOR, SP_AUDIT_ALLOWED, outcome, NULL, id) < 0) {
		outcome = SP_OUTCOME_UNAVAILABLE;
		sp_cause_set(&unrecorded, SP_ESYS, SP_DOMAIN_SELF, 0, SP_TRAIL_UNRECORDED);
	}
	if (outcome != SP_OUTCOME_OK) {
		refuse_connector(t, outcome, &unrecorded, id);
		return;
	}
	if (t->upgrading) {
		sp_must(sp_upgrade_accept_write(&b) == 0);
		(void)sp_stream_write(carrier, b.mem + b.off, b.len);
		sp_buf_deinit(&b);
	}
	t->tls = NULL;
	(void)sp_connectors_attach(t->client.env->connectors, carrier, &hello);
	leave(t);
}

static void on_connector(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause)
{
	struct tunnel_client *t = arg;

	t->run = NULL;
	if (outcome == SP_OUTCOME_OK)
		turn(t, id);
	else
		refuse_connector(t, outcome, cause, id);
}

static void identify_connector(struct tunnel_client *t, struct sp_slice bearer)
{
	struct sp_front_env *env = t->client.env;
	struct sp_auth_request req = { .conn_id = t->client.conn_id, .listener = t->client.front->addr_text, .client_addr = t->client.peer };

	req.kind = bearer.p ? SP_AUTH_BEARER : SP_AUTH_NONE;
	req.secret = bearer;
	req.location = t->upgrade.location[0] ? sp_slice_str(t->upgrade.location) : SP_SLICE_NONE;
	if (t->peer->has_cert) {
		req.cert_subject = sp_slice_str(t->peer->cert_subject);
		req.cert_sans = sp_slice_str(t->peer->cert_sans);
		req.cert_sha256 = sp_slice_str(t->peer->cert_sha256);
		req.cert_not_after = t->peer->cert_not_after;
	}
	t->state = IDENTIFYING;
	sp_timer_stop(env->loop, &t->deadline);
	t->run = sp_auth_start(env->auth_worker, (unsigned)t->client.front->conf.connectors, &req, true, env->conf->timeouts.auth_ms,
			       on_connector, t);
	if (!t->run)
		refuse_connector(t, SP_OUTCOME_UNAVAILABLE, NULL, NULL);
}

static bool admits_connectors(const struct tunnel_client *t)
{
	return t->client.front->conf.connectors >= 0 && t->client.env->connectors && !t->client.front->draining;
}

/* ---- HTTP/1.1 ----------------------------------------------------------------------------------------- */

static void on_upgrade(struct tunnel_client *t, const struct sp_http_request *r)
{
	enum sp_http_credentials kind = SP_CREDENTIALS_NONE;
	struct sp_slice value = sp_fields_get(&r->fields, "authorization"), token = SP_SLICE_NONE, user, password;
	const char *why = "";
	char scratch[512];

	if (sp_upgrade_request_read(r, &t->upgrade, &why) < 0) {
		answer(t, 400, "", why);
		return;
	}
	t->upgrading = true;
	if (!admits_connectors(t)) {
		if (!t->client.front->draining)
			(void)record(t, SP_AUDIT_CONNECTOR, SP_AUDIT_DENIED, SP_OUTCOME_FORBIDDEN, "this listener admits no connectors", NULL);
		answer(t, t->client.front->draining ? 503 : 403, t->client.front->draining ? "Retry-After: 1\r\n" : "",
		       "This listener admits no connectors.");
		return;
	}
	if (value.p && (sp_http_credentials_parse(value, &kind, &token, scratch, sizeof(scratch), &user, &password) < 0 ||
			kind != SP_CREDENTIALS_BEARER)) {
		refuse_connector(t, SP_OUTCOME_BAD_CREDENTIAL, NULL, NULL);
		return;
	}
	identify_connector(t, token);
}

static void on_head(struct tunnel_client *t, const struct sp_http_request *r)
{
	bool get = sp_slice_eq_str(r->method, "GET");

	t->head_only = sp_slice_eq_str(r->method, "HEAD");
	if (r->body != SP_BODY_NONE && r->content_length > 0)
		answer(t, 400, "", "A body is of no use here.");
	else if (r->form != SP_TARGET_ORIGIN)
		answer(t, 400, "", "This is a tunnel listener, not a proxy: use the http or socks5 listener.");
	else if ((get || t->head_only) && sp_slice_eq_str(r->path, "/healthcheck"))
		answer(t, 200, "", "ok");
	else if (sp_slice_eq_str(r->path, SP_UPGRADE_PATH) && get)
		on_upgrade(t, r);
	else
		answer(t, 404, "", "Nothing is here. Connectors ask for " SP_UPGRADE_PATH ".");
}

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct tunnel_client *t = arg;
	struct sp_http_request r;
	long used;

	(void)n;
	if (t->state != HEAD)
		return 0; /* kept for whoever gets the stream */
	used = sp_http_request_parse(v[0], t->client.env->conf->limits.head_bytes, &r);
	if (used == 0)
		return 0;
	if (used > 0)
		on_head(t, &r);
	else if (used == SP_ETOOBIG)
		answer(t, 431, "", "The request head is too large.");
	else
		answer(t, 400, "", sp_http_parse_detail());
	return used > 0 ? (size_t)used : v[0].n;
}

/* ---- the stream's and the client's end ------------------------------------------------------------------ */

static void on_eof(void *arg)
{
	struct tunnel_client *t = arg;

	if (t->state != ANSWERING)
		sp_stream_close(t->tls, SP_CLOSE_FLUSH);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct tunnel_client *t = arg;

	t->tls = NULL;
	if (cause && t->state == HANDSHAKE)
		sp_log(SP_LOG_INFO, SP_EV_TLS, "no tunnel came of a connection", SP_KV_INT("conn", t->client.conn_id),
		       SP_KV_STR("peer", t->client.peer), SP_KV_STR("listener", t->client.front->addr_text), SP_KV_CAUSE(cause));
	if (cause && t->state == HANDSHAKE && cause->err == SP_ECERT)
		(void)record(t, SP_AUDIT_TUNNEL, SP_AUDIT_DENIED, SP_OUTCOME_TLS_CERTIFICATE, cause->text, NULL);
	leave(t);
}

static const struct sp_stream_events events = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

static void on_deadline(struct sp_timer *timer)
{
	struct tunnel_client *t = SP_CONTAINER_OF(timer, struct tunnel_client, deadline);

	if (t->serve) { /* chose HTTP/2, and said nothing in it */
		sp_serve_close(t->serve);
		return;
	}
	t->state = ANSWERING;
	sp_stream_close(t->tls, SP_CLOSE_ABORT);
}

/* ---- proxies ------------------------------------------------------------------------------------------------ */

/* Its SETTINGS came. */
static void on_serve_ready(void *arg)
{
	struct tunnel_client *t = arg;

	sp_timer_stop(t->client.env->loop, &t->deadline);
}

static void on_serve_closed(void *arg, const struct sp_cause *cause)
{
	struct tunnel_client *t = arg;

	t->serve = NULL;
	sp_log(SP_LOG_INFO, SP_EV_TUNNEL, "proxy left", SP_KV_INT("conn", t->client.conn_id), SP_KV_STR("peer", t->client.peer),
	       SP_KV_CAUSE(cause));
	leave(t);
}

static void serve_proxy(struct tunnel_client *t)
{
	struct sp_front *f = t->client.front;
	struct sp_serve_options opt = { .env = t->client.env, .listener = f->addr_text, .peer = t->client.peer, .name = SERVER_NAME,
					.conn_id = t->client.conn_id, .chain = f->conf.chain, .speaks_for_any = f->conf.speaks_for_any,
					.tls = t->peer, .on_ready = on_serve_ready, .on_closed = on_serve_closed, .arg = t };
	struct sp_stream *carrier = t->tls;

	if (f->conf.chain < 0) {
		refused_line(t, "a proxy dialled in, but " NO_PROXIES, NULL);
		(void)record(t, SP_AUDIT_TUNNEL, SP_AUDIT_DENIED, SP_OUTCOME_FORBIDDEN, NO_PROXIES, NULL);
		t->state = ANSWERING;
		sp_stream_close(carrier, SP_CLOSE_ABORT);
		return;
	}
	t->state = SERVING; /* the deadline goes on until the first words of HTTP/2 */
	if (sp_serve_start(&opt, carrier, &t->serve) < 0)
		sp_stream_close(carrier, SP_CLOSE_ABORT);
	else
		t->tls = NULL;
}

static void on_tls_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct tunnel_client *t = arg;

	(void)cause;
	if (!peer || t->state != HANDSHAKE)
		return; /* on_closed follows */
	t->peer = peer;
	if (strcmp(peer->alpn, SP_ALPN_H2) == 0) {
		serve_proxy(t);
	} else if (strcmp(peer->alpn, SP_ALPN_REVERSE) != 0) {
		t->state = HEAD; /* http/1.1, and clients without ALPN */
		sp_stream_read_start(t->tls);
	} else if (peer->has_cert && admits_connectors(t)) {
		identify_connector(t, SP_SLICE_NONE);
	} else {
		refuse_connector(t, SP_OUTCOME_NO_CREDENTIAL, NULL, NULL);
	}
}

static void drain_client(struct sp_client *c)
{
	struct tunnel_client *t = SP_CONTAINER_OF(c, struct tunnel_client, client);

	if (t->serve)
		sp_serve_drain(t->serve);
	else if (t->tls && t->state != ANSWERING && t->state != IDENTIFYING)
		sp_stream_close(t->tls, SP_CLOSE_ABORT);
}

static void close_client(struct sp_client *c)
{
	struct tunnel_client *t = SP_CONTAINER_OF(c, struct tunnel_client, client);

	sp_auth_cancel(&t->run);
	if (t->serve)
		sp_serve_close(t->serve);
	else if (t->tls)
		sp_stream_close(t->tls, SP_CLOSE_ABORT);
}

static const struct sp_client_ops client_ops = { .drain = drain_client, .close = close_client };

/* ---- the listener ---------------------------------------------------------------------------------------------- */

static int tunnel_open(struct sp_front *f, struct sp_cause *cause)
{
	static const char *const alpn[] = { SP_ALPN_H2, SP_ALPN_REVERSE, SP_ALPN_HTTP1, NULL };
	struct sp_tls_config cfg = { .server = true, .cert_file = f->conf.cert_file, .key_file = f->conf.key_file,
				     .ca_file = f->conf.client_ca_file, .alpn = alpn };
	struct sp_tls_ctx *ctx = NULL;
	int err = sp_tls_ctx_new(&cfg, &ctx, cause);

	f->state = ctx;
	return err;
}

static void tunnel_release(struct sp_front *f)
{
	struct sp_tls_ctx *ctx = f->state;

	f->state = NULL;
	sp_tls_ctx_unref(&ctx);
}

static int tunnel_accept(struct sp_front *f, struct sp_stream *s, const struct sp_addr *peer)
{
	struct tunnel_client *t = calloc(1, sizeof(*t));
	uint64_t handshake_ms = f->env->conf->timeouts.handshake_ms;
	int err;

	if (!t) {
		sp_stream_close(s, SP_CLOSE_ABORT);
		return SP_ENOMEM;
	}
	sp_tcp_tune_tunnel(s);
	err = sp_tls_open(f->state, s, NULL, handshake_ms, on_tls_ready, t, &t->tls);
	if (err < 0) {
		free(t);
		return err;
	}
	sp_client_init(&t->client, f, &client_ops, peer);
	sp_stream_attach(t->tls, &events, t);
	sp_timer_start(f->env->loop, &t->deadline, handshake_ms, on_deadline);
	return 0;
}

const struct sp_front_ops sp_front_tunnel = { .name = "tunnel", .open = tunnel_open, .release = tunnel_release, .accept = tunnel_accept };
