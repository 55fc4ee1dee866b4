/* Small text codings that several folders need: hex, base64, base64url, unsigned numbers. */
#ifndef SP_BASE_TEXT_H
#define SP_BASE_TEXT_H

#include <stdint.h>

#include "base/slice.h"

/* Strict decimal without sign, spaces or leading '+': 0, or SP_EINVAL (empty, not a digit, above max). */
int sp_text_u64(struct sp_slice s, uint64_t max, uint64_t *out);
/* RFC 4648 section 4, padded, canonical. Decodes into dst[size]; *n_out bytes. 0, SP_EINVAL or SP_ETOOBIG. */
int sp_base64_decode(struct sp_slice s, uint8_t *dst, size_t size, size_t *n_out);
/* RFC 4648 section 5 without padding, non-canonical trailing bits refused (RFC 7515 section 2). */
int sp_base64url_decode(struct sp_slice s, uint8_t *dst, size_t size, size_t *n_out);
/* Writes 4 * ceil(n / 3) characters and NUL. SP_ETOOBIG when dst is too small. */
int sp_base64_encode(struct sp_slice s, char *dst, size_t size);

#endif
