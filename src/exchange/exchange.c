/* See exchange.h. The one place that writes the line of an exchange and that counts it. */
#include "exchange/exchange.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/must.h"

static void tell_empty(struct sp_book *b)
{
	if (b->clients == 0 && b->exchanges == 0 && b->on_empty)
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
	tell_empty(b);
}

int sp_exchange_begin(struct sp_exchange *x, struct sp_book *book, struct sp_loop *loop)
{
	sp_must(!x->book);
	if (x->id[0] == '\0')
		sp_id_make(x->id);
	x->began_mono_ms = sp_loop_now_ms(loop);
	x->book = book;
	if (book->draining) {
		x->outcome = SP_OUTCOME_SHUTDOWN;
		return sp_cause_set(&x->cause, SP_ECLOSED, SP_DOMAIN_SELF, 0, "draining: no new exchanges");
	}
	if (book->exchanges >= book->exchanges_max) {
		x->outcome = SP_OUTCOME_LIMIT;
		return sp_cause_set(&x->cause, SP_ELIMIT, SP_DOMAIN_SELF, 0, "limits.exchanges is reached");
	}
	book->exchanges++;
	x->entered = true;
	return 0;
}

void sp_exchange_fail(struct sp_exchange *x, enum sp_outcome o, const struct sp_cause *cause)
{
	if (x->outcome != SP_OUTCOME_UNKNOWN && x->outcome != SP_OUTCOME_OK)
		return;
	x->outcome = o;
	if (cause && !x->cause.err)
		x->cause = *cause;
}

static const char *or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

static void write_line(const struct sp_exchange *x, struct sp_loop *loop)
{
	uint64_t now = sp_loop_now_ms(loop);
	struct sp_kv open_ms = SP_KV_STR("open_ms", NULL);
	struct sp_kv status = SP_KV_STR("status", NULL);
	char target[SP_AUTHORITY_SIZE], method[33] = "";

	if (x->request)
		(void)sp_slice_copy(x->request->method, method, sizeof(method));
	if (x->status)
		status = SP_KV_INT("status", x->status);
	if (x->opened_mono_ms)
		open_ms = SP_KV_INT("open_ms", x->opened_mono_ms - x->began_mono_ms);
	sp_log(SP_LOG_INFO, SP_EV_EXCHANGE, "ended", SP_KV_STR("exchange", x->id), SP_KV_INT("conn", x->conn_id),
	       SP_KV_STR("tenant", or_null(x->identity.tenant)), SP_KV_STR("principal", or_null(x->identity.principal)),
	       SP_KV_STR("front", or_null(x->front)), SP_KV_STR("listener", or_null(x->listener)),
	       SP_KV_STR("client", or_null(x->client)),
	       SP_KV_STR("target", x->target.host[0] ? sp_authority_text(&x->target, target) : NULL),
	       SP_KV_STR("method", method[0] ? method : NULL), status,
	       SP_KV_STR("region", or_null(x->region)),
	       SP_KV_STR("location", or_null(x->location)), SP_KV_STR("via", or_null(x->via)),
	       SP_KV_STR("outcome", sp_outcome_row(x->outcome)->word), SP_KV_INT("up", x->bytes_up),
	       SP_KV_INT("down", x->bytes_down), open_ms, SP_KV_INT("ms", now - x->began_mono_ms),
	       SP_KV_CAUSE(&x->cause));
}

void sp_exchange_end(struct sp_exchange *x, struct sp_loop *loop)
{
	struct sp_book *b = x->book;

	if (!b)
		return;
	x->book = NULL;
	if (sp_log_enabled(SP_LOG_INFO))
		write_line(x, loop);
	sp_identity_deinit(&x->identity);
	sp_msg_request_free(&x->request);
	free(x->claims);
	x->claims = NULL;
	b->ended[(unsigned)x->outcome < SP_OUTCOME_COUNT ? x->outcome : SP_OUTCOME_UNKNOWN]++;
	b->bytes_up += x->bytes_up;
	b->bytes_down += x->bytes_down;
	if (!x->entered)
		return;
	x->entered = false;
	sp_must(b->exchanges > 0);
	b->exchanges--;
	tell_empty(b);
}
