#include "fixture.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define WAIT_MS 20000 /* against a hang only */

char fixture_folder[64];

static void copy_file(const char *from, const char *to)
{
	static char buf[1 << 16];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n;

	if (in < 0 || out < 0) {
		fprintf(stderr, "cannot copy %s\n", from);
		abort();
	}
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			abort();
	close(in);
	close(out);
}

static void copy_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char from[4096], to[4096];

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n < 3 || strcmp(e->d_name + n - 3, ".so") != 0)
			continue;
		snprintf(from, sizeof(from), "%s/%s", dir, e->d_name);
		snprintf(to, sizeof(to), "%s/%s", fixture_folder, e->d_name);
		copy_file(from, to);
	}
	if (d)
		closedir(d);
}

void fixture_folder_make(void)
{
	snprintf(fixture_folder, sizeof(fixture_folder), "/tmp/sp-auth-XXXXXX");
	if (!mkdtemp(fixture_folder))
		abort();
	copy_all(SP_TEST_PLUGIN_DIR);
	copy_all(SP_TEST_MODULE_DIR);
}

void fixture_folder_remove(void)
{
	DIR *d = opendir(fixture_folder);
	struct dirent *e;
	char path[4096];

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", fixture_folder, e->d_name);
		if (e->d_name[0] != '.')
			remove(path);
	}
	if (d)
		closedir(d);
	rmdir(fixture_folder);
}

struct sp_conf *fixture_conf(const struct fixture_plugin *plugins)
{
	struct sp_conf *c = SP_NEW(struct sp_conf);
	struct sp_conf_chain *ch = SP_NEW(struct sp_conf_chain);
	char file[128];

	snprintf(file, sizeof(file), "%s/sallyport.conf", fixture_folder);
	c->refs = 1;
	c->file = sp_strdup(file);
	c->plugin_dir = sp_strdup(fixture_folder);
	c->chains = ch;
	c->chain_count = 1;
	ch->at = (struct sp_conf_at){ "sallyport.conf", 11 };
	ch->name = sp_strdup("apps");
	for (; plugins[ch->plugin_count].name; ch->plugin_count++)
		;
	ch->plugins = sp_calloc(ch->plugin_count + 1, sizeof(*ch->plugins));
	for (unsigned i = 0; i < ch->plugin_count; i++) {
		ch->plugins[i].at = (struct sp_conf_at){ "sallyport.conf", 12 + i };
		ch->plugins[i].name = sp_strdup(plugins[i].name);
		ch->plugins[i].json = sp_strdup(plugins[i].json ? plugins[i].json : "{}");
	}
	return c;
}

void fixture_open(struct fixture *f, const struct fixture_plugin *plugins)
{
	int rc;

	*f = (struct fixture){ .conf = fixture_conf(plugins) };
	rc = sp_auth_open(f->conf, false, &f->auth, &f->report);
	ck_assert_msg(rc == 0, "%s", f->report.text ? f->report.text : "no report");
	ck_assert_int_eq(sp_loop_new(&f->loop), 0);
	rc = sp_auth_worker_open(f->auth, f->loop, &f->worker, &f->report);
	ck_assert_msg(rc == 0, "%s", f->report.text ? f->report.text : "no report");
}

void fixture_close(struct fixture *f)
{
	sp_auth_worker_close(&f->worker);
	sp_auth_close(&f->auth);
	sp_conf_unref(&f->conf);
	sp_loop_free(&f->loop);
	sp_report_deinit(&f->report);
}

struct sp_report fixture_refusal(const struct fixture_plugin *plugins, bool check_only)
{
	struct sp_conf *c = fixture_conf(plugins);
	struct sp_report r = { 0 };
	struct sp_auth *a = NULL;

	ck_assert_int_eq(sp_auth_open(c, check_only, &a, &r), SP_EINVAL);
	ck_assert_ptr_null(a);
	ck_assert_uint_gt(r.count, 0);
	sp_conf_unref(&c);
	return r;
}

void on_end(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause)
{
	struct end *e = arg;

	e->calls++;
	e->outcome = outcome;
	e->id = *id;
	e->cause = *cause;
	*id = (struct sp_identity){ 0 };
}

static bool ended(void *arg)
{
	return ((struct end *)arg)->calls > 0;
}

bool fixture_wait(struct fixture *f, struct end *e)
{
	return sp_loop_run_until(f->loop, ended, e, WAIT_MS);
}

void fixture_run(struct fixture *f, const struct sp_auth_request *req, bool need_tenant, struct end *e)
{
	static const struct sp_auth_request none;

	*e = (struct end){ 0 };
	ck_assert_ptr_nonnull(sp_auth_start(f->worker, 0, req ? req : &none, need_tenant, WAIT_MS, on_end, e));
	ck_assert_uint_eq(e->calls, 0); /* never inside the call */
	ck_assert(fixture_wait(f, e));
	ck_assert_uint_eq(e->calls, 1);
}

void end_deinit(struct end *e)
{
	sp_identity_deinit(&e->id);
}

static void *exported(const char *symbol)
{
	char path[128];
	void *handle, *fn;

	snprintf(path, sizeof(path), "%s/scripted.so", fixture_folder);
	handle = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	ck_assert_ptr_nonnull(handle);
	fn = dlsym(handle, symbol);
	ck_assert_ptr_nonnull(fn);
	dlclose(handle); /* the host's own reference keeps it */
	return fn;
}

struct scripted_stats *fixture_stats(void)
{
	union {
		void *object;
		scripted_stats_fn *fn;
	} u = { exported("scripted_stats") };

	return u.fn();
}

unsigned fixture_release(void)
{
	union {
		void *object;
		scripted_release_fn *fn;
	} u = { exported("scripted_release") };

	return u.fn();
}
