#include "conf/keys.h"

#include "conf/check.h"

#define IN(type, member) .offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define CONF(member) IN(sp_conf, member)
#define UPSTREAM(member) IN(sp_conf_upstream, member)
#define REGION(member) IN(sp_conf_region, member)
#define LISTENER(member) IN(sp_conf_listener, member)
#define EXPOSE(member) IN(sp_conf_expose, member)
#define PATH(member) IN(sp_conf_path, member)
#define CLAIM(member) IN(sp_conf_claim, member)
#define AT(member) .at_offset = offsetof(struct sp_conf, member), .at_size = sizeof(((struct sp_conf *)0)->member)
#define COUNT(member, array) \
	.count_offset = offsetof(struct sp_conf, member), .element_size = sizeof(*((struct sp_conf *)0)->array)

#define EXPOSE_COUNT(member, array) \
	.count_offset = offsetof(struct sp_conf_expose, member), .element_size = sizeof(*((struct sp_conf_expose *)0)->array)

#define BOTH .programs = SP_FOR_BOTH
#define PROXY .programs = SP_FOR_PROXY
#define CONNECTOR .programs = SP_FOR_CONNECTOR

#define SECONDS ((uint64_t)1000)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)
#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)
#define LOCATION_MAX (sizeof(((struct sp_conf_connector *)0)->location) - 1)

#define SECRET_HINT "a secret is never a value: write { file = \"/path/of/the/file\"; }"

#define END { .name = NULL }

static const char *const levels[] = { "error", "warn", "notice", "info", "debug", NULL };	 /* enum sp_level */
static const char *const formats[] = { "text", "json", NULL };				 /* log_json */
static const char *const audit_formats[] = { "json", "sap", NULL };	  /* audit.sap */
static const char *const audit_failures[] = { "continue", "deny", NULL }; /* audit.deny */
static const char *const expiries[] = { "finish", "close", NULL };	  /* close_on_expiry */
static const char *const protocols[] = { "socks5", "http", "forward", "tunnel", NULL }; /* enum sp_protocol */
static const char *const upstreams[] = { "direct", "gateway", "connectors", NULL };	 /* enum sp_upstream */
static const char *const exposed[] = { "tcp", "http", "https", NULL };		 /* enum sp_expose_protocol */
static const char *const host_headers[] = { "virtual", "internal", NULL };	 /* host_internal */

enum {
	CLIENTS = 1 << SP_PROTOCOL_SOCKS5 | 1 << SP_PROTOCOL_HTTP | 1 << SP_PROTOCOL_FORWARD,
	FORWARD = 1 << SP_PROTOCOL_FORWARD,
	TUNNEL = 1 << SP_PROTOCOL_TUNNEL,
	GATEWAY = 1 << SP_UPSTREAM_GATEWAY,
	WEB = 1 << SP_EXPOSE_HTTP | 1 << SP_EXPOSE_HTTPS,
	HTTPS = 1 << SP_EXPOSE_HTTPS,
};

static const struct sp_conf_key log_keys[] = {
	{ "level", SP_KEY_WORD, BOTH, .words = levels, .value = "info", CONF(log_level),
	  .text = "The least urgent lines that are written." },
	{ "format", SP_KEY_WORD, BOTH, .words = formats, .value = "text", CONF(log_json),
	  .text = "key=value, or one JSON object a line." },
	END
};

static const struct sp_conf_key audit_keys[] = {
	{ "file", SP_KEY_OUTPUT, BOTH, .required = SP_ALWAYS, CONF(audit.file),
	  .text = "Where lines are appended to; \"-\" is standard output. SIGHUP opens it anew, for logrotate." },
	{ "format", SP_KEY_WORD, BOTH, .words = audit_formats, .value = "json", CONF(audit.sap),
	  .text = "One JSON object a line, or the line that SAP documents for its Connectivity Proxy." },
	{ "on_failure", SP_KEY_WORD, BOTH, .words = audit_failures, .value = "continue", CONF(audit.deny),
	  .text = "A line cannot be written (disk full): go on without it, or deny what it would have allowed." },
	END
};

static const struct sp_conf_key timeout_keys[] = {
	{ "handshake", SP_KEY_DURATION, BOTH, .min = 1, .max = 10 * MINUTES, .value = "10s", CONF(timeouts.handshake_ms),
	  .text = "A SOCKS5 dialogue, an HTTP head, TLS with the upgrade or the first words of HTTP/2 after it." },
	{ "auth", SP_KEY_DURATION, PROXY, .min = 1, .max = 10 * MINUTES, .value = "5s", CONF(timeouts.auth_ms),
	  .text = "A whole chain of plugins." },
	{ "open", SP_KEY_DURATION, BOTH, .min = 1, .max = 10 * MINUTES, .value = "15s", CONF(timeouts.open_ms),
	  .text = "From a known caller to a connected target, everything included." },
	{ "dial", SP_KEY_DURATION, BOTH, .min = 1, .max = 10 * MINUTES, .value = "10s", CONF(timeouts.dial_ms),
	  .text = "A TCP connection to a target or a gateway." },
	{ "half_closed", SP_KEY_DURATION, BOTH, .min = 1, .max = 7 * DAYS, .value = "5m", CONF(timeouts.half_closed_ms),
	  .text = "One direction has ended and the other is silent." },
	{ "idle", SP_KEY_DURATION, BOTH, .min = 0, .max = 30 * DAYS, .value = "0", CONF(timeouts.idle_ms),
	  .text = "Both directions are silent; \"0\" is for ever." },
	{ "response", SP_KEY_DURATION, BOTH, .min = 1, .max = 24 * HOURS, .value = "2m", CONF(timeouts.response_ms),
	  .text = "From a request that is completely sent to the head of its response." },
	{ "body", SP_KEY_DURATION, BOTH, .min = 1, .max = HOURS, .value = "1m", CONF(timeouts.body_ms),
	  .text = "Silence in the middle of a request's body." },
	{ "keep_alive", SP_KEY_DURATION, BOTH, .min = 1, .max = 24 * HOURS, .value = "75s", CONF(timeouts.keep_alive_ms),
	  .text = "An HTTP/1.1 connection that is idle between two requests, a client's or one to a system." },
	{ "drain", SP_KEY_DURATION, BOTH, .min = 0, .max = 24 * HOURS, .value = "30s", CONF(timeouts.drain_ms),
	  .text = "What is open after SIGTERM may go on for so long." },
	END
};

static const struct sp_conf_key limit_keys[] = {
	{ "exchanges", SP_KEY_INT, BOTH, .min = 1, .max = 1000000, .value = "10000", CONF(limits.exchanges),
	  .text = "Exchanges open at once, per worker." },
	{ "clients", SP_KEY_INT, PROXY, .min = 1, .max = 1000000, .value = "20000", CONF(limits.clients),
	  .text = "Accepted connections open at once, per worker." },
	{ "token", SP_KEY_SIZE, PROXY, .min = 256, .max = 256 * KIB, .value = "16KiB", CONF(limits.token_bytes),
	  .text = "The longest credential." },
	{ "head", SP_KEY_SIZE, BOTH, .min = KIB, .max = 512 * KIB, .value = "16KiB", CONF(limits.head_bytes),
	  .text = "The longest HTTP head; not below head_line, and twice that where only head_line is set and needs it." },
	{ "head_line", SP_KEY_SIZE, BOTH, .min = KIB, .max = 128 * KIB, .value = "8KiB", CONF(limits.head_line_bytes),
	  .text = "The longest line of an HTTP head; never above head where only head is set." },
	{ "fields", SP_KEY_INT, BOTH, .min = 10, .max = 110, .value = "100", CONF(limits.fields),
	  .text = "Fields in an HTTP head." },
	{ "stream_window", SP_KEY_SIZE, BOTH, .min = 64 * KIB, .max = 16 * MIB, .value = "1MiB",
	  CONF(limits.stream_window_bytes), .text = "HTTP/2 receive window of a stream: what a stuck reader may cost." },
	{ "connection_window", SP_KEY_SIZE, BOTH, .min = 64 * KIB, .max = 1024 * MIB, .value = "64MiB",
	  CONF(limits.connection_window_bytes), .text = "HTTP/2 receive window of a tunnel; not below stream_window." },
	{ "streams_per_tunnel", SP_KEY_INT, BOTH, .min = 1, .max = 1000000, .value = "10000",
	  CONF(limits.streams_per_tunnel), .text = "Streams that a peer may have open on one tunnel." },
	END
};

static const struct sp_conf_key tunnel_keys[] = {
	{ "ping_after", SP_KEY_DURATION, BOTH, .min = 1, .max = HOURS, .value = "20s", CONF(tunnels.ping_after_ms),
	  .text = "Silence after which a tunnel is probed." },
	{ "ping_timeout", SP_KEY_DURATION, BOTH, .min = 1, .max = HOURS, .value = "10s", CONF(tunnels.ping_timeout_ms),
	  .text = "A probed tunnel that stays silent for so long is dead." },
	{ "wait", SP_KEY_DURATION, PROXY, .min = 1, .max = 10 * MINUTES, .value = "3s", CONF(tunnels.wait_ms),
	  .text = "An exchange waits so long for a tunnel." },
	{ "idle", SP_KEY_DURATION, PROXY, .min = 1, .max = 7 * DAYS, .value = "5m", CONF(tunnels.idle_ms),
	  .text = "A dialled tunnel without streams is closed after this." },
	{ "backoff_max", SP_KEY_DURATION, BOTH, .min = 1, .max = HOURS, .value = "30s", CONF(tunnels.backoff_max_ms),
	  .text = "The longest pause between attempts to dial." },
	{ "max_per_pool", SP_KEY_INT, PROXY, .min = 1, .max = 256, .value = "4", CONF(tunnels.max_per_pool),
	  .text = "Dialled tunnels per tenant and location." },
	{ "streams_mark", SP_KEY_INT, PROXY, .min = 1, .max = 1000000, .value = "64", CONF(tunnels.streams_mark),
	  .text = "With so many streams on the least loaded tunnel another one is dialled." },
	{ "waiting", SP_KEY_INT, PROXY, .min = 1, .max = 1000000, .value = "256", CONF(tunnels.waiting),
	  .text = "Exchanges that may wait for a tunnel, per pool." },
	END
};

static const struct sp_conf_key tls_keys[] = {
	{ "cert_file", SP_KEY_FILE, PROXY, .required = SP_ALWAYS, LISTENER(cert_file),
	  .text = "Certificate chain, PEM." },
	{ "key_file", SP_KEY_FILE, PROXY, .required = SP_ALWAYS, LISTENER(key_file),
	  .text = "Private key, PEM." },
	{ "client_ca_file", SP_KEY_FILE, PROXY, LISTENER(client_ca_file),
	  .text = "Who signs client certificates, PEM; absent: clients are not asked for one." },
	END
};

static const struct sp_conf_key listener_keys[] = {
	{ "protocol", SP_KEY_WORD, PROXY, .selector = true, .required = SP_ALWAYS, .words = protocols, LISTENER(protocol),
	  .text = "What clients speak: SOCKS5, HTTP, anything (a local port bound to one target), or our tunnel." },
	{ "address", SP_KEY_ADDRESS, PROXY, .required = SP_ALWAYS,
	  .text = "\"127.0.0.1:20003\", \"[::1]:20003\" or \"unix:/run/sallyport/http.sock\"; port 0 is any free one." },
	{ "auth", SP_KEY_CHAIN, PROXY, .required = CLIENTS, LISTENER(chain),
	  .text = "The chain that says who may use it; tunnel: the chain for proxies, absent: none may." },
	{ "trusted_network", SP_KEY_BOOL, PROXY, .value = "false", LISTENER(trusted_network),
	  .text = "true: a chain that verifies nobody may be reachable from the network." },
	{ "target", SP_KEY_TARGET, PROXY, .only = FORWARD, .required = FORWARD, LISTENER(target),
	  .text = "\"host:port\" that every connection goes to." },
	{ "location", SP_KEY_STRING, PROXY, .only = FORWARD, .max = LOCATION_MAX, LISTENER(location),
	  .text = "The location id of the connector; absent: the one without." },
	{ "connectors", SP_KEY_CHAIN, PROXY, .only = TUNNEL, LISTENER(connectors),
	  .text = "The chain that admits connectors; absent: none may dial in." },
	{ "tls", SP_KEY_GROUP, PROXY, .only = TUNNEL, .required = TUNNEL, .members = tls_keys,
	  .text = "How the listener proves itself." },
	{ "speaks_for_any", SP_KEY_STRINGS, PROXY, .only = TUNNEL, .min = 1, LISTENER(speaks_for_any),
	  .text = "Principals that may name the tenant themselves; nobody else may." },
	END
};

static const struct sp_conf_key upstream_token_keys[] = {
	{ "file", SP_KEY_FILE, PROXY, .required = SP_ALWAYS, UPSTREAM(token_file),
	  .text = "The file that holds it; a renewed one is the next exchanges' within a second, and at once when the gateway refuses the old." },
	END
};

static const struct sp_conf_key service_key_keys[] = {
	{ "file", SP_KEY_FILE, PROXY, .required = SP_ALWAYS, UPSTREAM(service_key_file),
	  .text = "The JSON file that holds it; another good one in its place is used within a second." },
	{ "ca_file", SP_KEY_FILE, PROXY, UPSTREAM(service_key_ca_file),
	  .text = "Who signs the token server's certificate, PEM; absent: the system's store." },
	END
};

static const struct sp_conf_key upstream_keys[] = {
	{ "kind", SP_KEY_WORD, PROXY, .selector = true, .required = SP_ALWAYS, .words = upstreams, UPSTREAM(kind),
	  .text = "Targets are reached from here, by tunnels to a gateway, or by the tunnels of connectors that dial in." },
	{ "url", SP_KEY_URL, PROXY, .only = GATEWAY, .required = GATEWAY, UPSTREAM(url),
	  .text = "\"https://host\" or \"https://host:port\" of the gateway." },
	{ "ca_file", SP_KEY_FILE, PROXY, .only = GATEWAY, UPSTREAM(ca_file),
	  .text = "Who signs the gateway's certificate, PEM; absent: the system's store." },
	{ "cert_file", SP_KEY_FILE, PROXY, .only = GATEWAY, UPSTREAM(cert_file),
	  .text = "Client certificate chain, PEM." },
	{ "key_file", SP_KEY_FILE, PROXY, .only = GATEWAY, UPSTREAM(key_file),
	  .text = "Its private key, PEM." },
	{ "token", SP_KEY_SECRET, PROXY, .only = GATEWAY, .members = upstream_token_keys, .hint = SECRET_HINT,
	  .text = "Bearer token for the gateway." },
	{ "service_key", SP_KEY_SECRET, PROXY, .only = GATEWAY, .members = service_key_keys, .hint = SECRET_HINT,
	  .text = "In its place: OAuth 2.0 client credentials, with which tokens for the gateway are got." },
	END
};

static const struct sp_conf_key region_keys[] = {
	{ "id", SP_KEY_STRING, PROXY, .required = SP_ALWAYS, .max = 64, REGION(id),
	  .text = "What clients send as SAP-Connectivity-Region-Configuration-Id." },
	{ "issuers", SP_KEY_STRINGS, PROXY, .min = 1, REGION(issuers),
	  .text = "Identities of these issuers go here where the client names no region (SOCKS5 clients cannot)." },
	{ "allowed_clients", SP_KEY_STRINGS, PROXY, .min = 1, REGION(allowed_clients),
	  .text = "Only identities of these client ids may go here; absent: all." },
	{ "upstream", SP_KEY_GROUP, PROXY, .required = SP_ALWAYS, .members = upstream_keys,
	  .at_offset = offsetof(struct sp_conf_region, upstream.at), .at_size = sizeof(struct sp_conf_at),
	  .base_offset = offsetof(struct sp_conf_region, upstream), .check = sp_check_upstream,
	  .text = "The region's gateway." },
	END
};

static const struct sp_conf_key connector_token_keys[] = {
	{ "file", SP_KEY_FILE, CONNECTOR, .required = SP_ALWAYS, CONF(connector.token_file),
	  .text = "The file that holds it; read again for every new tunnel." },
	END
};

static const struct sp_conf_key gateway_keys[] = {
	{ "url", SP_KEY_GATEWAY, CONNECTOR,
	  .text = "\"https://host\" or \"https://host:port\" of the gateway." },
	{ "urls", SP_KEY_GATEWAYS, CONNECTOR, .min = 1, .max = 16,
	  .text = "In place of url, several gateways: tunnels are kept to each." },
	{ "ca_file", SP_KEY_FILE, CONNECTOR, CONF(connector.ca_file),
	  .text = "Who signs the gateway's certificate, PEM; absent: the system's store." },
	{ "cert_file", SP_KEY_FILE, CONNECTOR, CONF(connector.cert_file),
	  .text = "Client certificate chain, PEM." },
	{ "key_file", SP_KEY_FILE, CONNECTOR, CONF(connector.key_file),
	  .text = "Its private key, PEM." },
	{ "token", SP_KEY_SECRET, CONNECTOR, .members = connector_token_keys, .hint = SECRET_HINT,
	  .text = "Bearer token for the gateway." },
	{ "location", SP_KEY_TEXT, CONNECTOR, .value = "", CONF(connector.location),
	  .text = "Which of the tenant's connectors this is; \"\" is the one without a location id." },
	{ "id", SP_KEY_TEXT, CONNECTOR, CONF(connector.id),
	  .text = "Names this connector in the gateway's logs; absent: the host name, or the certificate where it says all there is to say." },
	{ "tunnels", SP_KEY_INT, CONNECTOR, .min = 1, .max = 8, .value = "2", CONF(connector.tunnels),
	  .text = "Tunnels that are kept to each gateway." },
	END
};

static const struct sp_conf_key path_keys[] = {
	{ "path", SP_KEY_STRING, CONNECTOR, .required = SP_ALWAYS, .max = 4096, PATH(path),
	  .text = "\"/sap/opu\": as it reads decoded, without query." },
	{ "sub_paths", SP_KEY_BOOL, CONNECTOR, .value = "false", PATH(sub_paths),
	  .text = "true: and everything below it; \"/\" is then the whole system." },
	{ "methods", SP_KEY_STRINGS, CONNECTOR, .min = 1, PATH(methods),
	  .text = "Only these methods; absent: all." },
	{ "suspended", SP_KEY_BOOL, CONNECTOR, .value = "false", PATH(suspended),
	  .text = "true: denied for the time being, with everything that the entry is about." },
	END
};

static const struct sp_conf_key claim_keys[] = {
	{ "claim", SP_KEY_STRING, CONNECTOR, .required = SP_ALWAYS, .max = 256, CLAIM(claim),
	  .text = "A claim of the caller, as the proxy or the gateway has verified it: a text, an integer, true or false, or a list of these." },
	{ "header", SP_KEY_STRING, CONNECTOR, .required = SP_ALWAYS, .max = 64, CLAIM(header),
	  .text = "The header that the system gets it in; what clients send under this name never passes." },
	END
};

static const struct sp_conf_key expose_keys[] = {
	{ "virtual", SP_KEY_VIRTUAL, CONNECTOR, .required = SP_ALWAYS,
	  .text = "What applications ask for: \"host:port\" or \"host:first-last\"." },
	{ "protocol", SP_KEY_WORD, CONNECTOR, .selector = true, .words = exposed, .value = "tcp", EXPOSE(protocol),
	  .text = "tcp passes bytes, whatever they are, and looks into none; http and https pass requests, judged one by one." },
	{ "internal", SP_KEY_INTERNAL, CONNECTOR, .required = SP_ALWAYS,
	  .text = "Where the system is: \"host:port\", or for a range \"host:first-last\" of the same length." },
	{ "suspended", SP_KEY_BOOL, CONNECTOR, .value = "false", EXPOSE(suspended),
	  .text = "true: nothing of it may be reached for the time being." },
	{ "paths", SP_KEY_GROUPS, CONNECTOR, .only = WEB, .required = WEB, .min = 1, .members = path_keys, EXPOSE(paths),
	  EXPOSE_COUNT(path_count, paths), .check = sp_check_path,
	  .text = "What may be asked for; of several that fit the longest decides. The whole system: ( { path = \"/\"; sub_paths = true; } )." },
	{ "host_header", SP_KEY_WORD, CONNECTOR, .only = WEB, .words = host_headers, .value = "virtual", EXPOSE(host_internal),
	  .text = "Which host the system hears of; internal: X-Forwarded-Host holds the virtual one." },
	{ "upgrade", SP_KEY_BOOL, CONNECTOR, .only = WEB, .value = "false", EXPOSE(upgrade),
	  .text = "true: the protocol may be switched, as WebSocket does; bytes then pass unseen." },
	{ "principal_header", SP_KEY_GROUPS, CONNECTOR, .only = WEB, .max = 16, .members = claim_keys, EXPOSE(claims),
	  EXPOSE_COUNT(claim_count, claims), .check = sp_check_claim,
	  .text = "Who calls, for systems that trust the connector's word; absent: they are not told. One header a claim." },
	{ "max_body", SP_KEY_SIZE, CONNECTOR, .only = WEB, .max = MIB * MIB, .value = "0", EXPOSE(body_max_bytes),
	  .text = "The longest body of a request; \"0\" is any." },
	{ "max_head", SP_KEY_SIZE, CONNECTOR, .only = WEB, .min = KIB, .max = 512 * KIB, .value = "64KiB", EXPOSE(head_max_bytes),
	  .text = "The longest head of a response. Tunnels carry 64 KiB more than the limits.head of the proxies and gateways at their ends." },
	{ "timeout", SP_KEY_DURATION, CONNECTOR, .only = WEB, .max = 24 * HOURS, .value = "0", EXPOSE(response_ms),
	  .text = "In place of timeouts.response; \"0\" is that." },
	{ "connections", SP_KEY_INT, CONNECTOR, .only = WEB, .min = 1, .max = 65535, .value = "256", EXPOSE(connections),
	  .text = "Connections to the system, busy or kept for the next request, per worker." },
	{ "ca_file", SP_KEY_FILE, CONNECTOR, .only = HTTPS, EXPOSE(ca_file),
	  .text = "Who signs the system's certificate, PEM; absent: the system's store." },
	{ "cert_file", SP_KEY_FILE, CONNECTOR, .only = HTTPS, EXPOSE(cert_file),
	  .text = "Client certificate chain, PEM." },
	{ "key_file", SP_KEY_FILE, CONNECTOR, .only = HTTPS, EXPOSE(key_file),
	  .text = "Its private key, PEM." },
	{ "server_name", SP_KEY_STRING, CONNECTOR, .only = HTTPS, .max = 253, EXPOSE(server_name),
	  .text = "The name that the system's certificate must hold; absent: the internal host." },
	END
};

/* In the order in which loading walks it: chains before the listeners that name them. */
const struct sp_conf_key sp_conf_keys[] = {
	{ "workers", SP_KEY_INT, PROXY, .min = 1, .max = 64, .value = "1", CONF(workers),
	  .text = "Threads, each with its own listeners, tunnels and limits." },
	{ "plugin_dir", SP_KEY_FILE, PROXY, .value = SP_PKGLIBDIR, CONF(plugin_dir),
	  .text = "Where plugins are: \"jwt\" is jwt.so in this folder." },
	{ "log", SP_KEY_GROUP, BOTH, .members = log_keys, .text = "Lines on standard error." },
	{ "audit", SP_KEY_GROUP, BOTH, .members = audit_keys, AT(audit.at),
	  .text = "Who was let in and who was not, for auditors; absent: nothing is recorded apart from the log." },
	{ "timeouts", SP_KEY_GROUP, BOTH, .members = timeout_keys, .text = "How long things may take." },
	{ "limits", SP_KEY_GROUP, BOTH, .members = limit_keys, .check = sp_check_limits, .text = "What peers may cost." },
	{ "tunnels", SP_KEY_GROUP, BOTH, .members = tunnel_keys, .text = "Connections that carry many exchanges." },
	{ "auth", SP_KEY_CHAINS, PROXY,
	  .text = "Chains of plugins by name: each a list of groups with the member \"plugin\" and that plugin's own settings." },
	{ "on_expiry", SP_KEY_WORD, PROXY, .words = expiries, .value = "finish", CONF(close_on_expiry),
	  .text = "A caller's identity expires (its token, its certificate) while its exchanges are open: they finish, or are closed. New "
		  "ones are refused in either case, and the tunnels of connectors are drained." },
	{ "listeners", SP_KEY_GROUPS, PROXY, .required = SP_ALWAYS, .min = 1, .members = listener_keys, CONF(listeners),
	  COUNT(listener_count, listeners), .check = sp_check_listener,
	  .text = "Where clients, proxies and connectors arrive." },
	{ "upstream", SP_KEY_GROUP, PROXY, .required = SP_ALWAYS, .members = upstream_keys, AT(upstream.at),
	  .base_offset = offsetof(struct sp_conf, upstream), .check = sp_check_upstream, .text = "Where exchanges go." },
	{ "regions", SP_KEY_GROUPS, PROXY, .min = 1, .members = region_keys, CONF(regions), COUNT(region_count, regions),
	  .check = sp_check_region,
	  .text = "Further gateways, chosen per request: by the region that the client names, or by who issued its token." },
	{ "gateway", SP_KEY_GROUP, CONNECTOR, .required = SP_ALWAYS, .members = gateway_keys, AT(connector.at),
	  .check = sp_check_connector, .text = "Where the connector dials, and as whom." },
	{ "expose", SP_KEY_GROUPS, CONNECTOR, .required = SP_ALWAYS, .members = expose_keys, CONF(exposes),
	  COUNT(expose_count, exposes), .check = sp_check_expose,
	  .text = "The systems that may be reached; nothing else can be. An empty list exposes nothing." },
	END
};
