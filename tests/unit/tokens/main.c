#include "../run.h"
#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ suite_tokens_key, suite_tokens_request, suite_tokens_answer, suite_tokens_server,
						     suite_tokens_cache, suite_tokens_failures, suite_tokens_reload, NULL });
}
