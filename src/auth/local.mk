noinst_LTLIBRARIES += libsp_auth.la
libsp_auth_la_SOURCES = src/auth/auth.h src/auth/host.c src/auth/internal.h src/auth/merge.c src/auth/module.c src/auth/open.c src/auth/run.c \
  src/auth/worker.c src/auth/claims.c src/auth/claims.h \
  src/auth/service_key.h src/auth/service_key_int.h src/auth/service_key.c src/auth/token_request.c src/auth/assertion.c \
  src/auth/token_answer.c src/auth/tokens.c
SP_AUTH_LIBS = libsp_auth.la libsp_h1.la $(SP_H2_LIBS)
# libjwt signs client assertions; without it such service keys are refused.
libsp_auth_la_CPPFLAGS = $(AM_CPPFLAGS)
if WITH_JWT
libsp_auth_la_CPPFLAGS += -DSP_WITH_JWT $(JWT_CFLAGS)
SP_AUTH_LIBS += $(JWT_LIBS)
endif

if ENABLE_TESTS
# Unit tests of this folder: tests/unit/auth/test_*.c, one program, linked against this layer only.
check_PROGRAMS += tests/unit/test_auth
TESTS += tests/unit/test_auth
tests_unit_test_auth_SOURCES = tests/unit/auth/main.c tests/unit/run.h tests/unit/auth/suites.h tests/unit/auth/fixture.h \
  tests/unit/auth/fixture.c tests/unit/net/certs.c tests/unit/net/certs.h tests/unit/net/web.c tests/unit/net/web.h tests/unit/auth/test_chain.c tests/unit/auth/test_claims.c tests/unit/auth/test_host.c tests/unit/auth/test_load.c tests/unit/auth/test_plugins.c \
  tests/unit/auth/test_tickets.c
tests_unit_test_auth_CPPFLAGS = $(AM_CPPFLAGS) -DSP_TEST_PLUGIN_DIR='"$(abs_top_builddir)/plugins/.libs"' \
  -DSP_TEST_MODULE_DIR='"$(abs_top_builddir)/tests/unit/auth/broken/.libs"'
tests_unit_test_auth_LDADD = $(SP_AUTH_LIBS) $(CHECK_LIBS)
if WITH_HTPASSWD
tests_unit_test_auth_SOURCES += tests/unit/auth/test_htpasswd.c
tests_unit_test_auth_CPPFLAGS += -DSP_WITH_HTPASSWD
tests_unit_test_auth_LDADD += $(CRYPT_LIBS)
endif
if WITH_JWT
tests_unit_test_auth_SOURCES += tests/unit/plugins/mint.c tests/unit/plugins/mint.h
tests_unit_test_auth_CPPFLAGS += -DSP_WITH_JWT $(JWT_CFLAGS)
tests_unit_test_auth_LDADD += $(JWT_LIBS)
endif
# Service keys and tokens: a program of its own, whose clock the tests turn.
check_PROGRAMS += tests/unit/test_tokens
TESTS += tests/unit/test_tokens
tests_unit_test_tokens_SOURCES = tests/unit/run.h tests/unit/tokens/main.c tests/unit/tokens/suites.h \
  tests/unit/tokens/clock.c tests/unit/tokens/clock.h tests/unit/tokens/fixture.c tests/unit/tokens/fixture.h \
  tests/unit/tokens/test_key.c tests/unit/tokens/test_request.c tests/unit/tokens/test_answer.c tests/unit/tokens/test_cache.c \
  tests/unit/tokens/test_failures.c tests/unit/tokens/test_reload.c tests/unit/tokens/test_server.c \
  tests/unit/net/certs.c tests/unit/net/certs.h tests/unit/net/web.c tests/unit/net/web.h
tests_unit_test_tokens_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sp_loop_now_ms -Wl,--wrap=sp_timer_start -Wl,--wrap=sp_timer_stop \
  -Wl,--wrap=sp_fetch_start
tests_unit_test_tokens_LDADD = $(SP_AUTH_LIBS) $(CHECK_LIBS)
tests_unit_test_tokens_CPPFLAGS = $(AM_CPPFLAGS) -DSP_SRCDIR='"$(abs_top_srcdir)"'
if WITH_JWT
tests_unit_test_tokens_CPPFLAGS += -DSP_WITH_JWT
endif
EXTRA_tests_unit_test_auth_DEPENDENCIES = $(SP_TEST_MODULES) $(pkglib_LTLIBRARIES)

# Plugins that misbehave. -rpath makes libtool build shared objects that are not installed.
SP_TEST_MODULE_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
SP_TEST_MODULES = tests/unit/auth/broken/scripted.la tests/unit/auth/broken/fetching.la tests/unit/auth/broken/nosymbol.la tests/unit/auth/broken/magic.la \
  tests/unit/auth/broken/short.la tests/unit/auth/broken/longer.la tests/unit/auth/broken/empty.la \
  tests/unit/auth/broken/stages.la tests/unit/auth/broken/null.la
check_LTLIBRARIES = $(SP_TEST_MODULES)
tests_unit_auth_broken_scripted_la_SOURCES = tests/unit/auth/broken/scripted.c tests/unit/auth/broken/scripted.h
tests_unit_auth_broken_scripted_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
tests_unit_auth_broken_scripted_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_scripted_la_LIBADD = plugins/libcommon.la $(JSONC_LIBS)
tests_unit_auth_broken_fetching_la_SOURCES = tests/unit/auth/broken/fetching.c
tests_unit_auth_broken_fetching_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
tests_unit_auth_broken_fetching_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_fetching_la_LIBADD = plugins/libcommon.la $(JSONC_LIBS)
tests_unit_auth_broken_nosymbol_la_SOURCES = tests/unit/auth/broken/nosymbol.c
tests_unit_auth_broken_nosymbol_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_magic_la_SOURCES = tests/unit/auth/broken/shaped.c
tests_unit_auth_broken_magic_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -DSHAPE_MAGIC
tests_unit_auth_broken_magic_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_short_la_SOURCES = tests/unit/auth/broken/shaped.c
tests_unit_auth_broken_short_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -DSHAPE_SHORT
tests_unit_auth_broken_short_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_longer_la_SOURCES = tests/unit/auth/broken/shaped.c
tests_unit_auth_broken_longer_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -DSHAPE_LONGER
tests_unit_auth_broken_longer_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_empty_la_SOURCES = tests/unit/auth/broken/shaped.c
tests_unit_auth_broken_empty_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -DSHAPE_EMPTY
tests_unit_auth_broken_empty_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_stages_la_SOURCES = tests/unit/auth/broken/shaped.c
tests_unit_auth_broken_stages_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -DSHAPE_STAGES
tests_unit_auth_broken_stages_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
tests_unit_auth_broken_null_la_SOURCES = tests/unit/auth/broken/shaped.c
tests_unit_auth_broken_null_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -DSHAPE_NULL
tests_unit_auth_broken_null_la_LDFLAGS = $(SP_TEST_MODULE_LDFLAGS)
endif

if ENABLE_FUZZERS
noinst_PROGRAMS += tests/fuzz/fuzz_service_key
tests_fuzz_fuzz_service_key_SOURCES = tests/fuzz/fuzz_service_key.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_service_key_LDADD = $(SP_AUTH_LIBS)
tests_fuzz_fuzz_service_key_LDFLAGS = $(SP_FUZZ_LINK)
endif
