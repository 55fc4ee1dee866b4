/* A host for plugins that fetch and set alarms: requests that the test answers, a clock and dice that it turns, every line that was
 * logged. One at a time. */
#ifndef SP_TESTS_PLUGINS_FAKE_H
#define SP_TESTS_PLUGINS_FAKE_H

#include <stdbool.h>

#include "jwt/sources.h"
#include "sallyport/plugin.h"

extern const sp_host fake_host;
extern sp_worker *const fake_worker;

void fake_open(void);
/* Nothing may be left running. */
void fake_close(void);

/* For jwt_sources_new(); without forget. */
struct jwt_sources_env fake_env(void);
int64_t fake_now(void); /* ms */
int64_t fake_wall(void); /* Unix seconds: true at fake_open(), then it goes as the fake clock does */
extern uint32_t fake_dice; /* 0 */
extern bool fake_refuses;  /* to fetch at all */

/* Alarms run in their order, each at its time. */
void fake_pass(int64_t ms);
unsigned fake_alarms(void);

unsigned fake_fetches(void); /* begun so far */
unsigned fake_pending(void);
const char *fake_url(unsigned i); /* of a pending one, the oldest first */
const char *fake_ca_file(unsigned i);
uint32_t fake_max_bytes(unsigned i);
/* Answers the oldest. status 0: no answer, body is why. life_s: Cache-Control's; -1: it says nothing. */
void fake_answer(int status, const char *body, int64_t life_s);
/* The oldest whose URL contains the text. */
void fake_answer_url(const char *url, int status, const char *body, int64_t life_s);

/* Lines that hold the text: of any level, and since the last fake_forget_log(). */
unsigned fake_said(const char *text);
unsigned fake_said_at(int level, const char *text);
unsigned fake_lines(void);
void fake_forget_log(void);

/* What was answered by the host's answer(). */
struct fake_answered {
	unsigned count;
	uint32_t verdict, why;
	uint64_t ticket;
	char detail[1024], tenant[128];
};
extern struct fake_answered fake_answered; /* the last one */

#endif
