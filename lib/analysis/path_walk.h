/* SPDX-License-Identifier: MIT */
/*
 * From one output element back to the network's inputs, counting paths: how
 * often each element of each tensor is read. Real elements only, so padding,
 * holes and what several branches share are all exact.
 */
#ifndef RF_ANALYSIS_PATH_WALK_H
#define RF_ANALYSIS_PATH_WALK_H

#include "analysis/path_map.h"
#include "network/graph.h"

/*
 * Maps of what output `output` of node `node` reads for its elements `at` (one range an axis).
 * (*maps)[value] is NULL where nothing is read. All lies in `arena`. RF_ERROR_LIMIT where a map
 * would not fit the arena.
 */
rf_status rf_paths_make(const rf_graph *graph, size_t node, uint32_t output, const rf_range *at,
                        rf_arena *arena, rf_path_map ***maps);

#endif
