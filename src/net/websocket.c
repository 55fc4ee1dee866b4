#include "net/websocket.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/error.h"
#include "base/text.h"

#define NONCE_BYTES 16
#define MAGIC "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

int sp_websocket_key(char out[SP_WEBSOCKET_KEY_SIZE])
{
	uint8_t nonce[NONCE_BYTES];

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return SP_ESYS;
	return sp_base64_encode(sp_slice_make(nonce, sizeof(nonce)), out, SP_WEBSOCKET_KEY_SIZE);
}

int sp_websocket_accept(struct sp_slice key, char out[SP_WEBSOCKET_ACCEPT_SIZE])
{
	uint8_t nonce[NONCE_BYTES], digest[20], text[SP_WEBSOCKET_KEY_SIZE - 1 + sizeof(MAGIC) - 1];
	size_t n;

	if (key.n != SP_WEBSOCKET_KEY_SIZE - 1 || sp_base64_decode(key, nonce, sizeof(nonce), &n) < 0 || n != NONCE_BYTES)
		return SP_EPROTO;
	memcpy(text, key.p, key.n);
	memcpy(text + key.n, MAGIC, sizeof(MAGIC) - 1);
	if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha1(), NULL) != 1)
		return SP_ESYS;
	return sp_base64_encode(sp_slice_make(digest, sizeof(digest)), out, SP_WEBSOCKET_ACCEPT_SIZE);
}
