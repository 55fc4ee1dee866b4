/* Client assertions: RFC 7523 sections 2.2 and 3, signed by libjwt (as sallyportctl's tokens are). The algorithm follows from the key:
 * libjwt refuses a kind of key that does not fit, and the length of an ECDSA signature tells the curve. */
#include "config.h" /* dlvsym */

#include "auth/service_key_int.h"

#ifdef SP_WITH_JWT

#include <dlfcn.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/must.h"
#include "base/secret.h"

#define LIFE_S 120
#define SKEW_S 5 /* a token server whose clock is a little behind must not find it issued in the future */

/* libjwt stands on jansson, which shares names with json-c. Without versions on its symbols jansson's own calls would end in json-c. */
static bool jansson_is_apart(void)
{
	return dlvsym(RTLD_DEFAULT, "json_object_get", "libjansson.so.4") != NULL;
}

static char *sign_with(const struct sp_service_key *k, const char *aud, const char *jti, jwt_alg_t alg)
{
	time_t now = time(NULL);
	jwt_t *jwt = NULL;
	char *text = NULL;

	if (jwt_new(&jwt) != 0)
		return NULL;
	if ((!k->key_id || jwt_add_header(jwt, "kid", k->key_id) == 0) && jwt_add_grant(jwt, "iss", k->client_id) == 0 &&
	    jwt_add_grant(jwt, "sub", k->client_id) == 0 && jwt_add_grant(jwt, "aud", aud) == 0 &&
	    jwt_add_grant(jwt, "jti", jti) == 0 && jwt_add_grant_int(jwt, "iat", (long)now - SKEW_S) == 0 &&
	    jwt_add_grant_int(jwt, "exp", (long)now + LIFE_S) == 0 &&
	    jwt_set_alg(jwt, alg, (const unsigned char *)k->private_key, (int)strlen(k->private_key)) == 0)
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	return text;
}

int sp_assertion_sign(const struct sp_service_key *k, const char *aud, char **out, struct sp_cause *cause)
{
	/* The signature's characters: RFC 7518 section 3.4; 0: any. */
	static const struct { jwt_alg_t alg; size_t characters; } algs[] = {
		{ JWT_ALG_RS256, 0 }, { JWT_ALG_ES256, 86 }, { JWT_ALG_ES384, 128 },
	};
	char jti[33], *text, *signature;
	uint8_t random[16];

	if (!jansson_is_apart())
		return sp_cause_set(cause, SP_EUNSUPPORTED, SP_DOMAIN_SELF, 0,
				    "private_key_jwt cannot be used on this system: its libjansson has no symbol versions");
	sp_random(random, sizeof(random));
	for (unsigned i = 0; i < sizeof(random); i++)
		snprintf(jti + 2 * i, 3, "%02x", random[i]);
	for (unsigned i = 0; i < SP_COUNT_OF(algs); i++) {
		text = sign_with(k, aud, jti, algs[i].alg);
		signature = text ? strrchr(text, '.') : NULL;
		if (signature && (algs[i].characters == 0 || strlen(signature + 1) == algs[i].characters)) {
			*out = text;
			return 0;
		}
		sp_secret_free(&text);
	}
	return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "not a private key of RSA, P-256 or P-384 without a passphrase");
}

#else

int sp_assertion_sign(const struct sp_service_key *k, const char *aud, char **out, struct sp_cause *cause)
{
	(void)k;
	(void)aud;
	(void)out;
	return sp_cause_set(cause, SP_EUNSUPPORTED, SP_DOMAIN_SELF, 0,
			    "private_key_jwt needs libjwt, which this sallyport was built without");
}

#endif
