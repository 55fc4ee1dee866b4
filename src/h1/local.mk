noinst_LTLIBRARIES += libsp_h1.la
libsp_h1_la_SOURCES = src/h1/client.c src/h1/h1.h src/h1/internal.h src/h1/message.c src/h1/server.c
SP_H1_LIBS = libsp_h1.la $(SP_NET_LIBS)
