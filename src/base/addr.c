#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static int parse_unix(const char *path, struct sp_addr *out)
{
	struct sp_addr a = { 0 };
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(a.un.sun_path))
		return SP_EINVAL;
	a.un.sun_family = AF_UNIX;
	memcpy(a.un.sun_path, path, n + 1);
	a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	*out = a;
	return 0;
}

int sp_addr_parse(const char *text, struct sp_addr *out)
{
	struct sp_addr a = { 0 };
	struct sp_slice host;
	const char *colon;
	char name[INET6_ADDRSTRLEN];
	uint64_t port;
	bool bracket;

	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, out);
	colon = strrchr(text, ':');
	if (!colon || sp_text_u64(sp_slice_str(colon + 1), 65535, &port))
		return SP_EINVAL;
	host = sp_slice_make(text, (size_t)(colon - text));
	bracket = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	if (bracket)
		host = sp_slice_make(host.p + 1, host.n - 2);
	if (sp_slice_copy(host, name, sizeof(name)))
		return SP_EINVAL;
	if (bracket) {
		if (inet_pton(AF_INET6, name, &a.in6.sin6_addr) != 1)
			return SP_EINVAL;
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons((uint16_t)port);
		a.len = sizeof(a.in6);
	} else {
		if (inet_pton(AF_INET, name, &a.in.sin_addr) != 1)
			return SP_EINVAL;
		a.in.sin_family = AF_INET;
		a.in.sin_port = htons((uint16_t)port);
		a.len = sizeof(a.in);
	}
	*out = a;
	return 0;
}

const char *sp_addr_text(const struct sp_addr *a, char *dst)
{
	char host[INET6_ADDRSTRLEN];

	switch (a->sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(dst, SP_ADDR_TEXT_SIZE, "%s:%u", host, sp_addr_port(a));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(dst, SP_ADDR_TEXT_SIZE, "[%s]:%u", host, sp_addr_port(a));
		break;
	case AF_UNIX:
		/* The peer of an accepted Unix socket usually has no name: len covers the family only. */
		if (a->len <= offsetof(struct sockaddr_un, sun_path))
			snprintf(dst, SP_ADDR_TEXT_SIZE, "unix:");
		else
			snprintf(dst, SP_ADDR_TEXT_SIZE, "unix:%.*s", (int)sizeof(a->un.sun_path), a->un.sun_path);
		break;
	default:
		snprintf(dst, SP_ADDR_TEXT_SIZE, "unknown");
	}
	return dst;
}

bool sp_addr_is_local(const struct sp_addr *a)
{
	static const uint8_t mapped[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 };

	switch (a->sa.sa_family) {
	case AF_INET:
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr) ||
		       memcmp(&a->in6.sin6_addr, mapped, sizeof(mapped)) == 0;
	case AF_UNIX:
		return true;
	default:
		return false;
	}
}

unsigned sp_addr_port(const struct sp_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohs(a->in.sin_port);
	if (a->sa.sa_family == AF_INET6)
		return ntohs(a->in6.sin6_port);
	return 0;
}
