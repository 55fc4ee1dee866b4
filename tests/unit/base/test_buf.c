#include "suites.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "../fail_malloc.h"

START_TEST(append_and_consume)
{
	struct sp_buf b = { 0 };

	ck_assert_str_eq(sp_buf_str(&b), "");
	ck_assert_ptr_null(sp_buf_data(&b).p);
	ck_assert_int_eq(sp_buf_append_str(&b, "hello "), 0);
	ck_assert_int_eq(sp_buf_append_slice(&b, SP_SLICE("world")), 0);
	ck_assert_int_eq(sp_buf_printf(&b, "%c%d", '-', 42), 0);
	ck_assert_str_eq(sp_buf_str(&b), "hello world-42");
	sp_buf_consume(&b, 6);
	ck_assert_str_eq(sp_buf_str(&b), "world-42");
	ck_assert(sp_slice_eq_str(sp_buf_data(&b), "world-42"));
	sp_buf_consume(&b, 8);
	ck_assert_ptr_null(b.mem);
	ck_assert_int_eq(sp_buf_append(&b, NULL, 0), 0);
	ck_assert_ptr_null(b.mem);
	sp_buf_deinit(&b);
}
END_TEST

/* A queue that never runs empty must not grow with what went through it, and its bytes keep their order. */
START_TEST(steady_queue)
{
	struct sp_buf b;
	uint8_t in = 0, expect = 0, chunk[100];
	int i, k, moves = 0;
	const uint8_t *mem = NULL;

	sp_buf_init(&b);
	for (i = 0; i < 10000; i++) {
		for (k = 0; k < 100; k++)
			chunk[k] = in++;
		ck_assert_int_eq(sp_buf_append(&b, chunk, 100), 0);
		moves += b.mem != mem;
		mem = b.mem;
		if (i < 5)
			continue;
		for (k = 0; k < 100; k++)
			ck_assert_uint_eq(sp_buf_data(&b).p[k], expect++);
		sp_buf_consume(&b, 100);
	}
	ck_assert_uint_eq(sp_buf_data(&b).n, 500);
	ck_assert_uint_le(b.cap, 4096);
	ck_assert_int_le(moves, 5); /* allocations: while it grows, not while it runs */
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(reserve_and_commit)
{
	struct sp_buf b = { 0 };
	uint8_t *p;
	int i;

	for (i = 0; i < 300; i++) {
		ck_assert_int_eq(sp_buf_reserve(&b, 10, &p), 0);
		memset(p, 'a' + i % 26, 10);
		sp_buf_commit(&b, 3);
	}
	ck_assert_uint_eq(b.len, 900);
	for (i = 0; i < 900; i++)
		ck_assert_int_eq(sp_buf_data(&b).p[i], 'a' + i / 3 % 26);
	sp_buf_wipe(&b);
	ck_assert_ptr_null(b.mem);
}
END_TEST

START_TEST(too_much)
{
	struct sp_buf b = { 0 };
	uint8_t *p = NULL;

	ck_assert_int_eq(sp_buf_append_str(&b, "x"), 0);
	ck_assert_int_eq(sp_buf_reserve(&b, SIZE_MAX, &p), SP_ENOMEM);
	ck_assert_int_eq(sp_buf_reserve(&b, SIZE_MAX / 2, &p), SP_ENOMEM);
	ck_assert_ptr_null(p);
	ck_assert_str_eq(sp_buf_str(&b), "x");
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(without_memory)
{
	struct sp_buf b = { 0 };
	char text[300];
	int append, print, first, grow; /* Check allocates too: judged afterwards */

	memset(text, 'x', sizeof(text));
	fail_malloc_after(0);
	append = sp_buf_append_str(&b, "a");
	print = sp_buf_printf(&b, "%d", 1);
	fail_malloc_after(1);
	first = sp_buf_append_str(&b, "a");
	grow = sp_buf_append(&b, text, sizeof(text));
	fail_malloc_after(-1);
	ck_assert_int_eq(append, SP_ENOMEM);
	ck_assert_int_eq(print, SP_ENOMEM);
	ck_assert_int_eq(first, 0);
	ck_assert_int_eq(grow, SP_ENOMEM);
	ck_assert_str_eq(sp_buf_str(&b), "a");
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(commit_beyond_room)
{
	struct sp_buf b = { 0 };

	sp_buf_commit(&b, 1);
}
END_TEST

START_TEST(consume_beyond_end)
{
	struct sp_buf b = { 0 };

	sp_buf_consume(&b, 1);
}
END_TEST

Suite *sp_suite_buf(void)
{
	Suite *s = suite_create("base/buf");
	TCase *t = tcase_create("buf");

	tcase_add_test(t, append_and_consume);
	tcase_add_test(t, steady_queue);
	tcase_add_test(t, reserve_and_commit);
	tcase_add_test(t, too_much);
	tcase_add_test(t, without_memory);
	tcase_add_test_raise_signal(t, commit_beyond_room, SIGABRT);
	tcase_add_test_raise_signal(t, consume_beyond_end, SIGABRT);
	suite_add_tcase(s, t);
	return s;
}
