/* SOCKS5 (RFC 1928): no authentication, username/password (RFC 1929) and the token method 0x80; CONNECT only.
 *
 *   GREETING -> CREDENTIAL -> JUDGED -> REQUEST -> WAITING     (methods 02 and 0x80: the chain runs at the credential)
 *   GREETING -> REQUEST -> WAITING                             (method 00: the chain runs at the request)
 *
 * Each message may come byte by byte, and all in one segment together with the first payload, which stays in the stream for
 * the relay. Left out on purpose: BIND, UDP ASSOCIATE, GSSAPI. */
#include "base/must.h"
#include "codec/socks5.h"
#include "front/conn.h"

enum socks_state {
	GREETING,   /* awaits the client's methods */
	CREDENTIAL, /* awaits its sub-negotiation */
	JUDGED,	    /* awaits the chain's verdict on it */
	REQUEST,    /* awaits the client's request */
	WAITING	    /* awaits the chain (method 00) and the back */
};

struct socks {
	struct sp_conn conn;
	enum socks_state state;
	uint8_t method;
};

static struct socks *socks_of(struct sp_conn *c)
{
	return SP_CONTAINER_OF(c, struct socks, conn);
}

/* ---- answers ------------------------------------------------------------------- */

static void reply(struct sp_conn *c, enum sp_outcome o)
{
	uint8_t bytes[SP_SOCKS_REPLY_SIZE];

	sp_socks_reply_write(sp_outcome_row(o)->socks_reply, bytes);
	sp_conn_write(c, bytes, sizeof(bytes));
}

/* RFC 1929 section 2: version 1, status; method 0x80 has the same two bytes. */
static void verdict(struct sp_conn *c, enum sp_outcome o)
{
	uint8_t bytes[2] = { 0x01, sp_outcome_row(o)->sub_status };

	sp_conn_write(c, bytes, sizeof(bytes));
}

/* The session has ended: says so in the words of the state, then closes. */
static void answer_failure(struct sp_conn *c)
{
	enum sp_outcome o = c->session.x.outcome;

	switch (socks_of(c)->state) {
	case GREETING:
		break; /* not SOCKS5: nothing that the client would understand */
	case CREDENTIAL:
	case JUDGED:
		verdict(c, o);
		break;
	case REQUEST:
	case WAITING:
		reply(c, o);
		break;
	}
	sp_conn_end(c, SP_CLOSE_FLUSH);
}

static int refuse(struct sp_conn *c, enum sp_outcome o, int err, const char *why)
{
	sp_conn_fail(c, o, err, why);
	answer_failure(c);
	return err;
}

/* ---- greeting -------------------------------------------------------------------- */

/* A credential is asked for where the chain needs one, even if the client would rather send none. Elsewhere a client that knows
 * method 0x80 may say its location by it; a password is taken only when the client insists. Never GSSAPI. */
static uint8_t choose_method(struct sp_conn *c, const struct sp_socks_greeting *g)
{
	static const uint8_t with_token[] = { SP_SOCKS_METHOD_TOKEN, SP_SOCKS_METHOD_USERPASS };
	static const uint8_t without[] = { SP_SOCKS_METHOD_TOKEN, SP_SOCKS_METHOD_NONE, SP_SOCKS_METHOD_USERPASS };
	bool wants = sp_conn_wants_token(c);
	const uint8_t *list = wants ? with_token : without;
	size_t i, n = wants ? sizeof(with_token) : sizeof(without);

	for (i = 0; i < n; i++)
		if (sp_socks_greeting_offers(g, list[i]))
			return list[i];
	return SP_SOCKS_METHOD_NO_ACCEPTABLE;
}

static long take_greeting(struct socks *s, struct sp_slice in)
{
	struct sp_conn *c = &s->conn;
	struct sp_socks_greeting g;
	long n = sp_socks_greeting_parse(in, &g);
	uint8_t answer[2] = { 0x05, 0 };

	if (n < 0)
		return refuse(c, SP_OUTCOME_BAD_REQUEST, (int)n, "not a SOCKS5 greeting");
	if (n == 0)
		return 0;
	s->method = answer[1] = choose_method(c, &g);
	sp_conn_write(c, answer, sizeof(answer));
	if (s->method == SP_SOCKS_METHOD_NO_ACCEPTABLE)
		return refuse(c, SP_OUTCOME_NO_CREDENTIAL, SP_EDENIED, "the client offers no method that the chain can use");
	s->state = s->method == SP_SOCKS_METHOD_NONE ? REQUEST : CREDENTIAL;
	return n;
}

/* ---- sub-negotiation ---------------------------------------------------------------- */

static int judge(struct socks *s, const struct sp_auth_request *req)
{
	struct sp_conn *c = &s->conn;

	if (sp_conn_begin(c) < 0) {
		answer_failure(c);
		return SP_ELIMIT;
	}
	(void)sp_slice_copy(req->location, c->session.x.location, sizeof(c->session.x.location));
	sp_conn_deadline_stop(c);
	s->state = JUDGED;
	sp_session_identify(&c->session, c->client.front->conf.chain, req, true);
	return 0;
}

static long take_userpass(struct socks *s, struct sp_slice in)
{
	struct sp_auth_request req = { .kind = SP_AUTH_USERPASS };
	struct sp_socks_userpass up;
	long n = sp_socks_userpass_parse(in, &up);
	int err;

	if (n < 0)
		return refuse(&s->conn, SP_OUTCOME_BAD_REQUEST, (int)n, "not a username/password message");
	if (n == 0)
		return 0;
	req.user = up.user;
	req.secret = up.password;
	err = judge(s, &req);
	return err < 0 ? err : n;
}

static long take_token(struct socks *s, struct sp_slice in)
{
	/* What is not taken piles up in the stream, which stops reading at SP_STREAM_KEEP: a message must fit in. */
	size_t limit = s->conn.client.env->conf->limits.token_bytes, most = SP_STREAM_KEEP - 1024;
	struct sp_auth_request req = { .kind = SP_AUTH_BEARER };
	struct sp_socks_token t;
	long n = sp_socks_token_parse(in, limit < most ? limit : most, &t);
	int err;

	if (n == SP_ETOOBIG)
		return refuse(&s->conn, SP_OUTCOME_BAD_CREDENTIAL, (int)n, "a token longer than limits.token");
	if (n < 0)
		return refuse(&s->conn, SP_OUTCOME_BAD_REQUEST, (int)n, "not a token message");
	if (n == 0)
		return 0;
	if (t.token.n > 0)
		req.secret = t.token;
	else
		req.kind = SP_AUTH_NONE; /* sent for its location */
	if (t.location[0])
		req.location = sp_slice_str(t.location);
	_Static_assert(sizeof(t.location) <= SP_LOCATION_SIZE, "a location that was read fits");
	err = judge(s, &req);
	return err < 0 ? err : n;
}

/* ---- request --------------------------------------------------------------------------- */

static void go_on(struct socks *s)
{
	struct sp_session *session = &s->conn.session;
	struct sp_auth_request req = { .kind = SP_AUTH_NONE };

	sp_conn_deadline_stop(&s->conn);
	s->state = WAITING;
	if (session->state == SP_SESSION_IDENTIFIED) {
		sp_session_open(session);
		return;
	}
	req.target_host = sp_slice_str(session->x.target.host);
	req.target_port = session->x.target.port;
	sp_session_identify(session, s->conn.client.front->conf.chain, &req, true);
}

static long take_request(struct socks *s, struct sp_slice in)
{
	struct sp_conn *c = &s->conn;
	struct sp_socks_request r;
	long n = sp_socks_request_parse(in, &r);

	if (n < 0)
		return refuse(c, SP_OUTCOME_BAD_REQUEST, (int)n, "not a SOCKS5 request");
	if (n == 0)
		return 0;
	if (!sp_session_active(&c->session) && sp_conn_begin(c) < 0) {
		answer_failure(c);
		return SP_ELIMIT;
	}
	if (r.address_known)
		c->session.x.target = r.target;
	if (r.command != SP_SOCKS_CMD_CONNECT)
		return refuse(c, SP_OUTCOME_COMMAND, SP_EUNSUPPORTED, "a command other than CONNECT");
	if (!r.address_known)
		return refuse(c, SP_OUTCOME_ADDRESS_TYPE, SP_EUNSUPPORTED, "an unknown address type");
	if (r.target.host[0] == '\0')
		return refuse(c, SP_OUTCOME_BAD_REQUEST, SP_EINVAL, "not a host and port");
	go_on(s);
	return n;
}

/* ---- events ------------------------------------------------------------------------------- */

/* One message: bytes taken, 0 for "more" or "not now", or SP_E* when the client was refused. */
static long take_message(struct socks *s, struct sp_slice in)
{
	switch (s->state) {
	case GREETING:
		return take_greeting(s, in);
	case CREDENTIAL:
		return s->method == SP_SOCKS_METHOD_TOKEN ? take_token(s, in) : take_userpass(s, in);
	case REQUEST:
		return take_request(s, in);
	case JUDGED:
	case WAITING:
		return 0;
	}
	return 0;
}

static size_t on_data(struct sp_conn *c, struct sp_slice in)
{
	struct socks *s = socks_of(c);
	size_t taken = 0;
	long n;

	do {
		n = take_message(s, sp_slice_make(in.p + taken, in.n - taken));
		if (n < 0)
			return in.n;
		taken += (size_t)n;
	} while (n > 0 && taken < in.n);
	return taken;
}

static void on_identified(struct sp_session *session)
{
	struct sp_conn *c = sp_conn_of(session);
	struct socks *s = socks_of(c);

	if (s->state == WAITING) {
		sp_session_open(session);
		return;
	}
	sp_must(s->state == JUDGED);
	verdict(c, SP_OUTCOME_OK);
	s->state = REQUEST;
	sp_conn_expect(c);
}

static void on_opened(struct sp_session *session)
{
	struct sp_conn *c = sp_conn_of(session);

	reply(c, SP_OUTCOME_OK);
	sp_conn_relay(c);
}

static void on_failed(struct sp_session *session, struct sp_stream *given_back)
{
	(void)given_back; /* no requests here */
	answer_failure(sp_conn_of(session));
}

static const struct sp_conn_ops conn_ops = {
	.on_data = on_data,
	.session = {
		.on_identified = on_identified,
		.on_opened = on_opened,
		.on_failed = on_failed,
		.on_ended = sp_conn_on_ended,
	},
};

static int socks5_accept(struct sp_front *f, struct sp_stream *stream, const struct sp_addr *peer)
{
	return sp_conn_new(f, &conn_ops, sizeof(struct socks), stream, peer) ? 0 : SP_ENOMEM;
}

const struct sp_front_ops sp_front_socks5 = { .name = "socks5", .accept = socks5_accept };
