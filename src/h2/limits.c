/* What bounds a peer beside nghttp2's options: the glitch bucket (what nghttp2 of this age does not limit: MadeYouReset
 * CVE-2025-8671, empty frames CVE-2019-9518, control floods CVE-2019-9512/9515), and the liveness check. */
#include "h2/internal.h"

#include <string.h>

#define GLITCH_BURST 1000u
#define GLITCH_PER_S 100u
#define GLITCH_SETTINGS 20u /* each may change the windows of all streams */
#define RESET_BURST 500u    /* below the 1000 + 33/s that stock servers allow */
#define RESET_PER_S 20u
#define EARNED_MAX 4096u

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

int sp_h2_glitch(struct sp_h2 *h, uint32_t cost)
{
	if (sp_bucket_take(&h->glitches, cost, sp_loop_now_ms(h->loop)))
		return 0;
	return sp_cause_set(&h->cause, SP_EPROTO, SP_DOMAIN_H2, NGHTTP2_ENHANCE_YOUR_CALM,
			    "the peer sends too many control frames, empty frames or resets");
}

static int window_update(struct sp_h2 *h)
{
	if (h->window_updates_earned == 0)
		return sp_h2_glitch(h, 1);
	h->window_updates_earned--; /* as many as our DATA can earn are no glitch */
	return 0;
}

int sp_h2_glitch_frame(struct sp_h2 *h, const nghttp2_frame_hd *hd)
{
	bool ack = hd->flags & NGHTTP2_FLAG_ACK;

	switch (hd->type) {
	case NGHTTP2_DATA:
		return hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM) ? sp_h2_glitch(h, 1) : 0;
	case NGHTTP2_HEADERS:
		return 0; /* bounded by the number of streams; what is wrong with it counts when it is found */
	case NGHTTP2_WINDOW_UPDATE:
		if (h->window_updates_earned > EARNED_MAX)
			h->window_updates_earned = EARNED_MAX;
		return window_update(h);
	case NGHTTP2_SETTINGS:
		return sp_h2_glitch(h, ack ? 1 : GLITCH_SETTINGS);
	case NGHTTP2_PING:
		return ack ? 0 : sp_h2_glitch(h, 1); /* an answer counts when it answers nothing */
	case NGHTTP2_RST_STREAM:
		/* A client opened what the server resets, so there are no more of them than it wanted. */
		if (h->role == SP_H2_CLIENT && nghttp2_session_get_stream_user_data(h->ng, hd->stream_id))
			return 0;
		return sp_h2_glitch(h, 1);
	default:
		return sp_h2_glitch(h, 1);
	}
}

/* ---- liveness --------------------------------------------------------------------------- */

static void on_liveness(struct sp_timer *t);

void sp_h2_ping(struct sp_h2 *h)
{
	uint8_t opaque[8];

	h->ping_seq++;
	h->ping_sent_us = uv_hrtime() / 1000;
	memcpy(opaque, &h->ping_seq, sizeof(opaque));
	nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, opaque);
	sp_h2_pump_soon(h);
}

static void check(struct sp_h2 *h)
{
	h->ping_out = true;
	h->ping_heard = h->ping_last_look = false;
	sp_h2_ping(h);
	sp_timer_start(h->loop, &h->liveness, h->opt.ping_timeout_ms, on_liveness);
}

static void watch_silence(struct sp_h2 *h)
{
	uint64_t due = h->heard_mono_ms + h->opt.ping_after_ms, now = sp_loop_now_ms(h->loop);

	if (h->opt.ping_after_ms)
		sp_timer_start(h->loop, &h->liveness, due > now ? due - now : 1, on_liveness);
}

/* The deadline is over. */
static void judge(struct sp_h2 *h)
{
	struct sp_cause c = { 0 };

	if (!h->ping_last_look) {
		/* Because: after a pause of this process the answer may lie in the socket unread, and timers come first. */
		h->ping_last_look = true;
		sp_timer_start(h->loop, &h->liveness, 0, on_liveness);
		return;
	}
	sp_cause_set(&c, SP_ETIMEOUT, SP_DOMAIN_H2, 0, "no answer to PING within %llu ms",
		     (unsigned long long)h->opt.ping_timeout_ms);
	sp_h2_fail(h, &c);
}

static void on_liveness(struct sp_timer *t)
{
	struct sp_h2 *h = SP_CONTAINER_OF(t, struct sp_h2, liveness);

	if (h->failed)
		return;
	if (h->ping_out && !h->ping_heard) {
		judge(h);
		return;
	}
	if (!h->ping_out && sp_loop_now_ms(h->loop) - h->heard_mono_ms >= h->opt.ping_after_ms) {
		check(h);
		return;
	}
	h->ping_out = false;
	watch_silence(h);
}

void sp_h2_limits_start(struct sp_h2 *h)
{
	uint64_t now = sp_loop_now_ms(h->loop);

	sp_bucket_init(&h->glitches, GLITCH_BURST, GLITCH_PER_S, now);
	sp_bucket_init(&h->resets, RESET_BURST, RESET_PER_S, now);
	h->heard_mono_ms = now;
	watch_silence(h);
}

void sp_h2_heard(struct sp_h2 *h)
{
	h->heard_mono_ms = sp_loop_now_ms(h->loop);
	h->ping_heard = true;
}

int sp_h2_ping_answered(struct sp_h2 *h, const uint8_t *opaque)
{
	uint64_t seq;

	memcpy(&seq, opaque, sizeof(seq));
	if (seq <= h->ping_acked || seq > h->ping_seq)
		return sp_h2_glitch(h, 1); /* an answer to no question */
	h->ping_acked = seq;
	if (seq == h->ping_seq)
		h->rtt_us = uv_hrtime() / 1000 - h->ping_sent_us;
	return 0;
}

void sp_h2_probe(struct sp_h2 *h)
{
	if (!h->failed && !h->ping_out)
		check(h);
}
