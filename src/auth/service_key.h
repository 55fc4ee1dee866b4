/* The credential that the proxy itself has towards a gateway: tokens by OAuth 2.0 client credentials (RFC 6749 section 4.4), got
 * with a service key and kept in a cache.
 *
 * A service key is a JSON file that only its owner and group may read. What it may hold (SAP's names are understood as they are;
 * other members are ignored; the object may lie under "credentials" or "uaa", and be a string that holds JSON):
 *
 *   clientid | client_id              the client
 *   clientsecret | client_secret      proves it by a password (RFC 6749 section 2.3.1),
 *   certificate, key                  or by a TLS client certificate (RFC 8705): PEM, leaf first,
 *   private_key [key_id]              or by a signed assertion (RFC 7523 section 2.2): PEM of an RSA, P-256 or P-384 key; needs a
 *                                     build with libjwt
 *   token_url                         where tokens are: the complete address,
 *   certurl                           or, with a certificate, its own base,
 *   token_service_url, url            or a base: /oauth/token is added where the path is empty. In this order
 *   credential-type                   "x509" or "...-secret": what must be there, and is used
 *   auth_method                       client_secret_basic, client_secret_post, private_key_jwt or tls_client_auth: what is used.
 *                                     Absent: the certificate, else the private key, else the secret; a secret named as SAP names
 *                                     it goes into the form (XSUAA does not undo the encoding that Basic asks for), any other into
 *                                     Basic
 *   scope                             asked for, if present
 *
 * {tenant} and {subdomain} in the address are replaced: in the host they must be one label, elsewhere they are percent-encoded.
 * With such a placeholder there is one token for each tenant, without one for all. Samples: conf/service-key.*.json. */
#ifndef SP_AUTH_SERVICE_KEY_H
#define SP_AUTH_SERVICE_KEY_H

#include "net/fetch.h"

struct sp_service_key; /* immutable */

/* Any one thread. 0, or SP_EINVAL / SP_EDENIED / SP_ETOOBIG / SP_EUNSUPPORTED / SP_ESYS with cause naming the file and the member,
 * never a value. */
int sp_service_key_load(const char *file, struct sp_service_key **out, struct sp_cause *cause);
void sp_service_key_free(struct sp_service_key **key);
/* Is the token of one tenant that of all others (no placeholder in the address)? */
bool sp_service_key_shared(const struct sp_service_key *key);

struct sp_tokens;     /* one worker's cache, bounded: the tenants used longest ago are forgotten */
struct sp_token_wait; /* one asker */

/* bearer: "Bearer ...", lent until the callback returns; absent: cause says why (SP_ELIMIT: too many wait; SP_EDENIED: the token
 * server refused us, raw is its HTTP status; else it could not be asked or answered nonsense). Exactly once, never inside
 * sp_tokens_get(), not after cancel. The asker is gone by then; the callback may do everything, freeing the cache included. */
typedef void sp_token_cb(void *arg, struct sp_slice bearer, const struct sp_cause *cause);

/* On the loop's thread, as all that follows. file: the service key; ca_file: who signs the token server's certificate, NULL: the
 * system's store. The fetcher must outlive the cache. 0, or what sp_service_key_load() says.
 *
 * The file is looked at on use, at most once a second: another good key replaces the one in use and forgets its tokens, a bad one
 * is logged once and changes nothing. */
int sp_tokens_new(struct sp_loop *loop, struct sp_fetcher *fetcher, const char *file, const char *ca_file, struct sp_tokens **out,
		  struct sp_cause *cause);
void sp_tokens_free(struct sp_tokens **t); /* waiting askers are not called */
/* tenant, subdomain: copied; NULL or "" where unknown: an error where the address has its placeholder. A token is fetched by one
 * request at a time per tenant, renewed ahead while it is used, and used on while that fails. After a failure nobody asks again
 * for 1 s to 1 min (twice as long each time, with jitter): askers get the same cause at once. Never NULL. */
struct sp_token_wait *sp_tokens_get(struct sp_tokens *t, const char *tenant, const char *subdomain, sp_token_cb *cb, void *arg);
void sp_tokens_cancel(struct sp_token_wait **w); /* *w may be NULL */
/* The gateway refused the token of this tenant: the next asker gets a fresh one. Where fresh ones are refused too, they are kept
 * for 1 s to 1 min each. */
void sp_tokens_refused(struct sp_tokens *t, const char *tenant, const char *subdomain);

#endif
