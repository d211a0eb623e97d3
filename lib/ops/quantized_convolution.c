/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of 8-bit integers: ConvInteger gives the sums, QLinearConv
 * scales them back to 8 bits.
 *
 * Sums of such products are exact in double up to 2^37 taps, so the reference
 * of floats serves. They count as a convolution does; zero points are taken off
 * beforehand. QLinearConv takes a multiplication and an addition more for an
 * output, its scale and its zero point.
 */
#include <math.h>

#include "ops/checks.h"
#include "ops/convolution.h"
#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/requantize.h"
#include "ops/table.h"
#include "ops/task.h"

/* Inputs of QLinearConv. */
enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

static const rf_attribute_spec attributes[] = {
    RF_CONVOLUTION_ATTRIBUTES,
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const char *const names[] = {
    "x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point", "B",
};

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_eight_bits(const rf_node *node, uint32_t i)
{
    rf_dtype dtype = node->inputs[i]->dtype;
    if (dtype == RF_INT8 || dtype == RF_UINT8)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "input %u is %s, but must be int8 or uint8", (unsigned)i,
                        rf_dtype_name(dtype));
}

/* One number, or one for each output channel. */
static rf_status check_channels(const rf_node *node, uint32_t i, const char *what)
{
    const rf_convolution *shape = node->state;
    const rf_value *value = rf_input(node, i);
    if (!value || rf_elements(&value->shape) == 1
        || (value->shape.rank == 1 && value->shape.dims[0] == shape->out_channels))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s has shape %s, but one number or [%lld] is needed", what,
                        rf_shape_print(&value->shape).text, (long long)shape->out_channels);
}

/* A zero point has the type of what it is taken off. */
static rf_status check_zero(const rf_node *node, uint32_t i, uint32_t of)
{
    return rf_input(node, i) ? rf_check_same_dtype(node, i, of) : RF_OK;
}

static rf_status infer_integer(rf_node *node)
{
    RF_TRY(check_eight_bits(node, 0));
    RF_TRY(check_eight_bits(node, 1));
    RF_TRY(check_zero(node, 2, 0));
    RF_TRY(check_zero(node, 3, 1));
    RF_TRY(rf_check_single(node, 2, "x_zero_point"));
    RF_TRY(rf_convolution_infer(node, (rf_convolution_operands){1, RF_MANY, false}, RF_INT32));
    return check_channels(node, 3, "w_zero_point");
}

static rf_status infer_linear(rf_node *node)
{
    static const uint32_t scales[] = {X_SCALE, W_SCALE, Y_SCALE}, eights[] = {X, W, Y_ZERO};
    static const uint32_t singles[] = {X_SCALE, X_ZERO, Y_SCALE, Y_ZERO};
    for (size_t i = 0; i < 3; i++)
        RF_TRY(rf_check_dtype(node, scales[i], RF_FLOAT32));
    for (size_t i = 0; i < 3; i++)
        RF_TRY(check_eight_bits(node, eights[i]));
    for (size_t i = 0; i < 4; i++)
        RF_TRY(rf_check_single(node, singles[i], names[singles[i]]));
    RF_TRY(check_zero(node, X_ZERO, X));
    RF_TRY(check_zero(node, W_ZERO, W));
    RF_TRY(rf_check_dtype(node, BIAS, RF_INT32));
    RF_TRY(rf_convolution_infer(node, (rf_convolution_operands){W, BIAS, false}, node->inputs[Y_ZERO]->dtype));
    RF_TRY(check_channels(node, W_SCALE, "w_scale"));
    return check_channels(node, W_ZERO, "w_zero_point");
}

static bool cost_linear(const rf_node *node, rf_cost *cost)
{
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    return rf_convolution_cost(node, cost)
        && rf_add_product(&cost->dense.multiplications, outputs, 1)
        && rf_add_product(&cost->dense.additions, outputs, 1)
        && rf_add_product(&cost->valid.multiplications, outputs, 1)
        && rf_add_product(&cost->valid.additions, outputs, 1);
}

/* ---- Running ---------------------------------------------------------------------------- */

static void store_sums(const rf_convolve *call, int64_t channel, uint64_t at, double *sums, uint64_t count)
{
    (void)channel;
    for (uint64_t i = 0; i < count; i++)
        rf_store_int(rf_fold_data(call->output), RF_INT32, at + i, (int64_t)sums[i]);
}

static bool all_known(const rf_node *node)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] && !node->inputs[i]->data)
            return false;
    return true;
}

static rf_status refuse_unknown(const rf_node *node)
{
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no weights, only their shapes");
}

static rf_status evaluate_integer(rf_node *node)
{
    const rf_value *zero = rf_input(node, 2);
    if (!all_known(node))
        return refuse_unknown(node);
    const rf_convolve call = {.shape = node->state, .x = node->inputs[0], .weight = node->inputs[1],
                              .output = node->outputs[0], .x_zero = zero ? rf_value_float(zero, 0) : 0,
                              .w_zero = rf_input(node, 3), .tally = node->tally, .scratch = node->scratch,
                              .store = store_sums};
    rf_convolve_run(&call);
    return RF_OK;
}

static void store_scaled(const rf_convolve *call, int64_t channel, uint64_t at, double *sums, uint64_t count)
{
    const rf_node *node = call->context;
    const rf_value *bias = rf_input(node, BIAS);
    double addend = bias ? rf_value_float(bias, (uint64_t)channel) : 0;
    double zero = rf_value_float(node->inputs[Y_ZERO], 0);
    double scale = rf_requantize_factor(node->inputs[X_SCALE], node->inputs[W_SCALE], node->inputs[Y_SCALE],
                                        (uint64_t)channel);
    for (uint64_t i = 0; i < count; i++)
        sums[i] = rint((sums[i] + addend) * scale) + zero;
    rf_doubles_write(call->output, at, count, sums);
    if (call->tally) {
        call->tally->multiplications += count;
        call->tally->additions += count;
    }
}

static rf_status evaluate_linear(rf_node *node)
{
    if (!all_known(node))
        return refuse_unknown(node);
    const rf_convolve call = {.shape = node->state, .x = node->inputs[X], .weight = node->inputs[W],
                              .output = node->outputs[0], .x_zero = rf_value_float(node->inputs[X_ZERO], 0),
                              .w_zero = node->inputs[W_ZERO], .context = node, .tally = node->tally,
                              .scratch = node->scratch, .store = store_scaled};
    rf_convolve_run(&call);
    return RF_OK;
}

/* ---- Tasks ------------------------------------------------------------------------------ */

static void lower_sums(const rf_node *node, uint32_t weight, rf_task *task)
{
    const rf_convolution *state = node->state;
    rf_integer_sum *sum = &task->as.integer_sum;
    task->kind = RF_TASK_INTEGER_SUM;
    *sum = (rf_integer_sum){.axes = state->axes, .groups = state->group, .data = node->inputs[0],
                            .weight = node->inputs[weight]};
    memcpy(sum->windows, state->windows, sizeof state->windows);
}

static bool lower_integer(const rf_node *node, rf_task *task)
{
    lower_sums(node, 1, task);
    task->as.integer_sum.data_zero = rf_input(node, 2);
    task->as.integer_sum.weight_zero = rf_input(node, 3);
    return true;
}

static bool lower_linear(const rf_node *node, rf_task *task)
{
    rf_integer_sum *sum = &task->as.integer_sum;
    lower_sums(node, W, task);
    sum->data_zero = node->inputs[X_ZERO];
    sum->weight_zero = node->inputs[W_ZERO];
    sum->bias = rf_input(node, BIAS);
    sum->data_scale = node->inputs[X_SCALE];
    sum->weight_scale = node->inputs[W_SCALE];
    sum->output_scale = node->inputs[Y_SCALE];
    sum->output_zero = node->inputs[Y_ZERO];
    return true;
}

#define QUANTIZED_ROW(type_, least_, most_, parameters_, infer_, cost_, name_)     \
    const rf_op rf_op_##type_ = {                                                  \
        .type = #type_,                                                            \
        .class = RF_CLASS_CONVOLUTION,                                             \
        .min_inputs = least_,                                                      \
        .max_inputs = most_,                                                       \
        .min_outputs = 1,                                                          \
        .max_outputs = 1,                                                          \
        .attributes = attributes,                                                  \
        .defaults = &rf_convolution_defaults,                                      \
        .params_size = sizeof(rf_convolution_params),                              \
        .parameter_inputs = parameters_,                                           \
        .infer = infer_,                                                           \
        .link = rf_convolution_link,                                               \
        .cost = cost_,                                                             \
        .evaluate = evaluate_##name_,                                              \
        .scratch = rf_convolve_scratch,                                            \
        .lower = lower_##name_,                                                    \
    }

QUANTIZED_ROW(ConvInteger, 2, 4, 1 << 1, infer_integer, rf_convolution_cost, integer);
QUANTIZED_ROW(QLinearConv, 8, 9, 1 << W | 1 << BIAS, infer_linear, cost_linear, linear);
