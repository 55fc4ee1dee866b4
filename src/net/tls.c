/* TLS over a stream, itself a stream. See tls.h.
 *
 * Data path: OpenSSL reads straight out of what the carrier lends and writes into memory that the loop lends; up to 256
 * KiB of plaintext make one on_data. Small writes are gathered into one record a turn, large ones are encrypted where
 * they lie.
 *
 *   HANDSHAKE -> OPEN -> CLOSING (our close: the carrier ends, then on_closed)
 *   HANDSHAKE, OPEN -> FAILED (on_closed with the cause follows; the carrier brings our alert out by itself)
 *
 * SSL calls never happen inside other SSL calls: upcalls are made between them only. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "net/loop_int.h"
#include "net/stream_int.h"
#include "net/tls_int.h"

#define WRITE_NOW_BYTES (32u * 1024) /* a write from here on does not wait for the end of the turn */
#define RECORD_BYTES SP_MEM_RECORD_BYTES
#define ANSWERS_MAX 32u /* records the peer may make us send (KeyUpdate) while it reads nothing */

static const struct sp_stream_ops tls_ops;
static const struct sp_stream_events carrier_events, orphan_events;

static struct tls *tls_of(const struct sp_stream *s)
{
	sp_must(s->ops == &tls_ops);
	sp_loop_assert(s->loop);
	return SP_CONTAINER_OF(s, struct tls, s);
}

/* ---- the end ------------------------------------------------------------------ */

static void on_reap(struct sp_reap *r)
{
	struct tls *t = SP_CONTAINER_OF(r, struct tls, reap);

	sp_rx_deinit(&t->s, &t->rx);
	sp_buf_wipe(&t->early);
	sp_tls_peer_deinit(&t->peer);
	SSL_free(t->ssl);
	sp_tls_ctx_unref(&t->ctx);
	free(t->name);
	free(t);
}

static void on_gone(struct sp_defer *d)
{
	struct tls *t = SP_CONTAINER_OF(d, struct tls, gone);

	if (t->tell_ready)
		t->on_ready(t->ready_arg, NULL, &t->cause);
	sp_up_closed(&t->s, t->cause.err ? &t->cause : NULL);
	sp_reap(t->s.loop, &t->reap, on_reap);
}

static void finish(struct tls *t)
{
	sp_tls_out_drop(t);
	sp_rx_close(&t->s, &t->rx);
	sp_timer_stop(t->s.loop, &t->deadline);
	sp_defer_cancel(&t->turn);
	sp_defer(t->s.loop, &t->gone, on_gone);
}

/* The carrier goes on alone: it brings our alert out and lingers, which must not delay on_closed. */
void sp_tls_fail(struct tls *t, const struct sp_cause *cause)
{
	struct sp_stream *carrier;

	if (t->state == TLS_FAILED || t->state == TLS_CLOSING)
		return;
	t->tell_ready = t->state == TLS_HANDSHAKE && !t->flush_close;
	t->state = TLS_FAILED;
	if (!t->flush_close)
		t->cause = *cause;
	sp_tls_out_flush(t);
	carrier = t->carrier;
	t->carrier = NULL;
	if (carrier) {
		sp_stream_attach(carrier, &orphan_events, NULL);
		sp_stream_close(carrier, cause->err == SP_ETIMEOUT ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH);
	}
	finish(t);
}

void sp_tls_fail_with(struct tls *t, int err, const char *text)
{
	struct sp_cause cause = { 0 };

	sp_cause_set(&cause, err, SP_DOMAIN_TLS, 0, "%s", text);
	sp_tls_fail(t, &cause);
}

void sp_tls_fail_ssl(struct tls *t, const char *what)
{
	struct sp_cause cause = { 0 };

	sp_tls_cause(&cause, t->ssl, t->name, what);
	sp_tls_fail(t, &cause);
}

/* ---- sending (the work is in tls_out.c) --------------------------------------------------- */

static void on_turn(struct sp_defer *d);

static void turn_soon(struct tls *t)
{
	if (t->state == TLS_HANDSHAKE || t->state == TLS_OPEN)
		sp_defer(t->s.loop, &t->turn, on_turn);
}

static bool writable(const struct tls *t)
{
	return (t->state == TLS_HANDSHAKE || t->state == TLS_OPEN) && !t->shut;
}

static ssize_t tls_writev(struct sp_stream *s, const struct sp_slice *v, unsigned n)
{
	struct tls *t = tls_of(s);
	size_t total = 0;
	unsigned i;

	if (!writable(t))
		return SP_ECLOSED;
	for (i = 0; i < n; i++)
		total += v[i].n;
	s->bytes_out += total;
	if (t->state == TLS_HANDSHAKE)
		return sp_tls_out_early(t, v, n);
	for (i = 0; i < n; i++)
		sp_tls_out_slice(t, v[i]);
	if (t->state != TLS_OPEN)
		return 0; /* on_closed follows */
	if (total >= WRITE_NOW_BYTES)
		sp_tls_out_all(t);
	else if (t->stage_len + t->out_len > 0)
		turn_soon(t);
	return t->state == TLS_OPEN ? sp_tls_out_report(t) : 0;
}

static void drained(struct tls *t)
{
	if (!t->owes_drain || t->blocked || t->state != TLS_OPEN)
		return;
	t->owes_drain = false;
	if (!t->shut)
		sp_up_drain(&t->s);
}

static void tls_shutdown_write(struct sp_stream *s)
{
	struct tls *t = tls_of(s);

	if (!writable(t))
		return;
	t->shut = true;
	if (t->state == TLS_OPEN)
		sp_tls_out_end(t);
}

void sp_tls_flush(struct sp_stream *s)
{
	struct tls *t = tls_of(s);

	if (t->state == TLS_OPEN)
		sp_tls_out_all(t);
}

/* ---- the handshake --------------------------------------------------------------------- */

static void update_carrier(struct tls *t);

static void close_carrier(struct tls *t, enum sp_close how)
{
	t->state = TLS_CLOSING;
	sp_rx_close(&t->s, &t->rx);
	sp_timer_stop(t->s.loop, &t->deadline);
	sp_defer_cancel(&t->turn);
	sp_tls_out_drop(t);
	sp_stream_close(t->carrier, how); /* its on_closed is ours */
}

static void handshake_done(struct tls *t)
{
	struct sp_slice early;

	if (!t->flush_close)
		sp_timer_stop(t->s.loop, &t->deadline);
	if (sp_tls_peer_fill(&t->peer, t->ssl)) {
		sp_tls_fail_with(t, SP_ENOMEM, "handshake: out of memory");
		return;
	}
	t->state = TLS_OPEN;
	t->ready = true;
	early = sp_buf_data(&t->early);
	sp_tls_out_slice(t, early);
	sp_buf_wipe(&t->early);
	if (t->state == TLS_OPEN && (t->shut || t->flush_close))
		sp_tls_out_end(t);
	if (t->state != TLS_OPEN)
		return;
	sp_tls_out_all(t);
	if (t->flush_close) {
		close_carrier(t, SP_CLOSE_FLUSH);
		return;
	}
	turn_soon(t); /* on_drain, if early data owes one */
	t->on_ready(t->ready_arg, &t->peer, NULL);
}

static void handshake_step(struct tls *t)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r == 1) {
		handshake_done(t);
		return;
	}
	if (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ) {
		sp_tls_out_flush(t);
		return;
	}
	sp_tls_fail_ssl(t, "handshake");
}

static void on_deadline(struct sp_timer *timer)
{
	struct tls *t = SP_CONTAINER_OF(timer, struct tls, deadline);

	if (t->flush_close)
		close_carrier(t, SP_CLOSE_ABORT);
	else
		sp_tls_fail_with(t, SP_ETIMEOUT, "handshake: timed out");
}

static void on_turn(struct sp_defer *d)
{
	struct tls *t = SP_CONTAINER_OF(d, struct tls, turn);

	if (t->state == TLS_HANDSHAKE) {
		handshake_step(t);
		return;
	}
	sp_tls_out_all(t);
	drained(t);
}

/* ---- receiving --------------------------------------------------------------------------- */

enum got { GOT_DATA, GOT_ALL, GOT_END, GOT_ERROR };

static enum got decrypt_one(struct tls *t, uint8_t *dst, size_t size, size_t *n_out, struct sp_cause *cause)
{
	size_t before = t->out_len;
	int r;

	ERR_clear_error();
	r = SSL_read_ex(t->ssl, dst, size, n_out);
	if (t->out_len != before) {
		turn_soon(t);
		if (t->blocked && ++t->answers > ANSWERS_MAX) {
			sp_cause_set(cause, SP_EPROTO, SP_DOMAIN_TLS, 0, "read: the peer asks without reading");
			return GOT_ERROR;
		}
	}
	if (r == 1)
		return GOT_DATA;
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return GOT_ALL;
	case SSL_ERROR_ZERO_RETURN:
		return GOT_END;
	default:
		sp_tls_cause(cause, t->ssl, t->name, "read");
		return GOT_ERROR;
	}
}

/* As many whole records as fit. */
static enum got decrypt_batch(struct tls *t, uint8_t *dst, size_t *n_out, struct sp_cause *cause)
{
	enum got got = GOT_DATA;
	size_t n = 0, one;

	while (got == GOT_DATA && SP_MEM_BULK_BYTES - n >= RECORD_BYTES) {
		one = 0;
		got = decrypt_one(t, dst + n, SP_MEM_BULK_BYTES - n, &one, cause);
		n += one;
	}
	*n_out = n;
	return got;
}

static void decrypt(struct tls *t)
{
	struct sp_loop *loop = t->s.loop;
	struct sp_cause cause = { 0 };
	enum got got = GOT_DATA;
	uint8_t *plain;
	size_t n;

	if (t->s.input_ended)
		return; /* after close_notify: not ours to look at */
	plain = sp_loop_mem_take(loop, SP_MEM_BULK);
	if (!plain) {
		sp_tls_fail_with(t, SP_ENOMEM, "read: out of memory");
		return;
	}
	while (got == GOT_DATA && t->state == TLS_OPEN) {
		got = decrypt_batch(t, plain, &n, &cause);
		if (n > 0 && sp_rx_push(&t->s, &t->rx, plain, n))
			sp_tls_fail_with(t, SP_ENOMEM, "read: out of memory");
	}
	sp_loop_mem_give(loop, SP_MEM_BULK, plain);
	if (t->state != TLS_OPEN)
		return;
	if (got == GOT_END)
		sp_rx_end(&t->s, &t->rx);
	else if (got == GOT_ERROR)
		sp_tls_fail(t, &cause);
}

static void update_carrier(struct tls *t)
{
	bool want = t->state == TLS_HANDSHAKE || (t->state == TLS_OPEN && sp_rx_wants(&t->s, &t->rx));

	if (!t->carrier || (t->state != TLS_HANDSHAKE && t->state != TLS_OPEN) || want == t->carrier_reads)
		return;
	t->carrier_reads = want;
	if (want)
		sp_stream_read_start(t->carrier);
	else
		sp_stream_read_stop(t->carrier);
}

static void on_later(struct sp_timer *timer)
{
	struct tls *t = SP_CONTAINER_OF(timer, struct tls, rx.later);

	sp_rx_run(&t->s, &t->rx);
	update_carrier(t);
}

/* Takes everything: what the reader does not want now is kept as plaintext. */
static size_t on_carrier_data(void *arg, const struct sp_slice *v, unsigned n)
{
	struct tls *t = arg;
	size_t total = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		total += v[i].n;
		t->in = v[i];
		if (t->state == TLS_HANDSHAKE)
			handshake_step(t);
		if (t->state == TLS_OPEN)
			decrypt(t);
	}
	t->in = SP_SLICE_NONE;
	update_carrier(t);
	return total;
}

static void on_carrier_eof(void *arg)
{
	struct tls *t = arg;

	if (t->state == TLS_HANDSHAKE) {
		sp_tls_fail_with(t, SP_ETLS, "handshake: the peer closed the connection");
		return;
	}
	if (t->state != TLS_OPEN || t->s.input_ended)
		return;
	if (t->delimited) {
		sp_rx_end(&t->s, &t->rx);
		return;
	}
	sp_rx_run(&t->s, &t->rx);
	sp_tls_fail_with(t, SP_ETLS, "read: truncated (the peer closed without close_notify)");
}

static void on_carrier_drain(void *arg)
{
	struct tls *t = arg;

	t->blocked = false;
	t->answers = 0;
	drained(t);
}

static void on_carrier_closed(void *arg, const struct sp_cause *cause)
{
	struct tls *t = arg;
	struct sp_cause none = { .err = SP_ECLOSED };

	t->carrier = NULL;
	if (t->state == TLS_CLOSING) {
		finish(t);
		return;
	}
	sp_rx_run(&t->s, &t->rx); /* what came before it is told first */
	if (t->state == TLS_CLOSING)
		finish(t);
	else
		sp_tls_fail(t, cause ? cause : &none);
}

static const struct sp_stream_events carrier_events = {
	.on_data = on_carrier_data,
	.on_eof = on_carrier_eof,
	.on_drain = on_carrier_drain,
	.on_closed = on_carrier_closed,
};

static size_t on_orphan_data(void *arg, const struct sp_slice *v, unsigned n)
{
	size_t total = 0;

	(void)arg;
	for (; n > 0; n--)
		total += v++->n;
	return total;
}

static void on_orphan_event(void *arg)
{
	(void)arg;
}

static void on_orphan_closed(void *arg, const struct sp_cause *cause)
{
	(void)arg;
	(void)cause;
}

static const struct sp_stream_events orphan_events = {
	.on_data = on_orphan_data,
	.on_eof = on_orphan_event,
	.on_drain = on_orphan_event,
	.on_closed = on_orphan_closed,
};

/* ---- the rest of the stream's operations ---------------------------------------------------- */

static void tls_read_start(struct sp_stream *s)
{
	struct tls *t = tls_of(s);

	sp_rx_start(s, &t->rx);
	update_carrier(t);
}

static void tls_read_stop(struct sp_stream *s)
{
	struct tls *t = tls_of(s);

	sp_rx_stop(s, &t->rx);
	update_carrier(t);
}

static void tls_close(struct sp_stream *s, enum sp_close how)
{
	struct tls *t = tls_of(s);

	if (t->state == TLS_FAILED)
		return;
	if (t->state == TLS_CLOSING) {
		if (t->carrier)
			sp_stream_close(t->carrier, how);
		return;
	}
	sp_rx_close(s, &t->rx);
	if (how == SP_CLOSE_FLUSH && t->state == TLS_HANDSHAKE && t->early.len > 0) {
		if (!t->flush_close)
			sp_timer_start(s->loop, &t->deadline, SP_STREAM_LINGER_MS, on_deadline);
		t->flush_close = t->shut = true;
		return;
	}
	if (how == SP_CLOSE_FLUSH && t->state == TLS_OPEN && !t->shut) {
		t->shut = true;
		sp_tls_out_end(t);
	}
	if (t->state == TLS_FAILED)
		return;
	if (how == SP_CLOSE_FLUSH)
		sp_tls_out_flush(t);
	if (t->carrier)
		close_carrier(t, how);
	else
		t->state = TLS_CLOSING; /* inside the carrier's on_closed */
}

static const struct sp_stream_ops tls_ops = {
	.writev = tls_writev,
	.shutdown_write = tls_shutdown_write,
	.read_start = tls_read_start,
	.read_stop = tls_read_stop,
	.close = tls_close,
};

/* ---- opening ----------------------------------------------------------------------------------- */

/* RFC 9525: the name as given must stand in the certificate's subjectAltName; no common name, no partial wildcards. */
static bool set_name(struct tls *t, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	struct in6_addr ip;
	size_t n = strlen(name);

	if (n == 0)
		return false;
	t->name = strdup(name);
	if (!t->name)
		return false;
	if (inet_pton(AF_INET, name, &ip) == 1 || inet_pton(AF_INET6, name, &ip) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
	if (n > 1 && t->name[n - 1] == '.')
		t->name[n - 1] = '\0';
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(param, t->name, 0) == 1 && SSL_set_tlsext_host_name(t->ssl, t->name) == 1;
}

static int setup_ssl(struct tls *t, const char *verify_name)
{
	BIO *bio;

	ERR_clear_error();
	t->ssl = SSL_new(sp_tls_ctx_ssl(t->ctx));
	bio = t->ssl ? sp_tls_bio_new(t) : NULL;
	if (!bio)
		return SP_ENOMEM;
	SSL_set_bio(t->ssl, bio, bio);
	if (sp_tls_ctx_is_server(t->ctx)) {
		SSL_set_accept_state(t->ssl);
		return 0;
	}
	sp_must(verify_name != NULL); /* whom we dial is always verified */
	SSL_set_connect_state(t->ssl);
	return set_name(t, verify_name) ? 0 : SP_ETLS;
}

int sp_tls_open(struct sp_tls_ctx *ctx, struct sp_stream *carrier, const char *verify_name, uint64_t timeout_ms,
		sp_tls_ready_cb *on_ready, void *arg, struct sp_stream **out)
{
	struct tls *t = calloc(1, sizeof(*t));
	int err = SP_ENOMEM;

	sp_loop_assert(carrier->loop);
	sp_stream_read_stop(carrier);
	sp_stream_attach(carrier, &orphan_events, NULL);
	if (t) {
		t->s.ops = &tls_ops;
		t->s.loop = carrier->loop;
		t->rx.on_later = on_later;
		t->ctx = sp_tls_ctx_ref(ctx);
		t->on_ready = on_ready;
		t->ready_arg = arg;
		err = setup_ssl(t, verify_name);
	}
	if (err) {
		ERR_clear_error();
		sp_stream_close(carrier, SP_CLOSE_ABORT);
		if (t)
			on_reap(&t->reap);
		return err;
	}
	t->carrier = carrier;
	sp_stream_attach(carrier, &carrier_events, t);
	sp_timer_start(t->s.loop, &t->deadline, timeout_ms, on_deadline);
	update_carrier(t);
	turn_soon(t);
	*out = &t->s;
	return 0;
}

const struct sp_tls_peer *sp_tls_peer(const struct sp_stream *s)
{
	const struct tls *t = tls_of(s);

	return t->ready ? &t->peer : NULL;
}

void sp_tls_payload_delimited(struct sp_stream *s)
{
	tls_of(s)->delimited = true;
}
