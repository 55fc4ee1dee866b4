/* What the encoder writes, the decoder must read back. */
#include "suites.h"

#include "base/error.h"
#include "codec/body.h"

static struct sp_buf out;

static void teardown(void)
{
	sp_buf_deinit(&out);
}

static void wrote(const char *text)
{
	ck_assert_msg(sp_slice_eq_str(sp_buf_data(&out), text), "%s", sp_buf_str(&out));
	sp_buf_deinit(&out);
}

START_TEST(chunked)
{
	struct sp_http_encoder e;
	struct sp_http_frame f;
	struct sp_fields trailers = { 0 };

	sp_http_encoder_init(&e, SP_BODY_CHUNKED, 99);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("abc"), &out), 0);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE(""), &out), 0);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("0123456789abcdefg"), &out), 0);
	ck_assert_int_eq(sp_http_encoder_frame(&e, UINT64_MAX, &f), 0);
	ck_assert_str_eq(f.before, "ffffffffffffffff\r\n");
	ck_assert_str_eq(f.after, "\r\n");
	sp_fields_add(&trailers, SP_SLICE("X-Sum"), SP_SLICE("1"));
	sp_fields_add(&trailers, SP_SLICE("content-length"), SP_SLICE("1"));
	sp_fields_add(&trailers, SP_SLICE("Y"), SP_SLICE(""));
	ck_assert_int_eq(sp_http_encoder_end(&e, &trailers, &out), 0);
	wrote("3\r\nabc\r\n11\r\n0123456789abcdefg\r\n0\r\nX-Sum: 1\r\nY: \r\n\r\n");
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("a"), &out), SP_EPROTO);
	ck_assert_int_eq(sp_http_encoder_frame(&e, 0, &f), SP_EPROTO);
	ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), SP_EPROTO);
	wrote("");
	sp_http_encoder_init(&e, SP_BODY_CHUNKED, 0);
	ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), 0);
	wrote("0\r\n\r\n");
}
END_TEST

START_TEST(length)
{
	struct sp_http_encoder e;
	struct sp_fields trailers = { 0 };

	sp_fields_add(&trailers, SP_SLICE("X-Sum"), SP_SLICE("1"));
	sp_http_encoder_init(&e, SP_BODY_LENGTH, 5);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("abc"), &out), 0);
	ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), SP_ECLOSED);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("def"), &out), SP_EPROTO);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("de"), &out), 0);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("f"), &out), SP_EPROTO);
	ck_assert_int_eq(sp_http_encoder_end(&e, &trailers, &out), 0);
	wrote("abcde");
}
END_TEST

START_TEST(other_framings)
{
	struct sp_http_encoder e;

	sp_http_encoder_init(&e, SP_BODY_NONE, 5);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("a"), &out), SP_EPROTO);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE(""), &out), 0);
	ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), 0);
	sp_http_encoder_init(&e, SP_BODY_TUNNEL, 0);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("a"), &out), SP_EPROTO);
	wrote("");
	sp_http_encoder_init(&e, SP_BODY_UNTIL_CLOSE, 0);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("abc"), &out), 0);
	ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), 0);
	wrote("abc");
}
END_TEST

START_TEST(unclean_trailers)
{
	static const struct {
		struct sp_slice name, value;
	} t[] = {
		{ { (const uint8_t *)"X", 1 }, { (const uint8_t *)"a\r\nB: c", 7 } },
		{ { (const uint8_t *)"X", 1 }, { (const uint8_t *)"a\n", 2 } },
		{ { (const uint8_t *)"X", 1 }, { (const uint8_t *)"a\0", 2 } },
		{ { (const uint8_t *)"X\r\n", 3 }, { (const uint8_t *)"a", 1 } },
		{ { (const uint8_t *)"X:", 2 }, { (const uint8_t *)"a", 1 } },
		{ { (const uint8_t *)"", 0 }, { (const uint8_t *)"a", 1 } },
		/* also where it would be left out */
		{ { (const uint8_t *)"Host", 4 }, { (const uint8_t *)"a\r", 2 } },
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(t); i++) {
		struct sp_fields trailers = { 0 };
		struct sp_http_encoder e;

		sp_http_encoder_init(&e, SP_BODY_CHUNKED, 0);
		sp_fields_add(&trailers, SP_SLICE("A"), SP_SLICE("b"));
		sp_fields_add(&trailers, t[i].name, t[i].value);
		ck_assert_int_eq(sp_http_encoder_end(&e, &trailers, &out), SP_EINVAL);
		wrote("");
		ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), 0); /* it has not ended by that */
		wrote("0\r\n\r\n");
	}
}
END_TEST

START_TEST(round_trip)
{
	static const size_t sizes[] = { 1, 15, 16, 17, 255, 256, 4095, 70000 };
	static uint8_t data[70000];
	struct sp_buf got = { 0 };
	struct sp_http_encoder e;
	struct sp_http_body b;
	struct sp_slice in, payload;
	size_t i, total = 0;
	long n;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	sp_http_encoder_init(&e, SP_BODY_CHUNKED, 0);
	for (i = 0; i < SP_COUNT_OF(sizes); i++) {
		ck_assert_int_eq(sp_http_encoder_write(&e, sp_slice_make(data, sizes[i]), &out), 0);
		total += sizes[i];
	}
	ck_assert_int_eq(sp_http_encoder_end(&e, NULL, &out), 0);
	ck_assert_int_eq(sp_http_body_init(&b, SP_BODY_CHUNKED, 0, NULL), 0);
	for (in = sp_buf_data(&out); in.n > 0; in = sp_slice_make(in.p + n, in.n - (size_t)n)) {
		n = sp_http_body_feed(&b, in, &payload);
		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(sp_buf_append_slice(&got, payload), 0);
	}
	ck_assert(sp_http_body_done(&b));
	ck_assert_uint_eq(got.len, total);
	for (i = 0, in = sp_buf_data(&got); i < SP_COUNT_OF(sizes); in = sp_slice_make(in.p + sizes[i], in.n - sizes[i]), i++)
		ck_assert_int_eq(memcmp(in.p, data, sizes[i]), 0);
	sp_buf_deinit(&got);
}
END_TEST

START_TEST(out_of_memory)
{
	struct sp_http_encoder e;
	int err;

	sp_http_encoder_init(&e, SP_BODY_LENGTH, 1);
	after_mallocs_fail(0);
	err = sp_http_encoder_write(&e, SP_SLICE("a"), &out);
	after_mallocs_fail(-1);
	ck_assert_int_eq(err, SP_ENOMEM);
	ck_assert_int_eq(sp_http_encoder_write(&e, SP_SLICE("a"), &out), 0);
	wrote("a");
}
END_TEST

Suite *sp_suite_encoder(void)
{
	Suite *s = suite_create("codec/encoder");
	TCase *t = tcase_create("encoder");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, chunked);
	tcase_add_test(t, length);
	tcase_add_test(t, other_framings);
	tcase_add_test(t, unclean_trailers);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, out_of_memory);
	suite_add_tcase(s, t);
	return s;
}
