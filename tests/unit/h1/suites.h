#ifndef SP_TESTS_UNIT_H1_SUITES_H
#define SP_TESTS_UNIT_H1_SUITES_H

#include "../run.h"

Suite *sp_suite_h1_server(void);
Suite *sp_suite_h1_client(void);
Suite *sp_suite_h1_stream(void);
Suite *sp_suite_h1_faults(void);

#endif
