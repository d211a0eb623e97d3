/* SPDX-License-Identifier: MIT */
#include "analysis/axis_state.h"

#include "analysis/link_bounds.h"
#include "base/checked.h"

rf_axis_state rf_state_identity(int32_t axis)
{
    return (rf_axis_state){.kind = RF_STATE_AFFINE, .axis = axis, .solid = true, .stride = 1};
}

static int64_t axis_extent(const rf_axis_state *state, const rf_shape *shape)
{
    return state->axis >= 0 && state->axis < shape->rank ? shape->dims[state->axis] : 1;
}

static bool bounds_at(const rf_axis_state *state, int64_t i, int64_t *low, int64_t *high)
{
    int64_t shift;
    if (state->kind == RF_STATE_ENVELOPE)
        return rf_envelope_at(state->lower, true, i, low) && rf_envelope_at(state->upper, false, i, high);
    if (state->kind != RF_STATE_AFFINE) {
        *low = state->low;
        *high = state->high;
        return true;
    }
    return rf_checked_mul(state->stride, i, &shift) && rf_checked_add(shift, state->low, low)
        && rf_checked_add(shift, state->high, high);
}

static bool hull_of(const rf_axis_state *state, int64_t first, int64_t last, rf_range *hull)
{
    int64_t low[2], high[2];
    if (!bounds_at(state, first, &low[0], &high[0]) || !bounds_at(state, last, &low[1], &high[1]))
        return false;
    *hull = (rf_range){rf_min(low[0], low[1]), rf_max(high[0], high[1])};
    return true;
}

/* How many output indices show every size that occurs: a common period, or all. */
static int64_t telling_outputs(const rf_axis_state *state, int64_t extent)
{
    if (state->kind != RF_STATE_ENVELOPE)
        return 1;
    if (state->lower->count != 1 || state->upper->count != 1)
        return extent;
    const rf_index_map *lower = &state->lower->pieces[0], *upper = &state->upper->pieces[0];
    int64_t a, b;
    if (!rf_checked_mul(lower->advance, upper->period, &a) || !rf_checked_mul(upper->advance, lower->period, &b) || a != b)
        return extent;
    int64_t period = lower->period / rf_gcd(lower->period, upper->period) * upper->period;
    return rf_min(period, extent);
}

bool rf_state_range(const rf_axis_state *state, const rf_shape *shape, uint64_t *budget, rf_range *hull,
                    int64_t *size_min, int64_t *size_max)
{
    uint64_t small_budget = 4096;
    int64_t extent = axis_extent(state, shape);
    if (state->kind == RF_STATE_OPAQUE) {
        *hull = (rf_range){state->low, state->high};
        *size_min = state->size_min;
        *size_max = state->size_max;
        return true;
    }
    if (!hull_of(state, 0, rf_max(extent - 1, 0), hull))
        return false;
    int64_t telling = telling_outputs(state, extent);
    if (!budget)
        budget = &small_budget;
    if ((uint64_t)telling > *budget)
        return false;
    *budget -= (uint64_t)telling;
    *size_min = INT64_MAX;
    *size_max = 0;
    for (int64_t i = 0; i < rf_max(telling, 1); i++) {
        int64_t low, high, size;
        if (!bounds_at(state, i, &low, &high) || !rf_checked_sub(high, low, &size) || !rf_checked_add(size, 1, &size))
            return false;
        *size_min = rf_min(*size_min, size);
        *size_max = rf_max(*size_max, size);
    }
    return true;
}

/* Whether all pieces rise or all fall, so that the ends bound what lies between. */
static bool is_one_way(const rf_axis_state *state)
{
    bool rises = false, falls = false;
    for (int32_t p = 0; p < state->lower->count; p++) {
        rises |= state->lower->pieces[p].advance > 0;
        falls |= state->lower->pieces[p].advance < 0;
    }
    for (int32_t p = 0; p < state->upper->count; p++) {
        rises |= state->upper->pieces[p].advance > 0;
        falls |= state->upper->pieces[p].advance < 0;
    }
    return !(rises && falls);
}

static bool covers_everywhere(const rf_axis_state *state, int64_t last, int64_t extent)
{
    if (last > RF_MAX_PERIOD)
        return false;
    for (int64_t i = 0; i <= last; i++) {
        int64_t low, high;
        if (!bounds_at(state, i, &low, &high) || low > 0 || high < extent - 1)
            return false;
    }
    return true;
}

bool rf_state_covers(const rf_axis_state *state, const rf_shape *shape, int64_t extent)
{
    int64_t low[2], high[2];
    if (state->kind == RF_STATE_OPAQUE)
        return state->measured && state->size_min >= extent && state->low <= 0 && state->high >= extent - 1
            && state->size_min == state->size_max && state->high - state->low + 1 == state->size_min;
    int64_t last = rf_max(axis_extent(state, shape) - 1, 0);
    if (state->kind == RF_STATE_ENVELOPE && !is_one_way(state))
        return covers_everywhere(state, last, extent);
    return bounds_at(state, 0, &low[0], &high[0]) && bounds_at(state, last, &low[1], &high[1])
        && rf_max(low[0], low[1]) <= 0 && rf_min(high[0], high[1]) >= extent - 1;
}

/* ---- Through an operator ---------------------------------------------------------------- */

static void make_opaque(const rf_axis_state *from, const rf_shape *in, int32_t axis, rf_axis_state *state)
{
    rf_range hull;
    int64_t size_min, size_max;
    *state = (rf_axis_state){.kind = RF_STATE_OPAQUE, .axis = axis, .low = INT32_MIN, .high = INT32_MAX};
    if (rf_state_range(from, in, NULL, &hull, &size_min, &size_max)) {
        state->low = hull.first;
        state->high = hull.last;
        state->size_min = size_min;
    }
    state->size_max = state->high - state->low + 1;
}

/* Seen at a fixed range of the input's indices. */
static void fix(const rf_axis_state *from, const rf_shape *in, int64_t first, int64_t last, rf_axis_state *state)
{
    rf_range hull;
    if (from->kind == RF_STATE_OPAQUE || !hull_of(from, first, last, &hull)) {
        make_opaque(from, in, RF_AXIS_NONE, state);
        return;
    }
    int64_t stride = from->stride < 0 ? -from->stride : from->stride;
    bool solid = from->kind == RF_STATE_AFFINE && from->solid
        && (first == last || stride <= from->high - from->low + 1);
    *state = (rf_axis_state){.kind = RF_STATE_FIXED, .axis = RF_AXIS_NONE, .solid = solid,
                             .low = hull.first, .high = hull.last};
}

/* The common case. False where 64 bits do not suffice. */
static bool affine_through_window(const rf_axis_state *from, const rf_link *link, rf_axis_state *state)
{
    int64_t reach, near, far, stride;
    if (!rf_checked_mul(link->dilation, link->kernel - 1, &reach) || !rf_checked_sub(0, link->pad, &near)
        || !rf_checked_add(near, reach, &far) || !rf_checked_mul(from->stride, near, &near)
        || !rf_checked_mul(from->stride, far, &far) || !rf_checked_mul(from->stride, link->stride, &stride))
        return false;
    int64_t low = rf_min(near, far), high = rf_max(near, far), step;
    if (!rf_checked_add(low, from->low, &low) || !rf_checked_add(high, from->high, &high)
        || !rf_checked_mul(from->stride, link->dilation, &step))
        return false;
    step = step < 0 ? -step : step;
    bool solid = from->solid && (link->kernel == 1 || step <= from->high - from->low + 1);
    *state = (rf_axis_state){.kind = RF_STATE_AFFINE, .axis = link->axis, .solid = solid,
                             .stride = stride, .low = low, .high = high};
    return true;
}

static bool envelopes_of(const rf_axis_state *state, rf_envelope *lower, rf_envelope *upper)
{
    if (state->kind == RF_STATE_OPAQUE)
        return false;
    if (state->kind == RF_STATE_ENVELOPE) {
        *lower = *state->lower;
        *upper = *state->upper;
        return true;
    }
    *lower = (rf_envelope){.count = 1, .pieces = {rf_map_affine(state->stride, state->low)}};
    *upper = (rf_envelope){.count = 1, .pieces = {rf_map_affine(state->stride, state->high)}};
    return true;
}

/* A state from its envelopes, affine again where it can be. False without memory. */
static bool make_state(const rf_envelope *lower, const rf_envelope *upper, int32_t axis, rf_arena *arena,
                       rf_axis_state *state)
{
    const rf_index_map *a = &lower->pieces[0], *b = &upper->pieces[0];
    if (lower->count == 1 && upper->count == 1 && a->period == 1 && b->period == 1
        && a->advance == b->advance) {
        *state = (rf_axis_state){.kind = a->advance ? RF_STATE_AFFINE : RF_STATE_FIXED,
                                 .axis = a->advance ? axis : RF_AXIS_NONE,
                                 .stride = a->advance, .low = a->offset, .high = b->offset};
        return true;
    }
    rf_envelope *kept = RF_TAKE(arena, rf_envelope, 2);
    if (!kept)
        return false;
    kept[0] = *lower;
    kept[1] = *upper;
    *state = (rf_axis_state){.kind = RF_STATE_ENVELOPE, .axis = axis, .lower = &kept[0], .upper = &kept[1]};
    return true;
}

/* Pieces of one side of `outer`, each after the link's bound that is extreme for it. */
static bool compose_side(const rf_envelope *outer, bool lower, const rf_index_map *first,
                         const rf_index_map *last, rf_arena *arena, rf_envelope *composed)
{
    *composed = (rf_envelope){.count = 0};
    for (int32_t p = 0; p < outer->count; p++) {
        const rf_index_map *piece = &outer->pieces[p];
        bool rising = piece->advance >= 0;
        rf_index_map map;
        if (!rf_map_is_monotone(piece, rising)
            || !rf_map_compose(piece, rising == lower ? first : last, arena, &map)
            || !rf_envelope_add(composed, &map, lower, arena))
            return false;
    }
    return true;
}

static bool envelope_through(const rf_axis_state *from, const rf_link *link, rf_arena *arena,
                             rf_axis_state *state)
{
    rf_index_map first, last;
    rf_envelope lower, upper, lower_through, upper_through;
    if (link->kind == RF_LINK_WINDOW && link->stride < 0 && link->kernel > 1)
        return false;
    return envelopes_of(from, &lower, &upper) && rf_link_bounds(link, arena, &first, &last)
        && compose_side(&lower, true, &first, &last, arena, &lower_through)
        && compose_side(&upper, false, &first, &last, arena, &upper_through)
        && make_state(&lower_through, &upper_through, link->axis, arena, state);
}

/* How many values a digit takes. */
static int64_t digits_of(const rf_link_term *term, const rf_shape *out)
{
    return rf_min(term->modulus, rf_div_ceil(out->dims[term->axis], term->divisor));
}

/* A digit that never wraps is a block. */
static bool digits_as_block(const rf_link *link, const rf_shape *out, rf_link *block)
{
    if (link->term_count != 1 || link->terms[0].weight != 1)
        return false;
    const rf_link_term *term = &link->terms[0];
    int64_t size = term->divisor * link->divisor;
    int64_t digits = rf_div_ceil(out->dims[term->axis], term->divisor);
    if (digits > term->modulus || rf_div_ceil(out->dims[term->axis], size) > link->modulus)
        return false;
    rf_link_block(block, term->axis, size, 1);
    return true;
}

/* Digits of the channels run through all their values when channels are spoken of together, so that
 * what is left depends on one axis in blocks. */
static bool digits_without_channels(const rf_link *link, const rf_shape *out, rf_link *block)
{
    int64_t spread = 0;
    const rf_link_term *kept = NULL;
    if (out->rank < 3 || link->divisor != 1)
        return false;
    for (int32_t k = 0; k < link->term_count; k++) {
        if (link->terms[k].axis == 1)
            spread += link->terms[k].weight * (digits_of(&link->terms[k], out) - 1);
        else if (kept)
            return false;
        else
            kept = &link->terms[k];
    }
    if (!kept || kept->divisor != 1 || kept->modulus < out->dims[kept->axis] || kept->weight != spread + 1
        || out->dims[kept->axis] > link->modulus / kept->weight)
        return false;
    rf_link_block(block, kept->axis, 1, kept->weight);
    return true;
}

/* Every index reads its own. Past the ends of a tensor without closed form nothing is known, so its
 * extents must stay. */
static bool keeps_axis(const rf_link *link, int64_t extent, const rf_shape *out)
{
    return rf_link_is_same(link) ? extent == out->dims[link->axis] : extent == 1 && link->kind == RF_LINK_RANGE;
}

static bool all_same(const rf_link *links, const rf_shape *in, const rf_shape *out)
{
    for (int32_t axis = 0; axis < in->rank; axis++)
        if (!keeps_axis(&links[axis], in->dims[axis], out))
            return false;
    return true;
}

/* Whatever the output index, but for the batch. */
static bool sees_all(const rf_link *links, const rf_shape *in)
{
    for (int32_t axis = 1; axis < in->rank; axis++)
        if (links[axis].kind != RF_LINK_ALL && links[axis].kind != RF_LINK_RANGE)
            return false;
    return true;
}

static bool has_channel_digit(const rf_link *link, const rf_shape *out)
{
    return out->rank > 2 && (rf_link_axes(link) & UINT32_C(1) << 1);
}

/* A reshape moves elements without mixing them, so the intervals stay what they are; unless channels,
 * which are spoken of together, come to hold several positions. */
static bool only_moves(const rf_link *links, const rf_shape *in, const rf_shape *out)
{
    for (int32_t axis = 0; axis < in->rank; axis++) {
        bool digits = links[axis].kind == RF_LINK_DIGITS && (axis < 2 || !has_channel_digit(&links[axis], out));
        if (!digits && !keeps_axis(&links[axis], in->dims[axis], out))
            return false;
    }
    return true;
}

/* Seen through digits that have no closed form. */
static void scatter(const rf_axis_state *from, const rf_link *links, const rf_shape *in, const rf_shape *out,
                    int32_t axis, rf_axis_state *state)
{
    rf_range hull;
    int64_t size_min, size_max;
    make_opaque(from, in, axis, state);
    if (only_moves(links, in, out) && rf_state_range(from, in, NULL, &hull, &size_min, &size_max)) {
        state->size_min = size_min;
        state->size_max = size_max;
        state->measured = from->kind != RF_STATE_OPAQUE || from->measured;
    }
}

void rf_state_through(const rf_axis_state *from, const rf_link *links, const rf_shape *in,
                      const rf_shape *out, rf_arena *arena, rf_axis_state *state)
{
    if (from->axis == RF_AXIS_NONE) {
        *state = *from;
        return;
    }
    if (from->axis == RF_AXIS_TANGLED) {
        *state = *from;
        if (sees_all(links, in))
            make_opaque(from, in, RF_AXIS_NONE, state);
        else if (!all_same(links, in, out))
            scatter(from, links, in, out, RF_AXIS_TANGLED, state);
        return;
    }
    const rf_link *link = &links[from->axis];
    rf_link block;
    /* Past the ends of an opaque tensor nothing is known. */
    if (rf_link_is_same(link)
        && (from->kind != RF_STATE_OPAQUE || in->dims[from->axis] == out->dims[link->axis])) {
        *state = *from;
        state->axis = link->axis;
        return;
    }
    if (link->kind == RF_LINK_DIGITS) {
        if (digits_as_block(link, out, &block) || digits_without_channels(link, out, &block)) {
            link = &block;
        } else {
            int32_t axis = link->term_count > 1 ? RF_AXIS_TANGLED
                : link->term_count              ? link->terms[0].axis
                                                : RF_AXIS_NONE;
            scatter(from, links, in, out, axis, state);
            return;
        }
    }
    if (link->kind == RF_LINK_ALL)
        fix(from, in, 0, rf_max(in->dims[from->axis] - 1, 0), state);
    else if (link->kind == RF_LINK_RANGE)
        fix(from, in, link->first, link->last, state);
    else if (!(link->kind == RF_LINK_WINDOW && from->kind == RF_STATE_AFFINE && affine_through_window(from, link, state))
             && !envelope_through(from, link, arena, state))
        make_opaque(from, in, link->axis, state);
}

/* ---- Unions ----------------------------------------------------------------------------- */

static bool overlap(const rf_axis_state *a, const rf_axis_state *b)
{
    return a->low <= b->high + 1 && b->low <= a->high + 1;
}

static bool contains(const rf_axis_state *a, const rf_axis_state *b)
{
    return a->low <= b->low && a->high >= b->high;
}

static void join_plain(const rf_axis_state *a, const rf_axis_state *b, rf_axis_state *state)
{
    bool solid = (a->solid && contains(a, b)) || (b->solid && contains(b, a))
        || (a->solid && b->solid && overlap(a, b));
    *state = *a;
    state->solid = solid;
    state->measured = false;
    state->low = rf_min(a->low, b->low);
    state->high = rf_max(a->high, b->high);
}

static void join_opaque(const rf_axis_state *a, const rf_axis_state *b, const rf_shape *shape,
                        rf_axis_state *state)
{
    rf_range hull_a = {INT32_MIN, INT32_MAX}, hull_b = hull_a;
    int64_t min_a = 0, min_b = 0, unused;
    rf_state_range(a, shape, NULL, &hull_a, &min_a, &unused);
    rf_state_range(b, shape, NULL, &hull_b, &min_b, &unused);
    int32_t axis = a->axis == b->axis || b->axis == RF_AXIS_NONE ? a->axis
        : a->axis == RF_AXIS_NONE                                ? b->axis
                                                                 : RF_AXIS_TANGLED;
    *state = (rf_axis_state){.kind = RF_STATE_OPAQUE, .axis = axis, .size_min = rf_max(min_a, min_b),
                             .low = rf_min(hull_a.first, hull_b.first),
                             .high = rf_max(hull_a.last, hull_b.last)};
    state->size_max = state->high - state->low + 1;
}

static bool join_envelopes(const rf_axis_state *a, const rf_axis_state *b, rf_arena *arena,
                           rf_axis_state *state)
{
    rf_envelope lower, upper, lower_b, upper_b;
    if (!envelopes_of(a, &lower, &upper) || !envelopes_of(b, &lower_b, &upper_b))
        return false;
    for (int32_t p = 0; p < lower_b.count; p++)
        if (!rf_envelope_add(&lower, &lower_b.pieces[p], true, arena))
            return false;
    for (int32_t p = 0; p < upper_b.count; p++)
        if (!rf_envelope_add(&upper, &upper_b.pieces[p], false, arena))
            return false;
    return make_state(&lower, &upper, a->axis == RF_AXIS_NONE ? b->axis : a->axis, arena, state);
}

void rf_state_union(const rf_axis_state *a, const rf_axis_state *b, int64_t extent, const rf_shape *shape,
                    rf_arena *arena, rf_axis_state *state)
{
    bool plain = a->kind <= RF_STATE_AFFINE && b->kind <= RF_STATE_AFFINE;
    if (plain && a->kind == b->kind && a->axis == b->axis && a->stride == b->stride) {
        join_plain(a, b, state);
        return;
    }
    if (a->kind == RF_STATE_FIXED && rf_state_covers(a, shape, extent)) {
        *state = *a;
        return;
    }
    if (b->kind == RF_STATE_FIXED && rf_state_covers(b, shape, extent)) {
        *state = *b;
        return;
    }
    bool one_axis = a->axis == b->axis || a->axis == RF_AXIS_NONE || b->axis == RF_AXIS_NONE;
    if (!one_axis || !join_envelopes(a, b, arena, state))
        join_opaque(a, b, shape, state);
}

bool rf_state_same(const rf_axis_state *a, const rf_axis_state *b)
{
    return a->kind <= RF_STATE_AFFINE && a->kind == b->kind && a->axis == b->axis && a->stride == b->stride
        && a->low == b->low && a->high == b->high;
}

void rf_state_forget(rf_axis_state *state, const rf_shape *shape, int32_t axis)
{
    rf_axis_state known = *state;
    if (known.axis != RF_AXIS_NONE)
        make_opaque(&known, shape, axis, state);
}

void rf_state_union_of_parts(const rf_axis_state *a, const rf_axis_state *b, int32_t parted, int64_t extent,
                             const rf_shape *shape, rf_arena *arena, rf_axis_state *state)
{
    if (rf_state_same(a, b) || (a->axis == parted && b->axis == parted)) {
        rf_state_union(a, b, extent, shape, arena, state);
        return;
    }
    join_opaque(a, b, shape, state);
    state->axis = RF_AXIS_TANGLED;
}

static bool same_envelope(const rf_envelope *a, const rf_envelope *b)
{
    if (a->count != 1 || b->count != 1)
        return false;
    return rf_map_equal(&a->pieces[0], &b->pieces[0]);
}

bool rf_state_aligned(const rf_axis_state *a, const rf_axis_state *b)
{
    if (a->kind != b->kind || a->axis != b->axis)
        return false;
    if (a->kind <= RF_STATE_AFFINE)
        return a->stride == b->stride && a->low + a->high == b->low + b->high;
    return a->kind == RF_STATE_ENVELOPE && same_envelope(a->lower, b->lower) && same_envelope(a->upper, b->upper);
}
