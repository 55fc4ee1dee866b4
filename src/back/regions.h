/* Which gateway an exchange goes to, where regions are configured. */
#ifndef SP_BACK_REGIONS_H
#define SP_BACK_REGIONS_H

#include "back/back.h"

/* OK with *index into c->regions, or c->region_count for c->upstream. Else an outcome with cause: a region that is not configured
 * (BAD_REQUEST), or one that is not for this issuer or client (FORBIDDEN). A region named by the client goes before its issuer's. */
enum sp_outcome sp_region_choose(const struct sp_conf *c, const struct sp_exchange *x, unsigned *index, struct sp_cause *cause);

#endif
