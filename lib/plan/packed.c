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
    rf_packing made_of; /* with copies of its numbers */
    rf_work work;
    void *packed;
    struct entry *next; /* that waits to be packed */
} entry;

struct rf_weights {
    rf_allocator allocator;
    atomic_size_t owners;
    block *newest;
    uint64_t block_bytes; /* of the next one, at least */
    uint64_t bytes;
    rf_weights *shared; /* kept alive for the entries taken from it */
    entry *first, *last; /* of those that wait to be packed */
    size_t parts;        /* that they are packed in */
    size_t layers;
    const entry *entries[]; /* by layer; NULL for none */
};

static size_t bytes_for(size_t layers)
{
    return sizeof(rf_weights) + layers * sizeof(const entry *);
}

rf_status rf_weights_make(const rf_allocator *allocator, size_t layers, rf_weights **weights, rf_error *error)
{
    rf_arena arena;
    rf_arena_init(&arena, allocator, UINT64_MAX);
    *weights = arena.allocator.allocate(arena.allocator.context, bytes_for(layers));
    if (!*weights)
        return rf_arena_fail(&arena, error, "a model");
    memset(*weights, 0, bytes_for(layers));
    (*weights)->allocator = arena.allocator;
    (*weights)->block_bytes = FIRST_BLOCK;
    (*weights)->layers = layers;
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
        allocator.release(allocator.context, weights, bytes_for(weights->layers));
        weights = shared;
    }
}

void rf_weights_share(rf_weights *weights, rf_weights *with)
{
    size_t layers = weights->layers < with->layers ? weights->layers : with->layers;
    memcpy(weights->entries, with->entries, layers * sizeof *weights->entries);
    /* What owns nothing need not be kept, so that models that follow one another make no chain. */
    while (with->shared && !with->newest)
        with = with->shared;
    weights->shared = rf_weights_keep(with);
}

uint64_t rf_weights_bytes(const rf_weights *weights)
{
    return weights->bytes;
}

static bool same_numbers(const float *a, const float *b, size_t count)
{
    return a && b ? memcmp(a, b, count * sizeof *a) == 0 : a == b;
}

/* Nothing else goes into a packing. */
static bool is_alike(const entry *known, const rf_packing *wanted, const rf_work *work)
{
    const rf_packing *of = &known->made_of;
    return of->source && of->source == wanted->source && of->channels == wanted->channels
        && known->work.pack == work->pack && known->work.packed_bytes == work->packed_bytes
        && known->work.packing == work->packing && strcmp(known->work.algorithm, work->algorithm) == 0
        && same_numbers(of->scale, wanted->scale, of->channels) && same_numbers(of->bias, wanted->bias, of->channels);
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

/* NULL where there are none or no memory for a copy. */
static const float *copy_numbers(rf_weights *weights, const float *numbers, size_t count)
{
    float *copy = numbers ? take(weights, count * sizeof *numbers) : NULL;
    return copy ? memcpy(copy, numbers, count * sizeof *numbers) : NULL;
}

static size_t parts_of(const rf_work *work)
{
    return work->packing_parts ? work->packing_parts : 1;
}

/* Numbers of parts stay below this, so that they can be counted up by any number of workers. */
static const size_t most_parts = SIZE_MAX / 4;

/* Weights are packed later, all together; false where there are too many parts to count. */
static bool put_off(rf_weights *weights, entry *made)
{
    size_t parts = parts_of(&made->work);
    if (parts > most_parts - weights->parts)
        return false;
    weights->parts += parts;
    if (weights->last)
        weights->last->next = made;
    else
        weights->first = made;
    weights->last = made;
    return true;
}

static const entry *make(rf_weights *weights, const rf_packing *wanted, const rf_work *work)
{
    entry *made = take(weights, sizeof *made);
    void *packed = made ? take(weights, work->packed_bytes) : NULL;
    if (!packed)
        return NULL;
    *made = (entry){.made_of = *wanted, .work = *work, .packed = packed};
    made->made_of.scale = copy_numbers(weights, wanted->scale, wanted->channels);
    made->made_of.bias = copy_numbers(weights, wanted->bias, wanted->channels);
    if ((wanted->scale && !made->made_of.scale) || (wanted->bias && !made->made_of.bias))
        return NULL;
    return put_off(weights, made) ? made : NULL;
}

const void *rf_weights_pack(rf_weights *weights, const rf_packing *wanted, const rf_work *work)
{
    const entry **place = &weights->entries[wanted->layer];
    if (!*place || !is_alike(*place, wanted, work))
        *place = make(weights, wanted, work);
    if (!*place)
        return NULL;
    weights->bytes += work->packed_bytes;
    return (*place)->packed;
}

/* ---- Packing ---------------------------------------------------------------------------- */

/* Parts are numbered through all entries; workers take one after the other. */
typedef struct packer {
    const rf_weights *weights;
    atomic_size_t taken;
} packer;

static void pack_part(const entry *from, size_t part)
{
    const rf_work *work = &from->work;
    if (work->packing_parts)
        work->pack_part(work->plan, &work->unpacked, from->packed, part);
    else
        work->pack(work->plan, &work->unpacked, from->packed);
}

static void take_parts(void *argument, size_t worker)
{
    packer *all = argument;
    const entry *at = all->weights->first;
    size_t first = 0; /* part of that entry */
    (void)worker;
    for (;;) {
        size_t part = atomic_fetch_add_explicit(&all->taken, 1, memory_order_relaxed);
        if (part >= all->weights->parts)
            return;
        for (; part - first >= parts_of(&at->work); at = at->next)
            first += parts_of(&at->work);
        pack_part(at, part - first);
    }
}

void rf_weights_finish(rf_weights *weights, const rf_executor *executor)
{
    packer all = {.weights = weights};
    atomic_init(&all.taken, 0);
    if (executor && executor->workers > 1 && weights->parts > 1)
        executor->run(executor->context, take_parts, &all, executor->workers);
    take_parts(&all, 0);
    weights->first = weights->last = NULL;
    weights->parts = 0;
}
