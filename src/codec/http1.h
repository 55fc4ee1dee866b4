/* HTTP/1.1 heads (RFC 9112), strict: what two parsers could read in two ways is refused. One pass, no allocation.
 * Refused: bare LF or CR, obs-fold, white space around a name, empty or non-token names, control characters,
 * missing or repeated Host in 1.1, a Host that is no host:port, on CONNECT one that names another authority (it may leave
 * the port out), Content-Length with Transfer-Encoding, repeated or unclean Content-Length, Transfer-Encoding other than
 * exactly one "chunked", Transfer-Encoding in 1.0, either of them on CONNECT, versions other than 1.0 and 1.1. With an
 * absolute form a Host of another authority does not count (RFC 9112 section 3.2.2): whoever forwards writes it anew.
 * The table of cases is tests/unit/codec/http1_cases.h; the table of reasons codec/refusal.h. */
#ifndef SP_CODEC_HTTP1_H
#define SP_CODEC_HTTP1_H

#include "codec/authority.h"
#include "codec/fields.h"
#include "codec/refusal.h"

enum sp_http_target { SP_TARGET_ORIGIN, SP_TARGET_ABSOLUTE, SP_TARGET_AUTHORITY, SP_TARGET_ASTERISK }; /* RFC 9112 3.2 */
/* Where a body ends (RFC 9112 section 6.3). TUNNEL: what follows the head is no HTTP any more. */
enum sp_http_framing { SP_BODY_NONE, SP_BODY_LENGTH, SP_BODY_CHUNKED, SP_BODY_UNTIL_CLOSE, SP_BODY_TUNNEL };

#define SP_HTTP_LINE_DEFAULT 8192
#define SP_HTTP_FIELDS_DEFAULT 100 /* below SP_FIELDS_MAX: hops add some of their own */

struct sp_http_limits {
	size_t head_bytes; /* all lines with their ends, and CRLFs before a request */
	size_t line_bytes; /* each line without its CRLF */
	unsigned fields;   /* at most SP_FIELDS_MAX count */
};

struct sp_http_request {
	struct sp_slice method, target;
	enum sp_http_target form;
	struct sp_slice upgrade; /* absent from parsing; a protocol to switch to, where sp_http_upgrade() was let through */
	struct sp_slice scheme, path; /* absolute form: "http" in any case, "/p?q"; origin form: the path */
	struct sp_authority authority; /* authority and absolute form: the target's; else Host's (default port 80), or
					* host "" and port 0 in a HTTP/1.0 request without Host */
	unsigned minor;		       /* HTTP/1.minor */
	enum sp_http_framing body;
	bool has_length; /* there is a Content-Length */
	uint64_t content_length;
	struct sp_fields fields;
};

struct sp_http_response {
	unsigned status, minor;
	struct sp_slice reason;
	enum sp_http_framing body; /* as status and fields say, before the request's method counts */
	bool has_length; /* there is a Content-Length, also where no body follows (304) */
	uint64_t content_length;
	struct sp_fields fields;
};

/* A head from its first byte to the empty line: bytes consumed, 0 for "more", SP_EPROTO, SP_ETOOBIG (above one of the
 * limits). *out is meaningful only with bytes consumed. Before a request one CRLF is skipped (RFC 9112 section 2.2). Fields
 * that carry credentials or cookies are marked secret. */
long sp_http_request_read(struct sp_slice in, const struct sp_http_limits *l, struct sp_http_request *out);
long sp_http_response_read(struct sp_slice in, const struct sp_http_limits *l, struct sp_http_response *out);
/* The same with a limit for the whole head alone, and SP_HTTP_FIELDS_DEFAULT fields. */
long sp_http_request_parse(struct sp_slice in, size_t max_bytes, struct sp_http_request *out);
long sp_http_response_parse(struct sp_slice in, size_t max_bytes, struct sp_http_response *out);
/* Field lines up to and with the empty line that ends them, as trailers have it: 0, SP_EPROTO or SP_ETOOBIG. */
int sp_http_fields_parse(struct sp_slice lines, unsigned max, struct sp_fields *out);
/* Why the last head on this thread was refused (SP_EPROTO, SP_ETOOBIG), for programs and for the operator. */
enum sp_http_refusal sp_http_parse_refusal(void);
const char *sp_http_parse_detail(void);

bool sp_http_is_token(struct sp_slice s);
/* A field value: no control characters but HTAB (RFC 9110 section 5.5). */
bool sp_http_is_value(struct sp_slice s);
/* Credentials of Authorization or Proxy-Authorization. scheme compared case-insensitively (RFC 9110 section 11.4). An
 * absent value is NONE. */
enum sp_http_credentials { SP_CREDENTIALS_NONE, SP_CREDENTIALS_BEARER, SP_CREDENTIALS_BASIC, SP_CREDENTIALS_OTHER };
/* Bearer: *token_out. Basic: decoded into scratch, *user_out and *password_out. SP_EPROTO when malformed, SP_ETOOBIG when
 * scratch is too small. */
int sp_http_credentials_parse(struct sp_slice value, enum sp_http_credentials *kind_out, struct sp_slice *token_out,
			      char *scratch, size_t scratch_size, struct sp_slice *user_out, struct sp_slice *password_out);

#endif
