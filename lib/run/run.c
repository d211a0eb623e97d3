/* SPDX-License-Identifier: MIT */
#include "run/session.h"

/* Fewer multiply-adds than this are done before another thread has woken up. */
static const uint64_t worth_sharing = 30000;

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

/* ---- Kernels ------------------------------------------------------------------------------ */

typedef struct shared_step {
    rf_session *session;
    const rf_step *step;
    void *const *data;
    size_t chunk;
} shared_step;

static char *scratch_of(const rf_session *session, size_t worker)
{
    const rf_plan *plan = &session->model->plan;
    return session->memory + plan->arena_bytes + plan->reference_bytes + worker * plan->worker_bytes;
}

/* Workers take units as they come, so that one that is slow holds nobody up. */
static void work_on(void *argument, size_t worker)
{
    shared_step *shared = argument;
    const rf_work *work = &shared->step->work;
    rf_kernel_call call = {
        .data = shared->data, .packed = shared->step->packed, .scratch = scratch_of(shared->session, worker),
    };
    for (;;) {
        call.begin = atomic_fetch_add_explicit(&shared->session->next_unit, shared->chunk, memory_order_relaxed);
        if (call.begin >= work->units)
            return;
        call.end = work->units - call.begin < shared->chunk ? work->units : call.begin + shared->chunk;
        work->run(work->plan, &call);
    }
}

static size_t chunk_of(const rf_work *work, size_t workers)
{
    size_t chunk = work->units / (workers * 4);
    return chunk > work->grain ? chunk : work->grain;
}

static void run_kernel(rf_session *session, const rf_step *step, void *const *data)
{
    const rf_work *work = &step->work;
    size_t workers = session->executor.workers;
    if (workers == 1 || work->units <= work->grain || work->operations < worth_sharing) {
        rf_kernel_call call = {
            .data = data, .packed = step->packed, .scratch = scratch_of(session, 0), .begin = 0, .end = work->units,
        };
        work->run(work->plan, &call);
        return;
    }
    shared_step shared = {.session = session, .step = step, .data = data, .chunk = chunk_of(work, workers)};
    size_t chunks = (work->units + shared.chunk - 1) / shared.chunk;
    atomic_store_explicit(&session->next_unit, 0, memory_order_relaxed);
    session->executor.run(session->executor.context, work_on, &shared, chunks < workers ? chunks : workers);
}

/* ---- References --------------------------------------------------------------------------- */

/* Outputs whose extents the elements decide are outputs of the network. */
static void note_shapes(rf_session *session, const rf_step *step, const rf_bound_node *bound)
{
    const rf_graph *graph = session->model->plan.graph;
    for (uint32_t i = 0; i < bound->node.output_count; i++) {
        const rf_value *planned = step->reference->outputs[i];
        if (!planned || !planned->ragged)
            continue;
        for (size_t o = 0; o < graph->output_count; o++)
            if (graph->outputs[o] == planned)
                session->output_shapes[o] = bound->node.outputs[i]->shape;
    }
}

static void reset_outputs(const rf_step *step, rf_bound_node *bound)
{
    for (uint32_t i = 0; i < bound->node.output_count; i++)
        if (bound->node.outputs[i] && step->reference->outputs[i]->ragged)
            bound->node.outputs[i]->shape = step->reference->outputs[i]->shape;
}

static rf_status run_reference(rf_session *session, size_t s, void *const *data, rf_error *error)
{
    const rf_plan *plan = &session->model->plan;
    const rf_step *step = &plan->steps[s];
    rf_bound_node *bound = session->bound[s];
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

rf_status rf_run(rf_session *session, rf_error *error)
{
    if (!session)
        return rf_fail(error, RF_ERROR_ARGUMENT, "session", "session must not be NULL");
    const rf_plan *plan = &session->model->plan;
    RF_TRY(check_inputs(session, error));
    if (session->stale)
        follow_buffers(session);
    for (size_t s = 0; s < plan->step_count; s++) {
        const rf_step *step = &plan->steps[s];
        void *const *data = session->pointers + session->first_pointer[s];
        if (session->observer && !session->observer(session->observer_context, session, s))
            return rf_fail(error, RF_ERROR_STOPPED, step->node ? step->node->name : "",
                           "the observer ended the run before step %zu", s);
        if (step->reference)
            RF_TRY(run_reference(session, s, data, error));
        else
            run_kernel(session, step, data);
    }
    return RF_OK;
}
