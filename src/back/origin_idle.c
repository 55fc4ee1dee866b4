/* Idle connections to systems: kept for the next call, watched, bounded. */
#include <stdio.h>
#include <stdlib.h>

#include "back/origin_internal.h"

struct idle {
	struct sp_list node;
	struct sp_origins *os;
	struct sp_stream *carrier;
	char host[SP_HOST_SIZE];
	uint16_t port;
	const struct sp_tls_ctx *tls;
	const char *server_name;
	uint64_t since_mono_ms;
	struct sp_reap reap;
};

static struct idle *idle_of(struct sp_list *n)
{
	return SP_CONTAINER_OF(n, struct idle, node);
}

void sp_origin_drop(struct sp_stream *s, enum sp_close how)
{
	static const struct sp_stream_events nobody = { 0 };

	sp_stream_attach(s, &nobody, NULL);
	sp_stream_close(s, how);
}

static void on_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct idle, reap));
}

/* The carrier, which is the caller's to close or to use. */
static struct sp_stream *forget(struct idle *i)
{
	struct sp_stream *carrier = i->carrier;

	sp_list_remove(&i->node);
	i->os->idle_count--;
	sp_reap(i->os->loop, &i->reap, on_reap);
	return carrier;
}

/* ---- watching ------------------------------------------------------------------------------------------------------ */

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	(void)v, (void)n;
	sp_origin_drop(forget(arg), SP_CLOSE_ABORT); /* an answer that nobody asked for */
	return 0;
}

static void on_eof(void *arg)
{
	sp_origin_drop(forget(arg), SP_CLOSE_FLUSH);
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	(void)cause;
	(void)forget(arg);
}

static const struct sp_stream_events watching = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

static void on_expiry(struct sp_timer *t)
{
	struct sp_origins *os = SP_CONTAINER_OF(t, struct sp_origins, expiry);
	uint64_t now = sp_loop_now_ms(os->loop), limit = os->conf->timeouts.keep_alive_ms;

	while (!sp_list_empty(&os->idle)) {
		struct idle *i = idle_of(os->idle.next);

		if (now - i->since_mono_ms < limit) {
			sp_timer_start(os->loop, &os->expiry, limit - (now - i->since_mono_ms), on_expiry);
			return;
		}
		sp_origin_drop(forget(i), SP_CLOSE_FLUSH);
	}
}

/* ---- the pool ------------------------------------------------------------------------------------------------------ */

static bool is_for(const struct idle *i, const struct sp_origin_plan *p)
{
	return i->port == p->port && i->tls == p->tls && i->server_name == p->server_name && strcmp(i->host, p->host) == 0;
}

unsigned sp_origin_idle_count(const struct sp_origins *os, const struct sp_origin_plan *p)
{
	unsigned n = 0;

	for (struct sp_list *l = os->idle.next; l != &os->idle; l = l->next)
		n += is_for(idle_of(l), p);
	return n;
}

void sp_origin_park(struct sp_origins *os, const struct sp_origin_plan *p, struct sp_stream *carrier)
{
	struct idle *i = NULL;

	if (!os->draining && !os->on_closed && sp_origin_idle_count(os, p) < SP_ORIGIN_IDLE_MAX_EACH)
		i = calloc(1, sizeof(*i));
	if (!i) {
		sp_origin_drop(carrier, SP_CLOSE_FLUSH);
		return;
	}
	if (os->idle_count >= SP_ORIGIN_IDLE_MAX)
		sp_origin_drop(forget(idle_of(os->idle.next)), SP_CLOSE_FLUSH);
	i->os = os;
	i->carrier = carrier;
	snprintf(i->host, sizeof(i->host), "%s", p->host);
	i->port = p->port;
	i->tls = p->tls;
	i->server_name = p->server_name;
	i->since_mono_ms = sp_loop_now_ms(os->loop);
	sp_list_append(&os->idle, &i->node);
	os->idle_count++;
	sp_stream_attach(carrier, &watching, i);
	sp_stream_read_start(carrier);
	if (!sp_timer_running(&os->expiry))
		sp_timer_start(os->loop, &os->expiry, os->conf->timeouts.keep_alive_ms, on_expiry);
}

struct sp_stream *sp_origin_unpark(struct sp_origins *os, const struct sp_origin_plan *p, uint64_t max_ms)
{
	static const struct sp_stream_events nobody = { 0 };
	uint64_t now = sp_loop_now_ms(os->loop);

	for (struct sp_list *l = os->idle.prev; l != &os->idle; l = l->prev) {
		struct idle *i = idle_of(l);
		struct sp_stream *carrier;

		if (now - i->since_mono_ms > max_ms)
			break; /* the others are older */
		if (!is_for(i, p))
			continue;
		carrier = forget(i);
		sp_stream_attach(carrier, &nobody, NULL); /* and to h1/ in this call */
		return carrier;
	}
	return NULL;
}

void sp_origin_evict(struct sp_origins *os, const struct sp_origin_plan *p)
{
	for (struct sp_list *l = os->idle.next; l != &os->idle; l = l->next)
		if (is_for(idle_of(l), p)) {
			sp_origin_drop(forget(idle_of(l)), SP_CLOSE_FLUSH);
			return;
		}
}

void sp_origin_idle_close(struct sp_origins *os)
{
	sp_timer_stop(os->loop, &os->expiry);
	while (!sp_list_empty(&os->idle))
		sp_origin_drop(forget(idle_of(os->idle.next)), SP_CLOSE_FLUSH);
}

unsigned sp_origins_idle(const struct sp_origins *os)
{
	return os->idle_count;
}
