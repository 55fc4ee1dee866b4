/* See audit.h. */
#include "config.h" /* dup3 */

#include "exchange/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/line.h"
#include "base/log.h"
#include "base/must.h"

#define LINE_BYTES 8192	     /* hostile names fill it; a usual line has 500 */
#define DATA_BYTES 3072	     /* of it, format "sap": what is quoted again, at most twice as long */
#define NAME_BYTES 512	     /* escaped, of one name that a peer chose */
#define WORD_BYTES 128	     /* addresses and names of our own configuration */
#define STUCK_WAIT_MS 100    /* so long a reader of standard output may keep us waiting, once */
#define FILE_MODE 0640

#define SAP_PREFIX "[AUDIT-EVENT] "
#define SAP_NO_USER "fallback_for_missing_user"
#define SAP_TUNNEL_OBJECT "connectivity tunnel management"
#define SAP_TUNNEL_CLASS "com.sap.core.connectivity.tunnel.server.TunnelServerHandshaker"

struct sp_audit {
	const struct sp_conf *conf;
	int fd;
	bool is_file; /* else standard output, which may be a pipe with a stuck reader */
	atomic_bool failing, torn; /* torn: the last line went out in part */
	atomic_uint_least64_t written, lost;
};

/* ---- the file ------------------------------------------------------------------------ */

static bool is_stdout(const struct sp_conf *conf)
{
	return strcmp(conf->audit.file, "-") == 0;
}

static int judge_file(const struct stat *st, const char *file, struct sp_cause *cause)
{
	if (!S_ISREG(st->st_mode))
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "audit.file %s is not a regular file; standard output is \"-\"", file);
	if (st->st_mode & S_IWOTH)
		return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_SELF, 0, "audit.file %s can be written by everybody (mode %04o)", file,
				    (unsigned)(st->st_mode & 07777));
	return 0;
}

static int failed(struct sp_cause *cause, const char *file)
{
	return sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_OS, errno, "audit.file %s: %s", file, strerror(errno));
}

/* The descriptor, or SP_EINVAL. */
static int open_file(const char *file, struct sp_cause *cause)
{
	/* O_NONBLOCK: a pipe of that name must not keep us waiting for its reader; it is refused. */
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, FILE_MODE), err;
	struct stat st;

	if (fd < 0)
		return failed(cause, file);
	err = fstat(fd, &st) < 0 ? failed(cause, file) : judge_file(&st, file, cause);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

int sp_audit_open(const struct sp_conf *conf, struct sp_audit **out, struct sp_cause *cause)
{
	struct sp_audit *a;
	int fd = STDOUT_FILENO;

	*out = NULL;
	if (!conf->audit.file)
		return 0;
	if (!is_stdout(conf))
		fd = open_file(conf->audit.file, cause);
	else if (fcntl(fd, F_GETFD) < 0)
		fd = sp_cause_set(cause, SP_EINVAL, SP_DOMAIN_OS, errno, "audit.file \"-\": standard output is closed");
	if (fd < 0)
		return fd;
	a = SP_NEW(struct sp_audit);
	a->conf = conf;
	a->fd = fd;
	a->is_file = !is_stdout(conf);
	*out = a;
	return 0;
}

int sp_audit_check(const struct sp_conf *conf, struct sp_cause *cause)
{
	const char *file = conf->audit.file, *slash = file ? strrchr(file, '/') : NULL;
	char *folder;
	struct stat st;
	int err = 0;

	if (!slash)
		return 0; /* none, or standard output; a file's name is absolute */
	if (stat(file, &st) == 0) {
		err = judge_file(&st, file, cause);
		return err < 0 || access(file, W_OK) == 0 ? err : failed(cause, file);
	}
	if (errno != ENOENT)
		return failed(cause, file);
	folder = sp_strdup(file);
	folder[slash == file ? 1 : slash - file] = '\0';
	if (access(folder, W_OK | X_OK) < 0)
		err = failed(cause, file);
	free(folder);
	return err;
}

void sp_audit_close(struct sp_audit **ap)
{
	struct sp_audit *a = *ap;

	*ap = NULL;
	if (!a)
		return;
	if (a->is_file)
		close(a->fd);
	free(a);
}

int sp_audit_reopen(struct sp_audit *a, struct sp_cause *cause)
{
	int fd;

	if (!a || !a->is_file)
		return 0;
	fd = open_file(a->conf->audit.file, cause);
	if (fd < 0)
		return fd;
	/* In one step under the same number: who is just writing writes into the one or the other. */
	if (dup3(fd, a->fd, O_CLOEXEC) < 0)
		(void)failed(cause, a->conf->audit.file);
	else
		atomic_store(&a->torn, false);
	close(fd);
	return cause && cause->err ? SP_EINVAL : 0;
}

/* ---- what a line says -------------------------------------------------------------------- */

static const char *event_word(enum sp_audit_event e)
{
	static const char *const words[] = { "start", "stop", "config", "identity", "exchange", "connector", "tunnel" };

	return words[e];
}

static const char *decision_word(enum sp_audit_decision d)
{
	static const char *const words[] = { NULL, "allowed", "denied", "ended", "loaded", "rejected" };

	return words[d];
}

static void text(struct sp_line *l, const char *key, const char *value, size_t most)
{
	if (value && value[0])
		sp_line_text(l, key, sp_slice_str(value), most);
}

static bool has_outcome(const struct sp_audit_entry *e)
{
	return e->decision == SP_AUDIT_ALLOWED || e->decision == SP_AUDIT_DENIED || e->decision == SP_AUDIT_ENDED;
}

/* The rest of an object. What auditors need most comes first: if a line cannot hold all, peers' long names are
 * what it lacks. */
static void members(struct sp_line *l, const struct sp_audit_entry *e)
{
	static const struct sp_identity nobody;
	const struct sp_identity *id = e->identity ? e->identity : &nobody;
	char target[SP_AUTHORITY_SIZE];

	text(l, "event", event_word(e->event), WORD_BYTES);
	text(l, "decision", decision_word(e->decision), WORD_BYTES);
	text(l, "outcome", has_outcome(e) ? sp_outcome_row(e->outcome)->word : NULL, WORD_BYTES);
	text(l, "from", e->from, WORD_BYTES);
	text(l, "front", e->front, WORD_BYTES);
	text(l, "listener", e->listener, WORD_BYTES);
	text(l, "exchange", e->exchange, WORD_BYTES);
	if (e->conn)
		sp_line_int(l, "conn", (int64_t)e->conn);
	text(l, "tenant", id->tenant, NAME_BYTES);
	text(l, "target", e->target && e->target->host[0] ? sp_authority_text(e->target, target) : NULL, NAME_BYTES);
	text(l, "location", e->location, NAME_BYTES);
	text(l, "region", e->region, WORD_BYTES);
	text(l, "chain", e->chain, WORD_BYTES);
	text(l, "plugin", id->plugin, WORD_BYTES);
	text(l, "reason", e->reason, NAME_BYTES);
	text(l, "file", e->file, NAME_BYTES);
	text(l, "principal", id->principal, NAME_BYTES);
	text(l, "client_id", id->client, NAME_BYTES);
	text(l, "issuer", id->issuer, NAME_BYTES);
	text(l, "connector", e->connector_id, WORD_BYTES);
	text(l, "instance", e->instance, WORD_BYTES);
	text(l, "version", e->version, WORD_BYTES);
	if (l->cut)
		sp_line_tail(l, ",\"truncated\":true");
	sp_line_tail(l, "}");
}

static void json_line(struct sp_line *l, const struct sp_audit_entry *e)
{
	char now[SP_TIME_SIZE];

	sp_time_text(now);
	sp_line_put(l, "{");
	text(l, "time", now, WORD_BYTES);
	members(l, e);
}

/* ---- SAP's line ----------------------------------------------------------------------------- */

static const char *sap_action(enum sp_audit_event e)
{
	static const char *const words[] = { "start", "stop", "load configuration", "identify caller", "access target",
					     "open connectivity tunnel", "open connectivity tunnel" };

	return words[e];
}

/* Documented for tunnels: "tunnel handshake success", "tunnel handshake failure". */
static void sap_message(const struct sp_audit_entry *e, char *dst, size_t size)
{
	const char *decision = decision_word(e->decision);

	if (e->event == SP_AUDIT_CONNECTOR || e->event == SP_AUDIT_TUNNEL)
		snprintf(dst, size, "tunnel handshake %s", e->decision == SP_AUDIT_ALLOWED ? "success" : "failure");
	else
		snprintf(dst, size, "%s%s%s", event_word(e->event), decision ? " " : "", decision ? decision : "");
}

/* The members that are documented for tunnels, then ours. */
static void sap_data(struct sp_line *l, const struct sp_audit_entry *e)
{
	bool tunnel = e->event == SP_AUDIT_CONNECTOR || e->event == SP_AUDIT_TUNNEL, ok = e->decision == SP_AUDIT_ALLOWED;
	char now[SP_TIME_SIZE], message[64], id[32] = "";

	sap_message(e, message, sizeof(message));
	if (e->conn)
		snprintf(id, sizeof(id), "%llu", (unsigned long long)e->conn);
	sp_line_put(l, "{");
	text(l, "action", sap_action(e->event), WORD_BYTES);
	text(l, "message", message, WORD_BYTES);
	if (tunnel) {
		sp_line_text(l, "tunnelId", sp_slice_str(id), WORD_BYTES);
		text(l, "objectName", SAP_TUNNEL_OBJECT, WORD_BYTES);
		sp_line_text(l, "clientId", sp_slice_str(e->connector_id ? e->connector_id : ""), WORD_BYTES);
		text(l, "loggedByClass", SAP_TUNNEL_CLASS, WORD_BYTES);
		text(l, "handshakeDetails", ok ? "success" : e->reason && e->reason[0] ? e->reason : sp_outcome_row(e->outcome)->word, NAME_BYTES);
	} else {
		text(l, "objectName", event_word(e->event), WORD_BYTES);
		text(l, "loggedByClass", PACKAGE_NAME, WORD_BYTES);
	}
	sp_time_text(now);
	text(l, "time", now, WORD_BYTES);
	members(l, e);
}

static void sap_line(struct sp_line *l, const struct sp_audit_entry *e)
{
	const struct sp_identity *id = e->identity;
	char mem[DATA_BYTES];
	struct sp_line data;

	sp_line_init(&data, mem, sizeof(mem), true);
	sap_data(&data, e);
	sp_line_put(l, SAP_PREFIX "{");
	sp_line_text(l, "user", sp_slice_str(id && id->principal ? id->principal : SAP_NO_USER), NAME_BYTES);
	sp_line_text(l, "data", sp_slice_make(data.text, data.n), SP_LINE_UNBOUNDED);
	sp_line_text(l, "tenant", sp_slice_str(id && id->tenant ? id->tenant : ""), NAME_BYTES);
	sp_line_tail(l, "}");
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* Errors are on change of state: a full disk is said once. */
static void say_lost(struct sp_audit *a, int error)
{
	atomic_fetch_add(&a->lost, 1);
	if (!atomic_exchange(&a->failing, true))
		sp_log(SP_LOG_ERROR, SP_EV_AUDIT, "the audit trail cannot be written", SP_KV_STR("file", a->conf->audit.file),
		       SP_KV_STR("error", strerror(error)), SP_KV_INT("lost", atomic_load(&a->lost)),
		       SP_KV_STR("on_failure", a->conf->audit.deny ? "deny: nobody is let in" : "continue"));
}

static void say_written(struct sp_audit *a)
{
	atomic_fetch_add(&a->written, 1);
	if (atomic_load_explicit(&a->failing, memory_order_relaxed) && atomic_exchange(&a->failing, false))
		sp_log(SP_LOG_NOTICE, SP_EV_AUDIT, "the audit trail is written again", SP_KV_STR("file", a->conf->audit.file),
		       SP_KV_INT("lost", atomic_load(&a->lost)));
}

/* A reader that does not read must not stop a loop for ever. */
static bool is_stuck(struct sp_audit *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLOUT };

	return !a->is_file && poll(&p, 1, atomic_load(&a->failing) ? 0 : STUCK_WAIT_MS) == 0;
}

/* 0 or the errno. */
static int emit(struct sp_audit *a, const char *p, size_t n)
{
	ssize_t done;

	if (is_stuck(a))
		return EAGAIN;
	do {
		done = write(a->fd, p, n);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return errno;
	if ((size_t)done == n)
		return 0;
	atomic_store(&a->torn, done > 0 || atomic_load(&a->torn));
	return ENOSPC;
}

int sp_audit_write(struct sp_audit *a, const struct sp_audit_entry *e)
{
	int saved_errno = errno, error;
	char mem[LINE_BYTES];
	struct sp_line l;
	bool torn;

	if (!a)
		return 0;
	torn = atomic_load_explicit(&a->torn, memory_order_relaxed) && atomic_exchange(&a->torn, false);
	sp_line_init(&l, mem, sizeof(mem), true);
	if (torn)
		sp_line_put(&l, "\n");
	if (a->conf->audit.sap)
		sap_line(&l, e);
	else
		json_line(&l, e);
	sp_line_tail(&l, "\n");
	error = emit(a, l.text, l.n);
	if (error && torn)
		atomic_store(&a->torn, true);
	if (error)
		say_lost(a, error);
	else
		say_written(a);
	errno = saved_errno;
	return error && a->conf->audit.deny ? SP_ESYS : 0;
}

int sp_audit_exchange(struct sp_audit *a, enum sp_audit_event event, enum sp_audit_decision decision, const struct sp_exchange *x,
		      const char *chain)
{
	struct sp_audit_entry e = { .event = event, .decision = decision, .outcome = x->outcome, .exchange = x->id, .front = x->front,
				    .listener = x->listener, .from = x->client, .chain = chain, .reason = x->cause.text,
				    .location = x->location, .region = x->region, .conn = x->conn_id, .identity = &x->identity,
				    .target = &x->target };

	if (decision == SP_AUDIT_ALLOWED && event == SP_AUDIT_IDENTITY)
		e.outcome = SP_OUTCOME_OK;
	return sp_audit_write(a, &e);
}

uint64_t sp_audit_written(const struct sp_audit *a)
{
	return a ? atomic_load(&a->written) : 0;
}

uint64_t sp_audit_lost(const struct sp_audit *a)
{
	return a ? atomic_load(&a->lost) : 0;
}
