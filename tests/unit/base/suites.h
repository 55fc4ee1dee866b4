#ifndef SP_TESTS_UNIT_BASE_SUITES_H
#define SP_TESTS_UNIT_BASE_SUITES_H

#include "../run.h"

Suite *sp_suite_addr(void);
Suite *sp_suite_buf(void);
Suite *sp_suite_error(void);
Suite *sp_suite_list(void);
Suite *sp_suite_log(void);
Suite *sp_suite_secret(void);
Suite *sp_suite_slice(void);
Suite *sp_suite_text(void);

#endif
