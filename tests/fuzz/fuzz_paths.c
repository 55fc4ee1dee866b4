/* Paths of requests against rules, and values of responses that name a system. */
#include "fuzz.h"

#include "base/list.h"
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
		if (p[i] == '%' && n - i > 2 && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			p[kept++] = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			p[kept++] = p[i] == '\\' ? '/' : p[i];
		}
	}
	return kept;
}

/* Segments without parameters, dots and spaces at their ends, in lower case; what follows "?" or "#" is no path. */
static size_t squeeze(char *p)
{
	size_t kept = 0, name = 0;
	bool skipping = false;

	for (size_t i = 0;; i++) {
		bool ends_path = p[i] == '\0' || p[i] == '?' || p[i] == '#';

		if (ends_path || p[i] == '/' || p[i] == ';') {
			while (kept > name && (p[kept - 1] == '.' || p[kept - 1] == ' '))
				kept--;
			skipping = p[i] == ';';
		}
		if (ends_path)
			break;
		if (!skipping)
			p[kept++] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] | 0x20) : p[i];
		if (p[i] == '/')
			name = kept;
	}
	if (kept > 1 && p[kept - 1] == '/')
		kept--;
	p[kept] = '\0';
	return kept;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static void check_careless(char *path, size_t n)
{
	fuzz_must(memchr(path, 0, n) == NULL);
	fuzz_must(!strstr(path, "/../") && !strstr(path, "/./") && !strstr(path, "//") && !strstr(path, "/..;"));
	squeeze(path);
	fuzz_must(!strstr(path, "//"));
	fuzz_must(is_below(path, "/open") && !is_below(path, "/open/closed") && strcmp(path, "/open/off") != 0);
	fuzz_must(strcmp(path, "/open/dir") != 0 && !is_below(path, "/open/dir") && !is_below(path, "/open/post"));
}

static void check_path(struct sp_slice in)
{
	static const char *const posts[] = { "POST", NULL };
	static const struct sp_path_rule rules[] = {
		{ "/open", true, false, NULL },	     { "/open/closed", true, true, NULL }, { "/open/off", false, true, NULL },
		{ "/open/dir/", true, true, NULL },  { "/open/post", true, false, posts },
	};
	const uint8_t *query = in.n > 0 ? memchr(in.p, '?', in.n) : NULL;
	size_t n = query ? (size_t)(query - in.p) : in.n;
	uint8_t *copy;

	if (sp_paths_check(rules, SP_COUNT_OF(rules), SP_SLICE("GET"), in) != SP_PATH_ALLOWED)
		return;
	copy = malloc(n + 1);
	fuzz_must(copy);
	for (unsigned times = 1; times <= 2; times++) {
		size_t left = n;

		memcpy(copy, in.p, n);
		for (unsigned i = 0; i < times; i++)
			left = decode(copy, left);
		copy[left] = '\0';
		check_careless((char *)copy, left);
	}
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
