/* "Did you mean": the optimal string alignment distance (insert, delete, replace, swap neighbours). */
#include <string.h>

#include "conf/load.h"

#define NAME_MAX_LEN 31 /* the longest name that is compared; no setting of ours comes near */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

	for (size_t i = 0; i <= na; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[na][nb];
}

const char *sp_nearest(const char *name, const char *const *names)
{
	size_t n = strlen(name);
	unsigned limit = (unsigned)(n + 1) / 3; /* more than a third wrong is another word */
	const char *found = NULL;

	if (n > NAME_MAX_LEN)
		return NULL;
	for (; *names && limit > 0; names++) {
		size_t m = strlen(*names);
		unsigned d = m > NAME_MAX_LEN ? NAME_MAX_LEN : distance(name, n, *names, m);

		if (d > limit)
			continue;
		found = *names;
		limit = d > 0 ? d - 1 : 0; /* only a nearer one is better */
	}
	return found;
}
