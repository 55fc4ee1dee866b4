/* What the files of service keys and tokens share. See service_key.h for the contract.
 *
 *   service_key.c    file -> struct sp_service_key
 *   token_request.c  key, tenant -> address, form, Authorization
 *   assertion.c      the signed assertion of RFC 7523, by libjwt
 *   token_answer.c   the token server's answer -> token
 *   tokens.c         the cache */
#ifndef SP_AUTH_SERVICE_KEY_INT_H
#define SP_AUTH_SERVICE_KEY_INT_H

#include "auth/service_key.h"
#include "base/buf.h"

#define SP_TOKEN_MAX_BYTES (256u * 1024)
#define SP_TOKEN_ANSWER_MAX_BYTES (2 * SP_TOKEN_MAX_BYTES)

enum sp_client_auth { SP_CLIENT_SECRET_BASIC, SP_CLIENT_SECRET_POST, SP_CLIENT_PRIVATE_KEY_JWT, SP_CLIENT_TLS };

struct sp_service_key {
	char *text; /* of the file: is it another one? Secret */
	enum sp_client_auth auth;
	char *client_id;
	char *client_secret;		  /* secret; NULL: none, as below */
	char *cert, *cert_key;		  /* PEM; the second is secret */
	char *private_key, *key_id;	  /* PEM, secret; a name */
	char *scope;
	char *url;			  /* complete, with its placeholders */
	bool has_tenant, has_subdomain;	  /* of the placeholders */
};

/* The text of a service key. name: the file's, for cause. */
int sp_service_key_parse(const char *name, const char *text, struct sp_service_key **out, struct sp_cause *cause);

struct sp_token_request { struct sp_buf url, form, authorization; }; /* the last one is empty where there is none */
/* 0, or SP_EINVAL (a placeholder's value is unknown or unfit), SP_EUNSUPPORTED, SP_ENOMEM. Zeroed before; wiped by the caller. */
int sp_token_request_make(const struct sp_service_key *k, const char *tenant, const char *subdomain, struct sp_token_request *r,
			  struct sp_cause *cause);
void sp_token_request_wipe(struct sp_token_request *r);
/* RFC 3986 section 2.3 without "~" if form, plus "+" for the space: application/x-www-form-urlencoded (RFC 6749 appendix B). */
void sp_percent_encode(struct sp_buf *b, const char *s, bool form);

/* A fresh assertion for the token server at aud, to be freed with sp_secret_free(). SP_EUNSUPPORTED where the build has no libjwt,
 * SP_EINVAL where the key is of no use. */
int sp_assertion_sign(const struct sp_service_key *k, const char *aud, char **out, struct sp_cause *cause);

struct sp_token_answer {
	char *bearer; /* "Bearer ...": secret */
	uint32_t life_s;
};
/* RFC 6749 sections 5.1 and 5.2. 0, or SP_EDENIED (status 4xx), SP_EPROTO, SP_ENOMEM. */
int sp_token_answer_parse(int status, struct sp_slice body, struct sp_token_answer *out, struct sp_cause *cause);

/* Entries in memory, those included that are only kept for their askers. */
unsigned sp_tokens_count(const struct sp_tokens *t);
/* tokens.c's timers all run this: tests know them by it. */
void sp_tokens_on_timer(struct sp_timer *timer);

#endif
