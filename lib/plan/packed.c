/* SPDX-License-Identifier: MIT */
/*
 * Weights in the order that kernels read them.
 *
 * Models of one network for different input shapes share them: what two kernels
 * of the same packing make of the same numbers is the same.
 */
#include <stdatomic.h>
#include <string.h>

#include "plan/plan.h"

/* A block has room for the weights of many layers: memory in few pieces lies on large pages. */
enum { ALIGNMENT = 64, FIRST_BLOCK = 1 << 18, LARGEST_BLOCK = 32 << 20 };

typedef struct block {
    struct block *older;
    uint64_t bytes;      /* of the whole allocation */
    char *next, *end;    /* what is left of it */
} block;

typedef struct entry {
    const void *source;
    void (*pack)(const void *plan, void *packed);
    const char *algorithm, *layer;
    uint64_t bytes;
    void *packed;
    struct entry *next;
} entry;

struct rf_weights {
    rf_allocator allocator;
    atomic_size_t owners;
    entry *entries;
    block *newest;
    uint64_t block_bytes; /* of the next one, at least */
    uint64_t bytes;
    rf_weights *shared; /* kept alive for the entries taken from it */
};

rf_status rf_weights_make(const rf_allocator *allocator, rf_weights **weights, rf_error *error)
{
    rf_arena arena;
    rf_arena_init(&arena, allocator, UINT64_MAX);
    *weights = arena.allocator.allocate(arena.allocator.context, sizeof **weights);
    if (!*weights)
        return rf_arena_fail(&arena, error, "a model");
    **weights = (rf_weights){.allocator = arena.allocator, .block_bytes = FIRST_BLOCK};
    atomic_init(&(*weights)->owners, 1);
    return RF_OK;
}

rf_weights *rf_weights_keep(rf_weights *weights)
{
    atomic_fetch_add_explicit(&weights->owners, 1, memory_order_relaxed);
    return weights;
}

static void release_blocks(rf_allocator *allocator, block *newest)
{
    for (block *older, *at = newest; at; at = older) {
        older = at->older;
        allocator->release(allocator->context, at, at->bytes);
    }
}

void rf_weights_release(rf_weights *weights)
{
    while (weights && atomic_fetch_sub_explicit(&weights->owners, 1, memory_order_acq_rel) == 1) {
        rf_allocator allocator = weights->allocator;
        rf_weights *shared = weights->shared;
        release_blocks(&allocator, weights->newest);
        allocator.release(allocator.context, weights, sizeof *weights);
        weights = shared;
    }
}

void rf_weights_share(rf_weights *weights, rf_weights *with)
{
    weights->shared = rf_weights_keep(with);
}

uint64_t rf_weights_bytes(const rf_weights *weights)
{
    return weights->bytes;
}

static const entry *find(const rf_weights *weights, const entry *wanted)
{
    for (; weights; weights = weights->shared)
        for (const entry *at = weights->entries; at; at = at->next)
            if (at->source == wanted->source && at->pack == wanted->pack && at->bytes == wanted->bytes
                && strcmp(at->algorithm, wanted->algorithm) == 0 && strcmp(at->layer, wanted->layer) == 0)
                return at;
    return NULL;
}

static bool add_block(rf_weights *weights, uint64_t needed)
{
    enum { HEAD = (sizeof(block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };
    uint64_t bytes = needed + HEAD + ALIGNMENT;
    if (bytes < weights->block_bytes)
        bytes = weights->block_bytes;
    block *added = weights->allocator.allocate(weights->allocator.context, bytes);
    if (!added)
        return false;
    uintptr_t first = ((uintptr_t)added + HEAD + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *added = (block){.older = weights->newest, .bytes = bytes, .next = (char *)first, .end = (char *)added + bytes};
    weights->newest = added;
    if (weights->block_bytes < LARGEST_BLOCK)
        weights->block_bytes *= 2;
    return true;
}

/* Aligned memory that lives as long as the weights. */
static void *take(rf_weights *weights, uint64_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block *newest = weights->newest;
    if ((!newest || (uint64_t)(newest->end - newest->next) < bytes) && !add_block(weights, bytes))
        return NULL;
    char *taken = weights->newest->next;
    weights->newest->next += bytes;
    return taken;
}

/* A layer's packing is looked for only in what is shared: within a model no two are alike. */
const void *rf_weights_pack(rf_weights *weights, const rf_work *work, const void *source, const char *layer)
{
    const entry wanted = {
        .source = source, .pack = work->pack, .algorithm = work->algorithm, .layer = layer, .bytes = work->packed_bytes,
    };
    const entry *known = find(weights->shared, &wanted);
    if (known) {
        weights->bytes += known->bytes;
        return known->packed;
    }
    entry *made = take(weights, sizeof *made);
    void *packed = made ? take(weights, work->packed_bytes) : NULL;
    if (!packed)
        return NULL;
    *made = wanted;
    made->packed = packed;
    made->next = weights->entries;
    weights->entries = made;
    weights->bytes += made->bytes;
    work->pack(work->plan, packed);
    return packed;
}
