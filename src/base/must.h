/* Assertions for our own bugs, always compiled in. A peer's misbehaviour is never an assertion. */
#ifndef SP_BASE_MUST_H
#define SP_BASE_MUST_H

/* Logs file, line and expression at level error, then aborts. */
_Noreturn void sp_must_failed(const char *file, int line, const char *expr);

#define sp_must(expr) ((expr) ? (void)0 : sp_must_failed(__FILE__, __LINE__, #expr))

#define SP_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#define SP_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
