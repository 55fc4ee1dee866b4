/* Where keys come from, for one worker: files, https URLs, URLs per tenant, and what issuers say of themselves. Key sets are kept,
 * refreshed before they are old, and used beyond that while they cannot be refreshed, up to the policy's keys_max_stale_s.
 *
 * A source is fixed (the settings name it: it is there from the start and for ever) or named by a token that nobody has verified
 * (a tenant, or an issuer that fits a template). Of the latter there are bounded numbers, and the fetches that they cause are
 * rationed. Those whose keys have verified a token (jwt_source_prove) have their own room, so names that somebody makes up never
 * drive them out.
 *
 * Everything here is for the worker's loop thread; nothing is shared with other workers but immutable key sets. */
#ifndef SP_PLUGINS_JWT_SOURCES_H
#define SP_PLUGINS_JWT_SOURCES_H

#include "file.h"
#include "keyset.h"
#include "policy.h"

struct jwt_sources;
struct jwt_source;
struct jwt_wait;

/* What is outside. Tests bring a clock and dice of their own. */
struct jwt_sources_env {
	const sp_host *host;
	sp_worker *worker;
	int64_t (*mono_ms)(void *arg); /* NULL: the system's; counts while the system sleeps */
	int64_t (*wall_s)(void *arg);  /* NULL: the system's */
	uint32_t (*random)(void *arg); /* NULL: OpenSSL's */
	/* src goes away, and had verified tokens: forget them. NULL: nobody cares. */
	void (*forget)(void *arg, const struct jwt_source *src);
	void *arg;
};

struct jwt_sources_limits {
	unsigned proven, unproven; /* sources that tokens name */
	unsigned waits;		   /* requests that wait for keys */
	unsigned burst, per_s;	   /* neither 0: fetches for unproven names; and, counted apart, for unknown keys of named sources */
};
extern const struct jwt_sources_limits jwt_sources_limits_default;

/* With every fixed source: files as they were read (by group; NULL: none), the first fetch of each URL begun and not awaited.
 * p and files outlive it; env and limits are copied. 0, or -1: out of memory. */
int jwt_sources_new(const struct jwt_policy *p, const struct jwt_file *files, const struct jwt_sources_env *env,
		    const struct jwt_sources_limits *limits, struct jwt_sources **out);
/* Nobody waits any more. */
void jwt_sources_free(struct jwt_sources **s);

/* Whose keys must have signed a token: its group, and, where these matter, its issuer or its tenant. It stays until control goes
 * back to the loop, while somebody waits for it, and until env.forget. NULL with *why_out (static text): cannot be had now. */
struct jwt_source *jwt_sources_find(struct jwt_sources *s, unsigned group, sp_str issuer, sp_str tenant, const char **why_out);

enum jwt_ready {
	JWT_NOT_READY,	/* nothing that may be used, and nothing under way: jwt_source_trouble() says why */
	JWT_READY_SOON, /* a fetch is under way: jwt_source_wait() */
	JWT_READY	/* *ks_out: borrowed until control goes back to the loop */
};
/* Notes that the source is used: it is refreshed ahead only while it is. May look at a file (once a second), may begin a fetch. */
enum jwt_ready jwt_source_get(struct jwt_source *src, struct jwt_keyset **ks_out);
/* What may be used right now, old or not; NULL: nothing. */
struct jwt_keyset *jwt_source_keys(struct jwt_source *src);
/* A token names a key that the set has not. SOON: a fetch is under way, which might bring it. NOT_READY: the set is to be believed. */
enum jwt_ready jwt_source_unknown_key(struct jwt_source *src);
/* These keys have verified a token. */
void jwt_source_prove(struct jwt_source *src);
/* A sentence for the operator: why there are no keys, or what the last attempt failed with; "" if there is nothing to tell. */
void jwt_source_trouble(const struct jwt_source *src, char *text, size_t size);

/* After JWT_READY_SOON: cb once, when the fetch has ended, well or badly, or after most_ms; then jwt_source_keys() decides. src is
 * valid in cb. NULL: too many wait already. */
typedef void jwt_wait_cb(void *arg, struct jwt_source *src);
struct jwt_wait *jwt_source_wait(struct jwt_source *src, uint32_t most_ms, jwt_wait_cb *cb, void *arg);
void jwt_wait_cancel(struct jwt_wait *w); /* before cb; it will not run */

#endif
