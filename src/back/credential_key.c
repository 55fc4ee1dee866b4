/* Tokens got with a service key (auth/service_key.h) as a credential. */
#include "back/credential.h"

#include <stdlib.h>

#include "auth/service_key.h"
#include "base/alloc.h"

struct key_credential {
	struct sp_credential credential; /* first */
	struct sp_fetcher *fetcher;
	struct sp_tokens *tokens;
};

struct wait {
	struct sp_credential_wait wait; /* first */
	struct sp_token_wait *token;
	sp_credential_cb *cb;
	void *arg;
};

static struct key_credential *key_of(struct sp_credential *c)
{
	return SP_CONTAINER_OF(c, struct key_credential, credential);
}

static void on_token(void *arg, struct sp_slice bearer, const struct sp_cause *cause)
{
	struct wait *w = arg;
	sp_credential_cb *cb = w->cb;
	void *cb_arg = w->arg;

	free(w);
	cb(cb_arg, bearer, cause);
}

static struct sp_credential_wait *get(struct sp_credential *c, const struct sp_identity *who, sp_credential_cb *cb, void *arg)
{
	struct wait *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->wait.credential = c;
	w->cb = cb;
	w->arg = arg;
	w->token = sp_tokens_get(key_of(c)->tokens, who->tenant, who->subdomain, on_token, w);
	return &w->wait;
}

static void cancel(struct sp_credential_wait *wait)
{
	struct wait *w = SP_CONTAINER_OF(wait, struct wait, wait);

	sp_tokens_cancel(&w->token);
	free(w);
}

static void refused(struct sp_credential *c, const struct sp_identity *who, struct sp_slice value)
{
	(void)value; /* the cache keeps a fresh token for a while, so late reports of the old one do no harm */
	sp_tokens_refused(key_of(c)->tokens, who->tenant, who->subdomain);
}

static void key_free(struct sp_credential *c)
{
	struct key_credential *k = key_of(c);

	sp_tokens_free(&k->tokens);
	sp_fetcher_free(&k->fetcher);
	free(k);
}

int sp_credential_of_key(struct sp_loop *loop, const char *file, const char *ca_file, struct sp_credential **out, struct sp_cause *cause)
{
	static const struct sp_credential_ops ops = { get, cancel, refused, key_free };
	struct key_credential *k = SP_NEW(struct key_credential);
	int err = sp_fetcher_new(loop, &k->fetcher);

	k->credential.ops = &ops;
	if (err == 0)
		err = sp_tokens_new(loop, k->fetcher, file, ca_file, &k->tokens, cause);
	if (err == 0) {
		*out = &k->credential;
		return 0;
	}
	if (k->fetcher)
		sp_fetcher_free(&k->fetcher);
	free(k);
	return err;
}
