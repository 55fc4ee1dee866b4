/* JSON as RFC 8259 writes it and nothing more. json-c is lenient even in its strict mode (single quotes, NaN, raw control
 * characters, duplicate members of which the last wins, "\u0000"); what decides about access must not have two readings. */
#ifndef SP_PLUGINS_STRICTJSON_H
#define SP_PLUGINS_STRICTJSON_H

#include <json-c/json.h>
#include <stddef.h>

/* Checks text[0..n) without building anything: one value with nothing after it, valid UTF-8, no NUL in strings, nested at
 * most `depth` deep. NULL, or why not. *members_out: members of all objects in it, counted before duplicates vanish. */
const char *pc_json_scan(const char *text, size_t n, unsigned depth, size_t *members_out);

/* The value, the caller's to json_object_put(); NULL with *why_out (static text) set. Refuses duplicate members. The JSON
 * text "null" is refused too: json-c has no object for it. */
json_object *pc_json_parse(const char *text, size_t n, unsigned depth, const char **why_out);

#endif
