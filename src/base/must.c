#include "base/must.h"

#include <stdlib.h>

#include "base/log.h"

_Noreturn void sp_must_failed(const char *file, int line, const char *expr)
{
	sp_log(SP_LOG_ERROR, SP_EV_BUG, "assertion failed", SP_KV_STR("file", file), SP_KV_INT("line", line),
	       SP_KV_STR("expression", expr));
	abort();
}
