/* Tunnels that we dial to a gateway: the TLS context, and the bearer token with which each exchange shows who we are. The token's
 * file is read again for every new tunnel and when the gateway refuses the token: it may have been renewed in place. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/secret.h"
#include "back/pool.h"
#include "codec/upgrade.h"

#define TOKEN_MAX_BYTES (64u * 1024)
#define REREAD_MS 1000u /* a refused token's file is looked at once in so long */

static char *bearer_of(const char *token)
{
	struct sp_buf b = { 0 };
	char *text;

	sp_must(sp_buf_append_str(&b, "Bearer ") == 0 && sp_buf_append_str(&b, token) == 0);
	text = sp_strdup(sp_buf_str(&b));
	sp_buf_wipe(&b);
	return text;
}

void sp_pools_read_bearer(struct sp_pools *ps)
{
	struct sp_cause cause = { 0 };
	char *token = NULL, *bearer;

	if (!ps->conf->upstream.token_file)
		return;
	ps->bearer_read_mono_ms = sp_loop_now_ms(ps->loop);
	if (sp_conf_read_secret(ps->conf->upstream.token_file, TOKEN_MAX_BYTES, &token, &cause) < 0) {
		sp_log(SP_LOG_ERROR, SP_EV_POOL, "the token file cannot be used", SP_KV_CAUSE(&cause));
		return; /* the last good one stays */
	}
	bearer = bearer_of(token);
	sp_secret_free(&token);
	if (ps->bearer && strcmp(ps->bearer, bearer) == 0) {
		sp_secret_free(&bearer);
		return;
	}
	sp_secret_free(&ps->bearer);
	ps->bearer = bearer;
	ps->bearer_number++;
}

bool sp_pools_renew_bearer(struct sp_pools *ps, unsigned used)
{
	if (used == ps->bearer_number && sp_loop_now_ms(ps->loop) - ps->bearer_read_mono_ms >= REREAD_MS)
		sp_pools_read_bearer(ps);
	return used != ps->bearer_number;
}

int sp_back_gateway_new(struct sp_loop *loop, struct sp_conf *conf, struct sp_back **out, struct sp_cause *cause)
{
	static const char *const alpn[] = { SP_ALPN_H2, NULL };
	const struct sp_conf_upstream *u = &conf->upstream;
	struct sp_tls_config cfg = { .cert_file = u->cert_file, .key_file = u->key_file, .ca_file = u->ca_file, .alpn = alpn };
	struct sp_tls_ctx *ctx = NULL;
	int err = sp_tls_ctx_new(&cfg, &ctx, cause);

	if (err < 0)
		return err;
	err = sp_pools_new(loop, conf, ctx, out);
	if (err < 0)
		sp_tls_ctx_unref(&ctx);
	return err;
}
