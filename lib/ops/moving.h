/* SPDX-License-Identifier: MIT */
/* Copies of elements between two boxes of memory, each with strides of its own. */
#ifndef RF_OPS_MOVING_H
#define RF_OPS_MOVING_H

#include "ops/fold.h"

/* An axis of a tensor may be two of a move, such as the tiles of Tile and the places in a tile. */
#define RF_MOVE_AXES (2 * RF_MAX_RANK)

/* A box without empty axes; strides count elements and may be 0 or negative. Starts zeroed. */
typedef struct rf_move {
    int32_t rank;
    int64_t dims[RF_MOVE_AXES], from[RF_MOVE_AXES], to[RF_MOVE_AXES];
} rf_move;

/* Adds an axis inside those that the move has. */
void rf_move_axis(rf_move *move, int64_t dim, int64_t from, int64_t to);

/* Moves from element `from_at` of one memory on to element `to_at` on of another. */
void rf_move_run(const rf_move *move, void *to, int64_t to_at, const void *from, int64_t from_at,
                 size_t element_bytes);

/* Fills `to`, dense and row-major of `rank` axes, with the elements at `from_at` + strides * index. */
void rf_move_gather(void *to, int32_t rank, const int64_t *dims, const void *from, int64_t from_at,
                    const int64_t *strides, size_t element_bytes);

/* Copies into `out` the elements of `in`, of the same type, that the view names. */
void rf_move_view(const rf_value *in, const rf_value *out, const rf_view *view);

#endif
