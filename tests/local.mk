# Everything speaks TAP, so that totals count single tests.
# Time-outs protect against hangs only: a loaded machine must not fail a test.
AM_TESTS_ENVIRONMENT = CK_TIMEOUT_MULTIPLIER=15; export CK_TIMEOUT_MULTIPLIER;
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TESTS += tests/lint
EXTRA_DIST += tests/lint
EXTRA_DIST += tests/demo/demo
EXTRA_DIST += tests/bench/run tests/bench/sallyport.sh
