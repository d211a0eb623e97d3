/* SPDX-License-Identifier: MIT */
#ifndef RF_RUN_PROCESSORS_H
#define RF_RUN_PROCESSORS_H

#include <stddef.h>

/* How many processors this process may use; at least 1. */
size_t rf_processors(void);

#endif
