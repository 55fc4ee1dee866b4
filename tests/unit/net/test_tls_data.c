/* TLS once the handshake is done: ends, records, hostile peers. */
#include "suites.h"

#include <openssl/err.h>
#include <stdio.h>

#include "base/must.h"
#include "certs.h"
#include "tls_pair.h"

static uint8_t block[256 * 1024];

/* ---- early bytes, ends --------------------------------------------------------- */

START_TEST(early_bytes)
{
	tls_open("gateway.test", 0);
	sp_stream_write(client.e.s, "hello ", 6);
	sp_stream_write(server.e.s, "greetings", 9);
	sp_stream_write(client.e.s, "server", 6);
	sp_stream_shutdown_write(client.e.s);
	sp_stream_read_start(server.e.s);
	sp_stream_read_start(client.e.s);
	run_until_count(&server.e.eof, 1);
	run_until_bytes(&client.e.in_bytes, 9);
	ck_assert_str_eq(sp_buf_str(&server.e.in), "hello server");
	ck_assert_str_eq(sp_buf_str(&client.e.in), "greetings");
	ck_assert(client.ok && server.ok);
	tls_close();
}
END_TEST

/* Early bytes above the high mark: one on_drain, when they are out. */
START_TEST(early_bytes_drain)
{
	size_t sent;

	tls_open("gateway.test", 0);
	sent = fill(&client.e);
	server.e.collect = false;
	sp_stream_read_start(server.e.s);
	run_until_count(&client.e.drain, 1);
	run_until_bytes(&server.e.in_bytes, sent);
	run_turns(10);
	ck_assert_uint_eq(client.e.drain, 1);
	tls_close();
}
END_TEST

/* A TCP end without close_notify: somebody may have cut it. */
START_TEST(truncated)
{
	tls_connect();
	sp_stream_read_start(server.e.s);
	sp_stream_write(client.e.s, "half a mess", 11);
	run_until_bytes(&server.e.in_bytes, 11);
	sp_stream_shutdown_write(client.plain);
	run_until_count(&server.e.closed, 1);
	ck_assert_uint_eq(server.e.eof, 0);
	ck_assert_int_eq(server.e.cause.err, SP_ETLS);
	ck_assert_ptr_nonnull(strstr(server.e.cause.text, "truncated"));
	tls_close();
}
END_TEST

START_TEST(end_without_notify_where_payload_is_delimited)
{
	tls_connect();
	sp_tls_payload_delimited(server.e.s);
	sp_stream_read_start(server.e.s);
	sp_stream_write(client.e.s, "a message", 9);
	run_until_bytes(&server.e.in_bytes, 9);
	sp_stream_shutdown_write(client.plain);
	run_until_count(&server.e.eof, 1);
	ck_assert_uint_eq(server.e.closed, 0);
	ck_assert_int_ge(sp_stream_write(server.e.s, "answer", 6), 0);
	sp_stream_read_start(client.e.s);
	run_until_bytes(&client.e.in_bytes, 6);
	tls_close();
}
END_TEST

START_TEST(reset_by_peer)
{
	tls_connect();
	sp_stream_read_start(server.e.s);
	sp_stream_close(client.e.s, SP_CLOSE_ABORT);
	run_until_count(&server.e.closed, 1);
	ck_assert_int_eq(server.e.cause.err, SP_ERESET);
	ck_assert_uint_eq(server.e.eof, 0);
	tls_close();
}
END_TEST

static size_t take_none(struct end *e, const uint8_t *p, size_t n)
{
	(void)e;
	(void)p;
	(void)n;
	return 0;
}

/* Bytes that the reader asked for again are told before the failure. */
START_TEST(kept_bytes_before_failure)
{
	tls_connect();
	server.e.take = take_none;
	sp_stream_read_start(server.e.s);
	sp_stream_write(client.e.s, "kept", 4);
	run_until_count(&server.e.data, 1);
	server.e.take = NULL;
	sp_stream_read_start(server.e.s);
	sp_stream_close(client.plain, SP_CLOSE_ABORT);
	run_until_count(&server.e.closed, 1);
	ck_assert_str_eq(sp_buf_str(&server.e.in), "kept");
	ck_assert(server.e.has_cause);
	tls_close();
}
END_TEST

static unsigned close_calls;

static size_t take_and_abort(struct end *e, const uint8_t *p, size_t n)
{
	(void)p;
	close_calls++;
	sp_stream_close(e->s, SP_CLOSE_ABORT);
	sp_stream_write(e->s, "x", 1);
	sp_stream_shutdown_write(e->s);
	return n;
}

/* Closed in the upcall that the carrier's failure brings about. */
START_TEST(close_while_carrier_fails)
{
	tls_connect();
	server.e.take = take_none;
	sp_stream_read_start(server.e.s);
	sp_stream_write(client.e.s, "kept", 4);
	run_until_count(&server.e.data, 1);
	close_calls = 0;
	server.e.take = take_and_abort;
	sp_stream_read_start(server.e.s);
	sp_stream_close(client.plain, SP_CLOSE_ABORT);
	run_until_count(&server.e.closed, 1);
	ck_assert_uint_eq(close_calls, 1);
	ck_assert(!server.e.has_cause);
	tls_close();
}
END_TEST

/* ---- records ------------------------------------------------------------------------ */

#define TLS13_OVERHEAD (5 + 1 + 16) /* header, content type, tag (RFC 8446 section 5.2) */

/* The small writes of one turn are one record and one write. */
START_TEST(small_writes_are_gathered)
{
	uint64_t before;
	unsigned i;

	tls_connect();
	sp_stream_read_start(server.e.s);
	run_turns(3);
	before = client.plain->bytes_out;
	for (i = 0; i < 20; i++)
		sp_stream_write(client.e.s, "0123456789", 10);
	ck_assert_uint_eq(client.plain->bytes_out, before);
	run_until_bytes(&server.e.in_bytes, 200);
	ck_assert_uint_eq(client.plain->bytes_out, before + 200 + TLS13_OVERHEAD);
	ck_assert_uint_eq(server.e.data, 1);
	tls_close();
}
END_TEST

START_TEST(flush_sends_now)
{
	uint64_t before;

	tls_connect();
	run_turns(3);
	before = client.plain->bytes_out;
	sp_stream_write(client.e.s, "now", 3);
	sp_tls_flush(client.e.s);
	ck_assert_uint_eq(client.plain->bytes_out, before + 3 + TLS13_OVERHEAD);
	sp_tls_flush(client.e.s);
	ck_assert_uint_eq(client.plain->bytes_out, before + 3 + TLS13_OVERHEAD);
	tls_close();
}
END_TEST

/* Large writes make full records, and one upcall for all of them. */
START_TEST(large_writes_make_full_records)
{
	enum { RECORDS = 12 };
	uint64_t before;

	tls_connect();
	sp_stream_read_start(server.e.s);
	run_turns(3);
	before = client.plain->bytes_out;
	sp_stream_write(client.e.s, block, RECORDS * 16384);
	ck_assert_uint_eq(client.plain->bytes_out, before + RECORDS * (16384 + TLS13_OVERHEAD));
	run_until_bytes(&server.e.in_bytes, RECORDS * 16384);
	ck_assert_uint_eq(server.e.data, 1);
	tls_close();
}
END_TEST

/* Small before large: order is kept, and the large slice is not copied behind the small one. */
START_TEST(order_of_small_and_large)
{
	struct sp_slice v[] = { SP_SLICE("head"), { block, 16384 }, SP_SLICE("tail"), { block, 20000 } };
	struct sp_slice in;

	pattern(0, block, sizeof(block));
	tls_connect();
	sp_stream_read_start(server.e.s);
	sp_stream_writev(client.e.s, v, SP_COUNT_OF(v));
	run_until_bytes(&server.e.in_bytes, 36392);
	in = sp_buf_data(&server.e.in);
	ck_assert_mem_eq(in.p, "head", 4);
	ck_assert_mem_eq(in.p + 4, block, 16384);
	ck_assert_mem_eq(in.p + 16388, "tail", 4);
	ck_assert_mem_eq(in.p + 16392, block, 20000);
	tls_close();
}
END_TEST

/* TLS over TLS over TCP: lent memory is not mixed up when one stream's upcall is another's input. */
START_TEST(nested)
{
	struct sp_stream *a, *b;
	struct side ca, sb;
	unsigned i;

	client = server = ca = sb = (struct side){ 0 };
	ends_connect(KIND_TCP, &a, &b);
	side_open(&ca, &client_cfg, a, "gateway.test", 0);
	side_open(&sb, &server_cfg, b, NULL, 0);
	side_open(&client, &client_cfg, ca.e.s, "gateway.test", 0);
	side_open(&server, &server_cfg, sb.e.s, NULL, 0);
	run_until_count(&client.ready, 1);
	run_until_count(&server.ready, 1);
	ck_assert(client.ok && server.ok);
	sp_stream_read_start(server.e.s);
	server.e.collect = false;
	pattern(0, block, sizeof(block));
	for (i = 0; i < 8; i++)
		sp_stream_write(client.e.s, block, sizeof(block));
	sp_stream_shutdown_write(client.e.s);
	run_until_count(&server.e.eof, 1);
	ck_assert_uint_eq(server.e.in_bytes, 8 * sizeof(block));
	{
		uint64_t h = HASH_START;

		for (i = 0; i < 8; i++)
			h = hash_add(h, block, sizeof(block));
		ck_assert_uint_eq(server.e.in_hash, h);
	}
	tls_close();
}
END_TEST

/* ---- a line that changes bytes --------------------------------------------------------- */

/* Stands between the two: hands on what it gets, flipping one bit at one offset of one direction. */
struct wire {
	struct sp_stream *from, *to;
	uint64_t at, flip;
};

static size_t on_wire_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct wire *w = arg;
	static uint8_t copy[64 * 1024];
	size_t i, total = 0;

	for (; n > 0; n--, v++) {
		ck_assert_uint_le(v->n, sizeof(copy));
		memcpy(copy, v->p, v->n);
		for (i = 0; i < v->n; i++) {
			if (w->at + i == w->flip)
				copy[i] ^= 1u << (w->flip % 8);
		}
		w->at += v->n;
		total += v->n;
		if (w->to)
			sp_stream_write(w->to, copy, v->n);
	}
	return total;
}

static void on_wire_eof(void *arg)
{
	struct wire *w = arg;

	if (w->to)
		sp_stream_shutdown_write(w->to);
}

static void on_wire_drain(void *arg)
{
	(void)arg;
}

static void on_wire_closed(void *arg, const struct sp_cause *cause)
{
	struct wire *w = arg;

	(void)cause;
	w->from = NULL;
}

static const struct sp_stream_events wire_events = {
	.on_data = on_wire_data,
	.on_eof = on_wire_eof,
	.on_drain = on_wire_drain,
	.on_closed = on_wire_closed,
};

static struct wire up, down; /* the two ends that are ours: from a, from b */

static void wire_link(void)
{
	/* A stream that is gone is nobody's target. */
	up.to = down.from;
	down.to = up.from;
}

static bool both_over(void *arg)
{
	(void)arg;
	wire_link();
	return (client.e.closed || client.e.eof) && (server.e.closed || server.e.eof);
}

static bool run_flipped(bool upwards, uint64_t flip)
{
	struct sp_stream *a, *b, *wa, *wb;

	client = server = (struct side){ 0 };
	linger_ms = 5;
	ends_connect(KIND_PAIR, &a, &wa);
	ends_connect(KIND_PAIR, &wb, &b);
	up = (struct wire){ .from = wa, .to = wb, .flip = upwards ? flip : UINT64_MAX };
	down = (struct wire){ .from = wb, .to = wa, .flip = upwards ? UINT64_MAX : flip };
	sp_stream_attach(wa, &wire_events, &up);
	sp_stream_attach(wb, &wire_events, &down);
	sp_stream_read_start(wa);
	sp_stream_read_start(wb);
	side_open(&client, &client_cfg, a, "gateway.test", 0);
	side_open(&server, &server_cfg, b, NULL, 0);
	sp_stream_read_start(client.e.s);
	sp_stream_read_start(server.e.s);
	sp_stream_write(client.e.s, "ping", 4);
	sp_stream_write(server.e.s, "pong", 4);
	sp_stream_shutdown_write(client.e.s);
	sp_stream_shutdown_write(server.e.s);
	if (sp_loop_run_until(loop, both_over, NULL, 300)) {
		ck_assert(client.e.closed || client.e.in_bytes == 4);
		ck_assert(server.e.closed || server.e.in_bytes == 4);
	} /* else: a length grew, and the rest is waited for: the deadlines' business */
	if (client.e.in.len)
		ck_assert_str_eq(sp_buf_str(&client.e.in), "pong");
	if (server.e.in.len)
		ck_assert_str_eq(sp_buf_str(&server.e.in), "ping");
	if (up.from)
		sp_stream_close(up.from, SP_CLOSE_ABORT);
	if (down.from)
		sp_stream_close(down.from, SP_CLOSE_ABORT);
	tls_close();
	return flip < (upwards ? up.at : down.at);
}

/* No changed byte is ever taken for data; whatever happens, nothing is leaked. */
START_TEST(changed_bytes)
{
	uint64_t flip;

	for (flip = 0; run_flipped(_i, flip); flip += flip < 64 ? 1 : 37)
		;
	ck_assert_uint_gt(flip, 100);
}
END_TEST

/* ---- a peer that uses OpenSSL by hand ----------------------------------------------------- */

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
};

static void raw_open(struct raw *r)
{
	r->ctx = SSL_CTX_new(TLS_client_method());
	r->ssl = SSL_new(r->ctx);
	r->in = BIO_new(BIO_s_mem());
	r->out = BIO_new(BIO_s_mem());
	SSL_set_bio(r->ssl, r->in, r->out);
	SSL_set_connect_state(r->ssl);
}

static void raw_close(struct raw *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
}

/* What it wants to send goes out over the plain end. */
static void raw_push(struct raw *r)
{
	char *p;
	long n = BIO_get_mem_data(r->out, &p);

	if (n > 0 && client.e.s)
		sp_stream_write(client.e.s, p, (size_t)n);
	(void)BIO_reset(r->out);
}

static size_t raw_take(struct end *e, const uint8_t *p, size_t n)
{
	struct raw *r = e->user;

	BIO_write(r->in, p, (int)n);
	if (!SSL_is_init_finished(r->ssl)) {
		ERR_clear_error();
		SSL_do_handshake(r->ssl);
	}
	raw_push(r);
	return n;
}

static void raw_connect(struct raw *r)
{
	struct sp_stream *a, *b;

	client = server = (struct side){ 0 };
	raw_open(r);
	ends_connect(KIND_PAIR, &a, &b);
	side_open(&server, &server_cfg, b, NULL, 0);
	end_open(&client.e, a);
	client.e.collect = false;
	client.e.user = r;
	client.e.take = raw_take;
	sp_stream_read_start(a);
	SSL_do_handshake(r->ssl);
	raw_push(r);
	run_until_count(&server.ready, 1);
	ck_assert(server.ok);
	run_turns(3);
}

static void key_updates(struct raw *r, unsigned n)
{
	char c;

	for (; n > 0; n--) {
		ck_assert_int_eq(SSL_key_update(r->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(r->ssl), 1);
		SSL_read(r->ssl, &c, 1); /* takes the answers so far */
	}
	raw_push(r);
}

/* A peer that wants new keys and reads gets them; one that does not read cannot make us hoard answers. */
START_TEST(key_updates_are_answered)
{
	struct raw r;
	char got[8];
	unsigned i;

	raw_connect(&r);
	sp_stream_read_start(server.e.s);
	for (i = 0; i < 100; i++) {
		key_updates(&r, 1);
		run_turns(2);
	}
	ck_assert_int_eq(SSL_write(r.ssl, "still here", 10), 10);
	raw_push(&r);
	run_until_bytes(&server.e.in_bytes, 10);
	sp_stream_write(server.e.s, "yes", 3);
	run_turns(5);
	ck_assert_int_eq(SSL_read(r.ssl, got, sizeof(got)), 3);
	raw_close(&r);
	tls_close();
}
END_TEST

START_TEST(key_updates_without_reading)
{
	struct raw r;
	unsigned i;

	raw_connect(&r);
	sp_stream_read_stop(client.e.s);
	sp_stream_read_start(server.e.s);
	fill(&server.e);
	for (i = 0; i < 200 && !server.e.closed; i++) {
		key_updates(&r, 1);
		run_turns(2);
	}
	ck_assert_uint_eq(server.e.closed, 1);
	ck_assert_uint_gt(i, 16);
	ck_assert_uint_lt(i, 100);
	ck_assert_int_eq(server.e.cause.err, SP_EPROTO);
	raw_close(&r);
	tls_close();
}
END_TEST

/* No session to resume: the certificate is looked at each time. */
START_TEST(no_resumption)
{
	struct raw r;

	raw_connect(&r);
	run_turns(5);
	ck_assert_int_eq(SSL_SESSION_is_resumable(SSL_get0_session(r.ssl)), 0);
	raw_close(&r);
	tls_close();
}
END_TEST

/* Renegotiation, the classic way to make a TLS 1.2 server work, is refused; the connection may fail over it. */
START_TEST(no_renegotiation)
{
	struct raw r;
	struct sp_stream *a, *b;
	char c;

	client = server = (struct side){ 0 };
	raw_open(&r);
	SSL_CTX_set_max_proto_version(r.ctx, TLS1_2_VERSION);
	SSL_set_max_proto_version(r.ssl, TLS1_2_VERSION);
	ends_connect(KIND_PAIR, &a, &b);
	side_open(&server, &server_cfg, b, NULL, 0);
	end_open(&client.e, a);
	client.e.collect = false;
	client.e.user = &r;
	client.e.take = raw_take;
	sp_stream_read_start(a);
	SSL_do_handshake(r.ssl);
	raw_push(&r);
	run_until_count(&server.ready, 1);
	ck_assert_str_eq(server.version, "TLSv1.2");
	sp_stream_read_start(server.e.s);
	run_turns(5);
	ck_assert_int_eq(SSL_session_reused(r.ssl), 0);
	SSL_renegotiate(r.ssl);
	SSL_do_handshake(r.ssl);
	raw_push(&r);
	run_turns(5);
	ERR_clear_error();
	ck_assert_int_le(SSL_read(r.ssl, &c, 1), 0);
	ck_assert_int_eq(SSL_is_init_finished(r.ssl) && SSL_num_renegotiations(r.ssl) > 0, 0);
	raw_close(&r);
	tls_close();
}
END_TEST

START_TEST(alert_of_the_peer_is_named)
{
	static const uint8_t fatal[] = { 21, 3, 3, 0, 2, 2, 80 }; /* internal_error */
	struct sp_stream *a, *b;

	client = server = (struct side){ 0 };
	ends_connect(KIND_PAIR, &a, &b);
	side_open(&client, &client_cfg, a, "gateway.test", 0);
	end_open(&server.e, b);
	sp_stream_write(b, fatal, sizeof(fatal));
	run_until_count(&client.e.closed, 1);
	ck_assert_int_eq(client.cause.err, SP_ETLS);
	ck_assert_int_eq(client.cause.raw, 80);
	ck_assert_str_eq(client.cause.text, "handshake: the peer says: internal error");
	tls_close();
}
END_TEST

Suite *sp_suite_tls_data(void)
{
	Suite *s = suite_create("tls data");
	TCase *tc = tcase_create("ends"), *rec = tcase_create("records"), *bad = tcase_create("hostile");

	tcase_add_checked_fixture(tc, tls_setup, tls_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, early_bytes);
	tcase_add_test(tc, early_bytes_drain);
	tcase_add_test(tc, truncated);
	tcase_add_test(tc, end_without_notify_where_payload_is_delimited);
	tcase_add_test(tc, reset_by_peer);
	tcase_add_test(tc, kept_bytes_before_failure);
	tcase_add_test(tc, close_while_carrier_fails);
	suite_add_tcase(s, tc);

	tcase_add_checked_fixture(rec, tls_setup, tls_teardown);
	tcase_set_timeout(rec, 60);
	tcase_add_test(rec, small_writes_are_gathered);
	tcase_add_test(rec, flush_sends_now);
	tcase_add_test(rec, large_writes_make_full_records);
	tcase_add_test(rec, order_of_small_and_large);
	tcase_add_test(rec, nested);
	suite_add_tcase(s, rec);

	tcase_add_checked_fixture(bad, tls_setup, tls_teardown);
	tcase_set_timeout(bad, 120);
	tcase_add_loop_test(bad, changed_bytes, 0, 2);
	tcase_add_test(bad, key_updates_are_answered);
	tcase_add_test(bad, key_updates_without_reading);
	tcase_add_test(bad, no_resumption);
	tcase_add_test(bad, no_renegotiation);
	tcase_add_test(bad, alert_of_the_peer_is_named);
	suite_add_tcase(s, bad);
	return s;
}
