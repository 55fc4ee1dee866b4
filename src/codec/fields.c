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

/* Takes the element before the next comma that is not inside a quoted string. */
static struct sp_slice next_element(struct sp_slice *list)
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
			if (sp_slice_eq_str_nocase(next_element(&list), token))
				return true;
	}
	return false;
}
