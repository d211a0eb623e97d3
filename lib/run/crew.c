/* SPDX-License-Identifier: MIT */
#include "run/crew.h"

#include <sched.h>
#include <time.h>

#include "run/pause.h"

/* What takes about as long as telling another worker of it is done by the leader. */
static const uint64_t worth_sharing = 100000;

/* How long a worker watches before it offers its processor to others: tens of microseconds. */
enum { PATIENCE = 2000, CHUNKS_PER_WORKER = 4 };

/*
 * A worker whose processor another process has taken cannot finish the units that it holds, and all others wait
 * until it gets its processor back: some milliseconds each time, longer than many a network takes. Where one finds
 * that others have waited for it, again within `longest_out`, there is a processor less than was thought, and one
 * worker less is used for several times as long; once may be that it has just woken up. All in nanoseconds.
 */
static const int64_t grace = 200000, longest_out = 100000000, nap = 100000;
enum { TIMES_OUT = 20 };

/* One worker on its way through a run. */
typedef struct member {
    rf_session *session;
    size_t worker;
    bool leads;
    int64_t took; /* nanoseconds for its units of the present step; -1 where it had none */
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

static int64_t now(void)
{
    struct timespec time = {.tv_sec = 0};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- Waiting ---------------------------------------------------------------------------- */

/* Whether it has been long already. */
static bool wait_a_little(unsigned *waited)
{
    if (++*waited < PATIENCE) {
        rf_pause();
        return false;
    }
    *waited = 0;
    sched_yield();
    return true;
}

static bool is_done(const member *at, size_t s)
{
    const rf_step *step = step_at(at, s);
    size_t done = atomic_load_explicit(&at->session->crew.done[s].next, memory_order_acquire);
    return done >= (is_shared(step) ? step->work.units : 1);
}

/* Lets those who still hold units of a step know that they are late: beyond what all of its own took. */
static void watch_others(const member *at, size_t s, int64_t *since)
{
    int64_t time = now();
    if (*since == 0)
        *since = time;
    else if (at->took >= 0 && time - *since > at->took + grace)
        atomic_store_explicit(&at->session->crew.late, s + 1, memory_order_relaxed);
}

/* False where the run has been stopped. */
static bool wait_for_step(const member *at, size_t s)
{
    unsigned waited = 0;
    int64_t since = 0;
    while (!is_done(at, s)) {
        if (atomic_load_explicit(&at->session->crew.stopped, memory_order_relaxed))
            return false;
        if (wait_a_little(&waited))
            watch_others(at, s, &since);
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
    const rf_crew *crew = &at->session->crew;
    size_t taken = 0;
    share all = share_of(work, owner, crew->owners);
    size_t chunk = owner == at->worker ? (all.end - all.begin) / CHUNKS_PER_WORKER : 0;
    atomic_size_t *next = &crew->shares[s * crew->share_count + owner].next;
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
static void take_units(member *at, size_t s)
{
    size_t owners = at->session->crew.owners, all = 0;
    atomic_size_t *done = &at->session->crew.done[s].next;
    int64_t begun = now();
    for (size_t k = 0; k < owners && !is_done(at, s); k++) {
        size_t taken = take_share(at, s, (at->worker + k) % owners);
        if (taken)
            atomic_fetch_add_explicit(done, taken, memory_order_release);
        all += taken;
    }
    at->took = all ? now() - begun : -1;
}

/* ---- Staying out ------------------------------------------------------------------------ */

static bool has_ended(const member *at)
{
    size_t steps = at->session->model->plan.step_count;
    return atomic_load_explicit(&at->session->crew.stopped, memory_order_relaxed) || steps == 0
           || is_done(at, steps - 1);
}

/* Whoever opens the steps for an observer cannot sleep. */
static void stay_out(const member *at, int64_t until)
{
    const struct timespec piece = {.tv_nsec = nap};
    if (at->leads && at->session->observer)
        return;
    while (now() < until && !has_ended(at))
        nanosleep(&piece, NULL);
}

static void note_lateness(const member *at, size_t s)
{
    rf_crew *crew = &at->session->crew;
    if (at->took < grace || atomic_load_explicit(&crew->late, memory_order_relaxed) != s + 1)
        return;
    int64_t time = now(), before = atomic_exchange_explicit(&crew->last_late, time, memory_order_relaxed);
    if (before == 0 || time - before > longest_out)
        return;
    int64_t until = time + (at->took < longest_out / TIMES_OUT ? at->took * TIMES_OUT : longest_out);
    atomic_store_explicit(&crew->last_late, until, memory_order_relaxed);
    atomic_fetch_add_explicit(&crew->late_workers, 1, memory_order_relaxed);
    atomic_store_explicit(&crew->fewer_until, until, memory_order_relaxed);
    stay_out(at, until);
}

/* Workers for a run that begins. */
static size_t count_workers(rf_crew *crew, size_t workers)
{
    if (crew->fewer && now() >= atomic_load_explicit(&crew->fewer_until, memory_order_relaxed))
        crew->fewer = 0;
    return workers - crew->fewer;
}

/* After a run of so many. */
static void count_late(rf_crew *crew, size_t workers)
{
    size_t late = atomic_load_explicit(&crew->late_workers, memory_order_relaxed);
    crew->fewer += late < workers ? late : workers - 1;
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

/* What is not shared out is done by the first to come. */
static rf_status do_alone(const member *at, size_t s, rf_error *error)
{
    rf_crew *crew = &at->session->crew;
    if (atomic_exchange_explicit(&crew->shares[s * crew->share_count].next, 1, memory_order_relaxed))
        return RF_OK;
    RF_TRY(rf_run_alone(at->session, s, at->worker, error));
    atomic_store_explicit(&crew->done[s].next, 1, memory_order_release);
    return RF_OK;
}

static rf_status go_through(member *at, rf_error *error)
{
    rf_session *session = at->session;
    for (size_t s = 0; s < session->model->plan.step_count; s++) {
        if (at->leads)
            RF_TRY(open_step(at, s, error));
        else if (!wait_until_open(at, s))
            return RF_OK;
        if (is_shared(step_at(at, s))) {
            take_units(at, s);
            note_lateness(at, s);
        } else {
            at->took = -1;
            RF_TRY(do_alone(at, s, error));
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
    member at = {.session = session, .worker = worker};
    at.leads = !atomic_exchange_explicit(&crew->led, true, memory_order_acq_rel);
    if (at.leads && !session->observer)
        atomic_store_explicit(&crew->open, session->model->plan.step_count, memory_order_release);
    rf_status status = go_through(&at, crew->error);
    if (status == RF_OK)
        return;
    crew->status = status; /* of one worker: nobody goes past the step that failed */
    atomic_store_explicit(&crew->stopped, true, memory_order_relaxed);
}

static void reset(rf_crew *crew, size_t steps)
{
    for (size_t s = 0; s < steps; s++)
        atomic_store_explicit(&crew->done[s].next, 0, memory_order_relaxed);
    for (size_t i = 0; i < steps * crew->share_count; i++)
        atomic_store_explicit(&crew->shares[i].next, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->open, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->late, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->late_workers, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->led, false, memory_order_relaxed);
    atomic_store_explicit(&crew->stopped, false, memory_order_relaxed);
    crew->status = RF_OK;
}

rf_status rf_crew_run(rf_session *session, rf_error *error)
{
    rf_crew *crew = &session->crew;
    const rf_executor *executor = &session->executor;
    size_t workers = count_workers(crew, executor->workers);
    reset(crew, session->model->plan.step_count);
    crew->owners = workers < crew->share_count ? workers : crew->share_count;
    crew->error = error;
    if (workers > 1)
        executor->run(executor->context, take_part, session, workers);
    else
        take_part(session, 0);
    crew->error = NULL;
    count_late(crew, workers);
    return crew->status;
}
