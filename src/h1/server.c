/* The server's side of one exchange: heads of responses. */
#include "h1/internal.h"

int sp_h1_serve(struct sp_stream *carrier, const struct sp_http_request *r, const struct sp_h1_options *opt,
		struct sp_h1 **out)
{
	struct sp_h1 *h = sp_h1_new(carrier, SP_H1_SERVER, opt);
	int err;

	if (!h)
		return SP_ENOMEM;
	err = sp_http_body_init_request(&h->body, r, &h->body_limits);
	if (err < 0) {
		sp_h1_discard(h);
		return err;
	}
	h->body_known = true;
	h->minor = r->minor;
	h->head_method = sp_slice_eq_str(r->method, "HEAD");
	h->persists = sp_http_request_persists(r);
	h->expects = sp_http_expects(r) == SP_EXPECT_CONTINUE;
	/* With a protocol to switch to there is no end of input before the answer is known. */
	h->may_switch = sp_http_upgrade(r).p != NULL;
	h->eof_told = sp_http_body_done(&h->body) && !h->may_switch;
	h->io.input_ended = h->eof_told;
	sp_h1_take_carrier(h);
	*out = h;
	return 0;
}

int sp_h1_inform(struct sp_h1 *h, unsigned status, const struct sp_fields *fields)
{
	int err;

	if (h->answered || h->minor == 0)
		return SP_EINVAL;
	if (h->closing || !h->carrier)
		return SP_ECLOSED;
	err = sp_msg_interim_write(status, fields, &h->out);
	if (err < 0)
		return err;
	h->continued = h->continued || status == 100;
	sp_h1_flush_soon(h);
	return 0;
}

/* A body that has not come yet and perhaps never will: who reads after it would not know what it reads (RFC 9110
 * section 10.1.1). */
static bool body_is_doubtful(const struct sp_h1 *h, unsigned status)
{
	return !sp_http_body_done(&h->body) && (status >= 300 || (h->expects && !h->continued && h->body.total == 0));
}

int sp_h1_respond(struct sp_h1 *h, const struct sp_msg_response *r, struct sp_slice protocol, bool close)
{
	struct sp_slice method = h->head_method ? SP_SLICE("HEAD") : SP_SLICE("GET");
	struct sp_msg_response_line how = { .framing = sp_msg_response_framing(r, method, h->minor),
					    .upgrade = protocol };
	int err;

	if (h->answered)
		return SP_EINVAL;
	if (h->closing || !h->carrier)
		return SP_ECLOSED;
	h->close = close || !h->persists || h->peer_ended || how.framing == SP_BODY_UNTIL_CLOSE ||
		   body_is_doubtful(h, r->status);
	how.close = h->close;
	err = sp_msg_response_write(r, &how, &h->out);
	if (err < 0)
		return err;
	h->answered = true;
	h->switched = r->switched;
	if (h->may_switch && h->reading)
		sp_h1_tell_end_soon(h);
	else if (h->may_switch && !h->switched)
		h->eof_told = h->io.input_ended = true;
	sp_http_encoder_init(&h->encoder, how.framing, r->has_length ? r->length : 0);
	sp_h1_flush_soon(h);
	return 0;
}
