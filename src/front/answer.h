/* Failures as HTTP/1.1 answers and in plain words, both by the outcome table. Nothing of a cause's detail, of addresses behind
 * us or of another hop's words gets in, but Proxy-Status, which every hop passes on (RFC 9209 section 2). */
#ifndef SP_FRONT_ANSWER_H
#define SP_FRONT_ANSWER_H

#include "base/buf.h"
#include "codec/problem.h"
#include "exchange/exchange.h"

#define SP_PROXY_NAME "sallyport" /* our name in Proxy-Status */

/* One sentence for the client, with what it named itself (target, location) and its own tenant. Appends to b. 0 or SP_ENOMEM. */
int sp_answer_sentence(struct sp_buf *b, const struct sp_exchange *x);
/* The body: the sentence, or hint in its place, with the outcome's word and the exchange's id. Appends to b. 0 or SP_ENOMEM. */
int sp_answer_content(struct sp_buf *b, const struct sp_exchange *x, const char *hint, enum sp_problem_format format);
/* Appends "; "-free list members: what far hops said, then ours. x->proxy_status counts only if it is clean text. */
int sp_answer_proxy_status(struct sp_buf *b, const struct sp_exchange *x);
/* Seconds for Retry-After; 0: no such field. */
unsigned sp_answer_retry_after_s(enum sp_outcome o);

struct sp_answer_options {
	bool keep;	   /* the connection stays for another attempt */
	bool offer_basic;  /* 407: user and password are of use too */
	bool head;	   /* the request was HEAD: no content */
	const char *hint;  /* instead of the sentence; NULL: none */
	struct sp_slice accept; /* the request's Accept; absent: it has none */
};
/* The whole response to a failed exchange. 0 or SP_ENOMEM. */
int sp_answer_http(struct sp_buf *b, const struct sp_exchange *x, const struct sp_answer_options *opt);

#endif
