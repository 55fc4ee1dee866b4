/* What the backs that dial TCP from here share; direct.c implements it. */
#ifndef SP_BACK_DIRECT_H
#define SP_BACK_DIRECT_H

#include "back/back.h"

/* Where the target of an exchange really is: OK with host[SP_HOST_SIZE] and *port, or the outcome of its refusal with *cause. */
typedef enum sp_outcome sp_direct_map_fn(const struct sp_conf *conf, const struct sp_authority *target, char *host,
					 uint16_t *port, struct sp_cause *cause);

/* name: static text, becomes x->via. */
int sp_direct_new(struct sp_loop *loop, struct sp_conf *conf, const char *name, sp_direct_map_fn *map, struct sp_back **out);

#endif
