/* Bodies of failures in the format that the client accepts: plain text, or problem details (RFC 9457). */
#ifndef SP_CODEC_PROBLEM_H
#define SP_CODEC_PROBLEM_H

#include "base/buf.h"

enum sp_problem_format { SP_PROBLEM_TEXT, SP_PROBLEM_JSON };

struct sp_problem {
	unsigned status;
	const char *word;	/* the outcome's */
	struct sp_slice detail; /* a sentence without its full stop, from whatever source */
	const char *exchange;	/* its id */
};

/* By Accept (RFC 9110 section 12.5.1; absent: everything): JSON where it is asked for by its own name and not less than text. */
enum sp_problem_format sp_problem_format(struct sp_slice accept);
const char *sp_problem_type(enum sp_problem_format f); /* for Content-Type */
/* Appends it. 0 or SP_ENOMEM. */
int sp_problem_write(const struct sp_problem *p, enum sp_problem_format f, struct sp_buf *b);

#endif
