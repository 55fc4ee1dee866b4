#include "tls_pair.h"

#include <check.h>
#include <stdio.h>

#include "certs.h"

struct side client, server;
struct sp_tls_config client_cfg, server_cfg;

static char paths[5][128];

static const char *keep(unsigned i, const char *path)
{
	snprintf(paths[i], sizeof(paths[i]), "%s", path);
	return paths[i];
}

void tls_setup(void)
{
	ends_setup();
	certs_setup();
	certs_make_usual();
	client_cfg = (struct sp_tls_config){ .ca_file = keep(0, CERT("ca")) };
	server_cfg = (struct sp_tls_config){ .server = true,
					     .cert_file = keep(1, CERT("server")),
					     .key_file = keep(2, KEY("server")) };
}

void tls_teardown(void)
{
	certs_teardown();
	linger_ms = 20; /* orphaned carriers */
	ends_teardown();
}

static void on_ready(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	struct side *s = arg;

	ck_assert(!s->e.in_call);
	ck_assert_uint_eq(s->e.closed, 0);
	ck_assert((peer != NULL) == (cause == NULL));
	s->ready++;
	s->ok = peer != NULL;
	if (cause)
		s->cause = *cause;
	if (peer) {
		ck_assert_ptr_eq(peer, sp_tls_peer(s->e.s));
		s->peer = *peer;
		snprintf(s->subject, sizeof(s->subject), "%s", peer->cert_subject ? peer->cert_subject : "");
		snprintf(s->sans, sizeof(s->sans), "%s", peer->cert_sans ? peer->cert_sans : "");
		snprintf(s->version, sizeof(s->version), "%s", peer->version);
	}
	if (s->on_ready)
		s->on_ready(s);
}

void side_open(struct side *side, const struct sp_tls_config *cfg, struct sp_stream *s, const char *name,
	       int max_version)
{
	struct sp_cause cause = { 0 };
	struct sp_tls_ctx *ctx;
	struct sp_stream *tls;

	ck_assert_msg(sp_tls_ctx_new(cfg, &ctx, &cause) == 0, "%s", cause.text);
	if (max_version)
		SSL_CTX_set_max_proto_version(sp_tls_ctx_ssl(ctx), max_version);
	side->plain = s;
	side->e.in_call = true;
	ck_assert_int_eq(sp_tls_open(ctx, s, name, GRACE_MS, on_ready, side, &tls), 0);
	side->e.in_call = false;
	sp_tls_ctx_unref(&ctx);
	end_open(&side->e, tls);
}

void tls_open(const char *name, int max_version)
{
	struct sp_stream *a, *b;

	client = server = (struct side){ 0 };
	ends_connect(KIND_PAIR, &a, &b);
	side_open(&client, &client_cfg, a, name, max_version);
	side_open(&server, &server_cfg, b, NULL, 0);
	client.e.other = &server.e;
	server.e.other = &client.e;
}

void tls_connect(void)
{
	tls_open("gateway.test", 0);
	run_until_count(&client.ready, 1);
	run_until_count(&server.ready, 1);
	ck_assert_msg(client.ok && server.ok, "%s / %s", client.cause.text, server.cause.text);
}

void tls_close(void)
{
	ends_close(&client.e, &server.e);
	ck_assert_uint_le(client.ready, 1);
	ck_assert_uint_le(server.ready, 1);
}
