#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/must.h"

void sp_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}

void sp_secret_free(char **s)
{
	if (!*s)
		return;
	sp_wipe(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

bool sp_secret_eq(struct sp_slice a, struct sp_slice b)
{
	volatile uint8_t diff = 0; /* volatile: no early exit may be invented */
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}

void sp_random(void *p, size_t n)
{
	uint8_t *dst = p;

	while (n > 0) {
		ssize_t got = getrandom(dst, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		sp_must(got > 0);
		dst += got;
		n -= (size_t)got;
	}
}

uint64_t sp_random_below(uint64_t below)
{
	uint64_t r, skip;

	sp_must(below > 0);
	skip = (0 - below) % below; /* 2^64 mod below: numbers under it would make the low results likelier */
	do
		sp_random(&r, sizeof(r));
	while (r < skip);
	return r % below;
}

#define ID_BYTES ((SP_ID_SIZE - 1) / 2)

void sp_id_make(char out[SP_ID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	static _Thread_local uint8_t pool[512]; /* a system call for each would be a good part of what an exchange costs */
	static _Thread_local size_t left;
	const uint8_t *raw;
	size_t i;

	if (left < ID_BYTES) {
		sp_random(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= ID_BYTES;
	raw = pool + left;
	for (i = 0; i < ID_BYTES; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[SP_ID_SIZE - 1] = '\0';
}
