/* SPDX-License-Identifier: MIT */
#include "readers/onnx_graph.h"

#include <inttypes.h>

#include "onnx.pb.h"
#include "readers/onnx_node.h"
#include "readers/onnx_tensor.h"
#include "readers/onnx_value.h"

/* The repeated fields of a graph. */
typedef struct graph_fields {
    rf_onnx_field nodes, constants, inputs, outputs, declared, sparse, name;
} graph_fields;

/* The network's arrays while they are filled. */
typedef struct graph_build {
    rf_layer *next_layer;
    rf_tensor *constants, *inputs, *outputs, *declared;
    rf_onnx_value_kind *kinds; /* of the inputs */
    size_t constant_count, input_count, output_count, declared_count;
} graph_build;

static rf_status decode_graph(rf_onnx_reader *reader, rf_onnx_bytes bytes, graph_fields *fields)
{
    rf_onnx_GraphProto message = {
        .node = rf_onnx_locate(&fields->nodes),
        .name = rf_onnx_locate(&fields->name),
        .initializer = rf_onnx_locate(&fields->constants),
        .input = rf_onnx_locate(&fields->inputs),
        .output = rf_onnx_locate(&fields->outputs),
        .value_info = rf_onnx_locate(&fields->declared),
        .sparse_initializer = rf_onnx_locate(&fields->sparse),
    };
    return rf_onnx_decode(reader, "the graph", bytes, rf_onnx_GraphProto_fields, &message);
}

static rf_status check_counts(const rf_onnx_reader *reader, const graph_fields *fields)
{
    const rf_limits *limits = &reader->owner->limits;
    /* Each took a byte of the file at least, so that the sum fits. */
    uint64_t tensors = (uint64_t)fields->constants.count + fields->inputs.count
                       + fields->outputs.count + fields->declared.count;
    if (fields->sparse.count)
        return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, NULL,
                       "the model has sparse initializers, which are not supported");
    if (fields->nodes.count > limits->layers)
        return rf_fail(reader->error, RF_ERROR_LIMIT, "layers",
                       "the model has %zu nodes; the limit layers = %" PRIu64,
                       fields->nodes.count, limits->layers);
    if (tensors > limits->tensors)
        return rf_fail(reader->error, RF_ERROR_LIMIT, "tensors",
                       "the model has %" PRIu64 " tensors; the limit tensors = %" PRIu64, tensors,
                       limits->tensors);
    return RF_OK;
}

static rf_status take_tensors(rf_onnx_reader *reader, const rf_onnx_field *field,
                              rf_tensor **tensors)
{
    void *memory;
    RF_TRY(rf_onnx_take(reader, field->count, sizeof(rf_tensor), &memory));
    *tensors = memory;
    return RF_OK;
}

static rf_status take_arrays(rf_onnx_reader *reader, const graph_fields *fields,
                             graph_build *build)
{
    void *layers, *kinds;
    RF_TRY(rf_onnx_take(reader, fields->nodes.count, sizeof(rf_layer), &layers));
    RF_TRY(rf_onnx_take(reader, fields->inputs.count, sizeof *build->kinds, &kinds));
    RF_TRY(take_tensors(reader, &fields->constants, &build->constants));
    RF_TRY(take_tensors(reader, &fields->inputs, &build->inputs));
    RF_TRY(take_tensors(reader, &fields->outputs, &build->outputs));
    RF_TRY(take_tensors(reader, &fields->declared, &build->declared));
    build->next_layer = layers;
    build->kinds = kinds;
    return RF_OK;
}

static rf_status take_node(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    graph_build *build = context;
    return rf_onnx_node(reader, bytes, build->next_layer++);
}

static rf_status take_constant(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    graph_build *build = context;
    return rf_onnx_tensor(reader, bytes, NULL, &build->constants[build->constant_count++]);
}

static rf_status take_input(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    graph_build *build = context;
    size_t i = build->input_count++;
    return rf_onnx_value(reader, bytes, &build->inputs[i], &build->kinds[i]);
}

/* An output that is no tensor stays untyped: whether it is needed is for its layer to say. */
static rf_status take_output(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    graph_build *build = context;
    rf_onnx_value_kind kind;
    return rf_onnx_value(reader, bytes, &build->outputs[build->output_count++], &kind);
}

static rf_status take_declared(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    graph_build *build = context;
    rf_onnx_value_kind kind;
    RF_TRY(rf_onnx_value(reader, bytes, &build->declared[build->declared_count], &kind));
    build->declared_count += kind == RF_ONNX_TENSOR;
    return RF_OK;
}

static void take_with(rf_onnx_field *field, graph_build *build,
                      rf_status (*take)(rf_onnx_reader *, rf_onnx_bytes, void *))
{
    *field = (rf_onnx_field){
        .reader = field->reader, .take = take, .context = build, .room = field->count};
}

static rf_status fill(rf_onnx_reader *reader, rf_onnx_bytes bytes, graph_fields fields,
                      graph_build *build)
{
    take_with(&fields.nodes, build, take_node);
    take_with(&fields.constants, build, take_constant);
    take_with(&fields.inputs, build, take_input);
    take_with(&fields.outputs, build, take_output);
    take_with(&fields.declared, build, take_declared);
    return decode_graph(reader, bytes, &fields);
}

/* Until IR version 4 every initializer had to be listed among the inputs, and still may be, which
 * makes it a default that a caller could replace. Here it is a constant. */
static rf_status drop_constants(rf_onnx_reader *reader, graph_build *build)
{
    rf_names constants;
    uint32_t present;
    if (!rf_names_init(&constants, &reader->owner->arena, build->constant_count))
        return rf_network_owner_no_memory(reader->owner, reader->error);
    for (size_t i = 0; i < build->constant_count; i++)
        rf_names_add(&constants, build->constants[i].name, 0, &present);
    size_t kept = 0;
    for (size_t i = 0; i < build->input_count; i++) {
        const rf_tensor *input = &build->inputs[i];
        if (rf_names_find(&constants, input->name) != RF_NO_NUMBER)
            continue;
        if (build->kinds[i] == RF_ONNX_OTHER)
            return rf_fail(reader->error, RF_ERROR_UNSUPPORTED, input->name,
                           "input '%.80s' is not a tensor of a supported element type",
                           input->name);
        build->inputs[kept++] = *input;
    }
    build->input_count = kept;
    return RF_OK;
}

rf_status rf_onnx_graph(rf_onnx_reader *reader, rf_onnx_bytes bytes)
{
    rf_onnx_field none = {.reader = reader};
    graph_fields fields = {none, none, none, none, none, none, none};
    graph_build build = {.input_count = 0};
    RF_TRY(decode_graph(reader, bytes, &fields));
    RF_TRY(check_counts(reader, &fields));
    RF_TRY(take_arrays(reader, &fields, &build));
    rf_network network = {.layers = build.next_layer, .layer_count = fields.nodes.count};
    if (fields.name.last.count)
        RF_TRY(rf_onnx_text(reader, "name of the graph", fields.name.last, &network.name));
    RF_TRY(fill(reader, bytes, fields, &build));
    RF_TRY(drop_constants(reader, &build));
    network.constants = build.constants;
    network.constant_count = build.constant_count;
    network.inputs = build.inputs;
    network.input_count = build.input_count;
    network.outputs = build.outputs;
    network.output_count = build.output_count;
    network.declared = build.declared;
    network.declared_count = build.declared_count;
    reader->owner->network = network;
    return RF_OK;
}
