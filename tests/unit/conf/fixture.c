#include "fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char fx_folder[64];
struct sp_conf *fx_conf;
struct sp_report fx_report;

void fx_setup(void)
{
	strcpy(fx_folder, "/tmp/sallyport-conf-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(fx_folder));
}

void fx_teardown(void)
{
	DIR *d = opendir(fx_folder);
	struct dirent *e;
	char path[512];

	sp_conf_unref(&fx_conf);
	sp_report_deinit(&fx_report);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", fx_folder, e->d_name);
		if (unlink(path) < 0)
			rmdir(path);
	}
	if (d)
		closedir(d);
	rmdir(fx_folder);
}

const char *fx_write_bytes(const char *name, const void *bytes, size_t n)
{
	static char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", fx_folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0600), 0);
	return path;
}

const char *fx_write(const char *name, const char *text)
{
	return fx_write_bytes(name, text, strlen(text));
}

int fx_load(enum sp_conf_kind kind, const char *text)
{
	const char *file = fx_write("main.conf", text);

	sp_conf_unref(&fx_conf);
	sp_report_deinit(&fx_report);
	return sp_conf_load(file, kind, &fx_conf, &fx_report);
}

void fx_good(enum sp_conf_kind kind, const char *text)
{
	int err = fx_load(kind, text);

	ck_assert_msg(err == 0, "%s\n%s", text, fx_report.text);
	ck_assert_uint_eq(fx_report.count, 0);
	ck_assert_ptr_null(fx_report.text);
	ck_assert_ptr_nonnull(fx_conf);
}

/* lines with every "@" at a line's start replaced by the file, and FOLDER by its folder. */
static void expand(const char *lines, char *dst, size_t size)
{
	size_t n = 0;

	for (const char *p = lines; *p; p++) {
		if (*p == '@' && (p == lines || p[-1] == '\n'))
			n += (size_t)snprintf(dst + n, size - n, "%s/main.conf", fx_folder);
		else if (strncmp(p, "FOLDER", 6) == 0)
			n += (size_t)snprintf(dst + n, size - n, "%s", fx_folder), p += 5;
		else
			n += (size_t)snprintf(dst + n, size - n, "%c", *p);
		ck_assert_uint_lt(n, size);
	}
	dst[n] = '\0';
}

void fx_bad(enum sp_conf_kind kind, const char *text, const char *lines)
{
	static char want[16384];
	unsigned count = 1;

	for (const char *p = lines; *p; p++)
		count += *p == '\n';
	expand(lines, want, sizeof(want));
	ck_assert_msg(fx_load(kind, text) == SP_EINVAL, "accepted:\n%s", text);
	ck_assert_ptr_null(fx_conf);
	ck_assert_str_eq(fx_report.text, want);
	ck_assert_uint_eq(fx_report.count, count);
}

TCase *fx_case(Suite *s, const char *name)
{
	TCase *c = tcase_create(name);

	tcase_add_checked_fixture(c, fx_setup, fx_teardown);
	suite_add_tcase(s, c);
	return c;
}
