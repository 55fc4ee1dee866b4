#include "codec/authority.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"

/* reg-name of RFC 3986 section 3.2.2 without percent-encoding: two hops could decode it differently. */
static bool is_host_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("-._~!$&'()*+,;=", c) != NULL);
}

static int parse_ipv6(struct sp_slice text, uint16_t port, struct sp_authority *out)
{
	char name[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (sp_slice_copy(text, name, sizeof(name)) || inet_pton(AF_INET6, name, &address) != 1)
		return SP_EINVAL;
	return sp_authority_make_ipv6(address.s6_addr, port, out);
}

int sp_authority_make_ipv6(const uint8_t address[16], uint16_t port, struct sp_authority *out)
{
	struct sp_authority a = { .port = port, .ipv6 = true };

	/* One spelling per address (RFC 5952), so that equal addresses compare equal. */
	if (port == 0 || !inet_ntop(AF_INET6, address, a.host, sizeof(a.host)))
		return SP_EINVAL;
	*out = a;
	return 0;
}

int sp_authority_make(struct sp_slice host, uint16_t port, struct sp_authority *out)
{
	struct sp_authority a = { .port = port };
	size_t i;

	if (port == 0 || host.n == 0 || host.n >= sizeof(a.host))
		return SP_EINVAL;
	if (memchr(host.p, ':', host.n))
		return parse_ipv6(host, port, out);
	for (i = 0; i < host.n; i++) {
		uint8_t c = host.p[i];

		if (!is_host_char(c))
			return SP_EINVAL;
		a.host[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	*out = a;
	return 0;
}

/* port = 1*5DIGIT; a leading zero is refused: some readers take it for octal. */
static int parse_port(struct sp_slice text, uint16_t *out)
{
	uint64_t port;

	if (text.n == 0 || text.p[0] == '0' || sp_text_u64(text, UINT16_MAX, &port))
		return SP_EINVAL;
	*out = (uint16_t)port;
	return 0;
}

int sp_authority_parse(struct sp_slice text, uint16_t default_port, struct sp_authority *out)
{
	bool bracket = text.n > 0 && text.p[0] == '[';
	const uint8_t *end = text.n > 0 ? memchr(text.p, bracket ? ']' : ':', text.n) : NULL;
	struct sp_slice host = text, rest = SP_SLICE_NONE;
	uint16_t port = default_port;

	if (bracket && !end)
		return SP_EINVAL;
	if (end) {
		host = sp_slice_make(text.p, (size_t)(end - text.p));
		rest = sp_slice_make(end + bracket, text.n - host.n - bracket);
	}
	if (rest.n > 0 && (rest.p[0] != ':' || parse_port(sp_slice_make(rest.p + 1, rest.n - 1), &port)))
		return SP_EINVAL;
	if (port == 0)
		return SP_EINVAL;
	if (bracket)
		return parse_ipv6(sp_slice_make(host.p + 1, host.n - 1), port, out);
	return sp_authority_make(host, port, out);
}

/* Several times per exchange, so not by stdio. */
const char *sp_authority_text(const struct sp_authority *a, char *dst)
{
	size_t n = strlen(a->host), i = 0;
	unsigned port = a->port;
	char digits[5], *p = dst;

	if (a->ipv6)
		*p++ = '[';
	memcpy(p, a->host, n);
	p += n;
	if (a->ipv6)
		*p++ = ']';
	*p++ = ':';
	do
		digits[i++] = (char)('0' + port % 10);
	while ((port /= 10) > 0);
	while (i > 0)
		*p++ = digits[--i];
	*p = '\0';
	return dst;
}

bool sp_authority_eq(const struct sp_authority *a, const struct sp_authority *b)
{
	return a->port == b->port && a->ipv6 == b->ipv6 && strcmp(a->host, b->host) == 0;
}
