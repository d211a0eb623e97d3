/* SPDX-License-Identifier: MIT */
/* Forms of tensors, and models that are well-formed protobuf but wrong ONNX. */
#include "onnx_load.h"

static const uint8_t four_floats[16] = {0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64};

/* ---- Tensors ------------------------------------------------------------------------------ */

static void test_elements_of_each_type(void **state)
{
    (void)state;
    static const struct {
        int64_t type;
        unsigned field;
        int64_t number;
        size_t bytes;
        uint8_t first[8];
    } cases[] = {
        {RF_INT32, TENSOR_INT32S, -2, 4, {0xfe, 0xff, 0xff, 0xff}},
        {RF_INT8, TENSOR_INT32S, -2, 1, {0xfe}},
        {RF_UINT16, TENSOR_INT32S, 65535, 2, {0xff, 0xff}},
        {RF_BOOL, TENSOR_INT32S, 1, 1, {1}},
        {RF_FLOAT16, TENSOR_INT32S, 0x3c00, 2, {0, 0x3c}},
        {RF_INT4, TENSOR_INT32S, 0x7, 1, {7}},
        {RF_INT64, TENSOR_INT64S, -2, 8, {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {RF_UINT32, TENSOR_UINT64S, 0xfffffffe, 4, {0xfe, 0xff, 0xff, 0xff}},
        {RF_UINT64, TENSOR_UINT64S, 513, 8, {1, 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        loaded to;
        message tensor = tensor_message("t", cases[i].type, 1);
        put_number(&tensor, cases[i].field, cases[i].number);
        message model = model_of_tensor(&tensor);
        assert_int_equal(load(&to, &model), RF_OK);
        assert_int_equal(to.network->constants[0].data_bytes, cases[i].bytes);
        assert_memory_equal(to.network->constants[0].data, cases[i].first, cases[i].bytes);
        unload(&to);
    }
}

static void test_floats_in_pieces(void **state)
{
    (void)state;
    loaded to;
    message tensor = tensor_message("t", RF_FLOAT32, 4);
    put_bytes(&tensor, TENSOR_FLOATS, four_floats, 8);
    put_float(&tensor, TENSOR_FLOATS, 3);
    put_bytes(&tensor, TENSOR_FLOATS, four_floats + 12, 4);
    message model = model_of_tensor(&tensor);
    assert_int_equal(load(&to, &model), RF_OK);
    assert_memory_equal(to.network->constants[0].data, four_floats, 16);
    unload(&to);
}

static void test_wrong_tensors(void **state)
{
    (void)state;
    message tensor = tensor_message("w", RF_FLOAT32, 4);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "'w' holds 0 bytes; float32[4] needs 16");
    put_bytes(&tensor, TENSOR_RAW, four_floats, 12);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "'w' holds 12 bytes; float32[4] needs 16");
    put_bytes(&tensor, TENSOR_FLOATS, four_floats, 16);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "more than once");
    tensor = tensor_message("w", RF_FLOAT32, 1);
    put_number(&tensor, TENSOR_INT64S, 1);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "a field for another type");
    tensor = tensor_message("w", RF_FLOAT32, -1);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "negative dimension -1");
    tensor = tensor_message("w", RF_FLOAT32, INT64_MAX);
    put_number(&tensor, TENSOR_DIMS, INT64_MAX);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "too many elements");
    tensor = tensor_message("w", 0, 1);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "no element type");
    tensor = tensor_message("w", 99, 1);
    expect_tensor(&tensor, RF_ERROR_UNSUPPORTED, "element type 99");
    tensor = tensor_message("", RF_FLOAT32, 1);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "has no name");
    tensor = tensor_message("w", RF_STRING, 2);
    put_text(&tensor, TENSOR_STRINGS, "one");
    expect_tensor(&tensor, RF_ERROR_FORMAT, "holds 1 strings");
    tensor = tensor_message("w", RF_FLOAT32, 1);
    put_text(&tensor, TENSOR_SEGMENT, "");
    expect_tensor(&tensor, RF_ERROR_UNSUPPORTED, "a segment");
    for (int i = 0; i < RF_MAX_RANK; i++)
        put_number(&tensor, TENSOR_DIMS, 1);
    expect_tensor(&tensor, RF_ERROR_LIMIT, "9 dimensions");
}

/* ---- The rest of a model ------------------------------------------------------------------ */

static void test_wrong_attributes(void **state)
{
    (void)state;
    message attribute = {0}, model;
    put_number(&attribute, ATTRIBUTE_I, 1);
    model = model_of_attribute(&attribute);
    expect(&model, RF_ERROR_FORMAT, "has no name");
    put_text(&attribute, ATTRIBUTE_NAME, "axis");
    message untyped = attribute;
    put_number(&attribute, ATTRIBUTE_TYPE, TYPE_INTS);
    model = model_of_attribute(&attribute);
    expect(&model, RF_ERROR_FORMAT, "holds a value of type 2; expected one of type 7");
    put_number(&attribute, ATTRIBUTE_TYPE, 77);
    model = model_of_attribute(&attribute);
    expect(&model, RF_ERROR_FORMAT, "has type 77");
    put_text(&untyped, ATTRIBUTE_REFERENCE, "outer");
    model = model_of_attribute(&untyped);
    expect(&model, RF_ERROR_FORMAT, "refers to a function's attribute");
}

static void test_wrong_graphs(void **state)
{
    (void)state;
    message graph = {0}, node = {0}, value = {0}, type = {0}, model;
    put_text(&node, NODE_NAME, "nameless");
    put_message(&graph, GRAPH_NODE, &node);
    model = model_message(&graph);
    expect(&model, RF_ERROR_FORMAT, "has no operator");
    graph.count = 0;
    put_text(&graph, GRAPH_SPARSE, "");
    model = model_message(&graph);
    expect(&model, RF_ERROR_UNSUPPORTED, "sparse");
    graph.count = 0;
    put_text(&type, TYPE_OF_SEQUENCE, "");
    put_text(&value, VALUE_NAME, "list");
    put_message(&value, VALUE_TYPE, &type);
    put_message(&graph, GRAPH_INPUT, &value);
    model = model_message(&graph);
    expect(&model, RF_ERROR_UNSUPPORTED, "input 'list'");
    graph.count = 0;
    value = value_message("x", "123456789");
    put_message(&graph, GRAPH_INPUT, &value);
    model = model_message(&graph);
    expect(&model, RF_ERROR_LIMIT, "9 dimensions");
}

static void expect_versions(int64_t ir_version, int64_t opset, rf_status status, const char *words)
{
    message model = {0}, import = opset_message("ai.onnx", opset), other = opset_message("my", 1);
    if (ir_version)
        put_number(&model, MODEL_IR_VERSION, ir_version);
    put_text(&model, MODEL_GRAPH, "");
    put_message(&model, MODEL_OPSET, &other);
    if (opset)
        put_message(&model, MODEL_OPSET, &import);
    expect(&model, status, words);
}

static void test_wrong_models(void **state)
{
    (void)state;
    expect_versions(0, 13, RF_ERROR_FORMAT, "no ir_version");
    expect_versions(2, 13, RF_ERROR_UNSUPPORTED, "ir_version 2");
    expect_versions(8, 0, RF_ERROR_UNSUPPORTED, "no version of ONNX's operators");
    expect_versions(8, 5, RF_ERROR_UNSUPPORTED, "operator set 5");
    expect_versions(8, INT64_MAX, RF_ERROR_FORMAT, "not a version");
    message graph = {0}, model = model_message(&graph);
    put_message(&model, MODEL_GRAPH, &graph);
    expect(&model, RF_ERROR_FORMAT, "2 graphs");
    model = model_message(&graph);
    put_text(&model, MODEL_FUNCTIONS, "");
    expect(&model, RF_ERROR_UNSUPPORTED, "functions");
    model.count = 0;
    expect(&model, RF_ERROR_FORMAT, "empty");
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    rf_error error;
    const rf_network *network;
    rf_load_options options = {.size = 1};
    assert_int_equal(rf_network_load_onnx("", 0, NULL, NULL, &error), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_network_load_onnx(NULL, 1, NULL, &network, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_network_load_onnx("", 0, &options, &network, NULL), RF_ERROR_ARGUMENT);
    rf_network_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements_of_each_type),
        cmocka_unit_test(test_floats_in_pieces),
        cmocka_unit_test(test_wrong_tensors),
        cmocka_unit_test(test_wrong_attributes),
        cmocka_unit_test(test_wrong_graphs),
        cmocka_unit_test(test_wrong_models),
        cmocka_unit_test(test_wrong_arguments),
    };
    if (!reader_was_built())
        return 77; /* skipped */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
