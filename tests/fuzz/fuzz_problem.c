/* Bodies of failures. Input: Accept up to the first NUL, then the detail. What is written as JSON is read again by a strict reader of
 * strings, whatever the bytes were. */
#include "fuzz.h"

#include "base/text.h"
#include "codec/problem.h"

/* A JSON string at the beginning of s: its bytes with both quotes. */
static size_t string_length(struct sp_slice s)
{
	size_t i = 1;

	fuzz_must(s.n > 1 && s.p[0] == '"');
	while (i < s.n && s.p[i] != '"') {
		size_t n = sp_utf8_length(sp_slice_make(s.p + i, s.n - i));

		fuzz_must(n > 0 && s.p[i] >= 0x20);
		if (s.p[i] == '\\') {
			fuzz_must(s.n - i > 1 && strchr("\"\\u", s.p[i + 1]));
			n = s.p[i + 1] == 'u' ? 6 : 2;
			fuzz_must(s.n - i > n);
			for (size_t k = 2; k < n; k++)
				fuzz_must(strchr("0123456789abcdef", s.p[i + k]) && s.p[i + k]);
		}
		i += n;
	}
	fuzz_must(i < s.n);
	return i + 1;
}

static struct sp_slice after(struct sp_slice s, const char *text)
{
	size_t n = strlen(text);

	fuzz_must(s.n >= n && memcmp(s.p, text, n) == 0);
	return sp_slice_make(s.p + n, s.n - n);
}

static void check_json(const struct sp_problem *p)
{
	struct sp_buf b = { 0 };
	struct sp_slice rest;
	size_t n;

	fuzz_must(sp_problem_write(p, SP_PROBLEM_JSON, &b) == 0);
	rest = after(sp_buf_data(&b), "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,\"detail\":");
	n = string_length(rest);
	rest = sp_slice_make(rest.p + n, rest.n - n);
	rest = after(rest, ",\"outcome\":\"refused\",\"exchange\":\"0123456789abcdef\"}\n");
	fuzz_must(rest.n == 0);
	sp_buf_deinit(&b);
}

/* Text that comes from outside has no NUL: sp_problem_write() hands on all of it. */
static void check_text(const struct sp_problem *p)
{
	struct sp_buf b = { 0 };
	struct sp_slice rest;

	if (p->detail.n > 0 && memchr(p->detail.p, 0, p->detail.n))
		return;
	fuzz_must(sp_problem_write(p, SP_PROBLEM_TEXT, &b) == 0);
	rest = after(sp_buf_data(&b), "refused: ");
	fuzz_must(rest.n > p->detail.n && sp_slice_eq(sp_slice_make(rest.p, p->detail.n), p->detail));
	rest = after(sp_slice_make(rest.p + p->detail.n, rest.n - p->detail.n), ".\nexchange 0123456789abcdef\n");
	fuzz_must(rest.n == 0);
	sp_buf_deinit(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *nul = n > 0 ? memchr(data, 0, n) : NULL;
	struct sp_slice accept = { data, nul ? (size_t)(nul - data) : n };
	struct sp_problem p = { .status = 502, .word = "refused", .exchange = "0123456789abcdef" };
	enum sp_problem_format format = sp_problem_format(accept);
	bool named = false;

	/* JSON for nobody who did not name it */
	for (size_t i = 0; i + 4 <= accept.n && !named; i++)
		named = sp_slice_eq_str_nocase(sp_slice_make(accept.p + i, 4), "json");
	fuzz_must(format == SP_PROBLEM_TEXT || (format == SP_PROBLEM_JSON && named));
	fuzz_must(sp_problem_type(format));
	p.detail = nul ? sp_slice_make(nul + 1, n - accept.n - 1) : accept;
	check_json(&p);
	check_text(&p);
	return 0;
}
