/* The first byte chooses the message, the rest is what the client sent. */
#include "fuzz.h"

#include "base/error.h"
#include "base/text.h"
#include "codec/socks5.h"

#define MAX_TOKEN 1024

static struct sp_socks_greeting greeting;
static struct sp_socks_userpass userpass;
static struct sp_socks_token token;
static struct sp_socks_request request;

static long parse_greeting(struct sp_slice in)
{
	return sp_socks_greeting_parse(in, &greeting);
}

static long parse_userpass(struct sp_slice in)
{
	return sp_socks_userpass_parse(in, &userpass);
}

static long parse_token(struct sp_slice in)
{
	return sp_socks_token_parse(in, MAX_TOKEN, &token);
}

static long parse_request(struct sp_slice in)
{
	return sp_socks_request_parse(in, &request);
}

/* The values, written down again, are the bytes that were consumed. */
static void check_userpass(struct sp_slice in, long got)
{
	uint8_t out[3 + 2 * 255];
	size_t user = userpass.user.n, password = userpass.password.n;

	fuzz_must(fuzz_inside(userpass.user, in) && fuzz_inside(userpass.password, in));
	out[0] = 1;
	out[1] = (uint8_t)user;
	memcpy(out + 2, userpass.user.p, user);
	out[2 + user] = (uint8_t)password;
	memcpy(out + 3 + user, userpass.password.p, password);
	fuzz_must((size_t)got == 3 + user + password && memcmp(out, in.p, (size_t)got) == 0);
}

static void check_token(struct sp_slice in, long got)
{
	char location[260];
	size_t n = token.token.n, coded;

	fuzz_must(fuzz_inside(token.token, in) && n <= MAX_TOKEN);
	fuzz_must(sp_utf8_is_printable(sp_slice_str(token.location)));
	fuzz_must(sp_base64_encode(sp_slice_str(token.location), location, sizeof(location)) == 0);
	coded = strlen(location);
	fuzz_must((size_t)got == 5 + n + 1 + coded && in.p[5 + n] == coded);
	fuzz_must(memcmp(in.p + 5 + n + 1, location, coded) == 0);
}

static void check_request(struct sp_slice in, long got)
{
	struct sp_authority a;
	char text[SP_AUTHORITY_SIZE];
	const uint8_t *port = in.p + got - 2;

	fuzz_must(request.command == in.p[1]);
	fuzz_must(request.address_known == (in.p[3] == 1 || in.p[3] == 3 || in.p[3] == 4));
	if (!request.address_known) {
		fuzz_must(got == 4 && request.target.host[0] == '\0');
		return;
	}
	fuzz_must(request.target.port == (port[0] << 8 | port[1]));
	if (request.target.host[0] == '\0')
		return;
	sp_authority_text(&request.target, text);
	fuzz_must(sp_authority_parse(sp_slice_str(text), 0, &a) == 0 && sp_authority_eq(&a, &request.target));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_slice in;
	long got;

	if (n == 0)
		return 0;
	in = sp_slice_make(data + 1, n - 1);
	switch (data[0] % 4) {
	case 0:
		fuzz_check_growth(parse_greeting, in);
		got = parse_greeting(in);
		if (got > 0)
			fuzz_must(greeting.methods == in.p + 2 && got == 2 + greeting.count);
		break;
	case 1:
		fuzz_check_growth(parse_userpass, in);
		got = parse_userpass(in);
		if (got > 0)
			check_userpass(in, got);
		break;
	case 2:
		fuzz_check_growth(parse_token, in);
		got = parse_token(in);
		if (got > 0)
			check_token(in, got);
		break;
	default:
		fuzz_check_growth(parse_request, in);
		got = parse_request(in);
		if (got > 0)
			check_request(in, got);
	}
	return 0;
}
