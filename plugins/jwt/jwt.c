/* jwt: callers prove who they are by a JSON Web Token of a configured issuer. Settings: policy.h. The token is what the client
 * sent as bearer token, or as password. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/settings.h"
#include "verify.h"

struct jwt {
	const sp_host *host;
	struct jwt_policy policy;
	struct jwt_keyset *keys[JWT_GROUPS_MOST]; /* by group */
};

/* ---- the files with keys ---- */

/* Who can change the file can sign as the issuer. Reads one byte more than is accepted, to see that it is too much. */
static const char *file_read(const char *path, bool secret, char **text_out, size_t *n_out)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text;
	size_t n;

	if (!f)
		return strerror(errno);
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & (secret ? S_IRWXO : S_IWOTH))) {
		fclose(f);
		return secret ? "not a regular file, or everybody may read or write it" :
				"not a regular file, or everybody may write it";
	}
	text = malloc(JWT_KEYSET_BYTES_MOST + 1);
	n = text ? fread(text, 1, JWT_KEYSET_BYTES_MOST + 1, f) : 0;
	if (!text || ferror(f) || n > JWT_KEYSET_BYTES_MOST) {
		free(text);
		fclose(f);
		return "cannot be read, or is too large";
	}
	fclose(f);
	*text_out = text;
	*n_out = n;
	return NULL;
}

static const char *group_load(const struct jwt_group *g, struct jwt_keyset **out, char *why, size_t why_size)
{
	bool secret = g->from == JWT_KEYS_SECRET;
	const char *failed;
	char *text = NULL;
	size_t n = 0;
	int rc;

	if (!secret && g->from != JWT_KEYS_FILE)
		return "keys can be read from files only";
	failed = file_read(g->where, secret, &text, &n);
	if (failed)
		return failed;
	rc = secret ? jwt_keyset_import_secret(text, n, g->algs, out, why, why_size) : jwt_keyset_import(text, n, out, why, why_size);
	OPENSSL_cleanse(text, n);
	free(text);
	return rc < 0 ? why : NULL;
}

static int keys_load(const struct jwt_policy *p, struct jwt_keyset **keys, sp_error *err)
{
	char why[256];

	for (unsigned i = 0; i < p->group_count; i++) {
		const char *failed = group_load(&p->groups[i], &keys[i], why, sizeof(why));

		if (failed)
			return jwt_policy_fail(p, i, failed, err);
	}
	return 0;
}

static void keys_free(struct jwt_keyset **keys)
{
	for (unsigned i = 0; i < JWT_GROUPS_MOST; i++)
		jwt_keyset_free(&keys[i]);
}

/* ---- instance ---- */

static int jwt_check(const char *json, uint32_t *traits, sp_error *err)
{
	struct jwt_keyset *keys[JWT_GROUPS_MOST] = { NULL };
	struct jwt_policy p;
	int rc;

	if (jwt_policy_read(json, &p, err) < 0)
		return -1;
	*traits = SP_TRAIT_VERIFIES;
	if (*p.tenant_claims)
		*traits |= SP_TRAIT_RESOLVES;
	/* A chain that can do without a token must not make clients send one. */
	if (p.required)
		*traits |= SP_TRAIT_WANTS_TOKEN;
	rc = keys_load(&p, keys, err);
	keys_free(keys);
	jwt_policy_deinit(&p);
	return rc;
}

static void jwt_close(void *inst)
{
	struct jwt *j = inst;

	jwt_policy_deinit(&j->policy);
	keys_free(j->keys);
	free(j);
}

static int jwt_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct jwt *j = calloc(1, sizeof(*j));

	(void)prev;
	if (!j)
		return pc_fail(err, NULL, -1, "out of memory");
	j->host = h;
	if (jwt_policy_read(json, &j->policy, err) < 0 || keys_load(&j->policy, j->keys, err) < 0) {
		jwt_close(j);
		return -1;
	}
	for (unsigned i = 0; i < j->policy.group_count; i++)
		if (j->keys[i]->skipped)
			h->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 }, "%s: %u keys, %u skipped (%s)", j->policy.groups[i].where,
			       j->keys[i]->count, j->keys[i]->skipped, j->keys[i]->skip_why);
	if (!j->policy.audience && !j->policy.allowed_clients)
		h->log(SP_LEVEL_WARN, (sp_ticket){ 0 },
		       "neither audience nor allowed_clients is set: every token of the issuer is accepted, whomever it is for");
	*inst = j;
	return 0;
}

static int jwt_worker_open(void *inst, sp_worker *w, void **wctx, sp_error *err)
{
	(void)w;
	(void)err;
	*wctx = inst; /* immutable: all workers share it */
	return 0;
}

static void jwt_worker_close(void *wctx)
{
	(void)wctx;
}

/* ---- requests ---- */

static void without_credential(const struct jwt *j, sp_answer *a)
{
	a->verdict = j->policy.required ? SP_DENY : SP_DECLINE;
	a->why = SP_WHY_NO_CREDENTIAL;
	a->detail = pc_str("no token sent (HTTP: Proxy-Authorization: Bearer ...; SOCKS5: method 0x80, or as password)");
}

static int believe(const struct jwt *j, sp_str token, struct jwt_claims *c, struct jwt_refusal *no)
{
	int64_t now_s = (int64_t)time(NULL);
	struct jwt_token t;
	int rc;

	if (jwt_token_open(token, &j->policy, now_s, &t, no) < 0)
		return -1;
	rc = jwt_token_verify(&t, j->keys[t.group], &j->policy, now_s, c, no);
	jwt_token_deinit(&t);
	return rc;
}

static void jwt_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	const struct jwt *j = wctx;
	sp_answer a = { .size = sizeof(a), .verdict = SP_DENY };
	struct jwt_claims c = { 0 };
	struct jwt_refusal no;
	char detail[sizeof(no.text) + 16];

	(void)slot;
	if (r->cred == SP_CRED_NONE || r->secret.n == 0) {
		without_credential(j, &a);
	} else if (believe(j, r->secret, &c, &no) < 0) {
		a.why = no.why;
		snprintf(detail, sizeof(detail), "token: %s", no.text);
		a.detail = pc_str(detail);
	} else {
		a.verdict = SP_ALLOW;
		a.tenant = c.tenant;
		a.principal = c.principal;
		a.client = c.client;
		a.issuer = c.issuer;
		a.expires_at = c.expires_at;
		a.claims = (sp_str){ c.text, c.text_bytes };
	}
	j->host->answer(t, &a);
	jwt_claims_deinit(&c);
}

static void jwt_finish(void *wctx, void *slot, int end)
{
	(void)wctx;
	(void)slot;
	(void)end;
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "jwt",
	.version = "1",
	.check = jwt_check,
	.open = jwt_open,
	.worker_open = jwt_worker_open,
	.request = jwt_request,
	.finish = jwt_finish,
	.worker_close = jwt_worker_close,
	.close = jwt_close,
};

SP_PLUGIN_EXPORT(jwt, plugin)
