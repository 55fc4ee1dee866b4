#include "config.h" /* asprintf */

#include "mint.h"

#include <jwt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define need(expr) ((expr) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expr), abort()))

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	need(vasprintf(&s, fmt, ap) >= 0);
	va_end(ap);
	return s;
}

EVP_PKEY *mint_rsa(unsigned bits)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);

	need(k);
	return k;
}

EVP_PKEY *mint_ec(const char *curve)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

	need(k);
	return k;
}

EVP_PKEY *mint_ed(void)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	need(k);
	return k;
}

char *mint_base64url(const void *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *s = p;
	char *dst = malloc(n * 4 / 3 + 3);
	size_t len = 0;
	unsigned bits = 0, have = 0;

	need(dst);
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | s[i];
		for (have += 8; have >= 6; have -= 6)
			dst[len++] = digits[bits >> (have - 6) & 63];
	}
	if (have)
		dst[len++] = digits[bits << (6 - have) & 63];
	dst[len] = '\0';
	return dst;
}

static char *number(EVP_PKEY *key, const char *param, int width)
{
	unsigned char buf[1024];
	BIGNUM *n = NULL;
	int len;

	need(EVP_PKEY_get_bn_param(key, param, &n));
	len = width ? BN_bn2binpad(n, buf, width) : BN_bn2bin(n, buf);
	need(len > 0);
	BN_free(n);
	return mint_base64url(buf, (size_t)len);
}

static char *material(EVP_PKEY *key)
{
	char *a, *b, *out;

	if (EVP_PKEY_is_a(key, "RSA")) {
		a = number(key, OSSL_PKEY_PARAM_RSA_N, 0);
		b = number(key, OSSL_PKEY_PARAM_RSA_E, 0);
		out = text("\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", a, b);
	} else if (EVP_PKEY_is_a(key, "EC")) {
		int width = (EVP_PKEY_get_bits(key) + 7) / 8;

		a = number(key, OSSL_PKEY_PARAM_EC_PUB_X, width);
		b = number(key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
		out = text("\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"", EVP_PKEY_get_bits(key), a, b);
	} else {
		unsigned char raw[32];
		size_t n = sizeof(raw);

		need(EVP_PKEY_get_raw_public_key(key, raw, &n));
		a = mint_base64url(raw, n);
		b = NULL;
		out = text("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", a);
	}
	free(a);
	free(b);
	return out;
}

char *mint_jwk(EVP_PKEY *key, const char *kid, const char *members)
{
	char *m = material(key), *out;

	if (kid)
		out = text("{\"kid\":\"%s\",%s%s}", kid, members, m);
	else
		out = text("{%s%s}", members, m);
	free(m);
	return out;
}

char *mint_set(char *const *jwks)
{
	char *set = text("{\"keys\":["), *next;

	for (unsigned i = 0; jwks[i]; i++) {
		next = text("%s%s%s", set, i ? "," : "", jwks[i]);
		free(set);
		free(jwks[i]);
		set = next;
	}
	next = text("%s]}", set);
	free(set);
	return next;
}

/* DER to r || s. */
static size_t raw_ec(EVP_PKEY *key, unsigned char *sig, size_t n)
{
	const unsigned char *p = sig;
	ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &p, (long)n);
	int width = (EVP_PKEY_get_bits(key) + 7) / 8;

	need(es);
	need(BN_bn2binpad(ECDSA_SIG_get0_r(es), sig, width) == width);
	need(BN_bn2binpad(ECDSA_SIG_get0_s(es), sig + width, width) == width);
	ECDSA_SIG_free(es);
	return 2 * (size_t)width;
}

static size_t sign(EVP_PKEY *key, const char *alg, const char *what, unsigned char *sig, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	char digest[16];

	snprintf(digest, sizeof(digest), "SHA%.3s", alg + 2);
	need(ctx && EVP_DigestSignInit_ex(ctx, &pctx, EVP_PKEY_is_a(key, "ED25519") ? NULL : digest, NULL, NULL, key, NULL) == 1);
	if (alg[0] == 'P')
		need(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, alg[5] ? atoi(alg + 6) : RSA_PSS_SALTLEN_DIGEST) == 1);
	need(EVP_DigestSign(ctx, sig, &size, (const unsigned char *)what, strlen(what)) == 1);
	EVP_MD_CTX_free(ctx);
	return EVP_PKEY_is_a(key, "EC") ? raw_ec(key, sig, size) : size;
}

/* Takes what over. */
static char *finished(char *what, const unsigned char *sig, size_t n)
{
	char *s = mint_base64url(sig, n), *out = text("%s.%s", what, s);

	free(what);
	free(s);
	return out;
}

static char *to_sign(const char *header, const char *payload)
{
	char *h = mint_base64url(header, strlen(header)), *p = mint_base64url(payload, strlen(payload)), *what = text("%s.%s", h, p);

	free(h);
	free(p);
	return what;
}

char *mint_token(EVP_PKEY *key, const char *alg, const char *header, const char *payload)
{
	char *what = to_sign(header, payload);
	unsigned char sig[1024];

	return finished(what, sig, sign(key, alg, what, sig, sizeof(sig)));
}

char *mint_token_mac(const void *secret, size_t n, const char *alg, const char *header, const char *payload)
{
	char *what = to_sign(header, payload), digest[16];
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	snprintf(digest, sizeof(digest), "SHA%.3s", alg + 2);
	need(HMAC(EVP_get_digestbyname(digest), secret, (int)n, (const unsigned char *)what, strlen(what), mac, &len));
	return finished(what, mac, len);
}

char *mint_token_libjwt(EVP_PKEY *key, const char *alg, const char *kid, const char *payload)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem, *encoded, *out;
	jwt_t *jwt = NULL;
	long n;

	need(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	n = BIO_get_mem_data(bio, &pem);
	need(jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, payload) == 0 && jwt_add_header(jwt, "kid", kid) == 0);
	need(jwt_set_alg(jwt, jwt_str_alg(alg), (unsigned char *)pem, (int)n) == 0);
	encoded = jwt_encode_str(jwt);
	need(encoded);
	out = strdup(encoded);
	free(encoded); /* jwt_free_str() came later; it is free() unless the allocator was changed */
	jwt_free(jwt);
	BIO_free(bio);
	return out;
}

char *mint_token_libjwt_mac(const char *secret, const char *alg, const char *payload)
{
	char *encoded, *out;
	jwt_t *jwt = NULL;

	need(jwt_new(&jwt) == 0 && jwt_add_grants_json(jwt, payload) == 0);
	need(jwt_set_alg(jwt, jwt_str_alg(alg), (const unsigned char *)secret, secret ? (int)strlen(secret) : 0) == 0);
	encoded = jwt_encode_str(jwt);
	need(encoded);
	out = strdup(encoded);
	free(encoded);
	jwt_free(jwt);
	return out;
}
