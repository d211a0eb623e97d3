/* SPDX-License-Identifier: MIT */
/*
 * Weights in the order that kernels read them.
 *
 * Models of one network for different input shapes share them: what two kernels
 * of the same packing make of the same numbers is the same.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "plan/plan.h"

enum { ALIGNMENT = 64 };

typedef struct entry {
    rf_packed packed;   /* must stay first */
    rf_packing made_of; /* with copies of its numbers */
    rf_work work;
    uint64_t offset;    /* of what is packed */
    struct entry *next; /* that waits to be packed */
} entry;

struct rf_weights {
    rf_arena arena; /* holds this struct too, and all but what is packed */
    atomic_size_t owners;
    uint64_t bytes;      /* packed for the model, by others too */
    void *memory;        /* of all that is packed here, in one piece: that lies on large pages */
    uint64_t memory_bytes;
    rf_weights *shared;  /* kept alive for the entries taken from it */
    entry *first, *last; /* of those that wait to be packed */
    size_t parts;        /* that they are packed in */
    size_t layers;
    const entry *entries[]; /* by layer; NULL for none */
};

rf_status rf_weights_make(const rf_allocator *allocator, size_t layers, rf_weights **weights, rf_error *error)
{
    rf_arena arena;
    rf_arena_init(&arena, allocator, UINT64_MAX);
    *weights = rf_arena_take(&arena, sizeof(rf_weights) + layers * sizeof(const entry *), 1);
    if (!*weights)
        return rf_arena_fail(&arena, error, "a model");
    (*weights)->arena = arena;
    (*weights)->layers = layers;
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
        rf_arena arena = weights->arena;
        rf_weights *shared = weights->shared;
        if (weights->memory)
            arena.allocator.release(arena.allocator.context, weights->memory, weights->memory_bytes);
        rf_arena_release(&arena);
        weights = shared;
    }
}

void rf_weights_share(rf_weights *weights, rf_weights *with)
{
    size_t layers = weights->layers < with->layers ? weights->layers : with->layers;
    memcpy(weights->entries, with->entries, layers * sizeof *weights->entries);
    /* What owns nothing need not be kept, so that models that follow one another make no chain. */
    while (with->shared && !with->memory)
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

/* NULL where there are none or no memory for a copy. */
static const float *copy_numbers(rf_weights *weights, const float *numbers, size_t count)
{
    float *copy = numbers ? RF_TAKE(&weights->arena, float, count) : NULL;
    return copy ? memcpy(copy, numbers, count * sizeof *numbers) : NULL;
}

static size_t parts_of(const rf_work *work)
{
    return work->packing_parts ? work->packing_parts : 1;
}

/* Numbers of parts stay below this, so that they can be counted up by any number of workers. */
static const size_t most_parts = SIZE_MAX / 4;

/* Weights are packed later, all together; false where they are too many to count. */
static bool put_off(rf_weights *weights, entry *made)
{
    size_t parts = parts_of(&made->work);
    uint64_t bytes = made->work.packed_bytes, room = SIZE_MAX / 2 - weights->memory_bytes;
    if (parts > most_parts - weights->parts || bytes > room || room - bytes < ALIGNMENT)
        return false;
    made->offset = weights->memory_bytes;
    weights->memory_bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
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
    entry *made = RF_TAKE(&weights->arena, entry, 1);
    if (!made)
        return NULL;
    *made = (entry){.made_of = *wanted, .work = *work};
    made->made_of.scale = copy_numbers(weights, wanted->scale, wanted->channels);
    made->made_of.bias = copy_numbers(weights, wanted->bias, wanted->channels);
    if ((wanted->scale && !made->made_of.scale) || (wanted->bias && !made->made_of.bias))
        return NULL;
    return put_off(weights, made) ? made : NULL;
}

const rf_packed *rf_weights_pack(rf_weights *weights, const rf_packing *wanted, const rf_work *work)
{
    const entry **place = &weights->entries[wanted->layer];
    if (!*place || !is_alike(*place, wanted, work))
        *place = make(weights, wanted, work);
    if (!*place)
        return NULL;
    weights->bytes += work->packed_bytes;
    return &(*place)->packed;
}

/* ---- Packing ---------------------------------------------------------------------------- */

/* Of the buffers that weights are read into before they are packed, all together. */
static const uint64_t most_read = UINT64_C(32) << 20;

/* Parts are numbered through all entries; workers take one after the other. */
typedef struct packer {
    const rf_weights *weights;
    const rf_backing *backing; /* NULL for none */
    void *memory;              /* of the buffers */
    char *buffers;             /* one for each worker; NULL for none */
    uint64_t buffer_bytes;
    atomic_size_t taken;
} packer;

/* A part's share of the weights. */
typedef struct stretch {
    uint64_t first, bytes; /* 0 bytes where they lie all over them, or nobody knows how many there are */
} stretch;

static stretch share_of(const entry *from, size_t part)
{
    uint64_t all = from->made_of.source_bytes, step = from->work.packing_parts ? from->work.part_bytes : all;
    if (step == 0 || part >= (all + step - 1) / step)
        return (stretch){0};
    uint64_t first = part * step;
    return (stretch){first, all - first < step ? all - first : step};
}

static void pack_part(const entry *from, const rf_unpacked *unpacked, size_t part)
{
    const rf_work *work = &from->work;
    void *to = (void *)(uintptr_t)from->packed.memory;
    if (work->packing_parts)
        work->pack_part(work->plan, unpacked, to, part);
    else
        work->pack(work->plan, unpacked, to);
}

/* Reading a mapped file in place takes as much time for its pages as for its bytes. */
static void read_and_pack(const packer *all, const entry *from, size_t part, size_t worker)
{
    const rf_backing *backing = all->backing;
    rf_unpacked unpacked = from->work.unpacked;
    const stretch share = share_of(from, part);
    const char *place = (const char *)unpacked.weights + share.first;
    char *buffer = all->buffers ? all->buffers + worker * all->buffer_bytes : NULL;
    bool fits = share.bytes > 0 && share.bytes <= all->buffer_bytes;
    if (buffer && fits && backing->read(backing->context, place, (size_t)share.bytes, buffer)) {
        unpacked.weights = buffer;
        unpacked.skipped = share.first;
        pack_part(from, &unpacked, part);
        return;
    }
    pack_part(from, &unpacked, part);
    if (backing && share.bytes)
        backing->forget(backing->context, place, (size_t)share.bytes);
}

static void take_parts(void *argument, size_t worker)
{
    packer *all = argument;
    const entry *at = all->weights->first;
    size_t first = 0; /* part of that entry */
    for (;;) {
        size_t part = atomic_fetch_add_explicit(&all->taken, 1, memory_order_relaxed);
        if (part >= all->weights->parts)
            return;
        for (; part - first >= parts_of(&at->work); at = at->next)
            first += parts_of(&at->work);
        read_and_pack(all, at, part - first, worker);
    }
}

static char *aligned(void *memory)
{
    return (char *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static size_t buffers_bytes(const packer *all, size_t workers)
{
    return (size_t)(workers * all->buffer_bytes) + ALIGNMENT;
}

/* Where there is no memory for buffers, weights are read in place. */
static void take_buffers(packer *all, size_t workers, uint64_t spare)
{
    const rf_allocator *allocator = &all->weights->arena.allocator;
    const uint64_t most = (spare < most_read ? spare : most_read) / ALIGNMENT, each = most ? (most - 1) / workers : 0;
    for (const entry *at = all->weights->first; all->backing && at; at = at->next) {
        uint64_t bytes = share_of(at, 0).bytes;
        if (bytes > all->buffer_bytes && bytes <= each * ALIGNMENT)
            all->buffer_bytes = bytes;
    }
    all->buffer_bytes = (all->buffer_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (all->buffer_bytes)
        all->memory = allocator->allocate(allocator->context, buffers_bytes(all, workers));
    if (all->memory)
        all->buffers = aligned(all->memory);
}

static void pack_all(rf_weights *weights, const rf_executor *executor, const rf_backing *backing, uint64_t spare)
{
    packer all = {.weights = weights, .backing = backing};
    const size_t workers = executor && weights->parts > 1 ? executor->workers : 1;
    const rf_allocator *allocator = &weights->arena.allocator;
    atomic_init(&all.taken, 0);
    if (backing)
        backing->forget(backing->context, NULL, SIZE_MAX);
    take_buffers(&all, workers, spare);
    if (workers > 1)
        executor->run(executor->context, take_parts, &all, workers);
    take_parts(&all, 0);
    if (all.memory)
        allocator->release(allocator->context, all.memory, buffers_bytes(&all, workers));
    if (backing)
        backing->forget(backing->context, NULL, SIZE_MAX);
}

/* One piece for all that waits. */
static bool take_memory(rf_weights *weights)
{
    const rf_allocator *allocator = &weights->arena.allocator;
    if (!weights->first)
        return true;
    weights->memory_bytes += ALIGNMENT;
    weights->memory = allocator->allocate(allocator->context, (size_t)weights->memory_bytes);
    if (!weights->memory)
        return false;
    char *start = aligned(weights->memory);
    for (entry *at = weights->first; at; at = at->next)
        at->packed.memory = start + at->offset;
    return true;
}

rf_status rf_weights_finish(rf_weights *weights, const rf_executor *executor, const rf_backing *backing,
                            uint64_t spare, rf_error *error)
{
    if (!take_memory(weights))
        return rf_fail(error, RF_ERROR_MEMORY, "weights", "no memory for %llu bytes of weights",
                       (unsigned long long)weights->memory_bytes);
    pack_all(weights, executor, backing, spare);
    weights->first = weights->last = NULL;
    weights->parts = 0;
    return RF_OK;
}
