/* What the fields of a client's HTTP request say to us: who calls, and where to. */
#ifndef SP_FRONT_HTTP_FIELDS_H
#define SP_FRONT_HTTP_FIELDS_H

#include "auth/auth.h"
#include "codec/http1.h"
#include "exchange/exchange.h"

#define SP_HTTP_CREDENTIAL "Proxy-Authorization"

/* x's location and region. NULL, or what is wrong. */
const char *sp_http_read_route(const struct sp_fields *f, struct sp_exchange *x);
/* Proxy-Authorization and SAP-CP-Connectivity-Service-Token into req; scratch takes what Basic decodes to. limit: the longest
 * credential. 0, SP_EPROTO or SP_ETOOBIG. */
int sp_http_read_credential(const struct sp_fields *f, size_t limit, char *scratch, size_t size, struct sp_auth_request *req);

/* The token of the user on whose behalf the caller asks (SAP-Connectivity-Authentication), without its scheme; absent: none. */
struct sp_slice sp_http_user_token(const struct sp_fields *f);

#endif
