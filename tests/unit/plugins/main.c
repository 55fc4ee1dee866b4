#include "../run.h"
#include "suites.h"

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ suite_common, suite_mtls_names,
#ifdef SP_WITH_HTPASSWD
						     suite_htpasswd,
#endif
#ifdef SP_WITH_JWT
						     suite_jwt_keyset, suite_jwt_policy, suite_jwt_verify, suite_jwt_torture, suite_jwt_cache,
						     suite_jwt_discovery, suite_jwt_file, suite_jwt_source, suite_jwt_sources,
						     suite_devtoken,
#endif
						     NULL });
}
