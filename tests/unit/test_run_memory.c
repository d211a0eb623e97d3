/* SPDX-License-Identifier: MIT */
/*
 * The arena is as large as was said, no larger than it has to be, and what lay in it before
 * does not matter.
 */
#include "run_tools.h"

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

enum { ALIGNMENT = 64, PATTERNS = 3, PLANS = 150 };

/* 0xFF makes NaN of every float. */
static const unsigned char patterns[PATTERNS] = {0x00, 0xFF, 0x5A};

static size_t arena_of(const rf_model *model, size_t workers)
{
    rf_model_memory needed = rf_model_memory_needed(model);
    return (size_t)(needed.arena_bytes + (workers - 1) * needed.worker_bytes);
}

/* One past the last byte of `arena` below `bytes` that is not the pattern. */
static size_t touched_below(const fenced *arena, unsigned char pattern, size_t bytes)
{
    while (bytes && (unsigned char)arena->start[bytes - 1] == pattern)
        bytes--;
    return bytes;
}

/* Runs in an arena that is full of `pattern`; returns how far into the tensors' part it wrote. */
static size_t run_in(const rf_model *model, size_t workers, unsigned char pattern, bool at_end, bound_run *run)
{
    const rf_executor executor = {.run = run_backward, .workers = workers};
    fenced arena = fenced_make(arena_of(model, workers), ALIGNMENT, at_end);
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    options.executor = &executor;
    options.memory = arena.start;
    options.memory_bytes = arena.bytes;
    memset(arena.start, pattern, arena.bytes);
    bound_run_make(run, model, &options, 11);
    bound_run_go(run);
    size_t touched = touched_below(&arena, pattern, (size_t)rf_model_memory_needed(model).activation_bytes);
    bound_run_go(run); /* on what the first left behind */
    fenced_free(&arena);
    return touched;
}

/* The bits may not depend on the pattern, the arena's place or the number of workers. Returns how far the
 * tensors' part was touched. */
static size_t check_model(const rf_model *model)
{
    bound_run first, other;
    size_t touched = run_in(model, 1, patterns[0], true, &first);
    for (size_t i = 1; i < 2 * PATTERNS; i++) {
        size_t further = run_in(model, i < PATTERNS ? 1 : 3, patterns[i % PATTERNS], i % 2 == 0, &other);
        touched = further > touched ? further : touched;
        if (!bound_runs_agree(&first, &other))
            fail_msg("the bits depend on what was in memory: pattern %u", patterns[i % PATTERNS]);
        bound_run_free(&other);
    }
    bound_run_free(&first);
    return touched;
}

/* The last tensor's last elements end within a cache line of the end. */
static void exact_size(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++) {
        options.isa = (*kernels)->isa;
        rf_model *model = compiled(&network, &options);
        size_t tensors = (size_t)rf_model_memory_needed(model).activation_bytes, touched = check_model(model);
        rf_model_memory needed = rf_model_memory_needed(model);
        assert_true(tensors > 0 && needed.arena_bytes >= tensors);
        /* So that what follows is aligned too. */
        assert_int_equal(needed.arena_bytes % ALIGNMENT + tensors % ALIGNMENT + needed.worker_bytes % ALIGNMENT, 0);
        assert_in_range(touched, tensors - ALIGNMENT + 1, tensors);
        rf_model_free(model);
    }
}

/* Less than if every tensor had memory of its own. */
static void memory_is_reused(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *model = compiled(&network, NULL);
    const rf_analysis *analysis;
    uint64_t sum = 0;
    assert_int_equal(rf_analyze(&network, NULL, &analysis, NULL), RF_OK);
    for (size_t i = 0; i < analysis->layer_count; i++)
        sum += elements_of(&analysis->layers[i].outputs[0].shape) * sizeof(float);
    assert_true(rf_model_memory_needed(model).activation_bytes < sum / 2);
    rf_analysis_free(analysis);
    rf_model_free(model);
}

static const float fine = 0.25F, coarse = 0.5F;

#define SCALE(name_, number_) \
    {.name = name_, .dtype = RF_FLOAT32, .shape = RF_SHAPE(1), .data = &(number_), .data_bytes = sizeof(number_)}

static const rf_tensor levels_x = {.name = "x", .dtype = RF_UINT8, .shape = RF_SHAPE(1, 16, 32, 32)};
static const rf_tensor levels_scales[] = {SCALE("fine", fine), SCALE("coarse", coarse)};
static const rf_layer levels_layers[] = {
    {.name = "floats", .type = "DequantizeLinear", .inputs = RF_NAMES("x", "fine")},
    {.name = "largest", .type = "MaxPool", .inputs = RF_NAMES("floats"),
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
    {.name = "levels", .type = "QuantizeLinear", .inputs = RF_NAMES("largest", "coarse")},
};

/* The input in the other levels, and the output before it is turned. */
static void integers_take_bytes(void **state)
{
    (void)state;
    const rf_network network = {
        .inputs = &levels_x, .input_count = 1, .constants = levels_scales, .constant_count = LENGTH(levels_scales),
        .layers = levels_layers, .layer_count = LENGTH(levels_layers),
    };
    rf_model *model = compiled(&network, NULL);
    size_t bytes = elements_of(&levels_x.shape);
    assert_in_range(rf_model_memory_needed(model).activation_bytes, 1, 2 * bytes + bytes / 4);
    check_model(model);
    rf_model_free(model);
}

/* Some plans write less than all of a buffer, such as what only padding would read. */
static void random_networks(void **state)
{
    (void)state;
    static random_plan plan;
    const char *text = getenv("RF_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    printf("RF_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t i = 0; i < PLANS; i++) {
        random_plan_make(&plan, seed + i);
        rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
        options.reference = i % 5 == 4;
        options.layout = i % 2 ? RF_NHWC : RF_NCHW;
        if (plan.network.output_count) {
            rf_model *model = compiled(&plan.network, &options);
            check_model(model);
            rf_model_free(model);
        }
        random_plan_free(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_size),
        cmocka_unit_test(memory_is_reused),
        cmocka_unit_test(integers_take_bytes),
        cmocka_unit_test(random_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
