/* The first byte chooses: a token server's answer, or a service key, a NUL, a tenant. */
#include "fuzz.h"

#include "auth/service_key_int.h"
#include "base/secret.h"

#define HTTPS_BYTES 8

static size_t count(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

/* What a tenant is called changes nothing about where it leads: as many segments, no other separators, nothing unprintable. */
static void address(const struct sp_service_key *k, const char *url)
{
	size_t host = strcspn(url + HTTPS_BYTES, "/?");

	fuzz_must(strncmp(url, "https://", HTTPS_BYTES) == 0 && host > 0);
	fuzz_must(count(url, '/') == count(k->url, '/') && count(url, '?') == count(k->url, '?') && count(url, '&') == count(k->url, '&'));
	fuzz_must(!memchr(url + HTTPS_BYTES, '@', host) && !strpbrk(url, "{}#\\"));
	for (; *url; url++)
		fuzz_must(*url > ' ' && *url <= '~');
}

static void request(const struct sp_service_key *k, const char *tenant, const char *subdomain)
{
	struct sp_token_request r = { 0 };
	struct sp_cause cause = { 0 };
	int err = sp_token_request_make(k, tenant, subdomain, &r, &cause);

	fuzz_must(err == cause.err);
	if (err == 0) {
		address(k, sp_buf_str(&r.url));
		fuzz_must(!strpbrk(sp_buf_str(&r.form), " \r\n"));
		fuzz_must(!strpbrk(sp_buf_str(&r.authorization), "\r\n"));
		fuzz_must((k->auth == SP_CLIENT_SECRET_BASIC) == (r.authorization.len > 0));
	}
	sp_token_request_wipe(&r);
}

static void service_key(const char *text, size_t n)
{
	size_t len = strlen(text);
	const char *tenant = len < n ? text + len + 1 : "t";
	struct sp_service_key *k = NULL;
	struct sp_cause cause = { 0 };
	int err = sp_service_key_parse("f", text, &k, &cause);

	fuzz_must(err == cause.err && (err == 0) == (k != NULL));
	if (err)
		return;
	fuzz_must(k->client_id && k->client_id[0] && k->url);
	fuzz_must(k->auth == SP_CLIENT_TLS		    ? k->cert && k->cert_key :
		  k->auth == SP_CLIENT_PRIVATE_KEY_JWT ? k->private_key != NULL :
							 k->client_secret != NULL);
	fuzz_must(sp_service_key_shared(k) == !strchr(k->url, '{'));
	request(k, tenant, "sub-domain");
	request(k, "t", tenant);
	request(k, NULL, NULL);
	sp_service_key_free(&k);
}

static void answer(int status, const char *p, size_t n)
{
	struct sp_token_answer a = { 0 };
	struct sp_cause cause = { 0 };
	int err = sp_token_answer_parse(status, sp_slice_make(p, n), &a, &cause);

	fuzz_must(err == cause.err && (err == 0) == (a.bearer != NULL));
	if (err) {
		fuzz_must(cause.text[0] && strncmp(cause.text, "the token server", 16) == 0);
		for (const char *c = cause.text; *c; c++)
			fuzz_must(*c >= ' ' && *c <= '~');
		return;
	}
	fuzz_must(status == 200 && a.life_s > 0 && a.life_s <= 86400);
	fuzz_must(strncmp(a.bearer, "Bearer ", 7) == 0 && a.bearer[7] && strlen(a.bearer) <= n + 7);
	for (const char *c = a.bearer + 7; *c; c++)
		fuzz_must(*c > ' ' && *c <= '~');
	sp_secret_free(&a.bearer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const int statuses[] = { 200, 400, 401, 503, 302 };
	char *exact;

	if (n == 0)
		return 0;
	exact = malloc(n); /* without the choice, with a NUL */
	memcpy(exact, data + 1, n - 1);
	exact[n - 1] = '\0';
	if (data[0] & 1) {
		service_key(exact, n - 1);
	} else {
		char *bare = malloc(n > 1 ? n - 1 : 1);

		memcpy(bare, exact, n - 1);
		answer(statuses[data[0] / 2 % 5], bare, n - 1);
		free(bare);
	}
	free(exact);
	return 0;
}
