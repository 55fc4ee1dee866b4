/* Bytes both ways between two streams: two times {source, sink} and nothing else. Half-close is carried over (FIN <->
 * END_STREAM); an abort of one side aborts the other; a full sink stops its source. No allocation per read or write. */
#ifndef SP_EXCHANGE_RELAY_H
#define SP_EXCHANGE_RELAY_H

#include "net/stream.h"

struct sp_relay;
enum sp_relay_side { SP_RELAY_NONE, SP_RELAY_A, SP_RELAY_B, SP_RELAY_SELF }; /* whose failure it was; SELF: abort, deadline */
/* Both streams are gone (or b, while a is held). cause: NULL = both directions ended cleanly; else the first failure
 * (borrowed). up: bytes a -> b. */
typedef void sp_relay_done_cb(void *arg, const struct sp_cause *cause, uint64_t up_bytes, uint64_t down_bytes);

struct sp_relay_options {
	uint64_t half_closed_ms; /* one direction ended and the other silent for so long: abort with SP_ETIMEOUT; 0 = never */
	uint64_t idle_ms;	 /* both silent; 0 = never */
	bool a_ended;		 /* a's on_eof came already, to its former reader */
	bool hold;		 /* until sp_relay_release(): b's failure does not end a, which is given back */
};
/* Takes over both streams and their untaken bytes. on_done exactly once, never inside this call. 0 or SP_ENOMEM (both closed,
 * on_done not called). */
int sp_relay_start(struct sp_stream *a, struct sp_stream *b, const struct sp_relay_options *opt, sp_relay_done_cb *on_done,
		   void *arg, struct sp_relay **out);
/* b has answered: from now on a's fate is b's. half_closed_ms as above, in place of the former. */
void sp_relay_release(struct sp_relay *r, uint64_t half_closed_ms);
/* Inside on_done: a, when it was held and still lives: stopped, and the caller's again. Else NULL. */
struct sp_stream *sp_relay_take_a(struct sp_relay *r);
/* Which side failed first; NONE: neither so far. */
enum sp_relay_side sp_relay_failed(const struct sp_relay *r);
/* Aborts both; on_done follows with cause (copied) unless one came first. */
void sp_relay_abort(struct sp_relay *r, const struct sp_cause *cause);

#endif
