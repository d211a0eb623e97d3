/* SPDX-License-Identifier: MIT */
/*
 * The operators of rfield's own domain: slopes against central differences of the
 * functions, results worked out by hand, what they count against what they do,
 * and what they refuse.
 */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "ops/slopes.h"

#define FLOATS(name_, ...) {.name = (name_), .dtype = RF_FLOAT32, .shape = RF_SHAPE(__VA_ARGS__)}
#define LABELS(name_, ...) {.name = (name_), .dtype = RF_INT64, .shape = RF_SHAPE(__VA_ARGS__)}
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ATTRIBUTES(...) ((const rf_attribute[]){__VA_ARGS__, {.name = NULL}})

/* A network of one layer of the domain. */
static rf_network alone(const rf_tensor *inputs, size_t count, rf_layer *layer, const char *type,
                        const char *const *names, const rf_attribute *attributes)
{
    static const char *const outputs[] = {"y", NULL};
    *layer = (rf_layer){.name = "own", .type = type, .domain = "rfield", .inputs = names, .outputs = outputs,
                        .attributes = attributes};
    return (rf_network){.inputs = inputs, .input_count = count, .layers = layer, .layer_count = 1};
}

/* ---- Slopes ------------------------------------------------------------------------------ */

static void slopes_are_derivatives(void **unused)
{
    (void)unused;
    for (int f = 0; f < RF_MAP_FUNCTIONS; f++) {
        const double a = f == RF_MAP_CLIP ? -0.61 : 0.37, b = 0.83, step = 1e-5;
        const rf_real_function map = rf_map_real((rf_map_function)f), slope = rf_map_slope((rf_map_function)f, false);
        for (double x = -4.013; x < 4; x += 0.171) {
            bool positive = f == RF_MAP_LOG || f == RF_MAP_SQRT;
            double at = positive ? fabs(x) : x;
            double difference = (map(at + step, a, b) - map(at - step, a, b)) / (2 * step);
            if (fabs(difference) < 1e3)
                assert_float_equal(slope(at, a, b), difference, 1e-6 * (1 + fabs(difference)));
        }
        assert_true(isnan(slope(NAN, a, b)));
    }
}

static void slopes_of_outputs(void **unused)
{
    static const rf_map_function functions[] = {RF_MAP_SIGMOID, RF_MAP_TANH};
    (void)unused;
    for (size_t k = 0; k < LENGTH(functions); k++)
        for (double x = -3; x < 3; x += 0.25)
            assert_float_equal(rf_map_slope(functions[k], true)(rf_map_real(functions[k])(x, 0, 0), 0, 0),
                               rf_map_slope(functions[k], false)(x, 0, 0), 1e-14);
    assert_null(rf_map_slope(RF_MAP_GELU, true));
}

/* What PyTorch takes. */
static void slopes_at_kinks(void **unused)
{
    (void)unused;
    assert_float_equal(rf_map_slope(RF_MAP_RELU, false)(0, 0, 0), 0, 0);
    assert_float_equal(rf_map_slope(RF_MAP_ABS, false)(0, 0, 0), 0, 0);
    assert_float_equal(rf_map_slope(RF_MAP_CLIP, false)(-1, -1, 2), 1, 0);
    assert_float_equal(rf_map_slope(RF_MAP_CLIP, false)(2, -1, 2), 1, 0);
    assert_float_equal(rf_map_slope(RF_MAP_LEAKY_RELU, false)(0, 0.25, 0), 0.25, 0);
    assert_float_equal(rf_map_slope(RF_MAP_HARD_SIGMOID, false)(2.5, 0.2, 0.5), 0, 0);
    assert_float_equal(rf_map_slope(RF_MAP_THRESHOLD, false)(1, 1, 0), 0, 0);
    assert_float_equal(rf_map_slope(RF_MAP_GELU, false)((double)INFINITY, 0, 0), 1, 0);
    assert_float_equal(rf_map_slope(RF_MAP_SILU, false)(-(double)INFINITY, 0, 0), 0, 0);
}

/* ---- Results ----------------------------------------------------------------------------- */

/* By kernels and by the reference. */
static void expect(const rf_network *network, const void *const *data, const float *wanted, size_t count)
{
    for (int reference = 0; reference < 2; reference++) {
        rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
        options.reference = reference;
        rf_model *model = compiled(network, &options);
        rf_session *session;
        rf_tensor output;
        assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
        for (size_t i = 0; i < network->input_count; i++)
            assert_int_equal(rf_session_bind_input(session, network->inputs[i].name, data[i],
                                                   bytes_of(&network->inputs[i]), NULL), RF_OK);
        assert_int_equal(rf_run(session, NULL), RF_OK);
        assert_int_equal(rf_session_output(session, "y", &output, NULL), RF_OK);
        assert_int_equal(output.data_bytes, count * sizeof(float));
        for (size_t i = 0; i < count; i++)
            assert_float_equal(((const float *)output.data)[i], wanted[i], 1e-6);
        rf_session_free(session);
        rf_model_free(model);
    }
}

/* x = 1 2 3 / 4 5 6 / 7 8 9, dy = 1 10 / 100 1000. */
static void weights(void **unused)
{
    static const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, dy[] = {1, 10, 100, 1000};
    static const float wanted[] = {5421, 6532, 8754, 9865};
    const rf_tensor inputs[] = {FLOATS("x", 1, 1, 3, 3), FLOATS("dy", 1, 1, 2, 2)};
    const void *const data[] = {x, dy};
    rf_layer layer;
    (void)unused;
    rf_network network = alone(inputs, 2, &layer, "ConvWeightGradient", NAMES("x", "dy"),
                               ATTRIBUTES(RF_INTS("kernel_shape", 2, 2)));
    expect(&network, data, wanted, 4);
    /* Two positions of stride 2 from -1: rows and columns -1, 1 and 0, 2. */
    network = alone(inputs, 2, &layer, "ConvWeightGradient", NAMES("x", "dy"),
                    ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2), RF_INTS("pads", 1, 1, 0, 0)));
    const float strided[] = {5000, 400 + 6000, 20 + 8000, 1 + 30 + 700 + 9000};
    expect(&network, data, strided, 4);
}

/* Rows 1 3 3 / 2 3 NaN, windows of 2x2, stride 1: the first 3 of the first, the NaN of the second. */
static void largest_elements(void **unused)
{
    static const float x[] = {1, 3, 3, 2, 3, NAN}, dy[] = {5, 7}, wanted[] = {0, 5, 0, 0, 0, 7};
    const rf_tensor inputs[] = {FLOATS("dy", 1, 1, 1, 2), FLOATS("x", 1, 1, 2, 3)};
    const void *const data[] = {dy, x};
    rf_layer layer;
    (void)unused;
    const rf_network network = alone(inputs, 2, &layer, "MaxPoolGradient", NAMES("dy", "x"),
                                     ATTRIBUTES(RF_INTS("kernel_shape", 2, 2)));
    expect(&network, data, wanted, 6);
}

/* Windows of 2, stride 1, pads of 1: those at the ends have one real element. */
static void means(void **unused)
{
    static const float dy[] = {2, 4, 6, 8}, real[] = {2 + 2, 2 + 3, 3 + 8}, all[] = {1 + 2, 2 + 3, 3 + 4};
    const rf_tensor inputs[] = {FLOATS("dy", 1, 1, 4)};
    const void *const data[] = {dy};
    rf_layer layer;
    (void)unused;
    rf_network network = alone(inputs, 1, &layer, "AveragePoolGradient", NAMES("dy"),
                               ATTRIBUTES(RF_INTS("kernel_shape", 2), RF_INTS("pads", 1, 1), RF_INTS("input_shape", 1, 1, 3)));
    expect(&network, data, real, 3);
    network = alone(inputs, 1, &layer, "AveragePoolGradient", NAMES("dy"),
                    ATTRIBUTES(RF_INTS("kernel_shape", 2), RF_INTS("pads", 1, 1), RF_INTS("input_shape", 1, 1, 3),
                               RF_INT("count_include_pad", 1)));
    expect(&network, data, all, 3);
}

/* Softmaxes of 1/2 1/2 and 1/4 3/4; a third target is ignored. */
static void cross_entropy(void **unused)
{
    static const float scores[] = {0, 0, 0, 1.0986123f, 9, 9}, weights_of[] = {1, 3};
    static const int64_t labels[] = {0, 1, -1};
    static const float mean[] = {-0.25f, 0.25f, 0.125f, -0.125f, 0, 0};
    static const float weighted[] = {-0.125f, 0.125f, 0.1875f, -0.1875f, 0, 0};
    static const float sum[] = {-0.5f, 0.5f, 0.25f, -0.25f, 0, 0};
    const rf_tensor inputs[] = {FLOATS("s", 3, 2), LABELS("l", 3), FLOATS("w", 2)};
    const void *const data[] = {scores, labels, weights_of};
    rf_layer layer;
    (void)unused;
    rf_network network = alone(inputs, 2, &layer, "CrossEntropyGradient", NAMES("s", "l"),
                               ATTRIBUTES(RF_INT("ignore_index", -1)));
    expect(&network, data, mean, 6);
    network = alone(inputs, 3, &layer, "CrossEntropyGradient", NAMES("s", "l", "w"),
                    ATTRIBUTES(RF_INT("ignore_index", -1)));
    expect(&network, data, weighted, 6);
    network = alone(inputs, 2, &layer, "CrossEntropyGradient", NAMES("s", "l"),
                    ATTRIBUTES(RF_INT("ignore_index", -1), RF_TEXT("reduction", "sum")));
    expect(&network, data, sum, 6);
}

/* ---- Counts ------------------------------------------------------------------------------ */

/* What the reference does is what an analysis says. All labels are 0. */
static void expect_counted(const rf_network *network)
{
    static const int64_t labels[8];
    float floats[512];
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.reference = true;
    rf_model *model = compiled(network, &options);
    rf_session *session;
    const rf_analysis *analysis;
    fill_random(floats, LENGTH(floats), 1);
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    for (size_t i = 0; i < network->input_count; i++) {
        const rf_tensor *input = &network->inputs[i];
        bool is_float = input->dtype == RF_FLOAT32;
        size_t bytes = bytes_of(input);
        assert_true(bytes <= (is_float ? sizeof floats : sizeof labels));
        const void *data = is_float ? (const void *)floats : labels;
        assert_int_equal(rf_session_bind_input(session, input->name, data, bytes, NULL), RF_OK);
    }
    assert_int_equal(rf_run(session, NULL), RF_OK);
    rf_counts done = rf_session_counts(session, 0);
    assert_int_equal(rf_analyze(network, NULL, &analysis, NULL), RF_OK);
    assert_true(analysis->valid.additions + analysis->valid.multiplications > 0);
    assert_memory_equal(&done, &analysis->valid, sizeof done);
    rf_analysis_free(analysis);
    rf_session_free(session);
    rf_model_free(model);
}

static void counts(void **unused)
{
    const rf_tensor images[] = {FLOATS("x", 2, 4, 7, 5), FLOATS("dy", 2, 6, 5, 2)};
    const rf_tensor pooled[] = {FLOATS("dy", 2, 3, 4, 3), FLOATS("x", 2, 3, 7, 5)};
    const rf_tensor scores[] = {FLOATS("s", 3, 5, 2), LABELS("l", 3, 2), FLOATS("w", 5)};
    const rf_attribute *pool = ATTRIBUTES(RF_INTS("kernel_shape", 3, 2), RF_INTS("strides", 2, 2), RF_INTS("pads", 1, 1, 1, 0));
    rf_layer layer;
    (void)unused;
    rf_network network = alone(images, 2, &layer, "ConvWeightGradient", NAMES("x", "dy"),
                               ATTRIBUTES(RF_INTS("kernel_shape", 3, 3), RF_INTS("strides", 1, 3), RF_INT("group", 2),
                                          RF_INTS("dilations", 2, 1), RF_INTS("pads", 1, 0, 1, 1)));
    expect_counted(&network);
    network = alone(pooled, 2, &layer, "MaxPoolGradient", NAMES("dy", "x"), pool);
    expect_counted(&network);
    network = alone(pooled, 1, &layer, "AveragePoolGradient", NAMES("dy"),
                    ATTRIBUTES(pool[0], pool[1], pool[2], RF_INTS("input_shape", 2, 3, 7, 5)));
    expect_counted(&network);
    network = alone(pooled, 1, &layer, "Slope", NAMES("dy", "dy"), ATTRIBUTES(RF_TEXT("function", "Tanh")));
    expect_counted(&network);
    for (size_t count = 2; count <= 3; count++) {
        network = alone(scores, count, &layer, "CrossEntropyGradient", count == 2 ? NAMES("s", "l") : NAMES("s", "l", "w"),
                        NULL);
        expect_counted(&network);
    }
}

/* ---- Refusals ---------------------------------------------------------------------------- */

static void expect_refused(const rf_network *network, rf_status status, const char *part)
{
    rf_model *model = NULL;
    rf_error error;
    assert_int_equal(rf_compile(network, NULL, &model, &error), status);
    assert_non_null(strstr(error.message, part));
    assert_non_null(strstr(error.message, "own"));
}

static void refusals(void **unused)
{
    const rf_tensor images[] = {FLOATS("x", 1, 4, 5, 5), FLOATS("dy", 1, 6, 4, 3)};
    rf_layer layer;
    (void)unused;
    rf_network network = alone(images, 2, &layer, "ConvWeightGradient", NAMES("x", "dy"),
                               ATTRIBUTES(RF_INTS("kernel_shape", 3, 3)));
    expect_refused(&network, RF_ERROR_SHAPE, "axis 2 of the gradient is 4 long, but its windows have 1 to 3");
    network = alone(images, 2, &layer, "ConvWeightGradient", NAMES("x", "dy"),
                    ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INT("group", 4)));
    expect_refused(&network, RF_ERROR_SHAPE, "4 and 6 channels cannot be split into 4 groups");
    network = alone(images, 2, &layer, "MaxPoolGradient", NAMES("dy", "x"), ATTRIBUTES(RF_INTS("kernel_shape", 3, 3)));
    expect_refused(&network, RF_ERROR_SHAPE, "puts out [1,4,3,3]");
    network = alone(images, 2, &layer, "Slope", NAMES("x", "dy"), ATTRIBUTES(RF_TEXT("function", "Relu")));
    expect_refused(&network, RF_ERROR_SHAPE, "the gradient has shape [1,4,5,5]");
    network = alone(images, 2, &layer, "Slope", NAMES("x", "x"), ATTRIBUTES(RF_TEXT("function", "Softmax")));
    expect_refused(&network, RF_ERROR_UNSUPPORTED, "function 'Softmax' has no slope");
}

static void labels_out_of_range(void **unused)
{
    static const float scores[] = {0, 0, 0};
    static const int64_t labels[] = {3};
    const rf_tensor inputs[] = {FLOATS("s", 1, 3), LABELS("l", 1)};
    rf_layer layer;
    rf_session *session;
    rf_error error;
    (void)unused;
    const rf_network network = alone(inputs, 2, &layer, "CrossEntropyGradient", NAMES("s", "l"), NULL);
    rf_model *model = compiled(&network, NULL);
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, "s", scores, sizeof scores, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, "l", labels, sizeof labels, NULL), RF_OK);
    assert_int_equal(rf_run(session, &error), RF_ERROR_SHAPE);
    assert_string_equal(error.message, "layer 'own' (CrossEntropyGradient): target 3 is outside 0..2");
    rf_session_free(session);
    rf_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes_are_derivatives), cmocka_unit_test(slopes_of_outputs),
        cmocka_unit_test(slopes_at_kinks),        cmocka_unit_test(weights),
        cmocka_unit_test(largest_elements),       cmocka_unit_test(means),
        cmocka_unit_test(cross_entropy),          cmocka_unit_test(counts),
        cmocka_unit_test(refusals),               cmocka_unit_test(labels_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
