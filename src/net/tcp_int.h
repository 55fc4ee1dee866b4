/* TCP and Unix-socket streams as the listener, the dialler and TLS see them. */
#ifndef SP_NET_TCP_INT_H
#define SP_NET_TCP_INT_H

#include "net/tcp.h"

/* A stream without a socket yet; sp_tcp_handle() is to be connected (uv_tcp_connect) before it is handed out. */
int sp_tcp_new(struct sp_loop *loop, struct sp_stream **out);
uv_tcp_t *sp_tcp_handle(struct sp_stream *s);
/* A stream over a connected, non-blocking socket. 0, or SP_E* with *cause and fd closed. */
int sp_tcp_adopt(struct sp_loop *loop, int fd, bool is_unix, struct sp_stream **out, struct sp_cause *cause);

bool sp_tcp_is(const struct sp_stream *s);
/* Writes n bytes of lent memory (SP_MEM_BULK) and takes it over: what the socket does not accept now stays where it is,
 * not copied. Returns as writev does. */
ssize_t sp_tcp_write_bulk(struct sp_stream *s, uint8_t *mem, size_t n);

#endif
