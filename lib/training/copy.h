/* SPDX-License-Identifier: MIT */
/* Parts of a description copied to an arena: all but the elements of tensors. False without memory. */
#ifndef RF_TRAINING_COPY_H
#define RF_TRAINING_COPY_H

#include <rfield/network.h>

#include "base/arena.h"

bool rf_copy_text(rf_arena *arena, const char *text, const char **copy); /* NULL stays NULL */
bool rf_copy_tensors(rf_arena *arena, const rf_tensor *tensors, size_t count, rf_tensor *copies);
/* Without those that have a name of `without`, a list ended by NULL. */
bool rf_copy_attributes(rf_arena *arena, const rf_attribute *attributes, const char *const *without,
                        const rf_attribute **copies);

#endif
