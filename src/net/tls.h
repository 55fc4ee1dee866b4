/* TLS over a stream, itself a stream (RFC 8446; 1.2 allowed). The peer's identity is always verified when we dial; a
 * server asks for client certificates when it has a CA for them. Output of one turn is coalesced: records are encrypted
 * into one buffer and written once, at 128 KiB or at the end of the turn. close_notify is half-close; a TCP end without it
 * is SP_ETLS ("truncated"), unless the stream was told that its payload delimits itself. */
#ifndef SP_NET_TLS_H
#define SP_NET_TLS_H

#include "net/stream.h"

/* Immutable after creation, reference counted (atomic), shared by workers. */
struct sp_tls_ctx;

struct sp_tls_config {
	bool server;
	const char *cert_file, *key_file; /* PEM chain and key; NULL: none (client only) */
	const char *ca_file;		  /* whom we verify: server's chain when dialling; client certificates when serving. NULL:
					     dialling: the system's store; serving: no client certificate is asked for */
	bool require_client_cert;	  /* server: refuse the handshake without one; else one is optional */
	const char *const *alpn;	  /* NULL-terminated, in order of preference */
};
/* Main thread. 0 or SP_ETLS / SP_EINVAL with cause naming the file. A key file that others than the owner and group may
 * read is refused. */
int sp_tls_ctx_new(const struct sp_tls_config *cfg, struct sp_tls_ctx **out, struct sp_cause *cause);
struct sp_tls_ctx *sp_tls_ctx_ref(struct sp_tls_ctx *ctx);
void sp_tls_ctx_unref(struct sp_tls_ctx **ctx); /* *ctx may be NULL */

struct sp_tls_peer { /* what the handshake established; strings live as long as the stream */
	char alpn[16];		  /* "" = none */
	bool has_cert;
	const char *cert_subject; /* RFC 2253 */
	const char *cert_sans;	  /* "URI:...\nDNS:..." */
	char cert_sha256[65];
	int64_t cert_not_after;	  /* Unix seconds */
	const char *version, *cipher;
};

/* on_ready: exactly once unless closed before: peer != NULL, the handshake is done (data may follow at once); or NULL with a
 * cause, the stream then closes itself after it and on_closed (with the same cause) still comes to the attached events. */
typedef void sp_tls_ready_cb(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause);

/* Takes over `carrier` (untaken bytes included) and starts the handshake, bounded by timeout_ms. verify_name: the DNS name or
 * IP address the server's certificate must hold (RFC 9525), also sent as SNI for names; NULL for a server. Attach events to
 * the returned stream before the loop turns. 0 or SP_ENOMEM / SP_ETLS (the carrier is then closed). */
int sp_tls_open(struct sp_tls_ctx *ctx, struct sp_stream *carrier, const char *verify_name, uint64_t timeout_ms,
		sp_tls_ready_cb *on_ready, void *arg, struct sp_stream **out);
/* NULL before the handshake is done. */
const struct sp_tls_peer *sp_tls_peer(const struct sp_stream *s);
/* The payload shows its own end (HTTP/2, lengths): a TCP end without close_notify is on_eof, not a failure. */
void sp_tls_payload_delimited(struct sp_stream *s);
/* Sends what this turn has coalesced now. */
void sp_tls_flush(struct sp_stream *s);

#endif
