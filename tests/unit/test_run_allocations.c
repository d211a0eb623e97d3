/* SPDX-License-Identifier: MIT */
/*
 * A run allocates nothing: the linker puts the functions of this file in the place of malloc() and its kin
 * (-Wl,--wrap), and they count while a run is on.
 */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/machine.h"
#include "random_plan.h"

enum { PLANS = 300 };

static atomic_size_t calls;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **memory, size_t alignment, size_t bytes);
void __real_free(void *memory);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes);
void __wrap_free(void *memory);

void *__wrap_malloc(size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __real_realloc(memory, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __real_aligned_alloc(alignment, bytes);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    atomic_fetch_add(&calls, 1);
    return __real_posix_memalign(memory, alignment, bytes);
}

void __wrap_free(void *memory)
{
    atomic_fetch_add(&calls, 1);
    __real_free(memory);
}

static const rf_executor backward = {.run = run_backward, .workers = 3};

/* The first run of a session and the second, by one worker or several. */
static void count_runs(const rf_model *model, const rf_executor *executor)
{
    bound_run run;
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.executor = executor;
    bound_run_make(&run, model, &options, 1);
    for (int i = 0; i < 2; i++) {
        rf_error error = {.message = ""};
        size_t before = atomic_load(&calls);
        rf_status status = rf_run(run.session, &error);
        size_t after = atomic_load(&calls);
        if (status != RF_OK)
            fail_msg("%s", error.message);
        assert_int_equal(after - before, 0);
    }
    bound_run_free(&run);
}

static void count_in(const rf_network *network, const rf_compile_options *options)
{
    rf_model *model;
    rf_error error = {.message = ""};
    size_t before = atomic_load(&calls);
    if (rf_compile(network, options, &model, &error) != RF_OK)
        fail_msg("%s", error.message);
    assert_true(atomic_load(&calls) > before); /* counting works */
    count_runs(model, NULL);
    count_runs(model, &backward);
    rf_model_free(model);
}

static void count_everywhere(const rf_network *network)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++) {
        options.isa = (*kernels)->isa;
        count_in(network, &options);
    }
}

static void a_mixed_network(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    count_everywhere(&network);
    options.reference = true;
    count_in(&network, &options);
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
    count_everywhere(network);
    rf_network_free(network);
}

/* Every kind of task, by the kernels and by the plain loops. */
static void random_networks(void **state)
{
    (void)state;
    static random_plan plan;
    static random_plan_inputs inputs;
    const char *text = getenv("RF_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    printf("RF_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < PLANS; i++) {
        random_plan_make(&plan, seed + i);
        rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
        options.reference = i % 3 == 2;
        const rf_network whole = plan.network;
        if (i % 3 == 1)
            random_plan_release(&plan, &inputs); /* whose weights are prepared in the run */
        if (plan.network.output_count)
            count_in(&plan.network, &options);
        plan.network = whole;
        random_plan_free(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_network),
        cmocka_unit_test(a_whole_network),
        cmocka_unit_test(random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
