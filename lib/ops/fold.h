/* SPDX-License-Identifier: MIT */
/*
 * What the reference computations of many rows share.
 *
 * They fold shape arithmetic, run what no fast kernel knows and judge the fast
 * kernels, so they favour plainness: integers are int64_t and floats double,
 * whatever their type. An integer of type uint64 is the int64_t of the same
 * bits; what orders or divides integers asks whether it is one.
 */
#ifndef RF_OPS_FOLD_H
#define RF_OPS_FOLD_H

#include <stddef.h>

#include "ops/functions.h"
#include "ops/op.h"

/* Types whose elements rf_value_int and rf_value_float give: bool, all integers and floats of at least
 * a byte, but for the 8-bit floats. */
bool rf_fold_reads(rf_dtype dtype);

/* Of the int64_t of an element: an int64_t whose order is that of the elements. */
static inline int64_t rf_fold_order(rf_dtype dtype, int64_t element)
{
    return dtype == RF_UINT64 ? (int64_t)((uint64_t)element ^ UINT64_C(1) << 63) : element;
}

/* RF_ERROR_UNSUPPORTED that names the types: what an `evaluate` returns for types that it does not
 * compute with. */
rf_status rf_fold_refuse(const rf_node *node);

/* Whether all inputs and outputs are present and of types that arithmetic reads. */
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

/* Goes to element `i`, in row-major order. */
void rf_cursor_seek(rf_cursor *cursor, uint64_t i);

/* One element of any type of whole bytes. */
void rf_fold_move(void *to, uint64_t i, const void *from, uint64_t j, size_t element_bytes);

/* Copies into `out` the elements of `in`, of the same type, that the view names. */
void rf_fold_copy_view(const rf_value *in, const rf_value *out, const rf_view *view);

/* Output 0 holds the elements of input 0 in the same order: an `evaluate` in itself. */
rf_status rf_fold_copy(rf_node *node);

/* The counter of a tally that an operation adds to, or none. */
#define RF_COUNTER(member) offsetof(rf_counts, member)
#define RF_NO_COUNTER SIZE_MAX

/* Adds operations that were done to the tally, where there is one. */
static inline void rf_tally_add(const rf_node *node, size_t counter, uint64_t operations)
{
    if (node->tally && counter != RF_NO_COUNTER)
        *(uint64_t *)(void *)((unsigned char *)node->tally + counter) += operations;
}

/* A function of one element; a NULL function leaves that kind of type unknown. */
typedef struct rf_fold_one {
    int64_t (*ints)(const rf_node *node, int64_t x);
    rf_real_function floats;
    double a, b; /* of `floats` */
    size_t counter;
} rf_fold_one;

/* Output 0 from each element of input 0. */
rf_status rf_fold_each(const rf_node *node, const rf_fold_one *function);

/* A function of two elements. `floats` computes too where only one of them is a float. */
typedef struct rf_fold_two {
    rf_status (*ints)(const rf_node *node, int64_t a, int64_t b, int64_t *result);
    double (*floats)(double a, double b);
    size_t counter;
} rf_fold_two;

/* Output 0 from each pair of elements of inputs 0 and 1, input 1 shifted as in rf_view_broadcast. */
rf_status rf_fold_pairs(const rf_node *node, int32_t shift, const rf_fold_two *function);

/* Output 0 from all inputs taken one after the other, broadcast; with `mean`, divided by their number. */
rf_status rf_fold_series(const rf_node *node, const rf_fold_two *function, bool mean);

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
