/* sallyport/plugin.h - auth plugin ABI, major version 1.
 *
 * Threads  check, open, close: main thread.  worker_open, request, finish, worker_close: the
 *          worker's loop thread, never blocking.  host->answer and host->log: any thread.
 * Memory   a pointer argument is borrowed until the call returns; keep = copy.  One exception:
 *          sp_request and its strings stay valid until finish().  Nothing crosses to be freed.
 * Settings the plugin's group as a JSON object. Settings named "file" or "..._file" hold paths that are absolute or relative
 *          to the working directory, whatever they were relative to in the configuration. Unknown ones should be errors.
 * Growth   structs begin with their size and only grow at the end; zero always means "not set". */
#ifndef SALLYPORT_PLUGIN_H
#define SALLYPORT_PLUGIN_H
#include <stddef.h>
#include <stdint.h>

#define SP_ABI_MAGIC 0x53505031u /* "SPP1"; a breaking change gets a new magic AND a new symbol */
#define SP_ABI_MINOR 0u
#define SP_PLUGIN_SYMBOL "sallyport_plugin_v1"
#ifdef __GNUC__
# define SP_PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
# define SP_PRINTF_LIKE(fmt, args)
#endif
#define SP_HAS(type, ptr, member) ((ptr)->size >= offsetof(type, member) + sizeof((ptr)->member))

typedef struct sp_worker sp_worker;       /* one per loop thread */
typedef struct sp_fetch sp_fetch;         /* one HTTPS GET in flight */
typedef struct sp_alarm sp_alarm;         /* one timer */
typedef struct { uint64_t v; } sp_ticket; /* slot and generation: a stale one is harmless */
typedef struct { const char *p; size_t n; } sp_str; /* not NUL terminated; p == NULL: absent */
typedef struct { uint32_t size; char path[124], msg[384]; } sp_error; /* path: JSON Pointer (RFC 6901) of the bad setting */

/* What a configured plugin does to a chain; sallyport derives a listener's operational mode from these. */
enum {
	SP_TRAIT_VERIFIES = 1,	   /* an ALLOW means that the caller has proven who it is */
	SP_TRAIT_RESOLVES = 2,	   /* an ALLOW may carry a tenant taken from the request */
	SP_TRAIT_PINS = 4,	   /* an ALLOW carries a configured tenant */
	SP_TRAIT_WANTS_TOKEN = 8,  /* needs a credential: SOCKS5 then prefers methods 0x80 and 02 */
	SP_TRAIT_FORWARDS = 16	   /* hands the caller's credential on (upstream_auth) */
};
enum { SP_STAGE_AUTHN = 1, SP_STAGE_CONNECT = 2 };      /* bit mask */
enum { SP_LEVEL_ERROR, SP_LEVEL_WARN, SP_LEVEL_NOTICE, SP_LEVEL_INFO, SP_LEVEL_DEBUG }; /* host->log */
enum { SP_CRED_NONE, SP_CRED_USERPASS, SP_CRED_BEARER };
enum { SP_FAIL, SP_DENY, SP_DECLINE, SP_ALLOW };        /* a zeroed answer fails closed */
enum { SP_END_ANSWERED, SP_END_CLIENT_GONE, SP_END_TIMEOUT, SP_END_SHUTDOWN };
enum { SP_WHY_UNSPECIFIED, SP_WHY_NO_CREDENTIAL, SP_WHY_BAD_CREDENTIAL, SP_WHY_EXPIRED,
       SP_WHY_FORBIDDEN, SP_WHY_TENANT_UNKNOWN, SP_WHY_TARGET_FORBIDDEN, SP_WHY_QUOTA,
       SP_WHY_UNAVAILABLE,
       SP_WHY_TENANT_CONFLICT };          /* the caller belongs to another tenant than it must */

typedef struct sp_request {               /* host to plugin; valid until finish() */
    uint32_t size;
    uint32_t stage;                       /* SP_STAGE_AUTHN; with SP_STAGE_CONNECT when the target is known */
    uint32_t cred;
    uint32_t budget_ms;                   /* answers after this many ms are ignored */
    uint64_t conn_id;                     /* the id in the core's log lines */
    sp_str client_addr, listener;
    sp_str user, secret;                  /* secret: password or bearer token; never log it */
    sp_str location;                      /* tenant site selector sent by the client, if any */
    sp_str target_host;                   /* with SP_STAGE_CONNECT only */
    uint32_t target_port, reserved;
    sp_str tenant, principal, claims;     /* what earlier plugins in the chain established */
    /* The peer's TLS client certificate, verified against the listener's client CA; absent without one. */
    sp_str cert_subject;                  /* RFC 2253 text: "CN=...,O=..." */
    sp_str cert_sans;                     /* one per line: "URI:spiffe://...", "DNS:...", "EMAIL:..." */
    sp_str cert_sha256;                   /* lower-case hex of the DER certificate's SHA-256 */
    sp_str region;                        /* the region that the client asked for, if any */
    sp_str service_token;                 /* a second token some clients send beside their own; secret */
    int64_t cert_not_after;               /* Unix seconds until which the certificate is valid; connections live longer */
} sp_request;

typedef struct sp_answer {                /* plugin to host; copied before answer() returns */
    uint32_t size, verdict, why, reserved;
    int64_t expires_at;                   /* Unix seconds, 0 = none; the chain keeps the least */
    sp_str tenant, principal;
    sp_str upstream_auth;                 /* proxy-authorization for the tunnel's CONNECT; secret */
    sp_str claims;                        /* JSON object for the plugins after this one */
    sp_str detail;                        /* operator's log only; never sent to the client */
    sp_str client;                        /* the application (OAuth client id) that the credential was issued to */
    sp_str issuer;                        /* who issued the credential; may lead to a region */
    sp_str subdomain;                     /* the tenant's name towards token servers, where they know it by another */
} sp_answer;

typedef struct sp_fetch_get {             /* plugin to host; copied */
    uint32_t size;
    uint32_t max_bytes;                   /* of the body; a longer one is a failure */
    uint32_t timeout_ms;                  /* the whole exchange, name resolution included */
    uint32_t reserved;
    sp_str url;                           /* https only; the server's name and certificate are always verified */
    sp_str ca_file;                       /* PEM; absent: the system's store */
} sp_fetch_get;
/* status: the HTTP status (redirects are not followed), or 0: no answer. fresh_until: Unix seconds for which Cache-Control lets the
 * body be kept; 0: it does not say. why: what failed, for the operator's log; absent unless status is 0. */
typedef void sp_fetch_cb(void *arg, int status, sp_str body, int64_t fresh_until, sp_str why);
typedef void sp_alarm_cb(void *arg);
typedef struct sp_host {                  /* valid until close() */
    uint32_t size, minor;
    void (*answer)(sp_ticket t, const sp_answer *a); /* first wins; inside request() is fine */
    void (*log)(int level, sp_ticket t, const char *fmt, ...) SP_PRINTF_LIKE(3, 4);
    /* On w's loop thread only, from worker_open() to worker_close(), which must cancel what it started. The callback comes once,
     * on the loop, never inside the call that started it. NULL: out of memory, or no https URL. */
    sp_fetch *(*fetch)(sp_worker *w, const sp_fetch_get *get, sp_fetch_cb *cb, void *arg);
    void (*fetch_cancel)(sp_fetch *f);               /* cb will not run */
    sp_alarm *(*alarm)(sp_worker *w, uint32_t after_ms, sp_alarm_cb *cb, void *arg);
    void (*alarm_cancel)(sp_alarm *a);               /* before cb ran; it will not */
} sp_host;

typedef struct sp_plugin {                /* static const in the plugin; check and request must be there */
    uint32_t magic, size, minor;
    uint32_t stages;                      /* SP_STAGE_AUTHN must be among them */
    const char *name, *version;
    int (*check)(const char *json, uint32_t *traits, sp_error *err); /* for `-t`: reads files, changes nothing; 0, -1 */
    int (*open)(const sp_host *h, const char *json, void *prev, void **inst, sp_error *err);
    int (*worker_open)(void *inst, sp_worker *w, void **wctx, sp_error *err);
    void (*request)(void *wctx, sp_ticket t, const sp_request *r, void **slot);
    void (*finish)(void *wctx, void *slot, int end); /* exactly once per request(); frees slot */
    void (*worker_close)(void *wctx);                /* every request has finished */
    void (*close)(void *inst);                       /* every worker has closed */
} sp_plugin;

typedef const sp_plugin *sp_plugin_fn(void);         /* a function: dlsym on data is not portable */
#ifdef SP_PLUGIN_STATIC /* unit tests link several plugins into one program */
# define SP_PLUGIN_EXPORT(id, desc) \
    const sp_plugin *sallyport_plugin_v1_##id(void); \
    const sp_plugin *sallyport_plugin_v1_##id(void) { return &(desc); }
#else
# define SP_PLUGIN_EXPORT(id, desc) \
    __attribute__((visibility("default"))) const sp_plugin *sallyport_plugin_v1(void); \
    const sp_plugin *sallyport_plugin_v1(void) { return &(desc); }
#endif
#endif
