/* SPDX-License-Identifier: MIT */
/* From numbers of layers to what they mean. */
#ifndef RF_TRAINING_GRADIENT_VERDICT_H
#define RF_TRAINING_GRADIENT_VERDICT_H

#include <rfield/gradient_report.h>

#include "base/arena.h"

/* Fills what follows from each layer and the next. */
void rf_compare_layers(rf_layer_gradient *layers, size_t count);

/* Fills the means, the verdict and the reason of a report whose layers are complete. False without memory. */
bool rf_judge_gradients(rf_gradient_report *report, rf_arena *arena);

#endif
