/* Verifies a compact JWS (RFC 7515) that holds a JWT (RFC 7519), after RFC 8725 (best current practices) and, for access tokens,
 * RFC 9068. First the signature, then what is said.
 *
 * Left out on purpose: encryption, nested tokens, keys named by the token itself (jku, jwk, x5u, x5c are ignored), shared
 * secrets, "crit" extensions. */
#include "verify.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/settings.h"
#include "common/token.h"

#define SIGNATURE_BYTES_MOST 1024u /* RSA with 8192 bits */
#define KID_BYTES_MOST 256u
/* Seconds beyond any date that is meant; sums with the skew cannot overflow. */
#define DATE_MOST (INT64_C(1) << 48)
/* So much of a claim is quoted to the operator. */
#define QUOTE 64

struct header {
	json_object *root;
	unsigned alg;
	sp_str kid;
};

static int refuse(struct jwt_refusal *no, uint32_t why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct jwt_refusal *no, uint32_t why, const char *fmt, ...)
{
	va_list ap;

	no->why = why;
	va_start(ap, fmt);
	vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	return -1;
}

#define bad(no, ...) refuse(no, SP_WHY_BAD_CREDENTIAL, __VA_ARGS__)

static const char *string(json_object *v)
{
	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

/* ---- header ---- */

/* RFC 8725 section 3.11, RFC 9068 section 4: what the token says to be. Media types know no case and may leave out
 * "application/" (RFC 7515 section 4.1.9). */
static bool type_accepted(const char *typ)
{
	if (strncasecmp(typ, "application/", 12) == 0)
		typ += 12;
	return strcasecmp(typ, "JWT") == 0 || strcasecmp(typ, "at+jwt") == 0;
}

static int read_alg(struct header *h, const struct jwt_policy *p, struct jwt_refusal *no)
{
	json_object *v;
	const char *name;
	int alg;

	if (!json_object_object_get_ex(h->root, "alg", &v) || !(name = string(v)))
		return bad(no, "the header names no algorithm (alg)");
	alg = jwt_alg_find(name);
	if (alg < 0)
		return bad(no, "algorithm \"%.*s\" is never accepted", QUOTE, name);
	if (!(p->algs & JWT_ALG_BIT(alg)))
		return bad(no, "algorithm %s is not among the configured ones", name);
	h->alg = (unsigned)alg;
	return 0;
}

static int read_header(struct header *h, sp_str part, const struct jwt_policy *p, struct jwt_refusal *no)
{
	const char *why = NULL;
	json_object *v;

	h->root = pc_token_json(part, NULL, NULL, &why);
	if (!h->root)
		return bad(no, "the header cannot be read: %s", why);
	if (json_object_object_get_ex(h->root, "crit", &v))
		return bad(no, "the header demands extensions (crit); none is supported");
	if (json_object_object_get_ex(h->root, "typ", &v) && (!string(v) || !type_accepted(string(v))))
		return bad(no, "type \"%.*s\" is neither JWT nor at+jwt", QUOTE, string(v) ? string(v) : "(not a string)");
	if (json_object_object_get_ex(h->root, "kid", &v)) {
		if (!string(v) || json_object_get_string_len(v) == 0 || json_object_get_string_len(v) > (int)KID_BYTES_MOST)
			return bad(no, "the key's name (kid) is not a string of 1 to %u bytes", KID_BYTES_MOST);
		h->kid = (sp_str){ string(v), (size_t)json_object_get_string_len(v) };
	}
	return read_alg(h, p, no);
}

/* ---- signature ---- */

static int find_key(const struct header *h, const struct jwt_keyset *ks, const struct jwt_key **key, struct jwt_refusal *no)
{
	const char *alg = jwt_algs[h->alg].name;

	switch (jwt_keyset_find(ks, h->alg, h->kid, key)) {
	case JWT_FOUND:
		return 0;
	case JWT_FOUND_SEVERAL:
		return bad(no, "the token names no key (kid) and several keys fit %s", alg);
	case JWT_FOUND_NONE:
		break;
	}
	no->unknown_key = true;
	if (h->kid.p)
		return bad(no, "no key \"%.*s\" for %s in the key set", h->kid.n > QUOTE ? QUOTE : (int)h->kid.n, h->kid.p, alg);
	return bad(no, "the token names no key (kid) and no key fits %s", alg);
}

/* RFC 7518 section 3.4: r and s, each with the full length of the field. OpenSSL wants them in DER. */
static long ec_to_der(const struct jwt_alg *alg, const uint8_t *sig, long n, uint8_t *der, size_t der_size)
{
	int f = (int)alg->coordinate_bytes;
	BIGNUM *r, *s;
	ECDSA_SIG *es;
	long len = -1;

	if (n != 2 * f)
		return -1;
	es = ECDSA_SIG_new();
	r = BN_bin2bn(sig, f, NULL);
	s = BN_bin2bn(sig + f, f, NULL);
	if (es && r && s && ECDSA_SIG_set0(es, r, s) == 1) {
		r = s = NULL;
		len = i2d_ECDSA_SIG(es, NULL);
		len = len > 0 && (size_t)len <= der_size ? i2d_ECDSA_SIG(es, &der) : -1;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(es);
	return len;
}

static bool signed_by(const struct jwt_key *key, const struct jwt_alg *alg, sp_str text, const uint8_t *sig, long n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;
	bool good;

	good = ctx && EVP_DigestVerifyInit_ex(ctx, &pctx, alg->digest, NULL, NULL, key->pkey, NULL) == 1;
	if (good && alg->kind == JWT_RSA_PSS)
		good = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	good = good && EVP_DigestVerify(ctx, sig, (size_t)n, (const uint8_t *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	/* A refused signature leaves its reasons in the thread's queue, where TLS would find them. */
	ERR_clear_error();
	return good;
}

static int check_signature(const struct jwt_key *key, unsigned alg_index, sp_str text, sp_str part, struct jwt_refusal *no)
{
	const struct jwt_alg *alg = &jwt_algs[alg_index];
	uint8_t sig[SIGNATURE_BYTES_MOST], der[SIGNATURE_BYTES_MOST];
	const uint8_t *bytes = sig;
	long n = pc_base64url(part, sig, sizeof(sig));

	if (n <= 0)
		return bad(no, "the signature is empty, too long or not canonical base64url");
	if (alg->kind == JWT_EC) {
		n = ec_to_der(alg, sig, n, der, sizeof(der));
		bytes = der;
	} else if (n != (alg->kind == JWT_ED ? 64 : EVP_PKEY_get_size(key->pkey))) {
		n = -1;
	}
	if (n < 0)
		return bad(no, "the signature has not the length of one of %s", alg->name);
	if (!signed_by(key, alg, text, bytes, n))
		return bad(no, "the signature (%s) is not the key's", alg->name);
	return 0;
}

/* ---- claims ---- */

/* NumericDate, whole seconds. 1 present, 0 absent, -1 malformed. */
static int date(json_object *claims, const char *name, int64_t *out)
{
	json_object *v;

	if (!json_object_object_get_ex(claims, name, &v))
		return 0;
	if (!json_object_is_type(v, json_type_int))
		return -1;
	*out = json_object_get_int64(v);
	return *out < 0 || *out > DATE_MOST ? -1 : 1;
}

static int check_dates(struct jwt_claims *c, const struct jwt_policy *p, int64_t now, struct jwt_refusal *no)
{
	int64_t exp = 0, at = 0;
	int rc;

	if (date(c->root, "exp", &exp) <= 0)
		return bad(no, "it has no end (exp), or one that is not a whole number of seconds");
	c->expires_at = exp + p->clock_skew_s;
	if (now >= c->expires_at)
		return refuse(no, SP_WHY_EXPIRED, "it expired %lld s ago", (long long)(now - exp));
	rc = date(c->root, "nbf", &at);
	if (rc < 0)
		return bad(no, "its begin (nbf) is not a whole number of seconds");
	if (rc > 0 && at > now + p->clock_skew_s)
		return bad(no, "it is not valid before %lld s from now (nbf)", (long long)(at - now));
	rc = date(c->root, "iat", &at);
	if (rc < 0)
		return bad(no, "its issue date (iat) is not a whole number of seconds");
	if (rc > 0 && at > now + p->clock_skew_s)
		return bad(no, "it was issued %lld s in the future (iat)", (long long)(at - now));
	return 0;
}

static int check_issuer(const struct jwt_claims *c, const struct jwt_policy *p, struct jwt_refusal *no)
{
	json_object *v;

	if (!json_object_object_get_ex(c->root, "iss", &v) || !string(v))
		return bad(no, "it names no issuer (iss)");
	if (strcmp(string(v), p->issuer) != 0)
		return bad(no, "issuer \"%.*s\" is not the configured one", QUOTE, string(v));
	return 0;
}

static int check_audience(const struct jwt_claims *c, const struct jwt_policy *p, struct jwt_refusal *no)
{
	json_object *v;
	bool found = false;

	if (!p->audience)
		return 0;
	if (!json_object_object_get_ex(c->root, "aud", &v))
		return bad(no, "it names no audience (aud)");
	if (string(v)) {
		found = pc_strings_have(p->audience, string(v), (size_t)json_object_get_string_len(v));
	} else if (json_object_is_type(v, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			json_object *a = json_object_array_get_idx(v, i);

			if (!string(a))
				return bad(no, "its audience (aud) is neither a string nor a list of strings");
			found = found || pc_strings_have(p->audience, string(a), (size_t)json_object_get_string_len(a));
		}
	} else {
		return bad(no, "its audience (aud) is neither a string nor a list of strings");
	}
	return found ? 0 : bad(no, "it is for another audience (aud)");
}

/* The claim names its single value, or none: "aud" with several values names no client. */
static int client_of(const struct jwt_claims *c, const struct jwt_policy *p, sp_str *out)
{
	for (char **path = p->client_claims; *path; path++) {
		json_object *v = pc_claim(c->root, *path);
		int rc;

		if (json_object_is_type(v, json_type_array) && json_object_array_length(v) != 1)
			continue;
		rc = pc_claim_string(c->root, (char *const[]){ *path, NULL }, out);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int check_parties(struct jwt_claims *c, const struct jwt_policy *p, struct jwt_refusal *no)
{
	if (client_of(c, p, &c->client) < 0)
		return bad(no, "the claim that names the client is not a string");
	if (p->allowed_clients && !c->client.p)
		return refuse(no, SP_WHY_FORBIDDEN, "it names no client, and only some clients are allowed");
	if (p->allowed_clients && !pc_strings_have(p->allowed_clients, c->client.p, c->client.n))
		return refuse(no, SP_WHY_FORBIDDEN, "client \"%.*s\" is not among the allowed ones",
			      c->client.n > QUOTE ? QUOTE : (int)c->client.n, c->client.p);
	if (pc_claim_string(c->root, p->principal_claims, &c->principal) < 0)
		return bad(no, "the claim that names the principal is not a string");
	if (!c->principal.p)
		c->principal = c->client;
	if (pc_claim_string(c->root, p->tenant_claims, &c->tenant) < 0)
		return bad(no, "the claim that names the tenant is not a string");
	if (p->tenant_required && !c->tenant.p)
		return refuse(no, SP_WHY_TENANT_UNKNOWN, "it names no tenant");
	return 0;
}

static int check_claims(struct jwt_claims *c, sp_str part, const struct jwt_policy *p, int64_t now, struct jwt_refusal *no)
{
	const char *why = NULL;

	c->root = pc_token_json(part, &c->text, &c->text_bytes, &why);
	if (!c->root)
		return bad(no, "the payload cannot be read: %s", why);
	if (check_issuer(c, p, no) < 0 || check_dates(c, p, now, no) < 0 || check_audience(c, p, no) < 0)
		return -1;
	return check_parties(c, p, no);
}

int jwt_verify(sp_str token, const struct jwt_keyset *ks, const struct jwt_policy *p, int64_t now_s, struct jwt_claims *out,
	       struct jwt_refusal *no)
{
	const struct jwt_key *key = NULL;
	struct jwt_claims c = { 0 };
	struct header h = { 0 };
	sp_str parts[3], text;
	int rc;

	*no = (struct jwt_refusal){ .why = SP_WHY_BAD_CREDENTIAL };
	if (token.n > p->token_bytes_most)
		return bad(no, "%zu bytes are too long; max_token_bytes is %zu", token.n, p->token_bytes_most);
	if (pc_token_split(token, parts) < 0)
		return bad(no, "it has not the three parts of a signed token");
	text = (sp_str){ token.p, parts[0].n + 1 + parts[1].n };
	rc = read_header(&h, parts[0], p, no);
	if (rc == 0)
		rc = find_key(&h, ks, &key, no);
	if (rc == 0)
		rc = check_signature(key, h.alg, text, parts[2], no);
	if (rc == 0)
		rc = check_claims(&c, parts[1], p, now_s, no);
	json_object_put(h.root);
	if (rc == 0)
		*out = c;
	else
		jwt_claims_deinit(&c);
	return rc;
}

void jwt_claims_deinit(struct jwt_claims *c)
{
	json_object_put(c->root);
	free(c->text);
	*c = (struct jwt_claims){ 0 };
}
