# Everything speaks TAP, so that totals count single tests.
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TESTS += tests/lint
EXTRA_DIST += tests/lint
EXTRA_DIST += tests/demo/demo
EXTRA_DIST += tests/bench/run tests/bench/sallyport.sh
