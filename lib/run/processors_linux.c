/* SPDX-License-Identifier: MIT */
/* Where a process is kept to some processors, more workers than those would wait for each other. */
#define _GNU_SOURCE 1 /* for sched_getaffinity() */

#include "run/processors.h"

#include <sched.h>
#include <unistd.h>

size_t rf_processors(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0)
        return (size_t)CPU_COUNT(&allowed);
    /* More processors than a cpu_set_t has room for. */
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (size_t)online : 1;
}
