/* SPDX-License-Identifier: MIT */
/* Gradients at the edges: of networks whose tensors have the names that a gradient would take, by what is asked for
 * twice, of tensors without elements, of what has no derivative, and while memory ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run_tools.h"

enum { LONGEST = 40000 };

static const float numbers[8] = {1, 0.5f, -1, 2, 1, 1, 3, 0.25f};

static rf_tensor floats(const char *name, int64_t count)
{
    return (rf_tensor){.name = name, .dtype = RF_FLOAT32, .shape = RF_SHAPE(count), .data = numbers,
                       .data_bytes = (size_t)count * sizeof *numbers};
}

/* y = x w, by two layers: names of the tensor between, and of w. */
static rf_network chain(const char *between, const char *weight)
{
    static rf_tensor input, output, constant;
    static rf_layer layers[2];
    static const char *first[3], *second[2], *mid[2], *last[2];
    input = (rf_tensor){.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(2, 4)};
    output = (rf_tensor){.name = "y", .shape = {.rank = -1}};
    constant = floats(weight, 4);
    first[0] = "x";
    first[1] = weight;
    second[0] = mid[0] = between;
    last[0] = "y";
    layers[0] = (rf_layer){.name = between, .type = "Mul", .inputs = first, .outputs = mid};
    layers[1] = (rf_layer){.name = "last", .type = "Tanh", .inputs = second, .outputs = last};
    return (rf_network){.inputs = &input, .input_count = 1, .outputs = &output, .output_count = 1,
                        .constants = &constant, .constant_count = 1, .layers = layers, .layer_count = 2, .opset = 17};
}

static rf_gradient_options by(const char *const *tensors, size_t count)
{
    rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
    options.tensors = tensors;
    options.tensor_count = count;
    return options;
}

static const rf_network *described(const rf_network *network, const rf_gradient_options *options)
{
    const rf_network *gradient;
    rf_error error;
    if (rf_gradient_describe(network, options, &gradient, &error) != RF_OK)
        fail_msg("%s", error.message);
    rf_model_free(compiled(gradient, NULL));
    return gradient;
}

static void refused(const rf_network *network, const rf_gradient_options *options, rf_status status, const char *words)
{
    const rf_network *gradient;
    rf_error error;
    assert_int_equal(rf_gradient_describe(network, options, &gradient, &error), status);
    assert_null(gradient);
    if (!strstr(error.message, words))
        fail_msg("'%s' lacks '%s'", error.message, words);
}

static void test_what_is_asked_for_twice_comes_once(void **state)
{
    (void)state;
    static const char *const tensors[] = {"x", "w", "t", "x", "t"};
    static const char *const wanted[] = {"y", RF_LOSS, "w.gradient", "x.gradient", "t.gradient"};
    const rf_network network = chain("t", "w");
    const rf_gradient_options options = by(tensors, LENGTH(tensors));
    const rf_network *gradient = described(&network, &options);
    assert_int_equal(gradient->output_count, LENGTH(wanted));
    for (size_t i = 0; i < LENGTH(wanted); i++)
        assert_string_equal(gradient->outputs[i].name, wanted[i]);
    rf_network_free(gradient);
}

static void test_own_names_avoid_the_networks(void **state)
{
    (void)state;
    static const char *const names[] = {"rfield.0", "rfield.1", "rfield.2", "rfield.3", "rfield.4", "rfield.5",
                                        "loss.gradient.0", "last.gradient.0", "last.gradient.1"};
    for (size_t a = 0; a < LENGTH(names); a++)
        for (size_t b = 0; b < LENGTH(names); b++) {
            if (a == b)
                continue;
            const rf_network network = chain(names[a], names[b]);
            rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
            options.loss = RF_LOSS_SQUARED_ERROR;
            rf_network_free(described(&network, &options));
        }
}

static void test_names_that_only_results_have(void **state)
{
    (void)state;
    static const char *const x[] = {"x"}, *const absent[] = {"z"};
    rf_gradient_options options = by(x, 1);
    rf_network network = chain(RF_TARGET, "w");
    refused(&network, &options, RF_ERROR_GRAPH, "'" RF_TARGET "'");
    network = chain("t", RF_LOSS);
    refused(&network, &options, RF_ERROR_GRAPH, "'" RF_LOSS "'");
    network = chain("x.gradient", "w");
    refused(&network, &options, RF_ERROR_GRAPH, "'x.gradient'");
    options = by(absent, 1);
    refused(&network, &options, RF_ERROR_NOT_FOUND, "'z'");
}

/* A file's names must be UTF-8. */
static void test_long_names_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char name[128] = "abc", *at = name + shift;
        for (size_t i = 0; i < 30; i++, at += 3)
            memcpy(at, "\xE2\x82\xAC", 4);
        const rf_network network = chain(name, "w");
        const rf_network *gradient = described(&network, NULL);
        const char *path = "gradient_edges.onnx";
        rf_error error;
        if (rf_network_save_onnx(gradient, path, NULL, &error) != RF_OK)
            fail_msg("%s", error.message);
        assert_int_equal(remove(path), 0);
        rf_network_free(gradient);
    }
}

/* Two normalisations with one mean and variance, or one and a tensor that has the name of what it measures. */
static rf_network normalised(const char *middle, const char *means)
{
    static rf_tensor input, output, constants[5];
    static rf_layer layers[2];
    static const char *first[6], *second[6], *mid[2], *last[2];
    input = (rf_tensor){.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(3, 4)};
    output = (rf_tensor){.name = "y", .shape = {.rank = -1}};
    const char *const names[] = {"scale", "shift", "mean", "variance", "mean2"};
    for (size_t i = 0; i < LENGTH(names); i++) {
        constants[i] = floats(names[i], 4);
        first[i + 1] = second[i + 1] = i < 4 ? names[i] : NULL;
    }
    first[0] = "x";
    second[0] = mid[0] = middle;
    second[3] = means;
    last[0] = "y";
    layers[0] = (rf_layer){.name = "n1", .type = "BatchNormalization", .inputs = first, .outputs = mid};
    layers[1] = (rf_layer){.name = "n2", .type = "BatchNormalization", .inputs = second, .outputs = last};
    return (rf_network){.inputs = &input, .input_count = 1, .outputs = &output, .output_count = 1,
                        .constants = constants, .constant_count = 5, .layers = layers, .layer_count = 2, .opset = 17};
}

static void test_statistics_of_two_batches(void **state)
{
    (void)state;
    rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
    rf_network network = normalised("t", "mean");
    rf_network_free(described(&network, &options));
    options.measure_batches = true;
    refused(&network, &options, RF_ERROR_UNSUPPORTED, "'n2' (BatchNormalization): a statistic 'mean'");
    network = normalised("mean.measured", "mean2");
    refused(&network, &options, RF_ERROR_GRAPH, "'mean.measured'");
}

/* One layer of x and what `inputs` names besides, with its constants. */
static rf_network single(const char *type, const rf_tensor *x, const char *const *inputs, const rf_tensor *constants,
                         size_t constant_count)
{
    static const char *const outputs[] = {"y", NULL};
    static rf_tensor output;
    static rf_layer layer;
    output = (rf_tensor){.name = "y", .shape = {.rank = -1}};
    layer = (rf_layer){.name = "only", .type = type, .inputs = inputs, .outputs = outputs};
    return (rf_network){.inputs = x, .input_count = 1, .outputs = &output, .output_count = 1, .constants = constants,
                        .constant_count = constant_count, .layers = &layer, .layer_count = 1, .opset = 17};
}

/* Weights that an image without rows is convolved by matter to nothing. */
static void test_outputs_without_elements(void **state)
{
    (void)state;
    static const float weights[50];
    static const char *const inputs[] = {"x", "w", NULL}, *const tensors[] = {"x"};
    const rf_tensor x = {.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 2, 0, 5)};
    const rf_tensor w = {.name = "w", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 2, 5, 5), .data = weights,
                         .data_bytes = sizeof weights};
    const rf_network network = single("Conv", &x, inputs, &w, 1);
    const rf_gradient_options options = by(tensors, 1);
    const rf_network *gradient = described(&network, &options);
    rf_model *model = compiled(gradient, NULL);
    rf_session *session;
    rf_tensor dw;
    float nothing = 0;
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, "x", &nothing, 0, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, "w", weights, sizeof weights, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, RF_TARGET, &nothing, 0, NULL), RF_OK);
    assert_int_equal(rf_run(session, NULL), RF_OK);
    assert_int_equal(rf_session_output(session, "w.gradient", &dw, NULL), RF_OK);
    assert_int_equal(dw.data_bytes, sizeof weights);
    assert_memory_equal(dw.data, weights, sizeof weights);
    rf_session_free(session);
    rf_model_free(model);
    rf_network_free(gradient);
}

static void test_weights_of_classes(void **state)
{
    (void)state;
    static const int64_t classes[] = {0, 3};
    static const char *const inputs[] = {"x", "c", "w", NULL}, *const scores[] = {"x"}, *const both[] = {"x", "w"};
    const rf_tensor x = {.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(2, 4)};
    const rf_tensor constants[] = {{.name = "c", .dtype = RF_INT64, .shape = RF_SHAPE(2), .data = classes,
                                    .data_bytes = sizeof classes}, floats("w", 4)};
    const rf_network network = single("SoftmaxCrossEntropyLoss", &x, inputs, constants, 2);
    rf_gradient_options options = by(scores, 1);
    rf_network_free(described(&network, &options));
    options = by(both, 2);
    refused(&network, &options, RF_ERROR_UNSUPPORTED, "'only' (SoftmaxCrossEntropyLoss)");
}

/* Refuses each call once. */
static void refuse_calls(const rf_network *network, rf_gradient_options options)
{
    rf_status status = RF_ERROR_MEMORY;
    for (size_t call = 1; status != RF_OK; call++) {
        counted_memory memory;
        const rf_network *gradient;
        counted_memory_init(&memory, call);
        options.allocator = &memory.allocator;
        status = rf_gradient_describe(network, &options, &gradient, NULL);
        assert_int_equal(status, memory.calls < call ? RF_OK : RF_ERROR_MEMORY);
        rf_network_free(gradient);
        assert_int_equal(memory.live, 0);
    }
}

/* By nothing, or by all that there is; names of many lengths, so that memory ends at many places. */
static void test_memory_that_ends(void **state)
{
    (void)state;
    static const char *const tensors[] = {"x", "y"};
    static char name[LONGEST];
    for (size_t length = 1; length < sizeof name; length += 1000) {
        memset(name, 'n', length);
        const rf_network network = chain(name, "w");
        rf_gradient_options options = by(tensors, LENGTH(tensors));
        refuse_calls(&network, options);
        options.tensor_count = 0;
        options.parameters = false;
        refuse_calls(&network, options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked_for_twice_comes_once),
        cmocka_unit_test(test_own_names_avoid_the_networks),
        cmocka_unit_test(test_names_that_only_results_have),
        cmocka_unit_test(test_long_names_are_cut_between_characters),
        cmocka_unit_test(test_statistics_of_two_batches),
        cmocka_unit_test(test_outputs_without_elements),
        cmocka_unit_test(test_weights_of_classes),
        cmocka_unit_test(test_memory_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
