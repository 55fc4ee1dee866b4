#include "suites.h"

#include "../fail_malloc.h"
#include "fixture.h"

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	if (malloc_left_ == 0)
		return NULL;
	if (malloc_left_ > 0)
		malloc_left_--;
	return __real_calloc(n, size);
}

int allocations_fail_after(int n)
{
	int before = malloc_left_;

	fail_malloc_after(n);
	return before;
}

int main(void)
{
	return sp_run_suites((sp_suite_fn *const[]){ sp_suite_h1_server, sp_suite_h1_client, sp_suite_h1_stream,
						     sp_suite_h1_faults, NULL });
}
