#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_loop, sp_suite_stream, NULL });
}
