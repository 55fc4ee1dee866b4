noinst_LTLIBRARIES += libsp_h1.la
libsp_h1_la_SOURCES = src/h1/client.c src/h1/h1.h src/h1/internal.h src/h1/message.c src/h1/server.c
SP_H1_LIBS = libsp_h1.la $(SP_NET_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/h1/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_h1
TESTS += tests/unit/test_h1
tests_unit_test_h1_SOURCES = tests/unit/run.h tests/unit/fail_malloc.h \
  tests/unit/h1/main.c tests/unit/h1/suites.h tests/unit/h1/fixture.c tests/unit/h1/fixture.h \
  tests/unit/net/certs.c tests/unit/net/certs.h tests/unit/net/ends.c tests/unit/net/ends.h \
  tests/unit/h1/test_client.c tests/unit/h1/test_faults.c tests/unit/h1/test_server.c tests/unit/h1/test_stream.c
tests_unit_test_h1_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sp_timer_start -Wl,--wrap=malloc -Wl,--wrap=calloc
tests_unit_test_h1_LDADD = $(SP_H1_LIBS) $(CHECK_LIBS)
endif
