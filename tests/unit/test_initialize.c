/* SPDX-License-Identifier: MIT */
/* Initial weights: their moments against theory, and networks that had none made to run. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_tools.h"

/* ---- Tools ------------------------------------------------------------------------------- */

static const rf_network *initialized(const rf_network *network, const rf_initialization *how)
{
    const rf_network *made;
    rf_error error = {.message = ""};
    if (rf_network_initialize(network, how, &made, &error) != RF_OK)
        fail_msg("%s", error.message);
    return made;
}

static const rf_tensor *constant(const rf_network *network, const char *name)
{
    for (size_t i = 0; i < network->constant_count; i++)
        if (strcmp(network->constants[i].name, name) == 0)
            return &network->constants[i];
    fail_msg("there is no constant '%s'", name);
    return NULL;
}

static const float *floats(const rf_network *network, const char *name)
{
    return constant(network, name)->data;
}

/* A grouped convolution [64, 48 / 4, 3, 5], its transposed form, and a matrix, each with bias. */
static const rf_tensor image = {.name = "x", .shape = RF_SHAPE(RF_UNKNOWN_DIM, 48, 7, 7)};
static const rf_layer layers[] = {
    {.name = "conv", .type = "Conv", .attributes = RF_ATTRIBUTES(RF_INT("filters", 64), RF_INT("group", 4),
                                                                 RF_INTS("kernel_shape", 3, 5))},
    {.name = "norm", .type = "BatchNormalization"},
    {.name = "up", .type = "ConvTranspose", .attributes = RF_ATTRIBUTES(RF_INT("filters", 32),
                                                                        RF_INTS("kernel_shape", 2, 2))},
    {.name = "dense", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", 300))},
};
static const rf_network network = {.inputs = &image, .input_count = 1, .layers = layers, .layer_count = 4};

typedef struct weight {
    const char *name;
    size_t elements;
    double fan_in, fan_out;
} weight;

static const weight weights[] = {
    {"conv.weight", 64 * 12 * 15, 12 * 15, 16 * 15},
    {"up.weight", 64 * 32 * 4, 64 * 4, 32 * 4},
    {"dense.weight", 32 * 6 * 4 * 300, 32 * 6 * 4, 300},
};

/* The mean and the variance within 4.5 of their own deviations; no element further out than `most`. */
static void assert_moments(const float *at, size_t count, double mean, double variance, double kurtosis, double most)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double x = at[i] - mean;
        assert_true(fabs(x) <= most);
        sum += x;
        squares += x * x;
    }
    double n = (double)count, off = sum / n / sqrt(variance / n);
    double spread = (squares / n - variance) / (variance * sqrt((kurtosis - 1) / n));
    if (fabs(off) > 4.5 || fabs(spread) > 4.5)
        fail_msg("mean off by %g deviations, variance by %g", off, spread);
}

/* ---- Schemes ----------------------------------------------------------------------------- */

static double variance_of(rf_weight_scheme scheme, rf_fan fan, double gain, const weight *of)
{
    switch (scheme) {
    case RF_WEIGHTS_XAVIER_UNIFORM:
    case RF_WEIGHTS_XAVIER_NORMAL:
        return gain * gain * 2 / (of->fan_in + of->fan_out);
    case RF_WEIGHTS_LECUN_NORMAL:
        return gain * gain / of->fan_in;
    default:
        return gain * gain / (fan == RF_FAN_OUT ? of->fan_out : of->fan_in);
    }
}

static void check_scheme(rf_weight_scheme scheme, rf_fan fan, double gain, double own_gain, bool uniform)
{
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.scheme = scheme;
    how.fan = fan;
    how.gain = gain;
    how.seed = 11;
    const rf_network *made = initialized(&network, &how);
    for (size_t i = 0; i < LENGTH(weights); i++) {
        double variance = variance_of(scheme, fan, gain != 0 ? gain : own_gain, &weights[i]);
        assert_int_equal(constant(made, weights[i].name)->data_bytes, weights[i].elements * sizeof(float));
        assert_moments(floats(made, weights[i].name), weights[i].elements, 0, variance, uniform ? 1.8 : 3,
                       sqrt(variance) * (uniform ? sqrt(3.0) * (1 + FLT_EPSILON) : 7));
    }
    rf_network_free(made);
}

static void test_scaled_schemes(void **state)
{
    (void)state;
    check_scheme(RF_WEIGHTS_XAVIER_UNIFORM, RF_FAN_IN, 0, 1, true);
    check_scheme(RF_WEIGHTS_XAVIER_NORMAL, RF_FAN_IN, 5.0 / 3, 1, false);
    check_scheme(RF_WEIGHTS_HE_UNIFORM, RF_FAN_IN, 0, sqrt(2.0), true);
    check_scheme(RF_WEIGHTS_HE_NORMAL, RF_FAN_IN, 0, sqrt(2.0), false);
    check_scheme(RF_WEIGHTS_HE_NORMAL, RF_FAN_OUT, 0, sqrt(2.0), false);
    check_scheme(RF_WEIGHTS_HE_UNIFORM, RF_FAN_OUT, 0.5, sqrt(2.0), true);
    check_scheme(RF_WEIGHTS_LECUN_NORMAL, RF_FAN_IN, 0, 1, false);
}

static void test_plain_schemes(void **state)
{
    (void)state;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.scheme = RF_WEIGHTS_NORMAL;
    how.mean = 3;
    how.deviation = 0.5;
    const rf_network *made = initialized(&network, &how);
    assert_moments(floats(made, "conv.weight"), weights[0].elements, 3, 0.25, 3, 3.5);
    rf_network_free(made);
    how.scheme = RF_WEIGHTS_UNIFORM;
    how.low = -1;
    how.high = 2;
    made = initialized(&network, &how);
    assert_moments(floats(made, "dense.weight"), weights[2].elements, 0.5, 0.75, 1.8, 1.5);
    rf_network_free(made);
    how.scheme = RF_WEIGHTS_CONSTANT;
    made = initialized(&network, &how);
    assert_true(floats(made, "up.weight")[17] == -1);
    rf_network_free(made);
    how.scheme = RF_WEIGHTS_ZERO;
    made = initialized(&network, &how);
    assert_true(floats(made, "up.weight")[17] == 0);
    rf_network_free(made);
}

/* Products of all pairs of rows, or of columns where those are fewer. */
static void assert_orthogonal(const float *at, size_t rows, size_t columns, double gain)
{
    size_t count = rows < columns ? rows : columns, length = rows < columns ? columns : rows;
    size_t step = rows < columns ? columns : 1, next = rows < columns ? 1 : columns;
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b <= a; b++) {
            double sum = 0;
            for (size_t i = 0; i < length; i++)
                sum += (double)at[a * step + i * next] * at[b * step + i * next];
            if (fabs(sum - (a == b ? gain * gain : 0)) > 1e-6)
                fail_msg("the product of vectors %zu and %zu is %g", a, b, sum);
        }
}

static void test_orthogonal(void **state)
{
    (void)state;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.scheme = RF_WEIGHTS_ORTHOGONAL;
    const rf_network *made = initialized(&network, &how);
    assert_orthogonal(floats(made, "conv.weight"), 64, 12 * 15, 1);
    assert_orthogonal(floats(made, "up.weight"), 64, 32 * 4, 1);
    assert_orthogonal(floats(made, "dense.weight"), 32 * 6 * 4, 300, 1);
    rf_network_free(made);
    how.gain = 2;
    made = initialized(&network, &how);
    assert_orthogonal(floats(made, "dense.weight"), 32 * 6 * 4, 300, 2);
    rf_network_free(made);
}

static void test_biases_and_norms(void **state)
{
    (void)state;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    const rf_network *made = initialized(&network, &how);
    static const struct { const char *name; float element; } expected[] = {
        {"norm.weight", 1}, {"norm.bias", 0}, {"norm.mean", 0}, {"norm.variance", 1}, {"conv.bias", 0},
    };
    for (size_t k = 0; k < LENGTH(expected); k++) {
        assert_int_equal(constant(made, expected[k].name)->shape.dims[0], 64);
        for (size_t i = 0; i < 64; i++)
            assert_true(floats(made, expected[k].name)[i] == expected[k].element);
    }
    rf_network_free(made);
    how.bias = RF_BIAS_UNIFORM_FAN_IN;
    made = initialized(&network, &how);
    double bound = 1 / sqrt(weights[2].fan_in);
    assert_moments(floats(made, "dense.bias"), 300, 0, bound * bound / 3, 1.8, bound);
    assert_true(floats(made, "norm.bias")[3] == 0);
    rf_network_free(made);
}

static void test_seeds(void **state)
{
    (void)state;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    const rf_network *first = initialized(&network, &how), *again = initialized(&network, &how);
    how.seed = 2;
    const rf_network *other = initialized(&network, &how);
    assert_memory_equal(floats(first, "up.weight"), floats(again, "up.weight"), weights[1].elements * sizeof(float));
    assert_memory_not_equal(floats(first, "up.weight"), floats(other, "up.weight"), 64);
    assert_memory_not_equal(floats(first, "up.weight"), floats(first, "conv.weight"), 64);
    rf_network_free(first);
    rf_network_free(again);
    rf_network_free(other);
    /* A tensor's elements don't depend on which others there are. */
    const rf_layer alone = {.name = "conv", .type = "Conv", .attributes = layers[0].attributes};
    const rf_network small = {.inputs = &image, .input_count = 1, .layers = &alone, .layer_count = 1};
    first = initialized(&small, NULL);
    again = initialized(&network, NULL);
    assert_memory_equal(floats(first, "conv.weight"), floats(again, "conv.weight"),
                        weights[0].elements * sizeof(float));
    rf_network_free(first);
    rf_network_free(again);
}

/* ---- Networks ---------------------------------------------------------------------------- */

static const float given[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

/* Constants with elements keep them unless all are asked for; numbers that are no parameters always do. */
static void test_constants(void **state)
{
    (void)state;
    static const int64_t target[] = {1, 3};
    const rf_tensor x = {.name = "x", .shape = RF_SHAPE(1, 3)};
    const rf_tensor constants[] = {
        {.name = "w", .dtype = RF_FLOAT32, .shape = RF_SHAPE(3, 3), .data = given, .data_bytes = 36},
        {.name = "b", .shape = RF_SHAPE(3)},
        {.name = "shape", .dtype = RF_INT64, .shape = RF_SHAPE(2), .data = target, .data_bytes = 16},
        {.name = "two", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1), .data = given + 1, .data_bytes = 4},
        {.name = "scale", .dtype = RF_FLOAT32, .shape = RF_SHAPE(3), .data = given, .data_bytes = 12},
        {.name = "half", .dtype = RF_FLOAT16, .shape = RF_SHAPE(3)},
        {.name = "unread", .dtype = RF_FLOAT64, .shape = RF_SHAPE(4, 4)},
    };
    const rf_layer list[] = {
        {.name = "scores", .type = "Mul", .inputs = RF_NAMES("sum", "scale")},
        {.name = "sum", .type = "Add", .inputs = RF_NAMES("product", "b")},
        {.name = "product", .type = "MatMul", .inputs = RF_NAMES("doubled", "w")},
        {.name = "doubled", .type = "Mul", .inputs = RF_NAMES("flat", "two")},
        {.name = "flat", .type = "Reshape", .inputs = RF_NAMES("x", "shape")},
    };
    const rf_network source = {.inputs = &x, .input_count = 1, .constants = constants, .constant_count = 7,
                               .layers = list, .layer_count = 5};
    const rf_network *made = initialized(&source, NULL);
    assert_ptr_equal(constant(made, "w")->data, given);
    assert_true(floats(made, "b")[2] == 0);
    assert_int_equal(constant(made, "half")->data_bytes, 6);
    assert_int_equal(constant(made, "unread")->data_bytes, 128);
    assert_int_equal(made->output_count, 1);
    assert_string_equal(made->outputs[0].name, "scores");
    assert_string_equal(made->layers[0].name, "flat");
    rf_network_free(made);
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.all = true;
    made = initialized(&source, &how);
    assert_memory_not_equal(constant(made, "w")->data, given, 36);
    assert_true(floats(made, "scale")[1] == 1);
    assert_ptr_equal(constant(made, "two")->data, given + 1);
    assert_ptr_equal(constant(made, "shape")->data, target);
    rf_network_free(made);
}

static void assert_finite(const bound_run *run)
{
    double largest = 0;
    for (size_t o = 0; o < run->output_count; o++)
        for (size_t i = 0; i < run->outputs[o].bytes / sizeof(float); i++) {
            float element = ((const float *)(const void *)run->outputs[o].start)[i];
            assert_true(isfinite(element));
            largest = fmax(largest, fabs(element));
        }
    assert_true(largest > 0);
}

static uint64_t parameters(const rf_network *of, uint64_t *statistics)
{
    const rf_analysis *analysis;
    rf_error error = {.message = ""};
    if (rf_analyze(of, NULL, &analysis, &error) != RF_OK)
        fail_msg("%s", error.message);
    uint64_t count = analysis->parameters;
    *statistics = analysis->statistics;
    rf_analysis_free(analysis);
    return count;
}

/* A source without constants of its own can be gone before the copy runs. */
static void check_file(const char *name, bool run)
{
    char path[512];
    const rf_network *source;
    rf_error error = {.message = ""};
    uint64_t before[2], after[2];
    snprintf(path, sizeof path, "%s/%s.json", RF_TEST_NETWORKS, name);
    if (rf_network_load(path, NULL, &source, &error) != RF_OK)
        fail_msg("%s", error.message);
    const rf_network *made = initialized(source, NULL);
    bool early = source->constant_count == 0;
    before[0] = parameters(source, &before[1]);
    if (early)
        rf_network_free(source);
    after[0] = parameters(made, &after[1]);
    assert_int_equal(before[0], after[0]);
    assert_int_equal(before[1], after[1]);
    if (run) {
        rf_model *model = compiled(made, NULL);
        bound_run to;
        bound_run_make(&to, model, NULL, 3);
        bound_run_go(&to);
        assert_finite(&to);
        bound_run_free(&to);
        rf_model_free(model);
    }
    rf_network_free(made);
    if (!early)
        rf_network_free(source);
}

static void test_files(void **state)
{
    (void)state;
    check_file("lenet5", true);
    check_file("perceptron", true);
    check_file("vgg_two_blocks", true);
    check_file("inception_naive", true);
    check_file("inception_bottleneck", true);
    check_file("mobilenet_v2", true);
    check_file("squeezenet1_1", true);
    check_file("unet_small", true);
    check_file("resnet18", true);
    check_file("googlenet", false);
}

/* A Gemm on pictures is a Flatten and a Gemm for ONNX, with the same numbers. */
static void test_flatten(void **state)
{
    (void)state;
    const rf_network *made = initialized(&network, NULL);
    assert_int_equal(made->layer_count, 5);
    assert_string_equal(made->layers[3].type, "Flatten");
    assert_string_equal(made->layers[3].name, "dense.flatten");
    assert_string_equal(made->layers[4].inputs[0], "dense.flatten");
    assert_null(made->layers[4].attributes->name);
    rf_model_free(compiled(made, NULL));
    rf_network_free(made);
}

/* ---- Failures ---------------------------------------------------------------------------- */

static void test_names_taken(void **state)
{
    (void)state;
    const rf_attribute *const one = RF_ATTRIBUTES(RF_INT("filters", 1), RF_INTS("kernel_shape", 1, 1));
    rf_layer list[] = {
        {.name = "a", .type = "Conv", .outputs = RF_NAMES("a.weight"), .attributes = one},
        {.name = "a", .type = "Conv", .outputs = RF_NAMES("y"), .attributes = one},
        {.name = "a", .type = "Relu", .outputs = RF_NAMES("z")},
    };
    rf_network clash = {.inputs = &image, .input_count = 1, .layers = list, .layer_count = 3};
    const rf_network *made = initialized(&clash, NULL);
    assert_string_equal(made->layers[0].inputs[1], "a_0.weight");
    assert_string_equal(made->layers[0].inputs[2], "a.bias");
    assert_string_equal(made->layers[1].inputs[1], "a_1.weight");
    assert_string_equal(made->layers[1].inputs[2], "a_1.bias");
    rf_network_free(made);
    list[2].outputs = RF_NAMES("a_1.bias");
    rf_error error;
    assert_int_equal(rf_network_initialize(&clash, NULL, &made, &error), RF_ERROR_GRAPH);
    assert_non_null(strstr(error.message, "'a_1.bias'"));
    assert_null(made);
}

static void expect(rf_initialization how, rf_status status, const char *words)
{
    const rf_network *made;
    rf_error error = {.message = ""};
    assert_string_equal(rf_status_name(rf_network_initialize(&network, &how, &made, &error)), rf_status_name(status));
    assert_null(made);
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in '%s'", words, error.message);
}

static void test_arguments(void **state)
{
    (void)state;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.scheme = (rf_weight_scheme)99;
    expect(how, RF_ERROR_ARGUMENT, "scheme is 99");
    how = (rf_initialization)RF_INITIALIZATION_DEFAULT;
    how.bias = (rf_bias_scheme)-1;
    expect(how, RF_ERROR_ARGUMENT, "bias is -1");
    how = (rf_initialization)RF_INITIALIZATION_DEFAULT;
    how.gain = NAN;
    expect(how, RF_ERROR_ARGUMENT, "gain is nan");
    how = (rf_initialization)RF_INITIALIZATION_DEFAULT;
    how.deviation = -1;
    expect(how, RF_ERROR_ARGUMENT, "deviation is -1");
    how = (rf_initialization)RF_INITIALIZATION_DEFAULT;
    how.limits.memory_bytes = 100000;
    expect(how, RF_ERROR_LIMIT, "memory_bytes");
    how = (rf_initialization)RF_INITIALIZATION_DEFAULT;
    how.binding_count = 1;
    expect(how, RF_ERROR_ARGUMENT, "bindings");
    assert_int_equal(rf_network_initialize(&network, NULL, NULL, NULL), RF_ERROR_ARGUMENT);
    const rf_network *made;
    assert_int_equal(rf_network_initialize(NULL, NULL, &made, NULL), RF_ERROR_ARGUMENT);
}

static void test_memory(void **state)
{
    (void)state;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.scheme = RF_WEIGHTS_ORTHOGONAL;
    rf_status status = RF_ERROR_MEMORY;
    counted_memory memory;
    const rf_layer small = {.name = "c", .type = "Conv", .attributes = RF_ATTRIBUTES(RF_INT("filters", 3),
                                                                                    RF_INTS("kernel_shape", 3, 3))};
    const rf_network one = {.inputs = &image, .input_count = 1, .layers = &small, .layer_count = 1};
    for (size_t refused = 1; status != RF_OK; refused++) {
        const rf_network *made;
        counted_memory_init(&memory, refused);
        how.allocator = &memory.allocator;
        status = rf_network_initialize(&one, &how, &made, NULL);
        assert_true(status == RF_OK || (status == RF_ERROR_MEMORY && !made));
        rf_network_free(made);
        assert_int_equal(memory.live, 0);
    }
    assert_true(memory.calls > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scaled_schemes), cmocka_unit_test(test_plain_schemes),
        cmocka_unit_test(test_orthogonal),     cmocka_unit_test(test_biases_and_norms),
        cmocka_unit_test(test_seeds),          cmocka_unit_test(test_constants),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_flatten),
        cmocka_unit_test(test_names_taken),    cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("initial weights", tests, NULL, NULL);
}
