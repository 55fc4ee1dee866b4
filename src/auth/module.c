/* Loading shared objects. Like sudo, a plugin is accepted only from a file and a folder that nobody but root and us can change:
 * whoever can write it runs code as us. Every refusal is one line that names path and reason. Nothing is ever unloaded. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/internal.h"
#include "base/alloc.h"

/* What every plugin of ABI 1 has: no released struct is shorter than this. */
#define PLUGIN_SIZE_LEAST (offsetof(sp_plugin, close) + sizeof(((sp_plugin *)0)->close))

static struct sp_list modules; /* main thread only */

static void refuse(const struct sp_conf_plugin *p, struct sp_report *r, const char *path, const char *reason)
{
	sp_report_add(r, &p->at, "plugin \"%s\": %s: %s", p->name, path, reason);
}

/* Sticky folders are no exception: in /tmp everybody may put a file of the expected name first. */
static bool only_ours(const struct sp_conf_plugin *p, struct sp_report *r, const char *path, const struct stat *st)
{
	char reason[96];

	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(reason, sizeof(reason), "owned by uid %lu, neither root nor us (uid %lu)", (unsigned long)st->st_uid,
			 (unsigned long)geteuid());
	} else if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		snprintf(reason, sizeof(reason), "writable by others (mode %04o)", (unsigned)st->st_mode & 07777);
	} else {
		return true;
	}
	refuse(p, r, path, reason);
	return false;
}

static bool folder_accepted(const struct sp_conf_plugin *p, struct sp_report *r, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
	if (stat(folder, &st) < 0) {
		refuse(p, r, folder, strerror(errno));
		return false;
	}
	return only_ours(p, r, folder, &st);
}

/* Both the folder that the configuration names and the one that symbolic links lead to. */
static bool path_accepted(const struct sp_conf_plugin *p, struct sp_report *r, const char *path, char real[PATH_MAX])
{
	struct stat st;

	if (!realpath(path, real)) {
		refuse(p, r, path, strerror(errno));
		return false;
	}
	if (!folder_accepted(p, r, path) || (strcmp(path, real) != 0 && !folder_accepted(p, r, real)))
		return false;
	if (stat(real, &st) < 0) {
		refuse(p, r, real, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		refuse(p, r, real, "not a regular file");
		return false;
	}
	return only_ours(p, r, real, &st);
}

static bool path_make(const char *dir, const struct sp_conf_plugin *p, struct sp_report *r, char path[PATH_MAX])
{
	int n;

	if (strchr(p->name, '/') && p->name[0] != '/') {
		refuse(p, r, p->name, "a plugin is named by a word or an absolute path");
		return false;
	}
	if (strchr(p->name, '/'))
		n = snprintf(path, PATH_MAX, "%s", p->name);
	else
		n = snprintf(path, PATH_MAX, "%s/%s.so", dir, p->name);
	if (n < 0 || n >= PATH_MAX) {
		refuse(p, r, dir, "the path is too long");
		return false;
	}
	return true;
}

/* Why the struct cannot be used, or NULL. From here on nobody looks at the plugin's own struct again. */
static const char *take(const struct sp_plugin *theirs, struct sp_plugin *out)
{
	if (!theirs)
		return SP_PLUGIN_SYMBOL "() returned nothing";
	if (theirs->magic != SP_ABI_MAGIC)
		return "wrong magic: built for another plugin ABI";
	if (theirs->size < PLUGIN_SIZE_LEAST)
		return "its struct sp_plugin is too short";
	memset(out, 0, sizeof(*out));
	memcpy(out, theirs, theirs->size < sizeof(*out) ? theirs->size : sizeof(*out));
	if (!out->check || !out->request)
		return "it has no check() or no request()";
	if (!(out->stages & SP_STAGE_AUTHN))
		return "it does not serve the stage SP_STAGE_AUTHN";
	return NULL;
}

/* The handle stays open even when the plugin is refused: constructors have run, threads may exist. */
static const struct sp_auth_module *keep(const char *path, void *handle, const struct sp_plugin *plugin)
{
	struct sp_auth_module *m = SP_NEW(struct sp_auth_module);

	m->path = sp_strdup(path);
	m->handle = handle;
	if (plugin)
		m->plugin = *plugin;
	if (!modules.next)
		sp_list_init(&modules);
	sp_list_append(&modules, &m->node);
	return m;
}

static const struct sp_auth_module *loaded(const char *path)
{
	struct sp_list *n, *tmp;

	if (!modules.next)
		return NULL;
	SP_LIST_EACH(n, &modules, tmp) {
		struct sp_auth_module *m = SP_CONTAINER_OF(n, struct sp_auth_module, node);

		if (m->plugin.request && strcmp(m->path, path) == 0)
			return m;
	}
	return NULL;
}

const struct sp_auth_module *sp_auth_module_load(const char *plugin_dir, const struct sp_conf_plugin *p, struct sp_report *r)
{
	char path[PATH_MAX], real[PATH_MAX];
	const struct sp_auth_module *m;
	struct sp_plugin plugin;
	const char *reason;
	union {
		void *object;
		sp_plugin_fn *fn;
	} entry;
	void *handle;

	if (!path_make(plugin_dir, p, r, path) || !path_accepted(p, r, path, real))
		return NULL;
	m = loaded(real);
	if (m)
		return m;
	handle = dlopen(real, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		refuse(p, r, real, dlerror());
		return NULL;
	}
	entry.object = dlsym(handle, SP_PLUGIN_SYMBOL);
	reason = entry.object ? take(entry.fn(), &plugin) : "not a sallyport plugin: no symbol \"" SP_PLUGIN_SYMBOL "\"";
	m = keep(real, handle, reason ? NULL : &plugin);
	if (reason) {
		refuse(p, r, real, reason);
		return NULL;
	}
	return m;
}
