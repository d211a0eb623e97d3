/* SPDX-License-Identifier: MIT */
/*
 * Many elements made one. Either the lanes of a vector are different results
 * (channels of a spatial mean), or parts of one result (a mean along the last axis).
 *
 * Sums are trees, so that their error grows with the logarithm of the count.
 */
#include "kernels/vector/cascade.h"
#include "kernels/vector/lines.h"

/* Vectors of results that are summed side by side, and rows that are added before they join a tree. */
enum { ACROSS = 4, LEAF = 8 };

/* What is done to elements on their way: a sum of x, of x x, or the largest or smallest. */
enum { ADD, ADD_SQUARE, LARGEST, SMALLEST };

typedef struct reduce_plan {
    rf_nest kept;    /* of input and output */
    rf_nest reduced; /* of the input; the innermost axis apart */
    int64_t count, step; /* of the innermost reduced axis */
    uint64_t rows;       /* of it */
    int64_t lanes, lane_steps[RF_NEST_OPERANDS]; /* the innermost kept axis, across */
    size_t lane_blocks;
    int kind;
    rf_reduce_function function;
    float elements; /* of one result */
} reduce_plan;

RF_INLINE rf_vec combine(rf_vec a, rf_vec b, int kind)
{
    return kind == LARGEST ? rf_vmax(a, b) : kind == SMALLEST ? rf_vmin(a, b) : a + b;
}

RF_INLINE rf_vec prepare(rf_vec x, int kind)
{
    return kind == ADD_SQUARE ? x * x : x;
}

static float neutral(int kind)
{
    return kind == LARGEST ? -INFINITY : kind == SMALLEST ? INFINITY : 0.0f;
}

static rf_vec finish(rf_vec x, const reduce_plan *p)
{
    if (p->function == RF_REDUCE_MEAN)
        return x / p->elements;
    return p->function == RF_REDUCE_L2 ? rf_vsqrt(x) : x;
}

/* What gathers terms: a tree for sums, one vector for extremes. */
typedef struct gathered {
    rf_cascade tree;
    rf_vec extreme;
} gathered;

RF_INLINE void gathered_start(gathered *g, int kind)
{
    g->tree.count = 0;
    g->extreme = rf_set(neutral(kind));
}

RF_INLINE void gathered_add(gathered *g, rf_vec term, int kind)
{
    if (kind <= ADD_SQUARE)
        rf_cascade_add(&g->tree, term);
    else
        g->extreme = combine(g->extreme, term, kind);
}

RF_INLINE rf_vec gathered_end(const gathered *g, int kind)
{
    return kind <= ADD_SQUARE ? rf_cascade_sum(&g->tree) : g->extreme;
}

/* ---- Lanes are different results -------------------------------------------------------- */

/* LEAF rows in pairs of pairs. */
RF_INLINE rf_vec leaf(const float *from, int64_t step, int kind)
{
    rf_vec terms[LEAF];
    RF_UNROLL
    for (int i = 0; i < LEAF; i++)
        terms[i] = prepare(rf_load(from + i * step), kind);
    RF_UNROLL
    for (int half = LEAF / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            terms[i] = combine(terms[i], terms[i + half], kind);
    return terms[0];
}

/* `vectors` whole vectors of neighbouring results. */
RF_INLINE void across_whole(const reduce_plan *p, float *to, const float *from, int kind, int vectors)
{
    gathered sums[ACROSS];
    for (int v = 0; v < vectors; v++)
        gathered_start(&sums[v], kind);
    for (uint64_t row = 0; row < p->rows; row++) {
        const float *line = from + rf_nest_offset(&p->reduced, 0, row);
        int64_t i = 0;
        for (; i + LEAF <= p->count; i += LEAF)
            for (int v = 0; v < vectors; v++)
                gathered_add(&sums[v], leaf(line + i * p->step + v * RF_LANES, p->step, kind), kind);
        for (; i < p->count; i++)
            for (int v = 0; v < vectors; v++)
                gathered_add(&sums[v], prepare(rf_load(line + i * p->step + v * RF_LANES), kind), kind);
    }
    for (int v = 0; v < vectors; v++)
        rf_store(to + v * RF_LANES, finish(gathered_end(&sums[v], kind), p));
}

/* Some lanes, any steps between them. */
RF_INLINE void across_some(const reduce_plan *p, float *to, const float *from, int kind, int64_t some)
{
    gathered sum;
    gathered_start(&sum, kind);
    for (uint64_t row = 0; row < p->rows; row++) {
        const float *line = from + rf_nest_offset(&p->reduced, 0, row);
        for (int64_t i = 0; i < p->count; i++) {
            rf_vec x = rf_gather_any(line + i * p->step, p->lane_steps[0], some, 0);
            gathered_add(&sum, prepare(x, kind), kind);
        }
    }
    rf_scatter_any(to, p->lane_steps[1], finish(gathered_end(&sum, kind), p), some);
}

RF_INLINE void across(const reduce_plan *p, float *to, const float *from, int kind, int64_t lanes)
{
    bool whole = p->lane_steps[0] == 1 && p->lane_steps[1] == 1;
    int64_t at = 0;
    if (whole && lanes == ACROSS * RF_LANES) {
        across_whole(p, to, from, kind, ACROSS);
        return;
    }
    for (; whole && at + RF_LANES <= lanes; at += RF_LANES)
        across_whole(p, to + at, from + at, kind, 1);
    for (; at < lanes; at += RF_LANES) {
        int64_t some = lanes - at < RF_LANES ? lanes - at : RF_LANES;
        across_some(p, to + at * p->lane_steps[1], from + at * p->lane_steps[0], kind, some);
    }
}

RF_INLINE void run_across(const reduce_plan *p, const rf_kernel_call *call, int kind)
{
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t at = (int64_t)(unit % p->lane_blocks) * (ACROSS * RF_LANES), left = p->lanes - at;
        uint64_t position = unit / p->lane_blocks;
        const float *from = (const float *)call->data[0] + rf_nest_offset(&p->kept, 0, position);
        float *to = (float *)call->data[1] + rf_nest_offset(&p->kept, 1, position);
        across(p, to + at * p->lane_steps[1], from + at * p->lane_steps[0], kind,
               left < ACROSS * RF_LANES ? left : ACROSS * RF_LANES);
    }
}

/* ---- Lanes are parts of one result ------------------------------------------------------- */

/* What is left of a line below a leaf. */
RF_INLINE void along_rest(const reduce_plan *p, gathered *sum, const float *line, int64_t at, int kind)
{
    for (int64_t i = at; i < p->count; i += RF_LANES) {
        int64_t some = p->count - i < RF_LANES ? p->count - i : RF_LANES;
        rf_vec x = rf_gather_any(line + i * p->step, p->step, some, neutral(kind));
        gathered_add(sum, prepare(x, kind), kind);
    }
}

RF_INLINE float fold_lanes(rf_vec v, int kind)
{
    float lanes[RF_LANES];
    if (kind <= ADD_SQUARE)
        return rf_add_lanes(v);
    rf_store(lanes, v);
    rf_vec result = rf_set(lanes[0]);
    for (int i = 1; i < RF_LANES; i++)
        result = combine(result, rf_set(lanes[i]), kind);
    return result[0];
}

RF_INLINE void along(const reduce_plan *p, float *to, const float *from, int kind)
{
    gathered sum;
    gathered_start(&sum, kind);
    for (uint64_t row = 0; row < p->rows; row++) {
        const float *line = from + rf_nest_offset(&p->reduced, 0, row);
        int64_t i = 0;
        if (p->step == 1)
            for (; i + LEAF * RF_LANES <= p->count; i += LEAF * RF_LANES)
                gathered_add(&sum, leaf(line + i, RF_LANES, kind), kind);
        along_rest(p, &sum, line, i, kind);
    }
    *to = finish(rf_set(fold_lanes(gathered_end(&sum, kind), kind)), p)[0];
}

RF_INLINE void run_along(const reduce_plan *p, const rf_kernel_call *call, int kind)
{
    for (size_t unit = call->begin; unit < call->end; unit++)
        along(p, (float *)call->data[1] + rf_nest_offset(&p->kept, 1, unit),
              (const float *)call->data[0] + rf_nest_offset(&p->kept, 0, unit), kind);
}

#define RUN(name, kind)                                                                          \
    static void name##_##kind(const void *plan, const rf_kernel_call *call)                      \
    {                                                                                            \
        name(plan, call, kind);                                                                  \
    }
#define RUNS(kind) RUN(run_across, kind) RUN(run_along, kind)
RUNS(ADD)
RUNS(ADD_SQUARE)
RUNS(LARGEST)
RUNS(SMALLEST)

typedef void (*run_function)(const void *plan, const rf_kernel_call *call);
static const run_function runs[][2] = {
    [ADD] = {run_along_ADD, run_across_ADD},
    [ADD_SQUARE] = {run_along_ADD_SQUARE, run_across_ADD_SQUARE},
    [LARGEST] = {run_along_LARGEST, run_across_LARGEST},
    [SMALLEST] = {run_along_SMALLEST, run_across_SMALLEST},
};

/* ---- Choosing --------------------------------------------------------------------------- */

static int kind_of(rf_reduce_function function)
{
    switch (function) {
    case RF_REDUCE_MAX: return LARGEST;
    case RF_REDUCE_MIN: return SMALLEST;
    case RF_REDUCE_SUM_SQUARE:
    case RF_REDUCE_L2: return ADD_SQUARE;
    default: return ADD;
    }
}

static bool split_axes(const rf_reduce_spec *spec, rf_nest *kept, rf_nest *reduced)
{
    const rf_strided *in = &spec->input, *out = &spec->output;
    *kept = *reduced = (rf_nest){0};
    if (in->rank < 0 || in->rank > RF_MAX_RANK || in->rank != out->rank)
        return false;
    for (int32_t k = 0; k < in->rank; k++) {
        bool gone = spec->axes >> k & 1;
        int64_t strides[RF_NEST_OPERANDS] = {in->strides[k], gone ? 0 : out->strides[k]};
        if (in->dims[k] < 0 || out->dims[k] != (gone ? 1 : in->dims[k]))
            return false;
        rf_nest_axis(gone ? reduced : kept, in->dims[k], strides);
    }
    rf_nest_settle(kept, 1);
    rf_nest_settle(reduced, 0);
    return true;
}

/* Whether lanes go across results: where they lie side by side, or nothing else does, or what makes
 * one result is so short that most of a vector would be idle. */
static bool goes_across(const rf_nest *kept, const rf_nest *reduced, uint64_t elements)
{
    bool many = kept->rank && kept->dims[kept->rank - 1] >= RF_LANES;
    bool side_by_side = kept->rank && kept->strides[0][kept->rank - 1] == 1;
    bool in_line = reduced->rank && reduced->strides[0][reduced->rank - 1] == 1;
    return side_by_side || (many && (!in_line || elements < 4 * RF_LANES));
}

bool RF_ISA_NAME(rf_make_reduce)(const rf_reduce_spec *spec, rf_arena *arena, rf_work *work)
{
    uint64_t results, elements;
    reduce_plan *plan = RF_TAKE(arena, reduce_plan, 1);
    if (!plan || (unsigned)spec->function > RF_REDUCE_L2 || !split_axes(spec, &plan->kept, &plan->reduced))
        return false;
    if (!rf_nest_elements(&plan->kept, &results) || !rf_nest_elements(&plan->reduced, &elements))
        return false;
    bool is_across = goes_across(&plan->kept, &plan->reduced, elements);
    int64_t steps[RF_NEST_OPERANDS] = {0};
    plan->kind = kind_of(spec->function);
    plan->function = spec->function;
    plan->elements = (float)elements;
    plan->count = rf_nest_take(&plan->reduced, steps);
    plan->step = steps[0];
    plan->rows = elements ? elements / (uint64_t)plan->count : 0;
    plan->lanes = is_across ? rf_nest_take(&plan->kept, plan->lane_steps) : 1;
    plan->lane_blocks = is_across ? (size_t)((plan->lanes + ACROSS * RF_LANES - 1) / (ACROSS * RF_LANES)) : 1;
    *work = rf_plain_work(is_across ? "across" : "along", plan, runs[plan->kind][is_across]);
    if (!results)
        return true;
    work->units = (size_t)(results / (uint64_t)plan->lanes) * plan->lane_blocks;
    work->operations = elements > UINT64_MAX / results ? UINT64_MAX : elements * results;
    work->grain = (size_t)(1 + 16384 / (work->operations / work->units + 1));
    return true;
}
