/* Heads that two parsers could read in two ways, and their verdicts. A(): accepted, the head is all of it; AB():
 * accepted, followed by a body that is not the head's; R(): refused; M(): more is needed. Bodies of chunked requests
 * concern the body's decoder, so only the verdict on their heads stands here. */
#ifndef SP_TESTS_UNIT_CODEC_HTTP1_CASES_H
#define SP_TESTS_UNIT_CODEC_HTTP1_CASES_H

#include <stddef.h>

#include "base/error.h"

struct http1_case {
	const char *name, *in;
	size_t n;
	long verdict;
};

#define A(name, s) { name, s, sizeof(s) - 1, sizeof(s) - 1 }
#define AB(name, head, body) { name, head body, sizeof(head body) - 1, sizeof(head) - 1 }
#define R(name, s) { name, s, sizeof(s) - 1, SP_EPROTO }
#define M(name, s) { name, s, sizeof(s) - 1, 0 }

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct http1_case http1_requests[] = {
	/* the cases that were measured with other parsers */
	A("CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"),
	R("bare LF line ends", "GET / HTTP/1.1\nHost: a\n\n"),
	R("one bare LF among CRLFs", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
	R("bare LF in a value", GET "X: a\nTransfer-Encoding: chunked\r\n\r\n"),
	R("bare LF before the empty line", GET "X: a\n\r\n"),
	R("bare LF as the empty line", GET "\n"),
	R("bare CR in a value", GET "X: a\rTransfer-Encoding: chunked\r\n\r\n"),
	R("bare CR ends a line (CR CR)", GET "X: b\r\rfoo\r\n\r\n"),
	R("obs-fold", GET "X: a\r\n b\r\n\r\n"),
	R("coding on a folded line", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
	R("space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
	R("tab before the colon", POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
	R("length and coding", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	R("coding and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
	R("two different lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
	R("two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde"),
	R("length +5", POST "Content-Length: +5\r\n\r\nabcde"),
	AB("length 5 with white space after it, which is no part of it", POST "Content-Length: 5 \r\n\r\n", "abcde"),
	R("length 5 5", POST "Content-Length: 5 5\r\n\r\nabcde"),
	R("length 5,5", POST "Content-Length: 5,5\r\n\r\nabcde"),
	R("length -1", POST "Content-Length: -1\r\n\r\n"),
	R("length 0x5", POST "Content-Length: 0x5\r\n\r\nabcde"),
	R("length 5.0", POST "Content-Length: 5.0\r\n\r\nabcde"),
	R("empty length", POST "Content-Length:\r\n\r\n"),
	R("length of 2^63", POST "Content-Length: 9223372036854775808\r\n\r\n"),
	R("length of 2^64 + 5", POST "Content-Length: 18446744073709551621\r\n\r\nabcde"),
	A("length of 2^63 - 1", POST "Content-Length: 9223372036854775807\r\n\r\n"),
	R("chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
	R("gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	R("chunked twice in a list", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
	R("xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	R("quoted chunked", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
	R("chunked with a parameter", POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"),
	R("chunked after a vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"),
	R("empty coding", POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
	R("identity", POST "Transfer-Encoding: identity\r\n\r\n"),
	AB("Chunked in capitals", POST "TRANSFER-ENCODING: Chunked\r\n\r\n", "0\r\n\r\n"),
	R("two codings", POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	R("chunked in two fields", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	R("chunked in 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	R("NUL in a value", GET "X: a\0b\r\n\r\n"),
	R("0x01 in a value", GET "X: a\1b\r\n\r\n"),
	R("DEL in a value", GET "X: a\x7f\r\n\r\n"),
	A("tab in a value", GET "X: a\tb\r\n\r\n"),
	A("obs-text in a value", GET "X: \xc3\xa4\r\n\r\n"),
	A("empty value", GET "X:\r\n\r\n"),
	R("no Host in 1.1", "GET / HTTP/1.1\r\n\r\n"),
	R("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
	R("two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"),
	R("two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
	R("empty field name", GET ": x\r\n\r\n"),
	R("no colon", GET "X\r\n\r\n"),
	R("a field name in quotes", GET "\"X\": a\r\n\r\n"),
	R("a high byte in a field name", GET "X\xc3\xa4: a\r\n\r\n"),
	R("NUL in a field name", GET "X\0Y: a\r\n\r\n"),
	R("white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
	R("two leading CRLFs", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	A("one leading CRLF", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a leading LF", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a leading bare CR", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
	R("HTTP/9.9", "GET / HTTP/9.9\r\nHost: a\r\n\r\n"),
	R("HTTP/2.0 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	R("HTTP/01.1", "GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
	R("HTTP/1.1 with more", "GET / HTTP/1.1x\r\nHost: a\r\n\r\n"),
	R("http/1.1 in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n"),
	R("two spaces after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
	R("tab as separator", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a high byte in the target", "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a fragment in the target", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a backslash in the target", "GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("HTTP/0.9", "GET /\r\n\r\n"),
	R("an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("an empty method", " / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a method of 33 letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: a\r\n\r\n"),
	A("a method of 32 letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\nHost: a\r\n\r\n"),
	AB("chunk size with 0x, the head is fine", POST "Transfer-Encoding: chunked\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n"),
	AB("bare LF in the body, the head is fine", POST "Transfer-Encoding: chunked\r\n\r\n", "1\na\r\n0\r\n\r\n"),
	R("CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("CONNECT with an empty port", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("CONNECT with port 0", "CONNECT a:0 HTTP/1.1\r\nHost: a:0\r\n\r\n"),
	R("CONNECT with port 65536", "CONNECT a:65536 HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
	R("CONNECT with a length", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
	R("CONNECT with length 0", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
	R("CONNECT with a coding", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
	R("CONNECT to a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("CONNECT to a URI", "CONNECT http://a:1/ HTTP/1.1\r\nHost: a:1\r\n\r\n"),
	R("CONNECT with userinfo", "CONNECT u@a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
	R("connect in small letters", "connect a:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
	A("an unknown method", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n"),
	/* Host and target */
	A("CONNECT, Host without a port", "CONNECT a:443 HTTP/1.1\r\nHost: A\r\n\r\n"),
	R("CONNECT, another host", "CONNECT a:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"),
	R("CONNECT, another port", "CONNECT a:443 HTTP/1.1\r\nHost: a:444\r\n\r\n"),
	A("CONNECT in 1.0 without Host", "CONNECT a:443 HTTP/1.0\r\n\r\n"),
	A("CONNECT to IPv6", "CONNECT [::1]:443 HTTP/1.1\r\nHost: [0:0::1]:443\r\n\r\n"),
	A("absolute form", "GET http://a.b/c?d HTTP/1.1\r\nHost: a.b\r\n\r\n"),
	A("absolute form, port written once", "GET http://a.b:80/ HTTP/1.1\r\nHost: a.b\r\n\r\n"),
	A("absolute form, another host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"),
	A("absolute form, another port", "GET http://a:8000/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("absolute form, userinfo", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("absolute form, no host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("absolute form, query without a path", "GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("absolute form, unknown scheme without a port", "GET foo://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("absolute form, Host empty", "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n"),
	R("one slash", "GET http:/a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("no scheme", "GET ://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("a host as target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("* with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
	A("* with OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
	R("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
	R("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
	R("Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
	R("Host with a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
	R("Host with an encoded byte", "GET / HTTP/1.1\r\nHost: a%2e\r\n\r\n"),
	A("1.0 without Host", "GET / HTTP/1.0\r\n\r\n"),
	/* other protocols on our port, and heads without an end */
	R("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	R("SSH", "SSH-2.0-OpenSSH_9.2\r\n"),
	R("SOCKS5", "\x05\x01\x00"),
	M("nothing", ""),
	M("a method", "GET"),
	M("no empty line", GET),
	M("a CR and no more", GET "\r"),
	M("an unfinished line", GET "X: a"),
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct http1_case http1_responses[] = {
	A("no fields", "HTTP/1.1 200 OK\r\n\r\n"),
	AB("with a body", OK "Content-Length: 3\r\n\r\n", "abc"),
	AB("two responses", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
	A("no reason", "HTTP/1.1 200 \r\n\r\n"),
	A("no reason and no space", "HTTP/1.1 200\r\n\r\n"),
	A("1.0", "HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\n"),
	A("obs-text in the reason", "HTTP/1.1 200 \xc3\xa4\r\n\r\n"),
	R("a leading CRLF", "\r\nHTTP/1.1 200 OK\r\n\r\n"),
	R("bare LF", "HTTP/1.1 200 OK\nX: a\n\n"),
	R("one bare LF among CRLFs", "HTTP/1.1 200 OK\r\nX: a\n\r\n"),
	R("bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"),
	R("NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"),
	R("two digits", "HTTP/1.1 20 OK\r\n\r\n"),
	R("four digits", "HTTP/1.1 2000 OK\r\n\r\n"),
	R("status 099", "HTTP/1.1 099 OK\r\n\r\n"),
	R("status 600", "HTTP/1.1 600 OK\r\n\r\n"),
	R("status +20", "HTTP/1.1 +20 OK\r\n\r\n"),
	R("two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n"),
	R("no status", "HTTP/1.1\r\n\r\n"),
	R("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"),
	R("HTTP/2", "HTTP/2 200 OK\r\n\r\n"),
	R("ICY", "ICY 200 OK\r\n\r\n"),
	R("small letters", "http/1.1 200 OK\r\n\r\n"),
	R("obs-fold", OK "X: a\r\n\tb\r\n\r\n"),
	R("space before the colon", OK "Content-Length : 3\r\n\r\nabc"),
	R("length and coding", OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
	R("two lengths", OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
	R("length list", OK "Content-Length: 3, 3\r\n\r\nabc"),
	R("gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	R("chunked in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
	R("chunked in 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
	R("chunked in 101", "HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n"),
	A("chunked in 304, as for GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
	A("length in 204", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
	R("SSH", "SSH-2.0-OpenSSH_9.2\r\n"),
	R("HTTP request", "GET / HTTP/1.1\r\n\r\n"),
	M("nothing", ""),
	M("the beginning", "HTT"),
	M("no empty line", OK "X: a\r\n"),
};

#undef A
#undef AB
#undef R
#undef M
#undef GET
#undef POST
#undef OK

#endif
