/* Which resources of a system may be asked for. What is compared is the decoded path, and whatever two servers could read as two
 * different paths is refused: encoded separators, dot segments, empty segments, broken or doubled encoding, malformed UTF-8.
 *
 * Some have good uses all the same and are read both ways, and both readings must be allowed: ASCII letters' case, parameters of
 * segments ("/a;v=2/b"), an encoded "?" or "#", dots and spaces at the end of a segment, a slash at the end of the path.
 * Not seen: case of other letters, Unicode's normal forms, streams and short names of Windows ("a::$DATA", "LONGNA~1").
 *
 * The longest rule that fits decides. */
#ifndef SP_CODEC_PATHS_H
#define SP_CODEC_PATHS_H

#include "base/slice.h"

struct sp_path_rule {
	const char *path;	    /* decoded, absolute, without dot segments, at most 8192 bytes */
	bool sub_paths;		    /* fits everything below it, too: "/a" fits "/a/b" and not "/ab" */
	bool suspended;
	const char *const *methods; /* NULL-terminated; NULL: all */
};

enum sp_path_verdict {
	SP_PATH_DENIED, /* no rule fits */
	SP_PATH_ALLOWED,
	SP_PATH_SUSPENDED,
	SP_PATH_METHOD,	  /* the rule is not for this method */
	SP_PATH_MALFORMED /* no single meaning */
};

/* path: of a request, with its query; "*" is allowed where everything is. No rules allow nothing. A single rule for the whole system
 * without conditions looks at no path. */
enum sp_path_verdict sp_paths_check(const struct sp_path_rule *rules, unsigned count, struct sp_slice method, struct sp_slice path);

#endif
