#include "suites.h"

#include <errno.h>

#include "codec/outcome.h"

START_TEST(rows)
{
	const struct sp_outcome_row *row = sp_outcome_row(SP_OUTCOME_NO_CONNECTOR);

	ck_assert_str_eq(row->word, "no_connector");
	ck_assert_uint_eq(row->socks_reply, 3);
	ck_assert_uint_eq(row->sub_status, 1);
	ck_assert_uint_eq(row->http_status, 503);
	ck_assert_str_eq(row->proxy_error, "destination_unavailable");
	ck_assert_ptr_eq(sp_outcome_row(SP_OUTCOME_COUNT), sp_outcome_row(SP_OUTCOME_UNKNOWN));
	ck_assert_ptr_eq(sp_outcome_row((enum sp_outcome)-1), sp_outcome_row(SP_OUTCOME_UNKNOWN));
}
END_TEST

/* Only OK looks like success anywhere, every HTTP status has its phrase, no word is there twice. */
START_TEST(rows_are_consistent)
{
	unsigned o, p;

	for (o = 0; o < SP_OUTCOME_COUNT; o++) {
		const struct sp_outcome_row *row = sp_outcome_row((enum sp_outcome)o);
		bool ok = o == SP_OUTCOME_OK;

		ck_assert_msg((row->socks_reply == 0) == ok, "%s", row->word);
		ck_assert_msg((row->sub_status == 0) == ok, "%s", row->word);
		ck_assert_msg((row->http_status < 400) == ok, "%s", row->word);
		ck_assert_msg((row->proxy_error == NULL) == (ok || o == SP_OUTCOME_CLIENT_GONE), "%s", row->word);
		if (o != SP_OUTCOME_CLIENT_GONE)
			ck_assert_str_ne(sp_http_reason(row->http_status), "Unknown");
		for (p = 0; p < o; p++)
			ck_assert_str_ne(row->word, sp_outcome_row((enum sp_outcome)p)->word);
	}
	ck_assert_str_eq(sp_http_reason(407), "Proxy Authentication Required");
	ck_assert_str_eq(sp_http_reason(0), "Unknown");
}
END_TEST

START_TEST(of_causes)
{
	static const struct {
		struct sp_cause cause;
		enum sp_outcome outcome;
	} t[] = {
		{ { .err = 0 }, SP_OUTCOME_UNKNOWN },
		{ { .err = SP_EINVAL }, SP_OUTCOME_UNKNOWN },
		{ { .err = SP_ENOMEM }, SP_OUTCOME_LIMIT },
		{ { .err = SP_EPROTO }, SP_OUTCOME_PROTOCOL },
		{ { .err = SP_ETOOBIG }, SP_OUTCOME_PROTOCOL },
		{ { .err = SP_ETIMEOUT }, SP_OUTCOME_TIMEOUT },
		{ { .err = SP_ECLOSED }, SP_OUTCOME_TUNNEL_LOST },
		{ { .err = SP_EREFUSED }, SP_OUTCOME_REFUSED },
		{ { .err = SP_EUNREACH }, SP_OUTCOME_UNREACHABLE },
		{ { .err = SP_EDNS }, SP_OUTCOME_DNS },
		{ { .err = SP_ETLS }, SP_OUTCOME_TLS },
		{ { .err = SP_ECERT }, SP_OUTCOME_TLS_CERTIFICATE },
		{ { .err = SP_ERESET }, SP_OUTCOME_TUNNEL_LOST },
		{ { .err = SP_ECANCELED }, SP_OUTCOME_CLIENT_GONE },
		{ { .err = SP_ELIMIT }, SP_OUTCOME_LIMIT },
		{ { .err = SP_ESYS, .domain = SP_DOMAIN_OS, .raw = EMFILE }, SP_OUTCOME_LIMIT },
		{ { .err = SP_ESYS, .domain = SP_DOMAIN_OS, .raw = EBADF }, SP_OUTCOME_UNKNOWN },
		{ { .err = SP_EDENIED, .domain = SP_DOMAIN_SELF }, SP_OUTCOME_NOT_EXPOSED },
		{ { .err = SP_EDENIED, .domain = SP_DOMAIN_AUTH }, SP_OUTCOME_FORBIDDEN },
		{ { .err = SP_EUNSUPPORTED }, SP_OUTCOME_NOT_IMPLEMENTED },
		{ { .err = SP_ERETRY }, SP_OUTCOME_TUNNEL_LOST },
		{ { .err = -99 }, SP_OUTCOME_UNKNOWN },
		{ { .err = 1 }, SP_OUTCOME_UNKNOWN },
	};
	size_t i;

	ck_assert_int_eq(sp_outcome_of_cause(NULL), SP_OUTCOME_UNKNOWN);
	for (i = 0; i < SP_COUNT_OF(t); i++)
		ck_assert_msg(sp_outcome_of_cause(&t[i].cause) == t[i].outcome, "row %zu", i);
}
END_TEST

/* What one hop writes, the next one understands: the same outcome, or the one that it means one hop further. */
START_TEST(answers_of_our_own)
{
	unsigned o;

	for (o = 0; o < SP_OUTCOME_COUNT; o++) {
		const struct sp_outcome_row *row = sp_outcome_row((enum sp_outcome)o);
		enum sp_outcome got, want = (enum sp_outcome)o;
		char text[128];

		ck_assert_int_eq(sp_proxy_status_write("gw1", want, text, sizeof(text)), 0);
		got = sp_outcome_of_answer(row->http_status, sp_slice_str(text));
		if (row->http_status == 407)
			want = SP_OUTCOME_GATEWAY_AUTH;
		if (want == SP_OUTCOME_CLIENT_GONE)
			want = SP_OUTCOME_UNKNOWN; /* says nothing */
		if (want == SP_OUTCOME_UNKNOWN && row->http_status == 502)
			want = SP_OUTCOME_UNREACHABLE; /* by its status */
		ck_assert_msg(got == want, "%s became %s", row->word, sp_outcome_row(got)->word);
	}
}
END_TEST

START_TEST(answers_of_others)
{
	static const struct {
		unsigned status;
		const char *proxy_status;
		enum sp_outcome outcome;
	} t[] = {
		{ 200, NULL, SP_OUTCOME_OK },
		{ 204, "x; error=connection_refused", SP_OUTCOME_OK },
		{ 407, "x; error=connection_refused", SP_OUTCOME_GATEWAY_AUTH },
		{ 401, NULL, SP_OUTCOME_GATEWAY_AUTH },
		{ 403, "x; error=http_request_denied; details=\"expired_credential\"", SP_OUTCOME_GATEWAY_AUTH },
		{ 502, "x; error=http_request_error; details=\"not_exposed\"", SP_OUTCOME_NOT_EXPOSED },
		{ 502, "x; error=connection_refused; details=\"ok\"", SP_OUTCOME_REFUSED },
		{ 502, "x; error=connection_refused; details=\"unknown\"", SP_OUTCOME_REFUSED },
		{ 502, "x; error=dns_timeout", SP_OUTCOME_DNS },
		{ 502, "x; details=\"client_gone\"", SP_OUTCOME_TUNNEL_LOST },
		{ 503, "x; error=destination_ip_prohibited", SP_OUTCOME_NOT_EXPOSED },
		{ 504, "x; error=something_new", SP_OUTCOME_TIMEOUT },
		{ 504, "not a list member;;", SP_OUTCOME_TIMEOUT },
		{ 504, "", SP_OUTCOME_TIMEOUT },
		{ 502, "near; error=dns_error, far; error=connection_refused", SP_OUTCOME_DNS },
		{ 400, NULL, SP_OUTCOME_BAD_REQUEST },
		{ 403, NULL, SP_OUTCOME_FORBIDDEN },
		{ 404, NULL, SP_OUTCOME_UNREACHABLE },
		{ 405, NULL, SP_OUTCOME_COMMAND },
		{ 408, NULL, SP_OUTCOME_TIMEOUT },
		{ 414, NULL, SP_OUTCOME_URI_TOO_LONG },
		{ 429, NULL, SP_OUTCOME_LIMIT },
		{ 431, NULL, SP_OUTCOME_HEAD_TOO_LARGE },
		{ 501, NULL, SP_OUTCOME_NOT_IMPLEMENTED },
		{ 502, NULL, SP_OUTCOME_UNREACHABLE },
		{ 503, NULL, SP_OUTCOME_NO_CONNECTOR },
		{ 500, NULL, SP_OUTCOME_UNKNOWN },
		{ 101, NULL, SP_OUTCOME_UNKNOWN },
		{ 302, NULL, SP_OUTCOME_UNKNOWN },
		{ 0, NULL, SP_OUTCOME_UNKNOWN },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		enum sp_outcome got = sp_outcome_of_answer(t[i].status, sp_slice_str(t[i].proxy_status));

		ck_assert_msg(got == t[i].outcome, "%u %s became %s", t[i].status, t[i].proxy_status,
			      sp_outcome_row(got)->word);
	}
}
END_TEST

START_TEST(verdicts_of_gateways)
{
	static const struct {
		unsigned status;
		const char *proxy_status;
		enum sp_outcome ours, forwarded;
	} t[] = {
		{ 200, NULL, SP_OUTCOME_OK, SP_OUTCOME_OK },
		{ 407, "gw; error=http_request_denied; details=\"expired_credential\"", SP_OUTCOME_GATEWAY_AUTH,
		  SP_OUTCOME_EXPIRED_CREDENTIAL },
		{ 407, "gw; error=http_request_denied; details=\"no_credential\"", SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_NO_CREDENTIAL },
		{ 407, "gw; error=http_request_denied; details=\"refused\"", SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_BAD_CREDENTIAL },
		{ 407, NULL, SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_BAD_CREDENTIAL },
		{ 401, NULL, SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_BAD_CREDENTIAL },
		{ 403, "gw; error=http_request_denied; details=\"forbidden\"", SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_FORBIDDEN },
		{ 403, "gw; error=http_request_denied; details=\"tenant_unknown\"", SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_TENANT_UNKNOWN },
		{ 403, "gw; error=http_request_denied; details=\"tenant_conflict\"", SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_TENANT_CONFLICT },
		{ 403, NULL, SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_FORBIDDEN },
		{ 403, "c; error=http_request_denied; details=\"not_exposed\", gw; error=http_request_denied; details=\"not_exposed\"",
		  SP_OUTCOME_NOT_EXPOSED, SP_OUTCOME_NOT_EXPOSED },
		{ 502, "gw; error=proxy_configuration_error; details=\"gateway_denied_us\"", SP_OUTCOME_GATEWAY_AUTH, SP_OUTCOME_GATEWAY_AUTH },
		{ 502, "c; error=connection_refused; details=\"refused\"", SP_OUTCOME_REFUSED, SP_OUTCOME_REFUSED },
		{ 503, NULL, SP_OUTCOME_NO_CONNECTOR, SP_OUTCOME_NO_CONNECTOR },
	};

	for (size_t i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice v = sp_slice_str(t[i].proxy_status);
		enum sp_outcome ours = sp_outcome_of_gateway(t[i].status, v, false), theirs = sp_outcome_of_gateway(t[i].status, v, true);

		ck_assert_msg(ours == t[i].ours, "%u %s became %s", t[i].status, t[i].proxy_status, sp_outcome_row(ours)->word);
		ck_assert_msg(theirs == t[i].forwarded, "%u %s, forwarded, became %s", t[i].status, t[i].proxy_status,
			      sp_outcome_row(theirs)->word);
	}
}
END_TEST

START_TEST(write_status)
{
	char dst[64] = "x";

	ck_assert_int_eq(sp_proxy_status_write("gw", SP_OUTCOME_DNS, dst, sizeof(dst)), 0);
	ck_assert_str_eq(dst, "gw; error=dns_error; details=\"dns_error\"");
	ck_assert_int_eq(sp_proxy_status_write("gw", SP_OUTCOME_DNS, dst, strlen(dst)), SP_ETOOBIG);
	ck_assert_str_eq(dst, "");
	ck_assert_int_eq(sp_proxy_status_write("gw", SP_OUTCOME_OK, dst, sizeof(dst)), 0);
	ck_assert_str_eq(dst, "");
	ck_assert_int_eq(sp_proxy_status_write("gw", SP_OUTCOME_OK, dst, 0), SP_ETOOBIG);
}
END_TEST

START_TEST(read_status)
{
	static const struct {
		const char *value, *error, *details;
	} t[] = {
		{ "a", NULL, NULL },
		{ "a; error=dns_error; details=\"x y\"", "dns_error", "x y" },
		{ " \"quoted, name\" ; error=x", NULL, "!" }, /* RFC 8941: no space before ";" */
		{ "\"quoted, \\\" name\";error=x", "x", NULL },
		{ "a;  error=x,b; error=y", "x", NULL },
		{ "a;error=x , b", "x", NULL },
		{ "a;error=x;error=y", "y", NULL },
		{ "a;error=\"x\";details=y", NULL, NULL },
		{ "a;error;details", NULL, NULL },
		{ "a;received-status=502;next-hop=\"h:1\";rcode=?1;b=:aGk=:;n=-1.5;error=x", "x", NULL },
		{ "a;details=\"q\\\"\\\\\"", NULL, "q\\\"\\\\" },
		{ "a;details=\"\"", NULL, "" },
		{ "*a/b:c;error=x", "x", NULL },
		{ "", NULL, "!" },
		{ ",", NULL, "!" },
		{ "1;error=x", NULL, "!" },
		{ "a;", NULL, "!" },
		{ "a;;", NULL, "!" },
		{ "a;Error=x", NULL, "!" },
		{ "a;1=x", NULL, "!" },
		{ "a;_b=x", NULL, "!" },
		{ "a;*b-._=x;error=y", "y", NULL },
		{ "a;error=", NULL, "!" },
		{ "a;error=x y", NULL, "!" },
		{ "a;error= x", NULL, "!" },
		{ "a;error =x", NULL, "!" },
		{ "a;details=\"open", NULL, "!" },
		{ "a;details=\"\\", NULL, "!" },
		{ "a;details=\"\\n\"", NULL, "!" },
		{ "a;details=\"\x01\"", NULL, "!" },
		{ "a;details=\"\xc3\xa4\"", NULL, "!" },
		{ "a;b=:aGk=", NULL, "!" },
		{ "a;b=?2", NULL, "!" },
		{ "a;b=-", NULL, "!" },
		{ "a b", NULL, "!" },
		{ "(a);error=x", NULL, "!" },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_slice in = exact_copy(sp_slice_str(t[i].value)), error, details;
		bool bad = t[i].details && strcmp(t[i].details, "!") == 0;
		int err = sp_proxy_status_read(in, &error, &details);

		ck_assert_msg(err == (bad ? SP_EPROTO : 0), "%s: %d", t[i].value, err);
		if (!bad) {
			ck_assert_msg((error.p == NULL) == (t[i].error == NULL), "%s", t[i].value);
			ck_assert_msg((details.p == NULL) == (t[i].details == NULL), "%s", t[i].value);
			ck_assert(sp_slice_eq_str(error, t[i].error));
			ck_assert(sp_slice_eq_str(details, t[i].details));
		}
		free((void *)(uintptr_t)in.p);
	}
}
END_TEST

Suite *sp_suite_outcome(void)
{
	Suite *s = suite_create("codec/outcome");
	TCase *t = tcase_create("outcome");

	tcase_add_test(t, rows);
	tcase_add_test(t, rows_are_consistent);
	tcase_add_test(t, of_causes);
	tcase_add_test(t, answers_of_our_own);
	tcase_add_test(t, answers_of_others);
	tcase_add_test(t, verdicts_of_gateways);
	tcase_add_test(t, write_status);
	tcase_add_test(t, read_status);
	suite_add_tcase(s, t);
	return s;
}
