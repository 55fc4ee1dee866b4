#include "codec/paths.h"

#include "base/error.h"
#include "base/text.h"

#define PATH_MAX_BYTES 8192 /* decoded; longer ones are refused where paths matter */

struct path { /* decoded */
	uint8_t bytes[PATH_MAX_BYTES];
	size_t n;
};

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "%xy" at p stands for, or -1. */
static int decode_one(const uint8_t *p, size_t n)
{
	int high = n >= 3 && p[0] == '%' ? hex(p[1]) : -1, low = high >= 0 ? hex(p[2]) : -1;

	return low < 0 ? -1 : high << 4 | low;
}

/* Bytes that steer readers: they may not hide in an encoding. */
static bool steers(int c)
{
	return c < 0x20 || c == 0x7f || c == '/' || c == '\\';
}

static int decode(struct sp_slice in, struct path *out)
{
	out->n = 0;
	for (size_t i = 0; i < in.n && in.p[i] != '?'; i++) {
		int c = in.p[i];

		if (c == '%') {
			c = decode_one(in.p + i, in.n - i);
			if (c < 0 || steers(c))
				return SP_EPROTO;
			i += 2;
		} else if (c != '/' && steers(c)) {
			return SP_EPROTO;
		}
		if (out->n == sizeof(out->bytes))
			return SP_ETOOBIG;
		out->bytes[out->n++] = (uint8_t)c;
	}
	return 0;
}

/* Would a reader that decodes once more see something else that steers? */
static bool is_doubly_encoded(const struct path *p)
{
	for (size_t i = 0; i < p->n; i++) {
		int c = p->bytes[i] == '%' ? decode_one(p->bytes + i, p->n - i) : -1;

		if (c >= 0 && (steers(c) || c == '.' || c == '%'))
			return true;
	}
	return false;
}

static bool is_utf8(const struct path *p)
{
	size_t i = 0, n;

	for (; i < p->n; i += n) {
		n = sp_utf8_length(sp_slice_make(p->bytes + i, p->n - i));
		if (n == 0)
			return false;
	}
	return true;
}

/* Segments as any server sees them: not empty but for the last, and no "." or "..", with or without parameters. */
static bool has_plain_segments(const struct path *p)
{
	size_t start = 1, i;

	for (i = 1; i <= p->n; i++) {
		size_t n = i - start, bare = 0;

		if (i < p->n && p->bytes[i] != '/')
			continue;
		while (bare < n && p->bytes[start + bare] != ';')
			bare++;
		if (bare == 0 && (i < p->n || n > 0))
			return false;
		if ((bare == 1 || bare == 2) && p->bytes[start] == '.' && p->bytes[start + bare - 1] == '.')
			return false;
		start = i + 1;
	}
	return true;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

/* The other reading: without parameters of segments, and in lower case. */
static void loosen(struct path *p)
{
	size_t kept = 0;
	bool skipping = false;

	for (size_t i = 0; i < p->n; i++) {
		uint8_t c = p->bytes[i];

		if (c == '/' || c == ';')
			skipping = c == ';';
		if (!skipping)
			p->bytes[kept++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
	}
	p->n = kept;
}

static bool fits(const struct path *p, const struct sp_path_rule *r, bool loose)
{
	size_t n = strlen(r->path);
	struct sp_slice rule = sp_slice_str(r->path), head = sp_slice_make(p->bytes, p->n < n ? p->n : n);

	if (!(loose ? sp_slice_eq_nocase(head, rule) : sp_slice_eq(head, rule)))
		return false;
	if (p->n == n)
		return true;
	return r->sub_paths && (p->bytes[n] == '/' || rule.p[n - 1] == '/');
}

static bool has_method(const struct sp_path_rule *r, struct sp_slice method)
{
	const char *const *m = r->methods;

	if (!m)
		return true;
	for (; *m; m++)
		if (sp_slice_eq_str(method, *m))
			return true;
	return false;
}

static enum sp_path_verdict judge(const struct path *p, bool loose, const struct sp_path_rule *rules, unsigned count,
				  struct sp_slice method)
{
	const struct sp_path_rule *best = NULL;

	for (unsigned i = 0; i < count; i++)
		if (fits(p, &rules[i], loose) && (!best || strlen(rules[i].path) > strlen(best->path)))
			best = &rules[i];
	if (!best)
		return SP_PATH_DENIED;
	if (best->suspended)
		return SP_PATH_SUSPENDED;
	return has_method(best, method) ? SP_PATH_ALLOWED : SP_PATH_METHOD;
}

static bool is_everything(const struct sp_path_rule *r)
{
	return r->sub_paths && !r->suspended && !r->methods && strcmp(r->path, "/") == 0;
}

enum sp_path_verdict sp_paths_check(const struct sp_path_rule *rules, unsigned count, struct sp_slice method, struct sp_slice path)
{
	enum sp_path_verdict verdict;
	struct path p;

	if (count == 1 && is_everything(&rules[0]))
		return SP_PATH_ALLOWED;
	if (path.n == 0 || path.p[0] != '/')
		return sp_slice_eq_str(path, "*") ? SP_PATH_DENIED : SP_PATH_MALFORMED;
	if (decode(path, &p) < 0 || is_doubly_encoded(&p) || !is_utf8(&p) || !has_plain_segments(&p))
		return SP_PATH_MALFORMED;
	verdict = judge(&p, false, rules, count, method);
	if (verdict != SP_PATH_ALLOWED)
		return verdict;
	loosen(&p);
	return judge(&p, true, rules, count, method);
}
