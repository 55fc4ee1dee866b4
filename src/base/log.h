/* Logging: one event a line, key=value or JSON, to standard error. Thread-safe.
 *
 * Levels: error = the operator must act; warn = degraded, on change of state; notice = start, reload, drain;
 * info = one line per finished exchange; debug = state transitions. What a peer sent is escaped. Tokens and
 * passwords are never passed in here. Ids always stand under the same keys: conn, exchange, tunnel, tenant. */
#ifndef SP_BASE_LOG_H
#define SP_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum sp_level { SP_LOG_ERROR, SP_LOG_WARN, SP_LOG_NOTICE, SP_LOG_INFO, SP_LOG_DEBUG };

/* Every event: its constant and its word in the log. This list is the documentation of event names; keep it
 * sorted by area. */
#define SP_EVENTS(X)                                                                                                   \
	X(START, "start") X(READY, "ready") X(STOP, "stop") X(BUG, "bug") X(CONFIG, "config")                          \
	X(LISTEN, "listen") X(ACCEPT, "accept") X(PLUGIN, "plugin") X(AUTH, "auth") X(EXCHANGE, "exchange")            \
	X(TUNNEL, "tunnel") X(POOL, "pool") X(CONNECTOR, "connector") X(HTTP2, "http2") X(TLS, "tls") X(NET, "net") X(AUDIT, "audit")

enum sp_event {
#define X(id, word) SP_EV_##id,
	SP_EVENTS(X)
#undef X
};

void sp_log_setup(enum sp_level max, bool json);
bool sp_log_enabled(enum sp_level level);

/* One field; build with the SP_KV_* macros. */
struct sp_kv {
	const char *key;
	enum { SP_KV_T_STR, SP_KV_T_SLICE, SP_KV_T_INT, SP_KV_T_CAUSE } type;
	const char *str;
	struct sp_slice slice;
	int64_t num;
	const struct sp_cause *cause;
};
#define SP_KV_STR(k, v) ((struct sp_kv){ .key = (k), .type = SP_KV_T_STR, .str = (v) })	    /* NULL: left out */
#define SP_KV_SLICE(k, v) ((struct sp_kv){ .key = (k), .type = SP_KV_T_SLICE, .slice = (v) }) /* absent: left out */
#define SP_KV_INT(k, v) ((struct sp_kv){ .key = (k), .type = SP_KV_T_INT, .num = (int64_t)(v) })
#define SP_KV_CAUSE(c) ((struct sp_kv){ .key = "cause", .type = SP_KV_T_CAUSE, .cause = (c) }) /* NULL or none: left out */

/* Writes one line: time, level, event, message, then the fields. */
void sp_log_write(enum sp_level level, enum sp_event event, const char *msg, const struct sp_kv *kv, unsigned n);

/* sp_log(SP_LOG_INFO, SP_EV_TUNNEL, "ready", SP_KV_STR("tenant", t), SP_KV_INT("streams", 3)); */
#define sp_log(level, event, msg, ...)                                                                                 \
	do {                                                                                                           \
		if (sp_log_enabled(level)) {                                                                           \
			const struct sp_kv sp_kv_[] = { __VA_ARGS__ };                                                 \
			sp_log_write(level, event, msg, sp_kv_, sizeof(sp_kv_) / sizeof(sp_kv_[0]));                   \
		}                                                                                                      \
	} while (0)

/* Tests divert lines here (NULL: back to standard error). One complete line without its newline. */
void sp_log_capture(void (*fn)(void *arg, const char *line), void *arg);

#endif
