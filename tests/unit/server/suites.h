#ifndef SP_TESTS_SERVER_SUITES_H
#define SP_TESTS_SERVER_SUITES_H

#include <check.h>

Suite *suite_policy(void);

#endif
