/* The text forms inside a token: base64url and claims named by dotted paths. */
#ifndef SP_PLUGINS_TOKEN_H
#define SP_PLUGINS_TOKEN_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/plugin.h"

/* RFC 4648 section 5 without padding (RFC 7515 section 2); spellings with non-zero trailing bits are refused, so a value
 * has one text. The bytes written, or -1: malformed, or more than size. */
long pc_base64url(sp_str text, uint8_t *dst, size_t size);

/* Cuts a compact JWS (RFC 7515 section 7.1) at its two dots. 0, or -1 unless there are exactly three parts. */
int pc_token_split(sp_str token, sp_str parts_out[3]);

/* Decodes one part and parses it as a strict JSON object, the caller's to put. NULL with *why_out (static text). With text_out
 * the decoded JSON text goes there, the caller's to free(). */
json_object *pc_token_json(sp_str part, char **text_out, size_t *n_out, const char **why_out);

/* A claim by path: a member of exactly that name (names may hold dots: "https://example.com/tenant"); else inside the object whose
 * name is the longest beginning of the path up to a dot, the rest of the path ("ext_attr.zdn", "https://example.com/app.tenant").
 * NULL when absent or null. */
json_object *pc_claim(json_object *claims, const char *path);

/* The first of the paths that is present and not an empty string: 1 with *out (borrowed from claims), 0 when none is, -1 when
 * it is there but not a string (*out: nothing). A list of exactly one string counts as that string ("aud"). */
int pc_claim_string(json_object *claims, char *const *paths, sp_str *out);

#endif
