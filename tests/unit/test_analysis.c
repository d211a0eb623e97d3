/* SPDX-License-Identifier: MIT */
/* What rf_analyze, rf_field_at and rf_field_map_make answer for small networks worked by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <rfield/analysis.h>

#define LENGTH(array_) (sizeof(array_) / sizeof *(array_))
#define KERNEL(...) RF_INTS("kernel_shape", __VA_ARGS__)
#define PADS(...) RF_INTS("pads", __VA_ARGS__)
#define FILTERS(count_) RF_INT("filters", count_)

static const rf_tensor image = {.name = "x", .shape = RF_SHAPE(1, 4, 8, 8)};

static const rf_analysis *analyze(const rf_network *network)
{
    const rf_analysis *analysis = NULL;
    rf_error error = {.message = ""};
    if (rf_analyze(network, NULL, &analysis, &error) != RF_OK)
        fail_msg("rf_analyze: %s", error.message);
    return analysis;
}

static const rf_analysis *analyze_layers(const rf_layer *layers, size_t count)
{
    rf_network network = {.inputs = &image, .input_count = 1, .layers = layers,
                          .layer_count = count};
    return analyze(&network);
}

static const rf_field *field_of(const rf_analysis *analysis, const char *name)
{
    size_t layer = rf_analysis_find_layer(analysis, name);
    assert_true(layer < analysis->layer_count);
    assert_int_equal(analysis->layers[layer].field_count, 1);
    return &analysis->layers[layer].fields[0];
}

static rf_field_at_result ask(const rf_analysis *analysis, const char *name, size_t input,
                              int64_t channel, int64_t row, int64_t column)
{
    int64_t at[] = {row, column};
    rf_field_query query = {.layer = rf_analysis_find_layer(analysis, name), .input = input,
                            .channel = channel, .at = at, .at_count = 2};
    rf_field_at_result result;
    rf_error error = {.message = ""};
    if (rf_field_at(analysis, &query, &result, &error) != RF_OK)
        fail_msg("rf_field_at: %s", error.message);
    return result;
}

static void expect_range(rf_range range, int64_t first, int64_t last)
{
    assert_int_equal(range.first, first);
    assert_int_equal(range.last, last);
}

/* ---- Several inputs, outputs, shared tensors -------------------------------------------------- */

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    const rf_tensor inputs[] = {
        {.name = "left", .shape = RF_SHAPE(1, 2, 8, 8)},
        {.name = "right", .shape = RF_SHAPE(1, 2, 8, 8)},
        {.name = "unused", .shape = RF_SHAPE(1, 2, 8, 8)},
    };
    const rf_layer layers[] = {
        {.name = "a", .type = "Conv", .inputs = RF_NAMES("left"),
         .attributes = RF_ATTRIBUTES(FILTERS(2), KERNEL(3, 3), PADS(1, 1, 1, 1))},
        {.name = "b", .type = "Relu", .inputs = RF_NAMES("right")},
        {.name = "sum", .type = "Add", .inputs = RF_NAMES("a", "b")},
        {.name = "alone", .type = "Relu", .inputs = RF_NAMES("b")},
    };
    rf_network network = {.inputs = inputs, .input_count = 3, .layers = layers,
                          .layer_count = LENGTH(layers)};
    const rf_analysis *analysis = analyze(&network);
    assert_int_equal(analysis->input_count, 3);
    assert_int_equal(analysis->output_count, 2);
    const rf_layer_analysis *sum = &analysis->layers[rf_analysis_find_layer(analysis, "sum")];
    assert_int_equal(sum->field_count, 2);
    assert_int_equal(sum->fields[0].input, 0);
    assert_int_equal(sum->fields[0].axes[0].size, 3);
    assert_int_equal(sum->fields[1].input, 1);
    assert_int_equal(sum->fields[1].axes[0].size, 1);
    assert_int_equal(sum->input_count, 2);
    assert_string_equal(sum->inputs[0], "a");
    assert_string_equal(sum->inputs[1], "b");
    expect_range(ask(analysis, "sum", 0, 0, 4, 0).axes[0], 3, 5);
    expect_range(ask(analysis, "sum", 1, 0, 4, 0).axes[0], 4, 4);
    static const int64_t at[] = {0, 0};
    rf_field_query query = {.layer = rf_analysis_find_layer(analysis, "alone"), .input = 0,
                            .at = at, .at_count = 2};
    rf_field_at_result result;
    assert_int_equal(rf_field_at(analysis, &query, &result, NULL), RF_ERROR_NOT_FOUND);
    assert_int_equal(rf_analysis_find_layer(analysis, "nothing"), analysis->layer_count);
    rf_analysis_free(analysis);
}

static void wrong_questions(void **state)
{
    (void)state;
    const rf_layer layer = {.name = "y", .type = "Relu"};
    const rf_analysis *analysis = analyze_layers(&layer, 1);
    static const int64_t inside[] = {7, 7}, below[] = {-1, 0}, above[] = {0, 8};
    const rf_field_query queries[] = {
        {.layer = 1, .at = inside, .at_count = 2},
        {.input = 1, .at = inside, .at_count = 2},
        {.output = 1, .at = inside, .at_count = 2},
        {.channel = 4, .at = inside, .at_count = 2},
        {.channel = -2, .at = inside, .at_count = 2},
        {.at = below, .at_count = 2},
        {.at = above, .at_count = 2},
        {.at = inside, .at_count = 1},
        {.at = NULL, .at_count = 2},
    };
    for (size_t k = 0; k < LENGTH(queries); k++) {
        rf_field_at_result result;
        const rf_field_map *map = NULL;
        assert_int_equal(rf_field_at(analysis, &queries[k], &result, NULL), RF_ERROR_ARGUMENT);
        assert_int_equal(rf_field_map_make(analysis, &queries[k], &map, NULL), RF_ERROR_ARGUMENT);
        assert_null(map);
    }
    rf_analysis_free(analysis);
}

static void shared_weights_count_once(void **state)
{
    (void)state;
    const rf_tensor weights = {.name = "w", .dtype = RF_FLOAT32, .shape = RF_SHAPE(4, 4, 3, 3)};
    const rf_layer layers[] = {
        {.name = "a", .type = "Conv", .inputs = RF_NAMES("x", "w"),
         .attributes = RF_ATTRIBUTES(PADS(1, 1, 1, 1))},
        {.name = "b", .type = "Conv", .inputs = RF_NAMES("a", "w"),
         .attributes = RF_ATTRIBUTES(PADS(1, 1, 1, 1))},
    };
    rf_network network = {.inputs = &image, .input_count = 1, .constants = &weights,
                          .constant_count = 1, .layers = layers, .layer_count = LENGTH(layers)};
    const rf_analysis *analysis = analyze(&network);
    assert_int_equal(analysis->layers[0].parameters, 144);
    assert_int_equal(analysis->layers[1].parameters, 0);
    assert_int_equal(analysis->parameters, 144);
    assert_int_equal(analysis->weight_bytes, 4 * 144);
    assert_int_equal(analysis->dense.macs, 2 * 36 * 4 * 64);
    rf_analysis_free(analysis);
}

static void batch_norm_keeps_statistics_apart(void **state)
{
    (void)state;
    const rf_layer layer = {.name = "y", .type = "BatchNormalization"};
    const rf_analysis *analysis = analyze_layers(&layer, 1);
    assert_int_equal(analysis->parameters, 8);
    assert_int_equal(analysis->statistics, 8);
    assert_int_equal(analysis->weight_bytes, 64);
    assert_int_equal(analysis->dense.multiplications, 256);
    assert_int_equal(analysis->dense.additions, 256);
    assert_int_equal(analysis->dense.macs, 0);
    rf_analysis_free(analysis);
}

/* ---- Branches --------------------------------------------------------------------------------- */

static void aligned_branches(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "one", .type = "Conv", .inputs = RF_NAMES("x"),
         .attributes = RF_ATTRIBUTES(FILTERS(2), KERNEL(1, 1))},
        {.name = "three", .type = "Conv", .inputs = RF_NAMES("x"),
         .attributes = RF_ATTRIBUTES(FILTERS(2), KERNEL(3, 3), PADS(1, 1, 1, 1))},
        {.name = "y", .type = "Concat", .inputs = RF_NAMES("one", "three"),
         .attributes = RF_ATTRIBUTES(RF_INT("axis", 1))},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    const rf_field *field = field_of(analysis, "y");
    assert_true(field->aligned);
    assert_int_equal(field->axes[0].kind, RF_AXIS_AFFINE);
    assert_int_equal(field->axes[0].u0, -1);
    assert_int_equal(field->axes[0].v0, 1);
    expect_range(ask(analysis, "y", 0, 0, 4, 4).axes[0], 4, 4); /* its own branch's */
    expect_range(ask(analysis, "y", 0, 2, 4, 4).axes[0], 3, 5);
    expect_range(ask(analysis, "y", 0, -1, 4, 4).axes[0], 3, 5);
    rf_analysis_free(analysis);
}

static void branches_off_centre(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "two", .type = "Conv", .inputs = RF_NAMES("x"),
         .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(2, 2), PADS(0, 0, 1, 1))},
        {.name = "y", .type = "Add", .inputs = RF_NAMES("two", "x")},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    const rf_field *field = field_of(analysis, "y");
    assert_true(field_of(analysis, "two")->aligned);
    assert_false(field->aligned);
    assert_int_equal(field->axes[1].kind, RF_AXIS_AFFINE); /* the union is still affine */
    assert_int_equal(field->axes[1].u0, 0);
    assert_int_equal(field->axes[1].v0, 1);
    rf_analysis_free(analysis);
}

/* Paths of strides 1 and 2: no closed form, but an exact interval for each output. */
static void branches_of_different_stride(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "half", .type = "MaxPool", .inputs = RF_NAMES("x"),
         .attributes = RF_ATTRIBUTES(KERNEL(3, 3), RF_INTS("strides", 2, 2), PADS(1, 1, 0, 0))},
        {.name = "cut", .type = "MaxPool", .inputs = RF_NAMES("x"),
         .attributes = RF_ATTRIBUTES(KERNEL(5, 5))},
        {.name = "y", .type = "Add", .inputs = RF_NAMES("half", "cut")},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    const rf_field *field = field_of(analysis, "y");
    assert_false(field->aligned);
    assert_int_equal(field->axes[0].kind, RF_AXIS_INTERVAL);
    expect_range(ask(analysis, "y", 0, 0, 0, 0).axes[0], -1, 4);
    expect_range(ask(analysis, "y", 0, 0, 3, 0).axes[0], 3, 7);
    assert_int_equal(field->axes[0].size_min, 5);
    assert_int_equal(field->axes[0].size_max, 6);
    assert_int_equal(field->axes[0].u0, -1);
    assert_int_equal(field->axes[0].v0, 7);
    rf_analysis_free(analysis);
}

/* ---- Channels --------------------------------------------------------------------------------- */

static void channels(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "own", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(3, 3), RF_INT("group", 4))},
        {.name = "pairs", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(1, 1), RF_INT("group", 2))},
        {.name = "all", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(1, 1))},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    expect_range(ask(analysis, "own", 0, 2, 0, 0).channels, 2, 2);
    expect_range(ask(analysis, "pairs", 0, 2, 0, 0).channels, 2, 3);
    expect_range(ask(analysis, "pairs", 0, -1, 0, 0).channels, 0, 3);
    expect_range(ask(analysis, "all", 0, 0, 0, 0).channels, 0, 3);
    rf_analysis_free(analysis);
}

/* ---- Holes, borders, paths -------------------------------------------------------------------- */

static void holes(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "dilated", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(3, 3), RF_INTS("dilations", 2, 3),
                                     PADS(2, 3, 2, 3))},
        {.name = "wide", .type = "Conv", .inputs = RF_NAMES("x"),
         .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(1, 1), RF_INTS("strides", 3, 3))},
        {.name = "gaps", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(2, 2))},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    const rf_field *field = field_of(analysis, "dilated");
    assert_int_equal(field->axes[0].size, 5);
    assert_int_equal(field->axes[0].support, 3);
    assert_int_equal(field->axes[1].size, 7);
    assert_int_equal(field->axes[1].support, 3);
    assert_int_equal(ask(analysis, "dilated", 0, 0, 4, 4).support, 9);
    rf_field_at_result corner = ask(analysis, "dilated", 0, 0, 0, 0);
    expect_range(corner.axes[0], -2, 2);
    expect_range(corner.clipped[0], 0, 2);
    expect_range(corner.exact[0], 0, 2);
    assert_int_equal(corner.support, 4);
    field = field_of(analysis, "gaps");
    assert_int_equal(field->axes[0].size, 4);
    assert_int_equal(field->axes[0].support, 2);
    assert_int_equal(ask(analysis, "gaps", 0, 0, 0, 0).support, 4);
    rf_analysis_free(analysis);
}

/* Padding that a layer inserts half-way shows no input: `exact` is narrower than `clipped`. */
static void padding_between_layers(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "cut", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(3, 3))},
        {.name = "y", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(1, 1), PADS(1, 1, 1, 1))},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    rf_field_at_result edge = ask(analysis, "y", 0, 0, 0, 1);
    expect_range(edge.axes[0], -1, 1);
    expect_range(edge.clipped[0], 0, 1);
    assert_true(edge.exact[0].last < edge.exact[0].first);
    assert_int_equal(edge.support, 0);
    rf_analysis_free(analysis);
}

static void path_counts(void **state)
{
    (void)state;
    const rf_tensor line = {.name = "x", .shape = RF_SHAPE(1, 2, 9)};
    const rf_layer layers[] = {
        {.name = "a", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(3), KERNEL(3))},
        {.name = "b", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(3))},
    };
    rf_network network = {.inputs = &line, .input_count = 1, .layers = layers,
                          .layer_count = LENGTH(layers)};
    const rf_analysis *analysis = analyze(&network);
    static const int64_t at[] = {2};
    rf_field_query query = {.layer = 1, .at = at, .at_count = 1};
    const rf_field_map *map = NULL;
    assert_int_equal(rf_field_map_make(analysis, &query, &map, NULL), RF_OK);
    assert_int_equal(map->axis_count, 1);
    expect_range(map->axes[0], 2, 6);
    assert_int_equal(map->count, 5);
    static const int expected[] = {1, 2, 3, 2, 1};
    for (size_t k = 0; k < 5; k++)
        assert_int_equal((int)map->paths[k], 2 * 3 * expected[k]); /* input and middle channels */
    rf_field_map_free(map);
    rf_analysis_free(analysis);
}

static void unproductive_layers(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "a", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(5, 5), PADS(2, 2, 2, 2))},
        {.name = "b", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(5, 5), PADS(2, 2, 2, 2))},
        {.name = "c", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(3, 3), PADS(1, 1, 1, 1))},
        {.name = "d", .type = "Relu"},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    assert_int_equal(field_of(analysis, "b")->axes[0].size, 9); /* more than the 8 there are */
    assert_false(analysis->layers[0].unproductive);
    assert_false(analysis->layers[1].unproductive);
    assert_true(analysis->layers[2].unproductive);
    assert_true(analysis->layers[3].unproductive);
    assert_int_equal(analysis->border_layer, 2);
    rf_analysis_free(analysis);
    analysis = analyze_layers(layers, 2);
    assert_int_equal(analysis->border_layer, 2);
    rf_analysis_free(analysis);
}

/* The smallest extent for which some output sees no padding, found by trying them all. */
static void full_context(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "a", .type = "Conv",
         .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(7), RF_INTS("strides", 2), PADS(3, 3))},
        {.name = "b", .type = "MaxPool",
         .attributes = RF_ATTRIBUTES(KERNEL(3), RF_INTS("strides", 2), PADS(1, 1))},
        {.name = "c", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(1), KERNEL(3), PADS(1, 1))},
    };
    int64_t found = 0, claimed = 0;
    for (int64_t extent = 1; extent < 80 && !found; extent++) {
        rf_tensor line = {.name = "x", .shape = RF_SHAPE(1, 1, extent)};
        rf_network network = {.inputs = &line, .input_count = 1, .layers = layers,
                              .layer_count = LENGTH(layers)};
        const rf_analysis *analysis = analyze(&network);
        claimed = analysis->layers[2].fields[0].axes[0].full_context;
        int64_t outputs = analysis->outputs[0].shape.dims[2];
        for (int64_t i = 0; i < outputs; i++) {
            rf_field_query query = {.layer = 2, .at = &i, .at_count = 1};
            rf_field_at_result result;
            assert_int_equal(rf_field_at(analysis, &query, &result, NULL), RF_OK);
            if (result.axes[0].first >= 0 && result.axes[0].last < extent)
                found = extent;
        }
        rf_analysis_free(analysis);
    }
    assert_true(found > 0);
    assert_int_equal(claimed, found);
}

/* ---- The rest of the account ------------------------------------------------------------------ */

static void whole_input(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "pool", .type = "GlobalAveragePool"},
        {.name = "flat", .type = "Flatten"},
        {.name = "y", .type = "Gemm", .attributes = RF_ATTRIBUTES(FILTERS(10))},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    for (size_t k = 0; k < LENGTH(layers); k++) {
        const rf_field_axis *axis = &analysis->layers[k].fields[0].axes[1];
        assert_int_equal(axis->kind, RF_AXIS_WHOLE);
        assert_int_equal(axis->u0, 0);
        assert_int_equal(axis->v0, 7);
        assert_int_equal(axis->size, 8);
    }
    assert_int_equal(analysis->parameters, 4 * 10 + 10);
    assert_int_equal(analysis->layers[0].dense.divisions, 4);
    rf_field_query query = {.layer = 2, .channel = 3};
    rf_field_at_result result;
    assert_int_equal(rf_field_at(analysis, &query, &result, NULL), RF_OK);
    assert_int_equal(result.support, 64);
    expect_range(result.channels, 0, 3);
    rf_analysis_free(analysis);
}

static void layers_in_any_order(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "last", .type = "Relu", .inputs = RF_NAMES("middle")},
        {.name = "first", .type = "Sigmoid", .inputs = RF_NAMES("x")},
        {.name = "middle", .type = "Neg", .inputs = RF_NAMES("first")},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    assert_string_equal(analysis->layers[0].name, "first");
    assert_string_equal(analysis->layers[1].name, "middle");
    assert_string_equal(analysis->layers[2].name, "last");
    assert_string_equal(analysis->layers[0].type, "Sigmoid");
    assert_int_equal(analysis->output_count, 1);
    assert_string_equal(analysis->outputs[0].name, "last");
    rf_analysis_free(analysis);
}

/* x 1 KiB; a and b of 4 KiB: while b is made a lives too; the input lives until a is made. */
static void memory(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "a", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(16), KERNEL(1, 1))},
        {.name = "b", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(16), KERNEL(1, 1))},
        {.name = "c", .type = "Conv", .attributes = RF_ATTRIBUTES(FILTERS(4), KERNEL(1, 1))},
    };
    const rf_analysis *analysis = analyze_layers(layers, LENGTH(layers));
    assert_int_equal(analysis->activation_bytes, 4096 + 4096 + 1024);
    assert_int_equal(analysis->peak_activation_bytes, 8192);
    assert_int_equal(analysis->layers[0].weight_bytes, 4 * (64 + 16));
    assert_int_equal(analysis->layers[0].moved_bytes, 1024 + 4 * (64 + 16) + 4096);
    rf_analysis_free(analysis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(wrong_questions),
        cmocka_unit_test(shared_weights_count_once),
        cmocka_unit_test(batch_norm_keeps_statistics_apart),
        cmocka_unit_test(aligned_branches),
        cmocka_unit_test(branches_off_centre),
        cmocka_unit_test(branches_of_different_stride),
        cmocka_unit_test(channels),
        cmocka_unit_test(holes),
        cmocka_unit_test(padding_between_layers),
        cmocka_unit_test(path_counts),
        cmocka_unit_test(unproductive_layers),
        cmocka_unit_test(full_context),
        cmocka_unit_test(whole_input),
        cmocka_unit_test(layers_in_any_order),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests_name("analysis", tests, NULL, NULL);
}
