noinst_LTLIBRARIES += libsp_h2.la
libsp_h2_la_SOURCES = src/h2/conn.c src/h2/h2.h src/h2/head.c src/h2/internal.h src/h2/limits.c src/h2/stream.c
SP_H2_LIBS = libsp_h2.la $(SP_NET_LIBS) $(NGHTTP2_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/h2/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_h2
TESTS += tests/unit/test_h2
tests_unit_test_h2_SOURCES = tests/unit/h2/main.c tests/unit/h2/suites.h tests/unit/h2/test_basic.c tests/unit/run.h
tests_unit_test_h2_LDADD = $(SP_H2_LIBS) $(CHECK_LIBS)
endif
