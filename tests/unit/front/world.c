#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

struct world world;

void world_certs_make(void)
{
	certs_setup();
	certs_make_usual();
	certs_make(&(struct cert_spec){ "proxy", "ca", "proxy", NULL, false, 30 });
	certs_make(&(struct cert_spec){ "nobody", "ca", "nobody", NULL, false, 30 });
	certs_make(&(struct cert_spec){ "t1", "ca", "connector 1", "URI:spiffe://corp.test/tenant/t1/x", false, 30 });
	certs_make(&(struct cert_spec){ "t2", "ca", "connector 2", "URI:spiffe://corp.test/tenant/t2/x", false, 30 });
	certs_make(&(struct cert_spec){ "other", NULL, "Other CA", NULL, true, 30 });
}

static struct sp_conf *load(const char *name, enum sp_conf_kind kind, const char *text)
{
	struct sp_report r = { 0 };
	struct sp_conf *c = NULL;
	FILE *f = fopen(certs_path(name, "conf"), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_msg(sp_conf_load(certs_path(name, "conf"), kind, &c, &r) == 0, "%s", r.text);
	sp_report_deinit(&r);
	return c;
}

static void on_line(void *arg, const char *line)
{
	size_t used = strlen(world.log);

	(void)arg;
	snprintf(world.log + used, sizeof(world.log) - used, "%s\n", line);
}

/* ---- the gateway ------------------------------------------------------------------------ */

void world_open(const char *listener, const char *extra)
{
	struct sp_report r = { 0 };
	struct sp_cause cause = { 0 };
	char text[4096];

	memset(&world, 0, sizeof(world));
	loop_setup();
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(on_line, NULL);
	snprintf(text, sizeof(text),
		 "plugin_dir = \"%s\";\n"
		 "auth = { proxies = ( { plugin = \"mtls\"; } );\n"
		 "  connectors = ( { plugin = \"mtls\"; tenant_from = \"san:URI:spiffe://corp.test/tenant/{tenant}/*\"; } );\n"
		 "  fixed = ( { plugin = \"mtls\"; tenant = \"t1\"; } );\n"
		 "  tokens = ( { plugin = \"%s\"; traits = 11; } ); };\n"
		 "listeners = ( { protocol = \"tunnel\"; address = \"127.0.0.1:0\"; %s\n"
		 "  tls = { cert_file = \"server.pem\"; key_file = \"server.key\"; client_ca_file = \"ca.pem\"; }; } );\n"
		 "upstream = { kind = \"connectors\"; };\n%s\n",
		 SP_TEST_PLUGIN_DIR, SP_TEST_JUDGE, listener, extra);
	world.conf = load("gateway", SP_CONF_PROXY, text);
	ck_assert_msg(sp_auth_open(world.conf, false, &world.auth, &r) == 0, "%s", r.text);
	ck_assert_msg(sp_auth_worker_open(world.auth, loop, &world.env.auth_worker, &r) == 0, "%s", r.text);
	sp_report_deinit(&r);
	ck_assert_int_eq(sp_back_connectors_new(loop, world.conf, &world.env.connectors), 0);
	ck_assert_int_eq(sp_audit_open(world.conf, &world.env.audit, &cause), 0);
	world.book = (struct sp_book){ .clients_max = world.conf->limits.clients, .exchanges_max = world.conf->limits.exchanges };
	world.env.loop = loop;
	world.env.conf = world.conf;
	world.env.auth = world.auth;
	world.env.back = world.env.connectors;
	world.env.book = &world.book;
	ck_assert_msg(sp_front_open(&world.env, &world.conf->listeners[0], &world.front, &cause) == 0, "%s", cause.text);
	sp_front_addr(world.front, &world.at);
}

static bool book_is_empty(void *arg)
{
	const struct sp_book *b = arg;

	return b->clients == 0 && b->exchanges == 0;
}

void await_book_empty(struct sp_book *b)
{
	run_until(book_is_empty, b);
}

static void on_back_closed(void *arg)
{
	(void)arg;
	world.backs_closed++;
}

static void close_back(struct sp_back *b)
{
	unsigned before = world.backs_closed;

	b->ops->close(b, on_back_closed, NULL);
	await_count(&world.backs_closed, before + 1);
}

void world_close(void)
{
	near_close();
	for (unsigned i = 0; i < world.far_count; i++)
		far_close(&world.far[i]);
	if (world.front)
		sp_front_close(&world.front);
	await_book_empty(&world.book);
	if (world.env.connectors)
		close_back(world.env.connectors);
	sp_auth_worker_close(&world.env.auth_worker);
	sp_auth_close(&world.auth);
	loop_teardown();
	sp_log_capture(NULL, NULL);
	sp_audit_close(&world.env.audit);
	sp_conf_unref(&world.conf);
	sp_conf_unref(&world.near_conf);
	for (unsigned i = 0; i < world.far_count; i++) {
		sp_audit_close(&world.far[i].env.audit);
		sp_conf_unref(&world.far[i].conf);
	}
}

/* ---- origins -------------------------------------------------------------------------------- */

struct echo {
	struct sp_stream *s;
	struct sp_reap reap;
};

static size_t echo_on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct echo *e = arg;
	size_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += v[i].n;
	(void)sp_stream_writev(e->s, v, n);
	return total;
}

static void echo_on_eof(void *arg)
{
	sp_stream_close(((struct echo *)arg)->s, SP_CLOSE_FLUSH);
}

static void echo_free(struct sp_reap *r)
{
	free(SP_CONTAINER_OF(r, struct echo, reap));
}

static void echo_on_closed(void *arg, const struct sp_cause *cause)
{
	(void)cause;
	sp_reap(loop, &((struct echo *)arg)->reap, echo_free);
}

static const struct sp_stream_events echo_events = { .on_data = echo_on_data, .on_eof = echo_on_eof, .on_closed = echo_on_closed };

static void on_origin(void *arg, struct sp_stream *s, const struct sp_addr *peer)
{
	struct far *f = arg;
	struct echo *e = SP_NEW(struct echo);

	(void)peer;
	e->s = s;
	sp_stream_attach(s, &echo_events, e);
	(void)sp_stream_write(s, f->banner, strlen(f->banner));
	sp_stream_read_start(s);
}

/* ---- connectors ------------------------------------------------------------------------------ */

struct far *far_open(const char *cert, const char *location, const char *banner, unsigned tunnels, const char *extra)
{
	struct far *f = &world.far[world.far_count++];
	struct sp_cause cause = { 0 };
	struct sp_addr any;
	char text[2048];

	ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &any), 0);
	ck_assert_int_eq(sp_listener_open(loop, &any, false, on_origin, f, &f->origin, &cause), 0);
	sp_listener_addr(f->origin, &any);
	snprintf(f->banner, sizeof(f->banner), "%s", banner);
	snprintf(text, sizeof(text),
		 "gateway = { url = \"https://127.0.0.1:%d\"; ca_file = \"ca.pem\"; cert_file = \"%s.pem\"; key_file = \"%s.key\";\n"
		 "  location = \"%s\"; id = \"c-%s\"; tunnels = %u; };\n"
		 "expose = ( { virtual = \"echo.virtual:7\"; protocol = \"tcp\"; internal = \"127.0.0.1:%d\"; } );\n%s\n",
		 sp_addr_port(&world.at), cert, cert, location, banner, tunnels, sp_addr_port(&any), extra);
	f->conf = load(banner, SP_CONF_CONNECTOR, text);
	f->book = (struct sp_book){ .clients_max = 100, .exchanges_max = f->conf->limits.exchanges };
	f->env = (struct sp_front_env){ .loop = loop, .conf = f->conf, .book = &f->book };
	ck_assert_int_eq(sp_audit_open(f->conf, &f->env.audit, &cause), 0);
	ck_assert_int_eq(sp_back_exposed_new(loop, f->conf, &f->env.back, NULL), 0);
	ck_assert_msg(sp_uplinks_open(&f->env, &f->uplinks, &cause) == 0, "%s", cause.text);
	return f;
}

void far_close(struct far *f)
{
	if (!f->env.back)
		return;
	if (f->uplinks)
		sp_uplinks_close(&f->uplinks);
	await_book_empty(&f->book);
	close_back(f->env.back);
	f->env.back = NULL;
	sp_listener_close(&f->origin);
}

struct waiting {
	const char *tenant, *location;
	const struct far *far;
	unsigned n;
};

static bool is_ready(void *arg)
{
	const struct waiting *w = arg;

	return w->far ? sp_uplinks_ready(w->far->uplinks) == w->n
		      : sp_connectors_ready(world.env.connectors, w->tenant, w->location) == w->n;
}

void await_ready(const char *tenant, const char *location, unsigned n)
{
	run_until(is_ready, &(struct waiting){ .tenant = tenant, .location = location, .n = n });
}

void await_uplinks(const struct far *f, unsigned n)
{
	run_until(is_ready, &(struct waiting){ .far = f, .n = n });
}

/* ---- the near side -------------------------------------------------------------------------------- */

void near_open(const char *settings, const char *extra)
{
	struct sp_cause cause = { 0 };
	char text[2048];

	snprintf(text, sizeof(text),
		 "auth = { anyone = ( { plugin = \"none\"; } ); };\n"
		 "listeners = ( { protocol = \"socks5\"; address = \"127.0.0.1:0\"; auth = \"anyone\"; } );\n"
		 "upstream = { kind = \"gateway\"; url = \"https://127.0.0.1:%d\"; %s };\n%s\n",
		 sp_addr_port(&world.at),
		 settings ? settings : "ca_file = \"ca.pem\"; cert_file = \"proxy.pem\"; key_file = \"proxy.key\";", extra);
	world.near_conf = load("near", SP_CONF_PROXY, text);
	ck_assert_msg(sp_back_gateway_new(loop, world.near_conf, &world.near_conf->upstream, &world.near, &cause) == 0, "%s", cause.text);
}

void near_close(void)
{
	if (world.near)
		close_back(world.near);
	world.near = NULL;
}

static void on_open(void *arg, struct sp_stream *s, enum sp_outcome o, const struct sp_cause *cause)
{
	struct call *c = arg;

	c->open = NULL;
	c->done++;
	c->outcome = o;
	if (cause)
		c->cause = *cause;
	ck_assert((s != NULL) == (o == SP_OUTCOME_OK));
	if (s)
		peer_attach(&c->p, s);
}

void call_start(struct call *c, const char *tenant, const char *location, const char *target)
{
	memset(c, 0, sizeof(*c));
	sp_id_make(c->x.id);
	c->x.identity.tenant = sp_strdup(tenant);
	snprintf(c->x.location, sizeof(c->x.location), "%s", location);
	ck_assert_int_eq(sp_authority_parse(sp_slice_str(target), 0, &c->x.target), 0);
	c->open = sp_back_open(world.near, &c->x, on_open, c);
	ck_assert_ptr_nonnull(c->open);
	ck_assert_uint_eq(c->done, 0);
}

void call_await(struct call *c)
{
	await_count(&c->done, 1);
}

void call_open(struct call *c, const char *tenant, const char *location, const char *banner)
{
	call_start(c, tenant, location, "echo.virtual:7");
	call_await(c);
	ck_assert_msg(c->outcome == SP_OUTCOME_OK, "%s: %s", sp_outcome_row(c->outcome)->word, c->cause.text);
	peer_expect_str(&c->p, banner);
}

void call_expect(const char *tenant, const char *location, const char *target, enum sp_outcome o)
{
	struct call c;

	call_start(&c, tenant, location, target);
	call_await(&c);
	ck_assert_str_eq(sp_outcome_row(c.outcome)->word, sp_outcome_row(o)->word);
	call_end(&c);
}

void call_end(struct call *c)
{
	sp_back_cancel(&c->open);
	peer_end(&c->p);
	sp_identity_deinit(&c->x.identity);
}

/* ---- raw clients ------------------------------------------------------------------------------------- */

static void on_raw_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct raw *r = arg;

	(void)cause;
	r->ready++;
	r->failed += peer == NULL;
	if (peer)
		snprintf(r->alpn, sizeof(r->alpn), "%s", peer->alpn);
}

void raw_open(struct raw *r, const char *cert, const char *alpn)
{
	const char *const list[] = { alpn, NULL };
	struct sp_tls_config cfg = { .ca_file = CERT("ca"), .alpn = alpn ? list : NULL };
	struct sp_tls_ctx *ctx;
	struct sp_stream *tcp, *tls;

	memset(r, 0, sizeof(*r));
	if (cert) {
		cfg.cert_file = CERT(cert);
		cfg.key_file = KEY(cert);
	}
	ck_assert_int_eq(sp_tls_ctx_new(&cfg, &ctx, NULL), 0);
	peer_dial(&r->p, &world.at);
	tcp = r->p.s;
	sp_stream_read_stop(tcp);
	ck_assert_int_eq(sp_tls_open(ctx, tcp, "127.0.0.1", PEER_WAIT_MS, on_raw_ready, r, &tls), 0);
	sp_tls_ctx_unref(&ctx);
	peer_attach(&r->p, tls);
	await_count(&r->ready, 1);
}
