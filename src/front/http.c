/* HTTP/1.1 proxy: CONNECT (RFC 9110 section 9.3.6) and requests in absolute form (RFC 9112 section 3.2.2), one after the other, each
 * with an identity, a location and a target of its own.
 *
 *   HEAD -> TUNNEL -> relay                      CONNECT
 *           TUNNEL -> HEAD                       407: the same connection may try again
 *   HEAD -> MESSAGE -> relay -> HEAD             a request; from its head on h1/ has the connection, until the exchange is over
 *           MESSAGE -> HEAD                      a failure whose answer leaves the connection in order
 *
 * The head is read strictly (codec/http1) and whole; bytes after it stay in the stream for whoever is next. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/must.h"
#include "base/secret.h"
#include "front/answer.h"
#include "front/conn.h"
#include "front/http_fields.h"
#include "h1/h1.h"
#include "net/websocket.h"

#define ATTEMPTS_MAX 8 /* 407 answers in a row on one connection */

enum http_state {
	HEAD,	/* awaits a request's head */
	TUNNEL, /* CONNECT: awaits the chain and the back */
	MESSAGE /* a request: from its head to the end of its response */
};

struct http {
	struct sp_conn conn;
	enum http_state state;
	unsigned attempts;
	bool idle;	  /* HEAD: between two requests, no byte of the next has come */
	bool persistent;  /* the client may send another request on this connection */
	bool early;	  /* bytes came after CONNECT's head: after a refusal nobody may read them as a request */
	bool head_method; /* HEAD: answers have no content */
	bool was_known;	  /* a request on this connection had a credential that was accepted */
	struct sp_h1 *h1; /* MESSAGE: has the connection */
	struct sp_auth_run *user_run; /* IDENTIFIED: awaits the chain's verdict on the user's own token */
	char accept[SP_WEBSOCKET_ACCEPT_SIZE]; /* of the client's Sec-WebSocket-Key; "": it sent none */
};

static struct http *http_of(struct sp_conn *c)
{
	return SP_CONTAINER_OF(c, struct http, conn);
}

/* ---- answers ------------------------------------------------------------------ */

static void next_request(struct http *h)
{
	h->state = HEAD;
	h->idle = true;
	sp_conn_expect_within(&h->conn, h->conn.client.env->conf->timeouts.keep_alive_ms);
}

/* May the connection stay after the answer to a failure? */
static bool may_keep(struct http *h)
{
	bool denied = sp_outcome_row(h->conn.session.x.outcome)->http_status == 407;

	if (!h->persistent || h->conn.client.front->draining)
		return false;
	if (h->state == TUNNEL && (!denied || h->early))
		return false;
	return h->state != HEAD && (!denied || ++h->attempts < ATTEMPTS_MAX);
}

static const char *hint_for(const struct http *h)
{
	if (h->conn.session.x.outcome == SP_OUTCOME_NO_CREDENTIAL && h->was_known)
		return "This request has no " SP_HTTP_CREDENTIAL ", and one before it on this connection had: some clients drop it "
		       "when they follow a redirect";
	return NULL;
}

/* The session has failed: says so, then closes or waits for another request. */
static void answer_failure(struct http *h, const char *hint)
{
	struct sp_conn *c = &h->conn;
	const struct sp_exchange *x = &c->session.x;
	bool keep = may_keep(h);
	struct sp_answer_options opt = { .keep = keep, .offer_basic = sp_conn_wants_token(c), .head = h->head_method,
					 .hint = hint ? hint : hint_for(h) };
	struct sp_buf b = { 0 };

	if (x->request)
		opt.accept = sp_fields_get(&x->request->fields, "accept");
	if (sp_answer_http(&b, x, &opt) < 0) {
		sp_buf_deinit(&b);
		sp_conn_end(c, SP_CLOSE_ABORT);
		return;
	}
	sp_conn_write(c, sp_buf_data(&b).p, b.len);
	sp_buf_deinit(&b);
	if (!keep) {
		sp_conn_end(c, SP_CLOSE_FLUSH);
	} else if (sp_outcome_row(x->outcome)->http_status == 407) { /* who is not known yet gets no time to idle */
		h->state = HEAD;
		sp_conn_expect(c);
	} else {
		next_request(h);
	}
}

static int refuse(struct http *h, enum sp_outcome o, int err, const char *why, const char *hint)
{
	sp_conn_fail(&h->conn, o, err, why);
	answer_failure(h, h->conn.session.x.outcome == o ? hint : NULL);
	return err;
}

/* ---- the connection between h1/ and us --------------------------------------------- */

/* h1/ gives the connection back. False: it is gone, and the client with it. */
static bool take_back(struct http *h, enum sp_h1_left *left)
{
	struct sp_stream *carrier = sp_h1_release(&h->h1, left);

	sp_auth_cancel(&h->user_run);
	h->persistent = *left == SP_H1_REUSABLE;
	if (carrier)
		sp_conn_resume(&h->conn, carrier);
	else
		sp_conn_leave(&h->conn);
	return carrier != NULL;
}

static size_t on_io_data(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg, (void)v, (void)n;
	return 0; /* kept for the relay */
}

/* The client has left before its request could be relayed. */
static void on_io_closed(void *arg, const struct sp_cause *cause)
{
	struct http *h = arg;
	struct sp_cause gone = { 0 };
	enum sp_h1_left left;

	sp_cause_set(&gone, SP_ECANCELED, SP_DOMAIN_SELF, 0, "the client closed its connection");
	sp_session_abort(&h->conn.session, cause ? cause : &gone);
	if (take_back(h, &left))
		sp_conn_end(&h->conn, SP_CLOSE_FLUSH);
}

static const struct sp_stream_events io_events = { .on_data = on_io_data, .on_closed = on_io_closed };

/* ---- requests of both kinds ----------------------------------------------------------- */

static int identify(struct http *h, const struct sp_http_request *r, char *scratch, size_t size)
{
	struct sp_conn *c = &h->conn;
	struct sp_auth_request req = { .kind = SP_AUTH_NONE };
	int err = sp_http_read_credential(&r->fields, c->client.env->conf->limits.token_bytes, scratch, size, &req);

	if (err < 0) {
		sp_conn_fail(c, SP_OUTCOME_BAD_CREDENTIAL, err,
			     err == SP_ETOOBIG ? "a credential longer than limits.token" : "a malformed " SP_HTTP_CREDENTIAL);
		return err;
	}
	if (c->session.x.region[0])
		req.region = sp_slice_str(c->session.x.region);
	if (c->session.x.location[0])
		req.location = sp_slice_str(c->session.x.location);
	req.target_host = sp_slice_str(c->session.x.target.host);
	req.target_port = c->session.x.target.port;
	sp_session_identify(&c->session, c->client.front->conf.chain, &req, true);
	return 0;
}

/* Where to, and who calls. 0, or SP_E* with the session failed. */
static int route_and_identify(struct http *h, const struct sp_http_request *r)
{
	struct sp_exchange *x = &h->conn.session.x;
	size_t size = sp_fields_get(&r->fields, SP_HTTP_CREDENTIAL).n + 1;
	const char *wrong = sp_http_read_route(&r->fields, x);
	char *scratch;
	int err;

	if (wrong) {
		sp_conn_fail(&h->conn, SP_OUTCOME_BAD_REQUEST, SP_EPROTO, wrong);
		return SP_EPROTO;
	}
	scratch = malloc(size);
	if (!scratch) {
		sp_conn_fail(&h->conn, SP_OUTCOME_LIMIT, SP_ENOMEM, "out of memory");
		return SP_ENOMEM;
	}
	err = identify(h, r, scratch, size);
	sp_wipe(scratch, size);
	free(scratch);
	return err;
}

static int take_connect(struct http *h, const struct sp_http_request *r)
{
	int err;

	h->conn.session.x.target = r->authority;
	h->persistent = sp_http_request_persists(r);
	h->state = TUNNEL;
	err = route_and_identify(h, r);
	if (err < 0)
		answer_failure(h, NULL);
	return err;
}

/* ---- absolute form ---------------------------------------------------------------------- */

/* RFC 8441 has no place for the handshake's key: it is answered here, and the system gets another one. */
static void take_websocket_key(struct http *h, struct sp_msg_request *q)
{
	h->accept[0] = '\0';
	if (!sp_slice_eq_str_nocase(q->protocol, "websocket"))
		return;
	if (sp_fields_count(&q->fields, "sec-websocket-key") == 1)
		(void)sp_websocket_accept(sp_fields_get(&q->fields, "sec-websocket-key"), h->accept);
	sp_fields_remove(&q->fields, "sec-websocket-key");
}

/* What is wrong with it before anybody is asked; NULL: nothing. */
static const char *check_absolute(struct http *h, const struct sp_http_request *r, enum sp_outcome *outcome, const char **hint)
{
	struct sp_exchange *x = &h->conn.session.x;
	int err;

	if (!sp_slice_eq_str_nocase(r->scheme, "http") && !sp_slice_eq_str_nocase(r->scheme, "ws")) {
		bool secure = sp_slice_eq_str_nocase(r->scheme, "https") || sp_slice_eq_str_nocase(r->scheme, "wss");

		*outcome = secure ? SP_OUTCOME_COMMAND : SP_OUTCOME_BAD_REQUEST;
		*hint = secure ? "This proxy does not speak https on the client's behalf: use CONNECT host:port and TLS inside, or ask for "
				 "an http:// address"
			       : "Only http:// addresses can be asked for";
		return "a scheme other than http in absolute form";
	}
	*outcome = SP_OUTCOME_LOOP;
	if (sp_http_via_count(&r->fields) >= SP_HTTP_VIA_MAX)
		return "a loop: it came through here again and again";
	err = sp_msg_request_from_http1(r, &x->request);
	*outcome = err == SP_ENOMEM ? SP_OUTCOME_LIMIT : SP_OUTCOME_BAD_REQUEST;
	if (err < 0)
		return err == SP_ENOMEM ? "out of memory" : sp_http_parse_detail();
	take_websocket_key(h, x->request);
	return NULL;
}

/* The connection goes to h1/. */
static int hand_over(struct http *h, const struct sp_http_request *r)
{
	struct sp_conn *c = &h->conn;
	struct sp_h1_options opt = { .silence_ms = c->client.env->conf->timeouts.body_ms };

	if (sp_h1_serve(c->stream, r, &opt, &h->h1) < 0)
		return SP_ENOMEM;
	c->stream = NULL;
	h->state = MESSAGE;
	sp_stream_attach(sp_h1_io(h->h1), &io_events, h);
	return 0;
}

static int take_absolute(struct http *h, const struct sp_http_request *r)
{
	const char *hint = NULL, *wrong;
	enum sp_h1_left left;
	enum sp_outcome o;

	h->conn.session.x.target = r->authority;
	wrong = check_absolute(h, r, &o, &hint);
	if (wrong)
		return refuse(h, o, SP_EPROTO, wrong, hint);
	if (hand_over(h, r) < 0)
		return refuse(h, SP_OUTCOME_LIMIT, SP_ENOMEM, "out of memory", NULL);
	if (route_and_identify(h, r) == 0)
		return 0;
	if (take_back(h, &left))
		answer_failure(h, NULL);
	return SP_EPROTO;
}

/* ---- heads --------------------------------------------------------------------------------- */

static int take_request(struct http *h, const struct sp_http_request *r)
{
	h->head_method = sp_slice_eq_str(r->method, "HEAD");
	h->persistent = false;
	if (sp_conn_begin(&h->conn) < 0) {
		answer_failure(h, NULL);
		return SP_ELIMIT;
	}
	switch (r->form) {
	case SP_TARGET_AUTHORITY:
		return take_connect(h, r);
	case SP_TARGET_ABSOLUTE:
		return take_absolute(h, r);
	case SP_TARGET_ORIGIN:
	case SP_TARGET_ASTERISK:
		break;
	}
	return refuse(h, SP_OUTCOME_BAD_REQUEST, SP_EPROTO, "origin form",
		      "This is a proxy, not a web server: requests name their target by CONNECT host:port or http://host/path");
}

static int refuse_head(struct http *h, int err)
{
	enum sp_outcome o = sp_http_refusal_outcome(sp_http_parse_refusal());

	return refuse(h, o, err, sp_http_parse_detail(), NULL);
}

static size_t take_head(struct http *h, struct sp_slice in)
{
	struct sp_conn *c = &h->conn;
	const struct sp_conf *conf = c->client.env->conf;
	struct sp_http_limits limits = { conf->limits.head_bytes, conf->limits.head_line_bytes, conf->limits.fields };
	struct sp_http_request r;
	long n = sp_http_request_read(in, &limits, &r);

	if (n == 0) {
		if (h->idle) { /* the next request begins: from here on it may take no longer than the first */
			h->idle = false;
			sp_conn_expect(c);
		}
		return 0;
	}
	h->idle = false;
	h->head_method = false;
	sp_conn_deadline_stop(c);
	h->early = n > 0 && in.n > (size_t)n;
	if (n < 0) {
		refuse_head(h, (int)n);
		return in.n;
	}
	return take_request(h, &r) < 0 && c->ending ? in.n : (size_t)n;
}

static size_t on_data(struct sp_conn *c, struct sp_slice in)
{
	struct http *h = http_of(c);

	if (h->state == HEAD)
		return take_head(h, in);
	h->early = true;
	return 0;
}

/* ---- events --------------------------------------------------------------------------- */

/* Whose claims the system may get: the user's, if the caller sent a token of one. A token that is not accepted, or is
 * another tenant's, leaves nobody's; the request goes on, for the system may judge the user by other means. */
static void on_user(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause)
{
	struct http *h = arg;
	struct sp_session *s = &h->conn.session;
	const char *tenant = s->x.identity.tenant;
	bool same = outcome == SP_OUTCOME_OK && id->tenant && tenant && strcmp(id->tenant, tenant) == 0;

	h->user_run = NULL;
	free(s->x.claims);
	s->x.claims = same ? sp_strdup(id->claims) : NULL;
	if (!same)
		sp_log(SP_LOG_NOTICE, SP_EV_EXCHANGE, "the user's token is not accepted: no claims for the system",
		       SP_KV_STR("exchange", s->x.id),
		       SP_KV_STR("outcome", sp_outcome_row(outcome == SP_OUTCOME_OK ? SP_OUTCOME_TENANT_CONFLICT : outcome)->word),
		       SP_KV_CAUSE(cause));
	sp_session_open(s);
}

/* Whether its verdict is awaited. */
static bool identify_user(struct http *h)
{
	struct sp_session *s = &h->conn.session;
	const struct sp_conf *conf = s->env->conf;
	struct sp_auth_request req = { .kind = SP_AUTH_BEARER, .conn_id = s->x.conn_id, .listener = s->x.listener,
				       .client_addr = s->x.client, .secret = sp_http_user_token(&s->x.request->fields) };

	if (!req.secret.p || !s->x.claims)
		return false;
	if (req.secret.n <= conf->limits.token_bytes)
		h->user_run = sp_auth_start(s->env->auth_worker, (unsigned)h->conn.client.front->conf.chain, &req, true,
					    conf->timeouts.auth_ms, on_user, h);
	if (h->user_run)
		return true;
	free(s->x.claims);
	s->x.claims = NULL;
	return false;
}

static void on_identified(struct sp_session *s)
{
	struct http *h = http_of(sp_conn_of(s));

	h->attempts = 0;
	h->was_known = h->was_known || s->x.identity.principal;
	if (s->x.request) {
		sp_front_claims(s->env, h->conn.client.front->conf.chain, &s->x);
		if (identify_user(h))
			return;
	}
	sp_session_open(s);
}

static void on_sent(struct sp_session *s, bool with_body)
{
	struct http *h = http_of(sp_conn_of(s));

	if (with_body)
		sp_session_relay(s, sp_h1_io(h->h1), false);
}

static void on_interim(struct sp_session *s, unsigned status, const struct sp_fields *fields)
{
	struct http *h = http_of(sp_conn_of(s));
	struct sp_fields f;

	sp_fields_copy(&f, fields);
	if (sp_http_filter(&f, SP_HTTP_TO_CLIENT) == 0)
		(void)sp_h1_inform(h->h1, status, &f); /* HTTP/1.0 has none */
}

static int respond(struct http *h, struct sp_session *s)
{
	const struct sp_msg_response *from = s->x.response;
	struct sp_slice protocol = s->x.request->protocol;
	struct sp_msg_response r;
	int err;

	r.status = from->status;
	r.switched = from->switched;
	r.ended = from->ended;
	r.has_length = from->has_length;
	r.length = from->length;
	r.outcome = from->outcome;
	sp_fields_copy(&r.fields, &from->fields);
	err = sp_http_filter(&r.fields, SP_HTTP_TO_CLIENT);

	if (err == 0 && r.switched && h->accept[0])
		err = sp_fields_set(&r.fields, "Sec-WebSocket-Accept", sp_slice_str(h->accept));
	return err < 0 ? err : sp_h1_respond(h->h1, &r, protocol, h->conn.client.front->draining);
}

/* The response cannot be told; the session is over. */
static void respond_in_vain(struct http *h, struct sp_session *s, int err)
{
	struct sp_cause cause = { 0 };
	bool relays = sp_session_relays(s);
	enum sp_h1_left left;

	sp_cause_set(&cause, err, SP_DOMAIN_SELF, 0, "a response that cannot be sent on: %s", sp_err_word(err));
	sp_session_fail(s, SP_OUTCOME_PROTOCOL, &cause);
	if (!relays && take_back(h, &left))
		answer_failure(h, NULL);
}

static void on_opened(struct sp_session *s)
{
	static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	struct sp_conn *c = sp_conn_of(s);
	struct http *h = http_of(c);
	int err;

	if (h->state == TUNNEL) {
		sp_conn_write(c, ok, sizeof(ok) - 1);
		sp_conn_relay(c);
		return;
	}
	err = respond(h, s);
	if (err < 0 && err != SP_ECLOSED)
		respond_in_vain(h, s, err);
	else if (sp_session_relays(s))
		sp_session_answered(s);
	else
		sp_session_relay(s, sp_h1_io(h->h1), sp_h1_ended(h->h1));
}

static void on_failed(struct sp_session *s, struct sp_stream *given_back)
{
	struct http *h = http_of(sp_conn_of(s));
	enum sp_h1_left left;

	(void)given_back; /* is h1's */
	if (h->state == MESSAGE && !take_back(h, &left))
		return;
	answer_failure(h, NULL);
}

/* A request's exchange is over, by the relay. */
static void end_message(struct http *h)
{
	struct sp_conn *c = &h->conn;
	bool answered = sp_h1_answered(h->h1);
	enum sp_h1_left left;

	if (!take_back(h, &left))
		return;
	if (c->ending)
		sp_conn_end(c, SP_CLOSE_ABORT);
	else if (!answered)
		answer_failure(h, NULL);
	else if (left == SP_H1_REUSABLE && !c->client.front->draining)
		next_request(h);
	else
		sp_conn_end(c, left == SP_H1_ABORT ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH);
}

static void on_ended(struct sp_session *s)
{
	struct http *h = http_of(sp_conn_of(s));

	if (h->state == MESSAGE)
		end_message(h);
	else
		sp_conn_on_ended(s);
}

/* Stopped while a request was not yet relayed. */
static void on_stop(struct sp_conn *c)
{
	enum sp_h1_left left;

	if (http_of(c)->h1 && take_back(http_of(c), &left))
		sp_conn_end(c, SP_CLOSE_ABORT);
}

static const struct sp_conn_ops conn_ops = {
	.on_data = on_data,
	.on_stop = on_stop,
	.session = {
		.on_identified = on_identified,
		.on_sent = on_sent,
		.on_interim = on_interim,
		.on_opened = on_opened,
		.on_failed = on_failed,
		.on_ended = on_ended,
	},
};

static int http_accept(struct sp_front *f, struct sp_stream *stream, const struct sp_addr *peer)
{
	return sp_conn_new(f, &conn_ops, sizeof(struct http), stream, peer) ? 0 : SP_ENOMEM;
}

const struct sp_front_ops sp_front_http = { .name = "http", .accept = http_accept };
