noinst_LTLIBRARIES += libsp_exchange.la
libsp_exchange_la_SOURCES = \
  src/exchange/audit.c src/exchange/audit.h \
  src/exchange/exchange.c src/exchange/exchange.h \
  src/exchange/relay.c src/exchange/relay.h
SP_EXCHANGE_LIBS = libsp_exchange.la $(SP_AUTH_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/exchange/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_exchange
TESTS += tests/unit/test_exchange
tests_unit_test_exchange_SOURCES = tests/unit/run.h tests/unit/peer.c tests/unit/peer.h \
  tests/unit/exchange/main.c tests/unit/exchange/suites.h \
  tests/unit/exchange/test_audit.c tests/unit/exchange/test_exchange.c tests/unit/exchange/test_relay.c
tests_unit_test_exchange_LDADD = $(SP_EXCHANGE_LIBS) $(CHECK_LIBS)
endif

# Only when asked for: make tests/bench/bench_audit
EXTRA_PROGRAMS += tests/bench/bench_audit
tests_bench_bench_audit_SOURCES = tests/bench/bench_audit.c
tests_bench_bench_audit_LDADD = $(SP_EXCHANGE_LIBS)
