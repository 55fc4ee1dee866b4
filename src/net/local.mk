noinst_LTLIBRARIES += libsp_net.la
libsp_net_la_SOURCES = \
  src/net/dial.c \
  src/net/fetch.c src/net/fetch.h \
  src/net/listen.c \
  src/net/loop.c src/net/loop.h src/net/loop_int.h \
  src/net/pair.c \
  src/net/rx.c \
  src/net/stream.h src/net/stream_int.h \
  src/net/tcp.c src/net/tcp.h src/net/tcp_int.h \
  src/net/tls.c src/net/tls.h src/net/tls_int.h \
  src/net/tls_ctx.c src/net/tls_out.c src/net/tls_peer.c \
  src/net/websocket.c src/net/websocket.h
SP_NET_LIBS = libsp_net.la $(SP_CONF_LIBS) $(UV_LIBS) $(SSL_LIBS) $(CURL_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/net/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_net
TESTS += tests/unit/test_net
tests_unit_test_net_SOURCES = tests/unit/run.h \
  tests/unit/net/main.c tests/unit/net/suites.h \
  tests/unit/net/certs.c tests/unit/net/certs.h \
  tests/unit/net/ends.c tests/unit/net/ends.h \
  tests/unit/net/tls_pair.c tests/unit/net/tls_pair.h \
  tests/unit/net/web.c tests/unit/net/web.h \
  tests/unit/net/test_loop.c tests/unit/net/test_stream.c tests/unit/net/test_stream_bulk.c \
  tests/unit/net/test_tcp.c tests/unit/net/test_dial.c tests/unit/net/test_tls.c \
  tests/unit/net/test_tls_data.c tests/unit/net/test_fetch.c tests/unit/net/test_websocket.c
# Faults and short waits: these calls of the library go through the tests.
tests_unit_test_net_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sp_timer_start -Wl,--wrap=uv_tcp_connect \
  -Wl,--wrap=uv_getaddrinfo -Wl,--wrap=uv_freeaddrinfo -Wl,--wrap=uv_cancel
tests_unit_test_net_LDADD = $(SP_NET_LIBS) $(CHECK_LIBS)
endif
