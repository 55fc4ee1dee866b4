/* From file to tree: includes, positions, integers. */
#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

START_TEST(missing_file)
{
	char path[128], want[256];

	snprintf(path, sizeof(path), "%s/none.conf", fx_folder);
	ck_assert_int_eq(sp_conf_load(path, SP_CONF_PROXY, &fx_conf, &fx_report), SP_EINVAL);
	snprintf(want, sizeof(want), "cannot read %s: No such file or directory", path);
	ck_assert_str_eq(fx_report.text, want);
	ck_assert_int_eq(sp_conf_load(fx_folder, SP_CONF_PROXY, &fx_conf, &fx_report), SP_EINVAL);
	ck_assert_uint_eq(fx_report.count, 2);
	ck_assert_ptr_nonnull(strstr(fx_report.text, "it is a folder"));
	ck_assert_ptr_null(fx_conf);
}
END_TEST

START_TEST(not_a_text)
{
	char *big = malloc(1024 * 1024 + 2);

	ck_assert_ptr_nonnull(big);
	memset(big, ' ', 1024 * 1024 + 1);
	big[1024 * 1024 + 1] = '\0';
	ck_assert_int_eq(fx_load(SP_CONF_PROXY, big), SP_EINVAL);
	ck_assert_ptr_nonnull(strstr(fx_report.text, "larger than 1 MiB"));
	free(big);
	fx_write_bytes("nul.conf", "a\0b", 3);
	ck_assert_int_eq(fx_load(SP_CONF_PROXY, "@include \"nul.conf\"\n"), SP_EINVAL);
	ck_assert_ptr_nonnull(strstr(fx_report.text, "main.conf:1: cannot read "));
	ck_assert_ptr_nonnull(strstr(fx_report.text, "/nul.conf: it holds a NUL byte"));
}
END_TEST

START_TEST(syntax)
{
	fx_bad(SP_CONF_PROXY, "\n\nx = ;\n", "@:3: syntax error");
	fx_bad(SP_CONF_PROXY, "workers = 1;\nworkers = 2;\n", "@:2: duplicate setting name");
	fx_bad(SP_CONF_PROXY, "a=1\"x\"", "@:1: syntax error");
	fx_bad(SP_CONF_PROXY, "s = \"\n\n", "@:3: syntax error");
	fx_bad(SP_CONF_PROXY, FX_PROXY "\n /* \n * workers = 2;\n", "@:5: a comment begins here and never ends");
}
END_TEST

/* Names as a whole: a path to them from where the file was named. */
START_TEST(include)
{
	char want[256];

	fx_write("auth.inc", FX_AUTH "# @include \"none\"\n");
	fx_write("rest.inc", "\n  @include\t\"auth.inc\"\n" FX_LISTENERS FX_UPSTREAM);
	fx_good(SP_CONF_PROXY, "@include \"rest.inc\"\n");
	snprintf(want, sizeof(want), "%s/auth.inc", fx_folder);
	ck_assert_str_eq(fx_conf->chains[0].at.file, want);
	ck_assert_uint_eq(fx_conf->chains[0].at.line, 1);
	snprintf(want, sizeof(want), "%s/rest.inc", fx_folder);
	ck_assert_str_eq(fx_conf->listeners[0].at.file, want);
	ck_assert_uint_eq(fx_conf->listeners[0].at.line, 3);
	ck_assert_str_eq(fx_conf->upstream.at.file, want);
	ck_assert_uint_eq(fx_conf->upstream.at.line, 4);
}
END_TEST

START_TEST(include_from_another_folder)
{
	char name[256];

	fx_write("auth.inc", FX_AUTH "x = 1;\n");
	fx_write("main.conf", "@include \"auth.inc\"\n" FX_LISTENERS FX_UPSTREAM);
	ck_assert_int_eq(chdir("/tmp"), 0);
	snprintf(name, sizeof(name), "%s/main.conf", fx_folder + strlen("/tmp/"));
	ck_assert_int_eq(sp_conf_load(name, SP_CONF_PROXY, &fx_conf, &fx_report), SP_EINVAL);
	snprintf(name, sizeof(name), "%s/auth.inc:2: unknown key \"x\"; known: workers, plugin_dir, log, audit, timeouts, limits, tunnels, auth, "
		 "on_expiry, listeners, upstream, regions", fx_folder + strlen("/tmp/"));
	ck_assert_str_eq(fx_report.text, name);
}
END_TEST

START_TEST(include_errors_name_their_file)
{
	char want[256];

	fx_write("a.inc", "\n\nx = ;");
	ck_assert_int_eq(fx_load(SP_CONF_PROXY, "@include \"a.inc\"\n"), SP_EINVAL);
	snprintf(want, sizeof(want), "%s/a.inc:3: syntax error", fx_folder);
	ck_assert_str_eq(fx_report.text, want);
}
END_TEST

/* libconfig would end the process. */
START_TEST(include_folder)
{
	fx_bad(SP_CONF_PROXY, "@include \"..\"\n", "@:1: cannot read FOLDER/..: it is a folder");
}
END_TEST

START_TEST(include_refused)
{
	char path[128];

	fx_bad(SP_CONF_PROXY, "\n@include \"/etc/hostname\"\n",
	       "@:2: @include \"/etc/hostname\": must be a path relative to the folder of FOLDER/main.conf");
	fx_bad(SP_CONF_PROXY, "@include \"\"\n", "@:1: @include \"\": must be a path relative to the folder of FOLDER/main.conf");
	fx_bad(SP_CONF_PROXY, "@include \"a\\b\"\n",
	       "@:1: @include \"a\\b\": must be a path relative to the folder of FOLDER/main.conf");
	fx_bad(SP_CONF_PROXY, "@include \"none\"\n", "@:1: cannot read FOLDER/none: No such file or directory");
	fx_bad(SP_CONF_PROXY, "@include \"main.conf\"\n@include \"main.conf\"\n",
	       "@:1: @include \"main.conf\": files include each other deeper than 8 levels");
	snprintf(path, sizeof(path), "%s/fifo", fx_folder);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fx_bad(SP_CONF_PROXY, "@include \"fifo\"\n", "@:1: cannot read FOLDER/fifo: it is no regular file");
	fx_bad(SP_CONF_PROXY, "@include none\n", "@:1: syntax error");
	fx_bad(SP_CONF_PROXY, "@include \"\n", "@:1: @include \"\": must be a path relative to the folder of FOLDER/main.conf");
	fx_bad(SP_CONF_PROXY, "workers = 1; @include \"none\"\n", "@:1: syntax error");
}
END_TEST

#define DOES_NOT_FIT(n)                                                                                                            \
	"the integer " n " does not fit, and libconfig would silently make another number of it: integers have 32 bits, 64 with "   \
	"the suffix L; sizes and durations are strings with a unit, \"3GiB\", \"90s\""

/* In a plugin's group any number may stand, so these are about the scan alone. */
#define NUMBERS(text) "auth = { a = ( { plugin = \"none\";\n" text "\n} ); };\n" FX_LISTENERS FX_UPSTREAM

START_TEST(integers_that_fit)
{
	fx_good(SP_CONF_PROXY, NUMBERS("a = 2147483647; b = -2147483648; c = 0x7fffffff; d = 9223372036854775807L; e = 0x7fffFFFFffffFFFFL;"
				       "f = -9223372036854775808L; g = 00000000000000000001; h = 5LL; i = +5; j = 0X1F;"));
	ck_assert_str_eq(fx_conf->chains[0].plugins[0].json,
			 "{\"a\":2147483647,\"b\":-2147483648,\"c\":2147483647,\"d\":9223372036854775807,\"e\":9223372036854775807,"
			 "\"f\":-9223372036854775808,\"g\":1,\"h\":5,\"i\":5,\"j\":31}");
}
END_TEST

START_TEST(integers_that_do_not_fit)
{
	static const char *const cases[] = { "2147483648", "-2147483649", "4294967297", "99999999999999999999", "0x80000000", "0xFFFFFFFF",
					     "0x1FFFFFFFF", "9223372036854775808L", "-9223372036854775809L", "0x8000000000000000L",
					     "99999999999999999999999999LL", "0xfffffffffffffffffffffffL", "-4294967296" };
	char text[512], want[512];

	for (size_t i = 0; i < SP_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), NUMBERS("\n a = %s;"), cases[i]);
		snprintf(want, sizeof(want), "@:3: " DOES_NOT_FIT("%s"), cases[i]);
		fx_bad(SP_CONF_PROXY, text, want);
	}
	fx_bad(SP_CONF_PROXY, NUMBERS("l = [ 1,\n 2147483648,\n 2147483649 ];"),
	       "@:3: " DOES_NOT_FIT("2147483648") "\n@:4: " DOES_NOT_FIT("2147483649"));
}
END_TEST

/* What looks like such an integer and is none. */
START_TEST(not_integers)
{
	fx_good(SP_CONF_PROXY, NUMBERS("f = 99999999999.5; g = 1.99999999999; h = 1e10; i = 1E+10; j = 1.5e-10; k = .99999999999;\n"
				       "a99999999999 = 1; b-99999999999 = 1; c_99999999999 = 1; d*99999999999 = 1;\n"
				       "s = \"99999999999\"; t = \"\\\" 99999999999 \\\\\"; u = \"a\n99999999999\" \"99999999999\";\n"
				       "# 99999999999 \"\n// 99999999999 \"\n/* 99999999999 \" \n * 99999999999 */ v = true;"));
}
END_TEST

START_TEST(lines_after_multiline_tokens)
{
	fx_bad(SP_CONF_PROXY, NUMBERS("/* \n \n */ s = \"\n\\\n\"; a = 4294967296;"), "@:6: " DOES_NOT_FIT("4294967296"));
}
END_TEST

/* The file's name and all positions outlive the load, and a reference outlives another. */
START_TEST(references)
{
	struct sp_conf *second;

	fx_good(SP_CONF_PROXY, FX_PROXY);
	second = sp_conf_ref(fx_conf);
	ck_assert_ptr_eq(second, fx_conf);
	sp_conf_unref(&second);
	ck_assert_ptr_null(second);
	ck_assert_str_eq(fx_conf->listeners[0].at.file, fx_conf->file);
	sp_conf_unref(&second); /* NULL is fine */
}
END_TEST

/* What was reported before stays, and does not count as this file's. */
START_TEST(report_is_added_to)
{
	const char *file = fx_write("main.conf", FX_PROXY);

	sp_report_add(&fx_report, NULL, "before");
	ck_assert_int_eq(sp_conf_load(file, SP_CONF_PROXY, &fx_conf, &fx_report), 0);
	ck_assert_ptr_nonnull(fx_conf);
	ck_assert_str_eq(fx_report.text, "before");
}
END_TEST

Suite *sp_suite_source(void)
{
	Suite *s = suite_create("source");
	TCase *c = fx_case(s, "files");

	tcase_add_test(c, missing_file);
	tcase_add_test(c, not_a_text);
	tcase_add_test(c, syntax);
	tcase_add_test(c, include);
	tcase_add_test(c, include_from_another_folder);
	tcase_add_test(c, include_errors_name_their_file);
	tcase_add_test(c, include_folder);
	tcase_add_test(c, include_refused);
	tcase_add_test(c, references);
	tcase_add_test(c, report_is_added_to);
	c = fx_case(s, "integers");
	tcase_add_test(c, integers_that_fit);
	tcase_add_test(c, integers_that_do_not_fit);
	tcase_add_test(c, not_integers);
	tcase_add_test(c, lines_after_multiline_tokens);
	return s;
}
