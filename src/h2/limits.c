/* What bounds a peer: nghttp2's options, the glitch bucket (what nghttp2 of this age does not limit: MadeYouReset CVE-2025-8671,
 * empty frames CVE-2019-9518, control floods CVE-2019-9512/9515), and the liveness check. */
#include "h2/internal.h"

#include "config.h"

#define GLITCH_BURST 1000u
#define GLITCH_PER_S 100u
#define RESET_BURST 500u /* below the 1000 + 33/s that stock servers allow */
#define RESET_PER_S 20u
#define TABLE_BYTES 16384u /* HPACK table: holds one long token */

void sp_bucket_init(struct sp_bucket *b, uint32_t burst, uint32_t per_s, uint64_t now_ms)
{
	*b = (struct sp_bucket){ (uint64_t)burst * 1000, now_ms, burst, per_s };
}

bool sp_bucket_take(struct sp_bucket *b, uint32_t cost, uint64_t now_ms)
{
	uint64_t full = (uint64_t)b->burst * 1000;

	b->milli += (now_ms - b->at_mono_ms) * b->per_s;
	b->milli = b->milli < full ? b->milli : full;
	b->at_mono_ms = now_ms;
	if (b->milli < (uint64_t)cost * 1000)
		return false;
	b->milli -= (uint64_t)cost * 1000;
	return true;
}

int sp_h2_session_new(struct sp_h2 *h, const nghttp2_session_callbacks *cb)
{
	nghttp2_option *o = NULL;
	int err;

	if (nghttp2_option_new(&o) != 0)
		return SP_ENOMEM;
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_settings(o, 32);
	nghttp2_option_set_max_outbound_ack(o, 1000);
	nghttp2_option_set_peer_max_concurrent_streams(o, 100);
	nghttp2_option_set_max_deflate_dynamic_table_size(o, TABLE_BYTES);
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
	nghttp2_option_set_max_continuations(o, 8);
#endif
#ifdef HAVE_NGHTTP2_OPTION_SET_STREAM_RESET_RATE_LIMIT
	/* Our peer is an authenticated proxy whose clients come and go; the default kills its tunnel at 1000 aborts. */
	nghttp2_option_set_stream_reset_rate_limit(o, 10000, 1000);
#endif
	err = h->role == SP_H2_CLIENT ? nghttp2_session_client_new2(&h->ng, cb, h, o) : nghttp2_session_server_new2(&h->ng, cb, h, o);
	nghttp2_option_del(o);
	if (err != 0)
		return SP_ENOMEM;
	{
		nghttp2_settings_entry iv[] = {
			{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h->opt.stream_window_bytes },
			{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h->opt.max_head_bytes },
			{ NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, TABLE_BYTES },
			{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->role == SP_H2_SERVER ? h->opt.max_streams : 0 },
			{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		};

		/* ENABLE_PUSH may be sent by clients only (RFC 9113 section 6.5.2). */
		if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, iv, h->role == SP_H2_CLIENT ? 5 : 4) != 0 ||
		    nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)h->opt.connection_window_bytes) != 0)
			return SP_ENOMEM;
	}
	sp_bucket_init(&h->glitches, GLITCH_BURST, GLITCH_PER_S, sp_loop_now_ms(h->loop));
	sp_bucket_init(&h->resets, RESET_BURST, RESET_PER_S, sp_loop_now_ms(h->loop));
	return 0;
}

int sp_h2_glitch(struct sp_h2 *h, uint32_t cost)
{
	if (sp_bucket_take(&h->glitches, cost, sp_loop_now_ms(h->loop)))
		return 0;
	return sp_cause_set(&h->cause, SP_EPROTO, SP_DOMAIN_H2, NGHTTP2_ENHANCE_YOUR_CALM,
			    "the peer sends too many control frames, empty frames or resets");
}

int sp_h2_glitch_frame(struct sp_h2 *h, const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_DATA:
		return hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM) ? sp_h2_glitch(h, 1) : 0;
	case NGHTTP2_HEADERS:
		return 0;
	case NGHTTP2_WINDOW_UPDATE: /* as many as our DATA can earn are no glitch */
		if (h->window_updates_earned > 0) {
			h->window_updates_earned--;
			return 0;
		}
		return sp_h2_glitch(h, 1);
	case NGHTTP2_PING:
		return (hd->flags & NGHTTP2_FLAG_ACK) && h->ping_out ? 0 : sp_h2_glitch(h, 1);
	default:
		return sp_h2_glitch(h, 1);
	}
}

/* ---- liveness --------------------------------------------------------------------------- */

static void on_liveness(struct sp_timer *t);

static void arm(struct sp_h2 *h, uint64_t from_ms, uint64_t wait_ms)
{
	uint64_t now = sp_loop_now_ms(h->loop), due = from_ms + wait_ms;

	sp_timer_start(h->loop, &h->liveness, due > now ? due - now : 1, on_liveness);
}

static void ping(struct sp_h2 *h)
{
	h->ping_out = true;
	h->ping_mono_ms = sp_loop_now_ms(h->loop);
	h->ping_sent_us = uv_hrtime() / 1000;
	nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, NULL);
	arm(h, h->ping_mono_ms, h->opt.ping_timeout_ms);
	sp_h2_pump_soon(h);
}

static void on_liveness(struct sp_timer *t)
{
	struct sp_h2 *h = SP_CONTAINER_OF(t, struct sp_h2, liveness);
	uint64_t now = sp_loop_now_ms(h->loop);

	if (h->failed)
		return;
	if (h->ping_out && h->heard_mono_ms < h->ping_mono_ms) {
		struct sp_cause c = { 0 };

		sp_cause_set(&c, SP_ETIMEOUT, SP_DOMAIN_H2, 0, "no answer to PING within %llu ms",
			     (unsigned long long)h->opt.ping_timeout_ms);
		sp_h2_fail(h, &c);
		return;
	}
	h->ping_out = false;
	if (now - h->heard_mono_ms >= h->opt.ping_after_ms)
		ping(h);
	else
		arm(h, h->heard_mono_ms, h->opt.ping_after_ms);
}

void sp_h2_liveness_start(struct sp_h2 *h)
{
	h->heard_mono_ms = sp_loop_now_ms(h->loop);
	if (h->opt.ping_after_ms)
		arm(h, h->heard_mono_ms, h->opt.ping_after_ms);
}

void sp_h2_heard(struct sp_h2 *h)
{
	h->heard_mono_ms = sp_loop_now_ms(h->loop);
}

void sp_h2_probe(struct sp_h2 *h)
{
	if (!h->failed && !h->ping_out)
		ping(h);
}
