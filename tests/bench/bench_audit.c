/* What a line of the audit trail costs the loop that writes it: time on the wall, which includes the file system's.
 *
 *   make tests/bench/bench_audit && tests/bench/bench_audit FOLDER [LINES, default 200000]
 *
 * FOLDER: on the file system that shall be measured. One thread, then four on one file. Build without sanitizers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exchange/audit.h"

#define THREADS 4

#define must(expr) ((expr) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expr), exit(1)))

struct work {
	struct sp_audit *audit;
	unsigned lines;
	float *us; /* of each line */
};

static double now_us(void)
{
	struct timespec ts;

	must(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void *write_lines(void *arg)
{
	static char tenant[] = "4f0c2b1e-8d6a-4a53-9f0e-0b6f6c0a7d11", principal[] = "a1b2c3d4-service", client[] = "sb-order-service!t1234",
		    issuer[] = "https://acme.authentication.eu10.example/oauth/token";
	struct work *w = arg;
	struct sp_exchange x = { .id = "2003971b954452d7", .conn_id = 123456, .front = "socks5", .listener = "0.0.0.0:20004",
				 .client = "10.11.12.13:54321", .location = "plant-7", .target = { .host = "erp.virtual", .port = 8000 },
				 .identity = { .tenant = tenant, .principal = principal, .client = client, .issuer = issuer, .plugin = "jwt" } };

	for (unsigned i = 0; i < w->lines; i++) {
		double before = now_us();

		must(sp_audit_exchange(w->audit, SP_AUDIT_IDENTITY, SP_AUDIT_ALLOWED, &x, "apps") == 0);
		w->us[i] = (float)(now_us() - before);
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void measure(struct sp_conf *conf, unsigned threads, unsigned lines)
{
	struct work w[THREADS] = { 0 };
	pthread_t ids[THREADS];
	struct sp_audit *audit;
	float *all = malloc(sizeof(*all) * lines * threads);
	double began;

	must(all && sp_audit_open(conf, &audit, NULL) == 0);
	began = now_us();
	for (unsigned i = 0; i < threads; i++) {
		w[i] = (struct work){ .audit = audit, .lines = lines, .us = all + (size_t)i * lines };
		must(pthread_create(&ids[i], NULL, write_lines, &w[i]) == 0);
	}
	for (unsigned i = 0; i < threads; i++)
		must(pthread_join(ids[i], NULL) == 0);
	qsort(all, (size_t)lines * threads, sizeof(*all), by_size);
	printf("%-4s %u thread%s %8.0f lines/s, a line %6.2f us (median), %6.2f us (99th of 100), %8.2f us (worst)\n",
	       conf->audit.sap ? "sap" : "json", threads, threads == 1 ? ": " : "s:", lines * threads / ((now_us() - began) / 1e6),
	       (double)all[lines * threads / 2], (double)all[lines / 100u * 99u * threads], (double)all[lines * threads - 1]);
	sp_audit_close(&audit);
	free(all);
}

int main(int argc, char **argv)
{
	unsigned lines = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200000;
	char path[4096];

	must(argc > 1 && lines >= 100);
	snprintf(path, sizeof(path), "%s/bench-audit.log", argv[1]);
	for (unsigned i = 0; i < 4; i++) {
		struct sp_conf conf = { .audit = { .file = path, .sap = i % 2 } };

		measure(&conf, i < 2 ? 1 : THREADS, lines);
		unlink(path);
	}
	return 0;
}
