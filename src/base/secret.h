/* Bytes that must not outlive their use, and random ids. */
#ifndef SP_BASE_SECRET_H
#define SP_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Zeroes memory in a way the compiler keeps. */
void sp_wipe(void *p, size_t n);
/* Wipes and frees a NUL-terminated heap string and nulls the pointer. *s may be NULL. */
void sp_secret_free(char **s);
/* Equal? In time that depends on the lengths only. */
bool sp_secret_eq(struct sp_slice a, struct sp_slice b);
/* From the kernel (getrandom); aborts when the kernel has none. */
void sp_random(void *p, size_t n);
/* A random number in [0, below); below > 0. For jitter and ids. */
uint64_t sp_random_below(uint64_t below);

#define SP_ID_SIZE 17 /* 16 hex digits and NUL */
/* A fresh exchange or instance id. */
void sp_id_make(char out[SP_ID_SIZE]);

#endif
