#include "base/text.h"

#include "base/error.h"

int sp_text_u64(struct sp_slice s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (s.n == 0)
		return SP_EINVAL;
	for (i = 0; i < s.n; i++) {
		unsigned d = (unsigned)s.p[i] - '0';

		if (d > 9 || v > (UINT64_MAX - d) / 10)
			return SP_EINVAL;
		v = v * 10 + d;
	}
	if (v > max)
		return SP_EINVAL;
	*out = v;
	return 0;
}

/* The value of a base64 character, or -1. */
static int sextet(uint8_t c, bool url)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (url ? '-' : '+'))
		return 62;
	if (c == (url ? '_' : '/'))
		return 63;
	return -1;
}

/* s without padding. */
static int decode(struct sp_slice s, bool url, uint8_t *dst, size_t size, size_t *n_out)
{
	size_t i, n = 0, total = s.n / 4 * 3 + (s.n % 4 ? s.n % 4 - 1 : 0);
	uint32_t bits = 0;
	unsigned have = 0;

	if (s.n % 4 == 1)
		return SP_EINVAL;
	/* The characters first: a text that is wrong and too long is wrong. */
	for (i = 0; i < s.n; i++)
		if (sextet(s.p[i], url) < 0)
			return SP_EINVAL;
	if (s.n % 4 == 2 && sextet(s.p[s.n - 1], url) & 0x0f)
		return SP_EINVAL;
	if (s.n % 4 == 3 && sextet(s.p[s.n - 1], url) & 0x03)
		return SP_EINVAL;
	if (total > size)
		return SP_ETOOBIG;
	for (i = 0; i < s.n; i++) {
		bits = bits << 6 | (uint32_t)sextet(s.p[i], url);
		have += 6;
		if (have >= 8) {
			have -= 8;
			dst[n++] = (uint8_t)(bits >> have);
			bits &= (1u << have) - 1;
		}
	}
	*n_out = n;
	return 0;
}

int sp_base64_decode(struct sp_slice s, uint8_t *dst, size_t size, size_t *n_out)
{
	unsigned pad = 0;

	if (s.n % 4 != 0)
		return SP_EINVAL;
	while (pad < 2 && s.n > 0 && s.p[s.n - 1] == '=') {
		s.n--;
		pad++;
	}
	return decode(s, false, dst, size, n_out);
}

int sp_base64url_decode(struct sp_slice s, uint8_t *dst, size_t size, size_t *n_out)
{
	return decode(s, true, dst, size, n_out);
}

int sp_base64_encode(struct sp_slice s, char *dst, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, n = 0;

	if (s.n > SIZE_MAX / 4 * 3 - 3 || (s.n + 2) / 3 * 4 >= size)
		return SP_ETOOBIG;
	for (i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)s.p[i] << 16;

		if (left > 1)
			v |= (uint32_t)s.p[i + 1] << 8;
		if (left > 2)
			v |= s.p[i + 2];
		dst[n++] = digits[v >> 18];
		dst[n++] = digits[v >> 12 & 63];
		dst[n++] = left > 1 ? digits[v >> 6 & 63] : '=';
		dst[n++] = left > 2 ? digits[v & 63] : '=';
	}
	dst[n] = '\0';
	return 0;
}

size_t sp_utf8_length(struct sp_slice s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code;
	size_t i, n;

	if (s.n == 0)
		return 0;
	if (s.p[0] < 0x80)
		return 1;
	n = s.p[0] >= 0xf0 ? 4 : s.p[0] >= 0xe0 ? 3 : 2;
	if (s.p[0] < 0xc2 || s.p[0] > 0xf4 || s.n < n)
		return 0;
	code = s.p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s.p[i] & 0x3fu);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

bool sp_utf8_is_printable(struct sp_slice s)
{
	while (s.n > 0) {
		size_t n = sp_utf8_length(s);
		bool c1 = n == 2 && s.p[0] == 0xc2 && s.p[1] < 0xa0;

		if (n == 0 || s.p[0] < 0x20 || s.p[0] == 0x7f || c1)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}
