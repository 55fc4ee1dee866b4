#include "fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct fixture fx;
static char folder[64];

/* ---- the folder -------------------------------------------------------------- */

static const char *in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void copy_plugin(void)
{
	static char buf[1 << 16];
	int in = open(SP_TEST_JUDGE, O_RDONLY), out = open(in_folder("judge.so"), O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n;

	sp_must(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		sp_must(write(out, buf, (size_t)n) == n);
	close(in);
	close(out);
}

void fixture_folder_make(void)
{
	snprintf(folder, sizeof(folder), "/tmp/sp-front-XXXXXX");
	sp_must(mkdtemp(folder));
	copy_plugin();
}

void fixture_folder_remove(void)
{
	unlink(in_folder("judge.so"));
	unlink(in_folder("t.conf"));
	unlink(in_folder("audit.log"));
	rmdir(folder);
}

/* ---- the back ------------------------------------------------------------------ */

struct fake_open {
	struct sp_back_open open;
	struct sp_list node;
	struct sp_exchange *x;
	sp_back_cb *cb;
	void *arg;
	struct sp_timer timer;
};

static struct sp_stream *make_upstream(void)
{
	struct sp_stream *mine, *other;

	sp_buf_deinit(&fx.fake.origin.in);
	fx.fake.origin = (struct peer){ 0 };
	ck_assert_int_eq(sp_stream_pair(loop, &mine, &other), 0);
	peer_attach(&fx.fake.origin, mine);
	return other;
}

static void on_fake(struct sp_timer *t)
{
	struct fake_open o = *SP_CONTAINER_OF(t, struct fake_open, timer);
	struct sp_cause cause = { 0 };

	sp_list_remove(&SP_CONTAINER_OF(t, struct fake_open, timer)->node);
	free(SP_CONTAINER_OF(t, struct fake_open, timer));
	if (fx.fake.mode == FAKE_OPEN) {
		o.cb(o.arg, make_upstream(), SP_OUTCOME_OK, NULL);
		return;
	}
	sp_cause_set(&cause, SP_EREFUSED, SP_DOMAIN_OS, 111, "connect 10.66.66.66:1: only-for-the-operator");
	if (fx.fake.proxy_status)
		snprintf(o.x->proxy_status, sizeof(o.x->proxy_status), "%s", fx.fake.proxy_status);
	o.cb(o.arg, NULL, fx.fake.outcome, &cause);
}

static struct sp_back_open *fake_open(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	struct fake *f = SP_CONTAINER_OF(b, struct fake, back);
	struct fake_open *o = calloc(1, sizeof(*o));

	f->opens++;
	f->target = x->target;
	snprintf(f->location, sizeof(f->location), "%s", x->location);
	snprintf(f->tenant, sizeof(f->tenant), "%s", x->identity.tenant ? x->identity.tenant : "");
	snprintf(f->principal, sizeof(f->principal), "%s", x->identity.principal ? x->identity.principal : "");
	snprintf(x->via, sizeof(x->via), "fake");
	o->open.back = b;
	o->x = x;
	o->cb = cb;
	o->arg = arg;
	sp_list_append(&f->pending, &o->node);
	if (f->mode != FAKE_HOLD)
		sp_timer_start(loop, &o->timer, 0, on_fake);
	return &o->open;
}

void fake_release(void)
{
	struct sp_list *n, *tmp;

	fx.fake.mode = FAKE_OPEN;
	SP_LIST_EACH(n, &fx.fake.pending, tmp)
		sp_timer_start(loop, &SP_CONTAINER_OF(n, struct fake_open, node)->timer, 0, on_fake);
}

static void fake_cancel(struct sp_back_open *open)
{
	struct fake_open *o = SP_CONTAINER_OF(open, struct fake_open, open);

	fx.fake.cancels++;
	sp_timer_stop(loop, &o->timer);
	sp_list_remove(&o->node);
	free(o);
}

static void fake_drain(struct sp_back *b)
{
	SP_CONTAINER_OF(b, struct fake, back)->drains++;
}

static const struct sp_back_ops fake_ops = { .name = "fake", .open = fake_open, .cancel = fake_cancel, .drain = fake_drain };

/* ---- everything ------------------------------------------------------------------ */

static void on_line(void *arg, const char *line)
{
	(void)arg;
	fx.refusals += strstr(line, " warn accept refusing clients") != NULL;
	if (strstr(line, " exchange=") && fx.line_count < SP_COUNT_OF(fx.lines))
		snprintf(fx.lines[fx.line_count++].text, sizeof(fx.lines[0].text), "%s", line);
}

static void on_empty(void *arg)
{
	ck_assert_ptr_eq(arg, &fx);
	ck_assert_uint_eq(fx.book.clients + fx.book.exchanges, 0);
	fx.empties++;
}

static void write_conf(const char *listener, const char *extra)
{
	FILE *f = fopen(in_folder("t.conf"), "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f,
		"plugin_dir = \"%s\";\n"
		"auth = { asks = ( { plugin = \"judge\"; traits = 11; } );\n"
		"         anyone = ( { plugin = \"judge\"; traits = 4; anonymous = true; } );\n"
		"         nobody = ( { plugin = \"judge\"; traits = 4; } ); };\n"
		"listeners = ( { address = \"127.0.0.1:0\"; %s } );\n"
		"upstream = { kind = \"direct\"; };\n%s\n",
		folder, listener, extra);
	fclose(f);
}

static void find_seen(void)
{
	void *so = dlopen(in_folder("judge.so"), RTLD_NOW | RTLD_NOLOAD);
	union {
		void *object;
		judge_seen_fn *fn;
	} u;

	ck_assert_ptr_nonnull(so);
	u.object = dlsym(so, "judge_seen");
	fx.seen = u.fn();
	memset(fx.seen, 0, sizeof(*fx.seen));
	dlclose(so);
}

void fixture_open(const char *listener, const char *extra)
{
	struct sp_report r = { 0 };
	struct sp_cause cause = { 0 };

	memset(&fx, 0, sizeof(fx));
	loop_setup();
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(on_line, NULL);
	write_conf(listener, extra);
	ck_assert_msg(sp_conf_load(in_folder("t.conf"), SP_CONF_PROXY, &fx.conf, &r) == 0, "%s", r.text);
	ck_assert_msg(sp_auth_open(fx.conf, false, &fx.auth, &r) == 0, "%s", r.text);
	ck_assert_msg(sp_auth_worker_open(fx.auth, loop, &fx.env.auth_worker, &r) == 0, "%s", r.text);
	sp_report_deinit(&r);
	find_seen();
	unlink(in_folder("audit.log"));
	ck_assert_msg(sp_audit_open(fx.conf, &fx.env.audit, &cause) == 0, "%s", cause.text);
	fx.fake.back.ops = &fake_ops;
	sp_list_init(&fx.fake.pending);
	fx.book = (struct sp_book){ .clients_max = fx.conf->limits.clients, .exchanges_max = fx.conf->limits.exchanges,
				    .on_empty = on_empty, .arg = &fx };
	fx.env.loop = loop;
	fx.env.conf = fx.conf;
	fx.env.auth = fx.auth;
	fx.env.back = &fx.fake.back;
	fx.env.book = &fx.book;
	ck_assert_msg(sp_front_open(&fx.env, &fx.conf->listeners[0], &fx.front, &cause) == 0, "%s", cause.text);
}

void fixture_close(void)
{
	if (fx.front)
		sp_front_close(&fx.front);
	await_alone();
	ck_assert(sp_list_empty(&fx.fake.pending));
	peer_end(&fx.fake.origin);
	sp_auth_worker_close(&fx.env.auth_worker);
	ck_assert_uint_eq(fx.seen->requests, fx.seen->finishes);
	sp_auth_close(&fx.auth);
	loop_teardown();
	sp_log_capture(NULL, NULL);
	sp_audit_close(&fx.env.audit);
	sp_conf_unref(&fx.conf);
}

/* ---- clients -------------------------------------------------------------------------- */

void client_open(struct peer *c)
{
	struct sp_stream *mine, *other;
	struct sp_addr from;

	ck_assert_int_eq(sp_addr_parse("10.9.8.7:6543", &from), 0);
	ck_assert_int_eq(sp_stream_pair(loop, &mine, &other), 0);
	peer_attach(c, mine);
	sp_front_accepted(fx.front, other, &from);
}

void client_open_tcp(struct peer *c)
{
	struct sp_addr at;

	sp_front_addr(fx.front, &at);
	peer_dial(c, &at);
}

void client_expect_end(struct peer *c)
{
	peer_await_eof(c);
	ck_assert_msg(c->in.len == 0, "unexpected: %s", sp_buf_str(&c->in));
	ck_assert_uint_eq(c->closed, 0);
	peer_end(c);
}

void client_expect_reset(struct peer *c)
{
	peer_await_closed(c);
	ck_assert_uint_eq(c->eof, 0);
	ck_assert_int_eq(c->cause.err, SP_ERESET);
	ck_assert_uint_eq(c->in.len, 0);
	peer_end(c);
}

void expect_line(unsigned i, const char *part)
{
	ck_assert_msg(i < fx.line_count, "%u lines, none with \"%s\"", fx.line_count, part);
	ck_assert_msg(strstr(fx.lines[i].text, part), "\"%s\" is not in: %s", part, fx.lines[i].text);
}

void expect_trail(unsigned n, unsigned i, const char *part)
{
	FILE *f = fopen(in_folder("audit.log"), "r");
	unsigned lines = 0;
	char *p, *end;

	ck_assert_ptr_nonnull(f);
	fx.trail[fread(fx.trail, 1, sizeof(fx.trail) - 1, f)] = '\0';
	fclose(f);
	for (p = fx.trail; (end = strchr(p, '\n')); p = end + 1, lines++) {
		*end = '\0';
		if (lines == i)
			ck_assert_msg(strstr(p, part), "\"%s\" is not in: %s", part, p);
		*end = '\n';
	}
	ck_assert_msg(lines == n && *p == '\0', "not %u lines:\n%s", n, fx.trail);
}

static bool is_idle(void *arg)
{
	(void)arg;
	return fx.book.exchanges == 0;
}

void await_idle(void)
{
	run_until(is_idle, NULL);
}

bool is_alone(void *arg)
{
	(void)arg;
	return fx.book.exchanges == 0 && fx.book.clients == 0;
}

void await_alone(void)
{
	run_until(is_alone, NULL);
}
