/* A JWK set (RFC 7517): public keys only, imported once and kept, each bound to the algorithms that it may verify. Immutable
 * after import, so every thread may use it. */
#ifndef SP_PLUGINS_JWT_KEYSET_H
#define SP_PLUGINS_JWT_KEYSET_H

#include <openssl/evp.h>

#include "alg.h"
#include "sallyport/plugin.h"

#define JWT_KEYS_MOST 100u		/* checking an RSA key takes 3 ms */
#define JWT_KEYSET_BYTES_MOST (1u << 20) /* of the set's JSON text */

struct jwt_key {
	char *kid; /* NULL: the key has none */
	size_t kid_bytes;
	uint64_t kid_hash;
	uint32_t algs; /* JWT_ALG_BIT()s; never 0 */
	EVP_PKEY *pkey;
};

struct jwt_keyset {
	struct jwt_key *keys;
	unsigned count;
	unsigned skipped;  /* keys of the set that are for something else, or of kinds unknown to us */
	char skip_why[96]; /* the first one of them */
};

/* 0, or -1 with a sentence in why. Keys for other purposes are skipped; what looks like a mistake is refused: a private or a
 * shared key, a malformed or weak one, two that could verify the same token, none at all. */
int jwt_keyset_import(const char *text, size_t n, struct jwt_keyset **out, char *why, size_t why_size);
void jwt_keyset_free(struct jwt_keyset **ks);

enum jwt_found { JWT_FOUND, JWT_FOUND_NONE, JWT_FOUND_SEVERAL };
/* The key for a token of algorithm `alg`. With a kid, the one of that name; without (kid.p NULL), the only one that fits. */
enum jwt_found jwt_keyset_find(const struct jwt_keyset *ks, unsigned alg, sp_str kid, const struct jwt_key **out);

#endif
