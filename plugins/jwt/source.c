/* One source of keys: see source.h. */
#include "source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discovery.h"

#define LIFE_DEFAULT_S 600
#define LIFE_LEAST_S 60
#define LIFE_MOST_S 86400
#define FETCH_TIMEOUT_MS 10000u
#define BACKOFF_LEAST_MS 1000
#define BACKOFF_MOST_MS 300000
#define UNKNOWN_KEY_EVERY_MS 30000
#define LOOK_EVERY_MS 1000
#define ALARM_MOST_MS (7 * 24 * 3600 * INT64_C(1000))

/* Who wants a fetch. */
enum wanted { WANTED_BY_USE, WANTED_BY_ALARM, WANTED_FOR_KEY };

static bool begin_fetch(struct jwt_source *src);
static void on_alarm(void *arg);

static int64_t now_ms(const struct jwt_source *src)
{
	return jwt_sources_now(src->all);
}

/* Between from and to percent of it, so that workers and sources do not come at the same time. */
static int64_t about(const struct jwt_source *src, int64_t ms, unsigned from, unsigned to)
{
	uint32_t dice = src->all->env.random(src->all->env.arg);

	return ms * (int64_t)(from + dice % (to - from + 1)) / 100;
}

static int64_t life_of(const struct jwt_source *src)
{
	return src->life_ms ? src->life_ms : LIFE_DEFAULT_S * INT64_C(1000);
}

static int64_t most_age_ms(const struct jwt_source *src)
{
	return src->life_ms + src->all->policy->keys_max_stale_s * 1000;
}

static bool used_lately(const struct jwt_source *src, int64_t now)
{
	return src->used_ms != JWT_SOURCE_NEVER && now - src->used_ms <= life_of(src);
}

static int64_t seconds(int64_t ms)
{
	return (ms + 500) / 1000;
}

/* ---- the alarm: the next thing to do without being asked ---- */

static void disarm(struct jwt_source *src)
{
	if (src->alarm)
		src->all->env.host->alarm_cancel(src->alarm);
	src->alarm = NULL;
}

static void arm(struct jwt_source *src, int64_t at_ms)
{
	int64_t after = at_ms - now_ms(src);

	disarm(src);
	after = after < 1 ? 1 : after > ALARM_MOST_MS ? ALARM_MOST_MS : after;
	src->alarm = src->all->env.host->alarm(src->all->env.worker, (uint32_t)after, on_alarm, src);
}

/* A fixed source without keys is tried again for ever. Unproven ones only when somebody asks. */
static bool minds_itself(const struct jwt_source *src, int64_t now)
{
	if (src->fixed && !src->keys)
		return true;
	return (src->fixed || src->proven) && used_lately(src, now);
}

static int64_t due_ms(const struct jwt_source *src)
{
	return src->keys && src->refresh_ms > src->next_try_ms ? src->refresh_ms : src->next_try_ms;
}

static void on_alarm(void *arg)
{
	struct jwt_source *src = arg;
	int64_t now = now_ms(src);

	src->alarm = NULL;
	if (src->fetch || !minds_itself(src, now))
		return; /* whoever uses it next begins the fetch */
	if (now >= due_ms(src))
		begin_fetch(src);
	else
		arm(src, due_ms(src));
}

/* ---- requests that wait ---- */

static void wait_free(struct jwt_wait *w)
{
	TAILQ_REMOVE(&w->src->waits, w, node);
	w->src->all->wait_count--;
	free(w);
}

static void on_waited_enough(void *arg)
{
	struct jwt_wait *w = arg;
	struct jwt_source *src = w->src;
	jwt_wait_cb *cb = w->cb;
	void *cb_arg = w->arg;

	wait_free(w);
	cb(cb_arg, src);
}

struct jwt_wait *jwt_source_wait(struct jwt_source *src, uint32_t most_ms, jwt_wait_cb *cb, void *arg)
{
	struct jwt_sources *all = src->all;
	struct jwt_wait *w = src->fetch && all->wait_count < all->limits.waits ? calloc(1, sizeof(*w)) : NULL;

	if (!w)
		return NULL;
	*w = (struct jwt_wait){ .src = src, .fetch_no = src->fetch_no, .cb = cb, .arg = arg };
	w->alarm = all->env.host->alarm(all->env.worker, most_ms, on_waited_enough, w);
	if (!w->alarm) {
		free(w);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&src->waits, w, node);
	all->wait_count++;
	return w;
}

void jwt_wait_cancel(struct jwt_wait *w)
{
	w->src->all->env.host->alarm_cancel(w->alarm);
	wait_free(w);
}

/* Only those who waited for this fetch: a callback may wait for the next one, or cancel others. */
static void wake(struct jwt_source *src)
{
	uint64_t fetch_no = src->fetch_no;
	struct jwt_wait *w;

	src->waking = true;
	while ((w = TAILQ_FIRST(&src->waits)) != NULL && w->fetch_no <= fetch_no) {
		jwt_wait_cb *cb = w->cb;
		void *arg = w->arg;

		jwt_wait_cancel(w);
		cb(arg, src);
	}
	src->waking = false;
}

/* ---- how a fetch ends ---- */

static void say_failed(struct jwt_source *src, int64_t now)
{
	int64_t next = seconds(due_ms(src) - now), since = seconds(now - src->failing_since_ms);
	const char *when = src->alarm ? "" : ", if it is needed";

	if (src->keys)
		jwt_source_say(src, SP_LEVEL_WARN,
			       "keys of %s: %s; failing for %lld s, attempt %u; next try in %lld s%s; the keys fetched %lld s ago "
			       "are used for at most %lld s more",
			       src->label, src->failed_why, (long long)since, src->failures, (long long)next, when,
			       (long long)seconds(now - src->fetched_ms), (long long)seconds(src->fetched_ms + most_age_ms(src) - now));
	else
		jwt_source_say(src, SP_LEVEL_ERROR,
			       "keys of %s: %s; failing for %lld s, attempt %u; next try in %lld s%s; until then none of its tokens "
			       "can be verified",
			       src->label, src->failed_why, (long long)since, src->failures, (long long)next, when);
}

static void failed(struct jwt_source *src, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void failed(struct jwt_source *src, const char *fmt, ...)
{
	int64_t now = now_ms(src), delay = BACKOFF_LEAST_MS;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(src->failed_why, sizeof(src->failed_why), fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < src->failures && delay < BACKOFF_MOST_MS; i++)
		delay *= 2;
	if (src->failures++ == 0)
		src->failing_since_ms = now;
	delay = about(src, delay, 75, 125);
	src->next_try_ms = now + (delay < BACKOFF_LEAST_MS ? BACKOFF_LEAST_MS : delay > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : delay);
	if (minds_itself(src, now))
		arm(src, due_ms(src));
	say_failed(src, now);
}

static void say_fetched(struct jwt_source *src, int64_t now, bool changed)
{
	const struct jwt_keyset *ks = src->keys;
	char since[48] = "";

	if (src->failures)
		snprintf(since, sizeof(since), ", after failures for %lld s", (long long)seconds(now - src->failing_since_ms));
	jwt_source_say(src, !src->failures && (!changed || !src->fixed) ? SP_LEVEL_DEBUG : SP_LEVEL_NOTICE,
		       "keys of %s: %u%s fetched%s%s%s%s; good for %lld s", src->label, ks->count, changed ? "" : ", the same as before,",
		       since, ks->skipped ? "; others skipped (" : "", ks->skipped ? ks->skip_why : "", ks->skipped ? ")" : "",
		       (long long)seconds(src->life_ms));
}

static int64_t life_until(const struct jwt_source *src, int64_t fresh_until)
{
	int64_t s = LIFE_DEFAULT_S;

	if (fresh_until)
		s = fresh_until - src->all->env.wall_s(src->all->env.arg);
	return (s < LIFE_LEAST_S ? LIFE_LEAST_S : s > LIFE_MOST_S ? LIFE_MOST_S : s) * 1000;
}

/* A set that has not changed is not imported again: a key takes milliseconds, and tokens that it verified stay remembered. */
static void take_keys(struct jwt_source *src, sp_str body, int64_t fresh_until)
{
	struct jwt_keyset *ks = NULL;
	uint8_t digest[sizeof(src->digest)];
	int64_t now = now_ms(src);
	char why[256];
	bool changed;

	if (EVP_Digest(body.p, body.n, digest, NULL, EVP_sha256(), NULL) != 1) {
		failed(src, "out of memory");
		return;
	}
	changed = !src->keys || memcmp(digest, src->digest, sizeof(digest)) != 0;
	if (changed && jwt_keyset_import(body.p, body.n, &ks, why, sizeof(why)) < 0) {
		failed(src, "the key set is no good: %s", why);
		return;
	}
	if (changed) {
		jwt_keyset_free(&src->keys);
		src->keys = ks;
		memcpy(src->digest, digest, sizeof(digest));
	}
	src->fetched_ms = now;
	src->life_ms = life_until(src, fresh_until);
	src->refresh_ms = now + about(src, src->life_ms, 75, 85);
	say_fetched(src, now, changed);
	src->failures = 0;
	src->next_try_ms = now;
	*src->failed_why = '\0';
	if (src->fixed || src->proven)
		arm(src, src->refresh_ms);
}

static void on_fetched(void *arg, int status, sp_str body, int64_t fresh_until, sp_str why);

static bool ask(struct jwt_source *src, const char *url, uint32_t max_bytes)
{
	sp_fetch_get get = { .size = sizeof(get), .max_bytes = max_bytes, .timeout_ms = FETCH_TIMEOUT_MS, .url = { url, strlen(url) } };

	if (src->group->ca_file)
		get.ca_file = (sp_str){ src->group->ca_file, strlen(src->group->ca_file) };
	src->fetch = src->all->env.host->fetch(src->all->env.worker, &get, on_fetched, src);
	if (!src->fetch)
		failed(src, "the request could not be made");
	return src->fetch != NULL;
}

/* The first of two requests; whether the second one is under way. */
static bool discovered(struct jwt_source *src, sp_str body)
{
	char why[128];

	if (jwt_discovery_read(body.p, body.n, src->name, src->name_bytes, &src->keys_url, why, sizeof(why)) < 0) {
		failed(src, "the issuer's configuration is no good: %s", why);
		return false;
	}
	return ask(src, src->keys_url, JWT_KEYSET_BYTES_MOST);
}

/* The URL's query is left out: it is the operator's or the issuer's, and none of the log's business. */
static void no_answer(struct jwt_source *src, int status, sp_str why)
{
	const char *at = src->keys_url ? src->keys_url : "";
	int n = (int)strcspn(at, "?");

	if (n > 120)
		n = 120;
	if (status)
		failed(src, "HTTP status %d%s%.*s", status, n ? " from " : "", n, at);
	else
		failed(src, "%.*s%s%.*s", why.p ? (int)(why.n > 100 ? 100 : why.n) : 9, why.p ? why.p : "no answer", n ? ", from " : "", n, at);
}

static void on_fetched(void *arg, int status, sp_str body, int64_t fresh_until, sp_str why)
{
	struct jwt_source *src = arg;
	bool first = src->group->from == JWT_KEYS_DISCOVERY && !src->keys_url;

	src->fetch = NULL;
	if (status != 200)
		no_answer(src, status, why);
	else if (!first)
		take_keys(src, body, fresh_until);
	else if (discovered(src, body))
		return;
	free(src->keys_url);
	src->keys_url = NULL;
	wake(src);
}

/* ---- how one begins ---- */

static bool begin_fetch(struct jwt_source *src)
{
	bool discovery = src->group->from == JWT_KEYS_DISCOVERY;

	disarm(src);
	src->fetch_no++;
	return ask(src, src->url, discovery ? JWT_DISCOVERY_BYTES_MOST : JWT_KEYSET_BYTES_MOST);
}

static bool may_fetch(struct jwt_source *src, enum wanted by)
{
	if (src->fixed)
		return true;
	if (by == WANTED_FOR_KEY)
		return jwt_ration_take(src->all, &src->all->keys, false);
	return src->proven || jwt_ration_take(src->all, &src->all->names, false);
}

/* Whether one is under way now. Never two, and none soon after a failure. */
static bool want_fetch(struct jwt_source *src, int64_t now, enum wanted by)
{
	if (src->fetch)
		return true;
	return now >= src->next_try_ms && may_fetch(src, by) && begin_fetch(src);
}

void jwt_source_begin(struct jwt_source *src)
{
	if (!src->url)
		return;
	src->all->env.host->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 },
				"keys of %s: being fetched; until they are here none of its tokens can be verified", src->label);
	begin_fetch(src);
}

void jwt_source_stop(struct jwt_source *src)
{
	disarm(src);
	if (src->fetch)
		src->all->env.host->fetch_cancel(src->fetch);
	src->fetch = NULL;
}

/* ---- use ---- */

static void look_at_file(struct jwt_source *src, int64_t now)
{
	if (now - src->looked_at_ms < LOOK_EVERY_MS)
		return;
	src->looked_at_ms = now;
	switch (jwt_file_look(&src->file, src->group, src->all->env.wall_s(src->all->env.arg))) {
	case JWT_FILE_SAME:
		break;
	case JWT_FILE_GOOD:
		src->failures = 0;
		jwt_source_say(src, SP_LEVEL_NOTICE, "keys of %s: the file has changed; %u keys in it%s%s%s", src->label, src->file.keys->count,
			       src->file.keys->skipped ? ", others skipped (" : "", src->file.keys->skipped ? src->file.keys->skip_why : "",
			       src->file.keys->skipped ? ")" : "");
		break;
	case JWT_FILE_BAD:
		if (src->failures++ == 0)
			src->failing_since_ms = now;
		jwt_source_say(src, SP_LEVEL_ERROR,
			       "keys of %s: the file has changed and is no good: %s; failing for %lld s; THE OLD KEYS STAY IN USE; next try "
			       "when the file changes",
			       src->label, src->file.complaint, (long long)seconds(now - src->failing_since_ms));
		break;
	}
}

/* The hard bound. */
static void drop_too_old(struct jwt_source *src, int64_t now)
{
	if (!src->keys || now - src->fetched_ms < most_age_ms(src))
		return;
	jwt_source_say(src, SP_LEVEL_ERROR, "keys of %s: fetched %lld s ago, too old to be used (keys_max_stale_s); none of its tokens can be "
		       "verified until there are new ones", src->label, (long long)seconds(now - src->fetched_ms));
	jwt_keyset_free(&src->keys);
}

struct jwt_keyset *jwt_source_keys(struct jwt_source *src)
{
	if (!src->url)
		return src->file.keys;
	drop_too_old(src, now_ms(src));
	return src->keys;
}

enum jwt_ready jwt_source_get(struct jwt_source *src, struct jwt_keyset **ks_out)
{
	int64_t now = now_ms(src);
	bool soon = false;

	src->used_ms = now;
	if (!src->url) {
		look_at_file(src, now);
		*ks_out = src->file.keys;
		return src->file.keys ? JWT_READY : JWT_NOT_READY;
	}
	if (!src->fixed)
		jwt_source_touch(src);
	drop_too_old(src, now);
	if (!src->keys || now >= src->refresh_ms)
		soon = want_fetch(src, now, WANTED_BY_USE);
	else if (!src->alarm && !src->fetch && (src->fixed || src->proven))
		arm(src, src->refresh_ms);
	/* Who comes after a long time without any attempt waits for one; what it fails to bring is used as it is. */
	if (soon && (!src->keys || (src->failures == 0 && now - src->fetched_ms >= 2 * src->life_ms)))
		return JWT_READY_SOON;
	if (!src->keys)
		return JWT_NOT_READY;
	*ks_out = src->keys;
	return JWT_READY;
}

enum jwt_ready jwt_source_unknown_key(struct jwt_source *src)
{
	int64_t now = now_ms(src);

	if (!src->url)
		return JWT_NOT_READY;
	if (src->fetch)
		return JWT_READY_SOON;
	if (now < src->key_next_ms || !want_fetch(src, now, WANTED_FOR_KEY))
		return JWT_NOT_READY;
	src->key_next_ms = now + UNKNOWN_KEY_EVERY_MS;
	return JWT_READY_SOON;
}

void jwt_source_trouble(const struct jwt_source *src, char *text, size_t size)
{
	int64_t now = now_ms(src);

	if (src->url && src->failures == 0 && src->fetch)
		snprintf(text, size, "%s: the fetch under way has not ended yet", src->label);
	else if (!src->url || src->failures == 0)
		snprintf(text, size, "%s", src->keys || src->file.keys ? "" : "there are none yet");
	else
		snprintf(text, size, "%s: %s; failing for %lld s; next try in %lld s", src->label, src->failed_why,
			 (long long)seconds(now - src->failing_since_ms),
			 (long long)(src->next_try_ms > now ? seconds(src->next_try_ms - now) : 0));
}
