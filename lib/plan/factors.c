/* SPDX-License-Identifier: MIT */
/*
 * A product by one factor for each channel, as squeeze-and-excite ends with,
 * becomes part of the convolution of one tap that reads it: the product is never
 * stored. (Two workers would pay dearly for it: what one has pooled over, the
 * other would have to write.)
 */
#include "plan/plan.h"

enum { MOST_CHANNELS = 1 << 16 };

/* One tap, one group, every position: what reads the product also multiplies by constants only. */
static bool is_pointwise(const rf_job *job)
{
    const rf_shape *shape = &job->output->shape;
    if (job->task.kind != RF_TASK_CONVOLUTION || job->task.as.convolution.transposed
        || job->task.as.convolution.groups != 1 || job->factors || job->inputs[0]->dtype != RF_FLOAT32)
        return false;
    for (int32_t k = 0; k < job->task.as.convolution.axes; k++) {
        const rf_window *window = &job->task.as.convolution.windows[k];
        if (window->kernel != 1 || window->stride != 1 || window->pad_begin || window->pad_end)
            return false;
    }
    return shape->dims[0] == 1 && job->inputs[0]->shape.dims[1] <= MOST_CHANNELS;
}

/* One number for each channel of one image. */
static bool are_factors(const rf_value *value, const rf_shape *product)
{
    bool each = !value->data && value->shape.rank == product->rank && value->shape.dims[1] == product->dims[1];
    for (int32_t k = 0; each && k < product->rank; k++)
        each = k == 1 || value->shape.dims[k] == 1;
    return each;
}

rf_status rf_plan_fuse_factors(rf_plan *plan, rf_job *job)
{
    rf_job *product = is_pointwise(job) ? rf_plan_only_producer(plan, job->inputs[0]) : NULL;
    if (!product || product->task.kind != RF_TASK_PAIR || product->task.as.pair != RF_PAIR_MUL
        || product->map.function != RF_MAP_NONE)
        return RF_OK;
    for (uint32_t i = 0; i < 2; i++) {
        rf_value *image = product->inputs[i], *factors = product->inputs[1 - i];
        if (image->data || !rf_shape_equal(&image->shape, &product->output->shape)
            || !are_factors(factors, &image->shape))
            continue;
        rf_value **inputs = RF_TAKE(plan->arena, rf_value *, job->input_count);
        if (!inputs)
            return rf_plan_no_memory(plan);
        for (uint32_t k = 0; k < job->input_count; k++)
            inputs[k] = k ? job->inputs[k] : image;
        rf_plan_value_of(plan, product->output)->readers = 0;
        product->dead = true;
        job->inputs = inputs;
        job->factors = factors;
        return rf_plan_note_fused(plan, job, product->node);
    }
    return RF_OK;
}
