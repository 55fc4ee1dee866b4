/* Heads of messages: received fields are kept in one buffer until their upcall; sent ones become nghttp2's pairs. */
#include "h2/internal.h"

#include <stdlib.h>

#include "base/text.h"

struct span {
	uint32_t name, name_len, value, value_len;
	bool secret;
};

struct sp_h2_head_block {
	struct sp_buf bytes;
	unsigned count;
	struct span v[SP_FIELDS_MAX];
};

int sp_h2_head_begin(struct sp_h2_stream *s)
{
	sp_h2_head_free(s);
	s->head = calloc(1, sizeof(*s->head));
	return s->head ? 0 : SP_ENOMEM;
}

int sp_h2_head_add(struct sp_h2_stream *s, struct sp_slice name, struct sp_slice value, bool secret)
{
	struct sp_h2_head_block *b = s->head;
	struct span *v;

	if (!b)
		return SP_EPROTO;
	/* RFC 9113 section 6.5.2 counts 32 bytes of overhead for each field */
	if (b->count == SP_FIELDS_MAX || b->bytes.len + name.n + value.n + 32 * (b->count + 1) > s->h->opt.max_head_bytes)
		return SP_ETOOBIG;
	v = &b->v[b->count];
	*v = (struct span){ (uint32_t)b->bytes.len, (uint32_t)name.n, (uint32_t)(b->bytes.len + name.n), (uint32_t)value.n, secret };
	if (sp_buf_append_slice(&b->bytes, name) < 0 || sp_buf_append_slice(&b->bytes, value) < 0)
		return SP_ENOMEM;
	b->count++;
	return 0;
}

void sp_h2_head_fields(const struct sp_h2_stream *s, struct sp_fields *out)
{
	const struct sp_h2_head_block *b = s->head;
	const uint8_t *p = sp_buf_data(&b->bytes).p;

	out->count = 0;
	for (unsigned i = 0; i < b->count; i++) {
		sp_fields_add(out, sp_slice_make(p + b->v[i].name, b->v[i].name_len), sp_slice_make(p + b->v[i].value, b->v[i].value_len));
		out->v[i].secret = b->v[i].secret; /* stays so when it is passed on (RFC 7541 section 7.1.3) */
	}
}

unsigned sp_h2_head_status(const struct sp_h2_stream *s)
{
	struct sp_fields f;
	uint64_t status;

	if (!s->head)
		return 0;
	sp_h2_head_fields(s, &f);
	return sp_text_u64(sp_fields_get(&f, ":status"), 999, &status) == 0 ? (unsigned)status : 0;
}

void sp_h2_head_free(struct sp_h2_stream *s)
{
	if (s->head)
		sp_buf_wipe(&s->head->bytes);
	free(s->head);
	s->head = NULL;
	s->head_ready = false;
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
