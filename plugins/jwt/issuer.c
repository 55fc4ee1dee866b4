/* Names of issuers: see issuer.h. */
#include "issuer.h"

#include <string.h>

#define LABEL_MOST 63u

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Where the authority of a URL begins, or NULL. */
static const char *authority(const char *url)
{
	return begins(url, "https://") ? url + 8 : begins(url, "http://") ? url + 7 : NULL;
}

/* RFC 7519 section 4.1.1 lets an issuer be any text; spaces and control characters in one are a mistake of the setting. */
static bool printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= 0x20 || *text == 0x7f)
			return false;
	return true;
}

const char *jwt_issuer_check(const char *text)
{
	const char *star = strchr(text, '*'), *host = authority(text);

	if (!printable(text))
		return "must not hold spaces or control characters";
	if (!star)
		return NULL;
	if (strchr(star + 1, '*'))
		return "may hold one \"*\", not two";
	if (!host || star >= host + strcspn(host, "/:?#"))
		return "\"*\" stands for a label of the host in an http or https URL, and for nothing else";
	if (memchr(host, '@', strcspn(host, "/?#")))
		return "must not hold a user name beside \"*\"";
	if ((star != host && star[-1] != '.') || star[1] != '.')
		return "\"*\" stands for a whole label of the host, and not for its last one";
	if (strcspn(star + 2, "/:?#.") == 0)
		return "the host does not go on behind \"*.\"";
	return NULL;
}

bool jwt_issuer_is_template(const char *name)
{
	return strchr(name, '*') != NULL;
}

bool jwt_issuer_matches(const char *name, const char *iss, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *star = strchr(name, '*');
	size_t before, after, label;

	if (!star)
		return strlen(name) == n && memcmp(name, iss, n) == 0;
	before = (size_t)(star - name);
	after = strlen(star + 1);
	if (n <= before + after || n - before - after > LABEL_MOST || memcmp(name, iss, before) != 0 ||
	    memcmp(star + 1, iss + n - after, after) != 0)
		return false;
	label = n - before - after;
	iss += before;
	for (size_t i = 0; i < label; i++)
		if (!memchr(letters, iss[i], sizeof(letters) - 1))
			return false;
	return iss[0] != '-' && iss[label - 1] != '-';
}

const char *jwt_url_check(const char *text)
{
	const char *host = authority(text);

	if (!begins(text, "https://"))
		return "must be an https URL";
	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("\"<>\\^`{|}", *p))
			return "must hold nothing but what a URL may hold";
	if (strcspn(host, "/:?#") == 0)
		return "names no host";
	if (memchr(host, '@', strcspn(host, "/?#")))
		return "must not hold a user name";
	return strchr(host, '#') ? "must not hold a fragment (#)" : NULL;
}
