#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/server.h"
#include "suites.h"

/* Plugins must lie in a folder that nobody else may write, which a build folder need not be: the test copies them. */
static char folder[64];

static void copy(const char *name)
{
	char from[512], to[512], bytes[65536];
	FILE *in, *out;
	size_t n;

	snprintf(from, sizeof(from), "plugins/.libs/%s.so", name);
	snprintf(to, sizeof(to), "%s/%s.so", folder, name);
	in = fopen(from, "rb");
	out = fopen(to, "wb");
	ck_assert_msg(in && out, "%s -> %s", from, to);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
	ck_assert_int_eq(chmod(to, 0644), 0);
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/sp-server-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	copy("none");
	copy("static-tenant");
	copy("mtls");
}

static void teardown(void)
{
	static const char *const names[] = { "none.so", "static-tenant.so", "mtls.so", "sallyport.conf" };
	char path[512];

	for (unsigned i = 0; i < SP_COUNT_OF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(folder), 0);
}

/* The report of the policy on this configuration; "" when it may start. */
static const char *policy(const char *listeners, const char *upstream)
{
	static char text[4096];
	struct sp_report r = { 0 };
	struct sp_conf *conf = NULL;
	struct sp_auth *auth = NULL;
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sallyport.conf", folder);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f,
		"plugin_dir = \"%s\";\n"
		"auth: { local = ( { plugin = \"none\"; }, { plugin = \"static-tenant\"; tenant = \"t\"; } );\n"
		"        nobody = ( { plugin = \"none\"; } );\n"
		"        forwarded = ( { plugin = \"none\"; forward_token = true; } );\n"
		"        certs = ( { plugin = \"mtls\"; tenant_from = \"subject:O\"; } );\n"
		"        certs_only = ( { plugin = \"mtls\"; } ); };\n"
		"listeners = ( %s );\nupstream = { %s };\n",
		folder, listeners, upstream);
	fclose(f);
	text[0] = '\0';
	if (sp_conf_load(path, SP_CONF_PROXY, &conf, &r) == 0 && sp_auth_open(conf, true, &auth, &r) == 0)
		ck_assert_int_eq(sp_server_policy(conf, auth, &r), r.count ? SP_EINVAL : 0);
	if (r.count)
		snprintf(text, sizeof(text), "%s", r.text);
	sp_auth_close(&auth);
	sp_conf_unref(&conf);
	sp_report_deinit(&r);
	return text;
}

#define DIRECT "kind = \"direct\";"
#define LISTENER(protocol, address, rest) "{ protocol = \"" protocol "\"; address = \"" address "\"; " rest " }"
#define TLS_FILES "tls = { cert_file = \"c\"; key_file = \"k\"; };"
#define HAS(text, part) ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in: %s", part, text)

START_TEST(unverified_callers_stay_local)
{
	ck_assert_str_eq(policy(LISTENER("socks5", "127.0.0.1:1", "auth = \"local\";"), DIRECT), "");
	ck_assert_str_eq(policy(LISTENER("socks5", "[::1]:1", "auth = \"local\";"), DIRECT), "");
	ck_assert_str_eq(policy(LISTENER("http", "0.0.0.0:1", "auth = \"local\"; trusted_network = true;"), DIRECT), "");
	HAS(policy(LISTENER("socks5", "0.0.0.0:1", "auth = \"local\";"), DIRECT), "sallyport.conf:7: 0.0.0.0:1 is reachable from the network but "
									       "chain \"local\" verifies nobody");
	HAS(policy(LISTENER("http", "192.0.2.1:1", "auth = \"forwarded\";"), DIRECT), "verifies nobody");
}
END_TEST

START_TEST(a_tenant_must_come_from_somewhere)
{
	HAS(policy(LISTENER("http", "127.0.0.1:1", "auth = \"nobody\";"), DIRECT), "chain \"nobody\" can resolve no tenant");
	HAS(policy(LISTENER("tunnel", "127.0.0.1:1", "auth = \"certs_only\"; " TLS_FILES), DIRECT), "can resolve no tenant");
	ck_assert_str_eq(policy(LISTENER("tunnel", "0.0.0.0:1", "auth = \"certs_only\"; speaks_for_any = [ \"CN=p\" ]; " TLS_FILES), DIRECT), "");
	HAS(policy(LISTENER("tunnel", "127.0.0.1:1", "connectors = \"certs_only\"; " TLS_FILES), "kind = \"connectors\";"),
	    "can resolve no tenant");
}
END_TEST

START_TEST(forward_carries_no_credential)
{
	HAS(policy(LISTENER("forward", "127.0.0.1:1", "auth = \"forwarded\"; target = \"db:1\";"), DIRECT), "carries no credential");
	ck_assert_str_eq(policy(LISTENER("forward", "127.0.0.1:1", "auth = \"local\"; target = \"db:1\";"), DIRECT), "");
}
END_TEST

START_TEST(connectors_need_a_way_in)
{
	HAS(policy(LISTENER("socks5", "127.0.0.1:1", "auth = \"local\";"), "kind = \"connectors\";"), "no listener of protocol \"tunnel\"");
	HAS(policy(LISTENER("tunnel", "127.0.0.1:1", "connectors = \"certs\"; " TLS_FILES), DIRECT), "upstream.kind is not \"connectors\"");
	HAS(policy(LISTENER("tunnel", "0.0.0.0:1", "connectors = \"local\"; " TLS_FILES), "kind = \"connectors\";"), "verifies nobody");
	ck_assert_str_eq(policy(LISTENER("tunnel", "0.0.0.0:1", "connectors = \"certs\"; " TLS_FILES), "kind = \"connectors\";"), "");
}
END_TEST

START_TEST(plugin_dir_may_be_said_at_start)
{
	struct sp_report r = { 0 };
	struct sp_conf *conf = NULL;
	char path[512];

	policy(LISTENER("socks5", "127.0.0.1:1", "auth = \"local\";"), DIRECT); /* leaves its file */
	snprintf(path, sizeof(path), "%s/sallyport.conf", folder);
	ck_assert_int_eq(sp_server_load(path, SP_CONF_PROXY, "/", &conf, &r), 0);
	ck_assert_str_eq(conf->plugin_dir, "/");
	sp_conf_unref(&conf);
	ck_assert_int_eq(sp_server_load(path, SP_CONF_PROXY, "/no/such/folder", &conf, &r), SP_EINVAL);
	ck_assert_ptr_null(conf);
	HAS(r.text, "--plugin-dir /no/such/folder: No such file");
	sp_report_deinit(&r);
}
END_TEST

START_TEST(memory_bound_follows_the_limits)
{
	struct sp_conf few = { .limits = { .exchanges = 1, .clients = 1, .stream_window_bytes = 65536 } }, many = few;

	many.limits.exchanges = 1000;
	ck_assert_uint_gt(sp_server_memory_bound(&few), few.limits.stream_window_bytes);
	ck_assert_uint_gt(sp_server_memory_bound(&many), 900 * sp_server_memory_bound(&few));
}
END_TEST

/* What -t prints for a connector that exposes this, from the first "exposes" on; "": it may not start. */
static const char *exposed(const char *elements)
{
	static char text[4096];
	char path[512], token[512], *printed = NULL, *start;
	size_t n = 0;
	FILE *f, *out = open_memstream(&printed, &n);
	int code;

	snprintf(path, sizeof(path), "%s/sallyport.conf", folder);
	f = fopen(path, "w");
	ck_assert_msg(f && out, "open");
	fprintf(f, "gateway = { url = \"https://g\"; token = { file = \"token\"; }; };\nexpose = ( %s );\n", elements);
	fclose(f);
	snprintf(token, sizeof(token), "%s/token", folder);
	f = fopen(token, "w");
	ck_assert_msg(f && fputs("t", f) >= 0 && fclose(f) == 0 && chmod(token, 0600) == 0, "%s", token);
	code = sp_server_test(path, SP_CONF_CONNECTOR, NULL, out);
	fclose(out);
	start = strstr(printed, "exposes ");
	snprintf(text, sizeof(text), "%s", code == SP_EXIT_OK && start ? start : "");
	if (strstr(text, "no audit"))
		*strstr(text, "no audit") = '\0';
	free(printed);
	unlink(token);
	return text;
}

START_TEST(what_is_exposed_in_words)
{
	ck_assert_str_eq(exposed("{ virtual = \"a:1-2\"; internal = \"[::1]:5-6\"; }, { virtual = \"b:1-2\"; internal = \"c:5\"; suspended = true; }"),
			 "exposes a:1-2 as [::1]:5-6, tcp: whatever is sent\nexposes b:1-2 as c:5, tcp: whatever is sent, suspended\n");
	ck_assert_str_eq(exposed("{ virtual = \"a:80\"; protocol = \"http\"; internal = \"b:81\"; host_header = \"internal\"; upgrade = true;\n"
				 "paths = ( { path = \"/\"; methods = [ \"GET\", \"HEAD\" ]; }, { path = \"/a\"; sub_paths = true; },\n"
				 "{ path = \"/a/b\"; methods = [ \"GET\" ]; suspended = true; } );\n"
				 "principal_header = ( { claim = \"sub\"; header = \"X-User\"; } ); }"),
			 "exposes a:80 as http://b:81, which hears its own name, which may switch protocols: what is sent then passes unseen\n"
			 "  /: GET, HEAD\n  /a and below: any method\n  /a/b: suspended\n  told of its callers: claim sub, as X-User\n");
	ck_assert_str_eq(exposed("{ virtual = \"a:443\"; protocol = \"https\"; internal = \"b:443\"; paths = ( { path = \"/\"; sub_paths = true; } ); }"),
			 "exposes a:443 as https://b:443\n  everything: any method\n");
}
END_TEST

/* Files of a system are looked into before anything starts. */
START_TEST(files_of_systems_are_read)
{
	ck_assert_str_eq(exposed("{ virtual = \"a:443\"; protocol = \"https\"; internal = \"b:443\"; paths = ( { path = \"/\"; } );\n"
				 "ca_file = \"none-such.pem\"; }"), "");
	ck_assert_str_eq(exposed("{ virtual = \"a:443\"; protocol = \"https\"; internal = \"b:443\"; paths = ( { path = \"/\"; } );\n"
				 "cert_file = \"none-such.pem\"; key_file = \"none-such.key\"; }"), "");
}
END_TEST

Suite *suite_policy(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("policy");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, unverified_callers_stay_local);
	tcase_add_test(t, a_tenant_must_come_from_somewhere);
	tcase_add_test(t, forward_carries_no_credential);
	tcase_add_test(t, connectors_need_a_way_in);
	tcase_add_test(t, plugin_dir_may_be_said_at_start);
	tcase_add_test(t, memory_bound_follows_the_limits);
	tcase_add_test(t, what_is_exposed_in_words);
	tcase_add_test(t, files_of_systems_are_read);
	suite_add_tcase(s, t);
	return s;
}
