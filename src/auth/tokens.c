/* The cache of tokens: see service_key.h.
 *
 * One entry per tenant (one for all where the address has no placeholder). What an asker gets is decided in one place, on_settle(), at
 * the end of the turn in which it asked or in which the fetch it waits for ended:
 *
 *   a usable token -> that one        no token, failed lately -> the cause        else -> wait for the fetch, which is started
 *
 * An entry that still has askers when it must go (another key, forgotten tenant) becomes an orphan: outside the table, it serves them
 * and dies. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "auth/service_key_int.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/secret.h"

#define TENANTS_MOST 1024u    /* a token has some KiB: some MiB per worker */
#define WAITING_MOST 1024u    /* askers per tenant */
#define BUCKETS 256u	      /* a power of two */
#define LOOK_MS 1000u	      /* at the file, at most so often */
#define RACY_S 2	      /* a file changed so lately may change again under the same time stamp */
#define FETCH_TIMEOUT_MS 10000u
#define BACKOFF_FIRST_MS 2000u /* the upper end: jitter takes up to a half */
#define BACKOFF_MOST_MS 60000u
#define AHEAD_MS 60000u	      /* renewed when so much is left, or a quarter */
#define MARGIN_MOST_MS 10000u /* not handed out in its last moments: it must still be good when it arrives */

struct sp_tokens {
	struct sp_loop *loop;
	struct sp_fetcher *fetcher;
	char *file, *ca_file;
	struct sp_service_key *key;
	struct stat seen;	 /* the file as it was when it was last read */
	bool racy;		 /* read it again though it looks the same */
	uint64_t looked_mono_ms;
	struct sp_list buckets[BUCKETS];
	struct sp_list recent;	 /* all of the table, last used last */
	struct sp_list orphans;
	unsigned count;		 /* in the table */
	bool *freed;		 /* while askers are called: set to true by sp_tokens_free() */
};

struct entry {
	struct sp_list bucket;	 /* not linked: an orphan */
	struct sp_list node;	 /* of recent or orphans */
	struct sp_tokens *owner;
	char *tenant, *subdomain; /* "" where the address has no such placeholder */
	struct sp_list waits, due; /* struct sp_token_wait; due: being called */
	unsigned wait_count;
	bool calling;
	struct sp_defer settle;
	struct sp_timer timer;
	struct sp_fetch *fetch;
	uint64_t asked_mono_ms;
	char *bearer; /* secret; NULL: none. With: */
	uint64_t usable_until_mono_ms, renew_mono_ms, used_mono_ms, life_ms;
	unsigned failures; /* in a row; above 0: */
	uint64_t retry_mono_ms;
	struct sp_cause cause;
	unsigned refusals; /* by the gateway, in a row */
	uint64_t refusal_until_mono_ms;
};

struct sp_token_wait {
	struct sp_list node;
	struct entry *entry;
	sp_token_cb *cb;
	void *arg;
};

/* ---- entries ---------------------------------------------------------------------- */

static bool is_orphan(const struct entry *e)
{
	return !sp_list_linked(&e->bucket);
}

static bool is_usable(const struct entry *e, uint64_t now)
{
	return e->bearer && now < e->usable_until_mono_ms;
}

/* Half to all of it, at random: workers and proxies that failed together do not ask together. */
static uint64_t backoff(unsigned n)
{
	uint64_t ms = BACKOFF_FIRST_MS;

	while (n-- > 1 && ms < BACKOFF_MOST_MS)
		ms *= 2;
	if (ms > BACKOFF_MOST_MS)
		ms = BACKOFF_MOST_MS;
	return ms / 2 + sp_random_below(ms / 2 + 1);
}

static struct sp_list *bucket_of(struct sp_tokens *t, const char *tenant, const char *subdomain)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *tenant; tenant++)
		h = (h ^ (uint8_t)*tenant) * 16777619u;
	for (h *= 16777619u; *subdomain; subdomain++)
		h = (h ^ (uint8_t)*subdomain) * 16777619u;
	return &t->buckets[h % BUCKETS];
}

/* Only what the address depends on tells entries apart. */
static struct entry *find(struct sp_tokens *t, const char **tenant, const char **subdomain)
{
	struct sp_list *bucket, *n, *tmp;

	*tenant = t->key->has_tenant && *tenant ? *tenant : "";
	*subdomain = t->key->has_subdomain && *subdomain ? *subdomain : "";
	bucket = bucket_of(t, *tenant, *subdomain);
	SP_LIST_EACH(n, bucket, tmp) {
		struct entry *e = SP_CONTAINER_OF(n, struct entry, bucket);

		if (strcmp(e->tenant, *tenant) == 0 && strcmp(e->subdomain, *subdomain) == 0)
			return e;
	}
	return NULL;
}

static struct entry *entry_new(struct sp_tokens *t, const char *tenant, const char *subdomain)
{
	struct entry *e = SP_NEW(struct entry);

	e->owner = t;
	e->tenant = sp_strdup(tenant);
	e->subdomain = sp_strdup(subdomain);
	sp_list_init(&e->waits);
	sp_list_init(&e->due);
	return e;
}

static void leave_table(struct entry *e)
{
	if (!is_orphan(e))
		e->owner->count--;
	sp_list_remove(&e->bucket);
	sp_list_remove(&e->node);
}

static void entry_free(struct entry *e)
{
	struct sp_list *n;

	leave_table(e);
	while ((n = sp_list_pop(&e->due)) != NULL || (n = sp_list_pop(&e->waits)) != NULL)
		free(SP_CONTAINER_OF(n, struct sp_token_wait, node));
	sp_defer_cancel(&e->settle);
	sp_timer_stop(e->owner->loop, &e->timer);
	sp_fetch_cancel(&e->fetch);
	sp_secret_free(&e->bearer);
	free(e->tenant);
	free(e->subdomain);
	free(e);
}

/* Out of the table now; out of memory when nobody waits for it any more. */
static void entry_drop(struct entry *e)
{
	if (e->wait_count == 0 && !e->calling) {
		entry_free(e);
		return;
	}
	leave_table(e);
	sp_timer_stop(e->owner->loop, &e->timer);
	sp_list_append(&e->owner->orphans, &e->node);
}

/* The one used longest ago that nobody waits for. */
static bool make_room(struct sp_tokens *t)
{
	struct sp_list *n, *tmp;

	if (t->count < TENANTS_MOST)
		return true;
	SP_LIST_EACH(n, &t->recent, tmp) {
		struct entry *e = SP_CONTAINER_OF(n, struct entry, node);

		if (e->wait_count > 0 || e->calling)
			continue;
		entry_free(e);
		return true;
	}
	return false;
}

/* ---- fetching ----------------------------------------------------------------------- */

static void on_settle(struct sp_defer *d);

/* What is to be done without anybody asking: a token that can still be used is renewed, or tried again. */
static void arrange(struct entry *e)
{
	struct sp_tokens *t = e->owner;
	uint64_t now = sp_loop_now_ms(t->loop), at = e->renew_mono_ms;

	if (!is_usable(e, now) || e->fetch || is_orphan(e)) {
		sp_timer_stop(t->loop, &e->timer);
		return;
	}
	if (e->failures && e->retry_mono_ms > at)
		at = e->retry_mono_ms;
	sp_timer_start(t->loop, &e->timer, at > now ? at - now : 0, sp_tokens_on_timer);
}

static void failed(struct entry *e, const struct sp_cause *cause)
{
	struct sp_tokens *t = e->owner;

	if (e->failures++ == 0)
		sp_log(SP_LOG_WARN, SP_EV_AUTH, "no token for the gateway", SP_KV_STR("tenant", e->tenant[0] ? e->tenant : NULL),
		       SP_KV_STR("file", t->file), SP_KV_CAUSE(cause));
	e->cause = *cause;
	e->retry_mono_ms = sp_loop_now_ms(t->loop) + backoff(e->failures);
	sp_defer(t->loop, &e->settle, on_settle);
	arrange(e);
}

static void got(struct entry *e, struct sp_token_answer *a)
{
	struct sp_tokens *t = e->owner;
	uint64_t now = sp_loop_now_ms(t->loop), life = (uint64_t)a->life_s * 1000;
	uint64_t margin = life / 10 < MARGIN_MOST_MS ? life / 10 : MARGIN_MOST_MS;
	uint64_t ahead = life / 4 > AHEAD_MS ? life / 4 : AHEAD_MS;

	if (e->failures)
		sp_log(SP_LOG_NOTICE, SP_EV_AUTH, "tokens for the gateway again",
		       SP_KV_STR("tenant", e->tenant[0] ? e->tenant : NULL), SP_KV_STR("file", t->file));
	e->failures = 0;
	e->cause = (struct sp_cause){ 0 };
	sp_secret_free(&e->bearer);
	e->bearer = a->bearer;
	e->life_ms = life;
	e->usable_until_mono_ms = e->asked_mono_ms + life - margin;
	if (e->usable_until_mono_ms <= now) /* whoever waited gets it all the same, instead of waiting for ever */
		e->usable_until_mono_ms = now + 1;
	/* Tokens of two minutes and less: not before a half, or nothing but renewing would be done. */
	e->renew_mono_ms = e->asked_mono_ms + (ahead < life / 2 ? life - ahead : life / 2);
	sp_defer(t->loop, &e->settle, on_settle);
	arrange(e);
}

static void on_fetched(void *arg, int status, struct sp_slice body, int64_t fresh_until, const struct sp_cause *why)
{
	struct entry *e = arg;
	struct sp_token_answer a = { 0 };
	struct sp_cause cause = { 0 };

	(void)fresh_until;
	e->fetch = NULL;
	if (status < 0)
		sp_cause_set(&cause, status, why->domain, why->raw, "the token server: %s", why->text);
	else
		sp_token_answer_parse(status, body, &a, &cause);
	if (cause.err)
		failed(e, &cause);
	else
		got(e, &a);
}

static void start_fetch(struct entry *e)
{
	struct sp_tokens *t = e->owner;
	struct sp_token_request r = { 0 };
	struct sp_cause cause = { 0 };
	int err = sp_token_request_make(t->key, e->tenant, e->subdomain, &r, &cause);

	e->asked_mono_ms = sp_loop_now_ms(t->loop);
	sp_timer_stop(t->loop, &e->timer);
	if (!err) {
		struct sp_fetch_request req = {
			.url = sp_buf_str(&r.url), .body = sp_buf_str(&r.form), .ca_file = t->ca_file,
			.authorization = r.authorization.len ? sp_buf_str(&r.authorization) : NULL,
			.max_bytes = SP_TOKEN_ANSWER_MAX_BYTES, .timeout_ms = FETCH_TIMEOUT_MS,
		};

		if (t->key->auth == SP_CLIENT_TLS) {
			req.cert_pem = sp_slice_str(t->key->cert);
			req.key_pem = sp_slice_str(t->key->cert_key);
		}
		err = sp_fetch_start(t->fetcher, &req, on_fetched, e, &e->fetch);
		if (err)
			sp_cause_set(&cause, err, SP_DOMAIN_SELF, 0, "the token server cannot be asked");
	}
	sp_token_request_wipe(&r);
	if (err)
		failed(e, &cause);
}

/* ---- the file ------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mode == b->st_mode &&
	       a->st_uid == b->st_uid && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void replace_key(struct sp_tokens *t, struct sp_service_key *key)
{
	struct sp_list *n, *tmp;

	sp_log(SP_LOG_NOTICE, SP_EV_CONFIG, "service key replaced", SP_KV_STR("file", t->file));
	sp_service_key_free(&t->key);
	t->key = key;
	SP_LIST_EACH(n, &t->recent, tmp)
		entry_drop(SP_CONTAINER_OF(n, struct entry, node));
}

/* Another file is read; what it says of itself is taken before, so that what changes after is seen the next time. */
static void look(struct sp_tokens *t)
{
	uint64_t now = sp_loop_now_ms(t->loop);
	struct sp_service_key *key = NULL;
	struct sp_cause cause = { 0 };
	struct stat st = { 0 };
	bool same;

	if (now - t->looked_mono_ms < LOOK_MS)
		return;
	t->looked_mono_ms = now;
	(void)stat(t->file, &st); /* gone: all zero, and reading says why */
	same = same_file(&st, &t->seen);
	if (same && !t->racy)
		return;
	t->seen = st;
	t->racy = time(NULL) - st.st_mtim.tv_sec <= RACY_S;
	if (sp_service_key_load(t->file, &key, &cause) < 0) {
		if (!same)
			sp_log(SP_LOG_ERROR, SP_EV_CONFIG, "service key refused, the old one stays", SP_KV_CAUSE(&cause));
		return;
	}
	if (strcmp(key->text, t->key->text) == 0)
		sp_service_key_free(&key);
	else
		replace_key(t, key);
}

/* ---- askers --------------------------------------------------------------------------- */

/* Each asker may ask again, cancel another, or free the cache. */
static void call(struct entry *e, struct sp_slice bearer, const struct sp_cause *cause)
{
	struct sp_tokens *t = e->owner;
	struct sp_list *n;
	bool freed = false;

	while ((n = sp_list_pop(&e->waits)) != NULL)
		sp_list_append(&e->due, n);
	e->calling = true;
	t->freed = &freed;
	while (!freed && (n = sp_list_pop(&e->due)) != NULL) {
		struct sp_token_wait *w = SP_CONTAINER_OF(n, struct sp_token_wait, node);
		sp_token_cb *cb = w->cb;
		void *arg = w->arg;

		e->wait_count--;
		free(w);
		cb(arg, bearer, cause);
	}
	if (freed)
		return;
	t->freed = NULL;
	e->calling = false;
	if (is_orphan(e) && e->wait_count == 0)
		entry_free(e);
}

/* A copy: what an asker does may end the token. */
static void call_with_token(struct entry *e)
{
	char *lent = strdup(e->bearer);
	struct sp_cause cause = { 0 };

	e->used_mono_ms = sp_loop_now_ms(e->owner->loop);
	if (!lent)
		sp_cause_set(&cause, SP_ENOMEM, SP_DOMAIN_SELF, 0, "out of memory for a token");
	call(e, sp_slice_str(lent), lent ? NULL : &cause);
	sp_secret_free(&lent);
}

static void on_settle(struct sp_defer *d)
{
	struct entry *e = SP_CONTAINER_OF(d, struct entry, settle);
	uint64_t now = sp_loop_now_ms(e->owner->loop);
	bool rests = e->failures && (now < e->retry_mono_ms || is_orphan(e));

	if (is_usable(e, now)) {
		if (now >= e->renew_mono_ms && !e->fetch && !rests && !is_orphan(e))
			start_fetch(e);
		call_with_token(e);
	} else if (rests && !e->fetch) {
		struct sp_cause cause = e->cause;

		call(e, SP_SLICE_NONE, &cause);
	} else if (!e->fetch && !sp_list_empty(&e->waits)) {
		start_fetch(e);
	}
}

/* Used in the last half of its life? Else the next asker has it renewed. */
void sp_tokens_on_timer(struct sp_timer *timer)
{
	struct entry *e = SP_CONTAINER_OF(timer, struct entry, timer);
	struct sp_tokens *t = e->owner;
	const struct sp_service_key *before = t->key;

	if (sp_loop_now_ms(t->loop) - e->used_mono_ms > e->life_ms / 2)
		return;
	look(t);
	if (t->key == before) /* else e is gone */
		start_fetch(e);
}

static struct sp_token_wait *wait_new(struct entry *e, sp_token_cb *cb, void *arg)
{
	struct sp_token_wait *w = SP_NEW(struct sp_token_wait);

	w->entry = e;
	w->cb = cb;
	w->arg = arg;
	sp_list_append(&e->waits, &w->node);
	e->wait_count++;
	sp_defer(e->owner->loop, &e->settle, on_settle);
	return w;
}

/* By an entry of its own, which knows nothing but that. */
static struct sp_token_wait *refuse(struct sp_tokens *t, const char *why, sp_token_cb *cb, void *arg)
{
	struct entry *e = entry_new(t, "", "");

	e->failures = 1;
	sp_cause_set(&e->cause, SP_ELIMIT, SP_DOMAIN_SELF, 0, "%s", why);
	sp_list_append(&t->orphans, &e->node);
	return wait_new(e, cb, arg);
}

struct sp_token_wait *sp_tokens_get(struct sp_tokens *t, const char *tenant, const char *subdomain, sp_token_cb *cb, void *arg)
{
	struct entry *e;

	sp_loop_assert(t->loop);
	look(t);
	e = find(t, &tenant, &subdomain);
	if (!e) {
		if (!make_room(t))
			return refuse(t, "tokens of too many tenants are waited for", cb, arg);
		e = entry_new(t, tenant, subdomain);
		sp_list_append(bucket_of(t, tenant, subdomain), &e->bucket);
		t->count++;
	}
	sp_list_remove(&e->node);
	sp_list_append(&t->recent, &e->node);
	if (e->wait_count >= WAITING_MOST)
		return refuse(t, "too many wait for the token of this tenant", cb, arg);
	return wait_new(e, cb, arg);
}

void sp_tokens_cancel(struct sp_token_wait **wp)
{
	struct sp_token_wait *w = *wp;
	struct entry *e;

	*wp = NULL;
	if (!w)
		return;
	e = w->entry;
	sp_list_remove(&w->node);
	free(w);
	e->wait_count--;
	if (is_orphan(e) && e->wait_count == 0 && !e->calling)
		entry_free(e);
}

void sp_tokens_refused(struct sp_tokens *t, const char *tenant, const char *subdomain)
{
	struct entry *e = find(t, &tenant, &subdomain);
	uint64_t now = sp_loop_now_ms(t->loop);

	if (!e || !e->bearer || now < e->refusal_until_mono_ms)
		return;
	if (now - e->refusal_until_mono_ms > BACKOFF_MOST_MS)
		e->refusals = 0;
	e->refusals++;
	e->refusal_until_mono_ms = now + backoff(e->refusals);
	sp_secret_free(&e->bearer);
	sp_log(SP_LOG_INFO, SP_EV_AUTH, "the gateway refused the token: the next one asks for another",
	       SP_KV_STR("tenant", e->tenant[0] ? e->tenant : NULL));
	arrange(e);
}

/* ---- the cache -------------------------------------------------------------------------- */

int sp_tokens_new(struct sp_loop *loop, struct sp_fetcher *fetcher, const char *file, const char *ca_file, struct sp_tokens **out,
		  struct sp_cause *cause)
{
	struct sp_service_key *key = NULL;
	struct sp_tokens *t;
	struct stat st = { 0 };
	int err;

	sp_loop_assert(loop);
	(void)stat(file, &st);
	err = sp_service_key_load(file, &key, cause);
	if (err)
		return err;
	t = SP_NEW(struct sp_tokens);
	t->loop = loop;
	t->fetcher = fetcher;
	t->file = sp_strdup(file);
	t->ca_file = sp_strdup(ca_file);
	t->key = key;
	t->seen = st;
	t->racy = time(NULL) - st.st_mtim.tv_sec <= RACY_S;
	t->looked_mono_ms = sp_loop_now_ms(loop);
	for (unsigned i = 0; i < BUCKETS; i++)
		sp_list_init(&t->buckets[i]);
	sp_list_init(&t->recent);
	sp_list_init(&t->orphans);
	*out = t;
	return 0;
}

unsigned sp_tokens_count(const struct sp_tokens *t)
{
	unsigned n = t->count;

	for (const struct sp_list *o = t->orphans.next; o != &t->orphans; o = o->next)
		n++;
	return n;
}

void sp_tokens_free(struct sp_tokens **tp)
{
	struct sp_tokens *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	if (t->freed)
		*t->freed = true;
	while (!sp_list_empty(&t->recent))
		entry_free(SP_CONTAINER_OF(t->recent.next, struct entry, node));
	while (!sp_list_empty(&t->orphans))
		entry_free(SP_CONTAINER_OF(t->orphans.next, struct entry, node));
	sp_service_key_free(&t->key);
	free(t->file);
	free(t->ca_file);
	free(t);
}
