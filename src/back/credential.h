/* What we show to a gateway: for each tenant the value of Proxy-Authorization. It is asked for anew by every exchange and comes
 * later, because it may have to be fetched first; so a credential that was renewed is the next stream's, and open streams never
 * notice. One object per gateway and worker; all calls on its loop. */
#ifndef SP_BACK_CREDENTIAL_H
#define SP_BACK_CREDENTIAL_H

#include "auth/auth.h"
#include "base/slice.h"
#include "net/loop.h"

struct sp_credential;
struct sp_credential_wait; /* one asker */

/* value: "Bearer ...", lent for the call. Absent: none can be had now, cause says why. Exactly once, never inside get(), not after
 * cancel(). May ask again, cancel others and report a refusal; must not free the credential. */
typedef void sp_credential_cb(void *arg, struct sp_slice value, const struct sp_cause *cause);

struct sp_credential_ops {
	/* who: on whose behalf; of it the tenant and the subdomain matter. NULL: memory is out. */
	struct sp_credential_wait *(*get)(struct sp_credential *c, const struct sp_identity *who, sp_credential_cb *cb, void *arg);
	void (*cancel)(struct sp_credential_wait *w);
	/* A gateway refused `value`, which was theirs: who asks next gets another, if there is one. May be reported many
	 * times, and late: how often that leads to a read or a fetch is bounded here. */
	void (*refused)(struct sp_credential *c, const struct sp_identity *who, struct sp_slice value);
	void (*free)(struct sp_credential *c); /* nobody is waiting */
};
struct sp_credential { const struct sp_credential_ops *ops; };	     /* first member of implementations */
struct sp_credential_wait { struct sp_credential *credential; };     /* first member of implementations */

static inline struct sp_credential_wait *sp_credential_get(struct sp_credential *c, const struct sp_identity *who, sp_credential_cb *cb, void *arg)
{
	return c->ops->get(c, who, cb, arg);
}
static inline void sp_credential_cancel(struct sp_credential_wait **w)
{
	struct sp_credential_wait *old = *w;

	*w = NULL;
	if (old)
		old->credential->ops->cancel(old);
}
static inline void sp_credential_refused(struct sp_credential *c, const struct sp_identity *who, struct sp_slice value)
{
	c->ops->refused(c, who, value);
}
static inline void sp_credential_free(struct sp_credential **c)
{
	struct sp_credential *old = *c;

	*c = NULL;
	if (old)
		old->ops->free(old);
}

/* A bearer token in a file, the same for every tenant. Somebody else renews the file in place: it is read again at most once in
 * SP_TOKEN_REREAD_MS while exchanges ask, and at once when the gateway has refused what it held. While it cannot be read, the last
 * token that could goes on. NULL: memory is out. */
#define SP_TOKEN_REREAD_MS 1000u
struct sp_credential *sp_credential_of_file(struct sp_loop *loop, const char *file);

/* Tokens fetched with a service key, one per tenant where the key says so. ca_file: who signs the token server's certificate; NULL:
 * the system's store. 0, or what sp_tokens_new() says with cause. */
int sp_credential_of_key(struct sp_loop *loop, const char *file, const char *ca_file, struct sp_credential **out,
			 struct sp_cause *cause);

#endif
