#ifndef SP_TESTS_AUTH_SUITES_H
#define SP_TESTS_AUTH_SUITES_H

#include <check.h>

Suite *suite_auth_load(void);
Suite *suite_auth_chain(void);
Suite *suite_auth_tickets(void);
Suite *suite_auth_plugins(void);
Suite *suite_auth_htpasswd(void);
Suite *suite_auth_host(void);
Suite *sp_suite_claims(void);

#endif
