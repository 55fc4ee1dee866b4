/* What the files of the TLS stream share. OpenSSL is included in this folder only. */
#ifndef SP_NET_TLS_INT_H
#define SP_NET_TLS_INT_H

#include <openssl/ssl.h>

#include "net/tls.h"

SSL_CTX *sp_tls_ctx_ssl(struct sp_tls_ctx *ctx);
bool sp_tls_ctx_is_server(const struct sp_tls_ctx *ctx);

/* OpenSSL's queue of errors as a cause, emptied. ssl may be NULL; name: whom its certificate should name, or NULL. */
int sp_tls_cause(struct sp_cause *c, SSL *ssl, const char *name, const char *what);

/* What the handshake established. 0 or SP_ENOMEM. */
int sp_tls_peer_fill(struct sp_tls_peer *peer, SSL *ssl);
void sp_tls_peer_deinit(struct sp_tls_peer *peer);

#endif
