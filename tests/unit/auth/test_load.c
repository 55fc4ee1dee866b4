/* Which shared objects are accepted, and what a refusal says. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "suites.h"

#define ONE(name, json) ((const struct fixture_plugin[]){ { name, json }, { NULL, NULL } })

static char *in_folder(char *dst, size_t size, const char *name)
{
	snprintf(dst, size, "%s/%s", fixture_folder, name);
	return dst;
}

/* Exactly one line, with place, plugin's name and reason. */
static void refused(const char *name, const char *json, const char *reason)
{
	struct sp_report r = fixture_refusal(ONE(name, json), true);
	char head[128];

	ck_assert_uint_eq(r.count, 1);
	snprintf(head, sizeof(head), "sallyport.conf:12: plugin \"%s\": ", name);
	ck_has(r.text, head);
	ck_has(r.text, reason);
	sp_report_deinit(&r);
}

START_TEST(missing)
{
	refused("nowhere", "{}", "/nowhere.so: No such file or directory");
}
END_TEST

START_TEST(relative_name)
{
	refused("../scripted", "{}", "absolute path");
}
END_TEST

START_TEST(absolute_path)
{
	struct fixture f;
	char path[128];

	fixture_open(&f, ONE(in_folder(path, sizeof(path), "scripted.so"), "{}"));
	fixture_close(&f);
}
END_TEST

START_TEST(no_symbol)
{
	refused("nosymbol", "{}", "no symbol \"sallyport_plugin_v1\"");
}
END_TEST

START_TEST(not_a_shared_object)
{
	char path[128];
	FILE *f = fopen(in_folder(path, sizeof(path), "text.so"), "w");

	fputs("not an ELF file", f);
	fclose(f);
	ck_assert_int_eq(chmod(path, 0644), 0);
	refused("text", "{}", "/text.so");
}
END_TEST

START_TEST(wrong_magic)
{
	refused("magic", "{}", "wrong magic");
}
END_TEST

START_TEST(short_struct)
{
	refused("short", "{}", "too short");
}
END_TEST

START_TEST(without_request)
{
	refused("empty", "{}", "no check() or no request()");
}
END_TEST

START_TEST(without_stage)
{
	refused("stages", "{}", "SP_STAGE_AUTHN");
}
END_TEST

START_TEST(null_struct)
{
	refused("null", "{}", "returned nothing");
}
END_TEST

/* A struct of a later minor version works, optional functions may be missing, and an answer's unknown tail is not read. */
START_TEST(longer_struct)
{
	struct fixture f;
	struct end e;

	fixture_open(&f, ONE("longer", "{}"));
	fixture_run(&f, NULL, true, &e);
	ck_assert_int_eq(e.outcome, SP_OUTCOME_OK);
	ck_assert_str_eq(e.id.tenant, "shaped");
	ck_assert_ptr_null(e.id.principal);
	ck_assert_ptr_null(e.id.claims);
	end_deinit(&e);
	fixture_close(&f);
}
END_TEST

START_TEST(file_writable)
{
	static const mode_t modes[] = { 0666, 0664, 0720 };
	char path[128], reason[64];

	in_folder(path, sizeof(path), "scripted.so");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(chmod(path, modes[i]), 0);
		snprintf(reason, sizeof(reason), "/scripted.so: writable by others (mode %04o)", (unsigned)modes[i]);
		refused("scripted", "{}", reason);
	}
	ck_assert_int_eq(chmod(path, 0700), 0);
}
END_TEST

START_TEST(file_of_another)
{
	char path[128];

	in_folder(path, sizeof(path), "scripted.so");
	ck_assert_int_eq(chown(path, 4711, 0), 0);
	refused("scripted", "{}", "/scripted.so: owned by uid 4711");
	ck_assert_int_eq(chown(path, 0, 0), 0);
}
END_TEST

START_TEST(folder_writable)
{
	ck_assert_int_eq(chmod(fixture_folder, 01777), 0); /* sticky does not help */
	refused("scripted", "{}", ": writable by others (mode 1777)");
	ck_assert_int_eq(chmod(fixture_folder, 0700), 0);
}
END_TEST

START_TEST(folder_of_another)
{
	ck_assert_int_eq(chown(fixture_folder, 4711, 0), 0);
	refused("scripted", "{}", "owned by uid 4711");
	ck_assert_int_eq(chown(fixture_folder, 0, 0), 0);
}
END_TEST

START_TEST(not_regular)
{
	char path[128];

	ck_assert_int_eq(mkdir(in_folder(path, sizeof(path), "folder.so"), 0700), 0);
	refused("folder", "{}", "/folder.so: not a regular file");
	rmdir(path);
}
END_TEST

/* A link in a good folder does not make what it leads to good. */
START_TEST(link_to_writable_folder)
{
	char open_folder[] = "/tmp/sp-open-XXXXXX", from[128], to[128], command[300];

	ck_assert_ptr_nonnull(mkdtemp(open_folder));
	snprintf(from, sizeof(from), "%s/scripted.so", fixture_folder);
	snprintf(to, sizeof(to), "%s/target.so", open_folder);
	snprintf(command, sizeof(command), "cp %s %s", from, to);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(chmod(open_folder, 0777), 0);
	in_folder(from, sizeof(from), "linked.so");
	ck_assert_int_eq(symlink(to, from), 0);
	refused("linked", "{}", ": writable by others (mode 0777)");
	unlink(from);
	unlink(to);
	rmdir(open_folder);
}
END_TEST

/* The plugin's JSON Pointer becomes the line of the setting. */
START_TEST(check_refuses)
{
	struct sp_conf *c = fixture_conf(ONE("scripted", "{\"fail\":\"check\"}"));
	struct sp_report r = { 0 };
	struct sp_auth *a = NULL;

	c->chains[0].plugins[0].lines = calloc(1, sizeof(struct sp_conf_line));
	c->chains[0].plugins[0].line_count = 1;
	c->chains[0].plugins[0].lines[0] = (struct sp_conf_line){ strdup("/fail"), { "sallyport.conf", 77 } };
	ck_assert_int_eq(sp_auth_open(c, false, &a, &r), SP_EINVAL);
	ck_assert_uint_eq(r.count, 1);
	ck_has(r.text, "sallyport.conf:77: plugin \"scripted\": /fail: was asked to refuse");
	ck_assert_uint_eq(fixture_stats()->opened, 0);
	sp_report_deinit(&r);
	sp_conf_unref(&c);
}
END_TEST

/* Every plugin's fault is told at once, and nothing is opened when one is refused. */
START_TEST(all_refusals_together)
{
	struct sp_report r = fixture_refusal((const struct fixture_plugin[]){ { "nowhere", "{}" },
									      { "scripted", "{}" },
									      { "scripted", "{\"fail\":\"check\"}" },
									      { "magic", "{}" },
									      { NULL, NULL } }, false);

	ck_assert_uint_eq(r.count, 3);
	ck_has(r.text, "sallyport.conf:12: plugin \"nowhere\"");
	ck_has(r.text, "sallyport.conf:14: plugin \"scripted\": /fail");
	ck_has(r.text, "sallyport.conf:15: plugin \"magic\"");
	ck_assert_uint_eq(fixture_stats()->opened, 0);
	sp_report_deinit(&r);
}
END_TEST

START_TEST(open_fails)
{
	const struct fixture_plugin two[] = { { "scripted", "{}" }, { "scripted", "{\"fail\":\"open\"}" }, { NULL, NULL } };
	struct sp_report r;

	r = fixture_refusal(two, false);
	ck_assert_uint_eq(r.count, 1);
	ck_has(r.text, "sallyport.conf:13: plugin \"scripted\": the identity provider's key is gone");
	ck_assert_uint_eq(fixture_stats()->opened, 1);
	ck_assert_uint_eq(fixture_stats()->closed, 1); /* the one before it was closed again */
	sp_report_deinit(&r);
	r = fixture_refusal(ONE("scripted", "{\"fail\":\"silently\"}"), false);
	ck_has(r.text, "plugin \"scripted\": it did not open");
	sp_report_deinit(&r);
}
END_TEST

START_TEST(worker_open_fails)
{
	const struct fixture_plugin two[] = { { "scripted", "{}" }, { "scripted", "{\"fail\":\"worker_open\"}" }, { NULL, NULL } };
	struct fixture f = { .conf = fixture_conf(two) };

	ck_assert_int_eq(sp_auth_open(f.conf, false, &f.auth, &f.report), 0);
	ck_assert_int_eq(sp_loop_new(&f.loop), 0);
	ck_assert_int_eq(sp_auth_worker_open(f.auth, f.loop, &f.worker, &f.report), SP_EINVAL);
	ck_assert_ptr_null(f.worker);
	ck_assert_uint_eq(f.report.count, 1);
	ck_has(f.report.text, "sallyport.conf:13: plugin \"scripted\": it did not open on a worker: no threads left");
	ck_assert_uint_eq(fixture_stats()->workers_opened, 1);
	ck_assert_uint_eq(fixture_stats()->workers_closed, 1);
	fixture_close(&f);
}
END_TEST

START_TEST(empty_chain)
{
	struct sp_report r = fixture_refusal((const struct fixture_plugin[]){ { NULL, NULL } }, true);

	ck_has(r.text, "sallyport.conf:11: chain \"apps\" has no plugin");
	sp_report_deinit(&r);
}
END_TEST

START_TEST(check_only_opens_nothing)
{
	struct sp_conf *c = fixture_conf(ONE("scripted", "{\"fail\":\"open\",\"traits\":5}"));
	struct sp_report r = { 0 };
	struct sp_auth *a;

	ck_assert_int_eq(sp_auth_open(c, true, &a, &r), 0);
	ck_assert_uint_eq(fixture_stats()->opened, 0);
	ck_assert_uint_eq(sp_auth_traits(a, 0), SP_TRAIT_VERIFIES | SP_TRAIT_PINS);
	sp_auth_close(&a);
	ck_assert_ptr_null(a);
	sp_conf_unref(&c);
}
END_TEST

/* The same shared object twice in a chain: two instances, each with its own settings. */
START_TEST(opened_per_use)
{
	const struct fixture_plugin two[] = { { "scripted", "{\"tenant\":\"a\",\"traits\":1}" },
					      { "scripted", "{\"principal\":\"b\",\"traits\":4}" },
					      { NULL, NULL } };
	struct fixture f;
	struct end e;

	fixture_open(&f, two);
	ck_assert_uint_eq(sp_auth_traits(f.auth, 0), 5);
	ck_assert_uint_eq(fixture_stats()->opened, 2);
	fixture_run(&f, NULL, true, &e);
	ck_assert_str_eq(e.id.tenant, "a");
	ck_assert_str_eq(e.id.principal, "b");
	end_deinit(&e);
	fixture_close(&f);
	ck_assert_uint_eq(fixture_stats()->closed, 2);
	ck_assert_uint_eq(fixture_stats()->workers_closed, 2);
}
END_TEST

static char *captured;

static void capture(void *arg, const char *line)
{
	(void)arg;
	free(captured);
	captured = strdup(line);
}

/* A plugin's log line names it; it learns that it can fetch. */
START_TEST(host_services)
{
	struct fixture f;

	sp_log_setup(SP_LOG_DEBUG, false);
	sp_log_capture(capture, NULL);
	fixture_open(&f, ONE("scripted", "{}"));
	ck_has(captured, "plugin=scripted");
	ck_has(captured, "fetch yes");
	fixture_close(&f);
	sp_log_capture(NULL, NULL);
	free(captured);
}
END_TEST

START_TEST(modes)
{
	static const struct { uint32_t traits; const char *mode; } all[] = {
		{ 0, NULL },
		{ SP_TRAIT_VERIFIES, NULL },
		{ SP_TRAIT_WANTS_TOKEN | SP_TRAIT_FORWARDS, NULL },
		{ SP_TRAIT_PINS, "single-tenant, trusted environment" },
		{ SP_TRAIT_PINS | SP_TRAIT_VERIFIES, "single-tenant, non-trusted environment" },
		{ SP_TRAIT_PINS | SP_TRAIT_VERIFIES | SP_TRAIT_RESOLVES, "single-tenant, non-trusted environment" },
		{ SP_TRAIT_RESOLVES | SP_TRAIT_PINS, "single-tenant, trusted environment" },
		{ SP_TRAIT_RESOLVES | SP_TRAIT_FORWARDS, "multi-tenant, trusted environment" },
		{ SP_TRAIT_RESOLVES | SP_TRAIT_VERIFIES, "multi-tenant, non-trusted environment" },
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *mode = sp_auth_mode(all[i].traits);

		if (all[i].mode)
			ck_assert_str_eq(mode, all[i].mode);
		else
			ck_assert_ptr_null(mode);
	}
}
END_TEST

Suite *suite_auth_load(void)
{
	const TTest *const tests[] = {
		missing, relative_name, absolute_path, no_symbol, not_a_shared_object, wrong_magic, short_struct, without_request,
		without_stage, null_struct, longer_struct, file_writable, folder_writable, not_regular, link_to_writable_folder,
		check_refuses, all_refusals_together, open_fails, worker_open_fails, empty_chain, check_only_opens_nothing,
		opened_per_use, host_services, modes,
	};
	Suite *s = suite_create("auth/load");
	TCase *tc = tcase_create("load");

	tcase_add_unchecked_fixture(tc, fixture_folder_make, fixture_folder_remove);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	if (geteuid() == 0) { /* only root can give files away */
		tcase_add_test(tc, file_of_another);
		tcase_add_test(tc, folder_of_another);
	}
	suite_add_tcase(s, tc);
	return s;
}
