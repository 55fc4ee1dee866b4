#include "clock.h"

#include "auth/service_key_int.h"

uint64_t __real_sp_loop_now_ms(struct sp_loop *loop);
void __real_sp_timer_start(struct sp_loop *loop, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t));
void __real_sp_timer_stop(struct sp_loop *loop, struct sp_timer *t);
uint64_t __wrap_sp_loop_now_ms(struct sp_loop *loop);
void __wrap_sp_timer_start(struct sp_loop *loop, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t));
void __wrap_sp_timer_stop(struct sp_loop *loop, struct sp_timer *t);

#define TIMERS_MOST 2048
#define OURS (~0u) /* a slot that no heap has */

static uint64_t now = 1000000;
static struct sp_timer *timers[TIMERS_MOST];
static unsigned count;

/* It stands still by itself. */
uint64_t __wrap_sp_loop_now_ms(struct sp_loop *loop)
{
	(void)loop;
	return now;
}

static void take(unsigned i)
{
	timers[i]->slot = 0;
	timers[i] = timers[--count];
}

void __wrap_sp_timer_stop(struct sp_loop *loop, struct sp_timer *t)
{
	if (t->slot != OURS) {
		__real_sp_timer_stop(loop, t);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		if (timers[i] == t) {
			take(i);
			return;
		}
	sp_must(false);
}

void __wrap_sp_timer_start(struct sp_loop *loop, struct sp_timer *t, uint64_t ms, void (*fn)(struct sp_timer *t))
{
	if (fn != sp_tokens_on_timer) {
		__real_sp_timer_start(loop, t, ms, fn);
		return;
	}
	if (t->slot == OURS)
		__wrap_sp_timer_stop(loop, t);
	sp_must(count < TIMERS_MOST);
	t->slot = OURS;
	t->fn = fn;
	t->due_mono_ms = now + ms;
	timers[count++] = t;
}

void clock_reset(void)
{
	count = 0;
	now = 1000000;
}

void clock_turn(uint64_t ms)
{
	uint64_t end = now + ms;

	for (;;) {
		unsigned first = count;

		for (unsigned i = 0; i < count; i++)
			if (timers[i]->due_mono_ms <= end && (first == count || timers[i]->due_mono_ms < timers[first]->due_mono_ms))
				first = i;
		if (first == count)
			break;
		struct sp_timer *t = timers[first];

		now = t->due_mono_ms > now ? t->due_mono_ms : now;
		take(first);
		t->fn(t);
	}
	now = end;
}

unsigned clock_timers(void)
{
	return count;
}
