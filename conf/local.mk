# Complete sample files, one per mode and role; installed as examples, never as the configuration.
SP_SAMPLES = conf/quickstart.conf \
  conf/single-tenant-trusted.conf conf/single-tenant-nontrusted.conf \
  conf/multi-tenant-trusted.conf conf/multi-tenant-nontrusted.conf \
  conf/gateway.conf conf/connector.conf
examplesdir = $(docdir)/examples
dist_examples_DATA = $(SP_SAMPLES)
