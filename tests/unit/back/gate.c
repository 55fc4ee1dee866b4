#include "gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "codec/upgrade.h"

#define FRAME_DATA 0
#define FRAME_RST_STREAM 3
#define FRAME_GOAWAY 7
#define REFUSED_STREAM 7

struct gate gate[2];
struct far fars[TUNNELS_MAX_IN_TEST];
unsigned far_count;
struct asked asked[REQUESTS_MAX];
unsigned asked_count;
struct sp_conf *conf;
uint64_t skew_ms;

char log_text[1 << 16];

static unsigned backs_closed;

uint64_t __real_sp_loop_now_ms(struct sp_loop *l);
uint64_t __wrap_sp_loop_now_ms(struct sp_loop *l);

uint64_t __wrap_sp_loop_now_ms(struct sp_loop *l)
{
	return __real_sp_loop_now_ms(l) + skew_ms;
}

void fire(struct sp_timer *t)
{
	ck_assert(sp_timer_running(t));
	sp_timer_start(loop, t, 0, t->fn);
}

/* ---- life ------------------------------------------------------------------------------- */

void gate_certs(void)
{
	certs_setup();
	certs_make_usual();
}

static void on_line(void *arg, const char *line)
{
	size_t used = strlen(log_text);

	(void)arg;
	snprintf(log_text + used, sizeof(log_text) - used, "%s\n", line);
}

void gate_setup(void)
{
	loop_setup();
	log_text[0] = '\0';
	sp_log_setup(SP_LOG_INFO, false);
	sp_log_capture(on_line, NULL);
	memset(gate, 0, sizeof(gate));
	memset(fars, 0, sizeof(fars));
	memset(asked, 0, sizeof(asked));
	far_count = asked_count = backs_closed = 0;
	skew_ms = 0;
	conf = SP_NEW(struct sp_conf);
	conf->refs = 1;
	conf->timeouts.dial_ms = conf->timeouts.handshake_ms = conf->timeouts.open_ms = conf->timeouts.drain_ms = PEER_WAIT_MS;
	conf->limits.stream_window_bytes = conf->limits.connection_window_bytes = 1u << 20;
	conf->limits.streams_per_tunnel = 100;
	conf->limits.head_bytes = 16384;
	conf->tunnels.ping_after_ms = conf->tunnels.ping_timeout_ms = conf->tunnels.wait_ms = conf->tunnels.idle_ms = PEER_WAIT_MS;
	conf->tunnels.backoff_max_ms = PEER_WAIT_MS;
	conf->tunnels.max_per_pool = 4;
	conf->tunnels.streams_mark = 64;
	conf->tunnels.waiting = 16;
}

void gate_teardown(void)
{
	for (unsigned i = 0; i < SP_COUNT_OF(gate); i++) {
		if (gate[i].listener)
			sp_listener_close(&gate[i].listener);
		sp_tls_ctx_unref(&gate[i].ctx);
		for (unsigned j = 0; j < SP_COUNT_OF(gate[i].mute); j++)
			peer_end(&gate[i].mute[j]);
	}
	for (unsigned i = 0; i < asked_count; i++)
		peer_end(&asked[i].p);
	for (unsigned i = 0; i < far_count; i++)
		if (fars[i].h2)
			far_abort(&fars[i]);
	loop_teardown();
	sp_log_capture(NULL, NULL);
	ck_assert_uint_eq(conf->refs, 1);
	sp_conf_unref(&conf);
}

/* ---- far ends ------------------------------------------------------------------------------- */

static void copy(char *dst, size_t size, const struct sp_fields *head, const char *name)
{
	(void)sp_slice_copy(sp_fields_get(head, name), dst, size);
}

static void on_request(void *arg, struct sp_h2_stream *s, const struct sp_fields *head)
{
	struct asked *a = &asked[asked_count];

	ck_assert_uint_lt(asked_count, REQUESTS_MAX);
	a->far = arg;
	a->h2 = s;
	copy(a->authority, sizeof(a->authority), head, ":authority");
	copy(a->credential, sizeof(a->credential), head, "proxy-authorization");
	copy(a->tenant, sizeof(a->tenant), head, SP_FIELD_TENANT);
	copy(a->location, sizeof(a->location), head, SP_FIELD_LOCATION);
	copy(a->exchange, sizeof(a->exchange), head, SP_FIELD_EXCHANGE);
	peer_attach(&a->p, sp_h2_stream_io(s));
	asked_count++;
}

static void on_ready(void *arg)
{
	((struct far *)arg)->ready++;
}

static void on_goaway(void *arg, uint32_t code)
{
	(void)code;
	((struct far *)arg)->goaway++;
}

static void on_h2_closed(void *arg, const struct sp_cause *cause)
{
	struct far *f = arg;

	f->h2 = NULL;
	f->closed++;
	if (cause)
		f->cause = *cause;
}

static const struct sp_h2_events h2_events = {
	.on_ready = on_ready, .on_request = on_request, .on_goaway = on_goaway, .on_closed = on_h2_closed
};

struct far *far_over(struct sp_stream *carrier, uint32_t max_streams)
{
	struct sp_h2_options opt = { .stream_window_bytes = 1u << 20, .connection_window_bytes = 1u << 20,
				     .max_streams = max_streams ? max_streams : 100, .max_head_bytes = 16384,
				     .ping_after_ms = PEER_WAIT_MS, .ping_timeout_ms = PEER_WAIT_MS };
	struct far *f = &fars[far_count];

	ck_assert_uint_lt(far_count, TUNNELS_MAX_IN_TEST);
	far_count++;
	f->carrier = carrier;
	ck_assert_int_eq(sp_h2_new(loop, carrier, SP_H2_SERVER, &opt, &h2_events, f, &f->h2), 0);
	return f;
}

struct accepting {
	struct gate *g;
	struct sp_stream *tls;
};

static void on_tls_closed(void *arg, const struct sp_cause *cause)
{
	(void)cause;
	free(arg);
}

static void on_tls_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct accepting *a = arg;

	(void)cause;
	if (!peer)
		return;
	far_over(a->tls, a->g->max_streams)->gate = a->g;
	free(a);
}

static void on_accept(void *arg, struct sp_stream *s, const struct sp_addr *from)
{
	static const struct sp_stream_events events = { .on_closed = on_tls_closed };
	struct gate *g = arg;
	struct accepting *a;

	(void)from;
	if (g->silent) {
		ck_assert_uint_lt(g->accepted, SP_COUNT_OF(g->mute));
		peer_attach(&g->mute[g->accepted++], s);
		return;
	}
	g->accepted++;
	a = SP_NEW(struct accepting);
	a->g = g;
	ck_assert_int_eq(sp_tls_open(g->ctx, s, NULL, PEER_WAIT_MS, on_tls_ready, a, &a->tls), 0);
	sp_stream_attach(a->tls, &events, a);
}

void gate_open(struct gate *g)
{
	static const char *const alpn[] = { SP_ALPN_H2, NULL };
	struct sp_tls_config cfg = { .server = true, .cert_file = CERT("server"), .key_file = KEY("server"), .alpn = alpn };
	struct sp_cause cause = { 0 };
	struct sp_addr any = g->at;

	if (!sp_addr_port(&any))
		ck_assert_int_eq(sp_addr_parse("127.0.0.1:0", &any), 0);
	if (!g->ctx)
		ck_assert_int_eq(sp_tls_ctx_new(&cfg, &g->ctx, &cause), 0);
	ck_assert_msg(sp_listener_open(loop, &any, false, on_accept, g, &g->listener, &cause) == 0, "%s", cause.text);
	sp_listener_addr(g->listener, &g->at);
}

void answer(struct asked *a, unsigned status, const char *proxy_status)
{
	struct sp_fields f = { 0 };

	ck_assert(!a->answered);
	a->answered = true;
	if (proxy_status)
		sp_fields_add(&f, SP_SLICE("proxy-status"), sp_slice_str(proxy_status));
	ck_assert_int_eq(sp_h2_respond(a->h2, status, &f, status >= 300), 0);
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* The carrier is between frames: what HTTP/2 had to say in earlier turns was said whole. */
static void send_frame(struct far *f, uint8_t type, uint32_t stream, const uint8_t *payload, uint8_t n)
{
	uint8_t head[9] = { 0, 0, n, type };

	run_turns(3);
	put_u32(head + 5, stream);
	(void)sp_stream_write(f->carrier, head, sizeof(head));
	(void)sp_stream_write(f->carrier, payload, n);
}

void refuse_stream(struct asked *a)
{
	uint8_t payload[4] = { 0, 0, 0, REFUSED_STREAM };

	a->answered = true;
	send_frame(a->far, FRAME_RST_STREAM, (uint32_t)sp_h2_stream_id(a->h2), payload, sizeof(payload));
	sp_stream_close(a->p.s, SP_CLOSE_ABORT); /* what this says comes after and is ignored */
}

void go_away(struct far *f)
{
	send_frame(f, FRAME_GOAWAY, 0, (uint8_t[8]){ 0 }, 8);
}

void break_protocol(struct far *f)
{
	send_frame(f, FRAME_DATA, 0, (uint8_t[1]){ 0 }, 1);
}

void far_abort(struct far *f)
{
	if (!f->h2)
		return;
	sp_stream_close(f->carrier, SP_CLOSE_ABORT);
	await_count(&f->closed, 1);
}

/* ---- near ends -------------------------------------------------------------------------------- */

struct sp_back *back_towards(struct gate *g, struct sp_credential *credential)
{
	static const char *const alpn[] = { SP_ALPN_H2, NULL };
	struct sp_tls_config cfg = { .ca_file = CERT("ca"), .alpn = alpn };
	struct sp_conf_upstream *u;
	struct sp_pools_options opt = { .loop = loop, .conf = conf, .credential = credential };
	struct sp_cause cause = { 0 };
	struct sp_back *b = NULL;

	/* Each has its place in conf. */
	if (!conf->regions) {
		conf->regions = sp_calloc(SP_COUNT_OF(gate), sizeof(conf->regions[0]));
		conf->region_count = SP_COUNT_OF(gate);
	}
	u = &conf->regions[g - gate].upstream;
	snprintf(u->url.host, sizeof(u->url.host), "127.0.0.1");
	u->url.port = (uint16_t)sp_addr_port(&g->at);
	opt.upstream = u;
	ck_assert_msg(sp_tls_ctx_new(&cfg, &opt.ctx, &cause) == 0, "%s", cause.text);
	ck_assert_int_eq(sp_pools_new(&opt, &b), 0);
	return b;
}

static void on_back_closed(void *arg)
{
	(void)arg;
	backs_closed++;
}

void back_close(struct sp_back **b)
{
	unsigned before = backs_closed;

	(*b)->ops->close(*b, on_back_closed, NULL);
	ck_assert_uint_eq(backs_closed, before);
	*b = NULL;
	await_count(&backs_closed, before + 1);
}

struct sp_pool *pool_of(struct sp_back *b, const char *tenant, const char *location)
{
	return sp_pools_get(sp_pools_of(b), tenant, location, false);
}

struct sp_tunnel *tunnel_at(struct sp_pool *p, unsigned i)
{
	struct sp_list *n = p->tunnels.next;

	for (; i > 0; i--)
		n = n->next;
	ck_assert_ptr_ne(n, &p->tunnels);
	return SP_CONTAINER_OF(n, struct sp_tunnel, node);
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

static void start(struct call *c, struct sp_back *b, const char *tenant, const char *location, const char *upstream_auth)
{
	memset(c, 0, sizeof(*c));
	sp_id_make(c->x.id);
	c->back = b;
	c->x.identity.tenant = sp_strdup(tenant);
	c->x.identity.upstream_auth = sp_strdup(upstream_auth);
	snprintf(c->x.location, sizeof(c->x.location), "%s", location);
	ck_assert_int_eq(sp_authority_parse(sp_slice_str("sys.virtual:7"), 0, &c->x.target), 0);
	c->open = sp_back_open(b, &c->x, on_open, c);
	ck_assert_ptr_nonnull(c->open);
	ck_assert_uint_eq(c->done, 0);
}

void call_start(struct call *c, struct sp_back *b, const char *tenant, const char *location)
{
	start(c, b, tenant, location, NULL);
}

void call_start_forwarding(struct call *c, struct sp_back *b, const char *tenant, const char *upstream_auth)
{
	start(c, b, tenant, "", upstream_auth);
}

void call_expect(struct call *c, enum sp_outcome o)
{
	await_count(&c->done, 1);
	ck_assert_msg(c->outcome == o, "%s (%s), not %s", sp_outcome_row(c->outcome)->word, c->cause.text, sp_outcome_row(o)->word);
	ck_assert((c->cause.err == 0) == (o == SP_OUTCOME_OK));
}

void call_open(struct call *c, struct sp_back *b, const char *tenant, const char *location)
{
	unsigned n = asked_count;

	call_start(c, b, tenant, location);
	await_asked(n + 1);
	answer(&asked[n], 200, NULL);
	call_expect(c, SP_OUTCOME_OK);
}

void call_check(struct call *c, struct asked *a)
{
	peer_send_str(&c->p, "ping");
	peer_expect_str(&a->p, "ping");
	peer_send_str(&a->p, "pong");
	peer_expect_str(&c->p, "pong");
}

void call_end(struct call *c)
{
	sp_back_cancel(&c->open);
	peer_end(&c->p);
	sp_identity_deinit(&c->x.identity);
	ck_assert_uint_le(c->done, 1);
}

/* ---- waiting ------------------------------------------------------------------------------------- */

void await_asked(unsigned n)
{
	await_count(&asked_count, n);
}

struct ready {
	const struct sp_pool *p;
	unsigned n;
};

static bool are_ready(void *arg)
{
	const struct ready *r = arg;
	unsigned n = 0;

	for (const struct sp_list *i = r->p->tunnels.next; i != &r->p->tunnels; i = i->next)
		n += SP_CONTAINER_OF(i, struct sp_tunnel, node)->state == SP_TUNNEL_READY;
	return n >= r->n;
}

void await_tunnels(struct sp_pool *p, unsigned n)
{
	run_until(are_ready, &(struct ready){ p, n });
}
