/* SPDX-License-Identifier: MIT */
#include "ops/product.h"

#include <string.h>

#include "ops/doubles.h"
#include "ops/fold.h"
#include "ops/lanes.h"

bool rf_product_scratch(uint64_t terms, uint64_t columns, uint64_t *bytes)
{
    uint64_t one, all;
    return rf_checked_add(terms, columns, &one) && rf_checked_mul(one, RF_PRODUCT_ROWS + 1, &all)
        && rf_doubles_bytes(all, 0, bytes);
}

/* The parts of the scratch, elements of 8 bytes each: sums, rows of A, a line of B. */
typedef struct parts {
    uint64_t sums, rows;
} parts;

static parts divide(const rf_product *product)
{
    return (parts){RF_PRODUCT_ROWS * product->columns, RF_PRODUCT_ROWS * product->terms};
}

static void note(rf_counts *tally, uint64_t outputs, uint64_t terms)
{
    if (!tally || !terms)
        return;
    tally->multiplications += outputs * terms;
    tally->macs += outputs * terms;
    tally->additions += outputs * (terms - 1);
}

/* ---- Floats ----------------------------------------------------------------------------- */

static double zero_of(const rf_value *zero, uint64_t i)
{
    if (!zero)
        return 0;
    return rf_value_float(zero, rf_elements(&zero->shape) > 1 ? i : 0);
}

static void take_off(double *x, uint64_t count, double zero)
{
    for (uint64_t i = 0; zero != 0 && i < count; i++)
        x[i] -= zero;
}

static void add_scaled(double *restrict sums, const double *restrict line, double by, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        sums[i] += by * line[i];
}

static double dot(const double *restrict x, const double *restrict y, uint64_t count)
{
    double sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

/* B's rows are contiguous: each is added to all sums. */
static void sum_by_terms(const rf_product *product, uint64_t count, double *sums, const double *rows, double *line)
{
    for (uint64_t t = 0; t < product->terms; t++) {
        rf_doubles_read(product->b, product->b_at + t * product->b_term, product->columns, line);
        for (uint64_t c = 0; product->b_zero && c < product->columns; c++)
            line[c] -= zero_of(product->b_zero, c);
        for (uint64_t r = 0; r < count; r++)
            add_scaled(sums + r * product->columns, line, rows[r * product->terms + t], product->columns);
    }
}

static void sum_by_columns(const rf_product *product, uint64_t count, double *sums, const double *rows,
                           double *line)
{
    for (uint64_t c = 0; c < product->columns; c++) {
        const rf_lane column = {product->b_at + c * product->b_column, product->b_term, product->terms};
        rf_lane_read(product->b, column, line);
        take_off(line, product->terms, zero_of(product->b_zero, c));
        for (uint64_t r = 0; r < count; r++)
            sums[r * product->columns + c] = dot(rows + r * product->terms, line, product->terms);
    }
}

double *rf_product_floats(const rf_product *product, uint64_t row, uint64_t count, void *scratch, rf_counts *tally)
{
    parts part = divide(product);
    double *sums = scratch, *rows = sums + part.sums, *line = rows + part.rows;
    for (uint64_t r = 0; r < count; r++) {
        const rf_lane lane = {product->a_at + (row + r) * product->a_row, product->a_term, product->terms};
        rf_lane_read(product->a, lane, rows + r * product->terms);
        take_off(rows + r * product->terms, product->terms, zero_of(product->a_zero, row + r));
    }
    memset(sums, 0, count * product->columns * sizeof *sums);
    if (product->b_column == 1)
        sum_by_terms(product, count, sums, rows, line);
    else
        sum_by_columns(product, count, sums, rows, line);
    note(tally, count * product->columns, product->terms);
    return sums;
}

/* ---- Integers --------------------------------------------------------------------------- */

int64_t *rf_product_ints(const rf_product *product, uint64_t row, uint64_t count, void *scratch, rf_counts *tally)
{
    int64_t *sums = scratch;
    memset(sums, 0, count * product->columns * sizeof *sums);
    for (uint64_t t = 0; t < product->terms; t++)
        for (uint64_t c = 0; c < product->columns; c++) {
            int64_t b = rf_value_int(product->b, product->b_at + t * product->b_term + c * product->b_column);
            for (uint64_t r = 0; r < count; r++) {
                uint64_t at = product->a_at + (row + r) * product->a_row + t * product->a_term;
                int64_t term = rf_wrap_mul(rf_value_int(product->a, at), b);
                sums[r * product->columns + c] = rf_wrap_add(sums[r * product->columns + c], term);
            }
        }
    note(tally, count * product->columns, product->terms);
    return sums;
}

void rf_product_write(const rf_product *product, const rf_value *output, uint64_t at, void *scratch,
                      rf_counts *tally)
{
    uint64_t columns = product->columns;
    for (uint64_t row = 0; columns && row < product->rows; row += RF_PRODUCT_ROWS) {
        uint64_t left = product->rows - row, count = left < RF_PRODUCT_ROWS ? left : RF_PRODUCT_ROWS;
        if (rf_dtype_is_float(output->dtype)) {
            const double *sums = rf_product_floats(product, row, count, scratch, tally);
            rf_doubles_write(output, at + row * columns, count * columns, sums);
            continue;
        }
        const int64_t *sums = rf_product_ints(product, row, count, scratch, tally);
        for (uint64_t i = 0; i < count * columns; i++)
            rf_store_int(rf_fold_data(output), output->dtype, at + row * columns + i, sums[i]);
    }
}
