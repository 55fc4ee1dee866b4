#include "../run.h"
#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ suite_auth_load, suite_auth_chain, suite_auth_tickets, suite_auth_host,
						     suite_auth_plugins, sp_suite_claims,
#ifdef SP_WITH_HTPASSWD
						     suite_auth_htpasswd,
#endif
						     NULL });
}
