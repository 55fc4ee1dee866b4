/* A borrowed run of bytes, not NUL-terminated. p == NULL means absent, which differs from empty. */
#ifndef SP_BASE_SLICE_H
#define SP_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sp_slice {
	const uint8_t *p;
	size_t n;
};

#define SP_SLICE(literal) ((struct sp_slice){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
#define SP_SLICE_NONE ((struct sp_slice){ NULL, 0 })
/* For printf's "%.*s". */
#define SP_SLICE_ARG(s) (int)(s).n, (const char *)(s).p

static inline struct sp_slice sp_slice_str(const char *s)
{
	return s ? (struct sp_slice){ (const uint8_t *)s, strlen(s) } : SP_SLICE_NONE;
}

static inline struct sp_slice sp_slice_make(const void *p, size_t n)
{
	return (struct sp_slice){ p, n };
}

bool sp_slice_eq(struct sp_slice a, struct sp_slice b);
bool sp_slice_eq_str(struct sp_slice a, const char *b);
/* ASCII case-insensitive. */
bool sp_slice_eq_nocase(struct sp_slice a, struct sp_slice b);
bool sp_slice_eq_str_nocase(struct sp_slice a, const char *b);
/* Without leading and trailing SP and HTAB. */
struct sp_slice sp_slice_trim(struct sp_slice s);
/* A NUL-terminated heap copy, the caller's to free(). NULL stays NULL. Aborts when memory is out. */
char *sp_slice_dup(struct sp_slice s);
/* Copies into dst[size] with NUL. 0, or SP_ETOOBIG (dst untouched), or SP_EINVAL for an embedded NUL. */
int sp_slice_copy(struct sp_slice s, char *dst, size_t size);

#endif
