/* One tunnel: a TLS connection with HTTP/2 on it, of which we are the client, whether we dialled it or a connector did.
 *
 *   CONNECTING -> TLS -> SETTINGS -> READY -> DRAINING -> CLOSING -> CLOSED      (dialled)
 *                        SETTINGS -> ...                                           (attached)
 *   any state before CLOSING may go to CLOSING or CLOSED */
#ifndef SP_BACK_TUNNEL_H
#define SP_BACK_TUNNEL_H

#include "back/back.h"
#include "h2/h2.h"
#include "net/tcp.h"
#include "net/tls.h"

enum sp_tunnel_state {
	SP_TUNNEL_CONNECTING, /* awaits name resolution and TCP */
	SP_TUNNEL_TLS,	      /* awaits the handshake */
	SP_TUNNEL_SETTINGS,   /* awaits the peer's SETTINGS */
	SP_TUNNEL_READY,
	SP_TUNNEL_DRAINING,   /* opens no more, open streams go on */
	SP_TUNNEL_CLOSING,    /* awaits the streams' and the carrier's ends */
	SP_TUNNEL_CLOSED
};

struct sp_tunnel;
struct sp_tunnel_events {
	void (*on_ready)(void *arg, struct sp_tunnel *t);
	void (*on_room)(void *arg, struct sp_tunnel *t);     /* streams may be opened again */
	void (*on_idle)(void *arg, struct sp_tunnel *t);     /* the last stream is gone */
	void (*on_draining)(void *arg, struct sp_tunnel *t); /* the peer said GOAWAY */
	/* Last; the tunnel frees itself. was_ready: it had been READY once. cause: NULL = a clean end. */
	void (*on_closed)(void *arg, struct sp_tunnel *t, bool was_ready, const struct sp_cause *cause);
};

struct sp_tunnel {
	struct sp_list node; /* the pool's */
	uint64_t number;     /* in logs: "tunnel 7"; of this process */
	enum sp_tunnel_state state;
	struct sp_loop *loop;
	struct sp_conf *conf;
	const struct sp_tunnel_events *ev;
	void *arg;
	struct sp_dial *dial;
	struct sp_stream *tls; /* until HTTP/2 takes it over */
	struct sp_h2 *h2;
	const struct sp_conf_upstream *upstream; /* dialled ones; in conf */
	struct sp_tls_ctx *ctx;
	struct sp_timer timer; /* SETTINGS deadline, later expiry */
	int64_t expires_at;
	uint64_t ready_mono_ms;	     /* when it became READY */
	uint64_t idle_since_mono_ms; /* without streams since then; of no meaning while it has some */
	bool was_ready, had_room;
	struct sp_cause cause;
	struct sp_connector_hello *hello; /* of a connector; owned, with its strings */
	struct sp_reap reap;
};

/* Dials upstream->url; upstream is a part of conf. NULL when memory is out. on_closed also reports a failed dial, never inside this
 * call. */
struct sp_tunnel *sp_tunnel_dial(struct sp_loop *loop, struct sp_conf *conf, const struct sp_conf_upstream *upstream,
				 struct sp_tls_ctx *ctx, const struct sp_tunnel_events *ev, void *arg);
/* Takes over the carrier in any case. NULL when memory is out. */
struct sp_tunnel *sp_tunnel_attach(struct sp_loop *loop, struct sp_conf *conf, struct sp_stream *carrier,
				   const struct sp_connector_hello *hello, const struct sp_tunnel_events *ev, void *arg);
unsigned sp_tunnel_room(const struct sp_tunnel *t); /* 0 unless READY */
/* READY by name only: its connection has failed and lasts until its last words are out. */
bool sp_tunnel_is_dead(const struct sp_tunnel *t);
unsigned sp_tunnel_streams(const struct sp_tunnel *t);
/* Asks the peer for a sign of life now, if it may be dead: the usual deadline runs from here. */
void sp_tunnel_probe(struct sp_tunnel *t);
/* READY: GOAWAY, its streams go on. Before: closes. Later: nothing. */
void sp_tunnel_drain(struct sp_tunnel *t);
void sp_tunnel_close(struct sp_tunnel *t);
const char *sp_tunnel_state_word(enum sp_tunnel_state s);

#endif
