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

enum { ALIGNMENT = 64 };

typedef struct entry {
    const void *source;
    void (*pack)(const void *plan, void *packed);
    const char *algorithm, *layer;
    uint64_t bytes;
    void *memory, *aligned;
    struct entry *next;
} entry;

struct rf_weights {
    rf_allocator allocator;
    atomic_size_t owners;
    entry *entries;
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
    **weights = (rf_weights){.allocator = arena.allocator};
    atomic_init(&(*weights)->owners, 1);
    return RF_OK;
}

rf_weights *rf_weights_keep(rf_weights *weights)
{
    atomic_fetch_add_explicit(&weights->owners, 1, memory_order_relaxed);
    return weights;
}

void rf_weights_release(rf_weights *weights)
{
    while (weights && atomic_fetch_sub_explicit(&weights->owners, 1, memory_order_acq_rel) == 1) {
        rf_allocator allocator = weights->allocator;
        rf_weights *shared = weights->shared;
        for (entry *next, *at = weights->entries; at; at = next) {
            next = at->next;
            allocator.release(allocator.context, at->memory, at->bytes + ALIGNMENT);
            allocator.release(allocator.context, at, sizeof *at);
        }
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

/* A layer's packing is looked for only in what is shared: within a model no two are alike. */
const void *rf_weights_pack(rf_weights *weights, const rf_work *work, const void *source, const char *layer)
{
    const entry wanted = {
        .source = source, .pack = work->pack, .algorithm = work->algorithm, .layer = layer, .bytes = work->packed_bytes,
    };
    const entry *known = find(weights->shared, &wanted);
    if (known) {
        weights->bytes += known->bytes;
        return known->aligned;
    }
    rf_allocator *allocator = &weights->allocator;
    if (work->packed_bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    entry *made = allocator->allocate(allocator->context, sizeof *made);
    void *memory = made ? allocator->allocate(allocator->context, work->packed_bytes + ALIGNMENT) : NULL;
    if (!memory) {
        if (made)
            allocator->release(allocator->context, made, sizeof *made);
        return NULL;
    }
    *made = wanted;
    made->memory = memory;
    made->aligned = (void *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    made->next = weights->entries;
    weights->entries = made;
    weights->bytes += made->bytes;
    work->pack(work->plan, made->aligned);
    return made->aligned;
}
