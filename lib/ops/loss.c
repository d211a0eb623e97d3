/* SPDX-License-Identifier: MIT */
/*
 * Losses of classifiers: the negative log likelihood, and the cross entropy,
 * which is that of a LogSoftmax over the classes; and the latter's gradient by its
 * scores, (softmax - 1 at the target's class) times the target's share of the loss.
 *
 * Counting, for T targets: T multiplications where classes have weights; T - 1
 * additions where the losses are joined; for their mean a division, and T - 1
 * additions more of the weights where there are some. Targets that are ignored
 * count as well: they add nothing of weight 0. The cross entropy adds what
 * LogSoftmax counts. Its gradient counts a Softmax, T additions, a multiplication
 * for each score where targets have shares other than 1, and for a mean T divisions
 * and, with weights, T - 1 additions.
 */
#include <stddef.h>
#include <string.h>

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/gradient.h"
#include "ops/lanes.h"
#include "ops/operands.h"
#include "ops/softmax.h"
#include "ops/table.h"

typedef struct loss_params {
    const char *reduction;
    int64_t ignore_index;
} loss_params;

static const loss_params loss_defaults = {NULL, RF_ABSENT};
static const rf_attribute_spec loss_attributes[] = {
    {"reduction", RF_ATTRIBUTE_STRING, offsetof(loss_params, reduction), false},
    {"ignore_index", RF_ATTRIBUTE_INT, offsetof(loss_params, ignore_index), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

typedef enum reduction {
    REDUCTION_MEAN,
    REDUCTION_SUM,
    REDUCTION_NONE
} reduction;

static const char *const reductions[] = {"mean", "sum", "none", NULL};

/* What `infer` leaves. */
typedef struct loss {
    int reduction;
} loss;

/* Classes lie along this axis of the input; targets have all the others. */
enum { CLASS_AXIS = 1 };

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_target(const rf_node *node, const rf_shape *x)
{
    const rf_value *target = node->inputs[1];
    rf_shape wanted = {.rank = 0};
    for (int32_t axis = 0; axis < x->rank; axis++)
        if (axis != CLASS_AXIS)
            wanted.dims[wanted.rank++] = x->dims[axis];
    if (target->dtype != RF_INT32 && target->dtype != RF_INT64)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its target is %s, but must be int32 or int64",
                            rf_dtype_name(target->dtype));
    if (rf_shape_equal(&target->shape, &wanted))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "its target has shape %s, but %s goes with an input of shape %s",
                        rf_shape_print(&target->shape).text, rf_shape_print(&wanted).text, rf_shape_print(x).text);
}

static rf_status infer_loss(rf_node *node)
{
    const loss_params *params = node->params;
    const rf_shape scalar = {.rank = 0};
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    if (x->shape.rank < 2 || x->shape.dims[CLASS_AXIS] < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N, C, ...] with a class is needed",
                            rf_shape_print(&x->shape).text);
    RF_TRY(check_target(node, &x->shape));
    RF_TRY(rf_node_agree(node, 2, "the weight", x->dtype));
    RF_TRY(rf_node_vector(node, 2, "the weight", x->shape.dims[CLASS_AXIS]));
    loss *made = RF_TAKE(node->arena, loss, 1);
    if (!made)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its reduction");
    node->state = made;
    RF_TRY(rf_node_choice(node, "reduction", params->reduction, reductions, &made->reduction));
    rf_set_output(node, 0, x->dtype, made->reduction == REDUCTION_NONE ? &node->inputs[1]->shape : &scalar);
    rf_set_output(node, 1, x->dtype, &x->shape);
    return RF_OK;
}

/* Output 1 is the LogSoftmax. */
static void link_loss(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const loss *made = node->state;
    rf_link_everything(node, output, input, links);
    for (int32_t axis = 0; axis < node->inputs[input]->shape.rank; axis++) {
        if (output == 1 && input != 0)
            rf_link_nothing(&links[axis]);
        else if (output == 1 && axis != CLASS_AXIS)
            rf_link_same(&links[axis], axis);
        else if (output == 0 && made->reduction == REDUCTION_NONE && input == 1)
            rf_link_same(&links[axis], axis);
        else if (output == 0 && made->reduction == REDUCTION_NONE && input == 0 && axis != CLASS_AXIS)
            rf_link_same(&links[axis], axis > CLASS_AXIS ? axis - 1 : axis);
    }
}

static bool cost_likelihood(const rf_node *node, rf_cost *cost)
{
    const loss *made = node->state;
    uint64_t targets = rf_elements(&node->inputs[1]->shape);
    bool weighted = rf_input(node, 2) != NULL;
    rf_counts *dense = &cost->dense;
    if (targets == 0)
        return true;
    dense->multiplications = weighted ? targets : 0;
    if (made->reduction != REDUCTION_NONE)
        dense->additions = targets - 1;
    if (made->reduction == REDUCTION_MEAN) {
        dense->divisions = 1;
        dense->additions += weighted ? targets - 1 : 0;
    }
    cost->valid = *dense;
    return true;
}

static bool cost_entropy(const rf_node *node, rf_cost *cost)
{
    uint64_t elements = rf_elements(&node->inputs[0]->shape), targets = rf_elements(&node->inputs[1]->shape);
    if (!cost_likelihood(node, cost) || !rf_add_product(&cost->dense.additions, 3, elements)
        || !rf_checked_add(elements, targets, &cost->dense.exponentials))
        return false;
    cost->dense.additions -= targets;
    cost->dense.comparisons = elements - targets;
    cost->valid = cost->dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

/* What has been joined so far. */
typedef struct joined {
    double losses, weights;
    uint64_t targets;
} joined;

/* The class of target `k`; -1 for one that is ignored. */
static rf_status read_target(const rf_node *node, uint64_t k, int64_t *class)
{
    const loss_params *params = node->params;
    int64_t classes = node->inputs[0]->shape.dims[CLASS_AXIS];
    *class = rf_value_int(node->inputs[1], k);
    if (params->ignore_index != RF_ABSENT && *class == params->ignore_index)
        *class = -1;
    else if (*class < 0 || *class >= classes)
        return rf_node_fail(node, RF_ERROR_SHAPE, "target %lld is outside 0..%lld", (long long)*class,
                            (long long)classes - 1);
    return RF_OK;
}

static void join(const rf_node *node, joined *all, uint64_t k, double value, int64_t class)
{
    const loss *made = node->state;
    const rf_value *weights = rf_input(node, 2), *out = rf_output(node, 0);
    double weight = class < 0 ? 0 : weights ? rf_value_float(weights, (uint64_t)class) : 1;
    if (weights)
        value *= weight;
    if (made->reduction == REDUCTION_NONE && out)
        rf_doubles_write(out, k, 1, &value);
    if (node->tally) {
        uint64_t joins = made->reduction != REDUCTION_NONE && all->targets > 0;
        node->tally->multiplications += weights != NULL;
        node->tally->additions += joins * (1 + (weights && made->reduction == REDUCTION_MEAN));
    }
    all->losses += value;
    all->weights += weight;
    all->targets++;
}

static void finish(const rf_node *node, const joined *all)
{
    const loss *made = node->state;
    double result = all->losses;
    if (made->reduction == REDUCTION_NONE || !rf_output(node, 0))
        return;
    if (made->reduction == REDUCTION_MEAN)
        result /= all->weights;
    if (node->tally && all->targets)
        node->tally->divisions += made->reduction == REDUCTION_MEAN;
    rf_doubles_write(node->outputs[0], 0, 1, &result);
}

static rf_status evaluate_likelihood(rf_node *node)
{
    const rf_value *x = node->inputs[0];
    rf_lanes lanes = rf_lanes_make(&x->shape, CLASS_AXIS, CLASS_AXIS + 1);
    joined all = {.losses = 0};
    for (uint64_t k = 0; k < lanes.count; k++) {
        rf_lane lane = rf_lanes_at(&lanes, k);
        int64_t class;
        RF_TRY(read_target(node, k, &class));
        join(node, &all, k, class < 0 ? 0 : -rf_value_float(x, lane.at + (uint64_t)class * lane.step), class);
    }
    finish(node, &all);
    return RF_OK;
}

static rf_status evaluate_entropy(rf_node *node)
{
    const rf_value *x = node->inputs[0], *logarithms = rf_output(node, 1);
    rf_lanes lanes = rf_lanes_make(&x->shape, CLASS_AXIS, CLASS_AXIS + 1);
    double *row = node->scratch;
    rf_counts unwanted = {0};
    joined all = {.losses = 0};
    for (uint64_t k = 0; k < lanes.count; k++) {
        rf_lane lane = rf_lanes_at(&lanes, k);
        int64_t class;
        RF_TRY(read_target(node, k, &class));
        rf_lane_read(x, lane, row);
        rf_softmax_logarithms(row, lane.count, node->tally ? node->tally : &unwanted);
        if (logarithms)
            rf_lane_write(logarithms, lane, row);
        join(node, &all, k, class < 0 ? 0 : -row[class], class);
    }
    finish(node, &all);
    return RF_OK;
}

static bool scratch_entropy(const rf_node *node, uint64_t *bytes)
{
    rf_lanes lanes = rf_lanes_make(&node->inputs[0]->shape, CLASS_AXIS, CLASS_AXIS + 1);
    return rf_doubles_bytes(lanes.length, 0, bytes);
}

/* Of the scores alone. dL of each loss multiplies the derivatives of its own scores. */
static rf_status gradient_entropy(const rf_node *node, rf_gradient *to)
{
    const loss_params *params = node->params;
    const loss *made = node->state;
    const char *dy = rf_gradient_of(to, node, 0), *joined_by = reductions[made->reduction];
    if (rf_gradient_of(to, node, 1))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient of its second output");
    if (rf_gradient_wanted(to, node, 2))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient by the weights of its classes");
    const rf_attribute attributes[] = {
        {.name = "reduction", .type = RF_ATTRIBUTE_STRING, .count = strlen(joined_by), .value = {.s = joined_by}},
        params->ignore_index == RF_ABSENT ? (rf_attribute){.name = NULL}
                                          : (rf_attribute)RF_INT("ignore_index", params->ignore_index),
        {.name = NULL}};
    const rf_value *weights = rf_input(node, 2);
    const char *const inputs[] = {node->inputs[0]->name, node->inputs[1]->name, weights ? weights->name : NULL, NULL};
    const char *dx = rf_gradient_layer(to, "CrossEntropyGradient", inputs, attributes);
    if (made->reduction == REDUCTION_NONE) {
        rf_shape shape = node->inputs[0]->shape;
        shape.dims[CLASS_AXIS] = 1;
        dy = rf_gradient_reshape(to, dy, &shape);
    }
    rf_gradient_give(to, node, 0, rf_gradient_two(to, "Mul", dx, dy));
    return RF_OK;
}

#define LOSS_ROW(type_, outputs_, cost_, evaluate_, scratch_, gradient_) \
    const rf_op rf_op_##type_ = {                             \
        .type = #type_,                                       \
        .class = RF_CLASS_OTHER,                              \
        .min_inputs = 2,                                      \
        .max_inputs = 3,                                      \
        .min_outputs = 1,                                     \
        .max_outputs = outputs_,                              \
        .attributes = loss_attributes,                        \
        .defaults = &loss_defaults,                           \
        .params_size = sizeof(loss_params),                   \
        .infer = infer_loss,                                  \
        .link = link_loss,                                    \
        .cost = cost_,                                        \
        .evaluate = evaluate_,                                \
        .scratch = scratch_,                                  \
        .gradient = gradient_,                                \
    }

/* ---- The cross entropy's gradient ------------------------------------------------------- */

static rf_status infer_gradient(rf_node *node)
{
    RF_TRY(infer_loss(node));
    rf_set_output(node, 0, node->inputs[0]->dtype, &node->inputs[0]->shape);
    return RF_OK;
}

/* The labels that are not ignored, and their weights, divide a mean. */
static void link_gradient(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const loss *made = node->state;
    bool whole = input == 2 || (input == 1 && made->reduction == REDUCTION_MEAN);
    rf_link_everything(node, output, input, links);
    for (int32_t axis = 0; !whole && axis < node->inputs[input]->shape.rank; axis++) {
        if (input == 1)
            rf_link_same(&links[axis], axis < CLASS_AXIS ? axis : axis + 1);
        else if (axis != CLASS_AXIS)
            rf_link_same(&links[axis], axis);
    }
}

static bool has_shares(const rf_node *node)
{
    const loss *made = node->state;
    return made->reduction == REDUCTION_MEAN || rf_input(node, 2);
}

static bool cost_gradient(const rf_node *node, rf_cost *cost)
{
    const loss *made = node->state;
    uint64_t elements = rf_elements(&node->inputs[0]->shape), targets = rf_elements(&node->inputs[1]->shape);
    bool mean = made->reduction == REDUCTION_MEAN;
    rf_counts *dense = &cost->dense;
    if (targets == 0)
        return true;
    if (!rf_checked_mul(elements, 2, &dense->additions) || !rf_checked_add(elements, targets, &dense->divisions))
        return false;
    dense->comparisons = elements - targets;
    dense->exponentials = elements;
    dense->additions += mean && rf_input(node, 2) ? targets - 1 : 0;
    dense->divisions -= mean ? 0 : targets;
    dense->multiplications = has_shares(node) ? elements : 0;
    cost->valid = *dense;
    return true;
}

static double weight_of(const rf_node *node, int64_t class)
{
    const rf_value *weights = rf_input(node, 2);
    return class < 0 ? 0 : weights ? rf_value_float(weights, (uint64_t)class) : 1;
}

/* What all shares are divided by. */
static rf_status read_divisor(const rf_node *node, uint64_t targets, double *divisor)
{
    const loss *made = node->state;
    *divisor = 0;
    for (uint64_t k = 0; k < targets; k++) {
        int64_t class;
        RF_TRY(read_target(node, k, &class));
        *divisor += weight_of(node, class);
    }
    if (made->reduction != REDUCTION_MEAN) {
        *divisor = 1;
        return RF_OK;
    }
    rf_tally_add(node, RF_COUNTER(divisions), targets);
    if (rf_input(node, 2) && targets)
        rf_tally_add(node, RF_COUNTER(additions), targets - 1);
    return RF_OK;
}

static rf_status evaluate_gradient(rf_node *node)
{
    rf_lanes lanes = rf_lanes_make(&node->inputs[0]->shape, CLASS_AXIS, CLASS_AXIS + 1);
    double *row = node->scratch, divisor;
    rf_counts unwanted = {0};
    RF_TRY(read_divisor(node, lanes.count, &divisor));
    for (uint64_t k = 0; k < lanes.count; k++) {
        rf_lane lane = rf_lanes_at(&lanes, k);
        int64_t class;
        RF_TRY(read_target(node, k, &class));
        rf_lane_read(node->inputs[0], lane, row);
        rf_softmax_group(row, lane.count, node->tally ? node->tally : &unwanted);
        if (class >= 0)
            row[class] -= 1;
        double share = class < 0 ? 0 : weight_of(node, class) / divisor;
        for (uint64_t i = 0; i < lane.count; i++)
            row[i] = class < 0 ? 0 : row[i] * share;
        rf_lane_write(node->outputs[0], lane, row);
        rf_tally_add(node, RF_COUNTER(additions), 1);
        rf_tally_add(node, RF_COUNTER(multiplications), has_shares(node) ? lane.count : 0);
    }
    return RF_OK;
}

LOSS_ROW(NegativeLogLikelihoodLoss, 1, cost_likelihood, evaluate_likelihood, NULL, NULL);
LOSS_ROW(SoftmaxCrossEntropyLoss, 2, cost_entropy, evaluate_entropy, scratch_entropy,
         gradient_entropy);

const rf_op rf_op_CrossEntropyGradient = {
    .type = "CrossEntropyGradient",
    .class = RF_CLASS_SOFTMAX,
    .own = true,
    .min_inputs = 2,
    .max_inputs = 3,
    .min_outputs = 1,
    .max_outputs = 1,
    .attributes = loss_attributes,
    .defaults = &loss_defaults,
    .params_size = sizeof(loss_params),
    .infer = infer_gradient,
    .link = link_gradient,
    .cost = cost_gradient,
    .evaluate = evaluate_gradient,
    .scratch = scratch_entropy,
};
