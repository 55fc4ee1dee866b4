#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_addr, sp_suite_buf, sp_suite_error, sp_suite_list,
						     sp_suite_log, sp_suite_secret, sp_suite_slice, sp_suite_text,
						     NULL });
}
