/* The configuration: a libconfig file becomes one immutable snapshot. Every default is safe; unknown keys, wrong types and
 * values out of range are errors with file, line and, for keys, the nearest known name. Sizes and durations are strings with
 * units ("64KiB", "30s"); integers are range-checked (libconfig wraps them silently). Secrets are never values, only
 * { file = "..." }. The table of known keys in conf/keys.c is the only place that names keys and defaults. */
#ifndef SP_CONF_CONF_H
#define SP_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/log.h"
#include "codec/authority.h"

enum sp_conf_kind { SP_CONF_PROXY, SP_CONF_CONNECTOR }; /* sallyport's file, sallyport-connector's file */

/* Where something stands; file is the snapshot's. */
struct sp_conf_at { const char *file; unsigned line; };

/* Errors, complete lines for the operator: "sallyport.conf:41: listeners[0]: unknown key "adress"; did you mean "address"?" */
struct sp_report { char *text; unsigned count; }; /* text: lines joined with \n; heap, free with sp_report_deinit */
void sp_report_add(struct sp_report *r, const struct sp_conf_at *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void sp_report_deinit(struct sp_report *r);

struct sp_conf_plugin {
	struct sp_conf_at at;
	char *name;	/* "jwt": found as <plugin_dir>/jwt.so; or an absolute path ending in .so */
	char *json;	/* its group without "plugin", as a JSON object */
	struct sp_conf_line { char *pointer; struct sp_conf_at at; } *lines; /* JSON Pointer -> where it stands */
	unsigned line_count;
};
struct sp_conf_chain { struct sp_conf_at at; char *name; struct sp_conf_plugin *plugins; unsigned plugin_count; };

enum sp_protocol { SP_PROTOCOL_SOCKS5, SP_PROTOCOL_HTTP, SP_PROTOCOL_FORWARD, SP_PROTOCOL_TUNNEL };

struct sp_conf_listener {
	struct sp_conf_at at;
	enum sp_protocol protocol;
	struct sp_addr address;
	char *address_text;
	int chain;		    /* index into chains: who may use it. tunnel: proxies; -1 = none may */
	int connectors;		    /* tunnel only: chain that admits connectors; -1 = none may */
	bool trusted_network;	    /* "I know": a chain that verifies nobody may listen off loopback */
	struct sp_authority target; /* forward only */
	char *location;		    /* forward only; NULL = none */
	char *cert_file, *key_file, *client_ca_file; /* tunnel only; client_ca_file may be NULL */
	char **speaks_for_any;	    /* tunnel only, NULL-terminated or NULL: principals that may name the tenant themselves
				       (sallyport-tenant); nobody else may */
};

enum sp_upstream { SP_UPSTREAM_DIRECT, SP_UPSTREAM_GATEWAY, SP_UPSTREAM_CONNECTORS };

struct sp_conf_upstream {
	struct sp_conf_at at;
	enum sp_upstream kind;
	struct sp_authority url;	/* gateway: https://host[:port], default port 443 */
	char *ca_file;			/* NULL: the system's store */
	char *cert_file, *key_file;	/* client certificate; NULL: none */
	char *token_file;		/* bearer token, read again while exchanges ask; NULL: none */
	char *service_key_file;		/* in its place: tokens by a service key (auth/service_key.h); NULL: none */
	char *service_key_ca_file;	/* who signs the token server's certificate; NULL: the system's store */
};

struct sp_conf_region {
	struct sp_conf_at at;		/* first */
	char *id;			/* as clients name it */
	char **issuers;			/* NULL-terminated, or NULL: none leads here */
	char **allowed_clients;		/* NULL-terminated, or NULL: all */
	struct sp_conf_upstream upstream; /* a gateway */
};

struct sp_conf_connector {		/* connector.conf: gateway = { ... } */
	struct sp_conf_at at;
	struct sp_authority *urls;	/* one tunnel set towards each */
	unsigned url_count;
	char *ca_file, *cert_file, *key_file, *token_file;
	char location[192];		/* "" = the one without a location id */
	char id[64];			/* connector id; default: host name */
	unsigned tunnels;		/* per url, 1..8, default 2 */
};

enum sp_expose_protocol { SP_EXPOSE_TCP, SP_EXPOSE_HTTP, SP_EXPOSE_HTTPS };

struct sp_conf_path {			/* of an HTTP system: what may be asked for */
	struct sp_conf_at at;
	char *path;			/* "/sap/opu": decoded, without query and dot segments */
	bool sub_paths;			/* and everything below it */
	bool suspended;			/* denied for the time being */
	char **methods;			/* NULL-terminated, or NULL: all */
};

struct sp_conf_claim {			/* a verified claim of the caller that the system gets as a header */
	struct sp_conf_at at;
	char *claim, *header;
};

struct sp_conf_expose {
	struct sp_conf_at at;
	enum sp_expose_protocol protocol;
	bool suspended;			/* the whole system */
	struct sp_conf_path *paths;	/* HTTP and HTTPS: nothing else may be asked for */
	unsigned path_count;
	bool host_internal;		/* Host names the internal system, X-Forwarded-Host the virtual one; else Host the virtual one */
	bool upgrade;			/* may switch protocols (WebSocket) */
	struct sp_conf_claim *claims;
	unsigned claim_count;
	uint64_t body_max_bytes;	/* of a request; 0: any */
	uint32_t head_max_bytes;	/* of a response, and each of its lines */
	uint64_t response_ms;		/* 0: timeouts.response */
	uint32_t connections;		/* to the system, busy or idle */
	char *ca_file, *cert_file, *key_file; /* HTTPS; each may be NULL */
	char *server_name;		/* HTTPS: verified, and sent as SNI; NULL: the internal host */
	char virtual_host[SP_HOST_SIZE];
	uint16_t first_port, last_port;	/* virtual ports, inclusive */
	char internal_host[SP_HOST_SIZE];
	uint16_t internal_first_port;	/* a range maps 1:1; a single internal port for a range maps all to it */
	uint16_t internal_last_port;	/* = first unless a range was written */
	bool internal_same_offset;	/* true: internal port = internal_first_port + (port - first_port) */
};

struct sp_conf {
	unsigned refs; /* atomic */
	char *file;
	char **includes;		/* names of included files, for sp_conf_at */
	unsigned include_count;
	enum sp_conf_kind kind;
	unsigned workers;		/* 1..64 */
	char *plugin_dir;
	enum sp_level log_level;
	bool log_json;
	bool close_on_expiry; /* PROXY: open exchanges end with the identity of their caller */
	struct {
		struct sp_conf_at at;
		char *file; /* "-": standard output; NULL: no audit trail */
		bool sap;   /* SAP's form of a line */
		bool deny;  /* what cannot be recorded is not allowed */
	} audit;
	struct {
		uint64_t handshake_ms;	 /* SOCKS5 and HTTP heads, TLS and upgrade */
		uint64_t auth_ms;	 /* a whole chain */
		uint64_t open_ms;	 /* from identity to connected, everything included */
		uint64_t dial_ms;	 /* TCP connect to an origin or a gateway */
		uint64_t half_closed_ms; /* one direction ended, the other silent */
		uint64_t idle_ms;	 /* both directions silent; 0 = for ever */
		uint64_t response_ms;	 /* from a request completely sent to the head of its response */
		uint64_t body_ms;	 /* silence in the middle of a body that is waited for */
		uint64_t keep_alive_ms;	 /* an HTTP/1.1 connection between two requests */
		uint64_t drain_ms;	 /* after SIGTERM */
	} timeouts;
	struct {
		uint32_t exchanges;	      /* open at once, per worker */
		uint32_t clients;	      /* accepted connections, per worker */
		uint32_t token_bytes;	      /* longest credential */
		uint32_t head_bytes;	      /* longest HTTP head */
		uint32_t head_line_bytes;     /* longest line of one */
		uint32_t fields;	      /* in one; at most SP_FIELDS_MAX count, less what hops add */
		uint32_t stream_window_bytes; /* HTTP/2 receive window per stream */
		uint32_t connection_window_bytes;
		uint32_t streams_per_tunnel;  /* MAX_CONCURRENT_STREAMS that we advertise */
	} limits;
	struct {
		uint64_t ping_after_ms;	 /* silence after which we PING */
		uint64_t ping_timeout_ms; /* no byte for so long after the PING: dead */
		uint64_t wait_ms;	 /* an exchange waits so long for a tunnel */
		uint64_t idle_ms;	 /* a dialled tunnel without streams is drained after this */
		uint64_t backoff_max_ms;
		uint32_t max_per_pool;	 /* dialled tunnels per tenant and location */
		uint32_t streams_mark;	 /* above so many on the least loaded, another tunnel is dialled */
		uint32_t waiting;	 /* exchanges waiting per pool */
	} tunnels;
	struct sp_conf_chain *chains;
	unsigned chain_count;
	struct sp_conf_listener *listeners;
	unsigned listener_count;
	struct sp_conf_upstream upstream; /* PROXY; with regions: where exchanges of none of them go */
	struct sp_conf_region *regions;	  /* PROXY */
	unsigned region_count;
	struct sp_conf_connector connector; /* CONNECTOR */
	struct sp_conf_expose *exposes;	    /* CONNECTOR */
	unsigned expose_count;
};

/* Reads, checks and completes with defaults. 0 with *out (one reference), or SP_EINVAL with at least one line in r.
 * Any one thread at a time. Settings of files become absolute paths: relative ones are relative to the file's folder,
 * in a plugin's group too (members named "file" or ..._file). @include is relative to that folder, whoever includes. */
int sp_conf_load(const char *file, enum sp_conf_kind kind, struct sp_conf **out, struct sp_report *r);
struct sp_conf *sp_conf_ref(struct sp_conf *c);
void sp_conf_unref(struct sp_conf **c);

/* The longest head of a tunnel's stream: a client's, and what hops add to it (credential, tenant, claims; 32 bytes a field, as RFC
 * 9113 section 6.5.2 counts). */
static inline uint32_t sp_conf_tunnel_head_bytes(const struct sp_conf *c)
{
	return c->limits.head_bytes + 64 * 1024;
}

/* "30s", "250ms", "5m", "1h", "0" -> milliseconds; "64KiB", "8192", "1MiB", "2GiB" -> bytes. 0 or SP_EINVAL. */
int sp_conf_duration(const char *text, uint64_t *ms_out);
int sp_conf_size(const char *text, uint64_t *bytes_out);

/* A secret file's content without trailing line ends, as a heap string to be freed with sp_secret_free(). Refused (SP_EDENIED)
 * when others than owner and group may access it; SP_ETOOBIG above max bytes; SP_EINVAL when it is empty, holds a NUL byte or
 * is no regular file; SP_ESYS. */
int sp_conf_read_secret(const char *file, size_t max, char **out, struct sp_cause *cause);
/* The line of a plugin's setting: the longest pointer in its lines that is a prefix of `pointer`, else the plugin's own. */
const struct sp_conf_at *sp_conf_plugin_at(const struct sp_conf_plugin *p, const char *pointer);

#endif
