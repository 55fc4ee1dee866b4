#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "exchange/exchange.h"

static char lines[4][4096];
static unsigned line_count;

static void on_line(void *arg, const char *line)
{
	(void)arg;
	ck_assert_uint_lt(line_count, SP_COUNT_OF(lines));
	snprintf(lines[line_count++], sizeof(lines[0]), "%s", line);
}

static void setup(void)
{
	loop_setup();
	line_count = 0;
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(on_line, NULL);
}

static void teardown(void)
{
	sp_log_capture(NULL, NULL);
	loop_teardown();
}

static unsigned empties;

static void on_empty(void *arg)
{
	ck_assert_ptr_eq(arg, &empties);
	empties++;
}

static struct sp_book book(unsigned clients_max, unsigned exchanges_max)
{
	empties = 0;
	return (struct sp_book){ .clients_max = clients_max, .exchanges_max = exchanges_max, .on_empty = on_empty, .arg = &empties };
}

#define ck_has(text, part) ck_assert_msg(strstr((text), (part)) != NULL, "\"%s\" is not in: %s", (part), (text))
#define ck_lacks(text, part) ck_assert_msg(strstr((text), (part)) == NULL, "\"%s\" is in: %s", (part), (text))

START_TEST(clients_are_counted)
{
	struct sp_book b = book(2, 1);

	ck_assert(sp_book_client_enter(&b));
	ck_assert(sp_book_client_enter(&b));
	ck_assert(!sp_book_client_enter(&b));
	ck_assert_uint_eq(b.clients, 2);
	sp_book_client_leave(&b);
	ck_assert_uint_eq(empties, 0);
	ck_assert(sp_book_client_enter(&b));
	sp_book_client_leave(&b);
	b.draining = true;
	ck_assert(!sp_book_client_enter(&b));
	sp_book_client_leave(&b);
	ck_assert_uint_eq(empties, 1);
}
END_TEST

START_TEST(one_line_with_everything)
{
	struct sp_book b = book(1, 1);
	struct sp_exchange x = { .conn_id = 7, .front = "socks5", .listener = "127.0.0.1:20004", .client = "10.0.0.9:5",
				 .location = "north", .via = "tunnel 3", .target = { .host = "erp.virtual", .port = 8000 } };
	struct sp_cause cause = { 0 };

	ck_assert_int_eq(sp_exchange_begin(&x, &b, loop), 0);
	ck_assert_uint_eq(strlen(x.id), 16);
	ck_assert_uint_eq(b.exchanges, 1);
	x.identity.tenant = sp_strdup("t1");
	x.identity.principal = sp_strdup("app!1");
	x.identity.upstream_auth = sp_strdup("very-secret");
	x.opened_mono_ms = x.began_mono_ms + 12;
	x.outcome = SP_OUTCOME_OK;
	x.bytes_up = 100;
	x.bytes_down = 2000;
	sp_cause_set(&cause, SP_ERESET, SP_DOMAIN_OS, 104, "read: connection reset");
	sp_exchange_fail(&x, SP_OUTCOME_TUNNEL_LOST, &cause);
	sp_exchange_fail(&x, SP_OUTCOME_TIMEOUT, NULL);
	ck_assert_int_eq(x.outcome, SP_OUTCOME_TUNNEL_LOST);
	sp_exchange_end(&x, loop);
	sp_exchange_end(&x, loop);
	ck_assert_uint_eq(line_count, 1);
	ck_has(lines[0], " info exchange ");
	ck_has(lines[0], " conn=7 tenant=t1 principal=app!1 front=socks5 listener=127.0.0.1:20004 client=10.0.0.9:5 "
			 "target=erp.virtual:8000 location=north via=\"tunnel 3\" outcome=tunnel_lost up=100 down=2000 open_ms=12 ms=");
	ck_has(lines[0], " cause=reset domain=");
	ck_has(lines[0], x.id);
	ck_lacks(lines[0], "very-secret");
	ck_assert_ptr_null(x.identity.tenant);
	ck_assert_ptr_null(x.identity.upstream_auth);
	ck_assert_uint_eq(b.exchanges, 0);
	ck_assert_uint_eq(b.ended[SP_OUTCOME_TUNNEL_LOST], 1);
	ck_assert_uint_eq(b.bytes_up, 100);
	ck_assert_uint_eq(b.bytes_down, 2000);
	ck_assert_uint_eq(empties, 1);
}
END_TEST

START_TEST(what_was_not_set_is_left_out)
{
	struct sp_book b = book(1, 1);
	struct sp_exchange x = { .id = "00000000000000aa" };

	ck_assert_int_eq(sp_exchange_begin(&x, &b, loop), 0);
	ck_assert_str_eq(x.id, "00000000000000aa");
	sp_exchange_end(&x, loop);
	ck_has(lines[0], " exchange=00000000000000aa conn=0 outcome=unknown up=0 down=0 ms=");
	ck_lacks(lines[0], "open_ms");
	ck_lacks(lines[0], "cause");
	ck_assert_uint_eq(b.ended[SP_OUTCOME_UNKNOWN], 1);
}
END_TEST

/* Refused ones have a line and a count, but no place in the book. */
START_TEST(limits_and_draining)
{
	struct sp_book b = book(1, 1);
	struct sp_exchange x = { 0 }, y = { 0 }, z = { 0 };

	ck_assert_int_eq(sp_exchange_begin(&x, &b, loop), 0);
	ck_assert_int_eq(sp_exchange_begin(&y, &b, loop), SP_ELIMIT);
	ck_assert_int_eq(y.outcome, SP_OUTCOME_LIMIT);
	ck_assert_uint_eq(b.exchanges, 1);
	sp_exchange_end(&y, loop);
	ck_assert_uint_eq(b.exchanges, 1);
	b.draining = true;
	ck_assert_int_eq(sp_exchange_begin(&z, &b, loop), SP_ECLOSED);
	ck_assert_int_eq(z.outcome, SP_OUTCOME_SHUTDOWN);
	sp_exchange_end(&z, loop);
	ck_assert_uint_eq(empties, 0);
	sp_exchange_end(&x, loop);
	ck_assert_uint_eq(empties, 1);
	ck_assert_uint_eq(line_count, 3);
	ck_assert_uint_eq(b.ended[SP_OUTCOME_LIMIT] + b.ended[SP_OUTCOME_SHUTDOWN], 2);
}
END_TEST

/* The first failure counts; one without a cause does not take the cause of a later one. */
START_TEST(first_failure_wins)
{
	struct sp_book b = book(1, 1);
	struct sp_exchange x = { 0 };
	struct sp_cause cause = { 0 };

	ck_assert_int_eq(sp_exchange_begin(&x, &b, loop), 0);
	sp_cause_set(&cause, SP_EDNS, SP_DOMAIN_DNS, 0, "no such name");
	sp_exchange_fail(&x, SP_OUTCOME_DNS, &cause);
	cause = (struct sp_cause){ 0 };
	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_SELF, 0, "late");
	sp_exchange_fail(&x, SP_OUTCOME_TIMEOUT, &cause);
	ck_assert_int_eq(x.outcome, SP_OUTCOME_DNS);
	ck_assert_int_eq(x.cause.err, SP_EDNS);
	sp_exchange_end(&x, loop);
}
END_TEST

Suite *sp_suite_exchange(void)
{
	Suite *s = suite_create("exchange/exchange");
	TCase *t = tcase_create("exchange");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, clients_are_counted);
	tcase_add_test(t, one_line_with_everything);
	tcase_add_test(t, what_was_not_set_is_left_out);
	tcase_add_test(t, limits_and_draining);
	tcase_add_test(t, first_failure_wins);
	suite_add_tcase(s, t);
	return s;
}
