/* Strict HTTP/1.1 heads. An incomplete head costs a scan for line ends and a look at its first bytes; its lines are read
 * once, when it is complete: a peer that sends single bytes cannot make us read its head again for each. What never
 * becomes a head (a bare LF, another protocol) is refused early all the same. Not here on purpose: obs-fold,
 * HTTP/0.9, chunked bodies. */
#include "codec/http1.h"

#include "base/error.h"
#include "base/must.h"
#include "base/text.h"

#define METHOD_MAX_BYTES 32

static int refuse(enum sp_http_refusal why)
{
	return sp_http_refuse(SP_EPROTO, why);
}

static int refuse_size(enum sp_http_refusal why)
{
	return sp_http_refuse(SP_ETOOBIG, why);
}

/* tchar of RFC 9110 section 5.6.2 */
static bool is_tchar(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       (c != 0 && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

bool sp_http_is_token(struct sp_slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is_tchar(s.p[i]))
			return false;
	return s.n > 0;
}

static struct sp_slice skip(struct sp_slice s, size_t n)
{
	return sp_slice_make(s.p + n, s.n - n);
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

/* Each line without its CRLF; the first one of a head is the request line or status line, a trailer section has none. */
static int check_line_size(size_t n, bool first, size_t max)
{
	if (n <= max)
		return 0;
	return refuse_size(first ? SP_HTTP_REFUSAL_START_LINE_SIZE : SP_HTTP_REFUSAL_FIELD_LINE_SIZE);
}

/* The length of the head with its empty line, 0 when there is no end yet, SP_EPROTO for a bare LF, SP_ETOOBIG for a line
 * above max_line bytes, even when its end has not come. */
static long find_end(struct sp_slice in, size_t max_line)
{
	size_t start = 0;

	while (start < in.n) {
		const uint8_t *lf = memchr(in.p + start, '\n', in.n - start);
		size_t end = lf ? (size_t)(lf - in.p) : in.n;
		int err;

		if (lf && (end == start || in.p[end - 1] != '\r'))
			return refuse(SP_HTTP_REFUSAL_BARE_LF);
		/* the last byte of an unfinished line may be its CR */
		err = check_line_size(end - start - 1, start == 0, max_line);
		if (err || !lf)
			return err;
		if (end == start + 1)
			return (long)(end + 1);
		start = end + 1;
	}
	return 0;
}

/* Takes one line; its CRLF is there, find_end() saw to that. */
static struct sp_slice take_line(struct sp_slice *in)
{
	const uint8_t *lf = memchr(in->p, '\n', in->n);
	size_t n;

	sp_must(lf && lf > in->p);
	n = (size_t)(lf - in->p);
	*in = skip(*in, n + 1);
	return sp_slice_make(lf - n, n - 1);
}

/* field-value without what is forbidden in it: control characters but HTAB (RFC 9110 section 5.5) */
bool sp_http_is_value(struct sp_slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool is_secret(struct sp_slice name)
{
	static const char *const names[] = {
		"authorization",
		"proxy-authorization",
		"cookie",
		"set-cookie",
		"sap-connectivity-authentication",
		"sap-connectivity-technical-authentication",
		"sap-cp-connectivity-service-token",
	};
	size_t i;

	for (i = 0; i < SP_COUNT_OF(names); i++)
		if (sp_slice_eq_str_nocase(name, names[i]))
			return true;
	return false;
}

/* field-line = field-name ":" OWS field-value OWS */
static int parse_field(struct sp_slice line, struct sp_fields *f)
{
	const uint8_t *colon;
	struct sp_slice name, value;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(SP_HTTP_REFUSAL_FOLD);
	colon = memchr(line.p, ':', line.n);
	if (!colon)
		return refuse(SP_HTTP_REFUSAL_NO_COLON);
	name = sp_slice_make(line.p, (size_t)(colon - line.p));
	value = sp_slice_trim(skip(line, name.n + 1));
	if (name.n > 0 && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		return refuse(SP_HTTP_REFUSAL_NAME_SPACE);
	if (!sp_http_is_token(name))
		return refuse(SP_HTTP_REFUSAL_NAME);
	if (!sp_http_is_value(value))
		return refuse(SP_HTTP_REFUSAL_VALUE);
	if (sp_fields_add(f, name, value))
		return refuse_size(SP_HTTP_REFUSAL_FIELD_COUNT);
	f->v[f->count - 1].secret = is_secret(name);
	return 0;
}

static int parse_fields(struct sp_slice lines, unsigned max, struct sp_fields *f)
{
	struct sp_slice line;
	int err = 0;

	f->count = 0;
	while (!err && (line = take_line(&lines)).n > 0)
		err = f->count < max ? parse_field(line, f) : refuse_size(SP_HTTP_REFUSAL_FIELD_COUNT);
	return err;
}

int sp_http_fields_parse(struct sp_slice lines, unsigned max, struct sp_fields *out)
{
	long end = find_end(lines, SIZE_MAX);

	if (end < 0)
		return (int)end;
	sp_must(end > 0 && (size_t)end == lines.n);
	return parse_fields(lines, max, out);
}

/* HTTP-version = "HTTP/1.0" or "HTTP/1.1" */
static int parse_version(struct sp_slice s, unsigned *minor)
{
	if (s.n != 8 || memcmp(s.p, "HTTP/1.", 7) != 0 || (s.p[7] != '0' && s.p[7] != '1'))
		return refuse(SP_HTTP_REFUSAL_VERSION);
	*minor = s.p[7] - '0';
	return 0;
}

/* ---- body ------------------------------------------------------------------------------------------------------- */

/* RFC 9112 section 6.3, without the cases it calls errors or leaves to taste. */
static int parse_body(const struct sp_fields *f, unsigned minor, enum sp_http_framing *body, bool *has_length, uint64_t *length)
{
	unsigned lengths = sp_fields_count(f, "Content-Length"), codings = sp_fields_count(f, "Transfer-Encoding");

	*length = 0;
	if (lengths > 0 && codings > 0)
		return refuse(SP_HTTP_REFUSAL_LENGTH_AND_CODING);
	if (lengths > 1)
		return refuse(SP_HTTP_REFUSAL_TWO_LENGTHS);
	if (codings > 1)
		return refuse(SP_HTTP_REFUSAL_TWO_CODINGS);
	if (codings > 0) {
		if (minor == 0)
			return refuse(SP_HTTP_REFUSAL_CODING_1_0);
		if (!sp_slice_eq_str_nocase(sp_fields_get(f, "Transfer-Encoding"), "chunked"))
			return refuse(SP_HTTP_REFUSAL_CODING);
		*body = SP_BODY_CHUNKED;
	}
	if (lengths > 0) {
		if (sp_text_u64(sp_fields_get(f, "Content-Length"), INT64_MAX, length))
			return refuse(SP_HTTP_REFUSAL_LENGTH);
		*body = SP_BODY_LENGTH;
		*has_length = true;
	}
	return 0;
}

/* ---- request ---------------------------------------------------------------------------------------------------- */

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), followed by "://"; its length or 0 */
static size_t scheme_length(struct sp_slice s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!alpha && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
			break;
	}
	return i > 0 && s.n - i >= 3 && memcmp(s.p + i, "://", 3) == 0 ? i : 0;
}

static uint16_t default_port(struct sp_slice scheme)
{
	if (sp_slice_eq_str_nocase(scheme, "http") || sp_slice_eq_str_nocase(scheme, "ws"))
		return 80;
	if (sp_slice_eq_str_nocase(scheme, "https") || sp_slice_eq_str_nocase(scheme, "wss"))
		return 443;
	return 0;
}

/* absolute-form = scheme "://" authority path-abempty [ "?" query ] */
static int parse_absolute(struct sp_http_request *r, size_t scheme)
{
	struct sp_slice rest = skip(r->target, scheme + 3);
	size_t n = 0;

	r->form = SP_TARGET_ABSOLUTE;
	r->scheme = sp_slice_make(r->target.p, scheme);
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	if (sp_authority_parse(sp_slice_make(rest.p, n), default_port(r->scheme), &r->authority))
		return refuse(SP_HTTP_REFUSAL_TARGET_AUTHORITY);
	r->path = skip(rest, n);
	if (r->path.n == 0) /* RFC 9112 section 3.2.4 for OPTIONS */
		r->path = sp_slice_eq_str(r->method, "OPTIONS") ? SP_SLICE("*") : SP_SLICE("/");
	else if (r->path.p[0] == '?')
		return refuse(SP_HTTP_REFUSAL_TARGET_PATH);
	return 0;
}

static int parse_target(struct sp_http_request *r)
{
	size_t i, scheme;

	if (r->target.n == 0)
		return refuse(SP_HTTP_REFUSAL_TARGET_EMPTY);
	for (i = 0; i < r->target.n; i++) {
		uint8_t c = r->target.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\')
			return refuse(SP_HTTP_REFUSAL_TARGET_CHARACTER);
	}
	if (sp_slice_eq_str(r->method, "CONNECT")) {
		r->form = SP_TARGET_AUTHORITY;
		if (sp_authority_parse(r->target, 0, &r->authority))
			return refuse(SP_HTTP_REFUSAL_CONNECT_TARGET);
		return 0;
	}
	if (r->target.p[0] == '/') {
		r->form = SP_TARGET_ORIGIN;
		r->path = r->target;
		return 0;
	}
	if (sp_slice_eq_str(r->target, "*") && sp_slice_eq_str(r->method, "OPTIONS")) {
		r->form = SP_TARGET_ASTERISK;
		r->path = r->target;
		return 0;
	}
	scheme = scheme_length(r->target);
	if (scheme == 0)
		return refuse(SP_HTTP_REFUSAL_TARGET_FORM);
	return parse_absolute(r, scheme);
}

/* request-line = method SP request-target SP HTTP-version; check_beginning() has read the method */
static int parse_request_line(struct sp_slice line, struct sp_http_request *r)
{
	const uint8_t *end = memchr(line.p, ' ', line.n);
	struct sp_slice rest;
	int err;

	sp_must(end);
	r->method = sp_slice_make(line.p, (size_t)(end - line.p));
	rest = skip(line, r->method.n + 1);
	end = memchr(rest.p, ' ', rest.n);
	if (!end)
		return refuse(SP_HTTP_REFUSAL_NO_VERSION);
	r->target = sp_slice_make(rest.p, (size_t)(end - rest.p));
	err = parse_version(skip(rest, r->target.n + 1), &r->minor);
	return err ? err : parse_target(r);
}

/* RFC 9112 section 3.2: exactly one Host in 1.1. Section 3.2.2: the authority of an absolute form wins over Host, which the
 * serialiser writes anew; a Host that is no host:port is refused all the same. CONNECT: both must name the same. */
static int check_host(struct sp_http_request *r)
{
	unsigned count = sp_fields_count(&r->fields, "Host");
	struct sp_authority host;
	uint16_t port = 80;

	if (count > 1)
		return refuse(SP_HTTP_REFUSAL_TWO_HOSTS);
	if (count == 0)
		return r->minor == 0 ? 0 : refuse(SP_HTTP_REFUSAL_NO_HOST);
	if (r->form == SP_TARGET_ABSOLUTE)
		port = default_port(r->scheme);
	if (r->form == SP_TARGET_AUTHORITY)
		port = r->authority.port; /* published clients leave the port out of Host here */
	if (sp_authority_parse(sp_fields_get(&r->fields, "Host"), port, &host))
		return refuse(SP_HTTP_REFUSAL_HOST);
	if (r->form == SP_TARGET_AUTHORITY && !sp_authority_eq(&host, &r->authority))
		return refuse(SP_HTTP_REFUSAL_HOST_DIFFERS);
	if (r->form != SP_TARGET_ABSOLUTE)
		r->authority = host;
	return 0;
}

static int check_request(struct sp_http_request *r)
{
	int err = check_host(r);

	r->body = SP_BODY_NONE;
	if (!err)
		err = parse_body(&r->fields, r->minor, &r->body, &r->has_length, &r->content_length);
	if (!err && r->form == SP_TARGET_AUTHORITY && r->body != SP_BODY_NONE)
		return refuse(SP_HTTP_REFUSAL_CONNECT_BODY);
	return err;
}

/* May these bytes become a request? A method stands before the first SP. Tells TLS apart before a line ends. */
static int check_beginning(struct sp_slice in)
{
	size_t i;

	for (i = 0; i < in.n && in.p[i] != ' '; i++) {
		if (i > 0 && in.p[i] == '\r')
			return refuse(SP_HTTP_REFUSAL_NO_TARGET);
		if (i >= METHOD_MAX_BYTES || !is_tchar(in.p[i]))
			return refuse(SP_HTTP_REFUSAL_METHOD);
	}
	return in.n > 0 && i == 0 ? refuse(SP_HTTP_REFUSAL_METHOD) : 0;
}

static int read_request(struct sp_slice lines, unsigned max, struct sp_http_request *r)
{
	int err;

	memset(r, 0, offsetof(struct sp_http_request, fields));
	err = parse_request_line(take_line(&lines), r);
	if (!err)
		err = parse_fields(lines, max, &r->fields);
	return err ? err : check_request(r);
}

/* As many bytes as a head may have, and no end: the request line alone, or all of it? */
static int refuse_head(struct sp_slice in)
{
	return refuse_size(in.n > 0 && memchr(in.p, '\n', in.n) ? SP_HTTP_REFUSAL_HEAD_SIZE :
								   SP_HTTP_REFUSAL_START_LINE_SIZE);
}

long sp_http_request_parse(struct sp_slice in, size_t max_bytes, struct sp_http_request *out)
{
	const struct sp_http_limits l = { max_bytes, max_bytes, SP_HTTP_FIELDS_DEFAULT };

	return sp_http_request_read(in, &l, out);
}

long sp_http_request_read(struct sp_slice in, const struct sp_http_limits *l, struct sp_http_request *out)
{
	long skipped = 0, end;
	bool full = in.n >= l->head_bytes;
	int err;

	if (full)
		in.n = l->head_bytes;
	if (in.n > 0 && in.p[0] == '\r') {
		if (in.n > 1 && in.p[1] != '\n')
			return refuse(SP_HTTP_REFUSAL_BARE_CR);
		skipped = in.n > 1 ? 2 : 1;
		in = skip(in, (size_t)skipped);
	}
	err = check_beginning(in);
	end = err ? err : find_end(in, l->line_bytes);
	if (end == 0)
		return full ? refuse_head(in) : 0;
	err = end < 0 ? (int)end : read_request(sp_slice_make(in.p, (size_t)end), l->fields, out);
	return err ? err : skipped + end;
}

/* ---- response --------------------------------------------------------------------------------------------------- */

/* status-line = HTTP-version SP status-code SP [ reason-phrase ]; servers that leave out the last SP are many */
static int parse_status_line(struct sp_slice line, struct sp_http_response *r)
{
	uint64_t status;
	int err = parse_version(sp_slice_make(line.p, line.n < 8 ? line.n : 8), &r->minor);

	if (err)
		return err;
	if (line.n < 12 || line.p[8] != ' ' || sp_text_u64(sp_slice_make(line.p + 9, 3), 599, &status) || status < 100)
		return refuse(SP_HTTP_REFUSAL_STATUS);
	if (line.n > 12 && line.p[12] != ' ')
		return refuse(SP_HTTP_REFUSAL_STATUS);
	r->status = (unsigned)status;
	r->reason = line.n > 12 ? skip(line, 13) : SP_SLICE("");
	return sp_http_is_value(r->reason) ? 0 : refuse(SP_HTTP_REFUSAL_REASON);
}

static int check_response(struct sp_http_response *r)
{
	bool bodiless = r->status < 200 || r->status == 204 || r->status == 304;
	int err;

	r->body = SP_BODY_UNTIL_CLOSE;
	err = parse_body(&r->fields, r->minor, &r->body, &r->has_length, &r->content_length);
	if (err)
		return err;
	if (bodiless && r->status != 304 && r->body == SP_BODY_CHUNKED)
		return refuse(SP_HTTP_REFUSAL_CODING_BODILESS);
	if (bodiless)
		r->body = SP_BODY_NONE;
	return 0;
}

static int read_response(struct sp_slice lines, unsigned max, struct sp_http_response *r)
{
	int err;

	memset(r, 0, offsetof(struct sp_http_response, fields));
	err = parse_status_line(take_line(&lines), r);
	if (!err)
		err = parse_fields(lines, max, &r->fields);
	return err ? err : check_response(r);
}

long sp_http_response_parse(struct sp_slice in, size_t max_bytes, struct sp_http_response *out)
{
	const struct sp_http_limits l = { max_bytes, max_bytes, SP_HTTP_FIELDS_DEFAULT };

	return sp_http_response_read(in, &l, out);
}

long sp_http_response_read(struct sp_slice in, const struct sp_http_limits *l, struct sp_http_response *out)
{
	static const char beginning[] = "HTTP/1.";
	const size_t n = sizeof(beginning) - 1;
	bool full = in.n >= l->head_bytes;
	long end;
	int err;

	if (full)
		in.n = l->head_bytes;
	if (in.n > 0 && memcmp(in.p, beginning, in.n < n ? in.n : n) != 0)
		return refuse(SP_HTTP_REFUSAL_VERSION);
	end = find_end(in, l->line_bytes);
	if (end == 0)
		return full ? refuse_size(SP_HTTP_REFUSAL_HEAD_SIZE) : 0;
	err = end < 0 ? (int)end : read_response(sp_slice_make(in.p, (size_t)end), l->fields, out);
	return err ? err : end;
}
