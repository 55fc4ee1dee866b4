/* Certificates made on the spot, in a directory of its own. */
#ifndef SP_TESTS_UNIT_NET_CERTS_H
#define SP_TESTS_UNIT_NET_CERTS_H

#include <stdbool.h>

struct cert_spec {
	const char *name;   /* NAME.pem and NAME.key */
	const char *issuer; /* a name made before; NULL: self-signed */
	const char *cn;
	const char *sans; /* as in openssl.cnf, with '^' for a line feed; NULL: none */
	bool ca;
	int days; /* valid from yesterday on; below 0: expired */
};

/* Makes a fresh directory. */
void certs_setup(void);
void certs_teardown(void);
void certs_make(const struct cert_spec *spec);
void certs_make_brief(const struct cert_spec *spec, int seconds); /* instead of its days */
/* What most tests use: "ca", "server" (DNS:gateway.test, DNS:*.wild.test, IP:127.0.0.1), "client". */
void certs_make_usual(void);
/* "DIR/name.suffix"; one of a few rotating buffers. */
const char *certs_path(const char *name, const char *suffix);
#define CERT(name) certs_path(name, "pem")
#define KEY(name) certs_path(name, "key")

#endif
