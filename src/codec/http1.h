/* HTTP/1.1 heads (RFC 9112), strict: what two parsers could read in two ways is refused. One pass, no allocation.
 * Refused: bare LF or CR, obs-fold, white space around a name, empty or non-token names, control characters,
 * missing or repeated Host in 1.1, Host that differs from the authority of the target (on CONNECT it may leave the port
 * out), Content-Length with Transfer-Encoding, repeated or unclean Content-Length, Transfer-Encoding other than exactly
 * one "chunked", Transfer-Encoding in 1.0, either of them on CONNECT, versions other than 1.0 and 1.1. The table of cases is tests/unit/codec/http1_cases.h. */
#ifndef SP_CODEC_HTTP1_H
#define SP_CODEC_HTTP1_H

#include "codec/authority.h"
#include "codec/fields.h"

enum sp_http_target { SP_TARGET_ORIGIN, SP_TARGET_ABSOLUTE, SP_TARGET_AUTHORITY, SP_TARGET_ASTERISK }; /* RFC 9112 3.2 */
enum sp_http_body { SP_BODY_NONE, SP_BODY_LENGTH, SP_BODY_CHUNKED, SP_BODY_UNTIL_CLOSE };

struct sp_http_request {
	struct sp_slice method, target;
	enum sp_http_target form;
	struct sp_slice scheme, path; /* absolute form: "http" in any case, "/p?q"; origin form: the path */
	struct sp_authority authority; /* authority and absolute form: the target's; else Host's (default port 80), or
					* host "" and port 0 in a HTTP/1.0 request without Host */
	unsigned minor;		       /* HTTP/1.minor */
	enum sp_http_body body;
	uint64_t content_length;
	struct sp_fields fields;
};

struct sp_http_response {
	unsigned status, minor;
	struct sp_slice reason;
	enum sp_http_body body; /* as status and fields say, before the request's method counts */
	uint64_t content_length;
	struct sp_fields fields;
};

/* A head from its first byte to the empty line: bytes consumed, 0 for "more", SP_EPROTO, SP_ETOOBIG (max_bytes without an
 * end, or more than SP_FIELDS_MAX fields). *out is meaningful only with bytes consumed. Before a request one CRLF is
 * skipped (RFC 9112 section 2.2). Fields that carry credentials or cookies are marked secret. */
long sp_http_request_parse(struct sp_slice in, size_t max_bytes, struct sp_http_request *out);
long sp_http_response_parse(struct sp_slice in, size_t max_bytes, struct sp_http_response *out);
/* Where a head was refused, for the operator: "two Host fields". Static text for the last SP_EPROTO on this thread. */
const char *sp_http_parse_detail(void);

bool sp_http_is_token(struct sp_slice s);
/* Credentials of Authorization or Proxy-Authorization. scheme compared case-insensitively (RFC 9110 section 11.4). An
 * absent value is NONE. */
enum sp_http_credentials { SP_CREDENTIALS_NONE, SP_CREDENTIALS_BEARER, SP_CREDENTIALS_BASIC, SP_CREDENTIALS_OTHER };
/* Bearer: *token_out. Basic: decoded into scratch, *user_out and *password_out. SP_EPROTO when malformed, SP_ETOOBIG when
 * scratch is too small. */
int sp_http_credentials_parse(struct sp_slice value, enum sp_http_credentials *kind_out, struct sp_slice *token_out,
			      char *scratch, size_t scratch_size, struct sp_slice *user_out, struct sp_slice *password_out);

#endif
