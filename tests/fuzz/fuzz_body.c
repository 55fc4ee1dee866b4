/* Bodies of HTTP/1.1. The first byte chooses the framing and the pieces, the rest is what the peer sent. The pieces must not matter, and what
 * was decoded is encoded and decoded again. */
#include "fuzz.h"

#include "base/error.h"
#include "codec/body.h"

#define LENGTH 37

struct outcome {
	struct sp_buf payload;
	size_t used;
	int err;
	bool done;
	enum sp_http_refusal refusal;
};

static void decode(enum sp_http_framing framing, uint64_t length, struct sp_slice in, size_t piece, struct outcome *o)
{
	struct sp_http_body b;

	*o = (struct outcome){ 0 };
	fuzz_must(sp_http_body_init(&b, framing, length, NULL) == 0);
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
	fuzz_must(b.total == o->payload.len || o->err);
	sp_http_body_deinit(&b);
}

static void check_again(const struct outcome *o)
{
	struct sp_http_encoder e;
	struct sp_buf b = { 0 };
	struct outcome again;

	sp_http_encoder_init(&e, SP_BODY_CHUNKED, 0);
	fuzz_must(sp_http_encoder_write(&e, sp_buf_data(&o->payload), &b) == 0);
	fuzz_must(sp_http_encoder_end(&e, NULL, &b) == 0);
	decode(SP_BODY_CHUNKED, 0, sp_buf_data(&b), SIZE_MAX, &again);
	fuzz_must(again.done && again.used == b.len && sp_slice_eq(sp_buf_data(&again.payload), sp_buf_data(&o->payload)));
	sp_buf_deinit(&again.payload);
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
	if (!whole.err)
		fuzz_must(whole.used == parts.used && sp_slice_eq(sp_buf_data(&whole.payload), sp_buf_data(&parts.payload)));
	if (whole.done)
		check_again(&whole);
	sp_buf_deinit(&whole.payload);
	sp_buf_deinit(&parts.payload);
	return 0;
}
