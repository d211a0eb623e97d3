/* SPDX-License-Identifier: MIT */
/* Running sums: of n elements n - 1 additions, of those before each n - 2. */
#include <stddef.h>

#include "ops/checks.h"
#include "ops/fold.h"
#include "ops/lanes.h"
#include "ops/order_key.h"
#include "ops/table.h"

typedef struct cumsum_params {
    int64_t exclusive, reverse;
} cumsum_params;

static const cumsum_params cumsum_defaults = {0, 0};
static const rf_attribute_spec cumsum_attributes[] = {
    {"exclusive", RF_ATTRIBUTE_INT, offsetof(cumsum_params, exclusive), false},
    {"reverse", RF_ATTRIBUTE_INT, offsetof(cumsum_params, reverse), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* What `infer` leaves. */
typedef struct cumsum {
    int32_t axis;
} cumsum;

static rf_status infer_cumsum(rf_node *node)
{
    const rf_value *x = node->inputs[0];
    rf_ints axis;
    RF_TRY(rf_check_single(node, 1, "axis"));
    RF_TRY(rf_node_ints(node, 1, NULL, "axis", &axis));
    if (!rf_dtype_is_float(x->dtype) && !rf_dtype_is_integer(x->dtype))
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input must hold numbers, not %s", rf_dtype_name(x->dtype));
    cumsum *made = RF_TAKE(node->arena, cumsum, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its axis");
    node->state = made;
    RF_TRY(rf_node_axis(node, "axis", axis.at[0], x->shape.rank, &made->axis));
    rf_set_output(node, 0, x->dtype, &x->shape);
    return RF_OK;
}

/* A window as long as the axis, of which one end is always past the input's. */
static void link_cumsum(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const cumsum_params *params = node->params;
    const cumsum *made = node->state;
    const rf_shape *shape = &node->inputs[input]->shape;
    (void)output;
    for (int32_t axis = 0; axis < shape->rank; axis++) {
        if (input == 1)
            rf_link_nothing(&links[axis]);
        else
            rf_link_same(&links[axis], axis);
    }
    if (input == 1)
        return;
    int64_t extent = rf_max(shape->dims[made->axis], 1), shift = params->exclusive != 0;
    rf_link_window(&links[made->axis], made->axis, extent, 1, 1, params->reverse ? -shift : extent - 1 + shift);
}

static rf_lanes lanes_of(const rf_node *node)
{
    const cumsum *made = node->state;
    return rf_lanes_make(&node->inputs[0]->shape, made->axis, made->axis + 1);
}

static bool cost_cumsum(const rf_node *node, rf_cost *cost)
{
    const cumsum_params *params = node->params;
    rf_lanes lanes = lanes_of(node);
    uint64_t free = params->exclusive ? 2 : 1;
    cost->dense.additions = lanes.length > free ? lanes.count * (lanes.length - free) : 0;
    cost->valid = cost->dense;
    return true;
}

/* A running sum of either kind. */
typedef struct sum {
    double real;
    int64_t whole;
    uint64_t terms, additions;
} sum;

static void add_element(sum *to, const rf_value *x, uint64_t i)
{
    if (rf_dtype_is_float(x->dtype))
        to->real += rf_value_float(x, i);
    else
        to->whole = rf_wrap_add(to->whole, rf_value_int(x, i));
    to->additions += to->terms++ > 0;
}

static void store_sum(const sum *from, const rf_value *y, uint64_t i)
{
    if (rf_dtype_is_float(y->dtype))
        rf_store_float(rf_fold_data(y), y->dtype, i, from->real);
    else
        rf_store_int(rf_fold_data(y), y->dtype, i, from->whole);
}

static uint64_t sum_lane(const rf_node *node, rf_lane lane)
{
    const cumsum_params *params = node->params;
    const rf_value *x = node->inputs[0], *y = node->outputs[0];
    sum running = {.real = 0};
    for (uint64_t k = 0; k < lane.count; k++) {
        uint64_t i = lane.at + (params->reverse ? lane.count - 1 - k : k) * lane.step;
        if (params->exclusive)
            store_sum(&running, y, i);
        if (!params->exclusive || k + 1 < lane.count)
            add_element(&running, x, i);
        if (!params->exclusive)
            store_sum(&running, y, i);
    }
    return running.additions;
}

static rf_status evaluate_cumsum(rf_node *node)
{
    if (!rf_output(node, 0) || !rf_order_knows(node->inputs[0]->dtype))
        return rf_fold_refuse(node);
    rf_lanes lanes = lanes_of(node);
    for (uint64_t k = 0; k < lanes.count; k++) {
        uint64_t additions = sum_lane(node, rf_lanes_at(&lanes, k));
        if (node->tally)
            node->tally->additions += additions;
    }
    return RF_OK;
}

const rf_op rf_op_CumSum = {
    .type = "CumSum",
    .class = RF_CLASS_REDUCTION,
    .min_inputs = 2,
    .max_inputs = 2,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = cumsum_attributes,
    .defaults = &cumsum_defaults,
    .params_size = sizeof(cumsum_params),
    .infer = infer_cumsum,
    .link = link_cumsum,
    .cost = cost_cumsum,
    .evaluate = evaluate_cumsum,
};
