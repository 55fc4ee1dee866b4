/* One gateway for each region: which one an exchange goes to is decided per exchange, by the region that the client named, else by
 * who issued its credential, else it is the upstream of no region. What is refused here never reaches any gateway.
 *
 *   back: OPEN -> CLOSING (the members close one by one) -> on_closed -> reaped; an open is its member's */
#include "back/regions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/must.h"

struct regions {
	struct sp_back back;
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_back **members; /* conf->regions in their order, then conf->upstream; NULL: closed */
	unsigned count, open;
	struct sp_list refusals;
	bool closing;
	void (*on_closed)(void *arg);
	void *arg;
	struct sp_timer closed; /* on_closed never comes inside close() */
	struct sp_reap reap;
};

/* An open that no member has. */
struct refusal {
	struct sp_back_open open;
	struct sp_list node;
	struct regions *rs;
	sp_back_cb *cb;
	void *arg;
	struct sp_timer later;
	enum sp_outcome outcome;
	struct sp_cause cause;
	struct sp_reap reap;
};

static struct regions *regions_of(struct sp_back *b)
{
	struct regions *rs = SP_CONTAINER_OF(b, struct regions, back);

	sp_loop_assert(rs->loop);
	return rs;
}

/* ---- the choice ------------------------------------------------------------------ */

static bool in_list(char **list, const char *text)
{
	for (; list && *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static unsigned by_name(const struct sp_conf *c, const char *id)
{
	unsigned i = 0;

	while (i < c->region_count && strcmp(c->regions[i].id, id) != 0)
		i++;
	return i;
}

static unsigned by_issuer(const struct sp_conf *c, const char *issuer)
{
	unsigned i = 0;

	while (i < c->region_count && !(issuer && in_list(c->regions[i].issuers, issuer)))
		i++;
	return i;
}

enum sp_outcome sp_region_choose(const struct sp_conf *c, const struct sp_exchange *x, unsigned *index, struct sp_cause *cause)
{
	const struct sp_identity *id = &x->identity;
	unsigned i = x->region[0] ? by_name(c, x->region) : by_issuer(c, id->issuer);
	const struct sp_conf_region *r = &c->regions[i];

	if (i == c->region_count && x->region[0]) {
		sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "the region \"%s\" is not configured", x->region);
		return SP_OUTCOME_BAD_REQUEST;
	}
	if (i < c->region_count && r->issuers && id->issuer && !in_list(r->issuers, id->issuer)) {
		sp_cause_set(cause, SP_EDENIED, SP_DOMAIN_SELF, 0, "region \"%s\" is not for identities of this issuer", r->id);
		return SP_OUTCOME_FORBIDDEN;
	}
	if (i < c->region_count && r->allowed_clients && !(id->client && in_list(r->allowed_clients, id->client))) {
		sp_cause_set(cause, SP_EDENIED, SP_DOMAIN_SELF, 0, "region \"%s\" is not for this client", r->id);
		return SP_OUTCOME_FORBIDDEN;
	}
	*index = i;
	return SP_OUTCOME_OK;
}

/* ---- refusals -------------------------------------------------------------------- */

static void on_refusal_reap(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct refusal, reap));
}

static void on_closed(struct sp_timer *t);

static void maybe_closed(struct regions *rs)
{
	if (rs->closing && rs->open == 0 && sp_list_empty(&rs->refusals))
		sp_timer_start(rs->loop, &rs->closed, 0, on_closed);
}

static void forget(struct refusal *o)
{
	sp_timer_stop(o->rs->loop, &o->later);
	sp_list_remove(&o->node);
	sp_reap(o->rs->loop, &o->reap, on_refusal_reap);
	maybe_closed(o->rs);
}

static void on_refused(struct sp_timer *t)
{
	struct refusal *o = SP_CONTAINER_OF(t, struct refusal, later);

	forget(o);
	o->cb(o->arg, NULL, o->outcome, &o->cause);
}

static struct sp_back_open *refuse(struct regions *rs, enum sp_outcome outcome, const struct sp_cause *cause, sp_back_cb *cb, void *arg)
{
	struct refusal *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	*o = (struct refusal){ .open = { &rs->back }, .rs = rs, .cb = cb, .arg = arg, .outcome = outcome, .cause = *cause };
	sp_list_append(&rs->refusals, &o->node);
	sp_timer_start(rs->loop, &o->later, 0, on_refused);
	return &o->open;
}

/* ---- the operations --------------------------------------------------------------- */

static struct sp_back_open *regions_open(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	struct regions *rs = regions_of(b);
	struct sp_cause cause = { 0 };
	unsigned i = 0;
	enum sp_outcome outcome = sp_region_choose(rs->conf, x, &i, &cause);

	if (outcome != SP_OUTCOME_OK)
		return refuse(rs, outcome, &cause, cb, arg);
	if (!rs->members[i]) {
		sp_cause_set(&cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "no new connections: closing");
		return refuse(rs, SP_OUTCOME_SHUTDOWN, &cause, cb, arg);
	}
	if (i < rs->conf->region_count) /* for the log, where the issuer decided */
		snprintf(x->region, sizeof(x->region), "%s", rs->conf->regions[i].id);
	return sp_back_open(rs->members[i], x, cb, arg);
}

static void regions_cancel(struct sp_back_open *open)
{
	forget(SP_CONTAINER_OF(open, struct refusal, open));
}

static void regions_drain(struct sp_back *b)
{
	struct regions *rs = regions_of(b);

	for (unsigned i = 0; i < rs->count; i++)
		if (rs->members[i])
			rs->members[i]->ops->drain(rs->members[i]);
}

static void regions_free(struct sp_reap *r)
{
	struct regions *rs = SP_CONTAINER_OF(r, struct regions, reap);

	sp_conf_unref(&rs->conf);
	free(rs->members);
	free(rs);
}

static void on_closed(struct sp_timer *t)
{
	struct regions *rs = SP_CONTAINER_OF(t, struct regions, closed);

	sp_reap(rs->loop, &rs->reap, regions_free);
	if (rs->on_closed)
		rs->on_closed(rs->arg);
}

static void on_member_closed(void *arg)
{
	struct regions *rs = arg;

	rs->open--;
	maybe_closed(rs);
}

static void regions_close(struct sp_back *b, void (*on_done)(void *arg), void *arg)
{
	struct regions *rs = regions_of(b);
	struct sp_list *n, *tmp;

	rs->closing = true;
	rs->on_closed = on_done;
	rs->arg = arg;
	SP_LIST_EACH(n, &rs->refusals, tmp)
		SP_CONTAINER_OF(n, struct refusal, node)->outcome = SP_OUTCOME_SHUTDOWN;
	for (unsigned i = 0; i < rs->count; i++) {
		struct sp_back *member = rs->members[i];

		rs->members[i] = NULL;
		if (member)
			member->ops->close(member, on_member_closed, rs);
	}
	maybe_closed(rs);
}

static const struct sp_back_ops ops = {
	.name = "regions",
	.open = regions_open,
	.cancel = regions_cancel,
	.drain = regions_drain,
	.close = regions_close,
};

int sp_back_regions_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out, struct sp_cause *cause)
{
	struct regions *rs = SP_NEW(struct regions);
	int err = 0;

	rs->back.ops = &ops;
	rs->loop = loop;
	rs->conf = sp_conf_ref(conf);
	rs->members = sp_calloc(conf->region_count + 1, sizeof(rs->members[0]));
	sp_list_init(&rs->refusals);
	for (unsigned i = 0; i <= conf->region_count && err == 0; i++) {
		const struct sp_conf_upstream *u = i < conf->region_count ? &conf->regions[i].upstream : &conf->upstream;

		err = sp_back_gateway_new(loop, conf, u, &rs->members[i], cause);
		if (err < 0)
			break;
		rs->count = rs->open = i + 1;
	}
	if (err < 0) {
		regions_close(&rs->back, NULL, NULL);
		return err;
	}
	*out = &rs->back;
	return 0;
}
