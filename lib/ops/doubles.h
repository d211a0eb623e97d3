/* SPDX-License-Identifier: MIT */
/*
 * Runs of elements as doubles: what the references of windows work on.
 *
 * A window reads an element many times, so its type is looked at once for a
 * run and not at every tap.
 */
#ifndef RF_OPS_DOUBLES_H
#define RF_OPS_DOUBLES_H

#include "ops/op.h"

/* Elements at .. at + count - 1 of a value of a type that rf_value_float reads. */
void rf_doubles_read(const rf_value *value, uint64_t at, uint64_t count, double *to);

/* Stores into an output's buffer, floats rounded once, integers rounded towards zero and limited to
 * the type's range; NaN becomes the integer 0. */
void rf_doubles_write(const rf_value *output, uint64_t at, uint64_t count, const double *from);

/* The smallest and largest element of an integer type, as far as a double can tell. */
void rf_doubles_range(rf_dtype dtype, double *least, double *most);

/* *bytes of `count` doubles and then `more` bytes. False on overflow. */
static inline bool rf_doubles_bytes(uint64_t count, uint64_t more, uint64_t *bytes)
{
    return rf_checked_mul(count, sizeof(double), bytes) && rf_checked_add(*bytes, more, bytes);
}

#endif
