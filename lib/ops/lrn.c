/* SPDX-License-Identifier: MIT */
/*
 * Local response normalisation: a window over channels.
 *
 * Counting, for a window of n channels, an element takes: its square and the
 * product with alpha / n, 2 multiplications; the sum, n - 1 additions; bias,
 * an addition; a power and a division. Valid counts only the channels there
 * are.
 */
#include "ops/table.h"

#include "ops/operands.h"
#include "ops/window.h"

typedef struct lrn_params {
    float alpha, beta, bias;
    int64_t size;
} lrn_params;

static const lrn_params defaults = {.alpha = 1e-4F, .beta = 0.75F, .bias = 1};

static const rf_attribute_spec attributes[] = {
    {"alpha", RF_ATTRIBUTE_FLOAT, offsetof(lrn_params, alpha), false},
    {"beta", RF_ATTRIBUTE_FLOAT, offsetof(lrn_params, beta), false},
    {"bias", RF_ATTRIBUTE_FLOAT, offsetof(lrn_params, bias), false},
    {"size", RF_ATTRIBUTE_INT, offsetof(lrn_params, size), true},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static rf_status infer(rf_node *node)
{
    const lrn_params *params = node->params;
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    if (x->shape.rank < 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N,C,...] is needed",
                            rf_shape_print(&x->shape).text);
    if (params->size < 1 || params->size > INT32_MAX)
        return rf_node_fail(node, RF_ERROR_SHAPE, "size is %lld, outside 1..%lld", (long long)params->size,
                            (long long)INT32_MAX);
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

static void link_channels(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    const lrn_params *params = node->params;
    for (int32_t i = 0; i < node->inputs[input]->shape.rank; i++)
        rf_link_same(&links[i], i);
    rf_link_window(&links[1], 1, params->size, 1, 1, (params->size - 1) / 2);
}

static bool cost(const rf_node *node, rf_cost *cost)
{
    const lrn_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x), taps;
    if (elements == 0)
        return true;
    rf_window channels = {.input = x->dims[1], .output = x->dims[1], .kernel = params->size, .stride = 1,
                          .dilation = 1, .pad_begin = (params->size - 1) / 2};
    rf_counts *dense = &cost->dense;
    if (!rf_checked_mul(elements, 2, &dense->multiplications)
        || !rf_checked_mul(elements, (uint64_t)params->size, &dense->additions)
        || !rf_window_valid_taps(&channels, &taps))
        return false;
    dense->exponentials = dense->divisions = elements;
    cost->valid = *dense;
    return rf_checked_mul(elements / (uint64_t)x->dims[1], taps, &cost->valid.additions);
}

const rf_op rf_op_LRN = {
    .type = "LRN",
    .class = RF_CLASS_NORM,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = attributes,
    .defaults = &defaults,
    .params_size = sizeof(lrn_params),
    .infer = infer,
    .link = link_channels,
    .cost = cost,
};
