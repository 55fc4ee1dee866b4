/* See serve.h. One CONNECT: NEW -> identify -> open -> 200 and relay, or an answer by the outcome table and END_STREAM. Other requests
 * the same, but with the head of the response, and with a body they are relayed before it comes. */
#include "front/serve.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include "codec/http1.h"
#include "codec/upgrade.h"
#include "front/answer.h"
#include "front/front_internal.h"

#define HTTP_PORT 80
#define SPARE_MAX 64

struct request {
	struct sp_session session;
	struct sp_list node;
	struct sp_serve *serve;
	struct sp_h2_stream *stream; /* NULL: gone, or the relay's; while it relays towards a response, both */
	bool relayed;		     /* the relay has it, and may be told to give it back */
	char *tenant;		     /* sallyport-tenant; NULL: not sent */
	bool ended;		     /* the session's end was seen */
	struct sp_reap reap;
};

struct sp_serve {
	struct sp_serve_options opt;
	struct sp_h2 *h2; /* NULL once it is gone */
	struct sp_list requests;
	struct sp_list spare; /* requests that are over, for the next ones: they are large */
	unsigned spare_count;
	struct sp_cause cause;
	bool closed_told;
	struct sp_reap reap;
};

static void serve_free(struct sp_reap *r)
{
	struct sp_serve *s = SP_CONTAINER_OF(r, struct sp_serve, reap);
	struct sp_list *n;

	while ((n = sp_list_pop(&s->spare)) != NULL)
		free(SP_CONTAINER_OF(n, struct request, node));
	free(s);
}

static void maybe_closed(struct sp_serve *s)
{
	if (s->h2 || !sp_list_empty(&s->requests) || s->closed_told)
		return;
	s->closed_told = true;
	sp_reap(s->opt.env->loop, &s->reap, serve_free);
	s->opt.on_closed(s->opt.arg, s->cause.err ? &s->cause : NULL);
}

/* ---- one request --------------------------------------------------------------------------- */

static struct request *of(struct sp_session *s)
{
	return SP_CONTAINER_OF(s, struct request, session);
}

static void request_free(struct sp_reap *r)
{
	struct request *q = SP_CONTAINER_OF(r, struct request, reap);

	struct sp_serve *s = q->serve;

	free(q->tenant);
	if (s->closed_told || s->spare_count >= SPARE_MAX) {
		free(q);
		return;
	}
	s->spare_count++;
	sp_list_append(&s->spare, &q->node);
}

static struct request *request_new(struct sp_serve *s)
{
	struct sp_list *n = sp_list_pop(&s->spare);
	struct request *q;

	if (!n)
		return SP_NEW(struct request);
	s->spare_count--;
	q = SP_CONTAINER_OF(n, struct request, node);
	*q = (struct request){ 0 };
	return q;
}

static void maybe_free(struct request *q)
{
	if (!q->ended || q->stream || !sp_list_linked(&q->node))
		return;
	sp_list_remove(&q->node);
	sp_reap(q->serve->opt.env->loop, &q->reap, request_free);
	maybe_closed(q->serve);
}

static void proxy_status(const struct request *q, char *dst, size_t size)
{
	char own[256] = "";
	const char *far = q->session.x.proxy_status;

	(void)sp_proxy_status_write(q->serve->opt.name, q->session.x.outcome, own, sizeof(own));
	snprintf(dst, size, "%s%s%s", far, far[0] && own[0] ? ", " : "", own);
}

/* By the outcome table: status, proxy-status, a line for people, END_STREAM. */
static void answer_failure(struct request *q)
{
	const struct sp_outcome_row *row = sp_outcome_row(q->session.x.outcome);
	unsigned retry_s = sp_answer_retry_after_s(q->session.x.outcome);
	char status[SP_PROXY_STATUS_SIZE + 260], retry[16], length[24];
	const struct sp_msg_request *r = q->session.x.request;
	enum sp_problem_format format = r ? sp_problem_format(sp_fields_get(&r->fields, "accept")) : SP_PROBLEM_TEXT;
	struct sp_fields f = { 0 };
	struct sp_buf body = { 0 };
	struct sp_stream *io;

	if (!q->stream)
		return;
	if (!r || !sp_slice_eq_str(r->method, "HEAD"))
		(void)sp_answer_content(&body, &q->session.x, NULL, format);
	io = sp_h2_stream_io(q->stream);
	proxy_status(q, status, sizeof(status));
	if (status[0])
		sp_fields_add(&f, SP_SLICE("proxy-status"), sp_slice_str(status));
	sp_fields_add(&f, SP_SLICE("content-type"), sp_slice_str(sp_problem_type(format)));
	sp_fields_add(&f, SP_SLICE(SP_FIELD_EXCHANGE), sp_slice_str(q->session.x.id));
	snprintf(length, sizeof(length), "%zu", body.len);
	if (body.len > 0)
		sp_fields_add(&f, SP_SLICE("content-length"), sp_slice_str(length));
	if (row->http_status == 407)
		sp_fields_add(&f, SP_SLICE("proxy-authenticate"), SP_SLICE("Bearer realm=\"sallyport\""));
	snprintf(retry, sizeof(retry), "%u", retry_s);
	if (retry_s)
		sp_fields_add(&f, SP_SLICE("retry-after"), sp_slice_str(retry));
	if (sp_h2_respond(q->stream, row->http_status, &f, false) == 0)
		(void)sp_stream_write(io, body.mem + body.off, body.len);
	sp_buf_deinit(&body);
	sp_stream_close(io, SP_CLOSE_FLUSH);
}

static void fail(struct request *q, enum sp_outcome o, const char *why)
{
	struct sp_cause c = { 0 };

	sp_cause_set(&c, SP_EDENIED, SP_DOMAIN_SELF, 0, "%s", why);
	sp_session_fail(&q->session, o, &c);
	q->ended = true;
	answer_failure(q);
	maybe_free(q);
}

static bool may_name_tenant(const struct request *q)
{
	const char *principal = q->session.x.identity.principal;
	char **p = q->serve->opt.speaks_for_any;

	for (; p && *p; p++)
		if (strcmp(*p, "*") == 0 || (principal && strcmp(*p, principal) == 0))
			return true;
	return false;
}

/* The tenant is the credential's, or the one a caller names that may speak for several; never a mixture. */
static void on_identified(struct sp_session *s)
{
	struct request *q = of(s);
	struct sp_identity *id = &s->x.identity;
	bool same = id->tenant && q->tenant && strcmp(id->tenant, q->tenant) == 0;

	if (q->serve->opt.chain >= 0) {
		if (q->tenant && !same && !may_name_tenant(q)) {
			fail(q, SP_OUTCOME_TENANT_CONFLICT, SP_FIELD_TENANT " from a caller that may not speak for other tenants");
			return;
		}
		if (!q->tenant && !id->tenant) {
			fail(q, SP_OUTCOME_TENANT_UNKNOWN, "neither the credential nor " SP_FIELD_TENANT " names a tenant");
			return;
		}
		/* Who may speak for others says what it has verified of them; else it is what was verified here. */
		if (!s->x.claims || !may_name_tenant(q))
			sp_front_claims(q->serve->opt.env, q->serve->opt.chain, &s->x);
		if (q->tenant && !same) {
			free(id->tenant);
			id->tenant = q->tenant;
			q->tenant = NULL;
		}
	}
	sp_session_open(s);
}

static const struct sp_stream_events stream_events;

static void on_sent(struct sp_session *s, bool with_body)
{
	struct request *q = of(s);

	if (!with_body)
		return;
	q->relayed = true;
	sp_session_relay(s, sp_h2_stream_io(q->stream), false);
}

static void on_interim(struct sp_session *s, unsigned status, const struct sp_fields *fields)
{
	if (of(s)->stream)
		(void)sp_h2_inform(of(s)->stream, status, fields);
}

static int respond(struct request *q)
{
	const struct sp_msg_response *r = q->session.x.response;
	char length[SP_LENGTH_TEXT_SIZE];
	struct sp_fields f;

	if (!r)
		return sp_h2_respond(q->stream, 200, NULL, false);
	if (q->session.x.request->protocol.p && !r->switched && r->status <= 299)
		return SP_EPROTO; /* RFC 8441 section 4: a 2xx would say that it was switched */
	if (sp_msg_response_to_http2(r, length, &f) < 0)
		return SP_ETOOBIG;
	return sp_h2_respond(q->stream, r->switched ? 200 : r->status, &f, false);
}

static void on_opened(struct sp_session *s)
{
	struct request *q = of(s);
	bool relays = sp_session_relays(s);
	int err = q->stream ? respond(q) : SP_ECLOSED;
	struct sp_stream *io;

	if ((err == SP_ETOOBIG || err == SP_EPROTO) && !relays) {
		s->x.outcome = SP_OUTCOME_OK; /* not what the response says */
		fail(q, SP_OUTCOME_PROTOCOL, err == SP_EPROTO ? "the system answered without switching protocols"
							      : "the response's head is larger than a tunnel carries");
		return;
	}
	if (err < 0) {
		sp_session_abort(s, NULL);
		if (relays)
			return; /* on_ended follows */
		q->ended = true;
		maybe_free(q);
		return;
	}
	io = sp_h2_stream_io(q->stream);
	q->stream = NULL;
	q->relayed = false;
	if (relays)
		sp_session_answered(s);
	else
		sp_session_relay(s, io, false);
}

static void on_failed(struct sp_session *s, struct sp_stream *given_back)
{
	struct request *q = of(s);

	q->ended = true;
	if (given_back)
		sp_stream_attach(given_back, &stream_events, q);
	answer_failure(q);
	maybe_free(q);
}

static void on_ended(struct sp_session *s)
{
	struct request *q = of(s);

	q->ended = true;
	if (q->relayed)
		q->stream = NULL; /* went with the relay, unanswered */
	maybe_free(q);
}

static const struct sp_session_events session_events = {
	.on_identified = on_identified,
	.on_sent = on_sent,
	.on_interim = on_interim,
	.on_opened = on_opened,
	.on_failed = on_failed,
	.on_ended = on_ended,
};

static void on_stream_closed(void *arg, const struct sp_cause *cause)
{
	struct request *q = arg;

	q->stream = NULL;
	if (!q->ended) {
		sp_session_abort(&q->session, cause);
		q->ended = true;
	}
	maybe_free(q);
}

static size_t on_early_data(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg, (void)v, (void)n;
	return 0; /* kept for the relay */
}

static const struct sp_stream_events stream_events = { .on_data = on_early_data, .on_closed = on_stream_closed };

static void identify(struct request *q, const struct sp_fields *head)
{
	const struct sp_serve_options *opt = &q->serve->opt;
	struct sp_auth_request req = { .conn_id = opt->conn_id, .listener = opt->listener, .client_addr = opt->peer };
	struct sp_slice value = sp_fields_get(head, "proxy-authorization"), user, password;
	enum sp_http_credentials kind = SP_CREDENTIALS_NONE;
	char scratch[1024];

	if (sp_fields_count(head, "proxy-authorization") > 1) {
		fail(q, SP_OUTCOME_BAD_REQUEST, "more than one proxy-authorization");
		return;
	}
	if (value.p && (sp_http_credentials_parse(value, &kind, &req.secret, scratch, sizeof(scratch), &user, &password) < 0 ||
			kind != SP_CREDENTIALS_BEARER)) {
		fail(q, SP_OUTCOME_BAD_CREDENTIAL, "proxy-authorization is not a bearer token");
		return;
	}
	req.kind = kind == SP_CREDENTIALS_BEARER ? SP_AUTH_BEARER : SP_AUTH_NONE;
	req.location = sp_fields_get(head, SP_FIELD_LOCATION);
	req.target_host = sp_slice_str(q->session.x.target.host);
	req.target_port = q->session.x.target.port;
	if (opt->tls && opt->tls->has_cert) {
		req.cert_subject = sp_slice_str(opt->tls->cert_subject);
		req.cert_sans = sp_slice_str(opt->tls->cert_sans);
		req.cert_sha256 = sp_slice_str(opt->tls->cert_sha256);
		req.cert_not_after = opt->tls->cert_not_after;
	}
	sp_session_identify(&q->session, opt->chain, &req, opt->speaks_for_any == NULL);
}

/* What the head says is wrong with it; NULL: nothing. */
static const char *read_head(struct request *q, const struct sp_fields *head, enum sp_outcome *outcome)
{
	struct sp_exchange *x = &q->session.x;
	struct sp_slice v;

	bool tunnel = sp_slice_eq_str(sp_fields_get(head, ":method"), "CONNECT") && !sp_fields_get(head, ":protocol").p;

	*outcome = SP_OUTCOME_BAD_REQUEST;
	if (sp_authority_parse(sp_fields_get(head, ":authority"), tunnel ? 0 : HTTP_PORT, &x->target) < 0)
		return ":authority is no host:port";
	if (!tunnel && sp_msg_request_from_http2(head, sp_h2_stream_has_body(q->stream), &x->request) < 0)
		return sp_http_parse_detail();
	v = sp_fields_get(head, SP_FIELD_LOCATION);
	if (sp_fields_count(head, SP_FIELD_LOCATION) > 1 || (v.p && sp_slice_copy(v, x->location, sizeof(x->location)) < 0))
		return "a bad " SP_FIELD_LOCATION;
	v = sp_fields_get(head, SP_FIELD_CLAIMS);
	if (sp_fields_count(head, SP_FIELD_CLAIMS) > 1 || (v.p && !sp_utf8_is_printable(v)))
		return "a bad " SP_FIELD_CLAIMS;
	x->claims = sp_slice_dup(v);
	v = sp_fields_get(head, SP_FIELD_TENANT);
	if (sp_fields_count(head, SP_FIELD_TENANT) > 1 || (v.p && (v.n == 0 || memchr(v.p, 0, v.n))))
		return "a bad " SP_FIELD_TENANT;
	q->tenant = sp_slice_dup(v);
	return NULL;
}

static void on_request(void *arg, struct sp_h2_stream *stream, const struct sp_fields *head)
{
	struct sp_serve *s = arg;
	struct request *q = request_new(s);
	enum sp_outcome outcome;
	const char *wrong;

	q->serve = s;
	q->stream = stream;
	sp_list_append(&s->requests, &q->node);
	sp_stream_attach(sp_h2_stream_io(stream), &stream_events, q);
	if (sp_session_begin(&q->session, s->opt.env, &session_events, "tunnel", s->opt.listener, s->opt.peer, s->opt.conn_id,
			     sp_fields_get(head, SP_FIELD_EXCHANGE)) < 0) {
		q->ended = true;
		answer_failure(q);
		maybe_free(q);
		return;
	}
	wrong = read_head(q, head, &outcome);
	if (wrong)
		fail(q, outcome, wrong);
	else if (s->opt.chain >= 0)
		identify(q, head);
	else
		sp_session_identified(&q->session, "", NULL), sp_session_open(&q->session);
}

/* ---- the connection ----------------------------------------------------------------------------- */

static void on_ready(void *arg)
{
	struct sp_serve *s = arg;

	if (s->opt.on_ready)
		s->opt.on_ready(s->opt.arg);
}

static void on_goaway(void *arg, uint32_t code)
{
	struct sp_serve *s = arg;

	(void)code;
	if (s->opt.on_goaway)
		s->opt.on_goaway(s->opt.arg);
}

static void on_h2_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_serve *s = arg;

	s->h2 = NULL;
	if (cause)
		s->cause = *cause;
	maybe_closed(s);
}

static const struct sp_h2_events h2_events = {
	.on_ready = on_ready,
	.on_request = on_request,
	.on_goaway = on_goaway,
	.on_closed = on_h2_closed,
};

int sp_serve_start(const struct sp_serve_options *opt, struct sp_stream *carrier, struct sp_serve **out)
{
	const struct sp_conf *c = opt->env->conf;
	struct sp_h2_options h2 = {
		.stream_window_bytes = c->limits.stream_window_bytes,
		.connection_window_bytes = c->limits.connection_window_bytes,
		.max_streams = c->limits.streams_per_tunnel,
		.max_head_bytes = sp_conf_tunnel_head_bytes(c),
		.ping_after_ms = c->tunnels.ping_after_ms,
		.ping_timeout_ms = c->tunnels.ping_timeout_ms,
	};
	struct sp_serve *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return SP_ENOMEM;
	s->opt = *opt;
	sp_list_init(&s->requests);
	sp_list_init(&s->spare);
	err = sp_h2_new(opt->env->loop, carrier, SP_H2_SERVER, &h2, &h2_events, s, &s->h2);
	if (err < 0) {
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void sp_serve_drain(struct sp_serve *s)
{
	if (s->h2)
		sp_h2_drain(s->h2, s->opt.env->conf->timeouts.drain_ms);
}

void sp_serve_close(struct sp_serve *s)
{
	if (s->h2)
		sp_h2_close(s->h2);
}
