/* The stream tests' two ends: what one saw, and how to get a connected pair of each kind. */
#ifndef SP_TESTS_UNIT_NET_ENDS_H
#define SP_TESTS_UNIT_NET_ENDS_H

#include "base/buf.h"
#include "net/stream.h"
#include "net/tcp.h"
#include "net/tls.h"

#define GRACE_MS 30000

enum kind { KIND_PAIR, KIND_TCP, KIND_UNIX, KIND_TLS13, KIND_TLS12, KIND_TLS_PAIR, KIND_COUNT };

struct end {
	struct sp_stream *s; /* NULL after on_closed */
	bool collect;	     /* taken bytes go to in */
	struct sp_buf in;
	uint64_t in_bytes, in_hash; /* of what was taken */
	size_t seen;		    /* bytes lent in the last on_data */
	unsigned data, eof, drain, closed;
	bool has_cause;
	struct sp_cause cause;
	bool in_call; /* the test is inside a call to the stream: no upcall may come */
	/* Replaces the default, which takes everything. */
	size_t (*take)(struct end *e, const uint8_t *p, size_t n);
	void (*on_eof)(struct end *e);
	void (*on_drain)(struct end *e);
	void *user;
	unsigned seed;
	struct end *other;
};

extern const struct sp_stream_events end_events;
extern struct sp_loop *loop;
/* Not 0: streams that close by FLUSH wait so long instead of SP_STREAM_LINGER_MS. (sp_timer_start() is wrapped.) */
extern uint64_t linger_ms;

void ends_setup(void);
void ends_teardown(void); /* waits for what still lingers */
/* A connected pair, attached, reading stopped. a is the client. */
void ends_open(enum kind kind, struct end *a, struct end *b);
void end_attach(struct end *e, struct sp_stream *s);
/* The same, of two plain streams, attached to nobody. */
void ends_connect(enum kind kind, struct sp_stream **a, struct sp_stream **b);
/* Aborts what is open, waits for both on_closed, frees. */
void ends_close(struct end *a, struct end *b);
/* Frees what e holds; it must be closed. */
void end_free(struct end *e);

/* Runs the loop until *counter >= n; fails the test when that does not come. */
void run_until_count(const unsigned *counter, unsigned n);
void run_until_bytes(const uint64_t *counter, uint64_t n);
void run_turns(unsigned n); /* for what must not happen: gives it some turns */
size_t fill(struct end *e); /* writes until the stream says stop; returns how much */
/* An attached end over s. */
void end_open(struct end *e, struct sp_stream *s);

uint64_t hash_add(uint64_t h, const uint8_t *p, size_t n);
#define HASH_START 14695981039346656037u
unsigned rnd(unsigned *seed); /* 0 .. 2^15 - 1 */

/* Fills with a stream of bytes that depends on the position only. */
void pattern(uint64_t offset, uint8_t *dst, size_t n);

#endif
