/* Verifies a compact JWS (RFC 7515) that holds a JWT (RFC 7519), after RFC 8725 (best current practices) and, for access tokens,
 * RFC 9068. First whose it is and that it is not out of date, both cheap and of no use to who made the token up; then the
 * signature; then what decides about access.
 *
 * Left out on purpose: encryption, nested tokens, keys named by the token itself (jku, jwk, x5u, x5c are ignored), "crit"
 * extensions, unencoded payloads (b64). */
#include "verify.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
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
#define ISSUER_BYTES_MOST 2048u
#define URL_TENANT_BYTES_MOST 128u
/* Seconds beyond any date that is meant; sums with the skew cannot overflow. */
#define DATE_MOST (INT64_C(1) << 48)
/* So much of a claim is quoted to the operator. */
#define QUOTE 100

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

static sp_str text_of(json_object *v)
{
	return (sp_str){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
}

/* What a peer wrote, so that the operator sees every byte of it: "\xe2\x80\x8b" is a space without width. */
struct quoted { char text[4 * QUOTE + 4]; };
static struct quoted quote(sp_str s)
{
	static const char hex[] = "0123456789abcdef";
	struct quoted q;
	size_t n = 0;

	for (size_t i = 0; i < s.n && i < QUOTE; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c > 0x20 && c < 0x7f && c != '"' && c != '\\') {
			q.text[n++] = (char)c;
			continue;
		}
		q.text[n++] = '\\';
		q.text[n++] = 'x';
		q.text[n++] = hex[c >> 4];
		q.text[n++] = hex[c & 15];
	}
	snprintf(q.text + n, sizeof(q.text) - n, "%s", s.n > QUOTE ? "..." : "");
	return q;
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

static int read_alg(struct jwt_token *t, struct jwt_refusal *no)
{
	json_object *v;
	int alg;

	if (!json_object_object_get_ex(t->header, "alg", &v) || !string(v))
		return bad(no, "the header names no algorithm (alg)");
	alg = jwt_alg_find(string(v));
	if (alg < 0)
		return bad(no, "algorithm \"%s\" is never accepted", quote(text_of(v)).text);
	t->alg = (unsigned)alg;
	return 0;
}

static int read_header(struct jwt_token *t, sp_str part, struct jwt_refusal *no)
{
	const char *why = NULL;
	json_object *v;

	t->header = pc_token_json(part, NULL, NULL, &why);
	if (!t->header)
		return bad(no, "the header cannot be read: %s", why);
	if (json_object_object_get_ex(t->header, "crit", &v))
		return bad(no, "the header demands extensions (crit); none is supported");
	if (json_object_object_get_ex(t->header, "b64", &v))
		return bad(no, "the header says how the payload is encoded (b64); that is not supported");
	if (json_object_object_get_ex(t->header, "typ", &v) && (!string(v) || !type_accepted(string(v))))
		return bad(no, "type \"%s\" is neither JWT nor at+jwt", string(v) ? quote(text_of(v)).text : "(not a string)");
	if (json_object_object_get_ex(t->header, "kid", &v)) {
		if (!string(v) || json_object_get_string_len(v) == 0 || json_object_get_string_len(v) > (int)KID_BYTES_MOST)
			return bad(no, "the key's name (kid) is not a string of 1 to %u bytes", KID_BYTES_MOST);
		t->kid = text_of(v);
	}
	return read_alg(t, no);
}

/* ---- signature ---- */

static int find_key(const struct jwt_token *t, const struct jwt_keyset *ks, const struct jwt_key **key, struct jwt_refusal *no)
{
	const char *alg = jwt_algs[t->alg].name;

	switch (jwt_keyset_find(ks, t->alg, t->kid, key)) {
	case JWT_FOUND:
		return 0;
	case JWT_FOUND_SEVERAL:
		return bad(no, "the token names no key (kid) and several keys fit %s", alg);
	case JWT_FOUND_NONE:
		break;
	}
	no->unknown_key = true;
	if (t->kid.p)
		return bad(no, "no key \"%s\" for %s in the key set", quote(t->kid).text, alg);
	return bad(no, "the token names no key (kid) and no key fits %s", alg);
}

/* RFC 7518 section 3.4: r and s, each with the full length of the field. OpenSSL wants them in DER. */
static long ec_to_der(const struct jwt_alg *alg, const uint8_t *sig, uint8_t *der, size_t der_size)
{
	int f = (int)alg->coordinate_bytes;
	BIGNUM *r, *s;
	ECDSA_SIG *es;
	long len = -1;

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

static bool mac_of(const struct jwt_key *key, const struct jwt_alg *alg, sp_str text, const uint8_t *sig)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	const EVP_MD *md = alg->coordinate_bytes == 32 ? EVP_sha256() : alg->coordinate_bytes == 48 ? EVP_sha384() : EVP_sha512();

	return HMAC(md, key->secret, (int)key->secret_bytes, (const uint8_t *)text.p, text.n, mac, &n) != NULL &&
	       n == alg->coordinate_bytes && CRYPTO_memcmp(mac, sig, n) == 0;
}

/* The bytes that a signature has; DER of EC is never one of them. */
static long signature_bytes(const struct jwt_key *key, const struct jwt_alg *alg)
{
	switch (alg->kind) {
	case JWT_EC:
		return 2 * (long)alg->coordinate_bytes;
	case JWT_ED:
		return 64;
	case JWT_HMAC:
		return (long)alg->coordinate_bytes;
	case JWT_RSA_PKCS1:
	case JWT_RSA_PSS:
		break;
	}
	return EVP_PKEY_get_size(key->pkey);
}

static int check_signature(const struct jwt_token *t, const struct jwt_key *key, struct jwt_refusal *no)
{
	const struct jwt_alg *alg = &jwt_algs[t->alg];
	uint8_t sig[SIGNATURE_BYTES_MOST], der[SIGNATURE_BYTES_MOST];
	const uint8_t *bytes = sig;
	long n = pc_base64url(t->signature, sig, sizeof(sig));

	if (n <= 0)
		return bad(no, "the signature is empty, too long or not canonical base64url");
	if (n != signature_bytes(key, alg))
		return bad(no, "the signature has not the length of one of %s", alg->name);
	if (alg->kind == JWT_EC) {
		n = ec_to_der(alg, sig, der, sizeof(der));
		bytes = der;
	}
	if (n < 0 || !(key->pkey ? signed_by(key, alg, t->signed_text, bytes, n) : mac_of(key, alg, t->signed_text, bytes)))
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

static int check_dates(struct jwt_token *t, const struct jwt_policy *p, int64_t now, struct jwt_refusal *no)
{
	int64_t exp = 0, at = 0;
	int rc;

	if (date(t->claims, "exp", &exp) <= 0)
		return bad(no, "it has no end (exp), or one that is not a whole number of seconds");
	t->expires_at = exp + p->clock_skew_s;
	if (now >= t->expires_at)
		return refuse(no, SP_WHY_EXPIRED, "it expired %lld s ago", (long long)(now - exp));
	rc = date(t->claims, "nbf", &at);
	if (rc < 0)
		return bad(no, "its begin (nbf) is not a whole number of seconds");
	if (rc > 0 && at > now + p->clock_skew_s)
		return bad(no, "it is not valid before %lld s from now (nbf)", (long long)(at - now));
	rc = date(t->claims, "iat", &at);
	if (rc < 0)
		return bad(no, "its issue date (iat) is not a whole number of seconds");
	if (rc > 0 && at > now + p->clock_skew_s)
		return bad(no, "it was issued %lld s in the future (iat)", (long long)(at - now));
	return 0;
}

static int find_group(struct jwt_token *t, const struct jwt_policy *p, struct jwt_refusal *no)
{
	json_object *v;
	int group;

	if (!json_object_object_get_ex(t->claims, "iss", &v) || !string(v))
		return bad(no, "it names no issuer (iss)");
	t->issuer = text_of(v);
	group = t->issuer.n > ISSUER_BYTES_MOST ? -1 : jwt_policy_group(p, t->issuer);
	if (group < 0)
		return bad(no, "issuer \"%s\" is not a configured one", quote(t->issuer).text);
	t->group = (unsigned)group;
	if (!(p->groups[group].algs & JWT_ALG_BIT(t->alg)))
		return bad(no, "algorithm %s is not among those for the issuer's keys", jwt_algs[t->alg].name);
	return 0;
}

/* Of RFC 3986's unreserved characters only: it becomes part of a URL. */
static bool fits_url(sp_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("-._~", c))
			return false;
	}
	return s.n > 0 && s.n <= URL_TENANT_BYTES_MOST;
}

static int find_tenant(struct jwt_token *t, const struct jwt_policy *p, struct jwt_refusal *no)
{
	if (pc_claim_string(t->claims, p->tenant_claims, &t->tenant) < 0)
		return bad(no, "the claim that names the tenant is not a string");
	if (!p->groups[t->group].per_tenant)
		return 0;
	if (!t->tenant.p)
		return bad(no, "it names no tenant, and the issuer's keys are found by it");
	if (!fits_url(t->tenant))
		return bad(no, "tenant \"%s\" cannot be part of the URL of its keys", quote(t->tenant).text);
	return 0;
}

static int check_audience(const struct jwt_claims *c, const struct jwt_policy *p, struct jwt_refusal *no)
{
	bool found = false;
	json_object *v;

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
		return refuse(no, SP_WHY_FORBIDDEN, "client \"%s\" is not among the allowed ones", quote(c->client).text);
	if (pc_claim_string(c->root, p->principal_claims, &c->principal) < 0)
		return bad(no, "the claim that names the principal is not a string");
	if (!c->principal.p)
		c->principal = c->client;
	if (p->tenant_required && !c->tenant.p)
		return refuse(no, SP_WHY_TENANT_UNKNOWN, "it names no tenant");
	if (pc_claim_string(c->root, p->subdomain_claims, &c->subdomain) < 0)
		return bad(no, "the claim that names the subdomain is not a string");
	return 0;
}

/* RFC 6749 section 3.3: words with spaces between them; some issuers write a list. 1 when the claim holds it, -1: malformed. */
static int scope_claim_has(json_object *v, const char *scope)
{
	size_t n = strlen(scope);

	if (string(v)) {
		for (const char *s = string(v); *s; s += strspn(s, " ")) {
			size_t word = strcspn(s, " ");

			if (word == n && memcmp(s, scope, n) == 0)
				return 1;
			s += word;
		}
		return 0;
	}
	if (!json_object_is_type(v, json_type_array))
		return -1;
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		json_object *e = json_object_array_get_idx(v, i);

		if (!string(e))
			return -1;
		if ((size_t)json_object_get_string_len(e) == n && memcmp(string(e), scope, n) == 0)
			return 1;
	}
	return 0;
}

static int check_scopes(const struct jwt_claims *c, const struct jwt_policy *p, struct jwt_refusal *no)
{
	static const char *const names[] = { "scope", "scp" };

	for (char **scope = p->required_scopes; scope && *scope; scope++) {
		bool found = false;

		for (unsigned i = 0; i < 2; i++) {
			json_object *v = NULL;
			int rc = json_object_object_get_ex(c->root, names[i], &v) ? scope_claim_has(v, *scope) : 0;

			if (rc < 0)
				return bad(no, "its scopes (%s) are neither a string nor a list of strings", names[i]);
			found = found || rc > 0;
		}
		if (!found)
			return refuse(no, SP_WHY_FORBIDDEN, "it lacks the scope \"%s\"", *scope);
	}
	return 0;
}

/* ---- the two steps ---- */

static int take_apart(sp_str token, const struct jwt_policy *p, int64_t now, struct jwt_token *t, struct jwt_refusal *no)
{
	const char *why = NULL;
	sp_str parts[3];

	if (token.n > p->token_bytes_most)
		return bad(no, "%zu bytes are too long; max_token_bytes is %zu", token.n, p->token_bytes_most);
	if (pc_token_split(token, parts) < 0)
		return bad(no, "it has not the three parts of a signed token");
	t->signed_text = (sp_str){ token.p, parts[0].n + 1 + parts[1].n };
	t->signature = parts[2];
	if (read_header(t, parts[0], no) < 0)
		return -1;
	t->claims = pc_token_json(parts[1], &t->text, &t->text_bytes, &why);
	if (!t->claims)
		return bad(no, "the payload cannot be read: %s", why);
	if (find_group(t, p, no) < 0 || check_dates(t, p, now, no) < 0)
		return -1;
	return find_tenant(t, p, no);
}

int jwt_token_open(sp_str token, const struct jwt_policy *p, int64_t now_s, struct jwt_token *out, struct jwt_refusal *no)
{
	struct jwt_token t = { 0 };

	*no = (struct jwt_refusal){ .why = SP_WHY_BAD_CREDENTIAL };
	if (take_apart(token, p, now_s, &t, no) < 0) {
		jwt_token_deinit(&t);
		return -1;
	}
	*out = t;
	return 0;
}

int jwt_token_verify(struct jwt_token *t, const struct jwt_keyset *ks, const struct jwt_policy *p, int64_t now_s,
		     struct jwt_claims *out, struct jwt_refusal *no)
{
	struct jwt_claims c = { .root = t->claims, .text = t->text, .text_bytes = t->text_bytes, .issuer = t->issuer,
				.tenant = t->tenant };

	*no = (struct jwt_refusal){ .why = SP_WHY_BAD_CREDENTIAL };
	if (find_key(t, ks, &c.key, no) < 0 || check_signature(t, c.key, no) < 0)
		return -1;
	/* Again: its keys may have taken a while. */
	if (check_dates(t, p, now_s, no) < 0 || check_audience(&c, p, no) < 0 || check_parties(&c, p, no) < 0 ||
	    check_scopes(&c, p, no) < 0)
		return -1;
	c.expires_at = t->expires_at;
	t->claims = NULL;
	t->text = NULL;
	*out = c;
	return 0;
}

void jwt_token_deinit(struct jwt_token *t)
{
	json_object_put(t->header);
	json_object_put(t->claims);
	free(t->text);
	*t = (struct jwt_token){ 0 };
}

void jwt_claims_deinit(struct jwt_claims *c)
{
	json_object_put(c->root);
	free(c->text);
	*c = (struct jwt_claims){ 0 };
}
