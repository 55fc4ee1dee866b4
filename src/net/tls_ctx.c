/* TLS contexts: certificates, trust, versions, ALPN; built once and never changed. And OpenSSL's errors as ours. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/must.h"
#include "net/tls_int.h"

/* TLS 1.2: forward secrecy and AEAD only, which RFC 9113 section 9.2.2 wants too. TLS 1.3 has nothing else. */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"

struct sp_tls_ctx {
	SSL_CTX *ssl;
	bool server;
	unsigned char *alpn; /* RFC 7301: one byte of length before each */
	unsigned alpn_len;
	atomic_uint refs;
};

SSL_CTX *sp_tls_ctx_ssl(struct sp_tls_ctx *ctx)
{
	return ctx->ssl;
}

bool sp_tls_ctx_is_server(const struct sp_tls_ctx *ctx)
{
	return ctx->server;
}

/* ---- errors ------------------------------------------------------------------ */

/* "tlsv13 alert certificate required" without the history lesson. (SSL_alert_desc_string_long() knows fewer.) */
static const char *alert_text(int reason, const char *text)
{
	const char *alert = text ? strstr(text, "alert ") : NULL;

	return alert ? alert + strlen("alert ") : SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET);
}

int sp_tls_cause(struct sp_cause *c, SSL *ssl, const char *name, const char *what)
{
	unsigned long e = ERR_get_error();
	int reason = ERR_GET_REASON(e);
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	long verify = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	ERR_clear_error();
	if (verify != X509_V_OK)
		return sp_cause_set(c, SP_ECERT, SP_DOMAIN_TLS, verify, "certificate of %s: %s",
				    name ? name : "the client", X509_verify_cert_error_string(verify));
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return sp_cause_set(c, SP_ECERT, SP_DOMAIN_TLS, reason, "%s: the client sent no certificate", what);
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
		return sp_cause_set(c, SP_ETLS, SP_DOMAIN_TLS, reason - SSL_AD_REASON_OFFSET, "%s: the peer says: %s",
				    what, alert_text(reason, text));
	return sp_cause_set(c, SP_ETLS, SP_DOMAIN_TLS, reason, "%s: %s", what, text ? text : "failed");
}

/* ---- files --------------------------------------------------------------------- */

/* Never ask on a terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static int use_key(SSL_CTX *ssl, const char *file, struct sp_cause *cause)
{
	FILE *f = fopen(file, "re");
	struct stat st;
	EVP_PKEY *key;
	int err = 0;

	if (!f)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_TLS, 0, "key %s: cannot be read", file);
	if (fstat(fileno(f), &st) || (st.st_mode & (S_IROTH | S_IWOTH))) {
		fclose(f);
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_TLS, 0,
				    "key %s: others than its owner and group may read or write it", file);
	}
	key = PEM_read_PrivateKey(f, NULL, no_passphrase, NULL);
	fclose(f);
	if (!key || SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
		char what[128];

		snprintf(what, sizeof(what), "key %.100s", file);
		err = sp_tls_cause(cause, NULL, NULL, what);
	}
	EVP_PKEY_free(key);
	return err;
}

static int use_files(struct sp_tls_ctx *ctx, const struct sp_tls_config *cfg, struct sp_cause *cause)
{
	char what[128];
	STACK_OF(X509_NAME) * names;

	if (cfg->cert_file) {
		snprintf(what, sizeof(what), "certificate %.100s", cfg->cert_file);
		if (SSL_CTX_use_certificate_chain_file(ctx->ssl, cfg->cert_file) != 1)
			return sp_tls_cause(cause, NULL, NULL, what);
		if (use_key(ctx->ssl, cfg->key_file, cause))
			return cause ? cause->err : SP_ETLS;
	}
	if (!cfg->ca_file) {
		if (!cfg->server && SSL_CTX_set_default_verify_paths(ctx->ssl) != 1)
			return sp_tls_cause(cause, NULL, NULL, "the system's certificate store");
		return 0;
	}
	snprintf(what, sizeof(what), "ca %.100s", cfg->ca_file);
	if (SSL_CTX_load_verify_file(ctx->ssl, cfg->ca_file) != 1)
		return sp_tls_cause(cause, NULL, NULL, what);
	if (cfg->server) {
		names = SSL_load_client_CA_file(cfg->ca_file); /* tells the client which certificate fits */
		if (!names)
			return sp_tls_cause(cause, NULL, NULL, what);
		SSL_CTX_set_client_CA_list(ctx->ssl, names);
	}
	return 0;
}

/* ---- ALPN ------------------------------------------------------------------------- */

static int encode_alpn(struct sp_tls_ctx *ctx, const char *const *alpn, struct sp_cause *cause)
{
	size_t total = 0, n;
	unsigned i;

	for (i = 0; alpn[i]; i++) {
		n = strlen(alpn[i]);
		if (n == 0 || n >= sizeof(((struct sp_tls_peer *)0)->alpn))
			return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_TLS, 0, "ALPN %s: bad length", alpn[i]);
		total += n + 1;
	}
	ctx->alpn = sp_calloc(1, total + 1);
	for (i = 0; alpn[i]; i++) {
		n = strlen(alpn[i]);
		ctx->alpn[ctx->alpn_len++] = (unsigned char)n;
		memcpy(ctx->alpn + ctx->alpn_len, alpn[i], n);
		ctx->alpn_len += (unsigned)n;
	}
	return 0;
}

/* The first of ours that the client offers; RFC 7301 section 3.2: none in common ends the handshake. */
static int on_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
			  unsigned in_len, void *arg)
{
	const struct sp_tls_ctx *ctx = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_len, ctx->alpn, ctx->alpn_len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- the context -------------------------------------------------------------------- */

static int check_config(const struct sp_tls_config *cfg, struct sp_cause *cause)
{
	if (!cfg->cert_file != !cfg->key_file)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_TLS, 0, "a certificate and its key belong together");
	if (cfg->server && !cfg->cert_file)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_TLS, 0, "a TLS server needs a certificate");
	if (cfg->server && cfg->require_client_cert && !cfg->ca_file)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_TLS, 0, "client certificates need a CA to verify them");
	return 0;
}

static void set_policy(SSL_CTX *ssl, const struct sp_tls_config *cfg)
{
	int verify = SSL_VERIFY_NONE;

	sp_must(SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1);
	sp_must(SSL_CTX_set_cipher_list(ssl, CIPHERS_12) == 1);
	/* No resumption: each connection of a tunnel shows its certificate anew, and tunnels are few and long. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_clear_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	if (!cfg->server || cfg->ca_file)
		verify = SSL_VERIFY_PEER;
	if (cfg->server && cfg->require_client_cert)
		verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl, verify, NULL);
}

int sp_tls_ctx_new(const struct sp_tls_config *cfg, struct sp_tls_ctx **out, struct sp_cause *cause)
{
	struct sp_tls_ctx *ctx;
	struct sp_cause own = { 0 };
	int err = check_config(cfg, &own);

	if (err) {
		if (cause && !cause->err)
			*cause = own;
		return err;
	}
	ERR_clear_error();
	ctx = SP_NEW(struct sp_tls_ctx);
	atomic_init(&ctx->refs, 1);
	ctx->server = cfg->server;
	ctx->ssl = SSL_CTX_new(cfg->server ? TLS_server_method() : TLS_client_method());
	if (!ctx->ssl) {
		err = sp_tls_cause(&own, NULL, NULL, "TLS");
		goto fail;
	}
	set_policy(ctx->ssl, cfg);
	err = use_files(ctx, cfg, &own);
	if (!err && cfg->alpn && cfg->alpn[0])
		err = encode_alpn(ctx, cfg->alpn, &own);
	if (err)
		goto fail;
	if (ctx->alpn && cfg->server)
		SSL_CTX_set_alpn_select_cb(ctx->ssl, on_alpn_select, ctx);
	else if (ctx->alpn)
		sp_must(SSL_CTX_set_alpn_protos(ctx->ssl, ctx->alpn, ctx->alpn_len) == 0);
	*out = ctx;
	return 0;
fail:
	if (cause && !cause->err)
		*cause = own;
	sp_tls_ctx_unref(&ctx);
	return err;
}

struct sp_tls_ctx *sp_tls_ctx_ref(struct sp_tls_ctx *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void sp_tls_ctx_unref(struct sp_tls_ctx **ctx_p)
{
	struct sp_tls_ctx *ctx = *ctx_p;

	*ctx_p = NULL;
	if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(ctx->ssl);
	free(ctx->alpn);
	free(ctx);
}
