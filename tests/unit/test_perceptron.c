/* SPDX-License-Identifier: MIT */
/* The gradients of multilayer perceptrons by the textbook's formulas in double, against the described gradient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "perceptron.h"

#define CHECK(call_)                              \
    do {                                          \
        if ((call_) != RF_OK)                     \
            fail_msg("%s: %s", #call_, error.message); \
    } while (0)

static rf_error error;

/* The norm of the difference, over the norm. */
static void check_gradient(rf_session *session, const char *name, const double *expected, size_t count)
{
    char full[64];
    rf_tensor output;
    double wrong = 0, norm = norm_of(expected, count);
    snprintf(full, sizeof full, "%s%s", name, RF_GRADIENT_SUFFIX);
    CHECK(rf_session_output(session, full, &output, &error));
    assert_int_equal(output.data_bytes, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        double difference = (double)((const float *)output.data)[i] - expected[i];
        wrong += difference * difference;
    }
    if (!(sqrt(wrong) <= 1e-5 * norm))
        fail_msg("dL/d%s is wrong by %g of %g", name, sqrt(wrong), norm);
}

static void check_formulas(size_t depth, const char *activation, uint64_t seed)
{
    float x[EXAMPLES * MOST_WIDTH], target[EXAMPLES * MOST_WIDTH];
    const rf_network *gradient;
    rf_model *model;
    rf_session *session;
    rf_random random = rf_random_make(seed + 1000);
    perceptron *it = make_perceptron(depth, 0, activation, 1.4, seed);
    for (size_t i = 0; i < EXAMPLES * MOST_WIDTH; i++) {
        x[i] = (float)rf_random_normal(&random);
        target[i] = (float)rf_random_normal(&random);
    }
    formulas *expected = make_formulas(it, x, target);
    rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
    options.loss = RF_LOSS_SQUARED_ERROR;
    CHECK(rf_gradient_describe(&it->network, &options, &gradient, &error));
    CHECK(rf_compile(gradient, NULL, &model, &error));
    CHECK(rf_session_make(model, NULL, &session, &error));
    CHECK(rf_session_bind_input(session, "x", x, EXAMPLES * it->widths[0] * sizeof *x, &error));
    CHECK(rf_session_bind_input(session, RF_TARGET, target, EXAMPLES * it->widths[depth] * sizeof *x, &error));
    for (size_t c = 0; c < it->network.constant_count; c++)
        CHECK(rf_session_bind_input(session, it->constants[c].name, it->constants[c].data,
                                    it->constants[c].data_bytes, &error));
    CHECK(rf_run(session, &error));
    for (size_t l = 1; l <= depth; l++) {
        check_gradient(session, it->text[l][0], expected->weights[l], it->widths[l] * it->widths[l - 1]);
        check_gradient(session, it->text[l][1], expected->biases[l], it->widths[l]);
    }
    rf_session_free(session);
    rf_model_free(model);
    rf_network_free(gradient);
    free(expected);
    free(it);
}

static void test_formulas(void **unused)
{
    static const char *const activations[] = {"Sigmoid", "Tanh", "Relu"};
    (void)unused;
    for (size_t a = 0; a < 3; a++)
        for (size_t depth = 1; depth <= 8; depth++)
            for (uint64_t seed = 1; seed <= 3; seed++)
                check_formulas(depth, activations[a], 100 * a + 10 * depth + seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
