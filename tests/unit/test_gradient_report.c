/* SPDX-License-Identifier: MIT */
/*
 * The report of gradients: its numbers by the perceptron's formulas, how gradients decay and why, and what is
 * refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "perceptron.h"
#include "run_tools.h"

#define CHECK(call_)                              \
    do {                                          \
        if ((call_) != RF_OK)                     \
            fail_msg("%s: %s", #call_, error.message); \
    } while (0)

static rf_error error;

static const rf_attribute turned[] = {RF_INT("transB", 1), {.name = NULL}};

/* ---- The report -------------------------------------------------------------------------------- */

static const rf_gradient_report *report_of(const perceptron *it, const rf_tensor *values, size_t count)
{
    const rf_gradient_report *report;
    rf_gradient_report_options options = RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    options.values = values;
    options.value_count = count;
    CHECK(rf_gradient_report_make(&it->network, &options, &report, &error));
    assert_int_equal(report->layer_count, it->depth);
    return report;
}

static void check_near(const char *what, size_t l, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * fabs(expected)))
        fail_msg("%s of layer %zu is %.9g, expected %.9g", what, l, got, expected);
}

/* Shares and means of the formulas' own slopes. */
static void check_slopes(const perceptron *it, const float *x, size_t l, const rf_layer_gradient *layer)
{
    double sum = 0, flat = 0, steepest = strcmp(it->activation, "Sigmoid") == 0 ? 0.25 : 1;
    for (size_t e = 0; e < EXAMPLES; e++) {
        double z[MOST_DEPTH + 1][MOST_WIDTH], y[MOST_DEPTH + 1][MOST_WIDTH];
        forward(it, x + e * it->widths[0], z, y);
        for (size_t i = 0; i < it->widths[l]; i++) {
            sum += slope(it->activation, z[l][i]);
            flat += slope(it->activation, z[l][i]) < 0.05 * steepest;
        }
    }
    double elements = (double)(EXAMPLES * it->widths[l]);
    check_near("mean slope", l, layer->mean_slope, sum / elements, 1e-5);
    check_near("steepest", l, layer->steepest, steepest, 1e-12);
    assert_true(fabs(layer->saturated - flat / elements) < 1e-9);
    assert_string_equal(layer->activation, it->activation);
}

static void check_report(size_t depth, const char *activation, uint64_t seed)
{
    float x[EXAMPLES * MOST_WIDTH], target[EXAMPLES * MOST_WIDTH];
    rf_random random = rf_random_make(seed + 2000);
    perceptron *it = make_perceptron(depth, 0, activation, 3, seed);
    for (size_t i = 0; i < EXAMPLES * MOST_WIDTH; i++) {
        x[i] = (float)rf_random_normal(&random);
        target[i] = (float)rf_random_normal(&random);
    }
    formulas *expected = make_formulas(it, x, target);
    const rf_tensor values[] = {
        {.name = "x", .dtype = RF_FLOAT32, .data = x, .data_bytes = EXAMPLES * it->widths[0] * sizeof *x},
        {.name = RF_TARGET, .dtype = RF_FLOAT32, .data = target,
         .data_bytes = EXAMPLES * it->widths[depth] * sizeof *x},
    };
    const rf_gradient_report *report = report_of(it, values, 2);
    check_near("loss", depth, report->loss, expected->loss, 1e-5);
    for (size_t l = 1; l <= depth; l++) {
        const rf_layer_gradient *layer = &report->layers[l - 1];
        size_t count = it->widths[l] * it->widths[l - 1];
        check_near("dL/dA", l, layer->weight_norm, norm_of(expected->weights[l], count), 1e-5);
        check_near("dL/dA, rms", l, layer->weight_rms * sqrt((double)count), layer->weight_norm, 1e-12);
        check_near("dL/db", l, layer->bias_norm, norm_of(expected->biases[l], it->widths[l]), 1e-5);
        check_near("dL/dz", l, layer->delta_norm, sqrt(expected->deltas[l]), 1e-5);
        if (l == depth)
            continue;
        check_slopes(it, x, l, layer);
        check_near("ratio", l, layer->ratio, sqrt(expected->deltas[l] / expected->deltas[l + 1]), 1e-4);
        if (!(layer->ratio <= 1.001 * layer->bound))
            fail_msg("layer %zu: ratio %g is above the bound %g", l, layer->ratio, layer->bound);
    }
    rf_gradient_report_free(report);
    free(expected);
    free(it);
}

static void test_report_is_that_of_the_formulas(void **unused)
{
    static const char *const activations[] = {"Sigmoid", "Tanh", "Relu"};
    (void)unused;
    for (size_t a = 0; a < 3; a++)
        for (size_t depth = 1; depth <= 6; depth++)
            check_report(depth, activations[a], 500 + 100 * a + depth);
}

/* A diagonal matrix that is turned in a plane keeps its singular values. */
static void test_spectral_norm(void **unused)
{
    const double c = cos(0.7), s = sin(0.7);
    (void)unused;
    perceptron *it = make_perceptron(2, 3, "Tanh", 1, 1);
    const double rows[3][3] = {{5 * c, -5 * s, 0}, {4.9 * s, 4.9 * c, 0}, {0, 0, 0.5}};
    for (size_t i = 0; i < 9; i++)
        it->weights[2][i] = (float)rows[i / 3][i % 3];
    memset(it->weights[1], 0, sizeof it->weights[1]);
    const rf_gradient_report *report = report_of(it, NULL, 0);
    check_near("spectral norm", 2, report->layers[1].spectral, 5, 1e-6);
    check_near("gain", 2, report->layers[1].gain, sqrt((25 + 4.9 * 4.9 + 0.25) / 3), 1e-6);
    assert_true(report->layers[0].spectral == 0);
    rf_gradient_report_free(report);
    free(it);
}

/* ---- Vanishing ----------------------------------------------------------------------------------- */

/* A bound on each step, below 1, so that the decay is geometric: no step may exceed it. */
static void test_small_weights_decay_geometrically(void **unused)
{
    (void)unused;
    for (size_t depth = 2; depth <= 20; depth++) {
        perceptron *it = make_perceptron(depth, MOST_WIDTH, "Sigmoid", 1, depth);
        const rf_gradient_report *report = report_of(it, NULL, 0);
        double most = 0;
        for (size_t l = 0; l + 1 < depth; l++) {
            assert_true(report->layers[l].ratio > 0 && report->layers[l].ratio < 1);
            assert_true(report->layers[l].bound < 1);
            most = fmax(most, report->layers[l].bound);
        }
        assert_true(report->layers[0].delta_norm
                    <= 1.001 * pow(most, (double)(depth - 1)) * report->layers[depth - 1].delta_norm);
        assert_int_equal(report->verdict, RF_GRADIENTS_SMALL_WEIGHTS);
        rf_gradient_report_free(report);
        free(it);
    }
}

static void test_saturation_rises_with_the_gain(void **unused)
{
    static const char *const activations[] = {"Sigmoid", "Tanh"};
    (void)unused;
    for (size_t a = 0; a < 2; a++) {
        double before = -1;
        for (double gain = 1; gain <= 256; gain *= 4) {
            perceptron *it = make_perceptron(6, MOST_WIDTH, activations[a], gain, 7);
            const rf_gradient_report *report = report_of(it, NULL, 0);
            if (!(report->saturated >= before))
                fail_msg("%s: gain %g saturates %g, a quarter of it %g", activations[a], gain, report->saturated, before);
            before = report->saturated;
            if (gain == 1)
                assert_true(before < 0.05);
            rf_gradient_report_free(report);
            free(it);
        }
        assert_true(before > 0.9);
    }
}

static void check_verdict(perceptron *it, rf_gradient_verdict expected)
{
    const rf_gradient_report *report = report_of(it, NULL, 0);
    if (report->verdict != expected)
        fail_msg("%s, expected %s: %s", rf_gradient_verdict_name(report->verdict), rf_gradient_verdict_name(expected),
                 report->reason);
    rf_gradient_report_free(report);
    free(it);
}

/* Biases that push every z far out: slopes vanish, whatever the weights. */
static perceptron *saturated_perceptron(void)
{
    perceptron *it = make_perceptron(6, MOST_WIDTH, "Sigmoid", 4, 3);
    for (size_t l = 1; l < 6; l++)
        for (size_t i = 0; i < MOST_WIDTH; i++)
            it->biases[l][i] = 30;
    return it;
}

static void test_verdicts(void **unused)
{
    (void)unused;
    check_verdict(make_perceptron(10, MOST_WIDTH, "Sigmoid", 1, 1), RF_GRADIENTS_SMALL_WEIGHTS);
    check_verdict(make_perceptron(10, MOST_WIDTH, "Tanh", 0.2, 1), RF_GRADIENTS_SMALL_WEIGHTS);
    check_verdict(make_perceptron(10, MOST_WIDTH, "Tanh", 1, 1), RF_GRADIENTS_HEALTHY);
    check_verdict(make_perceptron(10, MOST_WIDTH, "Relu", sqrt(2), 1), RF_GRADIENTS_HEALTHY);
    check_verdict(make_perceptron(10, MOST_WIDTH, "Relu", 6, 1), RF_GRADIENTS_EXPLODING);
    check_verdict(make_perceptron(20, MOST_WIDTH, "Relu", 1e6, 1), RF_GRADIENTS_EXPLODING);
    check_verdict(saturated_perceptron(), RF_GRADIENTS_SATURATION);
    check_verdict(make_perceptron(1, MOST_WIDTH, "Relu", 1, 1), RF_GRADIENTS_HEALTHY);
}

/* ---- What is refused -------------------------------------------------------------------------------- */

static void refuse(const rf_network *network, const rf_gradient_report_options *options, rf_status expected,
                   const char *named)
{
    const rf_gradient_report *report = (const rf_gradient_report *)network;
    rf_error why = {.message = ""};
    assert_int_equal(rf_gradient_report_make(network, options, &report, &why), expected);
    assert_null(report);
    if (!strstr(why.message, named))
        fail_msg("'%s' is not in: %s", named, why.message);
}

static void test_refusals(void **unused)
{
    static const rf_attribute ten[] = {RF_INT("filters", 10), {.name = NULL}};
    static const rf_layer bare = {.name = "dense", .type = "Gemm", .attributes = ten};
    static const rf_layer relu = {.name = "relu", .type = "Relu"};
    const float number = 1;
    (void)unused;
    perceptron *it = make_perceptron(2, 3, "Hardmax", 1, 1);
    rf_network network = it->network;
    refuse(&network, NULL, RF_ERROR_UNSUPPORTED, "'y1' (Hardmax)");
    network.layers = &bare;
    network.layer_count = 1;
    refuse(&network, NULL, RF_ERROR_GRAPH, "'dense' (Gemm)");
    network.layers = &relu;
    refuse(&network, NULL, RF_ERROR_GRAPH, "no convolution or product");
    it->layers[1].type = "Tanh";
    rf_gradient_report_options options = RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    options.batch = 0;
    refuse(&it->network, &options, RF_ERROR_ARGUMENT, "batch is 0");
    options = (rf_gradient_report_options)RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    options.output = "nowhere";
    refuse(&it->network, &options, RF_ERROR_NOT_FOUND, "nowhere");
    rf_tensor value = {.name = "x", .dtype = RF_FLOAT32, .data = &number, .data_bytes = sizeof number};
    options = (rf_gradient_report_options)RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    options.values = &value;
    options.value_count = 1;
    refuse(&it->network, &options, RF_ERROR_SHAPE, "60 bytes");
    value.name = "A1";
    refuse(&it->network, &options, RF_ERROR_NOT_FOUND, "'A1'");
    it->constants[0].data = NULL;
    it->constants[0].data_bytes = 0;
    refuse(&it->network, NULL, RF_ERROR_GRAPH, "'A1' has no elements");
    refuse(NULL, NULL, RF_ERROR_ARGUMENT, "network is NULL");
    free(it);
}

/* ---- Other ways to write a layer ------------------------------------------------------------------ */

static void check_alike(const rf_layer_gradient *a, const rf_layer_gradient *b)
{
    check_near("dL/dA", 1, a->weight_norm, b->weight_norm, 1e-6);
    check_near("dL/db", 1, a->bias_norm, b->bias_norm, 1e-6);
    check_near("dL/dz", 1, a->delta_norm, b->delta_norm, 1e-6);
    check_near("mean slope", 1, a->mean_slope, b->mean_slope, 1e-6);
    check_near("spectral norm", 1, a->spectral, b->spectral, 1e-6);
    check_near("gain", 1, a->gain, b->gain, 1e-6);
    assert_string_equal(a->activation, b->activation);
    assert_string_equal(a->bias, b->bias);
}

/* A product and an addition, an Identity between, the weight through a Transpose: all as a Gemm of the same. */
static void test_product_and_addition(void **unused)
{
    static const float weights[] = {0.5f, -1, 2, 0.25f, 1.5f, -0.75f}, biases[] = {0.1f, -0.2f, 0.3f};
    static const rf_tensor x = {.name = "x", .shape = RF_SHAPE(7, 2)};
    static const rf_tensor constants[] = {
        {.name = "A", .dtype = RF_FLOAT32, .shape = RF_SHAPE(3, 2), .data = weights, .data_bytes = sizeof weights},
        {.name = "b", .dtype = RF_FLOAT32, .shape = RF_SHAPE(3), .data = biases, .data_bytes = sizeof biases}};
    const rf_layer whole[] = {
        {.name = "gemm", .type = "Gemm", .inputs = RF_NAMES("x", "A", "b"), .attributes = turned},
        {.name = "y", .type = "Tanh"}};
    const rf_layer parts[] = {
        {.name = "turned", .type = "Transpose", .inputs = RF_NAMES("A")},
        {.name = "product", .type = "MatMul", .inputs = RF_NAMES("x", "turned")},
        {.name = "sum", .type = "Add", .inputs = RF_NAMES("b", "product")},
        {.name = "same", .type = "Identity", .inputs = RF_NAMES("sum")},
        {.name = "y", .type = "Tanh", .inputs = RF_NAMES("same")}};
    const rf_network networks[] = {
        {.inputs = &x, .input_count = 1, .constants = constants, .constant_count = 2, .layers = whole, .layer_count = 2},
        {.inputs = &x, .input_count = 1, .constants = constants, .constant_count = 2, .layers = parts, .layer_count = 5}};
    const rf_gradient_report *one, *other;
    (void)unused;
    CHECK(rf_gradient_report_make(&networks[0], NULL, &one, &error));
    CHECK(rf_gradient_report_make(&networks[1], NULL, &other, &error));
    assert_int_equal(other->layer_count, 1);
    assert_string_equal(other->layers[0].pre_activation, "same");
    check_alike(&one->layers[0], &other->layers[0]);
    rf_gradient_report_free(one);
    rf_gradient_report_free(other);
}

/* ---- Memory and workers --------------------------------------------------------------------------- */

/* Whatever call gets no memory: told, and nothing is left behind. */
static void test_memory_refused(void **unused)
{
    (void)unused;
    perceptron *it = make_perceptron(3, 4, "Tanh", 1, 1);
    rf_status status = RF_ERROR_MEMORY;
    size_t at;
    for (at = 1; status != RF_OK; at++) {
        counted_memory memory;
        const rf_gradient_report *report;
        rf_gradient_report_options options = RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
        counted_memory_init(&memory, at);
        options.allocator = &memory.allocator;
        status = rf_gradient_report_make(&it->network, &options, &report, &error);
        if (status != RF_OK)
            assert_int_equal(status, RF_ERROR_MEMORY);
        assert_int_equal(status == RF_OK, report != NULL);
        rf_gradient_report_free(report);
        assert_int_equal(memory.live, 0);
    }
    assert_true(at > 10);
    free(it);
}

static void test_workers_change_no_bit(void **unused)
{
    (void)unused;
    perceptron *it = make_perceptron(4, MOST_WIDTH, "Sigmoid", 2, 1);
    const rf_executor executor = {.run = run_backward, .workers = 3};
    const rf_gradient_report *alone = report_of(it, NULL, 0), *together;
    rf_gradient_report_options options = RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    options.executor = &executor;
    CHECK(rf_gradient_report_make(&it->network, &options, &together, &error));
    for (size_t l = 0; l < 4; l++)
        assert_true(alone->layers[l].weight_norm == together->layers[l].weight_norm
                    && alone->layers[l].delta_norm == together->layers[l].delta_norm
                    && alone->layers[l].mean_slope == together->layers[l].mean_slope);
    assert_string_equal(alone->reason, together->reason);
    rf_gradient_report_free(alone);
    rf_gradient_report_free(together);
    free(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_is_that_of_the_formulas),
        cmocka_unit_test(test_spectral_norm),
        cmocka_unit_test(test_small_weights_decay_geometrically),
        cmocka_unit_test(test_saturation_rises_with_the_gain),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_product_and_addition),
        cmocka_unit_test(test_memory_refused),
        cmocka_unit_test(test_workers_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
