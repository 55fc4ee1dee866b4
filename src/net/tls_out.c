/* The sending half of a TLS stream: gathering, encrypting, and OpenSSL's view of the carrier. See tls.c. */
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#include "base/must.h"
#include "net/loop_int.h"
#include "net/tcp_int.h"
#include "net/tls_int.h"

#define FLUSH_BYTES (128u * 1024) /* ciphertext per write to the carrier */
#define LARGE_BYTES (8u * 1024)	  /* a slice from here on is encrypted in place, not gathered */
#define RECORD_BYTES SP_MEM_RECORD_BYTES

void sp_tls_out_drop(struct tls *t)
{
	sp_loop_mem_give(t->s.loop, SP_MEM_BULK, t->out);
	sp_loop_mem_give(t->s.loop, SP_MEM_RECORD, t->stage);
	t->out = t->stage = NULL;
	t->out_len = t->stage_len = 0;
}

/* ---- OpenSSL's view of the carrier ------------------------------------------------ */

static int on_bio_read(BIO *bio, char *dst, int n)
{
	struct tls *t = BIO_get_data(bio);
	size_t take = (size_t)n < t->in.n ? (size_t)n : t->in.n;

	BIO_clear_retry_flags(bio);
	if (take == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(dst, t->in.p, take);
	t->in.p += take;
	t->in.n -= take;
	return (int)take;
}

static int on_bio_write(BIO *bio, const char *src, int n)
{
	struct tls *t = BIO_get_data(bio);
	size_t len = (size_t)n;

	BIO_clear_retry_flags(bio);
	if (len > SP_MEM_BULK_BYTES)
		return -1;
	if (t->out_len + len > SP_MEM_BULK_BYTES)
		sp_tls_out_flush(t);
	if (!t->out)
		t->out = sp_loop_mem_take(t->s.loop, SP_MEM_BULK);
	if (!t->out)
		return -1;
	memcpy(t->out + t->out_len, src, len);
	t->out_len += len;
	return n;
}

static long on_bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH; /* sp_tls_out_flush() knows better when */
}

static BIO_METHOD *bio_method; /* made once, for good */

static void make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport");
	sp_must(bio_method && BIO_meth_set_read(bio_method, on_bio_read) == 1 &&
		BIO_meth_set_write(bio_method, on_bio_write) == 1 && BIO_meth_set_ctrl(bio_method, on_bio_ctrl) == 1);
}

BIO *sp_tls_bio_new(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_bio_method);
	bio = BIO_new(bio_method);
	if (!bio)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

/* ---- sending ------------------------------------------------------------------------- */

void sp_tls_out_flush(struct tls *t)
{
	uint8_t *mem = t->out;
	size_t n = t->out_len;
	ssize_t queued;

	if (n == 0)
		return;
	t->out = NULL;
	t->out_len = 0;
	if (t->carrier && sp_tcp_is(t->carrier)) {
		queued = sp_tcp_write_bulk(t->carrier, mem, n); /* takes mem */
	} else {
		queued = t->carrier ? sp_stream_write(t->carrier, mem, n) : 0;
		sp_loop_mem_give(t->s.loop, SP_MEM_BULK, mem);
	}
	if (queued >= SP_STREAM_HIGH)
		t->blocked = true;
}

/* Encrypts up to one record; returns what it took, 0 when the stream has failed. */
static size_t encrypt(struct tls *t, const uint8_t *p, size_t n)
{
	size_t done = 0;

	ERR_clear_error();
	if (SSL_write_ex(t->ssl, p, n < RECORD_BYTES ? n : RECORD_BYTES, &done) != 1) {
		sp_tls_fail_ssl(t, "write");
		return 0;
	}
	if (t->out_len >= FLUSH_BYTES)
		sp_tls_out_flush(t);
	return done;
}

static void encrypt_stage(struct tls *t)
{
	uint8_t *mem = t->stage;
	size_t n = t->stage_len, off = 0, took;

	if (!mem)
		return;
	t->stage = NULL;
	t->stage_len = 0;
	while (off < n && (took = encrypt(t, mem + off, n - off)) > 0)
		off += took;
	sp_loop_mem_give(t->s.loop, SP_MEM_RECORD, mem);
}

/* Returns what it took of p[n], 0 when the stream has failed. */
static size_t stage(struct tls *t, const uint8_t *p, size_t n)
{
	size_t take;

	if (!t->stage)
		t->stage = sp_loop_mem_take(t->s.loop, SP_MEM_RECORD);
	if (!t->stage) {
		sp_tls_fail_with(t, SP_ENOMEM, "write: out of memory");
		return 0;
	}
	take = RECORD_BYTES - t->stage_len;
	take = n < take ? n : take;
	memcpy(t->stage + t->stage_len, p, take);
	t->stage_len += take;
	if (t->stage_len == RECORD_BYTES)
		encrypt_stage(t);
	return take;
}

void sp_tls_out_slice(struct tls *t, struct sp_slice v)
{
	size_t took;

	while (v.n > 0 && t->state == TLS_OPEN) {
		if (v.n >= LARGE_BYTES) {
			encrypt_stage(t);
			if (t->state != TLS_OPEN)
				return;
			took = encrypt(t, v.p, v.n);
		} else {
			took = stage(t, v.p, v.n);
		}
		if (took == 0)
			return;
		v.p += took;
		v.n -= took;
	}
}

void sp_tls_out_all(struct tls *t)
{
	encrypt_stage(t);
	sp_tls_out_flush(t);
}

/* What we and the carrier hold. Below the high mark unless the carrier is at its own, because only then an on_drain of
 * the carrier follows, which ours depends on; what we hold ourselves is gone at the end of the turn. */
ssize_t sp_tls_out_report(struct tls *t)
{
	ssize_t below = t->carrier ? sp_stream_writev(t->carrier, NULL, 0) : 0;
	size_t n = (below > 0 ? (size_t)below : 0) + t->out_len + t->stage_len;

	if (t->blocked) {
		t->owes_drain = true;
		return (ssize_t)(n < SP_STREAM_HIGH ? SP_STREAM_HIGH : n);
	}
	return (ssize_t)(n < SP_STREAM_HIGH ? n : SP_STREAM_HIGH - 1);
}

ssize_t sp_tls_out_early(struct tls *t, const struct sp_slice *v, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (sp_buf_append_slice(&t->early, v[i])) {
			sp_tls_fail_with(t, SP_ENOMEM, "write: out of memory");
			return 0;
		}
	}
	if (t->early.len >= SP_STREAM_HIGH)
		t->owes_drain = true;
	return (ssize_t)t->early.len;
}

/* close_notify, then FIN: nothing of ours follows. */
void sp_tls_out_end(struct tls *t)
{
	encrypt_stage(t);
	if (t->state != TLS_OPEN)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(t->ssl); /* 0: the peer's has not come yet; an error shows on the next read */
	ERR_clear_error();
	sp_tls_out_flush(t);
	if (t->carrier)
		sp_stream_shutdown_write(t->carrier);
}
