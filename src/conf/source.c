/* From file to libconfig's tree.
 *
 * The text is scanned before libconfig sees it, for what libconfig does silently or badly: an integer that does not fit is
 * wrapped (4294967297 is read as 1), and an @include of a folder ends the process (flex: "input in flex scanner failed").
 * The scan knows just enough of the syntax for that: comments, strings, names, numbers, @include. */
#include "config.h" /* asprintf */

#include "conf/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/text.h"

#define INCLUDE_DEPTH_MAX 8 /* libconfig's own limit is 10 */

struct scan {
	struct sp_load *ld;
	struct sp_conf_at at;
	const char *p, *end;
	unsigned depth;
};

static void scan_text(struct scan *s);

/* ---- files ------------------------------------------------------------------- */

/* Included files must be regular ones; the file itself may also be a pipe. */
static int read_file(struct sp_load *ld, const struct sp_conf_at *from, const char *path, bool included, struct sp_buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (included ? O_NONBLOCK : 0));
	const char *why = NULL;
	struct stat st;
	ssize_t got = 0;
	uint8_t *dst;

	if (fd < 0 || fstat(fd, &st) < 0)
		why = strerror(errno);
	else if (S_ISDIR(st.st_mode))
		why = "it is a folder";
	else if (included && !S_ISREG(st.st_mode))
		why = "it is no regular file";
	while (!why && b->len <= SP_CONF_FILE_MAX) {
		sp_must(sp_buf_reserve(b, 4096, &dst) == 0);
		got = read(fd, dst, 4096);
		if (got < 0 && errno != EINTR)
			why = strerror(errno);
		if (got == 0)
			break;
		sp_buf_commit(b, got > 0 ? (size_t)got : 0);
	}
	if (fd >= 0)
		close(fd);
	if (!why && b->len > SP_CONF_FILE_MAX)
		why = "it is larger than 1 MiB";
	if (!why && memchr(sp_buf_str(b), '\0', b->len))
		why = "it holds a NUL byte";
	if (why)
		sp_report_add(ld->report, from, "cannot read %s: %s", path, why);
	return why ? SP_EINVAL : 0;
}

char *sp_source_path(const struct sp_load *ld, const char *name)
{
	char *path;

	if (name[0] == '/')
		return sp_strdup(name);
	sp_must(asprintf(&path, "%s%s%s", ld->folder, strcmp(ld->folder, "/") ? "/" : "", name) >= 0);
	return path;
}

/* The name of an included file as the operator would write it from where the file itself was named: beside it. Kept by the
 * snapshot. */
static const char *intern(struct sp_load *ld, const char *name)
{
	struct sp_conf *c = ld->conf;
	const char *slash = strrchr(c->file, '/');
	size_t folder = strlen(ld->folder);
	char *shown;

	/* Newer versions of libconfig tell the whole path, older ones what stands in the @include. */
	if (strncmp(name, ld->folder, folder) == 0 && name[folder] == '/')
		name += folder + 1;
	sp_must(asprintf(&shown, "%.*s%s", slash ? (int)(slash - c->file) + 1 : 0, c->file, name) >= 0);
	for (unsigned i = 0; i < c->include_count; i++) {
		if (strcmp(c->includes[i], shown) == 0) {
			free(shown);
			return c->includes[i];
		}
	}
	c->includes = reallocarray(c->includes, c->include_count + 1, sizeof(c->includes[0]));
	sp_must(c->includes);
	c->includes[c->include_count] = shown;
	return c->includes[c->include_count++];
}

struct sp_conf_at sp_source_at(struct sp_load *ld, const config_setting_t *s)
{
	const char *file = config_setting_source_file(s);

	return (struct sp_conf_at){ file ? intern(ld, file) : ld->conf->file, config_setting_source_line(s) };
}

/* ---- the scan ---------------------------------------------------------------- */

static bool starts(const struct scan *s, const char *what)
{
	size_t n = strlen(what);

	return (size_t)(s->end - s->p) >= n && memcmp(s->p, what, n) == 0;
}

static size_t span(const struct scan *s, const char *bytes)
{
	size_t n = 0;

	while (s->p + n < s->end && strchr(bytes, s->p[n]))
		n++;
	return n;
}

/* libconfig takes the rest of the file for the comment, without a word. */
static void skip_comment(struct scan *s)
{
	struct sp_conf_at at = s->at;

	for (s->p += 2; s->p < s->end && !starts(s, "*/"); s->p++)
		s->at.line += *s->p == '\n';
	if (s->p < s->end)
		s->p += 2;
	else
		sp_report_add(s->ld->report, &at, "a comment begins here and never ends");
}

static void skip_string(struct scan *s)
{
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		s->at.line += *s->p == '\n';
	}
	if (s->p < s->end)
		s->p++;
}

/* integer = 1*DIGIT [ "L" [ "L" ] ] / "0x" 1*HEXDIG [ "L" [ "L" ] ]; anything else is a float or libconfig's to refuse. */
static bool integer_fits(const char *text, size_t n, bool negative)
{
	bool hex = n > 2 && text[0] == '0' && (text[1] | 0x20) == 'x', wide = false;
	const char *digits = hex ? "0123456789abcdefABCDEF" : "0123456789";
	unsigned base = hex ? 16 : 10, digit;
	uint64_t max, v = 0;

	for (unsigned i = 0; i < 2 && n > 1 && text[n - 1] == 'L'; i++, n--)
		wide = true;
	if (hex) {
		text += 2;
		n -= 2;
	}
	if (strspn(text, digits) < n)
		return true;
	max = (uint64_t)(wide ? INT64_MAX : INT32_MAX) + (negative && !hex);
	for (size_t i = 0; i < n; i++) {
		digit = text[i] <= '9' ? (unsigned)(text[i] - '0') : (unsigned)((text[i] | 0x20) - 'a') + 10;
		if (v > (max - digit) / base)
			return false;
		v = v * base + digit;
	}
	return true;
}

static void scan_number(struct scan *s, bool negative)
{
	const char *start = s->p;
	int n;

	while (s->p < s->end) {
		s->p += span(s, "0123456789.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		if (s->p >= s->end || !strchr("+-", *s->p) || (s->p[-1] | 0x20) != 'e')
			break;
		s->p++; /* of an exponent */
	}
	n = (int)(s->p - start);
	if (integer_fits(start, (size_t)n, negative))
		return;
	sp_report_add(s->ld->report, &s->at, "the integer %s%.*s does not fit, and libconfig would silently make another number of it: "
		      "integers have 32 bits, 64 with the suffix L; sizes and durations are strings with a unit, \"3GiB\", \"90s\"",
		      negative ? "-" : "", n, start);
}

/* @include stands alone at the start of a line. libconfig looks for the file in the folder, whatever file includes it. */
static void scan_include(struct scan *s)
{
	struct scan inner = { .ld = s->ld, .depth = s->depth + 1 };
	struct sp_conf_at at = s->at;
	const char *name, *close_quote;
	struct sp_buf b = { 0 };
	char *path, *text;

	s->p += strlen("@include");
	s->p += span(s, " \t");
	if (s->p >= s->end || *s->p != '"')
		return; /* a syntax error */
	name = s->p + 1;
	skip_string(s);
	close_quote = s->p - 1;
	text = sp_slice_dup(sp_slice_make(name, close_quote > name ? (size_t)(close_quote - name) : 0));
	if (text[0] == '/' || strchr(text, '\\') || text[0] == '\0') {
		s->ld->include_failed = true;
		sp_report_add(s->ld->report, &at, "@include \"%s\": must be a path relative to the folder of %s", text,
			      s->ld->conf->file);
	} else if (s->depth >= INCLUDE_DEPTH_MAX) {
		s->ld->include_failed = true;
		sp_report_add(s->ld->report, &at, "@include \"%s\": files include each other deeper than %d levels", text,
			      INCLUDE_DEPTH_MAX);
	} else {
		path = sp_source_path(s->ld, text);
		inner.at.file = intern(s->ld, text);
		if (read_file(s->ld, &at, path, true, &b) < 0) {
			s->ld->include_failed = true;
		} else {
			inner.p = sp_buf_str(&b);
			inner.end = inner.p + b.len;
			scan_text(&inner);
		}
		free(path);
		sp_buf_deinit(&b);
	}
	free(text);
}

static void scan_text(struct scan *s)
{
	bool line_start = true, negative = false;

	s->at.line = 1;
	while (s->p < s->end) {
		char c = *s->p;

		if (c == '"') {
			skip_string(s);
		} else if (c == '#' || starts(s, "//")) {
			s->p += strcspn(s->p, "\n"); /* the text ends in a NUL */
		} else if (starts(s, "/*")) {
			skip_comment(s);
		} else if (c == '@' && line_start && starts(s, "@include") && !s->ld->include_failed) {
			scan_include(s);
		} else if ((c >= '0' && c <= '9') || c == '.') {
			scan_number(s, negative);
		} else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*') {
			s->p += span(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_*");
		} else {
			s->at.line += c == '\n';
			s->p++;
		}
		negative = c == '-';
		line_start = c == '\n' || (line_start && (c == ' ' || c == '\t'));
	}
}

/* ---- the tree ---------------------------------------------------------------- */

static void set_folder(struct sp_load *ld)
{
	const char *file = ld->conf->file, *slash = strrchr(file, '/');
	size_t n = slash ? (size_t)(slash - file) : 0;
	char *cwd;

	if (file[0] == '/') {
		ld->folder = n ? sp_slice_dup(sp_slice_make(file, n)) : sp_strdup("/");
		return;
	}
	cwd = getcwd(NULL, 0);
	if (!cwd) {
		sp_report_add(ld->report, NULL, "%s: the current folder: %s", file, strerror(errno));
		return;
	}
	/* Links stay as they are: a mounted ConfigMap is replaced by changing one. */
	sp_must(asprintf(&ld->folder, "%s%s%.*s", strcmp(cwd, "/") ? cwd : "", n || !strcmp(cwd, "/") ? "/" : "", (int)n, file) >= 0);
	free(cwd);
}

static int parse(struct sp_load *ld, const char *text, config_t *tree)
{
	struct sp_conf_at at = { .file = ld->conf->file };

	config_set_include_dir(tree, ld->folder);
	if (config_read_string(tree, text) == CONFIG_TRUE)
		return 0;
	if (config_error_file(tree))
		at.file = intern(ld, config_error_file(tree));
	at.line = (unsigned)config_error_line(tree);
	sp_report_add(ld->report, &at, "%s", config_error_text(tree));
	return SP_EINVAL;
}

int sp_source_read(struct sp_load *ld, config_t *tree)
{
	struct scan s = { .ld = ld, .at = { .file = ld->conf->file } };
	struct sp_buf b = { 0 };
	int err = SP_EINVAL;

	set_folder(ld);
	if (ld->folder && read_file(ld, NULL, ld->conf->file, false, &b) == 0) {
		s.p = sp_buf_str(&b);
		s.end = s.p + b.len;
		scan_text(&s);
		if (!ld->include_failed)
			err = parse(ld, sp_buf_str(&b), tree);
	}
	sp_buf_deinit(&b);
	return err;
}
