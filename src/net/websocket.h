/* The two values of the WebSocket handshake over HTTP/1.1 (RFC 6455 section 4.1), which HTTP/2 has no place for (RFC 8441 section 5). */
#ifndef SP_NET_WEBSOCKET_H
#define SP_NET_WEBSOCKET_H

#include "base/slice.h"

#define SP_WEBSOCKET_KEY_SIZE 25    /* with NUL */
#define SP_WEBSOCKET_ACCEPT_SIZE 29

/* A fresh Sec-WebSocket-Key. 0 or SP_ESYS. */
int sp_websocket_key(char out[SP_WEBSOCKET_KEY_SIZE]);
/* The Sec-WebSocket-Accept that answers it. 0, or SP_EPROTO for a key that is none, or SP_ESYS. */
int sp_websocket_accept(struct sp_slice key, char out[SP_WEBSOCKET_ACCEPT_SIZE]);

#endif
