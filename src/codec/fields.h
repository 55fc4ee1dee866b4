/* A list of header fields, shared by HTTP/1 and HTTP/2 heads. Slices borrow the buffer they were parsed from. */
#ifndef SP_CODEC_FIELDS_H
#define SP_CODEC_FIELDS_H

#include "base/slice.h"

#define SP_FIELDS_MAX 128

struct sp_field {
	struct sp_slice name, value;
	bool secret; /* never indexed by HPACK (RFC 7541 section 7.1.3), never logged */
};

struct sp_fields {
	unsigned count;
	struct sp_field v[SP_FIELDS_MAX];
};

/* An assignment would copy the empty places, too. */
static inline void sp_fields_copy(struct sp_fields *to, const struct sp_fields *from)
{
	to->count = from->count;
	memcpy(to->v, from->v, from->count * sizeof(from->v[0]));
}
/* 0 or SP_ETOOBIG. */
int sp_fields_add(struct sp_fields *f, struct sp_slice name, struct sp_slice value);
/* The first one of that name (ASCII case-insensitive), or absent. */
struct sp_slice sp_fields_get(const struct sp_fields *f, const char *name);
unsigned sp_fields_count(const struct sp_fields *f, const char *name);
/* Does the comma-separated list in all fields of that name hold the token (case-insensitive)? RFC 9110 5.6.1 */
bool sp_fields_has_token(const struct sp_fields *f, const char *name, const char *token);
/* Takes the next element of a comma-separated list, white space trimmed, commas in quoted strings no separators. Empty
 * elements come out empty. Call while list->n > 0. */
struct sp_slice sp_list_next(struct sp_slice *list);
/* Removes all fields of that name; the others keep their order. */
void sp_fields_remove(struct sp_fields *f, const char *name);
/* Sets the one field of that name. Removes others also where they only look like it to servers that read names through CGI
 * variables: "_" counts as "-". name and value are borrowed. 0 or SP_ETOOBIG (then none is left). */
int sp_fields_set(struct sp_fields *f, const char *name, struct sp_slice value);
/* Does name begin with prefix, case-insensitive and with "_" as "-"? prefix is in lower case. */
bool sp_field_name_begins(struct sp_slice name, const char *prefix);

#endif
