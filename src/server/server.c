/* The main thread: start-up, signals, the end. See server.h. */
#include "server/server.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config.h"
#include "server/worker.h"

struct server {
	struct sp_loop *loop;
	struct sp_conf *conf;
	struct sp_auth *auth;
	struct sp_audit *audit;
	struct sp_addr *addresses;
	struct sp_worker **workers;
	unsigned worker_count, ended;
	unsigned stop_signals;
	uv_signal_t signals[3];
};

static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* ---- signals ------------------------------------------------------------------ */

static void on_stop_signal(uv_signal_t *h, int signum)
{
	struct server *s = h->data;
	unsigned nth = ++s->stop_signals;

	if (nth > 2)
		_exit(SP_EXIT_FAILURE);
	sp_log(SP_LOG_NOTICE, SP_EV_STOP, nth == 1 ? "draining" : "closing at once", SP_KV_INT("signal", signum));
	for (unsigned i = 0; i < s->worker_count; i++)
		(nth == 1 ? sp_worker_drain : sp_worker_close)(s->workers[i]);
}

static void on_hangup(uv_signal_t *h, int signum)
{
	struct server *s = h->data;
	struct sp_cause cause = { 0 };

	(void)signum;
	if (sp_audit_reopen(s->audit, &cause) < 0)
		sp_log(SP_LOG_ERROR, SP_EV_AUDIT, "the audit file cannot be opened anew; lines go on into the old one", SP_KV_CAUSE(&cause));
	else if (s->audit)
		sp_log(SP_LOG_NOTICE, SP_EV_AUDIT, "the audit file is opened anew", SP_KV_STR("file", s->conf->audit.file));
	sp_log(SP_LOG_NOTICE, SP_EV_CONFIG, "SIGHUP is reserved for reload, which this version does not have: restart to apply changes");
}

static void watch_signals(struct server *s)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of write(), which is looked at */
	for (unsigned i = 0; i < SP_COUNT_OF(numbers); i++) {
		sp_must(uv_signal_init(sp_loop_uv(s->loop), &s->signals[i]) == 0);
		s->signals[i].data = s;
		sp_must(uv_signal_start(&s->signals[i], numbers[i] == SIGHUP ? on_hangup : on_stop_signal, numbers[i]) == 0);
	}
}

/* Closing the handles gives the signals their default back, which would end us with another status than 0. So they stay blocked
 * until exit(); in the workers' threads they always are. */
static void unwatch_signals(struct server *s)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < SP_COUNT_OF(s->signals); i++)
		sigaddset(&set, s->signals[i].signum);
	sp_must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	for (unsigned i = 0; i < SP_COUNT_OF(s->signals); i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
	sp_loop_run(s->loop);
}

static void on_worker_ended(void *arg)
{
	struct server *s = arg;

	if (++s->ended >= s->worker_count)
		sp_loop_stop(s->loop);
}

/* ---- start and end -------------------------------------------------------------- */

static int start_workers(struct server *s, struct sp_report *r)
{
	s->addresses = sp_calloc(s->conf->listener_count + 1, sizeof(s->addresses[0]));
	s->workers = sp_calloc(s->conf->workers, sizeof(s->workers[0]));
	while (s->worker_count < s->conf->workers) {
		struct sp_worker_options opt = { .index = s->worker_count, .conf = s->conf, .auth = s->auth, .audit = s->audit,
						 .main_loop = s->loop, .addresses = s->addresses,
						 .on_ended = on_worker_ended, .arg = s };
		int err = sp_worker_start(&opt, &s->workers[s->worker_count], r);

		if (err < 0)
			return err;
		s->worker_count++;
	}
	return 0;
}

/* 0, or SP_ESYS: nothing may start that cannot be recorded. */
static int record(struct server *s, enum sp_audit_event event, enum sp_audit_decision decision, const char *reason)
{
	struct sp_audit_entry e = { .event = event, .decision = decision, .reason = reason, .file = s->conf->file, .version = PACKAGE_VERSION };

	return sp_audit_write(s->audit, &e);
}

static int check(struct server *s, enum sp_conf_kind kind, struct sp_report *r)
{
	int err = 0;

	if (kind == SP_CONF_PROXY) {
		err = sp_auth_open(s->conf, false, &s->auth, r);
		if (err == 0)
			err = sp_server_policy(s->conf, s->auth, r);
	}
	return err < 0 ? err : sp_server_files(s->conf, r);
}

static int open_audit(struct server *s, struct sp_report *r)
{
	struct sp_cause cause = { 0 };
	int err = sp_audit_open(s->conf, &s->audit, &cause);

	if (err < 0)
		sp_report_add(r, &s->conf->audit.at, "%s", cause.text);
	return err;
}

static int load(struct server *s, const char *file, enum sp_conf_kind kind, const char *plugin_dir, struct sp_report *r)
{
	int err = sp_server_load(file, kind, plugin_dir, &s->conf, r);

	if (err < 0)
		return err;
	sp_log_setup(s->conf->log_level, s->conf->log_json);
	err = open_audit(s, r);
	if (err < 0)
		return err;
	err = check(s, kind, r);
	if (record(s, SP_AUDIT_CONFIG, err < 0 ? SP_AUDIT_REJECTED : SP_AUDIT_LOADED, r->text) < 0 && err == 0) {
		sp_report_add(r, &s->conf->audit.at, "the audit trail cannot be written, and audit.on_failure is \"deny\"");
		err = SP_EINVAL;
	}
	return err;
}

static int run(struct server *s, struct sp_report *r)
{
	int code = SP_EXIT_OK;

	sp_must(sp_loop_new(&s->loop) == 0);
	watch_signals(s);
	if (start_workers(s, r) < 0) {
		code = SP_EXIT_FAILURE;
		for (unsigned i = 0; i < s->worker_count; i++)
			sp_worker_close(s->workers[i]);
	} else {
		(void)record(s, SP_AUDIT_START, SP_AUDIT_NONE, NULL);
		sp_log(SP_LOG_NOTICE, SP_EV_READY, "ready", SP_KV_STR("version", PACKAGE_VERSION),
		       SP_KV_INT("workers", s->worker_count), SP_KV_INT("pid", getpid()));
	}
	if (s->worker_count > 0)
		sp_loop_run(s->loop);
	for (unsigned i = 0; i < s->worker_count; i++)
		sp_worker_free(&s->workers[i]);
	s->worker_count = 0; /* a signal that comes now finds nobody to drain */
	unwatch_signals(s);
	sp_loop_free(&s->loop);
	return code;
}

int sp_server_run(const char *file, enum sp_conf_kind kind, const char *plugin_dir)
{
	struct server s = { 0 };
	struct sp_report r = { 0 };
	int code = SP_EXIT_CONFIG;

	raise_descriptors();
	/* Look-ups of names share libuv's threads, of which there are 4: a few names that time out would hold up all others. */
	(void)setenv("UV_THREADPOOL_SIZE", "32", 0);
	if (load(&s, file, kind, plugin_dir, &r) == 0) {
		code = run(&s, &r);
		(void)record(&s, SP_AUDIT_STOP, SP_AUDIT_NONE, code == SP_EXIT_OK ? NULL : r.text);
	}
	if (r.count)
		fprintf(stderr, "%s\n", r.text);
	else if (code == SP_EXIT_OK)
		sp_log(SP_LOG_NOTICE, SP_EV_STOP, "stopped");
	sp_audit_close(&s.audit);
	sp_auth_close(&s.auth);
	sp_conf_unref(&s.conf);
	sp_report_deinit(&r);
	free(s.addresses);
	free(s.workers);
	return code;
}

/* ---- main() --------------------------------------------------------------------- */

static const char *program_name(enum sp_conf_kind kind)
{
	return kind == SP_CONF_CONNECTOR ? "sallyport-connector" : "sallyport";
}

static void usage(FILE *f, enum sp_conf_kind kind, const char *default_conf)
{
	bool plugins = kind == SP_CONF_PROXY;

	fprintf(f,
		"usage: %s [-c FILE] [-t]%s\n"
		"  -c, --config FILE  the configuration file (default: %s)\n"
		"%s"
		"  -t, --test         check the file, print each listener's operational mode and the memory bound, exit\n"
		"      --version      print the version\n"
		"      --help         print this\n"
		"SIGTERM and SIGINT drain and stop; a second one stops at once.\n"
		"Exit status: 0 stopped or checked, 1 could not run, 2 bad usage or configuration.\n",
		program_name(kind), plugins ? " [--plugin-dir DIR]" : "", default_conf,
		plugins ? "      --plugin-dir DIR  where plugins are, instead of the file's plugin_dir (a build not yet installed)\n" : "");
}

int sp_server_main(int argc, char **argv, enum sp_conf_kind kind, const char *default_conf)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { "test", no_argument, NULL, 't' },
						 { "plugin-dir", required_argument, NULL, 'P' },
						 { "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' },
						 { 0 } };
	const char *file = default_conf, *plugin_dir = NULL;
	bool test = false;
	int o;

	while ((o = getopt_long(argc, argv, "c:th", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			file = optarg;
			break;
		case 't':
			test = true;
			break;
		case 'P':
			plugin_dir = optarg;
			break;
		case 'V':
			printf("%s %s\n", program_name(kind), PACKAGE_VERSION);
			return SP_EXIT_OK;
		case 'h':
			usage(stdout, kind, default_conf);
			return SP_EXIT_OK;
		default:
			usage(stderr, kind, default_conf);
			return SP_EXIT_CONFIG;
		}
	}
	if (optind < argc) {
		usage(stderr, kind, default_conf);
		return SP_EXIT_CONFIG;
	}
	return test ? sp_server_test(file, kind, plugin_dir, stdout) : sp_server_run(file, kind, plugin_dir);
}
