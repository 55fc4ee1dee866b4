/* jwt: callers prove who they are by a JSON Web Token of a configured issuer. Settings: policy.h. The token is what the client
 * sent as bearer token, or as password. */
#include <errno.h>
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
	struct jwt_keyset *keys;
};

/* ---- the key set's file ---- */

static int file_failed(sp_error *err, const char *path, const char *why)
{
	return pc_fail(err, "jwks_file", -1, "%s: %s", path, why);
}

/* Who can change the file can sign as the issuer. Reads one byte more than is accepted, to see that it is too much. */
static int file_read(const char *path, char **text_out, size_t *n_out, sp_error *err)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text;
	size_t n;

	if (!f)
		return file_failed(err, path, strerror(errno));
	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & S_IWOTH)) {
		fclose(f);
		return file_failed(err, path, "not a regular file, or everybody may write it");
	}
	text = malloc(JWT_KEYSET_BYTES_MOST + 1);
	n = text ? fread(text, 1, JWT_KEYSET_BYTES_MOST + 1, f) : 0;
	if (!text || ferror(f) || n > JWT_KEYSET_BYTES_MOST) {
		free(text);
		fclose(f);
		return file_failed(err, path, "cannot be read, or is too large");
	}
	fclose(f);
	*text_out = text;
	*n_out = n;
	return 0;
}

static int keys_load(const char *path, struct jwt_keyset **out, sp_error *err)
{
	char *text = NULL, why[256];
	size_t n = 0;
	int rc;

	if (file_read(path, &text, &n, err) < 0)
		return -1;
	rc = jwt_keyset_import(text, n, out, why, sizeof(why));
	free(text);
	return rc < 0 ? file_failed(err, path, why) : 0;
}

/* ---- instance ---- */

static int jwt_check(const char *json, uint32_t *traits, sp_error *err)
{
	struct jwt_keyset *keys = NULL;
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
	rc = keys_load(p.jwks_file, &keys, err);
	jwt_keyset_free(&keys);
	jwt_policy_deinit(&p);
	return rc;
}

static void jwt_close(void *inst)
{
	struct jwt *j = inst;

	jwt_policy_deinit(&j->policy);
	jwt_keyset_free(&j->keys);
	free(j);
}

static int jwt_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct jwt *j = calloc(1, sizeof(*j));

	(void)prev;
	if (!j)
		return pc_fail(err, NULL, -1, "out of memory");
	j->host = h;
	if (jwt_policy_read(json, &j->policy, err) < 0 || keys_load(j->policy.jwks_file, &j->keys, err) < 0) {
		jwt_close(j);
		return -1;
	}
	if (j->keys->skipped)
		h->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 }, "%s: %u keys, %u skipped (%s)", j->policy.jwks_file, j->keys->count,
		       j->keys->skipped, j->keys->skip_why);
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
	} else if (jwt_verify(r->secret, j->keys, &j->policy, (int64_t)time(NULL), &c, &no) < 0) {
		a.why = no.why;
		snprintf(detail, sizeof(detail), "token: %s", no.text);
		a.detail = pc_str(detail);
	} else {
		a.verdict = SP_ALLOW;
		a.tenant = c.tenant;
		a.principal = c.principal;
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
