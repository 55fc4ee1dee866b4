/* The first byte chooses request or response, the rest is what the peer sent. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/error.h"
#include "codec/http1.h"

#define MAX_BYTES 2048

static struct sp_http_request req, again_req;
static struct sp_http_response res, again_res;

static long parse_request(struct sp_slice in)
{
	return sp_http_request_parse(in, MAX_BYTES, &req);
}

static long parse_response(struct sp_slice in)
{
	return sp_http_response_parse(in, MAX_BYTES, &res);
}

static void check_text(struct sp_slice s, struct sp_slice in)
{
	size_t i;

	fuzz_must(fuzz_inside(s, in));
	for (i = 0; i < s.n; i++)
		fuzz_must((s.p[i] >= 0x20 || s.p[i] == '\t') && s.p[i] != 0x7f);
}

static void write_fields(struct sp_buf *b, const struct sp_fields *f, struct sp_slice in)
{
	unsigned i;

	fuzz_must(f->count <= SP_FIELDS_MAX);
	for (i = 0; i < f->count; i++) {
		check_text(f->v[i].value, in);
		fuzz_must(fuzz_inside(f->v[i].name, in) && sp_http_is_token(f->v[i].name));
		sp_buf_append_slice(b, f->v[i].name);
		sp_buf_append_str(b, ": ");
		sp_buf_append_slice(b, f->v[i].value);
		sp_buf_append_str(b, "\r\n");
	}
	sp_buf_append_str(b, "\r\n");
}

static void check_same_fields(const struct sp_fields *a, const struct sp_fields *b)
{
	unsigned i;

	fuzz_must(a->count == b->count);
	for (i = 0; i < a->count; i++) {
		fuzz_must(sp_slice_eq(a->v[i].name, b->v[i].name) && sp_slice_eq(a->v[i].value, b->v[i].value));
		fuzz_must(a->v[i].secret == b->v[i].secret);
	}
}

/* However the next reader decides, it has one framing to choose from. */
static void check_framing(const struct sp_fields *f, enum sp_http_framing body)
{
	unsigned lengths = sp_fields_count(f, "content-length"), codings = sp_fields_count(f, "transfer-encoding");

	fuzz_must(lengths + codings <= 1);
	if (body == SP_BODY_LENGTH)
		fuzz_must(lengths == 1);
	if (body == SP_BODY_CHUNKED)
		fuzz_must(sp_fields_has_token(f, "transfer-encoding", "chunked"));
}

static void check_request(struct sp_slice in)
{
	struct sp_buf b = { 0 };

	check_text(req.method, in);
	check_text(req.target, in);
	check_framing(&req.fields, req.body);
	fuzz_must(req.minor <= 1 && sp_fields_count(&req.fields, "host") <= 1);
	if (req.form == SP_TARGET_AUTHORITY)
		fuzz_must(req.body == SP_BODY_NONE && sp_slice_eq_str(req.method, "CONNECT"));
	else
		fuzz_must(req.path.n > 0 && (req.path.p[0] == '/' || req.path.p[0] == '*'));
	if (req.form == SP_TARGET_AUTHORITY || req.form == SP_TARGET_ABSOLUTE || req.minor == 1)
		fuzz_must(req.authority.host[0] != '\0' && req.authority.port != 0);
	sp_buf_printf(&b, "%.*s %.*s HTTP/1.%u\r\n", SP_SLICE_ARG(req.method), SP_SLICE_ARG(req.target), req.minor);
	write_fields(&b, &req.fields, in);
	fuzz_must(sp_http_request_parse(sp_buf_data(&b), b.len + 1, &again_req) == (long)b.len);
	fuzz_must(again_req.form == req.form && again_req.body == req.body);
	fuzz_must(again_req.content_length == req.content_length && again_req.minor == req.minor);
	fuzz_must(sp_slice_eq(again_req.path, req.path) && sp_authority_eq(&again_req.authority, &req.authority));
	check_same_fields(&again_req.fields, &req.fields);
	sp_buf_deinit(&b);
}

static void check_response(struct sp_slice in)
{
	struct sp_buf b = { 0 };

	fuzz_must(res.status >= 100 && res.status <= 599 && res.minor <= 1);
	if (res.reason.n > 0)
		check_text(res.reason, in);
	check_framing(&res.fields, res.body);
	sp_buf_printf(&b, "HTTP/1.%u %u ", res.minor, res.status);
	sp_buf_append_slice(&b, res.reason);
	sp_buf_append_str(&b, "\r\n");
	write_fields(&b, &res.fields, in);
	fuzz_must(sp_http_response_parse(sp_buf_data(&b), b.len + 1, &again_res) == (long)b.len);
	fuzz_must(again_res.status == res.status && again_res.body == res.body);
	fuzz_must(again_res.content_length == res.content_length && sp_slice_eq(again_res.reason, res.reason));
	check_same_fields(&again_res.fields, &res.fields);
	sp_buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_slice in;
	long got;

	if (n == 0)
		return 0;
	in = sp_slice_make(data + 1, n - 1);
	fuzz_check_growth(data[0] & 1 ? parse_response : parse_request, in);
	got = data[0] & 1 ? parse_response(in) : parse_request(in);
	fuzz_must(got >= 0 || got == SP_EPROTO || got == SP_ETOOBIG);
	if (got <= 0)
		return 0;
	if (data[0] & 1)
		check_response(in);
	else
		check_request(in);
	return 0;
}
