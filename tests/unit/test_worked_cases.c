/* SPDX-License-Identifier: MIT */
/* Cases worked by hand or printed by others, each with the number it must give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rfield/analysis.h>

#define LENGTH(array_) (sizeof(array_) / sizeof *(array_))

static const rf_analysis *analyze(const rf_network *network)
{
    const rf_analysis *analysis = NULL;
    rf_error error = {.message = ""};
    if (rf_analyze(network, NULL, &analysis, &error) != RF_OK)
        fail_msg("rf_analyze: %s", error.message);
    return analysis;
}

static const rf_layer_analysis *layer_named(const rf_analysis *analysis, const char *name)
{
    size_t layer = rf_analysis_find_layer(analysis, name);
    assert_true(layer < analysis->layer_count);
    return &analysis->layers[layer];
}

/* ---- Fields --------------------------------------------------------------------------------- */

#define CONV3(name_, filters_)                                                           \
    {                                                                                    \
        .name = (name_), .type = "Conv",                                                 \
        .attributes = RF_ATTRIBUTES(RF_INT("filters", filters_),                         \
                                    RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1)) \
    }
#define POOL2(name_)                                                                     \
    {                                                                                    \
        .name = (name_), .type = "MaxPool",                                              \
        .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2)) \
    }

static void expect_affine(const rf_analysis *analysis, const char *name, int64_t stride,
                          int64_t u0, int64_t v0)
{
    const rf_layer_analysis *layer = layer_named(analysis, name);
    assert_int_equal(layer->field_count, 1);
    assert_true(layer->fields[0].aligned);
    assert_int_equal(layer->fields[0].axis_count, 2);
    for (int a = 0; a < 2; a++) {
        const rf_field_axis *axis = &layer->fields[0].axes[a];
        assert_int_equal(axis->kind, RF_AXIS_AFFINE);
        assert_int_equal(axis->output_axis, a + 2);
        assert_int_equal(axis->stride, stride);
        assert_int_equal(axis->u0, u0);
        assert_int_equal(axis->v0, v0);
        assert_int_equal(axis->size, v0 - u0 + 1);
        assert_int_equal(axis->padding, -u0);
        assert_int_equal(axis->support, axis->size);
    }
}

static void coursework_fields(void **state)
{
    (void)state;
    static const rf_tensor input = {.name = "image", .shape = RF_SHAPE(1, 3, 64, 64)};
    const rf_layer layers[] = {CONV3("a", 8), CONV3("y1", 8), POOL2("y2"),
                                      CONV3("c", 8), CONV3("d", 8),  POOL2("y3")};
    rf_network network = {.inputs = &input, .input_count = 1, .layers = layers,
                          .layer_count = LENGTH(layers)};
    const rf_analysis *analysis = analyze(&network);
    expect_affine(analysis, "y1", 1, -2, 2);
    expect_affine(analysis, "y2", 2, -2, 3);
    expect_affine(analysis, "y3", 4, -6, 9);
    rf_analysis_free(analysis);
}

/* ---- Inception ------------------------------------------------------------------------------ */

static const rf_tensor inception_input = {.name = "x", .shape = RF_SHAPE(1, 256, 32, 32)};

#define CONV(name_, from_, filters_, kernel_, pad_)                                             \
    {                                                                                           \
        .name = (name_), .type = "Conv", .inputs = RF_NAMES(from_),                             \
        .attributes = RF_ATTRIBUTES(RF_INT("filters", filters_),                                \
                                    RF_INTS("kernel_shape", kernel_, kernel_),                  \
                                    RF_INTS("pads", pad_, pad_, pad_, pad_))                    \
    }
#define RELU(name_) {.name = (name_), .type = "Relu"}
#define POOL3(name_, from_)                                                                     \
    {                                                                                           \
        .name = (name_), .type = "MaxPool", .inputs = RF_NAMES(from_),                          \
        .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1)) \
    }
#define CONCAT(name_, ...)                                                     \
    {                                                                          \
        .name = (name_), .type = "Concat", .inputs = RF_NAMES(__VA_ARGS__),    \
        .attributes = RF_ATTRIBUTES(RF_INT("axis", 1))                         \
    }

static void expect_totals(const rf_layer *layers, size_t count, uint64_t parameters,
                          uint64_t multiplications, uint64_t activations)
{
    rf_network network = {.inputs = &inception_input, .input_count = 1, .layers = layers,
                          .layer_count = count};
    const rf_analysis *analysis = analyze(&network);
    assert_int_equal(analysis->parameters, parameters);
    assert_int_equal(analysis->dense.multiplications, multiplications);
    assert_int_equal(analysis->dense.additions, multiplications);
    assert_int_equal(analysis->dense.macs, multiplications);
    assert_int_equal(analysis->dense.activations, activations);
    assert_int_equal(analysis->dense.comparisons, 256 * 32 * 32 * 8);
    assert_int_equal(analysis->uncounted_count, 0);
    rf_analysis_free(analysis);
}

static void inception_naive(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        CONV("c1", "x", 128, 1, 0), RELU("r1"),
        CONV("c3", "x", 192, 3, 1), RELU("r3"),
        CONV("c5", "x", 96, 5, 2),  RELU("r5"),
        POOL3("p", "x"),            CONCAT("y", "r1", "r3", "r5", "p"),
    };
    expect_totals(layers, LENGTH(layers), 1089952, 1115684864, 425984);
}

static void inception_bottleneck(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        CONV("c1", "x", 128, 1, 0),  RELU("r1"),
        CONV("b3", "x", 64, 1, 0),   RELU("s3"),
        CONV("c3", "s3", 192, 3, 1), RELU("r3"),
        CONV("b5", "x", 64, 1, 0),   RELU("s5"),
        CONV("c5", "s5", 96, 5, 2),  RELU("r5"),
        POOL3("p", "x"),
        CONV("cp", "p", 64, 1, 0),   RELU("rp"),
        CONCAT("y", "r1", "r3", "r5", "rp"),
    };
    expect_totals(layers, LENGTH(layers), 346720, 354418688, 622592);
}

/* ---- Borders -------------------------------------------------------------------------------- */

static void border_micro_cases(void **state)
{
    (void)state;
    static const struct {
        int64_t extent, kernel, stride, dilation, pad;
        uint64_t valid, dense;
    } cases[] = {
        {5, 3, 1, 1, 1, 169, 225},          {8, 3, 2, 1, 1, 121, 144},
        {7, 3, 1, 2, 2, 289, 441},          {224, 7, 2, 1, 3, 605284, 614656},
        {224, 11, 4, 1, 2, 362404, 366025},
    };
    for (size_t k = 0; k < LENGTH(cases); k++) {
        int64_t kernel[] = {cases[k].kernel, cases[k].kernel};
        int64_t strides[] = {cases[k].stride, cases[k].stride};
        int64_t dilations[] = {cases[k].dilation, cases[k].dilation};
        int64_t pad = cases[k].pad, pads[] = {pad, pad, pad, pad};
        rf_attribute attributes[] = {
            RF_INT("filters", 1),
            {"kernel_shape", RF_ATTRIBUTE_INTS, 2, {.ints = kernel}},
            {"strides", RF_ATTRIBUTE_INTS, 2, {.ints = strides}},
            {"dilations", RF_ATTRIBUTE_INTS, 2, {.ints = dilations}},
            {"pads", RF_ATTRIBUTE_INTS, 4, {.ints = pads}},
            {.name = NULL},
        };
        rf_tensor input = {.name = "x", .shape = RF_SHAPE(1, 1, cases[k].extent, cases[k].extent)};
        rf_layer layer = {.name = "y", .type = "Conv", .attributes = attributes};
        rf_network network = {.inputs = &input, .input_count = 1, .layers = &layer,
                              .layer_count = 1};
        const rf_analysis *analysis = analyze(&network);
        assert_int_equal(analysis->valid.multiplications, cases[k].valid);
        assert_int_equal(analysis->dense.multiplications, cases[k].dense);
        rf_analysis_free(analysis);
    }
}

/* XLA's test: 4x4, a 2x2 kernel, SAME, two filters. It counts twice for each tap. */
static void same_padding(void **state)
{
    (void)state;
    static const rf_tensor input = {.name = "x", .shape = RF_SHAPE(1, 1, 4, 4)};
    const rf_layer layer = {
        .name = "y", .type = "Conv",
        .attributes = RF_ATTRIBUTES(RF_INT("filters", 2), RF_INTS("kernel_shape", 2, 2),
                                    RF_TEXT("auto_pad", "SAME_UPPER"))};
    rf_network network = {.inputs = &input, .input_count = 1, .layers = &layer, .layer_count = 1};
    const rf_analysis *analysis = analyze(&network);
    assert_int_equal(2 * analysis->valid.macs, 196);
    assert_int_equal(2 * analysis->dense.macs, 256);
    rf_analysis_free(analysis);
}

/* ---- Transposed convolution ----------------------------------------------------------------- */

static void transposed_counts(void **state)
{
    (void)state;
    static const rf_tensor small = {.name = "x", .shape = RF_SHAPE(1, 3, 2, 2)};
    static const rf_tensor large = {.name = "x", .shape = RF_SHAPE(1, 3, 32, 32)};
    const rf_layer by_two = {
        .name = "y", .type = "ConvTranspose",
        .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), RF_INTS("kernel_shape", 2, 2),
                                    RF_INTS("strides", 2, 2))};
    const rf_layer by_one = {
        .name = "y", .type = "ConvTranspose",
        .attributes = RF_ATTRIBUTES(RF_INT("filters", 8), RF_INTS("kernel_shape", 3, 3))};
    rf_network network = {.inputs = &small, .input_count = 1, .layers = &by_two, .layer_count = 1};
    const rf_analysis *analysis = analyze(&network);
    assert_int_equal(analysis->dense.multiplications, 48);
    assert_int_equal(analysis->valid.multiplications, 48);
    rf_analysis_free(analysis);
    network.inputs = &large;
    network.layers = &by_one;
    analysis = analyze(&network);
    assert_int_equal(analysis->dense.multiplications, 221184);
    assert_int_equal(analysis->valid.multiplications, 221184);
    assert_int_equal(analysis->parameters, 3 * 8 * 9 + 8);
    rf_analysis_free(analysis);
}

static void expect_intervals(int64_t kernel, int64_t stride, int64_t pad,
                             const rf_range *expected, int64_t size_min, int64_t size_max)
{
    int64_t kernels[] = {kernel}, strides[] = {stride}, pads[] = {pad, pad};
    rf_attribute attributes[] = {
        RF_INT("filters", 1),
        {"kernel_shape", RF_ATTRIBUTE_INTS, 1, {.ints = kernels}},
        {"strides", RF_ATTRIBUTE_INTS, 1, {.ints = strides}},
        {"pads", RF_ATTRIBUTE_INTS, 2, {.ints = pads}},
        {.name = NULL},
    };
    rf_tensor input = {.name = "x", .shape = RF_SHAPE(1, 1, 8)};
    rf_layer layer = {.name = "y", .type = "ConvTranspose", .attributes = attributes};
    rf_network network = {.inputs = &input, .input_count = 1, .layers = &layer, .layer_count = 1};
    const rf_analysis *analysis = analyze(&network);
    const rf_field_axis *axis = &analysis->layers[0].fields[0].axes[0];
    assert_int_equal(axis->kind, RF_AXIS_INTERVAL);
    assert_int_equal(axis->size_min, size_min);
    assert_int_equal(axis->size_max, size_max);
    for (int64_t i = 0; i < 4; i++) {
        rf_field_query query = {.channel = 0, .at = &i, .at_count = 1};
        rf_field_at_result result;
        assert_int_equal(rf_field_at(analysis, &query, &result, NULL), RF_OK);
        assert_int_equal(result.axes[0].first, expected[i].first);
        assert_int_equal(result.axes[0].last, expected[i].last);
    }
    rf_analysis_free(analysis);
}

static void transposed_intervals(void **state)
{
    (void)state;
    expect_intervals(3, 2, 1, (const rf_range[]){{0, 0}, {0, 1}, {1, 1}, {1, 2}}, 1, 2);
}

/* Two inputs each, or one each: sizes do not alternate, but the interval moves every other output. */
static void transposed_steps(void **state)
{
    (void)state;
    expect_intervals(4, 2, 1, (const rf_range[]){{-1, 0}, {0, 1}, {0, 1}, {1, 2}}, 2, 2);
    expect_intervals(2, 2, 0, (const rf_range[]){{0, 0}, {0, 0}, {1, 1}, {1, 1}}, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coursework_fields),    cmocka_unit_test(inception_naive),
        cmocka_unit_test(inception_bottleneck), cmocka_unit_test(border_micro_cases),
        cmocka_unit_test(same_padding),         cmocka_unit_test(transposed_counts),
        cmocka_unit_test(transposed_intervals), cmocka_unit_test(transposed_steps),
    };
    return cmocka_run_group_tests_name("worked_cases", tests, NULL, NULL);
}
