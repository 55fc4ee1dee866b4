noinst_LTLIBRARIES += libsp_auth.la
libsp_auth_la_SOURCES = src/auth/auth.h src/auth/internal.h src/auth/merge.c src/auth/module.c src/auth/open.c src/auth/run.c \
  src/auth/worker.c
SP_AUTH_LIBS = libsp_auth.la $(SP_H2_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/auth/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_auth
TESTS += tests/unit/test_auth
tests_unit_test_auth_SOURCES = tests/unit/auth/main.c tests/unit/run.h
tests_unit_test_auth_LDADD = $(SP_AUTH_LIBS) $(CHECK_LIBS)
endif
