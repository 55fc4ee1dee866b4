noinst_LTLIBRARIES += libsp_front.la
libsp_front_la_SOURCES = src/front/front.h src/front/front_internal.h
libsp_front_la_SOURCES += src/front/answer.c src/front/answer.h
libsp_front_la_SOURCES += src/front/conn.c src/front/conn.h
libsp_front_la_SOURCES += src/front/forward.c
libsp_front_la_SOURCES += src/front/front.c
libsp_front_la_SOURCES += src/front/http.c
libsp_front_la_SOURCES += src/front/session.c src/front/session.h
libsp_front_la_SOURCES += src/front/socks5.c
libsp_front_la_SOURCES += src/front/serve.c src/front/serve.h src/front/tunnel.c src/front/uplink.c
SP_FRONT_LIBS = libsp_front.la $(SP_BACK_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/front/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_front
TESTS += tests/unit/test_front
tests_unit_test_front_SOURCES = tests/unit/front/main.c tests/unit/run.h
tests_unit_test_front_LDADD = $(SP_FRONT_LIBS) $(CHECK_LIBS)
endif
