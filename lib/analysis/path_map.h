/* SPDX-License-Identifier: MIT */
/*
 * How often each element of a tensor is read: a box of counts, and what can be
 * done to its axes.
 */
#ifndef RF_ANALYSIS_PATH_MAP_H
#define RF_ANALYSIS_PATH_MAP_H

#include <rfield/analysis.h>

#include "base/arena.h"

/* Path counts in a box of a tensor. An axis whose elements all have equal counts is stored once. */
typedef struct rf_path_map {
    int32_t rank;
    rf_range box[RF_MAX_RANK];
    bool uniform[RF_MAX_RANK];
    size_t stored;        /* product of the extents of the axes that are not uniform */
    double *paths;        /* row-major over those */
} rf_path_map;

/* Indices along an axis, and how many of them are stored. */
int64_t rf_path_extent(const rf_path_map *map, int32_t axis);
int64_t rf_path_stored(const rf_path_map *map, int32_t axis);

/* Memory for the counts of a map whose box and uniform axes are set. This and all that makes a map
 * here return false where the arena has none left. */
bool rf_path_map_take(rf_path_map *map, rf_arena *arena);

/* Stored elements before (`outer`) and after (`inner`) an axis. */
void rf_path_map_split(const rf_path_map *map, int32_t axis, size_t *outer, size_t *inner);

/* Stores every index of an axis. */
bool rf_path_map_expand(rf_path_map *map, int32_t axis, rf_arena *arena);

/* Sums an axis away, leaving it uniform with a single index 0. */
bool rf_path_map_sum(rf_path_map *map, int32_t axis, rf_arena *arena);

/* Brings axes into a new order: `order[b]` is the old axis, or -1 for the single index 0. */
bool rf_path_map_permute(const rf_path_map *map, const int32_t *order, int32_t rank, rf_arena *arena,
                         rf_path_map *out);

/* The counts of two maps of one tensor together; may reuse the memory of `a`. */
bool rf_path_map_add(const rf_path_map *a, const rf_path_map *b, rf_arena *arena, rf_path_map *sum);

/* The counts of `map` along the axes listed, summed over all others: row-major over box[axes]. */
rf_status rf_path_map_project(const rf_path_map *map, const int32_t *axes, int32_t count, rf_arena *arena,
                              double **paths);

#endif
