/* Dialling, with the system's resolver and with one that the test answers for. */
#include "suites.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/must.h"
#include "ends.h"

/* ---- faults ------------------------------------------------------------------- */

int __real_uv_getaddrinfo(uv_loop_t *l, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
			  const char *service, const struct addrinfo *hints);
int __wrap_uv_getaddrinfo(uv_loop_t *l, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
			  const char *service, const struct addrinfo *hints);
void __real_uv_freeaddrinfo(struct addrinfo *ai);
void __wrap_uv_freeaddrinfo(struct addrinfo *ai);
int __real_uv_cancel(uv_req_t *req);
int __wrap_uv_cancel(uv_req_t *req);
int __real_uv_tcp_connect(uv_connect_t *req, uv_tcp_t *h, const struct sockaddr *sa, uv_connect_cb cb);
int __wrap_uv_tcp_connect(uv_connect_t *req, uv_tcp_t *h, const struct sockaddr *sa, uv_connect_cb cb);

static bool fake_resolver;
static uv_getaddrinfo_t *asked; /* the look-up under way */
static uv_getaddrinfo_cb asked_cb;
static bool was_cancelled;

static const char *const *connect_fails; /* "address error" pairs by address; NULL: real */
static char tried[512];

int __wrap_uv_getaddrinfo(uv_loop_t *l, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb, const char *node,
			  const char *service, const struct addrinfo *hints)
{
	if (!fake_resolver)
		return __real_uv_getaddrinfo(l, req, cb, node, service, hints);
	ck_assert_ptr_null(asked);
	asked = req;
	asked_cb = cb;
	return 0;
}

int __wrap_uv_cancel(uv_req_t *req)
{
	if (!fake_resolver)
		return __real_uv_cancel(req);
	was_cancelled = true;
	return UV_EBUSY; /* as for a look-up that runs already */
}

void __wrap_uv_freeaddrinfo(struct addrinfo *ai)
{
	struct addrinfo *next;

	if (!fake_resolver) {
		__real_uv_freeaddrinfo(ai);
		return;
	}
	for (; ai; ai = next) {
		next = ai->ai_next;
		free(ai->ai_addr);
		free(ai);
	}
}

int __wrap_uv_tcp_connect(uv_connect_t *req, uv_tcp_t *h, const struct sockaddr *sa, uv_connect_cb cb)
{
	char text[INET6_ADDRSTRLEN + 1];
	unsigned i;

	if (!connect_fails)
		return __real_uv_tcp_connect(req, h, sa, cb);
	ck_assert_int_eq(uv_ip_name(sa, text, sizeof(text)), 0);
	strcat(strcat(tried, text), " ");
	for (i = 0; connect_fails[i]; i += 2) {
		if (strcmp(connect_fails[i], text) == 0)
			return atoi(connect_fails[i + 1]);
	}
	return UV_ENETUNREACH;
}

/* Answers the look-up with these addresses, or with an error. */
static void answer(const char *const *list, int status)
{
	struct addrinfo *first = NULL, **end = &first;
	uv_getaddrinfo_t *req = asked;
	struct sp_addr a;

	for (; list && *list; list++) {
		struct addrinfo *ai = SP_NEW(struct addrinfo);

		ck_assert_int_eq(sp_addr_parse(*list, &a), 0);
		ai->ai_family = a.sa.sa_family;
		ai->ai_addrlen = a.len;
		ai->ai_addr = sp_calloc(1, sizeof(a.ss));
		memcpy(ai->ai_addr, &a.ss, a.len);
		*end = ai;
		end = &ai->ai_next;
	}
	asked = NULL;
	ck_assert_ptr_nonnull(req);
	asked_cb(req, status, first);
}

/* ---- one dial -------------------------------------------------------------------- */

struct result {
	unsigned done;
	bool in_call;
	struct sp_stream *s;
	struct sp_cause cause;
};
static struct result res;
static struct sp_dial *dial;

static void on_dialled(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct result *r = arg;

	ck_assert(!r->in_call);
	ck_assert((s != NULL) == (cause == NULL));
	r->done++;
	r->s = s;
	if (cause)
		r->cause = *cause;
}

static void dial_start(const char *host, unsigned port, uint64_t timeout_ms)
{
	res = (struct result){ .in_call = true };
	ck_assert_int_eq(sp_dial_open(loop, host, (uint16_t)port, timeout_ms, on_dialled, &res, &dial), 0);
	res.in_call = false;
}

static void dial_wait(const char *host, unsigned port, uint64_t timeout_ms)
{
	dial_start(host, port, timeout_ms);
	run_until_count(&res.done, 1);
	run_turns(5);
	ck_assert_uint_eq(res.done, 1);
}

static void drop(void)
{
	ck_assert_msg(res.s != NULL, "%s", res.cause.text);
	sp_stream_close(res.s, SP_CLOSE_ABORT);
	res.s = NULL;
}

static void setup(void)
{
	ends_setup();
	fake_resolver = false;
	asked = NULL;
	was_cancelled = false;
	connect_fails = NULL;
	tried[0] = '\0';
}

/* A socket at address:port (0: any) that is bound (connecting is refused) or listens. Returns the descriptor. */
static int bound(const char *address, unsigned *port, bool listens)
{
	struct sp_addr a;
	char text[64];
	int fd;

	snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, *port);
	ck_assert_int_eq(sp_addr_parse(text, &a), 0);
	fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &a.sa, a.len) || (listens && listen(fd, 16))) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	a.len = sizeof(a.ss);
	ck_assert_int_eq(getsockname(fd, &a.sa, &a.len), 0);
	*port = sp_addr_port(&a);
	return fd;
}

/* A port at address where connecting hangs: a listener whose queue is full. */
struct hole {
	int fd[16];
	unsigned count;
};

static void hole_open(struct hole *h, const char *address, unsigned *port)
{
	struct sp_addr a;
	char text[64];
	int fd;

	h->count = 0;
	fd = bound(address, port, true);
	ck_assert_int_ge(fd, 0);
	h->fd[h->count++] = fd;
	ck_assert_int_eq(listen(fd, 0), 0);
	snprintf(text, sizeof(text), "%s:%u", address, *port);
	ck_assert_int_eq(sp_addr_parse(text, &a), 0);
	while (h->count < SP_COUNT_OF(h->fd)) {
		struct timeval tv = { .tv_usec = 50000 };
		fd_set set;

		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		h->fd[h->count++] = fd;
		(void)connect(fd, &a.sa, a.len);
		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (select(fd + 1, NULL, &set, NULL, &tv) == 0)
			return;
	}
	ck_abort_msg("connecting does not hang");
}

static void hole_close(struct hole *h)
{
	while (h->count > 0)
		close(h->fd[--h->count]);
}

/* ---- tests ------------------------------------------------------------------------ */

START_TEST(literals)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	unsigned port = 0;
	int fd = bound(hosts[_i], &port, true);
	struct sp_addr peer;

	if (fd < 0) {
		ck_assert_int_eq(_i, 1); /* a machine without IPv6 */
		return;
	}
	fake_resolver = true; /* not asked: it would not answer */
	dial_wait(hosts[_i], port, GRACE_MS);
	ck_assert_ptr_nonnull(res.s);
	ck_assert_int_eq(sp_tcp_peer(res.s, &peer), 0);
	ck_assert_uint_eq(sp_addr_port(&peer), port);
	drop();
	close(fd);
}
END_TEST

START_TEST(name_by_system)
{
	unsigned port = 0;
	int fd = bound("127.0.0.1", &port, true);

	dial_wait("localhost", port, GRACE_MS); /* ::1 may come first and be refused */
	drop();
	close(fd);
}
END_TEST

START_TEST(refused)
{
	unsigned port = 0;
	int fd = bound("127.0.0.1", &port, false);
	char expect[64];

	dial_wait("127.0.0.1", port, GRACE_MS);
	snprintf(expect, sizeof(expect), "connect 127.0.0.1:%u: connection refused", port);
	ck_assert_str_eq(res.cause.text, expect);
	ck_assert_int_eq(res.cause.err, SP_EREFUSED);
	ck_assert_int_eq(res.cause.raw, ECONNREFUSED);
	close(fd);
}
END_TEST

START_TEST(unreachable)
{
	connect_fails = (const char *const[]){ NULL };
	dial_wait("192.0.2.1", 80, GRACE_MS);
	ck_assert_int_eq(res.cause.err, SP_EUNREACH);
	ck_assert_str_eq(res.cause.text, "connect 192.0.2.1:80: network is unreachable");
}
END_TEST

START_TEST(name_unknown)
{
	fake_resolver = true;
	dial_start("no.such", 80, GRACE_MS);
	answer(NULL, UV_EAI_NONAME);
	run_until_count(&res.done, 1);
	ck_assert_int_eq(res.cause.err, SP_EDNS);
	ck_assert_int_eq(res.cause.domain, SP_DOMAIN_DNS);
	ck_assert_str_eq(res.cause.text, "resolve no.such: unknown node or service");

	dial_start("empty.test", 80, GRACE_MS);
	answer(NULL, 0);
	run_until_count(&res.done, 1);
	ck_assert_int_eq(res.cause.err, SP_EDNS);
}
END_TEST

START_TEST(names_that_cannot_be)
{
	char longest[300];

	dial_wait("", 80, GRACE_MS);
	ck_assert_int_eq(res.cause.err, SP_EDNS);
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	dial_wait(longest, 80, GRACE_MS);
	ck_assert_int_eq(res.cause.err, SP_EDNS);
	dial_wait("\xff\xfe.test", 80, GRACE_MS); /* the IDNA conversion refuses it */
	ck_assert_int_eq(res.cause.err, SP_EDNS);
	dial_wait("no-such-host.invalid", 80, GRACE_MS); /* RFC 6761, by the system's resolver */
	ck_assert_int_eq(res.cause.err, SP_EDNS);
}
END_TEST

START_TEST(connect_times_out)
{
	struct hole hole;
	unsigned port = 0;
	char expect[64];

	hole_open(&hole, "127.0.0.1", &port);
	dial_wait("127.0.0.1", port, 5);
	snprintf(expect, sizeof(expect), "connect 127.0.0.1:%u: timed out", port);
	ck_assert_str_eq(res.cause.text, expect);
	ck_assert_int_eq(res.cause.err, SP_ETIMEOUT);
	hole_close(&hole);
}
END_TEST

/* The look-up outlives the dial, and its answer is nobody's. */
START_TEST(resolve_times_out)
{
	fake_resolver = true;
	dial_wait("slow.test", 80, 5);
	ck_assert_int_eq(res.cause.err, SP_ETIMEOUT);
	ck_assert_int_eq(res.cause.domain, SP_DOMAIN_DNS);
	ck_assert_str_eq(res.cause.text, "resolve slow.test: timed out");
	ck_assert(was_cancelled);
	answer((const char *const[]){ "127.0.0.1:0", NULL }, 0);
}
END_TEST

START_TEST(cancel_while_resolving)
{
	fake_resolver = true;
	dial_start("slow.test", 80, GRACE_MS);
	run_turns(3);
	sp_dial_cancel(&dial);
	ck_assert_ptr_null(dial);
	sp_dial_cancel(&dial); /* NULL is fine */
	ck_assert(was_cancelled);
	run_turns(3);
	answer((const char *const[]){ "127.0.0.1:0", NULL }, 0);
	run_turns(3);
	ck_assert_uint_eq(res.done, 0);
}
END_TEST

/* The real resolver, recalled at once or while it runs; the loop's end waits for what could not be recalled. */
START_TEST(cancel_real_look_ups)
{
	struct sp_dial *d[16];
	unsigned i;

	res = (struct result){ 0 };
	for (i = 0; i < SP_COUNT_OF(d); i++)
		ck_assert_int_eq(sp_dial_open(loop, "localhost", 1, GRACE_MS, on_dialled, &res, &d[i]), 0);
	for (i = 0; i < SP_COUNT_OF(d); i++)
		sp_dial_cancel(&d[i]);
	sp_loop_free(&loop);
	ck_assert_uint_eq(res.done, 0);
	ck_assert_int_eq(sp_loop_new(&loop), 0);
}
END_TEST

START_TEST(cancel_while_connecting)
{
	struct hole hole;
	unsigned port = 0;

	hole_open(&hole, "127.0.0.1", &port);
	dial_start("127.0.0.1", port, GRACE_MS);
	run_turns(3);
	sp_dial_cancel(&dial);
	dial_start("127.0.0.1", port, GRACE_MS); /* and before the loop turned */
	sp_dial_cancel(&dial);
	run_turns(3);
	ck_assert_uint_eq(res.done, 0);
	hole_close(&hole);
}
END_TEST

/* Many at once; the first that is told cancels the others, whatever they have reached. */
static struct sp_dial *race[24];
static unsigned race_done;

static void on_race(void *arg, struct sp_stream *s, const struct sp_cause *cause)
{
	struct sp_dial **mine = arg;
	unsigned i;

	(void)cause;
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(race_done++, 0);
	*mine = NULL;
	sp_stream_close(s, SP_CLOSE_ABORT);
	for (i = 0; i < SP_COUNT_OF(race); i++)
		sp_dial_cancel(&race[i]);
}

START_TEST(cancel_what_has_won)
{
	unsigned port = 0, i;
	int fd = bound("127.0.0.1", &port, true);

	ck_assert_int_eq(listen(fd, 64), 0);
	race_done = 0;
	for (i = 0; i < SP_COUNT_OF(race); i++)
		ck_assert_int_eq(sp_dial_open(loop, "127.0.0.1", (uint16_t)port, GRACE_MS, on_race, &race[i], &race[i]),
				 0);
	run_until_count(&race_done, 1);
	run_turns(20);
	close(fd);
}
END_TEST

/* ---- RFC 8305 -------------------------------------------------------------------------- */

START_TEST(order_interleaves_families)
{
	fake_resolver = true;
	connect_fails = (const char *const[]){ NULL };
	dial_start("many.test", 80, GRACE_MS);
	answer((const char *const[]){ "[2001:db8::1]:0", "[2001:db8::2]:0", "[2001:db8::3]:0", "192.0.2.1:0",
				      "192.0.2.2:0", NULL },
	       0);
	run_until_count(&res.done, 1);
	ck_assert_str_eq(tried, "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3 ");
	ck_assert_int_eq(res.cause.err, SP_EUNREACH);

	tried[0] = '\0'; /* the resolver's first family is ours */
	dial_start("many.test", 80, GRACE_MS);
	answer((const char *const[]){ "192.0.2.1:0", "192.0.2.2:0", "[2001:db8::1]:0", NULL }, 0);
	run_until_count(&res.done, 1);
	ck_assert_str_eq(tried, "192.0.2.1 2001:db8::1 192.0.2.2 ");
}
END_TEST

START_TEST(addresses_are_bounded)
{
	const char *list[101];
	char text[100][32];
	unsigned i, n = 0;
	char *p;

	for (i = 0; i < 100; i++) {
		snprintf(text[i], sizeof(text[i]), "192.0.2.%u:0", i);
		list[i] = text[i];
	}
	list[100] = NULL;
	fake_resolver = true;
	connect_fails = (const char *const[]){ NULL };
	dial_start("many.test", 80, GRACE_MS);
	answer(list, 0);
	run_until_count(&res.done, 1);
	for (p = tried; *p; p++)
		n += *p == ' ';
	ck_assert_uint_eq(n, 16);
}
END_TEST

/* The cause that helps: "unreachable", which every host without IPv6 says, gives way to the other family's. */
START_TEST(cause_prefers_reachable)
{
	char refused_text[16];

	snprintf(refused_text, sizeof(refused_text), "%d", UV_ECONNREFUSED);
	fake_resolver = true;
	connect_fails = (const char *const[]){ "192.0.2.1", refused_text, NULL };
	dial_start("both.test", 80, GRACE_MS);
	answer((const char *const[]){ "[2001:db8::1]:0", "192.0.2.1:0", "192.0.2.2:0", NULL }, 0);
	run_until_count(&res.done, 1);
	ck_assert_int_eq(res.cause.err, SP_EREFUSED);
	ck_assert_str_eq(res.cause.text, "connect 192.0.2.1:80: connection refused");
}
END_TEST

static void expect_winner(const char *address, unsigned port)
{
	struct sp_addr peer;
	char text[SP_ADDR_TEXT_SIZE], expect[64];

	run_until_count(&res.done, 1);
	ck_assert_msg(res.s != NULL, "%s", res.cause.text);
	ck_assert_int_eq(sp_tcp_peer(res.s, &peer), 0);
	snprintf(expect, sizeof(expect), "%s:%u", address, port);
	ck_assert_str_eq(sp_addr_text(&peer, text), expect);
	drop();
}

/* The first address hangs or refuses; the next one is tried after a while, or at once. */
START_TEST(next_address)
{
	struct hole hole;
	unsigned port, tries;
	int fd = -1;

	for (tries = 0; fd < 0; tries++) {
		ck_assert_uint_lt(tries, 20);
		port = 0;
		hole_open(&hole, "127.0.0.2", &port);
		fd = bound("127.0.0.1", &port, true); /* the port may be taken there */
		if (fd < 0)
			hole_close(&hole);
	}
	fake_resolver = true;
	dial_start("both.test", port, GRACE_MS);
	answer((const char *const[]){ "127.0.0.2:0", "127.0.0.1:0", NULL }, 0);
	expect_winner("127.0.0.1", port);

	dial_start("both.test", port, GRACE_MS);
	answer((const char *const[]){ "127.0.0.3:0", "127.0.0.4:0", "127.0.0.1:0", NULL }, 0);
	expect_winner("127.0.0.1", port);

	dial_start("both.test", port, GRACE_MS); /* the attempts that lose are taken back */
	answer((const char *const[]){ "127.0.0.1:0", "127.0.0.2:0", NULL }, 0);
	expect_winner("127.0.0.1", port);

	dial_start("both.test", port, 300); /* in all, not each */
	answer((const char *const[]){ "127.0.0.2:0", "127.0.0.2:0", "127.0.0.2:0", NULL }, 0);
	run_until_count(&res.done, 1);
	ck_assert_int_eq(res.cause.err, SP_ETIMEOUT);
	hole_close(&hole);
	close(fd);
}
END_TEST

Suite *sp_suite_dial(void)
{
	Suite *s = suite_create("dial");
	TCase *tc = tcase_create("dial");

	tcase_add_checked_fixture(tc, setup, ends_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, literals, 0, 2);
	tcase_add_test(tc, name_by_system);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, unreachable);
	tcase_add_test(tc, name_unknown);
	tcase_add_test(tc, names_that_cannot_be);
	tcase_add_test(tc, connect_times_out);
	tcase_add_test(tc, resolve_times_out);
	tcase_add_test(tc, cancel_while_resolving);
	tcase_add_test(tc, cancel_real_look_ups);
	tcase_add_test(tc, cancel_while_connecting);
	tcase_add_test(tc, cancel_what_has_won);
	tcase_add_test(tc, order_interleaves_families);
	tcase_add_test(tc, addresses_are_bounded);
	tcase_add_test(tc, cause_prefers_reachable);
	tcase_add_test(tc, next_address);
	suite_add_tcase(s, tc);
	return s;
}
