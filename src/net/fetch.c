/* See fetch.h. libcurl tells us which sockets to watch and when to wake it; uv_poll and a timer do. All of its work happens in
 * socket_action(), from which completions are collected afterwards: a callback never runs inside libcurl. */
#include "net/fetch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"

/* Requests above that wait for their turn, within their own time-out. */
#define HOST_CONNECTIONS_MOST 8L

struct sp_fetcher {
	struct sp_loop *loop;
	CURLM *multi;
	struct sp_timer timer;
	struct sp_list fetches;
	bool telling, free_later; /* completions are being told; sp_fetcher_free() was called meanwhile */
};

struct sp_fetch {
	struct sp_list node;
	struct sp_fetcher *fetcher;
	CURL *easy;
	struct curl_slist *headers;
	sp_fetch_done_cb *cb;
	void *arg;
	struct sp_buf body;
	size_t max_bytes;
	bool too_big;
	int64_t max_age_s, age_s; /* -1: not said */
	char error[CURL_ERROR_SIZE];
};

struct watch { /* one socket of libcurl */
	uv_poll_t poll;
	struct sp_fetcher *fetcher;
	curl_socket_t fd;
};

static void global_init(void)
{
	sp_must(curl_global_init(CURL_GLOBAL_DEFAULT) == 0);
}

/* ---- completion ----------------------------------------------------------------- */

static void fetch_free(struct sp_fetch *f)
{
	sp_list_remove(&f->node);
	curl_multi_remove_handle(f->fetcher->multi, f->easy);
	curl_easy_cleanup(f->easy);
	for (struct curl_slist *h = f->headers; h; h = h->next)
		sp_wipe(h->data, strlen(h->data));
	curl_slist_free_all(f->headers);
	sp_buf_wipe(&f->body);
	free(f);
}

static int curl_error(CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return SP_EDNS;
	case CURLE_COULDNT_CONNECT:
		return SP_EREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return SP_ETIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return SP_ECERT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
		return SP_ETLS;
	case CURLE_OUT_OF_MEMORY:
		return SP_ENOMEM;
	default:
		return SP_EPROTO;
	}
}

static int64_t fresh_until(const struct sp_fetch *f)
{
	int64_t left = f->max_age_s - (f->age_s > 0 ? f->age_s : 0);

	return f->max_age_s > 0 && left > 0 ? (int64_t)time(NULL) + left : 0;
}

/* The fetch is gone before its callback, which may start and cancel others, and free the fetcher. */
static void complete(struct sp_fetch *f, CURLcode code)
{
	struct sp_cause cause = { 0 };
	struct sp_buf body = f->body;
	sp_fetch_done_cb *cb = f->cb;
	void *arg = f->arg;
	int64_t fresh = code == CURLE_OK ? fresh_until(f) : 0;
	long status = 0;

	if (f->too_big)
		sp_cause_set(&cause, SP_ETOOBIG, SP_DOMAIN_SELF, 0, "the answer exceeds %zu bytes", f->max_bytes);
	else if (code != CURLE_OK)
		sp_cause_set(&cause, curl_error(code), SP_DOMAIN_TLS, code, "%s", f->error[0] ? f->error : curl_easy_strerror(code));
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	f->body = (struct sp_buf){ 0 };
	fetch_free(f);
	cb(arg, cause.err ? cause.err : (int)status, cause.err ? SP_SLICE_NONE : sp_buf_data(&body), fresh, cause.err ? &cause : NULL);
	sp_buf_wipe(&body);
}

static void fetcher_free(struct sp_fetcher *fr)
{
	curl_multi_cleanup(fr->multi);
	sp_timer_stop(fr->loop, &fr->timer);
	free(fr);
}

static void collect(struct sp_fetcher *fr)
{
	CURLMsg *m;
	int left;

	fr->telling = true;
	while (!fr->free_later && (m = curl_multi_info_read(fr->multi, &left)) != NULL) {
		struct sp_fetch *f = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&f);
		complete(f, code);
	}
	fr->telling = false;
	if (fr->free_later)
		fetcher_free(fr);
}

/* ---- libcurl <-> loop ------------------------------------------------------------- */

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;
	struct sp_fetcher *fr = w->fetcher;
	int flags = 0, running;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(fr->multi, w->fd, flags, &running);
	collect(fr);
}

static void on_watch_closed(uv_handle_t *h)
{
	free(h->data);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct sp_fetcher *fr = arg;
	struct watch *w = socket_arg;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w) {
			uv_poll_stop(&w->poll);
			uv_close((uv_handle_t *)&w->poll, on_watch_closed);
			curl_multi_assign(fr->multi, fd, NULL);
		}
		return 0;
	}
	if (!w) {
		w = SP_NEW(struct watch);
		w->fetcher = fr;
		w->fd = fd;
		if (uv_poll_init_socket(sp_loop_uv(fr->loop), &w->poll, fd) != 0) {
			free(w);
			return -1;
		}
		w->poll.data = w;
		curl_multi_assign(fr->multi, fd, w);
	}
	events |= what != CURL_POLL_IN ? UV_WRITABLE : 0;
	events |= what != CURL_POLL_OUT ? UV_READABLE : 0;
	uv_poll_start(&w->poll, events, on_poll);
	return 0;
}

static void on_timer(struct sp_timer *t)
{
	struct sp_fetcher *fr = SP_CONTAINER_OF(t, struct sp_fetcher, timer);
	int running;

	curl_multi_socket_action(fr->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(fr);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct sp_fetcher *fr = arg;

	(void)multi;
	if (timeout_ms < 0)
		sp_timer_stop(fr->loop, &fr->timer);
	else
		sp_timer_start(fr->loop, &fr->timer, (uint64_t)timeout_ms, on_timer);
	return 0;
}

int sp_fetcher_new(struct sp_loop *loop, struct sp_fetcher **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sp_fetcher *fr = SP_NEW(struct sp_fetcher);

	sp_must(pthread_once(&once, global_init) == 0);
	fr->multi = curl_multi_init();
	if (!fr->multi) {
		free(fr);
		return SP_ENOMEM;
	}
	fr->loop = loop;
	sp_list_init(&fr->fetches);
	curl_multi_setopt(fr->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(fr->multi, CURLMOPT_SOCKETDATA, fr);
	curl_multi_setopt(fr->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(fr->multi, CURLMOPT_TIMERDATA, fr);
	curl_multi_setopt(fr->multi, CURLMOPT_MAX_HOST_CONNECTIONS, HOST_CONNECTIONS_MOST);
	curl_multi_setopt(fr->multi, CURLMOPT_MAXCONNECTS, HOST_CONNECTIONS_MOST);
	*out = fr;
	return 0;
}

void sp_fetcher_free(struct sp_fetcher **frp)
{
	struct sp_fetcher *fr = *frp;
	struct sp_list *n, *tmp;

	*frp = NULL;
	if (!fr)
		return;
	SP_LIST_EACH(n, &fr->fetches, tmp)
		fetch_free(SP_CONTAINER_OF(n, struct sp_fetch, node));
	if (fr->telling)
		fr->free_later = true;
	else
		fetcher_free(fr);
}

/* ---- one request ------------------------------------------------------------------ */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct sp_fetch *f = arg;

	n *= size;
	if (n > f->max_bytes - f->body.len) {
		f->too_big = true;
		return 0;
	}
	return sp_buf_append(&f->body, p, n) == 0 ? n : 0;
}

static int64_t seconds_after(struct sp_slice value, const char *directive)
{
	size_t n = strlen(directive);

	for (size_t i = 0; i + n < value.n; i++) {
		uint64_t s = 0;
		size_t end = i + n;

		if (strncasecmp((const char *)value.p + i, directive, n) != 0)
			continue;
		while (end < value.n && value.p[end] >= '0' && value.p[end] <= '9')
			end++;
		if (sp_text_u64(sp_slice_make(value.p + i + n, end - i - n), 10u * 365 * 86400, &s) == 0)
			return (int64_t)s;
	}
	return -1;
}

/* RFC 9111 sections 5.1 and 5.2.2: what we need of caching. */
static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	static const char age[] = "age:", control[] = "cache-control:";
	struct sp_fetch *f = arg;
	struct sp_slice line = sp_slice_make(p, size * n);

	if (line.n > sizeof(age) && strncasecmp(p, age, sizeof(age) - 1) == 0) {
		uint64_t s;

		while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
			line.n--;
		if (sp_text_u64(sp_slice_trim(sp_slice_make(line.p + sizeof(age) - 1, line.n - sizeof(age) + 1)), UINT32_MAX, &s) == 0)
			f->age_s = (int64_t)s;
	} else if (line.n > sizeof(control) && strncasecmp(p, control, sizeof(control) - 1) == 0) {
		f->max_age_s = seconds_after(line, "max-age=");
	}
	return size * n;
}

static struct curl_blob blob_of(struct sp_slice s)
{
	return (struct curl_blob){ .data = (void *)(uintptr_t)s.p, .len = s.n, .flags = CURL_BLOB_COPY };
}

static bool set_options(struct sp_fetch *f, const struct sp_fetch_request *r)
{
	CURL *e = f->easy;
	bool ok = true;

#define SET(option, value) (ok = curl_easy_setopt(e, option, value) == CURLE_OK && ok)
	SET(CURLOPT_URL, r->url);
	SET(CURLOPT_PRIVATE, f);
	SET(CURLOPT_ERRORBUFFER, f->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, ""); /* or it obeys the environment */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "https");
#else
	SET(CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, f);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, f);
	if (r->ca_file) {
		SET(CURLOPT_CAINFO, r->ca_file);
		SET(CURLOPT_CAPATH, NULL); /* or the system's store would be trusted beside it */
	}
	if (r->cert_pem.p && r->key_pem.p) {
		struct curl_blob cert = blob_of(r->cert_pem), key = blob_of(r->key_pem);

		SET(CURLOPT_SSLCERT_BLOB, &cert);
		SET(CURLOPT_SSLKEY_BLOB, &key);
	}
	if (r->body)
		SET(CURLOPT_COPYPOSTFIELDS, r->body);
	if (f->headers)
		SET(CURLOPT_HTTPHEADER, f->headers);
#undef SET
	return ok;
}

static bool add_authorization(struct sp_fetch *f, const char *value)
{
	size_t n = sizeof("Authorization: ") + strlen(value);
	char *line = malloc(n);

	if (!line)
		return false;
	snprintf(line, n, "Authorization: %s", value);
	f->headers = curl_slist_append(NULL, line);
	sp_wipe(line, n);
	free(line);
	return f->headers != NULL;
}

int sp_fetch_start(struct sp_fetcher *fr, const struct sp_fetch_request *r, sp_fetch_done_cb *cb, void *arg, struct sp_fetch **out)
{
	struct sp_fetch *f;

	if (strncmp(r->url, "https://", 8) != 0)
		return SP_EINVAL;
	f = SP_NEW(struct sp_fetch);
	f->fetcher = fr;
	f->cb = cb;
	f->arg = arg;
	f->max_bytes = r->max_bytes;
	f->max_age_s = f->age_s = -1;
	sp_list_append(&fr->fetches, &f->node);
	f->easy = curl_easy_init();
	if (!f->easy || (r->authorization && !add_authorization(f, r->authorization)) || !set_options(f, r) ||
	    curl_multi_add_handle(fr->multi, f->easy) != CURLM_OK) {
		fetch_free(f);
		return SP_ENOMEM;
	}
	*out = f;
	return 0;
}

void sp_fetch_cancel(struct sp_fetch **f)
{
	struct sp_fetch *old = *f;

	*f = NULL;
	if (old)
		fetch_free(old);
}
