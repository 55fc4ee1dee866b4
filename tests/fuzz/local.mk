EXTRA_DIST += tests/fuzz/run tests/fuzz/seeds

# Fuzz targets for libFuzzer: configure --enable-fuzzers CC=clang --with-sanitizers=address,undefined, then tests/fuzz/run.
if ENABLE_FUZZERS
SP_FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer

noinst_PROGRAMS += tests/fuzz/fuzz_body tests/fuzz/fuzz_paths tests/fuzz/fuzz_problem tests/fuzz/fuzz_authority tests/fuzz/fuzz_http1 tests/fuzz/fuzz_proxy_status \
  tests/fuzz/fuzz_socks5 tests/fuzz/fuzz_upgrade
tests_fuzz_fuzz_body_SOURCES = tests/fuzz/fuzz_body.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_body_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_body_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_paths_SOURCES = tests/fuzz/fuzz_paths.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_paths_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_paths_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_problem_SOURCES = tests/fuzz/fuzz_problem.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_problem_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_problem_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_authority_SOURCES = tests/fuzz/fuzz_authority.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_authority_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_authority_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_http1_SOURCES = tests/fuzz/fuzz_http1.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http1_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_http1_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_proxy_status_SOURCES = tests/fuzz/fuzz_proxy_status.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_proxy_status_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_proxy_status_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_socks5_SOURCES = tests/fuzz/fuzz_socks5.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_socks5_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_socks5_LDFLAGS = $(SP_FUZZ_LINK)
tests_fuzz_fuzz_upgrade_SOURCES = tests/fuzz/fuzz_upgrade.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_upgrade_LDADD = $(SP_CODEC_LIBS)
tests_fuzz_fuzz_upgrade_LDFLAGS = $(SP_FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_conf_LDADD = $(SP_CONF_LIBS)
tests_fuzz_fuzz_conf_LDFLAGS = $(SP_FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_front
tests_fuzz_fuzz_front_SOURCES = tests/fuzz/fuzz_front.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_front_LDADD = $(SP_FRONT_LIBS)
tests_fuzz_fuzz_front_LDFLAGS = $(SP_FUZZ_LINK)

noinst_PROGRAMS += tests/fuzz/fuzz_h1
tests_fuzz_fuzz_h1_SOURCES = tests/fuzz/fuzz_h1.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_h1_LDADD = $(SP_H1_LIBS)
tests_fuzz_fuzz_h1_LDFLAGS = $(SP_FUZZ_LINK)
endif
