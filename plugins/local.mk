# One exported symbol each, no versioned name, into $(pkglibdir). Plugins include include/sallyport/plugin.h, their own
# folder, plugins/common and third-party headers, nothing of src/.
SP_PLUGIN_CPPFLAGS = -I$(top_srcdir)/include -I$(top_srcdir)/plugins $(SP_CPPFLAGS)
SP_PLUGIN_CFLAGS = $(SP_CFLAGS) $(JSONC_CFLAGS)
SP_PLUGIN_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -no-undefined \
  -export-symbols-regex '^sallyport_plugin_v1$$'

noinst_LTLIBRARIES += plugins/libcommon.la
plugins_libcommon_la_SOURCES = plugins/common/settings.c plugins/common/settings.h \
  plugins/common/strictjson.c plugins/common/strictjson.h plugins/common/token.c plugins/common/token.h
plugins_libcommon_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_libcommon_la_CFLAGS = $(SP_PLUGIN_CFLAGS)

pkglib_LTLIBRARIES += plugins/none.la
plugins_none_la_SOURCES = plugins/none.c
plugins_none_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_none_la_CFLAGS = $(SP_PLUGIN_CFLAGS)
plugins_none_la_LDFLAGS = $(SP_PLUGIN_LDFLAGS)
plugins_none_la_LIBADD = plugins/libcommon.la $(JSONC_LIBS)

pkglib_LTLIBRARIES += plugins/static-tenant.la
plugins_static_tenant_la_SOURCES = plugins/static-tenant.c
plugins_static_tenant_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_static_tenant_la_CFLAGS = $(SP_PLUGIN_CFLAGS)
plugins_static_tenant_la_LDFLAGS = $(SP_PLUGIN_LDFLAGS)
plugins_static_tenant_la_LIBADD = plugins/libcommon.la $(JSONC_LIBS)

if WITH_JWT
# Everything of the jwt plugin but the plugin itself: unit tests link it.
noinst_LTLIBRARIES += plugins/libjwtverify.la
plugins_libjwtverify_la_SOURCES = plugins/jwt/alg.c plugins/jwt/alg.h plugins/jwt/keyset.c plugins/jwt/keyset.h \
  plugins/jwt/cache.c plugins/jwt/cache.h plugins/jwt/discovery.c plugins/jwt/discovery.h \
  plugins/jwt/file.c plugins/jwt/file.h plugins/jwt/source.c plugins/jwt/source.h plugins/jwt/sources.c plugins/jwt/sources.h \
  plugins/jwt/issuer.c plugins/jwt/issuer.h plugins/jwt/policy.c plugins/jwt/policy.h \
  plugins/jwt/verify.c plugins/jwt/verify.h
plugins_libjwtverify_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_libjwtverify_la_CFLAGS = $(SP_PLUGIN_CFLAGS) $(SSL_CFLAGS)
plugins_libjwtverify_la_LIBADD = plugins/libcommon.la

pkglib_LTLIBRARIES += plugins/jwt.la
plugins_jwt_la_SOURCES = plugins/jwt/jwt.c
plugins_jwt_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_jwt_la_CFLAGS = $(SP_PLUGIN_CFLAGS) $(SSL_CFLAGS)
plugins_jwt_la_LDFLAGS = $(SP_PLUGIN_LDFLAGS)
plugins_jwt_la_LIBADD = plugins/libjwtverify.la $(JSONC_LIBS) $(SSL_LIBS)
endif

pkglib_LTLIBRARIES += plugins/mtls.la
plugins_mtls_la_SOURCES = plugins/mtls/mtls.c plugins/mtls/names.c plugins/mtls/names.h
plugins_mtls_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_mtls_la_CFLAGS = $(SP_PLUGIN_CFLAGS)
plugins_mtls_la_LDFLAGS = $(SP_PLUGIN_LDFLAGS)
plugins_mtls_la_LIBADD = plugins/libcommon.la $(JSONC_LIBS)

# The example of doc/plugins.md, of use as it is. Nothing of plugins/common: it also builds by one command, without this tree.
if WITH_HTPASSWD
pkglib_LTLIBRARIES += plugins/htpasswd.la
plugins_htpasswd_la_SOURCES = plugins/example/htpasswd.c plugins/example/users.c plugins/example/users.h
plugins_htpasswd_la_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
plugins_htpasswd_la_CFLAGS = $(SP_PLUGIN_CFLAGS) -pthread
plugins_htpasswd_la_LDFLAGS = $(SP_PLUGIN_LDFLAGS)
plugins_htpasswd_la_LIBADD = $(JSONC_LIBS) $(CRYPT_LIBS)
endif

# .la files are of no use next to plugins.
install-exec-hook:
	cd $(DESTDIR)$(pkglibdir) && for p in $(pkglib_LTLIBRARIES); do rm -f "$${p##*/}"; done
uninstall-hook:
	cd $(DESTDIR)$(pkglibdir) && for p in $(pkglib_LTLIBRARIES); do p="$${p##*/}"; rm -f "$${p%.la}.so"; done || :

if ENABLE_TESTS
check_PROGRAMS += tests/unit/test_plugins
TESTS += tests/unit/test_plugins
tests_unit_test_plugins_SOURCES = tests/unit/plugins/main.c tests/unit/plugins/suites.h tests/unit/plugins/test_common.c \
  tests/unit/plugins/test_mtls_names.c plugins/mtls/names.c
tests_unit_test_plugins_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS)
tests_unit_test_plugins_CFLAGS = $(SP_PLUGIN_CFLAGS) $(CHECK_CFLAGS)
tests_unit_test_plugins_LDADD = plugins/libcommon.la $(JSONC_LIBS) $(CHECK_LIBS)
if WITH_HTPASSWD
tests_unit_test_plugins_SOURCES += tests/unit/plugins/test_htpasswd.c plugins/example/htpasswd.c plugins/example/users.c
tests_unit_test_plugins_CPPFLAGS += -DSP_WITH_HTPASSWD -DSP_PLUGIN_STATIC
tests_unit_test_plugins_CFLAGS += -pthread
tests_unit_test_plugins_LDFLAGS = $(AM_LDFLAGS) -pthread -Wl,--wrap=crypt_rn -Wl,--wrap=clock_gettime
tests_unit_test_plugins_LDADD += $(CRYPT_LIBS)
endif
if WITH_JWT
tests_unit_test_plugins_SOURCES += tests/unit/plugins/mint.c tests/unit/plugins/mint.h tests/unit/plugins/jwt_both.h \
  tests/unit/plugins/test_devtoken.c \
  src/devtoken/key.c src/devtoken/sign.c tests/unit/plugins/test_jwt_keyset.c \
  tests/unit/plugins/test_jwt_policy.c tests/unit/plugins/fake.c tests/unit/plugins/fake.h tests/unit/plugins/test_jwt_discovery.c \
  tests/unit/plugins/test_jwt_file.c tests/unit/plugins/test_jwt_source.c tests/unit/plugins/test_jwt_sources.c tests/unit/plugins/test_jwt_cache.c tests/unit/plugins/test_jwt_torture.c tests/unit/plugins/torture_rows.h \
  tests/unit/plugins/test_jwt_verify.c
tests_unit_test_plugins_CPPFLAGS += -I$(top_srcdir)/src -DSP_WITH_JWT
tests_unit_test_plugins_CFLAGS += $(SSL_CFLAGS) $(JWT_CFLAGS)
tests_unit_test_plugins_LDADD += plugins/libjwtverify.la $(SP_BASE_LIBS) $(SSL_LIBS) $(JWT_LIBS)
endif
endif

if WITH_JWT
if ENABLE_TESTS
# Only when asked for: make tests/bench/bench_jwt
EXTRA_PROGRAMS += tests/bench/bench_jwt
tests_bench_bench_jwt_SOURCES = tests/bench/bench_jwt.c tests/unit/plugins/mint.c tests/unit/plugins/mint.h
tests_bench_bench_jwt_CPPFLAGS = $(SP_PLUGIN_CPPFLAGS) -I$(top_srcdir)/tests/unit/plugins
tests_bench_bench_jwt_CFLAGS = $(SP_PLUGIN_CFLAGS) $(SSL_CFLAGS) $(JWT_CFLAGS)
tests_bench_bench_jwt_LDADD = plugins/libjwtverify.la $(JSONC_LIBS) $(SSL_LIBS) $(JWT_LIBS)
endif
endif

if ENABLE_FUZZERS
if WITH_JWT
noinst_PROGRAMS += tests/fuzz/fuzz_token
tests_fuzz_fuzz_token_SOURCES = tests/fuzz/fuzz_token.c tests/fuzz/fuzz.h plugins/mtls/names.c
tests_fuzz_fuzz_token_CPPFLAGS = $(AM_CPPFLAGS) $(SP_PLUGIN_CPPFLAGS)
tests_fuzz_fuzz_token_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_token_LDADD = plugins/libjwtverify.la $(JSONC_LIBS) $(SSL_LIBS)
tests_fuzz_fuzz_token_LDFLAGS = $(SP_FUZZ_LINK)
endif
endif
