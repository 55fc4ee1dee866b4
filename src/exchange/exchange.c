/* See exchange.h. */
#include "exchange/exchange.h"

#include <stdio.h>

static bool book_empty(const struct sp_book *b)
{
	return b->clients == 0 && b->exchanges == 0;
}

static void book_left(struct sp_book *b)
{
	if (book_empty(b) && b->on_empty)
		b->on_empty(b->arg);
}

bool sp_book_client_enter(struct sp_book *b)
{
	if (b->draining || b->clients >= b->clients_max)
		return false;
	b->clients++;
	return true;
}

void sp_book_client_leave(struct sp_book *b)
{
	sp_must(b->clients > 0);
	b->clients--;
	book_left(b);
}

int sp_exchange_begin(struct sp_exchange *x, struct sp_book *book, struct sp_loop *loop)
{
	if (!x->id[0])
		sp_id_make(x->id);
	x->began_mono_ms = sp_loop_now_ms(loop);
	if (book->draining) {
		sp_exchange_fail(x, SP_OUTCOME_SHUTDOWN, NULL);
		return SP_ECLOSED;
	}
	if (book->exchanges >= book->exchanges_max) {
		struct sp_cause c = { 0 };

		sp_cause_set(&c, SP_ELIMIT, SP_DOMAIN_SELF, 0, "limits.exchanges = %u are open", book->exchanges_max);
		sp_exchange_fail(x, SP_OUTCOME_LIMIT, &c);
		return SP_ELIMIT;
	}
	book->exchanges++;
	x->book = book;
	return 0;
}

void sp_exchange_fail(struct sp_exchange *x, enum sp_outcome o, const struct sp_cause *cause)
{
	if (x->outcome != SP_OUTCOME_UNKNOWN && x->outcome != SP_OUTCOME_OK)
		return;
	x->outcome = o;
	if (cause)
		x->cause = *cause;
}

static void write_line(const struct sp_exchange *x, uint64_t now)
{
	char target[SP_AUTHORITY_SIZE] = "";

	if (x->target.port)
		sp_authority_text(&x->target, target);
	sp_log(SP_LOG_INFO, SP_EV_EXCHANGE, x->outcome == SP_OUTCOME_OK ? "done" : "failed", SP_KV_STR("exchange", x->id),
	       SP_KV_INT("conn", x->conn_id), SP_KV_STR("tenant", x->identity.tenant), SP_KV_STR("principal", x->identity.principal),
	       SP_KV_STR("front", x->front), SP_KV_STR("listener", x->listener), SP_KV_STR("client", x->client),
	       SP_KV_STR("target", target), SP_KV_STR("location", x->location[0] ? x->location : NULL),
	       SP_KV_STR("via", x->via[0] ? x->via : NULL), SP_KV_STR("outcome", sp_outcome_row(x->outcome)->word),
	       SP_KV_INT("up_bytes", x->bytes_up), SP_KV_INT("down_bytes", x->bytes_down),
	       SP_KV_INT("open_ms", x->opened_mono_ms ? x->opened_mono_ms - x->began_mono_ms : 0),
	       SP_KV_INT("total_ms", now - x->began_mono_ms), SP_KV_CAUSE(x->cause.err ? &x->cause : NULL));
}

void sp_exchange_end(struct sp_exchange *x, struct sp_loop *loop)
{
	struct sp_book *b = x->book;

	if (!x->began_mono_ms && !b)
		return;
	write_line(x, sp_loop_now_ms(loop));
	x->began_mono_ms = 0;
	x->book = NULL;
	sp_identity_deinit(&x->identity);
	if (!b)
		return;
	sp_must(b->exchanges > 0);
	b->exchanges--;
	b->ended[x->outcome]++;
	b->bytes_up += x->bytes_up;
	b->bytes_down += x->bytes_down;
	book_left(b);
}
