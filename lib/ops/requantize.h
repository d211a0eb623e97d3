/* SPDX-License-Identifier: MIT */
/* How sums of products of quantised numbers become quantised numbers themselves: said once for the
 * references and for the kernels, which have to round alike. */
#ifndef RF_OPS_REQUANTIZE_H
#define RF_OPS_REQUANTIZE_H

#include "ops/op.h"

/* A value's number that goes with channel `i`: it has one for all, or one for each. */
static inline double rf_requantize_number(const rf_value *value, uint64_t i)
{
    return rf_value_float(value, rf_elements(&value->shape) > 1 ? i : 0);
}

/* What a sum of channel `i` is multiplied with before it is rounded, halves to even. */
static inline double rf_requantize_factor(const rf_value *data_scale, const rf_value *weight_scale,
                                          const rf_value *output_scale, uint64_t i)
{
    return rf_value_float(data_scale, 0) * rf_requantize_number(weight_scale, i) / rf_value_float(output_scale, 0);
}

#endif
