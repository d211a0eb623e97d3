/* SPDX-License-Identifier: MIT */
#include "ops/gradient_builder.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_ROOM = 64, NAME_ROOM = 96 };

/* ---- Failures --------------------------------------------------------------------------- */

void rf_gradient_fail(rf_gradient *to, rf_status status)
{
    if (to->status == RF_OK)
        to->status = status;
}

static const char *no_memory(rf_gradient *to)
{
    rf_gradient_fail(to, rf_arena_fail(to->arena, to->error, "a gradient"));
    return "";
}

/* ---- Lists that grow -------------------------------------------------------------------- */

/* Room for one element more behind `count`; NULL without memory. */
static void *grow(rf_gradient *to, void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return list;
    size_t wider = *room ? 2 * *room : FIRST_ROOM;
    void *grown = rf_arena_take(to->arena, wider, size);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, list, count * size);
    *room = wider;
    return grown;
}

static rf_layer *new_layer(rf_gradient *to)
{
    rf_layer *grown = grow(to, to->layers, to->layer_count, &to->layer_room, sizeof *grown);
    if (!grown)
        return NULL;
    to->layers = grown;
    return &to->layers[to->layer_count++];
}

static rf_tensor *new_constant(rf_gradient *to)
{
    rf_tensor *grown = grow(to, to->constants, to->constant_count, &to->constant_room, sizeof *grown);
    if (!grown)
        return NULL;
    to->constants = grown;
    return &to->constants[to->constant_count++];
}

/* As many of a UTF-8 text's first `most` bytes as are whole characters. */
static int whole_bytes(const char *text, int most)
{
    if ((int)strnlen(text, (size_t)most + 1) <= most)
        return most;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

/* A name that no tensor has, after the layer at work; NULL without memory. */
static const char *new_name(rf_gradient *to)
{
    char text[NAME_ROOM];
    const char *layer = to->at ? to->at->name : "loss";
    do
        snprintf(text, sizeof text, "%.*s.gradient.%llu", whole_bytes(layer, 60), layer,
                 (unsigned long long)to->named++);
    while (rf_names_find(to->names, text) != RF_NO_NUMBER);
    return rf_arena_text(to->arena, text, strlen(text));
}

/* ---- Layers ----------------------------------------------------------------------------- */

static void *copy(rf_gradient *to, const void *from, size_t count, size_t size)
{
    void *made = rf_arena_take(to->arena, count ? count : 1, size);
    return made && count ? memcpy(made, from, count * size) : made;
}

static bool copy_attribute(rf_gradient *to, const rf_attribute *from, rf_attribute *made)
{
    *made = *from;
    if (from->type == RF_ATTRIBUTE_INTS)
        return (made->value.ints = copy(to, from->value.ints, from->count, sizeof(int64_t))) != NULL;
    if (from->type == RF_ATTRIBUTE_FLOATS)
        return (made->value.floats = copy(to, from->value.floats, from->count, sizeof(float))) != NULL;
    if (from->type == RF_ATTRIBUTE_STRING)
        return (made->value.s = rf_arena_text(to->arena, from->value.s, from->count)) != NULL;
    return true;
}

static const rf_attribute *copy_attributes(rf_gradient *to, const rf_attribute *attributes)
{
    size_t count = 0;
    while (attributes[count].name)
        count++;
    rf_attribute *made = RF_TAKE(to->arena, rf_attribute, count + 1);
    for (size_t i = 0; made && i < count; i++)
        if (!copy_attribute(to, &attributes[i], &made[i]))
            return NULL;
    return made;
}

static const char *const *copy_names(rf_gradient *to, const char *const *names)
{
    size_t count = 0;
    while (names[count])
        count++;
    const char **made = RF_TAKE(to->arena, const char *, count + 1);
    for (size_t i = 0; made && i < count; i++)
        made[i] = names[i];
    return made;
}

const char *rf_gradient_layer(rf_gradient *to, const char *type, const char *const *inputs,
                              const rf_attribute *attributes)
{
    if (to->status != RF_OK)
        return "";
    const char *name = new_name(to);
    rf_layer made = {.name = name, .type = type, .domain = RF_OWN_DOMAIN, .inputs = copy_names(to, inputs),
                     .outputs = name ? copy_names(to, RF_NAMES(name)) : NULL};
    if (attributes)
        made.attributes = copy_attributes(to, attributes);
    rf_layer *layer = new_layer(to);
    if (!layer || !name || !made.inputs || !made.outputs || (attributes && !made.attributes))
        return no_memory(to);
    *layer = made;
    return name;
}

const char *rf_gradient_one(rf_gradient *to, const char *type, const char *a)
{
    return rf_gradient_layer(to, type, RF_NAMES(a), NULL);
}

const char *rf_gradient_two(rf_gradient *to, const char *type, const char *a, const char *b)
{
    return rf_gradient_layer(to, type, RF_NAMES(a, b), NULL);
}

/* ---- Constants -------------------------------------------------------------------------- */

static const char *constant(rf_gradient *to, rf_dtype dtype, const rf_shape *shape, const void *data, size_t bytes)
{
    if (to->status != RF_OK)
        return "";
    const char *name = new_name(to);
    void *own = copy(to, data, bytes, 1);
    rf_tensor *made = new_constant(to);
    if (!name || !own || !made)
        return no_memory(to);
    *made = (rf_tensor){.name = name, .dtype = dtype, .shape = *shape, .data = own, .data_bytes = bytes};
    return name;
}

const char *rf_gradient_number(rf_gradient *to, double number)
{
    const rf_shape scalar = {.rank = 0};
    float value = (float)number;
    return constant(to, RF_FLOAT32, &scalar, &value, sizeof value);
}

const char *rf_gradient_matrix(rf_gradient *to, const float *elements, int64_t rows, int64_t columns)
{
    const rf_shape shape = RF_SHAPE(rows, columns);
    return constant(to, RF_FLOAT32, &shape, elements, (size_t)rows * (size_t)columns * sizeof *elements);
}

const char *rf_gradient_ints(rf_gradient *to, const int64_t *ints, size_t count)
{
    const rf_shape shape = RF_SHAPE((int64_t)count);
    return constant(to, RF_INT64, &shape, ints, count * sizeof *ints);
}

/* ---- Shapes ----------------------------------------------------------------------------- */

const char *rf_gradient_reshape(rf_gradient *to, const char *name, const rf_shape *shape)
{
    const char *dims = rf_gradient_ints(to, shape->dims, (size_t)shape->rank);
    return rf_gradient_layer(to, "Reshape", RF_NAMES(name, dims), RF_ATTRIBUTES(RF_INT("allowzero", 1)));
}

/* The axes of a set, in an order that rises; how many they are. */
static size_t list_axes(uint32_t axes, int64_t *list)
{
    size_t count = 0;
    for (int32_t k = 0; k < RF_MAX_RANK; k++)
        if (axes >> k & 1)
            list[count++] = k;
    return count;
}

const char *rf_gradient_sum(rf_gradient *to, const char *name, uint32_t axes, bool keep)
{
    int64_t list[RF_MAX_RANK];
    const char *at = rf_gradient_ints(to, list, list_axes(axes, list));
    return rf_gradient_layer(to, "ReduceSum", RF_NAMES(name, at), RF_ATTRIBUTES(RF_INT("keepdims", keep)));
}

const char *rf_gradient_sum_to(rf_gradient *to, const char *name, const rf_shape *from, const rf_shape *shape)
{
    uint32_t axes = 0;
    int32_t shift = from->rank - shape->rank;
    if (rf_shape_equal(from, shape))
        return name;
    for (int32_t k = 0; k < from->rank; k++)
        if (k < shift || (shape->dims[k - shift] == 1 && from->dims[k] != 1))
            axes |= UINT32_C(1) << k;
    if (axes)
        name = rf_gradient_sum(to, name, axes, false);
    return rf_gradient_reshape(to, name, shape);
}

/* ---- Derivatives of tensors ---------------------------------------------------------------- */

static rf_gradient_slot *slot_of(const rf_gradient *to, const rf_value *value)
{
    return &to->slots[value - to->values];
}

const char *rf_gradient_of(const rf_gradient *to, const rf_node *node, uint32_t output)
{
    const rf_value *value = rf_output(node, output);
    return value ? slot_of(to, value)->sum : NULL;
}

bool rf_gradient_wanted(const rf_gradient *to, const rf_node *node, uint32_t input)
{
    const rf_value *value = rf_input(node, input);
    return value && slot_of(to, value)->wanted;
}

void rf_gradient_give_value(rf_gradient *to, const rf_value *value, const char *name)
{
    rf_gradient_slot *slot = slot_of(to, value);
    slot->sum = slot->sum ? rf_gradient_two(to, "Add", slot->sum, name) : name;
}

void rf_gradient_give(rf_gradient *to, const rf_node *node, uint32_t input, const char *name)
{
    if (rf_gradient_wanted(to, node, input))
        rf_gradient_give_value(to, node->inputs[input], name);
}

void rf_gradient_give_broadcast(rf_gradient *to, const rf_node *node, uint32_t input, const char *name)
{
    if (rf_gradient_wanted(to, node, input))
        rf_gradient_give(to, node, input,
                         rf_gradient_sum_to(to, name, &node->outputs[0]->shape, &node->inputs[input]->shape));
}

const char *rf_gradient_pad(rf_gradient *to, const char *name, int32_t rank, const int64_t *begin, const int64_t *end)
{
    int64_t pads[2 * RF_MAX_RANK];
    bool any = false;
    for (int32_t k = 0; k < rank; k++) {
        pads[k] = begin[k];
        pads[rank + k] = end[k];
        any |= begin[k] || end[k];
    }
    return any ? rf_gradient_two(to, "Pad", name, rf_gradient_ints(to, pads, 2 * (size_t)rank)) : name;
}

/* ---- Groups that are standardised --------------------------------------------------------- */

const char *rf_gradient_mean(rf_gradient *to, const char *name, uint32_t axes)
{
    int64_t list[RF_MAX_RANK];
    return rf_gradient_two(to, "ReduceMean", name, rf_gradient_ints(to, list, list_axes(axes, list)));
}

rf_standard rf_gradient_standardize(rf_gradient *to, const char *name, uint32_t axes, double epsilon)
{
    const char *centred = rf_gradient_two(to, "Sub", name, rf_gradient_mean(to, name, axes));
    const char *variance = rf_gradient_mean(to, rf_gradient_two(to, "Mul", centred, centred), axes);
    const char *shifted = rf_gradient_two(to, "Add", variance, rf_gradient_number(to, epsilon));
    const char *deviation = rf_gradient_one(to, "Sqrt", shifted);
    return (rf_standard){rf_gradient_two(to, "Div", centred, deviation), deviation, axes};
}

const char *rf_gradient_unstandardize(rf_gradient *to, const rf_standard *of, const char *g)
{
    const char *along = rf_gradient_mean(to, rf_gradient_two(to, "Mul", g, of->values), of->axes);
    const char *rest = rf_gradient_two(to, "Sub", g, rf_gradient_mean(to, g, of->axes));
    rest = rf_gradient_two(to, "Sub", rest, rf_gradient_two(to, "Mul", of->values, along));
    return rf_gradient_two(to, "Div", rest, of->deviation);
}

/* ---- What many rows do ------------------------------------------------------------------- */

const char *rf_gradient_expand(rf_gradient *to, const char *name, const rf_shape *shape)
{
    return rf_gradient_two(to, "Expand", name, rf_gradient_ints(to, shape->dims, (size_t)shape->rank));
}

const char *rf_gradient_transpose(rf_gradient *to, const char *name, int32_t rank)
{
    int64_t axes[RF_MAX_RANK];
    for (int32_t k = 0; k < rank; k++)
        axes[k] = k < rank - 2 ? k : 2 * rank - 3 - k;
    const rf_attribute attributes[] = {
        {.name = "perm", .type = RF_ATTRIBUTE_INTS, .count = (size_t)rank, .value = {.ints = axes}}, {.name = NULL}};
    return rf_gradient_layer(to, "Transpose", RF_NAMES(name), attributes);
}

const char *rf_gradient_scale(rf_gradient *to, const char *name, double factor)
{
    return factor == 1 ? name : rf_gradient_two(to, "Mul", name, rf_gradient_number(to, factor));
}

rf_status rf_gradient_slope(rf_gradient *to, const rf_node *node, const char *function, double alpha, double beta,
                            bool of_output)
{
    const rf_attribute attributes[] = {
        {.name = "function", .type = RF_ATTRIBUTE_STRING, .count = strlen(function), .value = {.s = function}},
        RF_FLOAT("alpha", (float)alpha), RF_FLOAT("beta", (float)beta), {.name = NULL}};
    const rf_value *at = of_output ? node->outputs[0] : node->inputs[0];
    rf_gradient_give(to, node, 0,
                     rf_gradient_layer(to, "Slope", RF_NAMES(rf_gradient_of(to, node, 0), at->name), attributes));
    return RF_OK;
}

rf_status rf_gradient_same(const rf_node *node, rf_gradient *to)
{
    const char *dy = rf_gradient_of(to, node, 0);
    const rf_shape *x = &node->inputs[0]->shape;
    if (dy)
        rf_gradient_give(to, node, 0,
                         rf_shape_equal(x, &node->outputs[0]->shape) ? dy : rf_gradient_reshape(to, dy, x));
    return RF_OK;
}

/* ---- Windows ---------------------------------------------------------------------------- */

void rf_gradient_list_int(rf_window_lists *lists, const char *name, int64_t number)
{
    lists->attributes[lists->count++] = (rf_attribute)RF_INT(name, number);
}

void rf_gradient_list_ints(rf_window_lists *lists, const char *name, const int64_t *ints, int32_t count)
{
    lists->attributes[lists->count++] =
        (rf_attribute){.name = name, .type = RF_ATTRIBUTE_INTS, .count = (size_t)count, .value = {.ints = ints}};
}

void rf_gradient_list_windows(const rf_window *windows, int32_t axes, rf_window_lists *lists)
{
    *lists = (rf_window_lists){.count = 0};
    for (int32_t i = 0; i < axes; i++) {
        lists->kernel[i] = windows[i].kernel;
        lists->strides[i] = windows[i].stride;
        lists->dilations[i] = windows[i].dilation;
        lists->pads[i] = windows[i].pad_begin;
        lists->pads[axes + i] = windows[i].pad_end;
    }
    rf_gradient_list_ints(lists, "kernel_shape", lists->kernel, axes);
    rf_gradient_list_ints(lists, "strides", lists->strides, axes);
    rf_gradient_list_ints(lists, "dilations", lists->dilations, axes);
    rf_gradient_list_ints(lists, "pads", lists->pads, 2 * axes);
}

rf_status rf_gradient_start(rf_gradient *to, const rf_value *values, size_t value_count, const rf_names *names,
                            rf_arena *arena, rf_error *error)
{
    *to = (rf_gradient){.values = values, .names = names, .arena = arena, .error = error};
    to->slots = RF_TAKE(arena, rf_gradient_slot, value_count);
    return to->slots ? RF_OK : rf_arena_fail(arena, error, "a gradient");
}
