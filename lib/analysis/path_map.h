/* SPDX-License-Identifier: MIT */
/*
 * From one output element back to the network's inputs, counting paths: how
 * often each element of each tensor is read. Real elements only, so padding,
 * holes and what several branches share are all exact.
 */
#ifndef RF_ANALYSIS_PATH_MAP_H
#define RF_ANALYSIS_PATH_MAP_H

#include <rfield/analysis.h>

#include "network/graph.h"

/* Path counts in a box of a tensor. An axis whose elements all have equal counts is stored once. */
typedef struct rf_path_map {
    int32_t rank;
    rf_range box[RF_MAX_RANK];
    bool uniform[RF_MAX_RANK];
    size_t stored;        /* product of the extents of the axes that are not uniform */
    double *paths;        /* row-major over those */
} rf_path_map;

/*
 * Maps of what output `output` of node `node` reads for its elements `at` (one range an axis).
 * (*maps)[value] is NULL where nothing is read. All lies in `arena`. RF_ERROR_LIMIT where a map
 * would not fit the arena.
 */
rf_status rf_paths_make(const rf_graph *graph, size_t node, uint32_t output, const rf_range *at,
                        rf_arena *arena, rf_path_map ***maps);

/* The counts of `map` along the axes listed, summed over all others: row-major over box[axes]. */
rf_status rf_path_map_project(const rf_path_map *map, const int32_t *axes, int32_t count, rf_arena *arena,
                              double **paths);

#endif
