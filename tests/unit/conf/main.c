#include "suites.h"

/* libconfig 1.5 loses 64 bytes on some syntax errors (strbuf_append); LeakSanitizer asks here what to leave out. */
__attribute__((visibility("default"), used)) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_connector, sp_suite_keys, sp_suite_listeners, sp_suite_plugin,
						     sp_suite_samples, sp_suite_secret, sp_suite_source, sp_suite_texts, NULL });
}
