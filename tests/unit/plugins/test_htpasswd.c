/* The plugin htpasswd against a host of the test's own. crypt_rn() goes through a gate, so that the test decides when a hash ends,
 * and the monotonic clock is turned by hand. (tests/unit/auth has the same plugin under the real host.) */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "example/users.h"
#include "sallyport/plugin.h"
#include "suites.h"

#define ck_has(text, part) ck_assert_msg(strstr((text), (part)), "\"%s\" is not in: %s", (part), (text))

extern sp_plugin_fn sallyport_plugin_v1_htpasswd;

/* ---- the gate and the clock ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool closed;		/* under lock, as what follows */
static unsigned hashes;		/* begun */
static char asked[16][128];	/* the settings given to crypt_rn() */
static time_t later_s;

char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size);
char *__real_crypt_rn(const char *phrase, const char *setting, void *data, int size);
char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	pthread_mutex_lock(&lock);
	if (hashes < 16)
		snprintf(asked[hashes], sizeof(asked[0]), "%s", setting);
	hashes++;
	pthread_cond_broadcast(&changed);
	while (closed)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return __real_crypt_rn(phrase, setting, data, size);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = __real_clock_gettime(id, ts);

	if (id == CLOCK_MONOTONIC) {
		pthread_mutex_lock(&lock);
		ts->tv_sec += later_s;
		pthread_mutex_unlock(&lock);
	}
	return rc;
}

static void gate(bool close)
{
	pthread_mutex_lock(&lock);
	closed = close;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void a_second_passes(void)
{
	pthread_mutex_lock(&lock);
	later_s += 2;
	pthread_mutex_unlock(&lock);
}

static unsigned wait_hashes(unsigned n)
{
	pthread_mutex_lock(&lock);
	while (hashes < n)
		pthread_cond_wait(&changed, &lock);
	n = hashes;
	pthread_mutex_unlock(&lock);
	return n;
}

/* ---- the host ---- */

struct heard { bool there; uint32_t verdict, why; char principal[300], tenant[300], detail[300]; };
static struct heard heard[32]; /* by ticket; under lock */
static char said[8][512];
static unsigned said_count;

static void copy(char dst[300], sp_str s)
{
	snprintf(dst, 300, "%.*s", (int)s.n, s.p ? s.p : "");
}

static void host_answer(sp_ticket t, const sp_answer *a)
{
	struct heard *h = &heard[t.v];

	pthread_mutex_lock(&lock);
	*h = (struct heard){ .there = true, .verdict = a->verdict, .why = a->why };
	copy(h->principal, a->principal);
	copy(h->tenant, a->tenant);
	copy(h->detail, a->detail);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void host_log(int level, sp_ticket t, const char *fmt, ...) SP_PRINTF_LIKE(3, 4);
static void host_log(int level, sp_ticket t, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	(void)t;
	pthread_mutex_lock(&lock);
	va_start(ap, fmt);
	if (said_count < 8)
		vsnprintf(said[said_count++], sizeof(said[0]), fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&lock);
}

static const sp_host host = { .size = sizeof(host), .minor = SP_ABI_MINOR, .answer = host_answer, .log = host_log };

/* ---- files ---- */

static char path[64];

static char *hash_of(const char *prefix, unsigned long cost, const char *password)
{
	static const char random[16] = "0123456789abcde";
	struct crypt_data data = { 0 };
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	char *hash;

	ck_assert_ptr_nonnull(crypt_gensalt_rn(prefix, cost, random, sizeof(random), setting, sizeof(setting)));
	hash = __real_crypt_rn(password, setting, &data, (int)sizeof(data));
	ck_assert_ptr_nonnull(hash);
	return strdup(hash);
}

/* A new file in the place of the old one. */
static void put(const char *text)
{
	char fresh[80];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(fresh, 0600), 0);
	ck_assert_int_eq(rename(fresh, path), 0);
}

/* "ada:HASH[:tenant]" of the password "pass word", and bob's of "other". */
static void put_two(const char *ada_more)
{
	char *ada = hash_of("$5$", 1000, "pass word"), *bob = hash_of("$6$", 1000, "other"), text[512];

	snprintf(text, sizeof(text), "# users\n\nada:%s%s\r\nbob:%s:globex\n", ada, ada_more, bob);
	put(text);
	free(ada);
	free(bob);
}

static void setup(void)
{
	snprintf(path, sizeof(path), "/tmp/sp-htpasswd-XXXXXX");
	close(mkstemp(path));
}

static void teardown(void)
{
	unlink(path);
}

/* ---- the plugin ---- */

struct bed { const sp_plugin *p; void *inst, *wctx, *slot[32]; };

static void bed_open(struct bed *b, const char *more)
{
	sp_error err = { .size = sizeof(err) };
	char json[256];

	*b = (struct bed){ .p = sallyport_plugin_v1_htpasswd() };
	snprintf(json, sizeof(json), "{\"file\":\"%s\"%s}", path, more);
	ck_assert_msg(b->p->open(&host, json, NULL, &b->inst, &err) == 0, "%s: %s", err.path, err.msg);
	ck_assert_int_eq(b->p->worker_open(b->inst, NULL, &b->wctx, &err), 0);
}

static void bed_close(struct bed *b)
{
	b->p->worker_close(b->wctx);
	b->p->close(b->inst);
}

static sp_str str(const char *s)
{
	return (sp_str){ s, strlen(s) };
}

static void ask(struct bed *b, uint64_t ticket, const char *user, const char *password)
{
	sp_request r = { .size = sizeof(r), .stage = SP_STAGE_AUTHN, .cred = SP_CRED_USERPASS, .user = str(user),
			 .secret = str(password) };

	b->p->request(b->wctx, (sp_ticket){ ticket }, &r, &b->slot[ticket]);
}

static void finish(struct bed *b, uint64_t ticket, int end)
{
	b->p->finish(b->wctx, b->slot[ticket], end);
}

static bool answered(uint64_t ticket)
{
	bool there;

	pthread_mutex_lock(&lock);
	there = heard[ticket].there;
	pthread_mutex_unlock(&lock);
	return there;
}

static struct heard wait_answer(struct bed *b, uint64_t ticket)
{
	struct heard h;

	pthread_mutex_lock(&lock);
	while (!heard[ticket].there)
		pthread_cond_wait(&changed, &lock);
	h = heard[ticket];
	pthread_mutex_unlock(&lock);
	finish(b, ticket, SP_END_ANSWERED);
	return h;
}

static void expect(struct bed *b, uint64_t ticket, const char *user, const char *password, uint32_t verdict, const char *detail)
{
	struct heard h;

	ask(b, ticket, user, password);
	h = wait_answer(b, ticket);
	ck_assert_msg(h.verdict == verdict, "%s: verdict %u: %s", user, h.verdict, h.detail);
	ck_assert_str_eq(h.detail, detail);
	if (verdict == SP_DENY)
		ck_assert_uint_eq(h.why, SP_WHY_BAD_CREDENTIAL);
	else
		ck_assert_str_eq(h.principal, user);
}

START_TEST(judges)
{
	struct bed b;

	put_two("");
	bed_open(&b, "");
	expect(&b, 1, "ada", "pass word", SP_ALLOW, "");
	expect(&b, 2, "ada", "pass wor", SP_DENY, "the password is wrong");
	expect(&b, 3, "ada", "other", SP_DENY, "the password is wrong");
	expect(&b, 4, "bob", "other", SP_ALLOW, "");
	expect(&b, 5, "eve", "other", SP_DENY, "there is no such user");
	expect(&b, 6, "ad", "pass word", SP_DENY, "there is no such user");
	ck_assert_str_eq(heard[4].tenant, ""); /* tenants = false */
	ck_assert_uint_eq(hashes, 6);
	bed_close(&b);
}
END_TEST

START_TEST(names_tenants)
{
	struct bed b;

	put_two("");
	bed_open(&b, ",\"tenants\":true");
	expect(&b, 1, "ada", "pass word", SP_ALLOW, "");
	expect(&b, 2, "bob", "other", SP_ALLOW, "");
	ck_assert_str_eq(heard[1].tenant, "");
	ck_assert_str_eq(heard[2].tenant, "globex");
	bed_close(&b);
}
END_TEST

/* What cannot be a password costs no hash. */
START_TEST(unusable)
{
	char longest[USERS_PASSWORD_MOST + 2];
	struct bed b;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	put_two("");
	bed_open(&b, "");
	expect(&b, 1, "", "x", SP_DENY, "the user or the password is empty, too long or holds a NUL");
	expect(&b, 2, "ada", "", SP_DENY, "the user or the password is empty, too long or holds a NUL");
	expect(&b, 3, "ada", longest, SP_DENY, "the user or the password is empty, too long or holds a NUL");
	expect(&b, 4, longest, "x", SP_DENY, "the user or the password is empty, too long or holds a NUL");
	for (unsigned i = 0; i < 2; i++) { /* not the start of a name or password, in C's view */
		sp_request r = { .size = sizeof(r), .stage = SP_STAGE_AUTHN, .cred = SP_CRED_USERPASS, .user = { "ada\0x", i ? 3 : 5 },
				 .secret = { "pass word\0x", i ? 11 : 9 } };

		b.p->request(b.wctx, (sp_ticket){ 5 + i }, &r, &b.slot[5 + i]);
		ck_assert_uint_eq(wait_answer(&b, 5 + i).verdict, SP_DENY);
	}
	ck_assert_uint_eq(hashes, 0);
	longest[USERS_PASSWORD_MOST] = '\0';
	expect(&b, 7, "ada", longest, SP_DENY, "the password is wrong");
	bed_close(&b);
}
END_TEST

START_TEST(leaves_tokens_to_others)
{
	static const uint32_t creds[] = { SP_CRED_NONE, SP_CRED_BEARER };
	struct bed b;

	put_two("");
	bed_open(&b, "");
	for (unsigned i = 0; i < 2; i++) {
		sp_request r = { .size = sizeof(r), .stage = SP_STAGE_AUTHN, .cred = creds[i] };

		b.p->request(b.wctx, (sp_ticket){ i }, &r, &b.slot[i]);
		ck_assert_uint_eq(wait_answer(&b, i).verdict, SP_DECLINE);
	}
	bed_close(&b);
}
END_TEST

START_TEST(full_queue)
{
	struct bed b;

	put_two("");
	bed_open(&b, ",\"waiting\":2");
	gate(true);
	ask(&b, 1, "ada", "pass word");
	wait_hashes(1);
	ask(&b, 2, "ada", "pass word");
	ask(&b, 3, "ada", "wrong");
	ck_assert(!answered(1) && !answered(2) && !answered(3));
	ask(&b, 4, "ada", "pass word");
	ck_assert(answered(4)); /* at once */
	ck_assert_uint_eq(heard[4].verdict, SP_DENY);
	ck_assert_uint_eq(heard[4].why, SP_WHY_QUOTA);
	finish(&b, 4, SP_END_ANSWERED);
	gate(false);
	ck_assert_uint_eq(wait_answer(&b, 1).verdict, SP_ALLOW);
	ck_assert_uint_eq(wait_answer(&b, 2).verdict, SP_ALLOW);
	ck_assert_uint_eq(wait_answer(&b, 3).verdict, SP_DENY);
	expect(&b, 5, "ada", "pass word", SP_ALLOW, ""); /* and there is room again */
	bed_close(&b);
}
END_TEST

/* _i: which of the three that wait leaves. Its password is never hashed, and it gives its place to somebody else. */
START_TEST(gone_while_queued)
{
	struct bed b;

	put_two("");
	bed_open(&b, ",\"waiting\":3");
	gate(true);
	ask(&b, 1, "ada", "pass word");
	wait_hashes(1);
	for (uint64_t t = 2; t < 5; t++)
		ask(&b, t, "ada", "pass word");
	finish(&b, 2 + (uint64_t)_i, SP_END_CLIENT_GONE);
	ask(&b, 5, "bob", "other");
	ck_assert(!answered(5));
	gate(false);
	for (uint64_t t = 1; t < 6; t++)
		if (t != 2 + (uint64_t)_i)
			ck_assert_uint_eq(wait_answer(&b, t).verdict, SP_ALLOW);
	ck_assert(!answered(2 + (uint64_t)_i));
	ck_assert_uint_eq(hashes, 4);
	bed_close(&b);
}
END_TEST

START_TEST(gone_while_hashing)
{
	struct bed b;

	put_two("");
	bed_open(&b, "");
	gate(true);
	ask(&b, 1, "ada", "pass word");
	wait_hashes(1);
	finish(&b, 1, _i == 0 ? SP_END_CLIENT_GONE : _i == 1 ? SP_END_TIMEOUT : SP_END_SHUTDOWN);
	gate(false);
	if (_i < 2)
		expect(&b, 2, "ada", "pass word", SP_ALLOW, "");
	bed_close(&b); /* waits for the hash; nothing leaks */
}
END_TEST

/* Unknown names cost one hash of somebody's kind, the same for the same name. */
START_TEST(unknown_users_are_slow_too)
{
	unsigned kinds[2] = { 0, 0 };
	struct bed b;

	put_two("");
	bed_open(&b, "");
	for (uint64_t t = 0; t < 14; t++) {
		char name[8];

		snprintf(name, sizeof(name), "no%u", (unsigned)t / 2);
		expect(&b, t, name, "x", SP_DENY, "there is no such user");
		kinds[asked[t][1] == '6']++;
		if (t % 2)
			ck_assert_str_eq(asked[t], asked[t - 1]);
	}
	ck_assert_uint_eq(hashes, 14);
	ck_assert(kinds[0] > 0 && kinds[1] > 0);
	bed_close(&b);
}
END_TEST

START_TEST(reads_again)
{
	struct bed b;
	char *hash;
	char text[256];

	put_two("");
	bed_open(&b, "");
	expect(&b, 1, "ada", "pass word", SP_ALLOW, "");
	hash = hash_of("$5$", 1000, "new");
	snprintf(text, sizeof(text), "ada:%s\n", hash);
	put(text);
	free(hash);
	a_second_passes();
	expect(&b, 2, "ada", "new", SP_ALLOW, "");
	expect(&b, 3, "bob", "other", SP_DENY, "there is no such user");
	ck_assert_uint_eq(said_count, 1);
	ck_has(said[0], "1 users");
	put("ada:broken\n");
	a_second_passes();
	expect(&b, 4, "ada", "new", SP_ALLOW, ""); /* the last good one stays */
	ck_assert_uint_eq(said_count, 2);
	ck_has(said[1], ":1: the hash is not of a kind that is accepted");
	unlink(path);
	a_second_passes();
	expect(&b, 5, "ada", "new", SP_ALLOW, "");
	ck_assert_uint_eq(said_count, 3);
	a_second_passes();
	expect(&b, 6, "ada", "new", SP_ALLOW, ""); /* said once */
	ck_assert_uint_eq(said_count, 3);
	put_two("");
	a_second_passes();
	expect(&b, 7, "bob", "other", SP_ALLOW, "");
	bed_close(&b);
}
END_TEST

/* ---- the file ---- */

START_TEST(kinds_of_hashes)
{
	static const struct { const char *prefix; unsigned long cost; } kinds[] = {
		{ "$y$", 1 }, { "$2b$", 4 }, { "$2y$", 4 }, { "$6$", 1000 }, { "$5$", 1000 },
	};
	struct crypt_data *scratch = calloc(1, sizeof(*scratch)), *zero = calloc(1, sizeof(*zero));
	char *hash = hash_of(kinds[_i].prefix, kinds[_i].cost, "p\xc3\xa4ss"), text[256], why[USERS_WHY_SIZE];
	const char *tenant = NULL;
	struct users *u;

	snprintf(text, sizeof(text), "ada:%s:acme", hash); /* no end of line */
	put(text);
	u = users_read(path, why);
	ck_assert_msg(u, "%s", why);
	ck_assert_uint_eq(users_count(u), 1);
	ck_assert_int_eq(users_verify(u, "ada", "p\xc3\xa4ss", scratch, &tenant), USERS_OK);
	ck_assert_str_eq(tenant, "acme");
	ck_assert_int_eq(memcmp(scratch, zero, sizeof(*zero)), 0);
	ck_assert_int_eq(users_verify(u, "ada", "p\xc3\xa4s", scratch, &tenant), USERS_WRONG_PASSWORD);
	ck_assert_int_eq(memcmp(scratch, zero, sizeof(*zero)), 0);
	ck_assert_int_eq(users_verify(u, "eve", "p\xc3\xa4ss", scratch, &tenant), USERS_UNKNOWN); /* although it is her stand-in's */
	users_free(&u);
	ck_assert_ptr_null(u);
	free(hash);
	free(scratch);
	free(zero);
}
END_TEST

#define GOOD "$5$rounds=1000$salt$Hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"

static const struct { const char *text, *why; } bad_files[] = {
	{ "", ": no user in it" },
	{ "# nobody\n\n", ": no user in it" },
	{ "ada\n", ":1: must be" },
	{ "#\nada:" GOOD "\n\nbob\n", ":4: must be" },
	{ ":" GOOD "\n", ":1: the user's name" },
	{ "a\tb:" GOOD "\n", ":1: the user's name" },
	{ "ada:\n", ":1: the hash is not of a kind" },
	{ "ada:secret\n", ":1: the hash is not of a kind" },
	{ "ada:$apr1$abc$def\n", ":1: the hash is not of a kind" },
	{ "ada:$1$abc$def\n", ":1: the hash is not of a kind" },
	{ "ada:{SHA}abc\n", ":1: the hash is not of a kind" },
	{ "ada:" GOOD ":\n", ":1: the tenant" },
	{ "ada:" GOOD ":a:b\n", ":1: the tenant" },
	{ "ada:" GOOD ":a\vb\n", ":1: the tenant" },
	{ "bob:" GOOD "\nada:" GOOD "\nbob:" GOOD ":x\n", ":3: the user stands in the file twice" },
};

START_TEST(refuses_files)
{
	char why[USERS_WHY_SIZE];

	put(bad_files[_i].text);
	ck_assert_ptr_null(users_read(path, why));
	ck_assert_msg(strncmp(why, path, strlen(path)) == 0, "%s", why);
	ck_has(why, bad_files[_i].why);
}
END_TEST

START_TEST(refuses_what_others_may_change_or_read)
{
	static const mode_t modes[] = { 0604, 0602, 0601, 0620, 0660, 0644 };
	char why[USERS_WHY_SIZE], nul[] = "ada:" GOOD "\nb#b:x\n";
	struct users *u;
	FILE *f;

	put("ada:" GOOD "\n");
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_int_eq(chmod(path, modes[i]), 0);
		ck_assert_ptr_null(users_read(path, why));
		ck_has(why, "others may read or write it");
	}
	ck_assert_int_eq(chmod(path, 0640), 0);
	u = users_read(path, why);
	ck_assert_msg(u, "%s", why);
	users_free(&u);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(path, 12345, 0), 0);
		ck_assert_ptr_null(users_read(path, why));
		ck_has(why, "belongs neither to root");
	}
	unlink(path);
	ck_assert_ptr_null(users_read(path, why));
	ck_has(why, "No such file");
	ck_assert_int_eq(mkfifo(path, 0600), 0); /* and nobody waits for its writer */
	ck_assert_ptr_null(users_read(path, why));
	ck_has(why, "not a regular file");
	ck_assert_ptr_null(users_read("/", why));
	put("");
	f = fopen(path, "w");
	*strchr(nul, '#') = '\0';
	fwrite(nul, 1, sizeof(nul) - 1, f);
	fclose(f);
	ck_assert_ptr_null(users_read(path, why));
	ck_has(why, "holds a NUL");
	f = fopen(path, "w");
	for (unsigned i = 0; i < 8193; i++)
		fprintf(f, "u%u:%s\n", i, GOOD);
	fclose(f);
	ck_assert_ptr_null(users_read(path, why));
	ck_has(why, ":8193: too many users");
	ck_assert_int_eq(truncate(path, (1 << 20) + 1), 0);
	ck_assert_ptr_null(users_read(path, why));
	ck_has(why, "too large");
}
END_TEST

/* ---- settings ---- */

static void check_refuses(const char *json, const char *pointer, const char *text)
{
	sp_error err = { .size = sizeof(err) };
	uint32_t traits = 0;

	ck_assert_int_eq(sallyport_plugin_v1_htpasswd()->check(json, &traits, &err), -1);
	ck_assert_str_eq(err.path, pointer);
	ck_has(err.msg, text);
}

START_TEST(settings)
{
	sp_error err = { .size = sizeof(err) };
	uint32_t traits = 0;
	char json[128];

	put_two("");
	check_refuses("{}", "/file", "is required");
	check_refuses("[]", "", "not a JSON object");
	check_refuses("{\"file\":\"\"}", "/file", "must be the path");
	check_refuses("{\"file\":5}", "/file", "must be the path");
	check_refuses("{\"file\":\"/nowhere/users\"}", "/file", "/nowhere/users: No such file");
	check_refuses("{\"file\":\"x\",\"tenant\":\"y\"}", "/tenant", "unknown setting");
	check_refuses("{\"file\":\"x\",\"tenants\":\"y\"}", "/tenants", "must be true or false");
	check_refuses("{\"file\":\"x\",\"waiting\":0}", "/waiting", "must be from 1 to 65536");
	check_refuses("{\"file\":\"x\",\"waiting\":65537}", "/waiting", "must be from 1 to 65536");
	check_refuses("{\"file\":\"x\",\"waiting\":\"5\"}", "/waiting", "must be from 1 to 65536");
	snprintf(json, sizeof(json), "{\"file\":\"%s\"}", path);
	ck_assert_int_eq(sallyport_plugin_v1_htpasswd()->check(json, &traits, &err), 0);
	ck_assert_uint_eq(traits, SP_TRAIT_VERIFIES | SP_TRAIT_WANTS_TOKEN);
	snprintf(json, sizeof(json), "{\"file\":\"%s\",\"tenants\":true,\"waiting\":1}", path);
	ck_assert_int_eq(sallyport_plugin_v1_htpasswd()->check(json, &traits, &err), 0);
	ck_assert_uint_eq(traits, SP_TRAIT_VERIFIES | SP_TRAIT_WANTS_TOKEN | SP_TRAIT_RESOLVES);
}
END_TEST

Suite *suite_htpasswd(void)
{
	const TTest *const tests[] = { judges, names_tenants, unusable, leaves_tokens_to_others, full_queue, unknown_users_are_slow_too,
				       reads_again, refuses_what_others_may_change_or_read, settings };
	Suite *s = suite_create("plugins/htpasswd");
	TCase *tc = tcase_create("htpasswd");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, gone_while_queued, 0, 3);
	tcase_add_loop_test(tc, gone_while_hashing, 0, 3);
	tcase_add_loop_test(tc, kinds_of_hashes, 0, 5);
	tcase_add_loop_test(tc, refuses_files, 0, (int)(sizeof(bad_files) / sizeof(bad_files[0])));
	suite_add_tcase(s, tc);
	return s;
}
