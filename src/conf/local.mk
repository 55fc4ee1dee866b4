noinst_LTLIBRARIES += libsp_conf.la
libsp_conf_la_SOURCES =
SP_CONF_LIBS = libsp_conf.la $(SP_CODEC_LIBS) $(LIBCONFIG_LIBS) $(JSONC_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/conf/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_conf
TESTS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/conf/main.c tests/unit/run.h
tests_unit_test_conf_LDADD = $(SP_CONF_LIBS) $(CHECK_LIBS)
endif
