#include "../run.h"
#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ suite_basic, NULL });
}
