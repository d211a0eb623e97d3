/* SPDX-License-Identifier: MIT */
/*
 * Sliding windows against brute force: extents, pads, clipped windows, taps.
 * RF_SEED in the environment repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/window.h"

enum { ROUNDS = 20000, MOST_POSITIONS = 1024 };

static int64_t draw(uint64_t *seed, int64_t low, int64_t high)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (int64_t)((*seed >> 33) % (uint64_t)(high - low + 1));
}

static uint64_t begin_seed(void)
{
    const char *text = getenv("RF_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 20240611;
    print_message("RF_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* Any window at all: pads larger than the kernel and outputs past the end are allowed too. */
static rf_window draw_window(uint64_t *seed)
{
    return (rf_window){
        .input = draw(seed, 0, 24),
        .output = draw(seed, 0, 24),
        .kernel = draw(seed, 1, 7),
        .stride = draw(seed, 1, 6),
        .dilation = draw(seed, 1, 5),
        .pad_begin = draw(seed, 0, 9),
        .pad_end = draw(seed, 0, 9),
    };
}

static int64_t position(const rf_window *window, int64_t i, int64_t t)
{
    return window->stride * i - window->pad_begin + window->dilation * t;
}

static bool is_within(int64_t index, int64_t extent)
{
    return index >= 0 && index < extent;
}

/* ---- Taps ------------------------------------------------------------------------------- */

static void clip_finds_the_taps_on_the_input(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        rf_window window = draw_window(&seed);
        for (int64_t i = 0; i < window.output; i++) {
            int64_t t0, t1;
            rf_window_clip(&window, i, &t0, &t1);
            assert_true(0 <= t0 && t0 <= t1 && t1 <= window.kernel);
            for (int64_t t = 0; t < window.kernel; t++)
                assert_int_equal(t0 <= t && t < t1, is_within(position(&window, i, t), window.input));
        }
    }
}

static void valid_taps_and_live_outputs_match_counting(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        rf_window window = draw_window(&seed);
        uint64_t taps = 0, live = 0, found;
        for (int64_t i = 0; i < window.output; i++) {
            uint64_t before = taps;
            for (int64_t t = 0; t < window.kernel; t++)
                taps += is_within(position(&window, i, t), window.input);
            live += taps > before;
        }
        assert_true(rf_window_valid_taps(&window, &found));
        assert_int_equal(found, taps);
        assert_int_equal(rf_window_live_outputs(&window), live);
    }
}

static void transposed_taps_and_covered_outputs_match_counting(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        rf_window window = draw_window(&seed);
        bool written[MOST_POSITIONS] = {false};
        uint64_t taps = 0, covered = 0, found;
        for (int64_t j = 0; j < window.input; j++)
            for (int64_t t = 0; t < window.kernel; t++)
                if (is_within(position(&window, j, t), window.output)) {
                    taps++;
                    written[position(&window, j, t)] = true;
                }
        for (int64_t i = 0; i < window.output; i++)
            covered += written[i];
        assert_true(rf_window_valid_taps_transposed(&window, &found));
        assert_int_equal(found, taps);
        assert_int_equal(rf_window_covered_outputs(&window), covered);
    }
}

static void huge_windows_are_counted_at_once(void **context)
{
    (void)context;
    const int64_t kernel = INT32_MAX, input = INT64_C(1) << 31;
    rf_window inside = {.input = input, .output = 2, .kernel = kernel, .stride = 1, .dilation = 1};
    uint64_t taps;
    assert_true(rf_window_valid_taps(&inside, &taps));
    assert_true(taps == 2 * (uint64_t)kernel);

    /* Centred on every input: all pairs of inputs less than half a kernel apart. */
    const int64_t half = 1000000, extent = 3000000;
    rf_window centred = {.input = extent, .output = extent, .kernel = 2 * half + 1, .stride = 1,
                         .dilation = 1, .pad_begin = half, .pad_end = half};
    assert_true(rf_window_valid_taps(&centred, &taps));
    assert_true(taps == (uint64_t)(extent * (2 * half + 1) - half * (half + 1)));

    rf_window many = {.input = INT64_C(1) << 60, .output = (INT64_C(1) << 60) - kernel + 1,
                      .kernel = kernel, .stride = 1, .dilation = 1};
    assert_false(rf_window_valid_taps(&many, &taps));
}

/* The square cases of docs/counting.md, one channel pair. */
static void border_cases_hold(void **context)
{
    (void)context;
    static const struct {
        rf_window window;
        uint64_t valid, dense;
    } cases[] = {
        {{.input = 5, .output = 5, .kernel = 3, .stride = 1, .dilation = 1, .pad_begin = 1}, 169, 225},
        {{.input = 8, .output = 4, .kernel = 3, .stride = 2, .dilation = 1, .pad_begin = 1}, 121, 144},
        {{.input = 7, .output = 7, .kernel = 3, .stride = 1, .dilation = 2, .pad_begin = 2}, 289, 441},
        {{.input = 224, .output = 112, .kernel = 7, .stride = 2, .dilation = 1, .pad_begin = 3},
         605284, 614656},
        {{.input = 224, .output = 55, .kernel = 11, .stride = 4, .dilation = 1, .pad_begin = 2},
         362404, 366025},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t taps, dense = (uint64_t)(cases[i].window.output * cases[i].window.kernel);
        assert_true(rf_window_valid_taps(&cases[i].window, &taps));
        assert_int_equal(taps * taps, cases[i].valid);
        assert_int_equal(dense * dense, cases[i].dense);
    }
}

/* ---- Windows from attributes ------------------------------------------------------------ */

typedef struct fixture {
    rf_layer layer;
    rf_error error;
    rf_node node;
    int64_t kernel[RF_MAX_SPATIAL], strides[RF_MAX_SPATIAL], dilations[RF_MAX_SPATIAL];
    int64_t pads[2 * RF_MAX_SPATIAL];
    rf_window_params params;
    rf_shape input;
    rf_window windows[RF_MAX_SPATIAL];
    int32_t axes;
} fixture;

static void begin(fixture *f, int32_t axes)
{
    memset(f, 0, sizeof *f);
    f->layer.type = "Conv";
    f->node = (rf_node){.layer = &f->layer, .name = "window", .error = &f->error};
    f->params.kernel_shape = (rf_ints){(size_t)axes, f->kernel};
    f->params.strides = (rf_ints){(size_t)axes, f->strides};
    f->params.dilations = (rf_ints){(size_t)axes, f->dilations};
    f->params.pads = (rf_ints){2 * (size_t)axes, f->pads};
    f->input = (rf_shape){.rank = 2 + axes, .dims = {1, 1}};
    for (int32_t i = 0; i < axes; i++) {
        f->input.dims[2 + i] = 8;
        f->kernel[i] = f->strides[i] = f->dilations[i] = 1;
    }
}

static void draw_fixture(fixture *f, uint64_t *seed)
{
    int32_t axes = (int32_t)draw(seed, 1, RF_MAX_SPATIAL);
    begin(f, axes);
    for (int32_t i = 0; i < axes; i++) {
        f->input.dims[2 + i] = draw(seed, 1, 24);
        f->kernel[i] = draw(seed, 1, 6);
        f->strides[i] = draw(seed, 1, 5);
        f->dilations[i] = draw(seed, 1, 4);
        f->pads[i] = draw(seed, 0, 6);
        f->pads[axes + i] = draw(seed, 0, 6);
    }
}

static rf_status make(fixture *f, bool ceil_mode)
{
    return rf_windows_make(&f->node, &f->params, &f->input, NULL, ceil_mode, f->windows, &f->axes);
}

static rf_status make_transposed(fixture *f, rf_ints output_padding, rf_ints output_shape)
{
    return rf_windows_make_transposed(&f->node, &f->params, &f->input, NULL, &output_padding,
                                      &output_shape, f->windows, &f->axes);
}

/* Slides a window over the padded axis until it is past the end. */
static int64_t slide(const fixture *f, int32_t axis, bool ceil_mode)
{
    int64_t begin = f->pads[axis], input = f->input.dims[2 + axis];
    int64_t padded = begin + input + f->pads[f->input.rank - 2 + axis];
    int64_t extent = (f->kernel[axis] - 1) * f->dilations[axis] + 1, start = 0, count = 0;
    for (; start + extent <= padded; start += f->strides[axis])
        count++;
    if (!ceil_mode)
        return count;
    bool reached = start - f->strides[axis] + extent == padded;
    int64_t last = reached ? start - f->strides[axis] : start;
    return (reached ? count : count + 1) - (last >= begin + input);
}

static void extents_match_sliding(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        fixture f;
        draw_fixture(&f, &seed);
        bool ceil_mode = draw(&seed, 0, 1);
        bool fits = true;
        for (int32_t i = 0; i < f.input.rank - 2; i++) {
            int64_t extent = (f.kernel[i] - 1) * f.dilations[i] + 1;
            int64_t padded = f.input.dims[2 + i] + f.pads[i] + f.pads[f.input.rank - 2 + i];
            if (ceil_mode && extent > padded)
                f.kernel[i] = 1;
            fits &= slide(&f, i, ceil_mode) >= 1;
        }
        rf_status status = make(&f, ceil_mode);
        assert_int_equal(status, fits ? RF_OK : RF_ERROR_SHAPE);
        for (int32_t i = 0; fits && i < f.axes; i++) {
            assert_int_equal(f.windows[i].output, slide(&f, i, ceil_mode));
            assert_int_equal(f.windows[i].pad_begin, f.pads[i]);
            assert_int_equal(f.windows[i].pad_end, f.pads[f.axes + i]);
        }
    }
}

static void same_pads_are_the_fewest_that_keep_the_extent(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        fixture f;
        draw_fixture(&f, &seed);
        f.params.pads.count = 0;
        bool upper = draw(&seed, 0, 1);
        f.params.auto_pad = upper ? "SAME_UPPER" : "SAME_LOWER";
        assert_int_equal(make(&f, false), RF_OK);
        for (int32_t i = 0; i < f.axes; i++) {
            const rf_window *window = &f.windows[i];
            int64_t outputs = 0, total = 0;
            for (int64_t start = 0; start < window->input; start += window->stride)
                outputs++;
            while (window->input + total < (outputs - 1) * window->stride + rf_window_extent(window))
                total++;
            assert_int_equal(window->output, outputs);
            assert_int_equal(window->pad_begin + window->pad_end, total);
            int64_t odd = total % 2;
            assert_int_equal(window->pad_end - window->pad_begin, upper ? odd : -odd);
        }
    }
}

static void transposed_extents_are_what_is_written(void **context)
{
    (void)context;
    uint64_t seed = begin_seed();
    for (int round = 0; round < ROUNDS; round++) {
        fixture f;
        int64_t extra[RF_MAX_SPATIAL], full[RF_MAX_SPATIAL];
        draw_fixture(&f, &seed);
        int32_t axes = f.input.rank - 2;
        bool fits = true;
        for (int32_t i = 0; i < axes; i++) {
            extra[i] = draw(&seed, 0, 2);
            full[i] = (f.input.dims[2 + i] - 1) * f.strides[i] + (f.kernel[i] - 1) * f.dilations[i] + 1
                + extra[i];
            fits &= full[i] > f.pads[i] + f.pads[axes + i];
        }
        rf_status status = make_transposed(&f, (rf_ints){(size_t)axes, extra}, (rf_ints){0, NULL});
        assert_int_equal(status, fits ? RF_OK : RF_ERROR_SHAPE);
        for (int32_t i = 0; fits && i < axes; i++)
            assert_int_equal(f.windows[i].output, full[i] - f.pads[i] - f.pads[axes + i]);
    }
}

static void output_shape_decides_the_crop(void **context)
{
    (void)context;
    static const struct {
        const char *auto_pad;
        int64_t output, begin, end;
    } cases[] = {
        {NULL, 18, 1, 0},         /* 8 inputs with kernel 5 and stride 2 write 19 */
        {"SAME_UPPER", 18, 0, 1}, {"SAME_LOWER", 16, 2, 1}, {NULL, 19, 0, 0}, {NULL, 25, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fixture f;
        begin(&f, 1);
        f.kernel[0] = 5;
        f.strides[0] = 2;
        f.params.pads.count = 0;
        f.params.auto_pad = cases[i].auto_pad;
        assert_int_equal(make_transposed(&f, (rf_ints){0, NULL}, (rf_ints){1, &cases[i].output}), RF_OK);
        assert_int_equal(f.windows[0].output, cases[i].output);
        assert_int_equal(f.windows[0].pad_begin, cases[i].begin);
        assert_int_equal(f.windows[0].pad_end, cases[i].end);
    }
}

/* ---- Errors ----------------------------------------------------------------------------- */

static void expect_error(fixture *f, rf_status status, const char *part)
{
    assert_int_equal(make(f, false), status);
    assert_int_equal(f->error.status, status);
    if (!strstr(f->error.message, part))
        fail_msg("'%s' does not say '%s'", f->error.message, part);
}

static void wrong_attributes_are_named(void **context)
{
    (void)context;
    fixture f;
    begin(&f, 2);
    f.params.kernel_shape.count = 1;
    expect_error(&f, RF_ERROR_SHAPE, "kernel_shape has 1 entries, but 2 are needed");
    begin(&f, 2);
    f.params.kernel_shape.count = 0;
    expect_error(&f, RF_ERROR_FORMAT, "kernel_shape is required");
    begin(&f, 2);
    f.kernel[1] = 0;
    expect_error(&f, RF_ERROR_SHAPE, "kernel_shape[1] is 0");
    begin(&f, 2);
    f.strides[0] = 0;
    expect_error(&f, RF_ERROR_SHAPE, "strides[0] is 0");
    begin(&f, 2);
    f.dilations[1] = -3;
    expect_error(&f, RF_ERROR_SHAPE, "dilations[1] is -3");
    begin(&f, 2);
    f.pads[3] = -1;
    expect_error(&f, RF_ERROR_SHAPE, "pads[3] is -1");
    begin(&f, 2);
    f.params.pads.count = 2;
    expect_error(&f, RF_ERROR_SHAPE, "pads has 2 entries, but 4 are needed");
    begin(&f, 2);
    f.params.auto_pad = "SAME";
    expect_error(&f, RF_ERROR_FORMAT, "auto_pad 'SAME' is unknown");
    begin(&f, 1);
    f.kernel[0] = 3;
    f.params.auto_pad = "SAME_UPPER";
    f.pads[0] = 3;
    expect_error(&f, RF_ERROR_FORMAT, "pads 3 and 0 of axis 2 contradict auto_pad SAME_UPPER");
}

static void wrong_shapes_are_named(void **context)
{
    (void)context;
    fixture f;
    int64_t weight[] = {3, 2};
    begin(&f, 1);
    f.kernel[0] = 9;
    expect_error(&f, RF_ERROR_SHAPE, "a window of 9 does not fit axis 2, 8 long");
    begin(&f, 2);
    f.input.rank = 2;
    expect_error(&f, RF_ERROR_SHAPE, "its input has shape [1,1]");
    begin(&f, 2);
    f.input.rank = 6;
    expect_error(&f, RF_ERROR_UNSUPPORTED, "4 spatial axes are not supported");
    begin(&f, 2);
    f.kernel[0] = 3;
    f.kernel[1] = 3;
    assert_int_equal(rf_windows_make(&f.node, &f.params, &f.input, weight, false, f.windows, &f.axes),
                     RF_ERROR_SHAPE);
    assert_non_null(strstr(f.error.message, "kernel_shape[1] is 3, but the weight tensor has 2"));
}

static void extremes_are_refused_or_right(void **context)
{
    (void)context;
    fixture f;
    begin(&f, 1);
    f.kernel[0] = INT32_MAX;
    f.dilations[0] = INT32_MAX;
    expect_error(&f, RF_ERROR_SHAPE, "spans more than 2147483647");
    begin(&f, 1);
    f.strides[0] = INT64_MAX;
    expect_error(&f, RF_ERROR_SHAPE, "strides[0] is 9223372036854775807");
    begin(&f, 1);
    f.input.dims[2] = INT64_MAX;
    expect_error(&f, RF_ERROR_OVERFLOW, "axis 2 of its input");
    begin(&f, 1);
    f.input.dims[2] = 0;
    assert_int_equal(make(&f, true), RF_OK);
    assert_int_equal(f.windows[0].output, 0);
    begin(&f, 1);
    f.input.dims[2] = INT64_C(1) << 59;
    f.strides[0] = INT32_MAX;
    assert_int_equal(make_transposed(&f, (rf_ints){0, NULL}, (rf_ints){0, NULL}), RF_ERROR_OVERFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clip_finds_the_taps_on_the_input),
        cmocka_unit_test(valid_taps_and_live_outputs_match_counting),
        cmocka_unit_test(transposed_taps_and_covered_outputs_match_counting),
        cmocka_unit_test(huge_windows_are_counted_at_once),
        cmocka_unit_test(border_cases_hold),
        cmocka_unit_test(extents_match_sliding),
        cmocka_unit_test(same_pads_are_the_fewest_that_keep_the_extent),
        cmocka_unit_test(transposed_extents_are_what_is_written),
        cmocka_unit_test(output_shape_decides_the_crop),
        cmocka_unit_test(wrong_attributes_are_named),
        cmocka_unit_test(wrong_shapes_are_named),
        cmocka_unit_test(extremes_are_refused_or_right),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
