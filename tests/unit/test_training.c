/* SPDX-License-Identifier: MIT */
/* Trainers: what they learn, that the bits don't depend on threads, and that bad batches change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "run_tools.h"

enum { BATCH = 16, SIDE = 6, PIXELS = SIDE * SIDE, CLASSES = 4, MOST = 4096 };

static const rf_tensor inputs[] = {{.name = "pixels", .dtype = RF_FLOAT32, .shape = RF_SHAPE(RF_UNKNOWN_DIM, 1, SIDE, SIDE)}};
static const rf_layer layers[] = {
    {.name = "conv", .type = "Conv",
     .attributes = RF_ATTRIBUTES(RF_INT("filters", 8), RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1))},
    {.name = "norm", .type = "BatchNormalization"},
    {.name = "relu", .type = "Relu"},
    {.name = "pool", .type = "MaxPool", .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 2, 2), RF_INTS("strides", 2, 2))},
    {.name = "flat", .type = "Flatten"},
    {.name = "hidden", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", 12), RF_INT("transB", 1))},
    {.name = "tanh", .type = "Tanh"},
    {.name = "scores", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", CLASSES), RF_INT("transB", 1))},
};
static const rf_network plain = {.name = "learner", .inputs = inputs, .input_count = 1, .layers = layers,
                                 .layer_count = LENGTH(layers)};
static const rf_binding binding = {.name = "pixels", .shape = RF_SHAPE(BATCH, 1, SIDE, SIDE)};

#define CHECK(call_)                                     \
    do {                                                 \
        rf_error error = {.message = ""};                \
        if ((call_) != RF_OK)                            \
            fail_msg("%s: %s", #call_, error.message);   \
    } while (0)

/* A network with weights, its trainer, and a batch. */
typedef struct lesson {
    const rf_network *network;
    rf_trainer *trainer;
    float pixels[BATCH * PIXELS];
    int64_t classes[BATCH];
    rf_random random;
} lesson;

static void lesson_make(lesson *it, rf_trainer_options options)
{
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.bindings = options.bindings = &binding;
    how.binding_count = options.binding_count = 1;
    it->random = rf_random_make(7);
    CHECK(rf_network_initialize(&plain, &how, &it->network, &error));
    CHECK(rf_trainer_make(it->network, &options, &it->trainer, &error));
    CHECK(rf_trainer_bind(it->trainer, "pixels", it->pixels, sizeof it->pixels, &error));
    CHECK(rf_trainer_bind(it->trainer, RF_TARGET, it->classes, sizeof it->classes, &error));
}

static void lesson_free(lesson *it)
{
    rf_trainer_free(it->trainer);
    rf_network_free(it->network);
}

/* The class is the quarter that is bright, under noise. */
static void new_batch(lesson *it)
{
    for (size_t n = 0; n < BATCH; n++) {
        it->classes[n] = (int64_t)rf_random_below(&it->random, CLASSES);
        for (int64_t y = 0; y < SIDE; y++)
            for (int64_t x = 0; x < SIDE; x++) {
                bool bright = y / 3 == it->classes[n] / 2 && x / 3 == it->classes[n] % 2;
                it->pixels[n * PIXELS + (size_t)(y * SIDE + x)] = (float)(bright + 0.5 * rf_random_normal(&it->random));
            }
    }
}

static double learn(lesson *it, size_t steps, double rate)
{
    double loss = 0;
    for (size_t k = 0; k < steps; k++) {
        new_batch(it);
        CHECK(rf_backward(it->trainer, &loss, &error));
        CHECK(rf_trainer_step(it->trainer, rate, &error));
    }
    return loss;
}

/* All parameters one after the other; how many there are. */
static size_t copy_parameters(const rf_trainer *trainer, float *to)
{
    size_t count, all = 0;
    const rf_parameter *parameters = rf_trainer_parameters(trainer, &count);
    for (size_t i = 0; i < count; i++) {
        assert_true(all + parameters[i].count <= MOST);
        memcpy(to + all, parameters[i].values, parameters[i].count * sizeof *to);
        all += parameters[i].count;
    }
    return all;
}

/* ---- Learning ------------------------------------------------------------------------------ */

static void test_learns(void **unused)
{
    static lesson it;
    (void)unused;
    lesson_make(&it, (rf_trainer_options)RF_TRAINER_OPTIONS_DEFAULT);
    size_t count;
    const rf_parameter *parameters = rf_trainer_parameters(it.trainer, &count);
    assert_int_equal(count, 8);
    assert_string_equal(parameters[0].name, "conv.weight");
    double first = learn(&it, 1, 0.05), last = learn(&it, 200, 0.05);
    assert_true(first > 0.5);
    assert_true(last < 0.1);
    lesson_free(&it);
}

/* What has been learnt runs as any network does, with the statistics that were measured on the way. */
static void test_gives_the_network(void **unused)
{
    static lesson it;
    (void)unused;
    lesson_make(&it, (rf_trainer_options)RF_TRAINER_OPTIONS_DEFAULT);
    learn(&it, 200, 0.05);
    const rf_network *learnt;
    CHECK(rf_trainer_network(it.trainer, &learnt, &error));
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.bindings = &binding;
    how.binding_count = 1;
    rf_model *model = compiled(learnt, &how);
    rf_session *session;
    rf_tensor scores;
    CHECK(rf_session_make(model, NULL, &session, &error));
    CHECK(rf_session_bind_input(session, "pixels", it.pixels, sizeof it.pixels, &error));
    size_t right = 0, tried = 0;
    for (size_t batch = 0; batch < 20; batch++) {
        new_batch(&it);
        CHECK(rf_run(session, &error));
        CHECK(rf_session_output(session, "scores", &scores, &error));
        const float *at = scores.data;
        for (size_t n = 0; n < BATCH; n++, at += CLASSES, tried++) {
            size_t best = 0;
            for (size_t k = 1; k < CLASSES; k++)
                best = at[k] > at[best] ? k : best;
            right += best == (size_t)it.classes[n];
        }
    }
    assert_true(right > tried * 95 / 100);
    rf_session_free(session);
    rf_model_free(model);
    rf_network_free(learnt);
    lesson_free(&it);
}

static void test_same_bits_for_workers(void **unused)
{
    static lesson alone, many;
    static float a[MOST], b[MOST];
    size_t calls = 0;
    const rf_executor five = {.context = &calls, .run = run_backward, .workers = 5};
    rf_trainer_options options = RF_TRAINER_OPTIONS_DEFAULT;
    (void)unused;
    lesson_make(&alone, options);
    options.executor = &five;
    lesson_make(&many, options);
    learn(&alone, 20, 0.05);
    learn(&many, 20, 0.05);
    size_t count = copy_parameters(alone.trainer, a);
    assert_int_equal(count, copy_parameters(many.trainer, b));
    assert_memory_equal(a, b, count * sizeof *a);
    assert_true(calls > 0);
    lesson_free(&alone);
    lesson_free(&many);
}

/* Both forms of momentum on a network; rates that don't make it chaotic. */
static void test_momentum_forms_agree(void **unused)
{
    static lesson one, two;
    static float a[MOST], b[MOST];
    rf_trainer_options options = RF_TRAINER_OPTIONS_DEFAULT;
    double largest = 0;
    (void)unused;
    options.optimizer.kind = RF_OPTIMIZER_MOMENTUM_I;
    lesson_make(&one, options);
    options.optimizer.kind = RF_OPTIMIZER_MOMENTUM_II;
    lesson_make(&two, options);
    for (size_t step = 0; step < 1000; step++) {
        learn(&one, 1, 0.001);
        learn(&two, 1, 0.001);
        size_t count = copy_parameters(one.trainer, a);
        copy_parameters(two.trainer, b);
        for (size_t i = 0; i < count; i++)
            largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    }
    printf("largest difference of the two forms of momentum in 1000 steps: %.3g\n", largest);
    assert_true(largest < 1e-3);
    lesson_free(&one);
    lesson_free(&two);
}

/* ---- What goes wrong ------------------------------------------------------------------------- */

static void check_unchanged(lesson *it, const float *before, size_t count)
{
    static float now[MOST];
    copy_parameters(it->trainer, now);
    assert_memory_equal(before, now, count * sizeof *now);
}

static void test_bad_batches(void **unused)
{
    static lesson it;
    static float before[MOST];
    rf_error error = {.message = ""};
    double loss;
    (void)unused;
    lesson_make(&it, (rf_trainer_options)RF_TRAINER_OPTIONS_DEFAULT);
    learn(&it, 3, 0.05);
    size_t count = copy_parameters(it.trainer, before);

    new_batch(&it);
    it.classes[5] = CLASSES;
    assert_int_equal(rf_backward(it.trainer, &loss, &error), RF_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "4"));
    it.classes[5] = -1;
    assert_int_equal(rf_backward(it.trainer, &loss, &error), RF_ERROR_SHAPE);

    new_batch(&it);
    it.pixels[9] = NAN;
    assert_int_equal(rf_backward(it.trainer, &loss, &error), RF_ERROR_NUMBER);
    assert_non_null(strstr(error.message, "scores"));
    assert_int_equal(rf_trainer_step(it.trainer, 0.05, &error), RF_ERROR_NUMBER);
    assert_non_null(strstr(error.message, "gradient"));
    check_unchanged(&it, before, count);

    new_batch(&it);
    assert_int_equal(rf_trainer_step(it.trainer, NAN, &error), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_trainer_bind(it.trainer, "conv.weight", before, sizeof before, &error), RF_ERROR_ARGUMENT);
    assert_int_equal(rf_trainer_bind(it.trainer, "nothing", before, sizeof before, &error), RF_ERROR_NOT_FOUND);
    learn(&it, 3, 0.05);
    lesson_free(&it);
}

static void check_no_trainer(const rf_network *network, rf_status expected, const char *named)
{
    rf_trainer_options options = RF_TRAINER_OPTIONS_DEFAULT;
    rf_trainer *trainer = (rf_trainer *)&options;
    rf_error error = {.message = ""};
    options.bindings = &binding;
    options.binding_count = 1;
    assert_int_equal(rf_trainer_make(network, &options, &trainer, &error), expected);
    assert_null(trainer);
    if (!strstr(error.message, named))
        fail_msg("'%s' is not named in: %s", named, error.message);
}

static const rf_layer flat[] = {{.name = "flat", .type = "Flatten"}};
static const rf_layer hard[] = {{.name = "flat", .type = "Flatten"},
                                {.name = "dense", .type = "Gemm", .attributes = RF_ATTRIBUTES(RF_INT("filters", 4))},
                                {.name = "hard", .type = "Hardmax"}};

static void test_networks_that_cannot_learn(void **unused)
{
    rf_network network = plain;
    const rf_network *made;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    (void)unused;
    check_no_trainer(&plain, RF_ERROR_GRAPH, "conv");
    network.layers = flat;
    network.layer_count = LENGTH(flat);
    check_no_trainer(&network, RF_ERROR_GRAPH, "parameters");
    network.layers = hard;
    network.layer_count = LENGTH(hard);
    how.bindings = &binding;
    how.binding_count = 1;
    CHECK(rf_network_initialize(&network, &how, &made, &error));
    check_no_trainer(made, RF_ERROR_UNSUPPORTED, "'hard' (Hardmax)");
    rf_network_free(made);
}

/* Whatever call gets no memory, there is an error and nothing is left. */
static void test_memory_runs_out(void **unused)
{
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    const rf_network *network;
    (void)unused;
    how.bindings = &binding;
    how.binding_count = 1;
    CHECK(rf_network_initialize(&plain, &how, &network, &error));
    bool made = false;
    for (size_t refuse = 1; !made; refuse++) {
        counted_memory memory;
        rf_trainer *trainer;
        rf_error error;
        counted_memory_init(&memory, refuse);
        rf_trainer_options options = RF_TRAINER_OPTIONS_DEFAULT;
        options.allocator = &memory.allocator;
        options.bindings = &binding;
        options.binding_count = 1;
        rf_status status = rf_trainer_make(network, &options, &trainer, &error);
        made = status == RF_OK;
        if (!made)
            assert_int_equal(status, RF_ERROR_MEMORY);
        rf_trainer_free(trainer);
        assert_int_equal(memory.live, 0);
        assert_true(refuse < 1000);
    }
    rf_network_free(network);
}

/* All memory is taken when a trainer is made. */
static void test_steps_allocate_nothing(void **unused)
{
    static lesson it;
    counted_memory memory;
    rf_trainer_options options = RF_TRAINER_OPTIONS_DEFAULT;
    (void)unused;
    counted_memory_init(&memory, 0);
    options.allocator = &memory.allocator;
    lesson_make(&it, options);
    size_t calls = memory.calls, live = memory.live;
    assert_true(calls > 0);
    learn(&it, 5, 0.05);
    assert_int_equal(memory.calls, calls);
    assert_int_equal(memory.live, live);
    lesson_free(&it);
    assert_int_equal(memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_gives_the_network),
        cmocka_unit_test(test_same_bits_for_workers),
        cmocka_unit_test(test_momentum_forms_agree),
        cmocka_unit_test(test_bad_batches),
        cmocka_unit_test(test_networks_that_cannot_learn),
        cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_steps_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
