#include "suites.h"

#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/must.h"
#include "net/loop_int.h"

#define GRACE_MS 20000

static struct sp_loop *loop;

/* What ran, one letter an event. */
static char trace[256];

static void mark(char c)
{
	size_t n = strlen(trace);

	sp_must(n + 1 < sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

static void setup(void)
{
	ck_assert_int_eq(sp_loop_new(&loop), 0);
	trace[0] = '\0';
}

static void teardown(void)
{
	sp_loop_free(&loop);
	ck_assert_ptr_null(loop);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static bool is_true(void *arg)
{
	return *(bool *)arg;
}

/* ---- timers -------------------------------------------------------------- */

struct note {
	struct sp_timer timer;
	char letter;
};

static void on_note(struct sp_timer *t)
{
	mark(SP_CONTAINER_OF(t, struct note, timer)->letter);
}

START_TEST(timers_fire_in_order)
{
	struct note a = { .letter = 'a' }, b = { .letter = 'b' }, c = { .letter = 'c' }, d = { .letter = 'd' };

	sp_timer_start(loop, &d.timer, 9, on_note);
	sp_timer_start(loop, &b.timer, 3, on_note);
	sp_timer_start(loop, &a.timer, 0, on_note);
	sp_timer_start(loop, &c.timer, 3, on_note);
	ck_assert(sp_timer_running(&a.timer));
	ck_assert_str_eq(trace, "");
	sp_loop_run(loop); /* ends: nothing is left */
	ck_assert_str_eq(trace, "abcd");
	ck_assert(!sp_timer_running(&a.timer));
}
END_TEST

START_TEST(timer_stop_and_restart)
{
	struct note a = { .letter = 'a' }, b = { .letter = 'b' }, c = { .letter = 'c' };

	sp_timer_start(loop, &a.timer, 1, on_note);
	sp_timer_start(loop, &b.timer, 2, on_note);
	sp_timer_start(loop, &c.timer, 1, on_note);
	sp_timer_start(loop, &a.timer, 4, on_note); /* moved behind b */
	sp_timer_stop(loop, &c.timer);
	sp_timer_stop(loop, &c.timer);
	ck_assert(!sp_timer_running(&c.timer));
	sp_loop_run(loop);
	ck_assert_str_eq(trace, "ba");
}
END_TEST

/* The heap keeps its order under random starts and stops. */
struct many {
	struct sp_timer timer;
	bool expected, fired;
};
static uint64_t last_due;

static void on_many(struct sp_timer *t)
{
	struct many *m = SP_CONTAINER_OF(t, struct many, timer);

	ck_assert_uint_ge(t->due_mono_ms, last_due);
	last_due = t->due_mono_ms;
	ck_assert(m->expected && !m->fired);
	m->fired = true;
}

START_TEST(timer_heap_random)
{
	enum { COUNT = 1000 };
	struct many *m = sp_calloc(COUNT, sizeof(*m));
	unsigned i, seed = 7, k;

	last_due = 0;
	for (i = 0; i < 20000; i++) {
		seed = seed * 1103515245 + 12345;
		k = (seed >> 8) % COUNT;
		if (seed >> 30) {
			sp_timer_start(loop, &m[k].timer, (seed >> 20) % 50, on_many);
			m[k].expected = true;
		} else {
			sp_timer_stop(loop, &m[k].timer);
			m[k].expected = false;
		}
	}
	sp_loop_run(loop);
	for (i = 0; i < COUNT; i++)
		ck_assert(m[i].fired == m[i].expected);
	free(m);
}
END_TEST

/* 0 ms is the next turn, even when started by a timer: other work gets its turn between. */
static struct note again;
static unsigned again_left;
static uint64_t again_turn;

static void on_again(struct sp_timer *t)
{
	ck_assert_uint_ne(sp_loop_turn(loop), again_turn);
	again_turn = sp_loop_turn(loop);
	if (--again_left > 0)
		sp_timer_start(loop, t, 0, on_again);
}

START_TEST(timer_zero_is_next_turn)
{
	again_left = 50;
	again_turn = 0;
	sp_timer_start(loop, &again.timer, 0, on_again);
	sp_loop_run(loop);
	ck_assert_uint_eq(again_left, 0);
}
END_TEST

/* A timer started outside the loop counts from now, not from the loop's last turn. */
START_TEST(timer_counts_from_now)
{
	struct note a = { .letter = 'a' };
	uint64_t before;

	sp_loop_run_until(loop, never, NULL, 1);
	before = uv_hrtime() / 1000000;
	while (uv_hrtime() / 1000000 < before + 30)
		;
	before = uv_hrtime() / 1000000;
	sp_timer_start(loop, &a.timer, 20, on_note);
	ck_assert_uint_ge(a.timer.due_mono_ms, before + 19);
	sp_timer_stop(loop, &a.timer);
}
END_TEST

/* ---- deferred calls, reaping ----------------------------------------------- */

struct call {
	struct sp_defer defer;
	char letter;
	unsigned times;
	struct call *other;
};

static void on_call(struct sp_defer *d)
{
	struct call *c = SP_CONTAINER_OF(d, struct call, defer);

	mark(c->letter);
	if (c->times > 0 && --c->times > 0)
		sp_defer(loop, &c->defer, on_call);
	if (c->other)
		sp_defer_cancel(&c->other->defer);
}

struct dead {
	struct sp_reap reap;
	char letter;
};

static void on_dead(struct sp_reap *r)
{
	mark(SP_CONTAINER_OF(r, struct dead, reap)->letter);
	free(SP_CONTAINER_OF(r, struct dead, reap));
}

START_TEST(defer_then_reap)
{
	struct call a = { .letter = 'a' }, b = { .letter = 'b', .times = 3 }, c = { .letter = 'c' };
	struct dead *d = SP_NEW(struct dead);

	d->letter = 'X';
	sp_reap(loop, &d->reap, on_dead);
	sp_defer(loop, &a.defer, on_call);
	sp_defer(loop, &a.defer, on_call); /* queued once */
	sp_defer(loop, &b.defer, on_call);
	sp_defer(loop, &c.defer, on_call);
	sp_defer_cancel(&c.defer);
	sp_defer_cancel(&c.defer);
	ck_assert_str_eq(trace, "");
	sp_loop_run(loop);
	ck_assert_str_eq(trace, "abbbX");
}
END_TEST

/* A deferred call takes back one that is due in the same round. */
START_TEST(defer_cancel_in_round)
{
	struct call a = { .letter = 'a' }, b = { .letter = 'b' };

	a.other = &b;
	sp_defer(loop, &a.defer, on_call);
	sp_defer(loop, &b.defer, on_call);
	sp_loop_run(loop);
	ck_assert_str_eq(trace, "a");
}
END_TEST

/* Endless deferring does not starve timers and I/O, and all of it runs. */
START_TEST(defer_is_bounded)
{
	struct call a = { .letter = 'a', .times = 60 };
	struct note t = { .letter = 'T' };

	sp_timer_start(loop, &t.timer, 0, on_note);
	sp_defer(loop, &a.defer, on_call);
	sp_loop_run(loop);
	ck_assert_uint_eq(strlen(trace), 61);
	ck_assert_ptr_nonnull(strchr(trace, 'T'));
	ck_assert(trace[60] != 'T');
}
END_TEST

struct timed_call {
	struct sp_timer timer;
	struct call call;
};

static void on_timed_call(struct sp_timer *t)
{
	struct timed_call *c = SP_CONTAINER_OF(t, struct timed_call, timer);

	mark('t');
	sp_defer(loop, &c->call.defer, on_call);
}

/* What a timer defers runs before the loop sleeps again. */
START_TEST(defer_from_timer)
{
	struct timed_call c = { .call = { .letter = 'd' } };
	struct note later = { .letter = 'L' };

	sp_timer_start(loop, &c.timer, 1, on_timed_call);
	sp_timer_start(loop, &later.timer, 200, on_note);
	sp_loop_run(loop);
	ck_assert_str_eq(trace, "tdL");
}
END_TEST

static void on_uv_closed(uv_handle_t *h)
{
	struct dead *d = h->data;

	mark('c');
	sp_reap(loop, &d->reap, on_dead);
}

/* What a close callback, the last of a loop's events, puts on the reap list is reaped. */
START_TEST(reap_from_last_close)
{
	uv_timer_t h;
	struct dead *d = SP_NEW(struct dead);

	d->letter = 'X';
	uv_timer_init(sp_loop_uv(loop), &h);
	h.data = d;
	uv_close((uv_handle_t *)&h, on_uv_closed);
	sp_loop_run(loop);
	ck_assert_str_eq(trace, "cX");
}
END_TEST

START_TEST(free_runs_what_is_left)
{
	struct call a = { .letter = 'a' };
	struct dead *d = SP_NEW(struct dead);
	struct sp_loop *other;

	ck_assert_int_eq(sp_loop_new(&other), 0);
	d->letter = 'X';
	sp_reap(other, &d->reap, on_dead);
	sp_defer(other, &a.defer, on_call);
	sp_loop_free(&other);
	ck_assert_str_eq(trace, "aX");
	sp_loop_free(&other); /* NULL is fine */
}
END_TEST

/* ---- running and stopping ----------------------------------------------------- */

static void on_stop(struct sp_timer *t)
{
	(void)t;
	sp_loop_stop(loop);
}

START_TEST(stop_ends_run)
{
	struct note stop = { 0 }, later = { .letter = 'L' };

	sp_timer_start(loop, &stop.timer, 1, on_stop);
	sp_timer_start(loop, &later.timer, 3600 * 1000, on_note);
	sp_loop_run(loop);
	ck_assert(sp_timer_running(&later.timer));
	sp_timer_stop(loop, &later.timer);
	sp_loop_run(loop);
	ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(run_until)
{
	bool yes = true;

	ck_assert(sp_loop_run_until(loop, is_true, &yes, GRACE_MS));
	ck_assert(!sp_loop_run_until(loop, never, NULL, 2));
}
END_TEST

static void on_true(struct sp_defer *d)
{
	(void)d;
	again_left = 7;
}

static bool is_seven(void *arg)
{
	(void)arg;
	return again_left == 7;
}

static void on_idle_closed(uv_handle_t *h)
{
	static struct sp_defer d;

	(void)h;
	sp_defer(loop, &d, on_true);
}

/* What a deferred call did after the last event is seen before the loop sleeps. Without it this takes an hour. */
START_TEST(run_until_sees_deferred)
{
	struct note later = { .letter = 'L' };
	uv_timer_t h;

	again_left = 0;
	sp_timer_start(loop, &later.timer, 3600 * 1000, on_note);
	uv_timer_init(sp_loop_uv(loop), &h);
	uv_close((uv_handle_t *)&h, on_idle_closed);
	ck_assert(sp_loop_run_until(loop, is_seven, NULL, 3600 * 1000));
	sp_timer_stop(loop, &later.timer);
}
END_TEST

static void on_closed_slowly(uv_handle_t *h)
{
	uint64_t until = uv_hrtime() + 20 * 1000000;

	(void)h;
	while (uv_hrtime() < until)
		;
}

static bool is_noted(void *arg)
{
	(void)arg;
	return trace[0] == 't';
}

/* A timer expires during the last event of a turn, so libuv sees it when it ends the turn, and nothing else is alive.
 */
START_TEST(timer_expires_as_turn_ends)
{
	struct note t = { .letter = 't' };
	uv_timer_t h;

	uv_timer_init(sp_loop_uv(loop), &h);
	uv_close((uv_handle_t *)&h, on_closed_slowly);
	sp_timer_start(loop, &t.timer, 10, on_note);
	ck_assert(sp_loop_run_until(loop, is_noted, NULL, GRACE_MS));
}
END_TEST

START_TEST(now_is_monotonic)
{
	uint64_t a = sp_loop_now_ms(loop);

	sp_loop_run_until(loop, never, NULL, 3);
	ck_assert_uint_gt(sp_loop_now_ms(loop), a);
}
END_TEST

/* ---- posts -------------------------------------------------------------------- */

enum { THREADS = 4, POSTS = 500 };
static unsigned posted[THREADS];
static unsigned posted_sum;

struct numbered {
	unsigned thread, number;
};

static void on_posted(void *arg)
{
	struct numbered *n = arg;

	sp_loop_assert(loop);
	ck_assert_uint_eq(posted[n->thread], n->number); /* in order per thread */
	posted[n->thread]++;
	posted_sum++;
	free(n);
}

static void *poster(void *arg)
{
	unsigned thread = (unsigned)(uintptr_t)arg, i;

	for (i = 0; i < POSTS; i++) {
		struct numbered *n = SP_NEW(struct numbered);

		*n = (struct numbered){ thread, i };
		sp_must(sp_loop_post(loop, on_posted, n) == 0);
	}
	return NULL;
}

static bool all_posted(void *arg)
{
	(void)arg;
	return posted_sum == THREADS * POSTS;
}

START_TEST(post_from_threads)
{
	pthread_t t[THREADS];
	unsigned i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, poster, (void *)(uintptr_t)i), 0);
	ck_assert(sp_loop_run_until(loop, all_posted, NULL, GRACE_MS));
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}
END_TEST

START_TEST(post_runs_before_free)
{
	struct numbered *n = SP_NEW(struct numbered);

	ck_assert_int_eq(sp_loop_post(loop, on_posted, n), 0);
	sp_loop_run(loop); /* a post alone does not keep the loop alive, but it is run */
	ck_assert_uint_eq(posted_sum, 1);
	n = SP_NEW(struct numbered);
	n->number = 1;
	ck_assert_int_eq(sp_loop_post(loop, on_posted, n), 0);
}
END_TEST

/* ---- bugs are found -------------------------------------------------------------- */

START_TEST(free_with_open_handle_aborts)
{
	uv_timer_t h;

	uv_timer_init(sp_loop_uv(loop), &h);
	sp_loop_free(&loop);
}
END_TEST

START_TEST(free_with_running_timer_aborts)
{
	struct note a = { 0 };

	sp_timer_start(loop, &a.timer, 1000, on_note);
	sp_loop_free(&loop);
}
END_TEST

static void *foreign(void *arg)
{
	sp_loop_assert(arg);
	return NULL;
}

START_TEST(foreign_thread_aborts)
{
	pthread_t t;

	pthread_create(&t, NULL, foreign, loop);
	pthread_join(t, NULL);
}
END_TEST

/* ---- errors, lent memory ----------------------------------------------------------- */

START_TEST(uv_causes)
{
	static const struct {
		int uv, err;
		enum sp_domain domain;
		const char *text;
	} cases[] = {
		{ UV_ECONNREFUSED, SP_EREFUSED, SP_DOMAIN_OS, "x: connection refused" },
		{ UV_EHOSTUNREACH, SP_EUNREACH, SP_DOMAIN_OS, "x: host is unreachable" },
		{ UV_ENETUNREACH, SP_EUNREACH, SP_DOMAIN_OS, "x: network is unreachable" },
		{ UV_ETIMEDOUT, SP_ETIMEOUT, SP_DOMAIN_OS, "x: connection timed out" },
		{ UV_ECONNRESET, SP_ERESET, SP_DOMAIN_OS, "x: connection reset by peer" },
		{ UV_EPIPE, SP_ERESET, SP_DOMAIN_OS, "x: broken pipe" },
		{ UV_EADDRINUSE, SP_ESYS, SP_DOMAIN_OS, "x: address already in use" },
		{ UV_EACCES, SP_EDENIED, SP_DOMAIN_OS, "x: permission denied" },
		{ UV_ENOMEM, SP_ENOMEM, SP_DOMAIN_OS, "x: not enough memory" },
		{ UV_EAI_NONAME, SP_EDNS, SP_DOMAIN_DNS, "x: unknown node or service" },
		{ UV_EAI_AGAIN, SP_EDNS, SP_DOMAIN_DNS, "x: temporary failure" },
		{ UV_EAI_CANCELED, SP_ECANCELED, SP_DOMAIN_DNS, "x: request canceled" },
	};
	struct sp_cause c;

	c = (struct sp_cause){ 0 };
	ck_assert_int_eq(sp_uv_cause(&c, cases[_i].uv, "x"), cases[_i].err);
	ck_assert_int_eq(c.err, cases[_i].err);
	ck_assert_int_eq(c.domain, cases[_i].domain);
	ck_assert_str_eq(c.text, cases[_i].text);
	ck_assert_int_eq(sp_uv_cause(NULL, cases[_i].uv, "x"), cases[_i].err);
}
END_TEST

START_TEST(lent_memory)
{
	uint8_t *m[20], *again_mem;
	unsigned i;

	for (i = 0; i < SP_COUNT_OF(m); i++) {
		m[i] = sp_loop_mem_take(loop, SP_MEM_BULK);
		ck_assert_ptr_nonnull(m[i]);
		memset(m[i], (int)i, SP_MEM_BULK_BYTES);
	}
	for (i = 0; i < SP_COUNT_OF(m); i++) {
		ck_assert_uint_eq(m[i][SP_MEM_BULK_BYTES - 1], i); /* nobody else has it */
		sp_loop_mem_give(loop, SP_MEM_BULK, m[i]);
	}
	again_mem = sp_loop_mem_take(loop, SP_MEM_BULK);
	memset(again_mem, 1, SP_MEM_BULK_BYTES);
	sp_loop_mem_give(loop, SP_MEM_BULK, again_mem);
	ck_assert_ptr_eq(sp_loop_mem_take(loop, SP_MEM_BULK), again_mem); /* the warm one first */
	sp_loop_mem_give(loop, SP_MEM_BULK, again_mem);
	sp_loop_mem_give(loop, SP_MEM_BULK, NULL);
}
END_TEST

Suite *sp_suite_loop(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop"), *bugs = tcase_create("bugs");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, timers_fire_in_order);
	tcase_add_test(tc, timer_stop_and_restart);
	tcase_add_test(tc, timer_heap_random);
	tcase_add_test(tc, timer_zero_is_next_turn);
	tcase_add_test(tc, timer_counts_from_now);
	tcase_add_test(tc, defer_then_reap);
	tcase_add_test(tc, defer_cancel_in_round);
	tcase_add_test(tc, defer_is_bounded);
	tcase_add_test(tc, defer_from_timer);
	tcase_add_test(tc, reap_from_last_close);
	tcase_add_test(tc, free_runs_what_is_left);
	tcase_add_test(tc, stop_ends_run);
	tcase_add_test(tc, run_until);
	tcase_add_test(tc, run_until_sees_deferred);
	tcase_add_test(tc, timer_expires_as_turn_ends);
	tcase_add_test(tc, now_is_monotonic);
	tcase_add_test(tc, post_from_threads);
	tcase_add_test(tc, post_runs_before_free);
	tcase_add_loop_test(tc, uv_causes, 0, 12);
	tcase_add_test(tc, lent_memory);
	suite_add_tcase(s, tc);

	tcase_add_checked_fixture(bugs, setup, NULL);
	tcase_add_test_raise_signal(bugs, free_with_open_handle_aborts, SIGABRT);
	tcase_add_test_raise_signal(bugs, free_with_running_timer_aborts, SIGABRT);
	tcase_add_test_raise_signal(bugs, foreign_thread_aborts, SIGABRT);
	suite_add_tcase(s, bugs);
	return s;
}
