/* SPDX-License-Identifier: MIT */
/*
 * Determinants, by elimination. For a matrix of m rows: m (m - 1) / 2
 * comparisons (the largest pivot of each column) and as many divisions,
 * (m - 1) m (2m - 1) / 6 multiplications and additions, and m - 1
 * multiplications of the pivots.
 */
#include <math.h>

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/table.h"

static rf_status infer_det(rf_node *node)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    rf_shape out = x->shape;
    if (out.rank < 2 || out.dims[out.rank - 1] != out.dims[out.rank - 2])
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but its last two axes must be a square",
                            rf_shape_print(&out).text);
    out.rank -= 2;
    rf_set_output(node, 0, x->dtype, &out);
    return RF_OK;
}

static void link_det(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    rf_link_everything(node, output, input, links);
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank - 2; axis++)
        rf_link_same(&links[axis], axis);
}

static uint64_t rows_of(const rf_node *node)
{
    const rf_shape *x = &node->inputs[0]->shape;
    return (uint64_t)x->dims[x->rank - 1];
}

static bool cost_det(const rf_node *node, rf_cost *cost)
{
    uint64_t m = rows_of(node), outputs = rf_elements(&node->outputs[0]->shape), pairs, squares, multiplied;
    rf_counts *dense = &cost->dense;
    if (m < 2 || outputs == 0)
        return true;
    /* Each square root of at most 2^62 elements is below 2^31, so pairs cannot overflow. */
    pairs = m * (m - 1) / 2;
    if (!rf_checked_mul(pairs, 2 * m - 1, &squares))
        return false;
    squares /= 3;
    multiplied = squares + m - 1;
    if (!rf_checked_mul(outputs, pairs, &dense->comparisons) || !rf_checked_mul(outputs, squares, &dense->additions)
        || !rf_checked_mul(outputs, multiplied, &dense->multiplications))
        return false;
    dense->divisions = dense->comparisons;
    cost->valid = *dense;
    return true;
}

/* The row of the largest element of column `k`, from row k on. */
static uint64_t find_pivot(const double *matrix, uint64_t rows, uint64_t k)
{
    uint64_t best = k;
    for (uint64_t i = k + 1; i < rows; i++)
        if (fabs(matrix[i * rows + k]) > fabs(matrix[best * rows + k]))
            best = i;
    return best;
}

static void swap_rows(double *matrix, uint64_t rows, uint64_t i, uint64_t j)
{
    for (uint64_t k = 0; k < rows; k++) {
        double kept = matrix[i * rows + k];
        matrix[i * rows + k] = matrix[j * rows + k];
        matrix[j * rows + k] = kept;
    }
}

/* Takes multiples of row k off those below it. A column of zeros takes off nothing. */
static void eliminate(double *matrix, uint64_t rows, uint64_t k)
{
    double pivot = matrix[k * rows + k];
    for (uint64_t i = k + 1; i < rows; i++) {
        double factor = matrix[i * rows + k] / (pivot == 0 ? 1 : pivot);
        for (uint64_t j = k + 1; j < rows; j++)
            matrix[i * rows + j] -= factor * matrix[k * rows + j];
    }
}

static double determinant(double *matrix, uint64_t rows, rf_counts *tally)
{
    double product = 1;
    for (uint64_t k = 0; k < rows; k++) {
        uint64_t pivot = find_pivot(matrix, rows, k), below = rows - 1 - k;
        if (pivot != k) {
            swap_rows(matrix, rows, pivot, k);
            product = -product;
        }
        eliminate(matrix, rows, k);
        product *= matrix[k * rows + k];
        if (tally) {
            tally->comparisons += below;
            tally->divisions += below;
            tally->additions += below * below;
            tally->multiplications += below * below + (k > 0);
        }
    }
    return product;
}

static bool scratch_det(const rf_node *node, uint64_t *bytes)
{
    uint64_t rows = rf_elements(&node->inputs[0]->shape) ? rows_of(node) : 0;
    return rf_doubles_bytes(rows * rows, 0, bytes);
}

static rf_status evaluate_det(rf_node *node)
{
    const rf_value *x = node->inputs[0], *out = rf_output(node, 0);
    if (!out)
        return rf_fold_refuse(node);
    uint64_t outputs = rf_elements(&out->shape), rows = rows_of(node);
    for (uint64_t o = 0; o < outputs; o++) {
        rf_doubles_read(x, o * rows * rows, rows * rows, node->scratch);
        double result = determinant(node->scratch, rows, node->tally);
        rf_doubles_write(out, o, 1, &result);
    }
    return RF_OK;
}

const rf_op rf_op_Det = {
    .type = "Det",
    .class = RF_CLASS_OTHER,
    .min_inputs = 1,
    .max_inputs = 1,
    .min_outputs = 1,
    .max_outputs = 1,
    .infer = infer_det,
    .link = link_det,
    .cost = cost_det,
    .evaluate = evaluate_det,
    .scratch = scratch_det,
};
