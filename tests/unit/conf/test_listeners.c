/* Listeners and upstream of a proxy. */
#include "fixture.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"

#define TLS "tls = { cert_file = \"c.pem\"; key_file = \"/k.pem\"; };"
#define LISTENER(members) FX_AUTH "listeners = ( {\n" members "\n} );\n" FX_UPSTREAM
#define TUNNEL(members) FX_AUTH "listeners = ( {\nprotocol = \"tunnel\"; address = \"127.0.0.1:1\"; " members "\n} );\nupstream = { kind = \"connectors\"; };"
#define UPSTREAM(members) FX_AUTH FX_LISTENERS "upstream = {\n" members "\n};\n"

START_TEST(protocols)
{
	const struct sp_conf_listener *l;

	fx_good(SP_CONF_PROXY,
		"auth = { x = ( { plugin = \"a\"; } ); y = ( { plugin = \"b\"; } ); };\n"
		"listeners = (\n"
		"{ protocol = \"socks5\"; address = \"0.0.0.0:20004\"; auth = \"x\"; trusted_network = true; },\n"
		"{ protocol = \"http\"; address = \"[::1]:20003\"; auth = \"y\"; },\n"
		"{ protocol = \"forward\"; address = \"unix:/run/f.sock\"; auth = \"x\"; target = \"DB.virtual:5432\"; location = \"l\xc3\xb6\"; },\n"
		"{ protocol = \"tunnel\"; address = \"127.0.0.1:0\"; connectors = \"y\";\n"
		"  tls = { cert_file = \"c.pem\"; key_file = \"/k.pem\"; client_ca_file = \"d/ca.pem\"; }; },\n"
		"{ protocol = \"tunnel\"; address = \"127.0.0.1:0\"; auth = \"x\"; " TLS " speaks_for_any = [ \"CN=a\", \"CN=b\" ]; }\n"
		");\n" FX_UPSTREAM);
	ck_assert_uint_eq(fx_conf->listener_count, 5);
	l = fx_conf->listeners;
	ck_assert_int_eq(l[0].protocol, SP_PROTOCOL_SOCKS5);
	ck_assert_int_eq(l[0].address.sa.sa_family, AF_INET);
	ck_assert_uint_eq(sp_addr_port(&l[0].address), 20004);
	ck_assert_str_eq(l[0].address_text, "0.0.0.0:20004");
	ck_assert_int_eq(l[0].chain, 0);
	ck_assert_int_eq(l[0].connectors, -1);
	ck_assert(l[0].trusted_network);
	ck_assert_uint_eq(l[0].at.line, 3);
	ck_assert_int_eq(l[1].protocol, SP_PROTOCOL_HTTP);
	ck_assert_int_eq(l[1].address.sa.sa_family, AF_INET6);
	ck_assert_int_eq(l[1].chain, 1);
	ck_assert(!l[1].trusted_network);
	ck_assert_int_eq(l[2].protocol, SP_PROTOCOL_FORWARD);
	ck_assert_str_eq(l[2].target.host, "db.virtual");
	ck_assert_uint_eq(l[2].target.port, 5432);
	ck_assert_str_eq(l[2].location, "l\xc3\xb6");
	ck_assert_int_eq(l[3].protocol, SP_PROTOCOL_TUNNEL);
	ck_assert_int_eq(l[3].chain, -1);
	ck_assert_int_eq(l[3].connectors, 1);
	ck_assert(strncmp(l[3].cert_file, fx_folder, strlen(fx_folder)) == 0);
	ck_assert_str_eq(l[3].cert_file + strlen(fx_folder), "/c.pem");
	ck_assert_str_eq(l[3].key_file, "/k.pem");
	ck_assert_str_eq(l[3].client_ca_file + strlen(fx_folder), "/d/ca.pem");
	ck_assert_ptr_null(l[3].speaks_for_any);
	ck_assert_ptr_null(l[4].client_ca_file);
	ck_assert_str_eq(l[4].speaks_for_any[0], "CN=a");
	ck_assert_str_eq(l[4].speaks_for_any[1], "CN=b");
	ck_assert_ptr_null(l[4].speaks_for_any[2]);
}
END_TEST

START_TEST(missing)
{
	fx_bad(SP_CONF_PROXY, "", "@: \"listeners\" is missing\n@: \"upstream\" is missing");
	fx_bad(SP_CONF_PROXY, "listeners = ( );\n" FX_UPSTREAM, "@:1: listeners: must not be empty");
	fx_bad(SP_CONF_PROXY, LISTENER(""), "@:2: listeners[0]: \"protocol\" is missing\n@:2: listeners[0]: \"address\" is missing");
	fx_bad(SP_CONF_PROXY, LISTENER("protocol = \"socks5\"; address = \"127.0.0.1:1\";"),
	       "@:2: listeners[0]: \"auth\" is missing, protocol = \"socks5\" needs it");
	fx_bad(SP_CONF_PROXY, LISTENER("protocol = \"http\"; address = \"127.0.0.1:1\";"),
	       "@:2: listeners[0]: \"auth\" is missing, protocol = \"http\" needs it");
	fx_bad(SP_CONF_PROXY, LISTENER("protocol = \"forward\"; address = \"127.0.0.1:1\";"),
	       "@:2: listeners[0]: \"auth\" is missing, protocol = \"forward\" needs it\n"
	       "@:2: listeners[0]: \"target\" is missing, protocol = \"forward\" needs it");
	fx_bad(SP_CONF_PROXY, TUNNEL("auth = \"a\";"), "@:2: listeners[0]: \"tls\" is missing, protocol = \"tunnel\" needs it");
	fx_bad(SP_CONF_PROXY, TUNNEL("auth = \"a\"; tls = { };"),
	       "@:3: listeners[0].tls: \"cert_file\" is missing\n@:3: listeners[0].tls: \"key_file\" is missing");
	fx_bad(SP_CONF_PROXY, FX_AUTH FX_LISTENERS "upstream = { };", "@:3: upstream: \"kind\" is missing");
}
END_TEST

START_TEST(misplaced)
{
	fx_bad(SP_CONF_PROXY,
	       LISTENER("protocol = \"http\"; address = \"127.0.0.1:1\"; auth = \"a\";\ntarget = \"x:1\";\nlocation = \"x\";\n"
			"connectors = \"a\";\n" TLS "\nspeaks_for_any = [ \"x\" ];"),
	       "@:4: listeners[0]: \"target\" goes with protocol = \"forward\" only\n"
	       "@:5: listeners[0]: \"location\" goes with protocol = \"forward\" only\n"
	       "@:6: listeners[0]: \"connectors\" goes with protocol = \"tunnel\" only\n"
	       "@:7: listeners[0]: \"tls\" goes with protocol = \"tunnel\" only\n"
	       "@:8: listeners[0]: \"speaks_for_any\" goes with protocol = \"tunnel\" only");
	fx_bad(SP_CONF_PROXY, TUNNEL("auth = \"a\"; " TLS " target = \"x:1\";"),
	       "@:3: listeners[0]: \"target\" goes with protocol = \"forward\" only");
	/* A wrong protocol says nothing about what goes with it. */
	fx_bad(SP_CONF_PROXY, LISTENER("protocol = \"https\"; address = \"127.0.0.1:1\"; auth = \"a\"; target = \"x:1\"; " TLS),
	       "@:3: listeners[0].protocol = \"https\": must be \"socks5\", \"http\", \"forward\" or \"tunnel\"; did you mean \"http\"?");
}
END_TEST

START_TEST(admission)
{
	fx_bad(SP_CONF_PROXY, TUNNEL(TLS),
	       "@:2: listeners[0]: nobody may use it: name a chain in \"auth\" (for proxies), in \"connectors\", or both");
	fx_bad(SP_CONF_PROXY, TUNNEL(TLS "connectors = \"a\"; speaks_for_any = [ \"x\" ];"),
	       "@:2: listeners[0]: \"speaks_for_any\" is about proxies, but no chain in \"auth\" admits them");
	fx_bad(SP_CONF_PROXY, TUNNEL(TLS "auth = \"b\"; speaks_for_any = [ \"x\" ];"),
	       "@:3: listeners[0].auth = \"b\": no such chain; known: a");
	fx_bad(SP_CONF_PROXY, TUNNEL(TLS "auth = \"a\"; connectors = \"c\";"), "@:3: listeners[0].connectors = \"c\": no such chain; known: a");
	fx_bad(SP_CONF_PROXY, TUNNEL(TLS "auth = \"a\"; speaks_for_any = [ ];"), "@:3: listeners[0].speaks_for_any: must not be empty");
	fx_bad(SP_CONF_PROXY, TUNNEL(TLS "auth = \"a\"; speaks_for_any = ( \"x\", 1, \"\", \"a\\nb\" );"),
	       "@:3: listeners[0].speaks_for_any[1]: must be a string, is an integer\n"
	       "@:3: listeners[0].speaks_for_any[2] = \"\": must be a text in UTF-8 without control characters\n"
	       "@:3: listeners[0].speaks_for_any[3] = \"a\\x0ab\": must be a text in UTF-8 without control characters");
	fx_bad(SP_CONF_PROXY, LISTENER("protocol = \"http\"; address = \"127.0.0.1:1\"; auth = \"a\"; trusted_network = 1;"),
	       "@:3: listeners[0].trusted_network: must be true or false, is an integer");
}
END_TEST

#define ADDRESS_FORM ": must be \"127.0.0.1:20003\", \"[::1]:20003\" (addresses, not names) or \"unix:/run/sallyport/http.sock\""

START_TEST(values)
{
	static const char *const bad[] = { "localhost:1", "127.0.0.1", "127.0.0.1:65536", ":1", "::1:1", "unix:", "unix:run/x.sock", "" };
	char text[1024], want[512];

	for (size_t i = 0; i < SP_COUNT_OF(bad); i++) {
		snprintf(text, sizeof(text), LISTENER("protocol = \"http\"; auth = \"a\"; address = \"%s\";"), bad[i]);
		snprintf(want, sizeof(want), "@:3: listeners[0].address = \"%s\"" ADDRESS_FORM, bad[i]);
		fx_bad(SP_CONF_PROXY, text, want);
	}
	fx_bad(SP_CONF_PROXY,
	       LISTENER("protocol = \"forward\"; address = \"127.0.0.1:1\"; auth = \"a\";\ntarget = \"db\";\nlocation = \" x\";"),
	       "@:4: listeners[0].target = \"db\": must be \"host:port\"\n"
	       "@:5: listeners[0].location = \" x\": must be a text without blanks at its ends");
	snprintf(text, sizeof(text),
		 LISTENER("protocol = \"forward\"; address = \"127.0.0.1:1\"; auth = \"a\"; target = \"db:1\"; location = \"%0192d\";"), 1);
	fx_bad(SP_CONF_PROXY, text, "@:3: listeners[0].location: must not be longer than 191 bytes");
	fx_bad(SP_CONF_PROXY, LISTENER("protocol = \"forward\"; address = \"127.0.0.1:1\"; auth = \"a\"; target = \"db:1\"; location = \"\";"),
	       "@:3: listeners[0].location = \"\": must be a text without blanks at its ends");
	fx_bad(SP_CONF_PROXY, FX_AUTH "listeners = ( 1,\n \"x\" );" FX_UPSTREAM,
	       "@:2: listeners[0]: must be a group { }, is an integer\n@:3: listeners[1]: must be a group { }, is a string");
	fx_bad(SP_CONF_PROXY, FX_AUTH "listeners = { };" FX_UPSTREAM,
	       "@:2: listeners: must be a list of groups ( { }, { } ), is a group { }");
}
END_TEST

#define HTTP_AT(address) "{ protocol = \"http\"; auth = \"a\"; address = \"" address "\"; }"
#define TWO(a, b) FX_AUTH "listeners = (\n" HTTP_AT(a) ",\n" HTTP_AT(b) " );\n" FX_UPSTREAM

START_TEST(addresses_once)
{
	fx_bad(SP_CONF_PROXY, TWO("127.0.0.1:20003", "127.0.0.1:20003"),
	       "@:4: listeners[1]: the address 127.0.0.1:20003 is that of listeners[0], FOLDER/main.conf:3");
	fx_bad(SP_CONF_PROXY, TWO("[::1]:7", "[0:0::1]:7"), "@:4: listeners[1]: the address [0:0::1]:7 is that of listeners[0], FOLDER/main.conf:3");
	fx_bad(SP_CONF_PROXY, TWO("unix:/a", "unix:/a"), "@:4: listeners[1]: the address unix:/a is that of listeners[0], FOLDER/main.conf:3");
	fx_good(SP_CONF_PROXY, TWO("unix:/a", "unix:/b"));
	fx_good(SP_CONF_PROXY, TWO("127.0.0.1:0", "127.0.0.1:0"));
	fx_good(SP_CONF_PROXY, TWO("127.0.0.1:1", "127.0.0.2:1"));
	fx_good(SP_CONF_PROXY, TWO("127.0.0.1:1", "[::1]:1"));
	/* Two wrong ones are not the same one. */
	fx_bad(SP_CONF_PROXY, TWO("x", "x"), "@:3: listeners[0].address = \"x\"" ADDRESS_FORM "\n@:4: listeners[1].address = \"x\"" ADDRESS_FORM);
}
END_TEST

START_TEST(pure_gateway)
{
	static const char only_tunnel[] = FX_AUTH "listeners = ( { protocol = \"tunnel\"; address = \"127.0.0.1:1\"; auth = \"a\"; " TLS " } );\n";
	char text[1024];

	snprintf(text, sizeof(text), "%supstream = { kind = \"connectors\"; };", only_tunnel);
	fx_good(SP_CONF_PROXY, text);
	ck_assert_int_eq(fx_conf->upstream.kind, SP_UPSTREAM_CONNECTORS);
	snprintf(text, sizeof(text), "%supstream = { kind = \"direct\"; };", only_tunnel);
	fx_good(SP_CONF_PROXY, text); /* an exit: proxies dial in, targets are reached from here */
	ck_assert_int_eq(fx_conf->upstream.kind, SP_UPSTREAM_DIRECT);
}
END_TEST

START_TEST(upstream_gateway)
{
	const struct sp_conf_upstream *u;

	fx_good(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://GW.example\"; ca_file = \"ca\"; cert_file = \"c\"; key_file = \"k\";"
					"token = { file = \"t\"; };"));
	u = &fx_conf->upstream;
	ck_assert_int_eq(u->kind, SP_UPSTREAM_GATEWAY);
	ck_assert_uint_eq(u->at.line, 3);
	ck_assert_str_eq(u->url.host, "gw.example");
	ck_assert_uint_eq(u->url.port, 443);
	ck_assert_str_eq(u->ca_file + strlen(fx_folder), "/ca");
	ck_assert_str_eq(u->cert_file + strlen(fx_folder), "/c");
	ck_assert_str_eq(u->key_file + strlen(fx_folder), "/k");
	ck_assert_str_eq(u->token_file + strlen(fx_folder), "/t");
	ck_assert_ptr_null(u->service_key_file);
	fx_good(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://[fd00::1]:8042/\";"));
	u = &fx_conf->upstream;
	ck_assert(u->url.ipv6);
	ck_assert_uint_eq(u->url.port, 8042);
	ck_assert_ptr_null(u->ca_file);
	ck_assert_ptr_null(u->token_file);
}
END_TEST

START_TEST(upstream_service_key)
{
	const struct sp_conf_upstream *u;

	fx_good(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; service_key = { file = \"k\"; ca_file = \"ca\"; };"));
	u = &fx_conf->upstream;
	ck_assert_str_eq(u->service_key_file + strlen(fx_folder), "/k");
	ck_assert_str_eq(u->service_key_ca_file + strlen(fx_folder), "/ca");
	ck_assert_ptr_null(u->token_file);
	fx_good(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; service_key = { file = \"k\"; };"));
	ck_assert_ptr_null(fx_conf->upstream.service_key_ca_file);
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; service_key = { file = \"k\"; }; token = { file = \"t\"; };"),
	       "@:3: upstream: \"token\" or \"service_key\", not both: each says who the proxy is");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; service_key = { };"),
	       "@:4: upstream.service_key: \"file\" is missing");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; service_key = \"{}\";"),
	       "@:4: upstream.service_key: must be a group { }, is a string; a secret is never a value: write { file = \"/path/of/the/file\"; }");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"direct\"; service_key = { file = \"k\"; };"), "@:4: upstream: \"service_key\" goes with kind = \"gateway\" only");
}
END_TEST

#define URL_FORM ": must be \"https://host\" or \"https://host:port\""

START_TEST(upstream_refused)
{
	static const char *const bad[] = { "http://gw", "gw", "https://", "https:///", "https://gw/path", "https://gw//", "https://u@gw",
					   "https://gw?x", "https://gw:0", "https://gw:", "HTTPS://gw", "" };
	char text[512], want[512];

	for (size_t i = 0; i < SP_COUNT_OF(bad); i++) {
		snprintf(text, sizeof(text), UPSTREAM("kind = \"gateway\"; url = \"%s\";"), bad[i]);
		snprintf(want, sizeof(want), "@:4: upstream.url = \"%s\"" URL_FORM, bad[i]);
		fx_bad(SP_CONF_PROXY, text, want);
	}
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\";"), "@:3: upstream: \"url\" is missing, kind = \"gateway\" needs it");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; cert_file = \"c\";"),
	       "@:3: upstream: cert_file and key_file go together, \"key_file\" is missing");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; key_file = \"c\";"),
	       "@:3: upstream: cert_file and key_file go together, \"cert_file\" is missing");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"direct\"; url = \"https://gw\"; ca_file = \"x\"; cert_file = \"x\"; key_file = \"x\"; token = { file = \"x\"; };"),
	       "@:4: upstream: \"url\" goes with kind = \"gateway\" only\n@:4: upstream: \"ca_file\" goes with kind = \"gateway\" only\n"
	       "@:4: upstream: \"cert_file\" goes with kind = \"gateway\" only\n@:4: upstream: \"key_file\" goes with kind = \"gateway\" only\n"
	       "@:4: upstream: \"token\" goes with kind = \"gateway\" only");
}
END_TEST

START_TEST(secrets_are_files)
{
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; token = \"s3cret\";"),
	       "@:4: upstream.token: must be a group { }, is a string; a secret is never a value: write { file = \"/path/of/the/file\"; }");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; token = { };"), "@:4: upstream.token: \"file\" is missing");
	fx_bad(SP_CONF_PROXY, UPSTREAM("kind = \"gateway\"; url = \"https://gw\"; token = { value = \"x\"; file = \"y\"; };"),
	       "@:4: upstream.token: unknown key \"value\"; known: file");
}
END_TEST

#define GATEWAY_FX UPSTREAM("kind = \"gateway\"; url = \"https://gw\";")
#define TO(host) "upstream = { kind = \"gateway\"; url = \"https://" host "\"; };"

START_TEST(regions)
{
	const struct sp_conf_region *r;

	fx_good(SP_CONF_PROXY, GATEWAY_FX "regions = (\n{ id = \"eu10\"; issuers = [ \"https://a\", \"https://b\" ]; allowed_clients = [ \"c\" ];\n"
					  "upstream = { kind = \"gateway\"; url = \"https://gw2:8042\"; ca_file = \"ca\"; }; },\n"
					  "{ id = \"us10\"; " TO("gw3") " } );");
	ck_assert_uint_eq(fx_conf->region_count, 2);
	r = fx_conf->regions;
	ck_assert_str_eq(r->id, "eu10");
	ck_assert_str_eq(r->issuers[1], "https://b");
	ck_assert_ptr_null(r->issuers[2]);
	ck_assert_str_eq(r->allowed_clients[0], "c");
	ck_assert_str_eq(r->upstream.url.host, "gw2");
	ck_assert_uint_eq(r->upstream.url.port, 8042);
	ck_assert_str_eq(r->upstream.ca_file + strlen(fx_folder), "/ca");
	ck_assert_uint_eq(r->at.line, 7);
	ck_assert_uint_eq(r->upstream.at.line, 8);
	ck_assert_ptr_null(r[1].issuers);
	ck_assert_ptr_null(r[1].allowed_clients);
	ck_assert_str_eq(fx_conf->upstream.url.host, "gw");
}
END_TEST

START_TEST(regions_refused)
{
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( );", "@:6: regions: must not be empty");
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( { } );", "@:6: regions[0]: \"id\" is missing\n@:6: regions[0]: \"upstream\" is missing");
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( { id = \"e u\"; " TO("x") " } );",
	       "@:6: regions[0].id = \"e u\": must be letters, digits, \"-\", \".\" or \"_\"");
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( { id = \"a\"; upstream = { kind = \"direct\"; }; } );",
	       "@:6: regions[0].upstream.kind: must be \"gateway\" in a region");
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( { id = \"a\"; upstream = { kind = \"gateway\"; }; } );",
	       "@:6: regions[0].upstream: \"url\" is missing, kind = \"gateway\" needs it");
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( { id = \"a\"; " TO("x") " },\n{ id = \"a\"; " TO("y") " } );",
	       "@:7: regions[1]: id \"a\" is that of regions[0], FOLDER/main.conf:6");
	fx_bad(SP_CONF_PROXY, GATEWAY_FX "regions = ( { id = \"a\"; issuers = [ \"i\" ]; " TO("x") " },\n{ id = \"b\"; issuers = [ \"j\", \"i\" ]; " TO("y") " } );",
	       "@:7: regions[1]: the issuer \"i\" is in regions[0] already, FOLDER/main.conf:6");
	fx_bad(SP_CONF_PROXY, FX_PROXY "regions = ( { id = \"a\"; " TO("x") " } );",
	       "@:4: regions: go with upstream.kind = \"gateway\", which is where exchanges of no region go");
}
END_TEST

Suite *sp_suite_listeners(void)
{
	Suite *s = suite_create("listeners");
	TCase *c = fx_case(s, "listeners");

	tcase_add_test(c, protocols);
	tcase_add_test(c, missing);
	tcase_add_test(c, misplaced);
	tcase_add_test(c, admission);
	tcase_add_test(c, values);
	tcase_add_test(c, addresses_once);
	tcase_add_test(c, pure_gateway);
	c = fx_case(s, "upstream");
	tcase_add_test(c, upstream_service_key);
	tcase_add_test(c, upstream_gateway);
	tcase_add_test(c, upstream_refused);
	tcase_add_test(c, secrets_are_files);
	tcase_add_test(c, regions);
	tcase_add_test(c, regions_refused);
	return s;
}
