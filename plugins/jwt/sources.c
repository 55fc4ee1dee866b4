/* The table of sources: see sources.h. Two kinds of named ones, each in the order of use; unproven ones make room for unproven ones,
 * proven ones for proven ones. */
#include "source.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/settings.h"
#include "discovery.h"
#include "issuer.h"

#define SAY_EVERY_MS 10000

/* A burst is what a start with many tenants needs; unproven sources outnumber the fetches that can be under way at once. */
const struct jwt_sources_limits jwt_sources_limits_default = { .proven = 2000, .unproven = 128, .waits = 4096, .burst = 64, .per_s = 5 };

/* ---- the system's clocks and dice ---- */

static int64_t system_mono_ms(void *arg)
{
	struct timespec t;

	(void)arg;
	/* Because: keys age while the system sleeps. */
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall_s(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static uint32_t system_random(void *arg)
{
	uint32_t r = 0;

	(void)arg;
	RAND_bytes((unsigned char *)&r, sizeof(r)); /* only spreads work: 0 will do */
	return r;
}

/* ---- rations ---- */

bool jwt_ration_take(struct jwt_sources *s, struct jwt_ration *r, bool look_only)
{
	int64_t now = jwt_sources_now(s), cost = 1000 / s->limits.per_s, most = cost * s->limits.burst;

	r->level_ms += now - r->at_ms;
	r->at_ms = now;
	if (r->level_ms > most)
		r->level_ms = most;
	if (r->level_ms < cost)
		return false;
	if (!look_only)
		r->level_ms -= cost;
	return true;
}

static void say(struct jwt_sources *s, int level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct jwt_sources *s, int level, const char *fmt, ...)
{
	int64_t now = jwt_sources_now(s);
	char text[768];
	va_list ap;

	if (s->said_ms != JWT_SOURCE_NEVER && now - s->said_ms < SAY_EVERY_MS) {
		s->unsaid++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->env.host->log(level, (sp_ticket){ 0 }, "%s (%llu such lines left out)", text, (unsigned long long)s->unsaid);
	s->said_ms = now;
	s->unsaid = 0;
}

void jwt_source_say(struct jwt_source *src, int level, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (src->fixed || src->proven || level == SP_LEVEL_DEBUG)
		src->all->env.host->log(level, (sp_ticket){ 0 }, "%s", text);
	else
		say(src->all, level, "%s", text);
}

/* ---- one source's bones ---- */

static bool unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

/* RFC 3986 section 2.1. */
static char *url_with_zid(const char *url, const char *zid, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t at = strlen(url);
	char *out = malloc(at + sizeof("?zid=") + 3 * n);

	if (!out)
		return NULL;
	memcpy(out, url, at);
	at += (size_t)sprintf(out + at, "%czid=", strchr(url, '?') ? '&' : '?');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)zid[i];

		if (unreserved(c)) {
			out[at++] = (char)c;
			continue;
		}
		out[at++] = '%';
		out[at++] = hex[c >> 4];
		out[at++] = hex[c & 15];
	}
	out[at] = '\0';
	return out;
}

/* What comes from a token is not shown as it is unless it is harmless. */
static char *label_of(const struct jwt_group *g, const char *name, size_t n)
{
	size_t url_bytes = g->where ? (g->from == JWT_KEYS_URL ? strcspn(g->where, "?") : strlen(g->where)) : 0, at;
	char *out = malloc(url_bytes + n + sizeof(" for tenant ")), *p;

	if (!out)
		return NULL;
	if (url_bytes)
		memcpy(out, g->where, url_bytes);
	at = url_bytes;
	if (g->per_tenant)
		at += (size_t)sprintf(out + at, " for tenant ");
	for (p = out + at; n > 0; n--, name++)
		*p++ = *name > 0x20 && *name < 0x7f ? *name : '?';
	*p = '\0';
	return out;
}

static char *url_of(const struct jwt_group *g, const char *name, size_t n)
{
	if (g->from == JWT_KEYS_DISCOVERY)
		return jwt_discovery_url(name, n);
	return g->per_tenant ? url_with_zid(g->where, name, n) : strdup(g->where);
}

static uint64_t hash(const struct jwt_sources *s, const struct jwt_group *g, sp_str name)
{
	uint64_t h = s->seed ^ ((uint64_t)(g - s->policy->groups) * UINT64_C(0x9e3779b97f4a7c15));

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

static void source_free(struct jwt_source *src)
{
	struct jwt_wait *w;

	jwt_source_stop(src);
	while ((w = TAILQ_FIRST(&src->waits)) != NULL)
		jwt_wait_cancel(w);
	jwt_file_deinit(&src->file);
	jwt_keyset_free(&src->keys);
	free(src->keys_url);
	free(src->url);
	free(src->label);
	free(src->name);
	free(src);
}

static struct jwt_source *source_new(struct jwt_sources *s, const struct jwt_group *g, sp_str name)
{
	struct jwt_source *src = calloc(1, sizeof(*src));
	bool fetched = g->from == JWT_KEYS_URL || g->from == JWT_KEYS_DISCOVERY;

	if (!src)
		return NULL;
	*src = (struct jwt_source){ .all = s, .group = g, .name_bytes = name.n, .used_ms = JWT_SOURCE_NEVER, .hash = hash(s, g, name) };
	TAILQ_INIT(&src->waits);
	src->key_next_ms = src->next_try_ms = src->looked_at_ms = jwt_sources_now(s);
	src->name = strndup(name.n ? name.p : "", name.n);
	src->label = label_of(g, name.n ? name.p : "", name.n);
	if (src->name && fetched)
		src->url = url_of(g, src->name, name.n);
	if (!src->name || !src->label || (fetched && !src->url)) {
		source_free(src);
		return NULL;
	}
	LIST_INSERT_HEAD(&s->buckets[src->hash & s->bucket_mask], src, in_bucket);
	return src;
}

/* ---- the table ---- */

static struct jwt_source_list *list_of(struct jwt_source *src)
{
	return src->fixed ? &src->all->fixed : src->proven ? &src->all->proven : &src->all->unproven;
}

static void drop(struct jwt_source *src)
{
	struct jwt_sources *s = src->all;

	if (src->verified && s->env.forget)
		s->env.forget(s->env.arg, src);
	TAILQ_REMOVE(list_of(src), src, node);
	if (!src->fixed)
		--*(src->proven ? &s->proven_count : &s->unproven_count);
	LIST_REMOVE(src, in_bucket);
	source_free(src);
}

void jwt_source_touch(struct jwt_source *src)
{
	struct jwt_source_list *list = list_of(src);

	TAILQ_REMOVE(list, src, node);
	TAILQ_INSERT_TAIL(list, src, node);
}

/* The least recently used: of those that never had keys, or else of all. Never one that is being fetched: somebody may wait. */
static bool make_room(struct jwt_source_list *list)
{
	struct jwt_source *src, *found = NULL;

	TAILQ_FOREACH (src, list, node) {
		if (src->fetch || src->waking)
			continue;
		if (!found)
			found = src;
		if (!src->keys) {
			found = src;
			break;
		}
	}
	if (found)
		drop(found);
	return found != NULL;
}

void jwt_source_prove(struct jwt_source *src)
{
	struct jwt_sources *s = src->all;

	src->verified = true;
	if (src->fixed || src->proven || (s->proven_count >= s->limits.proven && !make_room(&s->proven)))
		return;
	TAILQ_REMOVE(&s->unproven, src, node);
	s->unproven_count--;
	src->proven = true;
	TAILQ_INSERT_TAIL(&s->proven, src, node);
	s->proven_count++;
}

static struct jwt_source *add_named(struct jwt_sources *s, const struct jwt_group *g, sp_str name, const char **why_out)
{
	struct jwt_source *src;

	if (!jwt_ration_take(s, &s->names, true)) {
		*why_out = "keys of too many new names (tenants, or issuers that fit a template) are asked for";
		say(s, SP_LEVEL_WARN, "%s; the next ones are fetched soon, at most %u a second", *why_out, s->limits.per_s);
		return NULL;
	}
	if (s->unproven_count >= s->limits.unproven && !make_room(&s->unproven)) {
		*why_out = "keys of too many new names (tenants, or issuers that fit a template) are being fetched";
		say(s, SP_LEVEL_WARN, "%s: %u", *why_out, s->unproven_count);
		return NULL;
	}
	src = source_new(s, g, name);
	if (!src) {
		*why_out = "out of memory";
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->unproven, src, node);
	s->unproven_count++;
	return src;
}

struct jwt_source *jwt_sources_find(struct jwt_sources *s, unsigned group, sp_str issuer, sp_str tenant, const char **why_out)
{
	const struct jwt_group *g = &s->policy->groups[group];
	sp_str name = g->from == JWT_KEYS_DISCOVERY ? issuer : g->per_tenant ? tenant : (sp_str){ 0 };
	uint64_t h = hash(s, g, name);
	struct jwt_source *src;

	LIST_FOREACH (src, &s->buckets[h & s->bucket_mask], in_bucket)
		if (src->hash == h && src->group == g && src->name_bytes == name.n &&
		    (name.n == 0 || memcmp(src->name, name.p, name.n) == 0))
			return src;
	return add_named(s, g, name, why_out);
}

/* ---- all of it ---- */

static int add_fixed(struct jwt_sources *s, const struct jwt_group *g, const char *name, const struct jwt_file *file)
{
	struct jwt_source *src = source_new(s, g, pc_str(name));

	if (!src)
		return -1;
	src->fixed = true;
	TAILQ_INSERT_TAIL(&s->fixed, src, node);
	if (!src->url && file)
		src->file = jwt_file_share(file);
	return 0;
}

static int add_group(struct jwt_sources *s, const struct jwt_group *g, const struct jwt_file *file)
{
	if (g->per_tenant)
		return 0;
	if (g->from != JWT_KEYS_DISCOVERY)
		return add_fixed(s, g, "", file);
	for (char **issuer = g->issuers; *issuer; issuer++)
		if (!jwt_issuer_is_template(*issuer) && add_fixed(s, g, *issuer, NULL) < 0)
			return -1;
	return 0;
}

static int init(struct jwt_sources *s, const struct jwt_file *files)
{
	uint64_t buckets = 64;

	while (buckets < s->limits.proven + s->limits.unproven)
		buckets *= 2;
	s->bucket_mask = buckets - 1;
	s->buckets = calloc(buckets, sizeof(*s->buckets));
	if (!s->buckets)
		return -1;
	s->names.at_ms = s->keys.at_ms = jwt_sources_now(s) - 1000 * (int64_t)s->limits.burst; /* full */
	for (unsigned i = 0; i < s->policy->group_count; i++)
		if (add_group(s, &s->policy->groups[i], files ? &files[i] : NULL) < 0)
			return -1;
	return 0;
}

int jwt_sources_new(const struct jwt_policy *p, const struct jwt_file *files, const struct jwt_sources_env *env,
		    const struct jwt_sources_limits *limits, struct jwt_sources **out)
{
	struct jwt_sources *s = calloc(1, sizeof(*s));
	struct jwt_source *src;

	if (!s)
		return -1;
	*s = (struct jwt_sources){ .policy = p, .env = *env, .limits = *limits, .said_ms = JWT_SOURCE_NEVER };
	TAILQ_INIT(&s->fixed);
	TAILQ_INIT(&s->proven);
	TAILQ_INIT(&s->unproven);
	if (!s->env.mono_ms)
		s->env.mono_ms = system_mono_ms;
	if (!s->env.wall_s)
		s->env.wall_s = system_wall_s;
	if (!s->env.random)
		s->env.random = system_random;
	s->seed = (uint64_t)s->env.random(s->env.arg) << 32 | s->env.random(s->env.arg);
	if (init(s, files) < 0) {
		jwt_sources_free(&s);
		return -1;
	}
	TAILQ_FOREACH (src, &s->fixed, node)
		jwt_source_begin(src);
	*out = s;
	return 0;
}

static void drop_all(struct jwt_source_list *list)
{
	struct jwt_source *src;

	while ((src = TAILQ_FIRST(list)) != NULL)
		drop(src);
}

void jwt_sources_free(struct jwt_sources **sp)
{
	struct jwt_sources *s = *sp;

	if (!s)
		return;
	drop_all(&s->fixed);
	drop_all(&s->proven);
	drop_all(&s->unproven);
	free(s->buckets);
	free(s);
	*sp = NULL;
}
