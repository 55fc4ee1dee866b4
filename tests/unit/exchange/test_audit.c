/* The audit trail: what its lines say, and what happens when they cannot be written. */
#include "config.h" /* F_SETPIPE_SZ */

#include "suites.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "exchange/audit.h"

static char folder[64], path[96], said[8192];
static struct sp_conf conf;

static void on_line(void *arg, const char *line)
{
	size_t used = strlen(said);

	(void)arg;
	snprintf(said + used, sizeof(said) - used, "%s\n", line);
}

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/sp-audit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/audit.log", folder);
	conf = (struct sp_conf){ .audit = { .file = path } };
	said[0] = '\0';
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(on_line, NULL);
}

static void teardown(void)
{
	char other[128];

	sp_log_capture(NULL, NULL);
	snprintf(other, sizeof(other), "%s.1", path);
	unlink(other);
	unlink(path);
	rmdir(folder);
}

static struct sp_audit *open_audit(void)
{
	struct sp_cause cause = { 0 };
	struct sp_audit *a;

	ck_assert_msg(sp_audit_open(&conf, &a, &cause) == 0, "%s", cause.text);
	ck_assert_ptr_nonnull(a);
	return a;
}

static size_t read_file(const char *file, char *dst, size_t size)
{
	FILE *f = fopen(file, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(dst, 1, size - 1, f);
	ck_assert_uint_lt(n, size - 1);
	dst[n] = '\0';
	fclose(f);
	return n;
}

/* What was written since the last call, which must be one line. */
static const char *one_line(void)
{
	static char text[16384];
	size_t n = read_file(path, text, sizeof(text));

	ck_assert_uint_gt(n, 0);
	ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
	text[n - 1] = '\0';
	ck_assert_int_eq(truncate(path, 0), 0);
	return text;
}

static json_object *parse(const char *text)
{
	json_object *o = json_tokener_parse(text);

	ck_assert_msg(o && json_object_is_type(o, json_type_object), "not a JSON object: %s", text);
	return o;
}

static const char *text_of(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static char tenant[] = "acme", principal[] = "app!1", client[] = "sb-app", issuer[] = "https://idp.example", secret[] = "very-secret";
static struct sp_identity identity = { .tenant = tenant, .principal = principal, .client = client, .issuer = issuer, .plugin = "jwt",
				       .upstream_auth = secret, .claims = secret };

static struct sp_exchange exchange(void)
{
	struct sp_exchange x = { .id = "00000000000000aa", .conn_id = 7, .front = "socks5", .listener = "127.0.0.1:20004",
				 .client = "10.0.0.9:5", .identity = identity, .location = "north", .region = "eu10",
				 .target = { .host = "erp.virtual", .port = 8000 } };

	return x;
}

/* ---- lines ------------------------------------------------------------------------- */

START_TEST(json_says_everything)
{
	struct sp_audit *a = open_audit();
	struct sp_exchange x = exchange();
	const char *line;

	ck_assert_int_eq(sp_audit_exchange(a, SP_AUDIT_IDENTITY, SP_AUDIT_ALLOWED, &x, "apps"), 0);
	line = one_line();
	ck_assert_msg(strncmp(line, "{\"time\":\"20", 11) == 0 && strlen(line) > 40, "%s", line);
	ck_assert_str_eq(line + strlen("{\"time\":\"2026-11-23T06:30:00.123Z\""),
			 ",\"event\":\"identity\",\"decision\":\"allowed\",\"outcome\":\"ok\",\"from\":\"10.0.0.9:5\",\"front\":\"socks5\","
			 "\"listener\":\"127.0.0.1:20004\",\"exchange\":\"00000000000000aa\",\"conn\":7,\"tenant\":\"acme\","
			 "\"target\":\"erp.virtual:8000\",\"location\":\"north\",\"region\":\"eu10\",\"chain\":\"apps\",\"plugin\":\"jwt\","
			 "\"principal\":\"app!1\",\"client_id\":\"sb-app\",\"issuer\":\"https://idp.example\"}");
	ck_assert_uint_eq(sp_audit_written(a), 1);
	sp_audit_close(&a);
	ck_assert_ptr_null(a);
}
END_TEST

START_TEST(json_says_why)
{
	struct sp_audit *a = open_audit();
	struct sp_exchange x = { .id = "00000000000000ab", .conn_id = 8, .front = "http", .outcome = SP_OUTCOME_BAD_CREDENTIAL };
	json_object *o;

	sp_cause_set(&x.cause, SP_EDENIED, SP_DOMAIN_AUTH, 0, "plugin \"jwt\": the signature does not match");
	ck_assert_int_eq(sp_audit_exchange(a, SP_AUDIT_IDENTITY, SP_AUDIT_DENIED, &x, "apps"), 0);
	o = parse(one_line());
	ck_assert_str_eq(text_of(o, "decision"), "denied");
	ck_assert_str_eq(text_of(o, "outcome"), "bad_credential");
	ck_assert_str_eq(text_of(o, "reason"), "plugin \"jwt\": the signature does not match");
	ck_assert_ptr_null(text_of(o, "tenant"));
	ck_assert_ptr_null(text_of(o, "target"));
	ck_assert_ptr_null(text_of(o, "truncated"));
	json_object_put(o);
	sp_audit_close(&a);
}
END_TEST

/* Whatever peers are called, a line is one line and one object, with who decided what in it. */
START_TEST(hostile_names)
{
	static char quotes[1025], bytes[1025], tall[1025], lines[] = "a\nb\r\n{\"event\":\"identity\"}", controls[] = "\x1b[2J\x7f\xc2\x9b";
	char *const names[] = { quotes, bytes, tall, lines, controls };
	struct sp_audit *a;
	struct sp_exchange x = exchange();
	json_object *o, *data;
	const char *line;

	memset(quotes, '"', 1024);
	memset(bytes, 0xff, 1024);
	for (size_t i = 0; i < 1024; i += 4)
		memcpy(tall + i, "\xf0\x9f\x98\x80", 4);
	conf.audit.sap = _i % 2;
	a = open_audit();
	x.identity.tenant = x.identity.principal = x.identity.client = x.identity.issuer = names[_i / 2];
	snprintf(x.location, sizeof(x.location), "%s", names[_i / 2]);
	snprintf(x.cause.text, sizeof(x.cause.text), "%s", names[_i / 2]);
	ck_assert_int_eq(sp_audit_exchange(a, SP_AUDIT_IDENTITY, SP_AUDIT_DENIED, &x, "apps"), 0);
	line = one_line();
	for (const char *p = line; *p; p++)
		ck_assert_msg((unsigned char)*p >= 0x20 && *p != 0x7f && !((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0), "%s", line);
	if (!conf.audit.sap)
		ck_assert_uint_lt(strlen(line), 4096);
	o = parse(conf.audit.sap ? strchr(line, '{') : line);
	data = conf.audit.sap ? parse(text_of(o, "data")) : json_object_get(o);
	ck_assert_str_eq(text_of(data, "decision"), "denied");
	ck_assert_str_eq(text_of(data, "exchange"), x.id);
	if (_i < 6)
		ck_assert_str_eq(text_of(data, "truncated"), "true");
	json_object_put(data);
	json_object_put(o);
	sp_audit_close(&a);
}
END_TEST

static const struct sp_audit_entry connector = { .event = SP_AUDIT_CONNECTOR, .decision = SP_AUDIT_ALLOWED, .outcome = SP_OUTCOME_OK, .conn = 12,
						 .connector_id = "warehouse-1", .from = "10.0.0.9:5", .identity = &identity };

/* The members that SAP documents, in the documented order. */
#define SAP_FRAME "[AUDIT-EVENT] {\"user\":\"%s\",\"data\":\"{\\\"action\\\":\\\"open connectivity tunnel\\\"," \
		  "\\\"message\\\":\\\"tunnel handshake %s\\\",\\\"tunnelId\\\":\\\"%s\\\",\\\"objectName\\\":" \
		  "\\\"connectivity tunnel management\\\",\\\"clientId\\\":\\\"%s\\\",\\\"loggedByClass\\\":" \
		  "\\\"com.sap.core.connectivity.tunnel.server.TunnelServerHandshaker\\\",\\\"handshakeDetails\\\":\\\"%s\\\","

static void expect_sap(const struct sp_audit_entry *e, const char *user, const char *message, const char *id, const char *by, const char *details,
		       const char *whose)
{
	struct sp_audit *a;
	char want[1024], end[64];
	const char *line;
	json_object *o, *data;

	conf.audit.sap = true;
	a = open_audit();
	ck_assert_int_eq(sp_audit_write(a, e), 0);
	line = one_line();
	snprintf(want, sizeof(want), SAP_FRAME, user, message, id, by, details);
	ck_assert_msg(strncmp(line, want, strlen(want)) == 0, "%s\nis not\n%s", line, want);
	snprintf(end, sizeof(end), "}\",\"tenant\":\"%s\"}", whose);
	ck_assert_str_eq(line + strlen(line) - strlen(end), end);
	o = parse(strchr(line, '{'));
	data = parse(text_of(o, "data"));
	ck_assert_str_eq(text_of(data, "message"), strcmp(message, "success") == 0 ? "tunnel handshake success" : "tunnel handshake failure");
	ck_assert_int_eq(text_of(data, "time")[10], 'T');
	json_object_put(data);
	json_object_put(o);
	sp_audit_close(&a);
}

START_TEST(sap_documents_tunnels)
{
	struct sp_audit_entry refused = connector;

	expect_sap(&connector, "app!1", "success", "12", "warehouse-1", "success", "acme");
	refused.decision = SP_AUDIT_DENIED;
	refused.outcome = SP_OUTCOME_EXPIRED_CREDENTIAL;
	refused.identity = NULL;
	refused.reason = "it expired 5 s ago";
	expect_sap(&refused, "fallback_for_missing_user", "failure", "12", "warehouse-1", "it expired 5 s ago", "");
	refused.reason = NULL;
	refused.connector_id = NULL;
	expect_sap(&refused, "fallback_for_missing_user", "failure", "12", "", "expired_credential", "");
}
END_TEST

START_TEST(sap_frames_the_rest)
{
	struct sp_audit *a;
	struct sp_exchange x = exchange();
	json_object *o, *data;
	const char *line;

	conf.audit.sap = true;
	a = open_audit();
	ck_assert_int_eq(sp_audit_exchange(a, SP_AUDIT_IDENTITY, SP_AUDIT_ALLOWED, &x, "apps"), 0);
	line = one_line();
	ck_assert_int_eq(strncmp(line, "[AUDIT-EVENT] {", 15), 0);
	o = parse(line + 14);
	ck_assert_str_eq(text_of(o, "user"), "app!1");
	ck_assert_str_eq(text_of(o, "tenant"), "acme");
	data = parse(text_of(o, "data"));
	ck_assert_str_eq(text_of(data, "message"), "identity allowed");
	ck_assert_str_eq(text_of(data, "target"), "erp.virtual:8000");
	json_object_put(data);
	json_object_put(o);
	sp_audit_close(&a);
}
END_TEST

START_TEST(none_is_fine)
{
	struct sp_audit *a = (struct sp_audit *)&conf;
	struct sp_cause cause = { 0 };

	conf.audit.file = NULL;
	ck_assert_int_eq(sp_audit_open(&conf, &a, &cause), 0);
	ck_assert_ptr_null(a);
	ck_assert_int_eq(sp_audit_check(&conf, &cause), 0);
	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	ck_assert_int_eq(sp_audit_reopen(a, &cause), 0);
	ck_assert_uint_eq(sp_audit_written(a) + sp_audit_lost(a), 0);
	sp_audit_close(&a);
}
END_TEST

/* ---- the file ------------------------------------------------------------------------- */

START_TEST(appends_and_creates)
{
	struct sp_audit *a;
	struct stat st;
	char text[8192];
	mode_t mask = umask(0);

	for (unsigned i = 0; i < 2; i++) {
		a = open_audit();
		ck_assert_int_eq(sp_audit_write(a, &connector), 0);
		sp_audit_close(&a);
	}
	umask(mask);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	read_file(path, text, sizeof(text));
	ck_assert_ptr_ne(strchr(text, '\n'), strrchr(text, '\n'));
}
END_TEST

static void expect_refused(const char *why)
{
	struct sp_cause opened = { 0 }, checked = { 0 };
	struct sp_audit *a;

	ck_assert_int_eq(sp_audit_check(&conf, &checked), SP_EINVAL);
	ck_assert_msg(strstr(checked.text, why), "%s", checked.text);
	ck_assert_int_eq(sp_audit_open(&conf, &a, &opened), SP_EINVAL);
	ck_assert_ptr_null(a);
	ck_assert_str_eq(opened.text, checked.text);
}

START_TEST(refuses_bad_files)
{
	static char device[] = "/dev/null", nowhere[] = "/nowhere/audit.log";
	FILE *f = fopen(path, "w");

	fclose(f);
	ck_assert_int_eq(chmod(path, 0662), 0);
	expect_refused("can be written by everybody (mode 0662)");
	unlink(path);
	conf.audit.file = device;
	expect_refused("is not a regular file");
	conf.audit.file = nowhere;
	expect_refused("/nowhere/audit.log: No such file or directory");
}
END_TEST

START_TEST(refuses_pipes_without_waiting)
{
	struct sp_cause cause = { 0 };
	struct sp_audit *a;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(sp_audit_open(&conf, &a, &cause), SP_EINVAL);
	ck_assert_int_eq(sp_audit_check(&conf, &cause), SP_EINVAL);
}
END_TEST

START_TEST(checking_creates_nothing)
{
	struct sp_cause cause = { 0 };

	ck_assert_int_eq(sp_audit_check(&conf, &cause), 0);
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(reopens_what_was_renamed)
{
	struct sp_audit *a = open_audit();
	struct sp_cause cause = { 0 };
	char old[128], text[8192];

	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	snprintf(old, sizeof(old), "%s.1", path);
	ck_assert_int_eq(rename(path, old), 0);
	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	ck_assert_int_eq(sp_audit_reopen(a, &cause), 0);
	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	ck_assert_ptr_nonnull(strstr(one_line(), "\"event\":\"connector\""));
	read_file(old, text, sizeof(text));
	ck_assert_ptr_ne(strchr(text, '\n'), strrchr(text, '\n'));
	/* The name cannot be opened: the old file goes on. */
	unlink(path);
	ck_assert_int_eq(symlink("/nowhere/x", path), 0);
	ck_assert_int_eq(sp_audit_reopen(a, &cause), SP_EINVAL);
	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	ck_assert_uint_eq(sp_audit_written(a), 4);
	sp_audit_close(&a);
}
END_TEST

/* ---- failures ------------------------------------------------------------------------- */

static void limit_size(rlim_t most)
{
	struct rlimit r;

	sp_must(getrlimit(RLIMIT_FSIZE, &r) == 0);
	r.rlim_cur = most;
	sp_must(setrlimit(RLIMIT_FSIZE, &r) == 0);
}

static unsigned count_of(const char *part)
{
	unsigned n = 0;

	for (const char *p = said; (p = strstr(p, part)); p++)
		n++;
	return n;
}

/* A disk that is full in the middle of a line, for three lines. */
START_TEST(full_disk)
{
	struct sp_audit *a;
	char text[16384], *second;
	bool all = true;

	signal(SIGXFSZ, SIG_IGN);
	conf.audit.deny = _i;
	a = open_audit();
	limit_size(50); /* of the files of Check, too: nothing may be asserted under it */
	for (unsigned i = 0; i < 3; i++)
		all = all && sp_audit_write(a, &connector) == (_i ? SP_ESYS : 0);
	limit_size(RLIM_INFINITY);
	ck_assert(all);
	ck_assert_uint_eq(sp_audit_lost(a), 3);
	ck_assert_uint_eq(sp_audit_written(a), 0);
	ck_assert_uint_eq(count_of("cannot be written"), 1);
	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	ck_assert_uint_eq(count_of("is written again"), 1);
	ck_assert_uint_eq(count_of("lost=3"), 1);
	read_file(path, text, sizeof(text));
	second = strchr(text, '\n');
	ck_assert_int_eq(second - text, 50); /* the torn one; the next one is whole */
	json_object_put(parse(second + 1));
	sp_audit_close(&a);
}
END_TEST

/* Standard output is a pipe that nobody reads: a line is lost, nobody waits for ever. */
START_TEST(stuck_reader)
{
	static char dash[] = "-";
	struct sp_audit *a;
	int fds[2], old = dup(STDOUT_FILENO);
	char page[4096] = "";
	bool fits = true;

	conf.audit.file = dash;
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
	ck_assert_int_eq(dup2(fds[1], STDOUT_FILENO), STDOUT_FILENO);
	a = open_audit();
	for (unsigned i = 0; i < 64 && fits; i++) {
		ck_assert_int_eq(sp_audit_write(a, &connector), 0);
		fits = sp_audit_lost(a) == 0;
	}
	ck_assert(!fits);
	ck_assert_int_gt(read(fds[0], page, sizeof(page)), 0);
	ck_assert_int_eq(sp_audit_write(a, &connector), 0);
	ck_assert_uint_eq(sp_audit_lost(a), 1);
	ck_assert_int_eq(dup2(old, STDOUT_FILENO), STDOUT_FILENO);
	sp_audit_close(&a);
	close(fds[0]);
	close(fds[1]);
	close(old);
	ck_assert_uint_eq(count_of("is written again"), 1);
}
END_TEST

#define THREADS 4
#define LINES 500

static void *write_many(void *arg)
{
	struct sp_exchange x = exchange();

	for (unsigned i = 0; i < LINES; i++)
		sp_must(sp_audit_exchange(arg, SP_AUDIT_IDENTITY, SP_AUDIT_ALLOWED, &x, "apps") == 0);
	return NULL;
}

/* Lines of several threads do not mix, nor do any get lost while the file is renamed and opened anew. */
START_TEST(many_threads)
{
	struct sp_audit *a = open_audit();
	pthread_t threads[THREADS];
	char old[128], line[4096];
	unsigned lines = 0;
	FILE *f;

	snprintf(old, sizeof(old), "%s.1", path);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, a), 0);
	ck_assert_int_eq(rename(path, old), 0);
	ck_assert_int_eq(sp_audit_reopen(a, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		f = fopen(i ? path : old, "r");
		ck_assert_ptr_nonnull(f);
		for (; fgets(line, sizeof(line), f); lines++)
			json_object_put(parse(line));
		fclose(f);
	}
	ck_assert_uint_eq(lines, THREADS * LINES);
	ck_assert_uint_eq(sp_audit_written(a), THREADS * LINES);
	sp_audit_close(&a);
}
END_TEST

Suite *sp_suite_audit(void)
{
	Suite *s = suite_create("exchange/audit");
	TCase *t = tcase_create("audit");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, json_says_everything);
	tcase_add_test(t, json_says_why);
	tcase_add_loop_test(t, hostile_names, 0, 10);
	tcase_add_test(t, sap_documents_tunnels);
	tcase_add_test(t, sap_frames_the_rest);
	tcase_add_test(t, none_is_fine);
	tcase_add_test(t, appends_and_creates);
	tcase_add_test(t, refuses_bad_files);
	tcase_add_test(t, refuses_pipes_without_waiting);
	tcase_add_test(t, checking_creates_nothing);
	tcase_add_test(t, reopens_what_was_renamed);
	tcase_add_loop_test(t, full_disk, 0, 2);
	tcase_add_test(t, stuck_reader);
	tcase_add_test(t, many_threads);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
