/* SOCKS5 messages (RFC 1928), username/password (RFC 1929) and the token method 0x80 of SAP's Connectivity Proxy.
 * Pure parsers: bytes consumed (> 0), 0 for "more", or SP_EPROTO / SP_ETOOBIG. Slices borrow the input. */
#ifndef SP_CODEC_SOCKS5_H
#define SP_CODEC_SOCKS5_H

#include "codec/authority.h"

enum { SP_SOCKS_METHOD_NONE = 0x00, SP_SOCKS_METHOD_USERPASS = 0x02, SP_SOCKS_METHOD_TOKEN = 0x80, SP_SOCKS_METHOD_NO_ACCEPTABLE = 0xff };
enum { SP_SOCKS_CMD_CONNECT = 1, SP_SOCKS_CMD_BIND = 2, SP_SOCKS_CMD_UDP = 3 };

struct sp_socks_greeting { const uint8_t *methods; uint8_t count; };
struct sp_socks_userpass { struct sp_slice user, password; };
/* 01 | token length, 4 bytes big-endian | token | location length, 1 byte | location in base64 */
struct sp_socks_token { struct sp_slice token; char location[192]; /* decoded; "" = none */ };
struct sp_socks_request { uint8_t command; bool address_known; struct sp_authority target; /* address_known: ATYP 1, 3 or 4 */ };

long sp_socks_greeting_parse(struct sp_slice in, struct sp_socks_greeting *out);
bool sp_socks_greeting_offers(const struct sp_socks_greeting *g, uint8_t method);
long sp_socks_userpass_parse(struct sp_slice in, struct sp_socks_userpass *out);
/* max_token: bytes; a longer one is SP_ETOOBIG as soon as its length is read. The location must be canonical base64
 * of printable UTF-8 without control characters. */
long sp_socks_token_parse(struct sp_slice in, size_t max_token, struct sp_socks_token *out);
/* A target that is no valid name or has port 0: consumed > 0, out->target.host "" and the port kept. After an unknown
 * ATYP nothing can be read: consumed 4 with address_known false. */
long sp_socks_request_parse(struct sp_slice in, struct sp_socks_request *out);

#define SP_SOCKS_REPLY_SIZE 10
/* 05 REP 00 01 0.0.0.0 0: ATYP 01 always, since published clients read nothing else. */
void sp_socks_reply_write(uint8_t reply, uint8_t dst[SP_SOCKS_REPLY_SIZE]);

#endif
