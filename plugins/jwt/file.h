/* A file with keys, watched: a JWK set or a shared secret. What was good stays in use until something good takes its place. */
#ifndef SP_PLUGINS_JWT_FILE_H
#define SP_PLUGINS_JWT_FILE_H

#include <sys/types.h>

#include "keyset.h"
#include "policy.h"

/* Which file, and which version of it. ctime tells of changed permissions. */
struct jwt_file_stamp {
	int err; /* errno: there is none; 0 */
	dev_t dev;
	ino_t ino;
	off_t size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct jwt_file { /* zeroed: never looked at */
	struct jwt_keyset *keys;     /* the last good ones; NULL: none so far */
	uint8_t digest[32];	     /* SHA-256 of the text that they are from */
	struct jwt_file_stamp stamp; /* of the last look */
	bool settled;		     /* changes since that look would show in the stamp */
	char complaint[320];	     /* of the last look; empty: it was good */
};

enum jwt_file_seen { JWT_FILE_SAME, JWT_FILE_GOOD, JWT_FILE_BAD };

/* Looks at g->where (JWT_KEYS_FILE or JWT_KEYS_SECRET). SAME: as at the last look. GOOD: f->keys are what is in it now (the same
 * set as before if only a complaint is over). BAD: f->complaint says why; f->keys are as they were. Never blocks on a FIFO. */
enum jwt_file_seen jwt_file_look(struct jwt_file *f, const struct jwt_group *g, int64_t wall_s);
/* The same keys and stamp for another holder. */
struct jwt_file jwt_file_share(const struct jwt_file *f);
void jwt_file_deinit(struct jwt_file *f);

#endif
