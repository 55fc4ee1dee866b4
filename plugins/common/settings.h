/* Reading a plugin's settings: the JSON text that check() and open() get. Every function returns 0, or -1 after it has
 * filled err with the JSON Pointer of the bad setting and a sentence for the operator. Absent settings leave *out as it
 * was, so callers set the default first. */
#ifndef SP_PLUGINS_SETTINGS_H
#define SP_PLUGINS_SETTINGS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "sallyport/plugin.h"

/* Always -1. key: a member of the settings' top level; NULL: the whole. index: an element of its list; -1: itself. */
int pc_fail(sp_error *err, const char *key, int index, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The settings object, the caller's to json_object_put(); NULL after an error. Members that are not in `known`
 * (NULL-terminated) are errors that name the nearest known one. */
json_object *pc_settings(const char *json, const char *const *known, sp_error *err);

/* The same for a group inside the settings. */
int pc_known(json_object *o, const char *const *known, sp_error *err);
/* Always -1. After an error in element `index` of the list `key`: puts them before the path, which is relative to that group. */
int pc_fail_within(sp_error *err, const char *key, int index);

/* *out is borrowed from o. An empty string is an error: no setting of ours means anything by it. */
int pc_string(json_object *o, const char *key, const char **out, sp_error *err);
int pc_bool(json_object *o, const char *key, bool *out, sp_error *err);
int pc_int(json_object *o, const char *key, int64_t least, int64_t most, int64_t *out, sp_error *err);
/* A string or a list of strings, none empty: a NULL-terminated heap list, replacing (and freeing) *out. */
int pc_strings(json_object *o, const char *key, char ***out, sp_error *err);

char **pc_strings_of(const char *const *list); /* a heap copy of a NULL-terminated list */
void pc_strings_free(char ***list);
size_t pc_strings_count(char *const *list); /* NULL: 0 */
bool pc_strings_have(char *const *list, const char *p, size_t n);

sp_str pc_str(const char *s); /* NULL: absent */

#endif
