#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

#define REQUESTS_MOST 4096
#define BARRIER "/barrier"

struct web *fx_web;
struct sp_tokens *fx_tokens;
const char *fx_key_file;
struct sp_cause fx_why;
char *fx_log;
struct sp_loop *fx_loop;
struct sp_fetcher *fx_fetcher;

/* ---- the server ------------------------------------------------------------------ */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static char *status, *body;
static bool held;
static struct fx_request requests[REQUESTS_MOST];
static unsigned asked;

static char *fill(const char *text, unsigned number, const char *path)
{
	struct sp_buf b = { 0 };
	char *out;

	for (; *text; text++) {
		if (text[0] == '%' && text[1] == 'u')
			sp_buf_printf(&b, "%u", number);
		else if (text[0] == '%' && text[1] == 's')
			sp_buf_append_str(&b, path);
		else
			sp_buf_append(&b, text, 1);
		if (text[0] == '%' && (text[1] == 'u' || text[1] == 's'))
			text++;
	}
	out = sp_strdup(sp_buf_str(&b));
	sp_buf_deinit(&b);
	return out;
}

static char *on_request(void *arg, const struct web_request *r)
{
	char *text, *reply;

	(void)arg;
	if (strcmp(r->path, BARRIER) == 0)
		return web_reply("200 OK", "", "", 0);
	pthread_mutex_lock(&mutex);
	if (asked < REQUESTS_MOST)
		requests[asked] = (struct fx_request){ strdup(r->path), strdup(r->head), strdup(r->body), strdup(r->client) };
	asked++;
	while (held)
		pthread_cond_wait(&released, &mutex);
	text = fill(body, asked, r->path);
	reply = web_reply(status, "Content-Type: application/json\r\n", text, strlen(text));
	pthread_mutex_unlock(&mutex);
	free(text);
	return reply;
}

void fx_answer(const char *new_status, const char *new_body)
{
	pthread_mutex_lock(&mutex);
	free(status);
	free(body);
	status = strdup(new_status);
	body = strdup(new_body);
	pthread_mutex_unlock(&mutex);
}

void fx_hold(void)
{
	pthread_mutex_lock(&mutex);
	held = true;
	pthread_mutex_unlock(&mutex);
}

void fx_release(void)
{
	pthread_mutex_lock(&mutex);
	held = false;
	pthread_cond_broadcast(&released);
	pthread_mutex_unlock(&mutex);
}

unsigned fx_asked(void)
{
	unsigned n;

	pthread_mutex_lock(&mutex);
	n = asked;
	pthread_mutex_unlock(&mutex);
	return n;
}

const struct fx_request *fx_request(unsigned n)
{
	ck_assert_uint_ge(fx_asked(), n);
	ck_assert_uint_le(n, REQUESTS_MOST);
	return &requests[n - 1];
}

static void forget_requests(void)
{
	for (unsigned i = 0; i < asked && i < REQUESTS_MOST; i++) {
		free(requests[i].path);
		free(requests[i].head);
		free(requests[i].body);
		free(requests[i].client);
	}
	asked = 0;
	held = false;
}

/* ---- fetches: with a time-out of the test's ------------------------------------------------ */

uint32_t fx_timeout_ms;
int __real_sp_fetch_start(struct sp_fetcher *f, const struct sp_fetch_request *req, sp_fetch_done_cb *cb, void *arg,
			  struct sp_fetch **out);
int __wrap_sp_fetch_start(struct sp_fetcher *f, const struct sp_fetch_request *req, sp_fetch_done_cb *cb, void *arg,
			  struct sp_fetch **out);

int __wrap_sp_fetch_start(struct sp_fetcher *f, const struct sp_fetch_request *req, sp_fetch_done_cb *cb, void *arg,
			  struct sp_fetch **out)
{
	struct sp_fetch_request r = *req;

	ck_assert_uint_gt(r.timeout_ms, 0);
	ck_assert_uint_le(r.timeout_ms, FX_WAIT_MS);
	if (fx_timeout_ms)
		r.timeout_ms = fx_timeout_ms;
	return __real_sp_fetch_start(f, &r, cb, arg, out);
}

/* ---- log ------------------------------------------------------------------------------ */

static void on_line(void *arg, const char *line)
{
	struct sp_buf b = { 0 };

	(void)arg;
	sp_buf_append_str(&b, fx_log ? fx_log : "");
	sp_buf_append_str(&b, line);
	sp_buf_append_str(&b, "\n");
	free(fx_log);
	fx_log = sp_strdup(sp_buf_str(&b));
	sp_buf_deinit(&b);
}

unsigned fx_count_lines(const char *part)
{
	unsigned n = 0;

	for (const char *p = fx_log; p && (p = strstr(p, part)) != NULL; p++)
		n++;
	return n;
}

/* ---- setup ------------------------------------------------------------------------------- */

void fx_setup(void)
{
	certs_setup();
	certs_make_usual();
	clock_reset();
	fx_log = NULL;
	sp_log_setup(SP_LOG_DEBUG, false);
	sp_log_capture(on_line, NULL);
	fx_key_file = NULL;
	fx_timeout_ms = 0;
	fx_tokens = NULL;
	fx_answer("200 OK", TOKEN_BODY);
	fx_web = web_start("server", "ca", on_request, NULL);
	ck_assert_int_eq(sp_loop_new(&fx_loop), 0);
	ck_assert_int_eq(sp_fetcher_new(fx_loop, &fx_fetcher), 0);
}

void fx_teardown(void)
{
	sp_tokens_free(&fx_tokens);
	ck_assert_uint_eq(clock_timers(), 0);
	sp_fetcher_free(&fx_fetcher);
	sp_loop_run(fx_loop);
	sp_loop_free(&fx_loop);
	fx_release();
	web_stop(&fx_web);
	forget_requests();
	free(status);
	free(body);
	status = body = NULL;
	sp_log_capture(NULL, NULL);
	free(fx_log);
	fx_log = NULL;
	certs_teardown();
}

void fx_write_key(const char *json)
{
	static char path[128];
	char fresh[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s", certs_path("service-key", "json"));
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "w");
	ck_assert_ptr_nonnull(f);
	for (const char *p = json; *p; p++)
		if (*p == '@')
			fputs(web_url(fx_web, ""), f);
		else
			fputc(*p == '\'' ? '"' : *p, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(fresh, 0600), 0);
	ck_assert_int_eq(rename(fresh, path), 0);
	fx_key_file = path;
}

char *fx_pem(const char *path)
{
	struct sp_buf b = { 0 };
	FILE *f = fopen(path, "r");
	char *out;
	int c;

	ck_assert_ptr_nonnull(f);
	while ((c = fgetc(f)) != EOF) {
		char one = (char)c;

		if (c == '\n')
			sp_buf_append_str(&b, "\\n");
		else
			sp_buf_append(&b, &one, 1);
	}
	fclose(f);
	out = sp_strdup(sp_buf_str(&b));
	sp_buf_deinit(&b);
	return out;
}

void fx_open(const char *key_json)
{
	struct sp_cause cause = { 0 };

	fx_write_key(key_json);
	ck_assert_msg(sp_tokens_new(fx_loop, fx_fetcher, fx_key_file, CERT("ca"), &fx_tokens, &cause) == 0, "%s", cause.text);
}

/* ---- askers --------------------------------------------------------------------------------- */

static void on_token(void *arg, struct sp_slice bearer, const struct sp_cause *cause)
{
	struct asker *a = arg;

	a->wait = NULL;
	a->calls++;
	free(a->bearer);
	a->bearer = sp_slice_dup(bearer);
	ck_assert((bearer.p == NULL) == (cause != NULL));
	a->cause = cause ? *cause : (struct sp_cause){ 0 };
	ck_assert(!cause || (cause->err < 0 && cause->text[0]));
	if (a->then)
		a->then(a);
}

void asker_deinit(struct asker *a)
{
	sp_tokens_cancel(&a->wait);
	free(a->bearer);
	*a = (struct asker){ 0 };
}

void fx_ask_from(struct asker *a, const char *tenant, const char *subdomain)
{
	unsigned before = a->calls;

	a->wait = sp_tokens_get(fx_tokens, tenant, subdomain, on_token, a);
	ck_assert_ptr_nonnull(a->wait);
	ck_assert_uint_eq(a->calls, before); /* never inside */
}

void fx_ask(struct asker *a, const char *tenant)
{
	fx_ask_from(a, tenant, NULL);
}

static bool was_called(void *arg)
{
	return ((const struct asker *)arg)->wait == NULL;
}

void fx_wait(struct asker *a)
{
	ck_assert(sp_loop_run_until(fx_loop, was_called, a, FX_WAIT_MS));
}

const char *fx_token(const char *tenant)
{
	static struct asker a;

	fx_ask(&a, tenant);
	fx_wait(&a);
	fx_why = a.cause;
	return a.bearer ? a.bearer + 7 : NULL;
}

static bool have_arrived(void *arg)
{
	return fx_asked() >= *(const unsigned *)arg;
}

void fx_wait_asked(unsigned n)
{
	ck_assert(sp_loop_run_until(fx_loop, have_arrived, &n, FX_WAIT_MS));
}

static void on_barrier(void *arg, int http_status, struct sp_slice data, int64_t fresh_until, const struct sp_cause *cause)
{
	(void)data;
	(void)fresh_until;
	ck_assert_msg(http_status == 200, "%s", cause ? cause->text : "");
	*(bool *)arg = true;
}

static bool is_true(void *arg)
{
	return *(const bool *)arg;
}

/* The server takes one request after the other: when the second one of these is answered, those begun before the first are too. */
void fx_settle(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct sp_fetch_request req = { .url = web_url(fx_web, BARRIER), .ca_file = CERT("ca"), .max_bytes = 10,
						.timeout_ms = FX_WAIT_MS };
		struct sp_fetch *fetch;
		bool done = false;

		ck_assert_int_eq(sp_fetch_start(fx_fetcher, &req, on_barrier, &done, &fetch), 0);
		ck_assert(sp_loop_run_until(fx_loop, is_true, &done, FX_WAIT_MS));
	}
}
