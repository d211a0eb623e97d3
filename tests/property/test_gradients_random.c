/* SPDX-License-Identifier: MIT */
/*
 * Gradients of random networks, by all parameters and inputs: described or refused
 * by name, run by plain loops, and by each instruction set, exactly and not, by one
 * worker and by several in reverse. Workers agree to the bit, ways within rounding.
 *
 * A derivative jumps where the forward pass decides (the largest of a window, the
 * side of a bend), and rounding can decide otherwise. So ways are compared by the
 * sum of what differs, and where that is much, the plain loops are asked how far they
 * move themselves when the inputs move by rounding.
 *
 * RF_SEED is the first network's seed, RF_CASES how many there are.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/machine.h"
#include "random_plan.h"

enum { CASES = 400, WORKERS = 5, MOST = 2 * PLAN_TENSORS };

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static size_t elements_of(const rf_shape *shape)
{
    size_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= (size_t)shape->dims[k];
    return count;
}

/* Workers one after the other, last first: any order must do. */
static void run_backward(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers)
{
    (void)context;
    while (workers-- > 0)
        body(argument, workers);
}

static const rf_executor backward = {.run = run_backward, .workers = WORKERS};

/* ---- Elements ----------------------------------------------------------------------------- */

/* One buffer for each input or output of a gradient. */
typedef struct buffers {
    float *at[MOST];
    size_t count;
} buffers;

static void take(const rf_tensor *tensors, size_t count, buffers *made)
{
    assert_true(count <= MOST);
    made->count = count;
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tensors[i].dtype, RF_FLOAT32);
        made->at[i] = calloc(elements_of(&tensors[i].shape) + 1, sizeof(float));
        assert_non_null(made->at[i]);
    }
}

static void give(buffers *made)
{
    for (size_t i = 0; i < made->count; i++)
        free(made->at[i]);
}

static const rf_tensor *parameter(const random_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->network.constant_count; i++)
        if (strcmp(plan->constants[i].name, name) == 0)
            return &plan->constants[i];
    return NULL;
}

static void fill(random_plan *plan, const rf_network *gradient, buffers *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const rf_tensor *has = parameter(plan, gradient->inputs[i].name);
        size_t count = elements_of(&gradient->inputs[i].shape);
        for (size_t k = 0; k < count; k++)
            inputs->at[i][k] = has ? ((const float *)has->data)[k] : random_plan_float(plan);
    }
}

/* The inputs, moved by a few units in the last place. */
static void shake(random_plan *plan, const rf_network *gradient, const buffers *inputs, buffers *shaken)
{
    for (size_t i = 0; i < inputs->count; i++)
        for (size_t k = 0; k < elements_of(&gradient->inputs[i].shape); k++)
            shaken->at[i][k] = inputs->at[i][k] * (1 + 1e-6f * random_plan_float(plan));
}

/* ---- Runs --------------------------------------------------------------------------------- */

typedef struct trial {
    random_plan *plan;
    const rf_network *gradient;
    bool measured; /* batches */
    buffers inputs, shaken, wanted, one, many;
} trial;

static bool bind_all(const trial *of, rf_session *session, const buffers *inputs, const buffers *outputs,
                     rf_error *error)
{
    const rf_network *gradient = of->gradient;
    bool bound = true;
    for (size_t i = 0; i < gradient->input_count && bound; i++)
        bound = rf_session_bind_input(session, gradient->inputs[i].name, inputs->at[i],
                                      elements_of(&gradient->inputs[i].shape) * sizeof(float), error) == RF_OK;
    for (size_t o = 0; o < gradient->output_count && bound; o++)
        bound = rf_session_bind(session, gradient->outputs[o].name, outputs->at[o],
                                elements_of(&gradient->outputs[o].shape) * sizeof(float), error) == RF_OK;
    return bound;
}

static bool run_on(const trial *of, const buffers *inputs, const rf_compile_options *options,
                   const rf_executor *executor, const buffers *outputs)
{
    rf_error error;
    rf_model *model;
    rf_session *session;
    rf_session_options how = RF_SESSION_OPTIONS_DEFAULT;
    how.executor = executor;
    if (rf_compile(of->gradient, options, &model, &error) != RF_OK) {
        printf("compile: %s\n", error.message);
        return false;
    }
    assert_int_equal(rf_session_make(model, &how, &session, &error), RF_OK);
    bool ran = bind_all(of, session, inputs, outputs, &error) && rf_run(session, &error) == RF_OK;
    if (!ran)
        printf("run: %s\n", error.message);
    rf_session_free(session);
    rf_model_free(model);
    return ran;
}

static bool run(const trial *of, const rf_compile_options *options, const rf_executor *executor, const buffers *outputs)
{
    return run_on(of, &of->inputs, options, executor, outputs);
}

/* ---- Comparisons -------------------------------------------------------------------------- */

/* The largest finite element of all. */
static double largest(const rf_network *gradient, const buffers *of)
{
    double most = 1e-3;
    for (size_t o = 0; o < of->count; o++)
        for (size_t i = 0; i < elements_of(&gradient->outputs[o].shape); i++)
            if (isfinite(of->at[o][i]) && fabs((double)of->at[o][i]) > most)
                most = fabs((double)of->at[o][i]);
    return most;
}

/* The sum of what differs, as a share of the sum of all or, where that is more, of `least` an element: what is left
 * where large parts cancel is rounding. Infinite where one has a number and the other none. */
static double distance(const float *wanted, const float *got, size_t count, double least)
{
    double apart = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        double a = (double)wanted[i], b = (double)got[i];
        if (isfinite(a) != isfinite(b))
            return INFINITY;
        if (!isfinite(a))
            continue;
        apart += fabs(a - b);
        all += fabs(a);
    }
    return apart / fmax(all, least * (double)count + 1e-30);
}

static bool is_near(trial *of, const buffers *got, double most)
{
    const rf_network *gradient = of->gradient;
    const rf_compile_options plain = {.size = sizeof plain, .limits = RF_LIMITS_DEFAULT, .reference = true};
    const double least = 0.01 * largest(gradient, &of->wanted);
    bool near = true, shaken = false;
    for (size_t o = 0; o < gradient->output_count && near; o++) {
        size_t count = elements_of(&gradient->outputs[o].shape);
        double apart = distance(of->wanted.at[o], got->at[o], count, least);
        if (apart <= most)
            continue;
        if (!shaken) {
            shake(of->plan, gradient, &of->inputs, &of->shaken);
            near = run_on(of, &of->shaken, &plain, NULL, &of->many);
            shaken = true;
        }
        double own = distance(of->wanted.at[o], of->many.at[o], count, least);
        near = near && apart <= most + 30 * own;
        if (!near)
            printf("output %s: %.3g apart, %.3g by rounding\n", gradient->outputs[o].name, apart, own);
    }
    return near;
}

static bool is_same(const trial *of)
{
    for (size_t o = 0; o < of->gradient->output_count; o++)
        if (memcmp(of->one.at[o], of->many.at[o], elements_of(&of->gradient->outputs[o].shape) * sizeof(float)) != 0) {
            printf("output %s depends on who works\n", of->gradient->outputs[o].name);
            return false;
        }
    return true;
}

/* A channel that hardly varies is divided by the root of its variance, and its rounding too. */
static double tolerance(const trial *of, bool exact)
{
    return of->measured ? 1e-2 : exact ? 1e-4 : 1e-3;
}

static bool check_way(trial *of, const char *isa, bool exact)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.isa = isa;
    options.exact = exact;
    bool good = run(of, &options, NULL, &of->one) && run(of, &options, &backward, &of->many) && is_same(of)
                && is_near(of, &of->one, tolerance(of, exact));
    if (!good)
        printf("by %s%s\n", isa, exact ? ", exactly" : "");
    return good;
}

static bool check_gradient(random_plan *plan, const rf_network *gradient, bool measured)
{
    rf_compile_options plain = RF_COMPILE_OPTIONS_DEFAULT;
    trial of = {.plan = plan, .gradient = gradient, .measured = measured};
    plain.reference = true;
    take(gradient->inputs, gradient->input_count, &of.inputs);
    take(gradient->inputs, gradient->input_count, &of.shaken);
    take(gradient->outputs, gradient->output_count, &of.wanted);
    take(gradient->outputs, gradient->output_count, &of.one);
    take(gradient->outputs, gradient->output_count, &of.many);
    fill(plan, gradient, &of.inputs);
    bool good = run(&of, &plain, NULL, &of.wanted);
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels && good; kernels++)
        good = check_way(&of, (*kernels)->isa, true) && check_way(&of, (*kernels)->isa, false);
    give(&of.inputs);
    give(&of.shaken);
    give(&of.wanted);
    give(&of.one);
    give(&of.many);
    return good;
}

/* ---- Networks ----------------------------------------------------------------------------- */

/* A refusal names what is refused. */
static bool is_refusal(const rf_error *error)
{
    return error->status == RF_ERROR_UNSUPPORTED && error->message[0] && strchr(error->message, '\'');
}

static bool check_network(uint64_t seed, uint64_t *described)
{
    static random_plan plan;
    static const char *const by[] = {"x"};
    const rf_network *gradient;
    rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
    rf_error error = {.status = RF_OK};
    options.tensors = by;
    options.tensor_count = 1;
    random_plan_make(&plan, seed);
    bool good = true;
    if (plan.network.output_count) {
        options.output = plan.outputs[random_plan_below(&plan, (int64_t)plan.network.output_count)].name;
        options.loss = random_plan_below(&plan, 3) ? RF_LOSS_WEIGHTED_SUM : RF_LOSS_SQUARED_ERROR;
        options.measure_batches = random_plan_below(&plan, 2);
        if (rf_gradient_describe(&plan.network, &options, &gradient, &error) == RF_OK) {
            good = check_gradient(&plan, gradient, options.measure_batches);
            ++*described;
            rf_network_free(gradient);
        } else {
            good = is_refusal(&error);
            if (!good)
                printf("describe: %s\n", error.message);
        }
    }
    if (!good) {
        printf("RF_SEED=%llu RF_CASES=1\n", (unsigned long long)seed);
        random_plan_print(&plan);
    }
    random_plan_free(&plan);
    return good;
}

static void test_gradients(void **state)
{
    (void)state;
    uint64_t seed = number_from("RF_SEED", 1), cases = number_from("RF_CASES", CASES), bad = 0, described = 0;
    printf("RF_SEED=%llu RF_CASES=%llu\n", (unsigned long long)seed, (unsigned long long)cases);
    for (uint64_t i = 0; i < cases && bad < 3; i++)
        bad += !check_network(seed + i, &described);
    printf("%llu of them described\n", (unsigned long long)described);
    assert_int_equal(bad, 0);
    assert_true(described > cases * 3 / 4 || cases < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
