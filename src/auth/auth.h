/* Plugins, chains, tickets (include/sallyport/plugin.h). Process-wide: struct sp_auth, opened on the main thread from a
 * snapshot. Per worker: struct sp_auth_worker. A run walks one request through a chain: every step gets a ticket (slot and
 * generation); late, double and stale answers are dropped and counted; answers may come from any thread and are handled on
 * the loop; finish() exactly once per request(). */
#ifndef SP_AUTH_AUTH_H
#define SP_AUTH_AUTH_H

#include "base/slice.h"
#include "codec/outcome.h"
#include "conf/conf.h"
#include "net/loop.h"

struct sp_auth;
struct sp_auth_worker;
struct sp_auth_run;

/* Loads every plugin that the chains of c name: path rules (file and folder owned by root or us, not writable by others),
 * dlopen, symbol, magic, size, check, open. 0, or SP_EINVAL with lines in r naming file, line, plugin and setting.
 * check_only: everything but open(). */
int sp_auth_open(struct sp_conf *c, bool check_only, struct sp_auth **out, struct sp_report *r);
void sp_auth_close(struct sp_auth **a); /* every worker must be closed */
/* The union over a chain's plugins of SP_TRAIT_*. */
uint32_t sp_auth_traits(const struct sp_auth *a, unsigned chain);

int sp_auth_worker_open(struct sp_auth *a, struct sp_loop *loop, struct sp_auth_worker **out, struct sp_report *r);
/* Cancels what runs (SP_END_SHUTDOWN, callbacks are not called), closes the plugins' worker contexts. */
void sp_auth_worker_close(struct sp_auth_worker **w);

struct sp_auth_request { /* borrowed for the call of sp_auth_start(); absent = not sent */
	uint64_t conn_id;
	const char *listener, *client_addr;
	enum { SP_AUTH_NONE, SP_AUTH_USERPASS, SP_AUTH_BEARER } kind;
	struct sp_slice user, secret; /* secret: password or token */
	struct sp_slice location, region, service_token, target_host;
	uint16_t target_port;	      /* 0: not known yet */
	struct sp_slice cert_subject, cert_sans, cert_sha256;
	int64_t cert_not_after;	      /* Unix seconds; 0: no certificate */
};

struct sp_identity { /* the result of a chain; heap strings, owned */
	char *tenant, *principal, *upstream_auth /* secret */, *claims;
	char *client, *issuer; /* the application that the credential was issued to, and by whom; NULL: not said */
	char *subdomain;       /* the tenant's, for addresses of token servers; visible ASCII; NULL: not said */
	const char *plugin; /* whose word it is: the first that verified, else the first that allowed; borrowed from the snapshot */
	int64_t expires_at; /* Unix seconds; 0 = never */
};
void sp_identity_deinit(struct sp_identity *id);
int sp_identity_copy(const struct sp_identity *from, struct sp_identity *to); /* 0 or SP_ENOMEM */

/* outcome OK: id is the receiver's (move it out and zero it, or it is freed after the call). Else cause says for the operator which
 * plugin and why, and id, the receiver's too, holds no more than the names of who was refused (tenant, principal, client, issuer), for
 * logs: those that were established before, by plugins that verify wherever the chain has such. It admits to nothing. A tenant is required unless the run was started with need_tenant = false. */
typedef void sp_auth_cb(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause);

/* What a chain makes of its plugins' answers: principal, client and issuer, the last ALLOW that sets them; tenant, a later different one ends the run
 * (TENANT_CONFLICT); expires_at, the least, and one that has passed ends it (EXPIRED_CREDENTIAL); upstream_auth, the last;
 * claims, replaced. DENY ends it by its reason, FAIL and no answer in time as UNAVAILABLE. At the end at least one plugin must
 * have allowed, and where any of the chain's plugins verifies callers, one of those: else NO_CREDENTIAL or, if one was sent,
 * BAD_CREDENTIAL.
 *
 * Starts a run; cb comes exactly once, never inside this call, within budget_ms (else UNAVAILABLE). The request's bytes are
 * copied. NULL when memory is out or too many run at once (treat as UNAVAILABLE). The run is gone when cb is called. cb may
 * start and cancel runs and close the worker. */
struct sp_auth_run *sp_auth_start(struct sp_auth_worker *w, unsigned chain, const struct sp_auth_request *req, bool need_tenant,
				  uint64_t budget_ms, sp_auth_cb *cb, void *arg);
/* The client left: finish(SP_END_CLIENT_GONE) at once, no callback. */
void sp_auth_cancel(struct sp_auth_run **run); /* *run may be NULL */
/* Answers that came for tickets that were no longer valid, since start: for tests and metrics. */
uint64_t sp_auth_stale_answers(const struct sp_auth_worker *w);

/* The operational mode of a chain in words: "single-tenant, non-trusted environment". NULL when the chain can resolve no tenant. */
const char *sp_auth_mode(uint32_t traits);

#endif
