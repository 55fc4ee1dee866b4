/* Verified tokens: see cache.h. A fixed array of entries, chained from buckets by the first bytes of the token's digest. */
#include "cache.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 32u
#define NONE UINT32_MAX

struct entry {
	struct jwt_cached pub; /* first: the callers' pointers are to it */
	uint8_t digest[DIGEST_BYTES];
	uint8_t key_id[JWT_KEY_ID_BYTES];
	uint64_t serial; /* of the last key set that was seen to have the key */
	char *block;	 /* the texts of pub; NULL: a free entry */
	size_t block_bytes;
	uint32_t next;	 /* in its bucket, or among the free */
	bool referenced; /* found since the hand came by; not so when it is new: most tokens of a flood come once */
};

struct jwt_cache {
	struct entry *entries;
	uint32_t *buckets;
	uint32_t size, bucket_mask, free, hand;
	size_t bytes, bytes_most;
	EVP_MD *sha256;
	EVP_MD_CTX *ctx;
};

static void empty(struct jwt_cache *c)
{
	memset(c->buckets, 0xff, ((size_t)c->bucket_mask + 1) * sizeof(*c->buckets)); /* NONE */
	for (uint32_t i = 0; i < c->size; i++)
		c->entries[i].next = i + 1 < c->size ? i + 1 : NONE;
	c->free = 0;
}

struct jwt_cache *jwt_cache_new(unsigned entries, size_t bytes_most)
{
	struct jwt_cache *c = entries > 0 && entries < NONE / 4 ? calloc(1, sizeof(*c)) : NULL;
	uint32_t buckets = 16;

	if (!c)
		return NULL;
	while (buckets < entries)
		buckets *= 2;
	c->size = entries;
	c->bucket_mask = buckets - 1;
	c->bytes_most = bytes_most;
	c->entries = calloc(entries, sizeof(*c->entries));
	c->buckets = calloc(buckets, sizeof(*c->buckets));
	c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	c->ctx = EVP_MD_CTX_new();
	if (!c->entries || !c->buckets || !c->sha256 || !c->ctx) {
		c->size = 0;
		jwt_cache_free(&c);
		return NULL;
	}
	empty(c);
	return c;
}

void jwt_cache_free(struct jwt_cache **cp)
{
	struct jwt_cache *c = *cp;

	if (!c)
		return;
	for (uint32_t i = 0; i < c->size; i++)
		free(c->entries[i].block);
	free(c->entries);
	free(c->buckets);
	EVP_MD_free(c->sha256);
	EVP_MD_CTX_free(c->ctx);
	free(c);
	*cp = NULL;
}

static bool digest_of(struct jwt_cache *c, sp_str token, uint8_t digest[DIGEST_BYTES])
{
	return EVP_DigestInit_ex(c->ctx, c->sha256, NULL) == 1 && EVP_DigestUpdate(c->ctx, token.p, token.n) == 1 &&
	       EVP_DigestFinal_ex(c->ctx, digest, NULL) == 1;
}

static uint32_t *bucket(struct jwt_cache *c, const uint8_t digest[DIGEST_BYTES])
{
	uint32_t h;

	memcpy(&h, digest, sizeof(h));
	return &c->buckets[h & c->bucket_mask];
}

static void drop(struct jwt_cache *c, uint32_t index)
{
	struct entry *e = &c->entries[index];
	uint32_t *at = bucket(c, e->digest);

	while (*at != index)
		at = &c->entries[*at].next;
	*at = e->next;
	c->bytes -= e->block_bytes;
	free(e->block);
	*e = (struct entry){ .next = c->free };
	c->free = index;
}

static uint32_t find(struct jwt_cache *c, const uint8_t digest[DIGEST_BYTES])
{
	uint32_t i = *bucket(c, digest);

	while (i != NONE && CRYPTO_memcmp(c->entries[i].digest, digest, DIGEST_BYTES) != 0)
		i = c->entries[i].next;
	return i;
}

const struct jwt_cached *jwt_cache_find(struct jwt_cache *c, sp_str token, int64_t now_s)
{
	uint8_t digest[DIGEST_BYTES];
	uint32_t i;

	if (!c || !digest_of(c, token, digest))
		return NULL;
	i = find(c, digest);
	if (i == NONE)
		return NULL;
	if (now_s >= c->entries[i].pub.expires_at) {
		drop(c, i);
		return NULL;
	}
	c->entries[i].referenced = true;
	return &c->entries[i].pub;
}

bool jwt_cache_holds(struct jwt_cache *c, const struct jwt_cached *entry, const struct jwt_keyset *ks)
{
	uint32_t i = (uint32_t)((const struct entry *)entry - c->entries);
	struct entry *e = &c->entries[i];

	if (ks && ks->serial == e->serial)
		return true;
	if (ks && jwt_keyset_has(ks, e->key_id)) {
		e->serial = ks->serial;
		return true;
	}
	drop(c, i);
	return false;
}

/* The hand goes round, and takes what was not used since it came by. */
static void make_room(struct jwt_cache *c, size_t bytes)
{
	while (c->free == NONE || c->bytes + bytes > c->bytes_most) {
		struct entry *e = &c->entries[c->hand];

		if (e->block && !e->referenced)
			drop(c, c->hand);
		e->referenced = false;
		c->hand = c->hand + 1 < c->size ? c->hand + 1 : 0;
	}
}

static sp_str keep(char **at, sp_str s)
{
	sp_str kept = { s.p ? *at : NULL, s.n };

	if (s.n > 0)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

void jwt_cache_add(struct jwt_cache *c, sp_str token, const struct jwt_claims *claims, const struct jwt_keyset *ks, void *source)
{
	size_t n = 1 + claims->text_bytes + claims->tenant.n + claims->principal.n + claims->client.n + claims->subdomain.n +
		   claims->issuer.n;
	uint8_t digest[DIGEST_BYTES];
	struct entry *e;
	char *block, *at;
	uint32_t i;

	if (!c || n > c->bytes_most || !digest_of(c, token, digest))
		return;
	i = find(c, digest);
	if (i != NONE)
		drop(c, i);
	block = at = malloc(n);
	if (!block)
		return;
	make_room(c, n);
	i = c->free;
	e = &c->entries[i];
	c->free = e->next;
	*e = (struct entry){ .serial = ks->serial, .block = block, .block_bytes = n, .next = *bucket(c, digest) };
	e->pub.tenant = keep(&at, claims->tenant);
	e->pub.principal = keep(&at, claims->principal);
	e->pub.client = keep(&at, claims->client);
	e->pub.subdomain = keep(&at, claims->subdomain);
	e->pub.issuer = keep(&at, claims->issuer);
	e->pub.claims = keep(&at, (sp_str){ claims->text, claims->text_bytes });
	e->pub.expires_at = claims->expires_at;
	e->pub.source = source;
	memcpy(e->digest, digest, sizeof(e->digest));
	memcpy(e->key_id, claims->key->id, sizeof(e->key_id));
	*bucket(c, digest) = i;
	c->bytes += n;
}

void jwt_cache_forget(struct jwt_cache *c, const void *source)
{
	for (uint32_t i = 0; c && i < c->size; i++)
		if (c->entries[i].block && c->entries[i].pub.source == source)
			drop(c, i);
}
