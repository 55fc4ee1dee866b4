/* Tunnels that we dial to a gateway: how we prove ourselves there, by connection (TLS) and by exchange (credential.h). */
#include "back/pool.h"
#include "codec/upgrade.h"

static int make_context(const struct sp_conf_upstream *u, struct sp_tls_ctx **out, struct sp_cause *cause)
{
	static const char *const alpn[] = { SP_ALPN_H2, NULL };
	struct sp_tls_config cfg = { .cert_file = u->cert_file, .key_file = u->key_file, .ca_file = u->ca_file, .alpn = alpn };

	return sp_tls_ctx_new(&cfg, out, cause);
}

/* None where the connection itself (a client certificate) says who we are. */
static int make_credential(struct sp_loop *loop, const struct sp_conf_upstream *u, struct sp_credential **out, struct sp_cause *cause)
{
	if (u->service_key_file)
		return sp_credential_of_key(loop, u->service_key_file, u->service_key_ca_file, out, cause);
	if (u->token_file)
		*out = sp_credential_of_file(loop, u->token_file);
	return u->token_file && !*out ? SP_ENOMEM : 0;
}

int sp_back_gateway_new(struct sp_loop *loop, struct sp_conf *conf, const struct sp_conf_upstream *upstream, struct sp_back **out,
			struct sp_cause *cause)
{
	struct sp_pools_options opt = { .loop = loop, .conf = conf, .upstream = upstream };
	int err = make_context(upstream, &opt.ctx, cause);

	if (err < 0)
		return err;
	err = make_credential(loop, upstream, &opt.credential, cause);
	if (err == 0)
		err = sp_pools_new(&opt, out);
	if (err < 0) {
		sp_credential_free(&opt.credential);
		sp_tls_ctx_unref(&opt.ctx);
	}
	return err;
}
