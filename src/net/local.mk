noinst_LTLIBRARIES += libsp_net.la
libsp_net_la_SOURCES = \
  src/net/loop.c src/net/loop.h src/net/loop_int.h
SP_NET_LIBS = libsp_net.la $(SP_CONF_LIBS) $(UV_LIBS) $(SSL_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/net/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_net
TESTS += tests/unit/test_net
tests_unit_test_net_SOURCES = tests/unit/run.h \
  tests/unit/net/main.c tests/unit/net/suites.h \
  tests/unit/net/test_loop.c
tests_unit_test_net_LDADD = $(SP_NET_LIBS) $(CHECK_LIBS)
endif
