#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "base/secret.h"

static int read_secret(const char *file, size_t max, char **out, struct sp_cause *cause)
{
	*cause = (struct sp_cause){ 0 };
	return sp_conf_read_secret(file, max, out, cause);
}

START_TEST(content)
{
	static const char *const cases[][2] = { { "abc", "abc" }, { "abc\n", "abc" }, { "abc\r\n", "abc" }, { " a\nb \n", " a\nb " } };
	struct sp_cause cause;
	char *s = NULL;

	for (size_t i = 0; i < SP_COUNT_OF(cases); i++) {
		ck_assert_int_eq(read_secret(fx_write("s", cases[i][0]), 64, &s, &cause), 0);
		ck_assert_str_eq(s, cases[i][1]);
		ck_assert_int_eq(cause.err, 0);
		sp_secret_free(&s);
	}
}
END_TEST

START_TEST(modes)
{
	static const struct {
		mode_t mode;
		int err;
	} cases[] = { { 0600, 0 }, { 0400, 0 }, { 0640, 0 }, { 0660, 0 }, { 0604, SP_EDENIED }, { 0602, SP_EDENIED },
		      { 0601, SP_EDENIED }, { 0644, SP_EDENIED } };
	const char *path = fx_write("s", "x");
	struct sp_cause cause;
	char *s = NULL;

	ck_assert_int_eq(chmod(path, cases[_i].mode), 0);
	ck_assert_int_eq(read_secret(path, 64, &s, &cause), cases[_i].err);
	if (cases[_i].err) {
		ck_assert_ptr_null(s);
		ck_assert_int_eq(cause.err, SP_EDENIED);
		ck_assert_ptr_nonnull(strstr(cause.text, path));
		ck_assert_ptr_nonnull(strstr(cause.text, "others than its owner and group"));
	}
	sp_secret_free(&s);
}
END_TEST

START_TEST(length)
{
	struct sp_cause cause;
	char *s = NULL;

	ck_assert_int_eq(read_secret(fx_write("s", "12345678"), 8, &s, &cause), 0);
	sp_secret_free(&s);
	ck_assert_int_eq(read_secret(fx_write("s", "12345678\r\n"), 8, &s, &cause), 0);
	sp_secret_free(&s);
	ck_assert_int_eq(read_secret(fx_write("s", "123456789"), 8, &s, &cause), SP_ETOOBIG);
	ck_assert_int_eq(cause.err, SP_ETOOBIG);
	ck_assert_int_eq(read_secret(fx_write("s", "123456789\n"), 8, &s, &cause), SP_ETOOBIG);
	ck_assert_int_eq(read_secret(fx_write("s", "12345678901234567890"), 8, &s, &cause), SP_ETOOBIG);
	ck_assert_ptr_null(s);
	ck_assert_ptr_null(strstr(cause.text, "123"));
}
END_TEST

START_TEST(refused)
{
	struct sp_cause cause;
	char *s = NULL;

	ck_assert_int_eq(read_secret(fx_write("s", ""), 8, &s, &cause), SP_EINVAL);
	ck_assert_int_eq(read_secret(fx_write("s", "\r\n\n"), 8, &s, &cause), SP_EINVAL);
	ck_assert_ptr_nonnull(strstr(cause.text, "empty"));
	ck_assert_int_eq(read_secret(fx_write_bytes("s", "a\0b", 3), 8, &s, &cause), SP_EINVAL);
	ck_assert_ptr_nonnull(strstr(cause.text, "NUL"));
	ck_assert_int_eq(read_secret(fx_folder, 8, &s, &cause), SP_EINVAL);
	ck_assert_ptr_nonnull(strstr(cause.text, "regular"));
	ck_assert_int_eq(read_secret("/nonexistent/secret", 8, &s, &cause), SP_ESYS);
	ck_assert_str_eq(cause.text, "/nonexistent/secret: No such file or directory");
	ck_assert_ptr_null(s);
}
END_TEST

/* Without a writer, opening a FIFO to read would wait for ever. */
START_TEST(fifo)
{
	struct sp_cause cause;
	char path[128], *s = NULL;

	snprintf(path, sizeof(path), "%s/fifo", fx_folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(read_secret(path, 8, &s, &cause), SP_EINVAL);
}
END_TEST

Suite *sp_suite_secret(void)
{
	Suite *s = suite_create("secret");
	TCase *c = fx_case(s, "secret");

	tcase_add_test(c, content);
	tcase_add_loop_test(c, modes, 0, 8);
	tcase_add_test(c, length);
	tcase_add_test(c, refused);
	tcase_add_test(c, fifo);
	return s;
}
