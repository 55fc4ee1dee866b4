/* The client's side of one exchange: the request's head, and the heads of responses. */
#include "h1/internal.h"

#define INTERIMS_MAX 32 /* of one request: 102s come every few seconds */

static bool take_interim(struct sp_h1 *h, const struct sp_http_response *r)
{
	struct sp_fields f;

	sp_fields_copy(&f, &r->fields);
	if (++h->interims > INTERIMS_MAX) {
		sp_h1_fail(h, SP_EPROTO, "the system's response: too many interim ones");
		return false;
	}
	if (h->ev->on_interim && sp_http_filter(&f, SP_HTTP_FROM_ORIGIN) == 0)
		h->ev->on_interim(h->arg, r->status, &f);
	return !h->closing;
}

static void take_final(struct sp_h1 *h, const struct sp_http_response *r)
{
	struct sp_slice method = h->head_method ? SP_SLICE("HEAD") : SP_SLICE("GET");
	int err = sp_http_body_init_response(&h->body, r, method, &h->body_limits);

	if (err < 0) {
		sp_h1_fail(h, SP_EPROTO, "the system's response: %s", sp_http_refusal_text(h->body.refusal));
		return;
	}
	h->body_known = true;
	h->switched = r->status == 101;
	h->persists = sp_http_response_persists(r, method);
	if (h->switched && h->write_done)
		sp_stream_shutdown_write(h->carrier); /* said before there was a protocol that has an end */
	sp_h1_watch_silence(h);
	h->ev->on_response(h->arg, r);
}

size_t sp_h1_take_heads(struct sp_h1 *h, struct sp_slice in)
{
	size_t used = 0;

	while (used < in.n && !h->body_known && !h->closing) {
		struct sp_http_response r;
		long n = sp_http_response_read(sp_slice_make(in.p + used, in.n - used), &h->head_limits, &r);

		h->heard = true;
		if (n == 0) {
			if (h->carrier->input_ended) /* the rest will not come */
				sp_h1_fail(h, SP_ECLOSED, "the system's response: it ended inside its head");
			break;
		}
		if (n < 0) {
			h->body.refusal = sp_http_parse_refusal();
			sp_h1_fail(h, SP_EPROTO, "the system's response: %s", sp_http_parse_detail());
			break;
		}
		used += (size_t)n;
		if (r.status == 101 && h->encoder.framing != SP_BODY_TUNNEL)
			sp_h1_fail(h, SP_EPROTO, "the system's response: it switched protocols without being asked");
		else if (r.status >= 200 || r.status == 101)
			take_final(h, &r);
		else if (!take_interim(h, &r))
			break;
	}
	return used;
}

int sp_h1_request(struct sp_stream *carrier, const struct sp_msg_request *r, struct sp_slice head, bool reused,
		  const struct sp_h1_options *opt, const struct sp_h1_client_events *ev, void *arg, struct sp_h1 **out)
{
	struct sp_h1 *h = sp_h1_new(carrier, SP_H1_CLIENT, opt);

	if (!h)
		return SP_ENOMEM;
	if (sp_buf_append_slice(&h->out, head) < 0) {
		sp_h1_discard(h);
		return SP_ENOMEM;
	}
	sp_http_encoder_init(&h->encoder, r->protocol.p ? SP_BODY_TUNNEL : sp_msg_request_framing(r), r->length);
	h->head_method = sp_slice_eq_str(r->method, "HEAD");
	h->answered = true; /* our head is out */
	h->write_done = !r->has_body && !r->protocol.p;
	h->reused = reused;
	h->ev = ev;
	h->arg = arg;
	sp_h1_take_carrier(h);
	sp_h1_flush_soon(h);
	if (carrier->input_ended) /* and who had it before was told */
		sp_h1_fail(h, reused ? SP_ERETRY : SP_ECLOSED, "the system had closed the connection");
	*out = h;
	return 0;
}
