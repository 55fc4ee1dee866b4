noinst_LTLIBRARIES += libsp_front.la
libsp_front_la_SOURCES = src/front/front.h src/front/front_internal.h
libsp_front_la_SOURCES += src/front/answer.c src/front/answer.h
libsp_front_la_SOURCES += src/front/conn.c src/front/conn.h
libsp_front_la_SOURCES += src/front/forward.c
libsp_front_la_SOURCES += src/front/front.c
libsp_front_la_SOURCES += src/front/http.c src/front/http_fields.c src/front/http_fields.h
libsp_front_la_SOURCES += src/front/session.c src/front/session.h
libsp_front_la_SOURCES += src/front/socks5.c
libsp_front_la_SOURCES += src/front/trail.c src/front/trail.h
libsp_front_la_SOURCES += src/front/serve.c src/front/serve.h src/front/tunnel.c src/front/uplink.c
SP_FRONT_LIBS = libsp_front.la $(SP_BACK_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/front/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_front
TESTS += tests/unit/test_front
tests_unit_test_front_SOURCES = tests/unit/run.h tests/unit/peer.c tests/unit/peer.h
tests_unit_test_front_SOURCES += tests/unit/front/main.c tests/unit/front/suites.h
tests_unit_test_front_SOURCES += tests/unit/front/fixture.c tests/unit/front/fixture.h tests/unit/front/judge/judge.h
tests_unit_test_front_SOURCES += tests/unit/front/test_answer.c tests/unit/front/test_front.c
tests_unit_test_front_SOURCES += tests/unit/front/test_socks5.c tests/unit/front/test_http.c tests/unit/front/test_forward.c
tests_unit_test_front_SOURCES += tests/unit/front/world.c tests/unit/front/world.h tests/unit/net/certs.c tests/unit/net/certs.h
tests_unit_test_front_SOURCES += tests/unit/front/test_tunnel.c tests/unit/front/test_trail.c tests/unit/front/test_expiry.c
tests_unit_test_front_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit/front \
  -DSP_TEST_JUDGE='"$(abs_top_builddir)/tests/unit/front/judge/.libs/judge.so"'
tests_unit_test_front_CPPFLAGS += -DSP_TEST_PLUGIN_DIR='"$(abs_top_builddir)/plugins/.libs"'
EXTRA_tests_unit_test_front_DEPENDENCIES = tests/unit/front/judge/judge.la plugins/mtls.la

# The plugin that judges the tests' callers; -rpath makes libtool build a shared object that is not installed.
check_LTLIBRARIES += tests/unit/front/judge/judge.la
tests_unit_front_judge_judge_la_SOURCES = tests/unit/front/judge/judge.c tests/unit/front/judge/judge.h
tests_unit_front_judge_judge_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
tests_unit_front_judge_judge_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_front_judge_judge_la_LIBADD = plugins/libcommon.la $(JSONC_LIBS)
tests_unit_test_front_LDADD = $(SP_FRONT_LIBS) $(CHECK_LIBS)
endif
