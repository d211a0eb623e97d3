/* SPDX-License-Identifier: MIT */
/*
 * Unique: the different elements, or the different slices along an axis. Slices
 * are sorted by merging, stably, so that the first of equal ones is the one
 * that comes first. How often it compares depends on the elements.
 */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/order_key.h"

typedef struct unique_params {
    int64_t axis, sorted;
} unique_params;

static const unique_params defaults = {.axis = INT64_MIN, .sorted = 1};
static const rf_attribute_spec attributes[] = {
    {"axis", RF_ATTRIBUTE_INT, offsetof(unique_params, axis), false},
    {"sorted", RF_ATTRIBUTE_INT, offsetof(unique_params, sorted), false},
    {.name = NULL},
};

/* The slices compared: slice i has element (o * count + i) * inner + k for every o and k. */
typedef struct slices {
    const rf_value *value;
    int32_t axis; /* -1: all elements, each a slice */
    uint64_t outer, count, inner;
} slices;

/* Empty slices are all equal, however many elements an axis beside the empty one claims. */
static slices slices_of(const rf_node *node)
{
    const unique_params *params = node->params;
    const rf_value *in = node->inputs[0];
    slices made = {.value = in, .axis = -1, .outer = 1, .count = 1, .inner = 1};
    if (params->axis != INT64_MIN)
        made.axis = (int32_t)(params->axis < 0 ? params->axis + in->shape.rank : params->axis);
    for (int32_t axis = 0; axis < in->shape.rank; axis++)
        *(axis < made.axis ? &made.outer : axis > made.axis && made.axis >= 0 ? &made.inner : &made.count)
            *= (uint64_t)in->shape.dims[axis];
    if (made.outer == 0 || made.inner == 0)
        made.outer = made.inner = 0;
    return made;
}

static rf_status infer(rf_node *node)
{
    const unique_params *params = node->params;
    const rf_value *in = node->inputs[0];
    uint64_t elements;
    int32_t axis;
    RF_TRY(rf_node_elements(node, &in->shape, &elements));
    if (params->axis != INT64_MIN)
        RF_TRY(rf_node_axis(node, "axis", params->axis, in->shape.rank, &axis));
    slices made = slices_of(node);
    rf_shape list = {.rank = 1, .dims = {(int64_t)made.count}};
    rf_set_output(node, 0, in->dtype, made.axis < 0 ? &list : &in->shape);
    for (uint32_t i = 1; i < node->output_count; i++)
        rf_set_output(node, i, RF_INT64, &list);
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            node->outputs[i]->ragged = i != 2;
    return RF_OK;
}

/* Two lists of places to sort in, and the number of each different slice. */
static bool scratch(const rf_node *node, uint64_t *bytes)
{
    return rf_checked_mul(slices_of(node).count, 3 * sizeof(uint64_t), bytes) && rf_checked_add(*bytes, 1, bytes);
}

static int compare(const slices *of, uint64_t a, uint64_t b)
{
    for (uint64_t o = 0; o < of->outer; o++)
        for (uint64_t k = 0; k < of->inner; k++) {
            uint64_t key_a = rf_order_key(of->value, (o * of->count + a) * of->inner + k, false);
            uint64_t key_b = rf_order_key(of->value, (o * of->count + b) * of->inner + k, false);
            if (key_a != key_b)
                return key_a < key_b ? -1 : 1;
        }
    return 0;
}

static void merge(const slices *of, const uint64_t *from, uint64_t *to, uint64_t begin, uint64_t middle, uint64_t end)
{
    uint64_t a = begin, b = middle;
    for (uint64_t i = begin; i < end; i++) {
        bool first = a < middle && (b >= end || compare(of, from[a], from[b]) <= 0);
        to[i] = first ? from[a++] : from[b++];
    }
}

/* Both lists have room for all; which of them then holds the result is returned. */
static uint64_t *sort(const slices *of, uint64_t *list, uint64_t *other)
{
    for (uint64_t i = 0; i < of->count; i++)
        list[i] = i;
    for (uint64_t width = 1; width < of->count; width *= 2) {
        for (uint64_t begin = 0; begin < of->count; begin += 2 * width) {
            uint64_t left = of->count - begin;
            merge(of, list, other, begin, begin + (left < width ? left : width),
                  begin + (left < 2 * width ? left : 2 * width));
        }
        uint64_t *swapped = list;
        list = other;
        other = swapped;
    }
    return list;
}

/* What is known of the different slices: first[i] is the first slice equal to i, and number[i] the
 * place in the output of first slice i. */
typedef struct groups {
    uint64_t *first, *number, count;
} groups;

static groups number_groups(const slices *of, bool sorted, uint64_t *memory)
{
    uint64_t *order = sort(of, memory, memory + of->count);
    groups made = {.first = order == memory ? memory + of->count : memory, .number = memory + 2 * of->count};
    for (uint64_t i = 0; i < of->count; i++) {
        bool equal = i > 0 && compare(of, order[i - 1], order[i]) == 0;
        made.first[order[i]] = equal ? made.first[order[i - 1]] : order[i];
        if (!equal && sorted)
            made.number[order[i]] = made.count++;
    }
    for (uint64_t i = 0; i < of->count && !sorted; i++)
        if (made.first[i] == i)
            made.number[i] = made.count++;
    return made;
}

static void write_slices(const slices *of, const groups *made, rf_value *out)
{
    size_t bytes = of->inner * (rf_dtype_bits(out->dtype) / 8);
    rf_shape shape = of->axis < 0 ? (rf_shape){.rank = 1} : of->value->shape;
    for (uint64_t o = 0; bytes && o < of->outer; o++)
        for (uint64_t i = 0; i < of->count; i++)
            if (made->first[i] == i)
                rf_fold_move(rf_fold_data(out), o * made->count + made->number[i], of->value->data,
                             o * of->count + i, bytes);
    shape.dims[rf_max(of->axis, 0)] = (int64_t)made->count;
    rf_settle_shape(out, &shape);
}

/* Outputs 1 to 3: the first slice of each group, the group of each slice, the slices in each group. */
static void write_places(const slices *of, const groups *made, rf_value *out, uint32_t which)
{
    void *data = rf_fold_data(out);
    for (uint64_t i = 0; i < of->count; i++) {
        uint64_t group = made->number[made->first[i]];
        bool is_first = made->first[i] == i;
        if (which == 2)
            rf_store_int(data, RF_INT64, i, (int64_t)group);
        else if (which == 1 && is_first)
            rf_store_int(data, RF_INT64, group, (int64_t)i);
        else if (which == 3)
            rf_store_int(data, RF_INT64, group, is_first ? 1 : rf_value_int(out, group) + 1);
    }
    if (which != 2)
        rf_settle_shape(out, &(rf_shape){.rank = 1, .dims = {(int64_t)made->count}});
}

static rf_status evaluate(rf_node *node)
{
    const unique_params *params = node->params;
    if (!rf_order_knows(node->inputs[0]->dtype))
        return rf_fold_refuse(node);
    slices of = slices_of(node);
    groups made = number_groups(&of, params->sorted != 0, node->scratch);
    for (uint32_t i = 0; i < node->output_count; i++) {
        if (!node->outputs[i])
            continue;
        if (i == 0)
            write_slices(&of, &made, node->outputs[i]);
        else
            write_places(&of, &made, node->outputs[i], i);
    }
    return RF_OK;
}

const rf_op rf_op_Unique = {
    .type = "Unique", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 4,
    .attributes = attributes, .defaults = &defaults, .params_size = sizeof(unique_params),
    .infer = infer, .link = rf_link_everything, .evaluate = evaluate, .scratch = scratch,
};
