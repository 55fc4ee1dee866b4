/* One line is built on the stack and leaves with one write(2): lines of several threads or processes do not mix, and
 * nothing is allocated. At most LINE_MAX_BYTES with the newline, which is also what a pipe takes in one piece; what
 * does not fit is left out and the line ends in truncated=true. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/line.h"
#include "base/must.h"

#define LINE_MAX_BYTES 4096

static atomic_int max_level = SP_LOG_INFO;
static atomic_bool as_json;

static pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*capture_fn)(void *arg, const char *line);
static void *capture_arg;

void sp_log_setup(enum sp_level max, bool json)
{
	atomic_store(&max_level, (int)max);
	atomic_store(&as_json, json);
}

bool sp_log_enabled(enum sp_level level)
{
	return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

void sp_log_capture(void (*fn)(void *arg, const char *line), void *arg)
{
	pthread_mutex_lock(&capture_lock);
	capture_fn = fn;
	capture_arg = arg;
	pthread_mutex_unlock(&capture_lock);
}

static void put_cause(struct sp_line *l, const struct sp_kv *kv)
{
	const struct sp_cause *c = kv->cause;

	if (!c || !c->err)
		return;
	sp_line_text(l, kv->key, sp_slice_str(sp_err_word(c->err)), SP_LINE_UNBOUNDED);
	if (c->domain != SP_DOMAIN_NONE)
		sp_line_text(l, "domain", sp_slice_str(sp_domain_word(c->domain)), SP_LINE_UNBOUNDED);
	if (c->raw)
		sp_line_int(l, "code", c->raw);
	if (c->text[0])
		sp_line_text(l, "detail", sp_slice_make(c->text, strnlen(c->text, sizeof(c->text))), SP_LINE_UNBOUNDED);
}

static void put_kv(struct sp_line *l, const struct sp_kv *kv)
{
	switch (kv->type) {
	case SP_KV_T_STR:
		if (kv->str)
			sp_line_text(l, kv->key, sp_slice_str(kv->str), SP_LINE_UNBOUNDED);
		return;
	case SP_KV_T_SLICE:
		if (kv->slice.p)
			sp_line_text(l, kv->key, kv->slice, SP_LINE_UNBOUNDED);
		return;
	case SP_KV_T_INT:
		sp_line_int(l, kv->key, kv->num);
		return;
	case SP_KV_T_CAUSE:
		put_cause(l, kv);
		return;
	}
}

static void put_head(struct sp_line *l, enum sp_level level, enum sp_event event, const char *msg)
{
	static const char *const levels[] = { "error", "warn", "notice", "info", "debug" };
	static const char *const events[] = {
#define X(id, word) word,
		SP_EVENTS(X)
#undef X
	};
	const char *level_word = (unsigned)level < SP_COUNT_OF(levels) ? levels[level] : "error";
	const char *event_word = (unsigned)event < SP_COUNT_OF(events) ? events[event] : "bug";
	char now[SP_TIME_SIZE], head[SP_TIME_SIZE + 64];

	sp_time_text(now);
	snprintf(head, sizeof(head), l->json ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"" : "%s %s %s ", now,
		 level_word, event_word);
	sp_line_put(l, head);
	if (l->json)
		sp_line_text(l, "message", sp_slice_str(msg), SP_LINE_UNBOUNDED);
	else
		sp_line_escaped(l, sp_slice_str(msg));
}

static void emit(struct sp_line *l)
{
	const char *p = l->text;
	bool captured;

	pthread_mutex_lock(&capture_lock);
	captured = capture_fn != NULL;
	if (captured) {
		l->text[l->n] = '\0'; /* there is room for a newline */
		capture_fn(capture_arg, l->text);
	}
	pthread_mutex_unlock(&capture_lock);
	if (captured)
		return;
	l->text[l->n++] = '\n';
	while (l->n > 0) {
		ssize_t n = write(STDERR_FILENO, p, l->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody to tell */
		p += n;
		l->n -= (size_t)n;
	}
}

void sp_log_write(enum sp_level level, enum sp_event event, const char *msg, const struct sp_kv *kv, unsigned n)
{
	int saved_errno = errno;
	char mem[LINE_MAX_BYTES];
	struct sp_line l;
	unsigned i;

	if (!sp_log_enabled(level))
		return;
	sp_line_init(&l, mem, sizeof(mem), atomic_load(&as_json));
	put_head(&l, level, event, msg ? msg : "");
	for (i = 0; i < n; i++)
		put_kv(&l, &kv[i]);
	if (l.cut)
		sp_line_tail(&l, l.json ? ",\"truncated\":true" : " truncated=true");
	if (l.json)
		sp_line_tail(&l, "}");
	emit(&l);
	errno = saved_errno;
}
