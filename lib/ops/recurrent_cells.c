/* SPDX-License-Identifier: MIT */
/* The arithmetic of one step of RNN, GRU and LSTM. */
#include "ops/recurrent.h"

#include <math.h>

#include "ops/doubles.h"

double rf_squash_apply(const rf_squash *squash, double x)
{
    switch (squash->function) {
    case RF_SQUASH_SIGMOID:
        return 1 / (1 + exp(-x));
    case RF_SQUASH_TANH:
        return tanh(x);
    case RF_SQUASH_RELU:
        return x < 0 ? 0 : x;
    case RF_SQUASH_AFFINE:
        return squash->alpha * x + squash->beta;
    case RF_SQUASH_LEAKY_RELU:
        return x < 0 ? squash->alpha * x : x;
    case RF_SQUASH_THRESHOLDED_RELU:
        return x < squash->alpha ? 0 : x;
    case RF_SQUASH_SCALED_TANH:
        return squash->alpha * tanh(squash->beta * x);
    case RF_SQUASH_HARD_SIGMOID: {
        double line = squash->alpha * x + squash->beta;
        return line < 0 ? 0 : line > 1 ? 1 : line;
    }
    case RF_SQUASH_ELU:
        return x < 0 ? squash->alpha * expm1(x) : x;
    case RF_SQUASH_SOFTSIGN:
        return x / (1 + fabs(x));
    default:
        return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    }
}

static uint64_t hidden_of(const rf_cell_step *step)
{
    const rf_recurrent *layer = step->node->state;
    return (uint64_t)layer->hidden;
}

/* Activation `which` of the cell, of an element that is clipped first. */
static double activate(const rf_cell_step *step, int which, double x)
{
    const rf_recurrent_params *params = step->node->params;
    const rf_recurrent *layer = step->node->state;
    double clip = (double)params->clip;
    if (clip > 0)
        x = x < -clip ? -clip : x > clip ? clip : x;
    if (step->node->tally)
        step->node->tally->activations++;
    return rf_squash_apply(&layer->squash[step->direction][which], x);
}

static void note(const rf_cell_step *step, uint64_t multiplications, uint64_t additions)
{
    if (!step->node->tally)
        return;
    step->node->tally->multiplications += multiplications;
    step->node->tally->additions += additions;
}

static double dot(const rf_cell_step *step, const double *y, uint64_t count)
{
    double sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += step->line[i] * y[i];
    note(step, count, count - 1);
    if (step->node->tally)
        step->node->tally->macs += count;
    return sum;
}

/* Row `gate_row` of W or R, in this step's direction, times a vector. */
static double row_product(const rf_cell_step *step, uint32_t weight, uint64_t gate_row, const double *y,
                          uint64_t count)
{
    const rf_recurrent *layer = step->node->state;
    uint64_t rows = layer->cell->gates * hidden_of(step);
    rf_doubles_read(step->node->inputs[weight], (step->direction * rows + gate_row) * count, count, step->line);
    return dot(step, y, count);
}

/* The bias of W's row, or with `recurrent` of R's; 0 where there is none. */
static double bias_of(const rf_cell_step *step, uint64_t gate_row, bool recurrent)
{
    const rf_recurrent *layer = step->node->state;
    const rf_value *bias = rf_input(step->node, RF_CELL_B);
    uint64_t rows = layer->cell->gates * hidden_of(step);
    if (!bias)
        return 0;
    note(step, 0, 1);
    return rf_value_float(bias, (step->direction * 2 + recurrent) * rows + gate_row);
}

static double from_input(const rf_cell_step *step, uint64_t gate_row)
{
    const rf_recurrent *layer = step->node->state;
    double sum = row_product(step, RF_CELL_W, gate_row, step->x, (uint64_t)layer->inputs);
    return sum + bias_of(step, gate_row, false);
}

static double from_state(const rf_cell_step *step, uint64_t gate_row, const double *state)
{
    return row_product(step, RF_CELL_R, gate_row, state, hidden_of(step)) + bias_of(step, gate_row, true);
}

/* What the first `count` gates see of input and state, before their activation. */
static void sum_gates(const rf_cell_step *step, uint64_t count)
{
    for (uint64_t row = 0; row < count * hidden_of(step); row++) {
        step->gates[row] = from_input(step, row) + from_state(step, row, step->h);
        note(step, 0, 1);
    }
}

/* ---- RNN -------------------------------------------------------------------------------- */

static void step_rnn(const rf_cell_step *step)
{
    sum_gates(step, 1);
    for (uint64_t k = 0; k < hidden_of(step); k++)
        step->h[k] = activate(step, 0, step->gates[k]);
}

static rf_counts own_rnn(const rf_node *node)
{
    const rf_recurrent *layer = node->state;
    return (rf_counts){.activations = (uint64_t)layer->hidden};
}

/* ---- GRU -------------------------------------------------------------------------------- */

/* The update and reset gates z and r, and the candidate. */
static void step_gru(const rf_cell_step *step)
{
    const rf_recurrent_params *params = step->node->params;
    uint64_t hidden = hidden_of(step);
    double *z = step->gates, *r = z + hidden, *candidate = r + hidden, *reset = candidate + hidden;
    sum_gates(step, 2);
    for (uint64_t k = 0; k < hidden; k++) {
        z[k] = activate(step, 0, z[k]);
        r[k] = activate(step, 0, r[k]);
        reset[k] = r[k] * step->h[k];
    }
    for (uint64_t k = 0; k < hidden; k++) {
        double recurrent = params->linear_before_reset ? r[k] * from_state(step, 2 * hidden + k, step->h)
                                                       : from_state(step, 2 * hidden + k, reset);
        candidate[k] = activate(step, 1, from_input(step, 2 * hidden + k) + recurrent);
    }
    for (uint64_t k = 0; k < hidden; k++)
        step->h[k] = (1 - z[k]) * candidate[k] + z[k] * step->h[k];
    /* The reset, either way; the candidate's sum; the mixture. */
    note(step, hidden + 2 * hidden, hidden + 2 * hidden);
}

static rf_counts own_gru(const rf_node *node)
{
    const rf_recurrent *layer = node->state;
    uint64_t hidden = (uint64_t)layer->hidden;
    return (rf_counts){.activations = 3 * hidden, .multiplications = 3 * hidden, .additions = 2 * hidden};
}

/* ---- LSTM ------------------------------------------------------------------------------- */

/* A peephole from the cell's state `c` into gate number `which` of input, output, forget. */
static double peep(const rf_cell_step *step, uint64_t which, uint64_t k, double c)
{
    const rf_value *peepholes = rf_input(step->node, RF_CELL_PEEPHOLES);
    if (!peepholes)
        return 0;
    note(step, 1, 1);
    return rf_value_float(peepholes, (step->direction * 3 + which) * hidden_of(step) + k) * c;
}

static void step_lstm(const rf_cell_step *step)
{
    const rf_recurrent_params *params = step->node->params;
    uint64_t hidden = hidden_of(step);
    const double *i = step->gates, *o = i + hidden, *f = o + hidden, *candidate = f + hidden;
    sum_gates(step, 4);
    for (uint64_t k = 0; k < hidden; k++) {
        double before = step->c[k];
        double input = activate(step, 0, i[k] + peep(step, 0, k, before));
        double forget = params->input_forget ? 1 - input : activate(step, 0, f[k] + peep(step, 2, k, before));
        step->c[k] = forget * before + input * activate(step, 1, candidate[k]);
        double output = activate(step, 0, o[k] + peep(step, 1, k, step->c[k]));
        step->h[k] = output * activate(step, 2, step->c[k]);
    }
    note(step, 3 * hidden, (1 + (uint64_t)(params->input_forget != 0)) * hidden);
}

static rf_counts own_lstm(const rf_node *node)
{
    const rf_recurrent_params *params = node->params;
    const rf_recurrent *layer = node->state;
    uint64_t hidden = (uint64_t)layer->hidden, coupled = params->input_forget != 0;
    uint64_t peepholes = rf_input(node, RF_CELL_PEEPHOLES) ? 3 - coupled : 0;
    return (rf_counts){.activations = (5 - coupled) * hidden, .multiplications = (3 + peepholes) * hidden,
                       .additions = (1 + coupled + peepholes) * hidden};
}

const rf_cell rf_cell_rnn = {
    .gates = 1, .activations = 1, .defaults = {RF_SQUASH_TANH}, .step = step_rnn, .own = own_rnn,
};

const rf_cell rf_cell_gru = {
    .gates = 3, .activations = 2, .defaults = {RF_SQUASH_SIGMOID, RF_SQUASH_TANH},
    .step = step_gru, .own = own_gru,
};

const rf_cell rf_cell_lstm = {
    .gates = 4, .activations = 3, .memory = true,
    .defaults = {RF_SQUASH_SIGMOID, RF_SQUASH_TANH, RF_SQUASH_TANH}, .step = step_lstm, .own = own_lstm,
};
