/* The connector's file: gateway and expose. */
#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

#define GATEWAY(members) "gateway = {\n" members "\n};\n" FX_EXPOSE
#define TOKEN "token = { file = \"t\"; };"
#define EXPOSE(elements) FX_GATEWAY "expose = (\n" elements "\n);\n"

START_TEST(gateway)
{
	const struct sp_conf_connector *c;
	char host[64] = "";

	fx_good(SP_CONF_CONNECTOR, "gateway = { url = \"https://GW.example:8042\"; ca_file = \"ca\"; cert_file = \"c\"; key_file = \"k\"; "
				   TOKEN " location = \"l\xc3\xb6 1\"; id = \"c-1\"; tunnels = 8; };\n" FX_EXPOSE);
	c = &fx_conf->connector;
	ck_assert_uint_eq(c->at.line, 1);
	ck_assert_uint_eq(c->url_count, 1);
	ck_assert_str_eq(c->urls[0].host, "gw.example");
	ck_assert_uint_eq(c->urls[0].port, 8042);
	ck_assert_str_eq(c->ca_file + strlen(fx_folder), "/ca");
	ck_assert_str_eq(c->cert_file + strlen(fx_folder), "/c");
	ck_assert_str_eq(c->key_file + strlen(fx_folder), "/k");
	ck_assert_str_eq(c->token_file + strlen(fx_folder), "/t");
	ck_assert_str_eq(c->location, "l\xc3\xb6 1");
	ck_assert_str_eq(c->id, "c-1");
	ck_assert_uint_eq(c->tunnels, 8);
	ck_assert_uint_eq(fx_conf->expose_count, 0);

	fx_good(SP_CONF_CONNECTOR, GATEWAY("urls = [ \"https://a\", \"https://b:1\" ]; cert_file = \"c\"; key_file = \"k\";"));
	c = &fx_conf->connector;
	ck_assert_uint_eq(c->url_count, 2);
	ck_assert_str_eq(c->urls[0].host, "a");
	ck_assert_uint_eq(c->urls[0].port, 443);
	ck_assert_str_eq(c->urls[1].host, "b");
	ck_assert_uint_eq(c->urls[1].port, 1);
	ck_assert_str_eq(c->location, "");
	ck_assert_uint_eq(c->tunnels, 2);
	ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
	ck_assert_str_eq(c->id, host);
	ck_assert_ptr_null(c->token_file);
}
END_TEST

START_TEST(gateway_refused)
{
	fx_bad(SP_CONF_CONNECTOR, "", "@: \"gateway\" is missing\n@: \"expose\" is missing");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY(TOKEN), "@:1: gateway: \"url\" (or \"urls\") is missing");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("url = \"https://a\"; urls = [ \"https://b\" ]; " TOKEN),
	       "@:2: gateway.urls: takes the place of url, write one of the two");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("urls = [ ]; " TOKEN), "@:2: gateway.urls: must not be empty");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("urls = ( \"https://a\", 1, \"http://b\", \"https://A:443/\" ); " TOKEN),
	       "@:2: gateway.urls[1]: must be a string, is an integer\n"
	       "@:2: gateway.urls = \"http://b\": must be \"https://host\" or \"https://host:port\"\n"
	       "@:2: gateway.urls = \"https://A:443/\": must be named once");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("url = \"https://a\";"),
	       "@:1: gateway: nothing says who the connector is: set cert_file and key_file, or token");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("url = \"https://a\"; key_file = \"k\";"),
	       "@:1: gateway: cert_file and key_file go together, \"cert_file\" is missing");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("url = \"https://a\"; token = \"s3cret\";"),
	       "@:2: gateway.token: must be a group { }, is a string; a secret is never a value: write { file = \"/path/of/the/file\"; }");
	fx_bad(SP_CONF_CONNECTOR, GATEWAY("url = \"https://a\"; " TOKEN " tunnels = 9; location = \"x \"; id = 1;"),
	       "@:2: gateway.location = \"x \": must be without blanks at its ends\n"
	       "@:2: gateway.id: must be a string, is an integer\n"
	       "@:2: gateway.tunnels = 9: out of range, must be from 1 to 8");
}
END_TEST

START_TEST(many_gateways)
{
	char text[2048] = "gateway = { " TOKEN " urls = [ \"https://g0\"";

	for (int i = 1; i < 17; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", \"https://g%d\"", i);
	strcat(text, " ]; };\n" FX_EXPOSE);
	fx_bad(SP_CONF_CONNECTOR, text, "@:1: gateway.urls: must not have more than 16 elements");
}
END_TEST

START_TEST(ids)
{
	static const char *const bad[] = { "a b", "a/b", "l\xc3\xb6", "a\\\"b" };
	char text[512];

	for (size_t i = 0; i < SP_COUNT_OF(bad); i++) {
		snprintf(text, sizeof(text), GATEWAY("url = \"https://a\"; " TOKEN " id = \"%s\";"), bad[i]);
		ck_assert_int_eq(fx_load(SP_CONF_CONNECTOR, text), SP_EINVAL);
		ck_assert_uint_eq(fx_report.count, 1);
		ck_assert_ptr_nonnull(strstr(fx_report.text, "must be letters, digits"));
	}
	snprintf(text, sizeof(text), GATEWAY("url = \"https://a\"; " TOKEN " id = \"%064d\";"), 0);
	fx_bad(SP_CONF_CONNECTOR, text, "@:2: gateway.id: must not be longer than 63 bytes");
	snprintf(text, sizeof(text), GATEWAY("url = \"https://a\"; " TOKEN " location = \"%0192d\";"), 0);
	fx_bad(SP_CONF_CONNECTOR, text, "@:2: gateway.location: must not be longer than 191 bytes");
	snprintf(text, sizeof(text), GATEWAY("url = \"https://a\"; " TOKEN " id = \"%063d\";"), 0);
	fx_good(SP_CONF_CONNECTOR, text);
}
END_TEST

START_TEST(exposes)
{
	const struct sp_conf_expose *e;

	fx_good(SP_CONF_CONNECTOR, EXPOSE("{ virtual = \"DB.virtual:5432\"; protocol = \"tcp\"; internal = \"db.local:15432\"; },\n"
					  "{ virtual = \"app.virtual:5000-5010\"; internal = \"10.0.0.5:6000-6010\"; },\n"
					  "{ virtual = \"app.virtual:5011-5020\"; internal = \"[fd00::5]:7000\"; },\n"
					  "{ virtual = \"other-host:1-65535\"; internal = \"10.0.0.6:1-65535\"; }"));
	ck_assert_uint_eq(fx_conf->expose_count, 4);
	e = fx_conf->exposes;
	ck_assert_str_eq(e[0].virtual_host, "db.virtual");
	ck_assert_uint_eq(e[0].first_port, 5432);
	ck_assert_uint_eq(e[0].last_port, 5432);
	ck_assert_str_eq(e[0].internal_host, "db.local");
	ck_assert_uint_eq(e[0].internal_first_port, 15432);
	ck_assert_uint_eq(e[0].at.line, 3);
	ck_assert_uint_eq(e[1].first_port, 5000);
	ck_assert_uint_eq(e[1].last_port, 5010);
	ck_assert_str_eq(e[1].internal_host, "10.0.0.5");
	ck_assert_uint_eq(e[1].internal_first_port, 6000);
	ck_assert_uint_eq(e[1].internal_last_port, 6010);
	ck_assert(e[1].internal_same_offset);
	ck_assert_str_eq(e[2].internal_host, "fd00::5");
	ck_assert_uint_eq(e[2].internal_first_port, 7000);
	ck_assert_uint_eq(e[2].internal_last_port, 7000);
	ck_assert(!e[2].internal_same_offset);
	ck_assert_str_eq(e[3].virtual_host, "other-host");
	ck_assert_uint_eq(e[3].last_port, 65535);
	ck_assert(e[3].internal_same_offset);
}
END_TEST

#define PORTS_FORM ": must be \"host:port\" or \"host:first-last\""

START_TEST(bad_ports)
{
	static const char *const bad[] = { "", "db", "db:", "db:0", "db:65536", "db:5-", "db:5-5", "db:6-5", "db:5-65536", "db:0-5", "db:-5",
					   ":5", "db:5-6-7", "db:+5", "db: 5", "db:5-x", "fd00::1:5", "a b:5" };
	char text[512], want[512];

	for (size_t i = 0; i < SP_COUNT_OF(bad); i++) {
		snprintf(text, sizeof(text), EXPOSE("{ virtual = \"%s\";\n internal = \"%s\"; }"), bad[i], bad[i]);
		snprintf(want, sizeof(want), "@:3: expose[0].virtual = \"%s\"" PORTS_FORM "\n@:4: expose[0].internal = \"%s\"" PORTS_FORM, bad[i],
			 bad[i]);
		fx_bad(SP_CONF_CONNECTOR, text, want);
	}
}
END_TEST

START_TEST(exposes_refused)
{
	fx_bad(SP_CONF_CONNECTOR, EXPOSE("{ }"), "@:3: expose[0]: \"virtual\" is missing\n@:3: expose[0]: \"internal\" is missing");
	fx_bad(SP_CONF_CONNECTOR, EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; protocol = \"http\"; },\n"
					 "{ virtual = \"a:2\"; internal = \"b:1\"; protocol = \"https\"; }"),
	       "@:3: expose[0]: \"paths\" is missing, protocol = \"http\" needs it\n"
	       "@:4: expose[1]: \"paths\" is missing, protocol = \"https\" needs it");
	fx_bad(SP_CONF_CONNECTOR, EXPOSE("{ virtual = \"a:1-5\"; internal = \"b:1-4\"; },\n{ virtual = \"b:1\"; internal = \"b:1-2\"; }"),
	       "@:3: expose[0]: \"virtual\" has 5 ports, \"internal\" has 4: write as many, or one internal port\n"
	       "@:4: expose[1]: \"virtual\" has 1 ports, \"internal\" has 2: write as many, or one internal port");
}
END_TEST

#define WEB(more) EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; protocol = \"https\"; " more " }")
#define PATHS "paths = ( { path = \"/\"; sub_paths = true; } ); "
#define PLAIN ": must begin with \"/\" and be plain: no \"%\", \"?\", \"#\", \";\", \"\\\", no empty and no dot segments"

START_TEST(web_systems)
{
	const struct sp_conf_expose *e;

	fx_good(SP_CONF_CONNECTOR, WEB("paths = ( { path = \"/sap/opu\"; sub_paths = true; methods = [ \"GET\", \"POST\" ]; },\n"
				       "{ path = \"/\"; suspended = true; } ); suspended = true; host_header = \"internal\"; upgrade = true;\n"
				       "principal_header = ( { claim = \"sub\"; header = \"X-User\"; } ); max_body = \"1MiB\"; max_head = \"2KiB\";\n"
				       "timeout = \"3s\"; connections = 7; ca_file = \"ca.pem\"; cert_file = \"c.pem\"; key_file = \"k.pem\"; server_name = \"n\";"));
	e = &fx_conf->exposes[0];
	ck_assert_int_eq(e->protocol, SP_EXPOSE_HTTPS);
	ck_assert_uint_eq(e->path_count, 2);
	ck_assert_str_eq(e->paths[0].path, "/sap/opu");
	ck_assert(e->paths[0].sub_paths && !e->paths[0].suspended && !e->paths[1].sub_paths && e->paths[1].suspended);
	ck_assert_str_eq(e->paths[0].methods[1], "POST");
	ck_assert_ptr_null(e->paths[1].methods);
	ck_assert(e->suspended && e->host_internal && e->upgrade);
	ck_assert_uint_eq(e->claim_count, 1);
	ck_assert_str_eq(e->claims[0].claim, "sub");
	ck_assert_str_eq(e->claims[0].header, "X-User");
	ck_assert_uint_eq(e->body_max_bytes, 1048576);
	ck_assert_uint_eq(e->head_max_bytes, 2048);
	ck_assert_uint_eq(e->response_ms, 3000);
	ck_assert_uint_eq(e->connections, 7);
	ck_assert_msg(e->ca_file[0] == '/' && e->cert_file[0] == '/' && e->key_file[0] == '/', "made absolute");
	ck_assert_str_eq(e->server_name, "n");
	fx_good(SP_CONF_CONNECTOR, EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; protocol = \"http\"; " PATHS "}"));
	e = &fx_conf->exposes[0];
	ck_assert(!e->suspended && !e->host_internal && !e->upgrade && e->claim_count == 0 && e->body_max_bytes == 0);
	ck_assert_uint_eq(e->head_max_bytes, 65536);
	ck_assert_uint_eq(e->response_ms, 0);
	ck_assert_uint_eq(e->connections, 256);
}
END_TEST

#define CLAIM(n) "{ claim = \"c" n "\"; header = \"X-" n "\"; }"
#define FOUR(n) CLAIM(n "0") ", " CLAIM(n "1") ", " CLAIM(n "2") ", " CLAIM(n "3")
#define SIXTEEN FOUR("a") ", " FOUR("b") ", " FOUR("c") ", " FOUR("d")

static const struct {
	const char *text, *error;
} web_bad[] = {
	{ WEB("paths = ( );"), "@:3: expose[0].paths: must not be empty" },
	{ WEB("paths = ( { sub_paths = true; } );"), "@:3: expose[0].paths[0]: \"path\" is missing" },
	{ WEB("paths = ( { path = \"sap\"; } );"), "@:3: expose[0].paths[0].path = \"sap\"" PLAIN },
	{ WEB("paths = ( { path = \"/a/../b\"; } );"), "@:3: expose[0].paths[0].path = \"/a/../b\"" PLAIN },
	{ WEB("paths = ( { path = \"/a/..\"; } );"), "@:3: expose[0].paths[0].path = \"/a/..\"" PLAIN },
	{ WEB("paths = ( { path = \"/.\"; } );"), "@:3: expose[0].paths[0].path = \"/.\"" PLAIN },
	{ WEB("paths = ( { path = \"/a//b\"; } );"), "@:3: expose[0].paths[0].path = \"/a//b\"" PLAIN },
	{ WEB("paths = ( { path = \"/a%20b\"; } );"), "@:3: expose[0].paths[0].path = \"/a%20b\"" PLAIN },
	{ WEB("paths = ( { path = \"/a?b\"; } );"), "@:3: expose[0].paths[0].path = \"/a?b\"" PLAIN },
	{ WEB("paths = ( { path = \"/a;b\"; } );"), "@:3: expose[0].paths[0].path = \"/a;b\"" PLAIN },
	{ WEB("paths = ( { path = \"/\"; methods = [ \"G T\" ]; } );"), "@:3: expose[0].paths[0].methods: \"G T\" is no method" },
	{ WEB(PATHS "host_header = \"x\";"), "@:3: expose[0].host_header = \"x\": must be \"virtual\" or \"internal\"" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; header = \"X Y\"; } );"),
	  "@:3: expose[0].principal_header[0].header = \"X Y\": is no name of a header" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; header = \"Proxy-X\"; } );"),
	  "@:3: expose[0].principal_header[0].header = \"Proxy-X\": has a meaning of its own already" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; header = \"content_length\"; } );"),
	  "@:3: expose[0].principal_header[0].header = \"content_length\": has a meaning of its own already" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; header = \"X-A\"; }, { claim = \"b\"; header = \"x-a\"; } );"),
	  "@:3: expose[0].principal_header[1]: the header \"x-a\" is that of principal_header[0]" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; header = \"X-A\"; }, { claim = \"b\"; header = \"X_A\"; } );"),
	  "@:3: expose[0].principal_header[1]: the header \"X_A\" is that of principal_header[0]" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; header = \"X-A\"; }, { claim = \"a\"; header = \"X-B\"; } );"),
	  "@:3: expose[0].principal_header[1]: the claim \"a\" is that of principal_header[0]" },
	{ WEB(PATHS "principal_header = ( { claim = \"a\"; } );"), "@:3: expose[0].principal_header[0]: \"header\" is missing" },
	{ WEB(PATHS "principal_header = ( { header = \"X-A\"; } );"), "@:3: expose[0].principal_header[0]: \"claim\" is missing" },
	{ WEB(PATHS "principal_header = ( " SIXTEEN ", " CLAIM("e") " );"),
	  "@:3: expose[0].principal_header: must not have more than 16 elements" },
	{ WEB("paths = ( { path = \"/a\"; }, { path = \"/b\"; }, { path = \"/a\"; sub_paths = true; } );"),
	  "@:3: expose[0].paths[2]: the path \"/a\" is that of paths[0]" },
	{ WEB("paths = ( { path = \"/a\"; header = true; } );"),
	  "@:3: expose[0].paths[0]: unknown key \"header\"; known: path, sub_paths, methods, suspended" },
	{ WEB("paths = ( { path = \"/a\"; methods = [ ]; } );"), "@:3: expose[0].paths[0].methods: must not be empty" },
	{ WEB("paths = ( { path = \"/a\"; methods = \"GET\"; } );"),
	  "@:3: expose[0].paths[0].methods: must be an array of strings [ \"...\" ], is a string" },
	{ WEB("paths = { path = \"/\"; };"), "@:3: expose[0].paths: must be a list of groups ( { }, { } ), is a group { }" },
	{ WEB("paths = ( \"/\" );"), "@:3: expose[0].paths[0]: must be a group { }, is a string" },
	{ WEB(PATHS "path = \"/\";"), "@:3: expose[0]: unknown key \"path\"; did you mean \"paths\"?" },
	{ WEB(PATHS "colour = 1;"),
	  "@:3: expose[0]: unknown key \"colour\"; known: virtual, protocol, internal, suspended, paths, host_header, upgrade, "
	  "principal_header, max_body, max_head, timeout, connections, ca_file, cert_file, key_file, server_name" },
	{ WEB(PATHS "server_name = \"a b\";"), "@:3: expose[0].server_name = \"a b\": must be the name of a host" },
	{ WEB(PATHS "server_name = \"a:1\";"), "@:3: expose[0].server_name = \"a:1\": must be the name of a host" },
	{ WEB(PATHS "connections = 0;"), "@:3: expose[0].connections = 0: out of range, must be from 1 to 65535" },
	{ WEB(PATHS "max_head = \"513KiB\";"), "@:3: expose[0].max_head = \"513KiB\": out of range, must be from 1KiB to 512KiB" },
	{ WEB(PATHS "max_body = \"1025GiB\";"), "@:3: expose[0].max_body = \"1025GiB\": out of range, must be from 0 to 1024GiB" },
	{ WEB(PATHS "timeout = \"25h\";"), "@:3: expose[0].timeout = \"25h\": out of range, must be from 0 to 24h" },
	{ WEB(PATHS "cert_file = \"c\";"), "@:3: expose[0]: cert_file and key_file go together, \"key_file\" is missing" },
	{ EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; protocol = \"http\"; " PATHS " ca_file = \"c\"; }"),
	  "@:3: expose[0]: \"ca_file\" goes with protocol = \"https\" only" },
	{ EXPOSE("{ virtual = \"a:1-2\"; internal = \"b:1-2\"; protocol = \"http\"; " PATHS "}"),
	  "@:3: expose[0]: a range of ports goes with protocol = \"tcp\" only" },
	{ EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; " PATHS "}"),
	  "@:3: expose[0]: \"paths\" goes with protocol = \"http\" or \"https\" only" },
	{ EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; protocol = \"tcp\"; upgrade = true; }"),
	  "@:3: expose[0]: \"upgrade\" goes with protocol = \"http\" or \"https\" only" },
};

/* Its own protocol says where a setting belongs, also when it is the default's. */
START_TEST(web_settings_of_tcp)
{
	static const char *const web[] = { "host_header = \"virtual\"", "upgrade = false", "principal_header = ( )", "max_body = 1",
					   "max_head = \"2KiB\"", "timeout = \"1s\"", "connections = 1" };
	static const char *const https[] = { "ca_file", "cert_file", "key_file", "server_name" };
	char text[1024], want[512];

	for (size_t i = 0; i < 2 * SP_COUNT_OF(web); i++) {
		const char *setting = web[i / 2];

		snprintf(text, sizeof(text), EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; %s %s; }"),
			 i % 2 ? "protocol = \"tcp\";" : "", setting);
		snprintf(want, sizeof(want), "@:3: expose[0]: \"%.*s\" goes with protocol = \"http\" or \"https\" only",
			 (int)strcspn(setting, " "), setting);
		fx_bad(SP_CONF_CONNECTOR, text, want);
	}
	for (size_t i = 0; i < SP_COUNT_OF(https); i++) {
		snprintf(text, sizeof(text), EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; protocol = \"http\"; " PATHS "%s = \"c\"; }"),
			 https[i]);
		snprintf(want, sizeof(want), "@:3: expose[0]: \"%s\" goes with protocol = \"https\" only", https[i]);
		if (strcmp(https[i], "cert_file") == 0 || strcmp(https[i], "key_file") == 0)
			ck_assert_int_eq(fx_load(SP_CONF_CONNECTOR, text), SP_EINVAL); /* and its other half is missing */
		else
			fx_bad(SP_CONF_CONNECTOR, text, want);
		ck_assert_ptr_nonnull(strstr(fx_report.text, strchr(want, 'e')));
	}
	fx_good(SP_CONF_CONNECTOR, EXPOSE("{ virtual = \"a:1\"; internal = \"b:1\"; suspended = true; }"));
	ck_assert(fx_conf->exposes[0].suspended);
}
END_TEST

/* Headers with a meaning of their own, whatever their letters' case, and with "_" for "-". */
START_TEST(reserved_headers)
{
	static const char *const bad[] = { "Host", "Connection", "Content-Length", "CONTENT_LENGTH", "Transfer-Encoding", "TE", "Trailer",
					   "Upgrade", "Keep-Alive", "Expect", "Via", "Authorization", "Cookie", "X-Forwarded-Host",
					   "Proxy-Authorization", "proxy_x", "sallyport-tenant", "Sallyport-X", "SAP-Connectivity-X",
					   "SAP-CP-Connectivity-X" };
	static const char *const good[] = { "X-User", "Remote-User", "From", "Hosts", "X-Cookie", "Viand" };
	char text[1024], want[512];

	for (size_t i = 0; i < SP_COUNT_OF(bad); i++) {
		snprintf(text, sizeof(text), WEB(PATHS "principal_header = ( { claim = \"c\"; header = \"%s\"; } );"), bad[i]);
		snprintf(want, sizeof(want), "@:3: expose[0].principal_header[0].header = \"%s\": has a meaning of its own already", bad[i]);
		fx_bad(SP_CONF_CONNECTOR, text, want);
	}
	for (size_t i = 0; i < SP_COUNT_OF(good); i++) {
		snprintf(text, sizeof(text), WEB(PATHS "principal_header = ( { claim = \"c\"; header = \"%s\"; } );"), good[i]);
		fx_good(SP_CONF_CONNECTOR, text);
		ck_assert_str_eq(fx_conf->exposes[0].claims[0].header, good[i]);
	}
	fx_good(SP_CONF_CONNECTOR, WEB(PATHS "principal_header = ( " SIXTEEN " );"));
	ck_assert_uint_eq(fx_conf->exposes[0].claim_count, 16);
}
END_TEST

START_TEST(plain_paths)
{
	static const char *const good[] = { "/", "/a", "/a/", "/sap/opu/odata", "/.well-known", "/a..b", "/...", "/m\xc3\xbcller", "/a b/c",
					    "/a=1,2&b" };
	static const char *const bad[] = { "a", " /a", "*", "//", "/a//", "/./a", "/../a", "/a/.", "/a\\\\b", "/a#b", "/%2e", "/;x" };
	char text[1024];

	for (size_t i = 0; i < SP_COUNT_OF(good); i++) {
		snprintf(text, sizeof(text), WEB("paths = ( { path = \"%s\"; } );"), good[i]);
		fx_good(SP_CONF_CONNECTOR, text);
		ck_assert_str_eq(fx_conf->exposes[0].paths[0].path, good[i]);
	}
	for (size_t i = 0; i < SP_COUNT_OF(bad); i++) {
		snprintf(text, sizeof(text), WEB("paths = ( { path = \"%s\"; } );"), bad[i]);
		ck_assert_msg(fx_load(SP_CONF_CONNECTOR, text) == SP_EINVAL, "%s", bad[i]);
		ck_assert_uint_eq(fx_report.count, 1);
		ck_assert_ptr_nonnull(strstr(fx_report.text, ":3: expose[0].paths[0].path"));
	}
	snprintf(text, sizeof(text), WEB("paths = ( { path = \"/a\\n\"; } );"));
	fx_bad(SP_CONF_CONNECTOR, text, "@:3: expose[0].paths[0].path: must be UTF-8 without control characters");
}
END_TEST

/* More than 4 GiB fit. */
START_TEST(long_bodies)
{
	fx_good(SP_CONF_CONNECTOR, WEB(PATHS "max_body = \"5GiB\";"));
	ck_assert_uint_eq(fx_conf->exposes[0].body_max_bytes, (uint64_t)5 << 30);
	fx_good(SP_CONF_CONNECTOR, WEB(PATHS "max_body = 4294967297L;"));
	ck_assert_uint_eq(fx_conf->exposes[0].body_max_bytes, 4294967297u);
}
END_TEST

START_TEST(web_refused)
{
	fx_bad(SP_CONF_CONNECTOR, web_bad[_i].text, web_bad[_i].error);
}
END_TEST

#define E(virtual) "{ virtual = \"" virtual "\"; internal = \"x:1\"; }"
#define OVERLAP(host) ": ports of \"" host "\" are in expose[0] already, FOLDER/main.conf:3"

START_TEST(overlaps)
{
	fx_bad(SP_CONF_CONNECTOR, EXPOSE(E("a:1") ",\n" E("A:1")), "@:4: expose[1]" OVERLAP("a"));
	fx_bad(SP_CONF_CONNECTOR, EXPOSE(E("a:10-20") ",\n" E("a:20-30")), "@:4: expose[1]" OVERLAP("a"));
	fx_bad(SP_CONF_CONNECTOR, EXPOSE(E("a:10-20") ",\n" E("a:5-10")), "@:4: expose[1]" OVERLAP("a"));
	fx_bad(SP_CONF_CONNECTOR, EXPOSE(E("a:10-20") ",\n" E("a:15")), "@:4: expose[1]" OVERLAP("a"));
	fx_bad(SP_CONF_CONNECTOR, EXPOSE(E("a:15") ",\n" E("b:15") ",\n" E("a:10-20")), "@:5: expose[2]" OVERLAP("a"));
	fx_good(SP_CONF_CONNECTOR, EXPOSE(E("a:10-20") "," E("a:21-30") "," E("a:9") "," E("b:10-20")));
	/* Two wrong ones do not overlap. */
	fx_bad(SP_CONF_CONNECTOR, EXPOSE(E("x") ",\n" E("x")), "@:3: expose[0].virtual = \"x\"" PORTS_FORM "\n@:4: expose[1].virtual = \"x\"" PORTS_FORM);
}
END_TEST

/* Each program has its own file. */
START_TEST(programs)
{
	fx_bad(SP_CONF_CONNECTOR, "workers = 1;\nplugin_dir = \"x\";\nlisteners = ( );\nupstream = { };\nauth = { };\n" FX_CONNECTOR,
	       "@:1: \"workers\" has no meaning in the file of sallyport-connector\n"
	       "@:2: \"plugin_dir\" has no meaning in the file of sallyport-connector\n"
	       "@:3: \"listeners\" has no meaning in the file of sallyport-connector\n"
	       "@:4: \"upstream\" has no meaning in the file of sallyport-connector\n"
	       "@:5: \"auth\" has no meaning in the file of sallyport-connector");
	fx_bad(SP_CONF_CONNECTOR, "timeouts = { auth = \"1s\"; };\nlimits = { token = \"1KiB\"; };\ntunels = { };" FX_CONNECTOR,
	       "@:3: unknown key \"tunels\"; did you mean \"tunnels\"?\n"
	       "@:1: timeouts: \"auth\" has no meaning in the file of sallyport-connector\n"
	       "@:2: limits: \"token\" has no meaning in the file of sallyport-connector");
	fx_bad(SP_CONF_PROXY, FX_CONNECTOR FX_PROXY,
	       "@:1: \"gateway\" has no meaning in the file of sallyport\n@:2: \"expose\" has no meaning in the file of sallyport");
}
END_TEST

Suite *sp_suite_connector(void)
{
	Suite *s = suite_create("connector");
	TCase *c = fx_case(s, "gateway");

	tcase_add_test(c, gateway);
	tcase_add_test(c, gateway_refused);
	tcase_add_test(c, many_gateways);
	tcase_add_test(c, ids);
	tcase_add_test(c, programs);
	c = fx_case(s, "expose");
	tcase_add_test(c, exposes);
	tcase_add_test(c, bad_ports);
	tcase_add_test(c, exposes_refused);
	tcase_add_test(c, web_systems);
	tcase_add_loop_test(c, web_refused, 0, (int)SP_COUNT_OF(web_bad));
	tcase_add_test(c, web_settings_of_tcp);
	tcase_add_test(c, reserved_headers);
	tcase_add_test(c, plain_paths);
	tcase_add_test(c, long_bodies);
	tcase_add_test(c, overlaps);
	return s;
}
