/* What the parts of loading share: source (text to tree), walk (tree and table to struct), value (one setting), plugin
 * (chains and their JSON), check (what concerns several settings). Only src/conf includes this. */
#ifndef SP_CONF_LOAD_H
#define SP_CONF_LOAD_H

#include <libconfig.h>

#include "conf/conf.h"
#include "conf/keys.h"

#define SP_CONF_FILE_MAX (1024 * 1024) /* bytes; larger than any sane file, small enough to be read as a whole */
#define SP_CONF_PATH_SIZE 192	       /* "listeners[12].tls.cert_file": as deep as the table is */
#define SP_CHAIN_ABSENT (-1)
#define SP_CHAIN_WRONG (-2) /* named, but there is none: an error was reported; never in a finished snapshot */

struct sp_load {
	struct sp_conf *conf;
	struct sp_report *report;
	unsigned report_before; /* its count when loading began */
	char *folder;	     /* of the file; absolute */
	bool include_failed; /* an @include that libconfig must not see */
	const config_setting_t *checked; /* while a key's check runs: the group that it is about */
};

/* One setting (or, with setting NULL, one default) on its way into base. */
struct sp_place {
	struct sp_load *ld;
	const struct sp_conf_key *key;
	const config_setting_t *setting;
	const char *path; /* "listeners[0].address" */
	void *base;
};

/* source.c: reads the file with what it includes. 0, or SP_EINVAL with lines in the report. */
int sp_source_read(struct sp_load *ld, config_t *tree);
struct sp_conf_at sp_source_at(struct sp_load *ld, const config_setting_t *s);
/* name as it stands in the file -> absolute heap path. */
char *sp_source_path(const struct sp_load *ld, const char *name);

/* walk.c: group NULL sets the defaults only. */
void sp_walk_group(struct sp_load *ld, const struct sp_conf_key *keys, const config_setting_t *group, const char *path,
		   void *base);
/* value.c: false after an error was reported. Is the setting of a type that the key takes? */
bool sp_value_type_ok(const struct sp_place *p);
/* Everything but groups; the type is right. */
bool sp_value_store(const struct sp_place *p);
void sp_value_default(const struct sp_place *p);
/* "a list", "an integer": libconfig's type in words. */
const char *sp_value_type(const config_setting_t *s);
/* Valid UTF-8 without control characters? */
bool sp_value_text_ok(const char *text);
/* Reports the path, then the text (": must be ..."), then the key's hint, at the setting. */
void sp_value_error(const struct sp_place *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* plugin.c */
bool sp_plugin_chains(const struct sp_place *p);

/* nearest.c: the entry of names (NULL-terminated) nearest to name by its spelling, or NULL when none is near. */
const char *sp_nearest(const char *name, const char *const *names);

/* units.c: the largest unit that divides; dst[SP_UNIT_SIZE]. Return dst. */
#define SP_UNIT_SIZE 32
const char *sp_duration_text(uint64_t ms, char *dst);
const char *sp_size_text(uint64_t bytes, char *dst);

#endif
