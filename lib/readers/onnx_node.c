/* SPDX-License-Identifier: MIT */
#include "readers/onnx_node.h"

#include "onnx.pb.h"
#include "readers/onnx_attribute.h"

/* The arrays of a layer while they are filled. */
typedef struct layer_build {
    const char *title; /* what errors call the node */
    const char **next_input, **next_output;
    rf_attribute *next_attribute;
} layer_build;

static rf_status take_input(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    layer_build *build = context;
    return rf_onnx_text(reader, "input of a node", bytes, build->next_input++);
}

static rf_status take_output(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    layer_build *build = context;
    return rf_onnx_text(reader, "output of a node", bytes, build->next_output++);
}

static rf_status take_attribute(rf_onnx_reader *reader, rf_onnx_bytes bytes, void *context)
{
    layer_build *build = context;
    return rf_onnx_attribute(reader, bytes, build->title, build->next_attribute++);
}

/* The zeroed element after the last ends each array. */
static rf_status take_arrays(rf_onnx_reader *reader, size_t inputs, size_t outputs,
                             size_t attributes, layer_build *build, rf_layer *layer)
{
    void *input, *output, *attribute;
    RF_TRY(rf_onnx_take(reader, inputs + 1, sizeof(const char *), &input));
    RF_TRY(rf_onnx_take(reader, outputs + 1, sizeof(const char *), &output));
    layer->inputs = build->next_input = input;
    layer->outputs = build->next_output = output;
    if (!attributes)
        return RF_OK;
    RF_TRY(rf_onnx_take(reader, attributes + 1, sizeof(rf_attribute), &attribute));
    layer->attributes = build->next_attribute = attribute;
    return RF_OK;
}

static rf_status take_names(rf_onnx_reader *reader, rf_onnx_bytes name, rf_onnx_bytes type,
                            rf_onnx_bytes domain, rf_layer *layer)
{
    if (name.count)
        RF_TRY(rf_onnx_text(reader, "name of a node", name, &layer->name));
    if (domain.count && !rf_onnx_equal(domain, "ai.onnx"))
        RF_TRY(rf_onnx_text(reader, "domain of a node", domain, &layer->domain));
    return rf_onnx_text(reader, "operator of a node", type, &layer->type);
}

rf_status rf_onnx_node(rf_onnx_reader *reader, rf_onnx_bytes bytes, rf_layer *layer)
{
    rf_onnx_field none = {.reader = reader}, name = none, type = none, domain = none;
    rf_onnx_field inputs = none, outputs = none, attributes = none;
    rf_onnx_NodeProto message = {
        .input = rf_onnx_locate(&inputs),
        .output = rf_onnx_locate(&outputs),
        .name = rf_onnx_locate(&name),
        .op_type = rf_onnx_locate(&type),
        .attribute = rf_onnx_locate(&attributes),
        .domain = rf_onnx_locate(&domain),
    };
    RF_TRY(rf_onnx_decode(reader, "a node", bytes, rf_onnx_NodeProto_fields, &message));
    RF_TRY(take_names(reader, name.last, type.last, domain.last, layer));
    layer_build build = {.title = layer->name ? layer->name : layer->type};
    if (!*layer->type)
        return rf_fail(reader->error, RF_ERROR_FORMAT, layer->name,
                       "not an ONNX model: node '%.80s' at byte %zu has no operator", build.title,
                       (size_t)(bytes.at - reader->model.at));
    RF_TRY(take_arrays(reader, inputs.count, outputs.count, attributes.count, &build, layer));

    inputs = (rf_onnx_field){.reader = reader, .take = take_input, .context = &build,
                             .room = inputs.count};
    outputs = (rf_onnx_field){.reader = reader, .take = take_output, .context = &build,
                              .room = outputs.count};
    attributes = (rf_onnx_field){.reader = reader, .take = take_attribute, .context = &build,
                                 .room = attributes.count};
    message = (rf_onnx_NodeProto){
        .input = rf_onnx_locate(&inputs),
        .output = rf_onnx_locate(&outputs),
        .attribute = rf_onnx_locate(&attributes),
    };
    return rf_onnx_decode(reader, "a node", bytes, rf_onnx_NodeProto_fields, &message);
}
