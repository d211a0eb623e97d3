/* SPDX-License-Identifier: MIT */
/* Where a system does not say which processors are a process's own, all are. */
#define _DEFAULT_SOURCE 1 /* for _SC_NPROCESSORS_ONLN */
#define _DARWIN_C_SOURCE 1

#include "run/processors.h"

#include <unistd.h>

size_t rf_processors(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}

/* Systems without a call for it are trusted to find idle processors themselves. */
void rf_processors_settle(rf_place *places, size_t count, size_t worker)
{
    (void)places;
    (void)count;
    (void)worker;
}
