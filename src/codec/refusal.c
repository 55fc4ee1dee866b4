#include "codec/refusal.h"

#include "codec/http1.h"

static const struct {
	const char *text;
	enum sp_outcome outcome;
} refusals[SP_HTTP_REFUSAL_COUNT] = {
#define X(id, outcome, text) { text, SP_OUTCOME_##outcome },
	SP_HTTP_REFUSALS(X)
#undef X
};

const char *sp_http_refusal_text(enum sp_http_refusal r)
{
	return (unsigned)r < SP_HTTP_REFUSAL_COUNT ? refusals[r].text : "";
}

enum sp_outcome sp_http_refusal_outcome(enum sp_http_refusal r)
{
	return (unsigned)r < SP_HTTP_REFUSAL_COUNT ? refusals[r].outcome : SP_OUTCOME_UNKNOWN;
}

static _Thread_local enum sp_http_refusal last = SP_HTTP_REFUSAL_NONE;

int sp_http_refuse(int err, enum sp_http_refusal why)
{
	last = why;
	return err;
}

enum sp_http_refusal sp_http_parse_refusal(void)
{
	return last;
}

const char *sp_http_parse_detail(void)
{
	return sp_http_refusal_text(last);
}
