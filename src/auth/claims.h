/* Verified claims, as chains give them: a JSON object. */
#ifndef SP_AUTH_CLAIMS_H
#define SP_AUTH_CLAIMS_H

#include "base/buf.h"

/* Appends the value of one claim as text: strings, integers and booleans as they are, of lists their elements with "," between. claims may be
 * NULL. 0; SP_EINVAL when it is not there, is none of these, or could not stand in a header; SP_ENOMEM. Nothing is appended then. */
int sp_claims_text(const char *claims, const char *name, struct sp_buf *out);

#endif
