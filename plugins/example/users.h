/* The users of an htpasswd file. A line is "user:hash" or "user:hash:tenant"; empty lines and those that begin with "#" are
 * skipped. The hash is one of crypt(3): $y$ (yescrypt), $2b$ and $2y$ (bcrypt), $6$ and $5$ (SHA-512 and SHA-256).
 * A table does not change once it is read: any thread may use it. */
#ifndef HTPASSWD_USERS_H
#define HTPASSWD_USERS_H

#include <crypt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USERS_NAME_MOST 255u	 /* bytes; RFC 1929 carries no more */
#define USERS_PASSWORD_MOST 255u /* bytes */
#define USERS_WHY_SIZE 256

struct users;

/* Tells one content of a file from another; all zero: there is no such file. */
struct users_stamp {
	uint64_t device, inode, size, changed_s, changed_ns;
};

enum users_verdict { USERS_UNKNOWN, USERS_WRONG_PASSWORD, USERS_OK };

struct users_stamp users_stamp(const char *path);
bool users_stamp_equal(const struct users_stamp *a, const struct users_stamp *b);

/* NULL: `why` has a sentence for the operator, with the line where it is about one. */
struct users *users_read(const char *path, char why[USERS_WHY_SIZE]);
void users_free(struct users **u);
size_t users_count(const struct users *u);

/* Hashes once, and as slowly, whether or not there is such a user: how long an answer takes says nothing about who is known.
 * `scratch` is zero before the first call, and holds nothing of the password after any. *tenant_out (NULL: the line has none) is
 * borrowed from u, and written with USERS_OK only. */
enum users_verdict users_verify(const struct users *u, const char *name, const char *password, struct crypt_data *scratch,
				const char **tenant_out);

#endif
