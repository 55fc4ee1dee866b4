/* Heads of messages: received fields are kept in one buffer until their upcall; sent ones become nghttp2's pairs. */
#include "h2/internal.h"

#include <stdlib.h>

#include "base/text.h"

struct span {
	uint32_t name, name_len, value, value_len;
	bool secret;
};

#define FEW 24 /* fields of nearly every head */
#define USUAL_BYTES 512
#define STRING_MAX_BYTES 65000u /* nghttp2's decoder ends the connection above 65536 */

struct sp_h2_block {
	struct sp_buf bytes;
	unsigned count;
	struct span few[FEW], *more; /* more: the others; NULL while there are none */
};

static struct span *place(struct sp_h2_block *b, unsigned i)
{
	return i < FEW ? &b->few[i] : &b->more[i - FEW];
}

struct sp_h2_block *sp_h2_block_new(void)
{
	struct sp_h2_block *b = malloc(sizeof(*b));
	uint8_t *unused;

	if (!b)
		return NULL;
	b->bytes = (struct sp_buf){ 0 };
	(void)sp_buf_reserve(&b->bytes, USUAL_BYTES, &unused); /* or when it is needed */
	b->count = 0; /* the places are filled as they are counted */
	b->more = NULL;
	return b;
}

int sp_h2_block_add(struct sp_h2_block *b, struct sp_slice name, struct sp_slice value, bool secret, size_t most)
{
	struct span *v;

	/* RFC 9113 section 6.5.2 counts 32 bytes of overhead for each field */
	if (b->count == SP_FIELDS_MAX || b->bytes.len + name.n + value.n + 32 * (b->count + 1) > most)
		return SP_ETOOBIG;
	if (b->count == FEW)
		b->more = malloc((SP_FIELDS_MAX - FEW) * sizeof(*b->more));
	if (b->count >= FEW && !b->more)
		return SP_ENOMEM;
	v = place(b, b->count);
	*v = (struct span){ (uint32_t)b->bytes.len, (uint32_t)name.n, (uint32_t)(b->bytes.len + name.n), (uint32_t)value.n, secret };
	if (sp_buf_append_slice(&b->bytes, name) < 0 || sp_buf_append_slice(&b->bytes, value) < 0)
		return SP_ENOMEM;
	b->count++;
	return 0;
}

void sp_h2_block_fields(const struct sp_h2_block *b, struct sp_fields *out)
{
	const uint8_t *p = sp_buf_data(&b->bytes).p;

	out->count = 0;
	for (unsigned i = 0; i < b->count; i++) {
		const struct span *v = i < FEW ? &b->few[i] : &b->more[i - FEW];

		sp_fields_add(out, sp_slice_make(p + v->name, v->name_len), sp_slice_make(p + v->value, v->value_len));
		out->v[i].secret = v->secret; /* stays so when it is passed on (RFC 7541 section 7.1.3) */
	}
}

unsigned sp_h2_block_status(const struct sp_h2_block *b)
{
	struct sp_fields f;
	uint64_t status;

	if (!b)
		return 0;
	sp_h2_block_fields(b, &f);
	return sp_text_u64(sp_fields_get(&f, ":status"), 999, &status) == 0 ? (unsigned)status : 0;
}

void sp_h2_block_free(struct sp_h2_block **b)
{
	if (*b) {
		sp_buf_wipe(&(*b)->bytes);
		free((*b)->more);
	}
	free(*b);
	*b = NULL;
}

bool sp_h2_head_fits(const struct sp_fields *f)
{
	for (unsigned i = 0; f && i < f->count; i++)
		if (f->v[i].name.n > STRING_MAX_BYTES || f->v[i].value.n > STRING_MAX_BYTES)
			return false;
	return true;
}

static nghttp2_nv pair(struct sp_slice name, struct sp_slice value, bool secret)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n,
			     secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };
}

unsigned sp_h2_head_nv(const struct sp_fields *f, const char *status, nghttp2_nv *nv)
{
	unsigned n = 0;

	if (status)
		nv[n++] = pair(SP_SLICE(":status"), sp_slice_str(status), false);
	for (unsigned i = 0; f && i < f->count; i++)
		nv[n++] = pair(f->v[i].name, f->v[i].value, f->v[i].secret);
	return n;
}
