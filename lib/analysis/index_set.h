/* SPDX-License-Identifier: MIT */
/*
 * Sets of indices along one axis, as sorted disjoint intervals, and what a
 * link makes of them: the exact answer for one output, holes included.
 */
#ifndef RF_ANALYSIS_INDEX_SET_H
#define RF_ANALYSIS_INDEX_SET_H

#include <rfield/analysis.h>

#include "base/arena.h"
#include "ops/op.h"

/* A set that the arena owns; never changed once made. */
typedef struct rf_index_set {
    size_t count;          /* of intervals; 0 for the empty set */
    const rf_range *at;    /* ascending, with gaps between them */
} rf_index_set;

rf_status rf_set_range(rf_arena *arena, int64_t first, int64_t last, rf_index_set *set);

/* Takes time in proportion to the intervals of both. */
rf_status rf_set_union(rf_arena *arena, const rf_index_set *a, const rf_index_set *b, rf_index_set *set);

/* Indices in the set. */
uint64_t rf_set_count(const rf_index_set *set);

/* How much work rf_set_apply has with a link, in indices looked at: 1 where bounds suffice. */
uint64_t rf_set_work(const rf_link *link, const rf_index_set *outputs);

/*
 * The input indices along one axis of extent `extent` that the output indices `outputs` (one set
 * for each axis of the output, whose shape is `output`) read, unclipped: positions that a window finds past the ends count.
 * RF_ERROR_LIMIT where the set would have more than a million intervals.
 */
rf_status rf_set_apply(rf_arena *arena, const rf_link *link, const rf_index_set *outputs,
                       int64_t extent, const rf_shape *output, rf_index_set *set);

/* Calls `visit` for each real input index that output index `i` reads through a link that counts
 * along one output axis, borders resolved. `extent` and `output_extent` are the axes' extents. */
void rf_link_visit(const rf_link *link, int64_t i, int64_t extent, int64_t output_extent,
                   void (*visit)(void *context, int64_t index), void *context);

#endif
