/* OpenID Connect Discovery 1.0, section 4: an issuer's own word on where its keys are. */
#ifndef SP_PLUGINS_JWT_DISCOVERY_H
#define SP_PLUGINS_JWT_DISCOVERY_H

#include <stddef.h>

#define JWT_DISCOVERY_BYTES_MOST (128u << 10)
#define JWT_DISCOVERY_URL_BYTES_MOST 2048u

/* Section 4: the issuer, without a "/" at its end, and "/.well-known/openid-configuration". Heap; NULL: out of memory. */
char *jwt_discovery_url(const char *issuer, size_t n);

/* Section 4.3: the document's "issuer" must be this one, byte for byte; its "jwks_uri" an https URL, on any host. 0 with
 * *jwks_uri_out (heap), or -1 with a sentence in why. */
int jwt_discovery_read(const char *text, size_t n, const char *issuer, size_t issuer_n, char **jwks_uri_out, char *why, size_t why_size);

#endif
