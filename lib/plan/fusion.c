/* SPDX-License-Identifier: MIT */
/*
 * Jobs that can be done while another stores its result.
 *
 * A job that takes over what follows it moves to the place of what it took
 * over, so that everything which that reads is made before. The job given up is
 * marked dead, and what it put out is never stored.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan.h"

/* ---- Finding partners --------------------------------------------------------------------- */

/* The job that makes a value which only one job reads. */
rf_job *rf_plan_only_producer(const rf_plan *plan, const rf_value *value)
{
    const rf_plan_value *known = rf_plan_value_of(plan, value);
    if (known->job < 0 || known->readers != 1 || known->output >= 0)
        return NULL;
    rf_job *job = &plan->jobs[known->job];
    return job->dead || job->output != value ? NULL : job;
}

/* A product with a constant matrix, plus at most one number a column. */
static bool is_dense_layer(const rf_job *job)
{
    if (job->task.kind != RF_TASK_MATMUL || !job->inputs[1]->data || job->inputs[1]->shape.rank != 2)
        return false;
    const rf_value *added = job->input_count > 2 ? job->inputs[2] : NULL;
    return !added || rf_plan_follows_axis(added, &job->output->shape, job->output->shape.rank - 1);
}

/* Kernels with room for a residual and a bias. */
static bool sums_products(const rf_job *job)
{
    return job->task.kind == RF_TASK_CONVOLUTION || is_dense_layer(job);
}

static bool stores_maps(const rf_job *job)
{
    rf_task_kind kind = job->task.kind;
    return sums_products(job) || kind == RF_TASK_MATMUL || kind == RF_TASK_PAIR || kind == RF_TASK_SCALE || kind == RF_TASK_POOL;
}

/* The axis of a job's output that its scale and shift run along; -1 where it takes none. */
static int32_t scaled_axis(const rf_job *job)
{
    if (job->task.kind == RF_TASK_SCALE)
        return job->map.function == RF_MAP_NONE ? 1 : -1;
    if (!sums_products(job) || job->residual || job->map.function != RF_MAP_NONE)
        return -1;
    if (job->task.kind == RF_TASK_CONVOLUTION && !rf_plan_has_constants(job))
        return -1; /* what it folds in, it folds into constants */
    return job->task.kind == RF_TASK_CONVOLUTION ? 1 : job->output->shape.rank - 1;
}

/* ---- Taking over -------------------------------------------------------------------------- */

rf_status rf_plan_note_fused(rf_plan *plan, rf_job *job, const rf_node *taken)
{
    char text[128];
    int length = snprintf(text, sizeof text, "%s%s%.40s", job->fused, *job->fused ? ", " : "", taken->layer->type);
    size_t bytes = length < (int)sizeof text ? (size_t)length : sizeof text - 1;
    job->fused = rf_arena_text(plan->arena, text, bytes);
    return job->fused ? RF_OK : rf_plan_no_memory(plan);
}

/* `first` goes on in the place of `second`, which it does as well. */
static rf_status take_over(rf_plan *plan, rf_job *first, rf_job *second)
{
    const rf_node *taken = second->node;
    rf_job merged = *first;
    merged.output = second->output;
    first->dead = true;
    rf_plan_value_of(plan, first->output)->readers = 0;
    *second = merged;
    rf_plan_value_of(plan, merged.output)->job = (int32_t)(second - plan->jobs);
    return rf_plan_note_fused(plan, second, taken);
}

static rf_status fuse_map(rf_plan *plan, rf_job *job)
{
    rf_job *before = rf_plan_only_producer(plan, job->inputs[0]);
    if (!before || !stores_maps(before) || before->map.function != RF_MAP_NONE)
        return RF_OK;
    rf_map map = job->map;
    RF_TRY(take_over(plan, before, job));
    job->map = map;
    return RF_OK;
}

/* A residual is added after everything that is folded into the weights. */
static bool takes_residual(const rf_job *job, const rf_value *output)
{
    return job && sums_products(job) && !job->residual && job->map.function == RF_MAP_NONE
        && rf_shape_equal(&job->output->shape, &output->shape);
}

static rf_status fuse_addition(rf_plan *plan, rf_job *job)
{
    rf_job *chosen = NULL;
    uint32_t other = 0;
    for (uint32_t i = 0; i < 2; i++) {
        rf_job *maker = rf_plan_only_producer(plan, job->inputs[i]);
        if (!takes_residual(maker, job->output) || job->inputs[1 - i]->data
            || !rf_shape_equal(&job->inputs[1 - i]->shape, &job->output->shape) || (chosen && maker < chosen))
            continue;
        chosen = maker;
        other = 1 - i;
    }
    if (!chosen)
        return RF_OK;
    const rf_value *residual = job->inputs[other];
    RF_TRY(take_over(plan, chosen, job));
    job->residual = residual;
    return RF_OK;
}

/* ---- Scales and shifts -------------------------------------------------------------------- */

static double number_at(const rf_value *value, int64_t channel)
{
    return rf_value_float(value, rf_elements(&value->shape) == 1 ? 0 : (uint64_t)channel);
}

/* The affine function of each channel that a job applies: scale x + shift. */
static bool channel_function(const rf_job *job, uint32_t data, int64_t channel, double *scale, double *shift)
{
    if (job->task.kind == RF_TASK_SCALE) {
        double deviation = sqrt(number_at(job->task.as.scale.variance, channel) + (double)job->task.as.scale.epsilon);
        *scale = number_at(job->task.as.scale.scale, channel) / deviation;
        *shift = number_at(job->task.as.scale.shift, channel) - number_at(job->task.as.scale.mean, channel) * *scale;
        return true;
    }
    double number = number_at(job->inputs[1 - data], channel);
    *scale = 1;
    *shift = 0;
    switch (job->task.as.pair) {
    case RF_PAIR_ADD:
        *shift = number;
        return true;
    case RF_PAIR_SUB:
        *scale = data == 0 ? 1 : -1;
        *shift = data == 0 ? -number : number;
        return true;
    case RF_PAIR_MUL:
        *scale = number;
        return true;
    case RF_PAIR_DIV:
        *scale = 1 / number;
        return data == 0;
    default:
        return false;
    }
}

/* Which input of a pair is the data, the other being constant along `axis`; 2 for neither. */
static uint32_t data_input(const rf_job *job, int32_t axis)
{
    if (job->task.kind == RF_TASK_SCALE)
        return axis == 1 ? 0 : 2;
    for (uint32_t i = 0; i < 2; i++)
        if (!job->inputs[i]->data && rf_shape_equal(&job->inputs[i]->shape, &job->output->shape)
            && rf_plan_follows_axis(job->inputs[1 - i], &job->output->shape, axis))
            return i;
    return 2;
}

static rf_status take_channels(rf_plan *plan, int64_t channels, float **scale, float **shift)
{
    *scale = RF_TAKE(plan->arena, float, (size_t)channels);
    *shift = RF_TAKE(plan->arena, float, (size_t)channels);
    return *scale && *shift ? RF_OK : rf_plan_no_memory(plan);
}

/* y = s (S x + T) + t */
static rf_status fold_channels(rf_plan *plan, const rf_job *job, uint32_t data, int32_t axis, const rf_job *before,
                               const float **scale, const float **shift, bool *folded)
{
    int64_t channels = job->output->shape.dims[axis];
    float *scales, *shifts;
    *folded = false;
    RF_TRY(take_channels(plan, channels, &scales, &shifts));
    for (int64_t c = 0; c < channels; c++) {
        double s, t, inner = before && before->shift ? (double)before->shift[c] : 0;
        if (!channel_function(job, data, c, &s, &t))
            return RF_OK;
        scales[c] = (float)(s * (before && before->scale ? (double)before->scale[c] : 1));
        shifts[c] = (float)(s * inner + t);
        /* Infinity times a sum is not the sum of its products with infinity. */
        if (!isfinite(scales[c]))
            return RF_OK;
    }
    *scale = scales;
    *shift = shifts;
    *folded = true;
    return RF_OK;
}

static rf_status fuse_channels(rf_plan *plan, rf_job *job)
{
    for (uint32_t i = 0; i < (job->task.kind == RF_TASK_SCALE ? 1u : 2u); i++) {
        rf_job *before = rf_plan_only_producer(plan, job->inputs[i]);
        int32_t axis = before ? scaled_axis(before) : -1;
        if (axis < 0 || data_input(job, axis) != i)
            continue;
        const float *scale = NULL, *shift = NULL;
        bool folded;
        RF_TRY(fold_channels(plan, job, i, axis, before, &scale, &shift, &folded));
        if (!folded)
            return RF_OK;
        RF_TRY(take_over(plan, before, job));
        job->scale = scale;
        job->shift = shift;
        return RF_OK;
    }
    return RF_OK;
}

/* A batch normalisation that stands alone keeps its numbers ready. */
static rf_status prepare_scale(rf_plan *plan, rf_job *job)
{
    bool folded;
    RF_TRY(fold_channels(plan, job, 0, 1, NULL, &job->scale, &job->shift, &folded));
    if (!folded)
        job->task = (rf_task){.kind = RF_TASK_NONE};
    return RF_OK;
}

/* ---- Functions of one tensor in several layers -------------------------------------------- */

static rf_status set_map(rf_plan *plan, rf_job *job, rf_map map, rf_value *input)
{
    job->inputs = RF_TAKE(plan->arena, rf_value *, 1);
    if (!job->inputs)
        return rf_plan_no_memory(plan);
    job->inputs[0] = input;
    job->input_count = 1;
    job->task = (rf_task){.kind = RF_TASK_MAP};
    job->map = map;
    return RF_OK;
}

static bool is_near(float a, double b)
{
    return fabs((double)a - b) < 1e-7;
}

/* A quotient is rounded once, the product with a reciprocal that is rounded too twice: what a network
 * then rounds down must not change. */
static bool multiplies_exactly(const rf_job *job, double factor)
{
    int exponent;
    return job->task.as.pair != RF_PAIR_DIV || (isnormal((float)factor) && fabs(frexp(factor, &exponent)) == 0.5);
}

/* A pair of which one side is a single number is a function of the other. */
static rf_status pair_to_map(rf_plan *plan, rf_job *job)
{
    for (uint32_t i = 0; i < 2; i++) {
        const rf_value *number = job->inputs[1 - i];
        double a, b;
        if (!number->data || job->inputs[i]->data || rf_elements(&number->shape) != 1
            || !rf_shape_equal(&job->inputs[i]->shape, &job->output->shape) || !channel_function(job, i, 0, &a, &b)
            || !multiplies_exactly(job, a))
            continue;
        rf_map map = {RF_MAP_AFFINE, (float)a, (float)b};
        return set_map(plan, job, map, job->inputs[i]);
    }
    return RF_OK;
}

/* Whether a value is clip(x + 3, 0, 6), made for one reader; what x is. */
static bool is_six_sigmoid(const rf_plan *plan, const rf_value *value, rf_value **x)
{
    const rf_job *clip = rf_plan_only_producer(plan, value);
    if (!clip || clip->task.kind != RF_TASK_MAP || clip->map.function != RF_MAP_CLIP || !is_near(clip->map.a, 0)
        || !is_near(clip->map.b, 6))
        return false;
    const rf_job *sum = rf_plan_only_producer(plan, clip->inputs[0]);
    if (!sum || sum->task.kind != RF_TASK_MAP || sum->map.function != RF_MAP_AFFINE || !is_near(sum->map.a, 1)
        || !is_near(sum->map.b, 3))
        return false;
    *x = sum->inputs[0];
    return true;
}

/* Takes away the jobs between `x` and a value that nothing reads any more. */
static void drop_chain(rf_plan *plan, const rf_value *value, const rf_value *x)
{
    while (value != x) {
        rf_plan_value *known = rf_plan_value_of(plan, value);
        rf_job *job = &plan->jobs[known->job];
        known->readers = 0;
        job->dead = true;
        value = job->inputs[0];
    }
    rf_plan_value_of(plan, x)->readers--;
}

/* Whether a job divides input 0 by 6, or multiplies it by a sixth. */
static bool takes_sixth(const rf_job *job)
{
    if (job->task.kind == RF_TASK_MAP)
        return job->map.function == RF_MAP_AFFINE && is_near(job->map.a, 1.0 / 6) && job->map.b == 0;
    return job->task.kind == RF_TASK_PAIR && job->task.as.pair == RF_PAIR_DIV && job->inputs[1]->data
        && rf_elements(&job->inputs[1]->shape) == 1 && number_at(job->inputs[1], 0) == 6
        && rf_shape_equal(&job->inputs[0]->shape, &job->output->shape);
}

/* The layers that exporters write for a hard sigmoid and a hard swish end with a division by 6. */
static rf_status merge_sixth(rf_plan *plan, rf_job *job)
{
    if (!takes_sixth(job))
        return RF_OK;
    rf_value *x, *input = job->inputs[0];
    if (is_six_sigmoid(plan, input, &x)) {
        drop_chain(plan, input, x);
        rf_plan_value_of(plan, x)->readers++;
        return set_map(plan, job, (rf_map){RF_MAP_HARD_SIGMOID, 1.0f / 6, 0.5f}, x);
    }
    rf_job *product = rf_plan_only_producer(plan, input);
    if (!product || product->task.kind != RF_TASK_PAIR || product->task.as.pair != RF_PAIR_MUL
        || product->map.function != RF_MAP_NONE)
        return RF_OK;
    for (uint32_t i = 0; i < 2; i++) {
        if (!is_six_sigmoid(plan, product->inputs[i], &x) || product->inputs[1 - i] != x)
            continue;
        drop_chain(plan, product->inputs[i], x);
        product->dead = true;
        rf_plan_value_of(plan, input)->readers = 0;
        return set_map(plan, job, (rf_map){RF_MAP_HARD_SWISH, 0, 0}, x);
    }
    return RF_OK;
}

/* x sigmoid(x), and the same with a hard sigmoid. */
static rf_status fuse_gate(rf_plan *plan, rf_job *job)
{
    for (uint32_t i = 0; i < 2; i++) {
        rf_job *gate = rf_plan_only_producer(plan, job->inputs[i]);
        rf_value *x = job->inputs[1 - i];
        if (!gate || gate->task.kind != RF_TASK_MAP || gate->inputs[0] != x
            || !rf_shape_equal(&x->shape, &job->output->shape))
            continue;
        rf_map map = {RF_MAP_SILU, 0, 0};
        if (gate->map.function == RF_MAP_HARD_SIGMOID && is_near(gate->map.a, 1.0 / 6) && is_near(gate->map.b, 0.5))
            map.function = RF_MAP_HARD_SWISH;
        else if (gate->map.function != RF_MAP_SIGMOID)
            continue;
        const rf_node *taken = gate->node;
        drop_chain(plan, gate->output, x);
        RF_TRY(set_map(plan, job, map, x));
        return rf_plan_note_fused(plan, job, taken);
    }
    return RF_OK;
}

static rf_status fuse_pair(rf_plan *plan, rf_job *job)
{
    if (job->task.as.pair == RF_PAIR_MUL)
        RF_TRY(fuse_gate(plan, job));
    if (job->task.kind == RF_TASK_PAIR)
        RF_TRY(fuse_channels(plan, job));
    if (job->task.kind == RF_TASK_PAIR && job->task.as.pair == RF_PAIR_ADD)
        RF_TRY(fuse_addition(plan, job));
    if (job->task.kind == RF_TASK_PAIR)
        RF_TRY(pair_to_map(plan, job));
    return RF_OK;
}

static rf_status fuse_job(rf_plan *plan, rf_job *job)
{
    RF_TRY(rf_plan_fuse_pad(plan, job));
    RF_TRY(rf_plan_fuse_factors(plan, job));
    if (job->task.kind == RF_TASK_SCALE) {
        RF_TRY(fuse_channels(plan, job));
        return job->scale ? RF_OK : prepare_scale(plan, job);
    }
    if (job->task.kind == RF_TASK_PAIR)
        RF_TRY(fuse_pair(plan, job));
    if (job->task.kind == RF_TASK_LEVELS)
        return rf_plan_fuse_levels(plan, job);
    RF_TRY(merge_sixth(plan, job));
    return job->task.kind == RF_TASK_MAP ? fuse_map(plan, job) : RF_OK;
}

rf_status rf_plan_fuse(rf_plan *plan)
{
    for (size_t j = 0; j < plan->job_count; j++)
        if (!plan->jobs[j].dead)
            RF_TRY(fuse_job(plan, &plan->jobs[j]));
    rf_plan_count_readers(plan);
    return RF_OK;
}
