/* A TLS connection whose plain ends the test holds too. */
#ifndef SP_TESTS_UNIT_NET_TLS_PAIR_H
#define SP_TESTS_UNIT_NET_TLS_PAIR_H

#include "ends.h"
#include "net/tls_int.h"

struct side {
	struct end e;
	struct sp_stream *plain; /* the carrier */
	unsigned ready;		 /* calls of on_ready */
	bool ok;
	struct sp_cause cause; /* on_ready's */
	/* Copies: strings live as long as the stream. */
	struct sp_tls_peer peer;
	char subject[200], sans[300], version[16];
	void (*on_ready)(struct side *s);
};

extern struct side client, server;
extern struct sp_tls_config client_cfg, server_cfg; /* reset by tls_setup(): the usual certificates */

void tls_setup(void);
void tls_teardown(void);
/* Opens one end over s. name: NULL for the server. */
void side_open(struct side *side, const struct sp_tls_config *cfg, struct sp_stream *s, const char *name,
	       int max_version);
/* Both ends over an in-memory pair, handshake not run. max_version: of the client; 0: any. */
void tls_open(const char *name, int max_version);
/* And runs it; it must succeed. */
void tls_connect(void);
void tls_close(void);

#endif
