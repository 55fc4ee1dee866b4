noinst_LTLIBRARIES += libsp_h2.la
libsp_h2_la_SOURCES = src/h2/conn.c src/h2/h2.h src/h2/head.c src/h2/internal.h src/h2/limits.c src/h2/message.c src/h2/rx.c src/h2/session.c \
	src/h2/stream.c src/h2/tx.c
SP_H2_LIBS = libsp_h2.la $(SP_NET_LIBS) $(NGHTTP2_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/h2/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_h2
TESTS += tests/unit/test_h2
tests_unit_test_h2_SOURCES = tests/unit/run.h \
  tests/unit/h2/main.c tests/unit/h2/suites.h \
  tests/unit/h2/fixture.c tests/unit/h2/fixture.h \
  tests/unit/net/certs.c tests/unit/net/certs.h tests/unit/net/ends.c tests/unit/net/ends.h \
  tests/unit/h2/test_basic.c tests/unit/h2/test_messages.c tests/unit/h2/test_streams.c
# Short waits, and a clock that tests may put forward.
tests_unit_test_h2_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sp_timer_start -Wl,--wrap=sp_loop_now_ms
tests_unit_test_h2_LDADD = $(SP_H2_LIBS) $(CHECK_LIBS)
endif
