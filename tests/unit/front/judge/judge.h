/* A plugin that judges by what the secret says, for the tests of the fronts.
 *
 * Settings: traits (a number); anonymous (bool): callers without a credential are let in.
 * Secrets: "good" and everything that begins with it: ALLOW, "good/TIME" until that
 * Unix time; "bad", "expired", "forbidden", "unknown" (tenant), "quota", "down":
 * that refusal; "hold": no answer ever. The tenant is "t1". */
#ifndef SP_TESTS_JUDGE_H
#define SP_TESTS_JUDGE_H

struct judge_seen { /* the last request */
	unsigned requests, finishes, gone; /* gone: finishes because the client left */
	char cred[16], user[64], secret[64], location[192], region[64], service_token[64], target_host[64], listener[64], client[64];
	unsigned target_port;
};
typedef struct judge_seen *judge_seen_fn(void);

#endif
