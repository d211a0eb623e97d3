/* SPDX-License-Identifier: MIT */
/*
 * Recurrent layers: a cell that is applied step by step along a sequence.
 *
 * recurrent.c knows shapes, directions and sequences, recurrent_cells.c the
 * arithmetic of one step.
 */
#ifndef RF_OPS_RECURRENT_H
#define RF_OPS_RECURRENT_H

#include "ops/op.h"

typedef enum rf_squash_function {
    RF_SQUASH_SIGMOID,
    RF_SQUASH_TANH,
    RF_SQUASH_RELU,
    RF_SQUASH_AFFINE,
    RF_SQUASH_LEAKY_RELU,
    RF_SQUASH_THRESHOLDED_RELU,
    RF_SQUASH_SCALED_TANH,
    RF_SQUASH_HARD_SIGMOID,
    RF_SQUASH_ELU,
    RF_SQUASH_SOFTSIGN,
    RF_SQUASH_SOFTPLUS,
    RF_SQUASH_FUNCTIONS /* how many there are */
} rf_squash_function;

/* An activation of a cell, with its parameters. */
typedef struct rf_squash {
    rf_squash_function function;
    double alpha, beta;
} rf_squash;

double rf_squash_apply(const rf_squash *squash, double x);

/* Activations of a cell, and directions that have their own. */
enum { RF_CELL_ACTIVATIONS = 3, RF_CELL_DIRECTIONS = 2 };

struct rf_cell_step;

/* A kind of cell. */
typedef struct rf_cell {
    uint32_t gates, activations;
    bool memory; /* carries a second state, the cell's own */
    rf_squash_function defaults[RF_CELL_ACTIVATIONS];
    void (*step)(const struct rf_cell_step *step);
    /* Operations of a step besides its matrix products and their biases. */
    rf_counts (*own)(const rf_node *node);
} rf_cell;

extern const rf_cell rf_cell_rnn, rf_cell_gru, rf_cell_lstm;

/* Inputs, the same in all kinds as far as they have them. */
enum {
    RF_CELL_X, RF_CELL_W, RF_CELL_R, RF_CELL_B, RF_CELL_LENGTHS, RF_CELL_INITIAL_H, RF_CELL_INITIAL_C,
    RF_CELL_PEEPHOLES
};

typedef struct rf_recurrent_params {
    int64_t hidden_size, layout, linear_before_reset, input_forget, output_sequence;
    float clip; /* 0 for none */
    const char *direction;
    rf_strings activations;
    rf_floats alpha, beta;
} rf_recurrent_params;

/* What `infer` leaves. */
typedef struct rf_recurrent {
    const rf_cell *cell;
    int64_t steps, batch, inputs, hidden, directions;
    int direction; /* 0: forward, 1: reverse, 2: both */
    rf_squash squash[RF_CELL_DIRECTIONS][RF_CELL_ACTIVATIONS];
} rf_recurrent;

/* One step of one sequence in one direction. */
typedef struct rf_cell_step {
    const rf_node *node;
    uint64_t direction;
    const double *x; /* what comes in */
    double *h, *c;   /* the states, replaced */
    double *gates;   /* room for every gate, `hidden` elements each */
    double *line;    /* room for a row of weights */
} rf_cell_step;

#endif
