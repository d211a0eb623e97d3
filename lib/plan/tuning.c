/* SPDX-License-Identifier: MIT */
/*
 * Which of a kernel's candidates does a convolution fastest: found by trying them.
 *
 * Each candidate prepares the layer's weights and computes on tensors that lie as the layer's do,
 * in turns with the best so far. Before each turn as many bytes are read as the network's weights take, up to more
 * than a last cache holds: in a run, the other layers push a layer's weights out of the caches, while its
 * input has just been written. Layers that look alike are tried once.
 */
#include "plan/tuning.h"

#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "plan/plan.h"

/* A thread's own time, without what other threads take of its processor; the next best where there is none. */
#ifndef CLOCK_THREAD_CPUTIME_ID
#define CLOCK_THREAD_CPUTIME_ID CLOCK_MONOTONIC
#endif

enum { ALIGNMENT = 64, LINE = ALIGNMENT / sizeof(float), OPERANDS = 3, FEW_TURNS = 3, TURNS = 12, MOST_KNOWN = 1024 };

static const uint64_t most_swept = 64 << 20;
static const uint64_t growth = 4; /* of weights that are prepared for Winograd's algorithm */
static const uint64_t most_operations = UINT64_C(20000000000); /* a layer that takes longer keeps its estimate */
static const double layer_seconds = 0.4, model_seconds = 60;   /* after which nothing more is tried */
static const double hopeless = 1.25, better = 0.9;             /* times of the best's: noise is up to a tenth */

/* What has been found for a convolution. */
typedef struct finding {
    rf_convolution_spec spec;
    int32_t candidate;
    struct finding *next;
} finding;

struct rf_tuner {
    rf_arena arena; /* holds this struct too */
    uint64_t limit; /* bytes */
    double end;
    float *swept;
    size_t swept_floats;
    float sum;      /* of what was swept, so that it is read */
    finding *findings;
    size_t finding_count;
};

/* A layer's tensors. */
typedef struct stage {
    rf_arena arena;
    float *data[OPERANDS];
    size_t floats[OPERANDS];
} stage;

/* A candidate that is ready to run. */
typedef struct contender {
    rf_arena arena;
    int32_t candidate;
    rf_work work;
    void *packed, *scratch;
} contender;

static double seconds(clockid_t clock)
{
    struct timespec time = {.tv_sec = 0};
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double now(void)
{
    return seconds(CLOCK_MONOTONIC);
}

/* ---- Memory ------------------------------------------------------------------------------- */

/* NULL where there is none, or no room under the limit. */
static void *take_aligned(rf_arena *arena, uint64_t bytes)
{
    char *memory = bytes < SIZE_MAX / 2 ? rf_arena_take(arena, 1, (size_t)bytes + ALIGNMENT) : NULL;
    return memory ? memory + (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT : NULL;
}

/* What the model and the trials may still take, `held` bytes of which are taken. */
static uint64_t room_of(const rf_plan *plan, uint64_t held)
{
    uint64_t taken = plan->arena->bytes_taken + rf_weights_bytes(plan->weights) + plan->tuner->arena.bytes_taken + held;
    return taken < plan->tuner->limit ? plan->tuner->limit - taken : 0;
}

/* Trials that would not fit under the limit are left out, but without memory there is no model. */
static void note_refusal(rf_plan *plan, const rf_arena *arena)
{
    if (arena->refused && !arena->limited)
        plan->arena->refused = true;
}

/* ---- The tuner ---------------------------------------------------------------------------- */

static uint64_t weight_bytes(const rf_graph *graph)
{
    uint64_t bytes = 0;
    for (size_t v = 0; v < graph->value_count && bytes < most_swept; v++)
        if (graph->values[v].data && graph->values[v].in_description)
            bytes += graph->values[v].bytes < most_swept ? graph->values[v].bytes : most_swept;
    return bytes < most_swept / growth ? growth * bytes : most_swept;
}

static void take_swept(rf_plan *plan, rf_tuner *tuner)
{
    uint64_t bytes = weight_bytes(plan->graph);
    tuner->arena.bytes_limit = tuner->arena.bytes_taken + room_of(plan, 0) / 2;
    tuner->swept = rf_arena_take(&tuner->arena, 1, (size_t)bytes);
    tuner->swept_floats = tuner->swept ? (size_t)bytes / sizeof(float) : 0;
    note_refusal(plan, &tuner->arena);
}

rf_status rf_plan_start_tuning(rf_plan *plan)
{
    const rf_allocator *allocator = &plan->arena->allocator;
    rf_arena arena;
    rf_arena_init(&arena, allocator, UINT64_MAX);
    rf_tuner *tuner = RF_TAKE(&arena, rf_tuner, 1);
    if (!tuner)
        return rf_arena_fail(&arena, plan->error, "a model");
    tuner->arena = arena;
    tuner->limit = plan->graph->limits.memory_bytes;
    tuner->end = now() + model_seconds;
    plan->tuner = tuner;
    take_swept(plan, tuner);
    return plan->arena->refused ? rf_plan_no_memory(plan) : RF_OK;
}

void rf_plan_end_tuning(rf_plan *plan)
{
    if (!plan->tuner)
        return;
    rf_arena arena = plan->tuner->arena;
    rf_arena_release(&arena);
    plan->tuner = NULL;
}

/* ---- Findings ----------------------------------------------------------------------------- */

static bool same_window(const rf_window *a, const rf_window *b)
{
    return a->input == b->input && a->output == b->output && a->kernel == b->kernel && a->stride == b->stride
           && a->dilation == b->dilation && a->pad_begin == b->pad_begin && a->pad_end == b->pad_end;
}

/* Whatever their numbers are. */
static bool are_alike(const rf_convolution_spec *a, const rf_convolution_spec *b)
{
    bool alike = a->axes == b->axes && a->epilogue.residual == b->epilogue.residual
                 && a->epilogue.map.function == b->epilogue.map.function && rf_strided_equal(&a->input, &b->input)
                 && rf_strided_equal(&a->output, &b->output)
                 && (!a->epilogue.residual || rf_strided_equal(&a->residual, &b->residual));
    for (int32_t k = 0; alike && k < a->axes; k++)
        alike = same_window(&a->windows[k], &b->windows[k]);
    return alike;
}

static const finding *find(const rf_tuner *tuner, const rf_convolution_spec *spec)
{
    const finding *at = tuner->findings;
    while (at && !are_alike(&at->spec, spec))
        at = at->next;
    return at;
}

/* Without room for it, the layer is tried again when it comes again. */
static void remember(rf_plan *plan, const rf_convolution_spec *spec, int32_t candidate)
{
    rf_tuner *tuner = plan->tuner;
    finding *made = RF_TAKE(&tuner->arena, finding, 1);
    note_refusal(plan, &tuner->arena);
    if (!made)
        return;
    *made = (finding){.spec = *spec, .candidate = candidate, .next = tuner->findings};
    tuner->findings = made;
    tuner->finding_count++;
}

/* ---- The stage ---------------------------------------------------------------------------- */

static bool set_span(const rf_strided *form, size_t *floats)
{
    for (int32_t k = 0; k < form->rank; k++)
        if (form->strides[k] < 0 || form->dims[k] < 1)
            return false;
    *floats = (size_t)rf_strided_span(form);
    return *floats <= SIZE_MAX / 4 / sizeof(float);
}

static bool set_spans(stage *on, const rf_convolution_spec *spec)
{
    return set_span(&spec->input, &on->floats[0]) && set_span(&spec->output, &on->floats[1])
           && (!spec->epilogue.residual || set_span(&spec->residual, &on->floats[2]));
}

/* Of ordinary numbers: those near zero, or NaN, may take longer. */
static void fill(float *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        at[i] = (float)(int)(i % 29) * 0.03125F - 0.40625F;
}

static bool open_stage(stage *on, rf_plan *plan, const rf_convolution_spec *spec)
{
    *on = (stage){.floats = {0}};
    rf_arena_init(&on->arena, &plan->arena->allocator, room_of(plan, 0));
    if (!set_spans(on, spec))
        return false;
    for (int i = 0; i < OPERANDS; i++) {
        on->data[i] = take_aligned(&on->arena, on->floats[i] * (uint64_t)sizeof(float));
        if (!on->data[i])
            return false;
        fill(on->data[i], on->floats[i]);
    }
    return true;
}

/* ---- Contenders --------------------------------------------------------------------------- */

static void close_contender(contender *one)
{
    rf_arena_release(&one->arena);
}

static bool make(contender *one, const rf_plan *plan, const rf_convolution_spec *spec, int32_t candidate)
{
    rf_convolution_spec asked = *spec;
    asked.candidate = one->candidate = candidate;
    return plan->kernels->convolution(&asked, &one->arena, &one->work) && one->work.units > 0
           && one->work.operations <= most_operations;
}

static bool prepare(contender *one)
{
    one->packed = take_aligned(&one->arena, one->work.packed_bytes);
    one->scratch = one->packed ? take_aligned(&one->arena, one->work.scratch_bytes) : NULL;
    if (one->scratch && one->work.pack)
        one->work.pack(one->work.plan, &one->work.unpacked, one->packed);
    return one->scratch;
}

/* `usual` is the algorithm of candidate 0, which another number stands for too; NULL at first. */
static bool open_contender(contender *one, rf_plan *plan, const rf_convolution_spec *spec, int32_t candidate,
                           const char *usual, uint64_t held)
{
    *one = (contender){.candidate = 0};
    rf_arena_init(&one->arena, &plan->arena->allocator, room_of(plan, held));
    bool opened = make(one, plan, spec, candidate) && (!usual || strcmp(one->work.algorithm, usual) != 0)
                  && prepare(one);
    /* A maker without memory may have made something else. */
    if (opened && !one->arena.refused)
        return true;
    note_refusal(plan, &one->arena);
    close_contender(one);
    return false;
}

/* ---- Turns -------------------------------------------------------------------------------- */

static float read_lines(const float *from, size_t floats)
{
    float sum = 0;
    for (size_t i = 0; i < floats; i += LINE)
        sum += from[i];
    return sum;
}

static double time_turn(rf_tuner *tuner, const stage *on, const contender *one)
{
    void *data[OPERANDS] = {on->data[0], on->data[1], on->data[2]};
    const rf_kernel_call call = {
        .data = data, .packed = one->packed, .scratch = one->scratch, .begin = 0, .end = one->work.units,
    };
    tuner->sum += read_lines(tuner->swept, tuner->swept_floats);
    for (int i = OPERANDS - 1; i >= 0; i--)
        tuner->sum += read_lines(on->data[i], on->floats[i]);
    double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    one->work.run(one->work.plan, &call);
    return seconds(CLOCK_THREAD_CPUTIME_ID) - start;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

/* In turns, so that whatever else the machine does meets both; few of them where one falls behind. */
static bool is_faster(rf_tuner *tuner, const stage *on, const contender *one, const contender *best)
{
    double own = time_turn(tuner, on, one), other = time_turn(tuner, on, best);
    for (int turn = 1; turn < TURNS && own < (turn < FEW_TURNS ? hopeless : 1) * other; turn++) {
        own = lesser(own, time_turn(tuner, on, one));
        other = lesser(other, time_turn(tuner, on, best));
    }
    return own < better * other;
}

/* ---- The choice --------------------------------------------------------------------------- */

/* `best` begins as candidate 0 and is the fastest in the end. */
static void try_all(rf_plan *plan, const rf_convolution_spec *spec, const stage *on, contender *best)
{
    rf_tuner *tuner = plan->tuner;
    const char *usual = best->work.algorithm;
    double end = lesser(now() + layer_seconds, tuner->end);
    for (int32_t k = 1; k <= RF_CONVOLUTION_CANDIDATES && now() < end && !plan->arena->refused; k++) {
        contender other;
        if (!open_contender(&other, plan, spec, k, usual, on->arena.bytes_taken + best->arena.bytes_taken))
            continue;
        bool faster = is_faster(tuner, on, &other, best);
        close_contender(faster ? best : &other);
        if (faster)
            *best = other;
    }
}

static int32_t choose(rf_plan *plan, const rf_convolution_spec *spec)
{
    stage on;
    contender best;
    int32_t candidate = 0;
    if (!open_stage(&on, plan, spec)) {
        note_refusal(plan, &on.arena);
    } else if (open_contender(&best, plan, spec, 0, NULL, on.arena.bytes_taken)) {
        try_all(plan, spec, &on, &best);
        candidate = best.candidate;
        close_contender(&best);
    }
    rf_arena_release(&on.arena);
    return candidate;
}

int32_t rf_plan_tune(rf_plan *plan, const rf_convolution_spec *spec)
{
    rf_tuner *tuner = plan->tuner;
    if (!tuner || !spec->weights || spec->groups != 1 || spec->transposed || tuner->finding_count == MOST_KNOWN)
        return 0;
    const finding *known = find(tuner, spec);
    if (known || now() >= tuner->end)
        return known ? known->candidate : 0;
    int32_t candidate = choose(plan, spec);
    remember(plan, spec, candidate);
    return candidate;
}
