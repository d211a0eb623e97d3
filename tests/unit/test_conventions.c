/* SPDX-License-Identifier: MIT */
/* Each convention against the integer that its tool prints or publishes: docs/counting.md has the sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <rfield/analysis.h>
#include <rfield/readers.h>

static void expect_of(const rf_network *network, const rf_binding *binding, const char *layer,
                      const char *convention, uint64_t expected)
{
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    const rf_analysis *analysis;
    rf_error error = {.message = ""};
    uint64_t count = 0;
    options.bindings = binding;
    options.binding_count = binding ? 1 : 0;
    if (rf_analyze(network, &options, &analysis, &error) != RF_OK)
        fail_msg("%s", error.message);
    size_t which = layer ? rf_analysis_find_layer(analysis, layer) : analysis->layer_count;
    assert_int_equal(rf_convention_count(analysis, convention, which, &count, &error), RF_OK);
    if (count != expected)
        fail_msg("%s of %s: %llu instead of %llu", convention, analysis->name, (unsigned long long)count,
                 (unsigned long long)expected);
    rf_analysis_free(analysis);
}

static void expect_of_example(const char *name, const rf_binding *binding, const char *convention,
                              uint64_t expected)
{
    char path[4096];
    const rf_network *network;
    rf_error error = {.message = ""};
    snprintf(path, sizeof path, "%s/%s.json", RF_TEST_NETWORKS, name);
    if (rf_network_load(path, NULL, &network, &error) != RF_OK)
        fail_msg("%s: %s", path, error.message);
    expect_of(network, binding, NULL, convention, expected);
    rf_network_free(network);
}

static void real_networks(void **state)
{
    (void)state;
    const rf_binding pair = {"image", RF_SHAPE(2, 3, 224, 224)};
    expect_of_example("resnet50", NULL, "torchvision", 4089184256);
    expect_of_example("resnet50", NULL, "thop", 4089184256 + 4 * 11113984 + 102400);
    expect_of_example("resnet18", NULL, "calflops", 2 * UINT64_C(1814073344) + 2308096 + 4967424 + 827904 + 1000);
    /* Weights and biases times positions, batch-norm parameters times the batch of two: 8.18 G. */
    expect_of_example("resnet50", &pair, "torchinfo", UINT64_C(8178476752));
}

/* VGG-16 to its last pool, as tf.profiler publishes it. */
static void vgg_to_pool5(void **state)
{
    (void)state;
    static const int64_t channels[] = {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0};
    enum { LAYERS = sizeof channels / sizeof *channels };
    rf_attribute attributes[LAYERS][4];
    rf_layer layers[LAYERS];
    static const int64_t three[] = {3, 3}, two[] = {2, 2}, ones[] = {1, 1, 1, 1};
    for (size_t i = 0; i < LAYERS; i++) {
        memset(attributes[i], 0, sizeof attributes[i]);
        attributes[i][0] = (rf_attribute){.name = "kernel_shape", .type = RF_ATTRIBUTE_INTS, .count = 2,
                                          .value = {.ints = channels[i] ? three : two}};
        if (channels[i]) {
            attributes[i][1] = (rf_attribute){.name = "pads", .type = RF_ATTRIBUTE_INTS, .count = 4, .value = {.ints = ones}};
            attributes[i][2] = (rf_attribute)RF_INT("filters", channels[i]);
        } else {
            attributes[i][1] = (rf_attribute){.name = "strides", .type = RF_ATTRIBUTE_INTS, .count = 2, .value = {.ints = two}};
        }
        layers[i] = (rf_layer){.type = channels[i] ? "Conv" : "MaxPool", .attributes = attributes[i]};
    }
    const rf_tensor input = {.name = "image", .shape = RF_SHAPE(1, 3, 224, 224)};
    const rf_network network = {.name = "vgg16", .inputs = &input, .input_count = 1, .layers = layers,
                                .layer_count = LAYERS};
    expect_of(&network, NULL, NULL, "tf-profiler", UINT64_C(30712930304));
}

static void single_layers(void **state)
{
    (void)state;
    const rf_attribute five[] = {RF_INTS("kernel_shape", 5, 5), RF_INT("filters", 10), {.name = NULL}};
    const rf_layer conv = {.name = "conv", .type = "Conv", .attributes = five};
    const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 3, 224, 224)};
    const rf_network network = {.name = "5x5", .inputs = &image, .input_count = 1, .layers = &conv, .layer_count = 1};
    expect_of(&network, NULL, "conv", "torchstat-madd", 72600000);
    expect_of(&network, NULL, "conv", "torchstat-flops", 36784000);

    const rf_attribute same[] = {RF_INTS("kernel_shape", 2, 2), RF_INT("filters", 2), RF_INT("bias", 0),
                                 RF_TEXT("auto_pad", "SAME_UPPER"), {.name = NULL}};
    const rf_layer small = {.name = "small", .type = "Conv", .attributes = same};
    const rf_tensor four = {.name = "image", .shape = RF_SHAPE(1, 1, 4, 4)};
    const rf_network tiny = {.name = "4x4", .inputs = &four, .input_count = 1, .layers = &small, .layer_count = 1};
    expect_of(&tiny, NULL, "small", "xla", 196);
    expect_of(&tiny, NULL, "small", "pnnx", 256);
}

static void unknown_names(void **state)
{
    (void)state;
    const rf_tensor image = {.name = "image", .shape = RF_SHAPE(1, 1, 4, 4)};
    const rf_layer relu = {.name = "relu", .type = "Relu"};
    const rf_network network = {.inputs = &image, .input_count = 1, .layers = &relu, .layer_count = 1};
    const rf_analysis *analysis;
    rf_error error;
    uint64_t count;
    assert_int_equal(rf_analyze(&network, NULL, &analysis, &error), RF_OK);
    assert_int_equal(rf_convention_count(analysis, "abacus", 0, &count, &error), RF_ERROR_NOT_FOUND);
    assert_string_equal(error.message, "there is no convention 'abacus'");
    assert_int_equal(rf_convention_count(analysis, "thop", 2, &count, &error), RF_ERROR_NOT_FOUND);
    rf_analysis_free(analysis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_networks),
        cmocka_unit_test(vgg_to_pool5),
        cmocka_unit_test(single_layers),
        cmocka_unit_test(unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
