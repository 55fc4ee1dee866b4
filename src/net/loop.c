/* One event loop per thread. See loop.h.
 *
 * A turn of libuv is: timers, pending, prepare, poll, check, closing. Deferred calls and reaping run in check (what I/O
 * left behind) and in prepare (what timers and close callbacks left behind), so nothing waits for the next event.
 * Timers run in prepare too: libuv runs a timer that its own callback started with 0 ms again in the same turn. */
#include "net/loop_int.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/must.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang's way to say it */
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define DEFER_ROUNDS_MAX 16 /* deferred calls that defer again: then I/O gets its turn */

struct post {
	struct post *next;
	void (*fn)(void *arg);
	void *arg;
};

struct spare {
	struct spare *next;
};

struct until { /* what sp_loop_run_until() waits for */
	bool (*cond)(void *arg);
	void *arg;
	struct sp_timer deadline;
	bool passed;
};

struct sp_loop {
	uv_loop_t uv;
	pthread_t thread;
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle; /* runs while calls were left for the next turn: poll must not block */
	uv_async_t async;
	bool running, stop;
	struct until *until; /* NULL: sp_loop_run() */
	uint64_t turn;

	struct sp_list deferred, dead;

	struct sp_timer **heap; /* [1 .. heap_len], the earliest first */
	unsigned heap_len, heap_cap;
	uint64_t timer_seq;
	uint64_t armed_mono_ms; /* for when the uv timer is set; UINT64_MAX = it is not */

	pthread_mutex_t post_lock;
	struct post *posts, **posts_end;

	struct {
		struct spare *first;
		unsigned count;
	} spare[2];
};

static const struct {
	size_t bytes;
	unsigned keep; /* spare ones */
} mem_class[] = { [SP_MEM_RECORD] = { SP_MEM_RECORD_BYTES, 64 }, [SP_MEM_BULK] = { SP_MEM_BULK_BYTES, 8 } };

/* ---- timers: a binary heap ordered by (due, seq) --------------------------- */

static bool timer_before(const struct sp_timer *a, const struct sp_timer *b)
{
	return a->due_mono_ms < b->due_mono_ms || (a->due_mono_ms == b->due_mono_ms && a->seq < b->seq);
}

static void heap_put(struct sp_loop *loop, unsigned slot, struct sp_timer *t)
{
	loop->heap[slot] = t;
	t->slot = slot;
}

/* Moves t from slot to where it belongs, up or down. */
static void heap_sift(struct sp_loop *loop, unsigned slot, struct sp_timer *t)
{
	unsigned child;

	for (; slot > 1 && timer_before(t, loop->heap[slot / 2]); slot /= 2)
		heap_put(loop, slot, loop->heap[slot / 2]);
	for (; (child = slot * 2) <= loop->heap_len; slot = child) {
		if (child < loop->heap_len && timer_before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (!timer_before(loop->heap[child], t))
			break;
		heap_put(loop, slot, loop->heap[child]);
	}
	heap_put(loop, slot, t);
}

static void heap_remove(struct sp_loop *loop, struct sp_timer *t)
{
	struct sp_timer *last = loop->heap[loop->heap_len--];

	sp_must(loop->heap[t->slot] == t || last == t);
	if (last != t)
		heap_sift(loop, t->slot, last);
	t->slot = 0;
}

static void on_idle(uv_idle_t *h)
{
	(void)h; /* its being active is the point */
}

/* The uv timer only wakes the loop up and keeps it alive; due timers run in prepare, until when the idle handle does
 * so: UV_RUN_ONCE expires timers at its end, too. */
static void on_uv_timer(uv_timer_t *h)
{
	struct sp_loop *loop = h->data;

	loop->armed_mono_ms = UINT64_MAX;
	sp_must(uv_idle_start(&loop->idle, on_idle) == 0);
}

static void timers_arm(struct sp_loop *loop)
{
	uint64_t due = loop->heap[1]->due_mono_ms, now = uv_now(&loop->uv);

	if (due >= loop->armed_mono_ms)
		return;
	loop->armed_mono_ms = due;
	sp_must(uv_timer_start(&loop->timer, on_uv_timer, due > now ? due - now : 0, 0) == 0);
}

static bool timers_due(struct sp_loop *loop)
{
	return loop->heap_len > 0 && loop->heap[1]->due_mono_ms <= uv_now(&loop->uv);
}

static void run_timers(struct sp_loop *loop)
{
	uint64_t limit = loop->timer_seq;
	struct sp_timer *t;

	/* A timer started from here on waits for the next turn, even if it is due at once. */
	while (timers_due(loop) && (t = loop->heap[1])->seq < limit) {
		heap_remove(loop, t);
		t->fn(t);
	}
	if (loop->heap_len)
		timers_arm(loop);
}

void sp_timer_start(struct sp_loop *loop, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t))
{
	sp_loop_assert(loop);
	if (!loop->running)
		uv_update_time(&loop->uv); /* the cached time may be old: nobody turned the loop meanwhile */
	if (t->slot)
		heap_remove(loop, t);
	if (loop->heap_len + 1 >= loop->heap_cap) {
		unsigned cap = loop->heap_cap ? loop->heap_cap * 2 : 64;
		struct sp_timer **heap = realloc(loop->heap, cap * sizeof(heap[0]));

		sp_must(heap != NULL);
		loop->heap = heap;
		loop->heap_cap = cap;
	}
	t->due_mono_ms = uv_now(&loop->uv) + ms;
	t->seq = loop->timer_seq++;
	t->fn = fn;
	heap_sift(loop, ++loop->heap_len, t);
	timers_arm(loop);
}

void sp_timer_stop(struct sp_loop *loop, struct sp_timer *t)
{
	sp_loop_assert(loop);
	if (!t->slot)
		return;
	heap_remove(loop, t);
	if (loop->heap_len > 0)
		return; /* waking up for nothing once is cheaper than arming again */
	uv_timer_stop(&loop->timer);
	loop->armed_mono_ms = UINT64_MAX;
}

/* ---- the end of a turn ------------------------------------------------------ */

void sp_defer(struct sp_loop *loop, struct sp_defer *d, void (*fn)(struct sp_defer *d))
{
	sp_loop_assert(loop);
	d->fn = fn;
	if (!sp_list_linked(&d->node))
		sp_list_append(&loop->deferred, &d->node);
}

void sp_defer_cancel(struct sp_defer *d)
{
	sp_list_remove(&d->node);
}

void sp_reap(struct sp_loop *loop, struct sp_reap *r, void (*fn)(struct sp_reap *r))
{
	sp_loop_assert(loop);
	r->fn = fn;
	sp_list_append(&loop->dead, &r->node);
}

static void run_deferred_round(struct sp_loop *loop)
{
	struct sp_list round, *node;

	sp_list_init(&round);
	while ((node = sp_list_pop(&loop->deferred)) != NULL)
		sp_list_append(&round, node);
	while ((node = sp_list_pop(&round)) != NULL) {
		struct sp_defer *d = SP_CONTAINER_OF(node, struct sp_defer, node);

		d->fn(d);
	}
}

static void run_reap(struct sp_loop *loop)
{
	struct sp_list *node;

	while ((node = sp_list_pop(&loop->dead)) != NULL) {
		struct sp_reap *r = SP_CONTAINER_OF(node, struct sp_reap, node);

		r->fn(r);
	}
}

static bool until_over(struct sp_loop *loop)
{
	struct until *u = loop->until;

	return u && (u->passed || u->cond(u->arg));
}

static void turn_end(struct sp_loop *loop)
{
	unsigned round;

	for (round = 0; round < DEFER_ROUNDS_MAX && !sp_list_empty(&loop->deferred); round++)
		run_deferred_round(loop);
	run_reap(loop);
	if (!sp_list_empty(&loop->deferred) || timers_due(loop) || until_over(loop))
		sp_must(uv_idle_start(&loop->idle, on_idle) == 0);
	else
		uv_idle_stop(&loop->idle);
}

static void on_prepare(uv_prepare_t *h)
{
	struct sp_loop *loop = h->data;

	loop->turn++;
	run_timers(loop);
	turn_end(loop);
}

static void on_check(uv_check_t *h)
{
	turn_end(h->data);
}

/* ---- calls from other threads ------------------------------------------------ */

static void run_posts(struct sp_loop *loop)
{
	struct post *p, *next;

	pthread_mutex_lock(&loop->post_lock);
	p = loop->posts;
	loop->posts = NULL;
	loop->posts_end = &loop->posts;
	pthread_mutex_unlock(&loop->post_lock);
	for (; p; p = next) {
		next = p->next;
		p->fn(p->arg);
		free(p);
	}
}

static void on_async(uv_async_t *h)
{
	run_posts(h->data);
}

int sp_loop_post(struct sp_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct post *p = malloc(sizeof(*p));

	if (!p)
		return SP_ENOMEM;
	*p = (struct post){ .fn = fn, .arg = arg };
	pthread_mutex_lock(&loop->post_lock);
	*loop->posts_end = p;
	loop->posts_end = &p->next;
	/* Inside the lock: the loop's thread may free the loop as soon as it has run this call. */
	uv_async_send(&loop->async);
	pthread_mutex_unlock(&loop->post_lock);
	return 0;
}

/* ---- lent memory -------------------------------------------------------------- */

uint8_t *sp_loop_mem_take(struct sp_loop *loop, enum sp_mem size)
{
	struct spare *m = loop->spare[size].first;

	if (!m)
		return malloc(mem_class[size].bytes);
	loop->spare[size].first = m->next;
	loop->spare[size].count--;
	UNPOISON(m, mem_class[size].bytes);
	return (uint8_t *)m;
}

void sp_loop_mem_give(struct sp_loop *loop, enum sp_mem size, uint8_t *mem)
{
	struct spare *m = (struct spare *)(void *)mem;

	if (!mem)
		return;
	if (loop->spare[size].count >= mem_class[size].keep) {
		free(mem);
		return;
	}
	m->next = loop->spare[size].first;
	loop->spare[size].first = m;
	loop->spare[size].count++;
	POISON(mem + sizeof(*m), mem_class[size].bytes - sizeof(*m));
}

static void mem_free_all(struct sp_loop *loop)
{
	unsigned i;

	for (i = 0; i < SP_COUNT_OF(loop->spare); i++) {
		while (loop->spare[i].first)
			free(sp_loop_mem_take(loop, (enum sp_mem)i));
	}
}

uint64_t sp_loop_turn(const struct sp_loop *loop)
{
	return loop->turn;
}

/* ---- the loop -------------------------------------------------------------------- */

int sp_loop_new(struct sp_loop **out)
{
	struct sp_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return SP_ENOMEM;
	err = uv_loop_init(&loop->uv);
	if (err)
		goto fail;
	err = uv_async_init(&loop->uv, &loop->async, on_async);
	if (err) {
		uv_loop_close(&loop->uv);
		goto fail;
	}
	uv_timer_init(&loop->uv, &loop->timer);
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_check_init(&loop->uv, &loop->check);
	uv_idle_init(&loop->uv, &loop->idle);
	loop->uv.data = loop->timer.data = loop->prepare.data = loop->check.data = loop->async.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	uv_check_start(&loop->check, on_check);
	uv_unref((uv_handle_t *)&loop->prepare);
	uv_unref((uv_handle_t *)&loop->check);
	uv_unref((uv_handle_t *)&loop->async);
	loop->thread = pthread_self();
	signal(SIGPIPE, SIG_IGN); /* libuv writes with write(): the error is what we want */
	loop->armed_mono_ms = UINT64_MAX;
	loop->posts_end = &loop->posts;
	sp_must(pthread_mutex_init(&loop->post_lock, NULL) == 0);
	sp_list_init(&loop->deferred);
	sp_list_init(&loop->dead);
	*out = loop;
	return 0;
fail:
	free(loop);
	return sp_uv_cause(NULL, err, "loop");
}

static void check_closed(uv_handle_t *h, void *arg)
{
	struct sp_loop *loop = arg;

	if (uv_is_closing(h) || h == (uv_handle_t *)&loop->timer || h == (uv_handle_t *)&loop->prepare ||
	    h == (uv_handle_t *)&loop->check || h == (uv_handle_t *)&loop->idle || h == (uv_handle_t *)&loop->async)
		return;
	sp_log(SP_LOG_ERROR, SP_EV_BUG, "a handle is still open", SP_KV_STR("type", uv_handle_type_name(h->type)));
	sp_must(uv_is_closing(h));
}

void sp_loop_free(struct sp_loop **loop_p)
{
	struct sp_loop *loop = *loop_p;

	if (!loop)
		return;
	sp_loop_assert(loop);
	do {
		run_posts(loop);
		turn_end(loop);
	} while (loop->posts || !sp_list_empty(&loop->deferred));
	sp_must(loop->heap_len == 0);
	uv_walk(&loop->uv, check_closed, loop);
	uv_close((uv_handle_t *)&loop->timer, NULL);
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	uv_close((uv_handle_t *)&loop->idle, NULL);
	uv_close((uv_handle_t *)&loop->async, NULL);
	/* Only closing handles and abandoned requests (name look-ups that cannot be recalled) are left. */
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	while (!sp_list_empty(&loop->deferred))
		run_deferred_round(loop);
	run_reap(loop);
	sp_must(loop->heap_len == 0);
	sp_must(uv_loop_close(&loop->uv) == 0);
	pthread_mutex_destroy(&loop->post_lock);
	mem_free_all(loop);
	free(loop->heap);
	free(loop);
	*loop_p = NULL; /* last: what still ran may have used it */
}

uv_loop_t *sp_loop_uv(struct sp_loop *loop)
{
	return &loop->uv;
}

void sp_loop_run(struct sp_loop *loop)
{
	sp_loop_assert(loop);
	sp_must(!loop->running);
	loop->stop = false;
	loop->running = true;
	/* What was deferred or posted while nothing else keeps the loop alive still runs. */
	do {
		run_posts(loop);
		turn_end(loop);
		if (!loop->stop)
			uv_run(&loop->uv, UV_RUN_DEFAULT);
	} while (!loop->stop && (uv_loop_alive(&loop->uv) || !sp_list_empty(&loop->deferred)));
	turn_end(loop);
	loop->running = false;
}

void sp_loop_stop(struct sp_loop *loop)
{
	sp_loop_assert(loop);
	loop->stop = true;
	if (loop->running)
		uv_stop(&loop->uv);
}

static void on_deadline(struct sp_timer *t)
{
	SP_CONTAINER_OF(t, struct until, deadline)->passed = true;
}

bool sp_loop_run_until(struct sp_loop *loop, bool (*cond)(void *arg), void *arg, uint64_t max_ms)
{
	struct until until = { .cond = cond, .arg = arg };

	sp_loop_assert(loop);
	sp_must(!loop->running);
	sp_timer_start(loop, &until.deadline, max_ms, on_deadline);
	loop->stop = false;
	loop->running = true;
	loop->until = &until;
	run_posts(loop);
	turn_end(loop);
	while (!until_over(loop) && !loop->stop)
		uv_run(&loop->uv, UV_RUN_ONCE);
	loop->until = NULL;
	loop->running = false;
	sp_timer_stop(loop, &until.deadline);
	return cond(arg);
}

void sp_loop_assert(const struct sp_loop *loop)
{
	sp_must(pthread_equal(loop->thread, pthread_self()));
}

uint64_t sp_loop_now_ms(struct sp_loop *loop)
{
	return uv_now(&loop->uv);
}

/* ---- errors ------------------------------------------------------------------------ */

static int uv_to_err(int uv_err)
{
	switch (uv_err) {
	case 0:
		return SP_OK;
	case UV_ENOMEM:
		return SP_ENOMEM;
	case UV_ECONNREFUSED:
		return SP_EREFUSED;
	case UV_EHOSTUNREACH:
	case UV_ENETUNREACH:
	case UV_ENETDOWN:
	case UV_EADDRNOTAVAIL:
		return SP_EUNREACH;
	case UV_ETIMEDOUT:
		return SP_ETIMEOUT;
	case UV_ECONNRESET:
	case UV_EPIPE:
	case UV_ECONNABORTED:
		return SP_ERESET;
	case UV_ECANCELED:
		return SP_ECANCELED;
	case UV_EOF:
	case UV_ENOTCONN:
		return SP_ECLOSED;
	case UV_EINVAL:
		return SP_EINVAL;
	case UV_EACCES:
	case UV_EPERM:
		return SP_EDENIED;
	default:
		return SP_ESYS;
	}
}

static bool is_dns(int uv_err)
{
	return uv_err <= UV_EAI_ADDRFAMILY && uv_err >= UV_EAI_PROTOCOL;
}

int sp_uv_cause(struct sp_cause *c, int uv_err, const char *what)
{
	char text[96];

	uv_strerror_r(uv_err, text, sizeof(text));
	if (uv_err == UV_EAI_MEMORY)
		return sp_cause_set(c, SP_ENOMEM, SP_DOMAIN_DNS, uv_err, "%s: %s", what, text);
	if (uv_err == UV_EAI_CANCELED)
		return sp_cause_set(c, SP_ECANCELED, SP_DOMAIN_DNS, uv_err, "%s: %s", what, text);
	if (is_dns(uv_err))
		return sp_cause_set(c, SP_EDNS, SP_DOMAIN_DNS, uv_err, "%s: %s", what, text);
	/* libuv's codes are negated errnos here, apart from its own (EOF). */
	return sp_cause_set(c, uv_to_err(uv_err), SP_DOMAIN_OS, -uv_err, "%s: %s", what, text);
}
