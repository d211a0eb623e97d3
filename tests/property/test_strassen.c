/* SPDX-License-Identifier: MIT */
/*
 * Strassen's product for convolutions of one tap, of every instruction set, against
 * loops in double over random shapes, layouts, epilogues and splits of work: of
 * integers bit for bit; how far it is off; and when it is chosen. See check_main.h
 * for the words that it takes.
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

typedef struct problem {
    check_tensor input, output, residual;
    check_buffer weights;
    float *scale, *bias;
    rf_convolution_spec spec;
    bool integers;
    double bound;    /* of the error of a sum */
    double *expected; /* row-major, before the map */
} problem;

static void make_weights(check_random *random, problem *p, int64_t count)
{
    float *floats = check_floats(random, count, p->integers);
    const size_t bytes = (size_t)count * sizeof *floats, odd = (size_t)check_between(random, 0, 3);
    const bool at_end = check_next(random) & 1;
    p->weights = check_buffer_make(bytes + odd, at_end);
    memcpy(p->weights.data + (at_end ? 0 : odd), floats, bytes);
    p->spec.weights = p->weights.data + (at_end ? 0 : odd);
    check_buffer_protect(&p->weights);
    free(floats);
}

static double largest_of(const double *numbers, int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(numbers[i]));
    return largest;
}

/*
 * Every sum is one of products of sums of two inputs, or four, by sums of as many weights, so that its error grows
 * with the largest of all, its own being small or not.
 */
static void expect_all(problem *p)
{
    const rf_strided *input = &p->input.at, *output = &p->output.at;
    const int64_t channels = input->dims[1], outputs = output->dims[1];
    double *weights = malloc((size_t)(channels * outputs) * sizeof *weights), largest = 0, added = 0;
    size_t element = 0, elements = 1;
    for (int32_t k = 0; k < output->rank; k++)
        elements *= (size_t)output->dims[k];
    p->expected = malloc(elements * sizeof *p->expected);
    assert_true(weights && p->expected);
    for (int64_t i = 0; i < channels * outputs; i++)
        weights[i] = check_float_at(p->spec.weights, i) * (p->scale ? (double)p->scale[i / channels] : 1);
    int64_t index[RF_MAX_RANK] = {0};
    do {
        int64_t from[RF_MAX_RANK];
        double sum = p->bias ? (double)p->bias[index[1]] : 0;
        double residual = p->residual.data ? (double)p->residual.data[check_offset(&p->residual.at, index)] : 0;
        memcpy(from, index, sizeof from);
        for (int64_t c = 0; c < channels; c++) {
            from[1] = c;
            double x = (double)p->input.data[check_offset(input, from)];
            sum += x * weights[index[1] * channels + c];
            largest = isnan(x) ? largest : fmax(largest, fabs(x));
        }
        added = fmax(added, fabs(residual) + (p->bias ? fabs((double)p->bias[index[1]]) : 0));
        p->expected[element++] = sum + residual;
    } while (check_step(output, index));
    p->bound = ldexp(1, -24) * (8 * (double)channels * largest * largest_of(weights, channels * outputs) + 4 * added);
    free(weights);
}

static void set_window(check_random *random, rf_window *window)
{
    const int64_t extent = check_between(random, 1, 14);
    *window = (rf_window){extent, extent, 1, 1, 1, 0, 0};
}

/* Gaps may lie between images, lines or pixels: such between lines are not done. */
static problem random_problem(check_random *random)
{
    problem p = {.spec = {.axes = (int32_t)check_between(random, 1, 3), .groups = 1}, .integers = check_next(random) & 1};
    rf_convolution_spec *spec = &p.spec;
    const bool wide = check_one_in(random, 6);
    int64_t in[RF_MAX_RANK] = {check_one_in(random, 3) ? check_between(random, 1, 4) : 1}, out[RF_MAX_RANK] = {in[0]};
    int32_t order[RF_MAX_RANK] = {0};
    in[1] = check_between(random, 32, wide ? 600 : 120);
    out[1] = check_between(random, 17, wide ? 40 : 200);
    for (int32_t k = 0; k < spec->axes; k++) {
        if (k < 2)
            set_window(random, &spec->windows[k]);
        else
            spec->windows[k] = (rf_window){2, 2, 1, 1, 1, 0, 0};
        in[k + 2] = out[k + 2] = spec->windows[k].output;
        order[k + 1] = k + 2;
    }
    order[spec->axes + 1] = 1;
    p.input = check_tensor_make(random, spec->axes + 2, in, order, check_one_in(random, 4));
    p.output = check_tensor_make(random, spec->axes + 2, out, order, check_one_in(random, 4));
    p.residual = check_tensor_make(random, spec->axes + 2, out, order, check_one_in(random, 4));
    check_tensor_fill(random, &p.input, p.integers);
    check_tensor_fill(random, &p.residual, p.integers);
    if (!p.integers && check_one_in(random, 8) && p.input.inside[p.input.floats / 2])
        p.input.data[p.input.floats / 2] = NAN;
    check_buffer_protect(&p.input.buffer);
    check_buffer_protect(&p.residual.buffer);
    make_weights(random, &p, in[1] * out[1]);
    spec->epilogue.map = check_random_map(random, p.integers);
    spec->epilogue.residual = check_one_in(random, 3);
    if (!spec->epilogue.residual)
        check_tensor_free(&p.residual);
    if (!spec->epilogue.residual)
        p.residual.data = NULL;
    p.bias = check_next(random) & 1 ? check_floats(random, out[1], p.integers) : NULL;
    p.scale = check_one_in(random, 3) ? check_floats(random, out[1], p.integers) : NULL;
    spec->input = p.input.at;
    spec->output = p.output.at;
    spec->residual = p.residual.at;
    spec->scale = p.scale;
    spec->bias = p.bias;
    spec->candidate = RF_CONVOLUTION_CANDIDATES;
    expect_all(&p);
    return p;
}

static void problem_free(problem *p)
{
    check_tensor_free(&p->input);
    check_tensor_free(&p->output);
    if (p->residual.data)
        check_tensor_free(&p->residual);
    check_buffer_free(&p->weights);
    free(p->scale);
    free(p->bias);
    free(p->expected);
}

/* NaN must be where a sum sees one, and may be elsewhere too. */
static void compare(check_random *random, const problem *p, const check_tensor *output, const rf_work *work,
                    const char *isa)
{
    const rf_map map = p->spec.epilogue.map;
    int64_t index[RF_MAX_RANK] = {0};
    size_t element = 0;
    bool has_nan = false;
    do
        has_nan |= isnan(p->expected[element++]);
    while (check_step(&output->at, index));
    element = 0;
    do {
        double x = p->expected[element++], bound = p->integers ? 0 : check_map_bound(x, p->bound, map);
        float got = output->data[check_offset(&output->at, index)];
        if (has_nan && isnan(got))
            continue;
        check_near(got, check_map(x, map), bound, work->algorithm);
        if (map.function == RF_MAP_NONE && !p->integers)
            check_note(random, isa, work->algorithm, fabs((double)got - x), p->bound * ldexp(1, 24));
    } while (check_step(&output->at, index));
    check_tensor_gaps(output);
}

static bool run_set(check_random *random, problem *p, const rf_kernels *kernels)
{
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    const bool made = kernels->convolution(&p->spec, &arena, &work);
    if (made) {
        check_tensor pieces = check_tensor_like(random, &p->output), whole = check_tensor_like(random, &p->output);
        for (int i = 0; i < 2; i++) {
            void *data[3] = {p->input.data, i ? pieces.data : whole.data, p->residual.data};
            check_run(random, &work, data, i == 1);
        }
        compare(random, p, &whole, &work, kernels->isa);
        check_tensor_same(&whole, &pieces);
        check_tensor_free(&whole);
        check_tensor_free(&pieces);
    }
    rf_arena_release(&arena);
    return made;
}

static void random_shapes(void **state)
{
    check_random *random = *state;
    const int cases = check_cases(150);
    int made = 0, tried = 0;
    for (int i = 0; i < cases; i++) {
        problem p = random_problem(random);
        for (const rf_kernels *set = check_set(NULL); set; set = check_set(set), tried++)
            made += run_set(random, &p, set);
        problem_free(&p);
    }
    if (cases > 20 && made < tried / 2)
        fail_msg("only %d of %d are done", made, tried);
}

/* ---- Layers of one size ------------------------------------------------------------------- */

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

static layer make_layer(int64_t channels, int64_t extent, int64_t outputs)
{
    check_random random = {.state = 1};
    const rf_window window = {extent, extent, 1, 1, 1, 0, 0};
    layer made = {.data = {normal_floats(&random, channels * extent * extent),
                           normal_floats(&random, outputs * extent * extent)}};
    made.weights = normal_floats(&random, channels * outputs);
    made.bias = normal_floats(&random, outputs);
    made.spec = (rf_convolution_spec){
        .axes = 2, .windows = {window, window}, .groups = 1, .weights = made.weights, .bias = made.bias,
        .input = check_image(channels, extent), .output = check_image(outputs, extent),
    };
    return made;
}

static void layer_free(layer *of)
{
    free(of->data[0]);
    free(of->data[1]);
    free(of->weights);
    free(of->bias);
}

/* The largest error over the largest output. */
static double error_of(const layer *of, const rf_kernels *kernels)
{
    const int64_t channels = of->spec.input.dims[1], outputs = of->spec.output.dims[1];
    const int64_t pixels = of->spec.output.dims[2] * of->spec.output.dims[3];
    double most = 0, largest = 0;
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    assert_true(kernels->convolution(&of->spec, &arena, &work));
    check_run(&(check_random){.state = 1}, &work, (void *const *)of->data, false);
    for (int64_t i = 0; i < pixels * outputs; i++) {
        double sum = (double)of->bias[i % outputs];
        for (int64_t c = 0; c < channels; c++)
            sum += (double)of->data[0][i / outputs * channels + c] * (double)of->weights[i % outputs * channels + c];
        most = fmax(most, fabs((double)of->data[1][i] - sum));
        largest = fmax(largest, fabs(sum));
    }
    rf_arena_release(&arena);
    return most / largest;
}

static void small_errors(void **state)
{
    (void)state;
    for (int64_t channels = 64; channels <= 1024; channels *= 4) {
        layer of = make_layer(channels, 6, 64);
        of.spec.candidate = RF_CONVOLUTION_CANDIDATES;
        for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
            assert_in_range((int64_t)(error_of(&of, set) * 1e9), 0, 3000);
        layer_free(&of);
    }
}

static void accuracy(const rf_kernels *kernels)
{
    for (int64_t channels = 64; channels <= 2048; channels *= 2) {
        layer of = make_layer(channels, 14, 128);
        of.spec.exact = true;
        double direct = error_of(&of, kernels);
        of.spec.exact = false;
        of.spec.candidate = RF_CONVOLUTION_CANDIDATES;
        printf("%-9s %4d channels: direct %8.1e, Strassen %8.1e of the largest output\n", kernels->isa, (int)channels,
               direct, error_of(&of, kernels));
        layer_free(&of);
    }
}

static bool is_chosen(const layer *of, const rf_kernels *kernels)
{
    rf_arena arena;
    rf_work work;
    rf_arena_init(&arena, NULL, 1 << 20);
    assert_true(kernels->convolution(&of->spec, &arena, &work));
    rf_arena_release(&arena);
    return strncmp(work.algorithm, "Strassen", 8) == 0;
}

/* Large layers, unless sums of products are asked for; not where other sums take more than products save. */
static void choice(void **state)
{
    (void)state;
    layer large = make_layer(2048, 7, 1024), small = make_layer(64, 5, 64), thin = make_layer(32, 56, 256);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set)) {
        large.spec.exact = false;
        assert_true(is_chosen(&large, set));
        large.spec.exact = true;
        assert_false(is_chosen(&large, set));
        assert_false(is_chosen(&small, set) || is_chosen(&thin, set));
    }
    layer_free(&large);
    layer_free(&small);
    layer_free(&thin);
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "Strassen's product",
        .tests = {{"random_shapes", random_shapes}, {"small_errors", small_errors}, {"choice", choice}},
        .accuracy = accuracy,
    };
    return check_main(argc, argv, &program);
}
