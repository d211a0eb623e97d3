/* SPDX-License-Identifier: MIT */
/*
 * Networks made to break what runs them: absurd in extents, in length, in what
 * reads what. Then random networks, spoilt at random.
 *
 * RF_SEED is the first random network's seed, RF_CASES how many there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mutate.h"
#include "random_plan.h"
#include "run_attack.h"

enum { CASES = 400, LONG = 5000, SKETCH_TENSORS = LONG + 8, MOST_READ = 5 };

/* ---- Networks in few words ---------------------------------------------------------------- */

/* Layer i puts out names[i]. */
typedef struct sketch {
    rf_network network;
    rf_tensor inputs[4], constants[8], *outputs;
    rf_layer *layers;
    const char *(*read)[MOST_READ + 1], *(*put)[2];
    char (*names)[12];
} sketch;

static void *zeroed(size_t bytes)
{
    void *memory = calloc(SKETCH_TENSORS, bytes);
    assert_non_null(memory);
    return memory;
}

static void sketch_free(sketch *of)
{
    free(of->outputs);
    free(of->layers);
    free(of->read);
    free(of->put);
    free(of->names);
    free(of);
}

static void add_input(sketch *of, const char *name, rf_dtype dtype, rf_shape shape)
{
    of->inputs[of->network.input_count++] = (rf_tensor){.name = name, .dtype = dtype, .shape = shape};
}

/* With an input "x". */
static sketch *sketch_make(rf_shape shape)
{
    sketch *of = calloc(1, sizeof *of);
    assert_non_null(of);
    of->outputs = zeroed(sizeof *of->outputs);
    of->layers = zeroed(sizeof *of->layers);
    of->read = zeroed(sizeof *of->read);
    of->put = zeroed(sizeof *of->put);
    of->names = zeroed(sizeof *of->names);
    of->network = (rf_network){.inputs = of->inputs, .outputs = of->outputs, .constants = of->constants,
                               .layers = of->layers, .opset = 17};
    add_input(of, "x", RF_FLOAT32, shape);
    return of;
}

static void add_constant(sketch *of, const char *name, rf_dtype dtype, rf_shape shape, const void *data)
{
    uint64_t count;
    assert_true(attack_elements(&shape, &count));
    of->constants[of->network.constant_count++] = (rf_tensor){
        .name = name, .dtype = dtype, .shape = shape, .data = data,
        .data_bytes = (size_t)count * attack_element_bytes(dtype)};
}

static void add_output(sketch *of, const char *name)
{
    of->outputs[of->network.output_count++] = (rf_tensor){.name = name, .shape = {.rank = -1}};
}

/* The tensors read are ended by NULL. */
static const char *add(sketch *of, const char *type, const rf_attribute *attributes, ...)
{
    size_t l = of->network.layer_count++, count = 0;
    va_list names;
    va_start(names, attributes);
    for (const char *name = va_arg(names, const char *); name; name = va_arg(names, const char *)) {
        assert_true(count < MOST_READ);
        of->read[l][count++] = name;
    }
    va_end(names);
    snprintf(of->names[l], sizeof of->names[l], "t%zu", l);
    of->put[l][0] = of->names[l];
    of->layers[l] = (rf_layer){.type = type, .inputs = of->read[l], .outputs = of->put[l],
                               .attributes = attributes};
    return of->names[l];
}

static rf_status finish(sketch *of, const char *output)
{
    if (output)
        add_output(of, output);
    rf_status status = attack(&of->network, ATTACK_SMALL);
    sketch_free(of);
    return status;
}

#define EXPECT(status_, expected_) assert_string_equal(rf_status_name(status_), rf_status_name(expected_))
#define SHAPE(...) ((rf_shape)RF_SHAPE(__VA_ARGS__))

static const rf_shape scalar = {.rank = 0}, image = RF_SHAPE(1, 3, 4, 4), pixel = RF_SHAPE(1, 1, 1, 1);
static const rf_attribute along_channels[] = {RF_INT("axis", 1), {.name = NULL}};
static const rf_attribute along_batch[] = {RF_INT("axis", 0), {.name = NULL}};
static const float ones[64] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* ---- Length ------------------------------------------------------------------------------- */

static void test_long_chains(void **state)
{
    (void)state;
    static const char *const types[] = {"Relu", "Sub", "Mul", "Conv", "MatMul"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        sketch *of = sketch_make(SHAPE(1, 1, 1, 1));
        const char *at = "x";
        add_constant(of, "one", RF_FLOAT32, pixel, ones);
        for (size_t i = 0; i < LONG; i++)
            at = add(of, types[t], NULL, at, t > 1 ? "one" : t == 1 ? at : NULL, NULL);
        EXPECT(finish(of, at), RF_OK);
    }
}

static void test_scales_fold_into_one(void **state)
{
    (void)state;
    sketch *of = sketch_make(image);
    add_constant(of, "weight", RF_FLOAT32, SHAPE(3, 3, 1, 1), ones);
    add_constant(of, "scale", RF_FLOAT32, SHAPE(3, 1, 1), ones);
    const char *at = add(of, "Conv", NULL, "x", "weight", NULL);
    for (size_t i = 0; i < 2000; i++)
        at = add(of, i % 2 ? "Mul" : "Relu", NULL, at, i % 2 ? "scale" : NULL, NULL);
    EXPECT(finish(of, at), RF_OK);
}

static void test_joins_within_joins(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        sketch *of = sketch_make(turn ? SHAPE(0, 0, 1, 1) : pixel);
        const char *at = add(of, "Relu", NULL, "x", NULL);
        for (size_t i = 0; i < 2000; i++) {
            const char *beside = add(of, "Neg", NULL, turn ? at : "x", NULL);
            at = add(of, "Concat", turn && i % 2 ? along_batch : along_channels, at, beside, NULL);
        }
        EXPECT(finish(of, at), RF_OK);
    }
}

/* A layer of `LONG` inputs: all the same, or each made for it. */
static void test_wide_layers(void **state)
{
    (void)state;
    static const char *read[LONG + 1];
    for (int how = 0; how < 4; how++) {
        sketch *of = sketch_make(pixel);
        for (size_t i = 0; i < LONG; i++)
            read[i] = how % 2 ? add(of, "Relu", NULL, "x", NULL) : "x";
        const char *wide = add(of, how < 2 ? "Concat" : "Sum", how < 2 ? along_channels : NULL, NULL);
        of->layers[of->network.layer_count - 1].inputs = read;
        EXPECT(finish(of, wide), RF_OK);
    }
}

/* ---- Outputs ------------------------------------------------------------------------------ */

static void test_outputs_of_all_kinds(void **state)
{
    (void)state;
    sketch *of = sketch_make(image);
    add_constant(of, "c", RF_FLOAT32, SHAPE(3), ones);
    const char *made = add(of, "Relu", NULL, "x", NULL);
    const char *const names[] = {made, made, "x", "x", "c", "c"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_output(of, names[i]);
    EXPECT(finish(of, NULL), RF_OK);
    EXPECT(finish(sketch_make(image), "x"), RF_OK);
    EXPECT(finish(sketch_make(SHAPE(1, 0, 3)), "x"), RF_OK);
    EXPECT(finish(sketch_make(image), NULL), RF_OK);
}

/* A session would keep them all. */
static void test_outputs_count_as_memory(void **state)
{
    (void)state;
    sketch *of = sketch_make(SHAPE(1, 3, 64, 64));
    const char *made = add(of, "Relu", NULL, "x", NULL);
    for (size_t i = 0; i < LONG; i++)
        add_output(of, made);
    EXPECT(finish(of, NULL), RF_ERROR_LIMIT);
}

static void test_ragged_outputs(void **state)
{
    (void)state;
    sketch *of = sketch_make(SHAPE(2, 2));
    for (size_t i = 0; i < 500; i++)
        add_output(of, add(of, "NonZero", NULL, "x", NULL));
    EXPECT(finish(of, NULL), RF_OK);
}

/* ---- Extents ------------------------------------------------------------------------------ */

static void test_tensors_without_elements(void **state)
{
    (void)state;
    static const rf_shape shapes[] = {
        RF_SHAPE(1, INT64_C(1) << 40, INT64_C(1) << 40, 0),
        RF_SHAPE(0, INT64_C(1) << 31, INT64_C(1) << 31, INT64_C(1) << 31),
        RF_SHAPE(INT64_C(1) << 62, 0, INT64_C(1) << 62, 1),
        RF_SHAPE(1, 1, 0, 0),
        RF_SHAPE(0, 0, 0, 0),
    };
    static const char *const types[] = {"Relu", "Transpose", "Softmax", "GlobalMaxPool", "GlobalAveragePool",
                                        "Flatten", "Shape", "ReduceSum", "NonZero"};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            sketch *of = sketch_make(shapes[s]);
            const char *at = add(of, types[t], NULL, add(of, "Relu", NULL, "x", NULL), NULL);
            finish(of, at);
        }
}

static void test_sums_of_nothing(void **state)
{
    (void)state;
    sketch *of = sketch_make(SHAPE(3, 0));
    add_constant(of, "w", RF_FLOAT32, SHAPE(0, 5), ones);
    EXPECT(finish(of, add(of, "MatMul", NULL, "x", "w", NULL)), RF_OK);
    of = sketch_make(SHAPE(INT64_C(1) << 33, 0));
    add_constant(of, "w", RF_FLOAT32, SHAPE(0, INT64_C(1) << 30), ones);
    EXPECT(finish(of, add(of, "MatMul", NULL, "x", "w", NULL)), RF_ERROR_OVERFLOW);
    of = sketch_make(SHAPE(1, 0, 4, 4));
    add_constant(of, "w", RF_FLOAT32, SHAPE(2, 0, 3, 3), ones);
    finish(of, add(of, "Conv", NULL, "x", "w", NULL));
}

static const int64_t huge[] = {1, 1, 1, INT64_C(1) << 38, 1, 1};

static void test_huge_tensors(void **state)
{
    (void)state;
    static const int64_t start = 5, end = 7, along = 3;
    for (int how = 0; how < 3; how++) {
        sketch *of = sketch_make(pixel);
        add_constant(of, "shape", RF_INT64, SHAPE(6), huge);
        add_constant(of, "start", RF_INT64, SHAPE(1), &start);
        add_constant(of, "end", RF_INT64, SHAPE(1), &end);
        add_constant(of, "axis", RF_INT64, SHAPE(1), &along);
        const char *wide = add(of, "Expand", NULL, "x", "shape", NULL);
        const char *at = how == 1 ? add(of, "Slice", NULL, wide, "start", "end", "axis", NULL)
                                  : add(of, "Relu", NULL, how == 0 ? "x" : wide, NULL);
        EXPECT(finish(of, at), how == 2 ? RF_ERROR_LIMIT : RF_OK);
    }
}

#define INTS(name_, array_)                                                                       \
    {.name = (name_), .type = RF_ATTRIBUTE_INTS, .count = sizeof(array_) / sizeof *(array_),      \
     .value = {.ints = (array_)}}

static void test_huge_windows(void **state)
{
    (void)state;
    static const int64_t kernel[] = {INT32_MAX, 1}, strides[] = {INT32_MAX, 1};
    static const int64_t pads[] = {INT32_MAX, 0, INT32_MAX, 0};
    static const int64_t wide[] = {200, 200}, around[] = {199, 199, 199, 199};
    static const rf_attribute sparse[] = {INTS("kernel_shape", kernel), INTS("pads", pads),
                                          INTS("strides", strides), {.name = NULL}};
    static const rf_attribute dense[] = {INTS("kernel_shape", kernel), INTS("pads", pads), {.name = NULL}};
    static const rf_attribute padded[] = {INTS("kernel_shape", wide), INTS("pads", around), {.name = NULL}};
    static const rf_attribute dilated[] = {INTS("dilations", kernel), INTS("strides", strides), {.name = NULL}};
    static const char *const pools[] = {"MaxPool", "AveragePool", "LpPool"};
    for (size_t p = 0; p < sizeof pools / sizeof *pools; p++) {
        sketch *of = sketch_make(SHAPE(1, 1, 4, 4));
        EXPECT(finish(of, add(of, pools[p], sparse, "x", NULL)), RF_OK);
        of = sketch_make(SHAPE(1, 1, 4, 4));
        EXPECT(finish(of, add(of, pools[p], dense, "x", NULL)), RF_ERROR_LIMIT);
        of = sketch_make(SHAPE(1, 1, 2, 2));
        EXPECT(finish(of, add(of, pools[p], padded, "x", NULL)), RF_OK);
    }
    for (int transposed = 0; transposed < 2; transposed++) {
        sketch *of = sketch_make(SHAPE(1, 1, 4, 4));
        add_constant(of, "w", RF_FLOAT32, SHAPE(1, 1, 2, 1), ones);
        EXPECT(finish(of, add(of, transposed ? "ConvTranspose" : "Conv", dilated, "x", "w", NULL)), RF_ERROR_SHAPE);
    }
}

/* ---- Strides ------------------------------------------------------------------------------ */

static const int64_t repeated[] = {2, 3, 6, 5}, last = -1, before = INT64_MIN, backward = -2, rows = 2;
static const int64_t window[] = {2, 2}, turned[] = {3, 1, 0, 2}, swapped[] = {0, 1, 3, 2};
static const int64_t crops[] = {0, 1, 0, -1, 0, 0, 2, 0};

/* A tensor that is repeated along some axes and, where `reversed`, goes backward along another. */
static sketch *sketch_views(bool pixels, bool reversed, const char **view)
{
    sketch *of = sketch_make(pixels ? SHAPE(1, 3, 1, 1) : SHAPE(2, 1, 6, 1));
    add_constant(of, "shape", RF_INT64, SHAPE(4), repeated);
    add_constant(of, "last", RF_INT64, SHAPE(1), &last);
    add_constant(of, "before", RF_INT64, SHAPE(1), &before);
    add_constant(of, "rows", RF_INT64, SHAPE(1), &rows);
    add_constant(of, "backward", RF_INT64, SHAPE(1), &backward);
    add_constant(of, "crops", RF_INT64, SHAPE(8), crops);
    add_constant(of, "w", RF_FLOAT32, SHAPE(3, 3, 1, 1), ones);
    add_constant(of, "s", RF_FLOAT32, SHAPE(3), ones);
    *view = add(of, "Expand", NULL, "x", "shape", NULL);
    if (reversed)
        *view = add(of, "Slice", NULL, *view, "last", "before", "rows", "backward", NULL);
    return of;
}

static const char *read_view(sketch *of, const char *type, const char *view)
{
    static const rf_attribute pool[] = {INTS("kernel_shape", window), {.name = NULL}};
    static const rf_attribute turn[] = {INTS("perm", turned), {.name = NULL}};
    static const rf_attribute swap[] = {INTS("perm", swapped), {.name = NULL}};
    if (strncmp(type, "Conv", 4) == 0)
        return add(of, type, NULL, view, "w", NULL);
    if (strcmp(type, "BatchNormalization") == 0)
        return add(of, type, NULL, view, "s", "s", "s", "s", NULL);
    if (strcmp(type, "MatMul") == 0)
        return add(of, type, NULL, view, add(of, "Transpose", swap, view, NULL), NULL);
    if (strcmp(type, "Pad") == 0)
        return add(of, type, NULL, view, "crops", NULL);
    if (strcmp(type, "Transpose") == 0)
        return add(of, type, turn, view, NULL);
    if (strcmp(type, "Add") == 0)
        return add(of, type, NULL, view, view, NULL);
    if (strcmp(type, "Concat") == 0)
        return add(of, type, along_channels, view, view, NULL);
    return add(of, type, strstr(type, "Pool") ? pool : NULL, view, NULL);
}

static void test_repeated_and_reversed(void **state)
{
    (void)state;
    static const char *const types[] = {"Relu",      "Conv",    "ConvTranspose", "MaxPool", "AveragePool",
                                        "Add",       "Softmax", "ReduceMean",    "Concat",  "Pad",
                                        "Transpose", "MatMul",  "Erf",           "Flatten", "BatchNormalization"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int how = 0; how < 4; how++) {
            const char *view;
            sketch *of = sketch_views(how % 2, how >= 2, &view);
            EXPECT(finish(of, read_view(of, types[t], view)), RF_OK);
        }
}

/* ---- Elements ----------------------------------------------------------------------------- */

static void test_elements_that_do_not_fit(void **state)
{
    (void)state;
    static const int64_t far = INT64_MAX, none = 0;
    sketch *of = sketch_make(SHAPE(4));
    add_input(of, "i", RF_INT64, SHAPE(3));
    add_constant(of, "far", RF_INT64, scalar, &far);
    EXPECT(finish(of, add(of, "Gather", NULL, "x", add(of, "Add", NULL, "i", "far", NULL), NULL)), RF_ERROR_SHAPE);
    of = sketch_make(SHAPE(4));
    add_input(of, "i", RF_INT64, SHAPE(3));
    add_constant(of, "none", RF_INT64, scalar, &none);
    finish(of, add(of, "Div", NULL, "i", "none", NULL));
}

/* Small in the file; neither time nor memory follow from what it claims. */
static void test_folding_bombs(void **state)
{
    (void)state;
    static const int64_t side[] = {1000, 1000}, boxes[] = {1, 20000, 4}, scores[] = {1, 1, 20000}, most = INT64_MAX;
    sketch *of = sketch_make(SHAPE(1));
    add_constant(of, "side", RF_INT64, SHAPE(2), side);
    const char *at = add(of, "ConstantOfShape", NULL, "side", NULL);
    for (size_t i = 0; i < 100; i++)
        at = add(of, "Sin", NULL, at, NULL);
    EXPECT(finish(of, at), RF_OK);
    of = sketch_make(SHAPE(1));
    add_constant(of, "shape", RF_INT64, SHAPE(6), huge);
    EXPECT(finish(of, add(of, "Relu", NULL, add(of, "ConstantOfShape", NULL, "shape", NULL), NULL)), RF_ERROR_LIMIT);
    of = sketch_make(SHAPE(1));
    add_constant(of, "boxes", RF_INT64, SHAPE(3), boxes);
    add_constant(of, "scores", RF_INT64, SHAPE(3), scores);
    add_constant(of, "most", RF_INT64, scalar, &most);
    at = add(of, "NonMaxSuppression", NULL, add(of, "ConstantOfShape", NULL, "boxes", NULL),
             add(of, "ConstantOfShape", NULL, "scores", NULL), "most", NULL);
    rf_model *model;
    add_output(of, at);
    EXPECT(rf_compile(&of->network, NULL, &model, NULL), RF_OK);
    rf_model_free(model);
    sketch_free(of);
}

/* ---- Random networks, spoilt -------------------------------------------------------------- */

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_mutants(void **state)
{
    (void)state;
    static random_plan plan;
    static mutant copy;
    uint64_t seed = number_from("RF_SEED", 1), cases = number_from("RF_CASES", CASES), ran = 0;
    printf("RF_SEED=%llu RF_CASES=%llu\n", (unsigned long long)seed, (unsigned long long)cases);
    for (uint64_t i = seed; i < seed + cases; i++) {
        random_plan_make(&plan, i);
        attack_seed(i);
        if (mutant_make(&copy, &plan.network)) {
            for (int64_t changes = attack_below(4); changes >= 0; changes--)
                mutate(&copy);
            ran += attack(&copy.network, attack_below(3) ? ATTACK_SMALL : ATTACK_SPECIAL) == RF_OK;
        }
        mutant_free(&copy);
        random_plan_free(&plan);
    }
    assert_true(ran > cases / 10 || cases < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_scales_fold_into_one),
        cmocka_unit_test(test_joins_within_joins),
        cmocka_unit_test(test_wide_layers),
        cmocka_unit_test(test_outputs_of_all_kinds),
        cmocka_unit_test(test_outputs_count_as_memory),
        cmocka_unit_test(test_ragged_outputs),
        cmocka_unit_test(test_tensors_without_elements),
        cmocka_unit_test(test_sums_of_nothing),
        cmocka_unit_test(test_huge_tensors),
        cmocka_unit_test(test_huge_windows),
        cmocka_unit_test(test_repeated_and_reversed),
        cmocka_unit_test(test_elements_that_do_not_fit),
        cmocka_unit_test(test_folding_bombs),
        cmocka_unit_test(test_mutants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
