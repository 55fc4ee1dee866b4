/* See conn.h. */
#include "front/conn.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/must.h"
#include <sallyport/plugin.h>

/* ---- the end ------------------------------------------------------------------- */

static void on_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct sp_conn, reap));
}

/* The stream is gone and no session runs. */
void sp_conn_leave(struct sp_conn *c)
{
	sp_must(!c->stream && !sp_session_active(&c->session));
	sp_timer_stop(c->client.env->loop, &c->deadline);
	sp_reap(c->client.env->loop, &c->reap, on_reap);
	sp_client_leave(&c->client);
}

void sp_conn_end(struct sp_conn *c, enum sp_close how)
{
	sp_conn_deadline_stop(c);
	c->ending = true;
	if (c->stream)
		sp_stream_close(c->stream, how);
}

static void gone(struct sp_conn *c, const char *why)
{
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, SP_ECANCELED, SP_DOMAIN_SELF, 0, "%s", why);
	sp_session_abort(&c->session, &cause);
}

/* The client owes us something that will not come. */
static void give_up(struct sp_conn *c, const char *why)
{
	gone(c, why);
	sp_conn_end(c, SP_CLOSE_FLUSH);
}

/* ---- the stream's events --------------------------------------------------------- */

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct sp_conn *c = arg;

	(void)n; /* the carriers of clients lend one slice */
	return c->ending ? 0 : c->ops->on_data(c, v[0]);
}

static void on_eof(void *arg)
{
	struct sp_conn *c = arg;

	c->ended = true;
	if (sp_timer_running(&c->deadline))
		give_up(c, "the client closed its connection");
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct sp_conn *c = arg;

	c->stream = NULL;
	if (cause)
		sp_session_abort(&c->session, cause);
	else
		gone(c, "the client's connection was closed");
	sp_conn_leave(c);
}

static const struct sp_stream_events events = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };

/* ---- the session's end ------------------------------------------------------------ */

void sp_conn_on_ended(struct sp_session *s)
{
	sp_conn_leave(sp_conn_of(s));
}

/* ---- the deadline ------------------------------------------------------------------ */

static void on_deadline(struct sp_timer *t)
{
	struct sp_conn *c = SP_CONTAINER_OF(t, struct sp_conn, deadline);

	sp_log(SP_LOG_DEBUG, SP_EV_ACCEPT, "the client sent no request in time", SP_KV_INT("conn", c->client.conn_id),
	       SP_KV_STR("client", c->client.peer));
	give_up(c, "no request in time");
}

void sp_conn_expect(struct sp_conn *c)
{
	sp_conn_expect_within(c, c->client.env->conf->timeouts.handshake_ms);
}

void sp_conn_expect_within(struct sp_conn *c, uint64_t ms)
{
	if (c->ending || !c->stream)
		return;
	if (c->ended) {
		give_up(c, "the client closed its connection");
		return;
	}
	sp_timer_start(c->client.env->loop, &c->deadline, ms, on_deadline);
	sp_stream_read_start(c->stream);
}

void sp_conn_deadline_stop(struct sp_conn *c)
{
	sp_timer_stop(c->client.env->loop, &c->deadline);
}

/* ---- drain and close ------------------------------------------------------------------ */

static void drain(struct sp_client *client)
{
	struct sp_conn *c = SP_CONTAINER_OF(client, struct sp_conn, client);

	if (!sp_session_active(&c->session))
		sp_conn_end(c, SP_CLOSE_FLUSH);
}

static void close_now(struct sp_client *client)
{
	struct sp_conn *c = SP_CONTAINER_OF(client, struct sp_conn, client);
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "stopped");
	sp_session_fail(&c->session, SP_OUTCOME_SHUTDOWN, &cause);
	sp_conn_end(c, SP_CLOSE_ABORT);
	if (!c->stream && !sp_session_active(&c->session) && c->ops->on_stop)
		c->ops->on_stop(c);
}

static const struct sp_client_ops client_ops = { .drain = drain, .close = close_now };

/* ---- from the protocols -------------------------------------------------------------------- */

struct sp_conn *sp_conn_new(struct sp_front *f, const struct sp_conn_ops *ops, size_t size, struct sp_stream *s,
			    const struct sp_addr *peer)
{
	struct sp_conn *c = calloc(1, size);

	if (!c) {
		sp_stream_close(s, SP_CLOSE_ABORT);
		return NULL;
	}
	sp_client_init(&c->client, f, &client_ops, peer);
	c->ops = ops;
	c->stream = s;
	sp_stream_attach(s, &events, c);
	sp_conn_expect(c);
	return c;
}

void sp_conn_resume(struct sp_conn *c, struct sp_stream *s)
{
	c->stream = s;
	c->ended = false; /* if not, it is told again, or the stream is closed by us */
	sp_stream_attach(s, &events, c);
}

bool sp_conn_wants_token(const struct sp_conn *c)
{
	const struct sp_front *f = c->client.front;

	return f->conf.chain >= 0 && (sp_auth_traits(f->env->auth, (unsigned)f->conf.chain) & SP_TRAIT_WANTS_TOKEN);
}

int sp_conn_begin(struct sp_conn *c)
{
	struct sp_front *f = c->client.front;

	return sp_session_begin(&c->session, c->client.env, &c->ops->session, f->ops->name, f->addr_text, c->client.peer,
				c->client.conn_id, SP_SLICE_NONE);
}

void sp_conn_fail(struct sp_conn *c, enum sp_outcome o, int err, const char *why)
{
	struct sp_cause cause = { 0 };

	if (!sp_session_active(&c->session) && sp_conn_begin(c) < 0)
		return;
	sp_cause_set(&cause, err, SP_DOMAIN_SELF, 0, "%s", why);
	sp_session_fail(&c->session, o, &cause);
}

void sp_conn_write(struct sp_conn *c, const void *p, size_t n)
{
	if (c->stream && !c->ending)
		(void)sp_stream_write(c->stream, p, n); /* a failure is told by on_closed */
}

void sp_conn_relay(struct sp_conn *c)
{
	struct sp_stream *s = c->stream;

	c->stream = NULL;
	sp_session_relay(&c->session, s, c->ended);
}
