/* SPDX-License-Identifier: MIT */
/*
 * Element-wise and moving kernels against double precision, element by element, on tensors of any
 * layout. With --accuracy, how far off they are, in units of the result and of what cancels on the way;
 * with --bench, how fast.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "strided_checks.h"

/* ---- Maps ------------------------------------------------------------------------------- */

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double gelu_argument(double x)
{
    return 2 * sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x);
}

static double map_of(double x, rf_map map)
{
    double a = (double)map.a, b = (double)map.b;
    switch (map.function) {
    case RF_MAP_RELU: return x < 0 ? 0 : x;
    case RF_MAP_CLIP: return clamp(x, a, b);
    case RF_MAP_LEAKY_RELU: return x < 0 ? a * x : x;
    case RF_MAP_SIGMOID: return sigmoid(x);
    case RF_MAP_TANH: return tanh(x);
    case RF_MAP_HARD_SIGMOID: return clamp(a * x + b, 0, 1);
    case RF_MAP_HARD_SWISH: return x * clamp(x / 6 + 0.5, 0, 1);
    case RF_MAP_SILU: return x * sigmoid(x);
    case RF_MAP_ELU: return x < 0 ? a * expm1(x) : x;
    case RF_MAP_SELU: return b * (x < 0 ? a * expm1(x) : x);
    case RF_MAP_CELU: return x < 0 ? a * expm1(x / a) : x;
    case RF_MAP_GELU: return 0.5 * x * erfc(-x * sqrt(0.5));
    case RF_MAP_GELU_TANH: return x * sigmoid(gelu_argument(x));
    case RF_MAP_SOFTPLUS: return softplus(x);
    case RF_MAP_SOFTSIGN: return x / (1 + fabs(x));
    case RF_MAP_MISH: return x * tanh(softplus(x));
    case RF_MAP_THRESHOLD: return x <= a ? 0 : x;
    case RF_MAP_ERF: return erf(x);
    case RF_MAP_EXP: return exp(x);
    case RF_MAP_LOG: return log(x);
    case RF_MAP_SQRT: return sqrt(x);
    case RF_MAP_RECIPROCAL: return 1 / x;
    case RF_MAP_ABS: return fabs(x);
    case RF_MAP_NEGATE: return -x;
    case RF_MAP_FLOOR: return floor(x);
    case RF_MAP_CEIL: return ceil(x);
    case RF_MAP_ROUND: return rint(x);
    case RF_MAP_SIGN: return x > 0 ? 1 : x < 0 ? -1 : x;
    case RF_MAP_SIN: return sin(x);
    case RF_MAP_COS: return cos(x);
    case RF_MAP_AFFINE: return a * x + b;
    default: return x;
    }
}

/* What rounding an argument or a part of the sum may do, beyond the few ulp that all may be off. */
static double map_extra(double x, rf_map map)
{
    double a = (double)map.a, b = (double)map.b;
    switch (map.function) {
    case RF_MAP_HARD_SIGMOID:
    case RF_MAP_AFFINE: return fabs(a * x) + fabs(b);
    case RF_MAP_HARD_SWISH: return fabs(x) * (fabs(x) / 6 + 1);
    case RF_MAP_CELU: return fabs(a);
    case RF_MAP_SILU: return x < -87 ? 2e-36 * 0x1p24 : 0; /* where the kernel gives 0 */
    case RF_MAP_GELU: return (x * x + 4) * fabs(map_of(x, map));
    case RF_MAP_GELU_TANH: return 4 * (fabs(gelu_argument(x)) + 1) * fabs(map_of(x, map));
    default: return 0;
    }
}

static const char *const map_names[RF_MAP_FUNCTIONS] = {
    "none", "Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "SiLU", "Elu", "Selu", "Celu",
    "Gelu", "Gelu by tanh", "Softplus", "Softsign", "Mish", "threshold", "Erf", "Exp", "Log", "Sqrt", "Reciprocal",
    "Abs", "Neg", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "a x + b",
};

/* Subnormal results lose their last bits. */
static double map_bound(double x, rf_map map)
{
    double y = map_of(x, map), extra = map_extra(x, map);
    bool bounded = isfinite(extra) && isfinite(y);
    return bounded ? ldexp(5 * fabs(y) + 2 * extra, -24) + 3e-43 : 0;
}

static rf_map random_map(check_random *random)
{
    rf_map map = {(rf_map_function)check_between(random, 0, RF_MAP_FUNCTIONS - 1), 0, 0};
    map.a = (float)check_between(random, 1, 12) / 8;
    map.b = map.a + (float)check_between(random, 0, 5) / 4;
    if (map.function == RF_MAP_CLIP)
        map.a = -map.a;
    return map;
}

static void check_maps(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    rf_strided shape;
    rf_work work;
    shape_make(random, 0, 20000, &shape);
    bool in_place = chance(random, 30), special = chance(random, 50);
    tensor output = tensor_make(random, &shape, sizeof(float), false, 0);
    tensor other = tensor_make(random, &shape, sizeof(float), true, 0);
    tensor *input = in_place ? &output : &other, *const operands[] = {input, &output};
    tensor_fill(random, input, special);
    rf_map_spec spec = {input->at, output.at, random_map(random)};
    assert_true(kernels->map(&spec, arena, &work));
    run_work(random, &work, operands, 2, &output);
    int64_t index[RF_MAX_RANK] = {0};
    if (shape_count(&shape)) {
        do {
            double x = (double)initial_at(input, index);
            char what[80];
            float got = float_at(&output, index);
            double y = map_of(x, spec.map);
            snprintf(what, sizeof what, "%s of %.9g on %s", map_names[spec.map.function], x, kernels->isa);
            near_or_beyond(got, y, map_bound(x, spec.map), what);
            if (fabs(y) > 1e-35)
                check_note(random, kernels->isa, map_names[spec.map.function], fabs((double)got - y),
                           fabs(y) + map_extra(x, spec.map));
        } while (check_step(&shape, index));
    }
    tensor_free(&output);
    tensor_free(&other);
}

/* ---- Pairs ------------------------------------------------------------------------------ */

static double pair_of(double x, double y, rf_pair_function function)
{
    switch (function) {
    case RF_PAIR_ADD: return x + y;
    case RF_PAIR_SUB: return x - y;
    case RF_PAIR_MUL: return x * y;
    case RF_PAIR_DIV: return x / y;
    case RF_PAIR_MIN: return x != x || x < y ? x : y;
    case RF_PAIR_MAX: return x != x || x > y ? x : y;
    case RF_PAIR_POW: return pow(x, y);
    default: return x < 0 ? x * y : x;
    }
}

/* Axes to repeat: none, all, or any. */
static uint32_t random_repeat(check_random *random)
{
    return chance(random, 40) ? 0 : chance(random, 30) ? 0xff : (uint32_t)check_between(random, 0, 255);
}

/* The function's own rounding, then what the map makes of it. */
static void check_pair_element(float got, double x, double y, const rf_pair_spec *spec, const char *isa)
{
    char what[100];
    double z = pair_of(x, y, spec->function);
    if (fabs(z) > (double)FLT_MAX)
        z = z > 0 ? INFINITY : -INFINITY;
    double expected = map_of(z, spec->map), bound = ldexp(fabs(z), -21) + 1e-44;
    snprintf(what, sizeof what, "pair %d of %.9g and %.9g on %s", (int)spec->function, x, y, isa);
    near_or_beyond(got, expected, isfinite(bound) ? bound * 1.5 : 0, what);
}

static void check_pairs(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    static const rf_map maps[] = {{RF_MAP_NONE, 0, 0}, {RF_MAP_RELU, 0, 0}, {RF_MAP_CLIP, -0.5f, 1},
                                  {RF_MAP_LEAKY_RELU, 0.5f, 0}, {RF_MAP_ABS, 0, 0}};
    static const float exponents[] = {2, 3, 0.5f, -1, 0};
    rf_strided shape;
    rf_work work;
    shape_make(random, 0, 20000, &shape);
    tensor output = tensor_make(random, &shape, sizeof(float), false, 0);
    tensor first = tensor_make(random, &shape, sizeof(float), true, random_repeat(random));
    tensor second = tensor_make(random, &shape, sizeof(float), true, random_repeat(random));
    int64_t place = check_between(random, 0, 5), index[RF_MAX_RANK] = {0};
    bool special = chance(random, 50);
    tensor *const operands[] = {place == 0 ? &output : &first, place == 1 ? &output : &second, &output};
    tensor_fill(random, operands[0], special);
    tensor_fill(random, operands[1], special);
    rf_pair_spec spec = {(rf_pair_function)check_between(random, 0, RF_PAIR_PRELU), operands[0]->at,
                         operands[1]->at, output.at, maps[check_between(random, 0, 4)]};
    if (spec.function == RF_PAIR_POW && second.span_bytes == sizeof(float) && operands[1] == &second)
        memcpy(second.initial, memcpy(second.span, &exponents[check_between(random, 0, 4)], sizeof(float)),
               sizeof(float));
    assert_true(kernels->pair(&spec, arena, &work));
    run_work(random, &work, operands, 3, &output);
    if (shape_count(&shape)) {
        do
            check_pair_element(float_at(&output, index), (double)initial_at(operands[0], index),
                               (double)initial_at(operands[1], index), &spec, kernels->isa);
        while (check_step(&shape, index));
    }
    tensor_free(&output);
    tensor_free(&first);
    tensor_free(&second);
}

/* ---- Scales ----------------------------------------------------------------------------- */

static void check_scales(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    static const rf_map maps[] = {{RF_MAP_NONE, 0, 0}, {RF_MAP_RELU, 0, 0}, {RF_MAP_HARD_SWISH, 0, 0}};
    rf_strided shape;
    rf_work work;
    shape_make(random, 2, 20000, &shape);
    bool in_place = chance(random, 30);
    tensor output = tensor_make(random, &shape, sizeof(float), false, 0);
    tensor other = tensor_make(random, &shape, sizeof(float), true, 0);
    tensor *input = in_place ? &output : &other, *const operands[] = {input, &output};
    rf_strided channels = {.rank = 1, .dims = {shape.dims[1]}};
    tensor scale = tensor_make(random, &channels, sizeof(float), false, 0);
    tensor shift = tensor_make(random, &channels, sizeof(float), false, 0);
    tensor_fill(random, input, false);
    tensor_fill(random, &scale, false);
    tensor_fill(random, &shift, false);
    rf_scale_spec spec = {input->at, output.at, (float *)scale.first, (float *)shift.first,
                          maps[check_between(random, 0, 2)]};
    int64_t index[RF_MAX_RANK] = {0};
    bool dense = scale.at.strides[0] == 1 && shift.at.strides[0] == 1;
    if (dense) {
        assert_true(kernels->scale(&spec, arena, &work));
        run_work(random, &work, operands, 2, &output);
    }
    if (shape_count(&shape) && dense) {
        do {
            double factor = (double)spec.scale[index[1]], term = (double)spec.shift[index[1]];
            double x = (double)initial_at(input, index), y = factor * x + term;
            double bound = ldexp(fabs(factor * x) + fabs(term), -22) * (1 + fabs(y));
            float got = float_at(&output, index);
            check_near(got, map_of(y, spec.map), bound, "scale");
            if (spec.map.function == RF_MAP_NONE)
                check_note(random, kernels->isa, "scale", fabs((double)got - y), fabs(factor * x) + fabs(term));
        } while (check_step(&shape, index));
    }
    tensor_free(&output);
    tensor_free(&other);
    tensor_free(&scale);
    tensor_free(&shift);
}

/* ---- Copies and fills -------------------------------------------------------------------- */

static void check_copies(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    static const size_t sizes[] = {1, 2, 4, 4, 4, 8, 16};
    rf_strided shape;
    rf_work work;
    shape_make(random, 0, 30000, &shape);
    size_t bytes = sizes[check_between(random, 0, 6)];
    tensor output = tensor_make(random, &shape, bytes, false, 0);
    tensor input = tensor_make(random, &shape, bytes, true, chance(random, 80) ? 0 : random_repeat(random));
    tensor *const operands[] = {&input, &output};
    rf_copy_spec spec = {bytes, input.at, output.at};
    int64_t index[RF_MAX_RANK] = {0};
    assert_true(kernels->copy(&spec, arena, &work));
    run_work(random, &work, operands, 2, &output);
    if (shape_count(&shape)) {
        do
            assert_memory_equal(tensor_element(&output, index), tensor_element(&input, index), bytes);
        while (check_step(&shape, index));
    }
    tensor_free(&output);
    tensor_free(&input);
}

static void check_fills(check_random *random, const rf_kernels *kernels, rf_arena *arena)
{
    rf_strided shape;
    rf_work work;
    shape_make(random, 0, 30000, &shape);
    size_t bytes = (size_t)1 << check_between(random, 0, 4);
    tensor output = tensor_make(random, &shape, bytes, false, 0), *const operands[] = {&output};
    rf_fill_spec spec = {.element_bytes = bytes, .output = output.at};
    int64_t index[RF_MAX_RANK] = {0};
    for (size_t i = 0; i < sizeof spec.value; i++)
        spec.value[i] = (unsigned char)check_next(random);
    assert_true(kernels->fill(&spec, arena, &work));
    run_work(random, &work, operands, 1, &output);
    if (shape_count(&shape)) {
        do
            assert_memory_equal(tensor_element(&output, index), spec.value, bytes);
        while (check_step(&shape, index));
    }
    tensor_free(&output);
}

/* ---- Tests ------------------------------------------------------------------------------ */

#define TEST(name)                            \
    static void test_##name(void **state)     \
    {                                         \
        each_case(*state, check_##name, 120); \
    }
TEST(maps)
TEST(pairs)
TEST(scales)
TEST(copies)
TEST(fills)

/* ---- Speed ------------------------------------------------------------------------------ */

static void row_major(rf_strided *at)
{
    int64_t step = 1;
    for (int32_t k = at->rank - 1; k >= 0; k--) {
        at->strides[k] = step;
        step *= at->dims[k];
    }
}

enum { BENCH = 1 << 23 }; /* floats of each buffer */

static void bench_maps(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    static const struct {
        rf_map map;
        const char *name;
    } maps[] = {{{RF_MAP_RELU, 0, 0}, "Relu"}, {{RF_MAP_HARD_SWISH, 0, 0}, "HardSwish"},
                {{RF_MAP_SIGMOID, 0, 0}, "Sigmoid"}, {{RF_MAP_SILU, 0, 0}, "SiLU"},
                {{RF_MAP_TANH, 0, 0}, "Tanh"}, {{RF_MAP_GELU, 0, 0}, "Gelu"}, {{RF_MAP_EXP, 0, 0}, "Exp"},
                {{RF_MAP_LOG, 0, 0}, "Log"}, {{RF_MAP_SQRT, 0, 0}, "Sqrt"}, {{RF_MAP_FLOOR, 0, 0}, "Floor"}};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        rf_map_spec spec = {.input = {.rank = 1, .dims = {100000}, .strides = {1}}, .map = maps[i].map};
        char what[60];
        rf_work work;
        spec.output = spec.input;
        assert_true(kernels->map(&spec, arena, &work));
        snprintf(what, sizeof what, "%s of 100000", maps[i].name);
        check_report_bytes(kernels->isa, what, &work, data, 8e5);
    }
}

/* out = first + second over [1, C, H, W] held as NHWC. */
static void bench_pairs(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    static const int64_t seconds[][4] = {{1, 1, 1, 1}, {0, 1, 0, 0}, {0, 0, 0, 0}, {0, 0, 1, 1}};
    static const char *const names[] = {"Add 256x56x56", "Add a vector of channels", "Add a scalar",
                                        "Mul by a plane"};
    for (int i = 0; i < 4; i++) {
        rf_strided at = {.rank = 4, .dims = {1, 256, 56, 56}, .strides = {256 * 56 * 56, 1, 256 * 56, 256}};
        rf_pair_spec spec = {i == 3 ? RF_PAIR_MUL : RF_PAIR_ADD, at, at, at, {RF_MAP_RELU, 0, 0}};
        rf_work work;
        for (int k = 0; k < 4; k++)
            spec.second.strides[k] = i == 3 && k > 1 ? (k == 2 ? 56 : 1) : at.strides[k] * seconds[i][k];
        assert_true(kernels->pair(&spec, arena, &work));
        check_report_bytes(kernels->isa, names[i], &work, data, (i ? 2 : 3) * 4.0 * 256 * 56 * 56);
    }
}

static void bench_scale(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    rf_strided at = {.rank = 4, .dims = {1, 256, 56, 56}, .strides = {256 * 56 * 56, 1, 256 * 56, 256}};
    rf_scale_spec spec = {at, at, data[0], data[1], {RF_MAP_RELU, 0, 0}};
    rf_work work;
    assert_true(kernels->scale(&spec, arena, &work));
    check_report_bytes(kernels->isa, "Scale 256x56x56", &work, data, 8.0 * 256 * 56 * 56);
}

static void bench_copies(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    static const struct {
        int64_t channels, side;
        bool to_nhwc;
    } turns[] = {{3, 224, true}, {64, 112, true}, {256, 56, true}, {512, 7, true}, {2048, 7, true},
                 {3, 224, false}, {64, 112, false}, {256, 56, false}, {512, 7, false}, {2048, 7, false}};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        int64_t c = turns[i].channels, s = turns[i].side;
        rf_strided nchw = {.rank = 4, .dims = {1, c, s, s}}, nhwc = nchw;
        rf_work work;
        char what[60];
        row_major(&nchw);
        memcpy(nhwc.strides, (int64_t[]){c * s * s, 1, c * s, c}, 4 * sizeof(int64_t));
        rf_copy_spec spec = {4, turns[i].to_nhwc ? nchw : nhwc, turns[i].to_nhwc ? nhwc : nchw};
        assert_true(kernels->copy(&spec, arena, &work));
        snprintf(what, sizeof what, "%lldx%lldx%lld %s", (long long)c, (long long)s, (long long)s,
                 turns[i].to_nhwc ? "NCHW to NHWC" : "NHWC to NCHW");
        check_report_bytes(kernels->isa, what, &work, data, 8.0 * (double)(c * s * s));
    }
}

/* [1, 2, 58, 28, 28] held with channels last, its groups exchanged. */
static void bench_shuffle(const rf_kernels *kernels, rf_arena *arena, void *const *data)
{
    rf_strided in = {.rank = 3, .dims = {784, 58, 2}, .strides = {116, 1, 58}}, out = in;
    rf_work work;
    row_major(&out);
    rf_copy_spec spec = {4, in, out};
    assert_true(kernels->copy(&spec, arena, &work));
    check_report_bytes(kernels->isa, "shuffle of 2 groups, 116x28x28", &work, data, 8.0 * 784 * 116);
    rf_strided slice = {.rank = 2, .dims = {784, 24}, .strides = {116, 1}};
    spec = (rf_copy_spec){4, slice, slice};
    assert_true(kernels->copy(&spec, arena, &work));
    check_report_bytes(kernels->isa, "24 of 116 channels", &work, data, 8.0 * 784 * 24);
}

static void bench(const rf_kernels *kernels)
{
    check_random random = {.state = 1};
    rf_arena arena;
    void *data[3];
    for (int i = 0; i < 3; i++) {
        float *floats = data[i] = malloc(BENCH * sizeof(float));
        assert_non_null(floats);
        for (int64_t k = 0; k < BENCH; k++)
            floats[k] = any_float(&random, false);
    }
    rf_arena_init(&arena, NULL, UINT64_MAX);
    bench_maps(kernels, &arena, data);
    bench_pairs(kernels, &arena, data);
    bench_scale(kernels, &arena, data);
    bench_copies(kernels, &arena, data);
    bench_shuffle(kernels, &arena, data);
    rf_arena_release(&arena);
    for (int i = 0; i < 3; i++)
        free(data[i]);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "elementwise_kernels",
        .tests = {{"maps", test_maps}, {"pairs", test_pairs}, {"scales", test_scales}, {"copies", test_copies},
                  {"fills", test_fills}},
        .bench = bench,
    };
    return check_main(argc, argv, &program);
}
