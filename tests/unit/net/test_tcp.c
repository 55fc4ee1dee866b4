/* Listeners, and what only sockets do. */
#include "suites.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"
#include "ends.h"
#include "net/tcp_int.h"

static struct sp_listener *listener;
static struct sp_addr at;

struct accepted {
	struct sp_stream *s[64];
	unsigned count;
	bool close_listener; /* after the first */
};
static struct accepted got;

static void on_accept(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	(void)arg;
	(void)peer;
	ck_assert_uint_lt(got.count, SP_COUNT_OF(got.s));
	got.s[got.count++] = s;
	if (got.close_listener)
		sp_listener_close(&listener);
}

static void listen_at(const char *text)
{
	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(sp_addr_parse(text, &at), 0);
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &listener, NULL), 0);
	sp_listener_addr(listener, &at);
}

/* A blocking socket of our own, to do what streams would not. */
static int raw_connect(void)
{
	int fd = socket(at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, &at.sa, at.len), 0);
	return fd;
}

static void raw_reset(int fd)
{
	struct linger l = { .l_onoff = 1 };

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	close(fd);
}

static void drop_accepted(void)
{
	unsigned i;

	for (i = 0; i < got.count; i++)
		sp_stream_close(got.s[i], SP_CLOSE_ABORT);
	got.count = 0;
}

static int stream_fd(struct sp_stream *s)
{
	uv_os_fd_t fd;

	ck_assert_int_eq(uv_fileno((uv_handle_t *)sp_tcp_handle(s), &fd), 0);
	return fd;
}

static int option(struct sp_stream *s, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	ck_assert_int_eq(getsockopt(stream_fd(s), level, name, &value, &len), 0);
	return value;
}

/* ---- listening --------------------------------------------------------------- */

START_TEST(port_zero_is_resolved)
{
	char text[SP_ADDR_TEXT_SIZE];

	listen_at("127.0.0.1:0");
	ck_assert_uint_ne(sp_addr_port(&at), 0);
	ck_assert_int_eq(strncmp(sp_addr_text(&at, text), "127.0.0.1:", 10), 0);
	sp_listener_close(&listener);
	ck_assert_ptr_null(listener);
	sp_listener_close(&listener); /* NULL is fine */
}
END_TEST

START_TEST(bind_in_use)
{
	struct sp_listener *other = NULL;
	struct sp_cause cause = { 0 };
	char expect[200], text[SP_ADDR_TEXT_SIZE];

	listen_at("127.0.0.1:0");
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &other, &cause), SP_ESYS);
	snprintf(expect, sizeof(expect), "bind %s: address already in use", sp_addr_text(&at, text));
	ck_assert_str_eq(cause.text, expect);
	ck_assert_int_eq(cause.raw, EADDRINUSE);
	ck_assert_ptr_null(other);
	sp_listener_close(&listener);
	/* Free at once, and a connection in TIME_WAIT does not keep it. */
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &other, NULL), 0);
	sp_listener_close(&other);
}
END_TEST

START_TEST(bind_address_not_ours)
{
	struct sp_cause cause = { 0 };

	ck_assert_int_eq(sp_addr_parse("192.0.2.1:0", &at), 0); /* RFC 5737 */
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &listener, &cause), SP_EUNREACH);
	ck_assert_str_eq(cause.text, "bind 192.0.2.1:0: address not available");
}
END_TEST

START_TEST(reuseport)
{
	struct sp_listener *other;
	int fd[16];
	unsigned i;

	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &at), 0);
	ck_assert_int_eq(sp_listener_open(loop, &at, true, on_accept, NULL, &listener, NULL), 0);
	sp_listener_addr(listener, &at);
	ck_assert_int_eq(sp_listener_open(loop, &at, true, on_accept, NULL, &other, NULL), 0);
	for (i = 0; i < SP_COUNT_OF(fd); i++)
		fd[i] = raw_connect();
	run_until_count(&got.count, SP_COUNT_OF(fd));
	for (i = 0; i < SP_COUNT_OF(fd); i++)
		close(fd[i]);
	drop_accepted();
	sp_listener_close(&listener);
	sp_listener_close(&other);
}
END_TEST

START_TEST(close_inside_accept)
{
	int fd[5];
	unsigned i;

	listen_at("127.0.0.1:0");
	got.close_listener = true;
	for (i = 0; i < SP_COUNT_OF(fd); i++)
		fd[i] = raw_connect();
	run_until_count(&got.count, 1);
	run_turns(20);
	ck_assert_uint_eq(got.count, 1);
	for (i = 0; i < SP_COUNT_OF(fd); i++)
		close(fd[i]);
	drop_accepted();
}
END_TEST

static unsigned warnings;

static void on_log(void *arg, const char *line)
{
	(void)arg;
	ck_assert_ptr_nonnull(strstr(line, "warn accept accepting pauses"));
	ck_assert_ptr_nonnull(strstr(line, "too many open files"));
	warnings++;
}

/* Descriptors run out: one warning, no loss, and accepting goes on by itself. */
START_TEST(descriptors_run_out)
{
	struct rlimit limit, few;
	int fd[4], spare;
	unsigned i;

	listen_at("127.0.0.1:0");
	for (i = 0; i < SP_COUNT_OF(fd); i++)
		fd[i] = raw_connect();
	spare = dup(0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ .rlim_cur = (rlim_t)spare, .rlim_max = limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	warnings = 0;
	sp_log_capture(on_log, NULL);
	run_until_count(&warnings, 1);
	run_turns(500); /* some pauses may pass: no second warning */
	ck_assert_uint_eq(got.count, 0);
	ck_assert_uint_eq(warnings, 1);
	sp_log_capture(NULL, NULL);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(spare);
	run_until_count(&got.count, SP_COUNT_OF(fd));
	for (i = 0; i < SP_COUNT_OF(fd); i++)
		close(fd[i]);
	drop_accepted();
	sp_listener_close(&listener);
}
END_TEST

/* Closing during the pause leaves no timer behind. */
START_TEST(close_while_paused)
{
	struct rlimit limit, few;
	int fd, spare;

	listen_at("127.0.0.1:0");
	fd = raw_connect();
	spare = dup(0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ .rlim_cur = (rlim_t)spare, .rlim_max = limit.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	warnings = 0;
	sp_log_capture(on_log, NULL);
	run_until_count(&warnings, 1);
	sp_log_capture(NULL, NULL);
	sp_listener_close(&listener);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(spare);
	close(fd);
}
END_TEST

/* ---- Unix sockets ----------------------------------------------------------------- */

static char dir[32], path[64], addr_text[80];

static void unix_dir(void)
{
	strcpy(dir, "/tmp/sp-unix-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(addr_text, sizeof(addr_text), "unix:%s", path);
}

static bool exists(void)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

START_TEST(unix_replaces_stale_only)
{
	struct sp_listener *other;
	struct sp_cause cause = { 0 };
	int fd;

	unix_dir();
	ck_assert_int_eq(sp_addr_parse(addr_text, &at), 0);
	/* Left behind by a process that died. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, &at.sa, at.len), 0);
	close(fd);
	ck_assert(exists());
	listen_at(addr_text);
	/* Ours answers: it stays. */
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &other, &cause), SP_ESYS);
	ck_assert_int_eq(cause.raw, EADDRINUSE);
	fd = raw_connect();
	run_until_count(&got.count, 1);
	close(fd);
	drop_accepted();
	sp_listener_close(&listener);
	ck_assert(!exists());
	/* A file is nobody's socket. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	cause = (struct sp_cause){ 0 };
	ck_assert_int_eq(sp_listener_open(loop, &at, false, on_accept, NULL, &other, &cause), SP_ESYS);
	ck_assert(exists());
	unlink(path);
	rmdir(dir);
}
END_TEST

/* Another process took the place over: its socket is not removed when we close. */
START_TEST(unix_keeps_foreign)
{
	int fd;

	unix_dir();
	listen_at(addr_text);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, &at.sa, at.len), 0);
	sp_listener_close(&listener);
	ck_assert(exists());
	close(fd);
	unlink(path);
	rmdir(dir);
}
END_TEST

/* ---- the stream's own ---------------------------------------------------------------- */

static struct end e;

static int open_raw(void)
{
	int fd;

	listen_at("127.0.0.1:0");
	fd = raw_connect();
	run_until_count(&got.count, 1);
	end_open(&e, got.s[0]);
	return fd;
}

static void close_raw(void)
{
	if (e.s)
		sp_stream_close(e.s, SP_CLOSE_ABORT);
	run_until_count(&e.closed, 1);
	end_free(&e);
	sp_listener_close(&listener);
}

START_TEST(options_and_peer)
{
	struct sp_stream *a, *b;
	struct sp_addr peer, mine = { .len = sizeof(mine.ss) };
	char x[SP_ADDR_TEXT_SIZE], y[SP_ADDR_TEXT_SIZE];
	int fd = open_raw();

	ck_assert_int_eq(option(e.s, IPPROTO_TCP, TCP_NODELAY), 1);
	ck_assert_int_eq(option(e.s, SOL_SOCKET, SO_KEEPALIVE), 0);
	sp_tcp_tune_tunnel(e.s);
	ck_assert_int_eq(option(e.s, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
	ck_assert_int_eq(option(e.s, SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(option(e.s, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	ck_assert_int_eq(option(e.s, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 32768);
	ck_assert_int_eq(sp_tcp_peer(e.s, &peer), 0);
	ck_assert_int_eq(getsockname(fd, &mine.sa, &mine.len), 0);
	ck_assert_str_eq(sp_addr_text(&peer, x), sp_addr_text(&mine, y));
	ck_assert_int_ne(fcntl(stream_fd(e.s), F_GETFD) & FD_CLOEXEC, 0);

	ck_assert_int_eq(sp_stream_pair(loop, &a, &b), 0);
	sp_tcp_tune_tunnel(a);
	ck_assert_int_eq(sp_tcp_peer(a, &peer), SP_EINVAL);
	sp_stream_close(a, SP_CLOSE_ABORT);
	sp_stream_close(b, SP_CLOSE_ABORT);
	close(fd);
	close_raw();
}
END_TEST

/* Data and a reset in one go: the data is delivered, then the cause; never an end. */
START_TEST(reset_after_data)
{
	int fd = open_raw();

	ck_assert_int_eq(write(fd, "last words", 10), 10);
	raw_reset(fd);
	run_turns(20);
	ck_assert_uint_eq(e.closed, 0); /* stopped: not noticed yet */
	sp_stream_read_start(e.s);
	run_until_count(&e.closed, 1);
	ck_assert_str_eq(sp_buf_str(&e.in), "last words");
	ck_assert_uint_eq(e.eof, 0);
	ck_assert_int_eq(e.cause.err, SP_ERESET);
	ck_assert_str_eq(e.cause.text, "read: connection reset by peer");
	close_raw();
}
END_TEST

static size_t take_none(struct end *x, const uint8_t *p, size_t n)
{
	(void)x;
	(void)p;
	(void)n;
	return 0;
}

/* The reader left bytes, asked for them again, and the reset comes in the same turn. */
START_TEST(reset_while_bytes_are_kept)
{
	int fd = open_raw();

	e.take = take_none;
	sp_stream_read_start(e.s);
	ck_assert_int_eq(write(fd, "kept", 4), 4);
	run_until_count(&e.data, 1);
	e.take = NULL;
	raw_reset(fd);
	sp_stream_read_start(e.s);
	run_until_count(&e.closed, 1);
	ck_assert_str_eq(sp_buf_str(&e.in), "kept");
	ck_assert_int_eq(e.cause.err, SP_ERESET);
	close_raw();
}
END_TEST

/* A write meets the reset first: what the peer said before is still delivered. */
START_TEST(write_fails_before_data_is_read)
{
	int fd = open_raw();

	sp_stream_read_start(e.s);
	ck_assert_int_eq(write(fd, "go away", 7), 7);
	raw_reset(fd);
	ck_assert_int_eq(sp_stream_write(e.s, "x", 1), 0);
	ck_assert_int_eq(sp_stream_write(e.s, "x", 1), SP_ECLOSED);
	run_until_count(&e.closed, 1);
	ck_assert_str_eq(sp_buf_str(&e.in), "go away");
	ck_assert_uint_eq(e.eof, 0);
	ck_assert_int_eq(e.cause.err, SP_ERESET);
	ck_assert_int_eq(strncmp(e.cause.text, "write: ", 7), 0);
	close_raw();
}
END_TEST

static size_t take_and_stop(struct end *x, const uint8_t *p, size_t n)
{
	(void)p;
	(void)n;
	sp_stream_read_stop(x->s);
	return 1;
}

/* The same with a reader that then stops for good: the failure comes all the same, later. */
START_TEST(write_fails_and_reader_stops)
{
	int fd = open_raw();

	linger_ms = 20;
	e.take = take_and_stop;
	sp_stream_read_start(e.s);
	ck_assert_int_eq(write(fd, "go away", 7), 7);
	raw_reset(fd);
	ck_assert_int_eq(sp_stream_write(e.s, "x", 1), 0);
	run_until_count(&e.closed, 1);
	ck_assert_uint_eq(e.data, 1);
	ck_assert_int_eq(e.cause.err, SP_ERESET);
	close_raw();
}
END_TEST

/* Closing while that is going on is our close: no cause. */
START_TEST(close_after_write_failed)
{
	int fd = open_raw();

	sp_stream_read_start(e.s);
	raw_reset(fd);
	sp_stream_write(e.s, "x", 1);
	sp_stream_close(e.s, SP_CLOSE_FLUSH);
	run_until_count(&e.closed, 1);
	ck_assert(!e.has_cause);
	close_raw();
}
END_TEST

/* A slow reader makes write requests fail late: the queue is freed, the cause told once. */
START_TEST(reset_with_queue)
{
	int fd = open_raw();

	fill(&e);
	raw_reset(fd);
	run_until_count(&e.closed, 1);
	ck_assert_int_eq(e.cause.err, SP_ERESET);
	close_raw();
}
END_TEST

/* The last answer survives although the peer keeps sending into a closed stream. */
START_TEST(flush_waits_for_the_peer)
{
	char answer[32] = { 0 };
	int fd = open_raw();

	ck_assert_int_eq(write(fd, "unread", 6), 6);
	sp_stream_write(e.s, "answer", 6);
	sp_stream_close(e.s, SP_CLOSE_FLUSH);
	run_turns(20);
	ck_assert_uint_eq(e.closed, 0);
	ck_assert_int_eq(write(fd, "more", 4), 4);
	run_turns(20);
	ck_assert_int_eq(write(fd, "still more", 10), 10);
	ck_assert_int_eq(read(fd, answer, sizeof(answer)), 6);
	ck_assert_int_eq(read(fd, answer + 6, sizeof(answer) - 6), 0);
	ck_assert_str_eq(answer, "answer");
	close(fd);
	run_until_count(&e.closed, 1);
	ck_assert(!e.has_cause);
	close_raw();
}
END_TEST

/* One connection that never falls silent leaves the loop's turns to the others. */
static size_t count_turns(struct end *x, const uint8_t *p, size_t n)
{
	(void)x;
	(void)p;
	return n;
}

START_TEST(input_per_turn_is_bounded)
{
	enum { BYTES = 3 << 20 };
	static char block[BYTES];
	int fd, size = 4 << 20;
	unsigned turns = 0;
	ssize_t n, sent = 0;

	listen_at("127.0.0.1:0");
	fd = raw_connect();
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	run_until_count(&got.count, 1);
	end_open(&e, got.s[0]);
	(void)setsockopt(stream_fd(e.s), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	e.collect = false;
	e.take = count_turns;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (sent < BYTES && (n = write(fd, block, (size_t)(BYTES - sent))) > 0)
		sent += n;
	sp_stream_read_start(e.s);
	while (e.in_bytes < (uint64_t)sent) {
		uint64_t before = e.in_bytes;

		run_turns(1);
		ck_assert_uint_le(e.in_bytes - before, 2 * ((1u << 20) + 256u * 1024));
		ck_assert_uint_lt(++turns, 100000);
	}
	close(fd);
	close_raw();
}
END_TEST

Suite *sp_suite_tcp(void)
{
	Suite *s = suite_create("tcp");
	TCase *tc = tcase_create("listener"), *st = tcase_create("stream");

	tcase_add_checked_fixture(tc, ends_setup, ends_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, port_zero_is_resolved);
	tcase_add_test(tc, bind_in_use);
	tcase_add_test(tc, bind_address_not_ours);
	tcase_add_test(tc, reuseport);
	tcase_add_test(tc, close_inside_accept);
	tcase_add_test(tc, descriptors_run_out);
	tcase_add_test(tc, close_while_paused);
	tcase_add_test(tc, unix_replaces_stale_only);
	tcase_add_test(tc, unix_keeps_foreign);
	suite_add_tcase(s, tc);

	tcase_add_checked_fixture(st, ends_setup, ends_teardown);
	tcase_set_timeout(st, 60);
	tcase_add_test(st, options_and_peer);
	tcase_add_test(st, reset_after_data);
	tcase_add_test(st, reset_while_bytes_are_kept);
	tcase_add_test(st, write_fails_before_data_is_read);
	tcase_add_test(st, write_fails_and_reader_stops);
	tcase_add_test(st, close_after_write_failed);
	tcase_add_test(st, reset_with_queue);
	tcase_add_test(st, flush_waits_for_the_peer);
	tcase_add_test(st, input_per_turn_is_bounded);
	suite_add_tcase(s, st);
	return s;
}
