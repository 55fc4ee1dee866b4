#include "codec/paths.h"

#include "base/error.h"
#include "base/must.h"
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
		} else if (c == '#' || (c != '/' && steers(c))) {
			return SP_EPROTO;
		}
		if (out->n == sizeof(out->bytes))
			return SP_ETOOBIG;
		out->bytes[out->n++] = (uint8_t)c;
	}
	return 0;
}

/* Where a segment's name ends for readers that know parameters, or that look for the query after they have decoded. */
static bool ends_name(uint8_t c)
{
	return c == ';' || c == '?' || c == '#';
}

/* Windows drops dots and spaces at the end of a name. */
static bool is_dropped(uint8_t c)
{
	return c == '.' || c == ' ';
}

/* Would a reader that decodes once more see something else that steers? */
static bool is_doubly_encoded(const struct path *p)
{
	for (size_t i = 0; i < p->n; i++) {
		int c = p->bytes[i] == '%' ? decode_one(p->bytes + i, p->n - i) : -1;

		if (c >= 0 && (steers(c) || ends_name((uint8_t)c) || is_dropped((uint8_t)c) || c == '%'))
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

/* Segments as any server sees them: not empty but for the last, and no "." or "..", nor what may be taken for them, with or without
 * parameters. */
static bool has_plain_segments(const struct path *p)
{
	size_t start = 1, i;

	for (i = 1; i <= p->n; i++) {
		size_t n = i - start, name = 0, dropped = 0;

		if (i < p->n && p->bytes[i] != '/')
			continue;
		for (; name < n && !ends_name(p->bytes[start + name]); name++)
			dropped += is_dropped(p->bytes[start + name]);
		if (dropped == name && (i < p->n || n > 0))
			return false;
		start = i + 1;
	}
	return true;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

/* The other reading: in lower case, without parameters of segments, dots and spaces at their ends, what may be a query, and the last
 * slash. */
static void loosen(struct path *p)
{
	size_t kept = 0;
	bool skipping = false;

	for (size_t i = 0; i <= p->n; i++) {
		uint8_t c = i < p->n ? p->bytes[i] : '?';
		bool ends_path = c == '?' || c == '#';

		if (c == '/' || ends_name(c)) {
			while (!skipping && kept > 0 && is_dropped(p->bytes[kept - 1]))
				kept--;
			skipping = c != '/';
		}
		if (ends_path)
			break;
		if (!skipping)
			p->bytes[kept++] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
	}
	p->n = kept > 1 && p->bytes[kept - 1] == '/' ? kept - 1 : kept;
}

static void read_rule(const struct sp_path_rule *r, bool loose, struct path *out)
{
	out->n = strlen(r->path);
	sp_must(out->n > 0 && out->n <= sizeof(out->bytes));
	memcpy(out->bytes, r->path, out->n);
	if (loose)
		loosen(out);
}

static bool fits(const struct path *p, const struct path *rule, bool sub_paths)
{
	if (p->n < rule->n || memcmp(p->bytes, rule->bytes, rule->n) != 0)
		return false;
	if (p->n == rule->n)
		return true;
	return sub_paths && (p->bytes[rule->n] == '/' || rule->bytes[rule->n - 1] == '/');
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

static enum sp_path_verdict apply(const struct sp_path_rule *r, struct sp_slice method)
{
	if (r->suspended)
		return SP_PATH_SUSPENDED;
	return has_method(r, method) ? SP_PATH_ALLOWED : SP_PATH_METHOD;
}

/* Of rules that read the same here, all must allow it. */
static enum sp_path_verdict judge(const struct path *p, bool loose, const struct sp_path_rule *rules, unsigned count,
				  struct sp_slice method)
{
	enum sp_path_verdict verdict = SP_PATH_DENIED, one;
	struct path rule;
	size_t best = 0;

	for (unsigned i = 0; i < count; i++) {
		read_rule(&rules[i], loose, &rule);
		if (rule.n < best || !fits(p, &rule, rules[i].sub_paths))
			continue;
		one = apply(&rules[i], method);
		if (rule.n > best || one != SP_PATH_ALLOWED)
			verdict = one;
		best = rule.n;
	}
	return verdict;
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
