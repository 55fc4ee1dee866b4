/* nghttp2's side: its callbacks, options and error codes. Callbacks copy bytes, set flags and queue streams; nothing else. */
#include "h2/internal.h"

#include "config.h"

#define TABLE_BYTES 16384u /* HPACK table: holds one long token */
#define SEND_HEAD_MAX_BYTES (512u * 1024)

int sp_h2_error(struct sp_cause *c, int ng_err, const char *what)
{
	int err = ng_err == NGHTTP2_ERR_NOMEM ? SP_ENOMEM : SP_EPROTO;

	return sp_cause_set(c, err, SP_DOMAIN_H2, ng_err, "%s: %s", what, nghttp2_strerror(ng_err));
}

static struct sp_h2_stream *stream_of(struct sp_h2 *h, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h->ng, id);
}

static int failure_if(int err)
{
	return err < 0 ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
	(void)ng;
	return failure_if(sp_h2_glitch_frame(arg, hd));
}

/* ---- heads ---------------------------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s = stream_of(h, frame->hd.stream_id);

	if (h->role == SP_H2_SERVER && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		s = sp_h2_stream_new(h);
		if (!s)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
		s->id = frame->hd.stream_id;
		h->ids_used_up = h->ids_used_up || s->id >= SP_H2_LAST_ID;
		nghttp2_session_set_stream_user_data(ng, s->id, s);
	} else if (!s) {
		return 0;
	} else if (s->seen || s->answered || s->head_ready) {
		s->receiving = sp_h2_trailers_begin(s);
		return 0;
	}
	sp_h2_block_free(&s->head);
	s->head = sp_h2_block_new();
	s->receiving = s->head ? &s->head : NULL;
	return s->head ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len, const uint8_t *value,
		     size_t value_len, uint8_t flags, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s = stream_of(h, frame->hd.stream_id);
	struct sp_cause c = { 0 };
	int err;

	(void)ng;
	if (!s || !s->receiving)
		return 0;
	err = sp_h2_block_add(*s->receiving, sp_slice_make(name, name_len), sp_slice_make(value, value_len),
			      flags & NGHTTP2_NV_FLAG_NO_INDEX, h->opt.max_head_bytes);
	if (err == 0)
		return 0;
	sp_cause_set(&c, err, SP_DOMAIN_H2, 0, "%s", err == SP_ETOOBIG ? "the peer's head is too large" : "out of memory");
	sp_h2_stream_blame(s, &c);
	sp_h2_block_free(s->receiving);
	s->receiving = NULL;
	/* nghttp2 resets it with INTERNAL_ERROR, which counts as a glitch. */
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int head_received(struct sp_h2 *h, struct sp_h2_stream *s)
{
	bool is_head = s->receiving == &s->head;

	s->receiving = NULL;
	if (!is_head)
		return 0; /* trailers are told with the end */
	if (h->role == SP_H2_CLIENT && sp_h2_block_status(s->head) < 200) {
		sp_h2_interim(s, &s->head);
		return sp_h2_glitch(h, 1);
	}
	s->head_ready = true;
	sp_h2_stream_touch(s);
	return 0;
}

/* ---- frames ----------------------------------------------------------------------------------------- */

static int message_frame_received(struct sp_h2 *h, const nghttp2_frame *frame)
{
	struct sp_h2_stream *s = stream_of(h, frame->hd.stream_id);
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (frame->hd.type == NGHTTP2_DATA && !end && frame->hd.length > 0 && frame->data.padlen == frame->hd.length &&
	    sp_h2_glitch(h, 1) < 0)
		return SP_EPROTO; /* nothing but padding */
	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && head_received(h, s) < 0)
		return SP_EPROTO;
	if (end) {
		s->end_received = true;
		sp_h2_stream_touch(s);
	}
	return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct sp_h2 *h = arg;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		return failure_if(message_frame_received(h, frame));
	case NGHTTP2_SETTINGS:
		h->ready = h->ready || !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		return 0;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			return failure_if(sp_h2_ping_answered(h, frame->ping.opaque_data));
		return 0;
	case NGHTTP2_GOAWAY:
		h->goaway_received = true;
		h->goaway_code = frame->goaway.error_code;
		return 0;
	default:
		return 0;
	}
}

static int on_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct sp_h2_stream *s = stream_of(arg, id);

	(void)flags;
	/* At once, so that streams with stuck readers leave the connection's window to the others. */
	nghttp2_session_consume_connection(ng, n);
	if (s)
		sp_h2_rx_data(s, p, n);
	return 0;
}

/* Never fails: CVE-2023-35945. */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct sp_h2_stream *s = stream_of(arg, id);

	(void)ng;
	if (s)
		sp_h2_stream_ended(s, code);
	return 0;
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int code, void *arg)
{
	(void)ng, (void)frame, (void)code;
	return failure_if(sp_h2_glitch(arg, 1));
}

/* What nghttp2 sends by itself is the peer's doing: resets (CVE-2025-8671) and the GOAWAY of a connection error. */
static int on_frame_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct sp_h2 *h = arg;
	struct sp_h2_stream *s;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_RST_STREAM:
		s = stream_of(h, frame->hd.stream_id);
		if (!s || !s->reset_sent)
			(void)sp_h2_glitch(h, 1); /* over the limit: the pump looks at the cause */
		return 0;
	case NGHTTP2_GOAWAY:
		if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
			sp_cause_set(&h->cause, SP_EPROTO, SP_DOMAIN_H2, (long)frame->goaway.error_code,
				     "the peer broke HTTP/2: %s %.*s", nghttp2_http2_strerror(frame->goaway.error_code),
				     (int)frame->goaway.opaque_data_len, (const char *)frame->goaway.opaque_data);
		return 0;
	default:
		return 0;
	}
}

static ssize_t payload_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t connection_window, int32_t stream_window,
			      uint32_t max_frame, void *arg)
{
	ssize_t n = SP_H2_PAYLOAD_BYTES;

	(void)ng, (void)type, (void)id, (void)arg;
	n = n < connection_window ? n : connection_window;
	n = n < stream_window ? n : stream_window;
	return n < (ssize_t)max_frame ? n : (ssize_t)max_frame;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks_new(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_send_data_callback(cb, sp_h2_tx_send);
	nghttp2_session_callbacks_set_data_source_read_length_callback(cb, payload_length);
	return cb;
}

static nghttp2_option *option_new(void)
{
	nghttp2_option *o;

	if (nghttp2_option_new(&o) != 0)
		return NULL;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_settings(o, 32);
	nghttp2_option_set_max_outbound_ack(o, 1000);
	nghttp2_option_set_peer_max_concurrent_streams(o, 100);
	nghttp2_option_set_max_deflate_dynamic_table_size(o, TABLE_BYTES);
	nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD_MAX_BYTES);
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
	nghttp2_option_set_max_continuations(o, 8);
#endif
#ifdef HAVE_NGHTTP2_OPTION_SET_STREAM_RESET_RATE_LIMIT
	/* Ours is the glitch bucket, which says ENHANCE_YOUR_CALM; this one would say INTERNAL_ERROR. */
	nghttp2_option_set_stream_reset_rate_limit(o, 10000, 1000);
#endif
	return o;
}

static int submit_settings(struct sp_h2 *h)
{
	const bool server = h->role == SP_H2_SERVER;
	const nghttp2_settings_entry iv[] = {
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h->opt.stream_window_bytes },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h->opt.max_head_bytes },
		{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, TABLE_BYTES },
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server ? h->opt.max_streams : 0 },
		/* One is the server's to send (RFC 8441 section 3), one the client's (RFC 9113 section 6.5.2). */
		{ server ? NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL : NGHTTP2_SETTINGS_ENABLE_PUSH, server ? 1 : 0 },
	};

	if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, iv, sizeof(iv) / sizeof(iv[0])) != 0 ||
	    nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)h->opt.connection_window_bytes) != 0)
		return SP_ENOMEM;
	return 0;
}

int sp_h2_session_new(struct sp_h2 *h)
{
	nghttp2_session_callbacks *cb = callbacks_new();
	nghttp2_option *o = option_new();
	int err = SP_ENOMEM;

	if (cb && o && h->role == SP_H2_CLIENT)
		err = nghttp2_session_client_new2(&h->ng, cb, h, o);
	else if (cb && o)
		err = nghttp2_session_server_new2(&h->ng, cb, h, o);
	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(o);
	return err == 0 ? submit_settings(h) : SP_ENOMEM;
}
