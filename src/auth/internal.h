/* What the files of this folder share. See auth.h for the contract, include/sallyport/plugin.h for the plugins' side.
 *
 *   sp_auth (main thread) -> chain -> instance (one configured use of a plugin) -> module (one shared object, for ever)
 *   sp_auth_worker (one loop) -> one context per instance; slots -> sp_auth_run
 *
 * A ticket is (worker index, slot, generation). A process-wide table leads from the index to the worker's mail, which is the
 * only thing that foreign threads touch: an answer is copied, queued there, and handled on the loop's thread. */
#ifndef SP_AUTH_INTERNAL_H
#define SP_AUTH_INTERNAL_H

#include <pthread.h>
#include <sallyport/plugin.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "base/list.h"

/* The time a call into a plugin may take on a loop's thread before the log names the plugin: every exchange waits for it. */
#define SP_AUTH_SLOW_CALL_MS 5

/* A loaded shared object; never unloaded. */
struct sp_auth_module {
	struct sp_list node;
	char *path;
	void *handle;
	struct sp_plugin plugin; /* a full struct whatever size the plugin's has; zero where it is shorter */
};

struct sp_auth_instance {
	const struct sp_auth_module *module;
	const struct sp_conf_plugin *conf;
	void *inst;
	bool open;
	uint32_t traits;
	unsigned index; /* of its context in each worker */
};

struct sp_auth_chain {
	const char *name;
	struct sp_auth_instance *instances;
	unsigned count;
	uint32_t traits;
};

struct sp_auth {
	struct sp_conf *conf;
	struct sp_host host;
	struct sp_auth_chain *chains;
	unsigned chain_count, instance_count;
	bool check_only;
	atomic_uint workers;
};

/* ---- module.c ---- */

/* The shared object that p names, loaded and checked; NULL with lines in r. Main thread. */
const struct sp_auth_module *sp_auth_module_load(const char *plugin_dir, const struct sp_conf_plugin *p, struct sp_report *r);

/* ---- worker.c ---- */

struct sp_auth_context { /* an instance on a worker */
	void *wctx;
	bool open;
	uint64_t quiet_until_mono_ms; /* no further warning about slow calls before */
};

/* An answer on its way to the loop: the struct and its strings in one allocation, wiped when freed. */
struct sp_auth_answer {
	struct sp_list node;
	size_t size;
	sp_ticket ticket;
	sp_answer a;
};

struct sp_auth_mail;

struct sp_auth_slot {
	struct sp_auth_run *run; /* NULL: free */
	uint32_t next_free;	 /* slot + 1; 0 ends the list */
};

struct sp_auth_worker {
	struct sp_auth *auth;
	struct sp_loop *loop;
	unsigned index;
	struct sp_auth_mail *mail;
	struct sp_auth_context *contexts;
	struct sp_auth_slot *slots;
	uint32_t slot_count, free_slot; /* free_slot: slot + 1; 0 = none */
	uint64_t next_gen;
	uint64_t stale;
	struct sp_list runs;
	struct sp_list fetches, alarms; /* host.c's */
	struct sp_fetcher *fetcher;	/* NULL until a plugin fetches */
	struct sp_defer defer;
	bool *alive; /* while mail is read: set to false by closing */
};

/* Slots hold the runs that await an answer. sp_auth_slot_take: 0, SP_ENOMEM or SP_ELIMIT. */
int sp_auth_slot_take(struct sp_auth_worker *w, struct sp_auth_run *run, uint32_t *slot_out);
void sp_auth_slot_give(struct sp_auth_worker *w, uint32_t slot);
/* A ticket that was never given before. */
sp_ticket sp_auth_ticket_make(struct sp_auth_worker *w, uint32_t slot);

/* Around every call into a plugin: says for host->log which plugin runs on this thread, and measures the call when it is made
 * on a loop (w and c; both NULL elsewhere). */
struct sp_auth_call {
	const struct sp_auth_instance *in, *outer;
	struct sp_auth_worker *w;
	const char *what;
	uint64_t start_ns;
};
struct sp_auth_call sp_auth_call_begin(const struct sp_auth_instance *in, struct sp_auth_worker *w, const char *what);
void sp_auth_call_end(const struct sp_auth_call *c);
/* The instance that runs on this thread; NULL: none. */
const struct sp_auth_instance *sp_auth_calling(void);

/* What plugins call (struct sp_host); any thread. */
void sp_auth_host_answer(sp_ticket t, const sp_answer *a);
void sp_auth_host_log(int level, sp_ticket t, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- host.c ---- */

/* What plugins call on their worker's thread (struct sp_host). */
sp_fetch *sp_auth_host_fetch(sp_worker *w, const sp_fetch_get *get, sp_fetch_cb *cb, void *arg);
void sp_auth_host_fetch_cancel(sp_fetch *f);
sp_alarm *sp_auth_host_alarm(sp_worker *w, uint32_t after_ms, sp_alarm_cb *cb, void *arg);
void sp_auth_host_alarm_cancel(sp_alarm *a);
/* After every worker_close(): ends what plugins left running, and says so. */
void sp_auth_host_close(struct sp_auth_worker *w);

/* ---- run.c ---- */

struct sp_auth_run {
	struct sp_list node; /* w->runs */
	struct sp_auth_worker *w;
	const struct sp_auth_chain *chain;
	unsigned step;
	uint32_t slot;
	uint64_t ticket;    /* of the current step; 0: none is asked */
	void *plugin_slot;  /* what the plugin asked keeps between request() and finish() */
	sp_request req;	    /* its strings: bytes, and id for what earlier plugins established */
	char *bytes;	    /* wiped when freed */
	size_t bytes_count;
	struct sp_timer timer;
	uint64_t deadline_mono_ms;
	struct sp_identity id;
	bool need_tenant, allowed, verified;
	sp_auth_cb *cb;
	void *arg;
};

void sp_auth_run_answered(struct sp_auth_run *run, const sp_answer *a);
/* finish(end) to the plugin asked, then frees without a callback. */
void sp_auth_run_drop(struct sp_auth_run *run, int end);

/* ---- merge.c ---- */

/* Adds what a step answered to id. SP_OUTCOME_OK: the next plugin's turn. Else the run ends so, with the operator's text in
 * cause. `plugin` is the name for that text. */
enum sp_outcome sp_auth_merge(struct sp_identity *id, const sp_answer *a, const char *plugin, int64_t now_s, struct sp_cause *cause);

#endif
