/* SPDX-License-Identifier: MIT */
/* Networks saved as ONNX: what is read back says and computes the same; what cannot be saved leaves no file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_tools.h"
#include "same_network.h"

/* ---- Tools ------------------------------------------------------------------------------- */

static const rf_network *saved(const rf_network *network)
{
    const rf_network *back;
    rf_error error = {.message = ""};
    if (rf_network_save_onnx(network, network_path, NULL, &error) != RF_OK)
        fail_msg("saving: %s", error.message);
    if (rf_network_load(network_path, NULL, &back, &error) != RF_OK)
        fail_msg("loading: %s", error.message);
    return back;
}

static void expect(const rf_network *network, rf_status status, const char *words)
{
    rf_error error = {.message = ""};
    unlink(network_path);
    assert_string_equal(rf_status_name(rf_network_save_onnx(network, network_path, NULL, &error)),
                        rf_status_name(status));
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in '%s'", words, error.message);
    assert_int_equal(access(network_path, F_OK), -1);
}

/* ---- What comes back --------------------------------------------------------------------- */

static void test_mixed_network(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    const rf_network *back = saved(&network);
    assert_same_network(&network, back);
    assert_same_analysis(&network, back);
    assert_same_bits(&network, back);
    assert_int_equal(back->opset, 21);
    assert_int_equal(back->output_count, 2);
    assert_int_equal(back->outputs[0].dtype, RF_FLOAT32);
    /* The batch is unknown, and so is every extent of an output that was not declared. */
    assert_int_equal(back->outputs[0].shape.rank, 2);
    assert_int_equal(back->outputs[0].shape.dims[1], RF_UNKNOWN_DIM);
    rf_network_free(back);
}

static void check_file(const char *name)
{
    char from[512];
    const rf_network *network, *back;
    rf_error error = {.message = ""};
    snprintf(from, sizeof from, "%s/%s", RF_TEST_NETWORKS, name);
    if (rf_network_load(from, NULL, &network, &error) != RF_OK)
        fail_msg("%s", error.message);
    back = saved(network);
    assert_same_network(network, back);
    assert_int_equal(network->output_count, back->output_count);
    assert_same_tensors(network->outputs, back->outputs, network->output_count);
    assert_int_equal(network->opset, back->opset);
    assert_same_analysis(network, back);
    assert_same_bits(network, back);
    /* Over the file that the network stands on. */
    const rf_network *again = saved(back);
    assert_same_network(back, again);
    rf_network_free(again);
    rf_network_free(back);
    rf_network_free(network);
}

static void test_files(void **state)
{
    (void)state;
    check_file("squeezenet1_1.onnx");
    check_file("fashion_mnist.onnx");
}

static const int8_t nibbles[] = {0x21, 0x43};
static const double third[] = {1.0 / 3};
static const rf_tensor embedded = {
    .name = "embedded", .dtype = RF_FLOAT64, .shape = {.rank = 0}, .data = third, .data_bytes = sizeof third,
};
static const int64_t powers[] = {INT64_MIN, -1, 0, 127, 128, INT64_MAX};
static const float floats[] = {0.0F, -0.0F, 1e-45F, 3.4e38F};
static const char *const words[] = {"", "one", "zw\xc3\xb6lf"};

#define LIST(name_, type_, member_, array_) \
    {.name = name_, .type = type_, .count = LENGTH(array_), .value = {.member_ = array_}}

static const rf_attribute everything[] = {
    RF_INT("i", -5),
    RF_FLOAT("f", 0.1F),
    RF_TEXT("s", "text"),
    RF_TEXT("empty", ""),
    LIST("is", RF_ATTRIBUTE_INTS, ints, powers),
    LIST("fs", RF_ATTRIBUTE_FLOATS, floats, floats),
    LIST("ss", RF_ATTRIBUTE_STRINGS, strings, words),
    {.name = "none", .type = RF_ATTRIBUTE_INTS},
    {.name = "t", .type = RF_ATTRIBUTE_TENSOR, .value = {.tensor = &embedded}},
    {.name = NULL},
};

/* Layers out of order, with every kind of attribute, of another domain, with omitted inputs and outputs. */
static void test_everything(void **state)
{
    (void)state;
    const char *const dims[] = {"batch", NULL, "width", NULL};
    const rf_tensor inputs[] = {
        {.name = "a", .shape = RF_SHAPE(RF_UNKNOWN_DIM, RF_UNKNOWN_DIM, RF_UNKNOWN_DIM, 7), .dim_names = dims},
        {.name = "b", .dtype = RF_INT64, .shape = {.rank = -1}},
        {.name = "c", .dtype = RF_FLOAT16, .shape = {.rank = 0}},
    };
    const rf_tensor outputs[] = {{.name = "y", .dtype = RF_BFLOAT16, .shape = RF_SHAPE(0, 3)}};
    const rf_tensor constants[] = {
        {.name = "w", .dtype = RF_INT4, .shape = RF_SHAPE(2, 2), .data = nibbles, .data_bytes = sizeof nibbles},
        {.name = "nothing", .dtype = RF_FLOAT32, .shape = RF_SHAPE(0, 3)},
    };
    const rf_tensor declared[] = {{.name = "p", .dtype = RF_BOOL, .shape = RF_SHAPE(2, RF_UNKNOWN_DIM)}};
    const rf_layer layers[] = {
        {.name = "last", .type = "Foo", .domain = "org.example", .inputs = RF_NAMES("p", "", "w"),
         .outputs = RF_NAMES("", "y"), .attributes = everything},
        {.name = "first", .type = "Bar", .domain = "rfield", .inputs = RF_NAMES("a", "b", "c", ""),
         .outputs = RF_NAMES("p", "")},
    };
    rf_network network = {
        .name = "every\tthing", .inputs = inputs, .input_count = 3, .outputs = outputs, .output_count = 1,
        .constants = constants, .constant_count = 2, .declared = declared, .declared_count = 1,
        .layers = layers, .layer_count = 2, .opset = 13,
    };
    const rf_network *back = saved(&network);
    assert_string_equal(back->name, network.name);
    assert_int_equal(back->opset, 13);
    assert_same_tensors(inputs, back->inputs, 3);
    assert_same_tensors(outputs, back->outputs, 1);
    assert_same_tensors(constants, back->constants, 2);
    assert_same_tensors(declared, back->declared, 1);
    assert_int_equal(back->layer_count, 2);
    assert_same_layer(&layers[1], &back->layers[0]);
    assert_same_layer(&layers[0], &back->layers[1]);
    rf_network_free(back);
}

/* Names that the description leaves out are those that it has in an analysis. */
static void test_made_up_names(void **state)
{
    (void)state;
    const rf_tensor input = {.name = "x", .shape = RF_SHAPE(1, 2)};
    const rf_layer layers[] = {{.type = "Relu"}, {.type = "Neg", .outputs = RF_NAMES("y")}, {.type = "Exp"}};
    rf_network network = {.inputs = &input, .input_count = 1, .layers = layers, .layer_count = 3};
    const rf_network *back = saved(&network);
    assert_string_equal(back->name, "network");
    assert_string_equal(back->layers[0].name, "Relu_0");
    assert_string_equal(back->layers[0].inputs[0], "x");
    assert_string_equal(back->layers[1].inputs[0], "Relu_0");
    assert_string_equal(back->layers[1].name, "y");
    assert_string_equal(back->layers[2].outputs[0], "Exp_2");
    assert_int_equal(back->output_count, 1);
    assert_string_equal(back->outputs[0].name, "Exp_2");
    assert_int_equal(back->outputs[0].shape.dims[1], 2);
    assert_same_bits(&network, back);
    rf_network_free(back);
}

static void test_empty_network(void **state)
{
    (void)state;
    rf_network network = {.opset = 17};
    const rf_network *back = saved(&network);
    assert_int_equal(back->layer_count + back->input_count + back->output_count + back->constant_count, 0);
    assert_int_equal(back->opset, 17);
    rf_network_free(back);
}

/* ---- What cannot be saved ---------------------------------------------------------------- */

static const rf_tensor image = {.name = "x", .shape = RF_SHAPE(1, 3, 8, 8)};

static void expect_layer(rf_layer layer, rf_status status, const char *message)
{
    rf_network network = {.inputs = &image, .input_count = 1, .layers = &layer, .layer_count = 1};
    expect(&network, status, message);
}

static void test_missing_weights(void **state)
{
    (void)state;
    expect_layer((rf_layer){.name = "c", .type = "Conv", .attributes = RF_ATTRIBUTES(RF_INT("filters", 4))},
                 RF_ERROR_ARGUMENT, "'c' (Conv): it has no weight tensor to save: weights are missing");
    expect_layer((rf_layer){.name = "n", .type = "BatchNormalization"}, RF_ERROR_ARGUMENT, "weights are missing");
    expect_layer((rf_layer){.name = "d", .type = "Gemm", .inputs = RF_NAMES("x", "x"),
                            .attributes = RF_ATTRIBUTES(RF_INT("bias", 0))},
                 RF_ERROR_FORMAT, "'bias' excludes a weight tensor");
    const rf_tensor w = {.name = "w", .shape = RF_SHAPE(2, 2)};
    rf_network network = {.constants = &w, .constant_count = 1};
    expect(&network, RF_ERROR_ARGUMENT, "tensor 'w' has no elements to save: weights are missing");
}

static void test_attributes_refused(void **state)
{
    (void)state;
    const rf_attribute other[] = {{.name = "body", .type = RF_ATTRIBUTE_OTHER}, {.name = NULL}};
    const rf_attribute missing[] = {{.name = "axes", .type = RF_ATTRIBUTE_INTS, .count = 2}, {.name = NULL}};
    const rf_attribute unknown[] = {{.name = "axes", .type = (rf_attribute_type)77}, {.name = NULL}};
    const char *const holes[] = {"a", NULL};
    const rf_attribute hole[] = {LIST("names", RF_ATTRIBUTE_STRINGS, strings, holes), {.name = NULL}};
    const rf_tensor strings = {.name = "t", .dtype = RF_STRING, .shape = RF_SHAPE(2)};
    const rf_attribute text[] = {{.name = "value", .type = RF_ATTRIBUTE_TENSOR, .value = {.tensor = &strings}},
                                 {.name = NULL}};
    expect_layer((rf_layer){.type = "Relu", .attributes = other}, RF_ERROR_UNSUPPORTED, "'body'");
    expect_layer((rf_layer){.type = "Relu", .attributes = missing}, RF_ERROR_ARGUMENT, "'axes' is NULL");
    expect_layer((rf_layer){.type = "Relu", .attributes = unknown}, RF_ERROR_ARGUMENT, "type 77");
    expect_layer((rf_layer){.type = "Relu", .attributes = hole}, RF_ERROR_ARGUMENT, "text 1");
    expect_layer((rf_layer){.type = "Relu", .attributes = text}, RF_ERROR_UNSUPPORTED, "'t'");
}

static void test_names_refused(void **state)
{
    (void)state;
    expect_layer((rf_layer){.name = "\xff", .type = "Relu"}, RF_ERROR_FORMAT, "is not UTF-8");
    expect_layer((rf_layer){.type = ""}, RF_ERROR_ARGUMENT, "operator of a layer is empty");
    expect_layer((rf_layer){.type = "Relu", .domain = "\xc3("}, RF_ERROR_FORMAT, "domain of a layer");
    expect_layer((rf_layer){.type = "Relu", .inputs = RF_NAMES("nobody")}, RF_ERROR_GRAPH, "'nobody'");
    const rf_tensor nameless = {.shape = RF_SHAPE(1)};
    rf_network network = {.inputs = &nameless, .input_count = 1};
    expect(&network, RF_ERROR_GRAPH, "has no name");
    network = (rf_network){.declared = &nameless, .declared_count = 1};
    expect(&network, RF_ERROR_ARGUMENT, "name of a declared tensor is NULL");
}

static void test_tensors_refused(void **state)
{
    (void)state;
    rf_tensor tensor = {.name = "w", .shape = RF_SHAPE(4), .data = floats, .data_bytes = 15};
    rf_network network = {.constants = &tensor, .constant_count = 1};
    expect(&network, RF_ERROR_ARGUMENT, "holds 15 bytes; float32[4] needs 16");
    tensor.shape.dims[0] = RF_UNKNOWN_DIM;
    expect(&network, RF_ERROR_ARGUMENT, "unknown");
    tensor.shape.rank = 9;
    expect(&network, RF_ERROR_ARGUMENT, "rank 9");
    tensor = (rf_tensor){.name = "x", .dtype = (rf_dtype)-3, .shape = RF_SHAPE(4)};
    network = (rf_network){.inputs = &tensor, .input_count = 1};
    expect(&network, RF_ERROR_ARGUMENT, "element type -3");
    tensor = (rf_tensor){.name = "x", .shape = RF_SHAPE(-2)};
    expect(&network, RF_ERROR_ARGUMENT, "extent -2");
}

/* Refused by its size, before anything is written or read: the memory is not there. */
static void test_too_large(void **state)
{
    (void)state;
    const int64_t count = INT64_C(600) << 20;
    const rf_tensor tensor = {.name = "w", .shape = RF_SHAPE(count), .data = floats, .data_bytes = (size_t)count * 4};
    rf_network network = {.constants = &tensor, .constant_count = 1};
    expect(&network, RF_ERROR_LIMIT, "an ONNX file may have 2147483647");
}

static void test_arguments(void **state)
{
    (void)state;
    rf_network network = {.opset = 17};
    rf_save_options options = RF_SAVE_OPTIONS_DEFAULT;
    assert_int_equal(rf_network_save_onnx(&network, NULL, NULL, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_network_save_onnx(NULL, network_path, NULL, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_network_save_onnx(&network, "/no/such/folder/x.onnx", NULL, NULL), RF_ERROR_IO);
    assert_int_equal(rf_network_save_onnx(&network, "/dev/full", NULL, NULL), RF_ERROR_IO);
    options.binding_count = 1;
    assert_int_equal(rf_network_save_onnx(&network, network_path, &options, NULL), RF_ERROR_ARGUMENT);
    options.size = 0;
    assert_int_equal(rf_network_save_onnx(&network, network_path, &options, NULL), RF_ERROR_ARGUMENT);
}

/* Every allocation refused in turn: an error each time, and nothing is lost. */
static void test_memory(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_save_options options = RF_SAVE_OPTIONS_DEFAULT;
    rf_status status = RF_ERROR_MEMORY;
    counted_memory memory;
    for (size_t refused = 1; status != RF_OK; refused++) {
        counted_memory_init(&memory, refused);
        options.allocator = &memory.allocator;
        status = rf_network_save_onnx(&network, network_path, &options, NULL);
        assert_true(status == RF_OK || status == RF_ERROR_MEMORY);
        assert_int_equal(memory.live, 0);
    }
    assert_true(memory.calls > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_network),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_made_up_names),
        cmocka_unit_test(test_empty_network),
        cmocka_unit_test(test_missing_weights),
        cmocka_unit_test(test_attributes_refused),
        cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_tensors_refused),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("onnx writer", tests, make_folder, remove_folder);
}
