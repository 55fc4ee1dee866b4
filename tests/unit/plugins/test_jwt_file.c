/* Files with keys: what is seen of their changes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "jwt/file.h"
#include "mint.h"
#include "suites.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static char folder[] = "/tmp/sp-jwtfile-XXXXXX", path[64], aside[64];
static char *set_a, *set_b;
static struct jwt_file file;
static struct jwt_group group;

static char *a_set(const char *kid)
{
	EVP_PKEY *key = mint_ec("P-256");
	char *set = mint_set((char *const[]){ mint_jwk(key, kid, ""), NULL });

	EVP_PKEY_free(key);
	return set;
}

static void setup(void)
{
	strcpy(folder, "/tmp/sp-jwtfile-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/keys", folder);
	snprintf(aside, sizeof(aside), "%s/new", folder);
	umask(022);
	set_a = a_set("a");
	set_b = a_set("b");
	file = (struct jwt_file){ 0 };
	group = (struct jwt_group){ .from = JWT_KEYS_FILE, .where = path, .algs = JWT_ALG_PUBLIC };
}

static void teardown(void)
{
	jwt_file_deinit(&file);
	free(set_a);
	free(set_b);
	unlink(path);
	unlink(aside);
	ck_assert_int_eq(rmdir(folder), 0);
}

/* In place. */
static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static int64_t real_now(void)
{
	return (int64_t)time(NULL);
}

/* As if everything had been written long ago. */
static enum jwt_file_seen look(void)
{
	return jwt_file_look(&file, &group, real_now() + 3600);
}

static const char *kid(void)
{
	return file.keys ? file.keys->keys[0].kid : NULL;
}

START_TEST(first)
{
	put(path, set_a, 0644);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
	ck_assert_str_eq(kid(), "a");
	ck_assert_int_eq(look(), JWT_FILE_SAME);
}
END_TEST

START_TEST(missing)
{
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_str_eq(file.complaint, "No such file or directory");
	ck_assert_ptr_null(file.keys);
	ck_assert_int_eq(look(), JWT_FILE_SAME); /* said once */
	put(path, set_a, 0644);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
}
END_TEST

START_TEST(rotation_by_rename)
{
	put(path, set_a, 0644);
	look();
	put(aside, set_b, 0644);
	ck_assert_int_eq(rename(aside, path), 0);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
	ck_assert_str_eq(kid(), "b");
}
END_TEST

START_TEST(bad_keeps_old)
{
	static const char *const bad[] = { "", "{", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}" };

	put(path, set_a, 0644);
	look();
	put(aside, bad[_i], 0644);
	rename(aside, path);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_str_ne(file.complaint, "");
	ck_assert_str_eq(kid(), "a");
	ck_assert_int_eq(look(), JWT_FILE_SAME);
	unlink(path);
	ck_assert_int_eq(look(), JWT_FILE_BAD); /* another reason */
	ck_assert_str_eq(kid(), "a");
	put(path, set_b, 0644);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
	ck_assert_str_eq(kid(), "b");
}
END_TEST

/* The complaint is over; the set is the one that was there all the time. */
START_TEST(restored)
{
	struct jwt_keyset *before;

	put(path, set_a, 0644);
	look();
	before = file.keys;
	unlink(path);
	look();
	put(path, set_a, 0644);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
	ck_assert_ptr_eq(file.keys, before);
	ck_assert_str_eq(file.complaint, "");
}
END_TEST

/* Of the same size, and perhaps within one step of the file system's clock: a young file is read again. */
START_TEST(changed_right_after)
{
	struct timespec stamp[2] = { { .tv_sec = real_now() }, { .tv_sec = real_now() } };

	put(path, set_a, 0644);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, stamp, 0), 0);
	ck_assert_int_eq(jwt_file_look(&file, &group, real_now()), JWT_FILE_GOOD);
	ck_assert(!file.settled);
	ck_assert_int_eq(jwt_file_look(&file, &group, real_now()), JWT_FILE_SAME);
	put(path, set_b, 0644);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, stamp, 0), 0);
	/* Whatever stat() says. */
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	file.stamp.ctime_s = st.st_ctim.tv_sec;
	file.stamp.ctime_ns = st.st_ctim.tv_nsec;
	ck_assert_int_eq(jwt_file_look(&file, &group, real_now()), JWT_FILE_GOOD);
	ck_assert_str_eq(kid(), "b");
}
END_TEST

START_TEST(young_and_bad_is_said_once)
{
	put(path, "{", 0644);
	ck_assert_int_eq(jwt_file_look(&file, &group, real_now()), JWT_FILE_BAD);
	ck_assert_int_eq(jwt_file_look(&file, &group, real_now()), JWT_FILE_SAME);
}
END_TEST

START_TEST(permissions)
{
	put(path, set_a, 0646);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_ptr_nonnull(strstr(file.complaint, "everybody may write it"));
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
}
END_TEST

START_TEST(secret)
{
	group.from = JWT_KEYS_SECRET;
	group.algs = JWT_ALG_SHARED;
	put(path, SECRET "\n", 0644);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_ptr_nonnull(strstr(file.complaint, "everybody may read or write it"));
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(look(), JWT_FILE_GOOD);
	ck_assert_uint_eq(file.keys->keys[0].secret_bytes, strlen(SECRET));
	/* Nothing but its permissions changes. */
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_ptr_nonnull(file.keys);
	ck_assert_ptr_null(strstr(file.complaint, SECRET));
	put(path, "short", 0600);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_ptr_null(strstr(file.complaint, "short"));
}
END_TEST

START_TEST(odd_files)
{
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(look(), JWT_FILE_BAD); /* and it returns */
	ck_assert_str_eq(file.complaint, "not a regular file");
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_str_eq(file.complaint, "not a regular file");
	rmdir(path);
	put(path, "", 0600);
	ck_assert_int_eq(truncate(path, JWT_KEYSET_BYTES_MOST + 1), 0);
	ck_assert_int_eq(look(), JWT_FILE_BAD);
	ck_assert_str_eq(file.complaint, "is too large");
}
END_TEST

START_TEST(shared)
{
	struct jwt_file other;

	put(path, set_a, 0644);
	look();
	other = jwt_file_share(&file);
	ck_assert_ptr_eq(other.keys, file.keys);
	put(path, set_b, 0644);
	look();
	ck_assert_str_eq(kid(), "b");
	ck_assert_str_eq(other.keys->keys[0].kid, "a");
	ck_assert_int_eq(jwt_file_look(&other, &group, real_now() + 3600), JWT_FILE_GOOD);
	ck_assert_str_eq(other.keys->keys[0].kid, "b");
	jwt_file_deinit(&other);
}
END_TEST

Suite *suite_jwt_file(void)
{
	Suite *s = suite_create("jwt_file");
	TCase *tc = tcase_create("jwt_file");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first);
	tcase_add_test(tc, missing);
	tcase_add_test(tc, rotation_by_rename);
	tcase_add_loop_test(tc, bad_keeps_old, 0, 4);
	tcase_add_test(tc, restored);
	tcase_add_test(tc, changed_right_after);
	tcase_add_test(tc, young_and_bad_is_said_once);
	tcase_add_test(tc, permissions);
	tcase_add_test(tc, secret);
	tcase_add_test(tc, odd_files);
	tcase_add_test(tc, shared);
	suite_add_tcase(s, tc);
	return s;
}
