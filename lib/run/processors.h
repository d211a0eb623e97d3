/* SPDX-License-Identifier: MIT */
#ifndef RF_RUN_PROCESSORS_H
#define RF_RUN_PROCESSORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How many processors this process may use; at least 1. */
size_t rf_processors(void);

/* The processor that a worker is on, or -1. */
typedef atomic_int rf_place;

/* Moves the calling thread off a processor on which another of `count` workers is, where this process
 * may use one on which none is, and notes where it is now. */
void rf_processors_settle(rf_place *places, size_t count, size_t worker);

#endif
