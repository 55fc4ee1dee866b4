/* Sizes and durations: digits and a unit. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "conf/load.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first. */
static const struct unit durations[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
static const struct unit sizes[] = { { "GiB", 1u << 30 }, { "MiB", 1u << 20 }, { "KiB", 1u << 10 }, { "", 1 } };

static int parse(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		if (sp_text_u64(sp_slice_make(text, digits), UINT64_MAX / units[i].factor, &n))
			return SP_EINVAL;
		*out = n * units[i].factor;
		return 0;
	}
	return SP_EINVAL;
}

static const char *print(uint64_t value, const struct unit *units, size_t count, char *dst)
{
	size_t i = 0;

	while (i + 1 < count && value % units[i].factor != 0)
		i++;
	snprintf(dst, SP_UNIT_SIZE, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
	return dst;
}

int sp_conf_duration(const char *text, uint64_t *ms_out)
{
	if (strcmp(text, "0") == 0) {
		*ms_out = 0;
		return 0;
	}
	return parse(text, durations, SP_COUNT_OF(durations), ms_out);
}

int sp_conf_size(const char *text, uint64_t *bytes_out)
{
	return parse(text, sizes, SP_COUNT_OF(sizes), bytes_out);
}

const char *sp_duration_text(uint64_t ms, char *dst)
{
	return ms == 0 ? "0" : print(ms, durations, SP_COUNT_OF(durations), dst);
}

const char *sp_size_text(uint64_t bytes, char *dst)
{
	return bytes == 0 ? "0" : print(bytes, sizes, SP_COUNT_OF(sizes), dst);
}
