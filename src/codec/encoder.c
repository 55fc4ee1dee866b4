/* Writing bodies (RFC 9112 section 7.1), see codec/body.h. */
#include <stdio.h>

#include "base/error.h"
#include "codec/body.h"
#include "codec/hop.h"

void sp_http_encoder_init(struct sp_http_encoder *e, enum sp_http_framing framing, uint64_t length)
{
	*e = (struct sp_http_encoder){ .framing = framing, .left = framing == SP_BODY_LENGTH ? length : 0 };
}

int sp_http_encoder_frame(struct sp_http_encoder *e, uint64_t n, struct sp_http_frame *f)
{
	f->before[0] = '\0';
	f->after = "";
	if (n == 0) /* a chunk of 0 bytes would be the end */
		return e->ended ? SP_EPROTO : 0;
	if (e->ended || e->framing == SP_BODY_NONE || e->framing == SP_BODY_TUNNEL)
		return SP_EPROTO;
	if (e->framing == SP_BODY_LENGTH) {
		if (n > e->left)
			return SP_EPROTO;
		e->left -= n;
	}
	if (e->framing == SP_BODY_CHUNKED) {
		snprintf(f->before, sizeof(f->before), "%llx\r\n", (unsigned long long)n);
		f->after = "\r\n";
	}
	return 0;
}

int sp_http_encoder_write(struct sp_http_encoder *e, struct sp_slice payload, struct sp_buf *b)
{
	struct sp_http_encoder next = *e;
	struct sp_http_frame f;
	uint8_t *p;
	int err = sp_http_encoder_frame(&next, payload.n, &f);

	if (err || payload.n == 0)
		return err;
	err = sp_buf_reserve(b, payload.n + sizeof(f.before) + 2, &p);
	if (err)
		return err;
	/* there is room for all of it now */
	sp_buf_append_str(b, f.before);
	sp_buf_append_slice(b, payload);
	sp_buf_append_str(b, f.after);
	*e = next;
	return 0;
}

static int append_trailers(const struct sp_fields *f, struct sp_buf *b)
{
	unsigned i;
	int err = sp_buf_append_str(b, "0\r\n");

	for (i = 0; f && !err && i < f->count; i++) {
		if (!sp_http_is_token(f->v[i].name) || !sp_http_is_value(f->v[i].value))
			return SP_EINVAL;
		if (!sp_http_trailer_is_allowed(f->v[i].name))
			continue;
		err = sp_buf_append_slice(b, f->v[i].name);
		err = err ? err : sp_buf_append_str(b, ": ");
		err = err ? err : sp_buf_append_slice(b, f->v[i].value);
		err = err ? err : sp_buf_append_str(b, "\r\n");
	}
	return err ? err : sp_buf_append_str(b, "\r\n");
}

int sp_http_encoder_end(struct sp_http_encoder *e, const struct sp_fields *trailers, struct sp_buf *b)
{
	size_t before = b->len;
	int err = 0;

	if (e->ended)
		return SP_EPROTO;
	if (e->left > 0)
		return SP_ECLOSED;
	if (e->framing == SP_BODY_CHUNKED)
		err = append_trailers(trailers, b);
	if (err)
		b->len = before;
	else
		e->ended = true;
	return err;
}
