/* One exchange of h1/ between its owner and the wire. The carrier is one end of a memory stream, the other end is
 * `peer`. */
#ifndef SP_TESTS_UNIT_H1_FIXTURE_H
#define SP_TESTS_UNIT_H1_FIXTURE_H

#include <check.h>

#include "../net/ends.h"
#include "h1/h1.h"

/* What an exchange's owner saw. */
struct side {
	struct sp_h1 *h;     /* NULL: given back */
	struct sp_stream *s; /* NULL after on_closed */
	unsigned data, eof, drain, closed, trailers, over, responses, interims, status;
	bool has_cause;
	struct sp_cause cause;
	struct sp_buf in;
	char trailer[256]; /* "name=value," of each */
	size_t seen;	   /* bytes lent last */
	bool ended_when_lent;
	bool in_call;					   /* no upcall may come now */
	bool stopped;					   /* no bytes and no end may come now */
	bool idle;					   /* client: does not read from the response on */
	bool release_at_end;				   /* gives the carrier back inside its on_closed */
	size_t (*take)(struct side *x, struct sp_slice v); /* else everything */
	void (*on_eof)(struct side *x);
	void (*on_trailers)(struct side *x);
	void (*on_drain)(struct side *x);
	void (*on_response)(struct side *x);
	void (*on_interim)(struct side *x);
	enum sp_close how; /* for callbacks that close */
};

extern struct side x;
extern struct end peer;	 /* the wire's other side */
extern struct end owner; /* of the carrier, while no exchange has it */
extern struct sp_h1_options opt;
extern bool serving; /* the owner gives requests to sp_h1_serve() */
extern int served;   /* what it returned */
extern unsigned requests;

void h1_setup(void);
void h1_teardown(void);
void fresh(void); /* another connection; the old one must be done with */
void done(void);  /* closes everything and waits for it */

void say(const char *text); /* the peer writes */
void say_n(const char *p, size_t n);
void heard(const char *text); /* all that the peer has received so far is exactly this; waits for it */
void serve(const char *head); /* the peer says it; waits for the exchange; attached, reading */
void attach(void);	      /* x's io */
void respond(unsigned status, const char *more); /* more: "length=5", "ended", "close", "switched" */
int try_respond(unsigned status, const char *more);
void ask(const char *method, const char *more); /* client: sends; more: "length=5", "body", "reused", "protocol" */
void put(const char *text);			/* the io is written to */
void end(void);					/* shutdown_write */
void shut(enum sp_close how);			/* close(), in which no upcall comes */
void ended(int err);				/* on_closed came with this cause; 0: none */
enum sp_h1_left give_back(void);		/* owner has the carrier now, if there is one */
void body(const char *text);			/* exactly this was read so far; waits for it */
void peer_dies(void);
void pass_ms(unsigned ms);
int allocations_fail_after(int n); /* -1: never; as it was before. Check allocates when it asserts. */

#endif
