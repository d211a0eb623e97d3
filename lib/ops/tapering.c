/* SPDX-License-Identifier: MIT */
/*
 * The windows of signal processing, which taper a signal's ends: HannWindow,
 * HammingWindow, BlackmanWindow. All are a0 - a1 cos(x) + a2 cos(2 x). They
 * depend on a constant alone, so they count nothing.
 */
#include "ops/table.h"

#include <math.h>
#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"

typedef struct taper_params {
    int64_t output_datatype, periodic;
} taper_params;

static const taper_params defaults = {.output_datatype = RF_FLOAT32, .periodic = 1};
static const rf_attribute_spec attributes[] = {
    {"output_datatype", RF_ATTRIBUTE_INT, offsetof(taper_params, output_datatype), false},
    {"periodic", RF_ATTRIBUTE_INT, offsetof(taper_params, periodic), false},
    {.name = NULL},
};

static rf_status infer(rf_node *node)
{
    const taper_params *params = node->params;
    const rf_value *size = node->inputs[0];
    rf_ints list;
    RF_TRY(rf_check_single(node, 0, "the size"));
    RF_TRY(rf_node_ints(node, 0, NULL, "the size", &list));
    if (params->output_datatype <= RF_DTYPE_UNDEFINED || params->output_datatype > RF_INT4
        || !rf_fold_reads((rf_dtype)params->output_datatype))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "output_datatype is %lld, which is no type of numbers",
                            (long long)params->output_datatype);
    if (list.at[0] < 0 || size->dtype == RF_UINT64)
        return rf_node_fail(node, RF_ERROR_SHAPE, "the size is %lld of type %s, but must be an integer from 0 up",
                            (long long)list.at[0], rf_dtype_name(size->dtype));
    rf_shape out = {.rank = 1, .dims = {list.at[0]}};
    rf_set_output(node, 0, (rf_dtype)params->output_datatype, &out);
    return RF_OK;
}

static void link_nothing(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++)
        rf_link_nothing(&links[axis]);
}

/* A window of one element that is not periodic is 1. */
static rf_status evaluate(const rf_node *node, double a0, double a1, double a2)
{
    static const double turn = 6.283185307179586476925;
    const taper_params *params = node->params;
    const rf_value *out = rf_output(node, 0);
    uint64_t size = out ? rf_elements(&out->shape) : 0;
    double period = (double)(params->periodic ? size : size - 1);
    for (uint64_t i = 0; i < size; i++) {
        double x = turn * (double)i / period;
        double element = period > 0 ? a0 - a1 * cos(x) + a2 * cos(2 * x) : 1;
        rf_store_float(rf_fold_data(out), out->dtype, i, element);
    }
    return RF_OK;
}

static rf_status evaluate_hann(rf_node *node)
{
    return evaluate(node, 0.5, 0.5, 0);
}

static rf_status evaluate_hamming(rf_node *node)
{
    return evaluate(node, 25.0 / 46, 21.0 / 46, 0);
}

static rf_status evaluate_blackman(rf_node *node)
{
    return evaluate(node, 0.42, 0.5, 0.08);
}

#define TAPER(type_, evaluate_)                                                 \
    const rf_op rf_op_##type_ = {                                               \
        .type = #type_, .class = RF_CLASS_OTHER,                                \
        .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,   \
        .attributes = attributes, .defaults = &defaults,                        \
        .params_size = sizeof(taper_params), .infer = infer,                    \
        .link = link_nothing, .evaluate = (evaluate_),                          \
    };

TAPER(BlackmanWindow, evaluate_blackman)
TAPER(HammingWindow, evaluate_hamming)
TAPER(HannWindow, evaluate_hann)
