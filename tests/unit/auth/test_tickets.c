/* Answers late, twice, never, and from any thread. */
#include <pthread.h>
#include <stdlib.h>

#include "fixture.h"
#include "suites.h"

#define P(json) { "scripted", json }
#define CHAIN(...) ((const struct fixture_plugin[]){ __VA_ARGS__, { NULL, NULL } })

static const struct sp_auth_request none;

static struct sp_auth_run *start(struct fixture *f, struct end *e, uint64_t budget_ms)
{
	struct sp_auth_run *run;

	*e = (struct end){ 0 };
	run = sp_auth_start(f->worker, 0, &none, true, budget_ms, on_end, e);
	ck_assert_ptr_nonnull(run);
	return run;
}

static void *release_thread(void *arg)
{
	*(unsigned *)arg = fixture_release();
	return NULL;
}

/* Answers all held tickets from a thread that the host has never seen. */
static unsigned release_from_thread(void)
{
	pthread_t t;
	unsigned n = 0;

	ck_assert_int_eq(pthread_create(&t, NULL, release_thread, &n), 0);
	pthread_join(t, NULL);
	return n;
}

struct stale_wait { struct fixture *f; uint64_t count; };

static bool stale_reached(void *arg)
{
	struct stale_wait *s = arg;

	return sp_auth_stale_answers(s->f->worker) >= s->count;
}

static bool stale(struct fixture *f, uint64_t count)
{
	struct stale_wait s = { f, count };

	return sp_loop_run_until(f->loop, stale_reached, &s, 20000) && sp_auth_stale_answers(f->worker) == count;
}

START_TEST(from_a_thread)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"how\":\"hold\",\"tenant\":\"acme\"}")));
	start(&f, &e, 20000);
	ck_assert_uint_eq(release_from_thread(), 1);
	ck_assert_uint_eq(e.calls, 0); /* only the loop calls back */
	ck_assert(fixture_wait(&f, &e));
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_ANSWERED], 1);
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(never)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"tenant\":\"acme\"}"), P("{\"how\":\"hold\"}")));
	start(&f, &e, 20);
	ck_assert(fixture_wait(&f, &e));
	ck_assert_int_eq(e.outcome, SP_OUTCOME_UNAVAILABLE);
	ck_assert_int_eq(e.cause.err, SP_ETIMEOUT);
	ck_has(e.cause.text, "plugin \"scripted\": it did not answer in time");
	ck_assert_str_eq(e.id.tenant, "acme"); /* for the records */
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_TIMEOUT], 1);
	/* The answer comes after all: dropped and counted. */
	ck_assert_uint_eq(release_from_thread(), 1);
	ck_assert(stale(&f, 1));
	ck_assert_uint_eq(e.calls, 1);
	ck_assert_uint_eq(fixture_stats()->finishes, 2);
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(twice)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"how\":\"twice\",\"tenant\":\"acme\"}")));
	fixture_run(&f, &none, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert(stale(&f, 1));
	ck_assert_uint_eq(e.calls, 1);
	ck_assert_uint_eq(fixture_stats()->finishes, 1);
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

/* An answer for a step is none for the next one, although the run and its slot are the same. */
START_TEST(second_answer_is_not_for_the_next_plugin)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"how\":\"twice\",\"tenant\":\"acme\"}"), P("{\"how\":\"hold\",\"verdict\":1,\"why\":4}")));
	start(&f, &e, 20000);
	ck_assert(stale(&f, 1));
	ck_assert_uint_eq(e.calls, 0);
	release_from_thread();
	ck_assert(fixture_wait(&f, &e));
	ck_assert_int_eq(e.outcome, SP_OUTCOME_FORBIDDEN);
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(answers_inside_finish)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"how\":\"finish\",\"tenant\":\"acme\"}"), P("{\"how\":\"finish\"}")));
	fixture_run(&f, &none, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert(stale(&f, 2));
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(cancelled)
{
	struct fixture f;
	struct sp_auth_run *run;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"how\":\"hold\",\"tenant\":\"acme\"}")));
	run = start(&f, &e, 20000);
	sp_auth_cancel(&run);
	ck_assert_ptr_null(run);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_CLIENT_GONE], 1); /* at once */
	release_from_thread();
	ck_assert(stale(&f, 1));
	ck_assert_uint_eq(e.calls, 0);
	sp_auth_cancel(&run);
	fixture_close(&f);
}
END_TEST

/* The slot is used again at once; the late answer of its first user is none for its second. */
START_TEST(late_answer_after_reuse)
{
	struct fixture f;
	struct sp_auth_run *run;
	struct end e, e2;

	fixture_open(&f, CHAIN(P("{\"how\":\"hold\",\"tenant\":\"acme\"}")));
	run = start(&f, &e, 20000);
	sp_auth_cancel(&run);
	release_from_thread();
	run = start(&f, &e2, 20000);
	ck_assert(stale(&f, 1));
	ck_assert_uint_eq(e2.calls, 0);
	sp_auth_cancel(&run);
	fixture_close(&f);
}
END_TEST

START_TEST(worker_closes)
{
	struct fixture f;
	struct end e[3];

	fixture_open(&f, CHAIN(P("{\"how\":\"hold\",\"tenant\":\"acme\"}")));
	for (unsigned i = 0; i < 3; i++)
		start(&f, &e[i], 20000);
	ck_assert_uint_eq(release_from_thread(), 3); /* under way when the worker closes */
	sp_auth_worker_close(&f.worker);
	ck_assert_ptr_null(f.worker);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_SHUTDOWN], 3);
	ck_assert_uint_eq(fixture_stats()->workers_closed, 1);
	/* Nobody is there any more. */
	ck_assert_uint_eq(release_from_thread(), 3);
	ck_assert_uint_eq(fixture_release(), 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(e[i].calls, 0);
	fixture_close(&f);
}
END_TEST

/* The answer came inside request(), and the worker closes before the loop turns. */
START_TEST(worker_closes_in_the_same_turn)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, CHAIN(P("{\"tenant\":\"acme\"}")));
	start(&f, &e, 20000);
	sp_auth_worker_close(&f.worker);
	fixture_close(&f); /* runs what is left on the loop */
	ck_assert_uint_eq(e.calls, 0);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_SHUTDOWN], 1);
}
END_TEST

/* A new worker at the place of a closed one does not take the old one's answers for its own. */
START_TEST(worker_opens_again)
{
	struct fixture f;
	struct end e, e2;

	fixture_open(&f, CHAIN(P("{\"how\":\"hold\",\"tenant\":\"acme\"}")));
	start(&f, &e, 20000);
	sp_auth_worker_close(&f.worker);
	ck_assert_int_eq(sp_auth_worker_open(f.auth, f.loop, &f.worker, &f.report), 0);
	ck_assert_uint_eq(release_from_thread(), 1); /* the old ticket, before the new one exists */
	start(&f, &e2, 20000);
	ck_assert(stale(&f, 1));
	ck_assert_uint_eq(e2.calls, 0);
	fixture_close(&f);
}
END_TEST

struct closing { struct fixture *f; unsigned calls; };

static void on_end_close(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause)
{
	struct closing *c = arg;

	(void)outcome;
	(void)id; /* not moved: freed after the call */
	(void)cause;
	c->calls++;
	sp_auth_worker_close(&c->f->worker);
}

static bool closed(void *arg)
{
	return ((struct closing *)arg)->f->worker == NULL;
}

/* The callback of one run closes the worker while answers of others wait. */
START_TEST(closed_by_a_callback)
{
	struct fixture f;
	struct closing c = { &f, 0 };

	fixture_open(&f, CHAIN(P("{\"tenant\":\"acme\"}")));
	for (unsigned i = 0; i < 5; i++)
		ck_assert_ptr_nonnull(sp_auth_start(f.worker, 0, &none, true, 20000, on_end_close, &c));
	ck_assert(sp_loop_run_until(f.loop, closed, &c, 20000));
	ck_assert_uint_eq(c.calls, 1);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_ANSWERED], 1);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_SHUTDOWN], 4);
	fixture_close(&f);
}
END_TEST

#define MANY 400u

struct crowd { struct end e[MANY]; struct sp_auth_run *run[MANY]; unsigned ended, expected; };

static bool all_ended(void *arg)
{
	struct crowd *c = arg;

	c->ended = 0;
	for (unsigned i = 0; i < MANY; i++)
		c->ended += c->e[i].calls;
	return c->ended == c->expected;
}

/* Two plugins answer from threads of their own, half of the requests are cancelled on their way, in every state. */
START_TEST(many_from_threads_half_cancelled)
{
	static struct crowd c;
	struct fixture f;

	c = (struct crowd){ .expected = MANY / 2 };
	fixture_open(&f, CHAIN(P("{\"how\":\"thread\",\"principal\":\"p\"}"), P("{}"), P("{\"how\":\"thread\",\"tenant\":\"acme\"}")));
	for (unsigned i = 0; i < MANY; i++)
		c.run[i] = start(&f, &c.e[i], 20000);
	for (unsigned i = 0; i < MANY; i += 2) {
		if (i % 16 == 0)
			uv_run(sp_loop_uv(f.loop), UV_RUN_NOWAIT);
		if (c.e[i].calls == 0)
			sp_auth_cancel(&c.run[i]);
		else
			c.expected++;
	}
	ck_assert(sp_loop_run_until(f.loop, all_ended, &c, 20000));
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_uint_le(c.e[i].calls, 1);
		if (i % 2)
			ck_assert_uint_eq(c.e[i].calls, 1);
		if (c.e[i].calls) {
			ck_assert_int_eq(c.e[i].outcome, SP_OUTCOME_OK);
			ck_assert_str_eq(c.e[i].id.tenant, "acme");
			ck_assert_str_eq(c.e[i].id.principal, "p");
		}
		end_deinit(&c.e[i]);
	}
	fixture_close(&f);
	ck_assert_uint_eq(fixture_stats()->requests, fixture_stats()->finishes);
	ck_assert_uint_eq(fixture_stats()->ended[SP_END_CLIENT_GONE], MANY - c.expected);
}
END_TEST

static void on_end_again(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause);

struct chatter { struct fixture *f; unsigned left, ok; };

static void again(struct chatter *c)
{
	c->left--;
	ck_assert_ptr_nonnull(sp_auth_start(c->f->worker, 0, &none, true, 20000, on_end_again, c));
}

static void on_end_again(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause)
{
	struct chatter *c = arg;

	(void)id;
	(void)cause;
	c->ok += outcome == SP_OUTCOME_OK;
	if (c->left)
		again(c);
}

static bool silent(void *arg)
{
	return ((struct chatter *)arg)->ok == 300;
}

/* Several loops, each with its worker of the same instances, each starting the next request in the callback of the last. */
static void *loop_thread(void *arg)
{
	struct fixture f = *(struct fixture *)arg;
	struct chatter c = { &f, 300, 0 };

	if (sp_loop_new(&f.loop) < 0 || sp_auth_worker_open(f.auth, f.loop, &f.worker, &f.report) < 0)
		return NULL;
	for (unsigned i = 0; i < 20; i++)
		again(&c);
	sp_loop_run_until(f.loop, silent, &c, 20000);
	sp_auth_worker_close(&f.worker);
	sp_loop_free(&f.loop);
	return (void *)(uintptr_t)c.ok;
}

START_TEST(several_workers)
{
	struct fixture f = { .conf = fixture_conf(CHAIN(P("{\"how\":\"thread\",\"tenant\":\"acme\"}"), P("{}"))) };
	pthread_t t[4];
	void *ok;

	ck_assert_int_eq(sp_auth_open(f.conf, false, &f.auth, &f.report), 0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, loop_thread, &f), 0);
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(t[i], &ok);
		ck_assert_uint_eq((uintptr_t)ok, 300);
	}
	ck_assert_uint_eq(fixture_stats()->answered_by_threads, 1200);
	sp_auth_close(&f.auth);
	sp_conf_unref(&f.conf);
}
END_TEST

static char *slow_line;

static void capture(void *arg, const char *line)
{
	(void)arg;
	if (!slow_line && strstr(line, "held up") && strstr(line, "call=request"))
		slow_line = strdup(line);
}

START_TEST(slow_calls_are_named)
{
	struct fixture f;
	struct end e;

	sp_log_capture(capture, NULL);
	fixture_open(&f, CHAIN(P("{\"tenant\":\"acme\"}"), P("{\"busy_ms\":6}")));
	fixture_run(&f, &none, true, &e);
	end_deinit(&e);
	fixture_close(&f);
	sp_log_capture(NULL, NULL);
	ck_has(slow_line, "plugin=scripted");
	free(slow_line);
}
END_TEST

Suite *suite_auth_tickets(void)
{
	const TTest *const tests[] = { from_a_thread, never, twice, second_answer_is_not_for_the_next_plugin, answers_inside_finish,
				       cancelled, late_answer_after_reuse, worker_closes,
				       worker_closes_in_the_same_turn, worker_opens_again, closed_by_a_callback,
				       many_from_threads_half_cancelled, several_workers, slow_calls_are_named };
	Suite *s = suite_create("auth/tickets");
	TCase *tc = tcase_create("tickets");

	tcase_add_unchecked_fixture(tc, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
