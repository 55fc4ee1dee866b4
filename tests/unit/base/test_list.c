#include "suites.h"

#include <signal.h>

#include "base/list.h"

struct item {
	int value;
	struct sp_list node;
};

START_TEST(order)
{
	struct item a = { 1, { 0 } }, b = { 2, { 0 } }, c = { 3, { 0 } };
	struct sp_list head, *n, *tmp;
	int seen = 0;

	sp_list_init(&head);
	ck_assert(sp_list_empty(&head));
	ck_assert_ptr_null(sp_list_pop(&head));
	sp_list_append(&head, &b.node);
	sp_list_append(&head, &c.node);
	sp_list_prepend(&head, &a.node);
	SP_LIST_EACH(n, &head, tmp) {
		seen = seen * 10 + SP_CONTAINER_OF(n, struct item, node)->value;
		if (n == &b.node)
			sp_list_remove(n);
	}
	ck_assert_int_eq(seen, 123);
	ck_assert(!sp_list_linked(&b.node));
	sp_list_remove(&b.node);
	ck_assert_ptr_eq(sp_list_pop(&head), &a.node);
	ck_assert_ptr_eq(sp_list_pop(&head), &c.node);
	ck_assert(sp_list_empty(&head));
}
END_TEST

START_TEST(zeroed_head_is_empty)
{
	struct sp_list head = { 0 };

	ck_assert(sp_list_empty(&head));
	ck_assert_ptr_null(sp_list_pop(&head));
}
END_TEST

START_TEST(linked_twice)
{
	struct sp_list head, node = { 0 };

	sp_list_init(&head);
	sp_list_append(&head, &node);
	sp_list_append(&head, &node);
}
END_TEST

Suite *sp_suite_list(void)
{
	Suite *s = suite_create("base/list");
	TCase *t = tcase_create("list");

	tcase_add_test(t, order);
	tcase_add_test(t, zeroed_head_is_empty);
	tcase_add_test_raise_signal(t, linked_twice, SIGABRT);
	suite_add_tcase(s, t);
	return s;
}
