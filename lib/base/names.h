/* SPDX-License-Identifier: MIT */
/* A map from names to numbers, in an arena. Names are kept by pointer. */
#ifndef RF_BASE_NAMES_H
#define RF_BASE_NAMES_H

#include <stdbool.h>

#include "base/arena.h"

#define RF_NO_NUMBER UINT32_MAX

typedef struct rf_names {
    struct rf_names_slot {
        const char *name; /* NULL where free */
        uint32_t hash, number;
    } *slots;
    size_t capacity; /* a power of two, at least twice the names it is meant for */
    size_t count;
} rf_names;

/* Room for `expected` names; more are refused by rf_names_add. False without memory. */
bool rf_names_init(rf_names *names, rf_arena *arena, size_t expected);

/* Adds `name` unless present. *present receives the number already held, or RF_NO_NUMBER.
 * False when the map is full. */
bool rf_names_add(rf_names *names, const char *name, uint32_t number, uint32_t *present);

/* The number of `name`, or RF_NO_NUMBER. */
uint32_t rf_names_find(const rf_names *names, const char *name);

#endif
