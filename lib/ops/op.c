/* SPDX-License-Identifier: MIT */
/* What the rows of all families share: failures, outputs, shapes, lists, links. */
#include "ops/op.h"

#include <stdio.h>
#include <string.h>

#include "ops/element.h"

rf_status rf_node_fail(const rf_node *node, rf_status status, const char *format, ...)
{
    char text[sizeof((rf_error *)0)->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* Rows know that they were refused memory, the arena knows why. */
    if (status == RF_ERROR_MEMORY && node->arena && node->arena->limited)
        return rf_fail(node->error, RF_ERROR_LIMIT, node->name,
                       "layer '%.80s' (%.40s): %.80s, as limits.memory_bytes is %llu", node->name,
                       node->layer->type, text, (unsigned long long)node->arena->bytes_limit);
    return rf_fail(node->error, status, node->name, "layer '%.80s' (%.40s): %s", node->name,
                   node->layer->type, text);
}

rf_status rf_node_require(const rf_node *node, uint32_t i, const char *what, rf_value **value)
{
    *value = rf_input(node, i);
    if (*value)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_GRAPH, "input %u (%s) is required", (unsigned)i, what);
}

void rf_set_output(const rf_node *node, uint32_t i, rf_dtype dtype, const rf_shape *shape)
{
    rf_value *value = rf_output(node, i);
    if (!value)
        return;
    value->dtype = dtype;
    value->shape = *shape;
}

rf_status rf_infer_same(rf_node *node)
{
    rf_value *input;
    RF_TRY(rf_node_require(node, 0, "input", &input));
    rf_set_output(node, 0, input->dtype, &input->shape);
    return RF_OK;
}

rf_status rf_node_elements(const rf_node *node, const rf_shape *shape, uint64_t *elements)
{
    if (rf_shape_elements(shape, elements))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_OVERFLOW, "a tensor of shape %s has too many elements",
                        rf_shape_print(shape).text);
}

rf_shape_text rf_shape_print(const rf_shape *shape)
{
    rf_shape_text out;
    size_t at = 0;
    out.text[at++] = '[';
    for (int32_t i = 0; i < shape->rank && i < RF_MAX_RANK; i++) {
        const char *comma = i ? "," : "";
        int written = shape->dims[i] < 0
            ? snprintf(out.text + at, sizeof out.text - at, "%s?", comma)
            : snprintf(out.text + at, sizeof out.text - at, "%s%lld", comma, (long long)shape->dims[i]);
        at += (size_t)written;
    }
    out.text[at++] = ']';
    out.text[at] = '\0';
    return out;
}

rf_status rf_node_broadcast(const rf_node *node, const rf_shape *a, const rf_shape *b, rf_shape *out)
{
    if (rf_shape_equal(a, b)) {
        *out = *a;
        return RF_OK;
    }
    int32_t rank = a->rank > b->rank ? a->rank : b->rank;
    rf_shape result = {.rank = rank};
    for (int32_t i = 1; i <= rank; i++) {
        int64_t from_a = i <= a->rank ? a->dims[a->rank - i] : 1;
        int64_t from_b = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (from_a != from_b && from_a != 1 && from_b != 1)
            return rf_node_fail(node, RF_ERROR_SHAPE, "shapes %s and %s do not broadcast",
                                rf_shape_print(a).text, rf_shape_print(b).text);
        result.dims[rank - i] = from_a == 1 ? from_b : from_a;
    }
    *out = result;
    return RF_OK;
}

rf_status rf_node_axis(const rf_node *node, const char *what, int64_t axis, int64_t rank, int32_t *out)
{
    if (axis < -rank || axis >= rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "%s %lld is outside -%lld..%lld", what,
                            (long long)axis, (long long)rank, (long long)rank - 1);
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return RF_OK;
}

rf_status rf_node_imply(rf_node *node, const rf_shape *shape, bool statistic)
{
    rf_implied **end = &node->implied;
    while (*end)
        end = &(*end)->next;
    *end = RF_TAKE(node->arena, rf_implied, 1);
    if (!*end)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for an implied weight");
    **end = (rf_implied){*shape, statistic, NULL};
    return RF_OK;
}

rf_status rf_node_ints(const rf_node *node, uint32_t input, const rf_ints *attribute,
                       const char *what, rf_ints *ints)
{
    const rf_value *value = rf_input(node, input);
    if (!value) {
        *ints = attribute ? *attribute : (rf_ints){0, NULL};
        return RF_OK;
    }
    if (!value->data)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED,
                            "%s comes from tensor '%.80s', whose elements are known only when running",
                            what, value->name);
    if (!rf_dtype_is_integer(value->dtype))
        return rf_node_fail(node, RF_ERROR_SHAPE, "%s must be integers, not %s", what,
                            rf_dtype_name(value->dtype));
    uint64_t count = rf_elements(&value->shape);
    if (count > node->limits->folded_elements)
        return rf_node_fail(node, RF_ERROR_LIMIT, "%s has %llu elements, more than limits.folded_elements",
                            what, (unsigned long long)count);
    int64_t *copy = RF_TAKE(node->arena, int64_t, count);
    if (!copy)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for %s", what);
    for (uint64_t i = 0; i < count; i++)
        copy[i] = rf_value_int(value, i);
    *ints = (rf_ints){count, copy};
    return RF_OK;
}

rf_status rf_node_take_data(const rf_node *node, rf_value *value, void **data)
{
    *data = NULL;
    uint64_t bytes;
    if (rf_elements(&value->shape) > node->limits->folded_elements || rf_dtype_bits(value->dtype) < 8
        || !rf_tensor_bytes(value->dtype, &value->shape, &bytes))
        return RF_OK;
    *data = rf_arena_take(node->arena, bytes, 1);
    if (!*data)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for the elements of '%.80s'", value->name);
    value->data = *data;
    value->data_bytes = bytes;
    return RF_OK;
}

void rf_link_broadcast(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *in = &node->inputs[input]->shape;
    const rf_shape *out = &node->outputs[output]->shape;
    int32_t shift = out->rank - in->rank;
    for (int32_t axis = 0; axis < in->rank; axis++) {
        if (in->dims[axis] == 1 && out->dims[axis + shift] != 1)
            rf_link_range(&links[axis], 0, 0);
        else
            rf_link_same(&links[axis], axis + shift);
    }
}

void rf_link_everything(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++)
        rf_link_all(&links[axis]);
}

bool rf_node_links(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_value *value = node->inputs[input];
    if (!value || value->constant || !node->outputs[output] || node->outputs[output]->constant)
        return false;
    if (!node->op)
        rf_link_everything(node, output, input, links);
    else if (node->op->link)
        node->op->link(node, output, input, links);
    else
        rf_link_broadcast(node, output, input, links);
    for (int32_t axis = 0; axis < value->shape.rank; axis++)
        if (links[axis].kind == RF_LINK_NOTHING)
            return false;
    return true;
}
