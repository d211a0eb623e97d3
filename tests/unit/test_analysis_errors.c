/* SPDX-License-Identifier: MIT */
/* What rf_analyze refuses, and that it gives everything back when it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rfield/analysis.h>

#define LENGTH(array_) (sizeof(array_) / sizeof *(array_))
#define KERNEL(...) RF_INTS("kernel_shape", __VA_ARGS__)

static const rf_tensor image = {.name = "x", .shape = RF_SHAPE(1, 3, 8, 8)};

static rf_network network_of(const rf_layer *layers, size_t count)
{
    return (rf_network){.inputs = &image, .input_count = 1, .layers = layers,
                        .layer_count = count};
}

/* The failure must be of the status given, and say so in one line that is not empty. */
static void expect_failure_of(const rf_network *network, const rf_analyze_options *options,
                              rf_status status, const char *mentioned)
{
    const rf_analysis *analysis = (const rf_analysis *)(uintptr_t)8;
    rf_error error = {.message = ""};
    rf_status got = rf_analyze(network, options, &analysis, &error);
    if (got != status)
        fail_msg("expected %s, got %s: %s", rf_status_name(status), rf_status_name(got),
                 error.message);
    assert_null(analysis);
    assert_int_equal(error.status, status);
    assert_true(error.message[0] != '\0');
    assert_null(strchr(error.message, '\n'));
    if (mentioned && !strstr(error.message, mentioned))
        fail_msg("'%s' does not mention '%s'", error.message, mentioned);
    assert_int_equal(rf_analyze(network, options, &analysis, NULL), status);
}

static void expect_failure(const rf_layer *layers, size_t count, rf_status status,
                           const char *mentioned)
{
    rf_network network = network_of(layers, count);
    expect_failure_of(&network, NULL, status, mentioned);
}

/* ---- Graphs --------------------------------------------------------------------------------- */

static void cycle(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "a", .type = "Add", .inputs = RF_NAMES("x", "c")},
        {.name = "b", .type = "Relu", .inputs = RF_NAMES("a")},
        {.name = "c", .type = "Relu", .inputs = RF_NAMES("b")},
    };
    expect_failure(layers, LENGTH(layers), RF_ERROR_GRAPH, NULL);
    const rf_layer self = {.name = "a", .type = "Relu", .inputs = RF_NAMES("a")};
    expect_failure(&self, 1, RF_ERROR_GRAPH, NULL);
}

static void missing_tensor(void **state)
{
    (void)state;
    const rf_layer layer = {.name = "a", .type = "Relu", .inputs = RF_NAMES("nowhere")};
    expect_failure(&layer, 1, RF_ERROR_GRAPH, "nowhere");
}

static void missing_output(void **state)
{
    (void)state;
    const rf_tensor output = {.name = "nowhere"};
    const rf_layer layer = {.name = "a", .type = "Relu"};
    rf_network network = network_of(&layer, 1);
    network.outputs = &output;
    network.output_count = 1;
    expect_failure_of(&network, NULL, RF_ERROR_GRAPH, "nowhere");
}

static void duplicate_outputs(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.type = "Relu", .inputs = RF_NAMES("x"), .outputs = RF_NAMES("twice")},
        {.type = "Relu", .inputs = RF_NAMES("x"), .outputs = RF_NAMES("twice")},
    };
    expect_failure(layers, LENGTH(layers), RF_ERROR_GRAPH, "twice");
    const rf_layer shadow = {.type = "Relu", .outputs = RF_NAMES("x")};
    expect_failure(&shadow, 1, RF_ERROR_GRAPH, "x");
}

static void missing_arguments(void **state)
{
    (void)state;
    const rf_analysis *analysis = NULL;
    assert_int_equal(rf_analyze(NULL, NULL, &analysis, NULL), RF_ERROR_ARGUMENT);
    rf_network network = {.layer_count = 1};
    expect_failure_of(&network, NULL, RF_ERROR_ARGUMENT, NULL);
    const rf_layer layer = {.name = "a"};
    expect_failure(&layer, 1, RF_ERROR_ARGUMENT, NULL);
    rf_analysis_free(NULL);
    rf_field_map_free(NULL);
}

/* ---- Layers --------------------------------------------------------------------------------- */

static void impossible_windows(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "stride", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), KERNEL(3, 3), RF_INTS("strides", 0, 1))},
        {.name = "dilation", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), KERNEL(3, 3),
                                     RF_INTS("dilations", 1, -1))},
        {.name = "kernel", .type = "MaxPool", .attributes = RF_ATTRIBUTES(KERNEL(0, 3))},
        {.name = "axes", .type = "MaxPool", .attributes = RF_ATTRIBUTES(KERNEL(3, 3, 3))},
        {.name = "large", .type = "MaxPool", .attributes = RF_ATTRIBUTES(KERNEL(9, 9))},
        {.name = "group", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 2), KERNEL(3, 3), RF_INT("group", 2))},
        {.name = "filters", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 4), KERNEL(3, 3), RF_INT("group", 3))},
    };
    for (size_t k = 0; k < LENGTH(layers); k++) {
        rf_network network = network_of(&layers[k], 1);
        const rf_analysis *analysis = NULL;
        rf_error error = {.message = ""};
        rf_status status = rf_analyze(&network, NULL, &analysis, &error);
        if (status != RF_ERROR_FORMAT && status != RF_ERROR_SHAPE)
            fail_msg("%s: %s", layers[k].name, rf_status_name(status));
        assert_non_null(strstr(error.message, layers[k].name));
        assert_null(analysis);
    }
}

static void overflowing_shapes(void **state)
{
    (void)state;
    const rf_tensor huge = {.name = "x", .shape = RF_SHAPE(1, 3, INT64_MAX / 2, INT64_MAX / 2)};
    const rf_layer relu = {.name = "a", .type = "Relu"};
    rf_network network = network_of(&relu, 1);
    network.inputs = &huge;
    expect_failure_of(&network, NULL, RF_ERROR_OVERFLOW, NULL);

    /* Extents that fit, a count of multiplications that does not. */
    const rf_tensor wide = {.name = "x", .shape = RF_SHAPE(1, 1 << 20, 1 << 15, 1 << 15)};
    const rf_layer conv = {.name = "a", .type = "Conv",
                           .attributes = RF_ATTRIBUTES(RF_INT("filters", 1 << 20), KERNEL(1, 1))};
    network = network_of(&conv, 1);
    network.inputs = &wide;
    expect_failure_of(&network, NULL, RF_ERROR_OVERFLOW, NULL);

    const rf_tensor negative = {.name = "x", .shape = RF_SHAPE(1, 3, -7, 8)};
    network = network_of(&relu, 1);
    network.inputs = &negative;
    const rf_analysis *analysis = NULL;
    assert_int_not_equal(rf_analyze(&network, NULL, &analysis, NULL), RF_OK);
    assert_null(analysis);
}

static void huge_attributes(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "a", .type = "MaxPool",
         .attributes = RF_ATTRIBUTES(KERNEL(3, 3), RF_INTS("dilations", INT64_MAX, 1))},
        {.name = "a", .type = "MaxPool",
         .attributes = RF_ATTRIBUTES(KERNEL(3, 3), RF_INTS("pads", INT64_MAX, 0, INT64_MAX, 0))},
        {.name = "a", .type = "ConvTranspose",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), KERNEL(3, 3),
                                     RF_INTS("strides", INT64_MAX, 1))},
        {.name = "a", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", INT64_MAX), KERNEL(3, 3))},
        {.name = "a", .type = "Conv",
         .attributes = RF_ATTRIBUTES(RF_INT("filters", 1), KERNEL(3, 3),
                                     RF_INT("group", INT64_MIN))},
        {.name = "a", .type = "DepthToSpace",
         .attributes = RF_ATTRIBUTES(RF_INT("blocksize", INT64_MAX))},
        {.name = "a", .type = "Flatten", .attributes = RF_ATTRIBUTES(RF_INT("axis", INT64_MIN))},
        {.name = "a", .type = "Concat", .attributes = RF_ATTRIBUTES(RF_INT("axis", INT64_MAX))},
    };
    for (size_t k = 0; k < LENGTH(layers); k++) {
        rf_network network = network_of(&layers[k], 1);
        const rf_analysis *analysis = NULL;
        rf_status status = rf_analyze(&network, NULL, &analysis, NULL);
        if (status == RF_OK)
            fail_msg("case %zu (%s) was accepted", k, layers[k].type);
        assert_null(analysis);
    }
}

static void unknown_operator(void **state)
{
    (void)state;
    const rf_layer layers[] = {
        {.name = "odd", .type = "Frobnicate", .domain = "example.org"},
        {.name = "y", .type = "Relu"},
    };
    rf_network network = network_of(layers, LENGTH(layers));
    expect_failure_of(&network, NULL, RF_ERROR_UNSUPPORTED, "Frobnicate");

    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.allow_unknown = true;
    const rf_analysis *analysis = NULL;
    assert_int_not_equal(rf_analyze(&network, &options, &analysis, NULL), RF_OK);

    const rf_tensor declared = {.name = "odd", .dtype = RF_FLOAT32, .shape = RF_SHAPE(1, 5, 4, 4)};
    network.declared = &declared;
    network.declared_count = 1;
    rf_error error = {.message = ""};
    if (rf_analyze(&network, &options, &analysis, &error) != RF_OK)
        fail_msg("%s", error.message);
    assert_int_equal(analysis->uncounted_count, 1);
    assert_string_equal(analysis->uncounted[0], "Frobnicate");
    assert_true(analysis->layers[0].uncounted);
    assert_false(analysis->layers[1].uncounted);
    assert_int_equal(analysis->layers[1].dense.activations, 5 * 4 * 4);
    assert_int_equal(analysis->layers[1].fields[0].axes[0].kind, RF_AXIS_WHOLE);
    assert_int_equal(analysis->layers[1].fields[0].axes[1].v0, 7);
    rf_analysis_free(analysis);
}

/* ---- Unknown dimensions --------------------------------------------------------------------- */

static void unbound_dimensions(void **state)
{
    (void)state;
    const rf_tensor open = {.name = "x", .shape = RF_SHAPE(-1, 3, -1, -1)};
    const rf_layer relu = {.name = "y", .type = "Relu"};
    rf_network network = network_of(&relu, 1);
    network.inputs = &open;
    expect_failure_of(&network, NULL, RF_ERROR_UNBOUND, "x");

    const rf_binding binding = {"x", RF_SHAPE(-1, 3, 16, 12)};
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = 1;
    const rf_analysis *analysis = NULL;
    rf_error error = {.message = ""};
    if (rf_analyze(&network, &options, &analysis, &error) != RF_OK)
        fail_msg("%s", error.message);
    static const int64_t expected[] = {1, 3, 16, 12};
    assert_memory_equal(analysis->inputs[0].shape.dims, expected, sizeof expected);
    assert_memory_equal(analysis->outputs[0].shape.dims, expected, sizeof expected);
    rf_analysis_free(analysis);
}

static void bindings(void **state)
{
    (void)state;
    const rf_layer relu = {.name = "y", .type = "Relu"};
    rf_network network = network_of(&relu, 1);
    rf_binding binding = {"x", RF_SHAPE(2, 3, 5, 6)};
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = 1;
    const rf_analysis *analysis = NULL;
    assert_int_equal(rf_analyze(&network, &options, &analysis, NULL), RF_OK);
    assert_int_equal(analysis->dense.activations, 2 * 3 * 5 * 6); /* overrides the description */
    rf_analysis_free(analysis);
    binding.name = "nothing of that name";
    expect_failure_of(&network, &options, RF_ERROR_NOT_FOUND, "nothing of that name");
}

/* ---- Memory and limits ---------------------------------------------------------------------- */

/* An allocator that refuses its call number `refused` and keeps account. */
typedef struct account {
    size_t calls, refused;
    size_t blocks, bytes;
} account;

static void *take(void *context, size_t bytes)
{
    account *a = context;
    if (++a->calls == a->refused)
        return NULL;
    a->blocks++;
    a->bytes += bytes;
    return malloc(bytes);
}

static void give_back(void *context, void *memory, size_t bytes)
{
    account *a = context;
    if (!memory)
        return;
    a->blocks--;
    a->bytes -= bytes;
    free(memory);
}

static const rf_layer pyramid[] = {
    {.name = "a", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 4), KERNEL(3, 3), RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "b", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 4), KERNEL(3, 3), RF_INTS("strides", 2, 2),
                                 RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "up", .type = "ConvTranspose",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 4), KERNEL(2, 2), RF_INTS("strides", 2, 2))},
    {.name = "join", .type = "Add", .inputs = RF_NAMES("a", "up")},
    {.name = "flat", .type = "Flatten"},
    {.name = "y", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", 10))},
};

/* Every question there is, with an allocator that may refuse. */
static rf_status ask_everything(account *a)
{
    rf_network network = network_of(pyramid, LENGTH(pyramid));
    rf_allocator allocator = {take, give_back, a};
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.allocator = &allocator;
    const rf_analysis *analysis = NULL;
    rf_status status = rf_analyze(&network, &options, &analysis, NULL);
    if (status != RF_OK) {
        assert_null(analysis);
        return status;
    }
    static const int64_t at[] = {3, 3};
    rf_field_query query = {.layer = rf_analysis_find_layer(analysis, "join"), .channel = -1,
                            .at = at, .at_count = 2};
    rf_field_at_result result;
    const rf_field_map *map = NULL;
    status = rf_field_at(analysis, &query, &result, NULL);
    if (status == RF_OK)
        status = rf_field_map_make(analysis, &query, &map, NULL);
    assert_true((status == RF_OK) == (map != NULL));
    rf_field_map_free(map);
    rf_analysis_free(analysis);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    account whole = {.refused = 0};
    assert_int_equal(ask_everything(&whole), RF_OK);
    assert_int_equal(whole.blocks, 0);
    assert_int_equal(whole.bytes, 0);
    assert_true(whole.calls > 0);
    for (size_t k = 1; k <= whole.calls; k++) {
        account a = {.refused = k};
        assert_int_equal(ask_everything(&a), RF_ERROR_MEMORY);
        assert_int_equal(a.blocks, 0);
        assert_int_equal(a.bytes, 0);
    }
}

static void limits(void **state)
{
    (void)state;
    rf_network network = network_of(pyramid, LENGTH(pyramid));
    rf_analyze_options options = RF_ANALYZE_OPTIONS_DEFAULT;
    options.limits.layers = LENGTH(pyramid) - 1;
    expect_failure_of(&network, &options, RF_ERROR_LIMIT, "layers");
    options = (rf_analyze_options)RF_ANALYZE_OPTIONS_DEFAULT;
    options.limits.tensors = LENGTH(pyramid);
    expect_failure_of(&network, &options, RF_ERROR_LIMIT, "tensors");
    options = (rf_analyze_options)RF_ANALYZE_OPTIONS_DEFAULT;
    options.limits.memory_bytes = 64;
    expect_failure_of(&network, &options, RF_ERROR_LIMIT, "memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycle),
        cmocka_unit_test(missing_tensor),
        cmocka_unit_test(missing_output),
        cmocka_unit_test(duplicate_outputs),
        cmocka_unit_test(missing_arguments),
        cmocka_unit_test(impossible_windows),
        cmocka_unit_test(overflowing_shapes),
        cmocka_unit_test(huge_attributes),
        cmocka_unit_test(unknown_operator),
        cmocka_unit_test(unbound_dimensions),
        cmocka_unit_test(bindings),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests_name("analysis_errors", tests, NULL, NULL);
}
