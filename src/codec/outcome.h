/* Outcomes: the only place that turns causes into what a client sees. One row per outcome: the stable word of
 * logs, metrics and Proxy-Status details; SOCKS5 reply (RFC 1928 section 6); sub-negotiation status (RFC 1929
 * section 2 and method 0x80); HTTP status; Proxy-Status error type (RFC 9209 section 2.3). */
#ifndef SP_CODEC_OUTCOME_H
#define SP_CODEC_OUTCOME_H

#include "base/error.h"
#include "base/slice.h"

/* id, word, SOCKS reply, sub-negotiation status, HTTP status, Proxy-Status error or NULL */
#define SP_OUTCOMES(X)                                                                                                 \
	X(UNKNOWN, "unknown", 0x01, 0x01, 502, "proxy_internal_error") /* a zeroed outcome fails closed */              \
	X(OK, "ok", 0x00, 0x00, 200, NULL)                                                                             \
	X(NO_CREDENTIAL, "no_credential", 0x05, 0x01, 407, "http_request_denied")                                      \
	X(BAD_CREDENTIAL, "bad_credential", 0x05, 0x01, 407, "http_request_denied")                                    \
	X(EXPIRED_CREDENTIAL, "expired_credential", 0x05, 0x01, 407, "http_request_denied")                            \
	X(IDENTITY_EXPIRED, "identity_expired", 0x05, 0x01, 407, "http_request_denied") /* while it was open */          \
	X(FORBIDDEN, "forbidden", 0x05, 0x01, 403, "http_request_denied")                                              \
	X(TENANT_UNKNOWN, "tenant_unknown", 0x05, 0x01, 403, "http_request_denied")                                    \
	X(TENANT_CONFLICT, "tenant_conflict", 0x05, 0x01, 403, "http_request_denied")                                  \
	X(NOT_EXPOSED, "not_exposed", 0x02, 0x01, 403, "http_request_denied")                                          \
	X(PATH_DENIED, "path_denied", 0x02, 0x01, 403, "http_request_denied") /* a resource of an exposed system */        \
	X(NO_CONNECTOR, "no_connector", 0x03, 0x01, 503, "destination_unavailable")                                    \
	X(UNREACHABLE, "unreachable", 0x04, 0x01, 502, "destination_ip_unroutable")                                    \
	X(DNS, "dns_error", 0x04, 0x01, 502, "dns_error")                                                              \
	X(REFUSED, "refused", 0x04, 0x01, 502, "connection_refused")                                                   \
	X(TIMEOUT, "timeout", 0x04, 0x01, 504, "connection_timeout")                                                   \
	X(TUNNEL_LOST, "tunnel_lost", 0x01, 0x01, 502, "connection_terminated")                                        \
	X(TLS, "tls_error", 0x01, 0x01, 502, "tls_protocol_error")                                                     \
	X(TLS_CERTIFICATE, "tls_certificate", 0x01, 0x01, 502, "tls_certificate_error")                                \
	X(LIMIT, "limit", 0x01, 0x01, 429, "connection_limit_reached")                                                 \
	X(UNAVAILABLE, "auth_unavailable", 0x01, 0x01, 503, "proxy_internal_error")                                    \
	X(COMMAND, "command_unsupported", 0x07, 0x01, 405, "http_request_error")                                       \
	X(ADDRESS_TYPE, "address_type_unsupported", 0x08, 0x01, 400, "http_request_error")                             \
	X(BAD_REQUEST, "bad_request", 0x01, 0x01, 400, "http_request_error")                                           \
	X(URI_TOO_LONG, "uri_too_long", 0x01, 0x01, 414, "http_request_error")                                         \
	X(HEAD_TOO_LARGE, "head_too_large", 0x01, 0x01, 431, "http_request_error")                                     \
	X(BODY_TOO_LARGE, "body_too_large", 0x01, 0x01, 413, "http_request_error")                                     \
	X(REQUEST_TIMEOUT, "request_timeout", 0x01, 0x01, 408, "http_request_error") /* the client's body did not come */ \
	X(LOOP, "loop", 0x01, 0x01, 502, "proxy_loop_detected")                                                        \
	X(NOT_IMPLEMENTED, "not_implemented", 0x07, 0x01, 501, "http_request_error")                                   \
	X(GATEWAY_AUTH, "gateway_denied_us", 0x01, 0x01, 502, "proxy_configuration_error")                             \
	X(NO_GATEWAY_CREDENTIAL, "no_gateway_credential", 0x01, 0x01, 503, "proxy_internal_error")                     \
	X(PROTOCOL, "protocol_error", 0x01, 0x01, 502, "http_protocol_error")                                          \
	X(SHUTDOWN, "shutdown", 0x01, 0x01, 503, "proxy_internal_error")                                               \
	X(CLIENT_GONE, "client_gone", 0x01, 0x01, 499, NULL) /* logs only: nobody is there to be told */

enum sp_outcome {
#define X(id, word, socks, sub, http, status) SP_OUTCOME_##id,
	SP_OUTCOMES(X)
#undef X
	SP_OUTCOME_COUNT
};

struct sp_outcome_row {
	const char *word;
	uint8_t socks_reply, sub_status;
	uint16_t http_status;
	const char *proxy_error; /* NULL: none */
};

/* Never NULL; an unknown value gives the row of SP_OUTCOME_UNKNOWN. */
const struct sp_outcome_row *sp_outcome_row(enum sp_outcome o);
/* The reason phrase of an HTTP status ("Proxy Authentication Required"); "Unknown" for others. */
const char *sp_http_reason(unsigned status);
/* The outcome of a failed open whose cause is c (NULL: UNKNOWN). */
enum sp_outcome sp_outcome_of_cause(const struct sp_cause *c);
/* The outcome that a far hop's answer means to us: its Proxy-Status (may be absent) decides before its status.
 * Understands the `details` words that sp_proxy_status_write() puts there; 407 means GATEWAY_AUTH. */
enum sp_outcome sp_outcome_of_answer(unsigned http_status, struct sp_slice proxy_status);
/* The same for the answer of a gateway, which judges the credential of each request. forwarded: it was the application's, so a
 * verdict against it is the application's to hear. Else it was ours, and every verdict against it is GATEWAY_AUTH: another
 * credential of the application would not help. */
enum sp_outcome sp_outcome_of_gateway(unsigned http_status, struct sp_slice proxy_status, bool forwarded);

/* Proxy-Status (RFC 9209 section 2), one list member:  NAME; error=TYPE; details="WORD"
 * Writes NUL-terminated text; SP_ETOOBIG. name is a token. Nothing (empty string) for outcomes without an error. */
int sp_proxy_status_write(const char *name, enum sp_outcome o, char *dst, size_t size);
/* Reads the first member (nearest the origin): its error type and details, either may be absent. 0 or SP_EPROTO. */
int sp_proxy_status_read(struct sp_slice value, struct sp_slice *error_out, struct sp_slice *details_out);

#endif
