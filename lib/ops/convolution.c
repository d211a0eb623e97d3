/* SPDX-License-Identifier: MIT */
/*
 * Convolution and transposed convolution.
 *
 * Counting, for K = (C_in / group) * prod(kernel) taps of an output element.
 * Dense: K multiplications, K - 1 additions and one more with a bias.
 * Valid: the taps that fall on the input; an element with n >= 1 of them takes
 * n - 1 additions and one more with a bias, an element with none takes nothing
 * (its bias is stored, not added).
 *
 * Transposed: every input element meets (C_out / group) * prod(kernel)
 * weights, dense; valid leaves out the products that the pads crop away. The
 * first product to reach an output position is stored, the others are added;
 * with a bias all are. Dense counts positions before cropping, and one bias
 * addition for each element of the output.
 */
#include "ops/convolution.h"

#include "ops/doubles.h"
#include "ops/gradient.h"
#include "ops/table.h"
#include "ops/task.h"

const rf_convolution_params rf_convolution_defaults = {.group = 1, .filters = RF_ABSENT, .bias = RF_ABSENT};

#define SHARED_ATTRIBUTES                                                             \
    RF_CONVOLUTION_ATTRIBUTES,                                                        \
    {"filters", RF_ATTRIBUTE_INT, offsetof(rf_convolution_params, filters), false},   \
    {"bias", RF_ATTRIBUTE_INT, offsetof(rf_convolution_params, bias), false}

static const rf_attribute_spec conv_attributes[] = {
    SHARED_ATTRIBUTES,
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec transpose_attributes[] = {
    SHARED_ATTRIBUTES,
    {"output_padding", RF_ATTRIBUTE_INTS, offsetof(rf_convolution_params, output_padding), false},
    {"output_shape", RF_ATTRIBUTE_INTS, offsetof(rf_convolution_params, output_shape), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_divides(const rf_node *node, const char *what, int64_t channels, int64_t group)
{
    if (group >= 1 && channels % group == 0)
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%lld %s cannot be split into %lld groups", (long long)channels,
                        what, (long long)group);
}

/* Channels from a weight tensor [C_out, C_in / group, ...], transposed [C_in, C_out / group, ...]. */
static rf_status read_weight(const rf_node *node, const rf_shape *input, rf_convolution *state)
{
    const bool transposed = state->operands.transposed;
    const rf_shape *weight = &node->inputs[state->operands.weight]->shape;
    const rf_convolution_params *params = node->params;
    if (params->filters != RF_ABSENT || params->bias != RF_ABSENT)
        return rf_node_fail(node, RF_ERROR_FORMAT, "'filters' and 'bias' exclude a weight tensor");
    if (weight->rank != input->rank)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its weight has shape %s, its input %s: the ranks differ",
                            rf_shape_print(weight).text, rf_shape_print(input).text);
    int64_t expected = transposed ? state->in_channels : state->in_channels / state->group;
    if (weight->dims[transposed ? 0 : 1] != expected)
        return rf_node_fail(node, RF_ERROR_SHAPE,
                            "its weight has shape %s, but %lld input channels in %lld groups need %lld along axis %d",
                            rf_shape_print(weight).text, (long long)state->in_channels,
                            (long long)state->group, (long long)expected, transposed ? 0 : 1);
    if (!rf_checked_mul(weight->dims[transposed ? 1 : 0], transposed ? state->group : 1, &state->out_channels))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "%lld groups of %lld output channels are too many",
                            (long long)state->group, (long long)weight->dims[1]);
    state->bias = rf_input(node, state->operands.bias) != NULL;
    return rf_node_vector(node, state->operands.bias, "its bias", state->out_channels);
}

static rf_status read_filters(const rf_node *node, rf_convolution *state)
{
    const rf_convolution_params *params = node->params;
    if (rf_input(node, state->operands.bias))
        return rf_node_fail(node, RF_ERROR_GRAPH, "it has a bias tensor but no weight tensor");
    if (params->filters == RF_ABSENT)
        return rf_node_fail(node, RF_ERROR_GRAPH, "it needs a weight tensor or the attribute 'filters'");
    if (params->filters < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE, "'filters' is %lld, but must be at least 1",
                            (long long)params->filters);
    state->out_channels = params->filters;
    state->bias = params->bias != 0;
    return RF_OK;
}

static rf_status imply_weights(rf_node *node, const rf_convolution *state)
{
    const bool transposed = state->operands.transposed;
    rf_shape weight = {.rank = 2 + state->axes};
    weight.dims[0] = transposed ? state->in_channels : state->out_channels;
    weight.dims[1] = (transposed ? state->out_channels : state->in_channels) / state->group;
    for (int32_t i = 0; i < state->axes; i++)
        weight.dims[2 + i] = state->windows[i].kernel;
    RF_TRY(rf_node_imply_weight(node, &weight));
    if (!state->bias)
        return RF_OK;
    rf_shape bias = RF_SHAPE(state->out_channels);
    return rf_node_imply_weight(node, &bias);
}

static rf_status make_windows(const rf_node *node, const rf_shape *input, const int64_t *kernel,
                              rf_convolution *state)
{
    const rf_convolution_params *params = node->params;
    if (!state->operands.transposed)
        return rf_windows_make(node, &params->window, input, kernel, false, state->windows, &state->axes);
    return rf_windows_make_transposed(node, &params->window, input, kernel, &params->output_padding,
                                      &params->output_shape, state->windows, &state->axes);
}

static rf_status begin(rf_node *node, rf_convolution_operands operands, const rf_shape *x, rf_convolution **made)
{
    const rf_convolution_params *params = node->params;
    rf_convolution *state = RF_TAKE(node->arena, rf_convolution, 1);
    if (!state)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its windows");
    node->state = *made = state;
    if (x->rank < 3)
        return rf_node_fail(node, RF_ERROR_SHAPE, "its input has shape %s, but [N,C,spatial...] is needed",
                            rf_shape_print(x).text);
    *state = (rf_convolution){.operands = operands, .batch = x->dims[0], .in_channels = x->dims[1],
                              .group = params->group};
    return check_divides(node, "input channels", state->in_channels, state->group);
}

rf_status rf_convolution_infer(rf_node *node, rf_convolution_operands operands, rf_dtype type)
{
    const rf_value *x = node->inputs[0], *weight = rf_input(node, operands.weight);
    rf_convolution *state = NULL;
    RF_TRY(begin(node, operands, &x->shape, &state));
    RF_TRY(weight ? read_weight(node, &x->shape, state) : read_filters(node, state));
    RF_TRY(check_divides(node, "output channels", state->out_channels, state->group));
    RF_TRY(make_windows(node, &x->shape, weight ? weight->shape.dims + 2 : NULL, state));
    if (!weight)
        RF_TRY(imply_weights(node, state));

    rf_shape output = {.rank = x->shape.rank, .dims = {state->batch, state->out_channels}};
    for (int32_t i = 0; i < state->axes; i++)
        output.dims[2 + i] = state->windows[i].output;
    rf_set_output(node, 0, type, &output);
    return RF_OK;
}

static rf_status infer(rf_node *node, bool transposed)
{
    rf_value *x;
    RF_TRY(rf_node_require_real(node, 0, "its input", &x));
    RF_TRY(rf_node_agree(node, 1, "its weight", x->dtype));
    RF_TRY(rf_node_agree(node, 2, "its bias", x->dtype));
    return rf_convolution_infer(node, (rf_convolution_operands){1, 2, transposed}, x->dtype);
}

static rf_status infer_conv(rf_node *node)
{
    return infer(node, false);
}

static rf_status infer_transpose(rf_node *node)
{
    return infer(node, true);
}

/* ---- Links ------------------------------------------------------------------------------ */

void rf_convolution_link(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    if (input != 0) {
        rf_link_everything(node, output, input, links);
        return;
    }
    const rf_convolution *state = node->state;
    rf_link_same(&links[0], 0);
    if (state->group == 1)
        rf_link_all(&links[1]);
    else
        rf_link_block(&links[1], 1, rf_max(state->out_channels / state->group, 1),
                      rf_max(state->in_channels / state->group, 1));
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        rf_link_window(&links[2 + i], 2 + i, window->kernel, window->stride, window->dilation,
                       window->pad_begin);
        links[2 + i].kind = state->operands.transposed ? RF_LINK_TRANSPOSED : RF_LINK_WINDOW;
    }
}

/* ---- Costs ------------------------------------------------------------------------------ */

/* How often one channel pair multiplies, and how many positions of a channel then hold a product. */
typedef struct plane_count {
    uint64_t products, positions;
} plane_count;

/* Multiplications for all channel pairs; additions where a position's first product is stored. */
static bool count_products(const rf_convolution *state, const plane_count *plane, rf_counts *counts)
{
    uint64_t planes, products;
    if (!rf_checked_mul((uint64_t)state->batch, (uint64_t)state->out_channels, &planes)
        || !rf_checked_mul(plane->products, (uint64_t)(state->in_channels / state->group), &products)
        || !rf_checked_mul(planes, products, &counts->multiplications))
        return false;
    counts->macs = counts->multiplications;
    if (products)
        counts->additions = counts->multiplications - planes * plane->positions;
    return true;
}

static bool times(uint64_t *product, uint64_t factor)
{
    return rf_checked_mul(*product, factor, product);
}

static bool finish(const rf_convolution *state, const plane_count *dense, const plane_count *valid,
                   rf_cost *cost)
{
    uint64_t outputs = 1, planes = (uint64_t)state->batch * (uint64_t)state->out_channels;
    for (int32_t i = 0; i < state->axes; i++)
        outputs *= (uint64_t)state->windows[i].output;
    if (!count_products(state, dense, &cost->dense) || !count_products(state, valid, &cost->valid))
        return false;
    if (!state->bias)
        return true;
    cost->bias_additions = planes * outputs;
    uint64_t added = cost->valid.multiplications ? valid->positions : 0;
    return rf_add_product(&cost->dense.additions, planes, outputs)
        && rf_add_product(&cost->valid.additions, planes, added);
}

static bool same_window(const rf_window *a, const rf_window *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static bool cost_windows(const rf_convolution *state, rf_cost *cost)
{
    plane_count dense = {1, 1}, valid = {1, 1};
    uint64_t taps = 0, live = 0;
    cost->window_taps = 1;
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        if (i == 0 || !same_window(window, window - 1)) {
            live = rf_window_live_outputs(window);
            if (!rf_window_valid_taps(window, &taps))
                return false;
        }
        if (!times(&cost->window_taps, (uint64_t)window->kernel)
            || !times(&dense.positions, (uint64_t)window->output) || !times(&valid.products, taps)
            || !times(&valid.positions, live))
            return false;
    }
    return rf_checked_mul(cost->window_taps, dense.positions, &dense.products) && finish(state, &dense, &valid, cost);
}

/* Positions written before cropping: pairs of input and tap, less those that meet another pair's. */
static bool written_positions(const rf_window *window, uint64_t *positions)
{
    int64_t common = rf_gcd(window->stride, window->dilation);
    int64_t steps = rf_max(window->input - window->dilation / common, 0);
    int64_t taps = rf_max(window->kernel - window->stride / common, 0);
    uint64_t repeated;
    return rf_checked_mul(window->input, window->kernel, positions) && rf_checked_mul(steps, taps, &repeated)
        && rf_checked_sub(*positions, repeated, positions);
}

static bool cost_transposed(const rf_convolution *state, rf_cost *cost)
{
    plane_count dense = {1, 1}, valid = {1, 1};
    cost->window_taps = 1;
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        uint64_t taps, written;
        if (!rf_window_valid_taps_transposed(window, &taps) || !written_positions(window, &written)
            || !times(&cost->window_taps, (uint64_t)window->kernel)
            || !times(&dense.products, (uint64_t)window->input)
            || !times(&dense.products, (uint64_t)window->kernel) || !times(&dense.positions, written)
            || !times(&valid.products, taps)
            || !times(&valid.positions, rf_window_covered_outputs(window)))
            return false;
    }
    return finish(state, &dense, &valid, cost);
}

bool rf_convolution_cost(const rf_node *node, rf_cost *cost)
{
    const rf_convolution *state = node->state;
    return state->operands.transposed ? cost_transposed(state, cost) : cost_windows(state, cost);
}

/* ---- Running ---------------------------------------------------------------------------- */

static void store_floats(const rf_convolve *call, int64_t channel, uint64_t at, double *sums, uint64_t count)
{
    const rf_value *bias = call->context;
    double addend = bias ? rf_value_float(bias, (uint64_t)channel) : 0;
    for (uint64_t i = 0; bias && i < count; i++)
        sums[i] += addend;
    rf_doubles_write(call->output, at, count, sums);
}

static rf_status evaluate(rf_node *node)
{
    const rf_convolution *state = node->state;
    const rf_value *weight = rf_input(node, 1), *bias = rf_input(node, 2);
    if (!weight || !weight->data || (bias && !bias->data))
        return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no weights, only their shapes");
    const rf_convolve call = {.shape = state, .x = node->inputs[0], .weight = weight, .output = node->outputs[0],
                              .context = bias, .tally = node->tally, .scratch = node->scratch,
                              .store = store_floats};
    rf_convolve_run(&call);
    return RF_OK;
}

static bool lower(const rf_node *node, rf_task *task)
{
    const rf_convolution *state = node->state;
    if (node->inputs[0]->dtype != RF_FLOAT32 || !rf_input(node, 1))
        return false;
    task->kind = RF_TASK_CONVOLUTION;
    memcpy(task->as.convolution.windows, state->windows, sizeof state->windows);
    task->as.convolution.axes = state->axes;
    task->as.convolution.groups = state->group;
    task->as.convolution.transposed = state->operands.transposed;
    return true;
}

/* ---- Gradients -------------------------------------------------------------------------- */

/* Positions along each axis behind those that windows reach. */
static void find_missing(const rf_convolution *state, int64_t missing[RF_MAX_SPATIAL])
{
    for (int32_t i = 0; i < state->axes; i++) {
        const rf_window *window = &state->windows[i];
        int64_t from = state->operands.transposed ? window->output : window->input;
        int64_t to = state->operands.transposed ? window->input : window->output;
        missing[i] = from + window->pad_begin + window->pad_end - rf_window_extent(window) - window->stride * (to - 1);
    }
}

static void give_bias(const rf_node *node, rf_gradient *to, const char *dy)
{
    uint32_t axes = (UINT32_C(1) << node->outputs[0]->shape.rank) - 1;
    rf_gradient_give(to, node, 2, rf_gradient_sum(to, dy, axes & ~UINT32_C(2), false));
}

/* Of a convolution: dX is dY convolved transposed by the same weights. Of a transposed one: dX is dY convolved,
 * and for dW the two change places. */
static rf_status gradient(const rf_node *node, rf_gradient *to)
{
    const rf_convolution *state = node->state;
    const char *dy = rf_gradient_of(to, node, 0), *x = node->inputs[0]->name;
    bool transposed = state->operands.transposed;
    rf_window_lists of;
    int64_t missing[RF_MAX_SPATIAL];
    find_missing(state, missing);
    rf_gradient_list_windows(state->windows, state->axes, &of);
    rf_gradient_list_int(&of, "group", state->group);
    for (int32_t i = 0; transposed && i < state->axes; i++)
        if (missing[i] < 0 || missing[i] >= of.strides[i])
            return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "it has no gradient with %lld positions that nothing reaches",
                                (long long)missing[i]);
    if (rf_gradient_wanted(to, node, 1))
        rf_gradient_give(to, node, 1,
                         rf_gradient_layer(to, "ConvWeightGradient", transposed ? RF_NAMES(dy, x) : RF_NAMES(x, dy),
                                           of.attributes));
    if (rf_gradient_wanted(to, node, 2))
        give_bias(node, to, dy);
    if (!rf_gradient_wanted(to, node, 0))
        return RF_OK;
    if (!transposed)
        rf_gradient_list_ints(&of, "output_padding", missing, state->axes);
    rf_gradient_give(to, node, 0, rf_gradient_layer(to, transposed ? "Conv" : "ConvTranspose",
                                                    RF_NAMES(dy, node->inputs[1]->name), of.attributes));
    return RF_OK;
}

#define CONVOLUTION_ROW(type_, attributes_, infer_)       \
    const rf_op rf_op_##type_ = {                         \
        .type = #type_,                                   \
        .class = RF_CLASS_CONVOLUTION,                    \
        .min_inputs = 1,                                  \
        .max_inputs = 3,                                  \
        .min_outputs = 1,                                 \
        .max_outputs = 1,                                 \
        .attributes = attributes_,                        \
        .defaults = &rf_convolution_defaults,             \
        .params_size = sizeof(rf_convolution_params),     \
        .parameter_inputs = 1 << 1 | 1 << 2,              \
        .infer = infer_,                                  \
        .link = rf_convolution_link,                      \
        .cost = rf_convolution_cost,                      \
        .evaluate = evaluate,                             \
        .scratch = rf_convolve_scratch,                   \
        .lower = lower,                                   \
        .gradient = gradient,                             \
    }

CONVOLUTION_ROW(Conv, conv_attributes, infer_conv);
CONVOLUTION_ROW(ConvTranspose, transpose_attributes, infer_transpose);
