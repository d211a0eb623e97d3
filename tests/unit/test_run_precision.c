/* SPDX-License-Identifier: MIT */
/* Models in bfloat16: as right as that allows, with the bits of float32 where the machine lacks it, and what is told. */
#include "run_tools.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/machine.h"

static rf_model *compiled_for(const rf_network *network, const char *isa, rf_precision precision)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.isa = isa;
    options.precision = precision;
    return compiled(network, &options);
}

static size_t steps_in_bfloat16(const rf_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < rf_model_step_count(model); i++)
        count += strncmp(rf_model_step_at(model, i).algorithm, "bf16", 4) == 0;
    return count;
}

/* All outputs within `most` of the output's largest. */
static void expect_close(const bound_run *run, const bound_run *wanted, float most)
{
    for (size_t o = 0; o < run->output_count; o++) {
        const float *left = (const float *)(const void *)run->outputs[o].start;
        const float *right = (const float *)(const void *)wanted->outputs[o].start;
        float apart = 0, largest = 0;
        for (size_t i = 0; i < run->outputs[o].bytes / sizeof(float); i++) {
            apart = fmaxf(apart, fabsf(left[i] - right[i]));
            largest = fmaxf(largest, fabsf(right[i]));
            assert_true(isfinite(left[i]));
        }
        if (apart > most * largest)
            fail_msg("output %zu is off by %g of %g", o, (double)apart, (double)largest);
    }
}

static void expect_results(const rf_model *model, const rf_model *plain)
{
    bound_run run, wanted, shared;
    rf_session_options options = RF_SESSION_OPTIONS_DEFAULT;
    rf_executor backward = {.run = run_backward, .workers = 3};
    options.executor = &backward;
    bound_run_make(&run, model, NULL, 1);
    bound_run_make(&shared, model, &options, 1);
    bound_run_make(&wanted, plain, NULL, 1);
    bound_run_go(&run);
    bound_run_go(&shared);
    bound_run_go(&wanted);
    expect_close(&run, &wanted, 0.02f);
    assert_true(bound_runs_agree(&run, &shared));
    if (steps_in_bfloat16(model) == 0)
        assert_true(bound_runs_agree(&run, &wanted));
    bound_run_free(&run);
    bound_run_free(&shared);
    bound_run_free(&wanted);
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void every_instruction_set(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++) {
        rf_model *model = compiled_for(&network, (*kernels)->isa, RF_PRECISION_BFLOAT16);
        rf_model *plain = compiled_for(&network, (*kernels)->isa, RF_PRECISION_FLOAT32);
        bool smaller = rf_model_memory_needed(model).packed_bytes < rf_model_memory_needed(plain).packed_bytes;
        assert_int_equal(steps_in_bfloat16(plain), 0);
        assert_true(steps_in_bfloat16(model) == 0 || rf_machine_has_bfloat16(*kernels));
        assert_int_equal(smaller, steps_in_bfloat16(model) > 0);
        expect_results(model, plain);
        rf_model_free(model);
        rf_model_free(plain);
    }
}

/* Weights of another precision are others, though they are made of the same numbers. */
static void weights_are_not_mixed(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *plain = compiled(&network, NULL), *model;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.precision = RF_PRECISION_BFLOAT16;
    options.share = plain;
    assert_int_equal(rf_compile(&network, &options, &model, NULL), RF_OK);
    expect_results(model, plain);
    rf_model_free(model);
    rf_model_free(plain);
}

static void unknown_precisions(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *model;
    rf_error error = {.message = ""};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    const int wrong = 7;
    memcpy(&options.precision, &wrong, sizeof options.precision);
    assert_int_equal(rf_compile(&network, &options, &model, &error), RF_ERROR_ARGUMENT);
    assert_null(model);
    assert_non_null(strstr(error.message, "precision is 7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_set),
        cmocka_unit_test(weights_are_not_mixed),
        cmocka_unit_test(unknown_precisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
