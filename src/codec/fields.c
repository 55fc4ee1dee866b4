#include "codec/fields.h"

#include "base/error.h"

int sp_fields_add(struct sp_fields *f, struct sp_slice name, struct sp_slice value)
{
	if (f->count >= SP_FIELDS_MAX)
		return SP_ETOOBIG;
	f->v[f->count++] = (struct sp_field){ .name = name, .value = value };
	return 0;
}

struct sp_slice sp_fields_get(const struct sp_fields *f, const char *name)
{
	unsigned i;

	for (i = 0; i < f->count; i++)
		if (sp_slice_eq_str_nocase(f->v[i].name, name))
			return f->v[i].value;
	return SP_SLICE_NONE;
}

unsigned sp_fields_count(const struct sp_fields *f, const char *name)
{
	unsigned i, n = 0;

	for (i = 0; i < f->count; i++)
		n += sp_slice_eq_str_nocase(f->v[i].name, name);
	return n;
}

struct sp_slice sp_list_next(struct sp_slice *list)
{
	struct sp_slice element;
	bool quoted = false;
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (list->p[i] == '"')
			quoted = !quoted;
		else if (quoted && list->p[i] == '\\')
			i++;
		else if (!quoted && list->p[i] == ',')
			break;
	}
	if (i > list->n)
		i = list->n;
	element = sp_slice_make(list->p, i);
	if (i < list->n)
		i++;
	list->p += i;
	list->n -= i;
	return sp_slice_trim(element);
}

bool sp_fields_has_token(const struct sp_fields *f, const char *name, const char *token)
{
	unsigned i;

	for (i = 0; i < f->count; i++) {
		struct sp_slice list = f->v[i].value;

		if (!sp_slice_eq_str_nocase(f->v[i].name, name))
			continue;
		while (list.n > 0)
			if (sp_slice_eq_str_nocase(sp_list_next(&list), token))
				return true;
	}
	return false;
}

void sp_fields_remove(struct sp_fields *f, const char *name)
{
	unsigned i, kept = 0;

	for (i = 0; i < f->count; i++)
		if (!sp_slice_eq_str_nocase(f->v[i].name, name))
			f->v[kept++] = f->v[i];
	f->count = kept;
}

/* As CGI variables see it (RFC 3875 section 4.1.18). */
static uint8_t fold(uint8_t c)
{
	if (c == '_')
		return '-';
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool sp_field_name_begins(struct sp_slice name, const char *prefix)
{
	size_t i;

	for (i = 0; prefix[i] != '\0'; i++)
		if (i >= name.n || fold(name.p[i]) != fold((uint8_t)prefix[i]))
			return false;
	return true;
}

int sp_fields_set(struct sp_fields *f, const char *name, struct sp_slice value)
{
	struct sp_slice n = sp_slice_str(name);
	unsigned i, kept = 0;

	for (i = 0; i < f->count; i++)
		if (f->v[i].name.n != n.n || !sp_field_name_begins(f->v[i].name, name))
			f->v[kept++] = f->v[i];
	f->count = kept;
	return sp_fields_add(f, n, value);
}
