/* SPDX-License-Identifier: MIT */
/*
 * What the reference computations of many rows share.
 *
 * They fold shape arithmetic, run what no fast kernel knows and judge the fast
 * kernels, so they favour plainness: elements are read one by one, integers as
 * int64_t and floats as double.
 */
#ifndef RF_OPS_FOLD_H
#define RF_OPS_FOLD_H

#include "ops/op.h"

/* Types whose elements rf_value_int and rf_value_float give without loss of meaning. */
bool rf_fold_reads(rf_dtype dtype);

/* RF_ERROR_UNSUPPORTED that names the types: what an `evaluate` returns for types that it does not
 * compute with. */
rf_status rf_fold_refuse(const rf_node *node);

/* Whether all inputs and outputs are of types that arithmetic reads and are present. */
bool rf_fold_ready(const rf_node *node);

/* The buffer that the walk gave to an output. */
static inline void *rf_fold_data(const rf_value *output)
{
    return (void *)output->data;
}

/* Which element of a value goes with each element of another: offset + SUM stride_k * index_k. */
typedef struct rf_view {
    int64_t offset;
    int64_t strides[RF_MAX_RANK];
} rf_view;

/* Row-major strides; all 0 for a shape without elements. */
void rf_view_strides(const rf_shape *shape, int64_t strides[RF_MAX_RANK]);

/* Axis k of `in` lies along axis k + shift of `out`; extents of 1 are repeated. */
void rf_view_broadcast(const rf_shape *in, const rf_shape *out, int32_t shift, rf_view *view);

/* Steps through the elements of a shape in row-major order, following a view. */
typedef struct rf_cursor {
    const rf_shape *shape;
    const rf_view *view;
    int64_t at; /* element of the viewed value */
    int64_t index[RF_MAX_RANK];
} rf_cursor;

void rf_cursor_start(rf_cursor *cursor, const rf_shape *shape, const rf_view *view);
void rf_cursor_next(rf_cursor *cursor);

/* One element of any type of whole bytes. */
void rf_fold_move(void *to, uint64_t i, const void *from, uint64_t j, size_t element_bytes);

/* Copies into `out` the elements of `in`, of the same type, that the view names. */
void rf_fold_copy_view(const rf_value *in, const rf_value *out, const rf_view *view);

/* Output 0 holds the elements of input 0 in the same order: an `evaluate` in itself. */
rf_status rf_fold_copy(rf_node *node);

typedef rf_status (*rf_fold_ints)(const rf_node *node, int64_t a, int64_t b, int64_t *result);
typedef double (*rf_fold_floats)(double a, double b);

/* Output 0 from each element of input 0. A NULL function leaves that kind of type unknown. */
rf_status rf_fold_each(const rf_node *node, int64_t (*ints)(int64_t), double (*floats)(double));

/* Output 0 from each pair of elements of inputs 0 and 1, input 1 shifted as in rf_view_broadcast. */
rf_status rf_fold_pairs(const rf_node *node, int32_t shift, rf_fold_ints ints, rf_fold_floats floats);

/* Output 0 from all inputs taken one after the other, broadcast. */
rf_status rf_fold_series(const rf_node *node, rf_fold_ints ints, rf_fold_floats floats);

/* Sums, differences and products that wrap around as the operators do. */
static inline int64_t rf_wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static inline int64_t rf_wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static inline int64_t rf_wrap_mul(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

#endif
