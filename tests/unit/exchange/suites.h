#ifndef SP_TESTS_UNIT_EXCHANGE_SUITES_H
#define SP_TESTS_UNIT_EXCHANGE_SUITES_H

#include "../peer.h"
#include "../run.h"

Suite *sp_suite_exchange(void);
Suite *sp_suite_relay(void);
Suite *sp_suite_audit(void);

#endif
