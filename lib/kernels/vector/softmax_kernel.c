/* SPDX-License-Identifier: MIT */
/*
 * exp(x - largest) over its sum, in three passes over each group of elements.
 * Either the lanes of a vector are different groups, or parts of one.
 */
#include "kernels/vector/cascade.h"
#include "kernels/vector/lines.h"

typedef struct softmax_plan {
    rf_nest kept, group;            /* of input and output; the innermost axes apart */
    int64_t count, steps[RF_NEST_OPERANDS]; /* of the group's innermost axis */
    uint64_t rows;                  /* of it in a group */
    int64_t lanes, lane_steps[RF_NEST_OPERANDS]; /* the innermost kept axis, across */
    size_t lane_blocks;
    bool logarithm;
} softmax_plan;

typedef struct softmax_state {
    rf_vec largest;
    rf_vec last; /* a factor, or what is taken off */
    rf_cascade sum;
} softmax_state;

enum { FIND, SUM, FINISH };

RF_INLINE void one_vector(const softmax_plan *p, softmax_state *s, const float *from, float *to,
                          const int64_t *steps, int64_t some, int stage)
{
    if (stage == FINISH && !p->logarithm) {
        rf_scatter_any(to, steps[1], rf_gather_any(to, steps[1], some, 0) * s->last, some);
        return;
    }
    rf_vec x = rf_gather_any(from, steps[0], some, -INFINITY);
    if (stage == FIND) {
        s->largest = rf_vmax(s->largest, x);
    } else if (stage == FINISH) {
        rf_scatter_any(to, steps[1], x - s->largest - s->last, some);
    } else {
        rf_vec e = rf_vexp(x - s->largest);
        rf_cascade_add(&s->sum, e);
        if (!p->logarithm)
            rf_scatter_any(to, steps[1], e, some);
    }
}

/* One pass over a group, or over `lanes` groups across. */
RF_INLINE void pass(const softmax_plan *p, softmax_state *s, const float *from, float *to,
                    int64_t lanes, int stage, bool across)
{
    const int64_t *lane_steps = across ? p->lane_steps : p->steps;
    for (uint64_t row = 0; row < p->rows; row++) {
        const float *in = from + rf_nest_offset(&p->group, 0, row);
        float *out = to + rf_nest_offset(&p->group, 1, row);
        for (int64_t i = 0; i < p->count; i += across ? 1 : RF_LANES) {
            int64_t left = p->count - i < RF_LANES ? p->count - i : RF_LANES;
            one_vector(p, s, in + i * p->steps[0], out + i * p->steps[1], lane_steps,
                       across ? lanes : left, stage);
        }
    }
}

static rf_vec largest_lane(rf_vec v)
{
    float lanes[RF_LANES];
    rf_store(lanes, v);
    rf_vec result = rf_set(lanes[0]);
    for (int i = 1; i < RF_LANES; i++)
        result = rf_vmax(result, rf_set(lanes[i]));
    return result;
}

RF_INLINE void group_of(const softmax_plan *p, const float *from, float *to, int64_t lanes, bool across)
{
    softmax_state s;
    s.largest = rf_set(-INFINITY);
    s.sum.count = 0;
    pass(p, &s, from, to, lanes, FIND, across);
    if (!across)
        s.largest = largest_lane(s.largest);
    pass(p, &s, from, to, lanes, SUM, across);
    rf_vec sum = rf_cascade_sum(&s.sum);
    if (!across)
        sum = rf_set(rf_add_lanes(sum));
    s.last = p->logarithm ? rf_vlog(sum) : 1 / sum;
    pass(p, &s, from, to, lanes, FINISH, across);
}

static void run_along(const void *plan, const rf_kernel_call *call)
{
    const softmax_plan *p = plan;
    for (size_t unit = call->begin; unit < call->end; unit++)
        group_of(p, (const float *)call->data[0] + rf_nest_offset(&p->kept, 0, unit),
                 (float *)call->data[1] + rf_nest_offset(&p->kept, 1, unit), 1, false);
}

static void run_across(const void *plan, const rf_kernel_call *call)
{
    const softmax_plan *p = plan;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        int64_t at = (int64_t)(unit % p->lane_blocks) * RF_LANES, left = p->lanes - at;
        uint64_t position = unit / p->lane_blocks;
        group_of(p,
                 (const float *)call->data[0] + rf_nest_offset(&p->kept, 0, position) + at * p->lane_steps[0],
                 (float *)call->data[1] + rf_nest_offset(&p->kept, 1, position) + at * p->lane_steps[1],
                 left < RF_LANES ? left : RF_LANES, true);
    }
}

static bool split_axes(const rf_softmax_spec *spec, rf_nest *kept, rf_nest *group)
{
    const rf_strided *in = &spec->input, *out = &spec->output;
    if (in->rank < 1 || in->rank > RF_MAX_RANK || in->rank != out->rank)
        return false;
    if (spec->first < 0 || spec->last < spec->first || spec->last >= in->rank)
        return false;
    for (int32_t k = 0; k < in->rank; k++) {
        int64_t strides[RF_NEST_OPERANDS] = {in->strides[k], out->strides[k]};
        if (in->dims[k] < 0 || in->dims[k] != out->dims[k])
            return false;
        rf_nest_axis(k >= spec->first && k <= spec->last ? group : kept, in->dims[k], strides);
    }
    rf_nest_settle(kept, 1);
    rf_nest_settle(group, 1);
    return true;
}

static bool side_by_side(const rf_nest *nest)
{
    int32_t inner = nest->rank - 1;
    return inner >= 0 && nest->strides[0][inner] == 1 && nest->strides[1][inner] == 1;
}

/* Whether lanes are different groups: where only those lie side by side, or where groups are so
 * short that most of a vector would be idle. */
static bool goes_across(const rf_nest *kept, const rf_nest *group, uint64_t elements)
{
    bool many = kept->rank && kept->dims[kept->rank - 1] >= RF_LANES;
    return (side_by_side(kept) && !side_by_side(group)) || (many && elements < 4 * RF_LANES);
}

bool RF_ISA_NAME(rf_make_softmax)(const rf_softmax_spec *spec, rf_arena *arena, rf_work *work)
{
    uint64_t groups, elements;
    softmax_plan *plan = RF_TAKE(arena, softmax_plan, 1);
    if (!plan || !split_axes(spec, &plan->kept, &plan->group))
        return false;
    if (!rf_nest_elements(&plan->kept, &groups) || !rf_nest_elements(&plan->group, &elements))
        return false;
    bool across = goes_across(&plan->kept, &plan->group, elements);
    plan->logarithm = spec->logarithm;
    plan->count = rf_nest_take(&plan->group, plan->steps);
    plan->rows = elements ? elements / (uint64_t)plan->count : 0;
    plan->lanes = across ? rf_nest_take(&plan->kept, plan->lane_steps) : 1;
    plan->lane_blocks = across ? (size_t)((plan->lanes + RF_LANES - 1) / RF_LANES) : 1;
    *work = rf_plain_work(across ? "across" : "along", plan, across ? run_across : run_along);
    if (!groups || !elements)
        return true;
    work->units = (size_t)(groups / (uint64_t)plan->lanes) * plan->lane_blocks;
    work->operations = elements > UINT64_MAX / groups / 16 ? UINT64_MAX : elements * groups * 16;
    work->grain = (size_t)(1 + 65536 / (work->operations / work->units + 1));
    return true;
}
