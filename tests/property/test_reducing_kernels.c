/* SPDX-License-Identifier: MIT */
/*
 * Reductions, softmax and resampling against double precision on tensors of any layout.
 * With --accuracy, how far off they are; with --bench, how fast.
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

#include "check_main.h"
#include "strided_checks.h"

/* ---- Reductions ------------------------------------------------------------------------- */

/* Everything that any of the functions needs of the elements of one result. */
typedef struct totals {
    double sum, size, squares, largest, smallest;
    uint64_t count;
} totals;

static void totals_add(totals *t, double x)
{
    t->sum += x;
    t->size += fabs(x);
    t->squares += x * x;
    t->largest = t->largest != t->largest || t->largest > x ? t->largest : x;
    t->smallest = t->smallest != t->smallest || t->smallest < x ? t->smallest : x;
    t->count++;
}

/* Over all elements of `input` whose kept indices are those of `at`. */
static totals totals_of(const tensor *input, uint32_t axes, const int64_t at[RF_MAX_RANK])
{
    totals t = {.largest = -INFINITY, .smallest = INFINITY};
    rf_strided part = input->at;
    int64_t index[RF_MAX_RANK] = {0};
    for (int32_t k = 0; k < part.rank; k++)
        part.dims[k] = axes >> k & 1 ? part.dims[k] : 1;
    if (!shape_count(&part))
        return t;
    do {
        int64_t from[RF_MAX_RANK];
        for (int32_t k = 0; k < part.rank; k++)
            from[k] = index[k] + at[k];
        totals_add(&t, (double)initial_at(input, from));
    } while (check_step(&part, index));
    return t;
}

static void check_result(check_random *random, float got, const totals *t, rf_reduce_function function,
                         const char *isa)
{
    static const char *const names[] = {"sum", "mean", "max", "min", "sum of squares", "L2 norm"};
    double expected = t->sum, measure = t->size, slack = 1e-6, count = (double)t->count;
    char what[60];
    snprintf(what, sizeof what, "%s of %.0f on %s", names[function], count, isa);
    switch (function) {
    case RF_REDUCE_SUM: break;
    case RF_REDUCE_MEAN: expected /= count, measure /= count, slack = 1.2e-6; break;
    case RF_REDUCE_MAX: expected = t->largest, measure = 0; break;
    case RF_REDUCE_MIN: expected = t->smallest, measure = 0; break;
    case RF_REDUCE_SUM_SQUARE: expected = measure = t->squares; break;
    case RF_REDUCE_L2: expected = measure = sqrt(t->squares); break;
    }
    near_or_beyond(got, expected, slack * measure, what);
    if (measure > 0)
        check_note(random, isa, names[function], fabs((double)got - expected), measure);
}

static void check_reductions(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    rf_strided shape, smaller;
    rf_work work;
    shape_make(random, 0, chance(random, 10) ? 200000 : 5000, &shape);
    rf_reduce_spec spec = {(rf_reduce_function)check_between(random, 0, RF_REDUCE_L2),
                           (uint32_t)check_between(random, 0, 255) & ((1U << shape.rank) - 1), shape, shape};
    smaller = shape;
    for (int32_t k = 0; k < shape.rank; k++)
        smaller.dims[k] = spec.axes >> k & 1 ? 1 : shape.dims[k];
    tensor input = tensor_make(random, &shape, sizeof(float), true, chance(random, 10) ? 1 : 0);
    tensor output = tensor_make(random, &smaller, sizeof(float), false, 0);
    tensor *const operands[] = {&input, &output};
    int64_t index[RF_MAX_RANK] = {0};
    tensor_fill(random, &input, false);
    if (input.span_bytes && chance(random, 20))
        *(float *)input.first = chance(random, 50) ? NAN : -INFINITY;
    memcpy(input.initial, input.span, input.span_bytes);
    spec.input = input.at, spec.output = output.at;
    assert_true(kernels->reduce(&spec, arena, &work));
    run_work(random, &work, operands, 2, &output);
    if (shape_count(&smaller)) {
        do {
            totals t = totals_of(&input, spec.axes, index);
            check_result(random, float_at(&output, index), &t, spec.function, kernels->isa);
        } while (check_step(&smaller, index));
    }
    tensor_free(&input);
    tensor_free(&output);
}

/* ---- Softmax ---------------------------------------------------------------------------- */

/* sum of exp(x - largest) over one group. */
static double exponentials(const tensor *input, uint32_t axes, const int64_t at[RF_MAX_RANK], double largest)
{
    rf_strided part = input->at;
    int64_t index[RF_MAX_RANK] = {0};
    double sum = 0;
    for (int32_t k = 0; k < part.rank; k++)
        part.dims[k] = axes >> k & 1 ? part.dims[k] : 1;
    do {
        int64_t from[RF_MAX_RANK];
        for (int32_t k = 0; k < part.rank; k++)
            from[k] = index[k] + at[k];
        sum += exp((double)initial_at(input, from) - largest);
    } while (check_step(&part, index));
    return sum;
}

static void check_softmax_element(check_random *random, const char *isa, const tensor *input,
                                  const tensor *output, const rf_softmax_spec *spec, uint32_t axes,
                                  const int64_t index[RF_MAX_RANK])
{
    int64_t start[RF_MAX_RANK];
    for (int32_t k = 0; k < RF_MAX_RANK; k++)
        start[k] = axes >> k & 1 ? 0 : index[k];
    double largest = totals_of(input, axes, start).largest;
    double x = (double)initial_at(input, index) - largest;
    double sum = exponentials(input, axes, start, largest), step = ldexp(1, -24);
    double expected = spec->logarithm ? x - log(sum) : exp(x) / sum;
    double bound = spec->logarithm ? step * (fabs(x) + fabs(log(sum)) + fabs(expected) + 20)
                                   : step * expected * (fabs(x) + 24) + 1e-42;
    float got = float_at(output, index);
    check_near(got, expected, isfinite(bound) ? bound : 0, "softmax");
    if (fabs(expected) > 1e-35)
        check_note(random, isa, spec->logarithm ? "log softmax" : "softmax", fabs((double)got - expected),
                   spec->logarithm ? fabs(x) + fabs(log(sum)) + 1 : expected);
}

static void check_softmax(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    rf_strided shape;
    rf_work work;
    shape_make(random, 1, chance(random, 95) ? 600 : 3000, &shape);
    bool in_place = chance(random, 30);
    tensor output = tensor_make(random, &shape, sizeof(float), false, 0);
    tensor other = tensor_make(random, &shape, sizeof(float), true, 0);
    tensor *input = in_place ? &output : &other, *const operands[] = {input, &output};
    tensor_fill(random, input, false);
    if (input->span_bytes && chance(random, 20))
        *(float *)input->first = chance(random, 50) ? NAN : -INFINITY;
    memcpy(input->initial, input->span, input->span_bytes);
    rf_softmax_spec spec = {.logarithm = chance(random, 50), .input = input->at, .output = output.at};
    spec.first = (int32_t)check_between(random, 0, shape.rank - 1);
    spec.last = (int32_t)check_between(random, spec.first, shape.rank - 1);
    uint32_t axes = 0;
    for (int32_t k = spec.first; k <= spec.last; k++)
        axes |= 1U << k;
    int64_t index[RF_MAX_RANK] = {0};
    assert_true(kernels->softmax(&spec, arena, &work));
    run_work(random, &work, operands, 2, &output);
    if (shape_count(&shape)) {
        do
            check_softmax_element(random, kernels->isa, input, &output, &spec, axes, index);
        while (check_step(&shape, index));
    }
    tensor_free(&output);
    tensor_free(&other);
}

/* ---- Resampling -------------------------------------------------------------------------- */

/* Taps of an axis: none, one unweighted, or a few weighted ones. */
static rf_axis_taps random_taps(check_random *random, int64_t in, int64_t *out)
{
    rf_axis_taps taps = {0};
    if (chance(random, 50) || in == 0)
        return taps;
    *out = check_between(random, 1, 2 * in + 1);
    taps.taps = chance(random, 40) ? 1 : check_between(random, 1, 5);
    size_t count = (size_t)(*out * taps.taps);
    int32_t *indices = calloc(count, sizeof *indices);
    float *weights = taps.taps == 1 && chance(random, 70) ? NULL : calloc(count, sizeof *weights);
    assert_non_null(indices);
    for (size_t i = 0; i < count; i++) {
        indices[i] = (int32_t)check_between(random, 0, in - 1);
        if (weights)
            weights[i] = chance(random, 20) ? 0 : any_float(random, false);
    }
    taps.indices = indices;
    taps.weights = weights;
    return taps;
}

/* The sum behind one output, from axis k on. */
static double resampled(const tensor *input, const rf_axis_taps *taps, const int64_t index[RF_MAX_RANK],
                        int64_t from[RF_MAX_RANK], int32_t k, double *size)
{
    if (k == input->at.rank) {
        double x = (double)initial_at(input, from);
        *size = fabs(x);
        return x;
    }
    double sum = 0, part;
    *size = 0;
    for (int64_t t = 0; t < (taps[k].indices ? taps[k].taps : 1); t++) {
        int64_t at = index[k] * taps[k].taps + t;
        double weight = taps[k].weights ? (double)taps[k].weights[at] : 1;
        from[k] = taps[k].indices ? taps[k].indices[at] : index[k];
        sum += weight * resampled(input, taps, index, from, k + 1, &part);
        *size += fabs(weight) * part;
    }
    return sum;
}

static void check_resampling(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    rf_resample_spec spec = {.taps = {{0}}};
    rf_strided in, out;
    rf_work work;
    int64_t taps = 1, index[RF_MAX_RANK] = {0}, from[RF_MAX_RANK] = {0};
    shape_make(random, 0, 2000, &in);
    out = in;
    for (int32_t k = 0; k < in.rank && taps < 30 && shape_count(&out) < 10000; k++) {
        spec.taps[k] = random_taps(random, in.dims[k], &out.dims[k]);
        taps *= spec.taps[k].indices ? spec.taps[k].taps : 1;
    }
    tensor input = tensor_make(random, &in, sizeof(float), true, 0);
    tensor output = tensor_make(random, &out, sizeof(float), false, 0);
    tensor *const operands[] = {&input, &output};
    tensor_fill(random, &input, false);
    spec.input = input.at, spec.output = output.at;
    assert_true(kernels->resample(&spec, arena, &work));
    run_work(random, &work, operands, 2, &output);
    if (shape_count(&out)) {
        do {
            double size, expected = resampled(&input, spec.taps, index, from, 0, &size);
            float got = float_at(&output, index);
            check_near(got, expected, check_sum_bound(taps + RF_MAX_RANK, size), "resampling");
            check_note(random, kernels->isa, "resampling", fabs((double)got - expected), size);
        } while (check_step(&out, index));
    }
    for (int32_t k = 0; k < in.rank; k++) {
        free((void *)spec.taps[k].indices);
        free((void *)spec.taps[k].weights);
    }
    tensor_free(&input);
    tensor_free(&output);
}

#define TEST(name)                            \
    static void test_##name(void **state)     \
    {                                         \
        each_case(*state, check_##name, 120); \
    }
TEST(reductions)
TEST(softmax)
TEST(resampling)

/* ---- Speed ------------------------------------------------------------------------------ */

static void bench_reductions(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    static const int64_t shapes[][2] = {{2048, 7}, {512, 14}, {64, 112}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int64_t c = shapes[i][0], s = shapes[i][1];
        for (int first = 0; first < 2; first++) {
            rf_strided in = {.rank = 4, .dims = {1, c, s, s}, .strides = {0, 1, c * s, c}};
            rf_strided out = {.rank = 4, .dims = {1, c, 1, 1}, .strides = {0, 1, 1, 1}};
            rf_work work;
            char what[60];
            if (first)
                memcpy(in.strides, (int64_t[]){0, s * s, s, 1}, 4 * sizeof(int64_t));
            rf_reduce_spec spec = {RF_REDUCE_MEAN, 12, in, out};
            assert_true(kernels->reduce(&spec, arena, &work));
            snprintf(what, sizeof what, "mean %lldx%lldx%lld %s", (long long)c, (long long)s, (long long)s,
                     first ? "NCHW" : "NHWC");
            check_report_bytes(kernels->isa, what, &work, data, 4.0 * (double)(c * s * s));
        }
    }
}

static void bench_softmax(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    rf_strided at = {.rank = 2, .dims = {64, 1000}, .strides = {1000, 1}};
    rf_softmax_spec spec = {1, 1, false, at, at};
    rf_work work;
    assert_true(kernels->softmax(&spec, arena, &work));
    check_report_bytes(kernels->isa, "softmax 64 of 1000", &work, data, 8.0 * 64000);
    rf_strided narrow = {.rank = 2, .dims = {16384, 21}, .strides = {21, 1}};
    spec = (rf_softmax_spec){1, 1, false, narrow, narrow};
    assert_true(kernels->softmax(&spec, arena, &work));
    check_report_bytes(kernels->isa, "softmax 16384 of 21", &work, data, 8.0 * 21 * 16384);
    rf_strided across = {.rank = 2, .dims = {21, 16384}, .strides = {16384, 1}};
    spec = (rf_softmax_spec){0, 0, false, across, across};
    assert_true(kernels->softmax(&spec, arena, &work));
    check_report_bytes(kernels->isa, "softmax 16384 of 21, across", &work, data, 8.0 * 21 * 16384);
}

enum { SIDE = 28, SCALE = 2, CHANNELS = 256, FLOATS = 1 << 23 };

/* Twice as large in both directions, channels last. */
static void bench_resampling(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    int32_t indices[SIDE * SCALE * 2];
    float weights[SIDE * SCALE * 2];
    for (int linear = 0; linear < 2; linear++) {
        for (int i = 0; i < SIDE * SCALE * (1 + linear); i++) {
            int at = (i >> linear) / SCALE + (linear ? i & 1 : 0);
            indices[i] = at < SIDE ? at : SIDE - 1;
            weights[i] = 0.5f;
        }
        rf_axis_taps taps = {1 + linear, indices, linear ? weights : NULL};
        rf_resample_spec spec = {
            .input = {.rank = 4, .dims = {1, CHANNELS, SIDE, SIDE},
                      .strides = {0, 1, CHANNELS * SIDE, CHANNELS}},
            .output = {.rank = 4, .dims = {1, CHANNELS, SIDE * SCALE, SIDE * SCALE},
                       .strides = {0, 1, CHANNELS * SIDE * SCALE, CHANNELS}},
            .taps = {[2] = taps, [3] = taps}};
        rf_work work;
        assert_true(kernels->resample(&spec, arena, &work));
        check_report_bytes(kernels->isa, linear ? "linear 256x28x28 to 56x56" : "nearest 256x28x28 to 56x56",
                           &work, data, 4.0 * CHANNELS * SIDE * SIDE * 5);
    }
}

static void bench(const rf_kernels *kernels)
{
    check_random random = {.state = 1};
    rf_arena arena;
    void *data[2];
    for (int i = 0; i < 2; i++) {
        float *floats = data[i] = malloc(FLOATS * sizeof(float));
        assert_non_null(floats);
        for (int64_t k = 0; k < FLOATS; k++)
            floats[k] = any_float(&random, false);
    }
    rf_arena_init(&arena, NULL, UINT64_MAX);
    bench_reductions(kernels, &arena, data);
    bench_softmax(kernels, &arena, data);
    bench_resampling(kernels, &arena, data);
    rf_arena_release(&arena);
    free(data[0]);
    free(data[1]);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "reducing_kernels",
        .tests = {{"reductions", test_reductions}, {"softmax", test_softmax}, {"resampling", test_resampling}},
        .bench = bench,
    };
    return check_main(argc, argv, &program);
}
