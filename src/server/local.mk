noinst_LTLIBRARIES += libsp_server.la
libsp_server_la_SOURCES = src/server/policy.c src/server/server.c src/server/server.h src/server/worker.c src/server/worker.h
SP_SERVER_LIBS = libsp_server.la $(SP_FRONT_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/server/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_server
TESTS += tests/unit/test_server
tests_unit_test_server_SOURCES = tests/unit/server/main.c tests/unit/server/suites.h tests/unit/server/test_policy.c tests/unit/run.h
tests_unit_test_server_LDADD = $(SP_SERVER_LIBS) $(CHECK_LIBS)
EXTRA_tests_unit_test_server_DEPENDENCIES = plugins/none.la plugins/static-tenant.la plugins/mtls.la
endif
