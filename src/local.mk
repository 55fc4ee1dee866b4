sbin_PROGRAMS += sallyport sallyport-connector
sallyport_SOURCES = src/sallyport.c
sallyport_CFLAGS = $(AM_CFLAGS) $(SP_PIE_CFLAGS)
sallyport_LDFLAGS = $(AM_LDFLAGS) $(SP_PIE_LDFLAGS)
sallyport_LDADD = $(SP_SERVER_LIBS)
sallyport_connector_SOURCES = src/sallyport-connector.c
sallyport_connector_CFLAGS = $(AM_CFLAGS) $(SP_PIE_CFLAGS)
sallyport_connector_LDFLAGS = $(AM_LDFLAGS) $(SP_PIE_LDFLAGS)
sallyport_connector_LDADD = $(SP_SERVER_LIBS)

# libjwt makes the tokens. It brings jansson, which shares names with json-c: nothing of json-c is linked here.
if WITH_JWT
bin_PROGRAMS += sallyportctl
sallyportctl_SOURCES = src/sallyportctl.c src/devtoken/devtoken.h src/devtoken/key.c src/devtoken/sign.c
sallyportctl_CFLAGS = $(AM_CFLAGS) $(JWT_CFLAGS) $(SP_PIE_CFLAGS)
sallyportctl_LDFLAGS = $(AM_LDFLAGS) $(SP_PIE_LDFLAGS)
sallyportctl_LDADD = $(SP_BASE_LIBS) $(SSL_LIBS) $(JWT_LIBS)
if ENABLE_TESTS
TESTS += tests/unit/sallyportctl.sh
endif
endif
EXTRA_DIST += tests/unit/sallyportctl.sh
