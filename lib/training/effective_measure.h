/* SPDX-License-Identifier: MIT */
/* The numbers that sum an effective field up. */
#ifndef RF_TRAINING_EFFECTIVE_MEASURE_H
#define RF_TRAINING_EFFECTIVE_MEASURE_H

#include <rfield/effective_field.h>

/* From weights, extents and the theoretical field: all the other numbers. Weights are finite and not negative. */
void rf_effective_measure(rf_effective_field *field);

#endif
