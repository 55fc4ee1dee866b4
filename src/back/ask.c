/* One CONNECT through a tunnel (RFC 9113 section 8.5): its head, its answer, its failure. */
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

static void refused(struct sp_pool_open *o, unsigned status, struct sp_slice proxy_status)
{
	bool forwarded = o->x->identity.upstream_auth != NULL;
	enum sp_outcome outcome = o->pool->set->upstream ? sp_outcome_of_gateway(status, proxy_status, forwarded)
							 : sp_outcome_of_answer(status, proxy_status);
	struct sp_cause c = { 0 };

	if (proxy_status.n > 0 && proxy_status.n < sizeof(o->x->proxy_status))
		(void)sp_slice_copy(proxy_status, o->x->proxy_status, sizeof(o->x->proxy_status));
	sp_cause_set(&c, SP_EDENIED, SP_DOMAIN_H2, status, "answered %u %s", status, sp_http_reason(status));
	if ((status == 401 || status == 407) && sp_pool_open_renew(o, outcome, &c))
		return;
	sp_pool_note_verdict(o->pool, outcome, status);
	sp_pool_open_finish(o, NULL, outcome, &c);
}

static void on_response(void *arg, struct sp_h2_stream *stream, unsigned status, const struct sp_fields *head)
{
	struct sp_pool_open *o = arg;

	if (status < 200 || status > 299) {
		refused(o, status, sp_fields_get(head, "proxy-status"));
		return;
	}
	o->pool->set->credential_refused = false;
	o->stream = NULL;
	sp_pool_open_finish(o, sp_h2_stream_io(stream), SP_OUTCOME_OK, NULL);
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
	char authority[SP_AUTHORITY_SIZE];
	struct sp_fields f = { 0 };
	int err;

	sp_fields_add(&f, SP_SLICE(":method"), SP_SLICE("CONNECT"));
	sp_fields_add(&f, SP_SLICE(":authority"), sp_slice_str(sp_authority_text(&o->x->target, authority)));
	if (o->pool->set->upstream)
		add_gateway_fields(o, &f);
	sp_fields_add(&f, SP_SLICE(SP_FIELD_EXCHANGE), sp_slice_str(o->x->id));
	err = sp_h2_open(t->h2, &f, false, on_response, o, &o->stream);
	if (err < 0)
		return err;
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

	if (!o->stream)
		return;
	io = sp_h2_stream_io(o->stream);
	o->stream = NULL;
	sp_stream_attach(io, &nobody, NULL);
	sp_stream_close(io, SP_CLOSE_ABORT);
}
