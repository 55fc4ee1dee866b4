/* The signature algorithms that may be accepted (RFC 7518 section 3, RFC 8037). No "none". Two kinds that never meet in one key
 * set: with public keys, and with a shared secret (HMAC). */
#ifndef SP_PLUGINS_JWT_ALG_H
#define SP_PLUGINS_JWT_ALG_H

#include <stddef.h>
#include <stdint.h>

enum jwt_kind { JWT_RSA_PKCS1, JWT_RSA_PSS, JWT_EC, JWT_ED, JWT_HMAC };

struct jwt_alg {
	const char *name; /* compared exactly: "rs256" is not RS256 */
	enum jwt_kind kind;
	const char *digest;	 /* NULL: the algorithm has its own */
	const char *curve;	 /* "crv" of its keys; NULL: they have none */
	size_t coordinate_bytes; /* EC: of r, s, x and y; HMAC: of the digest */
};

#define JWT_ALG_COUNT 12u
#define JWT_ALG_PUBLIC_COUNT 9u /* these come first */
extern const struct jwt_alg jwt_algs[JWT_ALG_COUNT];

/* An algorithm's place in the table is its bit in a set of algorithms. */
#define JWT_ALG_BIT(index) (UINT32_C(1) << (index))
#define JWT_ALG_PUBLIC (JWT_ALG_BIT(JWT_ALG_PUBLIC_COUNT) - 1)
#define JWT_ALG_SHARED ((JWT_ALG_BIT(JWT_ALG_COUNT) - 1) & ~JWT_ALG_PUBLIC)

/* The index, or -1. */
int jwt_alg_find(const char *name);

#endif
