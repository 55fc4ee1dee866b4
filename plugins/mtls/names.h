/* Names in a certificate, as sp_request carries them: the subject as RFC 2253 text, the alternative names one per line. */
#ifndef SP_PLUGINS_MTLS_NAMES_H
#define SP_PLUGINS_MTLS_NAMES_H

#include <stdbool.h>

#include "sallyport/plugin.h"

enum names_found { NAMES_NONE, NAMES_ONE, NAMES_SEVERAL, NAMES_MALFORMED };

/* The value of an attribute ("O"; compared without case), unescaped, into dst[size] (NUL-terminated, *n bytes). Only one value
 * will do: of two, whoever ordered the certificate could choose. NAMES_MALFORMED: the text, or the value too long, or not text. */
enum names_found names_attribute(sp_str subject, const char *type, char *dst, size_t size, size_t *n);

/* Where the tenant's name stands:  subject:TYPE
 *                                  san:URI:spiffe://trust/tenant/{tenant}/...   san:DNS:...   san:EMAIL:...
 * {tenant} stands once and takes letters, digits and "-" "_", in URIs and mail addresses "." and "~" too. A "*" at the end takes
 * the rest, at least one character. */
struct names_source {
	bool san;
	char *type;   /* "O"; "URI" */
	char *before; /* of {tenant}; NULL for a subject */
	char *after;
	bool rest;
};

/* NULL, or why the text is none (static). */
const char *names_source_parse(const char *text, struct names_source *out);
void names_source_deinit(struct names_source *s);
/* The tenant, into dst[size]. Several names that give the same tenant are one. */
enum names_found names_source_find(const struct names_source *s, const sp_request *r, char *dst, size_t size, size_t *n);

#endif
