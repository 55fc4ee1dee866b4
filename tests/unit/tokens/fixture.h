/* A token server, service keys for it, and askers. */
#ifndef SP_TESTS_TOKENS_FIXTURE_H
#define SP_TESTS_TOKENS_FIXTURE_H

#include "../net/certs.h"
#include "../net/web.h"
#include "../run.h"
#include "auth/service_key_int.h"
#include "clock.h"

#define ck_has(text, part) ck_assert_msg((text) && strstr(text, part), "\"%s\" is not in \"%s\"", part, (text) ? (text) : "(none)")
#define ck_has_not(text, part) ck_assert_msg(!strstr(text, part), "\"%s\" is in \"%s\"", part, text)

/* ---- the server: "%u" in its answer is the request's number, "%s" its path */
extern struct web *fx_web;
void fx_setup(void);   /* certificates, loop, fetcher, server; checked fixtures */
void fx_teardown(void);
void fx_answer(const char *status, const char *body);
/* The server takes a request and answers it only after fx_release(). */
void fx_hold(void);
void fx_release(void);
unsigned fx_asked(void); /* requests that have arrived */
#define FX_WAIT_MS 120000u /* for anything that must come */
extern uint32_t fx_timeout_ms; /* in place of the time-out of fetches; 0: theirs */
/* Of the request number n (1...): its path, head and body. */
struct fx_request { char *path, *head, *body, *client; };
const struct fx_request *fx_request(unsigned n);

#define TOKEN_BODY "{\"access_token\":\"t%u%s\",\"token_type\":\"bearer\",\"expires_in\":1000}"

/* ---- the key and the cache */
extern const char *fx_key_file; /* of the test's folder */
/* JSON with ' for ", "@" for the server's address; mode 0600. A new file each time. */
void fx_write_key(const char *json);
extern struct sp_tokens *fx_tokens;
extern struct sp_loop *fx_loop;
extern struct sp_fetcher *fx_fetcher;
char *fx_pem(const char *path); /* a file as the inside of a JSON string; heap */
void fx_open(const char *key_json); /* writes and opens; it must go well */
#define KEY_SHARED "{'client_id':'c1','client_secret':'s1','token_url':'@/t'}"
#define KEY_TENANTS "{'client_id':'c1','client_secret':'s1','token_url':'@/t/{tenant}'}"

/* ---- askers */
struct asker {
	struct sp_token_wait *wait;
	unsigned calls;
	char *bearer; /* NULL: none */
	struct sp_cause cause;
	void (*then)(struct asker *a); /* inside the callback */
	void *arg;
};
void fx_ask(struct asker *a, const char *tenant); /* starts; zeroed or used before */
void fx_ask_from(struct asker *a, const char *tenant, const char *subdomain);
void fx_wait(struct asker *a);			  /* until it was called */
/* Asks and waits: what the token is; NULL with cause in fx_why. Lent until the next one. */
const char *fx_token(const char *tenant);
extern struct sp_cause fx_why;
void fx_wait_asked(unsigned n); /* until so many requests have arrived */
/* Everything that was begun is done: deferred calls, and requests to a server that is not held. */
void fx_settle(void);
void asker_deinit(struct asker *a);

/* ---- log */
extern char *fx_log; /* all lines since fx_setup() */
unsigned fx_count_lines(const char *part);

#endif
