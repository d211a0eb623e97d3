/* SPDX-License-Identifier: MIT */
#include "kernels/vector/winograd_transform.h"

enum { PAIRS = 4, LEAST_POINTS = 3 };

/* Finite points are 0, where `zero` says so, and +-p[k]; infinity is one more. */
typedef struct points {
    int pairs, zero;
    float p[PAIRS];
    float powers[PAIRS][RF_WINOGRAD_OUTPUTS]; /* of p[k] */
    float others[PAIRS][PAIRS]; /* coefficients in x*x of the product of (x*x - p*p) over pairs but the k-th */
    float all[PAIRS + 1];       /* over all pairs */
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
#define FOUR(p, q, r, s)                                                                           \
    {                                                                                              \
        SQUARE(p) * SQUARE(q) * SQUARE(r) * SQUARE(s),                                             \
        -(SQUARE(p) * SQUARE(q) * (SQUARE(r) + SQUARE(s))                                          \
          + SQUARE(r) * SQUARE(s) * (SQUARE(p) + SQUARE(q))),                                      \
        SQUARE(p) * SQUARE(q) + SQUARE(r) * SQUARE(s)                                              \
            + (SQUARE(p) + SQUARE(q)) * (SQUARE(r) + SQUARE(s)),                                   \
        -(SQUARE(p) + SQUARE(q) + SQUARE(r) + SQUARE(s)), 1                                        \
    }
#define PAIR(p) {p}, {POWERS(p)}, {{1}}, ONE(p)
#define TWO_PAIRS(p, q) {p, q}, {POWERS(p), POWERS(q)}, {ONE(q), ONE(p)}, TWO(p, q)
#define THREE_PAIRS(p, q, r)                                                                       \
    {p, q, r}, {POWERS(p), POWERS(q), POWERS(r)}, {TWO(q, r), TWO(p, r), TWO(p, q)}, THREE(p, q, r)
#define FOUR_PAIRS(p, q, r, s)                                                                     \
    {p, q, r, s}, {POWERS(p), POWERS(q), POWERS(r), POWERS(s)},                                    \
        {THREE(q, r, s), THREE(p, r, s), THREE(p, q, s), THREE(p, q, r)}, FOUR(p, q, r, s)

/* By how many there are. */
static const points sets[] = {
    {1, 0, PAIR(0.75f)},
    {1, 1, PAIR(1.0f)},
    {2, 0, TWO_PAIRS(0.5f, 1.25f)},
    {2, 1, TWO_PAIRS(0.625f, 1.5f)},
    {3, 0, THREE_PAIRS(0.375f, 0.875f, 1.75f)},
    {3, 1, THREE_PAIRS(0.5f, 1.0f, 2.0f)},
    {4, 0, FOUR_PAIRS(0.25f, 0.75f, 1.125f, 2.0f)},
    {4, 1, FOUR_PAIRS(0.5f, 0.75f, 1.125f, 2.25f)},
};

RF_INLINE const points *points_of(const rf_winograd_scheme *scheme)
{
    return &sets[rf_winograd_sums(scheme) - LEAST_POINTS];
}

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
RF_INLINE void to_all_points(rf_vec *y, const rf_vec *x, const points *at)
{
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

RF_INLINE void from_all_points(rf_vec *y, const rf_vec *x, const points *at, const int outputs)
{
    const int zero = at->zero, pairs = at->pairs;
    rf_vec both[PAIRS][2];
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

RF_INLINE void to_points(rf_vec *y, const rf_vec *x, const rf_winograd_scheme *scheme)
{
    const int count = rf_winograd_sums(scheme);
    if (scheme->kernel == 1) {
        y[0] = x[0];
    } else if (scheme->stride == 1) {
        to_all_points(y, x, points_of(scheme));
    } else {
        rf_vec even[RF_WINOGRAD_POINTS];
        RF_UNROLL
        for (int i = 0; i < count; i++)
            even[i] = x[2 * i];
        to_all_points(y, even, points_of(scheme));
        RF_UNROLL
        for (int i = 0; i < scheme->outputs; i++)
            y[count + i] = x[2 * i + 1];
    }
}

RF_INLINE void from_points(rf_vec *y, const rf_vec *x, const rf_winograd_scheme *scheme)
{
    const int count = rf_winograd_sums(scheme);
    if (scheme->kernel == 1) {
        y[0] = x[0];
        return;
    }
    from_all_points(y, x, points_of(scheme), scheme->outputs);
    RF_UNROLL
    for (int i = 0; count + i < scheme->points; i++)
        y[i] += x[count + i];
}

/* ---- Passes ------------------------------------------------------------------------------- */

RF_INLINE void columns(const float *const *pixels, int64_t channel, int64_t count, rf_winograd_grid *grid,
                       const rf_winograd_scheme *scheme)
{
    const int extent = scheme->points;
    for (int64_t c = 0; c < count; c++) {
        rf_vec x[RF_WINOGRAD_POINTS], y[RF_WINOGRAD_POINTS];
        RF_UNROLL
        for (int i = 0; i < extent; i++)
            x[i] = rf_load(pixels[i * RF_WINOGRAD_POINTS + c] + channel);
        to_points(y, x, scheme);
        RF_UNROLL
        for (int i = 0; i < extent; i++)
            grid->at[i * RF_WINOGRAD_POINTS + c] = y[i];
    }
}

RF_INLINE void rows(const rf_winograd_grid *grid, int64_t count, float *to, int64_t step,
                    const rf_winograd_scheme *scheme)
{
    const int extent = scheme->points;
    for (int64_t r = 0; r < count; r++) {
        rf_vec y[RF_WINOGRAD_POINTS];
        to_points(y, grid->at + r * RF_WINOGRAD_POINTS, scheme);
        RF_UNROLL
        for (int i = 0; i < extent; i++, to += step)
            rf_store(to, y[i]);
    }
}

RF_INLINE void back_columns(const float *from, int64_t step, int64_t count, rf_winograd_grid *grid,
                            const rf_winograd_scheme *scheme)
{
    const int extent = scheme->points;
    for (int64_t c = 0; c < count; c++, from += step) {
        rf_vec x[RF_WINOGRAD_POINTS], y[RF_WINOGRAD_OUTPUTS];
        RF_UNROLL
        for (int i = 0; i < extent; i++)
            x[i] = rf_load(from + i * count * step);
        from_points(y, x, scheme);
        RF_UNROLL
        for (int i = 0; i < scheme->outputs; i++)
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

RF_INLINE void back_rows(const rf_winograd_grid *grid, const rf_winograd_store *store, const rf_winograd_scheme *scheme)
{
    const int outputs = scheme->outputs;
    const rf_vec bias = rf_load(store->bias);
    for (int64_t r = 0; r < store->rows; r++) {
        rf_vec y[RF_WINOGRAD_OUTPUTS];
        from_points(y, grid->at + r * RF_WINOGRAD_POINTS, scheme);
        RF_UNROLL
        for (int i = 0; i < outputs; i++)
            y[i] += bias;
        store_row(y, store, r, outputs);
    }
}

#define DEFINE_PASSES(scheme)                                                                      \
    static void columns_##scheme(const float *const *pixels, int64_t channel, int64_t count,       \
                                 rf_winograd_grid *grid)                                           \
    {                                                                                              \
        columns(pixels, channel, count, grid, &rf_winograd_schemes[scheme]);                       \
    }                                                                                              \
    static void rows_##scheme(const rf_winograd_grid *grid, int64_t count, float *to, int64_t step) \
    {                                                                                              \
        rows(grid, count, to, step, &rf_winograd_schemes[scheme]);                                 \
    }                                                                                              \
    static void back_columns_##scheme(const float *from, int64_t step, int64_t count,              \
                                      rf_winograd_grid *grid)                                      \
    {                                                                                              \
        back_columns(from, step, count, grid, &rf_winograd_schemes[scheme]);                       \
    }                                                                                              \
    static void back_rows_##scheme(const rf_winograd_grid *grid, const rf_winograd_store *store)   \
    {                                                                                              \
        back_rows(grid, store, &rf_winograd_schemes[scheme]);                                      \
    }
DEFINE_PASSES(0)
DEFINE_PASSES(1)
DEFINE_PASSES(2)
DEFINE_PASSES(3)
DEFINE_PASSES(4)
DEFINE_PASSES(5)
DEFINE_PASSES(6)
DEFINE_PASSES(7)
DEFINE_PASSES(8)
DEFINE_PASSES(9)
DEFINE_PASSES(10)
DEFINE_PASSES(11)
DEFINE_PASSES(12)
DEFINE_PASSES(13)

#define PASSES(scheme) {columns_##scheme, rows_##scheme, back_columns_##scheme, back_rows_##scheme}

const rf_winograd_passes RF_ISA_NAME(rf_winograd_passes_of)[RF_WINOGRAD_SCHEMES] = {
    PASSES(0), PASSES(1), PASSES(2), PASSES(3), PASSES(4),  PASSES(5),  PASSES(6),
    PASSES(7), PASSES(8), PASSES(9), PASSES(10), PASSES(11), PASSES(12), PASSES(13),
};

/* ---- Kernels ------------------------------------------------------------------------------ */

/* Of taps 0, every .. to the points; those of the last tap are infinity's too. */
static void set_rows(const points *at, double matrix[RF_WINOGRAD_POINTS][RF_WINOGRAD_TAPS], int taps, int every)
{
    double finite[RF_WINOGRAD_POINTS] = {0};
    int count = at->zero;
    for (int k = 0; k < at->pairs; k++) {
        finite[count++] = (double)at->p[k];
        finite[count++] = -(double)at->p[k];
    }
    for (int j = 0; j < count; j++) {
        double power = 1;
        for (int l = 0; l < count; l++)
            power /= l == j ? 1 : finite[j] - finite[l];
        for (int tap = 0; tap < taps; tap++, power *= finite[j])
            matrix[j][tap * every] = power;
    }
    matrix[count][(taps - 1) * every] = 1;
}

void RF_ISA_NAME(rf_winograd_kernel_matrix)(int number, double matrix[RF_WINOGRAD_POINTS][RF_WINOGRAD_TAPS])
{
    const rf_winograd_scheme *scheme = &rf_winograd_schemes[number];
    const int count = rf_winograd_sums(scheme);
    for (int j = 0; j < RF_WINOGRAD_POINTS; j++)
        for (int tap = 0; tap < RF_WINOGRAD_TAPS; tap++)
            matrix[j][tap] = 0;
    if (scheme->kernel == 1)
        matrix[0][0] = 1;
    else
        set_rows(points_of(scheme), matrix, scheme->stride == 2 ? 2 : scheme->kernel, scheme->stride);
    for (int j = count; j < scheme->points; j++)
        matrix[j][1] = 1;
}
