/* One exchange: a proxied request from its arrival to its outcome, whatever front it came by and whatever back it leaves by.
 * Every request has its own identity, location and target; nothing is inherited from the connection it came on. Exactly one
 * info line (and later one metric) per exchange is written, by sp_exchange_end(). */
#ifndef SP_EXCHANGE_EXCHANGE_H
#define SP_EXCHANGE_EXCHANGE_H

#include "auth/auth.h"
#include "base/secret.h"
#include "codec/authority.h"
#include "codec/message.h"
#include "codec/outcome.h"
#include "net/stream.h"

#define SP_LOCATION_SIZE 192
#define SP_REGION_SIZE 65
#define SP_PROXY_STATUS_SIZE 512

/* Counts and limits of one worker; every client and exchange is entered, so that drain and shutdown know when nobody is left. */
struct sp_book {
	uint64_t last_conn;	   /* ids of clients */
	unsigned clients, exchanges; /* open now */
	unsigned clients_max, exchanges_max;
	uint64_t ended[SP_OUTCOME_COUNT];
	uint64_t bytes_up, bytes_down;
	bool draining;		   /* no new exchanges: SP_OUTCOME_SHUTDOWN */
	void (*on_empty)(void *arg); /* clients and exchanges fell to 0; may be NULL */
	void *arg;
};

/* What whoever opens an exchange with a request hears before the open's callback. All may be called more than once (another try). */
struct sp_exchange_events {
	/* The request is on its way. stream: where its body is to be written now, the receiver's from here on (it closes it; an open that
	 * it does not want any more is cancelled); NULL: it has none. */
	void (*on_sent)(void *arg, struct sp_stream *stream);
	/* A 1xx; borrowed. */
	void (*on_interim)(void *arg, unsigned status, const struct sp_fields *fields);
};

struct sp_exchange {
	char id[SP_ID_SIZE];
	uint64_t conn_id;
	const char *front;	      /* "socks5", "http", "forward", "tunnel" */
	const char *listener;	      /* address text of the listener */
	char client[SP_ADDR_TEXT_SIZE];
	struct sp_identity identity;
	char region[SP_REGION_SIZE];  /* that the client named; "" = none */
	char location[SP_LOCATION_SIZE]; /* "" = the connector without a location id */
	struct sp_authority target;
	struct sp_msg_request *request;   /* owned; NULL: a tunnel to the target (CONNECT) */
	const struct sp_exchange_events *ev; /* with a request; whose arg is ev_arg */
	void *ev_arg;
	uint64_t response_ms;	      /* set by the back before on_sent: how long its head may take; 0: timeouts.response */
	const struct sp_msg_response *response; /* inside the callback of an open that succeeded: the head; borrowed */
	char *claims;		      /* what was verified of the caller, a JSON object; NULL: nothing. Owned */
	unsigned status;	      /* of the response; 0: none */
	char via[64];		      /* set by the back: "tunnel 7", "direct" */
	char proxy_status[SP_PROXY_STATUS_SIZE]; /* what the far hops said, to be passed on; "" = nothing */
	enum sp_outcome outcome;
	struct sp_cause cause;
	uint64_t began_mono_ms, opened_mono_ms; /* opened: 0 = never */
	uint64_t bytes_up, bytes_down; /* towards the target, towards the client */
	struct sp_book *book;	      /* NULL: not begun, or ended */
	bool entered;		      /* counted in book->exchanges; a refused one is not */
};

/* Enters x in the book: 0, or SP_ELIMIT / SP_ECLOSED (draining) with outcome set; sp_exchange_end() is due in any case, so that
 * refused ones are seen too. x->id is made when it is empty. */
int sp_exchange_begin(struct sp_exchange *x, struct sp_book *book, struct sp_loop *loop);
/* Records the first failure; later ones are ignored. */
void sp_exchange_fail(struct sp_exchange *x, enum sp_outcome o, const struct sp_cause *cause);
/* Leaves the book, writes the line, wipes and frees what x owns. Idempotent. */
void sp_exchange_end(struct sp_exchange *x, struct sp_loop *loop);

bool sp_book_client_enter(struct sp_book *b); /* false: over the limit or draining */
void sp_book_client_leave(struct sp_book *b);

#endif
