/* SPDX-License-Identifier: MIT */
/* Products of two matrices that are both known only in a run, or differ from batch to batch. */
#ifndef RF_KERNELS_VECTOR_DYNAMIC_MATMUL_H
#define RF_KERNELS_VECTOR_DYNAMIC_MATMUL_H

#include "kernels/kernel.h"
#include "kernels/vector/vector.h"

bool RF_ISA_NAME(rf_make_dynamic_matmul)(const rf_matmul_spec *spec, rf_arena *arena, rf_work *work);

#endif
