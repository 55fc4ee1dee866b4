/* Requests and responses as they pass between fronts and backs, whatever they came by: what the start line said, and
 * the end-to-end fields without pseudo-fields, Host, Content-Length and everything connection-specific. And how they
 * are written: always from this form, never copied from the wire, so that two readers cannot see two messages. */
#ifndef SP_CODEC_MESSAGE_H
#define SP_CODEC_MESSAGE_H

#include "base/buf.h"
#include "codec/body.h"
#include "codec/hop.h"

struct sp_msg_request { /* owns its memory: one block, with room for its own fields only: they may be changed and removed */
	struct sp_slice method;
	struct sp_slice path;	  /* "/p?q", or "*" (OPTIONS) */
	struct sp_slice protocol; /* what the client wants to switch to: "websocket"; absent: nothing */
	bool has_body;		  /* bytes or trailers follow */
	bool has_length;	  /* how many is known */
	bool expects;		  /* Expect: 100-continue */
	uint64_t length;
	struct sp_fields fields; /* names as they came: mixed case from HTTP/1.1 */
};

struct sp_msg_response { /* borrowed */
	unsigned status; /* final */
	bool switched;	 /* the protocol was switched: bytes follow both ways */
	bool ended;	 /* neither body nor trailers follow */
	bool has_length; /* the length is known; also where no body follows (HEAD, 304) */
	uint64_t length;
	enum sp_outcome outcome; /* OK, or what a hop that answered in the system's place said */
	struct sp_fields fields;
};

/* Both: 0, SP_EPROTO, SP_ETOOBIG (sp_http_parse_refusal() says why) or SP_ENOMEM. The fields are filtered
 * (SP_HTTP_INTO_TUNNEL), Via is added to what came by HTTP/1. */
int sp_msg_request_from_http1(const struct sp_http_request *r, struct sp_msg_request **out);
/* head: with pseudo-fields (RFC 9113 section 8.3.1), lent; has_body: the stream has not ended. Fields of ours
 * (sallyport-*) and proxy-authorization are not taken over; a CONNECT without :protocol is none of these. */
int sp_msg_request_from_http2(const struct sp_fields *head, bool has_body, struct sp_msg_request **out);
void sp_msg_request_free(struct sp_msg_request **r); /* wipes it: fields may hold credentials */

/* The head as HTTP/2 has it; out borrows r, authority and scratch. extended: a protocol is asked for by RFC 8441's
 * CONNECT, else not at all. 0 or SP_ETOOBIG. */
#define SP_LENGTH_TEXT_SIZE 21
int sp_msg_request_to_http2(const struct sp_msg_request *r, const char *authority, bool extended,
			    char scratch[SP_LENGTH_TEXT_SIZE], struct sp_fields *out);
/* Response: fields with a content-length; :status is the sender's. */
int sp_msg_response_to_http2(const struct sp_msg_response *r, char scratch[SP_LENGTH_TEXT_SIZE], struct sp_fields *out);
/* head as it came from a tunnel (":status" and content-length in it), lent. */
void sp_msg_response_from_http2(unsigned status, const struct sp_fields *head, bool ended, struct sp_msg_response *out);
/* r as it came from a system; method: the request's. Filtered (SP_HTTP_FROM_ORIGIN), Via added. 0, SP_EPROTO or
 * SP_ETOOBIG. */
int sp_msg_response_from_http1(const struct sp_http_response *r, struct sp_slice method, struct sp_msg_response *out);

/* How a body is framed on an HTTP/1 connection. */
enum sp_http_framing sp_msg_request_framing(const struct sp_msg_request *r);
/* minor: the receiver's version; method: of its request. */
enum sp_http_framing sp_msg_response_framing(const struct sp_msg_response *r, struct sp_slice method, unsigned minor);

/* HTTP/1.1 heads. Appended to b, all or nothing: 0, SP_ENOMEM, or SP_EINVAL for what no parser would return (CR, LF
 * ...). */
/* host: the value of Host. fields: r's, or another list in their place. */
int sp_msg_request_write(const struct sp_msg_request *r, struct sp_slice host, const struct sp_fields *fields,
			 struct sp_buf *b);
struct sp_msg_response_line {
	enum sp_http_framing framing;
	struct sp_slice upgrade; /* 101: the protocol */
	bool close;		 /* the connection ends with this response */
};
int sp_msg_response_write(const struct sp_msg_response *r, const struct sp_msg_response_line *how, struct sp_buf *b);
int sp_msg_interim_write(unsigned status, const struct sp_fields *fields, struct sp_buf *b);

#endif
