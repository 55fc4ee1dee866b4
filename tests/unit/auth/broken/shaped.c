/* Plugins whose struct is not today's: compiled once per shape (SHAPE_*). Where it can be used, it allows with tenant "shaped". */
#include <string.h>

#include "sallyport/plugin.h"

static const sp_host *host;

static int shaped_check(const char *json, uint32_t *traits, sp_error *err)
{
	(void)json;
	(void)err;
	*traits = SP_TRAIT_PINS;
	return 0;
}

static int shaped_open(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err)
{
	(void)json;
	(void)prev;
	(void)inst;
	(void)err;
	host = h;
	return 0;
}

/* Answers with a struct that ends behind tenant: what follows must be read as absent. Unused where the shape has none. */
__attribute__((unused)) static void shaped_request(void *wctx, sp_ticket t, const sp_request *r, void **slot)
{
	sp_answer a = { .size = offsetof(sp_answer, principal), .verdict = SP_ALLOW, .tenant = { "shaped", 6 } };

	(void)wctx;
	(void)r;
	(void)slot;
	memset((char *)&a + a.size, 0x5a, sizeof(a) - a.size);
	host->answer(t, &a);
}

#ifdef SHAPE_MAGIC
#define MAGIC (SP_ABI_MAGIC + 1)
#else
#define MAGIC SP_ABI_MAGIC
#endif
#ifdef SHAPE_SHORT
#define SIZE offsetof(sp_plugin, request)
#elif defined SHAPE_LONGER
#define SIZE sizeof(shaped)
#else
#define SIZE sizeof(sp_plugin)
#endif
#ifdef SHAPE_STAGES
#define STAGES SP_STAGE_CONNECT
#else
#define STAGES SP_STAGE_AUTHN
#endif
#ifdef SHAPE_EMPTY
#define REQUEST NULL
#else
#define REQUEST shaped_request
#endif

static const struct {
	sp_plugin plugin;
	void *of_a_later_version[4];
} shaped = {
	.plugin = {
		.magic = MAGIC,
		.size = SIZE,
		.stages = STAGES,
		.name = "shaped",
		.version = "1",
		.check = shaped_check,
		.open = shaped_open,
		.request = REQUEST,
	},
};

#ifdef SHAPE_NULL
__attribute__((visibility("default"))) const sp_plugin *sallyport_plugin_v1(void);
const sp_plugin *sallyport_plugin_v1(void)
{
	return host ? &shaped.plugin : NULL; /* host is set in open() only */
}
#else
SP_PLUGIN_EXPORT(shaped, shaped.plugin)
#endif
