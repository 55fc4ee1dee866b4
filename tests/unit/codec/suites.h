#ifndef SP_TESTS_UNIT_CODEC_SUITES_H
#define SP_TESTS_UNIT_CODEC_SUITES_H

#include "../run.h"

#include <string.h>

#include "base/must.h"
#include "base/slice.h"

/* fail_malloc_after() of ../fail_malloc.h, for all suites. */
void after_mallocs_fail(int n);

Suite *sp_suite_authority(void);
Suite *sp_suite_body(void);
Suite *sp_suite_credentials(void);
Suite *sp_suite_encoder(void);
Suite *sp_suite_fields(void);
Suite *sp_suite_hop(void);
Suite *sp_suite_http1(void);
Suite *sp_suite_message(void);
Suite *sp_suite_outcome(void);
Suite *sp_suite_paths(void);
Suite *sp_suite_problem(void);
Suite *sp_suite_rewrite(void);
Suite *sp_suite_socks5(void);
Suite *sp_suite_upgrade(void);

/* A copy in memory of exactly its size, so that AddressSanitizer sees a read past the end. free() .p. */
static inline struct sp_slice exact_copy(struct sp_slice s)
{
	uint8_t *p = malloc(s.n ? s.n : 1);

	ck_assert_ptr_nonnull(p);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return sp_slice_make(p, s.n);
}

/* Parses every prefix of `in`: below `whole` bytes the answer must be 0, or the same error for good once it came; from
 * there on always `whole`. whole 0: never complete; whole < 0: refused at the latest at the end. */
static inline void check_prefixes(const char *name, struct sp_slice in, long whole, long (*parse)(struct sp_slice in))
{
	long refused = 0;
	size_t n;

	for (n = 0; n <= in.n; n++) {
		struct sp_slice part = exact_copy(sp_slice_make(in.p, n));
		long got = parse(part);

		free((void *)(uintptr_t)part.p);
		if (whole > 0)
			ck_assert_msg(got == (n < (size_t)whole ? 0 : whole), "%s: %ld after %zu bytes", name, got, n);
		else if (refused)
			ck_assert_msg(got < 0, "%s: %ld after %zu bytes, refused before", name, got, n);
		else if (whole == 0)
			ck_assert_msg(got == 0, "%s: %ld after %zu bytes", name, got, n);
		else
			ck_assert_msg(got == 0 || got == whole, "%s: %ld after %zu bytes", name, got, n);
		if (got < 0)
			refused = got;
	}
	if (whole < 0)
		ck_assert_msg(refused == whole, "%s: not refused", name);
}

#endif
