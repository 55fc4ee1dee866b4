/* Names in a certificate: see names.h. */
#include "names.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- subject ---- */

struct dn { const char *p, *end; };

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 2253 section 3:  attributeTypeAndValue = attributeType "=" attributeValue
 * Leaves d behind the "=". */
static bool read_type(struct dn *d, sp_str *type)
{
	const char *equals = memchr(d->p, '=', (size_t)(d->end - d->p));

	if (!equals)
		return false;
	*type = (sp_str){ d->p, (size_t)(equals - d->p) };
	for (size_t i = 0; i < type->n; i++)
		if (memchr(",+;\\\"#<> ", type->p[i], 9))
			return false;
	d->p = equals + 1;
	return type->n > 0;
}

/* pair = "\" ( special / "\" / QUOTATION / hexpair ). -1: malformed. */
static int read_pair(struct dn *d)
{
	int high, low;

	if (d->end - d->p < 2)
		return -1;
	high = hex(d->p[1]);
	low = d->end - d->p > 2 ? hex(d->p[2]) : -1;
	if (high >= 0 && low >= 0) {
		d->p += 3;
		return high << 4 | low;
	}
	if (!memchr(",=+<>#;\\\" ", d->p[1], 10))
		return -1;
	d->p += 2;
	return (unsigned char)d->p[-1];
}

/* The value up to the next "," or "+". dst NULL: it is only skipped. Else it must be text: no hexadecimal value ("#04...");
 * and none in quotation marks, a form that OpenSSL does not write. */
static bool read_value(struct dn *d, char *dst, size_t size, size_t *n)
{
	size_t len = 0;

	if (dst && d->p < d->end && (*d->p == '#' || *d->p == '"'))
		return false;
	while (d->p < d->end && *d->p != ',' && *d->p != '+') {
		int c = *d->p == '\\' ? read_pair(d) : (unsigned char)*d->p++;

		if (c < 0 || (dst && (c == 0 || len + 1 >= size)))
			return false;
		if (dst)
			dst[len] = (char)c;
		len++;
	}
	if (dst)
		dst[len] = '\0';
	*n = len;
	return true;
}

enum names_found names_attribute(sp_str subject, const char *type, char *dst, size_t size, size_t *n)
{
	struct dn d = { subject.p, subject.p + subject.n };
	enum names_found found = NAMES_NONE;
	size_t skipped;
	sp_str t;

	if (!subject.p || subject.n == 0)
		return NAMES_NONE;
	for (;;) {
		bool wanted;

		if (!read_type(&d, &t))
			return NAMES_MALFORMED;
		wanted = strlen(type) == t.n && strncasecmp(type, t.p, t.n) == 0;
		if (wanted && found != NAMES_NONE)
			return NAMES_SEVERAL;
		if (!read_value(&d, wanted ? dst : NULL, size, wanted ? n : &skipped))
			return NAMES_MALFORMED;
		if (wanted)
			found = NAMES_ONE;
		if (d.p == d.end)
			return found;
		d.p++; /* "," or "+" */
	}
}

/* ---- sources ---- */

static bool in_tenant(const struct names_source *s, char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_')
		return true;
	return (c == '.' || c == '~') && strcmp(s->type, "DNS") != 0;
}

static const char *parse_pattern(const char *pattern, struct names_source *s)
{
	static const char mark[] = "{tenant}";
	const char *at = strstr(pattern, mark), *after;
	size_t n;

	if (!at)
		return "holds no {tenant}";
	after = at + sizeof(mark) - 1;
	if (strstr(after, mark))
		return "holds {tenant} twice";
	n = strlen(after);
	s->rest = n > 0 && after[n - 1] == '*';
	n -= s->rest;
	if (memchr(pattern, '*', (size_t)(at - pattern)) || memchr(after, '*', n))
		return "holds a \"*\" before its end";
	if (n == 0 && s->rest)
		return "has nothing between {tenant} and \"*\"";
	if (n > 0 && in_tenant(s, after[0]))
		return "goes on after {tenant} with a character that a tenant's name may hold";
	s->before = strndup(pattern, (size_t)(at - pattern));
	s->after = strndup(after, n);
	return s->before && s->after ? NULL : "out of memory";
}

static const char *parse(const char *text, struct names_source *s)
{
	static const char *const types[] = { "URI", "DNS", "EMAIL" };

	if (strncmp(text, "subject:", 8) == 0) {
		text += 8;
		if (!*text || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") != strlen(text))
			return "names no attribute after \"subject:\"";
		s->type = strdup(text);
		return s->type ? NULL : "out of memory";
	}
	if (strncmp(text, "san:", 4) != 0)
		return "must begin with \"subject:\" or \"san:\"";
	text += 4;
	s->san = true;
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		size_t n = strlen(types[i]);

		if (strncmp(text, types[i], n) != 0 || text[n] != ':')
			continue;
		s->type = strdup(types[i]);
		return s->type ? parse_pattern(text + n + 1, s) : "out of memory";
	}
	return "must go on after \"san:\" with \"URI:\", \"DNS:\" or \"EMAIL:\"";
}

const char *names_source_parse(const char *text, struct names_source *out)
{
	struct names_source s = { 0 };
	const char *why = parse(text, &s);

	if (why)
		names_source_deinit(&s);
	else
		*out = s;
	return why;
}

void names_source_deinit(struct names_source *s)
{
	free(s->type);
	free(s->before);
	free(s->after);
	*s = (struct names_source){ 0 };
}

static bool begins(sp_str s, const char *with, size_t n)
{
	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* The tenant within one name, or p NULL. */
static sp_str match(const struct names_source *s, sp_str name)
{
	size_t before = strlen(s->before), after = strlen(s->after), n = 0;
	sp_str tenant, left;

	if (!begins(name, s->before, before))
		return (sp_str){ 0 };
	while (before + n < name.n && in_tenant(s, name.p[before + n]))
		n++;
	tenant = (sp_str){ name.p + before, n };
	left = (sp_str){ tenant.p + n, name.n - before - n };
	if (n == 0 || !begins(left, s->after, after) || (s->rest ? left.n == after : left.n != after))
		return (sp_str){ 0 };
	return tenant;
}

static enum names_found find_san(const struct names_source *s, sp_str sans, char *dst, size_t size, size_t *n)
{
	enum names_found found = NAMES_NONE;
	size_t type = strlen(s->type);

	while (sans.n > 0) {
		const char *end = memchr(sans.p, '\n', sans.n);
		sp_str line = { sans.p, end ? (size_t)(end - sans.p) : sans.n }, tenant = { 0 };

		sans.p += line.n + (end != NULL);
		sans.n -= line.n + (end != NULL);
		/* The kind of name is written "EMAIL" or "email". */
		if (line.n > type && line.p[type] == ':' && strncasecmp(line.p, s->type, type) == 0)
			tenant = match(s, (sp_str){ line.p + type + 1, line.n - type - 1 });
		if (!tenant.p)
			continue;
		if (found == NAMES_ONE && (tenant.n != *n || memcmp(dst, tenant.p, *n) != 0))
			return NAMES_SEVERAL;
		if (tenant.n >= size)
			return NAMES_MALFORMED;
		memcpy(dst, tenant.p, tenant.n);
		dst[tenant.n] = '\0';
		*n = tenant.n;
		found = NAMES_ONE;
	}
	return found;
}

enum names_found names_source_find(const struct names_source *s, const sp_request *r, char *dst, size_t size, size_t *n)
{
	if (s->san)
		return find_san(s, r->cert_sans, dst, size, n);
	return names_attribute(r->cert_subject, s->type, dst, size, n);
}
