/* SPDX-License-Identifier: MIT */
/*
 * Winograd's convolution with tiles of every size and every instruction set
 * against loops in double, over random shapes, layouts, epilogues and splits of
 * work; how far off it is; and when it is chosen. See check_main.h for the words
 * that it takes.
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

typedef bool make_sized(const rf_convolution_spec *spec, const int outputs[2], rf_arena *arena, rf_work *work);

#if defined(__x86_64__)
make_sized rf_make_winograd_sized_avx512, rf_make_winograd_sized_avx2;
#define OTHER_SETS {"avx512", rf_make_winograd_sized_avx512}, {"avx2", rf_make_winograd_sized_avx2},
#else
#define OTHER_SETS
#endif
make_sized rf_make_winograd_sized_baseline;

static const struct {
    const char *isa;
    make_sized *make;
} makers[] = {OTHER_SETS{"baseline", rf_make_winograd_sized_baseline}};

enum { MAKERS = sizeof makers / sizeof *makers };

/* What there is for an axis: outputs of a tile, for a kernel and a stride; how much rounding errors grow by each. */
typedef struct scheme {
    int kernel, stride, outputs;
    double growth;
} scheme;

static const scheme schemes[] = {
    {1, 1, 1, 1}, {3, 1, 2, 2.5}, {3, 1, 4, 6}, {3, 1, 5, 11}, {3, 1, 6, 17}, {3, 2, 2, 2.5}, {3, 2, 3, 2.5},
    {3, 2, 4, 6}, {5, 1, 2, 6}, {5, 1, 3, 11}, {5, 1, 4, 17}, {7, 1, 2, 15}, {7, 1, 3, 20}, {7, 1, 4, 30},
};

enum { SCHEMES = sizeof schemes / sizeof *schemes };

static const scheme *random_scheme(check_random *random, const rf_window *window)
{
    for (;;) {
        const scheme *at = &schemes[check_between(random, 0, SCHEMES - 1)];
        if (at->kernel == window->kernel && at->stride == window->stride)
            return at;
    }
}

static make_sized *maker_of(const char *isa)
{
    for (size_t i = 0; i < MAKERS; i++)
        if (strcmp(makers[i].isa, isa) == 0)
            return makers[i].make;
    return NULL;
}

/* ---- A problem ---------------------------------------------------------------------------- */

typedef struct problem {
    check_tensor input, output, residual;
    check_buffer weights;
    float *scale, *bias;
    rf_convolution_spec spec;
    double *expected; /* row-major, before the map */
    double largest;   /* sum of absolute products of any output */
} problem;

static void make_weights(check_random *random, problem *p, int64_t count)
{
    size_t bytes = (size_t)count * sizeof(float), odd = (size_t)check_between(random, 0, 3);
    bool at_end = check_next(random) & 1;
    p->weights = check_buffer_make(bytes + odd, at_end);
    char *at = p->weights.data + (at_end ? 0 : odd);
    for (int64_t i = 0; i < count; i++) {
        float w = check_float(random, false);
        memcpy(at + (size_t)i * sizeof w, &w, sizeof w);
    }
    p->spec.weights = at;
    check_buffer_protect(&p->weights);
}

static int64_t clamped(int64_t at, int64_t extent)
{
    return at < 0 ? 0 : at >= extent ? extent - 1 : at;
}

/*
 * One output's sum of products; *magnitude gets that of their absolute values. A tap on padding multiplies nothing,
 * but its weight is part of the transformed ones, of which each meets all inputs of a tile: it counts with the nearest.
 */
static double sum_at(const problem *p, const int64_t *index, double *magnitude)
{
    const rf_strided *input = &p->input.at;
    double sum = p->bias ? (double)p->bias[index[1]] : 0, factor = p->scale ? (double)p->scale[index[1]] : 1;
    *magnitude = fabs(sum);
    const rf_window *down = &p->spec.windows[0], *across = &p->spec.windows[1];
    const int64_t taps = down->kernel * across->kernel;
    for (int64_t c = 0; c < input->dims[1]; c++)
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t y = index[2] * down->stride - down->pad_begin + tap / across->kernel * down->dilation;
            int64_t x = index[3] * across->stride - across->pad_begin + tap % across->kernel * across->dilation;
            const int64_t from[] = {index[0], c, clamped(y, input->dims[2]), clamped(x, input->dims[3])};
            int64_t weight = p->spec.reversed ? (c * p->output.at.dims[1] + index[1]) * taps + taps - 1 - tap
                                              : (index[1] * input->dims[1] + c) * taps + tap;
            double product = factor * check_float_at(p->spec.weights, weight)
                             * (double)p->input.data[check_offset(input, from)];
            if (y == from[2] && x == from[3])
                sum += product;
            *magnitude += isnan(product) ? 0 : fabs(product);
        }
    return sum;
}

static void expect_all(problem *p)
{
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0, elements = 1;
    for (int32_t k = 0; k < 4; k++)
        elements *= (size_t)p->output.at.dims[k];
    p->expected = malloc(elements * sizeof *p->expected);
    assert_non_null(p->expected);
    do {
        double magnitude;
        p->expected[element] = sum_at(p, index, &magnitude);
        if (p->spec.epilogue.residual) {
            double residual = (double)p->residual.data[check_offset(&p->residual.at, index)];
            p->expected[element] += residual;
            magnitude += fabs(residual);
        }
        p->largest = magnitude > p->largest ? magnitude : p->largest;
        element++;
    } while (check_step(&p->output.at, index));
}

static rf_window random_window(check_random *random, int64_t most)
{
    const scheme *of = &schemes[check_between(random, 0, SCHEMES - 1)];
    rf_window w = {.input = check_between(random, 1, most), .kernel = of->kernel, .stride = of->stride, .dilation = 1};
    if (w.stride == 1 && check_one_in(random, 4))
        w.dilation = check_between(random, 2, 6);
    const int64_t extent = rf_window_extent(&w);
    w.pad_begin = check_between(random, 0, check_one_in(random, 10) ? 9 : extent - 1);
    w.pad_end = check_between(random, 0, extent - 1);
    if (w.input + w.pad_begin + w.pad_end < extent)
        w.pad_end = extent - w.input - w.pad_begin;
    w.output = (w.input + w.pad_begin + w.pad_end - extent) / w.stride + 1;
    return w;
}

static problem random_problem(check_random *random)
{
    static const int32_t order[] = {0, 2, 3, 1}, turned[] = {2, 0, 3, 1};
    problem p = {.spec.axes = 2, .spec.groups = 1};
    rf_convolution_spec *spec = &p.spec;
    int64_t most = check_one_in(random, 8) ? 70 : 16;
    spec->windows[0] = check_one_in(random, 6) ? (rf_window){1, 1, 1, 1, 1, 0, 0} : random_window(random, most);
    do
        spec->windows[1] = random_window(random, most);
    while (spec->windows[0].kernel == 1 && spec->windows[1].kernel == 1);
    const int64_t batch = check_between(random, 1, 3), channels = check_between(random, 1, most > 16 ? 9 : 70);
    const int64_t outputs = check_between(random, 1, most > 16 ? 20 : check_one_in(random, 3) ? 150 : 40);
    const int64_t in[] = {batch, channels, spec->windows[0].input, spec->windows[1].input};
    const int64_t out[] = {batch, outputs, spec->windows[0].output, spec->windows[1].output};
    p.input = check_tensor_make(random, 4, in, check_one_in(random, 4) ? turned : order, check_one_in(random, 3));
    p.output = check_tensor_make(random, 4, out, order, check_one_in(random, 3));
    p.residual = check_tensor_make(random, 4, out, order, check_one_in(random, 3));
    check_tensor_fill(random, &p.input, false);
    check_tensor_fill(random, &p.residual, false);
    check_buffer_protect(&p.residual.buffer);
    if (check_one_in(random, 8) && p.input.inside[p.input.floats / 2])
        p.input.data[p.input.floats / 2] = NAN;
    check_buffer_protect(&p.input.buffer);
    make_weights(random, &p, spec->windows[0].kernel * spec->windows[1].kernel * channels * outputs);
    p.bias = check_next(random) & 1 ? check_floats(random, outputs, false) : NULL;
    p.scale = check_one_in(random, 3) ? check_floats(random, outputs, false) : NULL;
    spec->reversed = check_one_in(random, 4);
    spec->epilogue.map = check_random_map(random, false);
    spec->epilogue.residual = check_one_in(random, 3);
    spec->input = p.input.at;
    spec->output = p.output.at;
    spec->residual = p.residual.at;
    spec->scale = p.scale;
    spec->bias = p.bias;
    expect_all(&p);
    return p;
}

static void problem_free(problem *p)
{
    check_tensor_free(&p->input);
    check_tensor_free(&p->output);
    check_tensor_free(&p->residual);
    check_buffer_free(&p->weights);
    free(p->scale);
    free(p->bias);
    free(p->expected);
}

/* ---- Results ------------------------------------------------------------------------------ */

/*
 * The rounding error of a tile's output grows with the largest products in the tile, its own being small or not: in
 * units of 2^-24 of them. NaN must be where a sum sees one, and may be all over the tiles that do.
 */
static void compare(check_random *random, const problem *p, const check_tensor *output, double growth,
                    const char *isa, const char *algorithm)
{
    const rf_window *down = &p->spec.windows[0], *across = &p->spec.windows[1];
    char name[64];
    snprintf(name, sizeof name, "%dx%d/%dx%d %.12s", (int)down->kernel, (int)across->kernel, (int)down->stride,
             (int)across->stride, algorithm);
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    double error = 2 * growth * ldexp(1, -24) * p->largest;
    bool has_nan = false;
    do
        has_nan |= isnan(p->expected[element++]);
    while (check_step(&p->output.at, index));
    element = 0;
    do {
        double x = p->expected[element++];
        float got = output->data[check_offset(&output->at, index)];
        if (has_nan && isnan(got))
            continue;
        check_near(got, check_map(x, p->spec.epilogue.map), check_map_bound(x, error, p->spec.epilogue.map), name);
        if (p->spec.epilogue.map.function == RF_MAP_NONE)
            check_note(random, isa, name, fabs((double)got - x), p->largest);
    } while (check_step(&p->output.at, index));
    check_tensor_gaps(output);
}

static void drop_axis(rf_strided *of)
{
    of->rank = 3;
    of->dims[2] = of->dims[3];
    of->strides[2] = of->strides[3];
}

/* A convolution of an image of one line, as one along one axis. */
static void make_line(rf_convolution_spec *spec)
{
    spec->axes = 1;
    spec->windows[0] = spec->windows[1];
    drop_axis(&spec->input);
    drop_axis(&spec->output);
    drop_axis(&spec->residual);
}

static void run_maker(check_random *random, const problem *p, const char *isa, make_sized *make)
{
    const scheme *down = random_scheme(random, &p->spec.windows[0]);
    const scheme *across = random_scheme(random, &p->spec.windows[1]);
    const int outputs[2] = {down->outputs, across->outputs};
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    rf_convolution_spec known = p->spec;
    if (p->spec.windows[0].input == 1 && p->spec.windows[0].output == 1 && down->kernel == 1 && check_next(random) & 1)
        make_line(&known);
    if (check_one_in(random, 3))
        known.weights = known.bias = NULL; /* they come with the run */
    assert_true(make(&known, outputs, &arena, &work));
    work.unpacked = (rf_unpacked){.weights = p->spec.weights, .bias = p->spec.bias};
    assert_true(work.grain >= 1);
    check_tensor pieces = check_tensor_like(random, &p->output);
    check_tensor whole = check_tensor_like(random, &p->output);
    for (int i = 0; i < 2; i++) {
        void *data[3] = {p->input.data, i ? pieces.data : whole.data, p->residual.data};
        check_run(random, &work, data, i == 1);
    }
    compare(random, p, &whole, down->growth * across->growth, isa, work.algorithm);
    check_tensor_same(&whole, &pieces);
    check_tensor_free(&whole);
    check_tensor_free(&pieces);
    rf_arena_release(&arena);
}

static void random_shapes(void **state)
{
    check_random *random = *state;
    for (int i = 0; i < check_cases(60); i++) {
        problem p = random_problem(random);
        for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
            if (maker_of(set->isa))
                run_maker(random, &p, set->isa, maker_of(set->isa));
        problem_free(&p);
    }
}

/* ---- Images of one size ------------------------------------------------------------------- */

typedef struct layer {
    float *data[2], *weights, *bias;
    rf_convolution_spec spec;
} layer;

/* About normal, as inputs and weights of networks are. */
static float *normal_floats(check_random *random, int64_t count)
{
    float *floats = check_floats(random, count, false);
    for (int64_t i = 0; i < count; i++) {
        floats[i] = 0;
        for (int k = 0; k < 8; k++)
            floats[i] += (float)check_between(random, -32768, 32768) / 32768 * 0.6f;
    }
    return floats;
}

static rf_window centred(int64_t extent, int64_t kernel, int64_t stride)
{
    return (rf_window){extent, (extent - 1) / stride + 1, kernel, stride, 1, kernel / 2, kernel / 2};
}

/* Channels last. */
static rf_strided image(int64_t channels, int64_t down, int64_t across)
{
    return (rf_strided){
        .rank = 4, .dims = {1, channels, down, across},
        .strides = {down * across * channels, 1, across * channels, channels},
    };
}

static layer make_windowed(int64_t channels, int64_t outputs, rf_window down, rf_window across)
{
    check_random random = {.state = 1};
    layer made = {.data = {NULL}};
    made.data[0] = normal_floats(&random, channels * down.input * across.input);
    made.data[1] = normal_floats(&random, outputs * down.output * across.output);
    made.weights = normal_floats(&random, down.kernel * across.kernel * channels * outputs);
    made.bias = normal_floats(&random, outputs);
    made.spec = (rf_convolution_spec){
        .axes = 2, .windows = {down, across}, .groups = 1, .weights = made.weights, .bias = made.bias,
        .input = image(channels, down.input, across.input), .output = image(outputs, down.output, across.output),
    };
    return made;
}

static layer make_layer(int64_t channels, int64_t extent, int64_t outputs)
{
    return make_windowed(channels, outputs, centred(extent, 3, 1), centred(extent, 3, 1));
}

static void layer_free(layer *of)
{
    free(of->data[0]);
    free(of->data[1]);
    free(of->weights);
    free(of->bias);
}

/* ---- Accuracy ----------------------------------------------------------------------------- */

static double *sums_of(layer *of)
{
    problem p = {.spec = of->spec, .bias = of->bias, .input.at = of->spec.input, .input.data = of->data[0],
                 .output.at = of->spec.output};
    expect_all(&p);
    return p.expected;
}

typedef struct error_sizes {
    double rms, most;     /* over the root of the outputs' mean square */
    double of_largest;    /* the most, over the largest output */
} error_sizes;

static error_sizes measure_error(layer *of, const double *expected, rf_work *work)
{
    int64_t index[RF_MAX_RANK] = {0};
    double squares = 0, errors = 0, most = 0, largest = 0, count = 0;
    check_run(&(check_random){.state = 1}, work, (void *const *)of->data, false);
    do {
        double x = *expected++, off = fabs((double)of->data[1][check_offset(&of->spec.output, index)] - x);
        squares += x * x;
        errors += off * off;
        most = fmax(most, off);
        largest = fmax(largest, fabs(x));
        count++;
    } while (check_step(&of->spec.output, index));
    return (error_sizes){sqrt(errors / squares), most / sqrt(squares / count), most / largest};
}

static error_sizes error_of(layer *of, const double *expected, const rf_kernels *kernels, const int outputs[2])
{
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    if (outputs)
        assert_true(maker_of(kernels->isa)(&of->spec, outputs, &arena, &work));
    else
        assert_true(kernels->convolution(&of->spec, &arena, &work));
    error_sizes error = measure_error(of, expected, &work);
    rf_arena_release(&arena);
    return error;
}

/* Two schemes of one kernel and stride, or of a kernel along one axis only. */
static bool is_pair(const scheme *down, const scheme *across)
{
    if (down->kernel == 1 || across->kernel == 1)
        return down->kernel != across->kernel && down->kernel == 1;
    return down->kernel == across->kernel && down->stride == across->stride;
}

/* Those that are used where there are more than 256 channels, and those that aren't. */
static void small_errors(void **state)
{
    (void)state;
    for (int i = 0; i < SCHEMES * SCHEMES; i++) {
        const scheme *down = &schemes[i / SCHEMES], *across = &schemes[i % SCHEMES];
        if (!is_pair(down, across) || (down->kernel != 1 && down->outputs != across->outputs))
            continue;
        layer of = make_windowed(64, 16, centred(18, down->kernel, down->stride),
                                 centred(18, across->kernel, across->stride));
        const int outputs[2] = {down->outputs, across->outputs};
        double *expected = sums_of(&of), most = down->growth * across->growth > 17 * 17 ? 1e-3 : 2e-5;
        for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
            assert_true(error_of(&of, expected, set, outputs).of_largest < most);
        free(expected);
        layer_free(&of);
    }
}

static void print_errors(const char *isa, int64_t channels, const char *tile, error_sizes error)
{
    printf("%-9s %4d  %-16s  %8.1e  %8.1e  %8.1e\n", isa, (int)channels, tile, error.rms, error.most,
           error.of_largest);
}

/* Of tiles of all sizes for one kernel, and of the sum of products that they are compared with. */
static void accuracy_of(const rf_kernels *kernels, int64_t channels, const scheme *down, const scheme *across)
{
    layer of = make_windowed(channels, 32, centred(30, down->kernel, down->stride),
                             centred(30, across->kernel, across->stride));
    double *expected = sums_of(&of);
    char tile[32];
    snprintf(tile, sizeof tile, "%dx%d/%d direct", down->kernel, across->kernel, across->stride);
    of.spec.exact = true;
    print_errors(kernels->isa, channels, tile, error_of(&of, expected, kernels, NULL));
    of.spec.exact = false;
    for (int i = 0; i < SCHEMES * SCHEMES; i++) {
        const scheme *each = &schemes[i / SCHEMES], *other = &schemes[i % SCHEMES];
        const int outputs[2] = {each->outputs, other->outputs};
        if (each->kernel != down->kernel || other->kernel != across->kernel || each->stride != down->stride
            || other->stride != across->stride)
            continue;
        snprintf(tile, sizeof tile, "%dx%d/%d %dx%d", down->kernel, across->kernel, across->stride, outputs[0],
                 outputs[1]);
        print_errors(kernels->isa, channels, tile, error_of(&of, expected, kernels, outputs));
    }
    free(expected);
    layer_free(&of);
}

static void accuracy(const rf_kernels *kernels)
{
    printf("%-9s %4s  %-16s  %8s  %8s  %8s\n", "set", "ch.", "kernel, tile", "rms/RMS", "max/RMS", "max/max");
    for (int64_t channels = 64; channels <= 256; channels *= 4)
        for (int i = 0; i < SCHEMES * SCHEMES; i++) {
            const scheme *down = &schemes[i / SCHEMES], *across = &schemes[i % SCHEMES];
            bool first = is_pair(down, across) && (down == schemes || down[-1].kernel != down->kernel
                                                   || down[-1].stride != down->stride)
                         && (across[-1].kernel != across->kernel || across[-1].stride != across->stride);
            if (first)
                accuracy_of(kernels, channels, down, across);
        }
}

/* ---- The choice --------------------------------------------------------------------------- */

static bool chooses_winograd(const rf_kernels *kernels, const rf_convolution_spec *spec)
{
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    assert_true(kernels->convolution(spec, &arena, &work));
    bool chosen = strncmp(work.algorithm, "Winograd", 8) == 0;
    rf_arena_release(&arena);
    return chosen;
}

/* Of many channels, where kernels differ along the axes: as for the others, not too large a tile. */
static void choice_by_errors(void **state)
{
    (void)state;
    static const int windows[][2] = {{3, 7}, {7, 3}, {5, 7}, {7, 5}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        layer of = make_windowed(1024, 64, centred(18, windows[i][0], 1), centred(18, windows[i][1], 1));
        double *expected = sums_of(&of);
        for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
            assert_true(error_of(&of, expected, set, NULL).of_largest < 2e-5);
        free(expected);
        layer_free(&of);
    }
}

/* Where other kernels than 3x3 are as large. */
static void choice_of_kernels(void **state)
{
    (void)state;
    static const int windows[][3] = {{5, 5, 1}, {7, 7, 1}, {1, 7, 1}, {7, 1, 1}, {1, 3, 1}, {3, 5, 1}};
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
            layer of = make_windowed(128, 128, centred(28, windows[i][0], windows[i][2]),
                                     centred(28, windows[i][1], windows[i][2]));
            assert_true(chooses_winograd(set, &of.spec));
            layer_free(&of);
        }
    layer line = make_windowed(128, 128, centred(1, 1, 1), centred(500, 3, 1));
    make_line(&line.spec);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        assert_true(chooses_winograd(set, &line.spec));
    layer_free(&line);
}

static void choice(void **state)
{
    (void)state;
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set)) {
        layer big = make_layer(64, 28, 64), small = make_layer(8, 6, 8);
        assert_true(chooses_winograd(set, &big.spec));
        assert_false(chooses_winograd(set, &small.spec));
        big.spec.exact = true;
        assert_false(chooses_winograd(set, &big.spec));
        big.spec.exact = false;
        big.spec.windows[0].dilation = big.spec.windows[0].pad_begin = big.spec.windows[0].pad_end = 2;
        assert_true(chooses_winograd(set, &big.spec));
        layer_free(&big);
        layer_free(&small);
    }
}

/* ---- Measurements ------------------------------------------------------------------------- */

/* Channels, extent, outputs, kernel down and across, stride. */
static const int64_t shapes[][6] = {
    {64, 56, 64, 3, 3, 1}, {128, 28, 128, 3, 3, 1}, {256, 14, 256, 3, 3, 1}, {512, 7, 512, 3, 3, 1},
    {64, 224, 64, 3, 3, 1}, {128, 112, 128, 3, 3, 1}, {256, 56, 256, 3, 3, 1}, {512, 28, 512, 3, 3, 1},
    {512, 14, 512, 3, 3, 1}, {16, 54, 64, 3, 3, 1}, {32, 27, 128, 3, 3, 1}, {48, 13, 192, 3, 3, 1},
    {64, 13, 256, 3, 3, 1}, {96, 35, 96, 3, 3, 1}, {192, 17, 192, 3, 3, 1}, {32, 149, 64, 3, 3, 1},
    {16, 32, 16, 3, 3, 1}, {32, 14, 32, 3, 3, 1}, {64, 27, 192, 5, 5, 1}, {48, 35, 64, 5, 5, 1},
    {192, 17, 192, 1, 7, 1}, {192, 17, 192, 7, 1, 1}, {384, 8, 384, 1, 3, 1}, {64, 28, 64, 7, 7, 1},
    {128, 56, 128, 3, 3, 2}, {256, 28, 256, 3, 3, 2}, {512, 14, 512, 3, 3, 2},
};

static void measure(const rf_kernels *kernels, const int64_t *shape)
{
    char name[64];
    snprintf(name, sizeof name, "%dx%dx%d to %d, %dx%d/%d", (int)shape[0], (int)shape[1], (int)shape[1], (int)shape[2],
             (int)shape[3], (int)shape[4], (int)shape[5]);
    if (!check_wanted(name))
        return;
    const rf_window down = centred(shape[1], shape[3], shape[5]), across = centred(shape[1], shape[4], shape[5]);
    layer of = make_windowed(shape[0], shape[2], down, across);
    double flops = 2.0 * (double)(shape[0] * shape[2] * shape[3] * shape[4] * down.output * across.output), rates[2];
    const char *algorithm = "";
    for (int i = 0; i < 2; i++) {
        rf_arena arena;
        rf_work work;
        rf_arena_init(&arena, NULL, 1 << 20);
        of.spec.exact = i == 0;
        assert_true(kernels->convolution(&of.spec, &arena, &work));
        rates[i] = flops / check_time(&work, (void *const *)of.data) * 1e-9;
        algorithm = work.algorithm;
        rf_arena_release(&arena);
    }
    printf("%-9s %-26s: direct %6.1f, chosen %6.1f effective GFLOP/s, %5.2f  %s\n", kernels->isa, name, rates[0],
           rates[1], rates[1] / rates[0], algorithm);
    layer_free(&of);
}

static void bench(const rf_kernels *kernels)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        measure(kernels, shapes[i]);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "winograd",
        .tests = {{"random_shapes", random_shapes}, {"small_errors", small_errors}, {"choice", choice},
                  {"choice_of_kernels", choice_of_kernels}, {"choice_by_errors", choice_by_errors}},
        .bench = bench,
        .accuracy = accuracy,
    };
    return check_main(argc, argv, &program);
}
