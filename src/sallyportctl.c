/* sallyportctl: what an operator and a developer do from the command line. */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "devtoken/devtoken.h"

#define CLAIMS_MOST 64u
#define KEY_FILE "jwks-key.pem"
#define SET_FILE "jwks.json"

static const char usage[] =
	"usage: sallyportctl jwks --new FOLDER [--alg RS256|ES256|ES384] [--kid NAME]\n"
	"         makes a developer's key: FOLDER/" SET_FILE " for the jwt plugin's jwks_file, FOLDER/" KEY_FILE " for \"token\"\n"
	"       sallyportctl token --dir FOLDER | --key FILE  [--kid NAME]\n"
	"         [--issuer URL] [--audience NAME]... [--subject NAME] [--expires 1h] [--claim NAME=TEXT]... [--claim-json NAME=JSON]...\n"
	"         prints a token; --expires -5m makes one that has expired, --expires never one without an end\n"
	"       sallyportctl --version | --help\n";

enum { OPT_NEW = 256, OPT_ALG, OPT_KID, OPT_DIR, OPT_KEY, OPT_ISSUER, OPT_AUDIENCE, OPT_SUBJECT, OPT_EXPIRES, OPT_CLAIM, OPT_JSON };

static const struct option jwks_options[] = { { "new", required_argument, NULL, OPT_NEW },
					      { "alg", required_argument, NULL, OPT_ALG },
					      { "kid", required_argument, NULL, OPT_KID },
					      { NULL, 0, NULL, 0 } };

static const struct option token_options[] = {
	{ "dir", required_argument, NULL, OPT_DIR },	     { "key", required_argument, NULL, OPT_KEY },
	{ "kid", required_argument, NULL, OPT_KID },	     { "issuer", required_argument, NULL, OPT_ISSUER },
	{ "iss", required_argument, NULL, OPT_ISSUER },	     { "audience", required_argument, NULL, OPT_AUDIENCE },
	{ "aud", required_argument, NULL, OPT_AUDIENCE },    { "subject", required_argument, NULL, OPT_SUBJECT },
	{ "sub", required_argument, NULL, OPT_SUBJECT },     { "expires", required_argument, NULL, OPT_EXPIRES },
	{ "exp", required_argument, NULL, OPT_EXPIRES },     { "claim", required_argument, NULL, OPT_CLAIM },
	{ "claim-json", required_argument, NULL, OPT_JSON }, { NULL, 0, NULL, 0 },
};

static int failed(const struct sp_devtoken_why *why)
{
	fprintf(stderr, "sallyportctl: %s\n", why->text);
	return EXIT_FAILURE;
}

static int misused(void)
{
	fputs(usage, stderr);
	return 2;
}

static char *in_folder(const char *folder, const char *name)
{
	size_t n = strlen(folder) + strlen(name) + 2;
	char *path = sp_calloc(1, n);

	snprintf(path, n, "%s/%s", folder, name);
	return path;
}

/* ---- jwks ---- */

static int make_files(const char *folder, const char *alg, const char *kid)
{
	char *key_path = in_folder(folder, KEY_FILE), *set_path = in_folder(folder, SET_FILE), *set = NULL;
	char thumbprint[SP_DEVTOKEN_KID_SIZE];
	struct sp_devtoken_why why;
	EVP_PKEY *key = NULL;
	int rc = sp_devtoken_key_new(alg, &key, &why);

	if (rc == 0 && !kid) {
		rc = sp_devtoken_kid(key, thumbprint, &why);
		kid = thumbprint;
	}
	if (rc == 0 && mkdir(folder, 0755) < 0 && errno != EEXIST)
		rc = sp_devtoken_fail(&why, "%s: %s", folder, strerror(errno));
	if (rc == 0)
		rc = sp_devtoken_set(key, kid, &set, &why);
	if (rc == 0)
		rc = sp_devtoken_set_write(set, set_path, &why);
	if (rc == 0)
		rc = sp_devtoken_key_write(key, key_path, &why);
	if (rc == 0)
		printf("%s: %s key %s\n%s: its private part; keep it\n", set_path, alg, kid, key_path);
	free(set);
	free(key_path);
	free(set_path);
	EVP_PKEY_free(key);
	return rc == 0 ? EXIT_SUCCESS : failed(&why);
}

static int jwks(int argc, char **argv)
{
	const char *folder = NULL, *alg = "ES256", *kid = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "", jwks_options, NULL)) != -1) {
		if (c == OPT_NEW)
			folder = optarg;
		else if (c == OPT_ALG)
			alg = optarg;
		else if (c == OPT_KID)
			kid = optarg;
		else
			return misused();
	}
	return folder && optind == argc ? make_files(folder, alg, kid) : misused();
}

/* ---- token ---- */

struct order {
	char *key_path;
	const char *kid;
	struct sp_devtoken_claim claims[CLAIMS_MOST];
	unsigned count;
	const char *audience[CLAIMS_MOST];
	unsigned audience_count;
	bool never;
	int64_t expires_in_s;
	struct sp_devtoken_why why;
};

static int add(struct order *o, const char *name, const char *value, bool json)
{
	if (o->count == CLAIMS_MOST)
		return sp_devtoken_fail(&o->why, "more than %u claims", CLAIMS_MOST);
	o->claims[o->count++] = (struct sp_devtoken_claim){ name, value, json };
	return 0;
}

/* NAME=VALUE, cut in place. */
static int add_pair(struct order *o, char *pair, bool json)
{
	char *equals = strchr(pair, '=');

	if (!equals || equals == pair)
		return sp_devtoken_fail(&o->why, "\"%s\" is not NAME=VALUE", pair);
	*equals = '\0';
	return add(o, pair, equals + 1, json);
}

static int read_option(struct order *o, int c)
{
	switch (c) {
	case OPT_DIR:
	case OPT_KEY:
		free(o->key_path);
		o->key_path = c == OPT_DIR ? in_folder(optarg, KEY_FILE) : sp_strdup(optarg);
		return 0;
	case OPT_KID:
		o->kid = optarg;
		return 0;
	case OPT_ISSUER:
		return add(o, "iss", optarg, false);
	case OPT_SUBJECT:
		return add(o, "sub", optarg, false);
	case OPT_AUDIENCE:
		if (o->audience_count == CLAIMS_MOST)
			return sp_devtoken_fail(&o->why, "more than %u audiences", CLAIMS_MOST);
		o->audience[o->audience_count++] = optarg;
		return 0;
	case OPT_EXPIRES:
		o->never = strcmp(optarg, "never") == 0;
		return o->never ? 0 : sp_devtoken_duration(optarg, &o->expires_in_s, &o->why);
	case OPT_CLAIM:
		return add_pair(o, optarg, false);
	default:
		return add_pair(o, optarg, true);
	}
}

/* One audience is a string, several are a list, as issuers do it. */
static int add_audience(struct order *o, char **list)
{
	if (o->audience_count == 0)
		return 0;
	if (o->audience_count == 1)
		return add(o, "aud", o->audience[0], false);
	return sp_devtoken_list(o->audience, o->audience_count, list, &o->why) < 0 ? -1 : add(o, "aud", *list, true);
}

static int sign(struct order *o)
{
	char iat[24], exp[24], thumbprint[SP_DEVTOKEN_KID_SIZE], *token = NULL, *list = NULL;
	int64_t now = (int64_t)time(NULL);
	EVP_PKEY *key = NULL;
	int rc = sp_devtoken_key_read(o->key_path, &key, &o->why);

	snprintf(iat, sizeof(iat), "%lld", (long long)(o->expires_in_s < 0 ? now + o->expires_in_s : now));
	snprintf(exp, sizeof(exp), "%lld", (long long)(now + o->expires_in_s));
	if (rc == 0 && !o->kid) {
		rc = sp_devtoken_kid(key, thumbprint, &o->why);
		o->kid = thumbprint;
	}
	if (rc == 0)
		rc = add_audience(o, &list);
	if (rc == 0)
		rc = add(o, "iat", iat, true);
	if (rc == 0 && !o->never)
		rc = add(o, "exp", exp, true);
	if (rc == 0)
		rc = sp_devtoken_sign(key, o->kid, o->claims, o->count, &token, &o->why);
	if (rc == 0)
		printf("%s\n", token);
	free(token);
	free(list);
	EVP_PKEY_free(key);
	return rc;
}

static int token(int argc, char **argv)
{
	struct order o = { .expires_in_s = 3600 };
	int c, rc = 0;

	while (rc == 0 && (c = getopt_long(argc, argv, "", token_options, NULL)) != -1) {
		if (c == '?') {
			free(o.key_path);
			return misused();
		}
		rc = read_option(&o, c);
	}
	if (rc == 0 && (!o.key_path || optind != argc)) {
		free(o.key_path);
		return misused();
	}
	if (rc == 0)
		rc = sign(&o);
	free(o.key_path);
	return rc == 0 ? EXIT_SUCCESS : failed(&o.why);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "jwks") == 0)
		return jwks(argc - 1, argv + 1);
	if (strcmp(command, "token") == 0)
		return token(argc - 1, argv + 1);
	if (strcmp(command, "--version") == 0)
		return puts("sallyportctl " PACKAGE_VERSION) < 0;
	if (strcmp(command, "--help") == 0)
		return fputs(usage, stdout) < 0;
	return misused();
}
