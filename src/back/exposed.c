/* The connector's back: an exchange names a system as the connector's file exposes it ("virtual"), and only what is listed
 * there is reached, at its internal address, in its protocol. Everything else does not exist for callers. */
#include <stdio.h>
#include <stdlib.h>

#include "auth/claims.h"
#include "back/direct.h"
#include "base/alloc.h"
#include "codec/paths.h"
#include "codec/rewrite.h"

struct system { /* one entry of the file; what is made of it at start */
	const struct sp_conf_expose *e;
	struct sp_path_rule *rules; /* e->path_count */
	struct sp_tls_ctx *tls;	    /* https */
	struct sp_authority internal;
};

struct exposed {
	struct system *systems;
	unsigned count;
};

/* ---- which system --------------------------------------------------------------------------------------------------- */

static bool matches(const struct sp_conf_expose *e, const struct sp_authority *target)
{
	return target->port >= e->first_port && target->port <= e->last_port &&
	       sp_slice_eq_str_nocase(sp_slice_str(target->host), e->virtual_host);
}

static const struct system *find(const struct exposed *x, const struct sp_authority *target)
{
	for (unsigned i = 0; i < x->count; i++)
		if (matches(x->systems[i].e, target))
			return &x->systems[i];
	return NULL;
}

static enum sp_outcome deny(struct sp_cause *cause, enum sp_outcome outcome, const struct sp_authority *target, const char *why)
{
	char text[SP_AUTHORITY_SIZE];

	sp_cause_set(cause, SP_EDENIED, SP_DOMAIN_SELF, 0, "%s %s", sp_authority_text(target, text), why);
	return outcome;
}

/* ---- tunnels --------------------------------------------------------------------------------------------------------- */

static enum sp_outcome map_exposed(const struct sp_conf *conf, void *arg, const struct sp_authority *target, char *host, uint16_t *port,
				   struct sp_cause *cause)
{
	const struct system *s = find(arg, target);
	uint32_t internal;

	(void)conf;
	if (!s)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, target, "is not exposed");
	if (s->e->suspended)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, target, "is suspended");
	if (s->e->protocol != SP_EXPOSE_TCP)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, target, "is exposed for HTTP requests only, not for tunnels (CONNECT, SOCKS5)");
	internal = s->e->internal_first_port;
	if (s->e->internal_same_offset)
		internal += (uint32_t)(target->port - s->e->first_port);
	if (internal > UINT16_MAX)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, target, "is not exposed");
	memcpy(host, s->e->internal_host, SP_HOST_SIZE);
	*port = (uint16_t)internal;
	return SP_OUTCOME_OK;
}

/* ---- requests -------------------------------------------------------------------------------------------------------- */

static const char *objection(enum sp_path_verdict v)
{
	switch (v) {
	case SP_PATH_ALLOWED:
		return NULL;
	case SP_PATH_SUSPENDED:
		return "has suspended this resource";
	case SP_PATH_METHOD:
		return "does not allow this method for this resource";
	case SP_PATH_MALFORMED:
		return "is not asked for paths that can be read in two ways";
	case SP_PATH_DENIED:
		break;
	}
	return "does not expose this resource";
}

static enum sp_outcome judge(const struct system *s, const struct sp_exchange *x, struct sp_cause *cause)
{
	const char *why;

	if (!s)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, &x->target, "is not exposed");
	if (s->e->suspended)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, &x->target, "is suspended");
	if (s->e->protocol == SP_EXPOSE_TCP)
		return deny(cause, SP_OUTCOME_NOT_EXPOSED, &x->target, "is exposed for tunnels only (CONNECT, SOCKS5), not for HTTP requests");
	why = objection(sp_paths_check(s->rules, s->e->path_count, x->request->method, x->request->path));
	if (why)
		return deny(cause, SP_OUTCOME_PATH_DENIED, &x->target, why);
	if (s->e->body_max_bytes && x->request->has_length && x->request->length > s->e->body_max_bytes)
		return deny(cause, SP_OUTCOME_BODY_TOO_LARGE, &x->target, "takes no body of this length");
	return SP_OUTCOME_OK;
}

/* A header is the connector's word: what clients send under its name never passes, also where there is no claim. texts: one for each. */
static int add_claims(const struct system *s, const struct sp_exchange *x, struct sp_buf *texts, struct sp_fields *f)
{
	for (unsigned i = 0; i < s->e->claim_count; i++) {
		const struct sp_conf_claim *c = &s->e->claims[i];
		int err = sp_fields_set(f, c->header, SP_SLICE(""));

		if (err < 0)
			return err;
		err = sp_claims_text(x->claims, c->claim, &texts[i]);
		if (err == SP_ENOMEM)
			return err;
		if (err == 0)
			f->v[f->count - 1].value = sp_buf_data(&texts[i]);
		else
			f->count--;
	}
	return 0;
}

static int write_head(const struct system *s, struct sp_exchange *x, struct sp_origin_plan *plan)
{
	struct sp_buf *texts = sp_calloc(s->e->claim_count + 1, sizeof(*texts));
	char virtual[SP_AUTHORITY_SIZE];
	struct sp_fields f;
	int err = sp_origin_plan_fields(x, &f);

	if (err == 0)
		err = add_claims(s, x, texts, &f);
	if (err == 0 && s->e->host_internal)
		err = sp_fields_set(&f, "X-Forwarded-Host", sp_slice_str(sp_authority_text(&x->target, virtual)));
	if (err == 0)
		err = sp_origin_plan_write(plan, x, s->e->host_internal ? &s->internal : &x->target, &f);
	for (unsigned i = 0; i < s->e->claim_count; i++)
		sp_buf_wipe(&texts[i]);
	free(texts);
	return err;
}

/* Names of the system become those that the application knows. Texts are collected first: the buffer may move while it grows. */
static int amend(const struct sp_exchange *x, const void *arg, struct sp_msg_response *r, struct sp_buf *scratch)
{
	const struct system *s = arg;
	struct sp_rewrite how = { .internal = &s->internal, .virtual = &x->target, .secure = s->e->protocol == SP_EXPOSE_HTTPS };
	struct { unsigned field; size_t at, n; } changed[SP_FIELDS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < r->fields.count; i++) {
		struct sp_field *f = &r->fields.v[i];
		size_t before = scratch->len;
		int did = 0;

		if (sp_slice_eq_str_nocase(f->name, "location") || sp_slice_eq_str_nocase(f->name, "content-location"))
			did = sp_rewrite_location(&how, f->value, scratch);
		else if (sp_slice_eq_str_nocase(f->name, "set-cookie"))
			did = sp_rewrite_cookie(&how, f->value, scratch);
		if (did < 0)
			return did;
		if (did > 0) {
			changed[count].field = i;
			changed[count].at = before;
			changed[count++].n = scratch->len - before;
		}
	}
	for (unsigned i = 0; i < count; i++)
		r->fields.v[changed[i].field].value = sp_slice_make(sp_buf_data(scratch).p + changed[i].at, changed[i].n);
	return 0;
}

static enum sp_outcome plan_exposed(const struct sp_conf *conf, void *arg, struct sp_exchange *x, struct sp_origin_plan *plan,
				    struct sp_cause *cause)
{
	const struct system *s = find(arg, &x->target);
	enum sp_outcome o = judge(s, x, cause);
	int err;

	(void)conf;
	if (o != SP_OUTCOME_OK)
		return o;
	if (!s->e->upgrade)
		x->request->protocol = SP_SLICE_NONE; /* ignored, as RFC 9110 section 7.8 allows: the system answers without */
	memcpy(plan->host, s->internal.host, SP_HOST_SIZE);
	plan->port = s->internal.port;
	plan->tls = s->tls;
	plan->server_name = s->e->server_name ? s->e->server_name : s->e->internal_host;
	plan->head_max_bytes = plan->head_line_max_bytes = s->e->head_max_bytes;
	plan->body_max_bytes = s->e->body_max_bytes;
	plan->calls_max = s->e->connections;
	x->response_ms = plan->response_ms = s->e->response_ms ? s->e->response_ms : conf->timeouts.response_ms;
	plan->amend = amend;
	plan->amend_arg = s;
	err = write_head(s, x, plan);
	if (err == 0)
		return SP_OUTCOME_OK;
	sp_cause_set(cause, err, SP_DOMAIN_SELF, 0, "a request that cannot be sent on: %s", sp_err_word(err));
	return err == SP_ETOOBIG ? SP_OUTCOME_HEAD_TOO_LARGE : err == SP_ENOMEM ? SP_OUTCOME_LIMIT : SP_OUTCOME_BAD_REQUEST;
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

static void exposed_free(void *arg)
{
	struct exposed *x = arg;

	for (unsigned i = 0; i < x->count; i++) {
		free(x->systems[i].rules);
		sp_tls_ctx_unref(&x->systems[i].tls);
	}
	free(x->systems);
	free(x);
}

static int open_system(struct system *s, const struct sp_conf_expose *e, struct sp_cause *cause)
{
	struct sp_tls_config cfg = { .cert_file = e->cert_file, .key_file = e->key_file, .ca_file = e->ca_file };

	s->e = e;
	s->rules = sp_calloc(e->path_count + 1, sizeof(*s->rules));
	for (unsigned i = 0; i < e->path_count; i++)
		s->rules[i] = (struct sp_path_rule){ e->paths[i].path, e->paths[i].sub_paths, e->paths[i].suspended,
						     (const char *const *)e->paths[i].methods };
	if (sp_authority_make(sp_slice_str(e->internal_host), e->internal_first_port, &s->internal) < 0)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "%s is no host", e->internal_host);
	return e->protocol == SP_EXPOSE_HTTPS ? sp_tls_ctx_new(&cfg, &s->tls, cause) : 0;
}

int sp_back_exposed_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out, struct sp_cause *cause)
{
	static const struct sp_direct_kind kind = { .name = "exposed", .map = map_exposed, .plan = plan_exposed, .free = exposed_free };
	struct exposed *x = SP_NEW(struct exposed);
	int err = 0;

	x->systems = sp_calloc(conf->expose_count + 1, sizeof(*x->systems));
	for (; x->count < conf->expose_count && err == 0; x->count++)
		err = open_system(&x->systems[x->count], &conf->exposes[x->count], cause);
	if (err == 0)
		err = sp_direct_new(loop, conf, &kind, x, out);
	if (err < 0)
		exposed_free(x);
	return err;
}
