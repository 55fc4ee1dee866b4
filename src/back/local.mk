noinst_LTLIBRARIES += libsp_back.la
libsp_back_la_SOURCES = src/back/back.h
libsp_back_la_SOURCES += src/back/direct.c src/back/direct.h src/back/exposed.c
libsp_back_la_SOURCES += src/back/origin.c src/back/origin.h src/back/origin_idle.c src/back/origin_internal.h src/back/origin_plan.c
libsp_back_la_SOURCES += src/back/connectors.c src/back/gateway.c src/back/regions.c src/back/regions.h
libsp_back_la_SOURCES += src/back/credential.h src/back/credential_file.c src/back/credential_key.c
libsp_back_la_SOURCES += src/back/ask.c src/back/open.c src/back/pool.c src/back/pool.h src/back/tunnel.c src/back/tunnel.h
SP_BACK_LIBS = libsp_back.la $(SP_EXCHANGE_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/back/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_back
TESTS += tests/unit/test_back
tests_unit_test_back_SOURCES = tests/unit/run.h tests/unit/peer.c tests/unit/peer.h
tests_unit_test_back_SOURCES += tests/unit/back/main.c tests/unit/back/suites.h
tests_unit_test_back_SOURCES += tests/unit/back/test_direct.c tests/unit/back/test_origin.c tests/unit/back/test_exposed.c tests/unit/back/asks.c tests/unit/back/asks.h tests/unit/back/test_regions.c
tests_unit_test_back_SOURCES += tests/unit/back/gate.c tests/unit/back/gate.h tests/unit/net/certs.c tests/unit/net/certs.h
tests_unit_test_back_SOURCES += tests/unit/back/test_pool.c tests/unit/back/test_connectors.c tests/unit/back/test_credential.c
tests_unit_test_back_SOURCES += tests/unit/net/web.c tests/unit/net/web.h
# A clock that tests may put forward.
tests_unit_test_back_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sp_loop_now_ms
tests_unit_test_back_LDADD = $(SP_BACK_LIBS) $(CHECK_LIBS)
endif
