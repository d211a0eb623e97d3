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

#include <math.h>

#include "ops/doubles.h"
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

static rf_window channel_window(const rf_node *node)
{
    const lrn_params *params = node->params;
    int64_t channels = node->inputs[0]->shape.dims[1];
    return (rf_window){.input = channels, .output = channels, .kernel = params->size, .stride = 1,
                       .dilation = 1, .pad_begin = (params->size - 1) / 2};
}

static bool cost(const rf_node *node, rf_cost *cost)
{
    const lrn_params *params = node->params;
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x), taps;
    if (elements == 0)
        return true;
    rf_window channels = channel_window(node);
    rf_counts *dense = &cost->dense;
    if (!rf_checked_mul(elements, 2, &dense->multiplications)
        || !rf_checked_mul(elements, (uint64_t)params->size, &dense->additions)
        || !rf_window_valid_taps(&channels, &taps))
        return false;
    dense->exponentials = dense->divisions = elements;
    cost->valid = *dense;
    return rf_checked_mul(elements / (uint64_t)x->dims[1], taps, &cost->valid.additions);
}

/* ---- Running ---------------------------------------------------------------------------- */

/* The squares of an image, and a plane of sums. */
static bool scratch(const rf_node *node, uint64_t *bytes)
{
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x);
    *bytes = 0;
    if (elements == 0)
        return true;
    uint64_t image = elements / (uint64_t)x->dims[0];
    return rf_doubles_bytes(image + image / (uint64_t)x->dims[1], 0, bytes);
}

/* Sums the squares of the channels that channel `c` sees. */
static void sum_squares(const rf_node *node, int64_t c, const double *squares, double *sums, uint64_t plane)
{
    const rf_window channels = channel_window(node);
    int64_t first, end;
    rf_window_clip(&channels, c, &first, &end);
    const double *from = squares + (uint64_t)(c - channels.pad_begin + first) * plane;
    memcpy(sums, from, plane * sizeof *sums);
    for (int64_t t = first + 1; t < end; t++) {
        from += plane;
        for (uint64_t i = 0; i < plane; i++)
            sums[i] += from[i];
    }
    if (node->tally)
        node->tally->additions += (uint64_t)(end - first - 1) * plane;
}

/* Makes elements of one channel, from `at` on, of their sums. */
static void normalize(const rf_node *node, uint64_t at, double *sums, uint64_t plane)
{
    const lrn_params *params = node->params;
    const double share = (double)params->alpha / (double)params->size;
    for (uint64_t i = 0; i < plane; i++)
        sums[i] = rf_value_float(node->inputs[0], at + i)
            / pow((double)params->bias + share * sums[i], (double)params->beta);
    rf_doubles_write(node->outputs[0], at, plane, sums);
    if (!node->tally)
        return;
    node->tally->multiplications += plane;
    node->tally->additions += plane;
    node->tally->exponentials += plane;
    node->tally->divisions += plane;
}

static rf_status evaluate(rf_node *node)
{
    const rf_shape *x = &node->inputs[0]->shape;
    if (rf_elements(x) == 0)
        return RF_OK;
    uint64_t image = rf_elements(x) / (uint64_t)x->dims[0], plane = image / (uint64_t)x->dims[1];
    double *squares = node->scratch, *sums = squares + image;
    for (int64_t n = 0; n < x->dims[0]; n++) {
        uint64_t at = (uint64_t)n * image;
        rf_doubles_read(node->inputs[0], at, image, squares);
        for (uint64_t i = 0; i < image; i++)
            squares[i] *= squares[i];
        if (node->tally)
            node->tally->multiplications += image;
        for (int64_t c = 0; c < x->dims[1]; c++) {
            sum_squares(node, c, squares, sums, plane);
            normalize(node, at + (uint64_t)c * plane, sums, plane);
        }
    }
    return RF_OK;
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
    .evaluate = evaluate,
    .scratch = scratch,
};
