/* SPDX-License-Identifier: MIT */
/* The list of steps, and how long each makes its buffers live. */
#include <string.h>

#include "plan/plan.h"

static rf_status new_step(rf_plan *plan, rf_step **step)
{
    if (plan->step_count == plan->step_room) {
        size_t room = plan->step_room ? 2 * plan->step_room : 64;
        rf_step *grown = RF_TAKE(plan->arena, rf_step, room);
        if (!grown)
            return rf_plan_no_memory(plan);
        if (plan->step_count)
            memcpy(grown, plan->steps, plan->step_count * sizeof *grown);
        plan->steps = grown;
        plan->step_room = room;
    }
    *step = &plan->steps[plan->step_count++];
    memset(*step, 0, sizeof **step);
    return RF_OK;
}

/* Refused before there is an attempt to get it. */
static rf_status check_packed(const rf_plan *plan, const rf_job *job, const rf_work *work)
{
    uint64_t total;
    if (rf_checked_add(plan->arena->bytes_taken, rf_weights_bytes(plan->weights), &total)
        && rf_checked_add(total, work->packed_bytes, &total) && total <= plan->graph->limits.memory_bytes)
        return RF_OK;
    return rf_fail(plan->error, RF_ERROR_LIMIT, job->node->name,
                   "the weights of '%.100s' take %llu bytes more, beyond limits.memory_bytes (%llu)", job->node->name,
                   (unsigned long long)work->packed_bytes, (unsigned long long)plan->graph->limits.memory_bytes);
}

/* Elements that a layer computed from others may be other ones in another model of the network. */
static bool is_given(const rf_plan *plan, const rf_value *value)
{
    return value->in_description
        || (value->producer >= 0 && plan->graph->nodes[value->producer].input_count == 0);
}

static rf_packing packing_of(const rf_plan *plan, const rf_job *job, const rf_work *work)
{
    const rf_value *weights = job->inputs[1];
    const rf_shape *output = &job->output->shape;
    const bool given = is_given(plan, weights);
    return (rf_packing){
        .layer = (size_t)(job->node - plan->graph->nodes),
        .source = given ? weights->data : NULL,
        .source_bytes = given && work->unpacked.weights == weights->data ? weights->data_bytes : 0,
        .scale = job->scale,
        .bias = job->shift,
        .channels = (size_t)output->dims[job->task.kind == RF_TASK_CONVOLUTION ? 1 : output->rank - 1],
    };
}

static rf_status pack(rf_plan *plan, const rf_job *job, rf_step *step)
{
    step->packed_last = rf_plan_is_packed_in_run(&step->work);
    if (!step->work.packed_bytes || step->packed_last)
        return RF_OK;
    RF_TRY(check_packed(plan, job, &step->work));
    const rf_packing wanted = packing_of(plan, job, &step->work);
    step->packed = rf_weights_pack(plan->weights, &wanted, &step->work);
    if (!step->packed)
        return rf_fail(plan->error, RF_ERROR_MEMORY, job->node->name, "no memory for the weights of '%.100s'",
                       job->node->name);
    return RF_OK;
}

static void touch(rf_plan *plan, uint32_t buffer)
{
    rf_buffer *touched = &plan->buffers[buffer];
    uint32_t now = (uint32_t)plan->step_count - 1;
    if (touched->first > now)
        touched->first = now;
    touched->last = now;
}

static rf_status set_operands(rf_plan *plan, rf_step *step, const rf_slot *slots, uint32_t count)
{
    step->operands = RF_TAKE(plan->arena, rf_operand, count);
    if (!step->operands)
        return rf_plan_no_memory(plan);
    step->operand_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bytes = rf_dtype_bits(slots[i].dtype) / 8;
        step->operands[i] = (rf_operand){slots[i].buffer, (uint64_t)slots[i].start * bytes};
        touch(plan, slots[i].buffer);
    }
    return RF_OK;
}

rf_status rf_plan_add_step(rf_plan *plan, const rf_job *job, const rf_work *work, const rf_slot *slots,
                           uint32_t count)
{
    rf_step *step = NULL;
    if (work->units == 0)
        return RF_OK;
    RF_TRY(new_step(plan, &step));
    step->node = job->node;
    step->type = job->node ? job->node->layer->type : "";
    step->fused = job->fused;
    step->shape = job->output->shape;
    step->work = *work;
    RF_TRY(pack(plan, job, step));
    if (work->scratch_bytes > plan->worker_bytes)
        plan->worker_bytes = work->scratch_bytes;
    return set_operands(plan, step, slots, count);
}

rf_status rf_plan_add_silent_step(rf_plan *plan, const rf_job *job, const rf_work *work, const rf_slot *slots,
                                  uint32_t count)
{
    RF_TRY(rf_plan_add_step(plan, job, work, slots, count));
    if (work->units) {
        plan->steps[plan->step_count - 1].type = "";
        plan->steps[plan->step_count - 1].fused = "";
    }
    return RF_OK;
}

rf_status rf_plan_add_copy(rf_plan *plan, const rf_job *job, const rf_slot *from, const rf_slot *to)
{
    rf_copy_spec spec = {.element_bytes = rf_dtype_bits(from->dtype) / 8, .input = from->form, .output = to->form};
    rf_work work;
    if (!plan->kernels->copy(&spec, plan->arena, &work))
        return plan->arena->refused ? rf_plan_no_memory(plan)
                                    : rf_fail(plan->error, RF_ERROR_UNSUPPORTED, job->output->name,
                                              "tensor '%.100s' of type %s cannot be moved", job->output->name,
                                              rf_dtype_name(from->dtype));
    rf_slot slots[] = {*from, *to};
    return rf_plan_add_silent_step(plan, job, &work, slots, 2);
}

static bool is_computable(const rf_value *value)
{
    return !value || (rf_dtype_bits(value->dtype) >= 8 && value->dtype != RF_COMPLEX64
                      && value->dtype != RF_COMPLEX128);
}

static rf_status check_reference(const rf_node *node, uint64_t *scratch)
{
    *scratch = 0;
    if (!node->op->evaluate)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "the operator can be analysed but not run");
    for (uint32_t i = 0; i < node->input_count + node->output_count; i++) {
        const rf_value *value = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        if (!is_computable(value))
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it is not computed with elements of type %s",
                                rf_dtype_name(value->dtype));
    }
    if (node->op->scratch && !node->op->scratch(node, scratch))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "its working memory is too large to count");
    return RF_OK;
}

/* As references read their operands. */
rf_status rf_plan_dense_slot(rf_plan *plan, const rf_job *job, const rf_value *value, rf_slot *slot)
{
    RF_TRY(rf_plan_slot(plan, value, slot));
    if (rf_strided_is_dense(&slot->form))
        return RF_OK;
    rf_slot from = *slot;
    rf_strided form = rf_strided_dense(&value->shape, RF_ORDER_ROWS);
    RF_TRY(rf_plan_temporary(plan, value->dtype, &form, slot));
    return rf_plan_add_copy(plan, job, &from, slot);
}

static rf_status dense_output(rf_plan *plan, const rf_value *value, rf_slot *slot)
{
    RF_TRY(rf_plan_place(plan, value, RF_ORDER_ROWS, slot));
    if (rf_strided_is_dense(&slot->form))
        return RF_OK;
    rf_strided form = rf_strided_dense(&value->shape, RF_ORDER_ROWS);
    return rf_plan_temporary(plan, value->dtype, &form, slot);
}

rf_status rf_plan_add_reference(rf_plan *plan, const rf_job *job)
{
    const rf_node *node = job->node;
    uint64_t scratch;
    uint32_t count = 0;
    RF_TRY(check_reference(node, &scratch));
    rf_slot *slots = RF_TAKE(plan->arena, rf_slot, node->input_count + node->output_count);
    if (!slots)
        return rf_plan_no_memory(plan);
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            RF_TRY(rf_plan_dense_slot(plan, job, node->inputs[i], &slots[count++]));
    uint32_t first_output = count;
    for (uint32_t i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            RF_TRY(dense_output(plan, node->outputs[i], &slots[count++]));
    rf_step *step = NULL;
    RF_TRY(new_step(plan, &step));
    step->node = step->reference = node;
    step->type = node->layer->type;
    step->fused = "";
    step->shape = job->output->shape;
    step->work.algorithm = "reference";
    if (scratch > plan->reference_bytes)
        plan->reference_bytes = scratch;
    RF_TRY(set_operands(plan, step, slots, count));
    for (uint32_t i = 0, k = first_output; i < node->output_count; i++) {
        if (!node->outputs[i])
            continue;
        rf_slot place = rf_plan_value_of(plan, node->outputs[i])->slot;
        if (place.buffer != slots[k].buffer)
            RF_TRY(rf_plan_add_copy(plan, job, &slots[k], &place));
        k++;
    }
    return RF_OK;
}
