/* SPDX-License-Identifier: MIT */
/* Checks that rows of several families make, each with its one-line failure. */
#ifndef RF_OPS_CHECKS_H
#define RF_OPS_CHECKS_H

#include "ops/op.h"

/* RF_ERROR_LIMIT where an output of that rank cannot be described. */
rf_status rf_check_rank(const rf_node *node, uint64_t rank);

/* RF_ERROR_SHAPE that names both types where inputs `i` and `j`, both present, differ. */
rf_status rf_check_same_dtype(const rf_node *node, uint32_t i, uint32_t j);

/* RF_ERROR_SHAPE unless input `i`, if present, has the type. */
rf_status rf_check_dtype(const rf_node *node, uint32_t i, rf_dtype dtype);

/* RF_ERROR_SHAPE unless input `i`, if present, holds integers. */
rf_status rf_check_integer(const rf_node *node, uint32_t i);

/* RF_ERROR_SHAPE unless input `i` holds indices, int32 or int64. */
rf_status rf_check_index_type(const rf_node *node, uint32_t i);

/* Makes `index` (negative from the end) a place below `extent`. */
rf_status rf_check_index(const rf_node *node, int64_t index, int64_t extent, int64_t *place);

/* Where in a tensor of these extents and strides tuple `row` of `indices`, rows of `count`, points. */
rf_status rf_check_tuple(const rf_node *node, const rf_value *indices, uint64_t row, int32_t count,
                         const int64_t *dims, const int64_t *strides, int64_t *at);

/* Whether input 0 has elements that can be moved one by one: of whole bytes, and not strings. */
static inline bool rf_is_movable(const rf_node *node)
{
    return rf_dtype_bits(node->inputs[0]->dtype) >= 8;
}

/* The real shape of a ragged output, for `evaluate`. */
void rf_settle_shape(rf_value *output, const rf_shape *shape);

/* RF_ERROR_SHAPE unless input `i`, if present, is a list. */
rf_status rf_check_list(const rf_node *node, uint32_t i, const char *what);

/* RF_ERROR_SHAPE unless input `i`, if present, has exactly one element. */
rf_status rf_check_single(const rf_node *node, uint32_t i, const char *what);

/* Makes a shape of `ints`, each of which must be 0 or more. */
rf_status rf_check_extents(const rf_node *node, const rf_ints *ints, const char *what, rf_shape *shape);

/* The axes listed, negative ones counted from the end, as a set of bits; none may occur twice. */
rf_status rf_check_axes(const rf_node *node, const rf_ints *axes, int64_t rank, uint32_t *set);

#endif
