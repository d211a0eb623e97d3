/* SPDX-License-Identifier: MIT */
/*
 * From one output element back to everything it reads, as exact index sets,
 * one for each axis of every tensor on the way. Unclipped: positions in
 * padding are positions like any other.
 */
#ifndef RF_ANALYSIS_BACKTRACK_H
#define RF_ANALYSIS_BACKTRACK_H

#include "analysis/index_set.h"
#include "network/graph.h"

typedef struct rf_backtrack {
    const rf_graph *graph;
    const rf_arena *memory; /* what it leaves of its limit is what `scratch` may take */
    rf_arena scratch;       /* released at each new question */
    rf_index_set **sets;    /* by value: NULL, or one set for each of its axes; from `scratch` */
    uint32_t *touched;      /* values whose sets are not NULL */
    size_t touched_count;
    uint64_t steps_left;    /* nodes and indices that may still be looked at; RF_ERROR_LIMIT when spent */
} rf_backtrack;

/* `memory`, which must outlive it, provides what lasts as long as the backtrack. */
rf_status rf_backtrack_init(rf_backtrack *backtrack, const rf_graph *graph, rf_arena *memory, uint64_t steps);

/* Gives the answer's memory back; the next question can follow. */
void rf_backtrack_release(rf_backtrack *backtrack);

/*
 * Starts at output `output` of node `node`, whose elements `at` (one range for each axis) are
 * asked about, and fills backtrack->sets for every value that they depend on. RF_ERROR_LIMIT where
 * steps or memory run out.
 */
rf_status rf_backtrack_from(rf_backtrack *backtrack, size_t node, uint32_t output, const rf_range *at);

#endif
