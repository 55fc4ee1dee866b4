/* What tokens are verified with: the public keys of a JWK set (RFC 7517), or one shared secret; never both in one set. Imported
 * once and kept, each key bound to the algorithms that it may verify. Immutable after import, so every thread may use it; counted,
 * so who verifies with a set may keep it while a newer one takes its place. */
#ifndef SP_PLUGINS_JWT_KEYSET_H
#define SP_PLUGINS_JWT_KEYSET_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "alg.h"
#include "sallyport/plugin.h"

#define JWT_KEYS_MOST 100u		/* checking an RSA key takes 3 ms */
#define JWT_KEYSET_BYTES_MOST (1u << 20) /* of the set's JSON text */
#define JWT_SECRET_BYTES_MOST 4096u
#define JWT_KEY_ID_BYTES 32u

struct jwt_key {
	char *kid; /* NULL: the key has none */
	size_t kid_bytes;
	uint64_t kid_hash;
	uint32_t algs; /* JWT_ALG_BIT()s; never 0 */
	EVP_PKEY *pkey; /* NULL: a shared secret */
	uint8_t *secret;
	size_t secret_bytes;
	uint8_t id[JWT_KEY_ID_BYTES]; /* SHA-256 of the key, its name and its algorithms: the same in the sets of any import */
};

struct jwt_keyset {
	uint64_t serial; /* no other set of this process has it */
	_Atomic unsigned refs;
	struct jwt_key *keys;
	unsigned count;
	unsigned skipped;  /* keys of the set that are for something else, or of kinds unknown to us */
	char skip_why[96]; /* the first one of them */
};

/* 0, or -1 with a sentence in why. Keys for other purposes are skipped; what looks like a mistake is refused: a private or a
 * shared key, a malformed or weak one, two that could verify the same token, none at all. */
int jwt_keyset_import(const char *text, size_t n, struct jwt_keyset **out, char *why, size_t why_size);
/* The same with a shared secret: a line end at the end of the bytes is not part of it. The key has no name and verifies tokens
 * whatever key they name; of `algs` (the group's) those whose digest is not longer than the secret. */
int jwt_keyset_import_secret(const char *bytes, size_t n, uint32_t algs, struct jwt_keyset **out, char *why, size_t why_size);
/* One more holder: any thread. Each holder frees once; *ks may be NULL. */
struct jwt_keyset *jwt_keyset_ref(struct jwt_keyset *ks);
void jwt_keyset_free(struct jwt_keyset **ks);

enum jwt_found { JWT_FOUND, JWT_FOUND_NONE, JWT_FOUND_SEVERAL };
/* Whether the very same key is in it. */
bool jwt_keyset_has(const struct jwt_keyset *ks, const uint8_t id[JWT_KEY_ID_BYTES]);

/* The key for a token of algorithm `alg`. With a kid, the one of that name; without (kid.p NULL), the only one that fits. */
enum jwt_found jwt_keyset_find(const struct jwt_keyset *ks, unsigned alg, sp_str kid, const struct jwt_key **out);

#endif
