/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure.h"
#include "base/large_pages.h"

enum { FIRST_BLOCK = 16 << 10, LARGEST_BLOCK = 4 << 20, LARGEST_EXPECTED = 24 << 20 };

typedef struct rf_arena_block {
    struct rf_arena_block *older;
    size_t bytes; /* of the whole allocation */
    alignas(max_align_t) char memory[];
} rf_arena_block;

static void *allocate_from_heap(void *context, size_t bytes)
{
    (void)context;
    return rf_allocate_pages(bytes);
}

static void release_to_heap(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

void rf_arena_init(rf_arena *arena, const rf_allocator *allocator, uint64_t bytes_limit)
{
    static const rf_allocator heap = {allocate_from_heap, release_to_heap, NULL};
    *arena = (rf_arena){
        .allocator = allocator ? *allocator : heap,
        .bytes_limit = bytes_limit,
        .block_bytes = FIRST_BLOCK,
    };
}

void rf_arena_expect(rf_arena *arena, uint64_t bytes)
{
    arena->expected = bytes < LARGEST_EXPECTED ? (size_t)bytes : LARGEST_EXPECTED;
}

void rf_arena_release(rf_arena *arena)
{
    rf_arena_block *block = arena->newest;
    while (block) {
        rf_arena_block *older = block->older;
        arena->allocator.release(arena->allocator.context, block, block->bytes);
        block = older;
    }
    rf_arena_init(arena, &arena->allocator, arena->bytes_limit);
}

static bool add_block(rf_arena *arena, size_t needed)
{
    if (needed > SIZE_MAX - sizeof(rf_arena_block))
        return false;
    size_t bytes = needed + sizeof(rf_arena_block);
    size_t ordinary = arena->expected ? arena->expected : arena->block_bytes;
    if (bytes < ordinary)
        bytes = ordinary;
    if (bytes > arena->bytes_limit - arena->bytes_taken)
        bytes = needed + sizeof(rf_arena_block);
    if (bytes > arena->bytes_limit - arena->bytes_taken) {
        arena->limited = true;
        return false;
    }
    rf_arena_block *block = arena->allocator.allocate(arena->allocator.context, bytes);
    if (!block)
        return false;
    *block = (rf_arena_block){.older = arena->newest, .bytes = bytes};
    arena->newest = block;
    arena->next = block->memory;
    arena->end = (char *)block + bytes;
    arena->bytes_taken += bytes;
    if (!arena->expected && arena->block_bytes < LARGEST_BLOCK)
        arena->block_bytes *= 2;
    arena->expected = 0;
    return true;
}

void *rf_arena_take(rf_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    bool fits = !__builtin_mul_overflow(count, size, &bytes) && bytes <= SIZE_MAX - alignof(max_align_t);
    if (fits) {
        bytes = (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        if (bytes == 0)
            bytes = alignof(max_align_t);
        fits = bytes <= (size_t)(arena->end - arena->next) || add_block(arena, bytes);
    }
    if (!fits) {
        arena->refused = true;
        return NULL;
    }
    void *piece = arena->next;
    arena->next += bytes;
    return memset(piece, 0, bytes);
}

char *rf_arena_text(rf_arena *arena, const char *text, size_t bytes)
{
    if (bytes == SIZE_MAX)
        return NULL;
    char *copy = rf_arena_take(arena, bytes + 1, 1);
    if (copy && bytes)
        memcpy(copy, text, bytes);
    return copy;
}

rf_status rf_arena_fail(const rf_arena *arena, rf_error *error, const char *what)
{
    if (arena->limited)
        return rf_fail(error, RF_ERROR_LIMIT, what, "%s needs more than limits.memory_bytes (%llu)", what,
                       (unsigned long long)arena->bytes_limit);
    return rf_fail(error, RF_ERROR_MEMORY, what, "no memory for %s", what);
}
