/* What the files of the TLS stream share. OpenSSL is included in this folder only. */
#ifndef SP_NET_TLS_INT_H
#define SP_NET_TLS_INT_H

#include <openssl/ssl.h>

#include "net/stream_int.h"
#include "net/tls.h"

SSL_CTX *sp_tls_ctx_ssl(struct sp_tls_ctx *ctx);
bool sp_tls_ctx_is_server(const struct sp_tls_ctx *ctx);

/* OpenSSL's queue of errors as a cause, emptied. ssl may be NULL; name: whom its certificate should name, or NULL. */
int sp_tls_cause(struct sp_cause *c, SSL *ssl, const char *name, const char *what);

/* What the handshake established. 0 or SP_ENOMEM. */
int sp_tls_peer_fill(struct sp_tls_peer *peer, SSL *ssl);
void sp_tls_peer_deinit(struct sp_tls_peer *peer);

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_CLOSING, TLS_FAILED };

struct tls {
	struct sp_stream s;
	struct sp_rx rx;
	enum tls_state state;
	struct sp_tls_ctx *ctx;
	SSL *ssl;
	struct sp_stream *carrier; /* NULL: gone, or inside its on_closed */
	sp_tls_ready_cb *on_ready;
	void *ready_arg;
	char *name;
	struct sp_tls_peer peer;
	bool ready;	  /* the handshake is done: peer is valid */
	bool shut;	  /* no more writes; close_notify goes out or is out */
	bool flush_close; /* closed in the handshake with bytes to send: goes on until they are sent */
	bool tell_ready;  /* FAILED: on_ready has not been called */
	bool delimited;
	bool blocked; /* the carrier owes us on_drain */
	bool owes_drain;
	bool carrier_reads;
	unsigned answers;
	struct sp_slice in; /* what the carrier lends right now */
	uint8_t *out;	    /* ciphertext of this turn, lent memory; NULL: none */
	size_t out_len;
	uint8_t *stage; /* small writes of this turn, not encrypted yet */
	size_t stage_len;
	struct sp_buf early; /* written before the handshake was done */
	struct sp_timer deadline;
	struct sp_defer turn, gone;
	struct sp_cause cause;
	struct sp_reap reap;
};

/* ---- tls.c */
/* The stream fails: on_ready (in the handshake) and on_closed follow later. The first cause counts. */
void sp_tls_fail(struct tls *t, const struct sp_cause *cause);
void sp_tls_fail_with(struct tls *t, int err, const char *text);
void sp_tls_fail_ssl(struct tls *t, const char *what); /* with OpenSSL's error */

/* ---- tls_out.c: nothing of it calls up */
BIO *sp_tls_bio_new(struct tls *t);					       /* NULL: out of memory */
ssize_t sp_tls_out_early(struct tls *t, const struct sp_slice *v, unsigned n); /* before the handshake is done */
void sp_tls_out_slice(struct tls *t, struct sp_slice v);
void sp_tls_out_flush(struct tls *t);	  /* ciphertext goes to the carrier */
void sp_tls_out_all(struct tls *t);	  /* plaintext that was gathered, too */
void sp_tls_out_end(struct tls *t);	  /* close_notify */
ssize_t sp_tls_out_report(struct tls *t); /* what writev returns */
void sp_tls_out_drop(struct tls *t);

#endif
