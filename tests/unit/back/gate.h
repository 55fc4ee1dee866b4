/* What the tests of pools share: far ends of tunnels that do what the test says, opens, and a clock that may be put forward. */
#ifndef SP_TESTS_UNIT_BACK_GATE_H
#define SP_TESTS_UNIT_BACK_GATE_H

#include "../net/certs.h"
#include "../peer.h"
#include "back/pool.h"

#define TUNNELS_MAX_IN_TEST 80
#define REQUESTS_MAX 32

/* The far end of one tunnel: the HTTP/2 server. */
struct far {
	struct gate *gate; /* NULL: of a connector */
	struct sp_stream *carrier;
	struct sp_h2 *h2; /* NULL after on_closed */
	unsigned ready, goaway, closed;
	struct sp_cause cause;
};

/* One CONNECT as it came. */
struct asked {
	struct far *far;
	struct sp_h2_stream *h2;
	char authority[64], credential[64], tenant[32], location[32], exchange[32];
	bool answered;
	struct peer p; /* the far end's stream */
};

/* A gateway. */
struct gate {
	struct sp_listener *listener;
	struct sp_tls_ctx *ctx;
	struct sp_addr at;
	uint32_t max_streams; /* of the tunnels to come; 0: many */
	bool silent;	      /* accepts and says nothing, not even TLS */
	unsigned accepted;
	struct peer mute[8];
};

extern struct gate gate[2];
extern struct far fars[TUNNELS_MAX_IN_TEST]; /* of all gates and connectors, in the order in which they came */
extern unsigned far_count;
extern struct asked asked[REQUESTS_MAX];
extern unsigned asked_count;
extern struct sp_conf *conf; /* of all backs; built by hand, generous */
extern char log_text[1 << 16]; /* the lines so far */

/* Unchecked: the certificates "server" and "ca". Checked: loop, conf, an empty world; all must have ended at the end. */
void gate_certs(void);
void gate_setup(void);
void gate_teardown(void);

void gate_open(struct gate *g); /* again: at the same port */
/* The far end of a connection that the test has made. */
struct far *far_over(struct sp_stream *carrier, uint32_t max_streams);
/* A back towards gate g. credential: NULL = none; the back's from here. */
struct sp_back *back_towards(struct gate *g, struct sp_credential *credential);
void back_close(struct sp_back **b); /* waits */
struct sp_pool *pool_of(struct sp_back *b, const char *tenant, const char *location); /* NULL: there is none */
struct sp_tunnel *tunnel_at(struct sp_pool *p, unsigned i);

/* How an open ends. */
struct call {
	struct sp_exchange x;
	struct sp_back_open *open;
	struct sp_back *back;
	unsigned done;
	enum sp_outcome outcome;
	struct sp_cause cause;
	struct peer p; /* OK: the near end's stream */
};
void call_start(struct call *c, struct sp_back *b, const char *tenant, const char *location);
void call_start_forwarding(struct call *c, struct sp_back *b, const char *tenant, const char *upstream_auth);
void call_expect(struct call *c, enum sp_outcome o); /* waits */
/* Started, asked, answered 200: the request is asked[asked_count - 1]. */
void call_open(struct call *c, struct sp_back *b, const char *tenant, const char *location);
void call_end(struct call *c);
/* Bytes go through both ways. */
void call_check(struct call *c, struct asked *a);

void await_asked(unsigned n);
void await_tunnels(struct sp_pool *p, unsigned n); /* of it are ready */
/* 200, or a refusal with END_STREAM; proxy_status NULL: without. */
void answer(struct asked *a, unsigned status, const char *proxy_status);
/* Frames by hand. */
void refuse_stream(struct asked *a);  /* RST_STREAM(REFUSED_STREAM) */
void go_away(struct far *f);	      /* GOAWAY that no stream was processed */
void break_protocol(struct far *f);   /* DATA on stream 0 */
void far_abort(struct far *f);	      /* the connection is reset */

/* sp_loop_now_ms() runs so much ahead; timers do not. */
extern uint64_t skew_ms;
/* As if its time had come. */
void fire(struct sp_timer *t);

#endif
