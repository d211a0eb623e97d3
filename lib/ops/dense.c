/* SPDX-License-Identifier: MIT */
/*
 * Dense layers.
 *
 * Counting, for K terms of an output element: K multiplications and K - 1
 * additions, one addition more with a bias. Gemm's alpha, where it is not 1,
 * multiplies every element of the product once; beta every element added.
 */
#include "ops/table.h"

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/matmul.h"
#include "ops/operands.h"
#include "ops/task.h"

typedef struct gemm_params {
    float alpha, beta;
    int64_t trans_a, trans_b, broadcast, filters, bias;
} gemm_params;

typedef struct gemm_state {
    int64_t rows, terms, columns;
    bool flattened, bias;
} gemm_state;

static const gemm_params gemm_defaults = {
    .alpha = 1,
    .beta = 1,
    .filters = RF_ABSENT,
    .bias = RF_ABSENT,
};

static const rf_attribute_spec gemm_attributes[] = {
    {"alpha", RF_ATTRIBUTE_FLOAT, offsetof(gemm_params, alpha), false},
    {"beta", RF_ATTRIBUTE_FLOAT, offsetof(gemm_params, beta), false},
    {"transA", RF_ATTRIBUTE_INT, offsetof(gemm_params, trans_a), false},
    {"transB", RF_ATTRIBUTE_INT, offsetof(gemm_params, trans_b), false},
    {"broadcast", RF_ATTRIBUTE_INT, offsetof(gemm_params, broadcast), false},
    {"filters", RF_ATTRIBUTE_INT, offsetof(gemm_params, filters), false},
    {"bias", RF_ATTRIBUTE_INT, offsetof(gemm_params, bias), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static rf_status read_weight(const rf_node *node, gemm_state *state)
{
    const gemm_params *params = node->params;
    const rf_shape *a = &node->inputs[0]->shape, *b = &node->inputs[1]->shape;
    if (params->filters != RF_ABSENT || params->bias != RF_ABSENT)
        return rf_node_fail(node, RF_ERROR_FORMAT, "'filters' and 'bias' exclude a weight tensor");
    if (a->rank != 2 || b->rank != 2)
        return rf_node_fail(node, RF_ERROR_SHAPE, "A has shape %s and B %s, but both must be matrices",
                            rf_shape_print(a).text, rf_shape_print(b).text);
    int64_t terms = b->dims[params->trans_b ? 1 : 0];
    if (terms != state->terms)
        return rf_node_fail(node, RF_ERROR_SHAPE, "A gives %lld terms to sum, but B takes %lld: %s by %s",
                            (long long)state->terms, (long long)terms, rf_shape_print(a).text,
                            rf_shape_print(b).text);
    state->columns = b->dims[params->trans_b ? 0 : 1];
    state->bias = rf_input(node, 2) != NULL;
    return RF_OK;
}

static rf_status check_bias(const rf_node *node, const rf_shape *output)
{
    const rf_value *c = rf_input(node, 2);
    rf_shape both;
    if (!c)
        return RF_OK;
    RF_TRY(rf_node_broadcast(node, output, &c->shape, &both));
    if (rf_shape_equal(&both, output))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "C of shape %s does not broadcast to the product's %s",
                        rf_shape_print(&c->shape).text, rf_shape_print(output).text);
}

static rf_status imply_weights(rf_node *node, gemm_state *state)
{
    const gemm_params *params = node->params;
    if (rf_input(node, 2))
        return rf_node_fail(node, RF_ERROR_GRAPH, "it has a tensor C but no tensor B");
    if (params->filters == RF_ABSENT)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it needs a weight tensor or the attribute 'filters'");
    if (params->filters < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "'filters' is %lld, but must be at least 1",
                            (long long)params->filters);
    state->columns = params->filters;
    state->bias = params->bias != 0;
    rf_shape weight = RF_SHAPE(state->terms, state->columns), bias = RF_SHAPE(state->columns);
    if (params->trans_b)
        weight = (rf_shape)RF_SHAPE(state->columns, state->terms);
    RF_TRY(rf_node_imply_weight(node, &weight));
    return state->bias ? rf_node_imply_weight(node, &bias) : RF_OK;
}

/* Rows and terms of A; more than two axes are flattened to [N, rest]. */
static rf_status read_matrix(const rf_node *node, gemm_state *state)
{
    const gemm_params *params = node->params;
    const rf_shape *a = &node->inputs[0]->shape;
    state->flattened = a->rank > 2;
    if (a->rank < 2 || (state->flattened && params->trans_a))
        return rf_node_fail(node, RF_ERROR_SHAPE, "A has shape %s, but must be a matrix%s",
                            rf_shape_print(a).text, params->trans_a ? " where transA is set" : "");
    rf_shape rest = {.rank = a->rank - 1};
    memcpy(rest.dims, a->dims + 1, (size_t)rest.rank * sizeof *rest.dims);
    uint64_t terms;
    RF_TRY(rf_node_elements(node, &rest, &terms));
    state->rows = params->trans_a ? a->dims[1] : a->dims[0];
    state->terms = params->trans_a ? a->dims[0] : (int64_t)terms;
    return RF_OK;
}

static rf_status infer_gemm(rf_node *node)
{
    const rf_value *a = node->inputs[0];
    RF_TRY(rf_check_factor(node, a->dtype));
    RF_TRY(rf_node_agree(node, 1, "B", a->dtype));
    RF_TRY(rf_node_agree(node, 2, "C", a->dtype));
    gemm_state *state = RF_TAKE(node->arena, gemm_state, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its extents");
    node->state = state;
    RF_TRY(read_matrix(node, state));
    RF_TRY(rf_input(node, 1) ? read_weight(node, state) : imply_weights(node, state));
    rf_shape output = RF_SHAPE(state->rows, state->columns);
    RF_TRY(check_bias(node, &output));
    rf_set_output(node, 0, a->dtype, &output);
    return RF_OK;
}

static void link_gemm(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input == 2) {
        rf_link_broadcast(node, output, input, links);
        return;
    }
    const gemm_params *params = node->params;
    rf_link_everything(node, output, input, links);
    if (input == 0)
        rf_link_same(&links[params->trans_a ? 1 : 0], 0);
    else
        rf_link_same(&links[params->trans_b ? 0 : 1], 1);
}

static bool cost_gemm(const rf_node *node, rf_cost *cost)
{
    const gemm_params *params = node->params;
    const gemm_state *state = node->state;
    rf_counts *dense = &cost->dense;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    uint64_t scalings = (uint64_t)(params->alpha != 1) + (state->bias && params->beta != 1);
    if (!rf_count_terms(outputs, (uint64_t)state->terms, dense)
        || !rf_add_product(&dense->multiplications, outputs, scalings))
        return false;
    if (state->bias) {
        cost->bias_additions = outputs;
        if (!rf_checked_add(dense->additions, outputs, &dense->additions))
            return false;
    }
    cost->valid = *dense;
    return true;
}

static bool scratch_gemm(const rf_node *node, uint64_t *bytes)
{
    const gemm_state *state = node->state;
    return rf_product_scratch((uint64_t)state->terms, (uint64_t)state->columns, bytes);
}

static rf_product product_of(const rf_node *node)
{
    const gemm_params *params = node->params;
    const gemm_state *state = node->state;
    uint64_t rows = (uint64_t)state->rows, terms = (uint64_t)state->terms, columns = (uint64_t)state->columns;
    return (rf_product){
        .a = node->inputs[0], .b = node->inputs[1],
        .a_row = params->trans_a ? 1 : terms, .a_term = params->trans_a ? rows : 1,
        .b_term = params->trans_b ? 1 : columns, .b_column = params->trans_b ? terms : 1,
        .rows = rows, .terms = terms, .columns = columns,
    };
}

/* Scales a row of sums and adds C, whose strides along rows and columns the view has. */
static void finish_row(const rf_node *node, const rf_view *c, uint64_t row, uint64_t columns, double *sums)
{
    const gemm_params *params = node->params;
    double alpha = (double)params->alpha, beta = (double)params->beta;
    uint64_t scalings = 0;
    if (alpha != 1) {
        for (uint64_t i = 0; i < columns; i++)
            sums[i] *= alpha;
        scalings += columns;
    }
    if (c) {
        uint64_t at = row * (uint64_t)c->strides[0], step = (uint64_t)c->strides[1];
        for (uint64_t i = 0; i < columns; i++)
            sums[i] += beta * rf_value_float(node->inputs[2], at + i * step);
        scalings += beta != 1 ? columns : 0;
    }
    if (node->tally) {
        node->tally->multiplications += scalings;
        node->tally->additions += c ? columns : 0;
    }
}

static void write_floats(const rf_node *node, const rf_product *product, const rf_view *c)
{
    for (uint64_t row = 0; row < product->rows; row += RF_PRODUCT_ROWS) {
        uint64_t left = product->rows - row, count = left < RF_PRODUCT_ROWS ? left : RF_PRODUCT_ROWS;
        double *sums = rf_product_floats(product, row, count, node->scratch, node->tally);
        for (uint64_t r = 0; r < count; r++)
            finish_row(node, c, row + r, product->columns, sums + r * product->columns);
        rf_doubles_write(node->outputs[0], row * product->columns, count * product->columns, sums);
    }
}

/* Integers that nothing scales, with C as it is added. */
static void write_ints(const rf_node *node, const rf_product *product, const rf_view *c)
{
    const rf_value *output = node->outputs[0];
    uint64_t columns = product->columns;
    for (uint64_t row = 0; row < product->rows; row++) {
        int64_t *sums = rf_product_ints(product, row, 1, node->scratch, node->tally);
        for (uint64_t i = 0; i < columns; i++) {
            uint64_t at = c ? row * (uint64_t)c->strides[0] + i * (uint64_t)c->strides[1] : 0;
            int64_t sum = c ? rf_wrap_add(sums[i], rf_value_int(node->inputs[2], at)) : sums[i];
            rf_store_int(rf_fold_data(output), output->dtype, row * columns + i, sum);
        }
        if (node->tally)
            node->tally->additions += c ? columns : 0;
    }
}

static rf_status evaluate_gemm(rf_node *node)
{
    const gemm_params *params = node->params;
    const rf_value *b = rf_input(node, 1), *c = rf_input(node, 2), *output = rf_output(node, 0);
    if (!b || !output)
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no weights, only their shapes");
    if (rf_elements(&output->shape) == 0)
        return RF_OK;
    rf_product product = product_of(node);
    rf_view view;
    if (c)
        rf_view_broadcast(&c->shape, &output->shape, 2 - c->shape.rank, &view);
    bool scaled = params->alpha != 1 || (c && params->beta != 1);
    if (rf_dtype_is_float(output->dtype) || scaled)
        write_floats(node, &product, c ? &view : NULL);
    else
        write_ints(node, &product, c ? &view : NULL);
    return RF_OK;
}

static bool lower_gemm(const rf_node *node, rf_task *task)
{
    const gemm_params *params = node->params;
    const gemm_state *state = node->state;
    if (node->inputs[0]->dtype != RF_FLOAT32 || !rf_input(node, 1) || state->flattened)
        return false;
    task->kind = RF_TASK_MATMUL;
    task->as.matmul.transpose_a = params->trans_a != 0;
    task->as.matmul.transpose_b = params->trans_b != 0;
    task->as.matmul.alpha = params->alpha;
    task->as.matmul.beta = params->beta;
    return true;
}

static const char *product_layer(rf_gradient *to, const char *a, const char *b, bool trans_a, bool trans_b, float alpha)
{
    const rf_attribute attributes[] = {RF_INT("transA", trans_a), RF_INT("transB", trans_b), RF_FLOAT("alpha", alpha),
                                       {.name = NULL}};
    return rf_gradient_layer(to, "Gemm", RF_NAMES(a, b), attributes);
}

/* With A' and B' as they are multiplied: dA' = alpha dY B'^T, dB' = alpha A'^T dY, dC = beta dY. */
static rf_status gradient_gemm(const rf_node *node, rf_gradient *to)
{
    const gemm_params *params = node->params;
    const gemm_state *state = node->state;
    const char *dy = rf_gradient_of(to, node, 0), *a = node->inputs[0]->name, *b = rf_input(node, 1)->name;
    bool trans_a = params->trans_a != 0, trans_b = params->trans_b != 0;
    if (rf_gradient_wanted(to, node, 0)) {
        const char *da = trans_a ? product_layer(to, b, dy, trans_b, true, params->alpha)
                                 : product_layer(to, dy, b, false, !trans_b, params->alpha);
        rf_gradient_give(to, node, 0, state->flattened ? rf_gradient_reshape(to, da, &node->inputs[0]->shape) : da);
    }
    if (rf_gradient_wanted(to, node, 1)) {
        const rf_shape matrix = RF_SHAPE(state->rows, state->terms);
        if (state->flattened)
            a = rf_gradient_reshape(to, a, &matrix);
        rf_gradient_give(to, node, 1, trans_b ? product_layer(to, dy, a, true, trans_a, params->alpha)
                                              : product_layer(to, a, dy, !trans_a, false, params->alpha));
    }
    if (rf_gradient_wanted(to, node, 2))
        rf_gradient_give_broadcast(to, node, 2, rf_gradient_scale(to, dy, (double)params->beta));
    return RF_OK;
}

const rf_op rf_op_Gemm = {
    .type = "Gemm",
    .class = RF_CLASS_DENSE,
    .min_inputs = 1,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = gemm_attributes,
    .defaults = &gemm_defaults,
    .params_size = sizeof(gemm_params),
    .parameter_inputs = 1 << 1 | 1 << 2,
    .infer = infer_gemm,
    .link = link_gemm,
    .cost = cost_gemm,
    .evaluate = evaluate_gemm,
    .scratch = scratch_gemm,
    .lower = lower_gemm,
    .gradient = gradient_gemm,
};
