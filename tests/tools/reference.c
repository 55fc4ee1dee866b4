/* Prints doc/configuration.md from the table of settings (src/conf/keys.c). A test compares the two; to bring the document up to
 * date: make tests/tools/reference && tests/tools/reference > SOURCES/doc/configuration.md */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/keys.h"

struct unit { const char *suffix; uint64_t size; };

static const struct unit sizes[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 } };
static const struct unit durations[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };

static void amount(const struct unit *u, uint64_t v)
{
	while (u->size > 1 && (v == 0 || v % u->size != 0))
		u++;
	printf("%" PRIu64 "%s", v / u->size, v ? u->suffix : "");
}

static void number(const struct sp_conf_key *k, uint64_t v)
{
	if (k->type == SP_KEY_SIZE)
		amount(sizes, v);
	else if (k->type == SP_KEY_DURATION)
		amount(durations, v);
	else
		printf("%" PRIu64, v);
}

static void words(const char *const *w, unsigned mask)
{
	const char *between = "";

	for (unsigned i = 0; w[i]; i++) {
		if (!(mask & 1u << i))
			continue;
		printf("%s`%s`", between, w[i]);
		between = ", ";
	}
}

/* No default: a new type does not compile until it has words. */
static const char *type_name(enum sp_key_type t)
{
	switch (t) {
	case SP_KEY_INT:
		return "number";
	case SP_KEY_SIZE:
		return "size";
	case SP_KEY_DURATION:
		return "duration";
	case SP_KEY_BOOL:
		return "`true` or `false`";
	case SP_KEY_WORD:
		return "";
	case SP_KEY_TEXT:
	case SP_KEY_STRING:
		return "text";
	case SP_KEY_FILE:
		return "path";
	case SP_KEY_OUTPUT:
		return "path, or \"-\"";
	case SP_KEY_STRINGS:
		return "list of texts";
	case SP_KEY_CHAIN:
		return "name of a chain";
	case SP_KEY_TARGET:
	case SP_KEY_VIRTUAL:
	case SP_KEY_INTERNAL:
		return "\"host:port\"";
	case SP_KEY_URL:
	case SP_KEY_GATEWAY:
		return "https URL";
	case SP_KEY_GROUP:
	case SP_KEY_SECRET:
		return "group";
	case SP_KEY_GROUPS:
		return "list of groups";
	case SP_KEY_CHAINS:
		return "group of chains";
	case SP_KEY_ADDRESS:
		return "address";
	case SP_KEY_GATEWAYS:
		return "list of https URLs";
	}
	return "";
}

static void type(const struct sp_conf_key *k)
{
	if (k->type == SP_KEY_WORD)
		words(k->words, SP_ALWAYS);
	else
		fputs(type_name(k->type), stdout);
	if (k->type == SP_KEY_INT || k->type == SP_KEY_SIZE || k->type == SP_KEY_DURATION) {
		fputs(", ", stdout);
		number(k, k->min);
		fputs(" to ", stdout);
		number(k, k->max);
	}
}

static void value(const struct sp_conf_key *k, const struct sp_conf_key *selector)
{
	if (k->required == SP_ALWAYS)
		fputs("required", stdout);
	else if (k->required) {
		fputs("required with ", stdout);
		words(selector->words, k->required);
	} else if (k->value && strcmp(k->value, SP_PKGLIBDIR) == 0)
		fputs("where plugins were installed", stdout);
	else if (k->value && k->type != SP_KEY_INT && k->type != SP_KEY_BOOL)
		printf("`\"%s\"`", k->value);
	else if (k->value)
		printf("`%s`", k->value);
	if (k->only && k->only != k->required) {
		fputs(k->required || k->value ? "; only with " : "only with ", stdout);
		words(selector->words, k->only);
	}
}

static void table(const char *path, const struct sp_conf_key *keys)
{
	static const char *const programs[] = { [SP_FOR_PROXY] = "proxy", [SP_FOR_CONNECTOR] = "connector", [SP_FOR_BOTH] = "both" };
	const struct sp_conf_key *selector = NULL;

	for (const struct sp_conf_key *k = keys; k->name; k++)
		selector = k->selector ? k : selector;
	puts("| setting | program | type | default | |\n|---|---|---|---|---|");
	for (const struct sp_conf_key *k = keys; k->name; k++) {
		printf("| `%s` | %s | ", k->name, programs[k->programs]);
		type(k);
		fputs(" | ", stdout);
		value(k, selector);
		printf(" | %s |\n", k->text);
	}
	for (const struct sp_conf_key *k = keys; k->name; k++) {
		char inner[256];

		if (!k->members)
			continue;
		snprintf(inner, sizeof(inner), "%s%s%s", path, path[0] ? "." : "", k->name);
		printf("\n## %s\n\n%s\n\n", inner, k->text);
		table(inner, k->members);
	}
}

int main(void)
{
	puts("# Configuration\n\n"
	     "Every setting of `sallyport` (program: proxy) and `sallyport-connector`. This page is made from the table that the programs\n"
	     "themselves read by (`src/conf/keys.c`): do not edit it. Complete files to start from are in [conf/](../conf/).\n\n"
	     "The syntax is libconfig's. Sizes and durations are texts with a unit: `\"64KiB\"`, `\"30s\"`. Relative paths are relative to the\n"
	     "folder of the configuration file. Unknown settings are errors. `sallyport -t -c FILE` checks a file. The settings of plugins\n"
	     "stand in a chain's groups: [jwt.md](jwt.md) has those of `jwt`, [plugins.md](plugins.md) says where to find the others.\n\n"
	     "## The file\n");
	table("", sp_conf_keys);
	return 0;
}
