/* Heads of requests to systems. */
#include "back/origin.h"

#include <stdio.h>

#define HTTP_PORT 80
#define HTTPS_PORT 443

int sp_origin_plan_fields(const struct sp_exchange *x, struct sp_fields *out)
{
	sp_fields_copy(out, &x->request->fields);
	return sp_http_filter(out, SP_HTTP_TO_ORIGIN);
}

static void host_text(const struct sp_authority *a, bool secure, char dst[SP_AUTHORITY_SIZE])
{
	char *colon;

	sp_authority_text(a, dst);
	colon = strrchr(dst, ':');
	if (colon && a->port == (secure ? HTTPS_PORT : HTTP_PORT))
		*colon = '\0';
}

int sp_origin_plan_write(struct sp_origin_plan *p, const struct sp_exchange *x, const struct sp_authority *host, struct sp_fields *f)
{
	char text[SP_AUTHORITY_SIZE], key[SP_WEBSOCKET_KEY_SIZE];
	int err = 0;

	if (sp_slice_eq_str_nocase(x->request->protocol, "websocket")) {
		if (sp_websocket_key(key) < 0 || sp_websocket_accept(sp_slice_str(key), p->accept) < 0)
			return SP_ESYS;
		err = sp_fields_set(f, "Sec-WebSocket-Key", sp_slice_str(key));
	}
	host_text(host, p->tls != NULL, text);
	return err < 0 ? err : sp_msg_request_write(x->request, sp_slice_str(text), f, &p->head);
}
