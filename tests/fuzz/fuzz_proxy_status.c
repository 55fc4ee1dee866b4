/* The first two bytes are an HTTP status, the rest is the value of a Proxy-Status field. */
#include "fuzz.h"

#include "base/buf.h"
#include "codec/outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_slice in, error, details, error2, details2;
	struct sp_buf b = { 0 };
	enum sp_outcome o;
	int err;

	if (n < 2)
		return 0;
	in = sp_slice_make(data + 2, n - 2);
	o = sp_outcome_of_answer((unsigned)(data[0] << 8 | data[1]), in);
	fuzz_must((unsigned)o < SP_OUTCOME_COUNT && o != SP_OUTCOME_NO_CREDENTIAL && o != SP_OUTCOME_CLIENT_GONE);
	err = sp_proxy_status_read(in, &error, &details);
	fuzz_must(err == 0 || err == SP_EPROTO);
	if (err)
		return 0;
	fuzz_must(!error.p || fuzz_inside(error, in));
	fuzz_must(!details.p || fuzz_inside(details, in));
	sp_buf_append_str(&b, "hop");
	if (error.p) {
		sp_buf_append_str(&b, ";error=");
		sp_buf_append_slice(&b, error);
	}
	if (details.p) {
		sp_buf_append_str(&b, "; details=\"");
		sp_buf_append_slice(&b, details);
		sp_buf_append_str(&b, "\"");
	}
	sp_buf_append_str(&b, ", other;error=x");
	fuzz_must(sp_proxy_status_read(sp_buf_data(&b), &error2, &details2) == 0);
	fuzz_must(sp_slice_eq(error, error2) && sp_slice_eq(details, details2));
	fuzz_must(!error.p == !error2.p && !details.p == !details2.p);
	sp_buf_deinit(&b);
	return 0;
}
