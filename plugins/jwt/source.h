/* One source of keys and the table of them, as their two halves see it: source.c (one source's life: fetches, failures, waiting
 * requests) and sources.c (which sources there are, and what unverified names may cause).
 *
 *   no keys --fetch--> fresh --life--> stale --keys_max_stale_s--> no keys
 * A fetch ahead, at 75 to 85 % of the life, keeps a source fresh while it is used. */
#ifndef SP_PLUGINS_JWT_SOURCE_H
#define SP_PLUGINS_JWT_SOURCE_H

#include <sys/queue.h>

#include "sources.h"

struct jwt_wait {
	TAILQ_ENTRY(jwt_wait) node; /* src->waits */
	struct jwt_source *src;
	uint64_t fetch_no; /* src's: that is awaited */
	sp_alarm *alarm;
	jwt_wait_cb *cb;
	void *arg;
};

struct jwt_source {
	struct jwt_sources *all;
	const struct jwt_group *group;
	char *name; /* the tenant or the issuer, where the group has keys for each; else "" */
	size_t name_bytes;
	uint64_t hash;
	LIST_ENTRY(jwt_source) in_bucket;
	TAILQ_ENTRY(jwt_source) node; /* the least recently used first */
	bool fixed, proven;
	bool verified; /* a token, at least once: somebody may remember that */
	bool waking; /* callbacks of waits run: it must stay */
	char *url;   /* of the first request of a fetch; NULL: a file */
	char *label; /* for the operator */

	struct jwt_file file; /* its keys, if it is one */
	int64_t looked_at_ms;

	struct jwt_keyset *keys;
	uint8_t digest[32]; /* SHA-256 of the text that they are from */
	int64_t fetched_ms, life_ms, refresh_ms;
	int64_t used_ms; /* INT64_MIN: never */
	int64_t key_next_ms; /* no fetch for an unknown key before this */

	sp_fetch *fetch;
	uint64_t fetch_no;
	char *keys_url; /* what discovery has found, while it is fetched; NULL */
	sp_alarm *alarm;
	unsigned failures; /* in a row */
	int64_t failing_since_ms, next_try_ms;
	char failed_why[256]; /* the last of them; "" */
	TAILQ_HEAD(, jwt_wait) waits;
};

struct jwt_ration {
	int64_t level_ms; /* fetches to spend, times the milliseconds that one takes to come back */
	int64_t at_ms;
};

TAILQ_HEAD(jwt_source_list, jwt_source);
LIST_HEAD(jwt_source_bucket, jwt_source);

struct jwt_sources {
	const struct jwt_policy *policy;
	struct jwt_sources_env env;
	struct jwt_sources_limits limits;
	struct jwt_source_list fixed, proven, unproven;
	unsigned proven_count, unproven_count, wait_count;
	struct jwt_source_bucket *buckets;
	uint64_t bucket_mask, seed;
	struct jwt_ration names, keys;
	int64_t said_ms; /* the last line about unproven names */
	uint64_t unsaid;
};

#define JWT_SOURCE_NEVER INT64_MIN

static inline int64_t jwt_sources_now(const struct jwt_sources *s)
{
	return s->env.mono_ms(s->env.arg);
}

/* ---- sources.c ---- */

bool jwt_ration_take(struct jwt_sources *s, struct jwt_ration *r, bool look_only);
/* A line about a source: those about unproven names are rationed, so that who makes up names cannot fill a disk. */
void jwt_source_say(struct jwt_source *src, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The most recently used. */
void jwt_source_touch(struct jwt_source *src);

/* ---- source.c ---- */

/* Fixed sources, at the start. */
void jwt_source_begin(struct jwt_source *src);
/* What is under way ends; waits must be over. */
void jwt_source_stop(struct jwt_source *src);

#endif
