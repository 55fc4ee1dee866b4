/* See credential.h. */
#include "back/credential.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "conf/conf.h"

#define TOKEN_MAX_BYTES (64u * 1024)

struct token_file {
	struct sp_credential credential; /* first */
	struct sp_loop *loop;
	char *file;
	char *value;	       /* "Bearer ..."; NULL: none was ever read. Secret */
	struct sp_cause cause; /* of the last try */
	bool was_read, was_reread;
	uint64_t read_mono_ms, reread_mono_ms; /* the last try; the last one after a refusal */
};

struct wait {
	struct sp_credential_wait wait; /* first */
	sp_credential_cb *cb;
	void *arg;
	struct sp_defer later;
};

static struct token_file *file_of(struct sp_credential *c)
{
	return SP_CONTAINER_OF(c, struct token_file, credential);
}

static char *bearer_of(const char *token)
{
	struct sp_buf b = { 0 };
	char *text;

	sp_must(sp_buf_append_str(&b, "Bearer ") == 0 && sp_buf_append_str(&b, token) == 0);
	text = sp_slice_dup(sp_buf_data(&b));
	sp_buf_wipe(&b);
	return text;
}

static bool is_sendable(const char *token)
{
	for (; *token; token++)
		if (*token < 0x21 || *token > 0x7e)
			return false;
	return true;
}

/* One line per change, however often it is tried. */
static void note_failure(struct token_file *f, const struct sp_cause *cause)
{
	if (f->cause.err != cause->err || f->cause.raw != cause->raw)
		sp_log(SP_LOG_ERROR, SP_EV_POOL, f->value ? "the token file cannot be used, the last token goes on" : "the token file cannot be used",
		       SP_KV_CAUSE(cause));
	f->cause = *cause;
}

static void read_token(struct token_file *f)
{
	struct sp_cause cause = { 0 };
	char *token = NULL;

	f->was_read = true;
	f->read_mono_ms = sp_loop_now_ms(f->loop);
	if (sp_conf_read_secret(f->file, TOKEN_MAX_BYTES, &token, &cause) == 0 && !is_sendable(token))
		sp_cause_set(&cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "%s: not a token: it holds spaces or characters beyond ASCII", f->file);
	if (cause.err) {
		sp_secret_free(&token);
		note_failure(f, &cause);
		return;
	}
	f->cause = (struct sp_cause){ 0 };
	sp_secret_free(&f->value);
	f->value = bearer_of(token);
	sp_secret_free(&token);
}

static void on_later(struct sp_defer *d)
{
	struct wait *w = SP_CONTAINER_OF(d, struct wait, later);
	struct token_file *f = file_of(w->wait.credential);
	sp_credential_cb *cb = w->cb;
	void *arg = w->arg;

	free(w);
	cb(arg, sp_slice_str(f->value), f->value ? NULL : &f->cause);
}

static struct sp_credential_wait *get(struct sp_credential *c, const struct sp_identity *who, sp_credential_cb *cb, void *arg)
{
	struct token_file *f = file_of(c);
	struct wait *w = calloc(1, sizeof(*w));

	(void)who;
	if (!w)
		return NULL;
	if (!f->was_read || sp_loop_now_ms(f->loop) - f->read_mono_ms >= SP_TOKEN_REREAD_MS)
		read_token(f);
	w->wait.credential = c;
	w->cb = cb;
	w->arg = arg;
	sp_defer(f->loop, &w->later, on_later);
	return &w->wait;
}

static void cancel(struct sp_credential_wait *wait)
{
	struct wait *w = SP_CONTAINER_OF(wait, struct wait, wait);

	sp_defer_cancel(&w->later);
	free(w);
}

static void refused(struct sp_credential *c, const struct sp_identity *who, struct sp_slice value)
{
	struct token_file *f = file_of(c);
	uint64_t now = sp_loop_now_ms(f->loop);

	(void)who;
	if (!sp_slice_eq(value, sp_slice_str(f->value)) || (f->was_reread && now - f->reread_mono_ms < SP_TOKEN_REREAD_MS))
		return;
	f->was_reread = true;
	f->reread_mono_ms = now;
	read_token(f);
}

static void token_file_free(struct sp_credential *c)
{
	struct token_file *f = file_of(c);

	sp_secret_free(&f->value);
	free(f->file);
	free(f);
}

struct sp_credential *sp_credential_of_file(struct sp_loop *loop, const char *file)
{
	static const struct sp_credential_ops ops = { get, cancel, refused, token_file_free };
	struct token_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->credential.ops = &ops;
	f->loop = loop;
	f->file = sp_strdup(file);
	return &f->credential;
}
