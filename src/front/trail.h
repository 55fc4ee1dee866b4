/* What the audit trail says of a session, and when. A caller's verdict is told once: when its exchange is about to be opened, so that
 * the line names the target; or when it was denied; or, allowed, when it went away without asking for a target. The connector's
 * callers are not judged: there each exchange is told when what it exposes has decided. */
#ifndef SP_FRONT_TRAIL_H
#define SP_FRONT_TRAIL_H

#include "front/session.h"

#define SP_TRAIL_UNRECORDED "the audit trail cannot be written, and audit.on_failure is \"deny\""

/* About to be opened, and open. 0, or SP_ESYS: it must not go on. */
int sp_trail_identified(struct sp_session *s);
int sp_trail_opened(struct sp_session *s);
/* It failed or ended; x.outcome says how, `from` in which state. */
void sp_trail_ended(struct sp_session *s, enum sp_session_state from);

#endif
