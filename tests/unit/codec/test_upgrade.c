#include "suites.h"

#include <stdio.h>

#include "base/error.h"
#include "codec/upgrade.h"

static const struct sp_upgrade full = { .location = "Werk \xc3\xa4",
					.connector_id = "7c9e6679-7425-40de",
					.instance = "f00d",
					.version = "sallyport-connector/0.1.0",
					.index = 3 };

/* makes the buffer grow in the middle of the request */
static const char long_token[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
				 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
				 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

static struct sp_http_request req;
static unsigned status, retry;
static struct sp_slice proxy_status;

static long parse_request(struct sp_slice in)
{
	return sp_http_request_parse(in, 8192, &req);
}

static long parse_answer(struct sp_slice in)
{
	return sp_upgrade_answer_parse(in, &status, &retry, &proxy_status);
}

START_TEST(request_round_trip)
{
	struct sp_buf b = { 0 };
	struct sp_upgrade u;
	const char *why = NULL;

	ck_assert_int_eq(sp_upgrade_request_write(&b, "gw.example:8042", &full, SP_SLICE("t.o.k")), 0);
	check_prefixes("upgrade", sp_buf_data(&b), (long)b.len, parse_request);
	ck_assert_int_eq(parse_request(sp_buf_data(&b)), (long)b.len);
	ck_assert(sp_slice_eq_str(sp_fields_get(&req.fields, "Authorization"), "Bearer t.o.k"));
	ck_assert_str_eq(req.authority.host, "gw.example");
	ck_assert_int_eq(sp_upgrade_request_read(&req, &u, &why), 0);
	ck_assert_str_eq(u.location, full.location);
	ck_assert_str_eq(u.connector_id, full.connector_id);
	ck_assert_str_eq(u.instance, full.instance);
	ck_assert_uint_eq(u.index, 3);
	ck_assert_str_eq(u.version, full.version);
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(request_without_options)
{
	struct sp_buf b = { 0 };
	struct sp_upgrade none = { .index = 9 }, u = full;
	const char *why = NULL;

	ck_assert_int_eq(sp_upgrade_request_write(&b, "[::1]:1", &none, SP_SLICE_NONE), 0);
	ck_assert_int_eq(parse_request(sp_buf_data(&b)), (long)b.len);
	ck_assert_uint_eq(sp_fields_count(&req.fields, "Authorization"), 0);
	ck_assert_int_eq(sp_upgrade_request_read(&req, &u, &why), 0);
	ck_assert_str_eq(u.location, "");
	ck_assert_str_eq(u.instance, "");
	ck_assert_str_eq(u.version, "");
	ck_assert_uint_eq(u.index, 0);
	sp_buf_deinit(&b);
}
END_TEST

/* What would break the head or its meaning is not written. */
START_TEST(request_refuses_to_write)
{
	static const struct {
		const char *host, *location, *id, *instance, *version, *bearer;
	} t[] = {
		{ "a b", "", "", "", "", "t" },	       { "", "", "", "", "", "t" },
		{ "a\r\nX: y", "", "", "", "", "t" },  { "a", "x\ny", "", "", "", "t" },
		{ "a", " x", "", "", "", "t" },	       { "a", "x\t", "", "", "", "t" },
		{ "a", "\xff", "", "", "", "t" },      { "a", "", "x y", "", "", "t" },
		{ "a", "", "", "x;y", "", "t" },       { "a", "", "", "x\r\n", "", "t" },
		{ "a", "", "", "", "x\r\n", "t" },     { "a", "", "", "", "", "" },
		{ "a", "", "", "", "", "t\r\nX: y" },  { "a", "", "", "", "", "t t" },
	};
	struct sp_buf b = { 0 };
	size_t i;

	ck_assert_int_eq(sp_buf_append_str(&b, "before"), 0);
	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_upgrade u = { 0 };

		strcpy(u.location, t[i].location);
		strcpy(u.connector_id, t[i].id);
		strcpy(u.instance, t[i].instance);
		strcpy(u.version, t[i].version);
		ck_assert_msg(sp_upgrade_request_write(&b, t[i].host, &u, sp_slice_str(t[i].bearer)) == SP_EINVAL,
			      "row %zu", i);
		ck_assert_str_eq(sp_buf_str(&b), "before");
	}
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(request_without_memory)
{
	struct sp_buf b = { 0 };
	int allocations = 0, err;

	for (;;) {
		ck_assert_int_eq(sp_buf_append_str(&b, "before"), 0);
		after_mallocs_fail(allocations++);
		err = sp_upgrade_request_write(&b, "gw", &full, sp_slice_str(long_token));
		after_mallocs_fail(-1);
		if (!err)
			break;
		ck_assert_int_eq(err, SP_ENOMEM);
		ck_assert_str_eq(sp_buf_str(&b), "before");
		sp_buf_deinit(&b);
	}
	ck_assert_int_gt(allocations, 2);
	sp_buf_deinit(&b);
}
END_TEST

#define LINE "GET /.well-known/sallyport/tunnel HTTP/1.1\r\nHost: a\r\n"
#define TURN "Connection: keep-alive, upgrade\r\nUpgrade: PTTH\r\nALPN: h2\r\n"

static const struct {
	const char *head, *why; /* why NULL: accepted */
} reads[] = {
	{ LINE TURN "\r\n", NULL },
	{ LINE TURN "Sallyport-Location: x\r\nSallyport-Instance: b;index=65535\r\n\r\n", NULL },
	{ LINE TURN "User-Agent: a/1 (b)\r\n\r\n", NULL },
	{ "POST /.well-known/sallyport/tunnel HTTP/1.1\r\nHost: a\r\n" TURN "\r\n", "not GET" },
	{ "GET /.well-known/sallyport/tunnel/ HTTP/1.1\r\nHost: a\r\n" TURN "\r\n", "not GET" },
	{ "GET /.well-known/sallyport/tunnel?x HTTP/1.1\r\nHost: a\r\n" TURN "\r\n", "not GET" },
	{ "GET http://a/.well-known/sallyport/tunnel HTTP/1.1\r\nHost: a\r\n" TURN "\r\n", "not GET" },
	{ "GET /.well-known/sallyport/tunnel HTTP/1.0\r\nHost: a\r\n" TURN "\r\n", "HTTP/1.1" },
	{ LINE TURN "Content-Length: 1\r\n\r\n", "no body" },
	{ LINE TURN "Transfer-Encoding: chunked\r\n\r\n", "no body" },
	{ LINE "\r\n", "needs Connection" },
	{ LINE "Connection: upgrade\r\nALPN: h2\r\n\r\n", "needs Connection" },
	{ LINE "Connection: upgrade\r\nUpgrade: websocket\r\nALPN: h2\r\n\r\n", "needs Connection" },
	{ LINE "Upgrade: ptth\r\nALPN: h2\r\n\r\n", "needs Connection" },
	{ LINE "Connection: upgrade\r\nUpgrade: ptth\r\n\r\n", "needs Connection" },
	{ LINE "Connection: upgrade\r\nUpgrade: ptth\r\nALPN: http%2F1.1\r\n\r\n", "needs Connection" },
	{ LINE TURN "Sallyport-Location: x\r\nSallyport-Location: y\r\n\r\n", "bad sallyport-location" },
	{ LINE TURN "Sallyport-Location: \xc3\r\n\r\n", "bad sallyport-location" },
	{ LINE TURN "Sallyport-Connector-Id: a b\r\n\r\n", "bad sallyport-connector-id" },
	{ LINE TURN "Sallyport-Connector-Id: "
		    "0123456789012345678901234567890123456789012345678901234567890123\r\n\r\n",
	  "bad sallyport-connector-id" },
	{ LINE TURN "Sallyport-Instance: b\r\n\r\n", "bad sallyport-instance" },
	{ LINE TURN "Sallyport-Instance:\r\n\r\n", "bad sallyport-instance" },
	{ LINE TURN "Sallyport-Instance: ;index=1\r\n\r\n", "bad sallyport-instance" },
	{ LINE TURN "Sallyport-Instance: b;index=\r\n\r\n", "bad sallyport-instance" },
	{ LINE TURN "Sallyport-Instance: b;index=65536\r\n\r\n", "bad sallyport-instance" },
	{ LINE TURN "Sallyport-Instance: b;inde\r\n\r\n", "bad sallyport-instance" },
	{ LINE TURN "Sallyport-Instance: b;index=1\r\nSallyport-Instance: b;index=1\r\n\r\n", "bad sallyport-instance" },
};

START_TEST(request_read)
{
	struct sp_upgrade u = { .location = "kept" };
	const char *why = NULL;
	int err;

	ck_assert_int_eq(parse_request(sp_slice_str(reads[_i].head)), (long)strlen(reads[_i].head));
	err = sp_upgrade_request_read(&req, &u, &why);
	if (!reads[_i].why) {
		ck_assert_int_eq(err, 0);
		return;
	}
	ck_assert_int_eq(err, SP_EPROTO);
	ck_assert_ptr_nonnull(strstr(why, reads[_i].why));
	ck_assert_str_eq(u.location, "kept");
}
END_TEST

START_TEST(request_read_values)
{
	static const char head[] = LINE TURN "Sallyport-Instance: b;index=65535\r\nUser-Agent: a/1 (b)\r\n\r\n";
	static char long_agent[1024];
	struct sp_upgrade u;
	const char *why;

	ck_assert_int_gt(parse_request(sp_slice_str(head)), 0);
	ck_assert_int_eq(sp_upgrade_request_read(&req, &u, &why), 0);
	ck_assert_str_eq(u.instance, "b");
	ck_assert_uint_eq(u.index, 65535);
	ck_assert_str_eq(u.version, "a/1");
	snprintf(long_agent, sizeof(long_agent), LINE TURN "User-Agent: %0100d\r\n\r\n", 1);
	ck_assert_int_gt(parse_request(sp_slice_str(long_agent)), 0);
	ck_assert_int_eq(sp_upgrade_request_read(&req, &u, &why), 0);
	ck_assert_str_eq(u.version, "");
}
END_TEST

START_TEST(accepted)
{
	struct sp_buf b = { 0 };
	size_t head;

	ck_assert_int_eq(sp_upgrade_accept_write(&b), 0);
	head = b.len;
	/* the preface may come in the same segment */
	ck_assert_int_eq(sp_buf_append_str(&b, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0);
	check_prefixes("101", sp_buf_data(&b), (long)head, parse_answer);
	ck_assert_int_eq(parse_answer(sp_buf_data(&b)), (long)head);
	ck_assert_uint_eq(status, 101);
	ck_assert_uint_eq(retry, 0);
	ck_assert_ptr_null(proxy_status.p);
	sp_buf_deinit(&b);
}
END_TEST

START_TEST(refusals)
{
	static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\n"
				   "Proxy-Status: gw; error=x\r\nContent-Length: 0\r\n\r\n";
	static const char dated[] = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n";
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
				      "HTTP/1.1 401 Unauthorized\r\n\r\n";

	check_prefixes("503", sp_slice_str(busy), sizeof(busy) - 1, parse_answer);
	ck_assert_uint_eq(status, 503);
	ck_assert_uint_eq(retry, 7);
	ck_assert_int_eq(parse_answer(sp_slice_str(busy)), sizeof(busy) - 1);
	ck_assert(sp_slice_eq_str(proxy_status, "gw; error=x"));
	check_prefixes("429", sp_slice_str(dated), sizeof(dated) - 1, parse_answer);
	ck_assert_uint_eq(status, 429);
	ck_assert_uint_eq(retry, 0);
	check_prefixes("401", sp_slice_str(interim), sizeof(interim) - 1, parse_answer);
	ck_assert_uint_eq(status, 401);
}
END_TEST

#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n"

static const char *const bad_answers[] = {
	"HTTP/1.1 101 Switching Protocols\r\n\r\n",
	"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nALPN: h2\r\n\r\n",
	"HTTP/1.1 101 S\r\nUpgrade: ptth\r\nALPN: h2\r\n\r\n",
	"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: ptth\r\n\r\n",
	"HTTP/1.0 101 S\r\nConnection: Upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n\r\n",
	"SSH-2.0-x\r\n",
	INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM,
};

START_TEST(bad_answer)
{
	check_prefixes(bad_answers[_i], sp_slice_str(bad_answers[_i]), SP_EPROTO, parse_answer);
}
END_TEST

START_TEST(endless_answer)
{
	static char text[20000] = "HTTP/1.1 403 Forbidden\r\nX: ";

	memset(text + strlen(text), 'x', sizeof(text) - strlen(text) - 1);
	ck_assert_int_eq(parse_answer(sp_slice_str(text)), SP_ETOOBIG);
}
END_TEST

Suite *sp_suite_upgrade(void)
{
	Suite *s = suite_create("codec/upgrade");
	TCase *t = tcase_create("upgrade");

	tcase_add_test(t, request_round_trip);
	tcase_add_test(t, request_without_options);
	tcase_add_test(t, request_refuses_to_write);
	tcase_add_test(t, request_without_memory);
	tcase_add_loop_test(t, request_read, 0, SP_COUNT_OF(reads));
	tcase_add_test(t, request_read_values);
	tcase_add_test(t, accepted);
	tcase_add_test(t, refusals);
	tcase_add_loop_test(t, bad_answer, 0, SP_COUNT_OF(bad_answers));
	tcase_add_test(t, endless_answer);
	suite_add_tcase(s, t);
	return s;
}
