/* SPDX-License-Identifier: MIT */
/*
 * Direct kernels against a double-precision reference, over random shapes.
 *
 * The reference gathers each output from an explicitly padded array. Every
 * buffer lies between two pages that fault, flush with the one and then with
 * the other, and inputs are write-protected. RF_SEED repeats a run.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rfield/kernels.h>

enum { CASES = 1000 };

/* ---- Random numbers (SplitMix64) -------------------------------------------------------- */

typedef struct random_state {
    uint64_t seed;  /* of the run, for messages */
    uint64_t state;
} random_state;

static uint64_t next(random_state *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t between(random_state *random, int64_t least, int64_t most)
{
    return least + (int64_t)(next(random) % (uint64_t)(most - least + 1));
}

/* Integers of -4 .. 4, so that every sum is exact, or reals of mixed magnitude. */
static void fill(random_state *random, float *data, size_t count, bool integers)
{
    for (size_t i = 0; i < count; i++) {
        if (integers)
            data[i] = (float)between(random, -4, 4);
        else
            data[i] = ldexpf((float)between(random, -8388607, 8388607), (int)between(random, -30, -18));
    }
}

/* ---- Guarded buffers -------------------------------------------------------------------- */

typedef struct guarded {
    char *pages;   /* guard, body, guard */
    size_t total, body, page;
    float *data;
} guarded;

static guarded guarded_make(size_t count, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = count * sizeof(float);
    guarded buffer = {.page = page, .body = (bytes + page - 1) / page * page};
    buffer.total = buffer.body + 2 * page;
    int zero = open("/dev/zero", O_RDWR);
    assert_true(zero >= 0);
    buffer.pages = mmap(NULL, buffer.total, PROT_NONE, MAP_PRIVATE, zero, 0);
    assert_true(buffer.pages != MAP_FAILED);
    close(zero);
    assert_int_equal(mprotect(buffer.pages + page, buffer.body, PROT_READ | PROT_WRITE), 0);
    buffer.data = (float *)(buffer.pages + page + (at_end ? buffer.body - bytes : 0));
    return buffer;
}

/* A read-only copy; NULL data makes a NULL copy. */
static guarded guarded_copy(const float *data, size_t count, bool at_end)
{
    if (!data)
        return (guarded){.data = NULL};
    guarded buffer = guarded_make(count, at_end);
    memcpy(buffer.data, data, count * sizeof *data);
    assert_int_equal(mprotect(buffer.pages + buffer.page, buffer.body, PROT_READ), 0);
    return buffer;
}

static void guarded_free(guarded *buffer)
{
    if (buffer->data)
        assert_int_equal(munmap(buffer->pages, buffer->total), 0);
}

/* ---- The reference: logical coordinates, an array with its padding written out ---------- */

/* One problem, for convolution, pools and dense alike. */
typedef struct problem {
    int64_t batch, groups, in_channels, out_channels;
    int64_t size[2], kernel[2], stride[2], dilation[2], pads[4];
    int64_t out[2];
    bool ceil_mode, include_pad, mean, nhwc, integers;
    float *input, *weights, *bias;
    size_t input_count, weight_count, output_count;
} problem;

static size_t at4(bool nhwc, const int64_t *plane, int64_t channels, int64_t n, int64_t c, int64_t y,
                  int64_t x)
{
    return (size_t)(nhwc ? ((n * plane[0] + y) * plane[1] + x) * channels + c
                         : ((n * channels + c) * plane[0] + y) * plane[1] + x);
}

/*
 * Windows, counted one by one: those that fit or, with ceil_mode, those whose
 * predecessor ends before the padded input does, less a last one that begins in the end padding.
 */
static int64_t count_outputs(const problem *p, int axis)
{
    int64_t end = p->size[axis] + p->pads[axis] + p->pads[axis + 2];
    int64_t last = p->dilation[axis] * (p->kernel[axis] - 1) - p->ceil_mode * p->stride[axis];
    int64_t count = 0, start = 0;
    for (; start + last + p->ceil_mode < end; start += p->stride[axis])
        count++;
    bool in_padding = start - p->stride[axis] >= p->size[axis] + p->pads[axis];
    return count - (p->ceil_mode && in_padding);
}

/* An image's channels with padding written out. Beyond it, where ceil_mode leads, lies nothing. */
typedef struct padded {
    double *values;
    int64_t height, width;
} padded;

enum { MARGIN = 16 };
static const double on_padding = -1e300, beyond = -2e300;

static padded pad_channel(const problem *p, int64_t n, int64_t c)
{
    padded out = {.height = p->size[0] + p->pads[0] + p->pads[2] + MARGIN,
                  .width = p->size[1] + p->pads[1] + p->pads[3] + MARGIN};
    out.values = malloc((size_t)(out.height * out.width) * sizeof *out.values);
    assert_non_null(out.values);
    for (int64_t y = 0; y < out.height; y++) {
        for (int64_t x = 0; x < out.width; x++) {
            int64_t row = y - p->pads[0], column = x - p->pads[1];
            bool inside = row >= 0 && row < p->size[0] && column >= 0 && column < p->size[1];
            bool outside = y >= out.height - MARGIN || x >= out.width - MARGIN;
            out.values[y * out.width + x] = outside ? beyond : !inside ? on_padding
                : (double)p->input[at4(p->nhwc, p->size, p->in_channels, n, c, row, column)];
        }
    }
    return out;
}

/* The element under a tap, or a mark. */
static double gather(const problem *p, const padded *from, const int64_t *at, int64_t tap)
{
    int64_t y = at[0] * p->stride[0] + tap / p->kernel[1] * p->dilation[0];
    int64_t x = at[1] * p->stride[1] + tap % p->kernel[1] * p->dilation[1];
    assert_true(y < from->height && x < from->width);
    return from->values[y * from->width + x];
}

/* An expected output and how far float32 may be from it. */
typedef struct expectation {
    double value, bound;
} expectation;

/* (SUM |terms|) * gamma(terms + 1), with room for the double's own rounding. */
static double rounding_bound(double magnitude, int64_t terms)
{
    double nu = (double)(terms + 1) * 0x1p-24;
    return magnitude * nu / (1 - nu) * (1 + 1e-9);
}

/* Adds what one input channel contributes to one output channel of its group. */
static void gather_channel(const problem *p, const padded *channel, const float *weights, int64_t n,
                           int64_t o, expectation *expected)
{
    for (int64_t pixel = 0; pixel < p->out[0] * p->out[1]; pixel++) {
        const int64_t at[2] = {pixel / p->out[1], pixel % p->out[1]};
        expectation *e = &expected[at4(p->nhwc, p->out, p->out_channels, n, o, at[0], at[1])];
        for (int64_t tap = 0; tap < p->kernel[0] * p->kernel[1]; tap++) {
            double element = gather(p, channel, at, tap);
            double product = element == on_padding ? 0 : element * (double)weights[tap];
            e->value += product;
            e->bound += fabs(product);
        }
    }
}

static expectation *expect_convolution(const problem *p)
{
    expectation *expected = calloc(p->output_count, sizeof *expected);
    int64_t ins = p->in_channels / p->groups, outs = p->out_channels / p->groups;
    int64_t taps = p->kernel[0] * p->kernel[1];
    assert_non_null(expected);
    for (int64_t image = 0; image < p->batch * p->in_channels; image++) {
        int64_t n = image / p->in_channels, c = image % p->in_channels, first = c / ins * outs;
        padded channel = pad_channel(p, n, c);
        for (int64_t o = first; o < first + outs; o++)
            gather_channel(p, &channel, p->weights + (o * ins + c % ins) * taps, n, o, expected);
        free(channel.values);
    }
    for (int64_t i = 0; i < (int64_t)p->output_count; i++) {
        int64_t o = (p->nhwc ? i : i / (p->out[0] * p->out[1])) % p->out_channels;
        double bias = p->bias ? (double)p->bias[o] : 0;
        expected[i].value += bias;
        expected[i].bound = rounding_bound(expected[i].bound + fabs(bias), taps * ins);
    }
    return expected;
}

static expectation pool_window(const problem *p, const padded *channel, const int64_t *at)
{
    double largest = -INFINITY, sum = 0, magnitude = 0;
    int64_t inside = 0, with_padding = 0;
    for (int64_t tap = 0; tap < p->kernel[0] * p->kernel[1]; tap++) {
        double element = gather(p, channel, at, tap);
        with_padding += element != beyond;
        if (element == beyond || element == on_padding)
            continue;
        inside++;
        largest = fmax(largest, element);
        sum += element;
        magnitude += fabs(element);
    }
    if (!p->mean)
        return (expectation){largest, 0};
    if (inside == 0)
        return (expectation){0, 0};
    double divisor = (double)(p->include_pad ? with_padding : inside);
    return (expectation){sum / divisor, rounding_bound(magnitude / divisor, inside)};
}

static expectation *expect_pool(const problem *p)
{
    expectation *expected = calloc(p->output_count, sizeof *expected);
    assert_non_null(expected);
    for (int64_t n = 0; n < p->batch; n++) {
        for (int64_t c = 0; c < p->in_channels; c++) {
            padded channel = pad_channel(p, n, c);
            for (int64_t pixel = 0; pixel < p->out[0] * p->out[1]; pixel++) {
                const int64_t at[2] = {pixel / p->out[1], pixel % p->out[1]};
                expected[at4(p->nhwc, p->out, p->in_channels, n, c, at[0], at[1])] =
                    pool_window(p, &channel, at);
            }
            free(channel.values);
        }
    }
    return expected;
}

/* ---- Random problems -------------------------------------------------------------------- */

static float *random_floats(random_state *random, size_t count, bool integers)
{
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    fill(random, data, count, integers);
    return data;
}

static void draw_axes(random_state *random, problem *p)
{
    for (int a = 0; a < 2; a++) {
        p->size[a] = between(random, 1, 11);
        p->kernel[a] = between(random, 1, 4);
        p->stride[a] = between(random, 1, 4);
        p->dilation[a] = between(random, 1, 3);
        p->pads[a] = between(random, 0, 1) * between(random, 0, 5);
        p->pads[a + 2] = between(random, 0, 1) * between(random, 0, 5);
    }
    for (int a = 0; a < 2; a++)
        p->out[a] = count_outputs(p, a);
}

/* A pool has one group of which only the input channels matter. */
static problem draw(random_state *random, bool pool)
{
    problem p = {.batch = between(random, 1, 2), .groups = pool ? 1 : between(random, 1, 3)};
    p.in_channels = p.groups * between(random, 1, 4);
    p.out_channels = pool ? p.in_channels : p.groups * between(random, 1, 11);
    p.nhwc = next(random) & 1;
    p.integers = next(random) & 1;
    p.include_pad = next(random) & 1;
    p.mean = next(random) & 1;
    p.ceil_mode = pool && (next(random) & 1);
    draw_axes(random, &p);
    p.input_count = (size_t)(p.batch * p.in_channels * p.size[0] * p.size[1]);
    p.output_count = (size_t)(p.batch * p.out_channels * p.out[0] * p.out[1]);
    p.weight_count =
        (size_t)(p.out_channels * (p.in_channels / p.groups) * p.kernel[0] * p.kernel[1]);
    p.input = random_floats(random, p.input_count, p.integers);
    p.weights = random_floats(random, p.weight_count, p.integers);
    if (next(random) & 1)
        p.bias = random_floats(random, (size_t)p.out_channels, p.integers);
    return p;
}

static void problem_free(problem *p)
{
    free(p->input);
    free(p->weights);
    free(p->bias);
}

static rf_conv2d_desc conv_of(const problem *p)
{
    rf_conv2d_desc desc = RF_CONV2D_DEFAULT;
    desc.batch = p->batch;
    desc.input_channels = p->in_channels;
    desc.input_height = p->size[0];
    desc.input_width = p->size[1];
    desc.output_channels = p->out_channels;
    memcpy(desc.kernel, p->kernel, sizeof desc.kernel);
    memcpy(desc.strides, p->stride, sizeof desc.strides);
    memcpy(desc.dilations, p->dilation, sizeof desc.dilations);
    memcpy(desc.pads, p->pads, sizeof desc.pads);
    desc.groups = p->groups;
    desc.layout = p->nhwc ? RF_NHWC : RF_NCHW;
    return desc;
}

static rf_pool2d_desc pool_of(const problem *p)
{
    rf_pool2d_desc desc = RF_POOL2D_DEFAULT;
    desc.batch = p->batch;
    desc.channels = p->in_channels;
    desc.input_height = p->size[0];
    desc.input_width = p->size[1];
    memcpy(desc.kernel, p->kernel, sizeof desc.kernel);
    memcpy(desc.strides, p->stride, sizeof desc.strides);
    memcpy(desc.dilations, p->dilation, sizeof desc.dilations);
    memcpy(desc.pads, p->pads, sizeof desc.pads);
    desc.ceil_mode = p->ceil_mode;
    desc.count_include_pad = p->include_pad;
    desc.layout = p->nhwc ? RF_NHWC : RF_NCHW;
    return desc;
}

/* ---- Kernels under test ----------------------------------------------------------------- */

typedef rf_status kernel(const problem *p, const float *input, const float *weights,
                         const float *bias, float *output);

static rf_status run_conv(const problem *p, const float *input, const float *weights,
                          const float *bias, float *output)
{
    const rf_conv2d_desc desc = conv_of(p);
    return rf_conv2d(&desc, input, weights, bias, output, NULL);
}

static rf_status run_pool(const problem *p, const float *input, const float *weights,
                          const float *bias, float *output)
{
    (void)weights;
    (void)bias;
    const rf_pool2d_desc desc = pool_of(p);
    return (p->mean ? rf_average_pool2d : rf_max_pool2d)(&desc, input, output, NULL);
}

static rf_status run_dense(const problem *p, const float *input, const float *weights,
                           const float *bias, float *output)
{
    return rf_dense(p->batch, p->in_channels, p->out_channels, input, weights, bias, output, NULL);
}

static void check_output(const random_state *random, const problem *p, const expectation *expected,
                         const float *output)
{
    for (size_t i = 0; i < p->output_count; i++) {
        float exact = (float)expected[i].value;
        double error = fabs((double)output[i] - expected[i].value);
        bool same = memcmp(&output[i], &exact, sizeof exact) == 0;
        bool good = same || (!p->integers && error <= expected[i].bound);
        if (!good)
            fail_msg("RF_SEED=%llu: element %zu of %zu is %a, expected %a within %g",
                     (unsigned long long)random->seed, i, p->output_count, (double)output[i],
                     expected[i].value, p->integers ? 0 : expected[i].bound);
    }
}

/* Runs with all buffers flush with one guard, then with the other. */
static void run_guarded(const random_state *random, const problem *p, kernel *run,
                        const expectation *expected)
{
    for (int at_end = 0; at_end < 2; at_end++) {
        guarded input = guarded_copy(p->input, p->input_count, at_end);
        guarded weights = guarded_copy(p->weights, p->weight_count, at_end);
        guarded bias = guarded_copy(p->bias, (size_t)p->out_channels, at_end);
        guarded output = guarded_make(p->output_count, at_end);
        memset(output.data, 0xff, p->output_count * sizeof(float));
        assert_int_equal(run(p, input.data, weights.data, bias.data, output.data), RF_OK);
        check_output(random, p, expected, output.data);
        guarded_free(&input);
        guarded_free(&weights);
        guarded_free(&bias);
        guarded_free(&output);
    }
}

static rf_status state_output(const problem *p, bool pool, int64_t out[2])
{
    const rf_conv2d_desc conv = conv_of(p);
    const rf_pool2d_desc desc = pool_of(p);
    return pool ? rf_pool2d_output(&desc, &out[0], &out[1], NULL)
                : rf_conv2d_output(&conv, &out[0], &out[1], NULL);
}

static void check_sliding(random_state *random, bool pool)
{
    problem p = draw(random, pool);
    int64_t out[2];
    if (p.out[0] < 1 || p.out[1] < 1) {
        assert_int_equal(state_output(&p, pool, out), RF_ERROR_SHAPE);
    } else {
        assert_int_equal(state_output(&p, pool, out), RF_OK);
        assert_int_equal(out[0], p.out[0]);
        assert_int_equal(out[1], p.out[1]);
        expectation *expected = pool ? expect_pool(&p) : expect_convolution(&p);
        run_guarded(random, &p, pool ? run_pool : run_conv, expected);
        free(expected);
    }
    problem_free(&p);
}

static void convolutions(void **state)
{
    for (int i = 0; i < CASES; i++)
        check_sliding(*state, false);
}

static void pools(void **state)
{
    for (int i = 0; i < CASES; i++)
        check_sliding(*state, true);
}

/* A dense layer is a 1x1 convolution on one pixel, to the reference. */
static void dense_layers(void **state)
{
    random_state *random = *state;
    for (int i = 0; i < CASES / 5; i++) {
        problem p = {.batch = between(random, 1, 4), .groups = 1};
        p.in_channels = between(random, 1, 70);
        p.out_channels = between(random, 1, 40);
        p.integers = next(random) & 1;
        for (int a = 0; a < 2; a++)
            p.size[a] = p.kernel[a] = p.stride[a] = p.dilation[a] = p.out[a] = 1;
        p.input_count = (size_t)(p.batch * p.in_channels);
        p.weight_count = (size_t)(p.out_channels * p.in_channels);
        p.output_count = (size_t)(p.batch * p.out_channels);
        p.input = random_floats(random, p.input_count, p.integers);
        p.weights = random_floats(random, p.weight_count, p.integers);
        if (next(random) & 1)
            p.bias = random_floats(random, (size_t)p.out_channels, p.integers);
        expectation *expected = expect_convolution(&p);
        run_guarded(random, &p, run_dense, expected);
        free(expected);
        problem_free(&p);
    }
}

static void vectors(void **state)
{
    random_state *random = *state;
    for (int i = 0; i < CASES / 5; i++) {
        size_t count = (size_t)between(random, 1, 70);
        guarded a = guarded_make(count, i & 1), b = guarded_make(count, i & 1);
        guarded out = guarded_make(count, i & 1);
        fill(random, a.data, count, false);
        fill(random, b.data, count, false);
        assert_int_equal(rf_add(a.data, b.data, out.data, count, NULL), RF_OK);
        for (size_t k = 0; k < count; k++)
            assert_true(out.data[k] == (float)((double)a.data[k] + (double)b.data[k]));
        assert_int_equal(rf_relu(a.data, out.data, count, NULL), RF_OK);
        for (size_t k = 0; k < count; k++)
            assert_true(out.data[k] == fmaxf(a.data[k], 0));
        guarded_free(&a);
        guarded_free(&b);
        guarded_free(&out);
    }
}

static random_state seeded(void)
{
    const char *given = getenv("RF_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    return (random_state){.seed = seed, .state = seed};
}

/* Each test starts from the seed, so that one alone repeats. */
static int restart(void **state)
{
    random_state *random = *state;
    random->state = random->seed;
    return 0;
}

int main(void)
{
    random_state random = seeded();
    printf("RF_SEED=%llu\n", (unsigned long long)random.seed);
    fflush(stdout);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(convolutions, restart, NULL, &random),
        cmocka_unit_test_prestate_setup_teardown(pools, restart, NULL, &random),
        cmocka_unit_test_prestate_setup_teardown(dense_layers, restart, NULL, &random),
        cmocka_unit_test_prestate_setup_teardown(vectors, restart, NULL, &random),
    };
    return cmocka_run_group_tests_name("kernels_random", tests, NULL, NULL);
}
