#include "codec/outcome.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"

const struct sp_outcome_row *sp_outcome_row(enum sp_outcome o)
{
	static const struct sp_outcome_row rows[SP_OUTCOME_COUNT] = {
#define X(id, word, socks, sub, http, status) { word, socks, sub, http, status },
		SP_OUTCOMES(X)
#undef X
	};

	return &rows[(unsigned)o < SP_OUTCOME_COUNT ? o : SP_OUTCOME_UNKNOWN];
}

const char *sp_http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} t[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 407, "Proxy Authentication Required" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" },
		{ 426, "Upgrade Required" },
		{ 428, "Precondition Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++)
		if (t[i].status == status)
			return t[i].reason;
	return "Unknown";
}

static enum sp_outcome of_errno(long raw)
{
	switch (raw) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EADDRNOTAVAIL: /* no local port left */
		return SP_OUTCOME_LIMIT;
	default:
		return SP_OUTCOME_UNKNOWN;
	}
}

enum sp_outcome sp_outcome_of_cause(const struct sp_cause *c)
{
	if (!c)
		return SP_OUTCOME_UNKNOWN;
	switch ((enum sp_err)c->err) {
	case SP_OK:
	case SP_EINVAL:
		return SP_OUTCOME_UNKNOWN;
	case SP_ENOMEM:
	case SP_ELIMIT:
		return SP_OUTCOME_LIMIT;
	case SP_EPROTO:
	case SP_ETOOBIG:
		return SP_OUTCOME_PROTOCOL;
	case SP_ETIMEOUT:
		return SP_OUTCOME_TIMEOUT;
	case SP_ECLOSED:
	case SP_ERESET:
	case SP_ERETRY:
		return SP_OUTCOME_TUNNEL_LOST;
	case SP_EREFUSED:
		return SP_OUTCOME_REFUSED;
	case SP_EUNREACH:
		return SP_OUTCOME_UNREACHABLE;
	case SP_EDNS:
		return SP_OUTCOME_DNS;
	case SP_ETLS:
		return SP_OUTCOME_TLS;
	case SP_ECERT:
		return SP_OUTCOME_TLS_CERTIFICATE;
	case SP_ECANCELED:
		return SP_OUTCOME_CLIENT_GONE;
	case SP_ESYS:
		return of_errno(c->raw);
	case SP_EDENIED:
		return c->domain == SP_DOMAIN_AUTH ? SP_OUTCOME_FORBIDDEN : SP_OUTCOME_NOT_EXPOSED;
	case SP_EUNSUPPORTED:
		return SP_OUTCOME_NOT_IMPLEMENTED;
	}
	return SP_OUTCOME_UNKNOWN;
}

/* The word of an outcome of a hop, in our eyes: what it held against its client, it held against us. */
static bool of_word(struct sp_slice word, enum sp_outcome *out)
{
	unsigned o;

	for (o = 0; o < SP_OUTCOME_COUNT; o++)
		if (sp_slice_eq_str(word, sp_outcome_row((enum sp_outcome)o)->word))
			break;
	switch ((enum sp_outcome)o) {
	case SP_OUTCOME_UNKNOWN:
	case SP_OUTCOME_OK:
	case SP_OUTCOME_COUNT:
		return false;
	case SP_OUTCOME_NO_CREDENTIAL:
	case SP_OUTCOME_BAD_CREDENTIAL:
	case SP_OUTCOME_EXPIRED_CREDENTIAL:
	case SP_OUTCOME_IDENTITY_EXPIRED:
		*out = SP_OUTCOME_GATEWAY_AUTH;
		return true;
	case SP_OUTCOME_CLIENT_GONE:
		*out = SP_OUTCOME_TUNNEL_LOST;
		return true;
	case SP_OUTCOME_FORBIDDEN:
	case SP_OUTCOME_TENANT_UNKNOWN:
	case SP_OUTCOME_TENANT_CONFLICT:
	case SP_OUTCOME_NOT_EXPOSED:
	case SP_OUTCOME_PATH_DENIED:
	case SP_OUTCOME_NO_CONNECTOR:
	case SP_OUTCOME_UNREACHABLE:
	case SP_OUTCOME_DNS:
	case SP_OUTCOME_REFUSED:
	case SP_OUTCOME_TIMEOUT:
	case SP_OUTCOME_TUNNEL_LOST:
	case SP_OUTCOME_TLS:
	case SP_OUTCOME_TLS_CERTIFICATE:
	case SP_OUTCOME_LIMIT:
	case SP_OUTCOME_UNAVAILABLE:
	case SP_OUTCOME_COMMAND:
	case SP_OUTCOME_ADDRESS_TYPE:
	case SP_OUTCOME_BAD_REQUEST:
	case SP_OUTCOME_URI_TOO_LONG:
	case SP_OUTCOME_HEAD_TOO_LARGE:
	case SP_OUTCOME_BODY_TOO_LARGE:
	case SP_OUTCOME_REQUEST_TIMEOUT:
	case SP_OUTCOME_LOOP:
	case SP_OUTCOME_NOT_IMPLEMENTED:
	case SP_OUTCOME_GATEWAY_AUTH:
	case SP_OUTCOME_NO_GATEWAY_CREDENTIAL:
	case SP_OUTCOME_PROTOCOL:
	case SP_OUTCOME_SHUTDOWN:
		break;
	}
	*out = (enum sp_outcome)o;
	return true;
}

/* The types of RFC 9209 section 2.3, as other software's hops send them. */
static bool of_proxy_error(struct sp_slice error, enum sp_outcome *out)
{
	static const struct {
		const char *error;
		enum sp_outcome outcome;
	} t[] = {
		{ "dns_timeout", SP_OUTCOME_DNS },
		{ "dns_error", SP_OUTCOME_DNS },
		{ "destination_not_found", SP_OUTCOME_UNREACHABLE },
		{ "destination_unavailable", SP_OUTCOME_NO_CONNECTOR },
		{ "destination_ip_prohibited", SP_OUTCOME_NOT_EXPOSED },
		{ "destination_ip_unroutable", SP_OUTCOME_UNREACHABLE },
		{ "connection_refused", SP_OUTCOME_REFUSED },
		{ "connection_terminated", SP_OUTCOME_TUNNEL_LOST },
		{ "connection_timeout", SP_OUTCOME_TIMEOUT },
		{ "connection_read_timeout", SP_OUTCOME_TIMEOUT },
		{ "connection_write_timeout", SP_OUTCOME_TIMEOUT },
		{ "connection_limit_reached", SP_OUTCOME_LIMIT },
		{ "tls_protocol_error", SP_OUTCOME_TLS },
		{ "tls_certificate_error", SP_OUTCOME_TLS_CERTIFICATE },
		{ "tls_alert_received", SP_OUTCOME_TLS },
		{ "http_request_error", SP_OUTCOME_BAD_REQUEST },
		{ "http_request_denied", SP_OUTCOME_FORBIDDEN },
		{ "http_response_incomplete", SP_OUTCOME_PROTOCOL },
		{ "http_response_header_section_size", SP_OUTCOME_PROTOCOL },
		{ "http_response_header_size", SP_OUTCOME_PROTOCOL },
		{ "http_response_body_size", SP_OUTCOME_PROTOCOL },
		{ "http_response_trailer_section_size", SP_OUTCOME_PROTOCOL },
		{ "http_response_trailer_size", SP_OUTCOME_PROTOCOL },
		{ "http_response_transfer_coding", SP_OUTCOME_PROTOCOL },
		{ "http_response_content_coding", SP_OUTCOME_PROTOCOL },
		{ "http_response_timeout", SP_OUTCOME_TIMEOUT },
		{ "http_upgrade_failed", SP_OUTCOME_PROTOCOL },
		{ "http_protocol_error", SP_OUTCOME_PROTOCOL },
		{ "proxy_loop_detected", SP_OUTCOME_PROTOCOL },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		if (!sp_slice_eq_str(error, t[i].error))
			continue;
		*out = t[i].outcome;
		return true;
	}
	return false;
}

static enum sp_outcome of_status(unsigned status)
{
	switch (status) {
	case 400:
		return SP_OUTCOME_BAD_REQUEST;
	case 403:
		return SP_OUTCOME_FORBIDDEN;
	case 404:
		return SP_OUTCOME_UNREACHABLE;
	case 405:
		return SP_OUTCOME_COMMAND;
	case 408:
	case 504:
		return SP_OUTCOME_TIMEOUT;
	case 414:
		return SP_OUTCOME_URI_TOO_LONG;
	case 429:
		return SP_OUTCOME_LIMIT;
	case 431:
		return SP_OUTCOME_HEAD_TOO_LARGE;
	case 501:
		return SP_OUTCOME_NOT_IMPLEMENTED;
	case 502:
		return SP_OUTCOME_UNREACHABLE;
	case 503:
		return SP_OUTCOME_NO_CONNECTOR;
	default:
		return SP_OUTCOME_UNKNOWN;
	}
}

enum sp_outcome sp_outcome_of_answer(unsigned http_status, struct sp_slice proxy_status)
{
	struct sp_slice error, details;
	enum sp_outcome o;

	if (http_status >= 200 && http_status < 300)
		return SP_OUTCOME_OK;
	if (http_status == 401 || http_status == 407)
		return SP_OUTCOME_GATEWAY_AUTH;
	if (proxy_status.p && sp_proxy_status_read(proxy_status, &error, &details) == 0)
		if (of_word(details, &o) || of_proxy_error(error, &o))
			return o;
	return of_status(http_status);
}

static bool is_about_credential(enum sp_outcome o)
{
	return o == SP_OUTCOME_NO_CREDENTIAL || o == SP_OUTCOME_BAD_CREDENTIAL || o == SP_OUTCOME_EXPIRED_CREDENTIAL ||
	       o == SP_OUTCOME_IDENTITY_EXPIRED;
}

static bool is_about_caller(enum sp_outcome o)
{
	return o == SP_OUTCOME_FORBIDDEN || o == SP_OUTCOME_TENANT_UNKNOWN || o == SP_OUTCOME_TENANT_CONFLICT;
}

enum sp_outcome sp_outcome_of_gateway(unsigned http_status, struct sp_slice proxy_status, bool forwarded)
{
	enum sp_outcome o = sp_outcome_of_answer(http_status, proxy_status);
	struct sp_slice error, details;

	if (!forwarded)
		return is_about_caller(o) ? SP_OUTCOME_GATEWAY_AUTH : o;
	if (o != SP_OUTCOME_GATEWAY_AUTH)
		return o;
	if (proxy_status.p && sp_proxy_status_read(proxy_status, &error, &details) == 0)
		for (unsigned i = 0; i < SP_OUTCOME_COUNT; i++)
			if (is_about_credential((enum sp_outcome)i) && sp_slice_eq_str(details, sp_outcome_row((enum sp_outcome)i)->word))
				return (enum sp_outcome)i;
	return http_status == 401 || http_status == 407 ? SP_OUTCOME_BAD_CREDENTIAL : o;
}
