/* What the tests of this folder share: a snapshot built by hand, copies of the plugins in a folder of their own (the build
 * folder's mode is whatever the builder's umask made it), a worker, and the end of a run. */
#ifndef SP_TESTS_AUTH_FIXTURE_H
#define SP_TESTS_AUTH_FIXTURE_H

#include <check.h>
#include <sallyport/plugin.h>

#include "auth/auth.h"
#include "broken/scripted.h"

struct fixture_plugin { const char *name, *json; };

struct fixture {
	struct sp_conf *conf;
	struct sp_auth *auth;
	struct sp_loop *loop;
	struct sp_auth_worker *worker;
	struct sp_report report;
};

/* Unchecked fixture of every suite: makes and removes the folder. */
void fixture_folder_make(void);
void fixture_folder_remove(void);
extern char fixture_folder[];

/* A snapshot of one chain, the plugins at lines 12, 13, ... of dir/sallyport.conf; NULL name ends the list. */
struct sp_conf *fixture_conf(const struct fixture_plugin *plugins);
/* Opens auth and a worker; fails the test when that fails. */
void fixture_open(struct fixture *f, const struct fixture_plugin *plugins);
void fixture_close(struct fixture *f);
/* The report's text after sp_auth_open() has refused. Free with sp_report_deinit. */
struct sp_report fixture_refusal(const struct fixture_plugin *plugins, bool check_only);

/* How a run ended. */
struct end { unsigned calls; enum sp_outcome outcome; struct sp_identity id; struct sp_cause cause; };
void on_end(void *arg, enum sp_outcome outcome, struct sp_identity *id, const struct sp_cause *cause);
/* Starts a run and waits for its end. req NULL: one without credential. */
void fixture_run(struct fixture *f, const struct sp_auth_request *req, bool need_tenant, struct end *e);
/* Runs the loop until e has its end; returns whether it came. */
bool fixture_wait(struct fixture *f, struct end *e);
void end_deinit(struct end *e);

struct scripted_stats *fixture_stats(void);
unsigned fixture_release(void);

#define ck_has(text, part) ck_assert_msg((text) && strstr((text), (part)), "\"%s\" is not in: %s", (part), (text) ? (text) : "(null)")

#endif
