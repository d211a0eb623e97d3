/* SPDX-License-Identifier: MIT */
/* Shapes with strides: how the elements of a tensor lie in memory. */
#ifndef RF_PLAN_STRIDED_H
#define RF_PLAN_STRIDED_H

#include "kernels/kernel.h"

/* The order of axes in memory. */
typedef enum rf_axis_order {
    RF_ORDER_ROWS,     /* as ONNX: the last axis fastest */
    RF_ORDER_CHANNELS  /* [N, spatial..., C]: axis 1 fastest */
} rf_axis_order;

/* Without gaps, in that order. */
rf_strided rf_strided_dense(const rf_shape *shape, rf_axis_order order);

/* The strides that make `form` a tensor of another shape with the same elements in row-major order
 * of their indices. False where no strides do. */
bool rf_strided_reshape(const rf_strided *form, const rf_shape *shape, rf_strided *out);

/* All rows of the last axis as one matrix, where strides allow; `out` may be `form`. */
bool rf_strided_flatten_rows(const rf_strided *form, rf_strided *out);

/* Whether the elements lie in row-major order without gaps. */
bool rf_strided_is_dense(const rf_strided *form);

/* Whether both name the same places; strides of axes of extent 1 don't matter. */
bool rf_strided_equal(const rf_strided *a, const rf_strided *b);

/* Whether axis 1 lies fastest, and that is not row-major order too. */
bool rf_strided_is_channels_last(const rf_strided *form);

/* `form` seen as a tensor of the shape that it broadcasts to. */
rf_strided rf_strided_broadcast(const rf_strided *form, const rf_shape *shape);

/* Strides of extent-1 axes as kernels expect them: 1 along axis 1, else as if dense outside. */
void rf_strided_tidy(rf_strided *form);

/* One past the last element that is reached, from the first; strides must not be negative. */
uint64_t rf_strided_span(const rf_strided *form);

#endif
