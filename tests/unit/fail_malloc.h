/* Out of memory on demand. For programs linked with -Wl,--wrap=malloc; included by one source file of such a program. */
#ifndef SP_TESTS_UNIT_FAIL_MALLOC_H
#define SP_TESTS_UNIT_FAIL_MALLOC_H

#include <stddef.h>

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

static int malloc_left_ = -1;

void *__wrap_malloc(size_t n)
{
	if (malloc_left_ == 0)
		return NULL;
	if (malloc_left_ > 0)
		malloc_left_--;
	return __real_malloc(n);
}

/* The next n allocations succeed, all later ones fail; -1: none fails any more. */
static inline void fail_malloc_after(int n)
{
	malloc_left_ = n;
}

#endif
