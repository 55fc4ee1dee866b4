/* (token, key set, policy) -> claims. The one place where a token is believed. Pure: no I/O, no clock of its own; any thread. */
#ifndef SP_PLUGINS_JWT_VERIFY_H
#define SP_PLUGINS_JWT_VERIFY_H

#include <json-c/json.h>

#include "keyset.h"
#include "policy.h"

struct jwt_claims {
	json_object *root; /* the payload; what follows points into it */
	char *text;	   /* the payload's JSON text as it was signed; not NUL-terminated */
	size_t text_bytes;
	sp_str tenant, principal, client; /* absent where the token says nothing */
	int64_t expires_at;		  /* exp with the allowed skew: from then on the token is refused */
};

struct jwt_refusal {
	uint32_t why;	   /* SP_WHY_* */
	bool unknown_key;  /* another key set might help */
	char text[192];	   /* for the operator: parts of the token's header and claims may be named, never the token */
};

/* 0 with *out (jwt_claims_deinit), or -1 with *no. */
int jwt_verify(sp_str token, const struct jwt_keyset *ks, const struct jwt_policy *p, int64_t now_s, struct jwt_claims *out,
	       struct jwt_refusal *no);
void jwt_claims_deinit(struct jwt_claims *c);

#endif
