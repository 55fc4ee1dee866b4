/* The tree against the table: unknown names, settings where they may not or must stand, values, defaults. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/must.h"
#include "conf/load.h"

#define KEYS_MAX 24 /* of one table */

/* A group that is being walked. */
struct walk {
	struct sp_load *ld;
	const struct sp_conf_key *keys;
	const config_setting_t *group; /* NULL: it is absent, defaults are set */
	const char *path;
	void *base;
	unsigned selected; /* 1 << the selector's value, or its default; 0: it is missing or wrong; SP_ALWAYS: there is none */
};

static const config_setting_t *member(const struct walk *w, const char *name)
{
	return w->group ? config_setting_get_member(w->group, name) : NULL;
}

static void path_join(char dst[SP_CONF_PATH_SIZE], const char *path, const char *name)
{
	snprintf(dst, SP_CONF_PATH_SIZE, "%s%s%s", path, *path ? "." : "", name);
}

static unsigned program(const struct walk *w)
{
	return 1u << w->ld->conf->kind;
}

/* ---- names ------------------------------------------------------------------- */

static void unknown(const struct walk *w, const config_setting_t *s)
{
	const char *name = config_setting_name(s), *near, *names[KEYS_MAX + 1];
	struct sp_conf_at at = sp_source_at(w->ld, s);
	char known[512] = "";
	size_t n = 0, count = 0;

	for (const struct sp_conf_key *k = w->keys; k->name; k++) {
		if (!(k->programs & program(w)))
			continue;
		sp_must(count < KEYS_MAX);
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", count ? ", " : "", k->name);
		sp_must(n < sizeof(known));
		names[count++] = k->name;
	}
	names[count] = NULL;
	near = sp_nearest(name, names);
	sp_report_add(w->ld->report, &at, "%s%sunknown key \"%s\"; %s%s%s", w->path, *w->path ? ": " : "", name,
		      near ? "did you mean \"" : "known: ", near ? near : known, near ? "\"?" : "");
}

static void check_names(const struct walk *w)
{
	for (int i = 0; w->group && i < config_setting_length(w->group); i++) {
		const config_setting_t *s = config_setting_get_elem(w->group, (unsigned)i);
		const struct sp_conf_key *k = w->keys;
		struct sp_conf_at at;

		while (k->name && strcmp(k->name, config_setting_name(s)) != 0)
			k++;
		if (!k->name) {
			unknown(w, s);
		} else if (!(k->programs & program(w))) {
			at = sp_source_at(w->ld, s);
			sp_report_add(w->ld->report, &at, "%s%s\"%s\" has no meaning in the file of %s", w->path,
				      *w->path ? ": " : "", k->name,
				      w->ld->conf->kind == SP_CONF_PROXY ? "sallyport" : "sallyport-connector");
		}
	}
}

/* ---- values ------------------------------------------------------------------ */

static void check_group(struct sp_load *ld, const struct sp_conf_key *k, const config_setting_t *group, const struct sp_conf_at *at,
			const char *path, void *base)
{
	if (!k->check)
		return;
	ld->checked = group;
	k->check(ld, at, path, base);
	ld->checked = NULL;
}

static void walk_elements(const struct walk *w, const struct sp_conf_key *k, const config_setting_t *s, const char *path)
{
	unsigned *count = (unsigned *)(void *)((char *)w->base + k->count_offset);
	char **array = (char **)(void *)((char *)w->base + k->offset), element[SP_CONF_PATH_SIZE + 16];
	unsigned length = (unsigned)config_setting_length(s), before;
	const struct sp_place place = { w->ld, k, s, path, w->base };

	if (length < k->min) {
		sp_value_error(&place, ": must not be empty");
		return;
	}
	if (k->max > 0 && length > k->max) {
		sp_value_error(&place, ": must not have more than %" PRIu64 " elements", k->max);
		return;
	}
	*array = sp_calloc(length, k->element_size);
	*count = length;
	for (unsigned i = 0; i < length; i++) {
		const config_setting_t *e = config_setting_get_elem(s, i);
		void *base = *array + i * k->element_size;
		struct sp_conf_at at = sp_source_at(w->ld, e);

		snprintf(element, sizeof(element), "%s[%u]", path, i);
		before = w->ld->report->count;
		*(struct sp_conf_at *)base = at;
		if (config_setting_type(e) != CONFIG_TYPE_GROUP)
			sp_report_add(w->ld->report, &at, "%s: must be a group { }, is %s", element, sp_value_type(e));
		else
			sp_walk_group(w->ld, k->members, e, element, base);
		if (w->ld->report->count == before)
			check_group(w->ld, k, e, &at, element, base);
	}
}

static void walk_members(const struct walk *w, const struct sp_conf_key *k, const config_setting_t *s, const char *path)
{
	unsigned before = w->ld->report->count;
	struct sp_conf_at at = { .file = w->ld->conf->file };
	void *base = (char *)w->base + k->base_offset;

	if (s)
		at = sp_source_at(w->ld, s);
	if (k->at_size > 0)
		*(struct sp_conf_at *)(void *)((char *)w->base + k->at_offset) = at;
	sp_walk_group(w->ld, k->members, s, path, base);
	if (s && w->ld->report->count == before)
		check_group(w->ld, k, s, &at, path, base);
}

static bool walk_key(const struct walk *w, const struct sp_conf_key *k)
{
	const config_setting_t *s = k->programs & program(w) ? member(w, k->name) : NULL;
	bool group = k->type == SP_KEY_GROUP || k->type == SP_KEY_SECRET;
	char path[SP_CONF_PATH_SIZE];
	struct sp_place place = { w->ld, k, s, path, w->base };

	path_join(path, w->path, k->name);
	if (s && !sp_value_type_ok(&place))
		return false;
	if (group)
		walk_members(w, k, s, path);
	else if (!s)
		sp_value_default(&place);
	else if (k->type == SP_KEY_GROUPS)
		walk_elements(w, k, s, path);
	else
		return sp_value_store(&place);
	return true;
}

/* ---- the selector ------------------------------------------------------------ */

/* ""socks5" or "http"" of the mask */
static const char *words_of(const struct sp_conf_key *selector, unsigned mask, char dst[128])
{
	size_t n = 0;

	dst[0] = '\0';
	for (unsigned i = 0; selector->words[i]; i++) {
		if (mask & 1u << i)
			n += (size_t)snprintf(dst + n, 128 - n, "%s\"%s\"", n ? " or " : "", selector->words[i]);
		sp_must(n < 128);
	}
	return dst;
}

static void check_presence(const struct walk *w, const struct sp_conf_key *selector)
{
	struct sp_conf_at at = sp_source_at(w->ld, w->group);
	const char *sep = *w->path ? ": " : "";
	char words[128];

	for (const struct sp_conf_key *k = w->keys; k->name; k++) {
		const config_setting_t *s = member(w, k->name);

		if (!(k->programs & program(w)))
			continue;
		if (s && k->only && w->selected && !(k->only & w->selected)) {
			struct sp_conf_at here = sp_source_at(w->ld, s);

			sp_report_add(w->ld->report, &here, "%s%s\"%s\" goes with %s = %s only", w->path, sep, k->name, selector->name,
				      words_of(selector, k->only, words));
		}
		if (!s && k->required == SP_ALWAYS)
			sp_report_add(w->ld->report, &at, "%s%s\"%s\" is missing", w->path, sep, k->name);
		else if (!s && k->required & w->selected)
			sp_report_add(w->ld->report, &at, "%s%s\"%s\" is missing, %s = %s needs it", w->path, sep, k->name,
				      selector->name, words_of(selector, w->selected, words));
	}
}

void sp_walk_group(struct sp_load *ld, const struct sp_conf_key *keys, const config_setting_t *group, const char *path,
		   void *base)
{
	struct walk w = { ld, keys, group, path, base, SP_ALWAYS };
	const struct sp_conf_key *selector = NULL;

	check_names(&w);
	for (const struct sp_conf_key *k = keys; k->name; k++) {
		bool ok = walk_key(&w, k);

		if (!k->selector)
			continue;
		selector = k;
		w.selected = ok && (k->value || member(&w, k->name)) ? 1u << *(unsigned *)(void *)((char *)base + k->offset) : 0;
	}
	if (group)
		check_presence(&w, selector);
}
