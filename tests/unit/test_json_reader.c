/* SPDX-License-Identifier: MIT */
/* The JSON reader: what each key becomes, and what each mistake is told as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rfield/analysis.h>
#include <rfield/readers.h>

#define LENGTH(array_) (sizeof(array_) / sizeof *(array_))

/* A network with one image and the layers given. */
#define LAYERS(layers_) \
    "{\"rfield\":1,\"inputs\":[{\"name\":\"x\",\"shape\":[1,3,8,8]}],\"layers\":[" layers_ "]}"

static const rf_network *load(const char *text)
{
    const rf_network *network = NULL;
    rf_error error = {.message = ""};
    if (rf_network_load_json(text, strlen(text), NULL, &network, &error) != RF_OK)
        fail_msg("%s", error.message);
    assert_non_null(network);
    return network;
}

/* The loading must fail with a message that holds every part; NULL ends them. */
static void expect_failure(const char *text, rf_status status, const char *const parts[])
{
    const rf_network *network = (const rf_network *)text;
    rf_error error = {.message = ""};
    rf_status got = rf_network_load_json(text, strlen(text), NULL, &network, &error);
    if (got != status)
        fail_msg("%s instead of %s for %s", rf_status_name(got), rf_status_name(status), text);
    assert_null(network);
    assert_int_equal(error.status, status);
    for (; *parts; parts++)
        if (!strstr(error.message, *parts))
            fail_msg("no \"%s\" in \"%s\" for %s", *parts, error.message, text);
}

#define REFUSES(text_, ...) \
    expect_failure(text_, RF_ERROR_FORMAT, (const char *const[]){__VA_ARGS__, NULL})

static const rf_attribute *attribute_of(const rf_layer *layer, const char *name)
{
    for (const rf_attribute *attribute = layer->attributes; attribute->name; attribute++)
        if (strcmp(attribute->name, name) == 0)
            return attribute;
    fail_msg("layer %s has no %s", layer->name, name);
    return NULL;
}

static void expect_ints(const rf_layer *layer, const char *name, size_t count, const int64_t *ints)
{
    const rf_attribute *attribute = attribute_of(layer, name);
    assert_int_equal(attribute->type, RF_ATTRIBUTE_INTS);
    assert_int_equal(attribute->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(attribute->value.ints[i], ints[i]);
}

#define EXPECT_INTS(layer_, name_, ...)                                              \
    expect_ints(layer_, name_, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t),   \
                (const int64_t[]){__VA_ARGS__})

static const rf_tensor *constant_named(const rf_network *network, const char *name)
{
    for (size_t i = 0; i < network->constant_count; i++)
        if (strcmp(network->constants[i].name, name) == 0)
            return &network->constants[i];
    fail_msg("no constant %s", name);
    return NULL;
}

/* ---- What is read --------------------------------------------------------------------------- */

static void reads_the_frame(void **state)
{
    (void)state;
    const rf_network *network = load(
        "{\"rfield\":1,\"name\":\"n\",\"comment\":\"c\",\"opset\":13,"
        "\"inputs\":[{\"name\":\"a\",\"shape\":[\"N\",3,null]},"
        "{\"name\":\"b\",\"type\":\"int64\",\"shape\":[]}],"
        "\"outputs\":[\"r\",\"s\"],"
        "\"layers\":[{\"name\":\"r\",\"type\":\"Relu\"},{\"type\":\"Abs\",\"outputs\":\"s\"}]}");
    assert_string_equal(network->name, "n");
    assert_int_equal(network->opset, 13);
    assert_int_equal(network->input_count, 2);
    const rf_tensor *a = &network->inputs[0], *b = &network->inputs[1];
    assert_string_equal(a->name, "a");
    assert_int_equal(a->dtype, RF_FLOAT32);
    assert_int_equal(a->shape.rank, 3);
    assert_int_equal(a->shape.dims[0], RF_UNKNOWN_DIM);
    assert_int_equal(a->shape.dims[1], 3);
    assert_int_equal(a->shape.dims[2], RF_UNKNOWN_DIM);
    assert_string_equal(a->dim_names[0], "N");
    assert_null(a->dim_names[2]);
    assert_int_equal(b->dtype, RF_INT64);
    assert_int_equal(b->shape.rank, 0);
    assert_int_equal(network->output_count, 2);
    assert_string_equal(network->outputs[1].name, "s");
    assert_int_equal(network->layer_count, 2);
    assert_null(network->layers[0].inputs);
    assert_null(network->layers[0].outputs);
    assert_string_equal(network->layers[1].name, "Abs_1");
    assert_string_equal(network->layers[1].outputs[0], "s");
    assert_null(network->layers[1].outputs[1]);
    rf_network_free(network);
}

static void spreads_numbers_over_axes(void **state)
{
    (void)state;
    const rf_network *network =
        load(LAYERS("{\"type\":\"Conv\",\"filters\":4,\"kernel\":3,\"stride\":2,\"pad\":1,"
                    "\"dilation\":1,\"groups\":1,\"bias\":false},"
                    "{\"type\":\"Conv\",\"kernel\":[3,5],\"pad\":[1,2],\"stride\":[1,1]},"
                    "{\"type\":\"Conv\",\"kernel_shape\":[3,5],\"pads\":[1,2,3,4]},"
                    "{\"type\":\"Conv\",\"kernel\":[3],\"pad\":2,\"stride\":4},"
                    "{\"type\":\"MaxPool\",\"kernel\":[2,2,2],\"pad\":1}"));
    const rf_layer *layers = network->layers;
    EXPECT_INTS(&layers[0], "kernel_shape", 3, 3);
    EXPECT_INTS(&layers[0], "strides", 2, 2);
    EXPECT_INTS(&layers[0], "pads", 1, 1, 1, 1);
    EXPECT_INTS(&layers[0], "dilations", 1, 1);
    assert_int_equal(attribute_of(&layers[0], "group")->value.i, 1);
    assert_int_equal(attribute_of(&layers[0], "filters")->value.i, 4);
    assert_int_equal(attribute_of(&layers[0], "bias")->type, RF_ATTRIBUTE_INT);
    assert_int_equal(attribute_of(&layers[0], "bias")->value.i, 0);
    EXPECT_INTS(&layers[1], "pads", 1, 2, 1, 2);
    EXPECT_INTS(&layers[2], "pads", 1, 2, 3, 4);
    EXPECT_INTS(&layers[3], "pads", 2, 2);
    EXPECT_INTS(&layers[3], "strides", 4);
    EXPECT_INTS(&layers[4], "pads", 1, 1, 1, 1, 1, 1);
    rf_network_free(network);
}

static void takes_axes_from_the_input(void **state)
{
    (void)state;
    const rf_network *network =
        load("{\"rfield\":1,\"inputs\":[{\"name\":\"x\",\"shape\":[1,3,4,4,4]}],\"layers\":["
             "{\"type\":\"Conv\",\"kernel\":3,\"pad\":1}]}");
    EXPECT_INTS(&network->layers[0], "kernel_shape", 3, 3, 3);
    EXPECT_INTS(&network->layers[0], "pads", 1, 1, 1, 1, 1, 1);
    rf_network_free(network);
}

static void pads_automatically(void **state)
{
    (void)state;
    const rf_network *network =
        load(LAYERS("{\"type\":\"Conv\",\"kernel\":3,\"pad\":\"same\"},"
                    "{\"type\":\"Conv\",\"kernel\":3,\"pad\":\"valid\"},"
                    "{\"type\":\"Conv\",\"kernel\":3,\"auto_pad\":\"SAME_LOWER\"}"));
    assert_string_equal(attribute_of(&network->layers[0], "auto_pad")->value.s, "SAME_UPPER");
    assert_int_equal(attribute_of(&network->layers[0], "auto_pad")->count, 10);
    assert_string_equal(attribute_of(&network->layers[1], "auto_pad")->value.s, "VALID");
    assert_string_equal(attribute_of(&network->layers[2], "auto_pad")->value.s, "SAME_LOWER");
    rf_network_free(network);
}

static void gives_attributes_their_types(void **state)
{
    (void)state;
    const rf_network *network =
        load(LAYERS("{\"type\":\"LeakyRelu\",\"alpha\":1},"
                    "{\"type\":\"Softmax\",\"axis\":-1},"
                    "{\"type\":\"Mystery\",\"i\":1,\"f\":1.0,\"s\":\"t\",\"is\":[1,2],"
                    "\"fs\":[1,2.5],\"ss\":[\"a\",\"\"],\"b\":true}"));
    const rf_layer *layers = network->layers, *mystery = &layers[2];
    assert_int_equal(attribute_of(&layers[0], "alpha")->type, RF_ATTRIBUTE_FLOAT);
    assert_true(attribute_of(&layers[0], "alpha")->value.f == 1.0f);
    assert_int_equal(attribute_of(&layers[1], "axis")->value.i, -1);
    assert_int_equal(attribute_of(mystery, "i")->type, RF_ATTRIBUTE_INT);
    assert_int_equal(attribute_of(mystery, "f")->type, RF_ATTRIBUTE_FLOAT);
    assert_int_equal(attribute_of(mystery, "s")->type, RF_ATTRIBUTE_STRING);
    EXPECT_INTS(mystery, "is", 1, 2);
    assert_int_equal(attribute_of(mystery, "fs")->type, RF_ATTRIBUTE_FLOATS);
    assert_true(attribute_of(mystery, "fs")->value.floats[1] == 2.5f);
    assert_int_equal(attribute_of(mystery, "ss")->type, RF_ATTRIBUTE_STRINGS);
    assert_string_equal(attribute_of(mystery, "ss")->value.strings[0], "a");
    assert_int_equal(attribute_of(mystery, "b")->value.i, 1);
    rf_network_free(network);
}

static void reads_constants(void **state)
{
    (void)state;
    const rf_network *network =
        load("{\"rfield\":1,\"inputs\":[],\"layers\":[],\"constants\":["
             "{\"name\":\"i\",\"type\":\"int64\",\"shape\":[2],\"values\":[1,-2]},"
             "{\"name\":\"w\",\"shape\":[64,3,3,3]},"
             "{\"name\":\"f\",\"values\":[1,-0.5]},"
             "{\"name\":\"s\",\"type\":\"int16\",\"values\":-2},"
             "{\"name\":\"d\",\"type\":\"float64\",\"shape\":[1,1],\"values\":[0.5]},"
             "{\"name\":\"b\",\"type\":\"bool\",\"values\":[true,0]}]}");
    const unsigned char two[] = {1, 0, 0, 0, 0, 0, 0, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255};
    const unsigned char floats[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xbf};
    const unsigned char half[] = {0, 0, 0, 0, 0, 0, 0xe0, 0x3f};
    const rf_tensor *i = constant_named(network, "i"), *f = constant_named(network, "f");
    assert_int_equal(i->data_bytes, sizeof two);
    assert_memory_equal(i->data, two, sizeof two);
    assert_null(constant_named(network, "w")->data);
    assert_int_equal(constant_named(network, "w")->shape.rank, 4);
    assert_int_equal(f->shape.rank, 1);
    assert_int_equal(f->shape.dims[0], 2);
    assert_int_equal(f->data_bytes, sizeof floats);
    assert_memory_equal(f->data, floats, sizeof floats);
    assert_int_equal(constant_named(network, "s")->shape.rank, 0);
    assert_memory_equal(constant_named(network, "s")->data, "\xfe\xff", 2);
    assert_memory_equal(constant_named(network, "d")->data, half, sizeof half);
    assert_memory_equal(constant_named(network, "b")->data, "\1\0", 2);
    rf_network_free(network);
}

static void turns_keys_into_inputs(void **state)
{
    (void)state;
    const rf_network *network =
        load(LAYERS("{\"name\":\"a\",\"type\":\"Relu\"},"
                    "{\"name\":\"r\",\"type\":\"Reshape\",\"shape\":[0,-1]},"
                    "{\"name\":\"c\",\"type\":\"Clip\",\"max\":6},"
                    "{\"name\":\"u\",\"type\":\"Unsqueeze\",\"from\":\"a\",\"axes\":0},"
                    "{\"name\":\"k\",\"type\":\"ConstantOfShape\",\"shape\":[2],"
                    "\"value\":{\"type\":\"int64\",\"values\":[7]}}"));
    const rf_layer *layers = network->layers;
    assert_string_equal(layers[1].inputs[0], "a");
    assert_string_equal(layers[1].inputs[1], "r.shape");
    assert_null(layers[1].inputs[2]);
    assert_string_equal(layers[2].inputs[0], "r");
    assert_string_equal(layers[2].inputs[1], "");
    assert_string_equal(layers[2].inputs[2], "c.max");
    assert_string_equal(layers[3].inputs[0], "a");
    assert_string_equal(layers[4].inputs[0], "k.shape");
    assert_null(layers[4].inputs[1]);
    assert_int_equal(constant_named(network, "r.shape")->dtype, RF_INT64);
    assert_int_equal(constant_named(network, "r.shape")->shape.dims[0], 2);
    assert_int_equal(constant_named(network, "c.max")->dtype, RF_FLOAT32);
    assert_int_equal(constant_named(network, "c.max")->shape.rank, 0);
    assert_int_equal(constant_named(network, "u.axes")->shape.rank, 1);
    const rf_attribute *value = attribute_of(&layers[4], "value");
    assert_int_equal(value->type, RF_ATTRIBUTE_TENSOR);
    assert_int_equal(value->value.tensor->dtype, RF_INT64);
    rf_network_free(network);
}

static void keeps_attributes_of_old_operator_sets(void **state)
{
    (void)state;
    const rf_network *network =
        load("{\"rfield\":1,\"opset\":9,\"inputs\":[{\"name\":\"x\",\"shape\":[1,3]}],\"layers\":["
             "{\"type\":\"Clip\",\"min\":0,\"max\":6},{\"type\":\"Unsqueeze\",\"axes\":0}]}");
    assert_int_equal(network->constant_count, 0);
    assert_int_equal(attribute_of(&network->layers[0], "max")->type, RF_ATTRIBUTE_FLOAT);
    EXPECT_INTS(&network->layers[1], "axes", 0);
    rf_network_free(network);
}

static void resolves_layers_to_their_tensors(void **state)
{
    (void)state;
    const rf_network *network =
        load(LAYERS("{\"name\":\"late\",\"type\":\"Add\",\"from\":[\"halves\",\"b\"]},"
                    "{\"name\":\"halves\",\"type\":\"Split\",\"from\":\"x\",\"axis\":1,"
                    "\"outputs\":[\"a\",\"b\"],\"split\":[1,2]},"
                    "{\"name\":\"b\",\"type\":\"Relu\",\"outputs\":[\"other\"]}"));
    assert_string_equal(network->layers[0].inputs[0], "a");
    assert_string_equal(network->layers[0].inputs[1], "b"); /* the tensor, not the layer */
    rf_network_free(network);
}

static const rf_analysis *analyse(const rf_network *network)
{
    const rf_analysis *analysis = NULL;
    rf_error error = {.message = ""};
    if (rf_analyze(network, NULL, &analysis, &error) != RF_OK)
        fail_msg("%s: %s", network->name ? network->name : "", error.message);
    return analysis;
}

static void analyses_the_two_blocks(void **state)
{
    (void)state;
    const rf_network *network =
        load(LAYERS("{\"type\":\"Conv\",\"filters\":2,\"kernel\":3,\"pad\":1},"
                    "{\"name\":\"y1\",\"type\":\"Conv\",\"filters\":2,\"kernel\":3,\"pad\":1},"
                    "{\"name\":\"y2\",\"type\":\"MaxPool\",\"kernel\":2,\"stride\":2}"));
    const rf_analysis *analysis = analyse(network);
    size_t y2 = rf_analysis_find_layer(analysis, "y2");
    assert_true(y2 < analysis->layer_count);
    const rf_field_axis *axis = &analysis->layers[y2].fields[0].axes[1];
    assert_int_equal(axis->stride, 2);
    assert_int_equal(axis->u0, -2);
    assert_int_equal(axis->v0, 3);
    rf_analysis_free(analysis);
    rf_network_free(network);
}

static void gives_carried_inputs_their_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *layer;
        int32_t rank;
        int64_t dims[6];
    } cases[] = {
        {"{\"type\":\"Reshape\",\"shape\":[0,-1]}", 2, {1, 192}},
        {"{\"type\":\"Expand\",\"shape\":[4,1,1,1]}", 4, {4, 3, 8, 8}},
        {"{\"type\":\"Tile\",\"repeats\":[2,1,1,3]}", 4, {2, 3, 8, 24}},
        {"{\"type\":\"Unsqueeze\",\"axes\":[0,5]}", 6, {1, 1, 3, 8, 8, 1}},
        {"{\"type\":\"Squeeze\",\"axes\":0}", 3, {3, 8, 8}},
        {"{\"type\":\"ReduceMean\",\"axes\":[2,3],\"keepdims\":false}", 2, {1, 3}},
        {"{\"type\":\"ReduceSum\",\"axes\":1}", 4, {1, 1, 8, 8}},
        {"{\"type\":\"Slice\",\"starts\":1,\"ends\":8,\"axes\":-1,\"steps\":2}", 4, {1, 3, 8, 4}},
        {"{\"type\":\"Split\",\"axis\":1,\"split\":[1,2],\"outputs\":[\"a\",\"b\"]}", 4, {1, 1, 8, 8}},
        {"{\"type\":\"Pad\",\"pad\":[1,2],\"axes\":[3],\"value\":0.5}", 4, {1, 3, 8, 11}},
        {"{\"type\":\"Pad\",\"pads\":[0,0,1,1,0,0,2,2]}", 4, {1, 3, 11, 11}},
        {"{\"type\":\"Clip\",\"min\":0,\"max\":6}", 4, {1, 3, 8, 8}},
        {"{\"type\":\"Resize\",\"scales\":[1,1,2,2],\"mode\":\"nearest\"}", 4, {1, 3, 16, 16}},
        {"{\"type\":\"Resize\",\"sizes\":[1,3,5,7],\"mode\":\"linear\"}", 4, {1, 3, 5, 7}},
        {"{\"type\":\"ConstantOfShape\",\"shape\":[2,3]},{\"type\":\"Add\",\"from\":[\"x\",\"x\"]}",
         2, {2, 3}},
    };
    for (size_t c = 0; c < LENGTH(cases); c++) {
        char text[512];
        snprintf(text, sizeof text, LAYERS("%s"), cases[c].layer);
        const rf_network *network = load(text);
        const rf_analysis *analysis = analyse(network);
        const rf_shape *shape = &analysis->layers[0].outputs[0].shape;
        if (shape->rank != cases[c].rank
            || memcmp(shape->dims, cases[c].dims, (size_t)shape->rank * sizeof *shape->dims) != 0)
            fail_msg("another shape for %s", cases[c].layer);
        rf_analysis_free(analysis);
        rf_network_free(network);
    }
}

/* Parameters and multiply-accumulates of torchvision's networks are those of its own modules; of
 * the modules of Inception, those of the worked case; of the others, counted by hand. */
static void counts_the_examples(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint64_t parameters, statistics, macs, activations;
    } examples[] = {
        {"alexnet", 61100840, 0, 714188480, 493184},
        {"googlenet", 6624904, 14560, 1498376192, 3226160},
        {"inception_bottleneck", 346720, 0, 354418688, 622592},
        {"inception_naive", 1089952, 0, 1115684864, 425984},
        {"lenet5", 61706, 0, 416520, 6508},
        {"mobilenet_v2", 3504872, 34112, 300774272, 6105792},
        {"perceptron", 109386, 0, 109184, 192},
        {"resnet18", 11689512, 9600, 1814073344, 2308096},
        {"resnet50", 25557032, 53120, 4089184256, 9608704},
        {"squeezenet1_1", 1235496, 0, 349151936, 2589352},
        {"unet_small", 116770, 0, 397148160, 1703936},
        {"vgg16", 138357544, 0, 15470264320, 13555712},
        {"vgg_two_blocks", 260160, 0, 4710924288, 9633792},
    };
    for (size_t e = 0; e < LENGTH(examples); e++) {
        char path[1024];
        const rf_network *network;
        rf_error error = {.message = ""};
        snprintf(path, sizeof path, RF_TEST_NETWORKS "/%s.json", examples[e].file);
        if (rf_network_load(path, NULL, &network, &error) != RF_OK)
            fail_msg("%s: %s", path, error.message);
        assert_string_equal(network->name, examples[e].file);
        const rf_analysis *analysis = analyse(network);
        assert_int_equal(analysis->parameters, examples[e].parameters);
        assert_int_equal(analysis->statistics, examples[e].statistics);
        assert_int_equal(analysis->dense.macs, examples[e].macs);
        assert_int_equal(analysis->dense.activations, examples[e].activations);
        assert_int_equal(analysis->output_count, 1);
        rf_analysis_free(analysis);
        rf_network_free(network);
    }
}

/* ---- What is refused ------------------------------------------------------------------------ */

static void tells_where_the_syntax_breaks(void **state)
{
    (void)state;
    REFUSES("", "line 1");
    REFUSES("{\n  \"rfield\": 1,\n  oops", "line 3, column");
    REFUSES("{\"rfield\":1} x", "line 1, column");
    REFUSES("{\"rfield\":1,\"rfield\":1}", "line 1, column", "duplicate");
    REFUSES("{\"rfield\":9223372036854775808}", "line 1, column", "integer");
    REFUSES("{\"rfield\":1e999}", "line 1, column");
    REFUSES("{\"rfield\":1,\"name\":\"a\\u0000b\"}", "NUL");
    REFUSES("{\"rfield\":1,\"a\\u0000b\":1}", "NUL");
    REFUSES("{\"rfield\":1,\"name\":\"\xff\"}", "line 1, column");
}

static void refuses_what_is_no_network(void **state)
{
    (void)state;
    REFUSES("[]", "network", "a list", "object");
    REFUSES("{\"inputs\":[],\"layers\":[]}", "rfield");
    REFUSES("{\"rfield\":2,\"inputs\":[],\"layers\":[]}", "rfield", "version", "1");
    REFUSES("{\"rfield\":true,\"inputs\":[],\"layers\":[]}", "rfield");
    REFUSES("{\"rfield\":1,\"layers\":[]}", "inputs");
    REFUSES("{\"rfield\":1,\"inputs\":[]}", "layers");
    REFUSES("{\"rfield\":1,\"inputs\":[],\"layers\":{}}", "layers", "a list");
    REFUSES("{\"rfield\":1,\"inputs\":[],\"layer\":[]}", "'layer'", "'layers'");
    REFUSES("{\"rfield\":1,\"inputs\":[],\"layers\":[],\"opset\":99}", "opset", "99");
    REFUSES("{\"rfield\":1,\"inputs\":[],\"layers\":[],\"outputs\":[1]}", "outputs", "name");
    REFUSES("{\"rfield\":1,\"inputs\":[],\"layers\":[],\"name\":\"\"}", "name", "empty");
}

#define INPUT(members_) "{\"rfield\":1,\"layers\":[],\"inputs\":[{" members_ "}]}"
#define CONSTANT(members_) \
    "{\"rfield\":1,\"layers\":[],\"inputs\":[],\"constants\":[{\"name\":\"k\"," members_ "}]}"

static void refuses_bad_tensors(void **state)
{
    (void)state;
    REFUSES(INPUT("\"shape\":[1]"), "input 0", "name");
    REFUSES(INPUT("\"name\":\"x\""), "input 'x'", "shape");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":3"), "input 'x'", "shape", "list");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":[1,-1]"), "input 'x'", "shape", "-1");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":[1.5]"), "input 'x'", "shape", "integers");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":[true]"), "input 'x'", "shape", "true");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":[1,1,1,1,1,1,1,1,1]"), "input 'x'", "9", "8");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":[],\"type\":\"float23\""), "float23", "float32");
    REFUSES(INPUT("\"name\":\"x\",\"shape\":[],\"dtype\":\"int8\""), "'dtype'", "'type'");
    REFUSES(CONSTANT("\"type\":\"int8\""), "constant 'k'", "shape", "values");
    REFUSES(CONSTANT("\"shape\":[null]"), "constant 'k'", "shape", "null");
    REFUSES(CONSTANT("\"type\":\"int8\",\"values\":[128]"), "constant 'k'", "values", "128", "127");
    REFUSES(CONSTANT("\"type\":\"int8\",\"values\":[1.0]"), "constant 'k'", "values", "integer");
    REFUSES(CONSTANT("\"shape\":[3],\"values\":[1,2]"), "constant 'k'", "values", "2", "[3]");
    REFUSES(CONSTANT("\"shape\":[4294967296,4294967296],\"values\":[]"), "constant 'k'", "values");
    REFUSES(CONSTANT("\"values\":[1e39]"), "constant 'k'", "float32");
    REFUSES(CONSTANT("\"type\":\"float16\",\"values\":[1]"), "constant 'k'", "float16");
}

static void refuses_bad_layers(void **state)
{
    (void)state;
    REFUSES(LAYERS("1"), "layer 0", "object");
    REFUSES(LAYERS("{\"name\":\"c\"}"), "layer 'c'", "type");
    REFUSES(LAYERS("{\"type\":3}"), "layer 0", "type", "an integer", "a string");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"kernal\":3}"), "layer 'c'", "'kernal'",
            "did you mean 'kernel'?");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"form\":\"x\"}"), "'form'", "'from'");
    REFUSES(LAYERS("{\"name\":\"r\",\"type\":\"Reshape\",\"shap\":[1]}"), "'shap'", "'shape'");
    REFUSES(LAYERS("{\"name\":\"r\",\"type\":\"Relu\",\"kernel\":3}"), "layer 'r'", "'kernel'",
            "unknown", "Relu");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"kernel\":3,\"kernel_shape\":[3,3]}"),
            "layer 'c'", "'kernel'", "'kernel_shape'");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"pad\":\"sane\"}"), "'pad'", "sane", "same");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"pad\":\"same\",\"auto_pad\":\"VALID\"}"),
            "'pad'", "auto_pad");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"kernel\":\"3\"}"), "'kernel'", "a string");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"kernel\":[3,2.5]}"), "'kernel'", "real");
    REFUSES(LAYERS("{\"name\":\"c\",\"type\":\"Conv\",\"filters\":null}"), "'filters'", "null");
    REFUSES(LAYERS("{\"name\":\"l\",\"type\":\"LeakyRelu\",\"alpha\":1e300}"), "'alpha'", "float32");
    REFUSES(LAYERS("{\"name\":\"m\",\"type\":\"Mystery\",\"o\":{}}"), "layer 'm'", "'o'", "object");
    REFUSES(LAYERS("{\"name\":\"m\",\"type\":\"Mystery\",\"o\":[1,\"a\"]}"), "'o'", "a string");
    REFUSES(LAYERS("{\"name\":\"m\",\"type\":\"Abs\",\"from\":[1]}"), "'from'", "an integer");
    REFUSES(LAYERS("{\"name\":\"m\",\"type\":\"Abs\",\"outputs\":[]}"), "'outputs'", "empty");
    REFUSES(LAYERS("{\"name\":\"r\",\"type\":\"Reshape\",\"from\":[\"x\",\"x\"],\"shape\":[1]}"),
            "'shape'", "input 1", "from");
    REFUSES(LAYERS("{\"name\":\"r\",\"type\":\"Clip\",\"min\":[1,2]}"), "'min'", "one number");
    REFUSES("{\"rfield\":1,\"inputs\":[],\"layers\":[{\"type\":\"Reshape\",\"shape\":[1]}]}",
            "layer 'Reshape_0'", "from");
}

static void shows_long_names_in_part(void **state)
{
    (void)state;
    char text[2048], name[1024];
    memset(name, 'a', 63);
    for (size_t i = 63; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    name[sizeof name - 1 - (sizeof name - 64) % 2] = '\0';
    snprintf(text, sizeof text, LAYERS("{\"name\":\"%s\",\"type\":\"Conv\",\"kernal\":3}"), name);
    REFUSES(text, "'kernal'", "'kernel'", "aaa':");
}

/* ---- Limits --------------------------------------------------------------------------------- */

static rf_status load_within(const char *text, const rf_load_options *options)
{
    const rf_network *network;
    rf_error error = {.message = ""};
    rf_status status = rf_network_load_json(text, strlen(text), options, &network, &error);
    rf_network_free(network);
    return status;
}

static void keeps_to_limits(void **state)
{
    (void)state;
    const char *text = LAYERS("{\"type\":\"Conv\",\"kernel\":[1,1]},{\"type\":\"Relu\"}");
    rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
    options.limits.nesting = 4;
    assert_int_equal(load_within(text, &options), RF_OK);
    options.limits.nesting = 3;
    assert_int_equal(load_within(text, &options), RF_ERROR_LIMIT);
    options = (rf_load_options)RF_LOAD_OPTIONS_DEFAULT;
    options.limits.layers = 1;
    assert_int_equal(load_within(text, &options), RF_ERROR_LIMIT);
    options.limits.layers = 2;
    assert_int_equal(load_within(text, &options), RF_OK);
    options.limits.tensors = 2;
    assert_int_equal(load_within(text, &options), RF_ERROR_LIMIT);
    options = (rf_load_options)RF_LOAD_OPTIONS_DEFAULT;
    options.limits.memory_bytes = 1000;
    assert_int_equal(load_within(text, &options), RF_ERROR_LIMIT);
}

static void bounds_nesting_whatever_the_limit(void **state)
{
    (void)state;
    enum { DEPTH = 1 << 20 };
    char *text = malloc(DEPTH + 1);
    assert_non_null(text);
    memset(text, '[', DEPTH);
    text[DEPTH] = '\0';
    rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
    assert_int_equal(load_within(text, &options), RF_ERROR_LIMIT);
    options.limits.nesting = UINT32_MAX;
    assert_int_equal(load_within(text, &options), RF_ERROR_LIMIT);
    free(text);
}

/* An allocator that gives a number of blocks and then no more. */
static void *give_some(void *context, size_t bytes)
{
    size_t *left = context;
    if (*left == 0)
        return NULL;
    --*left;
    return malloc(bytes);
}

static void take_back(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

static void survives_want_of_memory(void **state)
{
    (void)state;
    enum { LAYER_COUNT = 2000 };
    static const char layer[] = ",{\"type\":\"Reshape\",\"shape\":[0,-1]}";
    char *text = malloc(LAYER_COUNT * sizeof layer + 200);
    assert_non_null(text);
    char *end = text + sprintf(text, "{\"rfield\":1,\"inputs\":[{\"name\":\"x\",\"shape\":[1]}],"
                                     "\"layers\":[{\"type\":\"Relu\"}");
    for (size_t i = 0; i < LAYER_COUNT; i++)
        end += sprintf(end, "%s", layer);
    strcpy(end, "]}");
    rf_status status = RF_ERROR_MEMORY;
    for (size_t blocks = 0; status == RF_ERROR_MEMORY; blocks++) {
        size_t left = blocks;
        const rf_allocator allocator = {give_some, take_back, &left};
        rf_load_options options = RF_LOAD_OPTIONS_DEFAULT;
        options.allocator = &allocator;
        status = load_within(text, &options);
        assert_true(blocks > 0 || status == RF_ERROR_MEMORY);
    }
    assert_int_equal(status, RF_OK);
    free(text);
}

/* ---- Hostile texts -------------------------------------------------------------------------- */

static const char every_form[] =
    "{\"rfield\":1,\"name\":\"\\u00e9\",\"opset\":21,\"inputs\":[{\"name\":\"x\","
    "\"shape\":[\"N\",3,null,8]}],\"outputs\":[\"c\"],\"constants\":[{\"name\":\"w\","
    "\"type\":\"float32\",\"shape\":[2],\"values\":[1.5,-2]}],\"layers\":[{\"name\":\"a\","
    "\"type\":\"Conv\",\"filters\":4,\"kernel\":[3,3],\"pad\":1},{\"type\":\"Reshape\","
    "\"from\":[\"a\"],\"shape\":[0,-1]},{\"name\":\"c\",\"type\":\"Q\",\"v\":[\"s\"]}]}";

/* The bytes end where the allocation does, so that a reader past them is caught. */
static rf_status load_exactly(const char *text, size_t bytes)
{
    char *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    const rf_network *network = NULL;
    rf_error error = {.message = ""};
    rf_status status = rf_network_load_json(copy, bytes, NULL, &network, &error);
    free(copy);
    assert_int_equal(status == RF_OK, network != NULL);
    assert_int_equal(status == RF_OK, error.message[0] == '\0');
    rf_network_free(network);
    return status;
}

static void refuses_every_truncation(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < sizeof every_form - 1; bytes++)
        assert_int_equal(load_exactly(every_form, bytes), RF_ERROR_FORMAT);
    assert_int_equal(load_exactly(every_form, sizeof every_form - 1), RF_OK);
}

static void survives_mutations(void **state)
{
    (void)state;
    static const char bytes[] = "{}[]\",:\\0-9.en tx\1\x7f\xff";
    char text[sizeof every_form];
    for (size_t at = 0; at < sizeof every_form - 1; at++)
        for (size_t b = 0; b < sizeof bytes; b++) {
            memcpy(text, every_form, sizeof text);
            text[at] = bytes[b];
            rf_status status = load_exactly(text, sizeof text - 1);
            assert_true(status == RF_OK || status == RF_ERROR_FORMAT);
        }
}

static void refuses_null_arguments(void **state)
{
    (void)state;
    const rf_network *network;
    assert_int_equal(rf_network_load_json(NULL, 0, NULL, &network, NULL), RF_ERROR_ARGUMENT);
    assert_null(network);
    assert_int_equal(rf_network_load_json("{}", 2, NULL, NULL, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_network_load_json("{}", 2, NULL, &network, NULL), RF_ERROR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_frame),
        cmocka_unit_test(spreads_numbers_over_axes),
        cmocka_unit_test(takes_axes_from_the_input),
        cmocka_unit_test(pads_automatically),
        cmocka_unit_test(gives_attributes_their_types),
        cmocka_unit_test(reads_constants),
        cmocka_unit_test(turns_keys_into_inputs),
        cmocka_unit_test(keeps_attributes_of_old_operator_sets),
        cmocka_unit_test(resolves_layers_to_their_tensors),
        cmocka_unit_test(analyses_the_two_blocks),
        cmocka_unit_test(gives_carried_inputs_their_meaning),
        cmocka_unit_test(counts_the_examples),
        cmocka_unit_test(tells_where_the_syntax_breaks),
        cmocka_unit_test(refuses_what_is_no_network),
        cmocka_unit_test(refuses_bad_tensors),
        cmocka_unit_test(refuses_bad_layers),
        cmocka_unit_test(shows_long_names_in_part),
        cmocka_unit_test(keeps_to_limits),
        cmocka_unit_test(bounds_nesting_whatever_the_limit),
        cmocka_unit_test(survives_want_of_memory),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_mutations),
        cmocka_unit_test(refuses_null_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
