/* SPDX-License-Identifier: MIT */
/*
 * Convolutions and matrix products of 8-bit integers by every instruction set,
 * bit for bit against the plain loops of the same model, over random shapes,
 * types, zero points and numbers of workers. See check_main.h for the words that
 * it takes.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rfield/rfield.h>

#include "check_main.h"

enum { MOST_CONSTANTS = 9, MOST_WORKERS = 3 };

/* One layer and what it reads. */
typedef struct problem {
    const char *type;
    rf_tensor input, constants[MOST_CONSTANTS];
    size_t constant_count;
    const char *names[12];
    int64_t kernel[2], strides[2], dilations[2], pads[4], group;
    rf_attribute attributes[6];
    rf_layer layer;
    rf_network network;
} problem;

/* ---- Making one --------------------------------------------------------------------------- */

static int64_t elements_of(const rf_shape *shape)
{
    int64_t count = 1;
    for (int32_t k = 0; k < shape->rank; k++)
        count *= shape->dims[k];
    return count;
}

static size_t bytes_of(const rf_tensor *tensor)
{
    size_t each = tensor->dtype == RF_INT32 || tensor->dtype == RF_FLOAT32 ? 4 : 1;
    return (size_t)elements_of(&tensor->shape) * each;
}

static void fill_bytes(check_random *random, void *at, size_t count, bool extreme)
{
    unsigned char *bytes = at;
    for (size_t i = 0; i < count; i++)
        bytes[i] = extreme ? (check_one_in(random, 2) ? 0x7f : 0x80) : (unsigned char)check_next(random);
}

static rf_tensor *add_constant(problem *p, const char *name, rf_dtype dtype, const rf_shape *shape)
{
    rf_tensor *made = &p->constants[p->constant_count++];
    *made = (rf_tensor){.name = name, .dtype = dtype, .shape = *shape};
    made->data_bytes = bytes_of(made);
    made->data = malloc(made->data_bytes + 1);
    assert_non_null(made->data);
    return made;
}

static void add_bytes(check_random *random, problem *p, const char *name, rf_dtype dtype, const rf_shape *shape)
{
    const rf_tensor *made = add_constant(p, name, dtype, shape);
    fill_bytes(random, (void *)made->data, made->data_bytes, check_one_in(random, 8));
}

static void add_zero(check_random *random, problem *p, const char *name, rf_dtype dtype, const rf_shape *shape)
{
    const rf_tensor *made = add_constant(p, name, dtype, shape);
    fill_bytes(random, (void *)made->data, made->data_bytes, check_one_in(random, 8));
    if (check_one_in(random, 2))
        memset((void *)made->data, dtype == RF_UINT8 && check_one_in(random, 2) ? 128 : 0, made->data_bytes);
}

static void add_scales(check_random *random, problem *p, const char *name, float most, const rf_shape *shape)
{
    const rf_tensor *made = add_constant(p, name, RF_FLOAT32, shape);
    for (int64_t i = 0; i < elements_of(shape); i++) {
        /* Powers of two make halves, which must be told from their neighbours. */
        float scale = most * (check_one_in(random, 2) ? 1 : (float)check_between(random, 1, 1000) / 1000);
        memcpy((char *)made->data + i * 4, &scale, sizeof scale);
    }
}

static void add_bias(check_random *random, problem *p, int64_t channels)
{
    const rf_shape shape = RF_SHAPE(channels);
    const rf_tensor *made = add_constant(p, "bias", RF_INT32, &shape);
    for (int64_t i = 0; i < channels; i++) {
        int32_t bias = (int32_t)check_between(random, -5000, 5000);
        if (check_one_in(random, 500))
            bias = check_one_in(random, 2) ? INT32_MAX : INT32_MIN;
        memcpy((char *)made->data + i * 4, &bias, sizeof bias);
    }
}

static rf_dtype any_type(check_random *random)
{
    return check_one_in(random, 2) ? RF_UINT8 : RF_INT8;
}

static void set_names(problem *p, bool linear, bool bias)
{
    static const char *const linear_names[] = {"x",   "x_scale", "x_zero", "w", "w_scale",
                                               "w_zero", "y_scale", "y_zero", "bias"};
    static const char *const integer_names[] = {"x", "w", "x_zero", "w_zero"};
    size_t count = linear ? 8u + bias : 4;
    memcpy(p->names, linear ? linear_names : integer_names, count * sizeof *p->names);
}

/* What goes with both factors, and the output's type. */
static void add_numbers(check_random *random, problem *p, rf_dtype weight_type, int64_t channels, bool linear,
                        int64_t depth)
{
    const rf_shape single = {.rank = 0}, each = RF_SHAPE(channels);
    const rf_shape *per = check_one_in(random, 2) ? &single : &each;
    add_zero(random, p, "x_zero", p->input.dtype, &single);
    add_zero(random, p, "w_zero", weight_type, per);
    if (!linear)
        return;
    add_scales(random, p, "x_scale", 0.25f, &single);
    add_scales(random, p, "w_scale", 0.5f, per);
    add_scales(random, p, "y_scale", (float)depth / 4 + 1, &single);
    add_zero(random, p, "y_zero", any_type(random), &single);
}

static void finish(problem *p)
{
    p->layer.name = "y";
    p->layer.type = p->type;
    p->layer.inputs = p->names;
    p->network = (rf_network){.inputs = &p->input, .input_count = 1, .constants = p->constants,
                              .constant_count = p->constant_count, .layers = &p->layer, .layer_count = 1};
}

static void set_attributes(problem *p, int32_t axes)
{
    const rf_attribute list[] = {
        {.name = "strides", .type = RF_ATTRIBUTE_INTS, .count = (size_t)axes, .value = {.ints = p->strides}},
        {.name = "dilations", .type = RF_ATTRIBUTE_INTS, .count = (size_t)axes, .value = {.ints = p->dilations}},
        {.name = "pads", .type = RF_ATTRIBUTE_INTS, .count = 2 * (size_t)axes, .value = {.ints = p->pads}},
        RF_INT("group", p->group),
        {.name = NULL},
    };
    memcpy(p->attributes, list, sizeof list);
    p->layer.attributes = p->attributes;
}

static void make_convolution(check_random *random, problem *p)
{
    const bool linear = !check_one_in(random, 4), bias = check_one_in(random, 2);
    const int32_t axes = check_one_in(random, 5) ? 1 : 2;
    const bool depthwise = check_one_in(random, 4), simple = check_one_in(random, 3);
    p->group = depthwise ? check_between(random, 2, 150) : check_one_in(random, 4) ? check_between(random, 2, 4) : 1;
    int64_t inputs = depthwise ? 1 : check_between(random, 1, check_one_in(random, 4) ? 80 : 9);
    int64_t outputs = depthwise ? 1 : check_between(random, 1, check_one_in(random, 3) ? 100 : 20);
    rf_shape x = {.rank = 2 + axes, .dims = {check_between(random, 1, 2), inputs * p->group}};
    rf_shape w = {.rank = 2 + axes, .dims = {outputs * p->group, inputs}};
    p->type = linear ? "QLinearConv" : "ConvInteger";
    for (int32_t k = 0; k < axes; k++) {
        w.dims[2 + k] = simple ? 1 : check_between(random, 1, 5);
        p->strides[k] = check_between(random, 1, check_one_in(random, 2) ? 3 : 1);
        p->dilations[k] = check_between(random, 1, check_one_in(random, 4) ? 3 : 1);
        for (int i = 0; i < 2; i++)
            p->pads[k + i * axes] = check_one_in(random, 2) ? check_between(random, 0, 3) : 0;
        x.dims[2 + k] = check_between(random, 1, 20) + p->dilations[k] * (w.dims[2 + k] - 1);
    }
    p->input = (rf_tensor){.name = "x", .dtype = any_type(random), .shape = x};
    const rf_dtype type = any_type(random);
    add_bytes(random, p, "w", type, &w);
    add_numbers(random, p, type, w.dims[0], linear, elements_of(&w) / w.dims[0]);
    if (linear && bias)
        add_bias(random, p, w.dims[0]);
    set_names(p, linear, bias);
    set_attributes(p, axes);
}

static void make_product(check_random *random, problem *p)
{
    const bool linear = !check_one_in(random, 4);
    const int64_t terms = check_between(random, 1, 90), columns = check_between(random, 1, 70);
    rf_shape x = {.rank = (int32_t)check_between(random, 2, 3), .dims = {check_between(random, 1, 30)}};
    x.dims[1] = check_between(random, 1, 4);
    x.dims[x.rank - 1] = terms;
    const rf_shape w = RF_SHAPE(terms, columns);
    const rf_dtype type = any_type(random);
    p->type = linear ? "QLinearMatMul" : "MatMulInteger";
    p->input = (rf_tensor){.name = "x", .dtype = any_type(random), .shape = x};
    add_bytes(random, p, "w", type, &w);
    add_numbers(random, p, type, columns, linear, terms);
    set_names(p, linear, false);
}

static void free_problem(problem *p)
{
    for (size_t i = 0; i < p->constant_count; i++)
        free((void *)p->constants[i].data);
}

/* ---- Running it --------------------------------------------------------------------------- */

static void run_backward(void *context, void (*body)(void *argument, size_t worker), void *argument, size_t workers)
{
    (void)context;
    while (workers-- > 0)
        body(argument, workers);
}

/* Runs the network; says how it was done. */
static const char *run_model(check_random *random, const problem *p, const char *isa, const void *input,
                             check_buffer *output)
{
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    rf_session_options session_options = RF_SESSION_OPTIONS_DEFAULT;
    const rf_executor workers = {.run = run_backward, .workers = (size_t)check_between(random, 1, MOST_WORKERS)};
    rf_error error = {.message = ""};
    rf_model *model;
    rf_session *session;
    size_t count;
    options.reference = !isa;
    options.isa = isa;
    session_options.executor = isa ? &workers : NULL;
    if (rf_compile(&p->network, &options, &model, &error) != RF_OK)
        fail_msg("seed %llu: %s", (unsigned long long)random->seed, error.message);
    assert_int_equal(rf_session_make(model, &session_options, &session, &error), RF_OK);
    *output = check_buffer_make(bytes_of(rf_model_outputs(model, &count)), check_one_in(random, 2));
    assert_int_equal(rf_session_bind(session, "x", (void *)input, bytes_of(&p->input), &error), RF_OK);
    assert_int_equal(rf_session_bind(session, "y", output->data, output->bytes, &error), RF_OK);
    if (rf_run(session, &error) != RF_OK)
        fail_msg("seed %llu: %s", (unsigned long long)random->seed, error.message);
    const char *algorithm = "";
    for (size_t i = 0; i < rf_model_step_count(model); i++)
        if (*rf_model_step_at(model, i).type)
            algorithm = rf_model_step_at(model, i).algorithm;
    rf_session_free(session);
    rf_model_free(model);
    return algorithm;
}

static void expect_same(const check_random *random, const problem *p, const char *isa, const check_buffer *got,
                        const check_buffer *wanted)
{
    for (size_t i = 0; i < wanted->bytes; i++)
        if (got->data[i] != wanted->data[i])
            fail_msg("seed %llu, %s, %s, input %s: byte %zu is %d, not %d", (unsigned long long)random->seed, isa,
                     p->type, p->input.dtype == RF_INT8 ? "int8" : "uint8", i, got->data[i], wanted->data[i]);
}

/* How many instruction sets did it by a kernel. */
static int check_problem(check_random *random, const problem *p)
{
    int fast = 0;
    check_buffer input = check_buffer_make(bytes_of(&p->input), check_one_in(random, 2)), wanted, got;
    fill_bytes(random, input.data, input.bytes, check_one_in(random, 8));
    run_model(random, p, NULL, input.data, &wanted);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set)) {
        const char *algorithm = run_model(random, p, set->isa, input.data, &got);
        fast += strncmp(algorithm, "8 bits", 6) == 0;
        expect_same(random, p, set->isa, &got, &wanted);
        check_buffer_free(&got);
    }
    check_buffer_free(&wanted);
    check_buffer_free(&input);
    return fast;
}

static void check_many(check_random *random, void (*make)(check_random *random, problem *p))
{
    int cases = check_cases(300), fast = 0, most = 0;
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        most += cases;
    for (int i = 0; i < cases; i++) {
        problem p = {.type = NULL};
        make(random, &p);
        finish(&p);
        fast += check_problem(random, &p);
        free_problem(&p);
    }
    if (fast < most / 3 * 2)
        fail_msg("a kernel did only %d of %d", fast, most);
}

static void convolutions(void **state)
{
    check_many(*state, make_convolution);
}

static void products(void **state)
{
    check_many(*state, make_product);
}

/* ---- Speed -------------------------------------------------------------------------------- */

static void bench(const rf_kernels *kernels)
{
    static const int64_t shapes[][4] = {{64, 56, 64, 3},  {128, 28, 128, 3}, {256, 14, 256, 3}, {512, 7, 512, 3},
                                        {256, 56, 64, 1}, {512, 7, 2048, 1}, {3, 224, 64, 7}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t channels = shapes[i][0], side = shapes[i][1], outputs = shapes[i][2], kernel = shapes[i][3];
        const rf_window window = {side, side, kernel, 1, 1, kernel / 2, kernel / 2};
        check_buffer data[3] = {check_buffer_make((size_t)(channels * side * side), true),
                                check_buffer_make((size_t)(outputs * side * side), true),
                                check_buffer_make((size_t)(channels * outputs * kernel * kernel), true)};
        double *scale = calloc((size_t)outputs, sizeof *scale);
        rf_integer_sum_spec spec = {
            .axes = 2, .windows = {window, window}, .groups = 1, .input = check_image(channels, side),
            .output = check_image(outputs, side), .input_type = RF_UINT8, .weight_type = RF_INT8,
            .output_type = RF_UINT8, .weights = data[2].data, .weight_output = channels * kernel * kernel,
            .weight_channel = kernel * kernel, .input_zero_known = true, .scale = scale, .high = 255,
        };
        rf_arena arena;
        rf_work work;
        rf_arena_init(&arena, NULL, 1 << 26);
        assert_non_null(scale);
        assert_true(kernels->integer_sum(&spec, &arena, &work));
        void *operands[] = {data[0].data, data[1].data};
        double products = (double)(channels * outputs * kernel * kernel * side * side);
        double seconds = check_time(&work, operands);
        printf("%-9s %4dx%dx%d to %d, %dx%d: %7.1f billion products a second, %.3f ms\n", kernels->isa, (int)channels,
               (int)side, (int)side, (int)outputs, (int)kernel, (int)kernel, products / seconds * 1e-9, seconds * 1e3);
        rf_arena_release(&arena);
        free(scale);
        for (int k = 0; k < 3; k++)
            check_buffer_free(&data[k]);
    }
}

int main(int argc, char **argv)
{
    static const check_program program = {
        .name = "integer sums",
        .tests = {{"convolutions", convolutions}, {"products", products}},
        .bench = bench,
    };
    return check_main(argc, argv, &program);
}
