/* SPDX-License-Identifier: MIT */
/*
 * Which tensors are written straight into the concatenation that reads them.
 *
 * Going backward, the last concatenation chooses first. One whose inputs already
 * lie side by side in a later one is a part of that, which is how the growing
 * concatenations of a dense block all share one buffer.
 */
#include "plan/plan.h"

/* A value's place is found through all concatenations that it lies in, by recursion. */
enum { MOST_NESTED = 100 };

/* Jobs that write their output as strides say, rather than pass on memory that exists. */
static bool writes_anywhere(const rf_job *job)
{
    rf_task_kind kind = job->task.kind;
    return (kind != RF_TASK_NONE && kind < RF_TASK_VIEW) || kind == RF_TASK_JOIN || kind == RF_TASK_PAD;
}

static bool can_move(const rf_plan *plan, const rf_value *value)
{
    const rf_plan_value *known = rf_plan_value_of(plan, value);
    if (value->data || known->job < 0 || known->output >= 0 || known->host)
        return false;
    const rf_job *job = &plan->jobs[known->job];
    return !job->dead && job->output == value && writes_anywhere(job);
}

/* Whether all inputs lie one after the other in one concatenation; it then hosts the output. */
static bool lies_together(rf_plan *plan, const rf_job *job, int32_t axis)
{
    const rf_plan_value *first = rf_plan_value_of(plan, job->inputs[0]);
    if (!first->host || first->host_axis != axis || rf_plan_value_of(plan, job->output)->output >= 0)
        return false;
    int64_t at = first->host_at;
    for (uint32_t i = 0; i < job->input_count; i++) {
        const rf_plan_value *known = rf_plan_value_of(plan, job->inputs[i]);
        if (known->host != first->host || known->host_axis != axis || known->host_at != at)
            return false;
        at += job->inputs[i]->shape.dims[axis];
    }
    rf_plan_value *own = rf_plan_value_of(plan, job->output);
    own->host = first->host;
    own->host_axis = axis;
    own->host_at = first->host_at;
    own->host_depth = first->host_depth;
    return true;
}

/* Of an input that is there twice the first place is its own, and the other gets a copy. */
static void host_inputs(rf_plan *plan, const rf_job *job, int32_t axis)
{
    int32_t depth = rf_plan_value_of(plan, job->output)->host_depth + 1;
    int64_t at = 0;
    if (depth > MOST_NESTED)
        return;
    for (uint32_t i = 0; i < job->input_count; i++) {
        rf_value *value = job->inputs[i];
        if (can_move(plan, value)) {
            rf_plan_value *known = rf_plan_value_of(plan, value);
            known->host = job->output;
            known->host_axis = axis;
            known->host_at = at;
            known->host_depth = depth;
        }
        at += value->shape.dims[axis];
    }
}

void rf_plan_choose_hosts(rf_plan *plan)
{
    for (size_t j = plan->job_count; j-- > 0;) {
        const rf_job *job = &plan->jobs[j];
        if (job->dead || job->task.kind != RF_TASK_JOIN)
            continue;
        const rf_plan_value *own = rf_plan_value_of(plan, job->output);
        if (own->host || !lies_together(plan, job, job->task.as.axis))
            host_inputs(plan, job, job->task.as.axis);
    }
}
