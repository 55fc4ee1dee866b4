/* host:port as proxies exchange it: the name as the application wrote it, never resolved, IPv4 kept as a name,
 * IPv6 in brackets (RFC 3986 section 3.2, RFC 9113 section 8.5). */
#ifndef SP_CODEC_AUTHORITY_H
#define SP_CODEC_AUTHORITY_H

#include "base/slice.h"

#define SP_HOST_SIZE 256     /* 255 bytes (RFC 1928 section 5) and NUL */
#define SP_AUTHORITY_SIZE 265 /* "[host]:65535" and NUL */

struct sp_authority {
	char host[SP_HOST_SIZE]; /* without brackets; letters in lower case */
	uint16_t port;		 /* 1..65535 */
	bool ipv6;		 /* host is an IPv6 address */
};

/* "host:port"; the port is required unless default_port != 0. A host is a reg-name without percent-encoding (letters,
 * digits, "-._~!$&'()*+,;="), or a bracketed, valid IPv6 address without zone, which comes out in its one spelling of
 * RFC 5952. 0 or SP_EINVAL. */
int sp_authority_parse(struct sp_slice text, uint16_t default_port, struct sp_authority *out);
/* From separate parts, as SOCKS5 gives them (without brackets; an IPv6 address in text is one). 0 or SP_EINVAL. */
int sp_authority_make(struct sp_slice host, uint16_t port, struct sp_authority *out);
int sp_authority_make_ipv6(const uint8_t address[16], uint16_t port, struct sp_authority *out);
/* dst[SP_AUTHORITY_SIZE]; returns dst. */
const char *sp_authority_text(const struct sp_authority *a, char *dst);
bool sp_authority_eq(const struct sp_authority *a, const struct sp_authority *b);

#endif
