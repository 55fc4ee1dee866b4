noinst_LTLIBRARIES += libsp_codec.la
libsp_codec_la_SOURCES =
SP_CODEC_LIBS = libsp_codec.la $(SP_BASE_LIBS)

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/codec/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_codec
TESTS += tests/unit/test_codec
tests_unit_test_codec_SOURCES = tests/unit/codec/main.c tests/unit/run.h
tests_unit_test_codec_LDADD = $(SP_CODEC_LIBS) $(CHECK_LIBS)
endif
