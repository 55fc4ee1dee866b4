/* See answer.h. */
#include "front/answer.h"

#include "base/text.h"

/* What a client may be told about an outcome; what it named itself is added where it helps. */
static const char *sentence(enum sp_outcome o)
{
	switch (o) {
	case SP_OUTCOME_OK:
		return "Connected";
	case SP_OUTCOME_NO_CREDENTIAL:
		return "This proxy needs a credential";
	case SP_OUTCOME_BAD_CREDENTIAL:
		return "The credential was not accepted";
	case SP_OUTCOME_EXPIRED_CREDENTIAL:
	case SP_OUTCOME_IDENTITY_EXPIRED:
		return "The credential has expired";
	case SP_OUTCOME_FORBIDDEN:
		return "The caller may not use this proxy";
	case SP_OUTCOME_TENANT_UNKNOWN:
		return "No tenant could be found for the caller";
	case SP_OUTCOME_TENANT_CONFLICT:
		return "The credential belongs to another tenant";
	case SP_OUTCOME_NOT_EXPOSED:
	case SP_OUTCOME_PATH_DENIED:
		return "Access denied to";
	case SP_OUTCOME_NO_CONNECTOR:
		return "No connector is connected for";
	case SP_OUTCOME_UNREACHABLE:
		return "The target cannot be reached";
	case SP_OUTCOME_DNS:
		return "The target's name cannot be resolved";
	case SP_OUTCOME_REFUSED:
		return "The target refused the connection";
	case SP_OUTCOME_TIMEOUT:
		return "The target did not answer in time";
	case SP_OUTCOME_TUNNEL_LOST:
		return "The connection towards the target was lost";
	case SP_OUTCOME_TLS:
	case SP_OUTCOME_TLS_CERTIFICATE:
		return "No secure connection towards the target could be made";
	case SP_OUTCOME_LIMIT:
		return "A limit of this proxy is reached";
	case SP_OUTCOME_UNAVAILABLE:
		return "The caller cannot be checked at the moment";
	case SP_OUTCOME_COMMAND:
	case SP_OUTCOME_ADDRESS_TYPE:
	case SP_OUTCOME_NOT_IMPLEMENTED:
		return "The request is not supported";
	case SP_OUTCOME_BAD_REQUEST:
		return "The request is not valid";
	case SP_OUTCOME_URI_TOO_LONG:
		return "The request line is too long";
	case SP_OUTCOME_HEAD_TOO_LARGE:
		return "The request head is too large";
	case SP_OUTCOME_BODY_TOO_LARGE:
		return "The request's body is too long";
	case SP_OUTCOME_REQUEST_TIMEOUT:
		return "The request's body did not come in time";
	case SP_OUTCOME_LOOP:
		return "The request came through this proxy again and again";
	case SP_OUTCOME_GATEWAY_AUTH:
		return "The gateway did not accept this proxy";
	case SP_OUTCOME_NO_GATEWAY_CREDENTIAL:
		return "This proxy has no credential for the gateway at the moment";
	case SP_OUTCOME_PROTOCOL:
		return "The far side broke the protocol";
	case SP_OUTCOME_SHUTDOWN:
		return "This proxy is shutting down";
	case SP_OUTCOME_UNKNOWN:
	case SP_OUTCOME_CLIENT_GONE:
	case SP_OUTCOME_COUNT:
		break;
	}
	return "The request failed";
}

/* A tenant comes from a token, a location from a client: text/plain gets neither line ends nor controls. */
static const char *printable(const char *s, const char *none)
{
	return s && s[0] && sp_utf8_is_printable(sp_slice_str(s)) ? s : none;
}

/* What is between them may be a secret. */
static struct sp_slice without_query(struct sp_slice path)
{
	const uint8_t *query = path.n > 0 ? memchr(path.p, '?', path.n) : NULL;

	return query ? sp_slice_make(path.p, (size_t)(query - path.p)) : path;
}

int sp_answer_sentence(struct sp_buf *b, const struct sp_exchange *x)
{
	char target[SP_AUTHORITY_SIZE];

	if (x->outcome == SP_OUTCOME_NOT_EXPOSED)
		return sp_buf_printf(b, x->request ? "%s system %s" : "%s %s", sentence(x->outcome),
				     sp_authority_text(&x->target, target));
	if (x->outcome == SP_OUTCOME_PATH_DENIED && x->request)
		return sp_buf_printf(b, "%s resource %.*s on system %s", sentence(x->outcome), SP_SLICE_ARG(without_query(x->request->path)),
				     sp_authority_text(&x->target, target));
	if (x->outcome == SP_OUTCOME_NO_CONNECTOR)
		return sp_buf_printf(b, "%s tenant %s, %s%s", sentence(x->outcome), printable(x->identity.tenant, "(none)"),
				     x->location[0] ? "location " : "no location", printable(x->location, ""));
	return sp_buf_append_str(b, sentence(x->outcome));
}

/* ---- Proxy-Status --------------------------------------------------------------- */

static bool is_field_text(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

int sp_answer_proxy_status(struct sp_buf *b, const struct sp_exchange *x)
{
	bool far = x->proxy_status[0] && is_field_text(x->proxy_status);
	char ours[128];

	if (sp_proxy_status_write(SP_PROXY_NAME, x->outcome, ours, sizeof(ours)) < 0)
		ours[0] = '\0';
	return sp_buf_printf(b, "%s%s%s", far ? x->proxy_status : "", far && ours[0] ? ", " : "", ours);
}

/* ---- the response ------------------------------------------------------------------ */

#define RETRY_SOON_S 1
#define RETRY_LATER_S 5

unsigned sp_answer_retry_after_s(enum sp_outcome o)
{
	switch (sp_outcome_row(o)->http_status) {
	case 429:
		return RETRY_SOON_S;
	case 503:
		return RETRY_LATER_S;
	default:
		return 0;
	}
}

static int add_challenges(struct sp_buf *b, enum sp_outcome o, bool basic)
{
	/* RFC 6750 section 3.1: no error code when no credential was sent. */
	const char *error = o == SP_OUTCOME_NO_CREDENTIAL ? "" : ", error=\"invalid_token\"";
	int err = sp_buf_printf(b, "Proxy-Authenticate: Bearer realm=\"" SP_PROXY_NAME "\"%s\r\n", error);

	if (err == 0 && basic)
		err = sp_buf_append_str(b, "Proxy-Authenticate: Basic realm=\"" SP_PROXY_NAME "\", charset=\"UTF-8\"\r\n");
	return err;
}

static int add_status_field(struct sp_buf *b, const struct sp_exchange *x)
{
	struct sp_buf value = { 0 };
	int err = sp_answer_proxy_status(&value, x);

	if (err == 0 && value.len > 0)
		err = sp_buf_printf(b, "Proxy-Status: %.*s\r\n", SP_SLICE_ARG(sp_buf_data(&value)));
	sp_buf_deinit(&value);
	return err;
}

int sp_answer_content(struct sp_buf *b, const struct sp_exchange *x, const char *hint, enum sp_problem_format format)
{
	struct sp_problem p = { .status = sp_outcome_row(x->outcome)->http_status, .word = sp_outcome_row(x->outcome)->word,
				.exchange = x->id };
	struct sp_buf sentence = { 0 };
	int err = hint ? sp_buf_append_str(&sentence, hint) : sp_answer_sentence(&sentence, x);

	p.detail = sp_buf_data(&sentence);
	if (err == 0)
		err = sp_problem_write(&p, format, b);
	sp_buf_deinit(&sentence);
	return err;
}

int sp_answer_http(struct sp_buf *b, const struct sp_exchange *x, const struct sp_answer_options *opt)
{
	unsigned status = sp_outcome_row(x->outcome)->http_status, retry_s = sp_answer_retry_after_s(x->outcome);
	enum sp_problem_format format = sp_problem_format(opt->accept);
	struct sp_buf content = { 0 };
	int err = sp_answer_content(&content, x, opt->hint, format);

	if (err == 0)
		err = sp_buf_printf(b, "HTTP/1.1 %u %s\r\n", status, sp_http_reason(status));
	if (err == 0 && status == 407)
		err = add_challenges(b, x->outcome, opt->offer_basic);
	if (err == 0)
		err = add_status_field(b, x);
	if (err == 0 && retry_s)
		err = sp_buf_printf(b, "Retry-After: %u\r\n", retry_s);
	if (err == 0 && status == 405)
		err = sp_buf_append_str(b, "Allow: CONNECT\r\n");
	if (err == 0)
		err = sp_buf_printf(b, "Sallyport-Exchange: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n", x->id,
				    sp_problem_type(format), content.len, opt->keep ? "" : "Connection: close\r\n");
	if (err == 0 && !opt->head)
		err = sp_buf_append_slice(b, sp_buf_data(&content));
	sp_buf_deinit(&content);
	return err;
}
