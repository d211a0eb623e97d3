/* SPDX-License-Identifier: MIT */
/*
 * Jobs that compute: the spec of each, and how its kernel comes by operands that
 * it can take. A kernel that refuses strides is asked again with copies that
 * have no gaps; a job that none takes falls to the reference.
 */
#include <string.h>

#include "plan/plan.h"
#include "plan/tuning.h"

enum { MOST_OPERANDS = 5 };

/* What a job reads and writes: inputs, then the output, then the residual and the factors, then weights that
 * are packed in the run. */
typedef struct attempt {
    rf_plan *plan;
    const rf_job *job;
    rf_slot slots[MOST_OPERANDS];
    uint32_t inputs, count;
    bool adds;                 /* what a matrix product adds is a residual: not one known number a column */
    const float *bias, *scale; /* made ready by `prepare` */
    rf_work work;
    rf_work join;    /* the second of two works, with so many floats between them; none for most jobs */
    int64_t between;
} attempt;

static const rf_strided *form_of(const attempt *it, uint32_t i)
{
    return &it->slots[i].form;
}

static rf_epilogue epilogue_of(const attempt *it)
{
    return (rf_epilogue){.residual = it->job->residual || it->adds, .map = it->job->map};
}

/* ---- Convolutions and matrix products ----------------------------------------------------- */

/* scale * bias + shift, where there is any of them. */
static rf_status prepare_bias(attempt *it, const rf_value *added, double factor, int64_t channels)
{
    const rf_job *job = it->job;
    it->scale = job->scale;
    it->bias = job->shift;
    if (!added)
        return RF_OK;
    float *bias = RF_TAKE(it->plan->arena, float, (size_t)channels);
    if (!bias)
        return rf_plan_no_memory(it->plan);
    bool single = rf_elements(&added->shape) == 1;
    for (int64_t c = 0; c < channels; c++)
        bias[c] = (float)(factor * rf_value_float(added, single ? 0 : (uint64_t)c) * (job->scale ? (double)job->scale[c] : 1)
                          + (job->shift ? (double)job->shift[c] : 0));
    it->bias = bias;
    return RF_OK;
}

static bool try_convolution(attempt *it)
{
    const rf_job *job = it->job;
    rf_convolution_spec spec = {
        .axes = job->task.as.convolution.axes,
        .transposed = job->task.as.convolution.transposed,
        .groups = job->task.as.convolution.groups,
        .input = *form_of(it, 0),
        .output = *form_of(it, 1),
        .weights = rf_plan_has_constants(job) ? job->inputs[1]->data : NULL,
        .scale = it->scale,
        .bias = it->bias,
        .epilogue = epilogue_of(it),
        .factors = job->factors != NULL,
        .exact = it->plan->exact,
        .bfloat16 = it->plan->bfloat16,
    };
    memcpy(spec.windows, job->task.as.convolution.windows, sizeof spec.windows);
    if (job->residual)
        spec.residual = *form_of(it, 2);
    if (job->factors)
        spec.factor_stride = form_of(it, it->count - 1)->strides[1];
    else
        spec.candidate = rf_plan_tune(it->plan, &spec);
    return it->plan->kernels->convolution(&spec, it->plan->arena, &it->work);
}

static void swap_last(rf_strided *form)
{
    int32_t m = form->rank - 2, n = form->rank - 1;
    int64_t dim = form->dims[m], stride = form->strides[m];
    form->dims[m] = form->dims[n];
    form->strides[m] = form->strides[n];
    form->dims[n] = dim;
    form->strides[n] = stride;
}

/* A's, or B's, batch axes broadcast to the output's; its matrices as they are. */
static rf_strided matrix_form(const rf_strided *form, const rf_strided *output, bool transpose)
{
    rf_strided own = *form;
    if (transpose)
        swap_last(&own);
    rf_shape shape = {.rank = output->rank};
    memcpy(shape.dims, output->dims, sizeof shape.dims);
    for (int32_t k = 1; k <= 2; k++)
        shape.dims[shape.rank - k] = own.dims[own.rank - k];
    return rf_strided_broadcast(&own, &shape);
}

static bool try_matmul(attempt *it)
{
    const rf_job *job = it->job;
    const rf_value *b = job->inputs[1];
    bool constant = b->data && b->shape.rank == 2;
    rf_matmul_spec spec = {
        .output = *form_of(it, it->inputs),
        .alpha = job->task.as.matmul.alpha,
        .constant = constant ? b->data : NULL,
        .bfloat16 = it->plan->bfloat16,
        .scale = it->scale,
        .bias = it->bias,
        .epilogue = epilogue_of(it),
    };
    spec.a = matrix_form(form_of(it, 0), &spec.output, job->task.as.matmul.transpose_a);
    rf_strided dense = rf_strided_dense(&b->shape, RF_ORDER_ROWS);
    spec.b = matrix_form(constant ? &dense : form_of(it, 1), &spec.output, job->task.as.matmul.transpose_b);
    if (spec.epilogue.residual)
        spec.residual = *form_of(it, it->inputs + 1);
    if (constant) {
        spec.b = dense;
        if (job->task.as.matmul.transpose_b)
            swap_last(&spec.b);
        if (!rf_strided_flatten_rows(&spec.a, &spec.a) || !rf_strided_flatten_rows(&spec.output, &spec.output)
            || (spec.epilogue.residual && !rf_strided_flatten_rows(&spec.residual, &spec.residual)))
            return false;
    }
    return it->plan->kernels->matmul(&spec, it->plan->arena, &it->work);
}

/* ---- The others --------------------------------------------------------------------------- */

static bool try_pool(attempt *it)
{
    const rf_job *job = it->job;
    rf_pool_spec spec = {
        .dtype = it->slots[0].dtype,
        .axes = job->task.as.pool.axes,
        .average = job->task.as.pool.average,
        .count_include_pad = job->task.as.pool.count_include_pad,
        .input = *form_of(it, 0),
        .output = *form_of(it, 1),
        .map = job->map,
    };
    memcpy(spec.windows, job->task.as.pool.windows, sizeof spec.windows);
    return it->plan->kernels->pool(&spec, it->plan->arena, &it->work);
}

static bool try_map(attempt *it)
{
    rf_map_spec spec = {.input = *form_of(it, 0), .output = *form_of(it, 1), .map = it->job->map};
    return it->plan->kernels->map(&spec, it->plan->arena, &it->work);
}

static bool try_pair(attempt *it)
{
    const rf_shape *shape = &it->job->output->shape;
    rf_pair_spec spec = {
        .function = it->job->task.as.pair,
        .first = rf_strided_broadcast(form_of(it, 0), shape),
        .second = rf_strided_broadcast(form_of(it, 1), shape),
        .output = *form_of(it, 2),
        .map = it->job->map,
    };
    return it->plan->kernels->pair(&spec, it->plan->arena, &it->work);
}

static bool try_levels(attempt *it)
{
    const rf_job *job = it->job;
    const rf_shape *shape = &job->output->shape;
    rf_levels_spec spec = {
        .paired = job->task.as.levels.paired,
        .function = job->task.as.levels.pair,
        .map = job->map,
        .levels = {job->task.as.levels.inputs[0], job->task.as.levels.inputs[1], job->task.as.levels.output},
        .first = rf_strided_broadcast(form_of(it, 0), shape),
        .output = *form_of(it, it->inputs),
    };
    if (spec.paired)
        spec.second = rf_strided_broadcast(form_of(it, 1), shape);
    return it->plan->kernels->levels(&spec, it->plan->arena, &it->work);
}

static bool try_scale(attempt *it)
{
    rf_scale_spec spec = {
        .input = *form_of(it, 0), .output = *form_of(it, 1), .scale = it->job->scale, .shift = it->job->shift,
        .map = it->job->map,
    };
    return it->plan->kernels->scale(&spec, it->plan->arena, &it->work);
}

static bool try_reduce(attempt *it)
{
    rf_reduce_spec spec = {
        .function = it->job->task.as.reduce.function, .axes = it->job->task.as.reduce.axes, .input = *form_of(it, 0),
    };
    const rf_strided *output = form_of(it, 1);
    spec.output = (rf_strided){.rank = spec.input.rank};
    bool kept = output->rank == spec.input.rank;
    for (int32_t k = 0, next = 0; k < spec.input.rank; k++) {
        bool reduced = spec.axes >> k & 1;
        spec.output.dims[k] = reduced ? 1 : spec.input.dims[k];
        spec.output.strides[k] = reduced && !kept ? 1 : output->strides[kept ? k : next];
        next += !reduced;
    }
    if (rf_plan_reduce_parts(it->plan, &spec, &it->work, &it->join, &it->between))
        return true;
    it->between = 0;
    return it->plan->kernels->reduce(&spec, it->plan->arena, &it->work);
}

static bool try_softmax(attempt *it)
{
    rf_softmax_spec spec = {
        .first = it->job->task.as.softmax.first, .last = it->job->task.as.softmax.last,
        .logarithm = it->job->task.as.softmax.logarithm, .input = *form_of(it, 0), .output = *form_of(it, 1),
    };
    return it->plan->kernels->softmax(&spec, it->plan->arena, &it->work);
}

static bool try_resample(attempt *it)
{
    rf_resample_spec spec = {.input = *form_of(it, 0), .output = *form_of(it, 1)};
    memcpy(spec.taps, it->job->task.as.resample, sizeof spec.taps);
    return it->plan->kernels->resample(&spec, it->plan->arena, &it->work);
}

/* ---- Gradients ---------------------------------------------------------------------------- */

static bool try_slope(attempt *it)
{
    rf_slope_spec spec = {
        .gradient = *form_of(it, 0), .x = *form_of(it, 1), .output = *form_of(it, 2),
        .map = it->job->task.as.slope.map, .of_output = it->job->task.as.slope.of_output,
    };
    return it->plan->kernels->slope(&spec, it->plan->arena, &it->work);
}

static bool try_pool_gradient(attempt *it)
{
    const rf_task *task = &it->job->task;
    rf_pool_gradient_spec spec = {
        .axes = task->as.pool.axes,
        .average = task->as.pool.average,
        .count_include_pad = task->as.pool.count_include_pad,
        .gradient = *form_of(it, 0),
        .output = *form_of(it, it->inputs),
    };
    if (!spec.average)
        spec.input = *form_of(it, 1);
    memcpy(spec.windows, task->as.pool.windows, sizeof spec.windows);
    return it->plan->kernels->pool_gradient(&spec, it->plan->arena, &it->work);
}

static bool try_weight_gradient(attempt *it)
{
    rf_weight_gradient_work both;
    rf_weight_gradient_spec spec = {
        .axes = it->job->task.as.weight_gradient.axes,
        .groups = it->job->task.as.weight_gradient.groups,
        .input = *form_of(it, 0),
        .gradient = *form_of(it, 1),
        .output = *form_of(it, 2),
    };
    memcpy(spec.windows, it->job->task.as.weight_gradient.windows, sizeof spec.windows);
    if (!it->plan->kernels->weight_gradient(&spec, it->plan->arena, &both))
        return false;
    it->work = both.sum;
    it->join = both.join;
    it->between = both.partial_floats;
    return true;
}

/* ---- Attempts ----------------------------------------------------------------------------- */

/* How a kind of job is tried, how many of its inputs are operands, and whether channels go last
 * in what it puts out whatever it reads. */
typedef struct manner {
    bool (*attempt)(attempt *it);
    uint32_t inputs;
    bool makes_channels_last, in_place;
} manner;

static const manner manners[RF_TASK_KINDS] = {
    [RF_TASK_CONVOLUTION] = {try_convolution, 1, true, false},
    [RF_TASK_POOL] = {try_pool, 1, true, false},
    [RF_TASK_RESAMPLE] = {try_resample, 1, true, false},
    [RF_TASK_MATMUL] = {try_matmul, 2, false, false},
    [RF_TASK_MAP] = {try_map, 1, false, true},
    [RF_TASK_PAIR] = {try_pair, 2, false, true},
    [RF_TASK_LEVELS] = {try_levels, 1, false, false},
    [RF_TASK_SCALE] = {try_scale, 1, false, true},
    [RF_TASK_REDUCE] = {try_reduce, 1, false, false},
    [RF_TASK_SOFTMAX] = {try_softmax, 1, false, true},
    [RF_TASK_SLOPE] = {try_slope, 2, false, true},
    [RF_TASK_WEIGHT_GRADIENT] = {try_weight_gradient, 2, true, false},
    [RF_TASK_POOL_GRADIENT] = {try_pool_gradient, 2, true, false},
};

/* What a matrix product adds is folded into its kernel where it is one known number a column. */
static bool adds_elsewise(const rf_job *job)
{
    const rf_value *added = job->task.kind == RF_TASK_MATMUL && job->input_count > 2 ? job->inputs[2] : NULL;
    return added && !rf_plan_follows_axis(added, &job->output->shape, job->output->shape.rank - 1);
}

/* Multiplies what lies without gaps by a factor, in memory of its own. */
static rf_status multiply(attempt *it, rf_slot *slot, float factor)
{
    rf_slot from = *slot;
    rf_work work;
    RF_TRY(rf_plan_temporary(it->plan, RF_FLOAT32, &from.form, slot));
    const rf_map_spec spec = {.input = from.form, .output = slot->form, .map = {RF_MAP_AFFINE, factor, 0}};
    if (!it->plan->kernels->map(&spec, it->plan->arena, &work))
        return rf_plan_no_memory(it->plan);
    const rf_slot slots[] = {from, *slot};
    return rf_plan_add_silent_step(it->plan, it->job, &work, slots, 2);
}

/* beta C, broadcast to the output, is added to each element. */
static rf_status gather_added(attempt *it)
{
    const rf_job *job = it->job;
    rf_slot *slot = &it->slots[it->count++];
    it->adds = true;
    RF_TRY(rf_plan_dense_slot(it->plan, job, job->inputs[2], slot));
    if (job->task.as.matmul.beta != 1)
        RF_TRY(multiply(it, slot, job->task.as.matmul.beta));
    slot->form = rf_strided_broadcast(&slot->form, &job->output->shape);
    return RF_OK;
}

/* Batch axes of a rank that nothing else has are put before those of the smaller operand. */
static rf_status gather_operands(attempt *it, const manner *how)
{
    const rf_job *job = it->job;
    it->inputs = how->inputs;
    if (job->task.kind == RF_TASK_MATMUL && job->inputs[1]->data && job->inputs[1]->shape.rank == 2)
        it->inputs = 1;
    if (job->task.kind == RF_TASK_LEVELS && job->task.as.levels.paired)
        it->inputs = 2;
    if (job->task.kind == RF_TASK_POOL_GRADIENT && job->task.as.pool.average)
        it->inputs = 1;
    for (uint32_t i = 0; i < it->inputs; i++)
        RF_TRY(rf_plan_slot(it->plan, job->inputs[i], &it->slots[i]));
    it->count = it->inputs + 1;
    if (job->residual)
        RF_TRY(rf_plan_slot(it->plan, job->residual, &it->slots[it->count++]));
    if (job->factors)
        RF_TRY(rf_plan_slot(it->plan, job->factors, &it->slots[it->count++]));
    if (job->task.kind == RF_TASK_CONVOLUTION && !rf_plan_has_constants(job))
        return RF_OK;
    if (job->task.kind == RF_TASK_CONVOLUTION)
        return prepare_bias(it, job->input_count > 2 ? job->inputs[2] : NULL, 1, job->output->shape.dims[1]);
    if (adds_elsewise(job))
        return gather_added(it);
    if (job->task.kind == RF_TASK_MATMUL)
        return prepare_bias(it, job->input_count > 2 ? job->inputs[2] : NULL, (double)job->task.as.matmul.beta,
                            job->output->shape.dims[job->output->shape.rank - 1]);
    return RF_OK;
}

static rf_axis_order order_of(const attempt *it, const manner *how)
{
    int32_t rank = it->job->output->shape.rank;
    if (how->makes_channels_last)
        return RF_ORDER_CHANNELS;
    for (uint32_t i = 0; i < it->inputs && it->job->task.kind != RF_TASK_MATMUL; i++)
        if (it->slots[i].form.rank == rank && rf_strided_is_channels_last(&it->slots[i].form))
            return RF_ORDER_CHANNELS;
    return RF_ORDER_ROWS;
}

/* Whether the output may lie where input `i` lies: nobody reads that any more. */
static bool can_reuse(const attempt *it, uint32_t i)
{
    const rf_slot *slot = &it->slots[i];
    const rf_buffer *buffer = &it->plan->buffers[slot->buffer];
    const rf_plan_value *known = rf_plan_value_of(it->plan, it->job->output);
    if (buffer->home != RF_HOME_ARENA || buffer->pending != 1 || known->placed || known->host || known->output >= 0)
        return false;
    rf_strided dense = rf_strided_dense(&it->job->output->shape, RF_ORDER_ROWS);
    rf_strided channels = rf_strided_dense(&it->job->output->shape, RF_ORDER_CHANNELS);
    return rf_strided_equal(&slot->form, &dense) || rf_strided_equal(&slot->form, &channels);
}

static rf_status place_output(attempt *it, const manner *how)
{
    rf_slot *output = &it->slots[it->inputs];
    for (uint32_t i = 0; how->in_place && i < it->inputs; i++) {
        if (!can_reuse(it, i))
            continue;
        *output = it->slots[i];
        rf_plan_settle(it->plan, it->job->output, output);
        return RF_OK;
    }
    return rf_plan_place(it->plan, it->job->output, order_of(it, how), output);
}

/* Two works, and what the first makes for the second. */
static rf_status add_two(attempt *it)
{
    const rf_strided form = {.rank = 1, .dims = {it->between}, .strides = {1}};
    const uint32_t inputs = it->inputs;
    rf_slot first[MOST_OPERANDS], second[2];
    memcpy(first, it->slots, sizeof first);
    RF_TRY(rf_plan_temporary(it->plan, RF_FLOAT32, &form, &first[inputs]));
    RF_TRY(rf_plan_add_step(it->plan, it->job, &it->work, first, inputs + 1));
    second[0] = first[inputs];
    second[1] = it->slots[inputs];
    return rf_plan_add_silent_step(it->plan, it->job, &it->join, second, 2);
}

/* A matrix product's second operand comes last, since it has none where that is constant. */
static rf_status add(attempt *it)
{
    rf_job prepared = *it->job;
    if (it->between)
        return add_two(it);
    prepared.scale = it->scale;
    prepared.shift = it->bias;
    if (it->work.units && rf_plan_is_packed_in_run(&it->work))
        RF_TRY(rf_plan_add_packing(it->plan, it->job, &it->work, &it->slots[it->count++]));
    if (it->job->task.kind != RF_TASK_MATMUL || it->inputs == 1)
        return rf_plan_add_step(it->plan, &prepared, &it->work, it->slots, it->count);
    rf_slot slots[MOST_OPERANDS] = {it->slots[0]};
    for (uint32_t i = 2; i < it->count; i++)
        slots[i - 1] = it->slots[i];
    slots[it->count - 1] = it->slots[1];
    return rf_plan_add_step(it->plan, &prepared, &it->work, slots, it->count);
}

static rf_status make_plain(attempt *it, uint32_t i, rf_axis_order order)
{
    rf_slot from = it->slots[i];
    rf_shape shape = {.rank = from.form.rank};
    memcpy(shape.dims, from.form.dims, sizeof shape.dims);
    rf_strided form = rf_strided_dense(&shape, order);
    if (rf_strided_equal(&form, &from.form))
        return RF_OK;
    RF_TRY(rf_plan_temporary(it->plan, from.dtype, &form, &it->slots[i]));
    return i == it->inputs ? RF_OK : rf_plan_add_copy(it->plan, it->job, &from, &it->slots[i]);
}

/* Steps that the second attempt added in vain are taken back. */
static rf_status attempt_plain(attempt *it, const manner *how, bool *done)
{
    size_t steps = it->plan->step_count;
    rf_slot output = it->slots[it->inputs];
    bool last = how->makes_channels_last || rf_strided_is_channels_last(&output.form);
    rf_axis_order order = last && it->job->task.kind != RF_TASK_MATMUL ? RF_ORDER_CHANNELS : RF_ORDER_ROWS;
    for (uint32_t i = 0; i < it->count; i++)
        RF_TRY(make_plain(it, i, order));
    *done = how->attempt(it);
    if (!*done) {
        it->plan->step_count = steps;
        return RF_OK;
    }
    RF_TRY(add(it));
    if (it->slots[it->inputs].buffer == output.buffer)
        return RF_OK;
    return rf_plan_add_copy(it->plan, it->job, &it->slots[it->inputs], &output);
}

rf_status rf_plan_emit_arithmetic(rf_plan *plan, const rf_job *job)
{
    const manner *how = &manners[job->task.kind];
    attempt it = {.plan = plan, .job = job};
    bool done;
    RF_TRY(gather_operands(&it, how));
    RF_TRY(place_output(&it, how));
    done = how->attempt(&it);
    /* A maker without memory may have left the work to a slower kernel. */
    if (plan->arena->refused)
        return rf_plan_no_memory(plan);
    if (done)
        return add(&it);
    RF_TRY(attempt_plain(&it, how, &done));
    if (plan->arena->refused)
        return rf_plan_no_memory(plan);
    if (done)
        return RF_OK;
    if (*job->fused || job->inputs != job->node->inputs)
        return rf_node_fail(job->node, RF_ERROR_UNSUPPORTED, "no kernel does it together with %s", job->fused);
    return rf_plan_add_reference(plan, job);
}
