/* SPDX-License-Identifier: MIT */
/* Optimisers against PyTorch's numbers and plain loops in double; the two forms of momentum against each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_tools.h"

static rf_optimizer *made(rf_optimizer_options options, const size_t *sizes, size_t count)
{
    rf_optimizer *optimizer;
    rf_error error = {.message = ""};
    if (rf_optimizer_make(&options, sizes, count, &optimizer, &error) != RF_OK)
        fail_msg("%s", error.message);
    return optimizer;
}

static void steps_well(rf_optimizer *optimizer, float *const *parameters, float *const *gradients)
{
    const float *const *read = (const float *const *)gradients;
    assert_int_equal(rf_optimizer_step(optimizer, parameters, read, 0.01, NULL), RF_OK);
}

static void step(rf_optimizer *optimizer, float *parameters, const float *gradient, double rate)
{
    rf_error error = {.message = ""};
    if (rf_optimizer_step(optimizer, &parameters, &gradient, rate, &error) != RF_OK)
        fail_msg("%s", error.message);
}

/* ---- Against PyTorch --------------------------------------------------------------------- */

/* What torch.optim of PyTorch 1.13 makes, in float64, of (1, -2, 0.5, 3) in 12 steps with the gradient
 * c_i p_i - 0.3 p_{i+1}, c = (1, 0.5, 2, 0.1), indices modulo 4; rate 0.05 in the first 6 steps, then 0.02;
 * momentum 0.9 in SGD's two forms of it; the last line with clip_grad_norm_ instead of decay. */
static const struct torch_case {
    rf_optimizer_kind kind;
    double weight_decay, clip_norm, parameters[4];
} torch_cases[] = {
    {RF_OPTIMIZER_SGD, 0.01, 0, {0.462870139, -1.555350029, 0.467812778, 2.954590882}},
    {RF_OPTIMIZER_MOMENTUM_II, 0.01, 0, {-0.562004446, -0.452812251, 0.411159559, 2.699080852}},
    {RF_OPTIMIZER_NESTEROV, 0.01, 0, {-0.507621592, -0.341431524, 0.404793514, 2.592542625}},
    {RF_OPTIMIZER_ADAM, 0.1, 0, {0.586527823, -1.583750752, 0.387975834, 2.578375647}},
    {RF_OPTIMIZER_ADAMW, 0.1, 0, {0.553964987, -1.509573599, 0.386112093, 2.544925414}},
    {RF_OPTIMIZER_SGD, 0.0, 0.5, {0.831757895, -1.874795689, 0.489861333, 2.997396649}},
};

static void test_torch(void **state)
{
    (void)state;
    static const double curvature[] = {1, 0.5, 2, 0.1};
    for (size_t c = 0; c < LENGTH(torch_cases); c++) {
        float p[] = {1, -2, 0.5F, 3}, g[4];
        rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
        options.kind = torch_cases[c].kind;
        options.weight_decay = torch_cases[c].weight_decay;
        options.clip_norm = torch_cases[c].clip_norm;
        rf_optimizer *optimizer = made(options, (size_t[]){4}, 1);
        for (int k = 0; k < 12; k++) {
            for (int i = 0; i < 4; i++)
                g[i] = (float)(curvature[i] * p[i] - 0.3 * p[(i + 1) % 4]);
            step(optimizer, p, g, k < 6 ? 0.05 : 0.02);
        }
        for (int i = 0; i < 4; i++)
            if (fabs(p[i] - torch_cases[c].parameters[i]) > 3e-6)
                fail_msg("case %zu: parameter %d is %.9g instead of %.9g", c, i, (double)p[i],
                         torch_cases[c].parameters[i]);
        rf_optimizer_free(optimizer);
    }
}

/* ---- The two forms of momentum ------------------------------------------------------------ */

enum { SIZE = 20, STEPS = 1000 };

/* f(p) = 1/2 p^T A p - b^T p with A = M^T M / SIZE + 0.05. */
typedef struct quadratic {
    double a[SIZE][SIZE], b[SIZE];
} quadratic;

static quadratic random_quadratic(uint64_t seed)
{
    rf_random random = rf_random_make(seed);
    double m[SIZE][SIZE];
    quadratic made = {.b = {0}};
    for (int i = 0; i < SIZE * SIZE; i++)
        m[i / SIZE][i % SIZE] = rf_random_normal(&random);
    for (int i = 0; i < SIZE; i++) {
        made.b[i] = rf_random_normal(&random);
        for (int j = 0; j < SIZE; j++) {
            made.a[i][j] = i == j ? 0.05 : 0;
            for (int k = 0; k < SIZE; k++)
                made.a[i][j] += m[k][i] * m[k][j] / SIZE;
        }
    }
    return made;
}

static void gradient_at(const quadratic *of, const float *p, float *g)
{
    for (int i = 0; i < SIZE; i++) {
        double sum = -of->b[i];
        for (int j = 0; j < SIZE; j++)
            sum += of->a[i][j] * p[j];
        g[i] = (float)sum;
    }
}

/* The largest difference of the iterates of both forms over all steps, relative to the largest parameter. */
static double difference(const quadratic *of, double momentum, bool constant)
{
    static const size_t size = SIZE;
    rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
    options.momentum = momentum;
    options.kind = RF_OPTIMIZER_MOMENTUM_I;
    rf_optimizer *first = made(options, &size, 1);
    options.kind = RF_OPTIMIZER_MOMENTUM_II;
    rf_optimizer *second = made(options, &size, 1);
    float p[SIZE] = {0}, q[SIZE] = {0}, g[SIZE];
    double largest = 0, scale = 0;
    for (int k = 0; k < STEPS; k++) {
        double rate = constant || k % 2 ? 0.02 : 0.04;
        gradient_at(of, p, g);
        step(first, p, g, rate);
        gradient_at(of, q, g);
        step(second, q, g, rate);
        for (int i = 0; i < SIZE; i++) {
            largest = fmax(largest, fabs((double)p[i] - q[i]));
            scale = fmax(scale, fabs(q[i]));
        }
    }
    rf_optimizer_free(first);
    rf_optimizer_free(second);
    return largest / scale;
}

static void test_two_forms(void **state)
{
    (void)state;
    static const double momenta[] = {0, 0.5, 0.9, 0.99};
    double largest = 0, varying = HUGE_VAL;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        quadratic of = random_quadratic(seed);
        for (size_t m = 0; m < LENGTH(momenta); m++)
            largest = fmax(largest, difference(&of, momenta[m], true));
        varying = fmin(varying, difference(&of, 0.9, false));
    }
    print_message("forms I and II over %d steps of 80 problems: largest difference %.3g of the largest parameter;"
                  " with a rate that varies at least %.3g\n", STEPS, largest, varying);
    /* Each step rounds to 2^-24; what the gradient doesn't take back sums up. */
    assert_true(largest < 32 * 0x1p-24);
    assert_true(varying > 1e-3);
}

/* ---- Against plain loops ------------------------------------------------------------------ */

/* One parameter, in double. */
typedef struct plain_state {
    double before, speed, mean, square, p1, p2;
} plain_state;

static double plain_step(const rf_optimizer_options *how, plain_state *state, double p, double g, double rate)
{
    double now = p, m = how->momentum;
    if (how->kind != RF_OPTIMIZER_ADAMW)
        g += how->weight_decay * p;
    switch (how->kind) {
    case RF_OPTIMIZER_SGD:
        return p - rate * g;
    case RF_OPTIMIZER_MOMENTUM_I:
        p = p - rate * g + m * (p - state->before);
        state->before = now;
        return p;
    case RF_OPTIMIZER_MOMENTUM_II:
        state->speed = g + m * state->speed;
        return p - rate * state->speed;
    case RF_OPTIMIZER_NESTEROV:
        state->speed = g + m * state->speed;
        return p - rate * (g + m * state->speed);
    default:
        if (how->kind == RF_OPTIMIZER_ADAMW)
            p -= rate * how->weight_decay * p;
        state->mean = how->beta1 * state->mean + (1 - how->beta1) * g;
        state->square = how->beta2 * state->square + (1 - how->beta2) * g * g;
        state->p1 *= how->beta1;
        state->p2 *= how->beta2;
        return p - rate * (state->mean / (1 - state->p1)) / (sqrt(state->square / (1 - state->p2)) + how->epsilon);
    }
}

enum { TENSORS = 4, TOTAL = 5 + 0 + 10001 + 4096 };
static const size_t sizes[TENSORS] = {5, 0, 10001, 4096};

/* All tensors in one piece of memory, and where each begins. */
static void spread(float *at, float **tensors)
{
    for (size_t t = 0; t < TENSORS; at += sizes[t++])
        tensors[t] = at;
}

static double norm_of(const float *at, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)at[i] * at[i];
    return sqrt(sum);
}

static void check_plain(rf_optimizer_options options)
{
    float *p = malloc(TOTAL * sizeof *p), *g = malloc(TOTAL * sizeof *g), *tensors[TENSORS], *gradients[TENSORS];
    double *expected = malloc(TOTAL * sizeof *expected);
    plain_state *states = calloc(TOTAL, sizeof *states);
    rf_optimizer *optimizer = made(options, sizes, TENSORS);
    spread(p, tensors);
    spread(g, gradients);
    fill_random(p, TOTAL, 1);
    for (size_t i = 0; i < TOTAL; i++) {
        expected[i] = p[i];
        states[i] = (plain_state){.before = p[i], .p1 = 1, .p2 = 1};
    }
    for (uint64_t k = 0; k < 8; k++) {
        double rate = 0.01 * (double)(k + 1);
        fill_random(g, TOTAL, 100 + k);
        double norm = norm_of(g, TOTAL), scale = options.clip_norm > 0 ? fmin(1, options.clip_norm / norm) : 1;
        assert_int_equal(rf_optimizer_step(optimizer, tensors, (const float *const *)gradients, rate, NULL), RF_OK);
        assert_true(fabs(rf_optimizer_gradient_norm(optimizer) / norm - 1) < 1e-12);
        for (size_t i = 0; i < TOTAL; i++)
            expected[i] = plain_step(&options, &states[i], expected[i], scale * g[i], rate);
    }
    for (size_t i = 0; i < TOTAL; i++)
        if (fabs(p[i] - expected[i]) > 3e-6)
            fail_msg("kind %d: parameter %zu is %.9g instead of %.9g", (int)options.kind, i, (double)p[i],
                     expected[i]);
    rf_optimizer_free(optimizer);
    free(p);
    free(g);
    free(expected);
    free(states);
}

static void test_plain_loops(void **state)
{
    (void)state;
    for (int kind = 0; kind <= RF_OPTIMIZER_ADAMW; kind++)
        for (int variant = 0; variant < 3; variant++) {
            rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
            options.kind = (rf_optimizer_kind)kind;
            options.weight_decay = variant == 1 ? 0.1 : 0;
            options.clip_norm = variant == 2 ? 20 : 0;
            options.epsilon = 1e-4;
            check_plain(options);
        }
}

/* ---- Workers ------------------------------------------------------------------------------ */

static void run_kind(rf_optimizer_kind kind, const rf_executor *executor, float *p)
{
    float *g = malloc(TOTAL * sizeof *g), *tensors[TENSORS], *gradients[TENSORS];
    rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
    options.kind = kind;
    options.executor = executor;
    options.clip_norm = 30;
    rf_optimizer *optimizer = made(options, sizes, TENSORS);
    spread(p, tensors);
    spread(g, gradients);
    fill_random(p, TOTAL, 5);
    for (uint64_t k = 0; k < 5; k++) {
        fill_random(g, TOTAL, k);
        steps_well(optimizer, tensors, gradients);
    }
    rf_optimizer_free(optimizer);
    free(g);
}

static void test_workers(void **state)
{
    (void)state;
    float *alone = malloc(TOTAL * sizeof *alone), *shared = malloc(TOTAL * sizeof *shared);
    for (int kind = 0; kind <= RF_OPTIMIZER_ADAMW; kind++) {
        run_kind((rf_optimizer_kind)kind, NULL, alone);
        for (size_t workers = 2; workers < 12; workers += 3) {
            size_t calls = 0;
            rf_executor executor = {run_backward, &calls, workers};
            run_kind((rf_optimizer_kind)kind, &executor, shared);
            assert_memory_equal(alone, shared, TOTAL * sizeof *alone);
            assert_int_equal(calls, 10);
        }
    }
    free(alone);
    free(shared);
}

/* ---- Failures ----------------------------------------------------------------------------- */

static void test_not_finite(void **state)
{
    (void)state;
    static const float wrong[] = {NAN, INFINITY, -INFINITY};
    float *p = malloc(TOTAL * sizeof *p), *g = malloc(TOTAL * sizeof *g), *before = malloc(TOTAL * sizeof *p);
    float *again = malloc(TOTAL * sizeof *p), *tensors[TENSORS], *gradients[TENSORS];
    for (int kind = 0; kind <= RF_OPTIMIZER_ADAMW; kind++) {
        rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
        options.kind = (rf_optimizer_kind)kind;
        rf_optimizer *optimizer = made(options, sizes, TENSORS);
        spread(p, tensors);
        spread(g, gradients);
        fill_random(p, TOTAL, 5);
        for (uint64_t k = 0; k < 5; k++) {
            rf_error error = {.message = ""};
            fill_random(g, TOTAL, k);
            memcpy(before, p, TOTAL * sizeof *p);
            float good = g[5 + 8000 + k];
            g[5 + 8000 + k] = wrong[k % 3];
            assert_int_equal(rf_optimizer_step(optimizer, tensors, (const float *const *)gradients, 0.01, &error),
                             RF_ERROR_NUMBER);
            char words[64];
            snprintf(words, sizeof words, "element %d of gradient 2 is", 8000 + (int)k);
            assert_non_null(strstr(error.message, words));
            assert_memory_equal(p, before, TOTAL * sizeof *p);
            g[5 + 8000 + k] = good;
            steps_well(optimizer, tensors, gradients);
        }
        rf_optimizer_free(optimizer);
        /* The refused steps left the state alone, too. */
        optimizer = made(options, sizes, TENSORS);
        spread(again, tensors);
        fill_random(again, TOTAL, 5);
        for (uint64_t k = 0; k < 5; k++) {
            fill_random(g, TOTAL, k);
            steps_well(optimizer, tensors, gradients);
        }
        assert_memory_equal(p, again, TOTAL * sizeof *p);
        rf_optimizer_free(optimizer);
    }
    free(p);
    free(g);
    free(before);
    free(again);
}

/* The largest float is finite, and so is its square. */
static void test_large_gradient(void **state)
{
    (void)state;
    float p[3] = {1, 2, 3};
    const float g[3] = {3.4e38F, -3.4e38F, 3.4e38F};
    rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
    options.kind = RF_OPTIMIZER_SGD;
    options.clip_norm = 1;
    rf_optimizer *optimizer = made(options, (size_t[]){3}, 1);
    step(optimizer, p, g, 1);
    assert_true(fabs(p[0] - (1 - sqrt(1.0 / 3))) < 1e-6);
    rf_optimizer_free(optimizer);
}

static void expect(rf_optimizer_options options, rf_status status, const char *words)
{
    rf_optimizer *optimizer;
    rf_error error = {.message = ""};
    assert_string_equal(rf_status_name(rf_optimizer_make(&options, sizes, TENSORS, &optimizer, &error)),
                        rf_status_name(status));
    assert_null(optimizer);
    if (!strstr(error.message, words))
        fail_msg("'%s' is not in '%s'", words, error.message);
}

static void test_options(void **state)
{
    (void)state;
    const rf_optimizer_options good = RF_OPTIMIZER_OPTIONS_DEFAULT;
    const rf_executor nobody = {.workers = 0};
    rf_optimizer_options options = good;
    options.kind = (rf_optimizer_kind)77;
    expect(options, RF_ERROR_ARGUMENT, "kind is 77");
    options = good;
    options.momentum = 1;
    expect(options, RF_ERROR_ARGUMENT, "momentum is 1");
    options = good;
    options.beta2 = NAN;
    expect(options, RF_ERROR_ARGUMENT, "beta2 is nan");
    options = good;
    options.epsilon = 0;
    expect(options, RF_ERROR_ARGUMENT, "epsilon is 0");
    options = good;
    options.weight_decay = HUGE_VAL;
    expect(options, RF_ERROR_ARGUMENT, "weight_decay is inf");
    options = good;
    options.clip_norm = -1;
    expect(options, RF_ERROR_ARGUMENT, "clip_norm is -1");
    options = good;
    options.executor = &nobody;
    expect(options, RF_ERROR_ARGUMENT, "executor");
    options = good;
    options.limits.memory_bytes = 10000;
    expect(options, RF_ERROR_LIMIT, "memory_bytes");
    rf_optimizer *optimizer;
    assert_int_equal(rf_optimizer_make(&good, (size_t[]){SIZE_MAX, 2}, 2, &optimizer, NULL), RF_ERROR_OVERFLOW);
    assert_int_equal(rf_optimizer_make(&good, (size_t[]){SIZE_MAX / 2}, 1, &optimizer, NULL), RF_ERROR_LIMIT);
    assert_int_equal(rf_optimizer_make(&good, NULL, 2, &optimizer, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_optimizer_make(&good, sizes, 2, NULL, NULL), RF_ERROR_ARGUMENT);
}

static void test_step_arguments(void **state)
{
    (void)state;
    float p[5] = {0}, *parameters[TENSORS] = {p};
    rf_optimizer *optimizer = made((rf_optimizer_options)RF_OPTIMIZER_OPTIONS_DEFAULT, sizes, TENSORS);
    const float *const *gradients = (const float *const *)parameters;
    rf_error error;
    assert_int_equal(rf_optimizer_step(NULL, parameters, gradients, 1, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_optimizer_step(optimizer, NULL, gradients, 1, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_optimizer_step(optimizer, parameters, NULL, 1, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_optimizer_step(optimizer, parameters, gradients, 1, &error), RF_ERROR_ARGUMENT);
    assert_string_equal(error.message, "parameters[2] is NULL");
    assert_int_equal(rf_optimizer_step(optimizer, parameters, gradients, NAN, NULL), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_optimizer_step(optimizer, parameters, gradients, 1e300, NULL), RF_ERROR_ARGUMENT);
    rf_optimizer_free(optimizer);
    optimizer = made((rf_optimizer_options)RF_OPTIMIZER_OPTIONS_DEFAULT, NULL, 0);
    assert_int_equal(rf_optimizer_step(optimizer, NULL, NULL, 1, NULL), RF_OK);
    assert_true(rf_optimizer_gradient_norm(optimizer) == 0);
    rf_optimizer_free(optimizer);
    rf_optimizer_free(NULL);
}

static void test_memory(void **state)
{
    (void)state;
    rf_optimizer_options options = RF_OPTIMIZER_OPTIONS_DEFAULT;
    options.kind = RF_OPTIMIZER_ADAM;
    rf_status status = RF_ERROR_MEMORY;
    counted_memory memory;
    for (size_t refused = 1; status != RF_OK; refused++) {
        rf_optimizer *optimizer;
        counted_memory_init(&memory, refused);
        options.allocator = &memory.allocator;
        status = rf_optimizer_make(&options, sizes, TENSORS, &optimizer, NULL);
        assert_true(status == RF_OK || (status == RF_ERROR_MEMORY && !optimizer));
        size_t calls = memory.calls;
        if (optimizer) {
            float *p = calloc(TOTAL, sizeof *p), *tensors[TENSORS];
            spread(p, tensors);
            assert_int_equal(rf_optimizer_step(optimizer, tensors, (const float *const *)tensors, 0, NULL), RF_OK);
            free(p);
        }
        assert_int_equal(memory.calls, calls);
        rf_optimizer_free(optimizer);
        assert_int_equal(memory.live, 0);
    }
}

/* ---- Schedules ---------------------------------------------------------------------------- */

static void assert_rate(rf_schedule schedule, uint64_t step_, double expected)
{
    double rate = rf_schedule_rate(&schedule, step_);
    if (fabs(rate - expected) > 1e-12)
        fail_msg("step %d: the rate is %.15g instead of %.15g", (int)step_, rate, expected);
}

static void test_schedules(void **state)
{
    (void)state;
    rf_schedule constant = {.kind = RF_SCHEDULE_CONSTANT, .rate = 0.1};
    assert_rate(constant, 0, 0.1);
    assert_rate(constant, UINT64_MAX, 0.1);
    rf_schedule steps = {.kind = RF_SCHEDULE_STEP, .rate = 0.8, .factor = 0.5, .interval = 10};
    assert_rate(steps, 9, 0.8);
    assert_rate(steps, 10, 0.4);
    assert_rate(steps, 39, 0.1);
    rf_schedule exponential = {.kind = RF_SCHEDULE_EXPONENTIAL, .rate = 0.8, .factor = 0.25, .interval = 4};
    assert_rate(exponential, 2, 0.4);
    assert_rate(exponential, 4, 0.2);
    rf_schedule cosine = {.kind = RF_SCHEDULE_COSINE, .rate = 1, .final_rate = 0.2, .steps = 12};
    assert_rate(cosine, 0, 1);
    assert_rate(cosine, 4, 0.8);
    assert_rate(cosine, 6, 0.6);
    assert_rate(cosine, 12, 0.2);
    assert_rate(cosine, 100, 0.2);
    rf_schedule cycle = {.kind = RF_SCHEDULE_ONE_CYCLE, .initial_rate = 0.1, .rate = 1, .final_rate = 0, .peak = 6,
                         .steps = 18};
    assert_rate(cycle, 0, 0.1);
    assert_rate(cycle, 3, 0.55);
    assert_rate(cycle, 6, 1);
    assert_rate(cycle, 10, 0.75);
    assert_rate(cycle, 18, 0);
    cosine.warmup = 3;
    assert_rate(cosine, 0, 0.25);
    assert_rate(cosine, 2, 0.75);
    assert_rate(cosine, 3, 1);
    assert_rate(cosine, 9, 0.6);
}

/* Whatever the numbers, an answer. */
static void test_odd_schedules(void **state)
{
    (void)state;
    assert_rate((rf_schedule){.kind = RF_SCHEDULE_COSINE, .rate = 1, .final_rate = 0.5}, 0, 0.5);
    assert_rate((rf_schedule){.kind = RF_SCHEDULE_STEP, .rate = 1, .factor = 0.5}, 1, 0.5);
    rf_schedule late = {.kind = RF_SCHEDULE_ONE_CYCLE, .rate = 1, .final_rate = 0.5, .peak = 5, .steps = 2};
    assert_rate(late, 7, 0.5);
    assert_rate((rf_schedule){.kind = (rf_schedule_kind)9, .rate = 1}, 0, 0);
    assert_rate((rf_schedule){.rate = 1, .warmup = UINT64_MAX}, 0, 1 / (double)UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torch),          cmocka_unit_test(test_two_forms),
        cmocka_unit_test(test_plain_loops),    cmocka_unit_test(test_workers),
        cmocka_unit_test(test_not_finite),     cmocka_unit_test(test_large_gradient),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_step_arguments),
        cmocka_unit_test(test_memory),         cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_odd_schedules),
    };
    return cmocka_run_group_tests_name("optimisers", tests, NULL, NULL);
}
