/* SPDX-License-Identifier: MIT */
/*
 * Jobs that only move elements. Most move nothing: their output is the input's
 * memory under other strides. A copy is made where no strides would do.
 */
#include <string.h>

#include "ops/element.h"
#include "plan/plan.h"

static bool is_in_row_order(const rf_strided *form)
{
    for (int32_t k = form->rank - 1; k >= 0; k--)
        if (form->dims[k] > 1)
            return form->strides[k] == 1;
    return true;
}

/* Copies `from` so that it can be seen with the output's shape: with channels innermost where the
 * input has them so, else row by row. */
static rf_status copy_reshaped(rf_plan *plan, const rf_job *job, const rf_slot *from, rf_slot *to)
{
    rf_shape input = {.rank = from->form.rank};
    memcpy(input.dims, from->form.dims, sizeof input.dims);
    rf_strided seen, form = rf_strided_dense(&job->output->shape, RF_ORDER_CHANNELS);
    bool rows = form.rank < 3 || is_in_row_order(&from->form) || !rf_strided_reshape(&form, &input, &seen);
    if (rows) {
        form = rf_strided_dense(&job->output->shape, RF_ORDER_ROWS);
        seen = rf_strided_dense(&input, RF_ORDER_ROWS);
    }
    RF_TRY(rf_plan_temporary(plan, from->dtype, &form, to));
    rf_slot as_input = *to;
    as_input.form = seen;
    return rf_plan_add_copy(plan, job, from, &as_input);
}

static rf_status emit_view(rf_plan *plan, const rf_job *job)
{
    rf_slot slot, copy;
    RF_TRY(rf_plan_slot(plan, job->inputs[0], &slot));
    rf_strided form;
    if (rf_strided_reshape(&slot.form, &job->output->shape, &form)) {
        slot.form = form;
        rf_plan_settle(plan, job->output, &slot);
        return RF_OK;
    }
    RF_TRY(copy_reshaped(plan, job, &slot, &copy));
    rf_plan_settle(plan, job->output, &copy);
    return RF_OK;
}

static rf_status emit_transpose(rf_plan *plan, const rf_job *job)
{
    rf_slot slot;
    RF_TRY(rf_plan_slot(plan, job->inputs[0], &slot));
    rf_strided form = slot.form;
    for (int32_t k = 0; k < form.rank; k++) {
        slot.form.dims[k] = form.dims[job->task.as.transpose.axes[k]];
        slot.form.strides[k] = form.strides[job->task.as.transpose.axes[k]];
    }
    rf_strided_tidy(&slot.form);
    rf_plan_settle(plan, job->output, &slot);
    return RF_OK;
}

static rf_status emit_slice(rf_plan *plan, const rf_job *job)
{
    rf_slot slot;
    RF_TRY(rf_plan_slot(plan, job->inputs[0], &slot));
    for (int32_t k = 0; k < slot.form.rank; k++) {
        slot.start += job->task.as.slice.starts[k] * slot.form.strides[k];
        slot.form.strides[k] *= job->task.as.slice.steps[k];
        slot.form.dims[k] = job->output->shape.dims[k];
    }
    if (rf_elements(&job->output->shape) == 0)
        slot.start = 0;
    rf_strided_tidy(&slot.form);
    rf_plan_settle(plan, job->output, &slot);
    return RF_OK;
}

static rf_status emit_expand(rf_plan *plan, const rf_job *job)
{
    rf_slot slot;
    RF_TRY(rf_plan_slot(plan, job->inputs[0], &slot));
    slot.form = rf_strided_broadcast(&slot.form, &job->output->shape);
    rf_plan_settle(plan, job->output, &slot);
    return RF_OK;
}

static rf_status emit_split(rf_plan *plan, const rf_job *job)
{
    rf_slot whole;
    int32_t axis = job->task.as.axis;
    int64_t at = 0;
    RF_TRY(rf_plan_slot(plan, job->inputs[0], &whole));
    for (uint32_t i = 0; i < job->node->output_count; i++) {
        const rf_value *value = job->node->outputs[i];
        if (!value)
            return rf_node_fail(job->node, RF_ERROR_UNSUPPORTED, "output %u of a split is omitted", i);
        rf_slot part = whole;
        part.start += rf_elements(&value->shape) ? at * whole.form.strides[axis] : 0;
        part.form.dims[axis] = value->shape.dims[axis];
        rf_strided_tidy(&part.form);
        rf_plan_settle(plan, value, &part);
        at += value->shape.dims[axis];
    }
    return RF_OK;
}

/* As the first input lies that is neither constant nor indifferent. */
static rf_status natural_order(rf_plan *plan, const rf_job *job, rf_axis_order *order)
{
    *order = RF_ORDER_ROWS;
    for (uint32_t i = 0; i < job->input_count; i++) {
        rf_slot slot;
        if (!job->inputs[i] || job->inputs[i]->shape.rank != job->output->shape.rank)
            continue;
        RF_TRY(rf_plan_slot(plan, job->inputs[i], &slot));
        if (rf_strided_is_channels_last(&slot.form))
            *order = RF_ORDER_CHANNELS;
    }
    return RF_OK;
}

static rf_status emit_join(rf_plan *plan, const rf_job *job)
{
    rf_axis_order order;
    rf_slot whole, slot;
    int32_t axis = job->task.as.axis;
    int64_t at = 0;
    RF_TRY(natural_order(plan, job, &order));
    RF_TRY(rf_plan_place(plan, job->output, order, &whole));
    for (uint32_t i = 0; i < job->input_count; i++) {
        const rf_value *value = job->inputs[i];
        rf_slot part = whole;
        part.start += rf_elements(&job->output->shape) ? at * whole.form.strides[axis] : 0;
        part.form.dims[axis] = value->shape.dims[axis];
        at += value->shape.dims[axis];
        RF_TRY(rf_plan_slot(plan, value, &slot));
        if (slot.buffer == part.buffer && slot.start == part.start && rf_strided_equal(&slot.form, &part.form))
            continue;
        RF_TRY(rf_plan_add_copy(plan, job, &slot, &part));
    }
    return RF_OK;
}

/* The part of the input that the output holds, in both. */
static void overlap(const rf_job *job, rf_slot *from, rf_slot *to)
{
    for (int32_t k = 0; k < from->form.rank; k++) {
        int64_t begin = job->task.as.pad.begin[k], first = begin < 0 ? -begin : 0;
        int64_t end = from->form.dims[k];
        if (end > job->output->shape.dims[k] - begin)
            end = job->output->shape.dims[k] - begin;
        int64_t count = end > first ? end - first : 0;
        if (count && rf_elements(&job->output->shape)) {
            from->start += first * from->form.strides[k];
            to->start += (first + begin) * to->form.strides[k];
        }
        from->form.dims[k] = to->form.dims[k] = count;
    }
}

static rf_status emit_pad(rf_plan *plan, const rf_job *job)
{
    rf_axis_order order;
    rf_slot from, to;
    RF_TRY(natural_order(plan, job, &order));
    RF_TRY(rf_plan_slot(plan, job->inputs[0], &from));
    RF_TRY(rf_plan_place(plan, job->output, order, &to));
    rf_fill_spec fill = {.element_bytes = rf_dtype_bits(to.dtype) / 8, .output = to.form};
    rf_store_float(fill.value, to.dtype, 0, job->task.as.pad.value);
    rf_work work;
    if (!plan->kernels->fill(&fill, plan->arena, &work))
        return plan->arena->refused ? rf_plan_no_memory(plan)
                                    : rf_node_fail(job->node, RF_ERROR_UNSUPPORTED,
                                                   "elements of type %s cannot be filled in", rf_dtype_name(to.dtype));
    RF_TRY(rf_plan_add_step(plan, job, &work, &to, 1));
    overlap(job, &from, &to);
    return rf_plan_add_copy(plan, job, &from, &to);
}

rf_status rf_plan_emit_moving(rf_plan *plan, const rf_job *job)
{
    static rf_status (*const emit[RF_TASK_KINDS])(rf_plan *, const rf_job *) = {
        [RF_TASK_VIEW] = emit_view,     [RF_TASK_TRANSPOSE] = emit_transpose, [RF_TASK_SLICE] = emit_slice,
        [RF_TASK_EXPAND] = emit_expand, [RF_TASK_JOIN] = emit_join,           [RF_TASK_SPLIT] = emit_split,
        [RF_TASK_PAD] = emit_pad,
    };
    return emit[job->task.kind](plan, job);
}
