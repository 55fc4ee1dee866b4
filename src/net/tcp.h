/* TCP and Unix-socket connections as sp_streams, listeners, and dialling with name resolution. */
#ifndef SP_NET_TCP_H
#define SP_NET_TCP_H

#include "base/addr.h"
#include "net/stream.h"

/* ---- listening ---------------------------------------------------------- */
struct sp_listener;
/* A connection was accepted; the stream is the receiver's from here (close it to refuse it). TCP_NODELAY is set. */
typedef void sp_accept_cb(void *arg, struct sp_stream *s, const struct sp_addr *peer);

/* Binds and listens (SO_REUSEADDR; reuseport as asked). 0 or an SP_E* with *cause ("bind 127.0.0.1:80: permission denied").
 * An existing Unix socket file is replaced only when nothing answers on it. */
int sp_listener_open(struct sp_loop *loop, const struct sp_addr *at, bool reuseport, sp_accept_cb *cb, void *arg,
		     struct sp_listener **out, struct sp_cause *cause);
/* The address it is really bound to (port 0 resolved). */
void sp_listener_addr(const struct sp_listener *l, struct sp_addr *out);
/* Asynchronous; no accept after it; frees itself; unlinks its Unix socket. */
void sp_listener_close(struct sp_listener **l);
/* Accepting stops by itself for a moment when descriptors run out (EMFILE), with one warning. */

/* ---- dialling ----------------------------------------------------------- */
struct sp_dial;
/* stream != NULL: connected, the receiver's. NULL: failed, cause says why (SP_EDNS, SP_EREFUSED, SP_EUNREACH, SP_ETIMEOUT, ...).
 * Exactly once, never inside sp_dial_open(), not after sp_dial_cancel(). */
typedef void sp_dial_cb(void *arg, struct sp_stream *s, const struct sp_cause *cause);
/* Resolves host (a name or an IP address, brackets off) and tries its addresses in turn (RFC 8305: the next one after 250 ms
 * or at once on failure), within timeout_ms in all. */
int sp_dial_open(struct sp_loop *loop, const char *host, uint16_t port, uint64_t timeout_ms, sp_dial_cb *cb, void *arg,
		 struct sp_dial **out);
void sp_dial_cancel(struct sp_dial **d); /* *d may be NULL */

/* Options of a TCP stream that carries a tunnel: TCP_USER_TIMEOUT, keepalive, TCP_NOTSENT_LOWAT. Nothing for other streams. */
void sp_tcp_tune_tunnel(struct sp_stream *s);
/* The peer's address; SP_EINVAL when the stream is not a socket. */
int sp_tcp_peer(const struct sp_stream *s, struct sp_addr *out);

#endif
