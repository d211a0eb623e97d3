/* SPDX-License-Identifier: MIT */
#include "run/crew.h"

/* ---- Before the first step ---------------------------------------------------------------- */

static rf_status check_inputs(const rf_session *session, rf_error *error)
{
    for (size_t i = 0; i < session->model->input_count; i++)
        if (!session->inputs[i])
            return rf_fail(error, RF_ERROR_ARGUMENT, session->model->inputs[i].name,
                           "input '%.100s' of shape %s is not bound", session->model->inputs[i].name,
                           rf_shape_print(&session->model->inputs[i].shape).text);
    return RF_OK;
}

static void follow_buffers(rf_session *session)
{
    const rf_plan *plan = &session->model->plan;
    void **next = session->pointers;
    for (size_t s = 0; s < plan->step_count; s++)
        for (uint32_t i = 0; i < plan->steps[s].operand_count; i++)
            *next++ = rf_session_address(session, &plan->steps[s].operands[i]);
    session->stale = false;
}

/* ---- Steps -------------------------------------------------------------------------------- */

static char *scratch_of(const rf_session *session, size_t worker)
{
    const rf_plan *plan = &session->model->plan;
    return session->memory + plan->arena_bytes + plan->reference_bytes + worker * plan->worker_bytes;
}

static void *const *data_of(const rf_session *session, size_t s)
{
    return session->pointers + session->first_pointer[s];
}

void rf_run_units(rf_session *session, size_t s, size_t worker, size_t begin, size_t end)
{
    const rf_step *step = &session->model->plan.steps[s];
    void *const *data = data_of(session, s);
    const void *packed = step->packed ? step->packed->memory : NULL;
    rf_kernel_call call = {
        .data = data, .packed = step->packed_last ? data[step->operand_count - 1] : packed,
        .scratch = scratch_of(session, worker), .begin = begin, .end = end,
    };
    step->work.run(step->work.plan, &call);
}

/* Outputs whose extents the elements decide are outputs of the network. */
static void note_shapes(rf_session *session, const rf_step *step, const rf_bound_node *bound)
{
    for (uint32_t i = 0; i < bound->node.output_count; i++) {
        const rf_value *planned = step->reference->outputs[i];
        if (!planned || !planned->ragged)
            continue;
        int32_t output = rf_plan_value_of(&session->model->plan, planned)->output;
        if (output >= 0)
            session->output_shapes[output] = bound->node.outputs[i]->shape;
    }
}

static void reset_outputs(const rf_step *step, rf_bound_node *bound)
{
    for (uint32_t i = 0; i < bound->node.output_count; i++)
        if (bound->node.outputs[i] && step->reference->outputs[i]->ragged)
            bound->node.outputs[i]->shape = step->reference->outputs[i]->shape;
}

static rf_status run_reference(rf_session *session, size_t s, rf_error *error)
{
    const rf_plan *plan = &session->model->plan;
    const rf_step *step = &plan->steps[s];
    rf_bound_node *bound = session->bound[s];
    void *const *data = data_of(session, s);
    reset_outputs(step, bound);
    for (uint32_t i = 0; i < bound->count; i++)
        bound->values[i].data = data[i];
    bound->node.scratch = session->memory + plan->arena_bytes;
    bound->node.error = error;
    bound->node.tally = session->counts ? &session->counts[s] : NULL;
    if (session->counts)
        session->counts[s] = (rf_counts){.macs = 0};
    rf_status status = step->reference->op->evaluate(&bound->node);
    bound->node.error = NULL;
    if (status != RF_OK)
        return status;
    note_shapes(session, step, bound);
    return RF_OK;
}

rf_status rf_run_alone(rf_session *session, size_t s, size_t worker, rf_error *error)
{
    const rf_step *step = &session->model->plan.steps[s];
    if (step->reference)
        return run_reference(session, s, error);
    rf_run_units(session, s, worker, 0, step->work.units);
    return RF_OK;
}

rf_status rf_run_announce(rf_session *session, size_t s, rf_error *error)
{
    const rf_step *step = &session->model->plan.steps[s];
    if (!session->observer || session->observer(session->observer_context, session, s))
        return RF_OK;
    return rf_fail(error, RF_ERROR_STOPPED, step->node ? step->node->name : "",
                   "the observer ended the run before step %zu", s);
}

rf_status rf_run(rf_session *session, rf_error *error)
{
    if (!session)
        return rf_fail(error, RF_ERROR_ARGUMENT, "session", "session must not be NULL");
    RF_TRY(check_inputs(session, error));
    if (session->stale)
        follow_buffers(session);
    if (session->executor.workers > 1)
        return rf_crew_run(session, error);
    for (size_t s = 0; s < session->model->plan.step_count; s++) {
        RF_TRY(rf_run_announce(session, s, error));
        RF_TRY(rf_run_alone(session, s, 0, error));
    }
    return RF_OK;
}
