/* The sample files in conf/: every one loads as it is, and with each of its commented-out settings switched on. */
#include "fixture.h"
#include "suites.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

#define FOLDER SP_SRCDIR "/conf/"
#define SAMPLE_MAX 65536

static enum sp_conf_kind kind_of(const char *path)
{
	return strstr(path, "/connector") ? SP_CONF_CONNECTOR : SP_CONF_PROXY;
}

static void read_sample(const char *path, char text[SAMPLE_MAX])
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_msg(f != NULL, "%s", path);
	n = fread(text, 1, SAMPLE_MAX - 1, f);
	ck_assert_uint_lt(n, SAMPLE_MAX - 1);
	text[n] = '\0';
	fclose(f);
}

static void load(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s.conf", FOLDER, name);
	sp_conf_unref(&fx_conf);
	ck_assert_msg(sp_conf_load(path, kind_of(path), &fx_conf, &fx_report) == 0, "%s", fx_report.text);
}

/* A setting that is commented out: "#" and its name, without a blank between them. */
static char *next_commented(char *p)
{
	for (; (p = strchr(p, '#')); p++) {
		if (islower((unsigned char)p[1]))
			return p;
	}
	return NULL;
}

/* Switches it on or off: its line and, when that ends in an open bracket, those up to "#)" or "#}". Returns where it ends. */
static char *switch_commented(char *p, char to)
{
	char from = to == '#' ? ' ' : '#', *end = strchr(p, '\n');

	*p = to;
	if (!end || (end[-1] != '(' && end[-1] != '{'))
		return p + 1;
	while (*++end == from && end[1] != ')' && end[1] != '}') {
		*end = to;
		end = strchr(end, '\n');
	}
	*end = to;
	return end + 1;
}

START_TEST(all_load)
{
	static char text[SAMPLE_MAX];
	unsigned commented = 0;
	glob_t g;

	ck_assert_int_eq(glob(FOLDER "*.conf", 0, NULL, &g), 0);
	ck_assert_uint_eq(g.gl_pathc, 7);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		enum sp_conf_kind kind = kind_of(g.gl_pathv[i]);

		read_sample(g.gl_pathv[i], text);
		fx_good(kind, text);
		for (char *p = text; (p = next_commented(p)); p = switch_commented(p, '#'), commented++) {
			(void)switch_commented(p, ' ');
			fx_good(kind, text);
		}
	}
	globfree(&g);
	ck_assert_uint_ge(commented, 9);
}
END_TEST

static void check_chain(unsigned chain, const char *first, const char *second)
{
	const struct sp_conf_chain *c = &fx_conf->chains[chain];

	ck_assert_uint_eq(c->plugin_count, second ? 2 : 1);
	ck_assert_str_eq(c->plugins[0].name, first);
	if (second)
		ck_assert_str_eq(c->plugins[1].name, second);
}

START_TEST(quickstart)
{
	load("quickstart");
	check_chain(0, "none", "static-tenant");
	ck_assert_uint_eq(fx_conf->listener_count, 2);
	ck_assert_int_eq(fx_conf->listeners[0].protocol, SP_PROTOCOL_HTTP);
	ck_assert_str_eq(fx_conf->listeners[0].address_text, "127.0.0.1:20003");
	ck_assert_int_eq(fx_conf->listeners[1].protocol, SP_PROTOCOL_SOCKS5);
	ck_assert_str_eq(fx_conf->listeners[1].address_text, "127.0.0.1:20004");
	ck_assert_int_eq(fx_conf->upstream.kind, SP_UPSTREAM_DIRECT);
}
END_TEST

/* The four modes follow from the chains. */
START_TEST(modes)
{
	load("single-tenant-trusted");
	check_chain(0, "none", "static-tenant");
	for (unsigned i = 0; i < fx_conf->listener_count; i++)
		ck_assert(sp_addr_is_local(&fx_conf->listeners[i].address));
	load("single-tenant-nontrusted");
	check_chain(0, "jwt", "static-tenant");
	ck_assert_ptr_nonnull(strstr(fx_conf->chains[0].plugins[0].json, "\"jwks_file\":\"" FOLDER "jwks.json\""));
	load("multi-tenant-trusted");
	check_chain(0, "none", NULL);
	ck_assert_str_eq(fx_conf->chains[0].plugins[0].json, "{\"forward_token\":true,\"tenant_claims\":[\"tenant\"]}");
	for (unsigned i = 0; i < fx_conf->listener_count; i++)
		ck_assert(sp_addr_is_local(&fx_conf->listeners[i].address));
	load("multi-tenant-nontrusted");
	check_chain(0, "jwt", NULL);
	ck_assert_int_eq(fx_conf->upstream.kind, SP_UPSTREAM_GATEWAY);
}
END_TEST

/* multi-tenant-nontrusted.conf says that it shows the defaults. */
START_TEST(shown_defaults)
{
	struct sp_conf *plain;

	fx_good(SP_CONF_PROXY, FX_PROXY);
	plain = sp_conf_ref(fx_conf);
	load("multi-tenant-nontrusted");
	ck_assert_uint_eq(fx_conf->workers, plain->workers);
	ck_assert_int_eq(fx_conf->log_level, plain->log_level);
	ck_assert_int_eq(fx_conf->log_json, plain->log_json);
	ck_assert_mem_eq(&fx_conf->timeouts, &plain->timeouts, sizeof(plain->timeouts));
	ck_assert_mem_eq(&fx_conf->limits, &plain->limits, sizeof(plain->limits));
	ck_assert_mem_eq(&fx_conf->tunnels, &plain->tunnels, sizeof(plain->tunnels));
	sp_conf_unref(&plain);
}
END_TEST

START_TEST(gateway_and_connector)
{
	load("gateway");
	ck_assert_int_eq(fx_conf->upstream.kind, SP_UPSTREAM_CONNECTORS);
	ck_assert_int_eq(fx_conf->listeners[0].protocol, SP_PROTOCOL_TUNNEL);
	ck_assert_int_ge(fx_conf->listeners[0].chain, 0);
	ck_assert_int_ge(fx_conf->listeners[0].connectors, 0);
	ck_assert_str_eq(fx_conf->listeners[0].cert_file, FOLDER "gateway.pem");
	load("connector");
	ck_assert_uint_eq(fx_conf->connector.url_count, 1);
	ck_assert_uint_eq(fx_conf->expose_count, 5);
	ck_assert(fx_conf->exposes[2].internal_same_offset);
	ck_assert_int_eq(fx_conf->exposes[3].protocol, SP_EXPOSE_HTTP);
	ck_assert_uint_eq(fx_conf->exposes[3].path_count, 3);
	ck_assert_int_eq(fx_conf->exposes[4].protocol, SP_EXPOSE_HTTPS);
}
END_TEST

Suite *sp_suite_samples(void)
{
	Suite *s = suite_create("samples");
	TCase *c = fx_case(s, "samples");

	tcase_add_test(c, all_load);
	tcase_add_test(c, quickstart);
	tcase_add_test(c, modes);
	tcase_add_test(c, shown_defaults);
	tcase_add_test(c, gateway_and_connector);
	return s;
}
