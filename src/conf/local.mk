noinst_LTLIBRARIES += libsp_conf.la
libsp_conf_la_SOURCES = \
  src/conf/check.c src/conf/check.h \
  src/conf/conf.c src/conf/conf.h \
  src/conf/keys.c src/conf/keys.h \
  src/conf/load.h \
  src/conf/nearest.c \
  src/conf/plugin.c \
  src/conf/report.c \
  src/conf/secret.c \
  src/conf/source.c \
  src/conf/units.c \
  src/conf/value.c \
  src/conf/walk.c
SP_CONF_LIBS = libsp_conf.la $(SP_CODEC_LIBS) $(LIBCONFIG_LIBS) $(JSONC_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/conf/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_conf
TESTS += tests/unit/test_conf
tests_unit_test_conf_SOURCES = tests/unit/run.h \
  tests/unit/conf/main.c tests/unit/conf/suites.h tests/unit/conf/fixture.c tests/unit/conf/fixture.h \
  tests/unit/conf/test_connector.c tests/unit/conf/test_keys.c tests/unit/conf/test_listeners.c \
  tests/unit/conf/test_plugin.c tests/unit/conf/test_samples.c tests/unit/conf/test_secret.c \
  tests/unit/conf/test_source.c tests/unit/conf/test_texts.c
# where the sample files are
tests_unit_test_conf_CPPFLAGS = $(AM_CPPFLAGS) -DSP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_conf_LDADD = $(SP_CONF_LIBS) $(CHECK_LIBS)
endif
