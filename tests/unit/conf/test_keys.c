/* The table itself; plain settings: defaults, values, ranges, types, names. */
#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "conf/keys.h"

/* ---- the table ----------------------------------------------------------------- */

static void check_key(const struct sp_conf_key *k)
{
	ck_assert_msg(k->text && strlen(k->text) > 10, "%s: no text", k->name);
	ck_assert_msg(k->text[strlen(k->text) - 1] == '.', "%s: its text is no sentence", k->name);
	ck_assert_msg(k->programs != 0 && k->programs <= SP_FOR_BOTH, "%s: no program", k->name);
	if (k->type == SP_KEY_WORD)
		ck_assert_ptr_nonnull(k->words);
	if (k->type == SP_KEY_INT || k->type == SP_KEY_SIZE || k->type == SP_KEY_DURATION) {
		ck_assert_msg(k->min < k->max && k->value, "%s: no range or no default", k->name);
		if (k->size == sizeof(uint32_t))
			ck_assert_uint_le(k->max, UINT32_MAX);
	}
	if (k->type == SP_KEY_GROUP || k->type == SP_KEY_SECRET || k->type == SP_KEY_GROUPS)
		ck_assert_ptr_nonnull(k->members);
	else
		ck_assert_ptr_null(k->members);
}

static void check_table(const struct sp_conf_key *keys)
{
	unsigned selectors = 0, selected = 0;

	for (const struct sp_conf_key *k = keys; k->name; k++) {
		check_key(k);
		for (const struct sp_conf_key *j = keys; j < k; j++)
			ck_assert_str_ne(k->name, j->name);
		selectors += k->selector;
		selected += k->only != 0 || (k->required != 0 && k->required != SP_ALWAYS);
		if (k->members)
			check_table(k->members);
	}
	ck_assert_uint_eq(selectors, selected ? 1 : 0);
}

START_TEST(table)
{
	check_table(sp_conf_keys);
}
END_TEST

/* ---- values -------------------------------------------------------------------- */

START_TEST(defaults)
{
	fx_good(SP_CONF_PROXY, FX_PROXY);
	ck_assert_int_eq(fx_conf->kind, SP_CONF_PROXY);
	ck_assert_uint_eq(fx_conf->workers, 1);
	ck_assert_str_eq(fx_conf->plugin_dir, SP_PKGLIBDIR);
	ck_assert_int_eq(fx_conf->log_level, SP_LOG_INFO);
	ck_assert(!fx_conf->log_json);
	ck_assert_uint_eq(fx_conf->timeouts.handshake_ms, 10000);
	ck_assert_uint_eq(fx_conf->timeouts.auth_ms, 5000);
	ck_assert_uint_eq(fx_conf->timeouts.open_ms, 15000);
	ck_assert_uint_eq(fx_conf->timeouts.dial_ms, 10000);
	ck_assert_uint_eq(fx_conf->timeouts.half_closed_ms, 300000);
	ck_assert_uint_eq(fx_conf->timeouts.idle_ms, 0);
	ck_assert_uint_eq(fx_conf->timeouts.response_ms, 120000);
	ck_assert_uint_eq(fx_conf->timeouts.body_ms, 60000);
	ck_assert_uint_eq(fx_conf->timeouts.keep_alive_ms, 75000);
	ck_assert_uint_eq(fx_conf->timeouts.drain_ms, 30000);
	ck_assert_uint_eq(fx_conf->limits.exchanges, 10000);
	ck_assert_uint_eq(fx_conf->limits.clients, 20000);
	ck_assert_uint_eq(fx_conf->limits.token_bytes, 16384);
	ck_assert_uint_eq(fx_conf->limits.head_bytes, 16384);
	ck_assert_uint_eq(fx_conf->limits.head_line_bytes, 8192);
	ck_assert_uint_eq(fx_conf->limits.fields, 100);
	ck_assert_uint_eq(fx_conf->limits.stream_window_bytes, 1048576);
	ck_assert_uint_eq(fx_conf->limits.connection_window_bytes, 67108864);
	ck_assert_uint_eq(fx_conf->limits.streams_per_tunnel, 10000);
	ck_assert_uint_eq(fx_conf->tunnels.ping_after_ms, 20000);
	ck_assert_uint_eq(fx_conf->tunnels.ping_timeout_ms, 10000);
	ck_assert_uint_eq(fx_conf->tunnels.wait_ms, 3000);
	ck_assert_uint_eq(fx_conf->tunnels.idle_ms, 300000);
	ck_assert_uint_eq(fx_conf->tunnels.backoff_max_ms, 30000);
	ck_assert_uint_eq(fx_conf->tunnels.max_per_pool, 4);
	ck_assert_uint_eq(fx_conf->tunnels.streams_mark, 64);
	ck_assert_uint_eq(fx_conf->tunnels.waiting, 256);
	ck_assert_int_eq(fx_conf->upstream.kind, SP_UPSTREAM_DIRECT);
}
END_TEST

/* The connector's snapshot is as complete, with the same values where it cannot set them. */
START_TEST(connector_defaults)
{
	fx_good(SP_CONF_CONNECTOR, FX_CONNECTOR);
	ck_assert_int_eq(fx_conf->kind, SP_CONF_CONNECTOR);
	ck_assert_uint_eq(fx_conf->workers, 1);
	ck_assert_uint_eq(fx_conf->timeouts.auth_ms, 5000);
	ck_assert_uint_eq(fx_conf->limits.clients, 20000);
	ck_assert_uint_eq(fx_conf->limits.head_bytes, 16384);
	ck_assert_uint_eq(fx_conf->tunnels.waiting, 256);
	ck_assert_uint_eq(fx_conf->listener_count, 0);
	ck_assert_str_eq(fx_conf->upstream.at.file, fx_conf->file);
}
END_TEST

/* Every setting away from its default. */
static const char proxy_text[] =
	"workers = 64; plugin_dir = \"p\";\n"
	"log = { level = \"debug\"; format = \"json\"; };\n"
	"on_expiry = \"close\";\n"
	"audit = { file = \"au\"; format = \"sap\"; on_failure = \"deny\"; };\n"
	"timeouts = { handshake = \"1s\"; auth = \"2s\"; open = \"3s\"; dial = \"4s\"; half_closed = \"5s\"; idle = \"6s\";\n"
	"  response = \"8s\"; body = \"9s\"; keep_alive = \"10s\"; drain = \"0\"; };\n"
	"limits = { exchanges = 1; clients = 2; token = 300; head = 262144L; head_line = \"9KiB\"; fields = 50; stream_window = \"65536\"; connection_window = \"64KiB\";\n"
	"           streams_per_tunnel = 0x10; };\n"
	"tunnels = { ping_after = \"1ms\"; ping_timeout = \"2ms\"; wait = \"3ms\"; idle = \"4ms\"; backoff_max = \"5ms\"; max_per_pool = 1;\n"
	"            streams_mark = 2; waiting = 3; };\n" FX_AUTH
	"listeners = ( { protocol = \"forward\"; address = \"127.0.0.1:1\"; auth = \"a\"; trusted_network = true; target = \"t:1\";\n"
	"                location = \"l\"; },\n"
	"              { protocol = \"tunnel\"; address = \"127.0.0.1:2\"; auth = \"a\"; connectors = \"a\"; speaks_for_any = [ \"x\" ];\n"
	"                tls = { cert_file = \"c\"; key_file = \"k\"; client_ca_file = \"a\"; }; } );\n"
	"upstream = { kind = \"gateway\"; url = \"https://g\"; ca_file = \"a\"; cert_file = \"c\"; key_file = \"k\"; token = { file = \"t\"; }; };\n"
	"regions = ( { id = \"r\"; issuers = [ \"i\" ]; allowed_clients = [ \"x\" ];\n"
	"              upstream = { kind = \"gateway\"; url = \"https://g2\"; service_key = { file = \"s\"; ca_file = \"b\"; }; }; } );\n";

START_TEST(proxy_values)
{
	fx_good(SP_CONF_PROXY, proxy_text);
	ck_assert_uint_eq(fx_conf->workers, 64);
	ck_assert_str_eq(fx_conf->plugin_dir + strlen(fx_folder), "/p");
	ck_assert_int_eq(fx_conf->log_level, SP_LOG_DEBUG);
	ck_assert(fx_conf->log_json);
	ck_assert_str_eq(fx_conf->audit.file + strlen(fx_folder), "/au");
	ck_assert(fx_conf->audit.sap);
	ck_assert(fx_conf->audit.deny);
	ck_assert_uint_eq(fx_conf->audit.at.line, 4);
	ck_assert(fx_conf->close_on_expiry);
	ck_assert_uint_eq(fx_conf->timeouts.handshake_ms, 1000);
	ck_assert_uint_eq(fx_conf->timeouts.auth_ms, 2000);
	ck_assert_uint_eq(fx_conf->timeouts.open_ms, 3000);
	ck_assert_uint_eq(fx_conf->timeouts.dial_ms, 4000);
	ck_assert_uint_eq(fx_conf->timeouts.half_closed_ms, 5000);
	ck_assert_uint_eq(fx_conf->timeouts.idle_ms, 6000);
	ck_assert_uint_eq(fx_conf->timeouts.drain_ms, 0);
	ck_assert_uint_eq(fx_conf->limits.exchanges, 1);
	ck_assert_uint_eq(fx_conf->limits.clients, 2);
	ck_assert_uint_eq(fx_conf->limits.token_bytes, 300);
	ck_assert_uint_eq(fx_conf->limits.head_bytes, 262144);
	ck_assert_uint_eq(fx_conf->limits.head_line_bytes, 9216);
	ck_assert_uint_eq(fx_conf->limits.fields, 50);
	ck_assert_uint_eq(fx_conf->timeouts.response_ms, 8000);
	ck_assert_uint_eq(fx_conf->timeouts.body_ms, 9000);
	ck_assert_uint_eq(fx_conf->timeouts.keep_alive_ms, 10000);
	ck_assert_uint_eq(fx_conf->limits.stream_window_bytes, 65536);
	ck_assert_uint_eq(fx_conf->limits.connection_window_bytes, 65536);
	ck_assert_uint_eq(fx_conf->limits.streams_per_tunnel, 16);
	ck_assert_uint_eq(fx_conf->tunnels.ping_after_ms, 1);
	ck_assert_uint_eq(fx_conf->tunnels.ping_timeout_ms, 2);
	ck_assert_uint_eq(fx_conf->tunnels.wait_ms, 3);
	ck_assert_uint_eq(fx_conf->tunnels.idle_ms, 4);
	ck_assert_uint_eq(fx_conf->tunnels.backoff_max_ms, 5);
	ck_assert_uint_eq(fx_conf->tunnels.max_per_pool, 1);
	ck_assert_uint_eq(fx_conf->tunnels.streams_mark, 2);
	ck_assert_uint_eq(fx_conf->tunnels.waiting, 3);
}
END_TEST

static const char connector_text[] =
	"log = { level = \"error\"; format = \"text\"; };\n"
	"audit = { file = \"-\"; format = \"json\"; on_failure = \"continue\"; };\n"
	"timeouts = { handshake = \"1s\"; open = \"3s\"; dial = \"4s\"; half_closed = \"5s\"; idle = \"6s\";\n"
	"  response = \"8s\"; body = \"9s\"; keep_alive = \"10s\"; drain = \"7s\"; };\n"
	"limits = { exchanges = 1; head = \"20KiB\"; head_line = \"9KiB\"; fields = 50; stream_window = \"128KiB\"; connection_window = \"1MiB\"; streams_per_tunnel = 9; };\n"
	"tunnels = { ping_after = \"1m\"; ping_timeout = \"2m\"; backoff_max = \"1h\"; };\n"
	"gateway = { url = \"https://g\"; ca_file = \"a\"; cert_file = \"c\"; key_file = \"k\"; token = { file = \"t\"; }; location = \"l\";\n"
	"            id = \"i\"; tunnels = 1; };\n"
	"expose = ( { virtual = \"v:1\"; protocol = \"https\"; internal = \"i:1\"; suspended = true;\n"
	"  paths = ( { path = \"/\"; sub_paths = true; methods = [ \"GET\" ]; suspended = true; } );\n"
	"  host_header = \"internal\"; upgrade = true; principal_header = ( { claim = \"sub\"; header = \"X-User\"; } );\n"
	"  max_body = 1; max_head = \"2KiB\"; timeout = \"1s\"; connections = 1; ca_file = \"a\"; cert_file = \"c\"; key_file = \"k\"; server_name = \"n\"; } );\n"
	"/* in place of url, and tried elsewhere: urls = [ ... ] */\n";

START_TEST(connector_values)
{
	fx_good(SP_CONF_CONNECTOR, connector_text);
	ck_assert_int_eq(fx_conf->log_level, SP_LOG_ERROR);
	ck_assert_uint_eq(fx_conf->timeouts.handshake_ms, 1000);
	ck_assert_uint_eq(fx_conf->timeouts.drain_ms, 7000);
	ck_assert_uint_eq(fx_conf->timeouts.response_ms, 8000);
	ck_assert_uint_eq(fx_conf->timeouts.body_ms, 9000);
	ck_assert_uint_eq(fx_conf->timeouts.keep_alive_ms, 10000);
	ck_assert_uint_eq(fx_conf->limits.exchanges, 1);
	ck_assert_uint_eq(fx_conf->limits.head_bytes, 20480);
	ck_assert_uint_eq(fx_conf->limits.head_line_bytes, 9216);
	ck_assert_uint_eq(fx_conf->limits.fields, 50);
	ck_assert_uint_eq(fx_conf->limits.stream_window_bytes, 131072);
	ck_assert_uint_eq(fx_conf->limits.streams_per_tunnel, 9);
	ck_assert_uint_eq(fx_conf->tunnels.ping_after_ms, 60000);
	ck_assert_uint_eq(fx_conf->tunnels.backoff_max_ms, 3600000);
	ck_assert_uint_eq(fx_conf->connector.tunnels, 1);
}
END_TEST

/* The two texts above leave no key out: what joins the table joins them. */
static void check_written(const struct sp_conf_key *keys, unsigned program, const char *text)
{
	char name[64];

	for (const struct sp_conf_key *k = keys; k->name; k++) {
		if (!(k->programs & program))
			continue;
		snprintf(name, sizeof(name), "%s = ", k->name);
		ck_assert_msg(strstr(text, name), "%s is not in the test", k->name);
		if (k->members)
			check_written(k->members, program, text);
	}
}

START_TEST(every_key_is_tried)
{
	check_written(sp_conf_keys, SP_FOR_PROXY, proxy_text);
	check_written(sp_conf_keys, SP_FOR_CONNECTOR, connector_text);
}
END_TEST

START_TEST(levels)
{
	static const struct {
		const char *word;
		enum sp_level level;
	} cases[] = { { "error", SP_LOG_ERROR }, { "warn", SP_LOG_WARN }, { "notice", SP_LOG_NOTICE }, { "info", SP_LOG_INFO },
		      { "debug", SP_LOG_DEBUG } };
	char text[512];

	for (size_t i = 0; i < SP_COUNT_OF(cases); i++) {
		snprintf(text, sizeof(text), "log = { level = \"%s\"; };" FX_PROXY, cases[i].word);
		fx_good(SP_CONF_PROXY, text);
		ck_assert_int_eq(fx_conf->log_level, cases[i].level);
	}
}
END_TEST

/* Setting, what stands there, what the operator reads (NULL: it is fine). */
static const struct {
	const char *group, *setting, *said;
} ranges[] = {
	{ "", "workers = 64", NULL },
	{ "", "workers = 0", "workers = 0: out of range, must be from 1 to 64" },
	{ "", "workers = 65", "workers = 65: out of range, must be from 1 to 64" },
	{ "", "workers = -1", "workers = -1: out of range, must be from 1 to 64" },
	{ "", "workers = 4294967297L", "workers = 4294967297: out of range, must be from 1 to 64" },
	{ "", "workers = 18L", NULL },
	{ "", "workers = \"4\"", "workers: must be an integer, is a string" },
	{ "", "workers = 1.5", "workers: must be an integer, is a floating-point number" },
	{ "", "workers = true", "workers: must be an integer, is true or false" },
	{ "", "workers = [ 1 ]", "workers: must be an integer, is an array [ ]" },
	{ "", "workers = ( 1 )", "workers: must be an integer, is a list ( )" },
	{ "", "workers = { }", "workers: must be an integer, is a group { }" },
	{ "", "log = 1", "log: must be a group { }, is an integer" },
	{ "", "plugin_dir = \"\"", "plugin_dir = \"\": must be a path" },
	{ "", "plugin_dir = 1", "plugin_dir: must be a string, the path of a file, is an integer" },
	{ "", "plugin_dir = \"a\\nb\"", "plugin_dir: must be UTF-8 without control characters" },
	{ "", "plugin_dir = \"a\x7f\"", "plugin_dir: must be UTF-8 without control characters" },
	{ "", "plugin_dir = \"\xc0\x80\"", "plugin_dir: must be UTF-8 without control characters" },
	{ "log", "level = \"trace\"", "log.level = \"trace\": must be \"error\", \"warn\", \"notice\", \"info\" or \"debug\"" },
	{ "log", "level = \"inof\"",
	  "log.level = \"inof\": must be \"error\", \"warn\", \"notice\", \"info\" or \"debug\"; did you mean \"info\"?" },
	{ "log", "format = \"JSON\"", "log.format = \"JSON\": must be \"text\" or \"json\"" },
	{ "log", "leve = \"info\"", "log: unknown key \"leve\"; did you mean \"level\"?" },
	{ "audit", "file = \"-\"", NULL },
	{ "audit", "file = \"\"", "audit.file = \"\": must be a path" },
	{ "audit", "file = 1", "audit.file: must be a string, the path of a file or \"-\", is an integer" },
	{ "audit", "format = \"json\"", "audit: \"file\" is missing" },
	{ "audit", "file = \"-\"; format = \"SAP\"", "audit.format = \"SAP\": must be \"json\" or \"sap\"" },
	{ "audit", "file = \"-\"; on_failure = \"stop\"", "audit.on_failure = \"stop\": must be \"continue\" or \"deny\"" },
	{ "", "on_expiry = \"finish\"", NULL },
	{ "", "on_expiry = \"drain\"", "on_expiry = \"drain\": must be \"finish\" or \"close\"" },
	{ "timeouts", "idle = \"720h\"", NULL },
	{ "timeouts", "idle = \"721h\"", "timeouts.idle = \"721h\": out of range, must be from 0 to 720h" },
	{ "timeouts", "idle = 0", "timeouts.idle: must be a duration as a string with a unit, like \"15s\", is an integer" },
	{ "timeouts", "open = \"0\"", "timeouts.open = \"0\": out of range, must be from 1ms to 10m" },
	{ "timeouts", "open = \"15\"", "timeouts.open = \"15\": must be a duration: digits with ms, s, m or h" },
	{ "timeouts", "open = \"1 s\"", "timeouts.open = \"1 s\": must be a duration: digits with ms, s, m or h" },
	{ "limits", "head = \"512KiB\"", NULL },
	{ "limits", "head = 524288", NULL },
	{ "limits", "head = \"513KiB\"", "limits.head = \"513KiB\": out of range, must be from 1KiB to 512KiB" },
	{ "limits", "head = 524289", "limits.head = 524289: out of range, must be from 1KiB to 512KiB" },
	{ "limits", "head = -5", "limits.head = -5: out of range, must be from 1KiB to 512KiB" },
	{ "limits", "head = 4294983680L", "limits.head = 4294983680: out of range, must be from 1KiB to 512KiB" },
	{ "limits", "head = \"16 KiB\"", "limits.head = \"16 KiB\": must be bytes: digits alone, or with KiB, MiB or GiB" },
	{ "limits", "head = 1.5", "limits.head: must be bytes as a string with a unit, like \"64KiB\", or an integer, is a floating-point number" },
	{ "limits", "head_line = \"128KiB\"", NULL },
	{ "limits", "head_line = \"129KiB\"", "limits.head_line = \"129KiB\": out of range, must be from 1KiB to 128KiB" },
	{ "limits", "head_line = 1023", "limits.head_line = 1023: out of range, must be from 1KiB to 128KiB" },
	{ "limits", "fields = 9", "limits.fields = 9: out of range, must be from 10 to 110" },
	{ "limits", "fields = 111", "limits.fields = 111: out of range, must be from 10 to 110" },
	{ "limits", "head = \"8KiB\"; head_line = \"8KiB\"", NULL },
	{ "limits", "head = \"16KiB\"; head_line = \"17KiB\"", "limits: \"head\" is smaller than \"head_line\", a single line of it" },
	{ "limits", "head = \"4KiB\"; head_line = \"8KiB\"", "limits: \"head\" is smaller than \"head_line\", a single line of it" },
	{ "timeouts", "response = \"0\"", "timeouts.response = \"0\": out of range, must be from 1ms to 24h" },
	{ "timeouts", "body = \"61m\"", "timeouts.body = \"61m\": out of range, must be from 1ms to 1h" },
	{ "timeouts", "keep_alive = \"0\"", "timeouts.keep_alive = \"0\": out of range, must be from 1ms to 24h" },
	{ "limits", "stream_window = \"63KiB\"", "limits.stream_window = \"63KiB\": out of range, must be from 64KiB to 16MiB" },
	{ "limits", "stream_window = \"17MiB\"", "limits.stream_window = \"17MiB\": out of range, must be from 64KiB to 16MiB" },
	{ "limits", "connection_window = \"1GiB\"", NULL },
	{ "limits", "connection_window = \"2GiB\"", "limits.connection_window = \"2GiB\": out of range, must be from 64KiB to 1GiB" },
	{ "limits", "connection_window = \"1023KiB\"; stream_window = \"1MiB\"", "limits: connection_window is smaller than stream_window" },
	{ "limits", "connection_window = \"64KiB\"", "limits: connection_window is smaller than stream_window" },
	{ "limits", "exchanges = 0", "limits.exchanges = 0: out of range, must be from 1 to 1000000" },
	{ "tunnels", "max_per_pool = 257", "tunnels.max_per_pool = 257: out of range, must be from 1 to 256" },
	{ "tunnels", "ping-after = \"1s\"", "tunnels: unknown key \"ping-after\"; did you mean \"ping_after\"?" },
};

START_TEST(range)
{
	char text[1024], want[1024];
	bool root = ranges[_i].group[0] == '\0';

	snprintf(text, sizeof(text), "%s%s%s;%s\n" FX_PROXY, ranges[_i].group, root ? "" : " = { ", ranges[_i].setting, root ? "" : " };");
	snprintf(want, sizeof(want), "@:1: %s", ranges[_i].said ? ranges[_i].said : "");
	if (ranges[_i].said)
		fx_bad(SP_CONF_PROXY, text, want);
	else
		fx_good(SP_CONF_PROXY, text);
}
END_TEST

/* What is written of a head's length and of its line's, and what comes of it. */
static const struct {
	const char *limits;
	uint32_t head, line;
} heads[] = {
	{ "head_line = \"8KiB\";", 16384, 8192 },    { "head_line = 1024;", 16384, 1024 },
	{ "head_line = 8193;", 16386, 8193 },	     { "head_line = \"128KiB\";", 262144, 131072 },
	{ "head = \"64KiB\";", 65536, 8192 },	     { "head = \"4KiB\";", 4096, 4096 },
	{ "head = 20000; head_line = 19999;", 20000, 19999 },
};

START_TEST(one_of_head_and_line)
{
	char text[512];

	snprintf(text, sizeof(text), "limits = { %s };" FX_PROXY, heads[_i].limits);
	fx_good(SP_CONF_PROXY, text);
	ck_assert_uint_eq(fx_conf->limits.head_bytes, heads[_i].head);
	ck_assert_uint_eq(fx_conf->limits.head_line_bytes, heads[_i].line);
	snprintf(text, sizeof(text), "limits = { %s };" FX_CONNECTOR, heads[_i].limits);
	fx_good(SP_CONF_CONNECTOR, text);
	ck_assert_uint_eq(fx_conf->limits.head_bytes, heads[_i].head);
}
END_TEST

START_TEST(unknown_keys)
{
	fx_bad(SP_CONF_PROXY,
	       "worker = 2;\n" FX_AUTH "listeners = (\n{ protocol = \"http\"; auth = \"a\";\n adress = \"127.0.0.1:1\"; } );\n" FX_UPSTREAM "Limits = { };\n",
	       "@:1: unknown key \"worker\"; did you mean \"workers\"?\n"
	       "@:7: unknown key \"Limits\"; did you mean \"limits\"?\n"
	       "@:5: listeners[0]: unknown key \"adress\"; did you mean \"address\"?\n"
	       "@:4: listeners[0]: \"address\" is missing");
	fx_bad(SP_CONF_PROXY, "log = { colour = true; };\n" FX_PROXY, "@:1: log: unknown key \"colour\"; known: level, format");
}
END_TEST

Suite *sp_suite_keys(void)
{
	Suite *s = suite_create("keys");
	TCase *c = fx_case(s, "keys");

	tcase_add_test(c, table);
	tcase_add_test(c, defaults);
	tcase_add_test(c, connector_defaults);
	tcase_add_test(c, proxy_values);
	tcase_add_test(c, connector_values);
	tcase_add_test(c, every_key_is_tried);
	tcase_add_test(c, levels);
	tcase_add_loop_test(c, range, 0, (int)SP_COUNT_OF(ranges));
	tcase_add_loop_test(c, one_of_head_and_line, 0, (int)SP_COUNT_OF(heads));
	tcase_add_test(c, unknown_keys);
	return s;
}
