/* SPDX-License-Identifier: MIT */
/*
 * Weighted sums of a few elements along some axes, a vector of the others at once.
 *
 * For each point of the resampled axes, which elements count and by how much is
 * written down once; lines of the innermost axis that passes as it is follow.
 */
#include "kernels/vector/lines.h"

/* More elements behind one point than any filter of sense has. */
enum { MOST_TAPS = 1 << 16, TOGETHER = 4 };

typedef struct tap {
    int64_t offset;
    float weight;
} tap;

typedef struct sampled_axis {
    int64_t dim, in_stride, out_stride;
    rf_axis_taps taps; /* of 1 tap at the index itself where `indices` is NULL */
} sampled_axis;

typedef struct resample_plan {
    int32_t rank; /* outermost first; the line's axis apart */
    sampled_axis axes[RF_MAX_RANK];
    int64_t points;    /* of the innermost axis here: what one unit does */
    int64_t count, in_step, out_step; /* of the line */
    bool single;       /* one element behind each point, unweighted */
} resample_plan;

/* Multiplies the taps listed so far by those of one axis at one index; returns how many there are.
 * Weights of 0 are left out, so that nothing is read for them. */
static int64_t list_axis(tap *list, int64_t listed, const sampled_axis *axis, int64_t index)
{
    const rf_axis_taps *taps = &axis->taps;
    if (!taps->indices) {
        for (int64_t k = 0; k < listed; k++)
            list[k].offset += index * axis->in_stride;
        return listed;
    }
    int64_t kept = 0, first = index * taps->taps;
    tap *made = list + listed;
    for (int64_t k = 0; k < listed; k++) {
        for (int64_t t = 0; t < taps->taps; t++) {
            float weight = taps->weights ? taps->weights[first + t] : 1;
            if (weight == 0)
                continue;
            made[kept++] = (tap){list[k].offset + taps->indices[first + t] * axis->in_stride,
                                 list[k].weight * weight};
        }
    }
    memmove(list, made, (size_t)kept * sizeof *list);
    return kept;
}

static void copy_line(const resample_plan *p, float *to, const float *from)
{
    if (p->in_step == 1 && p->out_step == 1) {
        memcpy(to, from, (size_t)p->count * sizeof *to);
        return;
    }
    for (int64_t i = 0; i < p->count; i++)
        to[i * p->out_step] = from[i * p->in_step];
}

RF_INLINE void sum_whole(float *to, const float *from, const tap *list, int64_t listed, int vectors)
{
    rf_vec sums[TOGETHER];
    for (int v = 0; v < vectors; v++)
        sums[v] = rf_set(0);
    for (int64_t k = 0; k < listed; k++)
        for (int v = 0; v < vectors; v++)
            sums[v] += rf_load(from + list[k].offset + v * RF_LANES) * list[k].weight;
    for (int v = 0; v < vectors; v++)
        rf_store(to + v * RF_LANES, sums[v]);
}

static void sum_line(const resample_plan *p, float *to, const float *from, const tap *list, int64_t listed)
{
    int64_t i = 0;
    bool whole = p->in_step == 1 && p->out_step == 1;
    for (; whole && i + TOGETHER * RF_LANES <= p->count; i += TOGETHER * RF_LANES)
        sum_whole(to + i, from + i, list, listed, TOGETHER);
    for (; whole && i + RF_LANES <= p->count; i += RF_LANES)
        sum_whole(to + i, from + i, list, listed, 1);
    for (; i < p->count; i++) {
        float sum = 0;
        for (int64_t k = 0; k < listed; k++)
            sum += from[list[k].offset + i * p->in_step] * list[k].weight;
        to[i * p->out_step] = sum;
    }
}

/* One point of the innermost axis after another, where the outer axes have listed their taps. */
static void points(const resample_plan *p, float *to, const float *from, tap *list, int64_t listed)
{
    const sampled_axis *axis = &p->axes[p->rank - 1];
    tap *all = list + listed;
    for (int64_t x = 0; x < p->points; x++, to += axis->out_stride) {
        memcpy(all, list, (size_t)listed * sizeof *list);
        int64_t count = list_axis(all, listed, axis, x);
        if (p->single)
            copy_line(p, to, from + all->offset);
        else
            sum_line(p, to, from, all, count);
    }
}

static void run(const void *plan, const rf_kernel_call *call)
{
    const resample_plan *p = plan;
    tap *list = call->scratch;
    for (size_t unit = call->begin; unit < call->end; unit++) {
        size_t rest = unit;
        int64_t at = 0, listed = 1;
        list[0] = (tap){0, 1};
        for (int32_t k = p->rank - 2; k >= 0; k--) {
            int64_t index = (int64_t)(rest % (size_t)p->axes[k].dim);
            rest /= (size_t)p->axes[k].dim;
            at += index * p->axes[k].out_stride;
            listed = list_axis(list, listed, &p->axes[k], index);
        }
        points(p, (float *)call->data[1] + at, call->data[0], list, listed);
    }
}

/* The line's axis: passes as it is, and its elements lie closest in the output. -1: none does. */
static int32_t find_line(const rf_resample_spec *spec)
{
    int32_t best = -1;
    for (int32_t k = 0; k < spec->output.rank; k++) {
        if (spec->taps[k].indices || spec->output.dims[k] == 1)
            continue;
        if (best < 0 || spec->output.strides[k] < spec->output.strides[best])
            best = k;
    }
    return best;
}

/* The rest, sorted by their strides in the output. */
static void list_axes(resample_plan *plan, const rf_resample_spec *spec, int32_t line)
{
    for (int32_t k = 0; k < spec->output.rank; k++) {
        sampled_axis axis = {spec->output.dims[k], spec->input.strides[k], spec->output.strides[k],
                             spec->taps[k]};
        if (k == line || (axis.dim == 1 && !axis.taps.indices))
            continue;
        int32_t at = plan->rank++;
        for (; at > 0 && plan->axes[at - 1].out_stride < axis.out_stride; at--)
            plan->axes[at] = plan->axes[at - 1];
        plan->axes[at] = axis;
    }
    if (plan->rank == 0)
        plan->axes[plan->rank++] = (sampled_axis){.dim = 1};
}

/* Extents that pass must agree, and indices must lie in the input. */
static bool check_axis(const rf_resample_spec *spec, int32_t k)
{
    const rf_axis_taps *taps = &spec->taps[k];
    int64_t in = spec->input.dims[k], out = spec->output.dims[k];
    if (in < 0 || out < 0 || (!taps->indices && in != out))
        return false;
    if (taps->indices && (taps->taps < 1 || taps->taps > MOST_TAPS || out > INT32_MAX))
        return false;
    for (int64_t i = 0; taps->indices && i < out * taps->taps; i++)
        if (taps->indices[i] < 0 || taps->indices[i] >= in)
            return false;
    return true;
}

/* Taps behind a point, and lines; false where either is too many. */
static bool measure(resample_plan *plan, uint64_t *taps, uint64_t *units)
{
    *taps = *units = 1;
    plan->single = true;
    for (int32_t k = 0; k < plan->rank; k++) {
        const sampled_axis *axis = &plan->axes[k];
        if (k < plan->rank - 1 && __builtin_mul_overflow(*units, (uint64_t)axis->dim, units))
            return false;
        if (!axis->taps.indices)
            continue;
        *taps *= (uint64_t)axis->taps.taps;
        plan->single &= !axis->taps.weights && axis->taps.taps == 1;
        if (*taps > MOST_TAPS)
            return false;
    }
    plan->points = plan->axes[plan->rank - 1].dim;
    if (plan->points == 0 || plan->count == 0)
        *units = 0;
    return *units <= INT64_MAX;
}

bool RF_ISA_NAME(rf_make_resample)(const rf_resample_spec *spec, rf_arena *arena, rf_work *work)
{
    uint64_t taps, units;
    if (spec->input.rank < 0 || spec->input.rank > RF_MAX_RANK || spec->input.rank != spec->output.rank)
        return false;
    for (int32_t k = 0; k < spec->input.rank; k++)
        if (!check_axis(spec, k))
            return false;
    resample_plan *plan = RF_TAKE(arena, resample_plan, 1);
    if (!plan)
        return false;
    int32_t line = find_line(spec);
    plan->count = line < 0 ? 1 : spec->output.dims[line];
    plan->in_step = line < 0 ? 1 : spec->input.strides[line];
    plan->out_step = line < 0 ? 1 : spec->output.strides[line];
    list_axes(plan, spec, line);
    if (!measure(plan, &taps, &units))
        return false;
    *work = rf_plain_work(plan->single ? "nearest" : "taps", plan, run);
    /* Each axis writes its list behind the one that it was made from. */
    work->scratch_bytes = 3 * (taps + 1) * sizeof(tap);
    work->units = (size_t)units;
    work->operations = units * (uint64_t)plan->points * (uint64_t)plan->count * taps;
    return true;
}
