/* HTTPS requests to identity providers (key sets, discovery, tokens), by libcurl's multi interface on our loop. Only https; no
 * redirects, no environment proxies, no cookies; the server's name and chain are always verified; bounded in bytes and time. */
#ifndef SP_NET_FETCH_H
#define SP_NET_FETCH_H

#include "base/slice.h"
#include "net/loop.h"

struct sp_fetcher; /* one per loop */
struct sp_fetch;   /* one request in flight */

struct sp_fetch_request { /* copied */
	const char *url;	     /* https://... */
	const char *body;	     /* NULL: GET; else POST of application/x-www-form-urlencoded */
	const char *authorization;   /* value of Authorization; NULL: none. Secret */
	const char *ca_file;	     /* PEM; NULL: the system's store */
	struct sp_slice cert_pem, key_pem; /* client certificate and its key; absent: none. Secret */
	uint32_t max_bytes;	     /* of the answer's body; more is SP_ETOOBIG */
	uint32_t timeout_ms;	     /* the whole exchange */
};

/* status: the HTTP status, or a negative SP_E* with cause. fresh_until: Unix seconds until which Cache-Control lets the answer be
 * kept; 0 = it does not say. body is lent. Exactly once, never inside sp_fetch_start(), not after sp_fetch_cancel(). The
 * request is gone by then; the callback may start and cancel others, and free the fetcher. */
typedef void sp_fetch_done_cb(void *arg, int status, struct sp_slice body, int64_t fresh_until, const struct sp_cause *cause);

int sp_fetcher_new(struct sp_loop *loop, struct sp_fetcher **out); /* 0 or SP_ENOMEM */
/* Cancels what runs; handles finish closing with the loop. */
void sp_fetcher_free(struct sp_fetcher **f);
/* 0, SP_EINVAL (not an https URL) or SP_ENOMEM. */
int sp_fetch_start(struct sp_fetcher *f, const struct sp_fetch_request *req, sp_fetch_done_cb *cb, void *arg, struct sp_fetch **out);
void sp_fetch_cancel(struct sp_fetch **f); /* *f may be NULL */

#endif
