#ifndef SP_TESTS_PLUGINS_SUITES_H
#define SP_TESTS_PLUGINS_SUITES_H

#include <check.h>

Suite *suite_common(void);
Suite *suite_devtoken(void);
Suite *suite_mtls_names(void);
Suite *suite_htpasswd(void);
Suite *suite_jwt_cache(void);
Suite *suite_jwt_discovery(void);
Suite *suite_jwt_file(void);
Suite *suite_jwt_keyset(void);
Suite *suite_jwt_policy(void);
Suite *suite_jwt_source(void);
Suite *suite_jwt_sources(void);
Suite *suite_jwt_torture(void);
Suite *suite_jwt_verify(void);

#endif
