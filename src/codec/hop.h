/* What belongs to one hop and not to the message: connection-specific fields, fields of identity, trailers that may not be
 * there, and what the fields say about the connection: persistence, Expect, Upgrade (RFC 9110 sections 6.5, 7.6, 7.8, 10.1.1;
 * RFC 9112 section 9.3).
 *
 * Decisions:
 * - Via (RFC 9110 section 7.6.3): a message gets one member, "1.x sallyport", where it enters: requests at the proxy, responses
 *   at the connector (or the direct back). Proxy, gateway and connector are one intermediary to the world; section 7.6.3 lets
 *   hops under one pseudonym be combined. Names of hosts are never told. Loops are found by counting our own members.
 * - Forwarded, X-Forwarded-For: nothing is added. Addresses of applications are none of the system's business, and who
 *   calls is said by identity, not by address. What the application wrote passes as it is, like every end-to-end field.
 *   X-Forwarded-Host is set, and replaced, where the connector writes an internal Host; sp_fields_set() does that.
 * - Everything that begins with Proxy- is of one hop. An origin's Proxy-Status is dropped: in the tunnel it is the word of
 *   our own hops, and a system behind it must not be able to speak in their name. */
#ifndef SP_CODEC_HOP_H
#define SP_CODEC_HOP_H

#include "codec/http1.h"

/* Where a message goes to when its fields are filtered. */
enum sp_http_side {
	SP_HTTP_INTO_TUNNEL, /* a client's request: the token for the far end and its credentials for the system stay */
	SP_HTTP_TO_ORIGIN,   /* a request: nothing of ours stays */
	SP_HTTP_FROM_ORIGIN, /* a system's response */
	SP_HTTP_TO_CLIENT    /* a response that came through the tunnel: Proxy-Status and the exchange's id stay */
};

#define SP_CONNECTION_OPTIONS_MAX 64

/* Removes, in place: Connection and all it names, Keep-Alive, Proxy-*, TE (except "trailers", which stays as exactly that),
 * Trailer, Transfer-Encoding, Upgrade, HTTP2-Settings; sallyport-*, SAP-Connectivity-* and SAP-CP-Connectivity-* as `side` says,
 * also where "_" stands for "-". Host and Content-Length stay, if really written so: serialisers write their own. Call it before adding
 * fields of one's own. 0, or SP_EPROTO for more than SP_CONNECTION_OPTIONS_MAX options in Connection. */
int sp_http_filter(struct sp_fields *f, enum sp_http_side side);

/* May a field of that name be a trailer (RFC 9110 section 6.5.1)? Not those of framing, routing, authentication, request
 * control, response control, content description, cookies, and none that sp_http_filter() would remove. */
bool sp_http_trailer_is_allowed(struct sp_slice name);

/* Via: appends our member for a message that came in as HTTP/1.minor. 0 or SP_ETOOBIG. */
int sp_http_via_add(struct sp_fields *f, unsigned minor);
/* How many of our members there are; SP_HTTP_VIA_MAX or more is a loop. */
#define SP_HTTP_VIA_MAX 8
unsigned sp_http_via_count(const struct sp_fields *f);

/* Expect (RFC 9110 section 10.1.1). In 1.0, and without a body to wait for, it says nothing. */
enum sp_http_expect { SP_EXPECT_NOTHING, SP_EXPECT_CONTINUE, SP_EXPECT_UNKNOWN /* may be answered with 417 */ };
enum sp_http_expect sp_http_expects(const struct sp_http_request *r);

/* May another request follow on the client's connection, as far as this one says? A proxy keeps no HTTP/1.0 connection (RFC
 * 9112 section 9.3). Old clients say "close" in Proxy-Connection. */
bool sp_http_request_persists(const struct sp_http_request *r);
/* May the origin's connection be used again after this response and its body? method: the request's. */
bool sp_http_response_persists(const struct sp_http_response *r, struct sp_slice method);
/* The one protocol that the client wants to switch to (RFC 9110 section 7.8), or absent: not 1.1, not named in Connection, with
 * a body, several to choose from, or malformed. */
struct sp_slice sp_http_upgrade(const struct sp_http_request *r);

#endif
