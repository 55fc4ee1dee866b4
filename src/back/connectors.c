/* Tunnels of connectors that dialled in (back.h). */
#include "back/pool.h"

/* Tunnels of one tenant and location: more than any sane number of connectors there, and a bound on what one credential can
 * make us hold. */
#define TUNNELS_MAX 64u

int sp_back_connectors_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out)
{
	return sp_pools_new(&(struct sp_pools_options){ .loop = loop, .conf = conf }, out);
}

static unsigned count(const struct sp_list *list)
{
	unsigned n = 0;

	for (const struct sp_list *i = list->next; i != list; i = i->next)
		n++;
	return n;
}

static struct sp_tunnel *tunnel_of(struct sp_list *n)
{
	return SP_CONTAINER_OF(n, struct sp_tunnel, node);
}

int sp_connectors_may_attach(struct sp_back *back, const struct sp_connector_hello *hello)
{
	struct sp_pools *ps = sp_pools_of(back);
	struct sp_pool *p = sp_pools_get(ps, hello->tenant, hello->location, false);

	if (ps->draining || ps->closing)
		return SP_ECLOSED;
	return p && count(&p->tunnels) >= TUNNELS_MAX ? SP_ELIMIT : 0;
}

/* The same connector came back before we noticed that it was gone: its old tunnel is of no use. Another instance under the same
 * id: the old one must show that it lives. */
static void meet_older(struct sp_pool *p, const struct sp_connector_hello *hello)
{
	struct sp_list *n, *tmp;

	SP_LIST_EACH(n, &p->tunnels, tmp) {
		struct sp_tunnel *t = tunnel_of(n);

		if (!hello->connector_id[0] || strcmp(t->hello->connector_id, hello->connector_id) != 0 || t->hello->index != hello->index)
			continue;
		sp_tunnel_probe(t);
		if (hello->instance[0] && strcmp(t->hello->instance, hello->instance) == 0)
			sp_tunnel_drain(t);
	}
}

static void refuse(struct sp_stream *carrier)
{
	static const struct sp_stream_events nobody = { 0 };

	sp_stream_attach(carrier, &nobody, NULL);
	sp_stream_close(carrier, SP_CLOSE_ABORT);
}

int sp_connectors_attach(struct sp_back *back, struct sp_stream *carrier, const struct sp_connector_hello *hello)
{
	struct sp_pools *ps = sp_pools_of(back);
	int err = sp_connectors_may_attach(back, hello);
	struct sp_pool *p;
	struct sp_tunnel *t;

	if (err < 0) {
		refuse(carrier);
		return err;
	}
	p = sp_pools_get(ps, hello->tenant, hello->location, true);
	meet_older(p, hello);
	t = sp_tunnel_attach(ps->loop, ps->conf, carrier, hello, &sp_pool_tunnel_events, p);
	if (!t) {
		sp_pool_maybe_retire(p);
		return SP_ENOMEM;
	}
	sp_pool_add_tunnel(p, t);
	return 0;
}

unsigned sp_connectors_ready(struct sp_back *back, const char *tenant, const char *location)
{
	struct sp_pool *p = sp_pools_get(sp_pools_of(back), tenant, location, false);
	unsigned n = 0;

	for (struct sp_list *i = p ? p->tunnels.next : NULL; p && i != &p->tunnels; i = i->next)
		n += sp_tunnel_room(tunnel_of(i)) > 0;
	return n;
}
