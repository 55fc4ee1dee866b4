#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){
		sp_suite_answer,
		sp_suite_front,
		sp_suite_socks5,
		sp_suite_http,
		sp_suite_forward,
		sp_suite_tunnel,
		sp_suite_trail,
		sp_suite_expiry,
		NULL,
	});
}
