/* SPDX-License-Identifier: MIT */
/* The functions of one element in double: what every rf_map_function means. */
#ifndef RF_OPS_FUNCTIONS_H
#define RF_OPS_FUNCTIONS_H

#include "ops/task.h"

/* `a` and `b` are those of rf_map; functions without parameters ignore them. */
typedef double (*rf_real_function)(double x, double a, double b);

/* Never NULL for a function below RF_MAP_FUNCTIONS. */
rf_real_function rf_map_real(rf_map_function function);

#endif
