/* A test's end of a stream: takes and keeps what comes, counts what happens, and is waited for. For the folders from exchange
 * upwards. One loop per test. */
#ifndef SP_TESTS_UNIT_PEER_H
#define SP_TESTS_UNIT_PEER_H

#include <check.h>

#include "base/buf.h"
#include "base/must.h"
#include "net/stream.h"
#include "net/tcp.h"

#define PEER_WAIT_MS 30000 /* against a hang only */

extern struct sp_loop *loop;
void loop_setup(void);
void loop_teardown(void); /* runs it dry: what still lingers ends here */

struct peer {
	struct sp_stream *s; /* NULL after on_closed */
	struct sp_dial *dial;
	struct sp_buf in;
	uint64_t in_bytes;
	bool discard;	     /* counts only */
	unsigned eof, drained, closed;
	struct sp_cause cause; /* of on_closed */
};

void peer_attach(struct peer *p, struct sp_stream *s); /* and reads */
void peer_dial(struct peer *p, const struct sp_addr *at); /* waits until connected, or reset as soon as accepted */
void peer_send(struct peer *p, const void *bytes, size_t n);
void peer_send_str(struct peer *p, const char *s);
/* Runs the loop; each fails the test when it does not come. */
void peer_await_bytes(struct peer *p, uint64_t n); /* received in all */
void peer_await_eof(struct peer *p);
void peer_await_closed(struct peer *p);
void peer_expect(struct peer *p, const void *bytes, size_t n); /* waits for n bytes in `in`, compares, consumes them */
void peer_expect_str(struct peer *p, const char *s);
/* Closes (ABORT) if still open, waits, frees what p holds. */
void peer_end(struct peer *p);

void run_until(bool (*cond)(void *arg), void *arg);
/* Until time() says so. */
void run_until_clock(int64_t unix_s);
bool run_for(bool (*cond)(void *arg), void *arg, uint64_t ms); /* whether it came to hold */
void run_turns(unsigned n);
void await_count(const unsigned *counter, unsigned n);

#endif
