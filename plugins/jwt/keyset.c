/* From JWKs to EVP_PKEYs: see keyset.h. RFC 7517 section 4 (members), RFC 7518 section 6 (RSA, EC), RFC 8037 section 2 (OKP). */
#include "keyset.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strictjson.h"
#include "common/token.h"

#define JWK_DEPTH 8u
#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST 8192
#define RSA_EXPONENT_BYTES_MOST 8u
#define KID_BYTES_MOST 256u

/* What became of one JWK. */
enum taken { TAKEN, SKIPPED, REFUSED };

struct jwk {
	json_object *o;
	unsigned index;
	struct jwt_key *key;
	char *why; /* [why_size] */
	size_t why_size;
};

static enum taken say(const struct jwk *j, enum taken what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static enum taken say(const struct jwk *j, enum taken what, const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(j->why, j->why_size, "keys/%u: ", j->index);

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < j->why_size)
		vsnprintf(j->why + n, j->why_size - (size_t)n, fmt, ap);
	va_end(ap);
	return what;
}

/* The member as text; absent and other types give NULL with *wrong telling them apart. */
static const char *text(const struct jwk *j, const char *name, bool *wrong)
{
	json_object *v;

	*wrong = false;
	if (!json_object_object_get_ex(j->o, name, &v))
		return NULL;
	*wrong = !json_object_is_type(v, json_type_string);
	return *wrong ? NULL : json_object_get_string(v);
}

/* A base64url member into dst: its length, or -1. */
static long octets(const struct jwk *j, const char *name, uint8_t *dst, size_t size)
{
	bool wrong;
	const char *s = text(j, name, &wrong);

	return s ? pc_base64url((sp_str){ s, strlen(s) }, dst, size) : -1;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *pkey = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) <= 0 || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		pkey = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *rsa_make(const uint8_t *n_bytes, long n_len, const uint8_t *e_bytes, long e_len)
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(n_bytes, (int)n_len, NULL), *e = BN_bin2bn(e_bytes, (int)e_len, NULL);
	EVP_PKEY *pkey = NULL;

	if (bld && n && e && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e))
		pkey = from_params("RSA", bld);
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

static enum taken import_rsa(struct jwk *j)
{
	uint8_t n[RSA_BITS_MOST / 8 + 1], e[RSA_EXPONENT_BYTES_MOST];
	long n_len = octets(j, "n", n, sizeof(n)), e_len = octets(j, "e", e, sizeof(e));
	int bits;

	if (n_len <= 0 || e_len <= 0)
		return say(j, REFUSED, "\"n\" or \"e\" is missing, not base64url, or too long");
	j->key->pkey = rsa_make(n, n_len, e, e_len);
	if (!j->key->pkey)
		return say(j, REFUSED, "not an RSA key");
	bits = EVP_PKEY_get_bits(j->key->pkey);
	if (bits < RSA_BITS_LEAST || bits > RSA_BITS_MOST)
		return say(j, REFUSED, "an RSA key of %d bits; %d to %d are accepted", bits, RSA_BITS_LEAST, RSA_BITS_MOST);
	return TAKEN;
}

/* x and y have the full length of the field, leading zeros included (RFC 7518 section 6.2.1.2). */
static enum taken import_ec(struct jwk *j, const struct jwt_alg *alg)
{
	uint8_t point[1 + 2 * 48];
	long f = (long)alg->coordinate_bytes;
	OSSL_PARAM_BLD *bld;

	point[0] = 0x04; /* uncompressed */
	if (octets(j, "x", point + 1, (size_t)f) != f || octets(j, "y", point + 1 + f, (size_t)f) != f)
		return say(j, REFUSED, "\"x\" or \"y\" is missing, not base64url, or not %ld bytes long", f);
	bld = OSSL_PARAM_BLD_new();
	if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, alg->curve, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, (size_t)(1 + 2 * f)))
		j->key->pkey = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return j->key->pkey ? TAKEN : say(j, REFUSED, "not a point on %s", alg->curve);
}

static enum taken import_okp(struct jwk *j, const struct jwt_alg *alg)
{
	uint8_t x[32];

	if (octets(j, "x", x, sizeof(x)) != (long)alg->coordinate_bytes)
		return say(j, REFUSED, "\"x\" is missing, not base64url, or not %zu bytes long", alg->coordinate_bytes);
	j->key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, alg->coordinate_bytes);
	return j->key->pkey ? TAKEN : say(j, REFUSED, "not an Ed25519 key");
}

/* Fills in key->pkey and the algorithms that the type and curve of the key allow. */
static enum taken import_material(struct jwk *j, const char *kty)
{
	bool wrong;
	const char *crv = text(j, "crv", &wrong);
	enum jwt_kind kind = strcmp(kty, "EC") == 0 ? JWT_EC : JWT_ED;

	if (strcmp(kty, "RSA") == 0) {
		for (unsigned i = 0; i < JWT_ALG_COUNT; i++)
			if (jwt_algs[i].kind == JWT_RSA_PKCS1 || jwt_algs[i].kind == JWT_RSA_PSS)
				j->key->algs |= JWT_ALG_BIT(i);
		return import_rsa(j);
	}
	if (strcmp(kty, "EC") != 0 && strcmp(kty, "OKP") != 0)
		return say(j, SKIPPED, "its type is unknown");
	if (!crv)
		return say(j, REFUSED, "\"crv\" is missing");
	for (unsigned i = 0; i < JWT_ALG_COUNT; i++) {
		if (jwt_algs[i].kind != kind || strcmp(jwt_algs[i].curve, crv) != 0)
			continue;
		j->key->algs = JWT_ALG_BIT(i);
		return kind == JWT_EC ? import_ec(j, &jwt_algs[i]) : import_okp(j, &jwt_algs[i]);
	}
	return say(j, SKIPPED, "its curve is not supported");
}

/* Whether the key is there for verifying signatures: "use" and "key_ops" say so, or say nothing. */
static bool for_signatures(const struct jwk *j)
{
	bool wrong;
	const char *use = text(j, "use", &wrong);
	json_object *ops;

	if (wrong || (use && strcmp(use, "sig") != 0))
		return false;
	if (!json_object_object_get_ex(j->o, "key_ops", &ops))
		return true;
	if (!json_object_is_type(ops, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(ops); i++) {
		json_object *op = json_object_array_get_idx(ops, i);

		if (json_object_is_type(op, json_type_string) && strcmp(json_object_get_string(op), "verify") == 0)
			return true;
	}
	return false;
}

static enum taken import_names(struct jwk *j)
{
	bool wrong;
	const char *kid = text(j, "kid", &wrong), *alg;
	int known;

	if (wrong || (kid && (!kid[0] || strlen(kid) > KID_BYTES_MOST)))
		return say(j, REFUSED, "\"kid\" is not a string of 1 to %u bytes", KID_BYTES_MOST);
	alg = text(j, "alg", &wrong);
	if (wrong)
		return say(j, REFUSED, "\"alg\" is not a string");
	known = alg ? jwt_alg_find(alg) : -1;
	if (alg && known < 0)
		return say(j, SKIPPED, "its \"alg\" is not supported");
	if (alg && !(j->key->algs & JWT_ALG_BIT(known)))
		return say(j, REFUSED, "its \"alg\" does not go with its type");
	if (alg)
		j->key->algs = JWT_ALG_BIT(known);
	j->key->kid = kid ? strdup(kid) : NULL;
	if (kid && !j->key->kid)
		return say(j, REFUSED, "out of memory");
	return TAKEN;
}

static bool public_key_good(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool good = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return good;
}

static enum taken import_one(struct jwk *j)
{
	enum taken t;
	bool wrong;
	const char *kty;

	if (!json_object_is_type(j->o, json_type_object))
		return say(j, REFUSED, "not an object");
	kty = text(j, "kty", &wrong);
	if (!kty)
		return say(j, REFUSED, "\"kty\" is missing");
	if (strcmp(kty, "oct") == 0)
		return say(j, REFUSED, "a shared secret; only public keys belong here");
	if (json_object_object_get_ex(j->o, "d", NULL))
		return say(j, REFUSED, "a private key; only public keys belong here");
	if (!for_signatures(j))
		return say(j, SKIPPED, "it is not for verifying signatures");
	t = import_material(j, kty);
	if (t == TAKEN)
		t = import_names(j);
	if (t == TAKEN && !public_key_good(j->key->pkey))
		t = say(j, REFUSED, "OpenSSL's check of the public key fails");
	return t;
}

/* FNV-1a: only saves comparisons; who could craft collisions gains nothing, names are compared after all. */
static uint64_t hash(const char *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool named(const struct jwt_key *k, sp_str kid, uint64_t kid_hash)
{
	return k->kid && k->kid_hash == kid_hash && k->kid_bytes == kid.n && memcmp(k->kid, kid.p, kid.n) == 0;
}

/* Over a text that no two different keys share: the algorithms, the name with its length, the key in DER or the secret. */
static bool identify(struct jwt_key *k)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint64_t head[2] = { k->algs, k->kid ? k->kid_bytes + 1 : 0 };
	unsigned char *der = NULL;
	int der_bytes = k->pkey ? i2d_PUBKEY(k->pkey, &der) : 0;
	bool good;

	good = ctx && der_bytes >= 0 && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestUpdate(ctx, head, sizeof(head)) == 1 && EVP_DigestUpdate(ctx, k->kid, k->kid_bytes) == 1 &&
	       EVP_DigestUpdate(ctx, der, (size_t)der_bytes) == 1 && EVP_DigestUpdate(ctx, k->secret, k->secret_bytes) == 1 &&
	       EVP_DigestFinal_ex(ctx, k->id, NULL) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(ctx);
	return good;
}

/* Two keys of one name are fine while no token could mean either. The same key twice is one key. */
static enum taken add(struct jwt_keyset *ks, struct jwk *j)
{
	struct jwt_key *k = j->key;

	if (k->kid) {
		k->kid_bytes = strlen(k->kid);
		k->kid_hash = hash(k->kid, k->kid_bytes);
	}
	for (unsigned i = 0; i < ks->count; i++) {
		const struct jwt_key *other = &ks->keys[i];

		if (!(other->algs & k->algs))
			continue;
		if (k->kid ? !named(other, (sp_str){ k->kid, k->kid_bytes }, k->kid_hash) : other->kid != NULL)
			continue;
		if (EVP_PKEY_eq(other->pkey, k->pkey) == 1 && other->algs == k->algs)
			return say(j, SKIPPED, "it is there twice");
		if (k->kid)
			return say(j, REFUSED, "another key has the same \"kid\" and algorithm");
	}
	if (!identify(k))
		return say(j, REFUSED, "out of memory");
	ks->keys[ks->count++] = *k;
	*k = (struct jwt_key){ 0 };
	return TAKEN;
}

static void key_deinit(struct jwt_key *k)
{
	free(k->kid);
	EVP_PKEY_free(k->pkey);
	if (k->secret)
		OPENSSL_cleanse(k->secret, k->secret_bytes);
	free(k->secret);
	*k = (struct jwt_key){ 0 };
}

static int import_all(json_object *list, struct jwt_keyset *ks, char *why, size_t why_size)
{
	size_t n = json_object_array_length(list);

	if (n > JWT_KEYS_MOST) {
		snprintf(why, why_size, "%zu keys; %u are accepted", n, JWT_KEYS_MOST);
		return -1;
	}
	ks->keys = calloc(n + 1, sizeof(*ks->keys));
	for (size_t i = 0; ks->keys && i < n; i++) {
		struct jwt_key key = { 0 };
		struct jwk j = { json_object_array_get_idx(list, i), (unsigned)i, &key, why, why_size };
		enum taken t = import_one(&j);

		if (t == TAKEN)
			t = add(ks, &j);
		key_deinit(&key);
		if (t == REFUSED)
			return -1;
		if (t == SKIPPED && ks->skipped++ == 0)
			snprintf(ks->skip_why, sizeof(ks->skip_why), "%s", why);
	}
	if (ks->count > 0)
		return 0;
	if (ks->skipped)
		snprintf(why, why_size, "no key in it can verify tokens (%s)", ks->skip_why);
	else
		snprintf(why, why_size, "no key in it");
	return -1;
}

static struct jwt_keyset *keyset_new(void)
{
	static _Atomic uint64_t serial;
	struct jwt_keyset *ks = calloc(1, sizeof(*ks));

	if (ks) {
		ks->serial = atomic_fetch_add(&serial, 1) + 1;
		ks->refs = 1;
	}
	return ks;
}

int jwt_keyset_import(const char *text_, size_t n, struct jwt_keyset **out, char *why, size_t why_size)
{
	const char *json_why = NULL;
	json_object *o = pc_json_parse(text_, n, JWK_DEPTH, &json_why), *list = NULL;
	struct jwt_keyset *ks;
	int rc = -1;

	if (!o) {
		snprintf(why, why_size, "not JSON: %s", json_why);
		return -1;
	}
	ks = keyset_new();
	if (!ks)
		snprintf(why, why_size, "out of memory");
	else if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, "keys", &list) ||
		 !json_object_is_type(list, json_type_array))
		snprintf(why, why_size, "not a JWK set: an object with a list \"keys\" is expected");
	else
		rc = import_all(list, ks, why, why_size);
	json_object_put(o);
	ERR_clear_error(); /* of keys that OpenSSL refused */
	if (rc == 0)
		*out = ks;
	else
		jwt_keyset_free(&ks);
	return rc;
}

static bool secret_make(struct jwt_key *k, const char *bytes, size_t n)
{
	k->secret = malloc(n);
	if (!k->secret)
		return false;
	memcpy(k->secret, bytes, n);
	k->secret_bytes = n;
	return identify(k);
}

int jwt_keyset_import_secret(const char *bytes, size_t n, uint32_t algs, struct jwt_keyset **out, char *why, size_t why_size)
{
	struct jwt_keyset *ks;

	if (n > 0 && bytes[n - 1] == '\n')
		n -= n > 1 && bytes[n - 2] == '\r' ? 2 : 1;
	for (unsigned i = 0; i < JWT_ALG_COUNT; i++)
		if (jwt_algs[i].kind != JWT_HMAC || n < jwt_algs[i].coordinate_bytes)
			algs &= ~JWT_ALG_BIT(i);
	if (!algs || n > JWT_SECRET_BYTES_MOST) {
		snprintf(why, why_size, "a secret of %zu bytes; at least 32 (HS256), 48 (HS384) or 64 (HS512) and at most %u are accepted",
			 n, JWT_SECRET_BYTES_MOST);
		return -1;
	}
	ks = keyset_new();
	if (ks)
		ks->keys = calloc(1, sizeof(*ks->keys));
	if (!ks || !ks->keys) {
		snprintf(why, why_size, "out of memory");
		jwt_keyset_free(&ks);
		return -1;
	}
	ks->count = 1;
	ks->keys[0].algs = algs;
	if (!secret_make(&ks->keys[0], bytes, n)) {
		snprintf(why, why_size, "out of memory");
		jwt_keyset_free(&ks);
		return -1;
	}
	*out = ks;
	return 0;
}

struct jwt_keyset *jwt_keyset_ref(struct jwt_keyset *ks)
{
	atomic_fetch_add(&ks->refs, 1);
	return ks;
}

void jwt_keyset_free(struct jwt_keyset **ksp)
{
	struct jwt_keyset *ks = *ksp;

	*ksp = NULL;
	if (!ks || atomic_fetch_sub(&ks->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < ks->count; i++)
		key_deinit(&ks->keys[i]);
	free(ks->keys);
	free(ks);
}

bool jwt_keyset_has(const struct jwt_keyset *ks, const uint8_t id[JWT_KEY_ID_BYTES])
{
	for (unsigned i = 0; i < ks->count; i++)
		if (memcmp(ks->keys[i].id, id, JWT_KEY_ID_BYTES) == 0)
			return true;
	return false;
}

enum jwt_found jwt_keyset_find(const struct jwt_keyset *ks, unsigned alg, sp_str kid, const struct jwt_key **out)
{
	uint64_t h = kid.p ? hash(kid.p, kid.n) : 0;
	const struct jwt_key *found = NULL;

	for (unsigned i = 0; i < ks->count; i++) {
		const struct jwt_key *k = &ks->keys[i];

		if (!(k->algs & JWT_ALG_BIT(alg)) || (kid.p && k->pkey && !named(k, kid, h)))
			continue;
		if (found)
			return JWT_FOUND_SEVERAL;
		found = k;
	}
	if (!found)
		return JWT_FOUND_NONE;
	*out = found;
	return JWT_FOUND;
}
