/* SPDX-License-Identifier: MIT */
/*
 * Direct convolutions and matrix products of every instruction set against
 * loops in double, over random shapes, layouts, epilogues and splits of work.
 * See check_main.h for the words that it takes.
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
#include "kernels/machine.h"

/* ---- A problem of either kind ----------------------------------------------------------- */

typedef struct problem {
    check_tensor input, output, residual, other; /* other: b of a product, where it isn't constant */
    check_buffer weights;
    float *scale, *bias;
    rf_convolution_spec convolution;
    rf_matmul_spec matmul;
    bool integers, has_other;
    bool in_run;   /* makers don't know weights and bias */
    bool bfloat16; /* what is multiplied is rounded first */
    double *expected, *bounds, *magnitudes; /* row-major */
} problem;

/* Weights may lie at any byte. */
static void make_weights(check_random *random, problem *p, int64_t count)
{
    size_t bytes = (size_t)count * sizeof(float), odd = (size_t)check_between(random, 0, 3);
    p->weights = check_buffer_make(bytes + odd, check_next(random) & 1);
    char *at = p->weights.data + (p->weights.data == p->weights.pages + p->weights.page ? odd : 0);
    int64_t strange = p->in_run && count && check_one_in(random, 4) ? check_between(random, 0, count - 1) : -1;
    for (int64_t i = 0; i < count; i++) {
        float w = check_float(random, p->integers);
        if (i == strange || (!p->integers && check_one_in(random, 20000)))
            w = check_next(random) & 1 ? INFINITY : NAN;
        memcpy(at + (size_t)i * sizeof w, &w, sizeof w);
    }
    p->convolution.weights = at;
    check_buffer_protect(&p->weights);
}

static void problem_free(problem *p)
{
    check_tensor_free(&p->input);
    check_tensor_free(&p->output);
    check_tensor_free(&p->residual);
    check_tensor_free(&p->other);
    check_buffer_free(&p->weights);
    free(p->scale);
    free(p->bias);
    free(p->expected);
    free(p->bounds);
    free(p->magnitudes);
}

/* To the nearest bfloat16, ties to even. */
static double rounded(float x)
{
    uint32_t bits;
    if (isnan(x))
        return (double)x;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fffU + (bits >> 16 & 1)) & 0xffff0000U;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

/* A product that goes into a sum. */
static double product_of(const problem *p, double weight, double factor, float input)
{
    if (p->bfloat16)
        return rounded((float)(weight * factor)) * rounded(input);
    return weight * factor * (double)input;
}

/* What one output element must be, from its sum of products. */
static void expect(problem *p, size_t element, double sum, double magnitude, int64_t products,
                   int64_t column, const int64_t *index, rf_epilogue epilogue)
{
    double bias = p->bias ? (double)p->bias[column] : 0;
    double residual = epilogue.residual ? (double)p->residual.data[check_offset(&p->residual.at, index)] : 0;
    double measure = magnitude + fabs(bias) + fabs(residual), bound = check_sum_bound(products + 1, measure);
    double x = sum + bias + residual;
    p->expected[element] = check_map(x, epilogue.map);
    p->magnitudes[element] = epilogue.map.function == RF_MAP_NONE && !p->integers ? measure : 0;
    p->bounds[element] = check_map_bound(x, bound, epilogue.map);
}

static void make_room(problem *p)
{
    size_t elements = 1;
    for (int32_t k = 0; k < p->output.at.rank; k++)
        elements *= (size_t)p->output.at.dims[k];
    p->expected = malloc((elements + 1) * sizeof *p->expected);
    p->bounds = malloc((elements + 1) * sizeof *p->bounds);
    p->magnitudes = malloc((elements + 1) * sizeof *p->magnitudes);
    assert_true(p->expected && p->bounds && p->magnitudes);
}

static void compare(check_random *random, const problem *p, const check_tensor *output, const char *isa,
                    const char *algorithm)
{
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    if (output->floats > 0) {
        do {
            double bound = p->integers && p->bounds[element] < 1 ? 0 : p->bounds[element];
            float got = output->data[check_offset(&output->at, index)];
            check_near(got, p->expected[element], bound, isa);
            if (p->magnitudes[element] > 0)
                check_note(random, isa, algorithm, fabs((double)got - p->expected[element]), p->magnitudes[element]);
            element++;
        } while (check_step(&output->at, index));
    }
    check_tensor_gaps(output);
}

typedef bool make_function(const rf_kernels *kernels, const problem *p, rf_arena *arena, rf_work *work);

static void run_set(check_random *random, problem *p, const rf_kernels *kernels, make_function *make)
{
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    assert_true(make(kernels, p, &arena, &work));
    assert_true(work.grain >= 1);
    if (p->bfloat16 && strncmp(work.algorithm, "bf16", 4) != 0) {
        rf_arena_release(&arena); /* computed in float32 */
        return;
    }
    check_tensor pieces = check_tensor_like(random, &p->output);
    check_tensor whole = check_tensor_like(random, &p->output);
    bool residual = p->residual.data != NULL;
    for (int i = 0; i < 2; i++) {
        check_tensor *output = i ? &pieces : &whole;
        float *third = residual ? p->residual.data : p->other.data;
        void *data[4] = {p->input.data, output->data, third, p->other.data};
        check_run(random, &work, data, i == 1);
    }
    compare(random, p, &whole, kernels->isa, work.algorithm);
    check_tensor_same(&whole, &pieces);
    check_tensor_free(&whole);
    check_tensor_free(&pieces);
    rf_arena_release(&arena);
}

static void run_sets(check_random *random, problem *p, make_function *make)
{
    check_buffer_protect(&p->input.buffer);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        if (!p->bfloat16 || rf_machine_has_bfloat16(set))
            run_set(random, p, set, make);
}

/* ---- Convolutions ----------------------------------------------------------------------- */

static rf_window random_window(check_random *random, int64_t most)
{
    rf_window w = {.input = check_between(random, 1, most), .kernel = check_between(random, 1, 5)};
    if (check_one_in(random, 3))
        w.kernel = check_next(random) & 1 ? 1 : 3;
    w.stride = check_one_in(random, 2) ? 1 : check_between(random, 1, 3);
    w.dilation = check_one_in(random, 3) ? check_between(random, 1, 4) : 1;
    if (!check_one_in(random, 3)) {
        w.pad_begin = check_between(random, 0, 4);
        w.pad_end = check_between(random, 0, 4);
    }
    int64_t extent = (w.kernel - 1) * w.dilation + 1;
    if (w.input + w.pad_begin + w.pad_end < extent)
        w.pad_end = extent - w.input - w.pad_begin + check_between(random, 0, 2);
    w.output = (w.input + w.pad_begin + w.pad_end - extent) / w.stride + 1;
    return w;
}

/* Channels last, ONNX's order or, for the input, any. */
static void random_order(check_random *random, int32_t rank, bool any, int32_t *order)
{
    for (int32_t k = 0; k < rank; k++)
        order[k] = k == 0 ? 0 : k == rank - 1 ? 1 : k + 1;
    if (!any || !check_one_in(random, 4))
        return;
    for (int32_t k = rank - 1; k > 0; k--) {
        int32_t other = (int32_t)check_between(random, 0, k), kept = order[k];
        order[k] = order[other];
        order[other] = kept;
    }
}

static void expect_convolution(problem *p)
{
    const rf_convolution_spec *spec = &p->convolution;
    rf_strided taps = {.rank = spec->axes + 1};
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    taps.dims[0] = p->input.at.dims[1];
    for (int32_t k = 0; k < spec->axes; k++)
        taps.dims[k + 1] = spec->windows[k].kernel;
    make_room(p);
    do {
        int64_t tap[RF_MAX_RANK] = {0}, from[RF_MAX_RANK] = {index[0]}, products = 0, w = 0;
        double sum = 0, magnitude = 0;
        w = index[1];
        for (int32_t k = 0; k <= spec->axes; k++)
            w *= taps.dims[k];
        do {
            bool valid = true;
            from[1] = tap[0];
            for (int32_t k = 0; k < spec->axes; k++) {
                const rf_window *window = &spec->windows[k];
                from[k + 2] = index[k + 2] * window->stride - window->pad_begin + tap[k + 1] * window->dilation;
                valid &= from[k + 2] >= 0 && from[k + 2] < window->input;
            }
            double weight = check_float_at(spec->weights, w++);
            if (!valid && !p->bfloat16)
                continue;
            float at = valid ? p->input.data[check_offset(&p->input.at, from)] : 0; /* padding is multiplied */
            double product = product_of(p, weight, p->scale ? (double)p->scale[index[1]] : 1, at);
            sum += product;
            magnitude += fabs(product);
            products++;
        } while (check_step(&taps, tap));
        expect(p, element++, sum, magnitude, products, index[1], index, spec->epilogue);
    } while (check_step(&p->output.at, index));
}

static void random_extents(check_random *random, problem *p, int64_t *in, int64_t *out, bool big)
{
    rf_convolution_spec *spec = &p->convolution;
    spec->axes = (int32_t)(big ? 2 : check_between(random, 1, 3));
    in[0] = out[0] = check_one_in(random, 3) ? check_between(random, 1, 9) : 1;
    in[1] = check_one_in(random, 3) ? check_between(random, 1, 4) : check_between(random, 1, 40);
    out[1] = check_between(random, 1, check_one_in(random, 3) ? 150 : 40);
    for (int32_t k = 0; k < spec->axes; k++) {
        spec->windows[k] = random_window(random, big ? 60 : spec->axes == 1 ? 40 : spec->axes == 2 ? 16 : 6);
        in[k + 2] = spec->windows[k].input;
        out[k + 2] = spec->windows[k].output;
    }
}

static void random_extras(check_random *random, problem *p, int64_t columns, rf_epilogue *epilogue)
{
    epilogue->map = check_random_map(random, p->integers);
    epilogue->residual = check_one_in(random, 3);
    if (check_next(random) & 1)
        p->bias = check_floats(random, columns, p->integers);
    if (check_one_in(random, 3))
        p->scale = check_floats(random, columns, p->integers);
    if (epilogue->residual)
        check_tensor_fill(random, &p->residual, p->integers);
    else
        check_tensor_free(&p->residual);
    if (!epilogue->residual)
        p->residual.data = NULL;
}

static problem random_convolution(check_random *random, bool bfloat16)
{
    problem p = {.integers = check_one_in(random, 3), .bfloat16 = bfloat16,
                 .in_run = !bfloat16 && check_one_in(random, 3)};
    rf_convolution_spec *spec = &p.convolution;
    int64_t in[RF_MAX_RANK], out[RF_MAX_RANK], weights;
    int32_t order[RF_MAX_RANK], rank;
    random_extents(random, &p, in, out, check_one_in(random, 40));
    rank = spec->axes + 2;
    random_order(random, rank, true, order);
    p.input = check_tensor_make(random, rank, in, order, check_one_in(random, 3));
    random_order(random, rank, false, order);
    p.output = check_tensor_make(random, rank, out, order, check_one_in(random, 3));
    p.residual = check_tensor_make(random, rank, out, order, check_one_in(random, 3));
    check_tensor_fill(random, &p.input, p.integers);
    if (!p.integers && check_one_in(random, 8) && p.input.inside[p.input.floats / 2])
        p.input.data[p.input.floats / 2] = NAN;
    random_extras(random, &p, out[1], &spec->epilogue);
    weights = in[1] * out[1];
    for (int32_t k = 0; k < spec->axes; k++)
        weights *= spec->windows[k].kernel;
    make_weights(random, &p, weights);
    spec->groups = 1;
    spec->input = p.input.at;
    spec->output = p.output.at;
    spec->residual = p.residual.at;
    spec->scale = p.scale;
    spec->bias = p.bias;
    spec->exact = true;
    spec->bfloat16 = bfloat16;
    expect_convolution(&p);
    return p;
}

static bool make_convolution(const rf_kernels *kernels, const problem *p, rf_arena *arena, rf_work *work)
{
    return check_make_convolution(kernels->convolution, &p->convolution, p->in_run, arena, work);
}

static void check_convolutions(check_random *random, bool bfloat16)
{
    for (int i = 0; i < check_cases(150); i++) {
        problem p = random_convolution(random, bfloat16);
        run_sets(random, &p, make_convolution);
        problem_free(&p);
    }
}

static void convolutions(void **state)
{
    check_convolutions(*state, false);
}

static void convolutions_in_bfloat16(void **state)
{
    check_convolutions(*state, true);
}

/* ---- Products --------------------------------------------------------------------------- */

static void expect_product(problem *p)
{
    const rf_matmul_spec *spec = &p->matmul;
    int64_t index[RF_MAX_RANK] = {0};
    int32_t rank = spec->output.rank;
    size_t element = 0;
    make_room(p);
    if (p->output.floats == 0)
        return;
    do {
        int64_t a[RF_MAX_RANK], b[RF_MAX_RANK], column = index[rank - 1];
        double sum = 0, magnitude = 0, factor = (double)spec->alpha * (p->scale ? (double)p->scale[column] : 1);
        memcpy(a, index, sizeof a);
        memcpy(b, index, sizeof b);
        for (int64_t k = 0; k < spec->a.dims[rank - 1]; k++) {
            a[rank - 1] = b[rank - 2] = k;
            int64_t at = check_offset(&spec->b, b);
            double weight = spec->constant ? check_float_at(spec->constant, at) : (double)p->other.data[at];
            double product = product_of(p, weight, factor, p->input.data[check_offset(&spec->a, a)]);
            sum += product;
            magnitude += fabs(product);
        }
        expect(p, element++, sum, magnitude, spec->a.dims[rank - 1] + 1, column, index, spec->epilogue);
    } while (check_step(&p->output.at, index));
}

/* A matrix, or one for each batch, at times with rows and columns exchanged in memory. */
static check_tensor random_matrices(check_random *random, int32_t rank, const int64_t *batch, int64_t rows,
                                    int64_t columns, bool gaps)
{
    int64_t dims[RF_MAX_RANK];
    int32_t order[RF_MAX_RANK];
    bool repeated[RF_MAX_RANK] = {false};
    for (int32_t k = 0; k < rank; k++) {
        order[k] = k;
        repeated[k] = k < rank - 2 && check_one_in(random, 3);
        dims[k] = k == rank - 1 ? columns : k == rank - 2 ? rows : repeated[k] ? 1 : batch[k];
    }
    if (check_one_in(random, 3)) {
        order[rank - 1] = rank - 2;
        order[rank - 2] = rank - 1;
    }
    check_tensor made = check_tensor_make(random, rank, dims, order, gaps);
    for (int32_t k = 0; k < rank - 2; k++)
        if (repeated[k])
            made.at.strides[k] = 0;
    return made;
}

static void set_dims(rf_strided *at, const int64_t *batch)
{
    for (int32_t k = 0; k < at->rank - 2; k++)
        at->dims[k] = batch[k];
}

static void random_other(check_random *random, problem *p, const int64_t *batch, int64_t k, int64_t n)
{
    rf_matmul_spec *spec = &p->matmul;
    p->has_other = check_next(random) & 1;
    p->other = random_matrices(random, spec->a.rank, batch, k, n, p->has_other && check_one_in(random, 3));
    check_tensor_fill(random, &p->other, p->integers);
    spec->b = p->other.at;
    set_dims(&spec->b, batch);
    if (p->has_other) {
        check_buffer_protect(&p->other.buffer);
        return;
    }
    make_weights(random, p, (int64_t)p->other.floats);
    spec->constant = p->convolution.weights;
}

static problem random_product(check_random *random, bool bfloat16)
{
    problem p = {.integers = check_one_in(random, 3), .bfloat16 = bfloat16};
    rf_matmul_spec *spec = &p.matmul;
    int32_t rank = (int32_t)check_between(random, 2, 5);
    int64_t out[RF_MAX_RANK], k = check_between(random, check_one_in(random, 20) ? 0 : 1, 60);
    if (check_one_in(random, 8))
        k = check_one_in(random, 4) ? 1024 : check_between(random, 200, 600);
    for (int32_t i = 0; i < rank - 2; i++)
        out[i] = check_between(random, 1, 3);
    out[rank - 2] = check_one_in(random, 3) ? 1 : check_between(random, 1, 30);
    if (check_one_in(random, 20))
        out[rank - 2] = check_between(random, 100, 300);
    out[rank - 1] = check_between(random, check_one_in(random, 20) ? 0 : 1, check_one_in(random, 4) ? 200 : 50);
    p.input = random_matrices(random, rank, out, out[rank - 2], k, check_one_in(random, 3));
    p.output = check_tensor_make(random, rank, out, NULL, check_one_in(random, 3));
    p.residual = check_tensor_make(random, rank, out, NULL, check_one_in(random, 3));
    check_tensor_fill(random, &p.input, p.integers);
    spec->a = p.input.at;
    set_dims(&spec->a, out);
    spec->alpha = check_one_in(random, 3) ? (p.integers ? 2.0f : 0.3f) : 1.0f;
    random_other(random, &p, out, k, out[rank - 1]);
    random_extras(random, &p, out[rank - 1], &spec->epilogue);
    spec->output = p.output.at;
    spec->residual = p.residual.at;
    spec->scale = p.scale;
    spec->bias = p.bias;
    spec->bfloat16 = bfloat16;
    expect_product(&p);
    return p;
}

static bool make_product(const rf_kernels *kernels, const problem *p, rf_arena *arena, rf_work *work)
{
    return kernels->matmul(&p->matmul, arena, work);
}

static void check_products(check_random *random, bool bfloat16)
{
    for (int i = 0; i < check_cases(150); i++) {
        problem p = random_product(random, bfloat16);
        run_sets(random, &p, make_product);
        problem_free(&p);
    }
}

static void products(void **state)
{
    check_products(*state, false);
}

static void products_in_bfloat16(void **state)
{
    check_products(*state, true);
}

/* ---- Measurements ----------------------------------------------------------------------- */

typedef struct measured {
    const char *name;
    int64_t channels, extent, outputs, kernel, stride, pad;
    bool planes; /* the input is NCHW */
} measured;

static const measured shapes[] = {
    {"resnet50 1: 7x7/2, 3 planes", 3, 224, 64, 7, 2, 3, true},
    {"resnet50 2: 1x1, 64 to 64", 64, 56, 64, 1, 1, 0, false},
    {"resnet50 2: 3x3, 64", 64, 56, 64, 3, 1, 1, false},
    {"resnet50 2: 1x1, 64 to 256", 64, 56, 256, 1, 1, 0, false},
    {"resnet50 2: 1x1, 256 to 64", 256, 56, 64, 1, 1, 0, false},
    {"resnet50 3: 3x3/2, 128", 128, 56, 128, 3, 2, 1, false},
    {"resnet50 3: 3x3, 128", 128, 28, 128, 3, 1, 1, false},
    {"resnet50 3: 1x1, 128 to 512", 128, 28, 512, 1, 1, 0, false},
    {"resnet50 3: 1x1, 512 to 128", 512, 28, 128, 1, 1, 0, false},
    {"resnet50 4: 3x3, 256", 256, 14, 256, 3, 1, 1, false},
    {"resnet50 4: 1x1, 256 to 1024", 256, 14, 1024, 1, 1, 0, false},
    {"resnet50 4: 1x1, 1024 to 256", 1024, 14, 256, 1, 1, 0, false},
    {"resnet50 5: 3x3, 512", 512, 7, 512, 3, 1, 1, false},
    {"resnet50 5: 1x1, 512 to 2048", 512, 7, 2048, 1, 1, 0, false},
    {"resnet50 5: 1x1, 2048 to 512", 2048, 7, 512, 1, 1, 0, false},
    {"vgg16: 3x3, 64", 64, 224, 64, 3, 1, 1, false},
    {"vgg16: 3x3, 256", 256, 56, 256, 3, 1, 1, false},
    {"inception: 5x5, 96", 96, 32, 96, 5, 1, 2, false},
    {"inception: 1x1, 768 to 192", 768, 17, 192, 1, 1, 0, false},
    {"mobilenet: 1x1, 16 to 96", 16, 112, 96, 1, 1, 0, false},
    {"mobilenet: 1x1, 96 to 24", 96, 56, 24, 1, 1, 0, false},
    {"dense: 2048 to 1000", 2048, 1, 1000, 1, 1, 0, false},
    {"dense: 9216 to 4096", 9216, 1, 4096, 1, 1, 0, false},
};

static void measure(const rf_kernels *kernels, const measured *shape)
{
    check_random random = {.state = 1};
    int64_t output = (shape->extent + 2 * shape->pad - shape->kernel) / shape->stride + 1;
    int64_t weights = shape->channels * shape->outputs * shape->kernel * shape->kernel;
    rf_window window = {shape->extent, output, shape->kernel, shape->stride, 1, shape->pad, shape->pad};
    float *data[] = {check_floats(&random, shape->channels * shape->extent * shape->extent, true),
                     check_floats(&random, shape->outputs * output * output, true)};
    float *w = check_floats(&random, weights, true), *bias = check_floats(&random, shape->outputs, true);
    rf_convolution_spec spec = {
        .axes = 2, .windows = {window, window}, .groups = 1, .weights = w, .bias = bias,
        .input = check_image(shape->channels, shape->extent), .output = check_image(shape->outputs, output),
        .epilogue.map.function = RF_MAP_RELU, .exact = true,
    };
    if (shape->planes)
        memcpy(spec.input.strides + 1, (int64_t[]){shape->extent * shape->extent, shape->extent, 1},
               3 * sizeof(int64_t));
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    if (kernels->convolution(&spec, &arena, &work)) {
        double seconds = check_time(&work, (void *const *)data);
        double flops = 2.0 * (double)weights * (double)output * (double)output;
        printf("%-9s %-30s %9.3f ms %7.1f GFLOP/s %6.1f GB/s of weights  %s\n", kernels->isa, shape->name,
               seconds * 1e3, flops / seconds * 1e-9, (double)weights * 4 / seconds * 1e-9, work.algorithm);
    }
    rf_arena_release(&arena);
    free(data[0]);
    free(data[1]);
    free(w);
    free(bias);
}

static void bench(const rf_kernels *kernels)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (check_wanted(shapes[i].name))
            measure(kernels, &shapes[i]);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "convolution_kernels",
        .tests = {{"convolutions", convolutions}, {"products", products},
                  {"convolutions in bfloat16", convolutions_in_bfloat16},
                  {"products in bfloat16", products_in_bfloat16}},
        .bench = bench,
    };
    return check_main(argc, argv, &program);
}
