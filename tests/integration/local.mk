# Integration tests: real programs and clients; see README.md there. Each file is one test program that writes TAP.
PYTHON3 = /usr/bin/python3
SP_INTEGRATION_TESTS = \
  tests/integration/test_audit.py \
  tests/integration/test_bulk.py \
  tests/integration/test_clients.py \
  tests/integration/test_credentials.py \
  tests/integration/test_expiry.py \
  tests/integration/test_failures.py \
  tests/integration/test_http.py \
  tests/integration/test_idp.py \
  tests/integration/test_isolation.py \
  tests/integration/test_mixed.py \
  tests/integration/test_modes.py \
  tests/integration/test_outcomes.py \
  tests/integration/test_readme.py \
  tests/integration/test_plugins.py \
  tests/integration/test_regions.py \
  tests/integration/test_requests.py \
  tests/integration/test_requests_bulk.py \
  tests/integration/test_requests_clients.py \
  tests/integration/test_requests_systems.py \
  tests/integration/test_secrets.py \
  tests/integration/test_smuggling.py \
  tests/integration/test_socks5.py \
  tests/integration/test_start.py \
  tests/integration/test_stop.py \
  tests/integration/test_timeouts.py \
  tests/integration/test_topologies.py

TEST_EXTENSIONS = .py
PY_LOG_COMPILER = env PYTHONDONTWRITEBYTECODE=1 SP_CC='$(CC)' SP_SRCDIR='$(abs_top_srcdir)' SP_BINDIR='$(abs_top_builddir)' \
  SP_PLUGIN_DIR='$(abs_top_builddir)/plugins/.libs' $(PYTHON3)
PY_LOG_DRIVER = $(LOG_DRIVER)
TESTS += $(SP_INTEGRATION_TESTS)
EXTRA_DIST += $(SP_INTEGRATION_TESTS) tests/integration/README.md tests/integration/clients/socks80.js \
  tests/integration/harness/__init__.py tests/integration/harness/env.py tests/integration/harness/h2.py tests/integration/harness/http1.py tests/integration/harness/idp.py \
  tests/integration/harness/lsan.supp tests/integration/harness/net.py tests/integration/harness/origins.py \
  tests/integration/harness/pki.py tests/integration/harness/program.py tests/integration/harness/socks5.py tests/integration/harness/systems.py \
  tests/integration/harness/tap.py tests/integration/harness/tokens.py tests/integration/harness/topology.py tests/integration/harness/trail.py
