/* Small text codings that several folders need: unsigned numbers, base64, base64url, UTF-8. */
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
/* Length of the well-formed UTF-8 sequence at the start of s (RFC 3629: shortest form, no surrogates): 1..4, or 0. */
size_t sp_utf8_length(struct sp_slice s);
/* Well-formed UTF-8 without control characters (U+0000..1F, U+007F..9F)? Empty is. */
bool sp_utf8_is_printable(struct sp_slice s);

#endif
