/* The one error convention: an int, 0 or a negative SP_E*. A parser returns the bytes it consumed, 0 for
 * "more is needed", or a negative SP_E*. Codes of libuv, OpenSSL and nghttp2 are converted in one function
 * per library at the border of the folder that uses it. Detail travels in struct sp_cause. */
#ifndef SP_BASE_ERROR_H
#define SP_BASE_ERROR_H

#include <stdbool.h>

enum sp_err {
	SP_OK = 0,
	SP_EINVAL = -1,	      /* bad argument, bad configuration value */
	SP_ENOMEM = -2,
	SP_EPROTO = -3,	      /* the peer broke its protocol */
	SP_ETOOBIG = -4,      /* a size limit on what a peer sent */
	SP_ETIMEOUT = -5,     /* a deadline of ours passed */
	SP_ECLOSED = -6,      /* the stream or connection is closed, or ended before it could serve */
	SP_EREFUSED = -7,     /* TCP connection refused */
	SP_EUNREACH = -8,     /* no route, host or network unreachable */
	SP_EDNS = -9,	      /* a name could not be resolved */
	SP_ETLS = -10,	      /* TLS failed, except for certificates */
	SP_ECERT = -11,	      /* a certificate or name did not verify */
	SP_ERESET = -12,      /* the peer reset the stream or connection */
	SP_ECANCELED = -13,   /* the caller cancelled it */
	SP_ELIMIT = -14,      /* a limit or budget of ours */
	SP_ESYS = -15,	      /* an operating-system call failed; cause.raw is the errno */
	SP_EDENIED = -16,     /* not allowed */
	SP_EUNSUPPORTED = -17, /* understood, not supported */
	SP_ERETRY = -18,      /* provably not processed by the peer (REFUSED_STREAM, above GOAWAY's last id) */
};

enum sp_domain { SP_DOMAIN_NONE, SP_DOMAIN_SELF, SP_DOMAIN_OS, SP_DOMAIN_DNS, SP_DOMAIN_TLS, SP_DOMAIN_H2, SP_DOMAIN_AUTH };

/* Why something failed: err for programs, text for the operator (never for clients). A zeroed cause is "none".
 * A value type: copy freely. */
struct sp_cause {
	int err;	       /* enum sp_err */
	enum sp_domain domain;
	long raw;	       /* the domain's own code: errno, TLS alert, HTTP/2 error code, ... */
	char text[160];	       /* short, no trailing period, control characters escaped */
};

/* Sets *c unless it already holds a cause (the first one wins). c may be NULL. Returns err. */
int sp_cause_set(struct sp_cause *c, int err, enum sp_domain domain, long raw, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The stable lower-case word of a code ("refused"), for logs. */
const char *sp_err_word(int err);
const char *sp_domain_word(enum sp_domain domain);

#endif
