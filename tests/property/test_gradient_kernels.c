/* SPDX-License-Identifier: MIT */
/*
 * Kernels of gradients against plain loops in double: of convolution weights, of
 * pools by their input and of functions. With --bench, how fast they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "check_main.h"
#include "ops/slopes.h"
#include "strided_checks.h"

enum { CASES = 500, MOST_AXES = 3 };

/* ---- Windows and images ------------------------------------------------------------------ */

/* [N, C, spatial...] of an axis order from the outermost in memory. */
typedef struct image_shape {
    int32_t rank;
    int64_t dims[RF_MAX_RANK];
} image_shape;

static rf_window random_window(check_random *random, bool ceil_mode)
{
    rf_window w;
    do {
        w = (rf_window){.input = check_between(random, 1, check_one_in(random, 8) ? 300 : 12),
                        .kernel = check_between(random, 1, check_one_in(random, 4) ? 7 : 3),
                        .stride = check_between(random, 1, 3), .dilation = check_between(random, 1, 2),
                        .pad_begin = check_between(random, 0, 3), .pad_end = check_between(random, 0, 3)};
        w.output = rf_window_count(&w, ceil_mode);
    } while (w.output < 1);
    return w;
}

static void random_windows(check_random *random, rf_window *windows, int32_t axes, bool ceil_mode)
{
    for (int32_t k = 0; k < axes; k++) {
        windows[k] = random_window(random, ceil_mode);
        while (axes > 1 && windows[k].input > 40)
            windows[k] = random_window(random, ceil_mode);
    }
}

/* Channels last mostly, which is what plans hand over; with gaps between pixels. */
static check_tensor image(check_random *random, const image_shape *shape, bool any_order)
{
    int32_t order[RF_MAX_RANK] = {0};
    for (int32_t k = 0; k < shape->rank; k++)
        order[k] = k;
    if (!any_order) {
        for (int32_t k = 1; k + 1 < shape->rank; k++)
            order[k] = k + 1;
        order[shape->rank - 1] = 1;
    }
    return check_tensor_make(random, shape->rank, shape->dims, order, check_one_in(random, 3));
}

/* Where tap `t` of a window reads; -1 for padding. */
static int64_t read_at(const rf_window *w, int64_t i, int64_t t)
{
    int64_t at = i * w->stride + t * w->dilation - w->pad_begin;
    return at >= 0 && at < w->input ? at : -1;
}

/* Runs in pieces and at once: the same bits. */
static void run_both(check_random *random, const rf_work *work, void **data, size_t at, check_tensor *output)
{
    check_tensor again = check_tensor_like(random, output);
    data[at] = output->data;
    check_run(random, work, data, true);
    data[at] = again.data;
    check_run(random, work, data, false);
    data[at] = output->data;
    check_tensor_gaps(output);
    check_tensor_same(output, &again);
    check_tensor_free(&again);
}

/* ---- Weights ----------------------------------------------------------------------------- */

typedef struct weight_case {
    rf_weight_gradient_spec spec;
    check_tensor x, dy, out;
    bool integer;
} weight_case;

static void random_channels(check_random *random, int64_t *groups, int64_t *inputs, int64_t *outputs)
{
    *groups = 1;
    *inputs = check_between(random, 1, check_one_in(random, 3) ? 40 : 9);
    *outputs = check_between(random, 1, check_one_in(random, 3) ? 90 : 20);
    if (check_one_in(random, 3))
        return;
    *groups = check_between(random, 2, check_one_in(random, 3) ? 90 : 5);
    *inputs = check_one_in(random, 2) ? 1 : check_between(random, 1, 5);
    *outputs = check_one_in(random, 2) ? 1 : check_between(random, 1, 5);
}

static weight_case random_weights(check_random *random)
{
    weight_case c = {.integer = check_one_in(random, 2)};
    rf_weight_gradient_spec *spec = &c.spec;
    int64_t inputs, outputs;
    spec->axes = check_one_in(random, 3) ? (int32_t)check_between(random, 1, 3) : 2;
    random_channels(random, &spec->groups, &inputs, &outputs);
    random_windows(random, spec->windows, spec->axes, false);
    image_shape x = {spec->axes + 2, {check_one_in(random, 4) ? check_between(random, 0, 40) : check_between(random, 1, 4),
                                      spec->groups * inputs}};
    image_shape dy = {x.rank, {x.dims[0], spec->groups * outputs}}, out = {x.rank, {spec->groups * outputs, inputs}};
    for (int32_t k = 0; k < spec->axes; k++) {
        rf_window *w = &spec->windows[k];
        w->output -= w->output > 1 && check_one_in(random, 6);
        x.dims[2 + k] = w->input;
        dy.dims[2 + k] = w->output;
        out.dims[2 + k] = w->kernel;
    }
    c.x = image(random, &x, false);
    c.dy = image(random, &dy, false);
    c.out = image(random, &out, check_one_in(random, 2));
    check_tensor_fill(random, &c.x, c.integer);
    check_tensor_fill(random, &c.dy, c.integer);
    check_buffer_protect(&c.x.buffer);
    check_buffer_protect(&c.dy.buffer);
    spec->input = c.x.at;
    spec->gradient = c.dy.at;
    spec->output = c.out.at;
    return c;
}

/* One element of the gradient, and what rounding may make of it. */
static double expected_weight(const weight_case *c, const int64_t *index, double *bound)
{
    const rf_weight_gradient_spec *spec = &c->spec;
    int64_t outputs = c->dy.at.dims[1] / spec->groups, inputs = c->x.at.dims[1] / spec->groups, products = 0;
    rf_strided pixels = {.rank = spec->axes + 1, .dims = {c->dy.at.dims[0]}};
    int64_t at[RF_MAX_RANK] = {0};
    double sum = 0, magnitude = 0;
    for (int32_t k = 0; k < spec->axes; k++)
        pixels.dims[k + 1] = spec->windows[k].output;
    *bound = 0;
    if (pixels.dims[0] == 0)
        return 0;
    do {
        int64_t from[RF_MAX_RANK] = {at[0], index[0] / outputs * inputs + index[1]};
        int64_t to[RF_MAX_RANK] = {at[0], index[0]};
        bool valid = true;
        for (int32_t k = 0; k < spec->axes; k++) {
            from[2 + k] = read_at(&spec->windows[k], at[k + 1], index[2 + k]);
            to[2 + k] = at[k + 1];
            valid &= from[2 + k] >= 0;
        }
        if (!valid)
            continue;
        double product = (double)c->x.data[check_offset(&c->x.at, from)]
                         * (double)c->dy.data[check_offset(&c->dy.at, to)];
        sum += product;
        magnitude += fabs(product);
        products++;
    } while (check_step(&pixels, at));
    *bound = c->integer ? 0 : check_sum_bound(products + 1, magnitude);
    return sum;
}

static void check_weights(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    weight_case c = random_weights(random);
    rf_weight_gradient_work work;
    int64_t index[RF_MAX_RANK] = {0};
    assert_true(kernels->weight_gradient(&c.spec, arena, &work));
    const int64_t floats[] = {work.partial_floats};
    check_tensor between = check_tensor_make(random, 1, floats, NULL, false);
    void *sum[] = {c.x.data, c.dy.data, NULL}, *join[] = {between.data, NULL};
    run_both(random, &work.sum, sum, 2, &between);
    run_both(random, &work.join, join, 1, &c.out);
    do {
        double bound, expected = expected_weight(&c, index, &bound);
        check_near(c.out.data[check_offset(&c.out.at, index)], expected, bound, work.sum.algorithm);
    } while (check_step(&c.out.at, index));
    check_tensor_free(&c.x);
    check_tensor_free(&c.dy);
    check_tensor_free(&c.out);
    check_tensor_free(&between);
}

static void weights(void **state)
{
    each_case(*state, check_weights, CASES);
}

/* ---- Pools ------------------------------------------------------------------------------- */

typedef struct pool_case {
    rf_pool_gradient_spec spec;
    check_tensor x, dy, out;
    double *expected, *magnitudes; /* as `out` lies */
} pool_case;

static pool_case random_pool(check_random *random)
{
    pool_case c = {.spec = {.average = check_one_in(random, 2), .count_include_pad = check_one_in(random, 2)}};
    rf_pool_gradient_spec *spec = &c.spec;
    bool any_order = check_one_in(random, 8);
    spec->axes = check_one_in(random, 3) ? (int32_t)check_between(random, 1, 3) : 2;
    random_windows(random, spec->windows, spec->axes, check_one_in(random, 2));
    image_shape x = {spec->axes + 2, {check_between(random, 0, 3), check_between(random, 1, check_one_in(random, 3) ? 150 : 20)}};
    image_shape dy = x;
    for (int32_t k = 0; k < spec->axes; k++) {
        x.dims[2 + k] = spec->windows[k].input;
        dy.dims[2 + k] = spec->windows[k].output;
    }
    c.x = image(random, &x, any_order);
    c.dy = image(random, &dy, any_order);
    c.out = image(random, &x, any_order);
    /* Few different elements, so that windows have several that are largest. */
    check_tensor_fill(random, &c.x, true);
    check_tensor_fill(random, &c.dy, !spec->average);
    for (size_t i = 0; i < c.x.floats && check_one_in(random, 2); i += (size_t)check_between(random, 1, 200))
        if (c.x.inside[i])
            c.x.data[i] = check_one_in(random, 2) ? NAN : -INFINITY;
    check_buffer_protect(&c.x.buffer);
    check_buffer_protect(&c.dy.buffer);
    spec->gradient = c.dy.at;
    spec->input = c.x.at;
    spec->output = c.out.at;
    c.expected = calloc(c.out.floats + 1, sizeof *c.expected);
    c.magnitudes = calloc(c.out.floats + 1, sizeof *c.magnitudes);
    assert_true(c.expected && c.magnitudes);
    return c;
}

/* Taps of a window that lie within the padded input. */
static double padded_taps(const rf_window *w, int64_t i)
{
    double taps = 0;
    for (int64_t t = 0; t < w->kernel; t++)
        taps += i * w->stride + t * w->dilation < w->input + w->pad_begin + w->pad_end;
    return taps;
}

/* The place of tap `number` of a window, in `c->out` and, by *x, in the input; false on padding. */
static bool tap_at(const pool_case *c, const int64_t *index, const int64_t *tap, int64_t *to, int64_t *x)
{
    int64_t at[RF_MAX_RANK] = {index[0], index[1]};
    for (int32_t k = 0; k < c->spec.axes; k++)
        if ((at[2 + k] = read_at(&c->spec.windows[k], index[2 + k], tap[k])) < 0)
            return false;
    *to = check_offset(&c->out.at, at);
    *x = check_offset(&c->x.at, at);
    return true;
}

static void hand_on(const pool_case *c, const int64_t *index)
{
    rf_strided taps = {.rank = c->spec.axes};
    int64_t tap[RF_MAX_RANK] = {0}, to, x, chosen = -1;
    double dy = (double)c->dy.data[check_offset(&c->dy.at, index)], padded = 1, real = 0, most = -INFINITY;
    for (int32_t k = 0; k < c->spec.axes; k++) {
        taps.dims[k] = c->spec.windows[k].kernel;
        padded *= padded_taps(&c->spec.windows[k], index[2 + k]);
    }
    do {
        if (!tap_at(c, index, tap, &to, &x))
            continue;
        double element = (double)c->x.data[x];
        real++;
        if (chosen < 0 || element > most || (element != element && most == most))
            chosen = to, most = element;
    } while (check_step(&taps, tap));
    if (real == 0)
        return;
    if (!c->spec.average) {
        c->expected[chosen] += dy;
        return;
    }
    memset(tap, 0, sizeof tap);
    do {
        if (!tap_at(c, index, tap, &to, &x))
            continue;
        double share = dy / (c->spec.count_include_pad ? padded : real);
        c->expected[to] += share;
        c->magnitudes[to] += fabs(share);
    } while (check_step(&taps, tap));
}

/* The kernel takes channels that are next to each other; a plan copies others so. */
static bool is_taken(const rf_pool_gradient_spec *spec)
{
    bool next = spec->output.strides[1] == 1 && spec->gradient.strides[1] == 1
                && (spec->average || spec->input.strides[1] == 1);
    return next || spec->output.dims[1] <= 1;
}

static void check_pools(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    pool_case c = random_pool(random);
    rf_work work;
    int64_t index[RF_MAX_RANK] = {0};
    void *data[] = {c.dy.data, c.x.data, NULL};
    bool taken = kernels->pool_gradient(&c.spec, arena, &work);
    assert_int_equal(taken, is_taken(&c.spec));
    if (taken)
        run_both(random, &work, data, c.spec.average ? 1 : 2, &c.out);
    if (taken && c.out.floats) {
        do
            hand_on(&c, index);
        while (check_step(&c.dy.at, index));
        memset(index, 0, sizeof index);
        do {
            int64_t at = check_offset(&c.out.at, index);
            check_near(c.out.data[at], c.expected[at], 64 * ldexp(c.magnitudes[at], -24), work.algorithm);
        } while (check_step(&c.out.at, index));
    }
    check_tensor_free(&c.x);
    check_tensor_free(&c.dy);
    check_tensor_free(&c.out);
    free(c.expected);
    free(c.magnitudes);
}

static void pools(void **state)
{
    each_case(*state, check_pools, CASES);
}

/* ---- Slopes ------------------------------------------------------------------------------ */

/* The relative error of a slope, and that by what it is the sum or difference of. */
static void check_slope(float got, float dy, float x, const rf_slope_spec *spec, const char *isa)
{
    double slope = rf_map_slope(spec->map.function, spec->of_output)((double)x, (double)spec->map.a,
                                                                     (double)spec->map.b);
    double expected = (double)dy * slope, size = fabs((double)dy);
    double bound = 4e-6 * (fabs(expected) + (fabs(slope) < 1e30 ? size : 0)) + 1e-37 * (1 + size);
    char what[80];
    snprintf(what, sizeof what, "slope %d at %g on %s", (int)spec->map.function, (double)x, isa);
    if (isinf(dy) || isinf(slope) || fabs(slope) < 1e-30)
        return; /* products with what float32 has not */
    near_or_beyond(got, expected, bound, what);
}

static void check_slopes(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    rf_strided shape;
    rf_work work;
    shape_make(random, 0, 5000, &shape);
    rf_slope_spec spec = {.map = check_random_map(random, false), .of_output = check_one_in(random, 6)};
    if (spec.of_output)
        spec.map.function = check_one_in(random, 2) ? RF_MAP_SIGMOID : RF_MAP_TANH;
    tensor dy = tensor_make(random, &shape, sizeof(float), true, 0), x = tensor_make(random, &shape, sizeof(float), true, 0);
    tensor output = tensor_make(random, &shape, sizeof(float), false, 0);
    int64_t index[RF_MAX_RANK] = {0};
    tensor_fill(random, &dy, false);
    tensor_fill(random, &x, chance(random, 30));
    memcpy(dy.initial, dy.span, dy.span_bytes);
    memcpy(x.initial, x.span, x.span_bytes);
    bool in_place = chance(random, 30);
    tensor *const operands[] = {in_place ? &output : &dy, &x, &output};
    if (in_place) {
        tensor_fill(random, &output, false);
        memcpy(output.initial, output.span, output.span_bytes);
    }
    spec.gradient = operands[0]->at;
    spec.x = x.at;
    spec.output = output.at;
    assert_true(kernels->slope(&spec, arena, &work));
    run_work(random, &work, operands, 3, &output);
    if (shape_count(&shape)) {
        do
            check_slope(float_at(&output, index), initial_at(operands[0], index), initial_at(&x, index), &spec,
                        kernels->isa);
        while (check_step(&shape, index));
    }
    tensor_free(&dy);
    tensor_free(&x);
    tensor_free(&output);
}

static void slopes(void **state)
{
    each_case(*state, check_slopes, 3 * CASES);
}

/* ---- Speed ------------------------------------------------------------------------------- */

typedef struct layer {
    const char *name;
    int64_t batch, inputs, outputs, groups, extent, kernel, stride;
} layer;

static const layer layers[] = {
    {"wgrad 32-64 3x3 14x14", 128, 32, 64, 1, 14, 3, 1},   {"wgrad 32-32 3x3 28x28", 128, 32, 32, 1, 28, 3, 1},
    {"wgrad 1-32 3x3 28x28", 128, 1, 32, 1, 28, 3, 1},     {"wgrad 64-64 3x3 7x7", 128, 64, 64, 1, 7, 3, 1},
    {"wgrad 64-128 1x1 14x14", 128, 64, 128, 1, 14, 1, 1}, {"wgrad 128 depthwise 14x14", 128, 128, 128, 128, 14, 3, 1},
    {"wgrad 3-64 7x7 s2 224", 8, 3, 64, 1, 224, 7, 2},     {"wgrad 256-256 3x3 7x7", 64, 256, 256, 1, 7, 3, 1},
    {"wgrad 48-80 3x3 14x14", 128, 48, 80, 1, 14, 3, 1},
};

static rf_strided pixels_of(int64_t batch, int64_t channels, int64_t extent)
{
    rf_strided form = check_image(channels, extent);
    form.dims[0] = batch;
    form.strides[0] = extent * extent * channels;
    return form;
}

/* Operations a second of a loop that does nothing but multiply and add. */
static double peak_of(const rf_kernels *kernels)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    uint64_t done = kernels->spin(200000);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return 2.0 * (double)done / ((double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
}

static void measure_weights(const rf_kernels *kernels, const layer *of)
{
    const rf_window window = {.input = of->extent, .output = (of->extent - 1) / of->stride + 1, .kernel = of->kernel,
                              .stride = of->stride, .dilation = 1, .pad_begin = of->kernel / 2,
                              .pad_end = of->kernel / 2};
    rf_weight_gradient_spec spec = {
        .axes = 2, .windows = {window, window}, .groups = of->groups,
        .input = pixels_of(of->batch, of->inputs, of->extent),
        .gradient = pixels_of(of->batch, of->outputs, window.output),
        .output = {.rank = 4, .dims = {of->outputs, of->inputs / of->groups, of->kernel, of->kernel}},
    };
    for (int64_t k = 3, stride = 1; k >= 0; stride *= spec.output.dims[k--])
        spec.output.strides[k] = stride;
    check_random random = {.state = 1};
    rf_weight_gradient_work work;
    rf_arena arena;
    rf_arena_init(&arena, NULL, 1 << 20);
    assert_true(kernels->weight_gradient(&spec, &arena, &work));
    float *x = check_floats(&random, of->batch * spec.input.strides[0], false);
    float *dy = check_floats(&random, of->batch * spec.gradient.strides[0], false);
    float *between = check_floats(&random, work.partial_floats, false);
    float *out = check_floats(&random, of->outputs * spec.output.strides[0], false);
    void *sum[] = {x, dy, between}, *join[] = {between, out};
    double peak = 0, first = INFINITY, second = INFINITY;
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 10; k++)
            peak = fmax(peak, peak_of(kernels));
        first = fmin(first, check_time(&work.sum, sum));
        second = fmin(second, check_time(&work.join, join));
    }
    uint64_t taps; /* that fall on the input */
    assert_true(rf_window_valid_taps(&window, &taps));
    double flops = 2.0 * (double)(taps * taps) * (double)(of->batch * of->outputs * spec.output.dims[1]);
    printf("%-9s %-28s %8.3f ms + %6.3f ms %7.1f GFLOP/s, %3.0f %% of the peak  %s\n", kernels->isa, of->name,
           first * 1e3, second * 1e3, flops / (first + second) * 1e-9, 100 * flops / (first + second) / peak,
           work.sum.algorithm);
    rf_arena_release(&arena);
    free(x);
    free(dy);
    free(between);
    free(out);
}

static void bench(const rf_kernels *kernels)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (check_wanted(layers[i].name))
            measure_weights(kernels, &layers[i]);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "gradient_kernels",
        .tests = {{"weights", weights}, {"pools", pools}, {"slopes", slopes}},
        .bench = bench,
    };
    return check_main(argc, argv, &program);
}
