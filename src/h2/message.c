/* What HTTP messages have beyond a head and a body: interim responses and trailers. Most streams carry tunnels, which have neither:
 * the memory is there only for those that do. */
#include "h2/internal.h"

#include <stdio.h>
#include <stdlib.h>

struct sp_h2_message {
	sp_h2_interim_cb *on_interim; /* NULL: nobody wants to know */
	void *arg;
	struct sp_h2_block *interim, *received, *to_send; /* interim: the last one that was not told yet; the others: trailers */
};

static struct sp_h2_message *message_of(struct sp_h2_stream *s)
{
	if (!s->message)
		s->message = calloc(1, sizeof(*s->message));
	return s->message;
}

void sp_h2_message_free(struct sp_h2_stream *s)
{
	struct sp_h2_message *m = s->message;

	if (!m)
		return;
	sp_h2_block_free(&m->interim);
	sp_h2_block_free(&m->received);
	sp_h2_block_free(&m->to_send);
	free(m);
	s->message = NULL;
	s->receiving = NULL;
}

int sp_h2_watch_interim(struct sp_h2_stream *s, sp_h2_interim_cb *cb, void *arg)
{
	struct sp_h2_message *m = message_of(s);

	if (!m)
		return SP_ENOMEM;
	m->on_interim = cb;
	m->arg = arg;
	return 0;
}

bool sp_h2_stream_has_body(const struct sp_h2_stream *s)
{
	return !s->end_received || s->rx.len > 0 || s->rx_first != 0 || (s->message && s->message->received);
}

/* ---- received ------------------------------------------------------------------------------- */

struct sp_h2_block **sp_h2_trailers_begin(struct sp_h2_stream *s)
{
	struct sp_h2_message *m;

	if (s->deaf || s->closing || s->tunnel)
		return NULL;
	m = message_of(s);
	if (!m || m->received)
		return NULL;
	m->received = sp_h2_block_new();
	return m->received ? &m->received : NULL;
}

void sp_h2_interim(struct sp_h2_stream *s, struct sp_h2_block **head)
{
	struct sp_h2_message *m = s->message;

	if (!m || !m->on_interim) {
		sp_h2_block_free(head);
		return;
	}
	sp_h2_block_free(&m->interim);
	m->interim = *head;
	*head = NULL;
	sp_h2_stream_touch(s);
}

void sp_h2_tell_interim(struct sp_h2_stream *s)
{
	struct sp_h2_message *m = s->message;
	struct sp_h2_block *b;
	struct sp_fields f;

	if (!m || !m->interim)
		return;
	b = m->interim;
	m->interim = NULL;
	sp_h2_block_fields(b, &f);
	if (!s->closing)
		m->on_interim(m->arg, sp_h2_block_status(b), &f);
	sp_h2_block_free(&b);
}

void sp_h2_tell_trailers(struct sp_h2_stream *s)
{
	struct sp_h2_message *m = s->message;
	struct sp_fields f;

	if (!m || !m->received)
		return;
	sp_h2_block_fields(m->received, &f);
	if (s->io.ev && s->io.ev->on_trailers)
		s->io.ev->on_trailers(s->io.arg, &f);
	sp_h2_block_free(&m->received);
}

/* ---- sent ------------------------------------------------------------------------------------- */

int sp_h2_inform(struct sp_h2_stream *s, unsigned status, const struct sp_fields *fields)
{
	nghttp2_nv nv[SP_FIELDS_MAX + 1];
	char text[16];
	int err;

	if (s->answered || status < 100 || status > 199 || status == 101)
		return SP_EINVAL;
	if (s->end != SP_H2_OPEN || s->closing)
		return SP_ECLOSED;
	if (!sp_h2_head_fits(fields))
		return SP_ETOOBIG;
	snprintf(text, sizeof(text), "%u", status);
	err = nghttp2_submit_headers(s->h->ng, NGHTTP2_FLAG_NONE, s->id, NULL, nv, sp_h2_head_nv(fields, text, nv), NULL);
	if (err != 0)
		return sp_h2_error(NULL, err, "interim response");
	sp_h2_pump_soon(s->h);
	return 0;
}

int sp_h2_keep_trailers(struct sp_stream *io, const struct sp_fields *trailers)
{
	struct sp_h2_stream *s = SP_CONTAINER_OF(io, struct sp_h2_stream, io);
	struct sp_h2_message *m = message_of(s);
	struct sp_h2_block *b;
	int err = 0;

	if (s->write_shut || s->closing || s->end != SP_H2_OPEN)
		return SP_ECLOSED;
	if (!sp_h2_head_fits(trailers))
		return SP_ETOOBIG;
	b = m ? sp_h2_block_new() : NULL;
	if (!b)
		return SP_ENOMEM;
	for (unsigned i = 0; i < trailers->count && err == 0; i++)
		err = sp_h2_block_add(b, trailers->v[i].name, trailers->v[i].value, trailers->v[i].secret, s->h->opt.max_head_bytes);
	if (err < 0) {
		sp_h2_block_free(&b);
		return err;
	}
	sp_h2_block_free(&m->to_send);
	m->to_send = b;
	return 0;
}

int sp_h2_send_trailers(struct sp_h2_stream *s, uint32_t *flags)
{
	struct sp_h2_message *m = s->message;
	nghttp2_nv nv[SP_FIELDS_MAX];
	struct sp_fields f;
	int err;

	if (!m->to_send || s->soft)
		return 0;
	sp_h2_block_fields(m->to_send, &f);
	err = nghttp2_submit_trailer(s->h->ng, s->id, nv, sp_h2_head_nv(&f, NULL, nv));
	if (err == 0)
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	sp_h2_block_free(&m->to_send);
	return err;
}
