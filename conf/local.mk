# Complete sample files, one per mode and role; installed as examples, never as the configuration.
SP_SAMPLES = conf/quickstart.conf \
  conf/single-tenant-trusted.conf conf/single-tenant-nontrusted.conf \
  conf/multi-tenant-trusted.conf conf/multi-tenant-nontrusted.conf \
  conf/gateway.conf conf/connector.conf
examplesdir = $(docdir)/examples
dist_examples_DATA = $(SP_SAMPLES) conf/service-key.secret.json conf/service-key.sap.json conf/service-key.certificate.json \
  conf/service-key.private-key.json
