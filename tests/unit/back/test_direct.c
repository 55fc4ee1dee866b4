/* The backs that dial from here: direct and exposed. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "back/back.h"
#include "base/alloc.h"

static struct sp_conf *conf;
static struct sp_back *back;
static struct sp_listener *origin;
static struct sp_addr origin_addr;
static unsigned accepted, backs_closed;

static struct {
	unsigned calls;
	struct sp_stream *stream;
	enum sp_outcome outcome;
	struct sp_cause cause;
} opened;

static void on_accept(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	(void)arg;
	(void)peer;
	accepted++;
	sp_stream_close(s, SP_CLOSE_FLUSH);
}

static void on_open(void *arg, struct sp_stream *s, enum sp_outcome o, const struct sp_cause *cause)
{
	ck_assert_ptr_eq(arg, &opened);
	opened.calls++;
	opened.stream = s;
	opened.outcome = o;
	if (cause)
		opened.cause = *cause;
}

static void on_back_closed(void *arg)
{
	(void)arg;
	backs_closed++;
}

static void setup(void)
{
	struct sp_addr any;
	struct sp_cause cause = { 0 };

	loop_setup();
	memset(&opened, 0, sizeof(opened));
	accepted = backs_closed = 0;
	conf = SP_NEW(struct sp_conf);
	conf->refs = 1;
	conf->timeouts.dial_ms = PEER_WAIT_MS;
	ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &any), 0);
	ck_assert_int_eq(sp_listener_open(loop, &any, false, on_accept, NULL, &origin, &cause), 0);
	sp_listener_addr(origin, &origin_addr);
}

static void close_back(void)
{
	back->ops->close(back, on_back_closed, NULL);
	ck_assert_uint_eq(backs_closed, 0);
	await_count(&backs_closed, 1);
}

static void teardown(void)
{
	struct peer p = { 0 };

	if (opened.stream) {
		peer_attach(&p, opened.stream);
		peer_end(&p);
	}
	if (backs_closed == 0)
		close_back();
	if (origin)
		sp_listener_close(&origin);
	loop_teardown();
	sp_conf_unref(&conf);
}

static struct sp_exchange to(const char *host, unsigned port)
{
	struct sp_exchange x = { .target = { .port = (uint16_t)port } };

	snprintf(x.target.host, sizeof(x.target.host), "%s", host);
	return x;
}

static struct sp_back_open *start(struct sp_exchange *x)
{
	struct sp_back_open *o = sp_back_open(back, x, on_open, &opened);

	ck_assert_ptr_nonnull(o);
	ck_assert_uint_eq(opened.calls, 0);
	return o;
}

static void finish(struct sp_exchange *x)
{
	start(x);
	await_count(&opened.calls, 1);
	run_turns(5);
	ck_assert_uint_eq(opened.calls, 1);
}

START_TEST(direct_connects)
{
	struct sp_exchange x = to(_i == 0 ? "127.0.0.1" : "localhost", sp_addr_port(&origin_addr));

	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
	finish(&x);
	ck_assert_ptr_nonnull(opened.stream);
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(x.via, "direct");
	await_count(&accepted, 1);
}
END_TEST

START_TEST(direct_refused)
{
	struct sp_exchange x = to("127.0.0.1", sp_addr_port(&origin_addr));

	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
	sp_listener_close(&origin);
	run_turns(5);
	finish(&x);
	ck_assert_ptr_null(opened.stream);
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_REFUSED);
	ck_assert_int_eq(opened.cause.err, SP_EREFUSED);
}
END_TEST

START_TEST(direct_no_such_name)
{
	struct sp_exchange x = to("no-such-name.invalid", 1);

	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
	finish(&x);
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_DNS);
	ck_assert_int_eq(opened.cause.err, SP_EDNS);
}
END_TEST

START_TEST(cancelled)
{
	struct sp_exchange x = to("127.0.0.1", sp_addr_port(&origin_addr));
	struct sp_back_open *o;

	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
	o = start(&x);
	sp_back_cancel(&o);
	ck_assert_ptr_null(o);
	sp_back_cancel(&o);
	close_back();
	run_turns(20);
	ck_assert_uint_eq(opened.calls, 0);
}
END_TEST

START_TEST(drained)
{
	struct sp_exchange x = to("127.0.0.1", sp_addr_port(&origin_addr)), y = x;

	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
	start(&x);
	back->ops->drain(back);
	await_count(&opened.calls, 1); /* what was under way goes on */
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_OK);
	sp_stream_close(opened.stream, SP_CLOSE_ABORT);
	memset(&opened, 0, sizeof(opened));
	finish(&y);
	ck_assert_ptr_null(opened.stream);
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_SHUTDOWN);
}
END_TEST

START_TEST(closed_with_pending_opens)
{
	struct sp_exchange x = to("127.0.0.1", sp_addr_port(&origin_addr));

	ck_assert_int_eq(sp_back_direct_new(loop, conf, &back), 0);
	start(&x);
	back->ops->close(back, on_back_closed, NULL);
	ck_assert_uint_eq(opened.calls, 0);
	await_count(&backs_closed, 1);
	ck_assert_uint_eq(opened.calls, 1);
	ck_assert_ptr_null(opened.stream);
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_SHUTDOWN);
}
END_TEST

/* ---- exposed ---------------------------------------------------------------------- */

static void expose(const char *virtual_host, unsigned first, unsigned last, unsigned internal, bool same_offset)
{
	unsigned n = conf->expose_count++;

	conf->exposes = realloc(conf->exposes, conf->expose_count * sizeof(conf->exposes[0]));
	ck_assert_ptr_nonnull(conf->exposes);
	conf->exposes[n] = (struct sp_conf_expose){ .first_port = (uint16_t)first, .last_port = (uint16_t)last,
						    .internal_first_port = (uint16_t)internal, .internal_same_offset = same_offset };
	snprintf(conf->exposes[n].virtual_host, SP_HOST_SIZE, "%s", virtual_host);
	snprintf(conf->exposes[n].internal_host, SP_HOST_SIZE, "127.0.0.1");
}

static const struct exposed_case {
	const char *host;
	int port;
	enum sp_outcome outcome;
} exposed_cases[] = {
	{ "erp.virtual", 8000, SP_OUTCOME_OK },
	{ "ERP.virtual", 8000, SP_OUTCOME_OK },
	{ "erp.virtual", 8001, SP_OUTCOME_NOT_EXPOSED },
	{ "erp.virtual", 7999, SP_OUTCOME_NOT_EXPOSED },
	{ "erp.virtual.", 8000, SP_OUTCOME_NOT_EXPOSED },
	{ "127.0.0.1", -1, SP_OUTCOME_NOT_EXPOSED }, /* the internal address itself */
	{ "localhost", -1, SP_OUTCOME_NOT_EXPOSED },
	{ "range.virtual", 100, SP_OUTCOME_OK },
	{ "range.virtual", 150, SP_OUTCOME_OK },
	{ "range.virtual", 200, SP_OUTCOME_OK },
	{ "range.virtual", 201, SP_OUTCOME_NOT_EXPOSED },
	{ "range.virtual", 99, SP_OUTCOME_NOT_EXPOSED },
	{ "shifted.virtual", 1005, SP_OUTCOME_OK },
	{ "over.virtual", 5, SP_OUTCOME_NOT_EXPOSED }, /* would wrap around */
};

START_TEST(exposed)
{
	const struct exposed_case *c = &exposed_cases[_i];
	unsigned port = sp_addr_port(&origin_addr);
	struct sp_exchange x = to(c->host, c->port < 0 ? port : (unsigned)c->port);

	expose("erp.virtual", 8000, 8000, port, false);
	expose("range.virtual", 100, 200, port, false);
	expose("shifted.virtual", 1000, 1010, port - 5, true);
	expose("over.virtual", 1, 10, 65535, true);
	ck_assert_int_eq(sp_back_exposed_new(loop, conf, &back, NULL), 0);
	finish(&x);
	ck_assert_int_eq(opened.outcome, c->outcome);
	ck_assert_str_eq(x.via, "exposed");
	if (c->outcome == SP_OUTCOME_OK)
		await_count(&accepted, 1);
	else
		ck_assert_int_eq(opened.cause.err, SP_EDENIED);
}
END_TEST

START_TEST(nothing_exposed)
{
	struct sp_exchange x = to("127.0.0.1", sp_addr_port(&origin_addr));

	ck_assert_int_eq(sp_back_exposed_new(loop, conf, &back, NULL), 0);
	finish(&x);
	ck_assert_int_eq(opened.outcome, SP_OUTCOME_NOT_EXPOSED);
}
END_TEST

Suite *sp_suite_direct(void)
{
	Suite *s = suite_create("back/direct");
	TCase *t = tcase_create("direct");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, direct_connects, 0, 2);
	tcase_add_test(t, direct_refused);
	tcase_add_test(t, direct_no_such_name);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, drained);
	tcase_add_test(t, closed_with_pending_opens);
	tcase_add_loop_test(t, exposed, 0, SP_COUNT_OF(exposed_cases));
	tcase_add_test(t, nothing_exposed);
	suite_add_tcase(s, t);
	return s;
}
