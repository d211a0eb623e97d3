/* SPDX-License-Identifier: MIT */
#include "kernels/reach.h"

#include "base/checked.h"

/* x with a * x = 1 modulo m, for coprime positive a and m below 2^31. */
static int64_t inverse(int64_t a, int64_t m)
{
    int64_t x = 1, y = 0, rest = m;
    a %= m;
    while (a > 1) {
        int64_t quotient = rest / a, below = rest % a, z = y - quotient * x;
        rest = a;
        a = below;
        y = x;
        x = z;
    }
    return m == 1 ? 0 : rf_mod(x, m);
}

static rf_reach forward_at(const rf_window *window, int64_t i)
{
    int64_t t0, t1;
    rf_window_clip(window, i, &t0, &t1);
    if (t0 == t1)
        return (rf_reach){0, 0, 0};
    return (rf_reach){t0, t1 - t0, window->stride * i - window->pad_begin + window->dilation * t0};
}

/* Input j and tap t meet at output i where stride * j = i + pad_begin - dilation * t: every
 * tap_step-th tap, from the one that the inverse of the dilation finds. */
static rf_reach transposed_at(const rf_reach_axis *axis, int64_t i, int64_t common, int64_t back)
{
    const rf_window *window = &axis->window;
    const rf_reach none = {0, 0, 0};
    int64_t sum = i + window->pad_begin, fall = -axis->index_step;
    if (sum % common)
        return none;
    int64_t tap = sum / common % axis->tap_step * back % axis->tap_step;
    int64_t rest = sum - window->dilation * tap;
    if (rest < 0 || tap >= window->kernel)
        return none;
    int64_t input = rest / window->stride;
    int64_t skipped = rf_max(rf_div_ceil(input - (window->input - 1), fall), 0);
    int64_t end = rf_min(input / fall + 1, rf_div_ceil(window->kernel - tap, axis->tap_step));
    if (skipped >= end)
        return none;
    return (rf_reach){tap + skipped * axis->tap_step, end - skipped, input - skipped * fall};
}

bool rf_reach_make(const rf_window *window, bool transposed, rf_arena *arena, rf_reach_axis *axis)
{
    rf_reach *at = RF_TAKE(arena, rf_reach, (size_t)window->output);
    *axis = (rf_reach_axis){*window, at, 1, window->dilation, 1, window->stride};
    if (!at)
        return false;
    if (!transposed) {
        for (int64_t i = 0; i < window->output; i++)
            at[i] = forward_at(window, i);
        return true;
    }
    int64_t common = rf_gcd(window->stride, window->dilation);
    axis->tap_step = window->stride / common;
    axis->index_step = -(window->dilation / common);
    axis->period = window->stride;
    axis->period_step = 1;
    int64_t back = inverse(window->dilation / common, axis->tap_step);
    for (int64_t i = 0; i < window->output; i++)
        at[i] = transposed_at(axis, i, common, back);
    return true;
}

bool rf_reach_make_all(const rf_window *windows, int32_t given, bool transposed, rf_arena *arena,
                       rf_reach_axis *axes, int32_t count)
{
    static const rf_window lacking = {.input = 1, .output = 1, .kernel = 1, .stride = 1, .dilation = 1};
    const int32_t first = count - given;
    for (int32_t k = 0; k < count; k++) {
        bool lacks = k < first;
        if (!rf_reach_make(lacks ? &lacking : &windows[k - first], transposed && !lacks, arena, &axes[k]))
            return false;
    }
    return true;
}

bool rf_reach_divisors(const rf_reach_axis *axis, bool count_include_pad, rf_arena *arena, const int64_t **divisors)
{
    rf_window padded = axis->window;
    int64_t *counts = RF_TAKE(arena, int64_t, (size_t)padded.output);
    if (!counts)
        return false;
    padded.input += padded.pad_begin + padded.pad_end;
    padded.pad_begin = padded.pad_end = 0;
    for (int64_t i = 0; i < padded.output; i++) {
        int64_t begin = 0, end = axis->at[i].count;
        if (count_include_pad)
            rf_window_clip(&padded, i, &begin, &end);
        counts[i] = end - begin;
    }
    *divisors = counts;
    return true;
}
