noinst_LTLIBRARIES += libsp_net.la
libsp_net_la_SOURCES =
SP_NET_LIBS = libsp_net.la $(SP_CONF_LIBS) $(UV_LIBS) $(SSL_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/net/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_net
TESTS += tests/unit/test_net
tests_unit_test_net_SOURCES = tests/unit/net/main.c tests/unit/run.h
tests_unit_test_net_LDADD = $(SP_NET_LIBS) $(CHECK_LIBS)
endif
