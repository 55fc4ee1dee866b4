/* Files with keys: see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* File systems keep time in steps, so a second change soon after the first may leave the same stamp. */
#define SETTLED_AFTER_S 2

static struct jwt_file_stamp stamp_of(const struct stat *st)
{
	return (struct jwt_file_stamp){ .dev = st->st_dev, .ino = st->st_ino, .size = st->st_size,
					.mtime_s = st->st_mtim.tv_sec, .mtime_ns = st->st_mtim.tv_nsec,
					.ctime_s = st->st_ctim.tv_sec, .ctime_ns = st->st_ctim.tv_nsec };
}

static struct jwt_file_stamp stamp_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? stamp_of(&st) : (struct jwt_file_stamp){ .err = errno };
}

static bool stamps_equal(const struct jwt_file_stamp *a, const struct jwt_file_stamp *b)
{
	return a->err == b->err && a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_s == b->mtime_s &&
	       a->mtime_ns == b->mtime_ns && a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns;
}

static bool settled(const struct jwt_file_stamp *s, int64_t wall_s)
{
	return s->err != 0 || (s->mtime_s < wall_s - SETTLED_AFTER_S && s->ctime_s < wall_s - SETTLED_AFTER_S);
}

/* One byte more than is accepted, to see that it is too much. */
static long read_up_to(int fd, char *text, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, text + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (long)n;
}

/* Who can change the file can sign as the issuer; who can read the secret too. */
static const char *read_open(int fd, bool secret, struct jwt_file_stamp *stamp, char **text_out, size_t *n_out)
{
	struct stat st;
	char *text;
	long n;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	*stamp = stamp_of(&st);
	if (!S_ISREG(st.st_mode))
		return "not a regular file";
	if (st.st_mode & (secret ? S_IRWXO : S_IWOTH))
		return secret ? "everybody may read or write it (chmod o-rwx)" : "everybody may write it (chmod o-w)";
	text = malloc(JWT_KEYSET_BYTES_MOST + 1);
	n = text ? read_up_to(fd, text, JWT_KEYSET_BYTES_MOST + 1) : -1;
	if (n < 0 || (size_t)n > JWT_KEYSET_BYTES_MOST) {
		if (text)
			OPENSSL_cleanse(text, JWT_KEYSET_BYTES_MOST + 1);
		free(text);
		return n < 0 ? "cannot be read" : "is too large";
	}
	*text_out = text;
	*n_out = (size_t)n;
	return NULL;
}

static const char *read_file(const struct jwt_group *g, struct jwt_file_stamp *stamp, char **text_out, size_t *n_out)
{
	int fd = open(g->where, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *failed;

	if (fd < 0) {
		*stamp = stamp_at(g->where); /* it may be there and not for us */
		return strerror(errno);
	}
	failed = read_open(fd, g->from == JWT_KEYS_SECRET, stamp, text_out, n_out);
	close(fd);
	return failed;
}

/* NULL, or why the text is no good. */
static const char *take(struct jwt_file *f, const struct jwt_group *g, const char *text, size_t n, char *why, size_t why_size)
{
	struct jwt_keyset *ks = NULL;
	uint8_t digest[sizeof(f->digest)];
	int rc;

	if (EVP_Digest(text, n, digest, NULL, EVP_sha256(), NULL) != 1)
		return "out of memory";
	if (f->keys && memcmp(digest, f->digest, sizeof(digest)) == 0)
		return NULL;
	rc = g->from == JWT_KEYS_SECRET ? jwt_keyset_import_secret(text, n, g->algs, &ks, why, why_size) :
					  jwt_keyset_import(text, n, &ks, why, why_size);
	if (rc < 0)
		return why;
	jwt_keyset_free(&f->keys);
	f->keys = ks;
	memcpy(f->digest, digest, sizeof(digest));
	return NULL;
}

enum jwt_file_seen jwt_file_look(struct jwt_file *f, const struct jwt_group *g, int64_t wall_s)
{
	const struct jwt_keyset *before = f->keys;
	struct jwt_file_stamp stamp = stamp_at(g->where);
	bool changed = !stamps_equal(&stamp, &f->stamp), complained = *f->complaint != '\0';
	char why[256], *text = NULL;
	const char *failed;
	size_t n = 0;

	if (!changed && f->settled)
		return JWT_FILE_SAME;
	failed = read_file(g, &stamp, &text, &n);
	if (!failed)
		failed = take(f, g, text, n, why, sizeof(why));
	if (text)
		OPENSSL_cleanse(text, n);
	free(text);
	f->stamp = stamp;
	f->settled = settled(&stamp, wall_s);
	if (!failed) {
		*f->complaint = '\0';
		return complained || f->keys != before ? JWT_FILE_GOOD : JWT_FILE_SAME;
	}
	/* A version that was read twice because it was young is complained about once. */
	if (!changed && strncmp(f->complaint, failed, sizeof(f->complaint) - 1) == 0)
		return JWT_FILE_SAME;
	snprintf(f->complaint, sizeof(f->complaint), "%s", failed);
	return JWT_FILE_BAD;
}

struct jwt_file jwt_file_share(const struct jwt_file *f)
{
	struct jwt_file share = *f;

	if (share.keys)
		jwt_keyset_ref(share.keys);
	return share;
}

void jwt_file_deinit(struct jwt_file *f)
{
	jwt_keyset_free(&f->keys);
	*f = (struct jwt_file){ 0 };
}
