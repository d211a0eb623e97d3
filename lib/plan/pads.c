/* SPDX-License-Identifier: MIT */
/*
 * Padding by zeros in a layer of its own, as exporters write it, becomes padding
 * of the windows that read it: nothing is copied then.
 */
#include "plan/plan.h"

static rf_window *windows_of(rf_job *job, int32_t *axes)
{
    if (job->task.kind == RF_TASK_CONVOLUTION && !job->task.as.convolution.transposed) {
        *axes = job->task.as.convolution.axes;
        return job->task.as.convolution.windows;
    }
    if (job->task.kind == RF_TASK_POOL && job->task.as.pool.average) {
        *axes = job->task.as.pool.axes;
        return job->task.as.pool.windows;
    }
    return NULL;
}

static bool is_padded(const rf_window *windows, int32_t axes)
{
    for (int32_t k = 0; k < axes; k++)
        if (windows[k].pad_begin || windows[k].pad_end)
            return true;
    return false;
}

/* Zeros around the spatial axes and nowhere else. */
static bool surrounds(const rf_job *pad)
{
    const rf_shape *in = &pad->inputs[0]->shape, *out = &pad->output->shape;
    for (int32_t k = 0; k < in->rank; k++) {
        int64_t begin = pad->task.as.pad.begin[k], end = out->dims[k] - in->dims[k] - begin;
        if (begin < 0 || end < 0 || (k < 2 && (begin || end)))
            return false;
    }
    return pad->task.as.pad.value == 0;
}

/* An average over explicit zeros divides by all of them; so must the pool, and its own padding then. */
static bool divides_alike(const rf_job *job, const rf_window *windows, int32_t axes)
{
    return job->task.kind != RF_TASK_POOL || job->task.as.pool.count_include_pad || !is_padded(windows, axes);
}

static bool moves_nothing(const rf_job *pad)
{
    return surrounds(pad) && rf_shape_equal(&pad->inputs[0]->shape, &pad->output->shape);
}

rf_status rf_plan_fuse_pad(rf_plan *plan, rf_job *job)
{
    if (job->task.kind == RF_TASK_PAD && moves_nothing(job))
        job->task = (rf_task){.kind = RF_TASK_VIEW};
    int32_t axes;
    rf_window *windows = windows_of(job, &axes);
    rf_job *pad = windows ? rf_plan_only_producer(plan, job->inputs[0]) : NULL;
    if (!pad || pad->task.kind != RF_TASK_PAD || !surrounds(pad) || !divides_alike(job, windows, axes))
        return RF_OK;
    rf_value **inputs = RF_TAKE(plan->arena, rf_value *, job->input_count);
    if (!inputs)
        return rf_plan_no_memory(plan);
    for (uint32_t i = 0; i < job->input_count; i++)
        inputs[i] = i ? job->inputs[i] : pad->inputs[0];
    for (int32_t k = 0; k < axes; k++) {
        int64_t begin = pad->task.as.pad.begin[2 + k], extent = pad->inputs[0]->shape.dims[2 + k];
        windows[k].pad_end += windows[k].input - extent - begin;
        windows[k].pad_begin += begin;
        windows[k].input = extent;
    }
    if (job->task.kind == RF_TASK_POOL)
        job->task.as.pool.count_include_pad = true;
    rf_plan_value_of(plan, pad->output)->readers = 0;
    pad->dead = true;
    job->inputs = inputs;
    return rf_plan_note_fused(plan, job, pad->node);
}
