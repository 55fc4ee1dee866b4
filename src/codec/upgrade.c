#include "codec/upgrade.h"

#include <stdio.h>

#include "base/error.h"
#include "base/text.h"

#define ANSWER_MAX_BYTES 8192
#define ANSWER_MAX_INTERIM 8
#define INDEX_SEPARATOR ";index="

/* Visible ASCII: what ids and product names are made of. */
static bool is_visible(struct sp_slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return true;
}

/* A location: printable UTF-8 that survives as a field value, so without white space at its ends. */
static bool is_location(struct sp_slice s)
{
	return sp_slice_trim(s).n == s.n && sp_utf8_is_printable(s);
}

/* An instance id without the character that separates its index. */
static bool is_instance(struct sp_slice s)
{
	return is_visible(s) && (s.n == 0 || !memchr(s.p, ';', s.n));
}

static int check(const char *host, const struct sp_upgrade *u, struct sp_slice bearer)
{
	struct sp_authority a;

	if (sp_authority_parse(sp_slice_str(host), 443, &a) || !is_location(sp_slice_str(u->location)) ||
	    !is_visible(sp_slice_str(u->connector_id)) || !is_instance(sp_slice_str(u->instance)) ||
	    !is_visible(sp_slice_str(u->version)))
		return SP_EINVAL;
	return bearer.p && (bearer.n == 0 || !is_visible(bearer)) ? SP_EINVAL : 0;
}

static int write_field(struct sp_buf *b, const char *name, const char *value)
{
	return value[0] ? sp_buf_printf(b, "%s: %s\r\n", name, value) : 0;
}

static int write_request(struct sp_buf *b, const char *host, const struct sp_upgrade *u, struct sp_slice bearer)
{
	int err = sp_buf_printf(b,
				"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\nALPN: %s\r\n",
				SP_UPGRADE_PATH, host, SP_UPGRADE_TOKEN, SP_ALPN_H2);

	if (!err && bearer.p) {
		err = sp_buf_append_str(b, "Authorization: Bearer ");
		err = err ? err : sp_buf_append_slice(b, bearer);
		err = err ? err : sp_buf_append_str(b, "\r\n");
	}
	err = err ? err : write_field(b, SP_FIELD_LOCATION, u->location);
	err = err ? err : write_field(b, SP_FIELD_CONNECTOR_ID, u->connector_id);
	if (!err && u->instance[0])
		err = sp_buf_printf(b, "%s: %s%s%u\r\n", SP_FIELD_INSTANCE, u->instance, INDEX_SEPARATOR, u->index);
	err = err ? err : write_field(b, "User-Agent", u->version);
	return err ? err : sp_buf_append_str(b, "\r\n");
}

int sp_upgrade_request_write(struct sp_buf *b, const char *host, const struct sp_upgrade *u, struct sp_slice bearer)
{
	size_t before = b->len;
	int err = check(host, u, bearer);

	if (err)
		return err;
	err = write_request(b, host, u, bearer);
	if (err)
		b->len = before; /* all or nothing */
	return err;
}

static int refuse(const char **why_out, const char *why)
{
	*why_out = why;
	return SP_EPROTO;
}

/* At most one field of that name that fits dst; absent is "". */
static int read_field(const struct sp_fields *f, const char *name, char *dst, size_t size)
{
	struct sp_slice value = sp_fields_get(f, name);

	dst[0] = '\0';
	if (!value.p)
		return 0;
	return sp_fields_count(f, name) == 1 && sp_slice_copy(value, dst, size) == 0 ? 0 : SP_EPROTO;
}

/* <boot id>;index=N */
static int read_instance(const struct sp_fields *f, struct sp_upgrade *u)
{
	struct sp_slice value = sp_fields_get(f, SP_FIELD_INSTANCE), id;
	const size_t sep = strlen(INDEX_SEPARATOR);
	const uint8_t *end;
	uint64_t index;

	u->instance[0] = '\0';
	u->index = 0;
	if (!value.p)
		return 0;
	end = value.n > 0 ? memchr(value.p, ';', value.n) : NULL;
	if (!end || sp_fields_count(f, SP_FIELD_INSTANCE) != 1)
		return SP_EPROTO;
	id = sp_slice_make(value.p, (size_t)(end - value.p));
	if (id.n == 0 || value.n - id.n < sep || memcmp(end, INDEX_SEPARATOR, sep) != 0 || !is_visible(id))
		return SP_EPROTO;
	if (sp_text_u64(sp_slice_make(end + sep, value.n - id.n - sep), UINT16_MAX, &index))
		return SP_EPROTO;
	u->index = (unsigned)index;
	return sp_slice_copy(id, u->instance, sizeof(u->instance)) ? SP_EPROTO : 0;
}

/* The first product of User-Agent. It is for people: what does not fit or is odd counts as absent. */
static void read_version(const struct sp_fields *f, struct sp_upgrade *u)
{
	struct sp_slice value = sp_fields_get(f, "User-Agent");
	const uint8_t *end = value.n > 0 ? memchr(value.p, ' ', value.n) : NULL;

	if (end)
		value.n = (size_t)(end - value.p);
	if (!is_visible(value) || sp_slice_copy(value, u->version, sizeof(u->version)))
		u->version[0] = '\0';
}

static bool has_upgrade_fields(const struct sp_fields *f)
{
	return sp_fields_has_token(f, "Connection", "Upgrade") && sp_fields_has_token(f, "Upgrade", SP_UPGRADE_TOKEN) &&
	       sp_fields_has_token(f, "ALPN", SP_ALPN_H2);
}

int sp_upgrade_request_read(const struct sp_http_request *r, struct sp_upgrade *out, const char **why_out)
{
	struct sp_upgrade u = { 0 };

	if (!sp_slice_eq_str(r->method, "GET") || r->form != SP_TARGET_ORIGIN ||
	    !sp_slice_eq_str(r->target, SP_UPGRADE_PATH))
		return refuse(why_out, "not GET " SP_UPGRADE_PATH);
	if (r->minor != 1)
		return refuse(why_out, "an upgrade needs HTTP/1.1");
	if (r->body != SP_BODY_NONE)
		return refuse(why_out, "an upgrade has no body");
	if (!has_upgrade_fields(&r->fields))
		return refuse(why_out, "needs Connection: Upgrade, Upgrade: " SP_UPGRADE_TOKEN " and ALPN: " SP_ALPN_H2);
	if (read_field(&r->fields, SP_FIELD_LOCATION, u.location, sizeof(u.location)) ||
	    !is_location(sp_slice_str(u.location)))
		return refuse(why_out, "bad " SP_FIELD_LOCATION);
	if (read_field(&r->fields, SP_FIELD_CONNECTOR_ID, u.connector_id, sizeof(u.connector_id)) ||
	    !is_visible(sp_slice_str(u.connector_id)))
		return refuse(why_out, "bad " SP_FIELD_CONNECTOR_ID);
	if (read_instance(&r->fields, &u))
		return refuse(why_out, "bad " SP_FIELD_INSTANCE);
	read_version(&r->fields, &u);
	*out = u;
	return 0;
}

int sp_upgrade_accept_write(struct sp_buf *b)
{
	return sp_buf_append_str(b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " SP_UPGRADE_TOKEN
				    "\r\nALPN: " SP_ALPN_H2 "\r\n\r\n");
}

long sp_upgrade_answer_parse(struct sp_slice in, unsigned *status_out, unsigned *retry_after_s_out,
			     struct sp_slice *proxy_status_out)
{
	struct sp_http_response r;
	uint64_t retry;
	long total = 0, n;
	int interim;

	if (in.n == 0)
		return 0;
	/* A 1xx other than 101 comes before the answer (RFC 9110 section 15.2): 100, 103. */
	for (interim = 0; interim <= ANSWER_MAX_INTERIM; interim++) {
		n = sp_http_response_parse(sp_slice_make(in.p + total, in.n - (size_t)total), ANSWER_MAX_BYTES, &r);
		if (n <= 0)
			return n;
		total += n;
		if (r.status >= 200 || r.status == 101)
			break;
	}
	if (r.status < 200 && (r.status != 101 || r.minor != 1 || !has_upgrade_fields(&r.fields)))
		return SP_EPROTO;
	/* A date in Retry-After counts as none. */
	if (sp_text_u64(sp_fields_get(&r.fields, "Retry-After"), UINT32_MAX, &retry))
		retry = 0;
	*status_out = r.status;
	*retry_after_s_out = (unsigned)retry;
	*proxy_status_out = sp_fields_get(&r.fields, "Proxy-Status");
	return total;
}
