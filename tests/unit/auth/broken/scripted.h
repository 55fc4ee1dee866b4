/* A plugin that does what its settings say, and what its exported functions let a test do to it. One process-wide state. */
#ifndef SP_TESTS_SCRIPTED_H
#define SP_TESTS_SCRIPTED_H

#include <stdatomic.h>

#include "sallyport/plugin.h"

/* Settings (all optional):
 *   fail       "check" | "open" | "worker_open": refuses there, with a pointer and a message
 *   traits     a number for check()
 *   how        "request" (default): answers inside request(); "never"; "twice"; "finish": again inside finish();
 *              "thread": a thread of the worker answers; "hold": scripted_release() answers; "null": answers NULL
 *   busy_ms    keeps the loop for so long inside request()
 *   verdict, why, expires_in_s, tenant, principal, upstream_auth, claims, detail, client, issuer   the answer
 *   big        the detail is 2 MiB long
 *   expect     { tenant, principal, claims, user, secret, target_host: what request() must see } else FAIL */

struct scripted_stats {
	atomic_uint opened, closed, workers_opened, workers_closed, requests, finishes;
	atomic_uint ended[4]; /* finish() by its reason */
	atomic_uint answered_by_threads;
};

typedef struct scripted_stats *scripted_stats_fn(void);
/* Answers every held ticket, oldest first, as its settings say; the number. Any thread. Tickets stay held for scripted_again(). */
typedef unsigned scripted_release_fn(void);

#endif
