/* SPDX-License-Identifier: MIT */
/*
 * Memory that is taken piece by piece and given back at once.
 *
 * Everything that belongs to one network or one analysis lives in one arena,
 * so that a failure half-way releases all of it with one call.
 */
#ifndef RF_BASE_ARENA_H
#define RF_BASE_ARENA_H

#include <stdbool.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rfield/memory.h>
#include <rfield/status.h>

typedef struct rf_arena {
    rf_allocator allocator;
    struct rf_arena_block *newest;
    char *next, *end;     /* free part of the newest block */
    uint64_t bytes_taken; /* from the allocator */
    uint64_t bytes_limit;
    size_t block_bytes;   /* of the next ordinary block */
    size_t expected;      /* bytes of the next block, where known; 0 otherwise */
    bool limited;         /* bytes_limit has refused a piece */
    bool refused;         /* a piece was refused, for whatever reason */
} rf_arena;

/* `allocator` NULL means malloc and free. Takes nothing yet. */
void rf_arena_init(rf_arena *arena, const rf_allocator *allocator, uint64_t bytes_limit);

/* Makes the next block big enough for about `bytes` bytes, within reason. One block for all that
 * an object needs is not only fewer calls: glibc then keeps its pages from one object to the next,
 * and on small networks faulting pages in takes longer than all the rest. */
void rf_arena_expect(rf_arena *arena, uint64_t bytes);

/* Gives everything back; the arena is then as after rf_arena_init. */
void rf_arena_release(rf_arena *arena);

/* `count` elements of `size` bytes, zeroed, aligned for any type; NULL when memory or
 * the limit is reached or the product overflows. A count of 0 gives a valid pointer. */
void *rf_arena_take(rf_arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of `bytes` bytes; NULL as above. */
char *rf_arena_text(rf_arena *arena, const char *text, size_t bytes);

/* Reports that a piece was refused, as RF_ERROR_LIMIT or RF_ERROR_MEMORY; `what` it was for. */
rf_status rf_arena_fail(const rf_arena *arena, rf_error *error, const char *what);

#define RF_TAKE(arena, type, count) ((type *)rf_arena_take((arena), (count), sizeof(type)))

#endif
