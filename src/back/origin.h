/* Requests that leave by HTTP/1.1 to systems that we reach ourselves: one call each, on a connection of its own or on one that is
 * idle since an earlier call to the same system.
 *
 *   DIALLING -> HANDSHAKE -> ASKED -> (called back) -> ANSWERED -> gone, when the stream is closed
 *               (https)      ASKED -> DIALLING: an idle connection ended without a word, and the request may be repeated
 *                            ASKED -> FAILED: the stream ended in its receiver's hands; gone when that cancels
 *
 * Idle connections are watched and closed when the system ends them or says anything. */
#ifndef SP_BACK_ORIGIN_H
#define SP_BACK_ORIGIN_H

#include "back/back.h"
#include "h1/h1.h"
#include "net/tls.h"
#include "net/websocket.h"

struct sp_origins; /* of one back: its calls and its idle connections */
struct sp_origin_call;

struct sp_origin_plan { /* where a request goes, and as what */
	char host[SP_HOST_SIZE];
	uint16_t port;
	struct sp_tls_ctx *tls;	 /* NULL: plain http; outlives the call */
	const char *server_name; /* https: to be verified; outlives the call */
	struct sp_buf head;	 /* by sp_msg_request_write(); the call takes it over */
	char accept[SP_WEBSOCKET_ACCEPT_SIZE]; /* what a WebSocket's 101 must say; "": another protocol, or none */
	uint32_t head_max_bytes, head_line_max_bytes; /* of the response */
	uint64_t body_max_bytes; /* of the request; 0: any */
	unsigned calls_max;	 /* connections of this back to this system, busy or idle; more calls fail (SP_ELIMIT). 0: any number */
	uint64_t response_ms;	 /* 0: whoever opened knows how long to wait */
	/* Changes the response for the client; scratch is for what it adds. 0, or SP_E*: it cannot be told. May be NULL. */
	int (*amend)(const struct sp_exchange *x, const void *arg, struct sp_msg_response *r, struct sp_buf *scratch);
	const void *amend_arg;	 /* outlives the call */
};

/* The fields of x's request that a system may see; borrowed from x. To be changed, and then written by: */
int sp_origin_plan_fields(const struct sp_exchange *x, struct sp_fields *out);
/* p->head and p->accept, of x's request with these fields, for the system at `host` (its default port is left out). 0, or SP_E*. */
int sp_origin_plan_write(struct sp_origin_plan *p, const struct sp_exchange *x, const struct sp_authority *host, struct sp_fields *f);

int sp_origins_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_origins **out);
/* plan is taken over. The rest as sp_back_open(). */
struct sp_origin_call *sp_origin_ask(struct sp_origins *os, struct sp_exchange *x, struct sp_origin_plan *plan, sp_back_cb *cb, void *arg);
void sp_origin_cancel(struct sp_origin_call **c); /* *c may be NULL */
void sp_origins_drain(struct sp_origins *os);	   /* idle connections close, none is kept any more */
/* Calls must have been called back or cancelled; their streams are waited for. Then on_closed, and os is freed. */
void sp_origins_close(struct sp_origins *os, void (*on_closed)(void *arg), void *arg);
unsigned sp_origins_idle(const struct sp_origins *os); /* for tests and status */

#endif
