/* SPDX-License-Identifier: MIT */
/* Models whose algorithms were chosen by trying: as right, as large as they say, and nothing is left of the trials. */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/machine.h"

enum { CHANNELS = 48, EXTENT = 16, IMAGE = 3 * 9 * CHANNELS, SQUARE = CHANNELS * CHANNELS, LARGE = 9 * SQUARE };

/* ---- A network with layers that can be done in many ways --------------------------------------- */

#define PADDED RF_ATTRIBUTES(RF_INTS("pads", 1, 1, 1, 1))

static const rf_tensor image = {.name = "x", .shape = RF_SHAPE(1, 3, EXTENT, EXTENT)};
static const rf_tensor scores = {.name = "y", .shape = {.rank = -1}};

/* "second" and "third" are alike. */
static const rf_layer layers[] = {
    {.name = "first", .type = "Conv", .inputs = RF_NAMES("x", "few"), .attributes = PADDED},
    {.name = "second", .type = "Conv", .inputs = RF_NAMES("first", "many"), .attributes = PADDED},
    {.name = "third", .type = "Conv", .inputs = RF_NAMES("second", "others"), .attributes = PADDED},
    {.name = "fourth", .type = "Conv", .inputs = RF_NAMES("third", "many"), .attributes = PADDED},
    {.name = "sum", .type = "Add", .inputs = RF_NAMES("fourth", "second")},
    {.name = "relu", .type = "Relu", .inputs = RF_NAMES("sum")},
    {.name = "mixed", .type = "Conv", .inputs = RF_NAMES("relu", "square")},
    {.name = "y", .type = "Conv", .inputs = RF_NAMES("mixed", "others"),
     .attributes = RF_ATTRIBUTES(RF_INTS("strides", 2, 2))},
};

static float few[IMAGE], many[LARGE], others[LARGE], square[SQUARE];

#define WEIGHT(array_, ...) \
    {.name = #array_, .shape = RF_SHAPE(__VA_ARGS__), .data = (array_), .data_bytes = sizeof(array_)}

static const rf_tensor constants[] = {
    WEIGHT(few, CHANNELS, 3, 3, 3), WEIGHT(many, CHANNELS, CHANNELS, 3, 3),
    WEIGHT(others, CHANNELS, CHANNELS, 3, 3), WEIGHT(square, CHANNELS, CHANNELS, 1, 1),
};

static rf_network many_ways(void)
{
    fill_random(few, IMAGE, 1);
    fill_random(many, LARGE, 2);
    fill_random(others, LARGE, 3);
    fill_random(square, SQUARE, 4);
    return (rf_network){
        .name = "many ways", .inputs = &image, .input_count = 1, .outputs = &scores, .output_count = 1,
        .constants = constants, .constant_count = LENGTH(constants), .layers = layers, .layer_count = LENGTH(layers),
    };
}

/* ---- Tools ------------------------------------------------------------------------------------ */

static rf_compile_options tuned(void)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.tune = true;
    return options;
}

/* The largest difference over the largest result. */
static double difference(const bound_run *a, const bound_run *b)
{
    double apart = 0, largest = 0;
    const float *left = (const float *)(const void *)a->outputs[0].start;
    const float *right = (const float *)(const void *)b->outputs[0].start;
    for (size_t i = 0; i < a->outputs[0].bytes / sizeof(float); i++) {
        double own = (double)left[i], other = (double)right[i];
        double step = own > other ? own - other : other - own, size = other < 0 ? -other : other;
        apart = step > apart ? step : apart;
        largest = size > largest ? size : largest;
    }
    assert_true(largest > 0);
    return apart / largest;
}

static void expect_close(const rf_network *network, const rf_model *model, double most)
{
    rf_model *plain = compiled(network, NULL);
    bound_run run, wanted;
    bound_run_make(&run, model, NULL, 1);
    bound_run_make(&wanted, plain, NULL, 1);
    bound_run_go(&run);
    bound_run_go(&wanted);
    double apart = difference(&run, &wanted);
    if (!(apart <= most))
        fail_msg("tuned and other results differ by %g of the largest", apart);
    bound_run_free(&run);
    bound_run_free(&wanted);
    rf_model_free(plain);
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void the_same_results(void **state)
{
    (void)state;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++) {
        options.isa = (*kernels)->isa;
        rf_model *model = compiled(&network, &options);
        expect_close(&network, model, 4e-5);
        rf_model_free(model);
    }
}

static void reduced_precision(void **state)
{
    (void)state;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    options.precision = RF_PRECISION_BFLOAT16;
    rf_model *model = compiled(&network, &options);
    expect_close(&network, model, 0.03);
    rf_model_free(model);
}

static void exact_stays_exact(void **state)
{
    (void)state;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    options.exact = true;
    rf_model *model = compiled(&network, &options);
    for (size_t s = 0; s < rf_model_step_count(model); s++)
        assert_null(strstr(rf_model_step_at(model, s).algorithm, "Winograd"));
    rf_model_free(model);
}

/* Between fences: what a step takes beyond its share faults. */
static void memory_as_stated(void **state)
{
    (void)state;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    rf_model *model = compiled(&network, &options);
    rf_model_memory needed = rf_model_memory_needed(model);
    bound_run wanted;
    bound_run_make(&wanted, model, NULL, 1);
    bound_run_go(&wanted);
    for (size_t workers = 1; workers <= 3; workers++) {
        const rf_executor executor = {.run = run_backward, .workers = workers};
        fenced arena = fenced_make((size_t)(needed.arena_bytes + (workers - 1) * needed.worker_bytes), 64, true);
        rf_session_options how = RF_SESSION_OPTIONS_DEFAULT;
        how.executor = &executor;
        how.memory = arena.start;
        how.memory_bytes = arena.bytes;
        bound_run run;
        bound_run_make(&run, model, &how, 1);
        bound_run_go(&run);
        assert_true(bound_runs_agree(&run, &wanted));
        bound_run_free(&run);
        fenced_free(&arena);
    }
    bound_run_free(&wanted);
    rf_model_free(model);
}

static void trials_give_all_back(void **state)
{
    (void)state;
    counted_memory memory, plain;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    counted_memory_init(&memory, 0);
    counted_memory_init(&plain, 0);
    options.allocator = &memory.allocator;
    rf_model *model = compiled(&network, &options);
    options.allocator = &plain.allocator;
    options.tune = false;
    rf_model *other = compiled(&network, &options);
    assert_true(memory.most > plain.most); /* there were trials */
    /* Prepared weights are taken in blocks. */
    size_t packed = (size_t)rf_model_memory_needed(model).packed_bytes;
    assert_true(memory.live < plain.live + 2 * packed);
    rf_model_free(model);
    rf_model_free(other);
    assert_int_equal(memory.live + plain.live, 0);
}

static void no_memory(void **state)
{
    (void)state;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    for (size_t call = 1;; call++) {
        counted_memory memory;
        rf_model *model;
        counted_memory_init(&memory, call);
        options.allocator = &memory.allocator;
        rf_status status = rf_compile(&network, &options, &model, NULL);
        bool refused = memory.calls >= call;
        rf_model_free(model);
        assert_int_equal(memory.live, 0);
        assert_int_equal(status, refused ? RF_ERROR_MEMORY : RF_OK);
        if (!refused)
            break;
    }
}

/* Trials that a limit has no room for are left out. */
static void little_memory(void **state)
{
    (void)state;
    rf_network network = many_ways();
    rf_compile_options options = tuned();
    rf_status status = RF_ERROR_LIMIT;
    for (options.limits.memory_bytes = 1 << 16; status != RF_OK; options.limits.memory_bytes += 1 << 17) {
        counted_memory memory;
        rf_model *model;
        counted_memory_init(&memory, 0);
        options.allocator = &memory.allocator;
        status = rf_compile(&network, &options, &model, NULL);
        assert_true(status == RF_OK || status == RF_ERROR_LIMIT);
        assert_true(options.limits.memory_bytes < 1 << 26);
        if (status == RF_OK)
            expect_close(&network, model, 4e-5);
        rf_model_free(model);
        assert_int_equal(memory.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_results), cmocka_unit_test(reduced_precision), cmocka_unit_test(exact_stays_exact),
        cmocka_unit_test(memory_as_stated), cmocka_unit_test(trials_give_all_back), cmocka_unit_test(no_memory),
        cmocka_unit_test(little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
