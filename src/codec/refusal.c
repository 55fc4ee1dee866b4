#include "codec/refusal.h"

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
