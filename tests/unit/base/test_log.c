#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"

static char last[8192];
static unsigned lines;

static void keep(void *arg, const char *line)
{
	(void)arg;
	snprintf(last, sizeof(last), "%s", line);
	lines++;
}

static void begin(enum sp_level max, bool json)
{
	lines = 0;
	last[0] = '\0';
	sp_log_setup(max, json);
	sp_log_capture(keep, NULL);
}

/* "2026-11-23T06:30:00.123Z " is 25 bytes. */
static const char *after_time(void)
{
	struct tm tm = { 0 };
	int ms;
	char z;

	ck_assert_int_eq(sscanf(last, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
				&tm.tm_min, &tm.tm_sec, &ms, &z), 8);
	ck_assert_int_eq(z, 'Z');
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	ck_assert_int_le(timegm(&tm), time(NULL));
	ck_assert_int_gt(timegm(&tm), time(NULL) - 86400); /* a wrong calendar is off by days */
	return last + 25;
}

START_TEST(text_form)
{
	struct sp_cause c = { 0 };

	begin(SP_LOG_INFO, false);
	sp_cause_set(&c, SP_EREFUSED, SP_DOMAIN_OS, 111, "connect to 10.0.0.1");
	sp_log(SP_LOG_INFO, SP_EV_EXCHANGE, "finished", SP_KV_STR("tenant", "t1"), SP_KV_INT("bytes", -3),
	       SP_KV_STR("none", NULL), SP_KV_SLICE("host", SP_SLICE("a b")), SP_KV_SLICE("absent", SP_SLICE_NONE),
	       SP_KV_STR("empty", ""), SP_KV_STR("eq", "a=b"), SP_KV_CAUSE(&c), SP_KV_CAUSE(NULL));
	ck_assert_str_eq(after_time(), "info exchange finished tenant=t1 bytes=-3 host=\"a b\" empty=\"\" eq=\"a=b\" "
				       "cause=refused domain=os code=111 detail=\"connect to 10.0.0.1\"");
}
END_TEST

START_TEST(json_form)
{
	struct sp_cause c = { .err = SP_ETIMEOUT };

	begin(SP_LOG_INFO, true);
	sp_log(SP_LOG_WARN, SP_EV_POOL, "a \"b\"", SP_KV_STR("k", "x\ny\\\xff"), SP_KV_INT("n", 7), SP_KV_CAUSE(&c));
	ck_assert_ptr_nonnull(strstr(last, "Z\",\"level\":\"warn\",\"event\":\"pool\",\"message\":\"a \\\"b\\\"\","
					   "\"k\":\"x\\\\x0ay\\\\\\\\xff\",\"n\":7,\"cause\":\"timeout\"}"));
	ck_assert_int_eq(strncmp(last, "{\"time\":\"", 9), 0);
}
END_TEST

START_TEST(escapes)
{
	begin(SP_LOG_INFO, false);
	sp_log(SP_LOG_INFO, SP_EV_NET, "m\n", SP_KV_SLICE("v", SP_SLICE("a\r\n\0\x1b\x7f\"\\\xc3\xa4\xc2\x9b\xc3")));
	ck_assert_str_eq(after_time(),
			 "info net m\\x0a v=\"a\\x0d\\x0a\\x00\\x1b\\x7f\\\"\\\\\xc3\xa4\\xc2\\x9b\\xc3\"");
}
END_TEST

START_TEST(levels)
{
	begin(SP_LOG_WARN, false);
	sp_log(SP_LOG_NOTICE, SP_EV_START, "x");
	sp_log_write(SP_LOG_DEBUG, SP_EV_START, "x", NULL, 0);
	ck_assert_uint_eq(lines, 0);
	sp_log(SP_LOG_WARN, SP_EV_START, "x");
	sp_log(SP_LOG_ERROR, SP_EV_START, "x");
	ck_assert_uint_eq(lines, 2);
	ck_assert_str_eq(after_time(), "error start x");
}
END_TEST

START_TEST(truncated_text)
{
	static char big[10000];

	begin(SP_LOG_INFO, false);
	memset(big, '\n', sizeof(big) - 1);
	sp_log(SP_LOG_INFO, SP_EV_NET, "m", SP_KV_STR("v", big), SP_KV_INT("lost", 1));
	ck_assert_uint_lt(strlen(last), 4096);
	ck_assert_uint_gt(strlen(last), 4000);
	ck_assert_str_eq(last + strlen(last) - 20, "\\x0a\" truncated=true");
}
END_TEST

START_TEST(truncated_json)
{
	static char big[10000];
	int size;

	begin(SP_LOG_INFO, true);
	memset(big, 'x', sizeof(big) - 1);
	for (size = 3900; size < 4096; size++) { /* every place where the end may fall */
		sp_log(SP_LOG_INFO, SP_EV_NET, "m", SP_KV_SLICE("v", sp_slice_make(big, (size_t)size)),
		       SP_KV_STR("after", "some text"), SP_KV_INT("num", 12345));
		ck_assert_uint_lt(strlen(last), 4096);
		if (strstr(last, "\"num\":12345}"))
			ck_assert_ptr_null(strstr(last, "truncated"));
		else
			ck_assert_str_eq(last + strlen(last) - 18, ",\"truncated\":true}");
		ck_assert(strstr(last, "xx\",\"") || strstr(last, "xx\"}"));
	}
}
END_TEST

START_TEST(errno_is_kept)
{
	int saved = dup(STDERR_FILENO), closed = open("/dev/null", O_RDONLY), after;

	begin(SP_LOG_INFO, false);
	sp_log_capture(NULL, NULL);
	dup2(closed, STDERR_FILENO); /* a write fails with EBADF */
	errno = ERANGE;
	sp_log(SP_LOG_ERROR, SP_EV_NET, "nobody listens");
	after = errno;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(closed);
	ck_assert_int_eq(after, ERANGE);
}
END_TEST

#define THREADS 4
#define PER_THREAD 200

static void *write_many(void *arg)
{
	char text[300];
	int i;

	memset(text, *(const char *)arg, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (i = 0; i < PER_THREAD; i++)
		sp_log(SP_LOG_INFO, SP_EV_NET, "m", SP_KV_STR("v", text), SP_KV_STR("end", "end"));
	return NULL;
}

/* Lines of several threads arrive whole. */
START_TEST(lines_do_not_mix)
{
	pthread_t th[THREADS];
	char names[THREADS] = { 'a', 'b', 'c', 'd' }, line[1024];
	FILE *f = tmpfile();
	int i, saved = dup(STDERR_FILENO), count[THREADS] = { 0 };

	ck_assert_ptr_nonnull(f);
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(NULL, NULL);
	/* O_APPEND, as a log file or a pipe has it */
	ck_assert_ptr_nonnull(freopen(NULL, "a+", f));
	dup2(fileno(f), STDERR_FILENO);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&th[i], NULL, write_many, &names[i]), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		const char *v = strstr(line, " v=");

		ck_assert_ptr_nonnull(v);
		ck_assert_uint_eq(strspn(v + 3, (char[]){ v[3], '\0' }), 299);
		ck_assert_str_eq(v + 3 + 299, " end=end\n");
		count[v[3] - 'a']++;
	}
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(count[i], PER_THREAD);
	fclose(f);
}
END_TEST

static void to_exit(void *arg, const char *line)
{
	(void)arg;
	if (!strstr(line, " error bug assertion failed file=") || !strstr(line, " expression=\"1 > 2\""))
		raise(SIGKILL);
}

START_TEST(must_logs_and_aborts)
{
	sp_log_setup(SP_LOG_ERROR, false);
	sp_log_capture(to_exit, NULL);
	sp_must(1 > 2);
}
END_TEST

Suite *sp_suite_log(void)
{
	Suite *s = suite_create("base/log");
	TCase *t = tcase_create("log");

	tcase_add_test(t, text_form);
	tcase_add_test(t, json_form);
	tcase_add_test(t, escapes);
	tcase_add_test(t, levels);
	tcase_add_test(t, truncated_text);
	tcase_add_test(t, truncated_json);
	tcase_add_test(t, errno_is_kept);
	tcase_add_test(t, lines_do_not_mix);
	tcase_add_test_raise_signal(t, must_logs_and_aborts, SIGABRT);
	suite_add_tcase(s, t);
	return s;
}
