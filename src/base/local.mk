noinst_LTLIBRARIES += libsp_base.la
libsp_base_la_SOURCES = \
  src/base/addr.c src/base/addr.h \
  src/base/alloc.c src/base/alloc.h \
  src/base/buf.c src/base/buf.h \
  src/base/error.c src/base/error.h \
  src/base/line.c src/base/line.h \
  src/base/list.h \
  src/base/log.c src/base/log.h \
  src/base/must.c src/base/must.h \
  src/base/secret.c src/base/secret.h \
  src/base/slice.c src/base/slice.h \
  src/base/text.c src/base/text.h
SP_BASE_LIBS = libsp_base.la

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/base/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_base
TESTS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/run.h tests/unit/fail_malloc.h \
  tests/unit/base/main.c tests/unit/base/suites.h \
  tests/unit/base/test_addr.c tests/unit/base/test_buf.c tests/unit/base/test_error.c \
  tests/unit/base/test_list.c tests/unit/base/test_log.c tests/unit/base/test_secret.c \
  tests/unit/base/test_slice.c tests/unit/base/test_text.c
tests_unit_test_base_LDADD = $(SP_BASE_LIBS) $(CHECK_LIBS)
tests_unit_test_base_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc
endif
