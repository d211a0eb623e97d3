/* SPDX-License-Identifier: MIT */
#include "run/crew.h"

#include <sched.h>

#include "run/pause.h"

/* What takes about as long as telling another worker of it is done by the leader. */
static const uint64_t worth_sharing = 100000;

/* How long a worker watches before it offers its processor to others: tens of microseconds. */
enum { PATIENCE = 2000, CHUNKS_PER_WORKER = 4 };

/* One worker on its way through a run. */
typedef struct member {
    rf_session *session;
    size_t worker;
    bool leads;
} member;

/* Units begin .. end - 1 of a step. */
typedef struct share {
    size_t begin, end;
} share;

static const rf_step *step_at(const member *at, size_t s)
{
    return &at->session->model->plan.steps[s];
}

static bool is_shared(const rf_step *step)
{
    return !step->reference && step->work.units > step->work.grain && step->work.operations >= worth_sharing;
}

/* ---- Waiting ---------------------------------------------------------------------------- */

static void wait_a_little(unsigned *waited)
{
    if (++*waited < PATIENCE) {
        rf_pause();
        return;
    }
    *waited = 0;
    sched_yield();
}

static bool is_done(const member *at, size_t s)
{
    const rf_step *step = step_at(at, s);
    size_t done = atomic_load_explicit(&at->session->crew.done[s].next, memory_order_acquire);
    return done >= (is_shared(step) ? step->work.units : 1);
}

/* False where the run has been stopped. */
static bool wait_for_step(const member *at, size_t s)
{
    unsigned waited = 0;
    while (!is_done(at, s)) {
        if (atomic_load_explicit(&at->session->crew.stopped, memory_order_relaxed))
            return false;
        wait_a_little(&waited);
    }
    return true;
}

static bool wait_until_open(const member *at, size_t s)
{
    unsigned waited = 0;
    while (atomic_load_explicit(&at->session->crew.open, memory_order_acquire) <= s) {
        if (atomic_load_explicit(&at->session->crew.stopped, memory_order_relaxed))
            return false;
        wait_a_little(&waited);
    }
    return true;
}

/* ---- Units ------------------------------------------------------------------------------ */

static share share_of(const rf_work *work, size_t owner, size_t shares)
{
    size_t pieces = (work->units + work->grain - 1) / work->grain;
    size_t begin = pieces * owner / shares * work->grain, end = pieces * (owner + 1) / shares * work->grain;
    return (share){begin, end < work->units ? end : work->units};
}

/* Takes what is left of one worker's share, a few units at a time; returns how many. */
static size_t take_share(const member *at, size_t s, size_t owner)
{
    const rf_work *work = &step_at(at, s)->work;
    size_t shares = at->session->crew.share_count, taken = 0;
    share all = share_of(work, owner, shares);
    size_t chunk = owner == at->worker ? (all.end - all.begin) / CHUNKS_PER_WORKER : 0;
    atomic_size_t *next = &at->session->crew.shares[s * shares + owner].next;
    chunk = chunk > work->grain ? chunk : work->grain;
    while (atomic_load_explicit(next, memory_order_relaxed) < all.end - all.begin) {
        size_t begin = all.begin + atomic_fetch_add_explicit(next, chunk, memory_order_relaxed);
        if (begin >= all.end)
            break;
        size_t end = all.end - begin < chunk ? all.end : begin + chunk;
        rf_run_units(at->session, s, at->worker, begin, end);
        taken += end - begin;
    }
    return taken;
}

/*
 * First its own share, then what others have not come to: a worker that is slow or late holds nobody
 * up. Shares lie in order, so that a worker finds most of what it reads where it wrote it itself.
 */
static void take_units(const member *at, size_t s)
{
    size_t shares = at->session->crew.share_count;
    atomic_size_t *done = &at->session->crew.done[s].next;
    for (size_t k = 0; k < shares && !is_done(at, s); k++) {
        size_t taken = take_share(at, s, (at->worker + k) % shares);
        if (taken)
            atomic_fetch_add_explicit(done, taken, memory_order_release);
    }
}

/* ---- Steps ------------------------------------------------------------------------------ */

/* The leader tells the observer of each step before anyone begins it. */
static rf_status open_step(const member *at, size_t s, rf_error *error)
{
    rf_session *session = at->session;
    RF_TRY(rf_run_announce(session, s, error));
    if (session->observer)
        atomic_store_explicit(&session->crew.open, s + 1, memory_order_release);
    return RF_OK;
}

static rf_status go_through(const member *at, rf_error *error)
{
    rf_session *session = at->session;
    for (size_t s = 0; s < session->model->plan.step_count; s++) {
        if (at->leads)
            RF_TRY(open_step(at, s, error));
        else if (!wait_until_open(at, s))
            return RF_OK;
        if (is_shared(step_at(at, s))) {
            take_units(at, s);
        } else if (at->leads) {
            RF_TRY(rf_run_alone(session, s, at->worker, error));
            atomic_store_explicit(&session->crew.done[s].next, 1, memory_order_release);
        }
        if (!wait_for_step(at, s))
            return RF_OK;
    }
    return RF_OK;
}

/* An executor may run its workers one after the other, in any order: whoever is first leads. */
static void take_part(void *argument, size_t worker)
{
    rf_session *session = argument;
    rf_crew *crew = &session->crew;
    const member at = {session, worker, !atomic_exchange_explicit(&crew->led, true, memory_order_acq_rel)};
    if (!at.leads) {
        go_through(&at, NULL);
        return;
    }
    if (!session->observer)
        atomic_store_explicit(&crew->open, session->model->plan.step_count, memory_order_release);
    crew->status = go_through(&at, crew->error);
    if (crew->status != RF_OK)
        atomic_store_explicit(&crew->stopped, true, memory_order_relaxed);
}

rf_status rf_crew_run(rf_session *session, rf_error *error)
{
    rf_crew *crew = &session->crew;
    size_t steps = session->model->plan.step_count;
    for (size_t s = 0; s < steps; s++)
        atomic_store_explicit(&crew->done[s].next, 0, memory_order_relaxed);
    for (size_t i = 0; i < steps * crew->share_count; i++)
        atomic_store_explicit(&crew->shares[i].next, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->open, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->led, false, memory_order_relaxed);
    atomic_store_explicit(&crew->stopped, false, memory_order_relaxed);
    crew->status = RF_OK;
    crew->error = error;
    session->executor.run(session->executor.context, take_part, session, session->executor.workers);
    crew->error = NULL;
    return crew->status;
}
