/* origin.c: calls. origin_idle.c: idle connections. */
#ifndef SP_BACK_ORIGIN_INTERNAL_H
#define SP_BACK_ORIGIN_INTERNAL_H

#include "back/origin.h"

#define SP_ORIGIN_IDLE_MAX 512u	       /* connections, all systems */
#define SP_ORIGIN_IDLE_MAX_EACH 64u    /* one system */
#define SP_ORIGIN_FRESH_MS 1000u       /* idle for less: good enough for requests that must not be sent twice */

struct sp_origins {
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_list calls;
	struct sp_list idle; /* the longest idle first */
	unsigned idle_count;
	struct sp_timer expiry;
	bool draining;
	void (*on_closed)(void *arg);
	void *arg;
	struct sp_timer closed;
	struct sp_reap reap;
};

/* Keeps the carrier (attached to nobody) for the next call to the same system, or closes it. */
void sp_origin_park(struct sp_origins *os, const struct sp_origin_plan *p, struct sp_stream *carrier);
/* The one that was used last, attached to nobody; NULL: none, or none idle for less than max_ms. */
struct sp_stream *sp_origin_unpark(struct sp_origins *os, const struct sp_origin_plan *p, uint64_t max_ms);
unsigned sp_origin_idle_count(const struct sp_origins *os, const struct sp_origin_plan *p); /* to the same system */
void sp_origin_evict(struct sp_origins *os, const struct sp_origin_plan *p); /* closes the longest idle of them */
void sp_origin_idle_close(struct sp_origins *os);
/* Closes a stream that nobody has anything to do with any more. */
void sp_origin_drop(struct sp_stream *s, enum sp_close how);

#endif
