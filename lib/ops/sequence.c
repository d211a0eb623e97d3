/* SPDX-License-Identifier: MIT */
/* ReverseSequence: the first so many steps of each batch element, turned around. */
#include "ops/table.h"

#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"

typedef struct sequence_params {
    int64_t batch_axis, time_axis;
} sequence_params;

static const sequence_params defaults = {.batch_axis = 1, .time_axis = 0};
static const rf_attribute_spec attributes[] = {
    {"batch_axis", RF_ATTRIBUTE_INT, offsetof(sequence_params, batch_axis), false},
    {"time_axis", RF_ATTRIBUTE_INT, offsetof(sequence_params, time_axis), false},
    {.name = NULL},
};

static rf_status infer(rf_node *node)
{
    const sequence_params *params = node->params;
    const rf_value *in = node->inputs[0];
    const rf_shape *lengths = &node->inputs[1]->shape;
    if (in->shape.rank < 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but must have rank 2 or more",
                            rf_shape_print(&in->shape).text);
    if ((params->batch_axis != 0 && params->batch_axis != 1) || params->time_axis != 1 - params->batch_axis)
        return rf_node_fail(node, RF_ERROR_SHAPE, "batch_axis is %lld and time_axis %lld, but must be 0 and 1 or 1 and 0",
                            (long long)params->batch_axis, (long long)params->time_axis);
    RF_TRY(rf_check_dtype(node, 1, RF_INT64));
    if (lengths->rank != 1 || lengths->dims[0] != in->shape.dims[params->batch_axis])
        return rf_node_fail(node, RF_ERROR_SHAPE, "the lengths have shape %s, but must have [%lld]",
                            rf_shape_print(lengths).text, (long long)in->shape.dims[params->batch_axis]);
    rf_set_output(node, 0, in->dtype, &in->shape);
    return RF_OK;
}

static void link_sequence(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const sequence_params *params = node->params;
    if (input == 1) {
        rf_link_same(&links[0], (int32_t)params->batch_axis);
        return;
    }
    rf_link_broadcast(node, output, input, links);
    rf_link_all(&links[params->time_axis]);
}

static rf_status read_length(const rf_node *node, uint64_t batch, int64_t steps, int64_t *length)
{
    *length = rf_value_int(node->inputs[1], batch);
    if (*length >= 0 && *length <= steps)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "length %lld is outside 0..%lld", (long long)*length, (long long)steps);
}

static rf_status evaluate(rf_node *node)
{
    const sequence_params *params = node->params;
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!rf_is_movable(node))
        return rf_fold_refuse(node);
    uint64_t total = out ? rf_elements(&out->shape) : 0;
    if (total == 0)
        return RF_OK;
    uint64_t batches = (uint64_t)in->shape.dims[params->batch_axis], steps = (uint64_t)in->shape.dims[params->time_axis];
    uint64_t step = params->time_axis ? 1 : batches, advance = params->time_axis ? steps : 1;
    size_t bytes = total / (batches * steps) * (rf_dtype_bits(in->dtype) / 8);
    for (uint64_t batch = 0; batch < batches; batch++) {
        int64_t length;
        RF_TRY(read_length(node, batch, (int64_t)steps, &length));
        for (uint64_t t = 0; t < steps; t++) {
            uint64_t from = t < (uint64_t)length ? (uint64_t)length - 1 - t : t;
            rf_fold_move(rf_fold_data(out), batch * advance + t * step, in->data, batch * advance + from * step, bytes);
        }
    }
    return RF_OK;
}

const rf_op rf_op_ReverseSequence = {
    .type = "ReverseSequence", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = attributes, .defaults = &defaults, .params_size = sizeof(sequence_params),
    .infer = infer, .link = link_sequence, .evaluate = evaluate,
};
