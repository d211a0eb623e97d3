/* SPDX-License-Identifier: MIT */
/*
 * Layers between dequantising and quantising, done on integers, against the plain
 * loops of the same layers one by one: sums of products to a level, all else bit
 * for bit. See check_main.h for the words that it takes.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rfield/rfield.h>

#include "check_main.h"

enum { OUTPUTS = 8, MOST_CHANNELS = 40, MOST_SIDE = 12, FAST = 4, FAST_EXACT = 2, CHANGED = 4 };

static const char *const output_names[OUTPUTS] = {"sum",   "product", "largest",   "joined",
                                                  "mixed", "seen",    "collected", "highest"};
static const int allowed[OUTPUTS] = {1, 1, 0, 0, 0, 0, 0, 0};

/* Numbers that a network's constants are, and what it reads. */
typedef struct numbers {
    unsigned char x[MOST_CHANNELS * MOST_SIDE * MOST_SIDE], w[MOST_CHANNELS * MOST_CHANNELS * 9];
    unsigned char dense[MOST_CHANNELS * MOST_SIDE], zeros[3];
    float w_scale[MOST_CHANNELS], bias[MOST_CHANNELS], x_scale, y_scale, z_scale, low, high;
    int64_t rows[2];
} numbers;

static numbers *make_numbers(check_random *random)
{
    numbers *made = malloc(sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < sizeof *made; i++)
        ((unsigned char *)made)[i] = (unsigned char)check_next(random);
    for (int i = 0; i < MOST_CHANNELS; i++) {
        made->w_scale[i] = (float)check_between(random, 1, 1000) / 65536;
        made->bias[i] = (float)check_between(random, -1000, 1000) / 64;
    }
    made->x_scale = (float)check_between(random, 1, 1000) / 4096;
    made->y_scale = (float)check_between(random, 1, 1000) / 64;
    made->z_scale = (float)check_between(random, 1, 1000) / 1024;
    made->low = -2 * made->y_scale;
    made->high = (float)check_between(random, -1000, 6000) / 64; /* below the other, too */
    return made;
}

static size_t bytes_of(const rf_tensor *tensor)
{
    size_t bytes = tensor->dtype == RF_FLOAT32 ? 4 : tensor->dtype == RF_INT64 ? 8 : 1;
    for (int32_t k = 0; k < tensor->shape.rank; k++)
        bytes *= (size_t)tensor->shape.dims[k];
    return bytes;
}

static rf_tensor constant(const char *name, rf_dtype dtype, rf_shape shape, const void *data)
{
    rf_tensor made = {.name = name, .dtype = dtype, .shape = shape, .data = data};
    made.data_bytes = bytes_of(&made);
    return made;
}

/* ---- Running ------------------------------------------------------------------------------ */

typedef struct run_result {
    unsigned char *data[OUTPUTS];
    size_t bytes[OUTPUTS];
    int fast;    /* layers that a kernel of 8 bits did */
    int changed; /* that brought integers to the levels of what reads them */
} run_result;

static void count_step(rf_model_step step, run_result *result)
{
    result->fast += strncmp(step.algorithm, "8 bits", 6) == 0;
    result->changed += strcmp(step.type, "DequantizeLinear") == 0 && strcmp(step.fused, "QuantizeLinear") == 0;
}

static run_result run_network(const rf_network *network, const char *isa, bool exact, const check_buffer *x)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    rf_error error = {.message = ""};
    rf_model *model;
    rf_session *session;
    size_t count;
    run_result result = {.fast = 0};
    options.reference = !isa;
    options.isa = isa;
    options.exact = exact;
    if (rf_compile(network, &options, &model, &error) != RF_OK)
        fail_msg("%s", error.message);
    assert_int_equal(rf_session_make(model, NULL, &session, &error), RF_OK);
    assert_int_equal(rf_session_bind(session, "x", x->data, x->bytes, &error), RF_OK);
    const rf_tensor *outputs = rf_model_outputs(model, &count);
    for (size_t i = 0; i < count; i++) {
        result.bytes[i] = bytes_of(&outputs[i]);
        result.data[i] = malloc(result.bytes[i] + 1);
        assert_int_equal(rf_session_bind(session, outputs[i].name, result.data[i], result.bytes[i], &error), RF_OK);
    }
    if (rf_run(session, &error) != RF_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < rf_model_step_count(model); i++)
        count_step(rf_model_step_at(model, i), &result);
    rf_session_free(session);
    rf_model_free(model);
    return result;
}

static void free_result(run_result *result)
{
    for (size_t o = 0; o < OUTPUTS; o++)
        free(result->data[o]);
}

static int level_at(const run_result *result, size_t output, size_t i, bool is_signed)
{
    unsigned char level = result->data[output][i];
    return is_signed ? (signed char)level : level;
}

static void compare(const check_random *random, const char *isa, bool is_signed, const run_result *got,
                    const run_result *wanted)
{
    for (size_t o = 0; o < OUTPUTS; o++)
        for (size_t i = 0; i < wanted->bytes[o]; i++) {
            int a = level_at(got, o, i, is_signed), b = level_at(wanted, o, i, is_signed);
            if (abs(a - b) > allowed[o])
                fail_msg("seed %llu, %s: '%s' at %zu is %d, not %d", (unsigned long long)random->seed, isa,
                         output_names[o], i, a, b);
        }
}

static void check_all(check_random *random, const rf_network *network, const unsigned char *x)
{
    const bool is_signed = network->inputs->dtype == RF_INT8;
    check_buffer input = check_buffer_make(bytes_of(network->inputs), check_one_in(random, 2));
    memcpy(input.data, x, input.bytes);
    run_result wanted = run_network(network, NULL, false, &input);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        for (int exact = 0; exact < 2; exact++) {
            run_result got = run_network(network, set->isa, exact != 0, &input);
            assert_int_equal(got.fast, exact ? FAST_EXACT : FAST);
            assert_int_equal(got.changed, CHANGED);
            compare(random, set->isa, is_signed, &got, &wanted);
            free_result(&got);
        }
    free_result(&wanted);
    check_buffer_free(&input);
}

/* ---- The network -------------------------------------------------------------------------- */

#define OUT(name_) {.name = name_, .shape = {.rank = -1}}
#define DEQUANTIZED(name_, ...)                                                          \
    {.name = name_, .type = "DequantizeLinear", .inputs = RF_NAMES(__VA_ARGS__),         \
     .attributes = RF_ATTRIBUTES(RF_INT("axis", 0))}
#define QUANTIZED(name_, ...) {.name = name_, .type = "QuantizeLinear", .inputs = RF_NAMES(__VA_ARGS__)}
#define CONSTANT(name_, dtype_, data_, ...) constant(name_, dtype_, (rf_shape)RF_SHAPE(__VA_ARGS__), data_)
#define NUMBER(name_, dtype_, data_) constant(name_, dtype_, (rf_shape){.rank = 0}, data_)

static void check_one(check_random *random)
{
    numbers *n = make_numbers(random);
    const rf_dtype type = check_one_in(random, 2) ? RF_UINT8 : RF_INT8;
    const rf_dtype w_type = check_one_in(random, 3) ? RF_UINT8 : RF_INT8;
    const int64_t c = check_between(random, 1, MOST_CHANNELS), o = check_between(random, 1, MOST_CHANNELS);
    const int64_t kernel = check_one_in(random, 2) ? 1 : 3, side = check_between(random, 3, MOST_SIDE);
    const bool clipped = check_one_in(random, 2);
    n->rows[0] = -1;
    n->rows[1] = side;
    const rf_tensor x = {.name = "x", .dtype = type, .shape = RF_SHAPE(1, c, side, side)};
    const rf_tensor constants[] = {
        CONSTANT("w", w_type, n->w, o, c, kernel, kernel), CONSTANT("dense", w_type, n->dense, o, side),
        CONSTANT("w_scale", RF_FLOAT32, n->w_scale, o), CONSTANT("bias", RF_FLOAT32, n->bias, o),
        NUMBER("x_scale", RF_FLOAT32, &n->x_scale), NUMBER("x_zero", type, &n->zeros[0]),
        NUMBER("y_scale", RF_FLOAT32, &n->y_scale), NUMBER("y_zero", type, &n->zeros[1]),
        NUMBER("z_scale", RF_FLOAT32, &n->z_scale), NUMBER("z_zero", type, &n->zeros[2]),
        NUMBER("low", RF_FLOAT32, &n->low), NUMBER("high", RF_FLOAT32, &n->high),
        CONSTANT("rows", RF_INT64, n->rows, 2),
    };
    const rf_layer layers[] = {
        DEQUANTIZED("xf", "x", "x_scale", "x_zero"),
        DEQUANTIZED("wf", "w", "w_scale"),
        {.name = "conv", .type = "Conv", .inputs = RF_NAMES("xf", "wf", "bias"),
         .attributes = RF_ATTRIBUTES(RF_INTS("pads", 1, 1, 1, 1))},
        {.name = "limited", .type = clipped ? "Clip" : "Relu",
         .inputs = clipped ? RF_NAMES("conv", "low", "high") : RF_NAMES("conv")},
        QUANTIZED("sum", "limited", "y_scale", "y_zero"),
        {.name = "flat", .type = "Reshape", .inputs = RF_NAMES("x", "rows")},
        DEQUANTIZED("flatf", "flat", "x_scale", "x_zero"),
        DEQUANTIZED("densef", "dense", "w_scale"),
        {.name = "gemm", .type = "Gemm", .inputs = RF_NAMES("flatf", "densef", "bias"),
         .attributes = RF_ATTRIBUTES(RF_INT("transB", 1))},
        QUANTIZED("product", "gemm", "y_scale", "y_zero"),
        {.name = "pool", .type = "MaxPool", .inputs = RF_NAMES("xf"),
         .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1), RF_INTS("strides", 2, 2))},
        QUANTIZED("largest", "pool", "x_scale", "x_zero"),
        {.name = "join", .type = "Concat", .inputs = RF_NAMES("xf", "xf"), .attributes = RF_ATTRIBUTES(RF_INT("axis", 1))},
        QUANTIZED("joined", "join", "x_scale", "x_zero"),
        {.name = "square", .type = check_one_in(random, 2) ? "Mul" : "Add", .inputs = RF_NAMES("xf", "xf")},
        {.name = "positive", .type = "Relu", .inputs = RF_NAMES("square")},
        QUANTIZED("mixed", "positive", "z_scale", "z_zero"),
        DEQUANTIZED("seenf", "x", "x_scale", "x_zero"),
        {.name = "view", .type = "Reshape", .inputs = RF_NAMES("seenf", "rows")},
        QUANTIZED("seen", "view", "z_scale", "z_zero"),
        DEQUANTIZED("lowf", "x", "x_scale", "x_zero"),
        DEQUANTIZED("highf", "x", "y_scale", "y_zero"),
        DEQUANTIZED("samef", "x", "z_scale", "z_zero"),
        {.name = "collection", .type = "Concat", .inputs = RF_NAMES("lowf", "highf", "samef"),
         .attributes = RF_ATTRIBUTES(RF_INT("axis", (int64_t)check_between(random, 0, 3)))},
        QUANTIZED("collected", "collection", "z_scale", "z_zero"),
        DEQUANTIZED("poolf", "x", "y_scale", "x_zero"),
        {.name = "highs", .type = "MaxPool", .inputs = RF_NAMES("poolf"),
         .attributes = RF_ATTRIBUTES(RF_INTS("kernel_shape", 3, 3), RF_INTS("pads", 1, 1, 1, 1))},
        QUANTIZED("highest", "highs", "z_scale", "z_zero"),
    };
    const rf_tensor outputs[OUTPUTS] = {OUT("sum"),   OUT("product"), OUT("largest"),   OUT("joined"),
                                        OUT("mixed"), OUT("seen"),    OUT("collected"), OUT("highest")};
    const rf_network network = {
        .inputs = &x, .input_count = 1, .outputs = outputs, .output_count = OUTPUTS, .constants = constants,
        .constant_count = sizeof constants / sizeof *constants, .layers = layers,
        .layer_count = sizeof layers / sizeof *layers,
    };
    check_all(random, &network, n->x);
    free(n);
}

static void chains(void **state)
{
    for (int i = 0, cases = check_cases(100); i < cases; i++)
        check_one(*state);
}

int main(int argc, char **argv)
{
    static const check_program program = {.name = "levels", .tests = {{"chains", chains}}};
    return check_main(argc, argv, &program);
}
