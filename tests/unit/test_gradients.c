/* SPDX-License-Identifier: MIT */
/*
 * Gradients against central differences: small networks of random extents, each
 * differentiated in float32 by the fast kernels and by the reference, and beside
 * that run forward in double with one number moved up and down.
 *
 * RF_SEED and RF_CASES choose the random extents and how many of each network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include <rfield/rfield.h>

enum { PROBES = 24, MOST_TENSORS = 32 };

static uint64_t state;

static uint64_t next(void)
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int pick(int low, int high)
{
    return low + (int)(next() % (uint64_t)(high - low + 1));
}

static double real(double low, double high)
{
    return low + (high - low) * (double)(next() >> 11) * 0x1p-53;
}

/* ---- Networks ----------------------------------------------------------------------------- */

/* Layers as JSON; in them $n becomes a number from 1 to 5, $k a kernel of 1 to 3, $s a stride of 1 or 2. */
typedef struct gradient_case {
    const char *name, *shape, *layers;
    double low, high; /* of the input's elements; both 0 for -1 to 1 */
} gradient_case;

#define LAYER(type_, rest_) "{\"name\": \"y\", \"type\": \"" type_ "\"" rest_ "}"
#define UNARY(type_) {type_, "2, 3, 4, 3", LAYER(type_, ""), 0, 0}
#define POSITIVE(type_) {type_, "2, 3, 4, 3", LAYER(type_, ""), 0.2, 2}
#define AFTER_CONV(type_) {"Conv and " type_, "2, 3, 6, 5", \
    "{\"name\": \"c\", \"type\": \"Conv\", \"filters\": 4, \"kernel\": 3, \"pad\": 1}," LAYER(type_, ""), 0, 0}

static const gradient_case cases[] = {
    {"Conv", "$n, $n, 9, 8", LAYER("Conv", ", \"filters\": $n, \"kernel\": $k, \"stride\": $s, \"pad\": 1"), 0, 0},
    {"Conv, wide", "2, 20, 7, 9", LAYER("Conv", ", \"filters\": 33, \"kernel\": 3, \"pad\": 1"), 0, 0},
    {"Conv, dilated", "2, 3, 9, 9", LAYER("Conv", ", \"filters\": 5, \"kernel\": 3, \"dilation\": 2, \"pad\": $s"), 0, 0},
    {"Conv, no bias", "3, $n, 7, 6", LAYER("Conv", ", \"filters\": 5, \"kernel\": 3, \"stride\": $s, \"bias\": false"), 0, 0},
    {"Conv, groups", "2, 6, 7, 6", LAYER("Conv", ", \"filters\": 9, \"kernel\": $k, \"group\": 3, \"stride\": $s"), 0, 0},
    {"Conv, depthwise", "2, 17, 8, 7", LAYER("Conv", ", \"filters\": 17, \"kernel\": 3, \"group\": 17, \"pad\": 1, "
                                                      "\"stride\": $s"), 0, 0},
    {"Conv, same", "1, 2, 7, 8", LAYER("Conv", ", \"filters\": 3, \"kernel\": $k, \"stride\": $s, \"pad\": \"same\""), 0, 0},
    {"Conv, 1 axis", "2, 3, 11", LAYER("Conv", ", \"filters\": 4, \"kernel\": 3, \"stride\": $s"), 0, 0},
    {"Conv, 3 axes", "1, 2, 5, 4, 6", LAYER("Conv", ", \"filters\": 3, \"kernel\": 2, \"stride\": $s"), 0, 0},
    {"ConvTranspose", "$n, $n, 5, 4", LAYER("ConvTranspose", ", \"filters\": $n, \"kernel\": 3, \"stride\": $s"), 0, 0},
    {"Gemm", "$n, 7", LAYER("Gemm", ", \"filters\": 5, \"transB\": 1"), 0, 0},
    {"Gemm, not turned", "$n, 7", LAYER("Gemm", ", \"filters\": 5, \"alpha\": 0.5"), 0, 0},
    {"Gemm of images", "$n, 2, 3, 4", LAYER("Gemm", ", \"filters\": 6"), 0, 0},
    {"MaxPool", "2, 3, 8, 7", LAYER("MaxPool", ", \"kernel\": $k, \"stride\": $s"), 0, 0},
    {"MaxPool, overlapping", "2, 17, 7, 7", LAYER("MaxPool", ", \"kernel\": 3, \"stride\": $s, \"pad\": 1"), 0, 0},
    {"AveragePool", "2, 3, 8, 7", LAYER("AveragePool", ", \"kernel\": $k, \"stride\": $s"), 0, 0},
    {"AveragePool, padded", "2, 17, 7, 8", LAYER("AveragePool", ", \"kernel\": 3, \"stride\": $s, \"pad\": 1"), 0, 0},
    {"AveragePool, pads counted", "2, 5, 7, 8", LAYER("AveragePool", ", \"kernel\": 3, \"stride\": $s, \"pad\": 1, "
                                                                      "\"count_include_pad\": 1"), 0, 0},
    {"GlobalAveragePool", "2, $n, 5, 4", LAYER("GlobalAveragePool", ""), 0, 0},
    {"GlobalMaxPool", "2, $n, 5, 4", LAYER("GlobalMaxPool", ""), 0, 0},
    {"BatchNormalization", "3, $n, 4, 5", LAYER("BatchNormalization", ""), 0, 0},
    {"LayerNormalization", "3, 4, 5, 6", LAYER("LayerNormalization", ", \"axis\": $s"), 0, 0},
    {"GroupNormalization", "3, 6, 4, 5", LAYER("GroupNormalization", ", \"num_groups\": 2"), 0, 0},
    {"InstanceNormalization", "3, $n, 4, 5", LAYER("InstanceNormalization", ""), 0, 0},
    UNARY("Relu"), UNARY("Sigmoid"), UNARY("Tanh"), UNARY("LeakyRelu"), UNARY("Elu"), UNARY("Selu"), UNARY("Celu"),
    UNARY("HardSigmoid"), UNARY("HardSwish"), UNARY("Softplus"), UNARY("Softsign"), UNARY("Mish"), UNARY("Gelu"),
    UNARY("Erf"), UNARY("Exp"), UNARY("Abs"), UNARY("Neg"), UNARY("Sin"), UNARY("Cos"), UNARY("Identity"),
    POSITIVE("Log"), POSITIVE("Sqrt"), POSITIVE("Reciprocal"),
    UNARY("Dropout"), UNARY("Flatten"), UNARY("Softmax"), UNARY("LogSoftmax"),
    AFTER_CONV("Relu"), AFTER_CONV("Sigmoid"), AFTER_CONV("Tanh"), AFTER_CONV("Softplus"),
    {"Transpose", "2, 3, 4, 5", LAYER("Transpose", ", \"perm\": [0, 2, 3, 1]"), 0, 0},
    {"Concat", "2, 3, 4, 5", "{\"name\": \"a\", \"type\": \"Sigmoid\", \"from\": \"x\"},"
     "{\"name\": \"b\", \"type\": \"Tanh\", \"from\": \"x\"},"
     "{\"name\": \"y\", \"type\": \"Concat\", \"from\": [\"a\", \"x\", \"b\"], \"axis\": 1}", 0, 0},
    {"Split", "2, 6, 4, 5", "{\"name\": \"s\", \"type\": \"Split\", \"axis\": 1, \"split\": [2, 4], \"outputs\": [\"a\", \"b\"]},"
     "{\"name\": \"y\", \"type\": \"Sigmoid\", \"from\": \"b\"}", 0, 0},
    {"Add, branches", "2, 3, 4, 5", "{\"name\": \"a\", \"type\": \"Conv\", \"from\": \"x\", \"filters\": 3, \"kernel\": 1},"
     "{\"name\": \"y\", \"type\": \"Add\", \"from\": [\"a\", \"x\"]}", 0, 0},
    {"Mul, broadcast", "2, 3, 4, 5", "{\"name\": \"p\", \"type\": \"GlobalAveragePool\", \"from\": \"x\"},"
     "{\"name\": \"g\", \"type\": \"Sigmoid\", \"from\": \"p\"},"
     "{\"name\": \"y\", \"type\": \"Mul\", \"from\": [\"x\", \"g\"]}", 0, 0},
    {"Sub and Div", "2, 3, 4, 5", "{\"name\": \"e\", \"type\": \"Exp\", \"from\": \"x\"},"
     "{\"name\": \"d\", \"type\": \"Sub\", \"from\": [\"x\", \"e\"]},"
     "{\"name\": \"y\", \"type\": \"Div\", \"from\": [\"d\", \"e\"]}", 0, 0},
    {"Max and Min", "2, 3, 4, 5", "{\"name\": \"e\", \"type\": \"Sin\", \"from\": \"x\"},"
     "{\"name\": \"n\", \"type\": \"Cos\", \"from\": \"x\"},"
     "{\"name\": \"m\", \"type\": \"Max\", \"from\": [\"e\", \"n\", \"x\"]},"
     "{\"name\": \"y\", \"type\": \"Min\", \"from\": [\"m\", \"n\"]}", 0, 0},
    {"PRelu", "2, 3, 4, 5", "{\"name\": \"s\", \"type\": \"Sin\", \"from\": \"x\"},"
     "{\"name\": \"y\", \"type\": \"PRelu\", \"from\": [\"x\", \"s\"]}", 0, 0},
    {"Pow", "2, 3, 4, 5", "{\"name\": \"e\", \"type\": \"Exp\", \"from\": \"x\"},"
     "{\"name\": \"y\", \"type\": \"Pow\", \"from\": [\"e\", \"x\"]}", 0, 0},
    {"Where", "2, 3, 4, 5", "{\"name\": \"e\", \"type\": \"Sin\", \"from\": \"x\"},"
     "{\"name\": \"n\", \"type\": \"Cos\", \"from\": \"x\"}, {\"name\": \"l\", \"type\": \"Less\", \"from\": [\"e\", \"n\"]},"
     "{\"name\": \"y\", \"type\": \"Where\", \"from\": [\"l\", \"e\", \"x\"]}", 0, 0},
    {"MatMul", "2, 3, 4, 5", "{\"name\": \"t\", \"type\": \"Transpose\", \"from\": \"x\", \"perm\": [0, 1, 3, 2]},"
     "{\"name\": \"y\", \"type\": \"MatMul\", \"from\": [\"x\", \"t\"]}", 0, 0},
    {"Sum and Mean", "2, 3, 4, 5", "{\"name\": \"e\", \"type\": \"Sin\", \"from\": \"x\"},"
     "{\"name\": \"m\", \"type\": \"Mean\", \"from\": [\"e\", \"x\"]},"
     "{\"name\": \"y\", \"type\": \"Sum\", \"from\": [\"m\", \"e\", \"x\"]}", 0, 0},
    {"Slice, Pad, Reshape", "2, 3, 9, 5", "{\"name\": \"s\", \"type\": \"Slice\", \"from\": \"x\", \"starts\": [1, 1], "
     "\"ends\": [8, 5], \"axes\": [2, 3], \"steps\": [$s, 1]}, {\"name\": \"e\", \"type\": \"Sin\"},"
     "{\"name\": \"p\", \"type\": \"Pad\", \"pads\": [0, 1, 0, 0, 0, 0, 0, 2]},"
     "{\"name\": \"y\", \"type\": \"Reshape\", \"shape\": [2, -1]}", 0, 0},
    {"ReduceMean", "2, 3, 4, 5", LAYER("ReduceMean", ", \"keepdims\": 0"), 0, 0},
    {"ReduceMax", "2, 3, 4, 5", LAYER("ReduceMax", ""), 0, 0},
    {"ReduceL2", "2, 3, 4, 5", LAYER("ReduceL2", ""), 0, 0},
    {"ReduceSumSquare", "2, 3, 4, 5", LAYER("ReduceSumSquare", ""), 0, 0},
    {"ReduceLogSumExp", "2, 3, 4, 5", LAYER("ReduceLogSumExp", ""), 0, 0},
    {"Resize, nearest", "2, 3, 4, 5", LAYER("Resize", ", \"mode\": \"nearest\", \"sizes\": [2, 3, 8, 7]"), 0, 0},
    {"Resize, linear", "2, 3, 4, 5", LAYER("Resize", ", \"mode\": \"linear\", \"sizes\": [2, 3, 9, 10]"), 0, 0},
    {"Resize, cubic and smaller", "2, 3, 8, 9", LAYER("Resize", ", \"mode\": \"cubic\", \"sizes\": [2, 3, 5, 4]"), 0, 0},
    {"A small network", "2, 2, 10, 10", "{\"name\": \"c1\", \"type\": \"Conv\", \"filters\": 4, \"kernel\": 3, \"pad\": 1},"
     "{\"name\": \"n1\", \"type\": \"BatchNormalization\"}, {\"name\": \"r1\", \"type\": \"Relu\"},"
     "{\"name\": \"p1\", \"type\": \"MaxPool\", \"kernel\": 2, \"stride\": 2},"
     "{\"name\": \"c2\", \"type\": \"Conv\", \"filters\": 5, \"kernel\": 3, \"stride\": 2},"
     "{\"name\": \"r2\", \"type\": \"Relu\"}, {\"name\": \"f\", \"type\": \"Flatten\"},"
     "{\"name\": \"y\", \"type\": \"Gemm\", \"filters\": 3}", 0, 0},
};

static void expand(const char *text, char *to, size_t room)
{
    size_t at = 0;
    for (; *text; text++) {
        assert_true(at + 8 < room);
        if (*text != '$') {
            to[at++] = *text;
            continue;
        }
        int number = *++text == 'n' ? pick(1, 5) : *text == 'k' ? pick(1, 3) : pick(1, 2);
        at += (size_t)snprintf(to + at, room - at, "%d", number);
    }
    to[at] = '\0';
}

#define CHECK(call_)                                                   \
    do {                                                               \
        rf_error error = {.message = ""};                              \
        if ((call_) != RF_OK)                                          \
            fail_msg("%s: %s", #call_, error.message);                 \
    } while (0)

/* Elements of constants that the text has stay with `plain`. */
static const rf_network *make_network(const gradient_case *of, const rf_network **plain)
{
    char shape[64], layers[2048], text[4096];
    const rf_network *network;
    expand(of->shape, shape, sizeof shape);
    expand(of->layers, layers, sizeof layers);
    snprintf(text, sizeof text, "{\"rfield\": 1, \"inputs\": [{\"name\": \"x\", \"shape\": [%s]}], \"outputs\": [\"y\"], "
             "\"layers\": [%s]}", shape, layers);
    CHECK(rf_network_load_json(text, strlen(text), NULL, plain, &error));
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    how.seed = next();
    how.bias = RF_BIAS_UNIFORM_FAN_IN;
    CHECK(rf_network_initialize(*plain, &how, &network, &error));
    return network;
}

/* ---- Numbers ------------------------------------------------------------------------------ */

static size_t elements_of(const rf_shape *shape)
{
    size_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= (size_t)shape->dims[k];
    return count;
}

/* A tensor in both precisions. */
typedef struct numbers {
    const char *name;
    size_t count;
    float *single;
    double *doubles;
    bool constant;
} numbers;

static numbers numbers_of(const rf_tensor *tensor, const gradient_case *of)
{
    numbers made = {.name = tensor->name, .count = elements_of(&tensor->shape), .constant = tensor->data != NULL};
    bool chosen = of->low != of->high;
    made.single = malloc(made.count * sizeof *made.single);
    made.doubles = malloc(made.count * sizeof *made.doubles);
    assert_true(made.single && made.doubles);
    if (tensor->data)
        memcpy(made.single, tensor->data, made.count * sizeof *made.single);
    for (size_t i = 0; i < made.count; i++) {
        if (!tensor->data)
            made.single[i] = (float)(chosen ? real(of->low, of->high) : real(-1, 1));
        made.doubles[i] = (double)made.single[i];
    }
    return made;
}

/* The network run forward in double, by plain loops. */
typedef struct forward {
    rf_network network;
    rf_tensor tensors[MOST_TENSORS], kept[MOST_TENSORS];
    rf_model *model;
    rf_session *session;
    numbers all[MOST_TENSORS]; /* the input, then the constants */
    size_t count;
    double *output;
    float *weights; /* of the output's elements in the loss */
    size_t outputs;
} forward;

/* Constants become inputs, so that they can be moved. */
static void forward_make(forward *it, const rf_network *network, const gradient_case *of)
{
    *it = (forward){.network = *network};
    it->network.constant_count = 0;
    assert_true(network->input_count == 1 && 1 + network->constant_count <= MOST_TENSORS);
    for (size_t i = 0; i < 1 + network->constant_count; i++) {
        const rf_tensor *from = i ? &network->constants[i - 1] : &network->inputs[0];
        if (i && from->dtype != RF_FLOAT32) {
            it->kept[it->network.constant_count++] = *from;
            continue;
        }
        it->all[it->count] = numbers_of(from, of);
        it->tensors[it->count++] = (rf_tensor){.name = from->name, .dtype = RF_FLOAT64, .shape = from->shape};
    }
    it->network.inputs = it->tensors;
    it->network.input_count = it->count;
    it->network.constants = it->kept;
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.reference = true;
    CHECK(rf_compile(&it->network, &how, &it->model, &error));
    CHECK(rf_session_make(it->model, NULL, &it->session, &error));
    for (size_t i = 0; i < it->count; i++)
        CHECK(rf_session_bind_input(it->session, it->all[i].name, it->all[i].doubles,
                                    it->all[i].count * sizeof(double), &error));
    size_t results;
    const rf_tensor *output = rf_model_outputs(it->model, &results);
    it->outputs = elements_of(&output->shape);
    it->output = malloc(it->outputs * sizeof *it->output);
    it->weights = malloc(it->outputs * sizeof *it->weights);
    assert_true(it->output && it->weights);
    for (size_t i = 0; i < it->outputs; i++)
        it->weights[i] = (float)real(-1, 1);
    CHECK(rf_session_bind(it->session, "y", it->output, it->outputs * sizeof *it->output, &error));
}

static void forward_free(forward *it)
{
    rf_session_free(it->session);
    rf_model_free(it->model);
    for (size_t i = 0; i < it->count; i++) {
        free(it->all[i].single);
        free(it->all[i].doubles);
    }
    free(it->output);
    free(it->weights);
}

static double loss_of(forward *it)
{
    double sum = 0;
    CHECK(rf_run(it->session, &error));
    for (size_t i = 0; i < it->outputs; i++)
        sum += it->output[i] * (double)it->weights[i];
    return sum;
}

static double central_difference(forward *it, double *number, double step)
{
    const double kept = *number;
    *number = kept + step;
    double up = loss_of(it);
    *number = kept - step;
    double down = loss_of(it);
    *number = kept;
    return (up - down) / (2 * step);
}

/* ---- Gradients ---------------------------------------------------------------------------- */

static bool is_differentiated(const rf_network *gradient, const char *name, char *result, size_t room)
{
    snprintf(result, room, "%s%s", name, RF_GRADIENT_SUFFIX);
    for (size_t i = 0; i < gradient->output_count; i++)
        if (strcmp(gradient->outputs[i].name, result) == 0)
            return true;
    return false;
}

/* A kink within the step spoils a difference, so that one which is off is taken again over a shorter step. */
static double difference_like(forward *it, double *number, double gradient)
{
    double difference = central_difference(it, number, 1e-8);
    if (fabs(gradient - difference) <= 1e-5 * fabs(difference))
        return difference;
    double again = central_difference(it, number, 1e-9);
    return fabs(gradient - again) < fabs(gradient - difference) ? again : difference;
}

/* Of some elements, or all of few: the largest error over the largest derivative. */
static double worst_error(forward *it, numbers *of, const float *gradient)
{
    double worst = 0, largest = 1e-3;
    size_t probes = of->count < PROBES ? of->count : PROBES;
    for (size_t k = 0; k < probes; k++) {
        size_t i = probes == of->count ? k : (size_t)(next() % of->count);
        double expected = difference_like(it, &of->doubles[i], (double)gradient[i]);
        worst = fmax(worst, fabs((double)gradient[i] - expected));
        largest = fmax(largest, fabs(expected));
    }
    return worst / largest;
}

static void check_gradient(const gradient_case *of, const rf_network *network, bool reference)
{
    static const char *const by[] = {"x"};
    const rf_network *gradient;
    rf_model *model;
    rf_session *session;
    forward ahead;
    rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
    options.tensors = by;
    options.tensor_count = 1;
    CHECK(rf_gradient_describe(network, &options, &gradient, &error));
    rf_compile_options how = RF_COMPILE_OPTIONS_DEFAULT;
    how.reference = reference;
    CHECK(rf_compile(gradient, &how, &model, &error));
    CHECK(rf_session_make(model, NULL, &session, &error));
    forward_make(&ahead, network, of);
    CHECK(rf_session_bind_input(session, RF_TARGET, ahead.weights, ahead.outputs * sizeof(float), &error));
    for (size_t i = 0; i < gradient->input_count; i++)
        for (size_t k = 0; k < ahead.count; k++)
            if (strcmp(gradient->inputs[i].name, ahead.all[k].name) == 0)
                CHECK(rf_session_bind_input(session, ahead.all[k].name, ahead.all[k].single,
                                            ahead.all[k].count * sizeof(float), &error));
    CHECK(rf_run(session, &error));
    size_t differentiated = 0;
    for (size_t k = 0; k < ahead.count; k++) {
        char name[128];
        rf_tensor result;
        if (!is_differentiated(gradient, ahead.all[k].name, name, sizeof name))
            continue;
        CHECK(rf_session_output(session, name, &result, &error));
        double wrong = worst_error(&ahead, &ahead.all[k], result.data);
        if (!(wrong <= 1e-4))
            fail_msg("%s%s: d/d %s is wrong by %g of the largest derivative", of->name, reference ? " (reference)" : "",
                     ahead.all[k].name, wrong);
        differentiated++;
    }
    assert_true(differentiated > 0);
    forward_free(&ahead);
    rf_session_free(session);
    rf_model_free(model);
    rf_network_free(gradient);
}

static void test_against_central_differences(void **unused)
{
    (void)unused;
    const char *seed = getenv("RF_SEED"), *count = getenv("RF_CASES");
    unsigned long repeats = count ? strtoul(count, NULL, 10) : 3;
    state = seed ? strtoull(seed, NULL, 10) : 1;
    printf("seed %llu\n", (unsigned long long)state);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (unsigned long r = 0; r < repeats; r++) {
            const rf_network *plain, *network = make_network(&cases[c], &plain);
            check_gradient(&cases[c], network, false);
            check_gradient(&cases[c], network, true);
            rf_network_free(network);
            rf_network_free(plain);
        }
}

/* ---- What is refused ------------------------------------------------------------------------ */

static void check_refused(const char *layers, rf_status expected, const char *named)
{
    const gradient_case of = {.name = "refused", .shape = "2, 3, 4, 4", .layers = layers};
    const rf_network *plain, *network = make_network(&of, &plain), *gradient = network;
    rf_error error = {.message = ""};
    rf_gradient_options options = RF_GRADIENT_OPTIONS_DEFAULT;
    options.tensors = (const char *const[]){"x"};
    options.tensor_count = 1;
    assert_int_equal(rf_gradient_describe(network, &options, &gradient, &error), expected);
    assert_null(gradient);
    if (!strstr(error.message, named))
        fail_msg("'%s' is not named in: %s", named, error.message);
    rf_network_free(network);
    rf_network_free(plain);
}

static void test_refusals(void **unused)
{
    (void)unused;
    check_refused(LAYER("Hardmax", ""), RF_ERROR_UNSUPPORTED, "'y' (Hardmax)");
    check_refused(LAYER("ArgMax", ""), RF_ERROR_UNSUPPORTED, "'y'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_central_differences),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
