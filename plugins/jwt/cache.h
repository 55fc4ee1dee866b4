/* Tokens that were verified, found again by their SHA-256 until they expire or their key is gone. One per worker, no locks.
 *
 * A token is never compared with another: only digests are, so the time of a look-up says nothing about tokens that others sent.
 * Bounded in entries and bytes; when it is full, what was not used since the hand came by last makes room (CLOCK). */
#ifndef SP_PLUGINS_JWT_CACHE_H
#define SP_PLUGINS_JWT_CACHE_H

#include "verify.h"

#define JWT_CACHE_BYTES_MOST (16u << 20)

struct jwt_cache;

struct jwt_cached {
	sp_str tenant, principal, client, subdomain, issuer, claims; /* as in struct jwt_claims; claims is its text */
	int64_t expires_at;
	void *source; /* the caller's: where the key set came from that verified it */
};

/* NULL: out of memory, or entries is 0; the other functions take NULL for a cache that is always empty. */
struct jwt_cache *jwt_cache_new(unsigned entries, size_t bytes_most);
void jwt_cache_free(struct jwt_cache **c);

/* The entry of a token, or NULL; borrowed until the next call with this cache. Expired ones are dropped. Before it is believed
 * jwt_cache_holds() must say that its key is still good. */
const struct jwt_cached *jwt_cache_find(struct jwt_cache *c, sp_str token, int64_t now_s);

/* Whether ks, the set that entry->source has now (NULL: none that may be used), still has the very key that verified the token.
 * If not, the entry is gone. Cheap while the set is the same. */
bool jwt_cache_holds(struct jwt_cache *c, const struct jwt_cached *entry, const struct jwt_keyset *ks);

/* Remembers a token that was verified by ks, a set of source. Failures only mean that it will be verified again. */
void jwt_cache_add(struct jwt_cache *c, sp_str token, const struct jwt_claims *claims, const struct jwt_keyset *ks, void *source);

/* Before a source dies: drops what it has verified. */
void jwt_cache_forget(struct jwt_cache *c, const void *source);

#endif
