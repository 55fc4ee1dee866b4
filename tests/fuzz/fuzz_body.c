/* Bodies of HTTP/1.1. The first byte chooses the framing and the pieces, the rest is what the peer sent. The pieces must not matter, and what
 * was decoded is encoded and decoded again. */
#include "fuzz.h"

#include "base/error.h"
#include "codec/body.h"
#include "codec/hop.h"

#define LENGTH 37
#define LIMIT 1024 /* of payload; encoded again it must fit, too */

struct outcome {
	struct sp_buf payload;
	struct sp_buf trailers; /* as lines */
	size_t used;
	int err;
	bool done;
	enum sp_http_refusal refusal;
};

static void keep_trailers(const struct sp_http_body *b, struct sp_buf *lines)
{
	struct sp_fields f;

	sp_http_body_trailers(b, &f);
	for (unsigned i = 0; i < f.count; i++) {
		fuzz_must(sp_http_is_token(f.v[i].name) && sp_http_is_value(f.v[i].value) && sp_http_trailer_is_allowed(f.v[i].name));
		fuzz_must(sp_buf_append_slice(lines, f.v[i].name) == 0 && sp_buf_append_str(lines, ": ") == 0);
		fuzz_must(sp_buf_append_slice(lines, f.v[i].value) == 0 && sp_buf_append_str(lines, "\r\n") == 0);
	}
}

/* What was refused stays refused, what is done takes nothing more, and an end that came too early is noticed. */
static void check_end(struct sp_http_body *b, const struct outcome *o)
{
	struct sp_slice payload;
	int err;

	if (o->err) {
		fuzz_must(sp_http_body_feed(b, SP_SLICE("0\r\n\r\n"), &payload) == o->err && payload.n == 0);
		fuzz_must(sp_http_body_eof(b) == o->err);
		return;
	}
	if (o->done)
		fuzz_must(sp_http_body_feed(b, SP_SLICE("0\r\n\r\n"), &payload) == 0 && payload.n == 0);
	err = sp_http_body_eof(b);
	fuzz_must(err == (o->done || b->framing == SP_BODY_UNTIL_CLOSE ? 0 : SP_ECLOSED));
	fuzz_must(sp_http_body_done(b) == (err == 0));
}

static void deinit(struct outcome *o)
{
	sp_buf_deinit(&o->payload);
	sp_buf_deinit(&o->trailers);
}

static void decode(enum sp_http_framing framing, uint64_t length, struct sp_slice in, size_t piece, struct outcome *o)
{
	static const struct sp_http_body_limits limits = { LIMIT, SP_HTTP_TRAILER_BYTES_DEFAULT, SP_HTTP_TRAILER_FIELDS_DEFAULT };
	struct sp_http_body b;

	*o = (struct outcome){ 0 };
	fuzz_must(sp_http_body_init(&b, framing, length, &limits) == 0);
	while (!sp_http_body_done(&b) && o->used < in.n && o->err == 0) {
		size_t n = in.n - o->used < piece ? in.n - o->used : piece;
		struct sp_slice part = sp_slice_make(in.p + o->used, n), payload;
		long used = sp_http_body_feed(&b, part, &payload);

		if (used < 0) {
			o->err = (int)used;
			break;
		}
		fuzz_must((size_t)used <= n && payload.n <= (size_t)used && (used > 0 || n == 0));
		fuzz_must(payload.n == 0 || fuzz_inside(payload, part));
		fuzz_must(sp_buf_append_slice(&o->payload, payload) == 0);
		o->used += (size_t)used;
	}
	o->done = sp_http_body_done(&b);
	o->refusal = b.refusal;
	fuzz_must(b.total == o->payload.len && b.total <= LIMIT);
	if (o->done)
		keep_trailers(&b, &o->trailers);
	check_end(&b, o);
	sp_http_body_deinit(&b);
}

/* Written in two chunks, with the trailers there were. */
static void check_again(const struct outcome *o)
{
	struct sp_slice all = sp_buf_data(&o->payload);
	size_t first = all.n / 3;
	struct sp_http_encoder e;
	struct sp_buf b = { 0 };
	struct sp_fields trailers;
	struct outcome again;
	struct sp_buf lines = { 0 };

	fuzz_must(sp_buf_append_slice(&lines, sp_buf_data(&o->trailers)) == 0 && sp_buf_append_str(&lines, "\r\n") == 0);
	fuzz_must(sp_http_fields_parse(sp_buf_data(&lines), SP_HTTP_TRAILER_FIELDS_DEFAULT, &trailers) == 0);
	sp_http_encoder_init(&e, SP_BODY_CHUNKED, 0);
	if (all.n > 0) {
		fuzz_must(sp_http_encoder_write(&e, sp_slice_make(all.p, first), &b) == 0);
		fuzz_must(sp_http_encoder_write(&e, sp_slice_make(all.p + first, all.n - first), &b) == 0);
	}
	fuzz_must(sp_http_encoder_end(&e, &trailers, &b) == 0);
	decode(SP_BODY_CHUNKED, 0, sp_buf_data(&b), SIZE_MAX, &again);
	fuzz_must(again.done && again.used == b.len && sp_slice_eq(sp_buf_data(&again.payload), all));
	fuzz_must(sp_slice_eq(sp_buf_data(&again.trailers), sp_buf_data(&o->trailers)));
	deinit(&again);
	sp_buf_deinit(&lines);
	sp_buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const enum sp_http_framing framings[] = { SP_BODY_CHUNKED, SP_BODY_CHUNKED, SP_BODY_LENGTH, SP_BODY_UNTIL_CLOSE };
	struct outcome whole, parts;
	struct sp_slice in;

	if (n == 0)
		return 0;
	in = sp_slice_make(data + 1, n - 1);
	decode(framings[data[0] & 3], LENGTH, in, SIZE_MAX, &whole);
	decode(framings[data[0] & 3], LENGTH, in, (data[0] >> 2) % 16 + 1u, &parts);
	fuzz_must(whole.done == parts.done && whole.err == parts.err && whole.refusal == parts.refusal);
	fuzz_must(sp_slice_eq(sp_buf_data(&whole.trailers), sp_buf_data(&parts.trailers)));
	if (!whole.err)
		fuzz_must(whole.used == parts.used && sp_slice_eq(sp_buf_data(&whole.payload), sp_buf_data(&parts.payload)));
	if (whole.done)
		check_again(&whole);
	deinit(&whole);
	deinit(&parts);
	return 0;
}
