/* An HTTP/2 connection of which we are the server: its CONNECT requests become exchanges. Used by the tunnel listener (proxies
 * that dialled us) and by the connector (connections that it dialled and turned). */
#ifndef SP_FRONT_SERVE_H
#define SP_FRONT_SERVE_H

#include "front/session.h"
#include "h2/h2.h"
#include "net/tls.h"

struct sp_serve;

struct sp_serve_options {
	struct sp_front_env *env;
	const char *listener, *peer; /* texts; outlive the connection */
	const char *name;	     /* our member in Proxy-Status */
	uint64_t conn_id;
	int chain;		     /* who may use it; -1: the caller is known (the gateway that the connector dialled) */
	char **speaks_for_any;	     /* principals that may name the tenant; NULL-terminated, or NULL */
	const struct sp_tls_peer *tls; /* lives as long as the carrier; NULL: none */
	void (*on_ready)(void *arg); /* may be NULL, as on_goaway */
	void (*on_goaway)(void *arg);
	void (*on_closed)(void *arg, const struct sp_cause *cause); /* last; all exchanges have ended */
	void *arg;
};

/* Takes over the carrier when it succeeds. 0 or SP_ENOMEM. */
int sp_serve_start(const struct sp_serve_options *opt, struct sp_stream *carrier, struct sp_serve **out);
void sp_serve_drain(struct sp_serve *s); /* GOAWAY; open exchanges go on */
void sp_serve_close(struct sp_serve *s); /* now; on_closed follows */

#endif
