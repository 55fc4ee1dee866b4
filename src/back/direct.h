/* What the backs that dial TCP from here share; direct.c implements it. */
#ifndef SP_BACK_DIRECT_H
#define SP_BACK_DIRECT_H

#include "back/origin.h"

/* Where the target of an exchange really is: OK with host[SP_HOST_SIZE] and *port, or the outcome of its refusal with
 * *cause. arg: the back's own. */
typedef enum sp_outcome sp_direct_map_fn(const struct sp_conf *conf, void *arg, const struct sp_authority *target, char *host,
					 uint16_t *port, struct sp_cause *cause);

/* The same for a request: OK with *plan (zeroed before), or the outcome of its refusal with *cause. */
typedef enum sp_outcome sp_direct_plan_fn(const struct sp_conf *conf, void *arg, struct sp_exchange *x, struct sp_origin_plan *plan,
					  struct sp_cause *cause);

struct sp_direct_kind {
	const char *name; /* becomes x->via */
	sp_direct_map_fn *map;
	sp_direct_plan_fn *plan;
	void (*free)(void *arg); /* the back's own; may be NULL */
};

/* kind: static. arg is taken over when it succeeds. */
int sp_direct_new(struct sp_loop *loop, struct sp_conf *conf, const struct sp_direct_kind *kind, void *arg, struct sp_back **out);

#endif
