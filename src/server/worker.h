/* One worker: a thread with its own loop, plugin contexts, listeners and pools. Nothing mutable is shared between workers; the
 * main thread talks to a worker by posting.
 *
 *   STARTING -> RUNNING -> DRAINING -> CLOSING -> ENDED */
#ifndef SP_SERVER_WORKER_H
#define SP_SERVER_WORKER_H

#include "front/front.h"

struct sp_worker;

struct sp_worker_options {
	unsigned index;
	struct sp_conf *conf;
	struct sp_auth *auth;	  /* NULL in the connector */
	struct sp_audit *audit;	  /* NULL: no audit trail */
	struct sp_loop *main_loop;
	struct sp_addr *addresses; /* one per listener: where worker 0 really listens; worker 0 writes, the others read */
	void (*on_ended)(void *arg); /* on the main thread, once, after a successful start */
	void *arg;
};

/* Main thread. Starts the thread and waits until it listens. 0, or an SP_E* with lines in r (the thread is gone then). */
int sp_worker_start(const struct sp_worker_options *opt, struct sp_worker **out, struct sp_report *r);
/* Main thread; both idempotent. on_ended follows. */
void sp_worker_drain(struct sp_worker *w);
void sp_worker_close(struct sp_worker *w);
/* Main thread, after on_ended: joins the thread and frees. */
void sp_worker_free(struct sp_worker **w);

#endif
