/* The connector's back: an exchange names a system as the connector's file exposes it ("virtual"), and only what is listed
 * there is dialled, at its internal address. Everything else does not exist for callers. */
#include "back/direct.h"

static bool matches(const struct sp_conf_expose *e, const struct sp_authority *target)
{
	return target->port >= e->first_port && target->port <= e->last_port &&
	       sp_slice_eq_str_nocase(sp_slice_str(target->host), e->virtual_host);
}

static enum sp_outcome map_exposed(const struct sp_conf *conf, const struct sp_authority *target, char *host, uint16_t *port,
				   struct sp_cause *cause)
{
	char text[SP_AUTHORITY_SIZE];
	unsigned i;

	for (i = 0; i < conf->expose_count; i++) {
		const struct sp_conf_expose *e = &conf->exposes[i];
		uint32_t internal = e->internal_first_port;

		if (!matches(e, target))
			continue;
		if (e->internal_same_offset)
			internal += (uint32_t)(target->port - e->first_port);
		if (internal > UINT16_MAX)
			break;
		memcpy(host, e->internal_host, SP_HOST_SIZE);
		*port = (uint16_t)internal;
		return SP_OUTCOME_OK;
	}
	sp_cause_set(cause, SP_EDENIED, SP_DOMAIN_SELF, 0, "%s is not exposed", sp_authority_text(target, text));
	return SP_OUTCOME_NOT_EXPOSED;
}

static enum sp_outcome plan_exposed(const struct sp_conf *conf, void *arg, struct sp_exchange *x, struct sp_origin_plan *plan,
				    struct sp_cause *cause)
{
	enum sp_outcome o = map_exposed(conf, &x->target, plan->host, &plan->port, cause);
	struct sp_fields f;
	int err;

	(void)arg;
	if (o != SP_OUTCOME_OK)
		return o;
	err = sp_origin_plan_fields(x, &f);
	if (err == 0)
		err = sp_origin_plan_write(plan, x, &x->target, &f);
	if (err == 0)
		return SP_OUTCOME_OK;
	sp_cause_set(cause, err, SP_DOMAIN_SELF, 0, "a request that cannot be sent on: %s", sp_err_word(err));
	return SP_OUTCOME_BAD_REQUEST;
}

int sp_back_exposed_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out)
{
	static const struct sp_direct_kind kind = { .name = "exposed", .map = map_exposed, .plan = plan_exposed };

	return sp_direct_new(loop, conf, &kind, NULL, out);
}
