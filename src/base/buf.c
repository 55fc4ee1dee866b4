#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/must.h"
#include "base/secret.h"

#define MIN_CAP 256

void sp_buf_init(struct sp_buf *b)
{
	*b = (struct sp_buf){ 0 };
}

void sp_buf_deinit(struct sp_buf *b)
{
	free(b->mem);
	sp_buf_init(b);
}

void sp_buf_wipe(struct sp_buf *b)
{
	sp_wipe(b->mem, b->cap);
	sp_buf_deinit(b);
}

int sp_buf_reserve(struct sp_buf *b, size_t n, uint8_t **p_out)
{
	size_t cap;
	uint8_t *mem;

	if (b->mem && b->cap - b->off - b->len >= n)
		goto out;
	if (n > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		return SP_ENOMEM;
	/* Compacting is enough when a quarter has been consumed since: at most three bytes move for each that went out. */
	if (b->mem && b->cap - b->len >= n && b->off >= b->cap / 4) {
		memmove(b->mem, b->mem + b->off, b->len);
		b->off = 0;
		goto out;
	}
	for (cap = MIN_CAP; cap < b->len + n;)
		cap *= 2;
	mem = malloc(cap);
	if (!mem)
		return SP_ENOMEM;
	if (b->len > 0)
		memcpy(mem, b->mem + b->off, b->len);
	free(b->mem);
	b->mem = mem;
	b->cap = cap;
	b->off = 0;
out:
	*p_out = b->mem + b->off + b->len;
	return 0;
}

void sp_buf_commit(struct sp_buf *b, size_t n)
{
	sp_must(n <= b->cap - b->off - b->len);
	b->len += n;
}

int sp_buf_append(struct sp_buf *b, const void *p, size_t n)
{
	uint8_t *dst;
	int err;

	if (n == 0)
		return 0;
	err = sp_buf_reserve(b, n, &dst);
	if (err)
		return err;
	memcpy(dst, p, n);
	sp_buf_commit(b, n);
	return 0;
}

int sp_buf_append_slice(struct sp_buf *b, struct sp_slice s)
{
	return sp_buf_append(b, s.p, s.n);
}

int sp_buf_append_str(struct sp_buf *b, const char *s)
{
	return sp_buf_append(b, s, strlen(s));
}

int sp_buf_printf(struct sp_buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *dst;
	int n, err;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	sp_must(n >= 0);
	err = sp_buf_reserve(b, (size_t)n + 1, &dst);
	if (err)
		return err;
	va_start(ap, fmt);
	vsnprintf((char *)dst, (size_t)n + 1, fmt, ap);
	va_end(ap);
	sp_buf_commit(b, (size_t)n);
	return 0;
}

void sp_buf_consume(struct sp_buf *b, size_t n)
{
	sp_must(n <= b->len);
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		sp_buf_deinit(b);
}

const char *sp_buf_str(struct sp_buf *b)
{
	uint8_t *end;

	/* Because: out of memory here can give only a string that is not the buffer's; callers build small texts. */
	if (b->len == 0)
		return "";
	sp_must(sp_buf_reserve(b, 1, &end) == 0);
	*end = '\0';
	return (const char *)b->mem + b->off;
}
