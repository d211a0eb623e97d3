/* SPDX-License-Identifier: MIT */
/* Element types, shapes and single elements: facts about tensors that need no layer. */
#ifndef RF_OPS_ELEMENT_H
#define RF_OPS_ELEMENT_H

#include "ops/op.h"

/* The product of the dims, all known. False where it exceeds 2^62: sums of two still fit. */
bool rf_shape_elements(const rf_shape *shape, uint64_t *elements);

#endif
