/* SPDX-License-Identifier: MIT */
/*
 * What MatMul and its forms for 8-bit integers share: NumPy's product of
 * stacks of matrices.
 */
#ifndef RF_OPS_MATMUL_H
#define RF_OPS_MATMUL_H

#include "ops/product.h"

/* Checks the factors at inputs `a` and `b` and gives the shape of their product. */
rf_status rf_matmul_shape(const rf_node *node, uint32_t a, uint32_t b, rf_shape *output);

/* Links of input `input`, one of the factors. */
void rf_matmul_link(const rf_node *node, uint32_t a, uint32_t b, uint32_t input, rf_link *links);

bool rf_matmul_cost(const rf_node *node, uint32_t a, rf_cost *cost);

bool rf_matmul_scratch(const rf_node *node, uint32_t a, uint32_t b, uint64_t *bytes);

/* Calls `each` with the product of every pair of matrices and the element of the output that it
 * begins at. Zero points of *product are kept. */
void rf_matmul_each(const rf_node *node, uint32_t a, uint32_t b, rf_product *product,
                    void (*each)(const rf_node *node, const rf_product *product, uint64_t at));

/* K terms for each of `outputs` elements, and the additions that join them. */
bool rf_count_terms(uint64_t outputs, uint64_t terms, rf_counts *counts);

/* RF_ERROR_SHAPE unless matrix products are defined for the type. */
rf_status rf_check_factor(const rf_node *node, rf_dtype dtype);

#endif
