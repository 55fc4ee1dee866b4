/* Names of issuers: a text that "iss" must equal, or a template whose one "*" stands for one DNS label of the host. */
#ifndef SP_PLUGINS_JWT_ISSUER_H
#define SP_PLUGINS_JWT_ISSUER_H

#include <stdbool.h>
#include <stddef.h>

/* NULL, or a sentence why `text` is no name of an issuer. The "*" of a template is a whole label of the host of an http or https
 * URL, and not the last one; there is no second one, and no user name in the URL. */
const char *jwt_issuer_check(const char *text);

bool jwt_issuer_is_template(const char *name);

/* Whether iss[0..n) is the issuer `name`, which has passed the check: byte for byte but for the label, which is one to 63 of
 * a-z, 0-9 and "-", the "-" not first and not last. */
bool jwt_issuer_matches(const char *name, const char *iss, size_t n);

/* NULL, or a sentence why `text` is no https URL that keys may be fetched from: a host, no user name, no fragment, printable
 * ASCII only. */
const char *jwt_url_check(const char *text);

#endif
