/* SPDX-License-Identifier: MIT */
/* The first and last index that a link reads, as functions of the output index. */
#ifndef RF_ANALYSIS_LINK_BOUNDS_H
#define RF_ANALYSIS_LINK_BOUNDS_H

#include "analysis/index_map.h"
#include "ops/link.h"

/* Both are monotone. False where they have no such form, or without memory. */
bool rf_link_bounds(const rf_link *link, rf_arena *arena, rf_index_map *lower, rf_index_map *upper);

#endif
