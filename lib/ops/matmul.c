/* SPDX-License-Identifier: MIT */
/*
 * Products of stacks of matrices.
 *
 * Counting, for K terms of an output element: K multiplications and K - 1
 * additions.
 */
#include "ops/matmul.h"

#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/operands.h"
#include "ops/table.h"
#include "ops/task.h"

rf_status rf_check_factor(const rf_node *node, rf_dtype dtype)
{
    if (rf_dtype_is_real(dtype) || dtype == RF_INT32 || dtype == RF_INT64 || dtype == RF_UINT32
        || dtype == RF_UINT64)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE,
                        "its input must hold floats or integers of 32 or 64 bits, not %s",
                        rf_dtype_name(dtype));
}

bool rf_count_terms(uint64_t outputs, uint64_t terms, rf_counts *counts)
{
    if (!rf_checked_mul(outputs, terms, &counts->multiplications))
        return false;
    counts->macs = counts->multiplications;
    counts->additions = terms ? counts->multiplications - outputs : 0;
    return true;
}

/* Leading axes that broadcast. */
static int32_t batch_rank(const rf_shape *shape)
{
    return shape->rank > 2 ? shape->rank - 2 : 0;
}

rf_status rf_matmul_shape(const rf_node *node, uint32_t a_input, uint32_t b_input, rf_shape *output)
{
    const rf_shape *a = &node->inputs[a_input]->shape, *b = &node->inputs[b_input]->shape;
    if (a->rank == 0 || b->rank == 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "A has shape %s and B %s, but scalars cannot be multiplied",
                            rf_shape_print(a).text, rf_shape_print(b).text);
    int64_t terms = a->dims[a->rank - 1];
    if (b->dims[b->rank > 1 ? b->rank - 2 : 0] != terms)
        return rf_node_fail(node, RF_ERROR_SHAPE, "A of shape %s cannot be multiplied by B of shape %s",
                            rf_shape_print(a).text, rf_shape_print(b).text);
    rf_shape batch_a = *a, batch_b = *b;
    batch_a.rank = batch_rank(a);
    batch_b.rank = batch_rank(b);
    RF_TRY(rf_node_broadcast(node, &batch_a, &batch_b, output));
    if (a->rank > 1)
        output->dims[output->rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        output->dims[output->rank++] = b->dims[b->rank - 1];
    return RF_OK;
}

void rf_matmul_link(const rf_node *node, uint32_t a_input, uint32_t b_input, uint32_t input, rf_link *links)
{
    const rf_shape *a = &node->inputs[a_input]->shape, *b = &node->inputs[b_input]->shape;
    const rf_shape *in = &node->inputs[input]->shape, *out = &node->outputs[0]->shape;
    rf_link_everything(node, 0, input, links);
    if (input == a_input && a->rank > 1)
        rf_link_same(&links[a->rank - 2], out->rank - 1 - (b->rank > 1));
    if (input == b_input && b->rank > 1)
        rf_link_same(&links[b->rank - 1], out->rank - 1);
    int32_t batch = batch_rank(in);
    int32_t shift = out->rank - (a->rank > 1) - (b->rank > 1) - batch;
    for (int32_t axis = 0; axis < batch; axis++) {
        if (in->dims[axis] == 1 && out->dims[axis + shift] != 1)
            rf_link_range(&links[axis], 0, 0);
        else
            rf_link_same(&links[axis], axis + shift);
    }
}

bool rf_matmul_cost(const rf_node *node, uint32_t a_input, rf_cost *cost)
{
    const rf_shape *a = &node->inputs[a_input]->shape;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    if (!rf_count_terms(outputs, (uint64_t)a->dims[a->rank - 1], &cost->dense))
        return false;
    cost->valid = cost->dense;
    return true;
}

static uint64_t columns_of(const rf_shape *b)
{
    return b->rank > 1 ? (uint64_t)b->dims[b->rank - 1] : 1;
}

bool rf_matmul_scratch(const rf_node *node, uint32_t a_input, uint32_t b_input, uint64_t *bytes)
{
    const rf_shape *a = &node->inputs[a_input]->shape, *b = &node->inputs[b_input]->shape;
    return rf_product_scratch((uint64_t)a->dims[a->rank - 1], columns_of(b), bytes);
}

/* Where the matrices of a factor begin, along the batch axes of the output. */
static rf_view batch_view(const rf_shape *factor, int32_t batch)
{
    rf_view view = {.offset = 0};
    int64_t strides[RF_MAX_RANK];
    int32_t rank = batch_rank(factor);
    rf_view_strides(factor, strides);
    for (int32_t axis = 0; axis < rank; axis++)
        view.strides[axis + batch - rank] = factor->dims[axis] == 1 ? 0 : strides[axis];
    return view;
}

void rf_matmul_each(const rf_node *node, uint32_t a_input, uint32_t b_input, rf_product *product,
                    void (*each)(const rf_node *node, const rf_product *product, uint64_t at))
{
    const rf_value *a = node->inputs[a_input], *b = node->inputs[b_input];
    product->a = a;
    product->b = b;
    product->rows = a->shape.rank > 1 ? (uint64_t)a->shape.dims[a->shape.rank - 2] : 1;
    product->terms = (uint64_t)a->shape.dims[a->shape.rank - 1];
    product->columns = columns_of(&b->shape);
    product->a_row = product->terms;
    product->b_term = product->columns;
    product->a_term = product->b_column = 1;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape), size = product->rows * product->columns;
    rf_shape batch = node->outputs[0]->shape;
    batch.rank -= (a->shape.rank > 1) + (b->shape.rank > 1);
    rf_view view_a = batch_view(&a->shape, batch.rank), view_b = batch_view(&b->shape, batch.rank);
    rf_cursor at_a, at_b;
    rf_cursor_start(&at_a, &batch, &view_a);
    rf_cursor_start(&at_b, &batch, &view_b);
    for (uint64_t at = 0; at < outputs; at += size, rf_cursor_next(&at_a), rf_cursor_next(&at_b)) {
        product->a_at = (uint64_t)at_a.at;
        product->b_at = (uint64_t)at_b.at;
        each(node, product, at);
    }
}

/* ---- MatMul ----------------------------------------------------------------------------- */

static rf_status infer(rf_node *node)
{
    rf_dtype dtype = node->inputs[0]->dtype;
    rf_shape output;
    RF_TRY(rf_check_factor(node, dtype));
    RF_TRY(rf_node_agree(node, 1, "B", dtype));
    RF_TRY(rf_matmul_shape(node, 0, 1, &output));
    rf_set_output(node, 0, dtype, &output);
    return RF_OK;
}

static void link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    (void)output;
    rf_matmul_link(node, 0, 1, input, links);
}

static bool cost(const rf_node *node, rf_cost *cost)
{
    return rf_matmul_cost(node, 0, cost);
}

static bool scratch(const rf_node *node, uint64_t *bytes)
{
    return rf_matmul_scratch(node, 0, 1, bytes);
}

static void write_product(const rf_node *node, const rf_product *product, uint64_t at)
{
    rf_product_write(product, node->outputs[0], at, node->scratch, node->tally);
}

static rf_status evaluate(rf_node *node)
{
    rf_product product = {.a_zero = NULL};
    if (!rf_output(node, 0))
        return rf_fold_refuse(node);
    rf_matmul_each(node, 0, 1, &product, write_product);
    return RF_OK;
}

static bool lower(const rf_node *node, rf_task *task)
{
    const rf_value *a = node->inputs[0], *b = node->inputs[1];
    if (a->dtype != RF_FLOAT32 || a->shape.rank < 2 || b->shape.rank < 2)
        return false;
    task->kind = RF_TASK_MATMUL;
    task->as.matmul.transpose_a = task->as.matmul.transpose_b = false;
    task->as.matmul.alpha = 1;
    task->as.matmul.beta = 0;
    return true;
}

/* [.., rows, columns] with all before the last axis as rows. */
static rf_shape rows_of(const rf_shape *shape)
{
    int64_t columns = shape->dims[shape->rank - 1];
    rf_shape matrix = RF_SHAPE(columns ? (int64_t)rf_elements(shape) / columns : 0, columns);
    return matrix;
}

/* dB = A^T dY where one matrix multiplies all rows of a stack. */
static void give_matrix(const rf_node *node, rf_gradient *to, const char *dy)
{
    const rf_shape *a = &node->inputs[0]->shape, *y = &node->outputs[0]->shape;
    const rf_shape a_rows = rows_of(a), y_rows = rows_of(y);
    const char *x = a->rank == 2 ? node->inputs[0]->name : rf_gradient_reshape(to, node->inputs[0]->name, &a_rows);
    dy = y->rank == 2 ? dy : rf_gradient_reshape(to, dy, &y_rows);
    rf_gradient_give(to, node, 1, rf_gradient_layer(to, "Gemm", RF_NAMES(x, dy), RF_ATTRIBUTES(RF_INT("transA", 1))));
}

/* The product of one factor's transpose with dY, summed over the matrices that broadcasting repeats. */
static void give_stack(const rf_node *node, rf_gradient *to, uint32_t input, const char *dy)
{
    const rf_value *other = node->inputs[1 - input];
    const rf_shape *wanted = &node->inputs[input]->shape, *y = &node->outputs[0]->shape;
    rf_shape full = *y;
    full.dims[full.rank - 2] = wanted->dims[wanted->rank - 2];
    full.dims[full.rank - 1] = wanted->dims[wanted->rank - 1];
    const char *turned = rf_gradient_transpose(to, other->name, other->shape.rank);
    const char *product = input == 0 ? rf_gradient_two(to, "MatMul", dy, turned)
                                     : rf_gradient_two(to, "MatMul", turned, dy);
    rf_gradient_give(to, node, input, rf_gradient_sum_to(to, product, &full, wanted));
}

static rf_status gradient(const rf_node *node, rf_gradient *to)
{
    const rf_shape *a = &node->inputs[0]->shape, *b = &node->inputs[1]->shape;
    const char *dy = rf_gradient_of(to, node, 0);
    if (a->rank < 2 || b->rank < 2)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has a gradient for matrices, not for shapes %s and %s",
                            rf_shape_print(a).text, rf_shape_print(b).text);
    if (rf_gradient_wanted(to, node, 0))
        give_stack(node, to, 0, dy);
    if (rf_gradient_wanted(to, node, 1) && b->rank == 2)
        give_matrix(node, to, dy);
    else if (rf_gradient_wanted(to, node, 1))
        give_stack(node, to, 1, dy);
    return RF_OK;
}

const rf_op rf_op_MatMul = {
    .type = "MatMul",
    .class = RF_CLASS_MATMUL,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .parameter_inputs = 1 << 0 | 1 << 1,
    .infer = infer,
    .link = link,
    .cost = cost,
    .evaluate = evaluate,
    .scratch = scratch,
    .lower = lower,
    .gradient = gradient,
};
