/* Dialling: name resolution and a race of connection attempts (RFC 8305).
 *
 *   RESOLVING -> CONNECTING -> done. Nothing is told inside sp_dial_open().
 *
 * A look-up runs in libuv's thread pool and cannot be recalled once it runs, so it owns its memory and may outlive us.
 * We leave out of RFC 8305: separate A and AAAA look-ups (getaddrinfo gives both) and a memory of past results. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "net/tcp_int.h"

#define ATTEMPT_DELAY_MS 250u /* RFC 8305 section 5 */
#define ADDRESSES_MAX 16u
#define HOST_MAX 255u

struct lookup {
	uv_getaddrinfo_t req;
	struct sp_dial *dial; /* NULL: cancelled */
};

struct attempt {
	struct sp_dial *dial; /* NULL: abandoned */
	struct sp_stream *stream;
	uv_connect_t req;
	struct sp_addr addr;
	struct sp_reap reap;
};

struct sp_dial {
	struct sp_loop *loop;
	sp_dial_cb *cb;
	void *arg;
	char host[HOST_MAX + 1];
	uint16_t port;
	struct lookup *lookup;
	struct sp_addr addr[ADDRESSES_MAX];
	unsigned addr_count, next;
	struct attempt *running[ADDRESSES_MAX]; /* by address; NULL: not yet or over */
	unsigned running_count;
	struct sp_stream *won;
	struct sp_cause cause;
	struct sp_timer deadline, stagger;
	struct sp_defer finish;
	struct sp_reap reap;
};

/* ---- the end ------------------------------------------------------------------- */

static void on_attempt_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct attempt, reap));
}

static void on_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct sp_dial, reap));
}

static void abandon_attempt(struct sp_dial *d, unsigned i)
{
	struct attempt *a = d->running[i];

	if (!a)
		return;
	d->running[i] = NULL;
	d->running_count--;
	a->dial = NULL;
	sp_stream_close(a->stream, SP_CLOSE_ABORT); /* its request ends with UV_ECANCELED and reaps it */
}

/* No callback of the loop reaches d after this. */
static void release(struct sp_dial *d)
{
	unsigned i;

	sp_timer_stop(d->loop, &d->deadline);
	sp_timer_stop(d->loop, &d->stagger);
	sp_defer_cancel(&d->finish);
	if (d->lookup) {
		d->lookup->dial = NULL;
		(void)uv_cancel((uv_req_t *)&d->lookup->req);
		d->lookup = NULL;
	}
	for (i = 0; i < d->addr_count; i++)
		abandon_attempt(d, i);
	sp_reap(d->loop, &d->reap, on_reap);
}

static void on_finish(struct sp_defer *defer)
{
	struct sp_dial *d = SP_CONTAINER_OF(defer, struct sp_dial, finish);
	struct sp_stream *won = d->won;

	release(d);
	d->cb(d->arg, won, won ? NULL : &d->cause);
}

static void finish(struct sp_dial *d)
{
	sp_timer_stop(d->loop, &d->deadline);
	sp_timer_stop(d->loop, &d->stagger);
	sp_defer(d->loop, &d->finish, on_finish);
}

static void on_deadline(struct sp_timer *t)
{
	struct sp_dial *d = SP_CONTAINER_OF(t, struct sp_dial, deadline);

	d->cause = (struct sp_cause){ 0 }; /* that one of several addresses failed is not why */
	if (d->lookup)
		sp_cause_set(&d->cause, SP_ETIMEOUT, SP_DOMAIN_DNS, 0, "resolve %s: timed out", d->host);
	else
		sp_cause_set(&d->cause, SP_ETIMEOUT, SP_DOMAIN_OS, ETIMEDOUT, "connect %s:%u: timed out", d->host,
			     d->port);
	finish(d);
}

/* ---- connecting -------------------------------------------------------------------- */

static void next_attempt(struct sp_dial *d);

/* The first failure is the cause, except that "unreachable" gives way: a host without IPv6 says so for every name. */
static void note_failure(struct sp_dial *d, const struct sp_addr *addr, int uv_err)
{
	char what[SP_ADDR_TEXT_SIZE + 16], text[SP_ADDR_TEXT_SIZE];

	snprintf(what, sizeof(what), "connect %s", sp_addr_text(addr, text));
	if (d->cause.err == SP_EUNREACH)
		d->cause = (struct sp_cause){ 0 };
	sp_uv_cause(&d->cause, uv_err, what);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct attempt *a = req->data;
	struct sp_dial *d = a->dial;
	unsigned i;

	sp_reap(a->stream->loop, &a->reap, on_attempt_reap);
	if (!d)
		return;
	for (i = 0; d->running[i] != a; i++)
		;
	d->running[i] = NULL;
	d->running_count--;
	if (status || sp_list_linked(&d->finish.node)) {
		sp_stream_close(a->stream, SP_CLOSE_ABORT);
		if (sp_list_linked(&d->finish.node))
			return; /* decided already: too late */
		note_failure(d, &a->addr, status);
		next_attempt(d);
		return;
	}
	(void)uv_tcp_nodelay(sp_tcp_handle(a->stream), 1);
	d->won = a->stream;
	finish(d);
}

/* 0, or libuv's error. */
static int start_attempt(struct sp_dial *d, unsigned i)
{
	struct attempt *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return UV_ENOMEM;
	if (sp_tcp_new(d->loop, &a->stream)) {
		free(a);
		return UV_ENOMEM;
	}
	a->dial = d;
	a->addr = d->addr[i];
	a->req.data = a;
	err = uv_tcp_connect(&a->req, sp_tcp_handle(a->stream), &a->addr.sa, on_connected);
	if (err) {
		sp_stream_close(a->stream, SP_CLOSE_ABORT);
		free(a);
		return err;
	}
	d->running[i] = a;
	d->running_count++;
	return 0;
}

static void on_stagger(struct sp_timer *t)
{
	next_attempt(SP_CONTAINER_OF(t, struct sp_dial, stagger));
}

static void next_attempt(struct sp_dial *d)
{
	unsigned i;
	int err;

	while (d->next < d->addr_count) {
		i = d->next++;
		err = start_attempt(d, i);
		if (!err) {
			sp_timer_start(d->loop, &d->stagger, ATTEMPT_DELAY_MS, on_stagger);
			return;
		}
		note_failure(d, &d->addr[i], err);
	}
	sp_timer_stop(d->loop, &d->stagger);
	if (d->running_count == 0)
		finish(d);
}

/* ---- addresses ---------------------------------------------------------------------- */

static void set_port(struct sp_addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in.sin_port = htons(port);
}

static void add_address(struct sp_dial *d, const struct sockaddr *sa, size_t len)
{
	struct sp_addr *a = &d->addr[d->addr_count];

	if (d->addr_count == ADDRESSES_MAX || len > sizeof(a->ss))
		return;
	memset(a, 0, sizeof(*a));
	memcpy(&a->ss, sa, len);
	a->len = (socklen_t)len;
	set_port(a, d->port);
	d->addr_count++;
}

static const struct addrinfo *next_of(const struct addrinfo *ai, int family, bool same)
{
	while (ai && ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6) || (ai->ai_family == family) != same))
		ai = ai->ai_next;
	return ai;
}

/* RFC 8305 section 4: in the resolver's order (RFC 6724), the two families taking turns, its first family first. */
static void add_interleaved(struct sp_dial *d, const struct addrinfo *list)
{
	const struct addrinfo *head = next_of(list, AF_UNSPEC, false), *a, *b;
	int family = head ? head->ai_family : AF_UNSPEC;

	a = next_of(list, family, true);
	b = next_of(list, family, false);
	while (a || b) {
		if (a) {
			add_address(d, a->ai_addr, a->ai_addrlen);
			a = next_of(a->ai_next, family, true);
		}
		if (b) {
			add_address(d, b->ai_addr, b->ai_addrlen);
			b = next_of(b->ai_next, family, false);
		}
	}
}

static bool add_literal(struct sp_dial *d)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (uv_ip4_addr(d->host, d->port, &in) == 0) {
		add_address(d, (struct sockaddr *)&in, sizeof(in));
		return true;
	}
	if (strchr(d->host, ':') && uv_ip6_addr(d->host, d->port, &in6) == 0) {
		add_address(d, (struct sockaddr *)&in6, sizeof(in6));
		return true;
	}
	return false;
}

/* ---- resolving ------------------------------------------------------------------------ */

static void lookup_failed(struct sp_dial *d, int uv_err)
{
	char what[HOST_MAX + 16];

	snprintf(what, sizeof(what), "resolve %s", d->host);
	if (uv_err == UV_EINVAL || uv_err == UV_ENAMETOOLONG) /* libuv's IDNA conversion says so */
		uv_err = UV_EAI_NONAME;
	sp_uv_cause(&d->cause, uv_err, what);
	finish(d);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct lookup *l = req->data;
	struct sp_dial *d = l->dial;

	free(l);
	if (d) {
		d->lookup = NULL;
		if (status == 0) {
			add_interleaved(d, list);
			if (d->addr_count == 0)
				status = UV_EAI_NODATA;
		}
		if (status)
			lookup_failed(d, status);
		else
			next_attempt(d);
	}
	uv_freeaddrinfo(list);
}

static void resolve(struct sp_dial *d)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP };
	struct lookup *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		lookup_failed(d, UV_ENOMEM);
		return;
	}
	l->dial = d;
	l->req.data = l;
	err = uv_getaddrinfo(sp_loop_uv(d->loop), &l->req, on_resolved, d->host, NULL, &hints);
	if (err) {
		free(l);
		lookup_failed(d, err);
		return;
	}
	d->lookup = l;
}

/* ---- interface ------------------------------------------------------------------------- */

int sp_dial_open(struct sp_loop *loop, const char *host, uint16_t port, uint64_t timeout_ms, sp_dial_cb *cb, void *arg,
		 struct sp_dial **out)
{
	struct sp_dial *d;
	size_t n = strlen(host);

	sp_loop_assert(loop);
	d = calloc(1, sizeof(*d));
	if (!d)
		return SP_ENOMEM;
	d->loop = loop;
	d->cb = cb;
	d->arg = arg;
	d->port = port;
	*out = d;
	memcpy(d->host, host, n < HOST_MAX ? n : HOST_MAX);
	sp_timer_start(loop, &d->deadline, timeout_ms, on_deadline);
	if (n == 0 || n > HOST_MAX)
		lookup_failed(d, UV_EAI_NONAME);
	else if (add_literal(d))
		next_attempt(d);
	else
		resolve(d);
	return 0;
}

void sp_dial_cancel(struct sp_dial **d_p)
{
	struct sp_dial *d = *d_p;

	*d_p = NULL;
	if (!d)
		return;
	sp_loop_assert(d->loop);
	if (d->won)
		sp_stream_close(d->won, SP_CLOSE_ABORT);
	release(d);
}
