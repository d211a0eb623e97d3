/* SPDX-License-Identifier: MIT */
/*
 * The same bits, however many workers there are and in whatever order they come; sessions of one model on
 * several threads at once. Worth running in a build with -Db_sanitize=thread.
 */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <pthread.h>

#include <cmocka.h>

#include "kernels/machine.h"
#include "plan/model.h"

enum { MOST_THREADS = 8, CALLERS = 4, ROUNDS = 20 };

/* ---- Executors ---------------------------------------------------------------------------- */

typedef struct errand {
    void (*body)(void *argument, size_t worker);
    void *argument;
    size_t worker;
} errand;

static void *go(void *context)
{
    const errand *own = context;
    own->body(own->argument, own->worker);
    return NULL;
}

/* A thread for each worker, begun and ended each time: all that it does, a thread sanitizer sees. */
static void run_on_new_threads(void *context, void (*body)(void *argument, size_t worker), void *argument,
                               size_t workers)
{
    pthread_t threads[MOST_THREADS];
    errand errands[MOST_THREADS];
    (void)context;
    for (size_t i = 1; i < workers; i++) {
        errands[i] = (errand){body, argument, i};
        if (pthread_create(&threads[i], NULL, go, &errands[i]) != 0)
            fail_msg("no thread");
    }
    body(argument, 0);
    for (size_t i = 1; i < workers; i++)
        pthread_join(threads[i], NULL);
}

/* ---- Workers of one run ------------------------------------------------------------------- */

static rf_model *compiled_for(const rf_network *network, const char *isa)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.isa = isa;
    return compiled(network, &options);
}

static void expect_same(const rf_model *model, const rf_executor *executor, const bound_run *wanted)
{
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.executor = executor;
    bound_run run;
    bound_run_make(&run, model, &options, 1);
    for (int i = 0; i < 3; i++) {
        memset(run.outputs[0].start, 0, run.outputs[0].bytes);
        bound_run_go(&run);
        if (!bound_runs_agree(&run, wanted))
            fail_msg("the bits depend on %zu workers", executor->workers);
    }
    bound_run_free(&run);
}

/* Of our pool, as far as the build has one. */
static void expect_same_of_pools(const rf_model *model, const bound_run *wanted)
{
    for (size_t count = 1; count <= MOST_THREADS; count++) {
        rf_threads *threads;
        rf_status status = rf_threads_make(count, &threads, NULL);
        if (status == RF_ERROR_UNSUPPORTED)
            return;
        assert_int_equal(status, RF_OK);
        rf_executor executor = rf_threads_executor(threads);
        expect_same(model, &executor, wanted);
        rf_threads_free(threads);
    }
}

static void check_workers(const rf_model *model, bool pools)
{
    bound_run wanted;
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    size_t calls = 0;
    for (size_t workers = 2; workers <= MOST_THREADS; workers += 3) {
        rf_executor backward = {.run = run_backward, .context = &calls, .workers = workers};
        rf_executor scattered = {.run = run_on_new_threads, .workers = workers};
        expect_same(model, &backward, &wanted);
        expect_same(model, &scattered, &wanted);
    }
    assert_true(calls > 0);
    if (pools)
        expect_same_of_pools(model, &wanted);
    bound_run_free(&wanted);
}

static void any_number_of_workers(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++) {
        rf_model *model = compiled_for(&network, (*kernels)->isa);
        check_workers(model, kernels == rf_machine_kernels());
        rf_model_free(model);
    }
}

static void a_whole_network(void **state)
{
    (void)state;
    const rf_network *network;
    rf_error error = {.message = ""};
    rf_status status = rf_network_load(RF_TEST_NETWORKS "/squeezenet1_1.onnx", NULL, &network, &error);
    if (status == RF_ERROR_UNSUPPORTED)
        skip(); /* built without ONNX */
    if (status != RF_OK)
        fail_msg("%s", error.message);
    rf_model *model = compiled(network, NULL);
    bound_run wanted;
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    expect_same_of_pools(model, &wanted);
    bound_run_free(&wanted);
    rf_model_free(model);
    rf_network_free(network);
}

/* ---- Workers that prepare weights --------------------------------------------------------- */

static rf_model *prepared_by(const rf_network *network, const rf_executor *executor)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.executor = executor;
    return compiled(network, &options);
}

static void expect_same_weights(const rf_network *network, const rf_executor *executor, const rf_model *wanted)
{
    rf_model *model = prepared_by(network, executor);
    bound_run run, other;
    assert_int_equal(model->plan.step_count, wanted->plan.step_count);
    for (size_t s = 0; s < wanted->plan.step_count; s++) {
        const rf_step *own = &model->plan.steps[s], *step = &wanted->plan.steps[s];
        assert_int_equal(own->work.packed_bytes, step->work.packed_bytes);
        if (step->work.packed_bytes
            && memcmp(own->packed->memory, step->packed->memory, (size_t)step->work.packed_bytes) != 0)
            fail_msg("the weights of step %zu depend on who prepares them: %zu workers", s, executor->workers);
    }
    bound_run_make(&run, model, NULL, 1);
    bound_run_make(&other, wanted, NULL, 1);
    bound_run_go(&run);
    bound_run_go(&other);
    assert_true(bound_runs_agree(&run, &other));
    bound_run_free(&run);
    bound_run_free(&other);
    rf_model_free(model);
}

static void weights_by_any_number_of_workers(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *wanted = prepared_by(&network, NULL);
    size_t calls = 0;
    for (size_t workers = 1; workers <= 3; workers++) {
        rf_executor backward = {.run = run_backward, .context = &calls, .workers = workers};
        rf_executor scattered = {.run = run_on_new_threads, .workers = workers};
        expect_same_weights(&network, &backward, wanted);
        expect_same_weights(&network, &scattered, wanted);
    }
    assert_int_equal(calls, 2); /* one worker needs no executor */
    rf_model_free(wanted);
}

/* ---- Sessions on several threads ---------------------------------------------------------- */

typedef struct caller {
    bound_run run;
    const bound_run *wanted;
    bool good;
} caller;

/* CMocka's assertions belong to the main thread. */
static void *run_often(void *context)
{
    caller *own = context;
    own->good = true;
    for (int i = 0; i < ROUNDS && own->good; i++) {
        memset(own->run.outputs[0].start, 0, own->run.outputs[0].bytes);
        own->good = rf_run(own->run.session, NULL) == RF_OK && bound_runs_agree(&own->run, own->wanted);
    }
    return NULL;
}

static void run_at_once(const rf_model *model, const rf_executor *executor)
{
    caller callers[CALLERS];
    bound_run wanted;
    pthread_t threads[CALLERS];
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.executor = executor;
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.wanted = &wanted};
        bound_run_make(&callers[i].run, model, &options, 1);
    }
    for (size_t i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, &callers[i]), 0);
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_true(callers[i].good);
        bound_run_free(&callers[i].run);
    }
    bound_run_free(&wanted);
}

static void sessions_side_by_side(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *model = compiled(&network, NULL);
    run_at_once(model, NULL);
    rf_model_free(model);
}

/* Whose runs wait for each other. */
static void sessions_of_one_pool(void **state)
{
    (void)state;
    rf_threads *threads;
    if (rf_threads_make(2, &threads, NULL) == RF_ERROR_UNSUPPORTED)
        skip();
    rf_executor executor = rf_threads_executor(threads);
    rf_network network = mixed_network();
    rf_model *model = compiled(&network, NULL);
    run_at_once(model, &executor);
    rf_model_free(model);
    rf_threads_free(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_workers),
        cmocka_unit_test(a_whole_network),
        cmocka_unit_test(weights_by_any_number_of_workers),
        cmocka_unit_test(sessions_side_by_side),
        cmocka_unit_test(sessions_of_one_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
