/* SPDX-License-Identifier: MIT */
#include "run/crew.h"

#include <sched.h>

#include "run/pause.h"

/* What takes about as long as telling another worker of it is done by the leader. */
static const uint64_t worth_sharing = 100000;

/* Values of rf_crew.open that are no step. */
static const size_t not_begun = SIZE_MAX, ended = SIZE_MAX - 1;

/* How long a worker watches before it offers its processor to others: tens of microseconds. */
enum { PATIENCE = 2000, CHUNKS_PER_WORKER = 4 };

static void wait_a_little(unsigned *waited)
{
    if (++*waited < PATIENCE) {
        rf_pause();
        return;
    }
    *waited = 0;
    sched_yield();
}

static size_t chunk_of(const rf_work *work, size_t workers)
{
    size_t chunk = work->units / (workers * CHUNKS_PER_WORKER);
    return chunk > work->grain ? chunk : work->grain;
}

/* Takes units as they come, until there are no more: a worker that is slow or late holds nobody up. */
static bool take_units(rf_session *session, size_t s, size_t worker)
{
    const rf_work *work = &session->model->plan.steps[s].work;
    size_t chunk = chunk_of(work, session->executor.workers), done = 0;
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&session->crew.taken[s], chunk, memory_order_relaxed);
        if (begin >= work->units)
            break;
        size_t end = work->units - begin < chunk ? work->units : begin + chunk;
        rf_run_units(session, s, worker, begin, end);
        done += end - begin;
    }
    if (done)
        atomic_fetch_add_explicit(&session->crew.done[s], done, memory_order_release);
    return done > 0;
}

static bool is_shared(const rf_step *step)
{
    return !step->reference && step->work.units > step->work.grain && step->work.operations >= worth_sharing;
}

static rf_status lead(rf_session *session, size_t worker, rf_error *error)
{
    const rf_plan *plan = &session->model->plan;
    for (size_t s = 0; s < plan->step_count; s++) {
        RF_TRY(rf_run_announce(session, s, error));
        if (!is_shared(&plan->steps[s])) {
            RF_TRY(rf_run_alone(session, s, worker, error));
            continue;
        }
        unsigned waited = 0;
        atomic_store_explicit(&session->crew.open, s, memory_order_release);
        take_units(session, s, worker);
        while (atomic_load_explicit(&session->crew.done[s], memory_order_acquire) < plan->steps[s].work.units)
            wait_a_little(&waited);
    }
    return RF_OK;
}

static void follow(rf_session *session, size_t worker)
{
    unsigned waited = 0;
    for (;;) {
        size_t s = atomic_load_explicit(&session->crew.open, memory_order_acquire);
        if (s == ended)
            return;
        if (s != not_begun && take_units(session, s, worker))
            waited = 0;
        else
            wait_a_little(&waited);
    }
}

/* An executor may run its workers one after the other, in any order: whoever is first leads. */
static void take_part(void *argument, size_t worker)
{
    rf_session *session = argument;
    if (atomic_exchange_explicit(&session->crew.led, true, memory_order_acq_rel)) {
        follow(session, worker);
        return;
    }
    session->crew.status = lead(session, worker, session->crew.error);
    atomic_store_explicit(&session->crew.open, ended, memory_order_release);
}

rf_status rf_crew_run(rf_session *session, rf_error *error)
{
    rf_crew *crew = &session->crew;
    for (size_t s = 0; s < session->model->plan.step_count; s++) {
        atomic_store_explicit(&crew->taken[s], 0, memory_order_relaxed);
        atomic_store_explicit(&crew->done[s], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&crew->open, not_begun, memory_order_relaxed);
    atomic_store_explicit(&crew->led, false, memory_order_relaxed);
    crew->status = RF_OK;
    crew->error = error;
    session->executor.run(session->executor.context, take_part, session, session->executor.workers);
    crew->error = NULL;
    return crew->status;
}
