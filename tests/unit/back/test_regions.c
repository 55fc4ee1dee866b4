/* Which gateway an exchange goes to. */
#include "suites.h"

#include <stdio.h>
#include <string.h>

#include "back/regions.h"

static char eu[] = "eu10", us[] = "us10", jp[] = "jp10";
static char idp_a[] = "https://a", idp_b[] = "https://b", idp_c[] = "https://c", app[] = "app", tool[] = "tool";
static char *eu_issuers[] = { idp_a, idp_b, NULL }, *us_issuers[] = { idp_c, NULL }, *us_clients[] = { app, tool, NULL };
static struct sp_conf_region regions[] = {
	{ .id = eu, .issuers = eu_issuers },
	{ .id = us, .issuers = us_issuers, .allowed_clients = us_clients },
	{ .id = jp },
};
static const struct sp_conf conf = { .regions = regions, .region_count = 3 };

static const struct {
	const char *region, *issuer, *client;
	enum sp_outcome outcome;
	unsigned index;
	const char *text;
} rows[] = {
	/* nothing is said: the upstream of no region */
	{ "", NULL, NULL, SP_OUTCOME_OK, 3, NULL },
	{ "", "https://d", "app", SP_OUTCOME_OK, 3, NULL },
	/* by the issuer, exactly */
	{ "", "https://a", NULL, SP_OUTCOME_OK, 0, NULL },
	{ "", "https://b", "x", SP_OUTCOME_OK, 0, NULL },
	{ "", "https://a/", NULL, SP_OUTCOME_OK, 3, NULL },
	{ "", "HTTPS://A", NULL, SP_OUTCOME_OK, 3, NULL },
	{ "", "https://c", "tool", SP_OUTCOME_OK, 1, NULL },
	/* by name */
	{ "eu10", NULL, NULL, SP_OUTCOME_OK, 0, NULL },
	{ "jp10", "https://a", "x", SP_OUTCOME_OK, 2, NULL },
	{ "us10", "https://c", "app", SP_OUTCOME_OK, 1, NULL },
	/* a name does not let an identity of elsewhere in */
	{ "us10", "https://a", "app", SP_OUTCOME_FORBIDDEN, 0, "issuer" },
	{ "eu10", "https://d", NULL, SP_OUTCOME_FORBIDDEN, 0, "region \"eu10\" is not for identities of this issuer" },
	/* clients */
	{ "us10", "https://c", "other", SP_OUTCOME_FORBIDDEN, 0, "region \"us10\" is not for this client" },
	{ "us10", "https://c", NULL, SP_OUTCOME_FORBIDDEN, 0, "not for this client" },
	{ "", "https://c", "App", SP_OUTCOME_FORBIDDEN, 0, "not for this client" },
	{ "us10", NULL, NULL, SP_OUTCOME_FORBIDDEN, 0, "not for this client" },
	/* names that are none */
	{ "EU10", NULL, NULL, SP_OUTCOME_BAD_REQUEST, 0, "the region \"EU10\" is not configured" },
	{ "eu", "https://a", "app", SP_OUTCOME_BAD_REQUEST, 0, "not configured" },
};

START_TEST(choice)
{
	struct sp_exchange x = { 0 };
	struct sp_cause cause = { 0 };
	unsigned index = 99;

	snprintf(x.region, sizeof(x.region), "%s", rows[_i].region);
	x.identity.issuer = (char *)(uintptr_t)rows[_i].issuer;
	x.identity.client = (char *)(uintptr_t)rows[_i].client;
	ck_assert_int_eq(sp_region_choose(&conf, &x, &index, &cause), rows[_i].outcome);
	if (rows[_i].outcome == SP_OUTCOME_OK) {
		ck_assert_uint_eq(index, rows[_i].index);
		ck_assert_int_eq(cause.err, 0);
	} else {
		ck_assert_uint_eq(index, 99);
		ck_assert_msg(strstr(cause.text, rows[_i].text), "%s", cause.text);
	}
}
END_TEST

Suite *sp_suite_regions(void)
{
	Suite *s = suite_create("regions");
	TCase *t = tcase_create("choice");

	tcase_add_loop_test(t, choice, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	suite_add_tcase(s, t);
	return s;
}
