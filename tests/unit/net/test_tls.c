/* TLS handshakes: who is accepted, who is not, and what is said about it. */
#include "suites.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "tls_pair.h"

/* The handshake is run to its end on both sides; a side that got through reads on. */
static void attempt(const char *name, int max_version)
{
	tls_open(name, max_version);
	sp_stream_read_start(client.e.s);
	sp_stream_read_start(server.e.s);
	run_until_count(&client.ready, 1);
	run_until_count(&server.ready, 1);
}

static void check_failed(struct side *s, int err, const char *text)
{
	run_until_count(&s->e.closed, 1);
	ck_assert_uint_eq(s->ready, 1);
	ck_assert(!s->ok);
	ck_assert_int_eq(s->cause.err, err);
	ck_assert_int_eq(s->cause.domain, SP_DOMAIN_TLS);
	ck_assert_msg(strstr(s->cause.text, text) != NULL, "%s", s->cause.text);
	ck_assert(s->e.has_cause);
	ck_assert_str_eq(s->e.cause.text, s->cause.text);
	ck_assert_int_eq(s->e.cause.err, err);
}

/* ---- what succeeds -------------------------------------------------------------- */

static void expect_sha256(const char *file, const char *hex)
{
	FILE *f = fopen(file, "r");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
	unsigned char md[32];
	char text[65];
	unsigned i, n;

	fclose(f);
	X509_digest(cert, EVP_sha256(), md, &n);
	X509_free(cert);
	for (i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", md[i]);
	ck_assert_str_eq(hex, text);
}

START_TEST(details_of_both)
{
	client_cfg.cert_file = CERT("client");
	client_cfg.key_file = KEY("client");
	server_cfg.ca_file = client_cfg.ca_file;
	server_cfg.require_client_cert = true;
	client_cfg.alpn = (const char *const[]){ "http/1.1", "rh2", "h2", NULL };
	server_cfg.alpn = (const char *const[]){ "h2", "rh2", NULL };
	tls_connect();
	ck_assert_str_eq(client.version, "TLSv1.3");
	ck_assert_ptr_nonnull(strstr(client.peer.cipher, "TLS_"));
	ck_assert(client.peer.has_cert && server.peer.has_cert);
	ck_assert_str_eq(client.peer.alpn, "h2"); /* the server's preference */
	ck_assert_str_eq(server.peer.alpn, "h2");
	ck_assert_str_eq(client.subject, "CN=server,O=sallyport\\, test");
	ck_assert_str_eq(client.sans, "DNS:gateway.test\nDNS:*.wild.test\nIP:127.0.0.1");
	ck_assert_str_eq(server.subject, "CN=client 1,O=sallyport\\, test");
	ck_assert_str_eq(server.sans, "URI:spiffe://corp.test/tenant/t1/location/l1/connector/c1\nDNS:client.test");
	expect_sha256(CERT("server"), client.peer.cert_sha256);
	expect_sha256(CERT("client"), server.peer.cert_sha256);
	ck_assert_int_gt(server.peer.cert_not_after, time(NULL) + 29 * 86400);
	ck_assert_int_le(server.peer.cert_not_after, time(NULL) + 30 * 86400);
	tls_close();
}
END_TEST

START_TEST(names_that_fit)
{
	static const char *const names[] = { "gateway.test", "GATEWAY.test", "gateway.test.", "a.wild.test",
					     "127.0.0.1" };

	attempt(names[_i], 0);
	ck_assert_msg(client.ok && server.ok, "%s", client.cause.text);
	ck_assert(!server.peer.has_cert);
	ck_assert_str_eq(client.peer.alpn, "");
	tls_close();
}
END_TEST

START_TEST(client_without_certificate_where_optional)
{
	server_cfg.ca_file = client_cfg.ca_file;
	tls_connect();
	ck_assert(!server.peer.has_cert);
	ck_assert_ptr_null(server.peer.cert_subject);
	ck_assert_str_eq(server.peer.cert_sha256, "");
	ck_assert_int_eq(server.peer.cert_not_after, 0);
	tls_close();
}
END_TEST

START_TEST(alpn_unknown_to_one)
{
	server_cfg.alpn = (const char *const[]){ "h2", NULL };
	tls_connect(); /* the client offers none: its caller decides */
	ck_assert_str_eq(client.peer.alpn, "");
	tls_close();
	server_cfg.alpn = NULL;
	client_cfg.alpn = (const char *const[]){ "h2", NULL };
	tls_connect();
	ck_assert_str_eq(client.peer.alpn, "");
	tls_close();
}
END_TEST

/* Names stand one a line in cert_sans: one that could pretend to be two is left out. */
START_TEST(forged_names_are_left_out)
{
	certs_make(&(struct cert_spec){
	    "forged", "ca", "forged", "URI:spiffe://a,DNS:x^URI:spiffe://b,DNS:gateway.test,email:a b@c", false, 30 });
	server_cfg.cert_file = CERT("forged");
	server_cfg.key_file = KEY("forged");
	tls_connect();
	ck_assert_str_eq(client.sans, "URI:spiffe://a\nDNS:gateway.test");
	tls_close();
}
END_TEST

/* The chain is sent along: only the root is known to the client. */
START_TEST(intermediate)
{
	FILE *in, *out;
	int c;

	certs_make(&(struct cert_spec){ "middle", "ca", "Middle CA", NULL, true, 30 });
	certs_make(&(struct cert_spec){ "leaf", "middle", "leaf", "DNS:gateway.test", false, 30 });
	server_cfg.cert_file = CERT("leaf");
	server_cfg.key_file = KEY("leaf");
	attempt("gateway.test", 0);
	check_failed(&client, SP_ECERT, "unable to");
	tls_close();
	in = fopen(CERT("middle"), "r");
	out = fopen(CERT("leaf"), "a");
	while ((c = fgetc(in)) != EOF)
		fputc(c, out);
	fclose(in);
	fclose(out);
	tls_connect();
	ck_assert_str_eq(client.subject, "CN=leaf,O=sallyport\\, test");
	tls_close();
}
END_TEST

/* ---- what does not ------------------------------------------------------------------ */

static void use_server_cert(const char *name)
{
	server_cfg.cert_file = CERT(name);
	server_cfg.key_file = KEY(name);
}

static void check_client_refuses(const char *name, const char *text)
{
	attempt(name, 0);
	check_failed(&client, SP_ECERT, text);
	check_failed(&server, SP_ETLS, "the peer says: ");
	tls_close();
}

START_TEST(wrong_name)
{
	check_client_refuses("other.test", "certificate of other.test: hostname mismatch");
	check_client_refuses("a.b.wild.test", "hostname mismatch");
	check_client_refuses("wild.test", "hostname mismatch");
	check_client_refuses("127.0.0.2", "certificate of 127.0.0.2: IP address mismatch");
	check_client_refuses("::1", "IP address mismatch");
	check_client_refuses("server", "hostname mismatch"); /* only its common name */
}
END_TEST

START_TEST(unknown_issuer)
{
	certs_make(&(struct cert_spec){ "ca2", NULL, "Test CA", NULL, true, 30 });
	certs_make(&(struct cert_spec){ "server2", "ca2", "x", "DNS:gateway.test", false, 30 });
	use_server_cert("server2");
	check_client_refuses("gateway.test", "certificate");
	certs_make(&(struct cert_spec){ "self", NULL, "x", "DNS:gateway.test", false, 30 });
	use_server_cert("self");
	check_client_refuses("gateway.test", "self-signed certificate");
}
END_TEST

START_TEST(expired)
{
	certs_make(&(struct cert_spec){ "old", "ca", "x", "DNS:gateway.test", false, -1 });
	use_server_cert("old");
	check_client_refuses("gateway.test", "certificate of gateway.test: certificate has expired");
}
END_TEST

/* A certificate that may not sign does not vouch for others. */
START_TEST(issuer_is_no_ca)
{
	certs_make(&(struct cert_spec){ "fake", "server", "x", "DNS:gateway.test", false, 30 });
	use_server_cert("fake");
	check_client_refuses("gateway.test", "certificate of gateway.test: ");
}
END_TEST

/* The system's store does not know the test's CA. */
START_TEST(system_store)
{
	client_cfg.ca_file = NULL;
	check_client_refuses("gateway.test", "certificate of gateway.test: ");
}
END_TEST

START_TEST(client_certificate_missing)
{
	server_cfg.ca_file = client_cfg.ca_file;
	server_cfg.require_client_cert = true;
	attempt("gateway.test", TLS1_2_VERSION);
	check_failed(&server, SP_ECERT, "the client sent no certificate");
	check_failed(&client, SP_ETLS, "the peer says: ");
	tls_close();
	/* In TLS 1.3 the client is through before the server has looked. */
	attempt("gateway.test", 0);
	check_failed(&server, SP_ECERT, "the client sent no certificate");
	ck_assert(client.ok);
	run_until_count(&client.e.closed, 1);
	ck_assert_int_eq(client.e.cause.err, SP_ETLS);
	ck_assert_str_eq(client.e.cause.text, "read: the peer says: certificate required");
	ck_assert_int_eq(client.e.cause.raw, 116);
	tls_close();
}
END_TEST

START_TEST(client_certificate_foreign)
{
	certs_make(&(struct cert_spec){ "ca2", NULL, "Other CA", NULL, true, 30 });
	certs_make(&(struct cert_spec){ "client2", "ca2", "x", "URI:spiffe://a", false, 30 });
	server_cfg.ca_file = client_cfg.ca_file; /* optional, but who shows one must be known */
	client_cfg.cert_file = CERT("client2");
	client_cfg.key_file = KEY("client2");
	attempt("gateway.test", 0);
	check_failed(&server, SP_ECERT, "certificate of the client: ");
	tls_close();
}
END_TEST

START_TEST(alpn_nothing_in_common)
{
	server_cfg.alpn = (const char *const[]){ "h2", NULL };
	client_cfg.alpn = (const char *const[]){ "http/1.1", NULL };
	attempt("gateway.test", 0);
	check_failed(&server, SP_ETLS, "handshake: ");
	check_failed(&client, SP_ETLS, "the peer says: no application protocol");
	ck_assert_int_eq(client.cause.raw, 120);
	tls_close();
}
END_TEST

START_TEST(old_versions)
{
	struct sp_stream *a, *b;
	struct sp_tls_ctx *ctx;

	ck_assert_int_eq(sp_tls_ctx_new(&client_cfg, &ctx, NULL), 0);
	ck_assert_int_eq(SSL_CTX_get_min_proto_version(sp_tls_ctx_ssl(ctx)), TLS1_2_VERSION);
	sp_tls_ctx_unref(&ctx);
	/* A ClientHello of TLS 1.1, cut down to what decides: the server answers with an alert. */
	{
		static const uint8_t hello[] = { 0x16, 3,  1,  0,  47, 1,  0,  0,    43,   3,	 2,    1,  2,
						 3,    4,  5,  6,  7,  8,  9,  10,   11,   12,	 13,   14, 15,
						 16,   17, 18, 19, 20, 21, 22, 23,   24,   25,	 26,   27, 28,
						 29,   30, 31, 32, 0,  0,  4,  0xc0, 0x2f, 0xc0, 0x13, 1,  0 };

		client = server = (struct side){ 0 };
		ends_connect(KIND_PAIR, &a, &b);
		side_open(&server, &server_cfg, b, NULL, 0);
		end_open(&client.e, a);
		sp_stream_read_start(a);
		sp_stream_write(a, hello, sizeof(hello));
		check_failed(&server, SP_ETLS, "handshake: unsupported protocol");
		run_until_count(&client.e.eof, 1);
		ck_assert_uint_eq(client.e.in.len, 7);
		ck_assert_uint_eq(sp_buf_data(&client.e.in).p[0], 21); /* alert, fatal, protocol_version */
		ck_assert_uint_eq(sp_buf_data(&client.e.in).p[6], 70);
		tls_close();
	}
}
END_TEST

/* ---- peers that do not speak TLS ------------------------------------------------------- */

/* Opens a server over one end of a pair; client.e is the other, plain. */
static void open_against_plain(uint64_t timeout_ms)
{
	struct sp_stream *a, *b;

	(void)timeout_ms;
	client = server = (struct side){ 0 };
	ends_connect(KIND_PAIR, &a, &b);
	side_open(&server, &server_cfg, b, NULL, 0);
	end_open(&client.e, a);
	sp_stream_read_start(a);
}

START_TEST(plain_text)
{
	open_against_plain(GRACE_MS);
	sp_stream_write(client.e.s, "GET / HTTP/1.0\r\n\r\n", 18);
	check_failed(&server, SP_ETLS, "handshake: ");
	run_until_count(&client.e.eof, 1); /* told, then ended */
	tls_close();
}
END_TEST

START_TEST(garbage)
{
	uint8_t junk[400];
	unsigned seed, i, n;

	for (seed = 1; seed <= 300; seed++) {
		unsigned state = seed;

		open_against_plain(GRACE_MS);
		linger_ms = 1;
		n = rnd(&state) % sizeof(junk) + 1;
		for (i = 0; i < n; i++)
			junk[i] = (uint8_t)rnd(&state);
		if (seed % 2 && n > 5)
			memcpy(junk, "\x16\x03\x01\x00\x40", 5);
		sp_stream_write(client.e.s, junk, n);
		sp_stream_shutdown_write(client.e.s);
		run_until_count(&server.e.closed, 1);
		ck_assert_uint_eq(server.ready, 1);
		ck_assert(!server.ok);
		ck_assert_int_eq(server.cause.err, SP_ETLS);
		tls_close();
	}
}
END_TEST

START_TEST(peer_ends_in_handshake)
{
	open_against_plain(GRACE_MS);
	sp_stream_shutdown_write(client.e.s);
	check_failed(&server, SP_ETLS, "handshake: the peer closed the connection");
	tls_close();
}
END_TEST

START_TEST(peer_resets_in_handshake)
{
	open_against_plain(GRACE_MS);
	sp_stream_close(client.e.s, SP_CLOSE_ABORT);
	run_until_count(&server.e.closed, 1);
	ck_assert_uint_eq(server.ready, 1);
	ck_assert_int_eq(server.cause.err, SP_ERESET);
	ck_assert_int_eq(server.e.cause.err, SP_ERESET);
	tls_close();
}
END_TEST

static unsigned late_ready;
static struct sp_cause late_cause;

static void on_late(void *arg, const struct sp_tls_peer *peer, const struct sp_cause *cause)
{
	(void)arg;
	ck_assert_ptr_null(peer);
	late_cause = *cause;
	late_ready++;
}

/* Both roles; the client has sent its hello. */
START_TEST(silent_peer)
{
	struct sp_stream *a, *b, *tls;
	struct sp_tls_ctx *ctx;
	struct end e, other;

	ck_assert_int_eq(sp_tls_ctx_new(_i ? &server_cfg : &client_cfg, &ctx, NULL), 0);
	ends_connect(KIND_PAIR, &a, &b);
	ck_assert_int_eq(sp_tls_open(ctx, a, _i ? NULL : "gateway.test", 5, on_late, NULL, &tls), 0);
	sp_tls_ctx_unref(&ctx);
	end_open(&e, tls);
	end_open(&other, b);
	sp_stream_read_start(b);
	run_until_count(&e.closed, 1);
	ck_assert_uint_eq(late_ready, 1);
	ck_assert_int_eq(late_cause.err, SP_ETIMEOUT);
	ck_assert_int_eq(e.cause.err, SP_ETIMEOUT);
	ck_assert_str_eq(e.cause.text, "handshake: timed out");
	run_until_count(&other.closed, 1); /* reset: no lingering for who says nothing */
	ends_close(&e, &other);
}
END_TEST

/* ---- closing around the handshake --------------------------------------------------------- */

START_TEST(close_in_handshake)
{
	unsigned turns;

	for (turns = 0; turns < 4; turns++) {
		tls_open("gateway.test", 0);
		linger_ms = 20;
		if (turns)
			run_turns(turns - 1);
		client.e.in_call = true;
		sp_stream_close(client.e.s, _i ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH);
		client.e.in_call = false;
		ck_assert_int_eq(sp_stream_write(client.e.s, "x", 1), SP_ECLOSED);
		run_until_count(&client.e.closed, 1);
		ck_assert(!client.e.has_cause);
		if (client.ready == 0)
			run_until_count(&server.ready, 1);
		tls_close();
	}
}
END_TEST

/* Bytes written early, then FLUSH: the handshake goes on for them. */
START_TEST(flush_in_handshake)
{
	tls_open("gateway.test", 0);
	sp_stream_write(client.e.s, "early", 5);
	sp_stream_close(client.e.s, SP_CLOSE_FLUSH);
	sp_stream_close(client.e.s, SP_CLOSE_FLUSH);
	sp_stream_read_start(server.e.s);
	run_until_count(&server.e.eof, 1);
	ck_assert_str_eq(sp_buf_str(&server.e.in), "early");
	ck_assert_uint_eq(client.ready, 0);
	sp_stream_close(server.e.s, SP_CLOSE_FLUSH);
	run_until_count(&client.e.closed, 1);
	run_until_count(&server.e.closed, 1);
	ck_assert(!client.e.has_cause && !server.e.has_cause);
	tls_close();
}
END_TEST

/* The same, to a peer that never answers, or one that is refused: bounded, and no cause after our close. */
START_TEST(flush_in_handshake_that_fails)
{
	struct sp_stream *a, *b;

	client = server = (struct side){ 0 };
	linger_ms = 20;
	ends_connect(KIND_PAIR, &a, &b);
	side_open(&client, &client_cfg, a, "gateway.test", 0);
	end_open(&server.e, b);
	sp_stream_write(client.e.s, "early", 5);
	sp_stream_close(client.e.s, SP_CLOSE_FLUSH);
	run_until_count(&client.e.closed, 1);
	ck_assert(!client.e.has_cause);
	ck_assert_uint_eq(client.ready, 0);
	ends_close(&client.e, &server.e);

	tls_open("other.test", 0);
	sp_stream_write(client.e.s, "early", 5);
	sp_stream_close(client.e.s, SP_CLOSE_FLUSH);
	run_until_count(&client.e.closed, 1);
	ck_assert(!client.e.has_cause);
	ck_assert_uint_eq(client.ready, 0);
	run_until_count(&server.e.closed, 1);
	tls_close();
}
END_TEST

static enum sp_close ready_how;

static void close_at_ready(struct side *s)
{
	sp_stream_close(s->e.s, ready_how);
	sp_stream_read_start(s->e.s);
}

START_TEST(close_in_on_ready)
{
	ready_how = _i ? SP_CLOSE_ABORT : SP_CLOSE_FLUSH;
	tls_open("gateway.test", 0);
	linger_ms = 20;
	server.on_ready = close_at_ready;
	sp_stream_read_start(client.e.s);
	sp_stream_write(client.e.s, "unread", 6);
	run_until_count(&server.e.closed, 1);
	ck_assert(!server.e.has_cause);
	ck_assert_uint_eq(server.e.data, 0);
	tls_close();
	/* And when it failed. */
	tls_open("other.test", 0);
	client.on_ready = close_at_ready;
	run_until_count(&client.e.closed, 1);
	ck_assert(!client.ok);
	ck_assert(client.e.has_cause);
	tls_close();
}
END_TEST

/* Bytes that a previous reader left in the carrier are the handshake's first. */
START_TEST(untaken_bytes_of_the_carrier)
{
	struct sp_stream *a, *b;

	client = server = (struct side){ 0 };
	ends_connect(KIND_TCP, &a, &b);
	end_open(&server.e, b); /* reads a byte or none, leaves the rest */
	sp_stream_read_start(b);
	side_open(&client, &client_cfg, a, "gateway.test", 0);
	server.e.take = NULL;
	server.e.collect = false;
	run_until_count(&client.ready, 0);
	sp_stream_read_stop(b);
	run_turns(20); /* the hello waits in the socket or, kept, in the stream */
	side_open(&server, &server_cfg, b, NULL, 0);
	run_until_count(&client.ready, 1);
	ck_assert_msg(client.ok, "%s", client.cause.text);
	tls_close();
}
END_TEST

/* ---- contexts -------------------------------------------------------------------------------- */

static void check_ctx(const struct sp_tls_config *cfg, int err, const char *text)
{
	struct sp_tls_ctx *ctx = NULL;
	struct sp_cause cause = { 0 };

	ck_assert_int_eq(sp_tls_ctx_new(cfg, &ctx, &cause), err);
	ck_assert_ptr_null(ctx);
	ck_assert_int_eq(cause.err, err);
	ck_assert_msg(strstr(cause.text, text) != NULL, "%s", cause.text);
	ck_assert_int_eq(sp_tls_ctx_new(cfg, &ctx, NULL), err); /* the cause may be unwanted */
}

START_TEST(context_errors)
{
	struct sp_tls_config c = server_cfg;
	FILE *f;

	c.cert_file = c.key_file = NULL;
	check_ctx(&c, SP_EINVAL, "needs a certificate");
	c = server_cfg;
	c.key_file = NULL;
	check_ctx(&c, SP_EINVAL, "belong together");
	c = server_cfg;
	c.require_client_cert = true;
	check_ctx(&c, SP_EINVAL, "need a CA");
	c = server_cfg;
	c.cert_file = "/no/such.pem";
	check_ctx(&c, SP_ETLS, "certificate /no/such.pem");
	c = server_cfg;
	c.key_file = "/no/such.key";
	check_ctx(&c, SP_EINVAL, "key /no/such.key");
	c = server_cfg;
	c.ca_file = "/no/such.ca";
	check_ctx(&c, SP_ETLS, "ca /no/such.ca");
	c = server_cfg;
	c.key_file = KEY("ca");
	check_ctx(&c, SP_ETLS, "key values mismatch");
	c = server_cfg;
	c.key_file = CERT("server"); /* world-readable, and no key */
	chmod(c.key_file, 0644);
	check_ctx(&c, SP_EINVAL, "others than its owner and group");
	chmod(c.key_file, 0640);
	check_ctx(&c, SP_ETLS, c.key_file);
	c = server_cfg;
	c.alpn = (const char *const[]){ "", NULL };
	check_ctx(&c, SP_EINVAL, "ALPN");
	c.alpn = (const char *const[]){ "a-protocol-with-a-long-name", NULL };
	check_ctx(&c, SP_EINVAL, "ALPN");
	f = fopen(CERT("empty"), "w");
	fclose(f);
	c = client_cfg;
	c.ca_file = CERT("empty");
	check_ctx(&c, SP_ETLS, c.ca_file);
}
END_TEST

/* An encrypted key is an error, not a question on the terminal. */
START_TEST(encrypted_key)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct sp_tls_config c = server_cfg;
	FILE *f = fopen(KEY("locked"), "w");

	fchmod(fileno(f), 0600);
	PEM_write_PrivateKey(f, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL);
	fclose(f);
	EVP_PKEY_free(key);
	c.key_file = KEY("locked");
	check_ctx(&c, SP_ETLS, c.key_file);
}
END_TEST

START_TEST(context_references)
{
	struct sp_tls_ctx *ctx, *other;

	ck_assert_int_eq(sp_tls_ctx_new(&client_cfg, &ctx, NULL), 0);
	other = sp_tls_ctx_ref(ctx);
	sp_tls_ctx_unref(&ctx);
	ck_assert_ptr_null(ctx);
	ck_assert_ptr_nonnull(sp_tls_ctx_ssl(other));
	sp_tls_ctx_unref(&other);
	sp_tls_ctx_unref(&other); /* NULL is fine */
}
END_TEST

Suite *sp_suite_tls(void)
{
	Suite *s = suite_create("tls");
	TCase *tc = tcase_create("handshake"), *bad = tcase_create("refused"), *end = tcase_create("close"),
	      *ctx = tcase_create("context");

	tcase_add_checked_fixture(tc, tls_setup, tls_teardown);
	tcase_add_test(tc, details_of_both);
	tcase_add_loop_test(tc, names_that_fit, 0, 5);
	tcase_add_test(tc, client_without_certificate_where_optional);
	tcase_add_test(tc, alpn_unknown_to_one);
	tcase_add_test(tc, forged_names_are_left_out);
	tcase_add_test(tc, intermediate);
	suite_add_tcase(s, tc);

	tcase_add_checked_fixture(bad, tls_setup, tls_teardown);
	tcase_set_timeout(bad, 60);
	tcase_add_test(bad, wrong_name);
	tcase_add_test(bad, unknown_issuer);
	tcase_add_test(bad, expired);
	tcase_add_test(bad, issuer_is_no_ca);
	tcase_add_test(bad, system_store);
	tcase_add_test(bad, client_certificate_missing);
	tcase_add_test(bad, client_certificate_foreign);
	tcase_add_test(bad, alpn_nothing_in_common);
	tcase_add_test(bad, old_versions);
	tcase_add_test(bad, plain_text);
	tcase_add_test(bad, garbage);
	tcase_add_test(bad, peer_ends_in_handshake);
	tcase_add_test(bad, peer_resets_in_handshake);
	tcase_add_loop_test(bad, silent_peer, 0, 2);
	suite_add_tcase(s, bad);

	tcase_add_checked_fixture(end, tls_setup, tls_teardown);
	tcase_set_timeout(end, 60);
	tcase_add_loop_test(end, close_in_handshake, 0, 2);
	tcase_add_test(end, flush_in_handshake);
	tcase_add_test(end, flush_in_handshake_that_fails);
	tcase_add_loop_test(end, close_in_on_ready, 0, 2);
	tcase_add_test(end, untaken_bytes_of_the_carrier);
	suite_add_tcase(s, end);

	tcase_add_checked_fixture(ctx, tls_setup, tls_teardown);
	tcase_add_test(ctx, context_errors);
	tcase_add_test(ctx, encrypted_key);
	tcase_add_test(ctx, context_references);
	suite_add_tcase(s, ctx);
	return s;
}
