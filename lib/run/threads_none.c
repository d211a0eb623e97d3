/* SPDX-License-Identifier: MIT */
/* Stands in for threads.c in a build without threads: the caller does all the work. */
#include <rfield/run.h>

#include <stdlib.h>

#include "base/failure.h"

struct rf_threads {
    size_t count;
};

rf_status rf_threads_make(size_t count, rf_threads **threads, rf_error *error)
{
    if (!threads)
        return rf_fail(error, RF_ERROR_ARGUMENT, "threads", "rf_threads_make: threads is NULL");
    *threads = NULL;
    if (count > 1)
        return rf_fail(error, RF_ERROR_UNSUPPORTED, "threads",
                       "this build of rfield has no threads (the Meson option `threads`), so that it has 1 "
                       "worker, not %zu", count);
    rf_threads *made = malloc(sizeof *made);
    if (!made)
        return rf_fail(error, RF_ERROR_MEMORY, "count", "no memory for a pool of 1 worker");
    made->count = 1;
    *threads = made;
    return RF_OK;
}

static void run(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers)
{
    (void)context;
    for (size_t worker = 0; worker < workers; worker++)
        body(argument, worker);
}

rf_executor rf_threads_executor(rf_threads *threads)
{
    return (rf_executor){.run = run, .context = threads, .workers = threads->count};
}

void rf_threads_free(rf_threads *threads)
{
    free(threads);
}
