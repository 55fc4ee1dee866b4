/* What concerns several settings at once. Only src/conf includes this. */
#ifndef SP_CONF_CHECK_H
#define SP_CONF_CHECK_H

#include "conf/conf.h"

struct sp_load;

/* Called for a group, or an element of a list of groups, whose members were all right; base as in the table. */
void sp_check_limits(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_listener(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_upstream(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_region(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_connector(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_path(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_claim(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
void sp_check_expose(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
/* Once, at the end, also when something was wrong. */
void sp_check_file(struct sp_load *ld);

#endif
