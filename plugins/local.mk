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

# .la files are of no use next to plugins.
install-exec-hook:
	cd $(DESTDIR)$(pkglibdir) && for p in $(pkglib_LTLIBRARIES); do rm -f "$${p##*/}"; done
uninstall-hook:
	cd $(DESTDIR)$(pkglibdir) && for p in $(pkglib_LTLIBRARIES); do p="$${p##*/}"; rm -f "$${p%.la}.so"; done || :
