/* Reading bodies. The chunked coding of RFC 9112 section 7.1:
 *   chunked-body = *chunk last-chunk trailer-section CRLF
 *   chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF          chunk-size = 1*HEXDIG
 *   chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
 * Nobody understands chunk extensions, so their bytes are looked at only for what could end a line in another reader's eyes,
 * and counted: each chunk has some overhead free, small chunks with long extensions add up to a limit. */
#include "codec/body.h"

#include "base/error.h"
#include "base/must.h"
#include "codec/hop.h"

#define SIZE_DIGITS_MAX 16
#define LINE_MAX_BYTES 1024		 /* chunk size with its extensions */
#define OVERHEAD_FREE_BYTES 16		 /* of each chunk; and as much again as two times its data */
#define OVERHEAD_MAX_BYTES (16 * 1024)

static int refuse(struct sp_http_body *b, int err, enum sp_http_refusal why)
{
	b->state = SP_BODY_REFUSED;
	b->err = err;
	b->refusal = why;
	return err;
}

int sp_http_body_init(struct sp_http_body *b, enum sp_http_framing framing, uint64_t length,
		      const struct sp_http_body_limits *limits)
{
	*b = (struct sp_http_body){
		.framing = framing,
		.limits = { UINT64_MAX, SP_HTTP_TRAILER_BYTES_DEFAULT, SP_HTTP_TRAILER_FIELDS_DEFAULT },
	};
	if (limits)
		b->limits = *limits;
	switch (framing) {
	case SP_BODY_NONE:
	case SP_BODY_TUNNEL:
		b->state = SP_BODY_DONE;
		break;
	case SP_BODY_LENGTH:
		b->left = length;
		b->state = length > 0 ? SP_BODY_AWAITS_DATA : SP_BODY_DONE;
		if (length > b->limits.payload_bytes)
			return refuse(b, SP_ETOOBIG, SP_HTTP_REFUSAL_BODY_SIZE);
		break;
	case SP_BODY_UNTIL_CLOSE:
		b->left = UINT64_MAX;
		b->state = SP_BODY_AWAITS_DATA;
		break;
	case SP_BODY_CHUNKED:
		b->state = SP_BODY_AWAITS_SIZE;
		break;
	}
	return 0;
}

int sp_http_body_init_request(struct sp_http_body *b, const struct sp_http_request *r, const struct sp_http_body_limits *limits)
{
	return sp_http_body_init(b, r->body, r->content_length, limits);
}

int sp_http_body_init_response(struct sp_http_body *b, const struct sp_http_response *r, struct sp_slice method,
			       const struct sp_http_body_limits *limits)
{
	return sp_http_body_init(b, sp_http_response_framing(r, method), r->content_length, limits);
}

void sp_http_body_deinit(struct sp_http_body *b)
{
	sp_buf_deinit(&b->trailer);
}

enum sp_http_framing sp_http_response_framing(const struct sp_http_response *r, struct sp_slice method)
{
	if (r->status == 101)
		return SP_BODY_TUNNEL;
	if (r->status >= 200 && r->status <= 299 && sp_slice_eq_str(method, "CONNECT"))
		return SP_BODY_TUNNEL;
	if (sp_slice_eq_str(method, "HEAD") || r->status < 200 || r->status == 204 || r->status == 304)
		return SP_BODY_NONE;
	return r->body;
}

/* ---- chunks ------------------------------------------------------------------------------------------------------ */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int take_size(struct sp_http_body *b, uint8_t c)
{
	int digit = hex_digit(c);

	if (b->state == SP_BODY_AWAITS_SIZE) {
		b->left = 0;
		b->digits = 0;
		b->line_bytes = 0;
	}
	if (digit >= 0) {
		if (++b->digits > SIZE_DIGITS_MAX)
			return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_OVERFLOW);
		b->left = b->left << 4 | (unsigned)digit;
		b->state = SP_BODY_AWAITS_SIZE_END;
		return 0;
	}
	if (b->state == SP_BODY_AWAITS_SIZE)
		return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_SIZE);
	if (c == '\r')
		b->state = SP_BODY_AWAITS_SIZE_LF;
	else if (c == ';')
		b->state = SP_BODY_AWAITS_EXTENSION;
	else if (c == ' ' || c == '\t')
		b->state = SP_BODY_AWAITS_SEMICOLON;
	else
		return refuse(b, SP_EPROTO, c == '\n' ? SP_HTTP_REFUSAL_CHUNK_LINE : SP_HTTP_REFUSAL_CHUNK_SIZE);
	return 0;
}

static int take_extension(struct sp_http_body *b, uint8_t c)
{
	if (b->state == SP_BODY_AWAITS_SEMICOLON) {
		if (c == ';')
			b->state = SP_BODY_AWAITS_EXTENSION;
		else if (c != ' ' && c != '\t')
			return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_EXTENSION);
		return 0;
	}
	if (c == '\r')
		b->state = SP_BODY_AWAITS_SIZE_LF;
	else if (c == '\n')
		return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_LINE);
	else if (!sp_http_is_value(sp_slice_make(&c, 1)))
		return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_EXTENSION);
	return 0;
}

/* The LF after a chunk's size: does it fit what may come, and was its line worth its data? */
static int end_size(struct sp_http_body *b)
{
	uint64_t allowed = b->left > OVERHEAD_MAX_BYTES ? OVERHEAD_MAX_BYTES * 2 : OVERHEAD_FREE_BYTES + 2 * b->left;

	if (b->left > INT64_MAX - b->total)
		return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_OVERFLOW);
	if (b->left > b->limits.payload_bytes - b->total)
		return refuse(b, SP_ETOOBIG, SP_HTTP_REFUSAL_BODY_SIZE);
	b->overhead += b->line_bytes;
	b->overhead -= b->overhead < allowed ? b->overhead : allowed;
	if (b->overhead > OVERHEAD_MAX_BYTES)
		return refuse(b, SP_ETOOBIG, SP_HTTP_REFUSAL_CHUNK_OVERHEAD);
	b->state = b->left > 0 ? SP_BODY_AWAITS_DATA : SP_BODY_AWAITS_LAST;
	return 0;
}

static int expect(struct sp_http_body *b, bool right, enum sp_http_body_state next, enum sp_http_refusal why)
{
	if (!right)
		return refuse(b, SP_EPROTO, why);
	b->state = next;
	return 0;
}

static int take_line_byte(struct sp_http_body *b, uint8_t c)
{
	int err = 0;

	switch (b->state) {
	case SP_BODY_AWAITS_SIZE:
	case SP_BODY_AWAITS_SIZE_END:
		err = take_size(b, c);
		break;
	case SP_BODY_AWAITS_SEMICOLON:
	case SP_BODY_AWAITS_EXTENSION:
		err = take_extension(b, c);
		break;
	case SP_BODY_AWAITS_SIZE_LF:
		return c == '\n' ? end_size(b) : refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_CHUNK_LINE);
	case SP_BODY_AWAITS_DATA_CR:
		return expect(b, c == '\r', SP_BODY_AWAITS_DATA_LF, SP_HTTP_REFUSAL_CHUNK_END);
	case SP_BODY_AWAITS_DATA_LF:
		return expect(b, c == '\n', SP_BODY_AWAITS_SIZE, SP_HTTP_REFUSAL_CHUNK_END);
	case SP_BODY_AWAITS_LAST_LF:
		return expect(b, c == '\n', SP_BODY_DONE, SP_HTTP_REFUSAL_BARE_CR);
	case SP_BODY_AWAITS_LAST:
	case SP_BODY_AWAITS_TRAILER:
	case SP_BODY_AWAITS_DATA:
	case SP_BODY_DONE:
	case SP_BODY_REFUSED:
		sp_must(!"a state that takes no single bytes");
	}
	if (!err && ++b->line_bytes > LINE_MAX_BYTES)
		return refuse(b, SP_ETOOBIG, SP_HTTP_REFUSAL_CHUNK_OVERHEAD);
	return err;
}

/* ---- trailers ---------------------------------------------------------------------------------------------------- */

static int end_trailers(struct sp_http_body *b)
{
	struct sp_fields f;
	int err = sp_http_fields_parse(sp_buf_data(&b->trailer), b->limits.trailer_fields, &f);

	if (err)
		return refuse(b, err, sp_http_parse_refusal());
	b->state = SP_BODY_DONE;
	return 0;
}

/* Keeps the bytes up to the next LF, or all. */
static int take_trailer(struct sp_http_body *b, struct sp_slice in, size_t *used)
{
	const uint8_t *lf = memchr(in.p, '\n', in.n);
	size_t n = lf ? (size_t)(lf - in.p) + 1 : in.n, line;
	struct sp_slice all;

	if (n > b->limits.trailer_bytes - b->trailer.len)
		return refuse(b, SP_ETOOBIG, SP_HTTP_REFUSAL_TRAILER_SIZE);
	if (sp_buf_append(&b->trailer, in.p, n))
		return refuse(b, SP_ENOMEM, SP_HTTP_REFUSAL_NONE);
	*used += n;
	if (!lf)
		return 0;
	all = sp_buf_data(&b->trailer);
	line = all.n - b->trailer_line;
	if (line < 2 || all.p[all.n - 2] != '\r')
		return refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_BARE_LF);
	b->trailer_line = all.n;
	return line == 2 ? end_trailers(b) : 0;
}

void sp_http_body_trailers(const struct sp_http_body *b, struct sp_fields *out)
{
	unsigned i, kept = 0;

	out->count = 0;
	if (b->state != SP_BODY_DONE || b->trailer.len == 0)
		return;
	sp_must(sp_http_fields_parse(sp_buf_data(&b->trailer), b->limits.trailer_fields, out) == 0);
	for (i = 0; i < out->count; i++)
		if (sp_http_trailer_is_allowed(out->v[i].name))
			out->v[kept++] = out->v[i];
	out->count = kept;
}

/* ---- feeding ----------------------------------------------------------------------------------------------------- */

static int take_data(struct sp_http_body *b, struct sp_slice in, struct sp_slice *payload_out)
{
	size_t n = in.n < b->left ? in.n : (size_t)b->left;

	if (n > b->limits.payload_bytes - b->total)
		return refuse(b, SP_ETOOBIG, SP_HTTP_REFUSAL_BODY_SIZE);
	b->total += n;
	if (b->framing != SP_BODY_UNTIL_CLOSE)
		b->left -= n;
	if (b->left == 0)
		b->state = b->framing == SP_BODY_CHUNKED ? SP_BODY_AWAITS_DATA_CR : SP_BODY_DONE;
	*payload_out = sp_slice_make(in.p, n);
	return 0;
}

long sp_http_body_feed(struct sp_http_body *b, struct sp_slice in, struct sp_slice *payload_out)
{
	struct sp_slice payload = SP_SLICE_NONE;
	size_t used = 0;
	int err = b->state == SP_BODY_REFUSED ? b->err : 0;

	*payload_out = SP_SLICE_NONE;
	while (!err && used < in.n && payload.n == 0 && b->state != SP_BODY_DONE) {
		struct sp_slice rest = sp_slice_make(in.p + used, in.n - used);

		if (b->state == SP_BODY_AWAITS_LAST && rest.p[0] == '\r') {
			b->state = SP_BODY_AWAITS_LAST_LF;
			used++;
		} else if (b->state == SP_BODY_AWAITS_LAST) {
			b->state = SP_BODY_AWAITS_TRAILER;
		} else if (b->state == SP_BODY_AWAITS_TRAILER) {
			err = take_trailer(b, rest, &used);
		} else if (b->state == SP_BODY_AWAITS_DATA) {
			err = take_data(b, rest, &payload);
			used += payload.n;
		} else {
			err = take_line_byte(b, rest.p[0]);
			used++;
		}
	}
	if (err)
		return err;
	*payload_out = payload;
	return (long)used;
}

int sp_http_body_eof(struct sp_http_body *b)
{
	if (b->state == SP_BODY_REFUSED)
		return b->err;
	if (b->framing == SP_BODY_UNTIL_CLOSE)
		b->state = SP_BODY_DONE;
	return b->state == SP_BODY_DONE ? 0 : refuse(b, SP_ECLOSED, SP_HTTP_REFUSAL_BODY_TOO_SHORT);
}

int sp_http_body_excess(struct sp_http_body *b)
{
	return b->state == SP_BODY_REFUSED ? b->err : refuse(b, SP_EPROTO, SP_HTTP_REFUSAL_BODY_TOO_LONG);
}
