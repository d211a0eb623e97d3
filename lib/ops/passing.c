/* SPDX-License-Identifier: MIT */
/* Operators that let every element through: Identity, Dropout, and changes of type. */
#include "ops/table.h"

#include <stddef.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/fold.h"

const rf_op rf_op_Identity = {
    .type = "Identity", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .copies_weights = true, .infer = rf_infer_same, .evaluate = rf_fold_copy,
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

static rf_status infer_dropout(rf_node *node)
{
    const rf_value *in = node->inputs[0];
    RF_TRY(rf_check_single(node, 1, "ratio"));
    RF_TRY(rf_check_single(node, 2, "training_mode"));
    RF_TRY(rf_check_dtype(node, 2, RF_BOOL));
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

static rf_status evaluate_dropout(rf_node *node)
{
    if (rf_output(node, 1) || rf_input(node, 2))
        return rf_fold_refuse(node);
    return rf_fold_copy(node);
}

const rf_op rf_op_Dropout = {
    .type = "Dropout", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 2,
    .attributes = dropout_attributes, .defaults = &dropout_defaults, .params_size = sizeof(dropout_params),
    .infer = infer_dropout, .link = link_dropout, .evaluate = evaluate_dropout,
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

static void convert(const rf_value *in, const rf_value *out, uint64_t i)
{
    if (out->dtype == RF_BOOL)
        rf_store_int(rf_fold_data(out), RF_BOOL, i, rf_value_float(in, i) != 0);
    else if (rf_dtype_is_float(in->dtype))
        rf_store_float(rf_fold_data(out), out->dtype, i, rf_value_float(in, i));
    else if (rf_dtype_is_float(out->dtype))
        rf_store_float(rf_fold_data(out), out->dtype, i, (double)rf_value_int(in, i));
    else
        rf_store_int(rf_fold_data(out), out->dtype, i, rf_value_int(in, i));
}

static rf_status evaluate_cast(rf_node *node)
{
    const rf_value *in = node->inputs[0], *out = rf_output(node, 0);
    if (!out || !rf_fold_reads(in->dtype) || !rf_fold_reads(out->dtype))
        return rf_fold_refuse(node);
    uint64_t count = rf_elements(&out->shape);
    for (uint64_t i = 0; i < count; i++)
        convert(in, out, i);
    return RF_OK;
}

const rf_op rf_op_Cast = {
    .type = "Cast", .class = RF_CLASS_OTHER,
    .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
    .attributes = cast_attributes, .defaults = &cast_defaults, .params_size = sizeof(cast_params),
    .infer = infer_cast, .evaluate = evaluate_cast,
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
    .infer = infer_cast_like, .link = link_cast_like, .evaluate = evaluate_cast,
};
