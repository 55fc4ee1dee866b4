/* Both ends of HTTP/2 connections for tests: what their owners saw, and data that checks itself. The carriers come from the tests
 * of streams (../net/ends.h). */
#ifndef SP_TESTS_UNIT_H2_FIXTURE_H
#define SP_TESTS_UNIT_H2_FIXTURE_H

#include <check.h>

#include "../net/ends.h"
#include "h2/h2.h"

#define SIDES_MAX 4096

struct conn;

/* One end of a stream. */
struct side {
	struct conn *conn;
	struct sp_h2_stream *h2; /* NULL after on_closed */
	struct sp_stream *s;	 /* the same as a stream */
	unsigned heads, data, eof, drain, closed;
	unsigned status;
	bool has_cause;
	struct sp_cause cause;
	bool collect; /* taken bytes go to in */
	struct sp_buf in;
	uint64_t in_bytes, in_hash;
	unsigned slices_max;
	bool in_call; /* no upcall may come now */
	/* Replace the defaults: take everything, do nothing. */
	size_t (*take)(struct side *e, const struct sp_slice *v, unsigned n, size_t total);
	void (*on_head)(struct side *e);
	void (*on_eof)(struct side *e);
	void (*on_drain)(struct side *e);
	void (*on_trailers)(struct side *e, const struct sp_fields *trailers);
	void (*on_closed)(struct side *e);
	/* feed(): a stream of bytes that depends on the position only */
	uint64_t fed_bytes, feed_bytes, fed_hash;
	size_t chunk_max;
	bool shut_after;
	unsigned seed;
	void *user;
};

struct conn {
	struct sp_h2 *h; /* NULL after on_closed */
	struct sp_h2_options opt;
	unsigned ready, room, idle, goaway, closed;
	uint32_t goaway_code;
	bool has_cause;
	struct sp_cause cause;
	unsigned requests;
	struct side *sides[SIDES_MAX]; /* server: one for each request */
	/* Server: answers; the default says 200, reads, and does not end. e is collecting nothing. */
	void (*on_request)(struct side *e, const struct sp_fields *head);
	void (*on_ready)(struct conn *c);
	void (*on_room)(struct conn *c);
	void (*on_idle)(struct conn *c);
	void (*on_goaway)(struct conn *c);
	void *user;
};

extern struct conn client, server;

void h2_setup(void);
void h2_teardown(void); /* closes what is open, waits, frees */
/* The time that libsp_h2 sees runs so much ahead. */
extern uint64_t skew_ms;

extern const struct sp_h2_options usual_options;
void conn_start(struct conn *c, struct sp_stream *carrier, enum sp_h2_role role);
/* Both ends, ready. client.opt, server.opt and the callbacks may be set before; zeroed options are the usual ones. */
void conns_open(enum kind kind);

void head_connect(struct sp_fields *f, const char *authority);
void head_request(struct sp_fields *f, const char *method, const char *path);
/* Attached and reading. */
struct side *side_open(struct conn *c, const struct sp_fields *head);
struct side *side_open_end(struct conn *c, const struct sp_fields *head); /* no body follows */
struct side *side_connect(struct conn *c); /* CONNECT host.test:1 */
struct side *side_tunnel(struct conn *c);  /* ... and waits for its 200; the other end is server.sides[server.requests - 1] */
struct side *side_last(struct conn *c);	   /* of the last request */
void side_attach(struct side *e, struct sp_h2_stream *s);
/* Writes as the queue allows until n bytes have gone; chunks of random size up to chunk_max. */
void side_feed(struct side *e, uint64_t n, size_t chunk_max, bool shut_after);
void side_write(struct side *e, const char *text);
void side_await(struct side *e, uint64_t in_bytes);
void side_await_text(struct side *e, const char *text); /* exactly these bytes in all; e collects */
void side_close(struct side *e, enum sp_close how);	/* nothing is called inside */

void await(const unsigned *counter, unsigned n);

#endif
