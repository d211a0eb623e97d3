/* SPDX-License-Identifier: MIT */
/* The ONNX reader against a model that is right, the same one damaged, and models made to harm. */
#include "onnx_load.h"

/* Reads all that a network points at. */
static uint64_t touch_tensor(const rf_tensor *tensor)
{
    uint64_t sum = strlen(tensor->name);
    assert_in_range(tensor->shape.rank + 1, 0, RF_MAX_RANK + 1);
    for (size_t i = 0; i < tensor->data_bytes; i++)
        sum += ((const uint8_t *)tensor->data)[i];
    for (int32_t i = 0; tensor->dim_names && i < tensor->shape.rank; i++)
        sum += tensor->dim_names[i] ? strlen(tensor->dim_names[i]) : 0;
    return sum;
}

static uint64_t touch_attribute(const rf_attribute *attribute)
{
    uint64_t sum = strlen(attribute->name);
    for (size_t i = 0; i < attribute->count; i++) {
        if (attribute->type == RF_ATTRIBUTE_INTS)
            sum += (uint64_t)attribute->value.ints[i];
        if (attribute->type == RF_ATTRIBUTE_FLOATS)
            sum += attribute->value.floats[i] > 0;
        if (attribute->type == RF_ATTRIBUTE_STRINGS)
            sum += strlen(attribute->value.strings[i]);
    }
    if (attribute->type == RF_ATTRIBUTE_STRING)
        assert_int_equal(strlen(attribute->value.s), attribute->count);
    if (attribute->type == RF_ATTRIBUTE_TENSOR)
        sum += touch_tensor(attribute->value.tensor);
    return sum;
}

static uint64_t touch(const rf_network *network)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < network->input_count; i++)
        sum += touch_tensor(&network->inputs[i]);
    for (size_t i = 0; i < network->output_count; i++)
        sum += touch_tensor(&network->outputs[i]);
    for (size_t i = 0; i < network->constant_count; i++)
        sum += touch_tensor(&network->constants[i]);
    for (size_t i = 0; i < network->declared_count; i++)
        sum += touch_tensor(&network->declared[i]);
    for (const rf_layer *layer = network->layers; layer < network->layers + network->layer_count;
         layer++) {
        sum += strlen(layer->type);
        for (size_t i = 0; layer->inputs[i]; i++)
            sum += strlen(layer->inputs[i]);
        for (size_t i = 0; layer->outputs[i]; i++)
            sum += strlen(layer->outputs[i]);
        for (const rf_attribute *a = layer->attributes; a && a->name; a++)
            sum += touch_attribute(a);
    }
    return sum;
}

/* ---- A model that uses every message ------------------------------------------------------ */

static const uint8_t four_floats[16] = {0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 64};

static message convolution_message(void)
{
    message node = {0}, pads = {0}, packed = {0}, alpha = {0}, mode = {0}, value = {0}, body = {0};
    message inner = tensor_message("", 1, 4);
    put_bytes(&inner, TENSOR_RAW, four_floats, sizeof four_floats);
    put_text(&pads, ATTRIBUTE_NAME, "pads");
    put_varint(&packed, 1);
    put_varint(&packed, (uint64_t)-2);
    put_message(&pads, ATTRIBUTE_INTS, &packed);
    put_number(&pads, ATTRIBUTE_INTS, 300);
    put_number(&pads, ATTRIBUTE_TYPE, TYPE_INTS);
    put_text(&alpha, ATTRIBUTE_NAME, "alpha");
    put_float(&alpha, ATTRIBUTE_F, 0.5F);
    put_text(&mode, ATTRIBUTE_NAME, "mode");
    put_text(&mode, ATTRIBUTE_STRINGS, "nearest");
    put_text(&mode, ATTRIBUTE_STRINGS, "");
    put_text(&value, ATTRIBUTE_NAME, "value");
    put_message(&value, ATTRIBUTE_T, &inner);
    put_text(&body, ATTRIBUTE_NAME, "body");
    put_text(&body, ATTRIBUTE_G, "any bytes");
    put_text(&node, NODE_INPUT, "x");
    put_text(&node, NODE_INPUT, "");
    put_text(&node, NODE_INPUT, "w");
    put_text(&node, NODE_OUTPUT, "y");
    put_text(&node, NODE_NAME, "first");
    put_text(&node, NODE_TYPE, "Conv");
    put_text(&node, NODE_DOMAIN, "ai.onnx");
    put_message(&node, NODE_ATTRIBUTE, &pads);
    put_message(&node, NODE_ATTRIBUTE, &alpha);
    put_message(&node, NODE_ATTRIBUTE, &mode);
    put_message(&node, NODE_ATTRIBUTE, &value);
    put_message(&node, NODE_ATTRIBUTE, &body);
    return node;
}

static message whole_model(void)
{
    message graph = {0}, node = convolution_message(), weight = tensor_message("w", 1, 4);
    message x = value_message("x", "1N?0"), w = value_message("w", "4"), y = value_message("y", NULL);
    message hidden = value_message("h", "12");
    put_bytes(&weight, TENSOR_FLOATS, four_floats, sizeof four_floats);
    put_message(&graph, GRAPH_NODE, &node);
    put_text(&graph, GRAPH_NAME, "tiny");
    put_message(&graph, GRAPH_INITIALIZER, &weight);
    put_message(&graph, GRAPH_INPUT, &w);
    put_message(&graph, GRAPH_INPUT, &x);
    put_message(&graph, GRAPH_OUTPUT, &y);
    put_message(&graph, GRAPH_VALUE, &hidden);
    return model_message(&graph);
}

static void test_tensors_of_whole_model(void **state)
{
    (void)state;
    loaded to;
    message model = whole_model();
    assert_int_equal(load(&to, &model), RF_OK);
    const rf_network *network = to.network;
    assert_string_equal(network->name, "tiny");
    assert_int_equal(network->opset, 13);
    assert_int_equal(network->input_count, 1); /* "w" is an initializer */
    const rf_tensor *x = &network->inputs[0];
    assert_string_equal(x->name, "x");
    assert_int_equal(x->shape.rank, 4);
    assert_memory_equal(x->shape.dims, ((int64_t[]){1, -1, -1, 0}), 4 * sizeof(int64_t));
    assert_string_equal(x->dim_names[1], "N");
    assert_null(x->dim_names[2]);
    assert_int_equal(network->outputs[0].shape.rank, -1);
    assert_string_equal(network->declared[0].name, "h");
    const rf_tensor *w = &network->constants[0];
    assert_int_equal(w->data_bytes, 16);
    assert_memory_equal(w->data, four_floats, 16);
    assert_in_range((uintptr_t)w->data, (uintptr_t)to.memory, (uintptr_t)to.memory + model.count);
    unload(&to);
}

static void test_layer_of_whole_model(void **state)
{
    (void)state;
    loaded to;
    message model = whole_model();
    assert_int_equal(load(&to, &model), RF_OK);
    const rf_layer *layer = to.network->layers;
    assert_string_equal(layer->name, "first");
    assert_string_equal(layer->type, "Conv");
    assert_null(layer->domain);
    assert_string_equal(layer->inputs[1], "");
    assert_null(layer->inputs[3]);
    assert_null(layer->outputs[1]);
    const rf_attribute *a = layer->attributes;
    assert_int_equal(a[0].count, 3);
    assert_memory_equal(a[0].value.ints, ((int64_t[]){1, -2, 300}), 3 * sizeof(int64_t));
    assert_int_equal(a[1].type, RF_ATTRIBUTE_FLOAT); /* from the field that is filled in */
    assert_true(a[1].value.f == 0.5F);
    assert_int_equal(a[2].count, 2);
    assert_string_equal(a[2].value.strings[0], "nearest");
    assert_memory_equal(a[3].value.tensor->data, four_floats, 16);
    assert_int_equal(a[4].type, RF_ATTRIBUTE_OTHER);
    assert_null(a[5].name);
    unload(&to);
}

/* ---- Damage ------------------------------------------------------------------------------- */

static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    message model = whole_model();
    size_t accepted = 0;
    for (size_t count = 0; count < model.count; count++) {
        loaded to;
        rf_status status = load_bytes(&to, model.at, count, &defaults);
        assert_true(status == RF_OK || status == RF_ERROR_FORMAT);
        accepted += status == RF_OK;
        unload(&to);
    }
    /* The operator set comes last, and without it nothing is accepted. */
    assert_int_equal(accepted, 0);
}

static void test_every_value_of_every_byte(void **state)
{
    (void)state;
    message model = whole_model();
    uint64_t sum = 0;
    for (size_t at = 0; at < model.count; at++) {
        uint8_t right = model.at[at];
        for (unsigned byte = 0; byte < 256; byte++) {
            loaded to;
            model.at[at] = (uint8_t)byte;
            if (load(&to, &model) == RF_OK)
                sum += touch(to.network);
            unload(&to);
        }
        model.at[at] = right;
    }
    assert_true(sum > 0);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void test_random_damage(void **state)
{
    (void)state;
    uint32_t seed = 2463534242;
    uint64_t sum = 0;
    print_message("seed %u\n", (unsigned)seed);
    for (int round = 0; round < 20000; round++) {
        loaded to;
        message model = whole_model();
        for (uint32_t changes = 1 + next_random(&seed) % 4; changes; changes--)
            model.at[next_random(&seed) % model.count] = (uint8_t)next_random(&seed);
        if (load(&to, &model) == RF_OK)
            sum += touch(to.network);
        unload(&to);
    }
    assert_true(sum > 0);
}

static void test_lengths_past_the_end(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1000, INT32_MAX, UINT32_MAX, (uint64_t)UINT32_MAX + 1,
                                       INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        message tensor = tensor_message("w", 1, 4), model = {0};
        put_tag(&tensor, TENSOR_RAW, WIRE_BYTES);
        put_varint(&tensor, lengths[i]);
        expect_tensor(&tensor, RF_ERROR_FORMAT, "not an ONNX model: a tensor");
        put_tag(&model, MODEL_GRAPH, WIRE_BYTES);
        put_varint(&model, lengths[i]);
        expect(&model, RF_ERROR_FORMAT, "not an ONNX model: the model");
    }
}

static void test_malformed_numbers(void **state)
{
    (void)state;
    message endless = tensor_message("w", 7, 1), split = tensor_message("w", 1, 1);
    put_tag(&endless, TENSOR_INT64S, WIRE_BYTES);
    put_varint(&endless, 12);
    for (int i = 0; i < 11; i++)
        put_byte(&endless, 0x80);
    put_byte(&endless, 0);
    expect_tensor(&endless, RF_ERROR_FORMAT, "not an ONNX model");
    put_bytes(&split, TENSOR_FLOATS, four_floats, 7);
    expect_tensor(&split, RF_ERROR_FORMAT, "end within a number");
}

/* A string that comes as a number lies on the decoder's stack, and must not be pointed at. */
static void test_strings_of_the_wrong_wire_type(void **state)
{
    (void)state;
    message tensor = {0}, graph = {0}, node = {0}, model;
    put_number(&tensor, TENSOR_NAME, 65);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "wrong wire type");
    put_number(&node, NODE_TYPE, 65);
    put_message(&graph, GRAPH_NODE, &node);
    model = model_message(&graph);
    expect(&model, RF_ERROR_FORMAT, "wrong wire type");
    graph.count = 0;
    put_number(&graph, GRAPH_NODE, 0);
    model = model_message(&graph);
    expect(&model, RF_ERROR_FORMAT, "wrong wire type");
}

static void test_names_with_nul(void **state)
{
    (void)state;
    message tensor = {0}, attribute = {0}, model;
    put_bytes(&tensor, TENSOR_NAME, "a\0b", 3);
    expect_tensor(&tensor, RF_ERROR_FORMAT, "contains a NUL");
    put_text(&attribute, ATTRIBUTE_NAME, "blob");
    put_bytes(&attribute, ATTRIBUTE_S, "SAME\0", 5);
    model = model_of_attribute(&attribute);
    loaded to;
    assert_int_equal(load(&to, &model), RF_OK);
    assert_int_equal(to.network->layers[0].attributes[0].type, RF_ATTRIBUTE_OTHER);
    unload(&to);
}

/* ---- Bombs and limits --------------------------------------------------------------------- */

/* `depth` messages of field `field`, each inside the one before, ending at the block's end. */
static size_t nest(uint8_t *block, size_t room, unsigned field, size_t depth)
{
    size_t at = room;
    for (size_t i = 0; i < depth; i++) {
        message head = {0};
        put_tag(&head, field, WIRE_BYTES);
        put_varint(&head, room - at);
        assert_true(head.count <= at);
        at -= head.count;
        memcpy(block + at, head.at, head.count);
    }
    return at;
}

static void wrap(uint8_t *block, size_t room, size_t *at, unsigned field, const message *before)
{
    message head = *before;
    put_tag(&head, field, WIRE_BYTES);
    put_varint(&head, room - *at);
    *at -= head.count;
    memcpy(block + *at, head.at, head.count);
}

static void test_nested_subgraphs(void **state)
{
    (void)state;
    enum { ROOM = 1 << 20 };
    uint8_t *block = malloc(ROOM);
    assert_non_null(block);
    message version = {0}, opset = opset_message("", 13), type = {0}, name = {0}, none = {0};
    size_t at = nest(block, ROOM, ATTRIBUTE_G, 100000);
    put_text(&name, ATTRIBUTE_NAME, "body");
    put_text(&type, NODE_TYPE, "If");
    put_number(&version, MODEL_IR_VERSION, 8);
    put_message(&version, MODEL_OPSET, &opset);
    wrap(block, ROOM, &at, ATTRIBUTE_G, &name);
    wrap(block, ROOM, &at, NODE_ATTRIBUTE, &type);
    wrap(block, ROOM, &at, GRAPH_NODE, &none);
    wrap(block, ROOM, &at, MODEL_GRAPH, &version);
    loaded to;
    assert_int_equal(load_bytes(&to, block + at, ROOM - at, &defaults), RF_OK);
    assert_int_equal(to.network->layers[0].attributes[0].type, RF_ATTRIBUTE_OTHER);
    unload(&to);
    free(block);
}

static void expect_limited(const message *model, const rf_load_options *options, const char *limit)
{
    loaded to;
    assert_int_equal(load_bytes(&to, model->at, model->count, options), RF_ERROR_LIMIT);
    assert_string_equal(to.error.subject, limit);
    unload(&to);
}

static void test_limits(void **state)
{
    (void)state;
    message model = whole_model();
    for (uint32_t nesting = 0; nesting < 5; nesting++) {
        rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
        options.limits.nesting = nesting;
        expect_limited(&model, &options, "nesting");
    }
    rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
    options.limits.layers = 0;
    expect_limited(&model, &options, "layers");
    options = defaults;
    options.limits.tensors = 4;
    expect_limited(&model, &options, "tensors");
}

static void test_limit_of_memory(void **state)
{
    (void)state;
    message model = whole_model();
    rf_status status = RF_ERROR_LIMIT;
    for (uint64_t bytes = 0; status != RF_OK; bytes += 16) {
        loaded to;
        rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
        options.limits.memory_bytes = bytes;
        status = load_bytes(&to, model.at, model.count, &options);
        assert_true(status == RF_OK ? bytes > 500 : bytes < 20000);
        if (status != RF_OK)
            assert_non_null(strstr(to.error.message, "memory_bytes"));
        unload(&to);
    }
}

/* Memory that runs out after so many calls, and is counted. */
typedef struct pool {
    size_t left, held;
} pool;

static void *allocate_from_pool(void *context, size_t bytes)
{
    pool *from = context;
    if (from->left == 0)
        return NULL;
    from->left--;
    from->held += bytes;
    return malloc(bytes);
}

static void release_to_pool(void *context, void *memory, size_t bytes)
{
    pool *to = context;
    to->held -= bytes;
    free(memory);
}

static void test_allocator_that_fails(void **state)
{
    (void)state;
    message graph = {0}, tensor = tensor_message("w", RF_INT64, 1400);
    put_tag(&tensor, TENSOR_INT64S, WIRE_BYTES);
    put_varint(&tensor, 1400);
    for (int i = 0; i < 1400; i++)
        put_byte(&tensor, 1);
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    put_message(&graph, GRAPH_INITIALIZER, &tensor);
    message model = model_message(&graph); /* its numbers take more than the arena's first block */
    rf_status status = RF_ERROR_MEMORY;
    for (size_t calls = 0; status == RF_ERROR_MEMORY; calls++) {
        pool memory = {.left = calls};
        rf_allocator allocator = {allocate_from_pool, release_to_pool, &memory};
        rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
        options.allocator = &allocator;
        loaded to;
        status = load_bytes(&to, model.at, model.count, &options);
        assert_true(calls >= 2 || status == RF_ERROR_MEMORY);
        unload(&to);
        assert_int_equal(memory.held, 0);
    }
    assert_int_equal(status, RF_OK);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_of_whole_model),
        cmocka_unit_test(test_layer_of_whole_model),
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_every_value_of_every_byte),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_lengths_past_the_end),
        cmocka_unit_test(test_malformed_numbers),
        cmocka_unit_test(test_strings_of_the_wrong_wire_type),
        cmocka_unit_test(test_names_with_nul),
        cmocka_unit_test(test_nested_subgraphs),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_limit_of_memory),
        cmocka_unit_test(test_allocator_that_fails),
    };
    if (!reader_was_built())
        return 77; /* skipped */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
