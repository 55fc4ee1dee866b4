#include "base/slice.h"

#include "base/alloc.h"
#include "base/error.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool sp_slice_eq(struct sp_slice a, struct sp_slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Names are looked for in lists: nearly all differ in their first byte, which spares the search for the end of b. */
static bool may_be(struct sp_slice a, const char *b)
{
	return a.n == 0 || !b || ((a.p[0] ^ (uint8_t)b[0]) & ~0x20u) == 0;
}

bool sp_slice_eq_str(struct sp_slice a, const char *b)
{
	return may_be(a, b) && sp_slice_eq(a, sp_slice_str(b));
}

bool sp_slice_eq_nocase(struct sp_slice a, struct sp_slice b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool sp_slice_eq_str_nocase(struct sp_slice a, const char *b)
{
	return may_be(a, b) && sp_slice_eq_nocase(a, sp_slice_str(b));
}

struct sp_slice sp_slice_trim(struct sp_slice s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

char *sp_slice_dup(struct sp_slice s)
{
	char *copy;

	if (!s.p)
		return NULL;
	copy = sp_calloc(s.n + 1, 1);
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

int sp_slice_copy(struct sp_slice s, char *dst, size_t size)
{
	if (s.n >= size)
		return SP_ETOOBIG;
	if (s.n > 0 && memchr(s.p, '\0', s.n))
		return SP_EINVAL;
	if (s.n > 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return 0;
}
