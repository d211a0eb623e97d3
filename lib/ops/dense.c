/* SPDX-License-Identifier: MIT */
/*
 * Matrix products.
 *
 * Counting, for K terms of an output element: K multiplications and K - 1
 * additions, one addition more with a bias. Gemm's alpha, where it is not 1,
 * multiplies every element of the product once; beta every element added.
 */
#include "ops/table.h"

#include "ops/operands.h"

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

static rf_status check_type(const rf_node *node, rf_dtype dtype)
{
    if (rf_dtype_is_real(dtype) || dtype == RF_INT32 || dtype == RF_INT64 || dtype == RF_UINT32
        || dtype == RF_UINT64)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE,
                        "its input must hold floats or integers of 32 or 64 bits, not %s",
                        rf_dtype_name(dtype));
}

/* ---- Gemm ------------------------------------------------------------------------------- */

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
    RF_TRY(check_type(node, a->dtype));
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

/* K terms for each of `outputs` elements, and the additions that join them. */
static bool count_terms(uint64_t outputs, uint64_t terms, rf_counts *counts)
{
    if (!rf_checked_mul(outputs, terms, &counts->multiplications))
        return false;
    counts->macs = counts->multiplications;
    counts->additions = terms ? counts->multiplications - outputs : 0;
    return true;
}

static bool cost_gemm(const rf_node *node, rf_cost *cost)
{
    const gemm_params *params = node->params;
    const gemm_state *state = node->state;
    rf_counts *dense = &cost->dense;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    uint64_t scalings = (uint64_t)(params->alpha != 1) + (state->bias && params->beta != 1);
    if (!count_terms(outputs, (uint64_t)state->terms, dense)
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

/* ---- MatMul ----------------------------------------------------------------------------- */

/* Leading axes that broadcast. */
static int32_t batch_rank(const rf_shape *shape)
{
    return shape->rank > 2 ? shape->rank - 2 : 0;
}

static rf_status infer_matmul(rf_node *node)
{
    const rf_value *left = node->inputs[0], *right = node->inputs[1];
    const rf_shape *a = &left->shape, *b = &right->shape;
    RF_TRY(check_type(node, left->dtype));
    RF_TRY(rf_node_agree(node, 1, "B", left->dtype));
    if (a->rank == 0 || b->rank == 0)
        return rf_node_fail(node, RF_ERROR_SHAPE, "A has shape %s and B %s, but scalars cannot be multiplied",
                            rf_shape_print(a).text, rf_shape_print(b).text);
    int64_t terms = a->dims[a->rank - 1];
    if (b->dims[b->rank > 1 ? b->rank - 2 : 0] != terms)
        return rf_node_fail(node, RF_ERROR_SHAPE, "A of shape %s cannot be multiplied by B of shape %s",
                            rf_shape_print(a).text, rf_shape_print(b).text);
    rf_shape batch_a = *a, batch_b = *b, output;
    batch_a.rank = batch_rank(a);
    batch_b.rank = batch_rank(b);
    RF_TRY(rf_node_broadcast(node, &batch_a, &batch_b, &output));
    if (a->rank > 1)
        output.dims[output.rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        output.dims[output.rank++] = b->dims[b->rank - 1];
    rf_set_output(node, 0, left->dtype, &output);
    return RF_OK;
}

static void link_matmul(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_shape *a = &node->inputs[0]->shape, *b = &node->inputs[1]->shape;
    const rf_shape *in = &node->inputs[input]->shape, *out = &node->outputs[output]->shape;
    rf_link_everything(node, output, input, links);
    if (input == 0 && a->rank > 1)
        rf_link_same(&links[a->rank - 2], out->rank - 1 - (b->rank > 1));
    if (input == 1 && b->rank > 1)
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

static bool cost_matmul(const rf_node *node, rf_cost *cost)
{
    const rf_shape *a = &node->inputs[0]->shape;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape);
    if (!count_terms(outputs, (uint64_t)a->dims[a->rank - 1], &cost->dense))
        return false;
    cost->valid = cost->dense;
    return true;
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
};

const rf_op rf_op_MatMul = {
    .type = "MatMul",
    .class = RF_CLASS_MATMUL,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .parameter_inputs = 1 << 0 | 1 << 1,
    .infer = infer_matmul,
    .link = link_matmul,
    .cost = cost_matmul,
};
