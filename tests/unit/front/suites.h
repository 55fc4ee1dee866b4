#ifndef SP_TESTS_UNIT_FRONT_SUITES_H
#define SP_TESTS_UNIT_FRONT_SUITES_H

#include "../run.h"
#include "fixture.h"

Suite *sp_suite_socks5(void);
Suite *sp_suite_http(void);
Suite *sp_suite_forward(void);
Suite *sp_suite_front(void);
Suite *sp_suite_answer(void);
Suite *sp_suite_tunnel(void);
Suite *sp_suite_trail(void);
Suite *sp_suite_expiry(void);

#endif
