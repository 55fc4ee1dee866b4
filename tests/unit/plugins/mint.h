/* Keys, key sets and tokens for tests: any header and payload, right or wrong, signed with OpenSSL; and, as a second opinion,
 * tokens made by libjwt. Strings are heap. */
#ifndef SP_TESTS_MINT_H
#define SP_TESTS_MINT_H

#include <openssl/evp.h>
#include <stddef.h>

EVP_PKEY *mint_rsa(unsigned bits);
EVP_PKEY *mint_ec(const char *curve); /* "P-256", "P-384" */
EVP_PKEY *mint_ed(void);
/* One JWK; members like "\"alg\":\"RS256\"," or "". kid NULL: none. */
char *mint_jwk(EVP_PKEY *key, const char *kid, const char *members);
/* {"keys":[...]} of NULL-terminated JWKs, which are freed. */
char *mint_set(char *const *jwks);
char *mint_base64url(const void *p, size_t n);
/* header and payload as they are; signature by key for the algorithm. "PS256:0" has a salt of 0 bytes. */
char *mint_token(EVP_PKEY *key, const char *alg, const char *header, const char *payload);
/* The same with a shared secret: HS256, HS384, HS512. */
char *mint_token_mac(const void *secret, size_t n, const char *alg, const char *header, const char *payload);
/* The same by libjwt: RS256/384/512, ES256/384. */
char *mint_token_libjwt(EVP_PKEY *key, const char *alg, const char *kid, const char *payload);
/* By libjwt with a secret: HS256, HS384, HS512; secret NULL: "none". */
char *mint_token_libjwt_mac(const char *secret, const char *alg, const char *payload);

#endif
