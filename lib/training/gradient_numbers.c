/* SPDX-License-Identifier: MIT */
#include "training/gradient_numbers.h"

#include <math.h>
#include <string.h>

#include <rfield/gradient_report.h>
#include <rfield/random.h>

double rf_norm_of(const void *floats, uint64_t count)
{
    const char *at = floats;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        float x;
        memcpy(&x, at + i * sizeof x, sizeof x);
        sum += (double)x * (double)x;
    }
    return sqrt(sum);
}

/* ---- Largest singular value --------------------------------------------------------------- */

/* next = A^T A v; returns |A v|. */
static double multiply_twice(const float *matrix, uint64_t rows, uint64_t columns, const double *v, double *next)
{
    double squares = 0;
    memset(next, 0, (size_t)columns * sizeof *next);
    for (uint64_t r = 0; r < rows; r++) {
        const float *row = matrix + r * columns;
        double product = 0;
        for (uint64_t c = 0; c < columns; c++)
            product += (double)row[c] * v[c];
        for (uint64_t c = 0; c < columns; c++)
            next[c] += product * (double)row[c];
        squares += product * product;
    }
    return sqrt(squares);
}

static bool normalize(double *v, uint64_t count)
{
    double squares = 0;
    for (uint64_t i = 0; i < count; i++)
        squares += v[i] * v[i];
    if (!(squares > 0) || !isfinite(squares))
        return false;
    for (uint64_t i = 0; i < count; i++)
        v[i] /= sqrt(squares);
    return true;
}

/* So many that large matrices take seconds, not minutes. */
static unsigned most_steps(uint64_t elements)
{
    uint64_t steps = UINT64_C(400000000) / (elements ? elements : 1);
    return steps < 30 ? 30 : steps > 2000 ? 2000 : (unsigned)steps;
}

double rf_spectral_norm(const float *matrix, uint64_t rows, uint64_t columns, double *work)
{
    double *v = work, *next = work + columns, value = 0;
    rf_random random = rf_random_named(1, "rfield.spectral");
    for (uint64_t c = 0; c < columns; c++)
        v[c] = rf_random_normal(&random);
    normalize(v, columns);
    for (unsigned step = most_steps(rows * columns); step-- > 0;) {
        double before = value;
        value = multiply_twice(matrix, rows, columns, v, next);
        if (!normalize(next, columns) || !(fabs(value - before) > 1e-10 * value))
            break;
        double *swapped = v;
        v = next;
        next = swapped;
    }
    return value;
}

/* ---- Slopes ------------------------------------------------------------------------------- */

enum { REACH = 32, SAMPLES_OF_ONE = 64 };

static double steepest(const rf_map *map, rf_real_function slope)
{
    double most = 0;
    for (int i = -REACH * SAMPLES_OF_ONE; i <= REACH * SAMPLES_OF_ONE; i++) {
        double at = fabs(slope((double)i / SAMPLES_OF_ONE, (double)map->a, (double)map->b));
        most = at > most ? at : most;
    }
    return most;
}

rf_slope_numbers rf_measure_slopes(const rf_map *map, const float *z, uint64_t count)
{
    rf_real_function slope = rf_map_slope(map->function, false);
    rf_slope_numbers of = {.steepest = steepest(map, slope)};
    const double least = RF_SATURATED_BELOW * of.steepest, n = (double)count;
    double sum = 0, squares = 0, flat = 0;
    for (uint64_t i = 0; i < count; i++) {
        double at = fabs(slope((double)z[i], (double)map->a, (double)map->b));
        sum += at;
        squares += at * at;
        flat += at < least;
        of.most = at > of.most ? at : of.most;
    }
    of.saturated = flat / n;
    of.mean = sum / n;
    of.rms = sqrt(squares / n);
    return of;
}
