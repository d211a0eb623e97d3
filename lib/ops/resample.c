/* SPDX-License-Identifier: MIT */
#include "ops/resample.h"

#include <math.h>

/* The coordinate of output index x is (step * x + offset) / divisor. */
typedef struct mapping {
    int64_t step, offset, divisor;
} mapping;

/* ---- Fractions -------------------------------------------------------------------------- */

static bool convergent(double value, float target, rf_ratio *ratio)
{
    int64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0;
    for (;;) {
        if (value >= (double)RF_RESAMPLE_MAX)
            return false;
        int64_t whole = (int64_t)value;
        int64_t p = whole * p1 + p0, q = whole * q1 + q0;
        if (p > RF_RESAMPLE_MAX || q > RF_RESAMPLE_MAX)
            return false;
        *ratio = (rf_ratio){p, q};
        if ((float)((double)p / (double)q) == target)
            return true;
        double rest = value - (double)whole;
        if (rest <= 0)
            return false;
        value = 1 / rest;
        p0 = p1;
        q0 = q1;
        p1 = p;
        q1 = q;
    }
}

bool rf_ratio_of_float(float value, rf_ratio *ratio)
{
    float magnitude = value < 0 ? -value : value;
    if (!(magnitude < (float)RF_RESAMPLE_MAX) || !convergent((double)magnitude, magnitude, ratio))
        return false;
    if (value < 0)
        ratio->numerator = -ratio->numerator;
    return true;
}

/* ---- Coordinates ------------------------------------------------------------------------ */

static const mapping nowhere_else = {0, 0, 1};

/*
 * The region of interest runs from begin * (input - 1) to end * (input - 1).
 * Over the common denominator c and for n = output - 1 steps, the coordinate is
 * (b * n + (e - b) * x) * (input - 1) / (c * n). One output reads the middle.
 */
static bool map_region(const rf_resample *axis, mapping *map)
{
    int64_t common, begin, end, last = axis->input - 1, steps = axis->output - 1;
    int64_t b = axis->begin.denominator, e = axis->end.denominator;
    if (!rf_checked_mul(b / rf_gcd(b, e), e, &common) || !rf_checked_mul(axis->begin.numerator, common / b, &begin)
        || !rf_checked_mul(axis->end.numerator, common / e, &end))
        return false;
    if (steps == 0) {
        *map = (mapping){.step = 0};
        return rf_checked_add(begin, end, &map->offset) && rf_checked_mul(map->offset, last, &map->offset)
            && rf_checked_mul(common, 2, &map->divisor);
    }
    return rf_checked_sub(end, begin, &map->step) && rf_checked_mul(map->step, last, &map->step)
        && rf_checked_mul(begin, last, &map->offset) && rf_checked_mul(map->offset, steps, &map->offset)
        && rf_checked_mul(common, steps, &map->divisor);
}

static bool make_map(const rf_resample *axis, mapping *map)
{
    int64_t p = axis->scale.numerator, q = axis->scale.denominator;
    const mapping half_pixel = {2 * q, q - p, 2 * p};
    *map = half_pixel;
    switch (axis->coordinates) {
    case RF_COORDINATES_HALF_PIXEL:
        break;
    case RF_COORDINATES_HALF_PIXEL_SYMMETRIC:
        map->offset += axis->input * p - axis->output * q;
        break;
    case RF_COORDINATES_PYTORCH_HALF_PIXEL:
        *map = axis->output > 1 ? half_pixel : nowhere_else;
        break;
    case RF_COORDINATES_ALIGN_CORNERS: /* the output's length is taken before it is rounded, as ONNX's tests do */
        *map = (mapping){(axis->input - 1) * q, 0, axis->input * p - q};
        if (axis->output == 1 || map->divisor <= 0)
            *map = nowhere_else;
        break;
    case RF_COORDINATES_ASYMMETRIC:
        *map = (mapping){q, 0, p};
        break;
    case RF_COORDINATES_TF_HALF_PIXEL_FOR_NN:
        map->offset = q;
        break;
    case RF_COORDINATES_TF_CROP_AND_RESIZE:
        return map_region(axis, map);
    }
    return true;
}

static bool is_modest_product(int64_t a, int64_t b)
{
    const int64_t most = INT64_C(1) << 60;
    int64_t product;
    return rf_checked_mul(a, b, &product) && product >= -most && product <= most;
}

/* Whether coordinates, and the sums and doubles that taps are worked out with, stay within 64 bits. */
static bool fits(const rf_resample *axis, const mapping *map)
{
    return is_modest_product(map->step, axis->output) && is_modest_product(map->divisor, axis->input)
        && is_modest_product(map->divisor, axis->scale.numerator) && is_modest_product(map->offset, 1);
}

/* ---- Taps ------------------------------------------------------------------------------- */

static int64_t nearest(rf_rounding rounding, int64_t whole, int64_t rest, int64_t divisor)
{
    switch (rounding) {
    case RF_ROUNDING_PREFER_FLOOR:
        return whole + (2 * rest > divisor);
    case RF_ROUNDING_PREFER_CEIL:
        return whole + (2 * rest >= divisor);
    case RF_ROUNDING_FLOOR:
        return whole;
    case RF_ROUNDING_CEIL:
        return whole + (rest > 0);
    }
    return whole;
}

static int64_t reach_in_taps(const rf_resample *axis)
{
    return axis->interpolation == RF_INTERPOLATION_CUBIC && !axis->short_cubic ? 2 : 1;
}

static bool is_widened(const rf_resample *axis)
{
    return axis->antialias && axis->interpolation != RF_INTERPOLATION_NEAREST
        && axis->scale.numerator < axis->scale.denominator;
}

/*
 * A kernel widened to `reach / scale` on both sides weighs the inputs strictly
 * within. Whole parts and fractions are added apart, to keep products small.
 */
static rf_range widened(const rf_resample *axis, int64_t whole, int64_t rest, int64_t divisor)
{
    int64_t p = axis->scale.numerator, width = reach_in_taps(axis) * axis->scale.denominator;
    int64_t far = width / p, far_rest = width % p;
    int64_t a = rest * p, b = far_rest * divisor, one = divisor * p;
    int64_t up = a + b == 0 ? 0 : a + b <= one ? 1 : 2;
    return (rf_range){whole - far - (a < b) + 1, whole + far + up - 1};
}

/* Inputs with a weight other than zero, not cut to the input; empty for one that reads nothing. */
static rf_range taps_at(const rf_resample *axis, const mapping *map, int64_t x)
{
    int64_t position = map->step * x + map->offset;
    int64_t whole = rf_div_floor(position, map->divisor);
    int64_t rest = position - whole * map->divisor;
    if (axis->coordinates == RF_COORDINATES_TF_CROP_AND_RESIZE
        && (position < 0 || position > (axis->input - 1) * map->divisor))
        return (rf_range){0, -1};
    if (axis->interpolation == RF_INTERPOLATION_NEAREST) {
        int64_t index = nearest(axis->rounding, whole, rest, map->divisor);
        return (rf_range){index, index};
    }
    if (is_widened(axis))
        return widened(axis, whole, rest, map->divisor);
    if (rest == 0)
        return (rf_range){whole, whole};
    int64_t reach = reach_in_taps(axis);
    return (rf_range){whole - reach + 1, whole + reach};
}

static int64_t clamp(int64_t index, int64_t extent)
{
    return rf_max(rf_min(index, extent - 1), 0);
}

/* ---- Links ------------------------------------------------------------------------------ */

bool rf_resample_is_identity(const rf_resample *axis)
{
    if (axis->input != axis->output || axis->scale.numerator != axis->scale.denominator)
        return false;
    return axis->coordinates != RF_COORDINATES_TF_CROP_AND_RESIZE
        || (axis->begin.numerator == 0 && axis->end.numerator == axis->end.denominator);
}

uint64_t rf_resample_taps(const rf_resample *axis)
{
    if (axis->interpolation == RF_INTERPOLATION_NEAREST)
        return 1;
    int64_t both_sides = 2 * reach_in_taps(axis);
    if (is_widened(axis))
        return (uint64_t)rf_div_ceil(both_sides * axis->scale.denominator, axis->scale.numerator);
    return (uint64_t)both_sides;
}

static rf_status make_table(const rf_node *node, int32_t number, const rf_resample *axis,
                            const mapping *map, int64_t count, rf_link *link)
{
    if ((uint64_t)count > node->limits->folded_elements)
        return rf_node_fail(node, RF_ERROR_LIMIT,
                            "axis %d is resized with %lld positions, more than limits.folded_elements",
                            (int)number, (long long)count);
    int64_t *table = RF_TAKE(node->arena, int64_t, 2 * (size_t)count);
    if (!table)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for the positions of axis %d", (int)number);
    bool inside = link->kind == RF_LINK_TABLE;
    for (int64_t x = 0; x < count; x++) {
        rf_range taps = taps_at(axis, map, x);
        bool cut = inside && taps.first <= taps.last;
        table[x] = cut ? clamp(taps.first, axis->input) : taps.first;
        table[count + x] = cut ? clamp(taps.last, axis->input) : taps.last;
    }
    link->table_first = table;
    link->table_last = table + count;
    return RF_OK;
}

/* The same step at every index: a window, or where the step is 0 one range for all. */
static void link_steps(int32_t number, const rf_resample *axis, const mapping *map, int64_t advance,
                       rf_link *link)
{
    rf_range taps = taps_at(axis, map, 0);
    if (advance == 0) {
        rf_link_range(link, clamp(taps.first, axis->input), clamp(taps.last, axis->input));
        return;
    }
    rf_link_window(link, number, taps.last - taps.first + 1, advance, 1, -taps.first);
    link->border = axis->exclude_outside ? RF_BORDER_PADDING : RF_BORDER_CLAMP;
}

rf_status rf_resample_link(const rf_node *node, int32_t number, const rf_resample *axis, rf_link *link)
{
    mapping map;
    if (axis->output == 0) {
        rf_link_nothing(link);
        return RF_OK;
    }
    if (rf_resample_is_identity(axis)) {
        rf_link_same(link, number);
        return RF_OK;
    }
    if (!make_map(axis, &map) || !fits(axis, &map))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "the positions read along axis %d are not exact in 64 bits",
                            (int)number);
    bool cropping = axis->coordinates == RF_COORDINATES_TF_CROP_AND_RESIZE;
    int64_t common = rf_gcd(map.step, map.divisor);
    int64_t period = map.divisor / common;
    if (period == 1 && !cropping) {
        link_steps(number, axis, &map, map.step / common, link);
        return RF_OK;
    }
    link->axis = number;
    link->border = axis->exclude_outside ? RF_BORDER_PADDING : RF_BORDER_CLAMP;
    link->period = period;
    link->advance = map.step / common;
    link->kind = cropping || period > axis->output ? RF_LINK_TABLE : RF_LINK_PERIODIC;
    return make_table(node, number, axis, &map, link->kind == RF_LINK_TABLE ? axis->output : period, link);
}

/* ---- Tables ----------------------------------------------------------------------------- */

/* Keys' kernel, of which `a` is the slope at distance 1. */
static double cubic(double distance, double a)
{
    double d = fabs(distance);
    if (d >= 2)
        return 0;
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

static double weigh(const rf_resample *axis, double distance)
{
    if (is_widened(axis))
        distance *= (double)axis->scale.numerator / (double)axis->scale.denominator;
    if (axis->interpolation == RF_INTERPOLATION_CUBIC)
        return cubic(distance, axis->cubic_a);
    return fmax(1 - fabs(distance), 0);
}

/* Weights of the inputs in `taps`, whose coordinate is `fraction` past `whole`. Their sum is 1 by
 * itself unless the kernel was widened or some taps have been left out. */
static void weigh_taps(const rf_resample *axis, rf_range taps, int64_t whole, double fraction, float *weights)
{
    double sum = 0;
    for (int64_t i = taps.first; i <= taps.last; i++)
        sum += weigh(axis, (double)(i - whole) - fraction);
    bool whole_sum = sum == 0 || !(is_widened(axis) || axis->exclude_outside);
    for (int64_t i = taps.first; i <= taps.last; i++)
        weights[i - taps.first] = (float)(weigh(axis, (double)(i - whole) - fraction) / (whole_sum ? 1 : sum));
}

/* Shares the weight of the last of `count` taps among the entries that are left over. */
static void share_last(int64_t count, int64_t entries, int32_t *indices, float *weights)
{
    for (int64_t t = count; t < entries; t++)
        indices[t] = indices[count - 1];
    if (!weights || count == entries)
        return;
    float share = weights[count - 1] / (float)(entries - count + 1);
    for (int64_t t = count - 1; t < entries; t++)
        weights[t] = share;
}

/* Entries of output index x. False where it lies outside. */
static bool fill_entries(const rf_resample *axis, const mapping *map, int64_t x, int64_t entries,
                         int32_t *indices, float *weights)
{
    rf_range taps = taps_at(axis, map, x);
    if (taps.first > taps.last) {
        for (int64_t t = 0; t < entries; t++)
            indices[t] = RF_RESAMPLE_OUTSIDE;
        return false;
    }
    if (axis->exclude_outside && taps.last >= 0 && taps.first < axis->input) {
        taps.first = rf_max(taps.first, 0);
        taps.last = rf_min(taps.last, axis->input - 1);
    }
    for (int64_t i = taps.first; i <= taps.last; i++)
        indices[i - taps.first] = (int32_t)clamp(i, axis->input);
    if (weights) {
        int64_t position = map->step * x + map->offset, whole = rf_div_floor(position, map->divisor);
        double fraction = (double)(position - whole * map->divisor) / (double)map->divisor;
        weigh_taps(axis, taps, whole, fraction, weights);
    }
    share_last(taps.last - taps.first + 1, entries, indices, weights);
    return true;
}

rf_status rf_resample_table(const rf_node *node, const rf_resample *axis, rf_axis_taps *taps, bool *made,
                            bool *outside)
{
    mapping map = nowhere_else;
    uint64_t entries = rf_resample_taps(axis), count;
    bool weighted = axis->interpolation != RF_INTERPOLATION_NEAREST;
    *made = false;
    if (axis->input > RF_RESAMPLE_MAX || !rf_checked_mul(entries, (uint64_t)axis->output, &count)
        || count > node->limits->folded_elements
        || (axis->output && (!make_map(axis, &map) || !fits(axis, &map))))
        return RF_OK;
    int32_t *indices = RF_TAKE(node->arena, int32_t, count);
    float *weights = weighted ? RF_TAKE(node->arena, float, count) : NULL;
    if (!indices || (weighted && !weights))
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for the positions that it reads");
    for (int64_t x = 0; x < axis->output; x++) {
        uint64_t at = (uint64_t)x * entries;
        if (!fill_entries(axis, &map, x, (int64_t)entries, indices + at, weighted ? weights + at : NULL))
            *outside = true;
    }
    *taps = (rf_axis_taps){.taps = (int64_t)entries, .indices = indices, .weights = weights};
    *made = true;
    return RF_OK;
}
