/* SPDX-License-Identifier: MIT */
/*
 * Integer functions that advance periodically, and the lower or upper
 * envelope of a few of them: the bounds of a receptive field in closed form.
 *
 * f(i) = advance * floor(i / period) + offsets[i mod period], for every integer i.
 * Affine functions have period 1; transposed convolution and resizing have
 * longer periods. Compositions of such functions are again of this form.
 */
#ifndef RF_ANALYSIS_INDEX_MAP_H
#define RF_ANALYSIS_INDEX_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum { RF_MAX_PERIOD = 4096, RF_MAX_PIECES = 4 };

typedef struct rf_index_map {
    int64_t period, advance;
    int64_t offset;          /* offsets[0], and all of them when the period is 1 */
    const int64_t *offsets;  /* NULL when the period is 1 */
} rf_index_map;

/* The smallest (a lower bound) or largest (an upper bound) of its pieces at every i. */
typedef struct rf_envelope {
    int32_t count;
    rf_index_map pieces[RF_MAX_PIECES];
} rf_envelope;

rf_index_map rf_map_affine(int64_t stride, int64_t offset);

/* False where the value does not fit 64 bits. */
bool rf_map_at(const rf_index_map *map, int64_t i, int64_t *value);

/* Monotone: does not decrease where `rising`, else does not increase. */
bool rf_map_is_monotone(const rf_index_map *map, bool rising);

/* outer(inner(i)). False where period, values or memory grow out of bounds. */
bool rf_map_compose(const rf_index_map *outer, const rf_index_map *inner, rf_arena *arena,
                    rf_index_map *composed);

/* Makes the period as small as it can be. */
void rf_map_reduce(rf_index_map *map);

bool rf_map_equal(const rf_index_map *a, const rf_index_map *b);

/* Adds a piece; pieces of equal slope are joined into one. `lower` says which side the envelope
 * bounds. False where it grows out of bounds. */
bool rf_envelope_add(rf_envelope *envelope, const rf_index_map *piece, bool lower, rf_arena *arena);

bool rf_envelope_at(const rf_envelope *envelope, bool lower, int64_t i, int64_t *value);

#endif
