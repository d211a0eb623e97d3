/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads, on pthreadpool.
 *
 * Between two runs its threads could spin, ready at once, or sleep. They sleep: a
 * spinning thread takes its processor from whoever else needs it, another process
 * or another pool, and is in turn put off when it has work, so that two busy
 * processes would slow each other far beyond their share. Within a run they are
 * awake (run/crew.c); what a thread wakes up too late for, the others do.
 */
#include <rfield/run.h>

#include <pthread.h>
#include <pthreadpool.h>
#include <stdlib.h>

#include "base/failure.h"
#include "run/processors.h"

enum { MOST_WORKERS = 1024 };

struct rf_threads {
    pthreadpool_t pool;
    size_t count;
    rf_place *places; /* of the workers in the present run */
};

static void *pass_gate(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Whether the system lets us have that many threads at once. pthreadpool does not look at the
 * answer and would wait for ever for a thread that never began. */
static bool can_start(size_t count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[MOST_WORKERS];
    size_t started = 0;
    pthread_mutex_lock(&gate);
    while (started < count && pthread_create(&threads[started], NULL, pass_gate, &gate) == 0)
        started++;
    pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&gate);
    return started == count;
}

static rf_status start(size_t count, rf_threads *threads, rf_error *error)
{
    threads->count = count;
    threads->places = malloc(count * sizeof *threads->places);
    if (!threads->places)
        return rf_fail(error, RF_ERROR_MEMORY, "count", "no memory for a pool of %zu workers", count);
    if (!can_start(count - 1))
        return rf_fail(error, RF_ERROR_MEMORY, "count", "the system refuses to start %zu threads", count - 1);
    threads->pool = pthreadpool_create(count);
    if (!threads->pool)
        return rf_fail(error, RF_ERROR_MEMORY, "count", "no memory for a pool of %zu workers", count);
    return RF_OK;
}

rf_status rf_threads_make(size_t count, rf_threads **threads, rf_error *error)
{
    if (!threads)
        return rf_fail(error, RF_ERROR_ARGUMENT, "threads", "rf_threads_make: threads is NULL");
    *threads = NULL;
    size_t workers = count ? count : rf_processors();
    if (count > MOST_WORKERS)
        return rf_fail(error, RF_ERROR_ARGUMENT, "count", "rf_threads_make: count is %zu; expected at most %d",
                       count, MOST_WORKERS);
    rf_threads *made = calloc(1, sizeof *made);
    if (!made)
        return rf_fail(error, RF_ERROR_MEMORY, "count", "no memory for a pool of %zu workers", workers);
    rf_status status = start(workers < MOST_WORKERS ? workers : MOST_WORKERS, made, error);
    if (status == RF_OK)
        *threads = made;
    else
        rf_threads_free(made);
    return status;
}

/* What one worker is told. */
typedef struct task {
    const rf_threads *threads;
    void (*body)(void *argument, size_t worker);
    void *argument;
} task;

static void work(void *given, size_t worker)
{
    const task *at = given;
    rf_processors_settle(at->threads->places, at->threads->count, worker);
    at->body(at->argument, worker);
}

static void run(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers)
{
    const rf_threads *threads = context;
    task all = {threads, body, argument};
    for (size_t i = 0; i < threads->count; i++)
        atomic_store_explicit(&threads->places[i], -1, memory_order_relaxed);
    pthreadpool_parallelize_1d(threads->pool, work, &all, workers, PTHREADPOOL_FLAG_YIELD_WORKERS);
}

rf_executor rf_threads_executor(rf_threads *threads)
{
    return (rf_executor){.run = run, .context = threads, .workers = threads->count};
}

void rf_threads_free(rf_threads *threads)
{
    if (!threads)
        return;
    if (threads->pool)
        pthreadpool_destroy(threads->pool);
    free(threads->places);
    free(threads);
}
