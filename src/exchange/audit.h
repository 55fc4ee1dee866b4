/* The audit trail: who was let in and who was not, for auditors, apart from the operational log. One line per
 *
 *   identity   the verdict on a caller: allowed (with the target, once it is known) or denied
 *   exchange   what became of a caller that was known: denied by a region, a gateway or what a connector exposes; ended because the
 *              identity expired (on_expiry = "close"). In the connector, which judges targets and not callers: each exchange
 *   connector  admitted or refused
 *   tunnel     a proxy or connector that got no further than its TLS handshake
 *   config     loaded or rejected
 *   start, stop
 *
 * format = "json": one object a line: time, event, decision, outcome (the word of codec/outcome), then what is known of from
 * (address), listener, exchange, conn, tenant, target, location, region, chain, plugin, reason (the operator's, never the client's),
 * principal, client_id, issuer, and of connectors connector, instance, version; of config file. truncated: a value was cut.
 *
 * format = "sap": [AUDIT-EVENT] {"user":..,"data":"..","tenant":..}: the line that SAP documents for its Connectivity Proxy (SAP BTP
 * Connectivity, "Audit Logging": https://github.com/SAP-docs/btp-connectivity, audit-logging-255f562.md). data is JSON as text, in
 * a string; SAP's page prints its quotes bare, here they are escaped, so that the line is JSON. Documented are the two lines of a
 * connector's tunnel: these have the documented members in the documented order, then those of "json". Every other event has the
 * same frame, but words of our own, since none are documented.
 *
 * Secrets are never passed in here: no token, no password, no part of one, not even its hash. What peers said is escaped.
 *
 * Any thread, without a lock: each line is one write(). A file is opened for appending, so lines do not mix; into a pipe
 * (standard output) they do not either up to PIPE_BUF. */
#ifndef SP_EXCHANGE_AUDIT_H
#define SP_EXCHANGE_AUDIT_H

#include "exchange/exchange.h"

struct sp_audit;

enum sp_audit_event { SP_AUDIT_START, SP_AUDIT_STOP, SP_AUDIT_CONFIG, SP_AUDIT_IDENTITY, SP_AUDIT_EXCHANGE, SP_AUDIT_CONNECTOR,
		      SP_AUDIT_TUNNEL };
enum sp_audit_decision { SP_AUDIT_NONE, SP_AUDIT_ALLOWED, SP_AUDIT_DENIED, SP_AUDIT_ENDED, SP_AUDIT_LOADED, SP_AUDIT_REJECTED };

/* Everything else is left out when it is NULL, "" or 0. */
struct sp_audit_entry {
	enum sp_audit_event event;
	enum sp_audit_decision decision;
	enum sp_outcome outcome; /* ALLOWED, DENIED and ENDED */
	const char *exchange, *front, *listener, *from, *chain, *reason, *location, *region, *file;
	const char *connector_id, *instance, *version;
	uint64_t conn;
	const struct sp_identity *identity;
	const struct sp_authority *target;
};

/* As conf->audit says; conf is borrowed. No setting: 0 and *out NULL, which every function here takes for "write nothing". Else 0 or
 * SP_EINVAL with cause: the file cannot be opened, is no regular file, or everybody may write to it. */
int sp_audit_open(const struct sp_conf *conf, struct sp_audit **out, struct sp_cause *cause);
/* The same findings without opening or creating anything, for `-t`. */
int sp_audit_check(const struct sp_conf *conf, struct sp_cause *cause);
void sp_audit_close(struct sp_audit **a);
/* The file was renamed (logrotate): opens the one of that name now. While that fails the old one goes on: SP_EINVAL with cause. */
int sp_audit_reopen(struct sp_audit *a, struct sp_cause *cause);

/* 0; or SP_ESYS: the line was not written, and on_failure = "deny" says that what it would allow must not be done then. A line
 * that could not be written is counted, and the log says when that begins and ends. */
int sp_audit_write(struct sp_audit *a, const struct sp_audit_entry *e);
/* The entry of an exchange: all that it knows. */
int sp_audit_exchange(struct sp_audit *a, enum sp_audit_event event, enum sp_audit_decision decision, const struct sp_exchange *x,
		      const char *chain);
uint64_t sp_audit_written(const struct sp_audit *a);
uint64_t sp_audit_lost(const struct sp_audit *a);

#endif
