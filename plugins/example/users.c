/* Users and their hashes: see users.h. */
#include "users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MOST ((size_t)1 << 20)
#define USERS_MOST 8192u

struct user {
	const char *name, *hash, *tenant; /* in text; tenant may be NULL */
	unsigned line;
};

struct users {
	struct user *list;
	size_t count;
	char *text; /* the file, cut into strings; wiped when freed */
	size_t text_size;
};

/* ---- the file ---- */

static struct users_stamp stamp_of(const struct stat *st)
{
	return (struct users_stamp){ .device = (uint64_t)st->st_dev, .inode = (uint64_t)st->st_ino, .size = (uint64_t)st->st_size,
				     .changed_s = (uint64_t)st->st_mtim.tv_sec, .changed_ns = (uint64_t)st->st_mtim.tv_nsec };
}

struct users_stamp users_stamp(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? (struct users_stamp){ 0 } : stamp_of(&st);
}

bool users_stamp_equal(const struct users_stamp *a, const struct users_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed_s == b->changed_s &&
	       a->changed_ns == b->changed_ns;
}

/* Who may write the file may log in as anybody, and who may read it may try passwords at leisure. */
static const char *refusal(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "it belongs neither to root nor to the user that sallyport runs as";
	if (st->st_mode & (S_IRWXO | S_IWGRP))
		return "others may read or write it (chmod g-w,o= it)";
	return (uint64_t)st->st_size > FILE_BYTES_MOST ? "too large" : NULL;
}

/* Up to `size` bytes and a NUL; NULL with errno. */
static char *read_text(int fd, size_t size, size_t *n_out)
{
	char *text = malloc(size + 1);
	size_t n = 0;
	ssize_t got = 1;

	while (text && n < size && got != 0) {
		got = read(fd, text + n, size - n);
		if (got < 0 && errno != EINTR) {
			explicit_bzero(text, n);
			free(text);
			return NULL;
		}
		n += got > 0 ? (size_t)got : 0;
		got = got < 0 ? 1 : got; /* EINTR: once more */
	}
	if (text)
		text[n] = '\0';
	*n_out = n;
	return text;
}

static char *open_text(const char *path, size_t *n_out, char why[USERS_WHY_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO in its place must not make us wait */
	struct stat st;
	const char *refused;
	char *text = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0) {
		refused = refusal(&st);
		if (refused) {
			snprintf(why, USERS_WHY_SIZE, "%s: %s", path, refused);
			close(fd);
			return NULL;
		}
		text = read_text(fd, (size_t)st.st_size, n_out);
	}
	if (!text)
		snprintf(why, USERS_WHY_SIZE, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return text;
}

/* ---- its lines ---- */

static bool hash_known(const char *hash)
{
	static const char *const kinds[] = { "$y$", "$2b$", "$2y$", "$6$", "$5$" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(hash, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

static bool printable(const char *s, size_t most)
{
	size_t n;

	for (n = 0; s[n]; n++)
		if ((unsigned char)s[n] < 0x20 || s[n] == 0x7f)
			return false;
	return n > 0 && n <= most;
}

/* Cuts "user:hash[:tenant]" into strings. NULL, or why not. */
static const char *parse_line(char *line, struct user *out)
{
	char *hash = strchr(line, ':'), *tenant;

	if (!hash)
		return "must be \"user:hash\" or \"user:hash:tenant\"";
	*hash++ = '\0';
	tenant = strchr(hash, ':');
	if (tenant)
		*tenant++ = '\0';
	if (!printable(line, USERS_NAME_MOST))
		return "the user's name is empty, too long or holds control characters";
	if (tenant && (strchr(tenant, ':') || !printable(tenant, SIZE_MAX)))
		return "the tenant is empty, or holds a colon or control characters";
	*out = (struct user){ line, hash, tenant, 0 };
	return hash_known(hash) ? NULL : "the hash is not of a kind that is accepted: $y$, $2b$, $2y$, $6$ or $5$";
}

static int by_name(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static unsigned duplicate(struct users *u)
{
	qsort(u->list, u->count, sizeof(*u->list), by_name);
	for (size_t i = 1; i < u->count; i++)
		if (strcmp(u->list[i - 1].name, u->list[i].name) == 0)
			return u->list[i].line;
	return 0;
}

/* NULL, or why not; *line_out is the line that it is about, or 0. */
static const char *parse(struct users *u, unsigned *line_out)
{
	const char *failed = NULL;
	char *next = u->text, *line;

	if (memchr(u->text, '\0', u->text_size))
		return "holds a NUL";
	for (*line_out = 1; (line = strsep(&next, "\n")); ++*line_out) {
		size_t n = strlen(line);

		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (u->count == USERS_MOST)
			return "too many users";
		failed = parse_line(line, &u->list[u->count]);
		if (failed)
			return failed;
		u->list[u->count++].line = *line_out;
	}
	*line_out = duplicate(u);
	if (*line_out)
		return "the user stands in the file twice";
	return u->count == 0 ? "no user in it" : NULL;
}

struct users *users_read(const char *path, char why[USERS_WHY_SIZE])
{
	struct users *u = calloc(1, sizeof(*u));
	const char *failed = "out of memory";
	unsigned line = 0;

	if (u)
		u->text = open_text(path, &u->text_size, why);
	if (u && !u->text) {
		users_free(&u);
		return NULL;
	}
	if (u)
		u->list = calloc(USERS_MOST, sizeof(*u->list));
	if (u && u->list)
		failed = parse(u, &line);
	if (!failed)
		return u;
	if (line)
		snprintf(why, USERS_WHY_SIZE, "%s:%u: %s", path, line, failed);
	else
		snprintf(why, USERS_WHY_SIZE, "%s: %s", path, failed);
	users_free(&u);
	return NULL;
}

void users_free(struct users **up)
{
	struct users *u = *up;

	if (!u)
		return;
	if (u->text)
		explicit_bzero(u->text, u->text_size);
	free(u->text);
	free(u->list);
	free(u);
	*up = NULL;
}

size_t users_count(const struct users *u)
{
	return u->count;
}

/* ---- passwords ---- */

/* Does not say by its time where two hashes differ. Their length is no secret. */
static bool same(const char *a, const char *b)
{
	size_t n = strlen(a);
	unsigned char differ = 0;

	if (strlen(b) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

/* Whose hash to compute for a name that nobody has: always the same for that name, so that unknown names are as slow as known
 * ones, also where the file holds hashes of several kinds. (FNV-1a) */
static const struct user *stand_in(const struct users *u, const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return &u->list[h % u->count];
}

enum users_verdict users_verify(const struct users *u, const char *name, const char *password, struct crypt_data *scratch,
				const char **tenant_out)
{
	const struct user *found = NULL, *asked;
	const char *hash;
	bool right;

	for (size_t i = 0; i < u->count; i++) /* to the end, wherever the name stands */
		if (strcmp(u->list[i].name, name) == 0)
			found = &u->list[i];
	asked = found ? found : stand_in(u, name);
	hash = crypt_rn(password, asked->hash, scratch, (int)sizeof(*scratch)); /* NULL when it fails */
	right = hash && same(hash, asked->hash);
	explicit_bzero(scratch, sizeof(*scratch));
	if (!found)
		return USERS_UNKNOWN;
	if (!right)
		return USERS_WRONG_PASSWORD;
	*tenant_out = found->tenant;
	return USERS_OK;
}
