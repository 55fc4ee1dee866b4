/* Keys and JWK sets: see devtoken.h. RFC 7517, RFC 7518 section 6, RFC 7638. */
#include "config.h" /* asprintf */

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "devtoken/devtoken.h"

#define RSA_BITS 2048u
#define NUMBER_BYTES_MOST 1024u /* RSA with 8192 bits */
#define NUMBER_TEXT_SIZE (NUMBER_BYTES_MOST / 3 * 4 + 8)

int sp_devtoken_fail(struct sp_devtoken_why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -1;
}

int sp_devtoken_key_new(const char *alg, EVP_PKEY **out, struct sp_devtoken_why *why)
{
	EVP_PKEY *key = NULL;

	if (strcmp(alg, "RS256") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
	else if (strcmp(alg, "ES256") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	else if (strcmp(alg, "ES384") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	else
		return sp_devtoken_fail(why, "\"%s\" is not RS256, ES256 or ES384", alg);
	if (!key)
		return sp_devtoken_fail(why, "OpenSSL made no key");
	*out = key;
	return 0;
}

static FILE *create(const char *path, mode_t mode, struct sp_devtoken_why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!f)
		sp_devtoken_fail(why, "%s: %s", path, strerror(errno));
	if (!f && fd >= 0)
		close(fd);
	/* The umask may have taken rights that the reader needs; it cannot have added any. */
	if (f && fchmod(fd, mode) < 0) {
		sp_devtoken_fail(why, "%s: %s", path, strerror(errno));
		fclose(f);
		f = NULL;
	}
	return f;
}

static int finish(FILE *f, bool good, const char *path, struct sp_devtoken_why *why)
{
	good = fflush(f) == 0 && good;
	if (fclose(f) == 0 && good)
		return 0;
	unlink(path);
	return sp_devtoken_fail(why, "%s: could not be written", path);
}

int sp_devtoken_key_write(EVP_PKEY *key, const char *path, struct sp_devtoken_why *why)
{
	FILE *f = create(path, 0600, why);

	return f ? finish(f, PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, path, why) : -1;
}

int sp_devtoken_set_write(const char *set, const char *path, struct sp_devtoken_why *why)
{
	FILE *f = create(path, 0644, why);

	return f ? finish(f, fprintf(f, "%s\n", set) > 0, path, why) : -1;
}

int sp_devtoken_key_read(const char *path, EVP_PKEY **out, struct sp_devtoken_why *why)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;

	if (!f)
		return sp_devtoken_fail(why, "%s: %s", path, strerror(errno));
	/* An empty passphrase, so that OpenSSL asks nobody for one. */
	key = PEM_read_PrivateKey(f, NULL, NULL, (void *)(uintptr_t)"");
	fclose(f);
	if (!key)
		return sp_devtoken_fail(why, "%s: not a private key in PEM form without a passphrase", path);
	if (!sp_devtoken_alg(key)) {
		EVP_PKEY_free(key);
		return sp_devtoken_fail(why, "%s: neither an RSA key nor one on P-256 or P-384", path);
	}
	*out = key;
	return 0;
}

const char *sp_devtoken_alg(EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		return "RS256";
	if (!EVP_PKEY_is_a(key, "EC"))
		return NULL;
	return EVP_PKEY_get_bits(key) == 256 ? "ES256" : EVP_PKEY_get_bits(key) == 384 ? "ES384" : NULL;
}

/* RFC 7515 section 2: base64url without padding. */
static int base64url(const uint8_t *p, size_t n, char *dst, size_t size)
{
	if (sp_base64_encode(sp_slice_make(p, n), dst, size) < 0)
		return -1;
	for (; *dst && *dst != '='; dst++)
		*dst = *dst == '+' ? '-' : *dst == '/' ? '_' : *dst;
	*dst = '\0';
	return 0;
}

/* width 0: as many bytes as the number has. */
static int number(EVP_PKEY *key, const char *param, int width, char dst[NUMBER_TEXT_SIZE])
{
	uint8_t bytes[NUMBER_BYTES_MOST];
	BIGNUM *n = NULL;
	int len = -1;

	if (EVP_PKEY_get_bn_param(key, param, &n) == 1 && BN_num_bytes(n) <= (int)sizeof(bytes))
		len = width ? BN_bn2binpad(n, bytes, width) : BN_bn2bin(n, bytes);
	BN_free(n);
	return len > 0 ? base64url(bytes, (size_t)len, dst, NUMBER_TEXT_SIZE) : -1;
}

/* The required members alone, in lexicographic order: what RFC 7638 hashes, and the body of the JWK. */
static int members(EVP_PKEY *key, char **out, struct sp_devtoken_why *why)
{
	char a[NUMBER_TEXT_SIZE], b[NUMBER_TEXT_SIZE];
	int width = (EVP_PKEY_get_bits(key) + 7) / 8, n = -1;

	if (EVP_PKEY_is_a(key, "RSA")) {
		if (number(key, OSSL_PKEY_PARAM_RSA_E, 0, a) == 0 && number(key, OSSL_PKEY_PARAM_RSA_N, 0, b) == 0)
			n = asprintf(out, "\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"", a, b);
	} else if (number(key, OSSL_PKEY_PARAM_EC_PUB_X, width, a) == 0 && number(key, OSSL_PKEY_PARAM_EC_PUB_Y, width, b) == 0) {
		n = asprintf(out, "\"crv\":\"P-%d\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"", EVP_PKEY_get_bits(key), a, b);
	}
	return n > 0 ? 0 : sp_devtoken_fail(why, "the key's public part cannot be read");
}

int sp_devtoken_kid(EVP_PKEY *key, char out[SP_DEVTOKEN_KID_SIZE], struct sp_devtoken_why *why)
{
	char *inner = NULL, *json = NULL, text[SP_DEVTOKEN_KID_SIZE + 4]; /* with padding at first */
	uint8_t digest[32];
	size_t n = sizeof(digest);
	bool good;

	if (members(key, &inner, why) < 0)
		return -1;
	good = asprintf(&json, "{%s}", inner) > 0 && EVP_Q_digest(NULL, "SHA256", NULL, json, strlen(json), digest, &n) == 1 &&
	       base64url(digest, n, text, sizeof(text)) == 0;
	free(inner);
	free(json);
	if (!good)
		return sp_devtoken_fail(why, "the key's thumbprint cannot be made");
	sp_must(strlen(text) == SP_DEVTOKEN_KID_SIZE - 1);
	memcpy(out, text, SP_DEVTOKEN_KID_SIZE);
	return 0;
}

int sp_devtoken_set(EVP_PKEY *key, const char *kid, char **out, struct sp_devtoken_why *why)
{
	char *inner = NULL;
	int n;

	for (const char *p = kid; *p; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return sp_devtoken_fail(why, "the key's name must be visible ASCII without \" and \\");
	if (members(key, &inner, why) < 0)
		return -1;
	n = asprintf(out, "{\"keys\":[{\"alg\":\"%s\",\"kid\":\"%s\",\"use\":\"sig\",%s}]}", sp_devtoken_alg(key), kid, inner);
	free(inner);
	return n > 0 ? 0 : sp_devtoken_fail(why, "out of memory");
}
