#include "fake.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

struct request {
	TAILQ_ENTRY(request) node;
	char *url, *ca_file;
	uint32_t max_bytes;
	sp_fetch_cb *cb;
	void *arg;
};

struct bell {
	TAILQ_ENTRY(bell) node; /* the next one first */
	int64_t at_ms;
	sp_alarm_cb *cb;
	void *arg;
};

struct line {
	TAILQ_ENTRY(line) node;
	int level;
	char *text;
};

static TAILQ_HEAD(, request) requests;
static TAILQ_HEAD(, bell) bells;
static TAILQ_HEAD(, line) lines;
static int64_t clock_ms, wall_begin_s;
static unsigned begun;
uint32_t fake_dice;
bool fake_refuses;
struct fake_answered fake_answered;
static int worker;
sp_worker *const fake_worker = (sp_worker *)(void *)&worker;

#define CLOCK_BEGIN_MS 1000000

/* ---- fetches ---- */

static void request_free(struct request *r)
{
	TAILQ_REMOVE(&requests, r, node);
	free(r->url);
	free(r->ca_file);
	free(r);
}

static sp_fetch *fetch(sp_worker *w, const sp_fetch_get *get, sp_fetch_cb *cb, void *arg)
{
	struct request *r = calloc(1, sizeof(*r));

	ck_assert_ptr_eq(w, fake_worker);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_gt(get->timeout_ms, 0);
	ck_assert_uint_gt(get->max_bytes, 0);
	begun++;
	if (fake_refuses) {
		free(r);
		return NULL;
	}
	r->url = strndup(get->url.p, get->url.n);
	r->ca_file = get->ca_file.p ? strndup(get->ca_file.p, get->ca_file.n) : NULL;
	r->max_bytes = get->max_bytes;
	r->cb = cb;
	r->arg = arg;
	TAILQ_INSERT_TAIL(&requests, r, node);
	return (sp_fetch *)(void *)r;
}

static void fetch_cancel(sp_fetch *f)
{
	request_free((struct request *)(void *)f);
}

static struct request *request(unsigned i)
{
	struct request *r = TAILQ_FIRST(&requests);

	while (r && i-- > 0)
		r = TAILQ_NEXT(r, node);
	ck_assert_ptr_nonnull(r);
	return r;
}

unsigned fake_fetches(void)
{
	return begun;
}

unsigned fake_pending(void)
{
	struct request *r;
	unsigned n = 0;

	TAILQ_FOREACH (r, &requests, node)
		n++;
	return n;
}

const char *fake_url(unsigned i)
{
	return request(i)->url;
}

const char *fake_ca_file(unsigned i)
{
	return request(i)->ca_file;
}

uint32_t fake_max_bytes(unsigned i)
{
	return request(i)->max_bytes;
}

static void answer_one(struct request *r, int status, const char *body, int64_t life_s)
{
	sp_fetch_cb *cb = r->cb;
	void *arg = r->arg;
	size_t n = body ? strlen(body) : 0;
	char *exact = malloc(n ? n : 1); /* nothing behind its end may be read */

	ck_assert_ptr_nonnull(exact);
	if (n)
		memcpy(exact, body, n);
	request_free(r);
	if (status)
		cb(arg, status, (sp_str){ exact, n }, life_s < 0 ? 0 : fake_wall() + life_s, (sp_str){ 0 });
	else
		cb(arg, 0, (sp_str){ 0 }, 0, (sp_str){ body ? exact : NULL, n });
	free(exact);
}

void fake_answer(int status, const char *body, int64_t life_s)
{
	answer_one(request(0), status, body, life_s);
}

void fake_answer_url(const char *url, int status, const char *body, int64_t life_s)
{
	struct request *r;

	TAILQ_FOREACH (r, &requests, node)
		if (strstr(r->url, url))
			break;
	ck_assert_msg(r != NULL, "no request for %s is pending", url);
	answer_one(r, status, body, life_s);
}

/* ---- alarms ---- */

static sp_alarm *alarm_set(sp_worker *w, uint32_t after_ms, sp_alarm_cb *cb, void *arg)
{
	struct bell *b = calloc(1, sizeof(*b)), *later;

	ck_assert_ptr_eq(w, fake_worker);
	ck_assert_ptr_nonnull(b);
	*b = (struct bell){ .at_ms = clock_ms + after_ms, .cb = cb, .arg = arg };
	TAILQ_FOREACH (later, &bells, node)
		if (later->at_ms > b->at_ms)
			break;
	if (later)
		TAILQ_INSERT_BEFORE(later, b, node);
	else
		TAILQ_INSERT_TAIL(&bells, b, node);
	return (sp_alarm *)(void *)b;
}

static void alarm_cancel(sp_alarm *a)
{
	struct bell *b = (struct bell *)(void *)a;

	TAILQ_REMOVE(&bells, b, node);
	free(b);
}

unsigned fake_alarms(void)
{
	struct bell *b;
	unsigned n = 0;

	TAILQ_FOREACH (b, &bells, node)
		n++;
	return n;
}

void fake_pass(int64_t ms)
{
	int64_t until = clock_ms + ms;
	unsigned rung = 0;
	struct bell *b;

	while ((b = TAILQ_FIRST(&bells)) != NULL && b->at_ms <= until) {
		sp_alarm_cb *cb = b->cb;
		void *arg = b->arg;

		ck_assert_uint_lt(rung++, 100000); /* an alarm that sets itself again at once */
		if (b->at_ms > clock_ms)
			clock_ms = b->at_ms;
		alarm_cancel((sp_alarm *)(void *)b);
		cb(arg);
	}
	clock_ms = until;
}

int64_t fake_now(void)
{
	return clock_ms;
}

int64_t fake_wall(void)
{
	return wall_begin_s + (clock_ms - CLOCK_BEGIN_MS) / 1000;
}

/* ---- log ---- */

static void log_line(int level, sp_ticket t, const char *fmt, ...) SP_PRINTF_LIKE(3, 4);
static void log_line(int level, sp_ticket t, const char *fmt, ...)
{
	struct line *l = calloc(1, sizeof(*l));
	char text[2048];
	va_list ap;

	(void)t;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ck_assert_ptr_nonnull(l);
	l->level = level;
	l->text = strdup(text);
	TAILQ_INSERT_TAIL(&lines, l, node);
	if (getenv("FAKE_LOG"))
		fprintf(stderr, "# %d %s\n", level, text);
}

unsigned fake_said_at(int level, const char *text)
{
	struct line *l;
	unsigned n = 0;

	TAILQ_FOREACH (l, &lines, node)
		n += (level < 0 || l->level == level) && strstr(l->text, text) != NULL;
	return n;
}

unsigned fake_said(const char *text)
{
	return fake_said_at(-1, text);
}

unsigned fake_lines(void)
{
	return fake_said("");
}

void fake_forget_log(void)
{
	struct line *l;

	while ((l = TAILQ_FIRST(&lines)) != NULL) {
		TAILQ_REMOVE(&lines, l, node);
		free(l->text);
		free(l);
	}
}

/* ---- answers ---- */

static void answer(sp_ticket t, const sp_answer *a)
{
	fake_answered = (struct fake_answered){ .count = fake_answered.count + 1, .verdict = a->verdict, .why = a->why, .ticket = t.v };
	snprintf(fake_answered.detail, sizeof(fake_answered.detail), "%.*s", (int)a->detail.n, a->detail.p ? a->detail.p : "");
	snprintf(fake_answered.tenant, sizeof(fake_answered.tenant), "%.*s", (int)a->tenant.n, a->tenant.p ? a->tenant.p : "");
}

const sp_host fake_host = { .size = sizeof(fake_host), .answer = answer, .log = log_line, .fetch = fetch, .fetch_cancel = fetch_cancel,
			    .alarm = alarm_set, .alarm_cancel = alarm_cancel };

/* ---- the whole ---- */

static int64_t env_mono(void *arg)
{
	(void)arg;
	return clock_ms;
}

static int64_t env_wall(void *arg)
{
	(void)arg;
	return fake_wall();
}

static uint32_t env_random(void *arg)
{
	(void)arg;
	return fake_dice;
}

struct jwt_sources_env fake_env(void)
{
	return (struct jwt_sources_env){ .host = &fake_host, .worker = fake_worker, .mono_ms = env_mono, .wall_s = env_wall,
					 .random = env_random };
}

void fake_open(void)
{
	TAILQ_INIT(&requests);
	TAILQ_INIT(&bells);
	TAILQ_INIT(&lines);
	clock_ms = CLOCK_BEGIN_MS;
	wall_begin_s = (int64_t)time(NULL);
	begun = 0;
	fake_dice = 0;
	fake_refuses = false;
	fake_answered = (struct fake_answered){ 0 };
}

void fake_close(void)
{
	ck_assert_uint_eq(fake_pending(), 0);
	ck_assert_uint_eq(fake_alarms(), 0);
	fake_forget_log();
}
