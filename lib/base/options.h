/* SPDX-License-Identifier: MIT */
/* Option structs that may grow: each begins with its own size. */
#ifndef RF_BASE_OPTIONS_H
#define RF_BASE_OPTIONS_H

#include <stddef.h>

#include <rfield/status.h>

/*
 * Puts what a caller gave over the defaults in `options`, a struct of `size` bytes. A caller built
 * against an older header passes a shorter struct: what it lacks keeps its default. `given` may be
 * NULL. RF_ERROR_ARGUMENT for one without a size; `type` and `defaults` name struct and initialiser.
 */
rf_status rf_options_take(void *options, size_t size, const void *given, const char *type,
                          const char *defaults, rf_error *error);

#endif
