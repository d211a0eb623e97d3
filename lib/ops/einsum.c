/* SPDX-License-Identifier: MIT */
/*
 * Sums of products over labelled axes.
 *
 * Counting, for an output element that sums T products of n factors:
 * (n - 1) T multiplications and T - 1 additions; of two factors or more each
 * product is a mac.
 */
#include <string.h>

#include "ops/einsum_equation.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/order_key.h"
#include "ops/table.h"

typedef struct einsum_params {
    const char *equation;
} einsum_params;

static const einsum_params einsum_defaults = {NULL};
static const rf_attribute_spec einsum_attributes[] = {
    {"equation", RF_ATTRIBUTE_STRING, offsetof(einsum_params, equation), true},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* What `infer` leaves. A place is a label: first those of the output in its order, then the others. */
typedef struct einsum {
    rf_einsum_equation equation;
    int32_t places;
    int64_t extents[RF_EINSUM_LABELS];
    int64_t *strides; /* of each input along each place: strides[input * places + place] */
    uint64_t terms;   /* products of an output element */
} einsum;

/* ---- Shapes ----------------------------------------------------------------------------- */

/* The extent of every label, -1 for one that is not used; an extent of 1 is repeated. */
static rf_status read_extents(const rf_node *node, const einsum *made, int64_t extents[RF_EINSUM_LABELS])
{
    for (int label = 0; label < RF_EINSUM_LABELS; label++)
        extents[label] = -1;
    for (uint32_t i = 0; i < node->input_count; i++) {
        const rf_einsum_term *term = &made->equation.inputs[i];
        for (int32_t k = 0; k < term->rank; k++) {
            int64_t *extent = &extents[term->labels[k]], dim = node->inputs[i]->shape.dims[k];
            if (*extent < 0 || *extent == 1)
                *extent = dim;
            else if (dim != *extent && dim != 1)
                return rf_node_fail(node, RF_ERROR_SHAPE,
                                    "axis %d of input %u has extent %lld, but its label has %lld",
                                    (int)k, (unsigned)i, (long long)dim, (long long)*extent);
        }
    }
    return RF_OK;
}

/* Numbers the places; place_of[label] is left for those that are used. */
static void place_labels(einsum *made, const int64_t extents[RF_EINSUM_LABELS], int32_t place_of[RF_EINSUM_LABELS])
{
    const rf_einsum_term *output = &made->equation.output;
    uint64_t placed = 0;
    made->places = 0;
    for (int32_t k = 0; k < output->rank; k++) {
        placed |= UINT64_C(1) << output->labels[k];
        place_of[output->labels[k]] = made->places;
        made->extents[made->places++] = extents[output->labels[k]];
    }
    for (int label = 0; label < RF_EINSUM_LABELS; label++) {
        if (extents[label] < 0 || placed >> label & 1)
            continue;
        place_of[label] = made->places;
        made->extents[made->places++] = extents[label];
    }
}

/* A label that an input has twice walks its diagonal: its strides add up. */
static rf_status make_strides(const rf_node *node, einsum *made, const int32_t place_of[RF_EINSUM_LABELS])
{
    made->strides = RF_TAKE(node->arena, int64_t, (size_t)node->input_count * (size_t)(made->places + 1));
    if (!made->strides)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its strides");
    for (uint32_t i = 0; i < node->input_count; i++) {
        const rf_einsum_term *term = &made->equation.inputs[i];
        const rf_shape *shape = &node->inputs[i]->shape;
        int64_t strides[RF_MAX_RANK];
        rf_view_strides(shape, strides);
        for (int32_t k = 0; k < term->rank; k++)
            if (shape->dims[k] != 1)
                made->strides[(size_t)i * (size_t)made->places + (size_t)place_of[term->labels[k]]] += strides[k];
    }
    return RF_OK;
}

/* The output's shape, and how many terms an element of it has. */
static rf_status count_terms(const rf_node *node, einsum *made, rf_shape *output)
{
    uint64_t all = 1;
    bool empty = false;
    made->terms = 1;
    output->rank = made->equation.output.rank;
    for (int32_t k = 0; k < made->places; k++) {
        uint64_t extent = (uint64_t)made->extents[k];
        empty |= extent == 0;
        if (k < output->rank)
            output->dims[k] = made->extents[k];
        else if (!rf_checked_mul(made->terms, extent, &made->terms))
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "it sums too many products");
        if (!empty && !rf_checked_mul(all, extent, &all))
            return rf_node_fail(node, RF_ERROR_OVERFLOW, "it makes too many products");
    }
    return RF_OK;
}

static rf_status check_inputs(const rf_node *node)
{
    rf_value *value;
    for (uint32_t i = 0; i < node->input_count; i++) {
        RF_TRY(rf_node_require(node, i, "a factor", &value));
        RF_TRY(rf_node_agree(node, i, "a factor", node->inputs[0]->dtype));
    }
    if (rf_dtype_is_real(value->dtype) || rf_dtype_is_integer(value->dtype))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its inputs must hold numbers, not %s", rf_dtype_name(value->dtype));
}

static rf_status infer_einsum(rf_node *node)
{
    const einsum_params *params = node->params;
    int64_t extents[RF_EINSUM_LABELS];
    int32_t place_of[RF_EINSUM_LABELS] = {0};
    rf_shape output;
    RF_TRY(check_inputs(node));
    einsum *made = RF_TAKE(node->arena, einsum, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its extents");
    node->state = made;
    RF_TRY(rf_einsum_read(node, params->equation, &made->equation));
    RF_TRY(read_extents(node, made, extents));
    place_labels(made, extents, place_of);
    RF_TRY(count_terms(node, made, &output));
    RF_TRY(make_strides(node, made, place_of));
    rf_set_output(node, 0, node->inputs[0]->dtype, &output);
    return RF_OK;
}

static void link_einsum(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const einsum *made = node->state;
    const rf_einsum_term *term = &made->equation.inputs[input], *out = &made->equation.output;
    rf_link_everything(node, output, input, links);
    for (int32_t axis = 0; axis < term->rank; axis++)
        for (int32_t k = 0; k < out->rank; k++) {
            if (out->labels[k] != term->labels[axis])
                continue;
            if (node->inputs[input]->shape.dims[axis] == 1 && made->extents[k] != 1)
                rf_link_range(&links[axis], 0, 0);
            else
                rf_link_same(&links[axis], k);
        }
}

static bool cost_einsum(const rf_node *node, rf_cost *cost)
{
    const einsum *made = node->state;
    uint64_t outputs = rf_elements(&node->outputs[0]->shape), products;
    if (!rf_checked_mul(outputs, made->terms, &products)
        || !rf_checked_mul(products, node->input_count - 1, &cost->dense.multiplications))
        return false;
    cost->dense.additions = made->terms ? products - outputs : 0;
    cost->dense.macs = node->input_count > 1 ? products : 0;
    cost->valid = cost->dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

/* A walk over the indices of all places, the last fastest, and the element of each input there. */
typedef struct odometer {
    const einsum *made;
    uint32_t inputs;
    int64_t index[RF_EINSUM_LABELS];
    int64_t *at;
} odometer;

static void advance(odometer *walk)
{
    for (int32_t k = walk->made->places - 1; k >= 0; k--) {
        const int64_t *stride = walk->made->strides + k;
        bool wraps = ++walk->index[k] == walk->made->extents[k];
        int64_t steps = wraps ? 1 - walk->made->extents[k] : 1;
        for (uint32_t i = 0; i < walk->inputs; i++, stride += walk->made->places)
            walk->at[i] += steps * *stride;
        if (!wraps)
            return;
        walk->index[k] = 0;
    }
}

static double float_product(const rf_node *node, const int64_t *at)
{
    double product = rf_value_float(node->inputs[0], (uint64_t)at[0]);
    for (uint32_t i = 1; i < node->input_count; i++)
        product *= rf_value_float(node->inputs[i], (uint64_t)at[i]);
    return product;
}

static int64_t int_product(const rf_node *node, const int64_t *at)
{
    int64_t product = rf_value_int(node->inputs[0], (uint64_t)at[0]);
    for (uint32_t i = 1; i < node->input_count; i++)
        product = rf_wrap_mul(product, rf_value_int(node->inputs[i], (uint64_t)at[i]));
    return product;
}

static void store_sum(const rf_node *node, odometer *walk, uint64_t o)
{
    const rf_value *out = node->outputs[0];
    bool real = rf_dtype_is_float(out->dtype);
    double sum = 0;
    int64_t whole = 0;
    for (uint64_t t = 0; t < walk->made->terms; t++, advance(walk)) {
        if (real)
            sum += float_product(node, walk->at);
        else
            whole = rf_wrap_add(whole, int_product(node, walk->at));
    }
    if (real)
        rf_store_float(rf_fold_data(out), out->dtype, o, sum);
    else
        rf_store_int(rf_fold_data(out), out->dtype, o, whole);
}

static rf_status evaluate_einsum(rf_node *node)
{
    const einsum *made = node->state;
    const rf_value *out = rf_output(node, 0);
    if (!out || !rf_order_knows(out->dtype))
        return rf_fold_refuse(node);
    odometer walk = {.made = made, .inputs = node->input_count, .at = node->scratch};
    memset(walk.at, 0, node->input_count * sizeof *walk.at);
    uint64_t outputs = rf_elements(&out->shape);
    for (uint64_t o = 0; o < outputs; o++) {
        store_sum(node, &walk, o);
        if (node->tally && made->terms) {
            node->tally->multiplications += made->terms * (node->input_count - 1);
            node->tally->macs += node->input_count > 1 ? made->terms : 0;
            node->tally->additions += made->terms - 1;
        }
    }
    return RF_OK;
}

static bool scratch_einsum(const rf_node *node, uint64_t *bytes)
{
    *bytes = node->input_count * sizeof(int64_t);
    return true;
}

const rf_op rf_op_Einsum = {
    .type = "Einsum",
    .class = RF_CLASS_MATMUL,
    .min_inputs = 1,
    .max_inputs = RF_MANY,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = einsum_attributes,
    .defaults = &einsum_defaults,
    .params_size = sizeof(einsum_params),
    .parameter_inputs = UINT32_MAX,
    .infer = infer_einsum,
    .link = link_einsum,
    .cost = cost_einsum,
    .evaluate = evaluate_einsum,
    .scratch = scratch_einsum,
};
