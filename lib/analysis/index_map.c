/* SPDX-License-Identifier: MIT */
#include "analysis/index_map.h"

#include "base/checked.h"

rf_index_map rf_map_affine(int64_t stride, int64_t offset)
{
    return (rf_index_map){.period = 1, .advance = stride, .offset = offset};
}

static int64_t offset_at(const rf_index_map *map, int64_t phase)
{
    return map->offsets ? map->offsets[phase] : map->offset;
}

bool rf_map_at(const rf_index_map *map, int64_t i, int64_t *value)
{
    int64_t product;
    return rf_checked_mul(map->advance, rf_div_floor(i, map->period), &product)
        && rf_checked_add(product, offset_at(map, rf_mod(i, map->period)), value);
}

bool rf_map_is_monotone(const rf_index_map *map, bool rising)
{
    if (rising ? map->advance < 0 : map->advance > 0)
        return false;
    for (int64_t phase = 0; phase < map->period; phase++) {
        int64_t here = offset_at(map, phase), next;
        if (phase + 1 < map->period)
            next = offset_at(map, phase + 1);
        else if (!rf_checked_add(map->advance, offset_at(map, 0), &next))
            return false;
        if (rising ? next < here : next > here)
            return false;
    }
    return true;
}

static bool has_period(const rf_index_map *map, int64_t period)
{
    int64_t repeats = map->period / period, step;
    if (map->period % period || map->advance % repeats)
        return false;
    step = map->advance / repeats;
    for (int64_t phase = period; phase < map->period; phase++)
        if (offset_at(map, phase) - offset_at(map, phase - period) != step)
            return false;
    return true;
}

void rf_map_reduce(rf_index_map *map)
{
    for (int64_t period = 1; period < map->period; period++) {
        if (!has_period(map, period))
            continue;
        map->advance /= map->period / period;
        map->period = period;
        break;
    }
    if (map->period == 1)
        map->offsets = NULL;
}

static int64_t *take_offsets(rf_arena *arena, int64_t period)
{
    return period > 0 && period <= RF_MAX_PERIOD ? RF_TAKE(arena, int64_t, (size_t)period) : NULL;
}

static bool compose_affine(const rf_index_map *outer, const rf_index_map *inner, rf_index_map *composed)
{
    int64_t advance, product, offset;
    if (!rf_checked_mul(outer->advance, inner->advance, &advance)
        || !rf_checked_mul(outer->advance, inner->offset, &product) || !rf_checked_add(product, outer->offset, &offset))
        return false;
    *composed = rf_map_affine(advance, offset);
    return true;
}

bool rf_map_compose(const rf_index_map *outer, const rf_index_map *inner, rf_arena *arena,
                    rf_index_map *composed)
{
    if (outer->period == 1 && inner->period == 1)
        return compose_affine(outer, inner, composed);
    /* The inner map must advance by whole outer periods. */
    int64_t repeats = outer->period / rf_gcd(outer->period, inner->advance);
    int64_t period, turns, advance;
    if (!rf_checked_mul(inner->period, repeats, &period) || !rf_checked_mul(inner->advance, repeats, &turns)
        || !rf_checked_mul(outer->advance, turns / outer->period, &advance))
        return false;
    int64_t *offsets = take_offsets(arena, period);
    if (!offsets)
        return false;
    for (int64_t i = 0; i < period; i++) {
        int64_t between;
        if (!rf_map_at(inner, i, &between) || !rf_map_at(outer, between, &offsets[i]))
            return false;
    }
    *composed = (rf_index_map){period, advance, offsets[0], offsets};
    rf_map_reduce(composed);
    return true;
}

bool rf_map_equal(const rf_index_map *a, const rf_index_map *b)
{
    if (a->period != b->period || a->advance != b->advance)
        return false;
    for (int64_t phase = 0; phase < a->period; phase++)
        if (offset_at(a, phase) != offset_at(b, phase))
            return false;
    return true;
}

static bool same_slope(const rf_index_map *a, const rf_index_map *b)
{
    int64_t left, right;
    return rf_checked_mul(a->advance, b->period, &left) && rf_checked_mul(b->advance, a->period, &right) && left == right;
}

static bool join(rf_index_map *a, const rf_index_map *b, bool lower, rf_arena *arena)
{
    if (a->period == 1 && b->period == 1) {
        a->offset = lower ? rf_min(a->offset, b->offset) : rf_max(a->offset, b->offset);
        return true;
    }
    if (rf_map_equal(a, b))
        return true;
    int64_t period = a->period / rf_gcd(a->period, b->period), advance;
    if (!rf_checked_mul(period, b->period, &period) || !rf_checked_mul(a->advance, period / a->period, &advance))
        return false;
    int64_t *offsets = take_offsets(arena, period);
    if (!offsets)
        return false;
    for (int64_t i = 0; i < period; i++) {
        int64_t from_a, from_b;
        if (!rf_map_at(a, i, &from_a) || !rf_map_at(b, i, &from_b))
            return false;
        offsets[i] = lower ? rf_min(from_a, from_b) : rf_max(from_a, from_b);
    }
    *a = (rf_index_map){period, advance, offsets[0], offsets};
    rf_map_reduce(a);
    return true;
}

bool rf_envelope_add(rf_envelope *envelope, const rf_index_map *piece, bool lower, rf_arena *arena)
{
    for (int32_t p = 0; p < envelope->count; p++)
        if (same_slope(&envelope->pieces[p], piece))
            return join(&envelope->pieces[p], piece, lower, arena);
    if (envelope->count == RF_MAX_PIECES)
        return false;
    envelope->pieces[envelope->count++] = *piece;
    return true;
}

bool rf_envelope_at(const rf_envelope *envelope, bool lower, int64_t i, int64_t *value)
{
    for (int32_t p = 0; p < envelope->count; p++) {
        int64_t here;
        if (!rf_map_at(&envelope->pieces[p], i, &here))
            return false;
        *value = p == 0 ? here : lower ? rf_min(*value, here) : rf_max(*value, here);
    }
    return envelope->count > 0;
}
