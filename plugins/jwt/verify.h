/* token -> claims, in two steps: first what the token says of itself, to find its keys; then, with these, what is true. The one
 * place where a token is believed. No I/O, no clock of its own. */
#ifndef SP_PLUGINS_JWT_VERIFY_H
#define SP_PLUGINS_JWT_VERIFY_H

#include <json-c/json.h>

#include "keyset.h"
#include "policy.h"

/* A token taken apart. Nothing of it is proven; good enough to choose the key set by, and for nothing else. */
struct jwt_token {
	unsigned group; /* of the policy: its issuer is one of this group's */
	unsigned alg;	/* one of the group's */
	sp_str kid;	/* absent: the token names no key */
	sp_str issuer;	/* "iss" */
	sp_str tenant;	/* absent: it names none. Of a group with per_tenant it is there: 1 to 128 of A-Z a-z 0-9 "-" "." "_" "~" */
	int64_t expires_at;
	/* Private. The texts point into the token, which must outlive this. */
	sp_str signed_text, signature;
	json_object *header, *claims;
	char *text;
	size_t text_bytes;
};

struct jwt_claims {
	json_object *root; /* the payload; what follows points into it */
	char *text;	   /* the payload's JSON text as it was signed; not NUL-terminated */
	size_t text_bytes;
	sp_str issuer;
	sp_str tenant, principal, client, subdomain; /* absent where the token says nothing */
	int64_t expires_at;			     /* exp with the allowed skew: from then on the token is refused */
	const struct jwt_key *key;		     /* of the set that was given */
};

struct jwt_refusal {
	uint32_t why;	   /* SP_WHY_* */
	bool unknown_key;  /* jwt_token_verify: another key set might help */
	char text[512];	   /* for the operator: parts of the token's header and claims may be named, never the token */
};

/* 0 with *out (jwt_token_deinit), or -1 with *no: malformed, no issuer of ours, an algorithm that its issuer's keys are not for,
 * out of date, or without the tenant that its keys are found by. */
int jwt_token_open(sp_str token, const struct jwt_policy *p, int64_t now_s, struct jwt_token *out, struct jwt_refusal *no);

/* ks: of t->group, and for t->issuer (discovery) or t->tenant (per_tenant) where the group has keys for each. 0 with *out
 * (jwt_claims_deinit), which takes the payload over; or -1 with *no, and t may be tried again with another set. */
int jwt_token_verify(struct jwt_token *t, const struct jwt_keyset *ks, const struct jwt_policy *p, int64_t now_s,
		     struct jwt_claims *out, struct jwt_refusal *no);

void jwt_token_deinit(struct jwt_token *t); /* also after a failed or successful verify; twice is fine */
void jwt_claims_deinit(struct jwt_claims *c);

#endif
