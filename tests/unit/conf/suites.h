#ifndef SP_TESTS_UNIT_CONF_SUITES_H
#define SP_TESTS_UNIT_CONF_SUITES_H

#include "../run.h"

Suite *sp_suite_connector(void);
Suite *sp_suite_keys(void);
Suite *sp_suite_listeners(void);
Suite *sp_suite_plugin(void);
Suite *sp_suite_samples(void);
Suite *sp_suite_secret(void);
Suite *sp_suite_source(void);
Suite *sp_suite_texts(void);

#endif
