#define _GNU_SOURCE
#include "web.h"

#include <arpa/inet.h>
#include <check.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "certs.h"

#define HELD_MOST 64
#define REQUEST_MOST 65536

struct web {
	SSL_CTX *ctx;
	int fd, wake[2];
	unsigned port;
	pthread_t thread;
	web_answer_fn *fn;
	void *arg;
	atomic_uint requests;
	SSL *held[HELD_MOST];
	unsigned held_count;
};

static void drop(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_free(ssl);
	close(fd);
}

/* The whole request, or NULL when the client left. */
static char *read_request(SSL *ssl, char **body_out)
{
	char *text = calloc(1, REQUEST_MOST + 1), *end = NULL, *length;
	size_t n = 0, want = 0;

	while (n < REQUEST_MOST) {
		int got = SSL_read(ssl, text + n, (int)(REQUEST_MOST - n));

		if (got <= 0)
			break;
		n += (size_t)got;
		if (!end && (end = strstr(text, "\r\n\r\n")) != NULL) {
			length = strcasestr(text, "\r\ncontent-length:");
			want = length ? strtoul(length + 17, NULL, 10) : 0;
		}
		if (end && n >= (size_t)(end + 4 - text) + want) {
			end[2] = '\0';
			*body_out = end + 4;
			return text;
		}
	}
	free(text);
	return NULL;
}

static void client_name(SSL *ssl, char *name, size_t size)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);

	name[0] = '\0';
	if (cert)
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, (int)size);
	X509_free(cert);
}

static void serve(struct web *w, SSL *ssl)
{
	char *body = NULL, *text, *reply, method[16] = "", path[2048] = "", name[128];
	struct web_request r;

	if (SSL_accept(ssl) != 1 || (text = read_request(ssl, &body)) == NULL) {
		drop(ssl);
		return;
	}
	sscanf(text, "%15s %2047s", method, path);
	client_name(ssl, name, sizeof(name));
	r = (struct web_request){ .method = method, .path = path, .head = text, .body = body, .client = name };
	reply = w->fn(w->arg, &r);
	atomic_fetch_add(&w->requests, 1);
	free(text);
	if (!reply && w->held_count < HELD_MOST) {
		w->held[w->held_count++] = ssl;
		return;
	}
	if (reply && SSL_write(ssl, reply, (int)strlen(reply)) > 0)
		SSL_shutdown(ssl);
	free(reply);
	drop(ssl);
}

static void *web_main(void *arg)
{
	struct web *w = arg;
	struct pollfd p[2] = { { .fd = w->fd, .events = POLLIN }, { .fd = w->wake[0], .events = POLLIN } };

	for (;;) {
		int fd;
		SSL *ssl;

		if (poll(p, 2, -1) < 0 || p[1].revents)
			return NULL;
		fd = accept(w->fd, NULL, NULL);
		if (fd < 0)
			continue;
		ssl = SSL_new(w->ctx);
		SSL_set_fd(ssl, fd);
		serve(w, ssl);
	}
}

struct web *web_start(const char *cert_name, const char *client_ca, web_answer_fn *fn, void *arg)
{
	struct web *w = calloc(1, sizeof(*w));
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(sa);

	w->fn = fn;
	w->arg = arg;
	w->ctx = SSL_CTX_new(TLS_server_method());
	ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(w->ctx, CERT(cert_name)), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(w->ctx, KEY(cert_name), SSL_FILETYPE_PEM), 1);
	if (client_ca) {
		ck_assert_int_eq(SSL_CTX_load_verify_locations(w->ctx, CERT(client_ca), NULL), 1);
		SSL_CTX_set_verify(w->ctx, SSL_VERIFY_PEER, NULL);
	}
	w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(w->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(w->fd, 64), 0);
	ck_assert_int_eq(getsockname(w->fd, (struct sockaddr *)&sa, &n), 0);
	w->port = ntohs(sa.sin_port);
	ck_assert_int_eq(pipe(w->wake), 0);
	ck_assert_int_eq(pthread_create(&w->thread, NULL, web_main, w), 0);
	return w;
}

void web_stop(struct web **wp)
{
	struct web *w = *wp;

	*wp = NULL;
	if (!w)
		return;
	ck_assert_int_eq(write(w->wake[1], "x", 1), 1);
	pthread_join(w->thread, NULL);
	for (unsigned i = 0; i < w->held_count; i++)
		drop(w->held[i]);
	close(w->fd);
	close(w->wake[0]);
	close(w->wake[1]);
	SSL_CTX_free(w->ctx);
	free(w);
}

const char *web_url(const struct web *w, const char *path)
{
	static char urls[8][512];
	static unsigned next;
	char *url = urls[next++ % 8];

	snprintf(url, sizeof(urls[0]), "https://127.0.0.1:%u%s", w->port, path);
	return url;
}

unsigned web_requests(struct web *w)
{
	return atomic_load(&w->requests);
}

char *web_reply(const char *status, const char *extra, const char *body, size_t n)
{
	size_t head = strlen(status) + strlen(extra) + 128;
	char *text = calloc(1, head + n + 1);
	int used = snprintf(text, head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n", status, extra, n);

	memcpy(text + used, body, n);
	return text;
}
