/* What the audit trail says of callers and connectors, and that nobody is let in who cannot be recorded. */
#include "suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define B(literal) (literal), sizeof(literal) - 1
#define USERPASS(password) "\x05\x01\x02" "\x01\x03" "tom\x04" password
#define CONNECT_NAME "\x05\x01\x00\x03\x0b" "erp.virtual" "\x1f\x40"
#define BIND_NAME "\x05\x02\x00\x03\x0b" "erp.virtual" "\x1f\x40"
#define REPLY(rep) "\x05" rep "\x00\x01\x00\x00\x00\x00\x00\x00"

static struct peer client;

static void say(const char *listener, const char *extra, const void *bytes, size_t n)
{
	fixture_open(listener, extra);
	memset(&client, 0, sizeof(client));
	client_open(&client);
	peer_send(&client, bytes, n);
}

static bool is_told(void *arg)
{
	return fx.line_count >= *(unsigned *)arg;
}

/* The log has the exchange's end. */
static void await_ended(void)
{
	run_until(is_told, &(unsigned){ 1 });
}

static void finish(void)
{
	peer_end(&client);
	fixture_close();
}

/* ---- callers --------------------------------------------------------------------- */

START_TEST(allowed_by_socks5)
{
	say("protocol = \"socks5\"; auth = \"asks\";", FX_AUDIT, B(USERPASS("good") CONNECT_NAME));
	peer_expect(&client, B("\x05\x02\x01\x00" REPLY("\x00")));
	finish();
	expect_trail(1, 0, "\"event\":\"identity\",\"decision\":\"allowed\",\"outcome\":\"ok\",\"from\":\"10.9.8.7:6543\",\"front\":\"socks5\"");
	expect_trail(1, 0, ",\"tenant\":\"t1\",\"target\":\"erp.virtual:8000\",\"chain\":\"asks\",\"plugin\":\"");
	ck_assert_ptr_null(strstr(fx.trail, "good"));
	expect_line(0, "outcome=");
	/* The same exchange in log and trail. */
	{
		char id[64];

		ck_assert_int_eq(sscanf(strstr(fx.lines[0].text, "exchange="), "exchange=%16[0-9a-f]", id), 1);
		expect_trail(1, 0, id);
	}
}
END_TEST

static const struct denial {
	const char *listener, *bytes;
	size_t n;
	const char *outcome, *reason;
} denials[] = {
	{ "protocol = \"socks5\"; auth = \"asks\";", B("\x05\x01\x00"), "no_credential", "the client offers no method that the chain can use" },
	{ "protocol = \"socks5\"; auth = \"asks\";", B("\x05\x01\x02\x01\x03tom\x03" "bad"), "bad_credential", "only-for-the-operator" },
	{ "protocol = \"http\"; auth = \"asks\";", B("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"), "no_credential", "only-for-the-operator" },
	{ "protocol = \"http\"; auth = \"asks\";", B("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic !\r\n\r\n"), "bad_credential",
	  "a malformed Proxy-Authorization" },
	{ "protocol = \"http\"; auth = \"asks\";", B("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Bearer expired\r\n\r\n"), "expired_credential",
	  "only-for-the-operator" },
	{ "protocol = \"http\"; auth = \"asks\";", B("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Bearer down\r\n\r\n"), "auth_unavailable",
	  "only-for-the-operator" },
	{ "protocol = \"forward\"; auth = \"nobody\"; target = \"a:1\";", B(""), "no_credential", "only-for-the-operator" },
};

START_TEST(denied)
{
	const struct denial *d = &denials[_i];
	char part[128];

	say(d->listener, FX_AUDIT, d->bytes, d->n);
	await_ended();
	snprintf(part, sizeof(part), "\"event\":\"identity\",\"decision\":\"denied\",\"outcome\":\"%s\"", d->outcome);
	expect_trail(1, 0, part);
	expect_trail(1, 0, d->reason);
	ck_assert_ptr_null(strstr(fx.trail, "\"principal\""));
	finish();
}
END_TEST

/* An identity that was established is told even when nothing comes of it; a chain's question that nobody waits for is not. */
START_TEST(told_without_a_target)
{
	say("protocol = \"socks5\"; auth = \"asks\";", FX_AUDIT, B(USERPASS("good") BIND_NAME));
	await_ended();
	expect_trail(1, 0, "\"decision\":\"allowed\",\"outcome\":\"ok\"");
	finish();
	say("protocol = \"socks5\"; auth = \"asks\";", FX_AUDIT, B(USERPASS("good")));
	peer_expect(&client, B("\x05\x02\x01\x00"));
	finish();
	expect_trail(1, 0, "\"decision\":\"allowed\",\"outcome\":\"ok\"");
	ck_assert_ptr_null(strstr(fx.trail, "target"));
	say("protocol = \"socks5\"; auth = \"asks\";", FX_AUDIT, B(USERPASS("hold")));
	await_count(&fx.seen->requests, 1);
	finish();
	expect_trail(0, 0, "");
}
END_TEST

/* The way is the log's, verdicts of those behind us are told: here a region's, a gateway's, a connector's. */
START_TEST(denied_further_on)
{
	static const struct { enum sp_outcome outcome; unsigned lines; } all[] = {
		{ SP_OUTCOME_REFUSED, 1 }, { SP_OUTCOME_NO_CONNECTOR, 1 }, { SP_OUTCOME_FORBIDDEN, 2 }, { SP_OUTCOME_NOT_EXPOSED, 2 },
	};
	char part[128];

	fixture_open("protocol = \"http\"; auth = \"anyone\";", FX_AUDIT);
	fx.fake.mode = FAKE_FAIL;
	fx.fake.outcome = all[_i].outcome;
	memset(&client, 0, sizeof(client));
	client_open(&client);
	peer_send_str(&client, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
	await_ended();
	expect_trail(all[_i].lines, 0, "\"event\":\"identity\",\"decision\":\"allowed\"");
	snprintf(part, sizeof(part), "\"event\":\"exchange\",\"decision\":\"denied\",\"outcome\":\"%s\"", sp_outcome_row(all[_i].outcome)->word);
	expect_trail(all[_i].lines, 1, part);
	finish();
}
END_TEST

/* Standard output is a full disk from here on. The test runs in a process of its own. */
static void fill_disk(void)
{
	int fd = open("/dev/full", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	close(fd);
}

#define CONTINUE "audit = { file = \"-\"; };"
#define DENY "audit = { file = \"-\"; on_failure = \"deny\"; };"

/* Nothing is opened for callers who would have been allowed, or it goes on, as configured. */
START_TEST(unrecorded_callers)
{
	fill_disk();
	fixture_open("protocol = \"http\"; auth = \"anyone\";", _i ? DENY : CONTINUE);
	memset(&client, 0, sizeof(client));
	client_open(&client);
	peer_send_str(&client, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
	peer_expect_str(&client, _i ? "HTTP/1.1 503 " : "HTTP/1.1 200 ");
	ck_assert_uint_eq(fx.fake.opens, _i ? 0 : 1);
	ck_assert_uint_eq(sp_audit_lost(fx.env.audit), 1);
	finish();
	if (_i)
		expect_line(0, "outcome=auth_unavailable");
	else
		expect_line(0, "outcome=client_gone");
}
END_TEST

/* ---- connectors, and the way through them -------------------------------------------- */

static char trail[1 << 14];

static void read_trail(const struct sp_conf *conf)
{
	FILE *f = fopen(conf->audit.file, "r");

	ck_assert_ptr_nonnull(f);
	trail[fread(trail, 1, sizeof(trail) - 1, f)] = '\0';
	fclose(f);
}

static void expect_told(const struct sp_conf *conf, const char *part)
{
	read_trail(conf);
	ck_assert_msg(strstr(trail, part), "\"%s\" is not in:\n%s", part, trail);
}

static void open_world(const char *listener, const char *extra)
{
	unlink(certs_path("audit", "log"));
	unlink(certs_path("far", "log"));
	world_open(listener, extra);
}

static bool is_logged(void *part)
{
	return strstr(world.log, part) != NULL;
}

static void await_logged(char *part)
{
	run_until(is_logged, part);
}

#define FAR_AUDIT "audit = { file = \"far.log\"; };"

START_TEST(connectors_and_their_exchanges)
{
	struct far *f;
	struct call c;

	open_world(WORLD_USUAL, FX_AUDIT);
	f = far_open("t1", "north", "one", 1, FAR_AUDIT);
	near_open(NULL, "");
	await_ready("t1", "north", 1);
	expect_told(world.conf, "\"event\":\"connector\",\"decision\":\"allowed\",\"outcome\":\"ok\",\"from\":\"127.0.0.1:");
	expect_told(world.conf, "\"tenant\":\"t1\",\"location\":\"north\",\"chain\":\"connectors\",\"plugin\":\"mtls\",\"principal\":\"CN=connector 1,O=sallyport\\\\, test\","
				"\"connector\":\"c-one\",\"instance\":\"");
	call_open(&c, "t1", "north", "one");
	expect_told(world.conf, "\"event\":\"identity\",\"decision\":\"allowed\",\"outcome\":\"ok\",\"from\":\"127.0.0.1:");
	expect_told(world.conf, "\"tenant\":\"t1\",\"target\":\"echo.virtual:7\",\"location\":\"north\",\"chain\":\"proxies\",\"plugin\":\"mtls\","
				"\"principal\":\"CN=proxy,");
	expect_told(f->conf, "\"event\":\"exchange\",\"decision\":\"allowed\",\"outcome\":\"ok\"");
	expect_told(f->conf, "\"target\":\"echo.virtual:7\"");
	call_end(&c);
	call_expect("t1", "north", "echo.virtual:8", SP_OUTCOME_NOT_EXPOSED);
	expect_told(f->conf, "\"event\":\"exchange\",\"decision\":\"denied\",\"outcome\":\"not_exposed\"");
	expect_told(world.conf, "\"event\":\"exchange\",\"decision\":\"denied\",\"outcome\":\"not_exposed\"");
	world_close();
}
END_TEST

START_TEST(who_may_not_dial_in)
{
	static char refused[] = "warn connector connector refused", no_proxies[] = "names no chain for proxies", no_tunnel[] = "no tunnel came";
	struct raw r;

	open_world("connectors = \"connectors\";", FX_AUDIT);
	far_open("nobody", "", "x", 1, "");
	await_logged(refused);
	expect_told(world.conf, "\"event\":\"connector\",\"decision\":\"denied\",\"outcome\":\"tenant_unknown\",\"from\":\"127.0.0.1:");
	expect_told(world.conf, "\"reason\":\"plugin \\\"mtls\\\": the certificate does not name the tenant");
	raw_open(&r, "proxy", "h2");
	await_logged(no_proxies);
	expect_told(world.conf, "\"event\":\"tunnel\",\"decision\":\"denied\",\"outcome\":\"forbidden\"");
	peer_end(&r.p);
	raw_open(&r, "other", "h2");
	await_logged(no_tunnel);
	expect_told(world.conf, "\"event\":\"tunnel\",\"decision\":\"denied\",\"outcome\":\"tls_certificate\"");
	peer_end(&r.p);
	world_close();
}
END_TEST

START_TEST(connectors_that_cannot_be_recorded)
{
	static char refused[] = "warn connector connector refused", lost[] = "the audit trail cannot be written";

	fill_disk();
	open_world(WORLD_USUAL, DENY);
	far_open("t1", "", "one", 1, "");
	await_logged(refused);
	ck_assert(is_logged(lost));
	ck_assert_uint_eq(sp_connectors_ready(world.env.connectors, "t1", ""), 0);
	world_close();
}
END_TEST

/* The customer's own rule: what the connector cannot record is not reached. */
START_TEST(exposed_systems_that_cannot_be_recorded)
{
	struct far *f;

	fill_disk();
	open_world(WORLD_USUAL, "");
	f = far_open("t1", "", "one", 1, DENY);
	near_open(NULL, "");
	await_ready("t1", "", 1);
	call_expect("t1", "", "echo.virtual:7", SP_OUTCOME_UNAVAILABLE);
	ck_assert_uint_ge(sp_audit_lost(f->env.audit), 1);
	world_close();
}
END_TEST

Suite *sp_suite_trail(void)
{
	Suite *s = suite_create("trail");
	TCase *t = tcase_create("callers"), *w = tcase_create("connectors");

	tcase_add_unchecked_fixture(t, fixture_folder_make, fixture_folder_remove);
	tcase_add_test(t, allowed_by_socks5);
	tcase_add_loop_test(t, denied, 0, SP_COUNT_OF(denials));
	tcase_add_test(t, told_without_a_target);
	tcase_add_loop_test(t, denied_further_on, 0, 4);
	tcase_add_loop_test(t, unrecorded_callers, 0, 2);
	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(w, world_certs_make, certs_teardown);
	tcase_add_test(w, connectors_and_their_exchanges);
	tcase_add_test(w, who_may_not_dial_in);
	tcase_add_test(w, connectors_that_cannot_be_recorded);
	tcase_add_test(w, exposed_systems_that_cannot_be_recorded);
	suite_add_tcase(s, w);
	return s;
}
