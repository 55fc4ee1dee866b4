/* One request's way through a chain.
 *
 *   start -> ASKED(step 0) -answer-> ASKED(step 1) ... -> ended (callback)
 *            ASKED -deadline-> ended (callback)      ASKED -cancel, worker_close-> dropped (no callback)
 *
 * Every step's request() gets a fresh ticket and exactly one finish(). */
#include <stdlib.h>
#include <time.h>

#include "auth/internal.h"
#include "base/secret.h"

static const struct sp_auth_instance *asked(const struct sp_auth_run *run)
{
	return &run->chain->instances[run->step];
}

/* The ticket dies before the plugin hears of it: an answer inside finish() is stale. */
static void finish(struct sp_auth_run *run, int end)
{
	const struct sp_auth_instance *in = asked(run);
	void *slot = run->plugin_slot;

	run->ticket = 0;
	run->plugin_slot = NULL;
	if (in->module->plugin.finish) {
		struct sp_auth_call call = sp_auth_call_begin(in, run->w, "finish");

		in->module->plugin.finish(run->w->contexts[in->index].wctx, slot, end);
		sp_auth_call_end(&call);
	}
}

static void unlink_run(struct sp_auth_run *run)
{
	sp_timer_stop(run->w->loop, &run->timer);
	sp_auth_slot_give(run->w, run->slot);
	sp_list_remove(&run->node);
}

static void free_run(struct sp_auth_run *run)
{
	sp_identity_deinit(&run->id);
	sp_wipe(run->bytes, run->bytes_count);
	free(run->bytes);
	free(run);
}

/* What is left of the identity of somebody who is refused: names for the records. */
static void strip_identity(struct sp_auth_run *run)
{
	struct sp_identity *id = &run->id;

	if (!run->allowed || ((run->chain->traits & SP_TRAIT_VERIFIES) && !run->verified)) {
		sp_identity_deinit(id);
		return;
	}
	sp_secret_free(&id->upstream_auth);
	sp_secret_free(&id->claims);
	id->expires_at = 0;
}

static void end(struct sp_auth_run *run, enum sp_outcome outcome, const struct sp_cause *cause)
{
	unlink_run(run);
	if (outcome != SP_OUTCOME_OK)
		strip_identity(run);
	run->cb(run->arg, outcome, &run->id, cause);
	free_run(run);
}

void sp_auth_run_drop(struct sp_auth_run *run, int why)
{
	finish(run, why);
	unlink_run(run);
	free_run(run);
}

static void end_text(struct sp_auth_run *run, enum sp_outcome outcome, int err, const char *text)
{
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, err, SP_DOMAIN_AUTH, 0, "chain \"%s\": %s", run->chain->name, text);
	end(run, outcome, &cause);
}

/* Where a chain has plugins that verify, one of them must have allowed: else a caller without any credential would get in
 * through those that ask for none, when the verifying ones decline. */
static void end_of_chain(struct sp_auth_run *run)
{
	struct sp_cause none = { 0 };

	if (!run->allowed || ((run->chain->traits & SP_TRAIT_VERIFIES) && !run->verified)) {
		bool sent = run->req.cred != SP_CRED_NONE;

		end_text(run, sent ? SP_OUTCOME_BAD_CREDENTIAL : SP_OUTCOME_NO_CREDENTIAL, SP_EDENIED,
			 sent ? "no plugin could judge the credential that was sent" : "no credential was sent");
	} else if (run->need_tenant && !run->id.tenant) {
		end_text(run, SP_OUTCOME_TENANT_UNKNOWN, SP_EDENIED, "no plugin established a tenant");
	} else {
		end(run, SP_OUTCOME_OK, &none);
	}
}

static sp_str str(const char *s)
{
	return (sp_str){ s, s ? strlen(s) : 0 };
}

static void ask(struct sp_auth_run *run)
{
	const struct sp_auth_instance *in = asked(run);
	uint64_t now = sp_loop_now_ms(run->w->loop), left = run->deadline_mono_ms > now ? run->deadline_mono_ms - now : 0;
	sp_ticket t = sp_auth_ticket_make(run->w, run->slot);
	struct sp_auth_call call;

	run->ticket = t.v;
	run->req.budget_ms = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
	run->req.tenant = str(run->id.tenant);
	run->req.principal = str(run->id.principal);
	run->req.claims = str(run->id.claims);
	call = sp_auth_call_begin(in, run->w, "request");
	in->module->plugin.request(run->w->contexts[in->index].wctx, t, &run->req, &run->plugin_slot);
	sp_auth_call_end(&call);
}

void sp_auth_run_answered(struct sp_auth_run *run, const sp_answer *a)
{
	const struct sp_auth_instance *in = asked(run);
	struct sp_cause cause = { 0 };
	enum sp_outcome o;

	finish(run, SP_END_ANSWERED);
	o = sp_auth_merge(&run->id, a, in->conf->name, (int64_t)time(NULL), &cause);
	if (o != SP_OUTCOME_OK) {
		end(run, o, &cause);
		return;
	}
	if (a->verdict == SP_ALLOW) {
		bool verifies = in->traits & SP_TRAIT_VERIFIES;

		if (!run->allowed || (verifies && !run->verified))
			run->id.plugin = in->conf->name;
		run->allowed = true;
		run->verified = run->verified || verifies;
	}
	if (++run->step == run->chain->count)
		end_of_chain(run);
	else
		ask(run);
}

static void on_deadline(struct sp_timer *t)
{
	struct sp_auth_run *run = SP_CONTAINER_OF(t, struct sp_auth_run, timer);
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, SP_ETIMEOUT, SP_DOMAIN_AUTH, 0, "plugin \"%s\": it did not answer in time", asked(run)->conf->name);
	finish(run, SP_END_TIMEOUT);
	end(run, SP_OUTCOME_UNAVAILABLE, &cause);
}

/* ---- start ---- */

struct copy { struct sp_slice from; sp_str *to; };

/* One block for all bytes of the request, so that one wipe gets them all. */
static bool copy_bytes(struct sp_auth_run *run, const struct copy *c, unsigned count)
{
	size_t n = 0;
	char *p;

	for (unsigned i = 0; i < count; i++)
		n += c[i].from.n;
	run->bytes = p = malloc(n + 1);
	if (!p)
		return false;
	run->bytes_count = n + 1;
	for (unsigned i = 0; i < count; i++) {
		if (!c[i].from.p)
			continue;
		if (c[i].from.n > 0)
			memcpy(p, c[i].from.p, c[i].from.n);
		*c[i].to = (sp_str){ p, c[i].from.n };
		p += c[i].from.n;
	}
	return true;
}

static bool copy_request(struct sp_auth_run *run, const struct sp_auth_request *req)
{
	static const uint32_t creds[] = { [SP_AUTH_NONE] = SP_CRED_NONE,
					  [SP_AUTH_USERPASS] = SP_CRED_USERPASS,
					  [SP_AUTH_BEARER] = SP_CRED_BEARER };
	sp_request *r = &run->req;
	bool target = req->target_port != 0;
	const struct copy all[] = {
		{ sp_slice_str(req->client_addr), &r->client_addr },
		{ sp_slice_str(req->listener), &r->listener },
		{ req->user, &r->user },
		{ req->secret, &r->secret },
		{ req->location, &r->location },
		{ target ? req->target_host : SP_SLICE_NONE, &r->target_host },
		{ req->cert_subject, &r->cert_subject },
		{ req->cert_sans, &r->cert_sans },
		{ req->cert_sha256, &r->cert_sha256 },
		{ req->region, &r->region },
		{ req->service_token, &r->service_token },
	};

	*r = (sp_request){ .size = sizeof(*r), .stage = SP_STAGE_AUTHN | (target ? SP_STAGE_CONNECT : 0),
			   .cred = creds[req->kind], .conn_id = req->conn_id, .target_port = req->target_port,
			   .cert_not_after = req->cert_not_after };
	return copy_bytes(run, all, SP_COUNT_OF(all));
}

struct sp_auth_run *sp_auth_start(struct sp_auth_worker *w, unsigned chain, const struct sp_auth_request *req, bool need_tenant,
				  uint64_t budget_ms, sp_auth_cb *cb, void *arg)
{
	struct sp_auth_run *run = calloc(1, sizeof(*run));

	sp_loop_assert(w->loop);
	sp_must(chain < w->auth->chain_count);
	if (!run)
		return NULL;
	run->w = w;
	run->chain = &w->auth->chains[chain];
	run->need_tenant = need_tenant;
	run->cb = cb;
	run->arg = arg;
	if (!copy_request(run, req) || sp_auth_slot_take(w, run, &run->slot) < 0) {
		free_run(run);
		return NULL;
	}
	sp_list_append(&w->runs, &run->node);
	run->deadline_mono_ms = sp_loop_now_ms(w->loop) + budget_ms;
	sp_timer_start(w->loop, &run->timer, budget_ms, on_deadline);
	ask(run);
	return run;
}

void sp_auth_cancel(struct sp_auth_run **run)
{
	if (!*run)
		return;
	sp_loop_assert((*run)->w->loop);
	sp_auth_run_drop(*run, SP_END_CLIENT_GONE);
	*run = NULL;
}
