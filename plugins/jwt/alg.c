/* The table of algorithms: see alg.h. */
#include "alg.h"

#include <string.h>

const struct jwt_alg jwt_algs[JWT_ALG_COUNT] = {
	{ "RS256", JWT_RSA_PKCS1, "SHA256", NULL, 0 }, { "RS384", JWT_RSA_PKCS1, "SHA384", NULL, 0 },
	{ "RS512", JWT_RSA_PKCS1, "SHA512", NULL, 0 }, { "PS256", JWT_RSA_PSS, "SHA256", NULL, 0 },
	{ "PS384", JWT_RSA_PSS, "SHA384", NULL, 0 },   { "PS512", JWT_RSA_PSS, "SHA512", NULL, 0 },
	{ "ES256", JWT_EC, "SHA256", "P-256", 32 },    { "ES384", JWT_EC, "SHA384", "P-384", 48 },
	{ "EdDSA", JWT_ED, NULL, "Ed25519", 32 },      { "HS256", JWT_HMAC, "SHA256", NULL, 32 },
	{ "HS384", JWT_HMAC, "SHA384", NULL, 48 },     { "HS512", JWT_HMAC, "SHA512", NULL, 64 },
};

int jwt_alg_find(const char *name)
{
	for (unsigned i = 0; i < JWT_ALG_COUNT; i++)
		if (strcmp(jwt_algs[i].name, name) == 0)
			return (int)i;
	return -1;
}
