/* SPDX-License-Identifier: MIT */
#include "kernels/vector/winograd_transform.h"

/* Finite points are 0, where `zero` says so, and +-p[k]. */
typedef struct points {
    int outputs, pairs, zero;
    float p[3];
    float powers[3][RF_WINOGRAD_OUTPUTS]; /* of p[k] */
    float others[3][3]; /* coefficients in x*x of the product of (x*x - p*p) over pairs but the k-th */
    float all[4];       /* over all pairs */
} points;

#define SQUARE(p) ((p) * (p))
#define POWERS(p) {1, (p), SQUARE(p), SQUARE(p) * (p), SQUARE(p) * SQUARE(p), SQUARE(p) * SQUARE(p) * (p)}
#define ONE(p) {-SQUARE(p), 1}
#define TWO(p, q) {SQUARE(p) * SQUARE(q), -(SQUARE(p) + SQUARE(q)), 1}
#define THREE(p, q, r)                                                                             \
    {                                                                                              \
        -SQUARE(p) * SQUARE(q) * SQUARE(r),                                                        \
        SQUARE(p) * SQUARE(q) + SQUARE(p) * SQUARE(r) + SQUARE(q) * SQUARE(r),                     \
        -(SQUARE(p) + SQUARE(q) + SQUARE(r)), 1                                                    \
    }
#define TWO_PAIRS(p, q) {p, q}, {POWERS(p), POWERS(q)}, {ONE(q), ONE(p)}, TWO(p, q)
#define THREE_PAIRS(p, q, r)                                                                       \
    {p, q, r}, {POWERS(p), POWERS(q), POWERS(r)}, {TWO(q, r), TWO(p, r), TWO(p, q)}, THREE(p, q, r)

static const points sizes[RF_WINOGRAD_SIZES] = {
    {2, 1, 1, {1}, {POWERS(1.0f)}, {{1}}, ONE(1.0f)},
    {4, 2, 1, TWO_PAIRS(0.625f, 1.5f)},
    {5, 3, 0, THREE_PAIRS(0.375f, 0.875f, 1.75f)},
    {6, 3, 1, THREE_PAIRS(0.5f, 1.0f, 2.0f)},
};

/* ---- One line of vectors ------------------------------------------------------------------ */

/* The sum of coefficients by every other vector. */
RF_INLINE rf_vec every_other(const rf_vec *x, const float *coefficients, const int count)
{
    rf_vec sum = x[0] * coefficients[0];
    RF_UNROLL
    for (int i = 1; i < count; i++)
        sum += x[2 * i] * coefficients[i];
    return sum;
}

/* Input pixels to points, in the order 0, p, -p, q, -q .., infinity. */
RF_INLINE void to_points(rf_vec *y, const rf_vec *x, const int size)
{
    const points *at = &sizes[size];
    const int zero = at->zero, pairs = at->pairs;
    if (zero)
        y[0] = every_other(x, at->all, pairs + 1);
    RF_UNROLL
    for (int k = 0; k < pairs; k++) {
        rf_vec even = every_other(x + zero + 1, at->others[k], pairs);
        rf_vec odd = every_other(x + zero, at->others[k], pairs);
        y[zero + 2 * k] = even + odd * at->p[k];
        y[zero + 2 * k + 1] = even - odd * at->p[k];
    }
    y[zero + 2 * pairs] = every_other(x + zero, at->all, pairs + 1);
}

RF_INLINE void from_points(rf_vec *y, const rf_vec *x, const int size)
{
    const points *at = &sizes[size];
    const int zero = at->zero, pairs = at->pairs, outputs = at->outputs;
    rf_vec both[3][2];
    RF_UNROLL
    for (int k = 0; k < pairs; k++) {
        both[k][0] = x[zero + 2 * k] + x[zero + 2 * k + 1];
        both[k][1] = x[zero + 2 * k] - x[zero + 2 * k + 1];
    }
    RF_UNROLL
    for (int i = 0; i < outputs; i++) {
        y[i] = both[0][i % 2] * at->powers[0][i];
        RF_UNROLL
        for (int k = 1; k < pairs; k++)
            y[i] += both[k][i % 2] * at->powers[k][i];
    }
    if (zero)
        y[0] += x[0];
    y[outputs - 1] += x[zero + 2 * pairs];
}

/* ---- Passes ------------------------------------------------------------------------------- */

RF_INLINE void columns(const float *const *pixels, int64_t channel, int64_t count, rf_winograd_grid *grid,
                       const int size)
{
    const int extent = sizes[size].outputs + 2;
    for (int64_t c = 0; c < count; c++) {
        rf_vec x[RF_WINOGRAD_POINTS], y[RF_WINOGRAD_POINTS];
        RF_UNROLL
        for (int i = 0; i < extent; i++)
            x[i] = rf_load(pixels[i * RF_WINOGRAD_POINTS + c] + channel);
        to_points(y, x, size);
        RF_UNROLL
        for (int i = 0; i < extent; i++)
            grid->at[i * RF_WINOGRAD_POINTS + c] = y[i];
    }
}

RF_INLINE void rows(const rf_winograd_grid *grid, int64_t count, float *to, int64_t step, const int size)
{
    const int extent = sizes[size].outputs + 2;
    for (int64_t r = 0; r < count; r++) {
        rf_vec y[RF_WINOGRAD_POINTS];
        to_points(y, grid->at + r * RF_WINOGRAD_POINTS, size);
        RF_UNROLL
        for (int i = 0; i < extent; i++, to += step)
            rf_store(to, y[i]);
    }
}

RF_INLINE void back_columns(const float *from, int64_t step, int64_t count, rf_winograd_grid *grid,
                            const int size)
{
    const int extent = sizes[size].outputs + 2;
    for (int64_t c = 0; c < count; c++, from += step) {
        rf_vec x[RF_WINOGRAD_POINTS], y[RF_WINOGRAD_OUTPUTS];
        RF_UNROLL
        for (int i = 0; i < extent; i++)
            x[i] = rf_load(from + i * count * step);
        from_points(y, x, size);
        RF_UNROLL
        for (int i = 0; i < extent - 2; i++)
            grid->at[i * RF_WINOGRAD_POINTS + c] = y[i];
    }
}

RF_INLINE void store_row(const rf_vec *y, const rf_winograd_store *store, int64_t row, const int outputs)
{
    float *output = store->output + row * store->output_steps[0];
    const float *residual = store->residual ? store->residual + row * store->residual_steps[0] : NULL;
    RF_UNROLL
    for (int i = 0; i < outputs; i++) {
        if (i >= store->columns)
            return;
        const float *add = residual ? residual + i * store->residual_steps[1] : NULL;
        if (store->lanes == RF_LANES)
            rf_finish(output, y[i], add, store->map);
        else
            rf_finish_some(output, y[i], add, store->map, store->lanes);
        output += store->output_steps[1];
    }
}

RF_INLINE void back_rows(const rf_winograd_grid *grid, const rf_winograd_store *store, const int size)
{
    const int outputs = sizes[size].outputs;
    const rf_vec bias = rf_load(store->bias);
    for (int64_t r = 0; r < store->rows; r++) {
        rf_vec y[RF_WINOGRAD_OUTPUTS];
        from_points(y, grid->at + r * RF_WINOGRAD_POINTS, size);
        RF_UNROLL
        for (int i = 0; i < outputs; i++)
            y[i] += bias;
        store_row(y, store, r, outputs);
    }
}

#define DEFINE_PASSES(size)                                                                        \
    static void columns_##size(const float *const *pixels, int64_t channel, int64_t count,         \
                               rf_winograd_grid *grid)                                             \
    {                                                                                              \
        columns(pixels, channel, count, grid, size);                                               \
    }                                                                                              \
    static void rows_##size(const rf_winograd_grid *grid, int64_t count, float *to, int64_t step)  \
    {                                                                                              \
        rows(grid, count, to, step, size);                                                         \
    }                                                                                              \
    static void back_columns_##size(const float *from, int64_t step, int64_t count,                \
                                    rf_winograd_grid *grid)                                        \
    {                                                                                              \
        back_columns(from, step, count, grid, size);                                               \
    }                                                                                              \
    static void back_rows_##size(const rf_winograd_grid *grid, const rf_winograd_store *store)     \
    {                                                                                              \
        back_rows(grid, store, size);                                                              \
    }
DEFINE_PASSES(0)
DEFINE_PASSES(1)
DEFINE_PASSES(2)
DEFINE_PASSES(3)

#define PASSES(size) {columns_##size, rows_##size, back_columns_##size, back_rows_##size}

const rf_winograd_passes RF_ISA_NAME(rf_winograd_passes_of)[RF_WINOGRAD_SIZES] = {
    PASSES(0), PASSES(1), PASSES(2), PASSES(3),
};

/* ---- Kernels ------------------------------------------------------------------------------ */

void RF_ISA_NAME(rf_winograd_kernel_matrix)(int size, double matrix[RF_WINOGRAD_POINTS][3])
{
    const points *at = &sizes[size];
    double finite[RF_WINOGRAD_POINTS] = {0};
    int count = at->zero;
    for (int k = 0; k < at->pairs; k++) {
        finite[count++] = (double)at->p[k];
        finite[count++] = -(double)at->p[k];
    }
    for (int j = 0; j < count; j++) {
        double others = 1;
        for (int l = 0; l < count; l++)
            others *= l == j ? 1 : finite[j] - finite[l];
        matrix[j][0] = 1 / others;
        matrix[j][1] = finite[j] / others;
        matrix[j][2] = finite[j] * finite[j] / others;
    }
    matrix[count][0] = matrix[count][1] = 0;
    matrix[count][2] = 1;
}
