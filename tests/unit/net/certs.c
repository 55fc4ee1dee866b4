#include "certs.h"

#include <check.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

void certs_setup(void)
{
	strcpy(dir, "/tmp/sp-certs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

void certs_teardown(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[400];

	while (d && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

const char *certs_path(const char *name, const char *suffix)
{
	static char paths[8][128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s.%s", dir, name, suffix);
	return path;
}

static void add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	ASN1_OCTET_STRING *data;
	X509V3_CTX ctx;
	unsigned char *p;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_msg(ext != NULL, "extension %s", value);
	data = X509_EXTENSION_get_data(ext);
	for (p = data->data;
	     nid == NID_subject_alt_name && (p = memchr(p, '^', (size_t)(data->data + data->length - p)));)
		*p = '\n'; /* which openssl.cnf cannot say */
	ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

static void load(const char *name, X509 **cert, EVP_PKEY **key)
{
	FILE *f = fopen(CERT(name), "r");

	ck_assert_ptr_nonnull(f);
	*cert = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	f = fopen(KEY(name), "r");
	ck_assert_ptr_nonnull(f);
	*key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	ck_assert(*cert && *key);
}

static void save(const char *name, X509 *cert, EVP_PKEY *key)
{
	FILE *f = fopen(CERT(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(PEM_write_X509(f, cert), 1);
	fclose(f);
	f = fopen(KEY(name), "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fchmod(fileno(f), 0600), 0);
	ck_assert_int_eq(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

static void make(const struct cert_spec *spec, long lives_s)
{
	static long serial = 1;
	EVP_PKEY *key = EVP_EC_gen("P-256"), *issuer_key = key;
	X509 *cert = X509_new(), *issuer = cert;
	X509_NAME *subject = X509_NAME_new();

	ck_assert(key && cert && subject);
	if (spec->issuer)
		load(spec->issuer, &issuer, &issuer_key);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"sallyport, test", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)spec->cn, -1, -1, 0);
	X509_set_subject_name(cert, subject);
	X509_set_issuer_name(cert, spec->issuer ? X509_get_subject_name(issuer) : subject);
	X509_gmtime_adj(X509_getm_notBefore(cert), spec->days < 0 ? spec->days * 2 * 86400L : -86400L);
	X509_gmtime_adj(X509_getm_notAfter(cert), lives_s);
	X509_set_pubkey(cert, key);
	add_ext(cert, issuer, NID_basic_constraints, spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (spec->ca)
		add_ext(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (spec->sans)
		add_ext(cert, issuer, NID_subject_alt_name, spec->sans);
	ck_assert_int_gt(X509_sign(cert, issuer_key, EVP_sha256()), 0);
	save(spec->name, cert, key);
	if (spec->issuer) {
		X509_free(issuer);
		EVP_PKEY_free(issuer_key);
	}
	X509_NAME_free(subject);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void certs_make(const struct cert_spec *spec)
{
	make(spec, spec->days * 86400L);
}

void certs_make_brief(const struct cert_spec *spec, int seconds)
{
	make(spec, seconds);
}

void certs_make_usual(void)
{
	certs_make(&(struct cert_spec){ "ca", NULL, "Test CA", NULL, true, 30 });
	certs_make(&(struct cert_spec){ "server", "ca", "server", "DNS:gateway.test,DNS:*.wild.test,IP:127.0.0.1",
					false, 30 });
	certs_make(&(struct cert_spec){ "client", "ca", "client 1",
					"URI:spiffe://corp.test/tenant/t1/location/l1/connector/c1,DNS:client.test",
					false, 30 });
}
