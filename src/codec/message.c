/* See message.h. */
#include "codec/message.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/secret.h"
#include "base/text.h"

/* ---- owned copies ------------------------------------------------------------------------------------------------ */

/* Of r there is as much as it has fields; the bytes of all texts come after it. None can be added to it. */
struct block {
	size_t used, size;
	uint8_t *bytes;
	struct sp_msg_request r; /* last */
};

static struct block *block_of(struct sp_msg_request *r)
{
	return SP_CONTAINER_OF(r, struct block, r);
}

static struct sp_slice keep(struct block *b, struct sp_slice s)
{
	uint8_t *at = b->bytes + b->used;

	if (!s.p)
		return SP_SLICE_NONE;
	memcpy(at, s.p, s.n);
	b->used += s.n;
	return sp_slice_make(at, s.n);
}

/* from's slices are borrowed; the copy's are its own. */
static int copy_of(const struct sp_msg_request *from, struct sp_msg_request **out)
{
	size_t size = from->method.n + from->path.n + from->protocol.n;
	size_t before = offsetof(struct block, r.fields.v) + from->fields.count * sizeof(from->fields.v[0]);
	struct block *b;
	unsigned i;

	for (i = 0; i < from->fields.count; i++)
		size += from->fields.v[i].name.n + from->fields.v[i].value.n;
	b = malloc(before + size);
	if (!b)
		return SP_ENOMEM;
	b->bytes = (uint8_t *)b + before;
	b->used = 0;
	b->size = size;
	b->r.method = keep(b, from->method);
	b->r.path = keep(b, from->path);
	b->r.protocol = keep(b, from->protocol);
	b->r.has_body = from->has_body;
	b->r.has_length = from->has_length;
	b->r.expects = from->expects;
	b->r.length = from->length;
	b->r.fields.count = from->fields.count;
	for (i = 0; i < from->fields.count; i++)
		b->r.fields.v[i] = (struct sp_field){ keep(b, from->fields.v[i].name), keep(b, from->fields.v[i].value),
						      from->fields.v[i].secret };
	*out = &b->r;
	return 0;
}

void sp_msg_request_free(struct sp_msg_request **r)
{
	struct block *b = *r ? block_of(*r) : NULL;

	*r = NULL;
	if (!b)
		return;
	sp_wipe(b->bytes, b->size);
	free(b);
}

/* ---- from HTTP/1.1 ----------------------------------------------------------------------------------------------- */

static void drop_framing(struct sp_fields *f)
{
	sp_fields_remove(f, "host");
	sp_fields_remove(f, "content-length");
	sp_fields_remove(f, "expect");
}

int sp_msg_request_from_http1(const struct sp_http_request *r, struct sp_msg_request **out)
{
	struct sp_msg_request q;
	int err;

	q.method = r->method;
	q.path = r->path;
	if (q.path.n == 0) /* RFC 9112 section 3.2.4 */
		q.path = sp_slice_eq_str(r->method, "OPTIONS") ? SP_SLICE("*") : SP_SLICE("/");
	q.protocol = sp_http_upgrade(r);
	if (!sp_http_is_token(q.protocol) || sp_slice_eq_str_nocase(q.protocol, "h2c"))
		q.protocol = SP_SLICE_NONE; /* ignored, as RFC 9110 section 7.8 allows; ":protocol" has no versions */
	q.has_length = r->has_length;
	q.length = r->content_length;
	q.has_body = r->body == SP_BODY_CHUNKED || (r->body == SP_BODY_LENGTH && r->content_length > 0);
	q.expects = sp_http_expects(r) == SP_EXPECT_CONTINUE;
	sp_fields_copy(&q.fields, &r->fields);
	err = sp_http_filter(&q.fields, SP_HTTP_INTO_TUNNEL);
	if (err < 0)
		return err;
	drop_framing(&q.fields);
	err = sp_http_via_add(&q.fields, r->minor);
	return err < 0 ? err : copy_of(&q, out);
}

int sp_msg_response_from_http1(const struct sp_http_response *r, struct sp_slice method, struct sp_msg_response *out)
{
	enum sp_http_framing framing = sp_http_response_framing(r, method);
	int err;

	out->status = r->status;
	out->switched = framing == SP_BODY_TUNNEL;
	out->ended = framing == SP_BODY_NONE || (framing == SP_BODY_LENGTH && r->content_length == 0);
	out->has_length = r->has_length;
	out->length = r->content_length;
	out->outcome = SP_OUTCOME_OK;
	sp_fields_copy(&out->fields, &r->fields);
	err = sp_http_filter(&out->fields, SP_HTTP_FROM_ORIGIN);
	if (err < 0)
		return err;
	sp_fields_remove(&out->fields, "host");
	sp_fields_remove(&out->fields, "content-length");
	return sp_http_via_add(&out->fields, r->minor);
}

/* ---- long values in HTTP/2 ---------------------------------------------------------------------------------------
 *
 * HPACK decoders bound a string (nghttp2: 64 KiB, and the connection ends above it). A longer value goes on in fields
 * of a name of ours, right after its own; right after the pseudo-fields they go on with :path. */

#define CONTINUED "sallyport-continued"
#define STRING_MAX_BYTES (48u * 1024)

static int add_long(struct sp_fields *out, struct sp_slice name, struct sp_slice value, bool secret)
{
	size_t n = value.n < STRING_MAX_BYTES ? value.n : STRING_MAX_BYTES;
	int err = sp_fields_add(out, name, sp_slice_make(value.p, n));

	if (err == 0)
		out->v[out->count - 1].secret = secret;
	if (err == 0 && n < value.n)
		err = add_long(out, SP_SLICE(CONTINUED), sp_slice_make(value.p + n, value.n - n), secret);
	return err;
}

static bool is_long(const struct sp_fields *f)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->v[i].value.n > STRING_MAX_BYTES)
			return true;
	return false;
}

/* Puts values together again, in memory of *mem_out, which the caller frees. 0, SP_EPROTO or SP_ENOMEM. */
static int join(const struct sp_fields *in, struct sp_fields *out, char **mem_out)
{
	size_t total = 1, used = 0;
	struct sp_field *last = NULL;

	for (unsigned i = 0; i < in->count; i++)
		total += in->v[i].value.n;
	*mem_out = malloc(total);
	if (!*mem_out)
		return SP_ENOMEM;
	out->count = 0;
	for (unsigned i = 0; i < in->count; i++) {
		const struct sp_field *f = &in->v[i];

		if (!sp_slice_eq_str(f->name, CONTINUED)) {
			out->v[out->count++] = *f;
			if (f->name.n == 0 || f->name.p[0] != ':' || sp_slice_eq_str(f->name, ":path"))
				last = &out->v[out->count - 1];
			continue;
		}
		if (!last || f->value.n == 0)
			return sp_http_refuse(SP_EPROTO, SP_HTTP_REFUSAL_H2_NAME);
		/* Its first piece is elsewhere. */
		if (last->value.p != (const uint8_t *)*mem_out + used - last->value.n || used == 0) {
			memcpy(*mem_out + used, last->value.p, last->value.n);
			last->value.p = (const uint8_t *)*mem_out + used;
			used += last->value.n;
		}
		memcpy(*mem_out + used, f->value.p, f->value.n);
		used += f->value.n;
		last->value.n += f->value.n;
	}
	return 0;
}

/* ---- from HTTP/2 ------------------------------------------------------------------------------------------------- */

static int refuse(enum sp_http_refusal why)
{
	return sp_http_refuse(SP_EPROTO, why);
}

static bool is_h2_name(struct sp_slice name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (name.p[i] >= 'A' && name.p[i] <= 'Z')
			return false;
	return sp_http_is_token(name);
}

static int take_pseudo(struct sp_msg_request *q, const struct sp_field *f, unsigned *seen, struct sp_slice *scheme)
{
	static const char *const names[] = { ":method", ":path", ":protocol", ":scheme", ":authority", NULL };
	struct sp_slice unused, *const to[] = { &q->method, &q->path, &q->protocol, scheme, &unused };
	unsigned i = 0;

	while (names[i] && !sp_slice_eq_str(f->name, names[i]))
		i++;
	if (!names[i])
		return refuse(SP_HTTP_REFUSAL_H2_PSEUDO_UNKNOWN);
	if (*seen & 1u << i)
		return refuse(SP_HTTP_REFUSAL_H2_PSEUDO_TWICE);
	*seen |= 1u << i;
	*to[i] = f->value;
	return 0;
}

static int take_field(struct sp_msg_request *q, const struct sp_field *f)
{
	if (!is_h2_name(f->name))
		return refuse(SP_HTTP_REFUSAL_H2_NAME);
	if (!sp_http_is_value(f->value) || sp_slice_trim(f->value).n != f->value.n)
		return refuse(SP_HTTP_REFUSAL_H2_VALUE);
	if (sp_slice_eq_str(f->name, "expect"))
		q->expects = sp_slice_eq_str_nocase(f->value, "100-continue");
	if (sp_slice_eq_str(f->name, "content-length")) {
		if (q->has_length || sp_text_u64(f->value, INT64_MAX, &q->length) < 0)
			return refuse(q->has_length ? SP_HTTP_REFUSAL_TWO_LENGTHS : SP_HTTP_REFUSAL_LENGTH);
		q->has_length = true;
		return 0;
	}
	q->fields.v[q->fields.count++] = *f;
	return 0;
}

/* A path in origin form: what a request line may hold. */
static bool is_path(const struct sp_msg_request *q)
{
	size_t i;

	if (sp_slice_eq_str(q->path, "*"))
		return sp_slice_eq_str(q->method, "OPTIONS");
	for (i = 0; i < q->path.n; i++)
		if (q->path.p[i] <= ' ' || q->path.p[i] >= 0x7f || q->path.p[i] == '#')
			return false;
	return q->path.n > 0 && q->path.p[0] == '/';
}

static int check_pseudo(struct sp_msg_request *q, struct sp_slice scheme)
{
	if (!q->method.p || !q->path.p || !scheme.p)
		return refuse(SP_HTTP_REFUSAL_H2_PSEUDO_MISSING);
	if (!sp_http_is_token(q->method))
		return refuse(SP_HTTP_REFUSAL_METHOD);
	if (!sp_slice_eq_str(scheme, "http"))
		return refuse(SP_HTTP_REFUSAL_H2_SCHEME);
	if (!is_path(q))
		return refuse(SP_HTTP_REFUSAL_H2_PATH);
	if (sp_slice_eq_str(q->method, "CONNECT") != (q->protocol.p != NULL) ||
	    (q->protocol.p && !sp_http_is_token(q->protocol)))
		return refuse(SP_HTTP_REFUSAL_H2_PROTOCOL);
	return 0;
}

static int from_http2(const struct sp_fields *head, bool has_body, struct sp_msg_request **out)
{
	struct sp_slice scheme = SP_SLICE_NONE;
	struct sp_msg_request q;
	unsigned i, seen = 0;
	int err = 0;

	q.method = q.path = q.protocol = SP_SLICE_NONE;
	q.has_body = has_body;
	q.has_length = q.expects = false;
	q.length = 0;
	q.fields.count = 0;
	for (i = 0; i < head->count && err == 0; i++) {
		const struct sp_field *f = &head->v[i];

		if (f->name.n > 0 && f->name.p[0] == ':')
			err = q.fields.count > 0 ? refuse(SP_HTTP_REFUSAL_H2_PSEUDO_ORDER)
						 : take_pseudo(&q, f, &seen, &scheme);
		else
			err = take_field(&q, f);
	}
	if (err == 0)
		err = check_pseudo(&q, scheme);
	if (err == 0 && q.has_length && q.length > 0 && !has_body)
		err = refuse(SP_HTTP_REFUSAL_BODY_TOO_SHORT);
	if (err == 0)
		err = sp_http_filter(&q.fields, SP_HTTP_INTO_TUNNEL);
	if (err < 0)
		return err;
	drop_framing(&q.fields);
	if (q.protocol.p) {
		q.method = SP_SLICE("GET"); /* RFC 8441 section 5.1: what it stands for */
		q.has_body = false;
	}
	return copy_of(&q, out);
}

int sp_msg_request_from_http2(const struct sp_fields *head, bool has_body, struct sp_msg_request **out)
{
	struct sp_fields joined;
	char *mem = NULL;
	int err;

	if (!sp_fields_get(head, CONTINUED).p)
		return from_http2(head, has_body, out);
	err = join(head, &joined, &mem);
	if (err == 0)
		err = from_http2(&joined, has_body, out);
	free(mem);
	return err;
}

void sp_msg_response_from_http2(unsigned status, const struct sp_fields *head, bool ended, struct sp_msg_response *out)
{
	unsigned i;

	out->status = status;
	out->switched = false;
	out->ended = ended;
	out->has_length = sp_text_u64(sp_fields_get(head, "content-length"), INT64_MAX, &out->length) == 0;
	out->outcome = SP_OUTCOME_OK;
	out->fields.count = 0;
	for (i = 0; i < head->count; i++)
		if (head->v[i].name.n > 0 && head->v[i].name.p[0] != ':' &&
		    !sp_slice_eq_str(head->v[i].name, "content-length"))
			out->fields.v[out->fields.count++] = head->v[i];
}

/* ---- to HTTP/2 --------------------------------------------------------------------------------------------------- */

static int add_all(const struct sp_fields *from, struct sp_fields *to)
{
	if (to->count + from->count > SP_FIELDS_MAX)
		return SP_ETOOBIG;
	memcpy(&to->v[to->count], from->v, from->count * sizeof(from->v[0]));
	to->count += from->count;
	return 0;
}

static int add_length(uint64_t length, char scratch[SP_LENGTH_TEXT_SIZE], struct sp_fields *out)
{
	snprintf(scratch, SP_LENGTH_TEXT_SIZE, "%llu", (unsigned long long)length);
	return sp_fields_add(out, SP_SLICE("content-length"), sp_slice_str(scratch));
}

int sp_msg_request_to_http2(const struct sp_msg_request *r, const char *authority, bool extended,
			    char scratch[SP_LENGTH_TEXT_SIZE], struct sp_fields *out)
{
	bool switches = extended && r->protocol.p;
	int err;

	out->count = 0;
	sp_fields_add(out, SP_SLICE(":method"), switches ? SP_SLICE("CONNECT") : r->method);
	if (switches)
		sp_fields_add(out, SP_SLICE(":protocol"), r->protocol);
	sp_fields_add(out, SP_SLICE(":scheme"), SP_SLICE("http"));
	sp_fields_add(out, SP_SLICE(":authority"), sp_slice_str(authority));
	err = add_long(out, SP_SLICE(":path"), r->path, false);
	if (err == 0 && !is_long(&r->fields))
		err = add_all(&r->fields, out);
	else
		for (unsigned i = 0; i < r->fields.count && err == 0; i++)
			err = add_long(out, r->fields.v[i].name, r->fields.v[i].value, r->fields.v[i].secret);
	if (err == 0 && r->expects)
		err = sp_fields_add(out, SP_SLICE("expect"), SP_SLICE("100-continue"));
	if (err == 0 && r->has_length && !switches)
		err = add_length(r->length, scratch, out);
	return err;
}

int sp_msg_response_to_http2(const struct sp_msg_response *r, char scratch[SP_LENGTH_TEXT_SIZE], struct sp_fields *out)
{
	out->count = 0;
	if (add_all(&r->fields, out) < 0)
		return SP_ETOOBIG;
	/* RFC 9110 section 8.6: neither in a 204 nor where the protocol was switched */
	return r->has_length && !r->switched && r->status != 204 ? add_length(r->length, scratch, out) : 0;
}

/* ---- to HTTP/1.1 ------------------------------------------------------------------------------------------------- */

enum sp_http_framing sp_msg_request_framing(const struct sp_msg_request *r)
{
	if (r->protocol.p)
		return SP_BODY_NONE;
	if (r->has_length)
		return SP_BODY_LENGTH;
	return r->has_body ? SP_BODY_CHUNKED : SP_BODY_NONE;
}

enum sp_http_framing sp_msg_response_framing(const struct sp_msg_response *r, struct sp_slice method, unsigned minor)
{
	if (r->switched)
		return SP_BODY_TUNNEL;
	if (r->status == 204 || r->status == 304 || sp_slice_eq_str(method, "HEAD"))
		return SP_BODY_NONE;
	if (r->has_length || r->ended)
		return SP_BODY_LENGTH;
	return minor >= 1 ? SP_BODY_CHUNKED : SP_BODY_UNTIL_CLOSE;
}

/* With one look at the buffer's room. */
static int append_all(struct sp_buf *b, const struct sp_slice *v, unsigned n)
{
	size_t total = 0;
	uint8_t *p;
	unsigned i;

	for (i = 0; i < n; i++)
		total += v[i].n;
	if (sp_buf_reserve(b, total, &p) < 0)
		return SP_ENOMEM;
	for (i = 0; i < n; i++) {
		if (v[i].n > 0)
			memcpy(p, v[i].p, v[i].n);
		p += v[i].n;
	}
	sp_buf_commit(b, total);
	return 0;
}

static int write_field(struct sp_buf *b, struct sp_slice name, struct sp_slice value)
{
	if (!sp_http_is_token(name) || !sp_http_is_value(value))
		return SP_EINVAL;
	return append_all(b, (const struct sp_slice[]){ name, SP_SLICE(": "), value, SP_SLICE("\r\n") }, 4);
}

static int write_fields(struct sp_buf *b, const struct sp_fields *f)
{
	size_t total = 256; /* what else a head has, as a rule */
	uint8_t *p;
	unsigned i;
	int err;

	for (i = 0; i < f->count; i++)
		total += f->v[i].name.n + f->v[i].value.n + 4;
	err = sp_buf_reserve(b, total, &p); /* at once, for it does not grow so many times */

	for (i = 0; i < f->count && err == 0; i++)
		err = write_field(b, f->v[i].name, f->v[i].value);
	return err;
}

/* The part of a connection's own fields that both heads have. */
static int write_hop(struct sp_buf *b, enum sp_http_framing framing, bool has_length, uint64_t length,
		     struct sp_slice upgrade, bool close)
{
	int err = 0;

	if (framing == SP_BODY_CHUNKED)
		err = sp_buf_append_str(b, "Transfer-Encoding: chunked\r\n");
	else if (has_length)
		err = sp_buf_printf(b, "Content-Length: %llu\r\n", (unsigned long long)length);
	if (err == 0 && upgrade.p)
		err = sp_buf_printf(b, "Upgrade: %.*s\r\nConnection: Upgrade\r\n", SP_SLICE_ARG(upgrade));
	else if (err == 0 && close)
		err = sp_buf_append_str(b, "Connection: close\r\n");
	return err;
}

static int finish(struct sp_buf *b, size_t before, int err)
{
	if (err == 0)
		err = sp_buf_append_str(b, "\r\n");
	if (err < 0)
		b->len = before;
	return err;
}

int sp_msg_request_write(const struct sp_msg_request *r, struct sp_slice host, const struct sp_fields *fields,
			 struct sp_buf *b)
{
	enum sp_http_framing framing = sp_msg_request_framing(r);
	size_t before = b->len;
	int err;

	if (!sp_http_is_token(r->method) || !is_path(r) || !sp_http_is_value(host) ||
	    (r->protocol.p && !sp_http_is_token(r->protocol)))
		return SP_EINVAL;
	err = append_all(b,
			 (const struct sp_slice[]){ r->method, SP_SLICE(" "), r->path, SP_SLICE(" HTTP/1.1\r\nHost: "),
						    host, SP_SLICE("\r\n") },
			 6);
	if (err == 0)
		err = write_fields(b, fields);
	if (err == 0 && r->expects)
		err = sp_buf_append_str(b, "Expect: 100-continue\r\n");
	if (err == 0 && sp_fields_has_token(fields, "te", "trailers"))
		err = sp_buf_append_str(b, "Connection: TE\r\n");
	if (err == 0)
		err = write_hop(b, framing, framing == SP_BODY_LENGTH, r->length, r->protocol, false);
	return finish(b, before, err);
}

int sp_msg_response_write(const struct sp_msg_response *r, const struct sp_msg_response_line *how, struct sp_buf *b)
{
	size_t before = b->len;
	unsigned status = r->switched ? 101 : r->status;
	bool length =
	    how->framing == SP_BODY_LENGTH || (how->framing == SP_BODY_NONE && r->has_length && status != 204);
	int err;

	if (status < (r->switched ? 101 : 200) || status > 999 || (how->upgrade.p && !sp_http_is_token(how->upgrade)))
		return SP_EINVAL;
	err = sp_buf_printf(b, "HTTP/1.1 %u %s\r\n", status, sp_http_reason(status));
	if (err == 0)
		err = write_fields(b, &r->fields);
	if (err == 0)
		err = write_hop(b, how->framing, length, r->has_length ? r->length : 0,
				r->switched ? how->upgrade : SP_SLICE_NONE, how->close);
	return finish(b, before, err);
}

int sp_msg_interim_write(unsigned status, const struct sp_fields *fields, struct sp_buf *b)
{
	size_t before = b->len;
	int err;

	if (status < 100 || status > 199 || status == 101)
		return SP_EINVAL;
	err = sp_buf_printf(b, "HTTP/1.1 %u %s\r\n", status, sp_http_reason(status));
	if (err == 0)
		err = write_fields(b, fields);
	return finish(b, before, err);
}
