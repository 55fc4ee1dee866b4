/* What exchanges show to a gateway: how pools wait for it and renew it, and where it comes from. */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../net/web.h"
#include "base/alloc.h"
#include "gate.h"

/* ---- a credential that the test hands out --------------------------------------------------- */

struct asker {
	struct sp_credential_wait wait; /* first */
	struct sp_list node;
	sp_credential_cb *cb;
	void *arg;
};

static struct {
	struct sp_credential credential;
	struct sp_list askers;
	unsigned asked, cancelled, refusals, freed;
	char tenant[32];  /* of the last asker */
	char refused[64]; /* the last one: "TENANT VALUE" */
} hand;

/* Somebody of this tenant, whose subdomain is "s-TENANT". */
static const struct sp_identity *somebody(const char *tenant)
{
	static char name[32], subdomain[40];
	static struct sp_identity id = { .tenant = name, .subdomain = subdomain };

	snprintf(name, sizeof(name), "%s", tenant);
	snprintf(subdomain, sizeof(subdomain), "s-%s", tenant);
	return &id;
}

static struct sp_credential_wait *hand_get(struct sp_credential *c, const struct sp_identity *who, sp_credential_cb *cb, void *arg)
{
	struct asker *a = SP_NEW(struct asker);

	*a = (struct asker){ .wait = { c }, .cb = cb, .arg = arg };
	sp_list_append(&hand.askers, &a->node);
	hand.asked++;
	snprintf(hand.tenant, sizeof(hand.tenant), "%s", who->tenant);
	return &a->wait;
}

static void hand_cancel(struct sp_credential_wait *w)
{
	struct asker *a = SP_CONTAINER_OF(w, struct asker, wait);

	hand.cancelled++;
	sp_list_remove(&a->node);
	free(a);
}

static void hand_refused(struct sp_credential *c, const struct sp_identity *who, struct sp_slice value)
{
	(void)c;
	hand.refusals++;
	snprintf(hand.refused, sizeof(hand.refused), "%s %.*s", who->tenant, SP_SLICE_ARG(value));
}

static void hand_free(struct sp_credential *c)
{
	(void)c;
	ck_assert(sp_list_empty(&hand.askers));
	hand.freed++;
}

/* To whoever has waited longest. value NULL: there is none. */
static void hand_out(const char *value)
{
	struct asker *a = SP_CONTAINER_OF(sp_list_pop(&hand.askers), struct asker, node);
	sp_credential_cb *cb = a->cb;
	struct sp_cause cause = { 0 };
	void *arg = a->arg;

	free(a);
	sp_cause_set(&cause, SP_EREFUSED, SP_DOMAIN_SELF, 0, "the token server is down");
	cb(arg, sp_slice_str(value), value ? NULL : &cause);
}

static struct sp_back *back;

static void setup(void)
{
	static const struct sp_credential_ops ops = { hand_get, hand_cancel, hand_refused, hand_free };

	gate_setup();
	gate_open(&gate[0]);
	memset(&hand, 0, sizeof(hand));
	hand.credential.ops = &ops;
	sp_list_init(&hand.askers);
	back = back_towards(&gate[0], &hand.credential);
}

static void teardown(void)
{
	if (back)
		back_close(&back);
	ck_assert_uint_eq(hand.freed, 1);
	gate_teardown();
}

/* ---- waiting for it --------------------------------------------------------------------------- */

START_TEST(is_awaited_before_anything_is_asked)
{
	struct call c;

	call_start(&c, back, "t", "");
	ck_assert_uint_eq(hand.asked, 1);
	ck_assert_str_eq(hand.tenant, "t");
	await_tunnels(pool_of(back, "t", ""), 1); /* dialled meanwhile */
	run_turns(10);
	ck_assert_uint_eq(asked_count, 0);
	hand_out("Bearer one");
	await_asked(1);
	ck_assert_str_eq(asked[0].credential, "Bearer one");
	ck_assert_str_eq(asked[0].tenant, "t");
	answer(&asked[0], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	call_end(&c);
}
END_TEST

START_TEST(each_stream_carries_the_one_of_its_time)
{
	struct call c[2];

	call_start(&c[0], back, "t", "");
	hand_out("Bearer one");
	await_asked(1);
	answer(&asked[0], 200, NULL);
	call_expect(&c[0], SP_OUTCOME_OK);
	call_start(&c[1], back, "t", "");
	hand_out("Bearer two");
	await_asked(2);
	answer(&asked[1], 200, NULL);
	call_expect(&c[1], SP_OUTCOME_OK);
	ck_assert_str_eq(asked[1].credential, "Bearer two");
	ck_assert_ptr_eq(asked[1].far, asked[0].far);
	call_check(&c[0], &asked[0]);
	call_end(&c[0]);
	call_end(&c[1]);
}
END_TEST

START_TEST(none_can_be_had)
{
	struct call c;

	call_start(&c, back, "t", "");
	hand_out(NULL);
	call_expect(&c, SP_OUTCOME_NO_GATEWAY_CREDENTIAL);
	ck_assert_uint_eq(sp_outcome_row(c.outcome)->http_status, 503);
	ck_assert_str_eq(c.cause.text, "the token server is down");
	ck_assert_uint_eq(asked_count, 0);
	call_end(&c);
}
END_TEST

struct order {
	struct sp_timer timer;
	const struct call *c;
	unsigned done_before;
	bool fired;
};

static void on_deadline(struct sp_timer *t)
{
	struct order *o = SP_CONTAINER_OF(t, struct order, timer);

	o->fired = true;
	o->done_before = o->c->done;
}

static bool has_fired(void *arg)
{
	return ((struct order *)arg)->fired;
}

/* The exchange's own deadline is as long and starts right after: it must not come first, with nothing to tell. */
START_TEST(does_not_come_in_time)
{
	struct call c;
	struct order o = { .c = &c };

	conf->timeouts.open_ms = 20;
	run_turns(1);
	call_start(&c, back, "t", "");
	sp_timer_start(loop, &o.timer, 20, on_deadline);
	run_until(has_fired, &o);
	ck_assert_uint_eq(o.done_before, 1);
	call_expect(&c, SP_OUTCOME_NO_GATEWAY_CREDENTIAL);
	ck_assert_int_eq(c.cause.err, SP_ETIMEOUT);
	ck_assert_uint_eq(hand.cancelled, 1);
	call_end(&c);
}
END_TEST

START_TEST(those_who_wait_for_it_are_counted)
{
	struct call c[3];

	conf->tunnels.waiting = 2;
	for (unsigned i = 0; i < 3; i++)
		call_start(&c[i], back, "t", "");
	call_expect(&c[2], SP_OUTCOME_LIMIT);
	ck_assert_uint_eq(hand.asked, 2);
	for (unsigned i = 0; i < 3; i++)
		call_end(&c[i]);
	ck_assert_uint_eq(hand.cancelled, 2);
}
END_TEST

START_TEST(who_waits_for_it_hears_of_the_end)
{
	struct call c;

	call_start(&c, back, "t", "");
	if (_i == 0) {
		back->ops->drain(back);
		ck_assert_uint_eq(c.done, 0);
	} else {
		back_close(&back);
	}
	call_expect(&c, SP_OUTCOME_SHUTDOWN);
	ck_assert_uint_eq(hand.cancelled, 1);
	call_end(&c);
}
END_TEST

/* ---- the application's own ------------------------------------------------------------------------ */

START_TEST(an_applications_own_needs_none_of_ours)
{
	struct call c;

	call_start_forwarding(&c, back, "t", "Bearer theirs");
	await_asked(1);
	ck_assert_str_eq(asked[0].credential, "Bearer theirs");
	ck_assert_str_eq(asked[0].tenant, "");
	answer(&asked[0], 407, "gw; error=http_request_denied; details=\"expired_credential\"");
	call_expect(&c, SP_OUTCOME_EXPIRED_CREDENTIAL);
	ck_assert_uint_eq(hand.asked, 0);
	ck_assert_uint_eq(hand.refusals, 0);
	ck_assert_uint_eq(asked_count, 1);
	ck_assert_ptr_null(strstr(log_text, "refuses our credential"));
	call_end(&c);
}
END_TEST

/* ---- refused ---------------------------------------------------------------------------------------- */

static void start_and_refuse(struct call *c, unsigned status)
{
	call_start(c, back, "t", "");
	hand_out("Bearer old");
	await_asked(1);
	answer(&asked[0], status, "gw; error=http_request_denied; details=\"expired_credential\"");
}

static bool is_asked_again(void *arg)
{
	(void)arg;
	return hand.asked == 2;
}

START_TEST(a_refused_one_is_renewed)
{
	struct call c;

	start_and_refuse(&c, _i == 0 ? 407 : 401);
	run_until(is_asked_again, NULL);
	ck_assert_str_eq(hand.refused, "t Bearer old");
	ck_assert_uint_eq(c.done, 0);
	hand_out("Bearer new");
	await_asked(2);
	ck_assert_str_eq(asked[1].credential, "Bearer new");
	ck_assert_str_eq(asked[1].exchange, c.x.id);
	answer(&asked[1], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	ck_assert_str_eq(c.x.proxy_status, ""); /* of the first try */
	call_check(&c, &asked[1]);
	ck_assert_ptr_null(strstr(log_text, "refuses our credential"));
	call_end(&c);
}
END_TEST

START_TEST(renewed_at_most_once)
{
	struct call c;

	start_and_refuse(&c, 407);
	run_until(is_asked_again, NULL);
	hand_out("Bearer new");
	await_asked(2);
	answer(&asked[1], 407, "gw; error=http_request_denied; details=\"bad_credential\"");
	call_expect(&c, SP_OUTCOME_GATEWAY_AUTH);
	ck_assert_str_eq(c.cause.text, "answered 407 Proxy Authentication Required");
	ck_assert_str_eq(c.x.proxy_status, "gw; error=http_request_denied; details=\"bad_credential\"");
	ck_assert_uint_eq(hand.asked, 2);
	ck_assert_ptr_nonnull(strstr(log_text, "refuses our credential"));
	call_end(&c);
}
END_TEST

START_TEST(the_same_one_again_is_not_shown_again)
{
	struct call c;

	start_and_refuse(&c, 407);
	run_until(is_asked_again, NULL);
	hand_out("Bearer old");
	call_expect(&c, SP_OUTCOME_GATEWAY_AUTH);
	ck_assert_str_eq(c.cause.text, "answered 407 Proxy Authentication Required");
	ck_assert_str_eq(c.x.proxy_status, "gw; error=http_request_denied; details=\"expired_credential\"");
	ck_assert_uint_eq(asked_count, 1);
	ck_assert_ptr_nonnull(strstr(log_text, "refuses our credential"));
	call_end(&c);
}
END_TEST

START_TEST(refused_and_no_other_can_be_had)
{
	struct call c;

	start_and_refuse(&c, 407);
	run_until(is_asked_again, NULL);
	hand_out(NULL);
	call_expect(&c, SP_OUTCOME_NO_GATEWAY_CREDENTIAL);
	ck_assert_str_eq(c.cause.text, "the token server is down");
	call_end(&c);
}
END_TEST

/* Another credential would not help whom the gateway knows and does not want. */
START_TEST(forbidden_is_no_reason_to_renew)
{
	struct call c;

	call_start(&c, back, "t", "");
	hand_out("Bearer old");
	await_asked(1);
	answer(&asked[0], 403, "gw; error=http_request_denied; details=\"forbidden\"");
	call_expect(&c, SP_OUTCOME_GATEWAY_AUTH);
	ck_assert_uint_eq(hand.asked, 1);
	ck_assert_uint_eq(hand.refusals, 0);
	call_end(&c);
}
END_TEST

/* A hop farther away was refused: not ours to renew, nor to complain of. */
START_TEST(somebody_elses_refusal_is_no_reason_to_renew)
{
	struct call c;

	call_start(&c, back, "t", "");
	hand_out("Bearer old");
	await_asked(1);
	answer(&asked[0], 502, "gw; error=proxy_configuration_error; details=\"gateway_denied_us\"");
	call_expect(&c, SP_OUTCOME_GATEWAY_AUTH);
	ck_assert_uint_eq(hand.refusals, 0);
	ck_assert_ptr_null(strstr(log_text, "refuses our credential"));
	call_end(&c);
}
END_TEST

START_TEST(a_renewal_may_be_cancelled)
{
	struct call c;

	start_and_refuse(&c, 407);
	run_until(is_asked_again, NULL);
	call_end(&c);
	ck_assert_uint_eq(c.done, 0);
	ck_assert_uint_eq(hand.cancelled, 1);
	ck_assert(sp_list_empty(&hand.askers));
}
END_TEST

/* Refused as a stream first, then for its credential: each second chance once. */
START_TEST(both_second_chances)
{
	struct call c;

	call_start(&c, back, "t", "");
	hand_out("Bearer old");
	await_asked(1);
	refuse_stream(&asked[0]);
	await_asked(2);
	ck_assert_str_eq(asked[1].credential, "Bearer old");
	ck_assert_uint_eq(hand.asked, 1);
	answer(&asked[1], 407, NULL);
	run_until(is_asked_again, NULL);
	hand_out("Bearer new");
	await_asked(3);
	refuse_stream(&asked[2]);
	call_expect(&c, SP_OUTCOME_TUNNEL_LOST);
	ck_assert_uint_eq(asked_count, 3);
	call_end(&c);
}
END_TEST

/* ---- a token in a file -------------------------------------------------------------------------------- */

static struct sp_credential *credential;

static struct got {
	unsigned calls;
	char value[64];
	struct sp_cause cause;
} got;

static void on_got(void *arg, struct sp_slice value, const struct sp_cause *cause)
{
	ck_assert_ptr_eq(arg, &got);
	got.calls++;
	got.value[0] = '\0';
	got.cause = cause ? *cause : (struct sp_cause){ 0 };
	ck_assert((value.p == NULL) == (cause != NULL));
	if (value.p)
		ck_assert_int_eq(sp_slice_copy(value, got.value, sizeof(got.value)), 0);
}

static const char *get(const char *tenant)
{
	unsigned before = got.calls;

	ck_assert_ptr_nonnull(sp_credential_get(credential, somebody(tenant), on_got, &got));
	ck_assert_uint_eq(got.calls, before);
	await_count(&got.calls, before + 1);
	return got.value;
}

/* In one step, as whoever renews a token must. */
static void write_file(const char *name, const char *suffix, const char *text, mode_t mode)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s", certs_path(name, "new"));
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
	ck_assert_int_eq(rename(path, certs_path(name, suffix)), 0);
}

static void write_token(const char *text)
{
	write_file("token", "txt", text, 0600);
}

static void file_setup(void)
{
	gate_setup();
	memset(&got, 0, sizeof(got));
	write_token("one\n");
	credential = sp_credential_of_file(loop, certs_path("token", "txt"));
}

static void source_teardown(void)
{
	sp_credential_free(&credential);
	gate_teardown();
}

START_TEST(file_is_read_again_in_time)
{
	ck_assert_str_eq(get("t"), "Bearer one");
	write_token("two");
	ck_assert_str_eq(get("u"), "Bearer one"); /* not for every exchange */
	skew_ms += SP_TOKEN_REREAD_MS;
	ck_assert_str_eq(get("u"), "Bearer two");
}
END_TEST

START_TEST(file_is_read_again_at_once_when_refused)
{
	ck_assert_str_eq(get("t"), "Bearer one");
	write_token("two");
	sp_credential_refused(credential, somebody("t"), SP_SLICE("Bearer zero")); /* that was long ago */
	ck_assert_str_eq(get("t"), "Bearer one");
	sp_credential_refused(credential, somebody("t"), SP_SLICE("Bearer one"));
	ck_assert_str_eq(get("t"), "Bearer two");
	write_token("three");
	sp_credential_refused(credential, somebody("t"), SP_SLICE("Bearer two")); /* refused ever so often: not read every time */
	ck_assert_str_eq(get("t"), "Bearer two");
}
END_TEST

static unsigned lines_with(const char *text)
{
	unsigned n = 0;

	for (const char *p = log_text; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

START_TEST(file_that_is_unusable)
{
	static const struct { const char *text; mode_t mode; int err; } cases[] = {
		{ "stolen", 0644, SP_EDENIED }, { "", 0600, SP_EINVAL }, { "one two", 0600, SP_EINVAL },
		{ "one\ntwo", 0600, SP_EINVAL }, { "\xc3\xa4", 0600, SP_EINVAL },
	};

	if (_i % 2) /* there was a good one before */
		ck_assert_str_eq(get("t"), "Bearer one");
	write_file("token", "txt", cases[_i / 2].text, cases[_i / 2].mode);
	for (unsigned i = 0; i < 3; i++) {
		skew_ms += SP_TOKEN_REREAD_MS;
		ck_assert_str_eq(get("t"), _i % 2 ? "Bearer one" : "");
		ck_assert_int_eq(got.cause.err, _i % 2 ? 0 : cases[_i / 2].err);
	}
	ck_assert_uint_eq(lines_with("the token file cannot be used"), 1);
	ck_assert_ptr_null(strstr(log_text, "one two"));
	write_token("two");
	skew_ms += SP_TOKEN_REREAD_MS;
	ck_assert_str_eq(get("t"), "Bearer two");
}
END_TEST

START_TEST(file_asker_may_leave)
{
	struct sp_credential_wait *w = sp_credential_get(credential, somebody("t"), on_got, &got);

	sp_credential_cancel(&w);
	ck_assert_ptr_null(w);
	sp_credential_cancel(&w);
	run_turns(5);
	ck_assert_uint_eq(got.calls, 0);
}
END_TEST

/* ---- tokens by a service key ------------------------------------------------------------------------------ */

static struct web *web;
static unsigned tokens_given;

/* The path names the tenant. */
static char *give_token(void *arg, const struct web_request *r)
{
	char body[128];
	int n = snprintf(body, sizeof(body), "{\"access_token\":\"%s-%u\",\"token_type\":\"bearer\",\"expires_in\":3600}", r->path + 1,
			 __atomic_add_fetch((unsigned *)arg, 1, __ATOMIC_SEQ_CST));

	return web_reply("200 OK", "Content-Type: application/json\r\n", body, (size_t)n);
}

static void key_setup(void)
{
	struct sp_cause cause = { 0 };
	char text[300];

	gate_setup();
	memset(&got, 0, sizeof(got));
	tokens_given = 0;
	web = web_start("server", NULL, give_token, &tokens_given);
	snprintf(text, sizeof(text), "{\"clientid\":\"us\",\"clientsecret\":\"hush\",\"token_url\":\"%s\"}", web_url(web, "/{tenant}"));
	write_file("key", "json", text, 0600);
	ck_assert_msg(sp_credential_of_key(loop, certs_path("key", "json"), CERT("ca"), &credential, &cause) == 0, "%s", cause.text);
}

static void key_teardown(void)
{
	source_teardown();
	if (web)
		web_stop(&web);
}

START_TEST(key_gives_each_tenant_its_token)
{
	ck_assert_str_eq(get("t"), "Bearer t-1");
	ck_assert_str_eq(get("u"), "Bearer u-2");
	ck_assert_str_eq(get("t"), "Bearer t-1");
	sp_credential_refused(credential, somebody("t"), SP_SLICE("Bearer t-1"));
	ck_assert_str_eq(get("t"), "Bearer t-3");
	ck_assert_str_eq(get("u"), "Bearer u-2");
}
END_TEST

/* {subdomain} is the caller's. */
START_TEST(key_for_a_subdomain)
{
	char text[300];
	struct sp_cause cause = { 0 };

	snprintf(text, sizeof(text), "{\"clientid\":\"us\",\"clientsecret\":\"hush\",\"token_url\":\"%s\"}", web_url(web, "/{subdomain}"));
	write_file("key2", "json", text, 0600);
	sp_credential_free(&credential);
	ck_assert_int_eq(sp_credential_of_key(loop, certs_path("key2", "json"), CERT("ca"), &credential, &cause), 0);
	ck_assert_str_eq(get("t"), "Bearer s-t-1");
	ck_assert_str_eq(get("u"), "Bearer s-u-2");
	sp_credential_refused(credential, somebody("t"), SP_SLICE("Bearer s-t-1"));
	ck_assert_str_eq(get("t"), "Bearer s-t-3");
}
END_TEST

START_TEST(key_whose_server_is_down)
{
	web_stop(&web);
	ck_assert_str_eq(get("t"), "");
	ck_assert_int_ne(got.cause.err, 0);
	ck_assert_ptr_nonnull(strstr(got.cause.text, "token server"));
}
END_TEST

START_TEST(key_asker_may_leave)
{
	struct sp_credential_wait *w = sp_credential_get(credential, somebody("t"), on_got, &got);

	if (_i == 1)
		run_turns(1); /* the server cannot have answered */
	sp_credential_cancel(&w);
	ck_assert_str_eq(get("t"), "Bearer t-1");
	ck_assert_uint_eq(got.calls, 1);
}
END_TEST

/* All of it: the pool, the cache, the server. */
START_TEST(key_towards_a_gateway)
{
	struct sp_back *b;
	struct call c;

	gate_open(&gate[0]);
	b = back_towards(&gate[0], credential);
	credential = NULL;
	call_start(&c, b, "t", "");
	await_asked(1);
	ck_assert_str_eq(asked[0].credential, "Bearer t-1");
	answer(&asked[0], 407, NULL);
	await_asked(2);
	ck_assert_str_eq(asked[1].credential, "Bearer t-2");
	answer(&asked[1], 200, NULL);
	call_expect(&c, SP_OUTCOME_OK);
	call_check(&c, &asked[1]);
	call_end(&c);
	back_close(&b);
}
END_TEST

START_TEST(key_that_is_unusable)
{
	struct sp_credential *c = NULL;
	struct sp_cause cause = { 0 };

	write_file("key", "json", "{}", 0600);
	ck_assert_int_lt(sp_credential_of_key(loop, certs_path("key", "json"), NULL, &c, &cause), 0);
	ck_assert_ptr_null(c);
	ck_assert_ptr_nonnull(strstr(cause.text, "key.json"));
}
END_TEST

/* ---- which one a gateway's configuration means ---------------------------------------------------------------- */

START_TEST(by_configuration)
{
	static const char *const shown[] = { "", "Bearer file", "Bearer t-1" };
	struct sp_conf_upstream *u = &conf->upstream;
	struct sp_cause cause = { 0 };
	struct sp_back *b = NULL;
	struct call c;

	gate_open(&gate[0]);
	write_token("file");
	u->ca_file = sp_strdup(CERT("ca"));
	snprintf(u->url.host, sizeof(u->url.host), "127.0.0.1");
	u->url.port = (uint16_t)sp_addr_port(&gate[0].at);
	if (_i == 1)
		u->token_file = sp_strdup(certs_path("token", "txt"));
	if (_i == 2) {
		u->service_key_file = sp_strdup(certs_path("key", "json"));
		u->service_key_ca_file = sp_strdup(CERT("ca"));
	}
	ck_assert_msg(sp_back_gateway_new(loop, conf, u, &b, &cause) == 0, "%s", cause.text);
	call_open(&c, b, "t", "");
	ck_assert_str_eq(asked[0].credential, shown[_i]);
	call_end(&c);
	back_close(&b);
}
END_TEST

START_TEST(by_configuration_that_is_wrong)
{
	struct sp_conf_upstream *u = &conf->upstream;
	struct sp_cause cause = { 0 };
	struct sp_back *b = NULL;

	if (_i == 0)
		u->ca_file = sp_strdup("/nowhere/ca.pem");
	else
		u->service_key_file = sp_strdup("/nowhere/key.json");
	ck_assert_int_lt(sp_back_gateway_new(loop, conf, u, &b, &cause), 0);
	ck_assert_ptr_null(b);
	ck_assert_ptr_nonnull(strstr(cause.text, "/nowhere/"));
}
END_TEST

Suite *sp_suite_credential(void)
{
	Suite *s = suite_create("back/credential");
	TCase *pools = tcase_create("pools"), *file = tcase_create("file"), *key = tcase_create("key");

	tcase_add_unchecked_fixture(pools, gate_certs, certs_teardown);
	tcase_add_checked_fixture(pools, setup, teardown);
	tcase_set_timeout(pools, 60);
	tcase_add_test(pools, is_awaited_before_anything_is_asked);
	tcase_add_test(pools, each_stream_carries_the_one_of_its_time);
	tcase_add_test(pools, none_can_be_had);
	tcase_add_test(pools, does_not_come_in_time);
	tcase_add_test(pools, those_who_wait_for_it_are_counted);
	tcase_add_loop_test(pools, who_waits_for_it_hears_of_the_end, 0, 2);
	tcase_add_test(pools, an_applications_own_needs_none_of_ours);
	tcase_add_loop_test(pools, a_refused_one_is_renewed, 0, 2);
	tcase_add_test(pools, renewed_at_most_once);
	tcase_add_test(pools, the_same_one_again_is_not_shown_again);
	tcase_add_test(pools, refused_and_no_other_can_be_had);
	tcase_add_test(pools, forbidden_is_no_reason_to_renew);
	tcase_add_test(pools, somebody_elses_refusal_is_no_reason_to_renew);
	tcase_add_test(pools, a_renewal_may_be_cancelled);
	tcase_add_test(pools, both_second_chances);
	suite_add_tcase(s, pools);

	tcase_add_unchecked_fixture(file, gate_certs, certs_teardown);
	tcase_add_checked_fixture(file, file_setup, source_teardown);
	tcase_set_timeout(file, 60);
	tcase_add_test(file, file_is_read_again_in_time);
	tcase_add_test(file, file_is_read_again_at_once_when_refused);
	tcase_add_loop_test(file, file_that_is_unusable, 0, 10);
	tcase_add_test(file, file_asker_may_leave);
	suite_add_tcase(s, file);

	tcase_add_unchecked_fixture(key, gate_certs, certs_teardown);
	tcase_add_checked_fixture(key, key_setup, key_teardown);
	tcase_set_timeout(key, 60);
	tcase_add_test(key, key_gives_each_tenant_its_token);
	tcase_add_test(key, key_for_a_subdomain);
	tcase_add_test(key, key_whose_server_is_down);
	tcase_add_loop_test(key, key_asker_may_leave, 0, 2);
	tcase_add_test(key, key_towards_a_gateway);
	tcase_add_test(key, key_that_is_unusable);
	tcase_add_loop_test(key, by_configuration, 0, 3);
	tcase_add_loop_test(key, by_configuration_that_is_wrong, 0, 2);
	suite_add_tcase(s, key);
	return s;
}
