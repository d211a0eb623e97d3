/* SPDX-License-Identifier: MIT */
/*
 * Layers between dequantising and quantising again, which then work on integers.
 *
 * Functions of elements, views, joins and maxima give the same bits as the layers
 * one by one. Sums of products are rounded once instead of after every layer, so
 * that an output may be the neighbouring level where the exact one lies half way
 * between two; a model of exact algorithms leaves them alone.
 */
#include <math.h>
#include <string.h>

#include "plan/plan.h"

/* An operand of a layer: a float32 tensor, or the integers that it is made of. */
typedef struct source {
    rf_value *value;
    rf_levels levels;
    const rf_node *node; /* that dequantises; NULL for floats */
} source;

static bool is_converting(const rf_job *job)
{
    return job->task.kind == RF_TASK_LEVELS && !job->task.as.levels.paired && job->map.function == RF_MAP_NONE;
}

static source source_of(const rf_plan *plan, rf_value *value)
{
    const int32_t j = rf_plan_value_of(plan, value)->job;
    const rf_job *job = j >= 0 ? &plan->jobs[j] : NULL;
    if (job && !job->dead && job->output == value && is_converting(job)
        && job->task.as.levels.output.dtype == RF_FLOAT32)
        return (source){job->inputs[0], job->task.as.levels.inputs[0], job->node};
    return (source){value, {.dtype = RF_FLOAT32}, NULL};
}

static bool same_levels(const rf_levels *a, const rf_levels *b)
{
    return a->dtype == b->dtype && a->scale == b->scale && a->zero == b->zero;
}

static bool is_limit(rf_map map)
{
    return map.function == RF_MAP_NONE || map.function == RF_MAP_RELU || map.function == RF_MAP_CLIP;
}

/* The quantising job does what the one before it did too, from `inputs`; the latter is given up. */
static rf_status absorb(rf_plan *plan, rf_job *job, rf_job *before, const rf_task *task, const source *inputs,
                        uint32_t count)
{
    const rf_node *taken = job->node;
    rf_value **values = RF_TAKE(plan->arena, rf_value *, count);
    if (!values)
        return rf_plan_no_memory(plan);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = inputs[i].value;
        rf_plan_value_of(plan, values[i])->readers++;
    }
    before->dead = true;
    rf_plan_value_of(plan, before->output)->readers = 0;
    job->task = *task;
    job->node = before->node;
    job->inputs = values;
    job->input_count = count;
    job->map = before->map;
    job->fused = before->fused;
    return rf_plan_note_fused(plan, job, taken);
}

/* ---- Functions of elements, and moves ----------------------------------------------------- */

static rf_status fuse_function(rf_plan *plan, rf_job *job, rf_job *before)
{
    const bool paired = before->task.kind == RF_TASK_PAIR;
    source inputs[2] = {source_of(plan, before->inputs[0])};
    rf_task task = {.kind = RF_TASK_LEVELS, .as.levels = {.paired = paired, .output = job->task.as.levels.output}};
    if (!is_limit(before->map) || (paired && before->task.as.pair > RF_PAIR_MUL))
        return RF_OK;
    if (paired) {
        inputs[1] = source_of(plan, before->inputs[1]);
        task.as.levels.pair = before->task.as.pair;
        task.as.levels.inputs[1] = inputs[1].levels;
    }
    task.as.levels.inputs[0] = inputs[0].levels;
    return absorb(plan, job, before, &task, inputs, paired ? 2 : 1);
}

/* Whether nothing but a choice reads what an input of other levels is dequantised to. */
static bool can_change(const rf_plan *plan, const source *input, const rf_value *value)
{
    return input->node && rf_plan_is_eight_bits(input->levels.dtype) && rf_plan_only_producer(plan, value);
}

/* Levels that are quantised anyway after the choice are so before it: the dequantising job does both. */
static rf_status change_levels(rf_plan *plan, const rf_job *job, rf_value *value, source *input)
{
    rf_job *maker = rf_plan_only_producer(plan, value);
    maker->task.as.levels.output = job->task.as.levels.output;
    value->dtype = job->task.as.levels.output.dtype;
    value->bytes = rf_elements(&value->shape);
    *input = (source){value, job->task.as.levels.output, NULL};
    return rf_plan_note_fused(plan, maker, job->node);
}

/* What only chooses among its inputs' elements may as well choose among integers, once all mean the same. */
static rf_status fuse_choice(rf_plan *plan, rf_job *job, rf_job *before)
{
    const uint32_t count = before->task.kind == RF_TASK_JOIN ? before->input_count : 1;
    const rf_levels *output = &job->task.as.levels.output;
    source *inputs = RF_TAKE(plan->arena, source, count);
    const rf_task task = before->task;
    if (!inputs)
        return rf_plan_no_memory(plan);
    for (uint32_t i = 0; i < count; i++) {
        inputs[i] = source_of(plan, before->inputs[i]);
        if (!same_levels(&inputs[i].levels, output)
            && !(rf_plan_is_eight_bits(output->dtype) && output->scale > 0
                 && can_change(plan, &inputs[i], before->inputs[i])))
            return RF_OK;
    }
    for (uint32_t i = 0; i < count; i++)
        if (!same_levels(&inputs[i].levels, output))
            RF_TRY(change_levels(plan, job, before->inputs[i], &inputs[i]));
    return absorb(plan, job, before, &task, inputs, count);
}

static bool is_choice(const rf_job *job)
{
    if (job->map.function != RF_MAP_NONE)
        return false;
    return job->task.kind == RF_TASK_VIEW || job->task.kind == RF_TASK_JOIN
        || (job->task.kind == RF_TASK_POOL && !job->task.as.pool.average && job->task.as.pool.axes <= 2);
}

/* ---- Sums of products --------------------------------------------------------------------- */

/* How constants of 8 bits became the weights of a job. False where they did not, or not channel by channel. */
static bool read_weights(const rf_plan *plan, const rf_value *weight, int32_t axis, rf_integer_sum *sum)
{
    const rf_node *node = weight->producer >= 0 ? &plan->graph->nodes[weight->producer] : NULL;
    rf_task task;
    if (!(weight->data || weight->deferred) || !node || !node->op || !node->op->lower || !node->op->lower(node, &task)
        || task.kind != RF_TASK_LEVELS || task.as.levels.output.dtype != RF_FLOAT32
        || task.as.levels.inputs[0].dtype == RF_FLOAT32 || !node->inputs[0]->data)
        return false;
    if (task.as.levels.axis >= 0 && task.as.levels.axis != axis)
        return false;
    sum->weight = node->inputs[0];
    sum->weight_scale = task.as.levels.scale;
    sum->weight_zero = task.as.levels.zero;
    return true;
}

static bool describe_convolution(const rf_plan *plan, const rf_job *before, rf_integer_sum *sum)
{
    if (before->task.as.convolution.transposed)
        return false;
    sum->axes = before->task.as.convolution.axes;
    sum->groups = before->task.as.convolution.groups;
    memcpy(sum->windows, before->task.as.convolution.windows, sizeof sum->windows);
    sum->added_factor = 1;
    return read_weights(plan, before->inputs[1], 0, sum);
}

static bool describe_product(const rf_plan *plan, const rf_job *before, rf_integer_sum *sum)
{
    const bool transposed = before->task.as.matmul.transpose_b;
    const rf_value *added = before->input_count > 2 ? before->inputs[2] : NULL;
    if (before->task.as.matmul.transpose_a || before->task.as.matmul.alpha != 1
        || before->inputs[1]->shape.rank != 2 || before->inputs[0]->shape.rank < 2
        || (added && !rf_plan_follows_axis(added, &before->output->shape, before->output->shape.rank - 1)))
        return false;
    sum->groups = 1;
    sum->weight_transposed = transposed;
    sum->added_factor = (double)before->task.as.matmul.beta;
    return read_weights(plan, before->inputs[1], transposed ? 0 : 1, sum);
}

static bool describe_sum(const rf_plan *plan, const rf_job *job, const rf_job *before, const source *data,
                         rf_integer_sum *sum)
{
    const rf_value *added = before->input_count > 2 ? before->inputs[2] : NULL;
    *sum = (rf_integer_sum){.data = data->value, .added = added};
    if (!data->node || before->residual || before->scale || before->shift || !is_limit(before->map)
        || isnan(before->map.a) || isnan(before->map.b) || (added && !added->data)
        || !(job->task.as.levels.output.scale > 0))
        return false;
    sum->data_scale = data->node->inputs[1];
    sum->data_zero = rf_input(data->node, 2);
    sum->output_scale = job->node->inputs[1];
    sum->output_zero = rf_input(job->node, 2);
    return before->task.kind == RF_TASK_CONVOLUTION ? describe_convolution(plan, before, sum)
                                                    : describe_product(plan, before, sum);
}

static rf_status fuse_sum(rf_plan *plan, rf_job *job, rf_job *before)
{
    const source data = source_of(plan, before->inputs[0]);
    rf_task task = {.kind = RF_TASK_INTEGER_SUM};
    bool fits = false;
    if (plan->exact || !describe_sum(plan, job, before, &data, &task.as.integer_sum))
        return RF_OK;
    rf_job made = *job;
    made.task = task;
    made.map = before->map;
    RF_TRY(rf_plan_try_integer_sum(plan, &made, &fits));
    return fits ? absorb(plan, job, before, &task, &data, 1) : RF_OK;
}

rf_status rf_plan_fuse_levels(rf_plan *plan, rf_job *job)
{
    if (!is_converting(job) || job->task.as.levels.inputs[0].dtype != RF_FLOAT32)
        return RF_OK;
    rf_job *before = rf_plan_only_producer(plan, job->inputs[0]);
    if (!before || before->task.kind == RF_TASK_NONE)
        return RF_OK;
    switch (before->task.kind) {
    case RF_TASK_PAIR:
    case RF_TASK_MAP:
        return fuse_function(plan, job, before);
    case RF_TASK_CONVOLUTION:
    case RF_TASK_MATMUL:
        return fuse_sum(plan, job, before);
    default:
        return is_choice(before) ? fuse_choice(plan, job, before) : RF_OK;
    }
}
