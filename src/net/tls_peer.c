/* What a handshake established about the peer, as text. */
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "net/tls_int.h"

static char *take_string(struct sp_buf *b)
{
	return strndup(b->len ? (const char *)sp_buf_data(b).p : "", b->len);
}

/* RFC 2253, escaped. */
static char *subject_text(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text = NULL;
	long n;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		n = BIO_get_mem_data(bio, &data);
		text = strndup(n > 0 ? data : "", (size_t)(n > 0 ? n : 0));
	}
	BIO_free(bio);
	return text;
}

/* Names stand one a line, so one that holds anything but visible ASCII could forge a second: it is left out. */
static int add_name(struct sp_buf *b, const char *type, const ASN1_STRING *name)
{
	const unsigned char *p = ASN1_STRING_get0_data(name);
	int n = ASN1_STRING_length(name), i;

	for (i = 0; i < n; i++) {
		if (p[i] <= 0x20 || p[i] >= 0x7f)
			return 0;
	}
	if (n <= 0)
		return 0;
	return sp_buf_printf(b, "%s%s:%.*s", b->len ? "\n" : "", type, n, (const char *)p);
}

static int add_ip(struct sp_buf *b, const ASN1_OCTET_STRING *ip)
{
	char text[INET6_ADDRSTRLEN];
	int n = ASN1_STRING_length(ip);

	if (n != 4 && n != 16)
		return 0;
	if (!inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip), text, sizeof(text)))
		return 0;
	return sp_buf_printf(b, "%sIP:%s", b->len ? "\n" : "", text);
}

static int add_general_name(struct sp_buf *b, const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_URI:
		return add_name(b, "URI", name->d.uniformResourceIdentifier);
	case GEN_DNS:
		return add_name(b, "DNS", name->d.dNSName);
	case GEN_EMAIL:
		return add_name(b, "email", name->d.rfc822Name);
	case GEN_IPADD:
		return add_ip(b, name->d.iPAddress);
	default:
		return 0;
	}
}

static char *sans_text(X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	struct sp_buf b = { 0 };
	char *text;
	int i, err = 0;

	for (i = 0; !err && i < sk_GENERAL_NAME_num(names); i++)
		err = add_general_name(&b, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	text = err ? NULL : take_string(&b);
	sp_buf_deinit(&b);
	return text;
}

static int fill_cert(struct sp_tls_peer *peer, X509 *cert)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	struct tm not_after = { 0 };
	unsigned n = 0, i;

	peer->has_cert = true;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &not_after) != 1)
		return SP_EINVAL; /* cannot be: it was verified */
	peer->cert_not_after = timegm(&not_after);
	peer->cert_subject = subject_text(cert);
	peer->cert_sans = sans_text(cert);
	if (!peer->cert_subject || !peer->cert_sans || X509_digest(cert, EVP_sha256(), md, &n) != 1)
		return SP_ENOMEM;
	for (i = 0; i < n && 2 * i + 2 < sizeof(peer->cert_sha256); i++)
		snprintf(peer->cert_sha256 + 2 * i, 3, "%02x", md[i]);
	return 0;
}

int sp_tls_peer_fill(struct sp_tls_peer *peer, SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	const unsigned char *alpn;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &alpn, &n);
	if (n < sizeof(peer->alpn))
		memcpy(peer->alpn, alpn ? alpn : (const unsigned char *)"", n);
	peer->version = SSL_get_version(ssl);
	peer->cipher = SSL_get_cipher_name(ssl);
	return cert ? fill_cert(peer, cert) : 0;
}

void sp_tls_peer_deinit(struct sp_tls_peer *peer)
{
	free((char *)peer->cert_subject);
	free((char *)peer->cert_sans);
}
