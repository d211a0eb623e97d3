/* SPDX-License-Identifier: MIT */
/* Moves run over whole rows, so that the operators that only move elements need no loops of their own. */
#include "ops/moving.h"

#include <string.h>

void rf_move_axis(rf_move *move, int64_t dim, int64_t from, int64_t to)
{
    if (dim == 1)
        return;
    int32_t last = move->rank - 1;
    if (last >= 0 && move->from[last] == from * dim && move->to[last] == to * dim) {
        move->dims[last] *= dim;
    } else {
        last = move->rank++;
        move->dims[last] = dim;
    }
    move->from[last] = from;
    move->to[last] = to;
}

#define MOVE_CASE(bytes_)                                                              \
    case bytes_:                                                                       \
        for (int64_t i = 0; i < count; i++, to += to_step * (bytes_), from += from_step * (bytes_)) \
            memcpy(to, from, bytes_);                                                  \
        return;

static void move_row(int64_t count, unsigned char *to, int64_t to_step, const unsigned char *from,
                     int64_t from_step, size_t bytes)
{
    if (to_step == 1 && from_step == 1) {
        memcpy(to, from, (size_t)count * bytes);
        return;
    }
    switch (bytes) {
    MOVE_CASE(1)
    MOVE_CASE(2)
    MOVE_CASE(4)
    MOVE_CASE(8)
    default:
        for (int64_t i = 0; i < count; i++)
            memcpy(to + i * to_step * (int64_t)bytes, from + i * from_step * (int64_t)bytes, bytes);
    }
}

void rf_move_run(const rf_move *move, void *to, int64_t to_at, const void *from, int64_t from_at,
                 size_t element_bytes)
{
    int64_t index[RF_MOVE_AXES] = {0}, bytes = (int64_t)element_bytes;
    int32_t axis, last = move->rank - 1;
    int64_t width = last < 0 ? 1 : move->dims[last];
    int64_t to_step = last < 0 ? 1 : move->to[last], from_step = last < 0 ? 1 : move->from[last];
    do {
        move_row(width, (unsigned char *)to + to_at * bytes, to_step,
                 (const unsigned char *)from + from_at * bytes, from_step, element_bytes);
        for (axis = last - 1; axis >= 0; axis--) {
            to_at += move->to[axis];
            from_at += move->from[axis];
            if (++index[axis] < move->dims[axis])
                break;
            to_at -= move->to[axis] * index[axis];
            from_at -= move->from[axis] * index[axis];
            index[axis] = 0;
        }
    } while (axis >= 0);
}

void rf_move_gather(void *to, int32_t rank, const int64_t *dims, const void *from, int64_t from_at,
                    const int64_t *strides, size_t element_bytes)
{
    int64_t dense[RF_MOVE_AXES], count = 1;
    rf_move move = {.rank = 0};
    for (int32_t axis = 0; axis < rank; axis++)
        if (dims[axis] == 0)
            return;
    for (int32_t axis = rank - 1; axis >= 0; axis--) {
        dense[axis] = count;
        count *= dims[axis];
    }
    for (int32_t axis = 0; axis < rank; axis++)
        rf_move_axis(&move, dims[axis], strides[axis], dense[axis]);
    rf_move_run(&move, to, 0, from, from_at, element_bytes);
}

void rf_move_view(const rf_value *in, const rf_value *out, const rf_view *view)
{
    rf_move_gather(rf_fold_data(out), out->shape.rank, out->shape.dims, in->data, view->offset, view->strides,
                   rf_dtype_bits(out->dtype) / 8);
}
