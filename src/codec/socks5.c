#include "codec/socks5.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"

#define VERSION 0x05
#define SUBNEGOTIATION_VERSION 0x01

enum { ATYP_IPV4 = 1, ATYP_DOMAIN = 3, ATYP_IPV6 = 4 };

/* VER | NMETHODS | METHODS */
long sp_socks_greeting_parse(struct sp_slice in, struct sp_socks_greeting *out)
{
	if (in.n >= 1 && in.p[0] != VERSION)
		return SP_EPROTO;
	if (in.n < 2 || in.n < 2 + (size_t)in.p[1])
		return 0;
	out->methods = in.p + 2;
	out->count = in.p[1];
	return 2 + (long)in.p[1];
}

bool sp_socks_greeting_offers(const struct sp_socks_greeting *g, uint8_t method)
{
	return g->count > 0 && memchr(g->methods, method, g->count) != NULL;
}

/* VER | ULEN | UNAME | PLEN | PASSWD. Empty ones are for the caller to judge: some clients send them. */
long sp_socks_userpass_parse(struct sp_slice in, struct sp_socks_userpass *out)
{
	size_t user, password;

	if (in.n >= 1 && in.p[0] != SUBNEGOTIATION_VERSION)
		return SP_EPROTO;
	if (in.n < 2)
		return 0;
	user = in.p[1];
	if (in.n < 2 + user + 1)
		return 0;
	password = in.p[2 + user];
	if (in.n < 2 + user + 1 + password)
		return 0;
	out->user = sp_slice_make(in.p + 2, user);
	out->password = sp_slice_make(in.p + 2 + user + 1, password);
	return (long)(2 + user + 1 + password);
}

static int decode_location(struct sp_slice coded, char *dst, size_t size)
{
	size_t n;

	if (sp_base64_decode(coded, (uint8_t *)dst, size - 1, &n) || !sp_utf8_is_printable(sp_slice_make(dst, n)))
		return SP_EPROTO;
	dst[n] = '\0';
	return 0;
}

long sp_socks_token_parse(struct sp_slice in, size_t max_token, struct sp_socks_token *out)
{
	char location[sizeof(out->location)];
	size_t token, coded;

	if (in.n >= 1 && in.p[0] != SUBNEGOTIATION_VERSION)
		return SP_EPROTO;
	if (in.n < 5)
		return 0;
	token = (size_t)in.p[1] << 24 | (size_t)in.p[2] << 16 | (size_t)in.p[3] << 8 | in.p[4];
	if (token > max_token)
		return SP_ETOOBIG;
	if (in.n - 5 <= token)
		return 0;
	coded = in.p[5 + token];
	if (in.n - 5 - token - 1 < coded)
		return 0;
	if (decode_location(sp_slice_make(in.p + 5 + token + 1, coded), location, sizeof(location)))
		return SP_EPROTO;
	out->token = sp_slice_make(in.p + 5, token);
	memcpy(out->location, location, sizeof(location));
	return (long)(5 + token + 1 + coded);
}

/* The text of an address of ATYP 1, 3 or 4. */
static int make_target(uint8_t atyp, const uint8_t *p, size_t n, uint16_t port, struct sp_authority *out)
{
	char ipv4[INET_ADDRSTRLEN];

	if (atyp == ATYP_IPV6)
		return sp_authority_make_ipv6(p, port, out);
	if (atyp == ATYP_DOMAIN)
		return sp_authority_make(sp_slice_make(p, n), port, out);
	snprintf(ipv4, sizeof(ipv4), "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
	return sp_authority_make(sp_slice_str(ipv4), port, out);
}

/* VER | CMD | RSV | ATYP | DST.ADDR | DST.PORT */
long sp_socks_request_parse(struct sp_slice in, struct sp_socks_request *out)
{
	struct sp_socks_request r = { 0 };
	size_t start = 4, n;
	const uint8_t *p;
	uint16_t port;

	if ((in.n >= 1 && in.p[0] != VERSION) || (in.n >= 3 && in.p[2] != 0))
		return SP_EPROTO;
	if (in.n < 4)
		return 0;
	r.command = in.p[1];
	switch (in.p[3]) {
	case ATYP_IPV4:
		n = 4;
		break;
	case ATYP_IPV6:
		n = 16;
		break;
	case ATYP_DOMAIN:
		if (in.n < 5)
			return 0;
		start = 5;
		n = in.p[4];
		break;
	default:
		*out = r;
		return 4; /* how long its address is, nobody knows */
	}
	if (in.n < start + n + 2)
		return 0;
	p = in.p + start;
	port = (uint16_t)(p[n] << 8 | p[n + 1]);
	r.address_known = true;
	if (make_target(in.p[3], p, n, port, &r.target))
		r.target = (struct sp_authority){ .port = port };
	*out = r;
	return (long)(start + n + 2);
}

void sp_socks_reply_write(uint8_t reply, uint8_t dst[SP_SOCKS_REPLY_SIZE])
{
	memset(dst, 0, SP_SOCKS_REPLY_SIZE);
	dst[0] = VERSION;
	dst[1] = reply;
	dst[3] = ATYP_IPV4;
}
