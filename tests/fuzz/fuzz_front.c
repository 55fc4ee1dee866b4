/* A whole front: the input is a script of what the client, the chain, the back and the origin do. The first byte chooses the
 * protocol and how the chain behaves; then come steps. The plugin host is replaced here by one that does as the script says. */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/must.h"
#include "front/front_internal.h"
#include <sallyport/plugin.h>

#define SENT_MAX (64u * 1024)

struct end { /* of a stream pair: the client's or the origin's */
	struct sp_stream *s;
	struct sp_buf sent, got;
	bool shut;
};

struct sp_auth_run {
	struct sp_list node;
	sp_auth_cb *cb;
	void *arg;
	struct sp_timer timer;
	enum sp_outcome outcome;
};

struct open {
	struct sp_back_open open;
	struct sp_list node;
	sp_back_cb *cb;
	void *arg;
	struct sp_exchange *x;
	bool sent;
	struct sp_stream *stream; /* that on_sent gave */
};

static struct sp_loop *loop;
static struct sp_list runs, opens;
static struct sp_book book;
static struct end client, origin;
static uint32_t traits;
static enum sp_outcome verdict;
static bool auth_holds;
static unsigned lines;
static bool messages; /* there were requests: what comes out is framed anew */

/* ---- the plugin host --------------------------------------------------------- */

uint32_t sp_auth_traits(const struct sp_auth *a, unsigned chain)
{
	(void)a;
	(void)chain;
	return traits;
}

void sp_identity_deinit(struct sp_identity *id)
{
	sp_secret_free(&id->tenant);
	sp_secret_free(&id->principal);
	sp_secret_free(&id->upstream_auth);
	sp_secret_free(&id->claims);
}

static void run_free(struct sp_auth_run *run)
{
	sp_timer_stop(loop, &run->timer);
	sp_list_remove(&run->node);
	free(run);
}

static void on_verdict(struct sp_timer *t)
{
	struct sp_auth_run run = *SP_CONTAINER_OF(t, struct sp_auth_run, timer);
	struct sp_identity id = { 0 };

	run_free(SP_CONTAINER_OF(t, struct sp_auth_run, timer));
	if (run.outcome == SP_OUTCOME_OK)
		id.tenant = sp_strdup("t1");
	run.cb(run.arg, run.outcome, &id, NULL);
	sp_identity_deinit(&id);
}

struct sp_auth_run *sp_auth_start(struct sp_auth_worker *w, unsigned chain, const struct sp_auth_request *req, bool need_tenant,
				  uint64_t budget_ms, sp_auth_cb *cb, void *arg)
{
	struct sp_auth_run *run = SP_NEW(struct sp_auth_run);
	volatile uint8_t sink; /* what is handed in can be read */

	(void)w;
	(void)chain;
	(void)need_tenant;
	(void)budget_ms;
	for (size_t i = 0; i < req->secret.n; i++)
		sink = req->secret.p[i];
	for (size_t i = 0; i < req->location.n; i++)
		sink = req->location.p[i];
	(void)sink;
	run->cb = cb;
	run->arg = arg;
	run->outcome = verdict;
	sp_list_append(&runs, &run->node);
	if (!auth_holds)
		sp_timer_start(loop, &run->timer, 0, on_verdict);
	return run;
}

void sp_auth_cancel(struct sp_auth_run **run)
{
	if (*run)
		run_free(*run);
	*run = NULL;
}

/* ---- the back ------------------------------------------------------------------ */

static struct sp_back_open *back_open(struct sp_back *b, struct sp_exchange *x, sp_back_cb *cb, void *arg)
{
	struct open *o = SP_NEW(struct open);

	fuzz_must(x->target.host[0] != '\0' && x->target.port != 0);
	fuzz_must(x->identity.tenant != NULL);
	o->open.back = b;
	o->cb = cb;
	o->arg = arg;
	o->x = x;
	if (x->request) {
		messages = true;
		fuzz_must(x->request->method.n > 0 && x->request->path.n > 0);
		fuzz_must(!sp_fields_get(&x->request->fields, "proxy-authorization").p && !sp_fields_get(&x->request->fields, "connection").p);
		fuzz_must(!sp_fields_get(&x->request->fields, "transfer-encoding").p && !sp_fields_get(&x->request->fields, "host").p);
	}
	sp_list_append(&opens, &o->node);
	return &o->open;
}

static void back_cancel(struct sp_back_open *open)
{
	struct open *o = SP_CONTAINER_OF(open, struct open, open);

	sp_list_remove(&o->node);
	free(o);
}

static const struct sp_back_ops back_ops = { .name = "fuzz", .open = back_open, .cancel = back_cancel };
static struct sp_back back = { &back_ops };

/* ---- the two ends ---------------------------------------------------------------- */

static size_t on_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct end *e = arg;
	size_t total = 0;

	for (unsigned i = 0; i < n; i++) {
		sp_must(sp_buf_append_slice(&e->got, v[i]) == 0);
		total += v[i].n;
	}
	return total;
}

static void on_eof(void *arg)
{
	(void)arg;
}

static void on_closed(void *arg, const struct sp_cause *cause)
{
	struct end *e = arg;

	(void)cause;
	e->s = NULL;
}

static struct sp_stream *end_open(struct end *e)
{
	static const struct sp_stream_events events = { .on_data = on_data, .on_eof = on_eof, .on_closed = on_closed };
	struct sp_stream *mine, *other;

	sp_must(sp_stream_pair(loop, &mine, &other) == 0);
	*e = (struct end){ .s = mine };
	sp_stream_attach(mine, &events, e);
	sp_stream_read_start(mine);
	return other;
}

static void end_send(struct end *e, const uint8_t *p, size_t n)
{
	if (!e->s || e->shut || e->sent.len + n > SENT_MAX || n == 0)
		return;
	sp_must(sp_buf_append(&e->sent, p, n) == 0);
	(void)sp_stream_write(e->s, p, n);
}

static void end_shut(struct end *e)
{
	if (e->s)
		sp_stream_shutdown_write(e->s);
	e->shut = true;
}

static void end_close(struct end *e, enum sp_close how)
{
	if (e->s)
		sp_stream_close(e->s, how);
	e->shut = true;
}

static struct sp_stream *origin_open(void)
{
	sp_buf_deinit(&origin.sent);
	sp_buf_deinit(&origin.got);
	return end_open(&origin);
}

/* The request is on its way; not called back yet. */
static void send_request(struct open *o)
{
	o->sent = true;
	if (o->x->request->has_body)
		o->stream = origin_open();
	o->x->ev->on_sent(o->x->ev_arg, o->stream); /* may cancel o */
}

static void respond(struct open *o, unsigned how)
{
	static const struct sp_msg_response shapes[] = {
		{ .status = 200 }, { .status = 200, .has_length = true, .length = 5 }, { .status = 204, .ended = true },
		{ .status = 304, .ended = true, .has_length = true, .length = 9 }, { .status = 500, .outcome = SP_OUTCOME_REFUSED },
		{ .status = 200, .has_length = true, .ended = true },
	};
	struct sp_msg_response r = shapes[how % SP_COUNT_OF(shapes)];
	struct open mine = *o;

	if (r.outcome == SP_OUTCOME_UNKNOWN)
		r.outcome = SP_OUTCOME_OK;
	if (o->x->request->protocol.p && how % 2 == 0)
		r = (struct sp_msg_response){ .status = 200, .switched = true, .outcome = SP_OUTCOME_OK };
	sp_list_remove(&o->node);
	free(o);
	mine.x->response = &r;
	mine.cb(mine.arg, mine.stream ? mine.stream : origin_open(), SP_OUTCOME_OK, NULL);
}

static void complete_request(struct open *o, unsigned how)
{
	struct sp_fields none = { 0 };

	if (!o->stream && origin.s)
		return; /* one system at a time */
	if (how == 30)
		o->x->ev->on_interim(o->x->ev_arg, 103, &none);
	else if (!o->sent)
		send_request(o);
	else
		respond(o, how >> 1);
}

static void complete_open(unsigned how)
{
	struct sp_cause cause = { .err = SP_EREFUSED };
	struct sp_list *n;
	struct open o;

	if (sp_list_empty(&opens))
		return;
	if (SP_CONTAINER_OF(opens.next, struct open, node)->x->request && how % 8 != 0) {
		complete_request(SP_CONTAINER_OF(opens.next, struct open, node), how);
		return;
	}
	n = sp_list_pop(&opens);
	o = *SP_CONTAINER_OF(n, struct open, node);
	free(SP_CONTAINER_OF(n, struct open, node));
	if (how & 1 && !origin.s) {
		o.cb(o.arg, origin_open(), SP_OUTCOME_OK, NULL);
	} else {
		o.cb(o.arg, NULL, (enum sp_outcome)(how % SP_OUTCOME_COUNT), &cause);
	}
}

static void complete_auth(void)
{
	if (!sp_list_empty(&runs))
		on_verdict(&SP_CONTAINER_OF(runs.next, struct sp_auth_run, node)->timer);
}

/* ---- turns -------------------------------------------------------------------------- */

struct turns {
	struct sp_timer timer;
	unsigned left;
};

static void on_turn(struct sp_timer *t)
{
	struct turns *turns = SP_CONTAINER_OF(t, struct turns, timer);

	if (--turns->left > 0)
		sp_timer_start(loop, t, 0, on_turn);
}

static bool no_turns_left(void *arg)
{
	return ((struct turns *)arg)->left == 0;
}

static void run_turns(unsigned n)
{
	struct turns t = { .left = n };

	sp_timer_start(loop, &t.timer, 0, on_turn);
	fuzz_must(sp_loop_run_until(loop, no_turns_left, &t, 60000));
}

static bool all_gone(void *arg)
{
	(void)arg;
	return book.clients == 0 && book.exchanges == 0 && !client.s && !origin.s;
}

/* ---- the script --------------------------------------------------------------------------- */

static struct sp_front *front_new(struct sp_front_env *env, unsigned which)
{
	static const struct sp_front_ops *const ops[] = { &sp_front_socks5, &sp_front_http, &sp_front_forward };
	struct sp_front *f = SP_NEW(struct sp_front);

	f->ops = ops[which % 3];
	f->env = env;
	f->conf.target = (struct sp_authority){ .host = "db.virtual", .port = 5432 };
	sp_list_init(&f->clients);
	return f;
}

static void step(struct sp_front **front, uint8_t op, struct sp_slice *in)
{
	static const enum sp_outcome verdicts[] = { SP_OUTCOME_OK, SP_OUTCOME_NO_CREDENTIAL, SP_OUTCOME_BAD_CREDENTIAL, SP_OUTCOME_LIMIT };
	size_t n = (op >> 3) + 1u;

	switch (op & 7) {
	case 0:
	case 1:
		n = (op & 1) ? n * 16 : n;
		n = n < in->n ? n : in->n;
		end_send(&client, in->p, n);
		in->p += n;
		in->n -= n;
		break;
	case 2:
		complete_open(op >> 3);
		break;
	case 3:
		end_send(&origin, (const uint8_t *)"an answer from the origin", n % 26);
		break;
	case 4:
		run_turns(n % 4 + 1);
		break;
	case 5:
		complete_auth();
		verdict = verdicts[n % SP_COUNT_OF(verdicts)];
		break;
	case 6:
		if (n % 8 == 0)
			end_close(&client, SP_CLOSE_ABORT);
		else if (n % 8 == 1)
			end_close(&origin, SP_CLOSE_ABORT);
		else if (n % 8 == 2)
			end_close(&origin, SP_CLOSE_FLUSH);
		else if (n % 2 == 0)
			end_shut(&origin);
		else
			end_shut(&client);
		break;
	case 7:
		if (n % 8 == 0)
			book.draining = true;
		else if (n % 8 == 1 && *front)
			sp_front_drain(*front);
		else if (n % 8 == 2 && *front)
			sp_front_close(front);
		else if (n % 8 == 3)
			book.exchanges_max = 0;
		else
			run_turns(1);
		break;
	}
}

static void on_line(void *arg, const char *line)
{
	(void)arg;
	lines += strstr(line, " exchange=") != NULL;
}

static bool holds(struct sp_slice in, struct sp_slice part)
{
	for (size_t i = 0; i + part.n <= in.n; i++)
		if (part.n == 0 || memcmp(in.p + i, part.p, part.n) == 0)
			return true;
	return false;
}

/* What came out at one end went in at the other, in one piece and in order; the client saw our answers before it. */
static void check_bytes(void)
{
	struct sp_slice sent = sp_buf_data(&origin.sent), got = sp_buf_data(&client.got);
	size_t n = book.bytes_down < got.n ? (size_t)book.bytes_down : got.n;

	fuzz_must(holds(sp_buf_data(&client.sent), sp_buf_data(&origin.got)));
	fuzz_must(book.bytes_up <= client.sent.len && origin.got.len <= book.bytes_up);
	fuzz_must(book.bytes_down <= sent.n);
	/* A reset may have cost the client the end of it, never the middle. */
	while (n > 0 && !(n <= sent.n && memcmp(got.p + got.n - n, sent.p, n) == 0))
		n--;
	fuzz_must(n > 0 || book.bytes_down == 0 || client.shut);
}

/* Whatever happened, the client's first bytes are a response, or the beginning of one. */
static void check_heads(void)
{
	static const struct sp_http_limits limits = { 65536, 65536, SP_FIELDS_MAX };
	struct sp_http_response r;

	fuzz_must(sp_http_response_read(sp_buf_data(&client.got), &limits, &r) >= 0);
}

static void setup(void)
{
	if (loop)
		return;
	sp_must(sp_loop_new(&loop) == 0);
	sp_list_init(&runs);
	sp_list_init(&opens);
	sp_log_capture(on_line, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sp_conf conf = { .refs = 1,
				       .timeouts = { .handshake_ms = 60000, .auth_ms = 60000, .open_ms = 60000, .response_ms = 60000,
						     .body_ms = 60000, .keep_alive_ms = 60000 },
				       .limits = { .token_bytes = 512, .head_bytes = 1024, .head_line_bytes = 512, .fields = 20 } };
	static struct sp_addr from;
	struct sp_slice in = { data, size };
	struct sp_front_env env = { .conf = &conf, .auth_worker = (struct sp_auth_worker *)&conf, .back = &back, .book = &book };
	struct sp_front *front;
	uint64_t ended = 0;

	if (size < 2)
		return 0;
	setup();
	env.loop = loop;
	book = (struct sp_book){ .clients_max = 1, .exchanges_max = 1 };
	lines = 0;
	messages = false;
	origin = (struct end){ 0 };
	traits = data[0] & 4 ? SP_TRAIT_WANTS_TOKEN : 0;
	auth_holds = (data[0] & 8) != 0;
	verdict = data[0] & 16 ? SP_OUTCOME_NO_CREDENTIAL : SP_OUTCOME_OK;
	front = front_new(&env, data[0] & 3);
	in.p++;
	in.n--;
	sp_must(sp_addr_parse("10.9.8.7:1", &from) == 0);
	sp_front_accepted(front, end_open(&client), &from);
	while (in.n > 0) {
		uint8_t op = in.p[0];

		in.p++;
		in.n--;
		step(&front, op, &in);
	}
	run_turns(3);
	if (front)
		sp_front_close(&front);
	end_close(&client, SP_CLOSE_ABORT);
	end_close(&origin, SP_CLOSE_ABORT);
	fuzz_must(sp_loop_run_until(loop, all_gone, NULL, 60000));
	run_turns(1); /* what died is reaped */
	fuzz_must(sp_list_empty(&runs) && sp_list_empty(&opens));
	for (unsigned o = 0; o < SP_OUTCOME_COUNT; o++)
		ended += book.ended[o];
	fuzz_must(lines == ended);
	if (messages)
		check_heads();
	else
		check_bytes();
	sp_buf_deinit(&client.sent);
	sp_buf_deinit(&client.got);
	sp_buf_deinit(&origin.sent);
	sp_buf_deinit(&origin.got);
	return 0;
}
