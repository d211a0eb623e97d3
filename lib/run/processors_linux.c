/* SPDX-License-Identifier: MIT */
/*
 * Where a process is kept to some processors, more workers than those would wait for each other.
 *
 * A thread that wakes may do so on the processor of the thread that woke it, though another is idle:
 * Linux looks for an idle one only among those that it knows to share a cache, and in a virtual
 * machine it often knows of none. It puts that right in a few milliseconds, when a run may be over.
 */
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

/* The processors that this thread may use and no other worker has taken. */
static bool find_free(const rf_place *places, size_t count, const cpu_set_t *allowed, cpu_set_t *others)
{
    *others = *allowed;
    for (size_t i = 0; i < count; i++) {
        int taken = atomic_load_explicit(&places[i], memory_order_relaxed);
        if (taken >= 0 && taken < CPU_SETSIZE)
            CPU_CLR((size_t)taken, others);
    }
    return CPU_COUNT(others) > 0;
}

static bool is_taken(const rf_place *places, size_t count, size_t worker, int processor)
{
    bool taken = false;
    for (size_t i = 0; i < count; i++)
        taken |= i != worker && atomic_load_explicit(&places[i], memory_order_relaxed) == processor;
    return taken;
}

void rf_processors_settle(rf_place *places, size_t count, size_t worker)
{
    cpu_set_t allowed, others;
    int here = sched_getcpu();
    if (is_taken(places, count, worker, here) && sched_getaffinity(0, sizeof allowed, &allowed) == 0
        && find_free(places, count, &allowed, &others) && sched_setaffinity(0, sizeof others, &others) == 0) {
        /* It has moved; from here on the system may move it again. */
        here = sched_getcpu();
        sched_setaffinity(0, sizeof allowed, &allowed);
    }
    atomic_store_explicit(&places[worker], here, memory_order_relaxed);
}
