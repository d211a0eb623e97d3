/* SPDX-License-Identifier: MIT */
/*
 * Resampling against ONNX's formulas in floating point: coordinates, then the
 * weight of every input, then which of them weigh anything.
 * RF_SEED in the environment repeats a run.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/resample.h"

enum { ROUNDS = 20000, MARGIN = 64 };

static const double tiny = 1e-7;

static int64_t draw(uint64_t *seed, int64_t low, int64_t high)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (int64_t)((*seed >> 33) % (uint64_t)(high - low + 1));
}

static uint64_t begin_seed(void)
{
    const char *text = getenv("RF_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 20240612;
    print_message("RF_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Half of them with the scale that the extents make, half with one that rounds down to them. */
static rf_resample draw_axis(uint64_t *seed)
{
    rf_resample axis = {
        .input = draw(seed, 1, 16),
        .output = draw(seed, 1, 24),
        .coordinates = (rf_coordinates)draw(seed, 0, 6),
        .interpolation = (rf_interpolation)draw(seed, 0, 2),
        .rounding = (rf_rounding)draw(seed, 0, 3),
        .antialias = draw(seed, 0, 3) == 0,
        .short_cubic = draw(seed, 0, 3) == 0,
        .exclude_outside = draw(seed, 0, 1),
        .begin = {draw(seed, -2, 6), draw(seed, 1, 6)},
        .end = {draw(seed, -2, 6), draw(seed, 1, 6)},
    };
    axis.scale = (rf_ratio){axis.output, axis.input};
    if (draw(seed, 0, 1)) {
        axis.scale = (rf_ratio){draw(seed, 1, 12), draw(seed, 1, 6)};
        axis.output = rf_max(axis.input * axis.scale.numerator / axis.scale.denominator, 1);
    }
    return axis;
}

/* ---- The formulas ----------------------------------------------------------------------- */

static double coordinate(const rf_resample *axis, double x)
{
    double scale = (double)axis->scale.numerator / (double)axis->scale.denominator;
    double input = (double)axis->input, output = (double)axis->output;
    double begin = (double)axis->begin.numerator / (double)axis->begin.denominator;
    double end = (double)axis->end.numerator / (double)axis->end.denominator;
    switch (axis->coordinates) {
    case RF_COORDINATES_HALF_PIXEL:
        return (x + 0.5) / scale - 0.5;
    case RF_COORDINATES_HALF_PIXEL_SYMMETRIC:
        return input / 2 * (1 - output / (scale * input)) + (x + 0.5) / scale - 0.5;
    case RF_COORDINATES_PYTORCH_HALF_PIXEL:
        return output > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case RF_COORDINATES_ALIGN_CORNERS:
        return output > 1 ? x * (input - 1) / (input * scale - 1) : 0;
    case RF_COORDINATES_ASYMMETRIC:
        return x / scale;
    case RF_COORDINATES_TF_HALF_PIXEL_FOR_NN:
        return (x + 0.5) / scale;
    case RF_COORDINATES_TF_CROP_AND_RESIZE:
        return output > 1 ? begin * (input - 1) + x * (end - begin) * (input - 1) / (output - 1)
                          : 0.5 * (begin + end) * (input - 1);
    }
    return 0;
}

static double cubic(double distance, double a)
{
    double d = fabs(distance);
    if (d >= 2)
        return 0;
    return d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

static double snap(double value)
{
    return fabs(value - round(value)) < tiny ? round(value) : value;
}

static double weight(const rf_resample *axis, double at, int64_t index)
{
    double scale = (double)axis->scale.numerator / (double)axis->scale.denominator;
    double shrink = axis->antialias && scale < 1 ? scale : 1;
    double distance = ((double)index - at) * shrink;
    if (axis->interpolation == RF_INTERPOLATION_LINEAR)
        return fmax(1 - fabs(distance), 0);
    if (axis->interpolation == RF_INTERPOLATION_CUBIC)
        return cubic(distance, axis->short_cubic ? 0 : -0.75);
    double half_down = ceil(snap(at - 0.5)), half_up = floor(snap(at + 0.5));
    double nearest[] = {half_down, half_up, floor(at), ceil(at)};
    return nearest[axis->rounding] == (double)index;
}

/* Hull of the inputs that weigh something, those past the ends moved to the ends. */
static rf_range expected(const rf_resample *axis, int64_t x)
{
    double at = snap(coordinate(axis, (double)x));
    rf_range hull = {0, -1};
    if (axis->coordinates == RF_COORDINATES_TF_CROP_AND_RESIZE
        && (at < 0 || at > (double)(axis->input - 1)))
        return hull;
    for (int64_t i = (int64_t)floor(at) - MARGIN; i <= (int64_t)floor(at) + MARGIN; i++) {
        if (fabs(weight(axis, at, i)) < tiny)
            continue;
        int64_t index = rf_max(rf_min(i, axis->input - 1), 0);
        if (hull.last < hull.first)
            hull.first = index;
        hull.last = index;
    }
    return hull;
}

/* ---- The links -------------------------------------------------------------------------- */

static rf_range linked(const rf_link *link, int64_t x, int64_t extent)
{
    rf_range range = {0, -1};
    switch (link->kind) {
    case RF_LINK_RANGE:
        range = (rf_range){link->first, link->last};
        break;
    case RF_LINK_WINDOW:
        range.first = link->stride * x - link->pad;
        range.last = range.first + link->kernel - 1;
        break;
    case RF_LINK_PERIODIC:
        range.first = link->advance * (x / link->period) + link->table_first[x % link->period];
        range.last = link->advance * (x / link->period) + link->table_last[x % link->period];
        break;
    case RF_LINK_TABLE:
        return (rf_range){link->table_first[x], link->table_last[x]};
    default:
        fail();
    }
    range.first = rf_max(rf_min(range.first, extent - 1), 0);
    range.last = rf_max(rf_min(range.last, extent - 1), 0);
    return range;
}

typedef struct fixture {
    rf_layer layer;
    rf_arena arena;
    rf_limits limits;
    rf_error error;
    rf_node node;
} fixture;

static void begin(fixture *f)
{
    *f = (fixture){.layer = {.type = "Resize"}, .limits = RF_LIMITS_DEFAULT};
    rf_arena_init(&f->arena, NULL, f->limits.memory_bytes);
    f->node = (rf_node){.layer = &f->layer, .name = "resize", .arena = &f->arena, .limits = &f->limits,
                        .error = &f->error};
}

static void links_hold_what_weighs(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        fixture f;
        rf_link link;
        rf_resample axis = draw_axis(&seed);
        if (rf_resample_is_identity(&axis))
            continue;
        begin(&f);
        assert_int_equal(rf_resample_link(&f.node, 2, &axis, &link), RF_OK);
        for (int64_t x = 0; x < axis.output; x++) {
            rf_range want = expected(&axis, x), got = linked(&link, x, axis.input);
            if (want.first != got.first || want.last != got.last)
                fail_msg("output %lld reads %lld..%lld, not %lld..%lld (round %d)", (long long)x,
                         (long long)want.first, (long long)want.last, (long long)got.first,
                         (long long)got.last, round);
        }
        rf_arena_release(&f.arena);
    }
}

static void whole_scales_are_windows(void **context)
{
    (void)context;
    fixture f;
    rf_link link;
    begin(&f);
    rf_resample half = {.input = 8, .output = 4, .scale = {1, 2},
                        .interpolation = RF_INTERPOLATION_LINEAR};
    assert_int_equal(rf_resample_link(&f.node, 2, &half, &link), RF_OK);
    assert_int_equal(link.kind, RF_LINK_WINDOW);
    assert_int_equal(link.border, RF_BORDER_CLAMP);
    assert_int_equal(link.stride, 2);
    assert_int_equal(link.kernel, 2);
    assert_int_equal(link.pad, 0);

    rf_resample twice = {.input = 4, .output = 8, .scale = {2, 1},
                         .interpolation = RF_INTERPOLATION_LINEAR};
    assert_int_equal(rf_resample_link(&f.node, 2, &twice, &link), RF_OK);
    assert_int_equal(link.kind, RF_LINK_PERIODIC);
    assert_int_equal(link.period, 2);
    assert_int_equal(link.advance, 1);
    assert_int_equal(link.table_first[0], -1);
    assert_int_equal(link.table_last[1], 1);
    rf_arena_release(&f.arena);
}

static void long_tables_meet_the_limit(void **context)
{
    (void)context;
    fixture f;
    rf_link link;
    begin(&f);
    f.limits.folded_elements = 100;
    rf_resample axis = {.input = 100, .output = 103, .scale = {103, 100}};
    assert_int_equal(rf_resample_link(&f.node, 3, &axis, &link), RF_ERROR_LIMIT);
    assert_non_null(strstr(f.error.message, "axis 3"));
    rf_arena_release(&f.arena);
}

static void floats_become_simple_fractions(void **context)
{
    (void)context;
    static const struct {
        float value;
        rf_ratio ratio;
    } cases[] = {
        {0.0F, {0, 1}},  {1.0F, {1, 1}},  {2.0F, {2, 1}},  {0.6F, {3, 5}}, {1.0F / 3, {1, 3}},
        {-0.5F, {-1, 2}}, {16.0F / 9, {16, 9}}, {1.1F, {11, 10}},
    };
    rf_ratio ratio;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(rf_ratio_of_float(cases[i].value, &ratio));
        assert_int_equal(ratio.numerator, cases[i].ratio.numerator);
        assert_int_equal(ratio.denominator, cases[i].ratio.denominator);
    }
    assert_false(rf_ratio_of_float(NAN, &ratio));
    assert_false(rf_ratio_of_float(INFINITY, &ratio));
    assert_false(rf_ratio_of_float(1e-30F, &ratio));
    assert_false(rf_ratio_of_float(1e30F, &ratio));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_hold_what_weighs),
        cmocka_unit_test(whole_scales_are_windows),
        cmocka_unit_test(long_tables_meet_the_limit),
        cmocka_unit_test(floats_become_simple_fractions),
    };
    return cmocka_run_group_tests_name("resample", tests, NULL, NULL);
}
