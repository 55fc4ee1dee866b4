/* One line is built on the stack and leaves with one write(2): lines of several threads or processes do not mix, and
 * nothing is allocated. At most LINE_MAX_BYTES with the newline, which is also what a pipe takes in one piece; what
 * does not fit is left out and the line ends in truncated=true. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"

#define LINE_MAX_BYTES 4096
#define TAIL_BYTES 32 /* kept for the closing quote, the mark and the newline */

struct line {
	bool json, cut;
	size_t n;
	char text[LINE_MAX_BYTES];
};

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

/* All of it or nothing: an escape sequence is never cut in two. */
static void put(struct line *l, const char *s, size_t n)
{
	if (l->cut || l->n + n > sizeof(l->text) - TAIL_BYTES) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* Into the room that put() leaves. */
static void put_tail(struct line *l, const char *s)
{
	size_t n = strlen(s);

	sp_must(n < sizeof(l->text) - l->n);
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

/* Both forms escape the same way, but JSON knows no \x: there it is the text \\x. */
static void put_escaped(struct line *l, struct sp_slice s)
{
	char esc[8];

	while (s.n > 0 && !l->cut) {
		size_t i, n = sp_utf8_length(s);
		bool c1 = n == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0; /* U+0080..U+009F control terminals */

		if (n == 1 && (s.p[0] == '"' || s.p[0] == '\\')) {
			esc[0] = '\\';
			esc[1] = (char)s.p[0];
			put(l, esc, 2);
		} else if (n == 0 || c1 || (n == 1 && (s.p[0] < 0x20 || s.p[0] == 0x7f))) {
			for (i = 0, n = n ? n : 1; i < n; i++) {
				snprintf(esc, sizeof(esc), l->json ? "\\\\x%02x" : "\\x%02x", s.p[i]);
				put_str(l, esc);
			}
		} else {
			put(l, (const char *)s.p, n);
		}
		s.p += n;
		s.n -= n;
	}
}

static bool is_plain(struct sp_slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || strchr("\"\\=", s.p[i]))
			return false;
	return s.n > 0;
}

/* `lead` is a separator with the key; it goes together with the opening quote or not at all. */
static void put_value(struct line *l, const char *lead, struct sp_slice s)
{
	bool quote = l->json || !is_plain(s);
	char head[80];

	snprintf(head, sizeof(head), "%s%s", lead, quote ? "\"" : "");
	put_str(l, head);
	if (l->cut)
		return;
	put_escaped(l, s);
	if (quote)
		put_tail(l, "\"");
}

static const char *make_lead(const struct line *l, const char *key, char dst[72])
{
	snprintf(dst, 72, l->json ? ",\"%.60s\":" : " %.60s=", key);
	return dst;
}

static void put_text_field(struct line *l, const char *key, struct sp_slice s)
{
	char lead[72];

	put_value(l, make_lead(l, key, lead), s);
}

static void put_int_field(struct line *l, const char *key, int64_t num)
{
	char lead[72], field[104];

	snprintf(field, sizeof(field), "%s%lld", make_lead(l, key, lead), (long long)num);
	put_str(l, field);
}

static void put_cause(struct line *l, const struct sp_kv *kv)
{
	const struct sp_cause *c = kv->cause;

	if (!c || !c->err)
		return;
	put_text_field(l, kv->key, sp_slice_str(sp_err_word(c->err)));
	if (c->domain != SP_DOMAIN_NONE)
		put_text_field(l, "domain", sp_slice_str(sp_domain_word(c->domain)));
	if (c->raw)
		put_int_field(l, "code", c->raw);
	if (c->text[0])
		put_text_field(l, "detail", sp_slice_make(c->text, strnlen(c->text, sizeof(c->text))));
}

static void put_kv(struct line *l, const struct sp_kv *kv)
{
	switch (kv->type) {
	case SP_KV_T_STR:
		if (kv->str)
			put_text_field(l, kv->key, sp_slice_str(kv->str));
		return;
	case SP_KV_T_SLICE:
		if (kv->slice.p)
			put_text_field(l, kv->key, kv->slice);
		return;
	case SP_KV_T_INT:
		put_int_field(l, kv->key, kv->num);
		return;
	case SP_KV_T_CAUSE:
		put_cause(l, kv);
		return;
	}
}

/* RFC 3339 in UTC with milliseconds. Because: gmtime_r() takes a lock and may read the time zone's file. */
#define TIME_SIZE 128 /* far more than any year needs; the compiler checks it */
static void time_text(char dst[TIME_SIZE])
{
	struct timespec now;
	long long days, secs, era, doe, yoe, doy, mp, y;

	clock_gettime(CLOCK_REALTIME, &now);
	days = now.tv_sec / 86400 + 719468; /* since 0000-03-01: the leap day is the last day of a year */
	secs = now.tv_sec % 86400;
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	y = yoe + era * 400 + (mp >= 10);
	snprintf(dst, TIME_SIZE, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%03ldZ", y % 10000, mp < 10 ? mp + 3 : mp - 9,
		 doy - (153 * mp + 2) / 5 + 1, secs / 3600, secs / 60 % 60, secs % 60, now.tv_nsec / 1000000);
}

static void put_head(struct line *l, enum sp_level level, enum sp_event event, const char *msg)
{
	static const char *const levels[] = { "error", "warn", "notice", "info", "debug" };
	static const char *const events[] = {
#define X(id, word) word,
		SP_EVENTS(X)
#undef X
	};
	const char *level_word = (unsigned)level < SP_COUNT_OF(levels) ? levels[level] : "error";
	const char *event_word = (unsigned)event < SP_COUNT_OF(events) ? events[event] : "bug";
	char now[TIME_SIZE], head[TIME_SIZE + 64];

	time_text(now);
	snprintf(head, sizeof(head), l->json ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"" : "%s %s %s ", now,
		 level_word, event_word);
	put_str(l, head);
	if (l->json)
		put_text_field(l, "message", sp_slice_str(msg));
	else
		put_escaped(l, sp_slice_str(msg));
}

static void emit(struct line *l)
{
	const char *p = l->text;
	bool captured;

	pthread_mutex_lock(&capture_lock);
	captured = capture_fn != NULL;
	if (captured) {
		l->text[l->n] = '\0';
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
	struct line l;
	unsigned i;

	if (!sp_log_enabled(level))
		return;
	l.json = atomic_load(&as_json);
	l.cut = false;
	l.n = 0;
	put_head(&l, level, event, msg ? msg : "");
	for (i = 0; i < n; i++)
		put_kv(&l, &kv[i]);
	if (l.cut)
		put_tail(&l, l.json ? ",\"truncated\":true" : " truncated=true");
	if (l.json)
		put_tail(&l, "}");
	emit(&l);
	errno = saved_errno;
}
