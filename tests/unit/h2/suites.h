#ifndef SP_TESTS_UNIT_H2_SUITES_H
#define SP_TESTS_UNIT_H2_SUITES_H

#include "../run.h"

Suite *suite_basic(void);
Suite *sp_suite_h2_streams(void);
Suite *sp_suite_h2_messages(void);

#endif
