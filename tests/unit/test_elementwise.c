/* SPDX-License-Identifier: MIT */
/*
 * The references of element-wise operators where types, bounds and rules meet:
 * integers of 64 bits without a sign, shifts past the end, bounds that cross,
 * numbers that a type cannot hold, and what must be refused.
 *
 * ONNX's own suite (tests/conformance) covers the plain cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "network/graph.h"
#include "ops/task.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TENSOR(dtype_, array_)                                                                   \
    {.dtype = (dtype_), .shape = {.rank = 1, .dims = {(int64_t)COUNT(array_)}}, .data = (array_), \
     .data_bytes = sizeof(array_)}
#define OMITTED {.dtype = RF_DTYPE_UNDEFINED}

enum { MOST_INPUTS = 3 };

static const char *const input_names[] = {"a", "b", "c"};

/* One layer on constants, folded. */
typedef struct scene {
    rf_graph *graph;
    rf_node *node;
    rf_status status;
    rf_error error;
} scene;

static scene make(const char *type, int32_t opset, const rf_tensor *inputs, size_t count,
                  const rf_attribute *attributes)
{
    rf_tensor constants[MOST_INPUTS];
    const char *in[MOST_INPUTS + 1] = {NULL};
    size_t present = 0;
    for (size_t i = 0; i < count; i++) {
        in[i] = inputs[i].dtype ? input_names[i] : "";
        if (inputs[i].dtype) {
            constants[present] = inputs[i];
            constants[present++].name = input_names[i];
        }
    }
    rf_layer layer = {.name = "layer", .type = type, .inputs = in, .outputs = RF_NAMES("o"),
                      .attributes = attributes};
    rf_network network = {.constants = constants, .constant_count = present, .layers = &layer, .layer_count = 1,
                          .opset = opset};
    rf_graph_options options = {.fold_floats = true, .limits = RF_LIMITS_DEFAULT};
    scene it = {.graph = NULL};
    it.status = rf_graph_make(&network, &options, &it.graph, &it.error);
    it.node = it.graph ? &it.graph->nodes[0] : NULL;
    return it;
}

static void expect(const char *type, int32_t opset, const rf_tensor *inputs, size_t count,
                   const rf_attribute *attributes, const rf_tensor *want)
{
    scene it = make(type, opset, inputs, count, attributes);
    if (it.status != RF_OK)
        fail_msg("%s", it.error.message);
    const rf_value *out = it.node->outputs[0];
    assert_non_null(out->data);
    assert_int_equal(out->dtype, want->dtype);
    assert_int_equal(out->data_bytes, want->data_bytes);
    assert_memory_equal(out->data, want->data, want->data_bytes);
    rf_graph_free(it.graph);
}

static void expect_refusal(const char *type, const rf_tensor *inputs, size_t count, const rf_attribute *attributes,
                           rf_status status, const char *part)
{
    scene it = make(type, 0, inputs, count, attributes);
    assert_int_equal(it.status, status);
    assert_null(it.graph);
    if (!strstr(it.error.message, part))
        fail_msg("'%s' does not say '%s'", it.error.message, part);
}

/* ---- Integers --------------------------------------------------------------------------- */

static void test_unsigned_64_bits(void **state)
{
    (void)state;
    static const uint64_t high[] = {UINT64_MAX, UINT64_C(1) << 63, 7, 0}, low[] = {3, 5, 2, 1};
    static const rf_tensor pair[] = {TENSOR(RF_UINT64, high), TENSOR(RF_UINT64, low)};
    static const struct {
        const char *type;
        uint64_t want[4];
    } cases[] = {
        {"Div", {UINT64_MAX / 3, (UINT64_C(1) << 63) / 5, 3, 0}},
        {"Mod", {UINT64_MAX % 3, (UINT64_C(1) << 63) % 5, 1, 0}},
        {"Min", {3, 5, 2, 0}},
        {"Max", {UINT64_MAX, UINT64_C(1) << 63, 7, 1}},
        {"Pow", {UINT64_MAX, 0, 49, 0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect(cases[i].type, 0, pair, 2, NULL, &(rf_tensor)TENSOR(RF_UINT64, cases[i].want));
    static const uint8_t greater[] = {1, 1, 1, 0};
    expect("Greater", 0, pair, 2, NULL, &(rf_tensor)TENSOR(RF_BOOL, greater));
    static const uint64_t signs[] = {1, 1, 1, 0};
    expect("Sign", 0, pair, 1, NULL, &(rf_tensor)TENSOR(RF_UINT64, signs));
    expect("Abs", 0, pair, 1, NULL, &pair[0]);
    expect("Relu", 0, pair, 1, NULL, &pair[0]);
    static const float real[] = {18446744073709551616.0f, 9223372036854775808.0f, 7, 0};
    expect("Cast", 0, pair, 1, RF_ATTRIBUTES(RF_INT("to", RF_FLOAT32)), &(rf_tensor)TENSOR(RF_FLOAT32, real));
}

static void test_division_at_the_ends(void **state)
{
    (void)state;
    static const int64_t a[] = {INT64_MIN, -7, 7}, b[] = {-1, 2, -2}, quotient[] = {INT64_MIN, -3, -3};
    static const int64_t mod[] = {0, 1, -1}, fmod_[] = {0, -1, 1}, zero[] = {1, 0, 1};
    static const rf_tensor pair[] = {TENSOR(RF_INT64, a), TENSOR(RF_INT64, b)};
    expect("Div", 0, pair, 2, NULL, &(rf_tensor)TENSOR(RF_INT64, quotient));
    expect("Mod", 0, pair, 2, NULL, &(rf_tensor)TENSOR(RF_INT64, mod));
    expect("Mod", 0, pair, 2, RF_ATTRIBUTES(RF_INT("fmod", 1)), &(rf_tensor)TENSOR(RF_INT64, fmod_));
    static const rf_tensor by_zero[] = {TENSOR(RF_INT64, a), TENSOR(RF_INT64, zero)};
    expect_refusal("Div", by_zero, 2, NULL, RF_ERROR_SHAPE, "-7 is divided by the integer 0");
    expect_refusal("Mod", by_zero, 2, NULL, RF_ERROR_SHAPE, "-7 is divided by the integer 0");
}

static void test_shifts(void **state)
{
    (void)state;
    static const uint8_t a[] = {0x81, 0x81, 0x81, 0x81}, b[] = {0, 1, 8, 255};
    static const uint8_t left[] = {0x81, 2, 0, 0}, right[] = {0x81, 0x40, 0, 0};
    static const rf_tensor pair[] = {TENSOR(RF_UINT8, a), TENSOR(RF_UINT8, b)};
    expect("BitShift", 0, pair, 2, RF_ATTRIBUTES(RF_TEXT("direction", "LEFT")), &(rf_tensor)TENSOR(RF_UINT8, left));
    expect("BitShift", 0, pair, 2, RF_ATTRIBUTES(RF_TEXT("direction", "RIGHT")), &(rf_tensor)TENSOR(RF_UINT8, right));
    expect_refusal("BitShift", pair, 2, RF_ATTRIBUTES(RF_TEXT("direction", "UP")), RF_ERROR_FORMAT, "'UP'");
    expect_refusal("BitShift", pair, 2, NULL, RF_ERROR_FORMAT, "direction");
}

/* ---- Changes of type -------------------------------------------------------------------- */

static void test_casts_saturate(void **state)
{
    (void)state;
    static const float real[] = {NAN, INFINITY, -INFINITY, 300, -1.9f, 0.5f};
    static const rf_tensor from[] = {TENSOR(RF_FLOAT32, real)};
    static const uint8_t bytes[] = {0, 255, 0, 255, 0, 0}, flags[] = {1, 1, 1, 1, 1, 1};
    static const int64_t longs[] = {0, INT64_MAX, INT64_MIN, 300, -1, 0};
    expect("Cast", 0, from, 1, RF_ATTRIBUTES(RF_INT("to", RF_UINT8)), &(rf_tensor)TENSOR(RF_UINT8, bytes));
    expect("Cast", 0, from, 1, RF_ATTRIBUTES(RF_INT("to", RF_INT64)), &(rf_tensor)TENSOR(RF_INT64, longs));
    expect("Cast", 0, from, 1, RF_ATTRIBUTES(RF_INT("to", RF_BOOL)), &(rf_tensor)TENSOR(RF_BOOL, flags));
}

static void test_short_floats(void **state)
{
    (void)state;
    static const float real[] = {0, -0.0f, 1, 65504, 65520, 5.9604645e-8f, 2049};
    static const uint16_t half[] = {0, 0x8000, 0x3c00, 0x7bff, 0x7c00, 1, 0x6800};
    static const uint16_t brain[] = {0, 0x8000, 0x3f80, 0x4780, 0x4780, 0x3380, 0x4500};
    static const rf_tensor from[] = {TENSOR(RF_FLOAT32, real)};
    expect("Cast", 0, from, 1, RF_ATTRIBUTES(RF_INT("to", RF_FLOAT16)), &(rf_tensor)TENSOR(RF_FLOAT16, half));
    expect("Cast", 0, from, 1, RF_ATTRIBUTES(RF_INT("to", RF_BFLOAT16)), &(rf_tensor)TENSOR(RF_BFLOAT16, brain));
}

/* Through a double, 2^53 + 2^29 + 1 would lie halfway between two floats and go down. */
static void test_integers_are_rounded_once(void **state)
{
    (void)state;
    static const int64_t whole[] = {(INT64_C(1) << 53) + (INT64_C(1) << 29) + 1,
                                    -(INT64_C(1) << 53) - (INT64_C(1) << 29) - 1};
    static const float real[] = {9007200328482816.0f, -9007200328482816.0f};
    static const rf_tensor from[] = {TENSOR(RF_INT64, whole)};
    expect("Cast", 0, from, 1, RF_ATTRIBUTES(RF_INT("to", RF_FLOAT32)), &(rf_tensor)TENSOR(RF_FLOAT32, real));
}

/* ---- Bounds and refusals ---------------------------------------------------------------- */

static void test_clip(void **state)
{
    (void)state;
    static const float x[] = {-5, 0, 5, INFINITY}, least[] = {-1}, most[] = {2}, nan[] = {NAN};
    static const float inside[] = {-1, 0, 2, 2}, below[] = {-5, 0, 2, 2}, crossed[] = {-1, -1, -1, -1};
    static const rf_tensor data = TENSOR(RF_FLOAT32, x), low = TENSOR(RF_FLOAT32, least);
    static const rf_tensor high = TENSOR(RF_FLOAT32, most), none = OMITTED, no_number = TENSOR(RF_FLOAT32, nan);
    expect("Clip", 0, (rf_tensor[]){data, low, high}, 3, NULL, &(rf_tensor)TENSOR(RF_FLOAT32, inside));
    expect("Clip", 6, &data, 1, RF_ATTRIBUTES(RF_FLOAT("min", -1), RF_FLOAT("max", 2)),
           &(rf_tensor)TENSOR(RF_FLOAT32, inside));
    expect("Clip", 0, (rf_tensor[]){data, none, high}, 3, NULL, &(rf_tensor)TENSOR(RF_FLOAT32, below));
    expect("Clip", 0, (rf_tensor[]){data, no_number, high}, 3, NULL, &(rf_tensor)TENSOR(RF_FLOAT32, below));
    expect("Clip", 0, (rf_tensor[]){data, high, low}, 3, NULL, &(rf_tensor)TENSOR(RF_FLOAT32, crossed));
    expect("Clip", 0, &data, 1, NULL, &data);
}

static void test_dropout_in_training(void **state)
{
    (void)state;
    static const float x[] = {1, 2}, half[] = {0.5f}, nothing[] = {0};
    static const uint8_t yes[] = {1}, no[] = {0};
    static const rf_tensor data = TENSOR(RF_FLOAT32, x), ratio = TENSOR(RF_FLOAT32, half);
    static const rf_tensor keep = TENSOR(RF_FLOAT32, nothing);
    static const rf_tensor train = TENSOR(RF_BOOL, yes), rest = TENSOR(RF_BOOL, no);
    expect("Dropout", 0, (rf_tensor[]){data, ratio, rest}, 3, NULL, &data);
    expect("Dropout", 0, (rf_tensor[]){data, keep, train}, 3, NULL, &data);
    expect_refusal("Dropout", (rf_tensor[]){data, ratio, train}, 3, NULL, RF_ERROR_UNSUPPORTED, "training_mode");
}

static void test_quantisation_shapes(void **state)
{
    (void)state;
    static const float x[] = {1, 2, 3}, three[] = {1, 1, 1}, two[] = {1, 1}, one[] = {0.5f};
    static const uint8_t zeros[] = {0, 0};
    static const rf_tensor data = TENSOR(RF_FLOAT32, x), per_axis = TENSOR(RF_FLOAT32, three);
    static const rf_tensor wrong = TENSOR(RF_FLOAT32, two), single = TENSOR(RF_FLOAT32, one);
    static const rf_tensor zero = TENSOR(RF_UINT8, zeros);
    static const uint8_t plain[] = {1, 2, 3}, doubled[] = {2, 4, 6};
    const rf_attribute *along = RF_ATTRIBUTES(RF_INT("axis", 0));
    expect("QuantizeLinear", 0, (rf_tensor[]){data, per_axis}, 2, along, &(rf_tensor)TENSOR(RF_UINT8, plain));
    expect("QuantizeLinear", 0, (rf_tensor[]){data, single}, 2, NULL, &(rf_tensor)TENSOR(RF_UINT8, doubled));
    expect_refusal("QuantizeLinear", (rf_tensor[]){data, wrong}, 2, along, RF_ERROR_SHAPE, "[2]");
    expect_refusal("QuantizeLinear", (rf_tensor[]){data, wrong}, 2, NULL, RF_ERROR_SHAPE, "axis 1");
    expect_refusal("QuantizeLinear", (rf_tensor[]){data, single, zero}, 3, NULL, RF_ERROR_SHAPE, "zero point");
    expect_refusal("QuantizeLinear", (rf_tensor[]){data, per_axis}, 2,
                   RF_ATTRIBUTES(RF_INT("axis", 0), RF_INT("block_size", -1)), RF_ERROR_FORMAT, "block_size");
    expect_refusal("DequantizeLinear", (rf_tensor[]){data, single}, 2, NULL, RF_ERROR_SHAPE, "float32");
}

/* ---- Tallies and tasks ------------------------------------------------------------------ */

static void check_tally(const char *type, size_t count)
{
    static const float x[600] = {1, 2, 3}, y[600] = {3, 2, 1};
    static const rf_tensor inputs[] = {TENSOR(RF_FLOAT32, x), TENSOR(RF_FLOAT32, y), TENSOR(RF_FLOAT32, x)};
    scene it = make(type, 0, inputs, count, NULL);
    assert_int_equal(it.status, RF_OK);
    rf_counts tally = {0};
    rf_cost cost = {.bias_additions = 0};
    it.node->tally = &tally;
    assert_int_equal(it.node->op->evaluate(it.node), RF_OK);
    if (it.node->op->cost)
        assert_true(it.node->op->cost(it.node, &cost));
    assert_memory_equal(&tally, &cost.valid, sizeof tally);
    rf_graph_free(it.graph);
}

static void test_tallies(void **state)
{
    (void)state;
    static const char *const unary[] = {"Abs", "Exp", "Sqrt", "Reciprocal", "Relu", "Gelu", "IsNaN", "Clip", "Shrink",
                                        "Identity"};
    static const char *const series[] = {"Sum", "Mean", "Min", "Max"};
    static const char *const pairs[] = {"Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Equal", "Less"};
    for (size_t i = 0; i < COUNT(unary); i++)
        check_tally(unary[i], 1);
    for (size_t i = 0; i < COUNT(pairs); i++)
        check_tally(pairs[i], 2);
    for (size_t i = 0; i < COUNT(series); i++)
        check_tally(series[i], 3);
}

static void test_tasks(void **state)
{
    (void)state;
    static const float x[] = {1, 2}, bound[] = {6}, infinite[] = {-INFINITY};
    static const rf_tensor data = TENSOR(RF_FLOAT32, x), high = TENSOR(RF_FLOAT32, bound);
    static const rf_tensor low = TENSOR(RF_FLOAT32, infinite);
    rf_task task;
    scene clip = make("Clip", 0, (rf_tensor[]){data, low, high}, 3, NULL);
    assert_true(clip.node->op->lower(clip.node, &task));
    assert_int_equal(task.kind, RF_TASK_MAP);
    assert_int_equal(task.as.map.function, RF_MAP_CLIP);
    assert_true(isinf(task.as.map.a) && task.as.map.b == 6);
    rf_graph_free(clip.graph);
    scene sum = make("Sum", 0, (rf_tensor[]){data, high}, 2, NULL);
    assert_true(sum.node->op->lower(sum.node, &task));
    assert_int_equal(task.kind, RF_TASK_PAIR);
    rf_graph_free(sum.graph);
    scene three = make("Sum", 0, (rf_tensor[]){data, high, low}, 3, NULL);
    assert_false(three.node->op->lower(three.node, &task));
    rf_graph_free(three.graph);
    scene cast = make("Cast", 0, &data, 1, RF_ATTRIBUTES(RF_INT("to", RF_FLOAT32)));
    assert_true(cast.node->op->lower(cast.node, &task));
    assert_int_equal(task.kind, RF_TASK_VIEW);
    rf_graph_free(cast.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsigned_64_bits),
        cmocka_unit_test(test_division_at_the_ends),
        cmocka_unit_test(test_shifts),
        cmocka_unit_test(test_casts_saturate),
        cmocka_unit_test(test_short_floats),
        cmocka_unit_test(test_integers_are_rounded_once),
        cmocka_unit_test(test_clip),
        cmocka_unit_test(test_dropout_in_training),
        cmocka_unit_test(test_quantisation_shapes),
        cmocka_unit_test(test_tallies),
        cmocka_unit_test(test_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
