/* The table of all settings: names, types, ranges, defaults, one line of text each. Loading walks it, and the reference of
 * settings is generated from it. Only src/conf includes this. */
#ifndef SP_CONF_KEYS_H
#define SP_CONF_KEYS_H

#include "conf/conf.h"

struct sp_load;

enum sp_key_type {
	SP_KEY_INT,	 /* uint32_t, min..max */
	SP_KEY_SIZE,	 /* uint32_t bytes: "64KiB", or a plain integer */
	SP_KEY_DURATION, /* uint64_t ms: "15s" */
	SP_KEY_BOOL,	 /* bool */
	SP_KEY_WORD,	 /* one of words: its index in an enum or a bool */
	SP_KEY_TEXT,	 /* char[size] */
	SP_KEY_STRING,	 /* char *, 1..max bytes */
	SP_KEY_FILE,	 /* char *, made absolute against the file's folder */
	SP_KEY_OUTPUT,	 /* the same, or "-" */
	SP_KEY_STRINGS,	 /* char **, NULL-terminated */
	SP_KEY_CHAIN,	 /* int: index of a chain of the group auth; -1 when absent */
	SP_KEY_TARGET,	 /* struct sp_authority: "host:port" */
	SP_KEY_URL,	 /* struct sp_authority: "https://host[:port]" */
	SP_KEY_GROUP,	 /* members; their base is base + base_offset */
	SP_KEY_SECRET,	 /* members; files of secrets: a string in its place is refused with the hint */
	SP_KEY_GROUPS,	 /* a list of groups: an array at offset, its count at count_offset; base becomes the element */
	/* These know their place in their struct themselves. */
	SP_KEY_CHAINS,	 /* sp_conf.chains */
	SP_KEY_ADDRESS,	 /* sp_conf_listener.address and address_text */
	SP_KEY_GATEWAY,	 /* sp_conf_connector.urls, from one URL */
	SP_KEY_GATEWAYS, /* sp_conf_connector.urls, from a list */
	SP_KEY_VIRTUAL,	 /* sp_conf_expose: virtual host and ports */
	SP_KEY_INTERNAL, /* sp_conf_expose: internal host and ports */
};

enum { SP_FOR_PROXY = 1 << SP_CONF_PROXY, SP_FOR_CONNECTOR = 1 << SP_CONF_CONNECTOR, SP_FOR_BOTH = 3 };
#define SP_ALWAYS (~0u)

struct sp_conf_key {
	const char *name; /* NULL ends a table */
	enum sp_key_type type;
	unsigned programs;  /* SP_FOR_*: which program's file may have it */
	unsigned only;	    /* 1 << value of the table's selector: where it may stand; 0 = anywhere */
	unsigned required;  /* 1 << value of the table's selector: where it must stand; SP_ALWAYS; 0 = nowhere */
	bool selector;	    /* the SP_KEY_WORD whose value `only` and `required` of its neighbours speak of */
	uint64_t min, max;  /* numbers: value; texts: bytes; lists: elements (max 0: any number) */
	const char *value;  /* the default, as it would be written; NULL: none */
	const char *const *words; /* SP_KEY_WORD: NULL-terminated */
	size_t offset, size;	  /* of the destination */
	size_t count_offset, element_size; /* SP_KEY_GROUPS: of an unsigned; of one element */
	size_t at_offset, at_size; /* SP_KEY_GROUP: of a struct sp_conf_at; at_size 0: none. SP_KEY_GROUPS: begins the element */
	size_t base_offset;	   /* SP_KEY_GROUP: of the struct that the members' offsets speak of */
	const struct sp_conf_key *members; /* groups */
	/* Groups whose members were all right: what concerns several of them. base: the members'. */
	void (*check)(struct sp_load *ld, const struct sp_conf_at *at, const char *path, void *base);
	const char *hint; /* added to an error of this setting: what to write instead */
	const char *text; /* one line for the reference */
};

extern const struct sp_conf_key sp_conf_keys[];

#endif
