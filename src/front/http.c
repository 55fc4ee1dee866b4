/* HTTP/1.1 proxy, CONNECT (RFC 9110 section 9.3.6). Left out so far: absolute-form requests.
 *
 *   HEAD -> WAITING -> relay
 *           WAITING -> HEAD   (407: the same connection may try again)
 *
 * The head is read strictly (codec/http1) and whole; bytes after it stay in the stream for the relay. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"
#include "codec/http1.h"
#include "codec/upgrade.h"
#include "front/answer.h"
#include "front/conn.h"

#define ATTEMPTS_MAX 8 /* 407 answers on one connection */

#define FIELD_CREDENTIAL "Proxy-Authorization"
#define FIELD_LOCATION "SAP-Connectivity-SCC-Location_ID"
#define FIELD_REGION "SAP-Connectivity-Region-Configuration-Id"
#define FIELD_SERVICE_TOKEN "SAP-CP-Connectivity-Service-Token"

enum http_state {
	HEAD,	/* awaits a request's head */
	WAITING /* awaits the chain and the back */
};

struct http {
	struct sp_conn conn;
	enum http_state state;
	unsigned attempts;
	bool persistent;  /* the client will send another request on this connection */
	bool early;	  /* bytes came after the head: after a refusal nobody may read them as a request */
	bool head_method; /* HEAD: answers have no content */
};

static struct http *http_of(struct sp_conn *c)
{
	return SP_CONTAINER_OF(c, struct http, conn);
}

/* ---- answers ------------------------------------------------------------------ */

/* The session has failed: says so, then closes or waits for another attempt. */
static void answer_failure(struct http *h, const char *hint)
{
	struct sp_conn *c = &h->conn;
	const struct sp_exchange *x = &c->session.x;
	bool denied = sp_outcome_row(x->outcome)->http_status == 407;
	bool may_keep = h->state == WAITING && h->persistent && !h->early && !c->client.front->draining;
	bool keep = denied && may_keep && ++h->attempts < ATTEMPTS_MAX;
	struct sp_answer_options opt = { .keep = keep, .offer_basic = sp_conn_wants_token(c), .head = h->head_method,
					 .hint = hint };
	struct sp_buf b = { 0 };

	if (sp_answer_http(&b, x, &opt) < 0) {
		sp_buf_deinit(&b);
		sp_conn_end(c, SP_CLOSE_ABORT);
		return;
	}
	sp_conn_write(c, sp_buf_data(&b).p, b.len);
	sp_buf_deinit(&b);
	if (keep) {
		h->state = HEAD;
		sp_conn_expect(c);
	} else {
		sp_conn_end(c, SP_CLOSE_FLUSH);
	}
}

static int refuse(struct http *h, enum sp_outcome o, int err, const char *why, const char *hint)
{
	sp_conn_fail(&h->conn, o, err, why);
	answer_failure(h, h->conn.session.x.outcome == o ? hint : NULL);
	return err;
}

/* ---- what the fields say --------------------------------------------------------- */

/* A token may come with or without its scheme. */
static struct sp_slice without_bearer(struct sp_slice v)
{
	if (v.n > 7 && sp_slice_eq_nocase(sp_slice_make(v.p, 7), SP_SLICE("Bearer ")))
		return sp_slice_trim(sp_slice_make(v.p + 7, v.n - 7));
	return v;
}

/* Two of one of these would let two readers see two callers. */
static bool is_ambiguous(const struct sp_fields *f)
{
	static const char *const once[] = { FIELD_CREDENTIAL, FIELD_LOCATION, SP_FIELD_LOCATION, FIELD_REGION, FIELD_SERVICE_TOKEN };
	struct sp_slice a = sp_fields_get(f, FIELD_LOCATION), b = sp_fields_get(f, SP_FIELD_LOCATION);
	size_t i;

	for (i = 0; i < SP_COUNT_OF(once); i++)
		if (sp_fields_count(f, once[i]) > 1)
			return true;
	return a.p && b.p && !sp_slice_eq(a, b);
}

static int read_location(const struct sp_fields *f, char dst[SP_LOCATION_SIZE])
{
	struct sp_slice v = sp_fields_get(f, FIELD_LOCATION);

	if (!v.p)
		v = sp_fields_get(f, SP_FIELD_LOCATION);
	if (!v.p)
		return 0;
	return sp_utf8_is_printable(v) ? sp_slice_copy(v, dst, SP_LOCATION_SIZE) : SP_EPROTO;
}

static int read_region(const struct sp_fields *f, char dst[SP_REGION_SIZE])
{
	struct sp_slice v = sp_fields_get(f, FIELD_REGION);

	if (v.p && (!sp_http_is_token(v) || sp_slice_copy(v, dst, SP_REGION_SIZE) < 0))
		return SP_EPROTO;
	return 0;
}

/* Proxy-Authorization into req. scratch takes what Basic decodes to. 0, SP_EPROTO or SP_ETOOBIG. */
static int read_credential(const struct sp_fields *f, size_t limit, char *scratch, size_t size, struct sp_auth_request *req)
{
	enum sp_http_credentials kind;
	struct sp_slice token;
	int err = sp_http_credentials_parse(sp_fields_get(f, FIELD_CREDENTIAL), &kind, &token, scratch, size, &req->user,
					    &req->secret);

	if (err < 0)
		return err;
	switch (kind) {
	case SP_CREDENTIALS_NONE:
	case SP_CREDENTIALS_OTHER: /* no chain understands it: the same as none */
		req->kind = SP_AUTH_NONE;
		break;
	case SP_CREDENTIALS_BEARER:
		req->kind = SP_AUTH_BEARER;
		req->secret = token;
		break;
	case SP_CREDENTIALS_BASIC:
		req->kind = SP_AUTH_USERPASS;
		break;
	}
	req->service_token = without_bearer(sp_fields_get(f, FIELD_SERVICE_TOKEN));
	return req->secret.n > limit || req->service_token.n > limit ? SP_ETOOBIG : 0;
}

/* ---- CONNECT ----------------------------------------------------------------------- */

/* RFC 9112 section 9.3; old clients say it in Proxy-Connection. */
static bool is_persistent(const struct sp_http_request *r)
{
	return r->minor >= 1 && !sp_fields_has_token(&r->fields, "Connection", "close") &&
	       !sp_fields_has_token(&r->fields, "Proxy-Connection", "close");
}

static int identify(struct http *h, const struct sp_http_request *r, char *scratch, size_t size)
{
	struct sp_conn *c = &h->conn;
	struct sp_auth_request req = { .kind = SP_AUTH_NONE };
	int err = read_credential(&r->fields, c->client.env->conf->limits.token_bytes, scratch, size, &req);

	if (err < 0)
		return refuse(h, SP_OUTCOME_BAD_CREDENTIAL, err,
			      err == SP_ETOOBIG ? "a credential longer than limits.token" : "a malformed " FIELD_CREDENTIAL, NULL);
	if (c->session.x.region[0])
		req.region = sp_slice_str(c->session.x.region);
	if (c->session.x.location[0])
		req.location = sp_slice_str(c->session.x.location);
	req.target_host = sp_slice_str(c->session.x.target.host);
	req.target_port = c->session.x.target.port;
	sp_session_identify(&c->session, c->client.front->conf.chain, &req, true);
	return 0;
}

static int take_connect(struct http *h, const struct sp_http_request *r)
{
	struct sp_exchange *x = &h->conn.session.x;
	size_t size = sp_fields_get(&r->fields, FIELD_CREDENTIAL).n + 1;
	char *scratch;
	int err;

	x->target = r->authority;
	h->persistent = is_persistent(r);
	if (is_ambiguous(&r->fields))
		return refuse(h, SP_OUTCOME_BAD_REQUEST, SP_EPROTO, "a field twice that may come once", NULL);
	err = read_location(&r->fields, x->location);
	if (err < 0)
		return refuse(h, SP_OUTCOME_BAD_REQUEST, err, "not a valid location", NULL);
	if (read_region(&r->fields, x->region) < 0)
		return refuse(h, SP_OUTCOME_BAD_REQUEST, SP_EPROTO, "not a valid region", NULL);
	scratch = malloc(size);
	if (!scratch)
		return refuse(h, SP_OUTCOME_LIMIT, SP_ENOMEM, "out of memory", NULL);
	h->state = WAITING;
	err = identify(h, r, scratch, size);
	sp_wipe(scratch, size);
	free(scratch);
	return err;
}

/* ---- requests ------------------------------------------------------------------------ */

static int take_request(struct http *h, const struct sp_http_request *r)
{
	h->head_method = sp_slice_eq_str(r->method, "HEAD");
	if (sp_conn_begin(&h->conn) < 0) {
		answer_failure(h, NULL);
		return SP_ELIMIT;
	}
	switch (r->form) {
	case SP_TARGET_AUTHORITY:
		return take_connect(h, r);
	case SP_TARGET_ABSOLUTE:
		h->conn.session.x.target = r->authority;
		return refuse(h, SP_OUTCOME_NOT_IMPLEMENTED, SP_EUNSUPPORTED, "absolute form",
			      "This listener speaks CONNECT only so far");
	case SP_TARGET_ORIGIN:
	case SP_TARGET_ASTERISK:
		break;
	}
	return refuse(h, SP_OUTCOME_BAD_REQUEST, SP_EPROTO, "origin form",
		      "This is a proxy, not a web server: requests name their target by CONNECT host:port");
}

/* A head above the limit: which part of it is too long? */
static int refuse_size(struct http *h, struct sp_slice in, size_t limit)
{
	size_t n = in.n < limit ? in.n : limit;
	bool line = memchr(in.p + (n > 2 ? 2 : 0), '\n', n > 2 ? n - 2 : n) == NULL; /* a leading CRLF ends no request line */

	return refuse(h, line ? SP_OUTCOME_URI_TOO_LONG : SP_OUTCOME_HEAD_TOO_LARGE, SP_ETOOBIG,
		      line ? "a request line longer than limits.head" : "a head above limits.head or of too many fields", NULL);
}

static size_t on_data(struct sp_conn *c, struct sp_slice in)
{
	struct http *h = http_of(c);
	size_t limit = c->client.env->conf->limits.head_bytes;
	struct sp_http_request r;
	long n;

	if (h->state != HEAD) {
		h->early = true;
		return 0;
	}
	h->head_method = false;
	n = sp_http_request_parse(in, limit, &r);
	if (n == 0)
		return 0;
	sp_conn_deadline_stop(c);
	h->early = n > 0 && in.n > (size_t)n;
	if (n == SP_ETOOBIG)
		n = refuse_size(h, in, limit);
	else if (n < 0)
		n = refuse(h, SP_OUTCOME_BAD_REQUEST, (int)n, sp_http_parse_detail(), NULL);
	else if (take_request(h, &r) < 0 && c->ending)
		n = SP_ECLOSED;
	return n < 0 ? in.n : (size_t)n;
}

/* ---- events --------------------------------------------------------------------------- */

static void on_identified(struct sp_session *s)
{
	sp_session_open(s);
}

static void on_opened(struct sp_session *s)
{
	static const char ok[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	struct sp_conn *c = sp_conn_of(s);

	sp_conn_write(c, ok, sizeof(ok) - 1);
	sp_conn_relay(c);
}

static void on_failed(struct sp_session *s)
{
	answer_failure(http_of(sp_conn_of(s)), NULL);
}

static const struct sp_conn_ops conn_ops = {
	.on_data = on_data,
	.session = { on_identified, on_opened, on_failed, sp_conn_on_ended },
};

static int http_accept(struct sp_front *f, struct sp_stream *stream, const struct sp_addr *peer)
{
	return sp_conn_new(f, &conn_ops, sizeof(struct http), stream, peer) ? 0 : SP_ENOMEM;
}

const struct sp_front_ops sp_front_http = { .name = "http", .accept = http_accept };
