/* SPDX-License-Identifier: MIT */
/* Small networks with results worked out by hand, and what a session does between runs. */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/machine.h"

#define FLOATS(name_, data_, ...) \
    {.name = (name_), .dtype = RF_FLOAT32, .shape = RF_SHAPE(__VA_ARGS__), .data = (data_), .data_bytes = sizeof(data_)}
#define INTEGERS(name_, data_, ...) \
    {.name = (name_), .dtype = RF_INT64, .shape = RF_SHAPE(__VA_ARGS__), .data = (data_), .data_bytes = sizeof(data_)}
#define IS_OUTPUT(name_) {.name = (name_), .shape = {.rank = -1}}

/* A network whose description lies in arrays of these names. */
#define NETWORK_OF(inputs_, constants_, layers_)                                                          \
    {.inputs = (inputs_), .input_count = LENGTH(inputs_), .constants = (constants_),                      \
     .constant_count = LENGTH(constants_), .layers = (layers_), .layer_count = LENGTH(layers_)}

static rf_session *session_of(const rf_model *model)
{
    rf_session *session;
    assert_int_equal(rf_session_make(model, NULL, &session, NULL), RF_OK);
    return session;
}

static rf_tensor output_of(const rf_session *session, const char *name)
{
    rf_tensor output;
    assert_int_equal(rf_session_output(session, name, &output, NULL), RF_OK);
    return output;
}

/* Runs once, with one input, and compares an output that the session keeps. */
static void expect_floats(const rf_network *network, const rf_compile_options *options, const void *input, size_t bytes,
                          const char *name, const float *wanted, size_t count)
{
    rf_model *model = compiled(network, options);
    rf_session *session = session_of(model);
    size_t inputs;
    const rf_tensor *tensors = rf_model_inputs(model, &inputs);
    assert_int_equal(inputs, 1);
    assert_int_equal(rf_session_bind_input(session, tensors[0].name, input, bytes, NULL), RF_OK);
    assert_int_equal(rf_run(session, NULL), RF_OK);
    rf_tensor output = output_of(session, name);
    assert_int_equal(output.data_bytes, count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        assert_float_equal(((const float *)output.data)[i], wanted[i], 1e-6);
    rf_session_free(session);
    rf_model_free(model);
}

/* By every instruction set, and by the plain loops. */
static void expect_everywhere(const rf_network *network, const void *input, size_t bytes, const char *name,
                              const float *wanted, size_t count)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    for (const rf_kernels *const *kernels = rf_machine_kernels(); *kernels; kernels++) {
        options.isa = (*kernels)->isa;
        expect_floats(network, &options, input, bytes, name, wanted, count);
    }
    options.isa = NULL;
    options.reference = true;
    expect_floats(network, &options, input, bytes, name, wanted, count);
}

/* ---- By hand ------------------------------------------------------------------------------ */

/* 1 + 2 + 4 + 5 = 12, and so on; less 20, what is below 0 becomes 0. */
static void convolution(void **state)
{
    (void)state;
    static const float ones[4] = {1, 1, 1, 1}, bias[1] = {-20}, pixels[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(1, 1, 3, 3)}};
    const rf_tensor constants[] = {FLOATS("w", ones, 1, 1, 2, 2), FLOATS("b", bias, 1)};
    const rf_layer layers[] = {
        {.name = "sum", .type = "Conv", .inputs = RF_NAMES("x", "w", "b")}, {.name = "y", .type = "Relu"},
    };
    const rf_network network = NETWORK_OF(inputs, constants, layers);
    expect_everywhere(&network, pixels, sizeof pixels, "y", (const float[]){0, 0, 4, 8}, 4);
}

/* Channels [1 2] and [10 20]; rows of the kernel (1, 2) and (3, 4): 21 42 and 43 86. With the residual
 * 22 44 and 53 106, of which the larger along the width is kept. */
static const float mixing[4] = {1, 2, 3, 4};
static const rf_tensor residual_inputs[] = {{.name = "x", .shape = RF_SHAPE(1, 2, 1, 2)}};
static const rf_tensor residual_constants[] = {FLOATS("w", mixing, 2, 2, 1, 1)};
static const rf_layer residual_layers[] = {
    {.name = "mix", .type = "Conv", .inputs = RF_NAMES("x", "w")},
    {.name = "sum", .type = "Add", .inputs = RF_NAMES("mix", "x")},
    {.name = "y", .type = "MaxPool", .inputs = RF_NAMES("sum"),
     .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 1, 2))},
};
static const rf_network residual_network = NETWORK_OF(residual_inputs, residual_constants, residual_layers);

static void residual(void **state)
{
    (void)state;
    static const float pixels[4] = {1, 2, 10, 20};
    expect_everywhere(&residual_network, pixels, sizeof pixels, "y", (const float[]){44, 106}, 2);
}

static void channels_last(void **state)
{
    (void)state;
    static const float turned[4] = {1, 10, 2, 20};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.layout = RF_NHWC;
    expect_floats(&residual_network, &options, turned, sizeof turned, "y", (const float[]){44, 106}, 2);
    rf_network sum = residual_network;
    sum.layer_count = 2;
    expect_floats(&sum, &options, turned, sizeof turned, "sum", (const float[]){22, 53, 44, 106}, 4);
    rf_model *model = compiled(&sum, &options);
    size_t count;
    const rf_shape *shape = &rf_model_outputs(model, &count)->shape; /* stated as NCHW all the same */
    assert_true(shape->dims[1] == 2 && shape->dims[2] == 1 && shape->dims[3] == 2);
    rf_model_free(model);
}

/* 2 (z - 3) / 2 + 1 = z - 2, with z = 3 x: folded into the convolution's weights. */
static void normalisation_folds(void **state)
{
    (void)state;
    static const float triple[1] = {3}, gamma[1] = {2}, beta[1] = {1}, mean[1] = {3}, variance[1] = {4};
    static const float pixels[3] = {1, 2, -1};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(1, 1, 1, 3)}};
    const rf_tensor constants[] = {FLOATS("w", triple, 1, 1, 1, 1), FLOATS("g", gamma, 1), FLOATS("b", beta, 1),
                                   FLOATS("m", mean, 1), FLOATS("v", variance, 1)};
    const rf_layer layers[] = {
        {.name = "c", .type = "Conv", .inputs = RF_NAMES("x", "w")},
        {.name = "y", .type = "BatchNormalization", .inputs = RF_NAMES("c", "g", "b", "m", "v"),
         .attributes = RF_ATTRIBUTES(RF_FLOAT("epsilon", 0))},
    };
    const rf_network network = NETWORK_OF(inputs, constants, layers);
    expect_everywhere(&network, pixels, sizeof pixels, "y", (const float[]){1, 4, -5}, 3);
    rf_model *model = compiled(&network, NULL);
    bool seen = false;
    for (size_t i = 0; i < rf_model_step_count(model); i++)
        seen |= strstr(rf_model_step_at(model, i).fused, "BatchNormalization") != NULL;
    assert_true(seen);
    rf_model_free(model);
}

/* x = [1 2]: 1 * 1 + 2 * 3 + 0.5 = 7.5 and 1 * 2 + 2 * 4 - 2.5 = 7.5, which are equally likely. */
static void dense_and_softmax(void **state)
{
    (void)state;
    static const float bias[2] = {0.5f, -2.5f}, x[2] = {1, 2};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(1, 2)}};
    const rf_tensor constants[] = {FLOATS("w", mixing, 2, 2), FLOATS("b", bias, 2)};
    const rf_layer layers[] = {
        {.name = "z", .type = "Gemm", .inputs = RF_NAMES("x", "w", "b")}, {.name = "y", .type = "Softmax"},
    };
    rf_network network = NETWORK_OF(inputs, constants, layers);
    expect_everywhere(&network, x, sizeof x, "y", (const float[]){0.5f, 0.5f}, 2);
    network.layer_count = 1;
    expect_everywhere(&network, x, sizeof x, "z", (const float[]){7.5f, 7.5f}, 2);
}

/* Views all the way: the halves of [1 2 3 4; 5 6 7 8] change places and the result is turned. */
static void moving(void **state)
{
    (void)state;
    static const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(2, 4)}};
    const rf_layer layers[] = {
        {.name = "s", .type = "Split", .inputs = RF_NAMES("x"), .outputs = RF_NAMES("left", "right"),
         .attributes = RF_ATTRIBUTES(RF_INT("axis", 1), RF_INT("num_outputs", 2))},
        {.name = "c", .type = "Concat", .inputs = RF_NAMES("right", "left"),
         .attributes = RF_ATTRIBUTES(RF_INT("axis", 1))},
        {.name = "y", .type = "Transpose", .inputs = RF_NAMES("c")},
    };
    const rf_network network = {.inputs = inputs, .input_count = 1, .layers = layers, .layer_count = 3};
    expect_everywhere(&network, x, sizeof x, "y", (const float[]){3, 7, 4, 8, 1, 5, 2, 6}, 8);
}

/* An input that is an output, a constant that is one, one tensor read on, one seen in two shapes. */
static void unusual_outputs(void **state)
{
    (void)state;
    static const float three[2] = {3, -3}, x[2] = {-1, 1};
    static const int64_t flat[1] = {2};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(1, 2)}};
    const rf_tensor constants[] = {FLOATS("k", three, 1, 2), INTEGERS("flat", flat, 1)};
    const rf_tensor outputs[] = {IS_OUTPUT("x"), IS_OUTPUT("k"), IS_OUTPUT("a"),
                                 IS_OUTPUT("v"), IS_OUTPUT("y"), IS_OUTPUT("f")};
    const rf_layer layers[] = {
        {.name = "a", .type = "Add", .inputs = RF_NAMES("x", "k")},
        {.name = "v", .type = "Reshape", .inputs = RF_NAMES("a", "flat")},
        {.name = "y", .type = "Neg", .inputs = RF_NAMES("a")},
        {.name = "f", .type = "Neg", .inputs = RF_NAMES("k")},
    };
    rf_network network = NETWORK_OF(inputs, constants, layers);
    network.outputs = outputs;
    network.output_count = LENGTH(outputs);
    expect_everywhere(&network, x, sizeof x, "x", x, 2);
    expect_everywhere(&network, x, sizeof x, "k", three, 2);
    expect_everywhere(&network, x, sizeof x, "a", (const float[]){2, -2}, 2);
    expect_everywhere(&network, x, sizeof x, "v", (const float[]){2, -2}, 2);
    expect_everywhere(&network, x, sizeof x, "y", (const float[]){-2, 2}, 2);
    expect_everywhere(&network, x, sizeof x, "f", (const float[]){-3, 3}, 2);
}

static void nothing_to_do(void **state)
{
    (void)state;
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(1, 0, 4)}};
    const rf_layer layers[] = {{.name = "y", .type = "Relu"}};
    const rf_network network = {.inputs = inputs, .input_count = 1, .layers = layers, .layer_count = 1};
    const float none = 0;
    expect_everywhere(&network, &none, 0, "y", &none, 0);
}

static void integers(void **state)
{
    (void)state;
    static const int64_t divisor[2] = {3, -1}, x[2] = {7, INT64_MIN}, zero[2] = {0, 0};
    const rf_tensor inputs[] = {{.name = "x", .dtype = RF_INT64, .shape = RF_SHAPE(2)},
                                {.name = "d", .dtype = RF_INT64, .shape = RF_SHAPE(2)}};
    const rf_layer layers[] = {{.name = "y", .type = "Div", .inputs = RF_NAMES("x", "d")}};
    const rf_network network = {.inputs = inputs, .input_count = 2, .layers = layers, .layer_count = 1};
    rf_model *model = compiled(&network, NULL);
    rf_session *session = session_of(model);
    rf_error error = {.message = ""};
    assert_int_equal(rf_session_bind_input(session, "x", x, sizeof x, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, "d", zero, sizeof zero, NULL), RF_OK);
    assert_int_not_equal(rf_run(session, &error), RF_OK); /* division by 0 */
    assert_non_null(strstr(error.message, "'y'"));
    assert_int_equal(rf_session_bind_input(session, "d", divisor, sizeof divisor, NULL), RF_OK);
    assert_int_equal(rf_run(session, NULL), RF_OK);
    const int64_t *y = output_of(session, "y").data;
    assert_int_equal(y[0], 2);
    assert_true(y[1] == INT64_MIN);
    rf_session_free(session);
    rf_model_free(model);
}

/* ---- Values ------------------------------------------------------------------------------- */

/* A shape that is an input, and numbers that several layers pass on: copied when compiled. */
static void values(void **state)
{
    (void)state;
    static const float x[6] = {1, 2, 3, 4, 5, 6};
    int64_t shape[2] = {3, 2};
    float added[2] = {10, 20};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(2, 3)},
                                {.name = "shape", .dtype = RF_INT64, .shape = RF_SHAPE(2)},
                                {.name = "k", .shape = RF_SHAPE(2)}};
    const rf_tensor given[] = {INTEGERS("shape", shape, 2), FLOATS("k", added, 2)};
    const rf_tensor outputs[] = {IS_OUTPUT("y")};
    const rf_layer layers[] = {
        {.name = "r", .type = "Reshape", .inputs = RF_NAMES("x", "shape")},
        {.name = "same", .type = "Identity", .inputs = RF_NAMES("k")},
        {.name = "s", .type = "Add", .inputs = RF_NAMES("r", "same")},
        {.name = "y", .type = "Add", .inputs = RF_NAMES("s", "k")},
    };
    const rf_network network = {.inputs = inputs, .input_count = 3, .outputs = outputs, .output_count = 1,
                                .layers = layers, .layer_count = 4};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.values = given;
    options.value_count = 2;
    rf_model *model = compiled(&network, &options);
    shape[0] = added[0] = added[1] = 99;
    size_t count;
    const rf_tensor *left = rf_model_inputs(model, &count);
    assert_int_equal(count, 1);
    assert_string_equal(left->name, "x");
    rf_session *session = session_of(model);
    assert_int_equal(rf_session_bind_input(session, "x", x, sizeof x, NULL), RF_OK);
    assert_int_equal(rf_session_bind_input(session, "k", x, sizeof x, NULL), RF_ERROR_NOT_FOUND);
    assert_int_equal(rf_run(session, NULL), RF_OK);
    rf_tensor y = output_of(session, "y");
    assert_true(y.shape.dims[0] == 3 && y.shape.dims[1] == 2);
    const float wanted[] = {21, 42, 23, 44, 25, 46};
    assert_memory_equal(y.data, wanted, sizeof wanted);
    rf_session_free(session);
    rf_model_free(model);
}

/* ---- Shapes that elements decide ---------------------------------------------------------- */

static void expect_places(rf_session *session, const float *x, const int64_t *wanted, int64_t count,
                          const int64_t *bound)
{
    assert_int_equal(rf_session_bind_input(session, "x", x, 4 * sizeof *x, NULL), RF_OK);
    assert_int_equal(rf_run(session, NULL), RF_OK);
    rf_tensor y = output_of(session, "y");
    assert_int_equal(y.shape.rank, 2);
    assert_int_equal(y.shape.dims[0], 1);
    assert_int_equal(y.shape.dims[1], count);
    assert_int_equal(y.data_bytes, (size_t)count * sizeof(int64_t));
    if (bound)
        assert_ptr_equal(y.data, bound);
    assert_memory_equal(y.data, wanted, y.data_bytes);
}

static void ragged(void **state)
{
    (void)state;
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(4)}};
    const rf_layer layers[] = {{.name = "y", .type = "NonZero"}};
    const rf_network network = {.inputs = inputs, .input_count = 1, .layers = layers, .layer_count = 1};
    rf_model *model = compiled(&network, NULL);
    size_t count;
    assert_int_equal(rf_model_outputs(model, &count)->shape.dims[1], 4); /* the most there can be */
    rf_session *session = session_of(model);
    int64_t places[4];
    for (int round = 0; round < 2; round++) {
        const int64_t *bound = round ? places : NULL;
        if (round)
            assert_int_equal(rf_session_bind(session, "y", places, sizeof places, NULL), RF_OK);
        expect_places(session, (const float[]){0, 1, 0, 1}, (const int64_t[]){1, 3}, 2, bound);
        expect_places(session, (const float[]){1, 1, 1, 1}, (const int64_t[]){0, 1, 2, 3}, 4, bound);
        expect_places(session, (const float[]){0, 0, 0, 0}, NULL, 0, bound);
        expect_places(session, (const float[]){0, 0, 0, 5}, (const int64_t[]){3}, 1, bound);
    }
    assert_int_equal(rf_session_bind(session, "y", places, sizeof places - 1, NULL), RF_ERROR_ARGUMENT);
    rf_session_free(session);
    rf_model_free(model);
}

/* ---- Sharing ------------------------------------------------------------------------------ */

static rf_model *shared_model(const rf_network *network, const rf_model *with, int64_t images, counted_memory *memory)
{
    const rf_binding binding = {.name = "x", .shape = RF_SHAPE(images, 3, 32, 32)};
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.bindings = &binding;
    options.binding_count = 1;
    options.share = with;
    options.allocator = &memory->allocator;
    return compiled(network, &options);
}

static void run_to(const rf_model *model, bound_run *run)
{
    bound_run_make(run, model, NULL, 5);
    bound_run_go(run);
}

/* `first_gone`: which of the two models is given back before the other runs again. */
static void share_and_free(bool first_gone)
{
    rf_network network = mixed_network();
    counted_memory memory;
    counted_memory_init(&memory, 0);
    rf_model *alone = shared_model(&network, NULL, 1, &memory);
    size_t whole = memory.live;
    uint64_t packed = rf_model_memory_needed(alone).packed_bytes;
    rf_model *second = shared_model(&network, alone, 1, &memory), *larger = shared_model(&network, second, 3, &memory);
    assert_true(packed > 0);
    assert_int_equal(rf_model_memory_needed(second).packed_bytes, packed);
    assert_true(memory.live - whole < 2 * whole - packed); /* neither has packed all of it again */
    bound_run before, after;
    run_to(alone, &before);
    run_to(second, &after);
    assert_true(bound_runs_agree(&before, &after));
    bound_run_free(&after);
    bound_run_free(&before);
    rf_model_free(first_gone ? alone : second);
    run_to(first_gone ? second : alone, &before);
    bound_run_free(&before);
    run_to(larger, &before);
    bound_run_free(&before);
    rf_model_free(first_gone ? second : alone);
    run_to(larger, &before);
    bound_run_free(&before);
    rf_model_free(larger);
    assert_int_equal(memory.live, 0);
}

static void sharing(void **state)
{
    (void)state;
    share_and_free(true);
    share_and_free(false);
}

/* ---- Observing ---------------------------------------------------------------------------- */

typedef struct watch {
    size_t seen, stop_before;
} watch;

static bool look(void *context, const rf_session *session, size_t step)
{
    watch *own = context;
    (void)session;
    assert_int_equal(step, own->seen);
    if (step == own->stop_before)
        return false;
    own->seen++;
    return true;
}

static void observing(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_model *model = compiled(&network, NULL);
    bound_run run, undisturbed;
    bound_run_make(&run, model, NULL, 3);
    bound_run_make(&undisturbed, model, NULL, 3);
    bound_run_go(&undisturbed);
    size_t steps = rf_model_step_count(model);
    for (size_t stop = 0; stop <= steps; stop++) {
        watch own = {.stop_before = stop};
        rf_error error = {.message = ""};
        rf_session_observe(run.session, look, &own);
        assert_int_equal(rf_run(run.session, &error), stop < steps ? RF_ERROR_STOPPED : RF_OK);
        assert_int_equal(own.seen, stop);
    }
    rf_session_observe(run.session, NULL, NULL);
    memset(run.outputs[0].start, 0, run.outputs[0].bytes);
    bound_run_go(&run);
    assert_true(bound_runs_agree(&run, &undisturbed));
    bound_run_free(&run);
    bound_run_free(&undisturbed);
    rf_model_free(model);
}

/* What a model says of its steps, and counts of one that runs by plain loops. */
static void steps(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    options.reference = true;
    rf_model *model = compiled(&network, &options);
    bound_run run;
    run_to(model, &run);
    uint64_t macs = 0;
    for (size_t i = 0; i < rf_model_step_count(model); i++) {
        rf_model_step step = rf_model_step_at(model, i);
        assert_true(step.layer && step.type && step.algorithm && step.fused);
        if (step.index != SIZE_MAX)
            assert_string_equal(step.layer, network.layers[step.index].name);
        macs += rf_session_counts(run.session, i).macs;
    }
    const rf_analysis *analysis;
    assert_int_equal(rf_analyze(&network, NULL, &analysis, NULL), RF_OK);
    assert_int_equal(macs, analysis->valid.macs);
    rf_analysis_free(analysis);
    bound_run_free(&run);
    rf_model_free(model);
}

/* A batch whose channels are 1 to 5 but for one element, which is 4 more: enough to be summed in parts. */
static void batch_of_channels(void **state)
{
    enum { BATCH = 16, CHANNELS = 5, PIXELS = 512, EACH = BATCH * PIXELS };
    static const char *const types[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceSumSquare", "ReduceL2"};
    const rf_tensor inputs[] = {{.name = "x", .shape = RF_SHAPE(BATCH, CHANNELS, 16, 32)}};
    float *x = malloc(CHANNELS * EACH * sizeof *x);
    (void)state;
    assert_non_null(x);
    for (int i = 0; i < CHANNELS * EACH; i++)
        x[i] = (float)(i / PIXELS % CHANNELS + 1 + 4 * (i % PIXELS == 100 && i / PIXELS / CHANNELS == 3));
    for (size_t k = 0; k < LENGTH(types); k++) {
        const rf_layer layers[] = {{.name = "y", .type = types[k], .inputs = RF_NAMES("x"),
                                    .attributes = RF_ATTRIBUTES(RF_INTS("axes", 0, 2, 3), RF_INT("keepdims", 0))}};
        const rf_network network = {.inputs = inputs, .input_count = 1, .layers = layers, .layer_count = 1, .opset = 11};
        float wanted[CHANNELS];
        for (int c = 1; c <= CHANNELS; c++) {
            float sum = (float)(EACH * c + 4), squares = (float)((EACH - 1) * c * c + (c + 4) * (c + 4));
            const float all[] = {sum, sum / EACH, (float)c + 4, squares, sqrtf(squares)};
            wanted[c - 1] = all[k];
        }
        expect_everywhere(&network, x, CHANNELS * EACH * sizeof *x, "y", wanted, CHANNELS);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution),         cmocka_unit_test(residual),          cmocka_unit_test(channels_last),
        cmocka_unit_test(normalisation_folds), cmocka_unit_test(dense_and_softmax), cmocka_unit_test(moving),
        cmocka_unit_test(unusual_outputs),     cmocka_unit_test(nothing_to_do),     cmocka_unit_test(integers),
        cmocka_unit_test(values),              cmocka_unit_test(ragged),            cmocka_unit_test(sharing),
        cmocka_unit_test(batch_of_channels),
        cmocka_unit_test(observing),           cmocka_unit_test(steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
