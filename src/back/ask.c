/* One CONNECT (RFC 9113 section 8.5) or request through a tunnel: its head, its answer, its failure. */
#include "back/pool.h"

#include <stdio.h>

#include "codec/upgrade.h"

static size_t on_early_data(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)arg, (void)v, (void)n;
	return 0; /* stays in the stream for the relay */
}

static void on_stream_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_pool_open *o = arg;
	struct sp_cause c = { 0 };

	o->stream = NULL;
	if (cause && cause->err == SP_ERETRY && sp_pool_open_retry(o))
		return;
	if (!cause)
		sp_cause_set(&c, SP_ECLOSED, SP_DOMAIN_H2, 0, "the stream ended before its answer");
	cause = cause ? cause : &c;
	sp_pool_open_finish(o, NULL, cause->err == SP_EPROTO ? SP_OUTCOME_PROTOCOL : SP_OUTCOME_TUNNEL_LOST, cause);
}

static const struct sp_stream_events asking_events = { .on_data = on_early_data, .on_closed = on_stream_closed };

/* The verdict was against what we ourselves showed, not against something farther away. */
void sp_pool_note_verdict(const struct sp_pool *p, enum sp_outcome outcome, long status)
{
	struct sp_pools *set = p->set;

	if (outcome != SP_OUTCOME_GATEWAY_AUTH || set->credential_refused || status < 400 || status > 499)
		return;
	set->credential_refused = true;
	sp_log(SP_LOG_ERROR, SP_EV_POOL, "the gateway refuses our credential: check upstream.token or upstream.cert_file",
	       SP_KV_STR("tenant", p->tenant), SP_KV_INT("status", status));
}

static enum sp_outcome outcome_of(const struct sp_pool_open *o, unsigned status, struct sp_slice proxy_status)
{
	bool forwarded = o->x->identity.upstream_auth != NULL;

	return o->pool->set->upstream ? sp_outcome_of_gateway(status, proxy_status, forwarded)
				      : sp_outcome_of_answer(status, proxy_status);
}

static void note_far_status(struct sp_pool_open *o, struct sp_slice proxy_status)
{
	if (proxy_status.n > 0 && proxy_status.n < sizeof(o->x->proxy_status))
		(void)sp_slice_copy(proxy_status, o->x->proxy_status, sizeof(o->x->proxy_status));
}

static void refused(struct sp_pool_open *o, unsigned status, enum sp_outcome outcome)
{
	struct sp_cause c = { 0 };

	sp_cause_set(&c, SP_EDENIED, SP_DOMAIN_H2, status, "answered %u %s", status, sp_http_reason(status));
	if ((status == 401 || status == 407) && sp_pool_open_renew(o, outcome, &c))
		return;
	sp_pool_note_verdict(o->pool, outcome, status);
	sp_pool_open_finish(o, NULL, outcome, &c);
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

/* Did a hop answer in the system's place? What comes from systems has no Proxy-Status. */
static bool is_from_hop(struct sp_slice proxy_status)
{
	struct sp_slice error, details;

	return proxy_status.p && (sp_proxy_status_read(proxy_status, &error, &details) < 0 || error.p);
}

static void on_message(struct sp_pool_open *o, struct sp_h2_stream *stream, unsigned status, const struct sp_fields *head)
{
	struct sp_slice proxy_status = sp_fields_get(head, "proxy-status");
	struct sp_stream *io = sp_h2_stream_io(stream);
	struct sp_exchange *x = o->x;
	struct sp_msg_response r;

	sp_msg_response_from_http2(status, head, !sp_h2_stream_has_body(stream), &r);
	if (is_from_hop(proxy_status)) {
		note_far_status(o, proxy_status);
		r.outcome = outcome_of(o, status, proxy_status);
		if (r.outcome == SP_OUTCOME_GATEWAY_AUTH) { /* is about us, and nothing that the client could do something about */
			refused(o, status, r.outcome);
			return;
		}
	} else if (status == 407) { /* no system may ask for what is ours to ask for */
		refused(o, status, SP_OUTCOME_PROTOCOL);
		return;
	}
	o->pool->set->credential_refused = false;
	r.switched = o->extended && status >= 200 && status <= 299;
	o->stream = NULL;
	x->response = &r;
	sp_pool_open_finish(o, io, SP_OUTCOME_OK, NULL);
	/* x may be gone */
}

static void on_interim(void *arg, unsigned status, const struct sp_fields *head)
{
	struct sp_pool_open *o = arg;
	struct sp_msg_response r;

	sp_msg_response_from_http2(status, head, false, &r); /* without :status */
	o->x->ev->on_interim(o->x->ev_arg, status, &r.fields);
}

void sp_pool_tell_sent(struct sp_pool_open *o)
{
	const struct sp_exchange *x = o->x;

	if (!x->request)
		return;
	o->handed = x->request->has_body;
	x->ev->on_sent(x->ev_arg, o->handed ? sp_h2_stream_io(o->stream) : NULL);
}

/* ---- both --------------------------------------------------------------------------------------------------------- */

static void on_response(void *arg, struct sp_h2_stream *stream, unsigned status, const struct sp_fields *head)
{
	struct sp_pool_open *o = arg;
	struct sp_slice proxy_status = sp_fields_get(head, "proxy-status");

	if (o->x->request) {
		on_message(o, stream, status, head);
	} else if (status < 200 || status > 299) {
		note_far_status(o, proxy_status);
		refused(o, status, outcome_of(o, status, proxy_status));
	} else {
		o->pool->set->credential_refused = false;
		o->stream = NULL;
		sp_pool_open_finish(o, sp_h2_stream_io(stream), SP_OUTCOME_OK, NULL);
	}
}

/* What goes to a gateway only: the tunnel of a connector belongs to one tenant and one location already. */
static void add_gateway_fields(const struct sp_pool_open *o, struct sp_fields *f)
{
	const struct sp_exchange *x = o->x;
	const char *credential = x->identity.upstream_auth ? x->identity.upstream_auth : o->credential;

	if (credential)
		sp_fields_add(f, SP_SLICE("proxy-authorization"), sp_slice_str(credential));
	if (!x->identity.upstream_auth)
		sp_fields_add(f, SP_SLICE(SP_FIELD_TENANT), sp_slice_str(o->pool->tenant));
	if (x->location[0])
		sp_fields_add(f, SP_SLICE(SP_FIELD_LOCATION), sp_slice_str(x->location));
}

int sp_pool_ask(struct sp_pool_open *o, struct sp_tunnel *t)
{
	char authority[SP_AUTHORITY_SIZE], length[SP_LENGTH_TEXT_SIZE];
	const struct sp_msg_request *r = o->x->request;
	struct sp_fields f;
	int err = 0;

	sp_authority_text(&o->x->target, authority);
	f.count = 0;
	o->extended = r && r->protocol.p && sp_h2_extended_connect(t->h2);
	if (r) {
		err = sp_msg_request_to_http2(r, authority, o->extended, length, &f);
	} else {
		sp_fields_add(&f, SP_SLICE(":method"), SP_SLICE("CONNECT"));
		sp_fields_add(&f, SP_SLICE(":authority"), sp_slice_str(authority));
	}
	if (o->pool->set->upstream)
		add_gateway_fields(o, &f);
	if (r && o->x->claims)
		sp_fields_add(&f, SP_SLICE(SP_FIELD_CLAIMS), sp_slice_str(o->x->claims));
	if (err == 0)
		err = sp_fields_add(&f, SP_SLICE(SP_FIELD_EXCHANGE), sp_slice_str(o->x->id));
	if (err == 0) {
		f.v[f.count - 1].secret = true; /* each is another: they would drive out of HPACK's table what comes again */
		err = sp_h2_open(t->h2, &f, r && !r->has_body && !o->extended, on_response, o, &o->stream);
	}
	if (err < 0)
		return err;
	if (r && sp_h2_watch_interim(o->stream, on_interim, o) < 0)
		sp_log(SP_LOG_DEBUG, SP_EV_POOL, "no memory for interim responses", SP_KV_STR("exchange", o->x->id));
	o->tunnel_number = t->number;
	o->x->proxy_status[0] = '\0'; /* of an earlier try */
	snprintf(o->x->via, sizeof(o->x->via), "tunnel %llu", (unsigned long long)t->number);
	sp_stream_attach(sp_h2_stream_io(o->stream), &asking_events, o);
	return 0;
}

void sp_pool_unask(struct sp_pool_open *o)
{
	static const struct sp_stream_events nobody = { 0 };
	struct sp_stream *io;

	if (!o->stream || o->handed) {
		o->stream = NULL;
		return;
	}
	io = sp_h2_stream_io(o->stream);
	o->stream = NULL;
	sp_stream_attach(io, &nobody, NULL);
	sp_stream_close(io, SP_CLOSE_ABORT);
}
