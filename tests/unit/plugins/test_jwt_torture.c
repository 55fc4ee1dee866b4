/* The torture table: for every way to bend a token its verdict and the operator's reason. Three issuers with keys of their own: one
 * with public keys (and a template), another with another key, one with a shared secret. NOW is the clock. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/token.h"
#include "jwt_both.h"
#include "mint.h"
#include "suites.h"

#define NOW 1700000000
#define SECRET "0123456789abcdef0123456789abcdef" /* 32 bytes: HS256 */
#define ISS "https://idp.example"
#define XSUAA(host) "https://" host "/oauth/token"
#define SETTINGS \
	"{\"issuers\":[{\"issuer\":[\"" ISS "\",\"https://*.auth.example/oauth/token\"],\"jwks_file\":\"a\"}," \
	"{\"issuer\":\"https://other.example\",\"jwks_file\":\"b\"},{\"issuer\":\"https://shared.example\",\"secret_file\":\"c\"}]," \
	"\"audience\":\"sallyport\"%s}"

#define RS "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"
#define ES "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define HS "{\"alg\":\"HS256\"}"
#define HEADER(rest) "{\"alg\":\"RS256\",\"kid\":\"rsa\"," rest "}"
#define BY(iss, rest) "{\"iss\":\"" iss "\",\"aud\":\"sallyport\",\"exp\":1700000600" rest "}"
#define GOOD BY(ISS, "")
#define EXP(exp) "{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":" exp "}"
#define AUD(aud) "{\"iss\":\"" ISS "\",\"aud\":" aud ",\"exp\":1700000600}"

static EVP_PKEY *rsa, *rsa2, *ec, *ec384, *ed, *foreign;
static struct jwt_keyset *keys[3]; /* by group */

static struct jwt_keyset *import(char *set)
{
	struct jwt_keyset *ks = NULL;
	char why[256] = "";
	int rc = jwt_keyset_import(set, strlen(set), &ks, why, sizeof(why));

	ck_assert_msg(rc == 0, "%s", why);
	free(set);
	return ks;
}

static void setup(void)
{
	char why[256];

	rsa = mint_rsa(2048);
	rsa2 = mint_rsa(2048);
	foreign = mint_rsa(2048);
	ec = mint_ec("P-256");
	ec384 = mint_ec("P-384");
	ed = mint_ed();
	keys[0] = import(mint_set((char *const[]){ mint_jwk(rsa, "rsa", ""), mint_jwk(rsa2, "ps", "\"alg\":\"PS256\","), mint_jwk(ec, "ec", ""),
						   mint_jwk(ec384, "ec384", ""), mint_jwk(ed, "ed", ""), NULL }));
	keys[1] = import(mint_set((char *const[]){ mint_jwk(rsa2, "rsa", ""), NULL }));
	ck_assert_int_eq(jwt_keyset_import_secret(SECRET, strlen(SECRET), JWT_ALG_SHARED, &keys[2], why, sizeof(why)), 0);
}

static void teardown(void)
{
	EVP_PKEY *const all[] = { rsa, rsa2, foreign, ec, ec384, ed };

	for (unsigned i = 0; i < 6; i++)
		EVP_PKEY_free(all[i]);
	for (unsigned i = 0; i < 3; i++)
		jwt_keyset_free(&keys[i]);
}

/* ---- who signs, and what is done to it afterwards ---- */

static char *by_rsa(const char *h, const char *p) { return mint_token(rsa, "RS256", h, p); }
static char *by_rsa2(const char *h, const char *p) { return mint_token(rsa2, "RS256", h, p); }
static char *by_foreign(const char *h, const char *p) { return mint_token(foreign, "RS256", h, p); }
static char *by_rs384(const char *h, const char *p) { return mint_token(rsa, "RS384", h, p); }
static char *by_ps256(const char *h, const char *p) { return mint_token(rsa, "PS256", h, p); }
static char *by_ps256_no_salt(const char *h, const char *p) { return mint_token(rsa, "PS256:0", h, p); }
static char *by_ps256_long_salt(const char *h, const char *p) { return mint_token(rsa, "PS256:64", h, p); }
static char *by_ec(const char *h, const char *p) { return mint_token(ec, "ES256", h, p); }
static char *by_ec384(const char *h, const char *p) { return mint_token(ec384, "ES384", h, p); }
static char *by_ed(const char *h, const char *p) { return mint_token(ed, "EdDSA", h, p); }
static char *by_secret(const char *h, const char *p) { return mint_token_mac(SECRET, strlen(SECRET), "HS256", h, p); }
static char *by_secret_512(const char *h, const char *p) { return mint_token_mac(SECRET, strlen(SECRET), "HS512", h, p); }
static char *by_empty_secret(const char *h, const char *p) { return mint_token_mac("", 0, "HS256", h, p); }

/* Of libjwt's own header only the key's name is ours. */
static char *libjwt_rs256(const char *h, const char *p) { (void)h; return mint_token_libjwt(rsa, "RS256", "rsa", p); }
static char *libjwt_rs512(const char *h, const char *p) { (void)h; return mint_token_libjwt(rsa, "RS512", "rsa", p); }
static char *libjwt_es256(const char *h, const char *p) { (void)h; return mint_token_libjwt(ec, "ES256", "ec", p); }
static char *libjwt_es384(const char *h, const char *p) { (void)h; return mint_token_libjwt(ec384, "ES384", "ec384", p); }
static char *libjwt_wrong_curve(const char *h, const char *p) { (void)h; return mint_token_libjwt(ec384, "ES384", "ec", p); }
static char *libjwt_foreign(const char *h, const char *p) { (void)h; return mint_token_libjwt(foreign, "RS256", "rsa", p); }
static char *libjwt_other_kid(const char *h, const char *p) { (void)h; return mint_token_libjwt(rsa, "RS256", "ras", p); }
static char *libjwt_hs256(const char *h, const char *p) { (void)h; return mint_token_libjwt_mac(SECRET, "HS256", p); }
static char *libjwt_none(const char *h, const char *p) { (void)h; return mint_token_libjwt_mac(NULL, "none", p); }

/* The classic forgery: what everybody knows of the public key, as HMAC secret. */
static char *hs_pem(const char *h, const char *p)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem, *token;
	long n;

	PEM_write_bio_PUBKEY(bio, rsa);
	n = BIO_get_mem_data(bio, &pem);
	token = mint_token_mac(pem, (size_t)n, "HS256", h, p);
	BIO_free(bio);
	return token;
}

static char *hs_der(const char *h, const char *p)
{
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(rsa, &der);
	char *token = mint_token_mac(der, (size_t)n, "HS256", h, p);

	OPENSSL_free(der);
	return token;
}

static char *hs_jwk(const char *h, const char *p)
{
	char *jwk = mint_jwk(rsa, "rsa", ""), *token = mint_token_mac(jwk, strlen(jwk), "HS256", h, p);

	free(jwk);
	return token;
}

static char *text(const char *a, const char *b, const char *c)
{
	char *s = malloc(strlen(a) + strlen(b) + strlen(c) + 1);

	sprintf(s, "%s%s%s", a, b, c);
	return s;
}

/* header.payload. with nothing, or this, for a signature */
static char *with_signature(const char *h, const char *p, const void *sig, size_t n)
{
	char *token = by_rsa(h, p), *s = mint_base64url(sig, n), *out;

	strrchr(token, '.')[1] = '\0';
	out = text(token, s, "");
	free(token);
	free(s);
	return out;
}

/* The signature of a token, decoded. */
static size_t signature_of(char *token, unsigned char *sig, size_t size)
{
	const char *s = strrchr(token, '.') + 1;
	long n = pc_base64url((sp_str){ s, strlen(s) }, sig, size);

	ck_assert_int_gt(n, 0);
	free(token);
	return (size_t)n;
}

static char *no_signature(const char *h, const char *p) { return with_signature(h, p, "", 0); }
static char *no_dot(const char *h, const char *p) { char *t = by_rsa(h, p); *strrchr(t, '.') = '\0'; return t; }
static char *raw(const char *h, const char *p) { return text(h, p, ""); }

static char *rs_zero_before(const char *h, const char *p)
{
	unsigned char sig[300] = { 0 };

	return with_signature(h, p, sig, 1 + signature_of(by_rsa(h, p), sig + 1, sizeof(sig) - 1));
}

static char *rs_zero_behind(const char *h, const char *p)
{
	unsigned char sig[300] = { 0 };

	return with_signature(h, p, sig, 1 + signature_of(by_rsa(h, p), sig, sizeof(sig) - 1));
}

static char *rs_short(const char *h, const char *p)
{
	unsigned char sig[300];

	return with_signature(h, p, sig, signature_of(by_rsa(h, p), sig, sizeof(sig)) - 1);
}

/* A signature whose first byte is zero: with it and, as some signers leave it, without it. */
static char *rs_first_zero(const char *p, bool stripped)
{
	unsigned char sig[300];
	char header[128];

	for (unsigned i = 0;; i++) {
		size_t n;

		snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":%u}", i);
		n = signature_of(by_rsa(header, p), sig, sizeof(sig));
		if (sig[0] == 0)
			return with_signature(header, p, sig + stripped, n - stripped);
	}
}

static char *rs_zero_kept(const char *h, const char *p) { (void)h; return rs_first_zero(p, false); }
static char *rs_zero_stripped(const char *h, const char *p) { (void)h; return rs_first_zero(p, true); }

static char *filled(const char *h, const char *p, int byte, size_t n)
{
	unsigned char sig[256];

	memset(sig, byte, sizeof(sig));
	return with_signature(h, p, sig, n);
}

static char *rs_zeros(const char *h, const char *p) { return filled(h, p, 0, 256); }
static char *rs_ones(const char *h, const char *p) { return filled(h, p, 0xff, 256); } /* not below the modulus */
static char *es_zeros(const char *h, const char *p) { return filled(h, p, 0, 64); }
static char *es_ones(const char *h, const char *p) { return filled(h, p, 0xff, 64); }
static char *ed_zeros(const char *h, const char *p) { return filled(h, p, 0, 64); }
static char *hs_zeros(const char *h, const char *p) { return filled(h, p, 0, 32); }
static char *hs_short(const char *h, const char *p)
{
	unsigned char sig[64];

	return with_signature(h, p, sig, signature_of(by_secret(h, p), sig, sizeof(sig)) - 1);
}

static ECDSA_SIG *es_parts(const char *h, const char *p)
{
	unsigned char sig[64];
	ECDSA_SIG *es = ECDSA_SIG_new();

	ck_assert_uint_eq(signature_of(by_ec(h, p), sig, sizeof(sig)), 64);
	ck_assert_int_eq(ECDSA_SIG_set0(es, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL)), 1);
	return es;
}

static char *es_der(const char *h, const char *p)
{
	ECDSA_SIG *es = es_parts(h, p);
	unsigned char *der = NULL;
	int n = i2d_ECDSA_SIG(es, &der);
	char *token = with_signature(h, p, der, (size_t)n);

	OPENSSL_free(der);
	ECDSA_SIG_free(es);
	return token;
}

/* s and n - s are the same signature to ECDSA: another text, not another meaning. */
static char *es_other_s(const char *h, const char *p)
{
	ECDSA_SIG *es = es_parts(h, p);
	BIGNUM *order = NULL, *s = BN_new();
	unsigned char sig[64];

	ck_assert_int_eq(EVP_PKEY_get_bn_param(ec, OSSL_PKEY_PARAM_EC_ORDER, &order), 1);
	ck_assert_int_eq(BN_sub(s, order, ECDSA_SIG_get0_s(es)), 1);
	BN_bn2binpad(ECDSA_SIG_get0_r(es), sig, 32);
	BN_bn2binpad(s, sig + 32, 32);
	BN_free(order);
	BN_free(s);
	ECDSA_SIG_free(es);
	return with_signature(h, p, sig, 64);
}

static char *es_swapped(const char *h, const char *p)
{
	unsigned char sig[96];

	ck_assert_uint_eq(signature_of(by_ec(h, p), sig, 64), 64);
	memcpy(sig + 64, sig, 32);
	return with_signature(h, p, sig + 32, 64);
}

/* The token's text, bent. */
static char *bent(char *token, const char *before, unsigned at_part, const char *put)
{
	char *at = token, *head, *out;

	for (unsigned i = 0; i < at_part; i++)
		at = strchr(at, '.') + 1;
	at += strcspn(at, ".");
	head = strndup(token, (size_t)(at - token));
	out = text(before, head, "");
	free(head);
	head = out;
	out = text(head, put, at);
	free(head);
	free(token);
	return out;
}

static char *padded_0(const char *h, const char *p) { return bent(by_rsa(h, p), "", 0, "="); }
static char *padded_1(const char *h, const char *p) { return bent(by_rsa(h, p), "", 1, "=="); }
static char *padded_2(const char *h, const char *p) { return bent(by_rsa(h, p), "", 2, "=="); }
static char *newline(const char *h, const char *p) { return bent(by_rsa(h, p), "", 2, "\n"); }
static char *four_parts(const char *h, const char *p) { return bent(by_rsa(h, p), "", 2, ".e30"); }
static char *dot_behind(const char *h, const char *p) { return bent(by_rsa(h, p), "", 2, "."); }
static char *dot_before(const char *h, const char *p) { return bent(by_rsa(h, p), ".", 2, ""); }
static char *dots_between(const char *h, const char *p) { return bent(by_rsa(h, p), "", 1, "."); }
static char *five_parts(const char *h, const char *p) { return bent(by_rsa(h, p), "", 2, ".AAAA.AAAA"); }
static char *scheme_before(const char *h, const char *p) { return bent(by_rsa(h, p), "Bearer ", 2, ""); }

/* The spare bits of a part's last character, set. The part's length is not a multiple of three. */
static char *spare_bits(char *token, unsigned part)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *at = token;

	for (unsigned i = 0; i < part; i++)
		at = strchr(at, '.') + 1;
	ck_assert_uint_ne(strcspn(at, ".") % 4, 0);
	at += strcspn(at, ".") - 1;
	*at = digits[(strchr(digits, *at) - digits) | 1];
	return token;
}

static char *spare_0(const char *h, const char *p) { return spare_bits(by_rsa(h, p), 0); }
static char *spare_1(const char *h, const char *p) { return spare_bits(by_rsa(h, p), 1); }
static char *spare_2(const char *h, const char *p) { return spare_bits(by_rsa(h, p), 2); }

/* base64, not base64url: a payload with "-" or "_" in its text. */
static char *other_alphabet(const char *h, const char *p)
{
	char *token = by_rsa(h, p), *at = strpbrk(strchr(token, '.'), "-_");

	ck_assert_ptr_nonnull(at);
	*at = *at == '-' ? '+' : '/';
	return token;
}

static char *huge(const char *h, const char *p)
{
	char *x = malloc(20001), *payload, *token;

	memset(x, 'x', 20000);
	x[20000] = '\0';
	(void)p;
	payload = text("{\"iss\":\"" ISS "\",\"aud\":\"sallyport\",\"exp\":1700000600,\"x\":\"", x, "\"}");
	token = by_rsa(h, payload);
	free(x);
	free(payload);
	return token;
}

/* The header carries the forger's own key, or says where it is. */
static char *own_key(const char *h, const char *p)
{
	char *jwk = mint_jwk(foreign, "rsa", ""), *header, *token;

	(void)h;
	header = text("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jwk\":", jwk, "}");
	token = mint_token(foreign, "RS256", header, p);
	free(jwk);
	free(header);
	return token;
}

/* ---- the table ---- */

#define ACCEPTED SP_WHY_UNSPECIFIED
#define BAD SP_WHY_BAD_CREDENTIAL

struct row {
	const char *what;
	char *(*make)(const char *header, const char *payload);
	const char *header, *payload;
	uint32_t why;
	const char *reason;
	const char *more; /* settings */
};

static const struct row rows[] = {
#include "torture_rows.h"
};

/* What the operator reads tells of the token, and is not a piece of it. */
static void nothing_of_token(const char *reason, const char *token)
{
	for (size_t i = 0; strlen(token) >= 16 && i <= strlen(token) - 16; i++) {
		char piece[17];

		memcpy(piece, token + i, 16);
		piece[16] = '\0';
		ck_assert_msg(!strstr(reason, piece), "a piece of the token: %s", reason);
	}
}

START_TEST(torture)
{
	const struct row *r = &rows[_i];
	char *token = r->make(r->header, r->payload), json[1024], *exact;
	struct jwt_claims c = { 0 };
	struct jwt_refusal no = { 0 };
	struct jwt_token t = { 0 };
	struct jwt_policy p;
	sp_error err = { .size = sizeof(err) };
	int rc;

	snprintf(json, sizeof(json), SETTINGS, r->more ? r->more : "");
	ck_assert_msg(jwt_policy_read(json, &p, &err) == 0, "%s: %s", err.path, err.msg);
	exact = malloc(strlen(token) + 1); /* no byte behind its end may be read */
	memcpy(exact, token, strlen(token));
	exact = realloc(exact, strlen(token) ? strlen(token) : 1);
	rc = jwt_token_open((sp_str){ exact, strlen(token) }, &p, NOW, &t, &no);
	if (rc == 0)
		rc = jwt_token_verify(&t, keys[t.group], &p, NOW, &c, &no);
	if (r->why == ACCEPTED) {
		ck_assert_msg(rc == 0, "%s: refused: %s", r->what, no.text);
	} else {
		ck_assert_msg(rc < 0, "%s: accepted", r->what);
		ck_assert_msg(no.why == r->why, "%s: why %u, %s", r->what, no.why, no.text);
		ck_assert_msg(strstr(no.text, r->reason) != NULL, "%s: \"%s\" is not in: %s", r->what, r->reason, no.text);
		nothing_of_token(no.text, token);
	}
	ck_assert_uint_eq(ERR_peek_error(), 0);
	jwt_token_deinit(&t);
	jwt_claims_deinit(&c);
	jwt_policy_deinit(&p);
	free(exact);
	free(token);
}
END_TEST

Suite *suite_jwt_torture(void)
{
	Suite *s = suite_create("jwt/torture");
	TCase *tc = tcase_create("torture");

	tcase_add_unchecked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, torture, 0, sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, tc);
	return s;
}
