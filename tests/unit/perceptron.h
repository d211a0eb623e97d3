/* SPDX-License-Identifier: MIT */
/*
 * The multilayer perceptron y_l = sigma(A_l y_{l-1} + b_l), y_L = A_L y_{L-1} + b_L with the loss
 * 1/2 (y_L - y)^2, as a network and as formulas in double.
 */
#ifndef RF_TESTS_PERCEPTRON_H
#define RF_TESTS_PERCEPTRON_H

#include <rfield/rfield.h>

enum { MOST_DEPTH = 20, MOST_WIDTH = 24, EXAMPLES = 5 };

typedef struct perceptron {
    size_t depth, widths[MOST_DEPTH + 1]; /* widths[0]: of the input */
    const char *activation;
    char text[MOST_DEPTH + 1][3][16]; /* names of A_l, b_l and the layer; of the activation's output */
    char active[MOST_DEPTH + 1][16];
    const char *inputs[MOST_DEPTH + 1][4], *outputs[MOST_DEPTH + 1][2];
    const char *active_inputs[MOST_DEPTH + 1][2], *active_outputs[MOST_DEPTH + 1][2];
    float weights[MOST_DEPTH + 1][MOST_WIDTH * MOST_WIDTH], biases[MOST_DEPTH + 1][MOST_WIDTH];
    rf_tensor constants[2 * MOST_DEPTH], input;
    rf_layer layers[2 * MOST_DEPTH];
    rf_network network;
} perceptron;

/* Weights normal with deviation `gain` / sqrt(fan in), biases a tenth of that; freed with free(). A width of 0: each
 * layer has one of its own, from 1 to MOST_WIDTH. Sigmoid, Tanh or Relu. */
perceptron *make_perceptron(size_t depth, size_t width, const char *activation, double gain, uint64_t seed);

double slope(const char *activation, double z); /* sigma' */

/* All z_l and y_l of one example, y_0 = x. */
void forward(const perceptron *it, const float *x, double (*z)[MOST_WIDTH], double (*y)[MOST_WIDTH]);

/* dL/dA_l and dL/db_l. */
typedef struct formulas {
    double weights[MOST_DEPTH + 1][MOST_WIDTH * MOST_WIDTH], biases[MOST_DEPTH + 1][MOST_WIDTH];
    double deltas[MOST_DEPTH + 1]; /* sums of squares of dL/dz_l over examples */
    double loss;
} formulas;

/* Of the mean over EXAMPLES; freed with free(). */
formulas *make_formulas(const perceptron *it, const float *x, const float *target);

double norm_of(const double *numbers, size_t count);

#endif
