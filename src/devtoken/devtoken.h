/* Developer's keys and tokens, so that every mode can be tried without an identity provider: part of sallyportctl, never of the
 * daemons. Keys are PKCS#8 PEM files; a token is made by libjwt, which here has nobody to trust but us. */
#ifndef SP_DEVTOKEN_DEVTOKEN_H
#define SP_DEVTOKEN_DEVTOKEN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sp_devtoken_why { char text[256]; }; /* one sentence for the user */
/* Fills in why; -1. */
int sp_devtoken_fail(struct sp_devtoken_why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* alg: "RS256", "ES256" or "ES384". All functions: 0, or -1 with *why. */
int sp_devtoken_key_new(const char *alg, EVP_PKEY **out, struct sp_devtoken_why *why);
/* Only for the owner's eyes (0600); never over an existing file. */
int sp_devtoken_key_write(EVP_PKEY *key, const char *path, struct sp_devtoken_why *why);
int sp_devtoken_key_read(const char *path, EVP_PKEY **out, struct sp_devtoken_why *why);
/* The algorithm that goes with the key, or NULL. */
const char *sp_devtoken_alg(EVP_PKEY *key);

#define SP_DEVTOKEN_KID_SIZE 44
/* The key's name: its JWK thumbprint (RFC 7638, SHA-256), so that nobody must remember one. */
int sp_devtoken_kid(EVP_PKEY *key, char out[SP_DEVTOKEN_KID_SIZE], struct sp_devtoken_why *why);
/* A JWK set (RFC 7517) of the public part; kid without characters that JSON escapes. Heap. */
int sp_devtoken_set(EVP_PKEY *key, const char *kid, char **out, struct sp_devtoken_why *why);
/* Over nothing that exists either; everybody may read it. */
int sp_devtoken_set_write(const char *set, const char *path, struct sp_devtoken_why *why);

struct sp_devtoken_claim {
	const char *name, *value;
	bool json; /* value is JSON text, else a string */
};
/* Signs; claims exactly as given. *out is heap, without a line end. */
int sp_devtoken_sign(EVP_PKEY *key, const char *kid, const struct sp_devtoken_claim *claims, unsigned count, char **out,
		     struct sp_devtoken_why *why);

/* The strings as a JSON list. Heap. */
int sp_devtoken_list(const char *const *items, unsigned count, char **out, struct sp_devtoken_why *why);

/* "90s", "15m", "8h", "30d", with a "-" before it for the past: seconds. */
int sp_devtoken_duration(const char *text, int64_t *out, struct sp_devtoken_why *why);

#endif
