/* SPDX-License-Identifier: MIT */
/* A pool calls a body once for each worker, whoever else calls it, and sleeps in between. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rfield/run.h>

enum { MOST = 64 };

/* What the workers of one call did. */
typedef struct call_tally {
    atomic_int calls[MOST];
    atomic_int together;
    pthread_t caller;
    atomic_bool elsewhere; /* some worker ran on another thread than the caller's */
} call_tally;

static void count(void *argument, size_t worker)
{
    call_tally *tally = argument;
    atomic_fetch_add(&tally->calls[worker], 1);
    if (!pthread_equal(pthread_self(), tally->caller))
        atomic_store(&tally->elsewhere, true);
}

static void run_once(const rf_executor *executor, size_t workers)
{
    call_tally tally = {.caller = pthread_self()};
    executor->run(executor->context, count, &tally, workers);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(atomic_load(&tally.calls[i]), i < workers);
}

/* Skips where the library was built without threads. */
static rf_threads *make_or_skip(size_t workers)
{
    rf_threads *threads;
    rf_error error = {.message = ""};
    rf_status status = rf_threads_make(workers, &threads, &error);
    if (status == RF_ERROR_UNSUPPORTED) {
        assert_null(threads);
        assert_non_null(strstr(error.message, "`threads`"));
        skip();
    }
    assert_int_equal(status, RF_OK);
    return threads;
}

static void test_each_worker_once(void **state)
{
    (void)state;
    for (size_t workers = 1; workers <= 5; workers++) {
        rf_threads *threads = make_or_skip(workers);
        rf_executor executor = rf_threads_executor(threads);
        assert_int_equal(executor.workers, workers);
        for (int i = 0; i < 300; i++)
            run_once(&executor, 1 + (size_t)i % workers);
        rf_threads_free(threads);
    }
}

static void test_one_for_each_processor(void **state)
{
    (void)state;
    rf_threads *threads;
    assert_int_equal(rf_threads_make(0, &threads, NULL), RF_OK);
    rf_executor executor = rf_threads_executor(threads);
    assert_true(executor.workers >= 1 && executor.workers <= (size_t)sysconf(_SC_NPROCESSORS_CONF));
    run_once(&executor, 1);
    rf_threads_free(threads);
}

static void test_one_worker_is_the_caller(void **state)
{
    (void)state;
    rf_threads *threads;
    assert_int_equal(rf_threads_make(1, &threads, NULL), RF_OK);
    rf_executor executor = rf_threads_executor(threads);
    call_tally tally = {.caller = pthread_self()};
    executor.run(executor.context, count, &tally, 1);
    assert_int_equal(atomic_load(&tally.calls[0]), 1);
    assert_false(atomic_load(&tally.elsewhere));
    rf_threads_free(threads);
}

/* Two that can only both return when they run at the same time. */
static void meet(void *argument, size_t worker)
{
    call_tally *tally = argument;
    (void)worker;
    atomic_fetch_add(&tally->together, 1);
    while (atomic_load(&tally->together) < 2)
        sched_yield();
}

static void test_side_by_side(void **state)
{
    (void)state;
    rf_threads *threads = make_or_skip(2);
    rf_executor executor = rf_threads_executor(threads);
    for (int i = 0; i < 100; i++) {
        call_tally tally = {.together = 0};
        executor.run(executor.context, meet, &tally, 2);
        assert_int_equal(atomic_load(&tally.together), 2);
    }
    rf_threads_free(threads);
}

static void *call_often(void *executor)
{
    for (int i = 0; i < 500; i++)
        run_once(executor, 2);
    return NULL;
}

static void test_several_callers(void **state)
{
    (void)state;
    rf_threads *threads = make_or_skip(2);
    rf_executor executor = rf_threads_executor(threads);
    pthread_t callers[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, &executor), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(callers[i], NULL);
    rf_threads_free(threads);
}

/* Seconds of processor time that the process has used. */
static double used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           + 1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void test_waiting_costs_nothing(void **state)
{
    (void)state;
    rf_threads *threads = make_or_skip(4);
    rf_executor executor = rf_threads_executor(threads);
    run_once(&executor, 4);
    double before = used();
    const struct timespec pause = {.tv_nsec = 300000000};
    nanosleep(&pause, NULL);
    assert_true(used() - before < 0.05);
    rf_threads_free(threads);
}

static void test_arguments(void **state)
{
    (void)state;
    rf_threads *threads = (rf_threads *)&threads;
    rf_error error = {.message = ""};
    assert_int_equal(rf_threads_make(2, NULL, &error), RF_ERROR_ARGUMENT);
    rf_status status = rf_threads_make(SIZE_MAX, &threads, &error);
    assert_true(status == RF_ERROR_ARGUMENT || status == RF_ERROR_UNSUPPORTED);
    assert_null(threads);
    rf_threads_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_worker_once),
        cmocka_unit_test(test_one_for_each_processor),
        cmocka_unit_test(test_one_worker_is_the_caller),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_several_callers),
        cmocka_unit_test(test_waiting_costs_nothing),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
