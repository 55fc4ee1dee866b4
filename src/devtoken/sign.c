/* Tokens: see devtoken.h. */
#include <jwt.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "devtoken/devtoken.h"

static void json_string(struct sp_buf *b, const char *s)
{
	sp_buf_append_str(b, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			sp_buf_printf(b, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			sp_buf_printf(b, "\\u%04x", (unsigned char)*s);
		else
			sp_buf_append(b, s, 1);
	}
	sp_buf_append_str(b, "\"");
}

/* libjwt replaces a claim that is there already when it comes as JSON: names are compared here. */
static int check_names(const struct sp_devtoken_claim *claims, unsigned count, struct sp_devtoken_why *why)
{
	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(claims[i].name, claims[j].name) == 0)
				return sp_devtoken_fail(why, "claim \"%s\" is given twice", claims[i].name);
	return 0;
}

static int add_claim(jwt_t *jwt, const struct sp_devtoken_claim *c, struct sp_devtoken_why *why)
{
	struct sp_buf b = { 0 };
	int rc;

	sp_buf_append_str(&b, "{");
	json_string(&b, c->name);
	sp_buf_append_str(&b, ":");
	if (c->json)
		sp_buf_append_str(&b, c->value);
	else
		json_string(&b, c->value);
	sp_buf_append_str(&b, "}");
	rc = jwt_add_grants_json(jwt, sp_buf_str(&b));
	sp_buf_deinit(&b);
	return rc == 0 ? 0 : sp_devtoken_fail(why, "claim \"%s\": its value is not %s", c->name, c->json ? "JSON" : "UTF-8 text");
}

static int set_key(jwt_t *jwt, EVP_PKEY *key, struct sp_devtoken_why *why)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long n = 0;
	int rc = -1;

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
		n = BIO_get_mem_data(bio, &pem);
	if (n > 0)
		rc = jwt_set_alg(jwt, jwt_str_alg(sp_devtoken_alg(key)), (unsigned char *)pem, (int)n);
	BIO_free(bio);
	return rc == 0 ? 0 : sp_devtoken_fail(why, "the key cannot be used");
}

int sp_devtoken_sign(EVP_PKEY *key, const char *kid, const struct sp_devtoken_claim *claims, unsigned count, char **out,
		     struct sp_devtoken_why *why)
{
	jwt_t *jwt = NULL;
	int rc = check_names(claims, count, why);

	if (rc == 0 && (jwt_new(&jwt) != 0 || jwt_add_header(jwt, "kid", kid) != 0))
		rc = sp_devtoken_fail(why, "libjwt takes no token of key \"%s\"", kid);
	for (unsigned i = 0; i < count && rc == 0; i++)
		rc = add_claim(jwt, &claims[i], why);
	if (rc == 0)
		rc = set_key(jwt, key, why);
	if (rc == 0) {
		*out = jwt_encode_str(jwt);
		rc = *out ? 0 : sp_devtoken_fail(why, "libjwt could not sign");
	}
	jwt_free(jwt);
	return rc;
}

int sp_devtoken_list(const char *const *items, unsigned count, char **out, struct sp_devtoken_why *why)
{
	struct sp_buf b = { 0 };

	for (unsigned i = 0; i < count; i++) {
		sp_buf_append_str(&b, i ? "," : "[");
		json_string(&b, items[i]);
	}
	sp_buf_append_str(&b, "]");
	*out = strdup(sp_buf_str(&b));
	sp_buf_deinit(&b);
	return *out ? 0 : sp_devtoken_fail(why, "out of memory");
}

int sp_devtoken_duration(const char *text, int64_t *out, struct sp_devtoken_why *why)
{
	static const struct { char unit; int64_t s; } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	bool past = text[0] == '-';
	const char *digits = text + past;
	size_t n = strlen(digits);
	uint64_t v;

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]) && n > 0; i++) {
		if (digits[n - 1] != units[i].unit || sp_text_u64(sp_slice_make(digits, n - 1), 1000000, &v) < 0)
			continue;
		*out = (past ? -1 : 1) * (int64_t)v * units[i].s;
		return 0;
	}
	return sp_devtoken_fail(why, "\"%s\" is not a duration such as 90s, 15m, 8h, 30d, or -5m for the past", text);
}
