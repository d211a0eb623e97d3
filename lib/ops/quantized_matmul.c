/* SPDX-License-Identifier: MIT */
/*
 * Matrix products of 8-bit integers: MatMulInteger gives the sums, QLinearMatMul
 * scales them back to 8 bits.
 *
 * Sums of such products are exact in double, so the reference of floats
 * serves. They count as MatMul does; zero points are taken off beforehand.
 * QLinearMatMul takes a multiplication and an addition more for an output, its
 * scale and its zero point.
 */
#include <math.h>

#include "ops/checks.h"
#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/matmul.h"
#include "ops/operands.h"
#include "ops/requantize.h"
#include "ops/table.h"
#include "ops/task.h"

/* Where an operator has its factors and what goes with them. */
typedef struct layout {
    uint32_t a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero;
} layout;

static const layout integer = {.a = 0, .b = 1, .a_zero = 2, .b_zero = 3,
                               .a_scale = RF_MANY, .b_scale = RF_MANY, .y_scale = RF_MANY, .y_zero = RF_MANY};
static const layout linear = {.a = 0, .a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5,
                              .y_scale = 6, .y_zero = 7};

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_eight_bits(const rf_node *node, uint32_t i, const char *what)
{
    rf_dtype dtype = node->inputs[i]->dtype;
    if (dtype == RF_INT8 || dtype == RF_UINT8)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s is %s, but must be int8 or uint8", what, rf_dtype_name(dtype));
}

/* One number, or one for each of `extent` rows or columns. */
static rf_status check_spread(const rf_node *node, uint32_t i, int64_t extent, const char *what)
{
    const rf_value *value = rf_input(node, i);
    if (!value || rf_elements(&value->shape) == 1
        || (value->shape.rank == 1 && value->shape.dims[0] == extent))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s has shape %s, but one number or [%lld] is needed", what,
                        rf_shape_print(&value->shape).text, (long long)extent);
}

static rf_status check_scale(const rf_node *node, uint32_t i, const char *what)
{
    rf_value *value;
    return rf_node_require_real(node, i, what, &value);
}

/* The product's shape, after checking the factors and their zero points. */
static rf_status check_factors(const rf_node *node, const layout *where, rf_shape *output)
{
    const rf_value *a = node->inputs[where->a], *b = node->inputs[where->b];
    RF_TRY(check_eight_bits(node, where->a, "A"));
    RF_TRY(check_eight_bits(node, where->b, "B"));
    RF_TRY(rf_matmul_shape(node, where->a, where->b, output));
    int64_t rows = a->shape.rank > 1 ? a->shape.dims[a->shape.rank - 2] : 1;
    int64_t columns = b->shape.rank > 1 ? b->shape.dims[b->shape.rank - 1] : 1;
    RF_TRY(rf_node_agree(node, where->a_zero, "A's zero point", a->dtype));
    RF_TRY(check_spread(node, where->a_zero, rows, "A's zero point"));
    RF_TRY(check_spread(node, where->a_scale, rows, "A's scale"));
    RF_TRY(rf_node_agree(node, where->b_zero, "B's zero point", b->dtype));
    RF_TRY(check_spread(node, where->b_zero, columns, "B's zero point"));
    return check_spread(node, where->b_scale, columns, "B's scale");
}

static rf_status infer_integer(rf_node *node)
{
    rf_shape output;
    RF_TRY(check_factors(node, &integer, &output));
    rf_set_output(node, 0, RF_INT32, &output);
    return RF_OK;
}

static rf_status infer_linear(rf_node *node)
{
    rf_shape output;
    RF_TRY(check_factors(node, &linear, &output));
    RF_TRY(check_scale(node, linear.a_scale, "A's scale"));
    RF_TRY(check_scale(node, linear.b_scale, "B's scale"));
    RF_TRY(check_scale(node, linear.y_scale, "the output's scale"));
    RF_TRY(rf_check_single(node, linear.y_scale, "the output's scale"));
    RF_TRY(rf_check_single(node, linear.y_zero, "the output's zero point"));
    RF_TRY(check_eight_bits(node, linear.y_zero, "the output's zero point"));
    rf_set_output(node, 0, node->inputs[linear.y_zero]->dtype, &output);
    return RF_OK;
}

/* What goes with a factor follows its rows or columns, where it is not one number. */
static void link_layout(const rf_node *node, const layout *where, uint32_t input, rf_link *links)
{
    int32_t last = node->outputs[0]->shape.rank - 1;
    bool of_a = input == where->a_zero || input == where->a_scale;
    bool of_b = input == where->b_zero || input == where->b_scale;
    if (input == where->a || input == where->b) {
        rf_matmul_link(node, where->a, where->b, input, links);
        return;
    }
    rf_link_everything(node, 0, input, links);
    if (rf_elements(&node->inputs[input]->shape) <= 1)
        return;
    if (of_a)
        rf_link_same(&links[0], last - (node->inputs[where->b]->shape.rank > 1));
    if (of_b)
        rf_link_same(&links[0], last);
}

static void link_integer(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    link_layout(node, &integer, input, links);
}

static void link_linear(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    link_layout(node, &linear, input, links);
}

static bool cost_integer(const rf_node *node, rf_cost *cost)
{
    return rf_matmul_cost(node, integer.a, cost);
}

static bool cost_linear(const rf_node *node, rf_cost *cost)
{
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    if (!rf_matmul_cost(node, linear.a, cost)
        || !rf_checked_add(cost->dense.multiplications, outputs, &cost->dense.multiplications)
        || !rf_checked_add(cost->dense.additions, outputs, &cost->dense.additions))
        return false;
    cost->valid = cost->dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

static bool scratch_integer(const rf_node *node, uint64_t *bytes)
{
    return rf_matmul_scratch(node, integer.a, integer.b, bytes);
}

static bool scratch_linear(const rf_node *node, uint64_t *bytes)
{
    return rf_matmul_scratch(node, linear.a, linear.b, bytes);
}

/* Scales the sums of one row and rounds them, halves to even. */
static void scale_row(const rf_node *node, double *sums, uint64_t row, uint64_t columns)
{
    const rf_value *a_scale = node->inputs[linear.a_scale], *y_scale = node->inputs[linear.y_scale];
    double zero = rf_value_float(node->inputs[linear.y_zero], 0), own = rf_requantize_number(a_scale, row);
    for (uint64_t i = 0; i < columns; i++) {
        double factor = own * rf_requantize_number(node->inputs[linear.b_scale], i) / rf_value_float(y_scale, 0);
        sums[i] = nearbyint(sums[i] * factor) + zero;
    }
    if (node->tally) {
        node->tally->multiplications += columns;
        node->tally->additions += columns;
    }
}

static void write_sums(const rf_node *node, const rf_product *product, uint64_t at, bool scaled)
{
    const rf_value *output = node->outputs[0];
    uint64_t columns = product->columns;
    for (uint64_t row = 0; row < product->rows; row++, at += columns) {
        double *sums = rf_product_floats(product, row, 1, node->scratch, node->tally);
        if (scaled) {
            scale_row(node, sums, row, columns);
            rf_doubles_write(output, at, columns, sums);
            continue;
        }
        for (uint64_t i = 0; i < columns; i++)
            rf_store_int(rf_fold_data(output), RF_INT32, at + i, (int64_t)sums[i]);
    }
}

static void write_plain(const rf_node *node, const rf_product *product, uint64_t at)
{
    write_sums(node, product, at, false);
}

static void write_scaled(const rf_node *node, const rf_product *product, uint64_t at)
{
    write_sums(node, product, at, true);
}

static rf_status evaluate_integer(rf_node *node)
{
    rf_product product = {.a_zero = rf_input(node, integer.a_zero), .b_zero = rf_input(node, integer.b_zero)};
    if (!rf_output(node, 0))
        return rf_fold_refuse(node);
    rf_matmul_each(node, integer.a, integer.b, &product, write_plain);
    return RF_OK;
}

static rf_status evaluate_linear(rf_node *node)
{
    rf_product product = {.a_zero = node->inputs[linear.a_zero], .b_zero = node->inputs[linear.b_zero]};
    if (!rf_output(node, 0))
        return rf_fold_refuse(node);
    rf_matmul_each(node, linear.a, linear.b, &product, write_scaled);
    return RF_OK;
}

/* ---- Tasks ------------------------------------------------------------------------------ */

/* Whether there is one number for all rows. */
static bool is_single(const rf_value *value)
{
    return !value || rf_elements(&value->shape) == 1;
}

static bool lower_layout(const rf_node *node, const layout *where, rf_task *task)
{
    const rf_value *a = node->inputs[where->a], *b = node->inputs[where->b];
    if (!is_single(rf_input(node, where->a_zero)) || !is_single(rf_input(node, where->a_scale))
        || a->shape.rank < 2 || b->shape.rank != 2)
        return false;
    task->kind = RF_TASK_INTEGER_SUM;
    task->as.integer_sum = (rf_integer_sum){
        .groups = 1, .data = a, .weight = b, .data_zero = rf_input(node, where->a_zero),
        .weight_zero = rf_input(node, where->b_zero), .data_scale = rf_input(node, where->a_scale),
        .weight_scale = rf_input(node, where->b_scale), .output_scale = rf_input(node, where->y_scale),
        .output_zero = rf_input(node, where->y_zero),
    };
    return true;
}

static bool lower_integer(const rf_node *node, rf_task *task)
{
    return lower_layout(node, &integer, task);
}

static bool lower_linear(const rf_node *node, rf_task *task)
{
    return lower_layout(node, &linear, task);
}

#define QUANTIZED_ROW(type_, least_, most_, parameters_, name_) \
    const rf_op rf_op_##type_ = {                               \
        .type = #type_,                                         \
        .class = RF_CLASS_MATMUL,                               \
        .min_inputs = least_,                                   \
        .max_inputs = most_,                                    \
        .min_outputs = 1,                                       \
        .max_outputs = 1,                                       \
        .parameter_inputs = parameters_,                        \
        .infer = infer_##name_,                                 \
        .link = link_##name_,                                   \
        .cost = cost_##name_,                                   \
        .evaluate = evaluate_##name_,                           \
        .scratch = scratch_##name_,                             \
        .lower = lower_##name_,                                 \
    }

QUANTIZED_ROW(MatMulInteger, 2, 4, 1 << 0 | 1 << 1, integer);
QUANTIZED_ROW(QLinearMatMul, 8, 8, 1 << 0 | 1 << 3, linear);
