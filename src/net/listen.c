/* Listening sockets. We accept ourselves (uv_poll), not through uv_listen(): libuv hides that descriptors ran out and
 * drops the waiting connections silently; and accept4() gives the peer's address for nothing. */
#include "config.h" /* accept4() */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"
#include "net/tcp_int.h"

#define BACKLOG 4096		/* the kernel lowers it to net.core.somaxconn */
#define ACCEPTS_PER_TURN 64	/* then connections that exist get their turn */
#define EXHAUSTED_PAUSE_MS 200u /* descriptors ran out: closing some takes a while */

struct sp_listener {
	struct sp_loop *loop;
	sp_accept_cb *cb;
	void *arg;
	int fd;
	bool closed, warned;
	struct sp_addr addr;
	dev_t dev; /* of the Unix socket's file: another process may have replaced it meanwhile */
	ino_t ino;
	uv_poll_t poll;
	struct sp_timer pause;
	struct sp_reap reap;
};

/* ---- accepting -------------------------------------------------------------- */

static void on_readable(uv_poll_t *h, int status, int events);

static void on_pause_over(struct sp_timer *t)
{
	struct sp_listener *l = SP_CONTAINER_OF(t, struct sp_listener, pause);

	sp_must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
}

/* accept(2) passes on what happened to the one connection. */
static bool is_of_connection(int err)
{
	static const int list[] = { EINTR,     ECONNABORTED, EPROTO,	   EPERM,      ENETDOWN,   ENOPROTOOPT,
				    EHOSTDOWN, ENONET,	     EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH };
	size_t i;

	for (i = 0; i < SP_COUNT_OF(list); i++) {
		if (list[i] == err)
			return true;
	}
	return false;
}

static void accept_pause(struct sp_listener *l, int err)
{
	struct sp_cause cause = { 0 };
	char text[SP_ADDR_TEXT_SIZE];

	uv_poll_stop(&l->poll);
	sp_timer_start(l->loop, &l->pause, EXHAUSTED_PAUSE_MS, on_pause_over);
	if (l->warned)
		return;
	l->warned = true;
	sp_uv_cause(&cause, -err, "accept");
	sp_log(SP_LOG_WARN, SP_EV_ACCEPT, "accepting pauses", SP_KV_STR("listener", sp_addr_text(&l->addr, text)),
	       SP_KV_CAUSE(&cause));
}

/* Returns whether another one may wait. */
static bool accept_one(struct sp_listener *l)
{
	struct sp_addr peer = { .len = sizeof(peer.ss) };
	struct sp_cause cause = { 0 };
	struct sp_stream *s;
	int fd;

	fd = accept4(l->fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return false;
		if (is_of_connection(errno))
			return true;
		accept_pause(l, errno);
		return false;
	}
	l->warned = false;
	if (sp_tcp_adopt(l->loop, fd, l->addr.sa.sa_family == AF_UNIX, &s, &cause)) {
		sp_log(SP_LOG_WARN, SP_EV_ACCEPT, "accept", SP_KV_CAUSE(&cause));
		return true;
	}
	l->cb(l->arg, s, &peer);
	return true;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct sp_listener *l = h->data;
	unsigned i;

	(void)status;
	(void)events;
	for (i = 0; i < ACCEPTS_PER_TURN && !l->closed && accept_one(l); i++)
		;
}

/* ---- opening ------------------------------------------------------------------ */

static int open_failed(struct sp_cause *cause, const char *step, const struct sp_addr *at, int err)
{
	char what[SP_ADDR_TEXT_SIZE + 16], text[SP_ADDR_TEXT_SIZE];

	snprintf(what, sizeof(what), "%s %s", step, sp_addr_text(at, text));
	return sp_uv_cause(cause, -err, what);
}

/* Does somebody answer on the Unix socket? */
static bool unix_in_use(const struct sp_addr *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;
	bool dead;

	if (fd < 0)
		return true;
	r = connect(fd, &at->sa, at->len);
	dead = r < 0 && errno == ECONNREFUSED; /* EAGAIN: its queue is full, so it lives */
	close(fd);
	return !dead;
}

/* A socket file that a dead process left behind is removed; anything else stays. */
static bool unix_remove_stale(const struct sp_addr *at)
{
	struct stat st;

	return lstat(at->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && !unix_in_use(at) &&
	       unlink(at->un.sun_path) == 0;
}

static int bind_at(int fd, const struct sp_addr *at)
{
	if (bind(fd, &at->sa, at->len) == 0)
		return 0;
	if (errno != EADDRINUSE || at->sa.sa_family != AF_UNIX)
		return errno;
	if (!unix_remove_stale(at))
		return EADDRINUSE;
	return bind(fd, &at->sa, at->len) ? errno : 0;
}

static int open_socket(struct sp_listener *l, const struct sp_addr *at, bool reuseport, struct sp_cause *cause)
{
	struct stat st;
	int one = 1, err;

	l->fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return open_failed(cause, "socket", at, errno);
	if (at->sa.sa_family != AF_UNIX) {
		(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (reuseport && setsockopt(l->fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
			return open_failed(cause, "SO_REUSEPORT", at, errno);
	}
	err = bind_at(l->fd, at);
	if (err)
		return open_failed(cause, "bind", at, err);
	l->addr = *at;
	if (at->sa.sa_family == AF_UNIX) {
		if (stat(at->un.sun_path, &st) == 0) {
			l->dev = st.st_dev;
			l->ino = st.st_ino;
		}
	} else {
		l->addr.len = sizeof(l->addr.ss);
		if (getsockname(l->fd, &l->addr.sa, &l->addr.len))
			return open_failed(cause, "bind", at, errno);
	}
	if (listen(l->fd, BACKLOG))
		return open_failed(cause, "listen", at, errno);
	return 0;
}

static void unlink_own(const struct sp_listener *l)
{
	struct stat st;

	if (l->addr.sa.sa_family == AF_UNIX && lstat(l->addr.un.sun_path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		(void)unlink(l->addr.un.sun_path);
}

int sp_listener_open(struct sp_loop *loop, const struct sp_addr *at, bool reuseport, sp_accept_cb *cb, void *arg,
		     struct sp_listener **out, struct sp_cause *cause)
{
	struct sp_listener *l = calloc(1, sizeof(*l));
	int err;

	sp_loop_assert(loop);
	if (!l)
		return sp_uv_cause(cause, UV_ENOMEM, "listen");
	l->loop = loop;
	l->cb = cb;
	l->arg = arg;
	err = open_socket(l, at, reuseport, cause);
	if (!err) {
		err = uv_poll_init(sp_loop_uv(loop), &l->poll, l->fd);
		if (err)
			err = open_failed(cause, "poll", at, -err);
	}
	if (err) {
		unlink_own(l);
		if (l->fd >= 0)
			close(l->fd);
		free(l);
		return err;
	}
	l->poll.data = l;
	sp_must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
	*out = l;
	return 0;
}

void sp_listener_addr(const struct sp_listener *l, struct sp_addr *out)
{
	*out = l->addr;
}

/* ---- closing -------------------------------------------------------------------- */

static void on_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct sp_listener, reap));
}

static void on_closed(uv_handle_t *h)
{
	struct sp_listener *l = h->data;

	sp_reap(l->loop, &l->reap, on_reap);
}

void sp_listener_close(struct sp_listener **l_p)
{
	struct sp_listener *l = *l_p;

	if (!l)
		return;
	sp_loop_assert(l->loop);
	*l_p = NULL;
	l->closed = true;
	sp_timer_stop(l->loop, &l->pause);
	unlink_own(l);
	uv_close((uv_handle_t *)&l->poll, on_closed);
	close(l->fd); /* at once: the port is free when this returns */
}
