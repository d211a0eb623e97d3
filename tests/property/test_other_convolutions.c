/* SPDX-License-Identifier: MIT */
/*
 * Depthwise, grouped and transposed convolutions and pools of every
 * instruction set against loops in double, over random windows, groups,
 * layouts, epilogues and splits of work. See check_main.h for the words that it
 * takes.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "ops/window.h"

typedef struct problem {
    check_tensor input, output, residual;
    check_buffer weights;
    float *scale, *bias;
    bool pool, integers;
    bool in_run; /* makers don't know weights and bias */
    rf_convolution_spec convolution;
    rf_pool_spec pooling;
    double *expected, *bounds, *magnitudes; /* row-major */
} problem;

static void problem_free(problem *p)
{
    check_tensor_free(&p->input);
    check_tensor_free(&p->output);
    check_tensor_free(&p->residual);
    check_buffer_free(&p->weights);
    free(p->scale);
    free(p->bias);
    free(p->expected);
    free(p->bounds);
    free(p->magnitudes);
}

/* ---- Runs ------------------------------------------------------------------------------- */

static void make_room(problem *p)
{
    size_t elements = 1;
    for (int32_t k = 0; k < p->output.at.rank; k++)
        elements *= (size_t)p->output.at.dims[k];
    p->expected = malloc((elements + 1) * sizeof *p->expected);
    p->bounds = malloc((elements + 1) * sizeof *p->bounds);
    p->magnitudes = calloc(elements + 1, sizeof *p->magnitudes);
    assert_true(p->expected && p->bounds && p->magnitudes);
}

static void compare(check_random *random, const problem *p, const check_tensor *output, const char *isa,
                    const char *algorithm)
{
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    if (output->floats > 0) {
        do {
            float got = output->data[check_offset(&output->at, index)];
            check_near(got, p->expected[element], p->bounds[element], isa);
            if (p->magnitudes[element] > 0)
                check_note(random, isa, algorithm, fabs((double)got - p->expected[element]), p->magnitudes[element]);
            element++;
        } while (check_step(&output->at, index));
    }
    check_tensor_gaps(output);
}

static bool make(const rf_kernels *kernels, const problem *p, rf_arena *arena, rf_work *work)
{
    return p->pool ? kernels->pool(&p->pooling, arena, work)
                   : check_make_convolution(kernels->convolution, &p->convolution, p->in_run, arena, work);
}

/* What the layer is, where the kernel's name alone doesn't say. */
static const char *name_of(const problem *p, const char *algorithm)
{
    const rf_convolution_spec *spec = &p->convolution;
    if (p->pool || spec->transposed)
        return p->pool ? algorithm : "transposed";
    return spec->groups == p->input.at.dims[1] ? "depthwise" : spec->groups > 1 ? "grouped" : algorithm;
}

static void run_set(check_random *random, const problem *p, const rf_kernels *kernels)
{
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    assert_true(make(kernels, p, &arena, &work));
    assert_true(work.grain >= 1);
    assert_true(p->output.floats > 0 || work.units == 0);
    check_tensor whole = check_tensor_like(random, &p->output);
    check_tensor pieces = check_tensor_like(random, &p->output);
    for (int i = 0; i < 2; i++) {
        void *data[3] = {p->input.data, i ? pieces.data : whole.data, p->residual.data};
        check_run(random, &work, data, i == 1);
    }
    compare(random, p, &whole, kernels->isa, name_of(p, work.algorithm));
    check_tensor_same(&whole, &pieces);
    check_tensor_free(&whole);
    check_tensor_free(&pieces);
    rf_arena_release(&arena);
}

static void run_sets(check_random *random, problem *p)
{
    check_buffer_protect(&p->input.buffer);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        run_set(random, p, set);
}

/* ---- Random windows and layouts ---------------------------------------------------------- */

static rf_window random_window(check_random *random, int64_t most)
{
    rf_window w = {.input = check_between(random, 1, most), .kernel = check_between(random, 1, 7)};
    w.stride = check_one_in(random, 2) ? 1 : check_one_in(random, 3) ? check_between(random, 3, 6) : 2;
    w.dilation = check_one_in(random, 4) ? check_between(random, 2, 4) : 1;
    if (!check_one_in(random, 3)) {
        w.pad_begin = check_between(random, 0, w.kernel);
        w.pad_end = check_between(random, 0, w.kernel);
    }
    if (check_one_in(random, 20))
        w.pad_begin += 9;
    return w;
}

/* The usual windows of depthwise layers, more often than chance would have them. */
static void usual_window(check_random *random, rf_window *w)
{
    w->kernel = 3 + 2 * check_between(random, 0, 2);
    w->stride = check_between(random, 1, 2);
    w->dilation = 1;
    w->pad_begin = check_between(random, 0, w->kernel - 1);
    w->pad_end = check_between(random, 0, w->kernel - 1);
}

static void set_output(rf_window *w, bool ceil_mode)
{
    int64_t extent = rf_window_extent(w);
    if (w->input + w->pad_begin + w->pad_end < extent)
        w->pad_end = extent - w->input - w->pad_begin;
    w->output = rf_window_count(w, ceil_mode);
}

static void set_transposed_output(check_random *random, rf_window *w)
{
    int64_t full = w->stride * (w->input - 1) + rf_window_extent(w) + check_between(random, 0, w->stride - 1);
    w->output = full - w->pad_begin - w->pad_end;
    if (w->output >= 1)
        return;
    w->pad_begin = w->pad_end = 0;
    w->output = full;
}

/* Channels last, or, where `any`, at times in any order. */
static void random_order(check_random *random, int32_t rank, bool any, int32_t *order)
{
    for (int32_t k = 0; k < rank; k++)
        order[k] = k == 0 ? 0 : k == rank - 1 ? 1 : k + 1;
    if (!any || !check_one_in(random, 3))
        return;
    for (int32_t k = rank - 1; k > 0; k--) {
        int32_t other = (int32_t)check_between(random, 0, k), kept = order[k];
        order[k] = order[other];
        order[other] = kept;
    }
}

/* The extent that keeps about as many pixels for any number of axes. */
static int64_t extent_for(int32_t axes)
{
    return axes == 1 ? 150 : axes == 2 ? 18 : 7;
}

static void make_tensors(check_random *random, problem *p, const int64_t *in, const int64_t *out, int32_t rank,
                         bool any)
{
    int32_t order[RF_MAX_RANK];
    random_order(random, rank, any, order);
    p->input = check_tensor_make(random, rank, in, order, check_one_in(random, 3));
    check_tensor_fill(random, &p->input, p->integers);
    if (p->input.floats && check_one_in(random, 6) && p->input.inside[p->input.floats / 2])
        p->input.data[p->input.floats / 2] = check_one_in(random, 3) ? INFINITY : NAN;
    random_order(random, rank, any, order);
    p->output = check_tensor_make(random, rank, out, order, check_one_in(random, 3));
    p->residual = check_tensor_make(random, rank, out, order, check_one_in(random, 3));
    check_tensor_fill(random, &p->residual, p->integers);
}

/* ---- Convolutions ----------------------------------------------------------------------- */

/* At any byte, and at times with one that is not a number: padding must not meet it. */
static void make_weights(check_random *random, problem *p, int64_t count)
{
    size_t bytes = (size_t)count * sizeof(float), odd = (size_t)check_between(random, 0, 3);
    int64_t strange = check_one_in(random, 6) ? check_between(random, 0, count - 1) : -1;
    p->weights = check_buffer_make(bytes + odd, check_next(random) & 1);
    char *at = p->weights.data + (p->weights.data == p->weights.pages + p->weights.page ? odd : 0);
    for (int64_t i = 0; i < count; i++) {
        float w = i == strange ? NAN : check_float(random, p->integers);
        memcpy(at + (size_t)i * sizeof w, &w, sizeof w);
    }
    p->convolution.weights = at;
    check_buffer_protect(&p->weights);
}

/* Where tap `tap` of output `index` reads along an axis; -1 for nowhere. */
static int64_t read_at(const rf_window *w, bool transposed, int64_t index, int64_t tap)
{
    int64_t from = index * w->stride - w->pad_begin + tap * w->dilation;
    if (transposed) {
        int64_t sum = index + w->pad_begin - tap * w->dilation;
        from = sum % w->stride ? -1 : sum / w->stride;
    }
    return from >= 0 && from < w->input ? from : -1;
}

/* The sum of products of one output, and of their absolute values. */
static void expected_sum(const problem *p, const int64_t *index, double *sum, double *magnitude, int64_t *products)
{
    const rf_convolution_spec *spec = &p->convolution;
    int64_t inputs = p->input.at.dims[1] / spec->groups, outputs = p->output.at.dims[1] / spec->groups;
    int64_t group = index[1] / outputs, tap[RF_MAX_RANK] = {0}, all = 1, number = 0;
    rf_strided taps = {.rank = spec->axes};
    for (int32_t k = 0; k < spec->axes; k++)
        all *= taps.dims[k] = spec->windows[k].kernel;
    do {
        int64_t from[RF_MAX_RANK] = {index[0]};
        bool valid = true;
        for (int32_t k = 0; k < spec->axes; k++) {
            from[k + 2] = read_at(&spec->windows[k], spec->transposed, index[k + 2], tap[k]);
            valid &= from[k + 2] >= 0;
        }
        for (int64_t c = 0; valid && c < inputs; c++) {
            int64_t row = spec->transposed ? (group * inputs + c) * outputs + index[1] % outputs
                                           : index[1] * inputs + c;
            from[1] = group * inputs + c;
            double product = check_float_at(spec->weights, row * all + number)
                             * (p->scale ? (double)p->scale[index[1]] : 1)
                             * (double)p->input.data[check_offset(&p->input.at, from)];
            *sum += product;
            *magnitude += fabs(product);
            ++*products;
        }
        number++;
    } while (check_step(&taps, tap));
}

static void expect_convolution(problem *p)
{
    const rf_epilogue *epilogue = &p->convolution.epilogue;
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    make_room(p);
    if (p->output.floats == 0)
        return;
    do {
        double sum = 0, magnitude = 0, bias = p->bias ? (double)p->bias[index[1]] : 0;
        int64_t products = 0;
        expected_sum(p, index, &sum, &magnitude, &products);
        double residual = epilogue->residual ? (double)p->residual.data[check_offset(&p->residual.at, index)] : 0;
        double x = sum + bias + residual;
        double measure = magnitude + fabs(bias) + fabs(residual), bound = check_sum_bound(products + 2, measure);
        p->expected[element] = check_map(x, epilogue->map);
        p->magnitudes[element] = epilogue->map.function == RF_MAP_NONE && !p->integers ? measure : 0;
        p->bounds[element++] = p->integers ? 0 : check_map_bound(x, bound, epilogue->map);
    } while (check_step(&p->output.at, index));
}

typedef enum sort { DEPTHWISE, MULTIPLIED, GROUPED, TRANSPOSED, SORTS } sort;

/* Groups and the channels of each. */
static void random_channels(check_random *random, sort what, int64_t *groups, int64_t *inputs, int64_t *outputs)
{
    *inputs = *outputs = 1;
    *groups = check_between(random, 2, check_one_in(random, 3) ? 150 : 40);
    if (what == DEPTHWISE)
        return;
    if (what == MULTIPLIED) {
        *groups = check_between(random, 2, 20);
        *outputs = check_between(random, 2, 5);
        return;
    }
    *groups = check_between(random, what == GROUPED ? 2 : 1, 9);
    *inputs = check_between(random, 1, check_one_in(random, 4) ? 40 : 9);
    *outputs = check_between(random, 1, check_one_in(random, 4) ? 70 : 20);
    if (check_one_in(random, 3))
        *inputs = *outputs = INT64_C(1) << check_between(random, 0, 5);
    if (*inputs <= 8 && *inputs == *outputs)
        *groups = check_between(random, 2, 30);
}

static void random_extras(check_random *random, problem *p, int64_t outputs)
{
    rf_convolution_spec *spec = &p->convolution;
    spec->epilogue.map = check_random_map(random, p->integers);
    spec->epilogue.residual = check_one_in(random, 3);
    if (check_next(random) & 1)
        p->bias = check_floats(random, outputs, p->integers);
    if (check_one_in(random, 3))
        p->scale = check_floats(random, outputs, p->integers);
    spec->input = p->input.at;
    spec->output = p->output.at;
    spec->residual = p->residual.at;
    spec->scale = p->scale;
    spec->bias = p->bias;
    spec->exact = true;
}

static problem random_convolution(check_random *random, sort what)
{
    problem p = {.integers = check_one_in(random, 3), .in_run = check_one_in(random, 3)};
    rf_convolution_spec *spec = &p.convolution;
    int64_t in[RF_MAX_RANK], out[RF_MAX_RANK], inputs, outputs, weights;
    random_channels(random, what, &spec->groups, &inputs, &outputs);
    spec->transposed = what == TRANSPOSED;
    spec->axes = check_one_in(random, 3) ? (int32_t)check_between(random, 1, 3) : 2;
    in[0] = out[0] = check_one_in(random, 12) ? check_between(random, 0, 3) : 1;
    in[1] = spec->groups * inputs;
    out[1] = spec->groups * outputs;
    weights = in[1] * outputs;
    bool usual = check_next(random) & 1;
    for (int32_t k = 0; k < spec->axes; k++) {
        rf_window *window = &spec->windows[k];
        *window = random_window(random, extent_for(spec->axes));
        if (usual)
            usual_window(random, window);
        if (spec->transposed)
            set_transposed_output(random, window);
        else
            set_output(window, false);
        in[k + 2] = window->input;
        out[k + 2] = window->output;
        weights *= window->kernel;
    }
    make_tensors(random, &p, in, out, spec->axes + 2, false);
    make_weights(random, &p, weights);
    random_extras(random, &p, out[1]);
    expect_convolution(&p);
    return p;
}

static void convolutions(void **state)
{
    check_random *random = *state;
    for (int i = 0; i < check_cases(400); i++) {
        problem p = random_convolution(random, (sort)(i % SORTS));
        run_sets(random, &p);
        problem_free(&p);
    }
}

/* ---- Pools ------------------------------------------------------------------------------ */

static int64_t divisor_of(const rf_window *w, int64_t index, bool count_include_pad)
{
    int64_t count = 0;
    for (int64_t t = 0; t < w->kernel; t++) {
        int64_t from = index * w->stride - w->pad_begin + t * w->dilation;
        bool padded = from >= -w->pad_begin && from < w->input + w->pad_end;
        count += count_include_pad ? padded : from >= 0 && from < w->input;
    }
    return count;
}

/* The largest or the mean of one window, before the map, and how far off a sum in float may be. */
static double expected_pool(const problem *p, const int64_t *index, double *bound)
{
    const rf_pool_spec *spec = &p->pooling;
    int64_t tap[RF_MAX_RANK] = {0}, read = 0;
    rf_strided taps = {.rank = spec->axes};
    double most = -(double)INFINITY, sum = 0, magnitude = 0, divisor = 1;
    for (int32_t k = 0; k < spec->axes; k++) {
        taps.dims[k] = spec->windows[k].kernel;
        divisor *= (double)divisor_of(&spec->windows[k], index[k + 2], spec->count_include_pad);
    }
    do {
        int64_t from[RF_MAX_RANK] = {index[0], index[1]};
        bool valid = true;
        for (int32_t k = 0; k < spec->axes; k++) {
            from[k + 2] = read_at(&spec->windows[k], false, index[k + 2], tap[k]);
            valid &= from[k + 2] >= 0;
        }
        if (!valid)
            continue;
        double x = (double)p->input.data[check_offset(&p->input.at, from)];
        most = x > most || isnan(x) ? x : most;
        sum += x;
        magnitude += fabs(x);
        read++;
    } while (check_step(&taps, tap));
    *bound = spec->average && read ? check_sum_bound(read + 2, magnitude / divisor) : 0;
    return !spec->average ? most : read ? sum / divisor : 0;
}

static void expect_pool(problem *p)
{
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    make_room(p);
    if (p->output.floats == 0)
        return;
    do {
        double bound, x = expected_pool(p, index, &bound);
        p->expected[element] = check_map(x, p->pooling.map);
        p->bounds[element++] = bound == 0 && p->pooling.map.function <= RF_MAP_CLIP
                                   ? 0 : check_map_bound(x, bound, p->pooling.map);
    } while (check_step(&p->output.at, index));
}

/* Some windows see everything, as global pools do. */
static void random_pool_window(check_random *random, rf_window *window, int64_t most, bool global)
{
    *window = random_window(random, most);
    if (global)
        *window = (rf_window){.input = window->input, .kernel = window->input, .stride = 1, .dilation = 1};
    set_output(window, check_one_in(random, 3));
    if (window->output < 1)
        set_output(window, false);
}

static problem random_pool(check_random *random)
{
    problem p = {.pool = true, .integers = check_one_in(random, 3)};
    rf_pool_spec *spec = &p.pooling;
    int64_t in[RF_MAX_RANK], out[RF_MAX_RANK];
    spec->axes = check_one_in(random, 3) ? (int32_t)check_between(random, 1, 3) : 2;
    spec->average = check_next(random) & 1;
    spec->count_include_pad = check_next(random) & 1;
    in[0] = out[0] = check_one_in(random, 12) ? check_between(random, 0, 3) : 1;
    in[1] = out[1] = check_between(random, 1, check_one_in(random, 2) ? 200 : 20);
    bool global = check_one_in(random, 6);
    for (int32_t k = 0; k < spec->axes; k++) {
        random_pool_window(random, &spec->windows[k], extent_for(spec->axes), global);
        in[k + 2] = spec->windows[k].input;
        out[k + 2] = spec->windows[k].output;
    }
    make_tensors(random, &p, in, out, spec->axes + 2, true);
    spec->input = p.input.at;
    spec->output = p.output.at;
    spec->map = check_random_map(random, true);
    expect_pool(&p);
    return p;
}

static void pools(void **state)
{
    check_random *random = *state;
    for (int i = 0; i < check_cases(400); i++) {
        problem p = random_pool(random);
        run_sets(random, &p);
        problem_free(&p);
    }
}

/* ---- Measurements ----------------------------------------------------------------------- */

typedef struct measured {
    const char *name;
    int64_t channels, extent, outputs, groups, kernel, stride, dilation, pad;
    bool transposed;
} measured;

static const measured layers[] = {
    {"depthwise 3x3, 32 at 112", 32, 112, 32, 32, 3, 1, 1, 1, false},
    {"depthwise 3x3/2, 96 at 112", 96, 112, 96, 96, 3, 2, 1, 1, false},
    {"depthwise 3x3, 144 at 56", 144, 56, 144, 144, 3, 1, 1, 1, false},
    {"depthwise 3x3/2, 144 at 56", 144, 56, 144, 144, 3, 2, 1, 1, false},
    {"depthwise 3x3, 192 at 28", 192, 28, 192, 192, 3, 1, 1, 1, false},
    {"depthwise 3x3, 58 at 28", 58, 28, 58, 58, 3, 1, 1, 1, false},
    {"depthwise 3x3, 384 at 14", 384, 14, 384, 384, 3, 1, 1, 1, false},
    {"depthwise 3x3, 960 at 7", 960, 7, 960, 960, 3, 1, 1, 1, false},
    {"depthwise 5x5, 120 at 28", 120, 28, 120, 120, 5, 1, 1, 2, false},
    {"depthwise 5x5/2, 672 at 14", 672, 14, 672, 672, 5, 2, 1, 2, false},
    {"depthwise 5x5, 960 at 7", 960, 7, 960, 960, 5, 1, 1, 2, false},
    {"depthwise 7x7, 96 at 56", 96, 56, 96, 96, 7, 1, 1, 3, false},
    {"depthwise 3x3 dilated, 256 at 32", 256, 32, 256, 256, 3, 1, 2, 2, false},
    {"3x3 in 32 groups of 4, at 56", 128, 56, 128, 32, 3, 1, 1, 1, false},
    {"3x3/2 in 32 groups of 8, at 56", 256, 56, 256, 32, 3, 2, 1, 1, false},
    {"3x3 in 32 groups of 8, at 28", 256, 28, 256, 32, 3, 1, 1, 1, false},
    {"3x3 in 32 groups of 16, at 14", 512, 14, 512, 32, 3, 1, 1, 1, false},
    {"3x3 in 32 groups of 32, at 7", 1024, 7, 1024, 32, 3, 1, 1, 1, false},
    {"5x5 in 2 groups of 48, at 27", 96, 27, 256, 2, 5, 1, 1, 2, false},
    {"1x1 in 3 groups of 80, at 28", 240, 28, 240, 3, 1, 1, 1, 0, false},
    {"transposed 4x4/2, 256 at 16", 256, 16, 256, 1, 4, 2, 1, 1, true},
    {"transposed 2x2/2, 128 at 56", 128, 56, 64, 1, 2, 2, 1, 0, true},
    {"transposed 3x3/2, 64 at 64", 64, 64, 64, 1, 3, 2, 1, 1, true},
    {"transposed 4x4/2 depthwise, 21", 21, 32, 21, 21, 4, 2, 1, 1, true},
};

static const measured pool_shapes[] = {
    {"largest 3x3/2, 64 at 112", 64, 112, 64, 0, 3, 2, 1, 1, false},
    {"largest 2x2/2, 64 at 224", 64, 224, 64, 0, 2, 2, 1, 0, false},
    {"largest 3x3, 480 at 14", 480, 14, 480, 0, 3, 1, 1, 1, false},
    {"mean 3x3, 192 at 35", 192, 35, 192, 1, 3, 1, 1, 1, false},
    {"mean of all, 2048 at 7", 2048, 7, 2048, 1, 7, 1, 1, 0, false},
    {"mean of all, 96 at 56", 96, 56, 96, 1, 56, 1, 1, 0, false},
};

/* The shape's window, and its specs with neither weights nor bias. */
static problem problem_of(const measured *shape, bool pool)
{
    problem p = {.pool = pool};
    rf_window w = {shape->extent, 0, shape->kernel, shape->stride, shape->dilation, shape->pad, shape->pad};
    if (shape->transposed)
        w.output = w.stride * (w.input - 1) + rf_window_extent(&w) - 2 * shape->pad;
    else
        set_output(&w, false);
    rf_strided input = check_image(shape->channels, w.input), output = check_image(shape->outputs, w.output);
    p.pooling = (rf_pool_spec){.axes = 2, .windows = {w, w}, .average = shape->groups, .input = input,
                               .output = output};
    p.convolution = (rf_convolution_spec){
        .axes = 2, .windows = {w, w}, .groups = shape->groups, .transposed = shape->transposed, .input = input,
        .output = output, .epilogue.map.function = RF_MAP_RELU, .exact = true,
    };
    return p;
}

static void measure(const rf_kernels *kernels, const measured *shape, bool pool)
{
    check_random random = {.state = 1};
    problem p = problem_of(shape, pool);
    int64_t in = shape->channels * shape->extent * shape->extent, extent = p.pooling.windows[0].output;
    int64_t out = shape->outputs * extent * extent;
    int64_t each = shape->kernel * shape->kernel * (pool ? 1 : shape->channels / shape->groups);
    float *data[] = {check_floats(&random, in, true), check_floats(&random, out, true)};
    float *weights = check_floats(&random, shape->outputs * each, true);
    float *bias = check_floats(&random, shape->outputs, true);
    rf_arena arena;
    rf_work work;
    p.convolution.weights = weights;
    p.convolution.bias = bias;
    rf_arena_init(&arena, NULL, 1 << 20);
    if (make(kernels, &p, &arena, &work)) {
        double seconds = check_time(&work, (void *const *)data);
        double flops = 2.0 * (double)each * (double)(shape->transposed ? in / shape->channels * shape->outputs : out);
        printf("%-9s %-34s %8.3f ms %7.1f GFLOP/s %6.1f GB/s  %s\n", kernels->isa, shape->name, seconds * 1e3,
               flops / seconds * 1e-9, 4 * (double)(in + out) / seconds * 1e-9, work.algorithm);
    }
    rf_arena_release(&arena);
    free(data[0]);
    free(data[1]);
    free(weights);
    free(bias);
}

static void bench(const rf_kernels *kernels)
{
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (check_wanted(layers[i].name))
            measure(kernels, &layers[i], false);
    for (size_t i = 0; i < sizeof pool_shapes / sizeof *pool_shapes; i++)
        if (check_wanted(pool_shapes[i].name))
            measure(kernels, &pool_shapes[i], true);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "other_convolutions",
        .tests = {{"convolutions", convolutions}, {"pools", pools}},
        .bench = bench,
    };
    return check_main(argc, argv, &program);
}
