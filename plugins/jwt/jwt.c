/* jwt: callers prove who they are by a JSON Web Token of a configured issuer. Settings: policy.h. The token is what the client
 * sent as bearer token, or as password.
 *
 *   request -> remembered -> answer
 *           -> opened -> keys there -> verified or refused
 *                     -> keys on their way -> waits -> ...     (for the source's first keys, and once for a key it does not have) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "common/settings.h"
#include "sources.h"
#include "verify.h"

struct jwt {
	const sp_host *host;
	struct jwt_policy policy;
	struct jwt_file files[JWT_GROUPS_MOST]; /* by group; as they were at the start */
};

struct worker {
	const struct jwt *jwt;
	struct jwt_sources *sources;
	struct jwt_cache *cache;
};

/* A request that waits for keys. The host keeps its strings until finish(). */
struct pending {
	struct worker *w;
	sp_ticket ticket;
	sp_str secret;
	struct jwt_token token;
	struct jwt_source *src;
	struct jwt_wait *wait;
	int64_t deadline_ms; /* of waiting: early enough to say why it was in vain */
	bool asked_again;    /* for a key that the set did not have */
};

static int64_t mono_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- instance ---- */

static bool is_file(const struct jwt_group *g)
{
	return g->from == JWT_KEYS_FILE || g->from == JWT_KEYS_SECRET;
}

static int files_read(const struct jwt_policy *p, struct jwt_file *files, sp_error *err)
{
	for (unsigned i = 0; i < p->group_count; i++)
		if (is_file(&p->groups[i]) && jwt_file_look(&files[i], &p->groups[i], (int64_t)time(NULL)) == JWT_FILE_BAD)
			return jwt_policy_fail(p, i, files[i].complaint, err);
	return 0;
}

static void files_free(struct jwt_file *files)
{
	for (unsigned i = 0; i < JWT_GROUPS_MOST; i++)
		jwt_file_deinit(&files[i]);
}

static int jwt_check(const char *json, uint32_t *traits, sp_error *err)
{
	struct jwt_file files[JWT_GROUPS_MOST] = { 0 };
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
	rc = files_read(&p, files, err);
	files_free(files);
	jwt_policy_deinit(&p);
	return rc;
}

static void jwt_close(void *inst)
{
	struct jwt *j = inst;

	jwt_policy_deinit(&j->policy);
	files_free(j->files);
	free(j);
}

static int can_fetch(const struct jwt *j, sp_error *err)
{
	for (unsigned i = 0; i < j->policy.group_count; i++)
		if (!is_file(&j->policy.groups[i]) && !SP_HAS(sp_host, j->host, alarm_cancel))
			return jwt_policy_fail(&j->policy, i, "this version of sallyport cannot fetch keys: give them as a file", err);
	return 0;
}

static int jwt_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct jwt *j = calloc(1, sizeof(*j));

	(void)prev;
	if (!j)
		return pc_fail(err, NULL, -1, "out of memory");
	j->host = h;
	if (jwt_policy_read(json, &j->policy, err) < 0 || can_fetch(j, err) < 0 || files_read(&j->policy, j->files, err) < 0) {
		jwt_close(j);
		return -1;
	}
	for (unsigned i = 0; i < j->policy.group_count; i++)
		if (j->files[i].keys && j->files[i].keys->skipped)
			h->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 }, "%s: %u keys, %u skipped (%s)", j->policy.groups[i].where,
			       j->files[i].keys->count, j->files[i].keys->skipped, j->files[i].keys->skip_why);
	if (!j->policy.audience && !j->policy.allowed_clients)
		h->log(SP_LEVEL_WARN, (sp_ticket){ 0 },
		       "neither audience nor allowed_clients is set: every token of the issuer is accepted, whomever it is for");
	*inst = j;
	return 0;
}

/* ---- worker ---- */

static void on_forget(void *arg, const struct jwt_source *src)
{
	jwt_cache_forget(((struct worker *)arg)->cache, src);
}

static void jwt_worker_close(void *wctx)
{
	struct worker *w = wctx;

	jwt_sources_free(&w->sources);
	jwt_cache_free(&w->cache);
	free(w);
}

static int jwt_worker_open(void *inst, sp_worker *worker, void **wctx, sp_error *err)
{
	const struct jwt *j = inst;
	struct worker *w = calloc(1, sizeof(*w));
	struct jwt_sources_env env = { .host = j->host, .worker = worker, .forget = on_forget, .arg = w };

	if (!w)
		return pc_fail(err, NULL, -1, "out of memory");
	w->jwt = j;
	w->cache = jwt_cache_new(j->policy.token_cache, JWT_CACHE_BYTES_MOST);
	if ((!w->cache && j->policy.token_cache) ||
	    jwt_sources_new(&j->policy, j->files, &env, &jwt_sources_limits_default, &w->sources) < 0) {
		jwt_worker_close(w);
		return pc_fail(err, NULL, -1, "out of memory");
	}
	*wctx = w;
	return 0;
}

/* ---- answers ---- */

static void answer_failure(const struct worker *w, sp_ticket t, uint32_t verdict, uint32_t why, const char *text)
{
	sp_answer a = { .size = sizeof(a), .verdict = verdict, .why = why, .detail = pc_str(text) };

	w->jwt->host->answer(t, &a);
}

static void answer_refusal(const struct worker *w, sp_ticket t, const struct jwt_refusal *no)
{
	char detail[sizeof(no->text) + 16];

	snprintf(detail, sizeof(detail), "token: %s", no->text);
	answer_failure(w, t, SP_DENY, no->why, detail);
}

/* Not the token's fault: 503, and nobody is asked for another one. */
static void answer_no_keys(const struct worker *w, sp_ticket t, const struct jwt_source *src)
{
	char trouble[512], detail[sizeof(trouble) + 32];

	jwt_source_trouble(src, trouble, sizeof(trouble));
	snprintf(detail, sizeof(detail), "no keys: %s", trouble);
	answer_failure(w, t, SP_FAIL, SP_WHY_UNAVAILABLE, detail);
}

static void answer_cached(const struct worker *w, sp_ticket t, const struct jwt_cached *c)
{
	sp_answer a = { .size = sizeof(a), .verdict = SP_ALLOW, .tenant = c->tenant, .principal = c->principal, .client = c->client,
			.issuer = c->issuer, .subdomain = c->subdomain, .claims = c->claims, .expires_at = c->expires_at };

	w->jwt->host->answer(t, &a);
}

static void answer_claims(const struct worker *w, sp_ticket t, const struct jwt_claims *c)
{
	sp_answer a = { .size = sizeof(a), .verdict = SP_ALLOW, .tenant = c->tenant, .principal = c->principal, .client = c->client,
			.issuer = c->issuer, .subdomain = c->subdomain, .claims = { c->text, c->text_bytes }, .expires_at = c->expires_at };

	w->jwt->host->answer(t, &a);
}

static void without_credential(const struct worker *w, sp_ticket t)
{
	answer_failure(w, t, w->jwt->policy.required ? SP_DENY : SP_DECLINE, SP_WHY_NO_CREDENTIAL,
		       "no token sent (HTTP: Proxy-Authorization: Bearer ...; SOCKS5: method 0x80, or as password)");
}

/* ---- waiting for keys ---- */

static void decide(struct pending *p, const struct jwt_keyset *ks);

static void on_waited(void *arg, struct jwt_source *src)
{
	struct pending *p = arg;
	struct jwt_keyset *ks = jwt_source_keys(src);

	p->wait = NULL;
	if (ks)
		decide(p, ks);
	else
		answer_no_keys(p->w, p->ticket, src);
}

static void wait_for_keys(struct pending *p)
{
	int64_t left = p->deadline_ms - mono_ms();

	if (left > 0)
		p->wait = jwt_source_wait(p->src, (uint32_t)left, on_waited, p);
	if (!p->wait)
		answer_failure(p->w, p->ticket, SP_FAIL, SP_WHY_UNAVAILABLE,
			       left > 0 ? "no keys: too many requests wait for keys" : "no keys: they did not come in time");
}

/* The one place where a token is let in, or not. */
static void decide(struct pending *p, const struct jwt_keyset *ks)
{
	struct worker *w = p->w;
	struct jwt_claims c = { 0 };
	struct jwt_refusal no;

	if (jwt_token_verify(&p->token, ks, &w->jwt->policy, (int64_t)time(NULL), &c, &no) == 0) {
		jwt_source_prove(p->src);
		jwt_cache_add(w->cache, p->secret, &c, ks, p->src);
		answer_claims(w, p->ticket, &c);
		jwt_claims_deinit(&c);
	} else if (!no.unknown_key || jwt_source_unknown_key(p->src) != JWT_READY_SOON) {
		answer_refusal(w, p->ticket, &no);
	} else if (!p->asked_again) {
		p->asked_again = true;
		wait_for_keys(p);
	} else { /* the keys that might help are still on their way */
		answer_no_keys(w, p->ticket, p->src);
	}
}

/* ---- requests ---- */

static bool answer_remembered(struct worker *w, sp_ticket t, sp_str token)
{
	const struct jwt_cached *c = jwt_cache_find(w->cache, token, (int64_t)time(NULL));
	struct jwt_keyset *ks = NULL;

	if (!c || jwt_source_get(c->source, &ks) != JWT_READY || !jwt_cache_holds(w->cache, c, ks))
		return false;
	answer_cached(w, t, c);
	return true;
}

static void pending_free(struct pending *p)
{
	if (p->wait)
		jwt_wait_cancel(p->wait);
	jwt_token_deinit(&p->token);
	free(p);
}

static void judge(struct pending *p)
{
	struct worker *w = p->w;
	struct jwt_keyset *ks = NULL;
	const char *why = NULL;

	p->src = jwt_sources_find(w->sources, p->token.group, p->token.issuer, p->token.tenant, &why);
	if (!p->src) {
		answer_failure(w, p->ticket, SP_FAIL, SP_WHY_UNAVAILABLE, why);
		return;
	}
	switch (jwt_source_get(p->src, &ks)) {
	case JWT_READY:
		decide(p, ks);
		break;
	case JWT_READY_SOON:
		wait_for_keys(p);
		break;
	case JWT_NOT_READY:
		answer_no_keys(w, p->ticket, p->src);
		break;
	}
}

static void jwt_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	struct worker *w = wctx;
	struct jwt_refusal no;
	struct pending *p;

	if (r->cred == SP_CRED_NONE || r->secret.n == 0) {
		without_credential(w, t);
		return;
	}
	if (answer_remembered(w, t, r->secret))
		return;
	p = calloc(1, sizeof(*p));
	if (!p) {
		answer_failure(w, t, SP_FAIL, SP_WHY_UNAVAILABLE, "out of memory");
		return;
	}
	*slot = p;
	*p = (struct pending){ .w = w, .ticket = t, .secret = r->secret, .deadline_ms = mono_ms() + r->budget_ms / 10 * 9 };
	if (jwt_token_open(r->secret, &w->jwt->policy, (int64_t)time(NULL), &p->token, &no) == 0)
		judge(p);
	else
		answer_refusal(w, t, &no);
}

static void jwt_finish(void *wctx, void *slot, int end)
{
	(void)wctx;
	(void)end;
	if (slot)
		pending_free(slot);
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
