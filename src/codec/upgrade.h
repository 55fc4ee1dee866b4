/* The request with which a connector turns its connection (draft-kazuho-ptth-ptth: Upgrade: ptth, ALPN: h2), and
 * the names of our wire, all in one place: ALPN ids, paths, header fields. */
#ifndef SP_CODEC_UPGRADE_H
#define SP_CODEC_UPGRADE_H

#include "base/buf.h"
#include "codec/http1.h"

#define SP_ALPN_H2 "h2"
#define SP_ALPN_REVERSE "rh2" /* draft-thomson-ptth-potato */
#define SP_ALPN_HTTP1 "http/1.1"
#define SP_UPGRADE_PATH "/.well-known/sallyport/tunnel"
#define SP_UPGRADE_TOKEN "ptth"
#define SP_FIELD_TENANT "sallyport-tenant"
#define SP_FIELD_LOCATION "sallyport-location"
#define SP_FIELD_EXCHANGE "sallyport-exchange"
#define SP_FIELD_CLAIMS "sallyport-claims" /* what was verified of the caller, a JSON object */
#define SP_FIELD_CONNECTOR_ID "sallyport-connector-id"
#define SP_FIELD_INSTANCE "sallyport-instance" /* <boot id>;index=N */

struct sp_upgrade {
	char location[192], connector_id[64], instance[64], version[64]; /* version: User-Agent's product; "" = absent */
	unsigned index;
};

/* Appends the whole HTTP/1.1 request. bearer absent: no Authorization field (client certificate). 0 or SP_E*. */
int sp_upgrade_request_write(struct sp_buf *b, const char *host, const struct sp_upgrade *u, struct sp_slice bearer);
/* Is this parsed request a valid upgrade? 0, SP_EPROTO (with *why_out, a static text for the peer). */
int sp_upgrade_request_read(const struct sp_http_request *r, struct sp_upgrade *out, const char **why_out);
/* "HTTP/1.1 101 Switching Protocols" with the fields. */
int sp_upgrade_accept_write(struct sp_buf *b);
/* The connector reads the gateway's answer, past interim ones (1xx): consumed bytes with *status_out (101 only if the fields are right,
 * else SP_EPROTO), *retry_after_s_out (0 = none) and the slice of a Proxy-Status field. 0 for "more". */
long sp_upgrade_answer_parse(struct sp_slice in, unsigned *status_out, unsigned *retry_after_s_out, struct sp_slice *proxy_status_out);

#endif
