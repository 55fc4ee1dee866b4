/* A clock that tests turn: what the cache of tokens takes for the time, and its timers. Everybody else has the real ones. */
#ifndef SP_TESTS_TOKENS_CLOCK_H
#define SP_TESTS_TOKENS_CLOCK_H

#include <stdint.h>

void clock_reset(void);
/* Later by ms; the cache's timers that are due by then fire in order, each at its time. */
void clock_turn(uint64_t ms);
unsigned clock_timers(void); /* of the cache, running */

#endif
