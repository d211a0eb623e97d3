/* SPDX-License-Identifier: MIT */
/* Weights of 8-bit integers become floats only for layers that read floats, whatever else reads them. */
#include "run_tools.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHANNELS = 64, SIDE = 6, COLUMNS = 700, WEIGHTS = CHANNELS * CHANNELS * 9, MOST_LAYERS = 8, MOST_OUTPUTS = 2 };

static signed char w[WEIGHTS];
static const float x_scale = 0.01F, w_scale = 0.002F, y_scale = 0.05F, minus_scale = -0.05F;
static const unsigned char x_zero = 128, y_zero = 3;

#define NUMBER(name_, dtype_, number_) \
    {.name = name_, .dtype = dtype_, .shape = {.rank = 0}, .data = &(number_), .data_bytes = sizeof(number_)}

static const rf_tensor x = {.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, CHANNELS, SIDE, SIDE)};
static const rf_tensor constants[] = {
    {.name = "w", .dtype = RF_INT8, .shape = RF_SHAPE(CHANNELS, CHANNELS, 3, 3), .data = w, .data_bytes = sizeof w},
    {.name = "columns", .dtype = RF_INT8, .shape = RF_SHAPE(COLUMNS, SIDE), .data = w, .data_bytes = COLUMNS * SIDE},
    NUMBER("x_scale", RF_FLOAT32, x_scale), NUMBER("w_scale", RF_FLOAT32, w_scale),
    NUMBER("y_scale", RF_FLOAT32, y_scale), NUMBER("minus_scale", RF_FLOAT32, minus_scale),
    NUMBER("x_zero", RF_UINT8, x_zero), NUMBER("y_zero", RF_UINT8, y_zero),
};

#define QUANTIZED(name_, ...) {.name = name_, .type = "QuantizeLinear", .inputs = RF_NAMES(__VA_ARGS__)}
#define DEQUANTIZED(name_, ...) {.name = name_, .type = "DequantizeLinear", .inputs = RF_NAMES(__VA_ARGS__)}
#define CONV(name_, ...)                                               \
    {.name = name_, .type = "Conv", .inputs = RF_NAMES(__VA_ARGS__),   \
     .attributes = RF_ATTRIBUTES(RF_INTS("pads", 1, 1, 1, 1))}
#define OUT(name_) {.name = name_, .shape = {.rank = -1}}
#define INTEGERS QUANTIZED("q", "x", "x_scale", "x_zero"), DEQUANTIZED("d", "q", "x_scale", "x_zero")
#define FLOATS DEQUANTIZED("wf", "w", "w_scale")

typedef struct example {
    const char *about;
    rf_layer layers[MOST_LAYERS];
    rf_tensor outputs[MOST_OUTPUTS];
    int integers; /* layers done by kernels of 8 bits, where they need not be exact */
} example;

static const example examples[] = {
    {"between layers of integers",
     {INTEGERS, FLOATS, CONV("conv", "d", "wf"), {.name = "relu", .type = "Relu", .inputs = RF_NAMES("conv")},
      QUANTIZED("y", "relu", "y_scale", "y_zero")},
     {OUT("y")}, 1},
    {"a negative scale",
     {INTEGERS, FLOATS, CONV("conv", "d", "wf"), QUANTIZED("y", "conv", "minus_scale", "y_zero")},
     {OUT("y")}, 0},
    {"two functions",
     {INTEGERS, FLOATS, CONV("conv", "d", "wf"), {.name = "relu", .type = "Relu", .inputs = RF_NAMES("conv")},
      {.name = "tanh", .type = "Tanh", .inputs = RF_NAMES("relu")}, QUANTIZED("y", "tanh", "y_scale", "y_zero")},
     {OUT("y")}, 0},
    {"a function that integers don't have",
     {INTEGERS, FLOATS, CONV("conv", "d", "wf"), {.name = "tanh", .type = "Tanh", .inputs = RF_NAMES("conv")},
      QUANTIZED("y", "tanh", "y_scale", "y_zero")},
     {OUT("y")}, 0},
    {"sums as floats", {INTEGERS, FLOATS, CONV("conv", "d", "wf")}, {OUT("conv")}, 0},
    {"weights that are put out",
     {INTEGERS, FLOATS, CONV("conv", "d", "wf"), QUANTIZED("y", "conv", "y_scale", "y_zero")},
     {OUT("y"), OUT("wf")}, 1},
    {"weights of two layers",
     {INTEGERS, FLOATS, CONV("conv", "d", "wf"), QUANTIZED("y", "conv", "y_scale", "y_zero"), CONV("floats", "x", "wf")},
     {OUT("y"), OUT("floats")}, 1},
    {"weights that are moved",
     {INTEGERS, DEQUANTIZED("cf", "columns", "w_scale"),
      {.name = "rows", .type = "Transpose", .inputs = RF_NAMES("cf")},
      {.name = "product", .type = "MatMul", .inputs = RF_NAMES("d", "rows")},
      QUANTIZED("y", "product", "y_scale", "y_zero")},
     {OUT("y")}, 0},
    {"weights alone", {FLOATS, {.name = "half", .type = "Sigmoid", .inputs = RF_NAMES("wf")},
                       {.name = "same", .type = "Relu", .inputs = RF_NAMES("x")}},
     {OUT("half"), OUT("same")}, 0},
};

static int make_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIGHTS; i++)
        w[i] = (signed char)(i * 37 % 251 - 125);
    return 0;
}

static rf_network network_of(const example *of)
{
    rf_network network = {
        .inputs = &x, .input_count = 1, .constants = constants, .constant_count = LENGTH(constants),
        .layers = of->layers, .outputs = of->outputs,
    };
    while (network.layer_count < MOST_LAYERS && of->layers[network.layer_count].name)
        network.layer_count++;
    while (network.output_count < MOST_OUTPUTS && of->outputs[network.output_count].name)
        network.output_count++;
    return network;
}

static int integer_steps(const rf_model *model)
{
    int count = 0;
    for (size_t i = 0; i < rf_model_step_count(model); i++)
        count += strncmp(rf_model_step_at(model, i).algorithm, "8 bits", 6) == 0;
    return count;
}

/* To a level, or to what rounding in float32 may do. */
static void check_output(const char *about, const rf_tensor *tensor, const char *got, const char *wanted)
{
    for (size_t i = 0; i < elements_of(&tensor->shape); i++) {
        if (tensor->dtype == RF_FLOAT32) {
            float a, b;
            memcpy(&a, got + i * sizeof a, sizeof a);
            memcpy(&b, wanted + i * sizeof b, sizeof b);
            if (!(fabsf(a - b) <= 1e-4F))
                fail_msg("%s: '%s' at %zu is %g, not %g", about, tensor->name, i, (double)a, (double)b);
        } else if (abs((unsigned char)got[i] - (unsigned char)wanted[i]) > 1) {
            fail_msg("%s: '%s' at %zu is %d, not %d", about, tensor->name, i, (unsigned char)got[i],
                     (unsigned char)wanted[i]);
        }
    }
}

static void check_example(const example *of, bool exact)
{
    const rf_network network = network_of(of);
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.reference = true;
    rf_model *plain = compiled(&network, &options);
    options.reference = false;
    options.exact = exact;
    rf_model *model = compiled(&network, &options);
    bound_run run, wanted;
    if (integer_steps(model) != (exact ? 0 : of->integers))
        fail_msg("%s: %d layers are done on integers", of->about, integer_steps(model));
    bound_run_make(&run, model, NULL, 5);
    bound_run_make(&wanted, plain, NULL, 5);
    bound_run_go(&run);
    bound_run_go(&wanted);
    for (size_t o = 0; o < run.output_count; o++)
        check_output(of->about, &run.output_tensors[o], run.outputs[o].start, wanted.outputs[o].start);
    bound_run_free(&run);
    bound_run_free(&wanted);
    rf_model_free(model);
    rf_model_free(plain);
}

static void same_as_one_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(examples); i++)
        for (int exact = 0; exact < 2; exact++)
            check_example(&examples[i], exact);
}

/* Packed integers, and less than the floats would take. */
static void no_floats_in_memory(void **state)
{
    (void)state;
    const rf_network network = network_of(&examples[0]);
    counted_memory memory;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    counted_memory_init(&memory, 0);
    options.allocator = &memory.allocator;
    rf_model *model = compiled(&network, &options);
    assert_in_range(memory.most, WEIGHTS, 4 * WEIGHTS - 1);
    rf_model_free(model);
    assert_int_equal(memory.live, 0);
}

/* Floats that are made late are asked for where memory may have run out. */
static void refused_memory(void **state)
{
    (void)state;
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    for (size_t i = 0; i < LENGTH(examples); i++) {
        const rf_network network = network_of(&examples[i]);
        rf_status status = RF_ERROR_MEMORY;
        for (size_t at = 1; status != RF_OK; at++) {
            counted_memory memory;
            rf_model *model = NULL;
            counted_memory_init(&memory, at);
            options.allocator = &memory.allocator;
            status = rf_compile(&network, &options, &model, NULL);
            assert_true(status == RF_OK || (status == RF_ERROR_MEMORY && !model));
            rf_model_free(model);
            assert_int_equal(memory.live, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_one_by_one),
        cmocka_unit_test(no_floats_in_memory),
        cmocka_unit_test(refused_memory),
    };
    return cmocka_run_group_tests_name("quantised weights", tests, make_weights, NULL);
}
