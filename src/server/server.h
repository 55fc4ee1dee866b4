/* The running program: policy checks, workers, signals. SIGTERM and SIGINT drain (no new work, open exchanges finish within
 * timeouts.drain); a second one closes at once, a third ends the process. SIGHUP is reserved for reload. */
#ifndef SP_SERVER_SERVER_H
#define SP_SERVER_SERVER_H

#include <stdio.h>

#include "front/front.h"

/* Exit codes of the programs. */
enum { SP_EXIT_OK = 0, SP_EXIT_FAILURE = 1, SP_EXIT_CONFIG = 2 };

/* What configuration and plugins together must satisfy before anything starts (fail closed): every chain resolves a tenant; a
 * chain that verifies nobody listens on loopback or a Unix socket only, unless trusted_network; forward listeners have a
 * chain that needs no token; connectors have somewhere to dial in. 0, or SP_EINVAL with lines in r. */
int sp_server_policy(const struct sp_conf *conf, const struct sp_auth *auth, struct sp_report *r);

/* The files of our own credentials (token, certificates, keys) are good, and nobody may read them who should not. They are read
 * again where they are used; this says it at start and in `-t`, before anything listens. 0, or SP_EINVAL with lines in r. */
int sp_server_files(const struct sp_conf *conf, struct sp_report *r);

/* `-t`: loads, checks (TLS files too) and prints each listener's mode in words and the memory bound. Returns an exit code;
 * errors go to standard error. */
int sp_server_test(const char *file, enum sp_conf_kind kind, const char *plugin_dir, FILE *out);

/* sp_conf_load(), with plugin_dir instead of the file's unless it is NULL: for a build that was not installed. */
int sp_server_load(const char *file, enum sp_conf_kind kind, const char *plugin_dir, struct sp_conf **out, struct sp_report *r);

/* Runs until a signal ends it. Returns an exit code. */
int sp_server_run(const char *file, enum sp_conf_kind kind, const char *plugin_dir);

/* The most memory that buffers can take by configuration, in bytes per worker. */
uint64_t sp_server_memory_bound(const struct sp_conf *conf);

/* Everything that both programs' main() share: -c, -t, --version, --help. */
int sp_server_main(int argc, char **argv, enum sp_conf_kind kind, const char *default_conf);

#endif
