#ifndef SP_TESTS_TOKENS_SUITES_H
#define SP_TESTS_TOKENS_SUITES_H

#include <check.h>

Suite *suite_tokens_key(void);
Suite *suite_tokens_request(void);
Suite *suite_tokens_answer(void);
Suite *suite_tokens_server(void);
Suite *suite_tokens_cache(void);
Suite *suite_tokens_failures(void);
Suite *suite_tokens_reload(void);

#endif
