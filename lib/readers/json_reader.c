/* SPDX-License-Identifier: MIT */
/*
 * rfield's own format, docs/json.md: JSON that is pleasant to write by hand.
 *
 * Everything is copied out of the parsed text. Names are resolved in a pass of
 * their own, because layers may come in any order.
 */
#include <rfield/readers.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "readers/json_attributes.h"
#include "readers/json_text.h"

enum { FORMAT_VERSION = 1 };

/* A network under construction. */
typedef struct network_builder {
    rf_json_reader reader;
    rf_network_owner *owner;
    json_t *root;
    rf_tensor *inputs;
    rf_layer *layers;
    rf_tensor *constants;
    size_t constant_count, constant_capacity;
    rf_names names;       /* of tensors, and of layers where no tensor has the name */
    const char **tensors; /* the tensor meant by each name, by its number */
    size_t tensor_count;
} network_builder;

#define BUILDER_TAKE(builder, type, count) RF_TAKE(&(builder)->owner->arena, type, count)

static void enter(network_builder *builder, const char *kind, size_t index, const char *name)
{
    builder->reader.kind = kind;
    builder->reader.index = index;
    builder->reader.name = name;
}

static rf_status check_count(const network_builder *builder, const char *what, size_t count,
                             uint64_t limit)
{
    if (count <= limit)
        return RF_OK;
    return rf_fail(builder->reader.error, RF_ERROR_LIMIT, what,
                   "the network has %zu %s; the limit is %" PRIu64, count, what, limit);
}

/* ---- Inputs and constants --------------------------------------------------------------- */

static rf_status read_tensor_name(network_builder *builder, const char *kind, size_t index,
                                  json_t *object, const char *const *keys, const char **name)
{
    json_t *value;
    enter(builder, kind, index, NULL);
    RF_TRY(rf_json_check_object(&builder->reader, object, keys));
    RF_TRY(rf_json_require(&builder->reader, object, "name", &value));
    RF_TRY(rf_json_text(&builder->reader, "name", value, name));
    enter(builder, kind, index, *name);
    return RF_OK;
}

static rf_status read_inputs(network_builder *builder)
{
    static const char *const keys[] = {"name", "shape", "type", "comment", NULL};
    rf_network *network = &builder->owner->network;
    json_t *list;
    enter(builder, NULL, 0, NULL);
    RF_TRY(rf_json_require(&builder->reader, builder->root, "inputs", &list));
    RF_TRY(rf_json_list(&builder->reader, builder->root, "inputs", &list, &network->input_count));
    RF_TRY(check_count(builder, "tensors", network->input_count, builder->owner->limits.tensors));
    builder->inputs = BUILDER_TAKE(builder, rf_tensor, network->input_count);
    if (!builder->inputs)
        return rf_json_no_memory(&builder->reader);
    network->inputs = builder->inputs;
    for (size_t i = 0; i < network->input_count; i++) {
        json_t *object = json_array_get(list, i);
        rf_tensor *input = &builder->inputs[i];
        RF_TRY(read_tensor_name(builder, "input", i, object, keys, &input->name));
        RF_TRY(rf_json_declaration(&builder->reader, object, input));
    }
    return RF_OK;
}

/* Room for one constant more. */
static rf_status add_constant(network_builder *builder, const rf_tensor *constant)
{
    if (builder->constant_count == builder->constant_capacity) {
        size_t capacity = 2 * builder->constant_capacity + 8;
        rf_tensor *grown = BUILDER_TAKE(builder, rf_tensor, capacity);
        if (!grown)
            return rf_json_no_memory(&builder->reader);
        if (builder->constant_count)
            memcpy(grown, builder->constants, builder->constant_count * sizeof *grown);
        builder->constants = grown;
        builder->constant_capacity = capacity;
    }
    builder->constants[builder->constant_count++] = *constant;
    return RF_OK;
}

static rf_status read_constants(network_builder *builder)
{
    static const char *const keys[] = {"name", "type", "shape", "values", "comment", NULL};
    json_t *list;
    size_t count;
    enter(builder, NULL, 0, NULL);
    RF_TRY(rf_json_list(&builder->reader, builder->root, "constants", &list, &count));
    RF_TRY(check_count(builder, "tensors", count, builder->owner->limits.tensors));
    for (size_t i = 0; i < count; i++) {
        json_t *object = json_array_get(list, i);
        rf_tensor constant = {.name = NULL};
        RF_TRY(read_tensor_name(builder, "constant", i, object, keys, &constant.name));
        RF_TRY(rf_json_constant(&builder->reader, object, &constant));
        RF_TRY(add_constant(builder, &constant));
    }
    return RF_OK;
}

/* ---- What layers are called ------------------------------------------------------------- */

/* A string or a list of strings, of which some may be empty; NULL ends what *names receives. */
static rf_status read_names(const network_builder *builder, const char *key, const json_t *value,
                            const char ***names, size_t *count)
{
    bool list = json_is_array(value);
    *count = list ? json_array_size(value) : 1;
    *names = BUILDER_TAKE(builder, const char *, *count + 1);
    if (!*names)
        return rf_json_no_memory(&builder->reader);
    for (size_t i = 0; i < *count; i++) {
        const json_t *name = list ? json_array_get(value, i) : value;
        (*names)[i] = "";
        if (!json_is_string(name))
            return rf_json_expected(&builder->reader, key, name, "a name or a list of names");
        if (json_string_length(name) > 0)
            RF_TRY(rf_json_text(&builder->reader, key, name, &(*names)[i]));
    }
    return RF_OK;
}

static rf_status make_layer_name(network_builder *builder, size_t index, rf_layer *layer)
{
    size_t bytes = strlen(layer->type) + 24;
    char *name = BUILDER_TAKE(builder, char, bytes);
    if (!name)
        return rf_json_no_memory(&builder->reader);
    snprintf(name, bytes, "%s_%zu", layer->type, index);
    layer->name = name;
    return RF_OK;
}

static rf_status read_outputs_of_layer(network_builder *builder, json_t *object, rf_layer *layer)
{
    const json_t *value = json_object_get(object, "outputs");
    if (!value)
        return RF_OK;
    const char **names;
    size_t count;
    RF_TRY(read_names(builder, "outputs", value, &names, &count));
    if (count == 0)
        return rf_json_fail(&builder->reader, "outputs", "is empty; expected a name at least");
    layer->outputs = names;
    return RF_OK;
}

static rf_status read_layer_head(network_builder *builder, size_t index, json_t *object)
{
    rf_layer *layer = &builder->layers[index];
    const json_t *name, *domain;
    json_t *type;
    enter(builder, "layer", index, NULL);
    if (!json_is_object(object))
        return rf_json_fail(&builder->reader, NULL, "is no object; expected an object");
    if ((name = json_object_get(object, "name")))
        RF_TRY(rf_json_text(&builder->reader, "name", name, &layer->name));
    builder->reader.name = layer->name;
    RF_TRY(rf_json_require(&builder->reader, object, "type", &type));
    RF_TRY(rf_json_text(&builder->reader, "type", type, &layer->type));
    if ((domain = json_object_get(object, "domain")))
        RF_TRY(rf_json_text(&builder->reader, "domain", domain, &layer->domain));
    if (!layer->name)
        RF_TRY(make_layer_name(builder, index, layer));
    builder->reader.name = layer->name;
    return read_outputs_of_layer(builder, object, layer);
}

/* The tensor that a layer's name stands for. */
static const char *first_output(const rf_layer *layer)
{
    return layer->outputs ? layer->outputs[0] : layer->name;
}

static size_t count_names(const network_builder *builder)
{
    const rf_network *network = &builder->owner->network;
    size_t count = network->input_count + builder->constant_count + network->layer_count;
    for (size_t i = 0; i < network->layer_count; i++)
        for (const char *const *name = builder->layers[i].outputs; name && *name; name++)
            count++;
    return count;
}

/* Makes `name` stand for `tensor`, unless it stands for another already. */
static rf_status define(network_builder *builder, const char *name, const char *tensor)
{
    uint32_t present;
    if (*tensor == '\0')
        return RF_OK;
    if (!rf_names_add(&builder->names, name, (uint32_t)builder->tensor_count, &present))
        return rf_json_no_memory(&builder->reader);
    if (present == RF_NO_NUMBER)
        builder->tensors[builder->tensor_count++] = tensor;
    return RF_OK;
}

static rf_status define_tensors(network_builder *builder)
{
    const rf_network *network = &builder->owner->network;
    for (size_t i = 0; i < network->input_count; i++)
        RF_TRY(define(builder, builder->inputs[i].name, builder->inputs[i].name));
    for (size_t i = 0; i < builder->constant_count; i++)
        RF_TRY(define(builder, builder->constants[i].name, builder->constants[i].name));
    for (size_t i = 0; i < network->layer_count; i++) {
        const rf_layer *layer = &builder->layers[i];
        if (!layer->outputs)
            RF_TRY(define(builder, layer->name, layer->name));
        for (const char *const *name = layer->outputs; name && *name; name++)
            RF_TRY(define(builder, *name, *name));
    }
    for (size_t i = 0; i < network->layer_count; i++)
        RF_TRY(define(builder, builder->layers[i].name, first_output(&builder->layers[i])));
    return RF_OK;
}

static rf_status define_names(network_builder *builder)
{
    size_t count = count_names(builder);
    enter(builder, NULL, 0, NULL);
    RF_TRY(check_count(builder, "tensors", count, builder->owner->limits.tensors));
    builder->tensors = BUILDER_TAKE(builder, const char *, count);
    if (!builder->tensors || !rf_names_init(&builder->names, &builder->owner->arena, count))
        return rf_json_no_memory(&builder->reader);
    return define_tensors(builder);
}

/* Puts tensors in the place of layers. A name that is neither is left for the analysis to judge. */
static void resolve(const network_builder *builder, const char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t number = rf_names_find(&builder->names, names[i]);
        if (number != RF_NO_NUMBER)
            names[i] = builder->tensors[number];
    }
}

/* ---- Layers ----------------------------------------------------------------------------- */

/* What a layer reads where it does not say: NULL for nothing. */
static const char *tensor_before(const network_builder *builder, size_t index)
{
    if (index > 0)
        return first_output(&builder->layers[index - 1]);
    return builder->owner->network.input_count ? builder->inputs[0].name : NULL;
}

static rf_status name_carried(const network_builder *builder, rf_tensor *constant)
{
    size_t bytes = strlen(builder->reader.name) + strlen(constant->name) + 2;
    char *name = BUILDER_TAKE(builder, char, bytes);
    if (!name)
        return rf_json_no_memory(&builder->reader);
    snprintf(name, bytes, "%s.%s", builder->reader.name, constant->name);
    constant->name = name;
    return RF_OK;
}

/* Puts the constants that keys give among the inputs, of which `count` are named. */
static rf_status insert_carried(network_builder *builder, const char **inputs, size_t count,
                                rf_tensor carried[RF_JSON_CARRIED])
{
    for (size_t i = 0; i < RF_JSON_CARRIED; i++) {
        if (!carried[i].name)
            continue;
        if (i < count && inputs[i][0] != '\0')
            return rf_json_fail(&builder->reader, carried[i].name,
                                "is input %zu, which 'from' gives too; expected one of them", i);
        for (; count <= i; count++)
            inputs[count] = "";
        RF_TRY(name_carried(builder, &carried[i]));
        RF_TRY(add_constant(builder, &carried[i]));
        inputs[i] = carried[i].name;
    }
    return RF_OK;
}

static bool carries_any(const rf_tensor carried[RF_JSON_CARRIED])
{
    for (size_t i = 0; i < RF_JSON_CARRIED; i++)
        if (carried[i].name)
            return true;
    return false;
}

/* The inputs of a layer without "from" are left to the rule of rf_layer wherever that fits. */
static rf_status connect_by_default(network_builder *builder, size_t index,
                                    rf_tensor carried[RF_JSON_CARRIED])
{
    if (!carries_any(carried))
        return RF_OK;
    const char **inputs = BUILDER_TAKE(builder, const char *, RF_JSON_CARRIED + 2);
    if (!inputs)
        return rf_json_no_memory(&builder->reader);
    builder->layers[index].inputs = inputs;
    if (carried[0].name)
        return insert_carried(builder, inputs, 0, carried);
    inputs[0] = tensor_before(builder, index);
    if (!inputs[0])
        return rf_json_fail(&builder->reader, NULL, "has no 'from', and nothing comes before it");
    return insert_carried(builder, inputs, 1, carried);
}

static rf_status connect(network_builder *builder, size_t index, const json_t *from,
                         rf_tensor carried[RF_JSON_CARRIED])
{
    const char **named, **inputs;
    size_t count;
    RF_TRY(read_names(builder, "from", from, &named, &count));
    resolve(builder, named, count);
    builder->layers[index].inputs = named;
    if (!carries_any(carried))
        return RF_OK;
    inputs = BUILDER_TAKE(builder, const char *, count + RF_JSON_CARRIED + 1);
    if (!inputs)
        return rf_json_no_memory(&builder->reader);
    memcpy(inputs, named, count * sizeof *inputs);
    builder->layers[index].inputs = inputs;
    return insert_carried(builder, inputs, count, carried);
}

/* Spatial axes of the network's first input, or two. */
static size_t spatial_axes(const network_builder *builder)
{
    int32_t rank = builder->owner->network.input_count ? builder->inputs[0].shape.rank : 0;
    return rank >= 3 && rank <= 2 + RF_MAX_SPATIAL ? (size_t)rank - 2 : 2;
}

static rf_status read_layer_body(network_builder *builder, size_t index, json_t *object)
{
    rf_layer *layer = &builder->layers[index];
    rf_tensor carried[RF_JSON_CARRIED] = {{.name = NULL}};
    const rf_json_layer source = {
        .object = object,
        .op = rf_op_find(layer->domain, layer->type),
        .opset = builder->owner->network.opset,
        .spatial_axes = spatial_axes(builder),
    };
    enter(builder, "layer", index, layer->name);
    RF_TRY(rf_json_attributes(&builder->reader, &source, &layer->attributes, carried));
    const json_t *from = json_object_get(object, "from");
    return from ? connect(builder, index, from, carried)
                : connect_by_default(builder, index, carried);
}

static rf_status read_layers(network_builder *builder)
{
    rf_network *network = &builder->owner->network;
    json_t *list;
    enter(builder, NULL, 0, NULL);
    RF_TRY(rf_json_require(&builder->reader, builder->root, "layers", &list));
    RF_TRY(rf_json_list(&builder->reader, builder->root, "layers", &list, &network->layer_count));
    RF_TRY(check_count(builder, "layers", network->layer_count, builder->owner->limits.layers));
    builder->layers = BUILDER_TAKE(builder, rf_layer, network->layer_count);
    if (!builder->layers)
        return rf_json_no_memory(&builder->reader);
    network->layers = builder->layers;
    for (size_t i = 0; i < network->layer_count; i++)
        RF_TRY(read_layer_head(builder, i, json_array_get(list, i)));
    RF_TRY(define_names(builder));
    for (size_t i = 0; i < network->layer_count; i++)
        RF_TRY(read_layer_body(builder, i, json_array_get(list, i)));
    return RF_OK;
}

/* ---- The network ------------------------------------------------------------------------ */

static rf_status read_header(network_builder *builder)
{
    static const char *const keys[] = {"rfield",  "name",      "comment", "opset", "inputs",
                                       "outputs", "constants", "layers",  NULL};
    rf_network *network = &builder->owner->network;
    json_t *version;
    RF_TRY(rf_json_check_object(&builder->reader, builder->root, keys));
    RF_TRY(rf_json_require(&builder->reader, builder->root, "rfield", &version));
    if (!json_is_integer(version) || json_integer_value(version) != FORMAT_VERSION)
        return rf_json_fail(&builder->reader, "rfield", "is another version; expected %d",
                            FORMAT_VERSION);
    const json_t *name = json_object_get(builder->root, "name");
    if (name)
        RF_TRY(rf_json_text(&builder->reader, "name", name, &network->name));
    const json_t *opset = json_object_get(builder->root, "opset");
    int64_t number = RF_NEWEST_OPSET;
    if (opset)
        RF_TRY(rf_json_integer(&builder->reader, "opset", opset, 1, RF_NEWEST_OPSET, &number));
    network->opset = (int32_t)number;
    return RF_OK;
}

static rf_status read_outputs(network_builder *builder)
{
    rf_network *network = &builder->owner->network;
    const json_t *value = json_object_get(builder->root, "outputs");
    const char **names;
    enter(builder, NULL, 0, NULL);
    if (!value)
        return RF_OK;
    RF_TRY(read_names(builder, "outputs", value, &names, &network->output_count));
    resolve(builder, names, network->output_count);
    rf_tensor *outputs = BUILDER_TAKE(builder, rf_tensor, network->output_count);
    if (!outputs)
        return rf_json_no_memory(&builder->reader);
    for (size_t i = 0; i < network->output_count; i++)
        outputs[i] = (rf_tensor){.name = names[i], .shape = {.rank = -1}}; /* not stated */
    network->outputs = outputs;
    return RF_OK;
}

static rf_status build(rf_network_owner *owner, json_t *root, rf_error *error)
{
    network_builder builder = {
        .reader = {.owner = owner, .error = error}, .owner = owner, .root = root};
    RF_TRY(read_header(&builder));
    RF_TRY(read_inputs(&builder));
    RF_TRY(read_constants(&builder));
    RF_TRY(read_layers(&builder));
    RF_TRY(read_outputs(&builder));
    owner->network.constants = builder.constants;
    owner->network.constant_count = builder.constant_count;
    return check_count(&builder, "tensors", builder.constant_count, owner->limits.tensors);
}

static rf_status load(const char *text, size_t bytes, rf_network_owner *owner, rf_error *error)
{
    json_t *root;
    RF_TRY(rf_json_parse(text, bytes, &owner->limits, &root, error));
    rf_status status = build(owner, root, error);
    json_decref(root);
    return status;
}

rf_status rf_network_load_json(const char *text, size_t bytes, const rf_load_options *options,
                               const rf_network **network, rf_error *error)
{
    if (!network)
        return rf_fail(error, RF_ERROR_ARGUMENT, "network", "network is NULL");
    *network = NULL;
    if (!text)
        return rf_fail(error, RF_ERROR_ARGUMENT, "text", "text is NULL");
    rf_network_owner *owner;
    RF_TRY(rf_network_owner_make(options, &owner, error));
    rf_status status = load(text, bytes, owner, error);
    if (status != RF_OK) {
        rf_network_owner_free(owner);
        return status;
    }
    *network = &owner->network;
    return RF_OK;
}
