/* SPDX-License-Identifier: MIT */
/* Operators that let every element through: Identity, Dropout, and changes of type. */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/elementwise.h"
#include "ops/fold.h"
#include "ops/gradient.h"

const rf_op rf_op_Identity = {
    .type = "Identity", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .copies_weights = true, .infer = rf_infer_same, .evaluate = rf_fold_copy, .lower = rf_lower_same,
    .gradient = rf_gradient_same,
};

/* ---- Dropout ---------------------------------------------------------------------------- */

/* Inference only: nothing is dropped, and the mask holds ones. */
typedef struct dropout_params {
    float ratio;
    int64_t seed, is_test;
} dropout_params;

static const dropout_params dropout_defaults = {.ratio = 0.5f};
static const rf_attribute_spec dropout_attributes[] = {
    {"ratio", RF_ATTRIBUTE_FLOAT, offsetof(dropout_params, ratio), false},
    {"seed", RF_ATTRIBUTE_INT, offsetof(dropout_params, seed), false},
    {"is_test", RF_ATTRIBUTE_INT, offsetof(dropout_params, is_test), false},
    {.name = NULL},
};

/* What the inputs say, as far as their elements are known. */
typedef enum dropping { KEEPS, DROPS, MAY_DROP } dropping;

static dropping judge_dropout(const rf_node *node)
{
    const dropout_params *params = node->params;
    const rf_value *ratio = rf_input(node, 1), *training = rf_input(node, 2);
    if (!training || (training->data && !rf_value_int(training, 0)))
        return KEEPS;
    if (ratio ? ratio->data && !(rf_value_float(ratio, 0) > 0) : !(params->ratio > 0))
        return KEEPS;
    return training->data && (!ratio || ratio->data) ? DROPS : MAY_DROP;
}

static rf_status refuse_training(const rf_node *node)
{
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "training_mode is true, but elements are not dropped at random");
}

static rf_status infer_dropout(rf_node *node)
{
    const rf_value *in = node->inputs[0];
    RF_TRY(rf_check_single(node, 1, "ratio"));
    RF_TRY(rf_check_single(node, 2, "training_mode"));
    RF_TRY(rf_check_dtype(node, 2, RF_BOOL));
    if (judge_dropout(node) == DROPS)
        return refuse_training(node);
    rf_set_output(node, 0, in->dtype, &in->shape);
    rf_set_output(node, 1, node->opset < 10 ? in->dtype : RF_BOOL, &in->shape);
    return RF_OK;
}

static void link_dropout(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (output == 0 && input == 0) {
        rf_link_broadcast(node, output, input, links);
        return;
    }
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++)
        rf_link_nothing(&links[axis]);
}

static rf_status fill_mask(const rf_node *node, const rf_value *mask)
{
    if (!rf_fold_reads(mask->dtype))
        return rf_fold_refuse(node);
    uint64_t count = rf_elements(&mask->shape);
    for (uint64_t i = 0; i < count; i++)
        rf_store_float(rf_fold_data(mask), mask->dtype, i, 1);
    return RF_OK;
}

static rf_status evaluate_dropout(rf_node *node)
{
    if (judge_dropout(node) != KEEPS)
        return refuse_training(node);
    if (rf_output(node, 1))
        RF_TRY(fill_mask(node, node->outputs[1]));
    return rf_fold_copy(node);
}

static bool lower_dropout(const rf_node *node, rf_task *task)
{
    return judge_dropout(node) == KEEPS && rf_lower_same(node, task);
}

const rf_op rf_op_Dropout = {
    .type = "Dropout", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 2,
    .attributes = dropout_attributes, .defaults = &dropout_defaults, .params_size = sizeof(dropout_params),
    .infer = infer_dropout, .link = link_dropout, .evaluate = evaluate_dropout, .lower = lower_dropout,
    .gradient = rf_gradient_same,
};

/* ---- Cast and CastLike ------------------------------------------------------------------ */

typedef struct cast_params {
    int64_t to, saturate;
} cast_params;

static const cast_params cast_defaults = {.saturate = 1};
static const rf_attribute_spec cast_attributes[] = {
    {"to", RF_ATTRIBUTE_INT, offsetof(cast_params, to), true},
    {"saturate", RF_ATTRIBUTE_INT, offsetof(cast_params, saturate), false},
    {.name = NULL},
};
static const rf_attribute_spec cast_like_attributes[] = {
    {"saturate", RF_ATTRIBUTE_INT, offsetof(cast_params, saturate), false},
    {.name = NULL},
};

static rf_status infer_cast(rf_node *node)
{
    const cast_params *params = node->params;
    if (params->to <= RF_DTYPE_UNDEFINED || params->to > RF_INT4)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "to is %lld, which is no element type from 1 to %d",
                            (long long)params->to, (int)RF_INT4);
    rf_set_output(node, 0, (rf_dtype)params->to, &node->inputs[0]->shape);
    return RF_OK;
}

static rf_status infer_cast_like(rf_node *node)
{
    rf_set_output(node, 0, node->inputs[1]->dtype, &node->inputs[0]->shape);
    return RF_OK;
}

/* An integer as a double that rounds to a shorter float as the integer itself does: what is below the
 * 53 bits of a double is kept as one odd bit. */
static double shortened(rf_dtype dtype, int64_t number)
{
    uint64_t magnitude = dtype != RF_UINT64 && number < 0 ? -(uint64_t)number : (uint64_t)number;
    if (magnitude >> 53)
        magnitude = (magnitude >> 11 | ((magnitude & 0x7ff) != 0)) << 11;
    return dtype != RF_UINT64 && number < 0 ? -(double)magnitude : (double)magnitude;
}

static void convert(const rf_value *in, const rf_value *out, uint64_t i)
{
    void *data = rf_fold_data(out);
    if (out->dtype == RF_BOOL || rf_dtype_is_float(in->dtype) || out->dtype == RF_FLOAT64)
        rf_store_float(data, out->dtype, i, rf_value_float(in, i));
    else if (rf_dtype_is_float(out->dtype))
        rf_store_float(data, out->dtype, i, shortened(in->dtype, rf_value_int(in, i)));
    else
        rf_store_int(data, out->dtype, i, rf_value_int(in, i));
}

static rf_status evaluate_cast(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!out)
        return RF_OK;
    if (out->dtype == in->dtype && in->dtype != RF_STRING)
        return rf_fold_copy(node);
    if (!rf_fold_reads(in->dtype) || !rf_fold_reads(out->dtype))
        return rf_fold_refuse(node);
    uint64_t count = rf_elements(&out->shape);
    for (uint64_t i = 0; i < count; i++)
        convert(in, out, i);
    return RF_OK;
}

/* From one type of floats to another; nothing passes through integers. */
static rf_status gradient_cast(const rf_node *node, rf_gradient *to)
{
    rf_dtype type = node->inputs[0]->dtype;
    const char *dy = rf_gradient_of(to, node, 0);
    if (node->outputs[0]->dtype != type)
        dy = rf_gradient_layer(to, "Cast", RF_NAMES(dy), RF_ATTRIBUTES(RF_INT("to", (int64_t)type)));
    rf_gradient_give(to, node, 0, dy);
    return RF_OK;
}

const rf_op rf_op_Cast = {
    .type = "Cast", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = cast_attributes, .defaults = &cast_defaults, .params_size = sizeof(cast_params),
    .infer = infer_cast, .evaluate = evaluate_cast, .lower = rf_lower_same,
    .gradient = gradient_cast,
};

static void link_cast_like(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 0) {
        rf_link_broadcast(node, output, input, links);
        return;
    }
    for (int32_t axis = 0; axis < node->inputs[1]->shape.rank; axis++)
        rf_link_nothing(&links[axis]);
}

const rf_op rf_op_CastLike = {
    .type = "CastLike", .class = RF_CLASS_OTHER,
    .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
    .attributes = cast_like_attributes, .defaults = &cast_defaults, .params_size = sizeof(cast_params),
    .infer = infer_cast_like, .link = link_cast_like, .evaluate = evaluate_cast, .lower = rf_lower_same,
    .gradient = gradient_cast,
};
