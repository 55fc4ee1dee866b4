/* Message bodies of HTTP/1.1 (RFC 9112 sections 6 and 7), both ways.
 *
 * Reading: struct sp_http_body is fed the bytes after a head in slices of any size and lends the payload as parts of them.
 *   while (!sp_http_body_done(&b) && in.n > 0) {
 *           n = sp_http_body_feed(&b, in, &payload);
 *           if (n < 0) -> refuse and close, sp_http_refusal_text(b.refusal) says why
 *           if (payload.n > 0) -> hand it on
 *           in = the rest after n bytes
 *   }
 * Bytes after the end are never touched: they belong to the next message. Who can take no more than k bytes feeds no more
 * than k. Chunk extensions are bounded and dropped; trailers are kept, bounded and filtered.
 *
 * Writing: struct sp_http_encoder says what stands before and after each piece of payload, and sees to it that neither more
 * nor fewer bytes follow a Content-Length than it announced. */
#ifndef SP_CODEC_BODY_H
#define SP_CODEC_BODY_H

#include "base/buf.h"
#include "codec/http1.h"

struct sp_http_body_limits {
	uint64_t payload_bytes;	 /* of the whole body */
	size_t trailer_bytes;	 /* of all trailer lines */
	unsigned trailer_fields; /* at most SP_FIELDS_MAX count */
};

enum sp_http_body_state {
	SP_BODY_AWAITS_SIZE,	  /* the first digit of a chunk's size */
	SP_BODY_AWAITS_SIZE_END,  /* another digit, an extension, or CR */
	SP_BODY_AWAITS_SEMICOLON, /* white space was there, so only an extension may come */
	SP_BODY_AWAITS_EXTENSION, /* its bytes, or CR */
	SP_BODY_AWAITS_SIZE_LF,
	SP_BODY_AWAITS_DATA,
	SP_BODY_AWAITS_DATA_CR, /* after a chunk's data */
	SP_BODY_AWAITS_DATA_LF,
	SP_BODY_AWAITS_LAST, /* after the last chunk: CR, or a trailer */
	SP_BODY_AWAITS_LAST_LF,
	SP_BODY_AWAITS_TRAILER, /* the rest of the trailer section */
	SP_BODY_DONE,
	SP_BODY_REFUSED
};

struct sp_http_body {
	enum sp_http_framing framing;
	enum sp_http_body_state state;
	enum sp_http_refusal refusal; /* why it was refused */
	int err;		      /* with which error */
	uint64_t total;		      /* payload bytes lent so far */
	uint64_t left;		      /* of the length or of this chunk, still to come */
	struct sp_http_body_limits limits;
	/* chunked */
	unsigned digits;	      /* of this chunk's size */
	uint64_t line_bytes;	      /* of this chunk's size and extensions */
	uint64_t overhead;	      /* extensions so far, less what the payload allows for */
	size_t trailer_line;	      /* where in trailer the line begins that is being read */
	struct sp_buf trailer;
};

#define SP_HTTP_TRAILER_BYTES_DEFAULT 8192
#define SP_HTTP_TRAILER_FIELDS_DEFAULT 32

/* limits NULL: any length, the defaults for trailers. 0, or SP_ETOOBIG for a length above the limit; feeding it says that
 * again. b owns memory only while it has trailers. */
int sp_http_body_init(struct sp_http_body *b, enum sp_http_framing framing, uint64_t length,
		      const struct sp_http_body_limits *limits);
int sp_http_body_init_request(struct sp_http_body *b, const struct sp_http_request *r, const struct sp_http_body_limits *limits);
/* The answer to a request of that method. After it there may be another answer when it was interim (1xx but 101). */
int sp_http_body_init_response(struct sp_http_body *b, const struct sp_http_response *r, struct sp_slice method,
			       const struct sp_http_body_limits *limits);
void sp_http_body_deinit(struct sp_http_body *b);

/* RFC 9112 section 6.3, with the request's method: HEAD, 1xx, 204, 304: NONE. 101 and 2xx of CONNECT: TUNNEL. */
enum sp_http_framing sp_http_response_framing(const struct sp_http_response *r, struct sp_slice method);

/* Bytes consumed (as many as possible until a piece of payload ends), *payload_out = the last of them, or none. SP_EPROTO,
 * SP_ETOOBIG or SP_ENOMEM, for good. A body that is done consumes nothing. */
long sp_http_body_feed(struct sp_http_body *b, struct sp_slice in, struct sp_slice *payload_out);
static inline bool sp_http_body_done(const struct sp_http_body *b)
{
	return b->state == SP_BODY_DONE;
}
/* The peer will send no more: 0 when the body is complete by that (it is done now) or was before; SP_ECLOSED when bytes are
 * missing (BODY_TOO_SHORT); the error of before when it was refused. */
int sp_http_body_eof(struct sp_http_body *b);
/* More came after the end, where nothing may: a response that nobody asked for, DATA above content-length in HTTP/2.
 * SP_EPROTO (BODY_TOO_LONG). */
int sp_http_body_excess(struct sp_http_body *b);
/* The trailers of a body that is done, without those that may not be there (sp_http_trailer_is_allowed()). They borrow b. */
void sp_http_body_trailers(const struct sp_http_body *b, struct sp_fields *out);

/* ---- writing ----------------------------------------------------------------------------------------------------- */

struct sp_http_encoder {
	enum sp_http_framing framing;
	uint64_t left; /* of the length */
	bool ended;
};

#define SP_HTTP_CHUNK_HEAD_SIZE 19 /* 16 hex digits, CRLF, NUL */

struct sp_http_frame {
	char before[SP_HTTP_CHUNK_HEAD_SIZE]; /* NUL-terminated, often "" */
	const char *after;		      /* static */
};

void sp_http_encoder_init(struct sp_http_encoder *e, enum sp_http_framing framing, uint64_t length);
/* n bytes of payload are to be written between f->before and f->after. SP_EPROTO when that is more than announced, or after
 * the end; nothing is counted then. n == 0 needs no bytes at all. */
int sp_http_encoder_frame(struct sp_http_encoder *e, uint64_t n, struct sp_http_frame *f);
/* The same with a copy of the payload, appended to b; all or nothing. */
int sp_http_encoder_write(struct sp_http_encoder *e, struct sp_slice payload, struct sp_buf *b);
/* Appends the end of the body; trailers may be NULL, forbidden ones are left out, and all of them where the framing has no
 * place for them. SP_ECLOSED when fewer bytes were written than announced: the connection can only be closed then.
 * SP_EINVAL for trailers that no parser would return, SP_EPROTO when it has ended before, SP_ENOMEM. All or nothing. */
int sp_http_encoder_end(struct sp_http_encoder *e, const struct sp_fields *trailers, struct sp_buf *b);

#endif
