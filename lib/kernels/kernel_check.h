/* SPDX-License-Identifier: MIT */
/* The checks that public kernels make of their arguments. `function` names the kernel in errors. */
#ifndef RF_KERNELS_KERNEL_CHECK_H
#define RF_KERNELS_KERNEL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rfield/kernels.h>

#include "ops/window.h"

/* An integer argument and its name. */
typedef struct rf_named_extent {
    const char *name;
    int64_t value;
} rf_named_extent;

/* A pointer argument and its name. */
typedef struct rf_named_pointer {
    const char *name;
    const void *value;
} rf_named_pointer;

/* What convolution and pool descriptors share, rows before columns. */
typedef struct rf_sliding {
    int64_t input[2];
    const int64_t *kernel, *strides, *dilations, *pads;
    bool ceil_mode;
} rf_sliding;

/* Every extent must be 1 or more. */
rf_status rf_kernel_check_extents(const char *function, const rf_named_extent *extents,
                                  size_t count, rf_error *error);

/* No pointer may be NULL. */
rf_status rf_kernel_check_pointers(const char *function, const rf_named_pointer *pointers,
                                   size_t count, rf_error *error);

/* `output` must not be one of the inputs; NULL inputs are passed over. */
rf_status rf_kernel_check_apart(const char *function, const void *output,
                                const rf_named_pointer *inputs, size_t count, rf_error *error);

/* A descriptor's first member and its layout. */
rf_status rf_kernel_check_descriptor(const char *function, size_t size, size_t expected,
                                     rf_layout layout, rf_error *error);

/* A buffer of that many floats must be a possible object. Dims are 1 or more. */
rf_status rf_kernel_check_floats(const char *function, const char *name, const int64_t *dims,
                                 size_t rank, rf_error *error);

/* Checks both axes and makes their windows, whose members then combine without overflow. */
rf_status rf_kernel_check_sliding(const char *function, const rf_sliding *sliding,
                                  rf_window windows[2], rf_error *error);

#endif
