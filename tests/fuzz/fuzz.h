/* What the fuzz targets share. A target's oracle is fuzz_must(): a false one is a finding like a crash. */
#ifndef SP_TESTS_FUZZ_FUZZ_H
#define SP_TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

#define fuzz_must(expr) ((expr) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #expr))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static inline void fuzz_failed(const char *file, int line, const char *expr)
{
	fprintf(stderr, "%s:%d: oracle failed: %s\n", file, line, expr);
	abort();
}

/* Does s lie inside in? */
static inline int fuzz_inside(struct sp_slice s, struct sp_slice in)
{
	return s.p >= in.p && s.n <= in.n && (size_t)(s.p - in.p) <= in.n - s.n;
}

static inline long fuzz_parse_exact(long (*parse)(struct sp_slice in), const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1); /* of exactly n bytes, for AddressSanitizer */
	long got;

	if (n > 0)
		memcpy(copy, p, n);
	got = parse(sp_slice_make(copy, n));
	free(copy);
	return got;
}

/* A parser sees a growing input. What it answered to n bytes must fit what it answers to more of them: "more" only when
 * the message really ends later, a refusal and an acceptance for good. All prefixes of small inputs, some of large ones. */
static inline void fuzz_check_growth(long (*parse)(struct sp_slice in), struct sp_slice in)
{
	long whole = parse(in);
	size_t n, step = in.n / 24 + 1;

	fuzz_must(whole <= (long)in.n);
	for (n = in.n % step; n < in.n; n += step) {
		long got = fuzz_parse_exact(parse, in.p, n);

		fuzz_must(got <= (long)n);
		if (got < 0)
			fuzz_must(whole < 0);
		else if (got > 0)
			fuzz_must(whole == got);
		else
			fuzz_must(whole <= 0 || whole > (long)n);
	}
	if (whole > 0) {
		fuzz_must(fuzz_parse_exact(parse, in.p, (size_t)whole) == whole);
		fuzz_must(fuzz_parse_exact(parse, in.p, (size_t)whole - 1) == 0);
	}
}

#endif
