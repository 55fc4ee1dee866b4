#include "base/line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "base/text.h"

void sp_line_init(struct sp_line *l, char *mem, size_t size, bool json)
{
	sp_must(size > SP_LINE_TAIL);
	*l = (struct sp_line){ .text = mem, .limit = size - SP_LINE_TAIL, .size = size, .json = json };
}

/* All of it or nothing: an escape sequence is never cut in two. */
static void put(struct sp_line *l, const char *s, size_t n)
{
	if (l->full || l->n + n > l->limit) {
		l->full = l->cut = true;
		return;
	}
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

void sp_line_put(struct sp_line *l, const char *s)
{
	put(l, s, strlen(s));
}

void sp_line_tail(struct sp_line *l, const char *s)
{
	size_t n = strlen(s);

	sp_must(n < l->size - l->n);
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

void sp_line_escaped(struct sp_line *l, struct sp_slice s)
{
	char esc[8];

	while (s.n > 0 && !l->full) {
		size_t i, n = sp_utf8_length(s);
		bool c1 = n == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0; /* U+0080..U+009F control terminals */

		if (n == 1 && (s.p[0] == '"' || s.p[0] == '\\')) {
			esc[0] = '\\';
			esc[1] = (char)s.p[0];
			put(l, esc, 2);
		} else if (n == 0 || c1 || (n == 1 && (s.p[0] < 0x20 || s.p[0] == 0x7f))) {
			for (i = 0, n = n ? n : 1; i < n; i++) {
				snprintf(esc, sizeof(esc), l->json ? "\\\\x%02x" : "\\x%02x", s.p[i]);
				sp_line_put(l, esc);
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

/* The first member of an object has no comma; a value never ends in a brace. */
static const char *make_lead(const struct sp_line *l, const char *key, char dst[72])
{
	bool first = l->n > 0 && l->text[l->n - 1] == '{';

	snprintf(dst, 72, l->json ? "%s\"%.60s\":" : "%s%.60s=", l->json ? first ? "" : "," : " ", key);
	return dst;
}

void sp_line_text(struct sp_line *l, const char *key, struct sp_slice value, size_t most)
{
	bool quote = l->json || !is_plain(value);
	char lead[72], head[80];
	size_t limit = l->limit;

	/* The key goes together with the opening quote or not at all. */
	snprintf(head, sizeof(head), "%s%s", make_lead(l, key, lead), quote ? "\"" : "");
	sp_line_put(l, head);
	if (l->full)
		return;
	if (most < limit - l->n)
		l->limit = l->n + most;
	sp_line_escaped(l, value);
	if (l->limit < limit) {
		l->limit = limit; /* this value was too long for its place, not the line */
		l->full = false;
	}
	if (quote)
		sp_line_tail(l, "\"");
}

void sp_line_int(struct sp_line *l, const char *key, int64_t value)
{
	char lead[72], field[104];

	snprintf(field, sizeof(field), "%s%lld", make_lead(l, key, lead), (long long)value);
	sp_line_put(l, field);
}

/* Because: gmtime_r() takes a lock and may read the time zone's file. */
void sp_time_text(char dst[SP_TIME_SIZE])
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
	snprintf(dst, SP_TIME_SIZE, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%03ldZ", y % 10000, mp < 10 ? mp + 3 : mp - 9,
		 doy - (153 * mp + 2) / 5 + 1, secs / 3600, secs / 60 % 60, secs % 60, now.tv_nsec / 1000000);
}
