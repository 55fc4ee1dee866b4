#ifndef SP_TESTS_H2_SUITES_H
#define SP_TESTS_H2_SUITES_H

#include <check.h>

Suite *suite_basic(void);

#endif
