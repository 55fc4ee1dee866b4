/* The group auth: chains, plugins, their JSON and its lines. */
#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"

#define REST FX_LISTENERS FX_UPSTREAM
/* A plugin's settings begin on line 2. */
#define PLUGIN(settings) "auth = { a = ( { plugin = \"none\";\n" settings "\n} ); };\n" REST

static const struct sp_conf_plugin *only_plugin(const char *text)
{
	fx_good(SP_CONF_PROXY, text);
	ck_assert_uint_eq(fx_conf->chain_count, 1);
	ck_assert_uint_eq(fx_conf->chains[0].plugin_count, 1);
	return &fx_conf->chains[0].plugins[0];
}

START_TEST(chains)
{
	fx_good(SP_CONF_PROXY, "auth: {\n a = ( { plugin = \"jwt\"; x = 1; },\n { plugin = \"static-tenant\"; } );\n"
			       " b = ( { plugin = \"/opt/p/my.so\"; } );\n};\n"
			       "listeners = ( { protocol = \"http\"; address = \"127.0.0.1:1\"; auth = \"b\"; } );" FX_UPSTREAM);
	ck_assert_uint_eq(fx_conf->chain_count, 2);
	ck_assert_str_eq(fx_conf->chains[0].name, "a");
	ck_assert_uint_eq(fx_conf->chains[0].at.line, 2);
	ck_assert_uint_eq(fx_conf->chains[0].plugin_count, 2);
	ck_assert_str_eq(fx_conf->chains[0].plugins[0].name, "jwt");
	ck_assert_str_eq(fx_conf->chains[0].plugins[0].json, "{\"x\":1}");
	ck_assert_str_eq(fx_conf->chains[0].plugins[1].name, "static-tenant");
	ck_assert_str_eq(fx_conf->chains[0].plugins[1].json, "{}");
	ck_assert_uint_eq(fx_conf->chains[0].plugins[1].at.line, 3);
	ck_assert_str_eq(fx_conf->chains[1].plugins[0].name, "/opt/p/my.so");
	ck_assert_int_eq(fx_conf->listeners[0].chain, 1);
}
END_TEST

START_TEST(json)
{
	const struct sp_conf_plugin *p = only_plugin(PLUGIN(
		"i = 7; n = -7; l = 5000000000L; h = 0x10; f = 1.5; t = true; u = FALSE; s = \"a\\\"b\\\\c/\\n\\t\\x01\xc3\xa9\"; e = \"\";\n"
		"arr = [ 1, 2 ]; none = [ ]; list = ( 1, \"x\", { y = ( ); }, [ \"z\" ] ); g = { plugin = \"kept\"; h = { }; };"));

	ck_assert_str_eq(p->json, "{\"i\":7,\"n\":-7,\"l\":5000000000,\"h\":16,\"f\":1.5,\"t\":true,\"u\":false,"
				  "\"s\":\"a\\\"b\\\\c/\\n\\t\\u0001\xc3\xa9\",\"e\":\"\",\"arr\":[1,2],\"none\":[],"
				  "\"list\":[1,\"x\",{\"y\":[]},[\"z\"]],\"g\":{\"plugin\":\"kept\",\"h\":{}}}");
}
END_TEST

START_TEST(lines)
{
	const struct sp_conf_plugin *p = only_plugin(PLUGIN("a = 1;\nlist = (\n1,\n{ x = 1;\n y = 2; }\n);\n ab = 3;"));
	static const struct {
		const char *pointer;
		unsigned line;
	} cases[] = { { "/a", 2 }, { "/list", 3 }, { "/list/0", 4 }, { "/list/1", 5 }, { "/list/1/x", 5 }, { "/list/1/y", 6 },
		      { "/ab", 8 }, /* not there: what is nearest above */
		      { "/list/1/z", 5 }, { "/list/7", 3 }, { "/list/1/y/deeper/still", 6 }, { "/abc", 1 }, { "/a~1b", 1 }, { "", 1 } };

	for (size_t i = 0; i < SP_COUNT_OF(cases); i++) {
		const struct sp_conf_at *at = sp_conf_plugin_at(p, cases[i].pointer);

		ck_assert_msg(at->line == cases[i].line, "%s: %u", cases[i].pointer, at->line);
		ck_assert_str_eq(at->file, fx_conf->file);
	}
}
END_TEST

START_TEST(files)
{
	const struct sp_conf_plugin *p = only_plugin(PLUGIN(
		"file = \"a\"; jwks_file = \"sub/b.json\"; abs_file = \"/c\"; key = { file = \"../d\"; other = \"e\"; };\n"
		"list = ( { file = \"f\"; }, \"g\" ); profile = \"h\"; files = \"i\"; empty_file = \"\"; number_file = 1;"));
	char want[1024];

	snprintf(want, sizeof(want),
		 "{\"file\":\"%s/a\",\"jwks_file\":\"%s/sub/b.json\",\"abs_file\":\"/c\",\"key\":{\"file\":\"%s/../d\",\"other\":\"e\"},"
		 "\"list\":[{\"file\":\"%s/f\"},\"g\"],\"profile\":\"h\",\"files\":\"i\",\"empty_file\":\"\",\"number_file\":1}",
		 fx_folder, fx_folder, fx_folder, fx_folder);
	ck_assert_str_eq(p->json, want);
}
END_TEST

#define NEST8(x) "(" "(" "(" "(" "(" "(" "(" "(" x ")" ")" ")" ")" ")" ")" ")" ")"

START_TEST(refused_values)
{
	fx_bad(SP_CONF_PROXY, PLUGIN("a = 1;\nf = 1e400;"), "@:3: auth.a[0]: /f: the number is too large");
	fx_bad(SP_CONF_PROXY, PLUGIN("l = ( \"ok\", \"\xff\" );"), "@:2: auth.a[0]: /l/1: must be UTF-8");
	fx_bad(SP_CONF_PROXY, PLUGIN("l = " NEST8(NEST8("1")) ";"),
	       "@:2: auth.a[0]: /l/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0: nested too deep");
	fx_good(SP_CONF_PROXY, PLUGIN("l = " NEST8("((((((1, 2)))))), 3") ";"));
}
END_TEST

START_TEST(long_names)
{
	char name[600], text[2048];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), PLUGIN("g = { %s = 1; }; y = \"\xff\";"), name);
	fx_bad(SP_CONF_PROXY, text, "@:2: auth.a[0]: /g: its names are too long together\n@:2: auth.a[0]: /y: must be UTF-8");
}
END_TEST

START_TEST(refused_chains)
{
	fx_bad(SP_CONF_PROXY,
	       "auth = { a = ( { plugin = \"none\"; } );\n b = { plugin = \"none\"; };\n c = ( );\n d = ( 1, { } );\n e = ( { plugin = 1; } );\n"
	       " f = ( { plugin = \"none\"; },\n { plugin = \"../x\"; } );\n g = ( { plugin = \"\"; } );\n h = ( { plugin = \"/opt/x\"; } );\n"
	       " i = ( { plugin = \"opt/x.so\"; } ); };\n" REST,
	       "@:2: auth.b: must be a list of groups ( { plugin = \"...\"; } ), is a group { }\n"
	       "@:3: auth.c: must not be empty\n"
	       "@:4: auth.d[0]: must be a group { }, is an integer\n"
	       "@:4: auth.d[1]: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so\n"
	       "@:5: auth.e[0]: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so\n"
	       "@:7: auth.f[1]: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so\n"
	       "@:8: auth.g[0]: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so\n"
	       "@:9: auth.h[0]: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so\n"
	       "@:10: auth.i[0]: \"plugin\" must name one: \"jwt\", or an absolute path that ends in .so");
	fx_bad(SP_CONF_PROXY, "auth = ( );\n" REST,
	       "@:1: auth: must be a group { } of chains, is a list ( )\n"
	       "@:2: listeners[0].auth = \"a\": no such chain; known: none, the group auth defines no chain");
}
END_TEST

Suite *sp_suite_plugin(void)
{
	Suite *s = suite_create("plugin");
	TCase *c = fx_case(s, "plugin");

	tcase_add_test(c, chains);
	tcase_add_test(c, json);
	tcase_add_test(c, lines);
	tcase_add_test(c, files);
	tcase_add_test(c, refused_values);
	tcase_add_test(c, long_names);
	tcase_add_test(c, refused_chains);
	return s;
}
