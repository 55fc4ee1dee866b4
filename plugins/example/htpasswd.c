/* htpasswd: callers prove who they are by user and password (SOCKS5, RFC 1929; HTTP, Proxy-Authorization: Basic), which are
 * looked up in a file. It is also the example of doc/plugins.md: complete, of use, and on nothing but sallyport/plugin.h, json-c
 * and libcrypt:
 *
 *   cc -shared -fPIC -pthread -I include -o htpasswd.so plugins/example/htpasswd.c plugins/example/users.c -ljson-c -lcrypt
 *
 * Settings:
 *   file             required: lines "user:hash" or "user:hash:tenant" (users.h), as "htpasswd -B" and "mkpasswd" make the hashes.
 *                    Only its owner may write it, others than owner and group may not read it. Another good one in its place is
 *                    used within a second; one that is broken is reported, and the last good one stays
 *   tenants = false  true: the third field is the user's tenant. A user without one has none: static-tenant may follow
 *   waiting = 64     so many callers may wait for their turn; more are turned away, as over a limit
 *
 * A hash takes milliseconds on purpose, which no loop can spare. So a thread of the instance hashes, one password after the other:
 *
 *   request() -> QUEUED -thread takes it-> HASHING -host->answer()-> DONE -> finish() frees
 *                QUEUED -finish()-> freed    HASHING -finish()-> GONE -> the thread frees
 *
 * What a flood of guesses costs is one CPU and full queues, which answer "over a limit". */
#include <json-c/json.h>
#include <pthread.h>
#include <sallyport/plugin.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "users.h"

#define WAITING_DEFAULT 64
#define WAITING_MOST 65536
#define LOOK_EVERY_S 1

enum job_state { JOB_QUEUED, JOB_HASHING, JOB_DONE, JOB_GONE };

/* One password to judge, in one allocation. Between request() and finish() it is the request's slot. */
struct job {
	struct job *next;     /* under lock */
	enum job_state state; /* under lock */
	sp_ticket ticket;
	size_t size;
	const char *user, *password; /* in text */
	char text[];
};

struct settings {
	char *file;
	bool tenants;
	unsigned waiting;
};

struct htpasswd {
	const sp_host *host;
	struct settings set; /* does not change */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	/* Under lock. */
	struct job *first, **last;
	unsigned queued;
	bool stop;
	/* The thread's alone, once it runs. */
	struct users *users;
	struct users_stamp stamp; /* of the file when it was last read, with or without success */
	int64_t looked_s;
	struct crypt_data scratch;
};

static sp_str str(const char *s)
{
	return (sp_str){ s, s ? strlen(s) : 0 };
}

/* ---- settings ---- */

/* Always -1. sallyport finds the line of the setting by its name. */
static int fail(sp_error *err, const char *setting, const char *fmt, ...) SP_PRINTF_LIKE(3, 4);
static int fail(sp_error *err, const char *setting, const char *fmt, ...)
{
	va_list ap;

	snprintf(err->path, sizeof(err->path), "%s%s", setting[0] ? "/" : "", setting);
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return -1;
}

static int read_one(const char *name, json_object *v, struct settings *s, sp_error *err)
{
	int64_t n;

	if (strcmp(name, "file") == 0) {
		if (!json_object_is_type(v, json_type_string) || json_object_get_string_len(v) == 0)
			return fail(err, name, "must be the path of a file");
		s->file = strdup(json_object_get_string(v));
		return s->file ? 0 : fail(err, name, "out of memory");
	}
	if (strcmp(name, "tenants") == 0) {
		if (!json_object_is_type(v, json_type_boolean))
			return fail(err, name, "must be true or false");
		s->tenants = json_object_get_boolean(v);
		return 0;
	}
	if (strcmp(name, "waiting") == 0) {
		n = json_object_get_int64(v);
		if (!json_object_is_type(v, json_type_int) || n < 1 || n > WAITING_MOST)
			return fail(err, name, "must be from 1 to %d", WAITING_MOST);
		s->waiting = (unsigned)n;
		return 0;
	}
	return fail(err, name, "unknown setting; there are file, tenants and waiting");
}

static void settings_deinit(struct settings *s)
{
	free(s->file);
	*s = (struct settings){ 0 };
}

static int settings_read(const char *json, struct settings *s, sp_error *err)
{
	json_object *o = json_tokener_parse(json);
	int rc = 0;

	*s = (struct settings){ .waiting = WAITING_DEFAULT };
	if (!json_object_is_type(o, json_type_object))
		rc = fail(err, "", "the settings are not a JSON object");
	if (rc == 0) {
		struct json_object_iterator it = json_object_iter_begin(o), end = json_object_iter_end(o);

		for (; rc == 0 && !json_object_iter_equal(&it, &end); json_object_iter_next(&it))
			rc = read_one(json_object_iter_peek_name(&it), json_object_iter_peek_value(&it), s, err);
	}
	if (rc == 0 && !s->file)
		rc = fail(err, "file", "is required");
	json_object_put(o);
	if (rc < 0)
		settings_deinit(s);
	return rc;
}

/* For sallyport -t: everything that would keep the daemon from starting, and nothing is left behind. */
static int htpasswd_check(const char *json, uint32_t *traits, sp_error *err)
{
	char why[USERS_WHY_SIZE];
	struct users *users;
	struct settings s;
	int rc = 0;

	if (settings_read(json, &s, err) < 0)
		return -1;
	users = users_read(s.file, why);
	if (!users)
		rc = fail(err, "file", "%s", why);
	*traits = SP_TRAIT_VERIFIES | SP_TRAIT_WANTS_TOKEN | (s.tenants ? SP_TRAIT_RESOLVES : 0);
	users_free(&users);
	settings_deinit(&s);
	return rc;
}

/* ---- the queue ---- */

static struct job *job_new(sp_ticket t, sp_str user, sp_str password)
{
	size_t size = sizeof(struct job) + user.n + 1 + password.n + 1;
	struct job *j = calloc(1, size); /* the strings end in its zeros */

	if (!j)
		return NULL;
	j->ticket = t;
	j->size = size;
	memcpy(j->text, user.p, user.n);
	memcpy(j->text + user.n + 1, password.p, password.n);
	j->user = j->text;
	j->password = j->text + user.n + 1;
	return j;
}

static void job_free(struct job *j)
{
	explicit_bzero(j, j->size);
	free(j);
}

/* false: the queue is full. From then on the job is the thread's as well. */
static bool queue_put(struct htpasswd *h, struct job *j)
{
	bool room;

	pthread_mutex_lock(&h->lock);
	room = h->queued < h->set.waiting;
	if (room) {
		h->queued++;
		*h->last = j;
		h->last = &j->next;
		pthread_cond_signal(&h->work);
	}
	pthread_mutex_unlock(&h->lock);
	return room;
}

/* The thread waits here. NULL: the instance closes. */
static struct job *queue_take(struct htpasswd *h)
{
	struct job *j = NULL;

	pthread_mutex_lock(&h->lock);
	while (!h->first && !h->stop)
		pthread_cond_wait(&h->work, &h->lock);
	if (!h->stop) {
		j = h->first;
		h->first = j->next;
		if (!h->first)
			h->last = &h->first;
		h->queued--;
		j->state = JOB_HASHING;
	}
	pthread_mutex_unlock(&h->lock);
	return j;
}

/* Under lock: out of the middle of the queue. */
static void queue_remove(struct htpasswd *h, struct job *j)
{
	struct job **at = &h->first;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	if (!*at)
		h->last = at;
	h->queued--;
}

/* ---- the thread ---- */

/* When the file has changed, its users are read anew; when that fails, the last good ones stay. host->log knows by itself which
 * plugin speaks on the loops' threads only, so the name is in the text. */
static void look(struct htpasswd *h)
{
	char why[USERS_WHY_SIZE];
	struct users_stamp now;
	struct users *fresh;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	if (ts.tv_sec - h->looked_s < LOOK_EVERY_S)
		return;
	h->looked_s = ts.tv_sec;
	now = users_stamp(h->set.file);
	if (users_stamp_equal(&now, &h->stamp))
		return;
	h->stamp = now;
	fresh = users_read(h->set.file, why);
	if (!fresh) {
		h->host->log(SP_LEVEL_WARN, (sp_ticket){ 0 }, "htpasswd: the users that were read before stay: %s", why);
		return;
	}
	users_free(&h->users);
	h->users = fresh;
	h->host->log(SP_LEVEL_NOTICE, (sp_ticket){ 0 }, "htpasswd: %s: %zu users", h->set.file, users_count(fresh));
}

static void judge(struct htpasswd *h, const struct job *j)
{
	sp_answer a = { .size = sizeof(a), .verdict = SP_DENY, .why = SP_WHY_BAD_CREDENTIAL };
	const char *tenant = NULL;

	switch (users_verify(h->users, j->user, j->password, &h->scratch, &tenant)) {
	case USERS_OK:
		a = (sp_answer){ .size = sizeof(a), .verdict = SP_ALLOW, .principal = str(j->user) };
		a.tenant = str(h->set.tenants ? tenant : NULL);
		break;
	case USERS_WRONG_PASSWORD:
		a.detail = str("the password is wrong");
		break;
	case USERS_UNKNOWN:
		a.detail = str("there is no such user");
		break;
	}
	h->host->answer(j->ticket, &a); /* if the caller has left meanwhile, nobody hears it */
}

static void *hash_jobs(void *arg)
{
	struct htpasswd *h = arg;
	struct job *j;
	bool gone;

	while ((j = queue_take(h))) {
		look(h);
		judge(h, j);
		pthread_mutex_lock(&h->lock);
		gone = j->state == JOB_GONE;
		j->state = JOB_DONE;
		pthread_mutex_unlock(&h->lock);
		if (gone)
			job_free(j);
	}
	return NULL;
}

/* Signals are the daemon's: no thread of a plugin may get one. */
static int thread_start(struct htpasswd *h)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&h->thread, NULL, hash_jobs, h);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

/* ---- an instance ---- */

static void instance_free(struct htpasswd *h)
{
	users_free(&h->users);
	settings_deinit(&h->set);
	pthread_cond_destroy(&h->work);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static int htpasswd_open(const sp_host *host, const char *json, void *prev, void **inst, sp_error *err)
{
	struct htpasswd *h = calloc(1, sizeof(*h));
	char why[USERS_WHY_SIZE];
	int failed;

	(void)prev;
	if (!h)
		return fail(err, "", "out of memory");
	h->host = host;
	h->last = &h->first;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->work, NULL);
	failed = settings_read(json, &h->set, err);
	if (!failed) {
		h->stamp = users_stamp(h->set.file); /* before reading: what changes meanwhile is seen later */
		h->users = users_read(h->set.file, why);
		failed = h->users ? 0 : fail(err, "file", "%s", why);
	}
	if (!failed && thread_start(h) != 0)
		failed = fail(err, "", "no thread could be started");
	if (failed) {
		instance_free(h);
		return -1;
	}
	*inst = h;
	return 0;
}

/* Every request has finished: the queue is empty. Waits for the hash that may still be computed for somebody who left. */
static void htpasswd_close(void *inst)
{
	struct htpasswd *h = inst;

	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_signal(&h->work);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	instance_free(h);
}

/* All workers share the instance, by its lock. */
static int htpasswd_worker_open(void *inst, sp_worker *w, void **wctx, sp_error *err)
{
	(void)w;
	(void)err;
	*wctx = inst;
	return 0;
}

static void htpasswd_worker_close(void *wctx)
{
	(void)wctx;
}

/* ---- a request ---- */

static bool usable(sp_str s, size_t most)
{
	return s.n > 0 && s.n <= most && !memchr(s.p, '\0', s.n);
}

/* On a loop's thread: only what takes no time. Tokens and missing credentials are left to the rest of the chain, and where
 * nobody accepts them sallyport denies. */
static void htpasswd_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	struct htpasswd *h = wctx;
	sp_answer a = { .size = sizeof(a), .verdict = SP_DENY };
	struct job *j;

	if (r->cred != SP_CRED_USERPASS) {
		a.verdict = SP_DECLINE;
	} else if (!usable(r->user, USERS_NAME_MOST) || !usable(r->secret, USERS_PASSWORD_MOST)) {
		a.why = SP_WHY_BAD_CREDENTIAL;
		a.detail = str("the user or the password is empty, too long or holds a NUL");
	} else if (!(j = job_new(t, r->user, r->secret))) {
		a.verdict = SP_FAIL;
		a.detail = str("out of memory");
	} else if (!queue_put(h, j)) {
		job_free(j);
		a.why = SP_WHY_QUOTA;
		a.detail = str("too many callers wait for their passwords to be checked");
	} else {
		*slot = j; /* the thread answers */
		return;
	}
	h->host->answer(t, &a);
}

/* Exactly once after each request(): answered, or the caller left (SP_END_CLIENT_GONE), or time is up, or the daemon stops.
 * Whichever it was, nobody waits for the job any more. */
static void htpasswd_finish(void *wctx, void *slot, int end)
{
	struct htpasswd *h = wctx;
	struct job *j = slot;
	bool ours = true;

	(void)end;
	if (!j)
		return;
	pthread_mutex_lock(&h->lock);
	if (j->state == JOB_QUEUED) {
		queue_remove(h, j);
	} else if (j->state == JOB_HASHING) {
		j->state = JOB_GONE;
		ours = false;
	}
	pthread_mutex_unlock(&h->lock);
	if (ours)
		job_free(j);
}

static const sp_plugin plugin = {
	.magic = SP_ABI_MAGIC,
	.size = sizeof(plugin),
	.minor = SP_ABI_MINOR,
	.stages = SP_STAGE_AUTHN,
	.name = "htpasswd",
	.version = "1",
	.check = htpasswd_check,
	.open = htpasswd_open,
	.worker_open = htpasswd_worker_open,
	.request = htpasswd_request,
	.finish = htpasswd_finish,
	.worker_close = htpasswd_worker_close,
	.close = htpasswd_close,
};

SP_PLUGIN_EXPORT(htpasswd, plugin)
