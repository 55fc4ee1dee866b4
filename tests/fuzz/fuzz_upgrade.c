/* The first byte chooses: a gateway's answer, a connector's request, or values from which a request is written. */
#include "fuzz.h"

#include "base/error.h"
#include "codec/upgrade.h"

#define MAX_BYTES 8192

static struct sp_http_request req;
static unsigned status, retry;
static struct sp_slice proxy_status;

static long parse_answer(struct sp_slice in)
{
	return sp_upgrade_answer_parse(in, &status, &retry, &proxy_status);
}

static bool same(const struct sp_upgrade *a, const struct sp_upgrade *b)
{
	return strcmp(a->location, b->location) == 0 && strcmp(a->connector_id, b->connector_id) == 0 &&
	       strcmp(a->instance, b->instance) == 0 && strcmp(a->version, b->version) == 0 && a->index == b->index;
}

/* What is written is read back, and there is nothing behind it. */
static void check_round_trip(const char *host, const struct sp_upgrade *u, struct sp_slice bearer)
{
	struct sp_buf b = { 0 };
	struct sp_upgrade back;
	const char *why = NULL;
	char value[4096];

	if (sp_upgrade_request_write(&b, host, u, bearer)) {
		fuzz_must(b.len == 0);
		sp_buf_deinit(&b);
		return;
	}
	fuzz_must(sp_http_request_parse(sp_buf_data(&b), MAX_BYTES, &req) == (long)b.len);
	fuzz_must(sp_upgrade_request_read(&req, &back, &why) == 0);
	fuzz_must(same(u, &back));
	fuzz_must(sp_fields_count(&req.fields, "authorization") == (bearer.p != NULL));
	if (bearer.p) {
		snprintf(value, sizeof(value), "Bearer %.*s", SP_SLICE_ARG(bearer));
		fuzz_must(sp_slice_eq_str(sp_fields_get(&req.fields, "authorization"), value));
	}
	sp_buf_deinit(&b);
}

static void read_request(struct sp_slice in)
{
	struct sp_upgrade u;
	const char *why = NULL;
	char host[SP_AUTHORITY_SIZE];

	if (sp_http_request_parse(in, MAX_BYTES, &req) <= 0)
		return;
	if (sp_upgrade_request_read(&req, &u, &why)) {
		fuzz_must(why != NULL);
		return;
	}
	sp_authority_text(&req.authority, host);
	check_round_trip(host, &u, SP_SLICE_NONE);
}

/* Values end at a NUL. */
static struct sp_slice take_value(struct sp_slice *in, size_t max)
{
	const uint8_t *nul = in->n > 0 ? memchr(in->p, '\0', in->n) : NULL;
	size_t n = nul ? (size_t)(nul - in->p) : in->n;
	struct sp_slice s = sp_slice_make(in->p, n < max ? n : max - 1);

	in->p += nul ? n + 1 : n;
	in->n -= nul ? n + 1 : n;
	return s;
}

static void write_request(struct sp_slice in)
{
	struct sp_upgrade u = { 0 };
	struct sp_slice bearer;
	char host[300];

	sp_slice_copy(take_value(&in, sizeof(host)), host, sizeof(host));
	sp_slice_copy(take_value(&in, sizeof(u.location)), u.location, sizeof(u.location));
	sp_slice_copy(take_value(&in, sizeof(u.connector_id)), u.connector_id, sizeof(u.connector_id));
	sp_slice_copy(take_value(&in, sizeof(u.instance)), u.instance, sizeof(u.instance));
	sp_slice_copy(take_value(&in, sizeof(u.version)), u.version, sizeof(u.version));
	if (u.instance[0])
		u.index = (unsigned)strlen(u.location);
	bearer = take_value(&in, 2048);
	check_round_trip(host, &u, bearer.n > 0 ? bearer : SP_SLICE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_slice in;

	if (n == 0)
		return 0;
	in = sp_slice_make(data + 1, n - 1);
	switch (data[0] % 3) {
	case 0:
		fuzz_check_growth(parse_answer, in);
		if (parse_answer(in) <= 0)
			break;
		fuzz_must(status == 101 || (status >= 200 && status <= 599));
		fuzz_must(!proxy_status.p || fuzz_inside(proxy_status, in));
		break;
	case 1:
		read_request(in);
		break;
	default:
		write_request(in);
	}
	return 0;
}
