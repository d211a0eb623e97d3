/* SPDX-License-Identifier: MIT */
/*
 * Random networks, run three ways: by plain loops layer by layer, and as the plan
 * makes them, with each instruction set, for NCHW and NHWC, by one worker and by
 * several in a random order. All must agree, the last to the bit, as they must where
 * weights are copied from their backing before they are packed. So they must once
 * more where some of the constants, weights mostly, become inputs instead.
 *
 * RF_SEED is the first network's seed, RF_CASES how many there are.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/machine.h"
#include "random_plan.h"

enum { CASES = 400, WORKERS = 5 };

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static size_t elements_of(const rf_shape *shape)
{
    size_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= (size_t)shape->dims[k];
    return count;
}

/* What came out, one buffer for each output. */
typedef struct results {
    float *at[PLAN_TENSORS];
} results;

static void results_take(const random_plan *plan, results *made)
{
    for (size_t o = 0; o < plan->network.output_count; o++) {
        made->at[o] = malloc(elements_of(&plan->outputs[o].shape) * sizeof(float) + 4);
        assert_non_null(made->at[o]);
    }
}

static void results_free(const random_plan *plan, results *made)
{
    for (size_t o = 0; o < plan->network.output_count; o++)
        free(made->at[o]);
}

/* Workers one after the other, last first: any order must do. */
static void run_backward(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers)
{
    (void)context;
    while (workers-- > 0)
        body(argument, workers);
}

static const rf_executor backward = {.run = run_backward, .workers = WORKERS};

static bool bind_inputs(const random_plan *plan, rf_session *session, const float *input, const void *const *others,
                        rf_error *error)
{
    bool bound = true;
    for (size_t i = 0; i < plan->network.input_count && bound; i++) {
        const rf_tensor *tensor = &plan->network.inputs[i];
        bound = rf_session_bind_input(session, tensor->name, i ? others[i] : input,
                                      elements_of(&tensor->shape) * sizeof(float), error) == RF_OK;
    }
    return bound;
}

/* False, with the reason told, where the network is refused. */
static bool run_plan(const random_plan *plan, const rf_compile_options *options, const rf_executor *executor,
                     const float *input, const void *const *others, results *made)
{
    rf_error error;
    rf_model *model;
    rf_session *session;
    rf_session_options how = RF_SESSION_OPTIONS_DEFAULT;
    how.executor = executor;
    if (rf_compile(&plan->network, options, &model, &error) != RF_OK) {
        printf("compile: %s\n", error.message);
        return false;
    }
    assert_int_equal(rf_session_make(model, &how, &session, &error), RF_OK);
    bool ran = bind_inputs(plan, session, input, others, &error);
    for (size_t o = 0; o < plan->network.output_count && ran; o++)
        ran = rf_session_bind(session, plan->outputs[o].name, made->at[o],
                              elements_of(&plan->outputs[o].shape) * sizeof(float), &error) == RF_OK;
    ran = ran && rf_run(session, &error) == RF_OK;
    if (!ran)
        printf("run: %s\n", error.message);
    rf_session_free(session);
    rf_model_free(model);
    return ran;
}

/* Where element i of an NCHW tensor lies in NHWC. */
static size_t place_in_nhwc(const rf_shape *shape, size_t i)
{
    size_t channels = (size_t)shape->dims[1], plane = (size_t)(shape->dims[2] * shape->dims[3]);
    size_t image = i / (channels * plane), channel = i / plane % channels, pixel = i % plane;
    return (image * plane + pixel) * channels + channel;
}

static bool is_close(const random_plan *plan, const results *wanted, const results *got, bool turned)
{
    for (size_t o = 0; o < plan->network.output_count; o++) {
        const rf_shape *shape = &plan->outputs[o].shape;
        size_t count = elements_of(shape);
        double largest = 1e-3;
        for (size_t i = 0; i < count; i++)
            if (isfinite(wanted->at[o][i]) && fabs((double)wanted->at[o][i]) > largest)
                largest = fabs((double)wanted->at[o][i]);
        for (size_t i = 0; i < count; i++) {
            float a = wanted->at[o][i];
            float b = got->at[o][turned && shape->rank == 4 ? place_in_nhwc(shape, i) : i];
            if (a == b || (a != a && b != b) || fabs((double)a - (double)b) <= 1e-4 * largest)
                continue;
            printf("output %s, element %zu: %.9g instead of %.9g (largest %.3g)\n", plan->outputs[o].name, i, (double)b,
                   (double)a, largest);
            return false;
        }
    }
    return true;
}

static bool is_same(const random_plan *plan, const results *a, const results *b)
{
    for (size_t o = 0; o < plan->network.output_count; o++)
        if (memcmp(a->at[o], b->at[o], elements_of(&plan->outputs[o].shape) * sizeof(float)) != 0) {
            printf("output %s depends on who works\n", plan->outputs[o].name);
            return false;
        }
    return true;
}

static bool copy_from(void *context, const void *from, size_t bytes, void *to)
{
    const rf_network *network = context;
    for (size_t i = 0; i < network->constant_count; i++) {
        const rf_tensor *constant = &network->constants[i];
        size_t at = (uintptr_t)from - (uintptr_t)constant->data;
        if (constant->data && at < constant->data_bytes && bytes <= constant->data_bytes - at) {
            memcpy(to, from, bytes);
            return true;
        }
    }
    fail_msg("%zu bytes are read that are no constant's", bytes);
    return false;
}

static void forget_nothing(void *context, const void *from, size_t bytes)
{
    (void)context;
    (void)from;
    (void)bytes;
}

static bool check_backing(random_plan *plan, rf_compile_options *options, const float *input, const results *wanted,
                          results *made)
{
    const rf_backing backing = {.read = copy_from, .forget = forget_nothing, .context = &plan->network};
    plan->network.backing = &backing;
    options->executor = &backward;
    bool good = run_plan(plan, options, NULL, input, NULL, made) && is_same(plan, wanted, made);
    options->executor = NULL;
    plan->network.backing = NULL;
    return good;
}

static bool check_layouts(random_plan *plan, const rf_kernels *kernels, const float *input, const float *turned,
                          const results *wanted)
{
    results one, many;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.isa = kernels->isa;
    results_take(plan, &one);
    results_take(plan, &many);
    bool good = run_plan(plan, &options, NULL, input, NULL, &one) && is_close(plan, wanted, &one, false)
        && run_plan(plan, &options, &backward, input, NULL, &many) && is_same(plan, &one, &many)
        && check_backing(plan, &options, input, &one, &many);
    options.layout = RF_NHWC;
    good = good && run_plan(plan, &options, NULL, turned, NULL, &one) && is_close(plan, wanted, &one, true);
    if (!good)
        printf("by %s\n", kernels->isa);
    results_free(plan, &one);
    results_free(plan, &many);
    return good;
}

/* As before, by kernels that prepare weights in the run. */
static bool check_released(random_plan *plan, const rf_kernels *kernels, const float *input, const results *wanted)
{
    static random_plan_inputs inputs;
    const rf_network whole = plan->network;
    results one, many;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.isa = kernels->isa;
    results_take(plan, &one);
    results_take(plan, &many);
    random_plan_release(plan, &inputs);
    bool good = run_plan(plan, &options, NULL, input, inputs.data, &one) && is_close(plan, wanted, &one, false)
        && run_plan(plan, &options, &backward, input, inputs.data, &many) && is_same(plan, &one, &many);
    if (!good)
        printf("by %s, with %zu inputs\n", kernels->isa, plan->network.input_count);
    plan->network = whole;
    results_free(plan, &one);
    results_free(plan, &many);
    return good;
}

static bool check_network(uint64_t seed)
{
    static random_plan plan;
    random_plan_make(&plan, seed);
    if (!plan.network.output_count) {
        random_plan_free(&plan);
        return true;
    }
    size_t count = elements_of(&plan.input.shape);
    float *input = malloc(count * sizeof *input), *turned = malloc(count * sizeof *turned);
    assert_true(input && turned);
    for (size_t i = 0; i < count; i++) {
        input[i] = random_plan_float(&plan);
        turned[plan.input.shape.rank == 4 ? place_in_nhwc(&plan.input.shape, i) : i] = input[i];
    }
    results wanted;
    rf_compile_options plain = RF_COMPILE_OPTIONS_DEFAULT;
    plain.reference = true;
    results_take(&plan, &wanted);
    bool good = run_plan(&plan, &plain, NULL, input, NULL, &wanted);
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels && good; kernels++)
        good = check_layouts(&plan, *kernels, input, turned, &wanted)
            && check_released(&plan, *kernels, input, &wanted);
    if (!good) {
        printf("RF_SEED=%llu RF_CASES=1\n", (unsigned long long)seed);
        random_plan_print(&plan);
    }
    results_free(&plan, &wanted);
    random_plan_free(&plan);
    free(input);
    free(turned);
    return good;
}

static void test_networks(void **state)
{
    (void)state;
    uint64_t seed = number_from("RF_SEED", 1), cases = number_from("RF_CASES", CASES), bad = 0;
    printf("RF_SEED=%llu RF_CASES=%llu\n", (unsigned long long)seed, (unsigned long long)cases);
    for (uint64_t i = 0; i < cases && bad < 3; i++)
        bad += !check_network(seed + i);
    assert_int_equal(bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
