/* Socket addresses as text: "127.0.0.1:20004", "[::1]:80", "unix:/run/sallyport/x.sock". No name resolution. */
#ifndef SP_BASE_ADDR_H
#define SP_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/un.h>

struct sp_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage ss;
	};
	socklen_t len;
};
#define SP_ADDR_TEXT_SIZE 128

/* 0 or SP_EINVAL. A port is required (0 = any free port); an IPv6 address stands in brackets. */
int sp_addr_parse(const char *text, struct sp_addr *out);
/* Writes the same form back; dst[SP_ADDR_TEXT_SIZE]. Returns dst. */
const char *sp_addr_text(const struct sp_addr *a, char *dst);
/* 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104, or a Unix socket. */
bool sp_addr_is_local(const struct sp_addr *a);
unsigned sp_addr_port(const struct sp_addr *a); /* 0 for a Unix socket */

#endif
