/* SPDX-License-Identifier: MIT */
#include "plan/plan.h"

static rf_status emit_job(rf_plan *plan, const rf_job *job)
{
    if (job->task.kind == RF_TASK_NONE)
        return rf_plan_add_reference(plan, job);
    if (job->task.kind == RF_TASK_INTEGER_SUM)
        return rf_plan_emit_integer_sum(plan, job);
    return job->task.kind < RF_TASK_VIEW ? rf_plan_emit_arithmetic(plan, job) : rf_plan_emit_moving(plan, job);
}

static void release_inputs(rf_plan *plan, const rf_job *job)
{
    for (uint32_t i = 0; i < job->input_count; i++)
        if (job->inputs[i])
            rf_plan_release(plan, job->inputs[i]);
    if (job->residual)
        rf_plan_release(plan, job->residual);
    if (job->factors)
        rf_plan_release(plan, job->factors);
}

/* Brings an output to the caller's buffer, unless it was written there. */
static rf_status emit_output(rf_plan *plan, uint32_t number)
{
    const rf_graph *graph = plan->graph;
    rf_value *value = graph->outputs[number];
    rf_job job = {.node = value->producer >= 0 ? &graph->nodes[value->producer] : NULL, .output = value, .fused = ""};
    rf_slot from, to;
    RF_TRY(rf_plan_slot(plan, value, &from));
    const rf_buffer *buffer = &plan->buffers[from.buffer];
    if (buffer->home == RF_HOME_OUTPUT && buffer->index == number && from.start == 0)
        return RF_OK;
    to = (rf_slot){.form = rf_plan_outer_form(plan, value), .dtype = value->dtype};
    RF_TRY(rf_plan_add_buffer(plan, RF_HOME_OUTPUT, value->bytes, &to.buffer));
    plan->buffers[to.buffer].index = number;
    return rf_plan_add_copy(plan, &job, &from, &to);
}

rf_status rf_plan_emit(rf_plan *plan)
{
    for (size_t j = 0; j < plan->job_count; j++) {
        if (plan->jobs[j].dead)
            continue;
        RF_TRY(emit_job(plan, &plan->jobs[j]));
        release_inputs(plan, &plan->jobs[j]);
    }
    for (size_t o = 0; o < plan->graph->output_count; o++)
        RF_TRY(emit_output(plan, (uint32_t)o));
    return RF_OK;
}
