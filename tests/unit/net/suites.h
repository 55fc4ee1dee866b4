#ifndef SP_TESTS_UNIT_NET_SUITES_H
#define SP_TESTS_UNIT_NET_SUITES_H

#include "../run.h"

Suite *sp_suite_loop(void);
Suite *sp_suite_stream(void);
Suite *sp_suite_stream_bulk(void);
Suite *sp_suite_tcp(void);
Suite *sp_suite_dial(void);
Suite *sp_suite_tls(void);
Suite *sp_suite_tls_data(void);
Suite *sp_suite_fetch(void);
Suite *sp_suite_websocket(void);

#endif
