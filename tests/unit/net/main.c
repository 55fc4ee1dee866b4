#include "../run.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ NULL });
}
