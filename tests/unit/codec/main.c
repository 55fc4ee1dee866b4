#include "suites.h"

#include "../fail_malloc.h"

void after_mallocs_fail(int n)
{
	fail_malloc_after(n);
}

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_authority, sp_suite_body, sp_suite_credentials,
						     sp_suite_encoder, sp_suite_fields, sp_suite_hop, sp_suite_http1,
						     sp_suite_message, sp_suite_outcome, sp_suite_paths, sp_suite_problem,
						     sp_suite_rewrite, sp_suite_socks5, sp_suite_upgrade, NULL });
}
