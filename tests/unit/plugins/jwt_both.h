/* Both steps of verification with the same key set. */
#ifndef SP_TESTS_PLUGINS_JWT_BOTH_H
#define SP_TESTS_PLUGINS_JWT_BOTH_H

#include "jwt/verify.h"

static inline int jwt_both(sp_str token, const struct jwt_keyset *ks, const struct jwt_policy *p, int64_t now_s, struct jwt_claims *c,
			   struct jwt_refusal *no)
{
	struct jwt_token t = { 0 };
	int rc = jwt_token_open(token, p, now_s, &t, no);

	if (rc == 0)
		rc = jwt_token_verify(&t, ks, p, now_s, c, no);
	jwt_token_deinit(&t);
	return rc;
}

#endif
