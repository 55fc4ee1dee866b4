/* An HTTPS server of the tests' own, on a thread: every request is answered by a function of the test. */
#ifndef SP_TESTS_UNIT_NET_WEB_H
#define SP_TESTS_UNIT_NET_WEB_H

#include <stddef.h>

struct web_request {
	const char *method, *path; /* path: with the query */
	const char *head;	   /* whole, as received */
	const char *body;	   /* NUL-terminated; by Content-Length */
	const char *client;	   /* common name of the client's certificate; "" = none */
};

/* On the server's thread. reply: heap, the whole HTTP answer, freed by the server; NULL: none, the connection stays open and
 * silent until web_stop(). */
typedef char *web_answer_fn(void *arg, const struct web_request *r);

struct web;
/* Certificate and key of certs.h by name; client_ca NULL: asks for no client certificate. Listens on 127.0.0.1. */
struct web *web_start(const char *cert_name, const char *client_ca, web_answer_fn *fn, void *arg);
void web_stop(struct web **w);
/* "https://127.0.0.1:port" + path; one of a few rotating buffers. */
const char *web_url(const struct web *w, const char *path);
unsigned web_requests(struct web *w); /* answered or held so far */
/* printf for answers: "HTTP/1.1 200 OK", the extra head lines (each with \r\n), Content-Length, Connection: close, the body. */
char *web_reply(const char *status, const char *extra, const char *body, size_t n);

#endif
