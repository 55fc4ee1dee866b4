#include "../run.h"
#include "suites.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
/* libconfig loses 64 bytes on some inputs. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}
#endif

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ suite_policy, NULL });
}
