/* SPDX-License-Identifier: MIT */
#include "base/names.h"

#include <string.h>

/* Eight bytes a step. The table's address seeds it, so that a file cannot hold names chosen
 * to collide; no result depends on the order of slots. */
static uint32_t hash_of(const rf_names *names, const char *name)
{
    size_t bytes = strlen(name);
    uint64_t hash = (uint64_t)(uintptr_t)names->slots * UINT64_C(0x9e3779b97f4a7c15) ^ bytes;
    while (bytes) {
        uint64_t word = 0;
        size_t step = bytes < 8 ? bytes : 8;
        memcpy(&word, name, step);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
        name += step;
        bytes -= step;
    }
    return (uint32_t)(hash ^ hash >> 29);
}

bool rf_names_init(rf_names *names, rf_arena *arena, size_t expected)
{
    if (expected > SIZE_MAX / 4)
        return false;
    size_t capacity = 16;
    while (capacity < 2 * expected)
        capacity *= 2;
    *names = (rf_names){.slots = RF_TAKE(arena, struct rf_names_slot, capacity), .capacity = capacity};
    return names->slots != NULL;
}

static struct rf_names_slot *slot_of(const rf_names *names, const char *name, uint32_t hash)
{
    size_t mask = names->capacity - 1;
    size_t at = hash & mask;
    while (names->slots[at].name
           && (names->slots[at].hash != hash || strcmp(names->slots[at].name, name) != 0))
        at = (at + 1) & mask;
    return &names->slots[at];
}

bool rf_names_add(rf_names *names, const char *name, uint32_t number, uint32_t *present)
{
    uint32_t hash = hash_of(names, name);
    struct rf_names_slot *slot = slot_of(names, name, hash);
    *present = slot->name ? slot->number : RF_NO_NUMBER;
    if (slot->name)
        return true;
    if (names->count >= names->capacity - 1)
        return false;
    *slot = (struct rf_names_slot){name, hash, number};
    names->count++;
    return true;
}

uint32_t rf_names_find(const rf_names *names, const char *name)
{
    const struct rf_names_slot *slot = slot_of(names, name, hash_of(names, name));
    return slot->name ? slot->number : RF_NO_NUMBER;
}
