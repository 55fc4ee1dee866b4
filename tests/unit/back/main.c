#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){
		sp_suite_direct,
		sp_suite_origin,
		sp_suite_exposed,
		sp_suite_pool,
		sp_suite_connectors,
		sp_suite_credential,
		sp_suite_regions,
		NULL,
	});
}
