/* SPDX-License-Identifier: MIT */
/*
 * Batch normalisation.
 *
 * Counting. At inference a multiplication and an addition an element, the
 * statistics folded with scale and bias beforehand. In training it measures
 * its input, as normalization.h says; moving the running statistics counts
 * nothing.
 */
#include <math.h>

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/normalization.h"
#include "ops/table.h"
#include "ops/task.h"

/* Everything but the channels is measured together. */
enum { CHANNEL_AXIS = 1 };
#define MEASURED_AXES (~(UINT32_C(1) << CHANNEL_AXIS))

typedef struct batch_params {
    float epsilon, momentum;
    int64_t is_test, spatial, training_mode;
} batch_params;

static const batch_params batch_defaults = {.epsilon = 1e-5F, .momentum = 0.9F, .spatial = 1};

static const rf_attribute_spec batch_attributes[] = {
    {"epsilon", RF_ATTRIBUTE_FLOAT, offsetof(batch_params, epsilon), false},
    {"momentum", RF_ATTRIBUTE_FLOAT, offsetof(batch_params, momentum), false},
    {"is_test", RF_ATTRIBUTE_INT, offsetof(batch_params, is_test), false},
    {"spatial", RF_ATTRIBUTE_INT, offsetof(batch_params, spatial), false},
    {"training_mode", RF_ATTRIBUTE_INT, offsetof(batch_params, training_mode), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* Before operator set 14, asking for the statistics is what turns training on. */
static bool is_training(const rf_node *node)
{
    const batch_params *params = node->params;
    return params->training_mode != 0 || (node->opset < 14 && node->output_count > 1);
}

static rf_status check_batch_outputs(const rf_node *node)
{
    uint32_t most = is_training(node) ? (node->opset < 14 ? 5 : 3) : 1;
    if (node->output_count <= most)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_GRAPH, "it has %u outputs, but gives at most %u%s",
                        (unsigned)node->output_count, (unsigned)most,
                        most == 1 ? " unless training_mode is set" : "");
}

static rf_status check_batch_inputs(const rf_node *node, int64_t channels)
{
    for (uint32_t i = 1; i < 5; i++) {
        rf_value *value;
        RF_TRY(rf_node_require_real(node, i, rf_norm_inputs[i], &value));
        if (node->opset < 14)
            RF_TRY(rf_node_agree(node, i, rf_norm_inputs[i], node->inputs[0]->dtype));
        RF_TRY(rf_node_vector(node, i, rf_norm_inputs[i], channels));
    }
    return RF_OK;
}

static rf_status infer_batch(rf_node *node)
{
    const batch_params *params = node->params;
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, rf_norm_inputs[0], &x));
    RF_TRY(rf_norm_require_rank(node, &x->shape, 1));
    if (!params->spatial)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "spatial = 0 is not supported");
    RF_TRY(check_batch_outputs(node));
    rf_shape vector = RF_SHAPE(x->shape.rank > 1 ? x->shape.dims[1] : 1);
    if (node->input_count > 1) {
        RF_TRY(check_batch_inputs(node, vector.dims[0]));
    } else {
        RF_TRY(rf_norm_imply_pair(node, &vector));
        RF_TRY(rf_node_imply(node, &vector, true));
        RF_TRY(rf_node_imply(node, &vector, true));
    }
    rf_dtype statistic = node->input_count > 1 ? node->inputs[3]->dtype : x->dtype;
    rf_set_output(node, 0, x->dtype, &x->shape);
    for (uint32_t i = 1; i < node->output_count; i++)
        rf_set_output(node, i, statistic, &vector);
    return RF_OK;
}

static void link_batch(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *x = &node->inputs[0]->shape;
    bool training = is_training(node);
    if (input == 0) {
        rf_norm_link_axes(node, 0, training || output ? MEASURED_AXES : 0, links);
        if (output && x->rank > 1)
            rf_link_same(&links[1], 0);
        return;
    }
    bool read = output == 0 ? input <= 2 || !training : input >= 3;
    if (!read)
        rf_link_nothing(&links[0]);
    else if (x->rank == 1)
        rf_link_all(&links[0]);
    else
        rf_link_same(&links[0], output == 0 ? 1 : 0);
}

static bool cost_batch(const rf_node *node, rf_cost *cost)
{
    const rf_shape *x = &node->inputs[0]->shape;
    uint64_t elements = rf_elements(x);
    if (is_training(node))
        return rf_norm_cost(elements, rf_norm_outside(x, MEASURED_AXES), true, true, cost);
    cost->dense.multiplications = cost->dense.additions = elements;
    cost->valid = cost->dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

/* Elements that follow each other in one channel; all of a vector's are one channel. */
static uint64_t run_of(const rf_shape *x)
{
    uint64_t run = 1;
    for (int32_t axis = x->rank > 1 ? 2 : 0; axis < x->rank; axis++)
        run *= (uint64_t)x->dims[axis];
    return run;
}

static bool scratch_batch(const rf_node *node, uint64_t *bytes)
{
    const rf_shape *x = &node->inputs[0]->shape;
    *bytes = 0;
    if (rf_elements(x) == 0)
        return true;
    return is_training(node) ? rf_norm_scratch(x, MEASURED_AXES, bytes) : rf_doubles_bytes(run_of(x), 0, bytes);
}

static void infer_runs(const rf_node *node)
{
    const batch_params *params = node->params;
    const rf_value *x = node->inputs[0];
    uint64_t elements = rf_elements(&x->shape), run = run_of(&x->shape);
    uint64_t channels = x->shape.rank > 1 ? (uint64_t)x->shape.dims[CHANNEL_AXIS] : 1;
    double *row = node->scratch;
    for (uint64_t at = 0; at < elements; at += run) {
        uint64_t c = at / run % channels;
        double variance = rf_value_float(node->inputs[4], c) + (double)params->epsilon;
        double factor = rf_value_float(node->inputs[1], c) / sqrt(variance);
        double shift = rf_value_float(node->inputs[2], c) - rf_value_float(node->inputs[3], c) * factor;
        rf_doubles_read(x, at, run, row);
        for (uint64_t i = 0; i < run; i++)
            row[i] = row[i] * factor + shift;
        rf_doubles_write(node->outputs[0], at, run, row);
        if (node->tally) {
            node->tally->multiplications += run;
            node->tally->additions += run;
        }
    }
}

/* Moves a running statistic towards what was measured of a channel. */
static void write_statistic(const rf_node *node, uint32_t output, uint32_t running, uint64_t c, double measured)
{
    const batch_params *params = node->params;
    const rf_value *moved = rf_output(node, output), *saved = rf_output(node, output + 2);
    double momentum = (double)params->momentum;
    double mixed = rf_value_float(node->inputs[running], c) * momentum + measured * (1 - momentum);
    if (moved)
        rf_doubles_write(moved, c, 1, &mixed);
    if (saved)
        rf_doubles_write(saved, c, 1, &measured);
}

static void train_channel(const rf_node *node, uint64_t c, double *x, uint64_t count)
{
    const batch_params *params = node->params;
    double epsilon = (double)params->epsilon;
    rf_moments moments = rf_norm_standardize(x, count, epsilon, RF_EPSILON_TO_VARIANCE, node->tally);
    rf_norm_affine(x, count, node->inputs[1], node->inputs[2], c, node->tally);
    write_statistic(node, 1, 3, c, moments.mean);
    write_statistic(node, 2, 4, c, moments.variance);
}

/* Without elements nothing is measured, and the running statistics stay. */
static void keep_statistics(const rf_node *node)
{
    for (uint32_t i = 1; i < node->output_count; i++) {
        const rf_value *output = node->outputs[i];
        uint64_t channels = output ? rf_elements(&output->shape) : 0;
        for (uint64_t c = 0; c < channels; c++) {
            double statistic = rf_value_float(node->inputs[i % 2 ? 3 : 4], c);
            rf_doubles_write(output, c, 1, &statistic);
        }
    }
}

static rf_status evaluate_batch(rf_node *node)
{
    const rf_shape *x = &node->inputs[0]->shape;
    if (node->input_count == 1)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no weights, only their shapes");
    if (!is_training(node) && !rf_output(node, 0))
        return rf_fold_refuse(node);
    if (!is_training(node))
        infer_runs(node);
    else if (rf_elements(x))
        rf_norm_each_group(node, x, MEASURED_AXES, train_channel);
    else
        keep_statistics(node);
    return RF_OK;
}

static bool lower_batch(const rf_node *node, rf_task *task)
{
    const batch_params *params = node->params;
    if (is_training(node) || node->input_count == 1 || node->inputs[0]->shape.rank < 2)
        return false;
    for (uint32_t i = 0; i < 5; i++)
        if (node->inputs[i]->dtype != RF_FLOAT32 || (i && (!node->inputs[i]->constant || !node->inputs[i]->data)))
            return false;
    task->kind = RF_TASK_SCALE;
    task->as.scale.scale = node->inputs[1];
    task->as.scale.shift = node->inputs[2];
    task->as.scale.mean = node->inputs[3];
    task->as.scale.variance = node->inputs[4];
    task->as.scale.epsilon = params->epsilon;
    return true;
}

/* ---- Gradient ----------------------------------------------------------------------------- */

/* A vector of channels, as it multiplies images. */
static const char *per_channel(const rf_node *node, rf_gradient *to, const char *name)
{
    rf_shape shape = {.rank = node->inputs[0]->shape.rank - 1};
    for (int32_t k = 0; k < shape.rank; k++)
        shape.dims[k] = k ? 1 : node->inputs[0]->shape.dims[CHANNEL_AXIS];
    return rf_gradient_reshape(to, name, &shape);
}

/* With given statistics an affine function: dX = dY s / sqrt(v + e), dS = sum dY (x - m) / sqrt(v + e),
 * dB = sum dY. (What training does is described by other operators: training/batch_statistics.c.) */
static rf_status gradient_batch(const rf_node *node, rf_gradient *to)
{
    const batch_params *params = node->params;
    const char *dy = rf_gradient_of(to, node, 0);
    const rf_shape *x = &node->inputs[0]->shape;
    if (is_training(node) || x->rank < 2 || node->input_count < 5)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has a gradient where its statistics are given");
    if (rf_gradient_wanted(to, node, 3) || rf_gradient_wanted(to, node, 4))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient of its statistics");
    const char *variance = rf_gradient_two(to, "Add", node->inputs[4]->name,
                                           rf_gradient_number(to, (double)params->epsilon));
    const char *inverse = rf_gradient_one(to, "Reciprocal", rf_gradient_one(to, "Sqrt", variance));
    const uint32_t others = ((UINT32_C(1) << x->rank) - 1) & MEASURED_AXES;
    if (rf_gradient_wanted(to, node, 0)) {
        const char *factor = rf_gradient_two(to, "Mul", node->inputs[1]->name, inverse);
        rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", dy, per_channel(node, to, factor)));
    }
    if (rf_gradient_wanted(to, node, 1)) {
        const char *centred = rf_gradient_two(to, "Sub", node->inputs[0]->name,
                                              per_channel(node, to, node->inputs[3]->name));
        const char *sum = rf_gradient_sum(to, rf_gradient_two(to, "Mul", dy, centred), others, false);
        rf_gradient_give(to, node, 1, rf_gradient_two(to, "Mul", sum, inverse));
    }
    if (rf_gradient_wanted(to, node, 2))
        rf_gradient_give(to, node, 2, rf_gradient_sum(to, dy, others, false));
    return RF_OK;
}

const rf_op rf_op_BatchNormalization = {
    .type = "BatchNormalization",
    .class = RF_CLASS_BATCH_NORM,
    .min_inputs = 1,
    .max_inputs = 5,
    .min_outputs = 1,
    .max_outputs = 5,
    .attributes = batch_attributes,
    .defaults = &batch_defaults,
    .params_size = sizeof(batch_params),
    .parameter_inputs = 1 << 1 | 1 << 2,
    .statistic_inputs = 1 << 3 | 1 << 4,
    .infer = infer_batch,
    .link = link_batch,
    .cost = cost_batch,
    .evaluate = evaluate_batch,
    .scratch = scratch_batch,
    .lower = lower_batch,
    .gradient = gradient_batch,
};
