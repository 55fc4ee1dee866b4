/* Responses of a system speak of it by its own names; applications know the virtual ones, and speak plain http to them (TLS, where there
 * is any, is between the connector and the system). */
#ifndef SP_CODEC_REWRITE_H
#define SP_CODEC_REWRITE_H

#include "base/buf.h"
#include "codec/authority.h"

struct sp_rewrite {
	const struct sp_authority *internal, *virtual;
	bool secure; /* the system is reached by https */
};

/* Both append the new value to out and return 1, or 0 when it stays as it is; SP_ENOMEM. Values hold no control characters. */

/* Location, Content-Location: an http(s) URI or a network-path reference of the internal authority, or, where the system has heard the
 * virtual host and believes in its own scheme, of the virtual one. Relative ones and those of other hosts stay. */
int sp_rewrite_location(const struct sp_rewrite *r, struct sp_slice value, struct sp_buf *out);
/* Set-Cookie (RFC 6265 section 4.1): Domain, when it is the internal host or one above it; Secure goes when the system is reached by
 * https, or no cookie jar would send it back by http. All else stays, byte for byte. */
int sp_rewrite_cookie(const struct sp_rewrite *r, struct sp_slice value, struct sp_buf *out);

#endif
