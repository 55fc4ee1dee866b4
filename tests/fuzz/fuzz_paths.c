/* Paths of requests against rules, and values of responses that name a system. */
#include "fuzz.h"

#include "base/error.h"
#include "codec/paths.h"
#include "codec/rewrite.h"

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* As the most careless server would. */
static size_t decode(uint8_t *p, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '%' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			p[kept++] = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			p[kept++] = p[i] == '\\' ? '/' : p[i];
		}
	}
	return kept;
}

static void check_path(struct sp_slice in)
{
	static const struct sp_path_rule rules[] = { { "/open", true, false, NULL }, { "/open/closed", true, true, NULL } };
	enum sp_path_verdict v = sp_paths_check(rules, 2, SP_SLICE("GET"), in);
	const uint8_t *query = in.n > 0 ? memchr(in.p, '?', in.n) : NULL;
	size_t n = query ? (size_t)(query - in.p) : in.n;
	uint8_t *copy;

	if (v != SP_PATH_ALLOWED)
		return;
	copy = malloc(n + 1);
	memcpy(copy, in.p, n);
	n = decode(copy, decode(copy, n));
	copy[n] = '\0';
	fuzz_must(memchr(copy, 0, n) == NULL);
	fuzz_must(strncmp((char *)copy, "/open", 5) == 0 && (n == 5 || copy[5] == '/'));
	fuzz_must(!strstr((char *)copy, "/../") && !strstr((char *)copy, "/./") && !strstr((char *)copy, "//") && !strstr((char *)copy, "/..;"));
	fuzz_must(strncmp((char *)copy, "/open/closed", 12) != 0 || (n > 12 && copy[12] != '/' && copy[12] != ';'));
	free(copy);
}

typedef int rewrite_fn(const struct sp_rewrite *r, struct sp_slice value, struct sp_buf *out);

static void check_rewrite(rewrite_fn *fn, struct sp_slice in)
{
	static const struct sp_authority internal = { .host = "erp.corp.local", .port = 8000 }, virtual = { .host = "erp.virtual", .port = 80 };
	struct sp_rewrite r = { &internal, &virtual, in.n > 0 && in.p[0] & 1 };
	struct sp_buf out = { 0 }, again = { 0 };
	int did;

	for (size_t i = 0; i < in.n; i++)
		if (in.p[i] < 0x20 || in.p[i] == 0x7f)
			return; /* no value of a field */
	did = fn(&r, in, &out);
	fuzz_must(did == 0 || did == 1);
	fuzz_must(did || out.len == 0);
	for (size_t i = 0; i < out.len; i++)
		fuzz_must(sp_buf_data(&out).p[i] >= 0x20);
	/* once is enough */
	if (did && fn(&r, sp_buf_data(&out), &again) == 1)
		fuzz_must(sp_slice_eq(sp_buf_data(&again), sp_buf_data(&out)));
	sp_buf_deinit(&out);
	sp_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_slice in = { data, n };

	check_path(in);
	check_rewrite(sp_rewrite_location, in);
	check_rewrite(sp_rewrite_cookie, in);
	return 0;
}
