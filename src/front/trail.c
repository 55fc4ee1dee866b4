/* See trail.h. */
#include "front/trail.h"

static int tell(struct sp_session *s, enum sp_audit_event event, enum sp_audit_decision decision)
{
	return sp_audit_exchange(s->env->audit, event, decision, &s->x, s->chain);
}

/* On who may go where, by whomever: what the outcome table answers with 407 or 403. Everything else that befalls an exchange is the
 * log's. */
static bool is_verdict(enum sp_outcome o)
{
	unsigned status = sp_outcome_row(o)->http_status;

	return status == 407 || status == 403;
}

/* Nobody was denied anything: the client left, or we did. */
static bool is_departure(enum sp_outcome o)
{
	return o == SP_OUTCOME_CLIENT_GONE || o == SP_OUTCOME_SHUTDOWN;
}

int sp_trail_identified(struct sp_session *s)
{
	if (!s->chain)
		return 0;
	s->told = true;
	return tell(s, SP_AUDIT_IDENTITY, SP_AUDIT_ALLOWED);
}

int sp_trail_opened(struct sp_session *s)
{
	if (s->chain)
		return 0;
	s->told = true;
	s->x.outcome = SP_OUTCOME_OK;
	return tell(s, SP_AUDIT_EXCHANGE, SP_AUDIT_ALLOWED);
}

void sp_trail_ended(struct sp_session *s, enum sp_session_state from)
{
	enum sp_outcome o = s->x.outcome;

	if (from == SP_SESSION_OPENING && !s->chain && !s->told && !is_departure(o))
		(void)tell(s, SP_AUDIT_EXCHANGE, is_verdict(o) ? SP_AUDIT_DENIED : SP_AUDIT_ALLOWED);
	else if (from == SP_SESSION_RELAYING && o == SP_OUTCOME_IDENTITY_EXPIRED)
		(void)tell(s, SP_AUDIT_EXCHANGE, SP_AUDIT_ENDED);
	else if (s->told && is_verdict(o))
		(void)tell(s, SP_AUDIT_EXCHANGE, SP_AUDIT_DENIED);
	else if (s->told || from > SP_SESSION_OPENING)
		return;
	else if (is_verdict(o) || (from == SP_SESSION_IDENTIFYING && !is_departure(o)))
		(void)tell(s, SP_AUDIT_IDENTITY, SP_AUDIT_DENIED);
	else if (from == SP_SESSION_IDENTIFIED && s->chain)
		(void)tell(s, SP_AUDIT_IDENTITY, SP_AUDIT_ALLOWED);
	s->told = true;
}
