/* See judge.h. */
#include "judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/settings.h"

struct judge {
	const sp_host *host;
	bool anonymous;
};

static struct judge_seen seen;

__attribute__((visibility("default"))) struct judge_seen *judge_seen(void);
struct judge_seen *judge_seen(void)
{
	return &seen;
}

static int read_settings(const char *json, int64_t *traits, bool *anonymous, sp_error *err)
{
	static const char *const known[] = { "traits", "anonymous", NULL };
	json_object *o = pc_settings(json, known, err);
	int rc = o ? pc_int(o, "traits", 0, 31, traits, err) : -1;

	if (rc == 0)
		rc = pc_bool(o, "anonymous", anonymous, err);
	json_object_put(o);
	return rc;
}

static int judge_check(const char *json, uint32_t *traits, sp_error *err)
{
	bool anonymous = false;
	int64_t n = 0;
	int rc = read_settings(json, &n, &anonymous, err);

	*traits = (uint32_t)n;
	return rc;
}

static int judge_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	struct judge *j = calloc(1, sizeof(*j));
	int64_t traits = 0;

	(void)prev;
	j->host = h;
	*inst = j;
	return read_settings(json, &traits, &j->anonymous, err);
}

static int judge_worker_open(void *inst, sp_worker *w, void **wctx, sp_error *err)
{
	(void)w;
	(void)err;
	*wctx = inst;
	return 0;
}

static void copy(char *dst, size_t size, sp_str s)
{
	snprintf(dst, size, "%.*s", s.p ? (int)s.n : 6, s.p ? s.p : "absent");
}

static void note(const sp_request *r)
{
	static const char *const creds[] = { "none", "userpass", "bearer" };

	seen.requests++;
	snprintf(seen.cred, sizeof(seen.cred), "%s", creds[r->cred]);
	copy(seen.user, sizeof(seen.user), r->user);
	copy(seen.secret, sizeof(seen.secret), r->secret);
	copy(seen.location, sizeof(seen.location), r->location);
	copy(seen.region, sizeof(seen.region), r->region);
	copy(seen.service_token, sizeof(seen.service_token), r->service_token);
	copy(seen.target_host, sizeof(seen.target_host), r->target_host);
	copy(seen.listener, sizeof(seen.listener), r->listener);
	copy(seen.client, sizeof(seen.client), r->client_addr);
	seen.target_port = r->target_port;
}

static bool says(sp_str s, const char *word)
{
	return s.p && s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static void judge_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	static const struct {
		const char *secret;
		uint32_t why;
	} refusals[] = {
		{ "bad", SP_WHY_BAD_CREDENTIAL }, { "expired", SP_WHY_EXPIRED },   { "forbidden", SP_WHY_FORBIDDEN },
		{ "unknown", SP_WHY_TENANT_UNKNOWN }, { "quota", SP_WHY_QUOTA },
	};
	struct judge *j = wctx;
	sp_answer a = { .size = sizeof(a), .verdict = SP_DENY, .why = SP_WHY_BAD_CREDENTIAL, .detail = pc_str("only-for-the-operator") };

	*slot = NULL;
	note(r);
	if (says(r->secret, "hold"))
		return;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (says(r->secret, refusals[i].secret))
			a.why = refusals[i].why;
	if (says(r->secret, "down")) {
		a.verdict = SP_FAIL;
		a.why = SP_WHY_UNAVAILABLE;
	} else if (r->cred == SP_CRED_NONE) {
		a.verdict = j->anonymous ? SP_ALLOW : SP_DENY;
		a.why = SP_WHY_NO_CREDENTIAL;
	} else if (r->secret.p && r->secret.n >= 4 && memcmp(r->secret.p, "good", 4) == 0) {
		a.verdict = SP_ALLOW;
		a.expires_at = r->secret.n > 5 && r->secret.p[4] == '/' ? atoll(r->secret.p + 5) : 0;
	}
	if (a.verdict == SP_ALLOW) {
		a.tenant = pc_str("t1");
		a.principal = pc_str("app!1");
		a.why = 0;
	}
	j->host->answer(t, &a);
}

static void judge_finish(void *wctx, void *slot, int end)
{
	(void)wctx;
	(void)slot;
	seen.finishes++;
	seen.gone += end == SP_END_CLIENT_GONE;
}

static void judge_worker_close(void *wctx)
{
	(void)wctx;
}

static void judge_close(void *inst)
{
	free(inst);
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "judge",
	.version = "1",
	.check = judge_check,
	.open = judge_open,
	.worker_open = judge_worker_open,
	.request = judge_request,
	.finish = judge_finish,
	.worker_close = judge_worker_close,
	.close = judge_close,
};

SP_PLUGIN_EXPORT(judge, plugin)
