/* Listeners and their clients: what all protocols share. See front_internal.h. */
#include "front/front_internal.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/must.h"

/* ---- the front's end ------------------------------------------------------------ */

static void on_reap(struct sp_reap *r)
{
	struct sp_front *f = SP_CONTAINER_OF(r, struct sp_front, reap);

	if (f->ops->release)
		f->ops->release(f);
	free(f);
}

static void end_check(struct sp_front *f)
{
	if (f->closed && f->client_count == 0)
		sp_reap(f->env->loop, &f->reap, on_reap);
}

/* ---- clients -------------------------------------------------------------------- */

void sp_client_init(struct sp_client *c, struct sp_front *f, const struct sp_client_ops *ops, const struct sp_addr *peer)
{
	c->ops = ops;
	c->front = f;
	c->env = f->env;
	c->conn_id = ++f->env->book->last_conn;
	sp_addr_text(peer, c->peer);
	sp_list_append(&f->clients, &c->node);
}

void sp_client_leave(struct sp_client *c)
{
	struct sp_front *f = c->front;
	struct sp_book *book = c->env->book;

	sp_must(sp_list_linked(&c->node) && f->client_count > 0);
	sp_list_remove(&c->node);
	f->client_count--;
	end_check(f);
	sp_book_client_leave(book);
}

/* ---- accepting ------------------------------------------------------------------ */

/* Told when it begins, not for every client. */
static void refuse(struct sp_front *f, struct sp_stream *s)
{
	sp_stream_close(s, SP_CLOSE_ABORT);
	if (!f->refusing && !f->env->book->draining)
		sp_log(SP_LOG_WARN, SP_EV_ACCEPT, "refusing clients: limits.clients is reached", SP_KV_STR("listener", f->addr_text),
		       SP_KV_INT("clients", f->env->book->clients));
	f->refusing = true;
}

void sp_front_accepted(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	struct sp_front *f = arg;
	struct sp_book *book = f->env->book;

	if (!sp_book_client_enter(book)) {
		refuse(f, s);
		return;
	}
	f->refusing = false;
	f->client_count++;
	if (f->ops->accept(f, s, peer) == 0)
		return;
	f->client_count--;
	sp_book_client_leave(book);
}

/* ---- the worker's calls ------------------------------------------------------------ */

static const struct sp_front_ops *ops_of(enum sp_protocol p)
{
	switch (p) {
	case SP_PROTOCOL_SOCKS5:
		return &sp_front_socks5;
	case SP_PROTOCOL_HTTP:
		return &sp_front_http;
	case SP_PROTOCOL_FORWARD:
		return &sp_front_forward;
	case SP_PROTOCOL_TUNNEL:
		return &sp_front_tunnel;
	}
	return NULL;
}

static int listen_at(struct sp_front *f, const struct sp_addr *at, struct sp_cause *cause)
{
	/* Each worker has its own socket at the same address; the kernel spreads the clients. */
	bool shared = f->env->conf->workers > 1;
	int err = sp_listener_open(f->env->loop, at, shared, sp_front_accepted, f, &f->listener, cause);

	if (err < 0)
		return err;
	sp_listener_addr(f->listener, &f->addr);
	sp_addr_text(&f->addr, f->addr_text);
	return 0;
}

int sp_front_open(struct sp_front_env *env, const struct sp_conf_listener *l, struct sp_front **out, struct sp_cause *cause)
{
	const struct sp_front_ops *ops = ops_of(l->protocol);
	struct sp_front *f;
	int err;

	if (!ops)
		return sp_cause_set(cause, SP_EUNSUPPORTED, SP_DOMAIN_SELF, 0, "no such protocol");
	f = SP_NEW(struct sp_front);
	f->env = env;
	f->conf = *l;
	f->ops = ops;
	sp_list_init(&f->clients);
	err = f->ops->open ? f->ops->open(f, cause) : 0;
	if (err < 0) {
		free(f);
		return err;
	}
	err = listen_at(f, &l->address, cause);
	if (err < 0) {
		on_reap(&f->reap);
		return err;
	}
	*out = f;
	return 0;
}

void sp_front_addr(const struct sp_front *f, struct sp_addr *out)
{
	*out = f->addr;
}

void sp_front_drain(struct sp_front *f)
{
	struct sp_list *n, *tmp;

	f->draining = true;
	if (f->listener)
		sp_listener_close(&f->listener);
	SP_LIST_EACH(n, &f->clients, tmp) {
		struct sp_client *c = SP_CONTAINER_OF(n, struct sp_client, node);

		c->ops->drain(c);
	}
}

void sp_front_close(struct sp_front **fp)
{
	struct sp_front *f = *fp;
	struct sp_list *n, *tmp;

	*fp = NULL;
	f->draining = true;
	if (f->listener)
		sp_listener_close(&f->listener);
	SP_LIST_EACH(n, &f->clients, tmp) {
		struct sp_client *c = SP_CONTAINER_OF(n, struct sp_client, node);

		c->ops->close(c);
	}
	f->closed = true;
	end_check(f);
}
