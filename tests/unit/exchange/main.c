#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_exchange, sp_suite_relay, sp_suite_audit, NULL });
}
