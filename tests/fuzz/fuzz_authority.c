/* The first byte chooses a default port, the rest is the text. */
#include "fuzz.h"

#include "base/error.h"
#include "codec/authority.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sp_authority a, b;
	char text[SP_AUTHORITY_SIZE];
	const char *c;
	int err;

	if (n == 0)
		return 0;
	err = sp_authority_parse(sp_slice_make(data + 1, n - 1), data[0], &a);
	fuzz_must(err == 0 || err == SP_EINVAL);
	if (err)
		return 0;
	fuzz_must(a.port != 0 && a.host[0] != '\0' && strlen(a.host) < SP_HOST_SIZE);
	for (c = a.host; *c; c++)
		fuzz_must(*c > 0x20 && *c < 0x7f && !(*c >= 'A' && *c <= 'Z') && !strchr("/?#@\\[]<>%", *c));
	fuzz_must((strchr(a.host, ':') != NULL) == a.ipv6);
	sp_authority_text(&a, text);
	fuzz_must(strlen(text) < sizeof(text));
	fuzz_must(sp_authority_parse(sp_slice_str(text), 0, &b) == 0 && sp_authority_eq(&a, &b));
	fuzz_must(sp_authority_make(sp_slice_str(a.host), a.port, &b) == 0 && sp_authority_eq(&a, &b));
	return 0;
}
