/* A plain TCP port bound to one target: for programs that know no proxy. There is no handshake and no way to say why something
 * failed: the client sees a reset. Bytes that come before the target is connected wait in the stream. */
#include "front/conn.h"

static size_t on_data(struct sp_conn *c, struct sp_slice in)
{
	(void)c;
	(void)in;
	return 0; /* for the relay */
}

static void on_identified(struct sp_session *s)
{
	sp_session_open(s);
}

static void on_opened(struct sp_session *s)
{
	sp_conn_relay(sp_conn_of(s));
}

static void on_failed(struct sp_session *s, struct sp_stream *given_back)
{
	(void)given_back; /* no requests here */
	sp_conn_end(sp_conn_of(s), SP_CLOSE_ABORT);
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

/* Where every client of this listener goes. A location that does not fit must not become "no location". */
static int set_target(struct sp_exchange *x, const struct sp_conf_listener *l)
{
	x->target = l->target;
	return l->location ? sp_slice_copy(sp_slice_str(l->location), x->location, sizeof(x->location)) : 0;
}

static int forward_accept(struct sp_front *f, struct sp_stream *stream, const struct sp_addr *peer)
{
	struct sp_conn *c = sp_conn_new(f, &conn_ops, sizeof(*c), stream, peer);
	struct sp_auth_request req = { .kind = SP_AUTH_NONE };
	int err;

	if (!c)
		return SP_ENOMEM;
	sp_conn_deadline_stop(c);
	if (sp_conn_begin(c) < 0) {
		sp_conn_end(c, SP_CLOSE_ABORT);
		return 0;
	}
	err = set_target(&c->session.x, &f->conf);
	if (err < 0) {
		sp_conn_fail(c, SP_OUTCOME_BAD_REQUEST, err, "the listener's location is too long");
		sp_conn_end(c, SP_CLOSE_ABORT);
		return 0;
	}
	req.location = sp_slice_str(f->conf.location);
	req.target_host = sp_slice_str(c->session.x.target.host);
	req.target_port = c->session.x.target.port;
	sp_session_identify(&c->session, f->conf.chain, &req, true);
	return 0;
}

const struct sp_front_ops sp_front_forward = { .name = "forward", .accept = forward_accept };
