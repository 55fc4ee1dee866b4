/* The group auth: chains of plugins. A plugin gets its group as JSON text, so that it needs no libconfig; the lines of its
 * settings are kept under their JSON Pointers (RFC 6901), so that its errors point into the file. */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/must.h"
#include "base/text.h"
#include "conf/load.h"

#define DEPTH_MAX 16	/* of groups and lists in a plugin's group: plugins refuse more as well */
#define POINTER_SIZE 512

/* A plugin's group on its way to JSON. */
struct convert {
	struct sp_load *ld;
	struct sp_conf_plugin *plugin;
	const char *where;	     /* "auth.apps[0]" */
	char pointer[POINTER_SIZE];  /* of the setting at hand */
	unsigned depth;		     /* 1: in the plugin's group itself */
	bool failed;
};

static json_object *convert(struct convert *c, const config_setting_t *s);

static json_object *fail(struct convert *c, const config_setting_t *s, const char *why)
{
	struct sp_conf_at at = sp_source_at(c->ld, s);

	sp_report_add(c->ld->report, &at, "%s: %s: %s", c->where, c->pointer, why);
	c->failed = true;
	return NULL;
}

static void note_line(struct convert *c, const config_setting_t *s)
{
	struct sp_conf_plugin *p = c->plugin;

	/* The count doubles: room for 2^n lines is made when the count reaches 2^n. */
	if ((p->line_count & (p->line_count - 1)) == 0) {
		p->lines = reallocarray(p->lines, p->line_count ? 2 * (size_t)p->line_count : 1, sizeof(p->lines[0]));
		sp_must(p->lines);
	}
	p->lines[p->line_count++] = (struct sp_conf_line){ sp_strdup(c->pointer), sp_source_at(c->ld, s) };
}

/* Is it the path of a file, by its name? */
static bool names_file(const config_setting_t *s)
{
	static const char suffix[] = "_file";
	const char *name = config_setting_name(s);
	size_t n = name ? strlen(name) : 0, m = strlen(suffix);

	return name && (strcmp(name, "file") == 0 || (n > m && strcmp(name + n - m, suffix) == 0));
}

static json_object *convert_string(struct convert *c, const config_setting_t *s)
{
	const char *text = config_setting_get_string(s);
	struct sp_slice rest = sp_slice_str(text);
	json_object *o;
	char *path;
	size_t n;

	for (; rest.n > 0; rest.p += n, rest.n -= n) {
		n = sp_utf8_length(rest);
		if (n == 0)
			return fail(c, s, "must be UTF-8");
	}
	if (!names_file(s) || text[0] == '\0') /* an empty one is the plugin's to judge */
		return json_object_new_string(text);
	path = sp_source_path(c->ld, text);
	o = json_object_new_string(path);
	free(path);
	return o;
}

static json_object *convert_float(struct convert *c, const config_setting_t *s)
{
	double v = config_setting_get_float(s);

	return isfinite(v) ? json_object_new_double(v) : fail(c, s, "the number is too large");
}

/* Member names have no "~" and no "/" (libconfig's grammar), so that pointers need no escapes. */
static void convert_children(struct convert *c, const config_setting_t *s, json_object *o)
{
	bool group = config_setting_is_group(s);
	size_t end = strlen(c->pointer);

	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(e);
		json_object *child;
		int n;

		if (group && c->depth == 1 && strcmp(name, "plugin") == 0)
			continue;
		n = group ? snprintf(c->pointer + end, POINTER_SIZE - end, "/%s", name) :
			    snprintf(c->pointer + end, POINTER_SIZE - end, "/%d", i);
		if (n < 0 || (size_t)n >= POINTER_SIZE - end) {
			c->pointer[end] = '\0';
			fail(c, e, "its names are too long together");
			continue;
		}
		note_line(c, e);
		child = convert(c, e);
		sp_must((group ? json_object_object_add(o, name, child) : json_object_array_add(o, child)) == 0);
		c->pointer[end] = '\0';
	}
}

/* NULL after an error, which is JSON's null for json-c. */
static json_object *convert(struct convert *c, const config_setting_t *s)
{
	json_object *o;

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
		return json_object_new_int64(config_setting_get_int(s));
	case CONFIG_TYPE_INT64:
		return json_object_new_int64(config_setting_get_int64(s));
	case CONFIG_TYPE_FLOAT:
		return convert_float(c, s);
	case CONFIG_TYPE_STRING:
		return convert_string(c, s);
	case CONFIG_TYPE_BOOL:
		return json_object_new_boolean(config_setting_get_bool(s));
	default:
		break;
	}
	if (c->depth >= DEPTH_MAX)
		return fail(c, s, "nested too deep");
	o = config_setting_is_group(s) ? json_object_new_object() : json_object_new_array();
	sp_must(o);
	c->depth++;
	convert_children(c, s, o);
	c->depth--;
	return o;
}

/* ---- chains ------------------------------------------------------------------ */

static bool name_ok(const char *name)
{
	size_t n = strlen(name);

	if (name[0] == '/')
		return n > 3 && strcmp(name + n - 3, ".so") == 0 && sp_value_text_ok(name);
	return n > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

static bool store_plugin(const struct sp_place *p, const char *where, const config_setting_t *s, struct sp_conf_plugin *plugin)
{
	struct convert c = { .ld = p->ld, .plugin = plugin, .where = where };
	const config_setting_t *name;
	json_object *o;

	plugin->at = sp_source_at(p->ld, s);
	if (!config_setting_is_group(s)) {
		sp_report_add(p->ld->report, &plugin->at, "%s: must be a group { }, is %s", where, sp_value_type(s));
		return false;
	}
	name = config_setting_get_member(s, "plugin");
	if (!name || config_setting_type(name) != CONFIG_TYPE_STRING || !name_ok(config_setting_get_string(name))) {
		sp_report_add(p->ld->report, &plugin->at, "%s: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so",
			      where);
		return false;
	}
	plugin->name = sp_strdup(config_setting_get_string(name));
	o = convert(&c, s);
	plugin->json = sp_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return !c.failed;
}

static bool store_chain(const struct sp_place *p, const config_setting_t *s, struct sp_conf_chain *chain)
{
	unsigned length;
	char where[SP_CONF_PATH_SIZE];
	bool ok = true;

	chain->at = sp_source_at(p->ld, s);
	chain->name = sp_strdup(config_setting_name(s));
	if (config_setting_type(s) != CONFIG_TYPE_LIST) {
		sp_report_add(p->ld->report, &chain->at, "auth.%s: must be a list of groups ( { plugin = \"...\"; } ), is %s", chain->name,
			      sp_value_type(s));
		return false;
	}
	length = (unsigned)config_setting_length(s);
	if (length == 0) {
		sp_report_add(p->ld->report, &chain->at, "auth.%s: must not be empty", chain->name);
		return false;
	}
	chain->plugins = sp_calloc(length, sizeof(chain->plugins[0]));
	chain->plugin_count = length;
	for (unsigned i = 0; i < length; i++) {
		snprintf(where, sizeof(where), "auth.%s[%u]", chain->name, i);
		ok = store_plugin(p, where, config_setting_get_elem(s, i), &chain->plugins[i]) && ok;
	}
	return ok;
}

bool sp_plugin_chains(const struct sp_place *p)
{
	struct sp_conf *conf = p->ld->conf;
	unsigned length = (unsigned)config_setting_length(p->setting);
	bool ok = true;

	conf->chains = sp_calloc(length, sizeof(conf->chains[0]));
	conf->chain_count = length;
	for (unsigned i = 0; i < length; i++)
		ok = store_chain(p, config_setting_get_elem(p->setting, i), &conf->chains[i]) && ok;
	return ok;
}

const struct sp_conf_at *sp_conf_plugin_at(const struct sp_conf_plugin *p, const char *pointer)
{
	const struct sp_conf_at *at = &p->at;
	size_t best = 0;

	for (unsigned i = 0; i < p->line_count; i++) {
		size_t n = strlen(p->lines[i].pointer);

		if (n > best && strncmp(pointer, p->lines[i].pointer, n) == 0 && (pointer[n] == '\0' || pointer[n] == '/')) {
			best = n;
			at = &p->lines[i].at;
		}
	}
	return at;
}
