/* SPDX-License-Identifier: MIT */
#include "random_network.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTRIBUTES = 12, MAX_INTS = 64, MAX_NAMES = 8, MAX_CONSTANTS = 4 };

/* What one layer of the description needs room for. */
typedef struct layer_room {
    rf_attribute attributes[MAX_ATTRIBUTES];
    int attribute_count;
    int64_t ints[MAX_INTS];
    int int_count;
    float floats[RN_MAX_RANK];
    const char *inputs[MAX_NAMES], *outputs[MAX_NAMES];
    int input_count;
    char constant_names[MAX_CONSTANTS][16];
    int constant_count;
} layer_room;

struct rn_description {
    rf_network network;
    rf_tensor inputs[RN_MAX_TENSORS], outputs[RN_MAX_TENSORS];
    rf_tensor constants[RN_MAX_NODES * MAX_CONSTANTS];
    rf_layer layers[RN_MAX_NODES];
    layer_room rooms[RN_MAX_NODES];
};

static const char *const types[] = {
    [RN_CONV] = "Conv",
    [RN_CONV_TRANSPOSE] = "ConvTranspose",
    [RN_MAX_POOL] = "MaxPool",
    [RN_AVERAGE_POOL] = "AveragePool",
    [RN_RELU] = "Relu",
    [RN_ADD] = "Add",
    [RN_MUL] = "Mul",
    [RN_CONCAT] = "Concat",
    [RN_RESIZE] = "Resize",
    [RN_PAD] = "Pad",
    [RN_SLICE] = "Slice",
    [RN_SPLIT] = "Split",
    [RN_TRANSPOSE] = "Transpose",
    [RN_GLOBAL_POOL] = "GlobalAveragePool",
    [RN_FLATTEN] = "Flatten",
    [RN_GEMM] = "Gemm",
    [RN_DEPTH_TO_SPACE] = "DepthToSpace",
    [RN_SPACE_TO_DEPTH] = "SpaceToDepth",
    [RN_RESHAPE] = "Reshape",
};

const char *rn_type(rn_kind kind)
{
    return types[kind];
}

uint64_t rn_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? (uint64_t)strtoull(text, NULL, 0) : fallback;
}

/* ---- Attributes and constants ------------------------------------------------------------- */

static void put_int(layer_room *room, const char *name, int64_t value)
{
    room->attributes[room->attribute_count++] = (rf_attribute)RF_INT(name, value);
}

static void put_text(layer_room *room, const char *name, const char *value)
{
    room->attributes[room->attribute_count++] = (rf_attribute){
        .name = name, .type = RF_ATTRIBUTE_STRING, .count = strlen(value), .value = {.s = value}};
}

static int64_t *take_ints(layer_room *room, int count)
{
    int64_t *ints = &room->ints[room->int_count];
    room->int_count += count;
    return ints;
}

static void put_ints(layer_room *room, const char *name, const int64_t *ints, int count)
{
    room->attributes[room->attribute_count++] = (rf_attribute){
        .name = name, .type = RF_ATTRIBUTE_INTS, .count = (size_t)count, .value = {.ints = ints}};
}

/* `values`, one a spatial axis; left out now and then where all are the default. */
static void put_axes(rn_network *net, layer_room *room, const char *name, const int *values,
                     int count, int fallback)
{
    bool plain = fallback >= 0;
    int64_t *ints = take_ints(room, count);
    for (int a = 0; a < count; a++) {
        ints[a] = values[a];
        plain = plain && values[a] == fallback;
    }
    if (!plain || rn_random(net, 2))
        put_ints(room, name, ints, count);
}

/* A one-dimensional constant that becomes the layer's next input. */
static void put_constant(rn_description *d, layer_room *room, rf_dtype dtype, const void *data,
                         int count)
{
    char *name = room->constant_names[room->constant_count];
    snprintf(name, sizeof room->constant_names[0], "k%d_%d", (int)(room - d->rooms) % 1000,
             room->constant_count % 10);
    room->constant_count++;
    size_t element = dtype == RF_FLOAT32 ? sizeof(float) : sizeof(int64_t);
    d->constants[d->network.constant_count++] =
        (rf_tensor){.name = name,
                    .dtype = dtype,
                    .shape = RF_SHAPE(count),
                    .data = data,
                    .data_bytes = (size_t)count * element};
    room->inputs[room->input_count++] = name;
}

/* ---- Operators ---------------------------------------------------------------------------- */

static void describe_window(rn_network *net, const rn_node *node, layer_room *room)
{
    int axes = net->spatial;
    put_axes(net, room, "kernel_shape", node->kernel, axes, -1);
    put_axes(net, room, "strides", node->stride, axes, 1);
    put_axes(net, room, "dilations", node->dilation, axes, 1);
    int pads[2 * RN_MAX_SPATIAL];
    memcpy(pads, node->pad_begin, (size_t)axes * sizeof *pads);
    memcpy(pads + axes, node->pad_end, (size_t)axes * sizeof *pads);
    put_axes(net, room, "pads", pads, 2 * axes, 0);
    if (node->kind == RN_CONV_TRANSPOSE)
        put_axes(net, room, "output_padding", node->output_padding, axes, 0);
    if (node->ceil_mode)
        put_int(room, "ceil_mode", 1);
}

static void describe_weights(const rn_node *node, layer_room *room)
{
    put_int(room, "filters", node->filters);
    if (!node->bias)
        put_int(room, "bias", 0);
    if (node->groups > 1)
        put_int(room, "group", node->groups);
}

static void describe_slice(rn_network *net, const rn_node *node, rn_description *d,
                           layer_room *room)
{
    const rn_tensor *in = &net->tensors[node->inputs[0]], *out = &net->tensors[node->outputs[0]];
    int64_t *starts = take_ints(room, in->rank), *ends = take_ints(room, in->rank);
    int64_t *axes = take_ints(room, in->rank), *steps = take_ints(room, in->rank);
    for (int a = 0; a < in->rank; a++) {
        int64_t last = node->start[a] + (int64_t)(out->dims[a] - 1) * node->step[a];
        starts[a] = node->start[a];
        steps[a] = node->step[a];
        axes[a] = a;
        ends[a] = steps[a] > 0 ? last + 1 : last == 0 ? INT64_MIN : last - 1;
        if (steps[a] > 0 && last + 1 == in->dims[a])
            ends[a] = INT64_MAX;
        if (out->dims[a] == 1 && ends[a] <= last + 1)
            steps[a] = 1 + rn_random(net, 3);
    }
    put_constant(d, room, RF_INT64, starts, in->rank);
    put_constant(d, room, RF_INT64, ends, in->rank);
    put_constant(d, room, RF_INT64, axes, in->rank);
    put_constant(d, room, RF_INT64, steps, in->rank);
}

static void describe_pad(const rn_network *net, const rn_node *node, rn_description *d,
                         layer_room *room)
{
    static const char *const modes[] = {"constant", "edge", "reflect"};
    int rank = net->tensors[node->inputs[0]].rank;
    int64_t *pads = take_ints(room, 2 * rank);
    for (int a = 0; a < rank; a++) {
        pads[a] = node->before[a];
        pads[rank + a] = node->after[a];
    }
    put_constant(d, room, RF_INT64, pads, 2 * rank);
    put_text(room, "mode", modes[node->border]);
}

static void describe_resize(const rn_network *net, const rn_node *node, rn_description *d,
                            layer_room *room)
{
    int rank = net->tensors[node->inputs[0]].rank;
    for (int a = 0; a < rank; a++)
        room->floats[a] = (float)node->scale[a];
    room->inputs[room->input_count++] = "";
    put_constant(d, room, RF_FLOAT32, room->floats, rank);
}

static void describe_reshape(const rn_network *net, const rn_node *node, rn_description *d,
                             layer_room *room)
{
    const rn_tensor *out = &net->tensors[node->outputs[0]];
    int64_t *shape = take_ints(room, out->rank);
    for (int a = 0; a < out->rank; a++)
        shape[a] = out->dims[a];
    shape[1] = -1;
    put_constant(d, room, RF_INT64, shape, out->rank);
}

static void describe_split(const rn_network *net, const rn_node *node, rn_description *d,
                           layer_room *room)
{
    int64_t *sizes = take_ints(room, node->output_count);
    for (int k = 0; k < node->output_count; k++)
        sizes[k] = net->tensors[node->outputs[k]].dims[node->axis];
    put_constant(d, room, RF_INT64, sizes, node->output_count);
    put_int(room, "axis", node->axis);
}

static void describe_rest(rn_network *net, const rn_node *node, rn_description *d,
                          layer_room *room)
{
    int rank = net->tensors[node->inputs[0]].rank;
    int64_t *ints = take_ints(room, rank);
    switch (node->kind) {
    case RN_CONCAT:
        put_int(room, "axis", rn_random(net, 2) ? node->axis : node->axis - rank);
        break;
    case RN_TRANSPOSE:
        for (int a = 0; a < rank; a++)
            ints[a] = node->permutation[a];
        put_ints(room, "perm", ints, rank);
        break;
    case RN_DEPTH_TO_SPACE:
    case RN_SPACE_TO_DEPTH:
        put_int(room, "blocksize", node->block);
        if (node->column_major)
            put_text(room, "mode", "CRD");
        break;
    case RN_RESIZE: describe_resize(net, node, d, room); break;
    case RN_PAD: describe_pad(net, node, d, room); break;
    case RN_SLICE: describe_slice(net, node, d, room); break;
    case RN_SPLIT: describe_split(net, node, d, room); break;
    case RN_RESHAPE: describe_reshape(net, node, d, room); break;
    default: break;
    }
}

static void describe_node(rn_network *net, int index, rn_description *d)
{
    const rn_node *node = &net->nodes[index];
    layer_room *room = &d->rooms[index];
    rf_layer *layer = &d->layers[index];
    for (int k = 0; k < node->input_count; k++)
        room->inputs[room->input_count++] = net->tensors[node->inputs[k]].name;
    if (node->kind <= RN_AVERAGE_POOL)
        describe_window(net, node, room);
    if (node->kind == RN_CONV || node->kind == RN_CONV_TRANSPOSE || node->kind == RN_GEMM)
        describe_weights(node, room);
    describe_rest(net, node, d, room);
    for (int k = 0; k < node->output_count; k++)
        room->outputs[k] = net->tensors[node->outputs[k]].name;
    *layer = (rf_layer){.type = rn_type(node->kind),
                        .inputs = room->inputs,
                        .outputs = room->outputs,
                        .attributes = room->attributes};
}

/* ---- The whole ---------------------------------------------------------------------------- */

/* Makes use of the defaults of rf_layer where they say the same. */
static void shorten(rn_network *net, rn_description *d)
{
    for (int k = 0; k < net->node_count; k++) {
        rf_layer *layer = &d->layers[k];
        const rn_node *node = &net->nodes[k];
        int before = k ? net->nodes[k - 1].outputs[0] : 0;
        if (d->rooms[k].input_count == 1 && node->inputs[0] == before && rn_random(net, 2))
            layer->inputs = NULL;
        if (node->output_count == 1 && rn_random(net, 2)) {
            layer->name = layer->outputs[0];
            layer->outputs = NULL;
        }
    }
}

static void shuffle(rn_network *net, rn_description *d)
{
    for (int k = net->node_count - 1; k > 0; k--) {
        int other = rn_random(net, k + 1);
        rf_layer layer = d->layers[k];
        d->layers[k] = d->layers[other];
        d->layers[other] = layer;
    }
}

static bool is_read(const rn_network *net, int tensor)
{
    for (int n = 0; n < net->node_count; n++)
        for (int k = 0; k < net->nodes[n].input_count; k++)
            if (net->nodes[n].inputs[k] == tensor)
                return true;
    return false;
}

static rf_tensor declare(const rn_tensor *tensor)
{
    rf_tensor declared = {.name = tensor->name, .dtype = RF_FLOAT32};
    declared.shape.rank = tensor->rank;
    for (int a = 0; a < tensor->rank; a++)
        declared.shape.dims[a] = tensor->dims[a];
    return declared;
}

static void declare_outputs(const rn_network *net, rn_description *d)
{
    for (int t = net->input_count; t < net->tensor_count; t++)
        if (!is_read(net, t))
            d->outputs[d->network.output_count++] = declare(&net->tensors[t]);
    d->network.outputs = d->outputs;
}

rn_description *rn_describe(rn_network *net)
{
    rn_description *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    for (int k = 0; k < net->input_count; k++)
        d->inputs[k] = declare(&net->tensors[k]);
    for (int k = 0; k < net->node_count; k++)
        describe_node(net, k, d);
    if (rn_random(net, 3))
        shorten(net, d);
    else
        shuffle(net, d);
    if (rn_random(net, 2))
        declare_outputs(net, d);
    d->network.name = "random";
    d->network.inputs = d->inputs;
    d->network.input_count = (size_t)net->input_count;
    d->network.constants = d->constants;
    d->network.layers = d->layers;
    d->network.layer_count = (size_t)net->node_count;
    return d;
}

const rf_network *rn_description_network(const rn_description *description)
{
    return &description->network;
}

void rn_description_free(rn_description *description)
{
    free(description);
}

/* ---- Printing ----------------------------------------------------------------------------- */

static void print_list(FILE *file, const char *name, const int *values, int count)
{
    fprintf(file, " %s=", name);
    for (int a = 0; a < count; a++)
        fprintf(file, "%s%d", a ? "," : "", values[a]);
}

static void print_tensor(const rn_network *net, int index, FILE *file)
{
    const rn_tensor *tensor = &net->tensors[index];
    fprintf(file, " %s[", tensor->name);
    for (int a = 0; a < tensor->rank; a++)
        fprintf(file, "%s%d", a ? "," : "", tensor->dims[a]);
    fputs("]", file);
}

static void print_attributes(const rn_network *net, const rn_node *node, FILE *file)
{
    int rank = net->tensors[node->inputs[0]].rank;
    if (node->kind <= RN_AVERAGE_POOL) {
        print_list(file, "kernel", node->kernel, net->spatial);
        print_list(file, "stride", node->stride, net->spatial);
        print_list(file, "dilation", node->dilation, net->spatial);
        print_list(file, "begin", node->pad_begin, net->spatial);
        print_list(file, "end", node->pad_end, net->spatial);
        print_list(file, "output_padding", node->output_padding, net->spatial);
        fprintf(file, " groups=%d bias=%d ceil=%d", node->groups, node->bias, node->ceil_mode);
    }
    switch (node->kind) {
    case RN_PAD:
        print_list(file, "before", node->before, rank);
        print_list(file, "after", node->after, rank);
        fprintf(file, " border=%d", (int)node->border);
        break;
    case RN_SLICE:
        print_list(file, "start", node->start, rank);
        print_list(file, "step", node->step, rank);
        break;
    case RN_TRANSPOSE: print_list(file, "perm", node->permutation, rank); break;
    case RN_RESIZE: print_list(file, "scale", node->scale, rank); break;
    case RN_CONCAT:
    case RN_SPLIT: fprintf(file, " axis=%d", node->axis); break;
    case RN_DEPTH_TO_SPACE: fprintf(file, " crd=%d", node->column_major); break;
    default: break;
    }
}

static void mark_ancestors(const rn_network *net, int last, bool *wanted)
{
    wanted[last] = true;
    for (int n = last; n >= 0; n--)
        for (int k = 0; wanted[n] && k < net->nodes[n].input_count; k++) {
            int producer = net->tensors[net->nodes[n].inputs[k]].producer;
            if (producer >= 0)
                wanted[producer] = true;
        }
}

void rn_print(const rn_network *net, int last, FILE *file)
{
    bool wanted[RN_MAX_NODES] = {false};
    mark_ancestors(net, last, wanted);
    fprintf(file, "network of RF_SEED=%" PRIu64 " RF_CASES=1\n", net->seed);
    for (int n = 0; n <= last; n++) {
        const rn_node *node = &net->nodes[n];
        if (!wanted[n])
            continue;
        fprintf(file, "  %s", rn_type(node->kind));
        for (int k = 0; k < node->input_count; k++)
            print_tensor(net, node->inputs[k], file);
        fputs(" ->", file);
        for (int k = 0; k < node->output_count; k++)
            print_tensor(net, node->outputs[k], file);
        print_attributes(net, node, file);
        fputc('\n', file);
    }
}
