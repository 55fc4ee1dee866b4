/* Secrets are read from files when they are needed, never kept in the snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "conf/conf.h"

#define LINE_END_MAX 2 /* "\r\n" */

static int self(struct sp_cause *cause, int err, const char *file, const char *why)
{
	return sp_cause_set(cause, err, SP_DOMAIN_SELF, 0, "%s: %s", file, why);
}

static int os(struct sp_cause *cause, const char *file)
{
	return sp_cause_set(cause, SP_ESYS, SP_DOMAIN_OS, errno, "%s: %s", file, strerror(errno));
}

/* Up to size bytes; their number, or -1 with errno. */
static ssize_t read_all(int fd, char *dst, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, dst + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int read_open(int fd, const char *file, size_t max, char **out, struct sp_cause *cause)
{
	size_t size = max + LINE_END_MAX + 1; /* one more than may be there */
	struct stat st;
	char *text;
	ssize_t n;
	int err = 0;

	if (fstat(fd, &st) < 0)
		return os(cause, file);
	if (!S_ISREG(st.st_mode))
		return self(cause, SP_EINVAL, file, "not a regular file");
	if (st.st_mode & S_IRWXO)
		return self(cause, SP_EDENIED, file, "holds a secret, but others than its owner and group may access it (chmod o= it)");
	text = sp_calloc(size + 1, 1);
	n = read_all(fd, text, size);
	if (n < 0)
		err = os(cause, file);
	else if ((size_t)n == size)
		err = self(cause, SP_ETOOBIG, file, "too long");
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	if (!err && (size_t)n > max)
		err = self(cause, SP_ETOOBIG, file, "too long");
	else if (!err && n == 0)
		err = self(cause, SP_EINVAL, file, "empty");
	else if (!err && memchr(text, '\0', (size_t)n))
		err = self(cause, SP_EINVAL, file, "holds a NUL byte");
	if (err) {
		sp_wipe(text, size);
		free(text);
		return err;
	}
	*out = text;
	return 0;
}

int sp_conf_read_secret(const char *file, size_t max, char **out, struct sp_cause *cause)
{
	/* O_NONBLOCK: a FIFO in its place must not block us before it is refused. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err;

	if (fd < 0)
		return os(cause, file);
	err = read_open(fd, file, max, out, cause);
	close(fd);
	return err;
}
