/* What the tests of the fronts share: a real configuration, the real plugin host with the plugin `judge`, a back that does as it
 * is told, one front, and clients that reach it through in-memory streams (each write is one on_data) or TCP. */
#ifndef SP_TESTS_UNIT_FRONT_FIXTURE_H
#define SP_TESTS_UNIT_FRONT_FIXTURE_H

#include "../peer.h"
#include "front/front_internal.h"
#include "judge/judge.h"

enum fake_mode { FAKE_OPEN, FAKE_FAIL, FAKE_HOLD };
struct fake { /* the back */
	struct sp_back back;
	enum fake_mode mode;
	enum sp_outcome outcome; /* FAIL */
	const char *proxy_status; /* FAIL; NULL: none */
	unsigned opens, cancels, drains;
	struct sp_list pending;
	/* Of the last open. */
	struct sp_authority target;
	char location[SP_LOCATION_SIZE], tenant[64], principal[64];
	struct peer origin; /* OPEN: the other end of the last stream */
};

struct log_line { char text[2048]; };

extern struct fixture {
	struct sp_conf *conf;
	struct sp_auth *auth;
	struct sp_book book;
	struct sp_front_env env;
	struct fake fake;
	struct sp_front *front;
	struct judge_seen *seen;
	unsigned empties; /* the book's on_empty */
	struct log_line lines[8]; /* of exchanges, oldest first */
	unsigned line_count;
	unsigned refusals; /* lines about limits.clients */
	char trail[1 << 14]; /* what expect_trail() read */
} fx;

#define FX_AUDIT "audit = { file = \"audit.log\"; };"

/* Unchecked fixture: a folder with the plugin. */
void fixture_folder_make(void);
void fixture_folder_remove(void);
/* listener: its settings but the address; extra: more top-level settings. Chains: "asks" (wants a token), "anyone" (does not,
 * callers without credential are let in), "nobody" (wants none, lets nobody in without one). */
void fixture_open(const char *listener, const char *extra);
/* FAKE_HOLD: what is held gets its stream. */
void fake_release(void);
/* Closes the front if it is open; everything must come to its end by itself. */
void fixture_close(void);

void client_open(struct peer *c); /* through a stream pair */
void client_open_tcp(struct peer *c);
/* The server closes cleanly, having sent nothing but what was expected. */
void client_expect_end(struct peer *c);
void client_expect_reset(struct peer *c);

/* What the line of an exchange must hold; i counts from the oldest. */
void expect_line(unsigned i, const char *part);
/* With FX_AUDIT: the trail has n lines, and the ith holds this. */
void expect_trail(unsigned n, unsigned i, const char *part);
void await_idle(void); /* no exchange is open */
void await_alone(void); /* no client is left either */
bool is_alone(void *arg);

#endif
