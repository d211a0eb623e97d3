/* SPDX-License-Identifier: MIT */
/*
 * Recurrent layers.
 *
 * Counting, a step of one sequence in one direction, with H hidden units, I
 * inputs and G gates (RNN 1, GRU 3, LSTM 4): G H (I + H) multiplications, which
 * are macs, and G H (I + H - 1) additions, 2 G H more with biases. Then
 *   RNN    H activations
 *   GRU    3 H activations, 3 H multiplications, 2 H additions
 *   LSTM   5 H activations, 3 H multiplications, H additions, and with
 *          peepholes 3 H of both; with input_forget H activations less, H
 *          additions more and one peephole less.
 * Sequences are taken as long as they may be.
 */
#include "ops/recurrent.h"

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/operands.h"
#include "ops/table.h"

static const rf_recurrent_params defaults = {.hidden_size = RF_ABSENT};

#define COMMON_ATTRIBUTES                                                                              \
    {"hidden_size", RF_ATTRIBUTE_INT, offsetof(rf_recurrent_params, hidden_size), false},             \
    {"direction", RF_ATTRIBUTE_STRING, offsetof(rf_recurrent_params, direction), false},              \
    {"activations", RF_ATTRIBUTE_STRINGS, offsetof(rf_recurrent_params, activations), false},         \
    {"activation_alpha", RF_ATTRIBUTE_FLOATS, offsetof(rf_recurrent_params, alpha), false},           \
    {"activation_beta", RF_ATTRIBUTE_FLOATS, offsetof(rf_recurrent_params, beta), false},             \
    {"clip", RF_ATTRIBUTE_FLOAT, offsetof(rf_recurrent_params, clip), false},                         \
    {"layout", RF_ATTRIBUTE_INT, offsetof(rf_recurrent_params, layout), false},                       \
    {"output_sequence", RF_ATTRIBUTE_INT, offsetof(rf_recurrent_params, output_sequence), false}

static const rf_attribute_spec rnn_attributes[] = {
    COMMON_ATTRIBUTES,
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec gru_attributes[] = {
    COMMON_ATTRIBUTES,
    {"linear_before_reset", RF_ATTRIBUTE_INT, offsetof(rf_recurrent_params, linear_before_reset), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const rf_attribute_spec lstm_attributes[] = {
    COMMON_ATTRIBUTES,
    {"input_forget", RF_ATTRIBUTE_INT, offsetof(rf_recurrent_params, input_forget), false},
    {NULL, RF_ATTRIBUTE_NONE, 0, false},
};

static const char *const input_names[] = {"X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"};

/* ---- Activations ------------------------------------------------------------------------ */

static const struct {
    const char *name;
    bool uses_alpha, uses_beta;
    double alpha, beta;
} squashes[RF_SQUASH_FUNCTIONS] = {
    [RF_SQUASH_SIGMOID] = {"Sigmoid", false, false, 0, 0},
    [RF_SQUASH_TANH] = {"Tanh", false, false, 0, 0},
    [RF_SQUASH_RELU] = {"Relu", false, false, 0, 0},
    [RF_SQUASH_AFFINE] = {"Affine", true, true, 1, 0},
    [RF_SQUASH_LEAKY_RELU] = {"LeakyRelu", true, false, 0.01, 0},
    [RF_SQUASH_THRESHOLDED_RELU] = {"ThresholdedRelu", true, false, 1, 0},
    [RF_SQUASH_SCALED_TANH] = {"ScaledTanh", true, true, 1, 1},
    [RF_SQUASH_HARD_SIGMOID] = {"HardSigmoid", true, true, 0.2, 0.5},
    [RF_SQUASH_ELU] = {"Elu", true, false, 1, 0},
    [RF_SQUASH_SOFTSIGN] = {"Softsign", false, false, 0, 0},
    [RF_SQUASH_SOFTPLUS] = {"Softplus", false, false, 0, 0},
};

static rf_status find_squash(const rf_node *node, const char *name, rf_squash_function *function)
{
    for (int k = 0; k < RF_SQUASH_FUNCTIONS; k++)
        if (strcmp(squashes[k].name, name) == 0) {
            *function = (rf_squash_function)k;
            return RF_OK;
        }
    return rf_node_fail(node, RF_ERROR_UNSUPPORTED, "the activation '%.40s' is not supported", name);
}

/* Alphas and betas are for those activations that use them, in their order. */
static rf_status read_activations(const rf_node *node, rf_recurrent *layer)
{
    const rf_recurrent_params *params = node->params;
    size_t wanted = layer->cell->activations * (size_t)layer->directions, alphas = 0, betas = 0;
    if (params->activations.at && params->activations.count != wanted)
        return rf_node_fail(node, RF_ERROR_SHAPE, "it names %zu activations, but has %zu",
                            params->activations.count, wanted);
    for (size_t k = 0; k < wanted; k++) {
        size_t which = k % layer->cell->activations;
        rf_squash *squash = &layer->squash[k / layer->cell->activations][which];
        squash->function = layer->cell->defaults[which];
        if (params->activations.at)
            RF_TRY(find_squash(node, params->activations.at[k], &squash->function));
        bool alpha = squashes[squash->function].uses_alpha && alphas < params->alpha.count;
        bool beta = squashes[squash->function].uses_beta && betas < params->beta.count;
        squash->alpha = alpha ? (double)params->alpha.at[alphas] : squashes[squash->function].alpha;
        squash->beta = beta ? (double)params->beta.at[betas] : squashes[squash->function].beta;
        alphas += alpha;
        betas += beta;
    }
    return RF_OK;
}

/* ---- Shapes ----------------------------------------------------------------------------- */

static rf_status check_shape(const rf_node *node, uint32_t i, rf_dtype dtype, const rf_shape *wanted)
{
    const rf_value *value = rf_input(node, i);
    if (!value)
        return RF_OK;
    if (value->dtype != dtype)
        return rf_node_fail(node, RF_ERROR_SHAPE, "%s is of type %s, but must be %s", input_names[i],
                            rf_dtype_name(value->dtype), rf_dtype_name(dtype));
    if (rf_shape_equal(&value->shape, wanted))
        return RF_OK;
    return rf_node_fail(node, RF_ERROR_SHAPE, "%s has shape %s, but %s is needed", input_names[i],
                        rf_shape_print(&value->shape).text, rf_shape_print(wanted).text);
}

/* A state's shape: directions first, or with layout 1 the batch. */
static rf_shape state_shape(const rf_node *node)
{
    const rf_recurrent_params *params = node->params;
    const rf_recurrent *layer = node->state;
    if (params->layout)
        return (rf_shape)RF_SHAPE(layer->batch, layer->directions, layer->hidden);
    return (rf_shape)RF_SHAPE(layer->directions, layer->batch, layer->hidden);
}

static rf_status check_inputs(const rf_node *node)
{
    const rf_recurrent *layer = node->state;
    rf_dtype dtype = node->inputs[RF_CELL_X]->dtype;
    int64_t rows;
    if (!rf_checked_mul(layer->hidden, 2 * (int64_t)layer->cell->gates, &rows))
        return rf_node_fail(node, RF_ERROR_OVERFLOW, "hidden_size %lld is too large", (long long)layer->hidden);
    const rf_shape w = RF_SHAPE(layer->directions, rows / 2, layer->inputs);
    const rf_shape r = RF_SHAPE(layer->directions, rows / 2, layer->hidden);
    const rf_shape b = RF_SHAPE(layer->directions, rows), lengths = RF_SHAPE(layer->batch);
    const rf_shape p = RF_SHAPE(layer->directions, rows / 8 * 3), state = state_shape(node);
    RF_TRY(check_shape(node, RF_CELL_W, dtype, &w));
    RF_TRY(check_shape(node, RF_CELL_R, dtype, &r));
    RF_TRY(check_shape(node, RF_CELL_B, dtype, &b));
    RF_TRY(check_shape(node, RF_CELL_LENGTHS, RF_INT32, &lengths));
    RF_TRY(check_shape(node, RF_CELL_INITIAL_H, dtype, &state));
    RF_TRY(check_shape(node, RF_CELL_INITIAL_C, dtype, &state));
    return check_shape(node, RF_CELL_PEEPHOLES, dtype, &p);
}

static rf_status read_extents(const rf_node *node, rf_recurrent *layer)
{
    static const char *const directions[] = {"forward", "reverse", "bidirectional", NULL};
    const rf_recurrent_params *params = node->params;
    const rf_shape *x = &node->inputs[RF_CELL_X]->shape, *r = &node->inputs[RF_CELL_R]->shape;
    if (params->layout != 0 && params->layout != 1)
        return rf_node_fail(node, RF_ERROR_FORMAT, "layout is %lld, but must be 0 or 1", (long long)params->layout);
    if (x->rank != 3 || r->rank != 3 || x->dims[2] < 1 || r->dims[2] < 1)
        return rf_node_fail(node, RF_ERROR_SHAPE,
                            "X has shape %s and R %s, but three axes are needed, the last not empty",
                            rf_shape_print(x).text, rf_shape_print(r).text);
    RF_TRY(rf_node_choice(node, "direction", params->direction, directions, &layer->direction));
    layer->directions = layer->direction == 2 ? 2 : 1;
    layer->steps = x->dims[params->layout ? 1 : 0];
    layer->batch = x->dims[params->layout ? 0 : 1];
    layer->inputs = x->dims[2];
    layer->hidden = r->dims[2];
    if (params->hidden_size != RF_ABSENT && params->hidden_size != layer->hidden)
        return rf_node_fail(node, RF_ERROR_SHAPE, "hidden_size is %lld, but R has shape %s",
                            (long long)params->hidden_size, rf_shape_print(r).text);
    return RF_OK;
}

static rf_status infer_cell(rf_node *node, const rf_cell *cell)
{
    const rf_recurrent_params *params = node->params;
    rf_value *x;
    RF_TRY(rf_node_require_real(node, RF_CELL_X, "X", &x));
    rf_recurrent *layer = RF_TAKE(node->arena, rf_recurrent, 1);
    if (!layer)
        return rf_node_fail(node, RF_ERROR_MEMORY, "no memory for its extents");
    node->state = layer;
    layer->cell = cell;
    RF_TRY(read_extents(node, layer));
    RF_TRY(check_inputs(node));
    RF_TRY(read_activations(node, layer));
    rf_shape sequence = RF_SHAPE(layer->steps, layer->directions, layer->batch, layer->hidden);
    if (params->layout)
        sequence = (rf_shape)RF_SHAPE(layer->batch, layer->steps, layer->directions, layer->hidden);
    const rf_shape state = state_shape(node);
    rf_set_output(node, 0, x->dtype, &sequence);
    rf_set_output(node, 1, x->dtype, &state);
    rf_set_output(node, 2, x->dtype, &state);
    return RF_OK;
}

static rf_status infer_rnn(rf_node *node)
{
    return infer_cell(node, &rf_cell_rnn);
}

static rf_status infer_gru(rf_node *node)
{
    return infer_cell(node, &rf_cell_gru);
}

static rf_status infer_lstm(rf_node *node)
{
    return infer_cell(node, &rf_cell_lstm);
}

/* The steps that an element of the sequence put out depends on. */
static void link_steps(const rf_recurrent *layer, int32_t axis, rf_link *link)
{
    int64_t extent = rf_max(layer->steps, 1);
    if (layer->direction < 2)
        rf_link_window(link, axis, extent, 1, 1, layer->direction ? 0 : extent - 1);
}

static void link_cell(const rf_node *node, uint32_t output, uint32_t input, rf_link *links)
{
    const rf_recurrent_params *params = node->params;
    const rf_recurrent *layer = node->state;
    bool state = output > 0, initial = input == RF_CELL_INITIAL_H || input == RF_CELL_INITIAL_C;
    int32_t batch = params->layout ? 0 : state ? 1 : 2;
    int32_t direction = state ? !batch : params->layout ? 2 : 1;
    rf_link_everything(node, output, input, links);
    if (input == RF_CELL_X) {
        rf_link_same(&links[params->layout ? 0 : 1], batch);
        if (!state)
            link_steps(layer, params->layout ? 1 : 0, &links[params->layout ? 1 : 0]);
    } else if (input == RF_CELL_LENGTHS) {
        rf_link_same(&links[0], batch);
    } else if (initial) {
        rf_link_same(&links[params->layout ? 0 : 1], batch);
        rf_link_same(&links[params->layout ? 1 : 0], direction);
    } else {
        rf_link_same(&links[0], direction);
    }
}

static bool cost_cell(const rf_node *node, rf_cost *cost)
{
    const rf_recurrent *layer = node->state;
    rf_counts *dense = &cost->dense;
    rf_counts own = layer->cell->own(node);
    uint64_t rows = layer->cell->gates * (uint64_t)layer->hidden, steps, terms, additions;
    uint64_t biases = rf_input(node, RF_CELL_B) ? 2 : 0;
    if (!rf_checked_add(layer->inputs, layer->hidden, &terms) || !rf_checked_mul(rows, terms, &terms)
        || !rf_checked_mul(rows, biases, &additions) || !rf_checked_add(additions, own.additions, &additions)
        || !rf_checked_add(additions, terms - rows, &additions)
        || !rf_checked_mul(layer->steps, layer->batch, &steps) || !rf_checked_mul(steps, layer->directions, &steps)
        || !rf_checked_mul(steps, terms, &dense->macs) || !rf_checked_mul(steps, additions, &dense->additions)
        || !rf_checked_mul(steps, own.activations, &dense->activations))
        return false;
    dense->multiplications = dense->macs;
    if (!rf_add_product(&dense->multiplications, steps, own.multiplications))
        return false;
    cost->valid = *dense;
    return true;
}

/* ---- Running ---------------------------------------------------------------------------- */

/* A state, X's row, the gates and one more for what a GRU resets, a row of weights. */
static bool scratch_cell(const rf_node *node, uint64_t *bytes)
{
    const rf_recurrent *layer = node->state;
    uint64_t hidden = (uint64_t)layer->hidden, inputs = (uint64_t)layer->inputs, count = 0;
    uint64_t longest = hidden > inputs ? hidden : inputs;
    return rf_add_product(&count, hidden, 2 + layer->cell->gates + 1) && rf_add_product(&count, inputs, 1)
        && rf_add_product(&count, longest, 1) && rf_doubles_bytes(count, 0, bytes);
}

/* One sequence in one direction. */
typedef struct sequence {
    uint64_t direction, item, length;
    bool reverse;
} sequence;

static uint64_t row_of_state(const rf_node *node, const sequence *run)
{
    const rf_recurrent_params *params = node->params;
    const rf_recurrent *layer = node->state;
    return params->layout ? run->item * (uint64_t)layer->directions + run->direction
                          : run->direction * (uint64_t)layer->batch + run->item;
}

static uint64_t row_of_x(const rf_node *node, const sequence *run, uint64_t t)
{
    const rf_recurrent_params *params = node->params;
    const rf_recurrent *layer = node->state;
    return params->layout ? run->item * (uint64_t)layer->steps + t : t * (uint64_t)layer->batch + run->item;
}

static uint64_t row_of_y(const rf_node *node, const sequence *run, uint64_t t)
{
    const rf_recurrent_params *params = node->params;
    const rf_recurrent *layer = node->state;
    uint64_t directions = (uint64_t)layer->directions;
    return params->layout ? row_of_x(node, run, t) * directions + run->direction
                          : (t * directions + run->direction) * (uint64_t)layer->batch + run->item;
}

static void start_state(const rf_node *node, const sequence *run, uint32_t input, double *state)
{
    const rf_recurrent *layer = node->state;
    const rf_value *initial = rf_input(node, input);
    uint64_t hidden = (uint64_t)layer->hidden;
    if (initial)
        rf_doubles_read(initial, row_of_state(node, run) * hidden, hidden, state);
    else
        memset(state, 0, hidden * sizeof *state);
}

static void write_rows(const rf_node *node, uint32_t output, uint64_t row, const double *from)
{
    const rf_recurrent *layer = node->state;
    uint64_t hidden = (uint64_t)layer->hidden;
    if (rf_output(node, output))
        rf_doubles_write(node->outputs[output], row * hidden, hidden, from);
}

/* Past the end of a shorter sequence everything is 0. */
static void run_sequence(const rf_node *node, const sequence *run)
{
    const rf_recurrent *layer = node->state;
    uint64_t hidden = (uint64_t)layer->hidden, inputs = (uint64_t)layer->inputs;
    double *h = node->scratch, *c = h + hidden, *gates = c + hidden;
    double *x = gates + (layer->cell->gates + 1) * hidden, *line = x + inputs;
    const rf_cell_step step = {.node = node, .direction = run->direction, .x = x, .h = h, .c = c, .gates = gates,
                               .line = line};
    start_state(node, run, RF_CELL_INITIAL_H, h);
    if (layer->cell->memory)
        start_state(node, run, RF_CELL_INITIAL_C, c);
    for (uint64_t k = 0; k < run->length; k++) {
        uint64_t t = run->reverse ? run->length - 1 - k : k;
        rf_doubles_read(node->inputs[RF_CELL_X], row_of_x(node, run, t) * inputs, inputs, x);
        layer->cell->step(&step);
        write_rows(node, 0, row_of_y(node, run, t), h);
    }
    write_rows(node, 1, row_of_state(node, run), h);
    if (layer->cell->memory)
        write_rows(node, 2, row_of_state(node, run), c);
    memset(h, 0, hidden * sizeof *h);
    for (uint64_t t = run->length; t < (uint64_t)layer->steps; t++)
        write_rows(node, 0, row_of_y(node, run, t), h);
}

static rf_status read_length(const rf_node *node, uint64_t item, uint64_t *length)
{
    const rf_recurrent *layer = node->state;
    const rf_value *lengths = rf_input(node, RF_CELL_LENGTHS);
    int64_t given = lengths ? rf_value_int(lengths, item) : layer->steps;
    if (given < 0 || given > layer->steps)
        return rf_node_fail(node, RF_ERROR_SHAPE, "sequence %llu has length %lld, but must be within 0..%lld",
                            (unsigned long long)item, (long long)given, (long long)layer->steps);
    *length = (uint64_t)given;
    return RF_OK;
}

static rf_status evaluate_cell(rf_node *node)
{
    const rf_recurrent *layer = node->state;
    for (uint64_t direction = 0; direction < (uint64_t)layer->directions; direction++)
        for (uint64_t item = 0; item < (uint64_t)layer->batch; item++) {
            sequence run = {.direction = direction, .item = item,
                            .reverse = layer->direction == 1 || direction == 1};
            RF_TRY(read_length(node, item, &run.length));
            run_sequence(node, &run);
        }
    return RF_OK;
}

#define RECURRENT_ROW(type_, inputs_, outputs_, name_)               \
    const rf_op rf_op_##type_ = {                                    \
        .type = #type_,                                              \
        .class = RF_CLASS_OTHER,                                     \
        .min_inputs = 3,                                             \
        .max_inputs = inputs_,                                       \
        .min_outputs = 0,                                            \
        .max_outputs = outputs_,                                     \
        .attributes = name_##_attributes,                            \
        .defaults = &defaults,                                       \
        .params_size = sizeof(rf_recurrent_params),                  \
        .parameter_inputs = 1 << RF_CELL_W | 1 << RF_CELL_R | 1 << RF_CELL_B | 1 << RF_CELL_PEEPHOLES, \
        .infer = infer_##name_,                                      \
        .link = link_cell,                                           \
        .cost = cost_cell,                                           \
        .evaluate = evaluate_cell,                                   \
        .scratch = scratch_cell,                                     \
    }

RECURRENT_ROW(RNN, 6, 2, rnn);
RECURRENT_ROW(GRU, 6, 2, gru);
RECURRENT_ROW(LSTM, 8, 3, lstm);
