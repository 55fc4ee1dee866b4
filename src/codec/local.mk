noinst_LTLIBRARIES += libsp_codec.la
libsp_codec_la_SOURCES = \
  src/codec/authority.c src/codec/authority.h \
  src/codec/body.c src/codec/body.h \
  src/codec/credentials.c \
  src/codec/encoder.c \
  src/codec/fields.c src/codec/fields.h \
  src/codec/hop.c src/codec/hop.h \
  src/codec/http1.c src/codec/http1.h \
  src/codec/message.c src/codec/message.h \
  src/codec/outcome.c src/codec/outcome.h src/codec/proxy_status.c \
  src/codec/paths.c src/codec/paths.h \
  src/codec/problem.c src/codec/problem.h \
  src/codec/refusal.c src/codec/refusal.h \
  src/codec/rewrite.c src/codec/rewrite.h \
  src/codec/socks5.c src/codec/socks5.h \
  src/codec/upgrade.c src/codec/upgrade.h
SP_CODEC_LIBS = libsp_codec.la $(SP_BASE_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/codec/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_codec
TESTS += tests/unit/test_codec
tests_unit_test_codec_SOURCES = tests/unit/run.h tests/unit/fail_malloc.h \
  tests/unit/codec/main.c tests/unit/codec/suites.h tests/unit/codec/http1_cases.h \
  tests/unit/codec/test_authority.c tests/unit/codec/test_body.c tests/unit/codec/test_credentials.c \
  tests/unit/codec/test_encoder.c tests/unit/codec/test_fields.c tests/unit/codec/test_hop.c tests/unit/codec/test_http1.c \
  tests/unit/codec/test_message.c tests/unit/codec/test_outcome.c tests/unit/codec/test_paths.c tests/unit/codec/test_problem.c \
  tests/unit/codec/test_rewrite.c tests/unit/codec/test_socks5.c \
  tests/unit/codec/test_upgrade.c
tests_unit_test_codec_LDADD = $(SP_CODEC_LIBS) $(CHECK_LIBS)
tests_unit_test_codec_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc
endif
