#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

void *sp_calloc(size_t count, size_t size)
{
	void *p = calloc(count, size);

	sp_must(p != NULL || count == 0 || size == 0);
	return p;
}

char *sp_strdup(const char *s)
{
	size_t n;
	char *copy;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	copy = sp_calloc(n, 1);
	memcpy(copy, s, n);
	return copy;
}
