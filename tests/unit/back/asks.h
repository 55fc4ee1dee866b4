/* Requests to a scripted system on loopback, by the direct back or as an entry of a connector's file. */
#ifndef SP_TESTS_UNIT_BACK_ASKS_H
#define SP_TESTS_UNIT_BACK_ASKS_H

#include "../peer.h"
#include "back/back.h"

#define SYSTEMS_MAX 80

extern uint64_t skew_ms;	 /* gate.c: puts the clock forward */
extern struct sp_conf *conf;	 /* gate.c */
extern struct sp_back *back;
extern struct sp_listener *listener; /* the system's */
extern struct sp_addr at;
extern unsigned backs_closed;
extern struct sp_authority target; /* of the next requests; the system itself at first */
extern const char *claims, *path; /* of the next requests */
extern struct peer system_end[SYSTEMS_MAX]; /* the connections that the system got, in their order */
extern unsigned accepted;

struct ask {
	struct sp_exchange x;
	struct sp_back_open *open;
	struct peer io;
	unsigned sent, interims, done, status;
	enum sp_outcome outcome;
	struct sp_cause cause;
	char fields[2048];
};

void asks_setup(void); /* with a direct back */
void asks_teardown(void);
void on_back_closed(void *arg);
/* The system as an entry of a connector's file, under its own name and all of it; in place of the back before. */
struct sp_conf_expose *expose_all(uint64_t response_ms);

void begin(struct ask *a, const char *method, const char *more_lines);
void begin_tunnel(struct ask *a);
void leave(struct ask *a); /* cancels and closes what is open */
void await_done(struct ask *a);
void expect_failure(struct ask *a, enum sp_outcome o); /* and leaves */
void close_io(struct ask *a);				 /* and leaves */
const char *request_at(unsigned i);			 /* the next head at connection i, waited for and taken */

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
void call_at(unsigned i, const char *method, const char *answer); /* a whole call on connection i; the body: "ok" */

#endif
