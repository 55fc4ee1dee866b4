/* Runs the suites of one folder and speaks TAP on standard output. CK_FORK=no and CK_RUN_CASE work as Check documents. */
#ifndef SP_TESTS_UNIT_RUN_H
#define SP_TESTS_UNIT_RUN_H

#include <check.h>
#include <stdlib.h>

typedef Suite *sp_suite_fn(void);

static inline int sp_run_suites(sp_suite_fn *const *list)
{
	SRunner *sr = srunner_create(NULL);
	int failed;

	for (; *list; list++)
		srunner_add_suite(sr, (*list)());
	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
