#ifndef SP_TESTS_UNIT_BACK_SUITES_H
#define SP_TESTS_UNIT_BACK_SUITES_H

#include "../peer.h"
#include "../run.h"

Suite *sp_suite_direct(void);
Suite *sp_suite_origin(void);
Suite *sp_suite_exposed(void);
Suite *sp_suite_pool(void);
Suite *sp_suite_connectors(void);
Suite *sp_suite_credential(void);
Suite *sp_suite_regions(void);

#endif
