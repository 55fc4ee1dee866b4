/* Why an HTTP message was refused: one constant, one text for the operator and one outcome for each reason. The outcome is
 * what a client hears of its own request; for what an origin sent it is SP_OUTCOME_PROTOCOL whatever the reason. */
#ifndef SP_CODEC_REFUSAL_H
#define SP_CODEC_REFUSAL_H

#include "codec/outcome.h"

/* id, outcome, text */
#define SP_HTTP_REFUSALS(X)                                                                                            \
	X(NONE, OK, "")                                                                                                \
	X(BARE_CR, BAD_REQUEST, "a bare CR")                                                                           \
	X(BARE_LF, BAD_REQUEST, "a line that ends in LF without CR")                                                   \
	X(METHOD, BAD_REQUEST, "a method that is no token")                                                            \
	X(NO_TARGET, BAD_REQUEST, "a request line without a target")                                                   \
	X(NO_VERSION, BAD_REQUEST, "a request line without a version")                                                 \
	X(VERSION, BAD_REQUEST, "not HTTP/1.1 or HTTP/1.0")                                                            \
	X(TARGET_EMPTY, BAD_REQUEST, "an empty target")                                                                \
	X(TARGET_CHARACTER, BAD_REQUEST, "a character in the target that belongs in no URI")                           \
	X(TARGET_FORM, BAD_REQUEST, "a target of no known form")                                                       \
	X(TARGET_AUTHORITY, BAD_REQUEST, "a target with a bad authority")                                              \
	X(TARGET_PATH, BAD_REQUEST, "a target with a query and no path")                                               \
	X(CONNECT_TARGET, BAD_REQUEST, "CONNECT without a valid host:port")                                            \
	X(CONNECT_BODY, BAD_REQUEST, "CONNECT with a body")                                                            \
	X(NO_HOST, BAD_REQUEST, "no Host")                                                                             \
	X(TWO_HOSTS, BAD_REQUEST, "more than one Host")                                                                \
	X(HOST, BAD_REQUEST, "a Host that is no host:port")                                                            \
	X(HOST_DIFFERS, BAD_REQUEST, "Host names another authority than the target")                                   \
	X(FOLD, BAD_REQUEST, "a folded line")                                                                          \
	X(NO_COLON, BAD_REQUEST, "a field line without a colon")                                                       \
	X(NAME_SPACE, BAD_REQUEST, "white space between a field name and its colon")                                   \
	X(NAME, BAD_REQUEST, "a field name that is no token")                                                          \
	X(VALUE, BAD_REQUEST, "a control character in a field value")                                                  \
	X(LENGTH_AND_CODING, BAD_REQUEST, "Content-Length with Transfer-Encoding")                                     \
	X(TWO_LENGTHS, BAD_REQUEST, "more than one Content-Length")                                                    \
	X(LENGTH, BAD_REQUEST, "a Content-Length that is no number")                                                   \
	X(TWO_CODINGS, BAD_REQUEST, "more than one Transfer-Encoding")                                                 \
	X(CODING, NOT_IMPLEMENTED, "a Transfer-Encoding other than chunked")                                           \
	X(CODING_1_0, BAD_REQUEST, "Transfer-Encoding in HTTP/1.0")                                                    \
	X(CODING_BODILESS, BAD_REQUEST, "Transfer-Encoding where no body can be")                                      \
	X(STATUS, BAD_REQUEST, "a bad status code")                                                                    \
	X(REASON, BAD_REQUEST, "a control character in the reason")                                                    \
	X(START_LINE_SIZE, URI_TOO_LONG, "a start line above the limit")                                             \
	X(FIELD_LINE_SIZE, HEAD_TOO_LARGE, "a field line above the limit")                                             \
	X(FIELD_COUNT, HEAD_TOO_LARGE, "more fields than the limit")                                                   \
	X(HEAD_SIZE, HEAD_TOO_LARGE, "a head above the limit")                                                         \
	X(CHUNK_SIZE, BAD_REQUEST, "a chunk size that is no hexadecimal number")                                       \
	X(CHUNK_OVERFLOW, BAD_REQUEST, "chunks of more bytes than can be counted")                                     \
	X(CHUNK_EXTENSION, BAD_REQUEST, "a malformed chunk extension")                                                 \
	X(CHUNK_OVERHEAD, BAD_REQUEST, "chunk extensions above the limit")                                             \
	X(CHUNK_LINE, BAD_REQUEST, "a chunk line that does not end in CRLF")                                           \
	X(CHUNK_END, BAD_REQUEST, "chunk data without CRLF after it")                                                  \
	X(TRAILER_SIZE, HEAD_TOO_LARGE, "trailers above the limit")                                                    \
	X(BODY_SIZE, BODY_TOO_LARGE, "a body above the limit")                                                          \
	X(BODY_TOO_SHORT, BAD_REQUEST, "fewer bytes of body than announced")                                           \
	X(BODY_TOO_LONG, BAD_REQUEST, "more bytes of body than announced")                                             \
	X(CONNECTION_OPTIONS, BAD_REQUEST, "more options in Connection than the limit")                                \
	X(H2_NAME, BAD_REQUEST, "an HTTP/2 field name that is no lower-case token")                                    \
	X(H2_VALUE, BAD_REQUEST, "an HTTP/2 field value with white space around it or control characters")             \
	X(H2_CONNECTION, BAD_REQUEST, "a connection-specific field in HTTP/2")                                         \
	X(H2_TE, BAD_REQUEST, "a TE field in HTTP/2 other than trailers")                                              \
	X(H2_PSEUDO_ORDER, BAD_REQUEST, "a pseudo-header field after a regular one")                                   \
	X(H2_PSEUDO_TWICE, BAD_REQUEST, "a pseudo-header field twice")                                                 \
	X(H2_PSEUDO_UNKNOWN, BAD_REQUEST, "a pseudo-header field that does not belong here")                           \
	X(H2_PSEUDO_MISSING, BAD_REQUEST, "a pseudo-header field is missing")                                          \
	X(H2_SCHEME, BAD_REQUEST, "a :scheme other than http and https")                                               \
	X(H2_PATH, BAD_REQUEST, "a malformed :path")                                                                   \
	X(H2_PROTOCOL, BAD_REQUEST, "a malformed :protocol")

enum sp_http_refusal {
#define X(id, outcome, text) SP_HTTP_REFUSAL_##id,
	SP_HTTP_REFUSALS(X)
#undef X
	SP_HTTP_REFUSAL_COUNT
};

/* Static text, "" for NONE and for unknown values. */
const char *sp_http_refusal_text(enum sp_http_refusal r);
/* What the client of a refused request is told; SP_OUTCOME_UNKNOWN for unknown values. */
enum sp_outcome sp_http_refusal_outcome(enum sp_http_refusal r);
/* Records why on this thread, for sp_http_parse_refusal() (codec/http1.h); returns err. For the parsers of this folder. */
int sp_http_refuse(int err, enum sp_http_refusal why);

#endif
