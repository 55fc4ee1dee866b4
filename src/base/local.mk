noinst_LTLIBRARIES += libsp_base.la
libsp_base_la_SOURCES =
SP_BASE_LIBS = libsp_base.la 

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/base/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_base
TESTS += tests/unit/test_base
tests_unit_test_base_SOURCES = tests/unit/base/main.c tests/unit/run.h
tests_unit_test_base_LDADD = $(SP_BASE_LIBS) $(CHECK_LIBS)
endif
