/* A folder of its own for each test, files in it, and loading them. */
#ifndef SP_TESTS_UNIT_CONF_FIXTURE_H
#define SP_TESTS_UNIT_CONF_FIXTURE_H

#include "../run.h"

#include "conf/conf.h"

extern char fx_folder[64];
void fx_setup(void);	/* checked fixtures */
void fx_teardown(void); /* removes the folder; frees what fx_load made */
/* Writes folder/name; n bytes, or a string. Mode 0600. Returns its path, in one static buffer. */
const char *fx_write(const char *name, const char *text);
const char *fx_write_bytes(const char *name, const void *bytes, size_t n);

extern struct sp_conf *fx_conf;	  /* of the last load; NULL after an error */
extern struct sp_report fx_report; /* of the last load */
int fx_load(enum sp_conf_kind kind, const char *text); /* as folder/main.conf */
/* Loads and asserts that it went well. */
void fx_good(enum sp_conf_kind kind, const char *text);
/* Loads, and asserts that it failed with exactly these lines (joined with \n); "@" at a line's start is the file,
 * FOLDER its folder. */
void fx_bad(enum sp_conf_kind kind, const char *text, const char *lines);

TCase *fx_case(Suite *s, const char *name); /* with the fixtures above */

/* What makes a small file complete. */
#define FX_AUTH "auth = { a = ( { plugin = \"none\"; } ); };\n"
#define FX_LISTENERS "listeners = ( { protocol = \"http\"; address = \"127.0.0.1:1\"; auth = \"a\"; } );\n"
#define FX_UPSTREAM "upstream = { kind = \"direct\"; };\n"
#define FX_PROXY FX_AUTH FX_LISTENERS FX_UPSTREAM
#define FX_GATEWAY "gateway = { url = \"https://gw\"; token = { file = \"t\"; }; id = \"c\"; };\n"
#define FX_EXPOSE "expose = ();\n"
#define FX_CONNECTOR FX_GATEWAY FX_EXPOSE

#endif
