/* A loop's share of the plugins: their worker contexts, the slots of running requests, and the mail by which answers from any
 * thread reach the loop. Locks are held only around queue and table, never while a plugin runs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/internal.h"
#include "base/alloc.h"
#include "base/secret.h"

/* A ticket's 64 bits. A generation comes back after 2^36 steps of one worker, months of full load. */
#define TICKET_GEN_BITS 36
#define TICKET_SLOT_BITS 18
#define TICKET_WORKER_BITS 10
#define TICKET_GEN_MASK ((UINT64_C(1) << TICKET_GEN_BITS) - 1)
#define SLOTS_MOST (UINT32_C(1) << TICKET_SLOT_BITS)
#define WORKERS_MOST (1u << TICKET_WORKER_BITS)
_Static_assert(TICKET_GEN_BITS + TICKET_SLOT_BITS + TICKET_WORKER_BITS == 64, "a ticket is 64 bits");

#define SLOTS_FIRST 64u
/* All strings of one answer together; a plugin that says more is broken. */
#define ANSWER_BYTES_MOST ((size_t)1 << 20)
/* One warning about slow calls per instance and worker in this time. */
#define SLOW_CALL_QUIET_MS 1000

/* Outlives its worker until the last posted call has run. */
struct sp_auth_mail {
	pthread_mutex_t lock;
	struct sp_list answers; /* under lock */
	bool posted;		/* under lock: on_mail() will come */
	struct sp_loop *loop;
	pthread_t thread;
	struct sp_auth_worker *worker; /* loop thread only; NULL once closed */
};

/* Readers answer, writers open and close workers. */
static pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct {
	struct sp_auth_mail *mail; /* NULL: free */
	uint64_t next_gen;	   /* goes on where the last worker of this index ended */
} table[WORKERS_MOST];

static _Thread_local const struct sp_auth_instance *calling;

/* ---- calls into plugins ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct sp_auth_call sp_auth_call_begin(const struct sp_auth_instance *in, struct sp_auth_worker *w, const char *what)
{
	struct sp_auth_call c = { .in = in, .outer = calling, .w = w, .what = what, .start_ns = now_ns() };

	calling = in;
	return c;
}

void sp_auth_call_end(const struct sp_auth_call *c)
{
	struct sp_auth_context *ctx;
	uint64_t ms = (now_ns() - c->start_ns) / 1000000;

	calling = c->outer;
	if (!c->w || !c->in || ms < SP_AUTH_SLOW_CALL_MS)
		return;
	ctx = &c->w->contexts[c->in->index];
	if (sp_loop_now_ms(c->w->loop) < ctx->quiet_until_mono_ms)
		return;
	ctx->quiet_until_mono_ms = sp_loop_now_ms(c->w->loop) + SLOW_CALL_QUIET_MS;
	sp_log(SP_LOG_WARN, SP_EV_PLUGIN, "a plugin held up the loop", SP_KV_STR("plugin", c->in->conf->name),
	       SP_KV_STR("call", c->what), SP_KV_INT("took_ms", ms));
}

const struct sp_auth_instance *sp_auth_calling(void)
{
	return calling;
}

void sp_auth_host_log(int level, sp_ticket t, const char *fmt, ...)
{
	char text[512];
	enum sp_level l = level < SP_LEVEL_ERROR || level > SP_LEVEL_DEBUG ? SP_LOG_ERROR : (enum sp_level)level;
	va_list ap;

	if (!sp_log_enabled(l))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (t.v)
		sp_log(l, SP_EV_PLUGIN, text, SP_KV_STR("plugin", calling ? calling->conf->name : NULL), SP_KV_INT("ticket", t.v));
	else
		sp_log(l, SP_EV_PLUGIN, text, SP_KV_STR("plugin", calling ? calling->conf->name : NULL));
}

/* ---- tickets ---- */

static unsigned ticket_worker(uint64_t v)
{
	return (unsigned)(v >> (TICKET_GEN_BITS + TICKET_SLOT_BITS));
}

static uint32_t ticket_slot(uint64_t v)
{
	return (uint32_t)(v >> TICKET_GEN_BITS) & (SLOTS_MOST - 1);
}

sp_ticket sp_auth_ticket_make(struct sp_auth_worker *w, uint32_t slot)
{
	uint64_t gen = w->next_gen++ & TICKET_GEN_MASK;

	if (gen == 0) /* so that no ticket is 0 */
		gen = w->next_gen++ & TICKET_GEN_MASK;
	return (sp_ticket){ (uint64_t)w->index << (TICKET_GEN_BITS + TICKET_SLOT_BITS) | (uint64_t)slot << TICKET_GEN_BITS | gen };
}

static int slots_grow(struct sp_auth_worker *w)
{
	uint32_t count = w->slot_count ? w->slot_count * 2 : SLOTS_FIRST;
	struct sp_auth_slot *slots;

	if (count > SLOTS_MOST)
		return SP_ELIMIT;
	slots = realloc(w->slots, count * sizeof(*slots));
	if (!slots)
		return SP_ENOMEM;
	for (uint32_t i = count; i-- > w->slot_count;) {
		slots[i] = (struct sp_auth_slot){ NULL, w->free_slot };
		w->free_slot = i + 1;
	}
	w->slots = slots;
	w->slot_count = count;
	return 0;
}

int sp_auth_slot_take(struct sp_auth_worker *w, struct sp_auth_run *run, uint32_t *slot_out)
{
	int err = w->free_slot ? 0 : slots_grow(w);
	uint32_t slot;

	if (err < 0)
		return err;
	slot = w->free_slot - 1;
	w->free_slot = w->slots[slot].next_free;
	w->slots[slot] = (struct sp_auth_slot){ run, 0 };
	*slot_out = slot;
	return 0;
}

void sp_auth_slot_give(struct sp_auth_worker *w, uint32_t slot)
{
	w->slots[slot] = (struct sp_auth_slot){ NULL, w->free_slot };
	w->free_slot = slot + 1;
}

/* ---- answers ---- */

static void answer_free(struct sp_auth_answer *n)
{
	sp_wipe(n, n->size);
	free(n);
}

static sp_str *answer_strings(sp_answer *a, unsigned i)
{
	sp_str *const all[] = { &a->tenant, &a->principal, &a->upstream_auth, &a->claims, &a->detail, &a->client, &a->issuer, &a->subdomain };

	return i < SP_COUNT_OF(all) ? all[i] : NULL;
}

/* The answer as the plugin's struct size allows to read it; what cannot be taken whole becomes SP_FAIL. NULL: memory is out,
 * and the run will time out. */
static struct sp_auth_answer *answer_copy(sp_ticket t, const sp_answer *theirs)
{
	sp_answer a = { 0 };
	struct sp_auth_answer *n;
	size_t bytes = 0;
	sp_str *s;
	char *p;

	if (theirs)
		memcpy(&a, theirs, theirs->size < sizeof(a) ? theirs->size : sizeof(a));
	for (unsigned i = 0; (s = answer_strings(&a, i)); i++) {
		if (!s->p)
			s->n = 0;
		bytes = s->n > ANSWER_BYTES_MOST - bytes ? ANSWER_BYTES_MOST + 1 : bytes + s->n;
		if (bytes > ANSWER_BYTES_MOST) {
			static const char why[] = "its answer is too large";

			a = (sp_answer){ .detail = { why, sizeof(why) - 1 } };
			bytes = sizeof(why) - 1;
			break;
		}
	}
	n = malloc(sizeof(*n) + bytes);
	if (!n)
		return NULL;
	*n = (struct sp_auth_answer){ .size = sizeof(*n) + bytes, .ticket = t, .a = a };
	p = (char *)(n + 1);
	for (unsigned i = 0; (s = answer_strings(&n->a, i)); i++) {
		if (!s->p)
			continue;
		if (s->n > 0)
			memcpy(p, s->p, s->n);
		s->p = p;
		p += s->n;
	}
	return n;
}

static void deliver(struct sp_auth_worker *w, const struct sp_auth_answer *n)
{
	uint32_t slot = ticket_slot(n->ticket.v);
	struct sp_auth_run *run = slot < w->slot_count ? w->slots[slot].run : NULL;

	if (run && run->ticket == n->ticket.v)
		sp_auth_run_answered(run, &n->a);
	else
		w->stale++;
}

static void mail_free(struct sp_auth_mail *m)
{
	struct sp_list *n;

	while ((n = sp_list_pop(&m->answers)))
		answer_free(SP_CONTAINER_OF(n, struct sp_auth_answer, node));
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static struct sp_auth_answer *mail_next(struct sp_auth_mail *m)
{
	struct sp_list *n;

	pthread_mutex_lock(&m->lock);
	n = sp_list_pop(&m->answers);
	pthread_mutex_unlock(&m->lock);
	return n ? SP_CONTAINER_OF(n, struct sp_auth_answer, node) : NULL;
}

/* A callback of a run may close the worker; then `alive` turns false and the mail must not be touched any more. */
static void mail_read(struct sp_auth_mail *m)
{
	struct sp_auth_worker *w = m->worker;
	bool alive = true;
	struct sp_auth_answer *n;

	sp_must(!w->alive);
	w->alive = &alive;
	while (alive && (n = mail_next(m))) {
		deliver(w, n);
		answer_free(n);
	}
	if (alive)
		w->alive = NULL;
}

static void on_mail_deferred(struct sp_defer *d)
{
	mail_read(SP_CONTAINER_OF(d, struct sp_auth_worker, defer)->mail);
}

static void on_mail(void *arg)
{
	struct sp_auth_mail *m = arg;

	pthread_mutex_lock(&m->lock);
	m->posted = false;
	pthread_mutex_unlock(&m->lock);
	if (m->worker)
		mail_read(m);
	else
		mail_free(m);
}

/* Under table_lock, so the worker cannot close meanwhile. */
static void mail_put(struct sp_auth_mail *m, struct sp_auth_answer *n)
{
	bool own_thread = pthread_equal(m->thread, pthread_self());

	pthread_mutex_lock(&m->lock);
	sp_list_append(&m->answers, &n->node);
	if (!own_thread && !m->posted)
		m->posted = sp_loop_post(m->loop, on_mail, m) == 0; /* else: the next answer tries again */
	pthread_mutex_unlock(&m->lock);
	if (own_thread)
		sp_defer(m->loop, &m->worker->defer, on_mail_deferred);
}

void sp_auth_host_answer(sp_ticket t, const sp_answer *a)
{
	struct sp_auth_answer *n = answer_copy(t, a);
	struct sp_auth_mail *m;

	if (!n)
		return;
	pthread_rwlock_rdlock(&table_lock);
	m = table[ticket_worker(t.v)].mail;
	if (m)
		mail_put(m, n);
	pthread_rwlock_unlock(&table_lock);
	if (!m)
		answer_free(n);
}

uint64_t sp_auth_stale_answers(const struct sp_auth_worker *w)
{
	return w->stale;
}

/* ---- workers ---- */

static bool table_enter(struct sp_auth_worker *w, struct sp_auth_mail *m)
{
	unsigned i;

	pthread_rwlock_wrlock(&table_lock);
	for (i = 0; i < WORKERS_MOST && table[i].mail; i++)
		;
	if (i < WORKERS_MOST) {
		table[i].mail = m;
		w->index = i;
		w->next_gen = table[i].next_gen;
	}
	pthread_rwlock_unlock(&table_lock);
	return i < WORKERS_MOST;
}

static void table_leave(struct sp_auth_worker *w)
{
	pthread_rwlock_wrlock(&table_lock);
	table[w->index].mail = NULL;
	table[w->index].next_gen = w->next_gen;
	pthread_rwlock_unlock(&table_lock);
}

static struct sp_auth_mail *mail_new(struct sp_auth_worker *w)
{
	struct sp_auth_mail *m = SP_NEW(struct sp_auth_mail);

	pthread_mutex_init(&m->lock, NULL);
	sp_list_init(&m->answers);
	m->loop = w->loop;
	m->thread = pthread_self();
	m->worker = w;
	return m;
}

static void open_context(struct sp_auth_worker *w, const struct sp_auth_instance *in, struct sp_report *r)
{
	struct sp_auth_context *ctx = &w->contexts[in->index];
	sp_error e = { .size = sizeof(e) };
	int rc = 0;

	if (in->module->plugin.worker_open) {
		struct sp_auth_call call = sp_auth_call_begin(in, w, "worker_open");

		rc = in->module->plugin.worker_open(in->inst, (sp_worker *)(void *)w, &ctx->wctx, &e);
		sp_auth_call_end(&call);
	}
	ctx->open = rc == 0;
	e.msg[sizeof(e.msg) - 1] = '\0';
	if (rc != 0)
		sp_report_add(r, &in->conf->at, "plugin \"%s\": it did not open on a worker%s%s", in->conf->name,
			      e.msg[0] ? ": " : "", e.msg);
}

int sp_auth_worker_open(struct sp_auth *a, struct sp_loop *loop, struct sp_auth_worker **out, struct sp_report *r)
{
	struct sp_auth_worker *w = SP_NEW(struct sp_auth_worker);
	unsigned before = r->count;

	sp_loop_assert(loop);
	sp_must(!a->check_only);
	w->auth = a;
	w->loop = loop;
	sp_list_init(&w->runs);
	sp_list_init(&w->fetches);
	sp_list_init(&w->alarms);
	w->contexts = sp_calloc(a->instance_count + 1, sizeof(*w->contexts));
	w->mail = mail_new(w);
	atomic_fetch_add(&a->workers, 1);
	if (!table_enter(w, w->mail)) {
		sp_report_add(r, NULL, "more than %u workers with plugins are open", WORKERS_MOST);
		w->index = WORKERS_MOST;
	}
	for (unsigned i = 0; i < a->chain_count && r->count == before; i++)
		for (unsigned j = 0; j < a->chains[i].count && r->count == before; j++)
			open_context(w, &a->chains[i].instances[j], r);
	if (r->count != before) {
		sp_auth_worker_close(&w);
		return SP_EINVAL;
	}
	*out = w;
	return 0;
}

static void close_contexts(struct sp_auth_worker *w)
{
	for (unsigned i = 0; i < w->auth->chain_count; i++) {
		for (unsigned j = 0; j < w->auth->chains[i].count; j++) {
			const struct sp_auth_instance *in = &w->auth->chains[i].instances[j];
			const struct sp_auth_context *ctx = &w->contexts[in->index];

			if (ctx->open && in->module->plugin.worker_close) {
				struct sp_auth_call call = sp_auth_call_begin(in, w, "worker_close");

				in->module->plugin.worker_close(ctx->wctx);
				sp_auth_call_end(&call);
			}
		}
	}
}

static void mail_close(struct sp_auth_mail *m)
{
	bool posted;

	m->worker = NULL;
	pthread_mutex_lock(&m->lock);
	posted = m->posted;
	pthread_mutex_unlock(&m->lock);
	if (!posted)
		mail_free(m);
}

void sp_auth_worker_close(struct sp_auth_worker **wp)
{
	struct sp_auth_worker *w = *wp;

	if (!w)
		return;
	sp_loop_assert(w->loop);
	*wp = NULL;
	/* First nobody can answer any more, then everything that might have been answered goes. */
	if (w->index < WORKERS_MOST)
		table_leave(w);
	if (w->alive)
		*w->alive = false;
	sp_defer_cancel(&w->defer);
	while (!sp_list_empty(&w->runs))
		sp_auth_run_drop(SP_CONTAINER_OF(w->runs.next, struct sp_auth_run, node), SP_END_SHUTDOWN);
	close_contexts(w);
	sp_auth_host_close(w);
	mail_close(w->mail);
	atomic_fetch_sub(&w->auth->workers, 1);
	free(w->contexts);
	free(w->slots);
	free(w);
}
