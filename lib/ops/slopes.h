/* SPDX-License-Identifier: MIT */
/* Derivatives of the functions of one element, in double. */
#ifndef RF_OPS_SLOPES_H
#define RF_OPS_SLOPES_H

#include "ops/functions.h"

/*
 * f'(x), `a` and `b` those of f. Where f has a kink, the slope is the one that PyTorch takes: 0 of a Relu and
 * of |x| at 0, 1 of a clip at its bounds. NaN gives NaN. Never NULL for a function below RF_MAP_FUNCTIONS.
 *
 * With `of_output`, x is what f put out, which only a sigmoid and a tanh can be told by; NULL for others.
 * (A Relu, a LeakyRelu of positive slope and a ThresholdedRelu above 0 have the same slope at their output as
 * at their input, so they need no such form.)
 */
rf_real_function rf_map_slope(rf_map_function function, bool of_output);

#endif
