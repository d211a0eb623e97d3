/* SPDX-License-Identifier: MIT */
#include "perceptron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

static const rf_attribute turned[] = {RF_INT("transB", 1), {.name = NULL}};

static void name_layer(perceptron *it, size_t l)
{
    snprintf(it->text[l][0], sizeof it->text[l][0], "A%zu", l);
    snprintf(it->text[l][1], sizeof it->text[l][1], "b%zu", l);
    snprintf(it->text[l][2], sizeof it->text[l][2], "z%zu", l);
    snprintf(it->active[l], sizeof it->active[l], "y%zu", l);
}

static void add_layer(perceptron *it, size_t l)
{
    name_layer(it, l);
    it->inputs[l][0] = l > 1 ? it->active[l - 1] : "x";
    it->inputs[l][1] = it->text[l][0];
    it->inputs[l][2] = it->text[l][1];
    it->outputs[l][0] = it->text[l][2];
    it->layers[it->network.layer_count++] = (rf_layer){.type = "Gemm", .name = it->text[l][2], .inputs = it->inputs[l],
                                                       .outputs = it->outputs[l], .attributes = turned};
    int64_t rows = (int64_t)it->widths[l], columns = (int64_t)it->widths[l - 1];
    it->constants[it->network.constant_count++] =
        (rf_tensor){.name = it->text[l][0], .dtype = RF_FLOAT32, .shape = RF_SHAPE(rows, columns),
                    .data = it->weights[l], .data_bytes = (size_t)(rows * columns) * sizeof(float)};
    it->constants[it->network.constant_count++] =
        (rf_tensor){.name = it->text[l][1], .dtype = RF_FLOAT32, .shape = RF_SHAPE(rows), .data = it->biases[l],
                    .data_bytes = (size_t)rows * sizeof(float)};
    if (l == it->depth)
        return;
    it->active_inputs[l][0] = it->text[l][2];
    it->active_outputs[l][0] = it->active[l];
    it->layers[it->network.layer_count++] = (rf_layer){.type = it->activation, .name = it->active[l],
                                                       .inputs = it->active_inputs[l], .outputs = it->active_outputs[l]};
}

perceptron *make_perceptron(size_t depth, size_t width, const char *activation, double gain, uint64_t seed)
{
    perceptron *it = calloc(1, sizeof *it);
    rf_random random = rf_random_make(seed);
    assert_non_null(it);
    it->depth = depth;
    it->activation = activation;
    for (size_t l = 0; l <= depth; l++)
        it->widths[l] = width ? width : 1 + (size_t)rf_random_below(&random, MOST_WIDTH);
    for (size_t l = 1; l <= depth; l++) {
        double deviation = gain / sqrt((double)it->widths[l - 1]);
        for (size_t i = 0; i < it->widths[l] * it->widths[l - 1]; i++)
            it->weights[l][i] = (float)(deviation * rf_random_normal(&random));
        for (size_t i = 0; i < it->widths[l]; i++)
            it->biases[l][i] = (float)(0.1 * deviation * rf_random_normal(&random));
        add_layer(it, l);
    }
    it->input = (rf_tensor){.name = "x", .dtype = RF_FLOAT32, .shape = RF_SHAPE(EXAMPLES, (int64_t)it->widths[0])};
    it->network.inputs = &it->input;
    it->network.input_count = 1;
    it->network.constants = it->constants;
    it->network.layers = it->layers;
    return it;
}

/* ---- The formulas in double -------------------------------------------------------------------- */

static double sigma(const char *activation, double z)
{
    if (strcmp(activation, "Sigmoid") == 0)
        return 1 / (1 + exp(-z));
    return strcmp(activation, "Tanh") == 0 ? tanh(z) : z > 0 ? z : 0;
}

double slope(const char *activation, double z)
{
    double y = sigma(activation, z);
    if (strcmp(activation, "Sigmoid") == 0)
        return y * (1 - y);
    return strcmp(activation, "Tanh") == 0 ? 1 - y * y : z > 0 ? 1 : 0;
}

void forward(const perceptron *it, const float *x, double (*z)[MOST_WIDTH], double (*y)[MOST_WIDTH])
{
    for (size_t i = 0; i < it->widths[0]; i++)
        y[0][i] = (double)x[i];
    for (size_t l = 1; l <= it->depth; l++)
        for (size_t i = 0; i < it->widths[l]; i++) {
            z[l][i] = (double)it->biases[l][i];
            for (size_t k = 0; k < it->widths[l - 1]; k++)
                z[l][i] += (double)it->weights[l][i * it->widths[l - 1] + k] * y[l - 1][k];
            y[l][i] = l < it->depth ? sigma(it->activation, z[l][i]) : z[l][i];
        }
}

/* dL/dy_{l-1} = dL/dz_l A_l, dL/dz_l = dL/dy_l diag(sigma'(z_l)), dL/dA_l = (dL/dz_l)^T y_{l-1}^T, dL/db_l = dL/dz_l:
 * of one example, times `share`. */
static void add_example(const perceptron *it, const float *x, const float *target, double share, formulas *sum)
{
    double z[MOST_DEPTH + 1][MOST_WIDTH], y[MOST_DEPTH + 1][MOST_WIDTH], by_y[MOST_WIDTH];
    forward(it, x, z, y);
    for (size_t i = 0; i < it->widths[it->depth]; i++) {
        by_y[i] = share * (y[it->depth][i] - (double)target[i]);
        sum->loss += 0.5 * by_y[i] * by_y[i] / share;
    }
    for (size_t l = it->depth; l > 0; l--) {
        double before[MOST_WIDTH] = {0};
        size_t columns = it->widths[l - 1];
        for (size_t i = 0; i < it->widths[l]; i++) {
            double by_z = by_y[i] * (l < it->depth ? slope(it->activation, z[l][i]) : 1);
            sum->deltas[l] += by_z * by_z;
            sum->biases[l][i] += by_z;
            for (size_t k = 0; k < columns; k++) {
                sum->weights[l][i * columns + k] += by_z * y[l - 1][k];
                before[k] += by_z * (double)it->weights[l][i * columns + k];
            }
        }
        memcpy(by_y, before, sizeof before);
    }
}

formulas *make_formulas(const perceptron *it, const float *x, const float *target)
{
    formulas *sum = calloc(1, sizeof *sum);
    assert_non_null(sum);
    for (size_t e = 0; e < EXAMPLES; e++)
        add_example(it, x + e * it->widths[0], target + e * it->widths[it->depth], 1.0 / EXAMPLES, sum);
    return sum;
}

double norm_of(const double *numbers, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += numbers[i] * numbers[i];
    return sqrt(sum);
}
