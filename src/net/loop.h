/* One event loop, owned by one thread: libuv's, plus what every object needs to die safely.
 *
 * Timers are embedded plain structs (a heap over one uv_timer_t), so stopping one is synchronous and owners need no
 * close callback for them. Deferred calls run once at the end of the current turn, after all I/O callbacks. What dies
 * inside an upcall goes on the reap list, which is emptied after the deferred calls of the turn. */
#ifndef SP_NET_LOOP_H
#define SP_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/list.h"

struct sp_loop;

struct sp_timer { /* zero-initialise; embedded in its owner */
	uint64_t due_mono_ms, seq;
	unsigned slot; /* 1-based place in the heap; 0 = not running */
	void (*fn)(struct sp_timer *t);
};

struct sp_defer { /* zero-initialise */
	struct sp_list node;
	void (*fn)(struct sp_defer *d);
};

struct sp_reap { /* zero-initialise */
	struct sp_list node;
	void (*fn)(struct sp_reap *r); /* frees the owner; must not call anything else */
};

/* A new loop for the calling thread. 0 or SP_ENOMEM / SP_ESYS. The process ignores SIGPIPE from here on. */
int sp_loop_new(struct sp_loop **out);
/* Everything on it must be closed; runs what is left on its lists. Aborts if handles are open (a leak is our bug). */
void sp_loop_free(struct sp_loop **loop);
uv_loop_t *sp_loop_uv(struct sp_loop *loop);
/* Until sp_loop_stop() or nothing is left to do. */
void sp_loop_run(struct sp_loop *loop);
void sp_loop_stop(struct sp_loop *loop); /* own thread only */
/* Runs until cond(arg) holds or max_ms pass: for tests. Returns whether it holds. */
bool sp_loop_run_until(struct sp_loop *loop, bool (*cond)(void *arg), void *arg, uint64_t max_ms);
/* sp_must(): the caller runs on the loop's thread. */
void sp_loop_assert(const struct sp_loop *loop);

uint64_t sp_loop_now_ms(struct sp_loop *loop); /* monotonic, cached for the turn */

/* (Re)starts t to fire once in ms from now; 0 = next turn. */
void sp_timer_start(struct sp_loop *loop, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t));
void sp_timer_stop(struct sp_loop *loop, struct sp_timer *t); /* idempotent */
static inline bool sp_timer_running(const struct sp_timer *t)
{
	return t->slot != 0;
}

/* Runs d->fn at the end of this turn; already queued: nothing. A call deferred by a deferred call runs in the same turn's
 * next round (bounded), before reaping. */
void sp_defer(struct sp_loop *loop, struct sp_defer *d, void (*fn)(struct sp_defer *d));
void sp_defer_cancel(struct sp_defer *d);
void sp_reap(struct sp_loop *loop, struct sp_reap *r, void (*fn)(struct sp_reap *r));

/* Runs fn(arg) on the loop's thread soon. Any thread; the only such entry point of this folder. After the loop was
 * freed: undefined. 0 or SP_ENOMEM. */
int sp_loop_post(struct sp_loop *loop, void (*fn)(void *arg), void *arg);

/* libuv's error code as ours, with detail in c (may be NULL): "connect: connection refused". Returns the SP_E*. */
int sp_uv_cause(struct sp_cause *c, int uv_err, const char *what);

#endif
