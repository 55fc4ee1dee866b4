/* A growable byte queue: append at the end, consume at the front. A buffer that was consumed to its end owns no
 * memory. Not a ring: data() is always one contiguous slice; consuming moves an offset, appending compacts. */
#ifndef SP_BASE_BUF_H
#define SP_BASE_BUF_H

#include "base/slice.h"

struct sp_buf {
	uint8_t *mem;
	size_t cap, off, len; /* bytes; live bytes are mem[off .. off + len) */
};

void sp_buf_init(struct sp_buf *b);   /* a zeroed struct is initialised too */
void sp_buf_deinit(struct sp_buf *b); /* frees; b is initialised again */
/* 0 or SP_ENOMEM (nothing appended). */
int sp_buf_append(struct sp_buf *b, const void *p, size_t n);
int sp_buf_append_slice(struct sp_buf *b, struct sp_slice s);
int sp_buf_append_str(struct sp_buf *b, const char *s);
int sp_buf_printf(struct sp_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes at *p_out; commit with sp_buf_commit(). 0 or SP_ENOMEM. */
int sp_buf_reserve(struct sp_buf *b, size_t n, uint8_t **p_out);
void sp_buf_commit(struct sp_buf *b, size_t n);
void sp_buf_consume(struct sp_buf *b, size_t n); /* n <= len; releases the memory when it becomes empty */
static inline struct sp_slice sp_buf_data(const struct sp_buf *b)
{
	return (struct sp_slice){ b->mem ? b->mem + b->off : NULL, b->len };
}
/* As a NUL-terminated string (the NUL is not counted); "" when empty. Valid until the next change. */
const char *sp_buf_str(struct sp_buf *b);
/* Zeroes the memory before freeing it. */
void sp_buf_wipe(struct sp_buf *b);

#endif
