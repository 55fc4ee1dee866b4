/* What the files of this folder share about the loop: lent memory and the turn's number. */
#ifndef SP_NET_LOOP_INT_H
#define SP_NET_LOOP_INT_H

#include "net/loop.h"

/* Two sizes of memory that the loop lends for the length of a call, an upcall or a turn, so that idle connections own
 * none and busy ones touch the same, warm, pages. */
enum sp_mem { SP_MEM_RECORD, SP_MEM_BULK };
#define SP_MEM_RECORD_BYTES (16u * 1024) /* the plaintext of one TLS record */
#define SP_MEM_BULK_BYTES (256u * 1024)	 /* one read, one batch of plaintext, one batch of ciphertext */

/* NULL when memory is out. */
uint8_t *sp_loop_mem_take(struct sp_loop *loop, enum sp_mem size);
void sp_loop_mem_give(struct sp_loop *loop, enum sp_mem size, uint8_t *mem); /* mem may be NULL */

/* Counts turns of the loop. */
uint64_t sp_loop_turn(const struct sp_loop *loop);

#endif
