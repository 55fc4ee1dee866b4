/* One setting: its type, its range, its place in a struct. Strings and defaults are parsed from text by the same functions. */
#include "config.h" /* vasprintf */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/text.h"
#include "conf/load.h"

#define HTTPS_PORT 443

void sp_value_error(const struct sp_place *p, const char *fmt, ...)
{
	struct sp_conf_at at = sp_source_at(p->ld, p->setting);
	const char *hint = p->key ? p->key->hint : NULL;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	sp_must(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	sp_report_add(p->ld->report, &at, "%s%s%s%s", p->path, text, hint ? "; " : "", hint ? hint : "");
	free(text);
}

const char *sp_value_type(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:
		return "a group { }";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "an integer";
	case CONFIG_TYPE_FLOAT:
		return "a floating-point number";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_ARRAY:
		return "an array [ ]";
	case CONFIG_TYPE_LIST:
		return "a list ( )";
	default:
		return "nothing";
	}
}

bool sp_value_text_ok(const char *text)
{
	struct sp_slice s = sp_slice_str(text);
	size_t n;

	for (; s.n > 0; s.p += n, s.n -= n) {
		n = sp_utf8_length(s);
		if (n == 0 || s.p[0] < 0x20 || s.p[0] == 0x7f)
			return false;
	}
	return true;
}

static void *destination(const struct sp_place *p, size_t size)
{
	sp_must(p->key->size == size);
	return (char *)p->base + p->key->offset;
}

static bool wrong(const struct sp_place *p, const char *text, const char *want)
{
	sp_value_error(p, " = \"%s\": must be %s", text, want);
	return false;
}

/* ---- numbers ----------------------------------------------------------------- */

/* u32 or u64, by the size of the place. shown: the value as it is written. */
static bool store_number(const struct sp_place *p, uint64_t v, const char *shown, const char *(*print)(uint64_t, char *))
{
	char min[SP_UNIT_SIZE], max[SP_UNIT_SIZE];

	if (v < p->key->min || v > p->key->max) {
		sp_value_error(p, " = %s: out of range, must be from %s to %s", shown, print(p->key->min, min), print(p->key->max, max));
		return false;
	}
	if (p->key->size == sizeof(uint64_t))
		*(uint64_t *)destination(p, sizeof(uint64_t)) = v;
	else
		*(uint32_t *)destination(p, sizeof(uint32_t)) = (uint32_t)v;
	return true;
}

static const char *print_integer(uint64_t v, char *dst)
{
	snprintf(dst, SP_UNIT_SIZE, "%" PRIu64, v);
	return dst;
}

/* Settings of SP_KEY_INT, and of SP_KEY_SIZE where bytes are written as a plain integer. */
static bool store_integer(const struct sp_place *p)
{
	bool wide = config_setting_type(p->setting) == CONFIG_TYPE_INT64;
	int64_t v = wide ? (int64_t)config_setting_get_int64(p->setting) : config_setting_get_int(p->setting);
	char shown[SP_UNIT_SIZE];

	snprintf(shown, sizeof(shown), "%" PRId64, v);
	/* A negative one becomes a huge one, above every max. */
	return store_number(p, (uint64_t)v, shown, p->key->type == SP_KEY_SIZE ? sp_size_text : print_integer);
}

static bool parse_integer(const struct sp_place *p, const char *text)
{
	uint64_t v;

	return sp_text_u64(sp_slice_str(text), UINT64_MAX, &v) == 0 && store_number(p, v, text, print_integer);
}

static bool parse_size(const struct sp_place *p, const char *text)
{
	char shown[64];
	uint64_t v;

	if (sp_conf_size(text, &v))
		return wrong(p, text, "bytes: digits alone, or with KiB, MiB or GiB");
	snprintf(shown, sizeof(shown), "\"%s\"", text);
	return store_number(p, v, shown, sp_size_text);
}

static bool parse_duration(const struct sp_place *p, const char *text)
{
	char shown[64];
	uint64_t v;

	if (sp_conf_duration(text, &v))
		return wrong(p, text, "a duration: digits with ms, s, m or h");
	snprintf(shown, sizeof(shown), "\"%s\"", text);
	return store_number(p, v, shown, sp_duration_text);
}

static bool store_bool(const struct sp_place *p)
{
	*(bool *)destination(p, sizeof(bool)) = config_setting_get_bool(p->setting) == CONFIG_TRUE;
	return true;
}

static bool parse_bool(const struct sp_place *p, const char *text)
{
	*(bool *)destination(p, sizeof(bool)) = strcmp(text, "true") == 0;
	return true;
}

/* ---- texts ------------------------------------------------------------------- */

/* ""a", "b" or "c"" */
static void list_words(const char *const *words, char *dst, size_t size)
{
	size_t n = 0;

	dst[0] = '\0';
	for (unsigned i = 0; words[i]; i++) {
		const char *before = i == 0 ? "" : words[i + 1] ? ", " : " or ";

		n += (size_t)snprintf(dst + n, size - n, "%s\"%s\"", before, words[i]);
		sp_must(n < size);
	}
}

static bool parse_word(const struct sp_place *p, const char *text)
{
	const char *const *words = p->key->words, *near = sp_nearest(text, words);
	char known[128];
	unsigned i = 0;

	while (words[i] && strcmp(words[i], text) != 0)
		i++;
	if (!words[i]) {
		list_words(words, known, sizeof(known));
		sp_value_error(p, " = \"%s\": must be %s%s%s%s", text, known, near ? "; did you mean \"" : "", near ? near : "",
			       near ? "\"?" : "");
		return false;
	}
	if (p->key->size == sizeof(bool))
		*(bool *)destination(p, sizeof(bool)) = i != 0;
	else if (p->key->size > 0) /* 0: there is one word only, so nothing to remember */
		*(unsigned *)destination(p, sizeof(unsigned)) = i;
	return true;
}

/* Header fields lose the blanks at their ends on the way; a text that differs at the far end would match nothing. */
static bool has_outer_blank(const char *text)
{
	size_t n = strlen(text);

	return n > 0 && (text[0] == ' ' || text[n - 1] == ' ');
}

static bool parse_text(const struct sp_place *p, const char *text)
{
	char *dst = destination(p, p->key->size);

	if (has_outer_blank(text))
		return wrong(p, text, "without blanks at its ends");
	if (sp_slice_copy(sp_slice_str(text), dst, p->key->size)) {
		sp_value_error(p, ": must not be longer than %zu bytes", p->key->size - 1);
		return false;
	}
	return true;
}

static bool parse_string(const struct sp_place *p, const char *text)
{
	if (text[0] == '\0' || has_outer_blank(text))
		return wrong(p, text, "a text without blanks at its ends");
	if (strlen(text) > p->key->max) {
		sp_value_error(p, ": must not be longer than %" PRIu64 " bytes", p->key->max);
		return false;
	}
	*(char **)destination(p, sizeof(char *)) = sp_strdup(text);
	return true;
}

static bool parse_file(const struct sp_place *p, const char *text)
{
	if (text[0] == '\0')
		return wrong(p, text, "a path");
	*(char **)destination(p, sizeof(char *)) = sp_source_path(p->ld, text);
	return true;
}

static bool parse_output(const struct sp_place *p, const char *text)
{
	if (strcmp(text, "-") != 0)
		return parse_file(p, text);
	*(char **)destination(p, sizeof(char *)) = sp_strdup(text);
	return true;
}

/* The text of element i, or NULL after an error. */
static const char *element(const struct sp_place *p, unsigned i)
{
	struct sp_place e = *p;
	const char *text;

	e.setting = config_setting_get_elem(p->setting, i);
	if (config_setting_type(e.setting) != CONFIG_TYPE_STRING) {
		sp_value_error(&e, "[%u]: must be a string, is %s", i, sp_value_type(e.setting));
		return NULL;
	}
	text = config_setting_get_string(e.setting);
	if (text[0] == '\0' || !sp_value_text_ok(text)) {
		sp_value_error(&e, "[%u] = \"%s\": must be a text in UTF-8 without control characters", i, text);
		return NULL;
	}
	return text;
}

static bool count_in_range(const struct sp_place *p, unsigned count)
{
	if (count >= p->key->min && (p->key->max == 0 || count <= p->key->max))
		return true;
	if (count < p->key->min)
		sp_value_error(p, ": must not be empty");
	else
		sp_value_error(p, ": must not have more than %" PRIu64 " elements", p->key->max);
	return false;
}

static bool store_strings(const struct sp_place *p)
{
	unsigned count = (unsigned)config_setting_length(p->setting);
	char ***list = destination(p, sizeof(char **));
	bool ok = count_in_range(p, count);

	*list = sp_calloc(count + 1, sizeof(char *));
	for (unsigned i = 0; i < count; i++) {
		const char *text = element(p, i);

		(*list)[i] = sp_strdup(text ? text : "");
		ok = ok && text;
	}
	return ok;
}

/* ---- places in the network --------------------------------------------------- */

static bool parse_address(const struct sp_place *p, const char *text)
{
	struct sp_conf_listener *l = p->base;

	/* A relative Unix socket would lie wherever the daemon was started. */
	if ((strncmp(text, "unix:", 5) == 0 && text[5] != '/') || sp_addr_parse(text, &l->address))
		return wrong(p, text, "\"127.0.0.1:20003\", \"[::1]:20003\" (addresses, not names) or \"unix:/run/sallyport/http.sock\"");
	l->address_text = sp_strdup(text);
	return true;
}

static bool parse_target(const struct sp_place *p, const char *text)
{
	if (sp_authority_parse(sp_slice_str(text), 0, destination(p, sizeof(struct sp_authority))))
		return wrong(p, text, "\"host:port\"");
	return true;
}

static bool read_url(const char *text, struct sp_authority *out)
{
	static const char scheme[] = "https://";
	struct sp_slice rest = sp_slice_str(text);

	if (strncmp(text, scheme, strlen(scheme)) != 0)
		return false;
	rest.p += strlen(scheme);
	rest.n -= strlen(scheme);
	if (rest.n > 0 && rest.p[rest.n - 1] == '/')
		rest.n--;
	return sp_authority_parse(rest, HTTPS_PORT, out) == 0;
}

static const char url_form[] = "\"https://host\" or \"https://host:port\"";

static bool parse_url(const struct sp_place *p, const char *text)
{
	return read_url(text, destination(p, sizeof(struct sp_authority))) || wrong(p, text, url_form);
}

static bool add_gateway(const struct sp_place *p, const char *text)
{
	struct sp_conf_connector *c = &p->ld->conf->connector;
	struct sp_authority a;

	if (!read_url(text, &a))
		return wrong(p, text, url_form);
	for (unsigned i = 0; i < c->url_count; i++) {
		if (sp_authority_eq(&c->urls[i], &a))
			return wrong(p, text, "named once");
	}
	c->urls = reallocarray(c->urls, c->url_count + 1, sizeof(c->urls[0]));
	sp_must(c->urls);
	c->urls[c->url_count++] = a;
	return true;
}

static bool store_gateways(const struct sp_place *p)
{
	unsigned count = (unsigned)config_setting_length(p->setting);
	bool ok = count_in_range(p, count);
	struct sp_place e = *p;

	if (p->ld->conf->connector.url_count > 0) {
		sp_value_error(p, ": takes the place of url, write one of the two");
		return false;
	}

	for (unsigned i = 0; i < count; i++) {
		const char *text = element(p, i);

		e.setting = config_setting_get_elem(p->setting, i);
		ok = text && add_gateway(&e, text) && ok;
	}
	return ok;
}

/* host ":" first [ "-" last ] */
static bool read_ports(const char *text, char *host, uint16_t *first, uint16_t *last)
{
	const char *colon = strrchr(text, ':'), *dash = colon ? strchr(colon, '-') : NULL;
	struct sp_authority a;
	uint64_t end;

	if (sp_authority_parse(dash ? sp_slice_make(text, (size_t)(dash - text)) : sp_slice_str(text), 0, &a))
		return false;
	end = a.port;
	if (dash && (sp_text_u64(sp_slice_str(dash + 1), 65535, &end) || end <= a.port))
		return false;
	memcpy(host, a.host, SP_HOST_SIZE);
	*first = a.port;
	*last = (uint16_t)end;
	return true;
}

static const char ports_form[] = "\"host:port\" or \"host:first-last\"";

static bool parse_virtual(const struct sp_place *p, const char *text)
{
	struct sp_conf_expose *e = p->base;

	return read_ports(text, e->virtual_host, &e->first_port, &e->last_port) || wrong(p, text, ports_form);
}

static bool parse_internal(const struct sp_place *p, const char *text)
{
	struct sp_conf_expose *e = p->base;

	return read_ports(text, e->internal_host, &e->internal_first_port, &e->internal_last_port) || wrong(p, text, ports_form);
}

/* ---- chains ------------------------------------------------------------------ */

static bool parse_chain(const struct sp_place *p, const char *text)
{
	const struct sp_conf *c = p->ld->conf;
	int *chain = destination(p, sizeof(int));
	struct sp_buf known = { 0 };

	*chain = SP_CHAIN_WRONG;
	for (unsigned i = 0; i < c->chain_count; i++) {
		if (strcmp(c->chains[i].name, text) == 0)
			*chain = (int)i;
		sp_must(sp_buf_printf(&known, "%s%s", i ? ", " : "", c->chains[i].name) == 0);
	}
	if (*chain == SP_CHAIN_WRONG)
		sp_value_error(p, " = \"%s\": no such chain; known: %s", text,
			       c->chain_count ? sp_buf_str(&known) : "none, the group auth defines no chain");
	sp_buf_deinit(&known);
	return *chain != SP_CHAIN_WRONG;
}

/* ---- by type ----------------------------------------------------------------- */

enum { INT = 1 << CONFIG_TYPE_INT | 1 << CONFIG_TYPE_INT64, STRING = 1 << CONFIG_TYPE_STRING, BOOL = 1 << CONFIG_TYPE_BOOL,
       LIST = 1 << CONFIG_TYPE_LIST, ARRAY = 1 << CONFIG_TYPE_ARRAY, GROUP = 1 << CONFIG_TYPE_GROUP };

static const struct type {
	const char *want;
	unsigned accepts; /* 1 << CONFIG_TYPE_* */
	bool (*parse)(const struct sp_place *p, const char *text); /* strings, and defaults */
	bool (*store)(const struct sp_place *p);		   /* everything but strings */
} types[] = {
	[SP_KEY_INT] = { "an integer", INT, parse_integer, store_integer },
	[SP_KEY_SIZE] = { "bytes as a string with a unit, like \"64KiB\", or an integer", STRING | INT, parse_size, store_integer },
	[SP_KEY_DURATION] = { "a duration as a string with a unit, like \"15s\"", STRING, parse_duration, NULL },
	[SP_KEY_BOOL] = { "true or false", BOOL, parse_bool, store_bool },
	[SP_KEY_WORD] = { "a string", STRING, parse_word, NULL },
	[SP_KEY_TEXT] = { "a string", STRING, parse_text, NULL },
	[SP_KEY_STRING] = { "a string", STRING, parse_string, NULL },
	[SP_KEY_FILE] = { "a string, the path of a file", STRING, parse_file, NULL },
	[SP_KEY_OUTPUT] = { "a string, the path of a file or \"-\"", STRING, parse_output, NULL },
	[SP_KEY_STRINGS] = { "an array of strings [ \"...\" ]", ARRAY | LIST, NULL, store_strings },
	[SP_KEY_CHAIN] = { "a string, the name of a chain", STRING, parse_chain, NULL },
	[SP_KEY_TARGET] = { "a string, \"host:port\"", STRING, parse_target, NULL },
	[SP_KEY_URL] = { "a string, \"https://host\"", STRING, parse_url, NULL },
	[SP_KEY_GROUP] = { "a group { }", GROUP, NULL, NULL },
	[SP_KEY_SECRET] = { "a group { }", GROUP, NULL, NULL },
	[SP_KEY_GROUPS] = { "a list of groups ( { }, { } )", LIST, NULL, NULL },
	[SP_KEY_CHAINS] = { "a group { } of chains", GROUP, NULL, sp_plugin_chains },
	[SP_KEY_ADDRESS] = { "a string", STRING, parse_address, NULL },
	[SP_KEY_GATEWAY] = { "a string, \"https://host\"", STRING, add_gateway, NULL },
	[SP_KEY_GATEWAYS] = { "an array of strings [ \"https://host\" ]", ARRAY | LIST, NULL, store_gateways },
	[SP_KEY_VIRTUAL] = { "a string, \"host:port\"", STRING, parse_virtual, NULL },
	[SP_KEY_INTERNAL] = { "a string, \"host:port\"", STRING, parse_internal, NULL },
};

bool sp_value_type_ok(const struct sp_place *p)
{
	const struct type *t = &types[p->key->type];

	if (t->accepts & 1u << config_setting_type(p->setting))
		return true;
	sp_value_error(p, ": must be %s, is %s", t->want, sp_value_type(p->setting));
	return false;
}

bool sp_value_store(const struct sp_place *p)
{
	const struct type *t = &types[p->key->type];
	const char *text;

	if (config_setting_type(p->setting) != CONFIG_TYPE_STRING)
		return t->store(p);
	text = config_setting_get_string(p->setting);
	if (sp_value_text_ok(text))
		return t->parse(p, text);
	sp_value_error(p, ": must be UTF-8 without control characters");
	return false;
}

void sp_value_default(const struct sp_place *p)
{
	if (p->key->type == SP_KEY_CHAIN)
		*(int *)destination(p, sizeof(int)) = SP_CHAIN_ABSENT;
	else if (p->key->value)
		sp_must(types[p->key->type].parse(p, p->key->value));
}
