# Everything speaks TAP, so that totals count single tests.
# Time-outs protect against hangs only: a loaded machine must not fail a test.
AM_TESTS_ENVIRONMENT = CK_TIMEOUT_MULTIPLIER=15; export CK_TIMEOUT_MULTIPLIER;
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TESTS += tests/lint
EXTRA_DIST += tests/lint
EXTRA_DIST += tests/demo/demo
EXTRA_DIST += tests/bench/run tests/bench/sallyport.sh
# doc/configuration.md comes from the table of settings, and is checked against it.
if ENABLE_TESTS
check_PROGRAMS += tests/tools/reference
tests_tools_reference_SOURCES = tests/tools/reference.c
tests_tools_reference_LDADD = $(SP_CONF_LIBS)
TESTS += tests/tools/reference.sh
endif
EXTRA_DIST += tests/tools/reference.sh
