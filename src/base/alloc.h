/* Allocation that aborts: for start-up and small objects. Where a peer decides the size, use malloc and handle NULL. */
#ifndef SP_BASE_ALLOC_H
#define SP_BASE_ALLOC_H

#include <stddef.h>

void *sp_calloc(size_t count, size_t size); /* never NULL for count * size > 0; overflow aborts */
char *sp_strdup(const char *s);		    /* NULL stays NULL */

#define SP_NEW(type) ((type *)sp_calloc(1, sizeof(type)))

#endif
