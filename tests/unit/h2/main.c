#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ suite_basic, sp_suite_h2_streams, sp_suite_h2_messages, NULL });
}
